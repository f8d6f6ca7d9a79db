/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * roll.c: the instances of this machine, as each last said of itself.
 *
 * The thread has one epoll descriptor for all that can tell of a change: the links to the keepers,
 * the folder in which instances appear, its own alarm.  A reader looks whether that descriptor is
 * readable: if it is, somebody has said something that is not taken yet, and the reader waits for
 * it.  Since a keeper tells its watchers before it answers who had it change, a reader sees what
 * was done before he asked, by whomever.
 *
 * A keeper may be stopped, or be of another version.  Nothing waits for it: after a while its entry
 * is what it wrote down at last, with "silent" in its "romsim", until it says something again.
 */
#include "roll.h"

#include <romsim/cleanup.h>
#include <romsim/clock.h>
#include <romsim/link.h>
#include <romsim/paths.h>
#include <romsim/state.h>
#include <romsim/vector.h>

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <time.h>

enum {
    ANSWER_US = 1500000,   /* a keeper that says nothing for so long is silent */
    SETTLE_US = ANSWER_US, /* the most that a reader waits for what is being said */
    RETRY_FIRST_US = 5000,
    RETRY_MOST_US = 1000000,
    SCAN_US = 10000000, /* between two looks at all folders, in case one was missed */
    EVENTS = 64,
};

struct entry {
    struct roll_entry shown; /* first */
    atomic_int references;
};

/* An instance, or a folder that may become one. */
struct watched {
    char *name;
    struct romsim_link *link;
    struct entry *entry;      /* NULL: it has said nothing yet */
    int folder;               /* of inotify, while there is no link; -1 */
    json_int_t asked, said;   /* numbers of requests */
    uint64_t answer_by_us;    /* 0: it has answered */
    uint64_t retry_us, pause; /* without a link: when to try again; after that in so long */
    uint64_t young_until_us;  /* readers wait for one that has just appeared */
    bool is_seen, is_gone;
};

struct watch {
    roll_told *told;
    void *context;
    uint64_t deadline_us; /* 0: none */
};

struct refresh {
    const char *name;
    struct watched *watched; /* NULL: there is none of that name */
    json_int_t number;
    uint64_t deadline_us;
    bool is_done;
};

DEFINE_VECTOR(watcheds, struct watched *);
DEFINE_VECTOR(watches, struct watch);
DEFINE_VECTOR(refreshes, struct refresh *);

struct roll {
    /* The thread's own. */
    pthread_t thread, sweeper;
    int epoll, inotify, alarm;
    char *directory;
    struct watcheds all;
    struct watches watches;
    struct refreshes refreshes;
    uint64_t scan_us;
    bool is_changed; /* `sorted` is not of now */

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t passed;
    struct roll_entries sorted;
    struct watches new_watches;
    struct refreshes new_refreshes;
    bool is_busy, is_young;
    bool ends, has_ended;

    pthread_cond_t sweep;
    bool wants_sweep;
};

static uint64_t sooner(uint64_t one, uint64_t other)
{
    return other && other < one ? other : one;
}

/* ---- entries -----------------------------------------------------------------------------------
 */

static struct entry *entry_ref(struct entry *entry)
{
    atomic_fetch_add(&entry->references, 1);
    return entry;
}

void roll_entry_free(struct roll_entry *shown)
{
    struct entry *entry = (struct entry *)shown;

    if (!entry || atomic_fetch_sub(&entry->references, 1) > 1)
        return;
    free(shown->name);
    free(shown->text);
    json_decref(shown->item);
    free(entry);
}

static int64_t seconds_of(const char *text)
{
    struct tm time = {0};

    return text && strptime(text, "%Y-%m-%dT%H:%M:%SZ", &time) ? timegm(&time) : 0;
}

/* Lists are made of these: to render an item takes longer than all else that a GET does. */
static char *text_of(json_t *item)
{
    json_t *copy = json_copy(item);
    char *text;

    json_object_del(copy, "uptime_ms");
    text = copy ? json_dumps(copy, JSON_COMPACT) : NULL;
    json_decref(copy);
    if (text)
        text[strlen(text) - 1] = '\0';
    return text;
}

