/* SPDX-License-Identifier: BSD-3-Clause */
/* image.c: archives, layers, directories and files become trees; what is hostile in them does not
 * get out of the tree.  Over 600 lines: one short test for each case of OCI's layers. */
#include <romsim/paths.h>

#include "tars.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/xattr.h>
#include <zlib.h>

#define NEW_TREE(name)                                                                             \
    CLEANUP_TREE struct romsim_tree *name = romsim_tree_new(NULL);                                 \
    struct tar tar = TAR_INIT;                                                                     \
    tars_enter()

/* ---- names ------------------------------------------------------------------------------ */

START_TEST(an_archive_becomes_a_tree)
{
    NEW_TREE(tree);
    struct romsim_inode *inode;

    tar_directory(&tar, "./");
    tar_directory(&tar, "./etc/");
    tar_file(&tar, "./etc/hosts", "127.0.0.1");
    tar_symlink(&tar, "./etc/link", "hosts");
    tar_link(&tar, "./etc/second", "./etc/hosts");
    tar_header(&tar, "./null", '3', "", 0666, "00000000000");
    tar_header(&tar, "./pipe", '6', "", 0600, "00000000000");
    tar_add_ok(&tar, tree, false);
    ASSERT_TREE(tree,
                "/etc/ /etc/hosts=127.0.0.1 /etc/link>hosts /etc/second=127.0.0.1 /null /pipe ");
    inode = romsim_tree_lookup(tree, "/etc/hosts");
    ck_assert_uint_eq(inode->links, 2);
    ck_assert_ptr_eq(inode, romsim_tree_lookup(tree, "/etc/second"));
    ck_assert_uint_eq(inode->mode, S_IFREG | 0644);
    ck_assert_uint_eq(inode->uid, 1000);
    ck_assert_uint_eq(inode->gid, 100);
    ck_assert_int_eq(inode->mtime, 1234567890);
    ck_assert_uint_eq(romsim_tree_root(tree)->mode, S_IFDIR | 0750);
    inode = romsim_tree_lookup(tree, "/null");
    ck_assert_uint_eq(inode->mode, S_IFCHR | 0666);
    ck_assert_uint_eq(inode->rdev_major, 1);
    ck_assert_uint_eq(inode->rdev_minor, 3);
    tars_leave();
}
END_TEST

START_TEST(data_stays_in_the_archive)
{
    NEW_TREE(tree);
    CLEANUP_BLOB struct romsim_blob *blob = NULL;
    const struct romsim_inode *inode;

    tar_file(&tar, "a", "first");
    tar_file(&tar, "b", "second");
    blob = tar_blob(&tar);
    ck_assert_int_eq(romsim_tree_add_archive(tree, blob, false, "x", NULL), 0);
    inode = romsim_tree_lookup(tree, "b");
    ck_assert_int_eq(inode->data.kind, ROMSIM_DATA_BLOB);
    ck_assert_ptr_eq(inode->data.blob, blob);
    ck_assert_uint_eq(inode->data.extent_count, 1);
    ck_assert_uint_eq(inode->data.extents[0].source_offset, 3 * 512);
    tars_leave();
}
END_TEST

START_TEST(dot_dot_and_absolute_names_stay_inside)
{
    NEW_TREE(tree);

    tar_file(&tar, "../../up", "1");
    tar_file(&tar, "/abs", "2");
    tar_file(&tar, "a/../b", "3");
    tar_add_ok(&tar, tree, false);
    ASSERT_TREE(tree, "/a/ /abs=2 /b=3 /up=1 ");
    tars_leave();
}
END_TEST

START_TEST(a_write_through_a_symlink_stays_inside)
{
    NEW_TREE(tree);

    tar_symlink(&tar, "out", "/etc");
    tar_file(&tar, "out/passwd", "x");
    tar_symlink(&tar, "up", "../../..");
    tar_file(&tar, "up/y", "y");
    tar_add_ok(&tar, tree, false);
    ASSERT_TREE(tree, "/etc/ /etc/passwd=x /out>/etc /up>../../.. /y=y ");
    tars_leave();
}
END_TEST

START_TEST(the_last_of_two_equal_names_wins)
{
    NEW_TREE(tree);

    tar_file(&tar, "a", "1");
    tar_file(&tar, "a", "2");
    tar_directory(&tar, "d/");
    tar_file(&tar, "d/x", "x");
    tar_directory(&tar, "d/");
    tar_symlink(&tar, "s", "a");
    tar_file(&tar, "s", "over");
    tar_add_ok(&tar, tree, false);
    ASSERT_TREE(tree, "/a=2 /d/ /d/x=x /s=over ");
    tars_leave();
}
END_TEST

