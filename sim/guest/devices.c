/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * devices.c: the block nodes of the root, the ROMs and the volumes.
 *
 * The kernel names disks in the order in which it meets them.  romsim gives each a virtio-blk
 * serial, "ukp_rom3", and by that it is found; its nodes get the same device number as vdX.  The
 * host is told which is which: the kernel's log says vdX.
 */
#include "guest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Reads a small file of sysfs without its newline.  0 or -1. */
static int read_line(const char *path, char *ret, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, ret, size - 1);

    if (fd >= 0)
        close(fd);
    if (got < 0)
        return -1;
    ret[got] = '\0';
    ret[strcspn(ret, "\n")] = '\0';
    return 0;
}

static int disk_number(const char *disk, dev_t *ret)
{
    char path[300], text[32];
    unsigned major_number, minor_number;

    snprintf(path, sizeof(path), "/sys/block/%s/dev", disk);
    if (read_line(path, text, sizeof(text)) < 0 ||
        sscanf(text, "%u:%u", &major_number, &minor_number) != 2)
        return -1;
    *ret = makedev(major_number, minor_number);
    return 0;
}

static void make_node(const char *name, mode_t mode, dev_t number)
{
    char path[300];

    snprintf(path, sizeof(path), "/dev/%s", name);
    if (mknod(path, S_IFBLK | mode, number) < 0 && errno != EEXIST)
        fail(errno, "cannot make %s", path);
    chmod(path, mode);
}

/* Makes the nodes of one disk, if it is one of ours.  Returns how many devices it stands for. */
static unsigned make_nodes(const char *disk, const struct manifest *manifest)
{
    char path[300], serial[64];
    dev_t number;

    snprintf(path, sizeof(path), "/sys/block/%s/serial", disk);
    if (read_line(path, serial, sizeof(serial)) < 0 || disk_number(disk, &number) < 0)
        return 0;
    for (size_t i = 0; i < manifest->devices.count; i++) {
        const struct manifest_device *device = &manifest->devices.items[i];
        mode_t mode = device->writable ? 0600 : 0444;

        if (strcmp(serial, device->name) != 0)
            continue;
        make_node(device->name, mode, number);
        if (*device->second_name)
            make_node(device->second_name, mode, number);
        control_send("disk %s %s", disk, device->name);
        return 1;
    }
    return 0;
}

static int write_line(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t done = fd < 0 ? -1 : write(fd, text, strlen(text));

    if (fd >= 0)
        close(fd);
    return done < 0 ? -1 : 0;
}

/* Makes the nodes of all disks that there are.  Returns how many of the devices they stand for. */
static size_t make_all_nodes(const struct manifest *manifest)
{
    DIR *blocks = opendir("/sys/block");
    struct dirent *entry;
    size_t found = 0;

    while (blocks && (entry = readdir(blocks)))
        found += make_nodes(entry->d_name, manifest);
    if (blocks)
        closedir(blocks);
    return found;
}

/* How many there should be. */
static size_t count_expected(const struct manifest *manifest)
{
    size_t count = 0;

    for (size_t i = 0; i < manifest->devices.count; i++)
        count += !manifest->devices.items[i].is_missing;
    return count;
}

static void remove_node(const char *name)
{
    char path[300];

    snprintf(path, sizeof(path), "/dev/%s", name);
    if (*name)
        unlink(path);
}

/* A clone has its disks behind those of the VM that was saved, which never met them: it is to look
 * at its bus once more.  Their drivers have them when that is done. */
void devices_replace(const struct manifest *old, const struct manifest *manifest)
{
    for (size_t i = 0; i < old->devices.count; i++)
        if (!old->root || strcmp(old->devices.items[i].name, old->root) != 0) {
            remove_node(old->devices.items[i].name);
            remove_node(old->devices.items[i].second_name);
        }
    if (count_expected(manifest) == 0)
        return;
    if (write_line("/sys/bus/pci/rescan", "1") < 0)
        fail(errno, "cannot look for the clone's disks");
    if (make_all_nodes(manifest) < count_expected(manifest))
        fail(0, "the disks of the clone did not appear");
}

void devices_make(const struct manifest *manifest)
{
    size_t found = make_all_nodes(manifest), expected = count_expected(manifest);

    if (found < expected)
        fail(0, "only %zu of %zu devices appeared: this kernel needs virtio_pci and virtio_blk",
             found, expected);
}
