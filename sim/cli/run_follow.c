/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * run_follow.c: `romsim run` from the start of its instances to their end.
 *
 * One loop over the user's signals, the instances and the two outputs, none of which it waits for
 * alone.  While an output stands still no more is taken from the instances, whose apps then wait as
 * they would for a slow terminal.  Once the user has asked for the end, an output has to go on
 * within two seconds, or is given up: the end of the apps would not be seen behind it.
 */
#include "run_follow.h"

#include "signals.h"

#include <romsim/cleanup.h>

#include <errno.h>
#include <poll.h>
#include <string.h>

enum {
    STATUS_FAILED = 125,
    HELD_ENOUGH = 256 << 10,
    TICK_MS = 100,
    QUIET_MS = 1000,           /* after a signal, before the user is told what is waited for */
    OUTPUT_PATIENCE_MS = 2000, /* after a signal; */
    OUTPUT_HASTE_MS = 200      /* after a second one */
};

enum { INPUT_FIRST = 6, SHELL_FIRST = INPUT_FIRST + INPUT_POLLS }; /* of what is polled for */

struct follow {
    struct romsim_vm *vm;
    struct run_console *console;
    struct watch *watch; /* or NULL */
    struct input *input; /* the same */
    unsigned asked;      /* how often somebody wanted the end */
    uint64_t asked_at;
    bool is_told, output_failed, log_failed, shell_is_over;
};

static bool is_running(const struct follow *follow)
{
    return follow->vm && romsim_vm_is_running(follow->vm);
}

static void ask(struct follow *follow)
{
    follow->asked_at = stream_clock();
    follow->asked++;
    follow->console->is_ending = true;
    if (!is_running(follow))
        follow->asked = 2; /* only the output is waited for */
    else if (follow->asked == 1)
        romsim_vm_stop(follow->vm);
    else
        romsim_vm_kill(follow->vm);
}

/* An output that stands still although the end was asked for is given up. */
static void hurry(struct follow *follow, struct stream *stream)
{
    uint64_t since = stream->still_since, patience = OUTPUT_PATIENCE_MS;

    if (!follow->asked || stream_held(stream) == 0)
        return;
    if (follow->asked > 1)
        patience = OUTPUT_HASTE_MS;
    if (since < follow->asked_at)
        since = follow->asked_at;
    if (stream_clock() - since >= patience)
        stream_end(stream);
}

/* "one, two": those that have not ended. */
static void name_running(const struct run_console *console, struct romsim_buffer *ret)
{
    for (size_t i = 0; i < console->count; i++)
        if (!console->ended[i])
            romsim_buffer_printf(ret, "%s%s", ret->size ? ", " : "", console->names[i]);
}

static void tell_what_is_waited_for(struct follow *follow)
{
    CLEANUP_BUFFER struct romsim_buffer names = ROMSIM_BUFFER_INIT(1 << 16);

    if (follow->asked != 1 || follow->is_told || !is_running(follow) ||
        stream_clock() - follow->asked_at < QUIET_MS)
        return;
    follow->is_told = true;
    name_running(follow->console, &names);
    if (!follow->console->quiet && names.size)
        run_console_say(follow->console,
                        "waiting for %s to end, at most %d s; another signal (ctrl-C) ends %s by "
                        "force",
                        follow->console->count > 1 ? names.data : "the app", ROMSIM_VM_STOP_SECONDS,
                        follow->console->count > 1 ? "all" : "it");
}

/* A reader that is gone needs no more, as everywhere in romsim it ends the command silently. */
static void on_output_problem(struct follow *follow)
{
    int problem = follow->console->out->problem;

    if (!problem || follow->output_failed)
        return;
    follow->output_failed = true;
    if (problem != EPIPE)
        run_console_say(follow->console, "error: cannot write the output: %s", strerror(problem));
    if (!is_running(follow))
        return;
    if (problem == EPIPE)
        follow->asked++;
    ask(follow);
}

/* The kernels' logs cannot be written any more: the apps can do without. */
static void on_log_problem(struct follow *follow)
{
    int problem = follow->console->log->problem;

    if (!problem || follow->log_failed)
        return;
    follow->log_failed = true;
    run_console_say(follow->console, "error: cannot write the rest of the kernel's log: %s",
                    strerror(problem));
}

static bool is_held(const struct run_console *console)
{
    return stream_held(console->out) || stream_held(console->err) || stream_held(console->log);
}

