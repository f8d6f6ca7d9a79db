/* SPDX-License-Identifier: BSD-3-Clause */
/* vm_channel.c: the line between an instance's keeper and its clients, when one of them is slow or
 * gone, and the console's log behind it. */
#include "harness.h"

#include "sim/vm/channel.h"

#include <romsim/cleanup.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

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

    channel_event(channel, &event);
}

START_TEST(what_a_keeper_said_at_last_arrives_though_it_did_not_read_the_wish)
{
    char text[CHANNEL_TEXT_MAX + 1];
    struct romsim_vm_event event;
    struct channel channel;
    CLEANUP_FD int client = open_pair(&channel);

    say(&channel, ROMSIM_VM_EXIT, "", 0, 7);
    channel_flush(&channel);
    ck_assert_int_eq(channel_request(client, json_object(), -1, NULL), 0);
    channel_close(&channel);
    ck_assert_int_eq(channel_receive(client, text, &event, NULL), 1);
    ck_assert_int_eq(event.kind, ROMSIM_VM_EXIT);
    ck_assert_int_eq(event.status, 7);
    ck_assert_int_eq(channel_receive(client, text, &event, NULL), 0);
}
END_TEST

/* The client reads nothing for long: the keeper goes on, and nothing is lost or out of order. */
START_TEST(a_slow_client_gets_all_in_order)
{
    enum { EVENTS = 5000, PIECE = 1000 };
    static char text[CHANNEL_TEXT_MAX + 1], piece[PIECE];
    struct console_log log;
    struct romsim_vm_event event;
    struct channel channel;
    CLEANUP_FD int client = open_pair(&channel);
    size_t console = 0;
    int notes = 0;

    ck_assert_int_eq(console_log_open(&log, NULL), 0);
    channel_console(&channel, &log, 0, CHANNEL_FOLLOW);
    for (int i = 0; i < EVENTS; i++) {
        console_log_add(&log, piece, sizeof(piece), 0);
        say(&channel, ROMSIM_VM_NOTE, "note", 4, i);
    }
    ck_assert_uint_gt(channel_kept(&channel), EVENTS * PIECE);
    while (notes < EVENTS) {
        channel_flush(&channel);
        while (channel_receive(client, text, &event, NULL) > 0) {
            if (event.kind == ROMSIM_VM_CONSOLE) {
                console += event.size;
                continue;
            }
            ck_assert_int_eq(event.status, notes++);
            ck_assert_uint_eq(console, (size_t)notes * PIECE);
        }
    }
    ck_assert_uint_eq(channel_kept(&channel), 0);
    console_log_add(&log, "last", 4, 0);
    channel_flush(&channel);
    ck_assert_int_eq(channel_receive(client, text, &event, NULL), 1);
    ck_assert_str_eq(event.text, "last");
    channel_close(&channel);
    console_log_close(&log);
}
END_TEST

/* Reads what the console said from the client's end, and counts the notes between. */
static size_t read_console(int client, char *ret, size_t room, int *notes)
{
    static char text[CHANNEL_TEXT_MAX + 1];
    struct romsim_vm_event event;
    size_t size = 0;

    while (channel_receive(client, text, &event, NULL) > 0)
        if (event.kind == ROMSIM_VM_CONSOLE) {
            ck_assert_uint_le(size + event.size, room);
            memcpy(ret + size, event.text, event.size);
            size += event.size;
        } else {
            ++*notes;
        }
    return size;
}

START_TEST(a_range_of_the_log_comes_before_its_answer_and_nothing_after_it)
{
    static char text[CHANNEL_TEXT_MAX + 1], got[100];
    struct console_log log;
    struct romsim_vm_event event;
    struct channel channel;
    CLEANUP_FD int client = open_pair(&channel);
    int answers = 0;

    ck_assert_int_eq(console_log_open(&log, NULL), 0);
    console_log_add(&log, "0123456789", 10, 0);
    channel_console(&channel, &log, 2, 7);
    channel_answer(&channel, json_pack("{s:i}", "n", 1));
    console_log_add(&log, "more", 4, 0);
    channel_answer(&channel, json_pack("{s:i}", "n", 2));
    channel_flush(&channel);
    ck_assert_uint_eq(channel_kept(&channel), 0);
    ck_assert_uint_eq(read_console(client, got, sizeof(got), &answers), 5);
    ck_assert_mem_eq(got, "23456", 5);
    ck_assert_int_eq(answers, 2);
    ck_assert_int_eq(channel_receive(client, text, &event, NULL), -1);
    channel_close(&channel);
    console_log_close(&log);
}
END_TEST

