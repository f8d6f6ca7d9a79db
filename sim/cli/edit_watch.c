/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * edit_watch.c: `romsim edit NAME --watch`: what `run --watch` does, for an instance that lives.
 *
 * Its keeper knows the command line that made it, and the folder in which that was given: here it
 * is parsed and followed once more, up to where the instance would be made, and watch.c compares
 * the outcome with what the keeper has, now and after each change.
 */
#include "edit_watch.h"

#include "ask.h"
#include "make.h"
#include "remote.h"
#include "signals.h"
#include "watch.h"

#include <romsim/layout.h>
#include <romsim/text.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    RESTART_PATIENCE_MS = 2000, /* for an app to make room for its successor */
    STOPPED_BY_USER = 8         /* of a stop_reason (cloud-rules §1) */
};

/* ---- how it was made --------------------------------------------------------------------------
 */

/* A command line of before. */
struct made {
    char **words; /* NULL-terminated; the strings are the JSON's */
    struct cli_args args;
    struct romsim_making set;
};

static void made_clear(struct made *made)
{
    free(made->words);
    free(made->args.matches);
    romsim_making_clear(&made->set);
}

/* Follows it in its folder, which becomes ours. */
static int make_again(const json_t *source, struct made *ret)
{
    const char *directory = json_string_value(json_object_get(source, "directory"));
    const json_t *words = json_object_get(source, "words");
    size_t count = json_array_size(words);
    struct romsim_vm_options options;
    struct romsim_error error;
    int status;

    ret->words = calloc(count + 1, sizeof(char *));
    for (size_t i = 0; ret->words && i < count; i++)
        ret->words[i] = (char *)json_string_value(json_array_get(words, i));
    if (!ret->words || !directory || chdir(directory) < 0) {
        romsim_error_system(&error, errno, "cannot enter '%s', where it was made",
                            QUOTE(directory ? directory : ""));
        return cli_report(&error);
    }
    status = cli_parse((int)count, ret->words, &ret->args);
    if (status == CLI_OK && make_vm_options(&ret->args, &options) < 0)
        status = CLI_FAILED;
    if (status == CLI_OK)
        status = make_choose_processor(&ret->args, &options, &options.processor);
    return status == CLI_OK ? make_set(&ret->args, &options.limits, &ret->set) : status;
}

/* ---- changes -----------------------------------------------------------------------------------
 */

struct following {
    struct romsim_link *link;
    struct run_console console;
    struct watch *watch;
    bool is_edited; /* without a restart: that is to be answered */
    bool has_ended;
    int status;
};

/* A romsim_vm_observer. */
static void on_event(void *context, size_t instance, const struct romsim_vm_event *event)
{
    struct following *following = context;
    const char *name = following->console.names[0];

    if (event->kind == ROMSIM_VM_STATE && strcmp(event->text, "deleted") == 0) {
        following->has_ended = true;
        run_console_say(&following->console, "'%s' was deleted", name);
    } else if (event->kind != ROMSIM_VM_EXIT) {
        watch_event(following->watch, instance, event);
    } else if (!following->console.quiet) {
        run_console_say(&following->console, "%s: the app ended with status %d", name,
                        event->status);
    }
}

static void tell_error(struct following *following, const char *message)
{
    const struct romsim_vm_event event = {
        .kind = ROMSIM_VM_ERROR, .text = message, .size = strlen(message)};

    watch_event(following->watch, 0, &event);
}

/* What the user has stopped, or has not started yet, stays so, and so does what the next connection
 * starts; what has ended is tried again. */
static bool is_to_start(const json_t *item)
{
    const char *state = json_string_value(json_object_get(item, "state")) ?: "";
    json_int_t reason = json_integer_value(json_object_get(item, "stop_reason"));

    if (strcmp(state, "standby") == 0)
        return false;
    return strcmp(state, "stopped") != 0 || (reason && !(reason & STOPPED_BY_USER));
}

/* A watch_changer. */
static void change(void *context, size_t instance, json_t *edits)
{
    struct following *following = context;
    struct romsim_error error = {0};
    json_t *item = romsim_link_call(following->link, json_pack("{s:s}", "do", "get"),
                                    ASK_TIMEOUT_MS, on_event, following, &error);

    (void)instance;
    following->is_edited = item && !is_to_start(item);
    if (!item || romsim_link_send(following->link,
                                  json_pack("{s:s, s:i, s:O}", "do",
                                            following->is_edited ? "edit" : "restart", "timeout_ms",
                                            RESTART_PATIENCE_MS, "edits", edits),
                                  &error) < 0)
        tell_error(following, error.message);
    json_decref(edits);
    json_decref(item);
}

