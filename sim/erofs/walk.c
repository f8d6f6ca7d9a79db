/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * walk.c: visiting every file of an image, depth first, without recursion.
 *
 * A walk ends for any image: a directory is entered once (a second name for it is damage, so loops
 * are), what all directories claim to hold together must fit into the image, because the blocks of
 * one directory may be the blocks of another, too, and each step is paid from a budget.
 */
#include "reader.h"

#include <romsim/bounds.h>
#include <romsim/buffer.h>
#include <romsim/text.h>
#include <romsim/vector.h>

#include <errno.h>
#include <sys/stat.h>

enum {
    DEPTH_MAX = 1024,
    PATH_SIZE_MAX = DEPTH_MAX * (EROFS_NAME_LEN + 1) + 1,
    COMPRESSED_RATIO_MAX = 64, /* of directories */
    IMAGE_FACTOR = 16,         /* of the budget */
    STEP_COST = 128,           /* of a name, beside its path: what a list or a set takes for it */
};

/* ---- the budget ---------------------------------------------------------------------------- */

void romsim_erofs_budget_init(struct romsim_erofs_budget *budget, const struct romsim_erofs *erofs)
{
    if (!checked_multiply(erofs->size, IMAGE_FACTOR, &budget->left) ||
        !checked_add(budget->left, romsim_bound(ROMSIM_BOUND_WALK_BYTES), &budget->left))
        budget->left = UINT64_MAX;
}

int romsim_erofs_budget_pay(struct romsim_erofs_budget *budget, uint64_t bytes,
                            struct romsim_error *err)
{
    if (bytes <= budget->left) {
        budget->left -= bytes;
        return 0;
    }
    budget->left = 0;
    return romsim_bound_refuse(err, ROMSIM_BOUND_WALK_BYTES,
                               "stopped: its names, paths and xattrs come to more than %d times "
                               "its size and %s",
                               IMAGE_FACTOR, SIZE_TEXT(romsim_bound(ROMSIM_BOUND_WALK_BYTES)));
}

/* ---- the walker ---------------------------------------------------------------------------- */

/* An open directory. */
struct level {
    struct romsim_erofs_inode directory;
    uint64_t cursor;
    size_t path_size; /* of the directory's own path */
};

DEFINE_VECTOR(levels, struct level);

struct romsim_erofs_walker {
    struct romsim_erofs *erofs;
    struct romsim_erofs_budget *budget;
    struct levels levels;
    struct erofs_nid_set directories; /* entered ones */
    struct romsim_buffer path;
    uint64_t claims; /* bytes of directories that may still be read */
    void *scratch;
    struct romsim_erofs_inode found; /* the last step's */
    enum { BEFORE_START, INSIDE, AT_DIRECTORY, ENDED } state;
};

struct romsim_erofs_walker *romsim_erofs_walker_new(struct romsim_erofs *erofs,
                                                    const struct romsim_erofs_inode *start,
                                                    const char *path,
                                                    struct romsim_erofs_budget *budget,
                                                    struct romsim_error *err)
{
    struct romsim_erofs_walker *walker = calloc(1, sizeof(*walker));

    if (walker) {
        walker->erofs = erofs;
        walker->budget = budget;
        walker->path = ROMSIM_BUFFER_INIT(PATH_SIZE_MAX + strlen(path));
        walker->claims = erofs->size;
        walker->found = *start;
        walker->scratch = malloc(erofs_block_size(erofs));
        if (walker->scratch && romsim_buffer_puts(&walker->path, path) == 0)
            return walker;
    }
    romsim_erofs_walker_free(walker);
    romsim_error_nomem(err);
    return NULL;
}

void romsim_erofs_walker_free(struct romsim_erofs_walker *walker)
{
    if (!walker)
        return;
    levels_reset(&walker->levels);
    erofs_nid_set_reset(&walker->directories);
    romsim_buffer_reset(&walker->path);
    free(walker->scratch);
    free(walker);
}

