/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shell.c: a root shell beside the app (run --shell).
 *
 * The initramfs has a static busybox then, which nobody sees once the root is another; it is
 * executed by a descriptor, and starts its own applets by /proc/self/exe, so that it needs nothing
 * of the app's image and leaves nothing in it.  The shell has a terminal of its own if who asks for
 * it sits at one, else two pipes.  All of it passes on one port, as the frames of manifest.h; a
 * shell that somebody asks for takes the place of the one before.
 */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define PROGRAM "/busybox"

enum { PATIENCE_MS = 20000, INTERVAL_MS = 2, REST_MS = 100, STATUS_NOT_EXECUTABLE = 126 };
enum { FRAME_MAX = MANIFEST_FRAME_HEAD + MANIFEST_FRAME_MAX, VARIABLE_MAX = 128 };

static int program = -1; /* busybox; -1: there is to be no shell */
static int port = -1;    /* to the host; does not block */

static pid_t shell;       /* 0: there is none */
static int keys = -1;     /* what it reads is written here; */
static int screen = -1;   /* and what it writes comes from here; neither blocks */
static bool has_terminal; /* the two are its terminal */
static bool has_ended;    /* the host has not been told yet */
static int status;

/* A frame of the host's, until it is whole and dealt with; of data, how much of it is. */
static unsigned char in[FRAME_MAX];
static size_t in_size, in_used;

/* A frame of ours, until the port has taken it. */
static unsigned char out[FRAME_MAX];
static size_t out_from, out_to;

void shell_prepare(void)
{
    program = open(PROGRAM, O_PATH | O_CLOEXEC);
}

void shell_open(void)
{
    struct pollfd state;

    if (program < 0)
        return;
    port = port_open(MANIFEST_SHELL_PORT, O_NONBLOCK);
    if (port < 0)
        fail(0, "the VM has no port for the shell");
    /* Until the host's side is known to be open, the port looks as if it had ended. */
    for (int tries = 0; tries < PATIENCE_MS / INTERVAL_MS; tries++) {
        state = (struct pollfd){port, POLLIN, 0};
        if (poll(&state, 1, 0) >= 0 && !(state.revents & POLLHUP))
            return;
        usleep(INTERVAL_MS * 1000);
    }
    fail(0, "the host does not open the shell's port");
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Begins a frame of ours, whose data are in their place. */
static void send_frame(unsigned char kind, size_t size)
{
    out[0] = kind;
    out[1] = (unsigned char)(size & 0xff);
    out[2] = (unsigned char)(size >> 8);
    out_from = 0;
    out_to = MANIFEST_FRAME_HEAD + size;
}

/* ---- the shell's process ------------------------------------------------------------------- */

static unsigned number_at(const unsigned char *bytes)
{
    return bytes[0] | (unsigned)bytes[1] << 8;
}

static void resize(const unsigned char *size)
{
    const struct winsize window = {.ws_row = (unsigned short)number_at(size),
                                   .ws_col = (unsigned short)number_at(size + 2)};

    if (has_terminal && keys >= 0)
        ioctl(keys, TIOCSWINSZ, &window);
}

/* The shell's own side of the two in `ends`.  0 or -1. */
static int make_terminal(const unsigned char *size, int ends[2])
{
    struct termios mode;
    const char *name;

    keys = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (keys < 0 || grantpt(keys) < 0 || unlockpt(keys) < 0 || !(name = ptsname(keys)) ||
        (screen = fcntl(keys, F_DUPFD_CLOEXEC, 0)) < 0 ||
        (ends[0] = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC)) < 0 ||
        (ends[1] = fcntl(ends[0], F_DUPFD_CLOEXEC, 0)) < 0)
        return -1;
    if (tcgetattr(ends[0], &mode) == 0) {
        mode.c_iflag |= IUTF8;
        tcsetattr(ends[0], TCSANOW, &mode);
    }
    resize(size);
    return 0;
}

static int make_pipes(int ends[2])
{
    int input[2], output[2];

    if (pipe2(input, O_CLOEXEC) < 0)
        return -1;
    ends[0] = input[0];
    keys = input[1];
    if (pipe2(output, O_CLOEXEC) < 0)
        return -1;
    ends[1] = output[1];
    screen = output[0];
    return fcntl(keys, F_SETFL, O_NONBLOCK) < 0 || fcntl(screen, F_SETFL, O_NONBLOCK) < 0 ? -1 : 0;
}

