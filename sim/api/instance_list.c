/* SPDX-License-Identifier: BSD-3-Clause */
/* instance_list.c: GET /v1/instances: what the roll knows (cloud-api §1.3). */
#include "instance.h"
#include "listing.h"

#include <romsim/cleanup.h>
#include <romsim/clock.h>

#include <string.h>

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

/* ---- the list ----------------------------------------------------------------------------------
 */

static json_t *list(struct listing *listing, const struct roll_entries *entries)
{
    json_t *items = json_array();

    for (size_t i = 0; i < entries->count; i++) {
        const struct roll_entry *entry = entries->items[listing_index(listing, i, entries->count)];

        if (listing_takes(listing, entry->uuid, entry->created_at, entry->item))
            json_array_append_new(items, instance_show(entry, listing->has_details));
    }
    return items;
}

static void reply_list(struct api_request *request)
{
    struct roll_entries entries;
    struct listing listing;
    json_t *items;

    if (listing_read(request, &listing) < 0)
        return;
    if (roll_list(api_roll(request->api), &entries) < 0) {
        api_reply_fail(request, 503, ROMSIM_CLOUD_FAILED_OPERATION, "out of memory");
        return;
    }
    items = list(&listing, &entries);
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
            wishes.items[i].item =
                instance_show(wishes.items[i].entry, listing_has_details(request));
    api_reply_items(request, wishes_items(&wishes));
}
