/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kernel.c: unpacks Linux kernels on the host.
 *
 * A bzImage is a boot sector, setup code and a small protected-mode program that unpacks the real
 * kernel, an ELF file, when it is started.  Under emulation that takes about a second of guest
 * time; the host does it in a tenth.  The ELF file is then booted through its PVH entry.
 *
 * Kernels come from the user (--kernel, images): nothing in the headers is trusted, every access
 * goes through piece().
 */
#include "kernel.h"

#include <romsim/bounds.h>
#include <romsim/checked.h>
#include <romsim/cleanup.h>
#include <romsim/text.h>

#include <elf.h>
#include <errno.h>
#include <lz4.h>
#include <lzma.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

/* The setup header's fields, by their offset in the file (boot.rst). */
enum {
    SETUP_SECTORS = 0x1f1,
    SETUP_BOOT_FLAG = 0x1fe,
    SETUP_MAGIC = 0x202,
    SETUP_VERSION = 0x206,
    SETUP_PAYLOAD_OFFSET = 0x248,
    SETUP_PAYLOAD_LENGTH = 0x24c,
    SETUP_VERSION_WITH_PAYLOAD = 0x208,
    SECTOR = 512,
    LZ4_LEGACY_BLOCK = 8 << 20,
    XEN_ELFNOTE_PHYS32_ENTRY = 18
};

/* Of an arm64 Image; and of the EFI program that has one packed (drivers/firmware/efi/libstub's
 * zboot-header.S). */
enum { IMAGE_MAGIC = 56, ZBOOT_MAGIC = 4, ZBOOT_PAYLOAD_OFFSET = 8, ZBOOT_PAYLOAD_SIZE = 12 };

struct bytes {
    const uint8_t *data;
    size_t size;
};

struct unpacked {
    uint8_t *data;
    size_t size, capacity;
};

/* The one accessor: `length` bytes at `offset`, or NULL if they are not all there. */
static const uint8_t *piece(struct bytes bytes, uint64_t offset, uint64_t length)
{
    return range_is_inside(offset, length, bytes.size) ? bytes.data + offset : NULL;
}

static uint64_t le(const uint8_t *bytes, unsigned count)
{
    uint64_t value = 0;

    for (unsigned i = count; i-- > 0;)
        value = value << 8 | bytes[i];
    return value;
}

static bool is_zboot(const uint8_t *data)
{
    return memcmp(data, "MZ", 2) == 0 && memcmp(data + ZBOOT_MAGIC, "zimg", 4) == 0;
}

enum kernel_kind kernel_probe(const uint8_t *data, size_t size)
{
    struct bytes bytes = {data, size};
    const uint8_t *flag = piece(bytes, SETUP_BOOT_FLAG, 2);
    const uint8_t *magic = piece(bytes, SETUP_MAGIC, 4);
    const uint8_t *arm64 = piece(bytes, IMAGE_MAGIC, 4);

    if (size >= SELFMAG && memcmp(data, ELFMAG, SELFMAG) == 0)
        return KERNEL_ELF;
    if (flag && magic && le(flag, 2) == 0xaa55 && memcmp(magic, "HdrS", 4) == 0)
        return KERNEL_BZIMAGE;
    if (arm64 && memcmp(arm64, "ARM\x64", 4) == 0)
        return KERNEL_IMAGE;
    if (arm64 && (memcmp(data, "\x1f\x8b", 2) == 0 || is_zboot(data)))
        return KERNEL_PACKED_IMAGE;
    return KERNEL_UNKNOWN;
}

/* ---- ELF -------------------------------------------------------------------------------- */

/* Looks for the PVH entry among the notes of one PT_NOTE segment. */
static bool notes_have_pvh(struct bytes notes)
{
    uint64_t offset = 0;
    const uint8_t *header;

    while ((header = piece(notes, offset, sizeof(Elf64_Nhdr)))) {
        uint64_t name_size = le(header, 4), value_size = le(header + 4, 4);
        const uint8_t *name = piece(notes, offset + sizeof(Elf64_Nhdr), name_size);

        if (name && name_size == 4 && memcmp(name, "Xen", 4) == 0 &&
            le(header + 8, 4) == XEN_ELFNOTE_PHYS32_ENTRY)
            return true;
        offset += sizeof(Elf64_Nhdr) + ((name_size + 3) & ~3ULL) + ((value_size + 3) & ~3ULL);
    }
    return false;
}

bool kernel_has_pvh(const uint8_t *data, size_t size)
{
    struct bytes bytes = {data, size};
    Elf64_Ehdr header;

    if (kernel_probe(data, size) != KERNEL_ELF || size < sizeof(header))
        return false;
    memcpy(&header, data, sizeof(header));
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64)
        return false;
    for (unsigned i = 0; i < header.e_phnum; i++) {
        uint64_t offset;
        const uint8_t *entry, *notes;
        Elf64_Phdr segment;

        if (!checked_add(header.e_phoff, i * sizeof(segment), &offset) ||
            !(entry = piece(bytes, offset, sizeof(segment))))
            return false;
        memcpy(&segment, entry, sizeof(segment));
        if (segment.p_type == PT_NOTE &&
            (notes = piece(bytes, segment.p_offset, segment.p_filesz)) &&
            notes_have_pvh((struct bytes){notes, segment.p_filesz}))
            return true;
    }
    return false;
}

