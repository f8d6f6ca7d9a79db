/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * walk.c: finds a path in a view as the guest's kernel finds it: symbolic links are followed inside
 * the root, at most 40 of them.
 *
 * Two ways are not the image's to give.  /dev, /proc and /sys belong to the guest's kernel: no
 * mount point may be there (cloud-rules §4), whether its path says so or a link leads there, also
 * if it leads out again.  And the platform writes three files into /etc before anything is mounted:
 * whatever the image has in their place, a path that goes there meets a file.
 */
#include "overlay.h"

#include <romsim/buffer.h>
#include <romsim/text.h>

#include <errno.h>
#include <linux/limits.h>
#include <string.h>

enum {
    LINKS_MAX = 40, /* as in Linux, path_resolution(7) */
    PENDING_MAX = (LINKS_MAX + 1) * (ROMSIM_TARGET_MAX + 1),
    DEPTH_MAX = PATH_MAX / 2
};

static const char *const kernels_own[] = {"dev", "proc", "sys"};

/* What init writes (sim/guest/network.c): always, or where the image has none. */
static const struct {
    const char *name;
    bool always;
} platform_files[] = {{"hostname", true}, {"resolv.conf", true}, {"hosts", false}};

/* A path on its way to steps. */
struct path_walk {
    struct romsim_view *view;
    enum walk_mode mode;
    struct steps *steps; /* so far */
    char *pending;       /* owned */
    size_t at;           /* the next name in `pending` */
    size_t links_end;    /* as far as this, `pending` came out of links */
    int links;
};

/* ---- steps ------------------------------------------------------------------------------ */

void steps_clear(struct steps *steps)
{
    for (size_t i = 0; i < steps->count; i++)
        free(steps->items[i].name);
    steps_reset(steps);
}

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

char *steps_path(const struct steps *steps, struct romsim_error *err)
{
    CLEANUP_BUFFER struct romsim_buffer path = ROMSIM_BUFFER_INIT(PATH_MAX);

    if (steps->count == 0)
        romsim_buffer_puts(&path, "/");
    for (size_t i = 0; i < steps->count; i++)
        romsim_buffer_printf(&path, "/%s", steps->items[i].name);
    if (!path.failed && path.size < PATH_MAX)
        return romsim_buffer_steal(&path);
    if (path.failed == ENOMEM)
        romsim_error_nomem(err);
    else
        romsim_error_set(err, ENAMETOOLONG, "its path is too long");
    return NULL;
}

/* ---- names ------------------------------------------------------------------------------ */

/* The directory that the steps lead to; 0: it is yet to be made. */
static uint64_t directory_of(const struct steps *steps)
{
    return steps->count > 0 ? steps->items[steps->count - 1].node : ROMSIM_VIEW_ROOT;
}

static bool is_name(const char *name, size_t size, const char *wanted)
{
    return strlen(wanted) == size && memcmp(name, wanted, size) == 0;
}

static bool is_kernels_own(const struct path_walk *walk, const char *name, size_t size)
{
    for (size_t i = 0; i < sizeof(kernels_own) / sizeof(kernels_own[0]); i++)
        if (walk->steps->count == 0 && is_name(name, size, kernels_own[i]))
            return true;
    return false;
}

/* Where the steps lead, if that is in the root image and the platform has its /etc; else NULL. */
static char *path_in_root(const struct path_walk *walk)
{
    uint64_t directory = directory_of(walk->steps);

    if (!walk->view->etc || (directory != 0 && view_image_of(walk->view, directory)->is_rom))
        return NULL; /* a ROM was mounted there */
    return steps_path(walk->steps, NULL);
}

/* Is the name, of which there is nothing, /etc or on the way to it?  Then the platform makes it. */
static bool is_made_for_etc(const struct path_walk *walk, const char *name, size_t size)
{
    CLEANUP_FREE char *path = path_in_root(walk);
    size_t length = path && path[1] ? strlen(path) : 0;
    const char *rest;

    if (!path || strncmp(walk->view->etc, path, length) != 0 || walk->view->etc[length] != '/')
        return false;
    rest = walk->view->etc + length + 1;
    return strncmp(rest, name, size) == 0 && (rest[size] == '/' || rest[size] == '\0');
}

