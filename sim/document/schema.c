/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * schema.c: compares a node with a shape.
 *
 * It recurs along the nodes, at most ROMSIM_DOCUMENT_DEPTH_MAX levels deep.  A path of names lives
 * on the stack beside it, so that a message can say `roms[1].files[0].path`.
 *
 * An explicit null is an absent member: `env:` with all its lines commented out is no mistake.
 */
#include <romsim/schema.h>
#include <romsim/text.h>

#include <errno.h>
#include <string.h>

enum { PATH_TEXT_MAX = 200, WORDS_TEXT_MAX = 200, IDLE_TEXT_MAX = 900 };

struct path {
    const struct path *parent;
    const char *name; /* NULL: an item of a list */
    size_t index;
};

static void check(struct romsim_schema *schema, const struct romsim_node *node,
                  const struct romsim_shape *shape, const struct path *path);

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
static char *subject(const struct romsim_schema *schema, const struct path *path)
{
    CLEANUP_BUFFER struct romsim_buffer names = ROMSIM_BUFFER_INIT(4096);
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(4200);

    append_path(&names, path);
    if (names.size > 0)
        romsim_buffer_printf(&text, "Member '%s'", names.data);
    else
        romsim_buffer_puts(&text, schema->subject);
    return romsim_buffer_steal(&text);
}

static void complain(struct romsim_schema *schema, const struct romsim_node *node,
                     enum romsim_cloud_code code, struct romsim_error *error)
{
    error->cloud = code;
    romsim_document_complain(schema->document, node->offset, error, schema->diagnostics);
}

