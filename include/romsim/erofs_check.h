/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * erofs_check.h: checking every structure of an EROFS image, and telling what it is made of.
 *
 * A check looks at the superblock, every inode that the root reaches, all dirents, indexes, xattrs
 * and extents, decodes all compressed data, and looks for structures that overlap.  Its time and
 * memory are bounded by the image's size for any image, so what is claimed to be far larger than
 * the image is a finding instead of work.
 */
#ifndef ROMSIM_EROFS_CHECK_H
#define ROMSIM_EROFS_CHECK_H

#include <romsim/erofs.h>

enum romsim_erofs_severity {
    ROMSIM_EROFS_ERROR,  /* damaged: a reader fails or shows something else than was meant */
    ROMSIM_EROFS_WARNING /* odd, but readers do not mind */
};

struct romsim_erofs_finding {
    enum romsim_erofs_severity severity;
    const char *path; /* of the file, raw bytes (quote it before a terminal sees it); "" for the
                         image as a whole; "(packed inode)", "(metabox)" */
    bool in_metabox;  /* `offset` is one of the metabox's data */
    uint64_t offset;  /* where in the image */
    const char *message;
};

/* Called for each finding; what it points to is valid during the call only. */
typedef void romsim_erofs_report(void *context, const struct romsim_erofs_finding *finding);

enum { ROMSIM_EROFS_LAYOUTS = 5, ROMSIM_EROFS_ALGORITHMS = 4, ROMSIM_EROFS_FINDINGS_MAX = 1000 };

/* What an image is made of. */
struct romsim_erofs_census {
    uint64_t directories, files, symlinks, specials; /* inodes, without packed and metabox */
    uint64_t names;                                  /* dirents but "." and ".." */
    uint64_t extended;                               /* inodes of 64 bytes */
    uint64_t with_xattrs;
    uint64_t layouts[ROMSIM_EROFS_LAYOUTS]; /* inodes with data, by enum romsim_erofs_layout */
    uint64_t data_bytes;                    /* sum of the sizes of regular files */
    uint64_t hole_bytes;
    uint64_t pclusters[ROMSIM_EROFS_ALGORITHMS];     /* extents, by algorithm */
    uint64_t encoded_bytes[ROMSIM_EROFS_ALGORITHMS]; /* what they take */
    uint64_t decoded_bytes[ROMSIM_EROFS_ALGORITHMS]; /* what they decode to */
    uint64_t fragments;                              /* files that end in the packed inode */
    uint64_t inline_bytes;                           /* of uncompressed tails behind inodes */
    uint64_t errors, warnings;                       /* findings, reported or not */
};

/*
 * Checks an image.  At most ROMSIM_EROFS_FINDINGS_MAX findings are reported, all are counted.
 * `report` and `ret` may be NULL.
 * Returns 0 when nothing is an error (warnings do not count), 1 when something is, and -1 if the
 * bytes are no EROFS image (EINVAL), need a feature that is not supported (EOPNOTSUPP), or there is
 * no memory; an image that cannot be opened because it is damaged is 1 with that as finding.
 */
int romsim_erofs_check(struct romsim_blob *image, romsim_erofs_report *report, void *context,
                       struct romsim_erofs_census *ret, struct romsim_error *err);

/* The same counts without decoding any data; damage is only counted.  Returns 0 or -1 (memory). */
int romsim_erofs_census(struct romsim_erofs *erofs, struct romsim_erofs_census *ret,
                        struct romsim_error *err);

/*
 * What the cloud would trip on, or its packer would not have done, in an image that is a ROM: one
 * call of `warn` for each, with a sentence for people ("its data is compressed; the cloud's packer
 * ...").  Returns the number of warnings, or -1 if the image cannot be opened.
 */
int romsim_erofs_cloud_warnings(struct romsim_blob *image,
                                void (*warn)(void *context, const char *message), void *context,
                                struct romsim_error *err);

/* Names for people: "flat-plain", "lz4", "compr_cfgs, big_pcluster"; never NULL. */
const char *romsim_erofs_layout_name(enum romsim_erofs_layout layout);
const char *romsim_erofs_algorithm_name(unsigned algorithm);

/* The features of a superblock one by one: index from 0; NULL ends.  *ret_meaning is a clause. */
const char *romsim_erofs_feature(const struct romsim_erofs_super *super, size_t index,
                                 const char **ret_meaning, bool *ret_incompatible);

/* The bits of a superblock that have no name here. */
void romsim_erofs_unknown_features(const struct romsim_erofs_super *super, uint32_t *ret_compat,
                                   uint32_t *ret_incompat);

#endif
