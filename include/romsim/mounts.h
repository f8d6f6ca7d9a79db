/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mounts.h: romsim's own FUSE mounts, as the kernel lists them in /proc/self/mountinfo.
 *
 * Looking there never touches the mount itself: a dead server's would give ENOTCONN, a stuck one's
 * would hang.  Only mounts of type "fuse.romsim" are ever unmounted.
 */
#ifndef ROMSIM_MOUNTS_H
#define ROMSIM_MOUNTS_H

#include <romsim/error.h>

#include <stdbool.h>
#include <sys/types.h>

#define ROMSIM_MOUNT_TYPE "fuse.romsim"

enum romsim_mount_kind {
    ROMSIM_MOUNT_NONE,   /* nothing is mounted there */
    ROMSIM_MOUNT_OURS,   /* a romsim mount (the topmost, if there are several) */
    ROMSIM_MOUNT_FOREIGN /* another file system */
};

/* What is mounted at `point`, a path as romsim_mount_point() gives it; of a mount *ret_device (may
 * be NULL) becomes the number, which no other mount has while this one lives.  Returns -1 if
 * mountinfo cannot be read. */
int romsim_mount_find(const char *point, dev_t *ret_device, struct romsim_error *err);

/* Is the server of the romsim mount at `point` gone?  Asks the mount; a server that does not answer
 * within 5 seconds lives. */
bool romsim_mount_is_dead(const char *point);

/* Does what `directory` is on answer (with an error, too) within 5 seconds?  Returns 0, or -1 with
 * ETIMEDOUT; *ret_point is then the mount that does not, malloc'ed, or NULL if that is not known.
 */
int romsim_mount_await(const char *directory, char **ret_point, struct romsim_error *err);

/* The absolute path of `directory` without links, as mountinfo has it; the last component may be
 * a mount, which is not touched: its server may be gone, or not answer.  malloc'ed; NULL and an
 * error if it does not exist. */
char *romsim_mount_point(const char *directory, struct romsim_error *err);

/*
 * Unmounts the romsim mount at `point`: directly, else with fusermount3.  When it is in use it is
 * detached: it vanishes from the tree at once and ends with its last user; *ret_was_busy (may be
 * NULL) tells.  EINVAL if there is no romsim mount.  Returns 0 or -1.
 */
int romsim_mount_detach(const char *point, bool *ret_was_busy, struct romsim_error *err);

/* Unmounts all romsim mounts at and beneath a folder whose servers are gone. */
void romsim_mount_clear_below(const char *folder);

#endif
