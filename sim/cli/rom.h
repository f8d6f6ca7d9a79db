/* SPDX-License-Identifier: BSD-3-Clause */
/* rom.h: the subcommands of `romsim rom`; cmd_rom.c has the list of them. */
#ifndef ROMSIM_CLI_ROM_H
#define ROMSIM_CLI_ROM_H

#include "sim/cli/cli.h"

extern const struct cli_command cli_command_rom_pack; /* rom_pack.c */

#endif
