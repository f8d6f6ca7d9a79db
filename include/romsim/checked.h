/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * checked.h: arithmetic on foreign numbers.  Each function returns true and stores the result, or
 * returns false, and stores nothing, when the true result does not fit.
 */
#ifndef ROMSIM_CHECKED_H
#define ROMSIM_CHECKED_H

#include <stdbool.h>
#include <stdint.h>

static inline bool checked_add(uint64_t a, uint64_t b, uint64_t *ret_sum)
{
    uint64_t sum;

    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *ret_sum = sum;
    return true;
}

static inline bool checked_multiply(uint64_t a, uint64_t b, uint64_t *ret_product)
{
    uint64_t product;

    if (__builtin_mul_overflow(a, b, &product))
        return false;
    *ret_product = product;
    return true;
}

static inline bool checked_shift_left(uint64_t value, unsigned bits, uint64_t *ret_value)
{
    if (bits > 63 || value > UINT64_MAX >> bits)
        return false;
    *ret_value = value << bits;
    return true;
}

/* Rounds `value` up to a multiple of `alignment`, a power of two. */
static inline bool checked_align_up(uint64_t value, uint64_t alignment, uint64_t *ret_value)
{
    uint64_t sum;

    if (!checked_add(value, alignment - 1, &sum))
        return false;
    *ret_value = sum & ~(alignment - 1);
    return true;
}

/* Is [offset, offset + length) inside [0, size)? */
static inline bool range_is_inside(uint64_t offset, uint64_t length, uint64_t size)
{
    return offset <= size && length <= size - offset;
}

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

#endif
