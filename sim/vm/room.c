/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * room.c: is there room on this machine for instances that are about to start?
 *
 * A VM that does not get its memory is killed by the kernel, or takes another one with it: who
 * comes last is better told.  Instances that run count with what they have taken, since that is
 * gone from what the kernel calls available; those that have just been started with what they will
 * have taken when their app runs.  All of them are seen by their QEMU's name in /proc, other users'
 * too.
 */
#include <romsim/needs.h>

#include <romsim/buffer.h>
#include <romsim/checked.h>
#include <romsim/cleanup.h>
#include <romsim/paths.h>
#include <romsim/process.h>
#include <romsim/state.h>
#include <romsim/text.h>
#include <romsim/vector.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
    TASKS = 24,          /* processes and threads of an instance, and some to spare */
    TASKS_PLENTY = 2048, /* a limit of a user that needs not be counted up to */
    STARTING_S = 20,     /* a VM so young may not have taken yet what it will */
    NAMED_MOST = 6,      /* instances in a message */
    FOLDER_FILES = 32,   /* of an instance, in the folder of the state */
    FOLDER_BYTES = 1 << 20
};

/* With more room than this beside what is wanted nobody looks who takes the rest. */
#define PLENTY (UINT64_C(1) << 30)

/* A VM that runs. */
struct seen {
    pid_t pid, parent;
    uid_t user;
    uint64_t bytes; /* of memory that is its own */
};

DEFINE_VECTOR(seen_list, struct seen)

struct room {
    struct romsim_capacity capacity;
    struct seen_list seen;
    uint64_t starting;   /* bytes that young VMs have not taken yet */
    uint64_t user_tasks; /* of this user */
};

/* ---- what is there ---------------------------------------------------------------------- */

static uint64_t kilobytes(const char *line)
{
    return strtoull(line + strcspn(line, "0123456789"), NULL, 10) << 10;
}

/* Reads /proc/PID/status.  Returns whether it is a VM of romsim's. */
static bool read_status(pid_t pid, struct seen *ret, unsigned *ret_tasks)
{
    char path[64], line[256];
    bool is_vm = false;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    CLEANUP_FILE FILE *file = fopen(path, "re");
    *ret = (struct seen){.pid = pid, .user = (uid_t)-1};
    *ret_tasks = 0;
    while (file && fgets(line, sizeof(line), file)) {
        if (strcmp(line, "Name:\tromsim-qemu\n") == 0)
            is_vm = true;
        else if (strncmp(line, "PPid:", 5) == 0)
            ret->parent = (pid_t)strtol(line + 5, NULL, 10);
        else if (strncmp(line, "Uid:", 4) == 0)
            ret->user = (uid_t)strtoul(line + 4, NULL, 10);
        else if (strncmp(line, "RssAnon:", 8) == 0 || strncmp(line, "RssShmem:", 9) == 0)
            ret->bytes += kilobytes(line);
        else if (strncmp(line, "Threads:", 8) == 0)
            *ret_tasks = (unsigned)strtoul(line + 8, NULL, 10);
    }
    return is_vm;
}

static bool is_young(pid_t pid)
{
    struct romsim_process process;
    struct timespec now;

    if (!romsim_process_look(pid, &process) || clock_gettime(CLOCK_BOOTTIME, &now) < 0)
        return false;
    return process.start / (uint64_t)sysconf(_SC_CLK_TCK) + STARTING_S > (uint64_t)now.tv_sec;
}

/* `start`: what a VM will have taken.  What has no memory is not counted. */
static void look_around(struct room *room, uint64_t start)
{
    DIR *directory = opendir("/proc");
    const struct dirent *entry;

    while (directory && (entry = readdir(directory))) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        struct seen seen;
        unsigned tasks;
        bool is_vm;

        if (pid <= 0)
            continue;
        is_vm = read_status(pid, &seen, &tasks);
        if (seen.user == getuid())
            room->user_tasks += tasks;
        if (!is_vm || seen_list_append(&room->seen, seen) < 0)
            continue;
        if (seen.bytes < start && is_young(pid))
            room->starting += start - seen.bytes;
    }
    if (directory)
        closedir(directory);
}

