/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reads.c: what a trace says of ROMs, without the time.
 *
 * Theory of operation.  When the guest reads ahead, how its kernel merges requests, and in which
 * order two of them are answered is another matter in each run; which bytes of which files an app
 * asks for is not.  So of a trace remain: the devices, the union of the ranges that were read of
 * each device and of each thing in it, in the order in which each was first asked for (by the time
 * of the question, not of the answer), and what failed.  Superblock and inodes are left out: of
 * these the kernel reads whole blocks, with whatever else is in them.
 */
#include <romsim/case.h>

#include <romsim/checked.h>
#include <romsim/text.h>
#include <romsim/vector.h>

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

enum { FILES_SHOWN = 10000, DEVICES_MAX = 64, COALESCE = 1024, ITEMS_MAX = 200000 };

struct span {
    uint64_t start, end;
};
DEFINE_VECTOR(spans, struct span);

/* Something in a ROM that was read, or could not be. */
struct item {
    char *kind, *path, *error; /* owned; `error` NULL: it was read */
    struct spans spans;        /* of a file's bytes */
    size_t merged;             /* spans that were one list, sorted and apart, at the last look */
    uint64_t first, number;    /* when it was first asked for, and its place in the trace */
};
DEFINE_VECTOR(items, struct item);

struct rom {
    json_t *line; /* its device line */
    struct items items;
    json_t *index; /* of items, by kind, error and path */
    struct spans spans;
    size_t merged;
};
DEFINE_VECTOR(roms, struct rom);

struct romsim_reads {
    struct roms roms;
    json_t *faults; /* texts */
    const char *instance;
    uint64_t number;
    size_t item_count;
    bool is_full; /* there are ITEMS_MAX */
};

/* ---- spans -------------------------------------------------------------------------------- */

static int compare_spans(const void *a, const void *b)
{
    const struct span *left = a, *right = b;

    if (left->start != right->start)
        return left->start < right->start ? -1 : 1;
    return left->end < right->end ? -1 : left->end > right->end;
}

/* Sorted, and what touches is one. */
static void merge(struct spans *spans)
{
    size_t count = 0;

    if (spans->count)
        qsort(spans->items, spans->count, sizeof(*spans->items), compare_spans);
    for (size_t i = 0; i < spans->count; i++) {
        struct span *last = count ? &spans->items[count - 1] : NULL;

        if (last && spans->items[i].start <= last->end)
            last->end = max_u64(last->end, spans->items[i].end);
        else
            spans->items[count++] = spans->items[i];
    }
    spans->count = count;
}

/* A long trace says the same again and again: the list does not grow with it. */
static int add_span(struct spans *spans, size_t *merged, uint64_t start, uint64_t size)
{
    struct span span = {start, start};

    if (size == 0 || !checked_add(start, size, &span.end))
        return 0;
    if (spans_append(spans, span) < 0)
        return -1;
    if (spans->count >= COALESCE && spans->count > 2 * *merged) {
        merge(spans);
        *merged = spans->count;
    }
    return 0;
}

/* ---- lines -------------------------------------------------------------------------------- */

static const char *text_of(const json_t *line, const char *name)
{
    return json_string_value(json_object_get(line, name)) ?: "";
}

static uint64_t number_of(const json_t *line, const char *name)
{
    json_int_t value = json_integer_value(json_object_get(line, name));

    return value > 0 ? (uint64_t)value : 0;
}

static struct rom *find_rom(const struct romsim_reads *reads, const char *device)
{
    for (size_t i = 0; i < reads->roms.count; i++)
        if (strcmp(text_of(reads->roms.items[i].line, "device"), device) == 0)
            return &reads->roms.items[i];
    return NULL;
}

/* An instance that starts again says its devices again. */
static int take_device(struct romsim_reads *reads, const json_t *line)
{
    struct rom rom = {.line = NULL};

    if (find_rom(reads, text_of(line, "device")) || reads->roms.count >= DEVICES_MAX)
        return 0;
    rom.line = json_deep_copy(line);
    rom.index = json_object();
    json_object_del(rom.line, "instance");
    if (json_array_size(json_object_get(rom.line, "files")) > FILES_SHOWN)
        json_object_del(rom.line, "files");
    if (rom.line && rom.index && roms_append(&reads->roms, rom) == 0)
        return 0;
    json_decref(rom.line);
    json_decref(rom.index);
    return -1;
}

