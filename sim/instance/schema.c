/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * schema.c: compares a node with a shape.
 *
 * It recurs along the nodes, at most DOCUMENT_DEPTH_MAX levels deep.  A path of names lives on the
 * stack beside it, so that a message can say `roms[1].files[0].path`.
 *
 * An explicit null is an absent member: `env:` with all its lines commented out is no mistake.
 */
#include "schema.h"

#include <romsim/text.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_TEXT_MAX = 200, WORDS_TEXT_MAX = 200, IDLE_TEXT_MAX = 900 };

struct path {
    const struct path *parent;
    const char *name; /* NULL: an item of a list */
    size_t index;
};

static void check(struct schema *schema, const struct node *node, const struct shape *shape,
                  const struct path *path);

/* ---- messages ---------------------------------------------------------------------------- */

static void append_path(struct romsim_buffer *buffer, const struct path *path)
{
    if (!path)
        return;
    append_path(buffer, path->parent);
    if (path->name)
        romsim_buffer_printf(buffer, "%s%s", buffer->size ? "." : "", QUOTE(path->name));
    else
        romsim_buffer_printf(buffer, "[%zu]", path->index);
}

/* "Member 'roms[0].name'", malloc'ed; or the words for what has no name. */
static char *subject(const struct path *path)
{
    CLEANUP_BUFFER struct romsim_buffer names = ROMSIM_BUFFER_INIT(4096);
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(4200);

    append_path(&names, path);
    if (names.size > 0)
        romsim_buffer_printf(&text, "Member '%s'", names.data);
    else
        romsim_buffer_puts(&text, "An instance");
    return romsim_buffer_steal(&text);
}

static void complain(struct schema *schema, const struct node *node, enum romsim_cloud_code code,
                     struct romsim_error *error)
{
    error->cloud = code;
    document_complain(schema->document, node->offset, error, schema->diagnostics);
}

/* Says that something of another kind is wanted. */
static void complain_kind(struct schema *schema, const struct node *node, const char *wanted,
                          const char *hint, const struct path *path)
{
    CLEANUP_FREE char *name = subject(path);
    struct romsim_error error;

    romsim_error_set(&error, EINVAL, "%s must be %s, not %s", name ? name : "A member", wanted,
                     node_kind_name(node));
    if (hint)
        romsim_error_hint(&error, "%s", hint);
    complain(schema, node, ROMSIM_CLOUD_MALFORMED_REQUEST, &error);
}

static const char *last_name(const struct path *path)
{
    while (path && !path->name)
        path = path->parent;
    return path ? path->name : "value";
}

/* ---- scalars ----------------------------------------------------------------------------- */

static void check_string(struct schema *schema, const struct node *node, const struct shape *shape,
                         const struct path *path)
{
    struct romsim_error error;

    if (!node_is_text(node)) {
        const char *hint = node->kind == NODE_NULL ? "an empty string is \"\"" : shape->hint;

        if (node->kind == NODE_NUMBER || node->kind == NODE_BOOLEAN)
            hint = "put it in double quotes";
        complain_kind(schema, node, "a string", hint, path);
        return;
    }
    if (!shape->binary && strlen(node->text) != node->size) {
        romsim_error_set(&error, EINVAL, "Invalid %s: it has a NUL character in it",
                         QUOTE(last_name(path)));
        complain(schema, node, ROMSIM_CLOUD_INVALID, &error);
    }
}

static void check_boolean(struct schema *schema, const struct node *node, const struct shape *shape,
                          const struct path *path)
{
    (void)shape;
    if (node->kind != NODE_BOOLEAN)
        complain_kind(schema, node, "a boolean", "write true or false", path);
}

static void complain_range(struct schema *schema, const struct node *node,
                           const struct shape *shape, const struct path *path)
{
    struct romsim_error error;

    romsim_error_set(&error, EINVAL, "Invalid %s %s", QUOTE(last_name(path)), QUOTE(node->text));
    if (shape->maximum == UINT64_MAX)
        romsim_error_hint(&error, "a whole number of %llu or more",
                          (unsigned long long)shape->minimum);
    else
        romsim_error_hint(&error, "a whole number from %llu to %llu",
                          (unsigned long long)shape->minimum, (unsigned long long)shape->maximum);
    complain(schema, node, ROMSIM_CLOUD_INVALID, &error);
}

