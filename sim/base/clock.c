/* SPDX-License-Identifier: BSD-3-Clause */
/* clock.c: the time that passes. */
#include <romsim/clock.h>

#include <time.h>

uint64_t romsim_clock_us(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}
