/* SPDX-License-Identifier: BSD-3-Clause */
/* trace.c: what the bytes of an image are, and what a trace says of reads. */
#include "seamed.h"

#include "sim/seam/trace.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- the map ------------------------------------------------------------------------------ */

START_TEST(a_map_knows_what_each_part_of_an_image_is)
{
    CLEANUP_BLOB struct romsim_blob *image = seamed_image("config");
    struct map *map = map_new(image, NULL);
    uint64_t offset = 0, size = romsim_blob_size(image), of_big = 0;
    struct map_range range;
    unsigned kinds[MAP_KIND_FILE + 1] = {0};

    ck_assert_ptr_nonnull(map);
    while (map_find(map, offset, size, &range)) {
        ck_assert_uint_ge(range.offset, offset);
        ck_assert_uint_gt(range.size, 0);
        kinds[range.kind]++;
        if (range.kind == MAP_KIND_FILE &&
            strcmp(map->files.items[range.file].path, "/folder/big") == 0)
            of_big += range.length;
        offset = range.offset + range.size;
    }
    ck_assert_uint_eq(kinds[MAP_KIND_SUPERBLOCK], 1);
    ck_assert_uint_eq(kinds[MAP_KIND_INODE], 4); /* "/", "config", "folder", "big" */
    ck_assert_uint_eq(kinds[MAP_KIND_DIRECTORY], 2);
    ck_assert_uint_eq(kinds[MAP_KIND_FILE], 2);
    ck_assert_uint_eq(of_big, SEAMED_BIG);
    map_free(map);
}
END_TEST

START_TEST(a_range_is_cut_to_what_was_asked_for)
{
    CLEANUP_BLOB struct romsim_blob *image = seamed_image("config");
    struct map *map = map_new(image, NULL);
    struct map_range whole = {0}, part;
    uint64_t offset = 0;

    while (map_find(map, offset, romsim_blob_size(image), &whole) && whole.length != SEAMED_BIG)
        offset = whole.offset + whole.size;
    ck_assert_uint_eq(whole.length, SEAMED_BIG);
    ck_assert_int_eq(map_find(map, whole.offset + 100, whole.offset + 200, &part), 1);
    ck_assert_uint_eq(part.offset, whole.offset + 100);
    ck_assert_uint_eq(part.size, 100);
    ck_assert_uint_eq(part.start, 100);
    ck_assert_uint_eq(part.length, 100);
    /* Nothing is left of it at the end of the range, in the middle of the file. */
    ck_assert_int_eq(map_find(map, whole.offset + 200, whole.offset + 200, &part), 0);
    map_free(map);
}
END_TEST

START_TEST(what_is_no_image_has_an_empty_map)
{
    CLEANUP_BLOB struct romsim_blob *bytes = romsim_blob_from_bytes("none", 4, NULL);
    struct map *map = map_new(bytes, NULL);
    struct map_range range;

    ck_assert_ptr_nonnull(map);
    ck_assert_int_eq(map_find(map, 0, 4, &range), 0);
    ck_assert_ptr_null(map_file(map, 36));
    map_free(map);
}
END_TEST

/* ---- the layer ---------------------------------------------------------------------------- */

/* The lines that a trace has written, one after the other; NULL at the end. */
static json_t *next_line(int fd, off_t *offset)
{
    char text[4096];
    ssize_t size = pread(fd, text, sizeof(text), *offset);
    const char *end = size > 0 ? memchr(text, '\n', (size_t)size) : NULL;
    json_t *line;

    if (!end)
        return NULL;
    line = json_loadb(text, (size_t)(end - text), 0, NULL);
    ck_assert_ptr_nonnull(line);
    *offset += end + 1 - text;
    return line;
}

/* The next line of a kind, or NULL. */
static json_t *next_of(int fd, off_t *offset, const char *kind)
{
    json_t *line;

    while ((line = next_line(fd, offset)) &&
           strcmp(json_string_value(json_object_get(line, "kind")), kind) != 0)
        json_decref(line);
    return line;
}

static json_int_t number(const json_t *line, const char *name)
{
    ck_assert(json_is_integer(json_object_get(line, name)));
    return json_integer_value(json_object_get(line, name));
}

static const char *text(const json_t *line, const char *name)
{
    return json_string_value(json_object_get(line, name)) ?: "";
}

START_TEST(a_trace_says_what_was_read_and_looked_up)
{
    struct romsim_trace trace = {.json = memfd_create("trace", MFD_CLOEXEC), .text = -1};
    const struct romsim_seam_options options = {.trace = &trace, .stop = -1};
    struct seamed seamed;
    struct romsim_seam *seam;
    uint64_t none;
    off_t at = 0;
    json_t *line;

    seamed_make(&seamed);
    seam = romsim_seam_new(&seamed.layout, false, &options, NULL);
    ck_assert_ptr_nonnull(seam);
    line = next_of(trace.json, &at, "device");
    ck_assert_str_eq(text(line, "name"), "ukp_rom_config");
    ck_assert_str_eq(text(line, "at"), "/rom");
    ck_assert_uint_eq(json_array_size(json_object_get(line, "files")), 2);
    json_decref(line);

    ck_assert_int_eq(seamed_read(seam, "/rom/folder/big", 100, 50), 50);
    line = next_of(trace.json, &at, "lookup");
    ck_assert_str_eq(text(line, "path"), "/folder");
    json_decref(line);
    line = next_of(trace.json, &at, "file");
    ck_assert_str_eq(text(line, "path"), "/folder/big");
    ck_assert_int_eq(number(line, "offset"), 100);
    ck_assert_int_eq(number(line, "size"), 50);
    json_decref(line);

    ck_assert_int_eq(romsim_seam_lookup(seam, seamed_find(seam, "/rom/folder"), "Big", &none, NULL),
                     0);
    json_decref(next_of(trace.json, &at, "lookup"));
    line = next_of(trace.json, &at, "lookup");
    ck_assert_str_eq(text(line, "path"), "/folder/Big");
    ck_assert(json_is_false(json_object_get(line, "found")));
    json_decref(line);

    ck_assert_int_eq(seamed_read(seam, "/dev/ukp_rom1", 1024, 512), 512);
    line = next_of(trace.json, &at, "read");
    ck_assert_int_eq(number(line, "offset"), 1024);
    ck_assert_str_eq(text(json_array_get(json_object_get(line, "what"), 0), "is"), "superblock");
    json_decref(line);

    /* The root is no ROM. */
    ck_assert_int_eq(seamed_read(seam, "/folder/big", 0, 10), 10);
    ck_assert_ptr_null(next_line(trace.json, &at));
    romsim_seam_free(seam);
    seamed_clear(&seamed);
    close(trace.json);
}
END_TEST

UNIT_MAIN("trace", a_map_knows_what_each_part_of_an_image_is, a_range_is_cut_to_what_was_asked_for,
          what_is_no_image_has_an_empty_map, a_trace_says_what_was_read_and_looked_up)
