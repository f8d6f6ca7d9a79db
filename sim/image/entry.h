/* SPDX-License-Identifier: BSD-3-Clause */
/* entry.h: what archives of any form say about one name, and how it gets into a tree. */
#ifndef ROMSIM_IMAGE_ENTRY_H
#define ROMSIM_IMAGE_ENTRY_H

#include <romsim/tree.h>

#include <stdbool.h>

struct entry_xattr {
    const char *name;
    const void *value;
    size_t size;
};

/* All that it points to belongs to the reader. */
struct entry {
    const char *path;   /* as it stands in the archive */
    const char *link;   /* of a hard link: the name of an entry before it; else NULL */
    const char *target; /* of a symbolic link */
    uint32_t mode;
    int64_t uid, gid, mtime;
    uint32_t mtime_nsec;
    uint32_t rdev_major, rdev_minor;
    const struct entry_xattr *xattrs;
    size_t xattr_count;
    bool lost_acl; /* it has an ACL that cannot be an xattr */
    /* A regular file's data; a hard link may have some, too. */
    uint64_t size;
    struct romsim_blob *blob;
    const struct romsim_extent *extents;
    size_t extent_count;
};

typedef int entry_visitor(void *context, const struct entry *entry, struct romsim_error *err);

/* Puts an entry into the tree: names are resolved in the tree, what had the name is replaced, and
 * a directory over a directory keeps what is in it.  Returns 0 or -1. */
int entry_place(struct romsim_tree *tree, const struct entry *entry, struct romsim_error *err);

#endif
