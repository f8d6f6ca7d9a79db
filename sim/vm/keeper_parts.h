/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keeper_parts.h: what the files of the keeper share.
 *
 *     keeper.c           clients, the loop, from the beginning to the end
 *     keeper_life.c      states, the runs of the VM, stopping, deletion: what is told of them
 *     keeper_standby.c   scaling to zero: when the VM goes, and what has it come back
 *     keeper_edit.c      edits, and restarts with them
 *     keeper_input.c     what the app reads
 *     keeper_metrics.c   what the VM uses
 *     keeper_template.c  what it takes to become a template
 *     keeper_snapshot.c  checkpoints and branches of it
 *     keeper_warm.c      starts without a boot
 *     keeper_case.c      what it takes to have the same happen again
 *     keeper_requests.c  the words on the socket and their answers
 *
 * One thread calls all of them, that of the loop.
 */
#ifndef ROMSIM_VM_KEEPER_PARTS_H
#define ROMSIM_VM_KEEPER_PARTS_H

#include "channel.h"
#include "door.h"
#include "edit.h"
#include "keeper.h"
#include "run.h"
#include "scaling.h"
#include "status.h"

#include <romsim/state.h>
#include <romsim/vector.h>

#include <jansson.h>
#include <pthread.h>

enum {
    KEEPER_TIME_MOST_MS = 86400000, /* of a request */
    KEEPER_CLIENTS_MAX = 200,
    KEEPER_FOLLOWERS_MAX = 160 /* of them, of the console */
};

struct keeper_client {
    struct channel channel;
    int passed; /* the descriptor of the request that is handled, or -1 */
    bool is_attached;
    int awaited;        /* an enum instance_state, or -1 */
    bool takes_standby; /* for it */
    bool awaits_end, awaits_edit, awaits_restart, awaits_metrics;
    bool is_watching, is_due;            /* there is something that it was not told yet */
    bool starts_often;                   /* it has the instance started again and again */
    json_int_t number;                   /* of its last request "watch" */
    struct romsim_template_draft *draft; /* of the branch that it makes, or NULL */
};

DEFINE_VECTOR(keeper_clients, struct keeper_client *);

/* What the app reads. */
struct keeper_input {
    struct keeper_client *client; /* whose it is, or NULL */
    int fd;                       /* from where it comes; -1 when there is no more */
    bool is_drained;              /* that was its end */
    bool is_ended;                /* the client says so, too: the app reads an end */
    bool run_has_ended;           /* the app that runs does */
    unsigned rows, columns;       /* of the terminal */
};

/* Whether it could be put to standby, in this run. */
struct keeper_idle {
    bool accepts;        /* connections, to one of its ports */
    bool was_busy;       /* at the last look */
    uint64_t since_us;   /* when it ceased to be */
    unsigned neighbours; /* run_neighbours() by then */
};

/* A checkpoint, or a branch, that is being made. */
struct keeper_snapshot {
    struct romsim_template_draft *draft; /* NULL: none is */
    struct keeper_client *client;        /* who waits for it, or NULL */
    char name[64];
    bool is_branch;
    bool is_cold;    /* there is no VM to be saved */
    bool is_of_run;  /* the run saves it now; then */
    bool is_working; /* the thread copies what else it needs: */
    pthread_t thread;
    int done, state; /* an eventfd; the file of the VM; or -1 */
    int copied;      /* a VM that was saved before, to be copied; or -1 */
    int memory;      /* the file of its memory, if that is apart; or -1 */
    struct romsim_blob *drives[ROMSIM_TEMPLATE_DRIVES_MAX];
    size_t drive_count;
    json_t *record;
    char *version; /* QEMU's */
    int status;
    struct romsim_error err;
};

#define KEEPER_SNAPSHOT_NONE                                                                       \
    (struct keeper_snapshot)                                                                       \
    {                                                                                              \
        .done = -1, .state = -1, .copied = -1, .memory = -1                                        \
    }

struct keeper {
    const struct keeper_config *config;
    struct romsim_instance *instance;
    struct romsim_layout *layout;
    struct romsim_state *folder;
    struct volumes volumes;
    struct console_log log;
    struct keeper_clients clients;
    struct keeper_client *parent; /* NULL when it is gone */
    bool is_bound;                /* to it */
    struct keeper_input input;
    int listener, signals;
    bool is_changed; /* since the watchers were told */
    bool is_full;    /* no descriptor is left for another client until one goes */
    char (*rom_uuids)[ROMSIM_UUID_SIZE];

