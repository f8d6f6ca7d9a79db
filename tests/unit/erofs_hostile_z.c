/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * erofs_hostile_z.c: compressed files made to harm: indexes and records that contradict
 * themselves, point nowhere, or claim far more than the image is.
 */
#include "crafted.h"

#include <errno.h>

/* ---- compressed files --------------------------------------------------------------------- */

/* A compressed file with full indexes at nid 4: header and indexes behind the inode. */
static struct z_erofs_map_header *craft_compressed(struct crafted *image, uint64_t size,
                                                   struct z_erofs_lcluster_index **ret_indexes)
{
    struct erofs_inode_extended *inode = craft_one(image, ROMSIM_EROFS_COMPRESSED_FULL, size, 1);
    struct z_erofs_map_header *header = (struct z_erofs_map_header *)(inode + 1);

    craft_super(image)->feature_incompat =
        le32_make(EROFS_FEATURE_INCOMPAT_ZERO_PADDING | EROFS_FEATURE_INCOMPAT_BIG_PCLUSTER);
    craft_super(image)->u1.available_compr_algs = le16_make(1);
    /* The LZ4 configuration: 14 bytes. */
    *(le16 *)(craft_super(image) + 1) = le16_make(14);
    *ret_indexes = (struct z_erofs_lcluster_index *)((uint8_t *)(header + 1) + 8);
    return header;
}

static void set_head(struct z_erofs_lcluster_index *index, unsigned type, uint16_t start,
                     uint32_t block)
{
    index->di_advise = le16_make(type);
    index->di_clusterofs = le16_make(start);
    index->di_u.blkaddr = le32_make(block);
}

static void set_nonhead(struct z_erofs_lcluster_index *index, uint16_t back, uint16_t ahead)
{
    index->di_advise = le16_make(Z_EROFS_LCLUSTER_TYPE_NONHEAD);
    index->di_u.n.delta[0] = le16_make(back);
    index->di_u.n.delta[1] = le16_make(ahead);
}

/* Reads the first `size` bytes of "/f". */
static int read_up_to(struct crafted *image, size_t size, struct romsim_error *err)
{
    struct romsim_blob *blob = craft_blob(image);
    struct romsim_erofs *erofs = romsim_erofs_open(blob, err);
    struct romsim_erofs_inode inode;
    uint8_t buffer[3 * CRAFT_BLOCK];
    size_t got = 0;
    int result;

    ck_assert_ptr_nonnull(erofs);
    ck_assert_int_eq(romsim_erofs_lookup_path(erofs, "/f", &inode, err), 1);
    result = romsim_erofs_read(erofs, &inode, 0, buffer, size, &got, err);
    romsim_erofs_close(erofs);
    romsim_blob_unref(blob);
    return result < 0 ? -1 : (int)got;
}

typedef void craft_indexes(struct crafted *image, struct z_erofs_map_header *header,
                           struct z_erofs_lcluster_index *indexes);

static void make_no_head(struct crafted *image, struct z_erofs_map_header *header,
                         struct z_erofs_lcluster_index *indexes)
{
    (void)image;
    (void)header;
    for (int i = 0; i < 16; i++)
        set_nonhead(&indexes[i], 1, 1);
}

static void make_back_zero(struct crafted *image, struct z_erofs_map_header *header,
                           struct z_erofs_lcluster_index *indexes)
{
    (void)image;
    (void)header;
    set_head(&indexes[0], Z_EROFS_LCLUSTER_TYPE_HEAD1, 0, 8);
    for (int i = 1; i < 16; i++)
        set_nonhead(&indexes[i], 0, 0);
}

static void make_first_late(struct crafted *image, struct z_erofs_map_header *header,
                            struct z_erofs_lcluster_index *indexes)
{
    (void)image;
    (void)header;
    for (int i = 0; i < 16; i++)
        set_head(&indexes[i], Z_EROFS_LCLUSTER_TYPE_HEAD1, 100, 8);
}

