/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * erofs_zcache.c: reading compressed files costs what is read: each pcluster is decoded once,
 * whatever the size and order of the reads and however many threads there are.  And of a damaged
 * pcluster what stands before the damage can be read.
 */
#include "fixtures.h"

#include "sim/erofs/zfile.h"

#include <errno.h>
#include <pthread.h>
#include <romsim/erofs_check.h>
#include <sys/stat.h>

static struct fixtures fixtures;

/* Fixtures of every algorithm, of large pclusters, and of fragments in a packed inode. */
static const char *const compressed[] = {"lz4",         "lz4-legacy",     "lz4hc-big",
                                         "lz4-allfrag", "lz4-everything", "lzma-big",
                                         "deflate",     "zstd-frag",      "48bit-zstd"};

enum { COMPRESSED = sizeof(compressed) / sizeof(compressed[0]), PIECE = 1000, THREADS = 8 };

static struct romsim_erofs *open_fixture(const char *name)
{
    const struct fixture *fixture = fixture_find(&fixtures, name);
    struct romsim_error err = {0};
    struct romsim_erofs *erofs = fixture_open(fixture->bytes, fixture->size, &err);

    ck_assert_msg(erofs != NULL, "%s", err.message);
    return erofs;
}

static void must_read(struct romsim_erofs *erofs, const struct romsim_erofs_inode *inode,
                      uint64_t offset, void *buffer, size_t size)
{
    struct romsim_error err = {0};
    size_t got;

    ck_assert_msg(romsim_erofs_read(erofs, inode, offset, buffer, size, &got, &err) == 0, "%s",
                  err.message);
}

/* The regular files of an image. */
struct files {
    struct romsim_erofs_inode items[200];
    size_t count;
};

static int add_file(void *context, const char *path, const struct romsim_erofs_inode *inode)
{
    struct files *files = context;

    (void)path;
    if (S_ISREG(inode->mode) && files->count < sizeof(files->items) / sizeof(files->items[0]))
        files->items[files->count++] = *inode;
    return 0;
}

static void list_files(struct romsim_erofs *erofs, struct files *ret)
{
    ret->count = 0;
    ck_assert_int_eq(romsim_erofs_walk(erofs, add_file, ret, NULL), 0);
    ck_assert_uint_gt(ret->count, 50);
}

/* How many decodes it takes to read each file at once: one for each of its extents. */
static uint64_t count_extents(const char *name, const struct files *files)
{
    struct romsim_erofs *erofs = open_fixture(name);
    uint64_t count;

    for (size_t i = 0; i < files->count; i++) {
        uint8_t *whole = malloc(files->items[i].size + 1);

        must_read(erofs, &files->items[i], 0, whole, files->items[i].size);
        free(whole);
    }
    count = erofs_zcache_decodes(erofs->cache);
    romsim_erofs_close(erofs);
    return count;
}

static void read_pieces(struct romsim_erofs *erofs, const struct files *files)
{
    uint8_t piece[PIECE];

    for (size_t i = 0; i < files->count; i++)
        for (uint64_t offset = 0; offset < files->items[i].size; offset += PIECE)
            must_read(erofs, &files->items[i], offset, piece, PIECE);
}

START_TEST(small_reads_in_order_decode_each_extent_once)
{
    struct romsim_erofs *erofs = open_fixture(compressed[_i]);
    static struct files files;
    uint64_t extents;

    list_files(erofs, &files);
    extents = count_extents(compressed[_i], &files);
    read_pieces(erofs, &files);
    ck_assert_uint_gt(erofs_zcache_decodes(erofs->cache), 0);
    ck_assert_uint_le(erofs_zcache_decodes(erofs->cache), extents);
    romsim_erofs_close(erofs);
}
END_TEST

START_TEST(small_reads_in_any_order_decode_each_extent_once)
{
    struct romsim_erofs *erofs = open_fixture(compressed[_i]);
    static struct files files;
    uint8_t piece[PIECE];
    uint64_t extents;

    list_files(erofs, &files);
    extents = count_extents(compressed[_i], &files);
    for (size_t i = 0, at = 0; i < 5000; i++) {
        const struct romsim_erofs_inode *inode = &files.items[i * 37 % files.count];

        at = at * 1103515245 + 12345;
        if (inode->size)
            must_read(erofs, inode, at % inode->size, piece, PIECE);
    }
    ck_assert_uint_le(erofs_zcache_decodes(erofs->cache), extents);
    romsim_erofs_close(erofs);
}
END_TEST

/* ---- one file ----------------------------------------------------------------------------- */

