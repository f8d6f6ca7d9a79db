/* SPDX-License-Identifier: BSD-3-Clause */
/* keeper_requests.c: what one may ask a keeper for (keeper.h), and its answers. */
#include "keeper_parts.h"

#include <romsim/bounds.h>
#include <romsim/checked.h>
#include <romsim/cleanup.h>
#include <romsim/clock.h>
#include <romsim/daemon.h>
#include <romsim/needs.h>
#include <romsim/text.h>

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LOG_DEFAULT = 4096 };

/* ---- answers -----------------------------------------------------------------------------------
 */

json_t *keeper_error_answer(const struct romsim_error *err)
{
    return json_pack("{s:{s:i, s:i, s:s, s:s}}", "error", "code", (int)err->cloud, "errno",
                     err->errnum, "message", err->message, "hint", err->hint);
}

json_t *keeper_refuse(enum romsim_cloud_code code, const char *format, ...)
{
    struct romsim_error err = {0};
    char text[sizeof(err.message)];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    romsim_error_set(&err, EINVAL, "%s", text);
    err.cloud = code;
    return keeper_error_answer(&err);
}

json_t *keeper_refuse_deleted(const struct keeper *keeper)
{
    return keeper_refuse(ROMSIM_CLOUD_NOT_FOUND, "the instance '%s' was deleted",
                         keeper->layout->name);
}

json_t *keeper_refuse_shell(const struct keeper *keeper)
{
    return keeper_refuse(ROMSIM_CLOUD_NOT_ALLOWED,
                         "the instance '%s' was made with --shell, which cannot be saved with it",
                         keeper->layout->name);
}

/* As the cloud shows them. */
static json_t *updates_json(const struct keeper *keeper)
{
    json_t *updates = json_deep_copy(keeper->updates);

    for (size_t i = 0; i < json_array_size(updates); i++)
        json_object_del(json_array_get(updates, i), EDIT_ORIGIN);
    return updates;
}

json_t *keeper_describe(const struct keeper *keeper)
{
    struct instance_status status = keeper->status;
    json_t *item;

    if (keeper->run && keeper->run_start)
        status.uptime_ms += (romsim_clock_us() - keeper->run_start) / 1000;
    item = instance_describe(keeper->instance, keeper->layout, &keeper->volumes,
                             (const char(*)[ROMSIM_UUID_SIZE])keeper->rom_uuids, &status,
                             keeper->config->plan);
    if (json_array_size(keeper->updates))
        json_object_set_new(item, "updates", updates_json(keeper));
    if (json_array_size(keeper->history))
        json_object_set_new(json_object_get(item, "romsim"), "history",
                            json_deep_copy(keeper->history));
    if (keeper_is_saving(keeper) && !keeper->snapshot.is_branch)
        json_object_set_new(json_object_get(item, "romsim"), "saving", json_true());
    return item;
}

json_t *keeper_state_answer(const struct keeper *keeper)
{
    return json_pack("{s:s, s:s, s:s}", "uuid", keeper->status.uuid, "name", keeper->layout->name,
                     "state", instance_state_name(keeper->status.state));
}

json_t *keeper_change_answer(const struct keeper *keeper, enum instance_state previous)
{
    json_t *answer = keeper_state_answer(keeper);

    json_object_set_new(answer, "previous_state", json_string(instance_state_name(previous)));
    return answer;
}

/* ---- requests ----------------------------------------------------------------------------------
 */

static json_t *do_get(struct keeper *keeper, struct keeper_client *client, const json_t *request)
{
    (void)client, (void)request;
    return keeper_describe(keeper);
}

static json_t *do_plan(struct keeper *keeper, struct keeper_client *client, const json_t *request)
{
    (void)client, (void)request;
    return romsim_layout_json(keeper->layout, false)
               ?: keeper_refuse(ROMSIM_CLOUD_FAILED_OPERATION, "out of memory");
}

static const struct romsim_device *find_device(const struct romsim_layout *layout, const char *name)
{
    for (size_t i = 0; i < layout->device_count; i++)
        if (strcmp(layout->devices[i].indexed_name, name) == 0 ||
            strcmp(layout->devices[i].named_name, name) == 0)
            return &layout->devices[i];
    return NULL;
}

