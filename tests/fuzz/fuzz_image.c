/* SPDX-License-Identifier: BSD-3-Clause */
/* fuzz_image.c: any bytes as an EROFS image: everything is read and checked.  The superblock's
 * checksum is made right, so that it does not hide what is behind it. */
#include "fuzz.h"

#include "tests/unit/exercise.h"

#include <romsim/digest.h>

enum { SUPER = 1024, CHECKSUM = SUPER + 4, BLOCK_BITS = SUPER + 12, INPUT_MAX = 1 << 20 };

static void fix_checksum(uint8_t *bytes, size_t size)
{
    size_t length = (size_t)1 << (bytes[BLOCK_BITS] & 31);
    uint32_t crc;

    if (length > SUPER)
        length -= SUPER;
    if (length < 128 || SUPER + length > size)
        return;
    memset(bytes + CHECKSUM, 0, 4);
    crc = romsim_crc32c(~UINT32_C(0), bytes + SUPER, length);
    for (int i = 0; i < 4; i++)
        bytes[CHECKSUM + i] = crc >> 8 * i;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *bytes;

    if (size < SUPER + 128 || size > INPUT_MAX)
        return -1;
    bytes = malloc(size);
    if (!bytes)
        return -1;
    memcpy(bytes, data, size);
    fix_checksum(bytes, size);
    exercise_image(bytes, size);
    free(bytes);
    return 0;
}
