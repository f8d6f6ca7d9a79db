/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * record.h: state.json, what an owner leaves behind for whoever looks at it or cleans up after it.
 *
 *     {
 *       "owner": {"pid": 4711, "start": 1234567},
 *       "number": 2,
 *       "mount_point": "/home/u/view",
 *       "processes": [{"pid": 4712, "start": 1234570}],
 *       "summary": {...}
 *     }
 *
 * A mount point that is no UTF-8 is kept as "mount_point_base64".
 */
#ifndef ROMSIM_STATE_RECORD_H
#define ROMSIM_STATE_RECORD_H

#include <romsim/error.h>
#include <romsim/vector.h>

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct state_process {
    pid_t pid;
    uint64_t start; /* in clock ticks after the boot: with the pid it names one process for ever */
};

DEFINE_VECTOR(state_processes, struct state_process);

struct state_record {
    struct state_process owner;
    unsigned number;   /* no two of a kind have the same; 0: none */
    char *mount_point; /* or NULL; owned */
    struct state_processes processes;
    json_t *summary; /* what its owner says of itself, or NULL; a reference */
};

void state_record_clear(struct state_record *record);

/* Both return false, with errno, when they fail. */
bool state_record_set_owner(struct state_record *record, pid_t pid);
bool state_record_add_process(struct state_record *record, pid_t pid);

/* Takes a process off the list. */
void state_record_drop_process(struct state_record *record, pid_t pid);

/* Writes `directory`/state.json by renaming a whole file into place.  Returns 0 or -1. */
int state_record_save(const struct state_record *record, const char *directory,
                      struct romsim_error *err);

/* Reads it into an empty record: what it has of the above, as far as that makes sense.  -1 if there
 * is none, or if it is no JSON (EUCLEAN). */
int state_record_load(struct state_record *record, const char *directory, struct romsim_error *err);

#endif