/* Takes the item.  NULL: it is none, or there is no memory. */
static struct entry *entry_new(const char *name, json_t *item)
{
    const char *uuid = json_string_value(json_object_get(item, "uuid"));
    struct entry *entry = uuid ? calloc(1, sizeof(*entry)) : NULL;

    if (entry) {
        entry->shown.name = strdup(name);
        entry->shown.text = text_of(item);
    }
    if (!entry || !entry->shown.name || !entry->shown.text) {
        if (entry) {
            free(entry->shown.name);
            free(entry->shown.text);
        }
        free(entry);
        json_decref(item);
        return NULL;
    }
    atomic_store(&entry->references, 1);
    snprintf(entry->shown.uuid, sizeof(entry->shown.uuid), "%s", uuid);
    entry->shown.created_at = seconds_of(json_string_value(json_object_get(item, "created_at")));
    entry->shown.created_us =
        json_integer_value(json_object_get(json_object_get(item, "romsim"), "created_us"));
    entry->shown.item = item;
    entry->shown.seen_us = romsim_clock_us();
    return entry;
}

static int by_creation(const void *one, const void *other)
{
    const struct roll_entry *a = *(struct roll_entry *const *)one;
    const struct roll_entry *b = *(struct roll_entry *const *)other;

    if (a->created_at != b->created_at)
        return a->created_at < b->created_at ? -1 : 1;
    if (a->created_us != b->created_us)
        return a->created_us < b->created_us ? -1 : 1;
    return strcmp(a->uuid, b->uuid);
}

void roll_entries_clear(struct roll_entries *entries)
{
    for (size_t i = 0; i < entries->count; i++)
        roll_entry_free(entries->items[i]);
    free(entries->items);
    *entries = (struct roll_entries){0};
}

json_t *roll_items(struct roll *roll)
{
    struct roll_entries entries;
    json_t *items = json_array();

    if (roll_list(roll, &entries) < 0)
        return items;
    for (size_t i = 0; i < entries.count; i++)
        json_array_append(items, entries.items[i]->item);
    roll_entries_clear(&entries);
    return items;
}

/* Makes the list anew.  Without memory the old one stays. */
static void sort(struct roll *roll)
{
    struct roll_entries sorted = {0}, old;

    sorted.items = calloc(roll->all.count + 1, sizeof(*sorted.items));
    if (!sorted.items)
        return;
    for (size_t i = 0; i < roll->all.count; i++)
        if (roll->all.items[i]->entry && !roll->all.items[i]->is_gone)
            sorted.items[sorted.count++] = &entry_ref(roll->all.items[i]->entry)->shown;
    qsort(sorted.items, sorted.count, sizeof(*sorted.items), by_creation);
    pthread_mutex_lock(&roll->lock);
    old = roll->sorted;
    roll->sorted = sorted;
    pthread_mutex_unlock(&roll->lock);
    roll_entries_clear(&old);
    roll->is_changed = false;
}

/* ---- telling -----------------------------------------------------------------------------------
 */

static void tell(struct roll *roll, const char *name, const json_t *item)
{
    size_t kept = 0;

    for (size_t i = 0; i < roll->watches.count; i++) {
        struct watch watch = roll->watches.items[i];

        if (watch.told(watch.context, name, item))
            roll->watches.items[kept++] = watch;
    }
    roll->watches.count = kept;
}

/* What there is, to who has just come. */
static void tell_all(struct roll *roll, struct watch watch)
{
    bool goes_on = true;

    for (size_t i = 0; i < roll->all.count && goes_on; i++) {
        const struct watched *watched = roll->all.items[i];

        if (watched->entry && !watched->is_gone)
            goes_on = watch.told(watch.context, watched->name, watched->entry->shown.item);
    }
    if (goes_on && watch.told(watch.context, "", NULL) && watches_append(&roll->watches, watch) < 0)
        watch.told(watch.context, NULL, NULL);
}

