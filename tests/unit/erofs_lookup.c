/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * erofs_lookup.c: looking names up in directories that are damaged or unsorted, which packers have
 * shipped: the same names are found as by the kernel's search (fs/erofs/namei.c).
 */
#include "crafted.h"

enum { NAMES_MAX = 12, NOTHING = -1 };

/* A root directory's names, "." and ".." among them, in the order in which they stand, and the
 * number of the one that a lookup finds. */
static const struct {
    const char *names[NAMES_MAX];
    const char *wanted;
    int found;
} lookups[] = {
    {{".", "..", "a", "b"}, "a", 2},
    {{".", "..", "a", "b"}, "b", 3},
    {{".", "..", "a", "b"}, ".", 0},
    {{".", "..", "a", "b"}, "..", 1},
    {{".", "..", "a", "b"}, "c", NOTHING},
    {{".", "..", "a", "b"}, "#", NOTHING},
    {{".", "..", "a", "ab", "abc"}, "ab", 3},
    {{".", "..", "\x7f", "\x80", "\xff"}, "\x80", 3},
    /* The dots first, as some packers had it: what belongs before them is not found. */
    {{".", "..", "#a", "z"}, "#a", NOTHING},
    {{".", "..", "#a", "z"}, "z", 3},
    {{".", "..", "#a", "$b", "+c", "z"}, "+c", NOTHING},
    {{"#a", "+c", ".", "..", "z"}, "#a", 0},
    {{"#a", "+c", ".", "..", "z"}, "+c", 1},
    /* Unsorted: 1 to 4 are tried in the order 2, 3, 4. */
    {{".", "..", "c", "b", "a"}, "c", 2},
    {{".", "..", "c", "b", "a"}, "b", NOTHING},
    {{".", "..", "c", "b", "d"}, "d", 4},
    /* What agrees with the names on both sides is not compared again. */
    {{".", "..", "abA", "qqX", "ab~", "d", "e", "f"}, "abX", 3},
    {{".", "..", "abA", "qqX", "ab~", "d", "e", "f"}, "qqX", NOTHING},
};

static void craft_names(struct crafted *image, const char *const *names)
{
    image->entry_count = 0;
    for (size_t i = 0; i < NAMES_MAX && names[i]; i++)
        craft_entry(image, names[i], 100 + i, EROFS_FT_REG_FILE);
    craft_finish(image);
}

/* The nid of a name in the root; NOTHING if it is not found. */
static int look_up(struct crafted *image, const char *name)
{
    struct romsim_blob *blob = craft_blob(image);
    struct romsim_error err = {0};
    struct romsim_erofs *erofs = romsim_erofs_open(blob, &err);
    struct romsim_erofs_inode root;
    uint64_t nid = 0;
    int found;

    ck_assert_msg(erofs != NULL, "%s", err.message);
    ck_assert_int_eq(romsim_erofs_inode(erofs, romsim_erofs_root(erofs), &root, &err), 0);
    found = romsim_erofs_lookup(erofs, &root, name, strlen(name), &nid, &err);
    ck_assert_msg(found >= 0, "%s", err.message);
    romsim_erofs_close(erofs);
    romsim_blob_unref(blob);
    return found ? (int)nid : NOTHING;
}

START_TEST(a_lookup_finds_what_the_kernel_finds)
{
    struct crafted *image = craft_new();
    int wanted = lookups[_i].found == NOTHING ? NOTHING : 100 + lookups[_i].found;

    craft_names(image, lookups[_i].names);
    ck_assert_int_eq(look_up(image, lookups[_i].wanted), wanted);
    free(image);
}
END_TEST

START_TEST(a_nul_ends_a_name_in_the_middle_of_a_block)
{
    static const char *const names[] = {".", "..", "aXY", "b", NULL};
    struct crafted *image = craft_new();
    struct romsim_erofs_dirent entry;
    struct romsim_erofs_inode root;
    struct romsim_erofs *erofs;
    struct romsim_blob *blob;
    uint64_t cursor = 0;
    char *name;

    craft_names(image, names);
    name = memmem(craft_block(image, CRAFT_DATA), CRAFT_BLOCK, "aXY", 3);
    name[1] = 0;
    ck_assert_int_eq(look_up(image, "a"), 102);
    ck_assert_int_eq(look_up(image, "aXY"), NOTHING);
    ck_assert_int_eq(look_up(image, "b"), 103);
    check_says(image, "a name with a NUL in it, seen as \"a\"");

    blob = craft_blob(image);
    erofs = romsim_erofs_open(blob, NULL);
    ck_assert_int_eq(romsim_erofs_inode(erofs, 0, &root, NULL), 0);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(romsim_erofs_readdir(erofs, &root, cursor, &cursor, &entry, NULL, NULL),
                         1);
    ck_assert_uint_eq(entry.name_size, 1);
    ck_assert(entry.cut_by_nul);
    romsim_erofs_close(erofs);
    romsim_blob_unref(blob);
    free(image);
}
END_TEST

/* A dirent that points anywhere hides itself, and does not hide the others. */
START_TEST(a_bad_dirent_does_not_hide_its_neighbours)
{
    static const char *const names[] = {".", "..", "a", "b", "c", "d", NULL};
    static const uint16_t offsets[] = {0, 12, 71, 90, 4095, 65535};
    struct crafted *image = craft_new();
    struct erofs_dirent *dirents;

    craft_names(image, names);
    dirents = craft_block(image, CRAFT_DATA);
    for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
        dirents[2].nameoff = le16_make(offsets[i]);
        ck_assert_int_eq(look_up(image, "b"), 103);
        ck_assert_int_eq(look_up(image, "d"), 105);
    }
    free(image);
}
END_TEST

/* The first dirent's offset says how many there are.  A directory with a wrong one is damaged, and
 * a lookup still finds what it can. */
START_TEST(a_wrong_number_of_dirents_hides_what_is_behind_it)
{
    static const char *const names[] = {".", "..", "a", "b", "c", NULL};
    struct crafted *image = craft_new();
    struct erofs_dirent *dirents;

    craft_names(image, names);
    dirents = craft_block(image, CRAFT_DATA);
    dirents[0].nameoff = le16_make(4 * 12 + 5);
    ck_assert_int_eq(look_up(image, "a"), 102);
    ck_assert_int_eq(look_up(image, "c"), NOTHING);
    check_says(image, "no multiple of 12");
    free(image);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("erofs_lookup");

    tcase_add_loop_test(tcase, a_lookup_finds_what_the_kernel_finds, 0,
                        sizeof(lookups) / sizeof(lookups[0]));
    tcase_add_test(tcase, a_nul_ends_a_name_in_the_middle_of_a_block);
    tcase_add_test(tcase, a_wrong_number_of_dirents_hides_what_is_behind_it);
    tcase_add_test(tcase, a_bad_dirent_does_not_hide_its_neighbours);
    return unit_run_case("erofs_lookup", tcase);
}
