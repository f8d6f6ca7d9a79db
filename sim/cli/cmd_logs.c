/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_logs.c: `romsim logs NAME` and `romsim attach NAME`: what an app has said, and says.
 *
 * The console is bytes with offsets (romsim_link_call() "log"); lines are counted here.
 */
#include "sim/cli/ask.h"
#include "sim/cli/input.h"
#include "sim/cli/run_console.h"
#include "sim/cli/signals.h"

#include <romsim/text.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { LOG_MOST = 64 << 20, LOG_LAST = 64 << 10 };

/* ---- what was said -----------------------------------------------------------------------------
 */

/* A romsim_vm_observer: collects the console's bytes. */
static void collect(void *context, size_t instance, const struct romsim_vm_event *event)
{
    (void)instance;
    if (event->kind == ROMSIM_VM_CONSOLE)
        romsim_buffer_append(context, event->text, event->size);
}

static json_int_t offset_of(const json_t *answer, const char *range, const char *end)
{
    return json_integer_value(json_object_get(json_object_get(answer, range), end));
}

/* Where the last `lines` lines of a text begin. */
static size_t tail_start(const struct romsim_buffer *text, uint64_t lines)
{
    size_t place = text->size;

    if (!lines)
        return place;
    if (place && text->data[place - 1] == '\n')
        place--;
    while (place > 0 && (text->data[place - 1] != '\n' || --lines > 0))
        place--;
    return place;
}

/* The log from `offset` on (negative: from its end), or what was said in the last `since_ms`;
 * *ret_start is where it began and *ret_end the offset behind it. */
static int read_from(struct target *target, json_int_t offset, int64_t since_ms,
                     struct romsim_buffer *ret, json_int_t *ret_start, json_int_t *ret_end)
{
    json_t *request =
        json_pack("{s:s, s:I, s:i}", "do", "log", "offset", offset, "limit", LOG_MOST);
    struct romsim_error error;
    json_t *answer;

    if (since_ms >= 0)
        json_object_set_new(request, "since_ms", json_integer(since_ms));
    answer = target_call(target, request, -1, collect, ret, &error);
    if (!answer)
        return cli_report(&error);
    *ret_start = offset_of(answer, "range", "start");
    *ret_end = offset_of(answer, "range", "end");
    if (offset == 0 && since_ms < 0 && *ret_start > 0)
        cli_note("the first %lld bytes are gone, the log keeps the last 16 MiB",
                 (long long)*ret_start);
    json_decref(answer);
    return CLI_OK;
}

/* As much of the log as the last `lines` lines need (UINT64_MAX: all of it); they are in its last
 * bytes, as a rule, and a server takes its time for more. */
static int read_log(struct target *target, int64_t since_ms, uint64_t lines,
                    struct romsim_buffer *ret, json_int_t *ret_end)
{
    json_int_t start;

    if (lines != UINT64_MAX && since_ms < 0) {
        if (read_from(target, -LOG_LAST, -1, ret, &start, ret_end) != CLI_OK)
            return CLI_FAILED;
        if (ret->size < LOG_LAST || tail_start(ret, lines) > 0)
            return CLI_OK;
        romsim_buffer_reset(ret);
    }
    return read_from(target, 0, since_ms, ret, &start, ret_end);
}

/* ---- what is said ------------------------------------------------------------------------------
 */

/* What following comes to beside an app's status: romsim failed, or the instance is stopped. */
enum { FOLLOW_FAILED = -1, FOLLOW_NOTHING = -2 };

/* How following has ended. */
struct follow {
    struct run_console console;
    bool ended;
    bool is_deleted; /* the instance, so that there is nobody any more who tells how it ended */
    bool is_remote;
    struct input *input; /* or NULL */
    int status;
};

static void on_event(struct follow *follow, const struct romsim_vm_event *event)
{
    run_console_event(&follow->console, 0, event);
    if (event->kind == ROMSIM_VM_STATE && strcmp(event->text, "deleted") == 0)
        follow->is_deleted = true;
    if (event->kind != ROMSIM_VM_EXIT && event->kind != ROMSIM_VM_FAILED)
        return;
    follow->ended = true;
    follow->status = event->kind == ROMSIM_VM_EXIT ? event->status : CLI_RUN_FAILED;
}

static void on_lost(struct follow *follow)
{
    follow->ended = true;
    if (follow->is_deleted)
        return;
    follow->status = FOLLOW_FAILED;
    if (!follow->is_remote) /* else it was told before */
        run_console_say(&follow->console, "error: the keeper of '%s' was killed",
                        follow->console.names[0]);
}

