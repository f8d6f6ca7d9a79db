/* SPDX-License-Identifier: BSD-3-Clause */
/* mount.h: making a FUSE mount, by mount(2) or through fusermount3. */
#ifndef ROMSIM_FUSE_MOUNT_H
#define ROMSIM_FUSE_MOUNT_H

#include <romsim/error.h>

#include <stdbool.h>

/* Mounts at `point` with `name` (characters of a file name) as the source that df shows.  Returns
 * the descriptor to answer on, or -1 with the reason and, where there is one, the remedy. */
int fuse_mount(const char *point, const char *name, bool allow_other, struct romsim_error *err);

#endif
