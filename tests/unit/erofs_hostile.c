/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * erofs_hostile.c: images made to harm: each is refused, or read without harm, with a message that
 * names what is wrong; and the checker finds it.  Where an image claims far more than it is, the
 * work stays bounded: those tests would run for years otherwise.
 */
#include "crafted.h"

#include <errno.h>

START_TEST(a_crafted_image_is_clean)
{
    struct crafted *image = craft_new();
    struct romsim_blob *blob;

    craft_one(image, ROMSIM_EROFS_FLAT_PLAIN, 5000, 8);
    craft_super(image)->inos = le64_make(2);
    craft_super(image)->feature_compat = le32_make(0);
    blob = craft_blob(image);
    ck_assert_int_eq(romsim_erofs_check(blob, NULL, NULL, NULL, NULL), 0);
    ck_assert_int_eq(read_file(image, 0, NULL), 5000);
    romsim_blob_unref(blob);
    free(image);
}
END_TEST

/* ---- superblock --------------------------------------------------------------------------- */

static void set_block_bits_8(struct crafted *image)
{
    craft_super(image)->blkszbits = 8;
}

static void set_block_bits_17(struct crafted *image)
{
    craft_super(image)->blkszbits = 17;
}

static void set_dirblkbits(struct crafted *image)
{
    craft_super(image)->dirblkbits = 1;
}

static void set_unknown_feature(struct crafted *image)
{
    craft_super(image)->feature_incompat = le32_make(0x40000000);
}

static void set_devices(struct crafted *image)
{
    craft_super(image)->feature_incompat = le32_make(EROFS_FEATURE_INCOMPAT_DEVICE_TABLE);
    craft_super(image)->extra_devices = le16_make(3);
}

static void set_checksum(struct crafted *image)
{
    craft_super(image)->feature_compat = le32_make(EROFS_FEATURE_COMPAT_SB_CHKSUM);
}

static void set_root_nid(struct crafted *image)
{
    craft_super(image)->rb.rootnid_2b = le16_make(65535);
}

static void set_root_file(struct crafted *image)
{
    craft_inode(image, 0)->i_mode = le16_make(S_IFREG | 0644);
}

static void set_meta_block(struct crafted *image)
{
    craft_super(image)->meta_blkaddr = le32_make(UINT32_MAX);
}

static void set_metabox_itself(struct crafted *image)
{
    struct erofs_super_block *super = craft_super(image);
    struct erofs_super_block_ext1 *slot = (struct erofs_super_block_ext1 *)(super + 1);

    super->feature_incompat = le32_make(EROFS_FEATURE_INCOMPAT_METABOX);
    super->sb_extslots = 1;
    slot->metabox_nid = le64_make(UINT64_C(1) << 63 | 4);
}

static void set_metabox_without_slot(struct crafted *image)
{
    craft_super(image)->feature_incompat = le32_make(EROFS_FEATURE_INCOMPAT_METABOX);
}

static void set_metabox_directory(struct crafted *image)
{
    set_metabox_itself(image);
    ((struct erofs_super_block_ext1 *)(craft_super(image) + 1))->metabox_nid = le64_make(0);
}

static void set_packed_in_metabox(struct crafted *image)
{
    craft_super(image)->feature_incompat = le32_make(EROFS_FEATURE_INCOMPAT_FRAGMENTS);
    craft_super(image)->packed_nid = le64_make(UINT64_C(1) << 63 | 4);
}

static void set_algorithms(struct crafted *image)
{
    craft_super(image)->feature_incompat = le32_make(EROFS_FEATURE_INCOMPAT_COMPR_CFGS);
    craft_super(image)->u1.available_compr_algs = le16_make(0x8001);
}

/* A configuration of `size` bytes for one algorithm, its first byte `first`, all others 0xff. */
static void set_configuration(struct crafted *image, unsigned algorithm, uint16_t size,
                              uint8_t first)
{
    uint8_t *at = (uint8_t *)(craft_super(image) + 1);

    craft_super(image)->feature_incompat = le32_make(EROFS_FEATURE_INCOMPAT_COMPR_CFGS);
    craft_super(image)->u1.available_compr_algs = le16_make(1u << algorithm);
    memset(at, 0xff, 64);
    at[0] = size;
    at[1] = size >> 8;
    at[2] = first;
}

