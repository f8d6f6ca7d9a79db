/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * forward.c: ports of the host's loopback that lead to the guest.
 *
 * QEMU binds the port itself, when it is told to over QMP: nobody can take it between a look and
 * the binding, and instances that start at once do not disturb each other.
 */
#include "forward.h"

#include "qemu.h"

#include <romsim/text.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* An ordinary user may not bind 80 or 443: people write 8080 and 8443 then. */
enum { PRIVILEGED = 1024, PRIVILEGED_SHIFT = 8000, TRIES = 200 };

bool forward_is_repeated(const struct romsim_layout *layout, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (layout->ports[i].destination_port == layout->ports[index].destination_port &&
            layout->ports[i].host_port == layout->ports[index].host_port)
            return true;
    return false;
}

/* 1: bound; 0: QEMU could not bind it; -1: QEMU failed. */
static int try_port(struct qmp *qmp, unsigned host, unsigned guest, struct romsim_error *err)
{
    char line[128];
    json_t *answer = NULL;
    int bound;

    snprintf(line, sizeof(line), "hostfwd_add " QEMU_NET_ID " tcp:127.0.0.1:%u-:%u", host, guest);
    if (qmp_execute(qmp, "human-monitor-command", json_pack("{s:s}", "command-line", line), &answer,
                    err) < 0)
        return -1;
    /* The old monitor says nothing when all is well. */
    bound = json_is_string(answer) && json_string_length(answer) == 0;
    json_decref(answer);
    return bound;
}

static unsigned next_port(unsigned port)
{
    unsigned next = port < PRIVILEGED ? port + PRIVILEGED_SHIFT : port + 1;

    return next > UINT16_MAX ? PRIVILEGED : next;
}

static bool wants(const struct romsim_layout *layout, uint16_t destination_port)
{
    for (size_t i = 0; i < layout->port_count; i++)
        if (layout->ports[i].destination_port == destination_port && !layout->ports[i].host_port)
            return true;
    return false;
}

unsigned forward_rank(const struct romsim_layout *const *layouts, size_t layout, size_t port)
{
    unsigned rank = 0;

    for (size_t i = 0; i < layout; i++)
        rank += wants(layouts[i], layouts[layout]->ports[port].destination_port);
    return rank;
}

int forward_open(struct qmp *qmp, const struct romsim_port *port, unsigned rank,
                 uint16_t *ret_host_port, struct romsim_error *err)
{
    unsigned host = port->host_port ? port->host_port : port->destination_port;
    unsigned tries = port->host_port ? 1 : TRIES;
    int bound = 0;

    for (; rank > 0 && !port->host_port; rank--)
        host = next_port(host);
    for (; tries > 0; tries--) {
        bound = try_port(qmp, host, port->destination_port, err);
        if (bound != 0)
            break;
        if (tries > 1)
            host = next_port(host);
    }
    if (bound < 0)
        return -1;
    if (bound == 0) {
        romsim_error_set(err, EADDRINUSE, "the port %u of 127.0.0.1 is taken or not allowed", host);
        return romsim_error_hint(err, "without a host port in -p, romsim chooses a free one");
    }
    *ret_host_port = (uint16_t)host;
    return 0;
}

void forward_url(const struct romsim_port *port, uint16_t host_port, char ret[64])
{
    bool is_http = !port->handlers || (port->handlers & ROMSIM_HANDLER_HTTP);

    snprintf(ret, 64, "%s://127.0.0.1:%u", is_http ? "http" : "tcp", host_port);
}
