/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * run_replay.c: whether a replay of QEMU's gets on.
 *
 * It comes to a standstill now and then (docs/cases.md): QEMU lives, and its guest gets no further.
 * Silence is no sign of that: a boot that is counted by instructions may be silent for more than a
 * minute on a busy machine, and an app for as long as it likes.  So QEMU is asked a few times in
 * the boot's time how many instructions there have been.  While these become more the replay gets
 * on, and before the app that moves the boot's deadline as any sign of life does.  It comes to an
 * end even so: its log does.  A recording has no such end, and a guest that waits for ever has
 * instructions, too, the clock's; so that is not asked.
 */
#include "run_parts.h"

#include <romsim/clock.h>

#include <errno.h>

enum { LOOKS = 4 }; /* in the boot's time */

static void look_later(struct run *run)
{
    run->look_time = romsim_clock_us() + run->boot_timeout / LOOKS;
}

void run_watch_replay(struct run *run)
{
    if (!run->plan->record || !run->plan->record->replays)
        return;
    run->moved_time = romsim_clock_us();
    look_later(run);
}

void run_look_at_replay(struct run *run)
{
    struct romsim_error err;

    look_later(run);
    /* QEMU is asked already, this or something else, or has ended. */
    if (run->conversation.is_running || run->machine.lines[LINE_QMP] < 0)
        return;
    run->conversation.topic = TOPIC_REPLAY;
    if (run_begin_conversation(run, &err) < 0)
        run_decide_failed(run, &err);
}

void run_on_replay(struct run *run)
{
    const struct run_conversation *conversation = &run->conversation;
    uint64_t now = romsim_clock_us();

    /* It has ended, which is seen as the end of any other. */
    if (run->exited || (conversation->status < 0 && conversation->err.errnum == EPIPE))
        return;
    if (conversation->status < 0) {
        run_decide_failed(run, &conversation->err);
        return;
    }
    if (conversation->instructions != run->instructions) {
        run->instructions = conversation->instructions;
        run->moved_time = now;
        run_saw_progress(run);
    }
    if (now - run->moved_time >= run->boot_timeout)
        run_decide_stuck(run);
}
