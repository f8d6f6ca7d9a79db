/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * guest.h: what the files of the guest's init share.
 *
 * init is process 1 of the VM: static, on the initramfs, with libc and nothing else.  It runs once
 * from top to bottom (init.c); what fails on the way ends in fail(), which tells the host why and
 * never returns.
 */
#ifndef ROMSIM_GUEST_H
#define ROMSIM_GUEST_H

#include "manifest.h"

#include <poll.h>
#include <stdbool.h>
#include <sys/types.h>

/* ---- control.c: the line to the host ------------------------------------------------------ */

/* Opens the virtio-serial port of this name, once it is there.  -1 if there is none. */
int port_open(const char *name, int flags);

/* Opens the port MANIFEST_PORT.  Dies if the VM has none. */
void control_open(void);

/* Reads and parses the manifest, which the host sends first. */
void control_read_manifest(struct manifest *ret);

/* Sends one line: "phase devices".  Line ends inside become spaces. */
void control_send(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The descriptor to poll, and what to do when it is readable: commands for process `app` (0: none
 * yet).  True if the VM was saved and goes on: the host has forgotten what was reported; of a clone
 * the manifest takes the place of the old one. */
int control_fd(void);
bool control_receive(int app, struct manifest *manifest);

/* Says why the boot stops, on the console and to the host, and stops.  With `error` not 0, its
 * text follows. */
_Noreturn void fail(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- timing.c ----------------------------------------------------------------------------- */

/* Milliseconds since the kernel's begin. */
long long now_ms(void);

/* A step of the boot is done. */
void timing_done(const char *step);

/* Tells the host of those that it was not told of. */
void timing_report(void);

/* ---- console.c ---------------------------------------------------------------------------- */

/* Opens the port to the host. */
void console_open(void);

/* Makes the app's terminal.  Returns its descriptor for the app. */
int console_terminal(const struct manifest *manifest);

/* Its size changes. */
void console_resize(const struct manifest_terminal *size);

/* Its other end, init's: what is written there is typed. */
int console_keyboard(void);

/* What to poll, and for how many milliseconds at most (-1: for ever), and what to do when one of
 * the two is ready. */
int console_watch(struct pollfd *ret_terminal, struct pollfd *ret_port);
void console_copy(void);

/* Takes what is left of the app's output out of its terminal.  Returns how many bytes the console
 * has in all. */
unsigned long long console_collect(void);

/* Sends what there is now of the app's output, as far as the port takes it. */
void console_drain(void);

/* How many bytes the console's port has taken. */
unsigned long long console_sent(void);

/* What was sent before was another's console. */
void console_restart(void);

/* Sends what was left, waiting for the host where it must. */
void console_finish(void);

/* Prints a line of init's own. */
void console_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- input.c ------------------------------------------------------------------------------ */

/* Opens the port of the input, if there is any. */
void input_open(const struct manifest *manifest);

/* Returns the descriptor of the app's standard input, to be closed here once the app has it; -1:
 * its terminal. */
int input_make(const struct manifest *manifest);

/* What to poll, and what to do when one of the two is ready. */
void input_watch(struct pollfd *ret_port, struct pollfd *ret_sink);
void input_copy(void);

/* The input has so many bytes in all. */
void input_end(unsigned long long bytes);

/* ---- shell.c ------------------------------------------------------------------------------ */

/* Takes the shell's program out of the initramfs, before the root is another.  Without it there is
 * no shell, and nothing to do in the others. */
void shell_prepare(void);

/* Opens the port. */
void shell_open(void);

/* What to poll, and what to do when one of them is ready, or when a process was reaped. */
enum { SHELL_POLLS = 3 };
void shell_watch(struct pollfd ret[SHELL_POLLS]);
void shell_copy(const struct manifest *manifest, pid_t app);

/* When all processes have ended: what the shell wrote is sent, and it is waited until the host has
 * read it. */
void shell_finish(const struct manifest *manifest);

/* A process has ended: perhaps it is the shell. */
void shell_reaped(pid_t pid, int status_of_it);

/* ---- modules.c ---------------------------------------------------------------------------- */

/* Loads the modules that /modules/order lists, if they are this kernel's. */
void modules_load(void);

/* The same for the file systems of the mounts; one that is a part of the kernel has none. */
void modules_load_file_systems(const struct manifest *manifest);

/* ---- devices.c ---------------------------------------------------------------------------- */

/* Makes the nodes of every device of the manifest in /dev, under both of its names. */
void devices_make(const struct manifest *manifest);

/* In a clone: finds its disks, which are the manifest's devices; the nodes of the ROMs that were
 * the template's go. */
void devices_replace(const struct manifest *old, const struct manifest *manifest);

/* ---- root.c ------------------------------------------------------------------------------- */

/* Mounts /dev, /proc and /sys of the initramfs. */
void root_prepare(void);

/* Mounts the root image under an overlay and makes it the root, with its own /dev, /proc, ... */
void root_enter(const struct manifest *manifest);

/* Mounts every `at`, in order, and says so on the console. */
void root_mount_devices(const struct manifest *manifest);

/* Unmounts them all, whoever uses them still. */
void root_detach_devices(const struct manifest *manifest);

/* Before the end: unmounts what was mounted, so that all that was written to a volume is in it. */
void root_release_volumes(const struct manifest *manifest);

/* Makes a directory and its missing parents.  0, or -1 with errno. */
int make_directories(const char *path);

/* ---- nest.c ------------------------------------------------------------------------------- */

/* Sees to it that the mount points inside mount `index`, which is mounted, exist. */
void nest_make_points(const struct manifest *manifest, size_t index, const char *device);

/* ---- network.c ---------------------------------------------------------------------------- */

/* Brings lo and eth0 up; writes resolv.conf, hostname and hosts. */
void network_up(const struct manifest *manifest);

/* Tells the host what has come and gone over it. */
void network_report(void);

/* The same once more, with another address. */
void network_change(const struct manifest *manifest);

/* ---- clone.c ------------------------------------------------------------------------------ */

/* Waits, if the manifest says so, until the VM has been saved and is a clone; the manifest is then
 * the clone's. */
void clone_wait(struct manifest *manifest);

/* Goes on after it was suspended, with the time as it is now. */
void clone_wake(struct manifest *manifest, const char *time);

/* Makes of a VM that was saved the clone of this manifest: its time, randomness, names, address and
 * ROMs.  `old` is the clone's then, with the app as it was.  Whoever waits in libukp goes on. */
void clone_become(struct manifest *old, struct manifest *manifest);

/* Goes on, in the VM that was saved, with the time as it is now. */
void clone_release(const char *time);

/* ---- hold.c ------------------------------------------------------------------------------- */

/* Has all processes stand still, and tells the host. */
void hold_app(void);

/* They go on. */
void hold_release(void);

/* ---- libukp.c ----------------------------------------------------------------------------- */

/* Mounts /uk/libukp, if this kernel has FUSE.  From then on init itself must not look there: nobody
 * else would answer. */
void libukp_mount(void);

/* Whoever waits for an answer gets an error: nobody can be ended before. */
void libukp_close(void);

/* The descriptor to poll, -1 without the mount, and what to do when it is readable. */
int libukp_fd(void);
void libukp_receive(void);

/* Tells the host the count of scale_to_zero_disable. */
void libukp_report(void);

/* Has the write that waits in template_instance return. */
void libukp_go_on(void);

/* ---- ports.c ------------------------------------------------------------------------------ */

/* Looks for listeners on the ports of the manifest and reports each once.  Returns true while
 * there are ports to wait for. */
bool ports_watch(struct manifest *manifest);

/* The host has forgotten what was reported. */
void ports_forget(struct manifest *manifest);

/* ---- opens.c ------------------------------------------------------------------------------ */

/* From here on tells the host what is opened beneath the mounts, if the manifest says so. */
void opens_begin(const struct manifest *manifest);

/* The descriptor to poll, -1 if there is none, and what to do when it is readable. */
int opens_fd(void);
void opens_report(const struct manifest *manifest);

/* ---- app.c -------------------------------------------------------------------------------- */

/* Runs the app to its end: reaps, obeys the host, watches ports; ends what it left running.
 * Returns its exit status. */
int app_run(struct manifest *manifest);

#endif
