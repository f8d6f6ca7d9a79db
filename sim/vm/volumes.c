/* SPDX-License-Identifier: BSD-3-Clause */
/* volumes.c: the volumes that an instance has attached. */
#include "volumes.h"

#include <stdlib.h>
#include <string.h>

static int attach(const struct romsim_layout *layout, const struct romsim_device *device,
                  struct romsim_volume_hold *ret, struct romsim_error *err)
{
    return romsim_volume_attach(device->volume, device->is_new ? device->size >> 20 : 0,
                                device->access == ROMSIM_READ_WRITE, layout->name, ret, err);
}

int volumes_attach(const struct romsim_layout *layout, struct romsim_instance *instance,
                   struct volumes *ret, struct romsim_error *err)
{
    struct volumes volumes = {0};
    int status = 0;

    volumes.items = calloc(layout->device_count + 1, sizeof(*volumes.items));
    if (!volumes.items)
        return romsim_error_nomem(err);
    for (size_t i = 0; status == 0 && i < layout->device_count; i++) {
        const struct romsim_device *device = &layout->devices[i];

        if (device->role != ROMSIM_DEVICE_VOLUME)
            continue;
        volumes.items[volumes.count] = ROMSIM_VOLUME_HOLD_NONE;
        status = attach(layout, device, &volumes.items[volumes.count++], err);
        if (status == 0 && device->is_new)
            status = romsim_volume_settle(&instance->volumes[device->origin], device->volume, err);
    }
    if (status < 0)
        volumes_detach(&volumes);
    else
        *ret = volumes;
    return status;
}

/* ---- changes ------------------------------------------------------------------------------------
 */

static bool is_for_writing(const struct romsim_layout *layout, size_t origin)
{
    const struct romsim_device *device = romsim_layout_device(layout, ROMSIM_DEVICE_VOLUME, origin);

    return device && device->access == ROMSIM_READ_WRITE;
}

/* One volume of the new layout: an old hold, or another.  `taken` says which old ones are. */
static int change_one(struct volumes *volumes, const struct romsim_layout *old,
                      const struct romsim_layout *new, size_t origin, bool *taken,
                      struct romsim_volume_hold *ret, struct romsim_error *err)
{
    const struct romsim_device *device = romsim_layout_device(new, ROMSIM_DEVICE_VOLUME, origin);
    bool is_written = device->access == ROMSIM_READ_WRITE;
    size_t i = 0;

    while (i < volumes->count && (taken[i] || strcmp(volumes->items[i].uuid, device->uuid) != 0))
        i++;
    if (i == volumes->count)
        return attach(new, device, ret, err);
    if (is_for_writing(old, i) != is_written &&
        romsim_volume_reattach(&volumes->items[i], is_written, new->name, err) < 0)
        return -1;
    taken[i] = true;
    *ret = volumes->items[i]; /* moved, once all is well */
    return 0;
}

/* What was done to `count` of the new ones is taken back. */
static void undo(struct volumes *volumes, const struct romsim_layout *old, const bool *taken,
                 struct volumes *made, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool is_old = false;

        for (size_t j = 0; j < volumes->count; j++)
            is_old |= taken[j] && volumes->items[j].fd == made->items[i].fd;
        if (!is_old)
            romsim_volume_detach(&made->items[i]);
    }
    for (size_t j = 0; j < volumes->count; j++)
        if (taken[j])
            romsim_volume_reattach(&volumes->items[j], is_for_writing(old, j), old->name, NULL);
}

int volumes_change(struct volumes *volumes, const struct romsim_layout *old,
                   const struct romsim_layout *new, struct romsim_error *err)
{
    CLEANUP_FREE bool *taken = calloc(volumes->count + 1, sizeof(*taken));
    struct volumes made = {.items = calloc(new->device_count + 1, sizeof(*made.items))};
    int status = taken && made.items ? 0 : romsim_error_nomem(err);

    while (status == 0 && romsim_layout_device(new, ROMSIM_DEVICE_VOLUME, made.count)) {
        status = change_one(volumes, old, new, made.count, taken, &made.items[made.count], err);
        made.count += status == 0;
    }
    if (status < 0) {
        if (taken && made.items)
            undo(volumes, old, taken, &made, made.count);
        free(made.items);
        return -1;
    }
    for (size_t i = 0; i < volumes->count; i++)
        if (!taken[i])
            romsim_volume_leave(&volumes->items[i]);
    free(volumes->items);
    *volumes = made;
    return 0;
}

const struct romsim_volume_hold *volumes_hold(const struct volumes *volumes,
                                              const struct romsim_device *device)
{
    return device->role == ROMSIM_DEVICE_VOLUME && device->origin < volumes->count
               ? &volumes->items[device->origin]
               : NULL;
}

void volumes_detach(struct volumes *volumes)
{
    for (size_t i = 0; i < volumes->count; i++)
        romsim_volume_detach(&volumes->items[i]);
    free(volumes->items);
    *volumes = (struct volumes){0};
}
