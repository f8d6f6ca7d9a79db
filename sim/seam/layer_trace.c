/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * layer_trace.c: the layer that writes down what is asked of a device, and what came of it.
 *
 * It is the uppermost of its chain, so that it sees what who asks sees.
 */
#include "trace.h"

#include <romsim/buffer.h>
#include <romsim/clock.h>
#include <romsim/erofs.h>
#include <romsim/text.h>

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

enum {
    TEXT_MAX = 3000,
    RANGES_MAX = 10000,
    SHOWN = 4 /* of what a read has, in the text */
};

struct trace_layer {
    struct layer layer;
    const struct trace *trace;
    char *device; /* "ukp_rom1"; owned */
    char *name;   /* for people: "ukp_rom_config"; owned */
    struct map *map;
};

/* What passed: filled by the operation, written when it is over. */
struct event {
    uint64_t start, end;
    const struct romsim_error *err; /* NULL: it went well */
};

static json_t *new_line(const struct trace_layer *tracer, const struct event *event,
                        const char *kind)
{
    json_t *line = json_pack("{s:s, s:I, s:I, s:s}", "kind", kind, "time_us",
                             (json_int_t)(event->start - tracer->trace->start), "took_us",
                             (json_int_t)(event->end - event->start), "device", tracer->device);
    const char *error = event->err ? strerrorname_np(event->err->errnum) : NULL;

    if (line && event->err)
        json_object_set_new(line, "error", json_string(error ? error : "EIO"));
    return line;
}

/* "ukp_rom_config  4096 at 8192: superblock, /a 0-4095 -> EIO" */
static void write_text(const struct trace_layer *tracer, const struct event *event,
                       const char *text)
{
    CLEANUP_BUFFER struct romsim_buffer line = ROMSIM_BUFFER_INIT(TEXT_MAX);
    const char *error = event->err ? strerrorname_np(event->err->errnum) : NULL;

    if (tracer->trace->to.text < 0)
        return;
    romsim_buffer_printf(&line, "%s %s", tracer->name, text);
    if (event->err)
        romsim_buffer_printf(&line, " -> %s", error ? error : "an error");
    if (line.data)
        trace_text(tracer->trace, event->start - tracer->trace->start, line.data);
}

/* ---- the device's bytes ------------------------------------------------------------------- */

/* Inodes that stand in a row are one. */
static bool goes_on(const struct map_range *range, const struct map_range *next)
{
    return range->kind == MAP_KIND_INODE && next->kind == MAP_KIND_INODE;
}

static json_t *piece_json(const struct trace_layer *tracer, const struct map_range *range,
                          uint64_t count)
{
    json_t *piece = json_pack("{s:s}", "is", map_kind_name(range->kind));

    if (range->kind == MAP_KIND_SUPERBLOCK)
        return piece;
    json_object_set_new(piece, "path", trace_string(tracer->map->files.items[range->file].path));
    if (range->kind == MAP_KIND_INODE) {
        json_object_set_new(piece, "count", json_integer((json_int_t)count));
    } else {
        json_object_set_new(piece, "start", json_integer((json_int_t)range->start));
        json_object_set_new(piece, "length", json_integer((json_int_t)range->length));
    }
    return piece;
}

static void piece_text(const struct trace_layer *tracer, const struct map_range *range,
                       uint64_t count, struct romsim_buffer *text)
{
    const char *path =
        range->kind == MAP_KIND_SUPERBLOCK ? "" : tracer->map->files.items[range->file].path;

    if (range->kind == MAP_KIND_SUPERBLOCK)
        romsim_buffer_puts(text, "superblock");
    else if (range->kind == MAP_KIND_INODE && count == 1)
        romsim_buffer_printf(text, "inode of %s", QUOTE(path));
    else if (range->kind == MAP_KIND_INODE)
        romsim_buffer_printf(text, "inodes of %s and %" PRIu64 " more", QUOTE(path), count - 1);
    else if (range->kind == MAP_KIND_FILE)
        romsim_buffer_printf(text, "%s %" PRIu64 "-%" PRIu64, QUOTE(path), range->start,
                             range->start + range->length - 1);
    else
        romsim_buffer_printf(text, "%s %s", map_kind_name(range->kind), QUOTE(path));
}

