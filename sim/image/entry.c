/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * entry.c: an archive's entry becomes an inode and a name of the tree.
 *
 * Names are resolved component by component in the tree: symbolic links of the tree are followed
 * inside the tree, ".." stops at its root, and no path of the host is ever made from them.
 */
#include "sim/image/entry.h"

#include <romsim/text.h>

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* ---- metadata and data ------------------------------------------------------------------ */

/* An entry's xattrs are all that the inode has: what a layer below had given is gone. */
static int set_xattrs(struct romsim_inode *inode, const struct entry *entry,
                      struct romsim_error *err)
{
    romsim_inode_clear_xattrs(inode);
    for (size_t i = 0; i < entry->xattr_count; i++) {
        const struct entry_xattr *xattr = &entry->xattrs[i];

        if (romsim_inode_set_xattr(inode, xattr->name, xattr->value, xattr->size, err) < 0)
            return -1;
    }
    return 0;
}

static void note_lost_acl(struct romsim_inode *inode, const char *path)
{
    struct romsim_tree_notes *notes = romsim_tree_notes(inode->tree);

    if (notes->dropped_acls++ == 0)
        snprintf(notes->dropped_acl, sizeof(notes->dropped_acl), "%s", path);
}

static int set_metadata(struct romsim_inode *inode, const struct entry *entry,
                        struct romsim_error *err)
{
    if (entry->uid < 0 || entry->uid >= UINT32_MAX || entry->gid < 0 || entry->gid >= UINT32_MAX)
        return romsim_error_set(err, EUCLEAN, "the owner %lld:%lld is out of range",
                                (long long)entry->uid, (long long)entry->gid);
    inode->mode = (inode->mode & S_IFMT) | (entry->mode & 07777);
    inode->uid = (uint32_t)entry->uid;
    inode->gid = (uint32_t)entry->gid;
    inode->mtime = entry->mtime;
    inode->mtime_nsec = entry->mtime_nsec;
    inode->implied = false;
    if (entry->lost_acl)
        note_lost_acl(inode, entry->path);
    return set_xattrs(inode, entry, err);
}

static int set_data(struct romsim_inode *inode, const struct entry *entry, struct romsim_error *err)
{
    return romsim_inode_set_extents(inode, entry->size, entry->blob, entry->extents,
                                    entry->extent_count, err);
}

/* What macOS keeps beside a file (its xattrs, resource forks) becomes a file "._NAME" of its own
 * where an archiver of macOS does not put it into headers.  It is kept, as other unpackers do. */
static void note_apple_double(struct romsim_tree *tree, const char *name, const struct entry *entry)
{
    struct romsim_tree_notes *notes = romsim_tree_notes(tree);
    const struct romsim_extent *first = entry->extents;

    if (strncmp(name, "._", 2) != 0 || entry->extent_count == 0 || first->length < 4 ||
        memcmp(romsim_blob_bytes(entry->blob) + first->source_offset, "\0\5\x16\7", 4) != 0)
        return;
    if (notes->apple_doubles++ == 0)
        snprintf(notes->apple_double, sizeof(notes->apple_double), "%s", name);
}

/* ---- places ----------------------------------------------------------------------------- */

/* Where an entry goes. */
struct slot {
    struct romsim_inode *directory; /* NULL: the entry is the root itself */
    const char *name;
    size_t name_size;
    struct romsim_dentry *existing; /* what has the name now, or NULL */
};

static int find_slot(struct romsim_tree *tree, const char *path, unsigned flags, struct slot *ret,
                     struct romsim_error *err)
{
    struct slot slot = {0};

    if (romsim_tree_walk(tree, path, flags, &slot.directory, &slot.name, &slot.name_size, err) < 0)
        return -1;
    if (slot.name_size == 0)
        slot.directory = NULL;
    else
        slot.existing = romsim_tree_child(tree, slot.directory, slot.name, slot.name_size);
    *ret = slot;
    return 0;
}

