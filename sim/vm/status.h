/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * status.h: what can be told of an instance beside what it was made of: its state and its history
 * (cloud-rules §1), and all of it as the cloud's GET /v1/instances shows it.
 */
#ifndef ROMSIM_VM_STATUS_H
#define ROMSIM_VM_STATUS_H

#include "forward.h"
#include "run.h"

#include <romsim/instance.h>
#include <romsim/layout.h>
#include <romsim/uuid.h>

#include <jansson.h>
#include <time.h>

enum instance_state {
    STATE_STOPPED,
    STATE_STARTING,
    STATE_RUNNING,
    STATE_DRAINING,
    STATE_STOPPING,
    STATE_TEMPLATE,
    STATE_STANDBY, /* no VM is there, and the next connection starts one */
    STATE_DELETED
};

/* The cloud's word for it: "stopped"; and back, -1 if there is no such state. */
const char *instance_state_name(enum instance_state state);
int instance_state_find(const char *name);

/* Who wanted the end. */
enum stop_wish { STOP_BY_NOBODY, STOP_BY_USER, STOP_BY_PLATFORM, STOP_BY_SCALING };

struct instance_status {
    enum instance_state state;
    char uuid[ROMSIM_UUID_SIZE];
    char interface_uuid[ROMSIM_UUID_SIZE];
    unsigned number; /* romsim_state_number(): gives its private address */
    time_t created_at, started_at, stopped_at; /* 0: not yet */
    uint64_t created_us;                       /* since 1970: several are made in a second */
    bool has_ended;                            /* the following are of the last run: */
    unsigned stop_reason, stop_code;
    int exit_code;
    unsigned start_count, restart_count;
    unsigned restart_attempt; /* of the back-off; 0: none */
    time_t restart_at;        /* 0: none is waited for */
    uint64_t boot_time_us, net_time_us, uptime_ms;
};

/* Is no VM there, nor one that ends? */
bool instance_status_is_stopped(const struct instance_status *status);

/* Enters how a run ended. */
void instance_status_end(struct instance_status *status, const struct run_result *result,
                         enum stop_wish wish, bool forced);

/* The user has stopped what was in standby. */
void instance_status_end_standby(struct instance_status *status);

/*
 * The item of GET /v1/instances, with one member of romsim's own, "romsim".  The UUIDs of the
 * inline ROMs stand in `rom_uuids`, one for each ROM of the instance.  A new reference, or NULL.
 */
json_t *instance_describe(const struct romsim_instance *instance,
                          const struct romsim_layout *layout, const struct volumes *volumes,
                          const char (*rom_uuids)[ROMSIM_UUID_SIZE],
                          const struct instance_status *status, const struct vm_plan *plan);

#endif
