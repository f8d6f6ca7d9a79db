/* SPDX-License-Identifier: BSD-3-Clause */
/* error.c: filling a struct romsim_error, and lists of them. */
#include <romsim/error.h>
#include <romsim/vector.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Formats into `ret`; a text that does not fit ends in "...". */
__attribute__((format(printf, 3, 0))) static void format_cut(char *ret, size_t ret_size,
                                                             const char *format, va_list arguments)
{
    int length = vsnprintf(ret, ret_size, format, arguments);

    if (length < 0)
        ret[0] = '\0';
    else if ((size_t)length >= ret_size)
        memcpy(ret + ret_size - 4, "...", 4);
}

static void append_cut(char *text, size_t text_size, const char *more)
{
    size_t length = strlen(text);
    size_t more_length = strlen(more);

    if (length + more_length < text_size) {
        memcpy(text + length, more, more_length + 1);
        return;
    }
    memcpy(text + length, more, text_size - 1 - length);
    memcpy(text + text_size - 4, "...", 4);
}

/* An error made apart from the one that it replaces, which the arguments may point into. */
__attribute__((format(printf, 2, 0))) static struct romsim_error
make(int errnum, const char *format, va_list arguments)
{
    struct romsim_error fresh = {.errnum = errnum, .cloud = ROMSIM_CLOUD_UNKNOWN_ERROR};

    format_cut(fresh.message, sizeof(fresh.message), format, arguments);
    return fresh;
}

int romsim_error_set(struct romsim_error *err, int errnum, const char *format, ...)
{
    struct romsim_error fresh;
    va_list arguments;

    if (!err)
        return -1;
    va_start(arguments, format);
    fresh = make(errnum, format, arguments);
    va_end(arguments);
    *err = fresh;
    return -1;
}

int romsim_error_system(struct romsim_error *err, int errnum, const char *format, ...)
{
    struct romsim_error fresh;
    va_list arguments;

    if (!err)
        return -1;
    va_start(arguments, format);
    fresh = make(errnum, format, arguments);
    va_end(arguments);
    *err = fresh;
    append_cut(err->message, sizeof(err->message), ": ");
    append_cut(err->message, sizeof(err->message), strerrordesc_np(errnum) ?: "unknown error");
    if (errnum == EMFILE)
        romsim_error_hint(err, "let the process open more files: ulimit -n 1024");
    return -1;
}

int romsim_error_context(struct romsim_error *err, const char *format, ...)
{
    char message[sizeof(err->message)];
    va_list arguments;

    if (!err)
        return -1;
    va_start(arguments, format);
    format_cut(message, sizeof(message), format, arguments);
    va_end(arguments);
    append_cut(message, sizeof(message), ": ");
    append_cut(message, sizeof(message), err->message);
    memcpy(err->message, message, sizeof(message));
    return -1;
}

int romsim_error_hint(struct romsim_error *err, const char *format, ...)
{
    char hint[sizeof(err->hint)]; /* the arguments may point into *err */
    va_list arguments;

    if (!err)
        return -1;
    va_start(arguments, format);
    format_cut(hint, sizeof(hint), format, arguments);
    va_end(arguments);
    memcpy(err->hint, hint, sizeof(hint));
    return -1;
}

int romsim_error_rule(struct romsim_error *err, enum romsim_rule rule)
{
    if (err)
        err->rule = rule;
    return -1;
}

char *romsim_error_text(const struct romsim_error *err)
{
    char *text;
    int size = *err->hint ? asprintf(&text, "%s (%s)", err->message, err->hint)
                          : asprintf(&text, "%s", err->message);

    return size < 0 ? NULL : text;
}

int romsim_error_nomem(struct romsim_error *err)
{
    return romsim_error_set(err, ENOMEM, "out of memory");
}

void romsim_diagnostics_add(struct romsim_diagnostics *diagnostics,
                            const struct romsim_error *error, int is_warning)
{
    struct romsim_diagnostic *entries;

    if (is_warning)
        diagnostics->warnings++;
    else
        diagnostics->errors++;
    if (diagnostics->count >= ROMSIM_DIAGNOSTICS_MAX)
        return;
    entries = reallocarray(diagnostics->entries, diagnostics->count + 1, sizeof(*entries));
    if (!entries)
        return;
    entries[diagnostics->count++] =
        (struct romsim_diagnostic){.is_warning = is_warning, .error = *error};
    diagnostics->entries = entries;
}

static int compare_places(const void *left, const void *right)
{
    const struct romsim_place *a = &((const struct romsim_diagnostic *)left)->error.place;
    const struct romsim_place *b = &((const struct romsim_diagnostic *)right)->error.place;

    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    return a->column < b->column ? -1 : a->column > b->column;
}

/* glibc's qsort() is a merge sort when it has the memory, and so keeps the order of equals. */
void romsim_diagnostics_sort(struct romsim_diagnostics *diagnostics, size_t first)
{
    if (diagnostics->count > first)
        qsort(diagnostics->entries + first, diagnostics->count - first,
              sizeof(*diagnostics->entries), compare_places);
}

void romsim_diagnostics_clear(struct romsim_diagnostics *diagnostics)
{
    if (!diagnostics)
        return;
    free(diagnostics->entries);
    *diagnostics = (struct romsim_diagnostics){0};
}
