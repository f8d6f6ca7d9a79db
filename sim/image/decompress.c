/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * decompress.c: a compressed blob as a plain one.
 *
 * Decompressing comes first and whole: everything behind it then reads plain bytes at offsets, the
 * same for every kind of archive, and a file's data stays where it is.
 */
#include "sim/image/decompress.h"

#include "sim/image/cpio_read.h"
#include "sim/image/decoder.h"
#include "sim/image/probe.h"

#include <romsim/bounds.h>
#include <romsim/checked.h>
#include <romsim/file.h>
#include <romsim/text.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { HOLE_SIZE = 4096, PIECE = 256 << 10, FORGET_STEP = 4 << 20, HEAD_SIZE = 4096 };

/* The plain bytes of a blob, while they are gathered. */
struct plain {
    struct romsim_blob *blob; /* where they come from */
    const char *name;
    int fd;
    uint64_t size, limit;
};

static void plain_release(struct plain *plain)
{
    if (plain->fd >= 0)
        close(plain->fd);
}

static int plain_open(struct plain *plain, struct romsim_blob *blob, const char *name,
                      struct romsim_error *err)
{
    *plain = (struct plain){.blob = blob, .name = name, .fd = -1};
    plain->limit = romsim_bound_for(ROMSIM_BOUND_UNPACK_BYTES, romsim_blob_size(blob));
    plain->fd = romsim_blob_scratch_file(err);
    return plain->fd < 0 ? -1 : 0;
}

static int cannot_write(int fd, int errnum, struct romsim_error *err)
{
    return romsim_error_write(err, errnum, fd, "write the decompressed data");
}

static int plain_append(struct plain *plain, const uint8_t *bytes, size_t size,
                        struct romsim_error *err)
{
    int errnum;

    if (size > plain->limit - plain->size)
        return romsim_bound_refuse(err, ROMSIM_BOUND_UNPACK_BYTES,
                                   "'%s' grows beyond %s when decompressed", QUOTE(plain->name),
                                   SIZE_TEXT(plain->limit));
    errnum = romsim_write_sparsely(plain->fd, bytes, size, plain->size);
    if (errnum != 0)
        return cannot_write(plain->fd, errnum, err);
    plain->size += size;
    return 0;
}

static struct romsim_blob *plain_finish(struct plain *plain, struct romsim_error *err)
{
    struct romsim_blob *blob;

    if (ftruncate(plain->fd, (off_t)plain->size) < 0) {
        cannot_write(plain->fd, errno, err);
        return NULL;
    }
    blob = romsim_blob_take_fd(plain->fd, err);
    plain->fd = -1;
    if (blob)
        romsim_blob_set_source_size(blob, romsim_blob_source_size(plain->blob));
    return blob;
}

/* Appends what the stream or streams at *offset become, and sets *offset behind them. */
static int append_stream(struct plain *plain, enum image_form form, uint64_t *offset,
                         struct romsim_error *err)
{
    const uint8_t *bytes = romsim_blob_bytes(plain->blob) + *offset;
    uint64_t size = romsim_blob_size(plain->blob) - *offset, forgotten = 0;
    CLEANUP_DECODER struct decoder *decoder = decoder_new(form, bytes, size, err);
    CLEANUP_FREE uint8_t *piece = malloc(PIECE);
    size_t got;
    int status;

    if (!decoder || !piece)
        return decoder ? romsim_error_nomem(err) : -1;
    while ((status = decoder_read(decoder, piece, PIECE, &got, err)) > 0) {
        if (plain_append(plain, piece, got, err) < 0)
            return -1;
        if (decoder_position(decoder) - forgotten >= FORGET_STEP) {
            romsim_blob_forget(plain->blob, *offset + forgotten,
                               decoder_position(decoder) - forgotten);
            forgotten = decoder_position(decoder);
        }
    }
    if (status < 0)
        return romsim_error_context(err, "'%s' cannot be decompressed", QUOTE(plain->name));
    *offset += decoder_position(decoder);
    return 0;
}

/* The first byte from `offset` on that is not zero, or the blob's end. */
static uint64_t skip_zeros(const struct romsim_blob *blob, uint64_t offset)
{
    const uint8_t *bytes = romsim_blob_bytes(blob);
    uint64_t start, end;

    while (romsim_blob_next_data(blob, offset, &start, &end))
        for (offset = start; offset < end; offset++)
            if (bytes[offset] != 0)
                return offset;
    return romsim_blob_size(blob);
}

static int foreign_bytes(const struct romsim_blob *blob, const char *name, uint64_t offset,
                         struct romsim_error *err)
{
    enum image_form form =
        image_form_probe(romsim_blob_bytes(blob) + offset, romsim_blob_size(blob) - offset);

    romsim_error_set(err, EUCLEAN, "'%s' goes on behind its end, at byte %llu, with %s",
                     QUOTE(name), (unsigned long long)offset,
                     form == FORM_OTHER ? "what is no archive" : image_form_name(form));
    return romsim_error_hint(err, "only zeros may follow an archive, and cpio archives, plain or "
                                  "compressed with gzip, xz, zstd or lz4, each other");
}

