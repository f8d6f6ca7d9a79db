/* SPDX-License-Identifier: BSD-3-Clause */
/* link.c: asking instances, through the sockets of their keepers. */
#include <romsim/link.h>

#include "channel.h"
#include "keeper.h"
#include "meeting.h"

#include <romsim/clock.h>
#include <romsim/paths.h>
#include <romsim/process.h>
#include <romsim/state.h>
#include <romsim/text.h>
#include <romsim/vector.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <strings.h>
#include <sys/pidfd.h>
#include <sys/socket.h>

enum { PREFIX_MIN = 4, LIST_MS = 1500, KILL_MS = 5000, PARTS_MAX = 64 << 20 };

struct romsim_link {
    char *name;
    int fd;
    int passed;                 /* what came with the last answer, or -1 */
    struct romsim_buffer parts; /* of an answer */
    char text[CHANNEL_TEXT_MAX + 1];
};

static int64_t now_ms(void)
{
    return (int64_t)(romsim_clock_us() / 1000);
}

/* ---- finding -----------------------------------------------------------------------------------
 */

/* The search for a name. */
struct search {
    const char *wanted;
    char *by_name, *by_uuid; /* owned */
    unsigned count;          /* of those whose UUID begins so */
};

static void search_visit(void *context, const struct romsim_state_entry *entry)
{
    struct search *search = context;
    const char *uuid = json_string_value(json_object_get(entry->summary, "uuid"));
    size_t size = strlen(search->wanted);

    if (strcmp(entry->name, search->wanted) == 0 && !search->by_name)
        search->by_name = strdup(entry->name);
    if (!uuid || size < PREFIX_MIN || strncasecmp(uuid, search->wanted, size) != 0)
        return;
    free(search->by_uuid);
    search->by_uuid = strdup(entry->name);
    search->count++;
}

/* The name of the instance that is meant, malloc'ed. */
static char *find_name(const char *wanted, struct romsim_error *err)
{
    struct search search = {.wanted = wanted};

    romsim_state_each(ROMSIM_STATE_INSTANCE, search_visit, &search);
    if (search.by_name || search.count == 1) {
        char *name =
            search.by_name ? STEAL_POINTER(&search.by_name) : STEAL_POINTER(&search.by_uuid);

        free(search.by_name);
        free(search.by_uuid);
        return name;
    }
    free(search.by_uuid);
    if (search.count > 1) {
        romsim_error_set(err, EINVAL, "%u instances have a UUID that begins with '%s'",
                         search.count, QUOTE(wanted));
    } else {
        romsim_error_set(err, ENOENT, "No instance with name '%s'", QUOTE(wanted));
        romsim_error_hint(err, "'romsim ps -a' lists the instances");
    }
    if (err)
        err->cloud = search.count > 1 ? ROMSIM_CLOUD_INVALID : ROMSIM_CLOUD_NOT_FOUND;
    return NULL;
}

/* ---- links -------------------------------------------------------------------------------------
 */

/* Is there no keeper, yet or any more?  Its socket comes after the folder, and goes before it. */
static bool is_absence(int errnum)
{
    return errnum == ENOENT || errnum == ECONNREFUSED;
}

/* NULL with errno. */
static struct romsim_link *link_new(const char *name, const char *directory)
{
    struct romsim_link *link = calloc(1, sizeof(*link));
    int problem;

    if (!link)
        return NULL;
    link->parts = ROMSIM_BUFFER_INIT(PARTS_MAX);
    link->passed = -1;
    link->name = strdup(name);
    link->fd = link->name ? meeting_connect(directory, KEEPER_SOCKET) : -1;
    if (link->fd >= 0)
        return link;
    problem = errno;
    romsim_link_free(link);
    errno = problem;
    return NULL;
}

static struct romsim_link *open_found(const char *name, struct romsim_error *err)
{
    CLEANUP_FREE char *house = romsim_path_state("instances", err), *directory = NULL;
    struct romsim_link *link;

