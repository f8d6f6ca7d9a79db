/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * openapi.c: the OpenAPI document of what is served, made of the routes' tables.
 *
 * Nothing of it is written down twice: paths, queries and shapes are those by which requests are
 * found and checked.  What only this file knows is the envelope (cloud-api §1.2).
 *
 * OpenAPI 3.1, because its schemas are JSON Schema as it is, and because a GET may have a body: the
 * cloud's clients send them (cloud-api §1.1).
 */
#include "api.h"

#include <romsim/cleanup.h>
#include <romsim/schema_describe.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char about[] =
    "What `romsim serve` serves: the REST API of Unikraft Cloud on this machine, as far as romsim "
    "simulates it. An answer's `status` is `success`, `partial_success` or `error`, and so is that "
    "of each item in it: one that failed stands beside those that did not, and the HTTP status is "
    "200. Members that are accepted and not simulated are marked `x-romsim-not-simulated`; an "
    "answer to them has `warnings`. See romsim(1), romsim-instance(5) and docs/parity.md.";

/* The parts that have no table. */
static const char envelope[] =
    "{\"type\": \"object\","
    " \"required\": [\"status\", \"op_time_us\"],"
    " \"properties\": {"
    "  \"status\": {\"type\": \"string\", \"enum\": [\"success\", \"partial_success\", \"error\"]},"
    "  \"message\": {\"type\": \"string\"},"
    "  \"data\": {\"type\": \"object\"},"
    "  \"errors\": {\"type\": \"array\", \"items\": {\"type\": \"object\","
    "   \"required\": [\"status\"],"
    "   \"properties\": {"
    "    \"status\": {\"type\": \"integer\", \"description\": \"the HTTP status\"},"
    "    \"error\": {\"type\": \"integer\", \"description\": \"the cloud's code\"}}}},"
    "  \"warnings\": {\"type\": \"array\", \"items\": {\"type\": \"object\","
    "   \"required\": [\"type\", \"message\"],"
    "   \"properties\": {\"type\": {\"type\": \"string\"}, \"message\": {\"type\": \"string\"}}}},"
    "  \"op_time_us\": {\"type\": \"integer\", \"minimum\": 0}}}";

#define PREFIX "#/components/schemas/"

/* What every item has (cloud-api §1.2): one that failed need not have more. */
static const char item_frame[] =
    "{\"type\": \"object\","
    " \"required\": [\"status\"],"
    " \"properties\": {"
    "  \"status\": {\"type\": \"string\", \"enum\": [\"success\", \"error\"]},"
    "  \"message\": {\"type\": \"string\"},"
    "  \"error\": {\"type\": \"integer\", \"minimum\": 0, \"maximum\": 30,"
    "   \"description\": \"the cloud's code; 8 is 'not found'\"},"
    "  \"uuid\": {\"type\": \"string\"},"
    "  \"name\": {\"type\": \"string\"}},"
    " \"if\": {\"properties\": {\"status\": {\"const\": \"success\"}}},"
    " \"then\": {\"required\": []},"
    " \"else\": {\"required\": [\"message\"]}}";

enum { PATH_SIZE_MAX = 4096 };

struct description {
    struct romsim_schemas components;
    json_t *paths;
};

static void put(struct description *description, json_t *object, const char *key, json_t *value)
{
    romsim_schemas_put(&description->components, object, key, value);
}

static void append(struct description *description, json_t *list, json_t *value)
{
    if (json_array_append_new(list, value) < 0)
        description->components.failed = true;
}

/* ---- what is sent ------------------------------------------------------------------------- */

static json_t *query_parameter(struct description *description, const struct api_query *query)
{
    json_t *schema = romsim_shape_describe(&description->components, query->shape,
                                           ROMSIM_SHAPE_SENT, query->name);
    json_t *parameter = json_pack("{s:s, s:s}", "name", query->name, "in", "query");

    if (query->is_list)
        schema = json_pack("{s:s, s:o}", "type", "array", "items", schema);
    put(description, parameter, "schema", schema);
    if (query->about)
        put(description, parameter, "description", json_string(query->about));
    return parameter;
}

