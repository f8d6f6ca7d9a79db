/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * door.c: the ports of an instance that scales to zero, and its place in the private network.
 *
 * A connection is the client's socket and, once the guest accepts on the port, one to a port of
 * 127.0.0.1 that QEMU forwards and nobody else is told of.  Until then nothing is read of it, so
 * that the kernel has what the client has sent.  Each direction is a lane: read when it is empty,
 * ended when its source is and all has been written.
 *
 * The private network's socket is the gate's while a VM is there.  Otherwise it is looked at here,
 * and nothing taken from it: what has come is still there for the gate.
 */
#include "door.h"

#include "gate.h"
#include "lan.h"

#include <romsim/cleanup.h>
#include <romsim/clock.h>
#include <romsim/vector.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum {
    CONNECTIONS_MAX = 256, /* more wait in the kernel */
    LANE_SIZE = 64 << 10,
    EVENTS = 64
};

struct lane {
    size_t from, to;
    bool has_ended; /* the source has */
    bool is_told;   /* and the other side was told, or takes nothing any more */
    char bytes[LANE_SIZE];
};

/* What the kernel tells of; an end of a connection or a socket that listens. */
struct source {
    int fd; /* -1: none */
    uint32_t events;
    struct connection *connection; /* NULL: it listens */
    size_t port;
};

struct connection {
    struct source client, guest;
    size_t port;
    uint64_t since_us;
    struct lane *up, *down; /* to the guest and back; NULL: it waits */
    bool is_asking;         /* the last word was the client's */
    bool is_over;
};

DEFINE_VECTOR(connections, struct connection *);

struct door {
    struct forward *forwards;
    struct source *listeners; /* one for each port; */
    bool *is_open;            /* the guest accepts there */
    bool *is_http;            /* a request there is one until it is answered */
    size_t count;
    struct source lan;
    bool is_called; /* from the private network */
    bool is_shut, is_full;
    int epoll;
    struct connections connections;
    uint64_t traffic_us;
};

/* ---- what the kernel tells of ------------------------------------------------------------------
 */

/* With no events at all it would still tell of a socket that has ended, again and again. */
static void watch(const struct door *door, struct source *source, uint32_t events)
{
    struct epoll_event event = {.events = events, .data = {.ptr = source}};
    int operation = !events ? EPOLL_CTL_DEL : source->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

    if (source->fd < 0 || source->events == events)
        return;
    epoll_ctl(door->epoll, operation, source->fd, &event);
    source->events = events;
}

static void drop(const struct door *door, struct source *source)
{
    watch(door, source, 0);
    cleanup_close_fd(&source->fd);
    source->fd = -1;
}

static void watch_listeners(struct door *door)
{
    bool listens = !door->is_shut && door->connections.count < CONNECTIONS_MAX && !door->is_full;

    for (size_t i = 0; i < door->count; i++)
        watch(door, &door->listeners[i], listens ? EPOLLIN : 0);
}

/* ---- carrying ----------------------------------------------------------------------------------
 */

static bool holds(const struct lane *lane)
{
    return lane->from < lane->to;
}

static bool is_now_not(void)
{
    return errno == EAGAIN || errno == EINTR;
}

static void take(struct lane *lane, int from)
{
    ssize_t size = recv(from, lane->bytes, sizeof(lane->bytes), MSG_DONTWAIT);

    lane->has_ended = size == 0 || (size < 0 && !is_now_not());
    lane->from = 0;
    lane->to = size > 0 ? (size_t)size : 0;
}

/* Who takes nothing any more may still have something to say. */
static void give_up(struct lane *lane)
{
    lane->has_ended = lane->is_told = true;
    lane->from = lane->to;
}

