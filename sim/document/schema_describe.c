/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * schema_describe.c: shapes to JSON Schema (2020-12, which OpenAPI 3.1 uses).
 *
 * It says what schema.c checks: `tests/cli/schema.sh` has both look at the same texts.
 */
#include <romsim/schema_describe.h>

#include <romsim/cleanup.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

void romsim_schemas_put(struct romsim_schemas *schemas, json_t *object, const char *key,
                        json_t *value)
{
    if (json_object_set_new(object, key, value) < 0)
        schemas->failed = true;
}

static void append(struct romsim_schemas *schemas, json_t *list, json_t *value)
{
    if (json_array_append_new(list, value) < 0)
        schemas->failed = true;
}

char *romsim_schema_name(const char *outer, const char *member)
{
    CLEANUP_BUFFER struct romsim_buffer name = ROMSIM_BUFFER_INIT(ROMSIM_SCHEMA_NAME_SIZE - 1);
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

json_t *romsim_schema_reference(const char *prefix, const char *name)
{
    return json_pack("{s:s+}", "$ref", prefix, name);
}

/* What is compared with it is a text for us, and not one of ours. */
static bool is_sent(enum romsim_shape_role role)
{
    return role == ROMSIM_SHAPE_SENT || role == ROMSIM_SHAPE_WRITTEN;
}

/* ---- the kinds ---------------------------------------------------------------------------- */

static json_t *any_schema(struct romsim_schemas *schemas, const struct romsim_shape *shape,
                          enum romsim_shape_role role, const char *name)
{
    (void)schemas, (void)shape, (void)role, (void)name;
    return json_object();
}

static json_t *string_schema(struct romsim_schemas *schemas, const struct romsim_shape *shape,
                             enum romsim_shape_role role, const char *name)
{
    json_t *schema = json_object();

    (void)name;
    if (role == ROMSIM_SHAPE_WRITTEN)
        romsim_schemas_put(schemas, schema, "type",
                           json_pack("[s, s, s]", "string", "number", "boolean"));
    else
        romsim_schemas_put(schemas, schema, "type", json_string("string"));
    if (is_sent(role) && !shape->binary)
        romsim_schemas_put(schemas, schema, "pattern", json_string("^[^\\u0000]*$"));
    return schema;
}

static json_t *boolean_schema(struct romsim_schemas *schemas, const struct romsim_shape *shape,
                              enum romsim_shape_role role, const char *name)
{
    (void)schemas, (void)shape, (void)role, (void)name;
    return json_pack("{s:s}", "type", "boolean");
}

static json_t *integer_schema(struct romsim_schemas *schemas, const struct romsim_shape *shape,
                              enum romsim_shape_role role, const char *name)
{
    json_int_t minimum = shape->or_forever  ? -1
                         : shape->is_signed ? -(json_int_t)shape->maximum
                                            : (json_int_t)shape->minimum;
    json_t *schema = json_pack("{s:s, s:I}", "type", "integer", "minimum", minimum);

    (void)role, (void)name;
    if (shape->maximum <= INT64_MAX)
        romsim_schemas_put(schemas, schema, "maximum", json_integer((json_int_t)shape->maximum));
    if (shape->or_forever && shape->minimum > 0) /* what lies between them */
        romsim_schemas_put(
            schemas, schema, "not",
            json_pack("{s:i, s:I}", "minimum", 0, "maximum", (json_int_t)shape->minimum - 1));
    return schema;
}

static json_t *word_schema(struct romsim_schemas *schemas, const struct romsim_shape *shape,
                           enum romsim_shape_role role, const char *name)
{
    json_t *words = json_array();

    (void)role, (void)name;
    for (size_t i = 0; shape->words[i]; i++)
        append(schemas, words, json_string(shape->words[i]));
    return json_pack("{s:s, s:o}", "type", "string", "enum", words);
}

static json_t *list_schema(struct romsim_schemas *schemas, const struct romsim_shape *shape,
                           enum romsim_shape_role role, const char *name)
{
    json_t *schema = json_pack("{s:s, s:o}", "type", "array", "items",
                               romsim_shape_describe(schemas, shape->item, role, name));

    if (shape->minimum > 0)
        romsim_schemas_put(schemas, schema, "minItems", json_integer((json_int_t)shape->minimum));
    if (shape->maximum > 0)
        romsim_schemas_put(schemas, schema, "maxItems", json_integer((json_int_t)shape->maximum));
    return schema;
}

static json_t *map_schema(struct romsim_schemas *schemas, const struct romsim_shape *shape,
                          enum romsim_shape_role role, const char *name)
{
    return json_pack("{s:s, s:o}", "type", "object", "additionalProperties",
                     romsim_shape_describe(schemas, shape->item, role, name));
}

/* ---- objects ------------------------------------------------------------------------------ */

/* Lets null stand for a member that is not there. */
static json_t *or_null(struct romsim_schemas *schemas, json_t *schema)
{
    json_t *words = json_object_get(schema, "enum");

    if (json_object_size(schema) == 0)
        return schema;
    if (json_object_get(schema, "anyOf")) {
        append(schemas, json_object_get(schema, "anyOf"), json_pack("{s:s}", "type", "null"));
        return schema;
    }
    if (!json_object_get(schema, "type"))
        return json_pack("{s:[o, {s:s}]}", "anyOf", schema, "type", "null");
    if (words)
        append(schemas, words, json_null());
    if (json_is_array(json_object_get(schema, "type")))
        append(schemas, json_object_get(schema, "type"), json_string("null"));
    else
        romsim_schemas_put(schemas, schema, "type",
                           json_pack("[O, s]", json_object_get(schema, "type"), "null"));
    return schema;
}

/* What is said of the member beside its shape. */
static void annotate(struct romsim_schemas *schemas, json_t *schema,
                     const struct romsim_member *member, enum romsim_shape_role role)
{
    if (member->shape->hint)
        romsim_schemas_put(schemas, schema, "description", json_string(member->shape->hint));
    if (is_sent(role) && (member->flags & ROMSIM_MEMBER_IDLE))
        romsim_schemas_put(schemas, schema, "x-romsim-not-simulated", json_true());
}

static void add_member(struct romsim_schemas *schemas, json_t *properties, json_t *required,
                       const struct romsim_member *member, enum romsim_shape_role role,
                       const char *name)
{
    CLEANUP_FREE char *inner = romsim_schema_name(name, member->name);
    bool is_required = member->flags & ROMSIM_MEMBER_REQUIRED;
    json_t *value;

    if (is_required && required)
        append(schemas, required, json_string(member->name));
    if (json_object_get(properties, member->name))
        return; /* every item may have it */
    value = romsim_shape_describe(schemas, member->shape, role, inner ? inner : name);
    if (!is_required && is_sent(role))
        value = or_null(schemas, value);
    annotate(schemas, value, member, role);
    romsim_schemas_put(schemas, properties, member->name, value);
}

static bool is_reference(const struct romsim_member *member)
{
    return strcmp(member->name, "uuid") == 0 || strcmp(member->name, "name") == 0;
}

static json_t *object_schema(struct romsim_schemas *schemas, const struct romsim_shape *shape,
                             enum romsim_shape_role role, const char *name)
{
    bool is_brief = role == ROMSIM_SHAPE_BRIEF, is_item = role == ROMSIM_SHAPE_ITEM || is_brief;
    json_t *schema =
        is_item ? json_loads(schemas->item_frame, 0, NULL)
                : json_pack("{s:s, s:{}, s:[]}", "type", "object", "properties", "required");
    json_t *required =
        json_object_get(is_item ? json_object_get(schema, "then") : schema, "required");

    for (const struct romsim_member *member = shape->members; member && member->name; member++)
        add_member(schemas, json_object_get(schema, "properties"),
                   is_brief && !is_reference(member) ? NULL : required, member,
                   is_item ? ROMSIM_SHAPE_ANSWERED : role, name);
    if (!is_item && json_array_size(required) == 0)
        json_object_del(schema, "required");
    if (!shape->open)
        romsim_schemas_put(schemas, schema, "additionalProperties", json_false());
    if (schemas->is_forgiving)
        romsim_schemas_put(schemas, schema, "patternProperties", json_pack("{s:{}}", "^x-"));
    return schema;
}

/* A name that no component has. */
static void free_name(const struct romsim_schemas *schemas, const char *wanted,
                      char ret[ROMSIM_SCHEMA_NAME_SIZE])
{
    wanted = wanted ?: "Schema";
    snprintf(ret, ROMSIM_SCHEMA_NAME_SIZE, "%s", wanted);
    for (unsigned i = 2; json_object_get(schemas->schemas, ret); i++)
        snprintf(ret, ROMSIM_SCHEMA_NAME_SIZE, "%.*s%u", ROMSIM_SCHEMA_NAME_SIZE - 12, wanted, i);
}

/* An object as a component. */
static json_t *component(struct romsim_schemas *schemas, const struct romsim_shape *shape,
                         enum romsim_shape_role role, const char *name)
{
    struct romsim_schemas_known *known = schemas->known;

    for (size_t i = 0; i < schemas->count; i++)
        if (known[i].shape == shape && known[i].role == role)
            return romsim_schema_reference(schemas->prefix, known[i].name);
    if (schemas->count == ROMSIM_SCHEMAS_MAX) {
        schemas->failed = true;
        return NULL;
    }
    /* It is known before its members are looked at, since they may have one of its kind. */
    known += schemas->count++;
    known->shape = shape;
    known->role = role;
    free_name(schemas, name, known->name);
    romsim_schemas_put(schemas, schemas->schemas, known->name, json_object());
    romsim_schemas_put(schemas, schemas->schemas, known->name,
                       object_schema(schemas, shape, role, known->name));
    return romsim_schema_reference(schemas->prefix, known->name);
}

static json_t *either_schema(struct romsim_schemas *schemas, const struct romsim_shape *shape,
                             enum romsim_shape_role role, const char *name)
{
    return json_pack("{s:[o, o]}", "anyOf", string_schema(schemas, shape, role, name),
                     component(schemas, shape, role, name));
}

json_t *romsim_shape_describe(struct romsim_schemas *schemas, const struct romsim_shape *shape,
                              enum romsim_shape_role role, const char *name)
{
    typedef json_t *schema_function(struct romsim_schemas *, const struct romsim_shape *,
                                    enum romsim_shape_role, const char *);
    static schema_function *const functions[] = {
        [ROMSIM_SHAPE_ANY] = any_schema,         [ROMSIM_SHAPE_STRING] = string_schema,
        [ROMSIM_SHAPE_BOOLEAN] = boolean_schema, [ROMSIM_SHAPE_INTEGER] = integer_schema,
        [ROMSIM_SHAPE_WORD] = word_schema,       [ROMSIM_SHAPE_LIST] = list_schema,
        [ROMSIM_SHAPE_MAP] = map_schema,         [ROMSIM_SHAPE_OBJECT] = component,
        [ROMSIM_SHAPE_EITHER] = either_schema,
    };
    json_t *schema = functions[shape->kind](schemas, shape, role, name);

    if (!schema)
        schemas->failed = true;
    return schema;
}

/* ---- a document --------------------------------------------------------------------------- */

static json_t *document_of(struct romsim_schemas *schemas, const struct romsim_described *described)
{
    json_t *document =
        json_pack("{s:s, s:s}", "$schema", "https://json-schema.org/draft/2020-12/schema", "title",
                  described->title);
    json_t *one =
        romsim_shape_describe(schemas, described->shape, described->role, described->name);

    if (described->is_list)
        romsim_schemas_put(
            schemas, document, "anyOf",
            json_pack("[O, {s:s, s:i, s:O}]", one, "type", "array", "minItems", 1, "items", one));
    else
        romsim_schemas_put(schemas, document, "$ref", json_incref(json_object_get(one, "$ref")));
    json_decref(one);
    romsim_schemas_put(schemas, document, "$defs", json_incref(schemas->schemas));
    return document;
}

char *romsim_schema_document(const struct romsim_described *described, struct romsim_error *err)
{
    struct romsim_schemas schemas = {
        .schemas = json_object(), .prefix = "#/$defs/", .is_forgiving = described->is_forgiving};
    json_t *document = document_of(&schemas, described);
    CLEANUP_FREE char *json =
        schemas.failed ? NULL : json_dumps(document, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    char *text = NULL;

    json_decref(document);
    json_decref(schemas.schemas);
    if (!json || asprintf(&text, "%s\n", json) < 0) {
        romsim_error_nomem(err);
        return NULL;
    }
    return text;
}
