/* SPDX-License-Identifier: BSD-3-Clause */
/* cpio.c: cpio archives made by hand: their forms, one behind the other, damaged; and written. */
#include "tars.h"
#include "trees.h"

#include <lz4.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

/* What a member says about itself. */
struct said {
    const char *name, *data; /* NULL: none */
    unsigned ino, mode, links, minor;
};

static void put(struct romsim_buffer *out, const void *bytes, size_t size, unsigned alignment)
{
    static const char zeros[512];

    romsim_buffer_append(out, bytes, size);
    romsim_buffer_append(out, zeros, (alignment - out->size % alignment) % alignment);
}

/* Padding counts from the buffer's begin, so a form without alignment has to stand alone. */
static void put_newc(struct romsim_buffer *out, struct said said)
{
    size_t size = said.data ? strlen(said.data) : 0;
    char header[120];

    snprintf(header, sizeof(header), "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
             said.ino, said.mode, 1000u, 100u, said.links, 1234567890u, (unsigned)size, 0u,
             said.minor, 1u, 3u, (unsigned)strlen(said.name) + 1, 0u);
    romsim_buffer_append(out, header, 110);
    put(out, said.name, strlen(said.name) + 1, 4);
    put(out, said.data, size, 4);
}

static void put_odc(struct romsim_buffer *out, struct said said)
{
    size_t size = said.data ? strlen(said.data) : 0;

    romsim_buffer_printf(out, "070707%06o%06o%06o%06o%06o%06o%06o%011o%06o%011o", said.minor,
                         said.ino, said.mode, 1000u, 100u, said.links, 1u << 8 | 3u, 1234567890u,
                         (unsigned)strlen(said.name) + 1, (unsigned)size);
    romsim_buffer_append(out, said.name, strlen(said.name) + 1);
    romsim_buffer_append(out, said.data, size);
}

static void put_binary(struct romsim_buffer *out, struct said said, bool is_little)
{
    size_t size = said.data ? strlen(said.data) : 0;
    const unsigned words[13] = {070707,
                                said.minor,
                                said.ino,
                                said.mode,
                                1000,
                                100,
                                said.links,
                                1 << 8 | 3,
                                1234567890 >> 16,
                                1234567890 & 0xffff,
                                (unsigned)strlen(said.name) + 1,
                                (unsigned)(size >> 16),
                                (unsigned)(size & 0xffff)};

    for (size_t i = 0; i < 13; i++) {
        const char bytes[2] = {(char)(is_little ? words[i] : words[i] >> 8),
                               (char)(is_little ? words[i] >> 8 : words[i])};

        romsim_buffer_append(out, bytes, 2);
    }
    put(out, said.name, strlen(said.name) + 1, 2);
    put(out, said.data, size, 2);
}

enum { NEWC, ODC, LITTLE, BIG, FORMS };

static void put_member(struct romsim_buffer *out, int form, struct said said)
{
    if (form == NEWC)
        put_newc(out, said);
    else if (form == ODC)
        put_odc(out, said);
    else
        put_binary(out, said, form == LITTLE);
}

static void put_file(struct romsim_buffer *out, const char *name, const char *data)
{
    put_newc(out, (struct said){name, data, (unsigned)out->size + 1, S_IFREG | 0640, 1, 0});
}

static void put_trailer(struct romsim_buffer *out, int form)
{
    put_member(out, form, (struct said){"TRAILER!!!", NULL, 0, 0, 1, 0});
}

#define BYTES(name_) CLEANUP_BUFFER struct romsim_buffer name_ = ROMSIM_BUFFER_INIT(64 << 20)

static int add(struct romsim_tree *tree, const struct romsim_buffer *bytes,
               struct romsim_error *err)
{
    CLEANUP_BLOB struct romsim_blob *blob = romsim_blob_from_bytes(bytes->data, bytes->size, NULL);

    ck_assert_int_eq(bytes->failed, 0);
    return romsim_tree_add_archive(tree, blob, false, "test.cpio", err);
}

/* The tree that these bytes become, as a text. */
#define ASSERT_BECOMES(bytes, expected)                                                            \
    do {                                                                                           \
        CLEANUP_TREE struct romsim_tree *tree_ = romsim_tree_new(NULL);                            \
        struct romsim_error err_ = {0};                                                            \
        ck_assert_msg(add(tree_, bytes, &err_) == 0, "%s", err_.message);                          \
        ASSERT_TREE(tree_, expected);                                                              \
    } while (0)

