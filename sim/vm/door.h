/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * door.h: the ports of an instance that scales to zero, and its place in the private network, which
 * stay open whether its VM is there or not.
 *
 * QEMU serves the ports of other instances.  Of these the keeper does: it takes each connection,
 * has it wait until the guest accepts some, and carries its bytes from then on, so that it knows
 * what comes and goes.  A door is for the keeper's thread, and waits for nothing.
 */
#ifndef ROMSIM_VM_DOOR_H
#define ROMSIM_VM_DOOR_H

#include "forward.h"

struct door;

/* Opens the ports; the forwards are borrowed.  Who calls from the private network is met in the
 * instance's folder; NULL: nobody does. */
struct door *door_open(const struct romsim_layout *layout, struct forward *forwards,
                       const char *directory, struct romsim_error *err);

/* Closes the ports and all connections.  Accepts NULL. */
void door_close(struct door *door);

/* Takes no new connections any more. */
void door_shut(struct door *door);

/* The guest accepts connections to one of the layout's ports: those that wait are handed on. */
void door_let_in(struct door *door, size_t port);

/* There is no guest any more: what was handed on is closed, what comes waits. */
void door_bar(struct door *door);

/* Has somebody come for whom there is no guest yet?  Who calls from the private network has until
 * door_answer(). */
bool door_is_wanted(const struct door *door);
void door_answer(struct door *door);

/* How many connections there are; do some of them hold the instance, with those that are only open
 * or without; and when the last byte went over one (microseconds; 0: never). */
size_t door_connections(const struct door *door);
bool door_is_held(const struct door *door, bool by_open);
uint64_t door_traffic_us(const struct door *door);

/* Readable when door_dispatch() has something to do; -1 for NULL. */
int door_fd(const struct door *door);
void door_dispatch(struct door *door);

/* When a connection will have waited for too long (0: none does), and closes those that have. */
uint64_t door_due_us(const struct door *door);
void door_give_up(struct door *door);

/* The socket on which the private network is met; -1: none. */
int door_lan(const struct door *door);

#endif
