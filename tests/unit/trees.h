/* SPDX-License-Identifier: BSD-3-Clause */
/* trees.h: trees made by code, for the tests of the writer. */
#ifndef ROMSIM_TESTS_TREES_H
#define ROMSIM_TESTS_TREES_H

#include "harness.h"

#include <romsim/tree.h>
#include <sys/stat.h>

/* A new inode at `path`, missing directories made. */
static inline struct romsim_inode *tree_add_node(struct romsim_tree *tree, const char *path,
                                                 uint32_t mode)
{
    struct romsim_error err = {0};
    struct romsim_inode *directory;
    struct romsim_dentry *dentry;
    const char *name;
    size_t size;

    ck_assert_msg(romsim_tree_walk(tree, path, ROMSIM_WALK_MAKE, &directory, &name, &size, &err) ==
                      0,
                  "%s", err.message);
    dentry = romsim_tree_add(tree, directory, name, size, mode, &err);
    ck_assert_msg(dentry != NULL, "%s", err.message);
    return dentry->inode;
}

static inline struct romsim_inode *tree_add_file(struct romsim_tree *tree, const char *path,
                                                 const void *bytes, size_t size)
{
    struct romsim_inode *inode = tree_add_node(tree, path, S_IFREG | 0644);

    ck_assert_int_eq(romsim_inode_set_bytes(inode, bytes, size, NULL), 0);
    return inode;
}

static inline void tree_add_symlink(struct romsim_tree *tree, const char *path, const char *target)
{
    struct romsim_inode *inode = tree_add_node(tree, path, S_IFLNK | 0777);

    ck_assert_int_eq(romsim_inode_set_target(inode, target, strlen(target), NULL), 0);
}

static inline void tree_add_link(struct romsim_tree *tree, const char *path,
                                 struct romsim_inode *inode)
{
    struct romsim_inode *directory;
    const char *name;
    size_t size;

    ck_assert_int_eq(romsim_tree_walk(tree, path, ROMSIM_WALK_MAKE, &directory, &name, &size, NULL),
                     0);
    ck_assert_ptr_nonnull(romsim_tree_link(tree, directory, name, size, inode, NULL));
}

/* One of everything, and the sizes around a block: the canonical tree. */
static inline struct romsim_tree *tree_of_everything(void)
{
    static const size_t sizes[] = {0, 1, 4031, 4032, 4033, 4095, 4096, 4097, 8192, 20000};
    struct romsim_tree *tree = romsim_tree_new(NULL);
    struct romsim_inode *inode;
    char path[64], target[ROMSIM_TARGET_MAX + 1];
    uint8_t bytes[20000];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 31 + (i >> 8) * 7 + 1);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        snprintf(path, sizeof(path), "sizes/%zu", sizes[i]);
        tree_add_file(tree, path, bytes, sizes[i]);
    }
    inode = tree_add_file(tree, "dir/script", "#!/bin/sh\nexit 0\n", 17);
    inode->mode = S_IFREG | 0755;
    inode->mtime = 1700000000;
    inode->mtime_nsec = 123456789;
    tree_add_link(tree, "another-name", inode);
    tree_add_link(tree, "zz/third name", inode);
    inode = tree_add_file(tree, "owned", "x", 1);
    inode->mode = S_IFREG | 06711;
    inode->uid = 100000;
    inode->gid = UINT32_MAX - 1;
    inode->mtime = -1;
    tree_add_node(tree, "empty", S_IFDIR | 01777)->mtime = INT64_C(1) << 33;
    tree_add_symlink(tree, "link", "dir/script");
    memset(target, 't', ROMSIM_TARGET_MAX);
    target[ROMSIM_TARGET_MAX] = '\0';
    tree_add_symlink(tree, "long-link", target);
    inode = tree_add_node(tree, "dev/char", S_IFCHR | 0620);
    inode->rdev_major = 4095;
    inode->rdev_minor = (1 << 20) - 1;
    inode = tree_add_node(tree, "dev/block", S_IFBLK | 0660);
    inode->rdev_major = 259;
    inode->rdev_minor = 256;
    tree_add_node(tree, "dev/fifo", S_IFIFO | 0600);
    tree_add_node(tree, "dev/sock", S_IFSOCK | 0600);
    tree_add_file(tree, "odd/#before dots", "", 0);
    tree_add_file(tree, "odd/...", "", 0);
    tree_add_file(tree, "odd/new\nline \\ \x01\xff\xc3\xa9", "odd", 3);
    return tree;
}