/* What a range of the device has, as JSON in `ret` and as text. */
static void describe(const struct trace_layer *tracer, uint64_t offset, uint64_t size, json_t *ret,
                     struct romsim_buffer *text)
{
    uint64_t end = offset + size, pieces = 0;
    struct map_range range, next;
    int found = map_find(tracer->map, offset, end, &range);

    while (found) {
        uint64_t count = 1;

        for (found = map_find(tracer->map, range.offset + range.size, end, &next);
             found && goes_on(&range, &next);
             found = map_find(tracer->map, range.offset + range.size, end, &next)) {
            count += next.file != range.file;
            range.size = next.offset + next.size - range.offset;
        }
        json_array_append_new(ret, piece_json(tracer, &range, count));
        if (pieces < SHOWN) {
            romsim_buffer_puts(text, pieces ? ", " : ": ");
            piece_text(tracer, &range, count, text);
        }
        pieces++;
        range = next;
    }
    if (pieces > SHOWN)
        romsim_buffer_printf(text, " and %" PRIu64 " more", pieces - SHOWN);
}

static void note_device(const struct trace_layer *tracer, const struct event *event,
                        uint64_t offset, uint64_t size)
{
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(TEXT_MAX);
    json_t *line = new_line(tracer, event, "read"), *what = json_array();

    romsim_buffer_printf(&text, "%" PRIu64 " at %" PRIu64, size, offset);
    describe(tracer, offset, size, what, &text);
    json_object_set_new(line, "offset", json_integer((json_int_t)offset));
    json_object_set_new(line, "size", json_integer((json_int_t)size));
    json_object_set_new(line, "what", what);
    if (text.data)
        write_text(tracer, event, text.data);
    trace_json(tracer->trace, line);
}

/* ---- the mounted tree --------------------------------------------------------------------- */

static const char *path_of(const struct trace_layer *tracer, uint64_t node)
{
    const struct map_file *file = NULL;
    uint64_t nid;

    if (romsim_view_nid(tracer->layer.view, node, &nid))
        file = map_file(tracer->map, nid);
    return file ? file->path : "?";
}

static void note_file(const struct trace_layer *tracer, const struct event *event, uint64_t node,
                      uint64_t offset, uint64_t size)
{
    const char *path = path_of(tracer, node);
    json_t *line = new_line(tracer, event, "file");
    char text[TEXT_MAX];

    snprintf(text, sizeof(text), "%s %" PRIu64 "-%" PRIu64, QUOTE(path), offset,
             size ? offset + size - 1 : offset);
    json_object_set_new(line, "path", trace_string(path));
    json_object_set_new(line, "offset", json_integer((json_int_t)offset));
    json_object_set_new(line, "size", json_integer((json_int_t)size));
    write_text(tracer, event, text);
    trace_json(tracer->trace, line);
}

static void note_lookup(const struct trace_layer *tracer, const struct event *event,
                        uint64_t directory, const char *name, bool found)
{
    const char *above = path_of(tracer, directory);
    json_t *line = new_line(tracer, event, "lookup");
    CLEANUP_FREE char *path = NULL;
    char text[TEXT_MAX];

    if (asprintf(&path, "%s/%s", strcmp(above, "/") == 0 ? "" : above, name) < 0)
        path = NULL;
    snprintf(text, sizeof(text), "lookup %s%s", QUOTE(path ? path : name),
             found || event->err ? "" : ": there is none");
    json_object_set_new(line, "path", trace_string(path ? path : name));
    json_object_set_new(line, "found", json_boolean(found));
    write_text(tracer, event, text);
    trace_json(tracer->trace, line);
}

/* ---- the layer ---------------------------------------------------------------------------- */

static int trace_lookup(struct layer *layer, uint64_t directory, const char *name,
                        uint64_t *ret_node, struct romsim_error *err)
{
    struct trace_layer *tracer = (struct trace_layer *)layer;
    struct romsim_error error = {0};
    struct event event;
    int found;

    event.start = romsim_clock_us();
    found = next_lookup(layer, directory, name, ret_node, &error);
    event.end = romsim_clock_us();
    event.err = found < 0 ? &error : NULL;
    note_lookup(tracer, &event, directory, name, found == 1);
    if (found < 0 && err)
        *err = error;
    return found;
}

static int trace_read(struct layer *layer, uint64_t node, uint64_t offset, size_t size,
                      struct romsim_view_data *ret, struct romsim_error *err)
{
    struct trace_layer *tracer = (struct trace_layer *)layer;
    struct romsim_error error = {0};
    struct event event;
    uint64_t nid;
    int status;

