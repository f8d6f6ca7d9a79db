/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dir.c: directories.  A directory is a row of blocks, each with its own dirents and names, sorted
 * by name over all blocks.  Each touched name is checked when it is touched.
 */
#include "reader.h"

#include <romsim/text.h>

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

int erofs_dir_block_any(struct romsim_erofs *erofs, const struct romsim_erofs_inode *directory,
                        uint64_t index, void *scratch, struct erofs_dir_block *ret,
                        struct romsim_error *err)
{
    const uint32_t dirent = sizeof(struct erofs_dirent);
    struct erofs_dir_block block = {0};

    if (load_block(erofs, directory, index, scratch, &block, err) < 0)
        return -1;
    if (block.size < dirent)
        return bad_directory(directory, index, "too short for a dirent", err);
    block.count = min_u64(erofs_in_block(erofs, name_offset(&block, 0)), block.size) / dirent;
    if (!block.count)
        return bad_directory(directory, index, "no dirent before the first name", err);
    *ret = block;
    return 0;
}

int erofs_dir_block(struct romsim_erofs *erofs, const struct romsim_erofs_inode *directory,
                    uint64_t index, void *scratch, struct erofs_dir_block *ret,
                    struct romsim_error *err)
{
    struct erofs_dir_block block;
    uint32_t names;

    if (erofs_dir_block_any(erofs, directory, index, scratch, &block, err) < 0)
        return -1;
    names = name_offset(&block, 0);
    if (names % sizeof(struct erofs_dirent))
        return bad_directory(directory, index, "the first name's offset is no multiple of 12", err);
    if (names >= block.size)
        return bad_directory(directory, index, "the first name is beyond the block", err);
    *ret = block;
    return 0;
}

static int check_name(const struct romsim_erofs_inode *directory, const char *name, uint32_t size,
                      struct romsim_error *err)
{
    unsigned long long nid = directory->nid;

    if (!size || size > EROFS_NAME_LEN)
        return romsim_error_set(err, EUCLEAN, "directory nid %llu: a name of %u bytes", nid, size);
    if (memchr(name, '/', size))
        return romsim_error_set(err, EUCLEAN, "directory nid %llu: a '/' in the name \"%s\"", nid,
                                romsim_text_quote(name, size, (char[256]){0}, 256));
    return 0;
}

int erofs_dir_entry(const struct erofs_dir_block *block, uint32_t index,
                    const struct romsim_erofs_inode *directory, struct romsim_erofs_dirent *ret,
                    struct romsim_error *err)
{
    const struct erofs_dirent *dirents = (const struct erofs_dirent *)block->bytes;
    uint32_t start = name_offset(block, index);
    uint32_t end = block->size, size;
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
    if (check_name(directory, name, end - start, err) < 0)
        return -1;
    /* A NUL ends the block's last name; for the kernel's lookup and for readdir(3) it ends any. */
    size = strnlen(name, end - start);
    if (!size)
        return check_name(directory, name, 0, err);
    *ret = (struct romsim_erofs_dirent){
        .nid = le64_get(dirents[index].nid),
        .name = name,
        .name_size = size,
        .cut_by_nul = size < end - start,
        .file_type = dirents[index].file_type,
    };
    return 0;
}

int erofs_dir_check(const struct romsim_erofs_inode *directory, struct romsim_error *err)
{
    if (S_ISDIR(directory->mode))
        return 0;
    return romsim_error_set(err, ENOTDIR, "nid %llu is no directory",
                            (unsigned long long)directory->nid);
}

/* It is always more than `cursor`.  romsim_erofs_readdir() may have gone on to the next block
 * before it failed: then that block is the next to fail. */
uint64_t erofs_dir_behind(struct romsim_erofs *erofs, const struct romsim_erofs_inode *directory,
                          uint64_t cursor, void *scratch)
{
    const uint32_t dirent = sizeof(struct erofs_dirent);
    uint64_t start = cursor - erofs_in_block(erofs, cursor);
    uint64_t entry = (cursor - start + dirent - 1) / dirent + 1;
    struct erofs_dir_block block;

    if (erofs_dir_block(erofs, directory, start >> erofs->super.block_bits, scratch, &block, NULL) <
            0 ||
        entry >= block.count)
        return start + erofs_block_size(erofs);
    return start + entry * dirent;
}

/* A cursor is the offset of a dirent in the directory, as the kernel's f_pos. */
int romsim_erofs_readdir(struct romsim_erofs *erofs, const struct romsim_erofs_inode *directory,
                         uint64_t cursor, uint64_t *ret_cursor, struct romsim_erofs_dirent *ret,
                         void *scratch, struct romsim_error *err)
{
    const uint32_t dirent = sizeof(struct erofs_dirent);

    if (erofs_dir_check(directory, err) < 0)
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
