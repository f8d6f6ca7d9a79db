/* SPDX-License-Identifier: BSD-3-Clause */
/* builder.h: between the readers (yaml.c, json.c) and the document that they fill (document.c). */
#ifndef ROMSIM_DOCUMENT_BUILDER_H
#define ROMSIM_DOCUMENT_BUILDER_H

#include <romsim/document.h>

struct builder;

/* What a reader found wrong with the syntax, and where. */
struct mistake {
    struct romsim_error error;
    size_t offset;
    size_t reached; /* how far the reader had come when it saw it */
};

enum reading {
    READING_DONE,
    READING_MISTAKE, /* the syntax: *ret_mistake says what */
    READING_REFUSED  /* a bound: already among the diagnostics */
};

enum reading yaml_read(struct builder *builder, const char *text, size_t size, size_t base,
                       struct mistake *ret_mistake);
enum reading json_read(struct builder *builder, const char *text, size_t size, size_t base,
                       struct mistake *ret_mistake);

/* Each adds one event.  They return the node (of a scalar, list, object) or 0, and NULL or -1 if
 * the text is refused; the reader then returns READING_REFUSED. */
struct romsim_node *builder_scalar(struct builder *builder, enum romsim_node_kind kind,
                                   const char *text, size_t size, size_t offset);
struct romsim_node *builder_open(struct builder *builder, enum romsim_node_kind kind,
                                 size_t offset);
int builder_close(struct builder *builder);
int builder_alias(struct builder *builder, const struct romsim_node *target, size_t offset);

/* Refuses the text, for a reason that is more than syntax.  Returns -1. */
int builder_refuse(struct builder *builder, size_t offset, struct romsim_error *error);

/* How deep in lists and objects the reader stands, and whether a key is due. */
size_t builder_depth(const struct builder *builder);
bool builder_wants_key(const struct builder *builder);

/* ---- the document itself, of which document.c and place.c know --------------------------- */

struct chunk {
    struct chunk *next;
    size_t used, capacity;
    _Alignas(16) char bytes[];
};

struct romsim_document {
    const char *name;
    const char *text;
    size_t size;
    bool is_json;   /* YAML is not tried */
    bool last_wins; /* of members with one name */
    bool is_flow_yaml;
    struct mistake json_mistake; /* of flow YAML */
    const struct romsim_node **roots;
    size_t root_count, root_capacity;
    struct chunk *chunks;
    uint32_t *lines; /* the offset of each line's first byte */
    size_t line_count, line_capacity;
    uint32_t *characters; /* characters before each PLACE_STEP bytes of text */
};

/* Prepares romsim_document_place().  Returns 0, or -1 without memory. */
int document_index_lines(struct romsim_document *document);

#endif
