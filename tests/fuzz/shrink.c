/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shrink.c: makes small seeds of large images: shrink IN OUT.
 *
 * An execution of the fuzzer costs by the image's size, and what is mutated is one byte of all: so
 * directories keep only names of inodes near the image's front, flat files keep one block (the same
 * for all) and their tail, and the image is cut behind what its check, or a walk, still needs.  An
 * image with its directories in a metabox keeps them.
 */
#include "tests/unit/damage.h"

#include <fcntl.h>
#include <romsim/erofs_check.h>
#include <romsim/file.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FRONT = 4096, FRONT_DATA = 57344, PIECE = 4096, ENTRIES_MAX = 64, BLOCK_MAX = 4096 };

struct shrink {
    uint8_t *bytes;
    uint64_t size;
    struct romsim_erofs_super super;
    struct romsim_erofs *front; /* the image, cut at FRONT_DATA; NULL if that is none */
};

static bool is_flat(const struct romsim_erofs_inode *inode)
{
    return inode->layout == ROMSIM_EROFS_FLAT_PLAIN || inode->layout == ROMSIM_EROFS_FLAT_INLINE;
}

static bool is_near(const struct shrink *shrink, const struct romsim_erofs_inode *inode)
{
    uint8_t buffer[PIECE];
    size_t got;

    if (inode->nid >> EROFS_DIRENT_NID_METABOX_BIT ||
        inode->offset >= (shrink->front ? FRONT : 8 * FRONT))
        return false;
    if (!shrink->front || is_flat(inode))
        return true;
    for (uint64_t at = 0; at < inode->size; at += PIECE)
        if (romsim_erofs_read(shrink->front, inode, at, buffer, PIECE, &got, NULL) < 0)
            return false;
    return true;
}

/* ---- directories ---------------------------------------------------------------------------- */

/* Writes a directory's entries, that are fewer now, in place. */
static void put_entries(uint8_t *block, const struct romsim_erofs_dirent *entries, size_t count)
{
    size_t at = count * sizeof(struct erofs_dirent);
    uint8_t bytes[BLOCK_MAX];

    for (size_t i = 0; i < count; i++) {
        const struct erofs_dirent dirent = {
            .nid = le64_make(entries[i].nid),
            .nameoff = le16_make(at),
            .file_type = entries[i].file_type,
        };

        memcpy(bytes + i * sizeof(dirent), &dirent, sizeof(dirent));
        memcpy(bytes + at, entries[i].name, entries[i].name_size);
        at += entries[i].name_size;
    }
    memcpy(block, bytes, at);
}

/* The links of a directory are those of its two names and of its directories' "..". */
static void set_size(struct shrink *shrink, const struct romsim_erofs_inode *inode, uint64_t size,
                     uint32_t links)
{
    struct erofs_inode_extended *extended = (void *)(shrink->bytes + inode->offset);
    struct erofs_inode_compact *compact = (void *)extended;

    if (inode->extended) {
        extended->i_size = le64_make(size);
        extended->i_nlink = le32_make(links);
    } else {
        compact->i_size = le32_make(size);
        if (S_ISDIR(inode->mode) || inode->links != 1)
            compact->i_nb.nlink = le16_make(links);
    }
}

static void shrink_directory(struct shrink *shrink, struct romsim_erofs *erofs,
                             const struct romsim_erofs_inode *directory)
{
    struct romsim_erofs_dirent entries[ENTRIES_MAX];
    uint64_t cursor = 0, size = 0;
    struct romsim_erofs_inode inode;
    uint32_t links = directory->links;
    uint8_t scratch[ROMSIM_EROFS_BLOCK_MAX];
    size_t count = 0;

    while (count < ENTRIES_MAX && romsim_erofs_readdir(erofs, directory, cursor, &cursor,
                                                       &entries[count], scratch, NULL) > 0) {
        if (romsim_erofs_inode(erofs, entries[count].nid, &inode, NULL) < 0)
            return;
        if (is_near(shrink, &inode))
            size += sizeof(struct erofs_dirent) + entries[count++].name_size;
        else
            links -= S_ISDIR(inode.mode);
    }
    put_entries(shrink->bytes + directory->data_start, entries, count);
    set_size(shrink, directory, size, links);
}

/* ---- files ---------------------------------------------------------------------------------- */

/* One block, the image's second, and the tail behind the inode. */
static void shrink_file(struct shrink *shrink, const struct romsim_erofs_inode *inode)
{
    struct erofs_inode_compact *compact = (void *)(shrink->bytes + inode->offset);
    uint64_t block = UINT64_C(1) << shrink->super.block_bits;

    if (inode->size < block)
        return;
    if (inode->extended)
        ((struct erofs_inode_extended *)compact)->i_u.startblk_lo = le32_make(FRONT / block);
    else
        compact->i_u.startblk_lo = le32_make(FRONT / block);
    set_size(shrink, inode, block + inode->size % block, inode->links);
}

