/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_image.c: any bytes as an EROFS image: everything is read and checked.  The superblock's
 * checksum is made right, so that it does not hide what is behind it.
 */
#include "mutate.h"

#include "tests/unit/exercise.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t bytes[IMAGE_SIZE_MAX];

    if (size < IMAGE_SIZE_MIN || size > IMAGE_SIZE_MAX)
        return -1;
    memcpy(bytes, data, size);
    damage_fix_checksum(bytes, size);
    exercise_image(bytes, size);
    return 0;
}
