/* SPDX-License-Identifier: BSD-3-Clause */
/* fuzz_archive.c: any bytes as an archive, then once more as a container layer over it; what
 * comes out must be a tree that has an image. */
#include "fuzz.h"

#include <romsim/erofs_check.h>
#include <romsim/image.h>

enum { INPUT_MAX = 256 << 10 };

FUZZ_REFUSE_LARGE

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct romsim_tree_limits limits = {.inodes = 10000, .data_bytes = 1 << 24, .depth = 64};
    CLEANUP_BLOB struct romsim_blob *archive = NULL;
    CLEANUP_BLOB struct romsim_blob *image = NULL;
    CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(&limits);
    struct romsim_erofs_census census = {0};
    struct romsim_erofs_result result;
    struct romsim_error err = {0};

    if (size > INPUT_MAX)
        return -1;
    archive = romsim_blob_from_bytes(data, size, NULL);
    FUZZ_CHECK(tree && archive, "no memory");
    if (romsim_tree_add_archive(tree, archive, false, "fuzz", &err) < 0 ||
        romsim_tree_add_archive(tree, archive, true, "fuzz", &err) < 0)
        return 0;
    image = romsim_erofs_build(tree, NULL, &result, &err);
    if (image) {
        FUZZ_CHECK(romsim_erofs_check(image, NULL, NULL, &census, &err) == 0, "%s", err.message);
        FUZZ_CHECK(census.warnings == 0, "warnings");
    }
    return 0;
}
