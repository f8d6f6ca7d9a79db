/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * write.h: what the files of the EROFS writer share.
 *
 * Theory of operation.  The writer lists the tree's inodes once, depth first, names before what is
 * beneath them, as an array of nodes (write_layout.c): the order of everything in the image.  Each
 * node gets its place (nid) and the place of its data.  Then the image is written, blocks of zeros
 * left out as holes of the file, and the rest hashed for the UUID: inodes, and what is compressed,
 * from the first byte to the last through a sink (write_sink.c); other data, whose places are known
 * by then, by as many threads as there are processors (write_data.c).  Every source is read once:
 * what it had is kept as sums (write_sums.c) for when the image is read back (verify.c).  The
 * superblock comes last.
 *
 *     the cloud's order    superblock, inodes | shared xattrs | data
 *     when compressing     superblock | data | inodes | shared xattrs
 *
 * Compressed data comes first because how much room a file takes, and how its index looks, is known
 * only when it has been compressed; so nothing is compressed twice and nothing is kept.
 */
#ifndef ROMSIM_EROFS_WRITE_H
#define ROMSIM_EROFS_WRITE_H

#include <romsim/digest.h>
#include <romsim/erofs.h>
#include <romsim/tree.h>
#include <romsim/vector.h>

#include "sim/erofs/format.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    EROFS_WRITE_BLKSZBITS = 12,
    EROFS_WRITE_BLOCK = 1 << EROFS_WRITE_BLKSZBITS,
    /* All that a node's place must not be in front of. */
    EROFS_WRITE_SUPER_END = EROFS_SUPER_OFFSET + sizeof(struct erofs_super_block)
};

/* Starts a thread that gets no signals: those are for the threads that know of them.  False if
 * there is none to be had. */
bool erofs_thread_start(pthread_t *ret, void *(*work)(void *), void *context);

/* ---- sums ------------------------------------------------------------------------------- */

enum { EROFS_SUM_BLOCKS = 16 };

/* The block number that the end of a file has which stands behind its inode. */
#define EROFS_SUM_TAIL ((uint64_t)UINT32_MAX * EROFS_SUM_BLOCKS)

/* Of a piece of a node's data: so many blocks from a multiple of them on. */
struct erofs_sum {
    uint32_t node;
    uint32_t piece;
    uint64_t value;
};
DEFINE_VECTOR(erofs_sum_list, struct erofs_sum)

struct romsim_erofs_sums {
    struct erofs_sum_list list;
};

bool erofs_block_is_zero(const uint8_t *block);
uint64_t erofs_block_hash(const uint8_t *block);

/* The block that begins with these bytes: they themselves, or a copy with zeros behind it. */
const uint8_t *erofs_whole_block(const uint8_t *bytes, uint64_t size,
                                 uint8_t padded[EROFS_WRITE_BLOCK]);

/* The sum that a block belongs to, of none yet; takes a block into it. */
struct erofs_sum erofs_sum_of(size_t node, uint64_t block);
void erofs_sum_fold(struct erofs_sum *sum, uint64_t block, uint64_t hash);

/* Takes a block, or all that are not zeros, in; a node's blocks come in their order. */
int erofs_sums_add(struct romsim_erofs_sums *sums, size_t node, uint64_t block, uint64_t hash,
                   struct romsim_error *err);
int erofs_sums_add_bytes(struct romsim_erofs_sums *sums, size_t node, uint64_t block,
                         const uint8_t *bytes, uint64_t size, struct romsim_error *err);

/* Puts the sums in the order of nodes and pieces; the place of a node's first one, then. */
void erofs_sums_sort(struct romsim_erofs_sums *sums);
size_t erofs_sums_find(const struct romsim_erofs_sums *sums, size_t node);

/* ---- sink ------------------------------------------------------------------------------- */

struct erofs_sink {
    int fd;
    uint64_t position; /* of the buffer's first byte in the image, a multiple of the block size */
    size_t fill, size;
    uint8_t *buffer;
    struct erofs_sink_worker *worker;
};

/* A block's place in the image and its XXH64, as the content's hash takes them. */
struct erofs_block_sum {
    le64 offset, hash;
};

/* Writes whole blocks to their place, all but the image's block 0 and those of zeros, and sums up
 * those that are not zeros. */
int erofs_put_blocks(int fd, const uint8_t *data, size_t size, uint64_t offset,
                     struct erofs_block_sum *ret, size_t *ret_count, struct romsim_error *err);

