/* SPDX-License-Identifier: BSD-3-Clause */
/* vm_channel.c: the line between a supervisor and its client, when one of them is slow or gone. */
#include "harness.h"

#include "sim/vm/channel.h"

#include <romsim/cleanup.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* A channel, and the client's end of it. */
static int open_pair(struct channel *ret)
{
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    channel_open(ret, pair[0]);
    return pair[1];
}

static void say(struct channel *channel, enum romsim_vm_event_kind kind, const char *text,
                size_t size, int status)
{
    const struct romsim_vm_event event = {
        .kind = kind, .text = text, .size = size, .status = status};

    channel_send(channel, &event);
}

START_TEST(what_a_supervisor_said_at_last_arrives_though_it_did_not_read_the_wish)
{
    char text[CHANNEL_TEXT_MAX + 1];
    struct romsim_vm_event event;
    struct channel channel;
    CLEANUP_FD int client = open_pair(&channel);

    say(&channel, ROMSIM_VM_EXIT, "", 0, 7);
    ck_assert_int_eq(send(client, "k", 1, MSG_NOSIGNAL), 1);
    channel_close(&channel);
    ck_assert_int_eq(channel_receive(client, text, &event), 1);
    ck_assert_int_eq(event.kind, ROMSIM_VM_EXIT);
    ck_assert_int_eq(event.status, 7);
    ck_assert_int_eq(channel_receive(client, text, &event), 0);
}
END_TEST

/* The client reads nothing for long: the supervisor goes on, and nothing is lost or out of order.
 */
START_TEST(a_slow_client_gets_all_in_order)
{
    enum { EVENTS = 5000 };
    static char text[CHANNEL_TEXT_MAX + 1], padding[1000];
    struct romsim_vm_event event;
    struct channel channel;
    CLEANUP_FD int client = open_pair(&channel);
    int got = 0;

    for (int i = 0; i < EVENTS; i++)
        say(&channel, ROMSIM_VM_CONSOLE, padding, sizeof(padding), i);
    ck_assert_uint_gt(channel_kept(&channel), EVENTS * sizeof(padding) / 2);
    while (got < EVENTS) {
        channel_flush(&channel);
        while (channel_receive(client, text, &event) > 0) {
            ck_assert_int_eq(event.status, got++);
            ck_assert_uint_eq(event.size, sizeof(padding));
        }
    }
    ck_assert_uint_eq(channel_kept(&channel), 0);
    say(&channel, ROMSIM_VM_CONSOLE, "last", 4, EVENTS);
    ck_assert_int_eq(channel_receive(client, text, &event), 1);
    ck_assert_str_eq(event.text, "last");
    channel_close(&channel);
}
END_TEST

START_TEST(a_long_text_is_cut_into_pieces)
{
    static char text[CHANNEL_TEXT_MAX + 1], sent[3 * CHANNEL_TEXT_MAX + 5];
    struct romsim_vm_event event;
    struct channel channel;
    CLEANUP_FD int client = open_pair(&channel);
    size_t got = 0;

    for (size_t i = 0; i < sizeof(sent); i++)
        sent[i] = (char)('a' + i % 23);
    say(&channel, ROMSIM_VM_CONSOLE, sent, sizeof(sent), 0);
    while (channel_receive(client, text, &event) > 0) {
        ck_assert_mem_eq(text, sent + got, event.size);
        got += event.size;
    }
    ck_assert_uint_eq(got, sizeof(sent));
    /* An error is one event, whatever its length. */
    say(&channel, ROMSIM_VM_FAILED, sent, sizeof(sent), 0);
    ck_assert_int_eq(channel_receive(client, text, &event), 1);
    ck_assert_uint_eq(event.size, CHANNEL_TEXT_MAX);
    ck_assert_int_eq(channel_receive(client, text, &event), -1);
    channel_close(&channel);
}
END_TEST

START_TEST(a_client_that_is_gone_closes_the_channel)
{
    struct channel channel;
    int client = open_pair(&channel);

    close(client);
    say(&channel, ROMSIM_VM_NOTE, "x", 1, 0);
    ck_assert_int_eq(channel.fd, -1);
    ck_assert_uint_eq(channel_kept(&channel), 0);
    say(&channel, ROMSIM_VM_NOTE, "x", 1, 0);
    channel_close(&channel);
}
END_TEST

UNIT_MAIN("vm_channel", what_a_supervisor_said_at_last_arrives_though_it_did_not_read_the_wish,
          a_slow_client_gets_all_in_order, a_long_text_is_cut_into_pieces,
          a_client_that_is_gone_closes_the_channel)