static void check_integer(struct schema *schema, const struct node *node, const struct shape *shape,
                          const struct path *path)
{
    bool negative = false;
    uint64_t magnitude = 0;

    if (node->kind != NODE_NUMBER)
        complain_kind(schema, node, "a number",
                      node->kind == NODE_STRING ? "a number stands without quotes and unit" : NULL,
                      path);
    else if (node_integer(node, &negative, &magnitude) <= 0 || negative ||
             magnitude < shape->minimum || magnitude > shape->maximum)
        complain_range(schema, node, shape, path);
}

static void hint_words(struct romsim_error *error, const char *word, const char *const *words)
{
    CLEANUP_BUFFER struct romsim_buffer list = ROMSIM_BUFFER_INIT(WORDS_TEXT_MAX);
    const char *nearest = romsim_text_nearest(word, words);

    for (size_t i = 0; words[i]; i++)
        romsim_buffer_printf(&list, "%s%s", i == 0 ? "" : words[i + 1] ? ", " : " or ", words[i]);
    if (nearest)
        romsim_error_hint(error, "did you mean '%s'? It is one of %s", nearest, list.data);
    else
        romsim_error_hint(error, "it is one of %s", list.data);
}

static void check_word(struct schema *schema, const struct node *node, const struct shape *shape,
                       const struct path *path)
{
    struct romsim_error error;

    if (!node_is_text(node)) {
        complain_kind(schema, node, "a string", NULL, path);
        return;
    }
    for (size_t i = 0; shape->words[i]; i++)
        if (strcmp(shape->words[i], node->text) == 0)
            return;
    romsim_error_set(&error, EINVAL, "Invalid %s '%s'", QUOTE(last_name(path)), QUOTE(node->text));
    hint_words(&error, node->text, shape->words);
    complain(schema, node, ROMSIM_CLOUD_INVALID, &error);
}

/* ---- lists and objects ------------------------------------------------------------------- */

static void check_list(struct schema *schema, const struct node *node, const struct shape *shape,
                       const struct path *path)
{
    struct path inner = {.parent = path};
    struct romsim_error error;

    if (node->kind != NODE_LIST) {
        complain_kind(schema, node, "a list", shape->hint, path);
        return;
    }
    if (node->count < shape->minimum || (shape->maximum && node->count > shape->maximum)) {
        romsim_error_set(&error, EINVAL, "Invalid number of %s: %zu", QUOTE(last_name(path)),
                         node->count);
        romsim_error_hint(&error, "%llu to %llu", (unsigned long long)shape->minimum,
                          (unsigned long long)shape->maximum);
        complain(schema, node, ROMSIM_CLOUD_INVALID, &error);
    }
    for (size_t i = 0; i < node->count; i++) {
        inner.index = i;
        check(schema, node->items[i].value, shape->item, &inner);
    }
}

static void check_map(struct schema *schema, const struct node *node, const struct shape *shape,
                      const struct path *path)
{
    struct path inner = {.parent = path};

    if (node->kind != NODE_OBJECT) {
        complain_kind(schema, node, "an object", shape->hint, path);
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        inner.name = node->items[i].key->text;
        check(schema, node->items[i].value, shape->item, &inner);
    }
}

const struct member *schema_member(const struct shape *shape, const char *name)
{
    for (const struct member *member = shape->members; member && member->name; member++)
        if (strcmp(member->name, name) == 0)
            return member;
    return NULL;
}

static const char *nearest_member(const struct shape *shape, const char *name)
{
    enum { MEMBERS_MAX = 64 };
    const char *names[MEMBERS_MAX + 1] = {NULL};
    size_t count = 0;

    for (const struct member *member = shape->members; member->name && count < MEMBERS_MAX;
         member++)
        names[count++] = member->name;
    return romsim_text_nearest(name, names);
}

