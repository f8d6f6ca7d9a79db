/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * texts.h: the unit tests' texts for tests/cli/schema.sh, which has a validator compare them with
 * the JSON Schema that we print.
 *
 * With UNIT_TEXTS=FILE a test program appends to it, for each text that it parses, a line
 *
 *     {"schema": "instance", "fits": true, "value": ...}
 *
 * with what our own tables say of it.  What is no YAML or JSON is left out.
 */
#ifndef ROMSIM_TESTS_TEXTS_H
#define ROMSIM_TESTS_TEXTS_H

#include <romsim/document.h>
#include <romsim/instance.h>
#include <romsim/schema.h>

#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Whether a value of the document has the shape, without a word about it. */
static inline bool unit_text_fits(const struct romsim_document *document,
                                  const struct romsim_node *node, const struct romsim_shape *shape,
                                  bool is_forgiving)
{
    struct romsim_diagnostics diagnostics = {0};
    struct romsim_schema schema = {.document = document,
                                   .diagnostics = &diagnostics,
                                   .subject = "A text",
                                   .is_forgiving = is_forgiving};
    bool fits;

    romsim_schema_check(&schema, node, shape);
    fits = diagnostics.count == 0;
    free(romsim_buffer_steal(&schema.idle));
    romsim_diagnostics_clear(&diagnostics);
    return fits;
}

/* What a text is read as. */
struct unit_text_kind {
    const char *schema; /* as `romsim schema` takes it */
    const struct romsim_shape *shape;
    bool is_list, is_forgiving;
};

static const struct unit_text_kind unit_instance = {"instance", &romsim_instance_file_shape, true,
                                                    false};
static const struct unit_text_kind unit_request = {"request", &romsim_instance_shape, true, false};

static inline void unit_text_root(FILE *out, const struct romsim_document *document,
                                  const struct romsim_node *node, const struct unit_text_kind *kind)
{
    bool is_list = kind->is_list && node->kind == ROMSIM_NODE_LIST && node->count > 0;
    bool fits = is_list || unit_text_fits(document, node, kind->shape, kind->is_forgiving);
    json_t *line;
    char *text;

    for (size_t i = 0; is_list && i < node->count; i++)
        fits = fits && unit_text_fits(document, node->items[i].value, kind->shape, false);
    line = json_pack("{s:s, s:b, s:o}", "schema", kind->schema, "fits", fits, "value",
                     romsim_schema_json(node, NULL));
    text = json_dumps(line, JSON_COMPACT);
    if (text)
        fprintf(out, "%s\n", text);
    free(text);
    json_decref(line);
}

/* Reads the text: an instance as JSON if it is that.  Nothing is kept of one that cannot be read.
 */
static inline void unit_text(const struct unit_text_kind *kind, const char *text, size_t size)
{
    const char *path = getenv("UNIT_TEXTS");
    bool is_json = kind->is_list;
    FILE *out = path && text ? fopen(path, "ae") : NULL;

    while (out) {
        struct romsim_diagnostics diagnostics = {0};
        struct romsim_document *document = romsim_document_new("x", text, size);
        bool is_read;

        if (is_json)
            romsim_document_demand_json(document);
        romsim_document_read(document, &diagnostics);
        is_read = diagnostics.errors == 0;
        romsim_diagnostics_clear(&diagnostics);
        for (size_t i = 0; is_read && i < romsim_document_root_count(document); i++)
            if (romsim_document_root(document, i)->kind != ROMSIM_NODE_NULL)
                unit_text_root(out, document, romsim_document_root(document, i),
                               is_json ? &unit_request : kind);
        romsim_document_free(document);
        if (is_read || !is_json)
            break;
        is_json = false; /* then as YAML */
    }
    if (out)
        fclose(out);
}

#endif
