/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rom_listing.c: the names of an image, or of a part of it, in memory.
 *
 * 24 bytes an entry and the name: paths are put together when one is wanted, so that deep trees of
 * long names take no more memory than their image.
 */
#include "sim/cli/rom.h"

#include <romsim/text.h>

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum { DEPTH_MAX = ROM_DEPTH_MAX, NAMES_MAX = 1 << 30 };

struct loading {
    struct rom_listing *listing;
    bool recursive;
    size_t base_depth;
    uint32_t last[DEPTH_MAX]; /* the last entry of each depth */
};

static size_t count_slashes(const char *path)
{
    size_t count = 0;

    for (path = strchr(path, '/'); path; path = strchr(path + 1, '/'))
        count++;
    return count;
}

static int add_entry(void *context, const char *path, const struct romsim_erofs_inode *inode)
{
    struct loading *loading = context;
    struct rom_listing *listing = loading->listing;
    const char *name = strrchr(path, '/') + 1;
    size_t index = listing->entries.count;
    size_t depth = index ? count_slashes(path) - loading->base_depth : 0;
    struct rom_entry entry = {
        .nid = inode->nid,
        .parent = depth ? loading->last[depth - 1] : 0,
        .name = listing->names.size,
        .depth = depth,
    };

    if (depth >= DEPTH_MAX || index >= UINT32_MAX)
        return -EUCLEAN;
    loading->last[depth] = index;
    if (romsim_buffer_append(&listing->names, name, strlen(name) + 1) < 0 ||
        rom_entries_append(&listing->entries, entry) < 0)
        return -ENOMEM;
    return depth && !loading->recursive ? ROMSIM_EROFS_WALK_SKIP : 0;
}

/* "/a/b" from "a//./b/", "" for the root. */
static char *normalize(const char *path)
{
    char *ret = malloc(strlen(path) + 2);
    size_t size = 0;

    if (!ret)
        return NULL;
    while (*(path += strspn(path, "/"))) {
        size_t length = strcspn(path, "/");

        if (length != 1 || path[0] != '.') {
            ret[size++] = '/';
            memcpy(ret + size, path, length);
            size += length;
        }
        path += length;
    }
    ret[size] = '\0';
    return ret;
}

int rom_listing_try(struct romsim_erofs *erofs, const char *path, bool recursive,
                    struct rom_listing *ret, struct romsim_error *error)
{
    struct loading loading = {.listing = ret, .recursive = recursive};
    struct romsim_erofs_inode inode;
    int result;

    *ret = (struct rom_listing){.erofs = erofs, .names = ROMSIM_BUFFER_INIT(NAMES_MAX)};
    if (rom_lookup(erofs, path, ROM_NO_FOLLOW, &inode, error) < 0)
        return -1;
    ret->base = normalize(path ? path : "");
    if (!ret->base)
        return romsim_error_nomem(error);
    loading.base_depth = count_slashes(ret->base);
    result = romsim_erofs_walk_from(erofs, &inode, ret->base, add_entry, &loading, error);
    if (result != 0 && result != -1)
        romsim_error_system(error, -result, "cannot list it");
    return result ? -1 : 0;
}

int rom_listing_load(struct romsim_erofs *erofs, const char *file, const char *path, bool recursive,
                     struct rom_listing *ret)
{
    struct romsim_error error = {0};

    if (rom_listing_try(erofs, path, recursive, ret, &error) < 0)
        return rom_report(file, &error);
    return CLI_OK;
}

void rom_listing_release(struct rom_listing *listing)
{
    free(listing->base);
    rom_entries_reset(&listing->entries);
    romsim_buffer_reset(&listing->names);
}

const char *rom_name(const struct rom_listing *listing, size_t index)
{
    return listing->names.data + listing->entries.items[index].name;
}

char *rom_path(const struct rom_listing *listing, size_t index, bool relative)
{
    const struct rom_entry *entries = listing->entries.items;
    const char *base = relative ? "" : listing->base;
    size_t size = strlen(base), end;
    char *path;

    for (size_t i = index; i; i = entries[i].parent)
        size += strlen(rom_name(listing, i)) + 1;
    path = malloc(size + 2);
    if (!path)
        return NULL;
    memcpy(path, base, strlen(base));
    path[size] = '\0';
    end = size;
    for (size_t i = index; i; i = entries[i].parent) {
        size_t length = strlen(rom_name(listing, i));

        end -= length;
        memcpy(path + end, rom_name(listing, i), length);
        path[--end] = '/';
    }
    if (!size && !relative) {
        path[0] = '/';
        path[1] = '\0';
    }
    if (relative && size)
        memmove(path, path + 1, size);
    return path;
}

int rom_inode(const struct rom_listing *listing, size_t index, struct romsim_erofs_inode *ret,
              struct romsim_error *error)
{
    return romsim_erofs_inode(listing->erofs, listing->entries.items[index].nid, ret, error);
}
