/* SPDX-License-Identifier: BSD-3-Clause */
/* layer_error.c: the layer by which reads fail. */
#include "fault.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct error_layer {
    struct layer layer;
    const struct fault *fault;
    struct map *map;          /* for a path; or NULL */
    atomic_uint_fast64_t met; /* how many reads it was about */
};

static bool is_inside(uint64_t value, uint64_t start, uint64_t length)
{
    return value >= start && value - start < length;
}

/* Has this part of the device a part of the file? */
static bool has_path(const struct error_layer *layer, uint64_t offset, uint64_t size)
{
    const struct fault *fault = layer->fault;
    uint64_t end = offset + size;
    struct map_range range;

    for (; map_find(layer->map, offset, end, &range); offset = range.offset + range.size)
        if (range.kind == MAP_KIND_FILE &&
            strcmp(layer->map->files.items[range.file].path, fault->path) == 0 &&
            (!fault->has_offset || is_inside(fault->offset, range.start, range.length)))
            return true;
    return false;
}

static bool is_about(const struct error_layer *layer, uint64_t node, uint64_t offset, uint64_t size)
{
    const struct fault *fault = layer->fault;
    const struct map_file *file;
    uint64_t nid;

    if (!romsim_view_nid(layer->layer.view, node, &nid)) /* the device */
        return fault->path ? has_path(layer, offset, size)
                           : !fault->has_offset || is_inside(fault->offset, offset, size);
    if (!fault->path)
        return !fault->has_offset;
    file = map_file(layer->map, nid);
    return file && strcmp(file->path, fault->path) == 0 &&
           (!fault->has_offset || is_inside(fault->offset, offset, size));
}

static int error_read(struct layer *layer, uint64_t node, uint64_t offset, size_t size,
                      struct romsim_view_data *ret, struct romsim_error *err)
{
    struct error_layer *failing = (struct error_layer *)layer;
    const struct fault *fault = failing->fault;

    if (is_about(failing, node, offset, size)) {
        uint64_t met = atomic_fetch_add(&failing->met, 1);

        if (met >= fault->after && (!fault->count || met - fault->after < fault->count))
            return romsim_error_set(err, EIO, "--fault '%s'", fault->text);
    }
    return next_read(layer, node, offset, size, ret, err);
}

static void error_free(struct layer *layer)
{
    map_free(((struct error_layer *)layer)->map);
    free(layer);
}

static const struct layer_ops error_ops = {.name = "error", .read = error_read, .free = error_free};

struct layer *error_layer(const struct fault *fault, struct romsim_blob *image)
{
    struct error_layer *layer = calloc(1, sizeof(*layer));

    if (!layer)
        return NULL;
    layer->layer.ops = &error_ops;
    layer->fault = fault;
    layer->map = fault->path ? map_new(image, NULL) : NULL;
    if (!fault->path || layer->map)
        return &layer->layer;
    free(layer);
    return NULL;
}
