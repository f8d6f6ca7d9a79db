/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * erofs.h: writing and reading EROFS images.
 *
 * Format: the kernel's Documentation/filesystems/erofs.rst and fs/erofs/erofs_fs.h; the words
 * (nid, pcluster, lcluster, ...) are theirs.  The choices of the writer are the cloud packer's
 * (cloud-rules §3).  The on-disk structs are in sim/erofs/format.h, for this room only.
 *
 * An open image is immutable: all reading functions may be called by many threads at once.
 * Nothing in the image is trusted: EUCLEAN is what a damaged structure gives, EOPNOTSUPP a feature
 * that is not supported (named in the message), and no call takes more time or memory than
 * O(bytes returned + metadata of what was asked).
 */
#ifndef ROMSIM_EROFS_H
#define ROMSIM_EROFS_H

#include <romsim/blob.h>
#include <romsim/cleanup.h>
#include <romsim/error.h>
#include <romsim/tree.h>

#include <stdbool.h>
#include <stdint.h>

/* ---- writing ---------------------------------------------------------------------------- */

struct romsim_erofs_options {
    int64_t build_time; /* seconds, into the superblock; the default 0 keeps images reproducible */
    bool inline_data;   /* tail-pack small data and directories; default: no, as the cloud packer
                           ('inline data is incompatible with DAX') */
    const char *compress; /* NULL (the cloud's), or "lz4" or "lz4hc[:1-12]" */
    bool no_verify;       /* romsim_erofs_build() only: do not read the image back */
    unsigned threads;     /* at most, that read and write data; 0: as there are processors.  The
                             bytes do not depend on it */
    struct romsim_erofs_sums *sums; /* romsim_erofs_write() only: takes sums of what was read, for
                                       romsim_erofs_verify_sums(); may be NULL */
};

struct romsim_erofs_sums *romsim_erofs_sums_new(void); /* NULL without memory */
void romsim_erofs_sums_free(struct romsim_erofs_sums *sums);

DEFINE_CLEANUP(struct romsim_erofs_sums, romsim_erofs_sums_free)
#define CLEANUP_EROFS_SUMS CLEANUP(cleanup_romsim_erofs_sums_free)

struct romsim_erofs_result {
    uint64_t size; /* of the image, a multiple of 4096 */
    uint64_t inodes;
    uint64_t data_bytes;   /* sum of the regular files' sizes */
    uint64_t stored_bytes; /* what their data takes in the image (less when compressed) */
    uint8_t uuid[16];      /* from a hash of the content */
};

/*
 * Writes `tree` as an EROFS image into `fd`, an empty file opened for reading and writing, from
 * offset 0.  Sorts the tree and uses the inodes' cookies.  The same tree gives the same bytes on
 * every host.  `options` NULL: all defaults.  An xattr whose name is in no namespace that EROFS has
 * is dropped from the tree, and noted there.  On failure the file's content is undefined.
 * Returns 0 or -1.
 */
int romsim_erofs_write(struct romsim_tree *tree, const struct romsim_erofs_options *options, int fd,
                       struct romsim_erofs_result *ret, struct romsim_error *err);

/*
 * Writes the image into a new memfd or, when it may be larger than 64 MiB, an unlinked file of the
 * cache folder, verifies it with romsim_erofs_verify_sums(), and returns it as a blob.
 */
struct romsim_blob *romsim_erofs_build(struct romsim_tree *tree,
                                       const struct romsim_erofs_options *options,
                                       struct romsim_erofs_result *ret, struct romsim_error *err);

/* The same with an empty file that the caller made; takes ownership of `fd`, on failure too. */
struct romsim_blob *romsim_erofs_build_fd(struct romsim_tree *tree,
                                          const struct romsim_erofs_options *options, int fd,
                                          struct romsim_erofs_result *ret,
                                          struct romsim_error *err);

/*
 * Reads the image back with the reader and compares all of it with the tree: names, types, modes,
 * owners, times, link counts, xattrs and every byte of data (hostile-input, promise 2).
 * Returns 0, or -1 with EUCLEAN and the path of the first difference.
 */
int romsim_erofs_verify(struct romsim_tree *tree, struct romsim_blob *image,
                        struct romsim_error *err);

