/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * check_dir.c: all directories under the root, depth first, without recursion.  A damaged block or
 * inode is a finding, and the walk goes on behind it.
 */
#include "check.h"

#include <romsim/text.h>

#include <errno.h>
#include <sys/stat.h>

enum { DEPTH_MAX = 1024, LINKED_PATHS_SIZE = 1 << 20 /* of all paths that are kept */ };

/* An open directory. */
struct level {
    struct romsim_erofs_inode directory;
    uint64_t parent;
    uint64_t block;                 /* the next one */
    uint32_t entry;                 /* the next one of the current block */
    struct erofs_dir_block current; /* count 0: none is loaded */
    size_t path_size;
    uint64_t entries, subdirectories;
    bool has_dot, has_dotdot;
    char last_name[EROFS_NAME_LEN];
    uint16_t last_size;
};

DEFINE_VECTOR(levels, struct level);

static struct level *top(struct levels *levels)
{
    return &levels->items[levels->count - 1];
}

static uint64_t block_offset(const struct check *check, const struct level *level)
{
    const struct romsim_erofs_inode *directory = &level->directory;
    uint64_t in_data = level->block ? (level->block - 1) << check->erofs->super.block_bits : 0;

    if (directory->layout == ROMSIM_EROFS_FLAT_PLAIN)
        return (directory->start << check->erofs->super.block_bits) + in_data;
    return directory->data_start;
}

/* ---- names ------------------------------------------------------------------------------ */

static void check_dots(struct check *check, struct level *level,
                       const struct romsim_erofs_dirent *entry)
{
    bool is_dot = entry->name_size == 1;
    uint64_t wanted = is_dot ? level->directory.nid : level->parent;

    *(is_dot ? &level->has_dot : &level->has_dotdot) = true;
    if (entry->nid != wanted)
        check_finding(check, ROMSIM_EROFS_ERROR, &level->directory, block_offset(check, level),
                      "\"%.*s\" is nid %llu instead of %llu", entry->name_size, entry->name,
                      (unsigned long long)entry->nid, (unsigned long long)wanted);
}

static void check_name(struct check *check, struct level *level,
                       const struct romsim_erofs_dirent *entry)
{
    int order = -1;

    if (entry->cut_by_nul)
        check_finding(check, ROMSIM_EROFS_ERROR, &level->directory, block_offset(check, level),
                      "a name with a NUL in it, seen as \"%s\"",
                      romsim_text_quote(entry->name, entry->name_size, (char[256]){0}, 256));
    if (level->last_size) {
        order = memcmp(level->last_name, entry->name, min_u64(level->last_size, entry->name_size));
        if (!order)
            order = (int)level->last_size - entry->name_size;
    }
    if (order >= 0)
        check_finding(check, ROMSIM_EROFS_ERROR, &level->directory, block_offset(check, level),
                      "the name \"%s\" %s",
                      romsim_text_quote(entry->name, entry->name_size, (char[256]){0}, 256),
                      order ? "is not in order: it may not be found" : "is there twice");
    memcpy(level->last_name, entry->name, entry->name_size);
    level->last_size = entry->name_size;
}

/* ---- links ------------------------------------------------------------------------------ */

static int note_links(struct check *check, const struct romsim_erofs_inode *inode, bool is_new,
                      struct romsim_error *err)
{
    struct linked linked = {.nid = inode->nid, .offset = inode->offset, .links = inode->links};

    if (inode->links == 1)
        return 0;
    if (is_new && check->path.data && check->path.size < check->linked_paths_left) {
        check->linked_paths_left -= check->path.size + 1;
        linked.path = strdup(check->path.data);
    }
    if (linked_files_append(&check->linked, linked) == 0)
        return 0;
    free(linked.path);
    return romsim_error_nomem(err);
}

static int compare_linked(const void *a_, const void *b_)
{
    const struct linked *a = a_, *b = b_;

    if (a->nid != b->nid)
        return a->nid < b->nid ? -1 : 1;
    return (a->path == NULL) - (b->path == NULL);
}

/* Names that lead to one nid stand next to each other once they are sorted, the one with a path
 * first. */
