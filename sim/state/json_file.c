/* SPDX-License-Identifier: BSD-3-Clause */
/* json_file.c: JSON values as files of romsim's own folders. */
#include "json_file.h"

#include <romsim/buffer.h>
#include <romsim/cleanup.h>
#include <romsim/file.h>
#include <romsim/paths.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>

json_t *json_file_load(const char *directory, const char *name, size_t maximum,
                       struct romsim_error *err)
{
    CLEANUP_FREE char *path = romsim_path_join(directory, name);
    CLEANUP_FD int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(maximum);
    json_t *value;

    if (!path) {
        romsim_error_nomem(err);
        return NULL;
    }
    if (fd < 0 || romsim_buffer_read_fd(&text, fd) < 0) {
        romsim_error_system(err, text.failed ? text.failed : errno, "cannot read '%s'",
                            QUOTE(path));
        return NULL;
    }
    value = json_loadb(text.data ? text.data : "", text.size, 0, NULL);
    if (!value)
        romsim_error_set(err, EUCLEAN, "'%s' is damaged", QUOTE(path));
    return value;
}

int json_file_save(const char *directory, const char *name, json_t *value, struct romsim_error *err)
{
    CLEANUP_FREE char *path = romsim_path_join(directory, name);
    CLEANUP_FREE char *text = value ? json_dumps(value, JSON_INDENT(2)) : NULL;

    json_decref(value);
    if (!path || !text)
        return romsim_error_nomem(err);
    return romsim_file_replace(path, text, strlen(text), err);
}
