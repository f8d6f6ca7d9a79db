/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * instance_ask.c: asking many keepers at once: all get their requests before the first is waited
 * for.
 */
#include "instance.h"

#include <romsim/buffer.h>
#include <romsim/clock.h>

#include <errno.h>
#include <stdlib.h>

enum { AT_ONCE = 64 }; /* links that are open */

static int time_left(uint64_t end)
{
    uint64_t now = romsim_clock_us();

    if (!end)
        return -1;
    return end > now ? (int)((end - now) / 1000) + 1 : 0;
}

static void ask(struct question *question)
{
    json_t *request = STEAL_POINTER(&question->request);

    question->link = romsim_link_open_name(question->name, &question->err);
    if (!question->link) {
        json_decref(request);
        return;
    }
    /* One that ends just now may have said why. */
    if (romsim_link_send(question->link, request, &question->err) == 0 ||
        question->err.errnum == EPIPE)
        return;
    romsim_link_free(question->link);
    question->link = NULL;
}

/* A romsim_vm_observer. */
static void on_event(void *context, size_t instance, const struct romsim_vm_event *event)
{
    struct question *question = context;

    (void)instance;
    if (question->log && event->kind == ROMSIM_VM_CONSOLE)
        romsim_buffer_append(question->log, event->text, event->size);
}

static void hear(struct question *question, int timeout_ms)
{
    question->answer =
        romsim_link_await(question->link, timeout_ms, on_event, question, &question->err);
    romsim_link_free(question->link);
    question->link = NULL;
}

void questions_ask(struct question *questions, size_t count, int timeout_ms)
{
    uint64_t end = timeout_ms < 0 ? 0 : romsim_clock_us() + (uint64_t)timeout_ms * 1000;

    for (size_t first = 0; first < count; first += AT_ONCE) {
        size_t last = first + AT_ONCE < count ? first + AT_ONCE : count;

        for (size_t i = first; i < last; i++)
            if (questions[i].name && questions[i].request)
                ask(&questions[i]);
        for (size_t i = first; i < last; i++)
            if (questions[i].link)
                hear(&questions[i], time_left(end));
    }
}

/* The keeper has ended just now, and with it the instance. */
static bool is_gone(const struct romsim_error *err)
{
    return err->errnum == EPIPE || err->cloud == ROMSIM_CLOUD_NOT_FOUND;
}

static void take(struct wish *wish, struct question *question, wish_taker *taker)
{
    const char *name = wish->entry->name;

    if (question->answer) {
        wish->item = taker(wish, question->answer);
        json_decref(question->answer);
        return;
    }
    if (is_gone(&question->err)) {
        romsim_error_set(&question->err, ENOENT, "No instance with name '%s'", name);
        question->err.cloud = ROMSIM_CLOUD_NOT_FOUND;
    }
    wish->item = wish_error(wish, &question->err);
}

void wishes_ask(struct api_request *request, struct wishes *wishes, wish_asker *asker,
                wish_taker *taker, int timeout_ms)
{
    struct question *questions = calloc(wishes->count + 1, sizeof(*questions));

    for (size_t i = 0; questions && i < wishes->count; i++)
        if (wishes->items[i].entry && !wishes->items[i].item) {
            questions[i].name = wishes->items[i].entry->name;
            questions[i].request = asker(request, &wishes->items[i]);
            if (!questions[i].request)
                questions[i].name = NULL;
        }
    if (questions)
        questions_ask(questions, wishes->count, timeout_ms);
    for (size_t i = 0; questions && i < wishes->count; i++)
        if (questions[i].name)
            take(&wishes->items[i], &questions[i], taker);
    free(questions);
}
