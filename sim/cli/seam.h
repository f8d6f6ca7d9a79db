/* SPDX-License-Identifier: BSD-3-Clause */
/* seam.h: the options that put something in the way of reads: --trace, --fault. */
#ifndef ROMSIM_CLI_SEAM_H
#define ROMSIM_CLI_SEAM_H

#include "sim/cli/cli.h"

#include <romsim/seam.h>

/* What the options need while they are used. */
struct cli_seam {
    struct romsim_trace trace;
    struct romsim_faults *faults;
};

/* Reads the options, and opens the trace's file.  `stays`: standard error is there as long as they
 * are used, so that a trace can be without a file.  *ret_options refers to *ret.  CLI_OK, or
 * another exit status after a report; cli_seam_clear() in any case. */
int cli_seam_options(const struct cli_args *args, bool stays, struct cli_seam *ret,
                     struct romsim_seam_options *ret_options);
void cli_seam_clear(struct cli_seam *seam);

#endif
