/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * volume.h: volumes: ext4 images that outlive instances and reboots.
 *
 *     $XDG_DATA_HOME/romsim/volumes/
 *         lock               held while one of the folders below appears, goes or is attached
 *         new/<uuid>/        one that is being made
 *         ready/<name>/      image, sparse; volume.json; holder, the instance that has it
 *
 * Theory of operation: whoever makes or uses a volume holds a lock (flock) on its image, which goes
 * with the last process that has the descriptor, however it dies: exclusive for writing and while
 * it is made, shared for reading.  The locks are taken and tried under the store's lock only, so
 * that a look at a volume never makes somebody's attachment fail.  Under it, an image in new/
 * without a lock is what a killed process left, and so is a volume that is not persistent and that
 * nobody has: they are swept.
 *
 * What is in an image is foreign: the host looks at the superblock's few fields below and leaves
 * the rest, the journal too, to the guest's kernel.
 */
#ifndef ROMSIM_VOLUME_H
#define ROMSIM_VOLUME_H

#include <romsim/cleanup.h>
#include <romsim/error.h>
#include <romsim/strings.h>
#include <romsim/uuid.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_t; /* jansson's */

/* What mke2fs can make with a journal, and what a sparse file may promise. */
enum { ROMSIM_VOLUME_MIN_MB = 8, ROMSIM_VOLUME_MAX_MB = 1 << 20 };

/* What the cloud's users say of a volume. */
struct romsim_volume_traits {
    struct romsim_strings tags;
    bool is_for_reading;  /* access_mode rox: nobody writes to it (else rwo) */
    bool is_dynamic;      /* quota_policy dynamic (else static); it means nothing here */
    bool has_delete_lock; /* it is not removed */
};

enum { ROMSIM_VOLUME_TAGS_MAX = 16, ROMSIM_VOLUME_TAG_SIZE_MAX = 256 };

struct romsim_volume_info {
    char *name;
    char uuid[ROMSIM_UUID_SIZE];
    uint64_t size;      /* bytes, a whole number of MiB */
    uint64_t used;      /* what of it takes space on this machine's disk */
    int64_t created_at; /* seconds since 1970 */
    bool is_persistent; /* else it goes when the instance that it was made for does */
    char *holder;       /* the instance that has it attached, "": it is copied; or NULL */
    bool is_written;    /* by its holder */
    struct romsim_volume_traits traits;
};

void romsim_volume_info_clear(struct romsim_volume_info *info);
#define CLEANUP_VOLUME CLEANUP(romsim_volume_info_clear)

struct romsim_volume_infos {
    struct romsim_volume_info *items; /* by name */
    size_t count;
};

void romsim_volume_infos_clear(struct romsim_volume_infos *infos);
#define CLEANUP_VOLUMES CLEANUP(romsim_volume_infos_clear)

/* All volumes.  One that cannot be read is passed over and its error goes to `complain`.  Returns 0
 * or -1. */
int romsim_volume_list(struct romsim_volume_infos *ret,
                       void (*complain)(void *context, const struct romsim_error *error),
                       void *context, struct romsim_error *err);

/* The volume of that name or, with `name` NULL, that UUID.  Returns 1, 0 if there is none, or -1.
 */
int romsim_volume_find(const char *name, const char *uuid, struct romsim_volume_info *ret,
                       struct romsim_error *err);

/* As the cloud's GET /v1/volumes has it, without "status", and with what it takes here as
 * "used_bytes"; `instances` is an array of what instances say of themselves.  NULL without memory.
 */
struct json_t *romsim_volume_json(const struct romsim_volume_info *info,
                                  const struct json_t *instances);

/* Makes an empty one; `traits` may be NULL.  EEXIST if there is one of that name, EINVAL for a name
 * or size that cannot be.  Returns 0 or -1. */
int romsim_volume_create(const char *name, uint64_t size_mb,
                         const struct romsim_volume_traits *traits, struct romsim_error *err);

/*
 * Makes one of an ext4 image (a copy of it) or of what is in a directory.  `size_mb` 0: as large as
 * it has to be; only a directory can have another.  No link in the directory is followed.  Returns
 * 0 or -1.
 */
int romsim_volume_import(const char *path, const char *name, uint64_t size_mb,
                         struct romsim_error *err);

/* A copy of a volume, which nobody may write to meanwhile (EBUSY, ROMSIM_CLOUD_ATTACHED); `traits`
 * NULL: the same.  Returns 0 or -1. */
int romsim_volume_clone(const char *source, const char *name,
                        const struct romsim_volume_traits *traits, struct romsim_error *err);

/* Has `change` change the traits, while nobody else does; nothing is written if that returns -1.
 * Returns 0 or -1. */
typedef int romsim_volume_changer(void *context, struct romsim_volume_traits *traits,
                                  struct romsim_error *err);
int romsim_volume_change(const char *name, romsim_volume_changer *change, void *context,
                         struct romsim_error *err);

/* Makes a volume larger that no instance has.  What grows is the file; the file system in it is
 * made to fill it by the guest's kernel, when it is mounted for writing next.  Returns 0 or -1. */
int romsim_volume_grow(const char *name, uint64_t size_mb, struct romsim_error *err);

/* EBUSY if an instance has it; EPERM if it has a delete lock; ENOENT.  Returns 0 or -1. */
int romsim_volume_remove(const char *name, struct romsim_error *err);

/* A volume that an instance has. */
struct romsim_volume_hold {
    char *name;
    char uuid[ROMSIM_UUID_SIZE];
    int fd;           /* of the image, with the lock; -1: none */
    bool is_writable; /* the descriptor is: also for reading only, where the journal has to be
                         replayed first */
    bool is_made;     /* for this instance: it goes with the hold */
};

#define ROMSIM_VOLUME_HOLD_NONE                                                                    \
    (struct romsim_volume_hold)                                                                    \
    {                                                                                              \
        .fd = -1                                                                                   \
    }

/*
 * Attaches a volume to an instance, for writing or for reading only; with `size_mb` not 0 a new one
 * is made.  EBUSY, and ROMSIM_CLOUD_ATTACHED, if another instance has it: one that writes has it
 * alone, several may read.  Returns 0 or -1.
 */
int romsim_volume_attach(const char *name, uint64_t size_mb, bool is_written, const char *instance,
                         struct romsim_volume_hold *ret, struct romsim_error *err);

/* Attaches the volume of a hold for writing or for reading, as it was not before; if others read
 * it, it stays as it is.  Returns 0 or -1. */
int romsim_volume_reattach(struct romsim_volume_hold *hold, bool is_written, const char *instance,
                           struct romsim_error *err);

/* Gives it back, once nobody uses the image any more; the hold is empty then. */
void romsim_volume_detach(struct romsim_volume_hold *hold);

/* The same, and one that was made for the instance stays all the same. */
void romsim_volume_leave(struct romsim_volume_hold *hold);

#endif
