/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * snapshot.c: prints all that a program can see of a file system, in bounded time, however odd it
 * is: for comparing the view through FUSE with the mount by a guest's kernel, image by image.
 *
 *     snapshot DIR                    what is in DIR
 *     snapshot DIR IMAGE...           mounts each image on DIR, through a loop device, before
 *
 * One line a fact; names are escaped; no inode numbers, but hard links are by their first name.
 * Files are read a page at a time, since that is what a kernel reads: a page is there or it has an
 * errno.  Of large files only some pages are looked at.  Left out is what differs between kernels,
 * or between EROFS and FUSE, on purpose: blocks, types in dirents, the dots.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 40, FILES_MAX = 200, DEPTH_MAX = 12, NAMES_MAX = 400 };

static struct {
    dev_t dev;
    ino_t ino;
    char *path;
} seen[FILES_MAX];
static unsigned seen_count;

static void escaped(const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = bytes[i];

        if (byte > ' ' && byte < 127 && byte != '\\')
            putchar(byte);
        else
            printf("\\%02x", byte);
    }
}

static uint64_t hash(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint64_t value = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < size; i++)
        value = (value ^ bytes[i]) * UINT64_C(0x100000001b3);
    return value;
}

/* ---- data ------------------------------------------------------------------------------- */

static void show_page(int fd, uint64_t page)
{
    char bytes[PAGE];
    ssize_t got = pread(fd, bytes, sizeof(bytes), page * PAGE);

    if (got < 0)
        printf("  page %llu error %d\n", (unsigned long long)page, errno);
    else
        printf("  page %llu %zd %016llx\n", (unsigned long long)page, got,
               (unsigned long long)hash(bytes, got));
}

static void show_data(const char *path, uint64_t size)
{
    uint64_t pages = size / PAGE + 1;
    int fd = open(path, O_RDONLY);

    if (fd < 0) {
        printf("  open error %d\n", errno);
        return;
    }
    posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
    for (uint64_t page = 0; page < pages; page++) {
        if (page == PAGES && pages > 2 * PAGES) /* the middle, and the end */
            page = pages / 2;
        if (page > pages / 2 + PAGES / 4 && pages > 2 * PAGES && page < pages - 4)
            page = pages - 4;
        show_page(fd, page);
    }
    close(fd);
}

static void show_link(const char *path)
{
    static char target[2 * PAGE];
    ssize_t size = readlink(path, target, sizeof(target));

    if (size < 0) {
        printf("  readlink error %d\n", errno);
        return;
    }
    printf("  -> ");
    escaped(target, size);
    putchar('\n');
}

static void show_xattr(const char *path, const char *name)
{
    static char value[65536];
    ssize_t size = lgetxattr(path, name, value, sizeof(value));

    printf("  xattr ");
    escaped(name, strlen(name));
    if (size < 0)
        printf(" error %d\n", errno);
    else
        printf(" %zd %016llx\n", size, (unsigned long long)hash(value, size));
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void show_xattrs(const char *path)
{
    static char list[65536];
    char *names[NAMES_MAX];
    int count = 0;
    ssize_t size = llistxattr(path, list, sizeof(list));

    if (size < 0)
        printf("  listxattr error %d\n", errno);
    for (ssize_t i = 0; i < size && count < NAMES_MAX; i += strlen(list + i) + 1)
        names[count++] = list + i;
    qsort(names, count, sizeof(names[0]), compare_names);
    for (int i = 0; i < count; i++)
        show_xattr(path, names[i]);
    show_xattr(path, "user.color"); /* a lookup goes another way than the list */
}

/* ---- files ------------------------------------------------------------------------------ */

static void show_file(const char *path, unsigned depth);

/* The same file by another name: said, not looked at again. */
static int is_known(const struct stat *st, const char *path)
{
    for (unsigned i = 0; i < seen_count; i++)
        if (seen[i].dev == st->st_dev && seen[i].ino == st->st_ino) {
            printf("  same as ");
            escaped(seen[i].path, strlen(seen[i].path));
            putchar('\n');
            return 1;
        }
    seen[seen_count].dev = st->st_dev;
    seen[seen_count].ino = st->st_ino;
    seen[seen_count++].path = strdup(path);
    return 0;
}

/* As getdents64(2) gives it: readdir(3) hides the entries of an inode 0. */
struct entry {
    uint64_t ino;
    int64_t next;
    uint16_t size;
    uint8_t type;
    char name[];
};

/* Prints the names of a directory, and collects copies of them. */
static unsigned list(int fd, char **names)
{
    static char buffer[65536] __attribute__((aligned(8)));
    unsigned count = 0;
    long size;

    while ((size = syscall(SYS_getdents64, fd, buffer, sizeof(buffer))) > 0)
        for (long at = 0; at < size; at += ((struct entry *)(buffer + at))->size) {
            const char *name = ((struct entry *)(buffer + at))->name;

            if (count == NAMES_MAX || !strcmp(name, ".") || !strcmp(name, ".."))
                continue;
            printf("  has ");
            escaped(name, strlen(name));
            putchar('\n');
            names[count++] = strdup(name);
        }
    if (size < 0)
        printf("  readdir error %d\n", errno);
    return count;
}

static void show_directory(const char *path, unsigned depth)
{
    char *names[NAMES_MAX];
    unsigned count;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        printf("  opendir error %d\n", errno);
        return;
    }
    count = list(fd, names);
    close(fd);
    for (unsigned i = 0; i < count; i++) {
        char *child = NULL;

        if (asprintf(&child, "%s/%s", path, names[i]) >= 0)
            show_file(child, depth + 1);
        free(child);
        free(names[i]);
    }
}

