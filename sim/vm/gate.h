/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gate.h: the one place that every packet from the guest to QEMU's user network passes.
 *
 * That network makes connections as this user would: what the guest sends to its gateway arrives at
 * the host's 127.0.0.1, and the host's other addresses are reached past any firewall.  The gate
 * lets through what leaves this machine, and what is the network's own (the resolver, DHCP, the
 * answers of forwarded ports).  It stands outside of the guest, whose root could undo it there.
 *
 * It also leads to and from the other instances (lan.h), and answers for their names.
 */
#ifndef ROMSIM_VM_GATE_H
#define ROMSIM_VM_GATE_H

#include <romsim/error.h>
#include <romsim/layout.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gate_verdict {
    GATE_PASS,        /* on to the network */
    GATE_NEIGHBOUR,   /* to the instance that has the address; if none, judge without neighbours */
    GATE_DROP,        /* what the network would make nothing of, or is no request */
    GATE_UNREACHABLE, /* there is nobody: the guest is told so */
    GATE_REFUSE       /* a request to this machine: the guest is told so */
};

/* Where a frame wants to go. */
struct gate_target {
    uint32_t address; /* IPv4, in the host's byte order */
    uint16_t port;    /* 0: the protocol has none */
};

/* Is an address one of this machine's, or of many machines (broadcast, multicast)? */
typedef bool gate_is_local(void *context, uint32_t address);

struct gate_rules {
    uint32_t own; /* the guest's address */
    bool has_neighbours;
    bool allow_host;   /* nothing is refused */
    bool answers_host; /* its ports are at other addresses of this machine than the loopback's, by
                          which this machine itself may have connected */
    gate_is_local *is_local;
    void *context;
};

/* What to do with an Ethernet frame of the guest.  *ret is where it wants to go, unless it is
 * passed or dropped. */
enum gate_verdict gate_judge(const struct gate_rules *rules, const uint8_t *frame, size_t size,
                             struct gate_target *ret);

/* Is a frame that another instance sent for the guest? */
bool gate_welcomes(const struct gate_rules *rules, const uint8_t *frame, size_t size);

struct gate;

/* QEMU's ends of the sockets, named by what QEMU does with them. */
enum gate_end {
    GATE_FROM_GUEST, /* it writes what the guest sends */
    GATE_TO_NETWORK, /* it reads what may go on */
    GATE_TO_GUEST,   /* it reads answers for the guest */
    GATE_ENDS
};

enum { GATE_PATIENCE_S = 60 /* for a guest to accept connections */ };

struct gate_config {
    const char *name;      /* of the instance; borrowed */
    uint32_t address;      /* its own */
    const char *directory; /* its folder, to meet other instances in; or NULL: it meets none */
    int listener;          /* the socket for that (lan_listen()), borrowed; -1: one of its own */
    /* Who connects from there waits for gate_let_in(), unless there is no port; borrowed. */
    const struct romsim_port *ports;
    size_t port_count;
    bool allow_host, answers_host; /* as of the rules */
};

/* Starts a gate, a thread, and hands out QEMU's ends, which the caller closes. */
struct gate *gate_open(const struct gate_config *config, int ret_ends[GATE_ENDS],
                       struct romsim_error *err);

/* Ends it, after QEMU.  Accepts NULL. */
void gate_close(struct gate *gate);

/* Readable when there is news; -1 for NULL. */
int gate_fd(const struct gate *gate);

/* The guest accepts connections to one of the ports (its index): those that waited for it are let
 * in.  What goes to any other port waits until the first of these accepts some; GATE_PATIENCE_S
 * after that nothing waits any more, since an app need not serve all that its instance names. */
void gate_let_in(struct gate *gate, size_t port);

/* How many frames have come from other instances.  0 for NULL. */
unsigned gate_neighbours(const struct gate *gate);

/* Takes the next refused target that was not told before: 1; 0 if there is none now; -1 when the
 * gate has ended, which without QEMU's end it may not. */
int gate_next_refused(struct gate *gate, struct gate_target *ret);

#endif
