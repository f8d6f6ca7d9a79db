/* SPDX-License-Identifier: BSD-3-Clause */
/* process.h: what the kernel tells of a process, whoever's it is. */
#ifndef ROMSIM_PROCESS_H
#define ROMSIM_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct romsim_process {
    char name[64];      /* as a terminal may show it; may be empty */
    char state;         /* 'T': somebody has stopped it (control-Z, or SIGSTOP) */
    uid_t user;         /* whose it is */
    uint64_t start;     /* when it was started: with its number, nobody else's */
    uint64_t cpu_ticks; /* what it took of all processors, in sysconf(_SC_CLK_TCK) a second */
};

/* Reads /proc/PID/stat.  False, with errno, if there is no such process. */
bool romsim_process_look(pid_t pid, struct romsim_process *ret);

/* The process, and not another that has its number by now: the one of that start. */
bool romsim_process_is(pid_t pid, uint64_t start);

/* Has somebody stopped it? */
bool romsim_process_is_stopped(pid_t pid);

#endif
