/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * run_save.c: saving the VM: as a template, to be suspended, or as a snapshot after which it goes
 * on.
 *
 * Its app stands still first, and says so (or the time for that is over); then the conversation
 * with QEMU saves it.
 */
#include "run_parts.h"

#include "outline.h"

#include <romsim/clock.h>

#include <errno.h>

enum { HOLD_PATIENCE_S = 5 }; /* for the guest to have its app stand still */

bool run_is_to_be_saved(const struct run *run)
{
    return run->plan->saving && !run->is_saved;
}

/* One that is not made for it goes on. */
void run_on_template(struct run *run, const char *text)
{
    (void)text;
    if (run_is_to_be_saved(run)) {
        run->wants_save = true;
        run->is_holding = false;
        return;
    }
    /* It may say so as often as it likes, and read nothing. */
    if (run->outgoing.size - run->sent < RUN_ANSWERS_MAX)
        romsim_buffer_puts(&run->outgoing, "go on\n");
}

/* So nothing of a clone runs before it has what is its own. */
void run_hold(struct run *run)
{
    romsim_buffer_puts(&run->outgoing, "hold\n");
    run->is_holding = true;
    run->save_time = romsim_clock_us() + HOLD_PATIENCE_S * 1000000ULL;
}

/* It goes on where it was saved, or could not be. */
static void end_snapshot(struct run *run, const struct romsim_error *err)
{
    run->snapshot_status = err ? -1 : 0;
    if (err)
        run->snapshot_error = *err;
    run->snapshot = -1;
    run->wants_save = run->is_holding = false;
    run->save_time = 0;
    outline_release(&run->outgoing);
}

void run_on_held(struct run *run, const char *text)
{
    (void)text;
    if (run->is_holding) {
        run->is_holding = false;
        run->save_time = 0;
        run->wants_save = true;
    }
}

/* What is suspended is saved all the same: it has nothing else to be than it was. */
void run_give_up_holding(struct run *run, const char *why)
{
    struct romsim_error err;

    if (!run->is_holding)
        return;
    if (run->snapshot < 0) {
        run_on_held(run, "");
        return;
    }
    romsim_error_set(&err, ENOTSUP, "the VM cannot be saved: %s", why);
    end_snapshot(run, &err);
}

void run_on_unheld(struct run *run, const char *text)
{
    run_give_up_holding(run, text);
}

/* The VM has become a template, or not. */
void run_on_saved(struct run *run)
{
    if (run->conversation.status < 0) {
        run_decide_failed(run, &run->conversation.err);
        return;
    }
    run_say_phase(run, "saved");
    run_decide(run, RUN_END_SAVED, 0, "%s", "");
}

void run_on_snapshot(struct run *run)
{
    const struct run_conversation *conversation = &run->conversation;

    end_snapshot(run, conversation->status < 0 ? &conversation->err : NULL);
    if (conversation->goes_on)
        return;
    /* QEMU's end is seen next, if that is why. */
    if (conversation->err.errnum != EPIPE)
        run_decide(run, RUN_END_BROKEN, 0, "the VM was saved, and does not go on");
}

void run_save_if_wanted(struct run *run)
{
    struct romsim_error err = {0};
    bool is_snapshot = run->snapshot >= 0;

    if (!run->wants_save || run->is_saved || run->conversation.is_running || run->verdict.given)
        return;
    run->save_time = 0;
    if (!is_snapshot) {
        run->is_saved = true;
        run->deadline = 0;
    }
    run->conversation.topic = is_snapshot ? TOPIC_SNAPSHOT : TOPIC_SAVE;
    run->conversation.err = (struct romsim_error){0};
    if (run_begin_conversation(run, &err) == 0)
        return;
    if (is_snapshot)
        end_snapshot(run, &err);
    else
        run_decide_failed(run, &err);
}

void run_suspend(struct run *run, int state)
{
    if (run->exited) {
        run_decide_exited(run);
        return;
    }
    run->suspended = state;
    run_hold(run);
}

void run_snapshot(struct run *run, int state)
{
    run->snapshot = state;
    run->snapshot_status = 1;
    run_hold(run);
}

bool run_is_snapshot_pending(const struct run *run)
{
    return run->snapshot_status > 0;
}

int run_take_snapshot(struct run *run, struct romsim_error *err)
{
    if (run->snapshot_status < 0 && err)
        *err = run->snapshot_error;
    return run->snapshot_status;
}
