/* SPDX-License-Identifier: BSD-3-Clause */
/* rom_diff.c: what differs between two images' trees, and between two texts in them. */
#include "looks.h"

#include "crafted.h"

#include <romsim/rom_diff.h>

#include <errno.h>

static const char *kind_name(const struct romsim_rom_difference *difference)
{
    static const char *const names[] = {[ROMSIM_ROM_REMOVED] = "removed",
                                        [ROMSIM_ROM_ADDED] = "added",
                                        [ROMSIM_ROM_UNKNOWN] = "unknown",
                                        [ROMSIM_ROM_CHANGED] = "changed"};

    return names[difference->kind];
}

/* "KIND PATH CHANGES\n" of each difference, then the error, if one ended it; malloc'ed.  Takes the
 * images. */
static char *differences(struct romsim_erofs *old_image, struct romsim_erofs *new_image,
                         const struct romsim_rom_diff_options *options, struct told *told)
{
    CLEANUP_EROFS struct romsim_erofs *a = old_image, *b = new_image;
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(65536);
    struct romsim_rom_difference difference;
    struct romsim_rom_look looks[2];
    struct romsim_error err = {0};
    struct romsim_rom_diff *diff;
    int found;

    romsim_rom_look_init(&looks[0], a, told ? look_tell : NULL, told);
    romsim_rom_look_init(&looks[1], b, told ? look_tell : NULL, told);
    diff = romsim_rom_diff_new(&looks[0], &looks[1], options, &err);
    ck_assert_ptr_nonnull(diff);
    while ((found = romsim_rom_diff_next(diff, &difference, &err)) > 0)
        romsim_buffer_printf(&text, "%s %s %u\n", kind_name(&difference), difference.path,
                             difference.changes);
    if (found < 0)
        romsim_buffer_printf(&text, "error of %d: %s\n", romsim_rom_diff_culprit(diff),
                             err.message);
    ck_assert_int_eq(romsim_rom_diff_next(diff, &difference, &err), 0);
    romsim_rom_diff_free(diff);
    romsim_buffer_puts(&text, "");
    return text.data ? romsim_buffer_steal(&text) : strdup("");
}

static void expect(struct romsim_erofs *old_image, struct romsim_erofs *new_image,
                   const char *expected)
{
    const struct romsim_rom_diff_options options = {0};
    CLEANUP_FREE char *found = differences(old_image, new_image, &options, NULL);

    ck_assert_str_eq(found, expected);
}

/* ---- trees -------------------------------------------------------------------------------- */

START_TEST(equal_trees_do_not_differ)
{
    struct romsim_tree *tree = tree_of_everything();

    expect(look_image(tree_of_everything()), look_image(tree_of_everything()), "");
    /* Other bytes, and the same tree. */
    tree_add_file(tree, "only", "x", 1);
    expect(look_image(tree_of_everything()), look_image(tree), "added /only 0\n");
}
END_TEST

START_TEST(names_are_added_and_removed_where_they_stand)
{
    struct romsim_tree *old_tree = romsim_tree_new(NULL), *new_tree = romsim_tree_new(NULL);

    tree_add_file(old_tree, "a", "", 0);
    tree_add_file(old_tree, "b/inner/file", "", 0);
    tree_add_file(old_tree, "z", "", 0);
    tree_add_file(new_tree, "b!", "", 0);
    tree_add_file(new_tree, "b/inner/other", "", 0);
    tree_add_file(new_tree, "z", "", 0);
    expect(look_image(old_tree), look_image(new_tree),
           "removed /a 0\nremoved /b/inner/file 0\nadded /b/inner/other 0\nadded /b! 0\n");
}
END_TEST

/* A change of one file, which both trees have. */
static void change_file(struct romsim_inode *inode, unsigned change)
{
    if (change == ROMSIM_ROM_MODE)
        inode->mode ^= 0111;
    if (change == ROMSIM_ROM_OWNER)
        inode->gid = 7;
    if (change == ROMSIM_ROM_TIME)
        inode->mtime_nsec = 1;
    if (change == ROMSIM_ROM_XATTRS)
        romsim_inode_set_xattr(inode, "user.a", "2", 1, NULL);
    if (change == ROMSIM_ROM_CONTENT)
        romsim_inode_set_bytes(inode, "CONTENT", 7, NULL);
}

