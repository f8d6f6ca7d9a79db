/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * view.h: a layout as one tree of nodes, without FUSE.
 *
 * Theory of operation.  Almost all of the tree is in EROFS images already, so a node is no object
 * but a number that is worked out from where it is, and nothing is kept about it:
 *
 *     51       44  43  42                       0
 *     [ image   ]  [M] [ nid                    ]   image = its slot, from 1; M: nid is in the
 * metabox [ 0       ]      [ place in the overlay   ]   what the view adds; 1 is the root
 *
 * Numbers stay below 2^53, so that programs which keep an inode number in a double do not mix files
 * up.  Hard links have one number because they have one nid.
 *
 * The overlay is the small rest that no image has: dev/ with the device files, the directories on
 * the way to each mount point and to the app's working directory, and the root.  Such a directory
 * shows its own children and, under them, what the image's directory of the same path (its base)
 * holds.  A ROM mounted at `at` is a child whose number is the ROM's root.
 *
 * What the guest's kernel and init put over the image is shown as the guest has it: dev/ hides the
 * image's own /dev (a devtmpfs does so there), and has the ROM devices only.  /proc and /sys are
 * as in the image: what the guest mounts there is not the instance's content.  The root, and a ROM
 * in which a mount point had to be made, are the lower layer of an overlayfs in the guest: its
 * whiteouts (character devices 0:0) and its xattrs are not there.
 *
 * A view is immutable: all functions may be called by many threads at once.  Errors: EUCLEAN for
 * a damaged image, else what the reader says; a number that cannot be is ESTALE.
 */
#ifndef ROMSIM_VIEW_H
#define ROMSIM_VIEW_H

#include <romsim/erofs.h>
#include <romsim/error.h>
#include <romsim/layout.h>

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>

enum { ROMSIM_VIEW_ROOT = 1 };

/* What a name in a damaged directory may lead to: no node has this number. */
#define ROMSIM_VIEW_NOWHERE ((UINT64_C(1) << 52) - 1)

struct romsim_view;

/* The view of a layout, or of its dev/ alone.  Mounts whose ROM is no EROFS image are left out
 * (the layout's warnings say so).  Takes references to the blobs and does not need the layout any
 * more.  NULL on failure: a ROM's image that cannot be read, an `at` on something that is no
 * directory. */
struct romsim_view *romsim_view_new(const struct romsim_layout *layout, bool drives_only,
                                    struct romsim_error *err);

/* Accepts NULL. */
void romsim_view_free(struct romsim_view *view);

DEFINE_CLEANUP(struct romsim_view, romsim_view_free)

/* Attributes, st_dev apart.  Returns 0 or -1. */
int romsim_view_stat(struct romsim_view *view, uint64_t node, struct stat *ret,
                     struct romsim_error *err);

/* The node of a name in a directory.  Returns 1, 0 if there is none, or -1. */
int romsim_view_lookup(struct romsim_view *view, uint64_t directory, const char *name,
                       uint64_t *ret_node, struct romsim_error *err);

/* The place in the layout's devices of the one whose image a node is in, or was made in;
 * ROMSIM_VIEW_NO_DEVICE for what is in none.  And its name, "ukp_rom3"; or NULL. */
#define ROMSIM_VIEW_NO_DEVICE SIZE_MAX
size_t romsim_view_device(const struct romsim_view *view, uint64_t node);
const char *romsim_view_device_name(const struct romsim_view *view, uint64_t node);

/* The nid of a node in its image.  False: it is a device file, or a directory that no image has. */
bool romsim_view_nid(const struct romsim_view *view, uint64_t node, uint64_t *ret);

struct romsim_view_entry {
    uint64_t node;    /* or ROMSIM_VIEW_NOWHERE */
    const char *name; /* not NUL-terminated; valid until `scratch` is used again */
    size_t name_size;
    mode_t type; /* S_IFREG, ..., as the directory says; 0 if it does not */
    bool is_dot; /* "." or ".." */
};

/*
 * The entry of a directory at `cursor` and the cursor behind it: 0 starts, with "." and "..";
 * any value is safe.  `scratch` has ROMSIM_EROFS_BLOCK_MAX bytes.  Returns 1, 0 at the end, or -1.
 */
int romsim_view_readdir(struct romsim_view *view, uint64_t directory, uint64_t cursor,
                        uint64_t *ret_cursor, struct romsim_view_entry *ret, void *scratch,
                        struct romsim_error *err);

/* A symlink's target, malloc'ed; NULL on failure, EINVAL if it is no symlink. */
char *romsim_view_readlink(struct romsim_view *view, uint64_t node, struct romsim_error *err);

/* Bytes of a file: pieces of the images where they stand there as they are, else of a buffer. */
enum { ROMSIM_VIEW_PIECES_MAX = 16 };

struct romsim_view_data {
    struct iovec pieces[ROMSIM_VIEW_PIECES_MAX];
    int count;
    size_t size; /* of all pieces */
    void *buffer;
};

/* Reads up to `size` bytes at `offset` of a regular file; fewer only at its end.  Returns 0 or -1;
 * after a 0 the caller gives *ret back with romsim_view_data_release(). */
int romsim_view_read(struct romsim_view *view, uint64_t node, uint64_t offset, size_t size,
                     struct romsim_view_data *ret, struct romsim_error *err);
void romsim_view_data_release(struct romsim_view_data *data);

/* The xattrs of a node one by one, as romsim_erofs_xattr().  Returns 1, 0 after the last, or -1. */
int romsim_view_xattr(struct romsim_view *view, uint64_t node, uint64_t *cursor,
                      struct romsim_xattr *ret, struct romsim_error *err);

/* The sizes of the image that a node is in, as the kernel's EROFS gives them, with no file left
 * free instead of a huge number of them. */
int romsim_view_statfs(struct romsim_view *view, uint64_t node, struct statvfs *ret,
                       struct romsim_error *err);

#endif
