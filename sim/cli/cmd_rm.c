/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_rm.c: `romsim rm NAME...`: deletes instances, whatever they do. */
#include "sim/cli/ask.h"

#include <romsim/state.h>

#include <errno.h>
#include <stdio.h>

/* A keeper that is stopped or hangs goes, too. */
static int rm_by_force(struct romsim_link *link)
{
    struct romsim_error error;

    if (romsim_link_kill(link, &error) < 0)
        return cli_report(&error);
    romsim_state_sweep();
    return CLI_OK;
}

static int rm_one(const struct cli_args *args, struct romsim_link *link)
{
    struct romsim_error error;
    json_t *answer = romsim_link_call(link, json_pack("{s:s}", "do", "delete"), ASK_TIMEOUT_MS,
                                      NULL, NULL, &error);

    (void)args;
    json_decref(answer);
    if (!answer && error.errnum != ETIMEDOUT && error.errnum != EPIPE)
        return cli_report(&error);
    if (!answer && rm_by_force(link) != CLI_OK)
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
