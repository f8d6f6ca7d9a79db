/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * write_data.c: data whose place in the image is known, by as many threads as there are processors.
 *
 * Theory of operation.  The data blocks are cut into units, in the image's order: some small nodes,
 * or a piece of a large one.  A thread takes the next unit under the lock, and then reads, hashes
 * and writes it on its own.  The hashes it hands in under the lock; they are passed on unit by unit
 * in the image's order, whoever was first.  So the bytes of the image, the content's hash and the
 * first error do not depend on the threads.  No more than SLOTS units are under way: a thread that
 * is far ahead waits.
 */
#include "sim/erofs/write.h"

#include <errno.h>
#include <romsim/checked.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

enum { UNIT_BLOCKS = 128, UNIT = UNIT_BLOCKS * EROFS_WRITE_BLOCK, SLOTS = 16 };

struct unit {
    uint64_t number;
    size_t node, node_end;
    uint64_t first, end; /* of the blocks, if it is one node's */
};

struct result {
    struct unit unit;
    bool ready, failed;
    struct romsim_error error;
    struct erofs_block_sum *sums;
    size_t count;
};

struct crew {
    struct erofs_writer *writer;
    pthread_mutex_t lock;
    pthread_cond_t passed; /* `done` or `failed` */
    size_t node;           /* where the next unit begins, and the block of that node */
    uint64_t block;
    uint64_t taken, done; /* units */
    struct result results[SLOTS];
    bool failed;
    struct romsim_error error;
};

