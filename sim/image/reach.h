/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reach.h: what a manifest leads to: the manifests of an index, their configs and layers.
 *
 * Walked without recursion, and each blob once, however often it is named.  A subject (what a
 * signature is about) is nothing that its manifest needs.
 */
#ifndef ROMSIM_IMAGE_REACH_H
#define ROMSIM_IMAGE_REACH_H

#include "sim/image/oci.h"

#include <romsim/vector.h>

DEFINE_VECTOR(descriptors, struct oci_descriptor)

/* Told of each blob that is reached, once as a manifest and once as a plain blob at most.  Returns
 * 0, or -1 to end the walk. */
typedef int reach_found(void *context, const struct oci_descriptor *descriptor, bool is_manifest,
                        struct romsim_error *err);

/* Zero-initialised but for `found` (or NULL) and its context it is empty and ready. */
struct reach {
    void *blobs, *manifests; /* tsearch() trees of digests */
    size_t count;
    struct descriptors todo; /* manifests still to be read */
    reach_found *found;
    void *context;
};

void reach_release(struct reach *reach);
#define CLEANUP_REACH CLEANUP(reach_release)

/* Adds a manifest, or what the text of an index or a manifest names. */
int reach_add(struct reach *reach, const struct oci_descriptor *manifest, struct romsim_error *err);
int reach_add_content(struct reach *reach, const json_t *json, struct romsim_error *err);

/* Reads all that has been added and not been read, from `source`. */
int reach_walk(struct reach *reach, struct oci_source *source, struct romsim_error *err);

/* Has it been reached, in whatever way? */
bool reach_has(const struct reach *reach, const char *digest);

#endif
