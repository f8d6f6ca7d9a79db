/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * erofs_sums.c: an image is the same however many threads write it, its sources are read once, and
 * what the sums of them find when it is read back.
 */
#include "tests/unit/harness.h"
#include "tests/unit/trees.h"

#include <romsim/erofs.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LARGE = 3 << 20 };

/* Large and small files, holes, links of both kinds, and a directory larger than what a thread
 * takes at once. */
static struct romsim_tree *tree_of_large_and_small(void)
{
    struct romsim_tree *tree = tree_of_everything();
    const uint64_t sparse = UINT64_C(40) << 20;
    CLEANUP_FREE uint8_t *bytes = malloc(LARGE);
    CLEANUP_BLOB struct romsim_blob *blob = NULL;
    struct romsim_extent extents[2];
    struct romsim_inode *file;
    char path[300];

    for (size_t i = 0; i < LARGE; i++)
        bytes[i] = (uint8_t)(i % 9000 < 4096 ? i >> 7 : i * i >> 9);
    memset(bytes + (1 << 20), 0, 300000);
    for (unsigned i = 0; i < 300; i++) {
        snprintf(path, sizeof(path), "small/%u", i);
        tree_add_file(tree, path, bytes + i, i * 100);
    }
    tree_add_file(tree, "small/large", bytes, LARGE);
    tree_add_file(tree, "small/odd", bytes, LARGE - 1234567);
    for (unsigned i = 0; i < 2500; i++) {
        snprintf(path, sizeof(path), "names/%0240u", i);
        tree_add_symlink(tree, path, "nowhere");
    }
    blob = romsim_blob_from_bytes(bytes, LARGE, NULL);
    extents[0] = (struct romsim_extent){5000, 0, LARGE / 2};
    extents[1] = (struct romsim_extent){sparse - 100000, LARGE / 2, 99999};
    file = tree_add_file(tree, "sparse", "", 0);
    ck_assert_int_eq(romsim_inode_set_extents(file, sparse, blob, extents, 2, NULL), 0);
    return tree;
}

static const struct romsim_erofs_options ways[] = {
    {0}, {.inline_data = true}, {.compress = "lz4"}, {.compress = "lz4", .inline_data = true}};

enum { WAYS = sizeof(ways) / sizeof(ways[0]) };

static struct romsim_blob *build(struct romsim_tree *tree, size_t way, unsigned threads)
{
    struct romsim_erofs_options options = ways[way];
    struct romsim_error err = {0};
    struct romsim_blob *blob;

    options.threads = threads;
    blob = romsim_erofs_build(tree, &options, NULL, &err);
    ck_assert_msg(blob != NULL, "%s", err.message);
    return blob;
}

START_TEST(the_bytes_do_not_depend_on_the_threads)
{
    for (size_t way = 0; way < WAYS; way++) {
        CLEANUP_TREE struct romsim_tree *tree = tree_of_large_and_small();
        CLEANUP_BLOB struct romsim_blob *one = build(tree, way, 1);

        ck_assert_int_eq(romsim_erofs_verify(tree, one, NULL), 0);
        for (unsigned threads = 2; threads <= 4; threads++) {
            CLEANUP_BLOB struct romsim_blob *more = build(tree, way, threads);

            ck_assert_str_eq(romsim_blob_sha256_hex(more), romsim_blob_sha256_hex(one));
        }
    }
}
END_TEST

/* An image, and the sums of what was read for it. */
static struct romsim_blob *write_image(struct romsim_tree *tree, size_t way,
                                       struct romsim_erofs_sums *sums)
{
    struct romsim_erofs_options options = ways[way];
    struct romsim_error err = {0};
    int fd = romsim_blob_scratch_memfd(NULL);

    options.sums = sums;
    ck_assert_int_ge(fd, 0);
    ck_assert_msg(romsim_erofs_write(tree, &options, fd, NULL, &err) == 0, "%s", err.message);
    return romsim_blob_take_fd(fd, NULL);
}

static struct romsim_blob *flip(struct romsim_blob *image, uint64_t at)
{
    uint64_t size = romsim_blob_size(image);
    CLEANUP_FREE uint8_t *bytes = malloc(size);

    memcpy(bytes, romsim_blob_bytes(image), size);
    bytes[at] ^= 1;
    return romsim_blob_from_bytes(bytes, size, NULL);
}

START_TEST(a_byte_that_was_not_read_is_found)
{
    static const struct {
        const char *path;
        uint64_t block;
        const char *message;
    } places[] = {
        {"small/large", 0, "small: large: the data differs within 65536 bytes from byte 0 on"},
        {"small/large", 767, "small: large: the data differs within 65536 bytes from byte 3080192"},
        {"small/large", 300, "small: large: the data differs within 65536 bytes from byte 1179648"},
        {"sparse", 9000, "sparse: the data differs within 65536 bytes from byte 36831232 on"},
        {"small/1", 0, "small: 1: the data differs within 65536 bytes from byte 0 on"},
    };
    CLEANUP_TREE struct romsim_tree *tree = tree_of_large_and_small();
    CLEANUP_EROFS_SUMS struct romsim_erofs_sums *sums = romsim_erofs_sums_new();
    CLEANUP_BLOB struct romsim_blob *image = write_image(tree, 0, sums);
    CLEANUP_EROFS struct romsim_erofs *erofs = romsim_erofs_open(image, NULL);

    ck_assert_int_eq(romsim_erofs_verify_sums(tree, sums, image, NULL), 0);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        struct romsim_erofs_inode inode;
        struct romsim_error err = {0};

        ck_assert_int_eq(romsim_erofs_lookup_path(erofs, places[i].path, &inode, NULL), 1);
        CLEANUP_BLOB struct romsim_blob *other =
            flip(image, (inode.start + places[i].block) * 4096 + 50);
        ck_assert_int_eq(romsim_erofs_verify_sums(tree, sums, other, &err), -1);
        ck_assert_int_eq(err.errnum, EUCLEAN);
        ck_assert_msg(strstr(err.message, places[i].message) != NULL, "%s", err.message);
    }
}
END_TEST

