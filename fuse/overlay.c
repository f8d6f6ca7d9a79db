/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * overlay.c: makes the part of a view that no image has: dev/, and the directories on the way to
 * each mount point.
 *
 * A mount point is found as the guest's `mkdir -p` and mount(2) find it: symbolic links on the way
 * are followed inside the root, what is missing is made.  First the path is turned into one without
 * links (resolve), then every directory on that path becomes an overlay directory (descend).
 */
#include "overlay.h"

#include <romsim/buffer.h>
#include <romsim/text.h>

#include <errno.h>
#include <string.h>

enum {
    LINKS_MAX = 40, /* as in Linux, path_resolution(7) */
    PENDING_MAX = (LINKS_MAX + 1) * (ROMSIM_TARGET_MAX + 1),
    DEPTH_MAX = 1024,
    IMAGES_MAX = 255 /* 8 bits of a node's number */
};

/* A step of a path without links: a name, and its node (0: there is none yet). */
struct step {
    char *name; /* owned */
    uint64_t node;
};

DEFINE_VECTOR(steps, struct step);

static void steps_clear(struct steps *steps)
{
    for (size_t i = 0; i < steps->count; i++)
        free(steps->items[i].name);
    steps_reset(steps);
}

#define CLEANUP_STEPS CLEANUP(steps_clear)

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

static struct overlay *add_overlay(struct view *view, uint64_t parent, struct romsim_error *err)
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
static int set_base(struct view *view, struct overlay *overlay, uint64_t number,
                    struct romsim_error *err)
{
    struct view_node node;

    if (view_get(view, number, &node, err) < 0)
        return -1;
    overlay->base_image = node.image;
    overlay->base_index = node.index;
    overlay->base = node.inode;
    return 0;
}

/* Adds or replaces a child. */
static int set_child(struct view *view, struct overlay *directory, const char *name, uint64_t node,
                     struct romsim_error *err)
{
    struct overlay_child *child = overlay_find(directory, name, strlen(name));
    struct overlay_child added = {.node = node};
    uint64_t hidden;
    int hides;

    if (child) {
        child->node = node;
        return 0;
    }
    hides = view_lookup(view, directory->node, name, &hidden, err);
    if (hides < 0)
        return -1;
    added.hides = hides == 1;
    added.name = strdup(name);
    if (added.name && overlay_children_append(&directory->children, added) == 0)
        return 0;
    free(added.name);
    return romsim_error_nomem(err);
}

/* ---- the way to a mount point ----------------------------------------------------------- */

static int push_step(struct steps *steps, const char *name, size_t size, uint64_t node,
                     struct romsim_error *err)
{
    struct step step = {.name = strndup(name, size), .node = node};

    if (steps->count == DEPTH_MAX) {
        free(step.name);
        return romsim_error_set(err, ENAMETOOLONG, "its path is too deep");
    }
    if (step.name && steps_append(steps, step) == 0)
        return 0;
    free(step.name);
    return romsim_error_nomem(err);
}

static void pop_step(struct steps *steps)
{
    if (steps->count > 0)
        free(steps->items[--steps->count].name);
}

/* A path on its way to steps. */
struct path_walk {
    struct view *view;
    struct steps *steps; /* so far */
    char *pending;       /* owned */
    size_t at;           /* the next name in `pending` */
    size_t links_end;    /* as far as this, `pending` came out of links */
    int links;
};

/* Puts the target of the link in place of its name, which ends at `end`; an absolute one starts
 * from the root again. */
static int follow(struct path_walk *walk, uint64_t link, size_t end, struct romsim_error *err)
{
    CLEANUP_BUFFER struct romsim_buffer path = ROMSIM_BUFFER_INIT(PENDING_MAX);
    CLEANUP_FREE char *target = view_readlink(walk->view, link, err);

    if (!target)
        return -1;
    if (++walk->links > LINKS_MAX)
        return romsim_error_set(err, ELOOP, "too many symbolic links on the way");
    if (target[0] == '/')
        while (walk->steps->count > 0)
            pop_step(walk->steps);
    romsim_buffer_puts(&path, target);
    romsim_buffer_puts(&path, "/");
    if (romsim_buffer_puts(&path, walk->pending + end) < 0)
        return romsim_error_system(err, path.failed, "its path is too long");
    walk->links_end = strlen(target) + (walk->links_end > end ? walk->links_end - end + 1 : 0);
    walk->at = 0;
    free(walk->pending);
    walk->pending = romsim_buffer_steal(&path);
    return 0;
}

