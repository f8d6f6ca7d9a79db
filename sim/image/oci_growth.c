/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * oci_growth.c: how much work the layers of an image may be.
 *
 * Each layer is bounded when it is decompressed (decompress.h), but an image may name hundreds of
 * them, and the same one hundreds of times, which costs it nothing.
 */
#include "sim/image/oci.h"

#include <romsim/bounds.h>
#include <romsim/checked.h>
#include <romsim/text.h>

#include <errno.h>
#include <string.h>

static bool is_same(const struct oci_layer *a, const struct oci_layer *b)
{
    if (a->diff_id[0] && b->diff_id[0])
        return strcmp(a->diff_id, b->diff_id) == 0;
    if (a->path && b->path)
        return strcmp(a->path, b->path) == 0;
    return strcmp(a->descriptor.digest, b->descriptor.digest) == 0;
}

static bool is_repeated(const struct oci_image *image, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (is_same(&image->layers[i], &image->layers[index]))
            return true;
    return false;
}

int oci_growth_count(struct oci_growth *growth, struct oci_source *source,
                     const struct oci_image *image, size_t index, uint64_t plain,
                     struct romsim_error *err)
{
    const struct oci_layer *layer = &image->layers[index];
    uint64_t packed = layer->path ? oci_source_size(source, layer->path) : layer->descriptor.size;
    uint64_t floor, limit;

    if (!checked_multiply(romsim_bound(ROMSIM_BOUND_UNPACK_BYTES), 2, &floor))
        floor = UINT64_MAX;
    if (is_repeated(image, index))
        growth->repeated += plain;
    else
        growth->packed += packed;
    growth->plain += plain;
    limit = max_u64(floor, growth->packed * ROMSIM_BOUND_RATIO);
    if (growth->plain <= limit && growth->repeated <= floor)
        return 0;
    return romsim_bound_refuse(err, ROMSIM_BOUND_UNPACK_BYTES,
                               "the layers%s grow beyond %s when decompressed",
                               growth->repeated > floor ? ", the same one many times," : "",
                               SIZE_TEXT(growth->repeated > floor ? floor : limit));
}