/* What stands for "{name}" and "{name...}" in a path. */
static json_t *path_parameter(const char *name, size_t length)
{
    bool is_uuid = length == strlen("uuid") && strncmp(name, "uuid", length) == 0;

    return json_pack("{s:s%, s:s, s:b, s:o}", "name", name, length, "in", "path", "required", true,
                     "schema",
                     is_uuid ? json_pack("{s:s, s:s}", "type", "string", "format", "uuid")
                             : json_pack("{s:s, s:i}", "type", "string", "minLength", 1));
}

static json_t *parameters_of(struct description *description, const struct api_route *route)
{
    json_t *parameters = json_array();

    for (const char *at = strchr(route->path, '{'); at; at = strchr(at, '{')) {
        at++;
        append(description, parameters, path_parameter(at, strcspn(at, ".}")));
    }
    for (const struct api_query *query = route->query; query && query->name; query++)
        append(description, parameters, query_parameter(description, query));
    return parameters;
}

/* "getInstances" and "item": "GetInstanceItem"; malloc'ed. */
static char *component_name(const struct api_route *route, const char *what)
{
    CLEANUP_FREE char *operation = romsim_schema_name("", route->id);

    return operation ? romsim_schema_name(operation, what) : NULL;
}

static json_t *body_schema(struct description *description, const struct api_route *route)
{
    CLEANUP_FREE char *name = component_name(route, "request");
    json_t *one =
        romsim_shape_describe(&description->components, route->body, ROMSIM_SHAPE_SENT, name);
    json_t *kinds = json_array();

    if (route->body_kind != API_LIST)
        append(description, kinds, json_incref(one));
    if (route->body_kind != API_OBJECT)
        append(description, kinds, json_pack("{s:s, s:O}", "type", "array", "items", one));
    append(description, kinds, json_pack("{s:s}", "type", "null")); /* as none at all */
    json_decref(one);
    return json_pack("{s:o}", "anyOf", kinds);
}

/* ---- what is answered --------------------------------------------------------------------- */

static bool has_details(const struct api_route *route)
{
    for (const struct api_query *query = route->query; query && query->name; query++)
        if (strcmp(query->name, "details") == 0)
            return true;
    return false;
}

/* Of an item where nothing is simulated, so that each fails. */
static json_t *failed_item(void)
{
    json_t *schema = json_loads(item_frame, 0, NULL);

    json_object_set_new(schema, "additionalProperties", json_false());
    return schema;
}

static json_t *items_schema(struct description *description, const struct api_route *route)
{
    CLEANUP_FREE char *name = component_name(route, "item");
    enum romsim_shape_role role = has_details(route) ? ROMSIM_SHAPE_BRIEF : ROMSIM_SHAPE_ITEM;
    json_t *item = route->item
                       ? romsim_shape_describe(&description->components, route->item, role, name)
                       : failed_item();

    return json_pack("{s:s, s:o}", "type", "array", "items", item);
}

static json_t *data_schema(struct description *description, const struct api_route *route)
{
    CLEANUP_FREE char *name = component_name(route, "data");

    if (route->list)
        return json_pack("{s:s, s:{s:o}, s:[s], s:b}", "type", "object", "properties", route->list,
                         items_schema(description, route), "required", route->list,
                         "additionalProperties", false);
    return romsim_shape_describe(&description->components, route->item, ROMSIM_SHAPE_ANSWERED,
                                 name);
}

/* The envelope; its `data`, if this answer has any. */
static json_t *answer(const char *about_it, json_t *data)
{
    json_t *schema = romsim_schema_reference(PREFIX, "Envelope");

    if (data)
        schema = json_pack("{s:[o, {s:{s:o}, s:[s]}], s:b}", "allOf", schema, "properties", "data",
                           data, "required", "data", "unevaluatedProperties", false);
    return json_pack("{s:s, s:{s:{s:o}}}", "description", about_it, "content", "application/json",
                     "schema", schema);
}

static json_t *responses_of(struct description *description, const struct api_route *route)
{
    json_t *responses = json_object();

    if (route->list || route->item)
        put(description, responses, "200",
            answer("The envelope; each item in it has a status of its own",
                   data_schema(description, route)));
    else
        put(description, responses, "200",
            json_pack("{s:s, s:{s:{s:{}}}}", "description", "What was asked for", "content",
                      "application/json", "schema"));
    if (!(route->flags & API_OPEN))
        put(description, responses, "401", answer("No token, or another one", NULL));
    put(description, responses, "default",
        answer("The request fails as a whole: `errors` has the HTTP status", NULL));
    return responses;
}

