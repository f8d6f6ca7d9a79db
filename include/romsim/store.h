/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * store.h: the local image store, an OCI image layout under the data folder:
 *
 *     $XDG_DATA_HOME/romsim/oci/oci-layout
 *     $XDG_DATA_HOME/romsim/oci/index.json              one manifest a name
 *     $XDG_DATA_HOME/romsim/oci/blobs/sha256/<hex>      immutable once there
 *     $XDG_DATA_HOME/romsim/oci/lock-use, lock-index    see below
 *
 * Theory of operation: a blob is written to a file without a name and gets its name when it is
 * whole, so a command that is killed leaves nothing half.  Whoever uses the store holds `lock-use`
 * shared, gc holds it alone: it never removes what somebody is about to name.  index.json is
 * replaced by renaming, under `lock-index`.  The locks are the kernel's and die with their holder.
 *
 * Any tool that reads OCI layouts can read the store.
 */
#ifndef ROMSIM_STORE_H
#define ROMSIM_STORE_H

#include <romsim/blob.h>
#include <romsim/cleanup.h>
#include <romsim/digest.h>
#include <romsim/error.h>

#include <stddef.h>
#include <stdint.h>

struct romsim_store;

/* Opens the store; makes it when it is not there.  The lock is shared; with `alone` it waits until
 * nobody else uses the store. */
struct romsim_store *romsim_store_open(int alone, struct romsim_error *err);
void romsim_store_close(struct romsim_store *store);

DEFINE_CLEANUP(struct romsim_store, romsim_store_close)
#define CLEANUP_STORE CLEANUP(cleanup_romsim_store_close)

/* The folder, as a path that other tools take. */
const char *romsim_store_path(const struct romsim_store *store);

/* Duplicates of the folder's and the lock's descriptors: the lock is held until both the store's
 * and this one are closed. */
int romsim_store_share(const struct romsim_store *store, int *ret_folder, int *ret_lock,
                       struct romsim_error *err);

/* Puts a blob into the store (a copy; inside the kernel where it can), under its own digest.  One
 * that is there already is left alone. */
int romsim_store_add(struct romsim_store *store, struct romsim_blob *blob,
                     struct romsim_error *err);

/* A name of the store and the manifest (or index) that it leads to. */
struct romsim_store_name {
    char *name; /* owned, with its tag: "my-org/app:latest" */
    char *media_type;
    char sha256[ROMSIM_SHA256_HEX_SIZE];
    uint64_t size;
};

struct romsim_store_names {
    struct romsim_store_name *items;
    size_t count;
};

void romsim_store_names_release(struct romsim_store_names *names);
#define CLEANUP_STORE_NAMES CLEANUP(romsim_store_names_release)

/* All names, sorted. */
int romsim_store_list(struct romsim_store *store, struct romsim_store_names *ret,
                      struct romsim_error *err);

/*
 * Finds [registry/]org/name[:tag][@sha256:...]: the name as it is, else one that is the same but
 * for the registry, if there is only one.  Returns 1, 0 if there is none, or -1.
 */
int romsim_store_find(struct romsim_store *store, const char *reference,
                      struct romsim_store_name *ret, struct romsim_error *err);
void romsim_store_name_release(struct romsim_store_name *name);

/* Gives a manifest that is in the store a name; one that the name had is forgotten. */
int romsim_store_tag(struct romsim_store *store, const char *name, const char *media_type,
                     const char *sha256, uint64_t size, struct romsim_error *err);

/* Takes a name away; the blobs stay until gc.  ENOENT if there is no such name. */
int romsim_store_untag(struct romsim_store *store, const char *name, struct romsim_error *err);

/* The name as the store keeps it: with ":latest" where it has neither tag nor digest.  EINVAL for
 * what cannot be a name.  malloc'ed. */
char *romsim_store_normalize(const char *reference, struct romsim_error *err);

/* Removes every blob that no name leads to.  The store must be open alone. */
int romsim_store_gc(struct romsim_store *store, uint64_t *ret_blobs, uint64_t *ret_bytes,
                    struct romsim_error *err);

#endif