static void set_lz4_short(struct crafted *image)
{
    set_configuration(image, Z_EROFS_COMPRESSION_LZ4, 4, 0);
}

static void set_lz4_large(struct crafted *image)
{
    set_configuration(image, Z_EROFS_COMPRESSION_LZ4, 14, 0);
}

static void set_lzma_format(struct crafted *image)
{
    set_configuration(image, Z_EROFS_COMPRESSION_LZMA, 14, 0);
}

static void set_lzma_dictionary(struct crafted *image)
{
    set_configuration(image, Z_EROFS_COMPRESSION_LZMA, 14, 0);
    memset((uint8_t *)(craft_super(image) + 1) + 6, 0, 2);
}

static void set_deflate_window(struct crafted *image)
{
    set_configuration(image, Z_EROFS_COMPRESSION_DEFLATE, 6, 16);
}

static void set_zstd_format(struct crafted *image)
{
    set_configuration(image, Z_EROFS_COMPRESSION_ZSTD, 6, 1);
}

static void set_zstd_window(struct crafted *image)
{
    set_configuration(image, Z_EROFS_COMPRESSION_ZSTD, 6, 0);
}

static void set_prefix_short(struct crafted *image)
{
    craft_super(image)->xattr_prefix_count = 1;
    craft_super(image)->xattr_prefix_start = le32_make(8 * CRAFT_BLOCK / 4);
}

static void set_prefix_outside(struct crafted *image)
{
    craft_super(image)->xattr_prefix_count = 255;
    craft_super(image)->xattr_prefix_start = le32_make(UINT32_MAX);
}

static void set_prefix_nul(struct crafted *image)
{
    set_prefix_short(image);
    memcpy(craft_block(image, 8),
           "\x04\0\x01"
           "a\0b",
           6);
}

static const struct {
    void (*harm)(struct crafted *image);
    int errnum;
    const char *message;
} supers[] = {
    {set_block_bits_8, EUCLEAN, "block size is 2^8"},
    {set_block_bits_17, EUCLEAN, "block size is 2^17"},
    {set_dirblkbits, EOPNOTSUPP, "directory blocks of another size"},
    {set_unknown_feature, EOPNOTSUPP, "features that are not known (0x40000000)"},
    {set_devices, EOPNOTSUPP, "3 extra devices (multi-device image)"},
    {set_checksum, EUCLEAN, "the superblock's checksum is 0x00000000"},
    {set_root_nid, EUCLEAN, "beyond the image's end"},
    {set_root_file, EUCLEAN, "the root, nid 0, is not a directory (mode 100644)"},
    {set_meta_block, EUCLEAN, "beyond the image's end"},
    {set_metabox_itself, EUCLEAN, "the metabox inode claims to be in the metabox"},
    {set_metabox_without_slot, EUCLEAN, "no superblock slot that names it"},
    {set_metabox_directory, EUCLEAN, "the metabox inode, nid 0, is not a regular file"},
    {set_packed_in_metabox, EUCLEAN, "the packed inode claims to be in the metabox"},
    {set_algorithms, EOPNOTSUPP, "unknown compression algorithms (bits 0x8000)"},
    {set_lz4_short, EUCLEAN, "lz4's configuration has 4 bytes"},
    {set_lz4_large, EUCLEAN, "lz4 pclusters of up to"},
    {set_lzma_format, EOPNOTSUPP, "unknown format 65535 of LZMA"},
    {set_lzma_dictionary, EUCLEAN, "an LZMA dictionary of"},
    {set_deflate_window, EOPNOTSUPP, "a DEFLATE window of 2^16"},
    {set_zstd_format, EOPNOTSUPP, "unknown format 1 of Zstandard"},
    {set_zstd_window, EUCLEAN, "a Zstandard window of 2^265"},
    {set_prefix_short, EUCLEAN, "a long xattr prefix of 0 bytes"},
    {set_prefix_outside, EUCLEAN, "xattr prefixes at offset"},
    {set_prefix_nul, EUCLEAN, "a long xattr prefix with a NUL in it"},
};

enum { SUPERS = sizeof(supers) / sizeof(supers[0]) };