static void assert_refused(const struct romsim_buffer *bytes, const char *says)
{
    CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(NULL);
    struct romsim_error err = {0};

    ck_assert_msg(add(tree, bytes, &err) < 0, "not refused: %s", says);
    ck_assert_msg(strstr(err.message, says) && strstr(err.message, "test.cpio"), "%s", err.message);
}

/* ---- forms ------------------------------------------------------------------------------ */

START_TEST(each_form_becomes_the_same_tree)
{
    tars_enter();
    for (int form = 0; form < FORMS; form++) {
        CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(NULL);
        struct romsim_error err = {0};
        const struct romsim_inode *inode;
        BYTES(bytes);

        put_member(&bytes, form, (struct said){".", NULL, 1, S_IFDIR | 0750, 2, 0});
        put_member(&bytes, form, (struct said){"d", NULL, 2, S_IFDIR | 0755, 2, 0});
        put_member(&bytes, form, (struct said){"d/odd", "abc", 3, S_IFREG | 04755, 1, 0});
        put_member(&bytes, form, (struct said){"d/even", "abcd", 4, S_IFREG | 0644, 1, 0});
        put_member(&bytes, form, (struct said){"link", "d/odd", 5, S_IFLNK | 0777, 1, 0});
        put_member(&bytes, form, (struct said){"null", NULL, 6, S_IFCHR | 0666, 1, 0});
        put_trailer(&bytes, form);
        ck_assert_msg(add(tree, &bytes, &err) == 0, "form %d: %s", form, err.message);
        ASSERT_TREE(tree, "/d/ /d/even=abcd /d/odd=abc /link>d/odd /null ");
        inode = romsim_tree_lookup(tree, "d/odd");
        ck_assert_uint_eq(inode->mode, S_IFREG | 04755);
        ck_assert_uint_eq(inode->uid, 1000);
        ck_assert_uint_eq(inode->gid, 100);
        ck_assert_int_eq(inode->mtime, 1234567890);
        ck_assert_uint_eq(romsim_tree_root(tree)->mode, S_IFDIR | 0750);
        inode = romsim_tree_lookup(tree, "null");
        ck_assert_uint_eq(inode->rdev_major, 1);
        ck_assert_uint_eq(inode->rdev_minor, 3);
    }
    tars_leave();
}
END_TEST

START_TEST(names_of_one_inode_are_hard_links)
{
    tars_enter();
    for (int form = 0; form < FORMS; form++) {
        CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(NULL);
        BYTES(bytes);

        put_member(&bytes, form, (struct said){"a", NULL, 7, S_IFREG | 0644, 3, 0});
        put_member(&bytes, form, (struct said){"b", NULL, 7, S_IFREG | 0644, 3, 0});
        /* Not these: another device, another type, directories. */
        put_member(&bytes, form, (struct said){"device", "x", 7, S_IFREG | 0644, 2, 1});
        put_member(&bytes, form, (struct said){"fifo", NULL, 7, S_IFIFO | 0644, 2, 0});
        put_member(&bytes, form, (struct said){"d1", NULL, 9, S_IFDIR | 0755, 2, 0});
        put_member(&bytes, form, (struct said){"d2", NULL, 9, S_IFDIR | 0755, 2, 0});
        put_member(&bytes, form, (struct said){"c", "data", 7, S_IFREG | 0644, 3, 0});
        put_trailer(&bytes, form);
        ck_assert_int_eq(add(tree, &bytes, NULL), 0);
        ASSERT_TREE(tree, "/a=data /b=data /c=data /d1/ /d2/ /device=x /fifo ");
        ck_assert_ptr_eq(romsim_tree_lookup(tree, "a"), romsim_tree_lookup(tree, "c"));
        ck_assert_uint_eq(romsim_tree_lookup(tree, "a")->links, 3);
    }
    tars_leave();
}
END_TEST

/* A list that is searched from its start for each of them takes minutes. */
START_TEST(many_links_are_found_at_once)
{
    CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(NULL);
    char name[16];
    BYTES(bytes);

    tars_enter();
    for (unsigned i = 0; i < 200000; i++) {
        snprintf(name, sizeof(name), "f%u", i);
        put_newc(&bytes, (struct said){name, NULL, i + 1, S_IFREG | 0644, 2, 0});
    }
    put_trailer(&bytes, NEWC);
    ck_assert_int_eq(add(tree, &bytes, NULL), 0);
    ck_assert_uint_eq(romsim_tree_inode_count(tree), 200001);
    tars_leave();
}
END_TEST

