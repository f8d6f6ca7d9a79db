/* SPDX-License-Identifier: BSD-3-Clause */
/* fs.c: a mount that is served and used by one process, as a supervisor does for its drives. */
#include "harness.h"

#include <romsim/fs.h>
#include <romsim/mounts.h>
#include <romsim/paths.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

static const char content[] = "a drive's bytes";
static char point[] = "/tmp/romsim-unit-fs.XXXXXX";
static struct romsim_device devices[2];
static char name[] = "a b";
static struct romsim_layout layout = {.name = name, .devices = devices, .device_count = 2};

static void set_up(void)
{
    ck_assert_ptr_nonnull(mkdtemp(point));
    for (unsigned i = 0; i < 2; i++) {
        devices[i].index = i;
        devices[i].kind = ROMSIM_IMAGE_RAW;
        snprintf(devices[i].indexed_name, sizeof(devices[i].indexed_name), "ukp_rom%u", i);
        devices[i].blob = romsim_blob_from_bytes(content, sizeof(content), NULL);
    }
}

static void tear_down(void)
{
    ck_assert_int_eq(romsim_mount_find(point, NULL, NULL), ROMSIM_MOUNT_NONE);
    ck_assert_int_eq(rmdir(point), 0);
    for (unsigned i = 0; i < 2; i++)
        romsim_blob_unref(devices[i].blob);
}

static struct romsim_fs *mount_drives(void)
{
    const struct romsim_fs_options options = {.drives_only = true};
    struct romsim_error err;
    struct romsim_fs *fs = romsim_fs_mount(&layout, point, &options, &err);

    ck_assert_msg(fs != NULL, "%s", fs ? "" : err.message);
    return fs;
}

/* Serves in a thread; its result is NULL if all went well. */
static void *serve(void *fs)
{
    return romsim_fs_serve(fs, NULL) == 0 ? NULL : fs;
}

static int open_drive(const char *drive)
{
    CLEANUP_FREE char *path = NULL;

    ck_assert_int_ge(asprintf(&path, "%s/dev/%s", point, drive), 0);
    return open(path, O_RDONLY | O_CLOEXEC);
}

#define SKIP_WITHOUT_FUSE()                                                                        \
    do {                                                                                           \
        struct romsim_error probe_;                                                                \
        if (romsim_fs_probe(&probe_) < 0)                                                          \
            UNIT_SKIP(probe_.message);                                                             \
    } while (0)

START_TEST(a_process_reads_through_the_mount_that_it_serves)
{
    struct romsim_fs *fs;
    pthread_t server;
    char bytes[64];
    void *failed;

    SKIP_WITHOUT_FUSE();
    set_up();
    fs = mount_drives();
    ck_assert_int_eq(pthread_create(&server, NULL, serve, fs), 0);
    for (int i = 0; i < 50; i++) {
        CLEANUP_FD int fd = open_drive(i % 2 ? "ukp_rom1" : "ukp_rom0");

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(pread(fd, bytes, sizeof(bytes), 0), sizeof(content));
        ck_assert_mem_eq(bytes, content, sizeof(content));
    }
    ck_assert_int_lt(open_drive("ukp_rom2"), 0);
    ck_assert_int_eq(errno, ENOENT);
    romsim_fs_stop(fs);
    ck_assert_int_eq(pthread_join(server, &failed), 0);
    ck_assert_ptr_null(failed);
    romsim_fs_free(fs);
    tear_down();
}
END_TEST

START_TEST(a_stop_before_serving_is_not_lost)
{
    struct romsim_fs *fs;

    SKIP_WITHOUT_FUSE();
    set_up();
    fs = mount_drives();
    romsim_fs_stop(fs);
    ck_assert_int_eq(romsim_fs_serve(fs, NULL), 0);
    romsim_fs_free(fs);
    tear_down();
}
END_TEST

START_TEST(an_unmount_by_somebody_else_ends_serving)
{
    struct romsim_fs *fs;
    pthread_t server;
    void *failed;

    SKIP_WITHOUT_FUSE();
    set_up();
    fs = mount_drives();
    ck_assert_int_eq(pthread_create(&server, NULL, serve, fs), 0);
    ck_assert_int_eq(close(open_drive("ukp_rom0")), 0);
    ck_assert_int_eq(romsim_mount_detach(point, NULL, NULL), 0);
    ck_assert_int_eq(pthread_join(server, &failed), 0);
    ck_assert_ptr_null(failed);
    romsim_fs_free(fs);
    tear_down();
}
END_TEST

START_TEST(freeing_leaves_another_mount_of_the_place_alone)
{
    struct romsim_fs *first, *second;
    pthread_t server;
    CLEANUP_FD int fd = -1;
    char byte;

    SKIP_WITHOUT_FUSE();
    set_up();
    first = mount_drives();
    ck_assert_int_eq(pthread_create(&server, NULL, serve, first), 0);
    fd = open_drive("ukp_rom0");
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(romsim_mount_detach(point, NULL, NULL), 0);
    second = mount_drives();
    romsim_fs_stop(first);
    ck_assert_int_eq(pthread_join(server, NULL), 0);
    romsim_fs_free(first);
    ck_assert_int_eq(romsim_mount_find(point, NULL, NULL), ROMSIM_MOUNT_OURS);
    ck_assert_int_eq(pread(fd, &byte, 1, 0), -1);
    ck_assert_int_eq(errno, ENOTCONN);
    romsim_fs_free(second);
    tear_down();
}
END_TEST

START_TEST(a_mount_without_a_server_is_never_left_behind)
{
    struct romsim_fs *fs;

    SKIP_WITHOUT_FUSE();
    set_up();
    fs = mount_drives();
    ck_assert_int_eq(romsim_mount_find(point, NULL, NULL), ROMSIM_MOUNT_OURS);
    romsim_fs_free(fs);
    romsim_fs_free(NULL);
    tear_down();
}
END_TEST

UNIT_MAIN("fs", a_process_reads_through_the_mount_that_it_serves, a_stop_before_serving_is_not_lost,
          an_unmount_by_somebody_else_ends_serving, freeing_leaves_another_mount_of_the_place_alone,
          a_mount_without_a_server_is_never_left_behind)
