/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * state.h: what romsim has on this machine: one folder an instance or mount, under its state
 * folder.
 *
 *     lock                held while a folder is made, removed or swept
 *     instances/<name>/   lock, state.json, socket, drives/ (a FUSE mount while the VM runs)
 *     mounts/<id>/        lock, state.json
 *
 * Theory of operation: the process that owns a folder holds an exclusive lock (flock) on its
 * `lock` file for as long as it lives; the kernel drops the lock with the process, however it
 * dies.  So a folder whose lock can be taken is stale, and whoever takes the lock may clean up:
 * kill what state.json names (checked by start time, so that a reused pid is never hit), unmount
 * (only a romsim mount whose server is gone: somebody else may have mounted there since; also one
 * beneath the folder that no record names), remove the folder.
 */
#ifndef ROMSIM_STATE_H
#define ROMSIM_STATE_H

#include <romsim/cleanup.h>
#include <romsim/error.h>

#include <jansson.h>
#include <sys/types.h>

enum romsim_state_kind { ROMSIM_STATE_INSTANCE, ROMSIM_STATE_MOUNT };

struct romsim_state;

/* Makes and locks the folder of a new instance or mount.  EEXIST if there is one of that name;
 * EINVAL for a name that is no file name. */
struct romsim_state *romsim_state_new(enum romsim_state_kind kind, const char *name,
                                      struct romsim_error *err);

const char *romsim_state_directory(const struct romsim_state *state);

/* A number, from 1, that no other folder of the kind has at this time; 0 if there was none left. */
unsigned romsim_state_number(const struct romsim_state *state);

/* Records (atomically, in state.json) a mount point (before it is mounted; NULL: none any more), or
 * a process with its start time, that must not outlive the owner.  Return 0 or -1. */
int romsim_state_set_mount(struct romsim_state *state, const char *mount_point,
                           struct romsim_error *err);
int romsim_state_add_process(struct romsim_state *state, pid_t pid, struct romsim_error *err);
int romsim_state_drop_process(struct romsim_state *state, pid_t pid, struct romsim_error *err);

/* Records what the owner says of itself, for whoever lists the folders.  Takes the reference (NULL:
 * ENOMEM).  Returns 0 or -1. */
int romsim_state_set_summary(struct romsim_state *state, json_t *summary, struct romsim_error *err);

/* A folder whose owner lives. */
struct romsim_state_entry {
    const char *name, *directory;
    unsigned number; /* romsim_state_number() */
    pid_t owner;
    const char *mount_point; /* or NULL */
    json_t *summary;         /* or NULL */
};

/* Calls `visit` with each folder of a kind, in any order; the entry is valid during the call. */
typedef void romsim_state_visitor(void *context, const struct romsim_state_entry *entry);
void romsim_state_each(enum romsim_state_kind kind, romsim_state_visitor *visit, void *context);

/* Removes the folder and drops the lock; the folder stays, for the next sweep, if its mount cannot
 * be unmounted.  Accepts NULL. */
void romsim_state_free(struct romsim_state *state);

/* After a fork: the child becomes the recorded owner.  Returns 0 or -1. */
int romsim_state_adopt(struct romsim_state *state, struct romsim_error *err);

/* After a fork: the parent gives up its part without removing anything. */
void romsim_state_forget(struct romsim_state *state);

/* Cleans up after owners that were killed.  Called at the start of every command that makes or
 * looks at instances and mounts.  Returns the number of stale folders removed; problems are not
 * errors (somebody else may be cleaning at the same time). */
size_t romsim_state_sweep(void);

/* A pidfd of the process that serves the mount at `mount_point`, by the records (the newest: an
 * older one may still serve users of a mount that was detached there), and (if not NULL) its pid.
 * The caller closes it; -1 if none is known. */
int romsim_state_mount_server(const char *mount_point, pid_t *ret_pid);

/* A folder name for a mount that this process is about to make at `directory` (an absolute path): a
 * short hash of both.  A server that was detached while in use keeps its folder until its last
 * user is gone, and a new one may already serve the same directory. */
enum { ROMSIM_MOUNT_ID_SIZE = 17 };
void romsim_state_mount_id(const char *directory, char ret[ROMSIM_MOUNT_ID_SIZE]);

#endif
