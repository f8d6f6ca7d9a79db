/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mounts.c: finding romsim's own mounts in /proc/self/mountinfo, and unmounting them.
 *
 * A line of mountinfo (proc(5)) is
 *     ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [TAG...] - TYPE SOURCE SUPER-OPTIONS
 * with space, tab, newline and backslash in a field as \ooo.
 */
#include <romsim/cleanup.h>
#include <romsim/lock.h>
#include <romsim/mounts.h>
#include <romsim/paths.h>
#include <romsim/program.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* ---- asking a mount --------------------------------------------------------------------- */

/* Asks what may not answer, in a process of its own: whoever waits for a file system cannot be
 * woken.  Returns the errno of the question, 0, or ETIMEDOUT. */
static int ask(int (*question)(const char *path), const char *path)
{
    CLEANUP_FD int pidfd = -1;
    struct pollfd ended = {.events = POLLIN};
    int status, ready;
    pid_t pid = fork();

    if (pid == 0)
        _exit(question(path) & 0xff); /* Linux has no errno beyond that */
    pidfd = pid > 0 ? pidfd_open(pid, 0) : -1;
    if (pidfd < 0) {
        if (pid > 0) {
            kill(pid, SIGKILL);
            waitpid(pid, NULL, 0);
        }
        return question(path);
    }
    ended.fd = pidfd;
    do
        ready = poll(&ended, 1, ROMSIM_LOCK_TIMEOUT_MS);
    while (ready < 0 && errno == EINTR);
    if (ready <= 0) {
        kill(pid, SIGKILL); /* which it may not obey before it has its answer */
        waitpid(pid, NULL, WNOHANG);
        return ETIMEDOUT;
    }
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}

/* statfs() is never answered from the kernel's cache. */
static int ask_file_system(const char *path)
{
    struct statfs ignored;

    return statfs(path, &ignored) < 0 ? errno : 0;
}

bool romsim_mount_is_dead(const char *point)
{
    int error = ask(ask_file_system, point);

    /* ECONNABORTED: the connection ended while the question was on its way. */
    return error == ENOTCONN || error == ECONNABORTED;
}

/* `path` as the kernel walks it, without a look at the disk: no links are followed, no dots. */
static char *absolute_path(const char *path)
{
    CLEANUP_FREE char *here = path[0] == '/' ? NULL : getcwd(NULL, 0);

    return path[0] == '/' ? strdup(path) : here ? romsim_path_join(here, path) : NULL;
}

/* Says which mount does not answer: the longest point that the path begins with. */
static int tell_silent_mount(const char *directory, char **ret_point, struct romsim_error *err)
{
    CLEANUP_FILE FILE *mountinfo = fopen("/proc/self/mountinfo", "re");
    CLEANUP_FREE char *line = NULL, *point = NULL, *path = absolute_path(directory);
    char type[64] = "";
    size_t capacity = 0;
    struct mount_line mount;

    while (mountinfo && path && getline(&line, &capacity, mountinfo) >= 0) {
        if (!parse_line(line, &mount) || !romsim_path_is_within(path, mount.point) ||
            (point && strlen(mount.point) < strlen(point)))
            continue;
        free(point);
        point = strdup(mount.point);
        snprintf(type, sizeof(type), "%s", mount.type);
    }
    if (!point)
        return romsim_error_set(err, ETIMEDOUT, "'%s' does not answer", QUOTE(directory));
    romsim_error_set(err, ETIMEDOUT, "the mount at '%s' (%s) does not answer", QUOTE(point),
                     QUOTE(type));
    *ret_point = STEAL_POINTER(&point);
    return -1;
}

int romsim_mount_await(const char *directory, char **ret_point, struct romsim_error *err)
{
    *ret_point = NULL;
    return ask(ask_file_system, directory) == ETIMEDOUT
               ? tell_silent_mount(directory, ret_point, err)
               : 0;
}

/* ---- names ------------------------------------------------------------------------------ */

/* The path if it is the point of a mount, found without touching that: its server may be gone, or
 * not answer. */
static char *point_of_mount(const char *directory)
{
    CLEANUP_FREE char *copy = strdup(directory), *last = strdup(directory), *parent = NULL,
                      *path = NULL;
    const char *name = last ? basename(last) : "";

    if (!copy || name[0] == '/' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
        !(parent = realpath(dirname(copy), NULL)) || !(path = romsim_path_join(parent, name)))
        return NULL;
    return romsim_mount_find(path, NULL, NULL) > ROMSIM_MOUNT_NONE ? STEAL_POINTER(&path) : NULL;
}

char *romsim_mount_point(const char *directory, struct romsim_error *err)
{
    char *path = point_of_mount(directory);

    if (!path && !(path = realpath(directory, NULL)))
        romsim_error_system(err, errno, "'%s'", QUOTE(directory));
    return path;
}

/* ---- unmounting ------------------------------------------------------------------------- */

/* Runs `fusermount3 -u [-z] -- POINT`, which says nothing with -q.  True if it unmounted. */
static bool run_fusermount(const char *point, bool lazily)
{
    const char *argv[] = {"fusermount3", "-q", lazily ? "-uz" : "-u", "--", point, NULL};
    const struct romsim_program program = {.argv = argv};
    int status;

    return romsim_program_run(&program, &status, NULL) == 0 && status == 0;
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

void romsim_mount_clear_below(const char *folder)
{
    CLEANUP_FREE char *path = realpath(folder, NULL), *line = NULL;
    CLEANUP_FILE FILE *mountinfo = path ? fopen("/proc/self/mountinfo", "re") : NULL;
    size_t capacity = 0;
    struct mount_line mount;

    while (mountinfo && getline(&line, &capacity, mountinfo) >= 0)
        if (parse_line(line, &mount) && strcmp(mount.type, ROMSIM_MOUNT_TYPE) == 0 &&
            romsim_path_is_within(mount.point, path) && romsim_mount_is_dead(mount.point))
            romsim_mount_detach(mount.point, NULL, NULL);
}
