/* SPDX-License-Identifier: BSD-3-Clause */
/* overlay.h: what the files of the view share (view.h has the theory). */
#ifndef ROMSIM_LAYOUT_OVERLAY_H
#define ROMSIM_LAYOUT_OVERLAY_H

#include <romsim/view.h>

#include <romsim/vector.h>

/* A name in an overlay directory. */
struct overlay_child {
    char *name; /* owned */
    uint64_t node;
    bool hides; /* the base has this name, too */
};

DEFINE_VECTOR(overlay_children, struct overlay_child);

/* The image of a device, in the slot of its number.  Slot 0 is nobody's. */
struct view_image {
    struct romsim_erofs *erofs;         /* NULL: not opened */
    char name[ROMSIM_DEVICE_NAME_SIZE]; /* the device's */
    size_t place;                       /* in the layout's devices */
    bool is_rom;

    /* Is it the lower layer of an overlay in the guest?  The root is; a ROM is if a mount point was
     * made in it.  While the mounts are made, a ROM's are noted in `is_layered_later`: the guest
     * looks for mount points before it makes the overlay. */
    bool is_layered, is_layered_later;
};

/* A directory, or (with a blob) a device file. */
struct overlay {
    uint64_t node, parent;
    struct romsim_erofs *base_image; /* of a directory; NULL: without a base */
    unsigned slot;                   /* of the image that it is in, or is made in */
    struct romsim_erofs_inode base;
    struct overlay_children children;
    struct romsim_blob *blob; /* of a device file; a reference, owned */
    unsigned names;           /* of a device file */
};

DEFINE_VECTOR(overlays, struct overlay *);

struct romsim_view {
    struct overlays overlays; /* a node's place is its number */
    struct view_image *images;
    unsigned slots;
    char *etc; /* where the platform writes its files, without links; or NULL */
};

/* A node's number, taken apart.  Exactly one of overlay and image is set, both for an overlay
 * directory with a base. */
struct view_node {
    uint64_t number;
    const struct overlay *overlay;
    struct romsim_erofs *image;
    unsigned slot; /* of the image */
    struct romsim_erofs_inode inode;
};

/* Takes a number apart and reads the inode.  Returns 0 or -1. */
int view_get(struct romsim_view *view, uint64_t number, struct view_node *ret,
             struct romsim_error *err);

/* The number of an inode.  Returns 0, or -1 with EUCLEAN for a nid that no image can have. */
int view_number(unsigned slot, uint64_t nid, uint64_t *ret, struct romsim_error *err);

/* The image that a node is in, or was made in. */
const struct view_image *view_image_of(const struct romsim_view *view, uint64_t node);

/* The child of that name, or NULL. */
struct overlay_child *overlay_find(const struct overlay *overlay, const char *name,
                                   size_t name_size);

/* ---- overlay.c -------------------------------------------------------------------------- */

/* Fills an empty view from a layout: its root and its devices. */
int overlay_start(struct romsim_view *view, const struct romsim_layout *layout, bool drives_only,
                  struct romsim_error *err);

/* Makes mount `index` of the layout; they come one after the other.  Returns 1 and (if not NULL)
 * the path without links where it is, malloc'ed; 0 if the ROM has nothing that could be mounted; or
 * -1. */
int overlay_mount(struct romsim_view *view, const struct romsim_layout *layout, size_t index,
                  char **ret_target, struct romsim_error *err);

/* Makes a directory and its parents as init's `mkdir -p` does, after the mounts.  Returns 1, 0 if
 * it is there, or is in what the guest's kernel mounts, or -1: there is a file on the way, a ROM,
 * which is read-only (EROFS), or a link to nowhere. */
int overlay_make_directory(struct romsim_view *view, const char *path, struct romsim_error *err);

/* After the last mount. */
void overlay_finish(struct romsim_view *view);

void overlay_free(struct overlay *overlay);

/* ---- walk.c ----------------------------------------------------------------------------- */

/* A step of a path without links: a name, and its node (0: there is none yet). */
struct step {
    char *name; /* owned */
    uint64_t node;
};

DEFINE_VECTOR(steps, struct step);

void steps_clear(struct steps *steps);
#define CLEANUP_STEPS CLEANUP(steps_clear)

/* "/a/b", malloc'ed; ENAMETOOLONG if no system call takes it. */
char *steps_path(const struct steps *steps, struct romsim_error *err);

enum walk_mode {
    WALK_MAKE, /* as `mkdir -p`: what is missing is made, what is there is a directory */
    WALK_FIND  /* as open(2): all of it is there */
};

/*
 * Turns a path into steps without links, dots or empty names, as the guest finds it.  ENOENT,
 * ENOTDIR, ELOOP, ENAMETOOLONG; EXDEV if it leads into /dev, /proc or /sys, where the guest's
 * kernel has file systems of its own.  Returns 0 or -1.
 */
int walk(struct romsim_view *view, const char *path, enum walk_mode mode, struct steps *ret,
         struct romsim_error *err);

#endif