START_TEST(who_is_slower_than_the_log_is_long_is_told_of_the_loss)
{
    static char piece[1 << 20], got[CONSOLE_LOG_BYTES];
    struct console_log log;
    struct channel channel;
    CLEANUP_FD int client = open_pair(&channel);
    size_t size = 0;
    int notes = 0;

    ck_assert_int_eq(console_log_open(&log, NULL), 0);
    channel_console(&channel, &log, 0, CHANNEL_FOLLOW);
    for (int i = 0; i < 20; i++) {
        memset(piece, 'a' + i, sizeof(piece));
        console_log_add(&log, piece, sizeof(piece), 0);
    }
    ck_assert_uint_eq(log.start, 4 << 20);
    ck_assert_uint_eq(log.end, 20 << 20);
    while (channel_kept(&channel)) {
        channel_flush(&channel);
        size += read_console(client, got + size, sizeof(got) - size, &notes);
    }
    ck_assert_uint_eq(size, CONSOLE_LOG_BYTES);
    ck_assert_int_eq(got[0], 'a' + 4);
    ck_assert_int_eq(got[sizeof(got) - 1], 'a' + 19);
    ck_assert_int_eq(notes, 1);
    channel_close(&channel);
    console_log_close(&log);
}
END_TEST

START_TEST(the_log_gives_any_range_over_its_seam)
{
    enum { MORE = 777 };
    static uint8_t got[1000];
    struct console_log log;

    ck_assert_int_eq(console_log_open(&log, NULL), 0);
    for (int i = 0; i < CONSOLE_LOG_BYTES + MORE; i++)
        console_log_add(&log, &(uint8_t){(uint8_t)(i % 251)}, 1, 0);
    ck_assert_uint_eq(log.start, MORE);
    ck_assert_uint_eq(console_log_read(&log, CONSOLE_LOG_BYTES - 100, got, sizeof(got)),
                      100 + MORE);
    for (int i = 0; i < 100 + MORE; i++)
        ck_assert_uint_eq(got[i], (uint8_t)((CONSOLE_LOG_BYTES - 100 + i) % 251));
    ck_assert_uint_eq(console_log_read(&log, log.end, got, sizeof(got)), 0);
    console_log_close(&log);
}
END_TEST

START_TEST(a_request_of_any_length_arrives)
{
    static const size_t sizes[] = {1, 60000, 70000, 5 << 20};
    struct channel channel;
    CLEANUP_FD int client = open_pair(&channel);

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        CLEANUP_FREE char *text = malloc(sizes[i] + 1);
        json_t *request = NULL;
        int passed = 0;

        memset(text, 'x', sizes[i]);
        text[sizes[i]] = '\0';
        ck_assert_int_eq(channel_request(client, json_pack("{s:s}", "do", text), -1, NULL), 0);
        ck_assert_int_eq(channel_take_request(&channel, &request, &passed), 1);
        ck_assert_str_eq(json_string_value(json_object_get(request, "do")), text);
        ck_assert_int_eq(passed, -1);
        json_decref(request);
        ck_assert_int_eq(channel_take_request(&channel, &request, &passed), -1);
    }
    channel_close(&channel);
}
END_TEST

START_TEST(a_descriptor_comes_with_its_request)
{
    CLEANUP_FREE char *text = malloc(70001);
    struct channel channel;
    CLEANUP_FD int client = open_pair(&channel);
    json_t *request = NULL;
    int ends[2], passed = -1;
    char byte = 0;

    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(channel_request(client, json_pack("{s:s}", "do", "input"), ends[0], NULL), 0);
    close(ends[0]);
    ck_assert_int_eq(channel_take_request(&channel, &request, &passed), 1);
    ck_assert_str_eq(json_string_value(json_object_get(request, "do")), "input");
    ck_assert_int_ge(passed, 0);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    ck_assert_int_eq(read(passed, &byte, 1), 1);
    ck_assert_int_eq(byte, 'x');
    json_decref(request);
    close(passed);
    /* A long request is a descriptor itself, and has no room for another. */
    memset(text, 'x', 70000);
    text[70000] = '\0';
    ck_assert_int_eq(channel_request(client, json_pack("{s:s}", "do", text), ends[1], NULL), -1);
    ck_assert_int_eq(channel_take_request(&channel, &request, &passed), -1);
    close(ends[1]);
    channel_close(&channel);
}
END_TEST

