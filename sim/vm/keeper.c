/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keeper.c: the process that owns an instance, from its creation to its deletion.
 *
 * One loop over descriptors: the socket, its clients, signals, and what the run of the VM polls
 * for.  It waits for nothing but in that loop, so nobody can hold it up: not a client (channel.h),
 * not the guest (run.h).  The state changes in change_state() and nowhere else; whoever waits for a
 * state is answered there, and the folder's record tells it to who does not ask.
 *
 *     stopped -> starting -> running [-> draining] -> stopping -> stopped      [-> deleted]
 *
 * A bound instance is the one of a client in the foreground: when the client goes it is killed, and
 * when its app has ended it is deleted, before the client is told, so that when it knows, nothing
 * is left.
 */
#include "keeper.h"

#include "channel.h"
#include "edit.h"
#include "meeting.h"
#include "run.h"
#include "status.h"

#include <romsim/checked.h>
#include <romsim/cleanup.h>
#include <romsim/clock.h>
#include <romsim/state.h>
#include <romsim/vector.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>

enum {
    CLIENTS_MAX = 200,
    KEPT_ENOUGH = 256 << 10, /* of the console for a client that is slow, before the app waits */
    DELIVER_MS = 2000,       /* for the last words to clients that nobody has bound */
    DRAIN_LOOK_MS = 200,     /* between two looks whether connections are left */
    DRAIN_MOST_MS = 300000,  /* what a drain_ms of -1 stands for */
    TIME_MOST_MS = 86400000, /* of a request */
    LOG_DEFAULT = 4096,
    /* cloud-rules §1: at once, then 5 s and twice that each time, up to 5 minutes; a run of 10 s
     * begins anew. */
    BACKOFF_FIRST_S = 5,
    BACKOFF_MOST_S = 300,
    RUN_RESETS_BACKOFF_S = 10
};

struct client {
    struct channel channel;
    bool is_attached;
    int awaited; /* an enum instance_state, or -1 */
    bool awaits_end, awaits_edit, awaits_restart;
};

DEFINE_VECTOR(clients, struct client *);

struct keeper {
    const struct keeper_config *config;
    struct romsim_instance *instance;
    struct romsim_layout *layout;
    struct romsim_state *folder;
    struct volumes volumes;
    struct console_log log;
    struct clients clients;
    struct client *parent; /* NULL when it is gone */
    int listener, signals;
    bool is_full; /* no descriptor is left for another client until one goes */
    char (*rom_uuids)[ROMSIM_UUID_SIZE];

    struct instance_status status;
    struct run *run;              /* NULL: none */
    struct edit *edit;            /* the same */
    json_t *updates;              /* edits that wait for the stop, and those that failed then */
    struct romsim_vm_event last;  /* of a run that has ended, until that is told; */
    char *last_text;              /* its text */
    bool restarts;                /* and what follows then */
    bool restarts_at_once;        /* whatever the policy is, by request */
    struct romsim_instance *next; /* what takes its place when the run has ended, or NULL */
    struct romsim_layout *next_layout;
    uint64_t run_start, restart_time, drain_time, drain_look; /* microseconds; 0: none */
    enum stop_wish wish;
    bool is_forced, is_deleted;
    unsigned stop_ms; /* for the app, once it is drained */
    enum instance_state before_deletion;
};

/* ---- telling -----------------------------------------------------------------------------------
 */

static void tell(struct keeper *keeper, const struct romsim_vm_event *event)
{
    for (size_t i = 0; i < keeper->clients.count; i++)
        if (keeper->clients.items[i]->is_attached)
            channel_event(&keeper->clients.items[i]->channel, event);
}

static void tell_text(struct keeper *keeper, enum romsim_vm_event_kind kind, const char *text)
{
    tell(keeper, &(struct romsim_vm_event){
                     .kind = kind,
                     .text = text,
                     .size = strlen(text),
                     .micros = keeper->run_start ? romsim_clock_us() - keeper->run_start : 0});
}

static json_t *error_answer(const struct romsim_error *err)
{
    return json_pack("{s:{s:i, s:i, s:s, s:s}}", "error", "code", (int)err->cloud, "errno",
                     err->errnum, "message", err->message, "hint", err->hint);
}

__attribute__((format(printf, 2, 3))) static json_t *refuse(enum romsim_cloud_code code,
                                                            const char *format, ...)
{
    struct romsim_error err = {0};
    char text[sizeof(err.message)];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    romsim_error_set(&err, EINVAL, "%s", text);
    err.cloud = code;
    return error_answer(&err);
}

static json_t *refuse_deleted(const struct keeper *keeper)
{
    return refuse(ROMSIM_CLOUD_NOT_FOUND, "the instance '%s' was deleted", keeper->layout->name);
}

static json_t *describe(const struct keeper *keeper)
{
    struct instance_status status = keeper->status;
    json_t *item;

    if (keeper->run && keeper->run_start)
        status.uptime_ms += (romsim_clock_us() - keeper->run_start) / 1000;
    item = instance_describe(keeper->instance, keeper->layout, &keeper->volumes,
                             (const char(*)[ROMSIM_UUID_SIZE])keeper->rom_uuids, &status,
                             keeper->config->plan);
    if (json_array_size(keeper->updates))
        json_object_set(item, "updates", keeper->updates);
    return item;
}

