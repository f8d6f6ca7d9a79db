/* SPDX-License-Identifier: BSD-3-Clause */
/* rom_diff.h: the text differences of `romsim rom diff --content`. */
#ifndef ROMSIM_CLI_ROM_DIFF_H
#define ROMSIM_CLI_ROM_DIFF_H

#include "sim/cli/rom.h"

struct text_side {
    struct romsim_erofs *erofs;
    const struct romsim_erofs_inode *inode;
    const char *label; /* the image's name */
};

/* Prints the lines in which two regular files differ, as diff -u does; files that are not text, or
 * over 1 MiB, get a sentence.  Returns 0 or -1. */
int rom_text_diff(const char *path, const struct text_side *old_side,
                  const struct text_side *new_side, struct romsim_error *error);

#endif
