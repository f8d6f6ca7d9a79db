/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * server.h: the process that answers a mount's requests, in a sandbox, and who waits for it.
 *
 * Theory of operation.  The images are a stranger's, and who parses them is the likeliest to be
 * taken over.  So requests are answered by a process of its own, a fork of the one that mounted,
 * that gives up all but that (romsim/sandbox.h); the one that mounted unmounts.  Between them are
 *  - two eventfds by which the server is told to end, or to let nobody wait any more;
 *  - a socket on which it says, to nobody whom it could harm by it, what users of the mount met,
 *    and how it ended (struct server_message);
 *  - the session's descriptor, which both have open: so the mount stays while it is unmounted, and
 *    is hung up at once by the one if the other crashed.
 * The server ends with the process that started it.
 */
#ifndef ROMSIM_FUSE_SERVER_H
#define ROMSIM_FUSE_SERVER_H

#include "ll.h"

#include <sys/types.h>

struct server_channel {
    int ours, theirs; /* of a socket; -1: closed */
};

/* What a server is made with; all of it stays the caller's. */
struct server_task {
    struct ll *ll; /* `report` is who in this process is told of damage; may be NULL */
    struct fuse_session *session;
    int stop;            /* readable when it is time to end; the server itself may say so */
    int hurry;           /* it makes this readable when it ends */
    const int *outputs;  /* descriptors that the seam writes to, */
    size_t output_count; /* as many; negative ones do not count */
};

/* Makes an eventfd readable.  Async-signal-safe; errno stays. */
void server_raise(int event);

/* Makes what server_run() needs, so that it is there when there are no descriptors any more.
 * Returns 0 or -1. */
int server_channel_open(struct server_channel *ret, struct romsim_error *err);
void server_channel_close(struct server_channel *channel);

/* Starts a server and waits for its end.  Returns 0 when it was told to end, or the mount is gone
 * (then the session is fuse_session_exited()), or -1: it failed, or crashed. */
int server_run(const struct server_task *task, struct server_channel *channel,
               struct romsim_error *err);

#endif
