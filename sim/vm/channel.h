/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * channel.h: what a supervisor and its client say to each other, on a SOCK_SEQPACKET socket.
 *
 * Supervisor to client: events, one a packet.  Client to supervisor: single bytes, CHANNEL_STOP
 * and CHANNEL_KILL.  A closed socket means that the other side is gone.
 *
 * A client may be slow, its own reader may be a pager that waits for a key.  The supervisor never
 * waits for it: what the socket does not take is kept, and the supervisor reads less of what it can
 * leave in the guest while much is kept.
 */
#ifndef ROMSIM_VM_CHANNEL_H
#define ROMSIM_VM_CHANNEL_H

#include <romsim/buffer.h>
#include <romsim/vm.h>

enum { CHANNEL_TEXT_MAX = 32 << 10 };
enum { CHANNEL_STOP = 's', CHANNEL_KILL = 'k' };

/* The supervisor's side. */
struct channel {
    int fd;                    /* -1 when the client is gone */
    struct romsim_buffer kept; /* packets, each behind its size */
    size_t sent;               /* of them */
};

/* Takes the descriptor. */
void channel_open(struct channel *channel, int fd);
void channel_close(struct channel *channel);

/* Sends an event, or keeps it; longer texts become several CONSOLE events, and are cut for the
 * others. */
void channel_send(struct channel *channel, const struct romsim_vm_event *event);

/* Sends of what is kept as much as the socket takes. */
void channel_flush(struct channel *channel);

/* How many bytes are kept. */
size_t channel_kept(const struct channel *channel);

/* The client's side: receives one event; its text stands in `text`.  1, 0 when the supervisor is
 * gone, or -1 if there is nothing now. */
int channel_receive(int fd, char text[CHANNEL_TEXT_MAX + 1], struct romsim_vm_event *ret);

#endif
