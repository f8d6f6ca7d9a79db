/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * damage.h: where an EROFS image keeps its metadata, and how to damage it.  Used by the mutation
 * test and the fuzzer: most bytes of an image are files' data, and damage to them shows nothing.
 *
 * The spots of an image are found by a walk over it, so they are as good as what can still be read.
 */
#ifndef ROMSIM_TESTS_DAMAGE_H
#define ROMSIM_TESTS_DAMAGE_H

#include "sim/erofs/format.h"

#include <romsim/blob.h>
#include <romsim/digest.h>
#include <romsim/erofs.h>
#include <sys/stat.h>

enum { SPOTS_MAX = 1024, SPOT_TAIL = 64, SPOT_SUPER = 192 };

/* ---- numbers -------------------------------------------------------------------------------- */

/* xorshift64*: the same numbers everywhere.  The state must not be 0. */
static inline uint64_t damage_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545F4914F6CDD1D);
}

static inline uint64_t damage_below(uint64_t *state, uint64_t limit)
{
    return limit ? damage_random(state) % limit : 0;
}

static inline uint64_t damage_interesting(uint64_t *state)
{
    static const uint64_t values[] = {
        0,    1,      2,      0x7f,       0x80,       0xff,       0x7fff,         0xffff,
        4095, 0x1000, 0x8000, 0x7fffffff, 0x80000000, 0xffffffff, UINT64_MAX / 2, UINT64_MAX,
    };

    return values[damage_below(state, sizeof(values) / sizeof(values[0]))];
}

/* ---- where to hit --------------------------------------------------------------------------- */

struct spot {
    uint64_t offset;
    uint64_t length;
};

struct spots {
    struct spot items[SPOTS_MAX];
    size_t count;
    uint64_t size; /* of the image */
    unsigned block_bits;
};

static inline void spots_add(struct spots *spots, uint64_t offset, uint64_t length)
{
    if (spots->count == SPOTS_MAX || offset >= spots->size || length == 0)
        return;
    if (length > spots->size - offset)
        length = spots->size - offset;
    spots->items[spots->count++] = (struct spot){offset, length};
}

/* The inode, its xattrs, what follows them (a map header and indexes, chunks, inline data), and the
 * first block of a directory. */
static inline int spots_add_inode(void *context, const char *path,
                                  const struct romsim_erofs_inode *inode)
{
    uint64_t head =
        inode->extended ? sizeof(struct erofs_inode_extended) : sizeof(struct erofs_inode_compact);
    struct spots *spots = context;

    (void)path;
    if (inode->nid >> EROFS_DIRENT_NID_METABOX_BIT)
        return 0;
    spots_add(spots, inode->offset, head);
    spots_add(spots, inode->offset + head, inode->xattr_size);
    spots_add(spots, inode->data_start, SPOT_TAIL);
    if (S_ISDIR(inode->mode) && inode->start < UINT32_MAX)
        spots_add(spots, inode->start << spots->block_bits, inode->size);
    return spots->count == SPOTS_MAX;
}

static inline void spots_add_nid(struct romsim_erofs *erofs, struct spots *spots, uint64_t nid)
{
    struct romsim_erofs_inode inode;

    if (nid && romsim_erofs_inode(erofs, nid, &inode, NULL) == 0)
        spots_add_inode(spots, "", &inode);
}

/* Returns 0, or -1 if the bytes are not even an image; the superblock is a spot in any case. */
static inline int spots_find(const uint8_t *bytes, uint64_t size, struct spots *ret)
{
    struct romsim_blob *blob = romsim_blob_from_bytes(bytes, size, NULL);
    struct romsim_erofs *erofs = blob ? romsim_erofs_open(blob, NULL) : NULL;
    struct romsim_erofs_super super;

    ret->count = 0;
    ret->size = size;
    spots_add(ret, EROFS_SUPER_OFFSET, SPOT_SUPER);
    if (erofs) {
        romsim_erofs_super(erofs, &super);
        ret->block_bits = super.block_bits;
        spots_add_nid(erofs, ret, super.packed_nid);
        spots_add_nid(erofs, ret, super.metabox_nid);
        if (super.xattr_block)
            spots_add(ret, super.xattr_block << super.block_bits, 2 * SPOT_TAIL);
        romsim_erofs_walk(erofs, spots_add_inode, ret, NULL);
    }
    romsim_erofs_close(erofs);
    romsim_blob_unref(blob);
    return erofs ? 0 : -1;
}

/* The superblock now and then, else any. */
static inline const struct spot *spots_pick(const struct spots *spots, uint64_t *state)
{
    return &spots->items[damage_below(state, 12) == 0 ? 0 : damage_below(state, spots->count)];
}

/* ---- how to hit ----------------------------------------------------------------------------- */

static inline void damage_put(uint8_t *bytes, size_t size, uint64_t at, uint64_t value,
                              size_t width)
{
    for (size_t i = 0; i < width && at + i < size; i++)
        bytes[at + i] = value >> 8 * i;
}

static inline void damage_at(uint8_t *bytes, size_t size, uint64_t at, const struct spots *spots,
                             uint64_t *state)
{
    size_t width = (size_t)1 << damage_below(state, 4);
    uint64_t from;

    switch (damage_below(state, 6)) {
    case 0:
        bytes[at] ^= 1 << damage_below(state, 8);
        break;
    case 1:
        damage_put(bytes, size, at, damage_random(state), 1);
        break;
    case 2:
        damage_put(bytes, size, at & ~UINT64_C(1), damage_random(state), width);
        break;
    case 3:
        damage_put(bytes, size, at & ~(uint64_t)(width - 1), damage_interesting(state), width);
        break;
    case 4: /* something of the same kind from elsewhere */
        from = spots_pick(spots, state)->offset;
        for (size_t i = 0; i < 32 && at + i < size && from + i < size; i++)
            bytes[at + i] = bytes[from + i];
        break;
    default:
        damage_put(bytes, size, at, bytes[at] + (damage_below(state, 2) ? 1 : -1), 1);
    }
}

/* One damage, of the metadata mostly. */
static inline void damage(uint8_t *bytes, size_t size, const struct spots *spots, uint64_t *state)
{
    const struct spot *spot = spots_pick(spots, state);
    uint64_t at = damage_below(state, 5) ? spot->offset + damage_below(state, spot->length)
                                         : damage_below(state, size);

    damage_at(bytes, size, at, spots, state);
}

/* Without a right checksum nothing behind the superblock would ever be looked at. */
static inline void damage_fix_checksum(uint8_t *bytes, size_t size)
{
    struct erofs_super_block *super = (struct erofs_super_block *)(bytes + EROFS_SUPER_OFFSET);
    size_t length;

    if (size < EROFS_SUPER_OFFSET + sizeof(*super))
        return;
    length = (size_t)1 << (super->blkszbits & 31);
    if (length > EROFS_SUPER_OFFSET)
        length -= EROFS_SUPER_OFFSET;
    if (length < sizeof(*super) || EROFS_SUPER_OFFSET + length > size)
        return;
    super->checksum = le32_make(0);
    super->checksum = le32_make(romsim_crc32c(~UINT32_C(0), (const uint8_t *)super, length));
}

#endif
