/* SPDX-License-Identifier: BSD-3-Clause */
/* map.c: what the bytes of an image are. */
#include "map.h"

#include <romsim/checked.h>
#include <romsim/erofs.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    SUPERBLOCK_AT = 1024,
    SUPERBLOCK_SIZE = 128,
    INODE_SIZE = 32,
    INODE_SIZE_EXTENDED = 64,
    RANGES_MAX = 1 << 20 /* an image of chunks says more than anybody reads */
};

const char *map_kind_name(enum map_kind kind)
{
    static const char *const names[] = {[MAP_KIND_SUPERBLOCK] = "superblock",
                                        [MAP_KIND_INODE] = "inode",
                                        [MAP_KIND_DIRECTORY] = "directory",
                                        [MAP_KIND_LINK] = "link",
                                        [MAP_KIND_FILE] = "file"};

    return names[kind];
}

/* ---- making ------------------------------------------------------------------------------- */

/* Every piece of a file's data, as far as it has a place of its own in the image. */
static int add_data(struct map *map, struct romsim_erofs *erofs,
                    const struct romsim_erofs_inode *inode, enum map_kind kind)
{
    struct romsim_erofs_place place;
    uint64_t offset = 0;

    for (unsigned i = 0; i < RANGES_MAX && offset < inode->size; i++) {
        struct map_range range = {.file = map->files.count - 1, .kind = kind};

        if (map->ranges.count >= RANGES_MAX ||
            romsim_erofs_place(erofs, inode, offset, &place, NULL) < 0 || !place.length)
            return 0;
        range.offset = place.position;
        range.size = place.stored;
        range.start = place.start;
        range.length = place.length;
        if (place.stored && map_ranges_append(&map->ranges, range) < 0)
            return -1;
        if (!checked_add(place.start, place.length, &offset))
            return 0;
    }
    return 0;
}

static int add_inode(struct map *map, const struct romsim_erofs_inode *inode)
{
    const struct map_range range = {.offset = inode->offset,
                                    .size = (inode->extended ? INODE_SIZE_EXTENDED : INODE_SIZE) +
                                            (uint64_t)inode->xattr_size,
                                    .file = map->files.count - 1,
                                    .kind = MAP_KIND_INODE};

    if (inode->nid >> 63 || map->ranges.count >= RANGES_MAX) /* in the metabox */
        return 0;
    return map_ranges_append(&map->ranges, range);
}

static int add_file(struct map *map, const char *path, const struct romsim_erofs_inode *inode)
{
    struct map_file file = {
        .path = strdup(path), .nid = inode->nid, .size = inode->size, .mode = inode->mode};

    if (file.path && map_files_append(&map->files, file) == 0)
        return 0;
    free(file.path);
    return -1;
}

static int add_step(struct map *map, struct romsim_erofs *erofs,
                    const struct romsim_erofs_step *step)
{
    const struct romsim_erofs_inode *inode = &step->inode;

    if (add_file(map, step->path, inode) < 0 || add_inode(map, inode) < 0)
        return -1;
    switch (inode->mode & S_IFMT) {
    case S_IFREG:
        return add_data(map, erofs, inode, MAP_KIND_FILE);
    case S_IFDIR:
        return add_data(map, erofs, inode, MAP_KIND_DIRECTORY);
    case S_IFLNK:
        return add_data(map, erofs, inode, MAP_KIND_LINK);
    default:
        return 0;
    }
}

static int walk(struct map *map, struct romsim_erofs *erofs, struct romsim_error *err)
{
    const struct map_range super = {
        .offset = SUPERBLOCK_AT, .size = SUPERBLOCK_SIZE, .kind = MAP_KIND_SUPERBLOCK};
    struct romsim_erofs_budget budget;
    struct romsim_erofs_inode root;
    struct romsim_erofs_walker *walker;
    struct romsim_erofs_step step;
    int found, status = map_ranges_append(&map->ranges, super);

    if (status < 0 || romsim_erofs_inode(erofs, romsim_erofs_root(erofs), &root, NULL) < 0)
        return status;
    romsim_erofs_budget_init(&budget, erofs);
    walker = romsim_erofs_walker_new(erofs, &root, "", &budget, err);
    if (!walker)
        return -1;
    while (status == 0 && (found = romsim_erofs_walker_next(walker, &step, NULL)) > 0)
        if (found == 1)
            status = add_step(map, erofs, &step);
    romsim_erofs_walker_free(walker);
    return status;
}