static void tell_late(struct roll *roll)
{
    uint64_t now = romsim_clock_us();
    size_t kept = 0;

    for (size_t i = 0; i < roll->watches.count; i++) {
        struct watch watch = roll->watches.items[i];

        if (watch.deadline_us && now >= watch.deadline_us)
            watch.told(watch.context, NULL, NULL);
        else
            roll->watches.items[kept++] = watch;
    }
    roll->watches.count = kept;
}

/* ---- one instance ------------------------------------------------------------------------------
 */

static void watched_free(struct watched *watched)
{
    romsim_link_free(watched->link);
    if (watched->entry)
        roll_entry_free(&watched->entry->shown);
    free(watched->name);
    free(watched);
}

static struct watched *find(struct roll *roll, const char *name)
{
    for (size_t i = 0; i < roll->all.count; i++)
        if (!roll->all.items[i]->is_gone && strcmp(roll->all.items[i]->name, name) == 0)
            return roll->all.items[i];
    return NULL;
}

/* Is all the same but the time that has passed? */
static bool is_same(json_t *old, json_t *item)
{
    const char *key;
    json_t *value;

    if (json_object_size(old) != json_object_size(item))
        return false;
    json_object_foreach(item, key,
                        value) if (strcmp(key, "uptime_ms") != 0 &&
                                   !json_equal(value, json_object_get(old, key))) return false;
    return true;
}

/* Takes the item. */
static void enter(struct roll *roll, struct watched *watched, json_t *item)
{
    struct entry *entry = entry_new(watched->name, item), *old = watched->entry;
    bool is_news = !old || (entry && !is_same(old->shown.item, item));

    if (!entry)
        return;
    watched->entry = entry;
    roll->is_changed = true;
    if (old)
        roll_entry_free(&old->shown);
    if (is_news)
        tell(roll, watched->name, entry->shown.item);
}

/* It is freed at the end of the pass: events of it may still be at hand. */
static void strike_out(struct roll *roll, struct watched *watched)
{
    if (watched->is_gone)
        return;
    watched->is_gone = true;
    /* A child that is just being started may have a copy of it: closing is not enough. */
    if (watched->link)
        epoll_ctl(roll->epoll, EPOLL_CTL_DEL, romsim_link_fd(watched->link), NULL);
    romsim_link_free(watched->link);
    watched->link = NULL;
    if (watched->folder >= 0)
        inotify_rm_watch(roll->inotify, watched->folder);
    watched->folder = -1;
    if (!watched->entry)
        return;
    roll->is_changed = true;
    tell(roll, watched->name, NULL);
}

static void forget_gone(struct roll *roll)
{
    size_t kept = 0;

    for (size_t i = 0; i < roll->all.count; i++) {
        struct watched *watched = roll->all.items[i];

        if (watched->is_gone)
            watched_free(watched);
        else
            roll->all.items[kept++] = watched;
    }
    roll->all.count = kept;
}

/* Asks to be told, or, with a greater number than before, to be told at once. */
static void ask(struct watched *watched)
{
    watched->asked++;
    if (!watched->answer_by_us)
        watched->answer_by_us = romsim_clock_us() + ANSWER_US;
    /* One that takes nothing becomes silent, one that is gone is noticed. */
    romsim_link_send(watched->link,
                     json_pack("{s:s, s:I}", "do", "watch", "number", watched->asked), NULL);
}

static void link_up(struct roll *roll, struct watched *watched)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = watched};

    watched->link = romsim_link_open_name(watched->name, NULL);
    if (watched->link &&
        epoll_ctl(roll->epoll, EPOLL_CTL_ADD, romsim_link_fd(watched->link), &event) < 0) {
        romsim_link_free(watched->link);
        watched->link = NULL;
    }
    if (!watched->link) {
        watched->retry_us = romsim_clock_us() + watched->pause;
        watched->pause = watched->pause * 2 < RETRY_MOST_US ? watched->pause * 2 : RETRY_MOST_US;
        return;
    }
    if (watched->folder >= 0)
        inotify_rm_watch(roll->inotify, watched->folder);
    watched->folder = -1;
    ask(watched);
}

