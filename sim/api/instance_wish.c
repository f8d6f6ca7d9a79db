/* SPDX-License-Identifier: BSD-3-Clause */
/* instance_wish.c: which instances a request means, and what it says of each (cloud-api §1.1). */
#include "instance.h"
#include "said.h"

#include <romsim/cleanup.h>
#include <romsim/text.h>
#include <romsim/uuid.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- which instances are meant -----------------------------------------------------------------
 */

json_t *wish_error(const struct wish *wish, const struct romsim_error *err)
{
    return said_error(wish->said, err);
}

static void find(struct api_request *request, struct wish *wish)
{
    const char *uuid = said_text(wish->said, "uuid"), *name = said_text(wish->said, "name");
    struct romsim_error err;

    wish->entry = roll_find(api_roll(request->api), uuid ? NULL : name, uuid);
    if (wish->entry)
        return;
    romsim_error_set(&err, ENOENT, "No instance with %s '%s'", uuid ? "uuid" : "name",
                     QUOTE(uuid ? uuid : name));
    err.cloud = ROMSIM_CLOUD_NOT_FOUND;
    wish->item = wish_error(wish, &err);
}

static size_t find_first(const struct wishes *wishes, size_t index)
{
    const struct roll_entry *entry = wishes->items[index].entry;

    for (size_t i = 0; entry && i < index; i++)
        if (wishes->items[i].entry && strcmp(wishes->items[i].entry->uuid, entry->uuid) == 0)
            return i;
    return index;
}

/* Takes what was said; NULL: a reply was given. */
static int find_all(struct api_request *request, json_t *said, struct wishes *ret)
{
    size_t count = json_array_size(said);

    *ret = (struct wishes){0};
    if (!said)
        return -1;
    ret->items = calloc(count + 1, sizeof(*ret->items));
    if (!ret->items) {
        json_decref(said);
        api_reply_fail(request, 503, ROMSIM_CLOUD_FAILED_OPERATION, "out of memory");
        return -1;
    }
    for (; ret->count < count; ret->count++) {
        struct wish *wish = &ret->items[ret->count];

        wish->said = json_incref(json_array_get(said, ret->count));
        find(request, wish);
        wish->first = find_first(ret, ret->count);
    }
    json_decref(said);
    return 0;
}

int wishes_read(struct api_request *request, bool may_be_none, struct wishes *ret)
{
    return find_all(request, said_read(request, may_be_none), ret);
}

int wishes_read_sources(struct api_request *request, struct wishes *ret)
{
    return find_all(request, said_read_sources(request), ret);
}

void wishes_clear(struct wishes *wishes)
{
    for (size_t i = 0; i < wishes->count; i++) {
        json_decref(wishes->items[i].said);
        json_decref(wishes->items[i].item);
        roll_entry_free(wishes->items[i].entry);
    }
    free(wishes->items);
    *wishes = (struct wishes){0};
}

json_t *wishes_items(const struct wishes *wishes)
{
    json_t *items = json_array();

    for (size_t i = 0; i < wishes->count; i++)
        json_array_append(items, wishes->items[i].item);
    return items;
}

/* ---- what is said ------------------------------------------------------------------------------
 */

bool wish_has(const struct wish *wish, const char *member)
{
    const json_t *value = json_object_get(wish->said, member);

    return value && !json_is_null(value);
}

int64_t wish_number(const struct wish *wish, const char *member, int64_t absent)
{
    const json_t *value = json_object_get(wish->said, member);

    return json_is_integer(value) ? json_integer_value(value) : absent;
}

int64_t wish_patience(const struct wish *wish, const char *older)
{
    int64_t seconds = wish_number(wish, "timeout_s", 0);

    if (wish_has(wish, "timeout_s") || !older)
        return seconds < 0 ? -1 : seconds * 1000;
    return wish_number(wish, older, 0);
}