/* ---- who takes it ----------------------------------------------------------------------- */

struct listing {
    struct room *room;
    struct romsim_buffer *text;
    unsigned count;
    uint64_t bytes; /* of all */
};

static void visit_instance(void *context, const struct romsim_state_entry *entry)
{
    struct listing *listing = context;

    for (size_t i = 0; i < listing->room->seen.count; i++) {
        struct seen *seen = &listing->room->seen.items[i];

        if (seen->parent != entry->owner)
            continue;
        if (listing->count++ < NAMED_MOST)
            romsim_buffer_printf(listing->text, "%s'%s' %s", listing->count > 1 ? ", " : "",
                                 QUOTE(entry->name), SIZE_TEXT(seen->bytes));
        listing->bytes += seen->bytes;
        seen->bytes = 0; /* what is left is not ours */
    }
}

static void hint_takers(struct room *room, struct romsim_error *err)
{
    CLEANUP_BUFFER struct romsim_buffer names = ROMSIM_BUFFER_INIT(sizeof(err->hint));
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(sizeof(err->hint));
    struct listing listing = {.room = room, .text = &names};
    uint64_t others = 0;

    romsim_state_each(ROMSIM_STATE_INSTANCE, visit_instance, &listing);
    for (size_t i = 0; i < room->seen.count; i++)
        others += room->seen.items[i].bytes;
    if (listing.count)
        romsim_buffer_printf(&text, "your instances take %s: %s%s; 'romsim stop NAME' ends one. ",
                             SIZE_TEXT(listing.bytes), names.data ?: "",
                             listing.count > NAMED_MOST ? " and others" : "");
    if (others)
        romsim_buffer_printf(&text, "%s%s. ",
                             listing.count ? "Those of others take " : "instances of others take ",
                             SIZE_TEXT(others));
    romsim_buffer_printf(&text, "%s", text.size ? "Or g" : "g");
    romsim_buffer_printf(&text, "ive it less memory, or let it be started all the same with "
                                "--bound overcommit=BYTES");
    romsim_error_hint(err, "%s", text.data ?: "");
}

/* ---- the verdict ------------------------------------------------------------------------ */

static int refuse(struct romsim_error *err)
{
    if (err) {
        err->errnum = EAGAIN;
        err->cloud = ROMSIM_CLOUD_QUOTA;
    }
    return -1;
}

/* What is said of so many instances. */
static const char *who(const struct romsim_layout *const *layouts, size_t count, char ret[192])
{
    if (count == 1)
        snprintf(ret, 192, "the instance '%s'", QUOTE(layouts[0]->name));
    else
        snprintf(ret, 192, "%zu instances", count);
    return ret;
}

static int refuse_memory(struct room *room, const struct romsim_layout *const *layouts,
                         size_t count, uint64_t wanted, struct romsim_error *err)
{
    const char *limit = room->capacity.memory_limit;
    char name[192];

    romsim_error_set(
        err, EAGAIN, "this machine is full: %s may take %s of memory, and %s is free%s%s%s%s%s%s",
        who(layouts, count, name), SIZE_TEXT(wanted), SIZE_TEXT(room->capacity.memory_free),
        *limit ? " by the limit of the control group '" : "", limit, *limit ? "'" : "",
        room->starting ? ", of which those that are starting want " : "",
        room->starting ? SIZE_TEXT(room->starting) : "", room->starting ? " more" : "");
    if (err)
        hint_takers(room, err);
    return refuse(err);
}

static int check_memory(struct room *room, const struct romsim_layout *const *layouts, size_t count,
                        const struct romsim_needs *needs, uint64_t overcommit,
                        struct romsim_error *err)
{
    uint64_t wanted = 0, growth = 0, is_free = room->capacity.memory_free, largest = 0;