/* Carries once.  True if something has come. */
static bool carry(struct lane *lane, int from, int to)
{
    bool has_moved = false;

    if (!holds(lane) && !lane->has_ended) {
        take(lane, from);
        has_moved = holds(lane);
    }
    if (holds(lane)) {
        ssize_t size =
            send(to, lane->bytes + lane->from, lane->to - lane->from, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (size > 0)
            lane->from += (size_t)size;
        else if (!is_now_not())
            give_up(lane);
    }
    if (lane->has_ended && !holds(lane) && !lane->is_told) {
        shutdown(to, SHUT_WR);
        lane->is_told = true;
    }
    return has_moved;
}

static void watch_ends(const struct door *door, struct connection *connection)
{
    const struct lane *up = connection->up, *down = connection->down;

    watch(door, &connection->client,
          (holds(up) || up->has_ended ? 0 : EPOLLIN) | (holds(down) ? EPOLLOUT : 0));
    watch(door, &connection->guest,
          (holds(down) || down->has_ended ? 0 : EPOLLIN) | (holds(up) ? EPOLLOUT : 0));
}

static void turn(struct door *door, struct connection *connection)
{
    bool has_asked = carry(connection->up, connection->client.fd, connection->guest.fd);
    bool has_answered = carry(connection->down, connection->guest.fd, connection->client.fd);

    if (has_asked || has_answered) {
        connection->is_asking = has_asked && !has_answered;
        door->traffic_us = romsim_clock_us();
    }
    connection->is_over = connection->up->is_told && connection->down->is_told;
    watch_ends(door, connection);
}

/* ---- connections -------------------------------------------------------------------------------
 */

static void part(const struct door *door, struct connection *connection)
{
    drop(door, &connection->client);
    drop(door, &connection->guest);
    free(connection->up);
    free(connection->down);
    free(connection);
}

static void drop_over(struct door *door)
{
    for (size_t i = 0; i < door->connections.count; i++)
        if (door->connections.items[i]->is_over) {
            part(door, door->connections.items[i]);
            door->connections.items[i--] = door->connections.items[--door->connections.count];
            door->is_full = false;
            door->traffic_us = romsim_clock_us();
        }
    watch_listeners(door);
}

static void hurry(int fd)
{
    int yes = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
}

/* A socket that connects to where QEMU forwards, or -1. */
static int reach(const struct forward *forward)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons(forward->inner_port),
                                        .sin_addr = {htonl(INADDR_LOOPBACK)}};
    CLEANUP_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 &&
                   errno != EINPROGRESS))
        return -1;
    hurry(fd);
    return steal_fd(&fd);
}

static void hand_on(struct door *door, struct connection *connection)
{
    connection->guest.fd = reach(&door->forwards[connection->port]);
    connection->up = calloc(1, sizeof(*connection->up));
    connection->down = calloc(1, sizeof(*connection->down));
    if (connection->guest.fd < 0 || !connection->up || !connection->down)
        connection->is_over = true;
    else
        watch_ends(door, connection);
}

static void welcome(struct door *door, const struct source *listener)
{
    /* cppcheck-suppress nullPointer; who connects needs no address */
    CLEANUP_FD int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct connection *connection = fd < 0 ? NULL : calloc(1, sizeof(*connection));

    if (fd < 0)
        door->is_full = errno == EMFILE || errno == ENFILE || errno == ENOMEM;
    if (!connection || connections_append(&door->connections, connection) < 0) {
        free(connection);
        return;
    }
    hurry(fd);
    connection->client = (struct source){.fd = steal_fd(&fd), .connection = connection};
    connection->guest = (struct source){.fd = -1, .connection = connection};
    connection->port = listener->port;
    connection->since_us = romsim_clock_us();
    if (door->is_open[connection->port])
        hand_on(door, connection);
}

void door_let_in(struct door *door, size_t port)
{
    if (door->is_open[port])
        return;
    door->is_open[port] = true;
    for (size_t i = 0; i < door->connections.count; i++)
        if (door->connections.items[i]->port == port && !door->connections.items[i]->up)
            hand_on(door, door->connections.items[i]);
    drop_over(door);
}

void door_bar(struct door *door)
{
    memset(door->is_open, 0, door->count * sizeof(*door->is_open));
    door->is_full = false;
    for (size_t i = 0; i < door->connections.count; i++)
        door->connections.items[i]->is_over |= door->connections.items[i]->up != NULL;
    drop_over(door);
    watch(door, &door->lan, EPOLLIN);
}

void door_shut(struct door *door)
{
    door->is_shut = true;
    watch_listeners(door);
    for (size_t i = 0; i < door->count; i++)
        forward_shut(&door->forwards[i]);
}

/* ---- asking ------------------------------------------------------------------------------------
 */

bool door_is_wanted(const struct door *door)
{
    return door->is_called || door->connections.count > 0;
}

void door_answer(struct door *door)
{
    door->is_called = false;
    watch(door, &door->lan, 0);
}

