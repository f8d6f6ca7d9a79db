/* SPDX-License-Identifier: BSD-3-Clause */
/* ask.c: what the commands share that ask instances by their names. */
#include "ask.h"

#include "run_console.h"

#include <romsim/bounds.h>
#include <romsim/text.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

struct target *ask_open(const struct cli_args *args, const char *name)
{
    struct romsim_error error;
    struct target *target = target_open(args, name, &error);

    if (!target)
        cli_report(&error);
    return target;
}

json_t *ask(struct target *target, json_t *request, int timeout_ms)
{
    struct romsim_error error;
    json_t *answer = target_call(target, request, timeout_ms, NULL, NULL, &error);

    if (!answer)
        cli_report(&error);
    return answer;
}

static void note_status(int *status, int next)
{
    if (*status == CLI_OK)
        *status = next;
}

typedef int asker(const struct cli_args *args, struct target *target);

/* With --all: one that is gone by now is none. */
static int ask_named(const struct cli_args *args, const char *name, bool all, asker *one)
{
    struct romsim_error error;
    CLEANUP_TARGET struct target *target = target_open(args, name, &error);

    if (target)
        return one(args, target);
    return all && error.errnum == ENOENT ? CLI_OK : cli_report(&error);
}

int ask_each(const struct cli_args *args, asker *one)
{
    bool all = cli_has(args, "all");
    struct romsim_error error;
    int status = CLI_OK;
    json_t *list;

    if (all && args->operand_count)
        return cli_usage(args, "give names, or --all");
    if (!all && !args->operand_count)
        return cli_usage(args, "give the names of instances, or --all");
    for (size_t i = 0; i < args->operand_count; i++)
        note_status(&status, ask_named(args, args->operands[i], false, one));
    if (!all)
        return status;
    list = target_list(args, &error);
    if (!list)
        return cli_report(&error);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_object_get(json_array_get(list, i), "name"));

        if (name)
            note_status(&status, ask_named(args, name, true, one));
    }
    json_decref(list);
    return status;
}

/* ---- starting and stopping --------------------------------------------------------------------
 */

/* What a start has come to. */
struct start {
    struct run_console console;
    bool runs, ended, has_failed, is_lost;
};

/* A romsim_vm_observer. */
static void on_start_event(void *context, size_t instance, const struct romsim_vm_event *event)
{
    struct start *start = context;

    run_console_event(&start->console, instance, event);
    if (event->kind == ROMSIM_VM_STATE && strcmp(event->text, "running") == 0)
        start->runs = true;
    if (event->kind != ROMSIM_VM_EXIT && event->kind != ROMSIM_VM_FAILED)
        return;
    start->ended = true;
    start->has_failed = event->kind == ROMSIM_VM_FAILED;
}

/* Takes events until the start has come to something. */
static void follow_start(struct target *target, struct start *start)
{
    struct pollfd news = {.fd = target_fd(target), .events = POLLIN};
    struct romsim_vm_event event;
    json_t *answer = NULL;

    while (!start->runs && !start->ended) {
        switch (target_take(target, &event, &answer)) {
        case ROMSIM_LINK_EVENT:
            on_start_event(start, 0, &event);
            break;
        case ROMSIM_LINK_ANSWER:
            json_decref(answer);
            break;
        case ROMSIM_LINK_END:
            start->ended = start->is_lost = true;
            break;
        case ROMSIM_LINK_NOTHING:
            poll(&news, 1, -1);
            break;
        }
    }
}

/* Follows an instance until its app has begun, from an attachment on that has been made; with
 * `request`, which is sent first (takes the reference). */
static int come_to_run(const struct cli_args *args, struct target *target, json_t *request)
{
    const char *name = target_name(target);
    struct start start = {
        .console = {.quiet = cli_has(args, "quiet"), .is_silent = true},
    };
    struct romsim_error error;
    json_t *answer = NULL;

    if (run_console_open(&start.console, &name, 1) < 0) {
        json_decref(request);
        return CLI_FAILED;
    }
    if (request)
        answer = target_call(target, request, ASK_TIMEOUT_MS, on_start_event, &start, &error);
    if (answer || !request)
        follow_start(target, &start);
    json_decref(answer);
    if (start.is_lost && !target_is_remote(target))
        run_console_say(&start.console, "error: the keeper of '%s' has ended", name);
    else if (start.ended && !start.runs && !start.has_failed && !start.is_lost)
        run_console_say(&start.console, "error: '%s' was stopped before its app began", name);
    stream_flush(start.console.err);
    run_console_close(&start.console);
    if (request && !answer)
        return cli_report(&error);
    return start.runs ? CLI_OK : CLI_FAILED;
}

int ask_start(const struct cli_args *args, struct target *target)
{
    json_t *attached = ask(target, json_pack("{s:s}", "do", "attach"), ASK_TIMEOUT_MS);

    json_decref(attached);
    return attached ? come_to_run(args, target,
                                  json_pack("{s:s, s:I}", "do", "start", "overcommit",
                                            (json_int_t)romsim_bound(ROMSIM_BOUND_OVERCOMMIT)))
                    : CLI_FAILED;
}

/* Has an app that is not starting any more begun? */
static int check_it_ran(struct target *target)
{
    json_t *item = ask(target, json_pack("{s:s}", "do", "get"), ASK_TIMEOUT_MS);
    bool ran = json_integer_value(json_object_get(item, "boot_time_us")) > 0;

    if (item && !ran)
        cli_note("error: '%s' was stopped before its app began", QUOTE(target_name(target)));
    json_decref(item);
    return ran ? CLI_OK : CLI_FAILED;
}

int ask_until_it_runs(const struct cli_args *args, struct target *target)
{
    json_t *attached = ask(target, json_pack("{s:s}", "do", "attach"), ASK_TIMEOUT_MS);
    bool is_starting =
        strcmp(json_string_value(json_object_get(attached, "state")) ?: "", "starting") == 0;

    json_decref(attached);
    if (!attached)
        return CLI_FAILED;
    return is_starting ? come_to_run(args, target, NULL) : check_it_ran(target);
}

int ask_stop(struct target *target, json_t *request)
{
    json_int_t drain = json_integer_value(json_object_get(request, "drain_ms"));
    const json_t *timeout = json_object_get(request, "timeout_ms");
    json_int_t given =
        drain + (timeout ? json_integer_value(timeout) : (json_int_t)ROMSIM_VM_STOP_SECONDS * 1000);
    struct romsim_error error;
    json_t *answer;

    json_object_set_new(request, "wait", json_true());
    answer = target_call(target, request, (int)given + ASK_TIMEOUT_MS, NULL, NULL, &error);
    json_decref(answer);
    if (answer || error.cloud == ROMSIM_CLOUD_NOT_FOUND)
        return CLI_OK;
    return cli_report(&error);
}

/* ---- durations ---------------------------------------------------------------------------------
 */

int ask_duration(const struct cli_args *args, const char *option, int64_t absent, int64_t *ret)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    const char *value = cli_value(args, option);
    char *end;
    long long number;

    *ret = absent;
    if (!value)
        return 0;
    errno = 0;
    number = strtoll(value, &end, 10);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (end != value && number >= 0 && number < 1000000000 && strcmp(end, units[i].name) == 0) {
            *ret = number * units[i].ms;
            return 0;
        }
    cli_usage(args, "--%s is '%s', but has to be a time such as 30s, 5m, 2h", option, QUOTE(value));
    return -1;
}