static int shrink_inode(struct shrink *shrink, struct romsim_erofs *erofs, uint64_t nid)
{
    struct romsim_erofs_inode inode;

    if (romsim_erofs_inode(erofs, nid, &inode, NULL) < 0 || !is_near(shrink, &inode))
        return -1;
    if (S_ISDIR(inode.mode) && inode.layout == ROMSIM_EROFS_FLAT_INLINE)
        shrink_directory(shrink, erofs, &inode);
    else if (S_ISREG(inode.mode) && is_flat(&inode))
        shrink_file(shrink, &inode);
    return 0;
}

struct visit {
    struct shrink *shrink;
    struct romsim_erofs *erofs;
};

static int visit_inode(void *context, const char *path, const struct romsim_erofs_inode *inode)
{
    struct visit *visit = context;

    (void)path;
    return shrink_inode(visit->shrink, visit->erofs, inode->nid) < 0 ? ROMSIM_EROFS_WALK_SKIP : 0;
}

/* ---- the end -------------------------------------------------------------------------------- */

static int no_visit(void *context, const char *path, const struct romsim_erofs_inode *inode)
{
    (void)context, (void)path, (void)inode;
    return 0;
}

/* Errors of the first `size` bytes; a metabox's image: only whether all inodes can be read. */
static uint64_t count_errors(const struct shrink *shrink, uint64_t size)
{
    CLEANUP_BLOB struct romsim_blob *blob = romsim_blob_from_bytes(shrink->bytes, size, NULL);
    CLEANUP_EROFS struct romsim_erofs *erofs = romsim_erofs_open(blob, NULL);
    struct romsim_erofs_census census = {0};

    if (!erofs)
        return UINT64_MAX;
    if (shrink->super.feature_incompat & EROFS_FEATURE_INCOMPAT_METABOX)
        return romsim_erofs_walk(erofs, no_visit, NULL, NULL) != 0;
    romsim_erofs_check(blob, NULL, NULL, &census, NULL);
    return census.errors;
}

static void cut(struct shrink *shrink)
{
    uint64_t errors = count_errors(shrink, shrink->size);
    uint64_t least = FRONT >> 9, most = shrink->size >> 9;

    while (least < most) {
        uint64_t middle = (least + most) / 2;

        if (count_errors(shrink, middle << 9) <= errors)
            most = middle;
        else
            least = middle + 1;
    }
    shrink->size = most << 9;
}

static void set_compat(uint8_t *bytes, uint32_t feature_compat)
{
    ((struct erofs_super_block *)(bytes + EROFS_SUPER_OFFSET))->feature_compat =
        le32_make(feature_compat);
}

static int shrink_blob(struct romsim_blob *blob, int fd)
{
    CLEANUP_EROFS struct romsim_erofs *erofs = romsim_erofs_open(blob, NULL);
    CLEANUP_FREE uint8_t *bytes = malloc(romsim_blob_size(blob));
    struct shrink shrink = {.bytes = bytes, .size = romsim_blob_size(blob)};
    CLEANUP_BLOB struct romsim_blob *slice = romsim_blob_slice(blob, 0, FRONT_DATA, NULL);
    CLEANUP_EROFS struct romsim_erofs *front = slice ? romsim_erofs_open(slice, NULL) : NULL;
    struct visit visit = {&shrink, erofs};

    if (!erofs || !bytes)
        return -1;
    shrink.front = front;
    memcpy(bytes, romsim_blob_bytes(blob), shrink.size);
    romsim_erofs_super(erofs, &shrink.super);
    set_compat(bytes, shrink.super.feature_compat & ~EROFS_FEATURE_COMPAT_SB_CHKSUM);
    romsim_erofs_walk(erofs, visit_inode, &visit, NULL);
    cut(&shrink);
    set_compat(bytes, shrink.super.feature_compat);
    damage_fix_checksum(bytes, shrink.size);
    return romsim_write_fully(fd, bytes, shrink.size, 0) == 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
    CLEANUP_BLOB struct romsim_blob *blob = argc == 3 ? romsim_blob_snapshot(argv[1], NULL) : NULL;
    CLEANUP_FD int fd = blob ? open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) : -1;

    if (fd < 0 || shrink_blob(blob, fd) < 0) {
        fprintf(stderr, "shrink: cannot shrink %s\n", argc > 1 ? argv[1] : "nothing");
        return 1;
    }
    return 0;
}
