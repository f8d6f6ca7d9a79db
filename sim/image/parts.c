/* SPDX-License-Identifier: BSD-3-Clause */
/* parts.c: several blobs as one tar archive, compressed with zstd. */
#include <romsim/parts.h>

#include "sim/image/decompress.h"
#include "sim/image/probe.h"
#include "sim/image/tar_read.h"
#include "sim/image/tar_write.h"

#include <romsim/checked.h>
#include <romsim/file.h>
#include <romsim/text.h>

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zstd.h>

/* ---- the list ----------------------------------------------------------------------------- */

void romsim_parts_clear(struct romsim_parts *parts)
{
    for (size_t i = 0; i < parts->count; i++) {
        free(parts->items[i].name);
        romsim_blob_unref(parts->items[i].blob);
    }
    free(parts->items);
    *parts = (struct romsim_parts){0};
}

bool romsim_part_name_is_valid(const char *name)
{
    size_t size = strlen(name);

    if (size == 0 || size > ROMSIM_PART_NAME_MAX || name[size - 1] == '/')
        return false;
    for (size_t i = 0; i < size; i++) {
        bool begins = i == 0 || name[i - 1] == '/';

        if (begins && (name[i] == '.' || name[i] == '/'))
            return false;
        if (!isalnum((unsigned char)name[i]) && !strchr("./_-+=@", name[i]))
            return false;
    }
    return true;
}

struct romsim_blob *romsim_parts_find(const struct romsim_parts *parts, const char *name)
{
    for (size_t i = 0; i < parts->count; i++)
        if (strcmp(parts->items[i].name, name) == 0)
            return parts->items[i].blob;
    return NULL;
}

int romsim_parts_add(struct romsim_parts *parts, const char *name, struct romsim_blob *blob,
                     struct romsim_error *err)
{
    struct romsim_part *items;
    char *copy;

    if (!romsim_part_name_is_valid(name))
        return romsim_error_set(err, EINVAL, "'%s' can be no name of a part", QUOTE(name));
    if (romsim_parts_find(parts, name))
        return romsim_error_set(err, EEXIST, "there are two parts '%s'", QUOTE(name));
    if (parts->count >= ROMSIM_PARTS_MAX)
        return romsim_error_set(err, EFBIG, "more than %d parts", ROMSIM_PARTS_MAX);
    items = reallocarray(parts->items, parts->count + 1, sizeof(*items));
    if (!items)
        return romsim_error_nomem(err);
    parts->items = items;
    copy = strdup(name);
    if (!copy)
        return romsim_error_nomem(err);
    items[parts->count++] = (struct romsim_part){copy, romsim_blob_ref(blob)};
    return 0;
}

/* ---- writing ------------------------------------------------------------------------------ */

/* One level for all, and one thread: the bytes must not depend on the machine. */
enum { LEVEL = 6, PIECE = 128 << 10 };

struct writer {
    ZSTD_CCtx *zstd;
    char *piece;
    uint64_t offset;
    int fd;
};

static void writer_release(struct writer *writer)
{
    ZSTD_freeCCtx(writer->zstd);
    free(writer->piece);
}

static int write_stream(struct writer *writer, const void *bytes, size_t size,
                        ZSTD_EndDirective end, struct romsim_error *err)
{
    ZSTD_inBuffer input = {bytes, size, 0};
    size_t left;

    do {
        ZSTD_outBuffer output = {writer->piece, PIECE, 0};
        int errnum;

        left = ZSTD_compressStream2(writer->zstd, &output, &input, end);
        if (ZSTD_isError(left))
            return romsim_error_set(err, EIO, "zstd: %s", ZSTD_getErrorName(left));
        errnum = romsim_write_fully(writer->fd, writer->piece, output.pos, writer->offset);
        if (errnum)
            return romsim_error_write(err, errnum, writer->fd, "write the archive");
        writer->offset += output.pos;
    } while (input.pos < input.size || (end == ZSTD_e_end && left > 0));
    return 0;
}

