/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * write_sink.c: where an image goes: from its first byte to its last, in large writes.
 *
 * The content's hash, from which the UUID is made, must not depend on whether a source had zeros or
 * a hole: it is over all blocks that are not zeros, each with its place.  It is a SHA-256 of the
 * blocks' XXH64 hashes: a UUID has to tell images apart, not to withstand anybody, and hashing all
 * data twice (the image's own SHA-256 is the other time) would be half of the work.
 *
 * Theory of operation.  There are two buffers.  While one is filled, a worker thread hashes and
 * writes the other.  The worker's struct belongs to the worker while it is busy, else to the
 * writer's thread; `busy` changes hands under the lock.  Images that fit into one buffer need no
 * thread: it is made when the first buffer is full.
 */
#include "sim/erofs/write.h"

#include <errno.h>
#include <pthread.h>
#include <romsim/checked.h>
#include <romsim/file.h>
#include <string.h>
#include <unistd.h>

enum { SINK_SIZE = 1 << 20 };

struct erofs_sink_worker {
    int fd;
    struct romsim_sha256 *content;    /* all blocks that are not zeros, with their places */
    uint8_t first[EROFS_WRITE_BLOCK]; /* block 0, kept for the superblock */
    uint8_t *buffer;                  /* what it is to write, and then the spare one */
    size_t fill;
    uint64_t position;
    int failed; /* the first write's that failed */
    struct romsim_error error;
    bool has_thread;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool busy, quit;
    struct erofs_block_sum sums[SINK_SIZE / EROFS_WRITE_BLOCK];
};

static int write_at(int fd, const uint8_t *data, size_t size, uint64_t offset,
                    struct romsim_error *err)
{
    int errnum = romsim_write_fully(fd, data, size, offset);

    return errnum == 0 ? 0 : romsim_error_write(err, errnum, fd, "write the image");
}

/* Writes a run of blocks, all but the image's block 0. */
static int put_run(int fd, const uint8_t *data, size_t size, uint64_t offset,
                   struct romsim_error *err)
{
    size_t skip = offset == 0 ? EROFS_WRITE_BLOCK : 0;

    if (size <= skip)
        return 0;
    return write_at(fd, data + skip, size - skip, offset + skip, err);
}

int erofs_put_blocks(int fd, const uint8_t *data, size_t size, uint64_t offset,
                     struct erofs_block_sum *ret, size_t *ret_count, struct romsim_error *err)
{
    size_t count = 0, run = 0;

    for (size_t at = 0; at < size; at += EROFS_WRITE_BLOCK) {
        if (!erofs_block_is_zero(data + at)) {
            ret[count++] = (struct erofs_block_sum){le64_make(offset + at),
                                                    le64_make(erofs_block_hash(data + at))};
            continue;
        }
        if (put_run(fd, data + run, at - run, offset + run, err) < 0)
            return -1;
        run = at + EROFS_WRITE_BLOCK;
    }
    *ret_count = count;
    return put_run(fd, data + run, size - run, offset + run, err);
}

static int put_buffer(struct erofs_sink_worker *worker)
{
    size_t count;

    if (worker->position == 0 && worker->fill > 0)
        memcpy(worker->first, worker->buffer, EROFS_WRITE_BLOCK);
    if (erofs_put_blocks(worker->fd, worker->buffer, worker->fill, worker->position, worker->sums,
                         &count, &worker->error) < 0)
        return -1;
    romsim_sha256_update(worker->content, worker->sums, count * sizeof(worker->sums[0]));
    return 0;
}

/* ---- the worker ------------------------------------------------------------------------- */

static void *work(void *context)
{
    struct erofs_sink_worker *worker = context;

    pthread_mutex_lock(&worker->lock);
    for (;;) {
        while (!worker->busy && !worker->quit)
            pthread_cond_wait(&worker->changed, &worker->lock);
        if (!worker->busy)
            break;
        pthread_mutex_unlock(&worker->lock);
        if (worker->failed == 0)
            worker->failed = put_buffer(worker);
        pthread_mutex_lock(&worker->lock);
        worker->busy = false;
        pthread_cond_signal(&worker->changed);
    }
    pthread_mutex_unlock(&worker->lock);
    return NULL;
}

/* Waits until the worker is idle; -1 if it failed. */
static int wait_for(struct erofs_sink_worker *worker, struct romsim_error *err)
{
    pthread_mutex_lock(&worker->lock);
    while (worker->busy)
        pthread_cond_wait(&worker->changed, &worker->lock);
    pthread_mutex_unlock(&worker->lock);
    if (worker->failed < 0 && err)
        *err = worker->error;
    return worker->failed;
}

static void hand_over(struct erofs_sink_worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    worker->busy = true;
    pthread_cond_signal(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
}

static void end_thread(struct erofs_sink_worker *worker)
{
    if (!worker->has_thread)
        return;
    pthread_mutex_lock(&worker->lock);
    worker->quit = true;
    pthread_cond_signal(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
    pthread_join(worker->thread, NULL);
    worker->has_thread = false;
}

static void worker_free(struct erofs_sink_worker *worker)
{
    if (!worker)
        return;
    end_thread(worker);
    pthread_mutex_destroy(&worker->lock);
    pthread_cond_destroy(&worker->changed);
    romsim_sha256_free(worker->content);
    free(worker->buffer);
    free(worker);
}

static struct erofs_sink_worker *worker_new(int fd)
{
    struct erofs_sink_worker *worker = calloc(1, sizeof(*worker));

    if (!worker)
        return NULL;
    pthread_mutex_init(&worker->lock, NULL);
    pthread_cond_init(&worker->changed, NULL);
    worker->fd = fd;
    worker->buffer = malloc(SINK_SIZE);
    worker->content = romsim_sha256_new();
    if (worker->buffer && worker->content)
        return worker;
    worker_free(worker);
    return NULL;
}

/* ---- the writer's side ------------------------------------------------------------------ */

int erofs_sink_init(struct erofs_sink *sink, int fd, struct romsim_error *err)
{
    *sink = (struct erofs_sink){.fd = fd, .size = SINK_SIZE};
    sink->buffer = malloc(SINK_SIZE);
    sink->worker = worker_new(fd);
    if (sink->buffer && sink->worker)
        return 0;
    erofs_sink_reset(sink);
    return romsim_error_nomem(err);
}

void erofs_sink_reset(struct erofs_sink *sink)
{
    worker_free(sink->worker);
    free(sink->buffer);
    sink->buffer = NULL;
    sink->worker = NULL;
}

/* Has the buffer, which ends at a block's end, written; the sink then has an empty one. */
static int flush(struct erofs_sink *sink, struct romsim_error *err)
{
    struct erofs_sink_worker *worker = sink->worker;
    uint8_t *spare;

    if (wait_for(worker, err) < 0)
        return -1;
    spare = worker->buffer;
    worker->buffer = sink->buffer;
    worker->fill = sink->fill;
    worker->position = sink->position;
    sink->buffer = spare;
    sink->position += sink->fill;
    sink->fill = 0;
    if (worker->fill == sink->size && !worker->has_thread)
        worker->has_thread = erofs_thread_start(&worker->thread, work, worker);
    if (worker->has_thread) {
        hand_over(worker);
        return 0;
    }
    worker->failed = put_buffer(worker);
    return wait_for(worker, err);
}

uint8_t *erofs_sink_room(struct erofs_sink *sink, size_t *ret_size)
{
    *ret_size = sink->size - sink->fill;
    return sink->buffer + sink->fill;
}

int erofs_sink_commit(struct erofs_sink *sink, size_t size, struct romsim_error *err)
{
    sink->fill += size;
    return sink->fill == sink->size ? flush(sink, err) : 0;
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

        if (size >= sink->size && sink->fill % EROFS_WRITE_BLOCK == 0) {
            if (skip_blocks(sink, &size, err) < 0)
                return -1;
            continue;
        }
        if (size >= sink->size)
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

int erofs_sink_settle(struct erofs_sink *sink, struct romsim_error *err)
{
    if (erofs_sink_align(sink, err) < 0 || flush(sink, err) < 0)
        return -1;
    return wait_for(sink->worker, err);
}

void erofs_sink_pass(struct erofs_sink *sink, const struct erofs_block_sum *sums, size_t count)
{
    romsim_sha256_update(sink->worker->content, sums, count * sizeof(sums[0]));
}

int erofs_sink_finish(struct erofs_sink *sink, uint8_t ret_hash[ROMSIM_SHA256_SIZE],
                      struct romsim_error *err)
{
    if (erofs_sink_settle(sink, err) < 0)
        return -1;
    if (ftruncate(sink->fd, (off_t)sink->position) < 0)
        return romsim_error_system(err, errno, "cannot set the image's size");
    romsim_sha256_final(sink->worker->content, ret_hash);
    return 0;
}

int erofs_sink_superblock(struct erofs_sink *sink, struct erofs_super_block *super,
                          struct romsim_error *err)
{
    uint8_t *place = sink->worker->first + EROFS_SUPER_OFFSET;

    super->checksum = le32_make(0);
    memcpy(place, super, sizeof(*super));
    super->checksum =
        le32_make(romsim_crc32c(UINT32_MAX, place, EROFS_WRITE_BLOCK - EROFS_SUPER_OFFSET));
    memcpy(place, super, sizeof(*super));
    return write_at(sink->fd, sink->worker->first, EROFS_WRITE_BLOCK, 0, err);
}
