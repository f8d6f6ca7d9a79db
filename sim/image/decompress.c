/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * decompress.c: a compressed blob as a plain one.
 *
 * Decompressing comes first and whole: everything behind it then reads plain bytes at offsets, the
 * same for every kind of archive, and a file's data stays where it is.
 */
#include "sim/image/decompress.h"

#include "sim/image/decoder.h"
#include "sim/image/probe.h"

#include <romsim/bounds.h>
#include <romsim/checked.h>
#include <romsim/text.h>

#include <errno.h>
#include <string.h>

enum { HOLE_SIZE = 4096, PIECE = 256 << 10, FORGET_STEP = 32 << 20 };

static bool is_hole(const uint8_t *bytes, size_t size)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

/* Writes what is not zero, so that a bomb of zeros takes no space. */
static int write_sparsely(int fd, const uint8_t *bytes, size_t size, uint64_t offset,
                          struct romsim_error *err)
{
    while (size > 0) {
        size_t piece = (size_t)min_u64(size, HOLE_SIZE - offset % HOLE_SIZE), run = piece;
        ssize_t done = (ssize_t)piece;

        if (!is_hole(bytes, piece)) {
            while (run < size && !is_hole(bytes + run, (size_t)min_u64(size - run, HOLE_SIZE)))
                run += (size_t)min_u64(size - run, HOLE_SIZE);
            done = pwrite(fd, bytes, run, (off_t)offset);
        }
        if (done < 0 && errno != EINTR)
            return romsim_error_system(err, errno, "cannot write the decompressed data");
        done = done < 0 ? 0 : done;
        bytes += done;
        offset += (uint64_t)done;
        size -= (size_t)done;
    }
    return 0;
}

static int too_large(const char *name, uint64_t limit, struct romsim_error *err)
{
    return romsim_bound_refuse(err, ROMSIM_BOUND_UNPACK_BYTES,
                               "'%s' grows beyond %s when decompressed", QUOTE(name),
                               SIZE_TEXT(limit));
}

static uint64_t growth_limit(uint64_t packed)
{
    uint64_t limit;

    if (!checked_multiply(packed, DECOMPRESS_RATIO, &limit))
        limit = UINT64_MAX;
    return max_u64(romsim_bound(ROMSIM_BOUND_UNPACK_BYTES), limit);
}

static int copy_stream(struct decoder *decoder, struct romsim_blob *blob, int fd, const char *name,
                       uint64_t *ret_size, struct romsim_error *err)
{
    uint64_t limit = growth_limit(romsim_blob_size(blob)), forgotten = 0, end = 0;
    CLEANUP_FREE uint8_t *piece = malloc(PIECE);
    size_t size;
    int status;

    if (!piece)
        return romsim_error_nomem(err);
    while ((status = decoder_read(decoder, piece, PIECE, &size, err)) > 0) {
        if (end + size > limit)
            return too_large(name, limit, err);
        if (write_sparsely(fd, piece, size, end, err) < 0)
            return -1;
        end += size;
        if (decoder_position(decoder) - forgotten >= FORGET_STEP) {
            romsim_blob_forget(blob, forgotten, decoder_position(decoder) - forgotten);
            forgotten = decoder_position(decoder);
        }
    }
    if (status < 0)
        return romsim_error_context(err, "'%s' cannot be decompressed", QUOTE(name));
    *ret_size = end;
    return 0;
}

struct romsim_blob *image_decompress(struct romsim_blob *blob, const char *name,
                                     struct romsim_error *err)
{
    enum image_form form = image_form_probe(romsim_blob_bytes(blob), romsim_blob_size(blob));
    CLEANUP_DECODER struct decoder *decoder = NULL;
    CLEANUP_FD int fd = -1;
    uint64_t size = 0;

    if (!image_form_is_compressed(form))
        return romsim_blob_ref(blob);
    decoder = decoder_new(form, romsim_blob_bytes(blob), romsim_blob_size(blob), err);
    fd = decoder ? romsim_blob_scratch_file(err) : -1;
    if (fd < 0 || copy_stream(decoder, blob, fd, name, &size, err) < 0)
        return NULL;
    if (ftruncate(fd, (off_t)size) < 0) {
        romsim_error_system(err, errno, "cannot write the decompressed data");
        return NULL;
    }
    return romsim_blob_take_fd(steal_fd(&fd), err);
}
