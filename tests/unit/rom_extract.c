/* SPDX-License-Identifier: BSD-3-Clause */
/* rom_extract.c: an image's files as files of the host: what is made, left out and refused. */
#include "looks.h"

#include "crafted.h"

#include <romsim/rom_extract.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "/tmp/romsim-extract-XXXXXX";

static void make_directory(void)
{
    snprintf(directory, sizeof(directory), "/tmp/romsim-extract-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void remove_directory(void)
{
    nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* "PATH: MESSAGE\n" of each refusal; asked for the end after `left` questions. */
struct witness {
    struct told refused;
    int left;
};

static void refused(void *context, const char *path, struct romsim_error *error)
{
    look_tell(&((struct witness *)context)->refused, path, error);
}

static bool is_ended(void *context)
{
    struct witness *witness = context;

    return witness->left >= 0 && witness->left-- == 0;
}

/* Unpacks into the directory.  Takes the image. */
static int extract(struct romsim_erofs *image, const char *path,
                   struct romsim_rom_extract_options options, struct witness *witness,
                   struct romsim_rom_extract_result *ret, struct romsim_error *err)
{
    CLEANUP_EROFS struct romsim_erofs *erofs = image;
    struct romsim_rom_look look;

    romsim_rom_look_init(&look, erofs, NULL, NULL);
    options.refused = refused;
    options.is_ended = is_ended;
    options.context = witness;
    return romsim_rom_extract(&look, path, directory, &options, ret, err);
}

static void expect_file(const char *path, const char *expected)
{
    int parent = open(directory, O_PATH | O_DIRECTORY);
    int fd = openat(parent, path, O_RDONLY | O_NOFOLLOW);
    char text[64] = "";

    ck_assert_msg(fd >= 0, "%s", path);
    ck_assert_int_ge(read(fd, text, sizeof(text) - 1), 0);
    ck_assert_str_eq(text, expected);
    close(fd);
    close(parent);
}

static struct stat status_of(const char *path)
{
    int parent = open(directory, O_PATH | O_DIRECTORY);
    struct stat status = {0};

    ck_assert_int_eq(fstatat(parent, path, &status, AT_SYMLINK_NOFOLLOW), 0);
    close(parent);
    return status;
}

START_TEST(files_come_out_as_they_are_in_the_image)
{
    struct romsim_tree *tree = romsim_tree_new(NULL);
    struct romsim_inode *inode = tree_add_file(tree, "dir/file", "content", 7);
    struct romsim_rom_extract_result result;
    struct witness witness = {.left = -1};

    inode->mode = S_IFREG | 0750;
    inode->mtime = 1700000000;
    inode->mtime_nsec = 5;
    tree_add_link(tree, "again", inode);
    tree_add_symlink(tree, "dir/link", "file");
    tree_add_node(tree, "empty", S_IFDIR | 0500)->mtime = 99;
    ck_assert_int_eq(extract(look_image(tree), NULL, (struct romsim_rom_extract_options){0},
                             &witness, &result, NULL),
                     0);
    ck_assert_uint_eq(result.made, 5);
    ck_assert_uint_eq(result.refused, 0);
    expect_file("dir/file", "content");
    ck_assert_uint_eq(status_of("dir/file").st_mode, S_IFREG | 0750);
    ck_assert_int_eq(status_of("dir/file").st_mtim.tv_sec, 1700000000);
    ck_assert_int_eq(status_of("dir/file").st_mtim.tv_nsec, 5);
    ck_assert_uint_eq(status_of("again").st_ino, status_of("dir/file").st_ino);
    ck_assert(S_ISLNK(status_of("dir/link").st_mode));
    ck_assert_uint_eq(status_of("empty").st_mode, S_IFDIR | 0500);
    ck_assert_int_eq(status_of("empty").st_mtim.tv_sec, 99);
}
END_TEST

START_TEST(a_part_of_an_image_comes_out_alone)
{
    struct romsim_tree *trees[2];
    struct romsim_rom_extract_result result;
    struct witness witness = {.left = -1};

    for (int i = 0; i < 2; i++) {
        trees[i] = romsim_tree_new(NULL);
        tree_add_file(trees[i], "a/b/one", "1", 1);
        tree_add_file(trees[i], "a/two", "2", 1);
    }
    ck_assert_int_eq(extract(look_image(trees[0]), "a/b", (struct romsim_rom_extract_options){0},
                             &witness, &result, NULL),
                     0);
    ck_assert_uint_eq(result.made, 1);
    expect_file("one", "1");
    ck_assert_int_eq(extract(look_image(trees[1]), "a/two", (struct romsim_rom_extract_options){0},
                             &witness, &result, NULL),
                     0);
    ck_assert_uint_eq(result.made, 1);
    expect_file("two", "2");
}
END_TEST

START_TEST(what_exists_is_left_as_it_is)
{
    struct romsim_tree *tree = romsim_tree_new(NULL);
    struct romsim_rom_extract_result result;
    struct witness witness = {.left = -1};
    int parent = open(directory, O_PATH | O_DIRECTORY);
    int fd = openat(parent, "file", O_WRONLY | O_CREAT, 0600);

    ck_assert_int_eq(write(fd, "mine", 4), 4);
    close(fd);
    ck_assert_int_eq(symlinkat("/tmp", parent, "dir"), 0);
    close(parent);
    tree_add_file(tree, "file", "theirs", 6);
    tree_add_file(tree, "dir/romsim-escaped", "theirs", 6);
    ck_assert_int_eq(extract(look_image(tree), NULL, (struct romsim_rom_extract_options){0},
                             &witness, &result, NULL),
                     0);
    ck_assert_uint_eq(result.made, 0);
    ck_assert_uint_eq(result.refused, 3);
    ck_assert_uint_eq(result.existing, 2);
    expect_file("file", "mine");
    ck_assert_int_ne(access("/tmp/romsim-escaped", F_OK), 0);
    ck_assert_msg(strstr(witness.refused.text, "/dir/romsim-escaped: ") != NULL, "%s",
                  witness.refused.text);
}
END_TEST

START_TEST(links_that_may_lead_out_are_refused_unless_asked_for)
{
    static const char *const outside[] = {"/etc", "..", "a/..", "../x", "in/../../../y"};
    static const char *const inside[] = {"x", "./x", "a/b", "."};

    for (int all = 0; all < 2; all++) {
        struct romsim_tree *tree = romsim_tree_new(NULL);
        struct romsim_rom_extract_result result;
        struct witness witness = {.left = -1};
        char path[32];

        for (size_t i = 0; i < 5; i++) {
            snprintf(path, sizeof(path), "%d-out%zu", all, i);
            tree_add_symlink(tree, path, outside[i]);
        }
        for (size_t i = 0; i < 4; i++) {
            snprintf(path, sizeof(path), "%d-in%zu", all, i);
            tree_add_symlink(tree, path, inside[i]);
        }
        ck_assert_int_eq(extract(look_image(tree), NULL,
                                 (struct romsim_rom_extract_options){.all_links = all}, &witness,
                                 &result, NULL),
                         0);
        ck_assert_uint_eq(result.made, all ? 9 : 4);
        ck_assert_uint_eq(result.refused_links, all ? 0 : 5);
        ck_assert_uint_eq(result.refused, result.refused_links);
    }
}
END_TEST

START_TEST(what_only_root_may_do_is_left_out_and_counted)
{
    struct romsim_tree *tree = romsim_tree_new(NULL);
    struct romsim_inode *inode = tree_add_file(tree, "setuid", "", 0);
    struct romsim_rom_extract_result result;
    struct witness witness = {.left = -1};

    inode->mode = S_IFREG | 06755;
    inode->uid = geteuid() + 1;
    tree_add_node(tree, "device", S_IFBLK | 0600);
    ck_assert_int_eq(extract(look_image(tree), NULL, (struct romsim_rom_extract_options){0},
                             &witness, &result, NULL),
                     0);
    ck_assert_uint_eq(result.devices, 1);
    ck_assert_uint_eq(result.setids, 1);
    ck_assert_uint_ge(result.owners, 1);
    ck_assert_uint_eq(status_of("setuid").st_mode, S_IFREG | 0755);
    ck_assert_uint_eq(status_of("setuid").st_uid, geteuid());
}
END_TEST

START_TEST(an_end_leaves_no_part_of_a_file)
{
    static uint8_t bytes[3 << 20];
    struct romsim_tree *tree = romsim_tree_new(NULL);
    struct romsim_rom_extract_result result;
    struct witness witness = {.left = 3}; /* before "a", before "b", in its first piece */
    int parent = open(directory, O_PATH | O_DIRECTORY);

    memset(bytes, 'x', sizeof(bytes));
    tree_add_file(tree, "a", "", 0);
    tree_add_file(tree, "b", bytes, sizeof(bytes));
    tree_add_file(tree, "c", "", 0);
    ck_assert_int_eq(extract(look_image(tree), NULL, (struct romsim_rom_extract_options){0},
                             &witness, &result, NULL),
                     0);
    ck_assert(result.is_ended);
    ck_assert_uint_eq(result.made, 1);
    ck_assert_uint_eq(result.refused, 0);
    ck_assert_int_eq(faccessat(parent, "a", F_OK, 0), 0);
    ck_assert_int_ne(faccessat(parent, "b", F_OK, 0), 0);
    ck_assert_int_ne(faccessat(parent, "c", F_OK, 0), 0);
    close(parent);
}
END_TEST

/* Its one file has over a GiB, all of it the same 16 blocks. */
static struct romsim_erofs *image_of_much(void)
{
    enum { NID = 512 /* in block 5 */, CHUNKS = 17000, CHUNK_BITS = 4 };
    struct crafted *image = craft_new();
    struct erofs_inode_extended *inode =
        craft_file(image, NID, ROMSIM_EROFS_CHUNK_BASED, S_IFREG | 0644,
                   (uint64_t)CHUNKS * (CRAFT_BLOCK << CHUNK_BITS), CHUNK_BITS);
    struct romsim_erofs *erofs;

    memset(inode + 1, 0, CHUNKS * sizeof(le32)); /* the first block of each chunk */
    craft_entry(image, "f", NID, EROFS_FT_REG_FILE);
    craft_super(image)->feature_incompat = le32_make(EROFS_FEATURE_INCOMPAT_CHUNKED_FILE);
    craft_finish(image);
    erofs = look_bytes(image->bytes, CRAFT_SIZE);
    free(image);
    return erofs;
}

START_TEST(a_failure_makes_nothing_and_says_what_it_is_about)
{
    CLEANUP_EROFS struct romsim_erofs *erofs = image_of_much();
    const struct romsim_rom_extract_options options = {0};
    struct romsim_rom_extract_result result;
    struct romsim_rom_look look;
    struct romsim_error err = {0};
    char deep[64], missing[64];

    snprintf(deep, sizeof(deep), "%s/a/b", directory);
    snprintf(missing, sizeof(missing), "%s/a", directory);
    romsim_rom_look_init(&look, erofs, NULL, NULL);
    ck_assert_int_eq(romsim_rom_extract(&look, "nothing", missing, &options, &result, &err), -1);
    ck_assert_int_eq(err.errnum, ENOENT);
    ck_assert(!result.is_target);
    ck_assert_int_eq(romsim_rom_extract(&look, NULL, missing, &options, &result, &err), -1);
    ck_assert_int_eq(err.errnum, EDQUOT);
    ck_assert(!result.is_target);
    ck_assert_int_ne(access(missing, F_OK), 0);
    ck_assert_int_eq(romsim_rom_extract(&look, NULL, deep,
                                        &(struct romsim_rom_extract_options){.no_limit = true},
                                        &result, &err),
                     -1);
    ck_assert_int_eq(err.errnum, ENOENT);
    ck_assert(result.is_target);
    ck_assert_ptr_nonnull(strstr(err.hint, "mkdir -p"));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {files_come_out_as_they_are_in_the_image,
                                  a_part_of_an_image_comes_out_alone,
                                  what_exists_is_left_as_it_is,
                                  links_that_may_lead_out_are_refused_unless_asked_for,
                                  what_only_root_may_do_is_left_out_and_counted,
                                  an_end_leaves_no_part_of_a_file,
                                  a_failure_makes_nothing_and_says_what_it_is_about};
    TCase *tcase = tcase_create("rom_extract");

    tcase_add_checked_fixture(tcase, make_directory, remove_directory);
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
        tcase_add_test(tcase, tests[i]);
    return unit_run_case("rom_extract", tcase);
}
