/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * diff_data.c: do two files have the same data?
 *
 * Holes are compared by their lengths, and data that stands in both images as it is where it
 * stands; ranges that files share are compared once.  All other data costs its size, of which there
 * is a limit, so that images that unfold to more than a disk holds end with a message.
 */
#include "sim/rom/diff.h"

#include <romsim/checked.h>

#include <errno.h>
#include <string.h>

/* RANGE_MAX is what is in memory at a time.  STEP_COST bounds the work where files share the
 * indexes of their holes and ranges: an honest index of 4 bytes is well below 64 times its size. */
enum { PIECE = 1 << 18, RANGE_MAX = 16 << 20, STEP_COST = 64 };

int diff_data_init(struct diff_data *data, struct romsim_erofs *old_image,
                   struct romsim_erofs *new_image, uint64_t most)
{
    *data = (struct diff_data){.images = {old_image, new_image}, .left = most};
    data->buffers[0] = malloc(PIECE);
    data->buffers[1] = malloc(PIECE);
    data->ranges = calloc(DIFF_RANGES, sizeof(*data->ranges));
    return data->buffers[0] && data->buffers[1] && data->ranges ? 0 : -1;
}

void diff_data_release(struct diff_data *data)
{
    free(data->buffers[0]);
    free(data->buffers[1]);
    free(data->ranges);
}

/* Takes `size` from what may be compared. */
static int pay(struct diff_data *data, uint64_t size, struct romsim_error *err)
{
    if (size > data->left)
        return romsim_error_set(err, EDQUOT,
                                "stopped: too much to compare, more than 64 times the size of both "
                                "images and 1 GiB");
    data->left -= size;
    return 0;
}

/* ---- ranges ------------------------------------------------------------------------------- */

static struct diff_range *slot_of(struct diff_data *data, const struct diff_range *range)
{
    uint64_t hash = range->positions[0] * 31 + range->positions[1];

    return &data->ranges[(hash * UINT64_C(0x9E3779B97F4A7C15) >> 32) % DIFF_RANGES];
}

/* Were these found to be equal? */
static bool is_known(struct diff_data *data, const struct diff_range *range)
{
    const struct diff_range *known = slot_of(data, range);

    return known->length >= range->length && known->positions[0] == range->positions[0] &&
           known->positions[1] == range->positions[1];
}

/* Compares bytes that are in the images as they are. */
static int same_range(struct diff_data *data, const uint8_t *const bytes[2],
                      const struct diff_range *range, bool *ret_same, struct romsim_error *err)
{
    *ret_same = true;
    if (is_known(data, range))
        return 0;
    if (pay(data, range->length, err) < 0)
        return -1;
    *ret_same = memcmp(bytes[0], bytes[1], range->length) == 0;
    if (*ret_same)
        *slot_of(data, range) = *range;
    for (int i = 0; i < 2; i++)
        romsim_blob_forget(romsim_erofs_blob(data->images[i]), range->positions[i], range->length);
    return 0;
}

/* How far from `offset` both files' data is mapped: 1 and the range, or 0. */
static int find_range(struct diff_data *data, const struct romsim_erofs_inode inodes[2],
                      uint64_t offset, const uint8_t *ret_bytes[2], struct diff_range *ret)
{
    uint64_t length;

    ret->length = RANGE_MAX;
    for (int i = 0; i < 2; i++) {
        if (romsim_erofs_map(data->images[i], &inodes[i], offset, inodes[i].size - offset,
                             &ret_bytes[i], &length, &ret->positions[i], NULL) <= 0)
            return 0;
        ret->length = min_u64(ret->length, length);
    }
    return 1;
}

static uint64_t common_hole(struct diff_data *data, const struct romsim_erofs_inode inodes[2],
                            uint64_t offset)
{
    uint64_t common = UINT64_MAX, length;

    for (int i = 0; i < 2; i++) {
        if (romsim_erofs_hole(data->images[i], &inodes[i], offset, &length, NULL) <= 0)
            return 0;
        common = min_u64(common, length);
    }
    return common;
}

/* ---- files -------------------------------------------------------------------------------- */

static int same_piece(struct diff_data *data, const struct romsim_erofs_inode inodes[2],
                      uint64_t offset, uint64_t *ret_size, bool *ret_same, struct romsim_error *err)
{
    size_t got[2];

    for (int i = 0; i < 2; i++)
        if (romsim_erofs_read(data->images[i], &inodes[i], offset, data->buffers[i], PIECE, &got[i],
                              err) < 0) {
            data->culprit = i;
            return -1;
        }
    *ret_size = got[0];
    *ret_same = got[0] == got[1] && memcmp(data->buffers[0], data->buffers[1], got[0]) == 0;
    return pay(data, got[0], err);
}

static int same_files(struct diff_data *data, const struct romsim_erofs_inode inodes[2],
                      bool *ret_same, struct romsim_error *err)
{
    struct diff_range range;
    const uint8_t *bytes[2];
    uint64_t size;

    /* Not after the seconds that it takes to find the limit by decoding. */
    if ((romsim_erofs_is_compressed(&inodes[0]) || romsim_erofs_is_compressed(&inodes[1])) &&
        inodes[0].size > data->left)
        return pay(data, inodes[0].size, err);
    for (uint64_t offset = 0; *ret_same && offset < inodes[0].size; offset += size) {
        if (pay(data, STEP_COST, err) < 0)
            return -1;
        size = common_hole(data, inodes, offset);
        if (size > 0) /* however large they claim to be */
            continue;
        if (find_range(data, inodes, offset, bytes, &range)) {
            size = range.length;
            if (same_range(data, bytes, &range, ret_same, err) < 0)
                return -1;
        } else if (same_piece(data, inodes, offset, &size, ret_same, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int diff_data_same(struct diff_data *data, const struct romsim_erofs_inode inodes[2],
                   bool *ret_same, struct romsim_error *err)
{
    /* Hard links are remembered as ranges that no image has. */
    struct diff_range files = {{~inodes[0].nid, ~inodes[1].nid}, inodes[0].size};
    bool has_names = inodes[0].links > 1 && inodes[1].links > 1;

    *ret_same = inodes[0].size == inodes[1].size;
    if (!*ret_same || (has_names && is_known(data, &files)))
        return 0;
    if (same_files(data, inodes, ret_same, err) < 0)
        return -1;
    if (*ret_same && has_names)
        *slot_of(data, &files) = files;
    return 0;
}
