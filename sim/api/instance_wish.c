/* SPDX-License-Identifier: BSD-3-Clause */
/* instance_wish.c: which instances a request means, and what it says of each (cloud-api §1.1). */
#include "instance.h"

#include <romsim/bounds.h>
#include <romsim/cleanup.h>
#include <romsim/text.h>
#include <romsim/uuid.h>

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- the query ---------------------------------------------------------------------------------
 */

static bool is_reference(const char *name)
{
    return strcmp(name, "uuid") == 0 || strcmp(name, "name") == 0;
}

/* A parameter's value as a body would have it: it has been compared with this shape. */
static json_t *parameter_json(const struct romsim_shape *shape, const char *value)
{
    if (shape->kind == ROMSIM_SHAPE_INTEGER)
        return json_integer(strtoll(value, NULL, 10));
    if (shape->kind == ROMSIM_SHAPE_BOOLEAN)
        return json_boolean(strcmp(value, "true") == 0);
    return json_string(value);
}

static const struct api_query *find_query(const struct api_request *request, const char *name)
{
    for (const struct api_query *query = request->route->query; query && query->name; query++)
        if (strcmp(query->name, name) == 0)
            return query;
    return NULL;
}

static void add_references(const struct api_request *request, json_t *items)
{
    for (size_t i = 0; i < request->parameter_count; i++) {
        const struct api_parameter *parameter = &request->parameters[i];

        if (is_reference(parameter->name) && find_query(request, parameter->name))
            json_array_append_new(items, json_pack("{s:s}", parameter->name, parameter->value));
    }
}

static void add_members(const struct api_request *request, json_t *items)
{
    for (size_t i = 0; i < request->parameter_count; i++) {
        const struct api_parameter *parameter = &request->parameters[i];
        const struct api_query *query = find_query(request, parameter->name);

        for (size_t j = 0; query && !is_reference(query->name) && j < json_array_size(items); j++)
            if (!json_object_get(json_array_get(items, j), query->name))
                json_object_set_new(json_array_get(items, j), query->name,
                                    parameter_json(query->shape, parameter->value));
    }
}

/* ---- what is asked for -------------------------------------------------------------------------
 */

static const char *text_of(const json_t *said, const char *member)
{
    return json_string_value(json_object_get(said, member));
}

static int refuse_reference(struct api_request *request, const json_t *said)
{
    const char *uuid = text_of(said, "uuid"), *name = text_of(said, "name");

    if (uuid && !romsim_uuid_is_valid(uuid))
        api_reply_fail(request, 400, ROMSIM_CLOUD_INVALID, "Invalid uuid '%s'", QUOTE(uuid));
    else if (uuid && name)
        api_reply_fail(request, 400, ROMSIM_CLOUD_NOT_BOTH,
                       "Cannot specify 'name' when 'uuid' is set");
    else if (!uuid && !name)
        api_reply_fail(request, 400, ROMSIM_CLOUD_MISSING_ID, "Missing member uuid or name");
    else
        return 0;
    return -1;
}

static int refuse_count(struct api_request *request, size_t count, bool may_be_none)
{
    unsigned long long most = romsim_bound(ROMSIM_BOUND_INSTANCES);

    if (count > most)
        api_reply_fail(request, 400, ROMSIM_CLOUD_TOO_MANY, "Too many items: %zu, of at most %llu",
                       count, most);
    else if (count == 0 && !may_be_none)
        api_reply_fail(request, 400, ROMSIM_CLOUD_MISSING_ID, "Missing member uuid or name");
    else
        return 0;
    return -1;
}

json_t *wishes_said(struct api_request *request, bool may_be_none)
{
    json_t *items = api_request_items(request);
    int status = items ? 0 : -1;

    if (!items)
        return NULL;
    if (request->captures[0]) {
        if (json_array_size(items) == 0)
            json_array_append_new(items, json_object());
        json_object_set_new(json_array_get(items, 0), "uuid", json_string(request->captures[0]));
    } else {
        add_references(request, items);
    }
    add_members(request, items);
    status = refuse_count(request, json_array_size(items), may_be_none);
    for (size_t i = 0; status == 0 && i < json_array_size(items); i++)
        status = refuse_reference(request, json_array_get(items, i));
    if (status == 0)
        return items;
    json_decref(items);
    return NULL;
}

/* ---- which instances are meant -----------------------------------------------------------------
 */

json_t *wish_error(const struct wish *wish, const struct romsim_error *err)
{
    const char *uuid = text_of(wish->said, "uuid");

    return api_item_error(uuid ? "uuid" : "name", uuid ? uuid : text_of(wish->said, "name"), err);
}

static void find(struct api_request *request, struct wish *wish)
{
    const char *uuid = text_of(wish->said, "uuid"), *name = text_of(wish->said, "name");
    struct romsim_error err;

    wish->entry = roll_find(api_roll(request->api), uuid ? NULL : name, uuid);
    if (wish->entry)
        return;
    romsim_error_set(&err, ENOENT, "No instance with %s '%s'", uuid ? "uuid" : "name",
                     QUOTE(uuid ? uuid : name));
    err.cloud = ROMSIM_CLOUD_NOT_FOUND;
    wish->item = wish_error(wish, &err);
}

/* UUIDs are of any case, and those of the roll of the lower one. */
static void lower_uuid(json_t *said)
{
    char text[ROMSIM_UUID_SIZE];
    const char *uuid = text_of(said, "uuid");

    if (!uuid)
        return;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)tolower((unsigned char)uuid[i]);
    json_object_set_new(said, "uuid", json_string(text));
}

static size_t find_first(const struct wishes *wishes, size_t index)
{
    const struct roll_entry *entry = wishes->items[index].entry;

    for (size_t i = 0; entry && i < index; i++)
        if (wishes->items[i].entry && strcmp(wishes->items[i].entry->uuid, entry->uuid) == 0)
            return i;
    return index;
}

int wishes_read(struct api_request *request, bool may_be_none, struct wishes *ret)
{
    json_t *said = wishes_said(request, may_be_none);
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
        lower_uuid(wish->said);
        find(request, wish);
        wish->first = find_first(ret, ret->count);
    }
    json_decref(said);
    return 0;
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
