/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keeper_standby.c: an instance that scales to zero: when it is put to standby, and what wakes it.
 *
 *     running -> stopping -> standby -> starting -> running
 *
 * From its start on the keeper serves its ports (door.h), until it is stopped.  It is idle when
 * nobody is connected, or with the policy "idle" nothing goes over the connections, nothing comes
 * from the private network, and its app has not said that it is to stay awake.  How long it has
 * been so counts from when it first accepted connections: what does not listen yet is not idle.
 */
#include "keeper_parts.h"

#include <romsim/checked.h>
#include <romsim/cleanup.h>
#include <romsim/clock.h>

#include <stdlib.h>

/* ---- the door ----------------------------------------------------------------------------------
 */

void keeper_open_door(struct keeper *keeper)
{
    const struct vm_plan *plan = keeper->config->plan;
    const char *directory = plan->isolated ? NULL : romsim_state_directory(keeper->folder);
    struct romsim_error err = {0};

    keeper->scaling = scaling_of(keeper->instance);
    keeper->idle = (struct keeper_idle){0};
    /* With --watch each start is a clone's: there is nothing to be saved. */
    if (!keeper->door && keeper->scaling.is_on && !keeper->config->stays &&
        keeper->layout->port_count > 0) {
        keeper->door = door_open(keeper->layout, plan->forwards, directory, &err);
        if (!keeper->door)
            keeper_tell_text(keeper, ROMSIM_VM_NOTE, err.message);
    }
    if (keeper->door)
        door_answer(keeper->door);
}

void keeper_close_door(struct keeper *keeper)
{
    door_close(keeper->door);
    keeper->door = NULL;
}

/* ---- being idle --------------------------------------------------------------------------------
 */

/* Those that wait are handed on as soon as the guest accepts them. */
static void let_in(struct keeper *keeper)
{
    struct keeper_idle *idle = &keeper->idle;

    for (size_t i = 0; i < keeper->layout->port_count; i++) {
        if (!run_accepts(keeper->run, i))
            continue;
        door_let_in(keeper->door, i);
        run_let_in(keeper->run, i);
        if (!idle->accepts)
            idle->accepts = idle->was_busy = true;
    }
}

static bool is_busy(struct keeper *keeper)
{
    struct keeper_idle *idle = &keeper->idle;
    unsigned neighbours = run_neighbours(keeper->run);
    bool has_neighbours = neighbours != idle->neighbours;

    idle->neighbours = neighbours;
    return has_neighbours || run_awake(keeper->run) > 0 ||
           door_is_held(keeper->door, !keeper->scaling.ends_idle);
}

static void look_whether_busy(struct keeper *keeper)
{
    struct keeper_idle *idle = &keeper->idle;
    bool busy = is_busy(keeper);

    if (busy || idle->was_busy)
        idle->since_us = romsim_clock_us();
    idle->was_busy = busy;
}

/* What is on its way to the app is in no VM that could be saved. */
static bool may_stand_by(const struct keeper *keeper)
{
    return keeper->door && keeper->run && keeper->scaling.is_on && keeper->idle.accepts &&
           keeper->status.state == STATE_RUNNING && !keeper->edit && !keeper->next &&
           !keeper->restarts_at_once && !keeper->becomes_template && !keeper_is_saving(keeper) &&
           !keeper->config->plan->input.is_open && !keeper->config->plan->shell;
}

uint64_t keeper_idle_end(const struct keeper *keeper)
{
    const struct keeper_idle *idle = &keeper->idle;

    if (!may_stand_by(keeper) || idle->was_busy)
        return 0;
    return max_u64(idle->since_us, door_traffic_us(keeper->door)) + keeper->scaling.cooldown_us;
}

/* ---- to standby and back -----------------------------------------------------------------------
 */

static bool awaits_edits(const struct keeper *keeper)
{
    return json_array_size(keeper->updates) > 0;
}

/* A changed instance starts anew: nothing has to be saved then. */
static void stand_by(struct keeper *keeper)
{
    struct romsim_error err = {0};

    door_bar(keeper->door);
    if (!keeper->scaling.is_stateful || awaits_edits(keeper) ||
        keeper_suspend(keeper, STOP_BY_SCALING, &err) < 0) {
        keeper->wish = STOP_BY_SCALING;
        keeper->stop_ms = ROMSIM_VM_STOP_SECONDS * 1000;
        keeper_stop(keeper);
    }
    keeper->stands_by = true;
}

static void look_at_time(struct keeper *keeper)
{
    uint64_t end = keeper_idle_end(keeper);

    if (!end || romsim_clock_us() < end)
        return;
    /* It may just have said that it is to stay awake. */
    run_listen(keeper->run);
    look_whether_busy(keeper);
    if (!run_has_ended(keeper->run) && !keeper->idle.was_busy)
        stand_by(keeper);
}

void keeper_look_at_door(struct keeper *keeper)
{
    enum instance_state state = keeper->status.state;

    if (keeper->stops_awake && keeper->run && run_app_runs(keeper->run)) {
        keeper->stops_awake = false;
        keeper_stop(keeper);
    }
    if (!keeper->door)
        return;
    if (door_due_us(keeper->door) && romsim_clock_us() >= door_due_us(keeper->door))
        door_give_up(keeper->door);
    if (state == STATE_STANDBY && !keeper->edit && !keeper->is_deleted &&
        door_is_wanted(keeper->door)) {
        keeper_start(keeper);
    } else if (keeper->run && !keeper->is_warming &&
               (state == STATE_STARTING || state == STATE_RUNNING)) {
        let_in(keeper);
        look_whether_busy(keeper);
        look_at_time(keeper);
    }
}

/* Has the run ended as it was to, when it was to be put to standby? */
static bool has_been_put_down(const struct keeper *keeper, const struct run_result *result)
{
    if (keeper->is_deleted || keeper->restarts_at_once)
        return false;
    return keeper->suspends ? result->end == RUN_END_SAVED : result->kind == ROMSIM_VM_EXIT;
}

void keeper_settle_standby(struct keeper *keeper, const struct run_result *result)
{
    if (keeper->door)
        door_bar(keeper->door);
    if (keeper->stands_by && !has_been_put_down(keeper, result)) {
        keeper->stands_by = false;
        if (keeper->wish == STOP_BY_SCALING)
            keeper->wish = STOP_BY_NOBODY;
    }
}

void keeper_wake_to_stop(struct keeper *keeper)
{
    keeper_start(keeper);
    keeper->stops_awake = keeper->run;
    if (keeper->run)
        keeper_change_state(keeper, STATE_STOPPING);
}

/* The app of one that was saved ends as any other does, and writes what it has to write. */
void keeper_stop_standby(struct keeper *keeper, bool force)
{
    keeper->stands_by = keeper->restarts = false;
    if (keeper->saved >= 0 && !force) {
        door_shut(keeper->door);
        keeper_wake_to_stop(keeper);
        keeper->wish = STOP_BY_USER;
        return;
    }
    keeper->wish = STOP_BY_USER;
    keeper_forget_saved(keeper);
    instance_status_end_standby(&keeper->status);
    keeper_conclude(keeper);
}