START_TEST(each_change_has_its_bit)
{
    static const unsigned changes[] = {ROMSIM_ROM_MODE, ROMSIM_ROM_OWNER, ROMSIM_ROM_TIME,
                                       ROMSIM_ROM_XATTRS, ROMSIM_ROM_CONTENT};

    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        struct romsim_tree *trees[2];
        char expected[64];

        for (int side = 0; side < 2; side++) {
            struct romsim_inode *inode;

            trees[side] = romsim_tree_new(NULL);
            inode = tree_add_file(trees[side], "file", "content", 7);
            ck_assert_int_eq(romsim_inode_set_xattr(inode, "user.a", "1", 1, NULL), 0);
            if (side)
                change_file(inode, changes[i]);
        }
        snprintf(expected, sizeof(expected), "changed /file %u\n", changes[i]);
        expect(look_image(trees[0]), look_image(trees[1]), expected);
    }
}
END_TEST

START_TEST(types_links_targets_and_devices)
{
    struct romsim_tree *old_tree = romsim_tree_new(NULL), *new_tree = romsim_tree_new(NULL);
    char expected[256];

    tree_add_node(old_tree, "device", S_IFCHR | 0600)->rdev_minor = 3;
    tree_add_node(new_tree, "device", S_IFCHR | 0600)->rdev_minor = 5;
    tree_add_file(old_tree, "file", "", 0);
    tree_add_link(new_tree, "zz", tree_add_file(new_tree, "file", "", 0));
    tree_add_symlink(old_tree, "link", "one");
    tree_add_symlink(new_tree, "link", "two");
    tree_add_file(old_tree, "type", "", 0);
    tree_add_node(new_tree, "type", S_IFDIR | 0644);
    snprintf(expected, sizeof(expected),
             "changed /device %u\nchanged /file %u\nchanged /link %u\nchanged /type %u\n"
             "added /zz 0\n",
             ROMSIM_ROM_DEVICE, ROMSIM_ROM_LINKS, ROMSIM_ROM_TARGET, ROMSIM_ROM_TYPE);
    expect(look_image(old_tree), look_image(new_tree), expected);
}
END_TEST

START_TEST(a_difference_carries_targets_and_xattrs)
{
    struct romsim_tree *old_tree = romsim_tree_new(NULL), *new_tree = romsim_tree_new(NULL);
    CLEANUP_EROFS struct romsim_erofs *a = NULL, *b = NULL;
    const struct romsim_rom_diff_options options = {0};
    struct romsim_rom_difference difference;
    struct romsim_rom_look looks[2];

    tree_add_symlink(old_tree, "link", "one");
    tree_add_symlink(new_tree, "link", "two");
    romsim_inode_set_xattr(tree_add_file(new_tree, "x", "", 0), "user.k", "v", 1, NULL);
    tree_add_file(old_tree, "x", "", 0);
    a = look_image(old_tree);
    b = look_image(new_tree);
    romsim_rom_look_init(&looks[0], a, NULL, NULL);
    romsim_rom_look_init(&looks[1], b, NULL, NULL);
    {
        CLEANUP_ROM_DIFF struct romsim_rom_diff *diff =
            romsim_rom_diff_new(&looks[0], &looks[1], &options, NULL);

        ck_assert_int_eq(romsim_rom_diff_next(diff, &difference, NULL), 1);
        ck_assert_str_eq(difference.targets[0], "one");
        ck_assert_str_eq(difference.targets[1], "two");
        ck_assert_int_eq(romsim_rom_diff_next(diff, &difference, NULL), 1);
        ck_assert_uint_eq(difference.xattrs[0].count, 0);
        ck_assert_uint_eq(difference.xattrs[1].count, 1);
        ck_assert_str_eq(difference.xattrs[1].items[0].name, "user.k");
        ck_assert_ptr_null(difference.targets[0]);
        ck_assert_int_eq(romsim_rom_diff_next(diff, &difference, NULL), 0);
    }
}
END_TEST

/* Names "a", "b" and "c"; one inode of them is none. */
static struct romsim_erofs *image_with_damage(uint64_t damaged)
{
    struct crafted *image = craft_new();
    struct romsim_erofs *erofs;
    char name[2] = "a";

