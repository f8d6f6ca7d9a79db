/* SPDX-License-Identifier: BSD-3-Clause */
/* cpu.c: the level of the instance's processor. */
#include <romsim/cpu.h>

static int level = ROMSIM_CPU_LEVEL_DEFAULT;

int romsim_cpu_level(void)
{
    return level;
}

void romsim_cpu_set_level(int value)
{
    level = value;
}
