/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * run.h: one run of an instance's VM, from QEMU's start to the end of all that belongs to it.
 *
 * Nothing here waits for long: who has the run polls what run_polls() names, beside whatever else
 * it has, and dispatches.  Only run_finish() takes its time, until QEMU is gone.
 */
#ifndef ROMSIM_VM_RUN_H
#define ROMSIM_VM_RUN_H

#include "machine.h"

#include <poll.h>

/* What brought a run to its end. */
enum run_end {
    RUN_END_APP,     /* the app ended, by itself or because it was asked to */
    RUN_END_STOPPED, /* it was to end before the app had begun, or ended without a word of the app
                      */
    RUN_END_KILLED,  /* the app did not obey */
    RUN_END_FORCED,  /* by run_kill() */
    RUN_END_MEMORY,  /* the guest had too little, and its kernel killed the app */
    RUN_END_CRASHED, /* the guest's kernel did, or the VM ended in another strange way */
    RUN_END_BOOT,    /* the boot did not come to the app's start */
    RUN_END_SAVED,   /* it has become a template, or was suspended */
    RUN_END_BROKEN   /* QEMU or romsim failed */
};

struct run_result {
    enum run_end end;
    enum romsim_vm_event_kind kind; /* EXIT or FAILED */
    int status;                     /* of EXIT: 0-255 */
    const char *text;               /* of FAILED: why */
    size_t size;
};

struct run;

/* Is told of events, of all kinds but EXIT and FAILED. */
typedef void run_teller(void *context, const struct romsim_vm_event *event);

/* Starts a VM, or has one go on that was suspended (`saved`, borrowed; -1).  The state folder, the
 * layout, its volumes and the plan are borrowed until run_free().  NULL without memory; any other
 * failure is the run's result. */
struct run *run_start(const struct romsim_layout *layout, const struct volumes *volumes,
                      const struct vm_plan *plan, struct romsim_state *state, int saved,
                      run_teller *tell, void *context);

enum { RUN_POLLS = 9 };

/* What to poll for; with `console_waits` nothing is read of the console, and the app waits, nor of
 * the kernel's log if all of it is wanted. */
void run_polls(const struct run *run, bool console_waits, struct pollfd ret[RUN_POLLS]);
void run_dispatch(struct run *run, const struct pollfd *polls);

/* Milliseconds until run_time_out() is to be called; -1: never. */
int run_time_left(const struct run *run);
void run_time_out(struct run *run);

/* Has QEMU been asked for the app's start and said yes, by now? */
bool run_app_runs(const struct run *run);

/* What went over the guest's network since its start, as it said when it was asked last. */
struct run_traffic {
    uint64_t rx_bytes, rx_packets, tx_bytes, tx_packets;
    unsigned answers; /* how often it has said so */
};
const struct run_traffic *run_traffic(const struct run *run);

/* Asks for it.  False: nobody is there who could answer. */
bool run_ask_traffic(struct run *run);

/* Does the guest accept connections to one of the layout's ports, and can QEMU make them? */
bool run_accepts(const struct run *run, size_t port);

/* Who calls one of the layout's ports from the private network is let in. */
void run_let_in(struct run *run, size_t port);

/* How often somebody has, in frames; and how often the app has said that it is not to be put to
 * standby, without taking that back. */
unsigned run_neighbours(const struct run *run);
unsigned run_awake(const struct run *run);

/* Takes what the guest has said by now. */
void run_listen(struct run *run);

/* QEMU's process; 0: it has not begun, or has ended. */
pid_t run_qemu(const struct run *run);

/* Asks the app to end (SIGTERM), and has it killed after so many milliseconds. */
void run_stop(struct run *run, unsigned timeout_ms);
void run_kill(struct run *run);

/* Saves all of the VM to a file (borrowed) and ends it, RUN_END_SAVED; its app has to run. */
void run_suspend(struct run *run, int state);

/* Saves all of the VM to a file (borrowed), and has it go on; its app has to run. */
void run_snapshot(struct run *run, int state);

/* Is it still being saved?  When it is not any more: 0, or -1 and why it was not. */
bool run_is_snapshot_pending(const struct run *run);
int run_take_snapshot(struct run *run, struct romsim_error *err);

/* How many bytes of the app's input could be taken now, and what takes so many at most. */
size_t run_input_room(const struct run *run);
void run_input(struct run *run, const char *bytes, size_t size);

/* The app reads the end of its input behind what was taken. */
void run_end_input(struct run *run);

/* The app's terminal has another size. */
void run_resize(struct run *run, unsigned rows, unsigned columns);

/* Takes no new connections from outside any more.  How many there are, or -1 if that cannot be
 * found out. */
void run_close_ports(struct run *run);
int run_connections(struct run *run);

/* Is it over?  Then run_finish() takes down what is left, and says how it was. */
bool run_has_ended(const struct run *run);
const struct run_result *run_finish(struct run *run);

/* Accepts NULL. */
void run_free(struct run *run);

#endif
