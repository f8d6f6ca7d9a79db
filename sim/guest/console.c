/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * console.c: what the app writes, on its way to the host.
 *
 * The app has a pty, so that its output comes line by line, and init copies it to a virtio-serial
 * port in large pieces: after a little it waits for a moment, since each piece is an exit of the
 * VM, which costs more than many lines.  Its bytes arrive as the app wrote them, unless the app is
 * to have a terminal that somebody sits at.  (A virtio console as the terminal itself moves 16
 * bytes at a time, each for an exit of the VM, and loses some when the host is slow.)
 */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* All that a terminal and its line can hold, and more than that. */
enum {
    PIECE = 16 << 10,
    LITTLE = 2 << 10,
    PAUSE_MS = 2,
    REST_MAX = 1 << 20,
    DRAIN_PIECES = 64,
    DRAIN_MS = 100
};

static int port = -1;   /* to the host; does not block */
static int master = -1; /* of the pty; does not block */
static int slave = -1;
static unsigned long long sent;

/* Read from the pty and not yet sent. */
static char held[PIECE];
static size_t held_from, held_to;
static long long pause_end; /* of now_ms(): until then nothing is read */

/* What was left in the pty at the app's end. */
static char rest[REST_MAX];
static size_t rest_size;

void console_open(void)
{
    port = port_open(MANIFEST_CONSOLE_PORT, O_NONBLOCK);
    if (port < 0)
        fail(0, "this kernel has no driver for the console port (virtio_console)");
}

void console_resize(const struct manifest_terminal *size)
{
    const struct winsize window = {.ws_row = (unsigned short)size->rows,
                                   .ws_col = (unsigned short)size->columns};

    if (master >= 0)
        ioctl(master, TIOCSWINSZ, &window);
}

int console_keyboard(void)
{
    return master;
}

int console_terminal(const struct manifest *manifest)
{
    struct termios mode;
    const char *name;

    master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0 || !(name = ptsname(master)) ||
        (slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC)) < 0)
        fail(errno, "cannot make a terminal for the app");
    if (manifest->terminal.rows)
        console_resize(&manifest->terminal);
    if (tcgetattr(slave, &mode) < 0)
        return slave;
    /* Bytes leave the guest as the app wrote them: no carriage returns, no echo. */
    if (manifest->terminal.rows)
        mode.c_iflag |= IUTF8;
    else
        cfmakeraw(&mode);
    tcsetattr(slave, TCSANOW, &mode);
    return slave;
}

/* Sends as much as the port takes now.  Returns how much. */
static size_t send_some(const char *bytes, size_t size)
{
    ssize_t done = write(port, bytes, size);

    if (done <= 0)
        return 0;
    sent += (unsigned long long)done;
    return (size_t)done;
}

int console_watch(struct pollfd *ret_terminal, struct pollfd *ret_port)
{
    bool is_full = held_from < held_to;
    long long pause = is_full || !pause_end ? 0 : pause_end - now_ms();

    if (pause <= 0)
        pause_end = 0;
    *ret_terminal = (struct pollfd){is_full || pause > 0 ? -1 : master, POLLIN, 0};
    *ret_port = (struct pollfd){is_full ? port : -1, POLLOUT, 0};
    return pause > 0 ? (int)pause : -1;
}

void console_copy(void)
{
    if (held_from == held_to) {
        ssize_t size = read(master, held, sizeof(held));

        held_from = 0;
        held_to = size > 0 ? (size_t)size : 0;
        if (held_to > 0 && held_to < LITTLE)
            pause_end = now_ms() + PAUSE_MS;
    }
    if (held_from < held_to)
        held_from += send_some(held + held_from, held_to - held_from);
}

void console_drain(void)
{
    for (int i = 0; master >= 0 && i < DRAIN_PIECES; i++) {
        struct pollfd ready = {port, POLLOUT, 0};

        console_copy();
        if (held_to == 0 || (held_from < held_to && poll(&ready, 1, DRAIN_MS) <= 0))
            return;
    }
}

/* Sends all, waiting for the host where it must. */
static void send_all(const char *bytes, size_t size)
{
    while (size > 0) {
        struct pollfd ready = {port, POLLOUT, 0};
        size_t done;

        if (poll(&ready, 1, -1) < 0 && errno != EINTR)
            return;
        done = send_some(bytes, size);
        bytes += done;
        size -= done;
    }
}

unsigned long long console_collect(void)
{
    ssize_t size;

    while (master >= 0 && rest_size < REST_MAX &&
           (size = read(master, rest + rest_size, REST_MAX - rest_size)) > 0)
        rest_size += (size_t)size;
    return sent + (held_to - held_from) + rest_size;
}

unsigned long long console_sent(void)
{
    return sent;
}

void console_restart(void)
{
    sent = 0;
}

void console_finish(void)
{
    send_all(held + held_from, held_to - held_from);
    send_all(rest, rest_size);
}

void console_print(const char *format, ...)
{
    char line[MANIFEST_LINE_MAX + 256];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (port >= 0) {
        send_all(line, strlen(line));
    } else {
        int log = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);

        dprintf(log, "<2>%s", line); /* critical: shown in spite of `quiet` */
        close(log);
    }
}
