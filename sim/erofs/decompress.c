/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * decompress.c: the four algorithms, through their libraries, and their configurations.
 *
 * A pcluster stands at the end of its blocks, zeros before it (but for LZ4 in images without the
 * feature ZERO_PADDING).  It may decode to more than is wanted (a part of an extent, deduplicated
 * extents; LZ4 of the old form): all decoders stop when the output is full, and it is an error if
 * it does not get full.  When all of it is wanted the kernel's decoders (fs/erofs/decompressor*.c)
 * also want it to end there, except Zstandard's; ours are as strict, so that damaged data that the
 * guest cannot read cannot be read here.
 */
#include "reader.h"

#include <errno.h>
#include <lz4.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

/* ---- decoders: 0, or -1 for damaged data, -2 without memory ------------------------------ */

enum { DECODED = 0, DAMAGED = -1, NO_MEMORY = -2 };

/* `exact`: the input must end with the output. */
typedef int decoder(const struct romsim_erofs *erofs, const uint8_t *in, size_t in_size,
                    uint8_t *out, size_t out_size, bool exact);

static int decode_lz4(const struct romsim_erofs *erofs, const uint8_t *in, size_t in_size,
                      uint8_t *out, size_t out_size, bool exact)
{
    const char *from = (const char *)in;
    char *to = (char *)out;
    int got = exact && erofs_has(erofs, EROFS_FEATURE_INCOMPAT_ZERO_PADDING)
                  ? LZ4_decompress_safe(from, to, in_size, out_size)
                  : LZ4_decompress_safe_partial(from, to, in_size, out_size, out_size);

    return got >= 0 && (size_t)got == out_size ? DECODED : DAMAGED;
}

static int decode_lzma(const struct romsim_erofs *erofs, const uint8_t *in, size_t in_size,
                       uint8_t *out, size_t out_size, bool exact)
{
    lzma_stream stream = LZMA_STREAM_INIT;
    /* No match reaches farther back than the output does. */
    uint32_t dict_size = max_u64(min_u64(erofs->lzma_dict_size, out_size), LZMA_DICT_SIZE_MIN);
    lzma_ret result = lzma_microlzma_decoder(&stream, in_size, out_size, exact, dict_size);

    if (result == LZMA_OK) {
        stream.next_in = in;
        stream.avail_in = in_size;
        stream.next_out = out;
        stream.avail_out = out_size;
        result = lzma_code(&stream, LZMA_FINISH);
    }
    lzma_end(&stream);
    if (result == LZMA_MEM_ERROR)
        return NO_MEMORY;
    if (result != LZMA_STREAM_END && (exact || (result != LZMA_OK && result != LZMA_BUF_ERROR)))
        return DAMAGED;
    return stream.avail_out ? DAMAGED : DECODED;
}

static int decode_deflate(const struct romsim_erofs *erofs, const uint8_t *in, size_t in_size,
                          uint8_t *out, size_t out_size, bool exact)
{
    z_stream stream = {
        .next_in = (Bytef *)in, .avail_in = in_size, .next_out = out, .avail_out = out_size};
    int result;

    (void)erofs;
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK)
        return NO_MEMORY;
    result = inflate(&stream, Z_SYNC_FLUSH);
    inflateEnd(&stream);
    if (result == Z_MEM_ERROR)
        return NO_MEMORY;
    if (result < Z_OK || (exact && result != Z_STREAM_END))
        return DAMAGED;
    return stream.avail_out ? DAMAGED : DECODED;
}

static int decode_zstd(const struct romsim_erofs *erofs, const uint8_t *in, size_t in_size,
                       uint8_t *out, size_t out_size, bool exact)
{
    ZSTD_DStream *stream = ZSTD_createDStream();
    ZSTD_inBuffer input = {in, in_size, 0};
    ZSTD_outBuffer output = {out, out_size, 0};
    size_t result, progress;

    (void)exact;
    if (!stream)
        return NO_MEMORY;
    ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, erofs->zstd_window_bits);
    do {
        progress = input.pos + output.pos;
        result = ZSTD_decompressStream(stream, &output, &input);
    } while (!ZSTD_isError(result) && result && output.pos < out_size &&
             input.pos + output.pos > progress);
    ZSTD_freeDStream(stream);
    return !ZSTD_isError(result) && output.pos == out_size ? DECODED : DAMAGED;
}

static const struct {
    const char *name;
    decoder *decode;
} algorithms[Z_EROFS_COMPRESSION_MAX] = {
    [Z_EROFS_COMPRESSION_LZ4] = {"lz4", decode_lz4},
    [Z_EROFS_COMPRESSION_LZMA] = {"lzma", decode_lzma},
    [Z_EROFS_COMPRESSION_DEFLATE] = {"deflate", decode_deflate},
    [Z_EROFS_COMPRESSION_ZSTD] = {"zstd", decode_zstd},
};

const char *erofs_algorithm_name(unsigned algorithm)
{
    return algorithm < Z_EROFS_COMPRESSION_MAX ? algorithms[algorithm].name : NULL;
}

int erofs_decompress(const struct romsim_erofs *erofs, unsigned algorithm, const uint8_t *in,
                     size_t in_size, size_t margin, uint8_t *out, size_t out_size, bool exact,
                     struct romsim_error *err)
{
    size_t zeros = 0;
    int result;

    if (algorithm != Z_EROFS_COMPRESSION_LZ4 ||
        erofs_has(erofs, EROFS_FEATURE_INCOMPAT_ZERO_PADDING))
        while (zeros < margin && zeros < in_size && !in[zeros])
            zeros++;
    if (zeros == in_size || (zeros && zeros == margin))
        return romsim_error_set(err, EUCLEAN, "a pcluster of zeros only");
    result = algorithms[algorithm].decode(erofs, in + zeros, in_size - zeros, out, out_size, exact);
    if (result == NO_MEMORY)
        return romsim_error_nomem(err);
    if (result == DECODED)
        return 0;
    return romsim_error_set(err, EUCLEAN, "%zu bytes of %s do not decode to %zu bytes",
                            in_size - zeros, algorithms[algorithm].name, out_size);
}

