/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * yaml.c: libyaml's events into the builder, by YAML 1.2's core schema.
 *
 * libyaml counts characters, the document counts bytes: a cursor goes along with the events and
 * turns one into the other.  Anchors are kept in a balanced tree, since a text may have as many
 * of them as it has values.
 */
#include "builder.h"

#include <romsim/text.h>

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct anchor {
    char *name;
    const struct romsim_node *node;
};

struct yaml {
    struct builder *builder;
    const char *text;
    size_t size, base;
    size_t characters, bytes; /* the cursor: so many characters are so many bytes */
    void *anchors;            /* of tsearch() */
    struct mistake *mistake;
};

/* The offset in the document of a character that libyaml counted. */
static size_t yaml_offset(struct yaml *yaml, size_t character)
{
    if (character < yaml->characters)
        yaml->characters = yaml->bytes = 0;
    while (yaml->characters < character && yaml->bytes < yaml->size) {
        size_t length = romsim_utf8_length(yaml->text + yaml->bytes, yaml->size - yaml->bytes);

        yaml->bytes += length ? length : 1;
        yaml->characters++;
    }
    return yaml->base + yaml->bytes;
}

/* ---- scalars by the core schema ---------------------------------------------------------- */

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return false;
}

static size_t skip_digits(const char *text, const char *digits)
{
    return strspn(text, digits);
}

static bool is_number(const char *text)
{
    static const char *const specials[] = {".inf", ".Inf", ".INF", NULL};
    static const char *const nan[] = {".nan", ".NaN", ".NAN", NULL};
    size_t before;
    size_t after = 0;

    if (strncmp(text, "0o", 2) == 0 && text[2])
        return text[2 + skip_digits(text + 2, "01234567")] == '\0';
    if (strncmp(text, "0x", 2) == 0 && text[2])
        return text[2 + skip_digits(text + 2, "0123456789abcdefABCDEF")] == '\0';
    if (is_one_of(text, nan))
        return true;
    if (*text == '-' || *text == '+')
        text++;
    if (is_one_of(text, specials))
        return true;
    before = skip_digits(text, "0123456789");
    text += before;
    if (*text == '.') {
        after = skip_digits(++text, "0123456789");
        text += after;
    }
    if (before + after == 0)
        return false;
    if (*text == 'e' || *text == 'E') {
        text++;
        text += *text == '-' || *text == '+';
        after = skip_digits(text, "0123456789");
        text += after;
        if (after == 0)
            return false;
    }
    return *text == '\0';
}

/* The kind of a plain scalar. */
static enum romsim_node_kind scalar_kind(const char *text, size_t size)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const booleans[] = {"true", "True", "TRUE", "false", "False", "FALSE", NULL};

    if (strlen(text) != size)
        return ROMSIM_NODE_STRING;
    if (is_one_of(text, nulls))
        return ROMSIM_NODE_NULL;
    if (is_one_of(text, booleans))
        return ROMSIM_NODE_BOOLEAN;
    return is_number(text) ? ROMSIM_NODE_NUMBER : ROMSIM_NODE_STRING;
}

/* ---- tags -------------------------------------------------------------------------------- */

struct known_tag {
    const char *tag;
    enum romsim_node_kind kind;
};

static const struct known_tag known_tags[] = {
    {YAML_NULL_TAG, ROMSIM_NODE_NULL},  {YAML_BOOL_TAG, ROMSIM_NODE_BOOLEAN},
    {YAML_INT_TAG, ROMSIM_NODE_NUMBER}, {YAML_FLOAT_TAG, ROMSIM_NODE_NUMBER},
    {YAML_STR_TAG, ROMSIM_NODE_STRING}, {YAML_SEQ_TAG, ROMSIM_NODE_LIST},
    {YAML_MAP_TAG, ROMSIM_NODE_OBJECT},
};

