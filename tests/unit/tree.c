/* SPDX-License-Identifier: BSD-3-Clause */
/* tree.c: names, links, removal, walking inside the tree, data, and the blobs under it. */
#include "harness.h"

#include <romsim/tree.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

static struct romsim_tree *new_tree(void)
{
    struct romsim_tree *tree = romsim_tree_new(NULL);

    ck_assert_ptr_nonnull(tree);
    return tree;
}

static struct romsim_inode *add_at(struct romsim_tree *tree, const char *path, uint32_t mode,
                                   struct romsim_error *err)
{
    struct romsim_inode *directory;
    const char *name;
    size_t size;
    struct romsim_dentry *dentry;

    if (romsim_tree_walk(tree, path, ROMSIM_WALK_MAKE, &directory, &name, &size, err) < 0)
        return NULL;
    dentry = romsim_tree_add(tree, directory, name, size, mode, err);
    return dentry ? dentry->inode : NULL;
}

static struct romsim_inode *add(struct romsim_tree *tree, const char *path, uint32_t mode)
{
    struct romsim_error error;
    struct romsim_inode *inode = add_at(tree, path, mode, &error);

    ck_assert_msg(inode != NULL, "%s: %s", path, inode ? "" : error.message);
    return inode;
}

static struct romsim_inode *add_link(struct romsim_tree *tree, const char *path, const char *target)
{
    struct romsim_inode *inode = add(tree, path, S_IFLNK | 0777);

    ck_assert_int_eq(romsim_inode_set_target(inode, target, strlen(target), NULL), 0);
    return inode;
}

START_TEST(names_that_no_file_can_have_are_refused)
{
    CLEANUP_TREE struct romsim_tree *tree = new_tree();
    struct romsim_inode *root = romsim_tree_root(tree);
    char longest[257];
    static const struct {
        const char *name;
        size_t size;
    } bad[] = {{"", 0}, {".", 1}, {"..", 2}, {"a/b", 3}, {"a\0b", 3}};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct romsim_error error;

        ck_assert_ptr_null(romsim_tree_add(tree, root, bad[i].name, bad[i].size, S_IFREG, &error));
        ck_assert_int_eq(error.errnum, EINVAL);
    }
    memset(longest, 'n', sizeof(longest));
    ck_assert_ptr_null(romsim_tree_add(tree, root, longest, 256, S_IFREG, NULL));
    ck_assert_ptr_nonnull(romsim_tree_add(tree, root, longest, 255, S_IFREG, NULL));
}
END_TEST

START_TEST(a_name_exists_once_and_is_found_among_many)
{
    CLEANUP_TREE struct romsim_tree *tree = new_tree();
    struct romsim_inode *root = romsim_tree_root(tree);
    struct romsim_error error;
    char name[16];

    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof(name), "%d", i);
        ck_assert_ptr_nonnull(romsim_tree_add(tree, root, name, strlen(name), S_IFREG, NULL));
    }
    ck_assert_ptr_null(romsim_tree_add(tree, root, "4321", 4, S_IFREG, &error));
    ck_assert_int_eq(error.errnum, EEXIST);
    ck_assert_ptr_nonnull(romsim_tree_child(tree, root, "4321", 4));
    ck_assert_ptr_null(romsim_tree_child(tree, root, "5000", 4));
    ck_assert_uint_eq(root->child_count, 5000);
    ck_assert_uint_eq(romsim_tree_inode_count(tree), 5001);
}
END_TEST

START_TEST(hard_links_count_and_the_last_name_frees)
{
    CLEANUP_TREE struct romsim_tree *tree = new_tree();
    struct romsim_inode *root = romsim_tree_root(tree);
    struct romsim_inode *file = add(tree, "/a", S_IFREG | 0644);
    struct romsim_error error;

    ck_assert_ptr_nonnull(romsim_tree_link(tree, root, "b", 1, file, NULL));
    ck_assert_uint_eq(file->links, 2);
    romsim_tree_remove(tree, romsim_tree_child(tree, root, "a", 1));
    ck_assert_uint_eq(file->links, 1);
    ck_assert_ptr_eq(romsim_tree_lookup(tree, "/b"), file);
    romsim_tree_remove(tree, romsim_tree_child(tree, root, "b", 1));
    ck_assert_uint_eq(romsim_tree_inode_count(tree), 1);
    ck_assert_ptr_null(romsim_tree_next_inode(tree, root));
    ck_assert_ptr_null(romsim_tree_link(tree, root, "self", 4, root, &error));
    ck_assert_int_eq(error.errnum, EPERM);
}
END_TEST

