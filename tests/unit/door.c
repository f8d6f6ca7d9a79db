/* SPDX-License-Identifier: BSD-3-Clause */
/* door.c: ports that stay open while no guest is there. */
#include "harness.h"

#include "sim/vm/door.h"
#include "sim/vm/meeting.h"

#include <romsim/cleanup.h>

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TCP, HTTP, PORTS };
enum { LOOK_MS = 20000 };

/* An instance's ports, and who stands for its guest behind them. */
struct house {
    struct romsim_port ports[PORTS];
    struct romsim_layout layout;
    struct forward *forwards;
    struct door *door;
    int guest;
};

static uint16_t port_of(int fd)
{
    struct sockaddr_in address;
    socklen_t size = sizeof(address);

    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    return ntohs(address.sin_port);
}

static int new_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    return fd;
}

static void build(struct house *house, const char *directory)
{
    *house = (struct house){
        .ports = {{.port = 9000, .destination_port = 9000},
                  {.port = 8080, .destination_port = 8080, .handlers = ROMSIM_HANDLER_HTTP}}};
    house->layout = (struct romsim_layout){.ports = house->ports, .port_count = PORTS};
    house->forwards = forward_claim(&house->layout, NULL, NULL);
    ck_assert_ptr_nonnull(house->forwards);
    house->guest = new_socket();
    ck_assert_int_eq(listen(house->guest, 10), 0);
    for (int i = 0; i < PORTS; i++)
        house->forwards[i].inner_port = port_of(house->guest);
    house->door = door_open(&house->layout, house->forwards, directory, NULL);
    ck_assert_ptr_nonnull(house->door);
}

static void tear_down(struct house *house)
{
    door_close(house->door);
    forward_release(house->forwards, PORTS);
    close(house->guest);
}

