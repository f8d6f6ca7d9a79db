/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * decompress.c: one filter of libarchive, chosen by magic, in front of its raw "format".
 *
 * Decompressing comes first and whole: everything behind it then reads plain bytes at offsets, the
 * same for every kind of archive, and a file's data stays where it is.
 */
#include "sim/image/decompress.h"

#include "sim/image/probe.h"

#include <romsim/checked.h>
#include <romsim/text.h>

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>

enum { HOLE_SIZE = 4096, FORGET_STEP = 32 << 20 };

static void free_archive(struct archive **archive)
{
    archive_read_free(*archive);
}

/* One filter by its name, without libarchive's own guessing, which would try filters again and
 * again on what comes out. */
static int filter_code(enum image_form form)
{
    switch (form) {
    case FORM_GZIP:
        return ARCHIVE_FILTER_GZIP;
    case FORM_XZ:
        return ARCHIVE_FILTER_XZ;
    case FORM_ZSTD:
        return ARCHIVE_FILTER_ZSTD;
    default:
        return ARCHIVE_FILTER_LZ4;
    }
}

static int damaged(struct archive *archive, const char *name, struct romsim_error *err)
{
    const char *why = archive_error_string(archive);

    return romsim_error_set(err, archive_errno(archive) == ENOMEM ? ENOMEM : EUCLEAN,
                            "'%s' cannot be decompressed: %s", QUOTE(name),
                            QUOTE(why ? why : "damaged data"));
}

static int open_stream(struct archive *archive, struct romsim_blob *blob, const char *name,
                       struct romsim_error *err)
{
    enum image_form form = image_form_probe(romsim_blob_bytes(blob), romsim_blob_size(blob));
    struct archive_entry *entry;
    int status;

    if (archive_read_append_filter(archive, filter_code(form)) != ARCHIVE_OK ||
        archive_read_support_format_raw(archive) != ARCHIVE_OK ||
        archive_read_support_format_empty(archive) != ARCHIVE_OK ||
        archive_read_open_memory(archive, romsim_blob_bytes(blob), romsim_blob_size(blob)) !=
            ARCHIVE_OK)
        return damaged(archive, name, err);
    status = archive_read_next_header(archive, &entry);
    /* To libarchive, what does not even begin well is the end; and no archive is empty. */
    if (status == ARCHIVE_EOF)
        return romsim_error_set(err, EUCLEAN, "'%s' cannot be decompressed: no data in it",
                                QUOTE(name));
    return status == ARCHIVE_OK ? 0 : damaged(archive, name, err);
}

static int is_hole(const uint8_t *bytes, size_t size)
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
    romsim_error_set(err, EFBIG, "'%s' grows beyond %s when decompressed", QUOTE(name),
                     SIZE_TEXT(limit));
    return romsim_error_hint(err, "it is refused as a decompression bomb; decompress it yourself "
                                  "if it is not");
}

static int copy_stream(struct archive *archive, struct romsim_blob *blob, int fd, const char *name,
                       uint64_t *ret_size, struct romsim_error *err)
{
    uint64_t packed = romsim_blob_size(blob), read, forgotten = 0, end = 0;
    uint64_t limit = max_u64(DECOMPRESS_FLOOR, packed * DECOMPRESS_RATIO);
    const void *bytes;
    size_t size;
    la_int64_t offset;
    int status;

    while ((status = archive_read_data_block(archive, &bytes, &size, &offset)) == ARCHIVE_OK) {
        if (size == 0)
            continue;
        if ((uint64_t)offset + size > limit)
            return too_large(name, limit, err);
        if (write_sparsely(fd, bytes, size, (uint64_t)offset, err) < 0)
            return -1;
        end = (uint64_t)offset + size;
        read = (uint64_t)archive_filter_bytes(archive, -1);
        if (read >= forgotten + FORGET_STEP) {
            romsim_blob_forget(blob, forgotten, min_u64(read, packed) - forgotten);
            forgotten = read;
        }
    }
    if (status != ARCHIVE_EOF)
        return damaged(archive, name, err);
    if (end == 0)
        return romsim_error_set(err, EUCLEAN, "'%s' cannot be decompressed: no data in it",
                                QUOTE(name));
    *ret_size = end;
    return 0;
}

struct romsim_blob *image_decompress(struct romsim_blob *blob, const char *name,
                                     struct romsim_error *err)
{
    uint64_t size = 0;
    CLEANUP(free_archive) struct archive *archive = NULL;
    CLEANUP_FD int fd = -1;

    if (!image_form_is_compressed(
            image_form_probe(romsim_blob_bytes(blob), romsim_blob_size(blob))))
        return romsim_blob_ref(blob);
    archive = archive_read_new();
    fd = romsim_blob_scratch_file(err);
    if (!archive || fd < 0) {
        if (!archive)
            romsim_error_nomem(err);
        return NULL;
    }
    if (open_stream(archive, blob, name, err) < 0 ||
        copy_stream(archive, blob, fd, name, &size, err) < 0)
        return NULL;
    if (ftruncate(fd, (off_t)size) < 0) {
        romsim_error_system(err, errno, "cannot write the decompressed data");
        return NULL;
    }
    return romsim_blob_take_fd(steal_fd(&fd), err);
}