/* The app takes our input, on a terminal or not, or it does not. */
static void on_input_answer(struct follow *follow, const json_t *answer)
{
    const json_t *error = json_object_get(answer, "error"), *terminal;
    const char *message = json_string_value(json_object_get(error, "message"));

    if (error) {
        run_console_say(&follow->console, "error: --stdin: %s", message ? message : "refused");
        follow->status = FOLLOW_FAILED;
        follow->ended = true;
    } else if ((terminal = json_object_get(answer, "terminal"))) {
        input_begin(follow->input, json_is_true(terminal));
    }
}

/* Takes what has come, as long as the output takes it. */
static void take_events(struct target *target, struct follow *follow)
{
    struct romsim_vm_event event;
    enum romsim_link_news news;
    json_t *answer = NULL;

    while (!follow->ended && stream_held(follow->console.out) == 0 &&
           (news = target_take(target, &event, &answer)) != ROMSIM_LINK_NOTHING) {
        if (news == ROMSIM_LINK_EVENT) {
            on_event(follow, &event);
        } else if (news == ROMSIM_LINK_ANSWER) {
            if (follow->input)
                on_input_answer(follow, answer);
            json_decref(answer);
        } else {
            on_lost(follow);
        }
    }
}

enum { INPUT_FIRST = 4 }; /* of what is polled for */

/* Until the app ends, a signal comes, the user leaves, or the reader goes, which is seen although
 * the app may say nothing more: `romsim logs -f NAME | grep -m 1 ready` ends with its grep. */
static void follow_events(struct target *target, struct follow *follow, int signals)
{
    struct stream *out = follow->console.out, *err = follow->console.err;

    while (!follow->ended || stream_held(out) || stream_held(err)) {
        struct pollfd polls[INPUT_FIRST + INPUT_POLLS] = {
            {signals, POLLIN, 0},
            {follow->ended || stream_held(out) ? -1 : target_fd(target), POLLIN, 0},
            {out->fd, stream_held(out) ? POLLOUT : 0, 0},
            {stream_held(err) ? err->fd : -1, POLLOUT, 0},
        };

        input_polls(follow->input, polls + INPUT_FIRST);
        if (poll(polls, sizeof(polls) / sizeof(polls[0]), -1) < 0)
            continue;
        if (polls[0].revents || polls[2].revents & ~POLLOUT || out->problem)
            return;
        take_events(target, follow);
        input_dispatch(follow->input, polls + INPUT_FIRST);
        if (input_is_detached(follow->input))
            return;
        stream_flush(out);
        stream_flush(err);
    }
}

/* Will the app say something, as far as one can know? */
static bool is_alive(const json_t *attached)
{
    const char *state = json_string_value(json_object_get(attached, "state")) ?: "";

    return strcmp(state, "stopped") != 0 || json_is_true(json_object_get(attached, "restarts"));
}

/* An input_asker. */
static int ask_target(void *context, json_t *request, int passed, struct romsim_error *err)
{
    return target_send_with(context, request, passed, err);
}

/* Returns 0, or -1 after a report. */
static int open_input(struct target *target, struct follow *follow)
{
    follow->input = input_new(ask_target, target);
    follow->console.input = follow->input;
    return follow->input ? input_offer(follow->input) : -1;
}

/* Attaches, from `offset` on (negative: from the console's end).  What the app has said since then
 * comes from a keeper before its answer; from a server it is taken afterwards, with the rest. */
static json_t *attach(struct target *target, json_int_t offset, struct romsim_buffer *ret_said)
{
    json_t *request = json_pack("{s:s}", "do", "attach"), *answer;
    struct romsim_error error;

    if (offset >= 0)
        json_object_set_new(request, "offset", json_integer(offset));
    answer = target_call(target, request, ASK_TIMEOUT_MS, collect, ret_said, &error);
    if (!answer)
        cli_report(&error);
    return answer;
}

/* Follows the console from `offset` on (negative: from its end).  The app's status, CLI_OK after a
 * signal, or one of the above. */
