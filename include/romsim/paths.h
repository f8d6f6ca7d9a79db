/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * paths.h: the only folders that romsim writes to on its own (hostile-input, promise 4), by the
 * XDG base directory specification:
 *
 *     cache  $XDG_CACHE_HOME/romsim   or ~/.cache/romsim         roots built from images
 *     data   $XDG_DATA_HOME/romsim    or ~/.local/share/romsim   the image store, volumes
 *     state  $XDG_RUNTIME_DIR/romsim  or /tmp/romsim-UID         running instances and mounts
 *
 * Folders are made on first use, mode 0700.  A state folder under /tmp that belongs to somebody
 * else or that others may write is refused.
 */
#ifndef ROMSIM_PATHS_H
#define ROMSIM_PATHS_H

#include <romsim/error.h>

#include <stdbool.h>

/* The folder `sub` ("" for the folder itself, else "a/b") inside; made if missing.  Returns a
 * malloc'ed path, or NULL. */
char *romsim_path_cache(const char *sub, struct romsim_error *err);
char *romsim_path_data(const char *sub, struct romsim_error *err);
char *romsim_path_state(const char *sub, struct romsim_error *err);

/* The same path as romsim_path_data(); nothing is made. */
char *romsim_path_data_name(const char *sub, struct romsim_error *err);

/* Makes `path` and its missing parents with `mode`.  An existing directory is fine.
 * Returns 0 or -1. */
int romsim_path_make(const char *path, unsigned mode, struct romsim_error *err);

/* Joins with one '/' between; an absolute `name` stands alone; a NULL or empty `directory` adds
 * nothing.  Returns a malloc'ed path, or NULL without memory. */
char *romsim_path_join(const char *directory, const char *name);

/* An absolute path to the same, without "." on the way, for messages: what is relative says little
 * to who does not know to what.  Returns a malloc'ed path, or NULL. */
char *romsim_path_absolute(const char *path);

/* The folder that the running program is in.  Returns a malloc'ed path, or NULL. */
char *romsim_path_program_folder(void);

/* The descriptor of this process that a path stands for: of /dev/stdin, /dev/fd/N and
 * /proc/self/fd/N, which shells make of "<(...)".  -1: any other path. */
int romsim_path_descriptor(const char *path);

/* Is `path` the same as `parent`, or beneath it?  By their texts, both absolute and normalised. */
bool romsim_path_is_within(const char *path, const char *parent);

/* Removes `path` and all beneath it without following a link or crossing into another mount.
 * What is missing is no error.  Returns 0 or -1. */
int romsim_path_remove_tree(const char *path, struct romsim_error *err);

#endif