/* ---- configurations --------------------------------------------------------------------- */

static int configure_lz4(struct romsim_erofs *erofs, const uint8_t *bytes, struct romsim_error *err)
{
    const struct z_erofs_lz4_cfgs *lz4 = (const struct z_erofs_lz4_cfgs *)bytes;
    uint64_t largest = (uint64_t)le16_get(lz4->max_pclusterblks) << erofs->super.block_bits;

    if (largest <= Z_EROFS_PCLUSTER_MAX_SIZE)
        return 0;
    return romsim_error_set(err, EUCLEAN, "lz4 pclusters of up to %llu bytes",
                            (unsigned long long)largest);
}

static int configure_lzma(struct romsim_erofs *erofs, const uint8_t *bytes,
                          struct romsim_error *err)
{
    const struct z_erofs_lzma_cfgs *lzma = (const struct z_erofs_lzma_cfgs *)bytes;

    if (le16_get(lzma->format))
        return romsim_error_set(err, EOPNOTSUPP, "unknown format %u of LZMA",
                                le16_get(lzma->format));
    erofs->lzma_dict_size = le32_get(lzma->dict_size);
    if (erofs->lzma_dict_size >= LZMA_DICT_SIZE_MIN &&
        erofs->lzma_dict_size <= Z_EROFS_LZMA_MAX_DICT_SIZE)
        return 0;
    return romsim_error_set(err, EUCLEAN, "an LZMA dictionary of %u bytes", erofs->lzma_dict_size);
}

static int configure_deflate(struct romsim_erofs *erofs, const uint8_t *bytes,
                             struct romsim_error *err)
{
    const struct z_erofs_deflate_cfgs *deflate = (const struct z_erofs_deflate_cfgs *)bytes;

    (void)erofs;
    if (deflate->windowbits <= MAX_WBITS)
        return 0;
    return romsim_error_set(err, EOPNOTSUPP, "a DEFLATE window of 2^%u", deflate->windowbits);
}

static int configure_zstd(struct romsim_erofs *erofs, const uint8_t *bytes,
                          struct romsim_error *err)
{
    const struct z_erofs_zstd_cfgs *zstd = (const struct z_erofs_zstd_cfgs *)bytes;

    if (zstd->format)
        return romsim_error_set(err, EOPNOTSUPP, "unknown format %u of Zstandard", zstd->format);
    erofs->zstd_window_bits = zstd->windowlog + 10u;
    if (zstd->windowlog <= 10)
        return 0;
    return romsim_error_set(err, EUCLEAN, "a Zstandard window of 2^%u", erofs->zstd_window_bits);
}

static const struct {
    size_t size;
    int (*configure)(struct romsim_erofs *erofs, const uint8_t *bytes, struct romsim_error *err);
} configurations[Z_EROFS_COMPRESSION_MAX] = {
    [Z_EROFS_COMPRESSION_LZ4] = {sizeof(struct z_erofs_lz4_cfgs), configure_lz4},
    [Z_EROFS_COMPRESSION_LZMA] = {sizeof(struct z_erofs_lzma_cfgs), configure_lzma},
    [Z_EROFS_COMPRESSION_DEFLATE] = {sizeof(struct z_erofs_deflate_cfgs), configure_deflate},
    [Z_EROFS_COMPRESSION_ZSTD] = {sizeof(struct z_erofs_zstd_cfgs), configure_zstd},
};

/* One configuration: its size, aligned to 4 bytes, then the struct. */
static int configure(struct romsim_erofs *erofs, unsigned algorithm, uint64_t *offset,
                     struct romsim_error *err)
{
    uint64_t position = (*offset + 3) & ~UINT64_C(3);
    const uint8_t *bytes = erofs_image_bytes(erofs, position, sizeof(le16), "configuration", err);
    uint32_t size;

    if (!bytes)
        return -1;
    size = le16_get(*(const le16 *)bytes);
    if (!size)
        size = 65536;
    if (size < configurations[algorithm].size)
        return romsim_error_set(err, EUCLEAN, "%s's configuration has %u bytes",
                                algorithms[algorithm].name, size);
    bytes = erofs_image_bytes(erofs, position + sizeof(le16), size, "configuration", err);
    if (!bytes)
        return -1;
    *offset = position + sizeof(le16) + size;
    return configurations[algorithm].configure(erofs, bytes, err);
}

int erofs_decompress_configure(struct romsim_erofs *erofs, struct romsim_error *err)
{
    uint64_t offset = EROFS_SUPER_OFFSET + erofs->super_size;

    erofs->algorithms = 1u << Z_EROFS_COMPRESSION_LZ4;
    if (!erofs_has(erofs, EROFS_FEATURE_INCOMPAT_COMPR_CFGS))
        return 0;
    erofs->algorithms = erofs->super.available_algorithms;
    if (erofs->algorithms & ~Z_EROFS_ALL_COMPR_ALGS)
        return romsim_error_set(err, EOPNOTSUPP,
                                "the image uses unknown compression algorithms (bits 0x%x)",
                                erofs->algorithms & ~Z_EROFS_ALL_COMPR_ALGS);
    for (unsigned i = 0; i < Z_EROFS_COMPRESSION_MAX; i++)
        if ((erofs->algorithms >> i & 1) && configure(erofs, i, &offset, err) < 0)
            return -1;
    return 0;
}
