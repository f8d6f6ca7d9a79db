/* SPDX-License-Identifier: BSD-3-Clause */
/* decompress.h: gzip, xz, zstd and lz4 streams to plain blobs. */
#ifndef ROMSIM_IMAGE_DECOMPRESS_H
#define ROMSIM_IMAGE_DECOMPRESS_H

#include <romsim/blob.h>

/*
 * Returns the plain bytes of `blob`: itself, with one more reference, if it is not compressed,
 * else an unlinked scratch file with holes where the stream has zeros.  A stream that grows beyond
 * reason is refused (EFBIG): more than the bound unpack-bytes and DECOMPRESS_RATIO times its
 * size, which keeps a bomb within seconds.
 * `name` is for messages.
 */
enum { DECOMPRESS_RATIO = 64 };
struct romsim_blob *image_decompress(struct romsim_blob *blob, const char *name,
                                     struct romsim_error *err);

#endif
