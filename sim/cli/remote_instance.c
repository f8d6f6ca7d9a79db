/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * remote_instance.c: a keeper's words, said to a server.
 *
 * Events are made of what is asked again and again: the console, where it was read to, and the
 * state that comes with it (cloud-api §1.5).  A server that does not answer for a while is waited
 * for, since one that is started again has the same instances.
 */
#include "remote.h"

#include <romsim/buffer.h>
#include <romsim/clock.h>
#include <romsim/text.h>
#include <romsim/uuid.h>
#include <romsim/vector.h>

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
    PREFIX_MIN = 4,
    PAGE = 16383,      /* of the log, the most that one asks for */
    ASK_FIRST_MS = 50, /* between two looks; later and later, up to */
    ASK_LAST_MS = 500,
    LOST_MS = 15000, /* how long a server may not answer */
    SLACK_S = 30     /* what an answer that waits may take beyond its time */
};

struct event {
    enum romsim_vm_event_kind kind;
    char *text; /* owned */
    size_t size;
    int status;
};

DEFINE_VECTOR(events, struct event);

struct remote_instance {
    struct remote *remote;
    char *name;
    char uuid[ROMSIM_UUID_SIZE];
    int timer; /* readable when it is time to look, or when there are events */
    /* What is followed. */
    bool is_followed, has_ended;
    json_int_t offset; /* of the log, up to which it was told */
    char *state;
    json_int_t start_count; /* what ends later than this start is its end */
    unsigned pause_ms;
    uint64_t lost_since_us; /* 0: it answers */
    struct events events;
    size_t taken; /* of the events: the text of the last one is still the client's */
};

/* ---- finding ----------------------------------------------------------------------------------
 */

static const char *text_of(const json_t *item, const char *key)
{
    return json_string_value(json_object_get(item, key)) ?: "";
}

/* For a query: all but what is safe in one is escaped. */
static void put_escaped(struct romsim_buffer *path, const char *text)
{
    for (; *text; text++)
        if (isalnum((unsigned char)*text) || strchr("-._~", *text))
            romsim_buffer_append(path, text, 1);
        else
            romsim_buffer_printf(path, "%%%02X", (unsigned char)*text);
}

/* Its name and UUID, as far as they can be taken for such. */
static bool take_names(struct remote_instance *instance, const json_t *item)
{
    const char *name = text_of(item, "name"), *uuid = text_of(item, "uuid");

    if (!*name || !romsim_uuid_is_valid(uuid))
        return false;
    for (const char *place = name; *place; place++)
        if (!isgraph((unsigned char)*place))
            return false;
    instance->name = strdup(name);
    memcpy(instance->uuid, uuid, sizeof(instance->uuid));
    return instance->name;
}

static json_t *find_by(const struct remote *remote, const char *key, const char *value,
                       struct romsim_error *err)
{
    CLEANUP_BUFFER struct romsim_buffer path = ROMSIM_BUFFER_INIT(1 << 16);

    romsim_buffer_printf(&path, "/v1/instances?details=false&%s=", key);
    put_escaped(&path, value);
    if (path.failed) {
        romsim_error_nomem(err);
        return NULL;
    }
    return remote_item(remote, "GET", path.data, NULL, REMOTE_PATIENCE_S, err);
}

static bool is_prefix(const char *text)
{
    return strlen(text) >= PREFIX_MIN && strspn(text, "0123456789abcdefABCDEF-") == strlen(text);
}

/* The instance whose UUID begins so; NULL with what was wrong before if there is none. */
static json_t *find_by_prefix(const struct remote *remote, const char *prefix,
                              struct romsim_error *err)
{
    json_t *list =
        remote_items(remote, "GET", "/v1/instances?details=false", NULL, REMOTE_PATIENCE_S, NULL);
    json_t *found = NULL;
    unsigned count = 0;

    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *item = json_array_get(list, i);

