/* SPDX-License-Identifier: BSD-3-Clause */
/* output.c: files that appear whole or not at all. */
#include "sim/cli/output.h"

#include <romsim/file.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int refuse_special(const char *path, struct romsim_error *err)
{
    struct stat st;

    if (lstat(path, &st) < 0 || S_ISREG(st.st_mode) || S_ISLNK(st.st_mode))
        return 0;
    return romsim_error_set(err, EEXIST, "'%s' exists and is no regular file", QUOTE(path));
}

/* "DIR/.NAME.XXXXXX", and DIR in *ret_folder. */
static char *temporary_name(const char *path, char **ret_folder)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    char *temporary = NULL;

    *ret_folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    if (!*ret_folder ||
        asprintf(&temporary, "%.*s.%.200s.XXXXXX", (int)(name - path), path, name) < 0)
        return NULL;
    return temporary;
}

static int open_file(struct output *output, const char *folder)
{
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
        return fd;
    fd = mkostemp(output->temporary, O_CLOEXEC);
    output->is_named = fd >= 0;
    return fd;
}

int output_open(struct output *output, const char *path, struct romsim_error *err)
{
    CLEANUP_FREE char *folder = NULL;

    *output = (struct output){.fd = -1};
    if (refuse_special(path, err) < 0)
        return -1;
    output->path = strdup(path);
    output->temporary = temporary_name(path, &folder);
    if (!output->path || !output->temporary)
        return romsim_error_nomem(err);
    output->fd = open_file(output, folder);
    if (output->fd < 0)
        return romsim_error_system(err, errno, "cannot write '%s'", QUOTE(path));
    return 0;
}

int output_write_blob(struct output *output, const struct romsim_blob *blob,
                      struct romsim_error *err)
{
    int errnum = romsim_blob_copy(blob, output->fd, 0);

    if (errnum != 0)
        return romsim_error_system(err, errnum, "cannot write '%s'", QUOTE(output->path));
    return 0;
}

/* Gives a file without a name its temporary one; tries again where that exists. */
static int link_temporary(struct output *output)
{
    char *suffix = output->temporary + strlen(output->temporary) - 6;
    char file[64];

    snprintf(file, sizeof(file), "/proc/self/fd/%d", output->fd);
    for (unsigned attempt = 0; attempt < 1000; attempt++) {
        snprintf(suffix, 7, "%06x", ((unsigned)getpid() * 1000 + attempt) & 0xFFFFFF);
        if (linkat(AT_FDCWD, file, AT_FDCWD, output->temporary, AT_SYMLINK_FOLLOW) == 0) {
            output->is_named = true;
            return 0;
        }
        if (errno != EEXIST)
            return -1;
    }
    return -1;
}

int output_commit(struct output *output, struct romsim_error *err)
{
    mode_t mask = umask(0);

    umask(mask);
    if (fchmod(output->fd, 0666 & ~mask) < 0 || (!output->is_named && link_temporary(output) < 0) ||
        rename(output->temporary, output->path) < 0)
        return romsim_error_system(err, errno, "cannot write '%s'", QUOTE(output->path));
    output->is_named = false;
    return 0;
}

void output_release(struct output *output)
{
    if (output->is_named)
        unlink(output->temporary);
    cleanup_close_fd(&output->fd);
    free(output->path);
    free(output->temporary);
    *output = (struct output){.fd = -1};
}

int output_save(const char *path, const void *bytes, size_t size, struct romsim_error *err)
{
    CLEANUP_OUTPUT struct output output = {.fd = -1};
    int errnum;

    if (output_open(&output, path, err) < 0)
        return -1;
    errnum = romsim_write_fully(output.fd, bytes, size, 0);
    if (errnum != 0)
        return romsim_error_system(err, errnum, "cannot write '%s'", QUOTE(path));
    return output_commit(&output, err);
}
