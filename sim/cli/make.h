/* SPDX-License-Identifier: BSD-3-Clause */
/* make.h: what the commands share that make instances: `run` and `create`. */
#ifndef ROMSIM_CLI_MAKE_H
#define ROMSIM_CLI_MAKE_H

#include "sim/cli/cli.h"

#include <romsim/vm.h>

/* The options that change or make an instance, and those that say how its VM is run. */
#define MAKE_OPTIONS                                                                               \
    {"image", 0, "REF", "the base image, in place of the file's"},                                 \
        {"rom", 0, "KEY=VALUE,...", "add a ROM: name=N,image=REF|dir=DIR,at=PATH"},                \
        {"volume", 'v', "NAME:PATH[:ro]", "attach a volume (romsim volume)"},                      \
        {"publish", 'p', "HOST:GUEST", "forward a port of 127.0.0.1"},                             \
        {"env", 'e', "NAME=VALUE", "set an environment variable"},                                 \
        {"memory", 'm', "SIZE", "the guest's memory: megabytes, or 512M, 1G"},                     \
        {"args", 0, "TEXT", "what to run, in place of the image's command"},                       \
        {"name", 0, "NAME", "the instance's name"},                                                \
        {"accel", 0, "auto|kvm|tcg", "how the processor is virtualised"}, CLI_OPTION_CPU,          \
        {"kernel", 0, "FILE", "boot this kernel (bzImage or ELF)"},                                \
        {"image-kernel", 0, NULL, "boot the kernel that the image brings"},                        \
        {"allow-host", 0, NULL, "let the guest reach services of this machine"},                   \
        {"isolated", 0, NULL, "no private network with other instances"},                          \
        {"no-fuse", 0, NULL, "read the ROMs directly, not through FUSE"},                          \
    {                                                                                              \
        "boot-timeout", 0, "SECONDS", "how long a boot may stand still (60)"                       \
    }

/* The instances of the file, with the flags applied, or the one that the flags alone make.  CLI_OK,
 * CLI_FAILED or CLI_USAGE; only with CLI_OK the caller clears *ret. */
int make_instances(const struct cli_args *args, struct romsim_instances *ret);

/* All but the processor, of which the accelerator is set as it is wanted.  Returns 0, or -1 after a
 * report (then return CLI_USAGE). */
int make_vm_options(const struct cli_args *args, struct romsim_vm_options *ret);

/*
 * Chooses the processor, makes the instances with their replicas, and takes them; stays until they
 * are what they are to be (vm.h), showing what they say; a signal asks them to end.  Catch signals
 * before.  Returns the exit status.
 */
int make_and_follow(const struct cli_args *args, struct romsim_instances *instances,
                    const struct romsim_vm_options *options);

#endif
