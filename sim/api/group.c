/* SPDX-License-Identifier: BSD-3-Clause */
/* group.c: entries of ledgers as items. */
#include "group.h"

#include "listing.h"
#include "said.h"

#include <romsim/text.h>

#include <string.h>

json_t *group_find(enum romsim_ledger ledger, const json_t *said, struct romsim_error *err)
{
    const char *uuid = said_text(said, "uuid");

    return romsim_ledger_find(ledger, uuid ? NULL : said_text(said, "name"), uuid, err);
}

json_t *group_reference(const json_t *entry)
{
    return api_item_success(json_pack("{s:O, s:O}", "uuid", json_object_get(entry, "uuid"), "name",
                                      json_object_get(entry, "name")));
}

static int64_t time_of(const json_t *entry)
{
    return json_integer_value(json_object_get(entry, "created_at"));
}

json_t *group_time(const json_t *entry)
{
    return json_string(romsim_text_time(time_of(entry), (char[ROMSIM_TIME_SIZE]){0}));
}

static json_t *list(struct listing *listing, enum romsim_ledger ledger, group_shower *show,
                    const json_t *context, struct romsim_error *err)
{
    json_t *entries = romsim_ledger_list(ledger, err), *items;
    size_t count = json_array_size(entries);

    if (!entries)
        return NULL;
    items = json_array();
    for (size_t i = 0; i < count; i++) {
        const json_t *entry = json_array_get(entries, listing_index(listing, i, count));

        if (listing_takes(listing, said_text(entry, "uuid"), time_of(entry), entry))
            json_array_append_new(items, show(entry, context, listing->has_details));
    }
    json_decref(entries);
    return items;
}

static void reply_list(struct api_request *request, enum romsim_ledger ledger, group_shower *show,
                       const json_t *context)
{
    struct romsim_error err = {0};
    struct listing listing;
    json_t *items;

    if (listing_read(request, &listing) < 0)
        return;
    items = list(&listing, ledger, show, context, &err);
    if (items)
        api_reply_items(request, items);
    else
        api_reply_error(request, api_http_status(&err), &err);
}

static void reply_said(struct api_request *request, const json_t *said, enum romsim_ledger ledger,
                       group_shower *show, const json_t *context)
{
    bool has_details = listing_has_details(request);
    json_t *items = json_array();

    for (size_t i = 0; i < json_array_size(said); i++) {
        const json_t *one = json_array_get(said, i);
        struct romsim_error err = {0};
        json_t *entry = group_find(ledger, one, &err);

        json_array_append_new(items,
                              entry ? show(entry, context, has_details) : said_error(one, &err));
        json_decref(entry);
    }
    api_reply_items(request, items);
}

void group_reply(struct api_request *request, enum romsim_ledger ledger, group_shower *show,
                 json_t *context)
{
    json_t *said = said_read(request, true);

    if (said && json_array_size(said))
        reply_said(request, said, ledger, show, context);
    else if (said)
        reply_list(request, ledger, show, context);
    json_decref(said);
    json_decref(context);
}