START_TEST(a_bad_superblock_is_refused_by_name)
{
    struct crafted *image = craft_new();
    struct romsim_error err = {0};
    struct romsim_blob *blob;

    craft_finish(image);
    supers[_i].harm(image);
    blob = craft_blob(image);
    ck_assert_ptr_null(romsim_erofs_open(blob, &err));
    ck_assert_msg(strstr(err.message, supers[_i].message) != NULL, "'%s' instead of '%s'",
                  err.message, supers[_i].message);
    ck_assert_int_eq(err.errnum, supers[_i].errnum);
    ck_assert_int_eq(romsim_erofs_check(blob, NULL, NULL, NULL, NULL),
                     err.errnum == EUCLEAN ? 1 : -1);
    romsim_blob_unref(blob);
    free(image);
}
END_TEST

/* ---- inodes ------------------------------------------------------------------------------- */

static const struct {
    uint64_t size;
    uint32_t start;
    unsigned layout;
    const char *message;
} inodes[] = {
    {UINT64_MAX, 8, ROMSIM_EROFS_FLAT_PLAIN, "a size of 18446744073709551615 bytes"},
    {INT64_MAX, 8, ROMSIM_EROFS_FLAT_PLAIN, "beyond the end of the image"},
    {INT64_MAX, UINT32_MAX - 1, ROMSIM_EROFS_FLAT_PLAIN, "beyond the end of the image"},
    {4096, CRAFT_BLOCKS, ROMSIM_EROFS_FLAT_PLAIN, "beyond the end of the image"},
    {4097, CRAFT_BLOCKS - 1, ROMSIM_EROFS_FLAT_PLAIN, "beyond the end of the image"},
    {4090, 0, ROMSIM_EROFS_FLAT_INLINE, "crosses a block's end"},
    {INT64_MAX, 8, ROMSIM_EROFS_FLAT_INLINE, "beyond the end of the image"},
    {100, 0, 5, "unknown data layout 5"},
    {100, 0, 7, "unknown data layout 7"},
    {100, 0xffff, ROMSIM_EROFS_CHUNK_BASED, "unknown chunk format 0xffff"},
    {INT64_MAX, 0x0f, ROMSIM_EROFS_CHUNK_BASED, "beyond the end of the image"},
    {INT64_MAX, 0x3f, ROMSIM_EROFS_CHUNK_BASED, ""}, /* chunks of 2^43: a few holes or junk */
};

START_TEST(a_bad_inode_is_found)
{
    struct crafted *image = craft_new();
    struct romsim_error err = {0};

    craft_one(image, inodes[_i].layout, inodes[_i].size, inodes[_i].start);
    if (*inodes[_i].message)
        check_says(image, inodes[_i].message);
    read_file(image, 0, &err);
    read_file(image, inodes[_i].size / 2, &err);
    read_file(image, inodes[_i].size - 1, &err);
    free(image);
}
END_TEST

START_TEST(a_huge_hole_costs_nothing)
{
    struct crafted *image = craft_new();
    struct romsim_blob *blob;
    struct romsim_error err = {0};

    craft_one(image, ROMSIM_EROFS_FLAT_PLAIN, INT64_MAX, UINT32_MAX)->i_nb.startblk_hi =
        le16_make(UINT16_MAX);
    blob = craft_blob(image);
    ck_assert_int_eq(romsim_erofs_check(blob, NULL, NULL, NULL, &err), 0);
    ck_assert_int_eq(read_file(image, INT64_MAX - 100, &err), 100);
    romsim_blob_unref(blob);
    free(image);
}
END_TEST

START_TEST(bad_symlinks_are_found)
{
    static const struct {
        uint64_t size;
        const char *message;
    } links[] = {{4096, "a symlink's target of 4096 bytes"},
                 {UINT64_C(1) << 40, "a symlink's target of 1099511627776 bytes"},
                 {10, "a symlink's target with a NUL in it: 4 of its 10 bytes are seen"}};

    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        struct crafted *image = craft_new();

        craft_entry(image, "l", 4, EROFS_FT_SYMLINK);
        craft_finish(image);
        craft_file(image, 4, ROMSIM_EROFS_FLAT_PLAIN, S_IFLNK | 0777, links[i].size, 8);
        memcpy(craft_block(image, 8), "here", 5);
        check_says(image, links[i].message);
        free(image);
    }
}
END_TEST