START_TEST(what_is_no_json_is_a_request_of_nothing)
{
    struct channel channel;
    CLEANUP_FD int client = open_pair(&channel);
    json_t *request = NULL;
    int passed = 0;

    ck_assert_int_eq(send(client, "{\"do\": ", 7, 0), 7);
    ck_assert_int_eq(channel_take_request(&channel, &request, &passed), 1);
    ck_assert_ptr_null(request);
    ck_assert_int_eq(passed, -1);
    channel_close(&channel);
}
END_TEST

START_TEST(a_long_answer_comes_in_parts_and_a_long_error_is_cut)
{
    static char text[CHANNEL_TEXT_MAX + 1], sent[3 * CHANNEL_TEXT_MAX + 5], got[sizeof(sent) + 20];
    struct romsim_vm_event event;
    struct channel channel;
    CLEANUP_FD int client = open_pair(&channel);
    size_t size = 0;
    int kind = CHANNEL_ANSWER_PART;

    memset(sent, 'a', sizeof(sent) - 1);
    channel_answer(&channel, json_pack("{s:s}", "x", sent));
    while (kind == CHANNEL_ANSWER_PART) {
        channel_flush(&channel);
        ck_assert_int_eq(channel_receive(client, text, &event, NULL), 1);
        kind = (int)event.kind;
        memcpy(got + size, event.text, event.size);
        size += event.size;
    }
    ck_assert_int_eq(kind, CHANNEL_ANSWER);
    ck_assert_uint_eq(size, sizeof(sent) - 1 + strlen("{\"x\":\"\"}"));
    say(&channel, ROMSIM_VM_FAILED, sent, sizeof(sent), 0);
    channel_flush(&channel);
    ck_assert_int_eq(channel_receive(client, text, &event, NULL), 1);
    ck_assert_uint_eq(event.size, CHANNEL_TEXT_MAX);
    ck_assert_int_eq(channel_receive(client, text, &event, NULL), -1);
    channel_close(&channel);
}
END_TEST

/* A file with one word in it. */
static int file_with(const char *word)
{
    int fd = memfd_create("test", MFD_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, word, strlen(word)), (int)strlen(word));
    return fd;
}

static unsigned open_files(void)
{
    unsigned count = 0;

    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

START_TEST(a_descriptor_comes_with_its_answer)
{
    static const char *const words[] = {"zero", "one", "two"};
    char text[CHANNEL_TEXT_MAX + 1], got[8];
    struct romsim_vm_event event;
    struct channel channel;
    CLEANUP_FD int client = open_pair(&channel);
    unsigned before = open_files();
    int passed;

    for (int i = 0; i < 3; i++) {
        CLEANUP_FD int fd = file_with(words[i]);

        say(&channel, ROMSIM_VM_NOTE, "x", 1, 0);
        channel_answer_fd(&channel, json_pack("{s:i}", "n", i), fd);
    }
    channel_flush(&channel);
    ck_assert_uint_eq(channel_kept(&channel), 0);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(channel_receive(client, text, &event, &passed), 1);
        ck_assert_int_eq(passed, -1);
        ck_assert_int_eq(channel_receive(client, text, &event, &passed), 1);
        ck_assert_int_eq((int)event.kind, CHANNEL_ANSWER);
        ck_assert_int_eq(fcntl(passed, F_GETFD), FD_CLOEXEC);
        ck_assert_int_eq(pread(passed, got, sizeof(got), 0), (int)strlen(words[i]));
        ck_assert_mem_eq(got, words[i], strlen(words[i]));
        close(passed);
    }
    ck_assert_uint_eq(open_files(), before);
    channel_close(&channel);
}
END_TEST

/* The log drops more and more while the client's socket is full, and each time somebody tries to
 * tell it. */