/* Text that compresses well, and not to almost nothing. */
static uint8_t *make_text(size_t size)
{
    uint8_t *data = malloc(size + 32);

    ck_assert_ptr_nonnull(data);
    for (size_t i = 0, line = 0; i < size; line++)
        i += sprintf((char *)data + i, "line %zu of text\n", line * line % 9973);
    return data;
}

/* An image with the one file "f". */
static struct romsim_blob *build_file(const uint8_t *data, size_t size, const char *compress)
{
    const struct romsim_erofs_options options = {.compress = compress};
    CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(NULL);
    struct romsim_erofs_result result;
    struct romsim_error err = {0};
    struct romsim_dentry *dentry =
        romsim_tree_add(tree, romsim_tree_root(tree), "f", 1, S_IFREG | 0644, NULL);
    struct romsim_blob *image;

    ck_assert_int_eq(romsim_inode_set_bytes(dentry->inode, data, size, &err), 0);
    image = romsim_erofs_build(tree, &options, &result, &err);
    ck_assert_msg(image != NULL, "%s", err.message);
    return image;
}

/* Opens it; also where its first extent is. */
static struct romsim_erofs *open_file(struct romsim_blob *image, struct romsim_erofs_inode *ret,
                                      struct erofs_extent *ret_extent)
{
    struct romsim_error err = {0};
    struct romsim_erofs *erofs = romsim_erofs_open(image, &err);
    struct erofs_zfile file;

    ck_assert_msg(erofs != NULL, "%s", err.message);
    ck_assert_int_eq(romsim_erofs_lookup_path(erofs, "f", ret, &err), 1);
    ck_assert_int_eq(erofs_zfile_open(erofs, ret, &file, &err), 0);
    ck_assert_int_eq(erofs_extent_find(erofs, ret, &file, 0, ret_extent, &err), 0);
    ck_assert_int_eq(ret_extent->kind, EROFS_EXTENT_PCLUSTER);
    return erofs;
}

/* Far more than the cache holds. */
START_TEST(a_large_file_in_small_reads_is_decoded_once)
{
    enum { SIZE = 40 << 20 };
    uint8_t *data = make_text(SIZE), *whole = malloc(SIZE);
    struct romsim_blob *image = build_file(data, SIZE, "lz4");
    struct romsim_erofs_inode inode;
    struct erofs_extent extent;
    struct romsim_erofs *erofs = open_file(image, &inode, &extent);
    uint64_t once, piecewise;

    must_read(erofs, &inode, 0, whole, SIZE);
    once = erofs_zcache_decodes(erofs->cache);
    for (size_t at = 0; at < SIZE; at += 4096)
        must_read(erofs, &inode, at, whole + at, 4096);
    piecewise = erofs_zcache_decodes(erofs->cache) - once;
    ck_assert_int_eq(memcmp(data, whole, SIZE), 0);
    ck_assert_uint_gt(once, 100);
    ck_assert_uint_le(piecewise, once);
    romsim_erofs_close(erofs);
    romsim_blob_unref(image);
    free(data);
    free(whole);
}
END_TEST

/* How many extents a piece can have whole: those are decoded by each who reads them, to where they
 * are wanted. */
static uint64_t count_small_extents(struct romsim_erofs *erofs, const struct files *files)
{
    struct erofs_extent extent;
    uint64_t count = 0;

    for (size_t i = 0; i < files->count; i++) {
        const struct romsim_erofs_inode *inode = &files->items[i];
        struct erofs_zfile file;

        if (!inode->size || !romsim_erofs_is_compressed(inode))
            continue;
        ck_assert_int_eq(erofs_zfile_open(erofs, inode, &file, NULL), 0);
        for (uint64_t at = 0; at < inode->size; at = extent.start + extent.length) {
            ck_assert_int_eq(erofs_extent_find(erofs, inode, &file, at, &extent, NULL), 0);
            count += extent.length <= PIECE;
        }
    }
    return count;
}

struct reader {
    pthread_t thread;
    pthread_barrier_t *start;
    struct romsim_erofs *erofs;
    const struct files *files;
};

static void *read_all(void *argument)
{
    struct reader *reader = argument;

    pthread_barrier_wait(reader->start);
    read_pieces(reader->erofs, reader->files);
    return NULL;
}

