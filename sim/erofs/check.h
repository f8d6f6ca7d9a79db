/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * check.h: what the files of the checker share.
 *
 * check.c drives: superblock, special inodes, the walk.  check_dir.c looks at directories,
 * check_data.c at extents and xattrs, check_range.c at overlaps.  What an image claims is paid from
 * budgets that its size gives (struct check's *_budget): that bounds the work for images in which
 * many inodes share the same bytes as their indexes, directories or xattrs.
 */
#ifndef ROMSIM_EROFS_CHECK_INTERNAL_H
#define ROMSIM_EROFS_CHECK_INTERNAL_H

#include "zfile.h"

#include <romsim/buffer.h>
#include <romsim/erofs_check.h>
#include <romsim/vector.h>

/* What a part of the image is used for. */
enum range_use {
    RANGE_SUPER,    /* superblock and configurations */
    RANGE_INODE,    /* an inode with what follows it */
    RANGE_FLAT,     /* data of one file */
    RANGE_SHARED,   /* chunks, plain pclusters: files may share them in any way */
    RANGE_PCLUSTER, /* encoded: files may share them as a whole */
};

struct range {
    uint64_t start, end;
    uint64_t nid;
    enum range_use use;
};

DEFINE_VECTOR(ranges, struct range);

/* A name of a file with a link count other than 1, until all names are seen. */
struct linked {
    uint64_t nid;
    uint64_t offset;
    char *path; /* of the first ones, or NULL; owned */
    uint32_t links;
};

DEFINE_VECTOR(linked_files, struct linked);

struct check {
    struct romsim_erofs *erofs;
    struct romsim_erofs_census census;
    romsim_erofs_report *report;
    void *context;
    bool decode;
    struct romsim_buffer path; /* of the file that is looked at */
    struct erofs_nid_set seen;
    struct linked_files linked;
    size_t linked_paths_left; /* bytes */
    struct ranges ranges;
    bool ranges_full;
    uint64_t extent_budget, directory_budget, xattr_budget, decode_budget;
    uint8_t *block; /* scratch for directories' blocks, and whose it is */
    size_t block_level;
    uint8_t *decoded; /* scratch of decoded_size bytes */
    size_t decoded_size;
};

/* Reports a finding about the inode (NULL: the image) at `offset` of its address space. */
void check_finding(struct check *check, enum romsim_erofs_severity severity,
                   const struct romsim_erofs_inode *inode, uint64_t offset, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Reports an error that the reader met. */
void check_damage(struct check *check, const struct romsim_erofs_inode *inode, uint64_t offset,
                  const struct romsim_error *err);

/* Takes `cost` from a budget; false, with the budget empty, if it has less. */
bool check_pay(uint64_t *budget, uint64_t cost);

/* check_dir.c: visits everything under the root.  0, or -1 without memory. */
int check_tree(struct check *check, struct romsim_error *err);

/* check_data.c: the data and the xattrs of one inode.  0, or -1 without memory. */
int check_inode(struct check *check, const struct romsim_erofs_inode *inode,
                struct romsim_error *err);

/* check_range.c */
int check_range_add(struct check *check, enum range_use use, uint64_t nid, uint64_t start,
                    uint64_t length, struct romsim_error *err);
void check_overlaps(struct check *check);

#endif