/* ---- directories -------------------------------------------------------------------------- */

/* What is done to the second dirent (0: "." 1: ".." 2: "a" 3: "b") of the root. */
static const struct {
    uint8_t entry;
    uint16_t nameoff;
    const char *message;
} dirents[] = {
    {0, 0, "no dirent before the first name"},
    {0, 47, "no multiple of 12"},
    {0, 4092, "the first name is beyond"},
    {0, 65532, "the first name is beyond"},
    {0, 12, "a name of 0 bytes"},
    {1, 0, "the name of a dirent is from"},
    {1, 48, "the name of a dirent is from"},
    {1, 4000, "the name of a dirent is from"},
    {2, 40000, "the name of a dirent is from"},
    {3, 20, "the name of a dirent is from"},
    {3, 4095, "the name of a dirent is from"},
};

enum { DIRENTS = sizeof(dirents) / sizeof(dirents[0]) };

static struct crafted *craft_two(void)
{
    struct crafted *image = craft_new();

    craft_entry(image, "a", 4, EROFS_FT_REG_FILE);
    craft_entry(image, "b", 6, EROFS_FT_REG_FILE);
    craft_finish(image);
    craft_file(image, 4, ROMSIM_EROFS_FLAT_PLAIN, S_IFREG | 0644, 0, 0);
    craft_file(image, 6, ROMSIM_EROFS_FLAT_PLAIN, S_IFREG | 0644, 0, 0);
    return image;
}

START_TEST(bad_dirents_are_found)
{
    struct crafted *image = craft_two();
    struct erofs_dirent *dirent = (struct erofs_dirent *)craft_block(image, CRAFT_DATA);

    dirent[dirents[_i].entry].nameoff = le16_make(dirents[_i].nameoff);
    check_says(image, dirents[_i].message);
    free(image);
}
END_TEST

START_TEST(bad_names_are_found)
{
    static const struct {
        const char *a, *b;
        const char *message;
    } names[] = {
        {"a/b", "c", "a '/' in the name \"a/b\""},
        {"", "c", "the name of a dirent is from"},
        {"b", "a", "is not in order"},
        {"a", "a", "is there twice"},
        {"a", "", "a name of 0 bytes"},
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct crafted *image = craft_new();

        craft_entry(image, names[i].a, 4, EROFS_FT_REG_FILE);
        craft_entry(image, names[i].b, 6, EROFS_FT_REG_FILE);
        craft_finish(image);
        /* A last name may be cut off by the directory's size: give an empty one a byte. */
        if (!*names[i].b)
            craft_inode(image, 0)->i_size = le64_make(le64_get(craft_inode(image, 0)->i_size) + 1);
        craft_file(image, 4, ROMSIM_EROFS_FLAT_PLAIN, S_IFREG | 0644, 0, 0);
        craft_file(image, 6, ROMSIM_EROFS_FLAT_PLAIN, S_IFREG | 0644, 0, 0);
        check_says(image, names[i].message);
        free(image);
    }
}
END_TEST

START_TEST(a_name_of_more_than_255_bytes_is_found)
{
    struct crafted *image = craft_two();

    memset((uint8_t *)craft_block(image, CRAFT_DATA) + 48 + 4, 'x', 300);
    craft_inode(image, 0)->i_size = le64_make(48 + 4 + 300);
    check_says(image, "a name of 300 bytes");
    free(image);
}
END_TEST

START_TEST(missing_dots_are_found)
{
    struct crafted *image = craft_two();
    const char *names[] = {"a", "b"};
    const uint64_t nids[] = {4, 6};
    const uint8_t types[] = {EROFS_FT_REG_FILE, EROFS_FT_REG_FILE};
    size_t size = craft_dirents(craft_block(image, CRAFT_DATA), names, nids, types, 2);

    craft_inode(image, 0)->i_size = le64_make(size);
    check_says(image, "a directory without \"..\"");
    check_says(image, "a directory without \".\"");
    free(image);
}
END_TEST