        if (strncasecmp(text_of(item, "uuid"), prefix, strlen(prefix)) != 0)
            continue;
        found = item;
        count++;
    }
    if (count > 1) {
        romsim_error_set(err, EINVAL, "%u instances have a UUID that begins with '%s'", count,
                         QUOTE(prefix));
        if (err)
            err->cloud = ROMSIM_CLOUD_INVALID;
    }
    json_incref(count == 1 ? found : NULL);
    json_decref(list);
    return count == 1 ? found : NULL;
}

static json_t *find(const struct remote *remote, const char *name, struct romsim_error *err)
{
    bool is_uuid = romsim_uuid_is_valid(name);
    json_t *item = find_by(remote, is_uuid ? "uuid" : "name", name, err);

    if (!item && err->cloud == ROMSIM_CLOUD_NOT_FOUND && !is_uuid && is_prefix(name))
        item = find_by_prefix(remote, name, err);
    if (!item && err->cloud == ROMSIM_CLOUD_NOT_FOUND && !*err->hint)
        romsim_error_hint(err, "'romsim ps -a' lists the instances of '%s'", QUOTE(remote->url));
    return item;
}

struct remote_instance *remote_instance_open(const char *host, const char *name,
                                             struct romsim_error *err)
{
    struct remote_instance *instance = calloc(1, sizeof(*instance));
    struct romsim_error error = {0};
    json_t *item = NULL;

    if (!instance) {
        romsim_error_nomem(err);
        return NULL;
    }
    instance->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    instance->remote = remote_new(host, &error);
    if (instance->remote)
        item = find(instance->remote, name, &error);
    if (item && !take_names(instance, item))
        romsim_error_set(&error, EPROTO, "'%s' has an instance whose name is none",
                         QUOTE(instance->remote->url));
    json_decref(item);
    if (instance->name)
        return instance;
    remote_instance_free(instance);
    if (err)
        *err = error;
    return NULL;
}

static void drop_events(struct remote_instance *instance)
{
    for (size_t i = 0; i < instance->events.count; i++)
        free(instance->events.items[i].text);
    events_reset(&instance->events);
    instance->taken = 0;
}

void remote_instance_free(struct remote_instance *instance)
{
    if (!instance)
        return;
    drop_events(instance);
    remote_free(instance->remote);
    cleanup_close_fd(&instance->timer);
    free(instance->state);
    free(instance->name);
    free(instance);
}

const char *remote_instance_name(const struct remote_instance *instance)
{
    return instance->name;
}

int remote_instance_fd(const struct remote_instance *instance)
{
    return instance->timer;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(text_of(*(const json_t *const *)a, "name"),
                  text_of(*(const json_t *const *)b, "name"));
}

/* Takes the reference. */
static json_t *sort_by_name(json_t *list, struct romsim_error *err)
{
    size_t count = json_array_size(list);
    CLEANUP_FREE json_t **items = calloc(count + 1, sizeof(json_t *));
    json_t *sorted = items ? json_array() : NULL;

    for (size_t i = 0; items && i < count; i++)
        items[i] = json_array_get(list, i);
    if (items)
        qsort(items, count, sizeof(json_t *), compare_names);
    for (size_t i = 0; sorted && i < count; i++)
        json_array_append(sorted, items[i]);
    json_decref(list);
    if (!sorted)
        romsim_error_nomem(err);
    return sorted;
}

json_t *remote_list(const char *host, struct romsim_error *err)
{
    CLEANUP_REMOTE struct remote *remote = remote_new(host, err);
    json_t *list = NULL;

    if (remote)
        list =
            remote_items(remote, "GET", "/v1/instances?details=true", NULL, REMOTE_PATIENCE_S, err);
    return list ? sort_by_name(list, err) : NULL;
}

/* ---- requests that are one --------------------------------------------------------------------
 */

/* The item of a request about this instance; takes the reference of `more`, members beside its
 * UUID. */