enum image_form image_form_inside(const struct romsim_blob *blob)
{
    enum image_form form = image_form_probe(romsim_blob_bytes(blob), romsim_blob_size(blob));
    CLEANUP_DECODER struct decoder *decoder = NULL;
    uint8_t head[HEAD_SIZE];
    size_t size = 0, step;

    if (!image_form_is_compressed(form))
        return form;
    decoder = decoder_new(form, romsim_blob_bytes(blob), romsim_blob_size(blob), NULL);
    while (decoder && size < sizeof(head) &&
           decoder_read(decoder, head + size, sizeof(head) - size, &step, NULL) > 0)
        size += step;
    return image_form_probe(head, size);
}

struct romsim_blob *image_decompress(struct romsim_blob *blob, const char *name,
                                     struct romsim_error *err)
{
    enum image_form form = image_form_probe(romsim_blob_bytes(blob), romsim_blob_size(blob));
    CLEANUP(plain_release) struct plain plain = {.fd = -1};
    uint64_t offset = 0;

    if (!image_form_is_compressed(form))
        return romsim_blob_ref(blob);
    if (plain_open(&plain, blob, name, err) < 0 || append_stream(&plain, form, &offset, err) < 0)
        return NULL;
    offset = skip_zeros(blob, offset);
    if (offset < romsim_blob_size(blob)) {
        foreign_bytes(blob, name, offset, err);
        return NULL;
    }
    return plain_finish(&plain, err);
}

/* ---- archives behind each other --------------------------------------------------------- */

/* Goes over the cpio archives at *offset, to the blob's end or to what is none. */
static int skip_cpio(const struct romsim_blob *blob, const char *name, uint64_t *offset,
                     struct romsim_error *err)
{
    struct cpio_cursor cursor = {
        .bytes = romsim_blob_bytes(blob), .size = romsim_blob_size(blob), .offset = *offset};
    uint64_t forgotten = *offset;
    struct cpio_member member;
    int status;

    while ((status = cpio_next(&cursor, &member, err)) > 0) {
        if (cursor.offset - forgotten < FORGET_STEP)
            continue;
        romsim_blob_forget(blob, forgotten, cursor.offset - forgotten);
        forgotten = cursor.offset;
    }
    *offset = cursor.offset;
    return status < 0 ? romsim_error_context(err, "'%s'", QUOTE(name)) : 0;
}

/* Appends the bytes from `start` to `end`, and zeros up to a multiple of the alignment. */
static int append_plainly(struct plain *plain, uint64_t start, uint64_t end,
                          struct romsim_error *err)
{
    const uint8_t *bytes = romsim_blob_bytes(plain->blob);

    for (uint64_t step; start < end; start += step) {
        step = min_u64(end - start, FORGET_STEP);
        if (plain_append(plain, bytes + start, step, err) < 0)
            return -1;
        romsim_blob_forget(plain->blob, start, step);
    }
    return 0;
}

/* Is it a cpio archive so far? */
static bool is_cpio(const struct plain *plain)
{
    uint8_t head[CPIO_HEADER_MAX];
    uint64_t size = min_u64(plain->size, sizeof(head));

    return romsim_read_fully(plain->fd, head, size, 0) == 0 &&
           image_form_probe(head, size) == FORM_CPIO;
}

/* Appends the archives from *offset on until there are none any more. */
static int append_archives(struct plain *plain, uint64_t *offset, struct romsim_error *err)
{
    const struct romsim_blob *blob = plain->blob;

    while ((*offset = skip_zeros(blob, *offset)) < romsim_blob_size(blob)) {
        uint64_t start = *offset;
        enum image_form form =
            image_form_probe(romsim_blob_bytes(blob) + start, romsim_blob_size(blob) - start);

        /* Each begins where its own alignment is kept. */
        if (!checked_align_up(plain->size, HOLE_SIZE, &plain->size))
            return romsim_error_set(err, EFBIG, "'%s' is too large", QUOTE(plain->name));
        if (form == FORM_CPIO && (skip_cpio(blob, plain->name, offset, err) < 0 ||
                                  append_plainly(plain, start, *offset, err) < 0))
            return -1;
        if (image_form_is_compressed(form) && append_stream(plain, form, offset, err) < 0)
            return -1;
        if (*offset == start || !is_cpio(plain))
            return 0;
    }
    return 0;
}

struct romsim_blob *image_decompress_archive(struct romsim_blob *blob, const char *name,
                                             struct romsim_error *err)
{
    enum image_form form = image_form_probe(romsim_blob_bytes(blob), romsim_blob_size(blob));
    CLEANUP(plain_release) struct plain plain = {.fd = -1};
    uint64_t offset = 0;

    if (form == FORM_CPIO && skip_cpio(blob, name, &offset, err) < 0)
        return NULL;
    if ((form != FORM_CPIO && !image_form_is_compressed(form)) || offset == romsim_blob_size(blob))
        return romsim_blob_ref(blob);
    offset = 0;
    if (plain_open(&plain, blob, name, err) < 0 || append_archives(&plain, &offset, err) < 0)
        return NULL;
    offset = skip_zeros(blob, offset);
    if (offset < romsim_blob_size(blob)) {
        foreign_bytes(blob, name, offset, err);
        return NULL;
    }
    return plain_finish(&plain, err);
}
