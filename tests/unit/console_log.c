/* SPDX-License-Identifier: BSD-3-Clause */
/* console_log.c: what a console has said stays, with its offsets, until newer bytes need the room.
 */
#include "harness.h"

#include "sim/vm/console_log.h"

static struct console_log log_;

static void setup(void)
{
    ck_assert_int_eq(console_log_open(&log_, NULL), 0);
}

static void teardown(void)
{
    console_log_close(&log_);
}

static void say(const char *text, time_t time)
{
    console_log_add(&log_, text, strlen(text), time);
}

/* What stands at an offset, as a text. */
static const char *at(uint64_t offset, size_t size)
{
    static char text[64];

    ck_assert_uint_lt(size, sizeof(text));
    text[console_log_read(&log_, offset, text, size)] = '\0';
    return text;
}

START_TEST(bytes_are_found_at_their_offsets)
{
    say("one", 1);
    say("two", 1);
    ck_assert_uint_eq(log_.start, 0);
    ck_assert_uint_eq(log_.end, 6);
    ck_assert_str_eq(at(0, 6), "onetwo");
    ck_assert_str_eq(at(2, 2), "et");
    /* No more than there is. */
    ck_assert_str_eq(at(4, 60), "wo");
    ck_assert_str_eq(at(6, 60), "");
}
END_TEST

START_TEST(the_oldest_goes_and_offsets_stay)
{
    enum { PIECE = 1000003 }; /* so that pieces lie across the ring's end */
    char *piece = malloc(PIECE);
    uint64_t written = 0;

    ck_assert_ptr_nonnull(piece);
    for (int i = 0; i < 40; i++) {
        memset(piece, 'a' + i % 26, PIECE);
        console_log_add(&log_, piece, PIECE, i);
        written += PIECE;
    }
    ck_assert_uint_eq(log_.end, written);
    ck_assert_uint_eq(log_.end - log_.start, CONSOLE_LOG_BYTES);
    for (uint64_t offset = log_.start; offset < log_.end; offset += 4099)
        ck_assert_int_eq(*at(offset, 1), 'a' + (int)(offset / PIECE) % 26);
    ck_assert_str_eq(at(log_.end - 3, 10), "nnn");
    /* One write of more than there is room for leaves its end. */
    free(piece);
    piece = calloc(1, CONSOLE_LOG_BYTES + 10);
    ck_assert_ptr_nonnull(piece);
    memset(piece + CONSOLE_LOG_BYTES + 7, 'e', 3);
    console_log_add(&log_, piece, CONSOLE_LOG_BYTES + 10, 50);
    ck_assert_uint_eq(log_.end, written + CONSOLE_LOG_BYTES + 10);
    ck_assert_uint_eq(log_.end - log_.start, CONSOLE_LOG_BYTES);
    ck_assert_str_eq(at(log_.end - 4, 5), "");
    ck_assert_str_eq(at(log_.end - 3, 3), "eee");
    free(piece);
}
END_TEST

START_TEST(a_time_leads_to_what_was_said_then_or_later)
{
    ck_assert_uint_eq(console_log_since(&log_, 0), 0);
    say("a", 10);
    say("b", 10);
    say("c", 12);
    say("d", 20);
    ck_assert_uint_eq(console_log_since(&log_, 0), 0);
    ck_assert_uint_eq(console_log_since(&log_, 10), 0);
    ck_assert_uint_eq(console_log_since(&log_, 11), 2);
    ck_assert_uint_eq(console_log_since(&log_, 12), 2);
    ck_assert_uint_eq(console_log_since(&log_, 13), 3);
    ck_assert_uint_eq(console_log_since(&log_, 20), 3);
    /* Nothing was said since. */
    ck_assert_uint_eq(console_log_since(&log_, 21), 4);
}
END_TEST

/* Somebody sets the clock back: what is said then counts as said at the latest time that was. */
START_TEST(a_clock_that_is_set_back_loses_nothing)
{
    say("a", 100);
    say("b", 50);
    say("c", 101);
    ck_assert_uint_eq(console_log_since(&log_, 100), 0);
    ck_assert_uint_eq(console_log_since(&log_, 60), 0);
    ck_assert_uint_eq(console_log_since(&log_, 101), 2);
}
END_TEST

/* There are marks for so many seconds only: what is older than the oldest is not left out. */
START_TEST(of_more_marks_than_there_are_the_newest_stay)
{
    for (time_t second = 1; second <= CONSOLE_LOG_MARKS + 100; second++)
        say("x", second);
    ck_assert_uint_eq(console_log_since(&log_, CONSOLE_LOG_MARKS + 100), CONSOLE_LOG_MARKS + 99);
    ck_assert_uint_eq(console_log_since(&log_, 102), 101);
    ck_assert_uint_eq(console_log_since(&log_, 50), 0);
}
END_TEST

START_TEST(a_time_whose_bytes_are_gone_leads_to_the_oldest)
{
    char *bytes = calloc(1, CONSOLE_LOG_BYTES);

    ck_assert_ptr_nonnull(bytes);
    say("gone", 1);
    console_log_add(&log_, bytes, CONSOLE_LOG_BYTES, 2);
    ck_assert_uint_eq(log_.start, 4);
    ck_assert_uint_eq(console_log_since(&log_, 1), 4);
    ck_assert_uint_eq(console_log_since(&log_, 2), 4);
    free(bytes);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        bytes_are_found_at_their_offsets,
        the_oldest_goes_and_offsets_stay,
        a_time_leads_to_what_was_said_then_or_later,
        a_clock_that_is_set_back_loses_nothing,
        of_more_marks_than_there_are_the_newest_stay,
        a_time_whose_bytes_are_gone_leads_to_the_oldest,
    };
    TCase *tcase = tcase_create("console_log");

    tcase_add_checked_fixture(tcase, setup, teardown);
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
        tcase_add_test(tcase, tests[i]);
    return unit_run_case("console_log", tcase);
}
