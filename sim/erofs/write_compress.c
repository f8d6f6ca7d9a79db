/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * write_compress.c: regular files as LZ4 pclusters of one block each, with a full index.
 *
 * Theory of operation.  From where the last extent ended, as much of the file as fits into one
 * block when compressed becomes the next extent; where that is no more than a block, a block is
 * stored as it is.  So every extent but the last covers more than 4096 bytes or exactly that, no
 * two of them begin in one lcluster, and the index needs one entry an lcluster:
 *
 *     HEAD1 or PLAIN   an extent begins here, at di_clusterofs; its block
 *     NONHEAD          the middle of an extent: how far it is to its head and to the next one
 *
 * As mkfs.erofs does it, a last lcluster that only holds the end of an extent gets a PLAIN entry
 * that begins at the end of the file.  The compressed bytes stand at the end of their block, behind
 * zeros (ZERO_PADDING).
 *
 * The first blocks of a file are kept back: if they save nothing, the file is stored flat.  Until
 * more is kept back than there is room for, it is not known where the blocks will stand: so several
 * files can be compressed at a time (write_packed.c).
 */
#include "sim/erofs/write.h"

#include <errno.h>
#include <lz4.h>
#include <lz4hc.h>
#include <romsim/checked.h>
#include <romsim/text.h>
#include <string.h>

enum {
    LOOKAHEAD = 1 << 20, /* the most that one extent covers; 256 lclusters, as deltas allow */
    WINDOW = 2 * LOOKAHEAD,
    STAGE = 4 << 20,
    KEPT_MAX = WINDOW, /* of one file of many */
    LEVEL_DEFAULT = 9
};

struct erofs_compressor {
    int level; /* of LZ4 HC; 0: plain LZ4 */
    void *state;
    uint8_t window[WINDOW];
    uint8_t stage[STAGE];
};

/* The state of one file. */
struct run {
    struct erofs_compressor *compressor;
    const struct erofs_place *place;
    struct romsim_erofs_sums *sums; /* or NULL */
    size_t node;
    const struct romsim_inode *inode;
    struct erofs_index *index;
    uint64_t position;    /* where the next extent begins */
    uint64_t read;        /* how far the file is in the window */
    size_t head, have;    /* in the window: where the next extent begins, and its end */
    size_t staged;        /* bytes in the stage */
    uint64_t first_block; /* where the file's blocks will stand; 0: not known yet */
    bool committed;       /* the stage has been written once */
};

/* ---- options ---------------------------------------------------------------------------- */

static int parse_level(const char *how, int *ret)
{
    char *end;
    long level;

    if (strcmp(how, "lz4") == 0 || strcmp(how, "lz4hc") == 0) {
        *ret = how[3] ? LEVEL_DEFAULT : 0;
        return 0;
    }
    if (strncmp(how, "lz4hc:", 6) != 0 || how[6] < '0' || how[6] > '9')
        return -1;
    level = strtol(how + 6, &end, 10);
    if (*end != '\0' || level < 1 || level > LZ4HC_CLEVEL_MAX)
        return -1;
    *ret = (int)level;
    return 0;
}

int erofs_compressor_new(const char *how, struct erofs_compressor **ret, struct romsim_error *err)
{
    struct erofs_compressor *compressor;
    int level;

    if (parse_level(how, &level) < 0) {
        romsim_error_set(err, EINVAL, "unknown compression '%s'", QUOTE(how));
        return romsim_error_hint(err, "lz4, lz4hc or lz4hc:LEVEL, from 1 to %d", LZ4HC_CLEVEL_MAX);
    }
    compressor = malloc(sizeof(*compressor));
    if (!compressor)
        return romsim_error_nomem(err);
    compressor->level = level;
    compressor->state = malloc((size_t)(level > 0 ? LZ4_sizeofStateHC() : LZ4_sizeofState()));
    if (!compressor->state) {
        free(compressor);
        return romsim_error_nomem(err);
    }
    *ret = compressor;
    return 0;
}

void erofs_compressor_free(struct erofs_compressor *compressor)
{
    if (compressor)
        free(compressor->state);
    free(compressor);
}

/* ---- the index -------------------------------------------------------------------------- */

static uint64_t lcluster_count(uint64_t size)
{
    return size / EROFS_WRITE_BLOCK + (size % EROFS_WRITE_BLOCK != 0);
}

static void set_head(struct erofs_index *index, uint64_t at, unsigned type, uint64_t block)
{
    struct z_erofs_lcluster_index *entry = &index->entries[at / EROFS_WRITE_BLOCK];

    entry->di_advise = le16_make((uint16_t)type);
    entry->di_clusterofs = le16_make(at % EROFS_WRITE_BLOCK);
    entry->di_u.blkaddr = le32_make((uint32_t)block);
}

