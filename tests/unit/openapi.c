/* SPDX-License-Identifier: BSD-3-Clause */
/* openapi.c: the OpenAPI document says what the routes' tables say, no more and no less. */
#include "harness.h"

#include "sim/api/api.h"

#include <romsim/cleanup.h>

#include <jansson.h>

static json_t *document;

static void read_document(void)
{
    struct romsim_error error = {0};
    char *text = romsim_api_description(&error);

    ck_assert_msg(text, "%s", error.message);
    document = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(document);
    free(text);
}

static void drop_document(void)
{
    json_decref(document);
}

static const char *method_name(enum api_method method)
{
    return method == API_GET     ? "get"
           : method == API_POST  ? "post"
           : method == API_PUT   ? "put"
           : method == API_PATCH ? "patch"
                                 : "delete";
}

typedef void with_route(const struct api_route *route, const json_t *operation);

/* Calls it with each route that is to be described, and its operation (or NULL); their number. */
static size_t for_each_route(with_route *call)
{
    size_t count = 0;

    for (const struct api_route *const *table = api_routes; *table; table++)
        for (const struct api_route *route = *table; route->path; route++) {
            CLEANUP_FREE char *path = strdup(route->path);
            char *dots = strstr(path, "...}");

            if (route->flags & API_HIDDEN)
                continue;
            if (dots)
                memmove(dots, dots + 3, strlen(dots + 3) + 1);
            call(route, json_object_get(json_object_get(json_object_get(document, "paths"), path),
                                        method_name(route->method)));
            count++;
        }
    return count;
}

/* What a reference leads to; everything else is itself. */
static const json_t *resolve(const json_t *schema)
{
    const char *reference = json_string_value(json_object_get(schema, "$ref"));
    static const char prefix[] = "#/components/schemas/";

    if (!reference)
        return schema;
    ck_assert_int_eq(strncmp(reference, prefix, strlen(prefix)), 0);
    schema = json_object_get(json_object_get(json_object_get(document, "components"), "schemas"),
                             reference + strlen(prefix));
    ck_assert_msg(schema, "there is no %s", reference);
    return schema;
}

static bool has_word(const json_t *list, const char *word)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(json_string_value(json_array_get(list, i)) ?: "", word) == 0)
            return true;
    return false;
}

/* ---- operations --------------------------------------------------------------------------- */

static void check_operation(const struct api_route *route, const json_t *operation)
{
    const char *id = json_string_value(json_object_get(operation, "operationId"));

    ck_assert_msg(route->id && route->summary, "%s has no id or no summary", route->path);
    ck_assert_msg(operation, "%s %s is not described", method_name(route->method), route->path);
    ck_assert_str_eq(id, route->id);
    ck_assert_msg((json_object_get(operation, "requestBody") != NULL) ==
                      (route->body_kind != API_NO_BODY),
                  "%s: a body", route->id);
}

START_TEST(each_route_is_described)
{
    ck_assert_uint_gt(for_each_route(check_operation), 0);
}
END_TEST

START_TEST(nothing_else_is)
{
    json_t *path, *paths = json_object_get(document, "paths");
    const char *name;
    size_t count = 0;

    json_object_foreach(paths, name, path)
    {
        count += json_object_size(path);
    }
    ck_assert_uint_eq(count, for_each_route(check_operation));
}
END_TEST

START_TEST(no_two_operations_have_one_id)
{
    json_t *path, *operation, *paths = json_object_get(document, "paths");
    json_t *seen = json_object();
    const char *name, *method;

    json_object_foreach(paths, name, path)
    {
        json_object_foreach(path, method, operation)
        {
            const char *id = json_string_value(json_object_get(operation, "operationId"));

            ck_assert_msg(!json_object_get(seen, id), "%s is there twice", id);
            json_object_set_new(seen, id, json_true());
        }
    }
    json_decref(seen);
}
END_TEST

/* ---- parameters --------------------------------------------------------------------------- */

static const json_t *parameter(const json_t *operation, const char *name, size_t length,
                               const char *in)
{
    const json_t *parameters = json_object_get(operation, "parameters");

    for (size_t i = 0; i < json_array_size(parameters); i++) {
        const json_t *one = json_array_get(parameters, i);
        const char *its = json_string_value(json_object_get(one, "name"));

        if (strlen(its) == length && strncmp(its, name, length) == 0 &&
            strcmp(json_string_value(json_object_get(one, "in")), in) == 0)
            return one;
    }
    return NULL;
}

static void check_parameters(const struct api_route *route, const json_t *operation)
{
    size_t count = 0;

    for (const char *at = strchr(route->path, '{'); at; at = strchr(at, '{'), count++) {
        at++;
        ck_assert_msg(parameter(operation, at, strcspn(at, ".}"), "path"), "%s: %s", route->id, at);
    }
    for (const struct api_query *query = route->query; query && query->name; query++, count++) {
        const json_t *one = parameter(operation, query->name, strlen(query->name), "query");
        const char *type =
            json_string_value(json_object_get(json_object_get(one, "schema"), "type"));

        ck_assert_msg(one, "%s: %s", route->id, query->name);
        ck_assert_msg(!query->is_list || (type && strcmp(type, "array") == 0), "%s: %s is a list",
                      route->id, query->name);
    }
    ck_assert_uint_eq(json_array_size(json_object_get(operation, "parameters")), count);
}

START_TEST(captures_and_queries_are_parameters)
{
    for_each_route(check_parameters);
}
END_TEST

/* ---- shapes ------------------------------------------------------------------------------- */

/* What an object is: an item has more members, and of a brief one only two are sure. */
enum answer { NO_ITEM, ITEM, BRIEF_ITEM };