/* Looks a name up under the last step.  *ret_node is 0 if there is nothing.  Returns 0 or -1. */
static int look_up_step(struct view *view, const struct steps *steps, const char *name, size_t size,
                        uint64_t *ret_node, struct stat *ret_stat, struct romsim_error *err)
{
    uint64_t directory = steps->count > 0 ? steps->items[steps->count - 1].node : VIEW_ROOT;
    CLEANUP_FREE char *copy = strndup(name, size);
    uint64_t node = 0;
    int found;

    if (!copy)
        return romsim_error_nomem(err);
    found = directory == 0 ? 0 : view_lookup(view, directory, copy, &node, err);
    if (found < 0 || (found == 1 && view_stat(view, node, ret_stat, err) < 0))
        return -1;
    if (found == 1 && !S_ISDIR(ret_stat->st_mode) && !S_ISLNK(ret_stat->st_mode))
        return romsim_error_set(err, ENOTDIR, "'%s' is there, and not a directory", QUOTE(copy));
    *ret_node = found == 1 ? node : 0;
    return 0;
}

/* Takes the next name, of `size` bytes. */
static int walk_name(struct path_walk *walk, size_t size, struct romsim_error *err)
{
    const char *name = walk->pending + walk->at;
    struct stat stat = {0};
    uint64_t node = 0;

    if (look_up_step(walk->view, walk->steps, name, size, &node, &stat, err) < 0)
        return -1;
    if (node == 0 && walk->at < walk->links_end) /* mkdir(2) does not make a link's target */
        return romsim_error_set(err, ENOENT, "a symbolic link on the way leads nowhere");
    if (node != 0 && S_ISLNK(stat.st_mode))
        return follow(walk, node, walk->at + size, err);
    walk->at += size;
    return push_step(walk->steps, name, size, node, err);
}

/* Turns `path` into steps without links, dots or empty names. */
static int resolve(struct view *view, const char *path, struct steps *ret, struct romsim_error *err)
{
    struct path_walk walk = {.view = view, .steps = ret, .pending = strdup(path)};
    int result = walk.pending ? 0 : romsim_error_nomem(err);

    while (result == 0 && walk.pending[walk.at]) {
        const char *name = walk.pending + walk.at;
        size_t size = strcspn(name, "/");

        if (size == 2 && name[0] == '.' && name[1] == '.')
            pop_step(ret);
        if (size == 0)
            walk.at++;
        else if (size <= 2 && strspn(name, ".") == size)
            walk.at += size;
        else
            result = walk_name(&walk, size, err);
    }
    free(walk.pending);
    return result;
}

/* The overlay directory of a step under `directory`: the one that is there, or a new one with what
 * is there as its base. */
static struct overlay *descend(struct view *view, struct overlay *directory,
                               const struct step *step, struct romsim_error *err)
{
    struct overlay *overlay;

    if (step->node > 0 && step->node < view->overlays.count)
        return view->overlays.items[step->node];
    overlay = add_overlay(view, directory->node, err);
    if (!overlay)
        return NULL;
    if (step->node > 0 && set_base(view, overlay, step->node, err) < 0)
        return NULL;
    return set_child(view, directory, step->name, overlay->node, err) < 0 ? NULL : overlay;
}

/* Mounts the node `root` of a ROM at `path`. */
static int mount_at(struct view *view, const char *path, uint64_t root, struct romsim_error *err)
{
    CLEANUP_STEPS struct steps steps = {0};
    struct overlay *directory = view->overlays.items[VIEW_ROOT];

    if (resolve(view, path, &steps, err) < 0)
        return -1;
    if (steps.count == 0)
        return romsim_error_set(err, EINVAL, "it leads to the root itself");
    for (size_t i = 0; i + 1 < steps.count; i++) {
        directory = descend(view, directory, &steps.items[i], err);
        if (!directory)
            return -1;
    }
    return set_child(view, directory, steps.items[steps.count - 1].name, root, err);
}

/* ---- from the layout -------------------------------------------------------------------- */

