/* SPDX-License-Identifier: BSD-3-Clause */
/* keeper_life.c: what becomes of an instance: its states, its runs and restarts, its end. */
#include "keeper_parts.h"

#include <romsim/checked.h>
#include <romsim/clock.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum {
    DRAIN_LOOK_MS = 200,    /* between two looks whether connections are left */
    DRAIN_MOST_MS = 300000, /* what a drain_ms of -1 stands for */
    /* cloud-rules §1: at once, then 5 s and twice that each time, up to 5 minutes; a run of 10 s
     * begins anew. */
    BACKOFF_FIRST_S = 5,
    BACKOFF_MOST_S = 300,
    RUN_RESETS_BACKOFF_S = 10
};

/* ---- telling -----------------------------------------------------------------------------------
 */

void keeper_tell(struct keeper *keeper, const struct romsim_vm_event *event)
{
    for (size_t i = 0; i < keeper->clients.count; i++)
        if (keeper->clients.items[i]->is_attached)
            channel_event(&keeper->clients.items[i]->channel, event);
}

void keeper_tell_text(struct keeper *keeper, enum romsim_vm_event_kind kind, const char *text)
{
    keeper_tell(keeper,
                &(struct romsim_vm_event){
                    .kind = kind,
                    .text = text,
                    .size = strlen(text),
                    .micros = keeper->run_start ? romsim_clock_us() - keeper->run_start : 0});
}