    if (!house)
        return NULL;
    directory = romsim_path_join(house, name);
    if (!directory) {
        romsim_error_nomem(err);
        return NULL;
    }
    link = link_new(name, directory);
    if (!link && is_absence(errno)) {
        romsim_error_set(err, ENOENT, "the instance '%s' is being made or removed just now",
                         QUOTE(name));
        if (err)
            err->cloud = ROMSIM_CLOUD_NOT_FOUND;
    } else if (!link) {
        romsim_error_system(err, errno, "cannot reach the keeper of the instance '%s'",
                            QUOTE(name));
    }
    return link;
}

struct romsim_link *romsim_link_open(const char *name, struct romsim_error *err)
{
    CLEANUP_FREE char *found = find_name(name, err);

    return found ? open_found(found, err) : NULL;
}

struct romsim_link *romsim_link_open_name(const char *name, struct romsim_error *err)
{
    if (*name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && !strchr(name, '/'))
        return open_found(name, err);
    romsim_error_set(err, ENOENT, "No instance with name '%s'", QUOTE(name));
    if (err)
        err->cloud = ROMSIM_CLOUD_NOT_FOUND;
    return NULL;
}

void romsim_link_free(struct romsim_link *link)
{
    if (!link)
        return;
    cleanup_close_fd(&link->fd);
    cleanup_close_fd(&link->passed);
    romsim_buffer_reset(&link->parts);
    free(link->name);
    free(link);
}

const char *romsim_link_name(const struct romsim_link *link)
{
    return link->name;
}

int romsim_link_fd(const struct romsim_link *link)
{
    return link->fd;
}

int romsim_link_send(struct romsim_link *link, json_t *request, struct romsim_error *err)
{
    return channel_request(link->fd, request, -1, err);
}

int romsim_link_send_with(struct romsim_link *link, json_t *request, int passed,
                          struct romsim_error *err)
{
    return channel_request(link->fd, request, passed, err);
}

enum romsim_link_news romsim_link_take(struct romsim_link *link, struct romsim_vm_event *ret_event,
                                       json_t **ret_answer)
{
    int received, passed;

    while ((received = channel_receive(link->fd, link->text, ret_event, &passed)) > 0) {
        if (passed >= 0) {
            cleanup_close_fd(&link->passed);
            link->passed = passed;
        }
        if ((int)ret_event->kind < CHANNEL_ANSWER)
            return ROMSIM_LINK_EVENT;
        romsim_buffer_append(&link->parts, ret_event->text, ret_event->size);
        if ((int)ret_event->kind == CHANNEL_ANSWER_PART)
            continue;
        *ret_answer = link->parts.failed
                          ? NULL
                          : json_loadb(link->parts.data ?: "", link->parts.size, 0, NULL);
        romsim_buffer_reset(&link->parts);
        return *ret_answer ? ROMSIM_LINK_ANSWER : ROMSIM_LINK_END;
    }
    return received == 0 ? ROMSIM_LINK_END : ROMSIM_LINK_NOTHING;
}

int romsim_link_take_fd(struct romsim_link *link)
{
    return steal_fd(&link->passed);
}

/* Who listens at the other end; 0 if that cannot be known. */
static pid_t keeper_pid(const struct romsim_link *link)
{
    struct ucred peer = {0};
    socklen_t size = sizeof(peer);

    return getsockopt(link->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 ? 0 : peer.pid;
}

static bool wait_readable(int fd, int64_t end_ms)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    int ready;

    do {
        int64_t left = end_ms < 0 ? -1 : end_ms - now_ms();

        ready = poll(&poll_fd, 1, end_ms < 0 ? -1 : left > 0 ? (int)left : 0);
    } while (ready < 0 && errno == EINTR);
    return ready > 0;
}

/* An error that the keeper answered. */
static void take_error(const json_t *answer, struct romsim_error *err)
{
    const json_t *error = json_object_get(answer, "error");
    const char *message = json_string_value(json_object_get(error, "message"));
    const char *hint = json_string_value(json_object_get(error, "hint"));

    romsim_error_set(err, (int)json_integer_value(json_object_get(error, "errno")), "%s",
                     message ? message : "the instance refused");
    if (hint && *hint)
        romsim_error_hint(err, "%s", hint);
    if (err)
        err->cloud = (enum romsim_cloud_code)json_integer_value(json_object_get(error, "code"));
}

