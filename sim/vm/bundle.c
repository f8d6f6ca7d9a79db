/* SPDX-License-Identifier: BSD-3-Clause */
/* bundle.c: where the guest's kernel and initramfs are. */
#include <romsim/vm.h>

#include <romsim/buffer.h>
#include <romsim/cleanup.h>
#include <romsim/paths.h>
#include <romsim/text.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Relative to the program's folder: a checkout's build/ (plain; sanitized, one deeper), an
 * installation's bin/. */
static const char *const places[] = {"guest", "../guest", "../lib/romsim/guest"};

/* The folder that the running program is in, malloc'ed, or NULL. */
static char *program_directory(void)
{
    char path[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 1);
    char *slash;

    if (size <= 0)
        return NULL;
    path[size] = '\0';
    slash = strrchr(path, '/');
    if (slash)
        *slash = '\0';
    return strdup(path);
}

static char *value_of(const char *text, const char *key)
{
    size_t size = strlen(key);

    for (const char *line = text; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, size) == 0 && line[size] == ' ')
            return strndup(line + size + 1, strcspn(line + size + 1, "\n"));
    }
    return NULL;
}

/* Reads the bundle's `info`; without release, and with errno, if that cannot be opened. */
static void read_info(const char *directory, struct romsim_bundle *bundle)
{
    CLEANUP_FREE char *path = romsim_path_join(directory, "info");
    CLEANUP_FILE FILE *file = path ? fopen(path, "re") : NULL;
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(64 << 10);

    if (!file)
        return;
    errno = 0;
    if (romsim_buffer_read_fd(&text, fileno(file)) < 0 || !text.data)
        return;
    bundle->kernel_release = value_of(text.data, "release");
    bundle->kernel_package = value_of(text.data, "package");
}

/* Is it this process that has not enough of something?  Then it does not know what is there. */
static bool is_shortage(int errnum)
{
    return errnum == EMFILE || errnum == ENFILE || errnum == ENOMEM;
}

/* Is a whole bundle in this folder?  1, 0, or -1 if that cannot be found out; takes the folder's
 * name. */
static int take_directory(char *directory, struct romsim_bundle *ret, struct romsim_error *err)
{
    struct romsim_bundle bundle = {.directory = directory};
    int problem;

    errno = ENOMEM;
    if (directory) {
        bundle.kernel = romsim_path_join(directory, "vmlinux");
        bundle.initrd = romsim_path_join(directory, "initrd");
        read_info(directory, &bundle);
    }
    if (bundle.kernel && bundle.initrd && bundle.kernel_release &&
        access(bundle.kernel, R_OK) == 0 && access(bundle.initrd, R_OK) == 0) {
        *ret = bundle;
        return 1;
    }
    problem = errno;
    if (is_shortage(problem))
        romsim_error_system(err, problem, "cannot look for the guest bundle in '%s'",
                            directory ? QUOTE(directory) : "");
    romsim_bundle_release(&bundle);
    return is_shortage(problem) ? -1 : 0;
}

int romsim_bundle_find(struct romsim_bundle *ret, struct romsim_error *err)
{
    CLEANUP_FREE char *program = program_directory();
    const char *chosen = getenv("ROMSIM_GUEST");
    int taken = 0;

    if (chosen && *chosen) {
        taken = take_directory(strdup(chosen), ret, err);
        if (taken != 0)
            return taken > 0 ? 0 : -1;
        romsim_error_set(err, ENOENT, "no guest bundle in %s (ROMSIM_GUEST)", QUOTE(chosen));
        return romsim_error_hint(err, "it has the files vmlinux, initrd and info");
    }
    for (size_t i = 0; taken == 0 && program && i < sizeof(places) / sizeof(places[0]); i++)
        taken = take_directory(romsim_path_join(program, places[i]), ret, err);
    if (taken != 0)
        return taken > 0 ? 0 : -1;
    romsim_error_set(err, ENOENT, "the guest bundle (kernel and initramfs) is missing");
    return romsim_error_hint(err, "run 'make guest' in romsim's source folder");
}

void romsim_bundle_release(struct romsim_bundle *bundle)
{
    free(bundle->directory);
    free(bundle->kernel);
    free(bundle->initrd);
    free(bundle->kernel_release);
    free(bundle->kernel_package);
    *bundle = (struct romsim_bundle){0};
}