/* Whoever looks into an image does that himself: it may be large, and it is foreign. */
static json_t *do_image(struct keeper *keeper, struct keeper_client *client, const json_t *request)
{
    const char *name = json_string_value(json_object_get(request, "device"));
    const struct romsim_device *device = name ? find_device(keeper->layout, name) : NULL;
    uint64_t offset;
    int fd;

    if (!device || !*name)
        return keeper_refuse(ROMSIM_CLOUD_NOT_FOUND, "the instance '%s' has no device '%s'",
                             keeper->layout->name, QUOTE(name ?: ""));
    if (!device->blob)
        return keeper_refuse(ROMSIM_CLOUD_NOT_SUPPORTED,
                             "what is in a volume is for the guest alone to know");
    fd = romsim_blob_fd(device->blob, &offset);
    channel_answer_fd(&client->channel,
                      json_pack("{s:s, s:s, s:b, s:I, s:I}", "device", device->indexed_name,
                                "format", romsim_device_format(device), "inline", device->is_inline,
                                "offset", (json_int_t)offset, "size",
                                (json_int_t)romsim_blob_size(device->blob)),
                      fd);
    return NULL;
}

/* Is there room for it on this machine?  Who asks may bring a bound of his own. */
static int check_room(const struct keeper *keeper, const json_t *request, struct romsim_error *err)
{
    const struct romsim_layout *layout = keeper->layout;
    json_int_t asked = json_integer_value(json_object_get(request, "overcommit"));
    uint64_t most = romsim_bound(ROMSIM_BOUND_OVERCOMMIT);

    return romsim_room_check(&layout, 1, keeper->config->plan->processor.accel,
                             keeper->config->plan->no_fuse,
                             max_u64(most, asked > 0 ? (uint64_t)asked : 0), err);
}

static json_t *do_start(struct keeper *keeper, struct keeper_client *client, const json_t *request)
{
    enum instance_state previous = keeper->status.state;
    struct romsim_error err = {0};

    (void)client;
    if (keeper->run || keeper->edit || keeper->is_deleted)
        return keeper_refuse(ROMSIM_CLOUD_WRONG_VM_STATE, "the instance '%s' is %s, not stopped",
                             keeper->layout->name,
                             keeper->edit ? "being edited" : instance_state_name(previous));
    if (check_room(keeper, request, &err) < 0)
        return keeper_error_answer(&err);
    keeper_abort_restart(keeper);
    keeper_start(keeper);
    return keeper_change_answer(keeper, previous);
}

static json_int_t number(const json_t *request, const char *key, json_int_t absent)
{
    const json_t *value = json_object_get(request, key);

    return json_is_integer(value) ? json_integer_value(value) : absent;
}

/* How long the app has, in milliseconds. */
static unsigned stop_patience(const json_t *request)
{
    json_int_t timeout_ms =
        number(request, "timeout_ms", (json_int_t)ROMSIM_VM_STOP_SECONDS * 1000);

    return timeout_ms < 0 ? 0 : (unsigned)min_u64((uint64_t)timeout_ms, KEEPER_TIME_MOST_MS);
}

static json_t *do_stop(struct keeper *keeper, struct keeper_client *client, const json_t *request)
{
    enum instance_state previous = keeper->status.state;
    json_int_t drain_ms = number(request, "drain_ms", 0);
    bool waits = json_is_true(json_object_get(request, "wait"));

    keeper->stop_ms = stop_patience(request);
    keeper->stands_by = false;
    if (previous == STATE_STANDBY && !keeper->edit && !keeper->is_deleted) {
        keeper_stop_standby(keeper, json_is_true(json_object_get(request, "force")));
        if (waits && keeper->run)
            client->awaited = STATE_STOPPED;
        return waits && keeper->run ? NULL : keeper_change_answer(keeper, previous);
    }
    if (!keeper->run) {
        keeper_settle(keeper);
        if (keeper->is_bound && !keeper->is_deleted)
            keeper_delete(keeper);
        if (!waits || keeper->status.state == STATE_STOPPED)
            return keeper_change_answer(keeper, previous);
        client->awaited = STATE_STOPPED; /* edits are still made */
        return NULL;
    }
    keeper->restarts_at_once = false;
    keeper->wish = STOP_BY_USER;
    if (waits)
        client->awaited = STATE_STOPPED;
    if (json_is_true(json_object_get(request, "force")))
        keeper_force(keeper);
    else if (drain_ms && keeper->status.state == STATE_RUNNING)
        keeper_drain(keeper, drain_ms);
    else if (keeper->status.state != STATE_DRAINING || !drain_ms)
        keeper_stop(keeper);
    return waits ? NULL : keeper_change_answer(keeper, previous);
}