    for (uint64_t nid = 10; nid <= 14; nid += 2, name[0]++) {
        craft_file(image, nid, nid == damaged ? 7 : ROMSIM_EROFS_FLAT_PLAIN, S_IFREG | 0644, 0, 0);
        craft_entry(image, name, nid, EROFS_FT_REG_FILE);
    }
    craft_super(image)->volume_name[0] = (uint8_t)damaged; /* never the same bytes */
    craft_finish(image);
    erofs = look_bytes(image->bytes, CRAFT_SIZE);
    free(image);
    return erofs;
}

START_TEST(damage_ends_a_comparison_unless_it_is_to_go_on)
{
    const struct romsim_rom_diff_options careful = {0}, going = {.keep_going = true};
    struct told told = {0};
    CLEANUP_FREE char *ended =
        differences(image_with_damage(0), image_with_damage(12), &careful, &told);
    CLEANUP_FREE char *all = NULL;

    ck_assert_msg(strncmp(ended, "error of 1: /b: ", 16) == 0, "%s", ended);
    ck_assert_str_eq(told.text, "");
    all = differences(image_with_damage(10), image_with_damage(12), &going, &told);
    ck_assert_str_eq(all, "");
    ck_assert_msg(strncmp(told.text, "/a: ", 4) == 0 && strstr(told.text, "\n/b: "), "%s",
                  told.text);
}
END_TEST

/* One file that claims 2 GiB of compressed data. */
static struct romsim_erofs *image_of_much(char volume)
{
    struct crafted *image = craft_new();
    struct romsim_erofs *erofs;

    craft_file(image, 10, ROMSIM_EROFS_COMPRESSED_FULL, S_IFREG | 0644, UINT64_C(2) << 30, 1);
    craft_entry(image, "f", 10, EROFS_FT_REG_FILE);
    craft_super(image)->feature_incompat = le32_make(EROFS_FEATURE_INCOMPAT_ZERO_PADDING);
    craft_super(image)->volume_name[0] = (uint8_t)volume;
    craft_finish(image);
    erofs = look_bytes(image->bytes, CRAFT_SIZE);
    free(image);
    return erofs;
}

START_TEST(too_much_to_compare_is_refused_before_it_is_read)
{
    const struct romsim_rom_diff_options options = {0};
    CLEANUP_FREE char *found = differences(image_of_much('a'), image_of_much('b'), &options, NULL);

    ck_assert_str_eq(found, "error of -1: /f: stopped: too much to compare, more than 64 times the "
                            "size of both images and 1 GiB\n");
}
END_TEST

/* ---- texts -------------------------------------------------------------------------------- */

/* The unified diff of two texts without its head; malloc'ed.  Or the verdict. */
static char *lines(const char *old_text, size_t old_size, const char *new_text, size_t new_size,
                   uint64_t budget)
{
    struct romsim_tree *tree = romsim_tree_new(NULL);
    CLEANUP_EROFS struct romsim_erofs *erofs = NULL;
    CLEANUP_ROM_TEXT_DIFF struct romsim_rom_text_diff *diff = NULL;
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(1 << 20);
    enum romsim_rom_text_verdict verdict;
    struct romsim_erofs_inode inodes[2];
    struct romsim_rom_hunk hunk;
    int culprit;

    tree_add_file(tree, "a", old_text, old_size);
    tree_add_file(tree, "b", new_text, new_size);
    erofs = look_image(tree);
    ck_assert_int_eq(romsim_erofs_lookup_path(erofs, "a", &inodes[0], NULL), 1);
    ck_assert_int_eq(romsim_erofs_lookup_path(erofs, "b", &inodes[1], NULL), 1);
    ck_assert_int_eq(romsim_rom_text_diff_new((struct romsim_erofs *[]){erofs, erofs}, inodes,
                                              &budget, &diff, &verdict, &culprit, NULL),
                     0);
    if (!diff)
        romsim_buffer_printf(&text, "verdict %d", verdict);
    while (diff && romsim_rom_text_diff_hunk(diff, &hunk)) {
        const char *line;
        size_t size;
        char mark;

        romsim_buffer_printf(&text, "@%zu,%zu %zu,%zu\n", hunk.old_start, hunk.old_count,
                             hunk.new_start, hunk.new_count);
        while ((mark = romsim_rom_text_diff_line(diff, &line, &size)))
            romsim_buffer_printf(&text, "%c%.*s", mark, (int)size, line);
    }
    return text.data ? romsim_buffer_steal(&text) : strdup("");
}

