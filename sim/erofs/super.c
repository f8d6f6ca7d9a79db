/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * super.c: opening an image, and the accessors to its bytes.
 *
 * What the kernel tolerates is tolerated: `blocks` may be 0 or wrong (the blob's real size bounds
 * everything), compatible features that are not known are ignored.  What it refuses is refused:
 * unknown incompatible features, a wrong checksum, directory blocks of another size.
 */
#include "reader.h"

#include <romsim/digest.h>
#include <romsim/text.h>

#include <errno.h>
#include <sys/stat.h>

const uint8_t *erofs_image_bytes(const struct romsim_erofs *erofs, uint64_t offset, uint64_t length,
                                 const char *what, struct romsim_error *err)
{
    if (!range_is_inside(offset, length, erofs->size)) {
        romsim_error_set(err, EUCLEAN,
                         "%s at offset %llu, %llu bytes, is beyond the image's end at %llu", what,
                         (unsigned long long)offset, (unsigned long long)length,
                         (unsigned long long)erofs->size);
        return NULL;
    }
    return erofs->bytes + offset;
}

int erofs_meta_read(struct romsim_erofs *erofs, bool in_metabox, uint64_t offset, void *buffer,
                    size_t length, const char *what, struct romsim_error *err)
{
    const uint8_t *bytes;
    size_t got;

    if (in_metabox) {
        if (romsim_erofs_read(erofs, &erofs->metabox, offset, buffer, length, &got, err) < 0)
            return romsim_error_context(err, "%s in the metabox", what);
        if (got == length)
            return 0;
        return romsim_error_set(err, EUCLEAN, "%s at %llu is beyond the metabox's end at %llu",
                                what, (unsigned long long)offset,
                                (unsigned long long)erofs->metabox.size);
    }
    bytes = erofs_image_bytes(erofs, offset, length, what, err);
    if (!bytes)
        return -1;
    memcpy(buffer, bytes, length);
    return 0;
}

bool romsim_erofs_probe(const void *bytes, uint64_t size)
{
    le32 magic;

    if (size < EROFS_SUPER_OFFSET + sizeof(struct erofs_super_block))
        return false;
    memcpy(&magic, (const uint8_t *)bytes + EROFS_SUPER_OFFSET, sizeof(magic));
    return le32_get(magic) == EROFS_SUPER_MAGIC_V1;
}

/* The checksum covers the superblock's block from the superblock on (blocks of up to 1 KiB: one
 * block's length), with its own field as zero. */
static uint64_t checksummed_length(unsigned block_bits)
{
    uint64_t length = UINT64_C(1) << block_bits;

    return length > EROFS_SUPER_OFFSET ? length - EROFS_SUPER_OFFSET : length;
}

static uint32_t compute_checksum(const uint8_t *bytes, uint64_t length)
{
    static const uint8_t zero[4];
    const size_t field = offsetof(struct erofs_super_block, checksum);
    uint32_t crc = romsim_crc32c(~UINT32_C(0), bytes, field);

    crc = romsim_crc32c(crc, zero, sizeof(zero));
    return romsim_crc32c(crc, bytes + field + 4, length - field - 4);
}

int erofs_check_checksum(const struct romsim_erofs *erofs, struct romsim_error *err)
{
    uint64_t length = checksummed_length(erofs->super.block_bits);
    const uint8_t *bytes;
    uint32_t crc;

    if (!(erofs->super.feature_compat & EROFS_FEATURE_COMPAT_SB_CHKSUM))
        return 0;
    bytes = erofs_image_bytes(erofs, EROFS_SUPER_OFFSET, length, "superblock's block", err);
    if (!bytes)
        return -1;
    crc = compute_checksum(bytes, length);
    if (crc == erofs->super.checksum)
        return 0;
    return romsim_error_set(err, EUCLEAN,
                            "the superblock's checksum is 0x%08x, its bytes give 0x%08x",
                            erofs->super.checksum, crc);
}

