/* SPDX-License-Identifier: BSD-3-Clause */
/* openapi_schema.c: shapes to JSON Schema (2020-12, which OpenAPI 3.1 uses). */
#include "openapi.h"

#include <romsim/cleanup.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

void openapi_put(struct openapi_components *components, json_t *object, const char *key,
                 json_t *value)
{
    if (json_object_set_new(object, key, value) < 0)
        components->failed = true;
}

static void append(struct openapi_components *components, json_t *list, json_t *value)
{
    if (json_array_append_new(list, value) < 0)
        components->failed = true;
}

char *openapi_name(const char *outer, const char *member)
{
    CLEANUP_BUFFER struct romsim_buffer name = ROMSIM_BUFFER_INIT(OPENAPI_NAME_SIZE - 1);
    size_t length = strlen(member);
    bool is_start = true;

    if (length > 2 && member[length - 1] == 's' && member[length - 2] != 's')
        length--; /* one of them */
    romsim_buffer_puts(&name, outer);
    for (size_t i = 0; i < length; i++) {
        char letter = is_start ? (char)toupper((unsigned char)member[i]) : member[i];

        is_start = member[i] == '_';
        if (!is_start)
            romsim_buffer_append(&name, &letter, 1);
    }
    return romsim_buffer_steal(&name);
}

json_t *openapi_reference(const char *name)
{
    char text[OPENAPI_NAME_SIZE + sizeof("#/components/schemas/")];

    snprintf(text, sizeof(text), "#/components/schemas/%s", name);
    return json_pack("{s:s}", "$ref", text);
}

/* ---- the kinds ---------------------------------------------------------------------------- */

static json_t *any_schema(struct openapi_components *components, const struct romsim_shape *shape,
                          enum openapi_role role, const char *name)
{
    (void)components, (void)shape, (void)role, (void)name;
    return json_object();
}

static json_t *string_schema(struct openapi_components *components,
                             const struct romsim_shape *shape, enum openapi_role role,
                             const char *name)
{
    (void)components, (void)name;
    if (shape->binary || role != OPENAPI_SENT)
        return json_pack("{s:s}", "type", "string");
    return json_pack("{s:s, s:s}", "type", "string", "pattern", "^[^\\u0000]*$");
}

static json_t *boolean_schema(struct openapi_components *components,
                              const struct romsim_shape *shape, enum openapi_role role,
                              const char *name)
{
    (void)components, (void)shape, (void)role, (void)name;
    return json_pack("{s:s}", "type", "boolean");
}

static json_t *integer_schema(struct openapi_components *components,
                              const struct romsim_shape *shape, enum openapi_role role,
                              const char *name)
{
    json_int_t minimum = shape->or_forever  ? -1
                         : shape->is_signed ? -(json_int_t)shape->maximum
                                            : (json_int_t)shape->minimum;
    json_t *schema = json_pack("{s:s, s:I}", "type", "integer", "minimum", minimum);

    (void)role, (void)name;
    if (shape->maximum <= INT64_MAX)
        openapi_put(components, schema, "maximum", json_integer((json_int_t)shape->maximum));
    if (shape->or_forever && shape->minimum > 0) /* what lies between them */
        openapi_put(
            components, schema, "not",
            json_pack("{s:i, s:I}", "minimum", 0, "maximum", (json_int_t)shape->minimum - 1));
    return schema;
}

static json_t *word_schema(struct openapi_components *components, const struct romsim_shape *shape,
                           enum openapi_role role, const char *name)
{
    json_t *words = json_array();

    (void)role, (void)name;
    for (size_t i = 0; shape->words[i]; i++)
        append(components, words, json_string(shape->words[i]));
    return json_pack("{s:s, s:o}", "type", "string", "enum", words);
}

static json_t *list_schema(struct openapi_components *components, const struct romsim_shape *shape,
                           enum openapi_role role, const char *name)
{
    json_t *schema = json_pack("{s:s, s:o}", "type", "array", "items",
                               openapi_schema(components, shape->item, role, name));

    if (shape->minimum > 0)
        openapi_put(components, schema, "minItems", json_integer((json_int_t)shape->minimum));
    if (shape->maximum > 0)
        openapi_put(components, schema, "maxItems", json_integer((json_int_t)shape->maximum));
    return schema;
}

static json_t *map_schema(struct openapi_components *components, const struct romsim_shape *shape,
                          enum openapi_role role, const char *name)
{
    return json_pack("{s:s, s:o}", "type", "object", "additionalProperties",
                     openapi_schema(components, shape->item, role, name));
}

/* ---- objects ------------------------------------------------------------------------------ */

/* Lets null stand for a member that is not there. */
static json_t *or_null(struct openapi_components *components, json_t *schema)
{
    json_t *words = json_object_get(schema, "enum");

    if (json_object_size(schema) == 0)
        return schema;
    if (json_object_get(schema, "anyOf")) {
        append(components, json_object_get(schema, "anyOf"), json_pack("{s:s}", "type", "null"));
        return schema;
    }
    if (!json_object_get(schema, "type"))
        return json_pack("{s:[o, {s:s}]}", "anyOf", schema, "type", "null");
    if (words)
        append(components, words, json_null());
    openapi_put(components, schema, "type",
                json_pack("[O, s]", json_object_get(schema, "type"), "null"));
    return schema;
}