static int compare_ranges(const void *a, const void *b)
{
    const struct map_range *left = a, *right = b;

    if (left->offset != right->offset)
        return left->offset < right->offset ? -1 : 1;
    return left->file < right->file ? -1 : left->file > right->file;
}

/* Drops what begins in another one: hard links, and files that share their blocks. */
static void make_disjoint(struct map *map)
{
    struct map_range *ranges = map->ranges.items;
    size_t kept = 0;
    uint64_t end = 0;

    if (map->ranges.count)
        qsort(ranges, map->ranges.count, sizeof(*ranges), compare_ranges);
    for (size_t i = 0; i < map->ranges.count; i++) {
        if (ranges[i].offset < end || !checked_add(ranges[i].offset, ranges[i].size, &end))
            continue;
        ranges[kept++] = ranges[i];
    }
    map->ranges.count = kept;
}

static int compare_nids(const void *a, const void *b, void *context)
{
    const struct map_file *files = context;
    size_t left = *(const size_t *)a, right = *(const size_t *)b;

    if (files[left].nid != files[right].nid)
        return files[left].nid < files[right].nid ? -1 : 1;
    return left < right ? -1 : left > right;
}

static int index_nids(struct map *map)
{
    map->by_nid = calloc(map->files.count + 1, sizeof(*map->by_nid));
    if (!map->by_nid)
        return -1;
    for (size_t i = 0; i < map->files.count; i++)
        map->by_nid[i] = i;
    qsort_r(map->by_nid, map->files.count, sizeof(*map->by_nid), compare_nids, map->files.items);
    return 0;
}

struct map *map_new(struct romsim_blob *image, struct romsim_error *err)
{
    CLEANUP_EROFS struct romsim_erofs *erofs = romsim_erofs_open(image, NULL);
    struct map *map = calloc(1, sizeof(*map));

    if (map && (!erofs || walk(map, erofs, err) == 0) && index_nids(map) == 0) {
        make_disjoint(map);
        return map;
    }
    map_free(map);
    romsim_error_nomem(err);
    return NULL;
}

void map_free(struct map *map)
{
    if (!map)
        return;
    for (size_t i = 0; i < map->files.count; i++)
        free(map->files.items[i].path);
    map_files_reset(&map->files);
    map_ranges_reset(&map->ranges);
    free(map->by_nid);
    free(map);
}

/* ---- looking ------------------------------------------------------------------------------ */

const struct map_file *map_file(const struct map *map, uint64_t nid)
{
    size_t low = 0, high = map->files.count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (map->files.items[map->by_nid[middle]].nid < nid)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == map->files.count || map->files.items[map->by_nid[low]].nid != nid)
        return NULL;
    return &map->files.items[map->by_nid[low]];
}

int map_find(const struct map *map, uint64_t offset, uint64_t end, struct map_range *ret)
{
    size_t low = 0, high = map->ranges.count;
    struct map_range range;
    uint64_t cut;

    /* The first one that ends behind `offset`. */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct map_range *candidate = &map->ranges.items[middle];

        if (candidate->offset + candidate->size <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    if (offset >= end || low == map->ranges.count || map->ranges.items[low].offset >= end)
        return 0;
    range = map->ranges.items[low];
    cut = range.offset < offset ? offset - range.offset : 0;
    if (range.length == range.size) {
        range.start += cut;
        range.length = min_u64(range.length - cut, end - range.offset - cut);
    }
    range.offset += cut;
    range.size = min_u64(range.size - cut, end - range.offset);
    *ret = range;
    return 1;
}
