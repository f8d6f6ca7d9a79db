/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * targets.c: where each mount of a layout is, with all links followed, and the app's directory.
 *
 * This is found once, here, on the view that the host shows: the guest is told the result, and has
 * no links to follow.  So the two cannot disagree, and what cannot be is known before a boot.
 */
#include "targets.h"

#include "overlay.h"

#include <romsim/paths.h>
#include <romsim/text.h>

#include <errno.h>
#include <string.h>

const struct romsim_place *at_place(const struct romsim_instance *instance,
                                    const struct romsim_device *device)
{
    switch (device->role) {
    case ROMSIM_DEVICE_ROM:
        if (device->is_kept)
            return &instance->template_place;
        return &instance->roms[device->origin].at_place;
    case ROMSIM_DEVICE_VOLUME:
        return &instance->volumes[device->origin].at_place;
    case ROMSIM_DEVICE_ROOT:
        break;
    }
    return &instance->image_place;
}

static bool complain(const struct romsim_device *device, const struct romsim_instance *instance,
                     struct romsim_error *error, struct romsim_diagnostics *diagnostics)
{
    if (error->errnum == EXDEV)
        romsim_error_hint(error, "nothing can be mounted in /dev, /proc and /sys, and no link on "
                                 "the way may lead through them");
    if (error->errnum == ENOTEMPTY)
        romsim_error_hint(error, "a volume is mounted on an empty or a new directory");
    error->rule = ROMSIM_RULE_MOUNT_TARGET;
    error->place = *at_place(instance, device);
    romsim_diagnostics_add(diagnostics, error, 0);
    return false;
}

/* The same `at` twice is an error (sim/instance), but links can lead two to one place. */
static void warn_of_hidden(const struct romsim_layout *layout, size_t index,
                           const struct romsim_instance *instance,
                           struct romsim_diagnostics *diagnostics)
{
    const struct romsim_mount *mount = &layout->mounts[index];
    struct romsim_error warning;

    for (size_t i = 0; i < index; i++) {
        const struct romsim_mount *before = &layout->mounts[i];

        if (!before->target || !romsim_path_is_within(before->target, mount->target))
            continue;
        romsim_error_set(&warning, 0, "the %s at '%s' hides the one at '%s': links lead to %s",
                         romsim_device_noun(&layout->devices[mount->device]), QUOTE(mount->path),
                         QUOTE(before->path),
                         strcmp(before->target, mount->target) == 0 ? "the same place"
                                                                    : "a place inside of it");
        warning.rule = ROMSIM_RULE_HIDDEN;
        warning.place = *at_place(instance, &layout->devices[mount->device]);
        romsim_diagnostics_add(diagnostics, &warning, 1);
    }
}

/* As container runtimes do, init makes the directory that the app starts in. */
static void find_working_dir(struct romsim_layout *layout, struct romsim_view *view,
                             const struct romsim_instance *instance, bool is_error,
                             struct romsim_diagnostics *diagnostics)
{
    struct romsim_error warning;
    int made = overlay_make_directory(view, layout->working_dir, &warning);

    layout->working_dir_is_made = made > 0;
    if (made >= 0)
        return;
    romsim_error_context(&warning, "the app cannot be started in its directory '%s'",
                         QUOTE(layout->working_dir));
    romsim_error_hint(&warning, "it is the image's WorkingDir; the instance will fail at boot");
    warning.rule = ROMSIM_RULE_WORKING_DIR;
    warning.place = instance->image_place;
    romsim_diagnostics_add(diagnostics, &warning, !is_error);
}

/* Is the path in a device, one of the first `count` mounts, of which nobody knows here what is in
 * it?  Of a volume only the guest knows; a mount point in it is made, or the boot fails. */
static bool is_in_unknown(const struct romsim_layout *layout, const char *path, size_t count,
                          bool is_mount_point)
{
    for (size_t i = 0; i < count; i++) {
        const struct romsim_device *device = &layout->devices[layout->mounts[i].device];

        if (!device->blob && romsim_path_is_within(path, layout->mounts[i].path) &&
            !(is_mount_point && device->role == ROMSIM_DEVICE_VOLUME))
            return true;
    }
    return false;
}

bool targets_find(struct romsim_layout *layout, const struct romsim_instance *instance,
                  bool is_strict, struct romsim_diagnostics *diagnostics)
{
    CLEANUP(cleanup_romsim_view_free) struct romsim_view *view = calloc(1, sizeof(*view));
    struct romsim_error error;
    bool good = true;

    if (!view)
        romsim_error_nomem(&error);
    if (!view || overlay_start(view, layout, false, &error) < 0) {
        error.place = instance->image_place;
        romsim_diagnostics_add(diagnostics, &error, 0);
        return false;
    }
    for (size_t i = 0; i < layout->mount_count; i++) {
        struct romsim_mount *mount = &layout->mounts[i];
        int mounted = is_in_unknown(layout, mount->path, i, true)
                          ? 0
                          : overlay_mount(view, layout, i, &mount->target, &error);

        if (mounted < 0)
            good = complain(&layout->devices[mount->device], instance, &error, diagnostics);
        if (mounted > 0)
            warn_of_hidden(layout, i, instance, diagnostics);
    }
    if (good && layout->working_dir &&
        !is_in_unknown(layout, layout->working_dir, layout->mount_count, false))
        find_working_dir(layout, view, instance, is_strict, diagnostics);
    return good;
}
