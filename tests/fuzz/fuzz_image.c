/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_image.c: any bytes as an EROFS image: everything is read and checked.  The superblock's
 * checksum is made right, so that it does not hide what is behind it.
 *
 * An image is mutated where its metadata are, found by a walk; libFuzzer's own mutations, which hit
 * files' data nearly always, are the exception.
 */
#include "fuzz.h"

#include "tests/unit/damage.h"
#include "tests/unit/exercise.h"

enum { SIZE_MIN = EROFS_SUPER_OFFSET + sizeof(struct erofs_super_block), INPUT_MAX = 1 << 20 };
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

    if (size < SIZE_MIN || damage_below(&state, 16) == 0)
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
        size = SIZE_MIN + damage_below(&state, size - SIZE_MIN);
    return size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t bytes[INPUT_MAX];

    if (size < SIZE_MIN || size > INPUT_MAX)
        return -1;
    memcpy(bytes, data, size);
    damage_fix_checksum(bytes, size);
    exercise_image(bytes, size);
    return 0;
}
