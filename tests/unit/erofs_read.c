/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * erofs_read.c: the reader reads what another tool wrote: for each fixture image, every file's
 * metadata is what LISTING.txt says, its bytes are what SHA256SUMS.txt says, its xattrs what the
 * README says; and lookup, readdir, map and read agree with each other.
 */
#include "fixtures.h"

#include <romsim/digest.h>
#include <romsim/text.h>

#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>

enum { LINE_MAX_ = 1024, ENTRIES = 140 };

/* ---- what is expected ------------------------------------------------------------------- */

struct expected {
    char path[128], type, target[64];
    unsigned mode, uid, gid, links;
    long long size; /* -1: not listed */
    char sha256[65];
};

static struct expected expected[ENTRIES];
static size_t expected_count;

static void parse_listing_line(char *line, struct expected *entry)
{
    char *fields[9];

    for (size_t i = 0; i < 9; i++) {
        fields[i] = strsep(&line, "|\n");
        ck_assert_ptr_nonnull(fields[i]);
    }
    snprintf(entry->path, sizeof(entry->path), "/%s", fields[0]);
    snprintf(entry->target, sizeof(entry->target), "%s", fields[7]);
    entry->type = fields[1][0];
    entry->mode = strtoul(fields[2], NULL, 8);
    entry->uid = strtoul(fields[3], NULL, 10);
    entry->gid = strtoul(fields[4], NULL, 10);
    entry->size = *fields[5] ? strtoll(fields[5], NULL, 10) : -1;
    entry->links = strtoul(fields[6], NULL, 10);
    ck_assert_str_eq(fields[8], "1714979289.1234567890");
}

static struct expected *expected_find(const char *path)
{
    for (size_t i = 0; i < expected_count; i++)
        if (strcmp(expected[i].path, path) == 0)
            return &expected[i];
    ck_abort_msg("%s is not expected", path);
    return NULL;
}

static void load_expected(void)
{
    FILE *listing = fopen(FIXTURES "LISTING.txt", "r");
    FILE *sums = fopen(FIXTURES "SHA256SUMS.txt", "r");
    char line[LINE_MAX_];

    ck_assert(listing && sums);
    expected_count = 0;
    while (fgets(line, sizeof(line), listing)) {
        ck_assert_uint_lt(expected_count, ENTRIES);
        parse_listing_line(line, &expected[expected_count++]);
    }
    while (fgets(line, sizeof(line), sums)) {
        line[64] = 0;
        line[strlen(line + 66) + 65] = 0;
        memcpy(expected_find(line + 67)->sha256, line, 65);
    }
    fclose(listing);
    fclose(sums);
}

/* ---- what is read ----------------------------------------------------------------------- */

struct visit {
    struct romsim_erofs *erofs;
    const char *image;
    bool whole_seconds; /* compact inodes have no room for more */
    size_t seen;
};

static void check_hash(struct visit *visit, const struct romsim_erofs_inode *inode,
                       const char *path, const char *sha256)
{
    struct romsim_error err = {0};
    uint8_t hash[ROMSIM_SHA256_SIZE];
    char hex[ROMSIM_SHA256_HEX_SIZE];
    uint8_t *data = malloc(inode->size + 1);
    size_t got, part;

    ck_assert_msg(romsim_erofs_read(visit->erofs, inode, 0, data, inode->size + 1, &got, &err) == 0,
                  "%s %s: %s", visit->image, path, err.message);
    ck_assert_uint_eq(got, inode->size);
    romsim_sha256(data, got, hash);
    romsim_text_hex(hash, sizeof(hash), hex);
    ck_assert_msg(strcmp(hex, sha256) == 0, "%s %s: other bytes", visit->image, path);
    /* In odd pieces, from the back. */
    for (size_t end = inode->size; end > 0; end -= part) {
        uint8_t piece[5000];

        part = end < 4999 ? end : 4999;
        ck_assert_int_eq(
            romsim_erofs_read(visit->erofs, inode, end - part, piece, part, &got, &err), 0);
        ck_assert_uint_eq(got, part);
        ck_assert_mem_eq(piece, data + end - part, part);
    }
    free(data);
}

static void check_map(struct visit *visit, const struct romsim_erofs_inode *inode)
{
    struct romsim_error err = {0};
    uint64_t offset = 0, size, position;
    const uint8_t *bytes;
    uint8_t *copy = malloc(inode->size + 1);
    size_t got;
    int found;

    while ((found = romsim_erofs_map(visit->erofs, inode, offset, 100000, &bytes, &size, &position,
                                     &err)) > 0) {
        ck_assert_ptr_eq(bytes, romsim_blob_bytes(romsim_erofs_blob(visit->erofs)) + position);
        ck_assert_int_eq(romsim_erofs_read(visit->erofs, inode, offset, copy, size, &got, &err), 0);
        ck_assert_uint_eq(got, size);
        ck_assert_mem_eq(copy, bytes, size);
        offset += size;
    }
    ck_assert_int_eq(found, 0);
    free(copy);
}