static void show_file(const char *path, unsigned depth)
{
    struct stat st;

    if (seen_count == FILES_MAX || depth > DEPTH_MAX)
        return;
    escaped(path, strlen(path));
    if (lstat(path, &st) < 0) {
        printf(" error %d\n", errno);
        return;
    }
    printf(" %o %u:%u time %lld", st.st_mode, st.st_uid, st.st_gid, (long long)st.st_mtime);
    if (st.st_mtim.tv_nsec < 999999999) /* FUSE makes what is more to this */
        printf(".%09ld", st.st_mtim.tv_nsec);
    if (S_ISBLK(st.st_mode) || S_ISCHR(st.st_mode))
        printf(" %u:%u", major(st.st_rdev), minor(st.st_rdev));
    printf(" links %lu size %llu\n", (unsigned long)st.st_nlink, (unsigned long long)st.st_size);
    if (is_known(&st, path))
        return;
    show_xattrs(path);
    if (S_ISREG(st.st_mode))
        show_data(path, st.st_size);
    else if (S_ISLNK(st.st_mode))
        show_link(path);
    else if (S_ISDIR(st.st_mode))
        show_directory(path, depth);
}

static void show(void)
{
    show_file(".", 0);
    while (seen_count)
        free(seen[--seen_count].path);
}

/* ---- loop mounts ------------------------------------------------------------------------ */

/* Attaches the image to the loop device; the mount keeps it when the descriptor is closed. */
static int attach(const char *image)
{
    struct loop_config config = {.info.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR};
    int loop = open("/dev/loop0", O_RDONLY | O_CLOEXEC);
    int fd = open(image, O_RDONLY | O_CLOEXEC);

    config.fd = fd;
    if (fd < 0 || loop < 0 || ioctl(loop, LOOP_CONFIGURE, &config) < 0) {
        printf("cannot attach the image: %s\n", strerror(errno));
        exit(1);
    }
    close(fd);
    return loop;
}

static void show_image(const char *point, const char *image)
{
    int loop = attach(image);
    int result = mount("/dev/loop0", point, "erofs", MS_RDONLY, NULL);

    printf("image %s\n", strrchr(image, '/') ? strrchr(image, '/') + 1 : image);
    if (result < 0) {
        printf("mount error %d\n", errno);
    } else if (chdir(point) == 0) {
        show();
        if (chdir("/") < 0 || umount(point) < 0)
            printf("umount error %d\n", errno);
    }
    close(loop);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc == 2 && chdir(argv[1]) == 0) {
        show();
        return fflush(stdout) ? 1 : 0;
    }
    for (int i = 2; i < argc; i++)
        show_image(argv[1], argv[i]);
    return argc > 2 ? 0 : 2;
}
