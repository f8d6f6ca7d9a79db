/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * directory.c: a directory of the host as a tree.
 *
 * The walk is hostdir.h's, and keeps to what is beneath the directory, even when somebody moves
 * things meanwhile.  Inodes with several names are joined by device and inode number.
 */
#include <romsim/hostdir.h>
#include <romsim/image.h>
#include <romsim/text.h>

#include "sim/image/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <search.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

/* An inode of the host with more than one name. */
struct linked {
    dev_t device;
    ino_t number;
    struct romsim_inode *inode;
};

struct walk {
    struct romsim_tree *tree;
    struct romsim_hostdir *root;
    enum romsim_owners owners;
    void *linked;                        /* a tsearch() tree of struct linked */
    struct directory_identity *identity; /* or NULL */
};

static void walk_release(struct walk *walk)
{
    tdestroy(walk->linked, free);
    romsim_hostdir_unref(walk->root);
}
#define CLEANUP_WALK CLEANUP(walk_release)

static int compare_linked(const void *a, const void *b)
{
    const struct linked *x = a, *y = b;

    if (x->device != y->device)
        return x->device < y->device ? -1 : 1;
    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    return 0;
}

/* An entry that is no longer what it was just now was changed by somebody. */
static int cannot_read(const struct walk *walk, const struct romsim_hostdir_entry *entry,
                       const char *what, const char *name, struct romsim_error *err)
{
    int errnum = errno;

    if (errnum == ENODATA || errnum == EINVAL || errnum == ENOTDIR ||
        (errnum == ENOENT && access("/proc/self/fd", F_OK) == 0))
        return romsim_hostdir_changed(walk->root, entry->path, err);
    romsim_error_system(err, errnum, "cannot read %s%s", what, name);
    return errnum == ENOENT ? romsim_error_hint(err, "/proc has to be there for that") : -1;
}

static int set_link_target(const struct walk *walk, struct romsim_inode *inode,
                           const struct romsim_hostdir_entry *entry, struct romsim_error *err)
{
    char target[PATH_MAX];
    ssize_t size = readlinkat(entry->dir_fd, entry->name, target, sizeof(target));

    if (size < 0)
        return cannot_read(walk, entry, "the link", "", err);
    return romsim_inode_set_target(inode, target, (size_t)size, err);
}

/* Labels and signatures that belong to the host's own policy, not to the content. */
static bool xattr_is_the_hosts(const char *name)
{
    static const char *const hosts[] = {"security.selinux", "security.ima", "security.evm",
                                        "security.SMACK64", "system.nfs4_acl"};

    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        if (strcmp(name, hosts[i]) == 0)
            return true;
    }
    return false;
}

static int copy_xattr(const struct walk *walk, struct romsim_inode *inode,
                      const struct romsim_hostdir_entry *entry, const char *path, const char *name,
                      struct romsim_error *err)
{
    CLEANUP_FREE char *value = malloc(XATTR_SIZE_MAX);
    ssize_t size;

    if (!value)
        return romsim_error_nomem(err);
    size = lgetxattr(path, name, value, XATTR_SIZE_MAX);
    if (size < 0)
        return cannot_read(walk, entry, "the attribute ", QUOTE(name), err);
    return romsim_inode_set_xattr(inode, name, value, (size_t)size, err);
}

/* Linux has it since 6.13, the C library not yet. */
#ifndef SYS_listxattrat
#define SYS_listxattrat 465
#endif

/* The root's name is empty. */
static ssize_t list_xattrs(const struct romsim_hostdir_entry *entry, const char *path, char *names,
                           size_t size)
{
    long got = syscall(SYS_listxattrat, entry->dir_fd, entry->name,
                       AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, names, size);

    return got < 0 && (errno == ENOSYS || errno == EPERM) ? llistxattr(path, names, size) : got;
}

/* An entry's attributes, asked for beneath the open directory: where the kernel cannot be asked so,
 * /proc leads to that very directory, wherever it is by now.  (A link or a device cannot be opened
 * to ask it.) */
static int copy_xattrs(const struct walk *walk, struct romsim_inode *inode,
                       const struct romsim_hostdir_entry *entry, struct romsim_error *err)
{
    char path[NAME_MAX + 64], few[1024];
    CLEANUP_FREE char *many = NULL;
    char *names = few;
    ssize_t size;

    snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", entry->dir_fd, entry->name);
    size = list_xattrs(entry, path, few, sizeof(few));
    if (size < 0 && errno == ERANGE) {
        names = many = malloc(XATTR_LIST_MAX);
        if (!many)
            return romsim_error_nomem(err);
        size = list_xattrs(entry, path, many, XATTR_LIST_MAX);
    }
    if (size < 0)
        return errno == EOPNOTSUPP ? 0 : cannot_read(walk, entry, "the attributes", "", err);
    for (ssize_t at = 0; at < size; at += (ssize_t)strlen(names + at) + 1) {
        if (!xattr_is_the_hosts(names + at) &&
            copy_xattr(walk, inode, entry, path, names + at, err) < 0)
            return -1;
    }
    return 0;
}

