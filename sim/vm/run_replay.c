/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * run_replay.c: whether a replay of QEMU's gets on.
 *
 * It comes to a standstill now and then (docs/cases.md): QEMU lives, and its guest gets no further.
 * Before the app the boot's deadline sees that.  An app may be silent for as long as it likes; so
 * from its start on QEMU is asked every few seconds how many instructions there have been.  While
 * these become more, it is the app's time that passes.
 */
#include "run_parts.h"

#include <romsim/clock.h>

#include <errno.h>

enum { LOOK_S = 5 };

static void look_later(struct run *run)
{
    run->look_time = romsim_clock_us() + LOOK_S * 1000000ULL;
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
    }
    if (now - run->moved_time >= run->boot_timeout)
        run_decide_stuck(run);
}
