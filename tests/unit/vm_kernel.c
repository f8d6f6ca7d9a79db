/* SPDX-License-Identifier: BSD-3-Clause */
/* vm_kernel.c: bzImages unpack, whatever they are compressed with; damaged ones are refused. */
#include "harness.h"

#include "sim/vm/kernel.h"

#include <elf.h>
#include <errno.h>
#include <lz4.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

enum { SETUP = 2048, KERNEL_SIZE = 100000, ROOM = 400000 };

/* A little ELF kernel: a header, one PT_NOTE with the PVH entry, and filling. */
static size_t kernel_make(uint8_t *kernel)
{
    Elf64_Ehdr header = {.e_type = ET_EXEC,
                         .e_machine = EM_X86_64,
                         .e_phoff = sizeof(header),
                         .e_phentsize = sizeof(Elf64_Phdr),
                         .e_phnum = 1};
    Elf64_Phdr segment = {.p_type = PT_NOTE, .p_offset = 512, .p_filesz = 20};
    static const uint32_t note[] = {4, 4, 18, 0x6e6558 /* "Xen" */, 0x1000000};

    for (size_t i = 0; i < KERNEL_SIZE; i++)
        kernel[i] = (uint8_t)(i * i >> 7);
    memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    memcpy(kernel, &header, sizeof(header));
    memcpy(kernel + sizeof(header), &segment, sizeof(segment));
    memcpy(kernel + 512, note, sizeof(note));
    return KERNEL_SIZE;
}

static void put32(uint8_t *bytes, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
}

/* A bzImage around a payload; returns its size. */
static size_t bzimage_make(uint8_t *image, const uint8_t *payload, size_t size)
{
    memset(image, 0, SETUP);
    image[0x1f1] = SETUP / 512 - 1;
    image[0x1fe] = 0x55;
    image[0x1ff] = 0xaa;
    memcpy(image + 0x202, "HdrS", 4);
    image[0x206] = 0x0f;
    image[0x207] = 0x02;
    put32(image + 0x248, 16);
    put32(image + 0x24c, (uint32_t)size);
    memset(image + SETUP, 0x90, 16);
    memcpy(image + SETUP + 16, payload, size);
    return SETUP + 16 + size;
}

static size_t pack_gzip(const uint8_t *in, size_t size, uint8_t *out)
{
    z_stream stream = {.next_in = (uint8_t *)in, .avail_in = (uInt)size};

    ck_assert_int_eq(deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, 0), Z_OK);
    stream.next_out = out;
    stream.avail_out = ROOM;
    ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    return ROOM - stream.avail_out;
}

static size_t pack_xz(const uint8_t *in, size_t size, uint8_t *out)
{
    size_t used = 0;

    ck_assert_int_eq(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC32, NULL, in, size, out, &used, ROOM),
                     LZMA_OK);
    put32(out + used, (uint32_t)size);
    return used + 4;
}

static size_t pack_lzma(const uint8_t *in, size_t size, uint8_t *out)
{
    lzma_stream stream = LZMA_STREAM_INIT;
    lzma_options_lzma options;

    lzma_lzma_preset(&options, 6);
    ck_assert_int_eq(lzma_alone_encoder(&stream, &options), LZMA_OK);
    stream.next_in = in;
    stream.avail_in = size;
    stream.next_out = out;
    stream.avail_out = ROOM;
    ck_assert_int_eq(lzma_code(&stream, LZMA_FINISH), LZMA_STREAM_END);
    lzma_end(&stream);
    put32(out + ROOM - stream.avail_out, (uint32_t)size);
    return ROOM - stream.avail_out + 4;
}

static size_t pack_zstd(const uint8_t *in, size_t size, uint8_t *out)
{
    size_t used = ZSTD_compress(out, ROOM, in, size, 3);

    ck_assert(!ZSTD_isError(used));
    put32(out + used, (uint32_t)size);
    return used + 4;
}

static size_t pack_lz4(const uint8_t *in, size_t size, uint8_t *out)
{
    int used = LZ4_compress_default((const char *)in, (char *)out + 8, (int)size, ROOM - 8);

    ck_assert_int_gt(used, 0);
    memcpy(out, "\x02\x21\x4c\x18", 4);
    put32(out + 4, (uint32_t)used);
    put32(out + 8 + used, (uint32_t)size);
    return (size_t)used + 12;
}

struct method {
    const char *name;
    size_t (*pack)(const uint8_t *in, size_t size, uint8_t *out);
};

static const struct method methods[] = {{"gzip", pack_gzip},
                                        {"xz", pack_xz},
                                        {"lzma", pack_lzma},
                                        {"zstd", pack_zstd},
                                        {"lz4", pack_lz4}};
enum { METHODS = sizeof(methods) / sizeof(methods[0]) };

static uint8_t kernel[KERNEL_SIZE], payload[ROOM], image[ROOM + SETUP + 16];

static size_t image_make(const struct method *method)
{
    return bzimage_make(image, payload, method->pack(kernel, kernel_make(kernel), payload));
}

START_TEST(every_compression_unpacks)
{
    for (size_t i = 0; i < METHODS; i++) {
        size_t size = image_make(&methods[i]), unpacked_size = 0;
        uint8_t *unpacked = NULL;

        ck_assert_int_eq(kernel_probe(image, size), KERNEL_BZIMAGE);
        ck_assert_int_eq(kernel_unpack(image, size, &unpacked, &unpacked_size, NULL), 0);
        ck_assert_uint_eq(unpacked_size, KERNEL_SIZE);
        ck_assert_mem_eq(unpacked, kernel, KERNEL_SIZE);
        ck_assert(kernel_has_pvh(unpacked, unpacked_size));
        free(unpacked);
    }
}
END_TEST

