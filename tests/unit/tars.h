/* SPDX-License-Identifier: BSD-3-Clause */
/* tars.h: tar archives made by hand, so that they can say what no tool would write. */
#ifndef ROMSIM_TESTS_TARS_H
#define ROMSIM_TESTS_TARS_H

#include "harness.h"

#include <romsim/buffer.h>
#include <romsim/image.h>
#include <romsim/paths.h>

#include <sys/stat.h>

/* The XDG folders of a test program: in a scratch folder, made before and removed after. */
static char tars_home[64];

static inline void tars_enter(void)
{
    snprintf(tars_home, sizeof(tars_home), "/tmp/romsim-unit.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(tars_home));
    setenv("XDG_CACHE_HOME", tars_home, 1);
    setenv("XDG_DATA_HOME", tars_home, 1);
}

static inline void tars_leave(void)
{
    ck_assert_int_eq(romsim_path_remove_tree(tars_home, NULL), 0);
}

struct tar {
    struct romsim_buffer bytes;
};

#define TAR_INIT                                                                                   \
    {                                                                                              \
        .bytes = {.maximum = 64 << 20 }                                                            \
    }

static inline void tar_data(struct tar *tar, const char *data, size_t size)
{
    static const char zeros[512];

    romsim_buffer_append(&tar->bytes, data, size);
    romsim_buffer_append(&tar->bytes, zeros, (512 - size % 512) % 512);
}

/* A header as it is given: `size` need not be that of the data that follows. */
static inline void tar_header(struct tar *tar, const char *name, char type, const char *link,
                              unsigned mode, const char *size)
{
    char block[512] = {0};
    unsigned sum = 0;

    snprintf(block, 100, "%s", name);
    snprintf(block + 100, 8, "%07o", mode);
    snprintf(block + 108, 8, "%07o", 1000);
    snprintf(block + 116, 8, "%07o", 100);
    memcpy(block + 124, size, strlen(size) < 12 ? strlen(size) : 12);
    snprintf(block + 136, 12, "%011o", 1234567890);
    block[156] = type;
    snprintf(block + 157, 100, "%s", link);
    memcpy(block + 257,
           "ustar\0"
           "00",
           8);
    snprintf(block + 329, 8, "%07o", 1);
    snprintf(block + 337, 8, "%07o", 3);
    memset(block + 148, ' ', 8);
    for (size_t i = 0; i < sizeof(block); i++)
        sum += (unsigned char)block[i];
    snprintf(block + 148, 8, "%06o", sum);
    romsim_buffer_append(&tar->bytes, block, sizeof(block));
}

static inline void tar_file(struct tar *tar, const char *name, const char *data)
{
    char size[12];

    snprintf(size, sizeof(size), "%011o", (unsigned)strlen(data));
    tar_header(tar, name, '0', "", 0644, size);
    tar_data(tar, data, strlen(data));
}

static inline void tar_directory(struct tar *tar, const char *name)
{
    tar_header(tar, name, '5', "", 0750, "00000000000");
}

static inline void tar_symlink(struct tar *tar, const char *name, const char *target)
{
    tar_header(tar, name, '2', target, 0777, "00000000000");
}

static inline void tar_link(struct tar *tar, const char *name, const char *target)
{
    tar_header(tar, name, '1', target, 0644, "00000000000");
}

/* "LENGTH KEY=VALUE\n", where LENGTH counts itself. */
static inline void tar_pax_record(struct romsim_buffer *records, const char *key, const char *value)
{
    size_t length = strlen(key) + strlen(value) + 3, total = length;

    for (int round = 0; round < 3; round++)
        total = length + (size_t)snprintf(NULL, 0, "%zu", total);
    romsim_buffer_printf(records, "%zu %s=%s\n", total, key, value);
}

/* A PAX header for the next entry, with one or two records (key2 NULL). */
static inline void tar_pax_two(struct tar *tar, const char *key, const char *value,
                               const char *key2, const char *value2)
{
    CLEANUP_BUFFER struct romsim_buffer records = ROMSIM_BUFFER_INIT(1 << 20);
    char size[12];

    tar_pax_record(&records, key, value);
    if (key2)
        tar_pax_record(&records, key2, value2);
    snprintf(size, sizeof(size), "%011o", (unsigned)records.size);
    tar_header(tar, "PaxHeaders/x", 'x', "", 0644, size);
    tar_data(tar, records.data, records.size);
}

static inline void tar_pax(struct tar *tar, const char *key, const char *value)
{
    tar_pax_two(tar, key, value, NULL, NULL);
}

static inline struct romsim_blob *tar_blob(struct tar *tar)
{
    static const char zeros[1024];
    struct romsim_blob *blob;

    romsim_buffer_append(&tar->bytes, zeros, sizeof(zeros));
    ck_assert_int_eq(tar->bytes.failed, 0);
    blob = romsim_blob_from_bytes(tar->bytes.data, tar->bytes.size, NULL);
    ck_assert_ptr_nonnull(blob);
    romsim_buffer_reset(&tar->bytes);
    return blob;
}

/* Adds the archive to the tree, and empties it for the next one. */
static inline int tar_add(struct tar *tar, struct romsim_tree *tree, bool layer,
                          struct romsim_error *err)
{
    CLEANUP_BLOB struct romsim_blob *blob = tar_blob(tar);

    return romsim_tree_add_archive(tree, blob, layer, "test.tar", err);
}

static inline void tar_add_ok(struct tar *tar, struct romsim_tree *tree, bool layer)
{
    struct romsim_error err = {0};

    ck_assert_msg(tar_add(tar, tree, layer, &err) == 0, "%s", err.message);
}

/* The tree as lines "TYPE MODE PATH [= content | -> target]", sorted, for comparing. */
static inline char *tree_text(struct romsim_tree *tree)
{
    struct romsim_buffer text = ROMSIM_BUFFER_INIT(1 << 20);
    const struct romsim_inode *at = romsim_tree_root(tree);
    const struct romsim_dentry *dentry;

    ck_assert_int_eq(romsim_tree_sort(tree, NULL), 0);
    dentry = at->children;
    while (dentry) {
        struct romsim_inode *inode = dentry->inode;
        CLEANUP_FREE char *path = romsim_dentry_path(dentry);
        char data[256] = "";

        if (S_ISREG(inode->mode) && inode->size < sizeof(data))
            ck_assert_int_eq(romsim_inode_read(inode, 0, data, inode->size, NULL), 0);
        romsim_buffer_printf(&text, "%s%s%s%s%s%s", path, S_ISDIR(inode->mode) ? "/" : "",
                             S_ISREG(inode->mode) ? "=" : "", data, S_ISLNK(inode->mode) ? ">" : "",
                             inode->target ? inode->target : "");
        romsim_buffer_puts(&text, " ");
        if (inode->children) {
            dentry = inode->children;
            continue;
        }
        while (dentry && !dentry->next)
            dentry = dentry->parent->dentry;
        dentry = dentry ? dentry->next : NULL;
    }
    return romsim_buffer_steal(&text);
}

#define ASSERT_TREE(tree, expected)                                                                \
    do {                                                                                           \
        CLEANUP_FREE char *text_ = tree_text(tree);                                                \
        ck_assert_str_eq(text_, expected);                                                         \
    } while (0)

#endif
