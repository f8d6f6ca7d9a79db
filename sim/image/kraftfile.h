/* SPDX-License-Identifier: BSD-3-Clause */
/* kraftfile.h: what the reader of Kraftfiles is made of: from a file to a document
 * (kraftfile_load.c), from a document to the model (kraftfile.c). */
#ifndef ROMSIM_IMAGE_KRAFTFILE_H
#define ROMSIM_IMAGE_KRAFTFILE_H

#include <romsim/kraftfile.h>
#include <romsim/schema.h>
#include <romsim/vector.h>

DEFINE_VECTOR(pairs, struct romsim_env)

/* Frees the pairs and what they point to. */
void pairs_clear(struct pairs *pairs);

struct kraft_build {
    const struct romsim_document *document;
    struct romsim_diagnostics *diagnostics;
    struct romsim_kraftfile *kraftfile;
    unsigned spec; /* 1000 * major + minor: 7 is v0.7 */
    bool no_memory;
};

/* What other tools call a document's members; the words of its types and formats, in the order of
 * their enums, from 1 (kraftfile_shapes.c). */
extern const struct romsim_synonym kraft_synonyms[];
extern const char *const kraft_type_words[], *const kraft_format_words[];

/* Fills the model from the document's root, an object.  What is wrong goes to the diagnostics, a
 * want of memory to `no_memory`. */
void kraft_build_members(struct kraft_build *build, const struct romsim_node *root);

#endif