/* The same without a second look at the files' data: each block of it is compared with a 64-bit
 * hash of what was read when the image was written.  `sums` are of romsim_erofs_write() with this
 * very tree, and are sorted. */
int romsim_erofs_verify_sums(struct romsim_tree *tree, struct romsim_erofs_sums *sums,
                             struct romsim_blob *image, struct romsim_error *err);

/* ---- reading ---------------------------------------------------------------------------- */

struct romsim_erofs;

/* The values of i_format's data layout field (erofs_fs.h). */
enum romsim_erofs_layout {
    ROMSIM_EROFS_FLAT_PLAIN = 0,
    ROMSIM_EROFS_COMPRESSED_FULL = 1,
    ROMSIM_EROFS_FLAT_INLINE = 2,
    ROMSIM_EROFS_COMPRESSED_COMPACT = 3,
    ROMSIM_EROFS_CHUNK_BASED = 4
};

/* An inode, read and checked.  A value: copy it freely; it belongs to the image it came from. */
struct romsim_erofs_inode {
    uint64_t nid;
    uint32_t mode;
    uint32_t uid, gid;
    uint32_t links;
    uint32_t ino; /* the 32-bit number that compact inodes carry for stat() */
    uint64_t size;
    int64_t mtime;
    uint32_t mtime_nsec;
    uint32_t rdev;         /* as the kernel's new_encode_dev() packs it */
    uint32_t xattr_size;   /* bytes of the inode's own xattr area, 0 without */
    uint64_t start;        /* first block of flat data, or the number of compressed blocks */
    uint32_t chunk_format; /* of a chunk-based file */
    enum romsim_erofs_layout layout;
    bool extended;       /* a 64-byte inode */
    bool dot_omitted;    /* a directory without an entry "." (48-bit layout) */
    uint64_t offset;     /* of the inode in the image's metadata, bytes */
    uint64_t data_start; /* where what follows inode and xattrs begins (inline data, indexes) */
};

/* Is the data of this inode compressed? */
static inline bool romsim_erofs_is_compressed(const struct romsim_erofs_inode *inode)
{
    return inode->layout == ROMSIM_EROFS_COMPRESSED_FULL ||
           inode->layout == ROMSIM_EROFS_COMPRESSED_COMPACT;
}

/* A name in a directory, as found; points into the image's bytes or the cursor. */
struct romsim_erofs_dirent {
    uint64_t nid;
    const char *name; /* not NUL-terminated; valid until the cursor's next use */
    uint16_t name_size;
    uint8_t file_type; /* FT_* of the dirent: 1 regular, 2 directory, 3 chrdev, ... */
    bool cut_by_nul;   /* the image has bytes of the name behind a NUL, which nobody can see */
};

/* Is this, by its magic, an EROFS image? */
bool romsim_erofs_probe(const void *bytes, uint64_t size);

/* Opens an image; takes a reference to the blob.  EUCLEAN, EOPNOTSUPP, or EINVAL (no EROFS). */
struct romsim_erofs *romsim_erofs_open(struct romsim_blob *image, struct romsim_error *err);
void romsim_erofs_close(struct romsim_erofs *erofs);

DEFINE_CLEANUP(struct romsim_erofs, romsim_erofs_close)
#define CLEANUP_EROFS CLEANUP(cleanup_romsim_erofs_close)

uint64_t romsim_erofs_root(const struct romsim_erofs *erofs);            /* the root's nid */
struct romsim_blob *romsim_erofs_blob(const struct romsim_erofs *erofs); /* no new reference */

/* Reads the inode `nid`.  Returns 0 or -1. */
int romsim_erofs_inode(struct romsim_erofs *erofs, uint64_t nid, struct romsim_erofs_inode *ret,
                       struct romsim_error *err);

/* Looks a name up in a directory, by the kernel's binary search: of a damaged directory it finds
 * what the kernel finds.  Returns 1 and *ret_nid, 0 if there is no such name, or -1 (ENOTDIR,
 * EUCLEAN). */
int romsim_erofs_lookup(struct romsim_erofs *erofs, const struct romsim_erofs_inode *directory,
                        const char *name, size_t name_size, uint64_t *ret_nid,
                        struct romsim_error *err);

/* Resolves a path from the root, symlinks not followed; "" and "/" are the root.  Returns as
 * romsim_erofs_lookup(). */