static void check_links(struct check *check)
{
    struct linked *files = check->linked.items;
    size_t count = check->linked.count;

    if (count)
        qsort(files, count, sizeof(*files), compare_linked);
    for (size_t i = 0, seen; i < count; i += seen) {
        for (seen = 1; i + seen < count && files[i + seen].nid == files[i].nid;)
            seen++;
        if (files[i].links == seen)
            continue;
        romsim_buffer_reset(&check->path);
        if (files[i].path)
            romsim_buffer_puts(&check->path, files[i].path);
        check_finding(check, ROMSIM_EROFS_ERROR, NULL, files[i].offset,
                      "nid %llu has a link count of %u and %s", (unsigned long long)files[i].nid,
                      files[i].links, COUNT_TEXT(seen, "name", "names"));
    }
}

/* mkfs.erofs counts the subdirectories, the cloud's packer all entries. */
static void check_directory_links(struct check *check, const struct level *level)
{
    uint32_t links = level->directory.links;

    if (links == level->subdirectories + 2 || links == level->entries + 2 || links == 1)
        return;
    check_finding(check, ROMSIM_EROFS_WARNING, &level->directory, level->directory.offset,
                  "a link count of %u, with %s", links,
                  COUNT_TEXT(level->subdirectories, "subdirectory", "subdirectories"));
}

/* ---- the walk --------------------------------------------------------------------------- */

static int enter(struct check *check, struct levels *levels,
                 const struct romsim_erofs_inode *directory, uint64_t parent,
                 struct romsim_error *err)
{
    struct level level = {.directory = *directory, .parent = parent, .path_size = check->path.size};
    bool compressed = romsim_erofs_is_compressed(directory) || erofs_nid_in_metabox(directory->nid);

    if (levels->count == DEPTH_MAX) {
        check_finding(check, ROMSIM_EROFS_ERROR, directory, directory->offset,
                      "directories are nested deeper than %d", DEPTH_MAX);
        return 0;
    }
    if (!check_pay(&check->directory_budget, compressed ? directory->size / 64 : directory->size)) {
        check_finding(check, ROMSIM_EROFS_ERROR, directory, directory->offset,
                      "directories claim more bytes than the image can hold");
        return 0;
    }
    if (!directory->size) /* for the kernel it is empty */
        check_finding(check, ROMSIM_EROFS_WARNING, directory, directory->offset,
                      "a directory without any block");
    if (levels_append(levels, level) < 0)
        return romsim_error_nomem(err);
    return 0;
}

static void leave(struct check *check, struct levels *levels)
{
    struct level *level = top(levels);

    if (level->directory.size && !level->has_dotdot)
        check_finding(check, ROMSIM_EROFS_ERROR, &level->directory, level->directory.offset,
                      "a directory without \"..\"");
    if (level->directory.size && !level->has_dot && !level->directory.dot_omitted)
        check_finding(check, ROMSIM_EROFS_ERROR, &level->directory, level->directory.offset,
                      "a directory without \".\"");
    check_directory_links(check, level);
    levels->count--;
}

/* A new inode: counts and checks it.  1 if it is a directory to enter, 0, -1. */
static int visit_inode(struct check *check, const struct romsim_erofs_inode *inode,
                       struct romsim_error *err)
{
    int added = erofs_nid_set_add(&check->seen, inode->nid);

    if (added < 0)
        return romsim_error_nomem(err);
    if (!S_ISDIR(inode->mode) && note_links(check, inode, added, err) < 0)
        return -1;
    if (!added) {
        if (S_ISDIR(inode->mode))
            check_finding(check, ROMSIM_EROFS_ERROR, inode, inode->offset,
                          "a second name for the directory nid %llu (a loop?)",
                          (unsigned long long)inode->nid);
        else if (inode->links == 1)
            check_finding(check, ROMSIM_EROFS_ERROR, inode, inode->offset,
                          "a second name for nid %llu, whose link count is 1",
                          (unsigned long long)inode->nid);
        return 0;
    }
    *(S_ISDIR(inode->mode)   ? &check->census.directories
      : S_ISREG(inode->mode) ? &check->census.files
      : S_ISLNK(inode->mode) ? &check->census.symlinks
                             : &check->census.specials) += 1;
    if (check_inode(check, inode, err) < 0)
        return -1;
    return S_ISDIR(inode->mode);
}