static int connect_to(const struct house *house, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(house->forwards[port].host_port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = new_socket();

    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

static int visit(const struct house *house, int port)
{
    int fd = connect_to(house, port);

    ck_assert_int_ge(fd, 0);
    return fd;
}

/* Has the door work until somebody else has something to read. */
static void work_until_readable(const struct house *house, int fd)
{
    struct pollfd polls[] = {{fd, POLLIN, 0}, {door_fd(house->door), POLLIN, 0}};

    while (!polls[0].revents) {
        ck_assert_int_gt(poll(polls, 2, LOOK_MS), 0);
        if (polls[1].revents)
            door_dispatch(house->door);
    }
}

/* Until nothing is left to be done. */
static void work(const struct house *house)
{
    struct pollfd polls = {door_fd(house->door), POLLIN, 0};

    while (poll(&polls, 1, 50) > 0)
        door_dispatch(house->door);
}

/* What comes next: as many bytes as the text has, or with "" the end. */
static void ck_reads(const struct house *house, int fd, const char *text)
{
    char bytes[64];

    work_until_readable(house, fd);
    ck_assert_int_eq(recv(fd, bytes, *text ? strlen(text) : 1, 0), (ssize_t)strlen(text));
    ck_assert_mem_eq(bytes, text, strlen(text));
}

static void say(int fd, const char *text)
{
    ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static int take_in(const struct house *house)
{
    int fd;

    work_until_readable(house, house->guest);
    fd = accept(house->guest, NULL, NULL);
    ck_assert_int_ge(fd, 0);
    return fd;
}

START_TEST(who_connects_waits_for_the_guest_and_loses_nothing)
{
    struct pollfd guest = {.events = POLLIN};
    struct house house;
    int client, inside;

    build(&house, NULL);
    guest.fd = house.guest;
    ck_assert(!door_is_wanted(house.door) && door_due_us(house.door) == 0);
    client = visit(&house, TCP);
    say(client, "hello");
    ck_assert_int_eq(shutdown(client, SHUT_WR), 0);
    work(&house);
    ck_assert(door_is_wanted(house.door) && door_is_held(house.door, false));
    ck_assert_uint_gt(door_due_us(house.door), 0);
    ck_assert_int_eq(poll(&guest, 1, 0), 0);
    door_let_in(house.door, HTTP); /* another port's */
    ck_assert_int_eq(poll(&guest, 1, 0), 0);
    door_let_in(house.door, TCP);
    inside = take_in(&house);
    ck_reads(&house, inside, "hello");
    ck_reads(&house, inside, "");
    say(inside, "world");
    close(inside);
    ck_reads(&house, client, "world");
    ck_reads(&house, client, "");
    close(client);
    work(&house);
    ck_assert_uint_eq(door_connections(house.door), 0);
    ck_assert_uint_gt(door_traffic_us(house.door), 0);
    /* From now on nobody waits. */
    client = visit(&house, TCP);
    inside = take_in(&house);
    say(inside, "next");
    ck_reads(&house, client, "next");
    close(client);
    ck_reads(&house, inside, "");
    close(inside);
    tear_down(&house);
}
END_TEST

/* More than the sockets and the lanes have room for, to a guest that takes nothing at first. */
START_TEST(much_arrives_whole)
{
    enum { SIZE = 8 << 20 };
    struct house house;
    size_t sent = 0, got = 0;
    int client, inside;
    static uint8_t piece[1 << 16], back[1 << 16];

    build(&house, NULL);
    door_let_in(house.door, TCP);
    client = visit(&house, TCP);
    inside = take_in(&house);
    while (got < SIZE) {
        ssize_t size;

        for (size_t i = 0; i < sizeof(piece); i++)
            piece[i] = (uint8_t)((sent + i) * 2654435761U >> 24);
        size = sent < SIZE ? send(client, piece, sizeof(piece), MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
        sent += size > 0 ? (size_t)size : 0;
        door_dispatch(house.door);
        if (size > 0 && sent < SIZE / 2)
            continue;
        size = recv(inside, back, sizeof(back), MSG_DONTWAIT);
        for (ssize_t i = 0; i < size; i++)
            ck_assert_uint_eq(back[i], (uint8_t)((got + (size_t)i) * 2654435761U >> 24));
        got += size > 0 ? (size_t)size : 0;
    }
    ck_assert_uint_eq(got, sent);
    close(client);
    close(inside);
    tear_down(&house);
}
END_TEST

START_TEST(a_connection_holds_by_what_it_is)
{
    struct house house;
    int client, inside;

    build(&house, NULL);
    door_let_in(house.door, TCP);
    door_let_in(house.door, HTTP);
    client = visit(&house, TCP);
    inside = take_in(&house);
    say(client, "x");
    ck_reads(&house, inside, "x");
    ck_assert(door_is_held(house.door, true) && !door_is_held(house.door, false));
    /* The guest has said all that it has to say. */
    close(inside);
    ck_reads(&house, client, "");
    ck_assert(!door_is_held(house.door, true));
    close(client);
    work(&house);
    client = visit(&house, HTTP);
    inside = take_in(&house);
    ck_assert(!door_is_held(house.door, false));
    say(client, "GET /");
    ck_reads(&house, inside, "GET /");
    ck_assert(door_is_held(house.door, false));
    say(inside, "200");
    ck_reads(&house, client, "200");
    ck_assert(!door_is_held(house.door, false) && door_is_held(house.door, true));
    close(client);
    close(inside);
    tear_down(&house);
}
END_TEST

START_TEST(without_a_guest_what_was_handed_on_ends_and_others_wait)
{
    struct house house;
    int client, inside, next;

    build(&house, NULL);
    door_let_in(house.door, TCP);
    client = visit(&house, TCP);
    inside = take_in(&house);
    door_bar(house.door);
    ck_reads(&house, client, "");
    ck_reads(&house, inside, "");
    close(client);
    close(inside);
    ck_assert(!door_is_wanted(house.door));
    next = visit(&house, TCP);
    say(next, "again");
    work(&house);
    ck_assert(door_is_wanted(house.door));
    door_let_in(house.door, TCP);
    inside = take_in(&house);
    ck_reads(&house, inside, "again");
    close(next);
    close(inside);
    tear_down(&house);
}
END_TEST

/* Its own connections, which linger when it has closed them first, do not keep it from that. */
START_TEST(a_door_is_shut_and_opened_again)
{
    struct house house;
    int client, waiting;

    build(&house, NULL);
    client = visit(&house, TCP);
    work(&house);
    door_shut(house.door);
    ck_assert_int_eq(connect_to(&house, TCP), -1);
    ck_assert_int_eq(errno, ECONNREFUSED);
    ck_assert_uint_eq(door_connections(house.door), 1);
    door_close(house.door);
    ck_assert_int_le(recv(client, &waiting, 1, 0), 0);
    close(client);
    ck_assert_int_eq(connect_to(&house, TCP), -1);
    house.door = door_open(&house.layout, house.forwards, NULL, NULL);
    ck_assert_ptr_nonnull(house.door);
    client = visit(&house, TCP);
    work(&house);
    ck_assert(door_is_wanted(house.door));
    close(client);
    tear_down(&house);
}
END_TEST

START_TEST(a_guest_that_is_not_there_ends_the_connection)
{
    struct house house;
    int client, other = new_socket();

    build(&house, NULL);
    /* Bound, and nobody listens. */
    ck_assert_int_eq(bind(other, (struct sockaddr *)&(struct sockaddr_in){.sin_family = AF_INET},
                          sizeof(struct sockaddr_in)),
                     0);
    house.forwards[TCP].inner_port = port_of(other);
    door_let_in(house.door, TCP);
    client = visit(&house, TCP);
    ck_reads(&house, client, "");
    close(client);
    work(&house);
    ck_assert_uint_eq(door_connections(house.door), 0);
    close(other);
    tear_down(&house);
}
END_TEST

START_TEST(the_private_network_calls_and_what_it_sent_is_left_there)
{
    char directory[] = "/tmp/romsim-door-XXXXXX", path[64], text[8];
    struct house house;
    int caller, called;

    ck_assert_ptr_nonnull(mkdtemp(directory));
    build(&house, directory);
    caller = meeting_connect(directory, "network");
    ck_assert_int_ge(caller, 0);
    say(caller, "frame");
    work(&house);
    ck_assert(!door_is_wanted(house.door)); /* a guest is there, and its gate */
    door_bar(house.door);
    work(&house);
    ck_assert(door_is_wanted(house.door));
    door_answer(house.door);
    work(&house);
    ck_assert(!door_is_wanted(house.door));
    called = accept(door_lan(house.door), NULL, NULL);
    ck_assert_int_ge(called, 0);
    ck_assert_int_eq(recv(called, text, sizeof(text), 0), 5);
    close(called);
    close(caller);
    tear_down(&house);
    snprintf(path, sizeof(path), "%s/network", directory);
    unlink(path);
    rmdir(directory);
}
END_TEST

UNIT_MAIN("door", who_connects_waits_for_the_guest_and_loses_nothing, much_arrives_whole,
          a_connection_holds_by_what_it_is, without_a_guest_what_was_handed_on_ends_and_others_wait,
          a_door_is_shut_and_opened_again, a_guest_that_is_not_there_ends_the_connection,
          the_private_network_calls_and_what_it_sent_is_left_there)
