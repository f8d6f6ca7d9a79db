/* SPDX-License-Identifier: BSD-3-Clause */
/* rom_listing.c: paths to inodes, walks past damage, listings, and how much an image unfolds to. */
#include "looks.h"

#include "crafted.h"

#include <errno.h>

static struct romsim_tree *sample_tree(void)
{
    struct romsim_tree *tree = romsim_tree_new(NULL);
    struct romsim_inode *inode = tree_add_file(tree, "dir/file", "content", 7);

    tree_add_link(tree, "second", inode);
    tree_add_file(tree, "dir/sub/deep", "", 0);
    tree_add_symlink(tree, "absolute", "/dir/sub");
    tree_add_symlink(tree, "dir/up", "../dir/./file");
    tree_add_symlink(tree, "out", "../../../dir/file");
    tree_add_symlink(tree, "loop", "loop");
    tree_add_symlink(tree, "nowhere", "dir/missing");
    return tree;
}

/* ---- lookups ------------------------------------------------------------------------------ */

static const struct {
    const char *path;
    enum romsim_rom_last_link last;
    int errnum;           /* 0: found */
    const char *expected; /* the path without links, or what the message has */
} lookups[] = {
    {"", ROMSIM_ROM_FOLLOW, 0, "/"},
    {"/", ROMSIM_ROM_NO_FOLLOW, 0, "/"},
    {"dir/file", ROMSIM_ROM_NO_FOLLOW, 0, "/dir/file"},
    {"//dir/.//file", ROMSIM_ROM_NO_FOLLOW, 0, "/dir/file"},
    {"dir/../second", ROMSIM_ROM_NO_FOLLOW, 0, "/dir/file"},
    {"../../dir", ROMSIM_ROM_NO_FOLLOW, 0, "/dir"},
    {"absolute/deep", ROMSIM_ROM_NO_FOLLOW, 0, "/dir/sub/deep"},
    {"absolute/../file", ROMSIM_ROM_NO_FOLLOW, 0, "/dir/file"},
    {"absolute", ROMSIM_ROM_NO_FOLLOW, 0, "/absolute"},
    {"absolute", ROMSIM_ROM_FOLLOW, 0, "/dir/sub"},
    {"absolute/", ROMSIM_ROM_NO_FOLLOW, 0, "/dir/sub"},
    {"dir/up", ROMSIM_ROM_FOLLOW, 0, "/dir/file"},
    {"out", ROMSIM_ROM_FOLLOW, 0, "/dir/file"}, /* the root is its own parent */
    {"dir/missing", ROMSIM_ROM_FOLLOW, ENOENT, "there is no 'dir/missing' in it"},
    {"nowhere", ROMSIM_ROM_FOLLOW, ENOENT, "there is no 'nowhere' in it"},
    {"loop", ROMSIM_ROM_NO_FOLLOW, 0, "/loop"},
    {"loop", ROMSIM_ROM_FOLLOW, ELOOP, "more than 40 symlinks"},
    {"dir/file/x", ROMSIM_ROM_FOLLOW, ENOTDIR, "it leads through a file"},
    {"dir/file/", ROMSIM_ROM_FOLLOW, ENOTDIR, "it is a file, not a directory"},
};

START_TEST(a_path_is_looked_up_as_by_the_images_own_root)
{
    CLEANUP_EROFS struct romsim_erofs *erofs = look_image(sample_tree());
    struct romsim_erofs_inode inode, expected;
    struct romsim_error err = {0};

    for (size_t i = 0; i < sizeof(lookups) / sizeof(lookups[0]); i++) {
        int status = romsim_rom_lookup(erofs, lookups[i].path, lookups[i].last, &inode, &err);

        ck_assert_msg((status < 0 ? err.errnum : 0) == lookups[i].errnum, "'%s': %s",
                      lookups[i].path, status < 0 ? err.message : "found");
        ck_assert_int_eq(romsim_rom_lookup(erofs, lookups[i].path, lookups[i].last, &inode, NULL),
                         status);
        if (status < 0) {
            ck_assert_msg(strstr(err.message, lookups[i].expected) != NULL, "%s", err.message);
            continue;
        }
        ck_assert_int_eq(romsim_erofs_lookup_path(erofs, lookups[i].expected, &expected, NULL), 1);
        ck_assert_msg(inode.nid == expected.nid, "'%s'", lookups[i].path);
    }
}
END_TEST

START_TEST(types_and_device_numbers)
{
    ck_assert_str_eq(romsim_rom_type_name(S_IFBLK | 0644), "block device");
    ck_assert_str_eq(romsim_rom_type_name(0), "unknown");
    ck_assert_uint_eq(romsim_rom_major(0xfff00000 | 259 << 8 | 7), 259);
    ck_assert_uint_eq(romsim_rom_minor(0xfff00000 | 259 << 8 | 7), 0xfff07);
    ck_assert_uint_eq(romsim_rom_nid(UINT64_C(1) << 63 | 36), 36);
    ck_assert(romsim_rom_in_metabox(UINT64_C(1) << 63 | 36));
}
END_TEST

