/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lookup.c: finding a name in a directory.
 *
 * A binary search for the block, by the blocks' first names, and one in the block.  It takes the
 * steps that the kernel's takes (fs/erofs/namei.c), in the same order and with the same shortcut,
 * so that a directory whose names are damaged or unsorted hides and shows here what it hides and
 * shows in the guest.  The shortcut: what the name has in common with the nearest smaller and the
 * nearest greater one so far, it has in common with all between them, and is not compared again.
 * A name that makes no sense is one that everything is behind.
 */
#include "reader.h"

#include <errno.h>

/* A search: what is looked up, and how far it agrees with the names around what is left. */
struct search {
    const char *name;
    size_t size;
    size_t agrees_below, agrees_above;
};

/* A name as it stands in a block, up to a NUL; where it makes no sense it is empty. */
static const char *name_at(const struct erofs_dir_block *block, uint32_t index, uint32_t mask,
                           size_t *ret_size)
{
    const struct erofs_dirent *dirents = (const struct erofs_dirent *)block->bytes;
    uint32_t start = le16_get(dirents[index].nameoff) & mask;
    uint32_t end = block->size;

    if (index + 1 < block->count)
        end = min_u64(le16_get(dirents[index + 1].nameoff) & mask, block->size);
    if (start >= end) {
        *ret_size = 0;
        return "";
    }
    *ret_size = strnlen((const char *)block->bytes + start, end - start);
    return (const char *)block->bytes + start;
}

/* Where the wanted name is: 0 here, 1 behind this name, -1 before it; notes how far they agree. */
static int compare(struct search *search, const char *name, size_t size)
{
    size_t i = min_u64(search->agrees_below, search->agrees_above);
    int order = 0;

    while (i < size && i < search->size && search->name[i] == name[i])
        i++;
    if (i < size)
        order = i < search->size && (uint8_t)search->name[i] > (uint8_t)name[i] ? 1 : -1;
    else if (i < search->size)
        order = 1;
    if (order)
        *(order > 0 ? &search->agrees_below : &search->agrees_above) = i;
    return order;
}

/* Finds the last block whose first name is not behind the wanted one.  Returns 2 if that is the
 * wanted one, 1, 0 if there is no such block, or -1. */
static int find_block(struct romsim_erofs *erofs, const struct romsim_erofs_inode *directory,
                      struct search search, void *scratch, struct erofs_dir_block *ret,
                      struct romsim_error *err)
{
    uint64_t low = 0, high = ((directory->size - 1) >> erofs->super.block_bits) + 1;
    uint64_t found = UINT64_MAX, loaded = UINT64_MAX;

    while (low < high) {
        uint64_t middle = low + (high - 1 - low) / 2;
        const char *name;
        size_t size;
        int order;

        if (erofs_dir_block_any(erofs, directory, middle, scratch, ret, err) < 0)
            return -1;
        loaded = middle;
        name = name_at(ret, 0, erofs_block_size(erofs) - 1, &size);
        order = compare(&search, name, size);
        if (!order)
            return 2;
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
            found = middle;
        }
    }
    if (found == UINT64_MAX)
        return 0;
    if (found != loaded && erofs_dir_block_any(erofs, directory, found, scratch, ret, err) < 0)
        return -1;
    return 1;
}

/* Finds the dirent in a block whose first name is known to be before it.  False: there is none. */
static bool find_dirent(const struct romsim_erofs *erofs, const struct erofs_dir_block *block,
                        struct search search, uint32_t *ret)
{
    uint32_t low = 1, high = block->count;

    while (low < high) {
        uint32_t middle = low + (high - 1 - low) / 2;
        size_t size;
        const char *name = name_at(block, middle, erofs_block_size(erofs) - 1, &size);
        int order = compare(&search, name, size);

        if (!order) {
            *ret = middle;
            return true;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

static int search_directory(struct romsim_erofs *erofs, const struct romsim_erofs_inode *directory,
                            const struct search *search, void *scratch, uint64_t *ret_nid,
                            struct romsim_error *err)
{
    struct erofs_dir_block block = {0};
    int found = find_block(erofs, directory, *search, scratch, &block, err);
    uint32_t index = 0;

    if (found <= 0)
        return found;
    if (found == 1 && !find_dirent(erofs, &block, *search, &index))
        return 0;
    *ret_nid = le64_get(((const struct erofs_dirent *)block.bytes)[index].nid);
    return 1;
}

int romsim_erofs_lookup(struct romsim_erofs *erofs, const struct romsim_erofs_inode *directory,
                        const char *name, size_t name_size, uint64_t *ret_nid,
                        struct romsim_error *err)
{
    const struct search search = {.name = name, .size = name_size};
    CLEANUP_FREE void *scratch = NULL;

    if (erofs_dir_check(directory, err) < 0)
        return -1;
    if (!directory->size || !name_size || name_size > EROFS_NAME_LEN)
        return 0;
    if (erofs_dir_needs_scratch(directory)) {
        scratch = malloc(erofs_block_size(erofs));
        if (!scratch)
            return romsim_error_nomem(err);
    }
    return search_directory(erofs, directory, &search, scratch, ret_nid, err);
}

int romsim_erofs_lookup_path(struct romsim_erofs *erofs, const char *path,
                             struct romsim_erofs_inode *ret, struct romsim_error *err)
{
    struct romsim_erofs_inode inode;

    if (romsim_erofs_inode(erofs, erofs->super.root_nid, &inode, err) < 0)
        return -1;
    while (*(path += strspn(path, "/"))) {
        size_t size = strcspn(path, "/");
        uint64_t nid;
        int found = romsim_erofs_lookup(erofs, &inode, path, size, &nid, err);

        if (found <= 0)
            return found;
        if (romsim_erofs_inode(erofs, nid, &inode, err) < 0)
            return -1;
        path += size;
    }
    *ret = inode;
    return 1;
}
