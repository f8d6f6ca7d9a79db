/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lock.c: flock() with a timeout.
 *
 * flock() has none, and a signal to end it would be the whole process's; so it is tried again and
 * again.  Who holds a lock stands in /proc/locks, a line each (proc(5)):
 *     ID: FLOCK ADVISORY WRITE PID MAJOR:MINOR:INODE START END
 */
#include <romsim/cleanup.h>
#include <romsim/lock.h>
#include <romsim/process.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

enum { RETRY_MS = 20, LINE_SIZE = 256 };

/* A process as a message tells of it. */
struct holder {
    pid_t pid;     /* 0: nobody knows */
    bool is_there; /* and may be looked at */
    struct romsim_process process;
    char name[LINE_SIZE]; /* "romsim image import"; may be empty */
};

/* The words behind a program's name that tell what it is at: "image import". */
static void add_words(struct holder *holder)
{
    char path[64], line[LINE_SIZE] = "";
    CLEANUP_FD int fd = -1;
    const char *word = line;
    ssize_t got;

    snprintf(path, sizeof(path), "/proc/%d/cmdline", holder->pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    got = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);
    for (int words = 0; words < 2 && got > 0; words++) {
        size_t used = strlen(holder->name);

        word += strlen(word) + 1;
        if (word >= line + got || !*word || word[strspn(word, "abcdefghijklmnopqrstuvwxyz")])
            return;
        snprintf(holder->name + used, sizeof(holder->name) - used, " %s", word);
    }
}

static bool is_stopped(const struct holder *holder)
{
    return holder->process.state == 'T';
}

static void look_at(pid_t pid, struct holder *ret)
{
    *ret = (struct holder){.pid = pid};
    ret->is_there = romsim_process_look(pid, &ret->process);
    if (!*ret->process.name)
        return;
    snprintf(ret->name, sizeof(ret->name), "%s", ret->process.name);
    add_words(ret);
}

/* Who holds a lock on the file; of several, one that is stopped.  Some file systems tell stat()
 * another device than the kernel's own: then the inode has to do. */
static void find_holder(int fd, struct holder *ret)
{
    CLEANUP_FILE FILE *locks = fopen("/proc/locks", "re");
    char line[LINE_SIZE];
    bool is_sure = false;
    struct stat file;

    *ret = (struct holder){0};
    if (!locks || fstat(fd, &file) < 0)
        return;
    while (fgets(line, sizeof(line), locks)) {
        unsigned device_major, device_minor;
        struct holder holder;
        uint64_t inode;
        bool is_same;
        int pid;

        if (sscanf(line, "%*s FLOCK %*s %*s %d %x:%x:%" SCNu64, &pid, &device_major, &device_minor,
                   &inode) != 4 ||
            inode != file.st_ino || pid <= 0)
            continue;
        is_same = makedev(device_major, device_minor) == file.st_dev;
        if (is_sure && !is_same)
            continue;
        look_at(pid, &holder);
        if (ret->pid == 0 || is_same > is_sure || (is_stopped(&holder) && !is_stopped(ret)))
            *ret = holder;
        is_sure = is_same;
    }
}

/* "process 12 (romsim image import, of user 1000), which is stopped"; less where less is known.  A
 * lock outlives who took it in a child that has inherited the file. */
static void describe(const struct holder *holder, char *ret, size_t size)
{
    const char *stopped = is_stopped(holder) ? ", which is stopped" : "";

    if (holder->pid <= 0)
        snprintf(ret, size, "another process");
    else if (!holder->is_there)
        snprintf(ret, size, "a child of process %d, which has ended", holder->pid);
    else if (!*holder->name)
        snprintf(ret, size, "process %d%s", holder->pid, stopped);
    else
        snprintf(ret, size, "process %d (%s, of user %u)%s", holder->pid, holder->name,
                 (unsigned)holder->process.user, stopped);
}

static int say_who(const struct holder *holder, const char *path, struct romsim_error *err)
{
    char text[2 * LINE_SIZE];

    describe(holder, text, sizeof(text));
    romsim_error_set(err, EBUSY, "'%s' is locked by %s", QUOTE(path), text);
    if (!is_stopped(holder))
        return -1;
    return romsim_error_hint(err, "to let it go on: kill -CONT %d", holder->pid);
}

int romsim_lock_take(int fd, int operation, int timeout_ms, const char *path,
                     struct romsim_error *err)
{
    struct holder holder;

    for (int waited = 0; flock(fd, operation | LOCK_NB) < 0; waited += RETRY_MS) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return romsim_error_system(err, errno, "cannot lock '%s'", QUOTE(path));
        if (waited >= timeout_ms || (waited > 0 && waited % ROMSIM_LOCK_TIMEOUT_MS == 0)) {
            find_holder(fd, &holder);
            if (waited >= timeout_ms || is_stopped(&holder))
                return say_who(&holder, path, err);
        }
        poll(NULL, 0, RETRY_MS);
    }
    return 0;
}
