/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dir.c: directories.  A directory is a row of blocks, each with its own dirents and names, sorted
 * by name over all blocks: a lookup is a binary search for the block, by its first name, and one
 * in the block.  Each touched name is checked when it is touched, so a lookup in a directory of
 * n blocks looks at O(log n) of them, and an unsorted directory only hides names.
 */
#include "reader.h"

#include <errno.h>
#include <sys/stat.h>

static int bad_directory(const struct romsim_erofs_inode *directory, uint64_t index,
                         const char *what, struct romsim_error *err)
{
    return romsim_error_set(err, EUCLEAN, "directory nid %llu, block %llu: %s",
                            (unsigned long long)directory->nid, (unsigned long long)index, what);
}

/* The bytes of a directory's block, from the image itself where they stand there. */
static int load_block(struct romsim_erofs *erofs, const struct romsim_erofs_inode *directory,
                      uint64_t index, void *scratch, struct erofs_dir_block *block,
                      struct romsim_error *err)
{
    uint64_t offset = index << erofs->super.block_bits;
    uint64_t size = min_u64(erofs_block_size(erofs), directory->size - offset);
    uint64_t mapped, position;
    size_t got;
    int found =
        romsim_erofs_map(erofs, directory, offset, size, &block->bytes, &mapped, &position, err);

    block->size = size;
    if (found < 0)
        return -1;
    if (found && mapped == size)
        return 0;
    if (!scratch)
        return romsim_error_set(err, EINVAL, "directory nid %llu cannot be read without scratch",
                                (unsigned long long)directory->nid);
    block->bytes = scratch;
    return romsim_erofs_read(erofs, directory, offset, scratch, size, &got, err);
}

static uint16_t name_offset(const struct erofs_dir_block *block, uint32_t index)
{
    const struct erofs_dirent *dirents = (const struct erofs_dirent *)block->bytes;

    return le16_get(dirents[index].nameoff);
}

int erofs_dir_block(struct romsim_erofs *erofs, const struct romsim_erofs_inode *directory,
                    uint64_t index, void *scratch, struct erofs_dir_block *ret,
                    struct romsim_error *err)
{
    const uint32_t dirent = sizeof(struct erofs_dirent);
    struct erofs_dir_block block = {0};
    uint32_t names;

    if (load_block(erofs, directory, index, scratch, &block, err) < 0)
        return -1;
    if (block.size < dirent)
        return bad_directory(directory, index, "too short for a dirent", err);
    names = name_offset(&block, 0);
    if (!names || names % dirent)
        return bad_directory(directory, index, "the first name's offset is no multiple of 12, or 0",
                             err);
    if (names >= block.size)
        return bad_directory(directory, index, "the first name is beyond the block", err);
    block.count = names / dirent;
    *ret = block;
    return 0;
}

static bool name_is_good(const char *name, uint32_t size)
{
    return size && size <= EROFS_NAME_LEN && !memchr(name, '/', size) && !memchr(name, 0, size);
}

int erofs_dir_entry(const struct erofs_dir_block *block, uint32_t index,
                    const struct romsim_erofs_inode *directory, struct romsim_erofs_dirent *ret,
                    struct romsim_error *err)
{
    const struct erofs_dirent *dirents = (const struct erofs_dirent *)block->bytes;
    uint32_t start = name_offset(block, index);
    uint32_t end = block->size;
    const char *name;

    if (index + 1 < block->count)
        end = name_offset(block, index + 1);
    if (start < block->count * sizeof(*dirents) || start >= end || end > block->size)
        return romsim_error_set(err, EUCLEAN,
                                "directory nid %llu: the name of a dirent is from %u to %u of a "
                                "block of %u",
                                (unsigned long long)directory->nid, start, end, block->size);
    name = (const char *)block->bytes + start;
    if (index + 1 == block->count)
        end = start + strnlen(name, end - start);
    if (!name_is_good(name, end - start))
        return romsim_error_set(err, EUCLEAN,
                                "directory nid %llu: a name that is empty, longer than 255 bytes "
                                "or has a '/' or NUL in it",
                                (unsigned long long)directory->nid);
    *ret = (struct romsim_erofs_dirent){
        .nid = le64_get(dirents[index].nid),
        .name = name,
        .name_size = end - start,
        .file_type = dirents[index].file_type,
    };
    return 0;
}

