/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * forward.c: ports of the host, of its loopback as a rule, that lead to the guest.
 *
 * The numbers are given out once, in the order of the instances, before anything is started: two
 * that look for a free one at the same time would get it in any order.  A number is claimed by a
 * socket that has listened on it once, which nobody can do twice, and stays bound to it, without
 * SO_REUSEADDR, so that nobody else can bind it; and since it does not listen any more, who
 * connects while the instance is stopped is refused and does not wait.  It gets SO_REUSEADDR again
 * for the time that whoever serves the guest's network has the number: QEMU and passt bind with it.
 *
 * In the moment between that and the server's own bind another romsim, which binds so as well,
 * would get the number.  Among romsims it is therefore a name, too, of the kernel's abstract
 * sockets, which belong to the same network namespace as the port and are gone with their process.
 */
#include "forward.h"

#include "qemu.h"

#include <romsim/cleanup.h>
#include <romsim/text.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* An ordinary user may not bind 80 or 443: people write 8080 and 8443 then. */
enum { PRIVILEGED = 1024, PRIVILEGED_SHIFT = 8000, TRIES = 200 };

/* "127.0.0.1", in the caller's scope. */
#define ADDRESS_OF(address)                                                                        \
    inet_ntop(AF_INET, &(struct in_addr){htonl(address)}, (char[INET_ADDRSTRLEN]){0},              \
              INET_ADDRSTRLEN)

/* ---- claiming ------------------------------------------------------------------------------- */

/* Is the guest's port already forwarded by an earlier entry of the layout? */
static bool is_repeated(const struct romsim_layout *layout, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (layout->ports[i].destination_port == layout->ports[index].destination_port &&
            layout->ports[i].host_port == layout->ports[index].host_port)
            return true;
    return false;
}

static unsigned next_port(unsigned port)
{
    unsigned next = port < PRIVILEGED ? port + PRIVILEGED_SHIFT : port + 1;

    return next > UINT16_MAX ? PRIVILEGED : next;
}

/* A socket for each of many services: as many as the hard limit has room for.  QEMU, which needs
 * them too, inherits it. */
static bool raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
        return false;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

static int new_socket(int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 && errno == EMFILE && raise_descriptor_limit())
        fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd;
}

/* The socket that has the number's name, or -1 with errno. */
static int hold_name(unsigned port)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    CLEANUP_FD int fd = new_socket(AF_UNIX);
    int size = snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "romsim-port-%u", port);

    if (fd < 0 || bind(fd, (const struct sockaddr *)&address,
                       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)size)) < 0)
        return -1;
    return steal_fd(&fd);
}

/* May others that share, too, have the number?  Returns 0 or -1. */
static int share(int fd, bool may)
{
    int value = may;

    return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, sizeof(value));
}

/* The socket that holds the number (0: any that is free), or -1 with errno. */
static int hold(uint32_t host, unsigned port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(host)}};
    CLEANUP_FD int fd = new_socket(AF_INET);

    /* Without SO_REUSEADDR old connections would keep a number taken for a minute. */
    if (fd < 0 || share(fd, true) < 0 ||
        bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 0) < 0 ||
        shutdown(fd, SHUT_RDWR) < 0 || share(fd, false) < 0)
        return -1;
    return steal_fd(&fd);
}

/* The number that a socket holds, or 0. */
static uint16_t number_of(int fd)
{
    struct sockaddr_in address = {0};
    socklen_t size = sizeof(address);

    return getsockname(fd, (struct sockaddr *)&address, &size) < 0 ? 0 : ntohs(address.sin_port);
}

/* Claims a number, 0: any.  0, or -1 with errno. */
static int claim_number(unsigned number, struct forward *ret)
{
    CLEANUP_FD int name = number ? hold_name(number) : -1;
    CLEANUP_FD int holder = number && name < 0 ? -1 : hold(ret->address, number);

    if (holder >= 0 && !number)
        name = hold_name(number_of(holder));
    if (holder < 0 || name < 0)
        return -1;
    ret->host_port = number_of(holder);
    ret->holder = steal_fd(&holder);
    ret->name = steal_fd(&name);
    return 0;
}

