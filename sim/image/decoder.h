/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * decoder.h: gzip, xz, zstd and lz4 streams, read piece by piece, by the formats' own libraries.
 *
 * Several streams (members, frames) of one form one after the other are one; what follows the last
 * of them is not looked at, decoder_position() tells where it is.  The memory that a stream asks
 * for is bounded: 68 MiB (unpack-memory), which is what `xz -9` needs, and four times the input's
 * size.
 */
#ifndef ROMSIM_IMAGE_DECODER_H
#define ROMSIM_IMAGE_DECODER_H

#include "sim/image/probe.h"

#include <romsim/cleanup.h>
#include <romsim/error.h>

struct decoder;

/* A decoder of `size` bytes, which have to stay; `form` is what they are. */
struct decoder *decoder_new(enum image_form form, const uint8_t *bytes, uint64_t size,
                            struct romsim_error *err);
void decoder_free(struct decoder *decoder);

DEFINE_CLEANUP(struct decoder, decoder_free)
#define CLEANUP_DECODER CLEANUP(cleanup_decoder_free)

/* Decodes up to `room` bytes.  Returns 1 and *ret_size > 0, 0 at the end, or -1 (EUCLEAN). */
int decoder_read(struct decoder *decoder, uint8_t *out, size_t room, size_t *ret_size,
                 struct romsim_error *err);

/* How much of the input has been read. */
uint64_t decoder_position(const struct decoder *decoder);

#endif
