/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * zindex.c: the index of an lcluster, in the full or the compact form.
 *
 * Compact: each pack ends in a 32-bit block number, before it stand as many fields of equal width
 * as it has lclusters: 2 of 16 bits (8 bytes a pack, "4B") or 16 of 14 bits (32 bytes, "2B").  A
 * field has the type in its highest two bits; its low bits are the offset of a head in its
 * lcluster, or a distance: back to the head, but in a pack's last field ahead to the next one, or
 * with the bit D0_CBLKCNT the number of the pcluster's blocks.  Block numbers other than the
 * pack's first are counted from the fields before.
 */
#include "zfile.h"

#include <errno.h>

enum { PACK_FIELDS_MAX = 16, PACK_SIZE_MAX = 32 };

static int damaged(const struct erofs_zfile *file, uint64_t lcn, const char *what,
                   struct romsim_error *err)
{
    return romsim_error_set(err, EUCLEAN, "nid %llu, lcluster %llu: %s",
                            (unsigned long long)file->inode->nid, (unsigned long long)lcn, what);
}

static int load_full(const struct erofs_zfile *file, uint64_t lcn, struct erofs_lcluster *ret,
                     struct romsim_error *err)
{
    const uint16_t big = Z_EROFS_ADVISE_BIG_PCLUSTER_1 | Z_EROFS_ADVISE_BIG_PCLUSTER_2;
    struct z_erofs_lcluster_index index;
    uint64_t position;
    uint16_t advise, back;

    if (!checked_multiply(lcn, sizeof(index), &position) ||
        !checked_add(position, file->header_end + Z_EROFS_FULL_INDEX_PADDING, &position))
        return damaged(file, lcn, "the index is out of range", err);
    if (erofs_meta_read(file->erofs, file->in_metabox, position, &index, sizeof(index),
                        "lcluster's index", err) < 0)
        return -1;
    ret->next = position + sizeof(index);
    advise = le16_get(index.di_advise);
    ret->type = advise & Z_EROFS_LI_LCLUSTER_TYPE_MASK;
    if (erofs_is_head(ret)) {
        ret->partial = advise & Z_EROFS_LI_PARTIAL_REF;
        ret->start = le16_get(index.di_clusterofs);
        ret->block = le32_get(index.di_u.blkaddr);
        if (ret->start >> file->lcluster_bits)
            return damaged(file, lcn, "an extent begins beyond the lcluster", err);
        return 0;
    }
    back = le16_get(index.di_u.n.delta[0]);
    ret->back = back;
    ret->ahead = max_u64(le16_get(index.di_u.n.delta[1]), 1); /* 0: by mkfs before 1.0 */
    if (back & Z_EROFS_LI_D0_CBLKCNT) {
        if (!(file->advise & big))
            return damaged(file, lcn, "a number of blocks without big pclusters", err);
        ret->block_count = back & ~Z_EROFS_LI_D0_CBLKCNT;
        ret->back = 1;
    }
    return 0;
}

/* A pack of compact indexes. */
struct pack {
    unsigned count; /* of fields */
    unsigned size;  /* bytes */
    unsigned field; /* the wanted one */
    uint64_t position;
    unsigned types[PACK_FIELDS_MAX];
    unsigned values[PACK_FIELDS_MAX];
    uint32_t block;
};

/* First come 4B packs up to a multiple of 32 bytes, then 2B packs (if the file has such), then 4B
 * packs for the rest. */
static void locate_pack(const struct erofs_zfile *file, uint64_t lcn, struct pack *pack)
{
    uint64_t block_mask = erofs_block_size(file->erofs) - 1;
    uint64_t total = (file->inode->size + block_mask) >> file->erofs->super.block_bits;
    uint64_t initial = (32 - file->header_end % 32) / 4 & 7;
    uint64_t in_2b = 0, position = file->header_end;
    unsigned unit = 4;

    if ((file->advise & Z_EROFS_ADVISE_COMPACTED_2B) && initial < total)
        in_2b = (total - initial) & ~UINT64_C(15);
    if (lcn >= initial) {
        position += initial * 4;
        lcn -= initial;
        if (lcn < in_2b) {
            unit = 2;
        } else {
            position += in_2b * 2;
            lcn -= in_2b;
        }
    }
    position += lcn * unit;
    pack->count = unit == 2 ? 16 : 2;
    pack->size = pack->count * unit;
    pack->field = position % pack->size / unit;
    pack->position = position - position % pack->size;
}

static int load_pack(const struct erofs_zfile *file, uint64_t lcn, struct pack *pack,
                     struct romsim_error *err)
{
    unsigned value_bits = max_u64(file->lcluster_bits, 12);
    unsigned field_bits;
    uint8_t bytes[PACK_SIZE_MAX];
    le32 word;

    locate_pack(file, lcn, pack);
    field_bits = (pack->size - 4) * 8 / pack->count;
    if (value_bits + 2 > field_bits)
        return damaged(file, lcn, "compact indexes that are too narrow for the lclusters", err);
    if (erofs_meta_read(file->erofs, file->in_metabox, pack->position, bytes, pack->size,
                        "lcluster's index", err) < 0)
        return -1;
    for (unsigned i = 0; i < pack->count; i++) {
        unsigned at = field_bits * i;
        uint32_t field;

        memcpy(&word, bytes + at / 8, sizeof(word));
        field = le32_get(word) >> (at & 7);
        pack->values[i] = field & ((1u << value_bits) - 1);
        pack->types[i] = field >> value_bits & Z_EROFS_LI_LCLUSTER_TYPE_MASK;
    }
    memcpy(&word, bytes + pack->size - sizeof(word), sizeof(word));
    pack->block = le32_get(word);
    return 0;
}

