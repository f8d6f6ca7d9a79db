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

UNIT_MAIN("erofs_check", fixtures_are_clean)