static void make_start_beyond(struct crafted *image, struct z_erofs_map_header *header,
                              struct z_erofs_lcluster_index *indexes)
{
    (void)image;
    (void)header;
    for (int i = 0; i < 16; i++)
        set_head(&indexes[i], Z_EROFS_LCLUSTER_TYPE_HEAD1, 4096, 8);
}

static void make_count_without_big(struct crafted *image, struct z_erofs_map_header *header,
                                   struct z_erofs_lcluster_index *indexes)
{
    (void)image;
    (void)header;
    set_head(&indexes[0], Z_EROFS_LCLUSTER_TYPE_HEAD1, 0, 8);
    for (int i = 1; i < 16; i++)
        set_nonhead(&indexes[i], Z_EROFS_LI_D0_CBLKCNT | 1, 1);
}

static void make_no_count(struct crafted *image, struct z_erofs_map_header *header,
                          struct z_erofs_lcluster_index *indexes)
{
    (void)image;
    header->h_advise = le16_make(Z_EROFS_ADVISE_BIG_PCLUSTER_1);
    set_head(&indexes[0], Z_EROFS_LCLUSTER_TYPE_HEAD1, 0, 8);
    for (int i = 1; i < 16; i++)
        set_nonhead(&indexes[i], i + 1, 1);
    set_nonhead(&indexes[1], 2, 1);
}

static void make_count_zero(struct crafted *image, struct z_erofs_map_header *header,
                            struct z_erofs_lcluster_index *indexes)
{
    (void)image;
    header->h_advise = le16_make(Z_EROFS_ADVISE_BIG_PCLUSTER_1);
    set_head(&indexes[0], Z_EROFS_LCLUSTER_TYPE_HEAD1, 0, 8);
    set_nonhead(&indexes[1], Z_EROFS_LI_D0_CBLKCNT, 1);
    for (int i = 2; i < 16; i++)
        set_nonhead(&indexes[i], i, 1);
}

static void make_count_huge(struct crafted *image, struct z_erofs_map_header *header,
                            struct z_erofs_lcluster_index *indexes)
{
    make_count_zero(image, header, indexes);
    set_nonhead(&indexes[1], Z_EROFS_LI_D0_CBLKCNT | 0x7ff, 1);
}

static void make_plain_long(struct crafted *image, struct z_erofs_map_header *header,
                            struct z_erofs_lcluster_index *indexes)
{
    make_count_zero(image, header, indexes);
    set_head(&indexes[0], Z_EROFS_LCLUSTER_TYPE_PLAIN, 0, 8);
}

static void make_beyond(struct crafted *image, struct z_erofs_map_header *header,
                        struct z_erofs_lcluster_index *indexes)
{
    make_count_zero(image, header, indexes);
    set_head(&indexes[0], Z_EROFS_LCLUSTER_TYPE_HEAD1, 0, UINT32_MAX);
}

static void make_garbage(struct crafted *image, struct z_erofs_map_header *header,
                         struct z_erofs_lcluster_index *indexes)
{
    make_count_zero(image, header, indexes);
    memset(craft_block(image, 8), 0xf7, CRAFT_BLOCK);
}

static void make_head2_unknown(struct crafted *image, struct z_erofs_map_header *header,
                               struct z_erofs_lcluster_index *indexes)
{
    make_count_zero(image, header, indexes);
    header->b.a.h_algorithmtype = 0x10;
    set_head(&indexes[0], Z_EROFS_LCLUSTER_TYPE_HEAD2, 0, 8);
}

static void make_algorithm_unknown(struct crafted *image, struct z_erofs_map_header *header,
                                   struct z_erofs_lcluster_index *indexes)
{
    make_count_zero(image, header, indexes);
    header->b.a.h_algorithmtype = 0x0c;
}

static void make_big_without_feature(struct crafted *image, struct z_erofs_map_header *header,
                                     struct z_erofs_lcluster_index *indexes)
{
    make_count_zero(image, header, indexes);
    craft_super(image)->feature_incompat = le32_make(EROFS_FEATURE_INCOMPAT_ZERO_PADDING);
    craft_super(image)->u1.available_compr_algs = le16_make(0);
}

