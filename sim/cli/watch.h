/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * watch.h: `run --watch`, `edit --watch`: what instances are made of is watched, and they are
 * started again with what has changed.
 */
#ifndef ROMSIM_CLI_WATCH_H
#define ROMSIM_CLI_WATCH_H

#include "run_console.h"

#include "sim/cli/cli.h"

#include <romsim/layout.h>
#include <romsim/vm.h>

struct watch;

/*
 * Watches what a command line (`args`) makes, the set, of which the instances from `first` on are
 * ours, those that the console names.  All is borrowed until watch_free().  NULL after a report.
 */
struct watch *watch_new(const struct cli_args *args, struct romsim_making *set, size_t first,
                        size_t count, struct run_console *console);
void watch_free(struct watch *watch); /* accepts NULL */

/* Makes a change of one of ours; takes the edits.  What comes of it is to be told by events. */
typedef void watch_changer(void *context, size_t instance, json_t *edits);

/* Readable when there is something to dispatch; -1 for NULL. */
int watch_fd(const struct watch *watch);
void watch_dispatch(struct watch *watch, watch_changer *change, void *context);

/* One of ours is not what the files make, but what this body of a request and these digests of ROMs
 * say: it is changed now, if that differs. */
void watch_catch_up(struct watch *watch, size_t instance, const json_t *request, const json_t *roms,
                    watch_changer *change, void *context);

/* A change was made, of an instance that does not run. */
void watch_edited(struct watch *watch, size_t instance);

/* A romsim_vm_observer that shows what run_console_event() does, and what came of changes; the
 * context is a struct watch. */
void watch_event(void *context, size_t instance, const struct romsim_vm_event *event);

#endif