START_TEST(a_file_becomes_a_directory_and_the_reverse)
{
    NEW_TREE(tree);

    tar_file(&tar, "f", "1");
    tar_directory(&tar, "d/");
    tar_file(&tar, "d/x", "x");
    tar_add_ok(&tar, tree, true);
    tar_directory(&tar, "f/");
    tar_file(&tar, "f/in", "in");
    tar_file(&tar, "d", "now a file");
    tar_add_ok(&tar, tree, true);
    ASSERT_TREE(tree, "/d=now a file /f/ /f/in=in ");
    tars_leave();
}
END_TEST

START_TEST(pax_names_times_and_xattrs_are_kept)
{
    NEW_TREE(tree);
    const struct romsim_inode *inode;
    char name[251];

    memset(name, 'n', 250);
    name[250] = '\0';
    tar_pax(&tar, "path", name);
    tar_file(&tar, "short", "1");
    tar_pax(&tar, "path", "\xc3\xa4\xe2\x82\xac");
    tar_file(&tar, "short", "2");
    tar_pax(&tar, "mtime", "-12.25");
    tar_file(&tar, "old", "3");
    tar_pax(&tar, "SCHILY.xattr.user.color", "blue");
    tar_file(&tar, "x", "4");
    tar_add_ok(&tar, tree, false);
    ck_assert_ptr_nonnull(romsim_tree_lookup(tree, name));
    ck_assert_ptr_nonnull(romsim_tree_lookup(tree, "\xc3\xa4\xe2\x82\xac"));
    inode = romsim_tree_lookup(tree, "old");
    ck_assert_int_eq(inode->mtime, -13);
    ck_assert_uint_eq(inode->mtime_nsec, 750000000);
    inode = romsim_tree_lookup(tree, "x");
    ck_assert_uint_eq(inode->xattr_count, 1);
    ck_assert_str_eq(inode->xattrs[0].name, "user.color");
    ck_assert_mem_eq(inode->xattrs[0].value, "blue", 4);
    tars_leave();
}
END_TEST

/* The one xattr of a file or directory of the tree. */
static void assert_xattr(struct romsim_tree *tree, const char *path, const char *name,
                         const void *value, size_t size)
{
    const struct romsim_inode *inode = romsim_tree_lookup(tree, path);

    ck_assert_ptr_nonnull(inode);
    ck_assert_uint_eq(inode->xattr_count, 1);
    ck_assert_str_eq(inode->xattrs[0].name, name);
    ck_assert_uint_eq(inode->xattrs[0].value_size, size);
    ck_assert_mem_eq(inode->xattrs[0].value, value, size);
}

/* An ACL as Linux has it: a version, and for each entry a tag, what is allowed, and a number. */
#define ACL_ID(id)                  (id) & 0xff, (id) >> 8 & 0xff, (id) >> 16 & 0xff, (id) >> 24 & 0xff
#define ACL_ENTRY(tag, allowed, id) tag, 0, allowed, 0, ACL_ID(id)
#define ACL_NONE                    0xffffffffU

START_TEST(acls_become_the_xattrs_in_which_linux_has_them)
{
    static const uint8_t access[] = {2,
                                     0,
                                     0,
                                     0, /* the version */
                                     ACL_ENTRY(1, 6, ACL_NONE),
                                     ACL_ENTRY(2, 4, 7U),
                                     ACL_ENTRY(2, 7, 123456U),
                                     ACL_ENTRY(4, 4, ACL_NONE),
                                     ACL_ENTRY(8, 1, 2147483646U),
                                     ACL_ENTRY(16, 5, ACL_NONE),
                                     ACL_ENTRY(32, 0, ACL_NONE)};
    static const uint8_t fallback[] = {2,
                                       0,
                                       0,
                                       0,
                                       ACL_ENTRY(1, 7, ACL_NONE),
                                       ACL_ENTRY(4, 5, ACL_NONE),
                                       ACL_ENTRY(32, 0, ACL_NONE)};
    NEW_TREE(tree);

    tar_pax(&tar, "SCHILY.acl.access",
            "user::rw-,user:joe:rwx:123456,user:7:r--,group::r--\ngroup:2147483646:--x,mask::r-x,"
            "other::---");
    tar_file(&tar, "f", "1");
    tar_pax(&tar, "SCHILY.acl.access", "user::rwx\ngroup::r-x\nother::---\n");
    tar_directory(&tar, "plain/");
    tar_pax(&tar, "SCHILY.acl.default", "user::rwx\ngroup::r-x\nother::---\n");
    tar_directory(&tar, "d/");
    tar_add_ok(&tar, tree, false);
    assert_xattr(tree, "f", "system.posix_acl_access", access, sizeof(access));
    ck_assert_uint_eq(romsim_tree_lookup(tree, "f")->mode & 07777, 0650); /* the mask's bits */
    ck_assert_uint_eq(romsim_tree_lookup(tree, "plain")->xattr_count, 0); /* the mode says it */
    assert_xattr(tree, "d", "system.posix_acl_default", fallback, sizeof(fallback));
    ck_assert_uint_eq(romsim_tree_notes(tree)->dropped_acls, 0);
    tars_leave();
}
END_TEST