/* A watch_changer. */
static void restart(void *context, size_t instance, json_t *edits)
{
    romsim_vm_restart(context, instance, edits);
}

static void wait_for_something(struct follow *follow, int signals)
{
    const struct stream *out = follow->console->out, *err = follow->console->err;
    const struct stream *log = follow->console->log;
    bool is_full = stream_held(out) >= HELD_ENOUGH || stream_held(err) >= HELD_ENOUGH ||
                   stream_held(log) >= HELD_ENOUGH;
    struct pollfd polls[SHELL_FIRST + SHELL_POLLS] = {
        {signals, POLLIN, 0},
        {is_running(follow) && !is_full ? romsim_vm_fd(follow->vm) : -1, POLLIN, 0},
        {stream_held(out) ? out->fd : -1, POLLOUT, 0},
        {stream_held(err) ? err->fd : -1, POLLOUT, 0},
        {stream_held(log) ? log->fd : -1, POLLOUT, 0},
        {follow->asked ? -1 : watch_fd(follow->watch), POLLIN, 0},
    };

    input_polls(follow->input, polls + INPUT_FIRST);
    shell_polls(follow->console->shell, is_full, polls + SHELL_FIRST);
    if (poll(polls, sizeof(polls) / sizeof(polls[0]), follow->asked ? TICK_MS : -1) <= 0)
        return;
    if (polls[0].revents)
        for (unsigned count = signals_take(); count > 0; count--)
            ask(follow);
    if (polls[1].revents)
        romsim_vm_dispatch(follow->vm);
    if (polls[5].revents && follow->vm)
        watch_dispatch(follow->watch, restart, follow->vm);
    input_dispatch(follow->input, polls + INPUT_FIRST);
    shell_dispatch(follow->console->shell, polls + SHELL_FIRST, follow->console->out);
}

/* The user has left. */
static void leave(struct follow *follow)
{
    const char *name = follow->console->names[0];

    romsim_vm_release(follow->vm);
    shell_leave(follow->console->shell);
    if (!follow->console->quiet)
        run_console_say(
            follow->console,
            follow->console->shell
                ? "detached: 'romsim logs -f %s' shows its console, 'romsim rm %s' ends it"
                : "detached: 'romsim attach --stdin %s' comes back, 'romsim rm %s' ends "
                  "it",
            name, name);
}

/* The terminal is ours again, and the app's console is shown from here on. */
static void on_shell_end(struct follow *follow)
{
    struct run_console *console = follow->console;
    int status;

    if (!console->shell || follow->shell_is_over || !shell_has_ended(console->shell, &status))
        return;
    follow->shell_is_over = true;
    input_finish(follow->input);
    console->is_silent = false;
    if (console->quiet)
        return;
    if (console->ended[0])
        run_console_say(console, "the app has ended, and the shell with it");
    else if (status < 0)
        run_console_say(console,
                        "the line to the shell is broken; the app goes on, ctrl-C ends it");
    else
        run_console_say(
            console, "the shell has ended with status %d; the app goes on, ctrl-C ends it", status);
}

int run_follow(struct romsim_vm *vm, struct run_console *console, struct watch *watch,
               struct input *input, int signals)
{
    struct follow follow = {.vm = vm, .console = console, .watch = watch, .input = input};
    bool has_left = false;

    while ((is_running(&follow) && !has_left) || is_held(console)) {
        wait_for_something(&follow, signals);
        stream_flush(console->out);
        stream_flush(console->err);
        stream_flush(console->log);
        on_output_problem(&follow);
        on_log_problem(&follow);
        if (!has_left && input_is_detached(input) && vm) {
            has_left = true;
            leave(&follow);
        }
        if (!has_left)
            on_shell_end(&follow);
        tell_what_is_waited_for(&follow);
        hurry(&follow, console->out);
        hurry(&follow, console->err);
        hurry(&follow, console->log);
    }
    if (console->out->lost && !follow.output_failed && !console->quiet)
        run_console_say(console,
                        "nobody read the output for %d s: the rest of it, %zu bytes, is dropped",
                        OUTPUT_PATIENCE_MS / 1000, console->out->lost);
    if (follow.output_failed || !vm)
        return STATUS_FAILED;
    if (has_left)
        return 0;
    return romsim_vm_status(vm);
}