void keeper_change_state(struct keeper *keeper, enum instance_state state)
{
    if (keeper->status.state == state)
        return;
    keeper->status.state = state;
    keeper->is_changed = true;
    if (keeper->folder)
        romsim_state_set_summary(keeper->folder, keeper_describe(keeper), NULL);
    keeper_tell_text(keeper, ROMSIM_VM_STATE, instance_state_name(state));
    for (size_t i = 0; i < keeper->clients.count; i++) {
        struct keeper_client *client = keeper->clients.items[i];

        if (client->awaited == (int)state || (client->takes_standby && state == STATE_STANDBY)) {
            client->awaited = -1;
            client->takes_standby = false;
            channel_answer(&client->channel, keeper_state_answer(keeper));
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
void keeper_on_run_event(void *context, const struct romsim_vm_event *of_run)
{
    struct keeper *keeper = context;
    struct romsim_vm_event shifted = *of_run;
    const struct romsim_vm_event *event = &shifted;

    /* Those are by the clock, and a start has one beginning. */
    if (of_run->kind != ROMSIM_VM_TIMING)
        shifted.micros += keeper->warming_us;
    else if (keeper->warming_us && str_is(of_run, "begin"))
        return;

    if (event->kind == ROMSIM_VM_CONSOLE) {
        console_log_add(&keeper->log, event->text, event->size, time(NULL));
        return;
    }
    keeper->is_changed = true;
    if (event->kind == ROMSIM_VM_PORT && !keeper->status.net_time_us)
        keeper->status.net_time_us = event->micros;
    keeper_tell(keeper, event);
    if (event->kind == ROMSIM_VM_PHASE && str_is(event, "app")) {
        keeper->status.boot_time_us = event->micros;
        /* It has gone on from there: what it was then is not any more. */
        keeper_forget_saved(keeper);
        if (keeper->status.state == STATE_STARTING)
            keeper_change_state(keeper, STATE_RUNNING);
    }
}

/* What is suspended and has none is copied, see below. */
static void choose_memory(struct keeper *keeper)
{
    if (keeper->saved >= 0)
        return;
    cleanup_close_fd(&keeper->memory);
    keeper->memory = -1;
    if (keeper->door && keeper->scaling.is_on && keeper->scaling.is_stateful &&
        !keeper->layout->template && !keeper->becomes_template)
        keeper->memory = memfd_create("romsim-memory", MFD_CLOEXEC);
}

void keeper_begin_run(struct keeper *keeper)
{
    struct romsim_error err = {0};
    const struct vm_plan *plan;

    choose_memory(keeper);
    plan = keeper_plan_run(keeper, &err);
    if (plan && (plan->saving || !keeper_begin_warm(keeper)))
        keeper->run = run_start(keeper->layout, &keeper->volumes, plan, keeper->folder,
                                keeper->saved, keeper_on_run_event, keeper);
    if (keeper->run) {
        keeper_begin_input(keeper);
        return;
    }
    keeper->is_warming = keeper->is_clone = false;
    keeper->status.stopped_at = time(NULL);
    keeper_close_door(keeper);
    keeper_change_state(keeper, STATE_STOPPED);
    keeper_tell_text(keeper, ROMSIM_VM_FAILED, err.errnum ? err.message : "out of memory");
    keeper_forget_template(keeper);
}

void keeper_start(struct keeper *keeper)
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
    keeper->warming_us = 0;
    keeper->stands_by = keeper->stops_awake = false;
    keeper_open_door(keeper);
    keeper_change_state(keeper, STATE_STARTING);
    keeper_begin_run(keeper);
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
        keeper_tell_text(keeper, ROMSIM_VM_ERROR, result->text);
    snprintf(how, sizeof(how), "the app ended with status %d", result->status);
    snprintf(when, sizeof(when), "in %u s", delay);
    snprintf(text, sizeof(text), "%s; its restart_policy starts it again %s",
             has_failed ? "the VM failed" : how, delay ? when : "at once");
    keeper_tell_text(keeper, ROMSIM_VM_NOTE, text);
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

void keeper_remove_all(struct keeper *keeper)
{
    cleanup_close_fd(&keeper->listener);
    keeper->listener = -1;
    keeper_close_door(keeper);
    volumes_detach(&keeper->volumes);
    romsim_layout_leave_group(keeper->next);
    romsim_layout_leave_group(keeper->instance);
    romsim_state_free(keeper->folder);
    keeper->folder = NULL;
    forward_release(keeper->config->plan->forwards, keeper->layout->port_count);
    keeper->is_deleted = true;
}

/* There will be no other run unless somebody wants it. */
static void conclude_stopped(struct keeper *keeper)
{
    bool ends = keeper->is_bound && (!keeper->config->stays || keeper->wish != STOP_BY_NOBODY);

    keeper_close_door(keeper);
    if (keeper->is_template || ends || has_delete_on_stop(keeper->instance))
        keeper_remove_all(keeper);
    keeper_change_state(keeper, keeper->is_template ? STATE_TEMPLATE : STATE_STOPPED);
    keeper_tell(keeper, &keeper->last);
    keeper_forget_template(keeper);
}

void keeper_conclude(struct keeper *keeper)
{
    if (keeper->restarts && !keeper->is_template) {
        keeper_change_state(keeper, STATE_STOPPED);
    } else if (keeper->stands_by && !keeper->is_deleted) {
        keeper_change_state(keeper, STATE_STANDBY);
        keeper_tell_text(keeper, ROMSIM_VM_NOTE, "standby: the next connection wakes it");
    } else {
        conclude_stopped(keeper);
    }
    free(keeper->last_text);
    keeper->last_text = NULL;
    keeper->last.text = NULL;
    keeper->last.size = 0;
    if (keeper->is_deleted && keeper->folder)
        keeper_remove_all(keeper);
}

void keeper_end_run(struct keeper *keeper)
{
    const struct run_result *result = run_finish(keeper->run);
    struct instance_status *status = &keeper->status;
    uint64_t ran = romsim_clock_us() - keeper->run_start;

    keeper->is_changed = true;
    keeper_lose_snapshot(keeper);
    if (keeper_end_warming(keeper, result))
        return;
    keeper_settle_standby(keeper, result);
    if (result->end != RUN_END_SAVED || !keeper->suspends)
        keeper_forget_saved(keeper);
    keeper->is_deleted |=
        keeper_end_template(keeper, result->end == RUN_END_SAVED && !keeper->suspends);
    keeper->suspends = keeper->stops_awake = false;
    status->uptime_ms += ran / 1000;
    status->stopped_at = time(NULL);
    instance_status_end(status, result, keeper->wish, keeper->is_forced);
    keeper->drain_time = 0;
    keeper->restarts =
        (keeper->restarts_at_once && !keeper->is_template) || wants_restart(keeper, result);
    if (keeper->restarts_at_once && keeper->restarts)
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
        keeper_replace(keeper, STEAL_POINTER(&keeper->next), STEAL_POINTER(&keeper->next_layout));
    keeper_begin_queued_edits(keeper);
    if (keeper->edit)
        keeper_change_state(keeper, STATE_STOPPING);
    else
        keeper_conclude(keeper);
}

/* ---- suspending --------------------------------------------------------------------------------
 *
 * What is saved has the guest's memory, and in it what was read of inline ROMs: it is kept in
 * memory and never on a disk, as they are.  Who scales to zero, and so is saved again and again,
 * has its memory in such a file from its start: it need not be copied, neither then nor when it
 * goes on.
 */

void keeper_forget_saved(struct keeper *keeper)
{
    cleanup_close_fd(&keeper->saved);
    keeper->saved = -1;
    if (keeper->run && !run_has_ended(keeper->run))
        return;
    cleanup_close_fd(&keeper->memory);
    keeper->memory = -1;
}

int keeper_suspend(struct keeper *keeper, enum stop_wish wish, struct romsim_error *err)
{
    keeper_forget_saved(keeper);
    keeper->saved = memfd_create("romsim-suspended", MFD_CLOEXEC);
    if (keeper->saved < 0)
        return romsim_error_system(err, errno, "cannot keep a suspended VM");
    keeper->suspends = true;
    keeper->saved_is_clone = keeper->is_clone;
    keeper->wish = wish;
    keeper->restarts_at_once = false;
    run_suspend(keeper->run, keeper->saved);
    keeper_change_state(keeper, STATE_STOPPING);
    return 0;
}

/* ---- stopping ----------------------------------------------------------------------------------
 */

void keeper_stop(struct keeper *keeper)
{
    keeper->suspends = false;
    keeper->drain_time = 0;
    run_stop(keeper->run, keeper->stop_ms);
    keeper_change_state(keeper, STATE_STOPPING);
}

void keeper_force(struct keeper *keeper)
{
    keeper->is_forced = true;
    run_kill(keeper->run);
    keeper_change_state(keeper, STATE_STOPPING);
}

void keeper_drain(struct keeper *keeper, int64_t drain_ms)
{
    uint64_t most = drain_ms < 0 ? DRAIN_MOST_MS : min_u64((uint64_t)drain_ms, KEEPER_TIME_MOST_MS);

    if (keeper->door)
        door_shut(keeper->door);
    else
        run_close_ports(keeper->run);
    keeper->drain_time = romsim_clock_us() + most * 1000;
    keeper->drain_look = romsim_clock_us();
    keeper_change_state(keeper, STATE_DRAINING);
}

static bool has_connections(const struct keeper *keeper)
{
    return keeper->door ? door_connections(keeper->door) > 0 : run_connections(keeper->run) > 0;
}

void keeper_look_at_drain(struct keeper *keeper)
{
    if (romsim_clock_us() >= keeper->drain_time || !has_connections(keeper))
        keeper_stop(keeper);
    else
        keeper->drain_look = romsim_clock_us() + DRAIN_LOOK_MS * 1000;
}

void keeper_abort_restart(struct keeper *keeper)
{
    keeper->restart_time = 0;
    keeper->restarts_at_once = false;
    keeper->status.restart_at = 0;
    keeper->status.restart_attempt = 0;
}

/* Without a run: there will be none.  Who follows an app that was to be started again learns that
 * its last end was the end; keeper_conclude() tells it where that is still to come. */
void keeper_settle(struct keeper *keeper)
{
    bool waited = keeper->restart_time != 0;
    struct romsim_vm_event last = {
        .kind = ROMSIM_VM_EXIT, .text = "", .status = keeper->last.status};

    keeper_abort_restart(keeper);
    keeper->restarts = false;
    if (!keeper->run)
        keeper_forget_template(keeper);
    if (!waited || keeper->status.state != STATE_STOPPED)
        return;
    keeper_close_door(keeper);
    if (keeper->is_bound && keeper->folder && !keeper->edit)
        keeper_remove_all(keeper);
    if (keeper->folder)
        romsim_state_set_summary(keeper->folder, keeper_describe(keeper), NULL);
    if (keeper->last.kind == ROMSIM_VM_FAILED)
        keeper_tell_text(keeper, ROMSIM_VM_FAILED, "it was ended before it was started again");
    else
        keeper_tell(keeper, &last);
}

void keeper_delete(struct keeper *keeper)
{
    keeper->before_deletion = keeper->status.state;
    keeper->is_deleted = true;
    if (keeper->run) {
        keeper_abort_restart(keeper);
        keeper_force(keeper);
    } else {
        if (!keeper->edit)
            keeper_remove_all(keeper);
        keeper_settle(keeper);
    }
}
