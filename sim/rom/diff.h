/* SPDX-License-Identifier: BSD-3-Clause */
/* diff.h: whether two files have the same data (diff_data.c), for diff.c. */
#ifndef ROMSIM_ROM_ROOM_DIFF_H
#define ROMSIM_ROM_ROOM_DIFF_H

#include <romsim/rom.h>

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

/* `most`: the bytes that may be compared.  Returns 0, or -1 without memory; to be released in both
 * cases. */
int diff_data_init(struct diff_data *data, struct romsim_erofs *old_image,
                   struct romsim_erofs *new_image, uint64_t most);
void diff_data_release(struct diff_data *data);

/* Do two regular files have the same bytes?  Returns 0, or -1: EDQUOT if that is more than may be
 * compared. */
int diff_data_same(struct diff_data *data, const struct romsim_erofs_inode inodes[2],
                   bool *ret_same, struct romsim_error *err);

#endif
