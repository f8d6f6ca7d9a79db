/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cpio_read.h: the members of cpio archives: newc and its form with checksums (Linux,
 * Documentation/driver-api/early-userspace/buffer-format.rst), odc (POSIX.1-2001, pax) and the
 * binary form of both byte orders.
 *
 * As Linux takes them, archives may stand behind each other, zeros between them do not count, and
 * a trailer may be missing.
 */
#ifndef ROMSIM_IMAGE_CPIO_READ_H
#define ROMSIM_IMAGE_CPIO_READ_H

#include "sim/image/entry.h"

enum { CPIO_HEADER_MAX = 110 };

struct cpio_member {
    uint64_t ino, mode, uid, gid, links, mtime;
    uint64_t dev_major, dev_minor, rdev_major, rdev_minor;
    const char *name; /* inside the archive's bytes */
    uint64_t data, size;
    bool is_trailer; /* an archive ends here: its hard links are complete */
};

struct cpio_cursor {
    const uint8_t *bytes;
    uint64_t size, offset; /* of the next member */
};

/* The next member, and the cursor behind it.  Returns 1; 0 where no member begins, at the end or
 * in front of something else; or -1 (EUCLEAN). */
int cpio_next(struct cpio_cursor *cursor, struct cpio_member *ret, struct romsim_error *err);

/* Shows all entries of a blob to `visit`.  What follows the archives and is no zero is EUCLEAN. */
int cpio_read(struct romsim_blob *blob, const char *name, entry_visitor *visit, void *context,
              struct romsim_error *err);

#endif
