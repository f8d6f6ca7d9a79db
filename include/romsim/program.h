/* SPDX-License-Identifier: BSD-3-Clause */
/* program.h: another program, run from its start to its end. */
#ifndef ROMSIM_PROGRAM_H
#define ROMSIM_PROGRAM_H

#include <romsim/buffer.h>
#include <romsim/error.h>

#include <sys/types.h>

struct romsim_program {
    /* argv[0] is looked for in PATH, and then where the administrator's programs are: ordinary
     * users have those not always in it. */
    const char *const *argv;
    const char *file;             /* what is run under the name of argv[0]; NULL: that */
    const int *inherited;         /* descriptors that it has, too, by their numbers; ended by -1 */
    int input;                    /* its standard input; 0 or -1: /dev/null */
    struct romsim_buffer *output; /* what it prints is added; NULL: /dev/null */
    struct romsim_buffer *errors; /* the same of its standard error; NULL: /dev/null */
    /* Told the process's number while it cannot be anybody else's; or NULL. */
    void (*started)(void *context, pid_t pid);
    void *context;
};

/*
 * Runs it, with no signal blocked and SIGPIPE as it is by default.  What it prints beyond a
 * buffer's maximum meets a closed pipe.  Returns 0 with the wait status, or -1: ENOENT if there is
 * no such program.
 */
int romsim_program_run(const struct romsim_program *program, int *ret_status,
                       struct romsim_error *err);

#endif