int romsim_erofs_lookup_path(struct romsim_erofs *erofs, const char *path,
                             struct romsim_erofs_inode *ret, struct romsim_error *err);

/*
 * The entry of a directory at `cursor` and the cursor behind it; 0 starts, and any value is safe.
 * "." and ".." are returned as they stand.  `scratch` (ROMSIM_EROFS_BLOCK_MAX bytes, may be NULL
 * for images without compressed directories) holds a block whose names may not be pointed to.
 * Returns 1, 0 at the end, or -1.
 */
enum { ROMSIM_EROFS_BLOCK_MAX = 65536 };
int romsim_erofs_readdir(struct romsim_erofs *erofs, const struct romsim_erofs_inode *directory,
                         uint64_t cursor, uint64_t *ret_cursor, struct romsim_erofs_dirent *ret,
                         void *scratch, struct romsim_error *err);

/* Reads up to `size` bytes at `offset` of a regular file (or a directory's raw blocks, or a
 * symlink's target).  *ret_size is less only at the end of the file.  Returns 0 or -1. */
int romsim_erofs_read(struct romsim_erofs *erofs, const struct romsim_erofs_inode *inode,
                      uint64_t offset, void *buffer, size_t size, size_t *ret_size,
                      struct romsim_error *err);

/*
 * The longest run of a file's bytes from `offset`, at most `size`, that stand in the image as they
 * are: *ret points to *ret_size > 0 of them, and *ret_position is their offset in the blob.
 * Returns 1, 0 if the data at `offset` is a hole, compressed or at the end (use
 * romsim_erofs_read()), or -1.
 */
int romsim_erofs_map(struct romsim_erofs *erofs, const struct romsim_erofs_inode *inode,
                     uint64_t offset, uint64_t size, const uint8_t **ret, uint64_t *ret_size,
                     uint64_t *ret_position, struct romsim_error *err);

/*
 * The run of a file's bytes around `offset` (inside the file) that is stored together, and where:
 * `length` of them from `start` on, in `stored` bytes of the image at `position`, which are as many
 * unless they are compressed.  `stored` 0: they have no bytes of their own there (a hole, or a part
 * of another file's data).  Returns 0 or -1.
 */
struct romsim_erofs_place {
    uint64_t start, length;
    uint64_t position, stored;
};
int romsim_erofs_place(struct romsim_erofs *erofs, const struct romsim_erofs_inode *inode,
                       uint64_t offset, struct romsim_erofs_place *ret, struct romsim_error *err);

/*
 * Is the data at `offset` (inside the file) a hole?  1 or 0, and in *ret_size how far that goes, or
 * -1.  Lets big holes be copied as holes.
 */
int romsim_erofs_hole(struct romsim_erofs *erofs, const struct romsim_erofs_inode *inode,
                      uint64_t offset, uint64_t *ret_size, struct romsim_error *err);

/* A symlink's target, malloc'ed and NUL-terminated; a NUL in it ends it, as for the kernel.  Over
 * 4,095 bytes: EUCLEAN. */
char *romsim_erofs_readlink(struct romsim_erofs *erofs, const struct romsim_erofs_inode *inode,
                            struct romsim_error *err);

/*
 * The xattr of an inode at *cursor, which is moved behind it; 0 starts, and any value is safe.
 * *ret's name and value are malloc'ed, the caller frees them with romsim_xattr_release().  Returns
 * 1, 0 after the last one, or -1.
 */
int romsim_erofs_xattr(struct romsim_erofs *erofs, const struct romsim_erofs_inode *inode,
                       uint64_t *cursor, struct romsim_xattr *ret, struct romsim_error *err);
void romsim_xattr_release(struct romsim_xattr *xattr);

/* What the superblock says.  All values as stored, already in host order. */
struct romsim_erofs_super {
    uint32_t checksum;
    uint32_t feature_compat, feature_incompat;
    unsigned block_bits;
    uint64_t root_nid;
    uint64_t inodes;
    int64_t build_time;
    uint32_t build_time_nsec;
    uint64_t blocks;
    uint32_t meta_block, xattr_block;
    uint8_t uuid[16];
    char volume_name[17];
    uint16_t available_algorithms;
    uint16_t extra_devices;
    unsigned directory_block_bits; /* more than block_bits; 0 in all images that can be read */
    unsigned xattr_prefixes;
    uint64_t packed_nid, metabox_nid;
    /* Of romsim_erofs_peek() only; 0: 64 KiB, and pclusters of one block. */
    uint16_t lz4_max_distance, lz4_max_pcluster_blocks;
};
void romsim_erofs_super(const struct romsim_erofs *erofs, struct romsim_erofs_super *ret);

