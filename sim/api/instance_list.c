/* SPDX-License-Identifier: BSD-3-Clause */
/* instance_list.c: GET /v1/instances: what the roll knows (cloud-api §1.3). */
#include "instance.h"

#include <romsim/cleanup.h>
#include <romsim/clock.h>
#include <romsim/text.h>
#include <romsim/uuid.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* ---- one instance ------------------------------------------------------------------------------
 */

json_t *instance_part(const json_t *item, const char *const *names)
{
    json_t *part = json_object();

    for (size_t i = 0; names[i]; i++)
        if (json_object_get(item, names[i]))
            json_object_set(part, names[i], json_object_get(item, names[i]));
    return api_item_success(part);
}

/* It has run on since it was looked at. */
static void add_uptime(const struct roll_entry *entry, json_t *item)
{
    static const char *const runs[] = {"starting", "running", "draining", "stopping"};
    const char *state = json_string_value(json_object_get(item, "state")) ?: "";
    json_int_t uptime = json_integer_value(json_object_get(item, "uptime_ms"));

    for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
        if (strcmp(state, runs[i]) == 0)
            json_object_set_new(
                item, "uptime_ms",
                json_integer(uptime + (json_int_t)(romsim_clock_us() - entry->seen_us) / 1000));
}

json_t *instance_show(const struct roll_entry *entry, bool details)
{
    static const char *const few[] = {"uuid", "name", NULL};
    json_t *item;

    if (!details)
        return instance_part(entry->item, few);
    item = json_copy(entry->item);
    add_uptime(entry, item);
    return item;
}

/* ---- which of all ------------------------------------------------------------------------------
 */

static bool has_tag(const json_t *item, const char *tag)
{
    const json_t *tags = json_object_get(item, "tags");

    for (size_t i = 0; i < json_array_size(tags); i++)
        if (strcmp(json_string_value(json_array_get(tags, i)) ?: "", tag) == 0)
            return true;
    return false;
}

/* A tag as it was sent, up to a comma: one in it would be escaped. */
static bool has_raw_tag(const json_t *item, const char *raw, size_t size)
{
    CLEANUP_FREE char *tag = strndup(raw, size);

    return !tag || api_unescape(tag) <= 0 || has_tag(item, tag);
}

static bool has_tags(const struct api_request *request, const json_t *item)
{
    for (size_t i = 0; i < request->parameter_count; i++) {
        const char *raw = request->parameters[i].raw;

        if (strcmp(request->parameters[i].name, "tags") != 0)
            continue;
        for (size_t size;; raw += size + 1) {
            size = strcspn(raw, ",");
            if (!has_raw_tag(item, raw, size))
                return false;
            if (!raw[size])
                break;
        }
    }
    return true;
}

/* Where a list begins. */
struct beginning {
    const char *uuid; /* or */
    bool has_time;
    int64_t time;
};

/* "2026-05-28T13:53:40Z", with parts of a second or an offset.  False if it is no such time. */
static bool parse_time(const char *text, int64_t *ret)
{
    struct tm time = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &time);
    unsigned hours, minutes;
    char sign;
    int used = 0;

    if (rest && *rest == '.')
        rest += 1 + strspn(rest + 1, "0123456789");
    if (!rest)
        return false;
    *ret = timegm(&time);
    if (strcasecmp(rest, "Z") == 0 || !*rest)
        return true;
    if (sscanf(rest, "%c%2u:%2u%n", &sign, &hours, &minutes, &used) != 3 || rest[used] ||
        (sign != '+' && sign != '-'))
        return false;
    *ret -= (sign == '+' ? 60 : -60) * (int64_t)(hours * 60 + minutes);
    return true;
}

static bool is_beginning(const struct beginning *from, const struct roll_entry *entry,
                         bool is_descending)
{
    if (from->uuid)
        return strcasecmp(entry->uuid, from->uuid) == 0;
    if (!from->has_time)
        return true;
    return is_descending ? entry->created_at <= from->time : entry->created_at >= from->time;
}

/* False: after a reply. */
static bool read_from(struct api_request *request, struct beginning *ret)
{
    const char *text = api_request_parameter(request, "from");

    *ret = (struct beginning){0};
    if (!text || !*text)
        return true;
    if (romsim_uuid_is_valid(text)) {
        ret->uuid = text;
        return true;
    }
    ret->has_time = parse_time(text, &ret->time);
    if (!ret->has_time)
        api_reply_fail(request, 400, ROMSIM_CLOUD_INVALID,
                       "Invalid from '%s' (a UUID, or a time such as 2026-05-28T13:53:40Z)",
                       QUOTE(text));
    return ret->has_time;
}

/* ---- the list ----------------------------------------------------------------------------------
 */

static bool wants_details(const struct api_request *request)
{
    const char *text = api_request_parameter(request, "details");

    return !text || strcmp(text, "false") != 0;
}

static json_t *list(const struct api_request *request, const struct roll_entries *entries,
                    const struct beginning *from)
{
    const char *order = api_request_parameter(request, "order");
    const char *count = api_request_parameter(request, "count");
    bool is_descending = order && strcmp(order, "desc") == 0, has_begun = false;
    size_t most = count ? strtoul(count, NULL, 10) : 0;
    json_t *items = json_array();

    for (size_t i = 0; i < entries->count && (!most || json_array_size(items) < most); i++) {
        const struct roll_entry *entry = entries->items[is_descending ? entries->count - 1 - i : i];

        has_begun = has_begun || is_beginning(from, entry, is_descending);
        if (has_begun && has_tags(request, entry->item))
            json_array_append_new(items, instance_show(entry, wants_details(request)));
    }
    return items;
}

static void reply_list(struct api_request *request)
{
    struct roll_entries entries;
    struct beginning from;
    json_t *items;

    if (!read_from(request, &from))
        return;
    if (roll_list(api_roll(request->api), &entries) < 0) {
        api_reply_fail(request, 503, ROMSIM_CLOUD_FAILED_OPERATION, "out of memory");
        return;
    }
    items = list(request, &entries, &from);
    roll_entries_clear(&entries);
    api_reply_items(request, items);
}

void instances_get(struct api_request *request)
{
    CLEANUP_WISHES struct wishes wishes = {0};

    if (wishes_read(request, true, &wishes) < 0)
        return;
    if (wishes.count == 0) {
        reply_list(request);
        return;
    }
    for (size_t i = 0; i < wishes.count; i++)
        if (wishes.items[i].entry)
            wishes.items[i].item = instance_show(wishes.items[i].entry, wants_details(request));
    api_reply_items(request, wishes_items(&wishes));
}