bool romsim_erofs_checksum(struct romsim_blob *image, uint32_t *ret)
{
    struct romsim_erofs_super super;
    uint64_t length;

    if (romsim_erofs_peek(image, &super, NULL) < 0 ||
        !(super.feature_compat & EROFS_FEATURE_COMPAT_SB_CHKSUM) ||
        super.block_bits < EROFS_BLKSZBITS_MIN || super.block_bits > EROFS_BLKSZBITS_MAX)
        return false;
    length = checksummed_length(super.block_bits);
    if (!range_is_inside(EROFS_SUPER_OFFSET, length, romsim_blob_size(image)))
        return false;
    *ret = compute_checksum(romsim_blob_bytes(image) + EROFS_SUPER_OFFSET, length);
    return true;
}

static void decode_super(const struct erofs_super_block *disk, struct romsim_erofs_super *super)
{
    super->checksum = le32_get(disk->checksum);
    super->feature_compat = le32_get(disk->feature_compat);
    super->feature_incompat = le32_get(disk->feature_incompat);
    super->block_bits = disk->blkszbits;
    super->inodes = le64_get(disk->inos);
    super->build_time = (int64_t)le64_get(disk->epoch);
    super->build_time_nsec = le32_get(disk->fixed_nsec);
    super->blocks = le32_get(disk->blocks_lo);
    super->meta_block = le32_get(disk->meta_blkaddr);
    super->xattr_block = le32_get(disk->xattr_blkaddr);
    memcpy(super->uuid, disk->uuid, sizeof(super->uuid));
    memcpy(super->volume_name, disk->volume_name, sizeof(disk->volume_name));
    super->available_algorithms = le16_get(disk->u1.available_compr_algs);
    super->extra_devices = le16_get(disk->extra_devices);
    super->directory_block_bits = disk->dirblkbits;
    super->xattr_prefixes = disk->xattr_prefix_count;
    super->packed_nid = le64_get(disk->packed_nid);
    super->root_nid = le16_get(disk->rb.rootnid_2b);
    if ((super->feature_incompat & EROFS_FEATURE_INCOMPAT_48BIT) && le64_get(disk->rootnid_8b)) {
        super->root_nid = le64_get(disk->rootnid_8b);
        super->blocks |= (uint64_t)le16_get(disk->rb.blocks_hi) << 32;
    }
}

static int check_features(const struct romsim_erofs *erofs, const struct erofs_super_block *disk,
                          struct romsim_error *err)
{
    uint32_t unknown = erofs->super.feature_incompat & ~EROFS_ALL_FEATURE_INCOMPAT;

    if (unknown)
        return romsim_error_set(err, EOPNOTSUPP,
                                "the image needs features that are not known (0x%x)", unknown);
    if (erofs_has(erofs, EROFS_FEATURE_INCOMPAT_DEVICE_TABLE) && erofs->super.extra_devices)
        return romsim_error_set(err, EOPNOTSUPP,
                                "the image keeps data on %u extra devices (multi-device image), "
                                "which is not supported",
                                erofs->super.extra_devices);
    if (disk->dirblkbits)
        return romsim_error_set(err, EOPNOTSUPP,
                                "directory blocks of another size (dirblkbits %u) are not "
                                "supported",
                                disk->dirblkbits);
    return 0;
}

static int no_magic(struct romsim_error *err)
{
    return romsim_error_set(err, EINVAL, "not an EROFS image (no magic at offset 1024)");
}

