/* SPDX-License-Identifier: BSD-3-Clause */
/* ask.h: what the commands share that ask instances by their names. */
#ifndef ROMSIM_CLI_ASK_H
#define ROMSIM_CLI_ASK_H

#include "target.h"

/* An instance, or NULL after a report. */
struct target *ask_open(const struct cli_args *args, const char *name);

/* Calls and waits at most `timeout_ms` (-1: for ever).  The answer, a new reference, or NULL after
 * a report; takes the reference of `request`. */
json_t *ask(struct target *target, json_t *request, int timeout_ms);

/* What an instance should answer within when it need not do anything for it. */
enum { ASK_TIMEOUT_MS = 10000 };

/* Calls `one` with each operand's instance, or with --all with every one that is still there;
 * goes on after an error.  CLI_OK, or the first status that was not. */
int ask_each(const struct cli_args *args,
             int (*one)(const struct cli_args *args, struct target *target));

/* Starts an instance and follows it until it runs, or has ended; its console is not shown.  CLI_OK
 * if its app has begun, CLI_FAILED after a report. */
int ask_start(const struct cli_args *args, struct target *target);

/* The same of one that was started by its creation. */
int ask_until_it_runs(const struct cli_args *args, struct target *target);

/* Stops it by a request, and waits until it has stopped, beyond what it was given for that no
 * longer than for any answer.  CLI_OK, also if it was deleted by that, or CLI_FAILED. */
int ask_stop(struct target *target, json_t *request);

/* "10", "1500ms", "30s", "5m", "2h", "1d" as milliseconds; a bare number is seconds.  0, or -1
 * after a report (then return CLI_USAGE). */
int ask_duration(const struct cli_args *args, const char *option, int64_t absent, int64_t *ret);

#endif