START_TEST(a_mask_that_an_acl_lacks_is_what_its_entries_may)
{
    static const uint8_t value[] = {2,
                                    0,
                                    0,
                                    0,
                                    ACL_ENTRY(1, 7, ACL_NONE),
                                    ACL_ENTRY(2, 2, 7U),
                                    ACL_ENTRY(4, 4, ACL_NONE),
                                    ACL_ENTRY(16, 6, ACL_NONE),
                                    ACL_ENTRY(32, 0, ACL_NONE)};
    NEW_TREE(tree);

    tar_pax(&tar, "SCHILY.acl.access", "user::rwx,user:7:-w-,group::r--,other::---");
    tar_file(&tar, "f", "1");
    tar_add_ok(&tar, tree, false);
    assert_xattr(tree, "f", "system.posix_acl_access", value, sizeof(value));
    ck_assert_uint_eq(romsim_tree_lookup(tree, "f")->mode & 07777, 0760);
    tars_leave();
}
END_TEST

START_TEST(acls_that_cannot_be_xattrs_are_noted)
{
    static const struct {
        const char *key, *text;
    } lost[] = {
        {"SCHILY.acl.access", "user::rw-,user:joe:r--,group::rw-,mask::r--,other::r--"},
        {"SCHILY.acl.default", "user::rw-,user:7:r--"},
        {"SCHILY.acl.default", "user::rw-,group::r--,other::r--"}, /* of a file */
        {"SCHILY.acl.access", "user::rw-,user:7:nonsense,group::r--,other::r--"},
        {"SCHILY.acl.ace", "owner@:rwxp----------:-------:allow"},
    };
    NEW_TREE(tree);
    char name[2] = "0";

    for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++, name[0]++) {
        tar_pax(&tar, lost[i].key, lost[i].text);
        tar_file(&tar, name, "1");
    }
    tar_add_ok(&tar, tree, false);
    ck_assert_uint_eq(romsim_tree_notes(tree)->dropped_acls, sizeof(lost) / sizeof(lost[0]));
    ck_assert_str_eq(romsim_tree_notes(tree)->dropped_acl, "0");
    for (name[0] = '0'; romsim_tree_lookup(tree, name); name[0]++)
        ck_assert_uint_eq(romsim_tree_lookup(tree, name)->xattr_count, 0);
    ck_assert_uint_eq(romsim_tree_lookup(tree, "0")->mode & 07777, 0644); /* not above the mask */
    tars_leave();
}
END_TEST

START_TEST(a_sparse_file_has_its_holes)
{
    NEW_TREE(tree);
    const struct romsim_inode *inode;
    char bytes[24];

    tar_pax_two(&tar, "GNU.sparse.size", "16", "GNU.sparse.map", "4,3,12,2");
    tar_file(&tar, "s", "abcde");
    tar_add_ok(&tar, tree, false);
    inode = romsim_tree_lookup(tree, "s");
    ck_assert_uint_eq(inode->size, 16);
    ck_assert_int_eq(romsim_inode_read(inode, 0, bytes, 16, NULL), 0);
    ck_assert_mem_eq(bytes, "\0\0\0\0abc\0\0\0\0\0de\0\0", 16);
    tars_leave();
}
END_TEST

START_TEST(a_last_block_may_be_short)
{
    NEW_TREE(tree);
    CLEANUP_BLOB struct romsim_blob *blob = NULL;

    tar_file(&tar, "a", "abc");
    blob = romsim_blob_from_bytes(tar.bytes.data, 512 + 3, NULL);
    ck_assert_int_eq(romsim_tree_add_archive(tree, blob, false, "x", NULL), 0);
    ASSERT_TREE(tree, "/a=abc ");
    romsim_buffer_reset(&tar.bytes);
    tars_leave();
}
END_TEST

START_TEST(data_that_is_cut_short_is_not_made_up)
{
    NEW_TREE(tree);
    CLEANUP_BLOB struct romsim_blob *blob = NULL;

    tar_file(&tar, "a", "abc");
    blob = romsim_blob_from_bytes(tar.bytes.data, 512 + 2, NULL);
    ck_assert_int_lt(romsim_tree_add_archive(tree, blob, false, "x", NULL), 0);
    romsim_buffer_reset(&tar.bytes);
    tars_leave();
}
END_TEST

/* ---- layers ----------------------------------------------------------------------------- */

START_TEST(whiteouts_hide_what_is_below)
{
    NEW_TREE(tree);

    tar_file(&tar, "etc/a", "a");
    tar_file(&tar, "etc/b", "b");
    tar_file(&tar, "dir/x/y", "y");
    tar_file(&tar, "opaque/old", "old");
    tar_add_ok(&tar, tree, true);
    tar_file(&tar, "etc/.wh.a", "");
    tar_file(&tar, ".wh.dir", "");
    tar_file(&tar, "opaque/new", "new");
    tar_file(&tar, "opaque/.wh..wh..opq", "");
    tar_file(&tar, ".wh.nothing", "");
    tar_add_ok(&tar, tree, true);
    ASSERT_TREE(tree, "/etc/ /etc/b=b /opaque/ /opaque/new=new ");
    tars_leave();
}
END_TEST

