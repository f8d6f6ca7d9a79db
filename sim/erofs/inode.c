/* SPDX-License-Identifier: BSD-3-Clause */
/* inode.c: reading and checking an inode, compact or extended. */
#include "reader.h"

#include <errno.h>
#include <sys/stat.h>

uint8_t erofs_file_type(uint32_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
        return EROFS_FT_REG_FILE;
    case S_IFDIR:
        return EROFS_FT_DIR;
    case S_IFCHR:
        return EROFS_FT_CHRDEV;
    case S_IFBLK:
        return EROFS_FT_BLKDEV;
    case S_IFIFO:
        return EROFS_FT_FIFO;
    case S_IFSOCK:
        return EROFS_FT_SOCK;
    case S_IFLNK:
        return EROFS_FT_SYMLINK;
    default:
        return EROFS_FT_UNKNOWN;
    }
}

/* Where an inode stands: in the image, or for nids with the highest bit in the metabox's data. */
static int inode_offset(const struct romsim_erofs *erofs, uint64_t nid, uint64_t *ret,
                        struct romsim_error *err)
{
    uint64_t base = (uint64_t)erofs->super.meta_block << erofs->super.block_bits;
    uint64_t slot;

    if (erofs_nid_in_metabox(nid)) {
        if (!erofs->has_metabox)
            return romsim_error_set(err, EUCLEAN, "nid 0x%llx is in a metabox, but there is none",
                                    (unsigned long long)nid);
        nid &= EROFS_DIRENT_NID_MASK;
        base = 0;
    }
    if (checked_shift_left(nid, EROFS_ISLOTBITS, &slot) && checked_add(base, slot, ret))
        return 0;
    return romsim_error_set(err, EUCLEAN, "nid %llu is out of range", (unsigned long long)nid);
}

static uint32_t xattr_area_size(le16 icount)
{
    uint32_t count = le16_get(icount);

    if (!count)
        return 0;
    return sizeof(struct erofs_xattr_ibody_header) + (count - 1) * (uint32_t)sizeof(le32);
}

/* What the two forms say in the same place, or what the other fields' meaning depends on. */
struct raw_inode {
    uint16_t format;
    bool has_high_bits; /* i_nb has more bits of a block number */
    union erofs_inode_i_nb nb;
    union erofs_inode_i_u u;
};

static void decode_extended(const struct erofs_inode_extended *disk, struct raw_inode *raw,
                            struct romsim_erofs_inode *inode)
{
    raw->has_high_bits = true;
    raw->nb = disk->i_nb;
    raw->u = disk->i_u;
    inode->mode = le16_get(disk->i_mode);
    inode->uid = le32_get(disk->i_uid);
    inode->gid = le32_get(disk->i_gid);
    inode->links = le32_get(disk->i_nlink);
    inode->ino = le32_get(disk->i_ino);
    inode->size = le64_get(disk->i_size);
    inode->mtime = (int64_t)le64_get(disk->i_mtime);
    inode->mtime_nsec = le32_get(disk->i_mtime_nsec);
    inode->xattr_size = xattr_area_size(disk->i_xattr_icount);
}

static void decode_compact(const struct romsim_erofs *erofs, const struct erofs_inode_compact *disk,
                           struct raw_inode *raw, struct romsim_erofs_inode *inode)
{
    uint64_t mtime = (uint64_t)erofs->super.build_time;

    raw->nb = disk->i_nb;
    raw->u = disk->i_u;
    inode->mode = le16_get(disk->i_mode);
    inode->uid = le16_get(disk->i_uid);
    inode->gid = le16_get(disk->i_gid);
    inode->ino = le32_get(disk->i_ino);
    inode->size = le32_get(disk->i_size);
    inode->xattr_size = xattr_area_size(disk->i_xattr_icount);
    raw->has_high_bits = !S_ISDIR(inode->mode) && (raw->format >> EROFS_I_NLINK_1_BIT & 1);
    inode->links = raw->has_high_bits ? 1 : le16_get(disk->i_nb.nlink);
    if (erofs_has(erofs, EROFS_FEATURE_INCOMPAT_48BIT))
        mtime += le32_get(disk->i_mtime);
    inode->mtime = (int64_t)mtime;
    inode->mtime_nsec = erofs->super.build_time_nsec;
}

/* A file without data that has not even a place: all zeros. */
static uint64_t null_start(const struct raw_inode *raw)
{
    return raw->has_high_bits ? (UINT64_C(1) << 48) - 1 : EROFS_NULL_ADDR;
}

