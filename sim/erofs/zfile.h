/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * zfile.h: what the files about compressed inodes share.
 *
 * A compressed file is cut into lclusters of equal (logical) size.  An index tells for each one
 * whether a pcluster (the encoded bytes) begins in it, at which offset, and where it is: HEAD or
 * PLAIN; or how far away its head is: NONHEAD.  The indexes are in the full form (8 bytes each) or
 * the compact form (packs of 2 or 16 that share one block number); the 48-bit layout also has
 * records of whole extents instead.  The end of a file may stand behind its indexes (tail-packing)
 * or in the packed inode (a fragment).
 *
 * zfile.c reads the map header, zindex.c an lcluster's index, zmap.c makes extents from indexes,
 * zextent.c finds the records of whole extents, decompress.c decodes, zcache.c keeps what was
 * decoded.
 */
#ifndef ROMSIM_EROFS_ZFILE_H
#define ROMSIM_EROFS_ZFILE_H

#include "reader.h"

/* A compressed inode's map header, decoded. */
struct erofs_zfile {
    struct romsim_erofs *erofs;
    const struct romsim_erofs_inode *inode;
    bool in_metabox;
    uint64_t header_end; /* where the indexes' area begins */
    uint16_t advise;
    unsigned lcluster_bits;
    uint8_t algorithms[2]; /* of HEAD1 and HEAD2 */
    bool has_records;      /* of whole extents, instead of indexes */
    uint64_t record_count;
    bool has_fragment; /* the last extent (or all of the file) is in the packed inode */
    uint64_t fragment_offset;
    uint32_t inline_size; /* of the tail-packed pcluster, 0 if there is none */
    uint64_t inline_offset;
    uint64_t tail_lcn; /* the head lcluster of the last extent */
};

int erofs_zfile_open(struct romsim_erofs *erofs, const struct romsim_erofs_inode *inode,
                     struct erofs_zfile *ret, struct romsim_error *err);

/* Where the byte `offset` (inside the size) is. */
int erofs_zfile_extent(const struct erofs_zfile *file, uint64_t offset, struct erofs_extent *ret,
                       struct romsim_error *err);

/* An lcluster's index, decoded. */
struct erofs_lcluster {
    uint64_t lcn;
    unsigned type;        /* Z_EROFS_LCLUSTER_TYPE_* */
    uint32_t start;       /* HEAD, PLAIN: where in the lcluster the extent begins */
    uint32_t back;        /* NONHEAD: lclusters back to the head */
    uint32_t ahead;       /* NONHEAD: lclusters to the next head; at least 1 */
    uint32_t block;       /* HEAD, PLAIN: of the pcluster */
    uint32_t block_count; /* NONHEAD behind a head: of the pcluster; else 0 */
    bool partial;         /* HEAD, PLAIN: the pcluster has more than this extent */
    uint64_t next;        /* where the next pack of indexes would be */
};

static inline bool erofs_is_head(const struct erofs_lcluster *lcluster)
{
    return lcluster->type != Z_EROFS_LCLUSTER_TYPE_NONHEAD;
}

int erofs_lcluster_load(const struct erofs_zfile *file, uint64_t lcn, struct erofs_lcluster *ret,
                        struct romsim_error *err);

/* The head of the extent of which the byte `offset` is a part; and where the next extent begins, if
 * that is in the same lcluster as `offset`, else 0. */
int erofs_lcluster_find_head(const struct erofs_zfile *file, uint64_t offset,
                             struct erofs_lcluster *ret, uint64_t *ret_end,
                             struct romsim_error *err);

/* For files with records of whole extents. */
int erofs_record_extent(const struct erofs_zfile *file, uint64_t offset, struct erofs_extent *ret,
                        struct romsim_error *err);

/* A pcluster that stands as it is: interlaced ones begin in the middle. */
int erofs_plain_extent(const struct erofs_zfile *file, uint64_t offset, bool interlaced,
                       struct erofs_extent *extent, struct romsim_error *err);

/* For the kernel no pcluster begins in the first block of an image, but one that is tail-packed
 * (z_erofs_register_pcluster() in fs/erofs/zdata.c). */
int erofs_check_position(const struct erofs_zfile *file, const struct erofs_extent *extent,
                         struct romsim_error *err);

/* Checks sizes and the algorithm of an encoded pcluster. */
int erofs_check_pcluster(const struct erofs_zfile *file, const struct erofs_extent *extent,
                         struct romsim_error *err);

#endif
