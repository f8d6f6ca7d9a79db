/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tree.h: what a file-system image will contain, in memory.
 *
 * The words are the VFS's: an inode is an object with a mode, owner, times and data; a dentry is a
 * name in a directory that leads to an inode.  Hard links are dentries of one inode.  Archives,
 * container layers, directories and inline files all become a tree, and names are resolved
 * component by component in here, so no path in an archive can reach a path of the host
 * (hostile-input, "Archives and layers").
 *
 * Memory is by metadata: the data of a file stays where it is (a range of a blob, a file of the
 * host) and is read when the image is written.  What is made of foreign bytes is told how many they
 * are, and then neither its memory nor its image may grow out of all proportion to them.
 *
 * Not thread-safe.
 */
#ifndef ROMSIM_TREE_H
#define ROMSIM_TREE_H

#include <romsim/blob.h>
#include <romsim/cleanup.h>
#include <romsim/error.h>
#include <romsim/hostdir.h>

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    ROMSIM_NAME_MAX = 255,   /* bytes of a name, as Linux and EROFS have it */
    ROMSIM_TARGET_MAX = 4095 /* bytes of a symbolic link's target (PATH_MAX less the NUL) */
};

struct romsim_tree;

/* What is to be said about a tree in one warning, however many files it concerns. */
struct romsim_tree_notes {
    uint64_t dropped_xattrs; /* that the image's form has no place for */
    char dropped_xattr[64];  /* the name of the first one */
    uint64_t dropped_acls;   /* files with an ACL that names somebody without a number, ... */
    char dropped_acl[64];    /* the path of the first one */
    uint64_t apple_doubles;  /* files "._NAME" with what macOS keeps beside a file NAME */
    char apple_double[64];   /* the name of the first one */
};

struct romsim_xattr {
    char *name;  /* with its prefix: "user.color", "security.capability"; owned */
    void *value; /* owned, may be NULL when value_size is 0 */
    size_t value_size;
};

/* A piece of a file's data: `length` bytes at file_offset, found at source_offset. */
struct romsim_extent {
    uint64_t file_offset;
    uint64_t source_offset;
    uint64_t length;
};

/*
 * Where a regular file's bytes come from.  ZERO: all holes.  BLOB: from `blob`, by extents
 * (ascending, not overlapping, inside the size and the blob); what no extent covers is a hole and
 * reads as zeros.  HOST: all of a file of the host, which must still have its identity when read.
 */
enum romsim_data_kind { ROMSIM_DATA_ZERO, ROMSIM_DATA_BLOB, ROMSIM_DATA_HOST };

struct romsim_host_file {
    struct romsim_hostdir *directory; /* a reference, owned */
    struct romsim_identity identity;
    char path[]; /* beneath the directory */
};

struct romsim_data {
    enum romsim_data_kind kind;
    struct romsim_blob *blob;      /* BLOB: a reference, owned */
    struct romsim_extent *extents; /* BLOB: owned */
    size_t extent_count;
    struct romsim_host_file *host; /* HOST: owned */
};

struct romsim_inode {
    uint32_t mode; /* type and permissions, as in struct stat */
    uint32_t uid, gid;
    int64_t mtime;       /* seconds since 1970, may be negative */
    uint32_t mtime_nsec; /* 0 to 999,999,999 */
    uint32_t links;      /* dentries that lead here (a directory: 1); kept by the tree */
    uint64_t size;       /* of a regular file's data or of a symlink's target */
    uint32_t rdev_major, rdev_minor; /* of a device */
    struct romsim_data data;         /* of a regular file */
    char *target;                    /* of a symlink; owned */
    struct romsim_xattr *xattrs;     /* sorted by name, byte-wise; owned */
    size_t xattr_count;
    struct romsim_dentry *children; /* of a directory: in order of insertion until sorted */
    struct romsim_dentry *last_child;
    size_t child_count;
    struct romsim_dentry *dentry;  /* of a directory: the one name that it has; NULL for the root */
    struct romsim_inode *next_all; /* the tree's own list of all inodes */
    struct romsim_tree *tree;      /* that it belongs to, for the tree's count of data */
    uint64_t cookie; /* free for the user of a finished tree (a writer's nid); 0 at first */
    uint32_t layer;  /* in which it was made, see romsim_tree_begin_layer() */
    bool implied;    /* a directory made only as somebody's parent: its metadata is a default that
                        an explicit entry may replace */
};

