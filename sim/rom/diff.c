/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * diff.c: what differs between two images' trees.
 *
 * Theory of operation: both walks go the same way (by name, directory by directory), so one pass
 * over both finds what is only in one of them.  A side whose name was given to the caller is
 * `used`, and moves on when the next difference is asked for.
 *
 * What is damaged cannot be compared.  Unless the comparison is to be kept going, the first damage
 * ends it.  Else a name of one image whose directory is damaged in the other, at that place (the
 * gap), is neither added nor removed but unknown.
 */
#include "sim/rom/diff.h"

#include <romsim/checked.h>
#include <romsim/rom_diff.h>
#include <romsim/text.h>

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define NO_GAP UINT_MAX

struct side {
    struct romsim_rom_look *look;
    struct romsim_rom_walk walk;
    struct romsim_erofs_step step; /* the name that is to be compared next, */
    bool has_step;                 /* if there is one, */
    bool is_damaged;               /* and whether its inode cannot be read */
    unsigned gap;                  /* before it: the depth of a damaged directory, or NO_GAP */
    bool is_used;
};

struct romsim_rom_diff {
    struct side sides[2];
    struct romsim_rom_diff_options options;
    struct diff_data data;
    bool is_begun, is_over;
    int culprit;
    char *targets[2]; /* of the difference that the caller has */
    struct romsim_rom_xattrs xattrs[2];
};

static void xattrs_release(struct romsim_rom_xattrs *xattrs)
{
    for (size_t i = 0; i < xattrs->count; i++)
        romsim_xattr_release(&xattrs->items[i]);
    free(xattrs->items);
    *xattrs = (struct romsim_rom_xattrs){0};
}

/* Frees what the last difference pointed to. */
static void forget_difference(struct romsim_rom_diff *diff)
{
    for (int i = 0; i < 2; i++) {
        xattrs_release(&diff->xattrs[i]);
        free(diff->targets[i]);
        diff->targets[i] = NULL;
    }
}

/* ---- one file ----------------------------------------------------------------------------- */

static bool equal_xattrs(const struct romsim_xattr *a, const struct romsim_xattr *b)
{
    return strcmp(a->name, b->name) == 0 && a->value_size == b->value_size &&
           memcmp(a->value, b->value, a->value_size) == 0;
}

static int pay_xattr(struct romsim_rom_diff *diff, const struct romsim_xattr *xattr,
                     struct romsim_error *err)
{
    return romsim_erofs_budget_pay(diff->sides[0].look->budget,
                                   strlen(xattr->name) + xattr->value_size, err);
}

/* Do they have the same xattrs in the same order?  A damaged list is the same as none. */
static int same_xattrs(struct romsim_rom_diff *diff, const struct romsim_erofs_inode inodes[2],
                       bool *ret_same, struct romsim_error *err)
{
    uint64_t cursors[2] = {0, 0};
    int found[2];

    do {
        struct romsim_xattr xattrs[2] = {0};
        int paid = 0;

        for (int i = 0; i < 2; i++) {
            found[i] = romsim_erofs_xattr(diff->sides[i].look->erofs, &inodes[i], &cursors[i],
                                          &xattrs[i], NULL);
            if (found[i] > 0 && paid == 0)
                paid = pay_xattr(diff, &xattrs[i], err);
        }
        *ret_same = found[0] >= 0 && found[0] == found[1] &&
                    (!found[0] || equal_xattrs(&xattrs[0], &xattrs[1]));
        romsim_xattr_release(&xattrs[0]);
        romsim_xattr_release(&xattrs[1]);
        if (paid < 0)
            return -1;
    } while (*ret_same && found[0]);
    return 0;
}

/* All of one inode's xattrs.  Returns 0, or -1 with what is damaged or out of budget. */
static int load_xattrs(struct romsim_rom_diff *diff, int side,
                       const struct romsim_erofs_inode *inode, struct romsim_error *err)
{
    struct romsim_rom_xattrs *xattrs = &diff->xattrs[side];
    struct romsim_xattr xattr;
    uint64_t cursor = 0;
    size_t room = 0;
    int found;

    while ((found = romsim_erofs_xattr(diff->sides[side].look->erofs, inode, &cursor, &xattr,
                                       err)) > 0) {
        void *items = xattrs->items;

        if (pay_xattr(diff, &xattr, err) < 0) {
            romsim_xattr_release(&xattr);
            return -1;
        }
        if (xattrs->count == room &&
            romsim_vector_grow(&items, xattrs->count, &room, sizeof(xattr)) < 0) {
            romsim_xattr_release(&xattr);
            return romsim_error_nomem(err);
        }
        xattrs->items = items;
        xattrs->items[xattrs->count++] = xattr;
    }
    return found < 0 ? romsim_error_context(err, "xattrs") : 0;
}

