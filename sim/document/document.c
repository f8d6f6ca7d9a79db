/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * document.c: a document's memory, the builder that both readers feed, and the choice of one.
 *
 * The builder keeps a stack of the lists and objects that are open.  Items are collected in the
 * frame and copied into the document's memory when it closes; only then are keys compared, by
 * sorting, so that an object of 100,000 members takes no quadratic time.
 */
#include "builder.h"

#include <romsim/bounds.h>
#include <romsim/text.h>
#include <romsim/vector.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

DEFINE_VECTOR(items, struct romsim_item);

struct frame {
    struct romsim_node *node;
    const struct romsim_node *key; /* read, and waiting for its value */
    struct items items;
};

struct builder {
    struct romsim_document *document;
    struct romsim_diagnostics *diagnostics;
    struct frame frames[ROMSIM_DOCUMENT_DEPTH_MAX];
    size_t depth;
    size_t weight; /* of all roots so far, aliases expanded */
};

/* ---- the document's memory --------------------------------------------------------------- */

/* Memory that lives as long as the document.  NULL when there is none left. */
static void *document_allocate(struct romsim_document *document, size_t size)
{
    enum { CHUNK = 65536 };
    size_t rounded = (size + 15) & ~(size_t)15;
    struct chunk *chunk = document->chunks;

    if (!chunk || chunk->capacity - chunk->used < rounded) {
        size_t capacity = rounded > CHUNK / 4 ? rounded : CHUNK;

        chunk = malloc(sizeof(*chunk) + capacity);
        if (!chunk)
            return NULL;
        chunk->used = 0;
        chunk->capacity = capacity;
        /* A chunk of its own for something large must not hide the one that has room. */
        if (capacity != CHUNK && document->chunks) {
            chunk->next = document->chunks->next;
            document->chunks->next = chunk;
        } else {
            chunk->next = document->chunks;
            document->chunks = chunk;
        }
    }
    chunk->used += rounded;
    return chunk->bytes + chunk->used - rounded;
}

static int roots_append(struct romsim_document *document, const struct romsim_node *node)
{
    void *roots = document->roots;

    if (document->root_count == document->root_capacity &&
        romsim_vector_grow(&roots, document->root_count, &document->root_capacity,
                           sizeof(*document->roots)) < 0)
        return -1;
    document->roots = roots;
    document->roots[document->root_count++] = node;
    return 0;
}

/* ---- the builder ------------------------------------------------------------------------- */

int builder_refuse(struct builder *builder, size_t offset, struct romsim_error *error)
{
    romsim_document_complain(builder->document, offset, error, builder->diagnostics);
    return -1;
}

static int refuse_nomem(struct builder *builder, size_t offset)
{
    struct romsim_error error;

    romsim_error_nomem(&error);
    return builder_refuse(builder, offset, &error);
}

static int refuse_depth(struct builder *builder, size_t offset)
{
    struct romsim_error error;

    romsim_error_set(&error, EINVAL, "lists and objects are nested more than %d levels deep",
                     ROMSIM_DOCUMENT_DEPTH_MAX);
    error.rule = ROMSIM_RULE_BOUND;
    error.cloud = ROMSIM_CLOUD_MALFORMED_REQUEST;
    return builder_refuse(builder, offset, &error);
}

/* Counts the weight of a node that is being added. */
static int builder_count(struct builder *builder, size_t weight, size_t offset)
{
    struct romsim_error error;

    builder->weight += weight;
    if (builder->weight <= romsim_bound(ROMSIM_BOUND_VALUES))
        return 0;
    romsim_bound_refuse(&error, ROMSIM_BOUND_VALUES,
                        "the text has more than %llu values, aliases expanded",
                        (unsigned long long)romsim_bound(ROMSIM_BOUND_VALUES));
    error.rule = ROMSIM_RULE_BOUND;
    error.cloud = ROMSIM_CLOUD_MALFORMED_REQUEST;
    return builder_refuse(builder, offset, &error);
}

bool builder_wants_key(const struct builder *builder)
{
    const struct frame *frame = builder->depth ? &builder->frames[builder->depth - 1] : NULL;

    return frame && frame->node->kind == ROMSIM_NODE_OBJECT && !frame->key;
}

size_t builder_depth(const struct builder *builder)
{
    return builder->depth;
}

