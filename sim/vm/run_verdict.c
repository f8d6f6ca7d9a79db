/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * run_verdict.c: how a run ends, and why.
 *
 * The first thing that decides stands; what the guest and QEMU said at last is added to a failure
 * when all of it has arrived.
 */
#include "run_parts.h"

#include "channel.h"
#include "sim/guest/manifest.h"

#include <romsim/cleanup.h>

#include <stdarg.h>
#include <stdio.h>

enum { TAIL_LINES = 15 };

void run_decide(struct run *run, enum run_end end, int status, const char *format, ...)
{
    char text[2 * MANIFEST_LINE_MAX];
    va_list arguments;

    run->awaits_console = false; /* whoever decides does not wait any longer */
    if (run->verdict.given)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    run->verdict.given = true;
    run->verdict.end = end;
    run->verdict.kind = *text ? ROMSIM_VM_FAILED : ROMSIM_VM_EXIT;
    run->verdict.status = status;
    romsim_buffer_puts(&run->verdict.text, text);
}

void run_decide_failed(struct run *run, const struct romsim_error *err)
{
    CLEANUP_FREE char *text = romsim_error_text(err);

    run_decide(run, RUN_END_BROKEN, 0, "%s", text ? text : err->message);
}

void run_decide_exited(struct run *run)
{
    run_decide(run, run->out_of_memory ? RUN_END_MEMORY : RUN_END_APP, run->exit_status, "%s", "");
}

/* What a kernel says when its memory is too small: none of it says so plainly. */
static const char *const memory_words[] = {
    "Initramfs unpacking failed",     "Out of memory",          "out of memory",
    "System is deadlocked on memory", "Cannot allocate memory", "not enough memory",
    "page allocation failure",
};

bool run_lacks_memory(const struct run *run)
{
    for (size_t i = 0; i < sizeof(memory_words) / sizeof(memory_words[0]); i++)
        if (tail_contains(&run->log, memory_words[i]) ||
            tail_contains(&run->console, memory_words[i]))
            return true;
    return false;
}

void run_decide_ended(struct run *run, const char *how)
{
    if (run->exited)
        run_decide_exited(run);
    else if (run->stopping)
        run_decide(run, RUN_END_STOPPED, RUN_STATUS_STOPPED, "%s", "");
    else
        run_decide(run, run_app_runs(run) ? RUN_END_CRASHED : RUN_END_BOOT, 0, "%s%s", how,
                   run->complaint);
}

void run_decide_stuck(struct run *run)
{
    run_decide(run, RUN_END_BOOT, 0, ROMSIM_VM_NO_PROGRESS " for %llu s, after the phase '%s'",
               (unsigned long long)(run->boot_timeout / 1000000), run_phase_name(run));
}

/* What is said of disks is said by the ROMs' names. */
static void add_tail(struct run *run, const char *title, const struct tail *tail)
{
    CLEANUP_BUFFER struct romsim_buffer lines = ROMSIM_BUFFER_INIT(CHANNEL_TEXT_MAX / 3);
    CLEANUP_BUFFER struct romsim_buffer named = ROMSIM_BUFFER_INIT(CHANNEL_TEXT_MAX / 3);

    tail_print(tail, TAIL_LINES, &lines);
    if (!lines.size || lines.failed)
        return;
    kernel_log_rename(&run->kernel, lines.data, lines.size, &named);
    romsim_buffer_printf(&run->verdict.text, "\n%s:%s", title,
                         named.failed ? lines.data : named.data);
}

void run_explain(struct run *run)
{
    if (run_lacks_memory(run))
        romsim_buffer_printf(&run->verdict.text,
                             "\nthe guest ran out of memory, it has %llu MB: give it more (-m, or "
                             "memory_mb in the instance)",
                             (unsigned long long)run->machine.layout->guest_memory_mb);
    add_tail(run, "the guest's kernel said at last", &run->log);
    add_tail(run, "the console's last lines", &run->console);
    add_tail(run, "QEMU's last words", &run->errors);
}