static int visit_entry(struct check *check, struct levels *levels,
                       const struct romsim_erofs_dirent *entry, struct romsim_error *err)
{
    struct level *level = top(levels);
    struct romsim_erofs_inode inode;
    struct romsim_error damage = {0};
    int is_directory;

    check->census.names++;
    level->entries++;
    if (romsim_buffer_puts(&check->path, "/") < 0 ||
        romsim_buffer_append(&check->path, entry->name, entry->name_size) < 0)
        return romsim_error_nomem(err);
    if (romsim_erofs_inode(check->erofs, entry->nid, &inode, &damage) < 0) {
        check_damage(check, &level->directory, block_offset(check, level), &damage);
        return 0;
    }
    if (S_ISDIR(inode.mode))
        level->subdirectories++;
    if (entry->file_type != erofs_file_type(inode.mode))
        check_finding(check, ROMSIM_EROFS_ERROR, &level->directory, block_offset(check, level),
                      "the dirent says file type %u, the inode has mode %o", entry->file_type,
                      inode.mode);
    is_directory = visit_inode(check, &inode, err);
    if (is_directory <= 0)
        return is_directory;
    return enter(check, levels, &inode, level->directory.nid, err);
}

/* Loads the level's next block.  A damaged one is passed over.  False at the directory's end. */
static bool next_block(struct check *check, struct level *level, size_t depth)
{
    uint64_t blocks = (level->directory.size + erofs_block_size(check->erofs) - 1) >>
                      check->erofs->super.block_bits;
    struct romsim_error damage = {0};

    level->entry = 0;
    while (level->block < blocks) {
        level->block++;
        if (!check_pay(&check->extent_budget, 1))
            return false;
        if (erofs_dir_block(check->erofs, &level->directory, level->block - 1, check->block,
                            &level->current, &damage) == 0) {
            check->block_level = depth;
            return true;
        }
        level->current.count = 0;
        check_damage(check, &level->directory, block_offset(check, level), &damage);
    }
    return false;
}

/* All levels share one block for what does not stand in the image; another level may have used it
 * since. */
static bool reload_block(struct check *check, struct level *level, size_t depth)
{
    struct romsim_error damage = {0};

    if (!level->current.count || level->current.bytes != check->block ||
        check->block_level == depth)
        return true;
    check->block_level = depth;
    if (erofs_dir_block(check->erofs, &level->directory, level->block - 1, check->block,
                        &level->current, &damage) == 0)
        return true;
    check_damage(check, &level->directory, block_offset(check, level), &damage);
    return false;
}

static int step(struct check *check, struct levels *levels, struct romsim_error *err)
{
    struct level *level = top(levels);
    struct romsim_erofs_dirent entry;
    struct romsim_error damage = {0};

    check->path.size = level->path_size;
    if (check->path.data)
        check->path.data[check->path.size] = 0;
    if (!reload_block(check, level, levels->count) ||
        (level->entry == level->current.count && !next_block(check, level, levels->count))) {
        leave(check, levels);
        return 0;
    }
    if (erofs_dir_entry(&level->current, level->entry++, &level->directory, &entry, &damage) < 0) {
        check_damage(check, &level->directory, block_offset(check, level), &damage);
        return 0;
    }
    check_name(check, level, &entry);
    if (erofs_is_dot(&entry)) {
        check_dots(check, level, &entry);
        return 0;
    }
    return visit_entry(check, levels, &entry, err);
}

static int check_root(struct check *check, struct levels *levels, struct romsim_error *err)
{
    struct romsim_erofs_inode root;

    if (romsim_erofs_inode(check->erofs, check->erofs->super.root_nid, &root, err) < 0)
        return -1;
    if (visit_inode(check, &root, err) < 0)
        return -1;
    return enter(check, levels, &root, root.nid, err);
}

int check_tree(struct check *check, struct romsim_error *err)
{
    struct levels levels = {0};
    int result;

    check->linked_paths_left = LINKED_PATHS_SIZE;
    result = check_root(check, &levels, err);

    while (!result && levels.count)
        result = step(check, &levels, err);
    levels_reset(&levels);
    check_links(check);
    return result;
}