static int write_part(struct writer *writer, const struct romsim_part *part,
                      struct romsim_error *err)
{
    static const uint8_t zeros[TAR_BLOCK_SIZE];
    uint64_t size = romsim_blob_size(part->blob);
    uint8_t header[TAR_BLOCK_SIZE];

    tar_header(part->name, size, header);
    if (write_stream(writer, header, sizeof(header), ZSTD_e_continue, err) < 0)
        return -1;
    for (uint64_t done = 0, step; done < size; done += step) {
        step = min_u64(size - done, PIECE);
        if (write_stream(writer, romsim_blob_bytes(part->blob) + done, step, ZSTD_e_continue, err) <
            0)
            return -1;
        romsim_blob_forget(part->blob, done, step);
    }
    return write_stream(writer, zeros, tar_padded(size) - size, ZSTD_e_continue, err);
}

int romsim_parts_write(const struct romsim_parts *parts, int fd, struct romsim_error *err)
{
    static const uint8_t end[TAR_END_SIZE];
    CLEANUP(writer_release)
    struct writer writer = {.zstd = ZSTD_createCCtx(), .piece = malloc(PIECE), .fd = fd};

    if (!writer.zstd || !writer.piece)
        return romsim_error_nomem(err);
    ZSTD_CCtx_setParameter(writer.zstd, ZSTD_c_compressionLevel, LEVEL);
    ZSTD_CCtx_setParameter(writer.zstd, ZSTD_c_checksumFlag, 1);
    for (size_t i = 0; i < parts->count; i++)
        if (write_part(&writer, &parts->items[i], err) < 0)
            return -1;
    return write_stream(&writer, end, sizeof(end), ZSTD_e_end, err);
}

/* ---- reading ------------------------------------------------------------------------------ */

/* A regular file's bytes, which lie in one piece unless it is sparse. */
static struct romsim_blob *data_of(const struct entry *entry, struct romsim_error *err)
{
    const struct romsim_extent *extent = entry->extents;

    if (entry->size == 0)
        return romsim_blob_from_bytes("", 0, err);
    if (entry->extent_count != 1 || extent->file_offset != 0 || extent->length != entry->size) {
        romsim_error_set(err, EUCLEAN, "'%s' is sparse", QUOTE(entry->path));
        return NULL;
    }
    return romsim_blob_slice(entry->blob, extent->source_offset, extent->length, err);
}

/* An entry_visitor.  "./NAME" is NAME, as `tar -C DIR .` has it. */
static int take(void *context, const struct entry *entry, struct romsim_error *err)
{
    const char *path = strncmp(entry->path, "./", 2) == 0 ? entry->path + 2 : entry->path;
    CLEANUP_BLOB struct romsim_blob *blob = NULL;
    struct romsim_parts *parts = context;
    struct romsim_error why = {0};

    if (S_ISDIR(entry->mode) && !entry->link)
        return 0;
    if (!S_ISREG(entry->mode) || entry->link || entry->target)
        return romsim_error_set(err, EUCLEAN, "'%s' is no regular file", QUOTE(entry->path));
    blob = data_of(entry, err);
    if (!blob)
        return -1;
    if (romsim_parts_add(parts, path, blob, &why) == 0)
        return 0;
    if (err)
        *err = why;
    return -1;
}

int romsim_parts_read(struct romsim_blob *archive, const char *name, struct romsim_parts *ret,
                      struct romsim_error *err)
{
    CLEANUP_BLOB struct romsim_blob *plain = image_decompress(archive, name, err);
    CLEANUP_PARTS struct romsim_parts parts = {0};
    enum image_form form;

    if (!plain)
        return -1;
    form = image_form_probe(romsim_blob_bytes(plain), romsim_blob_size(plain));
    if (form != FORM_TAR)
        return romsim_error_set(err, EINVAL, "'%s' is %s, not a tar archive", QUOTE(name),
                                image_form_name(form));
    if (tar_read(plain, name, take, &parts, err) < 0)
        return -1;
    *ret = parts;
    parts = (struct romsim_parts){0};
    return 0;
}
