/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mounts.c: finding romsim's own mounts in /proc/self/mountinfo, and unmounting them.
 *
 * A line of mountinfo (proc(5)) is
 *     ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [TAG...] - TYPE SOURCE SUPER-OPTIONS
 * with space, tab, newline and backslash in a field as \ooo.
 */
#include <romsim/cleanup.h>
#include <romsim/mounts.h>
#include <romsim/paths.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <spawn.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/wait.h>

extern char **environ;

/* The fields in front of the tags, as far as they are of use here. */
enum { FIELD_DEVICE = 2, FIELD_POINT = 4, FIELDS };

struct mount_line {
    const char *point;
    const char *type;
    dev_t device;
};

/* Undoes mountinfo's \ooo in place. */
static void unescape_octal(char *text)
{
    char *out = text;

    while (*text) {
        if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] >= '0' &&
            text[2] <= '7' && text[3] >= '0' && text[3] <= '7') {
            *out++ = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 | (text[3] - '0'));
            text += 4;
        } else {
            *out++ = *text++;
        }
    }
    *out = '\0';
}

/* Takes a line of mountinfo apart.  False if it is not one. */
static bool parse_line(char *line, struct mount_line *ret)
{
    char *separator = strstr(line, " - ");
    char *fields[FIELDS];
    unsigned major, minor;
    char *rest = line;
    char *type;

    if (!separator)
        return false;
    *separator = '\0';
    type = separator + strlen(" - ");
    type[strcspn(type, " \n")] = '\0';
    for (int i = 0; i < FIELDS; i++)
        if (!(fields[i] = strsep(&rest, " ")))
            return false;
    if (sscanf(fields[FIELD_DEVICE], "%u:%u", &major, &minor) != 2)
        return false;
    unescape_octal(fields[FIELD_POINT]);
    *ret = (struct mount_line){fields[FIELD_POINT], type, makedev(major, minor)};
    return true;
}

int romsim_mount_find(const char *point, dev_t *ret_device, struct romsim_error *err)
{
    CLEANUP_FILE FILE *mountinfo = fopen("/proc/self/mountinfo", "re");
    CLEANUP_FREE char *line = NULL;
    int found = ROMSIM_MOUNT_NONE;
    size_t capacity = 0;
    struct mount_line mount;

    if (!mountinfo)
        return romsim_error_system(err, errno, "cannot read /proc/self/mountinfo");
    /* The last line of a point is the topmost mount there. */
    while (getline(&line, &capacity, mountinfo) >= 0) {
        if (!parse_line(line, &mount) || strcmp(mount.point, point) != 0)
            continue;
        found =
            strcmp(mount.type, ROMSIM_MOUNT_TYPE) == 0 ? ROMSIM_MOUNT_OURS : ROMSIM_MOUNT_FOREIGN;
        if (ret_device)
            *ret_device = mount.device;
    }
    return found;
}

bool romsim_mount_is_dead(const char *point)
{
    struct statfs ignored;

    /* statfs() is never answered from the kernel's cache.  ECONNABORTED: the connection ended while
     * the question was on its way. */
    return statfs(point, &ignored) < 0 && (errno == ENOTCONN || errno == ECONNABORTED);
}

char *romsim_mount_point(const char *directory, struct romsim_error *err)
{
    CLEANUP_FREE char *path = realpath(directory, NULL);
    CLEANUP_FREE char *copy = NULL, *parent = NULL, *name = NULL;

    if (path)
        return STEAL_POINTER(&path);
    if (errno != ENOTCONN && errno != ECONNABORTED && errno != EACCES && errno != EIO) {
        romsim_error_system(err, errno, "'%s'", QUOTE(directory));
        return NULL;
    }
    /* The mount does not answer, but the way to it does. */
    if (!(copy = strdup(directory)) || !(name = strdup(directory))) {
        romsim_error_nomem(err);
        return NULL;
    }
    if (!(parent = realpath(dirname(copy), NULL))) {
        romsim_error_system(err, errno, "'%s'", QUOTE(directory));
        return NULL;
    }
    if (!(path = romsim_path_join(parent, basename(name))))
        romsim_error_nomem(err);
    return STEAL_POINTER(&path);
}

/* Runs `fusermount3 -u [-z] -- POINT`, which says nothing with -q.  True if it unmounted. */
static bool run_fusermount(const char *point, bool lazily)
{
    const char *argv[] = {"fusermount3", "-q", lazily ? "-uz" : "-u", "--", point, NULL};
    posix_spawn_file_actions_t actions;
    int status = -1;
    pid_t pid;

    if (posix_spawn_file_actions_init(&actions) != 0)
        return false;
    if (posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0) != 0 ||
        posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)argv, environ) != 0)
        pid = -1;
    posix_spawn_file_actions_destroy(&actions);
    if (pid < 0)
        return false;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status == 0;
}

/* Returns 0, or an errno; EBUSY only when not `lazily`. */
static int unmount(const char *point, bool lazily)
{
    int error;

    if (umount2(point, UMOUNT_NOFOLLOW | (lazily ? MNT_DETACH : 0)) == 0)
        return 0;
    error = errno;
    if (error != EPERM)
        return error;
    if (run_fusermount(point, lazily))
        return 0;
    /* fusermount3 has one exit status for all that can go wrong. */
    return lazily ? EPERM : EBUSY;
}

int romsim_mount_detach(const char *point, bool *ret_was_busy, struct romsim_error *err)
{
    int kind = romsim_mount_find(point, NULL, err);
    bool busy = false;
    int error;

    if (kind < 0)
        return -1;
    if (kind == ROMSIM_MOUNT_NONE)
        return romsim_error_set(err, EINVAL, "nothing is mounted at '%s'", QUOTE(point));
    if (kind == ROMSIM_MOUNT_FOREIGN)
        return romsim_error_set(err, EINVAL, "'%s' is not a romsim mount", QUOTE(point));
    error = unmount(point, false);
    if (error == EBUSY) {
        busy = true;
        error = unmount(point, true);
    }
    if (error != 0)
        return romsim_error_system(err, error, "cannot unmount '%s'", QUOTE(point));
    if (ret_was_busy)
        *ret_was_busy = busy;
    return 0;
}
