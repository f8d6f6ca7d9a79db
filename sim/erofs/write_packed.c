/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * write_packed.c: the regular files' data of an image that is compressed, by as many threads as
 * there are processors.
 *
 * Theory of operation.  Where a file's blocks stand depends on how much the files before it took,
 * and how a file is cut into extents does not.  So each thread takes the next file and compresses
 * it for itself; what has become of it is put into the image in the files' order, by whichever
 * thread finds it there.  A large file is put there while it is compressed, once it is its turn:
 * the threads with the files behind it go on meanwhile, until they are too far ahead.  The bytes of
 * the image and the first error do not depend on the threads.
 */
#include "sim/erofs/write.h"

#include <errno.h>
#include <romsim/checked.h>
#include <string.h>
#include <sys/stat.h>

enum { SLOTS = 256, KEPT_MAX = 8 << 20 };

struct result {
    struct erofs_node *node;
    bool ready, failed;
    struct erofs_packed packed;
    struct romsim_error error;
};

struct crew {
    struct erofs_writer *writer;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* anything of the following */
    size_t node;            /* the next one to be looked at */
    uint64_t taken, done;   /* files */
    uint64_t kept;          /* bytes that wait for their turn */
    struct result results[SLOTS];
    bool passes; /* somebody puts results into the image */
    bool failed;
    struct romsim_error error;
};

/* A file that a thread has taken. */
struct job {
    struct crew *crew;
    uint64_t number;
    struct erofs_node *node;
};

/* ---- results ---------------------------------------------------------------------------- */

static void packed_release(struct erofs_packed *packed)
{
    free(packed->bytes);
    free(packed->index);
    erofs_sum_list_reset(&packed->sums.list);
    *packed = (struct erofs_packed){0};
}

static int keep_sums(struct romsim_erofs_sums *all, const struct erofs_sum_list *sums,
                     struct romsim_error *err)
{
    for (size_t i = 0; all && i < sums->count; i++)
        if (erofs_sum_list_append(&all->list, sums->items[i]) < 0)
            return romsim_error_nomem(err);
    return 0;
}

/* Puts a file into the image, whose turn it is. */
static int put(struct erofs_writer *writer, struct erofs_node *node, struct erofs_packed *packed,
               struct romsim_error *err)
{
    uint64_t block = erofs_sink_offset(&writer->sink) >> EROFS_WRITE_BLKSZBITS;

    node->written = true;
    if (packed->index) {
        if (!packed->is_written && erofs_check_block(block + packed->index->blocks, err) < 0)
            return -1;
        if (!packed->is_written)
            erofs_index_move(packed->index, node->size, block);
        node->index = STEAL_POINTER(&packed->index);
        node->layout = ROMSIM_EROFS_COMPRESSED_FULL;
    } else {
        node->start = block;
    }
    if (keep_sums(writer->options.sums, &packed->sums.list, err) < 0)
        return -1;
    if (!packed->bytes && !packed->is_written)
        return erofs_put_flat(writer, node, err);
    return erofs_sink_append(&writer->sink, packed->bytes, packed->size, err);
}

/* The next result in the files' order, without the lock.  What comes behind a failed one does not
 * count. */
static int pass_on(struct crew *crew, struct result *result, struct romsim_error *err)
{
    int status = result->failed ? -1 : put(crew->writer, result->node, &result->packed, err);

    if (result->failed)
        *err = result->error;
    return status;
}

static void hand_in(struct job *job, const struct result *result)
{
    struct crew *crew = job->crew;
    struct result *next;

    pthread_mutex_lock(&crew->lock);
    crew->results[job->number % SLOTS] = *result;
    crew->results[job->number % SLOTS].ready = true;
    crew->kept += result->packed.size;
    while (!crew->passes && (next = &crew->results[crew->done % SLOTS])->ready) {
        struct romsim_error error = {0};
        int status = 0;

        crew->passes = true;
        if (!crew->failed) {
            pthread_mutex_unlock(&crew->lock);
            status = pass_on(crew, next, &error);
            pthread_mutex_lock(&crew->lock);
        }
        if (status < 0) {
            crew->failed = true;
            crew->error = error;
        }
        crew->kept -= next->packed.size;
        packed_release(&next->packed);
        *next = (struct result){0};
        crew->done++;
        crew->passes = false;
        pthread_cond_broadcast(&crew->changed);
    }
    pthread_mutex_unlock(&crew->lock);
}