/* ---- one behind the other --------------------------------------------------------------- */

static void put_gzip(struct romsim_buffer *out, const struct romsim_buffer *plain)
{
    CLEANUP_FREE uint8_t *packed = malloc(plain->size + 1000);
    z_stream stream = {.next_in = (uint8_t *)plain->data,
                       .avail_in = (uInt)plain->size,
                       .next_out = packed,
                       .avail_out = (uInt)plain->size + 1000};

    ck_assert_int_eq(deflateInit2(&stream, 9, Z_DEFLATED, 31, 9, Z_DEFAULT_STRATEGY), Z_OK);
    ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    romsim_buffer_append(out, packed, stream.total_out);
    deflateEnd(&stream);
}

static void put_xz(struct romsim_buffer *out, const struct romsim_buffer *plain)
{
    CLEANUP_FREE uint8_t *packed = malloc(plain->size + 1000);
    size_t size = 0;

    ck_assert_int_eq(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC32, NULL,
                                             (const uint8_t *)plain->data, plain->size, packed,
                                             &size, plain->size + 1000),
                     LZMA_OK);
    romsim_buffer_append(out, packed, size);
}

static void put_zstd(struct romsim_buffer *out, const struct romsim_buffer *plain)
{
    CLEANUP_FREE uint8_t *packed = malloc(plain->size + 1000);
    size_t size = ZSTD_compress(packed, plain->size + 1000, plain->data, plain->size, 1);

    ck_assert(!ZSTD_isError(size));
    romsim_buffer_append(out, packed, size);
}

static void put_lz4(struct romsim_buffer *out, const struct romsim_buffer *plain)
{
    CLEANUP_FREE char *packed = malloc(plain->size + 1000);
    int size = LZ4_compress_default(plain->data, packed, (int)plain->size, (int)plain->size + 1000);
    const char head[8] = {2, 0x21, 0x4c, 0x18, (char)size, (char)(size >> 8), (char)(size >> 16),
                          0};

    ck_assert_int_gt(size, 0);
    romsim_buffer_append(out, head, sizeof(head));
    romsim_buffer_append(out, packed, (size_t)size);
}

/* An archive of two files. */
static void put_archive(struct romsim_buffer *out, const char *name, const char *data)
{
    char other[64];

    snprintf(other, sizeof(other), "%s2", name);
    put_file(out, name, data);
    put_file(out, other, data);
    put_trailer(out, NEWC);
}

static void put_zeros(struct romsim_buffer *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        romsim_buffer_append(out, "", 1);
}

START_TEST(archives_behind_each_other_are_all_read)
{
    BYTES(bytes);

    tars_enter();
    put_archive(&bytes, "a", "1");
    put_archive(&bytes, "b", "22");
    put_zeros(&bytes, 512);
    put_archive(&bytes, "c", "333");
    put_zeros(&bytes, 4096);
    ASSERT_BECOMES(&bytes, "/a=1 /a2=1 /b=22 /b2=22 /c=333 /c2=333 ");
    put_archive(&bytes, "a", "later");
    ASSERT_BECOMES(&bytes, "/a=later /a2=later /b=22 /b2=22 /c=333 /c2=333 ");
    tars_leave();
}
END_TEST

START_TEST(a_plain_archive_is_not_copied)
{
    CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(NULL);
    CLEANUP_BLOB struct romsim_blob *blob = NULL;
    BYTES(bytes);

    tars_enter();
    put_archive(&bytes, "a", "1");
    put_archive(&bytes, "b", "2");
    blob = romsim_blob_from_bytes(bytes.data, bytes.size, NULL);
    ck_assert_int_eq(romsim_tree_add_archive(tree, blob, false, "x", NULL), 0);
    ck_assert_ptr_eq(romsim_tree_lookup(tree, "b")->data.blob, blob);
    tars_leave();
}
END_TEST

