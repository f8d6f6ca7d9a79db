/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * record.h: state.json, what an owner leaves behind for whoever cleans up after it.
 *
 *     {
 *     "owner": {"pid": 4711, "start": 1234567},
 *     "mount_point": "/home/u/view",
 *     "processes": [
 *     {"pid": 4712, "start": 1234570}
 *     ]
 *     }
 *
 * JSON for the tools of users, but one value a line: sim/base has no JSON library, and only romsim
 * writes these files (in a folder of mode 0700), so they are read back line by line.
 */
#ifndef ROMSIM_BASE_RECORD_H
#define ROMSIM_BASE_RECORD_H

#include <romsim/error.h>
#include <romsim/vector.h>

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
    char *mount_point; /* or NULL; owned */
    struct state_processes processes;
};

void state_record_clear(struct state_record *record);

/* When the process was started.  False, with errno, if there is none. */
bool state_process_start(pid_t pid, uint64_t *ret);

/* Both return false, with errno, when they fail. */
bool state_record_set_owner(struct state_record *record, pid_t pid);
bool state_record_add_process(struct state_record *record, pid_t pid);

/* Writes `directory`/state.json by renaming a whole file into place.  Returns 0 or -1. */
int state_record_save(const struct state_record *record, const char *directory,
                      struct romsim_error *err);

/* Reads it into an empty record.  Returns 0 or -1. */
int state_record_load(struct state_record *record, const char *directory, struct romsim_error *err);

#endif
