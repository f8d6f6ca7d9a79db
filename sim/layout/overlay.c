/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * overlay.c: makes the part of a view that no image has: dev/, and the directories on the way to
 * each mount point.
 *
 * First the path of a mount point is turned into one without links (walk.c), then every directory
 * on that path becomes an overlay directory (descend).
 */
#include "overlay.h"

#include <romsim/text.h>

#include <errno.h>
#include <string.h>

enum {
    IMAGES_MAX = 255 /* 8 bits of a node's number */
};

/* ---- making overlays -------------------------------------------------------------------- */

void overlay_free(struct overlay *overlay)
{
    if (!overlay)
        return;
    for (size_t i = 0; i < overlay->children.count; i++)
        free(overlay->children.items[i].name);
    overlay_children_reset(&overlay->children);
    romsim_blob_unref(overlay->blob);
    free(overlay);
}

DEFINE_CLEANUP(struct overlay, overlay_free)

static struct overlay *add_overlay(struct romsim_view *view, uint64_t parent,
                                   struct romsim_error *err)
{
    CLEANUP(cleanup_overlay_free) struct overlay *overlay = calloc(1, sizeof(*overlay));

    if (!overlay || overlays_append(&view->overlays, overlay) < 0) {
        romsim_error_nomem(err);
        return NULL;
    }
    overlay->node = view->overlays.count - 1;
    overlay->parent = parent;
    return STEAL_POINTER(&overlay);
}

/* Gives an overlay directory a base: the directory `number` of an image. */
static int set_base(struct romsim_view *view, struct overlay *overlay, uint64_t number,
                    struct romsim_error *err)
{
    struct view_node node;

    if (view_get(view, number, &node, err) < 0)
        return -1;
    overlay->base_image = node.image;
    overlay->slot = node.slot;
    overlay->base = node.inode;
    return 0;
}

/* Adds or replaces a child. */
static int set_child(struct romsim_view *view, struct overlay *directory, const char *name,
                     uint64_t node, struct romsim_error *err)
{
    struct overlay_child *child = overlay_find(directory, name, strlen(name));
    struct overlay_child added = {.node = node};
    uint64_t hidden;
    int hides;

    if (child) {
        child->node = node;
        return 0;
    }
    hides = romsim_view_lookup(view, directory->node, name, &hidden, err);
    if (hides < 0)
        return -1;
    added.hides = hides == 1;
    added.name = strdup(name);
    if (added.name && overlay_children_append(&directory->children, added) == 0)
        return 0;
    free(added.name);
    return romsim_error_nomem(err);
}

/* ---- mount points ----------------------------------------------------------------------- */

/* The overlay directory of a step under `directory`: the one that is there, or a new one with what
 * is there as its base. */
static struct overlay *descend(struct romsim_view *view, struct overlay *directory,
                               const struct step *step, struct romsim_error *err)
{
    struct overlay *overlay;

    if (step->node > 0 && step->node < view->overlays.count)
        return view->overlays.items[step->node];
    overlay = add_overlay(view, directory->node, err);
    if (!overlay)
        return NULL;
    overlay->slot = directory->slot; /* a made one is of the image that it is made in */
    if (step->node > 0 && set_base(view, overlay, step->node, err) < 0)
        return NULL;
    return set_child(view, directory, step->name, overlay->node, err) < 0 ? NULL : overlay;
}

static int set_mounted(struct romsim_view *view, struct overlay *directory, const char *name,
                       uint64_t root, unsigned slot, struct romsim_error *err)
{
    if (root == 0) {
        struct overlay *empty = add_overlay(view, directory->node, err);

        if (!empty)
            return -1;
        empty->slot = slot;
        root = empty->node;
    }
    return set_child(view, directory, name, root, err);
}

/* Mounts the node `root` of a ROM where `steps` lead; for 0, a volume, an empty directory. */
static int mount_at(struct romsim_view *view, const struct steps *steps, uint64_t root,
                    unsigned slot, struct romsim_error *err)
{
    struct overlay *directory = view->overlays.items[ROMSIM_VIEW_ROOT];

    for (size_t i = 0; i < steps->count; i++) {
        const struct step *step = &steps->items[i];

        if (step->node == 0) /* it is made, and for that a ROM needs an overlay */
            view->images[directory->slot].is_layered_later = true;
        if (i + 1 == steps->count)
            return set_mounted(view, directory, step->name, root, slot, err);
        directory = descend(view, directory, step, err);
        if (!directory)
            return -1;
    }
    return romsim_error_set(err, EINVAL, "it leads to the root itself");
}

/* ---- from the layout -------------------------------------------------------------------- */

