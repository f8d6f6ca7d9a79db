/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * parts.h: several blobs, each with a name, as one file: a tar archive, compressed with zstd.
 *
 * Writing gives the same bytes for the same parts on every host (and the same libzstd): the entries
 * in the order of the list, root:root 0644, time 0, no folders.  Reading takes what GNU tar and
 * others make of the same files, too, and nothing is ever written to a path: a part is a range of
 * the decompressed archive.
 *
 * Not thread-safe.
 */
#ifndef ROMSIM_PARTS_H
#define ROMSIM_PARTS_H

#include <romsim/blob.h>

#include <stddef.h>

enum {
    ROMSIM_PARTS_MAX = 256,    /* of an archive */
    ROMSIM_PART_NAME_MAX = 100 /* bytes of a name */
};

struct romsim_part {
    char *name;               /* "roms/code.erofs"; owned */
    struct romsim_blob *blob; /* owned: a reference */
};

/* Zero-initialised it is empty and ready. */
struct romsim_parts {
    struct romsim_part *items;
    size_t count;
};

void romsim_parts_clear(struct romsim_parts *parts);
#define CLEANUP_PARTS CLEANUP(romsim_parts_clear)

/* Is it a name: components of letters, digits, '.', '_', '-', '+', '=' and '@' that do not begin
 * with a dot, with '/' between? */
bool romsim_part_name_is_valid(const char *name);

/* Appends a part; takes a reference of the blob.  EINVAL for what is no name, EEXIST for one that
 * is there already, EFBIG beyond ROMSIM_PARTS_MAX.  Returns 0 or -1. */
int romsim_parts_add(struct romsim_parts *parts, const char *name, struct romsim_blob *blob,
                     struct romsim_error *err);

/* The part of that name, or NULL. */
struct romsim_blob *romsim_parts_find(const struct romsim_parts *parts, const char *name);

/* Writes the archive into `fd`, an empty file.  Returns 0 or -1. */
int romsim_parts_write(const struct romsim_parts *parts, int fd, struct romsim_error *err);

/*
 * Reads an archive, of which nothing is expected: plain, or compressed by any means that archives
 * may be, within the bound "unpack-bytes".  Folders are passed over; a link, a device, a name that
 * is none or stands there twice is EUCLEAN.  `name` is for messages.  Returns 0 or -1.
 */
int romsim_parts_read(struct romsim_blob *archive, const char *name, struct romsim_parts *ret,
                      struct romsim_error *err);

#endif