/* Enters an extent of `length` bytes at `start`. */
static void add_extent(struct run *run, uint64_t start, uint64_t length, unsigned type)
{
    struct erofs_index *index = run->index;
    uint64_t head = start / EROFS_WRITE_BLOCK;
    uint64_t end = start + length, next = end / EROFS_WRITE_BLOCK;

    set_head(index, start, type, run->first_block + index->blocks++);
    for (uint64_t i = head + 1; i < next; i++) {
        struct z_erofs_lcluster_index *entry = &index->entries[i];

        entry->di_advise = le16_make(Z_EROFS_LCLUSTER_TYPE_NONHEAD);
        entry->di_clusterofs = index->entries[head].di_clusterofs;
        entry->di_u.n.delta[0] = le16_make((uint16_t)(i - head));
        entry->di_u.n.delta[1] = le16_make((uint16_t)(next - i));
    }
    if (end == run->inode->size && end % EROFS_WRITE_BLOCK != 0 && next > head)
        set_head(index, end, Z_EROFS_LCLUSTER_TYPE_PLAIN, 0);
}

/* ---- data ------------------------------------------------------------------------------- */

/* Keeps LOOKAHEAD bytes ahead, as long as the file has them.  Reads whole blocks, for the sums. */
static int refill(struct run *run, struct romsim_error *err)
{
    uint8_t *window = run->compressor->window;
    size_t size;

    if (run->have - run->head >= LOOKAHEAD || run->read == run->inode->size)
        return 0;
    memmove(window, window + run->head, run->have - run->head);
    run->have -= run->head;
    run->head = 0;
    size = (size_t)min_u64(WINDOW - run->have, run->inode->size - run->read);
    if (run->read + size < run->inode->size)
        size -= size % EROFS_WRITE_BLOCK;
    if (romsim_inode_read(run->inode, run->read, window + run->have, size, err) < 0)
        return -1;
    if (run->sums && erofs_sums_add_bytes(run->sums, run->node, run->read / EROFS_WRITE_BLOCK,
                                          window + run->have, size, err) < 0)
        return -1;
    run->have += size;
    run->read += size;
    return 0;
}

/* Compresses as much as fits into the block `out`; returns how much that was, 0 if it saves
 * nothing. */
static size_t encode(struct run *run, uint8_t *out)
{
    struct erofs_compressor *compressor = run->compressor;
    const char *from = (const char *)compressor->window + run->head;
    int length = (int)min_u64(run->have - run->head, LOOKAHEAD);
    int size;

    if (length <= EROFS_WRITE_BLOCK)
        return 0;
    if (compressor->level > 0)
        size = LZ4_compress_HC_destSize(compressor->state, from, (char *)out, &length,
                                        EROFS_WRITE_BLOCK, compressor->level);
    else
        size = LZ4_compress_destSize(from, (char *)out, &length, EROFS_WRITE_BLOCK);
    if (size <= 0 || length <= EROFS_WRITE_BLOCK)
        return 0;
    memmove(out + EROFS_WRITE_BLOCK - size, out, (size_t)size);
    memset(out, 0, (size_t)(EROFS_WRITE_BLOCK - size));
    return (size_t)length;
}

static size_t store(struct run *run, uint8_t *out)
{
    size_t length = (size_t)min_u64(run->have - run->head, EROFS_WRITE_BLOCK);

    memcpy(out, run->compressor->window + run->head, length);
    memset(out + length, 0, EROFS_WRITE_BLOCK - length);
    return length;
}

static void next_extent(struct run *run)
{
    uint8_t *out = run->compressor->stage + run->staged;
    unsigned type = Z_EROFS_LCLUSTER_TYPE_HEAD1;
    size_t length = encode(run, out);

    if (length == 0) {
        type = Z_EROFS_LCLUSTER_TYPE_PLAIN;
        length = store(run, out);
    }
    add_extent(run, run->position, length, type);
    run->staged += EROFS_WRITE_BLOCK;
    run->head += length;
    run->position += length;
}

void erofs_index_move(struct erofs_index *index, uint64_t size, uint64_t block)
{
    for (uint64_t i = 0; i < index->count; i++) {
        struct z_erofs_lcluster_index *entry = &index->entries[i];
        bool is_end = i == size / EROFS_WRITE_BLOCK &&
                      le16_get(entry->di_clusterofs) == size % EROFS_WRITE_BLOCK;

        /* The entry of the file's end has no block. */
        if (le16_get(entry->di_advise) != Z_EROFS_LCLUSTER_TYPE_NONHEAD && !is_end)
            entry->di_u.blkaddr = le32_make(le32_get(entry->di_u.blkaddr) + (uint32_t)block);
    }
}

int erofs_check_block(uint64_t block, struct romsim_error *err)
{
    if (block <= UINT32_MAX)
        return 0;
    return romsim_error_set(err, EFBIG, "the image would be larger than 16 TiB");
}

