/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * channel.h: what a supervisor and its client say to each other, on a SOCK_SEQPACKET socket pair.
 *
 * Supervisor to client: events, one a packet.  Client to supervisor: single bytes, CHANNEL_STOP
 * and CHANNEL_KILL.  A closed socket means that the other side is gone.
 */
#ifndef ROMSIM_VM_CHANNEL_H
#define ROMSIM_VM_CHANNEL_H

#include <romsim/vm.h>

enum { CHANNEL_TEXT_MAX = 32 << 10 };
enum { CHANNEL_STOP = 's', CHANNEL_KILL = 'k' };

/* Sends an event; longer texts become several CONSOLE events, and are cut for the others.
 * -1 when the client is gone. */
int channel_send(int fd, const struct romsim_vm_event *event);

/* Receives one event; its text stands in `text`.  1, 0 when the supervisor is gone, or -1 if
 * there is nothing now. */
int channel_receive(int fd, char text[CHANNEL_TEXT_MAX + 1], struct romsim_vm_event *ret);

#endif