static bool is_taken(int problem)
{
    return problem == EADDRINUSE || problem == EACCES;
}

static int claim_one(const struct romsim_port *port, struct forward *ret, struct romsim_error *err)
{
    unsigned number = port->host_port ? port->host_port : port->destination_port;
    unsigned tries = port->host_port ? 1 : TRIES;
    int status;

    while ((status = claim_number(number, ret)) < 0 && is_taken(errno) && --tries > 0)
        number = next_port(number);
    for (tries = TRIES; status < 0 && is_taken(errno) && !port->host_port && tries > 0; tries--)
        status = claim_number(0, ret);
    if (status == 0)
        return 0;
    if (errno == EADDRINUSE)
        romsim_error_set(err, errno, "the port %u of %s is taken", number,
                         ADDRESS_OF(ret->address));
    else
        return romsim_error_system(err, errno, "cannot take the port %u of %s", number,
                                   ADDRESS_OF(ret->address));
    return romsim_error_hint(err, "without a host port in -p, romsim chooses a free one");
}

struct forward *forward_claim(const struct romsim_layout *layout, const char *address,
                              struct romsim_error *err)
{
    struct forward *forwards = calloc(layout->port_count + 1, sizeof(*forwards));
    struct in_addr host = {htonl(INADDR_LOOPBACK)};

    if (!forwards) {
        romsim_error_nomem(err);
        return NULL;
    }
    if (address && inet_pton(AF_INET, address, &host) != 1) {
        romsim_error_set(err, EINVAL, "'%s' is no IPv4 address", QUOTE(address));
        free(forwards);
        return NULL;
    }
    for (size_t i = 0; i < layout->port_count; i++)
        forwards[i] = (struct forward){.address = ntohl(host.s_addr), .holder = -1, .name = -1};
    for (size_t i = 0; i < layout->port_count; i++)
        if (!is_repeated(layout, i) && claim_one(&layout->ports[i], &forwards[i], err) < 0) {
            forward_release(forwards, layout->port_count);
            return NULL;
        }
    return forwards;
}

void forward_yield(const struct forward *forward)
{
    share(forward->holder, true);
}

void forward_reclaim(struct forward *forwards, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (forwards[i].holder >= 0 && !forwards[i].is_kept)
            share(forwards[i].holder, false);
}

int forward_listen(struct forward *forward)
{
    int flags = fcntl(forward->holder, F_GETFL);

    /* Who has connected may be gone by the time it is accepted.  While it listens nobody else can
     * bind the number, and old connections, which share it as this does, take it from nobody. */
    if (flags < 0 || fcntl(forward->holder, F_SETFL, flags | O_NONBLOCK) < 0 ||
        share(forward->holder, true) < 0 || listen(forward->holder, SOMAXCONN) < 0)
        return -1;
    forward->is_kept = true;
    return 0;
}

void forward_shut(struct forward *forward)
{
    if (forward->is_kept) {
        shutdown(forward->holder, SHUT_RDWR);
        share(forward->holder, false);
    }
    forward->is_kept = false;
}

void forward_release(struct forward *forwards, size_t count)
{
    for (size_t i = 0; forwards && i < count; i++) {
        cleanup_close_fd(&forwards[i].holder);
        cleanup_close_fd(&forwards[i].name);
    }
    free(forwards);
}

/* ---- QEMU's user network -------------------------------------------------------------------- */

/* Runs a command of the old monitor.  Its answer, a new reference, or NULL. */
static json_t *monitor(struct qmp *qmp, const char *line, struct romsim_error *err)
{
    json_t *answer = NULL;

    if (qmp_execute(qmp, "human-monitor-command", json_pack("{s:s}", "command-line", line), &answer,
                    err) < 0)
        return NULL;
    return answer;
}

/* The number that QEMU has got for a port that the keeper serves.
 *     TCP[HOST_FORWARD]  12       127.0.0.1 43567       10.0.0.2  8080     0     0 */
