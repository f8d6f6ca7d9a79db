/* SPDX-License-Identifier: BSD-3-Clause */
/* fuzz_writer.c: the input is a recipe for a tree; its image must be written, be clean for the
 * checker and read back as the same tree. */
#include "fuzz.h"

#include <errno.h>
#include <romsim/erofs_check.h>
#include <sys/stat.h>

enum { NODES_MAX = 300, MANY_MAX = 500, DIRECTORIES = 16, DATA_MAX = 150000, EXTENTS_MAX = 8 };
enum { NAMES_BUDGET = 600, DATA_BUDGET = 400000 };

struct kitchen {
    struct romsim_tree *tree;
    struct romsim_inode *directories[DIRECTORIES];
    struct romsim_inode *last_file;
    size_t names, data; /* what the recipe may still take of many names, and of files' bytes */
};

static const mode_t types[] = {S_IFREG, S_IFREG, S_IFREG, S_IFDIR,  S_IFLNK,
                               S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK, 0 /* a hard link */};

/* Numbers that never compress, or bytes of the recipe again and again, which do. */
static void fill_bytes(uint8_t *data, size_t size, struct meal *meal)
{
    size_t pattern;
    const uint8_t *bytes = eat_bytes(meal, eat_byte(meal) % 64 + 1, &pattern);
    uint32_t noise = eat_byte(meal) & 1 ? 2463534242 : 0;

    for (size_t i = 0; i < size; i++) {
        noise ^= noise << 13;
        noise ^= noise >> 17;
        noise ^= noise << 5;
        data[i] = (pattern ? bytes[i % pattern] : 0) ^ (uint8_t)noise;
    }
}

/* Pieces of the bytes with holes between them and behind the last one. */
static void fill_extents(struct romsim_inode *inode, const uint8_t *data, size_t size,
                         struct meal *meal)
{
    CLEANUP_BLOB struct romsim_blob *blob = romsim_blob_from_bytes(data, size, NULL);
    struct romsim_extent extents[EXTENTS_MAX];
    size_t count = eat_byte(meal) % EXTENTS_MAX;
    uint64_t end = 0;

    for (size_t i = 0; i < count; i++) {
        struct romsim_extent *extent = &extents[i];

        extent->file_offset = end + eat_number(meal, 2);
        extent->source_offset = eat_number(meal, 2) % size;
        extent->length = eat_number(meal, 2) % (size - extent->source_offset) + 1;
        end = extent->file_offset + extent->length;
    }
    romsim_inode_set_extents(inode, end + eat_number(meal, 2), blob, extents, count, NULL);
}

/* Often near a multiple of the block size. */
static size_t eat_size(struct meal *meal)
{
    uint8_t what = eat_byte(meal);

    switch (what & 3) {
    case 0:
        return eat_byte(meal);
    case 1:
        return (what >> 2 & 15) * 4096 + eat_byte(meal) % 3;
    case 2:
        return (what >> 2 & 15) * 4096 + 4096 - eat_byte(meal);
    default:
        return eat_number(meal, 3) % (what & 4 ? DATA_MAX : 12000);
    }
}

static void fill_file(struct kitchen *kitchen, struct romsim_inode *inode, struct meal *meal)
{
    static uint8_t data[DATA_MAX];
    size_t size = eat_size(meal);

    if (size > kitchen->data)
        size = kitchen->data;
    kitchen->data -= size;
    fill_bytes(data, size, meal);
    if (size && eat_byte(meal) % 4 == 0)
        fill_extents(inode, data, size, meal);
    else
        romsim_inode_set_bytes(inode, data, size, NULL);
}

/* Few values, so that inodes share them; most names are such that EROFS has place for them. */
static void fill_xattr(struct romsim_inode *inode, struct meal *meal)
{
    static const char *const prefixes[] = {"user.",
                                           "trusted.",
                                           "security.",
                                           "user.a",
                                           "user.b",
                                           "system.posix_acl_access",
                                           "system.posix_acl_default",
                                           ""};
    static const uint8_t filler[5000];
    const char *prefix = prefixes[eat_byte(meal) % (sizeof(prefixes) / sizeof(prefixes[0]))];
    uint8_t what = eat_byte(meal);
    size_t part, value_size;
    const uint8_t *bytes = eat_bytes(meal, what & 7 ? what & 7 : eat_byte(meal), &part), *value;
    char name[300];

    snprintf(name, sizeof(name), "%s%.*s", prefix, strncmp(prefix, "sys", 3) ? (int)part : 0,
             (const char *)bytes);
    value = eat_bytes(meal, what >> 3 & 7, &value_size);
    if (what >> 6 == 3)
        romsim_inode_set_xattr(inode, name, filler, eat_number(meal, 2) % sizeof(filler), NULL);
    else
        romsim_inode_set_xattr(inode, name, value, value_size, NULL);
}

