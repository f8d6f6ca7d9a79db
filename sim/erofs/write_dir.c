/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * write_dir.c: directories as they stand in an image.
 *
 * A block holds as many entries as fit with a NUL behind the last name.  "." and ".." are sorted
 * among the names, because the kernel searches binary: "#x" comes before them.
 */
#include "sim/erofs/write.h"

#include <string.h>
#include <sys/stat.h>

/* ---- entries in order ------------------------------------------------------------------- */

struct entry {
    const char *name;
    size_t size;
    const struct romsim_inode *inode;
};

/* Goes over a directory's entries, with "." and ".." at their places. */
struct entries {
    const struct romsim_inode *directory;
    const struct romsim_dentry *next;
    size_t dots; /* how many of "." and ".." have been passed */
};

static struct entries entries_of(const struct romsim_inode *directory)
{
    return (struct entries){.directory = directory, .next = directory->children};
}

static bool dots_come_first(const struct entries *entries)
{
    const struct romsim_dentry *next = entries->next;
    size_t size = entries->dots + 1;
    int order;

    if (entries->dots == 2)
        return false;
    if (!next)
        return true;
    order = memcmp("..", next->name, size < next->name_size ? size : next->name_size);
    return order < 0 || (order == 0 && size < next->name_size);
}

static const struct romsim_inode *parent_of(const struct romsim_inode *directory)
{
    return directory->dentry ? directory->dentry->parent : directory;
}

/* The entry at hand; false behind the last one. */
static bool entries_peek(const struct entries *entries, struct entry *ret)
{
    const struct romsim_inode *directory = entries->directory;

    if (dots_come_first(entries)) {
        *ret = (struct entry){"..", entries->dots + 1,
                              entries->dots == 0 ? directory : parent_of(directory)};
        return true;
    }
    if (!entries->next)
        return false;
    *ret = (struct entry){entries->next->name, entries->next->name_size, entries->next->inode};
    return true;
}

static void entries_advance(struct entries *entries)
{
    if (dots_come_first(entries))
        entries->dots++;
    else
        entries->next = entries->next->next;
}

/* ---- blocks ----------------------------------------------------------------------------- */

enum { BLOCK_ENTRIES_MAX = EROFS_WRITE_BLOCK / (sizeof(struct erofs_dirent) + 1) };

struct block {
    struct entry entries[BLOCK_ENTRIES_MAX];
    size_t count;
    size_t used; /* bytes of dirents and names */
};

/* Takes the entries of the next block.  False when there are none left. */
static bool block_fill(struct block *block, struct entries *entries)
{
    struct entry entry;

    block->count = 0;
    block->used = 0;
    while (entries_peek(entries, &entry)) {
        size_t size = sizeof(struct erofs_dirent) + entry.size;

        if (block->used + size + 1 > EROFS_WRITE_BLOCK)
            break;
        block->entries[block->count++] = entry;
        block->used += size;
        entries_advance(entries);
    }
    return block->count > 0;
}

static void block_encode(const struct erofs_writer *writer, const struct block *block,
                         uint8_t *bytes)
{
    size_t name = block->count * sizeof(struct erofs_dirent);

    memset(bytes, 0, EROFS_WRITE_BLOCK);
    for (size_t i = 0; i < block->count; i++) {
        const struct entry *entry = &block->entries[i];
        const struct erofs_dirent dirent = {
            .nid = le64_make(erofs_writer_node(writer, entry->inode)->nid),
            .nameoff = le16_make((uint16_t)name),
            .file_type = erofs_file_type(entry->inode->mode),
        };

        memcpy(bytes + i * sizeof(dirent), &dirent, sizeof(dirent));
        memcpy(bytes + name, entry->name, entry->size);
        name += entry->size;
    }
}

uint64_t erofs_directory_size(const struct romsim_inode *directory)
{
    struct entries entries = entries_of(directory);
    struct block block;
    uint64_t blocks = 0;
    size_t used = 0;

    while (block_fill(&block, &entries)) {
        used = block.used;
        blocks++;
    }
    return (blocks - 1) * EROFS_WRITE_BLOCK + used + 1;
}

int erofs_directory_put(const struct erofs_writer *writer, struct erofs_sink *sink,
                        const struct erofs_node *node, uint64_t first, uint64_t end,
                        struct romsim_error *err)
{
    struct entries entries = entries_of(node->inode);
    uint8_t bytes[EROFS_WRITE_BLOCK];
    struct block block;

    for (uint64_t index = 0; index < end && block_fill(&block, &entries); index++) {
        uint64_t rest = node->size - index * EROFS_WRITE_BLOCK;

        if (index < first)
            continue;
        block_encode(writer, &block, bytes);
        if (erofs_sink_append(sink, bytes, rest < EROFS_WRITE_BLOCK ? rest : EROFS_WRITE_BLOCK,
                              err) < 0)
            return -1;
    }
    return 0;
}
