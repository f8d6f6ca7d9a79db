/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clone.c: the VM as one of several that go on from where it was saved.
 *
 * A template is a VM that was stopped and saved; each clone of it wakes up in the same place, in
 * init, which waits for the host, or in the app, whose write to template_instance has not returned.
 * So that no two of them are alike, the host sends each a manifest of its own before anything else
 * happens: the time, which stood still; randomness, or all would draw the same numbers; names, an
 * address and ROMs.  A VM that was saved in the middle of what its app did has it held until then
 * (hold.c).
 */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { SEED_BYTES = 32 };

/* linux/random.h, which the C library here does not have. */
#define ADD_ENTROPY _IOW('R', 0x03, int[2])
#define RESEED      _IO('R', 0x07)

static void set_time(const char *text)
{
    struct timespec now = {0};
    char *end;

    now.tv_sec = (time_t)strtoll(text, &end, 10);
    if (*end == '.')
        now.tv_nsec = strtol(end + 1, NULL, 10);
    if (clock_settime(CLOCK_REALTIME, &now) < 0)
        fail(errno, "cannot set the clock");
}

static void set_seed(const char *hex)
{
    struct {
        int bits, size;
        uint8_t bytes[SEED_BYTES];
    } seed = {.bits = SEED_BYTES * 8, .size = SEED_BYTES};
    int fd = open("/dev/urandom", O_WRONLY | O_CLOEXEC);

    if (strlen(hex) != sizeof(seed.bytes) * 2)
        fail(0, "bad manifest: a seed of a wrong length");
    for (size_t i = 0; i < sizeof(seed.bytes); i++) {
        const char digits[] = {hex[2 * i], hex[2 * i + 1], '\0'};

        seed.bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    if (fd < 0 || ioctl(fd, ADD_ENTROPY, &seed) < 0 || ioctl(fd, RESEED) < 0)
        fail(errno, "cannot give the kernel new randomness");
    close(fd);
}

void clone_wake(struct manifest *manifest, const char *time)
{
    console_restart();
    set_time(time);
    libukp_report();
    ports_forget(manifest);
    hold_release();
}

void clone_release(const char *time)
{
    set_time(time);
    hold_release();
}

/* It says nothing of devices: they are those that there were. */
static void keep_devices(const struct manifest *old, struct manifest *manifest)
{
    manifest->devices = old->devices;
    manifest->mounts = old->mounts;
}

void clone_become(struct manifest *old, struct manifest *manifest)
{
    if (!manifest->clone_time || !manifest->seed)
        fail(0, "bad manifest: it is no clone's");
    console_restart();
    set_time(manifest->clone_time);
    set_seed(manifest->seed);
    network_change(manifest);
    if (manifest->keep) {
        keep_devices(old, manifest);
    } else {
        root_detach_devices(old);
        devices_replace(old, manifest);
        root_mount_devices(manifest);
    }
    control_send("phase mounts");
    /* Its app, and its root, are the template's. */
    manifest->argv = old->argv;
    manifest->env = old->env;
    manifest->working_dir = old->working_dir;
    manifest->root = old->root;
    *old = *manifest;
    libukp_report();
    libukp_go_on();
    hold_release();
}

void clone_wait(struct manifest *manifest)
{
    if (!manifest->hold)
        return;
    control_send("template");
    while (!control_receive(0, manifest))
        ;
}