static void cut_path(struct romsim_buffer *path, size_t size)
{
    path->size = size;
    if (path->data)
        path->data[size] = 0;
}

/* Enters the directory that was found last. */
static int enter(struct romsim_erofs_walker *walker, struct romsim_error *err)
{
    const struct romsim_erofs_inode *directory = &walker->found;
    struct level level = {.directory = *directory, .path_size = walker->path.size};
    uint64_t cost = directory->size;
    int added;

    if (romsim_erofs_is_compressed(directory) || erofs_nid_in_metabox(directory->nid))
        cost /= COMPRESSED_RATIO_MAX;
    if (walker->levels.count == DEPTH_MAX)
        return romsim_error_set(err, EUCLEAN, "directories are nested deeper than %d", DEPTH_MAX);
    added = erofs_nid_set_add(&walker->directories, directory->nid);
    if (added < 0)
        return romsim_error_nomem(err);
    if (!added)
        return romsim_error_set(err, EUCLEAN, "directory nid %llu has more than one name (a loop?)",
                                (unsigned long long)directory->nid);
    if (cost > walker->claims)
        return romsim_error_set(err, EUCLEAN,
                                "directory nid %llu: directories claim more bytes than the image "
                                "can hold",
                                (unsigned long long)directory->nid);
    walker->claims -= cost;
    if (levels_append(&walker->levels, level) < 0)
        return romsim_error_nomem(err);
    return 0;
}

static void fill_step(const struct romsim_erofs_walker *walker, struct romsim_erofs_step *ret)
{
    const char *path = walker->path.size ? walker->path.data : "/";
    const char *slash = strrchr(path, '/');

    *ret = (struct romsim_erofs_step){
        .path = path,
        .name = slash ? slash + 1 : path,
        .depth = walker->levels.count,
        .inode = walker->found,
        .is_name = true,
    };
}

/* 1 with a name, whose inode is not read yet; 0 at the end of the directory; -1. */
static int next_name(struct romsim_erofs_walker *walker, struct level *level,
                     struct romsim_erofs_dirent *ret, struct romsim_error *err)
{
    int found;

    do
        found = romsim_erofs_readdir(walker->erofs, &level->directory, level->cursor,
                                     &level->cursor, ret, walker->scratch, err);
    while (found > 0 && erofs_is_dot(ret));
    return found;
}

static bool ends_walk(const struct romsim_error *err)
{
    return err->errnum == ENOMEM || err->errnum == EFBIG;
}

/* The step for damage in the directory at the end of the path. */
static int damaged(struct romsim_erofs_walker *walker, unsigned depth,
                   struct romsim_erofs_step *ret, struct romsim_error *err)
{
    if (ends_walk(err) ||
        romsim_erofs_budget_pay(walker->budget, STEP_COST + walker->path.size, err) < 0) {
        walker->state = ENDED;
        return -1;
    }
    fill_step(walker, ret);
    ret->depth = depth;
    ret->is_name = false;
    return ROMSIM_EROFS_DAMAGED;
}

static int start(struct romsim_erofs_walker *walker, struct romsim_erofs_step *ret)
{
    walker->state = S_ISDIR(walker->found.mode) ? AT_DIRECTORY : INSIDE;
    fill_step(walker, ret);
    return 1;
}

static int visit(struct romsim_erofs_walker *walker, const struct romsim_erofs_dirent *entry,
                 struct romsim_erofs_step *ret, struct romsim_error *err)
{
    int result;

    if (romsim_buffer_puts(&walker->path, "/") < 0 ||
        romsim_buffer_append(&walker->path, entry->name, entry->name_size) < 0)
        result = romsim_error_nomem(err);
    else
        result = romsim_erofs_budget_pay(walker->budget, STEP_COST + walker->path.size, err);
    if (result == 0) {
        walker->found = (struct romsim_erofs_inode){.nid = entry->nid};
        result = romsim_erofs_inode(walker->erofs, entry->nid, &walker->found, err);
        fill_step(walker, ret);
    }
    walker->state = result == 0 && S_ISDIR(walker->found.mode) ? AT_DIRECTORY : INSIDE;
    if (result == 0)
        return 1;
    if (!ends_walk(err))
        return ROMSIM_EROFS_DAMAGED;
    walker->state = ENDED;
    return -1;
}

