/* SPDX-License-Identifier: BSD-3-Clause */
/* fuzz.h: what the fuzz targets share: the entry point's prototype, and eating bytes. */
#ifndef ROMSIM_TESTS_FUZZ_H
#define ROMSIM_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ASan's options, for all targets; for those with libarchive also what makes a library's large
 * allocation, of memory that it never touches, fail at no cost (memory.c). */
#define FUZZ_ASAN_OPTIONS                                                                          \
    "quarantine_size_mb=16:malloc_context_size=8:clear_shadow_mmap_threshold=33554432"
#define FUZZ_REFUSE_LARGE                                                                          \
    const char fuzz_asan_options[] =                                                               \
        FUZZ_ASAN_OPTIONS ":allocator_may_return_null=1:max_allocation_size_mb=68";
extern const char fuzz_asan_options[];

/* What must hold, in every build. */
#define FUZZ_CHECK(condition, ...)                                                                 \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition);                        \
            fprintf(stderr, __VA_ARGS__);                                                          \
            fputc('\n', stderr);                                                                   \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* The input, eaten from the front; zeros when it is used up. */
struct meal {
    const uint8_t *data;
    size_t size;
};

static inline uint8_t eat_byte(struct meal *meal)
{
    if (!meal->size)
        return 0;
    meal->size--;
    return *meal->data++;
}

static inline uint64_t eat_number(struct meal *meal, unsigned bytes)
{
    uint64_t value = 0;

    while (bytes--)
        value = value << 8 | eat_byte(meal);
    return value;
}

/* At most `most` bytes; *ret_size is how many. */
static inline const uint8_t *eat_bytes(struct meal *meal, size_t most, size_t *ret_size)
{
    const uint8_t *bytes = meal->data;

    *ret_size = most < meal->size ? most : meal->size;
    meal->data += *ret_size;
    meal->size -= *ret_size;
    return bytes;
}

#endif
