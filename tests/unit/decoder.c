/* SPDX-License-Identifier: BSD-3-Clause */
/* decoder.c: compressed streams: whole, joined, mixed, cut short, damaged, greedy for memory. */
#include "sim/image/decoder.h"

#include "harness.h"

#include <errno.h>
#include <lz4.h>
#include <lz4frame.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

enum { PLAIN_SIZE = 20000, PACKED_MAX = 1 << 17, FORMS = 4 };

static const enum image_form forms[FORMS] = {FORM_GZIP, FORM_XZ, FORM_ZSTD, FORM_LZ4};

static uint8_t plain[PLAIN_SIZE];

static size_t pack_gzip(uint8_t *out)
{
    z_stream stream = {
        .next_in = plain, .avail_in = PLAIN_SIZE, .next_out = out, .avail_out = PACKED_MAX};

    ck_assert_int_eq(deflateInit2(&stream, 9, Z_DEFLATED, 31, 9, Z_DEFAULT_STRATEGY), Z_OK);
    ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    return stream.total_out;
}

static size_t pack_xz(uint8_t *out)
{
    size_t size = 0;

    ck_assert_int_eq(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC64, NULL, plain, PLAIN_SIZE, out,
                                             &size, PACKED_MAX),
                     LZMA_OK);
    return size;
}

/* By pieces, so that the frame has a window and no size. */
static size_t pack_zstd(uint8_t *out)
{
    ZSTD_CCtx *context = ZSTD_createCCtx();
    ZSTD_inBuffer first = {plain, 1, 0}, rest = {plain, PLAIN_SIZE, 1};
    ZSTD_outBuffer buffer = {out, PACKED_MAX, 0};

    ck_assert(!ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)));
    ck_assert(!ZSTD_isError(ZSTD_compressStream2(context, &buffer, &first, ZSTD_e_continue)));
    ck_assert_uint_eq(ZSTD_compressStream2(context, &buffer, &rest, ZSTD_e_end), 0);
    ZSTD_freeCCtx(context);
    return buffer.pos;
}

static size_t pack_lz4(uint8_t *out)
{
    LZ4F_preferences_t preferences = {.frameInfo = {.contentChecksumFlag = 1}};
    size_t size = LZ4F_compressFrame(out, PACKED_MAX, plain, PLAIN_SIZE, &preferences);

    ck_assert(!LZ4F_isError(size));
    return size;
}

static size_t pack(enum image_form form, uint8_t *out)
{
    for (size_t i = 0; i < PLAIN_SIZE; i++)
        plain[i] = (uint8_t)(i * i >> 7 ^ i);
    switch (form) {
    case FORM_GZIP:
        return pack_gzip(out);
    case FORM_XZ:
        return pack_xz(out);
    case FORM_ZSTD:
        return pack_zstd(out);
    default:
        return pack_lz4(out);
    }
}

/* Decodes all, in pieces of an odd size; the number of bytes, or -1. */
static long unpack(enum image_form form, const uint8_t *packed, size_t size, uint8_t *out,
                   size_t room, struct romsim_error *err)
{
    CLEANUP_DECODER struct decoder *decoder = decoder_new(form, packed, size, err);
    size_t done = 0, got;
    int status = 1;

    ck_assert_ptr_nonnull(decoder);
    while (status > 0 && done < room) {
        status =
            decoder_read(decoder, out + done, room - done < 777 ? room - done : 777, &got, err);
        if (status > 0)
            done += got;
    }
    return status < 0 ? -1 : (long)done;
}

START_TEST(what_was_packed_comes_out)
{
    static uint8_t packed[PACKED_MAX], out[3 * PLAIN_SIZE];

    for (size_t i = 0; i < FORMS; i++) {
        size_t size = pack(forms[i], packed);

        ck_assert_int_eq(image_form_probe(packed, size), forms[i]);
        ck_assert_int_eq(unpack(forms[i], packed, size, out, sizeof(out), NULL), PLAIN_SIZE);
        ck_assert_mem_eq(out, plain, PLAIN_SIZE);
    }
}
END_TEST

START_TEST(two_streams_are_one)
{
    static uint8_t packed[2 * PACKED_MAX], out[3 * PLAIN_SIZE];

    for (size_t i = 0; i < FORMS; i++) {
        size_t size = pack(forms[i], packed);

        memcpy(packed + size, packed, size);
        ck_assert_int_eq(unpack(forms[i], packed, 2 * size, out, sizeof(out), NULL),
                         2 * PLAIN_SIZE);
        ck_assert_mem_eq(out + PLAIN_SIZE, plain, PLAIN_SIZE);
    }
}
END_TEST

