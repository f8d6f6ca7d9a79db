/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * process.c: what the kernel tells of a process.
 *
 * /proc/PID/stat is "PID (NAME) STATE ...", 52 fields (proc(5)); the name may hold anything, blanks
 * and parentheses too, but no other field has a parenthesis.
 */
#include <romsim/buffer.h>
#include <romsim/cleanup.h>
#include <romsim/process.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { STAT_MAX = 4096 };

/* Takes the line apart. */
static bool parse(const char *line, struct romsim_process *ret)
{
    const char *name = strchr(line, '('), *end = strrchr(line, ')');
    unsigned long long user, kernel, start;

    if (!name || !end || end <= name ||
        sscanf(end + 1,
               " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d %llu",
               &ret->state, &user, &kernel, &start) != 4)
        return false;
    romsim_text_quote(name + 1, (size_t)(end - name - 1), ret->name, sizeof(ret->name));
    ret->start = start;
    ret->cpu_ticks = user + kernel;
    return true;
}

bool romsim_process_look(pid_t pid, struct romsim_process *ret)
{
    CLEANUP_BUFFER struct romsim_buffer line = ROMSIM_BUFFER_INIT(STAT_MAX);
    struct romsim_process process = {0};
    CLEANUP_FD int fd = -1;
    struct stat stat;
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &stat) < 0 || romsim_buffer_read_fd(&line, fd) < 0)
        return false;
    if (!line.data || !parse(line.data, &process)) {
        errno = EPROTO;
        return false;
    }
    process.user = stat.st_uid;
    *ret = process;
    return true;
}

bool romsim_process_is(pid_t pid, uint64_t start)
{
    struct romsim_process process;

    return romsim_process_look(pid, &process) && process.start == start;
}

bool romsim_process_is_stopped(pid_t pid)
{
    struct romsim_process process;

    return romsim_process_look(pid, &process) && process.state == 'T';
}