static json_t *ask(const struct remote_instance *instance, const char *method, const char *path,
                   json_t *more, unsigned patience_s, struct romsim_error *err)
{
    json_t *body = more ?: json_object();

    json_object_set_new(body, "uuid", json_string(instance->uuid));
    return remote_item(instance->remote, method, path, json_pack("[o]", body), patience_s, err);
}

static json_t *get(const struct remote_instance *instance, struct romsim_error *err)
{
    char path[100];

    snprintf(path, sizeof(path), "/v1/instances?details=true&uuid=%s", instance->uuid);
    return remote_item(instance->remote, "GET", path, NULL, REMOTE_PATIENCE_S, err);
}

/* Waits for a state, at most that long (-1: for ever); ETIMEDOUT. */
static json_t *wait_for(const struct remote_instance *instance, const char *state,
                        int64_t timeout_ms, struct romsim_error *err)
{
    int64_t timeout_s = timeout_ms < 0 ? -1 : (timeout_ms + 999) / 1000;
    json_t *more = json_pack("{s:s, s:I}", "state", state, "timeout_s", (json_int_t)timeout_s);
    json_t *item = ask(instance, "GET", "/v1/instances/wait", more,
                       timeout_s < 0 ? 0 : (unsigned)timeout_s + SLACK_S, err);

    if (item && strcmp(text_of(item, "state"), state) == 0)
        return item;
    if (!item && (!err || err->cloud != ROMSIM_CLOUD_TIMED_OUT))
        return NULL;
    json_decref(item);
    romsim_error_set(err, ETIMEDOUT, "timed out: '%s' is not %s yet", QUOTE(instance->name),
                     QUOTE(state));
    return NULL;
}

static json_t *do_get(struct remote_instance *instance, const json_t *request, int timeout_ms,
                      struct romsim_error *err)
{
    (void)request, (void)timeout_ms;
    return get(instance, err);
}

static json_t *do_start(struct remote_instance *instance, const json_t *request, int timeout_ms,
                        struct romsim_error *err)
{
    (void)request, (void)timeout_ms;
    return ask(instance, "PUT", "/v1/instances/start", NULL, REMOTE_PATIENCE_S, err);
}

static json_t *do_stop(struct remote_instance *instance, const json_t *request, int timeout_ms,
                       struct romsim_error *err)
{
    json_t *more = json_object(), *item;

    if (json_object_get(request, "timeout_ms")) {
        json_decref(more);
        romsim_error_set(err, ENOTSUP, "the cloud's API has no time-out for the app's end");
        romsim_error_hint(err, "without --timeout the server's holds; --force ends it at once");
        return NULL;
    }
    if (json_is_true(json_object_get(request, "force")))
        json_object_set_new(more, "force", json_true());
    if (json_object_get(request, "drain_ms"))
        json_object_set(more, "drain_timeout_ms", json_object_get(request, "drain_ms"));
    item = ask(instance, "PUT", "/v1/instances/stop", more, REMOTE_PATIENCE_S, err);
    if (!item || !json_is_true(json_object_get(request, "wait")))
        return item;
    json_decref(item);
    return wait_for(instance, "stopped", timeout_ms, err);
}

/* Then it is woken by whoever connects. */
static bool scales_to_zero(const struct remote_instance *instance)
{
    json_t *item = get(instance, NULL);
    bool scales = json_object_get(item, "service_group") &&
                  json_is_true(json_object_get(json_object_get(item, "scale_to_zero"), "enabled"));

    json_decref(item);
    return scales;
}

static json_t *do_suspend(struct remote_instance *instance, const json_t *request, int timeout_ms,
                          struct romsim_error *err)
{
    json_t *item =
        ask(instance, "PUT", "/v1/instances/suspend", json_object(), REMOTE_PATIENCE_S, err);

    if (!item || !json_is_true(json_object_get(request, "wait")))
        return item;
    json_decref(item);
    return wait_for(instance, scales_to_zero(instance) ? "standby" : "stopped", timeout_ms, err);
}

static json_t *do_wait(struct remote_instance *instance, const json_t *request, int timeout_ms,
                       struct romsim_error *err)
{
    return wait_for(instance, text_of(request, "state"), timeout_ms, err);
}

