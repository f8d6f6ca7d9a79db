/* SPDX-License-Identifier: BSD-3-Clause */
/* usage.c: what a VM takes of this machine, as /proc tells it. */
#include "usage.h"

#include <romsim/cleanup.h>
#include <romsim/process.h>

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ESTABLISHED = 1 };

struct usage usage_of(pid_t pid)
{
    struct romsim_process process;
    struct usage usage = {0};
    unsigned long long pages;
    char path[64], line[256];

    if (romsim_process_look(pid, &process))
        usage.cpu_ms = process.cpu_ticks * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
    snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
    CLEANUP_FILE FILE *statm = fopen(path, "re");
    if (statm && fgets(line, sizeof(line), statm) && sscanf(line, "%*u %llu", &pages) == 1)
        usage.rss_bytes = pages * (uint64_t)sysconf(_SC_PAGESIZE);
    return usage;
}

static bool is_claimed(const struct forward *forwards, size_t count, uint32_t address,
                       unsigned port)
{
    for (size_t i = 0; i < count; i++)
        if (forwards[i].host_port == port &&
            (forwards[i].address == INADDR_ANY || forwards[i].address == address))
            return true;
    return false;
}

unsigned usage_connections(const struct forward *forwards, size_t count)
{
    CLEANUP_FILE FILE *list = fopen("/proc/self/net/tcp", "re");
    unsigned connections = 0, address, port, state;
    char line[512];

    while (list && fgets(line, sizeof(line), list))
        if (sscanf(line, " %*u: %8x:%4x %*8x:%*4x %2x", &address, &port, &state) == 3 &&
            state == ESTABLISHED && is_claimed(forwards, count, ntohl(address), port))
            connections++;
    return connections;
}
