/* SPDX-License-Identifier: BSD-3-Clause */
/* kraftfile.h: what the reader of Kraftfiles is made of: from a file to a document
 * (kraftfile_load.c), from a document to the model (kraftfile.c). */
#ifndef ROMSIM_INSTANCE_KRAFTFILE_H
#define ROMSIM_INSTANCE_KRAFTFILE_H

#include "model.h"
#include "schema.h"

#include <romsim/kraftfile.h>
#include <romsim/vector.h>

DEFINE_VECTOR(pairs, struct romsim_env)

/* Frees the pairs and what they point to. */
void pairs_clear(struct pairs *pairs);

struct kraft_build {
    const struct document *document;
    struct romsim_diagnostics *diagnostics;
    struct romsim_kraftfile *kraftfile;
    unsigned spec; /* 1000 * major + minor: 7 is v0.7 */
    bool no_memory;
};

/* The shape of a document; the words of its types and formats, in the order of their enums, from 1
 * (kraftfile_shapes.c). */
extern const struct shape kraft_shape;
extern const char *const kraft_type_words[], *const kraft_format_words[];

/* Fills the model from the document's root, an object.  What is wrong goes to the diagnostics, a
 * want of memory to `no_memory`. */
void kraft_build_members(struct kraft_build *build, const struct node *root);

#endif
