/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_create.c: `romsim create [FILE]`: makes instances that are to be started later. */
#include "sim/cli/make.h"
#include "sim/cli/remote.h"
#include "sim/cli/signals.h"
#include "sim/cli/target.h"

static const struct cli_option options[] = {
    MAKE_OPTIONS,
    MAKE_INPUT_OPTIONS,
    {"quiet", 'q', NULL, "nothing on stderr but errors"},
    {"limit", 0, "NAME=VALUE", NULL},
    CLI_OPTION_HOST,
    CLI_OPTION_END,
};

static int run_create(const struct cli_args *args)
{
    struct romsim_instances instances = {0};
    const char *host = remote_host(args);
    struct romsim_vm_options vm;
    int status;

    if (make_vm_options(args, &vm) < 0)
        return CLI_USAGE;
    if (host)
        return remote_create(args, host);
    vm.fate = ROMSIM_VM_CREATE;
    signals_catch();
    status = make_instances(args, &instances);
    if (status != CLI_OK)
        return status;
    status = instances.count ? make_and_follow(args, &instances, &vm, NULL) : CLI_OK;
    romsim_instances_clear(&instances);
    return status == CLI_RUN_FAILED ? CLI_FAILED : status;
}

const struct cli_command cli_command_create = {
    .name = "create",
    .help_beside = "make instances, to be started when you like; delete them",
    .operands = "[FILE]",
    .operands_min = 0,
    .operands_max = 1,
    .summary = "make instances, to be started when you like",
    .description = "Builds their ROMs, claims their ports and prints their names.  They are there\n"
                   "until 'romsim rm', or until this machine is restarted.\n",
    .options = options,
    .run = run_create,
};
