/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fixtures.h: the images of tests/data/erofs-images, for the unit tests.  Tests run from the
 * repository's root (tests/run).
 */
#ifndef ROMSIM_TESTS_FIXTURES_H
#define ROMSIM_TESTS_FIXTURES_H

#include "harness.h"

#include <archive.h>
#include <archive_entry.h>
#include <romsim/blob.h>
#include <romsim/erofs.h>

#define FIXTURES "tests/data/erofs-images/"

enum { FIXTURE_COUNT = 29 };

struct fixture {
    char name[64]; /* without ".erofs" */
    uint8_t *bytes;
    size_t size;
};

struct fixtures {
    struct fixture items[FIXTURE_COUNT];
    size_t count;
};

static inline void fixture_load(struct archive *archive, struct archive_entry *entry,
                                struct fixture *fixture)
{
    const char *name = archive_entry_pathname(entry);

    ck_assert_uint_lt(strlen(name), sizeof(fixture->name));
    snprintf(fixture->name, sizeof(fixture->name), "%.*s", (int)strcspn(name, "."), name);
    fixture->size = archive_entry_size(entry);
    fixture->bytes = malloc(fixture->size);
    ck_assert_ptr_nonnull(fixture->bytes);
    ck_assert_int_eq(archive_read_data(archive, fixture->bytes, fixture->size),
                     (la_ssize_t)fixture->size);
}

static inline void fixtures_load(struct fixtures *ret)
{
    struct archive *archive = archive_read_new();
    struct archive_entry *entry;

    memset(ret, 0, sizeof(*ret));
    archive_read_support_format_tar(archive);
    archive_read_support_filter_xz(archive);
    ck_assert_int_eq(archive_read_open_filename(archive, FIXTURES "images.tar.xz", 65536),
                     ARCHIVE_OK);
    while (archive_read_next_header(archive, &entry) == ARCHIVE_OK) {
        ck_assert_uint_lt(ret->count, FIXTURE_COUNT);
        fixture_load(archive, entry, &ret->items[ret->count++]);
    }
    archive_read_free(archive);
    ck_assert_uint_eq(ret->count, FIXTURE_COUNT);
}

static inline void fixtures_free(struct fixtures *fixtures)
{
    for (size_t i = 0; i < fixtures->count; i++)
        free(fixtures->items[i].bytes);
}

static inline const struct fixture *fixture_find(const struct fixtures *fixtures, const char *name)
{
    for (size_t i = 0; i < fixtures->count; i++)
        if (strcmp(fixtures->items[i].name, name) == 0)
            return &fixtures->items[i];
    ck_abort_msg("no fixture %s", name);
    return NULL;
}

/* Opens bytes as an image; NULL and *err if that fails. */
static inline struct romsim_erofs *fixture_open(const void *bytes, size_t size,
                                                struct romsim_error *err)
{
    struct romsim_blob *blob = romsim_blob_from_bytes(bytes, size, err);
    struct romsim_erofs *erofs;

    ck_assert_ptr_nonnull(blob);
    erofs = romsim_erofs_open(blob, err);
    romsim_blob_unref(blob);
    return erofs;
}

#endif
