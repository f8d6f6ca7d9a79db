/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * layout.h: the one source of truth of a simulated instance: its root image, its ROM devices, its
 * mounts in order, its app and its ports (cloud-rules §4).
 *
 * Below the layout nothing reads the instance's YAML again; above it nothing knows of FUSE or
 * QEMU.  A finished layout is immutable and may be read by many threads.
 */
#ifndef ROMSIM_LAYOUT_H
#define ROMSIM_LAYOUT_H

#include <romsim/blob.h>
#include <romsim/cleanup.h>
#include <romsim/image.h>
#include <romsim/instance.h>
#include <romsim/template.h>
#include <romsim/uuid.h>

#include <stdbool.h>

struct json_t; /* jansson's */

enum { ROMSIM_DEVICE_NAME_SIZE = 80 };

/* Where the app's command is looked for if neither image nor instance sets PATH. */
#define ROMSIM_DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* What a device is to the instance. */
enum romsim_device_role { ROMSIM_DEVICE_ROOT, ROMSIM_DEVICE_ROM, ROMSIM_DEVICE_VOLUME };

enum romsim_access { ROMSIM_READ_ONLY, ROMSIM_READ_WRITE };

/* A block device of the guest.  What it is to the instance says its role, never its place in the
 * list or its number. */
struct romsim_device {
    enum romsim_device_role role;
    enum romsim_access access;
    size_t origin;  /* which of the instance's `roms` or `volumes` it is */
    unsigned index; /* its number in its name */
    char indexed_name[ROMSIM_DEVICE_NAME_SIZE]; /* "ukp_rom3", "ukp_vol0"; in /dev */
    char named_name[ROMSIM_DEVICE_NAME_SIZE];   /* "ukp_rom_config"; a ROM without a name has the
                                                   one that the CLI derives from its `at`, else it
                                                   is "" as for the root (cloud-rules §4 [U]) */
    struct romsim_blob *blob;                   /* owned: a reference; of a volume NULL: what is in
                                                   it is for the guest alone to know */
    enum romsim_image_kind kind;
    char *source;   /* for people: "inline", or the image's reference; owned */
    uint64_t files; /* regular files inside a ROM; 0 for cpio, raw and the root */
    bool is_inline;
    bool is_kept;  /* a ROM that a checkpoint has, and not the instance's `roms`; then */
    char *at;      /* where it is mounted, or NULL; owned */
    size_t saved;  /* of a clone: which drive of its template's it is; 0: it is its own */
    char *warning; /* what the user should know about the image, or NULL; owned */

    /* Of a volume: */
    char *volume;                /* its name; owned */
    char uuid[ROMSIM_UUID_SIZE]; /* "" for a new one */
    uint64_t size;               /* bytes */
    bool is_new;                 /* it is made with the instance, and goes with it */
    bool name_is_random;         /* then a replica's is another one */
};

/* A mount of the guest, made before the app starts. */
struct romsim_mount {
    size_t device;    /* its place in the layout's devices */
    const char *type; /* of the file system, as mount(2) wants it: "erofs", "ext4" */
    enum romsim_access access;
    char *path;   /* the device's `at`: absolute, normalised; owned */
    char *target; /* where links lead from there: the place, without links; owned.  NULL without
                     a root image, and for a ROM that cannot be mounted */
};

struct romsim_port {
    uint16_t port;             /* the service's public one */
    uint16_t destination_port; /* in the guest */
    uint16_t host_port;        /* asked for with -p, or 0 */
    unsigned handlers;
};

struct romsim_layout {
    char *name; /* the instance's, else a random one, as in the cloud */
    bool name_is_random;
    char *hostname;
    struct romsim_device *devices; /* the root, unless the layout has none, and then the others, as
                                      requested */
    size_t device_count;
    struct romsim_mount *mounts; /* in the order in which they are made: parents first, else as
                                    requested (cloud-rules §4 [U]) */
    size_t mount_count;
    struct romsim_strings argv; /* Entrypoint + (args or Cmd) */
    struct romsim_strings env;  /* "K=V": the image's, with the instance's over it, and what the app
                                   finds where neither says it */
    char *working_dir;          /* "/" when the image names none */
    bool working_dir_is_made;   /* the guest makes it: it is missing in the image */
    uint64_t memory_mb;         /* as asked for, and */
    uint64_t guest_memory_mb;   /* as the VM has it: romsim's kernel needs some of its own */
    uint32_t vcpus;
    struct romsim_port *ports;
    size_t port_count;
    enum romsim_restart restart;
    struct romsim_blob *image_kernel; /* or NULL; owned: a reference */
    struct romsim_template *template; /* what it is a clone of, or NULL; owned: a reference */
    struct romsim_template *origin;   /* the same, of one that boots, too: its source was stopped */
    bool keeps_roms;                  /* it says nothing of ROMs, and has those of a checkpoint */
    struct json_t *history; /* the checkpoints that it comes from, the newest first, or NULL; owned:
                               a reference */
};

/*
 * Makes the layout of a checked instance: builds or resolves its images, and checks what needs a
 * look at them (an empty command, an `at` on a ROM that is no EROFS image, one that leads to no
 * directory).  A ROM that cannot be automounted is a warning, not an error: the cloud finds out at
 * boot.  All errors go to
 * `diagnostics`.  Returns NULL if there was one.
 */
struct romsim_layout *romsim_layout_new(const struct romsim_instance *instance,
                                        struct romsim_diagnostics *diagnostics);
void romsim_layout_free(struct romsim_layout *layout);