/* Puts a finished node where the reader stands: a root, a key, or an item. */
static int builder_put(struct builder *builder, const struct romsim_node *node, size_t offset)
{
    struct frame *frame;
    struct romsim_item item = {.value = node};

    if (builder->depth == 0)
        return roots_append(builder->document, node) < 0 ? refuse_nomem(builder, offset) : 0;
    frame = &builder->frames[builder->depth - 1];
    if (builder_wants_key(builder)) {
        frame->key = node;
        return 0;
    }
    item.key = STEAL_POINTER(&frame->key);
    return items_append(&frame->items, item) < 0 ? refuse_nomem(builder, offset) : 0;
}

static int refuse_key(struct builder *builder, size_t offset)
{
    struct romsim_error error;

    romsim_error_set(&error, EINVAL, "a member's name must be a string");
    error.rule = ROMSIM_RULE_MEMBER_NAME;
    error.cloud = ROMSIM_CLOUD_MALFORMED_REQUEST;
    return builder_refuse(builder, offset, &error);
}

static struct romsim_node *node_new(struct builder *builder, enum romsim_node_kind kind,
                                    size_t offset)
{
    struct romsim_node *node = document_allocate(builder->document, sizeof(*node));

    if (!node) {
        refuse_nomem(builder, offset);
        return NULL;
    }
    *node = (struct romsim_node){.kind = kind, .weight = 1, .offset = (uint32_t)offset};
    return node;
}

struct romsim_node *builder_scalar(struct builder *builder, enum romsim_node_kind kind,
                                   const char *text, size_t size, size_t offset)
{
    struct romsim_node *node;
    char *copy;

    if (builder_count(builder, 1, offset) < 0)
        return NULL;
    node = node_new(builder, kind, offset);
    copy = document_allocate(builder->document, size + 1);
    if (!node || !copy) {
        refuse_nomem(builder, offset);
        return NULL;
    }
    memcpy(copy, text, size);
    copy[size] = '\0';
    node->text = copy;
    node->size = size;
    return builder_put(builder, node, offset) < 0 ? NULL : node;
}

struct romsim_node *builder_open(struct builder *builder, enum romsim_node_kind kind, size_t offset)
{
    struct romsim_node *node;

    if (builder_wants_key(builder)) {
        refuse_key(builder, offset);
        return NULL;
    }
    if (builder->depth == ROMSIM_DOCUMENT_DEPTH_MAX) {
        refuse_depth(builder, offset);
        return NULL;
    }
    if (builder_count(builder, 1, offset) < 0)
        return NULL;
    node = node_new(builder, kind, offset);
    if (!node)
        return NULL;
    node->open = true;
    builder->frames[builder->depth++] = (struct frame){.node = node};
    return node;
}

/* By name; of one name, in the order of the text. */
static int compare_keys(const void *left, const void *right)
{
    const struct romsim_item *one = *(const struct romsim_item *const *)left;
    const struct romsim_item *other = *(const struct romsim_item *const *)right;
    const struct romsim_node *a = one->key, *b = other->key;
    size_t size = a->size < b->size ? a->size : b->size;
    int difference = memcmp(a->text, b->text, size);

    if (difference != 0)
        return difference;
    if (a->size != b->size)
        return a->size < b->size ? -1 : 1;
    return one < other ? -1 : one > other;
}

static void complain_duplicate(struct builder *builder, const struct romsim_node *first,
                               const struct romsim_node *second)
{
    struct romsim_error error;
    struct romsim_place place;

    romsim_document_place(builder->document, first->offset, &place);
    if (builder->document->last_wins) {
        romsim_error_set(&error, EINVAL,
                         "Duplicate member '%s': this one counts, not that in line "
                         "%u",
                         QUOTE(second->text), place.line);
        error.rule = ROMSIM_RULE_DUPLICATE_MEMBER;
        romsim_document_warn(builder->document, second->offset, &error, builder->diagnostics);
        return;
    }
    romsim_error_set(&error, EINVAL, "Duplicate member '%s'", QUOTE(second->text));
    error.rule = ROMSIM_RULE_DUPLICATE_MEMBER;
    romsim_error_hint(&error, "the first one is in line %u", place.line);
    error.cloud = ROMSIM_CLOUD_MALFORMED_REQUEST;
    romsim_document_complain(builder->document, second->offset, &error, builder->diagnostics);
}

/* Removes the items that lost their value. */
static void remove_superseded(struct items *items)
{
    size_t kept = 0;

    for (size_t i = 0; i < items->count; i++)
        if (items->items[i].value)
            items->items[kept++] = items->items[i];
    items->count = kept;
}

