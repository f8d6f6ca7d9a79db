/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * store.h: the local image store, an OCI image layout under the data folder:
 *
 *     $XDG_DATA_HOME/romsim/oci/oci-layout
 *     $XDG_DATA_HOME/romsim/oci/index.json              one manifest a name
 *     $XDG_DATA_HOME/romsim/oci/blobs/sha256/<hex>      immutable once there (and sha512)
 *     $XDG_DATA_HOME/romsim/oci/lock-use, lock-index    see below
 *
 * Beside it there may be others that are only read: those of ROMSIM_IMAGE_STORES, a list of folders
 * as PATH has it, and at last the one that all users of a machine share, which root fills
 * (ROMSIM_SHARED_STORE, else /var/lib/romsim/images, if it is there).  Names are looked up in the
 * user's own first, then in these, in order.  A shared one is believed only if nobody but root and
 * the user can write it, and one that was named only if nobody but these and its owner can.  It
 * also has the roots that its images become (cache.h):
 *
 *     /var/lib/romsim/images/roots/<key>.erofs
 *
 * Theory of operation: a blob is written to a file without a name and gets its name when it is
 * whole, so a command that is killed leaves nothing half.  Whoever uses the store holds `lock-use`
 * shared, gc holds it alone: it never removes what somebody is about to name.  index.json is
 * replaced by renaming, under `lock-index`.  The locks are the kernel's and die with their holder.
 * Who reads does without a lock that cannot be had, because the store may only be read, or because
 * a gc has it: that spares what a name leads to.
 *
 * Any tool that reads OCI layouts can read the store.
 */
#ifndef ROMSIM_STORE_H
#define ROMSIM_STORE_H

#include <romsim/blob.h>
#include <romsim/cleanup.h>
#include <romsim/digest.h>
#include <romsim/error.h>

#include <romsim/instance.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct romsim_store;
struct json_t; /* jansson's */

/* Opens the user's own store to change it; makes it when it is not there.  The lock is shared; with
 * `alone` nobody else may use the store.  EBUSY when others have what is needed for too long. */
struct romsim_store *romsim_store_open(bool alone, struct romsim_error *err);

/* The same of the store that all users of this machine read.  What is written to it from then on
 * can be read by all: the umask of this process is changed. */
struct romsim_store *romsim_store_open_shared(bool alone, struct romsim_error *err);
void romsim_store_close(struct romsim_store *store);

DEFINE_CLEANUP(struct romsim_store, romsim_store_close)
#define CLEANUP_STORE CLEANUP(cleanup_romsim_store_close)

/* The folder, as a path that other tools take. */
const char *romsim_store_path(const struct romsim_store *store);

/* All stores, to be read: the user's own, if it is there, first.  One that cannot be opened is
 * among them; listing it says why. */
struct romsim_stores {
    struct romsim_store **items; /* owned */
    size_t count;
};
int romsim_stores_open(struct romsim_stores *ret, struct romsim_error *err);
void romsim_stores_close(struct romsim_stores *stores);
#define CLEANUP_STORES CLEANUP(romsim_stores_close)

/* Is it the user's own, or was it opened to be changed? */
bool romsim_store_is_own(const struct romsim_store *store);

/* Duplicates of the folder's and the lock's descriptors (-1: it has none): the lock is held until
 * both the store's and this one are closed.  *ret_is_ours: nobody else, or only root, writes the
 * files. */
int romsim_store_share(const struct romsim_store *store, int *ret_folder, int *ret_lock,
                       bool *ret_is_ours, struct romsim_error *err);

/* Puts a blob into the store (a copy; inside the kernel where it can), under its own digest.  One
 * that is there already is left alone. */
int romsim_store_add(struct romsim_store *store, struct romsim_blob *blob,
                     struct romsim_error *err);

/* Called after each piece of a copy. */
typedef void romsim_copied(void *context, uint64_t bytes);

/* The same for `size` bytes at `offset` of a file, which are read once and have to have the digest
 * `digest` (EUCLEAN: then nothing is left of them). */
int romsim_store_add_file(struct romsim_store *store, int fd, uint64_t offset, uint64_t size,
                          const char *digest, romsim_copied *copied, void *context,
                          struct romsim_error *err);

