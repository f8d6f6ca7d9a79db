/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * decoder.c: the four libraries behind one function.
 *
 * Each codec's step() moves the decoder's input and output on as far as the library goes in one
 * call, and says whether a stream ended.  What follows the last stream and is none is an error for
 * all but gzip, whose files may be padded with zeros.
 */
#include "sim/image/decoder.h"

#include <romsim/checked.h>
#include <romsim/text.h>

#include <errno.h>
#include <limits.h>
#include <lz4frame.h>
#include <lzma.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

enum { MEMORY_FLOOR = 68 << 20, MEMORY_RATIO = 4 };

enum step { STEP_MORE, STEP_END, STEP_DAMAGED };

struct decoder {
    const struct codec *codec;
    const uint8_t *start, *in;
    size_t in_size;
    uint8_t *out;
    size_t out_size;
    bool is_between; /* a stream has ended, and no other has begun */
    const char *why; /* of STEP_DAMAGED, or NULL */
    union {
        z_stream gzip;
        lzma_stream xz;
        ZSTD_DCtx *zstd;
        LZ4F_dctx *lz4;
    };
};

struct codec {
    enum image_form form;
    int (*open)(struct decoder *decoder, uint64_t memory); /* 0 or -1 */
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

static int gzip_open(struct decoder *decoder, uint64_t memory)
{
    (void)memory; /* 40 KiB, always */
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

static int xz_open(struct decoder *decoder, uint64_t memory)
{
    decoder->xz = (lzma_stream)LZMA_STREAM_INIT;
    return lzma_stream_decoder(&decoder->xz, memory, LZMA_CONCATENATED) == LZMA_OK ? 0 : -1;
}

static enum step xz_step(struct decoder *decoder)
{
    lzma_stream *stream = &decoder->xz;
    lzma_ret status;

    stream->next_in = decoder->in;
    stream->avail_in = decoder->in_size;
    stream->next_out = decoder->out;
    stream->avail_out = decoder->out_size;
    status = lzma_code(stream, LZMA_FINISH);
    advance(decoder, decoder->in_size - stream->avail_in, decoder->out_size - stream->avail_out);
    if (status == LZMA_MEMLIMIT_ERROR)
        decoder->why = "it wants more memory than its size justifies";
    if (status == LZMA_STREAM_END)
        return STEP_END;
    return status == LZMA_OK ? STEP_MORE : STEP_DAMAGED;
}

static void xz_close(struct decoder *decoder)
{
    lzma_end(&decoder->xz);
}

/* ---- zstd ------------------------------------------------------------------------------- */

static int zstd_open(struct decoder *decoder, uint64_t memory)
{
    int window = 63 - __builtin_clzll(memory);
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
        return STEP_DAMAGED;
    }
    return status == 0 ? STEP_END : STEP_MORE;
}

static void zstd_close(struct decoder *decoder)
{
    ZSTD_freeDCtx(decoder->zstd);
}

/* ---- lz4 -------------------------------------------------------------------------------- */

static int lz4_open(struct decoder *decoder, uint64_t memory)
{
    (void)memory; /* a block of 4 MiB and its window at most */
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

/* ---- all -------------------------------------------------------------------------------- */

static const struct codec codecs[] = {
    {FORM_GZIP, gzip_open, gzip_step, gzip_close},
    {FORM_XZ, xz_open, xz_step, xz_close},
    {FORM_ZSTD, zstd_open, zstd_step, zstd_close},
    {FORM_LZ4, lz4_open, lz4_step, lz4_close},
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
    uint64_t memory;

    if (!decoder) {
        romsim_error_nomem(err);
        return NULL;
    }
    decoder->codec = find_codec(form);
    decoder->start = decoder->in = bytes;
    decoder->in_size = size;
    if (!checked_multiply(size, MEMORY_RATIO, &memory) ||
        !checked_add(memory, MEMORY_FLOOR, &memory))
        memory = UINT64_MAX;
    if (!decoder->codec) {
        romsim_error_set(err, EINVAL, "%s is not compressed", image_form_name(form));
        return NULL;
    }
    if (decoder->codec->open(decoder, memory) < 0) {
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

/* Between two streams: is there nothing but an end, or the zeros that gzip's files may end in? */
static bool is_at_end(const struct decoder *decoder)
{
    if (decoder->in_size == 0)
        return true;
    return decoder->codec->form == FORM_GZIP && decoder->in[0] == 0;
}

static int damaged(const struct decoder *decoder, struct romsim_error *err)
{
    const char *why = decoder->why ? decoder->why : "damaged data";

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

        if (decoder->is_between && is_at_end(decoder))
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
