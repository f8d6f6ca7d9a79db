/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hostdir.h: a directory of the host that is read while others may change it.
 *
 * What is packed comes from beneath the directory that was named, as it was at one moment, or is
 * refused.  So the directory's descriptor is kept, everything is opened beneath it without
 * following a symbolic link, and what stat() said of a thing when it was met (its identity) has to
 * be true of what is opened later, and still be true when it has been read.
 *
 * Descriptors: one for the directory, and two more at most while something is read, whatever the
 * depth.  Not thread-safe.
 */
#ifndef ROMSIM_HOSTDIR_H
#define ROMSIM_HOSTDIR_H

#include <romsim/cleanup.h>
#include <romsim/error.h>

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

struct romsim_hostdir;

/* Opens a directory; `path` may lead through links.  NULL on failure, err->errnum as open()'s. */
struct romsim_hostdir *romsim_hostdir_open(const char *path, struct romsim_error *err);

struct romsim_hostdir *romsim_hostdir_ref(struct romsim_hostdir *directory);

/* Accepts NULL. */
void romsim_hostdir_unref(struct romsim_hostdir *directory);

DEFINE_CLEANUP(struct romsim_hostdir, romsim_hostdir_unref)
#define CLEANUP_HOSTDIR CLEANUP(cleanup_romsim_hostdir_unref)

/* ---- identities --------------------------------------------------------------------------- */

/* Any change of a file's or directory's content or metadata changes one of these. */
struct romsim_identity {
    dev_t device;
    ino_t number;
    uint64_t size;
    struct timespec modified, changed;
};

void romsim_identity_of(const struct stat *st, struct romsim_identity *ret);
bool romsim_identity_is(const struct romsim_identity *identity, const struct stat *st);

/* ---- reading ------------------------------------------------------------------------------ */

/* Opens what is beneath the directory at `path` ("" is the directory itself), with open()'s flags
 * and no link followed.  Returns a descriptor, or -1 with errno. */
int romsim_hostdir_openat(const struct romsim_hostdir *directory, const char *path, int flags);

/*
 * Opens the regular file that had this identity: ESTALE, as romsim_hostdir_changed() has it, if it
 * is another one now or has changed.  Returns a descriptor, or -1.
 */
int romsim_hostdir_open_file(const struct romsim_hostdir *directory, const char *path,
                             const struct romsim_identity *identity, struct romsim_error *err);

/* To be asked when the file has been read: has it still this identity?  0, or -1 with ESTALE. */
int romsim_hostdir_check_file(const struct romsim_hostdir *directory, const char *path,
                              const struct romsim_identity *identity, int fd,
                              struct romsim_error *err);

/* "'DIRECTORY/path' changed while it was read", ESTALE.  Returns -1. */
int romsim_hostdir_changed(const struct romsim_hostdir *directory, const char *path,
                           struct romsim_error *err);

/* Puts "'DIRECTORY/path': " before a message that does not name it yet.  Returns -1. */
int romsim_hostdir_blame(const struct romsim_hostdir *directory, const char *path,
                         struct romsim_error *err);

/* ---- walking ------------------------------------------------------------------------------ */

struct romsim_hostdir_entry {
    const char *path; /* beneath the directory of the walk; "" is that directory */
    const char *name; /* the path's last component, inside `path` */
    const struct stat *st;
    int dir_fd;   /* the open directory that the entry is in; for "" the directory itself */
    void *parent; /* what the visitor gave that directory */
};

/* What is done with an entry.  *ret_directory, for a directory, comes back as its entries' parent.
 * Returns 0, or -1 to end the walk. */
typedef int romsim_hostdir_visit(void *context, const struct romsim_hostdir_entry *entry,
                                 void **ret_directory, struct romsim_error *err);

/*
 * Visits the directory and everything in it: a directory before what it has, the entries of one
 * directory by name, byte-wise.  In the end all of it is looked at once more, but for regular files
 * with data: whoever reads those has their identity to go by.  If anything differs: ESTALE.
 */
int romsim_hostdir_walk(struct romsim_hostdir *directory, romsim_hostdir_visit *visit,
                        void *context, struct romsim_error *err);

#endif
