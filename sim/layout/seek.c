/* SPDX-License-Identifier: BSD-3-Clause */
/* seek.c: what a path leads to in a layout's view, and what was meant if it leads to nothing. */
#include "seek.h"

#include "overlay.h"

#include <romsim/paths.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- looking for files ------------------------------------------------------------------ */

/* Is the path in a ROM that is not to be had here? */
static bool is_elsewhere(const struct seeker *seeker, const char *path)
{
    for (size_t i = 0; i < seeker->layout->mount_count; i++)
        if (!seeker->layout->devices[seeker->layout->mounts[i].device].blob &&
            romsim_path_is_within(path, seeker->layout->mounts[i].path))
            return true;
    return false;
}

enum seek_answer seek(const struct seeker *seeker, const char *path, uint64_t *ret_node,
                      struct stat *ret_stat)
{
    CLEANUP_STEPS struct steps steps = {0};
    struct romsim_error error = {0};

    if (is_elsewhere(seeker, path))
        return SEEK_UNKNOWN;
    if (walk(seeker->view, path, WALK_FIND, &steps, &error) == 0) {
        *ret_node = steps.count > 0 ? steps.items[steps.count - 1].node : ROMSIM_VIEW_ROOT;
        if (romsim_view_stat(seeker->view, *ret_node, ret_stat, NULL) == 0)
            return SEEK_FOUND;
        return SEEK_UNKNOWN;
    }
    return error.errnum == ENOENT || error.errnum == ENOTDIR || error.errnum == ELOOP
               ? SEEK_MISSING
               : SEEK_UNKNOWN;
}

char *seek_absolute(const struct seeker *seeker, const char *path)
{
    char *full = NULL;

    if (path[0] == '/')
        return strdup(path);
    return asprintf(&full, "%s/%s",
                    seeker->layout->working_dir[1] ? seeker->layout->working_dir : "", path) < 0
               ? NULL
               : full;
}

char *seek_other_case(struct romsim_view *view, uint64_t directory, const char *name)
{
    CLEANUP_FREE char *scratch = malloc(ROMSIM_EROFS_BLOCK_MAX);
    CLEANUP_FREE char *found = NULL;
    struct romsim_view_entry entry;
    uint64_t cursor = 0;
    size_t size = strlen(name);

    while (scratch &&
           romsim_view_readdir(view, directory, cursor, &cursor, &entry, scratch, NULL) == 1) {
        if (entry.name_size != size || strncasecmp(entry.name, name, size) != 0 ||
            memcmp(entry.name, name, size) == 0)
            continue;
        if (found)
            return NULL;
        found = strndup(entry.name, size);
    }
    return STEAL_POINTER(&found);
}

char *seek_right_case(const struct seeker *seeker, const char *path)
{
    CLEANUP_FREE char *copy = strdup(path), *found = strdup("");
    char *rest = copy, *name;

    while (found && rest && (name = strsep(&rest, "/"))) {
        CLEANUP_FREE char *next = NULL, *other = NULL;
        struct stat stat;
        uint64_t node;

        if (name[0] == '\0')
            continue;
        if (asprintf(&next, "%s/%s", found, name) < 0)
            return NULL;
        if (seek(seeker, next, &node, &stat) != SEEK_FOUND) {
            if (seek(seeker, found[0] ? found : "/", &node, &stat) != SEEK_FOUND ||
                !(other = seek_other_case(seeker->view, node, name)))
                return NULL;
            memcpy(next + strlen(found) + 1, other, strlen(other));
        }
        free(found);
        found = STEAL_POINTER(&next);
    }
    return STEAL_POINTER(&found);
}

/* ---- a ROM that is not mounted ----------------------------------------------------------- */

/* If the ROM of the device has what the path names below some directory, that directory; malloc'ed,
 * or NULL. */
static char *place_for(const struct romsim_device *device, const char *path)
{
    CLEANUP_EROFS struct romsim_erofs *erofs = romsim_erofs_open(device->blob, NULL);
    struct romsim_erofs_inode inode;

    for (const char *rest = strchr(path + 1, '/'); erofs && rest; rest = strchr(rest + 1, '/'))
        if (romsim_erofs_lookup_path(erofs, rest, &inode, NULL) == 1)
            return strndup(path, (size_t)(rest - path));
    return NULL;
}

/* Does the command mount the device by itself? */
static bool names_device(const struct romsim_layout *layout, const struct romsim_device *device)
{
    for (size_t i = 0; i < layout->argv.count; i++)
        if (strstr(layout->argv.items[i], device->indexed_name) ||
            (device->named_name[0] && strstr(layout->argv.items[i], device->named_name)))
            return true;
    return false;
}

const struct romsim_device *seek_unmounted(const struct seeker *seeker, const char *path,
                                           char **ret_at)
{
    const struct romsim_layout *layout = seeker->layout;

    for (size_t i = 0; i < layout->device_count; i++) {
        const struct romsim_device *device = &layout->devices[i];

        if (device->blob && device->kind == ROMSIM_IMAGE_EROFS &&
            !romsim_layout_at(layout, device) && !names_device(layout, device) &&
            (*ret_at = place_for(device, path)))
            return device;
    }
    return NULL;
}

const char *seek_name(const struct romsim_device *device)
{
    return device->named_name[0] ? device->named_name : device->indexed_name;
}
