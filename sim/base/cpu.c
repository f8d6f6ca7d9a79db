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

int romsim_cpu_parse_level(const char *text)
{
    if ((text[0] != 'v' && text[0] != 'V') || text[1] < '0' + ROMSIM_CPU_LEVEL_MIN ||
        text[1] > '0' + ROMSIM_CPU_LEVEL_MAX || text[2])
        return 0;
    return text[1] - '0';
}