/* Somebody may have stopped the keeper. */
static void hint_at_stop(const struct romsim_link *link, struct romsim_error *err)
{
    pid_t pid = keeper_pid(link);

    if (romsim_process_is_stopped(pid))
        romsim_error_hint(err, "its keeper is stopped: 'kill -CONT %d' lets it go on", (int)pid);
}

int romsim_link_kill(struct romsim_link *link, struct romsim_error *err)
{
    CLEANUP_FD int pidfd = pidfd_open(keeper_pid(link), 0);
    struct pollfd polls[] = {{link->fd, 0, 0}, {pidfd, POLLIN, 0}};

    /* As long as the socket is open, the number is still the keeper's. */
    if (pidfd < 0 || poll(polls, 1, 0) != 0 || pidfd_send_signal(pidfd, SIGKILL, NULL, 0) < 0) {
        if (polls[0].revents & POLLHUP || errno == ESRCH)
            return 0;
        return romsim_error_system(err, errno, "cannot kill the keeper of the instance '%s'",
                                   QUOTE(link->name));
    }
    if (!wait_readable(pidfd, now_ms() + KILL_MS))
        return romsim_error_set(err, ETIMEDOUT, "the keeper of the instance '%s' does not die",
                                QUOTE(link->name));
    return 0;
}

json_t *romsim_link_await(struct romsim_link *link, int timeout_ms, romsim_vm_observer *observer,
                          void *context, struct romsim_error *err)
{
    int64_t end = timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
    struct romsim_vm_event event;
    json_t *answer = NULL;

    for (;;) {
        switch (romsim_link_take(link, &event, &answer)) {
        case ROMSIM_LINK_EVENT:
            if (observer)
                observer(context, 0, &event);
            break;
        case ROMSIM_LINK_ANSWER:
            if (!json_object_get(answer, "error"))
                return answer;
            take_error(answer, err);
            json_decref(answer);
            return NULL;
        case ROMSIM_LINK_END:
            romsim_error_set(err, EPIPE, "the keeper of the instance '%s' has ended",
                             QUOTE(link->name));
            return NULL;
        case ROMSIM_LINK_NOTHING:
            if (!wait_readable(link->fd, end)) {
                romsim_error_set(err, ETIMEDOUT, "the instance '%s' did not answer in time",
                                 QUOTE(link->name));
                if (err)
                    err->cloud = ROMSIM_CLOUD_TIMED_OUT;
                hint_at_stop(link, err);
                return NULL;
            }
            break;
        }
    }
}

json_t *romsim_link_call(struct romsim_link *link, json_t *request, int timeout_ms,
                         romsim_vm_observer *observer, void *context, struct romsim_error *err)
{
    struct romsim_error unsent = {0};

    /* A keeper that has just ended, or turned us away, may have said why. */
    if (romsim_link_send(link, request, &unsent) < 0 && unsent.errnum != EPIPE) {
        if (err)
            *err = unsent;
        return NULL;
    }
    return romsim_link_await(link, timeout_ms, observer, context, err);
}

/* ---- volumes -----------------------------------------------------------------------------------
 */

static int change_volume(struct romsim_link *link, json_t *request, int timeout_ms,
                         bool *ret_is_queued, struct romsim_error *err)
{
    json_t *answer = romsim_link_call(link, request, timeout_ms, NULL, NULL, err);

    if (!answer)
        return -1;
    *ret_is_queued = json_is_true(json_object_get(answer, "queued"));
    json_decref(answer);
    return 0;
}

int romsim_link_attach_volume(struct romsim_link *link, const struct romsim_volume_info *volume,
                              const char *at, bool readonly, int timeout_ms, bool *ret_is_queued,
                              struct romsim_error *err)
{
    /* What another instance has can only be read by both.  (It may give it back before this one
     * stops; but who is told that it is queued relies on it.) */
    if (volume->holder && strcmp(volume->holder, link->name) != 0 &&
        (volume->is_written || !readonly)) {
        if (*volume->holder)
            romsim_error_set(err, EBUSY, "the volume '%s' is attached to the instance '%s'",
                             QUOTE(volume->name), QUOTE(volume->holder));
        else
            romsim_error_set(err, EBUSY, "the volume '%s' is in use", QUOTE(volume->name));
        if (err)
            err->cloud = ROMSIM_CLOUD_ATTACHED;
        return -1;
    }
    return change_volume(link,
                         json_pack("{s:s, s:s, s:s, s:s, s:b}", "do", "attach_volume", "name",
                                   volume->name, "uuid", volume->uuid, "at", at, "readonly",
                                   readonly),
                         timeout_ms, ret_is_queued, err);
}

