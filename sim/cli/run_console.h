/* SPDX-License-Identifier: BSD-3-Clause */
/* run_console.h: what `romsim run` shows of its instances. */
#ifndef ROMSIM_CLI_RUN_CONSOLE_H
#define ROMSIM_CLI_RUN_CONSOLE_H

#include "input.h"
#include "shell.h"
#include "stream.h"
#include "timings.h"

#include <romsim/buffer.h>
#include <romsim/vm.h>

struct run_console {
    const char **names;        /* of the instances; borrowed */
    const struct input *input; /* what the app reads comes from our terminal, or NULL */
    struct shell
        *shell; /* beside the app, with our terminal while it is there; borrowed; or NULL */
    size_t count;
    bool quiet, verbose;
    bool is_ending;    /* the user wants the end */
    bool is_silent;    /* the apps' consoles are not shown; */
    const char *lists; /* an instance's name is, when it is in this state ("created" first) */
    int name_width;    /* of the longest */
    struct romsim_buffer *lines; /* of each console: what is not complete yet; used with several */
    struct romsim_buffer *logs;  /* the same of each kernel's log */
    bool *ended;                 /* which instances have */
    struct timings *timings;     /* of the starts; borrowed; or NULL */
    struct stream streams[4];
    struct stream *out, *err; /* the same if the two lead to one file, so that all is in order */
    struct stream *log;       /* of the file for the kernels' logs; without one its fd is -1 */
    struct stream *times;     /* the same for `timings` */
};

/* 0, or -1 without memory. */
int run_console_open(struct run_console *console, const char **names, size_t count);

/* What is written to a stream, `log` or `times`, goes to this file, and not to stderr.  It is
 * emptied; what is no regular file is not waited for. */
int run_console_open_file(struct stream *stream, const char *path, struct romsim_error *err);

void run_console_close(struct run_console *console);

/* A romsim_vm_observer; the context is a struct run_console. */
void run_console_event(void *context, size_t instance, const struct romsim_vm_event *event);

/* A line of romsim's own on stderr: "romsim: ...". */
void run_console_say(struct run_console *console, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
