/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * state.c: the folders of instances and mounts, and the sweep after killed owners.
 *
 * Two kinds of locks, both flock() and so gone with their process: the house lock is held for a
 * moment by whoever makes, removes or sweeps a folder; a folder's own lock for the owner's life.
 * Under the house lock a folder without a locked `lock` has no owner, there is no third case.
 */
#include "record.h"

#include <romsim/cleanup.h>
#include <romsim/descriptors.h>
#include <romsim/digest.h>
#include <romsim/lock.h>
#include <romsim/mounts.h>
#include <romsim/paths.h>
#include <romsim/process.h>
#include <romsim/state.h>
#include <romsim/text.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>

/* How long the sweep waits for a process that it killed: it may be in a system call. */
enum { KILL_TIMEOUT_MS = 5000 };

static const char *const kind_folders[] = {
    [ROMSIM_STATE_INSTANCE] = "instances",
    [ROMSIM_STATE_MOUNT] = "mounts",
};

/* For the clean-up: the house lock, and what a removal of a small tree takes. */
enum { SPARES = 5 };

/* How long a sweep waits for the house: whoever holds it cleans up at this moment, or is stopped.
 */
enum { SWEEP_WAIT_MS = 1000 };

struct romsim_state {
    char *directory;
    int lock;
    struct state_record record;
    struct romsim_spares spares;
};

static void state_release(struct romsim_state *state)
{
    if (!state)
        return;
    romsim_spares_release(&state->spares);
    if (state->lock >= 0)
        close(state->lock);
    state_record_clear(&state->record);
    free(state->directory);
    free(state);
}

DEFINE_CLEANUP(struct romsim_state, state_release)

/* Opens and locks `directory`/lock.  Returns the descriptor, or -1; EBUSY when somebody else has
 * held it for that long. */
static int open_lock(const char *directory, int timeout_ms, struct romsim_error *err)
{
    CLEANUP_FREE char *path = romsim_path_join(directory, "lock");
    CLEANUP_FD int fd = path ? open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_CREAT, 0600) : -1;

    if (!path)
        return romsim_error_nomem(err);
    if (fd < 0)
        return romsim_error_system(err, errno, "cannot open '%s'", QUOTE(path));
    if (romsim_lock_take(fd, LOCK_EX, timeout_ms, path, err) < 0)
        return -1;
    return steal_fd(&fd);
}

static int lock_house(int timeout_ms, struct romsim_error *err)
{
    CLEANUP_FREE char *house = romsim_path_state("", err);

    return house ? open_lock(house, timeout_ms, err) : -1;
}

