/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * format.h: EROFS as it stands in an image.
 *
 * Sources: Linux, Documentation/filesystems/erofs.rst and fs/erofs/erofs_fs.h (6.1 for what the
 * guest knows; 6.17 for the 48-bit layout, encoded extents and the metabox), and erofs-utils 1.9,
 * include/erofs_fs.h.  The words and the names of structs and fields are theirs.
 *
 * All numbers are little-endian and stand in byte arrays: a field cannot be read without a
 * conversion (le32_get), and every struct has the alignment 1, so a pointer to any place of an
 * image may become a pointer to a struct.  It must be checked first that the struct's bytes are
 * inside the image.
 */
#ifndef ROMSIM_EROFS_FORMAT_H
#define ROMSIM_EROFS_FORMAT_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

/* ---- numbers ---------------------------------------------------------------------------- */

typedef struct {
    uint8_t bytes[2];
} le16;

typedef struct {
    uint8_t bytes[4];
} le32;

typedef struct {
    uint8_t bytes[8];
} le64;

static inline uint16_t le16_get(le16 field)
{
    uint16_t value;

    memcpy(&value, field.bytes, sizeof(value));
    return le16toh(value);
}

static inline uint32_t le32_get(le32 field)
{
    uint32_t value;

    memcpy(&value, field.bytes, sizeof(value));
    return le32toh(value);
}

static inline uint64_t le64_get(le64 field)
{
    uint64_t value;

    memcpy(&value, field.bytes, sizeof(value));
    return le64toh(value);
}

static inline le16 le16_make(uint16_t value)
{
    le16 field;

    value = htole16(value);
    memcpy(field.bytes, &value, sizeof(value));
    return field;
}

static inline le32 le32_make(uint32_t value)
{
    le32 field;

    value = htole32(value);
    memcpy(field.bytes, &value, sizeof(value));
    return field;
}

static inline le64 le64_make(uint64_t value)
{
    le64 field;

    value = htole64(value);
    memcpy(field.bytes, &value, sizeof(value));
    return field;
}

