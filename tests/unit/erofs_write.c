/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * erofs_write.c: what the writer puts into an image, looked at byte by byte and through our reader.
 * What other implementations make of it is tests/cli/erofs_peers.sh's part; here fsck.erofs judges
 * random trees where it is installed.
 */
#include "tests/unit/harness.h"
#include "tests/unit/trees.h"

#include <romsim/erofs.h>
#include <romsim/program.h>

#include "sim/erofs/format.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const struct erofs_super_block *super_of(struct romsim_blob *image)
{
    return (const void *)(romsim_blob_bytes(image) + EROFS_SUPER_OFFSET);
}

static const struct erofs_inode_extended *disk_inode(struct romsim_blob *image, uint64_t nid)
{
    return (const void *)(romsim_blob_bytes(image) + (nid << EROFS_ISLOTBITS));
}

static struct romsim_blob *must_build(struct romsim_tree *tree,
                                      const struct romsim_erofs_options *options)
{
    struct romsim_error err = {0};
    struct romsim_blob *image = romsim_erofs_build(tree, options, NULL, &err);

    ck_assert_msg(image != NULL, "%s", err.message);
    return image;
}

/* ---- the cloud packer's choices --------------------------------------------------------- */

START_TEST(the_superblock_is_as_the_cloud_packs_it)
{
    CLEANUP_TREE struct romsim_tree *tree = tree_of_everything();
    CLEANUP_BLOB struct romsim_blob *image = must_build(tree, NULL);
    const struct erofs_super_block *super = super_of(image);

    ck_assert_uint_eq(le32_get(super->magic), EROFS_SUPER_MAGIC_V1);
    ck_assert_uint_eq(le32_get(super->feature_compat), 0x3);
    ck_assert_uint_eq(le32_get(super->feature_incompat), 0);
    ck_assert_uint_eq(super->blkszbits, 12);
    ck_assert_uint_eq(le16_get(super->rb.rootnid_2b), 36);
    ck_assert_uint_eq(le32_get(super->meta_blkaddr), 0);
    ck_assert_uint_eq(le64_get(super->inos), romsim_tree_inode_count(tree));
    ck_assert_uint_eq(le64_get(super->epoch), 0);
    ck_assert_uint_eq(romsim_blob_size(image), (uint64_t)le32_get(super->blocks_lo) * 4096);
    ck_assert_uint_eq(super->uuid[6] >> 4, 8);
    ck_assert_uint_eq(super->uuid[8] >> 6, 2);
}
END_TEST

START_TEST(every_inode_is_extended_and_flat_in_whole_blocks)
{
    CLEANUP_TREE struct romsim_tree *tree = tree_of_everything();
    CLEANUP_BLOB struct romsim_blob *image = must_build(tree, NULL);
    uint64_t nid = 36;

    /* Depth first, one behind the other: so the walk over names meets rising nids. */
    for (uint64_t i = 0; i < romsim_tree_inode_count(tree); i++, nid += 2) {
        const struct erofs_inode_extended *inode = disk_inode(image, nid);

        ck_assert_uint_eq(le16_get(inode->i_format), 1);
        ck_assert_uint_eq(le32_get(inode->i_ino), nid);
    }
}
END_TEST

START_TEST(dots_are_sorted_among_the_names_and_the_size_counts_one_nul)
{
    CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(NULL);
    CLEANUP_BLOB struct romsim_blob *image = NULL;
    const struct erofs_inode_extended *root;
    const char *names;

    tree_add_file(tree, "#first", "1", 1);
    tree_add_file(tree, "..z", "2", 1);
    tree_add_file(tree, ".-", "3", 1);
    tree_add_file(tree, "last", "4", 1);
    image = must_build(tree, NULL);
    root = disk_inode(image, 36);
    names = (const char *)romsim_blob_bytes(image) +
            (uint64_t)le32_get(root->i_u.startblk_lo) * 4096 + 6 * sizeof(struct erofs_dirent);
    ck_assert_mem_eq(names,
                     "#first"
                     "."
                     ".-"
                     ".."
                     "..z"
                     "last"
                     "\0",
                     19);
    ck_assert_uint_eq(le64_get(root->i_size), 6 * sizeof(struct erofs_dirent) + 19);
    ck_assert_uint_eq(le32_get(root->i_nlink), 6);
}
END_TEST

