/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * events.c: what goes on, as server-sent events: "event: KIND", "data: VALUE", and an empty line.
 *
 * Of the instances: `instance` with an item of GET /v1/instances, `gone` with {"name"}, and `all`
 * once each that there is has been told.  They come from the roll.
 *
 * Of a console: `begin`, then `console` with bytes in base64, and `state`, `exit`, `note`, `error`
 * and `failed` with what happens to the instance; `live` behind what was said before, `end` when
 * the instance is gone.  One thread
 * reads from the keepers of all consoles that somebody follows.  It takes from a keeper only while
 * the client does, too: what the client is too slow for is then lost in the keeper's log, which is
 * bounded, and not kept here.
 */
#include "page.h"

#include "roll.h"

#include <romsim/buffer.h>
#include <romsim/cleanup.h>
#include <romsim/json.h>
#include <romsim/text.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

enum {
    EVENT_MAX = 64 << 20,
    WATCH_MS = 600000, /* then the client asks again; one that is gone is not told for ever */
    CONSOLES_MAX = 200,
    HISTORY = 64 << 10,
    ENOUGH = 256 << 10, /* bytes that wait for a client */
    TURN = 16,          /* events of a console at a time */
    LOOK_MS = 1000,     /* for clients that are gone, */
    LOOK_SLOW_MS = 50   /* or take again */
};

#define EVENT_TYPE "text/event-stream"

/* Writes an event.  The data has no newline.  False if the client is lost. */
static bool write_event(struct api_stream *stream, const char *kind, const char *data)
{
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(EVENT_MAX);

    romsim_buffer_printf(&text, "event: %s\ndata: ", kind);
    romsim_buffer_puts(&text, data);
    romsim_buffer_puts(&text, "\n\n");
    return !text.failed && api_stream_write(stream, text.data, text.size) == 0;
}

/* ---- instances ------------------------------------------------------------------------------ */

/* The same with a value, which is taken. */
static bool write_value(struct api_stream *stream, const char *kind, json_t *value)
{
    CLEANUP_FREE char *data = value ? json_dumps(value, JSON_COMPACT) : NULL;

    json_decref(value);
    return data && write_event(stream, kind, data);
}

/* A roll_told. */
static bool tell_instance(void *context, const char *name, const json_t *item)
{
    struct api_stream *stream = context;
    bool goes_on = false;

    if (name && !*name)
        goes_on = write_event(stream, "all", "{}");
    else if (name && item)
        goes_on = write_value(stream, "instance", json_incref((json_t *)item));
    else if (name)
        goes_on = write_value(stream, "gone", json_pack("{s:s}", "name", name));
    if (!goes_on)
        api_stream_end(stream);
    return goes_on;
}

void page_events(struct api_request *request)
{
    struct roll *roll = api_roll(request->api);
    struct api_stream *stream = api_reply_stream(request, EVENT_TYPE);

    if (stream && roll_watch(roll, tell_instance, stream, WATCH_MS) < 0)
        api_stream_end(stream);
}

/* ---- consoles ------------------------------------------------------------------------------- */

struct console {
    struct console *next;
    struct romsim_link *link;
    struct api_stream *stream;
    size_t slot;  /* in the last poll; 0: it was not there */
    bool is_slow; /* enough waits for the client */
    bool is_over;
};

struct consoles {
    pthread_mutex_t lock; /* of what follows */
    struct console *first;
    size_t count;
    bool ends;

    int wake; /* an eventfd */
    pthread_t thread;
    bool has_thread;
};

static void console_free(struct console *console)
{
    api_stream_end(console->stream);
    romsim_link_free(console->link);
    free(console);
}

/* An event whose value is {"text"} or {"status"}. */
static bool write_news(struct console *console, const char *kind,
                       const struct romsim_vm_event *event)
{
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(EVENT_MAX);
    struct romsim_json out = {.text = &text};

    romsim_json_open(&out, NULL, '{');
    if (event->kind == ROMSIM_VM_EXIT)
        romsim_json_integer(&out, "status", event->status);
    else
        romsim_json_bytes(&out, "text", event->text, event->size);
    romsim_json_close(&out, '}');
    /* Between values only: inside of a text it stands as an escape. */
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] == '\n')
            text.data[i] = ' ';
    return !text.failed && write_event(console->stream, kind, text.data);
}