    event.start = romsim_clock_us();
    status = next_read(layer, node, offset, size, ret, &error);
    event.end = romsim_clock_us();
    event.err = status < 0 ? &error : NULL;
    if (status == 0)
        size = ret->size;
    if (size == 0) /* a read at the end says nothing */
        return 0;
    if (romsim_view_nid(layer->view, node, &nid))
        note_file(tracer, &event, node, offset, size);
    else
        note_device(tracer, &event, offset, size);
    if (status < 0 && err)
        *err = error;
    return status;
}

static void trace_free(struct layer *layer)
{
    struct trace_layer *tracer = (struct trace_layer *)layer;

    map_free(tracer->map);
    free(tracer->device);
    free(tracer->name);
    free(tracer);
}

static const struct layer_ops trace_ops = {
    .name = "trace", .lookup = trace_lookup, .read = trace_read, .free = trace_free};

/* The size that an image of EROFS says it has, if its device ends before; else 0. */
static uint64_t cut_size(struct romsim_blob *image)
{
    struct romsim_erofs_super super;
    uint64_t size;

    if (romsim_erofs_peek(image, &super, NULL) < 0 || super.block_bits >= 32 ||
        __builtin_mul_overflow(super.blocks, UINT64_C(1) << super.block_bits, &size))
        return 0;
    return size > romsim_blob_size(image) ? size : 0;
}

/* Where the image has what, for who draws it: [offset, size, place among the files or -1 for what
 * describes them], in order; neighbours of one file are one.  Of very many the first ones. */
static json_t *ranges_json(const struct map *map, const size_t *places)
{
    json_t *list = json_array();
    int64_t place = -1;
    uint64_t start = 0, end = 0;

    for (size_t i = 0; i <= map->ranges.count && json_array_size(list) < RANGES_MAX; i++) {
        const struct map_range *range = i < map->ranges.count ? &map->ranges.items[i] : NULL;
        int64_t next = range && range->kind == MAP_KIND_FILE ? (int64_t)places[range->file] : -1;

        if (range && end > start && next == place && range->offset == end) {
            end += range->size;
            continue;
        }
        if (end > start)
            json_array_append_new(list, json_pack("[I, I, I]", (json_int_t)start,
                                                  (json_int_t)(end - start), (json_int_t)place));
        if (range) {
            place = next;
            start = range->offset;
            end = start + range->size;
        }
    }
    return list;
}

/* The device's own line. */
static void note_itself(const struct trace_layer *tracer, const struct romsim_device *device,
                        const char *at)
{
    uint64_t image_size = cut_size(device->blob);
    CLEANUP_FREE size_t *places = calloc(tracer->map->files.count + 1, sizeof(*places));
    json_t *files = json_array(), *line;

    for (size_t i = 0; i < tracer->map->files.count; i++) {
        const struct map_file *file = &tracer->map->files.items[i];

        if (places)
            places[i] = json_array_size(files);
        if (S_ISREG(file->mode))
            json_array_append_new(files, json_pack("{s:o, s:I}", "path", trace_string(file->path),
                                                   "size", (json_int_t)file->size));
    }
    line = json_pack("{s:s, s:s, s:s, s:s?, s:I, s:o}", "kind", "device", "device",
                     device->indexed_name, "name", device->named_name, "at", at, "size",
                     (json_int_t)romsim_blob_size(device->blob), "files", files);
    if (places)
        json_object_set_new(line, "map", ranges_json(tracer->map, places));
    if (image_size)
        json_object_set_new(line, "image_size", json_integer((json_int_t)image_size));
    trace_json(tracer->trace, line);
}

struct layer *trace_layer(struct trace *trace, const struct romsim_device *device, const char *at,
                          struct romsim_error *err)
{
    struct trace_layer *tracer = calloc(1, sizeof(*tracer));

    if (!tracer) {
        romsim_error_nomem(err);
        return NULL;
    }
    tracer->layer.ops = &trace_ops;
    tracer->trace = trace;
    tracer->device = strdup(device->indexed_name);
    tracer->name = strdup(*device->named_name ? device->named_name : device->indexed_name);
    tracer->map = map_new(device->blob, err);
    if (tracer->map && tracer->device && tracer->name) {
        note_itself(tracer, device, at);
        return &tracer->layer;
    }
    if (tracer->map)
        romsim_error_nomem(err);
    trace_free(&tracer->layer);
    return NULL;
}
