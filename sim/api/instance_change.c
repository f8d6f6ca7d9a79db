/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * instance_change.c: start, stop, suspend, delete, wait (cloud-api §1.6), and templates and
 * checkpoints made of instances (§4).
 *
 * Each asks all keepers at once for what is to be done, and what is to be waited for comes from the
 * roll.
 */
#include "instance.h"

#include <romsim/cleanup.h>
#include <romsim/clock.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A deletion that nobody waits for is waited for so long all the same: mostly it is done by then,
 * and who looks next sees it. */
enum { DELETE_MS = 2000 };

static const char *const state_members[] = {"state", NULL};
static const char *const wait_members[] = {"uuid", "name", "state", NULL};

static const char *text_of(const json_t *item, const char *member)
{
    return json_string_value(json_object_get(item, member)) ?: "";
}

static void warn_older(struct api_request *request, const struct wishes *wishes, const char *older)
{
    for (size_t i = 0; i < wishes->count; i++)
        if (wish_has(&wishes->items[i], older)) {
            api_warn(request, "deprecated", "'%s' is deprecated: write timeout_s", older);
            return;
        }
}

/* What a keeper answers to a change, as an item. */
static json_t *take_change(const struct wish *wish, json_t *answer)
{
    static const char *const members[] = {"uuid", "name", "state", "previous_state", NULL};

    (void)wish;
    return instance_part(answer, members);
}

/* ---- waiting -----------------------------------------------------------------------------------
 */

/* What is waited for of each wish that went well; the others are items as they are.  NULL after a
 * reply. */
static struct awaited *await_wishes(struct api_request *request, const struct wishes *wishes,
                                    enum goal goal)
{
    struct awaited *list = calloc(wishes->count + 1, sizeof(*list));

    if (!list)
        api_reply_fail(request, 503, ROMSIM_CLOUD_FAILED_OPERATION, "out of memory");
    for (size_t i = 0; list && i < wishes->count; i++) {
        const struct wish *wish = &wishes->items[i];
        const char *status = text_of(wish->item, "status");

        list[i].item = json_incref(wish->item);
        if (!wish->entry || strcmp(status, "success") != 0)
            continue;
        list[i].goal = goal;
        list[i].name = strdup(wish->entry->name);
        list[i].last = json_incref(wish->entry->item);
        if (!list[i].name)
            list[i].goal = GOAL_NONE;
    }
    return list;
}

/* The longest of all, which counts for all. */
static int64_t patience_of(const struct wishes *wishes, const char *older)
{
    int64_t longest = 0;

    for (size_t i = 0; i < wishes->count; i++) {
        int64_t patience = wish_patience(&wishes->items[i], older);

        if (patience < 0)
            return -1;
        longest = patience > longest ? patience : longest;
    }
    return longest;
}

/* The same for what comes of the next start. */
static struct awaited *await_starts(struct api_request *request, const struct wishes *wishes,
                                    enum goal goal)
{
    struct awaited *list = await_wishes(request, wishes, goal);

    for (size_t i = 0; list && i < wishes->count; i++)
        if (list[i].goal != GOAL_NONE) {
            list[i].starts =
                json_integer_value(json_object_get(wishes->items[i].entry->item, "start_count")) +
                1;
            list[i].members = state_members;
        }
    return list;
}

void instances_wait(struct api_request *request)
{
    CLEANUP_WISHES struct wishes wishes = {0};
    struct awaited *list;

    if (wishes_read(request, false, &wishes) < 0)
        return;
    warn_older(request, &wishes, "timeout_ms");
    for (size_t i = 0; i < wishes.count; i++)
        if (wishes.items[i].entry)
            wishes.items[i].item = instance_part(wishes.items[i].entry->item, wait_members);
    list = await_wishes(request, &wishes, GOAL_STATE);
    for (size_t i = 0; list && i < wishes.count; i++) {
        const char *state = text_of(wishes.items[i].said, "state");

        snprintf(list[i].state, sizeof(list[i].state), "%s", *state ? state : "running");
        list[i].members = list[i].goal == GOAL_NONE ? NULL : state_members;
    }
    if (list)
        instances_await(request, list, wishes.count, patience_of(&wishes, "timeout_ms"), false);
}

