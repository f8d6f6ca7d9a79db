/* SPDX-License-Identifier: BSD-3-Clause */
/* make.h: what the commands share that make instances: `run` and `create`. */
#ifndef ROMSIM_CLI_MAKE_H
#define ROMSIM_CLI_MAKE_H

#include "sim/cli/cli.h"
#include "sim/cli/timings.h"

#include <romsim/layout.h>
#include <romsim/vm.h>

/* The options that change or make an instance, and those that say how its VM is run. */
#define MAKE_OPTIONS                                                                               \
    {"image", 0, "REF", "the base image, in place of the file's"}, {"template", 0, "NAME", NULL},  \
        {"checkpoint", 0, "NAME", NULL}, {"branch", 0, "INSTANCE", NULL},                          \
        {"rom", 0, "KEY=VALUE,...", "add a ROM: name=N,image=REF|dir=DIR,at=PATH"},                \
        {"volume", 'v', "NAME:PATH[:ro]", "attach a volume (romsim volume)"},                      \
        {"publish", 'p', "[HOST:]GUEST", "forward a port of 127.0.0.1"},                           \
        {"env", 'e', "NAME[=VALUE]", "set an environment variable"}, {"from-get", 0, NULL, NULL},  \
        {"env-file", 0, "FILE", "set those of a file with lines NAME=VALUE"},                      \
        {"memory", 'm', "SIZE", "the guest's memory: megabytes, or 512M, 1G"},                     \
        {"vcpus", 0, "N", NULL},                                                                   \
        {"args", 0, "TEXT", "what to run, in place of the image's command"},                       \
        {"name", 'n', "NAME", "the instance's name"},                                              \
        {"restart", 0, "never|always|on-failure", "when to start it again"},                       \
        {"scale-to-zero", 0, "on|off|idle", NULL}, {"accel", 0, "auto|kvm|tcg", NULL},             \
        {"arch", 0, "amd64|arm64", NULL}, {"cpu", 0, "v1|v2|v3|v4|MODEL", NULL},                   \
        {"kernel", 0, "FILE", NULL}, {"image-kernel", 0, NULL, NULL},                              \
        {"allow-host", 0, NULL, NULL}, {"ports-at", 0, "ADDRESS", NULL},                           \
        {"isolated", 0, NULL, NULL}, {"no-fuse", 0, NULL, NULL},                                   \
    {                                                                                              \
        "boot-timeout", 0, "SECONDS", NULL                                                         \
    }

/* Those of what the app reads. */
#define MAKE_INPUT_OPTIONS                                                                         \
    {"stdin", 'i', NULL, "what is typed or piped here is the app's input"},                        \
    {                                                                                              \
        "tty", 't', NULL, "the app has a terminal, of the size of this one"                        \
    }

/* The instances of the file, with the flags applied, or the one that the flags alone make.  CLI_OK,
 * CLI_FAILED or CLI_USAGE; only with CLI_OK the caller clears *ret. */
int make_instances(const struct cli_args *args, struct romsim_instances *ret);

/* All but the processor, of which the accelerator is set as it is wanted.  Returns 0, or -1 after a
 * report (then return CLI_USAGE). */
int make_vm_options(const struct cli_args *args, struct romsim_vm_options *ret);

/* Chooses the processor for these options, --arch and --cpu, before images are chosen, which
 * depends on it. Returns CLI_OK, or another exit status after a report. */
int make_choose_processor(const struct cli_args *args, const struct romsim_vm_options *options,
                          struct romsim_processor *ret);

/* Makes all but the VMs: the instances with their layouts and replicas.  To be cleared in any case.
 * CLI_OK, or another exit status after a report. */
int make_set(const struct cli_args *args, const struct romsim_limits *limits,
             struct romsim_making *ret);

/* Makes all but the VMs: the processor, which is entered in *options, service groups, templates,
 * layouts with their replicas.  make_clear() in any case.  CLI_OK, or another exit status after a
 * report. */
int make_ready(const struct cli_args *args, struct romsim_instances *instances,
               struct romsim_vm_options *options, struct timings *timings,
               struct romsim_making *ret);
void make_clear(struct romsim_making *making);

/*
 * Chooses the processor, makes the instances with their replicas, and takes them; stays until they
 * are what they are to be (vm.h), showing what they say; a signal asks them to end.  Catch signals
 * before.  Returns the exit status.  `timings` (or NULL) is told of its steps.
 */
int make_and_follow(const struct cli_args *args, struct romsim_instances *instances,
                    const struct romsim_vm_options *options, struct timings *timings);

#endif