START_TEST(a_whiteout_spares_its_own_layer)
{
    NEW_TREE(tree);

    tar_file(&tar, "a/old", "old");
    tar_file(&tar, "b", "old");
    tar_add_ok(&tar, tree, true);
    tar_directory(&tar, "a/");
    tar_file(&tar, "a/new", "new");
    tar_file(&tar, "b", "new");
    tar_file(&tar, ".wh.a", "");
    tar_file(&tar, ".wh.b", "");
    tar_add_ok(&tar, tree, true);
    ASSERT_TREE(tree, "/a/ /a/new=new /b=new ");
    tars_leave();
}
END_TEST

START_TEST(a_whiteout_does_not_follow_a_link)
{
    NEW_TREE(tree);

    tar_file(&tar, "run/keep", "k");
    tar_symlink(&tar, "var", "run");
    tar_add_ok(&tar, tree, true);
    tar_directory(&tar, "var/");
    tar_file(&tar, "var/.wh..wh..opq", "");
    tar_add_ok(&tar, tree, true);
    ASSERT_TREE(tree, "/run/ /run/keep=k /var/ ");
    tars_leave();
}
END_TEST

START_TEST(a_whiteout_may_be_a_hard_link)
{
    NEW_TREE(tree);

    tar_file(&tar, "a", "a");
    tar_file(&tar, "b", "b");
    tar_add_ok(&tar, tree, true);
    tar_file(&tar, ".wh.a", "");
    tar_link(&tar, ".wh.b", ".wh.a");
    tar_file(&tar, ".wh..wh.plnk/5.6", "aufs");
    tar_add_ok(&tar, tree, true);
    ASSERT_TREE(tree, "");
    tars_leave();
}
END_TEST

START_TEST(an_entry_below_a_file_of_an_earlier_layer_makes_it_a_directory)
{
    NEW_TREE(tree);

    tar_file(&tar, "a", "file");
    tar_file(&tar, "real/b", "file");
    tar_symlink(&tar, "link", "real");
    tar_symlink(&tar, "to-file", "real/b");
    tar_file(&tar, "moved/c", "kept");
    tar_symlink(&tar, "was-link", "moved");
    tar_add_ok(&tar, tree, true);
    tar_file(&tar, "a/x/y", "y");
    tar_file(&tar, "./link/b/z", "z");
    tar_directory(&tar, "was-link/");
    tar_file(&tar, "was-link/c/d", "d");
    tar_add_ok(&tar, tree, true);
    ASSERT_TREE(tree, "/a/ /a/x/ /a/x/y=y /link>real /moved/ /moved/c=kept /real/ /real/b/ "
                      "/real/b/z=z /to-file>real/b /was-link/ /was-link/c/ /was-link/c/d=d ");
    tars_leave();
}
END_TEST

START_TEST(an_entry_below_a_file_of_its_own_layer_is_refused)
{
    NEW_TREE(tree);
    struct romsim_error err;

    tar_file(&tar, "a", "old");
    tar_add_ok(&tar, tree, true);
    tar_file(&tar, "a", "new");
    tar_file(&tar, "a/x", "x");
    ck_assert_int_lt(tar_add(&tar, tree, true, &err), 0);
    ck_assert_msg(strstr(err.message, "'/a' is not a directory") != NULL, "%s", err.message);
    tars_leave();
}
END_TEST

START_TEST(hard_links_lead_to_pseudo_links_of_aufs)
{
    NEW_TREE(tree);

    tar_directory(&tar, ".wh..wh.plnk/");
    tar_file(&tar, ".wh..wh.plnk/12.34", "data");
    tar_file(&tar, "./.wh..wh.plnk/56.78", "unused");
    tar_file(&tar, ".wh..wh.orph/x", "gone");
    tar_file(&tar, ".wh..wh.aufs", "");
    tar_link(&tar, "bin/a", "/.wh..wh.plnk/12.34");
    tar_link(&tar, "bin/b", ".wh..wh.plnk/12.34");
    tar_add_ok(&tar, tree, true);
    ASSERT_TREE(tree, "/bin/ /bin/a=data /bin/b=data ");
    ck_assert_int_eq(romsim_tree_lookup(tree, "bin/a")->links, 2);
    tars_leave();
}
END_TEST

START_TEST(a_link_to_a_pseudo_link_of_another_layer_is_refused)
{
    NEW_TREE(tree);
    struct romsim_error err;

    tar_file(&tar, ".wh..wh.plnk/12.34", "data");
    tar_file(&tar, "x", "");
    tar_add_ok(&tar, tree, true);
    tar_link(&tar, "a", ".wh..wh.plnk/12.34");
    ck_assert_int_lt(tar_add(&tar, tree, true, &err), 0);
    ck_assert_msg(strstr(err.message, "which is not there") != NULL, "%s", err.message);
    tars_leave();
}
END_TEST

