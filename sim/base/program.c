/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * program.c: other programs, found, started, and run to their end.
 *
 * All of romsim that runs another program does it here.  Who forks to go on as romsim does not:
 * daemon.h makes keepers, makers and the servers of mounts, and mounts.c has a process ask what may
 * never answer.
 */
#include <romsim/cleanup.h>
#include <romsim/program.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- finding it ------------------------------------------------------------------------- */

static bool is_program(const char *path)
{
    struct stat stat;

    return access(path, X_OK) == 0 && fstatat(AT_FDCWD, path, &stat, 0) == 0 &&
           S_ISREG(stat.st_mode);
}

char *romsim_program_find(const char *name)
{
    static const char administrators[] = "/usr/sbin:/sbin";
    const char *path = getenv("PATH");
    CLEANUP_FREE char *folders = NULL;
    char *rest, *folder;

    if (strchr(name, '/'))
        return strdup(name);
    if (asprintf(&folders, "%s:%s", path ? path : "/usr/bin:/bin", administrators) < 0)
        return NULL;
    for (rest = folders; (folder = strsep(&rest, ":"));) {
        CLEANUP_FREE char *file = NULL;

        if (asprintf(&file, "%s/%s", *folder ? folder : ".", name) < 0)
            return NULL;
        if (is_program(file))
            return STEAL_POINTER(&file);
    }
    errno = ENOENT;
    return NULL;
}

/* ---- starting it ------------------------------------------------------------------------ */

/* The environment with one more setting, in the place of one of its name; the caller frees the list
 * (the strings stay where they are). */
static char **environment_with(const char *setting)
{
    size_t name = setting ? strcspn(setting, "=") + 1 : 0, count = 0;
    char **copy;

    while (environ[count])
        count++;
    copy = calloc(count + 2, sizeof(*copy));
    if (!copy)
        return NULL;
    count = 0;
    for (char **each = environ; *each; each++)
        if (!setting || strncmp(*each, setting, name) != 0)
            copy[count++] = *each;
    copy[count] = (char *)setting;
    return copy;
}

/* What was ignored stays so, but for SIGPIPE, which only romsim does without. */
static void forget_signals(void)
{
    struct sigaction action;
    sigset_t none;

    signal(SIGPIPE, SIG_DFL);
    for (int number = 1; number < NSIG; number++)
        if (sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_IGN &&
            action.sa_handler != SIG_DFL)
            signal(number, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The child has `fd` as `number`, and keeps it. */
static bool give(int fd, int number)
{
    return fd == number ? fcntl(fd, F_SETFD, 0) == 0 : dup2(fd, number) == number;
}

/* The child's side, where another thread may have held any lock when it was forked: nothing is
 * allocated here.  Returns what failed in errno. */
static void become(const struct romsim_program *program, const char *path, char **environment,
                   pid_t parent)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null < 0)
        return;
    forget_signals();
    if (program->end_signal && prctl(PR_SET_PDEATHSIG, program->end_signal) < 0)
        return;
    if (program->end_signal && getppid() != parent)
        _exit(127); /* it has ended already, and nobody reads on */
    if (!give(program->input > 0 ? program->input : null, STDIN_FILENO) ||
        !give(program->output > 0 ? program->output : null, STDOUT_FILENO) ||
        !give(program->errors > 0 ? program->errors : null, STDERR_FILENO))
        return;
    for (const int *fd = program->inherited; fd && *fd >= 0; fd++)
        if (!give(*fd, *fd))
            return;
    execve(path, (char *const *)program->argv, environment);
}