static json_t *refuse_busy(const struct keeper *keeper)
{
    return keeper_refuse(ROMSIM_CLOUD_WRONG_VM_STATE, "the instance '%s' is being %s",
                         keeper->layout->name, keeper->is_deleted ? "deleted" : "edited");
}

static bool is_word(const json_t *edit, const char *member, const char *word)
{
    const char *text = json_string_value(json_object_get(edit, member));

    return text && strcmp(text, word) == 0;
}

static bool awaits_volumes(const struct keeper *keeper)
{
    for (size_t i = 0; i < json_array_size(keeper->updates); i++) {
        const json_t *update = json_array_get(keeper->updates, i);

        if (is_word(update, "prop", "volumes") && is_word(update, "status", "pending"))
            return true;
    }
    return false;
}

static json_t *do_suspend(struct keeper *keeper, struct keeper_client *client,
                          const json_t *request)
{
    enum instance_state previous = keeper->status.state;
    struct romsim_error err = {0};

    if (instance_status_is_stopped(&keeper->status) && !keeper->edit && !keeper->is_deleted)
        return keeper_change_answer(keeper, previous);
    if (previous != STATE_RUNNING || keeper->edit || keeper->is_deleted)
        return keeper_refuse(ROMSIM_CLOUD_WRONG_VM_STATE, "the instance '%s' is %s, not running",
                             keeper->layout->name, instance_state_name(previous));
    /* What is on its way to the app is in no VM that could be saved. */
    if (keeper->config->plan->input.is_open)
        return keeper_refuse(ROMSIM_CLOUD_NOT_ALLOWED,
                             "the instance '%s' has an input (--stdin), which cannot be suspended",
                             keeper->layout->name);
    if (keeper->config->plan->shell)
        return keeper_refuse_shell(keeper);
    if (keeper->is_bound)
        return keeper_refuse(ROMSIM_CLOUD_NOT_ALLOWED,
                             "the instance '%s' is of a 'romsim run' in the foreground, with which "
                             "it ends",
                             keeper->layout->name);
    if (keeper->becomes_template)
        return keeper_refuse(ROMSIM_CLOUD_WRONG_VM_STATE,
                             "the instance '%s' is to become a template, and is not suspended",
                             keeper->layout->name);
    if (keeper_is_saving(keeper))
        return keeper_refuse(ROMSIM_CLOUD_WRONG_VM_STATE,
                             "the instance '%s' is being saved for a checkpoint or a branch",
                             keeper->layout->name);
    if (awaits_volumes(keeper))
        return keeper_refuse(ROMSIM_CLOUD_WRONG_VM_STATE,
                             "the volumes of the instance '%s' are to be changed when it stops: it "
                             "has to be stopped, not suspended",
                             keeper->layout->name);
    if (keeper_suspend(keeper, STOP_BY_USER, &err) < 0)
        return keeper_error_answer(&err);
    keeper->stands_by = keeper->door && keeper->scaling.is_on;
    if (keeper->door)
        door_bar(keeper->door);
    if (!json_is_true(json_object_get(request, "wait")))
        return keeper_change_answer(keeper, previous);
    client->awaited = STATE_STOPPED;
    client->takes_standby = true;
    return NULL;
}

