/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_umount.c: `romsim umount DIR...`: ends mounts. */
#include "sim/cli/cli.h"

#include <romsim/mounts.h>
#include <romsim/state.h>
#include <romsim/text.h>

#include <errno.h>
#include <poll.h>
#include <unistd.h>

/* How long a server may take to end after its mount. */
enum { END_TIMEOUT_MS = 5000 };

/* Unmounts and, unless somebody still uses the mount, waits until its server has ended. */
static int unmount(const char *directory)
{
    struct romsim_error error;
    CLEANUP_FREE char *point = romsim_mount_point(directory, &error);
    CLEANUP_FD int server = point ? romsim_state_mount_server(point, NULL) : -1;
    struct pollfd ended = {.fd = server, .events = POLLIN};
    bool was_busy;

    if (!point || romsim_mount_detach(point, &was_busy, &error) < 0)
        return cli_report(&error);
    if (was_busy)
        cli_note("'%s' is in use: it is detached, and ends with its last user", QUOTE(directory));
    else if (server >= 0)
        TEMP_FAILURE_RETRY(poll(&ended, 1, END_TIMEOUT_MS));
    return CLI_OK;
}

static int run_umount(const struct cli_args *args)
{
    int worst = CLI_OK;

    for (size_t i = 0; i < args->operand_count; i++)
        if (unmount(args->operands[i]) != CLI_OK)
            worst = CLI_FAILED;
    /* Only now: a mount whose server was killed is to be unmounted by name, not swept before. */
    romsim_state_sweep();
    return worst;
}

const struct cli_command cli_command_umount = {
    .name = "umount",
    .operands = "DIR...",
    .operands_min = 1,
    .operands_max = CLI_OPERANDS_ANY,
    .summary = "end a mount",
    .description = "One that is in use is gone from the directory at once, and ends with its last\n"
                   "user.  Other file systems than romsim's are refused.\n",
    .sweeps_itself = true,
    .run = run_umount,
};