/* Changes when any byte of the format's choices does: then say why in the commit. */
START_TEST(the_canonical_image_has_its_digest)
{
    static const struct {
        struct romsim_erofs_options options;
        const char *digest;
    } images[] = {
        {{0}, "5dc40fc34c90ede9324a85110a38450ac2ac4c1aaaaaea481d5bfe3608e069fb"},
        {{.inline_data = true}, "2e8efaa65e4eb59307ca2f96c1efffcaa72b9806b7df49b23313c8239fb352de"},
    };

    for (size_t i = 0; i < sizeof(images) / sizeof(images[0]); i++) {
        CLEANUP_TREE struct romsim_tree *tree = tree_of_everything();
        CLEANUP_BLOB struct romsim_blob *image = must_build(tree, &images[i].options);

        ck_assert_str_eq(romsim_blob_sha256_hex(image), images[i].digest);
    }
}
END_TEST

/* ---- reproducible ----------------------------------------------------------------------- */

START_TEST(the_order_of_making_does_not_matter)
{
    static const char *const names[] = {"b", "a", "d/x", "c", "d/e/f", "d/a"};
    enum { COUNT = sizeof(names) / sizeof(names[0]) };
    CLEANUP_BLOB struct romsim_blob *first = NULL;

    for (size_t turn = 0; turn < COUNT; turn++) {
        CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(NULL);

        for (size_t i = 0; i < COUNT; i++) {
            const char *name = names[(i + turn) % COUNT];

            tree_add_file(tree, name, name, strlen(name));
        }
        CLEANUP_BLOB struct romsim_blob *image = must_build(tree, NULL);
        if (!first)
            first = romsim_blob_ref(image);
        ck_assert_str_eq(romsim_blob_sha256_hex(image), romsim_blob_sha256_hex(first));
    }
}
END_TEST

START_TEST(zeros_and_holes_give_the_same_bytes)
{
    enum { SIZE = 3 << 20 };
    CLEANUP_TREE struct romsim_tree *zeros = romsim_tree_new(NULL);
    CLEANUP_TREE struct romsim_tree *holes = romsim_tree_new(NULL);
    CLEANUP_FREE uint8_t *bytes = calloc(1, SIZE);
    CLEANUP_BLOB struct romsim_blob *end = romsim_blob_from_bytes("end", 3, NULL);
    const struct romsim_extent extent = {.file_offset = SIZE - 3, .length = 3};

    memcpy(bytes + SIZE - 3, "end", 3);
    tree_add_file(zeros, "f", bytes, SIZE);
    struct romsim_inode *file = tree_add_file(holes, "f", "", 0);
    ck_assert_int_eq(romsim_inode_set_extents(file, SIZE, end, &extent, 1, NULL), 0);
    CLEANUP_BLOB struct romsim_blob *a = must_build(zeros, NULL);
    CLEANUP_BLOB struct romsim_blob *b = must_build(holes, NULL);
    ck_assert_str_eq(romsim_blob_sha256_hex(a), romsim_blob_sha256_hex(b));
}
END_TEST

START_TEST(another_byte_gives_another_uuid)
{
    CLEANUP_TREE struct romsim_tree *one = romsim_tree_new(NULL);
    CLEANUP_TREE struct romsim_tree *two = romsim_tree_new(NULL);

    tree_add_file(one, "f.py", "print(1)", 8);
    tree_add_file(two, "f.py", "print(2)", 8);
    CLEANUP_BLOB struct romsim_blob *a = must_build(one, NULL);
    CLEANUP_BLOB struct romsim_blob *b = must_build(two, NULL);
    ck_assert_mem_ne(super_of(a)->uuid, super_of(b)->uuid, 16);
}
END_TEST