/* The slot of the device at a place of the layout. */
static unsigned slot_of(size_t place)
{
    return (unsigned)place + 1; /* 0 is nobody's */
}

static int root_of(struct romsim_view *view, unsigned slot, const struct romsim_device *device,
                   uint64_t *ret, struct romsim_error *err)
{
    struct view_image *image = &view->images[slot];
    struct stat stat;

    if (!image->erofs && !(image->erofs = romsim_erofs_open(device->blob, err)))
        return romsim_error_context(err, "%s", device->indexed_name);
    if (view_number(slot, romsim_erofs_root(image->erofs), ret, err) < 0 ||
        romsim_view_stat(view, *ret, &stat, err) < 0)
        return -1;
    return S_ISDIR(stat.st_mode) ? 0 : romsim_error_set(err, EUCLEAN, "its root is no directory");
}

/* One file with up to two names: what is read through one is cached for the other. */
static int add_device(struct romsim_view *view, struct overlay *dev, unsigned slot,
                      const struct romsim_device *device, struct romsim_error *err)
{
    struct overlay *file = add_overlay(view, dev->node, err);

    if (!file)
        return -1;
    file->slot = slot;
    file->blob = romsim_blob_ref(device->blob);
    file->names = device->named_name[0] ? 2 : 1;
    if (set_child(view, dev, device->indexed_name, file->node, err) < 0)
        return -1;
    return device->named_name[0] ? set_child(view, dev, device->named_name, file->node, err) : 0;
}

static int add_devices(struct romsim_view *view, const struct romsim_layout *layout,
                       struct romsim_error *err)
{
    struct overlay *dev = add_overlay(view, ROMSIM_VIEW_ROOT, err);

    if (!dev || set_child(view, view->overlays.items[ROMSIM_VIEW_ROOT], "dev", dev->node, err) < 0)
        return -1;
    for (size_t i = 0; i < layout->device_count; i++)
        if (layout->devices[i].blob &&
            add_device(view, dev, slot_of(i), &layout->devices[i], err) < 0)
            return -1;
    return 0;
}

/* The root of a ROM.  Returns 1, 0 if it is damaged so that it has none (the layout has warned, and
 * the guest's boot fails at it), or -1. */
static int find_root(struct romsim_view *view, unsigned slot, const struct romsim_device *device,
                     uint64_t *ret, struct romsim_error *err)
{
    struct romsim_error error = {0};

    if (root_of(view, slot, device, ret, &error) == 0)
        return 1;
    if (error.errnum == EUCLEAN || error.errnum == EOPNOTSUPP)
        return 0;
    if (err)
        *err = error;
    return -1;
}

/* What is where `steps` lead must have nothing in it. */
static int check_empty(struct romsim_view *view, const struct steps *steps,
                       struct romsim_error *err)
{
    CLEANUP_FREE char *scratch = malloc(ROMSIM_EROFS_BLOCK_MAX);
    uint64_t node = steps->count > 0 ? steps->items[steps->count - 1].node : ROMSIM_VIEW_ROOT;
    struct romsim_view_entry entry = {.is_dot = true};
    uint64_t cursor = 0;
    int found = node != 0;

    if (!scratch)
        return romsim_error_nomem(err);
    while (found == 1 && entry.is_dot)
        found = romsim_view_readdir(view, node, cursor, &cursor, &entry, scratch, err);
    if (found == 1)
        return romsim_error_set(
            err, ENOTEMPTY, "there is '%s' in the directory",
            romsim_text_quote(entry.name, entry.name_size, (char[256]){0}, 256));
    return found;
}

int overlay_mount(struct romsim_view *view, const struct romsim_layout *layout, size_t index,
                  char **ret_target, struct romsim_error *err)
{
    const struct romsim_mount *mount = &layout->mounts[index];
    const struct romsim_device *device = &layout->devices[mount->device];
    unsigned slot = slot_of(mount->device);
    CLEANUP_STEPS struct steps steps = {0};
    CLEANUP_FREE char *target = NULL;
    uint64_t root = 0;
    int found = device->role == ROMSIM_DEVICE_VOLUME;

    if (device->blob && device->kind == ROMSIM_IMAGE_EROFS)
        found = find_root(view, slot, device, &root, err);
    if (found <= 0) /* 0: nothing that could be mounted, a device only */
        return found;
    if (walk(view, mount->path, WALK_MAKE, &steps, err) < 0 ||
        !(target = steps_path(&steps, err)) ||
        (device->role == ROMSIM_DEVICE_VOLUME && check_empty(view, &steps, err) < 0) ||
        mount_at(view, &steps, root, slot, err) < 0)
        return romsim_error_context(err, "%s cannot be mounted at '%s'", device->indexed_name,
                                    QUOTE(mount->path));
    if (ret_target)
        *ret_target = STEAL_POINTER(&target);
    return 1;
}

