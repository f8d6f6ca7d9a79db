/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hold.c: the app held where it is, while its VM is saved.
 *
 * A VM that is saved goes on as itself and as its clones, which have to be given time, randomness,
 * names and ROMs before their app runs on.  So that it cannot do so before, all processes but init
 * are frozen first, by the kernel's control groups: none of them notices, as they would notice
 * SIGSTOP.  The hierarchy is mounted where nobody sees it; those in its root are moved into a group
 * of ours, the others' groups are frozen as they are.
 */
#include "guest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define GROUP "romsim.hold"

enum { GROUPS_MAX = 64, PASSES_MAX = 200, LOOKS = 200, LOOK_US = 500, PIDS_SIZE = 64 << 10 };

/* linux/mount.h, which the C library here does not have. */
enum { CONFIG_CREATE = 6 };

static int hierarchy = -1; /* a mount without a place */
static bool is_held;

/* 0, or -1 with errno. */
static int open_hierarchy(void)
{
    int context;

    if (hierarchy >= 0)
        return 0;
    context = (int)syscall(SYS_fsopen, "cgroup2", 1); /* close on exec */
    if (context < 0)
        return -1;
    if (syscall(SYS_fsconfig, context, CONFIG_CREATE, NULL, NULL, 0) == 0)
        hierarchy = (int)syscall(SYS_fsmount, context, 1, 0);
    close(context);
    return hierarchy < 0 ? -1 : 0;
}

static int write_file(const char *path, const char *text)
{
    int fd = openat(hierarchy, path, O_WRONLY | O_CLOEXEC);
    ssize_t done = fd < 0 ? -1 : write(fd, text, strlen(text));

    if (fd >= 0)
        close(fd);
    return done < 0 ? -1 : 0;
}

/* A malloc'ed text, or NULL. */
static char *read_file(const char *path)
{
    int fd = openat(hierarchy, path, O_RDONLY | O_CLOEXEC);
    char *text = fd < 0 ? NULL : malloc(PIDS_SIZE);
    size_t size = 0;
    ssize_t got = -1;

    while (text && size < PIDS_SIZE - 1 && (got = read(fd, text + size, PIDS_SIZE - 1 - size)) > 0)
        size += (size_t)got;
    if (text)
        text[size] = '\0';
    if (fd >= 0)
        close(fd);
    return text;
}

/* Moves all that can be moved.  Returns how many: what they started meanwhile is still there. */
static size_t move_processes(const char *from, const char *to)
{
    char *pids = read_file(from), *rest = NULL;
    size_t count = 0;

    for (char *pid = pids ? strtok_r(pids, "\n", &rest) : NULL; pid;
         pid = strtok_r(NULL, "\n", &rest)) {
        long number = manifest_number(pid, INT32_MAX);

        /* The kernel's own threads have no process group. */
        if (number > 0 && number != getpid() && getpgid((pid_t)number) > 0)
            count += write_file(to, pid) == 0;
    }
    free(pids);
    return count;
}

static void move_all(const char *from, const char *to)
{
    for (int i = 0; i < PASSES_MAX && move_processes(from, to) > 0; i++)
        ;
}

/* The groups of others that were frozen here: one that was frozen before stays so. */
static char frozen[GROUPS_MAX][64];
static size_t frozen_count;

static void set_frozen(const char *group, const char *state)
{
    char path[300];

    snprintf(path, sizeof(path), "%s/cgroup.freeze", group);
    write_file(path, state);
}

static bool is_frozen(const char *group)
{
    char path[300], *state;
    bool is;

    snprintf(path, sizeof(path), "%s/cgroup.freeze", group);
    state = read_file(path);
    is = state && *state == '1';
    free(state);
    return is;
}

static void freeze_groups(void)
{
    int fd = openat(hierarchy, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *groups = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    while (groups && frozen_count < GROUPS_MAX && (entry = readdir(groups)))
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.' &&
            strlen(entry->d_name) < sizeof(frozen[0]) && !is_frozen(entry->d_name)) {
            memcpy(frozen[frozen_count], entry->d_name, strlen(entry->d_name) + 1);
            set_frozen(frozen[frozen_count++], "1");
        }
    if (groups)
        closedir(groups);
    else if (fd >= 0)
        close(fd);
}

static void thaw_groups(void)
{
    while (frozen_count > 0)
        set_frozen(frozen[--frozen_count], "0");
}

/* One that waits in the kernel for good is frozen before it comes back: it is not waited for. */
static void await_frozen(void)
{
    for (int i = 0; i < LOOKS; i++) {
        char *events = read_file(GROUP "/cgroup.events");
        bool are = !events || strstr(events, "frozen 1");

        free(events);
        if (are)
            return;
        usleep(LOOK_US);
    }
}

void hold_app(void)
{
    if (open_hierarchy() < 0 || (mkdirat(hierarchy, GROUP, 0755) < 0 && errno != EEXIST)) {
        control_send("unheld this kernel has no control groups: %s", strerror(errno));
        return;
    }
    is_held = true;
    freeze_groups();
    move_all("cgroup.procs", GROUP "/cgroup.procs");
    await_frozen();
    console_drain();
    control_send("held");
}

void hold_release(void)
{
    if (!is_held)
        return;
    is_held = false;
    move_all(GROUP "/cgroup.procs", "cgroup.procs");
    thaw_groups();
    unlinkat(hierarchy, GROUP, AT_REMOVEDIR);
}