int erofs_sink_init(struct erofs_sink *sink, int fd, struct romsim_error *err);
void erofs_sink_reset(struct erofs_sink *sink);

static inline uint64_t erofs_sink_offset(const struct erofs_sink *sink)
{
    return sink->position + sink->fill;
}

int erofs_sink_append(struct erofs_sink *sink, const void *data, size_t size,
                      struct romsim_error *err);

/* Room in the buffer, at least one byte of it, to be filled and then confirmed with _commit. */
uint8_t *erofs_sink_room(struct erofs_sink *sink, size_t *ret_size);
int erofs_sink_commit(struct erofs_sink *sink, size_t size, struct romsim_error *err);

/* Appends zeros: so many, or up to an offset (not behind it already), or to the next block. */
int erofs_sink_zeros(struct erofs_sink *sink, uint64_t size, struct romsim_error *err);
int erofs_sink_pad_to(struct erofs_sink *sink, uint64_t offset, struct romsim_error *err);
int erofs_sink_align(struct erofs_sink *sink, struct romsim_error *err);

/* Pads to the next block, and waits until all is written.  Then others may write blocks from there
 * on, and pass the sink's content hash what they were, in their order. */
int erofs_sink_settle(struct erofs_sink *sink, struct romsim_error *err);
void erofs_sink_pass(struct erofs_sink *sink, const struct erofs_block_sum *sums, size_t count);

/* Writes what is left, all but block 0, waits for the worker, sets the file's size, and gives the
 * content's hash. */
int erofs_sink_finish(struct erofs_sink *sink, uint8_t ret_hash[ROMSIM_SHA256_SIZE],
                      struct romsim_error *err);

/* Puts a superblock (its checksum is set here) into block 0 and writes it. */
int erofs_sink_superblock(struct erofs_sink *sink, struct erofs_super_block *super,
                          struct romsim_error *err);

/* ---- nodes ------------------------------------------------------------------------------ */

/* Where the pieces of a compressed file are: an entry for each lcluster. */
struct erofs_index {
    uint32_t blocks; /* of compressed data */
    uint64_t count;
    struct z_erofs_lcluster_index entries[];
};

struct erofs_node {
    struct romsim_inode *inode;
    uint64_t nid;
    uint64_t size;  /* of the data: a file's, a directory's entries', a target's */
    uint64_t start; /* first block of the data; 0 for what has none */
    uint32_t xattr_size;
    enum romsim_erofs_layout layout;
    bool written;              /* the data is in the image already */
    struct erofs_index *index; /* of compressed data, or NULL */
};

/* A xattr that several inodes have, and its place in the shared area, in units of 4 bytes. */
struct erofs_shared_xattr {
    const struct romsim_xattr *xattr;
    uint32_t id;
};

struct erofs_writer {
    struct romsim_tree *tree;
    struct romsim_erofs_options options;
    struct erofs_node *nodes; /* inode->cookie is a node's index + 1 */
    size_t count;
    struct erofs_shared_xattr *shared; /* sorted by name and value */
    size_t shared_count;
    uint64_t shared_size;
    uint64_t meta_start; /* offset of the block that nids count from */
    uint64_t xattr_start;
    uint64_t end;
    bool compresses;
    struct erofs_sink sink;
};

static inline struct erofs_node *erofs_writer_node(const struct erofs_writer *writer,
                                                   const struct romsim_inode *inode)
{
    return &writer->nodes[inode->cookie - 1];
}

/* The bytes at the end of the data that stand behind the inode instead of in a block. */
static inline uint32_t erofs_node_tail(const struct erofs_node *node)
{
    return node->layout == ROMSIM_EROFS_FLAT_INLINE ? (uint32_t)(node->size % EROFS_WRITE_BLOCK)
                                                    : 0;
}

static inline uint64_t erofs_node_blocks(const struct erofs_node *node)
{
    uint64_t size = node->size - erofs_node_tail(node);

    if (node->index)
        return node->index->blocks;
    return size / EROFS_WRITE_BLOCK + (size % EROFS_WRITE_BLOCK != 0);
}

/* Numbers the inodes of a sorted tree from 1 on, in the image's order, in their cookies. */
void erofs_number_inodes(struct romsim_tree *tree);

/* Lists the tree's inodes and shared xattrs, and gives every inode its size and layout. */
int erofs_writer_collect(struct erofs_writer *writer, struct romsim_error *err);

/* Gives all inodes and all data that is not written yet a place: in the cloud's order, or behind
 * what the sink already has. */