static void set_metadata(const struct walk *walk, struct romsim_inode *inode, const struct stat *st)
{
    inode->mode = st->st_mode;
    inode->mtime = st->st_mtim.tv_sec;
    inode->mtime_nsec = (uint32_t)st->st_mtim.tv_nsec;
    inode->implied = false;
    if (walk->owners == ROMSIM_OWNERS_KEEP) {
        inode->uid = st->st_uid;
        inode->gid = st->st_gid;
    }
    if (S_ISBLK(st->st_mode) || S_ISCHR(st->st_mode)) {
        inode->rdev_major = major(st->st_rdev);
        inode->rdev_minor = minor(st->st_rdev);
    }
}

/* Has this inode of the host a name in the tree already?  Then *ret is it. */
static int find_linked(struct walk *walk, const struct stat *st, struct linked **ret,
                       struct romsim_error *err)
{
    struct linked key = {st->st_dev, st->st_ino, NULL}, *fresh;
    struct linked **found;

    *ret = NULL;
    if (S_ISDIR(st->st_mode) || st->st_nlink < 2)
        return 0;
    found = tfind(&key, &walk->linked, compare_linked);
    if (found) {
        *ret = *found;
        return 0;
    }
    fresh = malloc(sizeof(*fresh));
    if (!fresh)
        return romsim_error_nomem(err);
    *fresh = key;
    if (!tsearch(fresh, &walk->linked, compare_linked)) {
        free(fresh);
        return romsim_error_nomem(err);
    }
    *ret = fresh;
    return 0;
}

static int set_data(const struct walk *walk, struct romsim_inode *inode,
                    const struct romsim_hostdir_entry *entry, struct romsim_error *err)
{
    uint64_t size = (uint64_t)entry->st->st_size;

    if (size > romsim_bound(ROMSIM_BOUND_FILE_BYTES))
        return romsim_bound_refuse(err, ROMSIM_BOUND_FILE_BYTES, "a file of %s", SIZE_TEXT(size));
    return romsim_inode_set_host_file(inode, walk->root, entry->path, entry->st, err);
}

/* Gives a new inode what it has besides metadata. */
static int set_content(struct walk *walk, struct romsim_inode *inode,
                       const struct romsim_hostdir_entry *entry, struct romsim_error *err)
{
    if (copy_xattrs(walk, inode, entry, err) < 0)
        return -1;
    if (S_ISLNK(inode->mode))
        return set_link_target(walk, inode, entry, err);
    if (S_ISREG(inode->mode) && entry->st->st_size > 0)
        return set_data(walk, inode, entry, err);
    return 0;
}

/* The inode of an entry: the root's, a new one, or NULL for the next name of one that is there. */
static int add_name(struct walk *walk, const struct romsim_hostdir_entry *entry,
                    struct romsim_inode **ret, struct romsim_error *err)
{
    size_t size = strlen(entry->name);
    struct romsim_dentry *dentry;
    struct linked *linked;

    *ret = romsim_tree_root(walk->tree);
    if (!*entry->path)
        return 0;
    if (find_linked(walk, entry->st, &linked, err) < 0)
        return -1;
    *ret = NULL;
    if (linked && linked->inode)
        return romsim_tree_link(walk->tree, entry->parent, entry->name, size, linked->inode, err)
                   ? 0
                   : -1;
    dentry = romsim_tree_add(walk->tree, entry->parent, entry->name, size, entry->st->st_mode, err);
    if (!dentry)
        return -1;
    if (linked)
        linked->inode = dentry->inode;
    *ret = dentry->inode;
    return 0;
}

static int add_entry(void *context, const struct romsim_hostdir_entry *entry, void **ret_directory,
                     struct romsim_error *err)
{
    struct walk *walk = context;
    struct romsim_inode *inode;

    if (walk->identity)
        directory_identity_add(walk->identity, entry->st);
    if (add_name(walk, entry, &inode, err) < 0)
        return romsim_hostdir_blame(walk->root, entry->path, err);
    if (!inode)
        return 0;
    set_metadata(walk, inode, entry->st);
    if (set_content(walk, inode, entry, err) < 0)
        return romsim_hostdir_blame(walk->root, entry->path, err);
    *ret_directory = inode;
    return 0;
}

void directory_identity_add(struct directory_identity *identity, const struct stat *st)
{
    const int64_t fields[] = {
        (int64_t)st->st_dev,  (int64_t)st->st_ino, st->st_mode,
        (int64_t)st->st_rdev, st->st_size,         st->st_mtim.tv_sec,
        st->st_mtim.tv_nsec,  st->st_ctim.tv_sec,  st->st_ctim.tv_nsec,
    };

    romsim_sha256_update(identity->sha256, fields, sizeof(fields));
    if (st->st_ctim.tv_sec > identity->newest)
        identity->newest = st->st_ctim.tv_sec;
}

struct romsim_tree *directory_tree(const char *path, enum romsim_owners owners,
                                   struct directory_identity *identity, struct romsim_error *err)
{
    CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(NULL);
    CLEANUP_WALK struct walk walk = {.tree = tree, .owners = owners, .identity = identity};

    if (!tree) {
        romsim_error_nomem(err);
        return NULL;
    }
    walk.root = romsim_hostdir_open(path, err);
    if (!walk.root || romsim_hostdir_walk(walk.root, add_entry, &walk, err) < 0)
        return NULL;
    return STEAL_POINTER(&tree);
}

struct romsim_tree *romsim_tree_from_directory(const char *path, enum romsim_owners owners,
                                               struct romsim_error *err)
{
    return directory_tree(path, owners, NULL, err);
}
