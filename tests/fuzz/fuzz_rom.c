/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_rom.c: any bytes as an EROFS image that is looked into: listed, its paths looked up,
 * compared with itself and with another image.
 *
 * The other image is a small one of ours, with names that the seeds have too.  "Itself" is the
 * image with a block behind it, since two of the same bytes are not looked into.
 */
#include "mutate.h"

#include <romsim/erofs_check.h>
#include <romsim/rom_diff.h>

enum { LOOKUPS_MAX = 200, TEXTS_BUDGET = 1 << 20, BLOCK = 4096 };

static size_t told;

static void tell(void *context, const char *path, struct romsim_error *error)
{
    (void)context;
    FUZZ_CHECK(path[0] == '/', "'%s'", path);
    FUZZ_CHECK(error->message[0], "damage without words");
    told++;
}

static void look_init(struct romsim_rom_look *look, struct romsim_erofs *erofs)
{
    told = 0;
    romsim_rom_look_init(look, erofs, tell, NULL);
}

/* ---- listings ----------------------------------------------------------------------------- */

static void check_entry(const struct romsim_rom_listing *listing, size_t index)
{
    const struct romsim_rom_entry *entries = listing->entries.items, *entry = &entries[index];

    FUZZ_CHECK(entry->name < listing->names.size, "entry %zu", index);
    if (index == 0)
        FUZZ_CHECK(entry->parent == 0 && entry->depth == 0, "the first entry");
    else
        FUZZ_CHECK(entry->parent < index && entries[entry->parent].depth + 1 == entry->depth,
                   "entry %zu", index);
}

/* What is found must be an inode that can be read; a damaged directory may hide what it lists. */
static void look_up(struct romsim_erofs *erofs, const struct romsim_rom_listing *listing,
                    size_t index)
{
    CLEANUP_FREE char *path = romsim_rom_path(listing, index, false);
    CLEANUP_FREE char *relative = romsim_rom_path(listing, index, true);
    struct romsim_erofs_inode found, again;
    struct romsim_error error = {0};

    FUZZ_CHECK(path && path[0] == '/' && relative && relative[0] != '/', "entry %zu", index);
    for (int last = ROMSIM_ROM_NO_FOLLOW; last <= ROMSIM_ROM_FOLLOW; last++) {
        if (romsim_rom_lookup(erofs, path, (enum romsim_rom_last_link)last, &found, &error) < 0)
            FUZZ_CHECK(error.errnum && error.message[0], "no reason");
        else
            FUZZ_CHECK(romsim_erofs_inode(erofs, found.nid, &again, NULL) == 0, "'%s'", path);
    }
    romsim_rom_lookup(erofs, relative, ROMSIM_ROM_FOLLOW, &found, NULL);
}

static void list(struct romsim_erofs *erofs)
{
    CLEANUP_ROM_LISTING struct romsim_rom_listing listing = {0};
    struct romsim_rom_names names = {0};
    struct romsim_erofs_inode inode;
    struct romsim_rom_look look;
    uint64_t size;
    bool cut;

    look_init(&look, erofs);
    if (romsim_rom_listing_load(&look, NULL, &listing, NULL) < 0)
        return;
    FUZZ_CHECK(look.damage == told, "%zu and %zu", look.damage, told);
    for (size_t i = 0; i < listing.entries.count; i++) {
        check_entry(&listing, i);
        FUZZ_CHECK(romsim_rom_inode(&listing, i, &inode, NULL) == 0, "entry %zu", i);
        if (i < LOOKUPS_MAX)
            look_up(erofs, &listing, i);
    }
    FUZZ_CHECK(listing.entries.count > 0, "not even a root");
    if (romsim_rom_names_init(&names, &listing) == 0)
        romsim_rom_data_size(&listing, &names, 1 << 20, &size, &cut);
    romsim_rom_names_release(&names);
}

/* ---- differences -------------------------------------------------------------------------- */

static void compare_texts(struct romsim_erofs *const images[2],
                          const struct romsim_rom_difference *difference, uint64_t *budget)
{
    CLEANUP_ROM_TEXT_DIFF struct romsim_rom_text_diff *diff = NULL;
    enum romsim_rom_text_verdict verdict = ROMSIM_ROM_TEXT;
    struct romsim_rom_hunk hunk;
    size_t hunks = 0;
    int culprit;

    if (romsim_rom_text_diff_new(images, difference->inodes, budget, &diff, &verdict, &culprit,
                                 NULL) < 0)
        return;
    FUZZ_CHECK((verdict == ROMSIM_ROM_TEXT) == (diff != NULL), "verdict %d", verdict);
    for (; diff && romsim_rom_text_diff_hunk(diff, &hunk); hunks++) {
        size_t old_lines = 0, new_lines = 0, size;
        const char *text;
        char mark;

        while ((mark = romsim_rom_text_diff_line(diff, &text, &size))) {
            FUZZ_CHECK(size > 0, "an empty line without a newline");
            old_lines += mark != '+';
            new_lines += mark != '-';
        }
        FUZZ_CHECK(old_lines == hunk.old_count && new_lines == hunk.new_count,
                   "%zu and %zu lines of %zu and %zu", old_lines, new_lines, hunk.old_count,
                   hunk.new_count);
    }
    FUZZ_CHECK(!diff || hunks > 0, "texts that differ have no hunk");
}

