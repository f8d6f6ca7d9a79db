/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_run.c: `romsim run [FILE]`: starts instances, and stays until their apps have ended, or with
 * --detach until they run.
 */
#include "sim/cli/make.h"
#include "sim/cli/outcomes.h"
#include "sim/cli/seam.h"
#include "sim/cli/signals.h"

#include <romsim/state.h>
#include <romsim/text.h>
#include <romsim/vm.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const struct cli_option options[] = {
    {"detach", 'd', NULL, "return when they run, and print their names"},
    {"watch", 'w', NULL, "start them again with what changes on disk"},
    MAKE_OPTIONS,
    MAKE_INPUT_OPTIONS,
    {"shell", 0, NULL, "a root shell in the guest, beside the app"},
    {"kernel-log", 0, "[=FILE]", NULL},
    {"timings", 0, "[=FILE]", NULL},
    {"junit", 0, "FILE", NULL},
    {"tap", 0, "FILE", NULL},
    {"trace", 0, "[=FILE]", NULL},
    {"fault", 0, "SPEC", NULL},
    {"gdb", 0, "PORT[,wait]", NULL},
    {"quiet", 'q', NULL, "nothing on stderr but errors"},
    {"verbose", 0, NULL, "each phase of the start with its time"},
    {"limit", 0, "NAME=VALUE", NULL},
    CLI_OPTION_END,
};

/* Returns 0, or -1 after a report. */
static int read_gdb(const struct cli_args *args, struct romsim_vm_gdb *ret)
{
    const char *text = cli_value(args, "gdb");
    unsigned long port;
    char *end;

    if (!text)
        return 0;
    port = strtoul(text, &end, 10);
    ret->waits = strcmp(end, ",wait") == 0;
    if (isdigit((unsigned char)*text) && port >= 1 && port <= UINT16_MAX &&
        (*end == '\0' || ret->waits)) {
        ret->port = (uint16_t)port;
        return 0;
    }
    cli_usage(args, "--gdb takes a port, or PORT,wait, and not '%s'", QUOTE(text));
    return -1;
}

/* An app may end with any status, so a bad instance is 125 here, and not 1 as elsewhere. */
static int run_run(const struct cli_args *args)
{
    struct romsim_instances instances = {0};
    struct romsim_vm_options vm;
    struct timings *timings;
    struct cli_seam seam;
    int status;

    if (make_vm_options(args, &vm) < 0 || read_gdb(args, &vm.gdb) < 0)
        return CLI_USAGE;
    vm.stays = cli_has(args, "watch");
    if (vm.stays && cli_has(args, "detach"))
        return cli_usage(args, "--watch stays with what it watches, so not with --detach");
    vm.fate = cli_has(args, "detach") ? ROMSIM_VM_DETACH : ROMSIM_VM_BOUND;
    vm.kernel_log = cli_has(args, "kernel-log");
    if (vm.kernel_log && vm.fate == ROMSIM_VM_DETACH)
        return cli_usage(args, "--kernel-log needs somebody who reads it, and --detach leaves");
    if (vm.fate == ROMSIM_VM_DETACH && outcomes_are_wanted(args))
        return cli_usage(args, "how an instance ends is not known with --detach, which leaves");
    vm.has_shell = cli_has(args, "shell");
    if (vm.has_shell &&
        (vm.fate == ROMSIM_VM_DETACH || vm.stays || vm.input.is_open || vm.input.is_terminal))
        return cli_usage(args, "--shell has this terminal or its input to itself, so not with "
                               "--detach, --watch, --stdin or --tty");
    timings = cli_has(args, "timings") ? timings_new() : NULL;
    signals_catch();
    romsim_state_sweep();
    status = cli_seam_options(args, vm.fate == ROMSIM_VM_BOUND, &seam, &vm.seam);
    if (status == CLI_OK)
        status = make_instances(args, &instances);
    timings_done(timings, "instance");
    if (status == CLI_OK)
        status = instances.count ? make_and_follow(args, &instances, &vm, timings) : CLI_OK;
    else if (status != CLI_USAGE) {
        outcomes_write_refusal(args);
        status = CLI_RUN_FAILED;
    }
    cli_seam_clear(&seam);
    romsim_instances_clear(&instances);
    timings_free(timings);
    return status;
}

const struct cli_command cli_command_run = {
    .name = "run",
    .help_beside = "start instances and stay; save one, to go on from there",
    .operands = "[FILE]",
    .operands_min = 0,
    .operands_max = 1,
    .summary = "start instances and stay until their apps have ended",
    .is_of_this_machine = true,
    .options = options,
    .run = run_run,
};