static char *key_of(const char *kind, const char *path, const char *error)
{
    char *key;

    return asprintf(&key, "%s %s %s", kind, error ?: "", path) < 0 ? NULL : key;
}

/* The item of that kind, path and error, a new one if need be; NULL without memory, or if there are
 * too many. */
static struct item *find_item(struct romsim_reads *reads, struct rom *rom, const char *kind,
                              const char *path, const char *error, uint64_t time)
{
    CLEANUP_FREE char *key = key_of(kind, path, error);
    const json_t *index = key ? json_object_get(rom->index, key) : NULL;
    struct item item = {.first = time, .number = reads->number};

    if (index) {
        struct item *found = &rom->items.items[json_integer_value(index)];

        found->first = min_u64(found->first, time);
        return found;
    }
    reads->is_full = reads->item_count >= ITEMS_MAX;
    if (!key || reads->is_full)
        return NULL;
    reads->item_count++;
    item.kind = strdup(kind);
    item.path = strdup(path);
    item.error = error ? strdup(error) : NULL;
    if (item.kind && item.path && (!error || item.error) &&
        json_object_set_new(rom->index, key, json_integer((json_int_t)rom->items.count)) == 0 &&
        items_append(&rom->items, item) == 0)
        return &rom->items.items[rom->items.count - 1];
    free(item.kind);
    free(item.path);
    free(item.error);
    return NULL;
}

static bool counts(const char *kind)
{
    return strcmp(kind, "file") == 0 || strcmp(kind, "directory") == 0 || strcmp(kind, "link") == 0;
}

/* A read that failed gave nothing of what it asked for; where it asked for nothing that is known,
 * it is told by its place. */
static int take_failure(struct romsim_reads *reads, struct rom *rom, const json_t *line,
                        uint64_t time)
{
    const char *error = text_of(line, "error");
    const json_t *piece;
    size_t i, named = 0;
    char place[32];

    json_array_foreach(json_object_get(line, "what"), i, piece)
    {
        if (!counts(text_of(piece, "is")))
            continue;
        named++;
        if (!find_item(reads, rom, text_of(piece, "is"), text_of(piece, "path"), error, time))
            return -1;
    }
    if (named)
        return 0;
    snprintf(place, sizeof(place), "%" PRIu64, number_of(line, "offset"));
    return find_item(reads, rom, "offset", place, error, time) ? 0 : -1;
}

static int take_read(struct romsim_reads *reads, const json_t *line)
{
    struct rom *rom = find_rom(reads, text_of(line, "device"));
    uint64_t time = number_of(line, "time_us");
    const json_t *piece;
    size_t i;

    if (!rom)
        return 0;
    if (json_object_get(line, "error"))
        return take_failure(reads, rom, line, time);
    json_array_foreach(json_object_get(line, "what"), i, piece)
    {
        const char *kind = text_of(piece, "is");
        struct item *item;

        if (!counts(kind))
            continue;
        item = find_item(reads, rom, kind, text_of(piece, "path"), NULL, time);
        if (!item || add_span(&item->spans, &item->merged, number_of(piece, "start"),
                              number_of(piece, "length")) < 0)
            return -1;
    }
    return add_span(&rom->spans, &rom->merged, number_of(line, "offset"), number_of(line, "size"));
}

static int take_line(struct romsim_reads *reads, const json_t *line)
{
    const char *kind = text_of(line, "kind");
    const json_t *instance = json_object_get(line, "instance"), *fault;
    size_t i;

    reads->number++;
    if (reads->instance && instance && strcmp(text_of(line, "instance"), reads->instance) != 0)
        return 0;
    if (strcmp(kind, "device") == 0)
        return take_device(reads, line);
    if (strcmp(kind, "read") == 0)
        return take_read(reads, line);
    if (strcmp(kind, "fault") != 0)
        return 0;
    json_array_foreach(reads->faults, i, fault)
    {
        if (strcmp(json_string_value(fault), text_of(line, "text")) == 0)
            return 0;
    }
    return json_array_append_new(reads->faults, json_string(text_of(line, "text")));
}

static int compare_items(const void *a, const void *b)
{
    const struct item *left = a, *right = b;

    if (left->first != right->first)
        return left->first < right->first ? -1 : 1;
    return left->number < right->number ? -1 : left->number > right->number;
}