/* A directory over a directory takes the new metadata and keeps what is in it. */
static int place_directory(struct romsim_tree *tree, const struct slot *slot,
                           const struct entry *entry, struct romsim_error *err)
{
    struct romsim_inode *inode = slot->directory ? NULL : romsim_tree_root(tree);
    struct romsim_dentry *dentry = slot->existing;

    if (dentry && !S_ISDIR(dentry->inode->mode)) {
        romsim_tree_remove(tree, dentry);
        dentry = NULL;
    }
    if (!inode && !dentry)
        dentry = romsim_tree_add(tree, slot->directory, slot->name, slot->name_size, S_IFDIR | 0755,
                                 err);
    if (!inode && !dentry)
        return -1;
    return set_metadata(inode ? inode : dentry->inode, entry, err);
}

/* The target is another entry's name, resolved from the root of the archive. */
static int place_link(struct romsim_tree *tree, const struct slot *slot, const struct entry *entry,
                      struct romsim_error *err)
{
    const char *target = entry->link;
    struct slot source;
    struct romsim_inode *inode;

    if (find_slot(tree, target, 0, &source, err) < 0 || !source.existing) {
        romsim_error_set(err, EUCLEAN, "a hard link to '%s', which is not there", QUOTE(target));
        return romsim_error_hint(err, "a link's target has to come before it, in this archive or "
                                      "in a layer below");
    }
    inode = source.existing->inode;
    if (S_ISDIR(inode->mode))
        return romsim_error_set(err, EUCLEAN, "a hard link to the directory '%s'", QUOTE(target));
    if (!slot->existing || slot->existing->inode != inode) {
        if (slot->existing)
            romsim_tree_remove(tree, slot->existing);
        /* The removal may have taken the target's own folder with it. */
        inode = romsim_tree_lookup(tree, target);
        if (!inode)
            return romsim_error_set(err, EUCLEAN, "a hard link in place of its own target '%s'",
                                    QUOTE(target));
        if (!romsim_tree_link(tree, slot->directory, slot->name, slot->name_size, inode, err))
            return -1;
    }
    /* Some archives (cpio's newc) keep the data with the last of the names. */
    return S_ISREG(inode->mode) && entry->size > 0 ? set_data(inode, entry, err) : 0;
}

static int place_inode(struct romsim_tree *tree, const struct slot *slot, const struct entry *entry,
                       struct romsim_error *err)
{
    const char *target = entry->target ? entry->target : "";
    struct romsim_dentry *dentry;
    struct romsim_inode *inode;

    if (slot->existing)
        romsim_tree_remove(tree, slot->existing);
    dentry = romsim_tree_add(tree, slot->directory, slot->name, slot->name_size, entry->mode, err);
    if (!dentry)
        return -1;
    inode = dentry->inode;
    if (set_metadata(inode, entry, err) < 0)
        return -1;
    switch (inode->mode & S_IFMT) {
    case S_IFREG:
        note_apple_double(tree, dentry->name, entry);
        return set_data(inode, entry, err);
    case S_IFLNK:
        return romsim_inode_set_target(inode, target, strlen(target), err);
    case S_IFBLK:
    case S_IFCHR:
        inode->rdev_major = entry->rdev_major;
        inode->rdev_minor = entry->rdev_minor;
        return 0;
    default:
        return 0;
    }
}

static bool type_is_known(uint32_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
    case S_IFDIR:
    case S_IFLNK:
    case S_IFBLK:
    case S_IFCHR:
    case S_IFIFO:
    case S_IFSOCK:
        return true;
    default:
        return false;
    }
}

int entry_place(struct romsim_tree *tree, const struct entry *entry, struct romsim_error *err)
{
    struct slot slot;

    if (find_slot(tree, entry->path, ROMSIM_WALK_MAKE | ROMSIM_WALK_REPLACE, &slot, err) < 0)
        return -1;
    if (!entry->link && S_ISDIR(entry->mode))
        return place_directory(tree, &slot, entry, err);
    if (!slot.directory)
        return romsim_error_set(err, EUCLEAN, "the root of the archive is no directory");
    if (entry->link)
        return place_link(tree, &slot, entry, err);
    if (!type_is_known(entry->mode))
        return romsim_error_set(err, EUCLEAN, "an unknown type of file (mode %o)", entry->mode);
    return place_inode(tree, &slot, entry, err);
}