struct romsim_dentry {
    struct romsim_inode *inode;
    struct romsim_inode *parent;
    struct romsim_dentry *previous, *next; /* siblings */
    struct romsim_dentry *hash_next;
    uint32_t hash;
    uint16_t name_size;
    char name[]; /* NUL-terminated, no '/', not "." or ".." */
};

/* What a tree may grow to; 0 means the default in parentheses. */
struct romsim_tree_limits {
    uint64_t inodes;     /* (the bound "files") */
    uint64_t data_bytes; /* sum of all files' sizes (the bound "data-bytes") */
    unsigned depth;      /* of directories (1,024) */
};

/* A tree with a root directory root:root 0755, time 0.  NULL without memory. */
struct romsim_tree *romsim_tree_new(const struct romsim_tree_limits *limits);

/* Frees the tree, its inodes and dentries.  Accepts NULL. */
void romsim_tree_free(struct romsim_tree *tree);

DEFINE_CLEANUP(struct romsim_tree, romsim_tree_free)
#define CLEANUP_TREE CLEANUP(cleanup_romsim_tree_free)

struct romsim_inode *romsim_tree_root(const struct romsim_tree *tree);
/* What is added from now on belongs to a new layer; a new tree is at its first. */
void romsim_tree_begin_layer(struct romsim_tree *tree);
uint32_t romsim_tree_layer(const struct romsim_tree *tree);

uint64_t romsim_tree_inode_count(const struct romsim_tree *tree);

/* The tree's own, for whoever finds something, and whoever says it. */
struct romsim_tree_notes *romsim_tree_notes(struct romsim_tree *tree);

/* So many more bytes of input are what the tree is made of: an archive, inline files.  From the
 * first call on the bounds "node-bytes" and "image-bytes" hold. */
void romsim_tree_count_source(struct romsim_tree *tree, uint64_t bytes);

/* Would an image of this size be in proportion?  Returns 0, or -1 and EFBIG. */
int romsim_tree_check_image(const struct romsim_tree *tree, uint64_t size,
                            struct romsim_error *err);

/* Counts memory that the tree holds, or (negative) gives back.  EFBIG above the bound. */
int romsim_tree_count_memory(struct romsim_tree *tree, int64_t bytes, struct romsim_error *err);

/* Frees what has lost its name.  Nobody may have a pointer to it. */
void romsim_tree_sweep(struct romsim_tree *tree);

/* The limit of data bytes (struct romsim_tree_limits). */
uint64_t romsim_tree_data_limit(const struct romsim_tree *tree);

/* Counts `added` bytes of data more and `removed` less.  Returns 0, or -1, and counts nothing,
 * above the limit.  The romsim_inode_set_...() functions call it. */
int romsim_tree_count_data(struct romsim_tree *tree, uint64_t removed, uint64_t added);

/* All inodes, in the order in which they were made: first = NULL gives the first one (the root),
 * NULL ends.  An inode that lost its last name is no longer in the list. */
struct romsim_inode *romsim_tree_next_inode(const struct romsim_tree *tree,
                                            const struct romsim_inode *previous);

/* The dentry of a name in a directory, or NULL. */
struct romsim_dentry *romsim_tree_child(const struct romsim_tree *tree,
                                        const struct romsim_inode *directory, const char *name,
                                        size_t name_size);

/*
 * Adds a name for a new inode of `mode` (root, time 0, empty) to a directory.  An existing name is
 * EEXIST; a bad name (empty, '/', NUL, ".", "..", over 255 bytes) EINVAL; a limit EFBIG.
 */
struct romsim_dentry *romsim_tree_add(struct romsim_tree *tree, struct romsim_inode *directory,
                                      const char *name, size_t name_size, uint32_t mode,
                                      struct romsim_error *err);

/* Adds a name for an existing inode (a hard link).  A directory is refused with EPERM. */
struct romsim_dentry *romsim_tree_link(struct romsim_tree *tree, struct romsim_inode *directory,
                                       const char *name, size_t name_size,
                                       struct romsim_inode *inode, struct romsim_error *err);

/* Removes a name and, for a directory, all beneath it (a loop, not a recursion).  Inodes without
 * a name left are freed. */
void romsim_tree_remove(struct romsim_tree *tree, struct romsim_dentry *dentry);

/* Removes all entries of a directory. */
void romsim_tree_remove_children(struct romsim_tree *tree, struct romsim_inode *directory);

