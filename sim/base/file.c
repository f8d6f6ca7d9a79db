/* SPDX-License-Identifier: BSD-3-Clause */
/* file.c: reading, writing and copying files. */
#include <romsim/file.h>

#include <romsim/checked.h>
#include <romsim/cleanup.h>
#include <romsim/paths.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COPY_CHUNK = 1 << 20, SPARSE_BLOCK = 4096 };

int romsim_read_fully(int fd, void *buffer, size_t size, uint64_t offset)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = pread(fd, (char *)buffer + done, size - done, (off_t)(offset + done));

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? errno : ENODATA;
        done += (size_t)got;
    }
    return 0;
}

int romsim_write_fully(int fd, const void *buffer, size_t size, uint64_t offset)
{
    for (size_t done = 0; done < size;) {
        ssize_t put = pwrite(fd, (const char *)buffer + done, size - done, (off_t)(offset + done));

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return put < 0 ? errno : EIO;
        done += (size_t)put;
    }
    return 0;
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

/* Where the next block of the file begins, at most at `size`. */
static size_t block_end(size_t at, size_t size, uint64_t offset)
{
    return at + (size_t)min_u64(size - at, SPARSE_BLOCK - (offset + at) % SPARSE_BLOCK);
}

int romsim_write_sparsely(int fd, const void *bytes, size_t size, uint64_t offset)
{
    const uint8_t *data = bytes;

    for (size_t at = 0, end; at < size; at = end) {
        size_t start = at;
        int errnum;

        end = block_end(at, size, offset);
        if (is_zero(data + at, end - at))
            continue;
        for (; end < size; end = at) { /* the blocks behind it that are no zeros either */
            at = block_end(end, size, offset);
            if (is_zero(data + end, at - end))
                break;
        }
        errnum = romsim_write_fully(fd, data + start, end - start, offset + start);
        if (errnum != 0)
            return errnum;
    }
    return 0;
}

static int copy_by_buffer(int from, uint64_t from_offset, int to, uint64_t to_offset,
                          uint64_t length)
{
    CLEANUP_FREE char *chunk = malloc(COPY_CHUNK);

    if (!chunk)
        return ENOMEM;
    for (uint64_t done = 0; done < length;) {
        size_t size = (size_t)min_u64(length - done, COPY_CHUNK);
        int errnum = romsim_read_fully(from, chunk, size, from_offset + done);

        if (errnum == 0)
            errnum = romsim_write_fully(to, chunk, size, to_offset + done);
        if (errnum != 0)
            return errnum;
        done += size;
    }
    return 0;
}

/* Errors by which the kernel says that it cannot copy between these two, not that the copy
 * failed. */
static int cannot_copy_inside(int errnum)
{
    return errnum == EXDEV || errnum == EINVAL || errnum == ENOSYS || errnum == EOPNOTSUPP ||
           errnum == EPERM || errnum == ETXTBSY;
}

static int copy_range(int from, uint64_t from_offset, int to, uint64_t to_offset, uint64_t length)
{
    off_t in = (off_t)from_offset, out = (off_t)to_offset;
    uint64_t left = length;

    while (left > 0) {
        ssize_t copied = copy_file_range(from, &in, to, &out, min_u64(left, 1 << 30), 0);

        if (copied < 0 && errno == EINTR)
            continue;
        /* Some file systems (procfs, FUSE) answer 0 where read() has data: read() decides. */
        if (copied == 0 || (copied < 0 && cannot_copy_inside(errno)))
            return copy_by_buffer(from, (uint64_t)in, to, (uint64_t)out, left);
        if (copied < 0)
            return errno;
        left -= (uint64_t)copied;
    }
    return 0;
}

bool romsim_next_data(int fd, uint64_t offset, uint64_t end, uint64_t *ret_start, uint64_t *ret_end)
{
    off_t data, hole;

    if (offset >= end)
        return false;
    data = lseek(fd, (off_t)offset, SEEK_DATA);
    if (data < 0 && errno == ENXIO)
        return false;
    if (data < 0) /* a file system without holes */
        data = (off_t)offset;
    if ((uint64_t)data >= end)
        return false;
    hole = lseek(fd, data, SEEK_HOLE);
    if (hole <= data || (uint64_t)hole > end)
        hole = (off_t)end;
    *ret_start = (uint64_t)data;
    *ret_end = (uint64_t)hole;
    return true;
}

int romsim_copy_data(int from, uint64_t from_offset, int to, uint64_t to_offset, uint64_t length)
{
    uint64_t end = from_offset + length, start, stop;

    for (uint64_t at = from_offset; romsim_next_data(from, at, end, &start, &stop); at = stop) {
        int errnum = copy_range(from, start, to, to_offset + (start - from_offset), stop - start);

        if (errnum != 0)
            return errnum;
    }
    return 0;
}

/* The folder that a regular file is in; of one that has no name (any more) what the kernel shows:
 * "/a/b/#123 (deleted)".  False for one in memory. */
static bool folder_of(int fd, char ret[PATH_MAX])
{
    struct stat st;
    char link[64];
    ssize_t size;
    char *slash;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    size = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? readlink(link, ret, PATH_MAX - 1) : 0;
    ret[size > 0 ? size : 0] = '\0';
    slash = strrchr(ret, '/');
    if (!slash || strncmp(ret, "/memfd:", 7) == 0)
        return false;
    *slash = '\0';
    return true;
}

static bool is_in_cache(const char *folder)
{
    CLEANUP_FREE char *cache = romsim_path_cache("", NULL);

    return cache && strncmp(folder, cache, strlen(cache)) == 0;
}

int romsim_error_write(struct romsim_error *err, int errnum, int fd, const char *what)
{
    bool is_full = errnum == ENOSPC || errnum == EDQUOT;
    char folder[PATH_MAX];

    if (!is_full || !folder_of(fd, folder))
        return romsim_error_system(err, errnum, "cannot %s", what);
    romsim_error_system(err, errnum, "cannot %s in '%s'", what, QUOTE(folder));
    return romsim_error_hint(err, is_in_cache(folder)
                                      ? "make room there, or let XDG_CACHE_HOME name a folder on a "
                                        "larger disk"
                                      : "make room there");
}

/* Writes a whole new file.  Returns 0, or an errno. */
static int write_file(const char *path, const void *bytes, size_t size)
{
    CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    int errnum = fd < 0 ? errno : romsim_write_fully(fd, bytes, size, 0);

    if (errnum != 0)
        return errnum;
    return close(steal_fd(&fd)) < 0 ? errno : 0;
}

int romsim_file_replace(const char *path, const void *bytes, size_t size, struct romsim_error *err)
{
    char *made = NULL;
    int errnum = asprintf(&made, "%s.%d", path, (int)getpid()) < 0 ? ENOMEM : 0;
    CLEANUP_FREE char *draft = errnum == 0 ? made : NULL;

    if (!draft)
        return romsim_error_nomem(err);
    errnum = write_file(draft, bytes, size);
    if (errnum == 0 && rename(draft, path) < 0)
        errnum = errno;
    if (errnum == 0)
        return 0;
    unlink(draft);
    return romsim_error_system(err, errnum, "cannot write '%s'", QUOTE(path));
}
