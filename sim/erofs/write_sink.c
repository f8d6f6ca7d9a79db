/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * write_sink.c: where an image goes: from its first byte to its last, in large writes.
 *
 * The content's hash, from which the UUID is made, must not depend on whether a source had zeros or
 * a hole: it is over all blocks that are not zeros, each run of them with its place before it.
 */
#include "sim/erofs/write.h"

#include <errno.h>
#include <romsim/checked.h>
#include <string.h>
#include <unistd.h>

enum { SINK_SIZE = 1 << 20 };

int erofs_sink_init(struct erofs_sink *sink, int fd, struct romsim_error *err)
{
    *sink = (struct erofs_sink){.fd = fd, .hashed = UINT64_MAX};
    sink->buffer = malloc(SINK_SIZE);
    sink->content = romsim_sha256_new();
    if (sink->buffer && sink->content)
        return 0;
    erofs_sink_reset(sink);
    return romsim_error_nomem(err);
}

void erofs_sink_reset(struct erofs_sink *sink)
{
    free(sink->buffer);
    romsim_sha256_free(sink->content);
    sink->buffer = NULL;
    sink->content = NULL;
}

static int write_all(int fd, const uint8_t *data, size_t size, uint64_t offset,
                     struct romsim_error *err)
{
    while (size > 0) {
        ssize_t written = pwrite(fd, data, size, (off_t)offset);

        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return romsim_error_system(err, written < 0 ? errno : EIO, "cannot write the image");
        data += written;
        offset += (size_t)written;
        size -= (size_t)written;
    }
    return 0;
}

static bool block_is_zero(const uint8_t *block)
{
    return block[0] == 0 && memcmp(block, block + 1, EROFS_WRITE_BLOCK - 1) == 0;
}

static void hash_run(struct erofs_sink *sink, const uint8_t *data, size_t size, uint64_t offset)
{
    le64 place = le64_make(offset);

    if (offset != sink->hashed)
        romsim_sha256_update(sink->content, &place, sizeof(place));
    romsim_sha256_update(sink->content, data, size);
    sink->hashed = offset + size;
}

/* Hashes and writes a run of blocks that are not zeros. */
static int put_run(struct erofs_sink *sink, size_t start, size_t end, struct romsim_error *err)
{
    uint64_t offset = sink->position + start;
    size_t skip = 0;

    if (start == end)
        return 0;
    hash_run(sink, sink->buffer + start, end - start, offset);
    if (offset == 0) {
        memcpy(sink->first, sink->buffer, EROFS_WRITE_BLOCK);
        skip = EROFS_WRITE_BLOCK;
    }
    return write_all(sink->fd, sink->buffer + start + skip, end - start - skip, offset + skip, err);
}

/* Writes the buffer, which ends at a block's end, and empties it. */
static int flush(struct erofs_sink *sink, struct romsim_error *err)
{
    size_t run = 0;

    for (size_t at = 0; at < sink->fill; at += EROFS_WRITE_BLOCK) {
        if (!block_is_zero(sink->buffer + at))
            continue;
        if (put_run(sink, run, at, err) < 0)
            return -1;
        run = at + EROFS_WRITE_BLOCK;
    }
    if (put_run(sink, run, sink->fill, err) < 0)
        return -1;
    sink->position += sink->fill;
    sink->fill = 0;
    return 0;
}

uint8_t *erofs_sink_room(struct erofs_sink *sink, size_t *ret_size)
{
    *ret_size = SINK_SIZE - sink->fill;
    return sink->buffer + sink->fill;
}

int erofs_sink_commit(struct erofs_sink *sink, size_t size, struct romsim_error *err)
{
    sink->fill += size;
    return sink->fill == SINK_SIZE ? flush(sink, err) : 0;
}

int erofs_sink_append(struct erofs_sink *sink, const void *data, size_t size,
                      struct romsim_error *err)
{
    const uint8_t *bytes = data;

    while (size > 0) {
        size_t step;
        uint8_t *room = erofs_sink_room(sink, &step);

        step = (size_t)min_u64(step, size);
        memcpy(room, bytes, step);
        if (erofs_sink_commit(sink, step, err) < 0)
            return -1;
        bytes += step;
        size -= step;
    }
    return 0;
}

/* Many zeros at a block's start: moves on without writing them. */
static int skip_blocks(struct erofs_sink *sink, uint64_t *size, struct romsim_error *err)
{
    uint64_t skip = *size & ~(uint64_t)(EROFS_WRITE_BLOCK - 1);

    if (flush(sink, err) < 0)
        return -1;
    sink->position += skip;
    *size -= skip;
    return 0;
}

int erofs_sink_zeros(struct erofs_sink *sink, uint64_t size, struct romsim_error *err)
{
    while (size > 0) {
        size_t step;
        uint8_t *room = erofs_sink_room(sink, &step);

        if (size >= SINK_SIZE && sink->fill % EROFS_WRITE_BLOCK == 0) {
            if (skip_blocks(sink, &size, err) < 0)
                return -1;
            continue;
        }
        if (size >= SINK_SIZE)
            step = EROFS_WRITE_BLOCK - sink->fill % EROFS_WRITE_BLOCK;
        step = (size_t)min_u64(step, size);
        memset(room, 0, step);
        if (erofs_sink_commit(sink, step, err) < 0)
            return -1;
        size -= step;
    }
    return 0;
}

int erofs_sink_pad_to(struct erofs_sink *sink, uint64_t offset, struct romsim_error *err)
{
    uint64_t now = erofs_sink_offset(sink);

    if (now > offset)
        return romsim_error_set(err, EIO, "the image is %llu bytes long where %llu were laid out",
                                (unsigned long long)now, (unsigned long long)offset);
    return erofs_sink_zeros(sink, offset - now, err);
}

int erofs_sink_align(struct erofs_sink *sink, struct romsim_error *err)
{
    return erofs_sink_zeros(sink, -erofs_sink_offset(sink) % EROFS_WRITE_BLOCK, err);
}

int erofs_sink_finish(struct erofs_sink *sink, uint8_t ret_hash[ROMSIM_SHA256_SIZE],
                      struct romsim_error *err)
{
    if (erofs_sink_align(sink, err) < 0 || flush(sink, err) < 0)
        return -1;
    if (ftruncate(sink->fd, (off_t)sink->position) < 0)
        return romsim_error_system(err, errno, "cannot set the image's size");
    romsim_sha256_final(sink->content, ret_hash);
    return 0;
}

int erofs_sink_superblock(struct erofs_sink *sink, struct erofs_super_block *super,
                          struct romsim_error *err)
{
    uint8_t *place = sink->first + EROFS_SUPER_OFFSET;

    super->checksum = le32_make(0);
    memcpy(place, super, sizeof(*super));
    super->checksum =
        le32_make(romsim_crc32c(UINT32_MAX, place, EROFS_WRITE_BLOCK - EROFS_SUPER_OFFSET));
    memcpy(place, super, sizeof(*super));
    return write_all(sink->fd, sink->first, sizeof(sink->first), 0, err);
}
