/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reader.h: what the files of the EROFS reader share.
 *
 * Theory of operation.  An image is two address spaces: the image's own bytes, and, when it has a
 * metabox, the (compressed) data of the metabox inode.  Nothing dereferences either but
 * erofs_image_bytes(), which hands out a pointer or an error, and erofs_meta_read(), which copies.
 * Whatever is asked of a file's data becomes a struct erofs_extent: where the bytes around one
 * offset are.  data.c knows what to do with each kind of extent; flat files are mapped in data.c,
 * chunk-based ones in chunk.c, compressed ones in zmap.c.
 *
 * What calls what has a fixed depth: the data of a file may need the metabox (for its metadata)
 * and the packed inode (for a fragment); the metabox may need the packed inode; the packed inode
 * needs neither, which erofs_open checks.
 */
#ifndef ROMSIM_EROFS_READER_H
#define ROMSIM_EROFS_READER_H

#include "format.h"

#include <romsim/checked.h>
#include <romsim/erofs.h>

struct erofs_zcache;
struct erofs_zfile;

/* A long xattr prefix: a base prefix's index, and what stands between it and the names. */
struct erofs_prefix {
    uint8_t base;
    uint8_t size;
    char infix[EROFS_NAME_LEN];
};

struct romsim_erofs {
    struct romsim_blob *blob;
    const uint8_t *bytes;
    uint64_t size;
    struct romsim_erofs_super super;
    uint64_t super_size;              /* with its extension slots */
    struct romsim_erofs_inode packed; /* nid 0: there is none */
    bool has_metabox;
    struct romsim_erofs_inode metabox;
    struct erofs_prefix *prefixes;
    unsigned prefix_count;
    unsigned algorithms; /* bits 1 << Z_EROFS_COMPRESSION_* */
    uint32_t lzma_dict_size;
    unsigned zstd_window_bits;
    struct erofs_zcache *cache;
};

/* ---- super.c ------------------------------------------------------------------------------ */

/* `length` bytes of the image at `offset`; NULL and EUCLEAN, with the name `what` in the message,
 * if they are not all there. */
const uint8_t *erofs_image_bytes(const struct romsim_erofs *erofs, uint64_t offset, uint64_t length,
                                 const char *what, struct romsim_error *err);

/* Opens an image without a look at the superblock's checksum; else as romsim_erofs_open(). */
struct romsim_erofs *erofs_open_unverified(struct romsim_blob *image, struct romsim_error *err);

/* EUCLEAN if there is a checksum, and it is not that of the superblock's bytes. */
int erofs_check_checksum(const struct romsim_erofs *erofs, struct romsim_error *err);

/* Copies `length` bytes of metadata at `offset`, of the image or of the metabox's data. */
int erofs_meta_read(struct romsim_erofs *erofs, bool in_metabox, uint64_t offset, void *buffer,
                    size_t length, const char *what, struct romsim_error *err);

static inline bool erofs_nid_in_metabox(uint64_t nid)
{
    return nid >> EROFS_DIRENT_NID_METABOX_BIT & 1;
}

static inline uint64_t erofs_block_size(const struct romsim_erofs *erofs)
{
    return UINT64_C(1) << erofs->super.block_bits;
}

static inline uint64_t erofs_in_block(const struct romsim_erofs *erofs, uint64_t offset)
{
    return offset & (erofs_block_size(erofs) - 1);
}

static inline bool erofs_has(const struct romsim_erofs *erofs, uint32_t feature_incompat)
{
    return (erofs->super.feature_incompat & feature_incompat) != 0;
}

/* ---- data.c ------------------------------------------------------------------------------- */

/* The `start` of a flat file that is one hole. */
#define EROFS_NO_START UINT64_MAX

enum erofs_extent_kind {
    EROFS_EXTENT_HOLE,     /* zeros */
    EROFS_EXTENT_RAW,      /* the bytes at `position` as they are */
    EROFS_EXTENT_PCLUSTER, /* `encoded` bytes at `position` decode to them */
    EROFS_EXTENT_FRAGMENT  /* the bytes at `position` of the packed inode's data */
};

/* `length` > 0 bytes of a file from `start` on, all of one kind. */
struct erofs_extent {
    enum erofs_extent_kind kind;
    bool in_metabox; /* `position` is one of the metabox's data, not of the image */
    bool partial;    /* the pcluster decodes to more */
    uint8_t algorithm;
    uint32_t encoded;
    uint64_t start;
    uint64_t length;
    uint64_t position;
};

/* Where the byte `offset` of a file (inside its size) is, and what surrounds it; `file` is the
 * inode's map header if its data is compressed, else NULL. */
int erofs_extent_find(struct romsim_erofs *erofs, const struct romsim_erofs_inode *inode,
                      const struct erofs_zfile *file, uint64_t offset, struct erofs_extent *ret,
                      struct romsim_error *err);

/* The same for chunk-based files (chunk.c). */
int erofs_chunk_extent(struct romsim_erofs *erofs, const struct romsim_erofs_inode *inode,
                       uint64_t offset, struct erofs_extent *ret, struct romsim_error *err);

