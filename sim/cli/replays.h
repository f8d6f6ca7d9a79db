/* SPDX-License-Identifier: BSD-3-Clause */
/* replays.h: several cases, one after the other, and one report of them. */
#ifndef ROMSIM_CLI_REPLAYS_H
#define ROMSIM_CLI_REPLAYS_H

#include "sim/cli/cli.h"

#include <romsim/case.h>

#include <stdbool.h>

/* What has come of a case, to be filled in by who replays it. */
struct replays_result {
    json_t *verdict;               /* as --json has it; owned; NULL: it could not be run */
    struct romsim_buffer *console; /* what the app wrote, masked; borrowed, or NULL */
};

/* Replays one case in a process of its own, and reports what it cannot do.  Returns the exit
 * status. */
typedef int replays_one(void *context, const char *file, struct replays_result *ret);

/* Does the command line ask for that: several cases, a folder of them, or a report? */
bool replays_are_wanted(const struct cli_args *args);

/*
 * Replays all cases of the command line; of a folder the files *.tar.zst, sorted.  A line for each
 * goes to stdout, or with --json an array.  What cannot be read or run is an error in the report,
 * and not the end.  Returns the worst of their exit statuses.
 */
int replays_run(const struct cli_args *args, replays_one *one, void *context);

#endif