/* Checks and decodes the superblock; *disk is its first 128 bytes. */
static int read_super(struct romsim_erofs *erofs, struct erofs_super_block *disk,
                      struct romsim_error *err)
{
    if (!romsim_erofs_probe(erofs->bytes, erofs->size))
        return no_magic(err);
    memcpy(disk, erofs->bytes + EROFS_SUPER_OFFSET, sizeof(*disk));
    if (disk->blkszbits < EROFS_BLKSZBITS_MIN || disk->blkszbits > EROFS_BLKSZBITS_MAX)
        return romsim_error_set(
            err, EUCLEAN, "the superblock's block size is 2^%u, not 2^9 to 2^16", disk->blkszbits);
    decode_super(disk, &erofs->super);
    if (check_features(erofs, disk, err) < 0)
        return -1;
    erofs->super_size = sizeof(*disk) + disk->sb_extslots * (uint64_t)EROFS_SB_EXTSLOT_SIZE;
    if (erofs->super_size > EROFS_SUPER_SIZE_MAX)
        return romsim_error_set(err, EUCLEAN, "a superblock of %llu bytes, over the limit of %d",
                                (unsigned long long)erofs->super_size, EROFS_SUPER_SIZE_MAX);
    return erofs_image_bytes(erofs, EROFS_SUPER_OFFSET, erofs->super_size, "superblock", err) ? 0
                                                                                              : -1;
}

/* An inode that holds parts of others.  It must not be in the metabox: that is what keeps the
 * depth of reads fixed. */
static int load_special(struct romsim_erofs *erofs, const char *what, uint64_t nid,
                        struct romsim_erofs_inode *ret, struct romsim_error *err)
{
    struct romsim_erofs_inode inode;

    if (erofs_nid_in_metabox(nid))
        return romsim_error_set(err, EUCLEAN, "the %s inode claims to be in the metabox", what);
    if (romsim_erofs_inode(erofs, nid, &inode, err) < 0)
        return romsim_error_context(err, "%s inode", what);
    if (!S_ISREG(inode.mode))
        return romsim_error_set(err, EUCLEAN, "the %s inode, nid %llu, is not a regular file", what,
                                (unsigned long long)nid);
    *ret = inode;
    return 0;
}

static int load_metabox(struct romsim_erofs *erofs, struct romsim_error *err)
{
    struct erofs_super_block_ext1 slot;

    if (!erofs_has(erofs, EROFS_FEATURE_INCOMPAT_METABOX))
        return 0;
    if (erofs->super_size < sizeof(struct erofs_super_block) + sizeof(slot))
        return romsim_error_set(err, EUCLEAN, "a metabox, but no superblock slot that names it");
    memcpy(&slot, erofs->bytes + EROFS_SUPER_OFFSET + sizeof(struct erofs_super_block),
           sizeof(slot));
    erofs->super.metabox_nid = le64_get(slot.metabox_nid);
    if (load_special(erofs, "metabox", erofs->super.metabox_nid, &erofs->metabox, err) < 0)
        return -1;
    erofs->has_metabox = true;
    return 0;
}

static int load_packed(struct romsim_erofs *erofs, struct romsim_error *err)
{
    if (!erofs_has(erofs, EROFS_FEATURE_INCOMPAT_FRAGMENTS) || !erofs->super.packed_nid)
        return 0;
    return load_special(erofs, "packed", erofs->super.packed_nid, &erofs->packed, err);
}

static int check_root(struct romsim_erofs *erofs, struct romsim_error *err)
{
    struct romsim_erofs_inode root;

    if (romsim_erofs_inode(erofs, erofs->super.root_nid, &root, err) < 0)
        return romsim_error_context(err, "root directory");
    if (!S_ISDIR(root.mode))
        return romsim_error_set(err, EUCLEAN, "the root, nid %llu, is not a directory (mode %o)",
                                (unsigned long long)root.nid, root.mode);
    return 0;
}

/* What stands behind the 128 bytes, if it is there: the metabox's nid, LZ4's configuration, which
 * is the first. */
static void peek_behind(const struct erofs_super_block *disk, const uint8_t *bytes, uint64_t size,
                        struct romsim_erofs_super *super)
{
    uint64_t slots = EROFS_SUPER_OFFSET + sizeof(*disk);
    uint64_t end = slots + disk->sb_extslots * (uint64_t)EROFS_SB_EXTSLOT_SIZE;
    const struct z_erofs_lz4_cfgs *lz4;