static void check_shape(const struct romsim_shape *shape, const json_t *schema, enum answer answer);

/* The one of several kinds that is no string and no null; the schema itself if it has one kind. */
static const json_t *alternative(const json_t *schema)
{
    const json_t *kinds = json_object_get(schema, "anyOf");

    for (size_t i = 0; i < json_array_size(kinds); i++)
        if (json_object_get(json_array_get(kinds, i), "$ref"))
            return resolve(json_array_get(kinds, i));
    return resolve(schema);
}

static bool is_of_type(const json_t *schema, const char *type)
{
    const json_t *has = json_object_get(schema, "type");

    return has_word(has, type) || strcmp(json_string_value(has) ?: "", type) == 0;
}

static void check_members(const struct romsim_shape *shape, const json_t *schema,
                          enum answer answer)
{
    static const char *const of_items[] = {"status", "message", "error", "uuid", "name"};
    const json_t *properties = json_object_get(schema, "properties");
    const json_t *required =
        json_object_get(answer ? json_object_get(schema, "then") : schema, "required");
    size_t count = 0;

    for (const struct romsim_member *member = shape->members; member && member->name; member++) {
        const json_t *property = json_object_get(properties, member->name);

        ck_assert_msg(property, "there is no %s", member->name);
        ck_assert_int_eq(has_word(required, member->name),
                         (member->flags & ROMSIM_MEMBER_REQUIRED) != 0 &&
                             (answer != BRIEF_ITEM || strcmp(member->name, "uuid") == 0 ||
                              strcmp(member->name, "name") == 0));
        check_shape(member->shape, property, NO_ITEM);
        count++;
    }
    for (size_t i = 0; answer && i < sizeof(of_items) / sizeof(of_items[0]); i++)
        count += !romsim_shape_member(shape, of_items[i]);
    ck_assert_uint_eq(json_object_size(properties), count);
    ck_assert_int_eq(json_is_false(json_object_get(schema, "additionalProperties")), !shape->open);
}

static void check_shape(const struct romsim_shape *shape, const json_t *schema, enum answer answer)
{
    static const char *const types[] = {
        [ROMSIM_SHAPE_STRING] = "string",   [ROMSIM_SHAPE_BOOLEAN] = "boolean",
        [ROMSIM_SHAPE_INTEGER] = "integer", [ROMSIM_SHAPE_WORD] = "string",
        [ROMSIM_SHAPE_LIST] = "array",      [ROMSIM_SHAPE_MAP] = "object",
        [ROMSIM_SHAPE_OBJECT] = "object",   [ROMSIM_SHAPE_EITHER] = "object",
    };

    schema = alternative(schema);
    if (shape->kind == ROMSIM_SHAPE_ANY)
        return;
    ck_assert_msg(is_of_type(schema, types[shape->kind]), "no %s", types[shape->kind]);
    if (shape->kind == ROMSIM_SHAPE_OBJECT || shape->kind == ROMSIM_SHAPE_EITHER)
        check_members(shape, schema, answer);
    for (size_t i = 0; shape->kind == ROMSIM_SHAPE_WORD && shape->words[i]; i++)
        ck_assert(has_word(json_object_get(schema, "enum"), shape->words[i]));
    if (shape->kind == ROMSIM_SHAPE_LIST)
        check_shape(shape->item, json_object_get(schema, "items"), NO_ITEM);
    if (shape->kind == ROMSIM_SHAPE_MAP)
        check_shape(shape->item, json_object_get(schema, "additionalProperties"), NO_ITEM);
}

static const json_t *content(const json_t *owner)
{
    return json_object_get(json_object_get(json_object_get(owner, "content"), "application/json"),
                           "schema");
}

static void check_body(const struct api_route *route, const json_t *operation)
{
    const json_t *schema = content(json_object_get(operation, "requestBody"));

    schema = json_array_get(json_object_get(schema, "anyOf"), 0);
    if (route->body_kind == API_LIST)
        schema = json_object_get(schema, "items");
    if (route->body_kind != API_NO_BODY)
        check_shape(route->body, schema, NO_ITEM);
}

START_TEST(bodies_have_the_members_of_their_shapes)
{
    for_each_route(check_body);
}
END_TEST

static void check_items(const struct api_route *route, const json_t *operation)
{
    const json_t *schema = content(json_object_get(json_object_get(operation, "responses"), "200"));
    const json_t *data = json_object_get(
        json_object_get(json_array_get(json_object_get(schema, "allOf"), 1), "properties"), "data");

    if (!route->item)
        return;
    ck_assert_msg(data, "%s answers nothing", route->id);
    if (!route->list) {
        check_shape(route->item, data, NO_ITEM);
        return;
    }
    data = json_object_get(json_object_get(data, "properties"), route->list);
    ck_assert_msg(data, "%s does not answer %s", route->id, route->list);
    check_shape(route->item, json_object_get(data, "items"),
                parameter(operation, "details", strlen("details"), "query") ? BRIEF_ITEM : ITEM);
}

START_TEST(items_have_the_members_of_their_shapes)
{
    for_each_route(check_items);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("openapi");

    tcase_add_checked_fixture(tcase, read_document, drop_document);
    tcase_add_test(tcase, each_route_is_described);
    tcase_add_test(tcase, nothing_else_is);
    tcase_add_test(tcase, no_two_operations_have_one_id);
    tcase_add_test(tcase, captures_and_queries_are_parameters);
    tcase_add_test(tcase, bodies_have_the_members_of_their_shapes);
    tcase_add_test(tcase, items_have_the_members_of_their_shapes);
    return unit_run_case("openapi", tcase);
}