/* Why it cannot become one, or NULL. */
static json_t *refuse_template(const struct keeper *keeper)
{
    const struct romsim_vm_input *input = &keeper->config->plan->input;

    if (keeper->is_deleted || keeper->edit)
        return refuse_busy(keeper);
    if (keeper->is_bound)
        return keeper_refuse(ROMSIM_CLOUD_NOT_ALLOWED,
                             "the instance '%s' is of a 'romsim run' in the foreground, with which "
                             "it ends",
                             keeper->layout->name);
    if (input->is_open || input->is_terminal)
        return keeper_refuse(ROMSIM_CLOUD_NOT_ALLOWED,
                             "the instance '%s' has an input (--stdin, --tty), which a template "
                             "has not",
                             keeper->layout->name);
    if (keeper->config->plan->shell)
        return keeper_refuse_shell(keeper);
    return NULL;
}

static json_t *do_template(struct keeper *keeper, struct keeper_client *client,
                           const json_t *request)
{
    enum instance_state previous = keeper->status.state;
    json_t *refusal = refuse_template(keeper);
    struct romsim_error err = {0};

    if (refusal)
        return refusal;
    keeper->stop_ms = stop_patience(request);
    if (!keeper->becomes_template &&
        keeper_become_template(keeper, json_object_get(request, "autokill"), &err) < 0)
        return keeper_error_answer(&err);
    if (!json_is_true(json_object_get(request, "wait")))
        return keeper_change_answer(keeper, previous);
    client->awaited = STATE_TEMPLATE;
    return NULL;
}

static json_t *do_wait(struct keeper *keeper, struct keeper_client *client, const json_t *request)
{
    const char *name = json_string_value(json_object_get(request, "state"));
    int state = instance_state_find(name ? name : "running");

    if (state < 0)
        return keeper_refuse(ROMSIM_CLOUD_INVALID, "there is no state '%s'", name);
    if (state == (int)keeper->status.state)
        return keeper_state_answer(keeper);
    if (state == STATE_TEMPLATE && !keeper->becomes_template)
        return keeper_refuse(ROMSIM_CLOUD_WRONG_VM_STATE,
                             "there is an instance '%s', which does not become a template",
                             keeper->layout->name);
    client->awaited = state;
    return NULL;
}

/* The offset of the log that a request means. */
static uint64_t log_offset(const struct keeper *keeper, json_int_t offset)
{
    const struct console_log *log = &keeper->log;
    uint64_t place = (uint64_t)offset;

    if (offset < 0)
        place = log->end - min_u64(log->end, (uint64_t)-offset);
    return place < log->start ? log->start : min_u64(place, log->end);
}

static json_t *do_log(struct keeper *keeper, struct keeper_client *client, const json_t *request)
{
    const struct console_log *log = &keeper->log;
    uint64_t from = log_offset(keeper, number(request, "offset", -LOG_DEFAULT));
    json_int_t limit = number(request, "limit", LOG_DEFAULT);
    json_int_t since_ms = number(request, "since_ms", -1);
    uint64_t size;

    if (since_ms >= 0)
        from = max_u64(from, console_log_since(log, time(NULL) - since_ms / 1000));
    size = min_u64(log->end - from, limit > 0 ? (uint64_t)limit : 0);
    channel_console(&client->channel, log, from, from + size);
    return json_pack("{s:{s:I, s:I}, s:{s:I, s:I}, s:s}", "available", "start",
                     (json_int_t)log->start, "end", (json_int_t)log->end, "range", "start",
                     (json_int_t)from, "end", (json_int_t)(from + size), "state",
                     instance_state_name(keeper->status.state));
}

/* Who follows the console stays, or is gone for seconds before anybody knows: there is always room
 * for who asks to stop the instance, say. */
static bool has_room_to_follow(const struct keeper *keeper)
{
    unsigned followers = 0;

    for (size_t i = 0; i < keeper->clients.count; i++)
        followers += keeper->clients.items[i]->is_attached;
    return followers < KEEPER_FOLLOWERS_MAX;
}