static int write_stage(struct run *run, struct romsim_error *err)
{
    struct erofs_sink *sink = run->place->sink;

    if (!run->committed) {
        if (run->place->await(run->place->context) < 0)
            return romsim_error_set(err, ECANCELED, "another file failed");
        run->first_block = erofs_sink_offset(sink) >> EROFS_WRITE_BLKSZBITS;
        erofs_index_move(run->index, run->inode->size, run->first_block);
    }
    if (erofs_check_block(run->first_block + run->index->blocks, err) < 0)
        return -1;
    if (erofs_sink_append(sink, run->compressor->stage, run->staged, err) < 0)
        return -1;
    run->staged = 0;
    run->committed = true;
    return 0;
}

/* Is there, up to here, at least a block saved? */
static bool is_worth_it(const struct run *run)
{
    return run->index->blocks < lcluster_count(run->position);
}

static int compress_all(struct run *run, struct romsim_error *err)
{
    while (run->position < run->inode->size) {
        if (refill(run, err) < 0)
            return -1;
        next_extent(run);
        if (run->staged < STAGE && run->position < run->inode->size)
            continue;
        if (!run->committed && !is_worth_it(run))
            return 0;
        /* A file that is kept back as a whole may be one of many. */
        if (!run->committed && run->position == run->inode->size && run->staged <= KEPT_MAX)
            return 1;
        if (write_stage(run, err) < 0)
            return -1;
    }
    return 1;
}

/* ---- a file ----------------------------------------------------------------------------- */

/* What is kept back becomes the caller's. */
static int keep(const uint8_t *bytes, size_t size, size_t padded, struct erofs_packed *ret,
                struct romsim_error *err)
{
    ret->bytes = malloc(padded + !padded);
    if (!ret->bytes)
        return romsim_error_nomem(err);
    memcpy(ret->bytes, bytes, size);
    memset(ret->bytes + size, 0, padded - size);
    ret->size = padded;
    return 0;
}

/* A flat file that is in the window as a whole need not be read again. */
static int keep_flat(struct run *run, const struct erofs_node *node, struct erofs_packed *ret,
                     struct romsim_error *err)
{
    uint64_t blocks = erofs_node_blocks(node) * EROFS_WRITE_BLOCK;
    uint64_t size = min_u64(blocks, node->size);

    if (node->size > KEPT_MAX)
        return 0;
    if (run->sums &&
        erofs_sums_add_bytes(run->sums, run->node, 0, run->compressor->window, size, err) < 0)
        return -1;
    return keep(run->compressor->window, size, blocks, ret, err);
}

int erofs_compress_file(struct erofs_compressor *compressor, const struct erofs_writer *writer,
                        const struct erofs_node *node, const struct erofs_place *place,
                        struct erofs_packed *ret, struct romsim_error *err)
{
    uint64_t count = lcluster_count(node->size);
    struct run run = {
        .compressor = compressor,
        .place = place,
        .sums = writer->options.sums ? &ret->sums : NULL,
        .node = (size_t)(node - writer->nodes),
        .inode = node->inode,
    };
    int result;

    run.index = calloc(1, sizeof(*run.index) + count * sizeof(run.index->entries[0]));
    if (!run.index)
        return romsim_error_nomem(err);
    run.index->count = count;
    /* What has no more than a block saves none. */
    result = count < 2 ? refill(&run, err) : compress_all(&run, err);
    if (result > 0) {
        ret->index = run.index;
        ret->is_written = run.committed;
        return run.committed ? 0 : keep(compressor->stage, run.staged, run.staged, ret, err);
    }
    free(run.index);
    if (run.sums)
        erofs_sum_list_reset(&ret->sums.list);
    return result < 0 ? -1 : keep_flat(&run, node, ret, err);
}

/* ---- the index in the image ------------------------------------------------------------- */

/* Behind inode and xattrs: up to a multiple of 8, the map header (all zeros: LZ4, lclusters of a
 * block, nothing special), 8 bytes more, the entries. */
enum {
    INDEX_ALIGNMENT = 8,
    INDEX_HEADER = sizeof(struct z_erofs_map_header) + Z_EROFS_FULL_INDEX_PADDING
};

uint64_t erofs_index_end(const struct erofs_index *index, uint64_t offset)
{
    offset = (offset + INDEX_ALIGNMENT - 1) & ~(uint64_t)(INDEX_ALIGNMENT - 1);
    return offset + INDEX_HEADER + index->count * sizeof(index->entries[0]);
}

int erofs_index_put(struct erofs_sink *sink, const struct erofs_index *index,
                    struct romsim_error *err)
{
    uint64_t padding = -erofs_sink_offset(sink) % INDEX_ALIGNMENT;

    if (erofs_sink_zeros(sink, padding + INDEX_HEADER, err) < 0)
        return -1;
    return erofs_sink_append(sink, index->entries, index->count * sizeof(index->entries[0]), err);
}
