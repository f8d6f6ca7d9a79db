/* SPDX-License-Identifier: BSD-3-Clause */
/* forward.h: ports of the host's loopback that lead to the guest. */
#ifndef ROMSIM_VM_FORWARD_H
#define ROMSIM_VM_FORWARD_H

#include "qmp.h"

#include <romsim/layout.h>

/* Is the guest's port already forwarded by an earlier entry of the layout? */
bool forward_is_repeated(const struct romsim_layout *layout, size_t index);

/*
 * Opens 127.0.0.1:PORT for a port of the layout, by QEMU: the number asked for with -p, or else
 * the same number as in the guest, or the next free one.  `rank` earlier services of this run want
 * the same number: so many are left to them, and the numbers follow the order of the file however
 * the instances race.  EADDRINUSE if a number that was asked for is taken.
 */
int forward_open(struct qmp *qmp, const struct romsim_port *port, unsigned rank,
                 uint16_t *ret_host_port, struct romsim_error *err);

/* The rank of a port: how many of the layouts before its own forward the same number. */
unsigned forward_rank(const struct romsim_layout *const *layouts, size_t layout, size_t port);

/* "http://127.0.0.1:8080" into `ret`; "tcp://..." for a service without http. */
void forward_url(const struct romsim_port *port, uint16_t host_port, char ret[64]);

#endif