START_TEST(a_stream_that_is_cut_short_is_an_error)
{
    static uint8_t packed[PACKED_MAX], out[3 * PLAIN_SIZE];

    for (size_t i = 0; i < FORMS; i++) {
        size_t size = pack(forms[i], packed);

        for (size_t cut = 1; cut < size; cut += 1 + size / 300)
            ck_assert_msg(unpack(forms[i], packed, cut, out, sizeof(out), NULL) < 0,
                          "form %d is accepted when cut at %zu of %zu", (int)forms[i], cut, size);
    }
}
END_TEST

/* Every one of these formats has a checksum over what matters. */
START_TEST(a_damaged_stream_never_gives_other_bytes)
{
    static uint8_t packed[PACKED_MAX], out[3 * PLAIN_SIZE];

    for (size_t i = 0; i < FORMS; i++) {
        size_t size = pack(forms[i], packed);

        for (size_t at = 0; at < size; at += 1 + size / 500) {
            long got;

            packed[at] ^= 0x5a;
            got = unpack(forms[i], packed, size, out, sizeof(out), NULL);
            packed[at] ^= 0x5a;
            ck_assert_msg(got < 0 || (got == PLAIN_SIZE && memcmp(out, plain, PLAIN_SIZE) == 0),
                          "form %d: damage at %zu goes unnoticed", (int)forms[i], at);
        }
    }
}
END_TEST

START_TEST(a_small_stream_gets_no_large_window)
{
    static uint8_t packed[PACKED_MAX], out[3 * PLAIN_SIZE];
    struct romsim_error err = {0};
    size_t size = pack(FORM_ZSTD, packed);

    /* The window's descriptor follows magic and frame descriptor: 2^(10 + exponent) bytes. */
    packed[5] = 17 << 3; /* 128 MiB */
    ck_assert_int_lt(unpack(FORM_ZSTD, packed, size, out, sizeof(out), &err), 0);
    ck_assert_msg(strstr(err.message, "more memory") != NULL, "%s", err.message);
    packed[5] = 16 << 3; /* 64 MiB */
    ck_assert_int_eq(unpack(FORM_ZSTD, packed, size, out, sizeof(out), &err), PLAIN_SIZE);
}
END_TEST

START_TEST(a_small_stream_gets_no_large_dictionary)
{
    static uint8_t packed[PACKED_MAX], out[3 * PLAIN_SIZE];
    struct romsim_error err = {0};
    size_t size = pack(FORM_XZ, packed), header_size;
    uint32_t crc;

    /* The block's header, after the stream's 12 bytes, ends in a filter (LZMA2: 0x21, one byte of
     * properties, the dictionary's size), padding and a CRC of all that. */
    header_size = (packed[12] + 1u) * 4;
    for (size_t at = 13; at < 12 + header_size - 4; at++) {
        if (packed[at] == 0x21 && packed[at + 1] == 1) {
            packed[at + 2] = 34; /* 512 MiB */
            break;
        }
    }
    crc = lzma_crc32(packed + 12, header_size - 4, 0);
    for (int i = 0; i < 4; i++)
        packed[12 + header_size - 4 + (size_t)i] = (uint8_t)(crc >> 8 * i);
    ck_assert_int_lt(unpack(FORM_XZ, packed, size, out, sizeof(out), &err), 0);
    ck_assert_msg(strstr(err.message, "more memory") != NULL, "%s", err.message);
}
END_TEST

START_TEST(what_follows_a_stream_is_left_alone)
{
    static uint8_t packed[2 * PACKED_MAX], out[3 * PLAIN_SIZE];

    for (size_t i = 0; i < FORMS; i++) {
        size_t size = pack(forms[i], packed);
        enum image_form other = forms[(i + 1) % FORMS];
        CLEANUP_DECODER struct decoder *decoder = NULL;
        size_t got;

        memset(packed + size, 0, 1000);
        ck_assert_int_eq(unpack(forms[i], packed, size + 1000, out, sizeof(out), NULL), PLAIN_SIZE);
        packed[size] = 'x';
        ck_assert_int_eq(unpack(forms[i], packed, size + 1000, out, sizeof(out), NULL), PLAIN_SIZE);
        pack(other, packed + size);
        decoder = decoder_new(forms[i], packed, size + 1000, NULL);
        ck_assert_int_eq(decoder_read(decoder, out, sizeof(out), &got, NULL), 1);
        ck_assert_uint_eq(got, PLAIN_SIZE);
        ck_assert_int_eq(decoder_read(decoder, out, sizeof(out), &got, NULL), 0);
        ck_assert_uint_eq(decoder_position(decoder), size);
    }
}
END_TEST

