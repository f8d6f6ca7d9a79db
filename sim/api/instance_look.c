/* SPDX-License-Identifier: BSD-3-Clause */
/* instance_look.c: the log of an instance's console (cloud-api §1.5), and its metrics. */
#include "instance.h"

#include <romsim/buffer.h>
#include <romsim/cleanup.h>
#include <romsim/text.h>

#include <stdlib.h>
#include <string.h>

enum { LOG_LIMIT = 4096, LOG_MOST = 16383 };

/* ---- log ---------------------------------------------------------------------------------------
 */

static json_t *log_request(const struct wish *wish)
{
    return json_pack("{s:s, s:I, s:I}", "do", "log", "offset",
                     (json_int_t)wish_number(wish, "offset", -LOG_LIMIT), "limit",
                     (json_int_t)wish_number(wish, "limit", LOG_LIMIT));
}

/* Bytes are counted by clients: what was dropped from the log meanwhile must not be missed. */
static json_t *log_item(const struct roll_entry *entry, const struct question *question)
{
    const struct romsim_buffer *log = question->log;
    CLEANUP_FREE char *output = romsim_base64_encode(log->data ? log->data : "", log->size);
    json_t *range = json_object_get(question->answer, "range");
    json_int_t end = json_integer_value(json_object_get(range, "end"));

    return api_item_success(json_pack(
        "{s:s, s:s, s:s*, s:s, s:O, s:{s:I, s:I}}", "uuid", entry->uuid, "name", entry->name,
        "state", json_string_value(json_object_get(question->answer, "state")), "output",
        output ? output : "", "available", json_object_get(question->answer, "available"), "range",
        "start", end - (json_int_t)log->size, "end", end));
}

static void fill_logs(struct wishes *wishes, struct question *questions, struct romsim_buffer *logs)
{
    for (size_t i = 0; i < wishes->count; i++) {
        struct wish *wish = &wishes->items[i];

        logs[i] = ROMSIM_BUFFER_INIT(LOG_MOST);
        if (!wish->entry)
            continue;
        questions[i] = (struct question){
            .name = wish->entry->name, .request = log_request(wish), .log = &logs[i]};
    }
    questions_ask(questions, wishes->count, ASK_MS);
    for (size_t i = 0; i < wishes->count; i++) {
        struct wish *wish = &wishes->items[i];

        if (wish->entry)
            wish->item = questions[i].answer ? log_item(wish->entry, &questions[i])
                                             : wish_error(wish, &questions[i].err);
        json_decref(questions[i].answer);
        romsim_buffer_reset(&logs[i]);
    }
}

void instances_log(struct api_request *request)
{
    CLEANUP_WISHES struct wishes wishes = {0};
    CLEANUP_FREE struct question *questions = NULL;
    CLEANUP_FREE struct romsim_buffer *logs = NULL;

    if (wishes_read(request, false, &wishes) < 0)
        return;
    questions = calloc(wishes.count + 1, sizeof(*questions));
    logs = calloc(wishes.count + 1, sizeof(*logs));
    if (!questions || !logs) {
        api_reply_fail(request, 503, ROMSIM_CLOUD_FAILED_OPERATION, "out of memory");
        return;
    }
    fill_logs(&wishes, questions, logs);
    api_reply_items(request, wishes_items(&wishes));
}

/* ---- metrics -----------------------------------------------------------------------------------
 */

static json_t *ask_metrics(struct api_request *request, const struct wish *wish)
{
    (void)request, (void)wish;
    return json_pack("{s:s}", "do", "metrics");
}

static json_t *take_metrics(const struct wish *wish, json_t *answer)
{
    (void)wish;
    return api_item_success(json_incref(answer));
}

/* Without a word about which, all are meant. */
static int add_all(struct api_request *request, struct wishes *wishes)
{
    struct roll_entries entries;

    if (roll_list(api_roll(request->api), &entries) < 0)
        return -1;
    free(wishes->items);
    wishes->items = calloc(entries.count + 1, sizeof(*wishes->items));
    for (size_t i = 0; wishes->items && i < entries.count; i++, wishes->count++)
        wishes->items[i] = (struct wish){.said = json_pack("{s:s}", "uuid", entries.items[i]->uuid),
                                         .entry = STEAL_POINTER(&entries.items[i])};
    roll_entries_clear(&entries);
    return wishes->items ? 0 : -1;
}

void instances_metrics(struct api_request *request)
{
    CLEANUP_WISHES struct wishes wishes = {0};

    if (wishes_read(request, true, &wishes) < 0)
        return;
    if (wishes.count == 0 && add_all(request, &wishes) < 0) {
        api_reply_fail(request, 503, ROMSIM_CLOUD_FAILED_OPERATION, "out of memory");
        return;
    }
    wishes_ask(request, &wishes, ask_metrics, take_metrics, ASK_MS);
    api_reply_items(request, wishes_items(&wishes));
}