static int refuse_tag(struct yaml *yaml, const char *tag, size_t offset)
{
    static const char prefix[] = "tag:yaml.org,2002:";
    struct romsim_error error;
    bool is_standard = strncmp(tag, prefix, sizeof(prefix) - 1) == 0;

    romsim_error_set(&error, EINVAL, "Unknown tag '%s%s'", is_standard ? "!!" : "",
                     QUOTE(is_standard ? tag + sizeof(prefix) - 1 : tag));
    error.rule = ROMSIM_RULE_TAG;
    romsim_error_hint(&error, "%s",
                      is_standard && strcmp(tag + sizeof(prefix) - 1, "binary") == 0
                          ? "an inline file says encoding: base64"
                          : "only YAML's core types are known");
    error.cloud = ROMSIM_CLOUD_MALFORMED_REQUEST;
    return builder_refuse(yaml->builder, offset, &error);
}

/* The kind that a tag names.  Returns 1, 0 without a tag that says anything, or -1. */
static int tag_kind(struct yaml *yaml, const yaml_char_t *tag, size_t offset,
                    enum romsim_node_kind *ret_kind)
{
    if (!tag)
        return 0;
    for (size_t i = 0; i < sizeof(known_tags) / sizeof(known_tags[0]); i++) {
        if (strcmp((const char *)tag, known_tags[i].tag) != 0)
            continue;
        *ret_kind = known_tags[i].kind;
        return 1;
    }
    return refuse_tag(yaml, (const char *)tag, offset);
}

static int refuse_tagged(struct yaml *yaml, const yaml_char_t *tag, size_t offset)
{
    struct romsim_error error;
    const char *word = strrchr((const char *)tag, ':');

    romsim_error_set(&error, EINVAL, "the value is not what its tag '!!%s' says", word + 1);
    error.rule = ROMSIM_RULE_TAG;
    error.cloud = ROMSIM_CLOUD_MALFORMED_REQUEST;
    return builder_refuse(yaml->builder, offset, &error);
}

/* ---- anchors ----------------------------------------------------------------------------- */

static int compare_anchors(const void *a, const void *b)
{
    return strcmp(((const struct anchor *)a)->name, ((const struct anchor *)b)->name);
}

static void anchor_free(void *anchor)
{
    free(((struct anchor *)anchor)->name);
    free(anchor);
}

/* Remembers what an anchor names; the latest one of a name counts. */
static int anchor_set(struct yaml *yaml, const yaml_char_t *name, const struct romsim_node *node)
{
    struct anchor *anchor;
    struct anchor **slot;

    if (!name)
        return 0;
    anchor = calloc(1, sizeof(*anchor));
    if (!anchor)
        return -1;
    anchor->name = strdup((const char *)name);
    slot = anchor->name ? tsearch(anchor, &yaml->anchors, compare_anchors) : NULL;
    if (!slot) {
        anchor_free(anchor);
        return -1;
    }
    if (*slot != anchor)
        anchor_free(anchor);
    (*slot)->node = node;
    return 0;
}

/* ---- events ------------------------------------------------------------------------------ */

/* What libyaml says in its own words, and what is said to the user instead. */
struct translation {
    const char *problem; /* its beginning */
    char character;      /* that must stand there, or 0 */
    const char *message, *hint;
    bool at_context; /* the place to show is where the thing begins */
};