/* ---- what is read back ------------------------------------------------------------------ */

START_TEST(a_directory_of_100000_names_is_read_back)
{
    CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(NULL);
    char name[64];

    for (unsigned i = 0; i < 100000; i++) {
        snprintf(name, sizeof(name), "many/%u-%.*s", i * 7919 % 100003, (int)(i % 40),
                 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz");
        tree_add_file(tree, name, "", 0);
    }
    romsim_blob_unref(must_build(tree, NULL));
    romsim_blob_unref(must_build(tree, &(struct romsim_erofs_options){.inline_data = true}));
}
END_TEST

START_TEST(a_file_beyond_4_gib_is_read_back)
{
    CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(NULL);
    CLEANUP_BLOB struct romsim_blob *text = romsim_blob_from_bytes("hello", 5, NULL);
    const uint64_t size = (UINT64_C(5) << 30) + 123;
    const struct romsim_extent extents[] = {{.file_offset = 5000, .length = 5},
                                            {.file_offset = size - 5, .length = 5}};
    struct romsim_inode *file = tree_add_file(tree, "large", "", 0);
    struct romsim_error err = {0};
    struct romsim_erofs_inode inode;
    char tail[5];
    size_t got;

    ck_assert_int_eq(romsim_inode_set_extents(file, size, text, extents, 2, NULL), 0);
    tree_add_file(tree, "next", "behind it", 9);
    CLEANUP_BLOB struct romsim_blob *image = must_build(tree, NULL);
    CLEANUP_EROFS struct romsim_erofs *erofs = romsim_erofs_open(image, &err);
    ck_assert_int_eq(romsim_erofs_lookup_path(erofs, "large", &inode, &err), 1);
    ck_assert_uint_eq(inode.size, size);
    ck_assert_int_eq(romsim_erofs_read(erofs, &inode, size - 5, tail, 5, &got, &err), 0);
    ck_assert_mem_eq(tail, "hello", 5);
}
END_TEST

START_TEST(verify_finds_what_is_wrong)
{
    struct romsim_error err = {0};
    CLEANUP_TREE struct romsim_tree *tree = tree_of_everything();
    CLEANUP_BLOB struct romsim_blob *image = must_build(tree, NULL);
    struct romsim_inode *file = romsim_tree_lookup(tree, "/dir/script");
    struct romsim_inode *link = romsim_tree_lookup(tree, "/link");

    ck_assert_int_eq(romsim_erofs_verify(tree, image, &err), 0);
    file->mode ^= 0111;
    ck_assert_int_eq(romsim_erofs_verify(tree, image, &err), -1);
    ck_assert_str_eq(err.message,
                     "reading the image back: /: another-name: the mode is 0100755 in the image, "
                     "not 0100644");
    file->mode ^= 0111;
    file->mtime++;
    ck_assert_int_eq(romsim_erofs_verify(tree, image, &err), -1);
    file->mtime--;
    ck_assert_int_eq(romsim_inode_set_bytes(file, "#!/bin/sh\nexit 1\n", 17, &err), 0);
    ck_assert_int_eq(romsim_erofs_verify(tree, image, &err), -1);
    ck_assert_int_eq(err.errnum, EUCLEAN);
    ck_assert_int_eq(romsim_inode_set_bytes(file, "#!/bin/sh\nexit 0\n", 17, &err), 0);
    ck_assert_int_eq(romsim_erofs_verify(tree, image, &err), 0);
    ck_assert_int_eq(romsim_inode_set_target(link, "elsewhere", 9, &err), 0);
    ck_assert_int_eq(romsim_erofs_verify(tree, image, &err), -1);
    ck_assert_int_eq(romsim_inode_set_target(link, "dir/script", 10, &err), 0);
    tree_add_file(tree, "new", "", 0);
    ck_assert_int_eq(romsim_erofs_verify(tree, image, &err), -1);
}
END_TEST

/* The image is of one tree, then the tree is changed: each change is found and named. */
START_TEST(verify_names_every_difference)
{
    static const struct {
        const char *path;
        enum { OWNER, GROUP, TIME, NANOSECONDS, LINKS, DEVICE, XATTR_LOST, XATTR_OTHER, SIZE } what;
        const char *message;
    } changes[] = {
        {"/owned", OWNER, "the owner is 100000 in the image, not 1"},
        {"/owned", GROUP, "the group is 4294967294 in the image, not 1"},
        {"/empty", TIME, "the time is 8589934592 in the image, not 1"},
        {"/dir/script", NANOSECONDS, "the time's nanoseconds is 123456789 in the image, not 1"},
        {"/dir/script", LINKS, "the number of links is 3 in the image, not 1"},
        {"/dev/block", DEVICE, "the device number is"},
        {"/sizes/1", XATTR_LOST, "the number of xattrs is 0 in the image, not 1"},
        {"/odd/...", XATTR_OTHER, "the xattr 'user.there' is another in the image"},
        {"/sizes/4096", SIZE, "the size is 4096 in the image, not 4097"},
    };

    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        CLEANUP_TREE struct romsim_tree *tree = tree_of_everything();
        struct romsim_error err = {0};

        ck_assert_int_eq(romsim_inode_set_xattr(romsim_tree_lookup(tree, "/odd/..."), "user.there",
                                                "1", 1, NULL),
                         0);
        CLEANUP_BLOB struct romsim_blob *image = must_build(tree, NULL);
        struct romsim_inode *inode = romsim_tree_lookup(tree, changes[i].path);
        switch (changes[i].what) {
        case OWNER:
            inode->uid = 1;
            break;
        case GROUP:
            inode->gid = 1;
            break;
        case TIME:
            inode->mtime = 1;
            break;
        case NANOSECONDS:
            inode->mtime_nsec = 1;
            break;
        case LINKS:
            inode->links = 1;
            break;
        case DEVICE:
            inode->rdev_minor = 1;
            break;
        case XATTR_LOST:
        case XATTR_OTHER:
            ck_assert_int_eq(romsim_inode_set_xattr(inode, "user.there", "2", 1, NULL), 0);
            break;
        case SIZE:
            ck_assert_int_eq(romsim_inode_set_extents(inode, 4097, NULL, NULL, 0, NULL), 0);
            break;
        }
        ck_assert_int_eq(romsim_erofs_verify(tree, image, &err), -1);
        ck_assert_int_eq(err.errnum, EUCLEAN);
        ck_assert_msg(strstr(err.message, changes[i].message), "%s", err.message);
    }
}
END_TEST