static int check_directory(const struct romsim_erofs_inode *directory, struct romsim_error *err)
{
    if (S_ISDIR(directory->mode))
        return 0;
    return romsim_error_set(err, ENOTDIR, "nid %llu is no directory",
                            (unsigned long long)directory->nid);
}

static int compare_names(const char *a, size_t a_size, const char *b, size_t b_size)
{
    int order = memcmp(a, b, min_u64(a_size, b_size));

    if (order)
        return order;
    return (a_size > b_size) - (a_size < b_size);
}

/* A name that is looked up, and where. */
struct lookup {
    struct romsim_erofs *erofs;
    const struct romsim_erofs_inode *directory;
    const char *name;
    size_t name_size;
    void *scratch;
};

/* The last block whose first name is not behind the name; 0 if there is none. */
static int find_block(const struct lookup *lookup, struct erofs_dir_block *ret,
                      struct romsim_error *err)
{
    uint64_t low = 0, high = (lookup->directory->size - 1) >> lookup->erofs->super.block_bits;

    while (low < high) {
        uint64_t middle = high - (high - low) / 2;
        struct romsim_erofs_dirent first;

        if (erofs_dir_block(lookup->erofs, lookup->directory, middle, lookup->scratch, ret, err) <
                0 ||
            erofs_dir_entry(ret, 0, lookup->directory, &first, err) < 0)
            return -1;
        if (compare_names(first.name, first.name_size, lookup->name, lookup->name_size) > 0)
            high = middle - 1;
        else
            low = middle;
    }
    return erofs_dir_block(lookup->erofs, lookup->directory, low, lookup->scratch, ret, err);
}

static int find_entry(const struct lookup *lookup, const struct erofs_dir_block *block,
                      uint64_t *ret_nid, struct romsim_error *err)
{
    uint32_t low = 0, high = block->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        struct romsim_erofs_dirent entry;
        int order;

        if (erofs_dir_entry(block, middle, lookup->directory, &entry, err) < 0)
            return -1;
        order = compare_names(entry.name, entry.name_size, lookup->name, lookup->name_size);
        if (!order) {
            *ret_nid = entry.nid;
            return 1;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}

int romsim_erofs_lookup(struct romsim_erofs *erofs, const struct romsim_erofs_inode *directory,
                        const char *name, size_t name_size, uint64_t *ret_nid,
                        struct romsim_error *err)
{
    CLEANUP_FREE void *scratch = NULL;
    struct lookup lookup = {erofs, directory, name, name_size, NULL};
    struct erofs_dir_block block;

    if (check_directory(directory, err) < 0)
        return -1;
    if (!directory->size || !name_size || name_size > EROFS_NAME_LEN)
        return 0;
    if (erofs_dir_needs_scratch(directory)) {
        scratch = malloc(erofs_block_size(erofs));
        if (!scratch)
            return romsim_error_nomem(err);
        lookup.scratch = scratch;
    }
    if (find_block(&lookup, &block, err) < 0)
        return -1;
    return find_entry(&lookup, &block, ret_nid, err);
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

/* A cursor is the offset of a dirent in the directory, as the kernel's f_pos. */
int romsim_erofs_readdir(struct romsim_erofs *erofs, const struct romsim_erofs_inode *directory,
                         uint64_t cursor, uint64_t *ret_cursor, struct romsim_erofs_dirent *ret,
                         void *scratch, struct romsim_error *err)
{
    const uint32_t dirent = sizeof(struct erofs_dirent);

    if (check_directory(directory, err) < 0)
        return -1;
    while (cursor < directory->size) {
        uint64_t index = cursor >> erofs->super.block_bits;
        uint64_t entry = (erofs_in_block(erofs, cursor) + dirent - 1) / dirent;
        uint64_t start = index << erofs->super.block_bits;
        struct erofs_dir_block block;

        if (erofs_dir_block(erofs, directory, index, scratch, &block, err) < 0)
            return -1;
        if (entry >= block.count) { /* a cursor that is not ours, or a block of 12-byte rests */
            cursor = start + erofs_block_size(erofs);
            continue;
        }
        if (erofs_dir_entry(&block, entry, directory, ret, err) < 0)
            return -1;
        *ret_cursor = entry + 1 < block.count ? start + (entry + 1) * dirent
                                              : start + erofs_block_size(erofs);
        return 1;
    }
    return 0;
}