static void expect_lines(const char *old_text, const char *new_text, const char *expected)
{
    CLEANUP_FREE char *found =
        lines(old_text, strlen(old_text), new_text, strlen(new_text), UINT64_MAX);

    ck_assert_str_eq(found, expected);
}

START_TEST(lines_that_differ_stand_among_three_that_do_not)
{
    expect_lines("same\n", "same\n", "");
    expect_lines("", "new\n", "@0,0 0,1\n+new\n");
    expect_lines("1\n2\n3\n4\n5\nold\n7\n8\n9\n10\n11\n", "1\n2\n3\n4\n5\nnew\n7\n8\n9\n10\n11\n",
                 "@2,7 2,7\n 3\n 4\n 5\n-old\n+new\n 7\n 8\n 9\n");
    expect_lines("a\nb\nc\n", "a\nx\nb\nc", "@0,3 0,4\n a\n+x\n b\n-c\n+c");
}
END_TEST

START_TEST(changes_far_from_each_other_are_two_hunks)
{
    expect_lines("a\n1\n2\n3\n4\n5\n6\n7\nb\n", "A\n1\n2\n3\n4\n5\n6\n7\nB\n",
                 "@0,4 0,4\n-a\n+A\n 1\n 2\n 3\n@5,4 5,4\n 5\n 6\n 7\n-b\n+B\n");
    expect_lines("a\n1\n2\n3\n4\n5\n6\nb\n", "A\n1\n2\n3\n4\n5\n6\nB\n",
                 "@0,8 0,8\n-a\n+A\n 1\n 2\n 3\n 4\n 5\n 6\n-b\n+B\n");
}
END_TEST

START_TEST(what_is_no_text_has_no_lines)
{
    CLEANUP_FREE char *nul = lines("a\0b", 3, "a", 1, UINT64_MAX);
    CLEANUP_FREE char *latin = lines("a", 1, "\xe9t\xe9", 3, UINT64_MAX);
    CLEANUP_FREE char *spent = lines("text\n", 5, "other\n", 6, 10);
    CLEANUP_FREE char *line = unit_repeat("", "x", ROMSIM_ROM_TEXT_MAX + 1, "");
    CLEANUP_FREE char *large = lines(line, ROMSIM_ROM_TEXT_MAX + 1, "", 0, UINT64_MAX);
    CLEANUP_FREE char *newlines = unit_repeat("", "\n", ROMSIM_ROM_LINES_MAX + 1, "");
    CLEANUP_FREE char *many = lines("", 0, newlines, ROMSIM_ROM_LINES_MAX + 1, UINT64_MAX);
    char expected[32];

    snprintf(expected, sizeof(expected), "verdict %d", ROMSIM_ROM_NO_TEXT);
    ck_assert_str_eq(nul, expected);
    ck_assert_str_eq(latin, expected);
    snprintf(expected, sizeof(expected), "verdict %d", ROMSIM_ROM_TEXT_BUDGET);
    ck_assert_str_eq(spent, expected);
    snprintf(expected, sizeof(expected), "verdict %d", ROMSIM_ROM_TEXT_TOO_LARGE);
    ck_assert_str_eq(large, expected);
    snprintf(expected, sizeof(expected), "verdict %d", ROMSIM_ROM_TEXT_TOO_LONG);
    ck_assert_str_eq(many, expected);
}
END_TEST

UNIT_MAIN("rom_diff", equal_trees_do_not_differ, names_are_added_and_removed_where_they_stand,
          each_change_has_its_bit, types_links_targets_and_devices,
          a_difference_carries_targets_and_xattrs, damage_ends_a_comparison_unless_it_is_to_go_on,
          too_much_to_compare_is_refused_before_it_is_read,
          lines_that_differ_stand_among_three_that_do_not,
          changes_far_from_each_other_are_two_hunks, what_is_no_text_has_no_lines)