static bool write_bytes(struct console *console, const struct romsim_vm_event *event)
{
    CLEANUP_FREE char *data = romsim_base64_encode(event->text, event->size);

    return data && write_event(console->stream, "console", data);
}

static bool pass_on(struct console *console, const struct romsim_vm_event *event)
{
    static const char *const kinds[] = {
        [ROMSIM_VM_NOTE] = "note", [ROMSIM_VM_ERROR] = "error",   [ROMSIM_VM_STATE] = "state",
        [ROMSIM_VM_EXIT] = "exit", [ROMSIM_VM_FAILED] = "failed",
    };
    unsigned kind = event->kind;

    if (event->kind == ROMSIM_VM_CONSOLE)
        return write_bytes(console, event);
    if (kind >= sizeof(kinds) / sizeof(kinds[0]) || !kinds[kind])
        return true; /* what is no news to who reads */
    return write_news(console, kinds[kind], event);
}

/* To "attach": what was said before has been told, or the keeper has refused. */
static bool pass_answer_on(struct console *console, const json_t *answer)
{
    const json_t *message = json_object_get(json_object_get(answer, "error"), "message");

    if (!message)
        return write_event(console->stream, "live", "{}");
    write_value(console->stream, "error", json_pack("{s:O}", "text", message));
    return false;
}

/* Takes what the keeper has said, not all at once. */
static void follow(struct console *console)
{
    struct romsim_vm_event event;
    json_t *answer = NULL;

    for (int i = 0; i < TURN && !console->is_over; i++)
        switch (romsim_link_take(console->link, &event, &answer)) {
        case ROMSIM_LINK_EVENT:
            console->is_over = !pass_on(console, &event);
            break;
        case ROMSIM_LINK_ANSWER:
            console->is_over = !pass_answer_on(console, answer);
            json_decref(answer);
            break;
        case ROMSIM_LINK_END: /* the instance is gone */
            write_event(console->stream, "end", "{}");
            console->is_over = true;
            break;
        case ROMSIM_LINK_NOTHING:
            return;
        }
}

/* What waits for the client, and whether it is there. */
static void look_at_client(struct console *console)
{
    size_t waiting = api_stream_waiting(console->stream);

    console->is_slow = waiting > ENOUGH;
    if (waiting == SIZE_MAX)
        console->is_over = true;
}

/* Takes those that are over out of the list.  The lock is held. */
static struct console *drop_over(struct consoles *consoles)
{
    struct console *over = NULL, *console, **place = &consoles->first;

    while ((console = *place)) {
        if (console->is_over) {
            *place = console->next;
            console->next = over;
            over = console;
            consoles->count--;
        } else {
            place = &console->next;
        }
    }
    return over;
}

static void free_all(struct console *console)
{
    while (console) {
        struct console *next = console->next;

        console_free(console);
        console = next;
    }
}

/* Returns how long to wait for news.  The lock is held. */
static int fill_polls(struct consoles *consoles, struct pollfd *polls, size_t *ret_count)
{
    int patience = consoles->first ? LOOK_MS : -1;
    size_t count = 1;

    polls[0] = (struct pollfd){consoles->wake, POLLIN, 0};
    for (struct console *console = consoles->first; console; console = console->next) {
        if (console->is_slow)
            patience = LOOK_SLOW_MS;
        console->slot = count;
        polls[count++] =
            (struct pollfd){console->is_slow ? -1 : romsim_link_fd(console->link), POLLIN, 0};
    }
    *ret_count = count;
    return patience;
}

static void serve_all(struct consoles *consoles, const struct pollfd *polls)
{
    uint64_t wakes;

    if (polls[0].revents && read(consoles->wake, &wakes, sizeof(wakes)) < 0)
        return; /* the next poll tells it again */
    for (struct console *console = consoles->first; console; console = console->next) {
        if (console->slot && polls[console->slot].revents)
            follow(console);
        if (!console->is_over)
            look_at_client(console);
    }
}