static void make_fragment_without_packed(struct crafted *image, struct z_erofs_map_header *header,
                                         struct z_erofs_lcluster_index *indexes)
{
    (void)image;
    (void)indexes;
    header->b.a.h_clusterbits = 1 << Z_EROFS_FRAGMENT_INODE_BIT;
}

static void make_packed(struct crafted *image, uint64_t nid)
{
    struct erofs_super_block *super = craft_super(image);

    super->feature_incompat =
        le32_make(le32_get(super->feature_incompat) | EROFS_FEATURE_INCOMPAT_FRAGMENTS);
    super->packed_nid = le64_make(nid);
}

static void make_fragment_itself(struct crafted *image, struct z_erofs_map_header *header,
                                 struct z_erofs_lcluster_index *indexes)
{
    make_fragment_without_packed(image, header, indexes);
    make_packed(image, 4);
}

static void make_fragment_outside(struct crafted *image, struct z_erofs_map_header *header,
                                  struct z_erofs_lcluster_index *indexes)
{
    make_fragment_without_packed(image, header, indexes);
    header->u.h_fragmentoff = le32_make(UINT32_MAX);
    make_packed(image, 100);
    craft_file(image, 100, ROMSIM_EROFS_FLAT_PLAIN, S_IFREG | 0600, 8192, 8);
}

static void make_inline_across(struct crafted *image, struct z_erofs_map_header *header,
                               struct z_erofs_lcluster_index *indexes)
{
    make_count_zero(image, header, indexes);
    header->h_advise = le16_make(Z_EROFS_ADVISE_BIG_PCLUSTER_1 | Z_EROFS_ADVISE_INLINE_PCLUSTER);
    header->u.idata.h_idata_size = le16_make(4096);
}

static const struct {
    uint64_t size;
    craft_indexes *make;
    const char *message;
} compressed[] = {
    {60000, make_no_head, "no head before it"},
    {60000, make_back_zero, "a pcluster of zeros only"},
    {60000, make_first_late, "no head before it"},
    {60000, make_start_beyond, "an extent begins beyond the lcluster"},
    {60000, make_count_without_big, "a number of blocks without big pclusters"},
    {60000, make_no_count, "a big pcluster without a number of blocks"},
    {60000, make_count_zero, "a pcluster of zeros only"},
    {60000, make_count_huge, "a pcluster of 8384512 bytes"},
    {60000, make_plain_long, "a plain pcluster is shorter than its extent"},
    {60000, make_beyond, "beyond the end of the image"},
    {60000, make_garbage, "do not decode to 60000 bytes"},
    {60000, make_head2_unknown, "which the superblock does not name"},
    {60000, make_algorithm_unknown, "unknown compression algorithm 12"},
    {60000, make_big_without_feature, "big pclusters in an image without the feature"},
    {60000, make_fragment_without_packed, "there is no packed inode"},
    {60000, make_fragment_itself, "the packed inode has a fragment of itself"},
    {60000, make_fragment_outside, "beyond the end of the packed inode"},
    {60000, make_inline_across, "the tail-packed pcluster crosses a block's end"},
    {INT64_MAX, make_count_zero, "a pcluster of zeros only"},
    {INT64_MAX, make_no_head, "no head before it"},
    {INT64_MAX, make_fragment_itself, "the packed inode has a fragment of itself"},
};

enum { COMPRESSED = sizeof(compressed) / sizeof(compressed[0]) };

START_TEST(bad_indexes_are_found)
{
    struct crafted *image = craft_new();
    struct z_erofs_lcluster_index *indexes;
    struct z_erofs_map_header *header = craft_compressed(image, compressed[_i].size, &indexes);
    struct romsim_error err = {0};

    compressed[_i].make(image, header, indexes);
    if (compressed[_i].size == INT64_MAX) /* far more indexes than the image has */
        for (struct z_erofs_lcluster_index *i = indexes + 16;
             (uint8_t *)(i + 1) <= (uint8_t *)craft_block(image, CRAFT_DATA); i++)
            set_nonhead(i, 1, 1);
    check_says(image, compressed[_i].message);
    ck_assert_int_eq(read_file(image, 0, &err), -1);
    ck_assert_int_eq(err.errnum == EUCLEAN || err.errnum == EOPNOTSUPP, 1);
    read_file(image, compressed[_i].size - 100, &err);
    free(image);
}
END_TEST