static int open_image(struct view *view, const struct romsim_device *device,
                      struct romsim_error *err)
{
    if (view->images[device->index])
        return 0;
    view->images[device->index] = romsim_erofs_open(device->blob, err);
    if (!view->images[device->index])
        return romsim_error_context(err, "%s", device->indexed_name);
    return 0;
}

static int root_of(struct view *view, const struct romsim_device *device, uint64_t *ret,
                   struct romsim_error *err)
{
    struct stat stat;

    if (open_image(view, device, err) < 0 ||
        view_number(device->index, romsim_erofs_root(view->images[device->index]), ret, err) < 0 ||
        view_stat(view, *ret, &stat, err) < 0)
        return -1;
    return S_ISDIR(stat.st_mode) ? 0 : romsim_error_set(err, EUCLEAN, "its root is no directory");
}

/* One file with up to two names: what is read through one is cached for the other. */
static int add_device(struct view *view, struct overlay *dev, const struct romsim_device *device,
                      struct romsim_error *err)
{
    struct overlay *file = add_overlay(view, dev->node, err);

    if (!file)
        return -1;
    file->blob = romsim_blob_ref(device->blob);
    file->names = device->named_name[0] ? 2 : 1;
    if (set_child(view, dev, device->indexed_name, file->node, err) < 0)
        return -1;
    return device->named_name[0] ? set_child(view, dev, device->named_name, file->node, err) : 0;
}

static int add_devices(struct view *view, const struct romsim_layout *layout,
                       struct romsim_error *err)
{
    struct overlay *dev = add_overlay(view, VIEW_ROOT, err);

    if (!dev || set_child(view, view->overlays.items[VIEW_ROOT], "dev", dev->node, err) < 0)
        return -1;
    /* A layout of ROMs alone has no root device. */
    for (size_t i = 0; i < layout->device_count; i++)
        if (layout->devices[i].blob && add_device(view, dev, &layout->devices[i], err) < 0)
            return -1;
    return 0;
}

/* The root of a ROM.  Returns 1, 0 if it is damaged so that it has none (the layout has warned, and
 * the guest's boot fails at it), or -1. */
static int find_root(struct view *view, const struct romsim_device *device, uint64_t *ret,
                     struct romsim_error *err)
{
    struct romsim_error error = {0};

    if (root_of(view, device, ret, &error) == 0)
        return 1;
    if (error.errnum == EUCLEAN || error.errnum == EOPNOTSUPP)
        return 0;
    if (err)
        *err = error;
    return -1;
}

static int add_mounts(struct view *view, const struct romsim_layout *layout,
                      struct romsim_error *err)
{
    for (size_t i = 0; i < layout->mount_count; i++) {
        const struct romsim_mount *mount = &layout->mounts[i];
        const struct romsim_device *device = &layout->devices[mount->device];
        int found = 0;
        uint64_t root;

        if (device->kind == ROMSIM_IMAGE_EROFS)
            found = find_root(view, device, &root, err);
        if (found < 0)
            return -1;
        if (found == 0) /* nothing that could be mounted: a device only */
            continue;
        if (mount_at(view, mount->path, root, err) < 0)
            return romsim_error_context(err, "%s cannot be mounted at '%s'", device->indexed_name,
                                        QUOTE(mount->path));
    }
    return 0;
}

int overlay_build(struct view *view, const struct romsim_layout *layout, bool drives_only,
                  struct romsim_error *err)
{
    const struct romsim_device *first = layout->device_count > 0 ? &layout->devices[0] : NULL;
    struct overlay *root;
    uint64_t base;

    if (layout->device_count > IMAGES_MAX)
        return romsim_error_set(err, EFBIG, "more than %d devices", (int)IMAGES_MAX);
    view->images = calloc(layout->device_count + 1, sizeof(*view->images));
    view->image_count = layout->device_count;
    /* Place 0 stays empty: no node has the number 0. */
    if (!view->images || overlays_append(&view->overlays, NULL) < 0)
        return romsim_error_nomem(err);
    root = add_overlay(view, VIEW_ROOT, err);
    if (!root)
        return -1;
    if (!drives_only && first && first->blob &&
        (root_of(view, first, &base, err) < 0 || set_base(view, root, base, err) < 0))
        return -1;
    if (add_devices(view, layout, err) < 0)
        return -1;
    return drives_only ? 0 : add_mounts(view, layout, err);
}
