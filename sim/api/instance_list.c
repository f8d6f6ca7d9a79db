/* SPDX-License-Identifier: BSD-3-Clause */
/* instance_list.c: GET /v1/instances, and histories: what the roll knows (cloud-api §1.3). */
#include "instance.h"
#include "listing.h"

#include <romsim/cleanup.h>
#include <romsim/clock.h>

#include <string.h>

enum { LIST_MAX = 1 << 30 };

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

/* How long it has run: it has run on since it was looked at. */
static json_int_t uptime_ms(const struct roll_entry *entry)
{
    static const char *const runs[] = {"starting", "running", "draining", "stopping"};
    const char *state = json_string_value(json_object_get(entry->item, "state")) ?: "";
    json_int_t uptime = json_integer_value(json_object_get(entry->item, "uptime_ms"));

    for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
        if (strcmp(state, runs[i]) == 0)
            uptime += (json_int_t)(romsim_clock_us() - entry->seen_us) / 1000;
    return uptime;
}

json_t *instance_show(const struct roll_entry *entry, bool details)
{
    static const char *const few[] = {"uuid", "name", NULL};
    json_t *item;

    if (!details)
        return instance_part(entry->item, few);
    item = json_copy(entry->item);
    json_object_set_new(item, "uptime_ms", json_integer(uptime_ms(entry)));
    return item;
}

/* The same with all details, as a text in a list of them. */
static void append_text(struct romsim_buffer *list, const struct roll_entry *entry)
{
    if (list->size)
        romsim_buffer_append(list, ",", 1);
    romsim_buffer_puts(list, entry->text);
    romsim_buffer_printf(list, ",\"uptime_ms\":%lld}", (long long)uptime_ms(entry));
}

/* ---- the list ----------------------------------------------------------------------------------
 */

static json_t *list_few(struct listing *listing, const struct roll_entries *entries)
{
    json_t *items = json_array();

    for (size_t i = 0; i < entries->count; i++) {
        const struct roll_entry *entry = entries->items[listing_index(listing, i, entries->count)];

        if (listing_takes(listing, entry->uuid, entry->created_at, entry->item))
            json_array_append_new(items, instance_show(entry, false));
    }
    return items;
}

static void list_texts(struct listing *listing, const struct roll_entries *entries,
                       struct romsim_buffer *ret)
{
    for (size_t i = 0; i < entries->count; i++) {
        const struct roll_entry *entry = entries->items[listing_index(listing, i, entries->count)];

        if (listing_takes(listing, entry->uuid, entry->created_at, entry->item))
            append_text(ret, entry);
    }
}

static void reply_list(struct api_request *request)
{
    CLEANUP_BUFFER struct romsim_buffer texts = ROMSIM_BUFFER_INIT(LIST_MAX);
    struct roll_entries entries;
    struct listing listing;

    if (listing_read(request, &listing) < 0)
        return;
    if (roll_list(api_roll(request->api), &entries) < 0) {
        api_reply_fail(request, 503, ROMSIM_CLOUD_FAILED_OPERATION, "out of memory");
        return;
    }
    if (listing.has_details) {
        list_texts(&listing, &entries, &texts);
        api_reply_rendered(request, &texts);
    } else {
        api_reply_items(request, list_few(&listing, &entries));
    }
    roll_entries_clear(&entries);
}

/* ---- those that are named ----------------------------------------------------------------------
 */

static bool are_all_there(const struct wishes *wishes)
{
    for (size_t i = 0; i < wishes->count; i++)
        if (!wishes->items[i].entry)
            return false;
    return true;
}

void instances_get(struct api_request *request)
{
    CLEANUP_BUFFER struct romsim_buffer texts = ROMSIM_BUFFER_INIT(LIST_MAX);
    CLEANUP_WISHES struct wishes wishes = {0};
    bool has_details = listing_has_details(request);

    if (wishes_read(request, true, &wishes) < 0)
        return;
    if (wishes.count == 0) {
        reply_list(request);
        return;
    }
    if (has_details && are_all_there(&wishes)) {
        for (size_t i = 0; i < wishes.count; i++)
            append_text(&texts, wishes.items[i].entry);
        api_reply_rendered(request, &texts);
        return;
    }
    for (size_t i = 0; i < wishes.count; i++)
        if (wishes.items[i].entry)
            wishes.items[i].item = instance_show(wishes.items[i].entry, has_details);
    api_reply_items(request, wishes_items(&wishes));
}

/* ---- histories ---------------------------------------------------------------------------------
 */

/* The checkpoints that an instance was made of, and those that were made of it. */
static json_t *show_history(const struct roll_entry *entry)
{
    static const char *const few[] = {"uuid", "name", NULL};
    json_t *history = json_object_get(json_object_get(entry->item, "romsim"), "history");
    json_t *item = instance_part(entry->item, few);

    json_object_set_new(item, "history", history ? json_incref(history) : json_array());
    return item;
}

static void reply_histories(struct api_request *request)
{
    struct roll_entries entries;
    json_t *items = json_array();

    if (roll_list(api_roll(request->api), &entries) < 0) {
        json_decref(items);
        api_reply_fail(request, 503, ROMSIM_CLOUD_FAILED_OPERATION, "out of memory");
        return;
    }
    for (size_t i = 0; i < entries.count; i++)
        json_array_append_new(items, show_history(entries.items[i]));
    roll_entries_clear(&entries);
    api_reply_items(request, items);
}

void instances_history(struct api_request *request)
{
    CLEANUP_WISHES struct wishes wishes = {0};

    if (wishes_read(request, true, &wishes) < 0)
        return;
    if (wishes.count == 0) {
        reply_histories(request);
        return;
    }
    for (size_t i = 0; i < wishes.count; i++)
        if (wishes.items[i].entry)
            wishes.items[i].item = show_history(wishes.items[i].entry);
    api_reply_items(request, wishes_items(&wishes));
}
