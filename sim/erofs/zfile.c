/* SPDX-License-Identifier: BSD-3-Clause */
/* zfile.c: the map header of a compressed inode. */
#include "zfile.h"

#include <errno.h>

static int damaged(const struct erofs_zfile *file, const char *what, struct romsim_error *err)
{
    return romsim_error_set(err, EUCLEAN, "nid %llu: %s", (unsigned long long)file->inode->nid,
                            what);
}

static int check_header(const struct erofs_zfile *file, struct romsim_error *err)
{
    const uint16_t big1 = Z_EROFS_ADVISE_BIG_PCLUSTER_1, big2 = Z_EROFS_ADVISE_BIG_PCLUSTER_2;
    bool compact = file->inode->layout == ROMSIM_EROFS_COMPRESSED_COMPACT;

    for (int i = 0; i < 2; i++)
        if (file->algorithms[i] >= Z_EROFS_COMPRESSION_MAX)
            return romsim_error_set(err, EOPNOTSUPP, "nid %llu: unknown compression algorithm %u",
                                    (unsigned long long)file->inode->nid, file->algorithms[i]);
    if ((file->advise & (big1 | big2)) &&
        !erofs_has(file->erofs, EROFS_FEATURE_INCOMPAT_BIG_PCLUSTER))
        return damaged(file, "big pclusters in an image without the feature", err);
    if (compact && !(file->advise & big1) != !(file->advise & big2))
        return damaged(file, "compact indexes with big pclusters of one head only", err);
    if (compact && file->lcluster_bits > 14)
        return damaged(file, "compact indexes with lclusters over 16 KiB", err);
    return 0;
}

/* Finds the last extent's head, and where the tail-packed pcluster stands: behind the pack of
 * indexes that has the last lcluster's. */
static int find_tail(struct erofs_zfile *file, struct romsim_error *err)
{
    uint64_t last = file->inode->size - 1, end;
    struct erofs_lcluster lcluster;

    if (erofs_lcluster_load(file, last >> file->lcluster_bits, &lcluster, err) < 0)
        return -1;
    file->inline_offset = lcluster.next;
    if (erofs_lcluster_find_head(file, last, &lcluster, &end, err) < 0)
        return -1;
    file->tail_lcn = lcluster.lcn;
    if (file->has_fragment && file->inode->layout == ROMSIM_EROFS_COMPRESSED_FULL)
        file->fragment_offset |= (uint64_t)lcluster.block << 32;
    return 0;
}

static int check_fragment(const struct erofs_zfile *file, struct romsim_error *err)
{
    if (!file->erofs->packed.nid)
        return damaged(file, "a fragment, but there is no packed inode", err);
    if (file->inode->nid == file->erofs->packed.nid)
        return damaged(file, "the packed inode has a fragment of itself", err);
    return 0;
}

static int decode_header(struct erofs_zfile *file, const struct z_erofs_map_header *header,
                         struct romsim_error *err)
{
    uint8_t bits = header->b.a.h_clusterbits;
    le64 whole;

    if (bits >> Z_EROFS_FRAGMENT_INODE_BIT) {
        memcpy(&whole, header, sizeof(whole));
        file->advise = Z_EROFS_ADVISE_FRAGMENT_PCLUSTER;
        file->has_fragment = true;
        file->fragment_offset = le64_get(whole) & ~(UINT64_C(1) << 63);
        return check_fragment(file, err);
    }
    file->advise = le16_get(header->h_advise);
    file->has_fragment = file->advise & Z_EROFS_ADVISE_FRAGMENT_PCLUSTER;
    file->lcluster_bits = file->erofs->super.block_bits + (bits & 15);
    if (file->has_fragment && check_fragment(file, err) < 0)
        return -1;
    if (file->inode->layout == ROMSIM_EROFS_COMPRESSED_FULL &&
        (file->advise & Z_EROFS_ADVISE_EXTENTS)) {
        file->has_records = true;
        file->record_count =
            le32_get(header->u.h_extents_lo) | (uint64_t)le16_get(header->b.h_extents_hi) << 32;
        return 0;
    }
    file->algorithms[0] = header->b.a.h_algorithmtype & 15;
    file->algorithms[1] = header->b.a.h_algorithmtype >> 4;
    if (file->has_fragment)
        file->fragment_offset = le32_get(header->u.h_fragmentoff);
    else if (file->advise & Z_EROFS_ADVISE_INLINE_PCLUSTER)
        file->inline_size = le16_get(header->u.idata.h_idata_size);
    if (check_header(file, err) < 0)
        return -1;
    return file->inline_size || file->has_fragment ? find_tail(file, err) : 0;
}

int erofs_zfile_open(struct romsim_erofs *erofs, const struct romsim_erofs_inode *inode,
                     struct erofs_zfile *ret, struct romsim_error *err)
{
    struct z_erofs_map_header header;
    struct erofs_zfile file = {
        .erofs = erofs,
        .inode = inode,
        .in_metabox = erofs_nid_in_metabox(inode->nid),
        .lcluster_bits = erofs->super.block_bits,
    };
    uint64_t start;

    if (!checked_align_up(inode->data_start, sizeof(header), &start) ||
        !checked_add(start, sizeof(header), &file.header_end))
        return damaged(&file, "the map header is out of range", err);
    if (erofs_meta_read(erofs, file.in_metabox, start, &header, sizeof(header), "map header", err) <
            0 ||
        decode_header(&file, &header, err) < 0)
        return -1;
    *ret = file;
    return 0;
}
