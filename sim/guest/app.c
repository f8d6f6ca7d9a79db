/* SPDX-License-Identifier: BSD-3-Clause */
/* app.c: the app as a child of init, from its start to its exit status. */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* Ports are looked for often at first; who has not listened for long is looked at now and then. */
enum { PORT_INTERVAL_MS = 25, PORT_IMPATIENT = 800, PORT_PATIENT_INTERVAL_MS = 500 };
/* A look at a long table takes its time: the app gets so much more, up to the patient interval. */
enum { PORT_SPARE = 9 };
enum { REST_TIMEOUT_MS = 1000 };
enum { STATUS_NOT_EXECUTABLE = 126, STATUS_NOT_FOUND = 127 };

/* Tells init, through the pipe that a successful exec closes, what went wrong. */
static _Noreturn void give_up(int pipe_end, int error)
{
    if (write(pipe_end, &error, sizeof(error)) < 0)
        _exit(STATUS_NOT_FOUND);
    _exit(error == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE);
}

static _Noreturn void become_app(const struct manifest *manifest, int input, int terminal,
                                 int pipe_end)
{
    static const char *const nothing[] = {NULL};
    sigset_t none;

    setsid();
    if (manifest->terminal.rows && ioctl(terminal, TIOCSCTTY, 0) < 0)
        give_up(pipe_end, errno);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    if (dup2(input < 0 ? terminal : input, 0) < 0 || dup2(terminal, 1) < 0 || dup2(terminal, 2) < 0)
        give_up(pipe_end, errno);
    environ = (char **)(manifest->env.items ? manifest->env.items : (const char **)nothing);
    execvp(manifest->argv.items[0], (char *const *)manifest->argv.items);
    give_up(pipe_end, errno);
}

/* Starts the app and waits until it is executed.  Returns its pid; *ret_error is 0, or why it
 * could not be. */
static pid_t start(const struct manifest *manifest, int *ret_error)
{
    int terminal = console_terminal(manifest), input = input_make(manifest), ends[2];
    pid_t app;
    ssize_t size;

    if (pipe2(ends, O_CLOEXEC) < 0 || (app = fork()) < 0)
        fail(errno, "cannot start a process");
    if (app == 0)
        become_app(manifest, input, terminal, ends[1]);
    close(ends[1]);
    if (input >= 0)
        close(input);
    do
        size = read(ends[0], ret_error, sizeof(*ret_error));
    while (size < 0 && errno == EINTR);
    if (size <= 0)
        *ret_error = 0;
    close(ends[0]);
    return app;
}

/* When the ports are looked at. */
struct watch {
    bool over; /* all were found */
    unsigned looks;
    long long next;
};

/* Looks at the ports if it is time.  Returns how long to sleep at most; -1: for ever. */
static int watch_ports(struct watch *watch, struct manifest *manifest)
{
    long long before = now_ms(), after;
    long long pause = watch->looks < PORT_IMPATIENT ? PORT_INTERVAL_MS : PORT_PATIENT_INTERVAL_MS;

    if (watch->over)
        return -1;
    if (before < watch->next)
        return (int)(watch->next - before);
    watch->over = !ports_watch(manifest);
    watch->looks++;
    after = now_ms();
    if (pause < (after - before) * PORT_SPARE)
        pause = (after - before) * PORT_SPARE;
    if (pause > PORT_PATIENT_INTERVAL_MS)
        pause = PORT_PATIENT_INTERVAL_MS;
    watch->next = after + pause;
    return watch->over ? -1 : (int)pause;
}

/* Reaps whatever has ended.  True, with the app's status, if the app is among it. */
static bool reap(pid_t app, int *ret_status)
{
    bool ended = false;
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        shell_reaped(pid, status);
        if (pid == app) {
            *ret_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
            ended = true;
        }
    }
    return ended;
}

enum { POLLS = 8 };

