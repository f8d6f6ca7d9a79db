/* SPDX-License-Identifier: BSD-3-Clause */
/* state.c: the folders of running instances and mounts, and the sweep after killed owners. */
#include "harness.h"

#include "sim/state/record.h"

#include <romsim/cleanup.h>
#include <romsim/mounts.h>
#include <romsim/paths.h>
#include <romsim/state.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* Each test has a process and a runtime folder of its own. */
static char runtime[] = "/tmp/romsim-unit-state.XXXXXX";

static void set_up(void)
{
    ck_assert_ptr_nonnull(mkdtemp(runtime));
    ck_assert_int_eq(setenv("XDG_RUNTIME_DIR", runtime, 1), 0);
}

static void tear_down(void)
{
    ck_assert_int_eq(romsim_path_remove_tree(runtime, NULL), 0);
}

static bool exists(const char *path)
{
    struct stat ignored;

    return lstat(path, &ignored) == 0;
}

/* Waits for a byte from the other end: how the children here say that they are ready. */
static void await(int fd)
{
    char byte;

    ck_assert_int_eq(read(fd, &byte, 1), 1);
}

/* A child that makes a state folder, records `victim` (if > 0), says so, and hangs until killed. */
static pid_t start_owner(const char *name, pid_t victim)
{
    int ready[2];
    pid_t pid;

    ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        struct romsim_state *state = romsim_state_new(ROMSIM_STATE_INSTANCE, name, NULL);

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (!state || (victim > 0 && romsim_state_add_process(state, victim, NULL) < 0))
            _exit(1);
        if (write(ready[1], "r", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    await(ready[0]);
    close(ready[0]);
    return pid;
}

static pid_t start_sleeper(void)
{
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    return pid;
}

static void kill_and_reap(pid_t pid)
{
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

START_TEST(a_new_folder_is_private_and_goes_with_its_state)
{
    CLEANUP_FREE char *directory = NULL;
    struct romsim_state *state;
    struct stat status;

    set_up();
    state = romsim_state_new(ROMSIM_STATE_INSTANCE, "web", NULL);
    ck_assert_ptr_nonnull(state);
    directory = strdup(romsim_state_directory(state));
    ck_assert_int_eq(stat(directory, &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0700);
    romsim_state_free(state);
    ck_assert(!exists(directory));
    romsim_state_free(NULL);
    tear_down();
}
END_TEST

START_TEST(a_name_in_use_is_refused_and_free_again_afterwards)
{
    struct romsim_error err = {0};
    struct romsim_state *first, *second;

    set_up();
    first = romsim_state_new(ROMSIM_STATE_INSTANCE, "web", NULL);
    second = romsim_state_new(ROMSIM_STATE_INSTANCE, "web", &err);
    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_null(second);
    ck_assert_int_eq(err.errnum, EEXIST);
    ck_assert_str_eq(err.message, "there is an instance 'web' already");
    second = romsim_state_new(ROMSIM_STATE_MOUNT, "web", &err);
    ck_assert_msg(second != NULL, "the kinds have names of their own");
    romsim_state_free(second);
    romsim_state_free(first);
    first = romsim_state_new(ROMSIM_STATE_INSTANCE, "web", NULL);
    ck_assert_ptr_nonnull(first);
    romsim_state_free(first);
    tear_down();
}
END_TEST

START_TEST(names_that_are_no_file_names_are_refused)
{
    static const char *const names[] = {"", ".", "..", "a/b", "/", "../x"};
    struct romsim_error err;
    char long_name[300];

    set_up();
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        ck_assert_ptr_null(romsim_state_new(ROMSIM_STATE_INSTANCE, names[i], &err));
        ck_assert_int_eq(err.errnum, EINVAL);
    }
    memset(long_name, 'x', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    ck_assert_ptr_null(romsim_state_new(ROMSIM_STATE_INSTANCE, long_name, &err));
    ck_assert_int_eq(err.errnum, EINVAL);
    tear_down();
}
END_TEST

START_TEST(the_record_survives_saving_and_loading)
{
    static const char *const points[] = {"/plain",
                                         "/with \"quotes\" and \\ and /x",
                                         "/line\nbreak\ttab\x01\x7f",
                                         "/\xc3\xa9t\xc3\xa9",
                                         "/no utf-8 \xff\xfe",
                                         "/\\u0041"};

    set_up();
    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        struct state_record written = {.mount_point = strdup(points[i])};
        struct state_record read = {0};

        ck_assert(state_record_set_owner(&written, getpid()));
        ck_assert(state_record_add_process(&written, getpid()));
        ck_assert(state_record_add_process(&written, getppid()));
        ck_assert_int_eq(state_record_save(&written, runtime, NULL), 0);
        ck_assert_int_eq(state_record_load(&read, runtime, NULL), 0);
        ck_assert_str_eq(read.mount_point, points[i]);
        ck_assert_int_eq(read.owner.pid, getpid());
        ck_assert_uint_eq(read.owner.start, written.owner.start);
        ck_assert_uint_eq(read.processes.count, 2);
        ck_assert_int_eq(read.processes.items[1].pid, getppid());
        ck_assert_uint_eq(read.processes.items[1].start, written.processes.items[1].start);
        state_record_clear(&written);
        state_record_clear(&read);
    }
    tear_down();
}
END_TEST

START_TEST(a_record_is_read_as_far_as_it_makes_sense)
{
    static const struct {
        const char *text;
        int status;
    } cases[] = {
        {"", -1},
        {"{", -1},
        {"{\"mount_point\": \"\\u0000\"}", -1},
        {"[]", 0},
        {"{\"mount_point\": 7, \"owner\": {\"pid\": -3, \"start\": 1}}", 0},
        {"{\"mount_point_base64\": \"*\", \"processes\": [{\"pid\": 4294967297}, 1]}", 0},
        {"{\"number\": -1, \"processes\": {}}", 0},
    };

    set_up();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP_FREE char *path = romsim_path_join(runtime, "state.json");
        struct state_record record = {0};
        FILE *file = fopen(path, "we");

        ck_assert_ptr_nonnull(file);
        ck_assert_int_ge(fputs(cases[i].text, file), 0);
        ck_assert_int_eq(fclose(file), 0);
        ck_assert_int_eq(state_record_load(&record, runtime, NULL), cases[i].status);
        ck_assert_ptr_null(record.mount_point);
        ck_assert_int_eq(record.owner.pid, 0);
        ck_assert_uint_eq(record.number, 0);
        ck_assert_uint_eq(record.processes.count, 0);
        state_record_clear(&record);
    }
    tear_down();
}
END_TEST

static void count_entry(void *context, const struct romsim_state_entry *entry)
{
    ck_assert_int_eq(entry->owner, getpid());
    ck_assert_str_eq(json_string_value(json_object_get(entry->summary, "said by")), entry->name);
    ++*(size_t *)context;
}

START_TEST(numbers_are_given_out_once_and_again_when_they_are_free)
{
    static const char *const names[] = {"one", "two", "three"};
    struct romsim_state *states[3];
    size_t count = 0;

    set_up();
    for (size_t i = 0; i < 3; i++) {
        states[i] = romsim_state_new(ROMSIM_STATE_INSTANCE, names[i], NULL);
        ck_assert_ptr_nonnull(states[i]);
        ck_assert_uint_eq(romsim_state_number(states[i]), i + 1);
        ck_assert_int_eq(
            romsim_state_set_summary(states[i], json_pack("{s:s}", "said by", names[i]), NULL), 0);
    }
    romsim_state_each(ROMSIM_STATE_INSTANCE, count_entry, &count);
    ck_assert_uint_eq(count, 3);
    romsim_state_free(states[1]);
    states[1] = romsim_state_new(ROMSIM_STATE_INSTANCE, "four", NULL);
    ck_assert_uint_eq(romsim_state_number(states[1]), 2);
    for (size_t i = 0; i < 3; i++)
        romsim_state_free(states[i]);
    tear_down();
}
END_TEST

START_TEST(the_sweep_leaves_running_owners_alone)
{
    CLEANUP_FREE char *directory = NULL;
    pid_t owner;

    set_up();
    owner = start_owner("web", 0);
    directory = romsim_path_state("instances/web", NULL);
    ck_assert_uint_eq(romsim_state_sweep(), 0);
    ck_assert(exists(directory));
    kill_and_reap(owner);
    tear_down();
}
END_TEST

START_TEST(the_sweep_removes_the_folder_of_a_killed_owner)
{
    CLEANUP_FREE char *directory = NULL;
    pid_t owner;

    set_up();
    owner = start_owner("web", 0);
    directory = romsim_path_state("instances/web", NULL);
    kill_and_reap(owner);
    ck_assert(exists(directory));
    ck_assert_uint_eq(romsim_state_sweep(), 1);
    ck_assert(!exists(directory));
    ck_assert_uint_eq(romsim_state_sweep(), 0);
    tear_down();
}
END_TEST

START_TEST(the_sweep_kills_what_a_killed_owner_recorded)
{
    pid_t sleeper, owner;
    int status;

    set_up();
    sleeper = start_sleeper();
    owner = start_owner("web", sleeper);
    kill_and_reap(owner);
    ck_assert_uint_eq(romsim_state_sweep(), 1);
    ck_assert_int_eq(waitpid(sleeper, &status, WNOHANG), sleeper);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    tear_down();
}
END_TEST

START_TEST(the_sweep_spares_another_process_with_a_recorded_pid)
{
    struct state_record record = {0};
    CLEANUP_FREE char *directory = NULL;
    pid_t sleeper;

    set_up();
    sleeper = start_sleeper();
    directory = romsim_path_state("instances/web", NULL);
    ck_assert(state_record_set_owner(&record, getpid()));
    ck_assert(state_record_add_process(&record, sleeper));
    record.processes.items[0].start--;
    ck_assert_int_eq(state_record_save(&record, directory, NULL), 0);
    state_record_clear(&record);
    ck_assert_uint_eq(romsim_state_sweep(), 1);
    ck_assert_int_eq(waitpid(sleeper, NULL, WNOHANG), 0);
    kill_and_reap(sleeper);
    tear_down();
}
END_TEST

START_TEST(the_sweep_removes_folders_without_a_record)
{
    CLEANUP_FREE char *empty = NULL, *full = NULL;

    set_up();
    empty = romsim_path_state("mounts/0123456789abcdef", NULL);
    full = romsim_path_state("instances/x/drives/below", NULL);
    ck_assert(empty && full);
    ck_assert_uint_eq(romsim_state_sweep(), 2);
    ck_assert(!exists(empty) && !exists(full));
    tear_down();
}
END_TEST

START_TEST(a_recorded_mount_point_that_is_not_ours_is_left_alone)
{
    struct state_record record = {0};
    CLEANUP_FREE char *directory = NULL;

    set_up();
    directory = romsim_path_state("mounts/0123456789abcdef", NULL);
    ck_assert(state_record_set_owner(&record, getpid()));
    record.mount_point = strdup("/proc");
    ck_assert_int_eq(state_record_save(&record, directory, NULL), 0);
    state_record_clear(&record);
    ck_assert_uint_eq(romsim_state_sweep(), 1);
    ck_assert_int_eq(romsim_mount_find("/proc", NULL, NULL), ROMSIM_MOUNT_FOREIGN);
    tear_down();
}
END_TEST

START_TEST(forgetting_in_the_parent_leaves_the_folder_to_the_child)
{
    CLEANUP_FREE char *directory = NULL;
    struct romsim_state *state;
    int go[2];
    pid_t child;

    set_up();
    state = romsim_state_new(ROMSIM_STATE_MOUNT, "m", NULL);
    ck_assert_ptr_nonnull(state);
    directory = strdup(romsim_state_directory(state));
    ck_assert_int_eq(pipe2(go, O_CLOEXEC), 0);
    child = fork();
    if (child == 0) {
        char byte;

        close(go[1]);
        if (romsim_state_adopt(state, NULL) < 0 || read(go[0], &byte, 1) != 0)
            _exit(1);
        romsim_state_free(state);
        _exit(0);
    }
    romsim_state_forget(state);
    ck_assert_uint_eq(romsim_state_sweep(), 0);
    ck_assert(exists(directory));
    close(go[1]);
    ck_assert_int_eq(waitpid(child, &go[1], 0), child);
    ck_assert_int_eq(go[1], 0);
    ck_assert(!exists(directory));
    tear_down();
}
END_TEST

START_TEST(mounts_are_found_and_foreign_ones_refused)
{
    CLEANUP_FREE char *point = NULL;
    struct romsim_error err;

    ck_assert_int_eq(romsim_mount_find("/proc", NULL, NULL), ROMSIM_MOUNT_FOREIGN);
    ck_assert_int_eq(romsim_mount_find("/proc/self", NULL, NULL), ROMSIM_MOUNT_NONE);
    ck_assert_int_eq(romsim_mount_detach("/proc", NULL, &err), -1);
    ck_assert_int_eq(err.errnum, EINVAL);
    ck_assert_str_eq(err.message, "'/proc' is not a romsim mount");
    ck_assert_int_eq(romsim_mount_detach("/proc/self", NULL, &err), -1);
    ck_assert_str_eq(err.message, "nothing is mounted at '/proc/self'");
    point = romsim_mount_point("/proc/../proc/", NULL);
    ck_assert_str_eq(point, "/proc");
    ck_assert_ptr_null(romsim_mount_point("/does/not/exist", &err));
    ck_assert_int_eq(err.errnum, ENOENT);
}
END_TEST

START_TEST(mount_ids_are_file_names_of_their_own)
{
    char first[ROMSIM_MOUNT_ID_SIZE], second[ROMSIM_MOUNT_ID_SIZE];

    romsim_state_mount_id("/a", first);
    romsim_state_mount_id("/b", second);
    ck_assert_uint_eq(strlen(first), ROMSIM_MOUNT_ID_SIZE - 1);
    ck_assert_uint_eq(strspn(first, "0123456789abcdef"), ROMSIM_MOUNT_ID_SIZE - 1);
    ck_assert_str_ne(first, second);
}
END_TEST

UNIT_MAIN("state", a_new_folder_is_private_and_goes_with_its_state,
          a_name_in_use_is_refused_and_free_again_afterwards,
          names_that_are_no_file_names_are_refused, the_record_survives_saving_and_loading,
          a_record_is_read_as_far_as_it_makes_sense,
          numbers_are_given_out_once_and_again_when_they_are_free,
          the_sweep_leaves_running_owners_alone, the_sweep_removes_the_folder_of_a_killed_owner,
          the_sweep_kills_what_a_killed_owner_recorded,
          the_sweep_spares_another_process_with_a_recorded_pid,
          the_sweep_removes_folders_without_a_record,
          a_recorded_mount_point_that_is_not_ours_is_left_alone,
          forgetting_in_the_parent_leaves_the_folder_to_the_child,
          mounts_are_found_and_foreign_ones_refused, mount_ids_are_file_names_of_their_own)