/* Duplicate keys are complained about, but the reading goes on. */
static int check_duplicates(struct builder *builder, struct items *items)
{
    CLEANUP_FREE struct romsim_item **sorted = NULL;

    if (items->count < 2)
        return 0;
    sorted = calloc(items->count, sizeof(struct romsim_item *));
    if (!sorted)
        return -1;
    for (size_t i = 0; i < items->count; i++)
        sorted[i] = &items->items[i];
    qsort(sorted, items->count, sizeof(*sorted), compare_keys);
    for (size_t i = 1; i < items->count; i++) {
        const struct romsim_node *before = sorted[i - 1]->key, *key = sorted[i]->key;

        if (key->size != before->size || memcmp(key->text, before->text, key->size) != 0)
            continue;
        complain_duplicate(builder, before, key);
        if (builder->document->last_wins)
            sorted[i - 1]->value = NULL;
    }
    remove_superseded(items);
    return 0;
}

static void node_measure(struct romsim_node *node)
{
    uint16_t height = 0;

    for (size_t i = 0; i < node->count; i++) {
        const struct romsim_node *value = node->items[i].value;

        node->weight += value->weight + (node->items[i].key ? 1 : 0);
        if (value->height > height)
            height = value->height;
    }
    node->height = height + 1;
}

int builder_close(struct builder *builder)
{
    struct frame *frame = &builder->frames[builder->depth - 1];
    struct romsim_node *node = frame->node;
    struct items *items = &frame->items;
    struct romsim_item *copy = document_allocate(builder->document, items->count * sizeof(*copy));

    if (!copy || (node->kind == ROMSIM_NODE_OBJECT && check_duplicates(builder, items) < 0))
        return refuse_nomem(builder, node->offset);
    if (items->count > 0)
        memcpy(copy, items->items, items->count * sizeof(*copy));
    node->items = copy;
    node->count = items->count;
    node->open = false;
    node_measure(node);
    items_reset(items);
    builder->depth--;
    return builder_put(builder, node, node->offset);
}

int builder_alias(struct builder *builder, const struct romsim_node *target, size_t offset)
{
    struct romsim_error error;

    if (target->open) {
        romsim_error_set(&error, EINVAL, "the alias stands inside what it refers to");
        error.rule = ROMSIM_RULE_ALIAS;
        error.cloud = ROMSIM_CLOUD_MALFORMED_REQUEST;
        return builder_refuse(builder, offset, &error);
    }
    if (builder_wants_key(builder) && target->height > 0)
        return refuse_key(builder, offset);
    if (builder->depth + target->height > ROMSIM_DOCUMENT_DEPTH_MAX)
        return refuse_depth(builder, offset);
    if (builder_count(builder, target->weight, offset) < 0)
        return -1;
    return builder_put(builder, target, offset);
}

/* ---- reading ----------------------------------------------------------------------------- */

typedef enum reading reader(struct builder *, const char *, size_t, size_t, struct mistake *);

struct attempt {
    enum reading result;
    struct mistake mistake;
    struct romsim_diagnostics diagnostics;
};

static void attempt_read(struct romsim_document *document, reader *read, size_t base,
                         struct attempt *attempt)
{
    struct builder builder = {.document = document, .diagnostics = &attempt->diagnostics};

    document->root_count = 0;
    attempt->result =
        read(&builder, document->text + base, document->size - base, base, &attempt->mistake);
    for (size_t i = 0; i < builder.depth; i++)
        items_reset(&builder.frames[i].items);
    if (attempt->result == READING_REFUSED)
        document->root_count = 0;
}

static void attempt_report(struct romsim_document *document, struct attempt *attempt,
                           const struct mistake *mistake, struct romsim_diagnostics *diagnostics)
{
    const struct romsim_diagnostics *found = &attempt->diagnostics;
    size_t errors = found->errors, warnings = found->warnings;

    for (size_t i = 0; i < found->count; i++) {
        const struct romsim_diagnostic *entry = &found->entries[i];

        romsim_diagnostics_add(diagnostics, &entry->error, entry->is_warning);
        *(entry->is_warning ? &warnings : &errors) -= 1;
    }
    diagnostics->errors += errors; /* those that were only counted */
    diagnostics->warnings += warnings;
    if (mistake) {
        struct romsim_error error = mistake->error;

        romsim_document_complain(document, mistake->offset, &error, diagnostics);
    }
}

static bool begins_like_json(const char *text, size_t size)
{
    size_t i = 0;

    while (i < size && (text[i] == ' ' || text[i] == '\t' || text[i] == '\n' || text[i] == '\r'))
        i++;
    return i < size && (text[i] == '{' || text[i] == '[');
}