json_t *keeper_attach(struct keeper *keeper, struct keeper_client *client, const json_t *request)
{
    const json_t *offset = json_object_get(request, "offset");
    json_t *answer;

    if (!client->is_attached && !has_room_to_follow(keeper))
        return keeper_refuse(ROMSIM_CLOUD_TOO_MANY, "%d follow the instance '%s' already",
                             KEEPER_FOLLOWERS_MAX, keeper->layout->name);
    client->is_attached = true;
    client->starts_often = json_is_true(json_object_get(request, "starts_often"));
    channel_console(&client->channel, &keeper->log,
                    offset ? log_offset(keeper, json_integer_value(offset)) : keeper->log.end,
                    CHANNEL_FOLLOW);
    answer = keeper_state_answer(keeper);
    json_object_set_new(answer, "restarts", json_boolean(keeper->restart_time != 0));
    return answer;
}

/* Each edit is told where it came from. */
static void mark_edits(const json_t *request)
{
    json_t *edits = json_object_get(request, "edits");
    bool is_foreign = json_is_true(json_object_get(request, "network"));

    for (size_t i = 0; i < json_array_size(edits); i++)
        if (is_foreign)
            json_object_set_new(json_array_get(edits, i), EDIT_ORIGIN, json_true());
        else
            json_object_del(json_array_get(edits, i), EDIT_ORIGIN);
}

/* Whatever names them: volumes have requests of their own. */
static bool names_volumes(const json_t *edits)
{
    for (size_t i = 0; i < json_array_size(edits); i++)
        if (is_word(json_array_get(edits, i), "prop", "volumes"))
            return true;
    return false;
}

static json_t *refuse_volumes(void)
{
    struct romsim_error err;

    romsim_error_set(&err, EINVAL, "'volumes' is not a property that can be changed");
    err.cloud = ROMSIM_CLOUD_INVALID;
    romsim_error_hint(&err, "volumes are attached and detached: 'romsim volume attach'");
    return keeper_error_answer(&err);
}

static json_t *take_edits(struct keeper *keeper, struct keeper_client *client, const json_t *edits)
{
    struct romsim_error err = {0};

    if (keeper->run) {
        keeper_queue_edits(keeper, edits);
        return json_pack("{s:b}", "queued", 1);
    }
    if (keeper_begin_edit(keeper, edits, &err) < 0)
        return keeper_error_answer(&err);
    client->awaits_edit = true;
    return NULL;
}

static json_t *do_edit(struct keeper *keeper, struct keeper_client *client, const json_t *request)
{
    const json_t *edits = json_object_get(request, "edits");
    struct romsim_error err = {0};

    mark_edits(request);
    if (keeper->is_deleted || keeper->edit)
        return refuse_busy(keeper);
    if (!json_array_size(edits))
        return keeper_refuse(ROMSIM_CLOUD_INVALID, "there is nothing to edit");
    if (names_volumes(edits))
        return refuse_volumes();
    if (keeper_check_edits(keeper, edits, &err) < 0)
        return keeper_error_answer(&err);
    return take_edits(keeper, client, edits);
}

/* Can its volumes be changed?  NULL, or why not. */
static json_t *refuse_volume_change(const struct keeper *keeper)
{
    if (keeper->is_deleted || keeper->edit)
        return refuse_busy(keeper);
    /* An edit makes the next start a cold one: what is not on the volumes yet would be lost. */
    if (!keeper->run && keeper->saved >= 0)
        return keeper_refuse(ROMSIM_CLOUD_WRONG_VM_STATE,
                             "the instance '%s' is suspended, with its volumes mounted: it has to "
                             "be started and stopped before they can be changed",
                             keeper->layout->name);
    return NULL;
}

/* Is it attached now, whatever waits for the stop? */
static const struct romsim_volume *held_volume(const struct keeper *keeper, const char *uuid)
{
    for (size_t i = 0; uuid && i < keeper->volumes.count && i < keeper->instance->volume_count; i++)
        if (strcmp(keeper->volumes.items[i].uuid, uuid) == 0)
            return &keeper->instance->volumes[i];
    return NULL;
}

