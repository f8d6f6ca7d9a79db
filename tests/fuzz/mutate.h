/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mutate.h: libFuzzer's mutator of the targets that take an EROFS image.
 *
 * An image is mutated where its metadata are, found by a walk; libFuzzer's own mutations, which hit
 * files' data nearly always, are the exception.
 */
#ifndef ROMSIM_TESTS_MUTATE_H
#define ROMSIM_TESTS_MUTATE_H

#include "fuzz.h"

#include "tests/unit/damage.h"

enum {
    IMAGE_SIZE_MIN = EROFS_SUPER_OFFSET + sizeof(struct erofs_super_block),
    IMAGE_SIZE_MAX = 1 << 20
};
enum { DAMAGES_MAX = 4, PIECE_MAX = 256 };

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

/* libFuzzer's mutations, which know the dictionary and what the code compares with, of one spot:
 * its length stays, so nothing behind it moves. */
static void mutate_spot(uint8_t *bytes, const struct spot *spot, uint64_t *state)
{
    uint64_t skip = spot->length > PIECE_MAX ? damage_below(state, spot->length - PIECE_MAX) : 0;
    size_t size = spot->length > PIECE_MAX ? PIECE_MAX : spot->length, mutated;
    uint8_t piece[PIECE_MAX];

    memcpy(piece, bytes + spot->offset + skip, size);
    mutated = LLVMFuzzerMutate(piece, size, size);
    memcpy(bytes + spot->offset + skip, piece, mutated);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    uint64_t state = (seed + UINT64_C(1)) * UINT64_C(0x9E3779B97F4A7C15);
    static struct spots spots;

    if (size < IMAGE_SIZE_MIN || damage_below(&state, 16) == 0)
        return LLVMFuzzerMutate(data, size, max_size);
    damage_fix_checksum(data, size);
    spots_find(data, size, &spots);
    for (uint64_t left = 1 + damage_below(&state, DAMAGES_MAX); left; left--) {
        if (damage_below(&state, 2))
            mutate_spot(data, spots_pick(&spots, &state), &state);
        else
            damage(data, size, &spots, &state);
    }
    if (damage_below(&state, 64) == 0)
        size = IMAGE_SIZE_MIN + damage_below(&state, size - IMAGE_SIZE_MIN);
    return size;
}

#endif