START_TEST(a_client_that_is_too_slow_is_told_of_every_byte_that_it_lost)
{
    enum { PIECE = 1 << 20, PIECES = 40 };
    static char text[CHANNEL_TEXT_MAX + 1];
    CLEANUP_FREE char *piece = calloc(1, PIECE);
    uint64_t taken = 0, lost = 0;
    struct romsim_vm_event event;
    struct console_log log;
    struct channel channel;
    CLEANUP_FD int client = open_pair(&channel);

    ck_assert_int_eq(console_log_open(&log, NULL), 0);
    channel_console(&channel, &log, 0, CHANNEL_FOLLOW);
    for (int i = 0; i < PIECES; i++) {
        console_log_add(&log, piece, PIECE, 0);
        channel_flush(&channel);
    }
    while (taken + lost < (uint64_t)PIECES * PIECE) {
        while (channel_receive(client, text, &event, NULL) > 0) {
            if (event.kind == ROMSIM_VM_CONSOLE)
                taken += event.size;
            else
                lost += strtoull(event.text, NULL, 10);
        }
        if (channel_kept(&channel) == 0)
            break;
        channel_flush(&channel);
    }
    ck_assert_uint_eq(taken + lost, (uint64_t)PIECES * PIECE);
    ck_assert_uint_ge(lost, (uint64_t)PIECES * PIECE - CONSOLE_LOG_BYTES - (1 << 20));
    channel_close(&channel);
    console_log_close(&log);
}
END_TEST

/* Nobody has the keeper run out of descriptors, and none of them is left. */
START_TEST(who_asks_for_descriptors_and_takes_none_is_lost)
{
    struct channel channel;
    CLEANUP_FD int client = open_pair(&channel);
    CLEANUP_FD int fd = file_with("x");
    unsigned before = open_files();

    ck_assert_int_ge(client, 0);
    for (int i = 0; i < CHANNEL_PASSING_MAX; i++)
        channel_answer_fd(&channel, json_object(), fd);
    ck_assert_int_ge(channel.fd, 0);
    ck_assert_uint_eq(open_files(), before + CHANNEL_PASSING_MAX);
    channel_answer_fd(&channel, json_object(), fd);
    ck_assert_int_eq(channel.fd, -1);
    ck_assert_uint_eq(open_files(), before - 1);
    channel_answer_fd(&channel, json_object(), fd);
    ck_assert_uint_eq(open_files(), before - 1);
}
END_TEST

START_TEST(a_descriptor_that_is_not_asked_for_is_not_taken)
{
    char text[CHANNEL_TEXT_MAX + 1];
    struct romsim_vm_event event;
    struct channel channel;
    CLEANUP_FD int client = open_pair(&channel);
    CLEANUP_FD int fd = file_with("x");
    unsigned before = open_files();

    channel_answer_fd(&channel, json_object(), fd);
    channel_flush(&channel);
    ck_assert_int_eq(channel_receive(client, text, &event, NULL), 1);
    ck_assert_uint_eq(open_files(), before);
    channel_close(&channel);
}
END_TEST

START_TEST(a_client_that_is_gone_closes_the_channel)
{
    struct channel channel;
    int client = open_pair(&channel);

    close(client);
    say(&channel, ROMSIM_VM_NOTE, "x", 1, 0);
    channel_flush(&channel);
    ck_assert_int_eq(channel.fd, -1);
    ck_assert_uint_eq(channel_kept(&channel), 0);
    say(&channel, ROMSIM_VM_NOTE, "x", 1, 0);
    channel_close(&channel);
}
END_TEST

UNIT_MAIN("vm_channel", what_a_keeper_said_at_last_arrives_though_it_did_not_read_the_wish,
          a_slow_client_gets_all_in_order,
          a_range_of_the_log_comes_before_its_answer_and_nothing_after_it,
          who_is_slower_than_the_log_is_long_is_told_of_the_loss,
          the_log_gives_any_range_over_its_seam, a_request_of_any_length_arrives,
          a_descriptor_comes_with_its_request, what_is_no_json_is_a_request_of_nothing,
          a_long_answer_comes_in_parts_and_a_long_error_is_cut, a_descriptor_comes_with_its_answer,
          a_client_that_is_too_slow_is_told_of_every_byte_that_it_lost,
          who_asks_for_descriptors_and_takes_none_is_lost,
          a_descriptor_that_is_not_asked_for_is_not_taken, a_client_that_is_gone_closes_the_channel)
