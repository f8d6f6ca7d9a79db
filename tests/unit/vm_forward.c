/* SPDX-License-Identifier: BSD-3-Clause */
/* vm_forward.c: host ports are claimed in order, kept, handed on and given back. */
#include "harness.h"

#include "sim/vm/forward.h"

#include <romsim/cleanup.h>

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/* Binds 127.0.0.1:PORT (0: any).  Returns a socket, or -1 with errno. */
static int bind_port(unsigned port, int reuse)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    CLEANUP_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse)), 0);
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0)
        return -1;
    return steal_fd(&fd);
}

static uint16_t port_of(int fd)
{
    struct sockaddr_in address;
    socklen_t size = sizeof(address);

    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    return ntohs(address.sin_port);
}

/* Two instances with the same port, which a third program has: each gets the next free one. */
START_TEST(numbers_follow_the_order_of_the_claims)
{
    CLEANUP_FD int taken = bind_port(0, 1);
    struct romsim_port port = {.port = 443, .destination_port = port_of(taken)};
    const struct romsim_layout layout = {.ports = &port, .port_count = 1};
    struct forward *first = forward_claim(&layout, NULL, NULL),
                   *second = forward_claim(&layout, NULL, NULL);

    ck_assert(first && second);
    ck_assert_uint_gt(first->host_port, port.destination_port);
    ck_assert_uint_gt(second->host_port, first->host_port);
    forward_release(first, 1);
    /* What was given back is had again. */
    first = forward_claim(&layout, NULL, NULL);
    ck_assert_uint_lt(first->host_port, second->host_port);
    forward_release(first, 1);
    forward_release(second, 1);
}
END_TEST

START_TEST(a_claimed_number_is_taken_until_it_is_handed_on)
{
    int some = bind_port(0, 1);
    struct romsim_port port = {.port = 443, .destination_port = port_of(some)};
    const struct romsim_layout layout = {.ports = &port, .port_count = 1};
    struct forward *forward;
    int server;

    close(some);
    forward = forward_claim(&layout, NULL, NULL);
    ck_assert_ptr_nonnull(forward);
    ck_assert_int_eq(bind_port(forward->host_port, 1), -1);
    ck_assert_int_eq(errno, EADDRINUSE);
    forward_yield(forward);
    /* Others still cannot have it; QEMU, which reuses addresses, can. */
    ck_assert_int_eq(bind_port(forward->host_port, 0), -1);
    server = bind_port(forward->host_port, 1);
    ck_assert_int_ge(server, 0);
    close(server);
    /* Once it is gone nobody can. */
    forward_reclaim(forward, 1);
    ck_assert_int_eq(bind_port(forward->host_port, 1), -1);
    ck_assert_int_eq(errno, EADDRINUSE);
    /* And again. */
    forward_yield(forward);
    server = bind_port(forward->host_port, 1);
    ck_assert_int_ge(server, 0);
    close(server);
    forward_release(forward, 1);
}
END_TEST

/* Who connects to an instance that is stopped is refused, as where nothing is, and does not wait.
 */
START_TEST(a_claimed_number_takes_no_connections)
{
    struct romsim_port port = {.port = 443, .destination_port = 8443};
    const struct romsim_layout layout = {.ports = &port, .port_count = 1};
    struct forward *forward = forward_claim(&layout, NULL, NULL);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    CLEANUP_FD int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_ptr_nonnull(forward);
    address.sin_port = htons(forward->host_port);
    ck_assert_int_eq(connect(client, (struct sockaddr *)&address, sizeof(address)), -1);
    ck_assert_int_eq(errno, ECONNREFUSED);
    forward_release(forward, 1);
}
END_TEST

START_TEST(a_number_that_was_asked_for_is_had_or_refused)
{
    int taken = bind_port(0, 1);
    struct romsim_port ports[] = {{.destination_port = 80, .host_port = port_of(taken)},
                                  {.destination_port = 80, .host_port = port_of(taken)}};
    const struct romsim_layout layout = {.ports = ports, .port_count = 2};
    struct romsim_error err = {0};
    struct forward *forwards;

    ck_assert_ptr_null(forward_claim(&layout, NULL, &err));
    ck_assert_int_eq(err.errnum, EADDRINUSE);
    close(taken);
    forwards = forward_claim(&layout, NULL, &err);
    ck_assert_ptr_nonnull(forwards);
    ck_assert_uint_eq(forwards[0].host_port, ports[0].host_port);
    /* The second is the same, and has nothing of its own. */
    ck_assert_uint_eq(forwards[1].host_port, 0);
    ck_assert_int_eq(forwards[1].holder, -1);
    forward_release(forwards, 2);
}
END_TEST