/* By the name that the instance has the volume by, if it has it: it cannot have it twice. */
static json_t *attach_edits(const struct romsim_volume *held, const json_t *request)
{
    const char *key = held && !held->name ? "uuid" : "name";

    return json_pack("[{s:s, s:s, s:[{s:O, s:O, s:O*}]}]", "prop", "volumes", "op", "add", "value",
                     key, json_object_get(request, key), "at", json_object_get(request, "at"),
                     "readonly", json_object_get(request, "readonly"));
}

static json_t *do_attach_volume(struct keeper *keeper, struct keeper_client *client,
                                const json_t *request)
{
    json_t *answer = refuse_volume_change(keeper), *edits;
    struct romsim_error err = {0};

    if (answer)
        return answer;
    edits = attach_edits(held_volume(keeper, json_string_value(json_object_get(request, "uuid"))),
                         request);
    if (!edits)
        answer =
            keeper_refuse(ROMSIM_CLOUD_MALFORMED_REQUEST, "an attachment has a name and an at");
    else if (keeper_check_edits(keeper, edits, &err) < 0)
        answer = keeper_error_answer(&err);
    else
        answer = take_edits(keeper, client, edits);
    json_decref(edits);
    return answer;
}

static json_t *do_detach_volume(struct keeper *keeper, struct keeper_client *client,
                                const json_t *request)
{
    const char *name = json_string_value(json_object_get(request, "name")) ?: "";
    const struct romsim_volume *held =
        held_volume(keeper, json_string_value(json_object_get(request, "uuid")));
    json_t *answer = refuse_volume_change(keeper), *edits;
    struct romsim_error err = {0};

    if (answer)
        return answer;
    edits = json_pack("[{s:s, s:s, s:[s]}]", "prop", "volumes", "op", "del", "value",
                      held ? held->name ?: held->uuid : name);
    if (keeper_check_edits(keeper, edits, &err) == 0)
        answer = take_edits(keeper, client, edits);
    else if (err.errnum == ENOENT)
        answer = keeper_refuse(ROMSIM_CLOUD_NOT_ATTACHED,
                               "the volume '%s' is not attached to the instance '%s'", name,
                               keeper->layout->name);
    else
        answer = keeper_error_answer(&err);
    json_decref(edits);
    return answer;
}

static json_t *do_restart(struct keeper *keeper, struct keeper_client *client,
                          const json_t *request)
{
    const json_t *edits = json_object_get(request, "edits");
    struct romsim_error err = {0};

    if (keeper->is_deleted || keeper->edit)
        return refuse_busy(keeper);
    if (names_volumes(edits))
        return refuse_volumes();
    keeper->stop_ms = stop_patience(request);
    keeper_abort_restart(keeper);
    if (!json_array_size(edits)) {
        keeper_begin_restart(keeper);
        return keeper_state_answer(keeper);
    }
    if (keeper_begin_edit(keeper, edits, &err) < 0)
        return keeper_error_answer(&err);
    client->awaits_restart = true;
    return NULL;
}

/* Answered at the very end. */
static json_t *do_delete(struct keeper *keeper, struct keeper_client *client, const json_t *request)
{
    (void)request;
    client->awaits_end = true;
    if (!keeper->is_deleted)
        keeper_delete(keeper);
    return NULL;
}

/* Answered by keeper_tell_watchers(), at once. */
static json_t *do_watch(struct keeper *keeper, struct keeper_client *client, const json_t *request)
{
    (void)keeper;
    client->is_watching = client->is_due = true;
    client->number = number(request, "number", 0);
    return NULL;
}

void keeper_tell_watchers(struct keeper *keeper)
{
    json_t *item = NULL;

    for (size_t i = 0; i < keeper->clients.count; i++) {
        struct keeper_client *client = keeper->clients.items[i];

        client->is_due |= keeper->is_changed || !keeper->folder;
        if (!client->is_watching || !client->is_due)
            continue;
        channel_flush(&client->channel);
        if (channel_kept(&client->channel))
            continue; /* it is told when it has taken that: of many changes the last will do */
        client->is_due = false;
        /* Of one that is deleted there is nothing left to describe: its ports are others'. */
        if (!item && keeper->folder)
            item = keeper_describe(keeper);
        channel_answer(&client->channel,
                       keeper->folder
                           ? json_pack("{s:I, s:O}", "number", client->number, "item", item)
                           : json_pack("{s:I, s:b}", "number", client->number, "deleted", 1));
        channel_flush(&client->channel);
    }
    keeper->is_changed = false;
    json_decref(item);
}

