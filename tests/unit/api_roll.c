/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * api_roll.c: the roll of instances, with keepers that this test plays: good ones, mute ones, those
 * of another version, and those that end.
 */
#include "harness.h"

#include "sim/api/roll.h"
#include "sim/vm/channel.h"
#include "sim/vm/keeper.h"
#include "sim/vm/meeting.h"

#include <romsim/cleanup.h>
#include <romsim/clock.h>
#include <romsim/state.h>

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- a keeper ----------------------------------------------------------------------------------
 */

struct keeper {
    const char *name;
    struct romsim_state *folder;
    int listener;
    struct channel channel;
    json_int_t number; /* of the last request */
};

static char folder[40];

static json_t *item_of(const char *name, const char *state)
{
    char uuid[ROMSIM_UUID_SIZE];

    /* So that they are sorted by their names: all are of one second. */
    snprintf(uuid, sizeof(uuid), "%08x-0000-4000-8000-000000000000", (unsigned char)name[0]);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:{}}", "status", "success", "uuid", uuid,
                     "name", name, "created_at", "2026-05-28T13:53:40Z", "state", state,
                     "uptime_ms", (int)(romsim_clock_us() / 1000 % 1000000), "romsim");
}

static void appear(struct keeper *keeper, const char *name)
{
    struct romsim_error err = {0};

    *keeper = (struct keeper){.name = name, .listener = -1, .channel = {.fd = -1}};
    keeper->folder = romsim_state_new(ROMSIM_STATE_INSTANCE, name, &err);
    ck_assert_msg(keeper->folder != NULL, "%s", err.message);
    ck_assert_int_eq(romsim_state_set_summary(keeper->folder, item_of(name, "stopped"), &err), 0);
    keeper->listener = meeting_listen(romsim_state_directory(keeper->folder), KEEPER_SOCKET);
    ck_assert_int_ge(keeper->listener, 0);
}

static void wait_readable(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    ck_assert_int_eq(poll(&poll_fd, 1, 60000), 1);
}