/* Says that something of another kind is wanted. */
static void complain_kind(struct romsim_schema *schema, const struct romsim_node *node,
                          const char *wanted, const char *hint, const struct path *path)
{
    CLEANUP_FREE char *name = subject(schema, path);
    struct romsim_error error;

    romsim_error_set(&error, EINVAL, "%s must be %s, not %s", name ? name : "A member", wanted,
                     romsim_node_kind_name(node));
    error.rule = ROMSIM_RULE_KIND;
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

static void check_string(struct romsim_schema *schema, const struct romsim_node *node,
                         const struct romsim_shape *shape, const struct path *path)
{
    struct romsim_error error;

    if (!romsim_node_is_text(node)) {
        const char *hint = node->kind == ROMSIM_NODE_NULL ? "an empty string is \"\"" : shape->hint;

        if (node->kind == ROMSIM_NODE_NUMBER || node->kind == ROMSIM_NODE_BOOLEAN)
            hint = "put it in double quotes";
        complain_kind(schema, node, "a string", hint, path);
        return;
    }
    if (!shape->binary && strlen(node->text) != node->size) {
        romsim_error_set(&error, EINVAL, "Invalid %s: it has a NUL character in it",
                         QUOTE(last_name(path)));
        error.rule = ROMSIM_RULE_NUL;
        complain(schema, node, ROMSIM_CLOUD_INVALID, &error);
    }
}

static void check_boolean(struct romsim_schema *schema, const struct romsim_node *node,
                          const struct romsim_shape *shape, const struct path *path)
{
    (void)shape;
    if (node->kind != ROMSIM_NODE_BOOLEAN)
        complain_kind(schema, node, "a boolean", "write true or false", path);
}

static void complain_range(struct romsim_schema *schema, const struct romsim_node *node,
                           const struct romsim_shape *shape, const struct path *path)
{
    struct romsim_error error;

    romsim_error_set(&error, EINVAL, "Invalid %s %s", QUOTE(last_name(path)), QUOTE(node->text));
    error.rule = ROMSIM_RULE_NUMBER;
    if (shape->or_forever)
        romsim_error_hint(&error, "a whole number from %llu to %llu, or -1 for no end",
                          (unsigned long long)shape->minimum, (unsigned long long)shape->maximum);
    else if (shape->is_signed && shape->maximum < UINT64_MAX)
        romsim_error_hint(&error, "a whole number from -%llu to %llu",
                          (unsigned long long)shape->maximum, (unsigned long long)shape->maximum);
    else if (shape->maximum == UINT64_MAX)
        romsim_error_hint(&error, "a whole number of %llu or more",
                          (unsigned long long)shape->minimum);
    else
        romsim_error_hint(&error, "a whole number from %llu to %llu",
                          (unsigned long long)shape->minimum, (unsigned long long)shape->maximum);
    complain(schema, node, ROMSIM_CLOUD_INVALID, &error);
}

static bool may_be_negative(const struct romsim_shape *shape, uint64_t magnitude)
{
    return shape->is_signed ? magnitude <= shape->maximum : shape->or_forever && magnitude == 1;
}

static void check_integer(struct romsim_schema *schema, const struct romsim_node *node,
                          const struct romsim_shape *shape, const struct path *path)
{
    bool negative = false;
    uint64_t magnitude = 0;

    if (node->kind != ROMSIM_NODE_NUMBER)
        complain_kind(schema, node, "a number",
                      node->kind == ROMSIM_NODE_STRING ? "a number stands without quotes and unit"
                                                       : NULL,
                      path);
    else if (romsim_node_integer(node, &negative, &magnitude) <= 0)
        complain_range(schema, node, shape, path);
    else if (negative ? !may_be_negative(shape, magnitude)
                      : magnitude < shape->minimum || magnitude > shape->maximum)
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

static void check_word(struct romsim_schema *schema, const struct romsim_node *node,
                       const struct romsim_shape *shape, const struct path *path)
{
    struct romsim_error error;

    if (!romsim_node_is_text(node)) {
        complain_kind(schema, node, "a string", NULL, path);
        return;
    }
    for (size_t i = 0; shape->words[i]; i++)
        if (strcmp(shape->words[i], node->text) == 0)
            return;
    romsim_error_set(&error, EINVAL, "Invalid %s '%s'", QUOTE(last_name(path)), QUOTE(node->text));
    error.rule = ROMSIM_RULE_WORD;
    hint_words(&error, node->text, shape->words);
    complain(schema, node, ROMSIM_CLOUD_INVALID, &error);
}

/* ---- lists and objects ------------------------------------------------------------------- */

static void check_list(struct romsim_schema *schema, const struct romsim_node *node,
                       const struct romsim_shape *shape, const struct path *path)
{
    struct path inner = {.parent = path};
    struct romsim_error error;

    if (node->kind != ROMSIM_NODE_LIST) {
        complain_kind(schema, node, "a list", shape->hint, path);
        return;
    }
    if (node->count < shape->minimum || (shape->maximum && node->count > shape->maximum)) {
        romsim_error_set(&error, EINVAL, "Invalid number of %s: %zu", QUOTE(last_name(path)),
                         node->count);
        error.rule = ROMSIM_RULE_COUNT;
        romsim_error_hint(&error, "%llu to %llu", (unsigned long long)shape->minimum,
                          (unsigned long long)shape->maximum);
        complain(schema, node, ROMSIM_CLOUD_INVALID, &error);
    }
    for (size_t i = 0; i < node->count; i++) {
        inner.index = i;
        check(schema, node->items[i].value, shape->item, &inner);
    }
}

static void check_map(struct romsim_schema *schema, const struct romsim_node *node,
                      const struct romsim_shape *shape, const struct path *path)
{
    struct path inner = {.parent = path};

    if (node->kind != ROMSIM_NODE_OBJECT) {
        complain_kind(schema, node, "an object", shape->hint, path);
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        inner.name = node->items[i].key->text;
        check(schema, node->items[i].value, shape->item, &inner);
    }
}

const struct romsim_member *romsim_shape_member(const struct romsim_shape *shape, const char *name)
{
    for (const struct romsim_member *member = shape->members; member && member->name; member++)
        if (strcmp(member->name, name) == 0)
            return member;
    return NULL;
}

static const char *nearest_member(const struct romsim_shape *shape, const char *name)
{
    enum { MEMBERS_MAX = 64 };
    const char *names[MEMBERS_MAX + 1] = {NULL};
    size_t count = 0;

    for (const struct romsim_member *member = shape->members; member->name && count < MEMBERS_MAX;
         member++)
        names[count++] = member->name;
    return romsim_text_nearest(name, names);
}

static const char *translated_member(const struct romsim_schema *schema,
                                     const struct romsim_shape *shape, const char *name)
{
    const struct romsim_synonym *synonym = schema->synonyms;

    for (; synonym && synonym->theirs; synonym++)
        if (strcmp(synonym->theirs, name) == 0 && romsim_shape_member(shape, synonym->ours))
            return synonym->ours;
    return NULL;
}

static void complain_unknown(struct romsim_schema *schema, const struct romsim_node *key,
                             const struct romsim_shape *shape)
{
    const char *nearest = translated_member(schema, shape, key->text);
    struct romsim_error error;

    if (schema->is_forgiving && strncmp(key->text, "x-", 2) == 0)
        return;
    if (!nearest)
        nearest = nearest_member(shape, key->text);
    romsim_error_set(&error, EINVAL, "Unknown member '%s'%s", QUOTE(key->text),
                     schema->is_forgiving ? " is ignored"
                     : schema->is_request ? ": it is not a valid member"
                                          : "");
    error.rule = ROMSIM_RULE_UNKNOWN_MEMBER;
    if (nearest)
        romsim_error_hint(&error, "did you mean '%s'?", nearest);
    else if (strcmp(key->text, "<<") == 0)
        romsim_error_hint(&error, "merge keys are not part of YAML 1.2; an alias can stand for a "
                                  "whole value");
    if (schema->is_forgiving)
        romsim_document_warn(schema->document, key->offset, &error, schema->diagnostics);
    else
        complain(schema, key, ROMSIM_CLOUD_MALFORMED_REQUEST, &error);
}

/* Is it the word, or a list of nothing else? */
static bool is_usual(const struct romsim_node *node, const char *word)
{
    bool all = node->kind == ROMSIM_NODE_LIST;

    for (size_t i = 0; all && i < node->count; i++)
        all = node->items[i].value->text && strcmp(node->items[i].value->text, word) == 0;
    return all || (node->text && strcmp(node->text, word) == 0);
}

/* Remembers the path of a member that has no effect here, unless it says the usual thing. */
static void note_idle(struct romsim_schema *schema, const struct romsim_node *node,
                      const struct romsim_member *member, const struct path *path)
{
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(PATH_TEXT_MAX);

    if (member->usual && is_usual(node, member->usual))
        return;
    append_path(&text, path);
    if (!text.data || schema->idle.failed)
        return;
    if (schema->idle.size == 0)
        schema->idle_offset = node->offset;
    romsim_buffer_printf(&schema->idle, "%s%s", schema->idle.size ? ", " : "", text.data);
}

static void check_member(struct romsim_schema *schema, const struct romsim_item *item,
                         const struct romsim_shape *shape, const struct path *path)
{
    static const struct romsim_shape any = {.kind = ROMSIM_SHAPE_ANY};
    const struct romsim_member *member = romsim_shape_member(shape, item->key->text);
    struct path inner = {.parent = path, .name = item->key->text};

    if (!member && !shape->open) {
        complain_unknown(schema, item->key, shape);
        return;
    }
    if (member && item->value->kind == ROMSIM_NODE_NULL)
        return;
    if (member && (member->flags & ROMSIM_MEMBER_IDLE))
        note_idle(schema, item->value, member, &inner);
    check(schema, item->value, member ? member->shape : &any, &inner);
}

static void check_object(struct romsim_schema *schema, const struct romsim_node *node,
                         const struct romsim_shape *shape, const struct path *path)
{
    struct romsim_error error;

    if (node->kind != ROMSIM_NODE_OBJECT) {
        complain_kind(schema, node, "an object", shape->hint, path);
        return;
    }
    for (size_t i = 0; i < node->count; i++)
        check_member(schema, &node->items[i], shape, path);
    for (const struct romsim_member *member = shape->members; member && member->name; member++) {
        const struct romsim_node *value = romsim_node_member(node, member->name);

        if (!(member->flags & ROMSIM_MEMBER_REQUIRED) || (value && value->kind != ROMSIM_NODE_NULL))
            continue;
        romsim_error_set(&error, EINVAL, "Missing member %s", member->name);
        error.rule = ROMSIM_RULE_MISSING_MEMBER;
        complain(schema, node, ROMSIM_CLOUD_MALFORMED_REQUEST, &error);
    }
}

static void check_either(struct romsim_schema *schema, const struct romsim_node *node,
                         const struct romsim_shape *shape, const struct path *path)
{
    if (node->kind == ROMSIM_NODE_OBJECT)
        check_object(schema, node, shape, path);
    else
        check_string(schema, node, shape, path);
}

/* What stands in a member that nothing is known about: only numbers must fit. */
static void check_any(struct romsim_schema *schema, const struct romsim_node *node,
                      const struct romsim_shape *shape, const struct path *path)
{
    static const struct romsim_shape range = {.maximum = INT64_MAX};
    bool negative = false;
    uint64_t magnitude = 0;
    int is_integer =
        node->kind == ROMSIM_NODE_NUMBER ? romsim_node_integer(node, &negative, &magnitude) : 0;

    if (node->kind == ROMSIM_NODE_LIST)
        check_list(schema, node, &(struct romsim_shape){.kind = ROMSIM_SHAPE_LIST, .item = shape},
                   path);
    else if (node->kind == ROMSIM_NODE_OBJECT)
        check_map(schema, node, &(struct romsim_shape){.kind = ROMSIM_SHAPE_MAP, .item = shape},
                  path);
    else if (is_integer < 0 || (is_integer > 0 && magnitude > INT64_MAX))
        complain_range(schema, node, &range, path);
}

static void check(struct romsim_schema *schema, const struct romsim_node *node,
                  const struct romsim_shape *shape, const struct path *path)
{
    typedef void check_function(struct romsim_schema *, const struct romsim_node *,
                                const struct romsim_shape *, const struct path *);
    static check_function *const functions[] = {
        [ROMSIM_SHAPE_ANY] = check_any,         [ROMSIM_SHAPE_STRING] = check_string,
        [ROMSIM_SHAPE_BOOLEAN] = check_boolean, [ROMSIM_SHAPE_INTEGER] = check_integer,
        [ROMSIM_SHAPE_WORD] = check_word,       [ROMSIM_SHAPE_LIST] = check_list,
        [ROMSIM_SHAPE_MAP] = check_map,         [ROMSIM_SHAPE_OBJECT] = check_object,
        [ROMSIM_SHAPE_EITHER] = check_either,
    };

    functions[shape->kind](schema, node, shape, path);
}

void romsim_schema_check(struct romsim_schema *schema, const struct romsim_node *node,
                         const struct romsim_shape *shape)
{
    schema->idle = ROMSIM_BUFFER_INIT(IDLE_TEXT_MAX);
    check(schema, node, shape, NULL);
}
