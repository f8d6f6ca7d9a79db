/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lan.c: the private network: frames from one instance's gate to another's, and the names of
 * instances.
 *
 * Sockets are SOCK_SEQPACKET: of datagrams some kernels keep only ten for a reader
 * (max_dgram_qlen), fewer than TCP sends at once.
 *
 * Who is there is read from the folders, and believed for some milliseconds, so that a guest that
 * tries all addresses costs no more than that.  A connection is believed until it breaks.
 */
#include "lan.h"

#include "address.h"
#include "meeting.h"
#include "packet.h"

#include <romsim/cleanup.h>
#include <romsim/clock.h>
#include <romsim/state.h>
#include <romsim/vector.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define LAN_SOCKET "network"

enum {
    IN_MAX = LAN_POLLS - 1,
    OUT_MAX = 64,
    TURN_FRAMES = 64, /* of one connection, before the next has its turn */
    BELIEVED_MS = 20
};

struct neighbour {
    uint32_t address;
    char *directory;  /* owned */
    const char *name; /* the last part of it */
};

DEFINE_VECTOR(neighbours, struct neighbour);

struct connection {
    uint32_t address;
    int fd; /* -1: none */
};

struct lan {
    int listener;
    int in[IN_MAX];                 /* -1: none */
    struct connection out[OUT_MAX]; /* to neighbours */
    size_t next_in, next_out;       /* to be replaced when all are taken */
    struct neighbours neighbours;   /* as they were at the time: */
    int64_t looked_ms;              /* 0: never */
    uint8_t frame[FRAME_MAX];
};

/* ---- who is there -----------------------------------------------------------------------------
 */

static int64_t now_ms(void)
{
    return (int64_t)(romsim_clock_us() / 1000) + 1;
}

static void forget(struct lan *lan)
{
    for (size_t i = 0; i < lan->neighbours.count; i++)
        free(lan->neighbours.items[i].directory);
    neighbours_reset(&lan->neighbours);
}

static void look_visit(void *context, const struct romsim_state_entry *entry)
{
    struct neighbour neighbour = {address_of(entry->number), strdup(entry->directory), NULL};
    struct lan *lan = context;

    if (neighbour.directory)
        neighbour.name = strrchr(neighbour.directory, '/') + 1;
    if (!neighbour.directory || neighbours_append(&lan->neighbours, neighbour) < 0)
        free(neighbour.directory);
}

static void look(struct lan *lan)
{
    if (lan->looked_ms && now_ms() - lan->looked_ms < BELIEVED_MS)
        return;
    forget(lan);
    romsim_state_each(ROMSIM_STATE_INSTANCE, look_visit, lan);
    lan->looked_ms = now_ms();
}

/* Names differ in their letters' case here and not in the DNS: as it is written wins. */
uint32_t lan_find(struct lan *lan, const char *name)
{
    uint32_t address = 0;

    look(lan);
    for (size_t i = 0; i < lan->neighbours.count; i++) {
        const struct neighbour *neighbour = &lan->neighbours.items[i];

        if (strcmp(neighbour->name, name) == 0)
            return neighbour->address;
        if (strcasecmp(neighbour->name, name) == 0)
            address = neighbour->address;
    }
    return address;
}

/* ---- sending ----------------------------------------------------------------------------------
 */

static int connect_to(struct lan *lan, uint32_t address)
{
    look(lan);
    for (size_t i = 0; i < lan->neighbours.count; i++)
        if (lan->neighbours.items[i].address == address)
            return meeting_connect(lan->neighbours.items[i].directory, LAN_SOCKET);
    errno = ENOENT;
    return -1;
}

static struct connection *find_connection(struct lan *lan, uint32_t address)
{
    for (size_t i = 0; i < OUT_MAX; i++)
        if (lan->out[i].fd >= 0 && lan->out[i].address == address)
            return &lan->out[i];
    return NULL;
}

static struct connection *free_connection(struct lan *lan)
{
    struct connection *connection;

    for (size_t i = 0; i < OUT_MAX; i++)
        if (lan->out[i].fd < 0)
            return &lan->out[i];
    connection = &lan->out[lan->next_out++ % OUT_MAX];
    cleanup_close_fd(&connection->fd);
    connection->fd = -1;
    return connection;
}