/* QEMU has not bound it yet, and another romsim looks for a number. */
START_TEST(a_number_that_is_handed_on_is_no_other_claims)
{
    int taken = bind_port(0, 1);
    struct romsim_port port = {.destination_port = 80, .host_port = port_of(taken)};
    const struct romsim_layout layout = {.ports = &port, .port_count = 1};
    struct forward *forward, *other;
    struct romsim_error err = {0};

    close(taken);
    forward = forward_claim(&layout, NULL, NULL);
    ck_assert_ptr_nonnull(forward);
    forward_yield(forward);
    ck_assert_ptr_null(forward_claim(&layout, NULL, &err));
    ck_assert_int_eq(err.errnum, EADDRINUSE);
    forward_release(forward, 1);
    other = forward_claim(&layout, NULL, NULL);
    ck_assert_ptr_nonnull(other);
    forward_release(other, 1);
}
END_TEST

START_TEST(a_number_may_be_another_addresses)
{
    int taken = bind_port(0, 1);
    struct romsim_port port = {.destination_port = 80, .host_port = port_of(taken)};
    const struct romsim_layout layout = {.ports = &port, .port_count = 1};
    struct romsim_error err = {0};
    struct forward *forward = forward_claim(&layout, "127.0.0.2", &err);
    char url[64];

    /* That of 127.0.0.1 is taken. */
    ck_assert_ptr_nonnull(forward);
    forward_url(&port, forward, url);
    ck_assert_ptr_eq(strstr(url, "http://127.0.0.2:"), url);
    forward_release(forward, 1);
    ck_assert_ptr_null(forward_claim(&layout, "0.0.0.0", &err));
    ck_assert_int_eq(err.errnum, EADDRINUSE);
    close(taken);
    forward = forward_claim(&layout, "0.0.0.0", &err);
    ck_assert_ptr_nonnull(forward);
    ck_assert_int_eq(bind_port(port.host_port, 0), -1);
    forward_release(forward, 1);
    ck_assert_ptr_null(forward_claim(&layout, "203.0.113.77", &err));
    ck_assert_int_eq(err.errnum, EADDRNOTAVAIL);
    ck_assert_ptr_nonnull(strstr(err.message, "of 203.0.113.77"));
    ck_assert_ptr_null(forward_claim(&layout, "nowhere", &err));
    ck_assert_int_eq(err.errnum, EINVAL);
}
END_TEST

START_TEST(where_hundreds_in_a_row_are_taken_any_number_will_do)
{
    enum { ROW = 300 };
    int row[ROW];
    unsigned first = 20000;
    struct romsim_port port = {.port = 443};
    const struct romsim_layout layout = {.ports = &port, .port_count = 1};
    struct forward *forward;

    /* What cannot be bound is taken by somebody else. */
    for (int i = 0; i < ROW; i++)
        row[i] = bind_port(first + (unsigned)i, 1);
    port.destination_port = (uint16_t)first;
    forward = forward_claim(&layout, NULL, NULL);
    ck_assert_ptr_nonnull(forward);
    ck_assert(forward->host_port < first || forward->host_port >= first + ROW);
    forward_release(forward, 1);
    for (int i = 0; i < ROW; i++)
        if (row[i] >= 0)
            close(row[i]);
}
END_TEST

UNIT_MAIN("vm_forward", numbers_follow_the_order_of_the_claims,
          a_claimed_number_is_taken_until_it_is_handed_on, a_claimed_number_takes_no_connections,
          a_number_that_was_asked_for_is_had_or_refused,
          a_number_that_is_handed_on_is_no_other_claims,
          where_hundreds_in_a_row_are_taken_any_number_will_do, a_number_may_be_another_addresses)