static struct watched *add(struct roll *roll, const char *name)
{
    struct watched *watched = calloc(1, sizeof(*watched));
    CLEANUP_FREE char *directory = romsim_path_join(roll->directory, name);

    if (watched)
        watched->name = strdup(name);
    if (!watched || !watched->name || !directory || watcheds_append(&roll->all, watched) < 0) {
        if (watched)
            free(watched->name);
        free(watched);
        return NULL;
    }
    watched->pause = RETRY_FIRST_US;
    watched->young_until_us = romsim_clock_us() + ANSWER_US;
    watched->folder = inotify_add_watch(roll->inotify, directory, IN_CREATE | IN_ONLYDIR);
    link_up(roll, watched);
    return watched;
}

/* ---- what keepers say --------------------------------------------------------------------------
 */

static json_t *silenced(const json_t *item)
{
    json_t *copy = json_deep_copy(item), *own = json_object_get(copy, "romsim");

    json_object_set_new(own, "silent", json_true());
    return copy;
}

/* Takes the answer. */
static void take_answer(struct roll *roll, struct watched *watched, json_t *answer)
{
    const json_t *error = json_object_get(answer, "error");
    json_t *item = json_object_get(answer, "item");
    json_int_t number = json_integer_value(json_object_get(answer, "number"));

    if (json_is_true(json_object_get(answer, "deleted")) ||
        json_integer_value(json_object_get(error, "code")) == ROMSIM_CLOUD_NOT_FOUND) {
        strike_out(roll, watched);
    } else if (item) {
        if (number > watched->said)
            watched->said = number;
        if (watched->said == watched->asked)
            watched->answer_by_us = 0;
        enter(roll, watched, json_incref(item));
    }
    json_decref(answer);
}

/* A keeper that died leaves a folder, and maybe a mount. */
static void want_sweep(struct roll *roll)
{
    pthread_mutex_lock(&roll->lock);
    roll->wants_sweep = true;
    pthread_cond_signal(&roll->sweep);
    pthread_mutex_unlock(&roll->lock);
}

static void hear(struct roll *roll, struct watched *watched)
{
    struct romsim_vm_event event;
    json_t *answer;

    while (!watched->is_gone)
        switch (romsim_link_take(watched->link, &event, &answer)) {
        case ROMSIM_LINK_ANSWER:
            take_answer(roll, watched, answer);
            break;
        case ROMSIM_LINK_EVENT:
            break;
        case ROMSIM_LINK_NOTHING:
            return;
        case ROMSIM_LINK_END:
            strike_out(roll, watched);
            want_sweep(roll);
            /* Or it turned us away. */
            roll->scan_us = sooner(roll->scan_us, romsim_clock_us() + RETRY_MOST_US);
            break;
        }
}

/* ---- what appears ------------------------------------------------------------------------------
 */

/* A romsim_state_visitor. */
static void scan_visit(void *context, const struct romsim_state_entry *entry)
{
    struct roll *roll = context;
    struct watched *watched = find(roll, entry->name);

    if (!watched)
        watched = add(roll, entry->name);
    if (!watched)
        return;
    watched->is_seen = true;
    if (watched->link && !watched->answer_by_us)
        ask(watched); /* does it still answer? */
    /* What it wrote down has to do. */
    if (watched->answer_by_us && romsim_clock_us() >= watched->answer_by_us && entry->summary) {
        watched->answer_by_us = 0;
        enter(roll, watched, silenced(entry->summary));
    }
}