static json_t *state_answer(const struct keeper *keeper)
{
    return json_pack("{s:s, s:s, s:s}", "uuid", keeper->status.uuid, "name", keeper->layout->name,
                     "state", instance_state_name(keeper->status.state));
}

static json_t *change_answer(const struct keeper *keeper, enum instance_state previous)
{
    json_t *answer = state_answer(keeper);

    json_object_set_new(answer, "previous_state", json_string(instance_state_name(previous)));
    return answer;
}

static void change_state(struct keeper *keeper, enum instance_state state)
{
    if (keeper->status.state == state)
        return;
    keeper->status.state = state;
    if (keeper->folder)
        romsim_state_set_summary(keeper->folder, describe(keeper), NULL);
    tell_text(keeper, ROMSIM_VM_STATE, instance_state_name(state));
    for (size_t i = 0; i < keeper->clients.count; i++) {
        struct client *client = keeper->clients.items[i];

        if (client->awaited == (int)state) {
            client->awaited = -1;
            channel_answer(&client->channel, state_answer(keeper));
        }
    }
}

/* ---- a run -------------------------------------------------------------------------------------
 */

static bool str_is(const struct romsim_vm_event *event, const char *text)
{
    return strcmp(event->text, text) == 0;
}

/* A run_teller. */
static void on_run_event(void *context, const struct romsim_vm_event *event)
{
    struct keeper *keeper = context;

    if (event->kind == ROMSIM_VM_CONSOLE) {
        console_log_add(&keeper->log, event->text, event->size, time(NULL));
        return;
    }
    if (event->kind == ROMSIM_VM_PORT && !keeper->status.net_time_us)
        keeper->status.net_time_us = event->micros;
    tell(keeper, event);
    if (event->kind == ROMSIM_VM_PHASE && str_is(event, "app")) {
        keeper->status.boot_time_us = event->micros;
        if (keeper->status.state == STATE_STARTING)
            change_state(keeper, STATE_RUNNING);
    }
}

static void start(struct keeper *keeper)
{
    struct instance_status *status = &keeper->status;

    keeper->wish = STOP_BY_NOBODY;
    keeper->is_forced = false;
    keeper->restart_time = 0;
    status->restart_at = 0;
    status->start_count++;
    status->started_at = time(NULL);
    status->boot_time_us = status->net_time_us = 0;
    keeper->run_start = romsim_clock_us();
    change_state(keeper, STATE_STARTING);
    keeper->run = run_start(keeper->layout, &keeper->volumes, keeper->config->plan, keeper->folder,
                            on_run_event, keeper);
    if (!keeper->run) {
        status->stopped_at = time(NULL);
        change_state(keeper, STATE_STOPPED);
        tell_text(keeper, ROMSIM_VM_FAILED, "out of memory");
    }
}

/* Is the app to be started again?  A boot that fails would fail again. */
static bool wants_restart(const struct keeper *keeper, const struct run_result *result)
{
    bool failed = result->end != RUN_END_APP || result->status != 0;

    if (keeper->wish != STOP_BY_NOBODY || keeper->is_deleted || result->end == RUN_END_BOOT ||
        result->end == RUN_END_BROKEN)
        return false;
    return keeper->layout->restart == ROMSIM_RESTART_ALWAYS ||
           (keeper->layout->restart == ROMSIM_RESTART_ON_FAILURE && failed);
}

static unsigned backoff(unsigned attempt)
{
    unsigned seconds = attempt > 1 ? BACKOFF_FIRST_S : 0;

    while (attempt-- > 2 && seconds < BACKOFF_MOST_S)
        seconds *= 2;
    return seconds < BACKOFF_MOST_S ? seconds : BACKOFF_MOST_S;
}

static void replace(struct keeper *keeper, struct romsim_instance *instance,
                    struct romsim_layout *layout);

static void plan_restart(struct keeper *keeper, const struct run_result *result, uint64_t ran_s)
{
    struct instance_status *status = &keeper->status;
    unsigned delay;
    bool has_failed = result->kind == ROMSIM_VM_FAILED;
    char text[160], how[64], when[32];

    if (ran_s >= RUN_RESETS_BACKOFF_S)
        status->restart_attempt = 0;
    status->restart_attempt++;
    delay = backoff(status->restart_attempt);
    status->restart_at = time(NULL) + delay;
    keeper->restart_time = romsim_clock_us() + delay * 1000000ULL;
    if (has_failed)
        tell_text(keeper, ROMSIM_VM_ERROR, result->text);
    snprintf(how, sizeof(how), "the app ended with status %d", result->status);
    snprintf(when, sizeof(when), "in %u s", delay);
    snprintf(text, sizeof(text), "%s; its restart_policy starts it again %s",
             has_failed ? "the VM failed" : how, delay ? when : "at once");
    tell_text(keeper, ROMSIM_VM_NOTE, text);
}

