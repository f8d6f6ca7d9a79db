/* SPDX-License-Identifier: BSD-3-Clause */
/* document_private.h: what document.c and place.c share, and nobody else sees. */
#ifndef ROMSIM_INSTANCE_DOCUMENT_PRIVATE_H
#define ROMSIM_INSTANCE_DOCUMENT_PRIVATE_H

#include "document.h"

struct chunk {
    struct chunk *next;
    size_t used, capacity;
    _Alignas(16) char bytes[];
};

struct document {
    const char *name;
    const char *text;
    size_t size;
    bool last_wins; /* of members with one name */
    bool is_flow_yaml;
    struct mistake json_mistake; /* of flow YAML */
    const struct node **roots;
    size_t root_count, root_capacity;
    struct chunk *chunks;
    uint32_t *lines; /* the offset of each line's first byte */
    size_t line_count, line_capacity;
    uint32_t *characters; /* characters before each PLACE_STEP bytes of text */
};

/* Prepares document_place().  Returns 0, or -1 without memory. */
int document_index_lines(struct document *document);

#endif
