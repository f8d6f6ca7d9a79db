/* SPDX-License-Identifier: BSD-3-Clause */
/* store.h: what the store's files share. */
#ifndef ROMSIM_IMAGE_STORE_H
#define ROMSIM_IMAGE_STORE_H

#include <romsim/store.h>
#include <romsim/tree.h>

#include <sys/stat.h>

struct romsim_store {
    char *path;
    int folder;
    int lock; /* -1: it is read without */
    bool is_own;
    bool is_trusted;             /* only root and this user can change what is in it */
    struct romsim_error failure; /* errnum 0: it could be opened */
};

/* The folder of the store that all users of this machine read, or NULL: there is to be none.  It is
 * one that was named by the environment or the built-in one; nothing is looked at. */
const char *store_shared_path(void);

/* By which others could write a file: anybody of a store that the user named, whose owner may have
 * a group, and anybody at all of one that all users are given. */
enum { WRITABLE_BY_ANYBODY = 0002, WRITABLE_BY_OTHERS = 0022 };

/* May what others can read be believed?  It belongs to root, to this user or to `owner`, and nobody
 * else may write it (`others`: the bits of its mode by which they could). */
bool store_is_safe(const struct stat *st, uid_t owner, mode_t others);

/* Holds the index alone until the descriptor is closed. */
int store_lock_index(const struct romsim_store *store, struct romsim_error *err);

/* Opens the folder of the blobs whose digests are of the algorithm of `digest`; makes it if it is
 * missing and `make` says so. */
int store_open_blobs(const struct romsim_store *store, const char *digest, bool make,
                     struct romsim_error *err);

/* The store's index.json, an empty one if there is none yet; to be changed under its lock. */
struct json_t *store_read_index(const struct romsim_store *store, struct romsim_error *err);
int store_write_index(const struct romsim_store *store, const struct json_t *index,
                      struct romsim_error *err);

/* An entry of the index that has no name and is kept for its subject (store_referrers.c): that
 * digest, or NULL. */
const char *store_entry_subject(const struct json_t *entry);

/* Finds such an entry.  Returns 1, 0 or -1. */
struct oci_descriptor;
int store_find_referrer(const struct romsim_store *store, const char *digest,
                        struct oci_descriptor *ret, struct romsim_error *err);

/* Replaces a small file of the store's folder by renaming; under the index's lock. */
int store_replace(const struct romsim_store *store, const char *name, const char *text, size_t size,
                  struct romsim_error *err);

#endif