static void check_link(struct visit *visit, const struct romsim_erofs_inode *inode,
                       const char *target)
{
    struct romsim_error err = {0};
    char *read = romsim_erofs_readlink(visit->erofs, inode, &err);

    ck_assert_msg(read != NULL, "%s: %s", visit->image, err.message);
    ck_assert_str_eq(read, target);
    free(read);
}

static int visit_file(void *context, const char *path, const struct romsim_erofs_inode *inode)
{
    struct visit *visit = context;
    const struct expected *entry = expected_find(path);
    struct romsim_erofs_inode looked_up;
    struct romsim_error err = {0};

    visit->seen++;
    ck_assert_uint_eq(inode->mode & 07777, entry->mode);
    ck_assert_uint_eq(inode->uid, entry->uid);
    ck_assert_uint_eq(inode->gid, entry->gid);
    ck_assert_int_eq(inode->mtime, 1714979289);
    ck_assert_uint_eq(inode->mtime_nsec, visit->whole_seconds && !inode->extended ? 0 : 123456789);
    ck_assert_int_eq(romsim_erofs_lookup_path(visit->erofs, path, &looked_up, &err), 1);
    ck_assert_uint_eq(looked_up.nid, inode->nid);
    if (entry->size >= 0) {
        ck_assert_uint_eq(inode->size, (uint64_t)entry->size);
        ck_assert_uint_eq(inode->links, entry->links);
    }
    if (entry->type == 'f') {
        ck_assert(S_ISREG(inode->mode));
        check_hash(visit, inode, path, entry->sha256);
        check_map(visit, inode);
    } else if (entry->type == 'l') {
        ck_assert(S_ISLNK(inode->mode));
        check_link(visit, inode, entry->target);
    } else {
        ck_assert(S_ISDIR(inode->mode));
    }
    return 0;
}

static struct romsim_erofs *open_fixture(const struct fixture *fixture)
{
    struct romsim_error err = {0};
    struct romsim_erofs *erofs = fixture_open(fixture->bytes, fixture->size, &err);

    ck_assert_msg(erofs != NULL, "%s: %s", fixture->name, err.message);
    return erofs;
}

static void check_fixture(const struct fixture *fixture)
{
    struct romsim_error err = {0};
    struct visit visit = {
        .erofs = open_fixture(fixture),
        .image = fixture->name,
        .whole_seconds =
            strncmp(fixture->name, "48bit", 5) == 0 || strncmp(fixture->name, "meta", 4) == 0,
    };

    ck_assert_msg(romsim_erofs_walk(visit.erofs, visit_file, &visit, &err) == 0, "%s: %s",
                  fixture->name, err.message);
    ck_assert_uint_eq(visit.seen, expected_count);
    romsim_erofs_close(visit.erofs);
}

static const char *const images[] = {
    "plain",      "inline",         "extended",  "noxattr",          "b512",         "b1024-lz4",
    "lz4",        "lz4-legacy",     "lz4hc-big", "lz4-ztail",        "lz4-frag",     "lz4-allfrag",
    "lz4-dedupe", "lz4-everything", "lzma",      "lzma-big",         "deflate",      "zstd",
    "zstd-frag",  "two-algs",       "chunk4k",   "chunk16k-indexes", "xattr-shared", "xattr-prefix",
    "48bit",      "48bit-zstd",     "metacompr", "metabox",          "fragdedupe"};

START_TEST(every_file_of_a_fixture_is_as_listed)
{
    struct fixtures fixtures;

    load_expected();
    fixtures_load(&fixtures);
    check_fixture(fixture_find(&fixtures, images[_i]));
    fixtures_free(&fixtures);
}
END_TEST

/* ---- xattrs ----------------------------------------------------------------------------- */

