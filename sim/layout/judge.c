/* SPDX-License-Identifier: BSD-3-Clause */
/* judge.c: the verdict on the images of a layout, the same for who checks, plans and runs. */
#include "judge.h"
#include "targets.h"

#include <romsim/text.h>

#include <errno.h>

static void judge_device(const struct romsim_device *device, const struct romsim_instance *instance,
                         bool is_check, struct romsim_diagnostics *diagnostics)
{
    const struct romsim_rom *rom = device->role == ROMSIM_DEVICE_ROM && !device->is_kept
                                       ? &instance->roms[device->origin]
                                       : NULL;
    const struct romsim_place *place = rom ? &rom->image_place : &instance->image_place;
    size_t errors = diagnostics->errors;
    struct romsim_error warning;

    if (!device->blob)
        return;
    if (is_check && rom && rom->image)
        romsim_image_check(device->blob, rom->image, place, diagnostics);
    if (!device->warning || diagnostics->errors > errors) /* else it has been said, as an error */
        return;
    romsim_error_set(&warning, 0, "%s", device->warning);
    warning.rule = ROMSIM_RULE_DAMAGED;
    warning.place = *place;
    romsim_diagnostics_add(diagnostics, &warning, 1);
}

static void judge_mount(const struct romsim_mount *mount, const struct romsim_device *device,
                        const struct romsim_instance *instance, bool is_check,
                        struct romsim_diagnostics *diagnostics)
{
    const char *problem = device->role == ROMSIM_DEVICE_ROM && device->blob
                              ? romsim_image_mount_problem(device->blob, device->kind)
                              : NULL;
    struct romsim_error error;

    if (!problem)
        return;
    romsim_error_set(&error, EINVAL,
                     "the ROM at '%s' %s: it cannot be mounted, and the instance will fail at boot",
                     QUOTE(mount->path), problem);
    error.rule = ROMSIM_RULE_NO_EROFS;
    if (device->kind == ROMSIM_IMAGE_EROFS)
        romsim_error_hint(&error, "make it with blocks of 4096 bytes, as 'romsim rom pack' does");
    else
        romsim_error_hint(&error, "leave 'at' out and let the app read /dev/%s",
                          device->named_name[0] ? device->named_name : device->indexed_name);
    error.place = *at_place(instance, device);
    romsim_diagnostics_add(diagnostics, &error, !is_check);
}

void judge_images(const struct romsim_layout *layout, const struct romsim_instance *instance,
                  bool is_check, struct romsim_diagnostics *diagnostics)
{
    for (size_t i = 0; i < layout->device_count; i++)
        judge_device(&layout->devices[i], instance, is_check, diagnostics);
    for (size_t i = 0; i < layout->mount_count; i++)
        judge_mount(&layout->mounts[i], &layout->devices[layout->mounts[i].device], instance,
                    is_check, diagnostics);
}