START_TEST(verify_finds_names_that_are_not_there)
{
    CLEANUP_TREE struct romsim_tree *tree = tree_of_everything();
    CLEANUP_TREE struct romsim_tree *more = tree_of_everything();
    CLEANUP_BLOB struct romsim_blob *image = must_build(more, NULL);
    struct romsim_error err = {0};
    struct romsim_inode *directory;
    const char *name;
    size_t size;

    /* The same number of inodes, so that the names have to be looked at. */
    ck_assert_int_eq(romsim_tree_walk(tree, "dir/script", 0, &directory, &name, &size, &err), 0);
    romsim_tree_remove(tree, romsim_tree_child(tree, directory, name, size));
    ck_assert_int_eq(romsim_erofs_verify(tree, image, &err), -1);
    tree_add_link(tree, "dir/script2", romsim_tree_lookup(tree, "/another-name"));
    ck_assert_int_eq(romsim_erofs_verify(tree, image, &err), -1);
    ck_assert_str_eq(err.message, "reading the image back: /dir: it has the unexpected entry "
                                  "'script' in the image");
    tree_add_link(tree, "dir/script", romsim_tree_lookup(tree, "/owned"));
    ck_assert_int_eq(romsim_erofs_verify(tree, image, &err), -1);
}
END_TEST