static json_t *do_delete(struct remote_instance *instance, const json_t *request, int timeout_ms,
                         struct romsim_error *err)
{
    (void)request, (void)timeout_ms;
    return ask(instance, "DELETE", "/v1/instances",
               json_pack("{s:i}", "timeout_s", REMOTE_PATIENCE_S), REMOTE_PATIENCE_S + SLACK_S,
               err);
}

static bool all_succeeded(const json_t *items, struct romsim_error *err)
{
    for (size_t i = 0; i < json_array_size(items); i++)
        if (remote_item_failed(json_array_get(items, i), err))
            return false;
    return true;
}

static json_t *do_edit(struct remote_instance *instance, const json_t *request, int timeout_ms,
                       struct romsim_error *err)
{
    json_t *body = json_deep_copy(json_object_get(request, "edits")), *answer, *item;
    bool is_done, is_queued;

    (void)timeout_ms;
    for (size_t i = 0; i < json_array_size(body); i++)
        json_object_set_new(json_array_get(body, i), "uuid", json_string(instance->uuid));
    answer = remote_items(instance->remote, "PATCH", "/v1/instances", body, REMOTE_PATIENCE_S, err);
    is_done = answer && all_succeeded(answer, err);
    json_decref(answer);
    item = is_done ? get(instance, err) : NULL;
    if (!item)
        return NULL;
    is_queued = json_array_size(json_object_get(item, "updates")) > 0;
    json_decref(item);
    return json_pack("{s:b}", "queued", is_queued);
}

/* ---- the log ----------------------------------------------------------------------------------
 */

/* An offset; 0 for what can be none. */
static json_int_t number_in(const json_t *item, const char *range, const char *end)
{
    json_int_t number = json_integer_value(json_object_get(json_object_get(item, range), end));

    return number < 0 || number > (json_int_t)1 << 52 ? 0 : number;
}

/* The requests for some pages from an offset on. */
struct pages {
    char *bodies[REMOTE_REQUESTS_MAX];
    struct remote_request requests[REMOTE_REQUESTS_MAX];
    json_t *envelopes[REMOTE_REQUESTS_MAX];
    size_t count;
};

static void free_pages(struct pages *pages)
{
    for (size_t i = 0; i < pages->count; i++) {
        free(pages->bodies[i]);
        json_decref(pages->envelopes[i]);
    }
}

/* Asks for `count` pages from `offset` on. */
static int ask_pages(const struct remote_instance *instance, json_int_t offset, size_t count,
                     struct pages *ret, struct romsim_error *err)
{
    *ret = (struct pages){0};
    for (; ret->count < count; ret->count++) {
        struct remote_request *request = &ret->requests[ret->count];

        if (asprintf(&ret->bodies[ret->count],
                     "[{\"uuid\": \"%s\", \"offset\": %lld, \"limit\": %d}]", instance->uuid,
                     (long long)offset, PAGE) < 0) {
            ret->bodies[ret->count] = NULL;
            return romsim_error_nomem(err);
        }
        *request = (struct remote_request){"GET", "/v1/instances/log", ret->bodies[ret->count]};
        offset += PAGE;
    }
    return remote_exchange(instance->remote, ret->requests, ret->count, REMOTE_PATIENCE_S,
                           ret->envelopes, err);
}

/* A page's item, borrowed; NULL if it is an error. */
static const json_t *page_item(const json_t *envelope, struct romsim_error *err)
{
    const json_t *item = json_array_get(remote_list_of(envelope), 0);

    if (!item)
        romsim_error_set(err, EPROTO, "the server's answer has no log");
    return item && !remote_item_failed(item, err) ? item : NULL;
}

/* A page's bytes, malloc'ed. */
static uint8_t *page_bytes(const json_t *item, size_t *ret_size, struct romsim_error *err)
{
    const json_t *output = json_object_get(item, "output");
    uint8_t *bytes =
        romsim_base64_decode(json_string_value(output) ?: "", json_string_length(output), ret_size);

    if (!bytes)
        romsim_error_set(err, EPROTO, "the log is not in base64");
    return bytes;
}

