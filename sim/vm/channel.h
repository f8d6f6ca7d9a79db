/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * channel.h: what an instance's keeper and its clients say to each other, on SOCK_SEQPACKET
 * sockets.
 *
 * Client to keeper: requests, JSON objects with a member "do"; one that is too long for a packet is
 * in a memfd that comes with an empty one.  A descriptor that belongs to a request comes with it.
 * Keeper to client: one answer for each request, in their order, and to who has attached, events.
 * A closed socket means that the other side is gone.
 *
 * A client may be slow, its own reader may be a pager that waits for a key.  The keeper never waits
 * for it: events are kept, each with its place in the console's bytes, and those are taken from the
 * console's log as the socket takes them, so that all arrives in the order in which it happened.
 * What the log has dropped by then is lost to the client, and it is told.
 *
 * With an answer may come a descriptor, of a file that the client may only read.
 */
#ifndef ROMSIM_VM_CHANNEL_H
#define ROMSIM_VM_CHANNEL_H

#include "console_log.h"

#include <romsim/buffer.h>
#include <romsim/vm.h>

#include <jansson.h>

enum { CHANNEL_TEXT_MAX = 32 << 10 };

/* Kinds beside those of events: an answer's JSON text, whose last part is an ANSWER. */
enum { CHANNEL_ANSWER = 64, CHANNEL_ANSWER_PART };

enum { CHANNEL_PASSING_MAX = 8 };

/* The keeper's side. */
struct channel {
    int fd;                           /* -1 when the client is gone */
    struct romsim_buffer kept;        /* packets that are to be sent */
    size_t sent;                      /* of them */
    const struct console_log *log;    /* NULL: the client wants no console */
    uint64_t offset, end;             /* of its bytes: what comes next, and how far it wants them */
    int passing[CHANNEL_PASSING_MAX]; /* descriptors that go with what is kept, in order; owned */
    unsigned passing_count;
};

/* Takes the descriptor. */
void channel_open(struct channel *channel, int fd);
void channel_close(struct channel *channel);

/* Has the console's bytes sent from `offset` to `end`, which are in the log; CHANNEL_FOLLOW: and
 * all that come. */
#define CHANNEL_FOLLOW UINT64_MAX
void channel_console(struct channel *channel, const struct console_log *log, uint64_t offset,
                     uint64_t end);

/* Keeps an event or an answer (takes the reference; NULL: out of memory) to be sent when the
 * console's bytes up to now are. */
void channel_event(struct channel *channel, const struct romsim_vm_event *event);
void channel_answer(struct channel *channel, json_t *answer);

/* An answer with a copy of a descriptor.  A client that has asked for CHANNEL_PASSING_MAX of them
 * and takes none is lost. */
void channel_answer_fd(struct channel *channel, json_t *answer, int fd);

/* Sends of what there is as much as the socket takes. */
void channel_flush(struct channel *channel);

/* How many bytes are still to be sent. */
size_t channel_kept(const struct channel *channel);

/* Takes a request: 1 with a new reference in *ret, which is NULL if it is none, and in *ret_passed
 * the descriptor that belongs to it, or -1; 0 when the client is gone; -1 if there is nothing
 * now. */
int channel_take_request(struct channel *channel, json_t **ret, int *ret_passed);

/* ---- the client's side ---- */

/* Sends a request, and a descriptor with it (-1: none); takes the reference.  Returns 0 or -1. */
int channel_request(int fd, json_t *request, int passed, struct romsim_error *err);

/* Receives one event, or a part of an answer; its text stands in `text`, and *ret_fd is the
 * descriptor that came with it, or -1; with NULL none is taken.  1, 0 when the keeper is gone, or
 * -1 if there is nothing now. */
int channel_receive(int fd, char text[CHANNEL_TEXT_MAX + 1], struct romsim_vm_event *ret,
                    int *ret_fd);

#endif