/* What other tools call it, and what it is called here. */
static const char *const synonyms[][2] = {
    {"ports", "service_group"},
    {"services", "service_group"},
    {"expose", "service_group"},
    {"command", "args"},
    {"cmd", "args"},
    {"entrypoint", "args"},
    {"environment", "env"},
    {"memory", "memory_mb"},
    {"mem", "memory_mb"},
    {"cpus", "vcpus"},
    {"cpu", "vcpus"},
    {"restart", "restart_policy"},
    {"mount", "at"},
    {"mountPath", "at"},
    {"mount_path", "at"},
    {"target", "at"},
    {"content", "data"},
    {"contents", "data"},
    {"source", "image"},
    {"directory", "dir"},
    {"container_port", "destination_port"},
    {"target_port", "destination_port"},
};

static const char *translated_member(const struct shape *shape, const char *name)
{
    for (size_t i = 0; i < sizeof(synonyms) / sizeof(synonyms[0]); i++)
        if (strcmp(synonyms[i][0], name) == 0 && schema_member(shape, synonyms[i][1]))
            return synonyms[i][1];
    return NULL;
}

static void complain_unknown(struct schema *schema, const struct node *key,
                             const struct shape *shape)
{
    const char *nearest = translated_member(shape, key->text);
    struct romsim_error error;

    if (schema->is_forgiving && strncmp(key->text, "x-", 2) == 0)
        return;
    if (!nearest)
        nearest = nearest_member(shape, key->text);
    romsim_error_set(&error, EINVAL, "Unknown member '%s'%s", QUOTE(key->text),
                     schema->is_forgiving ? " is ignored" : "");
    if (nearest)
        romsim_error_hint(&error, "did you mean '%s'?", nearest);
    else if (strcmp(key->text, "<<") == 0)
        romsim_error_hint(&error, "merge keys are not part of YAML 1.2; an alias can stand for a "
                                  "whole value");
    if (schema->is_forgiving)
        document_warn(schema->document, key->offset, &error, schema->diagnostics);
    else
        complain(schema, key, ROMSIM_CLOUD_MALFORMED_REQUEST, &error);
}

/* Remembers the path of a member that has no effect here, unless it says the usual thing. */
static void note_idle(struct schema *schema, const struct node *node, const struct member *member,
                      const struct path *path)
{
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(PATH_TEXT_MAX);

    if (node->text && member->usual && strcmp(node->text, member->usual) == 0)
        return;
    append_path(&text, path);
    if (!text.data || schema->idle.failed)
        return;
    if (schema->idle.size == 0)
        schema->idle_offset = node->offset;
    romsim_buffer_printf(&schema->idle, "%s%s", schema->idle.size ? ", " : "", text.data);
}

static void check_member(struct schema *schema, const struct item *item, const struct shape *shape,
                         const struct path *path)
{
    static const struct shape any = {.kind = SHAPE_ANY};
    const struct member *member = schema_member(shape, item->key->text);
    struct path inner = {.parent = path, .name = item->key->text};

    if (!member && !shape->open) {
        complain_unknown(schema, item->key, shape);
        return;
    }
    if (member && item->value->kind == NODE_NULL)
        return;
    if (member && (member->flags & MEMBER_IDLE))
        note_idle(schema, item->value, member, &inner);
    check(schema, item->value, member ? member->shape : &any, &inner);
}

static void check_object(struct schema *schema, const struct node *node, const struct shape *shape,
                         const struct path *path)
{
    struct romsim_error error;

    if (node->kind != NODE_OBJECT) {
        complain_kind(schema, node, "an object", shape->hint, path);
        return;
    }
    for (size_t i = 0; i < node->count; i++)
        check_member(schema, &node->items[i], shape, path);
    for (const struct member *member = shape->members; member && member->name; member++) {
        const struct node *value = node_member(node, member->name);

        if (!(member->flags & MEMBER_REQUIRED) || (value && value->kind != NODE_NULL))
            continue;
        romsim_error_set(&error, EINVAL, "Missing member %s", member->name);
        complain(schema, node, ROMSIM_CLOUD_MALFORMED_REQUEST, &error);
    }
}