/* What collects the log, and how much is wanted. */
struct reading {
    romsim_vm_observer *observer;
    void *context;
    json_int_t next, end; /* offsets */
};

/* Hands on a page, from where the last one ended. */
static int hand_on(struct reading *reading, const json_t *item, struct romsim_error *err)
{
    json_int_t start = number_in(item, "range", "start");
    size_t size, skipped;
    CLEANUP_FREE uint8_t *bytes = page_bytes(item, &size, err);

    if (!bytes)
        return -1;
    skipped = reading->next > start ? (size_t)(reading->next - start) : 0;
    if (size <= skipped)
        return 0;
    reading->next = start + (json_int_t)size;
    reading->observer(reading->context, 0,
                      &(struct romsim_vm_event){.kind = ROMSIM_VM_CONSOLE,
                                                .text = (const char *)bytes + skipped,
                                                .size = size - skipped});
    return 0;
}

/* As many pages as there are until the end, one exchange of them. */
static int read_on(const struct remote_instance *instance, struct reading *reading,
                   struct romsim_error *err)
{
    json_int_t left = (reading->end - reading->next + PAGE - 1) / PAGE, before = reading->next;
    struct pages pages;
    int status =
        ask_pages(instance, reading->next,
                  left < REMOTE_REQUESTS_MAX ? (size_t)left : REMOTE_REQUESTS_MAX, &pages, err);

    for (size_t i = 0; i < pages.count && status == 0; i++) {
        const json_t *item = page_item(pages.envelopes[i], err);

        status = item ? hand_on(reading, item, err) : -1;
    }
    free_pages(&pages);
    if (status == 0 && reading->next == before)
        return romsim_error_set(err, EPROTO,
                                "the server says that there is more of the log, and "
                                "does not give it");
    return status;
}

/* The log's ends, and the state: an item of the log. */
static json_t *log_ends(const struct remote_instance *instance, struct romsim_error *err)
{
    return ask(instance, "GET", "/v1/instances/log",
               json_pack("{s:i, s:i}", "offset", -1, "limit", 1), REMOTE_PATIENCE_S, err);
}

/* `offset`, negative from the end, and `limit`. */
static json_t *read_log(struct remote_instance *instance, const json_t *request,
                        romsim_vm_observer *observer, void *context, struct romsim_error *err)
{
    struct reading reading = {.observer = observer, .context = context};
    json_int_t offset = json_integer_value(json_object_get(request, "offset")), start;
    json_int_t limit = json_integer_value(json_object_get(request, "limit"));
    json_t *ends;

    if (json_object_get(request, "since_ms")) {
        romsim_error_set(err, ENOTSUP, "the cloud's API does not tell when something was said");
        romsim_error_hint(err, "--tail LINES shows the last of it");
        return NULL;
    }
    ends = log_ends(instance, err);
    if (!ends)
        return NULL;
    start = number_in(ends, "available", "start");
    reading.end = number_in(ends, "available", "end");
    reading.next = offset < 0 ? reading.end + offset : offset;
    reading.next = start = reading.next < start ? start : reading.next;
    if (reading.end - reading.next > limit)
        reading.end = reading.next + limit;
    while (reading.next < reading.end)
        if (read_on(instance, &reading, err) < 0) {
            json_decref(ends);
            return NULL;
        }
    json_object_set_new(ends, "range",
                        json_pack("{s:I, s:I}", "start", start, "end", reading.next));
    return ends;
}

/* ---- following --------------------------------------------------------------------------------
 */

/* Has the timer be readable after a while. */
static void look_in(const struct remote_instance *instance, unsigned ms)
{
    struct itimerspec time = {
        .it_value = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 + 1}};

    timerfd_settime(instance->timer, 0, &time, NULL);
}

