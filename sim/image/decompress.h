/* SPDX-License-Identifier: BSD-3-Clause */
/* decompress.h: gzip, xz, zstd and lz4 streams to plain bytes. */
#ifndef ROMSIM_IMAGE_DECOMPRESS_H
#define ROMSIM_IMAGE_DECOMPRESS_H

#include "sim/image/probe.h"

#include <romsim/blob.h>

/* What a blob is, or what it would be decompressed; FORM_EMPTY if that fails at once. */
enum image_form image_form_inside(const struct romsim_blob *blob);

/*
 * Returns the plain bytes of `blob`: itself, with one more reference, if it is not compressed,
 * else an unlinked scratch file with holes where the stream has zeros.  A stream that grows beyond
 * reason is refused (EFBIG): more than the bound unpack-bytes and ROMSIM_BOUND_RATIO times its
 * size, which keeps a bomb within seconds.  Behind the stream there may be zeros, else EUCLEAN.
 * `name` is for messages.
 */
struct romsim_blob *image_decompress(struct romsim_blob *blob, const char *name,
                                     struct romsim_error *err);

/*
 * As that, but a cpio archive, plain or compressed, may be followed by others, as Linux unpacks its
 * initramfs (Documentation/driver-api/early-userspace/buffer-format.rst): zeros between them do not
 * count, and each may be compressed in its own way.  Then the plain bytes have all of them.
 */
struct romsim_blob *image_decompress_archive(struct romsim_blob *blob, const char *name,
                                             struct romsim_error *err);

#endif
