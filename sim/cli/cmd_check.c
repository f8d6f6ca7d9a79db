/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_check.c: `romsim check FILE...`: would the cloud take these instances? */
#include "sim/cli/cli.h"

static int check_file(const struct cli_args *args, const char *file)
{
    struct romsim_instances instances;
    int status = cli_load(args, file, &instances);

    if (status == CLI_OK)
        romsim_instances_clear(&instances);
    return status;
}

static int run_check(const struct cli_args *args)
{
    int worst = CLI_OK;

    for (size_t i = 0; i < args->operand_count; i++) {
        int status = check_file(args, args->operands[i]);

        if (status == CLI_USAGE)
            return status;
        worst = status > worst ? status : worst;
    }
    return worst;
}

static const struct cli_option options[] = {CLI_OPTION_LIMIT, CLI_OPTION_END};

const struct cli_command cli_command_check = {
    .name = "check",
    .operands = "FILE...",
    .operands_min = 1,
    .operands_max = CLI_OPERANDS_ANY,
    .summary = "say whether the cloud would take the instances of a file",
    .description = "Silent when all is well.  Else every error of every file is printed, with its\n"
                   "place, and the exit status is 1.  Warnings do not count.\n",
    .options = options,
    .run = run_check,
};
