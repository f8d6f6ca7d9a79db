/* SPDX-License-Identifier: BSD-3-Clause */
/* capture_live.h: `romsim capture` of an instance that there is. */
#ifndef ROMSIM_CLI_CAPTURE_LIVE_H
#define ROMSIM_CLI_CAPTURE_LIVE_H

#include "sim/cli/cli.h"

#include <romsim/case.h>

/* Captures the instance that the operand names, as it is at this time.  Returns the exit status. */
int capture_live(const struct cli_args *args);

/* Writes the draft as the options say, to --output.  Returns the exit status. */
int capture_write(const struct cli_args *args, struct romsim_case_draft *draft);

#endif