#define EROFS_STATIC_SIZE(type, size)                                                              \
    _Static_assert(sizeof(type) == (size) && _Alignof(type) == 1, #type " is not as on disk")

/* ---- superblock ------------------------------------------------------------------------- */

#define EROFS_SUPER_MAGIC_V1 0xE0F5E1E2u
#define EROFS_SUPER_OFFSET   1024u

/* Block sizes that the format and the kernel know: 512 bytes to 64 KiB. */
enum { EROFS_BLKSZBITS_MIN = 9, EROFS_BLKSZBITS_MAX = 16 };

/* Features that an older reader may ignore. */
#define EROFS_FEATURE_COMPAT_SB_CHKSUM            0x00000001u
#define EROFS_FEATURE_COMPAT_MTIME                0x00000002u
#define EROFS_FEATURE_COMPAT_XATTR_FILTER         0x00000004u
#define EROFS_FEATURE_COMPAT_SHARED_EA_IN_METABOX 0x00000008u
#define EROFS_FEATURE_COMPAT_PLAIN_XATTR_PFX      0x00000010u
#define EROFS_FEATURE_COMPAT_ISHARE_XATTRS        0x00000020u

/* Features without which an image must not be read.  Some bits carry two names: the features came
 * with the same kernel version. */
#define EROFS_FEATURE_INCOMPAT_ZERO_PADDING   0x00000001u /* "LZ4_0PADDING" */
#define EROFS_FEATURE_INCOMPAT_COMPR_CFGS     0x00000002u
#define EROFS_FEATURE_INCOMPAT_BIG_PCLUSTER   0x00000002u
#define EROFS_FEATURE_INCOMPAT_CHUNKED_FILE   0x00000004u
#define EROFS_FEATURE_INCOMPAT_DEVICE_TABLE   0x00000008u
#define EROFS_FEATURE_INCOMPAT_COMPR_HEAD2    0x00000008u
#define EROFS_FEATURE_INCOMPAT_ZTAILPACKING   0x00000010u
#define EROFS_FEATURE_INCOMPAT_FRAGMENTS      0x00000020u
#define EROFS_FEATURE_INCOMPAT_DEDUPE         0x00000020u
#define EROFS_FEATURE_INCOMPAT_XATTR_PREFIXES 0x00000040u
#define EROFS_FEATURE_INCOMPAT_48BIT          0x00000080u
#define EROFS_FEATURE_INCOMPAT_METABOX        0x00000100u
#define EROFS_ALL_FEATURE_INCOMPAT            ((EROFS_FEATURE_INCOMPAT_METABOX << 1) - 1)

#define EROFS_SB_EXTSLOT_SIZE 16u
#define EROFS_SUPER_SIZE_MAX  (4096 - 1024) /* the kernel wants it in its first page */

struct erofs_super_block {
    le32 magic;
    le32 checksum; /* crc32c of the superblock's block from its offset on, this field as zero */
    le32 feature_compat;
    uint8_t blkszbits;
    uint8_t sb_extslots; /* the superblock has 128 + sb_extslots * 16 bytes */
    union {
        le16 rootnid_2b; /* the root directory's nid */
        le16 blocks_hi;  /* (48BIT) more bits of the number of blocks */
    } rb;
    le64 inos;
    le64 epoch;      /* "build_time": compact inodes have this mtime (48BIT: add theirs) */
    le32 fixed_nsec; /* "build_time_nsec" */
    le32 blocks_lo;  /* for statfs only; may be 0 */
    le32 meta_blkaddr;
    le32 xattr_blkaddr;
    uint8_t uuid[16];
    uint8_t volume_name[16];
    le32 feature_incompat;
    union {
        le16 available_compr_algs; /* (COMPR_CFGS) 1 << Z_EROFS_COMPRESSION_* */
        le16 lz4_max_distance;     /* (else) 0: 64 KiB */
    } u1;
    le16 extra_devices;
    le16 devt_slotoff; /* the device table begins at devt_slotoff * 128 */
    uint8_t dirblkbits;
    uint8_t xattr_prefix_count;
    le32 xattr_prefix_start; /* << 2: where the table of long prefixes begins */
    le64 packed_nid;
    uint8_t xattr_filter_reserved;
    uint8_t ishare_xattr_prefix_id;
    uint8_t reserved[2];
    le32 build_time; /* (48BIT) seconds after `epoch` */
    le64 rootnid_8b; /* (48BIT) */
    le64 reserved2;
};
EROFS_STATIC_SIZE(struct erofs_super_block, 128);

/* The first extension slot, there when sb_extslots is at least 1.  More slots have no meaning yet,
 * but the compression configurations come behind all of them. */
struct erofs_super_block_ext1 {
    le64 metabox_nid; /* (METABOX) */
    le64 reserved3;
};
EROFS_STATIC_SIZE(struct erofs_super_block_ext1, EROFS_SB_EXTSLOT_SIZE);

/* (DEVICE_TABLE) */
struct erofs_deviceslot {
    uint8_t tag[64];
    le32 blocks_lo;
    le32 uniaddr_lo;
    le32 blocks_hi;
    le16 uniaddr_hi;
    uint8_t reserved[50];
};
EROFS_STATIC_SIZE(struct erofs_deviceslot, 128);

/* ---- inodes ----------------------------------------------------------------------------- */

/* An inode stands at (meta_blkaddr << blkszbits) + (nid << EROFS_ISLOTBITS); in the metabox at
 * nid << EROFS_ISLOTBITS of that inode's data. */
#define EROFS_ISLOTBITS  5u
#define EROFS_ISLOT_SIZE (1u << EROFS_ISLOTBITS)

/* i_format */
#define EROFS_I_VERSION_BIT     0u
#define EROFS_I_VERSION_MASK    0x01u
#define EROFS_I_DATALAYOUT_BIT  1u
#define EROFS_I_DATALAYOUT_MASK 0x07u
#define EROFS_I_NLINK_1_BIT     4u /* (48BIT) compact, no directory: i_nb is no link count */
#define EROFS_I_DOT_OMITTED_BIT 4u /* (48BIT) directories: no entry "." */
#define EROFS_I_ALL             ((1u << (EROFS_I_NLINK_1_BIT + 1)) - 1)

enum { EROFS_INODE_LAYOUT_COMPACT = 0, EROFS_INODE_LAYOUT_EXTENDED = 1 };

/* The data layouts are enum romsim_erofs_layout of <romsim/erofs.h>; 5 to 7 are reserved. */

struct erofs_inode_chunk_info {
    le16 format;
    le16 reserved;
};
EROFS_STATIC_SIZE(struct erofs_inode_chunk_info, 4);

union erofs_inode_i_u {
    le32 blocks_lo;   /* compressed: the number of compressed blocks */
    le32 startblk_lo; /* flat: the first block */
    le32 rdev;        /* devices: as new_encode_dev() has it */
    struct erofs_inode_chunk_info c;
};

union erofs_inode_i_nb {
    le16 nlink;       /* compact */
    le16 blocks_hi;   /* (48BIT) more bits of blocks_lo */
    le16 startblk_hi; /* (48BIT) more bits of startblk_lo */
};

struct erofs_inode_compact {
    le16 i_format;
    le16 i_xattr_icount;
    le16 i_mode;
    union erofs_inode_i_nb i_nb;
    le32 i_size;
    le32 i_mtime; /* (48BIT) seconds after the superblock's epoch; else reserved */
    union erofs_inode_i_u i_u;
    le32 i_ino; /* for stat() of 32-bit programs only */
    le16 i_uid;
    le16 i_gid;
    le32 i_reserved;
};
EROFS_STATIC_SIZE(struct erofs_inode_compact, 32);

struct erofs_inode_extended {
    le16 i_format;
    le16 i_xattr_icount;
    le16 i_mode;
    union erofs_inode_i_nb i_nb;
    le64 i_size;
    union erofs_inode_i_u i_u;
    le32 i_ino;
    le32 i_uid;
    le32 i_gid;
    le64 i_mtime;
    le32 i_mtime_nsec;
    le32 i_nlink;
    uint8_t i_reserved2[16];
};
EROFS_STATIC_SIZE(struct erofs_inode_extended, 64);

/* ---- chunk-based files ------------------------------------------------------------------ */

#define EROFS_CHUNK_FORMAT_BLKBITS_MASK 0x001Fu /* chunks have blksz << these bits */
#define EROFS_CHUNK_FORMAT_INDEXES      0x0020u /* 8-byte entries, else 4-byte block numbers */
#define EROFS_CHUNK_FORMAT_48BIT        0x0040u /* startblk_hi counts */
#define EROFS_CHUNK_FORMAT_ALL          ((EROFS_CHUNK_FORMAT_48BIT << 1) - 1)

#define EROFS_NULL_ADDR            0xFFFFFFFFu /* a hole */
#define EROFS_BLOCK_MAP_ENTRY_SIZE 4u

struct erofs_inode_chunk_index {
    le16 startblk_hi;
    le16 device_id;
    le32 startblk_lo;
};
EROFS_STATIC_SIZE(struct erofs_inode_chunk_index, 8);

/* ---- directories ------------------------------------------------------------------------ */

#define EROFS_NAME_LEN 255u

/*
 * A directory's block: dirents, then their names without NULs.  The first nameoff / 12 is the
 * number of dirents.  A name ends where the next one begins, the last one at a NUL or at the end
 * of the block (or of the directory).
 */
struct erofs_dirent {
    le64 nid; /* bit 63: (METABOX) the inode is in the metabox */
    le16 nameoff;
    uint8_t file_type; /* EROFS_FT_* */
    uint8_t reserved;
};
EROFS_STATIC_SIZE(struct erofs_dirent, 12);

#define EROFS_DIRENT_NID_METABOX_BIT 63u
#define EROFS_DIRENT_NID_MASK        ((UINT64_C(1) << EROFS_DIRENT_NID_METABOX_BIT) - 1)

/* As the kernel's generic FT_* (include/linux/fs_types.h). */
enum {
    EROFS_FT_UNKNOWN = 0,
    EROFS_FT_REG_FILE = 1,
    EROFS_FT_DIR = 2,
    EROFS_FT_CHRDEV = 3,
    EROFS_FT_BLKDEV = 4,
    EROFS_FT_FIFO = 5,
    EROFS_FT_SOCK = 6,
    EROFS_FT_SYMLINK = 7,
    EROFS_FT_MAX = 8
};

/* The file type of a mode. */
uint8_t erofs_file_type(uint32_t mode);

/* ---- xattrs ----------------------------------------------------------------------------- */

/*
 * An inode with i_xattr_icount n > 0 is followed by 12 + (n - 1) * 4 bytes: this header, the ids of
 * the shared xattrs, the inline xattrs.  The shared xattr `id` stands at
 * (xattr_blkaddr << blkszbits) + id * 4.
 */
struct erofs_xattr_ibody_header {
    le32 h_name_filter; /* (XATTR_FILTER) a bit that is 1: no such name here */
    uint8_t h_shared_count;
    uint8_t h_reserved2[7];
    /* followed by le32 h_shared_xattrs[h_shared_count] */
};
EROFS_STATIC_SIZE(struct erofs_xattr_ibody_header, 12);

enum {
    EROFS_XATTR_INDEX_USER = 1,              /* "user." */
    EROFS_XATTR_INDEX_POSIX_ACL_ACCESS = 2,  /* "system.posix_acl_access", no rest */
    EROFS_XATTR_INDEX_POSIX_ACL_DEFAULT = 3, /* "system.posix_acl_default", no rest */
    EROFS_XATTR_INDEX_TRUSTED = 4,           /* "trusted." */
    EROFS_XATTR_INDEX_LUSTRE = 5,            /* never mounted; the kernel has no handler for it */
    EROFS_XATTR_INDEX_SECURITY = 6           /* "security." */
};

#define EROFS_XATTR_LONG_PREFIX      0x80u /* e_name_index: the rest is the number of a long prefix */
#define EROFS_XATTR_LONG_PREFIX_MASK 0x7Fu
#define EROFS_XATTR_FILTER_BITS      32u
#define EROFS_XATTR_FILTER_SEED      0x25BBE08Fu

/* Aligned to 4 bytes, so is its end; followed by the name, without its prefix, and the value. */
struct erofs_xattr_entry {
    uint8_t e_name_len;
    uint8_t e_name_index;
    le16 e_value_size;
};
EROFS_STATIC_SIZE(struct erofs_xattr_entry, 4);

#define EROFS_XATTR_ALIGNMENT 4u

/* (XATTR_PREFIXES) The table has, for each prefix, its size as le16, then this and the infix, then
 * padding to a multiple of 4. */
struct erofs_xattr_long_prefix {
    uint8_t base_index;
    /* followed by the infix */
};
EROFS_STATIC_SIZE(struct erofs_xattr_long_prefix, 1);

/* ---- compression ------------------------------------------------------------------------ */

#define Z_EROFS_PCLUSTER_MAX_SIZE  (1024u * 1024)      /* encoded */
#define Z_EROFS_PCLUSTER_MAX_DSIZE (12u * 1024 * 1024) /* decoded */

enum {
    Z_EROFS_COMPRESSION_LZ4 = 0,
    Z_EROFS_COMPRESSION_LZMA = 1, /* MicroLZMA */
    Z_EROFS_COMPRESSION_DEFLATE = 2,
    Z_EROFS_COMPRESSION_ZSTD = 3,
    Z_EROFS_COMPRESSION_MAX = 4
};
#define Z_EROFS_ALL_COMPR_ALGS ((1u << Z_EROFS_COMPRESSION_MAX) - 1)

/* (COMPR_CFGS) Behind the superblock and its slots: for each bit of available_compr_algs, from the
 * lowest, the size of a struct as le16, then the struct. */
struct z_erofs_lz4_cfgs {
    le16 max_distance;
    le16 max_pclusterblks;
    uint8_t reserved[10];
};
EROFS_STATIC_SIZE(struct z_erofs_lz4_cfgs, 14);

struct z_erofs_lzma_cfgs {
    le32 dict_size;
    le16 format;
    uint8_t reserved[8];
};
EROFS_STATIC_SIZE(struct z_erofs_lzma_cfgs, 14);

#define Z_EROFS_LZMA_MAX_DICT_SIZE (8 * Z_EROFS_PCLUSTER_MAX_SIZE)

struct z_erofs_deflate_cfgs {
    uint8_t windowbits; /* 8 to 15 */
    uint8_t reserved[5];
};
EROFS_STATIC_SIZE(struct z_erofs_deflate_cfgs, 6);

struct z_erofs_zstd_cfgs {
    uint8_t format;
    uint8_t windowlog; /* less 10 */
    uint8_t reserved[4];
};
EROFS_STATIC_SIZE(struct z_erofs_zstd_cfgs, 6);

#define Z_EROFS_ZSTD_MAX_DICT_SIZE Z_EROFS_PCLUSTER_MAX_SIZE

/* h_advise */
#define Z_EROFS_ADVISE_COMPACTED_2B        0x0001u /* COMPRESSED_COMPACT: 2-byte packs, too */
#define Z_EROFS_ADVISE_EXTENTS             0x0001u /* COMPRESSED_FULL (48BIT): encoded extents */
#define Z_EROFS_ADVISE_BIG_PCLUSTER_1      0x0002u
#define Z_EROFS_ADVISE_BIG_PCLUSTER_2      0x0004u
#define Z_EROFS_ADVISE_INLINE_PCLUSTER     0x0008u
#define Z_EROFS_ADVISE_INTERLACED_PCLUSTER 0x0010u
#define Z_EROFS_ADVISE_FRAGMENT_PCLUSTER   0x0020u
#define Z_EROFS_ADVISE_EXTRECSZ_BIT        1u /* EXTENTS: a record has 4 << these bits bytes */
#define Z_EROFS_ADVISE_EXTRECSZ_MASK       0x3u

/* h_clusterbits: the whole file is in the packed inode, and the header is one le64, without its
 * highest bit the offset there */
#define Z_EROFS_FRAGMENT_INODE_BIT 7u

/* Behind inode and xattrs, aligned to 8. */
struct z_erofs_map_header {
    union {
        le32 h_fragmentoff; /* the low half of the tail's offset in the packed inode */
        struct {
            le16 h_reserved1;
            le16 h_idata_size; /* encoded size of the tail-packed pcluster */
        } idata;
        le32 h_extents_lo;
    } u;
    le16 h_advise;
    union {
        struct {
            uint8_t h_algorithmtype; /* low half: HEAD1's, high half: HEAD2's */
            uint8_t h_clusterbits;   /* low 4 bits: lclusterbits - blkszbits */
        } a;
        le16 h_extents_hi;
    } b;
};
EROFS_STATIC_SIZE(struct z_erofs_map_header, 8);

/* The full form: 8 bytes behind the map header, one of these for each lcluster. */
enum {
    Z_EROFS_LCLUSTER_TYPE_PLAIN = 0,
    Z_EROFS_LCLUSTER_TYPE_HEAD1 = 1,
    Z_EROFS_LCLUSTER_TYPE_NONHEAD = 2,
    Z_EROFS_LCLUSTER_TYPE_HEAD2 = 3,
    Z_EROFS_LCLUSTER_TYPE_MAX = 4
};
#define Z_EROFS_LI_LCLUSTER_TYPE_MASK (Z_EROFS_LCLUSTER_TYPE_MAX - 1)
#define Z_EROFS_LI_PARTIAL_REF        (1u << 15) /* di_advise (HEAD) */
#define Z_EROFS_LI_D0_CBLKCNT                                                                      \
    (1u << 11) /* delta[0] of the first NONHEAD: the rest is the number                            \
                  of blocks of the pcluster */
struct z_erofs_lcluster_index {
    le16 di_advise;
    le16 di_clusterofs;
    union {
        le32 blkaddr; /* HEAD, PLAIN */
        struct {
            le16 delta[2]; /* NONHEAD: lclusters back to its HEAD, on to the next one */
        } n;
    } di_u;
};
EROFS_STATIC_SIZE(struct z_erofs_lcluster_index, 8);
#define Z_EROFS_FULL_INDEX_PADDING 8u

/* (48BIT) Encoded extents: behind the map header, aligned to their size, records of 4, 8, 16 or 32
 * bytes: the first bytes of this struct.  Before 4-byte records stands the physical start of the
 * first extent, a le64. */
struct z_erofs_extent {
    le32 plen;
    le32 pstart_lo;
    le32 pstart_hi;
    le32 lstart_lo;
    le32 lstart_hi;
    uint8_t reserved[12];
};
EROFS_STATIC_SIZE(struct z_erofs_extent, 32);

#define Z_EROFS_EXTENT_PLEN_PARTIAL (1u << 27)
#define Z_EROFS_EXTENT_PLEN_FMT_BIT 28u /* 0: stored, else the algorithm + 1 */
#define Z_EROFS_EXTENT_PLEN_MASK    ((Z_EROFS_PCLUSTER_MAX_SIZE << 1) - 1)

#endif