/* How long the app ran of so many microseconds since the start: a slow boot is no good run. */
static uint64_t app_ran_s(const struct keeper *keeper, uint64_t ran)
{
    uint64_t boot = keeper->status.boot_time_us;

    return boot && ran > boot ? (ran - boot) / 1000000 : 0;
}

static bool has_delete_on_stop(const struct romsim_instance *instance)
{
    json_t *other = instance->other_json ? json_loads(instance->other_json, 0, NULL) : NULL;
    const json_t *features = json_object_get(other, "features");
    bool found = false;

    for (size_t i = 0; i < json_array_size(features) && !found; i++) {
        const char *feature = json_string_value(json_array_get(features, i));

        found = feature && strcmp(feature, "delete-on-stop") == 0;
    }
    json_decref(other);
    return found;
}

/* Nothing of the instance is left but the words about it. */
static void remove_all(struct keeper *keeper)
{
    cleanup_close_fd(&keeper->listener);
    keeper->listener = -1;
    volumes_detach(&keeper->volumes);
    romsim_state_free(keeper->folder);
    keeper->folder = NULL;
    forward_release(keeper->config->plan->forwards, keeper->layout->port_count);
    keeper->is_deleted = true;
}

/* Tells the end of a run, once what it is followed by can be done. */
static void conclude(struct keeper *keeper)
{
    bool ends =
        keeper->config->is_bound && (!keeper->config->stays || keeper->wish != STOP_BY_NOBODY);

    if (!keeper->restarts && (ends || has_delete_on_stop(keeper->instance)))
        remove_all(keeper);
    change_state(keeper, STATE_STOPPED);
    if (!keeper->restarts)
        tell(keeper, &keeper->last);
    free(keeper->last_text);
    keeper->last_text = NULL;
    if (keeper->is_deleted && keeper->folder)
        remove_all(keeper);
}

static void begin_queued_edits(struct keeper *keeper);

static void on_run_end(struct keeper *keeper)
{
    const struct run_result *result = run_finish(keeper->run);
    struct instance_status *status = &keeper->status;
    uint64_t ran = romsim_clock_us() - keeper->run_start;

    status->uptime_ms += ran / 1000;
    status->stopped_at = time(NULL);
    instance_status_end(status, result, keeper->wish, keeper->is_forced);
    keeper->drain_time = 0;
    keeper->restarts = keeper->restarts_at_once || wants_restart(keeper, result);
    if (keeper->restarts_at_once)
        keeper->restart_time = romsim_clock_us();
    else if (keeper->restarts)
        plan_restart(keeper, result, app_ran_s(keeper, ran));
    else
        status->restart_attempt = 0;
    keeper->last_text = strndup(result->text, result->size);
    keeper->last = (struct romsim_vm_event){.kind = result->kind,
                                            .text = keeper->last_text,
                                            .size = keeper->last_text ? result->size : 0,
                                            .micros = ran,
                                            .status = result->status};
    run_free(keeper->run);
    keeper->run = NULL;
    keeper->is_full = false;
    keeper->restarts_at_once = false;
    if (keeper->next)
        replace(keeper, STEAL_POINTER(&keeper->next), STEAL_POINTER(&keeper->next_layout));
    begin_queued_edits(keeper);
    if (keeper->edit)
        change_state(keeper, STATE_STOPPING);
    else
        conclude(keeper);
}

/* ---- edits -------------------------------------------------------------------------------------
 */

static bool is_pending(const json_t *update)
{
    const char *status = json_string_value(json_object_get(update, "status"));

    return status && strcmp(status, "pending") == 0;
}

/* The edits that wait, without those that failed before: a new array. */
static json_t *queued_edits(const struct keeper *keeper)
{
    json_t *edits = json_array();

    for (size_t i = 0; i < json_array_size(keeper->updates); i++)
        if (is_pending(json_array_get(keeper->updates, i)))
            json_array_append(edits, json_array_get(keeper->updates, i));
    return edits;
}

static void forget_failed(struct keeper *keeper)
{
    json_t *queued = queued_edits(keeper);

    json_decref(keeper->updates);
    keeper->updates = queued;
}

static void fail_queued(struct keeper *keeper, const struct romsim_error *err)
{
    char text[sizeof(err->message) + 64];

    for (size_t i = 0; i < json_array_size(keeper->updates); i++) {
        json_t *update = json_array_get(keeper->updates, i);

        json_object_set_new(update, "status", json_string("failed"));
        json_object_set_new(update, "error", json_string(err->message));
    }
    snprintf(text, sizeof(text), "an edit failed, all stays as it was: %s", err->message);
    tell_text(keeper, ROMSIM_VM_NOTE, text);
}

/* Of what will run next. */
static int begin_edit(struct keeper *keeper, const json_t *edits, struct romsim_error *err)
{
    keeper->edit = edit_start(keeper->next ? keeper->next : keeper->instance, keeper->layout->name,
                              edits, &keeper->config->limits, err);
    return keeper->edit ? 0 : -1;
}

