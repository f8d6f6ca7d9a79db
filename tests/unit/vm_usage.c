/* SPDX-License-Identifier: BSD-3-Clause */
/* vm_usage.c: what a process takes of this machine, and who is connected to claimed ports. */
#include "harness.h"

#include "sim/vm/usage.h"

#include <romsim/clock.h>

#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

START_TEST(a_process_takes_memory_and_time_whatever_its_name_is)
{
    uint64_t end = romsim_clock_us() + 5000000;
    struct usage usage;

    /* It stands in the line that is read. */
    ck_assert_int_eq(prctl(PR_SET_NAME, "a) R 1 (b"), 0);
    do
        usage = usage_of(getpid());
    while (usage.cpu_ms < 20 && romsim_clock_us() < end);
    ck_assert_uint_ge(usage.cpu_ms, 20);
    ck_assert_uint_lt(usage.cpu_ms, 60000);
    ck_assert_uint_gt(usage.rss_bytes, 100000);
}
END_TEST

START_TEST(one_that_has_ended_takes_nothing)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert_uint_eq(usage_of(pid).rss_bytes, 0);
    ck_assert_uint_eq(usage_of(pid).cpu_ms, 0);
}
END_TEST

START_TEST(a_connection_counts_once_and_while_it_is_there)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct sockaddr *any = (struct sockaddr *)&address;
    socklen_t size = sizeof(address);
    struct forward forwards[2] = {{.address = INADDR_LOOPBACK}, {.address = INADDR_LOOPBACK}};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), server;

    ck_assert_int_eq(bind(listener, any, size), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(getsockname(listener, any, &size), 0);
    forwards[1].host_port = ntohs(address.sin_port);
    ck_assert_uint_eq(usage_connections(forwards, 2), 0);
    ck_assert_int_eq(connect(client, any, size), 0);
    server = accept(listener, NULL, NULL);
    ck_assert_int_ge(server, 0);
    ck_assert_uint_eq(usage_connections(forwards, 2), 1);
    ck_assert_uint_eq(usage_connections(forwards, 1), 0);
    forwards[1].address = INADDR_LOOPBACK + 1; /* is another's */
    ck_assert_uint_eq(usage_connections(forwards, 2), 0);
    forwards[1].address = INADDR_ANY;
    ck_assert_uint_eq(usage_connections(forwards, 2), 1);
    close(server);
    close(client);
    ck_assert_uint_eq(usage_connections(forwards, 2), 0);
    close(listener);
}
END_TEST

UNIT_MAIN("vm_usage", a_process_takes_memory_and_time_whatever_its_name_is,
          one_that_has_ended_takes_nothing, a_connection_counts_once_and_while_it_is_there)