/* Odd, but the kernel mounts them: an empty directory, a link without a target. */
START_TEST(what_only_looks_damaged_is_a_warning)
{
    struct crafted *image = craft_new();
    struct romsim_erofs_census census = {0};
    struct romsim_blob *blob;

    craft_entry(image, "d", 4, EROFS_FT_DIR);
    craft_entry(image, "l", 6, EROFS_FT_SYMLINK);
    craft_finish(image);
    craft_file(image, 4, ROMSIM_EROFS_FLAT_PLAIN, S_IFDIR | 0755, 0, 0);
    craft_file(image, 6, ROMSIM_EROFS_FLAT_INLINE, S_IFLNK | 0777, 0, 0);
    blob = craft_blob(image);
    ck_assert_int_eq(romsim_erofs_check(blob, NULL, NULL, &census, NULL), 0);
    ck_assert_uint_eq(census.errors, 0);
    ck_assert_uint_ge(census.warnings, 2);
    romsim_blob_unref(blob);
    free(image);
}
END_TEST

static int count_visits(void *context, const char *path, const struct romsim_erofs_inode *inode)
{
    (void)path;
    (void)inode;
    return ++*(size_t *)context > 1000000;
}

static int walk(struct crafted *image, struct romsim_error *err)
{
    struct romsim_blob *blob = craft_blob(image);
    struct romsim_erofs *erofs = romsim_erofs_open(blob, err);
    size_t visits = 0;
    int result = erofs ? romsim_erofs_walk(erofs, count_visits, &visits, err) : -1;

    romsim_erofs_close(erofs);
    romsim_blob_unref(blob);
    return result;
}

START_TEST(a_directory_that_contains_itself_is_found)
{
    struct crafted *image = craft_new();
    struct romsim_error err = {0};

    craft_entry(image, "again", 0, EROFS_FT_DIR);
    craft_finish(image);
    check_says(image, "a second name for the directory nid 0 (a loop?)");
    ck_assert_int_eq(walk(image, &err), -1);
    ck_assert_int_eq(err.errnum, EUCLEAN);
    free(image);
}
END_TEST

/* Five entries, of which one has no inode, one leads back, and one's name is no name. */
START_TEST(a_walk_goes_on_behind_damage_and_ends_with_its_budget)
{
    static const struct {
        int result;
        const char *path;
        bool is_name, is_last;
    } steps[] = {{1, "/", true, true},
                 {1, "/a", true, false},
                 {ROMSIM_EROFS_DAMAGED, "/b", true, false},
                 {1, "/c", true, false},
                 {ROMSIM_EROFS_DAMAGED, "/c", false, false},
                 {ROMSIM_EROFS_DAMAGED, "/", false, false},
                 {1, "/e", true, true},
                 {0}};
    struct crafted *image = craft_new();
    struct romsim_error err = {0};
    struct romsim_erofs_budget budget;
    struct romsim_erofs_inode root;
    struct romsim_erofs_step step;

    craft_entry(image, "a", 4, EROFS_FT_REG_FILE);
    craft_entry(image, "b", 8, EROFS_FT_REG_FILE);
    craft_entry(image, "c", 0, EROFS_FT_DIR);
    craft_entry(image, "/", 4, EROFS_FT_REG_FILE);
    craft_entry(image, "e", 4, EROFS_FT_REG_FILE);
    craft_file(image, 4, ROMSIM_EROFS_FLAT_PLAIN, S_IFREG | 0644, 0, CRAFT_DATA);
    craft_finish(image);
    for (unsigned most = 0; most < 2; most++) {
        struct romsim_blob *blob = craft_blob(image);
        struct romsim_erofs *erofs = romsim_erofs_open(blob, &err);
        struct romsim_erofs_walker *walker;

        ck_assert_int_eq(romsim_erofs_inode(erofs, romsim_erofs_root(erofs), &root, &err), 0);
        romsim_erofs_budget_init(&budget, erofs);
        ck_assert_uint_eq(budget.left, 16 * CRAFT_SIZE + (32 << 20));
        if (most)
            budget.left = 300; /* two names, and no third */
        walker = romsim_erofs_walker_new(erofs, &root, "", &budget, &err);
        for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && !(most && i == 3); i++) {
            ck_assert_int_eq(romsim_erofs_walker_next(walker, &step, &err), steps[i].result);
            if (!steps[i].result)
                break;
            ck_assert_str_eq(step.path, steps[i].path);
            ck_assert_int_eq(step.is_name, steps[i].is_name);
            ck_assert_int_eq(step.depth, step.path[1] != 0);
            if (steps[i].result == ROMSIM_EROFS_DAMAGED)
                ck_assert_int_eq(err.errnum, EUCLEAN);
            if (steps[i].is_name)
                ck_assert_int_eq(romsim_erofs_walker_is_last(walker), steps[i].is_last);
        }
        for (int again = 0; most && again < 2; again++)
            ck_assert_int_eq(romsim_erofs_walker_next(walker, &step, &err), again ? 0 : -1);
        if (most)
            ck_assert_int_eq(err.errnum, EFBIG);
        romsim_erofs_walker_free(walker);
        romsim_erofs_close(erofs);
        romsim_blob_unref(blob);
    }
    free(image);
}
END_TEST

