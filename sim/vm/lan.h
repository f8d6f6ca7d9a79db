/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lan.h: the private network: frames from one instance's gate to another's, and the names of
 * instances.
 *
 * Each running instance listens on a socket in its folder.  Who has frames for it connects, keeps
 * the connection, and sends; answers come by a connection of their own.  Nothing waits: a frame for
 * which a socket has no room is lost, as on any network.  Only the user can open the folders, and a
 * packet of another machine, or user, has no way in.
 *
 * A LAN is for one thread, the gate's.
 */
#ifndef ROMSIM_VM_LAN_H
#define ROMSIM_VM_LAN_H

#include <romsim/error.h>

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lan;

/* A socket that listens in an instance's folder, or -1. */
int lan_listen(const char *directory, struct romsim_error *err);

/* Joins, on such a socket, which stays the caller's, or with -1 on one of its own. */
struct lan *lan_open(const char *directory, int listener, struct romsim_error *err);

/* Accepts NULL. */
void lan_close(struct lan *lan);

/* Sends a frame to the instance with a private address.  False if no instance that runs has it; a
 * lost frame is none. */
bool lan_send(struct lan *lan, uint32_t address, const uint8_t *frame, size_t size);

/* The private address of the instance with a name, running or not; 0 if there is none. */
uint32_t lan_find(struct lan *lan, const char *name);

/* What to poll for, and what to do then: `take` gets each frame that has come. */
enum { LAN_POLLS = 65 };
typedef void lan_taker(void *context, const uint8_t *frame, size_t size);
void lan_polls(const struct lan *lan, struct pollfd ret[LAN_POLLS]);
void lan_dispatch(struct lan *lan, const struct pollfd polls[LAN_POLLS], lan_taker *take,
                  void *context);

#endif
