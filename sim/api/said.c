/* SPDX-License-Identifier: BSD-3-Clause */
/* said.c: which things a request means, by path, query or body (cloud-api §1.1). */
#include "said.h"

#include <romsim/bounds.h>
#include <romsim/cleanup.h>
#include <romsim/document.h>
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

const char *said_text(const json_t *said, const char *member)
{
    return json_string_value(json_object_get(said, member));
}

const char *said_path(struct api_request *request)
{
    const char *uuid = request->captures[0];

    if (romsim_uuid_is_valid(uuid))
        return uuid;
    api_reply_fail(request, 400, ROMSIM_CLOUD_INVALID, "Invalid uuid '%s'", QUOTE(uuid));
    return NULL;
}

static int refuse_reference(struct api_request *request, const json_t *said)
{
    const char *uuid = said_text(said, "uuid"), *name = said_text(said, "name");

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

/* What stands in a path or a query has not been compared with the shape, and may be all there is.
 */
static int refuse_absence(struct api_request *request, const json_t *said)
{
    const struct romsim_shape *shape = request->route->body;

    for (const struct romsim_member *member = shape ? shape->members : NULL; member && member->name;
         member++)
        if ((member->flags & ROMSIM_MEMBER_REQUIRED) && !json_object_get(said, member->name)) {
            api_reply_fail(request, 400, ROMSIM_CLOUD_MALFORMED_REQUEST, "Missing member %s",
                           member->name);
            return -1;
        }
    return 0;
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

/* UUIDs are of any case, and those of the roll of the lower one. */
static void lower_uuid(json_t *said)
{
    char text[ROMSIM_UUID_SIZE];
    const char *uuid = said_text(said, "uuid");

    if (!uuid)
        return;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)tolower((unsigned char)uuid[i]);
    json_object_set_new(said, "uuid", json_string(text));
}

json_t *said_read(struct api_request *request, bool may_be_none)
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
    for (size_t i = 0; status == 0 && i < json_array_size(items); i++) {
        status = refuse_reference(request, json_array_get(items, i));
        if (status == 0)
            status = refuse_absence(request, json_array_get(items, i));
        if (status == 0)
            lower_uuid(json_array_get(items, i));
    }
    if (status == 0)
        return items;
    json_decref(items);
    return NULL;
}

/* It is there: the body has been compared with the shape. */
static void name_source(json_t *said)
{
    json_t *from = json_incref(json_object_get(said, "from"));

    if (json_object_get(said, "name"))
        json_object_set(said, "new_name", json_object_get(said, "name"));
    json_object_del(said, "name");
    json_object_del(said, "from");
    json_object_update(said, from);
    json_decref(from);
}

json_t *said_read_sources(struct api_request *request)
{
    json_t *items = api_request_items(request);
    int status = items ? refuse_count(request, json_array_size(items), false) : -1;

    for (size_t i = 0; status == 0 && i < json_array_size(items); i++) {
        json_t *item = json_array_get(items, i);

        name_source(item);
        status = refuse_reference(request, item);
        if (status == 0)
            lower_uuid(item);
    }
    if (status == 0)
        return items;
    json_decref(items);
    return NULL;
}

json_t *said_error(const json_t *said, const struct romsim_error *err)
{
    const char *uuid = said_text(said, "uuid");

    return api_item_error(uuid ? "uuid" : "name", uuid ? uuid : said_text(said, "name"), err);
}

/* In the cloud's words alone: romsim's commands are no help there. */
static json_t *act_on(struct api_request *request, const json_t *said, said_actor *act)
{
    struct romsim_error err = {0};
    json_t *item = act(request, said, &err);

    if (item)
        return item; /* cppcheck-suppress returnDanglingLifetime; it has nothing of err */
    if (strstr(err.hint, "romsim"))
        err.hint[0] = '\0';
    return said_error(said, &err);
}

void said_reply(struct api_request *request, const json_t *said, said_actor *act)
{
    json_t *items = json_array();

    for (size_t i = 0; i < json_array_size(said); i++)
        json_array_append_new(items, act_on(request, json_array_get(said, i), act));
    api_reply_items(request, items);
}

void said_each(struct api_request *request, said_actor *act)
{
    json_t *said = said_read(request, false);

    if (said)
        said_reply(request, said, act);
    json_decref(said);
}

void said_make(struct api_request *request, said_actor *make)
{
    json_t *items = api_request_items(request);

    if (items && json_array_size(items) == 0)
        api_reply_fail(request, 400, ROMSIM_CLOUD_MALFORMED_REQUEST, "The body must be an object");
    else if (items && refuse_count(request, json_array_size(items), true) == 0)
        said_reply(request, items, make);
    json_decref(items);
}

/* ---- values whose shape depends on others ------------------------------------------------------
 */

int said_check(const json_t *value, const char *name, const struct romsim_shape *shape,
               struct romsim_error *err)
{
    const struct romsim_member members[] = {{name, shape, ROMSIM_MEMBER_REQUIRED, NULL},
                                            ROMSIM_END};
    const struct romsim_shape whole = {.kind = ROMSIM_SHAPE_OBJECT, .members = members};
    json_t *object = json_pack("{s:O*}", name, value);
    CLEANUP_FREE char *text = json_dumps(object, JSON_COMPACT);
    CLEANUP_DOCUMENT struct romsim_document *document =
        text ? romsim_document_new("value", text, strlen(text)) : NULL;
    struct romsim_diagnostics diagnostics = {0};
    struct romsim_schema schema = {.document = document,
                                   .diagnostics = &diagnostics,
                                   .subject = "The value",
                                   .is_request = true};
    int status = 0;

    json_decref(object);
    if (!document)
        return romsim_error_nomem(err);
    romsim_document_demand_json(document);
    romsim_document_read(document, &diagnostics);
    if (romsim_document_root_count(document))
        romsim_schema_check(&schema, romsim_document_root(document, 0), &whole);
    romsim_buffer_reset(&schema.idle);
    for (size_t i = 0; status == 0 && i < diagnostics.count; i++)
        if (!diagnostics.entries[i].is_warning) {
            status = -1;
            if (err)
                *err = diagnostics.entries[i].error;
        }
    romsim_diagnostics_clear(&diagnostics);
    return status;
}
