/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * blob.h: immutable bytes with a size and a SHA-256, reference-counted, random access.
 *
 * A blob's bytes are always mapped and never change or shrink, because nobody else can write them:
 * they are a sealed memfd, a private (unlinked) copy of a foreign file, or a file in romsim's own
 * cache.  Reading them takes no room on a disk, not for holes either, and so gives no SIGBUS (but
 * where the disk is damaged).  A ROM is a blob.  An inline ROM is a memfd: it dies with its last
 * reference, as in the cloud (cloud-rules, guide "Inline ROMs").
 *
 * References and reads are thread-safe.
 */
#ifndef ROMSIM_BLOB_H
#define ROMSIM_BLOB_H

#include <romsim/bounds.h>
#include <romsim/cleanup.h>
#include <romsim/digest.h>
#include <romsim/error.h>

#include <stdbool.h>
#include <stdint.h>

struct romsim_blob;

/* A blob with a copy of `size` bytes (a sealed memfd). */
struct romsim_blob *romsim_blob_from_bytes(const void *bytes, uint64_t size,
                                           struct romsim_error *err);

/*
 * A blob with the bytes that the regular file `path` has now: a private copy in the cache folder's
 * file system (a reflink where the file system can), unlinked from the start, with the file's
 * holes; where that folder cannot be written, in $TMPDIR or /tmp, or in memory.
 *
 * /dev/stdin, /dev/fd/N and /proc/self/fd/N are the descriptor that they name, which may be a pipe,
 * too: it is read to its end.  A fifo of any other name is refused, so that nobody waits for it.
 *
 * Fails with EINVAL if it is none of these, EAGAIN if it changed during the copy, EFBIG beyond the
 * bound that is given; without one a file may have any size, since its holes cost nothing, and a
 * pipe ROMSIM_BOUND_FILE_BYTES.
 */
struct romsim_blob *romsim_blob_snapshot(const char *path, struct romsim_error *err);
struct romsim_blob *romsim_blob_snapshot_within(const char *path, enum romsim_bound bound,
                                                struct romsim_error *err);

/* The same of an open file, or of a pipe or socket from where it stands to its end; within
 * ROMSIM_BOUND_FILE_BYTES. */
struct romsim_blob *romsim_blob_snapshot_fd(int fd, const char *name, struct romsim_error *err);

/*
 * Takes a file that only romsim writes, without a copy: a file of the cache, or a memfd that the
 * caller filled (it gets sealed).  Takes ownership of `fd`, on failure too.
 */
struct romsim_blob *romsim_blob_take_fd(int fd, struct romsim_error *err);

/* A part of another blob; holds a reference to it.  The range must be inside (EINVAL). */
struct romsim_blob *romsim_blob_slice(struct romsim_blob *blob, uint64_t offset, uint64_t size,
                                      struct romsim_error *err);

/* Returns `blob`, with one reference more. */
struct romsim_blob *romsim_blob_ref(struct romsim_blob *blob);

/* Drops a reference; with the last one the bytes are gone.  Accepts NULL. */
void romsim_blob_unref(struct romsim_blob *blob);

uint64_t romsim_blob_size(const struct romsim_blob *blob);

/*
 * How many bytes of input the blob's bytes were made from, which is what its cost is measured by:
 * its own size, unless whoever unpacked it has set another; a slice has its share of its parent's.
 * Set before the blob is shared.
 */
uint64_t romsim_blob_source_size(const struct romsim_blob *blob);
void romsim_blob_set_source_size(struct romsim_blob *blob, uint64_t size);

/* All bytes.  Valid while the caller holds a reference.  Never NULL, even for an empty blob. */
const uint8_t *romsim_blob_bytes(const struct romsim_blob *blob);

/* Lets the pages of a range go that were read and are not needed soon: a walk over a large blob
 * then does not count as this process's memory.  They come back when they are touched. */
void romsim_blob_forget(const struct romsim_blob *blob, uint64_t offset, uint64_t size);

/*
 * The file behind the blob and, in *ret_offset, where in it the blob starts; the descriptor
 * belongs to the blob.  For splicing and copy_file_range(); only for reading.
 */
int romsim_blob_fd(const struct romsim_blob *blob, uint64_t *ret_offset);

/* The next piece of the blob from `offset` on that is no hole; false if there is none. */
bool romsim_blob_next_data(const struct romsim_blob *blob, uint64_t offset, uint64_t *ret_start,
                           uint64_t *ret_end);

/*
 * Copies all of a blob to `offset` in a file that ends there or before, inside the kernel where it
 * can; holes stay holes.  Returns 0, or an errno.
 */
int romsim_blob_copy(const struct romsim_blob *blob, int fd, uint64_t offset);

/* Is it mostly a hole, and a large one? */
bool romsim_blob_is_mostly_hole(const struct romsim_blob *blob);

/* The SHA-256 of all bytes as 64 hexadecimal digits; computed once, at the first call. */
const char *romsim_blob_sha256_hex(struct romsim_blob *blob);

/* The digest of the bytes, by the algorithm of the valid digest `like` (romsim/digest.h). */
void romsim_blob_digest(struct romsim_blob *blob, const char *like, char ret[ROMSIM_DIGEST_SIZE]);

/* The SHA-256 for a listing, or NULL: of what is mostly a hole it takes as long as the size says,
 * which is more than that is worth. */
const char *romsim_blob_sha256_shown(struct romsim_blob *blob);

/*
 * An anonymous file to fill and then turn into a blob with romsim_blob_take_fd(): a memfd for
 * what is small and must die with the process, or an unlinked file in the cache folder for what
 * may be large (without that folder as for romsim_blob_snapshot()).  Returns a descriptor, or -1.
 */
int romsim_blob_scratch_memfd(struct romsim_error *err);
int romsim_blob_scratch_file(struct romsim_error *err);

DEFINE_CLEANUP(struct romsim_blob, romsim_blob_unref)
#define CLEANUP_BLOB CLEANUP(cleanup_romsim_blob_unref)

#endif
