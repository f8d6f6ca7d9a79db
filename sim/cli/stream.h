/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stream.h: an output whose reader may stand still, as a pager does that waits for a key.
 *
 * What is added is held, and written as far as the descriptor takes it without waiting.  The
 * descriptor is not made non-blocking, since other programs share it.
 */
#ifndef ROMSIM_CLI_STREAM_H
#define ROMSIM_CLI_STREAM_H

#include <romsim/buffer.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stream {
    int fd;
    int problem;  /* the errno of a write that failed */
    bool is_over; /* nothing more is written */
    size_t lost;  /* bytes that were not written for that reason */
    struct romsim_buffer held;
    size_t done;          /* of those held */
    uint64_t still_since; /* stream_clock() when the last of them went, or the first came */
};

/* Milliseconds of the monotonic clock. */
uint64_t stream_clock(void);

void stream_init(struct stream *stream, int fd);

/* Adds bytes, and writes what goes. */
void stream_add(struct stream *stream, const char *bytes, size_t size);

/* Writes what goes. */
void stream_flush(struct stream *stream);

/* How many bytes are held. */
size_t stream_held(const struct stream *stream);

/* Drops what is held and all that comes. */
void stream_end(struct stream *stream);

#endif