static void check_difference(const struct romsim_rom_difference *difference)
{
    FUZZ_CHECK(difference->path[0] == '/', "'%s'", difference->path);
    if (difference->kind != ROMSIM_ROM_CHANGED)
        return;
    FUZZ_CHECK(difference->changes != 0, "nothing is changed");
    FUZZ_CHECK(!(difference->changes & ROMSIM_ROM_TARGET) == !difference->targets[0], "targets");
    FUZZ_CHECK(difference->changes & ROMSIM_ROM_XATTRS ||
                   difference->xattrs[0].count + difference->xattrs[1].count == 0,
               "xattrs");
}

/* Returns the number of differences. */
static size_t compare(struct romsim_erofs *a, struct romsim_erofs *b, bool keep_going)
{
    const struct romsim_rom_diff_options options = {.keep_going = keep_going};
    struct romsim_erofs *const images[2] = {a, b};
    struct romsim_rom_difference difference;
    struct romsim_rom_look looks[2];
    struct romsim_error error = {0};
    uint64_t budget = TEXTS_BUDGET;
    size_t count = 0;
    int found = 0;

    look_init(&looks[0], a);
    look_init(&looks[1], b);
    {
        CLEANUP_ROM_DIFF struct romsim_rom_diff *diff =
            romsim_rom_diff_new(&looks[0], &looks[1], &options, NULL);

        while (diff && (found = romsim_rom_diff_next(diff, &difference, &error)) > 0) {
            check_difference(&difference);
            if (difference.changes & ROMSIM_ROM_CONTENT)
                compare_texts(images, &difference, &budget);
            count++;
        }
        if (found < 0)
            FUZZ_CHECK(error.message[0] && romsim_rom_diff_culprit(diff) < 2, "no reason");
    }
    FUZZ_CHECK(keep_going || !told, "damage was told, and ends the comparison");
    return count;
}

static struct romsim_erofs *make_other(void)
{
    static const char *const names[] = {"a", "dir", "empty", "mixed", "text"};
    CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(NULL);
    CLEANUP_BLOB struct romsim_blob *blob = NULL;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct romsim_dentry *dentry =
            romsim_tree_add(tree, romsim_tree_root(tree), names[i], strlen(names[i]),
                            i == 1 ? S_IFDIR | 0755 : S_IFREG | 0644, NULL);

        if (i != 1)
            romsim_inode_set_bytes(dentry->inode, "one\ntwo\n", 8, NULL);
        romsim_inode_set_xattr(dentry->inode, "user.a", names[i], 1, NULL);
    }
    blob = romsim_erofs_build(tree, NULL, NULL, NULL);
    return romsim_erofs_open(blob, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t bytes[IMAGE_SIZE_MAX + BLOCK];
    static struct romsim_erofs *other;
    CLEANUP_BLOB struct romsim_blob *blob = NULL, *longer = NULL;
    CLEANUP_EROFS struct romsim_erofs *erofs = NULL, *itself = NULL;
    struct romsim_erofs_census census;

    if (size < IMAGE_SIZE_MIN || size > IMAGE_SIZE_MAX)
        return -1;
    if (!other)
        other = make_other();
    FUZZ_CHECK(other, "the other image");
    memcpy(bytes, data, size);
    memset(bytes + size, 0, BLOCK);
    damage_fix_checksum(bytes, size);
    blob = romsim_blob_from_bytes(bytes, size, NULL);
    erofs = romsim_erofs_open(blob, NULL);
    if (!erofs)
        return 0;
    list(erofs);
    compare(other, erofs, true);
    compare(erofs, other, false);
    longer = romsim_blob_from_bytes(bytes, size + BLOCK, NULL);
    itself = romsim_erofs_open(longer, NULL);
    if (itself && compare(erofs, itself, true) > 0)
        FUZZ_CHECK(romsim_erofs_check(blob, NULL, NULL, &census, NULL) != 0,
                   "a sound image differs from itself");
    return 0;
}