/* The same of an image that need not be one that can be opened: nothing but the magic is looked at.
 * Returns 0, or -1 and EINVAL. */
int romsim_erofs_peek(struct romsim_blob *image, struct romsim_erofs_super *ret,
                      struct romsim_error *err);

/* The checksum that the superblock should have by its bytes.  False if it has none (by its
 * features), or the bytes are not all there. */
bool romsim_erofs_checksum(struct romsim_blob *image, uint32_t *ret);

/* ---- walks -------------------------------------------------------------------------------- */

/*
 * What is looked at in a walk: names, paths and xattrs can be shared, so that an image of a
 * megabyte has gigabytes of them.  All of a command's walks and xattrs are paid from one budget of
 * ROMSIM_BOUND_WALK_BYTES and 16 times the image's size.
 */
struct romsim_erofs_budget {
    uint64_t left;
};
void romsim_erofs_budget_init(struct romsim_erofs_budget *budget, const struct romsim_erofs *erofs);

/* Takes `bytes`.  Returns 0, or -1 with EFBIG; then nothing is left. */
int romsim_erofs_budget_pay(struct romsim_erofs_budget *budget, uint64_t bytes,
                            struct romsim_error *err);

/* What a walker finds. */
struct romsim_erofs_step {
    const char *path; /* starts with '/'; valid until the next step, as is `name` in it */
    const char *name;
    unsigned depth; /* of the start 0 */
    struct romsim_erofs_inode inode;
    bool is_name; /* false: `path` is a directory, and something in it is damaged */
};

/*
 * Visits every file from `start` on, whose path is `path` ("" for the root: its step has "/"),
 * depth first, once a name, in the order of the image; no recursion.
 *
 * romsim_erofs_walker_next() returns 1 for a file, 0 at the end, -1 if the walk cannot go on
 * (ENOMEM, EFBIG), and ROMSIM_EROFS_DAMAGED with *err for what is damaged: a name without an inode
 * (is_name), a dirent, a block of a directory, or a directory that is not entered because it has a
 * second name (a loop), lies deeper than 1,024 or claims more than the image can hold.  The next
 * call goes on behind it.  `budget` and `start` have to stay where they are.
 */
enum { ROMSIM_EROFS_DAMAGED = 2 };
struct romsim_erofs_walker;
struct romsim_erofs_walker *romsim_erofs_walker_new(struct romsim_erofs *erofs,
                                                    const struct romsim_erofs_inode *start,
                                                    const char *path,
                                                    struct romsim_erofs_budget *budget,
                                                    struct romsim_error *err);
void romsim_erofs_walker_free(struct romsim_erofs_walker *walker);
int romsim_erofs_walker_next(struct romsim_erofs_walker *walker, struct romsim_erofs_step *ret,
                             struct romsim_error *err);

/* Keeps the walker out of the directory that the last step found. */
void romsim_erofs_walker_skip(struct romsim_erofs_walker *walker);

/* Is there no other name behind the last step's in its directory? */
bool romsim_erofs_walker_is_last(struct romsim_erofs_walker *walker);

/* A walk that ends with the first damage, on a budget of its own.  A visit that returns other than
 * 0 ends the walk with that value. */
typedef int romsim_erofs_visit(void *context, const char *path,
                               const struct romsim_erofs_inode *inode);
int romsim_erofs_walk(struct romsim_erofs *erofs, romsim_erofs_visit *visit, void *context,
                      struct romsim_error *err);

/* The same from the file `start` on, whose path is `path` ("" for the root: it is visited as "/").
 * A visit that returns ROMSIM_EROFS_WALK_SKIP for a directory keeps the walk out of it. */
enum { ROMSIM_EROFS_WALK_SKIP = 0x5c1b };
int romsim_erofs_walk_from(struct romsim_erofs *erofs, const struct romsim_erofs_inode *start,
                           const char *path, romsim_erofs_visit *visit, void *context,
                           struct romsim_error *err);

#endif