    for (size_t i = 0; i < count; i++) {
        wanted += romsim_needs_start(&needs[i]);
        growth = max_u64(growth, needs[i].guest - needs[i].guest_start);
        largest = max_u64(largest, romsim_needs_start(&needs[i]));
    }
    wanted += growth;
    if (is_free == ROMSIM_CAPACITY_ANY || is_free > UINT64_MAX - overcommit)
        return 0;
    if (is_free < wanted + PLENTY) {
        look_around(room, largest);
        is_free -= min_u64(is_free, room->starting);
    }
    if (is_free + overcommit >= wanted)
        return 0;
    return refuse_memory(room, layouts, count, wanted, err);
}

/* A user may have so many processes, but for root; a control group, too. */
static int check_tasks(struct room *room, const struct romsim_layout *const *layouts, size_t count,
                       struct romsim_error *err)
{
    uint64_t wanted = (uint64_t)TASKS * count;
    struct rlimit limit;
    char name[192];

    if (room->capacity.tasks_free < wanted) {
        romsim_error_set(err, EAGAIN,
                         "%s cannot start: the control group '%s' may have %llu more processes, of "
                         "%llu that are needed",
                         who(layouts, count, name), room->capacity.tasks_limit,
                         (unsigned long long)room->capacity.tasks_free, (unsigned long long)wanted);
        romsim_error_hint(err, "end something in it, or raise its limit (pids.max)");
        return refuse(err);
    }
    if (getuid() == 0 || getrlimit(RLIMIT_NPROC, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY ||
        limit.rlim_cur > TASKS_PLENTY + wanted)
        return 0;
    if (!room->user_tasks)
        look_around(room, 0);
    if (room->user_tasks + wanted <= limit.rlim_cur)
        return 0;
    romsim_error_set(err, EAGAIN,
                     "%s cannot start: this user has %llu processes and threads of at most %llu, "
                     "and %llu more are needed",
                     who(layouts, count, name), (unsigned long long)room->user_tasks,
                     (unsigned long long)limit.rlim_cur, (unsigned long long)wanted);
    romsim_error_hint(err, "end some, or raise the limit (ulimit -u)");
    return refuse(err);
}

static int check_folder(const struct romsim_layout *const *layouts, size_t count,
                        struct romsim_error *err)
{
    CLEANUP_FREE char *folder = romsim_path_state("", err);
    uint64_t bytes, files;
    char name[192];

    if (!folder)
        return -1;
    romsim_capacity_of_folder(folder, &bytes, &files);
    if (bytes >= FOLDER_BYTES && files >= FOLDER_FILES * count)
        return 0;
    romsim_error_set(err, EAGAIN, "%s cannot start: '%s' has %s and %llu files left",
                     who(layouts, count, name), QUOTE(folder), SIZE_TEXT(bytes),
                     (unsigned long long)files);
    romsim_error_hint(err, "make room there, or set XDG_RUNTIME_DIR to another folder of yours");
    return refuse(err);
}

int romsim_room_check(const struct romsim_layout *const *layouts, size_t count,
                      enum romsim_accel accel, bool no_fuse, uint64_t overcommit,
                      struct romsim_error *err)
{
    CLEANUP_FREE struct romsim_needs *needs = calloc(count + 1, sizeof(*needs));
    struct room room = {.user_tasks = 0};
    int status;

    if (!needs)
        return romsim_error_nomem(err);
    if (count == 0)
        return 0;
    for (size_t i = 0; i < count; i++)
        romsim_needs_of(layouts[i], accel, no_fuse, &needs[i]);
    romsim_capacity_look(&room.capacity);
    status = check_memory(&room, layouts, count, needs, overcommit, err);
    if (status == 0)
        status = check_tasks(&room, layouts, count, err);
    if (status == 0)
        status = check_folder(layouts, count, err);
    seen_list_reset(&room.seen);
    return status;
}
