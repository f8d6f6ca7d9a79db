/* SPDX-License-Identifier: BSD-3-Clause */
/* trace_sum.c: adding up the lines of a trace. */
#include "trace_sum.h"

#include <errno.h>
#include <string.h>

static uint64_t number(const json_t *line, const char *name)
{
    json_int_t value = json_integer_value(json_object_get(line, name));

    return value > 0 ? (uint64_t)value : 0;
}

static const char *text(const json_t *line, const char *name)
{
    return json_string_value(json_object_get(line, name)) ?: "";
}

/* The ROM that a line is about, or NULL. */
static struct trace_rom *find(struct trace_roms *roms, const json_t *line)
{
    for (size_t i = 0; i < roms->count; i++)
        if (strcmp(text(roms->items[i].line, "device"), text(line, "device")) == 0 &&
            strcmp(text(roms->items[i].line, "instance"), text(line, "instance")) == 0)
            return &roms->items[i];
    return NULL;
}

static void clear(struct trace_rom *rom)
{
    json_decref(rom->line);
    json_decref(rom->read);
    json_decref(rom->missing);
    json_decref(rom->opened);
    json_decref(rom->failed);
    json_decref(rom->faults);
    free(rom->longest_of);
    trace_spans_reset(&rom->spans);
}

/* An instance that starts again says its devices again. */
static int add_device(struct trace_roms *roms, const json_t *line, struct romsim_error *err)
{
    struct trace_rom rom = {.read = json_object(),
                            .missing = json_object(),
                            .opened = json_object(),
                            .failed = json_object(),
                            .faults = json_array()};
    struct trace_rom *known = find(roms, line);

    if (known)
        return 0;
    rom.line = json_deep_copy(line);
    if (rom.line && rom.read && rom.missing && rom.opened && rom.failed && rom.faults &&
        trace_roms_append(roms, rom) == 0)
        return 0;
    clear(&rom);
    return romsim_error_nomem(err);
}

static void count(json_t *counts, const char *path)
{
    json_int_t before = json_integer_value(json_object_get(counts, path));

    json_object_set_new(counts, path, json_integer(before + 1));
}

/* What a line is about: a path of it, or the device's superblock. */
static const char *subject(const json_t *line)
{
    const json_t *what = json_object_get(line, "what"), *piece;
    size_t i;

    if (*text(line, "path"))
        return text(line, "path");
    json_array_foreach(what, i, piece)
    {
        if (strcmp(text(piece, "is"), "file") == 0)
            return text(piece, "path");
    }
    piece = json_array_get(what, 0);
    return *text(piece, "path") ? text(piece, "path") : piece ? text(piece, "is") : "the device";
}

static void add_wait(struct trace_rom *rom, const json_t *line)
{
    uint64_t took = number(line, "took_us");

    rom->waited_us += took;
    if (took <= rom->longest_us)
        return;
    rom->longest_us = took;
    free(rom->longest_of);
    rom->longest_of = strdup(subject(line));
}

static int add_read(struct trace_rom *rom, const json_t *line, struct romsim_error *err)
{
    uint64_t offset = number(line, "offset"), size = number(line, "size");
    const json_t *piece;
    size_t i;

    json_array_foreach(json_object_get(line, "what"), i, piece)
    {
        if (strcmp(text(piece, "is"), "file") == 0)
            count(rom->read, text(piece, "path"));
    }
    rom->reads++;
    rom->bytes += size;
    if (trace_spans_append(&rom->spans, (struct trace_span){offset, offset + size}) < 0)
        return romsim_error_nomem(err);
    return 0;
}

int trace_sum_add(struct trace_roms *roms, const json_t *line, struct romsim_error *err)
{
    const char *kind = text(line, "kind");
    struct trace_rom *rom = find(roms, line);

    if (strcmp(kind, "device") == 0)
        return add_device(roms, line, err);
    if (!rom)
        return 0;
    if (strcmp(kind, "open") == 0) {
        const char *error = text(line, "error");

        count(!*error                        ? rom->opened
              : strcmp(error, "ENOENT") == 0 ? rom->missing
                                             : rom->failed,
              text(line, "path"));
        return 0;
    }
    add_wait(rom, line);
    if (strcmp(kind, "fault") == 0) {
        json_array_append(rom->faults, json_object_get(line, "text"));
        return 0;
    }
    if (json_object_get(line, "error")) {
        rom->failures++;
        count(rom->failed, subject(line));
        return 0;
    }
    if (strcmp(kind, "read") == 0)
        return add_read(rom, line, err);
    if (strcmp(kind, "file") == 0) {
        count(rom->read, text(line, "path"));
        rom->file_reads++;
        rom->file_bytes += number(line, "size");
    } else if (strcmp(kind, "lookup") == 0 && json_is_false(json_object_get(line, "found"))) {
        count(rom->missing, text(line, "path"));
    }
    return 0;
}

static int compare_spans(const void *a, const void *b)
{
    const struct trace_span *left = a, *right = b;

    return left->start < right->start ? -1 : left->start > right->start;
}

void trace_sum_finish(struct trace_roms *roms)
{
    for (size_t i = 0; i < roms->count; i++) {
        struct trace_rom *rom = &roms->items[i];
        uint64_t end = 0;

        if (rom->spans.count)
            qsort(rom->spans.items, rom->spans.count, sizeof(*rom->spans.items), compare_spans);
        for (size_t j = 0; j < rom->spans.count; j++) {
            const struct trace_span *span = &rom->spans.items[j];
            uint64_t start = span->start > end ? span->start : end;

            if (span->end > start)
                rom->distinct += span->end - start;
            end = span->end > end ? span->end : end;
        }
    }
}

void trace_sum_clear(struct trace_roms *roms)
{
    for (size_t i = 0; i < roms->count; i++)
        clear(&roms->items[i]);
    trace_roms_reset(roms);
}
