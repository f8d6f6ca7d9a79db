/* SPDX-License-Identifier: BSD-3-Clause */
/* case_run.h: running an instance while what happens is written down. */
#ifndef ROMSIM_CLI_CASE_RUN_H
#define ROMSIM_CLI_CASE_RUN_H

#include "sim/cli/cli.h"

#include <romsim/case.h>
#include <romsim/vm.h>

/* When it has run for long enough. */
struct case_end {
    uint64_t seconds; /* 0: when it ends by itself */
    size_t enough;    /* bytes of console, behind which nothing is of interest; 0: no such number */
};

/*
 * Runs a layout, with a trace where FUSE can be had, until it ends by itself, for `end`, or by a
 * signal, and writes down what happened: from the moment when somebody wanted the end nothing is.
 * What the app writes goes to stdout unless `is_silent`.  Catch signals before.  CLI_OK, or another
 * exit status after a report; romsim_outcome_clear() in any case.
 */
int case_run(const struct romsim_layout *layout, const struct romsim_instance *instance,
             const struct romsim_vm_options *options, const struct case_end *end, bool is_silent,
             struct romsim_outcome *ret);

/* "30s", "5m", "30": the seconds of an option, `absent` without it.  Reports what is wrong; returns
 * 0, or -1 (then return CLI_USAGE). */
int case_seconds(const struct cli_args *args, const char *option, uint64_t absent, uint64_t *ret);

/* What can be another one elsewhere: names and texts, of romsim, the kernel, QEMU, the accelerator,
 * the processor, the machine, and with a log of QEMU's its clock.  `kernel` is its file, or NULL
 * for the bundle's.  NULL after a report. */
json_t *case_versions(const char *kernel, const char *accelerator, const char *cpu,
                      bool is_recorded);

/* The ROMs of a layout, to be freed; NULL without memory. */
struct romsim_case_rom *case_roms(const struct romsim_layout *layout,
                                  const struct romsim_instance *instance, size_t *ret_count);

/* Faults as they are to be written down: each has the seed, unless it has its own.  Returns 0 or
 * -1. */
int case_fault_texts(const struct cli_args *args, struct romsim_strings *ret,
                     struct romsim_error *err);

/* Can it be recorded and replayed, instruction by instruction?  0, or -1 with what stands in the
 * way. */
int case_check_record(const struct romsim_instance *instance,
                      const struct romsim_vm_options *options, struct romsim_error *err);

/* A case from a file ("-": standard input).  NULL after a report. */
struct romsim_case *case_open(const char *file);

#endif
