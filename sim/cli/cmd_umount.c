/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_umount.c: `romsim umount DIR...`: ends mounts. */
#include "sim/cli/cli.h"

#include <romsim/fs.h>
#include <romsim/state.h>
#include <romsim/text.h>

static int unmount(const char *directory)
{
    struct romsim_error error;
    bool was_busy;

    if (romsim_fs_unmount(directory, &was_busy, &error) < 0)
        return cli_report(&error);
    if (was_busy)
        cli_note("'%s' is in use: it is detached, and ends with its last user", QUOTE(directory));
    return CLI_OK;
}

static int run_umount(const struct cli_args *args)
{
    int worst = CLI_OK;

    for (size_t i = 0; i < args->operand_count; i++)
        if (unmount(args->operands[i]) != CLI_OK)
            worst = CLI_FAILED;
    /* Only now: a mount whose server was killed is to be unmounted by name, not swept before. */
    romsim_state_sweep();
    return worst;
}

const struct cli_command cli_command_umount = {
    .name = "umount",
    .operands = "DIR...",
    .operands_min = 1,
    .operands_max = CLI_OPERANDS_ANY,
    .summary = "end a mount",
    .description = "One that is in use is gone from the directory at once, and ends with its last\n"
                   "user.  Other file systems than romsim's are refused.\n",
    .sweeps_itself = true,
    .run = run_umount,
};
