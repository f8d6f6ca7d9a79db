/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stream.c: replies that are written bit by bit.
 *
 * Who writes a stream is in another thread than the one that sends it, and faster or slower: what
 * is written waits here.  While nothing does, the connection is suspended.  A client that is gone
 * is noticed only by sending, so a stream that is quiet gets something that means nothing.
 *
 * Nor may the kernel keep much for a client that takes little: its buffers grow to megabytes, and
 * it says that there is room again when a third of them is.  Who takes 10 KB a second would be
 * taken for gone by then.
 */
#include "server.h"

#include <romsim/buffer.h>
#include <romsim/clock.h>

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum {
    SENDING = 128 << 10, /* in the kernel's hands, which doubles it */
    BLOCK = 16 << 10,
    WAITING_MAX = 1 << 20, /* behind which no more is taken, unless it is the first */
    PIECE_MAX = 64 << 20,
    ENDING_US = 2 * 1000000, /* for what is written when the server ends */
    QUIET_US = 10 * 1000000, /* clients wait 30 s for a header (cloud-api §1.1) */
};

struct api_stream {
    struct api_stream *previous, *next; /* by the server's lock */
    struct exchange *exchange;
    struct api *api;
    const char *blank; /* means nothing in this type */
    atomic_int references;

    pthread_mutex_t lock; /* of what follows */
    struct romsim_buffer waiting;
    size_t sent; /* of it */
    uint64_t written_us;
    bool is_suspended, has_ended, is_lost;
};

/* ---- their life --------------------------------------------------------------------------------
 */

static void enter(struct api_stream *stream)
{
    struct api *api = stream->api;

    pthread_mutex_lock(&api->lock);
    stream->next = api->streams;
    if (stream->next)
        stream->next->previous = stream;
    api->streams = stream;
    pthread_mutex_unlock(&api->lock);
}

static void leave(struct api_stream *stream)
{
    struct api *api = stream->api;

    pthread_mutex_lock(&api->lock);
    if (stream->previous)
        stream->previous->next = stream->next;
    else
        api->streams = stream->next;
    if (stream->next)
        stream->next->previous = stream->previous;
    pthread_mutex_unlock(&api->lock);
}

static void unref(struct api_stream *stream)
{
    struct exchange *exchange = stream->exchange;

    if (atomic_fetch_sub(&stream->references, 1) > 1)
        return;
    leave(stream);
    romsim_buffer_reset(&stream->waiting);
    pthread_mutex_destroy(&stream->lock);
    free(stream);
    exchange_unref(exchange);
}

/* The lock is held. */
static void wake(struct api_stream *stream)
{
    if (!stream->is_suspended)
        return;
    stream->is_suspended = false;
    MHD_resume_connection(stream->exchange->connection);
}

/* ---- the sender's side -------------------------------------------------------------------------
 */

/* The lock is held. */
static ssize_t take_waiting(struct api_stream *stream, char *bytes, size_t size)
{
    struct romsim_buffer *waiting = &stream->waiting;
    size_t left = waiting->size - stream->sent, taken = left < size ? left : size;

    memcpy(bytes, waiting->data + stream->sent, taken);
    stream->sent += taken;
    if (stream->sent == waiting->size) {
        romsim_buffer_reset(waiting);
        stream->sent = 0;
    }
    return (ssize_t)taken;
}

