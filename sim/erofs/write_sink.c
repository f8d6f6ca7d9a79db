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
#include <signal.h>
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
};

static int write_at(int fd, const uint8_t *data, size_t size, uint64_t offset,
                    struct romsim_error *err)
{
    int errnum = romsim_write_fully(fd, data, size, offset);

    return errnum == 0 ? 0 : romsim_error_write(err, errnum, fd, "write the image");
}

static bool block_is_zero(const uint8_t *block)
{
    return block[0] == 0 && memcmp(block, block + 1, EROFS_WRITE_BLOCK - 1) == 0;
}

/* ---- XXH64 (xxHash's doc/xxhash_spec.md), for whole blocks and the seed 0 ---------------- */

#define PRIME_1 UINT64_C(0x9E3779B185EBCA87)
#define PRIME_2 UINT64_C(0xC2B2AE3D27D4EB4F)
#define PRIME_3 UINT64_C(0x165667B19E3779F9)
#define PRIME_4 UINT64_C(0x85EBCA77C2B2AE63)

static uint64_t rotate_left(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static uint64_t xxh64_round(uint64_t lane, uint64_t input)
{
    return rotate_left(lane + input * PRIME_2, 31) * PRIME_1;
}

static uint64_t hash_block(const uint8_t *block)
{
    uint64_t lanes[4] = {PRIME_1 + PRIME_2, PRIME_2, 0, -PRIME_1};
    uint64_t hash;

    for (size_t at = 0; at < EROFS_WRITE_BLOCK; at += 32)
        for (size_t i = 0; i < 4; i++) {
            le64 word;

            memcpy(&word, block + at + i * 8, sizeof(word));
            lanes[i] = xxh64_round(lanes[i], le64_get(word));
        }
    hash = rotate_left(lanes[0], 1) + rotate_left(lanes[1], 7) + rotate_left(lanes[2], 12) +
           rotate_left(lanes[3], 18);
    for (size_t i = 0; i < 4; i++)
        hash = (hash ^ xxh64_round(0, lanes[i])) * PRIME_1 + PRIME_4;
    hash += EROFS_WRITE_BLOCK;
    hash = (hash ^ hash >> 33) * PRIME_2;
    hash = (hash ^ hash >> 29) * PRIME_3;
    return hash ^ hash >> 32;
}

static void hash_blocks(struct erofs_sink_worker *worker, const uint8_t *data, size_t size,
                        uint64_t offset)
{
    for (size_t at = 0; at < size; at += EROFS_WRITE_BLOCK) {
        const le64 entry[2] = {le64_make(offset + at), le64_make(hash_block(data + at))};

        romsim_sha256_update(worker->content, entry, sizeof(entry));
    }
}

/* Hashes and writes a run of blocks that are not zeros. */
static int put_run(struct erofs_sink_worker *worker, size_t start, size_t end)
{
    uint64_t offset = worker->position + start;
    size_t skip = 0;

    if (start == end)
        return 0;
    hash_blocks(worker, worker->buffer + start, end - start, offset);
    if (offset == 0) {
        memcpy(worker->first, worker->buffer, EROFS_WRITE_BLOCK);
        skip = EROFS_WRITE_BLOCK;
    }
    return write_at(worker->fd, worker->buffer + start + skip, end - start - skip, offset + skip,
                    &worker->error);
}

static int put_buffer(struct erofs_sink_worker *worker)
{
    size_t run = 0;

    for (size_t at = 0; at < worker->fill; at += EROFS_WRITE_BLOCK) {
        if (!block_is_zero(worker->buffer + at))
            continue;
        if (put_run(worker, run, at) < 0)
            return -1;
        run = at + EROFS_WRITE_BLOCK;
    }
    return put_run(worker, run, worker->fill);
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

/* Signals are for the threads that know of them. */
static void start_thread(struct erofs_sink_worker *worker)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    worker->has_thread = pthread_create(&worker->thread, NULL, work, worker) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
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
    *sink = (struct erofs_sink){.fd = fd};
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
    if (worker->fill == SINK_SIZE && !worker->has_thread)
        start_thread(worker);
    if (worker->has_thread) {
        hand_over(worker);
        return 0;
    }
    worker->failed = put_buffer(worker);
    return wait_for(worker, err);
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
    if (erofs_sink_align(sink, err) < 0 || flush(sink, err) < 0 || wait_for(sink->worker, err) < 0)
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