/* How romsim_tree_walk() treats a path. */
enum romsim_walk_flags {
    ROMSIM_WALK_MAKE = 1,      /* make missing directories (implied, root:root 0755, time 0) */
    ROMSIM_WALK_NO_FOLLOW = 2, /* a symlink in the middle is ENOTDIR instead of being followed */
    ROMSIM_WALK_REPLACE = 4 /* with MAKE: what an earlier layer has in place of a directory goes */
};

/*
 * Resolves all but the last component of `path` from the root: empty and "." components are
 * passed over, ".." goes up and stops at the root, symlinks in the middle are followed inside the
 * tree (at most 40, with targets of 4 KiB together).  On success *ret_directory is the directory
 * and *ret_name, *ret_name_size the last component inside `path` (size 0: the path names the root
 * itself).  A last component ".." is EINVAL. Returns 0, or -1 with ENOENT, ENOTDIR, ELOOP or as
 * romsim_tree_add().
 */
int romsim_tree_walk(struct romsim_tree *tree, const char *path, unsigned flags,
                     struct romsim_inode **ret_directory, const char **ret_name,
                     size_t *ret_name_size, struct romsim_error *err);

/* Resolves a whole path; a symlink as the last component is not followed.  NULL if there is
 * nothing. */
struct romsim_inode *romsim_tree_lookup(struct romsim_tree *tree, const char *path);

/* The name after `dentry` in a walk over all names, a directory's before those in it.  The walk
 * begins with the root's first child and ends with NULL. */
const struct romsim_dentry *romsim_dentry_next(const struct romsim_dentry *dentry);

/* Sorts every directory's children by name, byte-wise (the cloud packer's order). */
int romsim_tree_sort(struct romsim_tree *tree, struct romsim_error *err);

/* Sets a regular file's data to a copy of some bytes, to all of a blob (takes a reference), to the
 * file of the host of which stat() said `st`, or to pieces of a blob (copies the extents); sets the
 * size.  EFBIG above the tree's limit of data.  Return 0 or -1. */
int romsim_inode_set_bytes(struct romsim_inode *inode, const void *bytes, uint64_t size,
                           struct romsim_error *err);
int romsim_inode_set_blob(struct romsim_inode *inode, struct romsim_blob *blob,
                          struct romsim_error *err);
int romsim_inode_set_host_file(struct romsim_inode *inode, struct romsim_hostdir *directory,
                               const char *path, const struct stat *st, struct romsim_error *err);
int romsim_inode_set_extents(struct romsim_inode *inode, uint64_t size, struct romsim_blob *blob,
                             const struct romsim_extent *extents, size_t count,
                             struct romsim_error *err);

/* Makes a file empty, and drops what its data owns. */
void romsim_inode_clear_data(struct romsim_inode *inode);

/* Sets a symlink's target (1 to 4,095 bytes, no NUL: else EINVAL). */
int romsim_inode_set_target(struct romsim_inode *inode, const char *target, size_t size,
                            struct romsim_error *err);

/* Drops it. */
void romsim_inode_clear_target(struct romsim_inode *inode);

/* Sets or replaces an xattr; keeps the list sorted.  EFBIG above the bound "xattrs". */
int romsim_inode_set_xattr(struct romsim_inode *inode, const char *name, const void *value,
                           size_t value_size, struct romsim_error *err);

/* Removes all xattrs. */
void romsim_inode_clear_xattrs(struct romsim_inode *inode);

/* Removes the xattr at `index`, which the image's form has no place for, and notes it. */
void romsim_inode_drop_xattr(struct romsim_inode *inode, size_t index);

/* Reads `size` bytes of a regular file's data at `offset` (inside the file, else EINVAL). */
int romsim_inode_read(const struct romsim_inode *inode, uint64_t offset, void *buffer, size_t size,
                      struct romsim_error *err);

/* How many bytes of a regular file's data from `offset` on are known to be a hole, without reading
 * them; 0 where there is data. */
uint64_t romsim_inode_hole(const struct romsim_inode *inode, uint64_t offset);

/*
 * Copies all of a regular file's data into `fd` at `offset`, inside the kernel where it can
 * (copy_file_range).  Holes are not written: the target must be zero there.
 * ESTALE if a file of the host has changed.
 */
int romsim_inode_copy(const struct romsim_inode *inode, int fd, uint64_t offset,
                      struct romsim_error *err);

/* The path of a dentry or directory from the root, "/a/b", for messages.  malloc'ed, or NULL. */
char *romsim_dentry_path(const struct romsim_dentry *dentry);

#endif
