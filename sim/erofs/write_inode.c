/* SPDX-License-Identifier: BSD-3-Clause */
/* write_inode.c: the second pass of the writer: inodes with what follows them. */
#include "sim/erofs/write.h"

#include <errno.h>
#include <romsim/checked.h>
#include <sys/stat.h>

/* ---- data ------------------------------------------------------------------------------- */

/* What was read of a file from `offset`, a block's beginning. */
static int sum_up(struct erofs_writer *writer, const struct erofs_node *node, uint64_t offset,
                  const uint8_t *bytes, uint64_t size, struct romsim_error *err)
{
    uint64_t block = offset / EROFS_WRITE_BLOCK;

    if (!writer->options.sums)
        return 0;
    if (block >= erofs_node_blocks(node))
        block = EROFS_SUM_TAIL;
    return erofs_sums_add_bytes(writer->options.sums, (size_t)(node - writer->nodes), block, bytes,
                                size, err);
}

/* Puts the bytes [offset, end) of a regular file into the sink. */
static int put_file(struct erofs_writer *writer, const struct erofs_node *node, uint64_t offset,
                    uint64_t end, struct romsim_error *err)
{
    struct erofs_sink *sink = &writer->sink;

    while (offset < end) {
        uint64_t size = min_u64(romsim_inode_hole(node->inode, offset), end - offset);
        size_t room;
        uint8_t *place = erofs_sink_room(sink, &room);

        if (size < end - offset) /* what is read begins with a block */
            size -= size % EROFS_WRITE_BLOCK;
        if (size > 0) {
            if (erofs_sink_zeros(sink, size, err) < 0)
                return -1;
        } else {
            size = min_u64(room, end - offset);
            if (romsim_inode_read(node->inode, offset, place, size, err) < 0 ||
                sum_up(writer, node, offset, place, size, err) < 0 ||
                erofs_sink_commit(sink, size, err) < 0)
                return -1;
        }
        offset += size;
    }
    return 0;
}

/* Puts the blocks [first, end) of a node's data into the sink, the last one up to the data's
 * end. */
static int put_blocks(struct erofs_writer *writer, const struct erofs_node *node, uint64_t first,
                      uint64_t end, struct romsim_error *err)
{
    uint64_t from = min_u64(first * EROFS_WRITE_BLOCK, node->size);
    uint64_t to = min_u64(end * EROFS_WRITE_BLOCK, node->size);

    switch (node->inode->mode & S_IFMT) {
    case S_IFREG:
        return put_file(writer, node, from, to, err);
    case S_IFDIR:
        return erofs_directory_put(writer, &writer->sink, node, first, end, err);
    case S_IFLNK:
        return erofs_sink_append(&writer->sink, node->inode->target + from, to - from, err);
    default:
        return 0;
    }
}

int erofs_put_flat(struct erofs_writer *writer, const struct erofs_node *node,
                   struct romsim_error *err)
{
    if (put_blocks(writer, node, 0, erofs_node_blocks(node), err) < 0)
        return -1;
    return erofs_sink_align(&writer->sink, err);
}

/* ---- inodes ----------------------------------------------------------------------------- */

uint32_t erofs_encode_device(uint32_t major_number, uint32_t minor_number)
{
    return (minor_number & 0xFF) | major_number << 8 | (minor_number & ~0xFFu) << 12;
}

static le32 encode_i_u(const struct erofs_node *node)
{
    const struct romsim_inode *inode = node->inode;

    if (S_ISCHR(inode->mode) || S_ISBLK(inode->mode))
        return le32_make(erofs_encode_device(inode->rdev_major, inode->rdev_minor));
    if (node->index)
        return le32_make(node->index->blocks);
    return le32_make((uint32_t)node->start);
}

uint32_t erofs_link_count(const struct romsim_inode *inode)
{
    return S_ISDIR(inode->mode) ? (uint32_t)inode->child_count + 2 : inode->links;
}

static uint16_t encode_icount(uint32_t xattr_size)
{
    if (xattr_size == 0)
        return 0;
    return (uint16_t)((xattr_size - sizeof(struct erofs_xattr_ibody_header)) /
                          EROFS_XATTR_ALIGNMENT +
                      1);
}

static void encode_inode(const struct erofs_node *node, struct erofs_inode_extended *ret)
{
    const struct romsim_inode *inode = node->inode;

    *ret = (struct erofs_inode_extended){
        .i_format = le16_make((uint16_t)(EROFS_INODE_LAYOUT_EXTENDED << EROFS_I_VERSION_BIT |
                                         node->layout << EROFS_I_DATALAYOUT_BIT)),
        .i_xattr_icount = le16_make(encode_icount(node->xattr_size)),
        .i_mode = le16_make((uint16_t)inode->mode),
        .i_size = le64_make(node->size),
        .i_u.startblk_lo = encode_i_u(node),
        .i_ino = le32_make((uint32_t)node->nid),
        .i_uid = le32_make(inode->uid),
        .i_gid = le32_make(inode->gid),
        .i_mtime = le64_make((uint64_t)inode->mtime),
        .i_mtime_nsec = le32_make(inode->mtime_nsec),
        .i_nlink = le32_make(erofs_link_count(inode)),
    };
}

static int put_inode(struct erofs_writer *writer, const struct erofs_node *node,
                     struct romsim_error *err)
{
    uint64_t blocks = erofs_node_blocks(node);
    struct erofs_inode_extended disk;

    encode_inode(node, &disk);
    if (erofs_sink_pad_to(&writer->sink, writer->meta_start + (node->nid << EROFS_ISLOTBITS), err) <
            0 ||
        erofs_sink_append(&writer->sink, &disk, sizeof(disk), err) < 0 ||
        erofs_xattrs_put(writer, node->inode, err) < 0)
        return -1;
    if (node->index)
        return erofs_index_put(&writer->sink, node->index, err);
    return erofs_node_tail(node) == 0 ? 0 : put_blocks(writer, node, blocks, blocks + 1, err);
}

int erofs_writer_put_inodes(struct erofs_writer *writer, struct romsim_error *err)
{
    for (size_t i = 0; i < writer->count; i++)
        if (put_inode(writer, &writer->nodes[i], err) < 0)
            return -1;
    if (writer->shared_count == 0)
        return 0;
    if (erofs_sink_pad_to(&writer->sink, writer->xattr_start, err) < 0)
        return -1;
    return erofs_xattrs_put_shared(writer, err);
}
