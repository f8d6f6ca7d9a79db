/* SPDX-License-Identifier: BSD-3-Clause */
/* signals.c: SIGINT, SIGTERM and SIGHUP for a command that ends in its own way. */
#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

enum { STATUS_STOPPED = 128 + SIGTERM };

/* All that a handler can know; the write end is -1 until signals are counted. */
static int ends[2] = {-1, -1};

static void on_alarm(int number)
{
    (void)number;
    alarm(1);
}

static void on_signal(int number)
{
    int problem = errno;

    (void)number;
    if (ends[1] < 0)
        _exit(STATUS_STOPPED);
    /* A full pipe has signals enough. */
    if (write(ends[1], "", 1) < 0)
        errno = problem;
    alarm(1);
    errno = problem;
}

static bool is_ignored(int number)
{
    struct sigaction action;

    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

void signals_catch(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    const struct sigaction alarming = {.sa_handler = on_alarm};

    /* A fork does not count for its parent. */
    for (size_t i = 0; i < 2; i++) {
        int fd = ends[i];

        ends[i] = -1;
        if (fd >= 0)
            close(fd);
    }
    /* One at a time. */
    sigaddset(&action.sa_mask, SIGINT);
    sigaddset(&action.sa_mask, SIGTERM);
    sigaddset(&action.sa_mask, SIGHUP);
    sigaction(SIGALRM, &alarming, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (!is_ignored(SIGHUP))
        sigaction(SIGHUP, &action, NULL);
}

int signals_count(void)
{
    int pair[2];

    if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) < 0)
        return -1;
    ends[0] = pair[0];
    ends[1] = pair[1];
    return ends[0];
}

unsigned signals_take(void)
{
    char bytes[64];
    ssize_t size = read(ends[0], bytes, sizeof(bytes));

    return size > 0 ? (unsigned)size : 0;
}
