/* SPDX-License-Identifier: BSD-3-Clause */
/* limit.c: how much an image may unfold to. */
#include <romsim/checked.h>
#include <romsim/rom.h>

#include <string.h>
#include <sys/stat.h>

/* Extents that are counted once the limit is passed, for a figure in the message: enough for every
 * file of a usual image, some seconds of work at most. */
enum { EXTENTS_MORE = 1 << 22 };

/* What a hole costs: a file's holes take as many chunk indexes as they like, and indexes can be
 * shared.  An honest index of 4 bytes is well below 64 times its size. */
enum { HOLE_COST = 64 };

static uint64_t add_up(uint64_t a, uint64_t b)
{
    uint64_t sum;

    return checked_add(a, b, &sum) ? sum : UINT64_MAX;
}

uint64_t romsim_rom_limit(uint64_t image_size)
{
    uint64_t limit;

    return checked_multiply(image_size, 64, &limit) ? add_up(limit, UINT64_C(1) << 30) : UINT64_MAX;
}

/* ---- names of the same file --------------------------------------------------------------- */

int romsim_rom_names_init(struct romsim_rom_names *names, const struct romsim_rom_listing *listing)
{
    names->count = listing->entries.count * 2 + 1;
    names->slots = calloc(names->count, sizeof(*names->slots));
    return names->slots ? 0 : -1;
}

void romsim_rom_names_clear(struct romsim_rom_names *names)
{
    memset(names->slots, 0, names->count * sizeof(*names->slots));
}

void romsim_rom_names_release(struct romsim_rom_names *names)
{
    free(names->slots);
}

/* A slot for each bit of a nid's hash; a collision only costs a comparison more. */
size_t romsim_rom_names_first(struct romsim_rom_names *names,
                              const struct romsim_rom_listing *listing, size_t index)
{
    const struct romsim_rom_entry *entries = listing->entries.items;
    uint64_t nid = entries[index].nid;
    size_t slot = (nid * UINT64_C(0x9E3779B97F4A7C15) >> 20) % names->count;

    while (names->slots[slot]) {
        size_t other = names->slots[slot] - 1;

        if (entries[other].nid == nid)
            return other;
        slot = (slot + 1) % names->count;
    }
    names->slots[slot] = (uint32_t)index + 1;
    return 0;
}

/* ---- data --------------------------------------------------------------------------------- */

struct counting {
    struct romsim_erofs *erofs;
    uint64_t most, size;
    size_t extents_left; /* behind `most` */
};

static bool is_over(struct counting *counting)
{
    return counting->size > counting->most &&
           (!counting->extents_left || !counting->extents_left--);
}

/* Counts the extent at `offset`; returns its length, or 0 if it is damaged. */
static uint64_t count_extent(struct counting *counting, const struct romsim_erofs_inode *inode,
                             uint64_t offset)
{
    uint64_t length, position;
    const uint8_t *bytes;
    int found = romsim_erofs_map(counting->erofs, inode, offset, inode->size - offset, &bytes,
                                 &length, &position, NULL);

    if (found == 0) {
        found = romsim_erofs_hole(counting->erofs, inode, offset, &length, NULL);
        if (found > 0) {
            counting->size = add_up(counting->size, HOLE_COST);
            return length;
        }
    }
    if (found < 0)
        return 0;
    counting->size = add_up(counting->size, length);
    return length;
}

/* Returns false when enough was counted. */
static bool count_file(struct counting *counting, const struct romsim_erofs_inode *inode)
{
    uint64_t length;

    /* Not worth a walk over its index; with a wrong size there is nothing at the end. */
    if (romsim_erofs_is_compressed(inode)) {
        if (inode->size &&
            romsim_erofs_hole(counting->erofs, inode, inode->size - 1, &length, NULL) >= 0)
            counting->size = add_up(counting->size, inode->size);
        return !is_over(counting);
    }
    for (uint64_t offset = 0; offset < inode->size; offset += length) {
        if (is_over(counting))
            return false;
        length = count_extent(counting, inode, offset);
        if (!length)
            break;
    }
    return true;
}

void romsim_rom_data_size(const struct romsim_rom_listing *listing, struct romsim_rom_names *names,
                          uint64_t most, uint64_t *ret, bool *ret_cut)
{
    struct counting counting = {listing->look->erofs, most, 0, EXTENTS_MORE};
    struct romsim_erofs_inode inode;

    *ret_cut = false;
    for (size_t i = 0; i < listing->entries.count && !*ret_cut; i++) {
        if (romsim_rom_inode(listing, i, &inode, NULL) < 0 || !S_ISREG(inode.mode))
            continue;
        if (inode.links > 1 && romsim_rom_names_first(names, listing, i))
            continue;
        *ret_cut = !count_file(&counting, &inode);
    }
    romsim_rom_names_clear(names);
    *ret = counting.size;
}
