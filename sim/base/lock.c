/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lock.c: flock() with a timeout.
 *
 * flock() has none, and a signal to end it would be the whole process's; so it is tried again and
 * again.  Who holds a lock stands in /proc/locks, a line each (proc(5)):
 *     ID: FLOCK ADVISORY WRITE PID MAJOR:MINOR:INODE START END
 */
#include <romsim/buffer.h>
#include <romsim/cleanup.h>
#include <romsim/lock.h>
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

/* The process that holds a lock on the file, or 0.  Some file systems tell stat() another device
 * than the kernel's own: then the inode has to do. */
static int find_holder(const struct stat *file)
{
    CLEANUP_FILE FILE *locks = fopen("/proc/locks", "re");
    char line[LINE_SIZE];
    int same_inode = 0;

    while (locks && fgets(line, sizeof(line), locks)) {
        unsigned device_major, device_minor;
        uint64_t inode;
        int pid;

        if (sscanf(line, "%*s FLOCK %*s %*s %d %x:%x:%" SCNu64, &pid, &device_major, &device_minor,
                   &inode) != 4 ||
            inode != file->st_ino || pid <= 0)
            continue;
        if (makedev(device_major, device_minor) == file->st_dev)
            return pid;
        same_inode = pid;
    }
    return same_inode;
}

/* "process 12 (name, of user 1000)"; less where less is known.  A lock outlives who took it in a
 * child that has inherited the file. */
static void describe(int pid, char *ret, size_t size)
{
    CLEANUP_BUFFER struct romsim_buffer name = ROMSIM_BUFFER_INIT(LINE_SIZE);
    CLEANUP_FD int fd = -1;
    char path[64];
    struct stat stat;

    snprintf(path, sizeof(path), "/proc/%d/comm", pid);
    fd = pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (pid <= 0)
        snprintf(ret, size, "another process");
    else if (fd < 0)
        snprintf(ret, size, "a child of process %d, which has ended", pid);
    else if (fstat(fd, &stat) < 0 || romsim_buffer_read_fd(&name, fd) < 0 || name.size < 2)
        snprintf(ret, size, "process %d", pid);
    else
        snprintf(ret, size, "process %d (%s, of user %u)", pid,
                 romsim_text_quote(name.data, name.size - 1, (char[LINE_SIZE]){0}, LINE_SIZE),
                 (unsigned)stat.st_uid);
}

int romsim_lock_take(int fd, int operation, int timeout_ms, const char *path,
                     struct romsim_error *err)
{
    char holder[2 * LINE_SIZE];
    struct stat stat;
    int waited = 0;

    while (flock(fd, operation | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return romsim_error_system(err, errno, "cannot lock '%s'", QUOTE(path));
        if (waited >= timeout_ms) {
            describe(fstat(fd, &stat) == 0 ? find_holder(&stat) : 0, holder, sizeof(holder));
            return romsim_error_set(err, EBUSY, "'%s' is locked by %s", QUOTE(path), holder);
        }
        poll(NULL, 0, RETRY_MS);
        waited += RETRY_MS;
    }
    return 0;
}