/* ---- listings ----------------------------------------------------------------------------- */

/* "PATH\n" of each entry. */
static void expect_paths(const struct romsim_rom_listing *listing, bool relative,
                         const char *expected)
{
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(4096);

    for (size_t i = 0; i < listing->entries.count; i++) {
        CLEANUP_FREE char *path = romsim_rom_path(listing, i, relative);

        romsim_buffer_printf(&text, "%s\n", path);
    }
    ck_assert_str_eq(text.data, expected);
}

START_TEST(a_listing_has_all_names_below_a_path)
{
    CLEANUP_EROFS struct romsim_erofs *erofs = look_image(sample_tree());
    CLEANUP_ROM_LISTING struct romsim_rom_listing all = {0}, part = {0}, file = {0};
    struct romsim_erofs_inode inode;
    struct romsim_rom_look look;

    romsim_rom_look_init(&look, erofs, NULL, NULL);
    ck_assert_int_eq(romsim_rom_listing_load(&look, NULL, &all, NULL), 0);
    expect_paths(&all, false,
                 "/\n/absolute\n/dir\n/dir/file\n/dir/sub\n/dir/sub/deep\n/dir/up\n/loop\n"
                 "/nowhere\n/out\n/second\n");
    ck_assert_int_eq(romsim_rom_listing_load(&look, "dir/./sub//", &part, NULL), 0);
    expect_paths(&part, false, "/dir/sub\n/dir/sub/deep\n");
    expect_paths(&part, true, "\ndeep\n");
    ck_assert_str_eq(romsim_rom_name(&part, 1), "deep");
    ck_assert_int_eq(romsim_rom_inode(&part, 1, &inode, NULL), 0);
    ck_assert(S_ISREG(inode.mode));
    ck_assert_int_eq(romsim_rom_listing_load(&look, "dir/file", &file, NULL), 0);
    expect_paths(&file, false, "/dir/file\n");
    ck_assert_uint_eq(look.damage, 0);
}
END_TEST

START_TEST(what_is_not_there_is_no_listing)
{
    CLEANUP_EROFS struct romsim_erofs *erofs = look_image(sample_tree());
    CLEANUP_ROM_LISTING struct romsim_rom_listing listing = {0};
    struct romsim_rom_look look;
    struct romsim_error err = {0};

    romsim_rom_look_init(&look, erofs, NULL, NULL);
    ck_assert_int_eq(romsim_rom_listing_load(&look, "dir/nothing", &listing, &err), -1);
    ck_assert_int_eq(err.errnum, ENOENT);
}
END_TEST

/* "a" and "c" are files, the inode of "b" is none. */
static struct romsim_erofs *damaged_image(void)
{
    struct crafted *image = craft_new();
    struct romsim_erofs *erofs;

    craft_file(image, 10, ROMSIM_EROFS_FLAT_PLAIN, S_IFREG | 0644, 0, 0);
    craft_file(image, 14, ROMSIM_EROFS_FLAT_PLAIN, S_IFREG | 0644, 0, 0);
    craft_file(image, 12, 7 /* no layout */, S_IFREG | 0644, 0, 0);
    craft_entry(image, "a", 10, EROFS_FT_REG_FILE);
    craft_entry(image, "b", 12, EROFS_FT_REG_FILE);
    craft_entry(image, "c", 14, EROFS_FT_REG_FILE);
    craft_finish(image);
    erofs = look_bytes(image->bytes, CRAFT_SIZE);
    free(image);
    return erofs;
}

START_TEST(damage_is_told_and_the_rest_is_listed)
{
    CLEANUP_EROFS struct romsim_erofs *erofs = damaged_image();
    CLEANUP_ROM_LISTING struct romsim_rom_listing listing = {0};
    struct told told = {0};
    struct romsim_rom_look look;

    romsim_rom_look_init(&look, erofs, look_tell, &told);
    ck_assert_int_eq(romsim_rom_listing_load(&look, NULL, &listing, NULL), 0);
    expect_paths(&listing, false, "/\n/a\n/c\n");
    ck_assert_uint_eq(look.damage, 1);
    ck_assert_msg(strncmp(told.text, "/b: ", 4) == 0, "%s", told.text);
}
END_TEST

START_TEST(a_walk_says_which_names_are_damaged)
{
    CLEANUP_EROFS struct romsim_erofs *erofs = damaged_image();
    CLEANUP_ROM_WALK struct romsim_rom_walk walk = {0};
    struct romsim_erofs_step step;
    struct romsim_rom_look look;
    bool damaged;

    romsim_rom_look_init(&look, erofs, NULL, NULL);
    ck_assert_int_eq(romsim_rom_walk_open(&look, NULL, &walk, NULL), 0);
    for (const char *name = "/abc"; *name; name++) {
        ck_assert_int_eq(romsim_rom_walk_next(&walk, &step, &damaged, NULL), 1);
        ck_assert_int_eq(step.path[*name != '/'], *name);
        ck_assert_int_eq(damaged, *name == 'b');
    }
    ck_assert_int_eq(romsim_rom_walk_next(&walk, &step, &damaged, NULL), 0);
}
END_TEST