/* Directories that all use one block which names all of them: 2^n paths. */
START_TEST(hard_linked_directories_are_found)
{
    struct crafted *image = craft_new();
    struct romsim_error err = {0};

    for (uint64_t i = 1; i <= 8; i++) {
        char name[2] = {(char)('a' + i), 0};

        craft_entry(image, name, i * 2, EROFS_FT_DIR);
    }
    craft_finish(image);
    for (uint64_t i = 1; i <= 8; i++)
        *craft_inode(image, i * 2) = *craft_inode(image, 0);
    check_says(image, "a second name for the directory");
    ck_assert_int_eq(walk(image, &err), -1);
    ck_assert_int_eq(err.errnum, EUCLEAN);
    free(image);
}
END_TEST

/* Every inode is a directory that claims all of the image as its blocks. */
START_TEST(directories_that_claim_the_same_bytes_are_found)
{
    struct crafted *image = craft_new();
    struct romsim_error err = {0};

    for (uint64_t i = 1; i <= 10; i++) {
        char name[2] = {(char)('a' + i), 0};

        craft_entry(image, name, i * 2, EROFS_FT_DIR);
    }
    craft_finish(image);
    for (uint64_t i = 1; i <= 10; i++)
        craft_file(image, i * 2, ROMSIM_EROFS_FLAT_PLAIN, S_IFDIR | 0755, CRAFT_SIZE / 4, 8);
    check_says(image, "directories claim more bytes than the image can hold");
    ck_assert_int_eq(walk(image, &err), -1);
    free(image);
}
END_TEST

/* Every inode has all of the image as its table of chunks. */
START_TEST(files_that_claim_the_same_indexes_are_found)
{
    struct crafted *image = craft_new();

    for (uint64_t i = 1; i <= 12; i++) {
        char name[2] = {(char)('a' + i), 0};

        craft_entry(image, name, 512 + i * 2, EROFS_FT_REG_FILE);
    }
    craft_finish(image);
    /* Behind the root's block; their xattr areas reach over each other to the common table. */
    for (uint64_t i = 1; i <= 12; i++)
        craft_file(image, 512 + i * 2, ROMSIM_EROFS_CHUNK_BASED, S_IFREG | 0644, INT64_MAX, 0)
            ->i_xattr_icount = le16_make(1024);
    memset(craft_block(image, 6), 0xff, 26 * CRAFT_BLOCK); /* holes */
    check_says(image, "the files' indexes claim more extents than the image has room for");
    free(image);
}
END_TEST

/* ---- xattrs ------------------------------------------------------------------------------- */