static void scan(struct roll *roll)
{
    for (size_t i = 0; i < roll->all.count; i++)
        roll->all.items[i]->is_seen = false;
    romsim_state_each(ROMSIM_STATE_INSTANCE, scan_visit, roll);
    for (size_t i = 0; i < roll->all.count; i++)
        if (!roll->all.items[i]->is_seen && !roll->all.items[i]->link)
            strike_out(roll, roll->all.items[i]);
    roll->scan_us = romsim_clock_us() + SCAN_US;
}

static void on_folder_event(struct roll *roll, const struct inotify_event *event)
{
    if (event->mask & IN_Q_OVERFLOW) {
        roll->scan_us = 0;
        return;
    }
    for (size_t i = 0; i < roll->all.count; i++) {
        struct watched *watched = roll->all.items[i];

        if (watched->folder == event->wd && !watched->is_gone) {
            if (!watched->link)
                link_up(roll, watched);
            return;
        }
    }
    if (!event->len || !(event->mask & IN_ISDIR))
        return;
    if (event->mask & (IN_CREATE | IN_MOVED_TO)) {
        struct watched *old = find(roll, event->name);

        /* One of that name was deleted, which it says behind this. */
        if (old && old->link)
            hear(roll, old);
        if (!find(roll, event->name))
            add(roll, event->name);
    } else {
        struct watched *watched = find(roll, event->name);

        if (watched && !watched->link)
            strike_out(roll, watched);
    }
}

static void on_inotify(struct roll *roll)
{
    _Alignas(struct inotify_event) char bytes[16 << 10];
    ssize_t size;

    while ((size = read(roll->inotify, bytes, sizeof(bytes))) > 0)
        for (ssize_t at = 0; at < size;) {
            const struct inotify_event *event = (const void *)(bytes + at);

            on_folder_event(roll, event);
            at += (ssize_t)sizeof(*event) + event->len;
        }
}

/* ---- what others want --------------------------------------------------------------------------
 */

static void begin_refresh(struct roll *roll, struct refresh *refresh)
{
    struct watched *watched = find(roll, refresh->name);

    /* It may have said that it is gone, and another one have its name. */
    if (watched && watched->link)
        hear(roll, watched);
    watched = find(roll, refresh->name);
    if (!watched)
        watched = add(roll, refresh->name);
    else if (watched->link)
        ask(watched);
    else
        link_up(roll, watched);
    if (watched && !watched->link)
        strike_out(roll, watched);
    refresh->watched = watched;
    refresh->number = watched ? watched->asked : 0;
}

static void end_refresh(struct roll *roll, struct refresh *refresh)
{
    pthread_mutex_lock(&roll->lock);
    refresh->is_done = true;
    pthread_mutex_unlock(&roll->lock);
}

static void take_orders(struct roll *roll)
{
    struct watches new_watches;
    struct refreshes new_refreshes;

    pthread_mutex_lock(&roll->lock);
    new_watches = roll->new_watches;
    new_refreshes = roll->new_refreshes;
    roll->new_watches = (struct watches){0};
    roll->new_refreshes = (struct refreshes){0};
    pthread_mutex_unlock(&roll->lock);
    for (size_t i = 0; i < new_watches.count; i++)
        tell_all(roll, new_watches.items[i]);
    for (size_t i = 0; i < new_refreshes.count; i++) {
        begin_refresh(roll, new_refreshes.items[i]);
        if (refreshes_append(&roll->refreshes, new_refreshes.items[i]) < 0)
            end_refresh(roll, new_refreshes.items[i]);
    }
    watches_reset(&new_watches);
    refreshes_reset(&new_refreshes);
}

/* Those who wait for a refresh look at `is_done` when the pass has ended. */
static void end_refreshes(struct roll *roll)
{
    uint64_t now = romsim_clock_us();
    size_t kept = 0;

    pthread_mutex_lock(&roll->lock);
    for (size_t i = 0; i < roll->refreshes.count; i++) {
        struct refresh *refresh = roll->refreshes.items[i];

        if (!refresh->watched || refresh->watched->is_gone ||
            refresh->watched->said >= refresh->number || now >= refresh->deadline_us)
            refresh->is_done = true;
        else
            roll->refreshes.items[kept++] = refresh;
    }
    roll->refreshes.count = kept;
    pthread_mutex_unlock(&roll->lock);
}

