/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * input.c: what the app reads, on its way from the host.
 *
 * It comes on a virtio-serial port, from which no more is taken than the app has room for: the host
 * waits then, and who writes to romsim.  It goes to a pipe that is the app's standard input, or is
 * typed on the app's terminal.  Its end is told on the control port, as the number of bytes that
 * there are in all: a port that the host closes says nothing of what is still on its way.
 */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

enum { PIECE = 16 << 10, PATIENCE_MS = 20000, INTERVAL_MS = 2 };

#define NO_END (~0ULL)

static int port = -1;
static int sink = -1; /* does not block; -1: what comes is dropped */
static bool is_typed; /* the sink is the terminal */
static unsigned long long taken, end = NO_END;

/* Read from the port, and not yet passed on. */
static char held[PIECE];
static size_t held_from, held_to;

void input_open(const struct manifest *manifest)
{
    struct pollfd state;

    if (!manifest->input)
        return;
    port = port_open(MANIFEST_INPUT_PORT, O_NONBLOCK);
    if (port < 0)
        fail(0, "the VM has no port for the app's input");
    /* Until the host's side is known to be open, the port looks as if it had ended. */
    for (int tries = 0; tries < PATIENCE_MS / INTERVAL_MS; tries++) {
        state = (struct pollfd){port, POLLIN, 0};
        if (poll(&state, 1, 0) >= 0 && !(state.revents & POLLHUP))
            return;
        usleep(INTERVAL_MS * 1000);
    }
    fail(0, "the host does not open the app's input");
}

int input_make(const struct manifest *manifest)
{
    int ends[2];

    is_typed = manifest->terminal.rows != 0;
    if (is_typed) {
        sink = port < 0 ? -1 : console_keyboard();
        return -1;
    }
    if (port < 0)
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (pipe2(ends, O_CLOEXEC) < 0)
        fail(errno, "cannot make a pipe for the app's input");
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    sink = ends[1];
    return ends[0];
}

void input_watch(struct pollfd *ret_port, struct pollfd *ret_sink)
{
    bool is_full = held_from < held_to;

    *ret_port = (struct pollfd){is_full ? -1 : port, POLLIN, 0};
    *ret_sink = (struct pollfd){is_full ? sink : -1, POLLOUT, 0};
}

/* The app reads the end of its input; of a terminal there is none but what is typed. */
static void close_sink(void)
{
    if (sink >= 0 && !is_typed)
        close(sink);
    sink = -1;
    held_from = held_to;
}

static void end_if_all_is_there(void)
{
    if (held_from == held_to && taken >= end)
        close_sink();
}

void input_copy(void)
{
    ssize_t size;

    if (held_from == held_to) {
        size = read(port, held, sizeof(held));
        if (size == 0)
            port = -1; /* the host has closed it, which ends the VM */
        held_from = 0;
        held_to = size > 0 ? (size_t)size : 0;
        taken += held_to;
    }
    if (sink < 0) {
        held_from = held_to;
    } else if (held_from < held_to) {
        size = write(sink, held + held_from, held_to - held_from);
        if (size > 0)
            held_from += (size_t)size;
        else if (size < 0 && errno != EAGAIN && errno != EINTR)
            close_sink(); /* the app has closed its side: it wants no more */
    }
    end_if_all_is_there();
}

void input_end(unsigned long long bytes)
{
    end = bytes;
    end_if_all_is_there();
}
