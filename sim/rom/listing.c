/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * listing.c: the names of an image, or of a part of it, in memory, for who needs them more than
 * once.
 *
 * 24 bytes an entry and the name: paths are put together when one is wanted, so that deep trees of
 * long names take no more memory than their image.
 */
#include <romsim/rom.h>
#include <romsim/text.h>

#include <errno.h>
#include <string.h>

enum { NAMES_MAX = 1 << 30 };

struct loading {
    struct romsim_rom_listing *listing;
    uint32_t last[ROMSIM_ROM_DEPTH_MAX]; /* the last entry of each depth */
};

static int add_entry(struct loading *loading, const struct romsim_erofs_step *step,
                     struct romsim_error *err)
{
    struct romsim_rom_listing *listing = loading->listing;
    size_t index = listing->entries.count;
    struct romsim_rom_entry entry = {
        .nid = step->inode.nid,
        .parent = step->depth ? loading->last[step->depth - 1] : 0,
        .name = listing->names.size,
        .depth = step->depth,
    };

    if (step->depth >= ROMSIM_ROM_DEPTH_MAX || index >= UINT32_MAX)
        return romsim_error_set(err, EFBIG, "there are too many names in it");
    loading->last[step->depth] = index;
    if (romsim_buffer_append(&listing->names, step->name, strlen(step->name) + 1) < 0 ||
        romsim_rom_entries_append(&listing->entries, entry) < 0)
        return romsim_error_nomem(err);
    return 0;
}

int romsim_rom_listing_load(struct romsim_rom_look *look, const char *path,
                            struct romsim_rom_listing *ret, struct romsim_error *err)
{
    CLEANUP_ROM_WALK struct romsim_rom_walk walk = {0};
    struct loading loading = {.listing = ret};
    struct romsim_erofs_step step;
    bool damaged;
    int result;

    *ret = (struct romsim_rom_listing){.look = look, .names = ROMSIM_BUFFER_INIT(NAMES_MAX)};
    if (romsim_rom_walk_open(look, path, &walk, err) < 0)
        return -1;
    ret->base = STEAL_POINTER(&walk.base);
    while ((result = romsim_rom_walk_next(&walk, &step, &damaged, err)) > 0)
        if (!damaged && add_entry(&loading, &step, err) < 0)
            return -1;
    return result;
}

void romsim_rom_listing_release(struct romsim_rom_listing *listing)
{
    free(listing->base);
    romsim_rom_entries_reset(&listing->entries);
    romsim_buffer_reset(&listing->names);
}

const char *romsim_rom_name(const struct romsim_rom_listing *listing, size_t index)
{
    return listing->names.data + listing->entries.items[index].name;
}

char *romsim_rom_path(const struct romsim_rom_listing *listing, size_t index, bool relative)
{
    const struct romsim_rom_entry *entries = listing->entries.items;
    const char *base = relative ? "" : listing->base;
    size_t size = strlen(base), end;
    char *path;

    for (size_t i = index; i; i = entries[i].parent)
        size += strlen(romsim_rom_name(listing, i)) + 1;
    path = malloc(size + 2);
    if (!path)
        return NULL;
    memcpy(path, base, strlen(base));
    path[size] = '\0';
    end = size;
    for (size_t i = index; i; i = entries[i].parent) {
        size_t length = strlen(romsim_rom_name(listing, i));

        end -= length;
        memcpy(path + end, romsim_rom_name(listing, i), length);
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

int romsim_rom_inode(const struct romsim_rom_listing *listing, size_t index,
                     struct romsim_erofs_inode *ret, struct romsim_error *err)
{
    return romsim_erofs_inode(listing->look->erofs, listing->entries.items[index].nid, ret, err);
}