    struct instance_status status;
    struct run *run;       /* NULL: none */
    int saved;             /* a VM that was suspended; -1: none was */
    int memory;            /* where its memory is, if not in that, or the run's; -1: nowhere */
    bool suspends;         /* that is what the run ends for */
    bool becomes_template; /* the next run, or this one, is to be saved as one */
    bool is_template;      /* it was, and this is the instance's end */
    json_t *autokill;      /* the template's, or NULL */
    struct vm_plan plan;   /* of this run, with the door, and with the files to save into of */
    struct romsim_vm_saving saving;
    struct romsim_template_draft *draft; /* what it makes; NULL: it is no such run */
    struct keeper_snapshot snapshot;
    json_t *history;              /* the checkpoints that it comes from, the newest first */
    struct romsim_template *warm; /* its VM before its app began, or NULL */
    struct romsim_layout staged;  /* of a run that makes that, or a clone of it: what is in it is
                                     the layout's */
    bool is_warming;              /* the run makes it */
    bool is_clone;                /* the run is one of it, */
    bool saved_is_clone;          /* and so was the run of which `saved` is all */
    uint64_t warming_us;          /* which took so long of this start */
    bool is_cold;                 /* it cannot be made */
    struct scaling scaling;       /* of the instance, as it was started last */
    struct door *door;            /* NULL: it does not scale to zero, or is stopped */
    struct keeper_idle idle;
    bool stands_by;               /* the run ends for that, or has */
    bool stops_awake;             /* it was woken to be stopped */
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
    uint64_t metrics_time;    /* by when the guest is to say what went over its network; 0 */
    unsigned metrics_answers; /* how often it had said so before */
    bool is_forced, is_deleted;
    unsigned stop_ms; /* for the app, once it is drained */
    enum instance_state before_deletion;
};

/* ---- keeper_life.c -----------------------------------------------------------------------------
 */

/* To all that are attached; the text of one event, with the time since the run's start. */
void keeper_tell(struct keeper *keeper, const struct romsim_vm_event *event);
void keeper_tell_text(struct keeper *keeper, enum romsim_vm_event_kind kind, const char *text);

/* The only place that changes the state: writes the record, tells and answers who waits for it. */
void keeper_change_state(struct keeper *keeper, enum instance_state state);

/* Begins a run; there may be none.  keeper_start() is a start of the instance, of which
 * keeper_begin_run() is a part. */
void keeper_start(struct keeper *keeper);
void keeper_begin_run(struct keeper *keeper);

/* A run_teller. */
void keeper_on_run_event(void *context, const struct romsim_vm_event *event);

/* The run has ended: what that was, and what follows. */
void keeper_end_run(struct keeper *keeper);

/* Tells the end of a run, once what it is followed by can be done. */
void keeper_conclude(struct keeper *keeper);

/* Saves the VM, with which the next start goes on; keeper_forget_saved() makes that a cold one. */
int keeper_suspend(struct keeper *keeper, enum stop_wish wish, struct romsim_error *err);
void keeper_forget_saved(struct keeper *keeper);

/* End the run: within keeper->stop_ms; at once; when nobody has a connection any more, for which
 * drain_ms may pass, a negative one for as long as the cloud waits.  There has to be one. */
void keeper_stop(struct keeper *keeper);
void keeper_force(struct keeper *keeper);
void keeper_drain(struct keeper *keeper, int64_t drain_ms);

/* While it drains: is somebody still connected? */
void keeper_look_at_drain(struct keeper *keeper);

/* What was to be started again will not be. */
void keeper_abort_restart(struct keeper *keeper);

/* The same without a run, for who follows the app: its last end was the end. */
void keeper_settle(struct keeper *keeper);

/* Ends the run, if there is one, and then the instance. */
void keeper_delete(struct keeper *keeper);

/* Leaves nothing of the instance but the words about it. */
void keeper_remove_all(struct keeper *keeper);

/* ---- keeper_template.c -------------------------------------------------------------------------
 */

/* The next run is to be saved as a template, which the instance is from then on: one that runs is
 * stopped for it, since what it needs for that is not in its VM. */
int keeper_become_template(struct keeper *keeper, const json_t *autokill, struct romsim_error *err);

/* The plan of a run that begins now, or NULL. */
const struct vm_plan *keeper_plan_run(struct keeper *keeper, struct romsim_error *err);

/* A run has ended: is the instance a template by now?  A failure is told. */
bool keeper_end_template(struct keeper *keeper, bool is_saved);

/* It becomes none: who waits for it is told. */
void keeper_forget_template(struct keeper *keeper);

/* ---- keeper_snapshot.c -------------------------------------------------------------------------
 */

/* The requests. */
json_t *keeper_take_checkpoint(struct keeper *keeper, struct keeper_client *client,
                               const json_t *request);
json_t *keeper_take_branch(struct keeper *keeper, struct keeper_client *client,
                           const json_t *request);

/* Is one being made?  What to poll for it, or -1; and in each turn. */
bool keeper_is_saving(const struct keeper *keeper);
int keeper_snapshot_fd(const struct keeper *keeper);
void keeper_look_at_snapshot(struct keeper *keeper);

/* The run that it was of has ended; the keeper does, and what can be finished is; a client has
 * gone. */
void keeper_lose_snapshot(struct keeper *keeper);
void keeper_end_snapshot(struct keeper *keeper);
void keeper_lose_draft(struct keeper *keeper, struct keeper_client *client);

