/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * document.h: a text as a tree of nodes with places, whether it was YAML or JSON.
 *
 * Two readers feed one builder, and the builder keeps the promises on hostile input: depth, number
 * of nodes after the expansion of aliases, no key twice in an object.  An alias is not expanded but
 * shares the node of its anchor, so an alias bomb costs nothing; its weight is counted as if it
 * were expanded, because whoever walks the tree walks all of it.
 *
 * What a tree must look like is said with tables and checked by schema.h.
 *
 * Nodes and their strings live as long as their document.  Several threads may look at a document
 * that has been read; nothing else is thread-safe.
 */
#ifndef ROMSIM_DOCUMENT_H
#define ROMSIM_DOCUMENT_H

#include <romsim/cleanup.h>
#include <romsim/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ROMSIM_DOCUMENT_DEPTH_MAX = 64 }; /* of lists and objects in each other: readers recur */

enum romsim_node_kind {
    ROMSIM_NODE_NULL,
    ROMSIM_NODE_BOOLEAN,
    ROMSIM_NODE_NUMBER,
    ROMSIM_NODE_STRING,
    ROMSIM_NODE_LIST,
    ROMSIM_NODE_OBJECT,
};

struct romsim_item {
    const struct romsim_node *key; /* NULL in a list; else a scalar */
    const struct romsim_node *value;
};

struct romsim_node {
    enum romsim_node_kind kind;
    bool plain;       /* a YAML scalar without quotes: its text is what the user meant */
    bool block;       /* a YAML scalar over several lines, by '|' or '>' */
    bool open;        /* still being read: an alias to it would be a loop */
    uint16_t height;  /* levels of lists and objects, with itself; 0 for a scalar */
    uint32_t weight;  /* nodes in it, with itself, aliases expanded */
    uint32_t offset;  /* where it begins in the text, bytes */
    const char *text; /* of a scalar, NUL-terminated, as written (a number is not converted) */
    size_t size;      /* of the text; a string may hold NULs */
    const struct romsim_item *items;
    size_t count;
};

struct romsim_document;

/* A document over `size` bytes of text (fewer than 4 GiB), which must outlive it, as must `name`,
 * which stands for the text in messages.  NULL without memory. */
struct romsim_document *romsim_document_new(const char *name, const char *text, size_t size);
void romsim_document_free(struct romsim_document *document);

DEFINE_CLEANUP(struct romsim_document, romsim_document_free)
#define CLEANUP_DOCUMENT CLEANUP(cleanup_romsim_document_free)

/* From now on only JSON will do, as for the body of a request.  To be called before
 * romsim_document_read(). */
void romsim_document_demand_json(struct romsim_document *document);

/* From now on the last of several members of one name counts, and a warning names it; without
 * this they are errors.  To be called before romsim_document_read(). */
void romsim_document_let_last_win(struct romsim_document *document);

/*
 * Reads the text: by JSON's rules if its first character is { or [ and it is valid JSON, else by
 * YAML's.  What is wrong goes to `diagnostics`.  The roots that were complete before a mistake of
 * syntax can be looked at all the same, so that the errors in them are reported as well.
 */
void romsim_document_read(struct romsim_document *document, struct romsim_diagnostics *diagnostics);

/* The values of the text: one in JSON, one for each document in YAML. */
size_t romsim_document_root_count(const struct romsim_document *document);
const struct romsim_node *romsim_document_root(const struct romsim_document *document,
                                               size_t index);

/* What JSON's rules find wrong with a text that begins as JSON does and was read as YAML without a
 * mistake, and where; NULL for all others. */
const struct romsim_error *romsim_document_json_mistake(const struct romsim_document *document,
                                                        size_t *ret_offset);

/* Fills *ret with the place of a byte of the text. */
void romsim_document_place(const struct romsim_document *document, size_t offset,
                           struct romsim_place *ret);

/* Adds *error, with the place of a byte of the text, to the diagnostics; as a warning. */
void romsim_document_complain(const struct romsim_document *document, size_t offset,
                              struct romsim_error *error, struct romsim_diagnostics *diagnostics);
void romsim_document_warn(const struct romsim_document *document, size_t offset,
                          struct romsim_error *warning, struct romsim_diagnostics *diagnostics);

/* The value of a member of an object, NULL if it is absent (or the node NULL, or no object). */
const struct romsim_node *romsim_node_member(const struct romsim_node *node, const char *name);

/* The same, and NULL for a null as well: what is explicitly nothing is absent. */
const struct romsim_node *romsim_node_present(const struct romsim_node *node, const char *name);

/* "a list", "an object", "a string", ... for messages. */
const char *romsim_node_kind_name(const struct romsim_node *node);

/* Is this scalar usable as text: a string, or a plain YAML scalar other than null?
 * (docs/parity.md: "Scalars") */
bool romsim_node_is_text(const struct romsim_node *node);

/* The text of such a scalar, if there is no NUL in it; else, and of NULL, NULL. */
const char *romsim_node_text(const struct romsim_node *node);

bool romsim_node_is_true(const struct romsim_node *node);

/* A whole number.  Returns 1, 0 if it is none, -1 if it is one that does not fit into 64 bits;
 * *ret_negative tells the sign, *ret_magnitude the rest. */
int romsim_node_integer(const struct romsim_node *node, bool *ret_negative,
                        uint64_t *ret_magnitude);

#endif
