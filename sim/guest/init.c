/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * init.c: process 1 of the VM, from the kernel's hand to the app's exit status.
 *
 * Each step says where the boot is (`phase`); a step that fails ends in fail().
 */
#include "guest.h"

#include <signal.h>
#include <sys/reboot.h>
#include <unistd.h>

int main(void)
{
    struct manifest manifest;
    int status;

    timing_done("kernel");
    signal(SIGPIPE, SIG_IGN);
    root_prepare();
    shell_prepare();
    modules_load();
    timing_done("modules");
    console_open();
    control_open();
    timing_done("lines");
    control_send("phase hello");
    timing_report();
    control_read_manifest(&manifest);
    modules_load_file_systems(&manifest);
    devices_make(&manifest);
    timing_done("devices");
    control_send("phase devices");
    root_enter(&manifest);
    timing_done("root");
    network_up(&manifest);
    timing_done("network");
    control_send("phase root");
    root_mount_devices(&manifest);
    timing_done("mounts");
    control_send("phase mounts");
    timing_report();
    clone_wait(&manifest);

    status = app_run(&manifest);
    root_release_volumes(&manifest);
    /* The report goes first: a console that nobody reads must not hold it up. */
    control_send("exit %d %llu", status, console_collect());
    console_finish();
    shell_finish(&manifest);
    sleep(10);
    reboot(RB_AUTOBOOT);
    return 1;
}