/* The header's fields and the payload's beginning byte for byte, the rest here and there. */
static size_t next_place(size_t at)
{
    if (at < 0x250 || (at >= SETUP && at < SETUP + 48))
        return at + 1;
    return at < SETUP ? SETUP : at + 1499;
}

START_TEST(damage_is_refused_or_does_no_harm)
{
    for (size_t i = 0; i < METHODS; i++) {
        size_t size = image_make(&methods[i]);

        for (size_t at = 0x1f0; at < size; at = next_place(at)) {
            size_t unpacked_size = 0;
            uint8_t *unpacked = NULL;

            image[at] ^= 0xff;
            if (kernel_unpack(image, size, &unpacked, &unpacked_size, NULL) == 0)
                kernel_has_pvh(unpacked, unpacked_size);
            image[at] ^= 0xff;
            free(unpacked);
        }
    }
}
END_TEST

START_TEST(a_cut_image_is_refused)
{
    for (size_t i = 0; i < METHODS; i++) {
        size_t size = image_make(&methods[i]);

        for (size_t cut = 0; cut < size; cut += 1 + cut / 8) {
            uint8_t *piece = malloc(cut ? cut : 1), *unpacked = NULL;
            size_t unpacked_size;

            memcpy(piece, image, cut);
            ck_assert_int_eq(kernel_unpack(piece, cut, &unpacked, &unpacked_size, NULL), -1);
            free(piece);
        }
    }
}
END_TEST

START_TEST(what_cannot_be_unpacked_is_named)
{
    struct romsim_error err = {0};
    size_t size = bzimage_make(image, (const uint8_t *)"BZh9............", 16), unpacked_size;
    uint8_t *unpacked;

    ck_assert_int_eq(kernel_unpack(image, size, &unpacked, &unpacked_size, &err), -1);
    ck_assert_int_eq(err.errnum, EOPNOTSUPP);
    ck_assert_str_eq(err.message, "the kernel is compressed with bzip2");
    ck_assert_int_eq(kernel_unpack(kernel, 100, &unpacked, &unpacked_size, &err), -1);
    ck_assert_int_eq(err.errnum, EINVAL);
}
END_TEST

START_TEST(notes_of_all_kinds_are_looked_at_safely)
{
    kernel_make(kernel);
    ck_assert(kernel_has_pvh(kernel, KERNEL_SIZE));
    ck_assert(!kernel_has_pvh(kernel, 520));
    ck_assert(!kernel_has_pvh(kernel, 10));
    put32(kernel + 512, 0xffffffff); /* a note's name of 4 GiB */
    ck_assert(!kernel_has_pvh(kernel, KERNEL_SIZE));
    kernel_make(kernel);
    put32(kernel + 512 + 8, 17); /* another note of Xen's */
    ck_assert(!kernel_has_pvh(kernel, KERNEL_SIZE));
    kernel_make(kernel);
    memset(kernel + 32, 0xff, 8); /* the segments lie beyond the end of the world */
    ck_assert(!kernel_has_pvh(kernel, KERNEL_SIZE));
}
END_TEST

/* The same bytes, with the magic of an arm64 Image. */
static size_t arm64_make(uint8_t *bytes)
{
    size_t size = kernel_make(bytes);

    memset(bytes, 0, 64);
    memcpy(bytes, "MZ", 2);
    memcpy(bytes + 56, "ARM\x64", 4);
    return size;
}

/* An EFI program with a packed Image: its place and size stand in the header. */
static size_t zboot_make(uint8_t *bytes, const uint8_t *packed, size_t size)
{
    memset(bytes, 0, 128);
    memcpy(bytes, "MZ", 2);
    memcpy(bytes + 4, "zimg", 4);
    put32(bytes + 8, 128);
    put32(bytes + 12, (uint32_t)size);
    memcpy(bytes + 128, packed, size);
    return 128 + size;
}

START_TEST(an_image_is_unpacked_however_it_is_packed)
{
    size_t whole = arm64_make(kernel);

    ck_assert_int_eq(kernel_probe(kernel, whole), KERNEL_IMAGE);
    ck_assert_int_eq(kernel_probe(kernel, 59), KERNEL_UNKNOWN);
    ck_assert(!kernel_has_pvh(kernel, whole));
    for (size_t i = 0; i < METHODS; i++) {
        size_t size = methods[i].pack(kernel, whole, payload), unpacked_size = 0;
        bool is_gzip = payload[0] == 0x1f && payload[1] == 0x8b;
        uint8_t *unpacked = NULL;

        /* As it is only by gzip. */
        ck_assert_int_eq(kernel_probe(payload, size),
                         is_gzip ? KERNEL_PACKED_IMAGE : KERNEL_UNKNOWN);
        size = zboot_make(image, payload, size);
        ck_assert_int_eq(kernel_probe(image, size), KERNEL_PACKED_IMAGE);
        ck_assert_int_eq(kernel_unpack(image, size, &unpacked, &unpacked_size, NULL), 0);
        ck_assert_int_eq(kernel_probe(unpacked, unpacked_size), KERNEL_IMAGE);
        ck_assert_uint_eq(unpacked_size, whole);
        free(unpacked);
        put32(image + 8, 0xfffffff0); /* beyond the end */
        ck_assert_int_eq(kernel_unpack(image, size, &unpacked, &unpacked_size, NULL), -1);
        ck_assert_int_eq(kernel_unpack(image, 70, &unpacked, &unpacked_size, NULL), -1);
    }
}
END_TEST

UNIT_MAIN("vm_kernel", every_compression_unpacks, damage_is_refused_or_does_no_harm,
          a_cut_image_is_refused, what_cannot_be_unpacked_is_named,
          notes_of_all_kinds_are_looked_at_safely, an_image_is_unpacked_however_it_is_packed)