/* ---- files ------------------------------------------------------------------------------ */

/* The next file; false when there is none, or something failed. */
static bool take(struct crew *crew, struct job *ret)
{
    const struct erofs_writer *writer = crew->writer;
    bool found;

    pthread_mutex_lock(&crew->lock);
    while (!crew->failed && (crew->taken == crew->done + SLOTS || crew->kept > KEPT_MAX))
        pthread_cond_wait(&crew->changed, &crew->lock);
    while (crew->node < writer->count && !S_ISREG(writer->nodes[crew->node].inode->mode))
        crew->node++;
    found = !crew->failed && crew->node < writer->count;
    if (found)
        *ret = (struct job){crew, crew->taken++, &writer->nodes[crew->node++]};
    pthread_mutex_unlock(&crew->lock);
    return found;
}

/* Until it is this file's turn: then the sink is its thread's, up to hand_in(). */
static int await_turn(void *context)
{
    const struct job *job = context;
    struct crew *crew = job->crew;
    bool failed;

    pthread_mutex_lock(&crew->lock);
    while (!crew->failed && crew->done != job->number)
        pthread_cond_wait(&crew->changed, &crew->lock);
    failed = crew->failed;
    pthread_mutex_unlock(&crew->lock);
    return failed ? -1 : 0;
}

static void carry_out(struct job *job, struct erofs_compressor *compressor)
{
    struct erofs_writer *writer = job->crew->writer;
    const struct erofs_place place = {&writer->sink, await_turn, job};
    struct result result = {.node = job->node};

    result.failed = erofs_compress_file(compressor, writer, job->node, &place, &result.packed,
                                        &result.error) < 0;
    hand_in(job, &result);
}

/* A compressor is 6 MB: the caller's thread has one in any case, others do without work if there is
 * no memory for theirs. */
static void *work(void *context)
{
    struct crew *crew = context;
    struct erofs_compressor *compressor = NULL;
    struct job job;

    if (erofs_compressor_new(crew->writer->options.compress, &compressor, NULL) < 0)
        return NULL;
    while (take(crew, &job))
        carry_out(&job, compressor);
    erofs_compressor_free(compressor);
    return NULL;
}

static void work_together(struct crew *crew, struct erofs_compressor *compressor)
{
    unsigned count = erofs_count_threads(crew->writer, crew->writer->count), started = 0;
    pthread_t threads[EROFS_THREADS_MAX];
    struct job job;

    while (started + 1 < count && erofs_thread_start(&threads[started], work, crew))
        started++;
    while (take(crew, &job))
        carry_out(&job, compressor);
    while (started > 0)
        pthread_join(threads[--started], NULL);
}

int erofs_writer_put_compressed(struct erofs_writer *writer, struct romsim_error *err)
{
    struct crew crew = {.writer = writer};
    struct erofs_compressor *compressor = NULL;

    if (erofs_compressor_new(writer->options.compress, &compressor, err) < 0)
        return -1;
    if (erofs_sink_pad_to(&writer->sink, EROFS_WRITE_BLOCK, err) < 0) {
        erofs_compressor_free(compressor);
        return -1;
    }
    pthread_mutex_init(&crew.lock, NULL);
    pthread_cond_init(&crew.changed, NULL);
    work_together(&crew, compressor);
    pthread_mutex_destroy(&crew.lock);
    pthread_cond_destroy(&crew.changed);
    erofs_compressor_free(compressor);
    if (crew.failed && err)
        *err = crew.error;
    return crew.failed ? -1 : 0;
}