static int child_of(const struct romsim_program *program, const char *path, char **environment,
                    int report)
{
    sigset_t all, before;
    pid_t parent = getpid(), pid;

    /* No signal finds this process's handlers in the other. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid = fork();
    if (pid == 0) {
        int problem;

        become(program, path, environment, parent);
        problem = errno;
        _exit(write(report, &problem, sizeof(problem)) < 0 ? 126 : 127);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return pid;
}

/* Returns 0 or an errno. */
static int start(const struct romsim_program *program, pid_t *ret)
{
    CLEANUP_FREE char *path = romsim_program_find(program->file ? program->file : program->argv[0]);
    CLEANUP_FREE char **environment = path ? environment_with(program->setting) : NULL;
    CLEANUP_FD int reader = -1, writer = -1;
    int report[2], problem = 0;
    pid_t pid;

    /* A successful exec closes the pipe. */
    if (!environment || pipe2(report, O_CLOEXEC) < 0)
        return errno;
    reader = report[0];
    writer = report[1];
    pid = child_of(program, path, environment, writer);
    if (pid < 0)
        return errno;
    close(steal_fd(&writer));
    if (TEMP_FAILURE_RETRY(read(reader, &problem, sizeof(problem))) == sizeof(problem)) {
        TEMP_FAILURE_RETRY(waitpid(pid, NULL, 0));
        return problem;
    }
    *ret = pid;
    return 0;
}

int romsim_program_start(const struct romsim_program *program, pid_t *ret, struct romsim_error *err)
{
    int errnum = start(program, ret);

    return errnum ? romsim_error_system(err, errnum, "cannot run %s", program->argv[0]) : 0;
}

/* ---- to its end ------------------------------------------------------------------------- */

/* A pipe to what a stream is collected in; without a buffer both ends are -1. */
struct reading {
    struct romsim_buffer *buffer;
    int reader, writer;
};

static int open_reading(struct reading *reading, struct romsim_buffer *buffer)
{
    int ends[2];

    *reading = (struct reading){buffer, -1, -1};
    if (!buffer)
        return 0;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    reading->reader = ends[0];
    reading->writer = ends[1];
    return 0;
}

static void close_end(int *fd)
{
    cleanup_close_fd(fd);
    *fd = -1;
}

static void close_reading(struct reading *reading)
{
    close_end(&reading->reader);
    close_end(&reading->writer);
}

/* Takes what there is; the pipe is closed at its end, and when there is no room for more. */
static void read_some(struct reading *reading)
{
    char bytes[16384];
    ssize_t size = read(reading->reader, bytes, sizeof(bytes));

    if (size < 0 && errno == EINTR)
        return;
    if (size <= 0 || romsim_buffer_append(reading->buffer, bytes, (size_t)size) < 0)
        close_end(&reading->reader);
}

static void read_all(struct reading readings[2])
{
    while (readings[0].reader >= 0 || readings[1].reader >= 0) {
        struct pollfd polls[] = {{readings[0].reader, POLLIN, 0}, {readings[1].reader, POLLIN, 0}};

        if (poll(polls, 2, -1) < 0 && errno != EINTR)
            return;
        for (int i = 0; i < 2; i++)
            if (polls[i].revents)
                read_some(&readings[i]);
    }
}

int romsim_program_run(const struct romsim_program *program, int *ret_status,
                       struct romsim_error *err)
{
    struct reading readings[2] = {{NULL, -1, -1}, {NULL, -1, -1}};
    struct romsim_program copy = *program;
    int errnum, status;
    pid_t pid = -1;

    if (open_reading(&readings[0], program->printed) < 0 ||
        open_reading(&readings[1], program->complaints) < 0) {
        errnum = errno;
    } else {
        if (program->printed)
            copy.output = readings[0].writer;
        if (program->complaints)
            copy.errors = readings[1].writer;
        errnum = start(&copy, &pid);
    }
    close_end(&readings[0].writer);
    close_end(&readings[1].writer);
    if (errnum == 0 && program->started)
        program->started(program->context, pid);
    if (errnum == 0)
        read_all(readings);
    close_reading(&readings[0]);
    close_reading(&readings[1]);
    if (errnum != 0)
        return romsim_error_system(err, errnum, "cannot run %s", program->argv[0]);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return romsim_error_system(err, errno, "cannot wait for %s", program->argv[0]);
    *ret_status = status;
    return 0;
}