static int next(struct romsim_erofs_walker *walker, struct romsim_erofs_step *ret,
                struct romsim_error *err)
{
    if (walker->state == BEFORE_START)
        return start(walker, ret);
    if (walker->state == AT_DIRECTORY) {
        walker->state = INSIDE;
        if (enter(walker, err) < 0)
            return damaged(walker, walker->levels.count, ret, err);
    }
    while (walker->state == INSIDE && walker->levels.count) {
        struct level *level = &walker->levels.items[walker->levels.count - 1];
        struct romsim_erofs_dirent entry;
        int found = next_name(walker, level, &entry, err);

        cut_path(&walker->path, level->path_size);
        if (found > 0)
            return visit(walker, &entry, ret, err);
        if (found < 0) {
            level->cursor =
                erofs_dir_behind(walker->erofs, &level->directory, level->cursor, walker->scratch);
            walker->found = level->directory;
            return damaged(walker, walker->levels.count - 1, ret, err);
        }
        walker->levels.count--;
    }
    walker->state = ENDED;
    return 0;
}

int romsim_erofs_walker_next(struct romsim_erofs_walker *walker, struct romsim_erofs_step *ret,
                             struct romsim_error *err)
{
    struct romsim_error local = {0}; /* what it is decides */
    int result = next(walker, ret, &local);

    if ((result < 0 || result == ROMSIM_EROFS_DAMAGED) && err)
        *err = local;
    return result;
}

void romsim_erofs_walker_skip(struct romsim_erofs_walker *walker)
{
    if (walker->state == AT_DIRECTORY)
        walker->state = INSIDE;
}

bool romsim_erofs_walker_is_last(struct romsim_erofs_walker *walker)
{
    struct romsim_erofs_dirent entry;
    struct level level;
    int found;

    if (!walker->levels.count)
        return true;
    level = walker->levels.items[walker->levels.count - 1];
    while ((found = next_name(walker, &level, &entry, NULL)) < 0)
        level.cursor =
            erofs_dir_behind(walker->erofs, &level.directory, level.cursor, walker->scratch);
    return !found;
}

/* ---- with a callback ----------------------------------------------------------------------- */

static int walk(struct romsim_erofs_walker *walker, romsim_erofs_visit *visit_file, void *context,
                struct romsim_error *err)
{
    struct romsim_erofs_step step;
    int result;

    while ((result = romsim_erofs_walker_next(walker, &step, err)) == 1) {
        result = visit_file(context, step.path, &step.inode);
        if (result == ROMSIM_EROFS_WALK_SKIP)
            romsim_erofs_walker_skip(walker);
        else if (result)
            return result;
    }
    return result ? -1 : 0;
}

int romsim_erofs_walk_from(struct romsim_erofs *erofs, const struct romsim_erofs_inode *from,
                           const char *path, romsim_erofs_visit *visit_file, void *context,
                           struct romsim_error *err)
{
    struct romsim_erofs_budget budget;
    struct romsim_erofs_walker *walker;
    int result;

    romsim_erofs_budget_init(&budget, erofs);
    walker = romsim_erofs_walker_new(erofs, from, path, &budget, err);
    result = walker ? walk(walker, visit_file, context, err) : -1;
    romsim_erofs_walker_free(walker);
    return result;
}

int romsim_erofs_walk(struct romsim_erofs *erofs, romsim_erofs_visit *visit_file, void *context,
                      struct romsim_error *err)
{
    struct romsim_erofs_inode root;

    if (romsim_erofs_inode(erofs, erofs->super.root_nid, &root, err) < 0)
        return -1;
    return romsim_erofs_walk_from(erofs, &root, "", visit_file, context, err);
}