START_TEST(a_layer_of_no_bytes_changes_nothing)
{
    NEW_TREE(tree);
    CLEANUP_BLOB struct romsim_blob *nothing = romsim_blob_from_bytes("", 0, NULL);

    tar_file(&tar, "a", "a");
    tar_add_ok(&tar, tree, true);
    ck_assert_int_eq(romsim_tree_add_archive(tree, nothing, true, "x", NULL), 0);
    ck_assert_int_lt(romsim_tree_add_archive(tree, nothing, false, "x", NULL), 0);
    ASSERT_TREE(tree, "/a=a ");
    tars_leave();
}
END_TEST

START_TEST(whiteout_names_are_plain_in_a_plain_archive)
{
    NEW_TREE(tree);

    tar_file(&tar, ".wh.a", "a");
    tar_add_ok(&tar, tree, false);
    ASSERT_TREE(tree, "/.wh.a=a ");
    tars_leave();
}
END_TEST

START_TEST(hard_links_go_across_layers)
{
    NEW_TREE(tree);
    const struct romsim_inode *inode;

    tar_file(&tar, "usr/a", "data");
    tar_add_ok(&tar, tree, true);
    tar_link(&tar, "usr/b", "usr/a");
    tar_file(&tar, "usr/.wh.gone", "");
    tar_add_ok(&tar, tree, true);
    tar_file(&tar, ".wh.nothing", "");
    tar_file(&tar, "usr/.wh.a", "");
    tar_add_ok(&tar, tree, true);
    ASSERT_TREE(tree, "/usr/ /usr/b=data ");
    inode = romsim_tree_lookup(tree, "usr/b");
    ck_assert_uint_eq(inode->links, 1);
    tars_leave();
}
END_TEST

START_TEST(a_directory_takes_new_metadata_and_loses_old_xattrs)
{
    NEW_TREE(tree);
    const struct romsim_inode *inode;

    tar_pax(&tar, "SCHILY.xattr.user.old", "1");
    tar_directory(&tar, "d/");
    tar_file(&tar, "d/x", "x");
    tar_add_ok(&tar, tree, true);
    tar_header(&tar, "d", '5', "", 0700, "00000000000");
    tar_add_ok(&tar, tree, true);
    ASSERT_TREE(tree, "/d/ /d/x=x ");
    inode = romsim_tree_lookup(tree, "d");
    ck_assert_uint_eq(inode->mode, S_IFDIR | 0700);
    ck_assert_uint_eq(inode->xattr_count, 0);
    tars_leave();
}
END_TEST

/* ---- what is refused -------------------------------------------------------------------- */

static void bad_under_file(struct tar *tar)
{
    tar_file(tar, "f", "x");
    tar_file(tar, "f/below", "y");
}

static void bad_link_missing(struct tar *tar)
{
    tar_link(tar, "a", "later");
    tar_file(tar, "later", "x");
}

static void bad_link_directory(struct tar *tar)
{
    tar_directory(tar, "d/");
    tar_link(tar, "a", "d");
}

static void bad_link_over_its_target(struct tar *tar)
{
    tar_file(tar, "d/f", "x");
    tar_link(tar, "d", "d/f");
}

static void bad_link_loop(struct tar *tar)
{
    tar_symlink(tar, "a", "b");
    tar_symlink(tar, "b", "a");
    tar_file(tar, "a/x", "x");
}

static void bad_whiteout_empty(struct tar *tar)
{
    tar_file(tar, "d/.wh.", "");
}

static void bad_whiteout_dots(struct tar *tar)
{
    tar_file(tar, "d/.wh...", "");
}

static void bad_whiteout_folder(struct tar *tar)
{
    tar_file(tar, "d/.wh.x/y", "");
}

static void bad_root_file(struct tar *tar)
{
    tar_symlink(tar, "./", "x");
}

static void bad_truncated(struct tar *tar)
{
    tar_header(tar, "big", '0', "", 0644, "00077777777");
    tar_data(tar, "little", 6);
}

static void bad_size_huge(struct tar *tar)
{
    tar_pax(tar, "size", "9223372036854775807");
    tar_file(tar, "big", "x");
}