static int compare_xattr_places(const void *left, const void *right)
{
    const struct romsim_xattr *a = *(struct romsim_xattr *const *)left;
    const struct romsim_xattr *b = *(struct romsim_xattr *const *)right;
    size_t size = a->value_size < b->value_size ? a->value_size : b->value_size;
    int order = strcmp(a->name, b->name);

    if (order == 0)
        order = memcmp(a->value, b->value, size);
    return order ? order : (a->value_size > b->value_size) - (a->value_size < b->value_size);
}

static const struct romsim_xattr **sorted_xattrs(const struct romsim_rom_xattrs *xattrs)
{
    const struct romsim_xattr **sorted = calloc(xattrs->count + 1, sizeof(*sorted));

    for (size_t i = 0; sorted && i < xattrs->count; i++)
        sorted[i] = &xattrs->items[i];
    if (sorted)
        qsort(sorted, xattrs->count, sizeof(*sorted), compare_xattr_places);
    return sorted;
}

/* Are they the same in whatever order?  1, 0 or -1. */
static int same_xattr_sets(const struct romsim_rom_xattrs xattrs[2], struct romsim_error *err)
{
    CLEANUP_FREE const struct romsim_xattr **a = sorted_xattrs(&xattrs[0]);
    CLEANUP_FREE const struct romsim_xattr **b = sorted_xattrs(&xattrs[1]);

    if (!a || !b)
        return romsim_error_nomem(err);
    for (size_t i = 0; xattrs[0].count == xattrs[1].count && i < xattrs[0].count; i++)
        if (!equal_xattrs(a[i], b[i]))
            return 0;
    return xattrs[0].count == xattrs[1].count;
}

static int compare_xattrs(struct romsim_rom_diff *diff, const struct romsim_erofs_inode inodes[2],
                          unsigned *changes, struct romsim_error *err)
{
    bool same = true;
    int found;

    if (same_xattrs(diff, inodes, &same, err) < 0)
        return -1;
    if (same)
        return 0;
    for (int i = 0; i < 2; i++) {
        diff->culprit = i;
        if (inodes[i].xattr_size && load_xattrs(diff, i, &inodes[i], err) < 0)
            return -1;
    }
    found = same_xattr_sets(diff->xattrs, err);
    if (found == 0)
        *changes |= ROMSIM_ROM_XATTRS;
    return found < 0 ? -1 : 0;
}

static int compare_targets(struct romsim_rom_diff *diff, const struct romsim_erofs_inode inodes[2],
                           unsigned *changes, struct romsim_error *err)
{
    for (int i = 0; i < 2; i++) {
        diff->culprit = i;
        diff->targets[i] = romsim_erofs_readlink(diff->sides[i].look->erofs, &inodes[i], err);
        if (!diff->targets[i])
            return -1;
    }
    if (strcmp(diff->targets[0], diff->targets[1]) != 0)
        *changes |= ROMSIM_ROM_TARGET;
    return 0;
}

static int compare_content(struct romsim_rom_diff *diff, const struct romsim_erofs_inode inodes[2],
                           unsigned *changes, struct romsim_error *err)
{
    bool same = true;

    if (diff_data_same(&diff->data, inodes, &same, err) < 0) {
        diff->culprit = diff->data.culprit;
        return -1;
    }
    if (!same)
        *changes |= ROMSIM_ROM_CONTENT;
    return 0;
}

/* Compares two files that have an inode.  Returns 0, or -1 and the culprit of damage is set. */
static int compare_inodes(struct romsim_rom_diff *diff, const struct romsim_erofs_inode inodes[2],
                          unsigned *ret_changes, struct romsim_error *err)
{
    const struct romsim_erofs_inode *a = &inodes[0], *b = &inodes[1];
    bool same_type = ((a->mode ^ b->mode) & S_IFMT) == 0;
    bool is_device = S_ISCHR(a->mode) || S_ISBLK(a->mode);
    unsigned changes = 0;

    if (same_type && S_ISREG(a->mode) && compare_content(diff, inodes, &changes, err) < 0)
        return -1;
    if (!same_type)
        changes |= ROMSIM_ROM_TYPE;
    if ((a->mode ^ b->mode) & 07777)
        changes |= ROMSIM_ROM_MODE;
    if (a->uid != b->uid || a->gid != b->gid)
        changes |= ROMSIM_ROM_OWNER;
    if (a->mtime != b->mtime || a->mtime_nsec != b->mtime_nsec)
        changes |= ROMSIM_ROM_TIME;
    if (!S_ISDIR(a->mode) && !S_ISDIR(b->mode) && a->links != b->links)
        changes |= ROMSIM_ROM_LINKS;
    if (same_type && is_device && a->rdev != b->rdev)
        changes |= ROMSIM_ROM_DEVICE;
    if ((a->xattr_size || b->xattr_size) && compare_xattrs(diff, inodes, &changes, err) < 0)
        return -1;
    if (same_type && S_ISLNK(a->mode) && compare_targets(diff, inodes, &changes, err) < 0)
        return -1;
    *ret_changes = changes;
    return 0;
}

