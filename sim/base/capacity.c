/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capacity.c: see capacity.h.
 *
 * A process is in one group of version 2, and with version 1 in one for each controller.  A group
 * in a container is often told by its path outside of it, which is not there: then the limits that
 * can be seen are those of the folders above.  What a group has in its file cache is given back
 * when it is needed, as MemAvailable has it for the machine.
 */
#include <romsim/capacity.h>
#include <romsim/checked.h>
#include <romsim/cleanup.h>
#include <romsim/text.h>

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

/* The files of a controller in a group's folder. */
struct controller {
    const char *folder; /* below /sys/fs/cgroup */
    const char *name;   /* in /proc/self/cgroup; "" is version 2 */
    const char *most, *now;
    const char *cached[2]; /* lines of its memory.stat; or NULL */
};

static const struct controller memory_controllers[] = {
    {"", "", "memory.max", "memory.current", {"active_file ", "inactive_file "}},
    {"unified/", "", "memory.max", "memory.current", {"active_file ", "inactive_file "}},
    {"memory/",
     "memory",
     "memory.limit_in_bytes",
     "memory.usage_in_bytes",
     {"total_active_file ", "total_inactive_file "}},
};

static const struct controller task_controllers[] = {
    {"", "", "pids.max", "pids.current", {NULL}},
    {"unified/", "", "pids.max", "pids.current", {NULL}},
    {"pids/", "pids", "pids.max", "pids.current", {NULL}},
};

enum { CONTROLLERS = 3 };

static FILE *open_file(const char *path)
{
    const char *root = getenv("ROMSIM_CAPACITY_ROOT");
    char full[2 * PATH_MAX];

    snprintf(full, sizeof(full), "%s%s", root ? root : "", path);
    return fopen(full, "re");
}

/* ---- the machine ------------------------------------------------------------------------ */

/* The value of a line "KEY: N kB" of /proc/meminfo, in bytes. */
static void read_line(const char *line, const char *key, uint64_t *value)
{
    unsigned long long kilobytes;
    size_t size = strlen(key);

    if (strncmp(line, key, size) == 0 && sscanf(line + size, " %llu", &kilobytes) == 1)
        *value = kilobytes < UINT64_MAX >> 10 ? kilobytes << 10 : ROMSIM_CAPACITY_ANY;
}

static void look_at_machine(struct romsim_capacity *capacity)
{
    CLEANUP_FILE FILE *file = open_file("/proc/meminfo");
    char line[256];

    while (file && fgets(line, sizeof(line), file)) {
        read_line(line, "MemTotal:", &capacity->memory_total);
        read_line(line, "MemAvailable:", &capacity->memory_free);
    }
}

/* ---- control groups --------------------------------------------------------------------- */

/* Where is this process, by the controller?  A line is "N:CONTROLLER,...:PATH". */
static bool find_group(const char *controller, char ret[PATH_MAX])
{
    CLEANUP_FILE FILE *file = open_file("/proc/self/cgroup");
    char line[PATH_MAX + 256];

    while (file && fgets(line, sizeof(line), file)) {
        char *names = strchr(line, ':'), *path = names ? strchr(names + 1, ':') : NULL;
        bool is_it = false;

        if (!path)
            continue;
        *path++ = '\0';
        path[strcspn(path, "\n")] = '\0';
        for (char *rest = names + 1, *name = strsep(&rest, ","); name; name = strsep(&rest, ","))
            is_it |= strcmp(name, controller) == 0;
        if (is_it && strlen(path) < PATH_MAX && !strstr(path, "/../")) {
            memcpy(ret, path, strlen(path) + 1);
            return true;
        }
    }
    return false;
}

static FILE *open_group_file(const struct controller *controller, const char *group,
                             const char *name)
{
    char path[2 * PATH_MAX];

    snprintf(path, sizeof(path), "/sys/fs/cgroup/%s%s/%s", controller->folder, group, name);
    return open_file(path);
}

/* A number; "max", what is larger than anything, and what cannot be read are none. */
static bool read_number(const struct controller *controller, const char *group, const char *name,
                        uint64_t *ret)
{
    CLEANUP_FILE FILE *file = open_group_file(controller, group, name);
    unsigned long long number;

    if (!file || fscanf(file, "%llu", &number) != 1 || number >= LLONG_MAX >> 12 << 12)
        return false;
    *ret = number;
    return true;
}

static uint64_t cached(const struct controller *controller, const char *group)
{
    CLEANUP_FILE FILE *file =
        controller->cached[0] ? open_group_file(controller, group, "memory.stat") : NULL;
    uint64_t sum = 0;
    char line[256];

    while (file && fgets(line, sizeof(line), file))
        for (int i = 0; i < 2; i++)
            if (strncmp(line, controller->cached[i], strlen(controller->cached[i])) == 0)
                sum += strtoull(line + strlen(controller->cached[i]), NULL, 10);
    return sum;
}

/* What the limits of a group and of those above it leave, if that is less than *least. */
static void look_at_groups(const struct controller *controller, uint64_t *least, char limit[192])
{
    char group[PATH_MAX];

    if (!find_group(controller->name, group))
        return;
    for (;;) {
        char *slash = strrchr(group, '/');
        uint64_t most, now, left;

        if (read_number(controller, group, controller->most, &most) &&
            read_number(controller, group, controller->now, &now)) {
            now -= min_u64(now, cached(controller, group));
            left = most > now ? most - now : 0;
            if (left < *least) {
                *least = left;
                snprintf(limit, 192, "%s", QUOTE(*group ? group : "/"));
            }
        }
        if (!slash || !*group)
            return;
        *slash = '\0';
    }
}

void romsim_capacity_look(struct romsim_capacity *ret)
{
    *ret = (struct romsim_capacity){.memory_total = ROMSIM_CAPACITY_ANY,
                                    .memory_free = ROMSIM_CAPACITY_ANY,
                                    .tasks_free = ROMSIM_CAPACITY_ANY};
    look_at_machine(ret);
    for (int i = 0; i < CONTROLLERS; i++) {
        look_at_groups(&memory_controllers[i], &ret->memory_free, ret->memory_limit);
        look_at_groups(&task_controllers[i], &ret->tasks_free, ret->tasks_limit);
    }
}

void romsim_capacity_of_folder(const char *path, uint64_t *ret_bytes, uint64_t *ret_files)
{
    struct statvfs st;

    *ret_bytes = *ret_files = ROMSIM_CAPACITY_ANY;
    if (statvfs(path, &st) < 0)
        return;
    if (st.f_blocks > 0)
        *ret_bytes = (uint64_t)st.f_bavail * st.f_frsize;
    if (st.f_files > 0)
        *ret_files = st.f_favail;
}
