/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * needs.h: what an instance takes of this machine, told before it is started, and whether there is
 * as much.
 *
 * The figures are measured (docs/performance.md, "What an instance takes"); tests/vm/room.sh
 * compares them with what the kernel says of instances that run.
 */
#ifndef ROMSIM_NEEDS_H
#define ROMSIM_NEEDS_H

#include <romsim/capacity.h>
#include <romsim/error.h>
#include <romsim/layout.h>
#include <romsim/vm.h>

/* Bytes of memory that are an instance's own. */
struct romsim_needs {
    uint64_t guest;       /* the guest's memory, which it may fill; */
    uint64_t guest_start; /* what of it is in use when the app starts */
    uint64_t qemu;        /* QEMU beside it: devices, and code that it has translated */
    uint64_t keeper;      /* romsim's process for the instance */
    uint64_t server;      /* the one that serves its images (FUSE) */
    uint64_t inlined;     /* inline ROMs: in memory as long as the instance is there */
    uint64_t images;      /* not counted: files of images, which the page cache may give back, and
                             has once for all instances that have them */
};

/* What all instances of a machine have together: QEMU's program, and the guest's kernel. */
#define ROMSIM_NEEDS_SHARED (UINT64_C(68) << 20)

void romsim_needs_of(const struct romsim_layout *layout, enum romsim_accel accel, bool no_fuse,
                     struct romsim_needs *ret);

/* When its app has started; and when the guest uses all of its memory. */
uint64_t romsim_needs_start(const struct romsim_needs *needs);
uint64_t romsim_needs_most(const struct romsim_needs *needs);

/* How many such instances fit into so much memory: one after the other is started, and each finds
 * what it may take at most.  At most `most`. */
uint64_t romsim_needs_fit(const struct romsim_needs *needs, uint64_t memory_free, uint64_t most);

/*
 * Is there room to start these now?  What each of them takes at the start has to be there, and what
 * the largest may take at most; processes, and space in the folder of the state.  -1, with
 * ROMSIM_CLOUD_QUOTA and EAGAIN, and what takes the machine: the user's own instances by name,
 * those of others as a sum.  `overcommit` bytes more are taken for free (the bound of that name).
 */
int romsim_room_check(const struct romsim_layout *const *layouts, size_t count,
                      enum romsim_accel accel, bool no_fuse, uint64_t overcommit,
                      struct romsim_error *err);

#endif