bool erofs_thread_start(pthread_t *ret, void *(*work)(void *), void *context)
{
    sigset_t all, before;
    bool started;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    started = pthread_create(ret, NULL, work, context) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

/* ---- a unit ----------------------------------------------------------------------------- */

static uint64_t blocks_left(const struct erofs_node *node)
{
    return node->written ? 0 : erofs_node_blocks(node);
}

/* Puts some blocks of a node's data into the part, and zeros up to the last one's end. */
static int put_node(const struct erofs_writer *writer, const struct erofs_node *node,
                    uint64_t first, uint64_t end, struct erofs_sink *part, struct romsim_error *err)
{
    uint64_t from = first * EROFS_WRITE_BLOCK;
    uint64_t to = min_u64(end * EROFS_WRITE_BLOCK, node->size);
    size_t room;
    uint8_t *place = erofs_sink_room(part, &room);
    int result = 0;

    switch (node->inode->mode & S_IFMT) {
    case S_IFREG:
        result = romsim_inode_read(node->inode, from, place, to - from, err);
        part->fill += to - from;
        break;
    case S_IFDIR:
        result = erofs_directory_put(writer, part, node, first, end, err);
        break;
    default: /* a link's target */
        memcpy(place, node->inode->target + from, to - from);
        part->fill += to - from;
        break;
    }
    place = part->buffer + part->fill;
    memset(place, 0, -part->fill % EROFS_WRITE_BLOCK);
    part->fill += -part->fill % EROFS_WRITE_BLOCK;
    return result;
}

/* Fills the part with the unit's blocks. */
static int fill(const struct erofs_writer *writer, const struct unit *unit, struct erofs_sink *part,
                struct romsim_error *err)
{
    const struct erofs_node *nodes = writer->nodes;

    part->position = (nodes[unit->node].start + unit->first) << EROFS_WRITE_BLKSZBITS;
    part->fill = 0;
    if (unit->node + 1 == unit->node_end)
        return put_node(writer, &nodes[unit->node], unit->first, unit->end, part, err);
    for (size_t i = unit->node; i < unit->node_end; i++) {
        uint64_t blocks = blocks_left(&nodes[i]);

        if (blocks > 0 && put_node(writer, &nodes[i], 0, blocks, part, err) < 0)
            return -1;
    }
    return 0;
}

/* Only a directory of very many names is larger than a unit: its blocks are made one after the
 * other.  A block more, so that the part is never full, which would have it written. */
static int make_room(struct erofs_sink *part, uint64_t blocks, struct romsim_error *err)
{
    size_t size = (blocks + 1) * EROFS_WRITE_BLOCK;
    uint8_t *buffer;

    if (size <= part->size)
        return 0;
    buffer = realloc(part->buffer, size);
    if (!buffer)
        return romsim_error_nomem(err);
    part->buffer = buffer;
    part->size = size;
    return 0;
}

static int carry_out(const struct erofs_writer *writer, struct result *result,
                     struct erofs_sink *part, struct romsim_error *err)
{
    uint64_t blocks = max_u64(result->unit.end - result->unit.first, UNIT_BLOCKS);

    result->sums = malloc(blocks * sizeof(*result->sums));
    if (!result->sums)
        return romsim_error_nomem(err);
    if (make_room(part, blocks, err) < 0 || fill(writer, &result->unit, part, err) < 0)
        return -1;
    return erofs_put_blocks(writer->sink.fd, part->buffer, part->fill, part->position, result->sums,
                            &result->count, err);
}

/* ---- units ------------------------------------------------------------------------------ */

/* Moves on to a node with blocks, and in a large file to a piece that is not a hole of it. */
static bool find_unit(struct crew *crew)
{
    const struct erofs_writer *writer = crew->writer;

    for (; crew->node < writer->count; crew->node++, crew->block = 0) {
        const struct erofs_node *node = &writer->nodes[crew->node];
        uint64_t blocks = blocks_left(node), hole;

        if (crew->block == blocks)
            continue;
        if (blocks <= UNIT_BLOCKS || !S_ISREG(node->inode->mode))
            return true;
        hole = romsim_inode_hole(node->inode, crew->block * EROFS_WRITE_BLOCK);
        if (crew->block * EROFS_WRITE_BLOCK + hole >= blocks * EROFS_WRITE_BLOCK ||
            crew->block * EROFS_WRITE_BLOCK + hole >= node->inode->size)
            continue;
        crew->block += hole / UNIT * UNIT_BLOCKS;
        return true;
    }
    return false;
}

static void cut_unit(struct crew *crew, struct unit *ret)
{
    const struct erofs_node *nodes = crew->writer->nodes;
    uint64_t blocks = blocks_left(&nodes[crew->node]);

    *ret = (struct unit){.number = crew->taken++,
                         .node = crew->node,
                         .node_end = crew->node + 1,
                         .first = crew->block,
                         .end = blocks};
    if (blocks > UNIT_BLOCKS && S_ISREG(nodes[crew->node].inode->mode))
        ret->end = min_u64(crew->block + UNIT_BLOCKS, blocks);
    crew->block = ret->end;
    if (ret->end < blocks)
        return;
    for (crew->node++, crew->block = 0; crew->node < crew->writer->count; crew->node++) {
        blocks += blocks_left(&nodes[crew->node]);
        if (blocks > UNIT_BLOCKS)
            break;
        ret->node_end = crew->node + 1;
    }
}

/* The next unit; false when there is none, or something failed. */
static bool take_unit(struct crew *crew, struct unit *ret)
{
    bool found;

    pthread_mutex_lock(&crew->lock);
    while (!crew->failed && crew->taken == crew->done + SLOTS)
        pthread_cond_wait(&crew->passed, &crew->lock);
    found = !crew->failed && find_unit(crew);
    if (found)
        cut_unit(crew, ret);
    pthread_mutex_unlock(&crew->lock);
    return found;
}

/* ---- results ---------------------------------------------------------------------------- */

/* Keeps what was read of regular files. */
static int keep_sums(const struct erofs_writer *writer, const struct result *result,
                     struct romsim_error *err)
{
    size_t at = result->unit.node;

    if (!writer->options.sums)
        return 0;
    for (size_t i = 0; i < result->count; i++) {
        uint64_t block = le64_get(result->sums[i].offset) >> EROFS_WRITE_BLKSZBITS;

        while (block >= writer->nodes[at].start + blocks_left(&writer->nodes[at]))
            at++;
        if (S_ISREG(writer->nodes[at].inode->mode) &&
            erofs_sums_add(writer->options.sums, at, block - writer->nodes[at].start,
                           le64_get(result->sums[i].hash), err) < 0)
            return -1;
    }
    return 0;
}

/* The next result in the image's order.  What comes behind a failed one does not count. */
static void pass_on(struct crew *crew, struct result *result)
{
    if (!crew->failed && result->failed) {
        crew->failed = true;
        crew->error = result->error;
    }
    if (!crew->failed) {
        erofs_sink_pass(&crew->writer->sink, result->sums, result->count);
        crew->failed = keep_sums(crew->writer, result, &crew->error) < 0;
    }
    free(result->sums);
    *result = (struct result){0};
    crew->done++;
}

static void hand_in(struct crew *crew, const struct result *result)
{
    pthread_mutex_lock(&crew->lock);
    crew->results[result->unit.number % SLOTS] = *result;
    crew->results[result->unit.number % SLOTS].ready = true;
    while (crew->results[crew->done % SLOTS].ready)
        pass_on(crew, &crew->results[crew->done % SLOTS]);
    pthread_cond_broadcast(&crew->passed);
    pthread_mutex_unlock(&crew->lock);
}

static void *work(void *context)
{
    struct crew *crew = context;
    struct erofs_sink part = {.fd = -1};
    struct unit unit;

    while (take_unit(crew, &unit)) {
        struct result result = {.unit = unit};

        result.failed = carry_out(crew->writer, &result, &part, &result.error) < 0;
        hand_in(crew, &result);
    }
    free(part.buffer);
    return NULL;
}

/* ---- all of it -------------------------------------------------------------------------- */

unsigned erofs_count_threads(const struct erofs_writer *writer, uint64_t units)
{
    unsigned count = writer->options.threads;
    cpu_set_t processors;

    if (count == 0)
        count = sched_getaffinity(0, sizeof(processors), &processors) == 0
                    ? (unsigned)CPU_COUNT(&processors)
                    : 1;
    return (unsigned)min_u64(min_u64(count, EROFS_THREADS_MAX), 1 + units);
}

/* Where the data begins and ends. */
static void find_data(const struct erofs_writer *writer, uint64_t *ret_start, uint64_t *ret_end)
{
    *ret_start = *ret_end = 0;
    for (size_t i = 0; i < writer->count; i++) {
        uint64_t blocks = blocks_left(&writer->nodes[i]);

        if (blocks == 0)
            continue;
        if (*ret_end == 0)
            *ret_start = writer->nodes[i].start;
        *ret_end = writer->nodes[i].start + blocks;
    }
}

static int run(struct crew *crew, uint64_t blocks, struct romsim_error *err)
{
    unsigned count = erofs_count_threads(crew->writer, blocks / UNIT_BLOCKS), started = 0;
    pthread_t threads[EROFS_THREADS_MAX];

    while (started + 1 < count && erofs_thread_start(&threads[started], work, crew))
        started++;
    work(crew);
    while (started > 0)
        pthread_join(threads[--started], NULL);
    if (crew->failed && err)
        *err = crew->error;
    return crew->failed ? -1 : 0;
}

int erofs_writer_put_data(struct erofs_writer *writer, struct romsim_error *err)
{
    struct crew crew = {.writer = writer};
    uint64_t start, end;
    int result;

    find_data(writer, &start, &end);
    if (end == 0)
        return 0;
    if (erofs_sink_pad_to(&writer->sink, start << EROFS_WRITE_BLKSZBITS, err) < 0 ||
        erofs_sink_settle(&writer->sink, err) < 0)
        return -1;
    pthread_mutex_init(&crew.lock, NULL);
    pthread_cond_init(&crew.passed, NULL);
    result = run(&crew, end - start, err);
    pthread_mutex_destroy(&crew.lock);
    pthread_cond_destroy(&crew.passed);
    writer->sink.position = end << EROFS_WRITE_BLKSZBITS;
    return result;
}
