/* SPDX-License-Identifier: BSD-3-Clause */
/* stream.c: an output whose reader may stand still. */
#include "stream.h"

#include <romsim/checked.h>
#include <romsim/clock.h>

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { HELD_MAX = 64 << 20 };

uint64_t stream_clock(void)
{
    return romsim_clock_us() / 1000;
}

void stream_init(struct stream *stream, int fd)
{
    *stream = (struct stream){.fd = fd, .held = ROMSIM_BUFFER_INIT(HELD_MAX)};
}

size_t stream_held(const struct stream *stream)
{
    return stream->held.size - stream->done;
}

void stream_end(struct stream *stream)
{
    stream->is_over = true;
    stream->lost += stream_held(stream);
    romsim_buffer_reset(&stream->held);
    stream->done = 0;
}

static bool is_ready(int fd)
{
    struct pollfd ready = {fd, POLLOUT, 0};

    return poll(&ready, 1, 0) > 0;
}

/* Writes a piece that a pipe takes whole or not at all: one for which poll() says that there is
 * room does not wait then.  (A terminal may, and is interrupted by signals.)  Returns how much
 * went. */
static size_t write_piece(struct stream *stream, const char *bytes, size_t size)
{
    ssize_t written = is_ready(stream->fd) ? write(stream->fd, bytes, min_u64(size, PIPE_BUF)) : 0;

    if (written >= 0)
        return (size_t)written;
    if (errno != EINTR && errno != EAGAIN)
        stream->problem = errno;
    return 0;
}

/* Forgets what is done, once that is worth a move. */
static void compact(struct stream *stream)
{
    struct romsim_buffer *held = &stream->held;

    if (stream->done == held->size) {
        romsim_buffer_reset(held);
        stream->done = 0;
    } else if (stream->done > held->size / 2) {
        held->size -= stream->done;
        memmove(held->data, held->data + stream->done, held->size + 1);
        stream->done = 0;
    }
}

void stream_flush(struct stream *stream)
{
    size_t size;

    while (stream_held(stream) > 0 && (size = write_piece(stream, stream->held.data + stream->done,
                                                          stream_held(stream))) > 0) {
        stream->done += size;
        stream->still_since = stream_clock();
    }
    if (stream->problem)
        stream_end(stream);
    else
        compact(stream);
}

void stream_add(struct stream *stream, const char *bytes, size_t size)
{
    if (stream->is_over) {
        stream->lost += size;
        return;
    }
    if (stream_held(stream) == 0)
        stream->still_since = stream_clock();
    if (romsim_buffer_append(&stream->held, bytes, size) < 0)
        stream_end(stream);
    else
        stream_flush(stream);
}