/* ---- random ones ------------------------------------------------------------------------ */

struct dice {
    uint64_t state;
};

/* splitmix64: the same numbers everywhere. */
static inline uint32_t dice_roll(struct dice *dice, uint32_t sides)
{
    uint64_t z = dice->state += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (uint32_t)((z ^ (z >> 31)) % sides);
}

static inline size_t dice_name(struct dice *dice, char ret[256])
{
    size_t size = dice_roll(dice, 8) == 0 ? 1 + dice_roll(dice, 255) : 1 + dice_roll(dice, 12);

    for (size_t i = 0; i < size; i++) {
        do
            ret[i] =
                (char)(dice_roll(dice, 4) ? 'a' + dice_roll(dice, 26) : 1 + dice_roll(dice, 255));
        while (ret[i] == '/');
    }
    if (strncmp(ret, "..", size) == 0 && size <= 2)
        ret[0] = 'x';
    return size;
}

/* A size that is often near a multiple of the block size. */
static inline size_t dice_size(struct dice *dice)
{
    switch (dice_roll(dice, 4)) {
    case 0:
        return dice_roll(dice, 100);
    case 1:
        return 4096 * dice_roll(dice, 4) + dice_roll(dice, 3);
    case 2:
        return 4096 * (1 + dice_roll(dice, 4)) - dice_roll(dice, 140);
    default:
        return dice_roll(dice, 60000);
    }
}

/* Bytes that compress well, or do not, or are zeros for long. */
static inline void dice_fill(struct dice *dice, uint8_t *bytes, size_t size)
{
    static const char text[] = "some text, again and ";

    memset(bytes, 0, size);
    for (size_t at = 0; at < size;) {
        size_t run = 1 + dice_roll(dice, 9000);
        uint32_t kind = dice_roll(dice, 3);

        for (; run > 0 && at < size; run--, at++)
            if (kind > 0)
                bytes[at] = (uint8_t)(kind == 1 ? text[at % 21] : (int)dice_roll(dice, 256));
    }
}

static inline void dice_file(struct dice *dice, struct romsim_inode *inode)
{
    size_t size = dice_size(dice);
    uint8_t *bytes = malloc(size + 1);

    dice_fill(dice, bytes, size);
    ck_assert_int_eq(romsim_inode_set_bytes(inode, bytes, size, NULL), 0);
    free(bytes);
}

/* A file with holes, its pieces from one blob. */
static inline void dice_holes(struct dice *dice, struct romsim_inode *inode)
{
    struct romsim_extent extents[4];
    uint8_t bytes[20000];
    uint64_t offset = 0;
    struct romsim_blob *blob;

    dice_fill(dice, bytes, sizeof(bytes));
    blob = romsim_blob_from_bytes(bytes, sizeof(bytes), NULL);
    for (size_t i = 0; i < 4; i++) {
        extents[i].file_offset = offset + dice_roll(dice, 20000);
        extents[i].source_offset = dice_roll(dice, 10000);
        extents[i].length = 1 + dice_roll(dice, 10000);
        offset = extents[i].file_offset + extents[i].length;
    }
    ck_assert_int_eq(
        romsim_inode_set_extents(inode, offset + dice_roll(dice, 5000), blob, extents, 4, NULL), 0);
    romsim_blob_unref(blob);
}