/* ---- keeper_warm.c -----------------------------------------------------------------------------
 */

/* Begins a run that is no boot, or prepares those that are none.  False: it has to boot. */
bool keeper_begin_warm(struct keeper *keeper);

/* A run has ended: was it a preparation, and the next one has begun? */
bool keeper_end_warming(struct keeper *keeper, const struct run_result *result);
void keeper_forget_warm(struct keeper *keeper);

/* Somebody has gone: is what was prepared still of use? */
void keeper_cool_down(struct keeper *keeper);

/* ---- keeper_standby.c --------------------------------------------------------------------------
 */

/* Before a start, and when the instance is stopped for good. */
void keeper_open_door(struct keeper *keeper);
void keeper_close_door(struct keeper *keeper);

/* When it will have been idle for long enough; 0: it is not. */
uint64_t keeper_idle_end(const struct keeper *keeper);

/* In each turn: hands connections on, puts the instance to standby and wakes it. */
void keeper_look_at_door(struct keeper *keeper);

/* A run has ended: is it standby that follows, if it was to? */
void keeper_settle_standby(struct keeper *keeper, const struct run_result *result);

/* What is in standby and was saved goes on, so that its app can end. */
void keeper_wake_to_stop(struct keeper *keeper);

/* The user stops what is in standby. */
void keeper_stop_standby(struct keeper *keeper, bool force);

/* ---- keeper_edit.c -----------------------------------------------------------------------------
 */

/* Could these edits, an array, be made after those that wait?  Failed ones are forgotten. */
int keeper_check_edits(struct keeper *keeper, const json_t *edits, struct romsim_error *err);

/* Has them wait for the stop. */
void keeper_queue_edits(struct keeper *keeper, const json_t *edits);

/* Begins them, of what will run next; keeper_end_edit() when edit_fd() is readable. */
int keeper_begin_edit(struct keeper *keeper, const json_t *edits, struct romsim_error *err);
void keeper_begin_queued_edits(struct keeper *keeper);
void keeper_end_edit(struct keeper *keeper);

/* Takes both in place of those that were. */
void keeper_replace(struct keeper *keeper, struct romsim_instance *instance,
                    struct romsim_layout *layout);

/* What runs makes room for what takes its place, and is started again whatever its policy is. */
void keeper_begin_restart(struct keeper *keeper);

/* UUIDs of the ROMs, malloc'ed, or NULL: an inline one keeps its own as long as its bytes are the
 * same. */
char (*keeper_new_uuids(const struct keeper *keeper, const struct romsim_instance *instance,
                        const struct romsim_layout *layout))[ROMSIM_UUID_SIZE];

/* ---- keeper_metrics.c --------------------------------------------------------------------------
 */

/* Answers, or has the client wait for the guest. */
json_t *keeper_measure(struct keeper *keeper, struct keeper_client *client, const json_t *request);

/* Answers who waits, if it is time. */
void keeper_answer_metrics(struct keeper *keeper);

/* ---- keeper_case.c -----------------------------------------------------------------------------
 */

/* The request "case". */
json_t *keeper_tell_case(struct keeper *keeper, struct keeper_client *client,
                         const json_t *request);

/* ---- keeper_input.c ----------------------------------------------------------------------------
 */

/* The requests. */
json_t *keeper_take_input(struct keeper *keeper, struct keeper_client *client,
                          const json_t *request);
json_t *keeper_take_size(struct keeper *keeper, struct keeper_client *client,
                         const json_t *request);

/* What to poll for input, or -1; and what to do when there is some. */
int keeper_input_fd(const struct keeper *keeper);
void keeper_pass_input(struct keeper *keeper);

/* A run has begun; a client has gone, of which the app still gets what there is. */
void keeper_begin_input(struct keeper *keeper);
void keeper_lose_input(struct keeper *keeper, const struct keeper_client *client);

/* ---- keeper_requests.c -------------------------------------------------------------------------
 */

/* Answers; each is the caller's. */
json_t *keeper_error_answer(const struct romsim_error *err);
json_t *keeper_refuse(enum romsim_cloud_code code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
json_t *keeper_refuse_deleted(const struct keeper *keeper);
json_t *keeper_refuse_shell(const struct keeper *keeper); /* one that has it is not saved */
json_t *keeper_state_answer(const struct keeper *keeper);
json_t *keeper_change_answer(const struct keeper *keeper, enum instance_state previous);

/* The item of the cloud's GET. */
json_t *keeper_describe(const struct keeper *keeper);

/* The client gets all events from now on; the answer is the caller's. */
json_t *keeper_attach(struct keeper *keeper, struct keeper_client *client, const json_t *request);

/* Tells those who watch what has changed, if they have taken what they were told before. */
void keeper_tell_watchers(struct keeper *keeper);

/* Does what a client asks for, and answers it, now or later. */
void keeper_take_request(struct keeper *keeper, struct keeper_client *client,
                         const json_t *request);

#endif