static json_t *do_source(struct keeper *keeper, struct keeper_client *client, const json_t *request)
{
    CLEANUP_FREE char *body = romsim_instance_request(keeper->instance, NULL);
    json_t *roms = json_array();

    (void)client, (void)request;
    if (!keeper->config->source) {
        json_decref(roms);
        return keeper_refuse(ROMSIM_CLOUD_INVALID,
                             "'%s' was not made from files of this machine that could be watched",
                             keeper->layout->name);
    }
    /* They are known: keeper_new_uuids() has compared them. */
    for (size_t i = 0; i < keeper->instance->rom_count; i++) {
        const struct romsim_device *device =
            romsim_layout_device(keeper->layout, ROMSIM_DEVICE_ROM, i);

        json_array_append_new(
            roms, json_string(device && device->blob ? romsim_blob_sha256_hex(device->blob) : ""));
    }
    return json_pack("{s:O, s:I, s:o*, s:o}", "source", keeper->config->source, "position",
                     (json_int_t)keeper->config->position, "request",
                     body ? json_loads(body, 0, NULL) : NULL, "roms", roms);
}

/* Who made the instance leaves it alone from now on: nothing ties it to where that was. */
static json_t *do_release(struct keeper *keeper, struct keeper_client *client,
                          const json_t *request)
{
    (void)request;
    if (client != keeper->parent)
        return keeper_refuse(ROMSIM_CLOUD_INVALID, "the instance '%s' is not bound to you",
                             keeper->layout->name);
    keeper->is_bound = false;
    romsim_daemon_let_go(true);
    return json_object();
}

static const struct {
    const char *word;
    /* NULL: the answer comes later. */
    json_t *(*handle)(struct keeper *keeper, struct keeper_client *client, const json_t *request);
    bool changes;
} requests[] = {
    {"get", do_get, false},
    {"plan", do_plan, false},
    {"image", do_image, false},
    {"wait", do_wait, false},
    {"log", do_log, false},
    {"attach", keeper_attach, false},
    {"watch", do_watch, false},
    {"start", do_start, true},
    {"stop", do_stop, true},
    {"suspend", do_suspend, true},
    {"template", do_template, true},
    {"checkpoint", keeper_take_checkpoint, true},
    {"branch", keeper_take_branch, false},
    {"metrics", keeper_measure, false},
    {"input", keeper_take_input, false},
    {"size", keeper_take_size, false},
    {"release", do_release, false},
    {"source", do_source, false},
    {"case", keeper_tell_case, false},
    {"edit", do_edit, true},
    {"restart", do_restart, true},
    {"delete", do_delete, true},
    {"attach_volume", do_attach_volume, true},
    {"detach_volume", do_detach_volume, true},
};

void keeper_take_request(struct keeper *keeper, struct keeper_client *client, const json_t *request)
{
    const char *word = json_string_value(json_object_get(request, "do"));
    json_t *answer = NULL;

    /* Another request of this moment deleted it. */
    if (!keeper->folder && !(word && strcmp(word, "delete") == 0)) {
        channel_answer(&client->channel, keeper_refuse_deleted(keeper));
        return;
    }
    for (size_t i = 0; word && i < sizeof(requests) / sizeof(requests[0]); i++)
        if (strcmp(word, requests[i].word) == 0) {
            answer = requests[i].handle(keeper, client, request);
            keeper->is_changed |= requests[i].changes;
            if (answer)
                channel_answer(&client->channel, answer);
            return;
        }
    channel_answer(&client->channel, keeper_refuse(ROMSIM_CLOUD_WRONG_METHOD,
                                                   "the instance's keeper does not understand "
                                                   "this: is it of another version of romsim?"));
}