/* More than the 255 that an inode can share, so some are shared and still inline. */
static void fill_many_xattrs(struct romsim_inode *inode, struct meal *meal)
{
    unsigned count = eat_byte(meal) * 2;
    char name[32];

    for (unsigned i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "user.%u", i);
        romsim_inode_set_xattr(inode, name, "", 0, NULL);
    }
}

static void fill_target(struct romsim_inode *inode, struct meal *meal)
{
    char target[ROMSIM_TARGET_MAX + 1];
    size_t size, most = eat_byte(meal) % 4 ? eat_byte(meal) : eat_number(meal, 2);
    const uint8_t *bytes = eat_bytes(meal, eat_byte(meal) + 1, &size);

    most = most % ROMSIM_TARGET_MAX + 1;
    memset(target, 'x', most);
    for (size_t i = 1; i < most && i < size; i++)
        target[i] = bytes[i] ? (char)bytes[i] : '0';
    romsim_inode_set_target(inode, target, most, NULL);
}

static void fill_inode(struct kitchen *kitchen, struct romsim_inode *inode, struct meal *meal)
{
    uint8_t what = eat_byte(meal);

    inode->mode |= eat_number(meal, 2) & 07777;
    inode->uid = eat_number(meal, what & 1 ? 4 : 1);
    inode->gid = eat_number(meal, what & 2 ? 4 : 1);
    inode->mtime = (int64_t)eat_number(meal, what & 4 ? 8 : 2);
    inode->mtime_nsec = eat_number(meal, 4) % 1000000000;
    if (what & 8)
        for (int i = eat_byte(meal) % 4; i >= 0; i--)
            fill_xattr(inode, meal);
    if ((what & 0xf0) == 0xf0)
        fill_many_xattrs(inode, meal);
    switch (inode->mode & S_IFMT) {
    case S_IFREG:
        fill_file(kitchen, inode, meal);
        kitchen->last_file = inode;
        break;
    case S_IFDIR:
        kitchen->directories[eat_byte(meal) % DIRECTORIES] = inode;
        break;
    case S_IFLNK:
        fill_target(inode, meal);
        break;
    default:
        inode->rdev_major = eat_number(meal, 2) & 0x1fff; /* up to 0xfff is right */
        inode->rdev_minor = eat_number(meal, 3) & 0xfffff;
    }
}

/* Names for one file in one directory, so that it takes several blocks. */
static void add_many(struct kitchen *kitchen, struct romsim_inode *directory, struct meal *meal)
{
    size_t size = eat_byte(meal), count = eat_number(meal, 2) % MANY_MAX;
    char name[ROMSIM_NAME_MAX + 1];

    for (size_t i = 0; i < count && kitchen->last_file && kitchen->names; i++, kitchen->names--) {
        memset(name, (int)(' ' + size % 64), sizeof(name));
        size_t digits = (size_t)snprintf(name, sizeof(name), "%zu", i);

        name[digits] = '-';
        romsim_tree_link(kitchen->tree, directory, name, size > digits ? size : digits,
                         kitchen->last_file, NULL);
    }
}

static void add_node(struct kitchen *kitchen, struct meal *meal)
{
    struct romsim_inode *directory = kitchen->directories[eat_byte(meal) % DIRECTORIES];
    mode_t type = types[eat_byte(meal) % (sizeof(types) / sizeof(types[0]))];
    size_t size;
    uint8_t what = eat_byte(meal);
    const char *name = (const char *)eat_bytes(meal, what < 250 ? what % 40 : 255, &size);
    struct romsim_dentry *dentry;

    if (what == 249) {
        add_many(kitchen, directory, meal);
        return;
    }
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
    static const char *const compressors[] = {"lz4", "lz4hc:3", "lz4", "lz4hc"};
    struct meal meal = {data, size};
    struct kitchen kitchen = {
        .tree = romsim_tree_new(NULL), .names = NAMES_BUDGET, .data = DATA_BUDGET};
    uint8_t how = eat_byte(&meal);
    struct romsim_erofs_options options = {
        .inline_data = how & 1,
        .no_verify = true, /* check_image() does */
        .compress = how & 2 ? compressors[how >> 2 & 3] : NULL,
    };

    for (int i = 0; i < DIRECTORIES; i++)
        kitchen.directories[i] = romsim_tree_root(kitchen.tree);
    for (int i = 0; i < NODES_MAX && meal.size; i++)
        add_node(&kitchen, &meal);
    check_image(kitchen.tree, &options);
    romsim_tree_free(kitchen.tree);
    return 0;
}