/* What the guest's init makes of /proc and /sys if they are no directories: its kernel mounts
 * there. */
static int replace_special(struct romsim_view *view, const char *name, struct romsim_error *err)
{
    struct overlay *made;
    struct stat stat;
    uint64_t node;
    int found = romsim_view_lookup(view, ROMSIM_VIEW_ROOT, name, &node, err);

    if (found <= 0)
        return found;
    if (romsim_view_stat(view, node, &stat, err) < 0)
        return -1;
    if (S_ISDIR(stat.st_mode))
        return 0;
    made = add_overlay(view, ROMSIM_VIEW_ROOT, err);
    if (!made)
        return -1;
    return set_child(view, view->overlays.items[ROMSIM_VIEW_ROOT], name, made->node, err);
}

/* The slots of the layout's devices. */
static int add_slots(struct romsim_view *view, const struct romsim_layout *layout,
                     struct romsim_error *err)
{
    if (layout->device_count > IMAGES_MAX)
        return romsim_error_set(err, EFBIG, "more than %d devices", (int)IMAGES_MAX);
    view->images = calloc(slot_of(layout->device_count), sizeof(*view->images));
    if (!view->images)
        return romsim_error_nomem(err);
    view->slots = slot_of(layout->device_count);
    view->images[0].place = ROMSIM_VIEW_NO_DEVICE;
    for (size_t i = 0; i < layout->device_count; i++) {
        const struct romsim_device *device = &layout->devices[i];
        struct view_image *image = &view->images[slot_of(i)];

        memcpy(image->name, device->indexed_name, sizeof(image->name));
        image->place = i;
        image->is_rom = device->role == ROMSIM_DEVICE_ROM;
        image->is_layered = image->is_layered_later = device->role == ROMSIM_DEVICE_ROOT;
    }
    return 0;
}

int overlay_start(struct romsim_view *view, const struct romsim_layout *layout, bool drives_only,
                  struct romsim_error *err)
{
    const struct romsim_device *base = drives_only ? NULL : romsim_layout_root(layout);
    CLEANUP_STEPS struct steps etc = {0};
    struct overlay *root;
    uint64_t number;

    if (add_slots(view, layout, err) < 0)
        return -1;
    /* Place 0 stays empty: no node has the number 0. */
    if (overlays_append(&view->overlays, NULL) < 0)
        return romsim_error_nomem(err);
    root = add_overlay(view, ROMSIM_VIEW_ROOT, err);
    if (!root)
        return -1;
    if (base && (root_of(view, slot_of((size_t)(base - layout->devices)), base, &number, err) < 0 ||
                 set_base(view, root, number, err) < 0))
        return -1;
    if (add_devices(view, layout, err) < 0)
        return -1;
    if (drives_only)
        return 0;
    if (replace_special(view, "proc", err) < 0 || replace_special(view, "sys", err) < 0)
        return -1;
    /* An /etc that cannot be is no concern here: then the platform writes nothing there. */
    if (walk(view, "/etc", WALK_MAKE, &etc, NULL) == 0)
        view->etc = steps_path(&etc, NULL);
    return 0;
}

/* The first step that leads to nothing, or their number. */
static size_t first_missing(const struct steps *steps)
{
    size_t i = 0;

    while (i < steps->count && steps->items[i].node != 0)
        i++;
    return i;
}

int overlay_make_directory(struct romsim_view *view, const char *path, struct romsim_error *err)
{
    struct overlay *directory = view->overlays.items[ROMSIM_VIEW_ROOT];
    CLEANUP_STEPS struct steps steps = {0};
    struct romsim_error error = {0};
    size_t missing;

    if (walk(view, path, WALK_MAKE, &steps, &error) < 0) {
        if (error.errnum == EXDEV)
            return 0;
        if (err)
            *err = error;
        return -1;
    }
    missing = first_missing(&steps);
    if (missing == steps.count)
        return 0;
    if (missing > 0 && view_image_of(view, steps.items[missing - 1].node)->is_rom)
        return romsim_error_set(err, EROFS, "there is no '%s' in the ROM, which is read-only",
                                QUOTE(steps.items[missing].name));
    for (size_t i = 0; i < steps.count; i++) {
        directory = descend(view, directory, &steps.items[i], err);
        if (!directory)
            return -1;
    }
    return 1;
}

void overlay_finish(struct romsim_view *view)
{
    for (unsigned i = 0; i < view->slots; i++)
        view->images[i].is_layered = view->images[i].is_layered_later;
}