/* Is it that the other has no time, or memory, now? */
static bool is_lost(void)
{
    return errno == EAGAIN || errno == EINTR || errno == ENOBUFS || errno == ENOMEM ||
           errno == EMSGSIZE;
}

static bool send_on(const struct connection *connection, const uint8_t *frame, size_t size)
{
    return send(connection->fd, frame, size, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 || is_lost();
}

bool lan_send(struct lan *lan, uint32_t address, const uint8_t *frame, size_t size)
{
    struct connection *connection = find_connection(lan, address);

    if (connection && send_on(connection, frame, size))
        return true;
    /* It has been stopped since; it may have been started again. */
    if (connection)
        cleanup_close_fd(&connection->fd);
    else
        connection = free_connection(lan);
    *connection = (struct connection){address, connect_to(lan, address)};
    return connection->fd >= 0 ? send_on(connection, frame, size) : is_lost();
}

/* ---- receiving --------------------------------------------------------------------------------
 */

void lan_polls(const struct lan *lan, struct pollfd ret[LAN_POLLS])
{
    ret[0] = (struct pollfd){lan->listener, POLLIN, 0};
    for (size_t i = 0; i < IN_MAX; i++)
        ret[1 + i] = (struct pollfd){lan->in[i], POLLIN, 0};
}

/* One more; if there is no room, in place of one that has to connect again. */
static void welcome(struct lan *lan)
{
    /* cppcheck-suppress nullPointer ; who connects has no address */
    int fd = accept4(lan->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    size_t place = 0;

    if (fd < 0)
        return;
    while (place < IN_MAX && lan->in[place] >= 0)
        place++;
    if (place == IN_MAX) {
        place = lan->next_in++ % IN_MAX;
        cleanup_close_fd(&lan->in[place]);
    }
    lan->in[place] = fd;
}

static void receive(struct lan *lan, int *fd, lan_taker *take, void *context)
{
    for (unsigned i = 0; i < TURN_FRAMES; i++) {
        ssize_t size = recv(*fd, lan->frame, sizeof(lan->frame), MSG_DONTWAIT | MSG_TRUNC);

        if (size < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (size <= 0) {
            cleanup_close_fd(fd);
            *fd = -1;
            return;
        }
        if ((size_t)size <= sizeof(lan->frame))
            take(context, lan->frame, (size_t)size);
    }
}

void lan_dispatch(struct lan *lan, const struct pollfd polls[LAN_POLLS], lan_taker *take,
                  void *context)
{
    for (size_t i = 0; i < IN_MAX; i++)
        if (polls[1 + i].revents)
            receive(lan, &lan->in[i], take, context);
    if (polls[0].revents)
        welcome(lan);
}

/* ---- from beginning to end --------------------------------------------------------------------
 */

int lan_listen(const char *directory, struct romsim_error *err)
{
    int listener = meeting_listen(directory, LAN_SOCKET);

    if (listener >= 0)
        return listener;
    romsim_error_system(err, errno, "cannot join the private network");
    return romsim_error_hint(err, "with --isolated the instance starts without it");
}

struct lan *lan_open(const char *directory, int listener, struct romsim_error *err)
{
    struct lan *lan = calloc(1, sizeof(*lan));

    if (!lan) {
        romsim_error_nomem(err);
        return NULL;
    }
    for (size_t i = 0; i < IN_MAX; i++)
        lan->in[i] = -1;
    for (size_t i = 0; i < OUT_MAX; i++)
        lan->out[i].fd = -1;
    lan->listener = listener < 0 ? lan_listen(directory, err) : fcntl(listener, F_DUPFD_CLOEXEC, 0);
    if (lan->listener >= 0)
        return lan;
    if (listener >= 0)
        romsim_error_system(err, errno, "cannot join the private network");
    lan_close(lan);
    return NULL;
}

void lan_close(struct lan *lan)
{
    if (!lan)
        return;
    cleanup_close_fd(&lan->listener);
    for (size_t i = 0; i < IN_MAX; i++)
        cleanup_close_fd(&lan->in[i]);
    for (size_t i = 0; i < OUT_MAX; i++)
        cleanup_close_fd(&lan->out[i].fd);
    forget(lan);
    free(lan);
}
