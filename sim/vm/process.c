/* SPDX-License-Identifier: BSD-3-Clause */
/* process.c: a child process that dies with the thread that started it. */
#include "process.h"

#include <romsim/cleanup.h>
#include <romsim/program.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

enum { LAST_WORDS_MS = 1000 };

int process_start(const char *const *argv, const int *inherited, struct process *ret,
                  struct romsim_error *err)
{
    CLEANUP_FD int reader = -1, writer = -1;
    int ends[2];
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return romsim_error_system(err, errno, "cannot run %s", argv[0]);
    reader = ends[0];
    writer = ends[1];
    const struct romsim_program program = {
        .argv = argv, .inherited = inherited, .errors = writer, .end_signal = SIGKILL};
    if (romsim_program_start(&program, &pid, err) < 0)
        return -1;
    *ret = (struct process){pid, pidfd_open(pid, 0), steal_fd(&reader)};
    return 0;
}

int process_wait(struct process *process, int timeout_ms, int *ret_status)
{
    struct pollfd end = {.fd = process->pidfd, .events = POLLIN};
    int ready;

    if (process->pid <= 0)
        return 0;
    do
        ready = poll(&end, 1, timeout_ms);
    while (ready < 0 && errno == EINTR);
    if (ready <= 0 || waitpid(process->pid, ret_status, 0) < 0)
        return 0;
    process->pid = 0;
    return 1;
}

void process_last_words(struct process *process, struct tail *ret)
{
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(64 << 10);
    int status;

    if (process_wait(process, LAST_WORDS_MS, &status))
        romsim_buffer_read_fd(&text, process->errors);
    tail_add(ret, text.data ? text.data : "", text.size);
}

void process_end(struct process *process)
{
    int status;

    if (process->pid > 0) {
        kill(process->pid, SIGKILL);
        process_wait(process, -1, &status);
    }
    cleanup_close_fd(&process->pidfd);
    cleanup_close_fd(&process->errors);
    *process = PROCESS_NONE;
}