/* ---- start -------------------------------------------------------------------------------------
 */

static json_t *ask_start(struct api_request *request, const struct wish *wish)
{
    (void)request, (void)wish;
    return json_pack("{s:s}", "do", "start");
}

void instances_start(struct api_request *request)
{
    CLEANUP_WISHES struct wishes wishes = {0};
    int64_t patience;
    struct awaited *list;

    if (wishes_read(request, false, &wishes) < 0)
        return;
    warn_older(request, &wishes, "wait_timeout_ms");
    wishes_ask(request, &wishes, ask_start, take_change, ASK_MS);
    patience = patience_of(&wishes, "wait_timeout_ms");
    if (patience == 0) {
        api_reply_items(request, wishes_items(&wishes));
        return;
    }
    list = await_starts(request, &wishes, GOAL_RUN);
    if (list)
        instances_await(request, list, wishes.count, patience, false);
}

/* ---- templates ---------------------------------------------------------------------------------
 */

static json_t *ask_template(struct api_request *request, const struct wish *wish)
{
    (void)request;
    return json_pack("{s:s, s:O*}", "do", "template", "autokill",
                     json_object_get(wish->said, "autokill"));
}

static json_t *take_state(const struct wish *wish, json_t *answer)
{
    (void)wish;
    return instance_part(answer, wait_members);
}

void instances_make_templates(struct api_request *request)
{
    CLEANUP_WISHES struct wishes wishes = {0};
    struct awaited *list;

    if (wishes_read(request, false, &wishes) < 0)
        return;
    wishes_ask(request, &wishes, ask_template, take_state, ASK_MS);
    list = await_starts(request, &wishes, GOAL_TEMPLATE);
    if (list)
        instances_await(request, list, wishes.count, patience_of(&wishes, NULL),
                        patience_of(&wishes, NULL) == 0);
}

/* ---- checkpoints -------------------------------------------------------------------------------
 */

/* The keeper answers as soon as it has begun: it saves on without us. */
static json_t *ask_checkpoint(struct api_request *request, const struct wish *wish)
{
    (void)request;
    return json_pack("{s:s, s:O*, s:O*, s:O*}", "do", "checkpoint", "name",
                     json_object_get(wish->said, "new_name"), "tags",
                     json_object_get(wish->said, "tags"), "autokill",
                     json_object_get(wish->said, "autokill"));
}

/* What the roll knew of an instance from before it was asked says nothing of its checkpoint. */
static struct awaited *await_checkpoints(struct api_request *request, const struct wishes *wishes)
{
    struct awaited *list = await_wishes(request, wishes, GOAL_CHECKPOINT);

    for (size_t i = 0; list && i < wishes->count; i++)
        if (list[i].goal != GOAL_NONE) {
            roll_refresh(api_roll(request->api), list[i].name);
            json_decref(list[i].last);
            list[i].last = NULL;
        }
    return list;
}

void instances_make_checkpoints(struct api_request *request)
{
    CLEANUP_WISHES struct wishes wishes = {0};
    struct awaited *list;
    int64_t patience;

    if (wishes_read_sources(request, &wishes) < 0)
        return;
    wishes_ask(request, &wishes, ask_checkpoint, take_state, ASK_MS);
    patience = patience_of(&wishes, NULL);
    if (patience == 0) {
        api_reply_items(request, wishes_items(&wishes));
        return;
    }
    list = await_checkpoints(request, &wishes);
    if (list)
        instances_await(request, list, wishes.count, patience, false);
}

/* ---- stop --------------------------------------------------------------------------------------
 */

static json_t *ask_stop(struct api_request *request, const struct wish *wish)
{
    bool is_forced = json_is_true(json_object_get(wish->said, "force"));

    (void)request;
    return json_pack("{s:s, s:b, s:I}", "do", "stop", "force", is_forced, "drain_ms",
                     (json_int_t)wish_number(wish, "drain_timeout_ms", 0));
}

static json_t *ask_suspend(struct api_request *request, const struct wish *wish)
{
    (void)request, (void)wish;
    return json_pack("{s:s}", "do", "suspend");
}