static void begin_queued_edits(struct keeper *keeper)
{
    json_t *edits = keeper->is_deleted || keeper->edit ? NULL : queued_edits(keeper);
    struct romsim_error err = {0};

    if (json_array_size(edits) && begin_edit(keeper, edits, &err) < 0)
        fail_queued(keeper, &err);
    json_decref(edits);
}

/* The UUIDs of the ROMs: an inline one keeps its own as long as its bytes are the same. */
static char (*new_uuids(const struct keeper *keeper, const struct romsim_instance *instance,
                        const struct romsim_layout *layout))[ROMSIM_UUID_SIZE]
{
    char(*uuids)[ROMSIM_UUID_SIZE] = calloc(instance->rom_count + 1, sizeof(*uuids));

    for (size_t i = 0; uuids && i < instance->rom_count; i++) {
        const struct romsim_device *device = romsim_layout_device(layout, ROMSIM_DEVICE_ROM, i);

        romsim_uuid_new(uuids[i]);
        for (size_t j = 0; keeper->rom_uuids && j < keeper->instance->rom_count; j++) {
            const struct romsim_device *old =
                romsim_layout_device(keeper->layout, ROMSIM_DEVICE_ROM, j);

            if (device && old &&
                strcmp(romsim_blob_sha256_hex(device->blob), romsim_blob_sha256_hex(old->blob)) ==
                    0)
                memcpy(uuids[i], keeper->rom_uuids[j], sizeof(uuids[i]));
        }
    }
    return uuids;
}

static void replace(struct keeper *keeper, struct romsim_instance *instance,
                    struct romsim_layout *layout)
{
    char(*uuids)[ROMSIM_UUID_SIZE] = new_uuids(keeper, instance, layout);

    free(keeper->rom_uuids);
    keeper->rom_uuids = uuids;
    romsim_layout_free(keeper->layout);
    romsim_instance_free(keeper->instance);
    keeper->layout = layout;
    keeper->instance = instance;
}

/* What runs makes room for what takes its place. */
static void begin_restart(struct keeper *keeper)
{
    keeper->restarts_at_once = true;
    if (keeper->run && keeper->status.state == STATE_STOPPING)
        return; /* it does already */
    if (keeper->run) {
        run_stop(keeper->run, keeper->stop_ms);
        change_state(keeper, STATE_STOPPING);
    } else {
        keeper->restarts = true;
        keeper->restart_time = romsim_clock_us();
    }
}

/* The answers to whoever wanted the edit; true if it was to be followed by a restart. */
static bool answer_edit(struct keeper *keeper, const struct romsim_error *err)
{
    bool restarts = false;

    for (size_t i = 0; i < keeper->clients.count; i++) {
        struct client *client = keeper->clients.items[i];

        if (client->awaits_edit)
            channel_answer(&client->channel,
                           err ? error_answer(err) : json_pack("{s:b}", "queued", 0));
        if (client->awaits_restart)
            channel_answer(&client->channel, err ? error_answer(err) : state_answer(keeper));
        restarts |= client->awaits_restart;
        client->awaits_edit = client->awaits_restart = false;
    }
    return restarts;
}

static void on_edit_done(struct keeper *keeper)
{
    struct romsim_instance *instance = NULL;
    struct romsim_layout *layout = NULL;
    struct romsim_error err = {0};
    bool good = edit_finish(keeper->edit, &instance, &layout, &err) == 0, restarts;

    keeper->edit = NULL;
    restarts = answer_edit(keeper, good ? NULL : &err);
    if (good && keeper->run) {
        romsim_layout_free(keeper->next_layout);
        romsim_instance_free(keeper->next);
        keeper->next = instance;
        keeper->next_layout = layout;
    } else if (good) {
        replace(keeper, instance, layout);
        json_array_clear(keeper->updates);
    } else if (!restarts) {
        fail_queued(keeper, &err);
    }
    if (good && restarts && !keeper->is_deleted)
        begin_restart(keeper);
    if (keeper->run)
        return;
    if (keeper->status.state == STATE_STOPPING)
        conclude(keeper);
    else if (keeper->is_deleted)
        remove_all(keeper);
    else
        romsim_state_set_summary(keeper->folder, describe(keeper), NULL);
}

static json_t *do_edit(struct keeper *keeper, struct client *client, const json_t *request)
{
    const json_t *edits = json_object_get(request, "edits");
    json_t *all;
    struct romsim_error err = {0};
    int status;

    if (keeper->is_deleted || keeper->edit)
        return refuse(ROMSIM_CLOUD_WRONG_VM_STATE, "the instance '%s' is being %s",
                      keeper->layout->name, keeper->edit ? "edited" : "deleted");
    if (!json_array_size(edits))
        return refuse(ROMSIM_CLOUD_INVALID, "there is nothing to edit");
    forget_failed(keeper);
    all = queued_edits(keeper);
    json_array_extend(all, (json_t *)edits);
    status = edit_check(keeper->instance, all, &keeper->config->limits, &err);
    json_decref(all);
    if (status < 0)
        return error_answer(&err);
    if (keeper->run) {
        for (size_t i = 0; i < json_array_size(edits); i++) {
            json_t *update = json_deep_copy(json_array_get(edits, i));

            json_object_set_new(update, "status", json_string("pending"));
            json_array_append_new(keeper->updates, update);
        }
        return json_pack("{s:b}", "queued", 1);
    }
    if (begin_edit(keeper, edits, &err) < 0)
        return error_answer(&err);
    client->awaits_edit = true;
    return NULL;
}