/* Whatever the layout: an image of files of which one is another by now. */
START_TEST(the_sums_are_of_every_file_in_every_layout)
{
    static const struct {
        const char *path;
        uint64_t at;
    } changes[] = {{"small/1", 99},          {"small/77", 7699},
                   {"small/41", 2},          {"small/large", LARGE - 1},
                   {"small/large", 1 << 20}, {"small/odd", 1900000},
                   {"sizes/4097", 4096},     {"sizes/4096", 1}};

    for (size_t i = 0; i < WAYS * sizeof(changes) / sizeof(changes[0]); i++) {
        size_t way = i % WAYS;
        CLEANUP_TREE struct romsim_tree *tree = tree_of_large_and_small();
        CLEANUP_EROFS_SUMS struct romsim_erofs_sums *sums = romsim_erofs_sums_new();
        CLEANUP_BLOB struct romsim_blob *before = write_image(tree, way, NULL);
        struct romsim_inode *file = romsim_tree_lookup(tree, changes[i / WAYS].path);
        CLEANUP_FREE uint8_t *bytes = malloc(file->size);
        uint64_t size = file->size;

        ck_assert_int_eq(romsim_inode_read(file, 0, bytes, size, NULL), 0);
        bytes[changes[i / WAYS].at] ^= 0x80;
        ck_assert_int_eq(romsim_inode_set_bytes(file, bytes, size, NULL), 0);
        CLEANUP_BLOB struct romsim_blob *after = write_image(tree, way, sums);
        ck_assert_int_eq(romsim_erofs_verify_sums(tree, sums, before, NULL), -1);
        ck_assert_int_eq(romsim_erofs_verify_sums(tree, sums, after, NULL), 0);
    }
}
END_TEST

/* What a file had when it was read is in the image, and is what it is compared with. */
START_TEST(a_source_is_read_once)
{
    for (size_t way = 0; way < WAYS; way++) {
        CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(NULL);
        CLEANUP_EROFS_SUMS struct romsim_erofs_sums *sums = romsim_erofs_sums_new();
        CLEANUP_HOSTDIR struct romsim_hostdir *directory = romsim_hostdir_open("/tmp", NULL);
        struct romsim_inode *file = tree_add_file(tree, "f", "", 0);
        char path[] = "/tmp/romsim-unit.XXXXXX";
        CLEANUP_FD int fd = mkstemp(path);
        struct stat st;

        ck_assert_int_ge(fd, 0);
        for (int i = 0; i < 1000; i++)
            ck_assert_int_eq(write(fd, "0123456789", 10), 10);
        ck_assert_int_eq(fstat(fd, &st), 0);
        ck_assert_int_eq(
            romsim_inode_set_host_file(file, directory, path + strlen("/tmp/"), &st, NULL), 0);
        CLEANUP_BLOB struct romsim_blob *image = write_image(tree, way, sums);
        ck_assert_int_eq(unlink(path), 0);
        ck_assert_int_eq(romsim_erofs_verify_sums(tree, sums, image, NULL), 0);
        ck_assert_int_eq(romsim_erofs_verify(tree, image, NULL), -1);
    }
}
END_TEST

/* Whichever thread comes across it first: of several files that are gone the first one is named. */
START_TEST(the_first_failure_is_the_one_that_is_said)
{
    CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(NULL);
    CLEANUP_HOSTDIR struct romsim_hostdir *directory = romsim_hostdir_open("/tmp", NULL);
    const struct stat gone = {.st_mode = S_IFREG | 0644, .st_size = 300000};
    const struct romsim_erofs_options options = {.threads = 4};
    char name[32], source[64];

    for (int i = 0; i < 200; i++) {
        struct romsim_inode *file;

        snprintf(name, sizeof(name), "f%03d", i);
        snprintf(source, sizeof(source), "romsim-unit-gone/%s", name);
        file = tree_add_file(tree, name, "", 0);
        ck_assert_int_eq(romsim_inode_set_host_file(file, directory, source, &gone, NULL), 0);
    }
    for (int i = 0; i < 20; i++) {
        struct romsim_error err = {0};

        ck_assert_ptr_null(romsim_erofs_build(tree, &options, NULL, &err));
        ck_assert_int_eq(err.errnum, ESTALE);
        ck_assert_str_eq(err.message, "'/tmp/romsim-unit-gone/f000' changed while it was read");
    }
}
END_TEST

UNIT_MAIN("erofs_sums", the_bytes_do_not_depend_on_the_threads, a_byte_that_was_not_read_is_found,
          the_sums_are_of_every_file_in_every_layout, a_source_is_read_once,
          the_first_failure_is_the_one_that_is_said)
