/* SPDX-License-Identifier: BSD-3-Clause */
/* program.h: other programs, found, started, and run to their end. */
#ifndef ROMSIM_PROGRAM_H
#define ROMSIM_PROGRAM_H

#include <romsim/buffer.h>
#include <romsim/error.h>

#include <sys/types.h>

struct romsim_program {
    const char *const *argv;
    const char *file;     /* what is run under the name of argv[0]; NULL: that */
    const char *setting;  /* "NAME=VALUE", added to the environment; or NULL */
    const int *inherited; /* descriptors that it has, too, by their numbers; ended by -1 */
    int input;            /* its standard input; 0 or -1: /dev/null */
    int output, errors;   /* its standard output and error; 0 or -1: /dev/null */
    /* When it is run to its end: what it prints is added, whatever the two above say; or NULL. */
    struct romsim_buffer *printed, *complaints;
    int end_signal; /* what it gets when the thread that started it ends, however; 0: nothing */
    /* Told the process's number while it cannot be anybody else's; or NULL. */
    void (*started)(void *context, pid_t pid);
    void *context;
};

/* The path of the program: looked for in PATH, and then where the administrator's programs are:
 * ordinary users have those not always in it.  What has a slash is a path.  NULL, with errno
 * ENOENT, if there is none; the caller frees it. */
char *romsim_program_find(const char *name);

/*
 * Starts it, with no signal blocked, and SIGPIPE as it is by default.  Returns 0 with its number,
 * and the caller waits for it; or -1: ENOENT if there is no such program.
 */
int romsim_program_start(const struct romsim_program *program, pid_t *ret,
                         struct romsim_error *err);

/* Starts it and waits for its end.  What it prints beyond a buffer's maximum meets a closed pipe.
 * Returns 0 with the wait status, or -1 as above. */
int romsim_program_run(const struct romsim_program *program, int *ret_status,
                       struct romsim_error *err);

#endif
