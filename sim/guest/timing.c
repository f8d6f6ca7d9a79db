/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * timing.c: the guest's clock, which begins with the kernel's, and by it when the steps of the boot
 * were done, in microseconds, for `romsim run --timings`.  Reports stand on the boot's way, so
 * there are two of them: one with what was done before there was a line to the host.
 */
#include "guest.h"

#include <stdio.h>
#include <time.h>

enum { MARKS_MAX = 12 };

static struct {
    const char *step;
    long long micros;
} marks[MARKS_MAX];
static size_t count, reported;

static long long now_us(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000LL + time.tv_nsec / 1000;
}

long long now_ms(void)
{
    return now_us() / 1000;
}

void timing_done(const char *step)
{
    if (count == MARKS_MAX)
        return;
    marks[count].step = step;
    marks[count++].micros = now_us();
}

void timing_report(void)
{
    char text[MARKS_MAX * 40] = "";
    int size = 0;

    for (; reported < count; reported++)
        size += snprintf(text + size, sizeof(text) - (size_t)size, " %s %lld", marks[reported].step,
                         marks[reported].micros);
    control_send("times %lld%s", now_us(), text);
}
