/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * run_parts.h: what the files of a run share.
 *
 *     run.c          the lines and what is read of them, wishes, from the beginning to the end
 *     run_reports.c  what the guest's init reports
 *     run_save.c     templates, suspending, snapshots: what it takes to save the VM
 *     run_verdict.c  how a run ends, and why
 *
 * One thread calls all of them, and a second one is in run.c's conversation with QEMU.
 */
#ifndef ROMSIM_VM_RUN_PARTS_H
#define ROMSIM_VM_RUN_PARTS_H

#include "kernel_log.h"
#include "run.h"
#include "tail.h"

#include <romsim/buffer.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

enum {
    RUN_PHASES = 5, /* those of the boot that init reports; where a saved VM and a clone begin: */
    RUN_CLONE_PHASE = 3,
    RUN_APP_PHASE = 4,
    RUN_ANSWERS_MAX = 1024, /* bytes that wait to be read by the guest */
    RUN_INPUT_PIECE = 16 << 10,
    RUN_STATUS_STOPPED = 128 + SIGTERM,
    RUN_STATUS_KILLED = 128 + SIGKILL
};

/* How the run ended. */
struct run_verdict {
    bool given;
    enum run_end end;
    enum romsim_vm_event_kind kind; /* EXIT or FAILED */
    int status;
    struct romsim_buffer text;
};

/* What the thread is for: it has QEMU go on and asks it for the ports, or has it save the VM, after
 * which that ends or goes on, or asks how far a replay is. */
enum run_topic { TOPIC_START, TOPIC_SAVE, TOPIC_SNAPSHOT, TOPIC_REPLAY };

struct run_conversation {
    pthread_t thread;
    bool is_running;
    enum run_topic topic;
    bool goes_on;              /* after a snapshot */
    int news;                  /* an eventfd: QEMU runs, or it is over; -1 when it is */
    atomic_bool runs, is_over; /* the two */
    int status;
    uint64_t instructions; /* of a replay */
    struct romsim_error err;
};

struct run {
    struct machine machine;
    const struct vm_plan *plan;
    run_teller *tell;
    void *context;
    struct run_conversation conversation;
    uint64_t start;        /* microseconds of the monotonic clock */
    uint64_t qemu_start;   /* the same */
    uint64_t guest_start;  /* the same, of the guest's clock; 0: not known */
    uint64_t deadline;     /* the same; 0: none */
    uint64_t boot_timeout; /* microseconds */
    uint64_t look_time;    /* when a replay is looked at next; 0: it is not */
    uint64_t moved_time;   /* when it was seen to have got on last, */
    uint64_t instructions; /* to here */
    bool stopping, saw_output, saw_error;
    bool is_mute;        /* QEMU did not answer while connections were waited for */
    unsigned phase;      /* how many are reached */
    bool waits_for_qemu; /* it does not run yet, after it was saved: it hears nothing */
    bool *heard;         /* for each port of the layout: the app accepts connections, */
    bool *announced;     /* and the user was told */
    bool *loopback;      /* the same: it was said that nobody reaches it */
    bool wants_save;     /* the VM is where a template can be made of it */
    bool is_saved;       /* or about to be */
    int suspended;       /* the file for that, if it is no template; -1 */
    bool is_holding;     /* the guest was asked to have its app stand still for that */
    int snapshot;        /* the same, if it goes on; -1 */
    int snapshot_status; /* 1: pending; 0 or -1: it is over, and */
    struct romsim_error snapshot_error; /* why */
    uint64_t save_time;  /* when that is so if nothing is heard of the guest; 0: not by the clock */
    char complaint[256]; /* init's last words after the app's start, if it had any */
    bool exited;         /* the guest reported how the app ended: */
    bool out_of_memory;
    int exit_status;
    bool is_finished; /* and nothing is left of what its shell wrote, if it had one */
    uint64_t exit_bytes, exit_most, console_bytes;
    bool awaits_console; /* the boot failed, and what its console says of that is still to come */
    uint64_t drain_end;
    struct tail console, log, errors;
    struct kernel_log kernel;      /* what of `log` the user is told */
    struct romsim_buffer line;     /* of the control port, not complete yet */
    struct romsim_buffer outgoing; /* for the control port */
    size_t sent;
    char input[RUN_INPUT_PIECE]; /* for the input's port */
    size_t input_from, input_to;
    uint64_t input_bytes;   /* all that was taken */
    unsigned rows, columns; /* of the terminal, still to be told; or 0 */
    struct run_traffic traffic;
    unsigned awake;
    struct run_verdict verdict;
    struct run_result result;
};

