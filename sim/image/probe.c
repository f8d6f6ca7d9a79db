/* SPDX-License-Identifier: BSD-3-Clause */
/* probe.c: magics.  Offsets are each format's own; tar has its "ustar" or, in the form of 1979,
 * only a checksum that fits. */
#include "sim/image/probe.h"

#include <romsim/checked.h>
#include <romsim/erofs.h>
#include <romsim/image.h>

#include <string.h>

enum { TAR_BLOCK = 512, TAR_CHECKSUM = 148, TAR_CHECKSUM_SIZE = 8 };

static const struct magic {
    enum image_form form;
    unsigned offset;
    unsigned size;
    const char *bytes;
} magics[] = {
    {FORM_EROFS, 1024, 4, "\xe2\xe1\xf5\xe0"},
    {FORM_TAR, 257, 5, "ustar"},
    {FORM_CPIO, 0, 6, "070701"}, /* newc */
    {FORM_CPIO, 0, 6, "070702"}, /* newc with checksums */
    {FORM_CPIO, 0, 6, "070707"}, /* odc */
    {FORM_CPIO, 0, 2, "\xc7\x71"},
    {FORM_CPIO, 0, 2, "\x71\xc7"},
    {FORM_GZIP, 0, 3, "\x1f\x8b\x08"},
    {FORM_XZ, 0, 6, "\xfd\x37zXZ\0"},
    {FORM_ZSTD, 0, 4, "\x28\xb5\x2f\xfd"},
    {FORM_LZ4, 0, 4, "\x04\x22\x4d\x18"},
    {FORM_LZ4_LEGACY, 0, 4, "\x02\x21\x4c\x18"},
    {FORM_BZIP2, 0, 3, "BZh"},
    {FORM_LZMA, 0, 3, "\x5d\0\0"}, /* usual properties and a dictionary's size: no real magic */
    {FORM_LZOP, 0, 4, "\x89LZO"},
    {FORM_ZIP, 0, 4, "PK\3\4"},
    {FORM_ELF, 0, 4, "\x7f\x45LF"},
    {FORM_SQUASHFS, 0, 4, "hsqs"},
    {FORM_EXT, 1080, 2, "\x53\xef"},
    {FORM_QCOW2, 0, 4, "QFI\xfb"},
};

static bool magic_is_there(const struct magic *magic, const uint8_t *bytes, uint64_t size)
{
    return range_is_inside(magic->offset, magic->size, size) &&
           memcmp(bytes + magic->offset, magic->bytes, magic->size) == 0;
}

/* The sum of a tar header's bytes, with its own field taken as spaces, as octal text. */
static bool tar_checksum_fits(const uint8_t *block)
{
    const uint8_t *field = block + TAR_CHECKSUM;
    unsigned sum = 0, stored = 0, digits = 0;

    for (unsigned i = 0; i < TAR_BLOCK; i++)
        sum += i - TAR_CHECKSUM < TAR_CHECKSUM_SIZE ? ' ' : block[i];
    while (*field == ' ')
        field++;
    for (; digits < 6 && *field >= '0' && *field <= '7'; digits++, field++)
        stored = stored * 8 + (unsigned)(*field - '0');
    return digits > 0 && block[0] != '\0' && stored == sum;
}

/* An archive without any entry is nothing but its end mark: two blocks of zeros. */
static bool is_empty_tar(const uint8_t *bytes, uint64_t size)
{
    if (size < 2 * TAR_BLOCK || size % TAR_BLOCK != 0 || size > 1 << 20)
        return false;
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

/* zstd's parallel compressors begin with a frame that is to be skipped: 0x184D2A50 to 5F. */
static bool is_skippable_frame(const uint8_t *bytes, uint64_t size)
{
    return size >= 4 && (bytes[0] & 0xf0) == 0x50 && memcmp(bytes + 1, "\x2a\x4d\x18", 3) == 0;
}

enum image_form image_form_probe(const uint8_t *bytes, uint64_t size)
{
    if (size == 0)
        return FORM_EMPTY;
    if (is_skippable_frame(bytes, size))
        return FORM_ZSTD;
    for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++) {
        if (magic_is_there(&magics[i], bytes, size))
            return magics[i].form;
    }
    if (size >= TAR_BLOCK && (tar_checksum_fits(bytes) || is_empty_tar(bytes, size)))
        return FORM_TAR;
    return FORM_OTHER;
}

const char *image_form_name(enum image_form form)
{
    static const char *const names[] = {
        [FORM_OTHER] = "a file of an unknown kind",
        [FORM_EROFS] = "an EROFS image",
        [FORM_TAR] = "a tar archive",
        [FORM_CPIO] = "a cpio archive",
        [FORM_GZIP] = "gzip data",
        [FORM_XZ] = "xz data",
        [FORM_ZSTD] = "zstd data",
        [FORM_LZ4] = "lz4 data",
        [FORM_LZ4_LEGACY] = "lz4 data",
        [FORM_BZIP2] = "bzip2 data",
        [FORM_LZMA] = "lzma data",
        [FORM_LZOP] = "lzop data",
        [FORM_ZIP] = "a zip archive",
        [FORM_ELF] = "an ELF file (a program or a kernel)",
        [FORM_SQUASHFS] = "a squashfs image",
        [FORM_EXT] = "an ext2/3/4 image",
        [FORM_QCOW2] = "a qcow2 disk",
        [FORM_EMPTY] = "an empty file",
    };

    return names[form];
}

bool image_form_is_compressed(enum image_form form)
{
    return form == FORM_GZIP || form == FORM_XZ || form == FORM_ZSTD || form == FORM_LZ4 ||
           form == FORM_LZ4_LEGACY;
}

enum romsim_image_kind romsim_image_probe(const struct romsim_blob *blob)
{
    switch (image_form_probe(romsim_blob_bytes(blob), romsim_blob_size(blob))) {
    case FORM_EROFS:
        return ROMSIM_IMAGE_EROFS;
    case FORM_CPIO:
        return ROMSIM_IMAGE_CPIO;
    default:
        return ROMSIM_IMAGE_RAW;
    }
}

const char *romsim_image_kind_name(enum romsim_image_kind kind)
{
    static const char *const names[] = {
        [ROMSIM_IMAGE_EROFS] = "erofs",
        [ROMSIM_IMAGE_CPIO] = "cpio",
        [ROMSIM_IMAGE_RAW] = "raw",
    };

    return names[kind];
}
