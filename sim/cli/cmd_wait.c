/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_wait.c: `romsim wait NAME...`: until instances are in a state. */
#include "sim/cli/ask.h"

#include <romsim/text.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>

static int wait_one(const struct cli_args *args, struct target *target)
{
    const char *state = cli_value(args, "state") ?: "running";
    struct romsim_error error;
    int64_t timeout_ms;
    json_t *answer;

    ask_duration(args, "timeout", -1, &timeout_ms); /* looked at before */
    answer = target_call(target, json_pack("{s:s, s:s}", "do", "wait", "state", state),
                         timeout_ms < 0 ? -1 : (int)timeout_ms, NULL, NULL, &error);
    if (!answer && error.errnum == ETIMEDOUT)
        romsim_error_set(&error, ETIMEDOUT, "timed out: '%s' is not %s yet",
                         QUOTE(target_name(target)), QUOTE(state));
    if (!answer)
        return cli_report(&error);
    json_decref(answer);
    printf("%s\n", target_name(target));
    return CLI_OK;
}

static int run_wait(const struct cli_args *args)
{
    int64_t timeout_ms;

    if (ask_duration(args, "timeout", -1, &timeout_ms) < 0)
        return CLI_USAGE;
    if (timeout_ms > INT_MAX)
        return cli_usage(args, "--timeout may be three weeks at most");
    return ask_each(args, wait_one);
}

static const struct cli_option options[] = {
    {"state", 's', "running|standby|stopped", "without this running"},
    {"timeout", 't', "TIME", "fail after that long: 30s, 5m"},
    {"all", 'a', NULL, "all instances"},
    CLI_OPTION_HOST,
    CLI_OPTION_END,
};

const struct cli_command cli_command_wait = {
    .name = "wait",
    .operands = "NAME...",
    .operands_min = 0,
    .operands_max = CLI_OPERANDS_ANY,
    .summary = "wait until instances run, or are in another state",
    .options = options,
    .run = run_wait,
};
