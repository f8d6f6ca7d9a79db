/* SPDX-License-Identifier: BSD-3-Clause */
/* overlay.h: what the files of the view share (view.h has the theory). */
#ifndef ROMSIM_FUSE_OVERLAY_H
#define ROMSIM_FUSE_OVERLAY_H

#include "view.h"

#include <romsim/vector.h>

/* A name in an overlay directory. */
struct overlay_child {
    char *name; /* owned */
    uint64_t node;
    bool hides; /* the base has this name, too */
};

DEFINE_VECTOR(overlay_children, struct overlay_child);

/* A directory, or (with a blob) a device file. */
struct overlay {
    uint64_t node, parent;
    struct romsim_erofs *base_image; /* of a directory; NULL: without a base */
    unsigned base_index;             /* of the base's image in the view */
    struct romsim_erofs_inode base;
    struct overlay_children children;
    struct romsim_blob *blob; /* of a device file; a reference, owned */
    unsigned names;           /* of a device file */
};

DEFINE_VECTOR(overlays, struct overlay *);

struct view {
    struct overlays overlays;     /* a node's place is its number */
    struct romsim_erofs **images; /* by device index; NULL: not opened */
    size_t image_count;
};

/* A node's number, taken apart.  Exactly one of overlay and image is set, both for an overlay
 * directory with a base. */
struct view_node {
    uint64_t number;
    const struct overlay *overlay;
    struct romsim_erofs *image;
    unsigned index; /* of the image */
    struct romsim_erofs_inode inode;
};

/* Takes a number apart and reads the inode.  Returns 0 or -1. */
int view_get(struct view *view, uint64_t number, struct view_node *ret, struct romsim_error *err);

/* The number of an inode.  Returns 0, or -1 with EUCLEAN for a nid that no image can have. */
int view_number(unsigned index, uint64_t nid, uint64_t *ret, struct romsim_error *err);

/* The child of that name, or NULL. */
struct overlay_child *overlay_find(const struct overlay *overlay, const char *name,
                                   size_t name_size);

/* Fills an empty view from a layout (overlay.c).  Returns 0 or -1. */
int overlay_build(struct view *view, const struct romsim_layout *layout, bool drives_only,
                  struct romsim_error *err);
void overlay_free(struct overlay *overlay);

#endif