/* The xattrs of a file as text: "name=value," for each, long values as their length. */
static void xattr_text(struct romsim_erofs *erofs, const char *path, char *ret, size_t ret_size)
{
    struct romsim_erofs_inode inode;
    struct romsim_error err = {0};
    struct romsim_xattr xattr;
    uint64_t cursor = 0;
    size_t at = 0;
    int found;

    *ret = 0;
    ck_assert_int_eq(romsim_erofs_lookup_path(erofs, path, &inode, &err), 1);
    while ((found = romsim_erofs_xattr(erofs, &inode, &cursor, &xattr, &err)) > 0) {
        for (size_t j = 0; xattr.value_size == 300 && j < 300; j++)
            ck_assert_int_eq(((char *)xattr.value)[j], 'v');
        if (xattr.value_size < 100)
            at += snprintf(ret + at, ret_size - at, "%s=%.*s,", xattr.name, (int)xattr.value_size,
                           (char *)xattr.value);
        else
            at += snprintf(ret + at, ret_size - at, "%s=%zu,", xattr.name, xattr.value_size);
        romsim_xattr_release(&xattr);
    }
    ck_assert_msg(found == 0, "%s: %s", path, err.message);
}

START_TEST(xattrs_of_a_fixture_are_as_written)
{
    struct fixtures fixtures;
    struct romsim_erofs *erofs;
    bool none = strcmp(images[_i], "noxattr") == 0;
    char text[512];

    fixtures_load(&fixtures);
    erofs = open_fixture(fixture_find(&fixtures, images[_i]));
    xattr_text(erofs, "/text_100", text, sizeof(text));
    ck_assert_str_eq(text, none ? "" : "user.color=blue,");
    xattr_text(erofs, "/dir", text, sizeof(text));
    ck_assert_str_eq(text, none ? "" : "user.color=blue,");
    xattr_text(erofs, "/one", text, sizeof(text));
    ck_assert_str_eq(text, none ? "" : "user.long=300,");
    xattr_text(erofs, "/empty", text, sizeof(text));
    ck_assert_str_eq(text, "");
    romsim_erofs_close(erofs);
    fixtures_free(&fixtures);
}
END_TEST

/* ---- names ------------------------------------------------------------------------------ */

START_TEST(lookup_finds_no_name_that_is_not_there)
{
    static const char *const missing[] = {
        "/many/file-1000", "/many/",         "/a", "/zzz", "/dir/sub/no",
        "/many/file-00",   "/many/file-0000"};
    struct fixtures fixtures;
    struct romsim_erofs *erofs;
    struct romsim_erofs_inode inode;
    struct romsim_error err = {0};

    fixtures_load(&fixtures);
    erofs = open_fixture(fixture_find(&fixtures, "b512"));
    for (size_t i = 0; i < sizeof(missing) / sizeof(missing[0]); i++)
        ck_assert_int_eq(romsim_erofs_lookup_path(erofs, missing[i], &inode, &err), i == 1 ? 1 : 0);
    ck_assert_int_eq(romsim_erofs_lookup_path(erofs, "/one/x", &inode, &err), -1);
    ck_assert_int_eq(err.errnum, ENOTDIR);
    ck_assert_int_eq(romsim_erofs_lookup_path(erofs, "", &inode, &err), 1);
    ck_assert_uint_eq(inode.nid, romsim_erofs_root(erofs));
    romsim_erofs_close(erofs);
    fixtures_free(&fixtures);
}
END_TEST

START_TEST(readdir_takes_any_cursor)
{
    struct fixtures fixtures;
    struct romsim_erofs *erofs;
    struct romsim_erofs_inode directory;
    struct romsim_erofs_dirent entry;
    struct romsim_error err = {0};
    uint64_t next;
    size_t names = 0;

    fixtures_load(&fixtures);
    erofs = open_fixture(fixture_find(&fixtures, "b512"));
    ck_assert_int_eq(romsim_erofs_lookup_path(erofs, "/many", &directory, &err), 1);
    ck_assert_uint_gt(directory.size, 3 * 512);
    for (uint64_t cursor = 0;
         romsim_erofs_readdir(erofs, &directory, cursor, &cursor, &entry, NULL, &err) > 0;)
        names++;
    ck_assert_uint_eq(names, 2 + 120);
    for (uint64_t cursor = 0; cursor < directory.size + 1000; cursor++) {
        int found = romsim_erofs_readdir(erofs, &directory, cursor, &next, &entry, NULL, &err);

        ck_assert_int_ge(found, 0);
        if (found)
            ck_assert_uint_gt(next, cursor);
    }
    ck_assert_int_eq(romsim_erofs_readdir(erofs, &directory, UINT64_MAX, &next, &entry, NULL, &err),
                     0);
    romsim_erofs_close(erofs);
    fixtures_free(&fixtures);
}
END_TEST

/* ---- threads ------------------------------------------------------------------------------ */

enum { THREADS = 4, READS = 3000 };

struct reader {
    struct romsim_erofs *erofs;
    const struct romsim_erofs_inode *inode;
    const uint8_t *wanted;
    unsigned seed;
    const char *wrong;
};