static int decode_data(const struct romsim_erofs *erofs, const struct raw_inode *raw,
                       struct romsim_erofs_inode *inode, struct romsim_error *err)
{
    inode->start = le32_get(raw->u.startblk_lo);
    if (raw->has_high_bits)
        inode->start |= (uint64_t)le16_get(raw->nb.startblk_hi) << 32;
    if (inode->layout == ROMSIM_EROFS_FLAT_PLAIN && inode->start == null_start(raw))
        inode->start = EROFS_NO_START;
    if (inode->layout != ROMSIM_EROFS_CHUNK_BASED)
        return 0;
    inode->chunk_format = le16_get(raw->u.c.format);
    if (inode->chunk_format & ~EROFS_CHUNK_FORMAT_ALL)
        return romsim_error_set(err, EOPNOTSUPP, "nid %llu: unknown chunk format 0x%x",
                                (unsigned long long)inode->nid, inode->chunk_format);
    if (erofs->super.block_bits + (inode->chunk_format & EROFS_CHUNK_FORMAT_BLKBITS_MASK) > 62)
        return romsim_error_set(err, EUCLEAN, "nid %llu: chunks are too large (format 0x%x)",
                                (unsigned long long)inode->nid, inode->chunk_format);
    return 0;
}

static int decode_type(const struct romsim_erofs *erofs, const struct raw_inode *raw,
                       struct romsim_erofs_inode *inode, struct romsim_error *err)
{
    if (inode->size > INT64_MAX)
        return romsim_error_set(err, EUCLEAN, "nid %llu: a size of %llu bytes",
                                (unsigned long long)inode->nid, (unsigned long long)inode->size);
    switch (inode->mode & S_IFMT) {
    case S_IFREG:
    case S_IFDIR:
    case S_IFLNK:
        inode->dot_omitted = S_ISDIR(inode->mode) && (raw->format >> EROFS_I_DOT_OMITTED_BIT & 1);
        return decode_data(erofs, raw, inode, err);
    case S_IFCHR:
    case S_IFBLK:
        inode->rdev = le32_get(raw->u.rdev);
        return 0;
    case S_IFIFO:
    case S_IFSOCK:
        return 0;
    default:
        return romsim_error_set(err, EUCLEAN, "nid %llu: mode %o has no known file type",
                                (unsigned long long)inode->nid, inode->mode);
    }
}

static int check_format(uint64_t nid, uint16_t format, struct romsim_error *err)
{
    unsigned layout = format >> EROFS_I_DATALAYOUT_BIT & EROFS_I_DATALAYOUT_MASK;

    if (format & ~EROFS_I_ALL)
        return romsim_error_set(err, EOPNOTSUPP, "nid %llu: unknown inode format 0x%x",
                                (unsigned long long)nid, format);
    if (layout > ROMSIM_EROFS_CHUNK_BASED)
        return romsim_error_set(err, EOPNOTSUPP, "nid %llu: unknown data layout %u",
                                (unsigned long long)nid, layout);
    return 0;
}

int romsim_erofs_inode(struct romsim_erofs *erofs, uint64_t nid, struct romsim_erofs_inode *ret,
                       struct romsim_error *err)
{
    union {
        struct erofs_inode_compact compact;
        struct erofs_inode_extended extended;
    } disk;
    struct romsim_erofs_inode inode = {.nid = nid};
    struct raw_inode raw = {0};
    bool in_metabox = erofs_nid_in_metabox(nid);
    size_t size = sizeof(disk.compact);

    if (inode_offset(erofs, nid, &inode.offset, err) < 0 ||
        erofs_meta_read(erofs, in_metabox, inode.offset, &disk, size, "inode", err) < 0)
        return -1;
    raw.format = le16_get(disk.compact.i_format);
    if (check_format(nid, raw.format, err) < 0)
        return -1;
    inode.layout = raw.format >> EROFS_I_DATALAYOUT_BIT & EROFS_I_DATALAYOUT_MASK;
    inode.extended = raw.format >> EROFS_I_VERSION_BIT & EROFS_I_VERSION_MASK;
    if (inode.extended) {
        size = sizeof(disk.extended);
        if (erofs_meta_read(erofs, in_metabox, inode.offset, &disk, size, "inode", err) < 0)
            return -1;
        decode_extended(&disk.extended, &raw, &inode);
    } else {
        decode_compact(erofs, &disk.compact, &raw, &inode);
    }
    if (!checked_add(inode.offset, size + inode.xattr_size, &inode.data_start))
        return romsim_error_set(err, EUCLEAN, "nid %llu is out of range", (unsigned long long)nid);
    if (decode_type(erofs, &raw, &inode, err) < 0)
        return -1;
    *ret = inode;
    return 0;
}