/* ---- the thread --------------------------------------------------------------------------------
 */

static int time_left(const struct roll *roll)
{
    uint64_t now = romsim_clock_us(), next = roll->scan_us;

    for (size_t i = 0; i < roll->all.count; i++) {
        const struct watched *watched = roll->all.items[i];

        next = sooner(next, watched->link ? watched->answer_by_us : watched->retry_us);
        if (!watched->entry && now < watched->young_until_us)
            next = sooner(next, watched->young_until_us);
    }
    for (size_t i = 0; i < roll->watches.count; i++)
        next = sooner(next, roll->watches.items[i].deadline_us);
    for (size_t i = 0; i < roll->refreshes.count; i++)
        next = sooner(next, roll->refreshes.items[i]->deadline_us);
    if (next <= now)
        return 0;
    return next - now > INT_MAX / 2 * 1000ULL ? INT_MAX / 2 : (int)((next - now) / 1000 + 1);
}

static void look_at_times(struct roll *roll)
{
    uint64_t now = romsim_clock_us();

    for (size_t i = 0; i < roll->all.count; i++) {
        struct watched *watched = roll->all.items[i];

        if (!watched->link && !watched->is_gone && now >= watched->retry_us)
            link_up(roll, watched);
        if (watched->link && watched->answer_by_us && now >= watched->answer_by_us)
            roll->scan_us = 0;
    }
    if (now >= roll->scan_us)
        scan(roll);
    /* Who has written nothing down is not waited for either. */
    for (size_t i = 0; i < roll->all.count; i++)
        if (now >= roll->all.items[i]->answer_by_us)
            roll->all.items[i]->answer_by_us = 0;
    tell_late(roll);
}

static bool has_young(const struct roll *roll)
{
    uint64_t now = romsim_clock_us();

    for (size_t i = 0; i < roll->all.count; i++)
        if (!roll->all.items[i]->entry && now < roll->all.items[i]->young_until_us)
            return true;
    return false;
}

static void set_busy(struct roll *roll, bool is_busy)
{
    bool is_young = has_young(roll);

    pthread_mutex_lock(&roll->lock);
    roll->is_busy = is_busy;
    roll->is_young = is_young;
    pthread_cond_broadcast(&roll->passed);
    pthread_mutex_unlock(&roll->lock);
}

static bool is_ending(struct roll *roll)
{
    bool ends;

    pthread_mutex_lock(&roll->lock);
    ends = roll->ends;
    pthread_mutex_unlock(&roll->lock);
    return ends;
}

static void dispatch(struct roll *roll, const struct epoll_event *events, int count)
{
    eventfd_t value;

    for (int i = 0; i < count; i++) {
        struct watched *watched = events[i].data.ptr;

        if (events[i].data.ptr == &roll->inotify)
            on_inotify(roll);
        else if (events[i].data.ptr == &roll->alarm)
            eventfd_read(roll->alarm, &value);
        else if (!watched->is_gone)
            hear(roll, watched);
    }
}

/* Everybody hears the last word. */
static void end(struct roll *roll)
{
    take_orders(roll);
    for (size_t i = 0; i < roll->watches.count; i++)
        roll->watches.items[i].told(roll->watches.items[i].context, NULL, NULL);
    roll->watches.count = 0;
    pthread_mutex_lock(&roll->lock);
    for (size_t i = 0; i < roll->refreshes.count; i++)
        roll->refreshes.items[i]->is_done = true;
    roll->refreshes.count = 0;
    roll->has_ended = true;
    pthread_cond_broadcast(&roll->passed);
    pthread_mutex_unlock(&roll->lock);
}