/* ---- both trees --------------------------------------------------------------------------- */

/* Damage at `path` of one image: 0 if the comparison is to be kept going, else -1 with *err. */
static int meet_damage(struct romsim_rom_diff *diff, int side, const char *path,
                       struct romsim_error *err)
{
    diff->culprit = side;
    if (!diff->options.keep_going)
        return romsim_error_context(err, "%s", QUOTE(path));
    romsim_rom_damaged(diff->sides[side].look, path, err);
    return 0;
}

/* Moves one side to its next name. */
static int advance(struct romsim_rom_diff *diff, int index, struct romsim_error *err)
{
    struct side *side = &diff->sides[index];

    side->is_used = false;
    side->gap = NO_GAP;
    for (;;) {
        int found = romsim_erofs_walker_next(side->walk.walker, &side->step, err);

        side->has_step = found > 0;
        side->is_damaged = found == ROMSIM_EROFS_DAMAGED;
        if (found < 0) {
            diff->culprit = index;
            return -1;
        }
        if (!side->is_damaged)
            return 0;
        if (meet_damage(diff, index, side->step.path, err) < 0)
            return -1;
        if (side->step.is_name)
            return 0;
        side->gap = min_u64(side->gap, side->step.depth);
    }
}

/* Which comes first in a walk?  What lies deeper than where the other one is. */
static int compare_steps(const struct side sides[2])
{
    const struct romsim_erofs_step *a = &sides[0].step, *b = &sides[1].step;

    if (!sides[0].has_step || !sides[1].has_step)
        return (int)!sides[0].has_step - (int)!sides[1].has_step;
    if (a->depth != b->depth)
        return a->depth > b->depth ? -1 : 1;
    return strcmp(a->name, b->name);
}

static int one_sided(struct romsim_rom_diff *diff, int index, struct romsim_rom_difference *ret)
{
    struct side *side = &diff->sides[index], *other = &diff->sides[!index];
    bool is_unknown = other->gap != NO_GAP && side->step.depth > other->gap;

    if (!is_unknown) /* the walk has left what is damaged */
        other->gap = NO_GAP;
    *ret = (struct romsim_rom_difference){
        .kind = is_unknown ? ROMSIM_ROM_UNKNOWN
                : index    ? ROMSIM_ROM_ADDED
                           : ROMSIM_ROM_REMOVED,
        .path = side->step.path,
        .side = index,
        .is_damaged = side->is_damaged,
    };
    ret->inodes[index] = side->step.inode;
    side->is_used = true;
    return 1;
}

/* Compares a name that both have.  1 if it differs, 0, or -1. */
static int two_sided(struct romsim_rom_diff *diff, struct romsim_rom_difference *ret,
                     struct romsim_error *err)
{
    struct side *sides = diff->sides;
    struct romsim_rom_difference found = {
        .kind = ROMSIM_ROM_CHANGED,
        .path = sides[0].step.path,
        .inodes = {sides[0].step.inode, sides[1].step.inode},
    };

    sides[0].is_used = sides[1].is_used = true;
    if (sides[0].is_damaged || sides[1].is_damaged)
        return 0;
    diff->culprit = 0;
    if (compare_inodes(diff, found.inodes, &found.changes, err) < 0) {
        if (romsim_rom_is_damage(err))
            return meet_damage(diff, diff->culprit, found.path, err);
        diff->culprit = -1;
        return romsim_error_context(err, "%s", QUOTE(found.path));
    }
    if (!found.changes)
        return 0;
    if (found.changes & ROMSIM_ROM_TARGET)
        memcpy(found.targets, diff->targets, sizeof(found.targets));
    if (found.changes & ROMSIM_ROM_XATTRS)
        memcpy(found.xattrs, diff->xattrs, sizeof(found.xattrs));
    *ret = found;
    return 1;
}

