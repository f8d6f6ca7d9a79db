/* SPDX-License-Identifier: BSD-3-Clause */
/* rom.h: what the subcommands of `romsim rom` share. */
#ifndef ROMSIM_CLI_ROM_H
#define ROMSIM_CLI_ROM_H

#include "sim/cli/cli.h"

#include <romsim/buffer.h>
#include <romsim/erofs.h>
#include <romsim/vector.h>

/* ---- images ------------------------------------------------------------------------------- */

/* The bytes of a file, "-" for standard input is not taken.  NULL after a report. */
struct romsim_blob *rom_blob(const char *file);

/* The hints for what is no EROFS image, and for a damaged one. */
#define ROM_HINT_INFO  "'romsim rom info' tells what it is"
#define ROM_HINT_CHECK "'romsim rom check' says more"

/* Opens a file as an EROFS image.  NULL after a report. */
struct romsim_erofs *rom_open(const char *file);

/*
 * The inode at a path as by the image's own root, NULL or "" being it: symlinks on the way are
 * followed, up to 40, inside the image.  The last name's symlink is followed if that is asked for,
 * or a '/' stands behind it; what has a '/' behind it must be a directory.  0, or -1 with *error.
 */
enum rom_last_link { ROM_NO_FOLLOW, ROM_FOLLOW };
int rom_lookup(struct romsim_erofs *erofs, const char *path, enum rom_last_link last,
               struct romsim_erofs_inode *ret, struct romsim_error *error);

/* Reports an error of the image `file`.  Returns CLI_FAILED. */
int rom_report(const char *file, struct romsim_error *error);

/* ---- walks -------------------------------------------------------------------------------- */

/* An image that is looked at, and what of it was damaged. */
struct rom_image {
    struct romsim_erofs *erofs;
    const char *file;                   /* its name */
    struct romsim_erofs_budget *budget; /* own_budget, or one that images share */
    struct romsim_erofs_budget own_budget;
    size_t damage; /* the first DAMAGE_MAX (rom_walk.c) are reported */
};

/* `image` has to stay where it is. */
void rom_image_init(struct rom_image *image, struct romsim_erofs *erofs, const char *file);

/* Reports what is damaged at `path`.  The first ones only, the rest is counted. */
void rom_image_damaged(struct rom_image *image, const char *path, struct romsim_error *error);

/* Says how much damage was not reported.  Returns CLI_FAILED if there was any. */
int rom_image_end(const struct rom_image *image);

/* Is this an error of one place, so that others may be sound? */
bool rom_is_damage(const struct romsim_error *error);

/* More than any walk is deep. */
enum { ROM_DEPTH_MAX = 1100 };

/* The names from one on, in the order of the image. */
struct rom_walk {
    struct rom_image *image;
    char *base; /* the path of the first one, "" for the root; owned */
    struct romsim_erofs_inode start;
    struct romsim_erofs_walker *walker;
};

/* Starts at `path` (rom_lookup(), the last link not followed).  0, or -1 with *error.  Release it
 * in both cases. */
int rom_walk_open(struct rom_image *image, const char *path, struct rom_walk *ret,
                  struct romsim_error *error);
void rom_walk_close(struct rom_walk *walk);
#define CLEANUP_WALK CLEANUP(rom_walk_close)

/*
 * The next name: 1; 0 at the end; -1 with *error.  Damage on the way is reported, and passed over;
 * of a name whose inode cannot be read *ret_damaged is set, and there is no inode.
 */
int rom_walk_next(struct rom_walk *walk, struct romsim_erofs_step *ret, bool *ret_damaged,
                  struct romsim_error *error);

/* ---- listings ----------------------------------------------------------------------------- */

/* A name of an image.  The first entry of a listing is what was asked for, parents come before
 * their children, in the order of the image. */
struct rom_entry {
    uint64_t nid;
    uint32_t parent; /* index of the directory; the first entry's is itself */
    uint32_t name;   /* offset in the listing's names; NUL-terminated */
    uint16_t depth;  /* the first entry's is 0 */
};

DEFINE_VECTOR(rom_entries, struct rom_entry);

struct rom_listing {
    struct rom_image *image;
    char *base; /* the path of the first entry, "" for the root; owned */
    struct rom_entries entries;
    struct romsim_buffer names;
};

/* Lists what is at `path` and, if it is a directory, below, but for what is damaged, which is
 * reported.  0, or -1 with *error.  Release it in both cases. */
int rom_listing_load(struct rom_image *image, const char *path, struct rom_listing *ret,
                     struct romsim_error *error);
void rom_listing_release(struct rom_listing *listing);

const char *rom_name(const struct rom_listing *listing, size_t index);

/* The path of an entry, malloc'ed: from the image's root ("/a/b") or, `relative`, from the first
 * entry ("b", "" for itself).  NULL without memory. */
char *rom_path(const struct rom_listing *listing, size_t index, bool relative);

/* The inode of an entry; 0, or -1 with *error. */
int rom_inode(const struct rom_listing *listing, size_t index, struct romsim_erofs_inode *ret,
              struct romsim_error *error);

/* ---- texts -------------------------------------------------------------------------------- */

/* QUOTE() of any length, malloc'ed; NULL without memory. */
char *rom_quote(const char *text);

enum { ROM_MODE_SIZE = 11, ROM_TIME_SIZE = 64 };

/* "-rw-r--r--" */
const char *rom_mode_text(uint32_t mode, char ret[ROM_MODE_SIZE]);

/* "2024-05-06 07:08:09" in UTC, with `full` nanoseconds too. */
const char *rom_time_text(const struct romsim_erofs_inode *inode, bool full,
                          char ret[ROM_TIME_SIZE]);

/* "2024-05-06T07:08:09.123456789Z" */
const char *rom_time_iso(const struct romsim_erofs_inode *inode, char ret[ROM_TIME_SIZE]);

/* A nid without the bit that says that it counts in the metabox, and that bit. */
uint64_t rom_nid(uint64_t nid);
bool rom_in_metabox(uint64_t nid);

/* "file", "directory", "symlink", ... */
const char *rom_type_name(uint32_t mode);

unsigned rom_major(uint32_t rdev);
unsigned rom_minor(uint32_t rdev);

/* A JSON string of foreign bytes; what is no UTF-8 is escaped as in our messages. */
json_t *rom_json_text(const char *bytes, size_t size);

/* Sets a member to rom_json_text(), and, where that is not the bytes, KEY_base64 to them.
 * 0 or -1. */
int rom_json_set(json_t *object, const char *key, const char *bytes, size_t size);

/* An object with that one member, or NULL. */
json_t *rom_json_path(const char *key, const char *path);

/* The same with the member "error": in a list, in place of what could not be told. */
json_t *rom_json_failed(const char *key, const char *path, const struct romsim_error *error);

/*
 * All that an inode says, as JSON; `target` and xattrs only where there are some.  Damaged xattrs
 * are counted as damage of the image, and in the object xattrs_error says why they are not all
 * there.  NULL with *error: no memory, or xattrs over the budget.
 */
json_t *rom_json_inode(struct rom_image *image, const char *path,
                       const struct romsim_erofs_inode *inode, struct romsim_error *error);

/* An object with the xattrs of an inode, as rom_json_inode() has them. */
json_t *rom_json_xattrs(struct rom_image *image, const struct romsim_erofs_inode *inode,
                        struct romsim_error *ret_damage, struct romsim_error *error);

#endif
