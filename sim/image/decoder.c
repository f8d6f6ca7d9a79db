/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * decoder.c: the four libraries behind one function.
 *
 * Each codec's step() moves the decoder's input and output on as far as the library goes in one
 * call, and says whether a stream ended.
 */
#include "sim/image/decoder.h"

#include <romsim/bounds.h>
#include <romsim/checked.h>
#include <romsim/text.h>

#include <errno.h>
#include <limits.h>
#include <lz4.h>
#include <lz4frame.h>
#include <lzma.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

enum { MEMORY_RATIO = 4 };

enum step { STEP_MORE, STEP_END, STEP_DAMAGED };

/* The block of the LZ4 form without frames that is handed out. */
struct legacy {
    char *block;
    size_t size, used;
    bool has_magic; /* the stream's begin was read */
    bool has_block; /* and a block after it */
};

struct decoder {
    const struct codec *codec;
    uint64_t memory; /* that a stream may ask for */
    const uint8_t *start, *in;
    size_t in_size;
    uint8_t *out;
    size_t out_size;
    bool is_between; /* a stream has ended, and no other has begun */
    const char *why; /* of STEP_DAMAGED, or NULL */
    bool is_greedy;  /* it is that it wants too much memory */
    union {
        z_stream gzip;
        lzma_stream xz;
        ZSTD_DCtx *zstd;
        LZ4F_dctx *lz4;
        struct legacy legacy;
    };
};

struct codec {
    enum image_form form;
    int (*open)(struct decoder *decoder); /* 0 or -1 */
    enum step (*step)(struct decoder *decoder);
    void (*close)(struct decoder *decoder);
};

static void advance(struct decoder *decoder, size_t in, size_t out)
{
    decoder->in += in;
    decoder->in_size -= in;
    decoder->out += out;
    decoder->out_size -= out;
}

/* ---- gzip ------------------------------------------------------------------------------- */

enum { GZIP_WINDOW = 15 + 16 }; /* zlib's words for: the largest window, and gzip's header */

/* It takes 40 KiB, always. */
static int gzip_open(struct decoder *decoder)
{
    return inflateInit2(&decoder->gzip, GZIP_WINDOW) == Z_OK ? 0 : -1;
}

static enum step gzip_step(struct decoder *decoder)
{
    z_stream *stream = &decoder->gzip;
    uInt in = (uInt)min_u64(decoder->in_size, UINT_MAX);
    uInt out = (uInt)min_u64(decoder->out_size, UINT_MAX);
    int status;

    if (decoder->is_between && inflateReset(stream) != Z_OK)
        return STEP_DAMAGED;
    stream->next_in = (z_const Bytef *)(uintptr_t)decoder->in;
    stream->avail_in = in;
    stream->next_out = decoder->out;
    stream->avail_out = out;
    status = inflate(stream, Z_NO_FLUSH);
    advance(decoder, in - stream->avail_in, out - stream->avail_out);
    decoder->why = stream->msg;
    if (status == Z_STREAM_END)
        return STEP_END;
    return status == Z_OK || status == Z_BUF_ERROR ? STEP_MORE : STEP_DAMAGED;
}

static void gzip_close(struct decoder *decoder)
{
    inflateEnd(&decoder->gzip);
}

/* ---- xz --------------------------------------------------------------------------------- */

static int xz_open(struct decoder *decoder)
{
    decoder->xz = (lzma_stream)LZMA_STREAM_INIT;
    return lzma_stream_decoder(&decoder->xz, decoder->memory, 0) == LZMA_OK ? 0 : -1;
}

static enum step xz_step(struct decoder *decoder)
{
    lzma_stream *stream = &decoder->xz;
    lzma_ret status;

    if (decoder->is_between && lzma_stream_decoder(stream, decoder->memory, 0) != LZMA_OK)
        return STEP_DAMAGED;
    stream->next_in = decoder->in;
    stream->avail_in = decoder->in_size;
    stream->next_out = decoder->out;
    stream->avail_out = decoder->out_size;
    status = lzma_code(stream, LZMA_FINISH);
    advance(decoder, decoder->in_size - stream->avail_in, decoder->out_size - stream->avail_out);
    decoder->is_greedy = status == LZMA_MEMLIMIT_ERROR;
    if (status == LZMA_STREAM_END)
        return STEP_END;
    return status == LZMA_OK ? STEP_MORE : STEP_DAMAGED;
}

static void xz_close(struct decoder *decoder)
{
    lzma_end(&decoder->xz);
}

/* ---- zstd ------------------------------------------------------------------------------- */

