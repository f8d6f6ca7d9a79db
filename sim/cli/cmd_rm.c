/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_rm.c: `romsim rm NAME...`: deletes instances, whatever they do. */
#include "sim/cli/ask.h"

#include <romsim/state.h>

#include <errno.h>
#include <stdio.h>

/* A keeper that is stopped or hangs goes, too. */
static int rm_by_force(struct target *target)
{
    struct romsim_error error;

    if (target_kill(target, &error) < 0)
        return cli_report(&error);
    romsim_state_sweep();
    return CLI_OK;
}

static int rm_one(const struct cli_args *args, struct target *target)
{
    struct romsim_error error;
    json_t *answer =
        target_call(target, json_pack("{s:s}", "do", "delete"), ASK_TIMEOUT_MS, NULL, NULL, &error);

    (void)args;
    json_decref(answer);
    if (!answer &&
        (target_is_remote(target) || (error.errnum != ETIMEDOUT && error.errnum != EPIPE)))
        return cli_report(&error);
    if (!answer && rm_by_force(target) != CLI_OK)
        return CLI_FAILED;
    printf("%s\n", target_name(target));
    return CLI_OK;
}

static int run_rm(const struct cli_args *args)
{
    return ask_each(args, rm_one);
}

static const struct cli_option options[] = {
    {"all", 'a', NULL, "all instances"},
    CLI_OPTION_HOST,
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
