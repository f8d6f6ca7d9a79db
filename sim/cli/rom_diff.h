/* SPDX-License-Identifier: BSD-3-Clause */
/* rom_diff.h: what the parts of `romsim rom diff` share. */
#ifndef ROMSIM_CLI_ROM_DIFF_H
#define ROMSIM_CLI_ROM_DIFF_H

#include "sim/cli/rom.h"

#include <limits.h>
#include <stdio.h>

/* One of the two images, or what a directory or an archive would be as one. */
struct diff_side {
    struct rom_image image;
    struct rom_walk walk;
    struct romsim_erofs_step step; /* the name that is to be compared next, */
    bool has_step;                 /* if there is one, */
    bool is_damaged;               /* and whether its inode cannot be read */
    unsigned gap;                  /* before it: the depth of a damaged directory, or DIFF_NO_GAP */
};

#define DIFF_NO_GAP UINT_MAX

/* ---- opening (rom_diff_open.c) ------------------------------------------------------------ */

/* Opens an EROFS image; a directory or an archive is packed as `rom pack` does it, unnamed.
 * CLI_OK, or CLI_FAILED after a report. */
int diff_open(const char *file, struct diff_side *ret);
void diff_close(struct diff_side *side);

/* ---- one file's data (rom_diff_data.c) ---------------------------------------------------- */

/* Shared ranges that were found to be equal; the table forgets. */
struct diff_range {
    uint64_t positions[2];
    uint64_t length;
};

enum { DIFF_RANGES = 1 << 14 };

struct diff_data {
    struct romsim_erofs *images[2];
    uint64_t left; /* bytes that may yet be compared */
    int culprit;   /* after an error: which image cannot be read */
    uint8_t *buffers[2];
    struct diff_range *ranges;
};

/* `most`: the bytes that may be compared.  Returns 0 or -1; to be released in both cases. */
int diff_data_init(struct diff_data *data, struct romsim_erofs *old_image,
                   struct romsim_erofs *new_image, uint64_t most);
void diff_data_release(struct diff_data *data);

/* Takes `size` from what may be compared.  Returns 0, or -1 with EFBIG. */
int diff_data_pay(struct diff_data *data, uint64_t size, struct romsim_error *error);

/* Do two regular files have the same bytes?  Returns 0 or -1. */
int diff_data_same(struct diff_data *data, const struct romsim_erofs_inode inodes[2],
                   bool *ret_same, struct romsim_error *error);

/* ---- the changes of one file (rom_diff_changes.c) ----------------------------------------- */

/*
 * What differs between two inodes: an array of {"change": "mode", "old": "0644", "new": "0755"}.
 * Whether the data of regular files differs is told by `content`.  NULL with *error, and in
 * *ret_culprit which of them cannot be read.
 */
json_t *diff_changes(struct rom_image *const images[2], const struct romsim_erofs_inode inodes[2],
                     bool content, int *ret_culprit, struct romsim_error *error);

/* The same for people: "mode 0644 -> 0755, content"; malloc'ed, NULL without memory. */
char *diff_changes_text(json_t *changes);

/* ---- lines (rom_textdiff.c) --------------------------------------------------------------- */

struct text_side {
    struct romsim_erofs *erofs;
    const struct romsim_erofs_inode *inode;
    const char *label; /* the image's name */
};

/*
 * Prints the lines in which two regular files differ, as diff -u does.  Takes what it reads, and
 * what it has to do with that, from *budget; with less left, or if a file is no text or a long one,
 * nothing is printed and *ret_reason says why ("not text"), else it is NULL.  Returns 0 or -1.
 */
int rom_text_diff(FILE *out, const char *path, const struct text_side *old_side,
                  const struct text_side *new_side, uint64_t *budget, const char **ret_reason,
                  struct romsim_error *error);

#endif