START_TEST(removing_a_directory_takes_all_beneath_it)
{
    CLEANUP_TREE struct romsim_tree *tree = new_tree();
    struct romsim_inode *shared = add(tree, "/d/e/f/shared", S_IFREG);
    struct romsim_inode *root = romsim_tree_root(tree);

    add(tree, "/d/e/other", S_IFREG);
    add(tree, "/d/last", S_IFDIR);
    ck_assert_ptr_nonnull(romsim_tree_link(tree, root, "kept", 4, shared, NULL));
    romsim_tree_remove(tree, romsim_tree_child(tree, root, "d", 1));
    ck_assert_uint_eq(romsim_tree_inode_count(tree), 2);
    ck_assert_uint_eq(root->child_count, 1);
    ck_assert_uint_eq(shared->links, 1);
    ck_assert_ptr_null(romsim_tree_lookup(tree, "/d/e"));
}
END_TEST

START_TEST(walking_stays_inside_the_tree)
{
    CLEANUP_TREE struct romsim_tree *tree = new_tree();
    struct romsim_inode *file = add(tree, "/dir/file", S_IFREG);

    add_link(tree, "/up", "../../../..");
    add_link(tree, "/absolute", "/dir");
    add_link(tree, "/dir/relative", ".././up/dir/");
    ck_assert_ptr_eq(romsim_tree_lookup(tree, "dir/file"), file);
    ck_assert_ptr_eq(romsim_tree_lookup(tree, "//dir/./file/."), file);
    ck_assert_ptr_eq(romsim_tree_lookup(tree, "../../dir/../dir/file"), file);
    ck_assert_ptr_eq(romsim_tree_lookup(tree, "/up/dir/file"), file);
    ck_assert_ptr_eq(romsim_tree_lookup(tree, "/absolute/file"), file);
    ck_assert_ptr_eq(romsim_tree_lookup(tree, "/dir/relative/file"), file);
    ck_assert_ptr_eq(romsim_tree_lookup(tree, "/"), romsim_tree_root(tree));
    ck_assert_ptr_eq(romsim_tree_lookup(tree, ""), romsim_tree_root(tree));
    ck_assert_ptr_null(romsim_tree_lookup(tree, "/dir/file/x"));
}
END_TEST

static int walk_error(struct romsim_tree *tree, const char *path, unsigned flags)
{
    struct romsim_error error = {0};
    struct romsim_inode *directory;
    const char *name;
    size_t size;

    if (romsim_tree_walk(tree, path, flags, &directory, &name, &size, &error) == 0)
        return 0;
    return error.errnum;
}

START_TEST(walking_says_why_it_stops)
{
    CLEANUP_TREE struct romsim_tree *tree = new_tree();

    add(tree, "/file", S_IFREG);
    add_link(tree, "/loop", "loop/x");
    add_link(tree, "/link", "/there");
    ck_assert_int_eq(walk_error(tree, "/no/file", 0), ENOENT);
    ck_assert_int_eq(walk_error(tree, "/file/x", ROMSIM_WALK_MAKE), ENOTDIR);
    ck_assert_int_eq(walk_error(tree, "/loop/x/y", ROMSIM_WALK_MAKE), ELOOP);
    ck_assert_int_eq(walk_error(tree, "/a/..", 0), EINVAL);
    ck_assert_int_eq(walk_error(tree, "/link/x", ROMSIM_WALK_NO_FOLLOW), ENOTDIR);
    ck_assert_int_eq(walk_error(tree, "/link/x", ROMSIM_WALK_MAKE), 0);
    ck_assert(romsim_tree_lookup(tree, "/there")->implied);
}
END_TEST

START_TEST(limits_end_a_bomb)
{
    struct romsim_tree_limits limits = {.inodes = 10, .data_bytes = 100, .depth = 3};
    CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(&limits);
    struct romsim_inode *file = add(tree, "/f", S_IFREG);
    struct romsim_error error;

    ck_assert_ptr_null(add_at(tree, "/1/2/3/4", S_IFDIR, &error));
    ck_assert_int_eq(error.errnum, EFBIG);
    ck_assert_int_eq(romsim_inode_set_extents(file, 101, NULL, NULL, 0, &error), -1);
    ck_assert_int_eq(error.errnum, EFBIG);
    ck_assert_int_eq(romsim_inode_set_extents(file, 100, NULL, NULL, 0, NULL), 0);
    ck_assert_int_eq(romsim_inode_set_extents(file, 60, NULL, NULL, 0, NULL), 0);
    ck_assert_int_eq(romsim_inode_set_extents(add(tree, "/g", S_IFREG), 40, NULL, NULL, 0, NULL),
                     0);
    /* Adding and removing for ever is a bomb as well. */
    for (int i = 0; i < 4; i++) {
        add(tree, "/x", S_IFREG);
        romsim_tree_remove(tree, romsim_tree_child(tree, romsim_tree_root(tree), "x", 1));
    }
    ck_assert_ptr_null(add_at(tree, "/x", S_IFREG, &error));
    ck_assert_int_eq(error.errnum, EFBIG);
}
END_TEST

