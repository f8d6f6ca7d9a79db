/* SPDX-License-Identifier: BSD-3-Clause */
/* edit_watch.h: `romsim edit NAME --watch`. */
#ifndef ROMSIM_CLI_EDIT_WATCH_H
#define ROMSIM_CLI_EDIT_WATCH_H

#include "sim/cli/cli.h"

/* Watches what an instance was made from, until a signal, and has each change become an edit of it,
 * with which it is started again.  Returns the exit status. */
int edit_watch(const struct cli_args *args);

#endif
