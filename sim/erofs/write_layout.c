/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * write_layout.c: the first pass of the writer: which inodes there are, in the image's order, and
 * where each of them and its data will stand.
 *
 * The order is the cloud packer's: depth first, a directory before its entries, entries by name
 * byte-wise; an inode with several names stands where its first name is.
 */
#include "sim/erofs/write.h"

#include <errno.h>
#include <romsim/checked.h>
#include <romsim/text.h>
#include <sys/stat.h>

/* ---- which ------------------------------------------------------------------------------ */

void erofs_number_inodes(struct romsim_tree *tree)
{
    const struct romsim_dentry *name;
    uint64_t count = 0;

    for (struct romsim_inode *inode = romsim_tree_next_inode(tree, NULL); inode;
         inode = romsim_tree_next_inode(tree, inode))
        inode->cookie = 0;
    romsim_tree_root(tree)->cookie = ++count;
    for (name = romsim_tree_root(tree)->children; name; name = romsim_dentry_next(name))
        if (name->inode->cookie == 0)
            name->inode->cookie = ++count;
}

static int list_inodes(struct erofs_writer *writer, struct romsim_error *err)
{
    struct romsim_tree *tree = writer->tree;

    if (romsim_tree_sort(tree, err) < 0)
        return -1;
    writer->nodes = calloc(romsim_tree_inode_count(tree), sizeof(*writer->nodes));
    if (!writer->nodes)
        return romsim_error_nomem(err);
    erofs_number_inodes(tree);
    for (struct romsim_inode *inode = romsim_tree_next_inode(tree, NULL); inode;
         inode = romsim_tree_next_inode(tree, inode))
        writer->nodes[inode->cookie - 1].inode = inode;
    writer->count = romsim_tree_inode_count(tree);
    return 0;
}

/* ---- errors ----------------------------------------------------------------------------- */

/* Any name of an inode that is not a directory; only looked for when there is an error. */
static const struct romsim_dentry *find_name(const struct erofs_writer *writer,
                                             const struct romsim_inode *inode)
{
    const struct romsim_dentry *name = inode->dentry;

    if (name || S_ISDIR(inode->mode))
        return name;
    name = romsim_tree_root(writer->tree)->children;
    while (name && name->inode != inode)
        name = romsim_dentry_next(name);
    return name;
}

int erofs_writer_blame(const struct erofs_writer *writer, const struct erofs_node *node,
                       struct romsim_error *err)
{
    const struct romsim_dentry *name = find_name(writer, node->inode);
    CLEANUP_FREE char *path = name ? romsim_dentry_path(name) : NULL;

    return romsim_error_context(err, "%s", QUOTE(path ? path : "/"));
}

/* ---- how large -------------------------------------------------------------------------- */

/* Devices: the numbers must fit the 12 + 20 bits of the kernel's new_encode_dev(). */
static int check_device(const struct romsim_inode *inode, struct romsim_error *err)
{
    if (inode->rdev_major < 1u << 12 && inode->rdev_minor < 1u << 20)
        return 0;
    return romsim_error_set(err, EINVAL, "the device number %u:%u cannot be stored",
                            inode->rdev_major, inode->rdev_minor);
}

static int measure_data(struct erofs_node *node, struct romsim_error *err)
{
    const struct romsim_inode *inode = node->inode;

    switch (inode->mode & S_IFMT) {
    case S_IFREG:
        node->size = inode->size;
        return 0;
    case S_IFLNK:
        if (!inode->target || inode->size == 0)
            return romsim_error_set(err, EINVAL, "the symbolic link has no target");
        node->size = inode->size;
        return 0;
    case S_IFDIR:
        node->size = erofs_directory_size(inode);
        return 0;
    case S_IFCHR:
    case S_IFBLK:
        return check_device(inode, err);
    case S_IFIFO:
    case S_IFSOCK:
        return 0;
    default:
        return romsim_error_set(err, EINVAL, "the mode 0%o has no known type", inode->mode);
    }
}

/*
 * May the end of the data stand behind the inode?  Kernels before 6.12 want it in the block where
 * the inode ends, and all want it in one block: so inode, xattrs and tail must fit one block.
 */
static enum romsim_erofs_layout choose_layout(const struct erofs_writer *writer,
                                              const struct erofs_node *node)
{
    uint64_t tail = node->size % EROFS_WRITE_BLOCK;

    if (!writer->options.inline_data || tail == 0 ||
        sizeof(struct erofs_inode_extended) + node->xattr_size + tail > EROFS_WRITE_BLOCK)
        return ROMSIM_EROFS_FLAT_PLAIN;
    return ROMSIM_EROFS_FLAT_INLINE;
}