static int zstd_open(struct decoder *decoder)
{
    int window = 63 - __builtin_clzll(decoder->memory);
    ZSTD_bounds bounds = ZSTD_dParam_getBounds(ZSTD_d_windowLogMax);

    decoder->zstd = ZSTD_createDCtx();
    if (!decoder->zstd)
        return -1;
    window = window > bounds.upperBound ? bounds.upperBound : window;
    return ZSTD_isError(ZSTD_DCtx_setParameter(decoder->zstd, ZSTD_d_windowLogMax, window)) ? -1
                                                                                            : 0;
}

static enum step zstd_step(struct decoder *decoder)
{
    ZSTD_inBuffer in = {decoder->in, decoder->in_size, 0};
    ZSTD_outBuffer out = {decoder->out, decoder->out_size, 0};
    size_t status = ZSTD_decompressStream(decoder->zstd, &out, &in);

    advance(decoder, in.pos, out.pos);
    if (ZSTD_isError(status)) {
        decoder->why = ZSTD_getErrorName(status);
        decoder->is_greedy = ZSTD_getErrorCode(status) == ZSTD_error_frameParameter_windowTooLarge;
        return STEP_DAMAGED;
    }
    return status == 0 ? STEP_END : STEP_MORE;
}

static void zstd_close(struct decoder *decoder)
{
    ZSTD_freeDCtx(decoder->zstd);
}

/* ---- lz4 -------------------------------------------------------------------------------- */

/* A block of 4 MiB and its window at most. */
static int lz4_open(struct decoder *decoder)
{
    return LZ4F_isError(LZ4F_createDecompressionContext(&decoder->lz4, LZ4F_VERSION)) ? -1 : 0;
}

static enum step lz4_step(struct decoder *decoder)
{
    size_t in = decoder->in_size, out = decoder->out_size;
    size_t status = LZ4F_decompress(decoder->lz4, decoder->out, &out, decoder->in, &in, NULL);

    if (LZ4F_isError(status)) {
        decoder->why = LZ4F_getErrorName(status);
        return STEP_DAMAGED;
    }
    advance(decoder, in, out);
    return status == 0 ? STEP_END : STEP_MORE;
}

static void lz4_close(struct decoder *decoder)
{
    LZ4F_freeDecompressionContext(decoder->lz4);
}

/* ---- lz4 without frames ----------------------------------------------------------------- */

/* A magic, then blocks: 4 bytes with their size and as much LZ4 data, which becomes 8 MiB at most
 * (LZ4's doc/lz4_Frame_format.md, "Legacy frame").  It is what Linux's own unpacker knows as LZ4,
 * so initramfs archives have it.  Nothing says where a stream ends. */
enum { LEGACY_MAGIC_SIZE = 4, LEGACY_BLOCK = 8 << 20 };

static int legacy_open(struct decoder *decoder)
{
    decoder->legacy = (struct legacy){.block = malloc(LEGACY_BLOCK)};
    return decoder->legacy.block ? 0 : -1;
}

static void legacy_hand_out(struct decoder *decoder)
{
    struct legacy *legacy = &decoder->legacy;
    size_t size = (size_t)min_u64(legacy->size - legacy->used, decoder->out_size);

    memcpy(decoder->out, legacy->block + legacy->used, size);
    legacy->used += size;
    advance(decoder, 0, size);
}

/* A block, or the end of the stream: what cannot be a block's size, or begins another stream. */
static enum step legacy_next(struct decoder *decoder)
{
    const uint8_t *in = decoder->in;
    struct legacy *legacy = &decoder->legacy;
    uint32_t packed;
    int size;

    if (decoder->in_size < 4)
        return legacy->has_block && memcmp(in, "\0\0\0", decoder->in_size) == 0 ? STEP_END
                                                                                : STEP_MORE;
    packed = in[0] | in[1] << 8 | in[2] << 16 | (uint32_t)in[3] << 24;
    if (packed == 0 || packed > LZ4_COMPRESSBOUND(LEGACY_BLOCK))
        return legacy->has_block ? STEP_END : STEP_DAMAGED;
    if (packed > decoder->in_size - 4)
        return image_form_is_compressed(image_form_probe(in, decoder->in_size)) ? STEP_END
                                                                                : STEP_MORE;
    size = LZ4_decompress_safe((const char *)in + 4, legacy->block, (int)packed, LEGACY_BLOCK);
    if (size < 0)
        return image_form_is_compressed(image_form_probe(in, decoder->in_size)) ? STEP_END
                                                                                : STEP_DAMAGED;
    legacy->size = (size_t)size;
    legacy->used = 0;
    legacy->has_block = true;
    advance(decoder, 4 + (size_t)packed, 0);
    return STEP_MORE;
}

static enum step legacy_step(struct decoder *decoder)
{
    struct legacy *legacy = &decoder->legacy;
    enum step step = STEP_MORE;