static inline void dice_xattrs(struct dice *dice, struct romsim_inode *inode)
{
    static const char *const names[] = {"user.a", "user.color", "trusted.x", "security.capability",
                                        "user.much"};
    uint32_t count = dice_roll(dice, 4);

    for (uint32_t i = 0; i < count; i++) {
        uint32_t which = dice_roll(dice, 5);
        uint8_t value[5000];
        size_t size = which == 4 ? dice_roll(dice, sizeof(value)) : dice_roll(dice, 20);

        memset(value, (int)('0' + dice_roll(dice, 2)), sizeof(value));
        ck_assert_int_eq(romsim_inode_set_xattr(inode, names[which], value, size, NULL), 0);
    }
}

static inline struct romsim_inode *dice_inode(struct dice *dice, struct romsim_tree *tree,
                                              struct romsim_inode *directory)
{
    static const uint32_t types[] = {S_IFREG, S_IFREG, S_IFREG, S_IFREG, S_IFDIR, S_IFDIR,
                                     S_IFLNK, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK};
    uint32_t type = types[dice_roll(dice, sizeof(types) / sizeof(types[0]))];
    char name[256], target[ROMSIM_TARGET_MAX];
    size_t size = dice_name(dice, name);
    struct romsim_dentry *dentry;
    struct romsim_inode *inode;

    if (romsim_tree_child(tree, directory, name, size))
        return NULL;
    dentry = romsim_tree_add(tree, directory, name, size, type | dice_roll(dice, 010000), NULL);
    ck_assert_ptr_nonnull(dentry);
    inode = dentry->inode;
    inode->uid = dice_roll(dice, 3) ? 0 : dice_roll(dice, UINT32_MAX);
    inode->gid = dice_roll(dice, 3) ? 0 : dice_roll(dice, UINT32_MAX);
    inode->mtime = (int64_t)dice_roll(dice, UINT32_MAX) - (INT64_C(1) << 30);
    inode->mtime_nsec = dice_roll(dice, 1000000000);
    inode->rdev_major = type == S_IFCHR || type == S_IFBLK ? dice_roll(dice, 4096) : 0;
    inode->rdev_minor = type == S_IFCHR || type == S_IFBLK ? dice_roll(dice, 1 << 20) : 0;
    memset(target, 'l', sizeof(target));
    if (type == S_IFLNK)
        ck_assert_int_eq(
            romsim_inode_set_target(inode, target,
                                    1 + dice_roll(dice, dice_roll(dice, 2) ? 50 : 4095), NULL),
            0);
    if (type == S_IFREG && dice_roll(dice, 5) == 0)
        dice_holes(dice, inode);
    else if (type == S_IFREG)
        dice_file(dice, inode);
    if (dice_roll(dice, 3) == 0)
        dice_xattrs(dice, inode);
    return inode;
}

/* A random tree; the same seed gives the same tree on every machine. */
static inline struct romsim_tree *tree_random(unsigned seed)
{
    struct dice dice = {seed};
    struct romsim_tree *tree = romsim_tree_new(NULL);
    struct romsim_inode *directories[400], *last = NULL;
    size_t count = 1;
    uint32_t names = dice_roll(&dice, 10) == 0 ? 300 : dice_roll(&dice, 40);

    directories[0] = romsim_tree_root(tree);
    for (uint32_t i = 0; i < names; i++) {
        struct romsim_inode *directory =
            directories[dice_roll(&dice, 3) ? count - 1 : dice_roll(&dice, (uint32_t)count)];
        struct romsim_inode *inode = dice_inode(&dice, tree, directory);

        if (!inode)
            continue;
        if (S_ISDIR(inode->mode))
            directories[count++] = inode;
        else if (last && dice_roll(&dice, 6) == 0 && !romsim_tree_child(tree, directory, "hard", 4))
            ck_assert_ptr_nonnull(romsim_tree_link(tree, directory, "hard", 4, last, NULL));
        if (!S_ISDIR(inode->mode))
            last = inode;
    }
    return tree;
}

#endif