START_TEST(sorting_is_by_bytes)
{
    CLEANUP_TREE struct romsim_tree *tree = new_tree();
    static const char *const sorted[] = {"A", "a", "a!", "ab", "b", "\xc3\xa4"};
    struct romsim_dentry *child;
    size_t i = 0;

    add(tree, "/\xc3\xa4", S_IFREG);
    add(tree, "/ab", S_IFREG);
    add(tree, "/b", S_IFREG);
    add(tree, "/a!", S_IFREG);
    add(tree, "/A", S_IFREG);
    add(tree, "/a", S_IFREG);
    ck_assert_int_eq(romsim_tree_sort(tree, NULL), 0);
    for (child = romsim_tree_root(tree)->children; child; child = child->next)
        ck_assert_str_eq(child->name, sorted[i++]);
    ck_assert_uint_eq(i, 6);
    ck_assert_str_eq(romsim_tree_root(tree)->last_child->name, "\xc3\xa4");
}
END_TEST

START_TEST(data_with_holes_reads_as_zeros_between)
{
    CLEANUP_TREE struct romsim_tree *tree = new_tree();
    CLEANUP_BLOB struct romsim_blob *blob = romsim_blob_from_bytes("0123456789", 10, NULL);
    struct romsim_inode *file = add(tree, "/f", S_IFREG);
    const struct romsim_extent extents[] = {{2, 0, 3}, {7, 8, 2}};
    const struct romsim_extent overlapping[] = {{2, 0, 3}, {4, 8, 2}};
    char bytes[12], some[4];

    ck_assert_int_eq(romsim_inode_set_extents(file, 12, blob, extents, 2, NULL), 0);
    ck_assert_int_eq(romsim_inode_read(file, 0, bytes, 12, NULL), 0);
    ck_assert_mem_eq(bytes,
                     "\0\0"
                     "012\0\0"
                     "89\0\0\0",
                     12);
    ck_assert_int_eq(romsim_inode_read(file, 4, some, 4, NULL), 0);
    ck_assert_mem_eq(some,
                     "2\0\0"
                     "8",
                     4);
    ck_assert_int_eq(romsim_inode_read(file, 10, some, 3, NULL), -1);
    ck_assert_int_eq(romsim_inode_set_extents(file, 12, blob, overlapping, 2, NULL), -1);
    ck_assert_int_eq(romsim_inode_set_extents(file, 8, blob, extents, 2, NULL), -1);
}
END_TEST

START_TEST(a_host_file_that_changed_is_noticed)
{
    CLEANUP_TREE struct romsim_tree *tree = new_tree();
    struct romsim_inode *file = add(tree, "/f", S_IFREG);
    char path[] = "/tmp/romsim-unit.XXXXXX";
    CLEANUP_FD int fd = mkstemp(path);
    CLEANUP_FD int out = romsim_blob_scratch_memfd(NULL);
    CLEANUP_HOSTDIR struct romsim_hostdir *directory = romsim_hostdir_open("/tmp", NULL);
    struct romsim_error error;
    struct stat st;
    char bytes[5] = {0};

    ck_assert_int_eq(write(fd, "12345", 5), 5);
    ck_assert_int_eq(fstat(fd, &st), 0);
    ck_assert_int_eq(romsim_inode_set_host_file(file, directory, path + strlen("/tmp/"), &st, NULL),
                     0);
    ck_assert_int_eq(romsim_inode_copy(file, out, 3, NULL), 0);
    ck_assert_int_eq(pread(out, bytes, 5, 3), 5);
    ck_assert_mem_eq(bytes, "12345", 5);
    ck_assert_int_eq(ftruncate(fd, 4), 0);
    ck_assert_int_eq(romsim_inode_copy(file, out, 3, &error), -1);
    ck_assert_int_eq(error.errnum, ESTALE);
    unlink(path);
}
END_TEST