/* Instances that are to be made, each with its layout, replicas behind theirs. */
struct romsim_making {
    struct romsim_instance **instances;
    struct romsim_layout **layouts;
    size_t count;
};

/* Are these too many with all their replicas (bound instances)?  Returns 0 or -1. */
int romsim_replicas_check(const struct romsim_instances *instances, struct romsim_error *err);

/* Takes what has a layout, and adds its replicas, which share its images: what was taken is NULL
 * afterwards.  Returns 0 or -1; romsim_making_clear() in any case. */
int romsim_making_fill(struct romsim_making *making, struct romsim_instances *instances,
                       struct romsim_layout **layouts, const struct romsim_limits *limits,
                       struct romsim_error *err);
void romsim_making_clear(struct romsim_making *making);

/* The same layout for a replica of the instance, under a name of its own; it shares the blobs. NULL
 * without memory. */
struct romsim_layout *romsim_layout_replica(const struct romsim_layout *layout,
                                            const struct romsim_instance *instance);

/* The device of that role that came from that item of the instance's list (0 for the root), or
 * NULL. */
const struct romsim_device *romsim_layout_device(const struct romsim_layout *layout,
                                                 enum romsim_device_role role, size_t origin);

/* The root with its image, or NULL. */
const struct romsim_device *romsim_layout_root(const struct romsim_layout *layout);

/* Where a device is mounted (the root is at "/"), or NULL. */
const char *romsim_layout_at(const struct romsim_layout *layout,
                             const struct romsim_device *device);

/* The same without a look at where the mounts are: for who needs the devices only. */
struct romsim_layout *romsim_layout_devices(const struct romsim_instance *instance,
                                            struct romsim_diagnostics *diagnostics);

DEFINE_CLEANUP(struct romsim_layout, romsim_layout_free)
#define CLEANUP_LAYOUT CLEANUP(cleanup_romsim_layout_free)

/*
 * The layout of what is to be had here, for looking at it: an image that cannot be had is left out
 * (its device has no blob), and is an error.  A name that is not in the local store is none unless
 * `local`: it may be in the cloud's registry.  All bytes of the ROMs' images are read: damage, and
 * an `at` on what cannot be mounted, are errors here.  NULL without memory only.
 */
struct romsim_layout *romsim_layout_here(const struct romsim_instance *instance, bool local,
                                         struct romsim_diagnostics *diagnostics);

/*
 * Looks for what will surely fail when the instance starts: a command that the root and the ROMs do
 * not have, that is not executable or lacks its interpreter; a working directory that cannot be.
 * These are errors (or warnings); warnings are what only looks so: a path in the arguments that a
 * ROM without `at` has, or that differs in its case, an `at` beside a name of another case.
 */
void romsim_layout_foresee(const struct romsim_layout *layout,
                           const struct romsim_instance *instance, bool as_warnings,
                           struct romsim_diagnostics *diagnostics);

/* What a template has to remember of the layout that it is made of: a new object, or NULL.  Volumes
 * have no place in it. */
struct json_t *romsim_layout_template(const struct romsim_layout *layout);

/* The drives of the VM that a clone has behind its root, by what they are: the place of one of the
 * layout's devices, or that of one of the template's, which nobody sees.  Returns how many of *ret
 * there are, which has room for those of both. */
struct romsim_layout_drive {
    bool is_device;
    size_t place;
};
size_t romsim_layout_drives(const struct romsim_layout *layout, struct romsim_layout_drive *ret);

/* What a checkpoint has to remember of its ROMs: a new array, or NULL. */
struct json_t *romsim_layout_roms_saved(const struct romsim_layout *layout);

/* The same layout, of an instance that was edited: what it is a clone of is the old one's, whether
 * that is still there or not. */
struct romsim_layout *romsim_layout_anew(const struct romsim_instance *instance,
                                         const struct romsim_layout *old,
                                         struct romsim_diagnostics *diagnostics);

/* The layout as `romsim plan --json` prints it, an object; `digests`: with those of the images, for
 * which all of their bytes are read.  NULL without memory. */
struct json_t *romsim_layout_json(const struct romsim_layout *layout, bool digests);

/* What is in a device ("erofs", "ext4"), how large it is, and whether `files` was counted: of the
 * root nobody asked. */
const char *romsim_device_format(const struct romsim_device *device);
uint64_t romsim_device_size(const struct romsim_device *device);
bool romsim_device_counts_files(const struct romsim_device *device);

/* "ROM" or "volume", for messages. */
const char *romsim_device_noun(const struct romsim_device *device);

/*
 * Gives the instance the service group that it asks for (group.h), before its layout is made: one
 * that is there, by name or UUID, whose services it gets; or a new one, not persistent, of its own
 * services, which then also has the `name` that was given.  It is used as long as the instance, or
 * an edited copy of it, is not freed in some process.  `metro` NULL: ROMSIM_METRO_DEFAULT.  Without
 * a name and without services there is no group.  Returns 0 or -1.
 */
int romsim_layout_join_group(struct romsim_instance *instance, const char *metro,
                             struct romsim_error *err);

/* The same for a group that is there; where one would be made, nothing is.  For a plan. */
int romsim_layout_find_group(struct romsim_instance *instance, struct romsim_error *err);

/* Does not use it any more, in this process; a group of its own is gone then, if nobody else does.
 */
void romsim_layout_leave_group(struct romsim_instance *instance);

/* Only the ROMs' images: what `romsim build` needs.  It has no root device. */
struct romsim_layout *romsim_layout_roms(const struct romsim_instance *instance,
                                         struct romsim_diagnostics *diagnostics);

#endif
