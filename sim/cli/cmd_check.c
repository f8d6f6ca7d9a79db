/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_check.c: `romsim check FILE...`: would the cloud take these instances, and would they start?
 */
#include "sim/cli/cli.h"

static int check_instances(const struct romsim_instances *instances, bool local)
{
    struct romsim_diagnostics diagnostics = {0};
    int status;

    for (size_t i = 0; i < instances->count; i++)
        cli_judge(instances->items[i], local, &diagnostics);
    status = diagnostics.errors ? CLI_FAILED : CLI_OK;
    cli_report_all(&diagnostics);
    romsim_diagnostics_clear(&diagnostics);
    return status;
}

static int check_file(const struct cli_args *args, const char *file)
{
    struct romsim_instances instances;
    int status = cli_load(args, file, &instances);

    if (status != CLI_OK)
        return status;
    status = check_instances(&instances, cli_has(args, "local"));
    romsim_instances_clear(&instances);
    return status;
}

static int run_check(const struct cli_args *args)
{
    int worst = cli_processor(args);

    if (worst != CLI_OK)
        return worst;
    for (size_t i = 0; i < args->operand_count; i++) {
        int status = check_file(args, args->operands[i]);

        if (status == CLI_USAGE)
            return status;
        worst = status > worst ? status : worst;
    }
    return worst;
}

static const struct cli_option options[] = {
    {"local", 0, NULL, "names that are not in the local store are errors"},
    CLI_OPTION_FROM_GET,
    CLI_OPTION_PROCESSOR,
    CLI_OPTION_LIMIT,
    CLI_OPTION_END};

const struct cli_command cli_command_check = {
    .name = "check",
    .operands = "FILE...",
    .operands_min = 1,
    .operands_max = CLI_OPERANDS_ANY,
    .summary = "say whether the cloud would take and start instances",
    .description =
        "Silent when all is well.  Else every error of every file is printed, with its\n"
        "place, and the exit status is 1.  Warnings do not count.  Images that are to\n"
        "be had here are looked at, too: damage, mount points that cannot be, a command\n"
        "that is not there, not executable or without its interpreter.\n",
    .options = options,
    .run = run_check,
};