static void *run(void *context)
{
    struct epoll_event events[EVENTS];
    struct roll *roll = context;
    int count = 0;

    do {
        dispatch(roll, events, count > 0 ? count : 0);
        take_orders(roll);
        look_at_times(roll);
        end_refreshes(roll);
        forget_gone(roll);
        if (roll->is_changed)
            sort(roll);
        set_busy(roll, false);
        count = epoll_wait(roll->epoll, events, EVENTS, time_left(roll));
        set_busy(roll, true);
    } while (!is_ending(roll));
    end(roll);
    return NULL;
}

static void *run_sweeper(void *context)
{
    struct roll *roll = context;

    pthread_mutex_lock(&roll->lock);
    while (!roll->ends) {
        if (!roll->wants_sweep) {
            pthread_cond_wait(&roll->sweep, &roll->lock);
            continue;
        }
        roll->wants_sweep = false;
        pthread_mutex_unlock(&roll->lock);
        romsim_state_sweep();
        pthread_mutex_lock(&roll->lock);
    }
    pthread_mutex_unlock(&roll->lock);
    return NULL;
}

/* ---- for the other threads ---------------------------------------------------------------------
 */

static struct timespec time_in(uint64_t us)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    us += (uint64_t)time.tv_nsec / 1000;
    time.tv_sec += (time_t)(us / 1000000);
    time.tv_nsec = (long)(us % 1000000) * 1000;
    return time;
}

/* What has been said, and is not heard yet, is waited for.  The lock is held. */
static void settle(struct roll *roll, uint64_t most_us)
{
    struct pollfd readable = {.fd = roll->epoll, .events = POLLIN};
    struct timespec end;
    bool has_end = false;

    while ((poll(&readable, 1, 0) > 0 || roll->is_busy || roll->is_young) && !roll->has_ended) {
        if (!has_end)
            end = time_in(most_us);
        has_end = true;
        if (pthread_cond_timedwait(&roll->passed, &roll->lock, &end) == ETIMEDOUT)
            return;
    }
}

struct roll_entry *roll_find(struct roll *roll, const char *name, const char *uuid)
{
    struct roll_entry *found = NULL;

    pthread_mutex_lock(&roll->lock);
    settle(roll, SETTLE_US);
    for (size_t i = 0; i < roll->sorted.count && !found; i++) {
        struct roll_entry *entry = roll->sorted.items[i];

        if (name ? strcmp(entry->name, name) == 0 : strcasecmp(entry->uuid, uuid) == 0)
            found = &entry_ref((struct entry *)entry)->shown;
    }
    pthread_mutex_unlock(&roll->lock);
    return found;
}

int roll_list(struct roll *roll, struct roll_entries *ret)
{
    struct roll_entries list = {0};

    pthread_mutex_lock(&roll->lock);
    settle(roll, SETTLE_US);
    list.items = calloc(roll->sorted.count + 1, sizeof(*list.items));
    for (size_t i = 0; list.items && i < roll->sorted.count; i++)
        list.items[list.count++] = &entry_ref((struct entry *)roll->sorted.items[i])->shown;
    pthread_mutex_unlock(&roll->lock);
    if (!list.items)
        return -1;
    *ret = list;
    return 0;
}

void roll_refresh(struct roll *roll, const char *name)
{
    struct refresh refresh = {.name = name, .deadline_us = romsim_clock_us() + ANSWER_US};
    struct refresh *mine = &refresh;

    pthread_mutex_lock(&roll->lock);
    if (!roll->ends && refreshes_append(&roll->new_refreshes, mine) == 0) {
        eventfd_write(roll->alarm, 1);
        while (!refresh.is_done)
            pthread_cond_wait(&roll->passed, &roll->lock);
    }
    pthread_mutex_unlock(&roll->lock);
}

