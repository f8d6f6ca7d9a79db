/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capacity.h: what this machine has left for who wants to start something.
 *
 * It is what the kernel says: MemAvailable, the limits of the control groups that this process is
 * in (both versions, each up to their root), and what is told of a folder's file system.  What is
 * not known is no limit.
 *
 * For tests the files below /proc and /sys/fs/cgroup are looked for below another folder, which
 * ROMSIM_CAPACITY_ROOT names: DIR/proc/meminfo, DIR/proc/self/cgroup, DIR/sys/fs/cgroup/...
 */
#ifndef ROMSIM_CAPACITY_H
#define ROMSIM_CAPACITY_H

#include <stdint.h>

/* Not limited, or not known. */
#define ROMSIM_CAPACITY_ANY UINT64_MAX

struct romsim_capacity {
    uint64_t memory_total;  /* bytes */
    uint64_t memory_free;   /* the same, that programs may still take: the least of all limits */
    char memory_limit[192]; /* who sets that: "" the machine, else the path of a control group, as a
                               terminal may show it */
    uint64_t tasks_free;    /* processes and threads that may still be started, by control groups */
    char tasks_limit[192];  /* the same */
};

void romsim_capacity_look(struct romsim_capacity *ret);

/* Bytes and files that can still be written in a folder. */
void romsim_capacity_of_folder(const char *path, uint64_t *ret_bytes, uint64_t *ret_files);

#endif
