/* SPDX-License-Identifier: BSD-3-Clause */
/* trace_sum.h: what a trace says of each ROM. */
#ifndef ROMSIM_CLI_TRACE_SUM_H
#define ROMSIM_CLI_TRACE_SUM_H

#include <romsim/error.h>
#include <romsim/vector.h>

#include <jansson.h>
#include <stdint.h>

struct trace_span {
    uint64_t start, end;
};

DEFINE_VECTOR(trace_spans, struct trace_span);

/* A device of an instance. */
struct trace_rom {
    json_t *line;             /* its own (romsim/trace.h); owned */
    struct trace_spans spans; /* of its bytes, as they were read */
    json_t *read;             /* the paths of its files, in the order in which they were read first:
                                 {path: how often}; owned */
    json_t *missing;          /* the paths that were looked up in vain, the same; owned */
    json_t *opened;           /* those that processes of the guest opened, the same; owned */
    uint64_t reads, bytes;    /* all of the device, */
    uint64_t distinct;        /* and without what was read again */
    uint64_t file_reads, file_bytes; /* of its files, on the host */
    uint64_t failures;               /* reads that failed, */
    json_t *failed;                  /* the paths that they were of, as above; owned */
    uint64_t longest_us, waited_us;  /* for a read, and for all of them */
    char *longest_of;                /* what the longest was of: "/weights"; owned, or NULL */
    json_t *faults;                  /* texts of what was made to go wrong; owned */
};

DEFINE_VECTOR(trace_roms, struct trace_rom);

/* Takes a line into the sums. */
int trace_sum_add(struct trace_roms *roms, const json_t *line, struct romsim_error *err);

/* After the last one. */
void trace_sum_finish(struct trace_roms *roms);
void trace_sum_clear(struct trace_roms *roms);

#endif