START_TEST(xattrs_are_sorted_and_replaced)
{
    CLEANUP_TREE struct romsim_tree *tree = new_tree();
    struct romsim_inode *file = add(tree, "/f", S_IFREG);

    ck_assert_int_eq(romsim_inode_set_xattr(file, "user.b", "1", 1, NULL), 0);
    ck_assert_int_eq(romsim_inode_set_xattr(file, "user.a", NULL, 0, NULL), 0);
    ck_assert_int_eq(romsim_inode_set_xattr(file, "user.b", "22", 2, NULL), 0);
    ck_assert_uint_eq(file->xattr_count, 2);
    ck_assert_str_eq(file->xattrs[0].name, "user.a");
    ck_assert_uint_eq(file->xattrs[1].value_size, 2);
}
END_TEST

START_TEST(blobs_cannot_be_written_and_slices_keep_them)
{
    struct romsim_blob *blob = romsim_blob_from_bytes("hello world", 11, NULL);
    struct romsim_blob *slice = romsim_blob_slice(blob, 6, 5, NULL);
    struct romsim_error error;

    ck_assert_int_eq(pwrite(romsim_blob_fd(blob, NULL), "x", 1, 0), -1);
    ck_assert_ptr_null(romsim_blob_slice(blob, 6, 6, &error));
    ck_assert_ptr_null(romsim_blob_slice(blob, UINT64_MAX, 2, NULL));
    romsim_blob_unref(blob);
    ck_assert_mem_eq(romsim_blob_bytes(slice), "world", 5);
    ck_assert_str_eq(romsim_blob_sha256_hex(slice),
                     "486ea46224d1bb4fb680f34f7c9ad96a8f24ec88be73ea8e5a6c65260e9cb8a7");
    romsim_blob_unref(slice);
}
END_TEST

START_TEST(a_snapshot_is_a_copy_of_a_regular_file)
{
    char path[] = "/tmp/romsim-unit.XXXXXX";
    CLEANUP_FD int fd = mkstemp(path);
    struct romsim_error error = {0};
    struct romsim_blob *blob;

    ck_assert_int_eq(write(fd, "12345", 5), 5);
    blob = romsim_blob_snapshot(path, &error);
    ck_assert_msg(blob != NULL, "%s", error.message);
    ck_assert_int_eq(ftruncate(fd, 0), 0);
    ck_assert_mem_eq(romsim_blob_bytes(blob), "12345", 5);
    romsim_blob_unref(blob);
    unlink(path);
    ck_assert_ptr_null(romsim_blob_snapshot("/tmp", &error));
    ck_assert_int_eq(error.errnum, EINVAL);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_ptr_null(romsim_blob_snapshot(path, &error)); /* and does not wait for a writer */
    ck_assert_int_eq(error.errnum, EINVAL);
    unlink(path);
}
END_TEST

START_TEST(a_snapshot_has_the_holes_of_its_file)
{
    const off_t size = (off_t)64 << 30, middle = (off_t)30 << 30;
    char path[] = "/tmp/romsim-unit.XXXXXX";
    CLEANUP_FD int fd = mkstemp(path);
    struct romsim_error error = {0};
    struct romsim_blob *blob;
    struct stat st;

    unlink(path);
    ck_assert_int_eq(pwrite(fd, "begin", 5, 0), 5);
    ck_assert_int_eq(pwrite(fd, "middle", 6, middle), 6);
    ck_assert_int_eq(ftruncate(fd, size), 0);
    blob = romsim_blob_snapshot_fd(fd, "sparse", &error);
    ck_assert_msg(blob != NULL, "%s", error.message);
    ck_assert_uint_eq(romsim_blob_size(blob), (uint64_t)size);
    ck_assert_mem_eq(romsim_blob_bytes(blob), "begin", 6);
    ck_assert_mem_eq(romsim_blob_bytes(blob) + middle, "middle", 7);
    ck_assert_int_eq(romsim_blob_bytes(blob)[size - 1], 0);
    ck_assert_int_eq(fstat(romsim_blob_fd(blob, NULL), &st), 0);
    ck_assert_int_lt(st.st_blocks, 4096); /* of 512 bytes */
    romsim_blob_unref(blob);
}
END_TEST

UNIT_MAIN("tree", names_that_no_file_can_have_are_refused,
          a_name_exists_once_and_is_found_among_many, hard_links_count_and_the_last_name_frees,
          removing_a_directory_takes_all_beneath_it, walking_stays_inside_the_tree,
          walking_says_why_it_stops, limits_end_a_bomb, sorting_is_by_bytes,
          data_with_holes_reads_as_zeros_between, a_host_file_that_changed_is_noticed,
          xattrs_are_sorted_and_replaced, blobs_cannot_be_written_and_slices_keep_them,
          a_snapshot_is_a_copy_of_a_regular_file, a_snapshot_has_the_holes_of_its_file)
