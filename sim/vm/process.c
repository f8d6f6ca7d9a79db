/* SPDX-License-Identifier: BSD-3-Clause */
/* process.c: a child process that dies with the thread that started it. */
#include "process.h"

#include <romsim/cleanup.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LAST_WORDS_MS = 1000 };

/* The child's side; `report` is a pipe that a successful exec closes. */
static _Noreturn void become(const char *const *argv, const int *inherited, int errors, int report,
                             pid_t parent)
{
    int null = open("/dev/null", O_RDWR), problem;
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    if (null >= 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent &&
        dup2(null, 0) == 0 && dup2(null, 1) == 1 && dup2(errors, 2) == 2) {
        for (; *inherited >= 0; inherited++)
            fcntl(*inherited, F_SETFD, 0);
        execvp(argv[0], (char *const *)argv);
    }
    problem = errno;
    if (write(report, &problem, sizeof(problem)) < 0)
        _exit(126);
    _exit(127);
}

/* Reads what the child could not do: 0, or an errno. */
static int read_report(int fd)
{
    int problem = 0;
    ssize_t size;

    do
        size = read(fd, &problem, sizeof(problem));
    while (size < 0 && errno == EINTR);
    return size == sizeof(problem) ? problem : 0;
}

int process_start(const char *const *argv, const int *inherited, struct process *ret,
                  struct romsim_error *err)
{
    int errors[2] = {-1, -1}, report[2] = {-1, -1}, problem;
    pid_t parent = getpid(), pid = -1;

    if (pipe2(errors, O_CLOEXEC) == 0 && pipe2(report, O_CLOEXEC) == 0)
        pid = fork();
    if (pid == 0)
        become(argv, inherited, errors[1], report[1], parent);
    problem = pid < 0 ? errno : 0;
    cleanup_close_fd(&errors[1]);
    cleanup_close_fd(&report[1]);
    if (!problem)
        problem = read_report(report[0]);
    cleanup_close_fd(&report[0]);
    if (!problem) {
        *ret = (struct process){pid, pidfd_open(pid, 0), errors[0]};
        return 0;
    }
    cleanup_close_fd(&errors[0]);
    if (pid > 0)
        waitpid(pid, NULL, 0);
    return romsim_error_system(err, problem, "cannot run %s", argv[0]);
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