/* What a distribution ships: microcode first, plain, so that the kernel finds it early. */
START_TEST(each_may_be_compressed_in_its_own_way)
{
    static void (*const packers[])(struct romsim_buffer *, const struct romsim_buffer *) = {
        put_gzip, put_xz, put_zstd, put_lz4};
    enum { PACKERS = sizeof(packers) / sizeof(packers[0]) };

    tars_enter();
    for (size_t i = 0; i < PACKERS; i++)
        for (size_t zeros = 0; zeros < 16; zeros += 5) {
            BYTES(inner);
            BYTES(other);
            BYTES(bytes);

            put_archive(&inner, "b", "22");
            put_zeros(&inner, 100);
            put_archive(&inner, "c", "333");
            put_archive(&other, "d", "4444");
            /* plain, zeros, packed, zeros, packed in another way, zeros, plain */
            put_archive(&bytes, "a", "1");
            put_zeros(&bytes, zeros);
            packers[i](&bytes, &inner);
            put_zeros(&bytes, zeros);
            packers[(i + 1) % PACKERS](&bytes, &other);
            put_zeros(&bytes, zeros);
            put(&bytes, NULL, 0, 4);
            put_archive(&bytes, "e", "55555");
            ASSERT_BECOMES(&bytes, "/a=1 /a2=1 /b=22 /b2=22 /c=333 /c2=333 /d=4444 /d2=4444 "
                                   "/e=55555 /e2=55555 ");
            romsim_buffer_reset(&bytes);
            /* the same packer twice, and packed first */
            packers[i](&bytes, &inner);
            packers[i](&bytes, &other);
            ASSERT_BECOMES(&bytes, "/b=22 /b2=22 /c=333 /c2=333 /d=4444 /d2=4444 ");
        }
    tars_leave();
}
END_TEST

START_TEST(hard_links_end_with_their_archive)
{
    CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(NULL);
    BYTES(bytes);

    tars_enter();
    put_newc(&bytes, (struct said){"a", "1", 7, S_IFREG | 0644, 2, 0});
    put_trailer(&bytes, NEWC);
    put_newc(&bytes, (struct said){"b", "2", 7, S_IFREG | 0644, 2, 0});
    put_trailer(&bytes, NEWC);
    ck_assert_int_eq(add(tree, &bytes, NULL), 0);
    ASSERT_TREE(tree, "/a=1 /b=2 ");
    tars_leave();
}
END_TEST

/* Linux goes on behind a trailer, whatever it says about itself, and needs none at the end. */
START_TEST(a_trailer_is_passed_over_and_may_be_missing)
{
    BYTES(bytes);

    tars_enter();
    put_file(&bytes, "a", "1");
    put_file(&bytes, "TRAILER!!!", "a file that some writer has called so");
    put_file(&bytes, "b", "2");
    ASSERT_BECOMES(&bytes, "/a=1 /b=2 ");
    tars_leave();
}
END_TEST

START_TEST(what_is_neither_archive_nor_zeros_is_refused)
{
    BYTES(bytes);
    BYTES(packed);

    tars_enter();
    put_archive(&bytes, "a", "1");
    put_gzip(&packed, &bytes);
    romsim_buffer_puts(&bytes, "junk");
    assert_refused(&bytes, "goes on behind its end, at byte 360, with what is no archive");
    put_zeros(&packed, 8);
    romsim_buffer_puts(&packed, "BZh91AY");
    assert_refused(&packed, "with bzip2 data");
    bytes.size = 0;
    put_gzip(&bytes, &packed); /* within a compressed archive */
    assert_refused(&bytes, "is gzip data, not an archive");
    tars_leave();
}
END_TEST

START_TEST(damage_is_named)
{
    static const struct {
        size_t offset;
        const char *bytes, *says;
        size_t size; /* that is left, or 0 */
    } cases[] = {
        {54, "0000000g", "no numbers in the header at byte 0", 0},
        {94, "00000000", "no whole name behind the header at byte 0", 0},
        {94, "F0000000", "no whole name behind the header at byte 0", 0},
        {94, "00000001", "no whole name behind the header at byte 0", 0},
        {54, "FFFFFFFF", "it ends in the data of the member at byte 0", 0},
        {0, "07", "it ends in the header at byte 0", 60},
    };

    tars_enter();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        BYTES(bytes);

        put_archive(&bytes, "a", "1");
        memcpy(bytes.data + cases[i].offset, cases[i].bytes, strlen(cases[i].bytes));
        if (cases[i].size)
            bytes.size = cases[i].size;
        assert_refused(&bytes, cases[i].says);
    }
    tars_leave();
}
END_TEST