/* Takes `text`. */
static void tell(struct remote_instance *instance, enum romsim_vm_event_kind kind, char *text,
                 size_t size, int status)
{
    if (!text || events_append(&instance->events, (struct event){kind, text, size, status}) < 0)
        free(text);
}

static void tell_text(struct remote_instance *instance, enum romsim_vm_event_kind kind,
                      const char *text)
{
    tell(instance, kind, strdup(text), strlen(text), 0);
}

static void tell_state(struct remote_instance *instance, const char *state)
{
    free(instance->state);
    instance->state = strdup(state);
    tell_text(instance, ROMSIM_VM_STATE, state);
}

/* How the app has ended: cloud-rules §1, stop_reason. */
static void tell_end(struct remote_instance *instance, const json_t *item)
{
    enum { BY_APP = 2, PLATFORM_OR_USER = 12 };
    json_int_t reason = json_integer_value(json_object_get(item, "stop_reason"));
    json_int_t code = json_integer_value(json_object_get(item, "stop_code"));
    json_int_t exit_code = json_integer_value(json_object_get(item, "exit_code"));
    char *text;

    instance->has_ended = true;
    /* Between two looks it may have been seen to run by nobody. */
    if (json_integer_value(json_object_get(item, "boot_time_us")) > 0 && instance->state &&
        strcmp(instance->state, "running") != 0)
        tell_state(instance, "running");
    tell_state(instance, "stopped");
    if (reason & (BY_APP | PLATFORM_OR_USER)) {
        tell(instance, ROMSIM_VM_EXIT, strdup(""), 0, (int)exit_code & 0xff);
        return;
    }
    if (asprintf(&text,
                 "the instance stopped, and its app did not end it (stop_reason %lld, "
                 "stop_code 0x%llx): 'romsim logs %s' shows what it said",
                 (long long)reason, (unsigned long long)code, instance->name) < 0)
        text = NULL;
    tell(instance, ROMSIM_VM_FAILED, text, text ? strlen(text) : 0, 0);
}

/* It has stopped, and all that it said was told. */
static void look_at_end(struct remote_instance *instance)
{
    struct romsim_error err;
    json_t *item = get(instance, &err);

    if (item && strcmp(text_of(item, "state"), "stopped") == 0 &&
        !json_object_get(item, "restart") &&
        json_integer_value(json_object_get(item, "start_count")) > instance->start_count)
        tell_end(instance, item);
    json_decref(item);
}

static void server_is_lost(struct remote_instance *instance, const struct romsim_error *err)
{
    uint64_t now = romsim_clock_us();

    if (err->cloud == ROMSIM_CLOUD_NOT_FOUND) {
        tell_text(instance, ROMSIM_VM_STATE, "deleted");
        instance->has_ended = true;
        return;
    }
    if (!instance->lost_since_us)
        instance->lost_since_us = now;
    if (now - instance->lost_since_us < (uint64_t)LOST_MS * 1000)
        return;
    tell_text(instance, ROMSIM_VM_ERROR, err->message);
    instance->has_ended = true;
}

/* Takes what the console has from where it was told to, and the state. */
static void look(struct remote_instance *instance)
{
    json_t *more = json_pack("{s:I, s:i}", "offset", instance->offset, "limit", PAGE);
    struct romsim_error err = {0};
    json_t *item = ask(instance, "GET", "/v1/instances/log", more, REMOTE_PATIENCE_S, &err);
    const char *state = text_of(item, "state");
    uint8_t *bytes = NULL;
    size_t size = 0;

    if (!item || !(bytes = page_bytes(item, &size, &err))) {
        server_is_lost(instance, &err);
        json_decref(item);
        return;
    }
    instance->lost_since_us = 0;
    instance->pause_ms = size ? ASK_FIRST_MS : instance->pause_ms;
    if (size) {
        tell(instance, ROMSIM_VM_CONSOLE, (char *)bytes, size, 0);
        instance->offset = number_in(item, "range", "end");
    } else {
        free(bytes);
    }
    if (strcmp(state, "stopped") != 0 && instance->state && strcmp(state, instance->state) != 0) {
        tell_state(instance, state);
        instance->pause_ms = ASK_FIRST_MS;
    } else if (strcmp(state, "stopped") == 0 && !size) {
        look_at_end(instance);
    }
    json_decref(item);
}