/* What no reader could make sense of: bytes that are no text, a flood of %TAG lines. */
static int check_text(struct romsim_document *document, struct romsim_diagnostics *diagnostics)
{
    struct romsim_error error;
    size_t tags = 0;

    for (size_t i = 0; i < document->size;) {
        size_t length = romsim_utf8_length(document->text + i, document->size - i);

        if (length == 0 || document->text[i] == '\0') {
            romsim_error_set(&error, EINVAL,
                             length ? "a NUL byte in the text" : "the text is not valid UTF-8");
            error.rule = ROMSIM_RULE_TEXT;
            romsim_error_hint(&error, "it must be %s in UTF-8%s",
                              document->is_json ? "JSON" : "YAML or JSON",
                              length ? "" : "; binary data goes into a file as base64");
            error.cloud = ROMSIM_CLOUD_MALFORMED_REQUEST;
            romsim_document_complain(document, i, &error, diagnostics);
            return -1;
        }
        if (document->text[i] == '%' && (i == 0 || document->text[i - 1] == '\n') &&
            document->size - i > 4 && memcmp(document->text + i, "%TAG", 4) == 0 &&
            ++tags > romsim_bound(ROMSIM_BOUND_TAG_LINES)) {
            romsim_bound_refuse(&error, ROMSIM_BOUND_TAG_LINES, "more than %llu %%TAG lines",
                                (unsigned long long)tags - 1);
            error.rule = ROMSIM_RULE_BOUND;
            romsim_document_complain(document, i, &error, diagnostics);
            return -1;
        }
        i += length;
    }
    return 0;
}

/* Reads by YAML's rules.  If JSON's rules failed before (`json`), the mistake that is reported is
 * the one of the reader that got further: it understood more of what the user meant. */
static void read_yaml(struct romsim_document *document, size_t base, const struct mistake *json,
                      struct romsim_diagnostics *diagnostics)
{
    struct attempt attempt = {0};
    const struct mistake *mistake = NULL;

    attempt_read(document, yaml_read, base, &attempt);
    if (attempt.result == READING_MISTAKE) {
        mistake = json && json->reached >= attempt.mistake.reached ? json : &attempt.mistake;
        if (json)
            document->root_count = 0;
    } else if (json && attempt.result == READING_DONE) {
        document->is_flow_yaml = true;
        document->json_mistake = *json;
    }
    attempt_report(document, &attempt, mistake, diagnostics);
    romsim_diagnostics_clear(&attempt.diagnostics);
}

void romsim_document_read(struct romsim_document *document, struct romsim_diagnostics *diagnostics)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    struct attempt json = {0};
    size_t base = 0;

    if (check_text(document, diagnostics) < 0)
        return;
    if (document->size >= 3 && memcmp(document->text, byte_order_mark, 3) == 0)
        base = 3;
    if (!document->is_json && !begins_like_json(document->text + base, document->size - base)) {
        read_yaml(document, base, NULL, diagnostics);
        return;
    }
    attempt_read(document, json_read, base, &json);
    if (json.result == READING_MISTAKE && !document->is_json)
        read_yaml(document, base, &json.mistake, diagnostics);
    else
        attempt_report(document, &json, json.result == READING_MISTAKE ? &json.mistake : NULL,
                       diagnostics);
    romsim_diagnostics_clear(&json.diagnostics);
}

struct romsim_document *romsim_document_new(const char *name, const char *text, size_t size)
{
    struct romsim_document *document = calloc(1, sizeof(*document));

    if (!document)
        return NULL;
    document->name = name;
    document->text = text;
    document->size = size;
    if (document_index_lines(document) < 0) {
        romsim_document_free(document);
        return NULL;
    }
    return document;
}

void romsim_document_demand_json(struct romsim_document *document)
{
    document->is_json = true;
}

void romsim_document_let_last_win(struct romsim_document *document)
{
    document->last_wins = true;
}

void romsim_document_free(struct romsim_document *document)
{
    if (!document)
        return;
    while (document->chunks) {
        struct chunk *next = document->chunks->next;

        free(document->chunks);
        document->chunks = next;
    }
    free(document->roots);
    free(document->lines);
    free(document->characters);
    free(document);
}

size_t romsim_document_root_count(const struct romsim_document *document)
{
    return document->root_count;
}

const struct romsim_node *romsim_document_root(const struct romsim_document *document, size_t index)
{
    return document->roots[index];
}

const struct romsim_error *romsim_document_json_mistake(const struct romsim_document *document,
                                                        size_t *ret_offset)
{
    if (!document->is_flow_yaml)
        return NULL;
    *ret_offset = document->json_mistake.offset;
    return &document->json_mistake.error;
}
