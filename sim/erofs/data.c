/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * data.c: the data of files: where it is, reading it, handing out pointers to it.
 *
 * A read asks for the extent around its offset, takes what it can of it, and goes on behind it:
 * it ends because every extent has a length, and costs what it returns because no extent is
 * looked at longer than that.  i_size is never used as the size of an allocation.
 */
#include "zfile.h"

#include <errno.h>
#include <sys/stat.h>

/* All blocks of a flat file stand in a row; the last one of a flat-inline file stands behind its
 * inode and must not cross a block's end there. */
static int flat_extent(const struct romsim_erofs *erofs, const struct romsim_erofs_inode *inode,
                       uint64_t offset, struct erofs_extent *ret, struct romsim_error *err)
{
    uint64_t mask = erofs_block_size(erofs) - 1;
    uint64_t plain_end = inode->size;
    uint64_t base;

    if (inode->layout == ROMSIM_EROFS_FLAT_INLINE)
        plain_end = (inode->size - 1) & ~mask;
    if (offset < plain_end) {
        *ret = (struct erofs_extent){.kind = EROFS_EXTENT_HOLE, .length = plain_end};
        if (inode->start == EROFS_NO_START)
            return 0;
        ret->kind = EROFS_EXTENT_RAW;
        if (checked_shift_left(inode->start, erofs->super.block_bits, &ret->position) &&
            checked_add(ret->position, plain_end, &base))
            return 0;
        return romsim_error_set(err, EUCLEAN, "nid %llu: data begins at block %llu",
                                (unsigned long long)inode->nid, (unsigned long long)inode->start);
    }
    *ret = (struct erofs_extent){
        .kind = EROFS_EXTENT_RAW,
        .in_metabox = erofs_nid_in_metabox(inode->nid),
        .start = plain_end,
        .length = inode->size - plain_end,
        .position = inode->data_start,
    };
    if (erofs_in_block(erofs, ret->position) + ret->length > mask + 1)
        return romsim_error_set(err, EUCLEAN,
                                "nid %llu: inline data at offset %llu crosses a block's end",
                                (unsigned long long)inode->nid, (unsigned long long)ret->position);
    return 0;
}

int erofs_extent_find(struct romsim_erofs *erofs, const struct romsim_erofs_inode *inode,
                      const struct erofs_zfile *file, uint64_t offset, struct erofs_extent *ret,
                      struct romsim_error *err)
{
    switch (inode->layout) {
    case ROMSIM_EROFS_FLAT_PLAIN:
    case ROMSIM_EROFS_FLAT_INLINE:
        return flat_extent(erofs, inode, offset, ret, err);
    case ROMSIM_EROFS_CHUNK_BASED:
        return erofs_chunk_extent(erofs, inode, offset, ret, err);
    default:
        return erofs_zfile_extent(file, offset, ret, err);
    }
}

static int read_raw(struct romsim_erofs *erofs, const struct erofs_extent *extent,
                    uint64_t position, void *buffer, size_t size, struct romsim_error *err)
{
    return erofs_meta_read(erofs, extent->in_metabox, position, buffer, size,
                           extent->in_metabox ? "inline data" : "data", err);
}

/* The packed inode has no fragments of its own (zfile.c), so this goes no deeper. */
static int read_fragment(struct romsim_erofs *erofs, uint64_t position, void *buffer, size_t size,
                         struct romsim_error *err)
{
    size_t got;

    if (!range_is_inside(position, size, erofs->packed.size))
        return romsim_error_set(
            err, EUCLEAN, "a fragment at %llu is beyond the packed inode's end at %llu",
            (unsigned long long)position, (unsigned long long)erofs->packed.size);
    return romsim_erofs_read(erofs, &erofs->packed, position, buffer, size, &got, err);
}

/* Reads `size` bytes at `offset`, all inside the extent. */
static int read_extent(struct romsim_erofs *erofs, const struct erofs_extent *extent,
                       uint64_t offset, void *buffer, size_t size, struct romsim_error *err)
{
    uint64_t position;

    if (!checked_add(extent->position, offset - extent->start, &position))
        return romsim_error_set(err, EUCLEAN, "data at offset %llu is out of range",
                                (unsigned long long)extent->position);
    switch (extent->kind) {
    case EROFS_EXTENT_HOLE:
        memset(buffer, 0, size);
        return 0;
    case EROFS_EXTENT_RAW:
        return read_raw(erofs, extent, position, buffer, size, err);
    case EROFS_EXTENT_PCLUSTER:
        return erofs_zcache_read(erofs, extent, offset, buffer, size, err);
    case EROFS_EXTENT_FRAGMENT:
        return read_fragment(erofs, position, buffer, size, err);
    }
    return romsim_error_set(err, EUCLEAN, "an extent of no known kind");
}

static bool has_data(const struct romsim_erofs_inode *inode)
{
    return S_ISREG(inode->mode) || S_ISDIR(inode->mode) || S_ISLNK(inode->mode);
}

