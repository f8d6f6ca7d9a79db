/* SPDX-License-Identifier: BSD-3-Clause */
/* looks.h: images of trees made by code, looked into, for the tests of sim/rom. */
#ifndef ROMSIM_TESTS_LOOKS_H
#define ROMSIM_TESTS_LOOKS_H

#include "trees.h"

#include <romsim/erofs.h>
#include <romsim/rom.h>

/* The image of a tree, which is freed.  The image is closed by the caller. */
static inline struct romsim_erofs *look_image(struct romsim_tree *tree)
{
    struct romsim_error err = {0};
    CLEANUP_BLOB struct romsim_blob *blob = romsim_erofs_build(tree, NULL, NULL, &err);
    struct romsim_erofs *erofs;

    ck_assert_msg(blob != NULL, "%s", err.message);
    erofs = romsim_erofs_open(blob, &err);
    ck_assert_msg(erofs != NULL, "%s", err.message);
    romsim_tree_free(tree);
    return erofs;
}

static inline struct romsim_erofs *look_bytes(const uint8_t *bytes, size_t size)
{
    CLEANUP_BLOB struct romsim_blob *blob = romsim_blob_from_bytes(bytes, size, NULL);
    struct romsim_error err = {0};
    struct romsim_erofs *erofs = romsim_erofs_open(blob, &err);

    ck_assert_msg(erofs != NULL, "%s", err.message);
    return erofs;
}

/* What was told of damage: "PATH: MESSAGE\n" of each. */
struct told {
    char text[4096];
    size_t size;
};

static inline void look_tell(void *context, const char *path, struct romsim_error *error)
{
    struct told *told = context;
    int size = snprintf(told->text + told->size, sizeof(told->text) - told->size, "%s: %s\n", path,
                        error->message);

    told->size += (size_t)size;
    ck_assert_uint_lt(told->size, sizeof(told->text));
}

#endif
