/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * oci_growth.c: how much work the layers of an image may be.
 *
 * Each layer is bounded when it is decompressed (decompress.h), but an image may name hundreds of
 * them, and the same one hundreds of times, which costs it nothing.
 */
#include "sim/image/oci.h"

#include "sim/image/decompress.h"

#include <romsim/checked.h>
#include <romsim/text.h>

#include <errno.h>
#include <string.h>

static const uint64_t growth_floor = 2 * (uint64_t)DECOMPRESS_FLOOR;

static bool is_same(const struct oci_layer *a, const struct oci_layer *b)
{
    if (a->diff_id[0] && b->diff_id[0])
        return strcmp(a->diff_id, b->diff_id) == 0;
    if (a->path && b->path)
        return strcmp(a->path, b->path) == 0;
    return strcmp(a->descriptor.sha256, b->descriptor.sha256) == 0;
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
    uint64_t limit;

    if (is_repeated(image, index))
        growth->repeated += plain;
    else
        growth->packed += packed;
    growth->plain += plain;
    limit = max_u64(growth_floor, growth->packed * DECOMPRESS_RATIO);
    if (growth->plain <= limit && growth->repeated <= growth_floor)
        return 0;
    romsim_error_set(err, EFBIG, "the layers grow beyond %s when decompressed",
                     SIZE_TEXT(growth->repeated > growth_floor ? growth_floor : limit));
    return romsim_error_hint(err, "it is refused as a decompression bomb%s",
                             growth->repeated > growth_floor ? ": the same layer many times" : "");
}
