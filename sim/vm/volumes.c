/* SPDX-License-Identifier: BSD-3-Clause */
/* volumes.c: the volumes that an instance has attached. */
#include "volumes.h"

#include <stdlib.h>

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