static int finish(struct romsim_reads *reads)
{
    for (size_t i = 0; i < reads->roms.count; i++) {
        struct rom *rom = &reads->roms.items[i];

        merge(&rom->spans);
        for (size_t j = 0; j < rom->items.count; j++)
            merge(&rom->items.items[j].spans);
        if (rom->items.count)
            qsort(rom->items.items, rom->items.count, sizeof(*rom->items.items), compare_items);
        for (size_t j = 0; j < rom->items.count; j++) {
            const struct item *item = &rom->items.items[j];
            CLEANUP_FREE char *key = key_of(item->kind, item->path, item->error);

            if (!key || json_object_set_new(rom->index, key, json_integer((json_int_t)j)) < 0)
                return -1;
        }
    }
    return 0;
}

struct romsim_reads *romsim_reads_parse(const char *text, size_t size, size_t line_max,
                                        const char *instance, struct romsim_error *err)
{
    CLEANUP_READS struct romsim_reads *reads = calloc(1, sizeof(*reads));
    const char *end = text + size, *next;

    if (!reads || !(reads->faults = json_array())) {
        romsim_error_nomem(err);
        return NULL;
    }
    reads->instance = instance;
    for (; text < end && (next = memchr(text, '\n', (size_t)(end - text))); text = next + 1) {
        json_t *line;
        int status;

        if ((size_t)(next - text) > line_max) {
            romsim_error_set(err, EFBIG, "a line of a trace has more than %zu bytes", line_max);
            return NULL;
        }
        line = json_loadb(text, (size_t)(next - text), 0, NULL);
        status = line ? take_line(reads, line) : 0;
        json_decref(line);
        if (status < 0 && reads->is_full)
            romsim_error_set(err, EFBIG, "a trace of more than %d files", ITEMS_MAX);
        else if (status < 0)
            romsim_error_nomem(err);
        if (status < 0)
            return NULL;
    }
    if (finish(reads) < 0) {
        romsim_error_nomem(err);
        return NULL;
    }
    reads->instance = NULL;
    return STEAL_POINTER(&reads);
}

void romsim_reads_free(struct romsim_reads *reads)
{
    if (!reads)
        return;
    for (size_t i = 0; i < reads->roms.count; i++) {
        struct rom *rom = &reads->roms.items[i];

        for (size_t j = 0; j < rom->items.count; j++) {
            free(rom->items.items[j].kind);
            free(rom->items.items[j].path);
            free(rom->items.items[j].error);
            spans_reset(&rom->items.items[j].spans);
        }
        items_reset(&rom->items);
        spans_reset(&rom->spans);
        json_decref(rom->line);
        json_decref(rom->index);
    }
    roms_reset(&reads->roms);
    json_decref(reads->faults);
    free(reads);
}

/* ---- the normal form ---------------------------------------------------------------------- */