/* The cloud's newest word for both is that they exclude each other (cloud-api §1.2). */
static bool says_both(const struct wish *wish)
{
    return json_is_true(json_object_get(wish->said, "force")) && wish_has(wish, "drain_timeout_ms");
}

/* One that is to be stopped only in some state, and is in another, is left alone. */
static void pass_over(struct wish *wish)
{
    const char *wanted = text_of(wish->said, "ifstate");
    const char *state = wish->entry ? text_of(wish->entry->item, "state") : "";
    struct romsim_error err;

    if (!wish->entry || !*wanted || strcmp(wanted, state) == 0)
        return;
    romsim_error_set(&err, EINVAL, "'%s' is %s, not %s", wish->entry->name, state, wanted);
    err.cloud = ROMSIM_CLOUD_WRONG_VM_STATE;
    wish->item = wish_error(wish, &err);
}

static void stop(struct api_request *request)
{
    CLEANUP_WISHES struct wishes wishes = {0};

    if (wishes_read(request, false, &wishes) < 0)
        return;
    for (size_t i = 0; i < wishes.count; i++) {
        if (says_both(&wishes.items[i])) {
            api_reply_fail(request, 400, ROMSIM_CLOUD_NOT_BOTH,
                           "Cannot specify 'drain_timeout_ms' when 'force' is set");
            return;
        }
        pass_over(&wishes.items[i]);
    }
    wishes_ask(request, &wishes, ask_stop, take_change, ASK_MS);
    api_reply_items(request, wishes_items(&wishes));
}

void instances_stop(struct api_request *request)
{
    stop(request);
}

void instances_suspend(struct api_request *request)
{
    CLEANUP_WISHES struct wishes wishes = {0};

    if (wishes_read(request, false, &wishes) < 0)
        return;
    for (size_t i = 0; i < wishes.count; i++)
        if (wish_has(&wishes.items[i], "drain_timeout_ms")) {
            api_warn(request, "not_simulated",
                     "drain_timeout_ms: connections are not waited for when a VM is saved");
            break;
        }
    wishes_ask(request, &wishes, ask_suspend, take_change, ASK_MS);
    api_reply_items(request, wishes_items(&wishes));
}

/* ---- delete ------------------------------------------------------------------------------------
 */

/* One that is protected by a PATCH of `delete_lock`. */
static bool is_locked(const struct wish *wish)
{
    return json_is_true(json_object_get(wish->entry->item, "delete_lock"));
}

static void refuse_deletion(struct wish *wish)
{
    struct romsim_error err;

    romsim_error_set(&err, EPERM, "Deletion protection enabled");
    err.cloud = ROMSIM_CLOUD_NOT_ALLOWED;
    wish->item = wish_error(wish, &err);
}

/* The keeper's answer comes when nothing is left, so it is not waited for. */
static void begin_deletion(struct wish *wish)
{
    const struct roll_entry *entry = wish->entry;
    struct romsim_error err = {0};
    struct romsim_link *link = romsim_link_open_name(entry->name, &err);

    if (link && romsim_link_send(link, json_pack("{s:s}", "do", "delete"), &err) < 0 &&
        err.errnum == EPIPE)
        err = (struct romsim_error){0}; /* it goes already */
    romsim_link_free(link);
    if (err.errnum && err.cloud != ROMSIM_CLOUD_NOT_FOUND)
        wish->item = wish_error(wish, &err);
    else
        wish->item =
            api_item_success(json_pack("{s:s, s:s, s:s}", "uuid", entry->uuid, "name", entry->name,
                                       "previous_state", text_of(entry->item, "state")));
}

void instances_delete(struct api_request *request)
{
    CLEANUP_WISHES struct wishes wishes = {0};
    struct awaited *list;
    int64_t patience;

    if (wishes_read(request, false, &wishes) < 0)
        return;
    for (size_t i = 0; i < wishes.count; i++)
        if (wishes.items[i].entry && is_locked(&wishes.items[i]))
            refuse_deletion(&wishes.items[i]);
        else if (wishes.items[i].entry)
            begin_deletion(&wishes.items[i]);
    patience = patience_of(&wishes, NULL);
    list = await_wishes(request, &wishes, GOAL_END);
    if (list)
        instances_await(request, list, wishes.count, patience ? patience : DELETE_MS,
                        patience == 0);
}