START_TEST(inline_data_makes_images_of_small_files_small)
{
    CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(NULL);
    char name[32];

    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof(name), "f%d", i);
        tree_add_file(tree, name, name, strlen(name));
    }
    CLEANUP_BLOB struct romsim_blob *plain = must_build(tree, NULL);
    CLEANUP_BLOB struct romsim_blob *packed =
        must_build(tree, &(struct romsim_erofs_options){.inline_data = true});
    ck_assert_uint_gt(romsim_blob_size(plain), 200 * 4096);
    ck_assert_uint_lt(romsim_blob_size(packed), 10 * 4096);
}
END_TEST

/* ---- compression ------------------------------------------------------------------------ */

/* A file of `size` bytes that compresses well except in its middle third. */
static void add_mixed_file(struct romsim_tree *tree, const char *path, size_t size)
{
    CLEANUP_FREE uint8_t *bytes = malloc(size);
    struct dice dice = {size};

    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i / (size / 3 + 1) == 1 ? dice_roll(&dice, 256) : i / 1000);
    tree_add_file(tree, path, bytes, size);
}

START_TEST(compressed_files_are_read_back)
{
    static const char *const ways[] = {"lz4", "lz4hc", "lz4hc:1", "lz4hc:12"};

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(NULL);
        struct romsim_erofs_result result;

        /* More than the window; for one of them more than is kept back before the choice. */
        add_mixed_file(tree, "large", i == 0 ? 20000001 : 3000001);
        add_mixed_file(tree, "middle", 300000);
        add_mixed_file(tree, "small", 5000);
        CLEANUP_BLOB struct romsim_blob *image = romsim_erofs_build(
            tree, &(struct romsim_erofs_options){.compress = ways[i]}, &result, NULL);
        ck_assert_ptr_nonnull(image);
        ck_assert_uint_eq(le32_get(super_of(image)->feature_incompat),
                          EROFS_FEATURE_INCOMPAT_ZERO_PADDING);
        ck_assert_uint_lt(result.stored_bytes, result.data_bytes / 2);
        ck_assert_uint_gt(result.stored_bytes, result.data_bytes / 3);
    }
}
END_TEST

START_TEST(what_does_not_compress_is_stored_flat)
{
    CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(NULL);
    CLEANUP_FREE uint8_t *bytes = malloc(9 << 20);
    struct dice dice = {1};
    struct romsim_erofs_result result;
    struct romsim_erofs_inode inode;

    for (size_t i = 0; i < 9 << 20; i++)
        bytes[i] = (uint8_t)dice_roll(&dice, 256);
    tree_add_file(tree, "large", bytes, 9 << 20);
    tree_add_file(tree, "small", bytes, 4097);
    CLEANUP_BLOB struct romsim_blob *image =
        romsim_erofs_build(tree, &(struct romsim_erofs_options){.compress = "lz4"}, &result, NULL);
    CLEANUP_EROFS struct romsim_erofs *erofs = romsim_erofs_open(image, NULL);
    ck_assert_int_eq(romsim_erofs_lookup_path(erofs, "/large", &inode, NULL), 1);
    ck_assert_int_eq(inode.layout, ROMSIM_EROFS_FLAT_PLAIN);
    ck_assert_int_eq(romsim_erofs_lookup_path(erofs, "/small", &inode, NULL), 1);
    ck_assert_int_eq(inode.layout, ROMSIM_EROFS_FLAT_PLAIN);
    ck_assert_uint_eq(result.stored_bytes, (9 << 20) + 8192);
}
END_TEST

START_TEST(an_unknown_compression_is_refused)
{
    static const char *const ways[] = {"",         "zip",      "lz4:1",  "lz4hc:0",
                                       "lz4hc:13", "lz4hc:+1", "lz4hc:", "lz4hc:1x"};
    CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(NULL);

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        struct romsim_error err = {0};

        ck_assert_ptr_null(romsim_erofs_build(
            tree, &(struct romsim_erofs_options){.compress = ways[i]}, NULL, &err));
        ck_assert_int_eq(err.errnum, EINVAL);
    }
}
END_TEST

/* ---- what cannot be written ------------------------------------------------------------- */

static struct romsim_error must_fail(struct romsim_tree *tree, int errnum)
{
    struct romsim_error err = {0};

