/* SPDX-License-Identifier: BSD-3-Clause */
/* rom.h: what the subcommands of `romsim rom` share. */
#ifndef ROMSIM_CLI_ROM_H
#define ROMSIM_CLI_ROM_H

#include "sim/cli/cli.h"

#include <romsim/rom.h>

/* ---- images ------------------------------------------------------------------------------- */

/* The bytes of a file, "-" for standard input is not taken.  NULL after a report. */
struct romsim_blob *rom_blob(const char *file);

/* The hints for what is no EROFS image, and for a damaged one. */
#define ROM_HINT_INFO  "'romsim rom info' tells what it is"
#define ROM_HINT_CHECK "'romsim rom check' says more"

/* Opens a file as an EROFS image.  NULL after a report. */
struct romsim_erofs *rom_open(const char *file);

/* Reports an error of the image `file`.  Returns CLI_FAILED. */
int rom_report(const char *file, struct romsim_error *error);

/* An image that is looked at; of its damage the first places are reported (rom_common.c). */
struct rom_image {
    struct romsim_rom_look look;
    const char *file; /* its name */
};

/* `image` has to stay where it is. */
void rom_image_init(struct rom_image *image, struct romsim_erofs *erofs, const char *file);

/* Says how much damage was not reported.  Returns CLI_FAILED if there was any. */
int rom_image_end(const struct rom_image *image);

#define ROM_OPTION_NO_LIMIT                                                                        \
    {                                                                                              \
        "no-limit", 0, NULL, "even if it is over 64 times the image and 1 GiB"                     \
    }

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
json_t *rom_json_inode(struct romsim_rom_look *look, const char *path,
                       const struct romsim_erofs_inode *inode, struct romsim_error *error);

/* Adds an xattr to an object of them, as rom_json_inode() has it. */
void rom_json_add_xattr(json_t *object, const struct romsim_xattr *xattr);

/* What an xattr takes as JSON: bytes that are no text stand there escaped and in base64. */
uint64_t rom_json_xattr_cost(const struct romsim_xattr *xattr);

#endif