static int supervise(struct manifest *manifest, pid_t app, int signals)
{
    struct pollfd polls[POLLS + SHELL_POLLS] = {{signals, POLLIN, 0},
                                                {control_fd(), POLLIN, 0},
                                                {libukp_fd(), POLLIN, 0},
                                                {0},
                                                {0},
                                                {0},
                                                {0},
                                                {opens_fd(), POLLIN, 0}};
    struct signalfd_siginfo info;
    struct watch watch = {0};
    int status = 0;

    for (;;) {
        int pause = console_watch(&polls[3], &polls[4]), look = watch_ports(&watch, manifest);

        input_watch(&polls[5], &polls[6]);
        shell_watch(&polls[POLLS]);
        if (pause < 0 || (look >= 0 && look < pause))
            pause = look;
        if (poll(polls, POLLS + SHELL_POLLS, pause) < 0 && errno != EINTR)
            fail(errno, "cannot wait for the app");
        if (polls[0].revents && read(signals, &info, sizeof(info)) > 0 && reap(app, &status))
            return status;
        if (polls[1].revents & POLLIN) {
            if (control_receive(app, manifest))
                watch = (struct watch){0};
        } else if (polls[1].revents)
            polls[1].fd = -1; /* the host closed the port; the app goes on until it ends the VM */
        if (polls[2].revents)
            libukp_receive();
        if (polls[3].revents || polls[4].revents)
            console_copy();
        if (polls[5].revents || polls[6].revents)
            input_copy();
        if (polls[7].revents)
            opens_report(manifest);
        polls[7].fd = opens_fd();
        if (polls[0].revents || polls[POLLS].revents || polls[POLLS + 1].revents ||
            polls[POLLS + 2].revents)
            shell_copy(manifest, app);
    }
}

/* What the app started and left behind ends with it, as processes do with their container.  One
 * that the kernel cannot end now, waiting for a disk, say, is not waited for. */
static void end_rest(int signals)
{
    long long deadline = now_ms() + REST_TIMEOUT_MS, left;

    libukp_close();
    kill(-1, SIGKILL);
    while ((left = deadline - now_ms()) > 0) {
        struct pollfd child = {signals, POLLIN, 0};
        struct signalfd_siginfo info;
        int ignored;
        pid_t pid;

        do
            pid = waitpid(-1, &ignored, WNOHANG);
        while (pid > 0);
        if (pid < 0)
            return;
        if (poll(&child, 1, (int)left) > 0 && read(signals, &info, sizeof(info)) < 0)
            return;
    }
}

/* "cannot run 'x': no such file": as a shell would say it, with a shell's status. */
static int report_not_run(const struct manifest *manifest, int error)
{
    const char *reason = strerror(error);
    const char *command = manifest->argv.items[0];

    if (error == ENOENT)
        reason = strchr(command, '/') ? "no such file in the root, or its interpreter is missing"
                                      : "no such command in PATH";
    control_send("error cannot run '%s': %s", command, reason);
    return error == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE;
}

/* An image may name a directory that it does not have: container runtimes make it, so images get
 * away with it. */
static void enter_directory(const char *path)
{
    if (chdir(path) == 0)
        return;
    if (errno != ENOENT)
        fail(errno, "cannot enter the working directory %s", path);
    if (make_directories(path) < 0 || chdir(path) < 0)
        fail(errno, "cannot make the working directory %s", path);
}

int app_run(struct manifest *manifest)
{
    sigset_t child;
    int signals, error, status;
    pid_t app;

    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    signals = signalfd(-1, &child, SFD_CLOEXEC);
    if (signals < 0)
        fail(errno, "cannot watch processes");
    enter_directory(manifest->working_dir ? manifest->working_dir : "/");
    libukp_mount();
    input_open(manifest);
    shell_open();
    /* For the shell-like search of execvp(); the app's own PATH, if it has one. */
    for (size_t i = 0; i < manifest->env.count; i++)
        if (strncmp(manifest->env.items[i], "PATH=", 5) == 0)
            setenv("PATH", manifest->env.items[i] + 5, 1);
    opens_begin(manifest);
    control_send("phase app");
    app = start(manifest, &error);
    if (error) {
        opens_report(manifest);
        return report_not_run(manifest, error);
    }
    status = supervise(manifest, app, signals);
    end_rest(signals);
    opens_report(manifest);
    return status;
}
