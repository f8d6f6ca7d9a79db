/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * zextent.c: files of the 48-bit layout that have records of whole extents instead of indexes.
 *
 * Records of 4 or 8 bytes: all extents have one lcluster's length; with 4 bytes (only the encoded
 * length) their pclusters follow each other and the first one's position stands before them.
 * Records of 16 or 32 bytes have their own starts and are searched by halving.
 * Positions are in bytes, not blocks.
 */
#include "zfile.h"

#include <errno.h>

enum { RECORDS_AT_ONCE = 64 };

static int damaged(const struct erofs_zfile *file, const char *what, struct romsim_error *err)
{
    return romsim_error_set(err, EUCLEAN, "nid %llu: %s", (unsigned long long)file->inode->nid,
                            what);
}

static unsigned record_size(const struct erofs_zfile *file)
{
    return 4u << (file->advise >> Z_EROFS_ADVISE_EXTRECSZ_BIT & Z_EROFS_ADVISE_EXTRECSZ_MASK);
}

/* A record, decoded. */
struct record {
    uint32_t plen; /* with its flags */
    uint64_t position;
    uint64_t start, end; /* of the extent in the file */
    bool is_last;
};

/* Reads `count` records from `index` on, of `size` bytes each, from the table at `table`. */
static int read_records(const struct erofs_zfile *file, uint64_t table, uint64_t index,
                        unsigned size, unsigned count, void *buffer, struct romsim_error *err)
{
    uint64_t position;

    if (!checked_multiply(index, size, &position) || !checked_add(position, table, &position))
        return damaged(file, "an extent's record is out of range", err);
    return erofs_meta_read(file->erofs, file->in_metabox, position, buffer, (size_t)size * count,
                           "extent's record", err);
}

/* The position of a 4-byte record's pcluster is the sum of all before. */
static int sum_record(const struct erofs_zfile *file, uint64_t table, uint64_t wanted,
                      struct record *record, struct romsim_error *err)
{
    struct erofs_zcache *cache = file->erofs->cache;
    le32 lengths[RECORDS_AT_ONCE];
    uint64_t index = 0;
    le64 first;

    if (!erofs_zcache_recall(cache, file->inode->nid, wanted, &index, &record->position)) {
        if (read_records(file, table, 0, sizeof(first), 1, &first, err) < 0)
            return -1;
        record->position = le64_get(first);
    }
    table += sizeof(first);
    for (unsigned count; index < wanted; index += count) {
        count = min_u64(wanted - index, RECORDS_AT_ONCE);
        if (read_records(file, table, index, sizeof(lengths[0]), count, lengths, err) < 0)
            return -1;
        for (unsigned i = 0; i < count; i++)
            record->position += le32_get(lengths[i]) & Z_EROFS_EXTENT_PLEN_MASK;
    }
    if (read_records(file, table, wanted, sizeof(lengths[0]), 1, lengths, err) < 0)
        return -1;
    record->plen = le32_get(lengths[0]);
    erofs_zcache_remember(cache, file->inode->nid, wanted, record->position);
    return 0;
}

/* The record of extents of equal length. */
static int find_equal(const struct erofs_zfile *file, uint64_t table, uint64_t offset,
                      struct record *record, struct romsim_error *err)
{
    uint64_t index = offset >> file->lcluster_bits;
    uint64_t length = UINT64_C(1) << file->lcluster_bits;
    struct {
        le32 plen;
        le32 position;
    } disk;

    record->start = index << file->lcluster_bits;
    record->end = min_u64(record->start + length, file->inode->size);
    record->is_last = record->end == file->inode->size;
    if (record_size(file) == 4)
        return sum_record(file, table, index, record, err);
    if (read_records(file, table, index, sizeof(disk), 1, &disk, err) < 0)
        return -1;
    record->plen = le32_get(disk.plen);
    record->position = le32_get(disk.position);
    return 0;
}

static int read_own(const struct erofs_zfile *file, uint64_t table, uint64_t index,
                    struct record *ret, struct romsim_error *err)
{
    struct z_erofs_extent disk = {0};
    unsigned size = record_size(file);

    if (read_records(file, table, index, size, 1, &disk, err) < 0)
        return -1;
    ret->plen = le32_get(disk.plen);
    ret->position = le32_get(disk.pstart_lo) | (uint64_t)le32_get(disk.pstart_hi) << 32;
    ret->start = le32_get(disk.lstart_lo);
    if (size > 16)
        ret->start |= (uint64_t)le32_get(disk.lstart_hi) << 32;
    return 0;
}

/* The last record that begins at or before `offset`; none: a hole up to the first one. */
static int find_own(const struct erofs_zfile *file, uint64_t table, uint64_t offset,
                    struct record *record, struct romsim_error *err)
{
    uint64_t low = 0, high = file->record_count;

    record->end = file->inode->size;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        struct record candidate;

        if (read_own(file, table, middle, &candidate, err) < 0)
            return -1;
        if (candidate.start > offset) {
            if (candidate.start > record->end)
                return damaged(file, "extents are not in order", err);
            record->end = candidate.start;
            high = middle;
        } else {
            record->plen = candidate.plen;
            record->position = candidate.position;
            record->start = candidate.start;
            low = middle + 1;
        }
    }
    record->is_last = low >= file->record_count;
    return 0;
}

static int encoded_extent(const struct erofs_zfile *file, const struct record *record,
                          uint64_t offset, struct erofs_extent *extent, struct romsim_error *err)
{
    unsigned format = record->plen >> Z_EROFS_EXTENT_PLEN_FMT_BIT;
    uint32_t encoded = record->plen & Z_EROFS_EXTENT_PLEN_MASK;
    bool interlaced = (file->advise & Z_EROFS_ADVISE_INTERLACED_PCLUSTER) &&
                      !erofs_in_block(file->erofs, record->position | encoded);

    extent->kind = EROFS_EXTENT_PCLUSTER;
    extent->position = record->position;
    extent->encoded = encoded;
    extent->partial = record->plen & Z_EROFS_EXTENT_PLEN_PARTIAL;
    if (format)
        extent->algorithm = format - 1;
    else
        extent->kind = EROFS_EXTENT_RAW;
    if (erofs_check_position(file, extent, err) < 0 || erofs_check_pcluster(file, extent, err) < 0)
        return -1;
    return format ? 0 : erofs_plain_extent(file, offset, interlaced, extent, err);
}

int erofs_record_extent(const struct erofs_zfile *file, uint64_t offset, struct erofs_extent *ret,
                        struct romsim_error *err)
{
    unsigned size = record_size(file);
    struct record record = {0};
    struct erofs_extent extent = {.kind = EROFS_EXTENT_HOLE};
    uint64_t table;
    int result;

    if (!checked_align_up(file->header_end, size, &table))
        return damaged(file, "the extents' records are out of range", err);
    result = size <= 8 ? find_equal(file, table, offset, &record, err)
                       : find_own(file, table, offset, &record, err);
    if (result < 0)
        return -1;
    extent.start = record.start;
    extent.length = record.end - record.start;
    if (record.is_last && file->has_fragment) {
        extent.kind = EROFS_EXTENT_FRAGMENT;
        extent.position = record.plen;
        if (size > 4)
            extent.position |= record.position << 32;
    } else if (record.plen & Z_EROFS_EXTENT_PLEN_MASK) {
        if (encoded_extent(file, &record, offset, &extent, err) < 0)
            return -1;
    }
    *ret = extent;
    return 0;
}