/* ---- written ---------------------------------------------------------------------------- */

static struct romsim_blob *write_cpio(struct romsim_tree *tree, struct romsim_error *err)
{
    int fd = romsim_blob_scratch_memfd(NULL);
    uint64_t lost;

    if (romsim_cpio_write(tree, fd, &lost, err) == 0)
        return romsim_blob_take_fd(fd, err);
    close(fd);
    return NULL;
}

/* Readers take TRAILER!!! for the end of the archive, Linux with what follows it. */
START_TEST(a_file_named_as_the_trailer_loses_nothing)
{
    CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(NULL);
    CLEANUP_TREE struct romsim_tree *again = romsim_tree_new(NULL);
    CLEANUP_BLOB struct romsim_blob *blob = NULL;
    static const char all[] = "/A=1 /TRAILER!!!=2 /TRAILER!!!x/ /TRAILER!!!x/TRAILER!!!=3 /link=2 ";
    const char *bytes, *at;
    size_t size, trailers = 0;

    tars_enter();
    tree_add_file(tree, "A", "1", 1);
    tree_add_link(tree, "link", tree_add_file(tree, "TRAILER!!!", "2", 1));
    tree_add_file(tree, "TRAILER!!!x/TRAILER!!!", "3", 1);
    blob = write_cpio(tree, NULL);
    ck_assert_int_eq(romsim_tree_add_archive(again, blob, false, "x", NULL), 0);
    ASSERT_TREE(again, all);
    /* The name stands there once, and nothing but zeros behind it. */
    bytes = (const char *)romsim_blob_bytes(blob);
    size = romsim_blob_size(blob);
    for (at = bytes; (at = memmem(at, size - (size_t)(at - bytes), "\0TRAILER!!!", 12)); at++)
        trailers++;
    ck_assert_uint_eq(trailers, 0);
    at = memmem(bytes, size, "00000000TRAILER!!!", 19);
    ck_assert_ptr_nonnull(at);
    for (at += 19; at < bytes + size; at++)
        ck_assert_int_eq(*at, 0);
    tars_leave();
}
END_TEST

START_TEST(a_trailer_may_be_a_directory)
{
    CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(NULL);
    CLEANUP_TREE struct romsim_tree *again = romsim_tree_new(NULL);
    CLEANUP_BLOB struct romsim_blob *blob = NULL;

    tars_enter();
    tree_add_file(tree, "TRAILER!!!/f", "1", 1);
    tree_add_file(tree, "z", "2", 1);
    blob = write_cpio(tree, NULL);
    ck_assert_int_eq(romsim_tree_add_archive(again, blob, false, "x", NULL), 0);
    ASSERT_TREE(again, "/TRAILER!!!/ /TRAILER!!!/f=1 /z=2 ");
    tars_leave();
}
END_TEST

START_TEST(a_path_that_linux_would_pass_over_is_refused)
{
    char path[4097];

    tars_enter();
    for (size_t size = 4095; size <= 4096; size++) {
        CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(NULL);
        CLEANUP_BLOB struct romsim_blob *blob = NULL;
        struct romsim_error err = {0};

        for (size_t i = 0; i < size; i++)
            path[i] = i % 200 == 100 ? '/' : 'd';
        path[size] = '\0';
        tree_add_file(tree, path, "1", 1);
        blob = write_cpio(tree, &err);
        ck_assert_msg(!blob == (size == 4096), "%s", err.message);
        if (!blob)
            ck_assert_msg(strstr(err.message, "a path of 4096 bytes") != NULL, "%s", err.message);
    }
    tars_leave();
}
END_TEST

UNIT_MAIN("cpio", each_form_becomes_the_same_tree, names_of_one_inode_are_hard_links,
          many_links_are_found_at_once, archives_behind_each_other_are_all_read,
          a_plain_archive_is_not_copied, each_may_be_compressed_in_its_own_way,
          hard_links_end_with_their_archive, a_trailer_is_passed_over_and_may_be_missing,
          what_is_neither_archive_nor_zeros_is_refused, damage_is_named,
          a_file_named_as_the_trailer_loses_nothing, a_trailer_may_be_a_directory,
          a_path_that_linux_would_pass_over_is_refused)
