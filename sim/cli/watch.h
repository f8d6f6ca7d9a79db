/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * watch.h: `run --watch`: what instances are made of is watched, and they are started again with
 * what has changed.
 */
#ifndef ROMSIM_CLI_WATCH_H
#define ROMSIM_CLI_WATCH_H

#include "run_console.h"

#include "sim/cli/cli.h"

#include <romsim/layout.h>
#include <romsim/vm.h>

struct watch;

/* All is borrowed until watch_free().  NULL after a report. */
struct watch *watch_new(const struct cli_args *args, struct romsim_making *set,
                        struct run_console *console);
void watch_free(struct watch *watch); /* accepts NULL */

/* Readable when there is something to dispatch; -1 for NULL. */
int watch_fd(const struct watch *watch);
void watch_dispatch(struct watch *watch, struct romsim_vm *vm);

/* A romsim_vm_observer that shows what run_console_event() does, and what came of changes; the
 * context is a struct watch. */
void watch_event(void *context, size_t instance, const struct romsim_vm_event *event);

#endif