static void check_either(struct schema *schema, const struct node *node, const struct shape *shape,
                         const struct path *path)
{
    if (node->kind == NODE_OBJECT)
        check_object(schema, node, shape, path);
    else
        check_string(schema, node, shape, path);
}

/* What stands in a member that nothing is known about: only numbers must fit. */
static void check_any(struct schema *schema, const struct node *node, const struct shape *shape,
                      const struct path *path)
{
    static const struct shape range = {.maximum = INT64_MAX};
    bool negative = false;
    uint64_t magnitude = 0;
    int is_integer = node->kind == NODE_NUMBER ? node_integer(node, &negative, &magnitude) : 0;

    if (node->kind == NODE_LIST)
        check_list(schema, node, &(struct shape){.kind = SHAPE_LIST, .item = shape}, path);
    else if (node->kind == NODE_OBJECT)
        check_map(schema, node, &(struct shape){.kind = SHAPE_MAP, .item = shape}, path);
    else if (is_integer < 0 || (is_integer > 0 && magnitude > INT64_MAX))
        complain_range(schema, node, &range, path);
}

static void check(struct schema *schema, const struct node *node, const struct shape *shape,
                  const struct path *path)
{
    typedef void check_function(struct schema *, const struct node *, const struct shape *,
                                const struct path *);
    static check_function *const functions[] = {
        [SHAPE_ANY] = check_any,         [SHAPE_STRING] = check_string,
        [SHAPE_BOOLEAN] = check_boolean, [SHAPE_INTEGER] = check_integer,
        [SHAPE_WORD] = check_word,       [SHAPE_LIST] = check_list,
        [SHAPE_MAP] = check_map,         [SHAPE_OBJECT] = check_object,
        [SHAPE_EITHER] = check_either,
    };

    functions[shape->kind](schema, node, shape, path);
}

void schema_check(struct schema *schema, const struct node *node, const struct shape *shape)
{
    schema->idle = ROMSIM_BUFFER_INIT(IDLE_TEXT_MAX);
    check(schema, node, shape, NULL);
}

/* ---- to JSON ----------------------------------------------------------------------------- */

static json_t *number_json(const struct node *node)
{
    bool negative;
    uint64_t magnitude;

    if (node_integer(node, &negative, &magnitude) > 0 && magnitude <= INT64_MAX)
        return json_integer(negative ? -(json_int_t)magnitude : (json_int_t)magnitude);
    return json_real(strtod(node->text, NULL));
}

static bool wants_text(const struct shape *shape)
{
    return shape && (shape->kind == SHAPE_STRING || shape->kind == SHAPE_WORD ||
                     shape->kind == SHAPE_EITHER);
}

static const struct shape *inner_shape(const struct shape *shape, const struct node *key)
{
    const struct member *member;

    if (!shape || !key || shape->kind == SHAPE_MAP)
        return shape ? shape->item : NULL;
    member = schema_member(shape, key->text);
    return member ? member->shape : NULL;
}

static json_t *object_json(const struct node *node, const struct shape *shape)
{
    json_t *object = json_object();

    for (size_t i = 0; object && i < node->count; i++) {
        const struct item *item = &node->items[i];

        if (item->value->kind == NODE_NULL && shape && shape->members)
            continue;
        if (json_object_set_new(object, item->key->text,
                                schema_json(item->value, inner_shape(shape, item->key))) < 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static json_t *list_json(const struct node *node, const struct shape *shape)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < node->count; i++) {
        if (json_array_append_new(
                list, schema_json(node->items[i].value, inner_shape(shape, NULL))) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

json_t *schema_json(const struct node *node, const struct shape *shape)
{
    if (wants_text(shape) && node_is_text(node))
        return json_stringn(node->text, node->size);
    switch (node->kind) {
    case NODE_NULL:
        return json_null();
    case NODE_BOOLEAN:
        return json_boolean(node->text[0] == 't' || node->text[0] == 'T');
    case NODE_NUMBER:
        return number_json(node);
    case NODE_STRING:
        return json_stringn(node->text, node->size);
    case NODE_LIST:
        return list_json(node, shape);
    case NODE_OBJECT:
        break;
    }
    return object_json(node, shape);
}