/* A name of the store and the manifest (or index) that it leads to. */
struct romsim_store_name {
    char *name; /* owned, with its tag: "my-org/app:latest" */
    char *media_type;
    char digest[ROMSIM_DIGEST_SIZE];
    uint64_t size;
    const struct romsim_store *store; /* that has it; borrowed */
};

struct romsim_store_names {
    struct romsim_store_name *items;
    size_t count;
};

void romsim_store_names_release(struct romsim_store_names *names);
#define CLEANUP_STORE_NAMES CLEANUP(romsim_store_names_release)

/* All names, sorted. */
int romsim_store_list(const struct romsim_store *store, struct romsim_store_names *ret,
                      struct romsim_error *err);

/* The same of several stores: of one name the first one's. */
int romsim_stores_list(const struct romsim_stores *stores, struct romsim_store_names *ret,
                       struct romsim_error *err);

/*
 * Finds [registry/]org/name[:tag][@sha256:...]: the name as it is, else one that is the same but
 * for the registry, if there is only one.  Returns 1, 0 if there is none, or -1: a store that
 * cannot be read may have it.
 */
int romsim_stores_find(const struct romsim_stores *stores, const char *reference,
                       struct romsim_store_name *ret, struct romsim_error *err);
int romsim_store_find(struct romsim_store *store, const char *reference,
                      struct romsim_store_name *ret, struct romsim_error *err);
void romsim_store_name_release(struct romsim_store_name *name);

/* The digest of the manifest that a reference leads to: its own, or the stores'; "" if nobody
 * knows.  Only a name has one. */
void romsim_stores_digest(const char *reference, char ret[ROMSIM_DIGEST_SIZE]);

/* Gives a manifest that is in the store a name; one that the name had is forgotten. */
int romsim_store_tag(struct romsim_store *store, const char *name, const char *media_type,
                     const char *digest, uint64_t size, struct romsim_error *err);

/* Takes a name away; the blobs stay until gc.  ENOENT if there is no such name. */
int romsim_store_untag(struct romsim_store *store, const char *name, struct romsim_error *err);

/* The name as the store keeps it: with ":latest" where it has neither tag nor digest.  EINVAL for
 * what cannot be a name.  malloc'ed. */
char *romsim_store_normalize(const char *reference, struct romsim_error *err);

/* What is behind a name's registry; the name if it has none.  Points into it. */
const char *romsim_store_without_registry(const char *name);

/* Is the name one of the repository's (org/app), as romsim_store_find() compares them?  Its tag. */
bool romsim_store_name_is_of(const struct romsim_store_name *name, const char *repository);
const char *romsim_store_name_tag(const struct romsim_store_name *name);

/* Removes every blob that no name leads to.  The store must be open alone. */
int romsim_store_gc(struct romsim_store *store, uint64_t *ret_blobs, uint64_t *ret_bytes,
                    struct romsim_error *err);

/* ---- piece by piece ----------------------------------------------------------------------
 *
 * For who gets an image blob by blob, in any order: a registry.
 */

/* A file without a name in the folder of the user's own store, which is gone when it is closed; no
 * lock is needed.  Returns a descriptor, or -1. */
int romsim_store_scratch(struct romsim_error *err);

/* Makes all of such a file the blob `digest`, without a copy where the file system can: it must not
 * be written any more.  EUCLEAN if the bytes have another digest. */
int romsim_store_add_scratch(struct romsim_store *store, int fd, const char *digest,
                             struct romsim_error *err);

/* Opens a blob that one of the stores has; nothing of it is verified.  Returns 1, 0 if none has it,
 * or -1. */
int romsim_stores_open_blob(const struct romsim_stores *stores, const char *digest, int *ret_fd,
                            uint64_t *ret_size, struct romsim_error *err);

/*
 * Puts a manifest or an index into the store after all that it leads to: what another store has is
 * copied.  `media_type` "": as the text says.  `digest` NULL: its SHA-256.  *ret has what
 * romsim_store_tag() takes, and no name.  ENOENT if something that it leads to is not there;
 * EUCLEAN for what is no manifest, or has another digest; EOPNOTSUPP for a type that no image has.
 */
int romsim_store_add_manifest(struct romsim_store *store, const struct romsim_stores *stores,
                              const char *media_type, const void *bytes, size_t size,
                              const char *digest, struct romsim_store_name *ret,
                              char ret_subject[ROMSIM_DIGEST_SIZE], struct romsim_error *err);

