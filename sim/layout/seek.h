/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * seek.h: what a path leads to in the guest, and what was meant if it leads to nothing.
 *
 * An answer is given only where it is certain: what leads into /dev, /proc or /sys, into a ROM that
 * is not to be had here, or through something damaged, is unknown.
 */
#ifndef ROMSIM_LAYOUT_SEEK_H
#define ROMSIM_LAYOUT_SEEK_H

#include <romsim/view.h>

struct seeker {
    const struct romsim_layout *layout;
    struct romsim_view *view; /* of it */
};

enum seek_answer { SEEK_MISSING, SEEK_FOUND, SEEK_UNKNOWN };

/* Looks for an absolute path, links followed. */
enum seek_answer seek(const struct seeker *seeker, const char *path, uint64_t *ret_node,
                      struct stat *ret_stat);

/* The path as seen from the working directory; malloc'ed. */
char *seek_absolute(const struct seeker *seeker, const char *path);

/* The only entry of a directory that is `name` but for the case; malloc'ed, or NULL. */
char *seek_other_case(struct romsim_view *view, uint64_t directory, const char *name);

/* The path with the case that its names really have; NULL if there is none. */
char *seek_right_case(const struct seeker *seeker, const char *path);

/* A ROM without `at` that would have the path at *ret_at (malloc'ed), or NULL. */
const struct romsim_device *seek_unmounted(const struct seeker *seeker, const char *path,
                                           char **ret_at);

/* A ROM's name for people: "ukp_rom_config", "ukp_rom2". */
const char *seek_name(const struct romsim_device *device);

#endif
