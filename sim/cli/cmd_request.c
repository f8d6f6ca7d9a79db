/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_request.c: `romsim request FILE`: the JSON body that creates the same in the cloud. */
#include "sim/cli/cli.h"

#include <romsim/text.h>

#include <stdio.h>

/* What ran here from a path has to be pushed before the cloud can have it. */
static void warn_local(const struct romsim_instances *instances)
{
    for (size_t i = 0; i < instances->count; i++) {
        const struct romsim_instance *instance = instances->items[i];

        if (cli_is_local(instance->image))
            cli_warn("the cloud cannot see the image '%s': push it, and name it here",
                     QUOTE(instance->image));
        for (size_t j = 0; j < instance->rom_count; j++)
            if (cli_is_local(instance->roms[j].image))
                cli_warn("the cloud cannot see the ROM image '%s': push it, and name it here",
                         QUOTE(instance->roms[j].image));
    }
}

static int print_request(const struct romsim_instances *instances)
{
    struct romsim_error error;
    CLEANUP_FREE char *body = romsim_instances_request(instances, &error);

    if (!body)
        return cli_report(&error);
    warn_local(instances);
    return fputs(body, stdout) < 0 || fflush(stdout) < 0 ? CLI_FAILED : CLI_OK;
}

static int run_request(const struct cli_args *args)
{
    struct romsim_instances instances;
    int status = cli_load(args, args->operands[0], &instances);

    if (status != CLI_OK)
        return status;
    status = print_request(&instances);
    romsim_instances_clear(&instances);
    return status;
}

static const struct cli_option options[] = {CLI_OPTION_LIMIT, CLI_OPTION_END};

const struct cli_command cli_command_request = {
    .name = "request",
    .operands = "FILE",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "print the JSON body for POST /v1/instances",
    .description = "What ran here can be created in the cloud by sending this body; directories\n"
                   "have become base64 files.  Several instances are one array.\n",
    .options = options,
    .run = run_request,
};