/* ---- stopping ----------------------------------------------------------------------------------
 */

static void stop(struct keeper *keeper)
{
    keeper->drain_time = 0;
    run_stop(keeper->run, keeper->stop_ms);
    change_state(keeper, STATE_STOPPING);
}

static void force(struct keeper *keeper)
{
    keeper->is_forced = true;
    run_kill(keeper->run);
    change_state(keeper, STATE_STOPPING);
}

static void drain(struct keeper *keeper, int64_t drain_ms)
{
    uint64_t most = drain_ms < 0 ? DRAIN_MOST_MS : min_u64((uint64_t)drain_ms, TIME_MOST_MS);

    run_close_ports(keeper->run);
    keeper->drain_time = romsim_clock_us() + most * 1000;
    keeper->drain_look = romsim_clock_us();
    change_state(keeper, STATE_DRAINING);
}

/* Looks whether somebody still has a connection. */
static void on_drain(struct keeper *keeper)
{
    if (romsim_clock_us() >= keeper->drain_time || run_connections(keeper->run) <= 0)
        stop(keeper);
    else
        keeper->drain_look = romsim_clock_us() + DRAIN_LOOK_MS * 1000;
}

static void abort_restart(struct keeper *keeper)
{
    keeper->restart_time = 0;
    keeper->restarts_at_once = false;
    keeper->status.restart_at = 0;
    keeper->status.restart_attempt = 0;
}

/* Without a run: there will be none.  Who follows an app that was to be started again learns that
 * its last end was the end; conclude() tells it where that is still to come. */
static void settle(struct keeper *keeper)
{
    bool waited = keeper->restart_time != 0;
    struct romsim_vm_event last = {
        .kind = ROMSIM_VM_EXIT, .text = "", .status = keeper->last.status};

    abort_restart(keeper);
    keeper->restarts = false;
    if (!waited || keeper->status.state != STATE_STOPPED)
        return;
    if (keeper->config->is_bound && keeper->folder && !keeper->edit)
        remove_all(keeper);
    if (keeper->folder)
        romsim_state_set_summary(keeper->folder, describe(keeper), NULL);
    if (keeper->last.kind == ROMSIM_VM_FAILED)
        tell_text(keeper, ROMSIM_VM_FAILED, "it was ended before it was started again");
    else
        tell(keeper, &last);
}

static void delete (struct keeper *keeper)
{
    keeper->before_deletion = keeper->status.state;
    keeper->is_deleted = true;
    if (keeper->run) {
        abort_restart(keeper);
        force(keeper);
    } else {
        if (!keeper->edit)
            remove_all(keeper);
        settle(keeper);
    }
}

/* ---- requests ----------------------------------------------------------------------------------
 */

static json_t *do_get(struct keeper *keeper, struct client *client, const json_t *request)
{
    (void)client, (void)request;
    return describe(keeper);
}

static json_t *do_start(struct keeper *keeper, struct client *client, const json_t *request)
{
    enum instance_state previous = keeper->status.state;

    (void)client, (void)request;
    if (keeper->run || keeper->edit || keeper->is_deleted)
        return refuse(ROMSIM_CLOUD_WRONG_VM_STATE, "the instance '%s' is %s, not stopped",
                      keeper->layout->name,
                      keeper->edit ? "being edited" : instance_state_name(previous));
    abort_restart(keeper);
    start(keeper);
    return change_answer(keeper, previous);
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

    return timeout_ms < 0 ? 0 : (unsigned)min_u64((uint64_t)timeout_ms, TIME_MOST_MS);
}

static json_t *do_stop(struct keeper *keeper, struct client *client, const json_t *request)
{
    enum instance_state previous = keeper->status.state;
    json_int_t drain_ms = number(request, "drain_ms", 0);
    bool waits = json_is_true(json_object_get(request, "wait"));

    if (!keeper->run) {
        settle(keeper);
        if (keeper->config->is_bound && !keeper->is_deleted)
            delete (keeper);
        if (!waits || keeper->status.state == STATE_STOPPED)
            return change_answer(keeper, previous);
        client->awaited = STATE_STOPPED; /* edits are still made */
        return NULL;
    }
    keeper->restarts_at_once = false;
    keeper->wish = STOP_BY_USER;
    keeper->stop_ms = stop_patience(request);
    if (waits)
        client->awaited = STATE_STOPPED;
    if (json_is_true(json_object_get(request, "force")))
        force(keeper);
    else if (drain_ms && keeper->status.state == STATE_RUNNING)
        drain(keeper, drain_ms);
    else if (keeper->status.state != STATE_DRAINING || !drain_ms)
        stop(keeper);
    return waits ? NULL : change_answer(keeper, previous);
}