/*
 * A manifest that says what it is about (its subject: of a signature, say, the image), which need
 * not be there, is kept without a name as long as that is.  romsim_store_add_manifest() tells the
 * subject, "" if there is none.
 */
int romsim_store_refer(struct romsim_store *store, const struct romsim_store_name *manifest,
                       const char *subject, struct romsim_error *err);

/* The same is kept no longer.  Returns 1, 0 if it was not, or -1. */
int romsim_store_unrefer(struct romsim_store *store, const char *digest, struct romsim_error *err);

/* The descriptors of the manifests that are about `subject`, with their `artifactType` and
 * annotations: a new list of jansson's, or NULL. */
struct json_t *romsim_stores_referrers(const struct romsim_stores *stores, const char *subject,
                                       struct romsim_error *err);

/* Tells of the manifest that a name leads to, and of all that that leads to: digests, some of them
 * twice.  Returns 0, or -1 if not all of it can be read. */
typedef void romsim_store_told(void *context, const char *digest);
int romsim_store_walk(const struct romsim_store_name *name, romsim_store_told *told, void *context,
                      struct romsim_error *err);

/* Is this the media type of a manifest, or of an index, that an image may have? */
bool romsim_store_is_manifest_type(const char *media_type);

/*
 * Finds the manifest `digest` of a repository (org/name): a name leads to it, or to an index that
 * has it, or it is kept for its subject.  Returns 1, 0 or -1; *ret has the name that leads there,
 * if any does.
 */
int romsim_stores_find_manifest(const struct romsim_stores *stores, const char *repository,
                                const char *digest, struct romsim_store_name *ret,
                                struct romsim_error *err);

/* ---- images ----------------------------------------------------------------------------- */

struct romsim_image_layer {
    const char *role; /* "layer", "rom", "kernel", "root" */
    char media_type[128];
    char digest[ROMSIM_DIGEST_SIZE]; /* "" in a docker-archive */
    uint64_t size;
};

/* What an image's manifest and config say. */
struct romsim_image_info {
    char *name;                      /* the name that was found, or the reference; owned */
    char digest[ROMSIM_DIGEST_SIZE]; /* of the manifest (of a docker-archive: the config) */
    char os[32], architecture[32], variant[16]; /* variant: "v3", or "" */
    bool is_rom;
    uint64_t size; /* of all layers as they are stored */
    struct romsim_image_layer *layers;
    size_t layer_count;
    struct romsim_strings entrypoint, cmd, env;
    char *working_dir; /* or NULL */
};

/* Looks at an image that any reference names, without reading its layers. */
int romsim_image_info(const char *reference, const char *directory, struct romsim_image_info *ret,
                      struct romsim_error *err);
void romsim_image_info_release(struct romsim_image_info *info);

/* The same of a name that a store has. */
int romsim_store_info(const struct romsim_store_name *name, struct romsim_image_info *ret,
                      struct romsim_error *err);

/* Called now and then with how many of how many bytes are done. */
typedef void romsim_progress(void *context, uint64_t done, uint64_t total);

/*
 * Copies an image (one platform of it) into the store, every digest verified, and names it `name`;
 * NULL: as its source calls it (EINVAL if that has no name); of a source with several images all
 * that have names are copied then.  `reference` may also be the path of a layout or of an archive.
 * `progress` may be NULL; *ret are the names in the store.
 */
int romsim_store_import(struct romsim_store *store, const char *reference, const char *directory,
                        const char *name, romsim_progress *progress, void *context,
                        struct romsim_store_names *ret, struct romsim_error *err);

/* Puts the root that the image of a name becomes into the shared store, whose name it is, so that
 * nobody who reads it has to build it again, and all have one copy in this machine's memory.  There
 * is nothing to do for an image whose root is a file of it.  Returns 0 or -1. */
int romsim_store_keep_root(const struct romsim_store *store, const struct romsim_store_name *name,
                           struct romsim_error *err);

/* Removes the roots of the shared store that no name of it leads to; adds to *bytes what that
 * frees.  Returns 0 or -1. */
int romsim_store_sweep_roots(const struct romsim_store *store, uint64_t *bytes,
                             struct romsim_error *err);

#endif
