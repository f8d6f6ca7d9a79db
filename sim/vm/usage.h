/* SPDX-License-Identifier: BSD-3-Clause */
/* usage.h: what a VM takes of this machine. */
#ifndef ROMSIM_VM_USAGE_H
#define ROMSIM_VM_USAGE_H

#include "forward.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct usage {
    uint64_t rss_bytes;
    uint64_t cpu_ms; /* of all processors */
};

/* Of a process; zeros if it has ended. */
struct usage usage_of(pid_t pid);

/* How many connections somebody has to claimed ports, by the kernel's own list. */
unsigned usage_connections(const struct forward *forwards, size_t count);

#endif
