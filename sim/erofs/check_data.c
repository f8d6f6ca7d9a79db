/* SPDX-License-Identifier: BSD-3-Clause */
/* check_data.c: the extents and the xattrs of an inode. */
#include "check.h"

#include <errno.h>
#include <sys/stat.h>

/* ---- xattrs ----------------------------------------------------------------------------- */

static int check_xattrs(struct check *check, const struct romsim_erofs_inode *inode,
                        struct romsim_error *err)
{
    struct romsim_error damage = {0};

    if (!inode->xattr_size)
        return 0;
    check->census.with_xattrs++;
    if (!check_pay(&check->xattr_budget, inode->xattr_size)) {
        check_finding(check, ROMSIM_EROFS_ERROR, inode, inode->offset,
                      "the xattrs of all inodes claim more bytes than the image has");
        return 0;
    }
    if (erofs_xattr_check(check->erofs, inode, &damage) < 0) {
        if (damage.errnum == ENOMEM)
            return romsim_error_nomem(err);
        check_damage(check, inode, inode->data_start - inode->xattr_size, &damage);
    }
    return 0;
}

/* ---- extents ---------------------------------------------------------------------------- */

static int grow_scratch(struct check *check, size_t size, struct romsim_error *err)
{
    uint8_t *grown;

    if (size <= check->decoded_size)
        return 0;
    grown = realloc(check->decoded, size);
    if (!grown)
        return romsim_error_nomem(err);
    check->decoded = grown;
    check->decoded_size = size;
    return 0;
}

static int check_pcluster(struct check *check, const struct romsim_erofs_inode *inode,
                          const struct erofs_extent *extent, struct romsim_error *err)
{
    struct romsim_erofs_census *census = &check->census;
    struct romsim_error damage = {0};

    census->pclusters[extent->algorithm]++;
    census->encoded_bytes[extent->algorithm] += extent->encoded;
    census->decoded_bytes[extent->algorithm] += extent->length;
    if (!check->decode)
        return 0;
    if (!check_pay(&check->decode_budget, extent->length)) {
        check_finding(check, ROMSIM_EROFS_WARNING, NULL, extent->position,
                      "the image decodes to far more than its size: not all data is decoded");
        check->decode = false;
        return 0;
    }
    if (grow_scratch(check, extent->length, err) < 0)
        return -1;
    if (erofs_zcache_read(check->erofs, extent, extent->start, check->decoded, extent->length,
                          &damage) < 0)
        check_damage(check, inode, extent->position, &damage);
    return 0;
}

static bool extent_is_inside(const struct check *check, const struct erofs_extent *extent)
{
    uint64_t size = extent->in_metabox ? check->erofs->metabox.size : check->erofs->size;

    if (extent->kind == EROFS_EXTENT_HOLE)
        return true;
    if (extent->kind == EROFS_EXTENT_FRAGMENT)
        return range_is_inside(extent->position, extent->length, check->erofs->packed.size);
    return range_is_inside(extent->position,
                           extent->kind == EROFS_EXTENT_RAW ? extent->length : extent->encoded,
                           size);
}

static enum range_use extent_use(const struct romsim_erofs_inode *inode,
                                 const struct erofs_extent *extent)
{
    if (extent->kind == EROFS_EXTENT_PCLUSTER)
        return RANGE_PCLUSTER;
    if (inode->layout == ROMSIM_EROFS_FLAT_PLAIN || inode->layout == ROMSIM_EROFS_FLAT_INLINE)
        return RANGE_FLAT;
    return RANGE_SHARED;
}

/* What stands behind its inode belongs to the inode. */
static int note_range(struct check *check, const struct romsim_erofs_inode *inode,
                      const struct erofs_extent *extent, struct romsim_error *err)
{
    uint64_t length = extent->kind == EROFS_EXTENT_RAW ? extent->length : extent->encoded;
    bool is_inline =
        inode->layout == ROMSIM_EROFS_FLAT_INLINE && extent->position == inode->data_start;

    if (is_inline)
        check->census.inline_bytes += length;
    if (extent->in_metabox)
        return 0;
    return check_range_add(check, is_inline ? RANGE_INODE : extent_use(inode, extent), inode->nid,
                           extent->position, length, err);
}

