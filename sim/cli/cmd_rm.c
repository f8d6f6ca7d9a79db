/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_rm.c: `romsim rm NAME...`: deletes instances, whatever they do. */
#include "sim/cli/ask.h"

#include <stdio.h>

static int rm_one(const struct cli_args *args, struct romsim_link *link)
{
    json_t *answer = ask(link, json_pack("{s:s}", "do", "delete"), -1);

    (void)args;
    json_decref(answer);
    if (!answer)
        return CLI_FAILED;
    printf("%s\n", romsim_link_name(link));
    return CLI_OK;
}

static int run_rm(const struct cli_args *args)
{
    return ask_each(args, rm_one);
}

static const struct cli_option options[] = {
    {"all", 'a', NULL, "all instances"},
    CLI_OPTION_END,
};

const struct cli_command cli_command_rm = {
    .name = "rm",
    .operands = "NAME...",
    .operands_min = 0,
    .operands_max = CLI_OPERANDS_ANY,
    .summary = "delete instances; what runs is ended by force",
    .options = options,
    .run = run_rm,
};