/* Moves on what the last difference was about. */
static int advance_used(struct romsim_rom_diff *diff, struct romsim_error *err)
{
    struct side *sides = diff->sides;
    bool are_both = sides[0].is_used && sides[1].is_used;

    for (int i = 0; i < 2; i++) {
        bool leaves_gap = are_both && sides[i].is_damaged;
        unsigned depth = sides[i].step.depth;

        if (!sides[i].is_used)
            continue;
        if (advance(diff, i, err) < 0)
            return -1;
        if (leaves_gap)
            sides[i].gap = min_u64(sides[i].gap, depth);
    }
    return 0;
}

static int begin(struct romsim_rom_diff *diff, struct romsim_error *err)
{
    diff->is_begun = true;
    for (int i = 0; i < 2; i++) {
        diff->culprit = -1;
        if (romsim_rom_walk_open(diff->sides[i].look, NULL, &diff->sides[i].walk, err) < 0 ||
            advance(diff, i, err) < 0)
            return -1;
    }
    return 0;
}

/* As romsim_rom_diff_next(), with an error that is there. */
static int next_difference(struct romsim_rom_diff *diff, struct romsim_rom_difference *ret,
                           struct romsim_error *err)
{
    const struct side *sides = diff->sides;
    int order = 0, found;

    if (!diff->is_begun) { /* the roots, whatever they are */
        found = begin(diff, err) < 0 ? -1 : two_sided(diff, ret, err);
        if (found != 0)
            return found;
    }
    do {
        forget_difference(diff);
        if (advance_used(diff, err) < 0)
            return -1;
        if (!sides[0].has_step && !sides[1].has_step)
            return 0;
        order = compare_steps(sides);
        found = order ? one_sided(diff, order > 0, ret) : two_sided(diff, ret, err);
    } while (found == 0);
    return found;
}

int romsim_rom_diff_next(struct romsim_rom_diff *diff, struct romsim_rom_difference *ret,
                         struct romsim_error *err)
{
    struct romsim_error error = {0};
    int found;

    if (diff->is_over)
        return 0;
    found = next_difference(diff, ret, &error);
    if (found <= 0)
        diff->is_over = true;
    if (found < 0 && err)
        *err = error;
    return found;
}

int romsim_rom_diff_culprit(const struct romsim_rom_diff *diff)
{
    return diff->culprit;
}

/* ---- making one --------------------------------------------------------------------------- */

/* One budget, since both are looked at together. */
static void share_budget(struct romsim_rom_look *a, struct romsim_rom_look *b, bool no_limit)
{
    uint64_t sum;

    a->budget->left =
        !no_limit && checked_add(a->budget->left, b->budget->left, &sum) ? sum : UINT64_MAX;
    b->budget = a->budget;
}

struct romsim_rom_diff *romsim_rom_diff_new(struct romsim_rom_look *old_look,
                                            struct romsim_rom_look *new_look,
                                            const struct romsim_rom_diff_options *options,
                                            struct romsim_error *err)
{
    const struct romsim_blob *a = romsim_erofs_blob(old_look->erofs);
    const struct romsim_blob *b = romsim_erofs_blob(new_look->erofs);
    uint64_t size = romsim_blob_size(a);
    CLEANUP_ROM_DIFF struct romsim_rom_diff *diff = calloc(1, sizeof(*diff));

    if (!diff) {
        romsim_error_nomem(err);
        return NULL;
    }
    diff->options = *options;
    diff->sides[0].look = old_look;
    diff->sides[1].look = new_look;
    diff->is_over = size == romsim_blob_size(b) &&
                    memcmp(romsim_blob_bytes(a), romsim_blob_bytes(b), size) == 0;
    share_budget(old_look, new_look, options->no_limit);
    if (diff_data_init(&diff->data, old_look->erofs, new_look->erofs,
                       options->no_limit ? UINT64_MAX
                                         : romsim_rom_limit(size + romsim_blob_size(b))) < 0) {
        romsim_error_nomem(err);
        return NULL;
    }
    return STEAL_POINTER(&diff);
}

void romsim_rom_diff_free(struct romsim_rom_diff *diff)
{
    if (!diff)
        return;
    forget_difference(diff);
    romsim_rom_walk_close(&diff->sides[0].walk);
    romsim_rom_walk_close(&diff->sides[1].walk);
    diff_data_release(&diff->data);
    free(diff);
}
