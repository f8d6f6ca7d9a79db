/* SPDX-License-Identifier: BSD-3-Clause */
/* saved.h: what `romsim template` and `romsim checkpoint` do alike with VMs that were saved. */
#ifndef ROMSIM_CLI_SAVED_H
#define ROMSIM_CLI_SAVED_H

#include "sim/cli/cli.h"

#include <romsim/template.h>

/* List them (--json), show one, remove some.  Return exit statuses. */
int saved_ls(const struct cli_args *args, enum romsim_saved kind);
int saved_get(const struct cli_args *args, enum romsim_saved kind);
int saved_rm(const struct cli_args *args, enum romsim_saved kind);

#endif