int romsim_erofs_read(struct romsim_erofs *erofs, const struct romsim_erofs_inode *inode,
                      uint64_t offset, void *buffer, size_t size, size_t *ret_size,
                      struct romsim_error *err)
{
    struct erofs_zfile file;
    size_t done = 0;

    if (!has_data(inode))
        return romsim_error_set(err, EINVAL, "nid %llu is a device, fifo or socket without data",
                                (unsigned long long)inode->nid);
    if (offset >= inode->size)
        size = 0;
    else
        size = min_u64(size, inode->size - offset);
    if (size && romsim_erofs_is_compressed(inode) && erofs_zfile_open(erofs, inode, &file, err) < 0)
        return -1;
    while (done < size) {
        struct erofs_extent extent;
        size_t part;

        if (erofs_extent_find(erofs, inode, &file, offset + done, &extent, err) < 0)
            return -1;
        part = min_u64(size - done, extent.start + extent.length - (offset + done));
        if (read_extent(erofs, &extent, offset + done, (uint8_t *)buffer + done, part, err) < 0)
            return romsim_error_context(err, "nid %llu", (unsigned long long)inode->nid);
        done += part;
    }
    *ret_size = done;
    return 0;
}

int romsim_erofs_map(struct romsim_erofs *erofs, const struct romsim_erofs_inode *inode,
                     uint64_t offset, uint64_t size, const uint8_t **ret, uint64_t *ret_size,
                     uint64_t *ret_position, struct romsim_error *err)
{
    struct erofs_extent extent;
    uint64_t length, position;
    const uint8_t *bytes;

    if (!has_data(inode) || offset >= inode->size || !size || romsim_erofs_is_compressed(inode))
        return 0;
    if (erofs_extent_find(erofs, inode, NULL, offset, &extent, err) < 0)
        return -1;
    if (extent.kind != EROFS_EXTENT_RAW || extent.in_metabox)
        return 0;
    length = min_u64(size, extent.start + extent.length - offset);
    position = extent.position + (offset - extent.start);
    bytes = erofs_image_bytes(erofs, position, length, "data", err);
    if (!bytes)
        return romsim_error_context(err, "nid %llu", (unsigned long long)inode->nid);
    *ret = bytes;
    *ret_size = length;
    *ret_position = position;
    return 1;
}

/* The extent around an offset of a file of any kind. */
static int find_extent(struct romsim_erofs *erofs, const struct romsim_erofs_inode *inode,
                       uint64_t offset, struct erofs_extent *ret, struct romsim_error *err)
{
    struct erofs_zfile file;

    if (!has_data(inode) || offset >= inode->size)
        return romsim_error_set(err, EINVAL, "nid %llu has no data at %llu",
                                (unsigned long long)inode->nid, (unsigned long long)offset);
    if (romsim_erofs_is_compressed(inode) && erofs_zfile_open(erofs, inode, &file, err) < 0)
        return -1;
    return erofs_extent_find(erofs, inode, &file, offset, ret, err);
}

int romsim_erofs_place(struct romsim_erofs *erofs, const struct romsim_erofs_inode *inode,
                       uint64_t offset, struct romsim_erofs_place *ret, struct romsim_error *err)
{
    struct erofs_extent extent;

    if (find_extent(erofs, inode, offset, &extent, err) < 0)
        return -1;
    *ret = (struct romsim_erofs_place){.start = extent.start, .length = extent.length};
    if (extent.in_metabox || extent.kind == EROFS_EXTENT_HOLE ||
        extent.kind == EROFS_EXTENT_FRAGMENT)
        return 0;
    ret->position = extent.position;
    ret->stored = extent.kind == EROFS_EXTENT_RAW ? extent.length : extent.encoded;
    return 0;
}

int romsim_erofs_hole(struct romsim_erofs *erofs, const struct romsim_erofs_inode *inode,
                      uint64_t offset, uint64_t *ret_size, struct romsim_error *err)
{
    struct erofs_extent extent;

    if (find_extent(erofs, inode, offset, &extent, err) < 0)
        return -1;
    *ret_size = extent.start + extent.length - offset;
    return extent.kind == EROFS_EXTENT_HOLE;
}

char *romsim_erofs_readlink(struct romsim_erofs *erofs, const struct romsim_erofs_inode *inode,
                            struct romsim_error *err)
{
    CLEANUP_FREE char *target = NULL;
    size_t size;

    if (!S_ISLNK(inode->mode)) {
        romsim_error_set(err, EINVAL, "nid %llu is no symlink", (unsigned long long)inode->nid);
        return NULL;
    }
    if (inode->size > ROMSIM_TARGET_MAX) {
        romsim_error_set(err, EUCLEAN, "nid %llu: a symlink's target of %llu bytes",
                         (unsigned long long)inode->nid, (unsigned long long)inode->size);
        return NULL;
    }
    target = calloc(1, inode->size + 1);
    if (!target) {
        romsim_error_nomem(err);
        return NULL;
    }
    if (romsim_erofs_read(erofs, inode, 0, target, inode->size, &size, err) < 0)
        return NULL;
    return STEAL_POINTER(&target);
}
