/* SPDX-License-Identifier: BSD-3-Clause */
/* ticks.c: how fast this processor's time stamp counter counts. */
#include "ticks.h"

#include <time.h>

#ifdef __x86_64__

#include <x86intrin.h>

/* A reading of the clock may take a microsecond, and be interrupted: the shortest of some is it. */
enum { TRIES = 8, INTERVAL_NS = 2000000 };

static uint64_t clock_ns(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

struct ticks ticks_now(void)
{
    uint64_t shortest = UINT64_MAX;
    struct ticks now = {0};

    for (int i = 0; i < TRIES; i++) {
        uint64_t before = __rdtsc(), time = clock_ns(), took = __rdtsc() - before;

        if (took < shortest) {
            shortest = took;
            now = (struct ticks){before + took / 2, time};
        }
    }
    return now;
}

uint64_t ticks_khz(const struct ticks *since)
{
    uint64_t passed = clock_ns() - since->time;
    struct ticks now;

    if (passed < INTERVAL_NS)
        nanosleep(&(struct timespec){.tv_nsec = (long)(INTERVAL_NS - passed)}, NULL);
    now = ticks_now();
    if (now.count <= since->count || now.time <= since->time)
        return 0;
    return (uint64_t)((double)(now.count - since->count) * 1e6 / (double)(now.time - since->time));
}

#else

struct ticks ticks_now(void)
{
    return (struct ticks){0};
}

uint64_t ticks_khz(const struct ticks *since)
{
    (void)since;
    return 0;
}

#endif