int erofs_writer_lay_out(struct erofs_writer *writer, struct romsim_error *err);
int erofs_writer_lay_out_behind(struct erofs_writer *writer, struct romsim_error *err);

/* "PATH: " before *err's message.  Returns -1. */
int erofs_writer_blame(const struct erofs_writer *writer, const struct erofs_node *node,
                       struct romsim_error *err);

/* A device number as the kernel's new_encode_dev() has it. */
uint32_t erofs_encode_device(uint32_t major_number, uint32_t minor_number);

/* The link count that an inode gets.  The cloud's packer counts all entries of a directory, not
 * only the directories. */
uint32_t erofs_link_count(const struct romsim_inode *inode);

/* Writes all inodes with what follows them; all data blocks that are not written yet, by several
 * threads; the regular files' data, compressed where that saves something. */
int erofs_writer_put_inodes(struct erofs_writer *writer, struct romsim_error *err);
int erofs_writer_put_data(struct erofs_writer *writer, struct romsim_error *err);
int erofs_writer_put_compressed(struct erofs_writer *writer, struct romsim_error *err);

/* Puts a regular file's blocks into the sink as they are. */
int erofs_put_flat(struct erofs_writer *writer, const struct erofs_node *node,
                   struct romsim_error *err);

/* How many threads are worth it for so many units of work, the caller's own among them. */
enum { EROFS_THREADS_MAX = 4 };
unsigned erofs_count_threads(const struct erofs_writer *writer, uint64_t units);

/* ---- compression ------------------------------------------------------------------------ */

struct erofs_compressor;

/* From "lz4" or "lz4hc[:LEVEL]". */
int erofs_compressor_new(const char *how, struct erofs_compressor **ret, struct romsim_error *err);
void erofs_compressor_free(struct erofs_compressor *compressor);

/* Where a file goes: into the sink, once await() has returned 0, which is when all files before it
 * are there; -1 if they will not be. */
struct erofs_place {
    struct erofs_sink *sink;
    int (*await)(void *context);
    void *context;
};

/* What a regular file's data has become: `size` bytes for the sink, whole blocks, if they are not
 * there already.  With neither, it is to be put there as it is. */
struct erofs_packed {
    uint8_t *bytes;
    size_t size;
    struct erofs_index *index; /* NULL: it is stored flat.  The first block is 0, if it is not
                                  written */
    struct romsim_erofs_sums sums;
    bool is_written;
};

/* Compresses a regular file's data where that saves something.  By any number of threads, each with
 * a compressor of its own.  What is in *ret is the caller's in any case. */
int erofs_compress_file(struct erofs_compressor *compressor, const struct erofs_writer *writer,
                        const struct erofs_node *node, const struct erofs_place *place,
                        struct erofs_packed *ret, struct romsim_error *err);

/* Has a compressed file room up to a block? */
int erofs_check_block(uint64_t block, struct romsim_error *err);

/* Has an index of a file of so many bytes begin at a block, and not at 0. */
void erofs_index_move(struct erofs_index *index, uint64_t size, uint64_t block);

/* Where an index ends whose inode and xattrs end at `offset`. */
uint64_t erofs_index_end(const struct erofs_index *index, uint64_t offset);
int erofs_index_put(struct erofs_sink *sink, const struct erofs_index *index,
                    struct romsim_error *err);

/* ---- directories ------------------------------------------------------------------------ */

/* The size of a directory's data: whole blocks, and the last one up to a NUL behind its last
 * name. */
uint64_t erofs_directory_size(const struct romsim_inode *directory);

/* Puts the bytes of a directory's data from block `first` to the end or to block `end`. */
int erofs_directory_put(const struct erofs_writer *writer, struct erofs_sink *sink,
                        const struct erofs_node *node, uint64_t first, uint64_t end,
                        struct romsim_error *err);

/* ---- xattrs ----------------------------------------------------------------------------- */

/* Finds the xattrs that are worth sharing. */
int erofs_xattrs_collect(struct erofs_writer *writer, struct romsim_error *err);

/* The size of an inode's own xattr area in *ret. */
int erofs_xattrs_size(const struct erofs_writer *writer, const struct romsim_inode *inode,
                      uint32_t *ret, struct romsim_error *err);

int erofs_xattrs_put(struct erofs_writer *writer, const struct romsim_inode *inode,
                     struct romsim_error *err);
int erofs_xattrs_put_shared(struct erofs_writer *writer, struct romsim_error *err);

#endif
