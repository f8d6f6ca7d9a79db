/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chunk.c: chunk-based files: a table of 4-byte block numbers or 8-byte indexes behind the inode,
 * one for each chunk.  The device ids in the indexes have no meaning in an image without extra
 * devices (the kernel masks them away, too).
 */
#include "reader.h"

#include <errno.h>

/* The block where a chunk begins, or EROFS_NO_START. */
static int chunk_start(struct romsim_erofs *erofs, const struct romsim_erofs_inode *inode,
                       uint64_t index, uint64_t *ret, struct romsim_error *err)
{
    bool has_indexes = inode->chunk_format & EROFS_CHUNK_FORMAT_INDEXES;
    bool in_metabox = erofs_nid_in_metabox(inode->nid);
    uint64_t unit =
        has_indexes ? sizeof(struct erofs_inode_chunk_index) : EROFS_BLOCK_MAP_ENTRY_SIZE;
    uint64_t null = EROFS_NULL_ADDR;
    struct erofs_inode_chunk_index entry = {0};
    uint64_t position, table, start;

    if (!checked_align_up(inode->data_start, unit, &table) ||
        !checked_multiply(index, unit, &position) || !checked_add(table, position, &position))
        return romsim_error_set(err, EUCLEAN, "nid %llu: chunk %llu is out of range",
                                (unsigned long long)inode->nid, (unsigned long long)index);
    if (!has_indexes) {
        if (erofs_meta_read(erofs, in_metabox, position, &entry.startblk_lo, unit,
                            "chunk's block number", err) < 0)
            return -1;
        start = le32_get(entry.startblk_lo);
    } else {
        if (erofs_meta_read(erofs, in_metabox, position, &entry, unit, "chunk's index", err) < 0)
            return -1;
        start = le32_get(entry.startblk_lo);
        if (inode->chunk_format & EROFS_CHUNK_FORMAT_48BIT) {
            start |= (uint64_t)le16_get(entry.startblk_hi) << 32;
            null = (UINT64_C(1) << 48) - 1;
        }
    }
    *ret = start == null ? EROFS_NO_START : start;
    return 0;
}

int erofs_chunk_extent(struct romsim_erofs *erofs, const struct romsim_erofs_inode *inode,
                       uint64_t offset, struct erofs_extent *ret, struct romsim_error *err)
{
    unsigned bits =
        erofs->super.block_bits + (inode->chunk_format & EROFS_CHUNK_FORMAT_BLKBITS_MASK);
    uint64_t index = offset >> bits;
    struct erofs_extent extent = {.kind = EROFS_EXTENT_HOLE, .start = index << bits};
    uint64_t start = 0, end;

    extent.length = min_u64(UINT64_C(1) << bits, inode->size - extent.start);
    if (chunk_start(erofs, inode, index, &start, err) < 0)
        return -1;
    if (start != EROFS_NO_START) {
        extent.kind = EROFS_EXTENT_RAW;
        if (!checked_shift_left(start, erofs->super.block_bits, &extent.position) ||
            !checked_add(extent.position, extent.length, &end))
            return romsim_error_set(err, EUCLEAN, "nid %llu: chunk %llu begins at block %llu",
                                    (unsigned long long)inode->nid, (unsigned long long)index,
                                    (unsigned long long)start);
    }
    *ret = extent;
    return 0;
}