    if ((super->feature_incompat & EROFS_FEATURE_INCOMPAT_METABOX) &&
        end - slots >= sizeof(struct erofs_super_block_ext1) && end <= size)
        super->metabox_nid =
            le64_get(((const struct erofs_super_block_ext1 *)(bytes + slots))->metabox_nid);
    if (!(super->feature_incompat & EROFS_FEATURE_INCOMPAT_COMPR_CFGS)) {
        super->lz4_max_distance = super->available_algorithms; /* the field has this meaning then */
        return;
    }
    if (!(super->available_algorithms >> Z_EROFS_COMPRESSION_LZ4 & 1) ||
        !range_is_inside(end, sizeof(le16) + sizeof(*lz4), size))
        return;
    lz4 = (const struct z_erofs_lz4_cfgs *)(bytes + end + sizeof(le16));
    super->lz4_max_distance = le16_get(lz4->max_distance);
    super->lz4_max_pcluster_blocks = le16_get(lz4->max_pclusterblks);
}

int romsim_erofs_peek(struct romsim_blob *image, struct romsim_erofs_super *ret,
                      struct romsim_error *err)
{
    const uint8_t *bytes = romsim_blob_bytes(image);
    struct erofs_super_block disk;

    if (!romsim_erofs_probe(bytes, romsim_blob_size(image)))
        return no_magic(err);
    memcpy(&disk, bytes + EROFS_SUPER_OFFSET, sizeof(disk));
    *ret = (struct romsim_erofs_super){0};
    decode_super(&disk, ret);
    peek_behind(&disk, bytes, romsim_blob_size(image), ret);
    return 0;
}

struct romsim_erofs *erofs_open_unverified(struct romsim_blob *image, struct romsim_error *err)
{
    CLEANUP_EROFS struct romsim_erofs *erofs = calloc(1, sizeof(*erofs));
    struct erofs_super_block disk;

    if (!erofs) {
        romsim_error_nomem(err);
        return NULL;
    }
    erofs->blob = romsim_blob_ref(image);
    erofs->bytes = romsim_blob_bytes(image);
    erofs->size = romsim_blob_size(image);
    erofs->cache = erofs_zcache_new();
    if (!erofs->cache) {
        romsim_error_nomem(err);
        return NULL;
    }
    if (read_super(erofs, &disk, err) < 0 || erofs_decompress_configure(erofs, err) < 0 ||
        load_packed(erofs, err) < 0 || load_metabox(erofs, err) < 0 ||
        erofs_xattr_load_prefixes(erofs, &disk, err) < 0 || check_root(erofs, err) < 0)
        return NULL;
    return STEAL_POINTER(&erofs);
}

struct romsim_erofs *romsim_erofs_open(struct romsim_blob *image, struct romsim_error *err)
{
    CLEANUP_EROFS struct romsim_erofs *erofs = erofs_open_unverified(image, err);

    if (!erofs || erofs_check_checksum(erofs, err) < 0)
        return NULL;
    return STEAL_POINTER(&erofs);
}

void romsim_erofs_close(struct romsim_erofs *erofs)
{
    if (!erofs)
        return;
    romsim_blob_unref(erofs->blob);
    free(erofs->prefixes);
    erofs_zcache_free(erofs->cache);
    free(erofs);
}

uint64_t romsim_erofs_root(const struct romsim_erofs *erofs)
{
    return erofs->super.root_nid;
}

struct romsim_blob *romsim_erofs_blob(const struct romsim_erofs *erofs)
{
    return erofs->blob;
}

void romsim_erofs_super(const struct romsim_erofs *erofs, struct romsim_erofs_super *ret)
{
    *ret = erofs->super;
}
