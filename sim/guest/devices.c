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

/* ---- spares --------------------------------------------------------------------------------
 *
 * The VM that is saved as a template has the disks of its clones already, as many as there can be,
 * with nothing in them, behind its own; their number is in `romsim_spares`, which the kernel handed
 * on from its command line.  They are let go of, so that their driver looks at them anew, and finds
 * a clone's, when it is given them again.
 */

enum { SPARES_MAX = 64 };

#define DRIVER "/sys/bus/virtio/drivers/virtio_blk"

static char spares[SPARES_MAX][32]; /* "virtio7", in the order of the host */
static size_t spare_count;

static int write_line(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t done = fd < 0 ? -1 : write(fd, text, strlen(text));

    if (fd >= 0)
        close(fd);
    return done < 0 ? -1 : 0;
}

/* Is it a disk that the driver has?  By the number of its name they are in the host's order. */
static bool has_driver(unsigned number)
{
    char path[300];
    struct stat status;

    snprintf(path, sizeof(path), DRIVER "/virtio%u", number);
    return lstat(path, &status) == 0;
}

void devices_release_spares(void)
{
    const char *text = getenv("romsim_spares");
    long wanted = text ? manifest_number(text, SPARES_MAX) : 0;
    unsigned disks[1024] = {0};
    size_t count = 0;

    for (unsigned number = 0; wanted > 0 && number < sizeof(disks) / sizeof(disks[0]); number++)
        if (has_driver(number))
            disks[count++] = number;
    if (wanted < 0 || (size_t)wanted > count)
        fail(0, "a template needs %s disks, and this kernel has %zu", text, count);
    for (size_t i = count - (size_t)wanted; i < count; i++) {
        char *name = spares[spare_count++];

        snprintf(name, sizeof(spares[0]), "virtio%u", disks[i]);
        if (write_line(DRIVER "/unbind", name) < 0)
            fail(errno, "cannot let go of the disk %s", name);
    }
}

/* The kernel's name of a disk: the one entry in its device's folder "block". */
static void find_disk(const char *spare, char ret[32])
{
    char path[300];
    DIR *directory;
    struct dirent *entry;

    snprintf(path, sizeof(path), "/sys/bus/virtio/devices/%s/block", spare);
    directory = opendir(path);
    ret[0] = '\0';
    while (directory && (entry = readdir(directory)))
        if (entry->d_name[0] != '.')
            snprintf(ret, 32, "%.31s", entry->d_name);
    if (directory)
        closedir(directory);
}

static void remove_node(const char *name)
{
    char path[300];

    snprintf(path, sizeof(path), "/dev/%s", name);
    if (*name)
        unlink(path);
}

void devices_replace(const struct manifest *old, const struct manifest *manifest)
{
    char disk[32];

    for (size_t i = 0; i < old->devices.count; i++)
        if (!old->root || strcmp(old->devices.items[i].name, old->root) != 0) {
            remove_node(old->devices.items[i].name);
            remove_node(old->devices.items[i].second_name);
        }
    if (manifest->devices.count > spare_count)
        fail(0, "the template has room for %zu devices", spare_count);
    for (size_t i = 0; i < manifest->devices.count; i++) {
        if (write_line(DRIVER "/bind", spares[i]) < 0)
            fail(errno, "cannot take the disk of %s", manifest->devices.items[i].name);
        find_disk(spares[i], disk);
        if (make_nodes(disk, manifest) == 0)
            fail(0, "the disk of %s is another one", manifest->devices.items[i].name);
    }
}

void devices_make(const struct manifest *manifest)
{
    DIR *blocks = opendir("/sys/block");
    struct dirent *entry;
    size_t found = 0;

    while (blocks && (entry = readdir(blocks)))
        found += make_nodes(entry->d_name, manifest);
    if (blocks)
        closedir(blocks);
    if (found < manifest->devices.count)
        fail(0, "only %zu of %zu devices appeared: this kernel needs virtio_pci and virtio_blk",
             found, manifest->devices.count);
}