/* ---- the document ------------------------------------------------------------------------- */

static const char *method_name(enum api_method method)
{
    switch (method) {
    case API_GET:
        return "get";
    case API_POST:
        return "post";
    case API_PUT:
        return "put";
    case API_PATCH:
        return "patch";
    default:
        return "delete";
    }
}

/* The first part of the path behind the version: "instances". */
static json_t *tags_of(const struct api_route *route)
{
    const char *part = strncmp(route->path, "/v1/", 4) == 0 ? route->path + 4 : route->path + 1;

    return json_pack("[s%]", part, strcspn(part, "/"));
}

static json_t *operation(struct description *description, const struct api_route *route)
{
    json_t *operation = json_pack("{s:s, s:o}", "operationId", route->id, "tags", tags_of(route));
    json_t *parameters = parameters_of(description, route);

    if (route->summary)
        put(description, operation, "summary", json_string(route->summary));
    if (json_array_size(parameters) > 0)
        put(description, operation, "parameters", parameters);
    else
        json_decref(parameters);
    if (route->body_kind != API_NO_BODY)
        put(description, operation, "requestBody",
            json_pack("{s:{s:{s:o}}}", "content", "application/json", "schema",
                      body_schema(description, route)));
    put(description, operation, "responses", responses_of(description, route));
    if (route->flags & API_OPEN)
        put(description, operation, "security", json_array());
    return operation;
}

static void describe_route(struct description *description, const struct api_route *route)
{
    CLEANUP_BUFFER struct romsim_buffer path = ROMSIM_BUFFER_INIT(PATH_SIZE_MAX);
    const char *dots = strstr(route->path, "...}");
    json_t *operations;

    if (dots)
        romsim_buffer_printf(&path, "%.*s%s", (int)(dots - route->path), route->path, dots + 3);
    else
        romsim_buffer_puts(&path, route->path);
    if (path.failed) {
        description->components.failed = true;
        return;
    }
    if (!json_object_get(description->paths, path.data))
        put(description, description->paths, path.data, json_object());
    operations = json_object_get(description->paths, path.data);
    put(description, operations, method_name(route->method), operation(description, route));
}

static json_t *describe(struct description *description)
{
    json_t *schemas = description->components.schemas;

    put(description, schemas, "Envelope", json_loads(envelope, 0, NULL));
    for (const struct api_route *const *table = api_routes; *table; table++)
        for (const struct api_route *route = *table; route->path; route++)
            if (!(route->flags & API_HIDDEN))
                describe_route(description, route);
    return json_pack("{s:s, s:{s:s, s:s, s:s, s:{s:s, s:s}}, s:[{s:s}], s:[{s:[]}], s:O, "
                     "s:{s:O, s:{s:{s:s, s:s, s:s}}}}",
                     "openapi", "3.1.0", "info", "title", "romsim", "version", ROMSIM_VERSION,
                     "description", about, "license", "name", "BSD-3-Clause", "identifier",
                     "BSD-3-Clause", "servers", "url", "/", "security", "token", "paths",
                     description->paths, "components", "schemas", schemas, "securitySchemes",
                     "token", "type", "http", "scheme", "bearer", "description",
                     "as `romsim serve --print-env` prints it");
}

char *romsim_api_description(struct romsim_error *err)
{
    struct description description = {
        .components = {.schemas = json_object(), .prefix = PREFIX, .item_frame = item_frame},
        .paths = json_object()};
    json_t *document = describe(&description);
    char *text = description.components.failed
                     ? NULL
                     : json_dumps(document, JSON_INDENT(2) | JSON_PRESERVE_ORDER);

    json_decref(document);
    json_decref(description.paths);
    json_decref(description.components.schemas);
    if (!text)
        romsim_error_nomem(err);
    return text;
}

static void get_description(struct api_request *request)
{
    struct romsim_error error;
    CLEANUP_FREE char *text = romsim_api_description(&error);

    if (text)
        api_reply_bytes(request, 200, "application/json", text, strlen(text));
    else
        api_reply_error(request, 500, &error);
}

/* Who has no token may read how to use one. */
const struct api_route api_openapi_routes[] = {
    {.method = API_GET,
     .path = "/openapi.json",
     .handle = get_description,
     .flags = API_OPEN,
     .id = "getDescription",
     .summary = "This document"},
    {0},
};
