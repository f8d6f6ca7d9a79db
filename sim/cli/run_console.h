/* SPDX-License-Identifier: BSD-3-Clause */
/* run_console.h: what `romsim run` shows of its instances. */
#ifndef ROMSIM_CLI_RUN_CONSOLE_H
#define ROMSIM_CLI_RUN_CONSOLE_H

#include <romsim/buffer.h>
#include <romsim/layout.h>
#include <romsim/vm.h>

struct run_line {
    struct romsim_buffer text; /* of a console, not complete yet */
};

struct run_console {
    const struct romsim_layout *const *layouts;
    size_t count;
    bool quiet, verbose;
    struct run_line *lines; /* one an instance; used with several */
};

/* A romsim_vm_observer; the context is a struct run_console. */
void run_console_event(void *context, size_t instance, const struct romsim_vm_event *event);

#endif
