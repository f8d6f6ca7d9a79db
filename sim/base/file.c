/* SPDX-License-Identifier: BSD-3-Clause */
/* file.c: reading, writing and copying files. */
#include <romsim/file.h>

#include <romsim/checked.h>
#include <romsim/cleanup.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { COPY_CHUNK = 1 << 20 };

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

int romsim_copy_range(int from, uint64_t from_offset, int to, uint64_t to_offset, uint64_t length)
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

int romsim_copy_data(int from, int to, uint64_t to_offset, uint64_t length)
{
    for (uint64_t offset = 0; offset < length;) {
        off_t data = lseek(from, (off_t)offset, SEEK_DATA);
        off_t hole;
        int errnum;

        if (data < 0 && errno == ENXIO)
            return 0;
        if (data < 0) /* a file system without holes */
            data = (off_t)offset;
        if ((uint64_t)data >= length)
            return 0;
        hole = lseek(from, data, SEEK_HOLE);
        if (hole <= data || (uint64_t)hole > length)
            hole = (off_t)length;
        errnum = romsim_copy_range(from, (uint64_t)data, to, to_offset + (uint64_t)data,
                                   (uint64_t)(hole - data));
        if (errnum != 0)
            return errnum;
        offset = (uint64_t)hole;
    }
    return 0;
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