/* Reads pieces of one file at random places. */
static void *read_pieces(void *context)
{
    struct reader *reader = context;
    uint8_t piece[3000];

    for (int i = 0; i < READS && !reader->wrong; i++) {
        uint64_t offset = (uint64_t)rand_r(&reader->seed) % reader->inode->size;
        size_t size = (size_t)rand_r(&reader->seed) % sizeof(piece) + 1, got;

        if (romsim_erofs_read(reader->erofs, reader->inode, offset, piece, size, &got, NULL) < 0)
            reader->wrong = "a read fails";
        else if (memcmp(piece, reader->wanted + offset, got) != 0)
            reader->wrong = "other bytes";
    }
    return NULL;
}

START_TEST(many_threads_read_the_same)
{
    static const char *const names[] = {"lz4", "zstd-frag", "lzma-big", "metabox"};
    struct fixtures fixtures;
    struct romsim_erofs *erofs;
    struct romsim_erofs_inode inode;
    struct romsim_error err = {0};
    struct reader readers[THREADS];
    pthread_t threads[THREADS];
    uint8_t *wanted;
    size_t got;

    fixtures_load(&fixtures);
    erofs = open_fixture(fixture_find(&fixtures, names[_i]));
    ck_assert_int_eq(romsim_erofs_lookup_path(erofs, "/text_60000", &inode, &err), 1);
    wanted = malloc(inode.size);
    ck_assert_int_eq(romsim_erofs_read(erofs, &inode, 0, wanted, inode.size, &got, &err), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        readers[i] = (struct reader){erofs, &inode, wanted, i + 1, NULL};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, read_pieces, &readers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_msg(!readers[i].wrong, "%s: %s", names[_i], readers[i].wrong);
    }
    free(wanted);
    romsim_erofs_close(erofs);
    fixtures_free(&fixtures);
}
END_TEST

START_TEST(holes_are_told)
{
    struct fixtures fixtures;
    struct romsim_erofs *erofs;
    struct romsim_erofs_inode inode;
    struct romsim_error err = {0};
    uint64_t size;

    fixtures_load(&fixtures);
    erofs = open_fixture(fixture_find(&fixtures, "lz4"));
    ck_assert_int_eq(romsim_erofs_lookup_path(erofs, "/mixed", &inode, &err), 1);
    ck_assert_int_eq(romsim_erofs_hole(erofs, &inode, 0, &size, &err), 0);
    ck_assert_uint_gt(size, 0);
    ck_assert_uint_le(size, inode.size);
    ck_assert_int_eq(romsim_erofs_hole(erofs, &inode, inode.size, &size, &err), -1);
    romsim_erofs_close(erofs);
    fixtures_free(&fixtures);
}
END_TEST

static int count_visits(void *context, const char *path, const struct romsim_erofs_inode *inode)
{
    ++*(size_t *)context;
    return S_ISDIR(inode->mode) && strcmp(path, "/dir/sub") == 0 ? ROMSIM_EROFS_WALK_SKIP : 0;
}

START_TEST(a_walk_may_begin_anywhere_and_skip)
{
    struct fixtures fixtures;
    struct romsim_erofs *erofs;
    struct romsim_erofs_inode inode;
    struct romsim_error err = {0};
    size_t visits = 0;

    fixtures_load(&fixtures);
    erofs = open_fixture(fixture_find(&fixtures, "metabox"));
    ck_assert_int_eq(romsim_erofs_lookup_path(erofs, "/dir", &inode, &err), 1);
    ck_assert_int_eq(romsim_erofs_walk_from(erofs, &inode, "/dir", count_visits, &visits, &err), 0);
    ck_assert_uint_eq(visits, 5); /* dir, hard, link, small, sub, but not sub/deep */
    romsim_erofs_close(erofs);
    fixtures_free(&fixtures);
}
END_TEST

int main(void)
{
    const size_t count = sizeof(images) / sizeof(images[0]);
    TCase *tcase = tcase_create("erofs_read");

    tcase_set_timeout(tcase, 300);
    tcase_add_loop_test(tcase, every_file_of_a_fixture_is_as_listed, 0, count);
    tcase_add_loop_test(tcase, xattrs_of_a_fixture_are_as_written, 0, count);
    tcase_add_test(tcase, lookup_finds_no_name_that_is_not_there);
    tcase_add_test(tcase, readdir_takes_any_cursor);
    tcase_add_loop_test(tcase, many_threads_read_the_same, 0, 4);
    tcase_add_test(tcase, holes_are_told);
    tcase_add_test(tcase, a_walk_may_begin_anywhere_and_skip);
    return unit_run_case("erofs_read", tcase);
}
