/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * volumes.h: the volumes that an instance has attached, from its creation to its deletion, whether
 * it runs or not, as in the cloud.
 */
#ifndef ROMSIM_VM_VOLUMES_H
#define ROMSIM_VM_VOLUMES_H

#include <romsim/layout.h>
#include <romsim/volume.h>

/* One hold for each of the instance's `volumes`, in their order. */
struct volumes {
    struct romsim_volume_hold *items;
    size_t count;
};

/* Attaches all volumes of a layout, and makes those that are new: the instance has them by their
 * names then.  Returns 0, or -1, and then none is. */
int volumes_attach(const struct romsim_layout *layout, struct romsim_instance *instance,
                   struct volumes *ret, struct romsim_error *err);

/* Has the volumes of an edited instance's layout attached, in place of those of the old one: what
 * both have stays as it is.  One that was made for the instance and is not in it any more is kept.
 * Returns 0, or -1, and all is as it was. */
int volumes_change(struct volumes *volumes, const struct romsim_layout *old,
                   const struct romsim_layout *new, struct romsim_error *err);

/* The hold of a volume's device. */
const struct romsim_volume_hold *volumes_hold(const struct volumes *volumes,
                                              const struct romsim_device *device);

/* Gives all of them back; those that were made for the instance are removed. */
void volumes_detach(struct volumes *volumes);

#endif
