/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_rom.c: `romsim rom`: making ROMs and looking into them. */
#include "sim/cli/rom.h"

static const struct cli_command *const subcommands[] = {
    &cli_command_rom_pack,
    NULL,
};

const struct cli_command cli_command_rom = {
    .name = "rom",
    .summary = "make ROMs and look into them",
    .subcommands = subcommands,
};