/* Takes the reference. */
static void put_line(struct romsim_buffer *ret, json_t *line)
{
    CLEANUP_FREE char *text = line ? json_dumps(line, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

    json_decref(line);
    if (!text) {
        ret->failed = ENOMEM;
        return;
    }
    romsim_buffer_puts(ret, text);
    romsim_buffer_puts(ret, "\n");
}

static void put_item(struct romsim_buffer *ret, const char *device, const struct item *item)
{
    json_t *what = json_array();

    for (size_t i = 0; i < item->spans.count; i++)
        json_array_append_new(
            what, json_pack("{s:s, s:s, s:I, s:I}", "is", item->kind, "path", item->path, "start",
                            (json_int_t)item->spans.items[i].start, "length",
                            (json_int_t)(item->spans.items[i].end - item->spans.items[i].start)));
    if (item->error)
        json_array_append_new(what, json_pack("{s:s, s:s}", "is", item->kind, "path", item->path));
    put_line(ret, json_pack("{s:s, s:s, s:s*, s:o}", "kind", "read", "device", device, "error",
                            item->error, "what", what));
}

void romsim_reads_write(const struct romsim_reads *reads, struct romsim_buffer *ret)
{
    const json_t *fault;
    size_t index;

    put_line(ret, json_pack("{s:s, s:i}", "kind", "trace", "version", 1));
    json_array_foreach(reads->faults, index, fault)
    {
        put_line(ret, json_pack("{s:s, s:O}", "kind", "fault", "text", fault));
    }
    for (size_t i = 0; i < reads->roms.count; i++)
        put_line(ret, json_incref(reads->roms.items[i].line));
    for (size_t i = 0; i < reads->roms.count; i++) {
        const struct rom *rom = &reads->roms.items[i];
        const char *device = text_of(rom->line, "device");

        for (size_t j = 0; j < rom->items.count; j++)
            put_item(ret, device, &rom->items.items[j]);
        for (size_t j = 0; j < rom->spans.count; j++)
            put_line(ret,
                     json_pack("{s:s, s:s, s:I, s:I, s:[]}", "kind", "read", "device", device,
                               "offset", (json_int_t)rom->spans.items[j].start, "size",
                               (json_int_t)(rom->spans.items[j].end - rom->spans.items[j].start),
                               "what"));
    }
}

/* ---- comparing ---------------------------------------------------------------------------- */

static const struct item *find_same(const struct rom *rom, const struct item *item)
{
    CLEANUP_FREE char *key = key_of(item->kind, item->path, item->error);
    const json_t *index = key ? json_object_get(rom->index, key) : NULL;

    return index ? &rom->items.items[json_integer_value(index)] : NULL;
}

static bool has_same_ranges(const struct item *a, const struct item *b)
{
    if (a->spans.count != b->spans.count)
        return false;
    return a->spans.count == 0 ||
           memcmp(a->spans.items, b->spans.items, a->spans.count * sizeof(*a->spans.items)) == 0;
}

/* "0-4095, 8192-12287 and 3 more" */
static void put_ranges(struct romsim_buffer *text, const struct item *item)
{
    enum { SHOWN = 4 };

    for (size_t i = 0; i < item->spans.count && i < SHOWN; i++)
        romsim_buffer_printf(text, "%s%" PRIu64 "-%" PRIu64, i ? ", " : "",
                             item->spans.items[i].start, item->spans.items[i].end - 1);
    if (item->spans.count > SHOWN)
        romsim_buffer_printf(text, " and %zu more", item->spans.count - SHOWN);
}

static char *describe(const struct rom *rom, const struct item *item, const struct item *other,
                      bool is_there)
{
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(64 << 10);
    const char *name = text_of(rom->line, "name"), *device = text_of(rom->line, "device");
    const char *what = strcmp(item->kind, "file") == 0 ? "" : item->kind;

    romsim_buffer_printf(&text, "ROM %s: %s%s%s ", QUOTE(*name ? name : device), what,
                         *what ? " " : "", QUOTE(item->path));
    if (other) {
        romsim_buffer_puts(&text, "was read at ");
        put_ranges(&text, item);
        romsim_buffer_puts(&text, " there, and at ");
        put_ranges(&text, other);
        romsim_buffer_puts(&text, " here");
    } else if (item->error) {
        romsim_buffer_printf(&text, "could not be read (%s) %s, and not so %s", QUOTE(item->error),
                             is_there ? "there" : "here", is_there ? "here" : "there");
    } else {
        romsim_buffer_printf(&text, "was read %s, and is not %s", is_there ? "there" : "here",
                             is_there ? "here" : "there");
    }
    return romsim_buffer_steal(&text);
}

/* What the one has and the other has not, in the order of the one. */
static char *find_difference(const struct rom *rom, const struct rom *other, bool ranges,
                             bool is_there)
{
    for (size_t i = 0; i < rom->items.count; i++) {
        const struct item *item = &rom->items.items[i], *same = find_same(other, item);

        if (!same)
            return describe(rom, item, NULL, is_there);
        if (ranges && !has_same_ranges(item, same))
            return describe(rom, item, same, is_there);
    }
    return NULL;
}

/* Who has a ROM that the other has not. */
static char *find_stranger(const struct romsim_reads *one, const struct romsim_reads *other,
                           bool is_there)
{
    for (size_t i = 0; i < one->roms.count; i++) {
        const char *device = text_of(one->roms.items[i].line, "device");
        char *text;

        if (find_rom(other, device))
            continue;
        return asprintf(&text, "the ROM %s is only %s", QUOTE(device),
                        is_there ? "there" : "here") < 0
                   ? NULL
                   : text;
    }
    return NULL;
}

char *romsim_reads_difference(const struct romsim_reads *there, const struct romsim_reads *here,
                              bool ranges)
{
    char *found = find_stranger(there, here, true) ?: find_stranger(here, there, false);

    for (size_t i = 0; !found && i < there->roms.count; i++) {
        const struct rom *rom = &there->roms.items[i];
        const struct rom *other = find_rom(here, text_of(rom->line, "device"));

        found =
            find_difference(rom, other, ranges, true) ?: find_difference(other, rom, false, false);
    }
    return found;
}
