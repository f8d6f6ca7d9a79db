/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * erofs_check.c: the checker finds nothing in images that another tool wrote, and finds what we
 * break in them; it counts what is there.
 */
#include "fixtures.h"

#include <errno.h>
#include <romsim/digest.h>
#include <romsim/erofs_check.h>

static void print_finding(void *context, const struct romsim_erofs_finding *finding)
{
    printf("# %s: %s at %llu: %s%s%s\n", (const char *)context,
           finding->severity == ROMSIM_EROFS_ERROR ? "error" : "warning",
           (unsigned long long)finding->offset, finding->path, *finding->path ? ": " : "",
           finding->message);
}

START_TEST(fixtures_are_clean)
{
    struct fixtures fixtures;
    struct romsim_erofs_census census;
    struct romsim_error err = {0};

    fixtures_load(&fixtures);
    for (size_t i = 0; i < fixtures.count; i++) {
        const struct fixture *fixture = &fixtures.items[i];
        struct romsim_blob *blob = romsim_blob_from_bytes(fixture->bytes, fixture->size, &err);

        ck_assert_int_eq(
            romsim_erofs_check(blob, print_finding, (void *)fixture->name, &census, &err), 0);
        ck_assert_uint_eq(census.errors, 0);
        ck_assert_uint_eq(census.warnings, 0);
        ck_assert_uint_eq(census.directories, 4);
        ck_assert_uint_eq(census.files, 134);
        ck_assert_uint_eq(census.symlinks, 1);
        ck_assert_uint_eq(census.with_xattrs, strcmp(fixture->name, "noxattr") ? 3 : 0);
        romsim_blob_unref(blob);
    }
    fixtures_free(&fixtures);
}
END_TEST

/* ---- what an image is made of -------------------------------------------------------------- */

static struct romsim_blob *fixture_blob(const char *name)
{
    struct fixtures fixtures;
    const struct fixture *fixture;
    struct romsim_blob *blob;

    fixtures_load(&fixtures);
    fixture = fixture_find(&fixtures, name);
    blob = romsim_blob_from_bytes(fixture->bytes, fixture->size, NULL);
    ck_assert_ptr_nonnull(blob);
    fixtures_free(&fixtures);
    return blob;
}

START_TEST(a_census_counts_what_is_there)
{
    struct romsim_blob *blob = fixture_blob("lz4");
    struct romsim_error err = {0};
    struct romsim_erofs *erofs = romsim_erofs_open(blob, &err);
    struct romsim_erofs_census census;

    ck_assert_int_eq(romsim_erofs_census(erofs, &census, &err), 0);
    ck_assert_uint_eq(census.files, 134);
    ck_assert_uint_eq(census.names, 139);
    ck_assert_uint_eq(census.data_bytes, 326394);
    ck_assert_uint_gt(census.layouts[ROMSIM_EROFS_COMPRESSED_COMPACT], 3);
    ck_assert_uint_eq(census.layouts[ROMSIM_EROFS_COMPRESSED_FULL], 0);
    ck_assert_uint_gt(census.pclusters[0], 10);
    ck_assert_uint_lt(census.encoded_bytes[0], census.decoded_bytes[0]);
    ck_assert_uint_eq(census.pclusters[1] + census.pclusters[2] + census.pclusters[3], 0);
    romsim_erofs_close(erofs);
    romsim_blob_unref(blob);
}
END_TEST

/* All warnings in one text. */
static void collect_warning(void *context, const char *message)
{
    strcat(strcat(context, message), "\n");
}

START_TEST(the_cloud_would_trip_on_some_images)
{
    static const struct {
        const char *name;
        int warnings;
        const char *one;
    } images[] = {
        {"lz4", 2, "compressed files"},
        {"deflate", 3, "since 6.6"},
        {"zstd", 3, "since 6.10"},
        {"chunk4k", 2, "chunk-based files"},
        {"b512", 3, "blocks are not of 4096"},
        {"metabox", 4, "the 48-bit layout or a metabox"},
        {"inline", 1, "inline data"},
    };

    for (size_t i = 0; i < sizeof(images) / sizeof(images[0]); i++) {
        struct romsim_blob *blob = fixture_blob(images[i].name);
        char text[2048] = "";
        int count = romsim_erofs_cloud_warnings(blob, collect_warning, text, NULL);

        ck_assert_msg(count == images[i].warnings, "%s: %d: %s", images[i].name, count, text);
        ck_assert_msg(strstr(text, images[i].one) != NULL, "%s: %s", images[i].name, text);
        romsim_blob_unref(blob);
    }
}
END_TEST

START_TEST(features_have_names)
{
    const struct romsim_erofs_super super = {.feature_compat = 0x83,
                                             .feature_incompat = 0x400001ff};
    const char *name, *meaning;
    uint32_t compat, incompat;
    bool incompatible;
    char text[1024] = "";

    for (size_t i = 0; (name = romsim_erofs_feature(&super, i, &meaning, &incompatible)); i++) {
        strcat(strcat(text, name), incompatible ? "!" : "");
        strcat(text, " ");
        ck_assert_uint_gt(strlen(meaning), 5);
    }
    ck_assert_str_eq(text, "sb_chksum mtime zero_padding! compr_cfgs, big_pcluster! chunked_file! "
                           "device_table, compr_head2! ztailpacking! fragments, dedupe! "
                           "xattr_prefixes! 48bit! metabox! ");
    romsim_erofs_unknown_features(&super, &compat, &incompat);
    ck_assert_uint_eq(compat, 0x80);
    ck_assert_uint_eq(incompat, 0x40000000);
    ck_assert_str_eq(romsim_erofs_layout_name(ROMSIM_EROFS_CHUNK_BASED), "chunk-based");
    ck_assert_str_eq(romsim_erofs_layout_name(7), "reserved");
    ck_assert_str_eq(romsim_erofs_algorithm_name(3), "zstd");
    ck_assert_str_eq(romsim_erofs_algorithm_name(4), "unknown");
}
END_TEST

UNIT_MAIN("erofs_check", fixtures_are_clean, a_census_counts_what_is_there,
          the_cloud_would_trip_on_some_images, features_have_names)
