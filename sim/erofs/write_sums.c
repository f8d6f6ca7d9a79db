/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * write_sums.c: what was read of the sources, as sums: so that an image can be read back and be
 * compared with its sources without a second look at them.
 *
 * A sum is over a piece of a file, EROFS_SUM_BLOCKS at most: of each block that is not all zeros
 * its XXH64 and its place in the piece.  A piece of zeros has none.  The end of a file that stands
 * behind its inode is a piece of its own, because it is read at another time.
 */
#include "sim/erofs/write.h"

#include <romsim/checked.h>
#include <string.h>

/* ---- XXH64 (xxHash's doc/xxhash_spec.md), for whole blocks and the seed 0 ---------------- */

#define PRIME_1 UINT64_C(0x9E3779B185EBCA87)
#define PRIME_2 UINT64_C(0xC2B2AE3D27D4EB4F)
#define PRIME_3 UINT64_C(0x165667B19E3779F9)
#define PRIME_4 UINT64_C(0x85EBCA77C2B2AE63)

bool erofs_block_is_zero(const uint8_t *block)
{
    return block[0] == 0 && memcmp(block, block + 1, EROFS_WRITE_BLOCK - 1) == 0;
}

static uint64_t rotate_left(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static uint64_t xxh64_round(uint64_t lane, uint64_t input)
{
    return rotate_left(lane + input * PRIME_2, 31) * PRIME_1;
}

uint64_t erofs_block_hash(const uint8_t *block)
{
    uint64_t lanes[4] = {PRIME_1 + PRIME_2, PRIME_2, 0, -PRIME_1};
    uint64_t hash;

    for (size_t at = 0; at < EROFS_WRITE_BLOCK; at += 32)
        for (size_t i = 0; i < 4; i++) {
            le64 word;

            memcpy(&word, block + at + i * 8, sizeof(word));
            lanes[i] = xxh64_round(lanes[i], le64_get(word));
        }
    hash = rotate_left(lanes[0], 1) + rotate_left(lanes[1], 7) + rotate_left(lanes[2], 12) +
           rotate_left(lanes[3], 18);
    for (size_t i = 0; i < 4; i++)
        hash = (hash ^ xxh64_round(0, lanes[i])) * PRIME_1 + PRIME_4;
    hash += EROFS_WRITE_BLOCK;
    hash = (hash ^ hash >> 33) * PRIME_2;
    hash = (hash ^ hash >> 29) * PRIME_3;
    return hash ^ hash >> 32;
}

/* ---- sums ------------------------------------------------------------------------------- */

struct romsim_erofs_sums *romsim_erofs_sums_new(void)
{
    return calloc(1, sizeof(struct romsim_erofs_sums));
}

void romsim_erofs_sums_free(struct romsim_erofs_sums *sums)
{
    if (sums)
        erofs_sum_list_reset(&sums->list);
    free(sums);
}

struct erofs_sum erofs_sum_of(size_t node, uint64_t block)
{
    return (struct erofs_sum){.node = (uint32_t)node,
                              .piece = (uint32_t)(block / EROFS_SUM_BLOCKS)};
}

void erofs_sum_fold(struct erofs_sum *sum, uint64_t block, uint64_t hash)
{
    sum->value = xxh64_round(sum->value + block % EROFS_SUM_BLOCKS, hash);
}

int erofs_sums_add(struct romsim_erofs_sums *sums, size_t node, uint64_t block, uint64_t hash,
                   struct romsim_error *err)
{
    struct erofs_sum sum = erofs_sum_of(node, block);
    struct erofs_sum *last = sums->list.count > 0 ? &sums->list.items[sums->list.count - 1] : NULL;

    if (!last || last->node != sum.node || last->piece != sum.piece) {
        if (erofs_sum_list_append(&sums->list, sum) < 0)
            return romsim_error_nomem(err);
        last = &sums->list.items[sums->list.count - 1];
    }
    erofs_sum_fold(last, block, hash);
    return 0;
}

int erofs_sums_add_bytes(struct romsim_erofs_sums *sums, size_t node, uint64_t block,
                         const uint8_t *bytes, uint64_t size, struct romsim_error *err)
{
    uint8_t padded[EROFS_WRITE_BLOCK];

    for (uint64_t at = 0; at < size; at += EROFS_WRITE_BLOCK, block++) {
        const uint8_t *whole = erofs_whole_block(bytes + at, size - at, padded);

        if (!erofs_block_is_zero(whole) &&
            erofs_sums_add(sums, node, block, erofs_block_hash(whole), err) < 0)
            return -1;
    }
    return 0;
}

const uint8_t *erofs_whole_block(const uint8_t *bytes, uint64_t size,
                                 uint8_t padded[EROFS_WRITE_BLOCK])
{
    if (size >= EROFS_WRITE_BLOCK)
        return bytes;
    memcpy(padded, bytes, (size_t)size);
    memset(padded + size, 0, EROFS_WRITE_BLOCK - (size_t)size);
    return padded;
}

static int compare_sums(const void *a, const void *b)
{
    const struct erofs_sum *x = a, *y = b;

    if (x->node != y->node)
        return x->node < y->node ? -1 : 1;
    return (x->piece > y->piece) - (x->piece < y->piece);
}

void erofs_sums_sort(struct romsim_erofs_sums *sums)
{
    struct erofs_sum *items = sums->list.items;
    size_t at = 1;

    while (at < sums->list.count && compare_sums(&items[at - 1], &items[at]) < 0)
        at++;
    if (at < sums->list.count)
        qsort(items, sums->list.count, sizeof(*items), compare_sums);
}

size_t erofs_sums_find(const struct romsim_erofs_sums *sums, size_t node)
{
    size_t low = 0, high = sums->list.count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (sums->list.items[middle].node < node)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