/* ---- records of whole extents -------------------------------------------------------------- */

static struct z_erofs_map_header *craft_records(struct crafted *image, uint64_t size,
                                                unsigned width, uint32_t count, void **ret)
{
    struct z_erofs_lcluster_index *unused;
    struct z_erofs_map_header *header = craft_compressed(image, size, &unused);
    uintptr_t end = (uint8_t *)(header + 1) - image->bytes;

    craft_super(image)->feature_incompat =
        le32_make(le32_get(craft_super(image)->feature_incompat) | EROFS_FEATURE_INCOMPAT_48BIT);
    craft_super(image)->rootnid_8b = le64_make(0);
    header->h_advise = le16_make(Z_EROFS_ADVISE_EXTENTS | width << Z_EROFS_ADVISE_EXTRECSZ_BIT);
    header->u.h_extents_lo = le32_make(count);
    *ret = image->bytes + ((end + (4u << width) - 1) & ~(uintptr_t)((4u << width) - 1));
    return header;
}

START_TEST(records_of_every_width_are_read)
{
    /* Plain extents of 4096 bytes at blocks 8 and 9: 5,000 bytes of 'x'. */
    for (unsigned width = 0; width < 4; width++) {
        struct crafted *image = craft_new();
        struct romsim_error err = {0};
        uint32_t plen = 4096, second = 904;
        uint8_t *at;
        void *table;

        craft_records(image, 5000, width, 2, &table);
        at = table;
        memset(craft_block(image, 8), 'x', 2 * CRAFT_BLOCK);
        if (width == 0) {
            *(le64 *)at = le64_make(8 * CRAFT_BLOCK);
            ((le32 *)at)[2] = le32_make(plen);
            ((le32 *)at)[3] = le32_make(second);
        } else {
            for (unsigned i = 0; i < 2; i++) {
                le32 *record = (le32 *)(at + i * (4u << width));

                record[0] = le32_make(i ? second : plen);
                record[1] = le32_make((8 + i) * CRAFT_BLOCK);
                if (width > 1)
                    record[3] = le32_make(i * 4096);
            }
        }
        ck_assert_msg(read_file(image, 0, &err) == 5000, "width %u: %s", width, err.message);
        ck_assert_int_eq(read_file(image, 4090, &err), 910);
        ck_assert_int_eq(read_file(image, 10, &err), 4990);
        free(image);
    }
}
END_TEST

START_TEST(bad_records_are_found)
{
    struct crafted *image = craft_new();
    struct z_erofs_extent *records;
    struct romsim_error err = {0};
    void *table;

    craft_records(image, 60000, 3, 3, &table);
    records = table;
    records[0].lstart_lo = le32_make(0);
    records[0].plen = le32_make(1u << 28 | 4096);
    records[0].pstart_lo = le32_make(8 * CRAFT_BLOCK);
    records[1].lstart_lo = le32_make(70000);
    records[2].lstart_lo = le32_make(5000);
    check_says(image, "extents are not in order");
    records[1].lstart_lo = le32_make(1000);
    records[1].plen = le32_make(15u << 28 | 4096);
    check_says(image, "its pcluster begins in the image's first block");
    records[1].pstart_lo = le32_make(9 * CRAFT_BLOCK);
    check_says(image, "which the superblock does not name");
    records[1].plen = le32_make(100);
    check_says(image, "a plain pcluster is shorter");
    records[1].plen = le32_make(1u << 28);
    check_says(image, "a pcluster of zeros only");
    records[0].lstart_lo = le32_make(2000); /* what is before the first one is a hole */
    ck_assert_int_eq(read_file(image, 0, &err), -1);
    free(image);
}
END_TEST