/* ---- decompressors: each appends all of `packed`'s content to `out` ----------------------- */

/* Makes room for `more` bytes behind what is there.  Returns 0, ENOMEM or EFBIG. */
static int make_room(struct unpacked *out, size_t more)
{
    size_t capacity = out->capacity ? out->capacity : 64 << 20;
    uint64_t limit = romsim_bound(ROMSIM_BOUND_KERNEL_UNPACKED);
    uint8_t *data;

    if (more > limit || out->size > limit - more)
        return EFBIG;
    while (capacity < out->size + more)
        capacity *= 2;
    if (capacity == out->capacity)
        return 0;
    data = realloc(out->data, capacity);
    if (!data)
        return ENOMEM;
    out->data = data;
    out->capacity = capacity;
    return 0;
}

static int unpack_gzip(struct bytes packed, struct unpacked *out)
{
    z_stream stream = {.next_in = (uint8_t *)packed.data, .avail_in = (uInt)packed.size};
    int status = Z_OK, failure = 0;

    if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK)
        return ENOMEM;
    while (status == Z_OK && (failure = make_room(out, 1 << 20)) == 0) {
        stream.next_out = out->data + out->size;
        stream.avail_out = (uInt)(out->capacity - out->size);
        status = inflate(&stream, Z_NO_FLUSH);
        out->size = out->capacity - stream.avail_out;
    }
    inflateEnd(&stream);
    return failure ? failure : status == Z_STREAM_END ? 0 : EUCLEAN;
}

static int run_lzma(lzma_stream *stream, struct bytes packed, struct unpacked *out)
{
    lzma_ret status = LZMA_OK;
    int failure = 0;

    stream->next_in = packed.data;
    stream->avail_in = packed.size;
    while (status == LZMA_OK && (failure = make_room(out, 1 << 20)) == 0) {
        stream->next_out = out->data + out->size;
        stream->avail_out = out->capacity - out->size;
        status = lzma_code(stream, LZMA_RUN);
        out->size = out->capacity - stream->avail_out;
    }
    lzma_end(stream);
    return failure ? failure : status == LZMA_STREAM_END ? 0 : EUCLEAN;
}

static int unpack_xz(struct bytes packed, struct unpacked *out)
{
    lzma_stream stream = LZMA_STREAM_INIT;

    if (lzma_stream_decoder(&stream, 256 << 20, 0) != LZMA_OK)
        return ENOMEM;
    return run_lzma(&stream, packed, out);
}

static int unpack_lzma(struct bytes packed, struct unpacked *out)
{
    lzma_stream stream = LZMA_STREAM_INIT;

    if (lzma_alone_decoder(&stream, 256 << 20) != LZMA_OK)
        return ENOMEM;
    return run_lzma(&stream, packed, out);
}

static int unpack_zstd(struct bytes packed, struct unpacked *out)
{
    ZSTD_DStream *stream = ZSTD_createDStream();
    ZSTD_inBuffer in = {packed.data, packed.size, 0};
    size_t status = 1;
    int failure = 0;

    if (!stream)
        return ENOMEM;
    ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, 27);
    while (status != 0 && in.pos < in.size && (failure = make_room(out, 1 << 20)) == 0) {
        ZSTD_outBuffer room = {out->data, out->capacity, out->size};

        status = ZSTD_decompressStream(stream, &room, &in);
        if (ZSTD_isError(status))
            failure = EUCLEAN;
        if (failure)
            break;
        out->size = room.pos;
    }
    ZSTD_freeDStream(stream);
    return failure ? failure : status == 0 ? 0 : EUCLEAN;
}

/* LZ4's legacy frames, as `lz4 -l` writes them: a magic, then blocks that each unpack to at most
 * 8 MiB behind a 32-bit size; the kernel's own total size, 4 bytes, ends the payload. */
static int unpack_lz4(struct bytes packed, struct unpacked *out)
{
    uint64_t offset = 4;

    while (packed.size - offset > 4) {
        uint64_t size = le(packed.data + offset, 4);
        const uint8_t *block = piece(packed, offset + 4, size);
        int failure = make_room(out, LZ4_LEGACY_BLOCK), unpacked;

        if (failure)
            return failure;
        if (!block || size > LZ4_COMPRESSBOUND(LZ4_LEGACY_BLOCK))
            return EUCLEAN;
        unpacked = LZ4_decompress_safe((const char *)block, (char *)out->data + out->size,
                                       (int)size, LZ4_LEGACY_BLOCK);
        if (unpacked < 0)
            return EUCLEAN;
        out->size += (size_t)unpacked;
        offset += 4 + size;
    }
    return 0;
}