/* 0; 1 if the rest of the file is not worth a look; -1 without memory. */
static int check_extent(struct check *check, const struct romsim_erofs_inode *inode,
                        const struct erofs_extent *extent, struct romsim_error *err)
{
    if (!extent_is_inside(check, extent)) {
        check_finding(check, ROMSIM_EROFS_ERROR, inode, extent->position,
                      "bytes %llu to %llu of the data are beyond the end of the %s",
                      (unsigned long long)extent->start,
                      (unsigned long long)(extent->start + extent->length - 1),
                      extent->kind == EROFS_EXTENT_FRAGMENT ? "packed inode"
                      : extent->in_metabox                  ? "metabox"
                                                            : "image");
        return 1;
    }
    switch (extent->kind) {
    case EROFS_EXTENT_HOLE:
        check->census.hole_bytes += extent->length;
        return 0;
    case EROFS_EXTENT_FRAGMENT:
        check->census.fragments++;
        return 0;
    case EROFS_EXTENT_RAW:
        return note_range(check, inode, extent, err);
    case EROFS_EXTENT_PCLUSTER:
        if (note_range(check, inode, extent, err) < 0)
            return -1;
        return check_pcluster(check, inode, extent, err);
    }
    return 0;
}

/* One finding a file is enough when its indexes are damaged. */
static int check_extents(struct check *check, const struct romsim_erofs_inode *inode,
                         struct romsim_error *err)
{
    struct romsim_error damage = {0};
    struct erofs_zfile file;
    struct erofs_extent extent;
    int result;

    if (!inode->size)
        return 0;
    if (romsim_erofs_is_compressed(inode) &&
        erofs_zfile_open(check->erofs, inode, &file, &damage) < 0) {
        check_damage(check, inode, inode->data_start, &damage);
        return 0;
    }
    for (uint64_t offset = 0; offset < inode->size; offset = extent.start + extent.length) {
        if (!check_pay(&check->extent_budget, 1)) {
            check_finding(check, ROMSIM_EROFS_ERROR, inode, inode->data_start,
                          "the files' indexes claim more extents than the image has room for");
            return 0;
        }
        if (erofs_extent_find(check->erofs, inode, &file, offset, &extent, &damage) < 0) {
            check_damage(check, inode, inode->data_start, &damage);
            return 0;
        }
        result = check_extent(check, inode, &extent, err);
        if (result)
            return result < 0 ? -1 : 0;
    }
    return 0;
}

static uint64_t index_size(const struct check *check, const struct romsim_erofs_inode *inode)
{
    unsigned bits =
        check->erofs->super.block_bits + (inode->chunk_format & EROFS_CHUNK_FORMAT_BLKBITS_MASK);
    uint64_t unit = inode->chunk_format & EROFS_CHUNK_FORMAT_INDEXES ? 8 : 4;

    if (romsim_erofs_is_compressed(inode) && inode->size)
        return sizeof(struct z_erofs_map_header);
    if (inode->layout != ROMSIM_EROFS_CHUNK_BASED || !inode->size)
        return 0;
    return min_u64(((inode->size - 1) >> bits) + 1, check->erofs->size / unit) * unit;
}

static int note_inode(struct check *check, const struct romsim_erofs_inode *inode,
                      struct romsim_error *err)
{
    uint64_t end = inode->data_start + index_size(check, inode);

    if (erofs_nid_in_metabox(inode->nid))
        return 0;
    return check_range_add(check, RANGE_INODE, inode->nid, inode->offset, end - inode->offset, err);
}

static bool has_data(const struct romsim_erofs_inode *inode)
{
    return S_ISREG(inode->mode) || S_ISDIR(inode->mode) || S_ISLNK(inode->mode);
}

static void check_link(struct check *check, const struct romsim_erofs_inode *inode)
{
    struct romsim_error damage = {0};
    char *target = romsim_erofs_readlink(check->erofs, inode, &damage);

    if (!target)
        check_damage(check, inode, inode->offset, &damage);
    else if (!*target)
        check_finding(check, ROMSIM_EROFS_WARNING, inode, inode->offset,
                      "a symlink without a target: nothing can follow it");
    else if (strlen(target) < inode->size)
        check_finding(check, ROMSIM_EROFS_ERROR, inode, inode->offset,
                      "a symlink's target with a NUL in it: %zu of its %llu bytes are seen",
                      strlen(target), (unsigned long long)inode->size);
    free(target);
}

int check_inode(struct check *check, const struct romsim_erofs_inode *inode,
                struct romsim_error *err)
{
    check->census.extended += inode->extended;
    if (inode->mtime_nsec >= 1000000000)
        check_finding(check, ROMSIM_EROFS_WARNING, inode, inode->offset,
                      "a time with %u nanoseconds", inode->mtime_nsec);
    if (note_inode(check, inode, err) < 0 || check_xattrs(check, inode, err) < 0)
        return -1;
    if (!has_data(inode))
        return 0;
    check->census.layouts[inode->layout]++;
    if (S_ISREG(inode->mode))
        check->census.data_bytes += inode->size;
    if (S_ISLNK(inode->mode))
        check_link(check, inode);
    return check_extents(check, inode, err);
}