static const struct translation translations[] = {
    {"found character that cannot start", '\t', "a tab cannot indent YAML", "use spaces", false},
    {"found character that cannot start", '|', "a block of text cannot stand inside of [] or {}",
     "write the list or object over several lines", false},
    {"found character that cannot start", '>', "a block of text cannot stand inside of [] or {}",
     "write the list or object over several lines", false},
    {"did not find expected ',' or ']'", 0, "a ',' or ']' must stand here",
     "check the quotes: an item is one value", false},
    {"did not find expected ',' or '}'", 0, "a ',' or '}' must stand here",
     "check the quotes: a member is NAME: VALUE", false},
    {"found a tab character", 0, "a tab cannot indent YAML", "use spaces", false},
    {"found character that cannot start", '@', "a value cannot begin with '@'", "put it in quotes",
     false},
    {"found character that cannot start", '`', "a value cannot begin with '`'", "put it in quotes",
     false},
    {"found character that cannot start", '%', "a value cannot begin with '%'", "put it in quotes",
     false},
    {"mapping values are not allowed", 0, "a ':' that cannot stand here",
     "check the indentation, or put a value that has ': ' in it in quotes", false},
    {"did not find expected key", 0, "this does not fit what stands above it",
     "check the indentation and the quotes", false},
    {"did not find expected '-' indicator", 0, "this does not fit the list above it",
     "check the indentation: each item begins with '- '", false},
    {"could not find expected ':'", 0, "a member's name without a ':'",
     "write NAME: VALUE, with a space after the colon", true},
    {"found unexpected end of stream", 0, "the text ends inside a quoted string",
     "the closing quote is missing", true},
    {"did not find expected <document start>", 0, "text after the end of the value",
     "several documents are divided by a line with ---", false},
    {"control characters are not allowed", 0, "a control character in the text",
     "in a double-quoted string it can be written as \\xNN", false},
    {"did not find expected alphabetic", 0, "an anchor or alias without a name",
     "put a value that begins with '&' or '*' in quotes", false},
};

static size_t mistake_offset(struct yaml *yaml, const yaml_parser_t *parser)
{
    if (parser->error == YAML_READER_ERROR) /* these come with bytes, and without a mark */
        return yaml->base + parser->problem_offset;
    return yaml_offset(yaml, parser->problem_mark.index);
}

static const struct translation *translation_of(const char *problem, char character)
{
    for (size_t i = 0; i < sizeof(translations) / sizeof(translations[0]); i++) {
        const struct translation *known = &translations[i];

        if (strncmp(problem, known->problem, strlen(known->problem)) == 0 &&
            (!known->character || known->character == character))
            return known;
    }
    return NULL;
}

static enum reading syntax_mistake(struct yaml *yaml, const yaml_parser_t *parser)
{
    const char *problem = parser->problem ? parser->problem : "out of memory";
    struct mistake *mistake = yaml->mistake;
    size_t offset = mistake_offset(yaml, parser);
    size_t end = yaml->base + yaml->size;
    const struct translation *known =
        translation_of(problem, offset < end ? yaml->text[offset - yaml->base] : '\0');

    mistake->offset = mistake->reached = offset;
    if (known) {
        romsim_error_set(&mistake->error, EINVAL, "%s", known->message);
        romsim_error_hint(&mistake->error, "%s", known->hint);
        if (known->at_context && parser->context)
            mistake->offset = yaml_offset(yaml, parser->context_mark.index);
    } else {
        romsim_error_set(&mistake->error, EINVAL, "%s%s%s", parser->context ? parser->context : "",
                         parser->context ? ": " : "", problem);
    }
    mistake->error.rule = ROMSIM_RULE_SYNTAX;
    mistake->error.cloud = ROMSIM_CLOUD_MALFORMED_REQUEST;
    return READING_MISTAKE;
}

static int read_scalar(struct yaml *yaml, const yaml_event_t *event, size_t offset)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t size = event->data.scalar.length;
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    enum romsim_node_kind wanted = ROMSIM_NODE_STRING;
    enum romsim_node_kind kind = plain ? scalar_kind(text, size) : ROMSIM_NODE_STRING;
    int tagged = tag_kind(yaml, event->data.scalar.tag, offset, &wanted);
    struct romsim_node *node;

    if (tagged < 0)
        return -1;
    if (tagged > 0 && wanted != ROMSIM_NODE_STRING && wanted != scalar_kind(text, size))
        return refuse_tagged(yaml, event->data.scalar.tag, offset);
    if (tagged > 0)
        kind = wanted;
    node = builder_scalar(yaml->builder, kind, text, size, offset);
    if (!node)
        return -1;
    node->plain = plain && tagged == 0;
    node->block = event->data.scalar.style == YAML_LITERAL_SCALAR_STYLE ||
                  event->data.scalar.style == YAML_FOLDED_SCALAR_STYLE;
    return anchor_set(yaml, event->data.scalar.anchor, node);
}

