/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sanitized.c: what UBSan reports goes to a file, too; a part of sanitized programs only.
 *
 * GCC's libubsan does not see its option log_path beside ASan: the function that sets it is found
 * in libasan, which has one of the same name, so it is to be called in libubsan itself.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

typedef void set_report_path(const char *path);

__attribute__((constructor)) static void report_to_file(void)
{
    static const char option[] = "log_path=";
    const char *options = getenv("UBSAN_OPTIONS"), *path = NULL;
    void *library = options ? dlopen("libubsan.so.1", RTLD_LAZY | RTLD_NOLOAD) : NULL;
    set_report_path *set =
        library ? (set_report_path *)dlsym(library, "__sanitizer_set_report_path") : NULL;
    char *copy;

    /* The last one counts. */
    for (const char *next = options; next && (next = strstr(next, option)); path = next)
        next += strlen(option);
    copy = path ? strndup(path, strcspn(path, ":, ")) : NULL;
    if (set && copy)
        set(copy);
    free(copy);
}