START_TEST(bad_xattrs_are_found)
{
    static const struct {
        uint16_t icount;
        uint8_t shared;
        uint32_t body[2]; /* behind the header */
        const char *message;
    } areas[] = {
        {1, 1, {0, 0}, "1 shared xattrs in an xattr area of 12 bytes"},
        {2, 255, {0, 0}, "255 shared xattrs"},
        {2, 1, {UINT32_MAX, 0}, "shared xattr at offset"},
        {2, 0, {0x00100105, 0}, "where the area has 4 left"},
        {3, 0, {0xffff0101, 0}, "where the area has 8 left"},
        {3, 0, {0x00000104, 0}, "an xattr's name with a NUL in it"},
        {UINT16_MAX, 0, {0, 0}, "more bytes than the image has"},
    };

    for (size_t i = 0; i < sizeof(areas) / sizeof(areas[0]); i++) {
        struct crafted *image = craft_new();
        struct erofs_inode_extended *inode = craft_one(image, ROMSIM_EROFS_FLAT_PLAIN, 0, 0);
        struct erofs_xattr_ibody_header *header = (struct erofs_xattr_ibody_header *)(inode + 1);
        le32 *body = (le32 *)(header + 1);

        inode->i_xattr_icount = le16_make(areas[i].icount);
        header->h_shared_count = areas[i].shared;
        body[0] = le32_make(areas[i].body[0]);
        body[1] = le32_make(areas[i].body[1]);
        check_says(image, areas[i].message);
        free(image);
    }
}
END_TEST

/* Listing them takes one step each: by index it took the square of that. */
START_TEST(many_xattrs_are_listed_one_by_one)
{
    enum { COUNT = 29000 };
    struct crafted *image = craft_new();
    struct erofs_inode_extended *inode = craft_one(image, ROMSIM_EROFS_FLAT_PLAIN, 0, 0);
    struct romsim_erofs_inode read;
    struct romsim_xattr xattr;
    struct romsim_error err = {0};
    struct romsim_blob *blob;
    struct romsim_erofs *erofs;
    uint64_t cursor = 0;
    size_t count = 0;
    int found;

    inode->i_xattr_icount = le16_make(COUNT + 1);
    for (le32 *entry = (le32 *)((uint8_t *)(inode + 1) + 12);
         (uint8_t *)(entry + 1) <= image->bytes + CRAFT_SIZE; entry++)
        *entry = le32_make(EROFS_XATTR_INDEX_USER << 8);
    blob = craft_blob(image);
    erofs = romsim_erofs_open(blob, &err);
    ck_assert_msg(erofs != NULL, "%s", err.message);
    ck_assert_int_eq(romsim_erofs_inode(erofs, 4, &read, &err), 0);
    while ((found = romsim_erofs_xattr(erofs, &read, &cursor, &xattr, &err)) > 0) {
        ck_assert_str_eq(xattr.name, "user.");
        count++;
        romsim_xattr_release(&xattr);
    }
    ck_assert_int_eq(found, 0);
    ck_assert_uint_eq(count, COUNT);
    for (cursor = UINT64_MAX; cursor; cursor >>= 1) { /* any cursor is safe */
        uint64_t odd = cursor;

        if (romsim_erofs_xattr(erofs, &read, &odd, &xattr, NULL) == 1)
            romsim_xattr_release(&xattr);
    }
    romsim_erofs_close(erofs);
    romsim_blob_unref(blob);
    free(image);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("erofs_hostile");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_crafted_image_is_clean);
    tcase_add_loop_test(tcase, a_bad_superblock_is_refused_by_name, 0, SUPERS);
    tcase_add_loop_test(tcase, a_bad_inode_is_found, 0, sizeof(inodes) / sizeof(inodes[0]));
    tcase_add_test(tcase, a_huge_hole_costs_nothing);
    tcase_add_test(tcase, bad_symlinks_are_found);
    tcase_add_loop_test(tcase, bad_dirents_are_found, 0, DIRENTS);
    tcase_add_test(tcase, bad_names_are_found);
    tcase_add_test(tcase, a_name_of_more_than_255_bytes_is_found);
    tcase_add_test(tcase, missing_dots_are_found);
    tcase_add_test(tcase, what_only_looks_damaged_is_a_warning);
    tcase_add_test(tcase, a_directory_that_contains_itself_is_found);
    tcase_add_test(tcase, a_walk_goes_on_behind_damage_and_ends_with_its_budget);
    tcase_add_test(tcase, hard_linked_directories_are_found);
    tcase_add_test(tcase, directories_that_claim_the_same_bytes_are_found);
    tcase_add_test(tcase, files_that_claim_the_same_indexes_are_found);
    tcase_add_test(tcase, bad_xattrs_are_found);
    tcase_add_test(tcase, many_xattrs_are_listed_one_by_one);
    return unit_run_case("erofs_hostile", tcase);
}