/* Is the name the platform's, whose file will be there if the image has not what `stat` says? */
static bool is_platform_file(const struct path_walk *walk, const char *name, size_t size,
                             uint64_t node, const struct stat *stat)
{
    CLEANUP_FREE char *path = path_in_root(walk);
    bool written = false;

    for (size_t i = 0; i < sizeof(platform_files) / sizeof(platform_files[0]); i++)
        if (is_name(name, size, platform_files[i].name))
            written = node == 0 || (platform_files[i].always && !S_ISDIR(stat->st_mode));
    return written && path && strcmp(path, walk->view->etc) == 0;
}

/* Looks a name up under the last step.  *ret_node is 0 if there is nothing.  Returns 0 or -1. */
static int look_up_step(struct romsim_view *view, uint64_t directory, const char *name, size_t size,
                        uint64_t *ret_node, struct stat *ret_stat, struct romsim_error *err)
{
    CLEANUP_FREE char *copy = strndup(name, size);
    uint64_t node = 0;
    int found;

    if (!copy)
        return romsim_error_nomem(err);
    found = directory == 0 ? 0 : romsim_view_lookup(view, directory, copy, &node, err);
    if (found < 0 || (found == 1 && romsim_view_stat(view, node, ret_stat, err) < 0))
        return -1;
    *ret_node = found == 1 ? node : 0;
    return 0;
}

/* Puts the target of the link in place of its name, which ends at `end`; an absolute one starts
 * from the root again. */
static int follow(struct path_walk *walk, uint64_t link, size_t end, struct romsim_error *err)
{
    CLEANUP_BUFFER struct romsim_buffer path = ROMSIM_BUFFER_INIT(PENDING_MAX);
    CLEANUP_FREE char *target = romsim_view_readlink(walk->view, link, err);

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

/* Is `name` followed by nothing but slashes? */
static bool is_last(const char *end)
{
    return end[strspn(end, "/")] == '\0';
}

/* Takes the next name, of `size` bytes. */
static int walk_name(struct path_walk *walk, size_t size, struct romsim_error *err)
{
    const char *name = walk->pending + walk->at;
    bool may_be_a_file = walk->mode == WALK_FIND && is_last(name + size);
    struct stat stat = {0};
    uint64_t node = 0;

    if (is_kernels_own(walk, name, size))
        return romsim_error_set(err, EXDEV, "%s leads into '/%.*s', which is the guest's kernel's",
                                walk->at < walk->links_end ? "a symbolic link on the way" : "it",
                                (int)size, name);
    if (look_up_step(walk->view, directory_of(walk->steps), name, size, &node, &stat, err) < 0)
        return -1;
    if (walk->mode == WALK_MAKE && is_platform_file(walk, name, size, node, &stat))
        return romsim_error_set(err, ENOTDIR, "'%.*s' is a file that the platform writes",
                                (int)size, name);
    /* mkdir(2) does not make a link's target. */
    if (node == 0 && walk->at < walk->links_end && !is_made_for_etc(walk, name, size))
        return romsim_error_set(err, ENOENT, "a symbolic link on the way leads nowhere");
    if (node == 0 && walk->mode == WALK_FIND)
        return romsim_error_set(err, ENOENT, "there is no '%s'",
                                romsim_text_quote(name, size, (char[1024]){0}, 1024));
    if (node != 0 && S_ISLNK(stat.st_mode))
        return follow(walk, node, walk->at + size, err);
    if (node != 0 && !S_ISDIR(stat.st_mode) && !may_be_a_file)
        return romsim_error_set(err, ENOTDIR, "'%s' is there, and not a directory",
                                romsim_text_quote(name, size, (char[1024]){0}, 1024));
    walk->at += size;
    return push_step(walk->steps, name, size, node, err);
}

int walk(struct romsim_view *view, const char *path, enum walk_mode mode, struct steps *ret,
         struct romsim_error *err)
{
    struct path_walk walk = {.view = view, .mode = mode, .steps = ret, .pending = strdup(path)};
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
