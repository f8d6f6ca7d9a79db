/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * walk.c: visiting every file of an image, depth first, without recursion.
 *
 * A walk ends for any image: a directory is entered once (a second name for it is an error, so
 * loops are), and what all directories claim to hold together must fit into the image, because the
 * blocks of one directory may be the blocks of another, too.
 */
#include "reader.h"

#include <romsim/buffer.h>
#include <romsim/vector.h>

#include <errno.h>
#include <sys/stat.h>

enum {
    DEPTH_MAX = 1024,
    PATH_SIZE_MAX = DEPTH_MAX * (EROFS_NAME_LEN + 1) + 1,
    COMPRESSED_RATIO_MAX = 64, /* of directories */
};

/* An open directory of the walk. */
struct level {
    struct romsim_erofs_inode directory;
    uint64_t cursor;
    size_t path_size; /* of the directory's own path */
};

DEFINE_VECTOR(levels, struct level);

struct walk {
    struct romsim_erofs *erofs;
    romsim_erofs_visit *visit;
    void *context;
    struct levels levels;
    struct erofs_nid_set directories; /* entered ones */
    struct romsim_buffer path;
    uint64_t budget; /* bytes of directories that may still be read */
    void *scratch;
};

static int enter(struct walk *walk, const struct romsim_erofs_inode *directory,
                 struct romsim_error *err)
{
    struct level level = {.directory = *directory, .path_size = walk->path.size};
    uint64_t cost = directory->size;
    int added;

    if (romsim_erofs_is_compressed(directory) || erofs_nid_in_metabox(directory->nid))
        cost /= COMPRESSED_RATIO_MAX;
    if (walk->levels.count == DEPTH_MAX)
        return romsim_error_set(err, EUCLEAN, "directories are nested deeper than %d", DEPTH_MAX);
    added = erofs_nid_set_add(&walk->directories, directory->nid);
    if (added < 0)
        return romsim_error_nomem(err);
    if (!added)
        return romsim_error_set(err, EUCLEAN, "directory nid %llu has more than one name (a loop?)",
                                (unsigned long long)directory->nid);
    if (cost > walk->budget)
        return romsim_error_set(err, EUCLEAN,
                                "directory nid %llu: directories claim more bytes than the image "
                                "can hold",
                                (unsigned long long)directory->nid);
    walk->budget -= cost;
    if (levels_append(&walk->levels, level) < 0)
        return romsim_error_nomem(err);
    return 0;
}

static void cut_path(struct romsim_buffer *path, size_t size)
{
    path->size = size;
    if (path->data)
        path->data[size] = 0;
}

static int visit_entry(struct walk *walk, const struct romsim_erofs_dirent *entry,
                       struct romsim_error *err)
{
    struct romsim_erofs_inode inode;
    int result;

    if (romsim_buffer_puts(&walk->path, "/") < 0 ||
        romsim_buffer_append(&walk->path, entry->name, entry->name_size) < 0)
        return romsim_error_nomem(err);
    if (romsim_erofs_inode(walk->erofs, entry->nid, &inode, err) < 0)
        return -1;
    result = walk->visit(walk->context, walk->path.data, &inode);
    if (result)
        return result == ROMSIM_EROFS_WALK_SKIP ? 0 : result;
    return S_ISDIR(inode.mode) ? enter(walk, &inode, err) : 0;
}

/* Visits the next entry of the innermost directory, or leaves it. */
static int step(struct walk *walk, struct romsim_error *err)
{
    struct level *level = &walk->levels.items[walk->levels.count - 1];
    struct romsim_erofs_dirent entry;
    int found;

    cut_path(&walk->path, level->path_size);
    found = romsim_erofs_readdir(walk->erofs, &level->directory, level->cursor, &level->cursor,
                                 &entry, walk->scratch, err);
    if (found < 0)
        return -1;
    if (!found) {
        walk->levels.count--;
        return 0;
    }
    return erofs_is_dot(&entry) ? 0 : visit_entry(walk, &entry, err);
}

static int run(struct walk *walk, const struct romsim_erofs_inode *start, const char *path,
               struct romsim_error *err)
{
    int result = walk->visit(walk->context, *path ? path : "/", start);

    if (result)
        return result == ROMSIM_EROFS_WALK_SKIP ? 0 : result;
    if (!S_ISDIR(start->mode))
        return 0;
    if (romsim_buffer_puts(&walk->path, path) < 0)
        return romsim_error_nomem(err);
    if (enter(walk, start, err) < 0)
        return -1;
    while (walk->levels.count) {
        result = step(walk, err);
        if (result)
            return result;
    }
    return 0;
}

int romsim_erofs_walk_from(struct romsim_erofs *erofs, const struct romsim_erofs_inode *start,
                           const char *path, romsim_erofs_visit *visit, void *context,
                           struct romsim_error *err)
{
    struct walk walk = {
        .erofs = erofs,
        .visit = visit,
        .context = context,
        .path = ROMSIM_BUFFER_INIT(PATH_SIZE_MAX),
        .budget = erofs->size,
        .scratch = malloc(erofs_block_size(erofs)),
    };
    int result;

    if (!walk.scratch)
        return romsim_error_nomem(err);
    result = run(&walk, start, path, err);
    levels_reset(&walk.levels);
    erofs_nid_set_reset(&walk.directories);
    romsim_buffer_reset(&walk.path);
    free(walk.scratch);
    return result;
}

int romsim_erofs_walk(struct romsim_erofs *erofs, romsim_erofs_visit *visit, void *context,
                      struct romsim_error *err)
{
    struct romsim_erofs_inode root;

    if (romsim_erofs_inode(erofs, erofs->super.root_nid, &root, err) < 0)
        return -1;
    return romsim_erofs_walk_from(erofs, &root, "", visit, context, err);
}
