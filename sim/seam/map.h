/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * map.h: what the bytes of an image are: of a read of the device one learns what was read.
 *
 * Made once from a walk over the whole image.  Ranges do not overlap: what two files share is the
 * first one's.  Of a damaged image it has what can be reached, and an image that is no EROFS has an
 * empty one.
 */
#ifndef ROMSIM_SEAM_MAP_H
#define ROMSIM_SEAM_MAP_H

#include <romsim/blob.h>
#include <romsim/error.h>
#include <romsim/vector.h>

#include <stdint.h>

enum map_kind {
    MAP_KIND_SUPERBLOCK,
    MAP_KIND_INODE,
    MAP_KIND_DIRECTORY,
    MAP_KIND_LINK,
    MAP_KIND_FILE
};

struct map_file {
    char *path; /* in the image; owned */
    uint64_t nid;
    uint64_t size;
    uint32_t mode;
};

struct map_range {
    uint64_t offset, size;  /* in the image */
    uint64_t start, length; /* in the file, of MAP_KIND_FILE, MAP_KIND_DIRECTORY and MAP_KIND_LINK;
                               the length is another one than `size` if it is compressed */
    size_t file;            /* its place in `files` */
    enum map_kind kind;
};

DEFINE_VECTOR(map_files, struct map_file);
DEFINE_VECTOR(map_ranges, struct map_range);

struct map {
    struct map_files files;   /* in the order of the walk, */
    size_t *by_nid;           /* and their places, by nid */
    struct map_ranges ranges; /* by offset */
};

/* NULL without memory only. */
struct map *map_new(struct romsim_blob *image, struct romsim_error *err);
void map_free(struct map *map);

/* "superblock", "inode", ... */
const char *map_kind_name(enum map_kind kind);

/* The path of a nid, or NULL. */
const struct map_file *map_file(const struct map *map, uint64_t nid);

/*
 * The first range that has a byte in [offset, end), cut to that: 1, or 0 if there is none.  Of what
 * is not compressed `start` and `length` are cut, too.  Go on at the offset behind it.
 */
int map_find(const struct map *map, uint64_t offset, uint64_t end, struct map_range *ret);

#endif
