/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * instance_await.c: waiting for what instances become (cloud-api §1.6).
 *
 * It holds no thread: the roll calls on_news() whenever one has changed, in its own thread, which
 * is the only one that looks at a waiting from then on.
 */
#include "instance.h"

#include <romsim/cleanup.h>
#include <romsim/template.h>
#include <romsim/text.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct waiting {
    struct api_request *request;
    struct api_stream *stream; /* NULL: the reply is one piece */
    struct awaited *list;
    size_t count;
    bool is_lenient;
};

void awaited_free(struct awaited *list, size_t count)
{
    for (size_t i = 0; list && i < count; i++) {
        free(list[i].name);
        json_decref(list[i].item);
        json_decref(list[i].last);
    }
    free(list);
}

/* ---- what an instance has come to --------------------------------------------------------------
 */

static bool is_stored(enum romsim_saved kind, const char *uuid)
{
    CLEANUP_TEMPLATE struct romsim_template *saved = romsim_template_open(kind, NULL, uuid, NULL);

    return saved;
}

/* An instance that has become a template is gone as an instance. */
static bool is_template(const struct awaited *awaited)
{
    return awaited->is_gone && awaited->goal == GOAL_TEMPLATE &&
           is_stored(ROMSIM_SAVED_TEMPLATE,
                     json_string_value(json_object_get(awaited->item, "uuid")) ?: "");
}

/* Its checkpoint is in its history, and there if it is gone itself. */
static bool is_saved(const struct awaited *awaited)
{
    const char *uuid = json_string_value(json_object_get(awaited->item, "uuid")) ?: "";
    const json_t *history = json_object_get(json_object_get(awaited->last, "romsim"), "history");

    for (size_t i = 0; i < json_array_size(history); i++)
        if (strcmp(json_string_value(json_object_get(json_array_get(history, i), "uuid")) ?: "",
                   uuid) == 0)
            return true;
    return awaited->is_gone && is_stored(ROMSIM_SAVED_CHECKPOINT, uuid);
}

/* It was seen since it was asked to, and saves nothing. */
static bool has_saved(const struct awaited *awaited)
{
    return awaited->last &&
           !json_is_true(json_object_get(json_object_get(awaited->last, "romsim"), "saving"));
}

static const char *state_of(const struct awaited *awaited)
{
    if (awaited->goal == GOAL_CHECKPOINT)
        return is_saved(awaited) ? "checkpoint" : "starting";
    if (is_template(awaited))
        return "template";
    if (awaited->is_gone)
        return "deleted";
    return json_string_value(json_object_get(awaited->last, "state")) ?: "";
}

static json_int_t number_of(const struct awaited *awaited, const char *member)
{
    return json_integer_value(json_object_get(awaited->last, member));
}

/* Has its app begun, since it was started so often? */
static bool has_run(const struct awaited *awaited)
{
    return number_of(awaited, "start_count") >= awaited->starts &&
           number_of(awaited, "boot_time_us") > 0;
}

/* Is it stopped, and to be started by nobody? */
static bool has_stopped(const struct awaited *awaited)
{
    return number_of(awaited, "start_count") >= awaited->starts &&
           strcmp(state_of(awaited), "stopped") == 0 && !json_object_get(awaited->last, "restart");
}

static bool is_reached(const struct awaited *awaited)
{
    switch (awaited->goal) {
    case GOAL_NONE:
        return true;
    case GOAL_STATE:
        return strcmp(state_of(awaited), awaited->state) == 0;
    case GOAL_RUN:
        return has_run(awaited);
    case GOAL_END:
        return awaited->is_gone;
    case GOAL_TEMPLATE:
        return is_template(awaited);
    case GOAL_CHECKPOINT:
        return is_saved(awaited);
    }
    return true;
}

/* There is nothing more to wait for. */
static bool is_settled(const struct awaited *awaited)
{
    return is_reached(awaited) || awaited->is_gone ||
           ((awaited->goal == GOAL_RUN || awaited->goal == GOAL_TEMPLATE) &&
            has_stopped(awaited)) ||
           (awaited->goal == GOAL_CHECKPOINT && has_saved(awaited));
}

static bool are_settled(const struct waiting *waiting)
{
    for (size_t i = 0; i < waiting->count; i++)
        if (!is_settled(&waiting->list[i]))
            return false;
    return true;
}

/* ---- the answer --------------------------------------------------------------------------------
 */

static const char *goal_words(const struct awaited *awaited)
{
    if (awaited->goal == GOAL_STATE)
        return awaited->state;
    if (awaited->goal == GOAL_TEMPLATE)
        return "template";
    if (awaited->goal == GOAL_CHECKPOINT)
        return "checkpoint";
    return awaited->goal == GOAL_RUN ? "running" : "deleted";
}

static void set_error(json_t *item, enum romsim_cloud_code code, const char *message)
{
    json_object_set_new(item, "status", json_string("error"));
    json_object_set_new(item, "message", json_string(message));
    if (code)
        json_object_set_new(item, "error", json_integer(code));
}

/* What that is of which is waited for what it becomes. */
static const char *subject_of(const struct awaited *awaited)
{
    const char *name = json_string_value(json_object_get(awaited->item, "name"));

    return name ? name : awaited->name;
}

/* What was waited for and did not come.  One that stopped before it ran has no code: clients look
 * themselves then for why it did (cloud-api §1.2). */