static bool is_file_name(const char *name)
{
    size_t size = strlen(name);

    return size > 0 && size <= NAME_MAX && !strchr(name, '/') && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

static int state_save(const struct romsim_state *state, struct romsim_error *err)
{
    return state_record_save(&state->record, state->directory, err);
}

/* Calls `visit` with each folder of a kind. */
static void each_folder(enum romsim_state_kind kind,
                        void (*visit)(void *context, const char *directory), void *context)
{
    CLEANUP_FREE char *folder = romsim_path_state(kind_folders[kind], NULL);
    DIR *entries = folder ? opendir(folder) : NULL;
    const struct dirent *entry;

    if (!entries)
        return;
    while ((entry = readdir(entries))) {
        CLEANUP_FREE char *directory = NULL;

        if (!is_file_name(entry->d_name))
            continue;
        directory = romsim_path_join(folder, entry->d_name);
        if (directory)
            visit(context, directory);
    }
    closedir(entries);
}

/* ---- numbers ------------------------------------------------------------------------------ */

enum { NUMBERS_MAX = 65000 };

/* Which numbers are given out. */
struct numbers {
    bool taken[NUMBERS_MAX];
};

static void number_visit(void *context, const char *directory)
{
    CLEANUP(state_record_clear) struct state_record record = {0};
    struct numbers *numbers = context;

    if (state_record_load(&record, directory, NULL) == 0 && record.number < NUMBERS_MAX)
        numbers->taken[record.number] = true;
}

/* The lowest number that no folder of the kind has; 0 if there is none.  Under the house lock. */
static unsigned free_number(enum romsim_state_kind kind)
{
    CLEANUP_FREE struct numbers *numbers = calloc(1, sizeof(*numbers));
    unsigned number = 1;

    if (!numbers)
        return 0;
    each_folder(kind, number_visit, numbers);
    while (number < NUMBERS_MAX && numbers->taken[number])
        number++;
    return number < NUMBERS_MAX ? number : 0;
}

/* ---- a folder of one's own ---------------------------------------------------------------- */

struct romsim_state *romsim_state_new(enum romsim_state_kind kind, const char *name,
                                      struct romsim_error *err)
{
    CLEANUP(cleanup_state_release) struct romsim_state *state = calloc(1, sizeof(*state));
    CLEANUP_FREE char *sub = NULL;
    CLEANUP_FD int house = -1;
    struct romsim_error error;

    if (!is_file_name(name)) {
        romsim_error_set(err, EINVAL, "'%s' cannot be the name of a folder", QUOTE(name));
        return NULL;
    }
    if (!state || !(sub = romsim_path_join(kind_folders[kind], name))) {
        romsim_error_nomem(err);
        return NULL;
    }
    state->lock = -1;
    if (!state_record_set_owner(&state->record, getpid())) {
        romsim_error_system(err, errno, "cannot read /proc/self/stat");
        return NULL;
    }
    if (romsim_spares_hold(&state->spares, SPARES, "a folder of what runs", err) < 0 ||
        (house = lock_house(ROMSIM_LOCK_TIMEOUT_MS, err)) < 0 ||
        !(state->directory = romsim_path_state(sub, err)))
        return NULL;
    if ((state->lock = open_lock(state->directory, 0, &error)) < 0) {
        if (error.errnum == EBUSY) {
            romsim_error_set(err, EEXIST, "there is %s '%s' already",
                             kind == ROMSIM_STATE_INSTANCE ? "an instance" : "a mount",
                             QUOTE(name));
            if (err)
                err->cloud = ROMSIM_CLOUD_ALREADY_EXISTS;
            return NULL;
        }
        rmdir(state->directory); /* unless there is something in it */
        if (err)
            *err = error;
        return NULL;
    }
    state->record.number = free_number(kind);
    if (state_save(state, err) == 0)
        return STEAL_POINTER(&state);
    romsim_spares_release(&state->spares);
    romsim_path_remove_tree(state->directory, NULL);
    return NULL;
}

const char *romsim_state_directory(const struct romsim_state *state)
{
    return state->directory;
}

unsigned romsim_state_number(const struct romsim_state *state)
{
    return state->record.number;
}

int romsim_state_set_mount(struct romsim_state *state, const char *mount_point,
                           struct romsim_error *err)
{
    /* As mountinfo will have it, or it would never be found again. */
    char *point = mount_point ? romsim_mount_point(mount_point, err) : NULL;

    if (mount_point && !point)
        return -1;
    free(state->record.mount_point);
    state->record.mount_point = point;
    return state_save(state, err);
}

int romsim_state_add_process(struct romsim_state *state, pid_t pid, struct romsim_error *err)
{
    if (!state_record_add_process(&state->record, pid))
        return romsim_error_system(err, errno, "cannot record process %d", (int)pid);
    return state_save(state, err);
}

int romsim_state_drop_process(struct romsim_state *state, pid_t pid, struct romsim_error *err)
{
    state_record_drop_process(&state->record, pid);
    return state_save(state, err);
}

int romsim_state_set_summary(struct romsim_state *state, json_t *summary, struct romsim_error *err)
{
    json_decref(state->record.summary);
    state->record.summary = summary;
    return summary ? state_save(state, err) : romsim_error_nomem(err);
}

int romsim_state_adopt(struct romsim_state *state, struct romsim_error *err)
{
    if (!state_record_set_owner(&state->record, getpid()))
        return romsim_error_system(err, errno, "cannot read /proc/self/stat");
    return state_save(state, err);
}

/* Unmounts what the recorded mount point still has of a server that is gone.  Returns true if
 * nothing is left; somebody else's mount is none of ours. */
static bool clear_mount(const struct state_record *record)
{
    int kind = record->mount_point ? romsim_mount_find(record->mount_point, NULL, NULL)
                                   : ROMSIM_MOUNT_NONE;

    if (kind < 0)
        return false;
    return kind != ROMSIM_MOUNT_OURS || !romsim_mount_is_dead(record->mount_point) ||
           romsim_mount_detach(record->mount_point, NULL, NULL) == 0;
}

void romsim_state_free(struct romsim_state *state)
{
    CLEANUP_FD int house = -1;

    if (!state)
        return;
    romsim_spares_release(&state->spares);
    house = lock_house(ROMSIM_LOCK_TIMEOUT_MS, NULL);
    /* A record outlives its mount: what cannot be cleaned up now is for the next sweep. */
    if (clear_mount(&state->record))
        romsim_path_remove_tree(state->directory, NULL);
    state_release(state);
}

void romsim_state_forget(struct romsim_state *state)
{
    state_release(state);
}

/* Kills a recorded process and waits until it is gone.  The pidfd is taken before the start time is
 * compared, so the signal cannot hit another process that got the same pid in between. */
static void kill_process(const struct state_process *process)
{
    CLEANUP_FD int pidfd = pidfd_open(process->pid, 0);
    struct pollfd gone = {.fd = pidfd, .events = POLLIN};

    if (pidfd < 0 || !romsim_process_is(process->pid, process->start))
        return;
    if (pidfd_send_signal(pidfd, SIGKILL, NULL, 0) < 0)
        return;
    while (poll(&gone, 1, KILL_TIMEOUT_MS) < 0 && errno == EINTR)
        ;
}

/* Removes one folder if its owner is gone.  The caller has the house lock.  Returns true if the
 * folder is gone. */
static bool sweep_folder(const char *directory)
{
    CLEANUP(state_record_clear) struct state_record record = {0};
    CLEANUP_FD int lock = open_lock(directory, 0, NULL);

    if (lock < 0)
        return false;
    /* A record that cannot be read is of an owner that was killed before it wrote one. */
    if (state_record_load(&record, directory, NULL) == 0) {
        for (size_t i = 0; i < record.processes.count; i++)
            kill_process(&record.processes.items[i]);
        if (!clear_mount(&record))
            return false;
    }
    romsim_mount_clear_below(directory); /* whatever the record says */
    return romsim_path_remove_tree(directory, NULL) == 0;
}

static void sweep_visit(void *removed, const char *directory)
{
    *(size_t *)removed += sweep_folder(directory);
}

size_t romsim_state_sweep(void)
{
    CLEANUP_FD int house = lock_house(SWEEP_WAIT_MS, NULL);
    size_t removed = 0;

    if (house < 0)
        return 0;
    each_folder(ROMSIM_STATE_INSTANCE, sweep_visit, &removed);
    each_folder(ROMSIM_STATE_MOUNT, sweep_visit, &removed);
    return removed;
}

/* What romsim_state_each() hands on. */
struct listing {
    romsim_state_visitor *visit;
    void *context;
};

static void listing_visit(void *context, const char *directory)
{
    CLEANUP(state_record_clear) struct state_record record = {0};
    const struct listing *listing = context;

    if (state_record_load(&record, directory, NULL) == 0 && record.owner.pid > 0 &&
        romsim_process_is(record.owner.pid, record.owner.start))
        listing->visit(listing->context, &(struct romsim_state_entry){
                                             .name = strrchr(directory, '/') + 1,
                                             .directory = directory,
                                             .number = record.number,
                                             .owner = record.owner.pid,
                                             .mount_point = record.mount_point,
                                             .summary = record.summary,
                                         });
}

void romsim_state_each(enum romsim_state_kind kind, romsim_state_visitor *visit, void *context)
{
    struct listing listing = {visit, context};

    each_folder(kind, listing_visit, &listing);
}

/* The search for the newest owner of a mount point. */
struct search {
    const char *mount_point;
    struct state_process found; /* pid 0: nobody yet */
};

static void search_visit(void *context, const char *directory)
{
    CLEANUP(state_record_clear) struct state_record record = {0};
    struct search *search = context;

    if (state_record_load(&record, directory, NULL) == 0 && record.mount_point &&
        strcmp(record.mount_point, search->mount_point) == 0 &&
        record.owner.start >= search->found.start)
        search->found = record.owner;
}

int romsim_state_mount_server(const char *mount_point, pid_t *ret_pid)
{
    struct search search = {.mount_point = mount_point};
    CLEANUP_FD int pidfd = -1;

    each_folder(ROMSIM_STATE_MOUNT, search_visit, &search);
    if (search.found.pid <= 0)
        return -1;
    pidfd = pidfd_open(search.found.pid, 0);
    if (pidfd < 0 || !romsim_process_is(search.found.pid, search.found.start))
        return -1;
    if (ret_pid)
        *ret_pid = search.found.pid;
    return steal_fd(&pidfd);
}

void romsim_state_mount_id(const char *directory, char ret[ROMSIM_MOUNT_ID_SIZE])
{
    uint8_t digest[ROMSIM_SHA256_SIZE] = {0};
    CLEANUP_FREE char *subject = NULL;

    if (asprintf(&subject, "%d:%s", (int)getpid(), directory) < 0)
        subject = NULL;
    if (subject)
        romsim_sha256(subject, strlen(subject), digest);
    romsim_text_hex(digest, (ROMSIM_MOUNT_ID_SIZE - 1) / 2, ret);
}
