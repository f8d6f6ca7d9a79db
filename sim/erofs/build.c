/* SPDX-License-Identifier: BSD-3-Clause */
/* build.c: from a tree to an image that has been read back. */
#include "sim/erofs/write.h"

#include <romsim/checked.h>
#include <romsim/erofs.h>

/* Images up to this size live in memory only, and die with the process, if they are not much larger
 * than what is in them: a directory of no bytes takes a block. */
#define MEMFD_MAX        (UINT64_C(64) << 20)
#define MEMFD_BESIDE_MAX (UINT64_C(2) << 20)

enum { DIGEST_APART_MIN = 4 << 20 };

/* Looks at no less than the image's size: a block and an inode more than its data for everything.
 */
static bool is_small(const struct romsim_tree *tree)
{
    uint64_t data = 0, beside = 0;

    for (const struct romsim_inode *inode = romsim_tree_next_inode(tree, NULL); inode;
         inode = romsim_tree_next_inode(tree, inode)) {
        if (!checked_add(data, inode->size, &data) || data > MEMFD_MAX)
            return false;
        beside += 4096 + inode->links * 64 + inode->child_count * 32;
    }
    return data + beside <= MEMFD_MAX && beside <= data + MEMFD_BESIDE_MAX;
}

static void *compute_digest(void *blob)
{
    romsim_blob_sha256_hex(blob);
    return NULL;
}

/* Everybody asks for a built image's digest: it is computed while the image is read back. */
static int verify(struct romsim_tree *tree, struct romsim_erofs_sums *sums,
                  struct romsim_blob *blob, struct romsim_error *err)
{
    pthread_t thread;
    bool has_thread;
    int result;

    if (romsim_blob_size(blob) < DIGEST_APART_MIN || romsim_blob_is_mostly_hole(blob))
        return romsim_erofs_verify_sums(tree, sums, blob, err);
    has_thread = erofs_thread_start(&thread, compute_digest, blob);
    result = romsim_erofs_verify_sums(tree, sums, blob, err);
    if (has_thread)
        pthread_join(thread, NULL);
    return result;
}

struct romsim_blob *romsim_erofs_build_fd(struct romsim_tree *tree,
                                          const struct romsim_erofs_options *options, int taken_fd,
                                          struct romsim_erofs_result *ret, struct romsim_error *err)
{
    CLEANUP_FD int fd = taken_fd;
    CLEANUP_EROFS_SUMS struct romsim_erofs_sums *sums = NULL;
    CLEANUP_BLOB struct romsim_blob *blob = NULL;
    struct romsim_erofs_options with_sums = {0};
    struct romsim_erofs_result result;

    if (options)
        with_sums = *options;
    if (!with_sums.no_verify)
        with_sums.sums = sums = romsim_erofs_sums_new();
    if (!with_sums.no_verify && !sums) {
        romsim_error_nomem(err);
        return NULL;
    }
    if (romsim_erofs_write(tree, &with_sums, fd, &result, err) < 0)
        return NULL;
    blob = romsim_blob_take_fd(steal_fd(&fd), err);
    if (!blob || (sums && verify(tree, sums, blob, err) < 0))
        return NULL;
    if (ret)
        *ret = result;
    return STEAL_POINTER(&blob);
}

struct romsim_blob *romsim_erofs_build(struct romsim_tree *tree,
                                       const struct romsim_erofs_options *options,
                                       struct romsim_erofs_result *ret, struct romsim_error *err)
{
    int fd = is_small(tree) ? romsim_blob_scratch_memfd(err) : romsim_blob_scratch_file(err);

    return fd < 0 ? NULL : romsim_erofs_build_fd(tree, options, fd, ret, err);
}
