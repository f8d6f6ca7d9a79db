/* SPDX-License-Identifier: BSD-3-Clause */
/* run_follow.h: `romsim run` from the start of its instances to their end. */
#ifndef ROMSIM_CLI_RUN_FOLLOW_H
#define ROMSIM_CLI_RUN_FOLLOW_H

#include "input.h"
#include "run_console.h"
#include "watch.h"

/*
 * Stays until all instances (NULL: there are none) have ended and what they said is written.  A
 * signal (`signals` is what signals_count() returned) asks them to end, a second one ends them by
 * force.  `watch` and `input` may be NULL.  Returns the exit status; 125 if the output cannot be
 * written; 0 if the user has left by the keys for it, and the instances go on.
 */
int run_follow(struct romsim_vm *vm, struct run_console *console, struct watch *watch,
               struct input *input, int signals);

#endif