int romsim_link_detach_volume(struct romsim_link *link, const struct romsim_volume_info *volume,
                              int timeout_ms, bool *ret_is_queued, struct romsim_error *err)
{
    return change_volume(link,
                         json_pack("{s:s, s:s, s:s}", "do", "detach_volume", "name", volume->name,
                                   "uuid", volume->uuid),
                         timeout_ms, ret_is_queued, err);
}

/* ---- all of them -------------------------------------------------------------------------------
 */

struct listed {
    struct romsim_link *link; /* or NULL: it cannot be asked */
    json_t *summary;          /* what it wrote down */
};

DEFINE_VECTOR(listed_all, struct listed);

static void list_visit(void *context, const struct romsim_state_entry *entry)
{
    struct listed listed = {.link = link_new(entry->name, entry->directory)};

    if (!listed.link && is_absence(errno))
        return;
    listed.summary = json_incref(entry->summary);
    if (listed.link && romsim_link_send(listed.link, json_pack("{s:s}", "do", "get"), NULL) < 0) {
        romsim_link_free(listed.link);
        listed.link = NULL;
    }
    if (listed_all_append(context, listed) < 0) {
        romsim_link_free(listed.link);
        json_decref(listed.summary);
    }
}

static enum romsim_link_news await_answer(struct romsim_link *link, int64_t end, json_t **ret)
{
    struct romsim_vm_event event;
    enum romsim_link_news news;

    do
        news = romsim_link_take(link, &event, ret);
    while (news == ROMSIM_LINK_EVENT ||
           (news == ROMSIM_LINK_NOTHING && wait_readable(link->fd, end)));
    return news;
}

static json_t *silent(json_t *summary)
{
    json_t *item = json_deep_copy(summary), *own = json_object_get(item, "romsim");

    json_object_set_new(own, "silent", json_true());
    return item;
}

/* What an instance says, or what it wrote down if it says nothing; NULL if it is gone by now. */
static json_t *listed_item(const struct listed *listed, int64_t end)
{
    json_t *answer = NULL;
    enum romsim_link_news news =
        listed->link ? await_answer(listed->link, end, &answer) : ROMSIM_LINK_NOTHING;
    json_int_t code = json_integer_value(json_object_get(json_object_get(answer, "error"), "code"));

    if (news == ROMSIM_LINK_ANSWER && !json_object_get(answer, "error"))
        return answer;
    json_decref(answer);
    if (news == ROMSIM_LINK_END || code == ROMSIM_CLOUD_NOT_FOUND)
        return NULL;
    return listed->summary ? silent(listed->summary) : NULL;
}

static int by_name(const void *one, const void *other)
{
    const json_t *a = json_object_get(*(json_t *const *)one, "name");
    const json_t *b = json_object_get(*(json_t *const *)other, "name");

    return strcmp(json_string_value(a) ?: "", json_string_value(b) ?: "");
}

json_t *romsim_link_list(void)
{
    CLEANUP(listed_all_reset) struct listed_all all = {0};
    int64_t end = now_ms() + LIST_MS;
    CLEANUP_FREE json_t **items = NULL;
    json_t *list = json_array();
    size_t count = 0;

    romsim_state_each(ROMSIM_STATE_INSTANCE, list_visit, &all);
    items = calloc(all.count + 1, sizeof(*items));
    for (size_t i = 0; i < all.count; i++) {
        struct listed *listed = &all.items[i];
        json_t *item = listed_item(listed, end);

        if (item && items)
            items[count++] = item;
        romsim_link_free(listed->link);
        json_decref(listed->summary);
    }
    if (!items) {
        json_decref(list);
        return NULL;
    }
    qsort(items, count, sizeof(json_t *), by_name);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, items[i]);
    return list;
}
