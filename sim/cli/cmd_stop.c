/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_stop.c: `romsim stop NAME...`, and `romsim suspend NAME...`. */
#include "sim/cli/ask.h"

#include <stdio.h>

enum { TIMEOUT_MOST_MS = 86400000 };

static int stop_one(const struct cli_args *args, struct target *target)
{
    json_t *request = json_pack("{s:s, s:b}", "do", "stop", "force", cli_has(args, "force"));
    int64_t timeout_ms, drain_ms;
    int status;

    /* Looked at before. */
    ask_duration(args, "timeout", -1, &timeout_ms);
    ask_duration(args, "drain", 0, &drain_ms);
    if (timeout_ms >= 0)
        json_object_set_new(request, "timeout_ms", json_integer(timeout_ms));
    if (drain_ms)
        json_object_set_new(request, "drain_ms", json_integer(drain_ms));
    status = ask_stop(target, request);
    if (status == CLI_OK)
        printf("%s\n", target_name(target));
    return status;
}

static int run_stop(const struct cli_args *args)
{
    int64_t timeout_ms, drain_ms;

    if (ask_duration(args, "timeout", -1, &timeout_ms) < 0 ||
        ask_duration(args, "drain", 0, &drain_ms) < 0)
        return CLI_USAGE;
    if (timeout_ms > TIMEOUT_MOST_MS || drain_ms > TIMEOUT_MOST_MS)
        return cli_usage(args, "a day is the longest time to wait for");
    if (cli_has(args, "force") && (cli_has(args, "drain") || cli_has(args, "timeout")))
        return cli_usage(args, "--force waits for nothing, so not with --drain or --timeout");
    return ask_each(args, stop_one);
}

/* ---- suspend ---------------------------------------------------------------------------- */

static int suspend_one(const struct cli_args *args, struct target *target)
{
    int status = ask_stop(target, json_pack("{s:s}", "do", "suspend"));

    (void)args;
    if (status == CLI_OK)
        printf("%s\n", target_name(target));
    return status;
}

static int run_suspend(const struct cli_args *args)
{
    return ask_each(args, suspend_one);
}

static const struct cli_option suspend_options[] = {
    {"all", 'a', NULL, "all instances"},
    CLI_OPTION_HOST,
    CLI_OPTION_END,
};

const struct cli_command cli_command_suspend = {
    .name = "suspend",
    .operands = "NAME...",
    .operands_min = 0,
    .operands_max = CLI_OPERANDS_ANY,
    .summary = "save instances and stop them; 'start' lets them go on",
    .description = "What is saved is kept in this machine's memory while the instance is there.\n",
    .options = suspend_options,
    .run = run_suspend,
};

/* ---- stop ------------------------------------------------------------------------------- */

static const struct cli_option options[] = {
    {"force", 'f', NULL, "end it at once, the app is not asked"},
    {"drain", 0, "TIME", "first let open connections end, at most that long"},
    {"timeout", 't', "TIME", "how long the app has after SIGTERM (10s)"},
    {"all", 'a', NULL, "all instances"},
    CLI_OPTION_HOST,
    CLI_OPTION_END,
};

const struct cli_command cli_command_stop = {
    .name = "stop",
    .help_beside = "stop instances; save them, so that 'start' lets them go on",
    .operands = "NAME...",
    .operands_min = 0,
    .operands_max = CLI_OPERANDS_ANY,
    .summary = "stop instances; they can be started again",
    .description = "The app gets SIGTERM, and is killed if it does not end in time.  TIME is in\n"
                   "seconds, or has a unit: 500ms, 30s, 5m.\n",
    .options = options,
    .run = run_stop,
};
