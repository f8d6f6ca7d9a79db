/* SPDX-License-Identifier: BSD-3-Clause */
/* seamed.h: a small layout for the tests of seams: a root and a ROM at /rom, both EROFS images. */
#ifndef ROMSIM_TESTS_SEAMED_H
#define ROMSIM_TESTS_SEAMED_H

#include "trees.h"

#include <romsim/erofs.h>
#include <romsim/seam.h>

struct seamed {
    struct romsim_layout layout;
    struct romsim_device devices[2];
    struct romsim_mount mount;
};

enum { SEAMED_BIG = 20000 };

static inline struct romsim_blob *seamed_image(const char *file)
{
    CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(NULL);
    CLEANUP_FREE char *big = malloc(SEAMED_BIG);
    struct romsim_erofs_result ignored;
    struct romsim_blob *blob;

    memset(big, 'b', SEAMED_BIG);
    tree_add_file(tree, file, "five\n", 5);
    tree_add_file(tree, "folder/big", big, SEAMED_BIG);
    blob = romsim_erofs_build(tree, NULL, &ignored, NULL);
    ck_assert_ptr_nonnull(blob);
    return blob;
}

static inline void seamed_make(struct seamed *seamed)
{
    static char at[] = "/rom";

    *seamed = (struct seamed){.layout = {.device_count = 2, .mount_count = 1},
                              .mount = {.device = 1, .path = at}};
    seamed->layout.devices = seamed->devices;
    seamed->layout.mounts = &seamed->mount;
    for (unsigned i = 0; i < 2; i++) {
        struct romsim_device *device = &seamed->devices[i];

        device->role = i ? ROMSIM_DEVICE_ROM : ROMSIM_DEVICE_ROOT;
        device->kind = ROMSIM_IMAGE_EROFS;
        device->index = i;
        device->blob = seamed_image(i ? "config" : "rom/nothing");
        snprintf(device->indexed_name, sizeof(device->indexed_name), "ukp_rom%u", i);
    }
    strcpy(seamed->devices[1].named_name, "ukp_rom_config");
}

static inline void seamed_clear(struct seamed *seamed)
{
    for (unsigned i = 0; i < 2; i++)
        romsim_blob_unref(seamed->devices[i].blob);
}

/* The node of an absolute path, looked up name by name through the seam. */
static inline uint64_t seamed_find(struct romsim_seam *seam, const char *path)
{
    uint64_t node = ROMSIM_VIEW_ROOT;
    CLEANUP_FREE char *copy = strdup(path + 1);
    char *rest = copy, *name;

    while ((name = strsep(&rest, "/")))
        ck_assert_int_eq(romsim_seam_lookup(seam, node, name, &node, NULL), 1);
    return node;
}

/* Reads, and says how many bytes came, or the errno as a negative number. */
static inline int seamed_read(struct romsim_seam *seam, const char *path, uint64_t offset,
                              size_t size)
{
    struct romsim_view_data data;
    struct romsim_error err = {0};
    int result;

    if (romsim_seam_read(seam, seamed_find(seam, path), offset, size, &data, &err) < 0)
        return -err.errnum;
    result = (int)data.size;
    romsim_view_data_release(&data);
    return result;
}

#endif
