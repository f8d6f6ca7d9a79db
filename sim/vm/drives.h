/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drives.h: where QEMU reads a layout's devices.
 *
 * Through the FUSE view, so that host and guest read the same bytes by the same way (and tracing
 * and fault injection have one place); where FUSE is not to be had, straight from the blobs.
 * Volumes are their own files in any case.
 */
#ifndef ROMSIM_VM_DRIVES_H
#define ROMSIM_VM_DRIVES_H

#include "qemu.h"
#include "volumes.h"

#include <romsim/fs.h>
#include <romsim/layout.h>
#include <romsim/state.h>

#include <pthread.h>
#include <stdatomic.h>

/* The thread that answers for the view. */
struct drives_server {
    struct romsim_fs *fs;
    pthread_t thread;
    bool is_running;
    atomic_bool has_failed;
    struct romsim_error error; /* why, once it has */
};

struct drives {
    struct qemu_drive *items;
    size_t count;
    struct drives_server *server; /* NULL without FUSE */
};

/* Mounts the view in the state folder, with what is to stand in the way of it, and serves it from a
 * thread of its own.  -1 if FUSE cannot be used here: then try drives_open_files(), in whose way
 * nothing can stand. */
int drives_open_view(const struct romsim_layout *layout, const struct volumes *volumes,
                     struct romsim_state *state, const struct romsim_seam_options *seam,
                     struct drives *ret, struct romsim_error *err);

/* The blobs' own files as drives. */
int drives_open_files(const struct romsim_layout *layout, const struct volumes *volumes,
                      struct drives *ret, struct romsim_error *err);

/* The descriptors that QEMU must inherit, appended to a -1-terminated list with room for them. */
void drives_inherit(const struct drives *drives, int *list);

/* Why the view's server ended before its time: what uses the drives sees no more than ENOTCONN.
 * NULL if it did not. */
const struct romsim_error *drives_failure(const struct drives *drives);

/* Writes down in the drives' trace, if there is one, what the start has come to. */
void drives_note_phase(const struct drives *drives, const char *name);

/* What a process of the guest has opened, the same way (romsim/trace.h). */
void drives_note_open(const struct drives *drives, const struct romsim_trace_open *opened);

/* Nobody has to wait for a read any more that something stands in the way of: QEMU is to end, and
 * cannot before it has its answer. */
void drives_let_go(const struct drives *drives);

/* Unmounts, joins, frees.  After QEMU has ended. */
void drives_close(struct drives *drives);

#endif