/* ---- decompress.c, zcache.c --------------------------------------------------------------- */

/* Reads the compression configurations behind the superblock. */
int erofs_decompress_configure(struct romsim_erofs *erofs, struct romsim_error *err);

/* The name of an algorithm, "lz4", or NULL. */
const char *erofs_algorithm_name(unsigned algorithm);

/* Decodes a pcluster's bytes to exactly `out_size` bytes; `margin` is how many of the first bytes
 * may be zeros that do not count; `exact`: that must be all there is. */
int erofs_decompress(const struct romsim_erofs *erofs, unsigned algorithm, const uint8_t *in,
                     size_t in_size, size_t margin, uint8_t *out, size_t out_size, bool exact,
                     struct romsim_error *err);

/* Keeps the decoded bytes of the last pclusters.  Thread-safe. */
struct erofs_zcache *erofs_zcache_new(void);
void erofs_zcache_free(struct erofs_zcache *cache);

/* Reads `size` bytes at `offset` of the file from a pcluster's extent that has them all.  Of a
 * damaged pcluster what stands before the damage can be read. */
int erofs_zcache_read(struct romsim_erofs *erofs, const struct erofs_extent *extent,
                      uint64_t offset, void *buffer, size_t size, struct romsim_error *err);

/* How often a pcluster was decoded so far. */
uint64_t erofs_zcache_decodes(const struct erofs_zcache *cache);

/* Where in a row of 4-byte extent records a file was read last: the position of the pcluster of
 * the record *index, which is not behind the wanted one.  False: start from the first. */
bool erofs_zcache_recall(struct erofs_zcache *cache, uint64_t nid, uint64_t wanted,
                         uint64_t *ret_index, uint64_t *ret_position);
void erofs_zcache_remember(struct erofs_zcache *cache, uint64_t nid, uint64_t index,
                           uint64_t position);

/* ---- xattr.c ------------------------------------------------------------------------------ */

/* Loads the table of long prefixes; needs the metabox and the packed inode. */
int erofs_xattr_load_prefixes(struct romsim_erofs *erofs, const struct erofs_super_block *disk,
                              struct romsim_error *err);

/* Are all xattrs of an inode there, with good names? */
int erofs_xattr_check(struct romsim_erofs *erofs, const struct romsim_erofs_inode *inode,
                      struct romsim_error *err);

/* ---- dir.c -------------------------------------------------------------------------------- */

/* ENOTDIR if it is none. */
int erofs_dir_check(const struct romsim_erofs_inode *directory, struct romsim_error *err);

/* A block of a directory, its header checked. */
struct erofs_dir_block {
    const uint8_t *bytes;
    uint32_t size;
    uint32_t count; /* of dirents, at least 1 */
};

/* Loads the block `index` of a directory; `scratch` (a block) is used if its bytes do not stand in
 * the image as they are. */
int erofs_dir_block(struct romsim_erofs *erofs, const struct romsim_erofs_inode *directory,
                    uint64_t index, void *scratch, struct erofs_dir_block *ret,
                    struct romsim_error *err);

/* The same for who takes each name as it comes: of the header, the first name's offset, only what
 * is inside the block counts, as for the kernel's lookup. */
int erofs_dir_block_any(struct romsim_erofs *erofs, const struct romsim_erofs_inode *directory,
                        uint64_t index, void *scratch, struct erofs_dir_block *ret,
                        struct romsim_error *err);

/* The dirent `index` (< block->count); its name is checked. */
int erofs_dir_entry(const struct erofs_dir_block *block, uint32_t index,
                    const struct romsim_erofs_inode *directory, struct romsim_erofs_dirent *ret,
                    struct romsim_error *err);

/* The cursor behind the dirent at `cursor`, or behind its block if that is damaged: for who goes on
 * where romsim_erofs_readdir() failed. */
uint64_t erofs_dir_behind(struct romsim_erofs *erofs, const struct romsim_erofs_inode *directory,
                          uint64_t cursor, void *scratch);

/* May the blocks of this directory stand elsewhere than in the image as they are? */
static inline bool erofs_dir_needs_scratch(const struct romsim_erofs_inode *directory)
{
    return romsim_erofs_is_compressed(directory) || directory->layout == ROMSIM_EROFS_CHUNK_BASED ||
           erofs_nid_in_metabox(directory->nid);
}

/* "." or ".."? */
static inline bool erofs_is_dot(const struct romsim_erofs_dirent *entry)
{
    return entry->name[0] == '.' &&
           (entry->name_size == 1 || (entry->name_size == 2 && entry->name[1] == '.'));
}

/* ---- nidset.c ----------------------------------------------------------------------------- */

/* A set of nids; zero-initialised it is empty. */
struct erofs_nid_set {
    uint64_t *slots;
    size_t count;
    size_t capacity;
};

bool erofs_nid_set_has(const struct erofs_nid_set *set, uint64_t nid);

/* Returns 1 if it was new, 0 if it was there, -1 without memory. */
int erofs_nid_set_add(struct erofs_nid_set *set, uint64_t nid);
void erofs_nid_set_reset(struct erofs_nid_set *set);

#endif