static json_t *attach(struct remote_instance *instance, const json_t *request,
                      struct romsim_error *err)
{
    const json_t *offset = json_object_get(request, "offset");
    json_t *ends = log_ends(instance, err), *item = ends ? get(instance, err) : NULL, *answer;

    if (!item) {
        json_decref(ends);
        return NULL;
    }
    instance->is_followed = true;
    instance->offset = offset ? json_integer_value(offset) : number_in(ends, "available", "end");
    free(instance->state);
    instance->state = strdup(text_of(item, "state"));
    instance->start_count = json_integer_value(json_object_get(item, "start_count")) -
                            (strcmp(text_of(item, "state"), "stopped") != 0);
    instance->pause_ms = ASK_FIRST_MS;
    look_in(instance, instance->pause_ms);
    answer = json_pack("{s:s, s:b}", "state", text_of(item, "state"), "restarts",
                       json_object_get(item, "restart") != NULL);
    json_decref(ends);
    json_decref(item);
    return answer;
}

enum romsim_link_news remote_instance_take(struct remote_instance *instance,
                                           struct romsim_vm_event *ret_event, json_t **ret_answer)
{
    uint64_t times;

    (void)ret_answer; /* each request waits for its own */
    if (instance->taken == instance->events.count && instance->is_followed &&
        !instance->has_ended && read(instance->timer, &times, sizeof(times)) > 0) {
        drop_events(instance);
        look(instance);
        instance->pause_ms = instance->pause_ms * 3 / 2;
        if (instance->pause_ms > ASK_LAST_MS)
            instance->pause_ms = ASK_LAST_MS;
    }
    if (instance->taken < instance->events.count) {
        const struct event *event = &instance->events.items[instance->taken++];

        *ret_event = (struct romsim_vm_event){
            .kind = event->kind, .text = event->text, .size = event->size, .status = event->status};
        look_in(instance, 0);
        return ROMSIM_LINK_EVENT;
    }
    if (instance->has_ended)
        return ROMSIM_LINK_END;
    look_in(instance, instance->pause_ms);
    return ROMSIM_LINK_NOTHING;
}

/* ---- all words --------------------------------------------------------------------------------
 */

static const struct {
    const char *word;
    json_t *(*handle)(struct remote_instance *instance, const json_t *request, int timeout_ms,
                      struct romsim_error *err);
} words[] = {
    {"get", do_get},   {"start", do_start},   {"stop", do_stop}, {"suspend", do_suspend},
    {"wait", do_wait}, {"delete", do_delete}, {"edit", do_edit},
};

static json_t *handle(struct remote_instance *instance, const json_t *request, int timeout_ms,
                      romsim_vm_observer *observer, void *context, struct romsim_error *err)
{
    const char *word = text_of(request, "do");

    if (strcmp(word, "log") == 0)
        return read_log(instance, request, observer, context, err);
    if (strcmp(word, "attach") == 0)
        return attach(instance, request, err);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(words[i].word, word) == 0)
            return words[i].handle(instance, request, timeout_ms, err);
    romsim_error_set(err, ENOTSUP, "the cloud's API has nothing for '%s'", QUOTE(word));
    return NULL;
}

json_t *remote_instance_call(struct remote_instance *instance, json_t *request, int timeout_ms,
                             romsim_vm_observer *observer, void *context, struct romsim_error *err)
{
    struct romsim_error error = {0};
    json_t *answer;

    if (!request) {
        romsim_error_nomem(err);
        return NULL;
    }
    answer = handle(instance, request, timeout_ms, observer, context, &error);
    json_decref(request);
    if (!answer && err)
        *err = error;
    return answer;
}
