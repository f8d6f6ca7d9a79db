/* SPDX-License-Identifier: BSD-3-Clause */
/* fuzz_writer.c: the input is a recipe for a tree; its image must be written, be clean for the
 * checker and read back as the same tree. */
#include "fuzz.h"

#include <errno.h>
#include <romsim/erofs_check.h>
#include <sys/stat.h>

enum { NODES_MAX = 300, DIRECTORIES = 16, DATA_MAX = 70000 };

struct kitchen {
    struct romsim_tree *tree;
    struct romsim_inode *directories[DIRECTORIES];
    struct romsim_inode *last_file;
};

static const mode_t types[] = {S_IFREG, S_IFREG, S_IFREG, S_IFDIR,  S_IFLNK,
                               S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK, 0 /* a hard link */};

static void fill_file(struct romsim_inode *inode, struct meal *meal)
{
    static uint8_t data[DATA_MAX];
    size_t size = eat_number(meal, 2) * (eat_byte(meal) % 3 + 1) % DATA_MAX, pattern;
    const uint8_t *bytes = eat_bytes(meal, eat_byte(meal) % 64 + 1, &pattern);

    for (size_t i = 0; i < size; i++)
        data[i] = pattern ? bytes[i % pattern] : 0;
    romsim_inode_set_bytes(inode, data, size, NULL);
}

static void fill_xattr(struct romsim_inode *inode, struct meal *meal)
{
    static const char *const prefixes[] = {"user.", "trusted.", "security.", "system.", ""};
    char name[300];
    size_t part, value_size;
    const uint8_t *bytes = eat_bytes(meal, eat_byte(meal), &part), *value;

    snprintf(name, sizeof(name), "%s%.*s", prefixes[eat_byte(meal) % 5], (int)part,
             (const char *)bytes);
    value = eat_bytes(meal, eat_byte(meal), &value_size);
    romsim_inode_set_xattr(inode, name, value, value_size, NULL);
}

static void fill_inode(struct kitchen *kitchen, struct romsim_inode *inode, struct meal *meal)
{
    uint8_t what = eat_byte(meal);
    char target[256];
    size_t size;
    const uint8_t *bytes;

    inode->mode |= eat_number(meal, 2) & 07777;
    inode->uid = eat_number(meal, what & 1 ? 4 : 1);
    inode->gid = eat_number(meal, what & 2 ? 4 : 1);
    inode->mtime = (int64_t)eat_number(meal, what & 4 ? 8 : 2);
    inode->mtime_nsec = eat_number(meal, 4) % 1000000000;
    if (what & 8)
        for (int i = eat_byte(meal) % 4; i >= 0; i--)
            fill_xattr(inode, meal);
    switch (inode->mode & S_IFMT) {
    case S_IFREG:
        fill_file(inode, meal);
        kitchen->last_file = inode;
        break;
    case S_IFDIR:
        kitchen->directories[eat_byte(meal) % DIRECTORIES] = inode;
        break;
    case S_IFLNK:
        bytes = eat_bytes(meal, eat_byte(meal) + 1, &size);
        snprintf(target, sizeof(target), "x%.*s", (int)size, (const char *)bytes);
        romsim_inode_set_target(inode, target, strlen(target), NULL);
        break;
    default:
        inode->rdev_major = eat_number(meal, 2) & 0xfff;
        inode->rdev_minor = eat_number(meal, 3) & 0xfffff;
    }
}

static void add_node(struct kitchen *kitchen, struct meal *meal)
{
    struct romsim_inode *directory = kitchen->directories[eat_byte(meal) % DIRECTORIES];
    mode_t type = types[eat_byte(meal) % (sizeof(types) / sizeof(types[0]))];
    size_t size;
    const char *name = (const char *)eat_bytes(meal, eat_byte(meal) % 40, &size);
    struct romsim_dentry *dentry;

    if (!type) {
        if (kitchen->last_file)
            romsim_tree_link(kitchen->tree, directory, name, size, kitchen->last_file, NULL);
        return;
    }
    dentry = romsim_tree_add(kitchen->tree, directory, name, size, type, NULL);
    if (dentry)
        fill_inode(kitchen, dentry->inode, meal);
}

static void check_image(struct romsim_tree *tree, const struct romsim_erofs_options *options)
{
    struct romsim_error err = {0};
    struct romsim_erofs_result result;
    struct romsim_erofs_census census = {0};
    CLEANUP_BLOB struct romsim_blob *image = romsim_erofs_build(tree, options, &result, &err);

    if (!image && (err.errnum == EINVAL || err.errnum == EOPNOTSUPP || err.errnum == E2BIG))
        return; /* xattr names that EROFS cannot have */
    FUZZ_CHECK(image, "%d %s", err.errnum, err.message);
    FUZZ_CHECK(romsim_erofs_check(image, NULL, NULL, &census, &err) == 0, "%s", err.message);
    FUZZ_CHECK(census.errors == 0 && census.warnings == 0, "findings");
    FUZZ_CHECK(romsim_erofs_verify(tree, image, &err) == 0, "%s", err.message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct meal meal = {data, size};
    struct kitchen kitchen = {.tree = romsim_tree_new(NULL)};
    uint8_t how = eat_byte(&meal);
    struct romsim_erofs_options options = {
        .inline_data = how & 1,
        .compress = how & 2 ? (how & 4 ? "lz4hc:3" : "lz4") : NULL,
    };

    for (int i = 0; i < DIRECTORIES; i++)
        kitchen.directories[i] = romsim_tree_root(kitchen.tree);
    for (int i = 0; i < NODES_MAX && meal.size; i++)
        add_node(&kitchen, &meal);
    check_image(kitchen.tree, &options);
    romsim_tree_free(kitchen.tree);
    return 0;
}