static void on_answer(struct following *following, const json_t *answer)
{
    const json_t *problem = json_object_get(answer, "error");
    const char *message = json_string_value(json_object_get(problem, "message"));

    if (problem)
        tell_error(following, message ? message : "the instance refused");
    else if (following->is_edited)
        watch_edited(following->watch, 0);
    following->is_edited = false;
}

static void take_events(struct following *following)
{
    struct romsim_vm_event event;
    enum romsim_link_news news;
    json_t *answer = NULL;

    while (!following->has_ended &&
           (news = romsim_link_take(following->link, &event, &answer)) != ROMSIM_LINK_NOTHING) {
        if (news == ROMSIM_LINK_EVENT) {
            on_event(following, 0, &event);
        } else if (news == ROMSIM_LINK_ANSWER) {
            on_answer(following, answer);
            json_decref(answer);
        } else {
            following->has_ended = true;
            following->status = CLI_FAILED;
            run_console_say(&following->console, "error: the keeper of '%s' was killed",
                            following->console.names[0]);
        }
    }
}

/* ---- from beginning to end --------------------------------------------------------------------
 */

static void follow(struct following *following, int signals)
{
    struct stream *out = following->console.out, *err = following->console.err;

    while (!following->has_ended || stream_held(err)) {
        struct pollfd polls[] = {
            {signals, POLLIN, 0},
            {following->has_ended ? -1 : romsim_link_fd(following->link), POLLIN, 0},
            {watch_fd(following->watch), POLLIN, 0},
            {stream_held(err) ? err->fd : -1, POLLOUT, 0},
        };

        if (poll(polls, sizeof(polls) / sizeof(polls[0]), -1) < 0)
            continue;
        if (polls[0].revents || err->problem)
            return;
        take_events(following);
        if (polls[2].revents)
            watch_dispatch(following->watch, change, following);
        stream_flush(out);
        stream_flush(err);
    }
}

/* From the keeper's answer on. */
static int watch_made(const struct cli_args *args, struct romsim_link *link, const json_t *answer,
                      struct made *made)
{
    struct following following = {
        .link = link,
        .console = {.quiet = cli_has(args, "quiet"), .is_silent = true},
        .status = CLI_OK,
    };
    json_int_t position = json_integer_value(json_object_get(answer, "position"));
    const char *name = romsim_link_name(link);
    struct romsim_error error;
    json_t *attached;

    if (position < 0 || (size_t)position >= made->set.count) {
        romsim_error_set(&error, EINVAL, "the file does not make '%s' any more", QUOTE(name));
        return cli_report(&error);
    }
    if (run_console_open(&following.console, &name, 1) < 0)
        return CLI_FAILED;
    following.watch = watch_new(&made->args, &made->set, (size_t)position, 1, &following.console);
    attached =
        following.watch
            ? romsim_link_call(link, json_pack("{s:s, s:b}", "do", "attach", "starts_often", 1),
                               ASK_TIMEOUT_MS, on_event, &following, &error)
            : NULL;
    if (following.watch && !attached)
        cli_report(&error);
    if (attached) {
        int signals = signals_count();

        signal(SIGPIPE, SIG_IGN);
        watch_catch_up(following.watch, 0, json_object_get(answer, "request"),
                       json_object_get(answer, "roms"), change, &following);
        /* Only now: what changes from here on is told by its name. */
        if (!following.console.quiet)
            run_console_say(&following.console,
                            "what '%s' is made of is watched; ctrl-C ends that, and not '%s'", name,
                            name);
        follow(&following, signals);
        stream_flush(following.console.err);
    }
    json_decref(attached);
    watch_free(following.watch);
    run_console_close(&following.console);
    return attached ? following.status : CLI_FAILED;
}

int edit_watch(const struct cli_args *args)
{
    struct made made = {0};
    struct romsim_error error;
    CLEANUP_LINK struct romsim_link *link = NULL;
    json_t *answer;
    int status;

    if (remote_host(args))
        return cli_usage(args, "--watch is of this machine's files and instances");
    signals_catch();
    link = romsim_link_open(args->operands[0], &error);
    answer = link ? romsim_link_call(link, json_pack("{s:s}", "do", "source"), ASK_TIMEOUT_MS, NULL,
                                     NULL, &error)
                  : NULL;
    if (!answer)
        return cli_report(&error);
    status = make_again(json_object_get(answer, "source"), &made);
    if (status == CLI_OK)
        status = watch_made(args, link, answer, &made);
    made_clear(&made);
    json_decref(answer);
    return status == CLI_RUN_FAILED || status == CLI_USAGE ? CLI_FAILED : status;
}