START_TEST(a_walk_ends_when_its_budget_does)
{
    CLEANUP_EROFS struct romsim_erofs *erofs = look_image(sample_tree());
    CLEANUP_ROM_LISTING struct romsim_rom_listing listing = {0};
    struct romsim_rom_look look;
    struct romsim_error err = {0};

    romsim_rom_look_init(&look, erofs, NULL, NULL);
    look.budget->left = 500;
    ck_assert_int_eq(romsim_rom_listing_load(&look, NULL, &listing, &err), -1);
    ck_assert_int_eq(err.errnum, EFBIG);
}
END_TEST

/* ---- limits ------------------------------------------------------------------------------- */

START_TEST(the_limit_is_64_times_the_image_and_a_gibibyte)
{
    ck_assert_uint_eq(romsim_rom_limit(0), UINT64_C(1) << 30);
    ck_assert_uint_eq(romsim_rom_limit(4096), (UINT64_C(1) << 30) + 64 * 4096);
    ck_assert_uint_eq(romsim_rom_limit(UINT64_MAX / 64), UINT64_MAX);
    ck_assert_uint_eq(romsim_rom_limit(UINT64_MAX), UINT64_MAX);
}
END_TEST

/* Names "a" and "b" of a file with a block of data and one that is a hole. */
static struct romsim_erofs *sparse_image(void)
{
    struct crafted *image = craft_new();
    struct erofs_inode_extended *inode =
        craft_file(image, 10, ROMSIM_EROFS_CHUNK_BASED, S_IFREG | 0644, 2 * CRAFT_BLOCK, 0);
    const le32 blocks[] = {le32_make(8), le32_make(UINT32_MAX)};
    struct romsim_erofs *erofs;

    inode->i_nlink = le32_make(2);
    memcpy(inode + 1, blocks, sizeof(blocks));
    craft_entry(image, "a", 10, EROFS_FT_REG_FILE);
    craft_entry(image, "b", 10, EROFS_FT_REG_FILE);
    craft_super(image)->feature_incompat = le32_make(EROFS_FEATURE_INCOMPAT_CHUNKED_FILE);
    craft_finish(image);
    erofs = look_bytes(image->bytes, CRAFT_SIZE);
    free(image);
    return erofs;
}

START_TEST(data_is_counted_once_a_file_and_without_holes)
{
    CLEANUP_EROFS struct romsim_erofs *erofs = sparse_image();
    CLEANUP_ROM_LISTING struct romsim_rom_listing listing = {0};
    struct romsim_rom_names names = {0};
    struct romsim_rom_look look;
    uint64_t size;
    bool cut;

    romsim_rom_look_init(&look, erofs, NULL, NULL);
    ck_assert_int_eq(romsim_rom_listing_load(&look, NULL, &listing, NULL), 0);
    ck_assert_int_eq(romsim_rom_names_init(&names, &listing), 0);
    romsim_rom_data_size(&listing, &names, UINT64_MAX, &size, &cut);
    ck_assert(!cut);
    ck_assert_uint_ge(size, CRAFT_BLOCK);
    ck_assert_uint_lt(size, CRAFT_BLOCK + 100); /* the hole costs a little */
    romsim_rom_names_release(&names);
}
END_TEST

START_TEST(the_first_name_of_a_file_is_remembered)
{
    CLEANUP_EROFS struct romsim_erofs *erofs = look_image(sample_tree());
    CLEANUP_ROM_LISTING struct romsim_rom_listing listing = {0};
    struct romsim_rom_names names = {0};
    struct romsim_rom_look look;
    size_t last;

    romsim_rom_look_init(&look, erofs, NULL, NULL);
    ck_assert_int_eq(romsim_rom_listing_load(&look, NULL, &listing, NULL), 0);
    ck_assert_int_eq(romsim_rom_names_init(&names, &listing), 0);
    last = listing.entries.count - 1;
    ck_assert_str_eq(romsim_rom_name(&listing, last), "second");
    for (size_t i = 1; i < last; i++)
        ck_assert_uint_eq(romsim_rom_names_first(&names, &listing, i), 0);
    ck_assert_str_eq(romsim_rom_name(&listing, romsim_rom_names_first(&names, &listing, last)),
                     "file");
    romsim_rom_names_clear(&names);
    ck_assert_uint_eq(romsim_rom_names_first(&names, &listing, last), 0);
    romsim_rom_names_release(&names);
}
END_TEST

UNIT_MAIN("rom_listing", a_path_is_looked_up_as_by_the_images_own_root, types_and_device_numbers,
          a_listing_has_all_names_below_a_path, what_is_not_there_is_no_listing,
          damage_is_told_and_the_rest_is_listed, a_walk_says_which_names_are_damaged,
          a_walk_ends_when_its_budget_does, the_limit_is_64_times_the_image_and_a_gibibyte,
          data_is_counted_once_a_file_and_without_holes, the_first_name_of_a_file_is_remembered)
