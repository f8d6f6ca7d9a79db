/* SPDX-License-Identifier: BSD-3-Clause */
/* store.h: what the store's files share. */
#ifndef ROMSIM_IMAGE_STORE_H
#define ROMSIM_IMAGE_STORE_H

#include <romsim/store.h>
#include <romsim/tree.h>

struct romsim_store {
    char *path;
    int folder;
    int lock; /* -1: it is read without */
    bool is_own;
    struct romsim_error failure; /* errnum 0: it could be opened */
};

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