static int measure(struct erofs_writer *writer, struct erofs_node *node, struct romsim_error *err)
{
    if (measure_data(node, err) < 0 ||
        erofs_xattrs_size(writer, node->inode, &node->xattr_size, err) < 0)
        return erofs_writer_blame(writer, node, err);
    node->layout = choose_layout(writer, node);
    return 0;
}

int erofs_writer_collect(struct erofs_writer *writer, struct romsim_error *err)
{
    if (list_inodes(writer, err) < 0 || erofs_xattrs_collect(writer, err) < 0)
        return -1;
    for (size_t i = 0; i < writer->count; i++)
        if (measure(writer, &writer->nodes[i], err) < 0)
            return -1;
    return 0;
}

/* ---- where ------------------------------------------------------------------------------ */

static uint64_t align_block(uint64_t offset)
{
    return (offset + EROFS_WRITE_BLOCK - 1) & ~(uint64_t)(EROFS_WRITE_BLOCK - 1);
}

/* Gives a node its place at or behind `offset` (from the metadata's start); returns its end. */
static uint64_t place_inode(struct erofs_node *node, uint64_t offset)
{
    uint64_t size = sizeof(struct erofs_inode_extended) + node->xattr_size;
    uint64_t tail = erofs_node_tail(node);

    offset = (offset + EROFS_ISLOT_SIZE - 1) & ~(uint64_t)(EROFS_ISLOT_SIZE - 1);
    if (tail > 0 && offset % EROFS_WRITE_BLOCK + size + tail > EROFS_WRITE_BLOCK)
        offset = align_block(offset);
    node->nid = offset >> EROFS_ISLOTBITS;
    return node->index ? erofs_index_end(node->index, offset + size) : offset + size + tail;
}

/*
 * fsck.erofs 1.5 reads a xattr header behind every inode, also one without xattrs, and fails where
 * the image ends with the inode.  In the cloud's order the data of the root follows.
 */
static uint64_t place_inodes(struct erofs_writer *writer, uint64_t offset)
{
    for (size_t i = 0; i < writer->count; i++)
        offset = place_inode(&writer->nodes[i], offset);
    if (writer->compresses || writer->options.inline_data)
        offset += sizeof(struct erofs_xattr_ibody_header);
    return align_block(offset);
}

static bool has_data(const struct erofs_node *node)
{
    uint32_t type = node->inode->mode & S_IFMT;

    return type == S_IFREG || type == S_IFDIR || type == S_IFLNK;
}

/* Data blocks one behind the other from `offset`.  As in the cloud's images an empty file has the
 * address where its data would stand. */
static int place_data(struct erofs_writer *writer, uint64_t offset, uint64_t *ret_end,
                      struct romsim_error *err)
{
    for (size_t i = 0; i < writer->count; i++) {
        struct erofs_node *node = &writer->nodes[i];
        uint64_t size = erofs_node_blocks(node) << EROFS_WRITE_BLKSZBITS;

        if (!has_data(node) || node->written)
            continue;
        node->start = offset >> EROFS_WRITE_BLKSZBITS;
        if (!checked_add(offset, size, &offset) || offset >> EROFS_WRITE_BLKSZBITS > UINT32_MAX) {
            romsim_error_set(err, EFBIG, "the image would be larger than 16 TiB");
            return erofs_writer_blame(writer, node, err);
        }
    }
    *ret_end = offset;
    return 0;
}

int erofs_writer_lay_out(struct erofs_writer *writer, struct romsim_error *err)
{
    writer->xattr_start = place_inodes(writer, EROFS_WRITE_SUPER_END);
    if (place_data(writer, align_block(writer->xattr_start + writer->shared_size), &writer->end,
                   err) < 0)
        return -1;
    return romsim_tree_check_image(writer->tree, writer->end, err);
}

int erofs_writer_lay_out_behind(struct erofs_writer *writer, struct romsim_error *err)
{
    /* No inode has the nid 0: it means 'none' in the superblock's other fields. */
    uint64_t size = place_inodes(writer, EROFS_ISLOT_SIZE);

    if (place_data(writer, erofs_sink_offset(&writer->sink), &writer->meta_start, err) < 0)
        return -1;
    writer->xattr_start = writer->meta_start + size;
    writer->end = align_block(writer->xattr_start + writer->shared_size);
    return romsim_tree_check_image(writer->tree, writer->end, err);
}