static int follow_console(const struct cli_args *args, struct target *target, json_int_t offset)
{
    struct follow follow = {.console = {.quiet = cli_has(args, "quiet")},
                            .is_remote = target_is_remote(target)};
    CLEANUP_BUFFER struct romsim_buffer said = ROMSIM_BUFFER_INIT(LOG_MOST);
    const char *name = target_name(target);
    int signals = signals_count();
    json_t *answer = attach(target, offset, &said);
    bool alive;

    if (!answer)
        return FOLLOW_FAILED;
    alive = is_alive(answer);
    json_decref(answer);
    if (!alive)
        return FOLLOW_NOTHING;
    fwrite(said.data ?: "", 1, said.size, stdout);
    fflush(stdout);
    if (run_console_open(&follow.console, &name, 1) < 0)
        return FOLLOW_FAILED;
    signal(SIGPIPE, SIG_IGN);
    if (!cli_has(args, "stdin") || open_input(target, &follow) == 0)
        follow_events(target, &follow, signals);
    else
        follow.status = FOLLOW_FAILED;
    if (input_is_detached(follow.input) && !follow.console.quiet) {
        run_console_say(&follow.console, "detached from '%s'", name);
        stream_flush(follow.console.err);
    }
    follow.console.input = NULL;
    input_free(follow.input);
    run_console_close(&follow.console);
    return follow.status;
}

/* ---- the commands ------------------------------------------------------------------------------
 */

/* What was said between a reading of the log and the app's end. */
static int print_rest(struct target *target, json_int_t offset)
{
    CLEANUP_BUFFER struct romsim_buffer rest = ROMSIM_BUFFER_INIT(LOG_MOST);
    json_int_t start, end;

    if (read_from(target, offset, -1, &rest, &start, &end) != CLI_OK)
        return CLI_FAILED;
    fwrite(rest.data ?: "", 1, rest.size, stdout);
    return CLI_OK;
}

static int run_logs(const struct cli_args *args)
{
    CLEANUP_BUFFER struct romsim_buffer log = ROMSIM_BUFFER_INIT(LOG_MOST);
    CLEANUP_TARGET struct target *target = NULL;
    size_t start = 0;
    json_int_t end;
    int64_t since_ms;
    uint64_t tail;
    int status;

    if (ask_duration(args, "since", -1, &since_ms) < 0 ||
        cli_number(args, "tail", 0, UINT32_MAX, UINT64_MAX, &tail) < 0)
        return CLI_USAGE;
    signals_catch();
    target = ask_open(args, args->operands[0]);
    if (!target || read_log(target, since_ms, tail, &log, &end) != CLI_OK)
        return CLI_FAILED;
    if (tail != UINT64_MAX)
        start = tail_start(&log, tail);
    fwrite(log.data ? log.data + start : "", 1, log.size - start, stdout);
    if (!cli_has(args, "follow"))
        return CLI_OK;
    fflush(stdout);
    status = follow_console(args, target, end);
    if (status == FOLLOW_NOTHING)
        return print_rest(target, end);
    return status == FOLLOW_FAILED ? CLI_FAILED : CLI_OK;
}

static const struct cli_option logs_options[] = {
    {"follow", 'f', NULL, "go on with what comes, until the app ends"},
    {"tail", 'n', "LINES", "the last lines only"},
    {"since", 0, "TIME", "only what was said in the last 30s, 5m, 2h"},
    {"quiet", 'q', NULL, "nothing on stderr but errors"},
    CLI_OPTION_HOST,
    CLI_OPTION_END,
};

const struct cli_command cli_command_logs = {
    .name = "logs",
    .help_beside = "show what an app has said; what it says from now on",
    .operands = "NAME",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "show what an instance's app has said",
    .description = "The console's last 16 MiB are kept, over all starts.\n",
    .options = logs_options,
    .run = run_logs,
};

static int run_attach(const struct cli_args *args)
{
    CLEANUP_TARGET struct target *target = NULL;
    const char *name;
    int status;

    signals_catch();
    target = ask_open(args, args->operands[0]);
    status = target ? follow_console(args, target, -1) : FOLLOW_FAILED;
    if (status != FOLLOW_NOTHING)
        return status == FOLLOW_FAILED ? CLI_RUN_FAILED : status;
    name = target_name(target);
    cli_note("'%s' is stopped: 'romsim start %s' starts it", QUOTE(name), QUOTE(name));
    return CLI_RUN_FAILED;
}

static const struct cli_option attach_options[] = {
    {"stdin", 'i', NULL, "what is typed or piped here is the app's input"},
    {"quiet", 'q', NULL, "nothing on stderr but errors"},
    CLI_OPTION_HOST,
    CLI_OPTION_END,
};

const struct cli_command cli_command_attach = {
    .name = "attach",
    .operands = "NAME",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "show what an instance's app says from now on",
    .description = "Ends with the app, and with its status; ctrl-C leaves it running, and with\n"
                   "--stdin and a terminal ctrl-P ctrl-Q does.\n",
    .options = attach_options,
    .run = run_attach,
};
