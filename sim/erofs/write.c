/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * write.c: romsim_erofs_write(): from a tree to an image.  See write.h for the theory, cloud-rules
 * §3 for the choices: 4096-byte blocks, extended inodes, whole blocks, the superblock's features.
 */
#include "sim/erofs/write.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static void writer_reset(struct erofs_writer *writer)
{
    for (size_t i = 0; i < writer->count; i++)
        free(writer->nodes[i].index);
    free(writer->nodes);
    free(writer->shared);
    erofs_sink_reset(&writer->sink);
}

/* A UUID of version 8 (RFC 9562: what its maker likes), from the hash of the content. */
static void make_uuid(const uint8_t hash[ROMSIM_SHA256_SIZE], uint8_t ret[16])
{
    memcpy(ret, hash, 16);
    ret[6] = (uint8_t)((ret[6] & 0x0F) | 0x80);
    ret[8] = (uint8_t)((ret[8] & 0x3F) | 0x80);
}

static void make_superblock(const struct erofs_writer *writer, const uint8_t uuid[16],
                            struct erofs_super_block *ret)
{
    *ret = (struct erofs_super_block){
        .magic = le32_make(EROFS_SUPER_MAGIC_V1),
        .feature_compat = le32_make(EROFS_FEATURE_COMPAT_SB_CHKSUM | EROFS_FEATURE_COMPAT_MTIME),
        .blkszbits = EROFS_WRITE_BLKSZBITS,
        .rb.rootnid_2b = le16_make((uint16_t)writer->nodes[0].nid),
        .inos = le64_make(writer->count),
        .epoch = le64_make((uint64_t)writer->options.build_time),
        .blocks_lo = le32_make((uint32_t)(writer->end >> EROFS_WRITE_BLKSZBITS)),
        .meta_blkaddr = le32_make((uint32_t)(writer->meta_start >> EROFS_WRITE_BLKSZBITS)),
    };
    if (writer->compresses)
        ret->feature_incompat = le32_make(EROFS_FEATURE_INCOMPAT_ZERO_PADDING);
    if (writer->shared_count > 0)
        ret->xattr_blkaddr = le32_make((uint32_t)(writer->xattr_start >> EROFS_WRITE_BLKSZBITS));
    memcpy(ret->uuid, uuid, sizeof(ret->uuid));
}

static void sum_up(const struct erofs_writer *writer, struct romsim_erofs_result *ret)
{
    ret->size = writer->end;
    ret->inodes = writer->count;
    for (size_t i = 0; i < writer->count; i++) {
        const struct erofs_node *node = &writer->nodes[i];

        if (!S_ISREG(node->inode->mode))
            continue;
        ret->data_bytes += node->size;
        ret->stored_bytes +=
            (erofs_node_blocks(node) << EROFS_WRITE_BLKSZBITS) + erofs_node_tail(node);
    }
}

/* Inodes, then data. */
static int put_as_the_cloud(struct erofs_writer *writer, struct romsim_error *err)
{
    if (erofs_writer_lay_out(writer, err) < 0 || erofs_writer_put_inodes(writer, err) < 0)
        return -1;
    return erofs_writer_put_data(writer, err);
}

/* Data, then inodes. */
static int put_compressed(struct erofs_writer *writer, struct romsim_error *err)
{
    if (erofs_writer_put_compressed(writer, err) < 0 ||
        erofs_writer_lay_out_behind(writer, err) < 0 || erofs_writer_put_data(writer, err) < 0)
        return -1;
    return erofs_writer_put_inodes(writer, err);
}

static int write_image(struct erofs_writer *writer, struct romsim_erofs_result *ret,
                       struct romsim_error *err)
{
    struct romsim_erofs_result result = {0};
    struct erofs_super_block super;
    uint8_t hash[ROMSIM_SHA256_SIZE];

    if (erofs_writer_collect(writer, err) < 0 ||
        (writer->compresses ? put_compressed : put_as_the_cloud)(writer, err) < 0 ||
        erofs_sink_pad_to(&writer->sink, writer->end, err) < 0 ||
        erofs_sink_finish(&writer->sink, hash, err) < 0)
        return -1;
    make_uuid(hash, result.uuid);
    make_superblock(writer, result.uuid, &super);
    if (erofs_sink_superblock(&writer->sink, &super, err) < 0)
        return -1;
    sum_up(writer, &result);
    if (ret)
        *ret = result;
    return 0;
}

static int prepare(struct erofs_writer *writer, int fd, struct romsim_error *err)
{
    writer->compresses = writer->options.compress;
    return erofs_sink_init(&writer->sink, fd, err);
}

int romsim_erofs_write(struct romsim_tree *tree, const struct romsim_erofs_options *options, int fd,
                       struct romsim_erofs_result *ret, struct romsim_error *err)
{
    struct erofs_writer writer = {.tree = tree};
    int result;

    if (options)
        writer.options = *options;
    result = prepare(&writer, fd, err);
    if (result == 0)
        result = write_image(&writer, ret, err);
    writer_reset(&writer);
    return result;
}
