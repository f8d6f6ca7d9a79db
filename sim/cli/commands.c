/* SPDX-License-Identifier: BSD-3-Clause */
/* commands.c: the list of commands, in the order of the help. */
#include "sim/cli/cli.h"

extern const struct cli_command cli_command_run, cli_command_create, cli_command_rm,
    cli_command_start, cli_command_wait, cli_command_stop, cli_command_suspend, cli_command_edit,
    cli_command_restart, cli_command_ps, cli_command_get, cli_command_logs, cli_command_attach,
    cli_command_plan, cli_command_check, cli_command_request, cli_command_build, cli_command_verify,
    cli_command_mount, cli_command_umount, cli_command_capture, cli_command_replay,
    cli_command_trace, cli_command_rom, cli_command_image, cli_command_volume, cli_command_template,
    cli_command_schema, cli_command_serve, cli_command_init, cli_command_explain,
    cli_command_doctor, cli_command_complete, cli_command_checkpoint, cli_command_workshop;

const struct cli_command *const cli_commands[] = {
    &cli_command_run,      &cli_command_checkpoint, &cli_command_create,   &cli_command_rm,
    &cli_command_start,    &cli_command_wait,       &cli_command_stop,     &cli_command_suspend,
    &cli_command_edit,     &cli_command_restart,    &cli_command_ps,       &cli_command_get,
    &cli_command_logs,     &cli_command_attach,     &cli_command_plan,     &cli_command_check,
    &cli_command_init,     &cli_command_request,    &cli_command_build,    &cli_command_verify,
    &cli_command_mount,    &cli_command_umount,     &cli_command_capture,  &cli_command_replay,
    &cli_command_trace,    &cli_command_rom,        &cli_command_image,    &cli_command_volume,
    &cli_command_template, &cli_command_schema,     &cli_command_serve,    &cli_command_workshop,
    &cli_command_explain,  &cli_command_doctor,     &cli_command_complete, NULL,
};
