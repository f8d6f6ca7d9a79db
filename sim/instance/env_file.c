/* SPDX-License-Identifier: BSD-3-Clause */
/* env_file.c: variables from a file, by docker's rules for --env-file. */
#include "model.h"

#include <romsim/buffer.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Linux takes no more for the arguments and the environment of a process on its usual stack. */
enum { FILE_BYTES_MAX = 2 << 20, VARIABLES_MAX = 10000 };

static const char blanks[] = " \t";

struct env_file {
    struct romsim_instance *instance;
    const char *path;
    unsigned line;
    size_t count;
    struct romsim_diagnostics *diagnostics;
};

static void complain(const struct env_file *file, struct romsim_error *error)
{
    snprintf(error->place.file, sizeof(error->place.file), "%s", file->path);
    error->place.line = file->line;
    error->place.column = 1;
    romsim_diagnostics_add(file->diagnostics, error, 0);
}

/* A line without its end, and with NUL behind it. */
static void read_line(struct env_file *file, const char *line, size_t size)
{
    size_t name_size;
    struct romsim_error error;

    if (memchr(line, '\0', size) || !romsim_utf8_is_valid(line, size)) {
        romsim_error_set(&error, EINVAL, "the line is no text: it is not UTF-8, or has a NUL");
        complain(file, &error);
        return;
    }
    line += strspn(line, blanks);
    if (*line == '\0' || *line == '#')
        return;
    name_size = strcspn(line, "=");
    if (strncmp(line, "export ", strlen("export ")) == 0) {
        romsim_error_set(&error, EINVAL, "'export' is for a shell");
        romsim_error_hint(&error, "NAME=VALUE");
    } else if (name_size == 0) {
        romsim_error_set(&error, EINVAL, "there is no name before the '='");
    } else if (strcspn(line, blanks) < name_size) {
        romsim_error_set(&error, EINVAL, "the variable '%s' has a blank in its name",
                         romsim_text_quote(line, name_size, (char[256]){0}, 256));
        romsim_error_hint(&error, "NAME=VALUE, without blanks around the '='");
    } else if (!line[name_size] && !getenv(line)) {
        return;
    } else if (++file->count > VARIABLES_MAX) {
        romsim_error_set(&error, E2BIG, "too many variables: more than %d", VARIABLES_MAX);
    } else if (romsim_instance_add_env(file->instance, line, &error) == 0) {
        return;
    }
    complain(file, &error);
}

static void read_lines(struct env_file *file, char *text, size_t size)
{
    static const char mark[] = "\xef\xbb\xbf"; /* what some editors begin with */
    char *end = text + size;

    if (size >= strlen(mark) && memcmp(text, mark, strlen(mark)) == 0)
        text += strlen(mark);
    while (text < end && file->count <= VARIABLES_MAX) {
        char *newline = memchr(text, '\n', (size_t)(end - text)) ?: end;
        char *last = newline > text && newline[-1] == '\r' ? newline - 1 : newline;

        file->line++;
        *last = '\0';
        read_line(file, text, (size_t)(last - text));
        text = newline + 1;
    }
}

int romsim_instance_add_env_file(struct romsim_instance *instance, const char *path,
                                 struct romsim_diagnostics *diagnostics)
{
    struct env_file file = {.instance = instance, .path = path, .diagnostics = diagnostics};
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(FILE_BYTES_MAX);
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t errors = diagnostics->errors;
    struct romsim_error error;

    if (fd < 0 || romsim_buffer_read_fd(&text, fd) < 0) {
        int errnum = fd < 0 ? errno : text.failed;

        if (errnum == EFBIG)
            romsim_error_set(&error, errnum, "'%s' has more than %d bytes", QUOTE(path),
                             FILE_BYTES_MAX);
        else
            romsim_error_system(&error, errnum, "'%s' cannot be read", QUOTE(path));
        romsim_error_context(&error, "--env-file");
        romsim_diagnostics_add(diagnostics, &error, 0);
        return -1;
    }
    if (text.size > 0)
        read_lines(&file, text.data, text.size);
    return diagnostics->errors == errors ? 0 : -1;
}