struct filter {
    const char *name;
    const char *magic;
    size_t magic_size;
    int (*unpack)(struct bytes packed, struct unpacked *out); /* NULL: known, not supported */
    bool has_size; /* the build appends the unpacked size, 4 bytes, to the payload */
};

static const struct filter filters[] = {
    {"gzip", "\x1f\x8b\x08", 3, unpack_gzip, false},
    {"xz",
     "\xfd"
     "7zXZ\0",
     6, unpack_xz, true},
    {"lz4", "\x02\x21\x4c\x18", 4, unpack_lz4, true},
    {"zstd", "\x28\xb5\x2f\xfd", 4, unpack_zstd, true},
    {"lzma", "\x5d\0\0", 3, unpack_lzma, true},
    {"bzip2", "BZh", 3, NULL, true},
    {"lzo", "\x89LZO", 4, NULL, true},
};

static const struct filter *filter_find(struct bytes payload)
{
    for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++)
        if (payload.size >= filters[i].magic_size &&
            memcmp(payload.data, filters[i].magic, filters[i].magic_size) == 0)
            return &filters[i];
    return NULL;
}

/* ---- what is packed, and how -------------------------------------------------------------- */

/* Of a compressed Image the payload is all of the file, or what its header says. */
static int packed_image_find(struct bytes image, struct bytes *ret, struct romsim_error *err)
{
    const uint8_t *header = image.data, *payload;
    uint64_t size;

    *ret = image;
    if (!is_zboot(header))
        return 0;
    size = le(header + ZBOOT_PAYLOAD_SIZE, 4);
    payload = piece(image, le(header + ZBOOT_PAYLOAD_OFFSET, 4), size);
    if (!payload || size < 8)
        return romsim_error_set(err, EUCLEAN, "the kernel is damaged: its payload is outside");
    *ret = (struct bytes){payload, size};
    return 0;
}

static int payload_find(struct bytes image, struct bytes *ret, struct romsim_error *err)
{
    const uint8_t *header = piece(image, 0, SETUP_PAYLOAD_LENGTH + 4);
    uint64_t start, length;
    const uint8_t *payload;

    if (kernel_probe(image.data, image.size) == KERNEL_PACKED_IMAGE)
        return packed_image_find(image, ret, err);
    if (kernel_probe(image.data, image.size) != KERNEL_BZIMAGE || !header)
        return romsim_error_set(err, EINVAL, "not a Linux kernel (bzImage)");
    if (le(header + SETUP_VERSION, 2) < SETUP_VERSION_WITH_PAYLOAD)
        return romsim_error_set(err, EOPNOTSUPP, "a bzImage from before Linux 2.6.26");
    start = (header[SETUP_SECTORS] ? header[SETUP_SECTORS] : 4) * SECTOR + SECTOR;
    start += le(header + SETUP_PAYLOAD_OFFSET, 4);
    length = le(header + SETUP_PAYLOAD_LENGTH, 4);
    payload = piece(image, start, length);
    if (!payload || length < 8)
        return romsim_error_set(err, EUCLEAN, "the bzImage is damaged: its payload is outside");
    *ret = (struct bytes){payload, length};
    return 0;
}

/* A bzImage's build appends the size of some to the payload. */
static int filter_run(const struct filter *filter, struct bytes payload, bool may_have_size,
                      struct unpacked *out, struct romsim_error *err)
{
    uint64_t size = le(payload.data + payload.size - 4, 4);
    int failure = filter->unpack(payload, out);

    if (!failure && may_have_size && filter->has_size && size != out->size)
        failure = EUCLEAN;
    if (failure == EUCLEAN)
        return romsim_error_set(
            err, EUCLEAN, "the kernel is damaged: its %s payload does not unpack", filter->name);
    if (failure == EFBIG)
        return romsim_bound_refuse(err, ROMSIM_BOUND_KERNEL_UNPACKED,
                                   "the kernel unpacks to more than %s",
                                   SIZE_TEXT(romsim_bound(ROMSIM_BOUND_KERNEL_UNPACKED)));
    return failure ? romsim_error_nomem(err) : 0;
}

int kernel_unpack(const uint8_t *data, size_t size, uint8_t **ret, size_t *ret_size,
                  struct romsim_error *err)
{
    struct bytes payload = {NULL, 0};
    const struct filter *filter;
    struct unpacked out = {0};

    if (payload_find((struct bytes){data, size}, &payload, err) < 0)
        return -1;
    filter = filter_find(payload);
    if (!filter || !filter->unpack)
        return romsim_error_set(err, EOPNOTSUPP, "the kernel is compressed with %s",
                                filter ? filter->name : "an unknown method");
    if (filter_run(filter, payload, kernel_probe(data, size) == KERNEL_BZIMAGE, &out, err) < 0) {
        free(out.data);
        return -1;
    }
    *ret = out.data;
    *ret_size = out.size;
    return 0;
}
