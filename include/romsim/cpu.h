/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cpu.h: what the instance's processor can do, as the psABI's levels of x86-64: 1 (the first of
 * them) to 4 (AVX-512).  An image for several platforms gives the best that it can run.
 *
 * It is the process's, as the bounds are: set once, before there are threads, by who knows the
 * accelerator and the user's wish; from then on only read.
 */
#ifndef ROMSIM_CPU_H
#define ROMSIM_CPU_H

enum { ROMSIM_CPU_LEVEL_MIN = 1, ROMSIM_CPU_LEVEL_DEFAULT = 3, ROMSIM_CPU_LEVEL_MAX = 4 };

/* The level: what was set, else that of the emulated processor, which every machine can run. */
int romsim_cpu_level(void);
void romsim_cpu_set_level(int level);

/* The level that is written "v1" to "v4", in either case as in an image's platform; 0 for any other
 * text. */
int romsim_cpu_parse_level(const char *text);

#endif