/* What is said of the member beside its shape. */
static void annotate(struct openapi_components *components, json_t *schema,
                     const struct romsim_member *member, enum openapi_role role)
{
    if (member->shape->hint)
        openapi_put(components, schema, "description", json_string(member->shape->hint));
    if (role == OPENAPI_SENT && (member->flags & ROMSIM_MEMBER_IDLE))
        openapi_put(components, schema, "x-romsim-not-simulated", json_true());
}

static void add_member(struct openapi_components *components, json_t *properties, json_t *required,
                       const struct romsim_member *member, enum openapi_role role, const char *name)
{
    CLEANUP_FREE char *inner = openapi_name(name, member->name);
    bool is_required = member->flags & ROMSIM_MEMBER_REQUIRED;
    json_t *value;

    if (is_required && required)
        append(components, required, json_string(member->name));
    if (json_object_get(properties, member->name))
        return; /* every item may have it */
    value = openapi_schema(components, member->shape, role, inner ? inner : name);
    if (!is_required && role == OPENAPI_SENT)
        value = or_null(components, value);
    annotate(components, value, member, role);
    openapi_put(components, properties, member->name, value);
}

static bool is_reference(const struct romsim_member *member)
{
    return strcmp(member->name, "uuid") == 0 || strcmp(member->name, "name") == 0;
}

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

json_t *openapi_failed_item(void)
{
    json_t *schema = json_loads(item_frame, 0, NULL);

    json_object_set_new(schema, "additionalProperties", json_false());
    return schema;
}

static json_t *object_schema(struct openapi_components *components,
                             const struct romsim_shape *shape, enum openapi_role role,
                             const char *name)
{
    bool is_brief = role == OPENAPI_BRIEF, is_item = role == OPENAPI_ITEM || is_brief;
    json_t *schema =
        is_item ? json_loads(item_frame, 0, NULL)
                : json_pack("{s:s, s:{}, s:[]}", "type", "object", "properties", "required");
    json_t *required =
        json_object_get(is_item ? json_object_get(schema, "then") : schema, "required");

    for (const struct romsim_member *member = shape->members; member && member->name; member++)
        add_member(components, json_object_get(schema, "properties"),
                   is_brief && !is_reference(member) ? NULL : required, member,
                   is_item ? OPENAPI_ANSWERED : role, name);
    if (!is_item && json_array_size(required) == 0)
        json_object_del(schema, "required");
    if (!shape->open)
        openapi_put(components, schema, "additionalProperties", json_false());
    return schema;
}

/* A name that no component has. */
static void free_name(const struct openapi_components *components, const char *wanted,
                      char ret[OPENAPI_NAME_SIZE])
{
    wanted = wanted ?: "Schema";
    snprintf(ret, OPENAPI_NAME_SIZE, "%s", wanted);
    for (unsigned i = 2; json_object_get(components->schemas, ret); i++)
        snprintf(ret, OPENAPI_NAME_SIZE, "%.*s%u", OPENAPI_NAME_SIZE - 12, wanted, i);
}

/* An object as a component. */
static json_t *component(struct openapi_components *components, const struct romsim_shape *shape,
                         enum openapi_role role, const char *name)
{
    struct openapi_known *known = components->known;

    for (size_t i = 0; i < components->count; i++)
        if (known[i].shape == shape && known[i].role == role)
            return openapi_reference(known[i].name);
    if (components->count == OPENAPI_SHAPES_MAX) {
        components->failed = true;
        return NULL;
    }
    /* It is known before its members are looked at, since they may have one of its kind. */
    known += components->count++;
    known->shape = shape;
    known->role = role;
    free_name(components, name, known->name);
    openapi_put(components, components->schemas, known->name, json_object());
    openapi_put(components, components->schemas, known->name,
                object_schema(components, shape, role, known->name));
    return openapi_reference(known->name);
}

static json_t *either_schema(struct openapi_components *components,
                             const struct romsim_shape *shape, enum openapi_role role,
                             const char *name)
{
    return json_pack("{s:[o, o]}", "anyOf", string_schema(components, shape, role, name),
                     component(components, shape, role, name));
}

json_t *openapi_schema(struct openapi_components *components, const struct romsim_shape *shape,
                       enum openapi_role role, const char *name)
{
    typedef json_t *schema_function(struct openapi_components *, const struct romsim_shape *,
                                    enum openapi_role, const char *);
    static schema_function *const functions[] = {
        [ROMSIM_SHAPE_ANY] = any_schema,         [ROMSIM_SHAPE_STRING] = string_schema,
        [ROMSIM_SHAPE_BOOLEAN] = boolean_schema, [ROMSIM_SHAPE_INTEGER] = integer_schema,
        [ROMSIM_SHAPE_WORD] = word_schema,       [ROMSIM_SHAPE_LIST] = list_schema,
        [ROMSIM_SHAPE_MAP] = map_schema,         [ROMSIM_SHAPE_OBJECT] = component,
        [ROMSIM_SHAPE_EITHER] = either_schema,
    };
    json_t *schema = functions[shape->kind](components, shape, role, name);

    if (!schema)
        components->failed = true;
    return schema;
}
