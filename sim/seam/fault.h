/* SPDX-License-Identifier: BSD-3-Clause */
/* fault.h: faults (romsim/fault.h), taken apart, and what does them. */
#ifndef ROMSIM_SEAM_FAULT_H
#define ROMSIM_SEAM_FAULT_H

#include "layer.h"
#include "map.h"

#include <romsim/fault.h>
#include <romsim/vector.h>

struct fault {
    char *text;  /* as it was given; owned */
    char *words; /* the same, cut to pieces, to which the others point; owned */
    const char *rom, *path, *swap;
    bool is_eio, has_offset, has_corrupt, has_truncate, is_unaligned, has_no_superblock, is_missing;
    uint64_t offset, after, count;    /* of reads; a count of 0: all */
    uint64_t latency, jitter, attach; /* microseconds */
    uint64_t bandwidth;               /* bytes a second; 0: as it is */
    uint64_t corrupt, mask, truncate;
    uint64_t seed;
};

DEFINE_VECTOR(fault_list, struct fault);

struct romsim_faults {
    struct fault_list list;
};

/* Does it make reads take longer? */
bool fault_delays(const struct fault *fault);

/* Is it one of this device's? */
bool fault_is_of(const struct fault *fault, const struct romsim_device *device);

/* Replaces the blobs of the devices that have other bytes, or fewer, by faults.  The devices are a
 * copy of the layout's.  ENOENT for a fault of a ROM that is not there. */
int faults_change_devices(const struct romsim_faults *faults, struct romsim_device *devices,
                          size_t count, struct romsim_error *err);

/* The layers for a fault that changes reads.  `stop` is readable when nobody waits any more, or -1.
 * NULL without memory. */
struct layer *error_layer(const struct fault *fault, struct romsim_blob *image);
struct layer *delay_layer(const struct fault *fault, int stop);

#endif
