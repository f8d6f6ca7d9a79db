/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * crafted.h: small EROFS images made byte by byte, for what no tool would write.
 *
 * Blocks of 4096 bytes.  Block 0: superblock without a checksum; blocks 1 to 3: inodes (nid n at
 * 4096 + 32 n), each made in two slots; from block 4 on: data.  The root is nid 0, its only block
 * is block 4, with the entries that craft_entry() adds.
 */
#ifndef ROMSIM_TESTS_CRAFTED_H
#define ROMSIM_TESTS_CRAFTED_H

#include "harness.h"

#include "sim/erofs/format.h"

#include <romsim/blob.h>
#include <romsim/erofs.h>
#include <romsim/erofs_check.h>
#include <sys/stat.h>

enum {
    CRAFT_BLOCK = 4096,
    CRAFT_META = 1,
    CRAFT_DATA = 4,
    CRAFT_BLOCKS = 32,
    CRAFT_SIZE = CRAFT_BLOCKS * CRAFT_BLOCK,
    CRAFT_ENTRIES = 20,
};

struct crafted {
    uint8_t bytes[CRAFT_SIZE];
    struct {
        char name[256];
        uint64_t nid;
        uint8_t type;
    } entries[CRAFT_ENTRIES]; /* of the root, in order */
    size_t entry_count;
};

static inline struct erofs_super_block *craft_super(struct crafted *image)
{
    return (struct erofs_super_block *)(image->bytes + EROFS_SUPER_OFFSET);
}

static inline struct erofs_inode_extended *craft_inode(struct crafted *image, uint64_t nid)
{
    return (struct erofs_inode_extended *)(image->bytes + CRAFT_META * CRAFT_BLOCK + nid * 32);
}

static inline void *craft_block(struct crafted *image, unsigned block)
{
    return image->bytes + block * CRAFT_BLOCK;
}

/* Makes an extended inode. */
static inline struct erofs_inode_extended *craft_file(struct crafted *image, uint64_t nid,
                                                      unsigned layout, uint32_t mode, uint64_t size,
                                                      uint32_t start)
{
    struct erofs_inode_extended *inode = craft_inode(image, nid);

    *inode = (struct erofs_inode_extended){
        .i_format = le16_make(EROFS_INODE_LAYOUT_EXTENDED | layout << EROFS_I_DATALAYOUT_BIT),
        .i_mode = le16_make(mode),
        .i_size = le64_make(size),
        .i_u = {.startblk_lo = le32_make(start)},
        .i_nlink = le32_make(S_ISDIR(mode) ? 2 : 1),
    };
    return inode;
}

/* Writes the entries into a directory's block; returns the directory's size. */
static inline size_t craft_dirents(uint8_t *block, const char *const *names, const uint64_t *nids,
                                   const uint8_t *types, size_t count)
{
    size_t at = count * sizeof(struct erofs_dirent);

    for (size_t i = 0; i < count; i++) {
        struct erofs_dirent *dirent = (struct erofs_dirent *)block + i;

        dirent->nid = le64_make(nids[i]);
        dirent->nameoff = le16_make(at);
        dirent->file_type = types[i];
        memcpy(block + at, names[i], strlen(names[i]));
        at += strlen(names[i]);
    }
    return at;
}

static inline void craft_entry(struct crafted *image, const char *name, uint64_t nid, uint8_t type)
{
    size_t at = image->entry_count++;

    snprintf(image->entries[at].name, sizeof(image->entries[at].name), "%s", name);
    image->entries[at].nid = nid;
    image->entries[at].type = type;
}

/* An image with an empty root. */
static inline struct crafted *craft_new(void)
{
    struct crafted *image = calloc(1, sizeof(*image));

    ck_assert_ptr_nonnull(image);
    *craft_super(image) = (struct erofs_super_block){
        .magic = le32_make(EROFS_SUPER_MAGIC_V1),
        .blkszbits = 12,
        .inos = le64_make(1),
        .blocks_lo = le32_make(CRAFT_BLOCKS),
        .meta_blkaddr = le32_make(CRAFT_META),
    };
    craft_entry(image, ".", 0, EROFS_FT_DIR);
    craft_entry(image, "..", 0, EROFS_FT_DIR);
    return image;
}

/* Writes the root, with what was entered. */
static inline void craft_finish(struct crafted *image)
{
    const char *names[CRAFT_ENTRIES];
    uint64_t nids[CRAFT_ENTRIES];
    uint8_t types[CRAFT_ENTRIES];
    uint32_t links = 2;
    size_t size;

    for (size_t i = 0; i < image->entry_count; i++) {
        names[i] = image->entries[i].name;
        nids[i] = image->entries[i].nid;
        types[i] = image->entries[i].type;
        links += i > 1 && types[i] == EROFS_FT_DIR;
    }
    size = craft_dirents(craft_block(image, CRAFT_DATA), names, nids, types, image->entry_count);
    craft_file(image, 0, ROMSIM_EROFS_FLAT_PLAIN, S_IFDIR | 0755, size, CRAFT_DATA)->i_nlink =
        le32_make(links);
}

static inline struct romsim_blob *craft_blob(const struct crafted *image)
{
    struct romsim_blob *blob = romsim_blob_from_bytes(image->bytes, CRAFT_SIZE, NULL);

    ck_assert_ptr_nonnull(blob);
    return blob;
}

/* ---- asking ------------------------------------------------------------------------------- */

/* What the checker said, all of it. */
struct findings {
    char text[65536];
    size_t size;
};

static inline void collect(void *context, const struct romsim_erofs_finding *finding)
{
    struct findings *findings = context;

    findings->size +=
        snprintf(findings->text + findings->size, sizeof(findings->text) - findings->size,
                 "%s: %s\n", finding->path, finding->message);
    if (findings->size >= sizeof(findings->text))
        findings->size = sizeof(findings->text) - 1;
}

/* Finishes the image, checks it, and looks for a message. */
static inline void check_says(struct crafted *image, const char *message)
{
    static struct findings findings;
    struct romsim_blob *blob = craft_blob(image);
    struct romsim_error err = {0};
    int result;

    memset(&findings, 0, sizeof(findings));
    result = romsim_erofs_check(blob, collect, &findings, NULL, &err);
    if (result < 0)
        snprintf(findings.text, sizeof(findings.text), "%s", err.message);
    ck_assert_int_ne(result, 0);
    ck_assert_msg(strstr(findings.text, message) != NULL, "no '%s' in:\n%.2000s", message,
                  findings.text);
    romsim_blob_unref(blob);
}

/* Reads the first bytes of "/f". */
static inline int read_file(struct crafted *image, uint64_t offset, struct romsim_error *err)
{
    struct romsim_blob *blob = craft_blob(image);
    struct romsim_erofs *erofs = romsim_erofs_open(blob, err);
    struct romsim_erofs_inode inode;
    uint8_t buffer[8192];
    size_t got = 0;
    int result = -1;

    if (erofs && romsim_erofs_lookup_path(erofs, "/f", &inode, err) == 1)
        result = romsim_erofs_read(erofs, &inode, offset, buffer, sizeof(buffer), &got, err);
    romsim_erofs_close(erofs);
    romsim_blob_unref(blob);
    return result < 0 ? -1 : (int)got;
}

/* An image with one regular file "/f" at nid 4. */
static inline struct erofs_inode_extended *craft_one(struct crafted *image, unsigned layout,
                                                     uint64_t size, uint32_t start)
{
    craft_entry(image, "f", 4, EROFS_FT_REG_FILE);
    craft_finish(image);
    return craft_file(image, 4, layout, S_IFREG | 0644, size, start);
}

#endif
