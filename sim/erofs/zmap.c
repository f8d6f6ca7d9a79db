/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * zmap.c: from indexes to extents.
 *
 * An extent reaches from its head to the next one.  No extent decodes to more than 12 MiB, so
 * looking for its ends takes a bounded number of steps, whatever the indexes say.
 */
#include "zfile.h"

#include <errno.h>

static int damaged(const struct erofs_zfile *file, uint64_t offset, const char *what,
                   struct romsim_error *err)
{
    return romsim_error_set(err, EUCLEAN, "nid %llu, byte %llu: %s",
                            (unsigned long long)file->inode->nid, (unsigned long long)offset, what);
}

/* Where the extent that begins at `head` ends.  If an index on the way is damaged, then there, and
 * there may be more (head->partial): the kernel looks no farther than it has to read. */
static int find_end(const struct erofs_zfile *file, struct erofs_lcluster *head, uint64_t *ret,
                    struct romsim_error *err)
{
    uint64_t limit = head->lcn + (Z_EROFS_PCLUSTER_MAX_DSIZE >> file->lcluster_bits) + 1;

    for (uint64_t lcn = head->lcn + 1; lcn <= limit;) {
        struct erofs_lcluster lcluster;
        uint64_t start = lcn << file->lcluster_bits;

        if (start >= file->inode->size) {
            *ret = file->inode->size;
            return 0;
        }
        if (erofs_lcluster_load(file, lcn, &lcluster, NULL) < 0) {
            head->partial = true;
            *ret = start;
            return 0;
        }
        if (erofs_is_head(&lcluster)) {
            *ret = min_u64(start + lcluster.start, file->inode->size);
            return 0;
        }
        lcn += lcluster.ahead;
    }
    return damaged(file, head->lcn << file->lcluster_bits, "an extent is longer than 12 MiB", err);
}

/* How many blocks the pcluster has: the first NONHEAD behind the head says so. */
static int find_block_count(const struct erofs_zfile *file, const struct erofs_lcluster *head,
                            uint32_t *ret, struct romsim_error *err)
{
    bool big =
        file->advise & (head->type == Z_EROFS_LCLUSTER_TYPE_HEAD1 ? Z_EROFS_ADVISE_BIG_PCLUSTER_1
                                                                  : Z_EROFS_ADVISE_BIG_PCLUSTER_2);
    struct erofs_lcluster next;

    *ret = 1;
    if (!big || (head->lcn + 1) << file->lcluster_bits >= file->inode->size)
        return 0;
    if (erofs_lcluster_load(file, head->lcn + 1, &next, err) < 0)
        return -1;
    if (erofs_is_head(&next))
        return 0;
    if (next.back != 1)
        return damaged(file, head->lcn << file->lcluster_bits,
                       "a big pcluster without a number of blocks", err);
    if (next.block_count)
        *ret = next.block_count;
    return 0;
}

int erofs_check_position(const struct erofs_zfile *file, const struct erofs_extent *extent,
                         struct romsim_error *err)
{
    if (extent->position >> file->erofs->super.block_bits)
        return 0;
    return damaged(file, extent->start, "its pcluster begins in the image's first block", err);
}

int erofs_check_pcluster(const struct erofs_zfile *file, const struct erofs_extent *extent,
                         struct romsim_error *err)
{
    if (extent->encoded > Z_EROFS_PCLUSTER_MAX_SIZE || extent->length > Z_EROFS_PCLUSTER_MAX_DSIZE)
        return romsim_error_set(
            err, EUCLEAN, "nid %llu, byte %llu: a pcluster of %u bytes for %llu",
            (unsigned long long)file->inode->nid, (unsigned long long)extent->start,
            extent->encoded, (unsigned long long)extent->length);
    if (extent->kind != EROFS_EXTENT_PCLUSTER)
        return 0;
    if (!(file->erofs->algorithms >> extent->algorithm & 1))
        return romsim_error_set(err, EUCLEAN,
                                "nid %llu, byte %llu: compression algorithm %u, which the "
                                "superblock does not name",
                                (unsigned long long)file->inode->nid,
                                (unsigned long long)extent->start, extent->algorithm);
    return 0;
}

/* Interlaced: the bytes stand at their places modulo the block size, so those up to the first
 * block's end are the pcluster's last ones. */
int erofs_plain_extent(const struct erofs_zfile *file, uint64_t offset, bool interlaced,
                       struct erofs_extent *extent, struct romsim_error *err)
{
    uint64_t right = 0, lcluster_end = ((offset >> file->lcluster_bits) + 1) << file->lcluster_bits;