/* The next request, which is to watch. */
static void take_request(struct keeper *keeper)
{
    json_t *request = NULL;
    int passed;

    if (keeper->channel.fd < 0) {
        wait_readable(keeper->listener);
        channel_open(&keeper->channel,
                     accept4(keeper->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
    }
    wait_readable(keeper->channel.fd);
    ck_assert_int_eq(channel_take_request(&keeper->channel, &request, &passed), 1);
    ck_assert_str_eq(json_string_value(json_object_get(request, "do")), "watch");
    keeper->number = json_integer_value(json_object_get(request, "number"));
    json_decref(request);
}

static void answer(struct keeper *keeper, json_t *text)
{
    channel_answer(&keeper->channel, text);
    channel_flush(&keeper->channel);
    ck_assert_uint_eq(channel_kept(&keeper->channel), 0);
}

static void tell(struct keeper *keeper, const char *state)
{
    answer(keeper,
           json_pack("{s:I, s:o}", "number", keeper->number, "item", item_of(keeper->name, state)));
}

static void vanish(struct keeper *keeper)
{
    cleanup_close_fd(&keeper->listener);
    romsim_state_free(keeper->folder);
    channel_close(&keeper->channel);
}

/* ---- the roll ----------------------------------------------------------------------------------
 */

static struct roll *roll;

static void start(void)
{
    snprintf(folder, sizeof(folder), "/tmp/romsim-unit-roll.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    setenv("XDG_RUNTIME_DIR", folder, 1);
    roll = roll_new(NULL);
    ck_assert_ptr_nonnull(roll);
}

static void stop(void)
{
    char command[64];

    roll_end(roll);
    roll_free(roll);
    roll = NULL;
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

/* "a=running b=stopped?": a question mark for one that is silent. */
static const char *listed(void)
{
    static char text[4096];
    struct roll_entries entries;
    size_t size = 0;

    ck_assert_int_eq(roll_list(roll, &entries), 0);
    text[0] = '\0';
    for (size_t i = 0; i < entries.count; i++) {
        const json_t *item = entries.items[i]->item;
        bool is_silent = json_is_true(json_object_get(json_object_get(item, "romsim"), "silent"));

        ck_assert_int_eq(entries.items[i]->created_at, 1779976420);
        size += (size_t)snprintf(
            text + size, sizeof(text) - size, "%s%s=%s%s", size ? " " : "", entries.items[i]->name,
            json_string_value(json_object_get(item, "state")), is_silent ? "?" : "");
    }
    roll_entries_clear(&entries);
    return text;
}

/* What time brings about: the list begins so. */
static void becomes(const char *wanted)
{
    for (int tries = 0; strncmp(listed(), wanted, strlen(wanted)) != 0 && tries < 600; tries++)
        poll(NULL, 0, 100);
    ck_assert_msg(strncmp(listed(), wanted, strlen(wanted)) == 0, "%s", listed());
}

/* ---- tests -------------------------------------------------------------------------------------
 */

START_TEST(who_looks_sees_what_was_said_before)
{
    struct keeper one, two;

    ck_assert_str_eq(listed(), "");
    appear(&one, "b");
    take_request(&one);
    tell(&one, "stopped");
    ck_assert_str_eq(listed(), "b=stopped");
    appear(&two, "a");
    take_request(&two);
    tell(&two, "running");
    ck_assert_str_eq(listed(), "a=running b=stopped");
    for (int i = 0; i < 300; i++) {
        tell(&one, i % 2 ? "starting" : "stopping");
        ck_assert_str_eq(listed(), i % 2 ? "a=running b=starting" : "a=running b=stopping");
    }
    answer(&two, json_pack("{s:I, s:b}", "number", two.number, "deleted", 1));
    ck_assert_str_eq(listed(), "b=starting");
    vanish(&two);
    vanish(&one);
    ck_assert_str_eq(listed(), "");
}
END_TEST

START_TEST(one_is_found_by_its_name_and_by_its_uuid)
{
    struct roll_entry *entry;
    struct keeper one;

    appear(&one, "a");
    take_request(&one);
    tell(&one, "running");
    entry = roll_find(roll, "a", NULL);
    ck_assert_ptr_nonnull(entry);
    tell(&one, "stopped"); /* a reference stays as it is */
    ck_assert_str_eq(json_string_value(json_object_get(entry->item, "state")), "running");
    roll_entry_free(entry);
    entry = roll_find(roll, NULL, "00000061-0000-4000-8000-000000000000");
    ck_assert_ptr_nonnull(entry);
    ck_assert_str_eq(json_string_value(json_object_get(entry->item, "state")), "stopped");
    roll_entry_free(entry);
    ck_assert_ptr_null(roll_find(roll, "00000061-0000-4000-8000-000000000000", NULL));
    ck_assert_ptr_null(roll_find(roll, NULL, "a"));
    vanish(&one);
}
END_TEST

START_TEST(a_name_that_comes_again_is_another_one)
{
    struct keeper one;

    for (int i = 0; i < 20; i++) {
        appear(&one, "a");
        take_request(&one);
        tell(&one, "running");
        ck_assert_str_eq(listed(), "a=running");
        /* The old one says that it is deleted, and ends while the new one comes. */
        answer(&one, json_pack("{s:I, s:b}", "number", one.number, "deleted", 1));
        vanish(&one);
    }
    ck_assert_str_eq(listed(), "");
}
END_TEST

START_TEST(a_keeper_that_says_nothing_is_silent_and_holds_nobody_up)
{
    struct keeper mute, good;

    appear(&mute, "a");
    appear(&good, "b");
    take_request(&good);
    tell(&good, "running");
    becomes("a=stopped? b=");
    tell(&good, "stopped");
    becomes("a=stopped? b=stopped");
    take_request(&mute);
    tell(&mute, "running");
    becomes("a=running b=");
    /* It falls silent again, which a refresh notices; what it wrote down is shown. */
    roll_refresh(roll, "a");
    becomes("a=stopped? b=");
    vanish(&mute);
    vanish(&good);
}
END_TEST

START_TEST(a_keeper_of_another_version_is_shown_as_it_wrote_itself_down)
{
    struct keeper old;

    appear(&old, "a");
    take_request(&old);
    answer(&old, json_pack("{s:{s:i, s:s}}", "error", "code", ROMSIM_CLOUD_WRONG_METHOD, "message",
                           "the instance's keeper does not understand this"));
    becomes("a=stopped?");
    vanish(&old);
    ck_assert_str_eq(listed(), "");
}
END_TEST

START_TEST(nonsense_from_a_keeper_is_no_harm)
{
    struct keeper keeper;

    appear(&keeper, "a");
    take_request(&keeper);
    answer(&keeper, json_array());
    answer(&keeper, json_pack("{s:s}", "item", "x"));
    answer(&keeper, json_pack("{s:{}, s:s}", "item", "number", "x"));
    answer(&keeper, json_pack("{s:I, s:{s:i}}", "number", (json_int_t)-1, "item", "uuid", 7));
    answer(&keeper, json_pack("{s:i}", "error", 7));
    tell(&keeper, "running");
    ck_assert_str_eq(listed(), "a=running");
    vanish(&keeper);
}
END_TEST

static void *refresh(void *name)
{
    roll_refresh(roll, name);
    return NULL;
}

START_TEST(a_refresh_ends_when_its_own_question_is_answered)
{
    struct keeper one;
    pthread_t thread;
    json_int_t first;
    char name[] = "a";

    roll_refresh(roll, "nosuch");
    appear(&one, "a");
    take_request(&one);
    tell(&one, "stopped");
    ck_assert_str_eq(listed(), "a=stopped");
    first = one.number;
    ck_assert_int_eq(pthread_create(&thread, NULL, refresh, name), 0);
    take_request(&one);
    ck_assert_int_eq(one.number, first + 1);
    tell(&one, "running");
    pthread_join(thread, NULL);
    ck_assert_str_eq(listed(), "a=running");
    /* One that ends meanwhile is struck out. */
    ck_assert_int_eq(pthread_create(&thread, NULL, refresh, name), 0);
    take_request(&one);
    vanish(&one);
    pthread_join(thread, NULL);
    ck_assert_str_eq(listed(), "");
}
END_TEST

/* What a watch was told, as "a=running b- . end". */
struct told {
    pthread_mutex_t lock;
    char text[1024];
    int left; /* calls to take; -1: any number */
};

static bool on_told(void *context, const char *name, const json_t *item)
{
    const char *state = json_string_value(json_object_get(item, "state"));
    struct told *told = context;
    bool goes_on;
    size_t size;

    pthread_mutex_lock(&told->lock);
    size = strlen(told->text);
    snprintf(told->text + size, sizeof(told->text) - size, "%s%s%s%s", size ? " " : "",
             !name   ? "end"
             : *name ? name
                     : ".",
             name && *name ? (state ? "=" : "-") : "", state ?: "");
    if (told->left > 0)
        told->left--;
    goes_on = told->left != 0;
    pthread_mutex_unlock(&told->lock);
    return goes_on;
}

static void is_told(struct told *told, const char *wanted)
{
    char text[sizeof(told->text)] = "";

    for (int tries = 0; strcmp(text, wanted) != 0 && tries < 6000; tries++) {
        if (tries)
            poll(NULL, 0, 10);
        pthread_mutex_lock(&told->lock);
        memcpy(text, told->text, sizeof(text));
        pthread_mutex_unlock(&told->lock);
    }
    ck_assert_str_eq(text, wanted);
}

START_TEST(who_watches_is_told_all_in_order)
{
    struct told all = {.lock = PTHREAD_MUTEX_INITIALIZER, .left = -1};
    struct told few = {.lock = PTHREAD_MUTEX_INITIALIZER, .left = 3};
    struct told late = {.lock = PTHREAD_MUTEX_INITIALIZER, .left = -1};
    struct keeper one;

    appear(&one, "a");
    take_request(&one);
    tell(&one, "stopped");
    ck_assert_str_eq(listed(), "a=stopped");
    ck_assert_int_eq(roll_watch(roll, on_told, &all, -1), 0);
    ck_assert_int_eq(roll_watch(roll, on_told, &few, -1), 0);
    ck_assert_int_eq(roll_watch(roll, on_told, &late, 0), 0);
    is_told(&late, "a=stopped . end");
    tell(&one, "starting");
    tell(&one, "starting"); /* no news but the time */
    tell(&one, "running");
    is_told(&all, "a=stopped . a=starting a=running");
    is_told(&few, "a=stopped . a=starting");
    vanish(&one);
    is_told(&all, "a=stopped . a=starting a=running a-");
    roll_end(roll);
    is_told(&all, "a=stopped . a=starting a=running a- end");
    is_told(&few, "a=stopped . a=starting");
    ck_assert_int_eq(roll_watch(roll, on_told, &few, -1), -1);
    roll_refresh(roll, "a");
    ck_assert_str_eq(listed(), "");
    roll_free(roll);
    roll = roll_new(NULL);
}
END_TEST

static atomic_bool ends;

static void *look_all_the_time(void *context)
{
    unsigned seed = (unsigned)(uintptr_t)context;
    char name[2] = "a";

    while (!atomic_load(&ends)) {
        struct roll_entries entries;
        struct roll_entry *entry;

        ck_assert_int_eq(roll_list(roll, &entries), 0);
        for (size_t i = 0; i < entries.count; i++) {
            char *text = json_dumps(entries.items[i]->item, JSON_COMPACT);

            ck_assert_ptr_nonnull(text);
            free(text);
        }
        roll_entries_clear(&entries);
        name[0] = (char)('a' + rand_r(&seed) % 8);
        entry = roll_find(roll, name, NULL);
        if (entry)
            ck_assert_str_eq(entry->name, name);
        roll_entry_free(entry);
    }
    return NULL;
}

START_TEST(many_look_while_all_changes)
{
    struct keeper keepers[8];
    pthread_t threads[4];
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};

    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, look_all_the_time, (void *)(uintptr_t)i),
                         0);
    for (int round = 0; round < 10; round++) {
        for (size_t i = 0; i < 8; i++) {
            appear(&keepers[i], names[i]);
            take_request(&keepers[i]);
        }
        for (int i = 0; i < 200; i++)
            tell(&keepers[i % 8], i % 3 ? "running" : "stopped");
        for (size_t i = 0; i < 8; i++)
            vanish(&keepers[i]);
    }
    atomic_store(&ends, true);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    ck_assert_str_eq(listed(), "");
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        who_looks_sees_what_was_said_before,
        one_is_found_by_its_name_and_by_its_uuid,
        a_name_that_comes_again_is_another_one,
        a_keeper_that_says_nothing_is_silent_and_holds_nobody_up,
        a_keeper_of_another_version_is_shown_as_it_wrote_itself_down,
        nonsense_from_a_keeper_is_no_harm,
        a_refresh_ends_when_its_own_question_is_answered,
        who_watches_is_told_all_in_order,
        many_look_while_all_changes,
    };
    TCase *tcase = tcase_create("api_roll");

    tcase_set_timeout(tcase, 300);
    tcase_add_checked_fixture(tcase, start, stop);
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
        tcase_add_test(tcase, tests[i]);
    return unit_run_case("api_roll", tcase);
}
