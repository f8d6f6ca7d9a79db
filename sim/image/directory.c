/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * directory.c: a directory of the host as a tree.
 *
 * Theory of operation: a list of directories still to be read, from the root of the walk on; each
 * is opened beneath that root by a path without symbolic links, so the walk cannot leave it, even
 * when somebody moves things meanwhile.  Only one directory is open at a time: depth costs no
 * descriptors and no stack.  Inodes with several names are joined by device and inode number.
 */
#include <romsim/image.h>
#include <romsim/paths.h>
#include <romsim/text.h>
#include <romsim/vector.h>

#include "sim/image/directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <search.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

/* A directory that waits to be read. */
struct pending {
    struct romsim_inode *inode;
    char *path; /* from the root of the walk; "" is the root itself */
};
DEFINE_VECTOR(pendings, struct pending)

/* An inode of the host with more than one name. */
struct linked {
    dev_t device;
    ino_t number;
    struct romsim_inode *inode;
};

struct walk {
    struct romsim_tree *tree;
    const char *root; /* the directory's path, as in messages and for the files' data */
    int root_fd;
    enum romsim_owners owners;
    struct pendings pending;
    void *linked;                        /* a tsearch() tree of struct linked */
    struct directory_identity *identity; /* or NULL */
};

static void walk_release(struct walk *walk)
{
    for (size_t i = 0; i < walk->pending.count; i++)
        free(walk->pending.items[i].path);
    pendings_reset(&walk->pending);
    tdestroy(walk->linked, free);
    if (walk->root_fd >= 0)
        close(walk->root_fd);
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

/* Sandboxes of old refuse openat2(); the checks of the last component still hold without it. */
static int open_beneath(int root_fd, const char *path)
{
    struct open_how how = {
        .flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
    };
    int fd = (int)syscall(SYS_openat2, root_fd, *path ? path : ".", &how, sizeof(how));

    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        fd = openat(root_fd, *path ? path : ".", (int)how.flags);
    return fd;
}

static int set_link_target(struct romsim_inode *inode, int dir_fd, const char *name,
                           struct romsim_error *err)
{
    char target[PATH_MAX];
    ssize_t size = readlinkat(dir_fd, name, target, sizeof(target));

    if (size < 0)
        return romsim_error_system(err, errno, "cannot read the link");
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

static int copy_xattr(struct romsim_inode *inode, const char *path, const char *name,
                      struct romsim_error *err)
{
    CLEANUP_FREE char *value = malloc(XATTR_SIZE_MAX);
    ssize_t size;

    if (!value)
        return romsim_error_nomem(err);
    size = lgetxattr(path, name, value, XATTR_SIZE_MAX);
    if (size < 0)
        return romsim_error_system(err, errno, "cannot read the attribute '%s'", QUOTE(name));
    return romsim_inode_set_xattr(inode, name, value, (size_t)size, err);
}

static int copy_xattrs(struct romsim_inode *inode, const char *path, struct romsim_error *err)
{
    char few[1024];
    CLEANUP_FREE char *many = NULL;
    char *names = few;
    ssize_t size = llistxattr(path, few, sizeof(few));

    if (size < 0 && errno == ERANGE) {
        names = many = malloc(XATTR_LIST_MAX);
        if (!many)
            return romsim_error_nomem(err);
        size = llistxattr(path, many, XATTR_LIST_MAX);
    }
    if (size < 0)
        return errno == EOPNOTSUPP ? 0
                                   : romsim_error_system(err, errno, "cannot list the attributes");
    for (ssize_t at = 0; at < size; at += (ssize_t)strlen(names + at) + 1) {
        if (!xattr_is_the_hosts(names + at) && copy_xattr(inode, path, names + at, err) < 0)
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

/* Gives a new inode what its type has besides metadata. */
static int set_content(struct walk *walk, struct romsim_inode *inode, const struct stat *st,
                       int dir_fd, const char *name, char **path, struct romsim_error *err)
{
    CLEANUP_FREE char *full = romsim_path_join(walk->root, *path);

    if (!full)
        return romsim_error_nomem(err);
    if (copy_xattrs(inode, full, err) < 0)
        return -1;
    switch (st->st_mode & S_IFMT) {
    case S_IFDIR:
        if (pendings_append(&walk->pending, (struct pending){inode, *path}) < 0)
            return romsim_error_nomem(err);
        *path = NULL;
        return 0;
    case S_IFLNK:
        return set_link_target(inode, dir_fd, name, err);
    case S_IFREG:
        return romsim_inode_set_host_file(inode, full, (uint64_t)st->st_size, err);
    default:
        return 0;
    }
}

static int add_entry(struct walk *walk, const struct pending *parent, int dir_fd, const char *name,
                     struct romsim_error *err)
{
    CLEANUP_FREE char *path = romsim_path_join(parent->path, name);
    struct romsim_dentry *dentry;
    struct linked *linked;
    struct stat st;

    if (!path)
        return romsim_error_nomem(err);
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return romsim_error_system(err, errno, "cannot look at '%s'", QUOTE(name));
    if (walk->identity)
        directory_identity_add(walk->identity, &st);
    if (find_linked(walk, &st, &linked, err) < 0)
        return -1;
    if (linked && linked->inode)
        return romsim_tree_link(walk->tree, parent->inode, name, strlen(name), linked->inode, err)
                   ? 0
                   : -1;
    dentry = romsim_tree_add(walk->tree, parent->inode, name, strlen(name), st.st_mode, err);
    if (!dentry)
        return -1;
    if (linked)
        linked->inode = dentry->inode;
    set_metadata(walk, dentry->inode, &st);
    if (set_content(walk, dentry->inode, &st, dir_fd, name, &path, err) < 0)
        return romsim_error_context(err, "'%s'", QUOTE(name));
    return 0;
}

static void close_directory(DIR **directory)
{
    if (*directory)
        closedir(*directory);
}

static int read_directory(struct walk *walk, const struct pending *pending,
                          struct romsim_error *err)
{
    CLEANUP_FD int fd = open_beneath(walk->root_fd, pending->path);
    CLEANUP(close_directory) DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;

    if (!directory)
        return romsim_error_system(err, errno, "cannot open the directory");
    steal_fd(&fd);
    while (errno = 0, (entry = readdir(directory))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (add_entry(walk, pending, dirfd(directory), entry->d_name, err) < 0)
            return -1;
    }
    return errno ? romsim_error_system(err, errno, "cannot read the directory") : 0;
}

static int start(struct walk *walk, struct romsim_error *err)
{
    struct romsim_inode *root = romsim_tree_root(walk->tree);
    char *path = strdup("");
    struct stat st;

    if (!path || pendings_append(&walk->pending, (struct pending){root, path}) < 0) {
        free(path);
        return romsim_error_nomem(err);
    }
    walk->root_fd = open(walk->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (walk->root_fd < 0 || fstat(walk->root_fd, &st) < 0)
        return romsim_error_system(err, errno, "cannot open the directory '%s'", QUOTE(walk->root));
    if (walk->identity)
        directory_identity_add(walk->identity, &st);
    set_metadata(walk, root, &st);
    return copy_xattrs(root, walk->root, err);
}

static int read_pending(struct walk *walk, struct romsim_error *err)
{
    while (walk->pending.count > 0) {
        struct pending pending = walk->pending.items[--walk->pending.count];
        CLEANUP_FREE char *path = pending.path;

        if (read_directory(walk, &pending, err) < 0)
            return romsim_error_context(err, "'%s/%s'", QUOTE(walk->root), QUOTE(path));
    }
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
    CLEANUP_WALK struct walk walk = {
        .tree = tree, .root = path, .root_fd = -1, .owners = owners, .identity = identity};

    if (!tree) {
        romsim_error_nomem(err);
        return NULL;
    }
    if (start(&walk, err) < 0 || read_pending(&walk, err) < 0)
        return NULL;
    return STEAL_POINTER(&tree);
}

struct romsim_tree *romsim_tree_from_directory(const char *path, enum romsim_owners owners,
                                               struct romsim_error *err)
{
    return directory_tree(path, owners, NULL, err);
}
