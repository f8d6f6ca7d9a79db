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

/* The path of an operand: "-" is standard input. */
const char *rom_input(const char *file);

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
    struct romsim_erofs *erofs;
    char *base; /* the path of the first entry, "/" for the root; owned */
    struct rom_entries entries;
    struct romsim_buffer names;
};

/* Lists what is at `path` (rom_lookup(), the last link not followed) and, if it is a directory,
 * below (only its own entries unless `recursive`).  0, or -1 with *error; then what was found
 * before is listed all the same.  Release it in both cases. */
int rom_listing_try(struct romsim_erofs *erofs, const char *path, bool recursive,
                    struct rom_listing *ret, struct romsim_error *error);

/* The same with a report: CLI_OK or CLI_FAILED. */
int rom_listing_load(struct romsim_erofs *erofs, const char *file, const char *path, bool recursive,
                     struct rom_listing *ret);
void rom_listing_release(struct rom_listing *listing);
#define CLEANUP_LISTING CLEANUP(rom_listing_release)

const char *rom_name(const struct rom_listing *listing, size_t index);

/* The path of an entry, malloc'ed: from the image's root ("/a/b") or, `relative`, from the first
 * entry ("b", "" for itself).  NULL without memory. */
char *rom_path(const struct rom_listing *listing, size_t index, bool relative);

/* The inode of an entry; 0, or -1 with *error. */
int rom_inode(const struct rom_listing *listing, size_t index, struct romsim_erofs_inode *ret,
              struct romsim_error *error);

/* More than any listing has. */
enum { ROM_DEPTH_MAX = 1100 };

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

/* All that an inode says, as JSON; `target` and xattrs only where there are some. */
json_t *rom_json_inode(struct romsim_erofs *erofs, const char *path,
                       const struct romsim_erofs_inode *inode);

#endif