static json_t *do_wait(struct keeper *keeper, struct client *client, const json_t *request)
{
    const char *name = json_string_value(json_object_get(request, "state"));
    int state = instance_state_find(name ? name : "running");

    if (state < 0)
        return refuse(ROMSIM_CLOUD_INVALID, "there is no state '%s'", name);
    if (state == (int)keeper->status.state)
        return state_answer(keeper);
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

static json_t *do_log(struct keeper *keeper, struct client *client, const json_t *request)
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

static json_t *do_attach(struct keeper *keeper, struct client *client, const json_t *request)
{
    const json_t *offset = json_object_get(request, "offset");
    json_t *answer;

    client->is_attached = true;
    channel_console(&client->channel, &keeper->log,
                    offset ? log_offset(keeper, json_integer_value(offset)) : keeper->log.end,
                    CHANNEL_FOLLOW);
    answer = state_answer(keeper);
    json_object_set_new(answer, "restarts", json_boolean(keeper->restart_time != 0));
    return answer;
}

static json_t *do_restart(struct keeper *keeper, struct client *client, const json_t *request)
{
    const json_t *edits = json_object_get(request, "edits");
    struct romsim_error err = {0};

    if (keeper->is_deleted || keeper->edit)
        return refuse(ROMSIM_CLOUD_WRONG_VM_STATE, "the instance '%s' is being %s",
                      keeper->layout->name, keeper->is_deleted ? "deleted" : "edited");
    keeper->stop_ms = stop_patience(request);
    abort_restart(keeper);
    if (!json_array_size(edits)) {
        begin_restart(keeper);
        return state_answer(keeper);
    }
    if (begin_edit(keeper, edits, &err) < 0)
        return error_answer(&err);
    client->awaits_restart = true;
    return NULL;
}

/* Answered at the very end. */
static json_t *do_delete(struct keeper *keeper, struct client *client, const json_t *request)
{
    (void)request;
    client->awaits_end = true;
    if (!keeper->is_deleted)
        delete (keeper);
    return NULL;
}

static const struct {
    const char *word;
    /* NULL: the answer comes later. */
    json_t *(*handle)(struct keeper *keeper, struct client *client, const json_t *request);
} requests[] = {
    {"get", do_get},   {"start", do_start},     {"stop", do_stop},
    {"wait", do_wait}, {"log", do_log},         {"attach", do_attach},
    {"edit", do_edit}, {"restart", do_restart}, {"delete", do_delete},
};

static void take_request(struct keeper *keeper, struct client *client, const json_t *request)
{
    const char *word = json_string_value(json_object_get(request, "do"));
    json_t *answer = NULL;

    /* Another request of this moment deleted it. */
    if (!keeper->folder && !(word && strcmp(word, "delete") == 0)) {
        channel_answer(&client->channel, refuse_deleted(keeper));
        return;
    }
    for (size_t i = 0; word && i < sizeof(requests) / sizeof(requests[0]); i++)
        if (strcmp(word, requests[i].word) == 0) {
            answer = requests[i].handle(keeper, client, request);
            if (answer)
                channel_answer(&client->channel, answer);
            return;
        }
    channel_answer(&client->channel,
                   refuse(ROMSIM_CLOUD_WRONG_METHOD, "the instance's keeper does not understand "
                                                     "this: is it of another version of romsim?"));
}

/* ---- clients -----------------------------------------------------------------------------------
 */

static struct client *add_client(struct keeper *keeper, int fd)
{
    struct client *client = calloc(1, sizeof(*client));

    if (!client || clients_append(&keeper->clients, client) < 0) {
        close(fd);
        free(client);
        return NULL;
    }
    client->awaited = -1;
    channel_open(&client->channel, fd);
    return client;
}

/* One more than there can be is told so. */
static void turn_away(const struct keeper *keeper, int fd)
{
    struct channel channel;

    channel_open(&channel, fd);
    channel_answer(&channel, refuse(ROMSIM_CLOUD_TOO_MANY, "%d ask the instance '%s' already",
                                    CLIENTS_MAX, keeper->layout->name));
    channel_flush(&channel);
    channel_close(&channel);
}

static void on_listener(struct keeper *keeper)
{
    /* cppcheck-suppress nullPointer; who asks needs no address */
    int fd = accept4(keeper->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0)
        keeper->is_full = errno == EMFILE || errno == ENFILE || errno == ENOMEM;
    else if (keeper->clients.count >= CLIENTS_MAX)
        turn_away(keeper, fd);
    else
        add_client(keeper, fd);
}

static void on_client(struct keeper *keeper, struct client *client)
{
    json_t *request = NULL;
    int taken = channel_take_request(&client->channel, &request);

    if (taken > 0)
        take_request(keeper, client, request);
    else if (taken == 0)
        channel_close(&client->channel);
    json_decref(request);
}

/* Whoever bound the instance to itself has gone. */
static void on_parent_gone(struct keeper *keeper)
{
    keeper->parent = NULL;
    if (!keeper->config->is_bound || keeper->is_deleted)
        return;
    keeper->wish = STOP_BY_USER;
    delete (keeper);
}

static void drop_closed(struct keeper *keeper)
{
    for (size_t i = 0; i < keeper->clients.count; i++) {
        struct client *client = keeper->clients.items[i];

        if (client->channel.fd >= 0)
            continue;
        keeper->clients.items[i--] = keeper->clients.items[--keeper->clients.count];
        if (client == keeper->parent)
            on_parent_gone(keeper);
        channel_close(&client->channel);
        free(client);
        keeper->is_full = false;
    }
}

/* Somebody signals the keeper itself: the machine shuts down, say. */
static void on_signal(struct keeper *keeper)
{
    struct signalfd_siginfo info;
    bool is_second = keeper->wish == STOP_BY_PLATFORM;

    if (read(keeper->signals, &info, sizeof(info)) != sizeof(info))
        return;
    keeper->wish = STOP_BY_PLATFORM;
    if (!keeper->run || is_second) {
        delete (keeper);
        return;
    }
    keeper->before_deletion = keeper->status.state;
    keeper->is_deleted = true;
    abort_restart(keeper);
    keeper->stop_ms = ROMSIM_VM_STOP_SECONDS * 1000;
    stop(keeper);
}

/* ---- the loop ----------------------------------------------------------------------------------
 */

enum { POLL_LISTENER, POLL_SIGNALS, POLL_EDIT, POLL_RUN, POLL_CLIENTS = POLL_RUN + RUN_POLLS };

static int sooner(int one, int other)
{
    return one < 0 || (other >= 0 && other < one) ? other : one;
}

static int until(uint64_t time)
{
    uint64_t current = romsim_clock_us();

    if (!time)
        return -1;
    return time <= current ? 0 : (int)((time - current) / 1000 + 1);
}

static int time_left(const struct keeper *keeper)
{
    int left = keeper->run ? run_time_left(keeper->run) : -1;

    if (keeper->run && run_has_ended(keeper->run))
        return 0;
    if (!keeper->edit)
        left = sooner(left, until(keeper->restart_time));
    return keeper->drain_time ? sooner(left, until(min_u64(keeper->drain_time, keeper->drain_look)))
                              : left;
}

static size_t fill_polls(const struct keeper *keeper, struct pollfd *polls)
{
    /* While who has bound the instance is slow, the app waits as it would for a slow terminal. */
    bool is_slow = keeper->config->is_bound && keeper->parent &&
                   channel_kept(&keeper->parent->channel) > KEPT_ENOUGH;
    size_t count = POLL_CLIENTS;

    polls[POLL_LISTENER] = (struct pollfd){keeper->is_full ? -1 : keeper->listener, POLLIN, 0};
    polls[POLL_SIGNALS] = (struct pollfd){keeper->signals, POLLIN, 0};
    polls[POLL_EDIT] = (struct pollfd){edit_fd(keeper->edit), POLLIN, 0};
    for (int i = 0; i < RUN_POLLS; i++)
        polls[POLL_RUN + i] = (struct pollfd){.fd = -1};
    if (keeper->run)
        run_polls(keeper->run, is_slow, polls + POLL_RUN);
    for (size_t i = 0; i < keeper->clients.count; i++) {
        const struct channel *channel = &keeper->clients.items[i]->channel;

        polls[count++] =
            (struct pollfd){channel->fd, POLLIN | (channel_kept(channel) ? POLLOUT : 0), 0};
    }
    return count;
}

static void dispatch_clients(struct keeper *keeper, const struct pollfd *polls, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (polls[i].revents & ~POLLOUT)
            on_client(keeper, keeper->clients.items[i]);
}

static void dispatch_times(struct keeper *keeper)
{
    if (keeper->run && run_time_left(keeper->run) == 0)
        run_time_out(keeper->run);
    if (keeper->restart_time && !keeper->edit && until(keeper->restart_time) == 0) {
        keeper->status.restart_count++;
        start(keeper);
    }
    if (keeper->drain_time && until(min_u64(keeper->drain_time, keeper->drain_look)) == 0)
        on_drain(keeper);
}

static void loop(struct keeper *keeper)
{
    struct pollfd polls[POLL_CLIENTS + CLIENTS_MAX + 1];

    while (keeper->folder) {
        size_t clients = keeper->clients.count;
        size_t count = fill_polls(keeper, polls);
        int ready = poll(polls, count, time_left(keeper));

        if (ready > 0) {
            if (polls[POLL_SIGNALS].revents)
                on_signal(keeper);
            dispatch_clients(keeper, polls + POLL_CLIENTS, clients);
            if (polls[POLL_LISTENER].revents)
                on_listener(keeper);
            if (keeper->run)
                run_dispatch(keeper->run, polls + POLL_RUN);
            if (keeper->edit && polls[POLL_EDIT].revents)
                on_edit_done(keeper);
        }
        if (ready >= 0 || errno == EINTR)
            dispatch_times(keeper);
        if (keeper->run && run_has_ended(keeper->run))
            on_run_end(keeper);
        for (size_t i = 0; i < keeper->clients.count; i++)
            channel_flush(&keeper->clients.items[i]->channel);
        drop_closed(keeper);
    }
}

/* Nothing of the instance is left: what is still here is for the clients, however slow they are who
 * bound it to themselves. */
static void deliver(struct keeper *keeper)
{
    uint64_t end =
        keeper->config->is_bound && keeper->parent ? 0 : romsim_clock_us() + DELIVER_MS * 1000ULL;
    struct pollfd polls[CLIENTS_MAX + 2];

    for (;;) {
        size_t count = 1;

        polls[0] = (struct pollfd){keeper->signals, POLLIN, 0};
        for (size_t i = 0; i < keeper->clients.count; i++) {
            struct channel *channel = &keeper->clients.items[i]->channel;

            channel_flush(channel);
            if (channel->fd >= 0 && channel_kept(channel) > 0)
                polls[count++] = (struct pollfd){channel->fd, POLLOUT, 0};
        }
        /* One that has gone is closed by the next channel_flush(). */
        if (count == 1 || (end && romsim_clock_us() >= end) ||
            (poll(polls, count, end ? until(end) : -1) < 0 && errno != EINTR) || polls[0].revents)
            return;
    }
}

/* ---- from beginning to end ---------------------------------------------------------------------
 */

static int watch_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int open_keeper(struct keeper *keeper, struct romsim_error *err)
{
    struct instance_status *status = &keeper->status;

    keeper->rom_uuids = new_uuids(keeper, keeper->instance, keeper->layout);
    keeper->updates = json_array();
    if (!keeper->rom_uuids || !keeper->updates)
        return romsim_error_nomem(err);
    if (!romsim_uuid_new(status->uuid) || !romsim_uuid_new(status->interface_uuid))
        return romsim_error_system(err, errno, "the kernel has no random bytes");
    if (console_log_open(&keeper->log, err) < 0)
        return -1;
    keeper->folder = romsim_state_new(ROMSIM_STATE_INSTANCE, keeper->layout->name, err);
    if (!keeper->folder)
        return -1;
    if (volumes_attach(keeper->layout, keeper->instance, &keeper->volumes, err) < 0)
        return -1;
    status->number = romsim_state_number(keeper->folder);
    status->created_at = time(NULL);
    keeper->listener = meeting_listen(romsim_state_directory(keeper->folder), KEEPER_SOCKET);
    if (keeper->listener < 0)
        return romsim_error_system(err, errno, "cannot listen for who asks for the instance");
    return romsim_state_set_summary(keeper->folder, describe(keeper), err);
}

static void tell_error(struct keeper *keeper, const struct romsim_error *err)
{
    CLEANUP_FREE char *text = romsim_error_text(err);

    tell_text(keeper, ROMSIM_VM_FAILED, text ? text : err->message);
}

/* The last words to who is waiting for them. */
static void answer_last(struct keeper *keeper)
{
    for (size_t i = 0; i < keeper->clients.count; i++) {
        struct client *client = keeper->clients.items[i];

        if (client->awaits_edit || client->awaits_restart)
            channel_answer(&client->channel, refuse_deleted(keeper));
        else if (client->awaits_end)
            channel_answer(&client->channel, change_answer(keeper, keeper->before_deletion));
        else if (client->awaited >= 0)
            channel_answer(&client->channel, refuse_deleted(keeper));
    }
}

static void close_keeper(struct keeper *keeper)
{
    for (size_t i = 0; i < keeper->clients.count; i++) {
        channel_close(&keeper->clients.items[i]->channel);
        free(keeper->clients.items[i]);
    }
    clients_reset(&keeper->clients);
    console_log_close(&keeper->log);
    cleanup_close_fd(&keeper->signals);
    json_decref(keeper->updates);
    free(keeper->rom_uuids);
    romsim_layout_free(keeper->layout);
    romsim_instance_free(keeper->instance);
    romsim_layout_free(keeper->next_layout);
    romsim_instance_free(keeper->next);
}

void keeper_run(const struct keeper_config *config)
{
    struct keeper keeper = {.config = config,
                            .instance = config->instance,
                            .layout = config->layout,
                            .listener = -1,
                            .signals = watch_signals()};
    struct romsim_error err = {0};

    keeper.parent = add_client(&keeper, config->parent);
    if (!keeper.parent)
        return;
    if (open_keeper(&keeper, &err) < 0) {
        if (keeper.folder)
            remove_all(&keeper);
        keeper.parent->is_attached = true;
        tell_error(&keeper, &err);
    } else {
        json_t *answer = do_attach(&keeper, keeper.parent, NULL);

        json_decref(answer);
        tell_text(&keeper, ROMSIM_VM_CREATED, keeper.layout->name);
        if (config->autostart)
            start(&keeper);
        loop(&keeper);
        change_state(&keeper, STATE_DELETED);
    }
    answer_last(&keeper);
    deliver(&keeper);
    close_keeper(&keeper);
}