static int read_open(struct yaml *yaml, enum romsim_node_kind kind, const yaml_char_t *tag,
                     const yaml_char_t *anchor, size_t offset)
{
    enum romsim_node_kind wanted = kind;
    struct romsim_node *node;

    if (tag_kind(yaml, tag, offset, &wanted) < 0)
        return -1;
    if (wanted != kind)
        return refuse_tagged(yaml, tag, offset);
    node = builder_open(yaml->builder, kind, offset);
    return node ? anchor_set(yaml, anchor, node) : -1;
}

static int read_alias(struct yaml *yaml, const yaml_event_t *event, size_t offset)
{
    struct anchor wanted = {.name = (char *)event->data.alias.anchor};
    struct anchor **slot = tfind(&wanted, &yaml->anchors, compare_anchors);
    struct romsim_error error;

    if (slot)
        return builder_alias(yaml->builder, (*slot)->node, offset);
    romsim_error_set(&error, EINVAL, "no anchor with the name '%s' before this",
                     QUOTE(wanted.name));
    error.rule = ROMSIM_RULE_ALIAS;
    romsim_error_hint(&error, "put a value that begins with '*' in quotes");
    error.cloud = ROMSIM_CLOUD_MALFORMED_REQUEST;
    return builder_refuse(yaml->builder, offset, &error);
}

static int read_event(struct yaml *yaml, const yaml_event_t *event)
{
    size_t offset = yaml_offset(yaml, event->start_mark.index);

    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return read_scalar(yaml, event, offset);
    case YAML_ALIAS_EVENT:
        return read_alias(yaml, event, offset);
    case YAML_SEQUENCE_START_EVENT:
        return read_open(yaml, ROMSIM_NODE_LIST, event->data.sequence_start.tag,
                         event->data.sequence_start.anchor, offset);
    case YAML_MAPPING_START_EVENT:
        return read_open(yaml, ROMSIM_NODE_OBJECT, event->data.mapping_start.tag,
                         event->data.mapping_start.anchor, offset);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return builder_close(yaml->builder);
    case YAML_DOCUMENT_START_EVENT:
        tdestroy(yaml->anchors, anchor_free); /* anchors are a document's own */
        yaml->anchors = NULL;
        return 0;
    default:
        return 0;
    }
}

static enum reading read_events(struct yaml *yaml, yaml_parser_t *parser)
{
    bool at_end = false;
    int status = 0;

    while (status == 0 && !at_end) {
        yaml_event_t event;

        if (!yaml_parser_parse(parser, &event))
            return syntax_mistake(yaml, parser);
        at_end = event.type == YAML_STREAM_END_EVENT;
        status = read_event(yaml, &event);
        yaml_event_delete(&event);
    }
    return status < 0 ? READING_REFUSED : READING_DONE;
}

enum reading yaml_read(struct builder *builder, const char *text, size_t size, size_t base,
                       struct mistake *ret_mistake)
{
    struct yaml yaml = {
        .builder = builder, .text = text, .size = size, .base = base, .mistake = ret_mistake};
    yaml_parser_t parser;
    enum reading result;

    if (!yaml_parser_initialize(&parser)) {
        romsim_error_nomem(&ret_mistake->error);
        return READING_MISTAKE;
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    result = read_events(&yaml, &parser);
    tdestroy(yaml.anchors, anchor_free);
    yaml_parser_delete(&parser);
    return result;
}