    extent->kind = EROFS_EXTENT_RAW;
    if (extent->length > extent->encoded) /* of that the kernel reads what it has to */
        extent->length = min_u64(extent->length, lcluster_end - extent->start);
    if (extent->length > extent->encoded)
        return damaged(file, extent->start, "a plain pcluster is shorter than its extent", err);
    if (!interlaced)
        return 0;
    right = erofs_block_size(file->erofs) - erofs_in_block(file->erofs, extent->start);
    if (offset - extent->start >= right) {
        extent->start += right;
        extent->length -= right;
        return 0;
    }
    if (right > extent->encoded)
        return damaged(file, extent->start, "an interlaced pcluster is too short", err);
    extent->position += extent->encoded - right;
    extent->length = min_u64(extent->length, right);
    return 0;
}

/* Is the extent of this head stored as the file's fragment, or tail-packed? */
static bool is_tail_of(const struct erofs_zfile *file, const struct erofs_lcluster *head)
{
    return (file->has_fragment || file->inline_size) && head->lcn == file->tail_lcn;
}

/* What is tail-packed stands as it is. */
static bool is_interlaced(const struct erofs_zfile *file, const struct erofs_lcluster *head)
{
    return (file->advise & Z_EROFS_ADVISE_INTERLACED_PCLUSTER) && !is_tail_of(file, head);
}

/* Where the pcluster of an extent is, and how long. */
static int locate(const struct erofs_zfile *file, const struct erofs_lcluster *head,
                  struct erofs_extent *extent, struct romsim_error *err)
{
    bool is_tail = is_tail_of(file, head);
    uint32_t blocks;

    if (is_tail && file->has_fragment) {
        extent->kind = EROFS_EXTENT_FRAGMENT;
        extent->position = file->fragment_offset;
        return 0;
    }
    if (is_tail) {
        extent->in_metabox = file->in_metabox;
        extent->position = file->inline_offset;
        extent->encoded = file->inline_size;
        if (erofs_in_block(file->erofs, extent->position) + extent->encoded >
            erofs_block_size(file->erofs))
            return damaged(file, extent->start, "the tail-packed pcluster crosses a block's end",
                           err);
        return 0;
    }
    if (find_block_count(file, head, &blocks, err) < 0)
        return -1;
    extent->position = (uint64_t)head->block << file->erofs->super.block_bits;
    extent->encoded = min_u64((uint64_t)blocks << file->erofs->super.block_bits, UINT32_MAX);
    return erofs_check_position(file, extent, err);
}

static int index_extent(const struct erofs_zfile *file, uint64_t offset, struct erofs_extent *ret,
                        struct romsim_error *err)
{
    struct erofs_extent extent = {.kind = EROFS_EXTENT_PCLUSTER};
    struct erofs_lcluster head;
    uint64_t end = 0;

    /* The end that the offset's own lcluster names counts, as for the kernel. */
    if (erofs_lcluster_find_head(file, offset, &head, &end, err) < 0 ||
        (!end && find_end(file, &head, &end, err) < 0))
        return -1;
    end = min_u64(end, file->inode->size);
    extent.start = (head.lcn << file->lcluster_bits) + head.start;
    if (offset < extent.start || offset >= end)
        return damaged(file, offset, "the indexes contradict each other", err);
    extent.length = end - extent.start;
    extent.partial = head.partial;
    if (locate(file, &head, &extent, err) < 0)
        return -1;
    if (extent.kind == EROFS_EXTENT_PCLUSTER) {
        if (head.type == Z_EROFS_LCLUSTER_TYPE_PLAIN) {
            if (erofs_plain_extent(file, offset, is_interlaced(file, &head), &extent, err) < 0)
                return -1;
        } else {
            extent.algorithm = file->algorithms[head.type == Z_EROFS_LCLUSTER_TYPE_HEAD2];
        }
        if (erofs_check_pcluster(file, &extent, err) < 0)
            return -1;
    }
    *ret = extent;
    return 0;
}

int erofs_zfile_extent(const struct erofs_zfile *file, uint64_t offset, struct erofs_extent *ret,
                       struct romsim_error *err)
{
    if (file->has_records)
        return erofs_record_extent(file, offset, ret, err);
    if (!file->has_fragment || file->tail_lcn)
        return index_extent(file, offset, ret, err);
    *ret = (struct erofs_extent){
        .kind = EROFS_EXTENT_FRAGMENT,
        .length = file->inode->size,
        .position = file->fragment_offset,
    };
    return 0;
}