/* ---- run.c ---------------------------------------------------------------------------------- */

/* Tells of an event; of a step and the time when it was done; and of a phase, in the trace of the
 * ROMs, too, where there is one. */
void run_say(struct run *run, enum romsim_vm_event_kind kind, const char *text);
void run_say_timing(struct run *run, const char *step, uint64_t micros);
void run_say_phase(struct run *run, const char *name);

/* Any sign of life moves the boot's deadline. */
void run_saw_progress(struct run *run);

/* Has the second thread ask QEMU for the conversation's topic. */
int run_begin_conversation(struct run *run, struct romsim_error *err);

/* ---- run_reports.c -------------------------------------------------------------------------- */

/* Takes one line of init. */
void run_take_report(struct run *run, const char *line, size_t size);

/* A phase is reached, if it is the next one. */
void run_reach_phase(struct run *run, const char *name);

/* The last one that was; "start" before the first. */
const char *run_phase_name(const struct run *run);

/* Tells of the ports that the app listens on, once QEMU does. */
void run_announce_ports(struct run *run);

/* The app's status is the run's, if it has ended, and all of the console that the guest counted has
 * arrived, or more than can be true; the same goes for the end of a boot that failed. */
void run_take_exit(struct run *run);

/* ---- run_save.c ----------------------------------------------------------------------------- */

/* Is it to become a template, and has not begun to? */
bool run_is_to_be_saved(const struct run *run);

/* Reports of init: the app, or init, waits to become a template; the app stands still; it does not,
 * and why. */
void run_on_template(struct run *run, const char *text);
void run_on_held(struct run *run, const char *text);
void run_on_unheld(struct run *run, const char *text);

/* Has the app stand still where it is saved, and gives up to wait for that. */
void run_hold(struct run *run);
void run_give_up_holding(struct run *run, const char *why);

/* Begins to save the VM, if that is wanted and can be; its conversation is over. */
void run_save_if_wanted(struct run *run);
void run_on_saved(struct run *run);
void run_on_snapshot(struct run *run);

/* ---- run_replay.c --------------------------------------------------------------------------- */

/* QEMU runs, which may be a replay; it is time to look whether that gets on; QEMU has said how far
 * it is, or nothing. */
void run_watch_replay(struct run *run);
void run_look_at_replay(struct run *run);
void run_on_replay(struct run *run);

/* ---- run_verdict.c -------------------------------------------------------------------------- */

/* Decides how the run ends, if nothing has before.  Without a text the app's status says it all. */
__attribute__((format(printf, 4, 5))) void run_decide(struct run *run, enum run_end end, int status,
                                                      const char *format, ...);

/* romsim, or QEMU, failed; the app has ended, and said how; the VM has, in a way that init did not
 * report. */
void run_decide_failed(struct run *run, const struct romsim_error *err);
void run_decide_exited(struct run *run);
void run_decide_ended(struct run *run, const char *how);

/* The guest has made no progress for the boot's time. */
void run_decide_stuck(struct run *run);

/* Does something that the guest said mean that its memory is too small? */
bool run_lacks_memory(const struct run *run);

/* Adds to a failure what the guest and QEMU said at last, and what it means. */
void run_explain(struct run *run);

#endif
