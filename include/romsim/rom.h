/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rom.h: looking into EROFS images: a path to an inode, walks past what is damaged, listings, and
 * how much an image unfolds to.  rom_diff.h compares two images, rom_extract.h unpacks one.
 *
 * Everything here returns data and prints nothing.  Damage is no failure: it is counted and told to
 * who looks, and the look goes on behind it.
 *
 * An open image is shared by threads; a look, and what was made from it (walks, listings), is
 * one thread's.  Paths are bytes as they stand in the image: quote them before they are shown.
 */
#ifndef ROMSIM_ROM_H
#define ROMSIM_ROM_H

#include <romsim/buffer.h>
#include <romsim/erofs.h>
#include <romsim/vector.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- a look ------------------------------------------------------------------------------- */

/* Called for what is damaged at `path` (valid for the call).  *error is the callee's to change. */
typedef void romsim_rom_damage(void *context, const char *path, struct romsim_error *error);

/* An image that is looked at: what that may cost, and what of it was damaged. */
struct romsim_rom_look {
    struct romsim_erofs *erofs;         /* not owned */
    struct romsim_erofs_budget *budget; /* own_budget, or one that several looks share */
    struct romsim_erofs_budget own_budget;
    romsim_rom_damage *tell; /* or NULL */
    void *context;
    size_t damage; /* how often it was told */
};

/* The look has to stay where it is, and the image open, as long as it is used.  `tell` may be
 * NULL. */
void romsim_rom_look_init(struct romsim_rom_look *look, struct romsim_erofs *erofs,
                          romsim_rom_damage *tell, void *context);

/* Counts damage at `path`, and tells it. */
void romsim_rom_damaged(struct romsim_rom_look *look, const char *path, struct romsim_error *error);

/* Is this an error of one place (EUCLEAN, EOPNOTSUPP, EIO), so that others may be sound? */
bool romsim_rom_is_damage(const struct romsim_error *error);

/* ---- inodes ------------------------------------------------------------------------------- */

/* "file", "directory", "symlink", "char device", ..., "unknown" */
const char *romsim_rom_type_name(uint32_t mode);

/* A nid without the bit that says that it counts in the metabox, and that bit. */
uint64_t romsim_rom_nid(uint64_t nid);
bool romsim_rom_in_metabox(uint64_t nid);

/* A device's numbers, from an inode's rdev. */
unsigned romsim_rom_major(uint32_t rdev);
unsigned romsim_rom_minor(uint32_t rdev);

/* ---- lookups ------------------------------------------------------------------------------ */

/*
 * The inode at a path as by the image's own root, NULL or "" being it: symlinks on the way are
 * followed, up to 40, inside the image; ".." goes back the way that led there.  The last name's
 * symlink is followed if that is asked for, or a '/' stands behind it; what has a '/' behind it
 * must be a directory.  Returns 0, or -1: ENOENT, ENOTDIR or ELOOP with the path in the message, or
 * as romsim_erofs_lookup().
 */
enum romsim_rom_last_link { ROMSIM_ROM_NO_FOLLOW, ROMSIM_ROM_FOLLOW };
int romsim_rom_lookup(struct romsim_erofs *erofs, const char *path, enum romsim_rom_last_link last,
                      struct romsim_erofs_inode *ret, struct romsim_error *err);

/* ---- walks -------------------------------------------------------------------------------- */

/* More than any walk is deep. */
enum { ROMSIM_ROM_DEPTH_MAX = 1100 };

/* The names from one on, in the order of the image.  Zero-initialised it can be closed. */
struct romsim_rom_walk {
    struct romsim_rom_look *look;
    char *base; /* the path of the first one, "" for the root; owned */
    struct romsim_erofs_inode start;
    struct romsim_erofs_walker *walker;
};

/* Starts at `path` (romsim_rom_lookup(), the last link not followed).  Returns 0 or -1; to be
 * closed, and not moved, in both cases. */
int romsim_rom_walk_open(struct romsim_rom_look *look, const char *path,
                         struct romsim_rom_walk *ret, struct romsim_error *err);