    ck_assert_ptr_null(romsim_erofs_build(tree, NULL, NULL, &err));
    ck_assert_int_eq(err.errnum, errnum);
    return err;
}

START_TEST(what_erofs_has_no_place_for_is_refused_by_name)
{
    CLEANUP_TREE struct romsim_tree *devices = romsim_tree_new(NULL);
    CLEANUP_TREE struct romsim_tree *values = romsim_tree_new(NULL);
    CLEANUP_FREE char *value = calloc(1, 65536);

    tree_add_node(devices, "dev", S_IFCHR | 0600)->rdev_major = 4096;
    ck_assert_str_eq(must_fail(devices, EINVAL).message,
                     "/dev: the device number 4096:0 cannot be stored");
    ck_assert_int_eq(
        romsim_inode_set_xattr(tree_add_file(values, "f", "", 0), "user.big", value, 65536, NULL),
        0);
    ck_assert_str_eq(must_fail(values, E2BIG).message,
                     "/f: the xattr 'user.big' has 65536 bytes, more than EROFS can store");
}
END_TEST

/* macOS's, and what file systems of the host have of their own. */
START_TEST(an_xattr_outside_of_all_namespaces_is_dropped)
{
    static const char *const names[] = {
        "btrfs.compression", "com.apple.quarantine", "system.odd", "user.", "user.kept", "userx"};
    CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(NULL);
    CLEANUP_BLOB struct romsim_blob *blob = NULL;
    struct romsim_inode *inode = tree_add_file(tree, "a/b", "", 0);
    struct romsim_error err = {0};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        ck_assert_int_eq(romsim_inode_set_xattr(inode, names[i], "x", 1, NULL), 0);
    blob = romsim_erofs_build(tree, NULL, NULL, &err); /* and reads it back */
    ck_assert_msg(blob != NULL, "%s", err.message);
    ck_assert_uint_eq(inode->xattr_count, 1);
    ck_assert_str_eq(inode->xattrs[0].name, "user.kept");
    ck_assert_uint_eq(romsim_tree_notes(tree)->dropped_xattrs, 5);
    ck_assert_str_eq(romsim_tree_notes(tree)->dropped_xattr, "btrfs.compression");
}
END_TEST

START_TEST(what_is_no_tree_of_files_is_refused)
{
    CLEANUP_TREE struct romsim_tree *links = romsim_tree_new(NULL);
    CLEANUP_TREE struct romsim_tree *modes = romsim_tree_new(NULL);

    tree_add_node(links, "link", S_IFLNK | 0777);
    ck_assert_str_eq(must_fail(links, EINVAL).message, "/link: the symbolic link has no target");
    tree_add_node(modes, "file", S_IFREG)->mode = 0644;
    ck_assert_str_eq(must_fail(modes, EINVAL).message, "/file: the mode 0644 has no known type");
}
END_TEST

START_TEST(too_many_xattrs_are_refused)
{
    CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(NULL);
    struct romsim_inode *file = tree_add_file(tree, "f", "", 0);
    CLEANUP_FREE char *value = calloc(1, 60000);
    char name[] = "user.a";

    for (; name[5] < 'f'; name[5]++)
        ck_assert_int_eq(romsim_inode_set_xattr(file, name, value, 60000, NULL), 0);
    ck_assert_str_eq(must_fail(tree, E2BIG).message,
                     "/f: its xattrs need 300052 bytes, EROFS has place for 262148");
}
END_TEST

/* The disk is full: at once for a small image, in the worker thread for a large one. */
START_TEST(a_full_disk_is_said)
{
    for (int large = 0; large < 2; large++) {
        CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(NULL);
        CLEANUP_FREE uint8_t *bytes = malloc(5 << 20);
        CLEANUP_FD int fd = open("/dev/full", O_RDWR | O_CLOEXEC);
        struct romsim_error err = {0};

        ck_assert_int_ge(fd, 0);
        memset(bytes, 'x', 5 << 20);
        tree_add_file(tree, "f", bytes, large ? 5 << 20 : 5);
        ck_assert_int_eq(romsim_erofs_write(tree, NULL, fd, NULL, &err), -1);
        ck_assert_int_eq(err.errnum, ENOSPC);
        ck_assert_str_eq(err.message, "cannot write the image: No space left on device");
    }
}
END_TEST

