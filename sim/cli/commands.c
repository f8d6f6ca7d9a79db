/* SPDX-License-Identifier: BSD-3-Clause */
/* commands.c: the list of commands, in the order of the help. */
#include "sim/cli/cli.h"

/* Weak while the house is being built: a command that is not there yet is not listed. */
#define COMMAND(name) extern const struct cli_command cli_command_##name __attribute__((weak))

COMMAND(run);
COMMAND(plan);
COMMAND(check);
COMMAND(request);
COMMAND(build);
COMMAND(mount);
COMMAND(umount);
COMMAND(rom);
COMMAND(image);
COMMAND(doctor);

static const struct cli_command *all[] = {
    &cli_command_run,
    &cli_command_plan,
    &cli_command_check,
    &cli_command_request,
    &cli_command_build,
    &cli_command_mount,
    &cli_command_umount,
    &cli_command_rom,
    &cli_command_image,
    &cli_command_doctor,
    NULL,
};

const struct cli_command *const *cli_commands = all;

/* Closes the holes that missing commands leave in the list. */
static __attribute__((constructor)) void close_holes(void)
{
    size_t count = 0;

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (all[i])
            all[count++] = all[i];
    while (count < sizeof(all) / sizeof(all[0]))
        all[count++] = NULL;
}
