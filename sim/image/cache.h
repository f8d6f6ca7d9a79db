/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cache.h: roots that were built, kept by what they were built from.
 *
 *     $XDG_CACHE_HOME/romsim/roots/<key>.erofs     immutable once there
 *     /var/lib/romsim/images/roots/<key>.erofs     those of the shared image store (store.h)
 *
 * Theory of operation: a root is written to a file without a name (O_TMPFILE), verified, and only
 * then given its name: there is never half a root, and nothing is left of a command that is
 * killed.  Two commands that want the same root at once both build it, and the first one's is
 * kept: a lock would make one wait for a command that is stopped or slow.  A root that cannot be
 * kept is used all the same, also where there is no folder to keep it in.  The shared ones are put
 * there with the image that they are made of, and are believed only if nobody but root and the user
 * can write them.
 *
 * Keys are SHA-256 in hexadecimal: of the layers' descriptors for an image (and of their plain
 * digests, so that an image has one root however it came: two names of one file), of what stat()
 * says of an archive or of all entries of a directory; where that is not safe
 * (cache_time_is_safe()), of an archive's content, and a directory's root is not kept.
 */
#ifndef ROMSIM_IMAGE_CACHE_H
#define ROMSIM_IMAGE_CACHE_H

#include <romsim/blob.h>
#include <romsim/digest.h>
#include <romsim/tree.h>

#include <stdbool.h>
#include <sys/stat.h>

struct cache_key {
    char hex[ROMSIM_SHA256_HEX_SIZE];
};

/* The key of some bytes; `domain` tells apart what the bytes stand for. */
int cache_key_make(const char *domain, const void *bytes, size_t size, struct cache_key *ret,
                   struct romsim_error *err);

/*
 * A file's or directory's change that is younger than this may be followed by another one with
 * the same time, the coarsest clocks in use (FAT's) having two seconds: then what stat() says does
 * not identify the content.
 */
bool cache_time_is_safe(int64_t newest_change);

/* The key of a file by what stat() says of it. */
int cache_key_of_file(const struct stat *st, struct cache_key *ret, struct romsim_error *err);

/* The root that is kept under a key: 1 and *ret, 0 if there is none, -1. */
int cache_find(const struct cache_key *key, struct romsim_blob **ret, struct romsim_error *err);

/* Puts a root into the folder of a shared image store (which was opened), under both keys. */
int cache_share(int store, struct romsim_blob *root, const struct cache_key *key,
                const struct cache_key *second, struct romsim_error *err);

/* Removes the roots of such a folder that are under none of the keys; adds up what that frees. */
int cache_sweep_shared(int store, const struct cache_key *keys, size_t count, uint64_t *bytes,
                       struct romsim_error *err);

/* Gives the root that is kept under `key` a second one, if it can. */
void cache_link(const struct cache_key *key, const struct cache_key *second);

/* Builds a root from a tree, verified, and keeps it under `key` (NULL: does not keep it). */
struct romsim_blob *cache_build(const struct cache_key *key, struct romsim_tree *tree,
                                struct romsim_error *err);

/* Removes roots that were not used for `seconds`; adds up what that frees. */
int cache_sweep(int64_t seconds, uint64_t *ret_bytes, struct romsim_error *err);

#endif
