/* SPDX-License-Identifier: BSD-3-Clause */
/* features.c: what an image's bits mean, and what the cloud would say to them. */
#include "reader.h"

#include <romsim/erofs_check.h>
#include <romsim/text.h>

#include <errno.h>

struct feature {
    uint32_t bit;
    bool incompatible;
    const char *name;
    const char *meaning;
};

static const struct feature features[] = {
    {EROFS_FEATURE_COMPAT_SB_CHKSUM, false, "sb_chksum", "the superblock has a checksum"},
    {EROFS_FEATURE_COMPAT_MTIME, false, "mtime", "inodes have times of modification"},
    {EROFS_FEATURE_COMPAT_XATTR_FILTER, false, "xattr_filter",
     "inodes tell which xattrs they do not have"},
    {EROFS_FEATURE_COMPAT_SHARED_EA_IN_METABOX, false, "shared_ea_in_metabox",
     "shared xattrs are in the metabox"},
    {EROFS_FEATURE_COMPAT_PLAIN_XATTR_PFX, false, "plain_xattr_pfx",
     "long xattr prefixes stand in the image itself"},
    {EROFS_FEATURE_COMPAT_ISHARE_XATTRS, false, "ishare_xattrs",
     "files have fingerprints to share pages by"},
    {EROFS_FEATURE_INCOMPAT_ZERO_PADDING, true, "zero_padding",
     "compressed clusters stand at their blocks' end"},
    {EROFS_FEATURE_INCOMPAT_BIG_PCLUSTER, true, "compr_cfgs, big_pcluster",
     "compression is configured; clusters of several blocks"},
    {EROFS_FEATURE_INCOMPAT_CHUNKED_FILE, true, "chunked_file", "files may be cut into chunks"},
    {EROFS_FEATURE_INCOMPAT_COMPR_HEAD2, true, "device_table, compr_head2",
     "a table of extra devices, or two algorithms in a file"},
    {EROFS_FEATURE_INCOMPAT_ZTAILPACKING, true, "ztailpacking",
     "compressed tails stand behind their inodes"},
    {EROFS_FEATURE_INCOMPAT_FRAGMENTS, true, "fragments, dedupe",
     "files' ends are in a packed inode; compressed data is shared"},
    {EROFS_FEATURE_INCOMPAT_XATTR_PREFIXES, true, "xattr_prefixes", "long xattr prefixes"},
    {EROFS_FEATURE_INCOMPAT_48BIT, true, "48bit",
     "block numbers of 48 bits, records of whole extents (Linux 6.15)"},
    {EROFS_FEATURE_INCOMPAT_METABOX, true, "metabox", "compressed metadata (Linux 6.17)"},
};

const char *romsim_erofs_feature(const struct romsim_erofs_super *super, size_t index,
                                 const char **ret_meaning, bool *ret_incompatible)
{
    for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
        const struct feature *feature = &features[i];
        uint32_t bits = feature->incompatible ? super->feature_incompat : super->feature_compat;

        if (!(bits & feature->bit) || index--)
            continue;
        *ret_meaning = feature->meaning;
        *ret_incompatible = feature->incompatible;
        return feature->name;
    }
    return NULL;
}

void romsim_erofs_unknown_features(const struct romsim_erofs_super *super, uint32_t *ret_compat,
                                   uint32_t *ret_incompat)
{
    uint32_t compat = super->feature_compat, incompat = super->feature_incompat;

    for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
        *(features[i].incompatible ? &incompat : &compat) &= ~features[i].bit;
    *ret_compat = compat;
    *ret_incompat = incompat;
}

const char *romsim_erofs_layout_name(enum romsim_erofs_layout layout)
{
    static const char *const names[] = {
        [ROMSIM_EROFS_FLAT_PLAIN] = "flat-plain",
        [ROMSIM_EROFS_COMPRESSED_FULL] = "compressed-full",
        [ROMSIM_EROFS_FLAT_INLINE] = "flat-inline",
        [ROMSIM_EROFS_COMPRESSED_COMPACT] = "compressed-compact",
        [ROMSIM_EROFS_CHUNK_BASED] = "chunk-based",
    };

    return (size_t)layout < sizeof(names) / sizeof(names[0]) ? names[layout] : "reserved";
}

const char *romsim_erofs_algorithm_name(unsigned algorithm)
{
    const char *name = erofs_algorithm_name(algorithm);

    return name ? name : "unknown";
}

/* ---- the cloud -------------------------------------------------------------------------- */

struct warnings {
    void (*warn)(void *context, const char *message);
    void *context;
    int count;
};

static void warn_if(struct warnings *warnings, bool condition, const char *message)
{
    if (!condition)
        return;
    warnings->count++;
    if (warnings->warn)
        warnings->warn(warnings->context, message);
}

/* Kernels refuse an image that names an algorithm which they do not have, used or not. */
static bool erofs_uses(const struct romsim_erofs *erofs, unsigned algorithm)
{
    return erofs->algorithms >> algorithm & 1;
}

int romsim_erofs_cloud_warnings(struct romsim_blob *image,
                                void (*warn)(void *context, const char *message), void *context,
                                struct romsim_error *err)
{
    CLEANUP_EROFS struct romsim_erofs *erofs = romsim_erofs_open(image, err);
    struct warnings warnings = {.warn = warn, .context = context};
    struct romsim_erofs_census census;

    if (!erofs || romsim_erofs_census(erofs, &census, err) < 0)
        return -1;
    warn_if(&warnings, erofs->size % 4096,
            "its size is no multiple of 4096 bytes: the cloud rejects such a ROM");
    warn_if(&warnings, erofs->super.block_bits != 12,
            "its blocks are not of 4096 bytes, as the cloud's packer makes them");
    warn_if(&warnings,
            census.layouts[ROMSIM_EROFS_COMPRESSED_FULL] +
                census.layouts[ROMSIM_EROFS_COMPRESSED_COMPACT],
            "it has compressed files, where the cloud's packer stores them plain: they cannot be "
            "used in place (DAX)");
    warn_if(&warnings, erofs_uses(erofs, Z_EROFS_COMPRESSION_DEFLATE),
            "it is compressed with DEFLATE, which Linux reads since 6.6: the guest's kernel may be "
            "too old");
    warn_if(&warnings, erofs_uses(erofs, Z_EROFS_COMPRESSION_ZSTD),
            "it is compressed with Zstandard, which Linux reads since 6.10: the guest's kernel may "
            "be too old");
    warn_if(&warnings, census.inline_bytes,
            "it has inline data, which the cloud's packer avoids because it is incompatible with "
            "DAX");
    warn_if(&warnings, census.layouts[ROMSIM_EROFS_CHUNK_BASED],
            "it has chunk-based files, where the cloud's packer stores them whole");
    warn_if(
        &warnings, erofs_has(erofs, EROFS_FEATURE_INCOMPAT_XATTR_PREFIXES),
        "it uses long xattr prefixes, which Linux reads since 6.4: the guest's kernel may be too "
        "old");
    warn_if(&warnings, erofs->super.volume_name[sizeof(erofs->super.volume_name) - 2],
            "its volume name fills all 16 bytes, without a NUL: Linux 6.1 refuses to mount it");
    warn_if(&warnings,
            erofs_has(erofs, EROFS_FEATURE_INCOMPAT_48BIT | EROFS_FEATURE_INCOMPAT_METABOX),
            "it uses the 48-bit layout or a metabox, for which the guest's kernel may be too old");
    return warnings.count;
}
