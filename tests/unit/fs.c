/* SPDX-License-Identifier: BSD-3-Clause */
/* fs.c: a mount that is served and used by one process, as a keeper does for its drives. */
#include "harness.h"

#include <romsim/fs.h>
#include <romsim/mounts.h>
#include <romsim/paths.h>
#include <romsim/state.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char content[] = "a drive's bytes";
static char point[] = "/tmp/romsim-unit-fs.XXXXXX";
static struct romsim_device devices[2];
static char name[] = "a b";
static struct romsim_layout layout = {.name = name, .devices = devices, .device_count = 2};

static void set_up(void)
{
    ck_assert_ptr_nonnull(mkdtemp(point));
    for (unsigned i = 0; i < 2; i++) {
        devices[i].role = i ? ROMSIM_DEVICE_ROM : ROMSIM_DEVICE_ROOT;
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
    ck_assert_int_eq(pread(fd, &byte, 1, 0) < 0 ? errno : 0, ENOTCONN);
    romsim_fs_free(second);
    tear_down();
}
END_TEST

/* Numbers that were its own may be somebody else's by then. */
START_TEST(freeing_closes_nothing_twice)
{
    struct romsim_fs *fs;
    pthread_t server;
    int others[32];

    SKIP_WITHOUT_FUSE();
    set_up();
    fs = mount_drives();
    ck_assert_int_eq(pthread_create(&server, NULL, serve, fs), 0);
    ck_assert_int_eq(close(open_drive("ukp_rom0")), 0);
    romsim_fs_stop(fs);
    ck_assert_int_eq(pthread_join(server, NULL), 0);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        ck_assert_int_ge(others[i] = open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
    romsim_fs_free(fs);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        ck_assert_int_eq(close(others[i]), 0);
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

/* No file can be opened any more: as many as are open now are the most. */
static void close_the_door(struct rlimit *ret_before)
{
    struct rlimit limit;
    int next = open("/dev/null", O_RDONLY | O_CLOEXEC);

    ck_assert_int_ge(next, 0);
    close(next);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, ret_before), 0);
    limit = *ret_before;
    limit.rlim_cur = (rlim_t)next;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_int_lt(open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
    ck_assert_int_eq(errno, EMFILE);
}

START_TEST(a_mount_and_its_record_go_without_a_free_descriptor)
{
    struct romsim_state *state;
    struct romsim_error err = {0};
    struct rlimit before;
    struct romsim_fs *fs;
    CLEANUP_FREE char *folder = NULL;

    SKIP_WITHOUT_FUSE();
    set_up();
    state = romsim_state_new(ROMSIM_STATE_MOUNT, "no-descriptors", &err);
    ck_assert_msg(state != NULL, "%s", err.message);
    ck_assert_int_eq(romsim_state_set_mount(state, point, NULL), 0);
    folder = strdup(romsim_state_directory(state));
    fs = mount_drives();
    close_the_door(&before);
    romsim_fs_free(fs);
    romsim_state_free(state);
    setrlimit(RLIMIT_NOFILE, &before);
    ck_assert_int_lt(access(folder, F_OK), 0);
    tear_down();
}
END_TEST

START_TEST(no_mount_is_made_without_free_descriptors)
{
    const struct romsim_fs_options options = {.drives_only = true};
    struct romsim_error err = {0};
    struct rlimit before, limit;

    SKIP_WITHOUT_FUSE();
    set_up();
    close_the_door(&before);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    for (int more = 0; more < 12; more++, limit.rlim_cur++) {
        struct romsim_fs *fs;

        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        fs = romsim_fs_mount(&layout, point, &options, &err);
        if (!fs)
            ck_assert_msg(err.errnum == EMFILE, "%s", err.message);
        romsim_fs_free(fs);
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
        ck_assert_int_eq(romsim_mount_find(point, NULL, NULL), ROMSIM_MOUNT_NONE);
    }
    setrlimit(RLIMIT_NOFILE, &before);
    tear_down();
}
END_TEST

/* The child makes a record and a mount, forgets the mount in the record, and is killed. */
static _Noreturn void be_killed(const char *folder)
{
    struct romsim_state *state = romsim_state_new(ROMSIM_STATE_INSTANCE, "forgetful", NULL);
    CLEANUP_FREE char *inside = NULL;

    ck_assert_ptr_nonnull(state);
    ck_assert_int_ge(asprintf(&inside, "%s/drives", folder), 0);
    ck_assert_int_eq(mkdir(inside, 0700), 0);
    ck_assert_ptr_nonnull(
        romsim_fs_mount(&layout, inside, &(struct romsim_fs_options){.drives_only = true}, NULL));
    kill(getpid(), SIGKILL);
    _exit(1);
}

START_TEST(the_sweep_unmounts_what_no_record_names)
{
    CLEANUP_FREE char *state = NULL, *folder = NULL, *inside = NULL;
    int status;
    pid_t pid;

    SKIP_WITHOUT_FUSE();
    set_up();
    state = romsim_path_state("instances", NULL);
    ck_assert_int_ge(asprintf(&folder, "%s/forgetful", state), 0);
    ck_assert_int_ge(asprintf(&inside, "%s/drives", folder), 0);
    pid = fork();
    if (pid == 0)
        be_killed(folder);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(romsim_mount_find(inside, NULL, NULL), ROMSIM_MOUNT_OURS);
    romsim_state_sweep();
    ck_assert_int_eq(romsim_mount_find(inside, NULL, NULL), ROMSIM_MOUNT_NONE);
    ck_assert_int_lt(access(folder, F_OK), 0);
    tear_down();
}
END_TEST

UNIT_MAIN("fs", a_mount_and_its_record_go_without_a_free_descriptor,
          no_mount_is_made_without_free_descriptors, the_sweep_unmounts_what_no_record_names,
          a_process_reads_through_the_mount_that_it_serves, a_stop_before_serving_is_not_lost,
          an_unmount_by_somebody_else_ends_serving, freeing_leaves_another_mount_of_the_place_alone,
          freeing_closes_nothing_twice, a_mount_without_a_server_is_never_left_behind)