static void bad_size_negative(struct tar *tar)
{
    tar_header(tar, "neg", '0', "", 0644, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
    tar_data(tar, "little", 6);
}

static void bad_sparse_huge(struct tar *tar)
{
    tar_pax_two(tar, "GNU.sparse.size", "9000000000000000000", "GNU.sparse.map", "0,1");
    tar_file(tar, "s", "a");
}

static void bad_sparse_negative(struct tar *tar)
{
    tar_pax_two(tar, "GNU.sparse.size", "16", "GNU.sparse.map", "-4,3,12,2");
    tar_file(tar, "s", "abcde");
}

static void bad_sparse_negative_length(struct tar *tar)
{
    tar_pax_two(tar, "GNU.sparse.size", "16", "GNU.sparse.map", "4,-3,12,2");
    tar_file(tar, "s", "abcde");
}

static void bad_sparse_negative_pair(struct tar *tar)
{
    tar_pax_two(tar, "GNU.sparse.size", "16", "GNU.sparse.numblocks", "1");
    tar_pax_two(tar, "GNU.sparse.offset", "-4", "GNU.sparse.numbytes", "5");
    tar_file(tar, "s", "abcde");
}

/* Version 1.0: the map stands in front of the data. */
static void bad_sparse_negative_in_data(struct tar *tar)
{
    tar_pax_two(tar, "GNU.sparse.major", "1", "GNU.sparse.minor", "0");
    tar_header(tar, "s", '0', "", 0644, "00000001005"); /* 517 */
    tar_data(tar, "1\n-4\n5\n", 7);
    tar_data(tar, "abcde", 5);
}

static void bad_sparse_order(struct tar *tar)
{
    tar_pax_two(tar, "GNU.sparse.size", "16", "GNU.sparse.map", "12,2,4,3");
    tar_file(tar, "s", "abcde");
}

static void bad_sparse_beyond(struct tar *tar)
{
    tar_pax_two(tar, "GNU.sparse.size", "16", "GNU.sparse.map", "14,5");
    tar_file(tar, "s", "abcde");
}

static void bad_sparse_size(struct tar *tar)
{
    tar_pax_two(tar, "GNU.sparse.size", "-16", "GNU.sparse.map", "0,3");
    tar_file(tar, "s", "abc");
}

static void bad_depth(struct tar *tar)
{
    char name[8000] = "";

    for (int i = 0; i < 1500; i++)
        memcpy(name + 2 * i, "d/f", 4);
    tar_pax(tar, "path", name);
    tar_file(tar, "deep", "x");
}

static void bad_name_long(struct tar *tar)
{
    char name[301];

    memset(name, 'n', 300);
    name[300] = '\0';
    tar_pax(tar, "path", name);
    tar_file(tar, "long", "x");
}

static void bad_last_dot_dot(struct tar *tar)
{
    tar_file(tar, "a/..", "x");
}

static void bad_owner(struct tar *tar)
{
    tar_pax(tar, "uid", "99999999999");
    tar_file(tar, "a", "x");
}

static void bad_header(struct tar *tar)
{
    tar_file(tar, "a", "x");
    tar_data(tar, "this is no header", 17);
}

static const struct {
    void (*make)(struct tar *);
    const char *says;
} refusals[] = {
    {bad_under_file, "'/f' is not a directory"},
    {bad_link_missing, "a hard link to 'later', which is not there"},
    {bad_link_directory, "a hard link to the directory 'd'"},
    {bad_link_over_its_target, "in place of its own target"},
    {bad_link_loop, "symbolic links"},
    {bad_whiteout_empty, "a whiteout that names nothing"},
    {bad_whiteout_dots, "a whiteout that names nothing"},
    {bad_whiteout_folder, "a whiteout that names nothing"},
    {bad_root_file, "the root of the archive is no directory"},
    {bad_truncated, "cannot be read"},
    {bad_size_huge, ""},
    {bad_size_negative, ""},
    {bad_sparse_huge, "the files have more than"},
    {bad_sparse_negative, "no valid map of a sparse file"},
    {bad_sparse_negative_length, "no valid map of a sparse file"},
    {bad_sparse_negative_pair, "sparse map"},
    {bad_sparse_negative_in_data, "cannot be read"},
    {bad_sparse_order, "the pieces of a sparse file overlap"},
    {bad_sparse_beyond, "5 bytes at 14, lies outside of its 16 bytes"},
    {bad_sparse_size, "its size is negative"},
    {bad_depth, "nested more than"},
    {bad_name_long, "300 bytes"},
    {bad_last_dot_dot, "'a/..'"},
    {bad_owner, "out of range"},
    {bad_header, "cannot be read"},
};

START_TEST(hostile_archives_give_one_clear_error)
{
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        NEW_TREE(tree);
        struct romsim_error err = {0};

        refusals[i].make(&tar);
        ck_assert_msg(tar_add(&tar, tree, true, &err) < 0, "refusal %zu is accepted", i);
        ck_assert_msg(strstr(err.message, refusals[i].says) && strstr(err.message, "test.tar"),
                      "refusal %zu says: %s", i, err.message);
        tars_leave();
    }
}
END_TEST