static void *run(void *context)
{
    struct consoles *consoles = context;
    struct pollfd polls[CONSOLES_MAX + 1];

    pthread_mutex_lock(&consoles->lock);
    while (!consoles->ends) {
        struct console *over;
        size_t count;
        int patience = fill_polls(consoles, polls, &count);

        pthread_mutex_unlock(&consoles->lock);
        if (poll(polls, count, patience) < 0)
            for (size_t i = 0; i < count; i++)
                polls[i].revents = 0;
        pthread_mutex_lock(&consoles->lock);
        serve_all(consoles, polls);
        over = drop_over(consoles);
        pthread_mutex_unlock(&consoles->lock);
        free_all(over);
        pthread_mutex_lock(&consoles->lock);
    }
    pthread_mutex_unlock(&consoles->lock);
    return NULL;
}

struct consoles *consoles_new(struct romsim_error *err)
{
    struct consoles *consoles = calloc(1, sizeof(*consoles));
    int problem;

    if (!consoles) {
        romsim_error_nomem(err);
        return NULL;
    }
    pthread_mutex_init(&consoles->lock, NULL);
    consoles->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    problem = consoles->wake < 0 ? errno : pthread_create(&consoles->thread, NULL, run, consoles);
    consoles->has_thread = !problem;
    if (!problem)
        return consoles;
    consoles_free(consoles);
    romsim_error_system(err, problem, "cannot start a thread");
    return NULL;
}

static void wake(struct consoles *consoles)
{
    const uint64_t one = 1;
    ssize_t written = write(consoles->wake, &one, sizeof(one));

    (void)written; /* it fails only if the thread is told already */
}

void consoles_free(struct consoles *consoles)
{
    if (!consoles)
        return;
    if (consoles->has_thread) {
        pthread_mutex_lock(&consoles->lock);
        consoles->ends = true;
        pthread_mutex_unlock(&consoles->lock);
        wake(consoles);
        pthread_join(consoles->thread, NULL);
    }
    free_all(consoles->first);
    cleanup_close_fd(&consoles->wake);
    pthread_mutex_destroy(&consoles->lock);
    free(consoles);
}

/* Takes the link and the stream.  False, and it takes nothing, if there are too many. */
static bool add_console(struct consoles *consoles, struct console *console)
{
    bool has_room;

    pthread_mutex_lock(&consoles->lock);
    has_room = consoles->count < CONSOLES_MAX;
    if (has_room) {
        console->next = consoles->first;
        consoles->first = console;
        consoles->count++;
    }
    pthread_mutex_unlock(&consoles->lock);
    if (has_room)
        wake(consoles);
    return has_room;
}

void page_console(struct api_request *request)
{
    CLEANUP_LINK struct romsim_link *link = NULL;
    struct consoles *consoles = api_consoles(request->api);
    struct console *console;
    struct romsim_error err = {0};
    int64_t offset;

    if (!page_number(request, "offset", INT64_MIN, INT64_MAX, -HISTORY, &offset) ||
        !(link = page_link(request)))
        return;
    /* A keeper that turns us away has said why. */
    if (romsim_link_send(link, json_pack("{s:s, s:I}", "do", "attach", "offset", offset), &err) <
            0 &&
        err.errnum != EPIPE) {
        api_reply_error(request, api_http_status(&err), &err);
        return;
    }
    console = calloc(1, sizeof(*console));
    if (!console) {
        api_reply_fail(request, 503, ROMSIM_CLOUD_FAILED_OPERATION, "out of memory");
        return;
    }
    console->stream = api_reply_stream(request, EVENT_TYPE);
    if (!console->stream) {
        free(console);
        return;
    }
    console->link = STEAL_POINTER(&link);
    if (write_event(console->stream, "begin", "{}") && add_console(consoles, console))
        return;
    write_event(console->stream, "error", "{\"text\": \"too many consoles are followed\"}");
    console_free(console);
}