static void bound_socket(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    const int size = SENDING;

    if (info)
        setsockopt(info->connect_fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

/* An MHD_ContentReaderCallback. */
static ssize_t on_read(void *context, uint64_t offset, char *bytes, size_t size)
{
    struct api_stream *stream = context;
    ssize_t taken = 0;

    if (offset == 0)
        bound_socket(stream->exchange->connection);
    pthread_mutex_lock(&stream->lock);
    if (stream->waiting.size > stream->sent) {
        taken = take_waiting(stream, bytes, size);
    } else if (stream->has_ended) {
        taken = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        stream->is_suspended = true;
        MHD_suspend_connection(stream->exchange->connection);
    }
    pthread_mutex_unlock(&stream->lock);
    return taken;
}

/* An MHD_ContentReaderFreeCallback. */
static void on_forgotten(void *context)
{
    struct api_stream *stream = context;

    pthread_mutex_lock(&stream->lock);
    stream->is_lost = true;
    romsim_buffer_reset(&stream->waiting);
    stream->sent = 0;
    pthread_mutex_unlock(&stream->lock);
    unref(stream);
}

/* ---- the writer's side -------------------------------------------------------------------------
 */

struct api_stream *api_reply_stream(struct api_request *request, const char *type)
{
    struct exchange *exchange = exchange_of(request);
    struct api_stream *stream = calloc(1, sizeof(*stream));
    struct MHD_Response *response =
        stream ? MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, on_read, stream,
                                                   on_forgotten)
               : NULL;

    if (!response) {
        free(stream);
        reply_failure(request, 503, ROMSIM_CLOUD_FAILED_OPERATION, "out of memory");
        return NULL;
    }
    atomic_store(&stream->references, 2);
    atomic_fetch_add(&exchange->references, 1);
    pthread_mutex_init(&stream->lock, NULL);
    stream->exchange = exchange;
    stream->api = request->api;
    stream->blank = strncmp(type, "text/event-stream", 17) == 0 ? ":\n\n" : " ";
    stream->waiting = ROMSIM_BUFFER_INIT(PIECE_MAX);
    stream->written_us = romsim_clock_us();
    enter(stream);
    reply_send(exchange, 200, type, response);
    return stream;
}

/* Forgets what is sent, before more is kept.  The lock is held. */
static void compact(struct api_stream *stream)
{
    struct romsim_buffer *waiting = &stream->waiting;

    if (stream->sent == 0)
        return;
    waiting->size -= stream->sent;
    memmove(waiting->data, waiting->data + stream->sent, waiting->size + 1);
    stream->sent = 0;
}

int api_stream_write(struct api_stream *stream, const void *bytes, size_t size)
{
    int status = -1;

    pthread_mutex_lock(&stream->lock);
    if (!stream->is_lost && !stream->has_ended &&
        stream->waiting.size - stream->sent < WAITING_MAX) {
        compact(stream);
        status = romsim_buffer_append(&stream->waiting, bytes, size);
        stream->written_us = romsim_clock_us();
        wake(stream);
    }
    pthread_mutex_unlock(&stream->lock);
    return status;
}

size_t api_stream_waiting(struct api_stream *stream)
{
    size_t waiting;

    pthread_mutex_lock(&stream->lock);
    waiting = stream->is_lost ? SIZE_MAX : stream->waiting.size - stream->sent;
    pthread_mutex_unlock(&stream->lock);
    return waiting;
}

/* The lock is held. */
static void end(struct api_stream *stream)
{
    stream->has_ended = true;
    wake(stream);
}

void api_stream_end(struct api_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    end(stream);
    pthread_mutex_unlock(&stream->lock);
    unref(stream);
}

/* ---- all of them -------------------------------------------------------------------------------
 */

/* The stream is suspended, so that its connection is open. */
static bool may_be_gone(const struct api_stream *stream)
{
    const struct visitor *visitor = stream->exchange->visitor;

    return visitor && visitor_has_finished(visitor);
}

void streams_tick(struct api *api)
{
    uint64_t now = romsim_clock_us();

    pthread_mutex_lock(&api->lock);
    for (struct api_stream *stream = api->streams; stream; stream = stream->next) {
        pthread_mutex_lock(&stream->lock);
        if (!stream->has_ended && stream->is_suspended &&
            (now - stream->written_us >= QUIET_US || may_be_gone(stream))) {
            romsim_buffer_puts(&stream->waiting, stream->blank);
            stream->written_us = now;
            wake(stream);
        }
        pthread_mutex_unlock(&stream->lock);
    }
    pthread_mutex_unlock(&api->lock);
}

/* Ends all, and says whether one has something left to send. */
static bool end_all(struct api *api)
{
    bool is_left = false;

    pthread_mutex_lock(&api->lock);
    for (struct api_stream *stream = api->streams; stream; stream = stream->next) {
        pthread_mutex_lock(&stream->lock);
        end(stream);
        is_left |= !stream->is_lost;
        pthread_mutex_unlock(&stream->lock);
    }
    pthread_mutex_unlock(&api->lock);
    return is_left;
}

void streams_end(struct api *api)
{
    const struct timespec pause = {.tv_nsec = 5 * 1000000};
    uint64_t end_us = romsim_clock_us() + ENDING_US;

    while (end_all(api) && romsim_clock_us() < end_us)
        nanosleep(&pause, NULL);
}
