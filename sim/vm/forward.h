/* SPDX-License-Identifier: BSD-3-Clause */
/* forward.h: ports of the host, of its loopback as a rule, that lead to the guest. */
#ifndef ROMSIM_VM_FORWARD_H
#define ROMSIM_VM_FORWARD_H

#include "qmp.h"

#include <romsim/layout.h>

/* What stands for a port of a layout on the host. */
struct forward {
    uint32_t address;    /* of the host's, in its byte order; INADDR_ANY: all of them */
    uint16_t host_port;  /* 0: not forwarded; an earlier port of the layout is the same */
    bool is_kept;        /* it is the keeper who serves it (door.h), by way of: */
    uint16_t inner_port; /* the one of 127.0.0.1 that QEMU forwards then */
    int holder;          /* the socket that keeps the number; -1: none */
    int name;            /* the one that keeps it from other romsims */
};

/*
 * Claims ADDRESS:PORT for each port of a layout (an address NULL is 127.0.0.1): the number asked
 * for with -p, or else the same number as in the guest, or the next free one, or any.  Returns as
 * many as the layout has ports, to be freed with forward_release(), or NULL: EADDRINUSE or EACCES
 * if a number that was asked for cannot be had.
 */
struct forward *forward_claim(const struct romsim_layout *layout, const char *address,
                              struct romsim_error *err);

/* Makes room for the program that is to serve the port, which must bind it with SO_REUSEADDR.  The
 * number stays taken for others that do not. */
void forward_yield(const struct forward *forward);

/* When that program has ended: nobody else can have the numbers. */
void forward_reclaim(struct forward *forwards, size_t count);

/* Serves the port here: its holder listens, and QEMU is to forward another.  0, or -1 with errno.
 */
int forward_listen(struct forward *forward);

/* The end of it: who has not been accepted by then is refused, as whoever comes. */
void forward_shut(struct forward *forward);

/* Gives the numbers back.  Accepts NULL. */
void forward_release(struct forward *forwards, size_t count);

/* Has QEMU serve a claimed port. */
int forward_open(struct qmp *qmp, const struct romsim_port *port, struct forward *forward,
                 struct romsim_error *err);

/* Has QEMU take no new connections there; the port is still claimed.  -1 if it does not answer. */
int forward_close(struct qmp *qmp, const struct forward *forward);

/* How many connections QEMU has to claimed ports; -1 if it does not say. */
int forward_connections(struct qmp *qmp, const struct forward *forwards, size_t count);

/* "http://127.0.0.1:8080" into `ret`; "tcp://..." for a service without http. */
void forward_url(const struct romsim_port *port, const struct forward *forward, char ret[64]);

#endif