    if (decoder->is_between)
        legacy->has_magic = legacy->has_block = false;
    if (!legacy->has_magic && decoder->in_size < LEGACY_MAGIC_SIZE)
        return STEP_MORE;
    if (!legacy->has_magic) {
        advance(decoder, LEGACY_MAGIC_SIZE, 0); /* the probe has seen it */
        legacy->has_magic = true;
    }
    if (legacy->used == legacy->size)
        step = legacy_next(decoder);
    if (step == STEP_MORE)
        legacy_hand_out(decoder);
    return step;
}

static void legacy_close(struct decoder *decoder)
{
    free(decoder->legacy.block);
}

/* ---- all -------------------------------------------------------------------------------- */

static const struct codec codecs[] = {
    {FORM_GZIP, gzip_open, gzip_step, gzip_close},
    {FORM_XZ, xz_open, xz_step, xz_close},
    {FORM_ZSTD, zstd_open, zstd_step, zstd_close},
    {FORM_LZ4, lz4_open, lz4_step, lz4_close},
    {FORM_LZ4_LEGACY, legacy_open, legacy_step, legacy_close},
};

static const struct codec *find_codec(enum image_form form)
{
    for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++)
        if (codecs[i].form == form)
            return &codecs[i];
    return NULL;
}

struct decoder *decoder_new(enum image_form form, const uint8_t *bytes, uint64_t size,
                            struct romsim_error *err)
{
    CLEANUP_FREE struct decoder *decoder = calloc(1, sizeof(*decoder));

    if (!decoder) {
        romsim_error_nomem(err);
        return NULL;
    }
    decoder->codec = find_codec(form);
    decoder->start = decoder->in = bytes;
    decoder->in_size = size;
    if (!checked_multiply(size, MEMORY_RATIO, &decoder->memory) ||
        !checked_add(decoder->memory, romsim_bound(ROMSIM_BOUND_UNPACK_MEMORY), &decoder->memory))
        decoder->memory = UINT64_MAX;
    if (!decoder->codec) {
        romsim_error_set(err, EINVAL, "%s is not compressed", image_form_name(form));
        return NULL;
    }
    if (decoder->codec->open(decoder) < 0) {
        decoder->codec->close(decoder);
        romsim_error_nomem(err);
        return NULL;
    }
    return STEAL_POINTER(&decoder);
}

void decoder_free(struct decoder *decoder)
{
    if (!decoder)
        return;
    decoder->codec->close(decoder);
    free(decoder);
}

uint64_t decoder_position(const struct decoder *decoder)
{
    return (uint64_t)(decoder->in - decoder->start);
}

/* Between two streams: does another one of the same form follow?  Between those of xz there may be
 * zeros, four by four (The .xz File Format, 2.2). */
static bool another_follows(struct decoder *decoder)
{
    enum image_form form = decoder->codec->form, next;
    size_t zeros = 0;

    while (form == FORM_XZ && decoder->in_size - zeros >= 4 &&
           memcmp(decoder->in + zeros, "\0\0\0", 4) == 0)
        zeros += 4;
    next = image_form_probe(decoder->in + zeros, decoder->in_size - zeros);
    /* LZ4 and zstd have the frames that are to be skipped in common. */
    if (next != form && (form != FORM_LZ4 || next != FORM_ZSTD || decoder->in[3] != 0x18))
        return false;
    advance(decoder, zeros, 0);
    return true;
}

static int damaged(const struct decoder *decoder, struct romsim_error *err)
{
    const char *why = decoder->why ? decoder->why : "damaged data";

    if (decoder->is_greedy)
        return romsim_bound_refuse(err, ROMSIM_BOUND_UNPACK_MEMORY,
                                   "it wants more memory than %s, which its size justifies",
                                   SIZE_TEXT(decoder->memory));
    return romsim_error_set(err, EUCLEAN, "%s", QUOTE(why));
}

int decoder_read(struct decoder *decoder, uint8_t *out, size_t room, size_t *ret_size,
                 struct romsim_error *err)
{
    decoder->out = out;
    decoder->out_size = room;
    while (decoder->out_size > 0) {
        size_t in_before = decoder->in_size, out_before = decoder->out_size;
        enum step step;

        if (decoder->is_between && !another_follows(decoder))
            break;
        step = decoder->codec->step(decoder);
        decoder->is_between = step == STEP_END;
        if (step == STEP_DAMAGED)
            return damaged(decoder, err);
        if (step == STEP_MORE && in_before == decoder->in_size && out_before == decoder->out_size)
            return romsim_error_set(err, EUCLEAN, "it ends too early");
    }
    *ret_size = room - decoder->out_size;
    return *ret_size > 0;
}
