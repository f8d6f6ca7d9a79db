/* SPDX-License-Identifier: BSD-3-Clause */
/* clock.h: the time that passes, whatever is done to the machine's date. */
#ifndef ROMSIM_CLOCK_H
#define ROMSIM_CLOCK_H

#include <stdint.h>

/* Microseconds of the monotonic clock. */
uint64_t romsim_clock_us(void);

#endif
