/* SPDX-License-Identifier: BSD-3-Clause */
/* clone.h: what a layout has from a VM that was saved (clone.c). */
#ifndef ROMSIM_LAYOUT_CLONE_H
#define ROMSIM_LAYOUT_CLONE_H

#include <romsim/layout.h>

/* Opens what the instance is a clone of.  NULL: with why, and nothing where that is not to be had
 * yet, of a branch whose source was not asked. */
struct romsim_template *clone_open(const struct romsim_instance *instance,
                                   struct romsim_error *err);

/* The root, the app and the size are the template's, whose reference is taken.  Returns 0, or -1
 * without memory. */
int clone_take(struct romsim_layout *layout, struct romsim_device *root,
               struct romsim_template *template);

/* How many ROMs it has of a checkpoint, and adds them.  Returns 0 or -1. */
size_t clone_kept_count(const struct romsim_instance *instance,
                        const struct romsim_template *template);
int clone_keep_roms(struct romsim_layout *layout, const struct romsim_instance *instance,
                    struct romsim_template *template, struct romsim_error *err);

#endif