int roll_watch(struct roll *roll, roll_told *told, void *context, int64_t timeout_ms)
{
    struct watch watch = {.told = told,
                          .context = context,
                          .deadline_us =
                              timeout_ms < 0 ? 0 : romsim_clock_us() + (uint64_t)timeout_ms * 1000};
    int status;

    pthread_mutex_lock(&roll->lock);
    status = roll->ends ? -1 : watches_append(&roll->new_watches, watch);
    if (status == 0)
        eventfd_write(roll->alarm, 1);
    pthread_mutex_unlock(&roll->lock);
    return status;
}

/* ---- its life ----------------------------------------------------------------------------------
 */

static int listen_to(struct roll *roll, int fd, int *place)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = place};

    return fd < 0 ? -1 : epoll_ctl(roll->epoll, EPOLL_CTL_ADD, fd, &event);
}

static int open_roll(struct roll *roll, struct romsim_error *err)
{
    roll->directory = romsim_path_state("instances", err);
    if (!roll->directory)
        return -1;
    roll->epoll = epoll_create1(EPOLL_CLOEXEC);
    roll->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    roll->alarm = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (roll->epoll < 0 || listen_to(roll, roll->inotify, &roll->inotify) < 0 ||
        listen_to(roll, roll->alarm, &roll->alarm) < 0 ||
        inotify_add_watch(roll->inotify, roll->directory,
                          IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM | IN_ONLYDIR) < 0)
        return romsim_error_system(err, errno, "cannot watch the instances");
    return 0;
}

static void free_parts(struct roll *roll)
{
    for (size_t i = 0; i < roll->all.count; i++)
        watched_free(roll->all.items[i]);
    watcheds_reset(&roll->all);
    watches_reset(&roll->watches);
    watches_reset(&roll->new_watches);
    refreshes_reset(&roll->refreshes);
    refreshes_reset(&roll->new_refreshes);
    roll_entries_clear(&roll->sorted);
    cleanup_close_fd(&roll->epoll);
    cleanup_close_fd(&roll->inotify);
    cleanup_close_fd(&roll->alarm);
    free(roll->directory);
    pthread_cond_destroy(&roll->passed);
    pthread_cond_destroy(&roll->sweep);
    pthread_mutex_destroy(&roll->lock);
    free(roll);
}

static void stop_threads(struct roll *roll, int count)
{
    pthread_mutex_lock(&roll->lock);
    roll->ends = true;
    pthread_cond_signal(&roll->sweep);
    pthread_mutex_unlock(&roll->lock);
    eventfd_write(roll->alarm, 1);
    if (count > 0)
        pthread_join(roll->thread, NULL);
    if (count > 1)
        pthread_join(roll->sweeper, NULL);
}

struct roll *roll_new(struct romsim_error *err)
{
    struct roll *roll = calloc(1, sizeof(*roll));
    pthread_condattr_t monotonic;
    int problem;

    if (!roll) {
        romsim_error_nomem(err);
        return NULL;
    }
    roll->epoll = roll->inotify = roll->alarm = -1;
    roll->is_busy = true; /* until the first pass */
    pthread_mutex_init(&roll->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&roll->passed, &monotonic);
    pthread_cond_init(&roll->sweep, NULL);
    pthread_condattr_destroy(&monotonic);
    if (open_roll(roll, err) < 0) {
        free_parts(roll);
        return NULL;
    }
    problem = pthread_create(&roll->thread, NULL, run, roll);
    if (!problem) {
        problem = pthread_create(&roll->sweeper, NULL, run_sweeper, roll);
        if (problem)
            stop_threads(roll, 1);
    }
    if (problem) {
        romsim_error_system(err, problem, "cannot start a thread");
        free_parts(roll);
        return NULL;
    }
    /* All that are there are known from the first request on. */
    pthread_mutex_lock(&roll->lock);
    settle(roll, ANSWER_US);
    pthread_mutex_unlock(&roll->lock);
    return roll;
}

void roll_end(struct roll *roll)
{
    if (roll)
        stop_threads(roll, 2);
}

void roll_free(struct roll *roll)
{
    if (!roll)
        return;
    free_parts(roll);
}