static bool is_nonhead(const struct pack *pack, unsigned field)
{
    return pack->types[field] == Z_EROFS_LCLUSTER_TYPE_NONHEAD;
}

/* The distance from a NONHEAD to the next head. */
static uint32_t distance_ahead(const struct pack *pack)
{
    const unsigned last = pack->count - 1;
    uint32_t distance = 0;

    for (unsigned i = pack->field; i < pack->count; i++, distance++)
        if (!is_nonhead(pack, i))
            return distance;
    if (!(pack->values[last] & Z_EROFS_LI_D0_CBLKCNT) && pack->values[last])
        distance += pack->values[last] - 1;
    return distance;
}

/* The distance from a NONHEAD back to its head; a pack's last field does not have it. */
static uint32_t distance_back(const struct pack *pack)
{
    uint32_t before;

    if (pack->field + 1 < pack->count)
        return pack->values[pack->field];
    if (!is_nonhead(pack, pack->field - 1))
        return 1;
    before = pack->values[pack->field - 1];
    return before & Z_EROFS_LI_D0_CBLKCNT ? 2 : before + 1;
}

/* The pclusters' blocks before the wanted head, small pclusters: one for each head. */
static uint32_t count_blocks(const struct pack *pack)
{
    int field = pack->field;
    uint32_t blocks = 1;

    while (field > 0) {
        field--;
        if (is_nonhead(pack, field))
            field -= pack->values[field];
        if (field >= 0)
            blocks++;
    }
    return blocks;
}

static int count_big_blocks(const struct pack *pack, uint32_t *ret)
{
    int field = pack->field;
    uint32_t blocks = 0;

    while (field > 0) {
        unsigned value;

        field--;
        value = pack->values[field];
        if (!is_nonhead(pack, field)) {
            blocks++;
        } else if (value & Z_EROFS_LI_D0_CBLKCNT) {
            field--;
            blocks += value & ~Z_EROFS_LI_D0_CBLKCNT;
        } else if (value <= 1) { /* the first NONHEAD has always the number of blocks */
            return -1;
        } else {
            field -= value - 2;
        }
    }
    *ret = blocks;
    return 0;
}

static int load_compact(const struct erofs_zfile *file, uint64_t lcn, struct erofs_lcluster *ret,
                        struct romsim_error *err)
{
    bool big = file->advise & Z_EROFS_ADVISE_BIG_PCLUSTER_1;
    struct pack pack = {0};
    uint32_t blocks;
    unsigned value;

    if (load_pack(file, lcn, &pack, err) < 0)
        return -1;
    value = pack.values[pack.field];
    ret->next = pack.position + pack.size;
    ret->type = pack.types[pack.field];
    if (erofs_is_head(ret)) {
        blocks = big ? 0 : count_blocks(&pack);
        if (big && count_big_blocks(&pack, &blocks) < 0)
            return damaged(file, lcn, "a big pcluster without a number of blocks", err);
        ret->start = value;
        ret->block = pack.block + blocks;
        if (ret->start >> file->lcluster_bits)
            return damaged(file, lcn, "an extent begins beyond the lcluster", err);
        return 0;
    }
    ret->ahead = max_u64(distance_ahead(&pack), 1);
    if (!(value & Z_EROFS_LI_D0_CBLKCNT)) {
        ret->back = distance_back(&pack);
        return 0;
    }
    if (!big)
        return damaged(file, lcn, "a number of blocks without big pclusters", err);
    ret->block_count = value & ~Z_EROFS_LI_D0_CBLKCNT;
    ret->back = 1;
    return 0;
}

int erofs_lcluster_load(const struct erofs_zfile *file, uint64_t lcn, struct erofs_lcluster *ret,
                        struct romsim_error *err)
{
    *ret = (struct erofs_lcluster){.lcn = lcn};
    if (file->inode->layout == ROMSIM_EROFS_COMPRESSED_FULL)
        return load_full(file, lcn, ret, err);
    return load_compact(file, lcn, ret, err);
}

int erofs_lcluster_find_head(const struct erofs_zfile *file, uint64_t offset,
                             struct erofs_lcluster *ret, uint64_t *ret_end,
                             struct romsim_error *err)
{
    uint64_t first = offset >> file->lcluster_bits, lcn = first, end = 0;
    uint64_t in_lcluster = offset - (lcn << file->lcluster_bits);
    struct erofs_lcluster lcluster;

    if (erofs_lcluster_load(file, lcn, &lcluster, err) < 0)
        return -1;
    while (!erofs_is_head(&lcluster) || (lcn == first && lcluster.start > in_lcluster)) {
        uint32_t back = erofs_is_head(&lcluster) ? 1 : lcluster.back;

        if (lcn == first && erofs_is_head(&lcluster))
            end = (first << file->lcluster_bits) + lcluster.start;
        if (!back || back > lcn)
            return damaged(file, lcn, "no head before it", err);
        lcn -= back;
        if ((first - lcn) << file->lcluster_bits > Z_EROFS_PCLUSTER_MAX_DSIZE)
            return damaged(file, first, "its extent begins too far before it", err);
        if (erofs_lcluster_load(file, lcn, &lcluster, err) < 0)
            return -1;
    }
    *ret = lcluster;
    *ret_end = end;
    return 0;
}
