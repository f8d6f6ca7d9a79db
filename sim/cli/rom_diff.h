/* SPDX-License-Identifier: BSD-3-Clause */
/* rom_diff.h: what the parts of `romsim rom diff` share. */
#ifndef ROMSIM_CLI_ROM_DIFF_H
#define ROMSIM_CLI_ROM_DIFF_H

#include "sim/cli/rom.h"

#include <romsim/rom_diff.h>

#include <stdio.h>

/* Opens an EROFS image; a directory or an archive is packed as `rom pack` does it, unnamed.  NULL
 * after a report. */
struct romsim_erofs *diff_open(const char *file);

/*
 * What differs in a file that both have: an array of {"change": "mode", "old": "0644", "new":
 * "0755"}.  NULL with *error: no memory, or xattrs over the budget.
 */
json_t *diff_changes(struct romsim_rom_look *look, const struct romsim_rom_difference *difference,
                     struct romsim_error *error);

/* The same for people: "mode 0644 -> 0755, content"; malloc'ed, NULL without memory. */
char *diff_changes_text(json_t *changes);

/*
 * Prints the lines in which two regular files differ, as diff -u does; or nothing, and *ret_reason
 * says why ("not text"), else it is NULL.  Returns 0, or -1 and in *ret_culprit which of the files
 * cannot be read.
 */
int diff_lines(FILE *out, struct rom_image *const images[2],
               const struct romsim_rom_difference *difference, uint64_t *budget,
               const char **ret_reason, int *ret_culprit, struct romsim_error *error);

#endif