START_TEST(what_is_no_archive_is_named)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *says;
    } cases[] = {
        {"", 0, "an empty file"},
        {"PK\3\4____", 8, "a zip archive"},
        {"BZh91AY", 7, "bzip2 data"},
        {"hello", 5, "a file of an unknown kind"},
        {"\x7f\x45LF", 4, "an ELF file"},
        {"\x1f\x8b\x08garbage", 10, "cannot be decompressed"},
        {"\xfd\x37zXZ\0garbage", 13, "cannot be decompressed"},
        {"\x28\xb5\x2f\xfdgarbage", 11, "cannot be decompressed"},
        {"\x04\x22\x4d\x18garbage", 11, "cannot be decompressed"},
        {"\x02\x21\x4c\x18garbage", 11, "cannot be decompressed"},
        {"\x5d\0\0\x80\0", 5, "lzma data"},
        {"\x89LZO", 4, "lzop data"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        NEW_TREE(tree);
        struct romsim_error err = {0};
        CLEANUP_BLOB struct romsim_blob *blob =
            romsim_blob_from_bytes(cases[i].bytes, cases[i].size, NULL);

        (void)tar;
        ck_assert_int_lt(romsim_tree_add_archive(tree, blob, false, "f", &err), 0);
        ck_assert_msg(strstr(err.message, cases[i].says) != NULL, "%s", err.message);
        tars_leave();
    }
}
END_TEST

static struct romsim_blob *gzip(const void *bytes, size_t size)
{
    uLongf room = compressBound(size) + 64;
    uint8_t *packed = malloc(room);
    z_stream stream = {.next_in = (void *)(uintptr_t)bytes,
                       .avail_in = (uInt)size,
                       .next_out = packed,
                       .avail_out = (uInt)room};
    struct romsim_blob *blob;

    ck_assert_int_eq(deflateInit2(&stream, 9, Z_DEFLATED, 31, 9, Z_DEFAULT_STRATEGY), Z_OK);
    ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    blob = romsim_blob_from_bytes(packed, stream.total_out, NULL);
    deflateEnd(&stream);
    free(packed);
    return blob;
}

START_TEST(a_compressed_archive_is_the_same_tree)
{
    NEW_TREE(tree);
    CLEANUP_BLOB struct romsim_blob *plain = NULL;
    CLEANUP_BLOB struct romsim_blob *packed = NULL;

    tar_file(&tar, "a/b", "content");
    plain = tar_blob(&tar);
    packed = gzip(romsim_blob_bytes(plain), romsim_blob_size(plain));
    ck_assert_int_eq(romsim_tree_add_archive(tree, packed, false, "x", NULL), 0);
    ASSERT_TREE(tree, "/a/ /a/b=content ");
    tars_leave();
}
END_TEST

START_TEST(an_archive_of_an_archive_is_not_unpacked_twice)
{
    NEW_TREE(tree);
    CLEANUP_BLOB struct romsim_blob *plain = NULL;
    CLEANUP_BLOB struct romsim_blob *once = NULL;
    CLEANUP_BLOB struct romsim_blob *twice = NULL;

    tar_file(&tar, "a", "x");
    plain = tar_blob(&tar);
    once = gzip(romsim_blob_bytes(plain), romsim_blob_size(plain));
    twice = gzip(romsim_blob_bytes(once), romsim_blob_size(once));
    ck_assert_int_lt(romsim_tree_add_archive(tree, twice, false, "x", NULL), 0);
    tars_leave();
}
END_TEST

/* ---- directories and files -------------------------------------------------------------- */

static void write_file(int fd, const char *path, const char *text)
{
    CLEANUP_FD int file = openat(fd, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);

    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(write(file, text, strlen(text)), (ssize_t)strlen(text));
    ck_assert_int_eq(fchmod(file, 0640), 0);
}

START_TEST(a_directory_becomes_a_tree)
{
    CLEANUP_TREE struct romsim_tree *tree = NULL;
    CLEANUP_FREE char *path = NULL;
    CLEANUP_FD int fd = -1;
    const struct romsim_inode *inode;

    tars_enter();
    path = romsim_path_join(tars_home, "d");
    ck_assert_int_eq(mkdir(path, 0755), 0);
    fd = open(path, O_RDONLY | O_DIRECTORY);
    ck_assert_int_eq(mkdirat(fd, "sub", 0700), 0);
    write_file(fd, "sub/a", "alpha");
    ck_assert_int_eq(linkat(fd, "sub/a", fd, "b", 0), 0);
    ck_assert_int_eq(symlinkat("/etc", fd, "out"), 0);
    ck_assert_int_eq(mkfifoat(fd, "pipe", 0600), 0);
    tree = romsim_tree_from_directory(path, ROMSIM_OWNERS_ROOT, NULL);
    ck_assert_ptr_nonnull(tree);
    ASSERT_TREE(tree, "/b=alpha /out>/etc /pipe /sub/ /sub/a=alpha ");
    inode = romsim_tree_lookup(tree, "b");
    ck_assert_uint_eq(inode->links, 2);
    ck_assert_uint_eq(inode->mode, S_IFREG | 0640);
    ck_assert_uint_eq(inode->uid, 0);
    ck_assert_int_gt(inode->mtime, 1500000000);
    romsim_tree_free(tree);
    tree = romsim_tree_from_directory(path, ROMSIM_OWNERS_KEEP, NULL);
    ck_assert_uint_eq(romsim_tree_lookup(tree, "b")->uid, getuid());
    tars_leave();
}
END_TEST

