/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nest.c: an `at` inside another ROM.
 *
 * Missing mount points are made, but a ROM is read-only.  So a ROM that lacks directories for the
 * mounts inside it gets a second layer: a read-only overlay of a skeleton, which has nothing but
 * these directories and their parents, over the ROM.  It stays read-only, and nothing else of it
 * changes: parents that the ROM has keep its modes, owners and times.
 */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define WORK     "/dev/.nest"
#define SKELETON WORK "/skeleton"
#define ROM      WORK "/rom"

/* Is `path` beneath `parent`? */
static bool is_beneath(const char *path, const char *parent)
{
    size_t size = strlen(parent);

    return strncmp(path, parent, size) == 0 && path[size] == '/';
}

/* Will mount `inner` be on a directory of mount `outer`?  Mounts are made one after the other, each
 * over all that was at its place and beneath. */
static bool is_inside(const struct manifest *manifest, size_t inner, size_t outer)
{
    const struct manifest_mount *mounts = manifest->mounts.items;

    for (size_t i = inner; i-- > outer;)
        if (strcmp(mounts[inner].path, mounts[i].path) == 0 ||
            is_beneath(mounts[inner].path, mounts[i].path))
            return i == outer;
    return false;
}

/* Makes a skeleton directory look like the ROM's own, if the ROM has it. */
static void imitate(const char *relative)
{
    char rom[4200], skeleton[4200];
    struct stat status;

    snprintf(rom, sizeof(rom), ROM "%s", relative);
    snprintf(skeleton, sizeof(skeleton), SKELETON "%s", relative);
    if (lstat(rom, &status) < 0)
        return;
    if (!S_ISDIR(status.st_mode))
        fail(0, "a mount point inside a ROM leads through %s, which is not a directory", relative);
    if (chown(skeleton, status.st_uid, status.st_gid) < 0 ||
        chmod(skeleton, status.st_mode & 07777) < 0 ||
        utimensat(AT_FDCWD, skeleton, (struct timespec[]){status.st_atim, status.st_mtim}, 0) < 0)
        fail(errno, "cannot prepare %s", skeleton);
}

/* Calls `imitate` for the directory and all its parents, the deepest first: a new entry changes
 * its parent's time. */
static void imitate_upwards(const char *relative)
{
    char path[4096];
    char *slash = path;

    snprintf(path, sizeof(path), "%s", relative);
    while (slash) {
        imitate(path);
        slash = strrchr(path, '/');
        if (slash)
            *slash = '\0';
    }
}

static void mount_layers(const char *device, const char *path)
{
    if (umount(path) < 0 ||
        mount(device, path, "overlay", MS_RDONLY | MS_NODEV,
              "lowerdir=" SKELETON ":" ROM ",metacopy=off,redirect_dir=nofollow") < 0)
        fail(errno, "cannot make mount points inside %s -> %s", device, path);
}

void nest_make_points(const struct manifest *manifest, size_t index, const char *device)
{
    const struct manifest_mount *mounts = manifest->mounts.items;
    const char *outer = mounts[index].path;
    bool missing = false;

    for (size_t i = 0; i < manifest->mounts.count; i++)
        missing |= is_inside(manifest, i, index) && access(mounts[i].path, F_OK) < 0;
    if (!missing)
        return;
    if (mkdir(WORK, 0700) < 0 || mount("tmpfs", WORK, "tmpfs", 0, "mode=0700") < 0 ||
        make_directories(SKELETON) < 0 || make_directories(ROM) < 0 ||
        mount(device, ROM, "erofs", MS_RDONLY, NULL) < 0)
        fail(errno, "cannot make mount points inside %s -> %s", device, outer);
    for (size_t i = 0; i < manifest->mounts.count; i++) {
        char path[4200];

        if (!is_inside(manifest, i, index) || access(mounts[i].path, F_OK) == 0)
            continue;
        snprintf(path, sizeof(path), SKELETON "%s", mounts[i].path + strlen(outer));
        if (make_directories(path) < 0)
            fail(errno, "cannot make the mount point %s", mounts[i].path);
    }
    for (size_t i = 0; i < manifest->mounts.count; i++)
        if (is_inside(manifest, i, index) && access(mounts[i].path, F_OK) < 0)
            imitate_upwards(mounts[i].path + strlen(outer));
    mount_layers(device, outer);
    /* The overlay holds what it needs of both. */
    umount2(ROM, MNT_DETACH);
    umount2(WORK, MNT_DETACH);
    rmdir(WORK);
}