static void explain(const struct awaited *awaited, json_t *item)
{
    char text[256];

    if (awaited->is_gone && awaited->goal == GOAL_STATE) {
        snprintf(text, sizeof(text), "No instance with name '%s'", awaited->name);
        set_error(item, ROMSIM_CLOUD_NOT_FOUND, text);
    } else if (is_settled(awaited) && awaited->goal == GOAL_CHECKPOINT) {
        snprintf(text, sizeof(text), "'%s' could not be saved: its log or events may say why",
                 awaited->name);
        set_error(item, ROMSIM_CLOUD_FAILED_OPERATION, text);
    } else if (is_settled(awaited)) {
        snprintf(text, sizeof(text), "'%s' %s before it was %s", awaited->name,
                 awaited->is_gone ? "was deleted" : "stopped",
                 awaited->goal == GOAL_TEMPLATE ? "a template" : "running");
        set_error(item, ROMSIM_CLOUD_UNKNOWN_ERROR, text);
    } else {
        snprintf(text, sizeof(text), "timed out: '%s' is %s, not %s", subject_of(awaited),
                 state_of(awaited), goal_words(awaited));
        set_error(item, ROMSIM_CLOUD_TIMED_OUT, text);
    }
}

static json_t *finished_item(const struct awaited *awaited, bool is_lenient)
{
    json_t *item = json_copy(awaited->item);

    for (size_t i = 0; awaited->members && awaited->members[i]; i++)
        json_object_set(item, awaited->members[i],
                        json_object_get(awaited->last, awaited->members[i]));
    if ((awaited->is_gone && awaited->goal != GOAL_END) || awaited->goal == GOAL_CHECKPOINT)
        json_object_set_new(item, "state", json_string(state_of(awaited)));
    if (!is_reached(awaited) && !is_lenient)
        explain(awaited, item);
    return item;
}

/* The words for all, if time is over: clients look for "timed out" there. */
static const char *lapse(const struct waiting *waiting, const json_t *items)
{
    for (size_t i = 0; i < waiting->count && !waiting->is_lenient; i++)
        if (!is_settled(&waiting->list[i]))
            return api_is_ending(waiting->request->api)
                       ? "the server ends"
                       : json_string_value(json_object_get(json_array_get(items, i), "message"));
    return NULL;
}

static char *envelope(const struct waiting *waiting)
{
    json_t *items = json_array();
    CLEANUP_FREE char *message = NULL;
    const char *words;

    for (size_t i = 0; i < waiting->count; i++)
        json_array_append_new(items, finished_item(&waiting->list[i], waiting->is_lenient));
    words = lapse(waiting, items);
    if (words)
        message = strdup(words);
    return api_envelope(waiting->request, items, message);
}

/* Replies, and takes the waiting. */
static void finish(struct waiting *waiting)
{
    CLEANUP_FREE char *text = envelope(waiting);

    if (waiting->stream) {
        if (text)
            api_stream_write(waiting->stream, text, strlen(text));
        api_stream_end(waiting->stream);
    } else {
        api_reply_bytes(waiting->request, 200, "application/json", text ? text : "",
                        text ? strlen(text) : 0);
    }
    awaited_free(waiting->list, waiting->count);
    free(waiting);
}

/* ---- news --------------------------------------------------------------------------------------
 */

/* Whoever the roll did not tell of is not there. */
static void miss_unseen(struct waiting *waiting)
{
    for (size_t i = 0; i < waiting->count; i++)
        if (waiting->list[i].goal != GOAL_NONE && !waiting->list[i].last)
            waiting->list[i].is_gone = true;
}

static void take_news(struct waiting *waiting, const char *name, const json_t *item)
{
    for (size_t i = 0; i < waiting->count; i++) {
        struct awaited *awaited = &waiting->list[i];

        if (!awaited->name || strcmp(awaited->name, name) != 0 || is_settled(awaited))
            continue;
        if (item) {
            json_decref(awaited->last);
            awaited->last = json_incref((json_t *)item);
        } else {
            awaited->is_gone = true;
        }
    }
}

/* A roll_told. */
static bool on_news(void *context, const char *name, const json_t *item)
{
    struct waiting *waiting = context;

    if (name && *name)
        take_news(waiting, name, item);
    else if (name)
        miss_unseen(waiting);
    if (name && !are_settled(waiting))
        return true;
    finish(waiting);
    return false;
}

void instances_await(struct api_request *request, struct awaited *list, size_t count,
                     int64_t timeout_ms, bool is_lenient)
{
    struct waiting *waiting = calloc(1, sizeof(*waiting));

    if (!waiting) {
        awaited_free(list, count);
        api_reply_fail(request, 503, ROMSIM_CLOUD_FAILED_OPERATION, "out of memory");
        return;
    }
    *waiting = (struct waiting){
        .request = request, .list = list, .count = count, .is_lenient = is_lenient};
    if (timeout_ms == 0 || are_settled(waiting)) {
        finish(waiting);
        return;
    }
    /* What is there is told again. */
    for (size_t i = 0; i < count; i++) {
        json_decref(list[i].last);
        list[i].last = NULL;
    }
    waiting->stream = api_reply_stream(request, "application/json");
    if (!waiting->stream) {
        awaited_free(list, count);
        free(waiting);
    } else if (roll_watch(api_roll(request->api), on_news, waiting, timeout_ms) < 0) {
        finish(waiting);
    }
}