size_t door_connections(const struct door *door)
{
    return door->connections.count;
}

/* One that waits holds it in any case, and so does a request. */
bool door_is_held(const struct door *door, bool by_open)
{
    for (size_t i = 0; i < door->connections.count; i++) {
        const struct connection *connection = door->connections.items[i];

        if (!connection->up || (by_open && !connection->down->is_told) ||
            (door->is_http[connection->port] && connection->is_asking))
            return true;
    }
    return false;
}

uint64_t door_traffic_us(const struct door *door)
{
    return door->traffic_us;
}

uint64_t door_due_us(const struct door *door)
{
    uint64_t first = 0;

    for (size_t i = 0; i < door->connections.count; i++) {
        const struct connection *connection = door->connections.items[i];

        if (!connection->up && (!first || connection->since_us < first))
            first = connection->since_us;
    }
    return first ? first + GATE_PATIENCE_S * 1000000ULL : 0;
}

void door_give_up(struct door *door)
{
    uint64_t now = romsim_clock_us();

    for (size_t i = 0; i < door->connections.count; i++) {
        struct connection *connection = door->connections.items[i];

        connection->is_over |=
            !connection->up && now - connection->since_us >= GATE_PATIENCE_S * 1000000ULL;
    }
    drop_over(door);
}

int door_lan(const struct door *door)
{
    return door->lan.fd;
}

int door_fd(const struct door *door)
{
    return door ? door->epoll : -1;
}

void door_dispatch(struct door *door)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(door->epoll, events, EVENTS, 0);

    for (int i = 0; i < count; i++) {
        struct source *source = events[i].data.ptr;

        if (source == &door->lan) {
            door->is_called = true;
            watch(door, source, 0);
        } else if (!source->connection) {
            welcome(door, source);
        } else if (!source->connection->is_over) {
            turn(door, source->connection);
        }
    }
    drop_over(door);
}

/* ---- from beginning to end --------------------------------------------------------------------
 */

static int open_ports(struct door *door, struct romsim_error *err)
{
    for (size_t i = 0; i < door->count; i++) {
        struct forward *forward = &door->forwards[i];

        if (!forward->host_port)
            continue;
        if (forward_listen(forward) < 0)
            return romsim_error_system(err, errno, "cannot serve the port %u", forward->host_port);
        door->listeners[i] = (struct source){.fd = forward->holder, .port = i};
    }
    watch_listeners(door);
    return 0;
}

struct door *door_open(const struct romsim_layout *layout, struct forward *forwards,
                       const char *directory, struct romsim_error *err)
{
    struct door *door = calloc(1, sizeof(*door));

    if (!door) {
        romsim_error_nomem(err);
        return NULL;
    }
    door->forwards = forwards;
    door->count = layout->port_count;
    door->lan.fd = -1;
    door->listeners = calloc(door->count + 1, sizeof(*door->listeners));
    door->is_open = calloc(door->count + 1, sizeof(*door->is_open));
    door->is_http = calloc(door->count + 1, sizeof(*door->is_http));
    door->epoll = epoll_create1(EPOLL_CLOEXEC);
    for (size_t i = 0; door->listeners && i < door->count; i++)
        door->listeners[i].fd = -1;
    for (size_t i = 0; door->is_http && i < door->count; i++)
        door->is_http[i] = layout->ports[i].handlers & ROMSIM_HANDLER_HTTP;
    if (!door->listeners || !door->is_open || !door->is_http || door->epoll < 0)
        romsim_error_system(err, errno, "cannot serve the ports");
    else if (open_ports(door, err) == 0 &&
             (!directory || (door->lan.fd = lan_listen(directory, err)) >= 0))
        return door;
    door_close(door);
    return NULL;
}

void door_close(struct door *door)
{
    if (!door)
        return;
    for (size_t i = 0; i < door->connections.count; i++)
        part(door, door->connections.items[i]);
    connections_reset(&door->connections);
    for (size_t i = 0; door->listeners && i < door->count; i++)
        if (door->listeners[i].fd >= 0)
            forward_shut(&door->forwards[i]);
    cleanup_close_fd(&door->lan.fd);
    cleanup_close_fd(&door->epoll);
    free(door->listeners);
    free(door->is_open);
    free(door->is_http);
    free(door);
}