/* In place of the app's variable of that name, or if it has none of it. */
static void set_variable(const char *name, const char *value, bool replaces)
{
    if (replaces || !getenv(name))
        setenv(name, value, 1);
}

/* The app's variables, which are looked at for what they are to it, and a shell's own. */
static void make_environment(const struct manifest *manifest, pid_t app, const char *kind)
{
    char number[16];

    clearenv();
    for (size_t i = 0; i < manifest->env.count; i++)
        if (strchr(manifest->env.items[i], '='))
            putenv((char *)manifest->env.items[i]);
    snprintf(number, sizeof(number), "%d", (int)app);
    set_variable("ROMSIM_APP", number, true);
    set_variable("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", false);
    set_variable("HOME", "/", false);
    if (*kind)
        set_variable("TERM", kind, true);
}

static _Noreturn void become_shell(const struct manifest *manifest, pid_t app, const char *kind,
                                   const int ends[2])
{
    static char *const arguments[] = {"sh", NULL};
    sigset_t none;

    setsid();
    if (has_terminal && ioctl(ends[0], TIOCSCTTY, 0) < 0)
        _exit(STATUS_NOT_EXECUTABLE);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    make_environment(manifest, app, kind);
    if (dup2(ends[0], 0) < 0 || dup2(ends[1], 1) < 0 || dup2(ends[1], 2) < 0)
        _exit(STATUS_NOT_EXECUTABLE);
    syscall(SYS_execveat, program, "", arguments, environ, AT_EMPTY_PATH);
    dprintf(2, "cannot run the shell: %s\n", strerror(errno));
    _exit(STATUS_NOT_EXECUTABLE);
}

static void hang_up(void)
{
    if (shell && !has_ended)
        kill(-shell, SIGHUP);
    close_fd(&keys);
    close_fd(&screen);
    shell = 0;
}

/* The frame has the terminal's size, of no rows if there is none, and its kind. */
static void start(const struct manifest *manifest, pid_t app, const unsigned char *data,
                  size_t size)
{
    int ends[2] = {-1, -1};
    char kind[VARIABLE_MAX] = "";

    hang_up();
    has_ended = false;
    if (size < 4 || size - 4 >= sizeof(kind))
        return;
    memcpy(kind, data + 4, size - 4);
    has_terminal = number_at(data) != 0;
    shell = (has_terminal ? make_terminal(data, ends) : make_pipes(ends)) < 0 ? -1 : fork();
    if (shell == 0)
        become_shell(manifest, app, kind, ends);
    close_fd(&ends[0]);
    close_fd(&ends[1]);
    if (shell > 0)
        return;
    console_print("cannot start the shell: %s\n", strerror(errno));
    close_fd(&keys);
    close_fd(&screen);
    shell = 0;
    has_ended = true;
    status = STATUS_NOT_EXECUTABLE;
}

void shell_reaped(pid_t pid, int status_of_it)
{
    if (pid != shell || pid <= 0)
        return;
    has_ended = true;
    status = WIFSIGNALED(status_of_it) ? 128 + WTERMSIG(status_of_it) : WEXITSTATUS(status_of_it);
    close_fd(&keys);
}

/* ---- the port ------------------------------------------------------------------------------ */

static bool is_whole(void)
{
    return in_size >= MANIFEST_FRAME_HEAD && in_size == MANIFEST_FRAME_HEAD + number_at(in + 1);
}

/* Bytes of a data frame that the shell has not taken yet. */
static bool holds_keys(void)
{
    return is_whole() && in[0] == MANIFEST_FRAME_DATA && keys >= 0;
}

void shell_watch(struct pollfd ret[SHELL_POLLS])
{
    short port_events = (short)((holds_keys() ? 0 : POLLIN) | (out_from < out_to ? POLLOUT : 0));

    ret[0] = (struct pollfd){port_events ? port : -1, port_events, 0};
    ret[1] = (struct pollfd){holds_keys() ? keys : -1, POLLOUT, 0};
    ret[2] = (struct pollfd){out_from == out_to ? screen : -1, POLLIN, 0};
}

/* Gives the shell what is held for it.  True if something has changed. */
static bool pass_keys(void)
{
    ssize_t done;

    if (!holds_keys())
        return false;
    done = write(keys, in + MANIFEST_FRAME_HEAD + in_used, in_size - MANIFEST_FRAME_HEAD - in_used);
    if (done > 0)
        in_used += (size_t)done;
    else if (done < 0 && errno != EAGAIN && errno != EINTR)
        close_fd(&keys); /* it wants no more */
    if (in_used == in_size - MANIFEST_FRAME_HEAD)
        in_size = in_used = 0;
    return done > 0;
}

