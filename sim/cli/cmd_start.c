/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_start.c: `romsim start NAME...` and `romsim restart NAME...`. */
#include "sim/cli/ask.h"

#include <stdio.h>
#include <string.h>

static int start_one(const struct cli_args *args, struct target *target)
{
    int status = ask_start(args, target);

    if (status == CLI_OK)
        printf("%s\n", target_name(target));
    return status;
}

static int run_start(const struct cli_args *args)
{
    return ask_each(args, start_one);
}

static const struct cli_option options[] = {
    {"all", 'a', NULL, "all instances"},
    {"quiet", 'q', NULL, "nothing on stderr but errors"},
    CLI_OPTION_HOST,
    CLI_OPTION_END,
};

const struct cli_command cli_command_start = {
    .name = "start",
    .help_beside = "start instances that are stopped; wait for a state",
    .operands = "NAME...",
    .operands_min = 0,
    .operands_max = CLI_OPERANDS_ANY,
    .summary = "start instances that are stopped",
    .description = "Returns when their apps run.  NAME is a name, or the beginning of a UUID.\n",
    .options = options,
    .run = run_start,
};

static int restart_one(const struct cli_args *args, struct target *target)
{
    int status = ask_stop(target, json_pack("{s:s}", "do", "stop"));

    return status == CLI_OK ? start_one(args, target) : status;
}

static int run_restart(const struct cli_args *args)
{
    return ask_each(args, restart_one);
}

const struct cli_command cli_command_restart = {
    .name = "restart",
    .operands = "NAME...",
    .operands_min = 0,
    .operands_max = CLI_OPERANDS_ANY,
    .summary = "stop instances and start them again",
    .options = options,
    .run = run_restart,
};