START_TEST(a_source_that_changed_is_said)
{
    CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(NULL);
    struct romsim_inode *file = tree_add_file(tree, "f", "", 0);
    CLEANUP_HOSTDIR struct romsim_hostdir *directory = romsim_hostdir_open("/tmp", NULL);
    char path[] = "/tmp/romsim-unit.XXXXXX";
    CLEANUP_FD int fd = mkstemp(path);
    struct stat st;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "12345", 5), 5);
    ck_assert_int_eq(fstat(fd, &st), 0);
    st.st_size++;
    ck_assert_int_eq(romsim_inode_set_host_file(file, directory, path + strlen("/tmp/"), &st, NULL),
                     0);
    must_fail(tree, ESTALE);
    ck_assert_int_eq(unlink(path), 0);
}
END_TEST

/* ---- random trees ----------------------------------------------------------------------- */

/* Runs a program silently; its exit status, or -1 if it cannot be started. */
static int run(const char *const argv[])
{
    const struct romsim_program program = {.argv = argv};
    int status;

    return romsim_program_run(&program, &status, NULL) == 0 && WIFEXITED(status)
               ? WEXITSTATUS(status)
               : -1;
}

static int run_fsck(struct romsim_blob *image)
{
    char path[] = "/tmp/romsim-unit.XXXXXX";
    const char *const argv[] = {"fsck.erofs", "--extract", path, NULL};
    CLEANUP_FD int fd = mkstemp(path);
    int status;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, romsim_blob_bytes(image), romsim_blob_size(image)),
                     (ssize_t)romsim_blob_size(image));
    status = run(argv);
    unlink(path);
    return status;
}

START_TEST(random_trees_are_read_back_and_pass_fsck)
{
    static const struct romsim_erofs_options options[] = {
        {0},
        {.inline_data = true},
        {.compress = "lz4"},
        {.compress = "lz4hc:12"},
        {.compress = "lz4", .inline_data = true},
    };
    bool has_fsck = run((const char *const[]){"fsck.erofs", "-V", NULL}) == 0;

    if (!has_fsck)
        printf("# SKIP fsck.erofs on random trees: it is not installed\n");
    for (unsigned seed = 1; seed <= 300; seed++) {
        CLEANUP_TREE struct romsim_tree *tree = tree_random(seed);
        CLEANUP_BLOB struct romsim_blob *image =
            must_build(tree, &options[seed % (sizeof(options) / sizeof(options[0]))]);

        if (has_fsck)
            ck_assert_msg(run_fsck(image) == 0, "fsck.erofs refuses the tree of seed %u", seed);
    }
}
END_TEST

UNIT_MAIN("erofs_write", the_superblock_is_as_the_cloud_packs_it,
          every_inode_is_extended_and_flat_in_whole_blocks,
          dots_are_sorted_among_the_names_and_the_size_counts_one_nul,
          the_canonical_image_has_its_digest, the_order_of_making_does_not_matter,
          zeros_and_holes_give_the_same_bytes, another_byte_gives_another_uuid,
          a_directory_of_100000_names_is_read_back, a_file_beyond_4_gib_is_read_back,
          verify_finds_what_is_wrong, verify_names_every_difference,
          verify_finds_names_that_are_not_there, what_is_no_tree_of_files_is_refused,
          too_many_xattrs_are_refused, a_full_disk_is_said,
          inline_data_makes_images_of_small_files_small, compressed_files_are_read_back,
          what_does_not_compress_is_stored_flat, an_unknown_compression_is_refused,
          what_erofs_has_no_place_for_is_refused_by_name,
          an_xattr_outside_of_all_namespaces_is_dropped, a_source_that_changed_is_said,
          random_trees_are_read_back_and_pass_fsck)
