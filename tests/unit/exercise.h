/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * exercise.h: asks an image, however damaged, for everything that the reader and the checker can
 * tell of it.  Used by the mutation test and the fuzzer.  What is read is bounded, so that the
 * time is the reader's and not ours.
 */
#ifndef ROMSIM_TESTS_EXERCISE_H
#define ROMSIM_TESTS_EXERCISE_H

#include <romsim/blob.h>
#include <romsim/erofs.h>
#include <romsim/erofs_check.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { EXERCISE_READ = 65536, EXERCISE_TOTAL = 8 << 20, EXERCISE_XATTRS = 50 };

struct exercise {
    struct romsim_erofs *erofs;
    uint8_t *buffer;  /* EXERCISE_READ bytes */
    uint8_t *scratch; /* a block */
    uint64_t budget;
};

static inline void exercise_read(struct exercise *exercise, const struct romsim_erofs_inode *inode,
                                 uint64_t offset, size_t size)
{
    size_t got;

    if (exercise->budget < size)
        size = 1;
    else
        exercise->budget -= size;
    if (romsim_erofs_read(exercise->erofs, inode, offset, exercise->buffer, size, &got, NULL) ==
            0 &&
        got > size)
        abort();
}

static inline void exercise_map(struct exercise *exercise, const struct romsim_erofs_inode *inode)
{
    struct romsim_blob *blob = romsim_erofs_blob(exercise->erofs);
    uint64_t size, position;
    const uint8_t *bytes;

    if (S_ISREG(inode->mode) && inode->size)
        romsim_erofs_hole(exercise->erofs, inode, inode->size / 2, &size, NULL);
    if (romsim_erofs_map(exercise->erofs, inode, inode->size / 2, 4096, &bytes, &size, &position,
                         NULL) <= 0)
        return;
    if (!size || size > 4096 || position + size > romsim_blob_size(blob) ||
        bytes != romsim_blob_bytes(blob) + position)
        abort();
}

static inline void exercise_directory(struct exercise *exercise,
                                      const struct romsim_erofs_inode *inode)
{
    struct romsim_erofs_dirent entry;
    uint64_t cursor = inode->size / 3, next, nid;

    romsim_erofs_lookup(exercise->erofs, inode, "mixed", 5, &nid, NULL);
    romsim_erofs_lookup(exercise->erofs, inode, "\xff\xff", 2, &nid, NULL);
    for (int i = 0; i < 20; i++, cursor = next) {
        if (romsim_erofs_readdir(exercise->erofs, inode, cursor, &next, &entry, exercise->scratch,
                                 NULL) <= 0)
            return;
        if (next <= cursor || !entry.name_size || entry.name_size > 255)
            abort();
    }
}

static inline void exercise_xattrs(struct exercise *exercise,
                                   const struct romsim_erofs_inode *inode)
{
    struct romsim_xattr xattr;
    uint64_t cursor = 0, before = 0;

    for (size_t i = 0; i < EXERCISE_XATTRS &&
                       romsim_erofs_xattr(exercise->erofs, inode, &cursor, &xattr, NULL) > 0;
         i++, before = cursor) {
        if (cursor <= before)
            abort();
        romsim_xattr_release(&xattr);
    }
}

static inline int exercise_inode(void *context, const char *path,
                                 const struct romsim_erofs_inode *inode)
{
    struct exercise *exercise = context;

    if (path[0] != '/')
        abort();
    exercise_read(exercise, inode, 0, EXERCISE_READ);
    exercise_read(exercise, inode, inode->size > 5000 ? inode->size - 5000 : 1, 4999);
    exercise_read(exercise, inode, inode->size / 2, 100);
    exercise_map(exercise, inode);
    exercise_xattrs(exercise, inode);
    if (S_ISLNK(inode->mode))
        free(romsim_erofs_readlink(exercise->erofs, inode, NULL));
    if (S_ISDIR(inode->mode))
        exercise_directory(exercise, inode);
    return 0;
}

static inline void exercise_super(struct exercise *exercise)
{
    struct romsim_erofs_super super;
    const char *meaning;
    bool incompatible;
    size_t index = 0;

    romsim_erofs_super(exercise->erofs, &super);
    while (romsim_erofs_feature(&super, index, &meaning, &incompatible))
        index++;
}

/* A walk that goes on past what is damaged ends, too, with the budget at the latest. */
static inline void exercise_walker(struct exercise *exercise)
{
    struct romsim_erofs_budget budget;
    struct romsim_erofs_walker *walker;
    struct romsim_erofs_step step;
    struct romsim_erofs_inode root;
    int found;

    if (romsim_erofs_inode(exercise->erofs, romsim_erofs_root(exercise->erofs), &root, NULL) < 0)
        return;
    romsim_erofs_budget_init(&budget, exercise->erofs);
    walker = romsim_erofs_walker_new(exercise->erofs, &root, "", &budget, NULL);
    while (walker && (found = romsim_erofs_walker_next(walker, &step, NULL)) > 0) {
        romsim_erofs_walker_is_last(walker);
        if (found == 1 && exercise_inode(exercise, step.path, &step.inode))
            break;
    }
    romsim_erofs_walker_free(walker);
}

/* Returns what romsim_erofs_check() returned; *ret_read (may be NULL) is how many bytes of files
 * were asked for. */
static inline int exercise_blob(struct romsim_blob *blob, uint64_t *ret_read)
{
    /* Not allocated: to poison them each time would cost ASan more than most images do. */
    static uint8_t buffer[EXERCISE_READ], scratch[ROMSIM_EROFS_BLOCK_MAX];
    struct exercise exercise = {
        .erofs = romsim_erofs_open(blob, NULL),
        .buffer = buffer,
        .scratch = scratch,
        .budget = EXERCISE_TOTAL,
    };
    struct romsim_erofs_super super;
    uint32_t checksum;
    int result;

    romsim_erofs_peek(blob, &super, NULL);
    romsim_erofs_checksum(blob, &checksum);
    if (exercise.erofs)
        exercise_walker(&exercise);
    result = romsim_erofs_check(blob, NULL, NULL, NULL, NULL);
    romsim_erofs_cloud_warnings(blob, NULL, NULL, NULL);
    if (exercise.erofs)
        exercise_super(&exercise);
    romsim_erofs_close(exercise.erofs);
    if (ret_read)
        *ret_read = EXERCISE_TOTAL - exercise.budget;
    return result;
}

static inline int exercise_image(const void *bytes, size_t size)
{
    struct romsim_blob *blob = romsim_blob_from_bytes(bytes, size, NULL);
    int result;

    if (!blob)
        abort();
    result = exercise_blob(blob, NULL);
    romsim_blob_unref(blob);
    return result;
}

#endif
