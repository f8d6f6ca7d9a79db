/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_rom.c: `romsim rom ...`: looking into ROM images, checking and making them.  Each subcommand
 * has a file of its own, rom_NAME.c. */
#include "sim/cli/cli.h"

extern const struct cli_command cli_rom_ls, cli_rom_tree, cli_rom_cat, cli_rom_stat,
    cli_rom_extract, cli_rom_info, cli_rom_check, cli_rom_diff, cli_rom_pack;

static const struct cli_command *const subcommands[] = {
    &cli_rom_ls,   &cli_rom_tree,  &cli_rom_cat,  &cli_rom_stat, &cli_rom_extract,
    &cli_rom_info, &cli_rom_check, &cli_rom_diff, &cli_rom_pack, NULL,
};

const struct cli_command cli_command_rom = {
    .name = "rom",
    .operands = "",
    .summary = "look into ROM images, check, compare, unpack and make them",
    .subcommands = subcommands,
};