START_TEST(zeros_between_streams_of_xz_do_not_count)
{
    static uint8_t packed[2 * PACKED_MAX], out[3 * PLAIN_SIZE];
    size_t size = pack(FORM_XZ, packed);

    memset(packed + size, 0, 8);
    memcpy(packed + size + 8, packed, size);
    ck_assert_int_eq(unpack(FORM_XZ, packed, 2 * size + 8, out, sizeof(out), NULL), 2 * PLAIN_SIZE);
}
END_TEST

/* `lz4 -l`: a magic, and blocks with their sizes. */
static size_t pack_legacy(uint8_t *out, size_t pieces)
{
    size_t size = 4;

    pack(FORM_GZIP, out); /* makes the plain bytes */
    memcpy(out, "\x02\x21\x4c\x18", 4);
    for (size_t i = 0; i < pieces; i++) {
        const char *from = (const char *)plain + i * (PLAIN_SIZE / pieces);
        int packed = LZ4_compress_default(from, (char *)out + size + 4, (int)(PLAIN_SIZE / pieces),
                                          PACKED_MAX);

        ck_assert_int_gt(packed, 0);
        for (int byte = 0; byte < 4; byte++)
            out[size + (size_t)byte] = (uint8_t)(packed >> 8 * byte);
        size += 4 + (size_t)packed;
    }
    return size;
}

START_TEST(lz4_without_frames_is_read)
{
    static uint8_t packed[2 * PACKED_MAX], out[3 * PLAIN_SIZE];

    for (size_t pieces = 1; pieces <= 4; pieces *= 2) {
        size_t size = pack_legacy(packed, pieces);

        ck_assert_int_eq(image_form_probe(packed, size), FORM_LZ4_LEGACY);
        ck_assert_int_eq(unpack(FORM_LZ4_LEGACY, packed, size, out, sizeof(out), NULL), PLAIN_SIZE);
        ck_assert_mem_eq(out, plain, PLAIN_SIZE);
        memcpy(packed + size, packed, size);
        ck_assert_int_eq(unpack(FORM_LZ4_LEGACY, packed, 2 * size, out, sizeof(out), NULL),
                         2 * PLAIN_SIZE);
        for (size_t padding = 1; padding < 9; padding++) {
            memset(packed + size, 0, padding);
            ck_assert_int_eq(
                unpack(FORM_LZ4_LEGACY, packed, size + padding, out, sizeof(out), NULL),
                PLAIN_SIZE);
        }
        pack_gzip(packed + size);
        ck_assert_int_eq(unpack(FORM_LZ4_LEGACY, packed, size + 1000, out, sizeof(out), NULL),
                         PLAIN_SIZE);
    }
}
END_TEST

/* It has no checksum: a damage may give other bytes, but never more of them than a block has. */
START_TEST(lz4_without_frames_that_is_damaged_or_cut_short_ends)
{
    static uint8_t packed[2 * PACKED_MAX], out[3 * PLAIN_SIZE];
    size_t size = pack_legacy(packed, 1);

    for (size_t cut = 0; cut < size; cut += 1 + size / 300)
        ck_assert_int_lt(unpack(FORM_LZ4_LEGACY, packed, cut, out, sizeof(out), NULL), 0);
    for (size_t at = 4; at < size; at += 1 + size / 500) {
        packed[at] ^= 0x5a;
        unpack(FORM_LZ4_LEGACY, packed, size, out, sizeof(out), NULL);
        packed[at] ^= 0x5a;
    }
}
END_TEST

UNIT_MAIN("decoder", what_was_packed_comes_out, two_streams_are_one,
          a_stream_that_is_cut_short_is_an_error, a_damaged_stream_never_gives_other_bytes,
          a_small_stream_gets_no_large_window, a_small_stream_gets_no_large_dictionary,
          what_follows_a_stream_is_left_alone, zeros_between_streams_of_xz_do_not_count,
          lz4_without_frames_is_read, lz4_without_frames_that_is_damaged_or_cut_short_ends)