/* As the kernel's readahead does it: many requests for one pcluster at once. */
START_TEST(threads_that_read_the_same_share_the_decoding)
{
    struct romsim_erofs *erofs = open_fixture(compressed[_i]);
    struct reader readers[THREADS];
    static struct files files;
    pthread_barrier_t start;
    uint64_t extents;

    list_files(erofs, &files);
    extents = count_extents(compressed[_i], &files);
    extents += (THREADS - 1) * count_small_extents(erofs, &files);
    pthread_barrier_init(&start, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) {
        readers[i] = (struct reader){.start = &start, .erofs = erofs, .files = &files};
        ck_assert_int_eq(pthread_create(&readers[i].thread, NULL, read_all, &readers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(readers[i].thread, NULL);
    pthread_barrier_destroy(&start);
    ck_assert_uint_le(erofs_zcache_decodes(erofs->cache), extents);
    romsim_erofs_close(erofs);
}
END_TEST

/* ---- damage ------------------------------------------------------------------------------- */

/* What is behind the damage is lost, what is before it is not; and each page that is asked for
 * costs no new decode. */
START_TEST(what_stands_before_damage_can_be_read)
{
    enum { SIZE = 60000, PAGE = 4096 };
    struct romsim_erofs_inode inode;
    struct erofs_extent extent;
    uint8_t *data = make_text(SIZE), page[PAGE];
    struct romsim_blob *image = build_file(data, SIZE, "lz4hc");
    struct romsim_erofs *erofs = open_file(image, &inode, &extent);
    uint64_t size = romsim_blob_size(image), good = 0, bad = 0;
    uint8_t *bytes = malloc(size);
    struct romsim_error err = {0};
    size_t got;

    memcpy(bytes, romsim_blob_bytes(image), size);
    memset(bytes + extent.position + extent.encoded - extent.encoded / 3, 0xff, 100);
    romsim_erofs_close(erofs);
    romsim_blob_unref(image);
    erofs = fixture_open(bytes, size, &err);
    ck_assert_msg(erofs != NULL, "%s", err.message);
    for (uint64_t at = 0; at + PAGE <= extent.length; at += PAGE) {
        if (romsim_erofs_read(erofs, &inode, at, page, PAGE, &got, &err) == 0) {
            ck_assert_uint_eq(bad, 0);
            ck_assert_int_eq(memcmp(page, data + at, PAGE), 0);
            good++;
        } else {
            ck_assert_int_eq(err.errnum, EUCLEAN);
            bad++;
        }
    }
    ck_assert_uint_gt(good, 0);
    ck_assert_uint_gt(bad, 0);
    ck_assert_uint_le(erofs_zcache_decodes(erofs->cache), 2 + 14);
    romsim_erofs_close(erofs);
    free(bytes);
    free(data);
}
END_TEST

/* A byte of the padding before an LZ4 stream: the decoder goes wrong and still fills the output,
 * but not with the end of its input. */
START_TEST(data_that_does_not_end_with_the_extent_is_damage)
{
    const struct fixture *fixture = fixture_find(&fixtures, "lz4hc-big");
    struct romsim_erofs_inode inode;
    struct romsim_error err = {0};
    struct romsim_erofs *erofs;
    uint8_t buffer[65536];
    size_t got;

    ck_assert_int_eq(fixture->bytes[70689], 0);
    fixture->bytes[70689] = 0x80;
    erofs = fixture_open(fixture->bytes, fixture->size, &err);
    ck_assert_int_eq(romsim_erofs_lookup_path(erofs, "twin_shifted", &inode, &err), 1);
    ck_assert_int_eq(romsim_erofs_read(erofs, &inode, 0, buffer, sizeof(buffer), &got, &err), -1);
    ck_assert_int_eq(err.errnum, EUCLEAN);
    ck_assert_int_eq(romsim_erofs_check(romsim_erofs_blob(erofs), NULL, NULL, NULL, &err), 1);
    romsim_erofs_close(erofs);
    fixture->bytes[70689] = 0;
}
END_TEST

static void load(void)
{
    fixtures_load(&fixtures);
}

int main(void)
{
    TCase *tcase = tcase_create("erofs_zcache");
    int status;

    tcase_add_unchecked_fixture(tcase, load, NULL);
    tcase_set_timeout(tcase, 300);
    tcase_add_loop_test(tcase, small_reads_in_order_decode_each_extent_once, 0, COMPRESSED);
    tcase_add_loop_test(tcase, small_reads_in_any_order_decode_each_extent_once, 0, COMPRESSED);
    tcase_add_test(tcase, a_large_file_in_small_reads_is_decoded_once);
    tcase_add_test(tcase, what_stands_before_damage_can_be_read);
    tcase_add_test(tcase, data_that_does_not_end_with_the_extent_is_damage);
    tcase_add_loop_test(tcase, threads_that_read_the_same_share_the_decoding, 0, COMPRESSED);
    status = unit_run_case("erofs_zcache", tcase);
    fixtures_free(&fixtures);
    return status;
}
