/* SPDX-License-Identifier: BSD-3-Clause */
/* process.h: a child process that dies with the thread that started it. */
#ifndef ROMSIM_VM_PROCESS_H
#define ROMSIM_VM_PROCESS_H

#include "tail.h"

#include <romsim/error.h>

#include <sys/types.h>

struct process {
    pid_t pid;  /* 0: none */
    int pidfd;  /* readable when it has ended */
    int errors; /* its standard error, to read from; or -1 */
};

#define PROCESS_NONE                                                                               \
    (struct process)                                                                               \
    {                                                                                              \
        .pid = 0, .pidfd = -1, .errors = -1                                                        \
    }

/*
 * Starts argv[0], found in PATH, with standard input and output on /dev/null, standard error on a
 * pipe, and the descriptors of `inherited` (ended by -1).  It gets SIGKILL when the calling thread
 * ends, however that happens.  ENOENT if there is no such program.
 */
int process_start(const char *const *argv, const int *inherited, struct process *ret,
                  struct romsim_error *err);

/* Waits at most `timeout_ms` (-1: for ever) for its end.  1 when it has ended, with its wait
 * status; 0 when it has not. */
int process_wait(struct process *process, int timeout_ms, int *ret_status);

/* Waits a second for the end of one that was seen to end, and takes what it wrote to its standard
 * error. */
void process_last_words(struct process *process, struct tail *ret);

/* Kills and reaps it, and closes what belongs to it. */
void process_end(struct process *process);

#endif