/* Deals with a frame that is whole.  Data stay until the shell has taken them; those of one that
 * has ended are dropped. */
static void take_frame(const struct manifest *manifest, pid_t app)
{
    size_t size = in_size - MANIFEST_FRAME_HEAD;
    const unsigned char *data = in + MANIFEST_FRAME_HEAD;

    if (holds_keys())
        return;
    if (in[0] == MANIFEST_FRAME_OPEN)
        start(manifest, app, data, size);
    else if (in[0] == MANIFEST_FRAME_SIZE && size == 4)
        resize(data);
    else if (in[0] == MANIFEST_FRAME_END)
        close_fd(&keys);
    else if (in[0] == MANIFEST_FRAME_HANG_UP)
        hang_up();
    in_size = in_used = 0;
}

/* Takes more of the frame that comes.  True if something has come. */
static bool read_port(const struct manifest *manifest, pid_t app)
{
    size_t wanted = MANIFEST_FRAME_HEAD;
    ssize_t got;

    if (port < 0 || holds_keys())
        return false;
    if (is_whole()) {
        take_frame(manifest, app);
        return true;
    }
    if (in_size >= MANIFEST_FRAME_HEAD)
        wanted += number_at(in + 1);
    if (wanted > sizeof(in)) {
        close_fd(&port); /* nobody of ours sends this */
        return false;
    }
    got = read(port, in + in_size, wanted - in_size);
    if (got == 0)
        close_fd(&port); /* the host has closed it, which ends the VM */
    if (got <= 0)
        return false;
    in_size += (size_t)got;
    if (is_whole())
        take_frame(manifest, app);
    return true;
}

static bool write_port(void)
{
    ssize_t done =
        port >= 0 && out_from < out_to ? write(port, out + out_from, out_to - out_from) : -1;

    if (done > 0)
        out_from += (size_t)done;
    return done > 0;
}

/* Of a shell that has ended, what it had written comes first; what it has left in the background
 * may keep its output open, and is not waited for. */
static bool read_screen(void)
{
    ssize_t got;

    if (screen < 0 || out_from < out_to)
        return false;
    got = read(screen, out + MANIFEST_FRAME_HEAD, MANIFEST_FRAME_MAX);
    if (got < 0 && errno == EAGAIN && has_ended) {
        struct pollfd more = {screen, POLLIN, 0};

        if (poll(&more, 1, REST_MS) > 0)
            got = read(screen, out + MANIFEST_FRAME_HEAD, MANIFEST_FRAME_MAX);
        if (got < 0)
            close_fd(&screen);
    }
    if (got > 0)
        send_frame(MANIFEST_FRAME_DATA, (size_t)got);
    else if (got == 0 || (errno != EAGAIN && errno != EINTR))
        close_fd(&screen);
    return got > 0;
}

static bool tell_end(void)
{
    if (!has_ended || screen >= 0 || out_from < out_to)
        return false;
    out[MANIFEST_FRAME_HEAD] = (unsigned char)status;
    send_frame(MANIFEST_FRAME_EXIT, 1);
    shell = 0;
    has_ended = false;
    return true;
}

void shell_finish(const struct manifest *manifest)
{
    struct pollfd polls[SHELL_POLLS];
    bool is_told = false;

    if (port < 0)
        return;
    has_ended = true; /* as all others; of its output something may be left */
    close_fd(&keys);
    while (shell && port >= 0) {
        bool has_changed = read_port(manifest, 0);

        has_changed |= read_screen();
        has_changed |= write_port();
        if (!is_told && screen < 0 && out_from == out_to) {
            send_frame(MANIFEST_FRAME_END, 1);
            is_told = true;
        } else if (!has_changed) {
            shell_watch(polls);
            poll(polls, SHELL_POLLS, -1);
        }
    }
    control_send("finished");
}

void shell_copy(const struct manifest *manifest, pid_t app)
{
    bool has_changed = true;

    while (has_changed) {
        has_changed = read_port(manifest, app);
        has_changed |= pass_keys();
        has_changed |= read_screen();
        has_changed |= tell_end();
        has_changed |= write_port();
    }
}
