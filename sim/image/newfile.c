/* SPDX-License-Identifier: BSD-3-Clause */
/* newfile.c: files that are there as a whole or not at all. */
#include "sim/image/newfile.h"

#include <romsim/file.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { NEWFILE_MODE = 0666, NEWFILE_TRIES = 1000, PIECE = 1 << 20 };

static void temporary_name(char ret[40], unsigned number)
{
    snprintf(ret, 40, ".new-%d-%u", (int)getpid(), number);
}

/* Makes a file with a name that is not there yet. */
static int open_named(struct newfile *file)
{
    for (unsigned i = 0; i < NEWFILE_TRIES; i++) {
        temporary_name(file->temporary, i);
        file->fd = openat(file->folder, file->temporary,
                          O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, NEWFILE_MODE);
        if (file->fd >= 0 || errno != EEXIST)
            break;
    }
    return file->fd < 0 ? -1 : 0;
}

bool newfile_is_there(int folder, const char *name, uint64_t size, const char *digest)
{
    CLEANUP_FD int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    CLEANUP_FREE uint8_t *piece = malloc(PIECE);
    char found[ROMSIM_DIGEST_SIZE] = "";
    struct romsim_digest *running;
    ssize_t got = -1;
    struct stat st;

    if (!piece || fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
        (uint64_t)st.st_size != size)
        return false;
    running = romsim_digest_new(digest);
    while (running && ((got = read(fd, piece, PIECE)) > 0 || (got < 0 && errno == EINTR)))
        if (got > 0)
            romsim_digest_update(running, piece, (size_t)got);
    if (running && got == 0)
        romsim_digest_final(running, found);
    romsim_digest_free(running);
    return strcmp(found, digest) == 0;
}

int newfile_open(int folder, const char *folder_name, struct newfile *ret, struct romsim_error *err)
{
    struct newfile file = {.folder = folder, .folder_name = folder_name};

    file.fd = openat(folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, NEWFILE_MODE);
    if (file.fd < 0 && open_named(&file) < 0)
        return romsim_error_system(err, errno, "cannot write to '%s'", QUOTE(folder_name));
    *ret = file;
    return 0;
}

/* link() does not replace, rename() does: so the file gets a name for a moment. */
static int give_temporary_name(struct newfile *file)
{
    char source[40];

    snprintf(source, sizeof(source), "/proc/self/fd/%d", file->fd);
    for (unsigned i = 0; i < NEWFILE_TRIES; i++) {
        temporary_name(file->temporary, i);
        if (linkat(AT_FDCWD, source, file->folder, file->temporary, AT_SYMLINK_FOLLOW) == 0)
            return 0;
        if (errno != EEXIST)
            break;
    }
    file->temporary[0] = '\0';
    return -1;
}

int newfile_keep(struct newfile *file, const char *name, struct romsim_error *err)
{
    if ((!file->temporary[0] && give_temporary_name(file) < 0) ||
        renameat(file->folder, file->temporary, file->folder, name) < 0)
        return romsim_error_system(err, errno, "cannot write '%s'", QUOTE(name));
    file->temporary[0] = '\0';
    return 0;
}

void newfile_close(struct newfile *file)
{
    if (file->fd < 0)
        return;
    if (file->temporary[0])
        unlinkat(file->folder, file->temporary, 0);
    close(file->fd);
    *file = NEWFILE_NONE;
}

static int fail_to_write(const struct newfile *file, int errnum, struct romsim_error *err)
{
    return romsim_error_system(err, errnum, "cannot write to '%s'", QUOTE(file->folder_name));
}

int newfile_write(const struct newfile *file, const void *bytes, size_t size, uint64_t offset,
                  struct romsim_error *err)
{
    int errnum = romsim_write_fully(file->fd, bytes, size, offset);

    return errnum == 0 ? 0 : fail_to_write(file, errnum, err);
}

int newfile_write_blob(const struct newfile *file, const struct romsim_blob *blob, uint64_t offset,
                       struct romsim_error *err)
{
    int errnum = romsim_blob_copy(blob, file->fd, offset);

    return errnum == 0 ? 0 : fail_to_write(file, errnum, err);
}