START_TEST(a_directory_keeps_its_xattrs)
{
    CLEANUP_TREE struct romsim_tree *tree = NULL;
    CLEANUP_FREE char *path = NULL;
    const struct romsim_inode *root;

    tars_enter();
    path = romsim_path_join(tars_home, "d");
    ck_assert_int_eq(mkdir(path, 0755), 0);
    if (setxattr(path, "user.color", "blue", 4, 0) < 0) {
        tars_leave();
        UNIT_SKIP("no user xattrs in this file system");
    }
    tree = romsim_tree_from_directory(path, ROMSIM_OWNERS_ROOT, NULL);
    ck_assert_ptr_nonnull(tree);
    root = romsim_tree_root(tree);
    ck_assert_uint_eq(root->xattr_count, 1);
    ck_assert_str_eq(root->xattrs[0].name, "user.color");
    ck_assert_mem_eq(root->xattrs[0].value, "blue", 4);
    tars_leave();
}
END_TEST

START_TEST(inline_files_become_a_tree)
{
    struct romsim_file files[] = {
        {.path = (char *)"a/b/c.txt", .data = (uint8_t *)"c", .size = 1},
        {.path = (char *)"a/d", .data = (uint8_t *)"dd", .size = 2},
        {.path = (char *)"empty", .data = NULL, .size = 0},
    };
    CLEANUP_TREE struct romsim_tree *tree = NULL;

    tars_enter();
    tree = romsim_tree_from_files(files, 3, NULL);
    ck_assert_ptr_nonnull(tree);
    ASSERT_TREE(tree, "/a/ /a/b/ /a/b/c.txt=c /a/d=dd /empty= ");
    ck_assert_uint_eq(romsim_tree_lookup(tree, "a/d")->mode, S_IFREG | 0644);
    ck_assert_uint_eq(romsim_tree_lookup(tree, "a/b")->mode, S_IFDIR | 0755);
    ck_assert_int_eq(romsim_tree_lookup(tree, "a/b")->mtime, 0);
    tars_leave();
}
END_TEST

/* Each in a descriptor of its own would be more than a process may have. */
START_TEST(inline_files_take_no_descriptor_each)
{
    enum { FILES = 200 };
    struct rlimit limit;
    struct romsim_file files[FILES] = {{0}};
    char paths[FILES][32];
    CLEANUP_TREE struct romsim_tree *tree = NULL;
    CLEANUP_BLOB struct romsim_blob *blob = NULL;
    struct romsim_error err = {0};

    for (int i = 0; i < FILES; i++) {
        snprintf(paths[i], sizeof(paths[i]), "file-%d", i);
        files[i] = (struct romsim_file){
            .path = paths[i], .data = (uint8_t *)paths[i], .size = strlen(paths[i])};
    }
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 64;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    tree = romsim_tree_from_files(files, FILES, &err);
    ck_assert_msg(tree != NULL, "%s", err.message);
    blob = romsim_erofs_build(tree, NULL, NULL, &err); /* which reads all of them back */
    ck_assert_msg(blob != NULL, "%s", err.message);
}
END_TEST

UNIT_MAIN("image", an_archive_becomes_a_tree, data_stays_in_the_archive,
          dot_dot_and_absolute_names_stay_inside, a_write_through_a_symlink_stays_inside,
          the_last_of_two_equal_names_wins, a_file_becomes_a_directory_and_the_reverse,
          pax_names_times_and_xattrs_are_kept, acls_become_the_xattrs_in_which_linux_has_them,
          a_mask_that_an_acl_lacks_is_what_its_entries_may, acls_that_cannot_be_xattrs_are_noted,
          a_sparse_file_has_its_holes, a_last_block_may_be_short,
          data_that_is_cut_short_is_not_made_up, whiteouts_hide_what_is_below,
          a_whiteout_spares_its_own_layer, a_whiteout_does_not_follow_a_link,
          a_whiteout_may_be_a_hard_link,
          an_entry_below_a_file_of_an_earlier_layer_makes_it_a_directory,
          an_entry_below_a_file_of_its_own_layer_is_refused,
          hard_links_lead_to_pseudo_links_of_aufs,
          a_link_to_a_pseudo_link_of_another_layer_is_refused, a_layer_of_no_bytes_changes_nothing,
          whiteout_names_are_plain_in_a_plain_archive, hard_links_go_across_layers,
          a_directory_takes_new_metadata_and_loses_old_xattrs,
          hostile_archives_give_one_clear_error, what_is_no_archive_is_named,
          a_compressed_archive_is_the_same_tree, an_archive_of_an_archive_is_not_unpacked_twice,
          a_directory_becomes_a_tree, a_directory_keeps_its_xattrs, inline_files_become_a_tree,
          inline_files_take_no_descriptor_each)
