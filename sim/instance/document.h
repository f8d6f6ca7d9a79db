/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * document.h: a text as a tree of nodes with places, whether it was YAML or JSON.
 *
 * Two readers (yaml.c, json.c) feed one builder, and the builder keeps the promises on hostile
 * input: depth, number of nodes after the expansion of aliases, no key twice in an object.  An
 * alias is not expanded but shares the node of its anchor, so an alias bomb costs nothing; its
 * weight is counted as if it were expanded, because whoever walks the tree walks all of it.
 *
 * Nodes and their strings live as long as their document.
 */
#ifndef ROMSIM_INSTANCE_DOCUMENT_H
#define ROMSIM_INSTANCE_DOCUMENT_H

#include <romsim/cleanup.h>
#include <romsim/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DOCUMENT_DEPTH_MAX = 64 }; /* of lists and objects in each other: readers recur */

enum node_kind {
    NODE_NULL,
    NODE_BOOLEAN,
    NODE_NUMBER,
    NODE_STRING,
    NODE_LIST,
    NODE_OBJECT,
};

struct item {
    const struct node *key; /* NULL in a list; else a scalar */
    const struct node *value;
};

struct node {
    enum node_kind kind;
    bool plain;       /* a YAML scalar without quotes: its text is what the user meant */
    bool block;       /* a YAML scalar over several lines, by '|' or '>' */
    bool open;        /* still being read: an alias to it would be a loop */
    uint16_t height;  /* levels of lists and objects, with itself; 0 for a scalar */
    uint32_t weight;  /* nodes in it, with itself, aliases expanded */
    uint32_t offset;  /* where it begins in the text, bytes */
    const char *text; /* of a scalar, NUL-terminated, as written (a number is not converted) */
    size_t size;      /* of the text; a string may hold NULs */
    const struct item *items;
    size_t count;
};

struct document;

/* A document over `size` bytes of text, which must outlive it; `name` is for messages.
 * NULL without memory. */
struct document *document_new(const char *name, const char *text, size_t size);
void document_free(struct document *document);

DEFINE_CLEANUP(struct document, document_free)

/* From now on the last of several members of one name counts, and a warning names it; without
 * this they are errors.  To be called before document_read(). */
void document_let_last_win(struct document *document);

/*
 * Reads the text: by JSON's rules if its first character is { or [ and it is valid JSON, else by
 * YAML's.  What is wrong goes to `diagnostics`.  The roots that were complete before a mistake of
 * syntax can be looked at all the same, so that the errors in them are reported as well.
 */
void document_read(struct document *document, struct romsim_diagnostics *diagnostics);

size_t document_root_count(const struct document *document);
const struct node *document_root(const struct document *document, size_t index);

/* Fills *ret with the place of a byte of the text. */
void document_place(const struct document *document, size_t offset, struct romsim_place *ret);

/* Adds *error, with the place of a byte of the text, to the diagnostics; as a warning. */
void document_complain(const struct document *document, size_t offset, struct romsim_error *error,
                       struct romsim_diagnostics *diagnostics);
void document_warn(const struct document *document, size_t offset, struct romsim_error *warning,
                   struct romsim_diagnostics *diagnostics);

/* The value of a member of an object, NULL if it is absent (or the node no object). */
const struct node *node_member(const struct node *node, const char *name);

/* "a list", "an object", "a string", ... for messages. */
const char *node_kind_name(const struct node *node);

/* A whole number.  Returns 1, 0 if it is none, -1 if it is one that does not fit into 64 bits;
 * *ret_negative tells the sign, *ret_magnitude the rest. */
int node_integer(const struct node *node, bool *ret_negative, uint64_t *ret_magnitude);

/* Is this scalar usable as text: a string, or a plain YAML scalar other than null?
 * (docs/parity.md: "Scalars") */
bool node_is_text(const struct node *node);

/* ---- for the readers --------------------------------------------------------------------- */

struct builder;

/* What a reader found wrong with the syntax, and where. */
struct mistake {
    struct romsim_error error;
    size_t offset;
    size_t reached; /* how far the reader had come when it saw it */
};

/* What JSON's rules find wrong with a text that begins as JSON does and was read as YAML without
 * a mistake; NULL for all others. */
const struct mistake *document_json_mistake(const struct document *document);

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
struct node *builder_scalar(struct builder *builder, enum node_kind kind, const char *text,
                            size_t size, size_t offset);
struct node *builder_open(struct builder *builder, enum node_kind kind, size_t offset);
int builder_close(struct builder *builder);
int builder_alias(struct builder *builder, const struct node *target, size_t offset);

/* Refuses the text, for a reason that is more than syntax.  Returns -1. */
int builder_refuse(struct builder *builder, size_t offset, struct romsim_error *error);

/* How deep in lists and objects the reader stands, and whether a key is due. */
size_t builder_depth(const struct builder *builder);
bool builder_wants_key(const struct builder *builder);

/* The kind of a plain scalar by YAML's core schema. */
enum node_kind scalar_kind(const char *text, size_t size);

#endif