static int find_inner_port(struct qmp *qmp, unsigned port, struct forward *forward,
                           struct romsim_error *err)
{
    json_t *answer = monitor(qmp, "info usernet", err);
    const char *line = json_string_value(answer);
    unsigned inner = 0;

    for (; line && *line; line += strcspn(line, "\n"), line += *line == '\n') {
        unsigned number, destination;

        if (sscanf(line, " TCP[HOST_FORWARD] %*d 127.0.0.1 %u %*s %u", &number, &destination) ==
                2 &&
            destination == port)
            inner = number;
    }
    forward->inner_port = (uint16_t)inner;
    if (answer && !inner)
        romsim_error_set(err, EPROTO, "QEMU does not say which port it forwards to %u", port);
    json_decref(answer);
    return inner ? 0 : -1;
}

int forward_open(struct qmp *qmp, const struct romsim_port *port, struct forward *forward,
                 struct romsim_error *err)
{
    char line[128];
    json_t *answer;
    bool is_bound;

    if (forward->is_kept) {
        snprintf(line, sizeof(line), "hostfwd_add " QEMU_NET_ID " tcp:127.0.0.1:0-:%u",
                 port->destination_port);
    } else {
        snprintf(line, sizeof(line), "hostfwd_add " QEMU_NET_ID " tcp:%s:%u-:%u",
                 ADDRESS_OF(forward->address), forward->host_port, port->destination_port);
        forward_yield(forward);
    }
    answer = monitor(qmp, line, err);
    if (!answer)
        return -1;
    /* The old monitor says nothing when all is well. */
    is_bound = json_is_string(answer) && json_string_length(answer) == 0;
    json_decref(answer);
    if (is_bound && forward->is_kept)
        return find_inner_port(qmp, port->destination_port, forward, err);
    return is_bound ? 0
                    : romsim_error_set(err, EADDRINUSE,
                                       "another program took the port %u of %s just now",
                                       forward->host_port, ADDRESS_OF(forward->address));
}

int forward_close(struct qmp *qmp, const struct forward *forward)
{
    char line[128];
    json_t *answer;

    snprintf(line, sizeof(line), "hostfwd_remove " QEMU_NET_ID " tcp:%s:%u",
             ADDRESS_OF(forward->address), forward->host_port);
    answer = monitor(qmp, line, NULL);
    json_decref(answer);
    return answer ? 0 : -1;
}

/* Is this line of "info usernet" a connection to one of the ports?
 *     Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ
 *     TCP[ESTABLISHED]   23       127.0.0.1  8080        10.0.0.2  8080     0     0 */
static bool is_connection(const char *line, const struct forward *forwards, size_t count)
{
    char address[INET_ADDRSTRLEN];
    struct in_addr host;
    unsigned port;

    if (sscanf(line, " TCP[ESTABLISHED] %*d %15s %u", address, &port) != 2 ||
        inet_pton(AF_INET, address, &host) != 1)
        return false;
    for (size_t i = 0; i < count; i++)
        if (forwards[i].host_port == port &&
            (forwards[i].address == INADDR_ANY || forwards[i].address == ntohl(host.s_addr)))
            return true;
    return false;
}

int forward_connections(struct qmp *qmp, const struct forward *forwards, size_t count)
{
    json_t *answer = monitor(qmp, "info usernet", NULL);
    const char *line = json_string_value(answer);
    int connections = line ? 0 : -1;

    for (; line && *line; line += strcspn(line, "\n"), line += *line == '\n')
        connections += is_connection(line, forwards, count);
    json_decref(answer);
    return connections;
}

void forward_url(const struct romsim_port *port, const struct forward *forward, char ret[64])
{
    bool is_http = !port->handlers || (port->handlers & ROMSIM_HANDLER_HTTP);

    snprintf(ret, 64, "%s://%s:%u", is_http ? "http" : "tcp", ADDRESS_OF(forward->address),
             forward->host_port);
}