void romsim_rom_walk_close(struct romsim_rom_walk *walk);
#define CLEANUP_ROM_WALK __attribute__((cleanup(romsim_rom_walk_close)))

/*
 * The next name: 1; 0 at the end; -1 if the walk cannot go on (ENOMEM, EFBIG).  Damage on the way
 * is told, and passed over; of a name whose inode cannot be read *ret_damaged is set, and there is
 * no inode.
 */
int romsim_rom_walk_next(struct romsim_rom_walk *walk, struct romsim_erofs_step *ret,
                         bool *ret_damaged, struct romsim_error *err);

/* ---- listings ----------------------------------------------------------------------------- */

/* A name of an image.  The first entry of a listing is what was asked for, parents come before
 * their children, in the order of the image. */
struct romsim_rom_entry {
    uint64_t nid;
    uint32_t parent; /* index of the directory; the first entry's is itself */
    uint32_t name;   /* offset in the listing's names; NUL-terminated */
    uint16_t depth;  /* the first entry's is 0 */
};

DEFINE_VECTOR(romsim_rom_entries, struct romsim_rom_entry);

/* The names of an image or a part of it in memory, for who needs them more than once: 24 bytes each
 * and the name itself. */
struct romsim_rom_listing {
    struct romsim_rom_look *look;
    char *base; /* the path of the first entry, "" for the root; owned */
    struct romsim_rom_entries entries;
    struct romsim_buffer names;
};

/* Lists what is at `path` and, if it is a directory, below, but for what is damaged, which is told.
 * Returns 0 or -1; to be released in both cases. */
int romsim_rom_listing_load(struct romsim_rom_look *look, const char *path,
                            struct romsim_rom_listing *ret, struct romsim_error *err);
void romsim_rom_listing_release(struct romsim_rom_listing *listing);
#define CLEANUP_ROM_LISTING __attribute__((cleanup(romsim_rom_listing_release)))

/* The name of an entry, as long as the listing. */
const char *romsim_rom_name(const struct romsim_rom_listing *listing, size_t index);

/* The path of an entry, malloc'ed: from the image's root ("/a/b") or, `relative`, from the first
 * entry ("b", "" for itself).  NULL without memory. */
char *romsim_rom_path(const struct romsim_rom_listing *listing, size_t index, bool relative);

/* The inode of an entry.  Returns 0 or -1. */
int romsim_rom_inode(const struct romsim_rom_listing *listing, size_t index,
                     struct romsim_erofs_inode *ret, struct romsim_error *err);

/* ---- how much an image unfolds to --------------------------------------------------------- */

/* Compressed and shared data let a small image hold files of any size.  What has to go through all
 * of their bytes asks here first, so that a bomb costs the user a message and not a disk. */

/* 64 times `image_size` and 1 GiB, in bytes: more than honest data in an image of this size has. */
uint64_t romsim_rom_limit(uint64_t image_size);

/* The first entry of each file that has several names. */
struct romsim_rom_names {
    uint32_t *slots;
    size_t count;
};

/* Returns 0, or -1 without memory; to be released in both cases. */
int romsim_rom_names_init(struct romsim_rom_names *names, const struct romsim_rom_listing *listing);
void romsim_rom_names_clear(struct romsim_rom_names *names); /* of entries */
void romsim_rom_names_release(struct romsim_rom_names *names);

/* The earlier entry with the same inode, or 0: then this one is remembered. */
size_t romsim_rom_names_first(struct romsim_rom_names *names,
                              const struct romsim_rom_listing *listing, size_t index);

/*
 * The bytes that the listing's regular files have without their holes, each hard-linked file once
 * (`names` must be empty and is so afterwards).  Of damaged files it counts what is good.  Once
 * `most` is passed it may give up counting: then *ret_cut is set and there are more than *ret.
 */
void romsim_rom_data_size(const struct romsim_rom_listing *listing, struct romsim_rom_names *names,
                          uint64_t most, uint64_t *ret, bool *ret_cut);

#endif
