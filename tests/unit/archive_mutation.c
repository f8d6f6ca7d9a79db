/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * archive_mutation.c: every small archive of the fuzzer's seeds, damaged thousands of times in ways
 * that are the same each run: it becomes a tree whose every file can be read, or it is refused with
 * a message; it never crashes, and the tree stays within its limits.
 */
#include <romsim/paths.h>

#include "tars.h"

#include <dirent.h>
#include <fcntl.h>

enum { ROUNDS = 1000, SEED_MAX = 1 << 17, CORPUS_MAX = 64 };

static const char corpus[] = "tests/fuzz/corpus/archive";

struct seed {
    char name[64];
    uint8_t *bytes;
    size_t size;
};

static struct seed seeds[CORPUS_MAX];
static size_t seed_count;

static void load_seeds(void)
{
    DIR *directory = opendir(corpus);
    const struct dirent *entry;

    ck_assert_ptr_nonnull(directory);
    while ((entry = readdir(directory)) && seed_count < CORPUS_MAX) {
        CLEANUP_FREE char *path = romsim_path_join(corpus, entry->d_name);
        CLEANUP_BLOB struct romsim_blob *blob =
            entry->d_name[0] == '.' ? NULL : romsim_blob_snapshot(path, NULL);
        struct seed *seed = &seeds[seed_count];

        if (!blob || romsim_blob_size(blob) > SEED_MAX)
            continue;
        seed->size = romsim_blob_size(blob);
        seed->bytes = malloc(seed->size + 1);
        ck_assert_ptr_nonnull(seed->bytes);
        memcpy(seed->bytes, romsim_blob_bytes(blob), seed->size);
        snprintf(seed->name, sizeof(seed->name), "%.60s", entry->d_name);
        seed_count++;
    }
    closedir(directory);
    ck_assert_uint_ge(seed_count, 5);
}

/* Marsaglia's xorshift: the same sequence everywhere. */
static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static size_t damage(const struct seed *seed, uint8_t *ret, uint32_t *random)
{
    size_t size = seed->size;
    unsigned count = 1 + next_random(random) % 4;

    memcpy(ret, seed->bytes, size);
    while (count-- > 0) {
        size_t at = next_random(random) % size;

        switch (next_random(random) % 5) {
        case 0:
            ret[at] ^= (uint8_t)(1u << next_random(random) % 8);
            break;
        case 1:
            ret[at] = (uint8_t)next_random(random);
            break;
        case 2: /* what numbers are made of in tar and cpio */
            ret[at] = (uint8_t) "01234567 -\xff\x80"[next_random(random) % 12];
            break;
        case 3: /* a piece over another */
            memmove(ret + at, seed->bytes + next_random(random) % (seed->size - at + 1) / 2,
                    (size - at) / 8);
            break;
        default:
            size = at + 1;
        }
    }
    return size;
}

static void read_files(const struct romsim_tree *tree)
{
    const struct romsim_inode *inode = NULL;
    char bytes[512];

    while ((inode = romsim_tree_next_inode(tree, inode))) {
        if (!S_ISREG(inode->mode) || inode->size == 0)
            continue;
        ck_assert_int_eq(
            romsim_inode_read(inode, 0, bytes, inode->size < 512 ? inode->size : 512, NULL), 0);
        ck_assert_int_eq(romsim_inode_read(inode, inode->size - 1, bytes, 1, NULL), 0);
    }
}

static void try(const uint8_t *bytes, size_t size, const char *name, unsigned round)
{
    const struct romsim_tree_limits limits = {.inodes = 5000, .data_bytes = 1 << 30, .depth = 64};
    CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(&limits);
    CLEANUP_BLOB struct romsim_blob *blob = romsim_blob_from_bytes(bytes, size, NULL);
    struct romsim_error err = {0};

    ck_assert(tree && blob);
    for (int layer = 0; layer < 2; layer++)
        if (romsim_tree_add_archive(tree, blob, layer, "damaged", &err) < 0)
            ck_assert_msg(err.message[0] != '\0', "%s, round %u: no message", name, round);
    ck_assert_uint_le(romsim_tree_inode_count(tree), limits.inodes);
    read_files(tree);
}

START_TEST(a_damaged_archive_is_a_tree_or_an_error)
{
    static uint8_t damaged[SEED_MAX];
    uint32_t random = 2463534242;

    tars_enter();
    load_seeds();
    for (size_t i = 0; i < seed_count; i++) {
        try(seeds[i].bytes, seeds[i].size, seeds[i].name, 0);
        for (unsigned round = 1; round <= ROUNDS; round++)
            try(damaged, damage(&seeds[i], damaged, &random), seeds[i].name, round);
        free(seeds[i].bytes);
    }
    tars_leave();
}
END_TEST

UNIT_MAIN("archive_mutation", a_damaged_archive_is_a_tree_or_an_error)
