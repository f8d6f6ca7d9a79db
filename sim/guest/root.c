/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * root.c: the file system that the app sees.
 *
 *     /lower    the root image, EROFS, read-only          (of the initramfs)
 *     /upper    tmpfs: what the app writes, lost with the VM
 *     /root     the two as an overlay; becomes /
 */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

struct special {
    const char *type, *path;
    unsigned long flags;
    const char *options;
};

static const struct special of_initramfs[] = {
    {"devtmpfs", "/dev", MS_NOSUID, "mode=0755"},
    {"proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL},
    {"sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL},
};

/* What the app's root has besides; devtmpfs is the same everywhere. */
static const struct special of_root[] = {
    {"proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL},
    {"sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL},
    {"devtmpfs", "/dev", MS_NOSUID, "mode=0755"},
    {"devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "mode=0620,gid=5,ptmxmode=0666"},
    {"tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777"},
};

struct link {
    const char *target, *path;
};

static const struct link links[] = {
    {"/proc/self/fd", "/dev/fd"},
    {"/proc/self/fd/0", "/dev/stdin"},
    {"/proc/self/fd/1", "/dev/stdout"},
    {"/proc/self/fd/2", "/dev/stderr"},
};

int make_directories(const char *path)
{
    char partial[4096];
    struct stat status;

    if (strlen(path) >= sizeof(partial)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    for (size_t i = 1; path[i - 1]; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(partial, path, i);
        partial[i] = '\0';
        if (mkdir(partial, 0755) < 0 && errno != EEXIST)
            return -1;
    }
    if (stat(path, &status) < 0)
        return -1;
    errno = ENOTDIR;
    return S_ISDIR(status.st_mode) ? 0 : -1;
}

static void mount_special(const struct special *special)
{
    if (make_directories(special->path) < 0)
        fail(errno, "cannot make %s", special->path);
    if (mount(special->type, special->path, special->type, special->flags, special->options) < 0)
        fail(errno, "cannot mount %s on %s", special->type, special->path);
}

void root_prepare(void)
{
    umask(022);
    for (size_t i = 0; i < sizeof(of_initramfs) / sizeof(of_initramfs[0]); i++)
        mount_special(&of_initramfs[i]);
}

/* Does the device begin as an EROFS image does? */
static bool is_erofs(const char *device)
{
    static const unsigned char magic[4] = {0xe2, 0xe1, 0xf5, 0xe0};
    unsigned char found[4] = {0};
    int fd = open(device, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : pread(fd, found, sizeof(found), 1024);

    if (fd >= 0)
        close(fd);
    return size == sizeof(found) && memcmp(found, magic, sizeof(magic)) == 0;
}

/* The host gives a volume that is for reading a writable device if its journal had to be replayed.
 * That is done now. */
static void protect(const char *device)
{
    int fd = open(device, O_RDONLY | O_CLOEXEC), yes = 1;

    if (fd < 0)
        return;
    ioctl(fd, BLKROSET, &yes);
    close(fd);
}

/* ext4's own words (Linux: fs/ext4/ext4.h, and the superblock's fields), which are in no header. */
#define EXT4_RESIZE _IOW('f', 16, uint64_t)
enum { EXT4_SUPER = 1024, EXT4_BLOCKS = 4, EXT4_BLOCK_BITS = 24, EXT4_BLOCKS_HIGH = 336 };

static uint32_t super_field(int device, int offset)
{
    unsigned char bytes[4] = {0};

    if (pread(device, bytes, sizeof(bytes), EXT4_SUPER + offset) != sizeof(bytes))
        return 0;
    return bytes[0] | bytes[1] << 8 | bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* A volume that was made larger has its file system fill it, once that is mounted: what is in a
 * volume is no business of the host's. */
static void grow(const char *device, const char *path)
{
    int disk = open(device, O_RDONLY | O_CLOEXEC);
    int top = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    uint64_t size = 0, has, wanted;
    unsigned bits;

    if (disk >= 0 && top >= 0 && ioctl(disk, BLKGETSIZE64, &size) == 0) {
        bits = (10 + super_field(disk, EXT4_BLOCK_BITS)) & 31;
        has = super_field(disk, EXT4_BLOCKS) | (uint64_t)super_field(disk, EXT4_BLOCKS_HIGH) << 32;
        wanted = size >> bits;
        /* A megabyte and more: less is what an imported image was rounded up by. */
        if (wanted > has && (wanted - has) << bits >= 1 << 20 &&
            ioctl(top, EXT4_RESIZE, &wanted) < 0)
            console_print("cannot grow %s: %s\n", path, strerror(errno));
    }
    if (disk >= 0)
        close(disk);
    if (top >= 0)
        close(top);
}

static void mount_device(const char *device, const struct manifest_mount *wanted)
{
    unsigned long flags = wanted->writable ? 0 : MS_RDONLY;

    if (access(device, F_OK) < 0)
        fail(ENODEV, "cannot mount %s -> %s", device, wanted->path);
    if (mount(device, wanted->path, wanted->type, flags | MS_NODEV, NULL) == 0) {
        if (!wanted->writable)
            protect(device);
        else if (strcmp(wanted->type, "ext4") == 0)
            grow(device, wanted->path);
        return;
    }
    if (errno == ENODEV)
        fail(0, "cannot mount %s -> %s: this kernel has no %s", device, wanted->path, wanted->type);
    if (strcmp(wanted->type, "erofs") == 0 && !is_erofs(device))
        fail(0, "cannot mount %s -> %s: it is not an EROFS image", device, wanted->path);
    fail(errno, "cannot mount %s -> %s", device, wanted->path);
}

static void make_overlay(const char *root)
{
    static const char *const directories[] = {"/lower", "/upper", "/root"};
    char device[64];

    snprintf(device, sizeof(device), "/dev/%s", root);
    for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++)
        if (mkdir(directories[i], 0755) < 0 && errno != EEXIST)
            fail(errno, "cannot make %s", directories[i]);
    if (mount(device, "/lower", "erofs", MS_RDONLY, NULL) < 0)
        fail(errno, "cannot mount the root image %s", device);
    if (mount("tmpfs", "/upper", "tmpfs", 0, "mode=0755") < 0 || mkdir("/upper/data", 0755) < 0 ||
        mkdir("/upper/work", 0755) < 0)
        fail(errno, "cannot make the writable layer");
    if (mount("overlay", "/root", "overlay", 0,
              /* As the view has it (sim/layout/view.c), whatever this kernel's defaults are. */
              "lowerdir=/lower,upperdir=/upper/data,workdir=/upper/work,metacopy=off,index=off,"
              "redirect_dir=off") < 0)
        fail(errno, "cannot mount the root's overlay");
}

/* An image may have a file or a link in the place of a directory that the kernel needs. */
static void replace_file(const char *path)
{
    struct stat status;

    if (lstat(path, &status) == 0 && !S_ISDIR(status.st_mode) && unlink(path) < 0)
        fail(errno, "cannot replace %s", path);
}

void root_enter(const struct manifest *manifest)
{
    make_overlay(manifest->root);
    if (chdir("/root") < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 ||
        chdir("/") < 0)
        fail(errno, "cannot enter the root");
    replace_file("/proc");
    replace_file("/sys");
    replace_file("/dev");
    for (size_t i = 0; i < sizeof(of_root) / sizeof(of_root[0]); i++)
        mount_special(&of_root[i]);
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
        if (symlink(links[i].target, links[i].path) < 0 && errno != EEXIST)
            fail(errno, "cannot make %s", links[i].path);
}

/* The host followed the image's links; the kernel has to agree with it. */
static void make_point(const char *device, const char *path)
{
    char found[PATH_MAX];

    if (make_directories(path) < 0 || !realpath(path, found))
        fail(errno, "cannot mount %s -> %s: the mount point cannot be made", device, path);
    if (strcmp(found, path) != 0)
        fail(0, "cannot mount %s -> %s: this kernel finds %s there", device, path, found);
}

void root_mount_devices(const struct manifest *manifest)
{
    for (size_t i = 0; i < manifest->mounts.count; i++) {
        const struct manifest_mount *wanted = &manifest->mounts.items[i];
        char device[64];

        snprintf(device, sizeof(device), "/dev/%s", wanted->device);
        make_point(device, wanted->path);
        mount_device(device, wanted);
        if (strcmp(wanted->type, "erofs") == 0)
            nest_make_points(manifest, i, device);
        console_print("mount %s -> %s\n", device, wanted->path);
    }
}

void root_detach_devices(const struct manifest *manifest)
{
    for (size_t i = manifest->mounts.count; i-- > 0;)
        if (umount2(manifest->mounts.items[i].path, MNT_DETACH) < 0 && errno != EINVAL)
            fail(errno, "cannot unmount %s", manifest->mounts.items[i].path);
}

void root_release_volumes(const struct manifest *manifest)
{
    bool written = false;

    for (size_t i = 0; i < manifest->mounts.count; i++)
        written |= manifest->mounts.items[i].writable;
    if (!written || chdir("/") < 0)
        return;
    for (size_t i = manifest->mounts.count; i-- > 0;) {
        const struct manifest_mount *mounted = &manifest->mounts.items[i];

        /* What the app mounted inside, or a process that cannot be ended, keeps it in use: then the
         * file system is finished where it is. */
        if (umount(mounted->path) < 0 && mounted->writable)
            mount(NULL, mounted->path, NULL, MS_REMOUNT | MS_RDONLY | MS_NODEV, NULL);
    }
    sync();
}