START_TEST(a_file_of_too_many_records_is_bounded)
{
    struct crafted *image = craft_new();
    struct romsim_error err = {0};
    void *table;

    craft_records(image, INT64_MAX, 0, UINT32_MAX, &table);
    check_says(image, "");
    ck_assert_int_eq(read_file(image, INT64_MAX - 10, &err), -1);
    craft_records(image, INT64_MAX, 3, UINT32_MAX, &table);
    ck_assert_int_eq(read_file(image, INT64_MAX - 10, &err), -1);
    free(image);
}
END_TEST

/* ---- compact indexes ----------------------------------------------------------------------- */

START_TEST(compact_indexes_of_noise_do_no_harm)
{
    for (uint32_t seed = 1; seed < 400; seed++) {
        struct crafted *image = craft_new();
        struct z_erofs_lcluster_index *indexes;
        struct z_erofs_map_header *header = craft_compressed(image, 300000, &indexes);
        uint8_t *noise = (uint8_t *)(header + 1);
        uint32_t state = seed * 2654435761u;

        craft_inode(image, 4)->i_format =
            le16_make(EROFS_INODE_LAYOUT_EXTENDED | ROMSIM_EROFS_COMPRESSED_COMPACT
                                                        << EROFS_I_DATALAYOUT_BIT);
        header->h_advise = le16_make(
            (seed & 1) |
            (seed & 2 ? Z_EROFS_ADVISE_BIG_PCLUSTER_1 | Z_EROFS_ADVISE_BIG_PCLUSTER_2 : 0));
        header->b.a.h_clusterbits = seed % 5;
        for (int i = 0; i < 512; i++) {
            state = state * 1664525 + 1013904223;
            noise[i] = state >> 24;
        }
        for (uint64_t offset = 0; offset < 300000; offset += 7777)
            read_file(image, offset, NULL);
        free(image);
    }
}
END_TEST

/* The kernel looks no farther than it has to read: what stands before a damaged index, or in the
 * blocks that a plain pcluster has, is there. */
START_TEST(a_file_is_read_up_to_its_damage)
{
    struct crafted *image = craft_new();
    struct z_erofs_lcluster_index *indexes;
    struct romsim_error err = {0};

    craft_compressed(image, 3 * CRAFT_BLOCK, &indexes);
    memset(craft_block(image, 8), 'x', CRAFT_BLOCK);
    set_head(&indexes[0], Z_EROFS_LCLUSTER_TYPE_PLAIN, 0, 8);
    set_head(&indexes[1], Z_EROFS_LCLUSTER_TYPE_PLAIN, 4096, 9); /* begins beyond the lcluster */
    set_head(&indexes[2], Z_EROFS_LCLUSTER_TYPE_PLAIN, 0, 10);
    ck_assert_int_eq(read_up_to(image, CRAFT_BLOCK, &err), CRAFT_BLOCK);
    ck_assert_int_eq(read_up_to(image, CRAFT_BLOCK + 1, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.message, "begins beyond the lcluster"));
    check_says(image, "begins beyond the lcluster");

    set_head(&indexes[1], Z_EROFS_LCLUSTER_TYPE_PLAIN, 5,
             9); /* the first one's block ends before */
    ck_assert_int_eq(read_up_to(image, CRAFT_BLOCK, &err), CRAFT_BLOCK);
    ck_assert_int_eq(read_up_to(image, CRAFT_BLOCK + 1, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.message, "a plain pcluster is shorter than its extent"));
    check_says(image, "a plain pcluster is shorter than its extent");
    free(image);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("erofs_hostile_z");

    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, bad_indexes_are_found, 0, COMPRESSED);
    tcase_add_test(tcase, a_file_is_read_up_to_its_damage);
    tcase_add_test(tcase, records_of_every_width_are_read);
    tcase_add_test(tcase, bad_records_are_found);
    tcase_add_test(tcase, a_file_of_too_many_records_is_bounded);
    tcase_add_test(tcase, compact_indexes_of_noise_do_no_harm);
    return unit_run_case("erofs_hostile_z", tcase);
}
