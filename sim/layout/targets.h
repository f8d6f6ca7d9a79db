/* SPDX-License-Identifier: BSD-3-Clause */
/* targets.h: where each mount of a layout is. */
#ifndef ROMSIM_LAYOUT_TARGETS_H
#define ROMSIM_LAYOUT_TARGETS_H

#include <romsim/layout.h>

#include <stdbool.h>

/* Where the instance's text says where a device of the layout is mounted (for messages). */
const struct romsim_place *at_place(const struct romsim_instance *instance,
                                    const struct romsim_device *device);

/* Sets the targets of all mounts.  An `at` that the guest could not mount at is an error, with its
 * place; one that hides another ROM is a warning, and, unless `is_strict`, a working
 * directory that cannot be.  False if there was an error in a mount. */
bool targets_find(struct romsim_layout *layout, const struct romsim_instance *instance,
                  bool is_strict, struct romsim_diagnostics *diagnostics);

#endif
