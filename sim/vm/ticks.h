/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ticks.h: how fast this processor's time stamp counter counts.
 *
 * An emulated processor has the counter of the real one, and its kernel measures it against an
 * emulated timer.  On a busy machine that fails: the guest's clock then runs at another speed than
 * the host's, for good.  So it is measured here, and the kernel is told.
 */
#ifndef ROMSIM_VM_TICKS_H
#define ROMSIM_VM_TICKS_H

#include <stdint.h>

/* The counter at a time, in nanoseconds of the monotonic clock. */
struct ticks {
    uint64_t count, time;
};

/* What it is now; zeros on a processor of which it is not known how. */
struct ticks ticks_now(void);

/* How many a millisecond since then, which is at least two milliseconds ago when this returns; 0 if
 * that is not known. */
uint64_t ticks_khz(const struct ticks *since);

#endif
