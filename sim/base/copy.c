/* SPDX-License-Identifier: BSD-3-Clause */
/* copy.c: copying between files. */
#include "sim/base/copy.h"

#include <romsim/checked.h>
#include <romsim/cleanup.h>

#include <errno.h>
#include <unistd.h>

enum { COPY_CHUNK = 1 << 20 };

int read_fully(int fd, void *buffer, size_t size, uint64_t offset)
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

int write_fully(int fd, const void *buffer, size_t size, uint64_t offset)
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
        int errnum = read_fully(from, chunk, size, from_offset + done);

        if (errnum == 0)
            errnum = write_fully(to, chunk, size, to_offset + done);
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

int copy_range(int from, uint64_t from_offset, int to, uint64_t to_offset, uint64_t length)
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
