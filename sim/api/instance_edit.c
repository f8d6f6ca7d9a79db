/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * instance_edit.c: PATCH: properties of instances changed (cloud-api §1.6).
 *
 * All that a request says of one instance is one edit of it, so that it is made as a whole or not.
 */
#include "instance.h"

#include <romsim/cleanup.h>

#include <string.h>

/* An edit of a stopped instance is answered when its images are built; it goes on if that takes
 * longer than its client waits. */
enum { EDIT_MS = 60000 };

/* The keeper's form of one. */
static json_t *edit_json(const json_t *said)
{
    return json_pack("{s:O, s:O, s:O*}", "prop", json_object_get(said, "prop"), "op",
                     json_object_get(said, "op"), "value", json_object_get(said, "value"));
}

/* All edits of an instance go with the first of them. */
static void gather(struct wishes *wishes)
{
    for (size_t i = 0; i < wishes->count; i++) {
        const struct wish *wish = &wishes->items[i];
        json_t *said = wishes->items[wish->first].said;
        json_t *edits = json_object_get(said, "edits");

        if (!wish->entry)
            continue;
        if (!edits) {
            edits = json_array();
            json_object_set_new(said, "edits", edits);
        }
        json_array_append_new(edits, edit_json(wish->said));
    }
}

static json_t *ask_edit(struct api_request *request, const struct wish *wish)
{
    json_t *edits = json_object_get(wish->said, "edits");

    if (!edits)
        return NULL;
    return json_pack("{s:s, s:O, s:b}", "do", "edit", "edits", edits, "network",
                     !api_options(request->api)->allow_paths);
}

static json_t *take_edit(const struct wish *wish, json_t *answer)
{
    (void)answer;
    return api_item_success(
        json_pack("{s:s, s:s}", "uuid", wish->entry->uuid, "name", wish->entry->name));
}

/* An item for each edit, with the `id` that it was given: they succeed or fail together. */
static void spread(struct wishes *wishes)
{
    for (size_t i = 0; i < wishes->count; i++) {
        struct wish *wish = &wishes->items[i];

        if (!wish->item)
            wish->item = json_copy(wishes->items[wish->first].item);
    }
    for (size_t i = 0; i < wishes->count; i++)
        if (json_object_get(wishes->items[i].said, "id"))
            json_object_set(wishes->items[i].item, "id",
                            json_object_get(wishes->items[i].said, "id"));
}

void instances_edit(struct api_request *request)
{
    CLEANUP_WISHES struct wishes wishes = {0};

    if (wishes_read(request, false, &wishes) < 0)
        return;
    gather(&wishes);
    wishes_ask(request, &wishes, ask_edit, take_edit, EDIT_MS);
    spread(&wishes);
    api_reply_items(request, wishes_items(&wishes));
}
