/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tree.c: the inodes and names of a future image.
 *
 * Theory of operation: all dentries stand in one hash table, keyed by directory and name (the
 * directory's address seeds the hash, so chosen names cannot be made to collide beforehand), and
 * in their directory's list of children, which keeps the order of insertion until it is sorted.
 * All inodes stand in the order of their making in one list.  An inode that loses its last name
 * stays in that list as a grave (links 0, no data) until the tree is swept or freed: a caller's
 * pointer to it stays valid, and what was made counts against the limit, removed or not.
 */
#include <romsim/bounds.h>
#include <romsim/checked.h>
#include <romsim/text.h>
#include <romsim/tree.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct romsim_tree {
    struct romsim_inode *root;
    struct romsim_inode *last_made;
    struct romsim_tree_limits limits;
    uint64_t made;  /* inodes ever */
    uint64_t alive; /* inodes with a name, and the root */
    uint64_t data_bytes;
    uint32_t layer;
    struct romsim_dentry **buckets;
    size_t bucket_count; /* a power of two */
    size_t dentry_count;
    uint64_t source_bytes; /* what the tree is made of, if has_source */
    bool has_source;
    uint64_t memory; /* of everything, about; see romsim_tree_count_memory() */
    struct romsim_tree_notes notes;
};

enum { FIRST_BUCKETS = 64 };

/* What an inode and a name take in all: with malloc's own part, their places in the hash table and
 * in what sorts them, and the node that a writer makes of an inode. */
enum {
    INODE_COST = sizeof(struct romsim_inode) + 80,
    DENTRY_COST = sizeof(struct romsim_dentry) + 40,
    MEMORY_RATIO = 3 /* of the input, beside node-bytes */
};

/* ---- inodes ----------------------------------------------------------------------------- */

static int too_many(const struct romsim_tree *tree, struct romsim_error *err)
{
    return romsim_bound_refuse(err, ROMSIM_BOUND_FILES, "more than %llu files and directories",
                               (unsigned long long)tree->limits.inodes);
}

static struct romsim_inode *make_inode(struct romsim_tree *tree, uint32_t mode,
                                       struct romsim_error *err)
{
    struct romsim_inode *inode;

    if (tree->made >= tree->limits.inodes) {
        too_many(tree, err);
        return NULL;
    }
    if (romsim_tree_count_memory(tree, INODE_COST, err) < 0)
        return NULL;
    inode = calloc(1, sizeof(*inode));
    if (!inode) {
        romsim_error_nomem(err);
        return NULL;
    }
    inode->mode = mode;
    inode->tree = tree;
    inode->layer = tree->layer;
    if (tree->last_made)
        tree->last_made->next_all = inode;
    tree->last_made = inode;
    tree->made++;
    tree->alive++;
    return inode;
}

static void release_inode(struct romsim_inode *inode)
{
    romsim_inode_clear_data(inode);
    romsim_inode_clear_target(inode);
    romsim_inode_clear_xattrs(inode);
}

struct romsim_tree *romsim_tree_new(const struct romsim_tree_limits *limits)
{
    struct romsim_tree *tree = calloc(1, sizeof(*tree));

    if (!tree)
        return NULL;
    if (limits)
        tree->limits = *limits;
    if (tree->limits.inodes == 0)
        tree->limits.inodes = romsim_bound(ROMSIM_BOUND_FILES);
    if (tree->limits.data_bytes == 0)
        tree->limits.data_bytes = romsim_bound(ROMSIM_BOUND_DATA_BYTES);
    if (tree->limits.depth == 0)
        tree->limits.depth = 1024;
    tree->bucket_count = FIRST_BUCKETS;
    tree->buckets = calloc(tree->bucket_count, sizeof(struct romsim_dentry *));
    tree->root = tree->buckets ? make_inode(tree, S_IFDIR | 0755, NULL) : NULL;
    if (!tree->root) {
        romsim_tree_free(tree);
        return NULL;
    }
    tree->root->links = 1;
    tree->root->implied = true;
    return tree;
}

void romsim_tree_free(struct romsim_tree *tree)
{
    struct romsim_inode *next;

    if (!tree)
        return;
    for (size_t i = 0; tree->buckets && i < tree->bucket_count; i++) {
        while (tree->buckets[i]) {
            struct romsim_dentry *dentry = tree->buckets[i];

            tree->buckets[i] = dentry->hash_next;
            free(dentry);
        }
    }
    for (struct romsim_inode *inode = tree->root; inode; inode = next) {
        next = inode->next_all;
        release_inode(inode);
        free(inode);
    }
    free(tree->buckets);
    free(tree);
}

struct romsim_inode *romsim_tree_root(const struct romsim_tree *tree)
{
    return tree->root;
}

void romsim_tree_begin_layer(struct romsim_tree *tree)
{
    tree->layer++;
}

uint32_t romsim_tree_layer(const struct romsim_tree *tree)
{
    return tree->layer;
}

uint64_t romsim_tree_inode_count(const struct romsim_tree *tree)
{
    return tree->alive;
}

struct romsim_tree_notes *romsim_tree_notes(struct romsim_tree *tree)
{
    return &tree->notes;
}

uint64_t romsim_tree_data_limit(const struct romsim_tree *tree)
{
    return tree->limits.data_bytes;
}

int romsim_tree_count_data(struct romsim_tree *tree, uint64_t removed, uint64_t added)
{
    uint64_t rest = tree->data_bytes - removed;

    if (added > tree->limits.data_bytes || rest > tree->limits.data_bytes - added)
        return -1;
    tree->data_bytes = rest + added;
    return 0;
}

/* ---- proportions ------------------------------------------------------------------------ */

void romsim_tree_count_source(struct romsim_tree *tree, uint64_t bytes)
{
    tree->has_source = true;
    if (!checked_add(tree->source_bytes, bytes, &tree->source_bytes))
        tree->source_bytes = UINT64_MAX;
}

int romsim_tree_count_memory(struct romsim_tree *tree, int64_t bytes, struct romsim_error *err)
{
    uint64_t limit;

    tree->memory += (uint64_t)bytes; /* which subtracts what is negative */
    if (bytes <= 0 || !tree->has_source)
        return 0;
    if (!checked_multiply(tree->source_bytes, MEMORY_RATIO, &limit) ||
        !checked_add(limit, romsim_bound(ROMSIM_BOUND_NODE_BYTES), &limit))
        return 0;
    if (tree->memory <= limit)
        return 0;
    tree->memory -= (uint64_t)bytes;
    return romsim_bound_refuse(
        err, ROMSIM_BOUND_NODE_BYTES,
        "the names of more than %llu files take more than %s of memory, from %s of input",
        (unsigned long long)tree->alive, SIZE_TEXT(limit), SIZE_TEXT(tree->source_bytes));
}

int romsim_tree_check_image(const struct romsim_tree *tree, uint64_t size, struct romsim_error *err)
{
    uint64_t limit = romsim_bound_for(ROMSIM_BOUND_IMAGE_BYTES, tree->source_bytes);
    uint64_t beside = size - min_u64(size, tree->data_bytes);

    if (!tree->has_source || beside <= limit)
        return 0;
    return romsim_bound_refuse(
        err, ROMSIM_BOUND_IMAGE_BYTES,
        "the image would have %s of directories, links and padding, from %s of input",
        SIZE_TEXT(beside), SIZE_TEXT(tree->source_bytes));
}

void romsim_tree_sweep(struct romsim_tree *tree)
{
    struct romsim_inode *before = tree->root, *inode;

    while ((inode = before->next_all)) {
        if (inode->links > 0) {
            before = inode;
            continue;
        }
        before->next_all = inode->next_all;
        romsim_tree_count_memory(tree, -(int64_t)INODE_COST, NULL);
        free(inode);
    }
    tree->last_made = before;
}

struct romsim_inode *romsim_tree_next_inode(const struct romsim_tree *tree,
                                            const struct romsim_inode *previous)
{
    struct romsim_inode *inode = previous ? previous->next_all : tree->root;

    while (inode && inode->links == 0)
        inode = inode->next_all;
    return inode;
}

/* ---- names ------------------------------------------------------------------------------ */

static uint32_t hash_name(const struct romsim_inode *directory, const char *name, size_t size)
{
    uint64_t seed = (uint64_t)(uintptr_t)directory * UINT64_C(0x9e3779b97f4a7c15);
    uint32_t hash = 0x811c9dc5 ^ (uint32_t)(seed >> 32); /* FNV-1a from here on */

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (uint8_t)name[i]) * 0x01000193;
    return hash ^ hash >> 15;
}

struct romsim_dentry *romsim_tree_child(const struct romsim_tree *tree,
                                        const struct romsim_inode *directory, const char *name,
                                        size_t name_size)
{
    uint32_t hash = hash_name(directory, name, name_size);
    struct romsim_dentry *dentry = tree->buckets[hash & (tree->bucket_count - 1)];

    for (; dentry; dentry = dentry->hash_next)
        if (dentry->hash == hash && dentry->parent == directory && dentry->name_size == name_size &&
            memcmp(dentry->name, name, name_size) == 0)
            return dentry;
    return NULL;
}

static void hash_insert(struct romsim_tree *tree, struct romsim_dentry *dentry)
{
    struct romsim_dentry **bucket = &tree->buckets[dentry->hash & (tree->bucket_count - 1)];

    dentry->hash_next = *bucket;
    *bucket = dentry;
}

/* Doubles the table.  Without memory it stays, only slower. */
static void hash_grow(struct romsim_tree *tree)
{
    size_t old_count = tree->bucket_count;
    struct romsim_dentry **old = tree->buckets;
    struct romsim_dentry **buckets = calloc(2 * old_count, sizeof(struct romsim_dentry *));

    if (!buckets)
        return;
    tree->buckets = buckets;
    tree->bucket_count = 2 * old_count;
    for (size_t i = 0; i < old_count; i++) {
        while (old[i]) {
            struct romsim_dentry *dentry = old[i];

            old[i] = dentry->hash_next;
            hash_insert(tree, dentry);
        }
    }
    free(old);
}

static void hash_remove(struct romsim_tree *tree, struct romsim_dentry *dentry)
{
    struct romsim_dentry **link = &tree->buckets[dentry->hash & (tree->bucket_count - 1)];

    while (*link != dentry)
        link = &(*link)->hash_next;
    *link = dentry->hash_next;
}

static int check_name(const char *name, size_t size, struct romsim_error *err)
{
    char quoted[ROMSIM_NAME_MAX + 1];

    if (size > ROMSIM_NAME_MAX)
        return romsim_error_set(err, EINVAL, "the name '%s' has %zu bytes, more than %d",
                                romsim_text_quote(name, size, quoted, sizeof(quoted)), size,
                                ROMSIM_NAME_MAX);
    if (size == 0)
        return romsim_error_set(err, EINVAL, "an empty name");
    if (memchr(name, '/', size) || memchr(name, '\0', size) || (size == 1 && name[0] == '.') ||
        (size == 2 && name[0] == '.' && name[1] == '.'))
        return romsim_error_set(err, EINVAL, "'%s' cannot be the name of a file",
                                romsim_text_quote(name, size, quoted, sizeof(quoted)));
    return 0;
}

static unsigned depth_of(const struct romsim_inode *directory)
{
    unsigned depth = 0;

    for (; directory->dentry; directory = directory->dentry->parent)
        depth++;
    return depth;
}

/* A dentry with everything but its inode, not yet in the directory. */
static struct romsim_dentry *make_dentry(struct romsim_tree *tree, struct romsim_inode *directory,
                                         const char *name, size_t name_size,
                                         struct romsim_error *err)
{
    struct romsim_dentry *dentry;

    if (check_name(name, name_size, err) < 0)
        return NULL;
    if (romsim_tree_child(tree, directory, name, name_size)) {
        romsim_error_set(err, EEXIST, "two files have the same name");
        return NULL;
    }
    if (romsim_tree_count_memory(tree, (int64_t)(DENTRY_COST + name_size), err) < 0)
        return NULL;
    dentry = calloc(1, sizeof(*dentry) + name_size + 1);
    if (!dentry) {
        romsim_error_nomem(err);
        return NULL;
    }
    dentry->hash = hash_name(directory, name, name_size);
    dentry->parent = directory;
    dentry->name_size = (uint16_t)name_size;
    memcpy(dentry->name, name, name_size);
    return dentry;
}

static struct romsim_dentry *insert(struct romsim_tree *tree, struct romsim_dentry *dentry,
                                    struct romsim_inode *inode)
{
    struct romsim_inode *directory = dentry->parent;

    dentry->inode = inode;
    inode->links++;
    if (S_ISDIR(inode->mode))
        inode->dentry = dentry;
    dentry->previous = directory->last_child;
    if (directory->last_child)
        directory->last_child->next = dentry;
    else
        directory->children = dentry;
    directory->last_child = dentry;
    directory->child_count++;
    if (++tree->dentry_count > tree->bucket_count)
        hash_grow(tree);
    hash_insert(tree, dentry);
    return dentry;
}

struct romsim_dentry *romsim_tree_add(struct romsim_tree *tree, struct romsim_inode *directory,
                                      const char *name, size_t name_size, uint32_t mode,
                                      struct romsim_error *err)
{
    CLEANUP_FREE struct romsim_dentry *dentry = NULL;
    struct romsim_inode *inode;

    if (S_ISDIR(mode) && depth_of(directory) >= tree->limits.depth) {
        romsim_error_set(err, EFBIG, "directories are nested more than %u deep",
                         tree->limits.depth);
        return NULL;
    }
    dentry = make_dentry(tree, directory, name, name_size, err);
    inode = dentry ? make_inode(tree, mode, err) : NULL;
    if (dentry && !inode)
        romsim_tree_count_memory(tree, -(int64_t)(DENTRY_COST + name_size), NULL);
    if (!inode)
        return NULL;
    return insert(tree, STEAL_POINTER(&dentry), inode);
}

struct romsim_dentry *romsim_tree_link(struct romsim_tree *tree, struct romsim_inode *directory,
                                       const char *name, size_t name_size,
                                       struct romsim_inode *inode, struct romsim_error *err)
{
    struct romsim_dentry *dentry;

    if (S_ISDIR(inode->mode)) {
        romsim_error_set(err, EPERM, "a directory cannot have a second name");
        return NULL;
    }
    /* A link costs memory like an inode does, so they share the limit. */
    if (tree->made >= tree->limits.inodes) {
        too_many(tree, err);
        return NULL;
    }
    dentry = make_dentry(tree, directory, name, name_size, err);
    if (!dentry)
        return NULL;
    tree->made++;
    if (inode->links == 0)
        tree->alive++;
    return insert(tree, dentry, inode);
}

/* Takes one name away; a directory must be empty. */
static void unlink_dentry(struct romsim_tree *tree, struct romsim_dentry *dentry)
{
    struct romsim_inode *directory = dentry->parent;
    struct romsim_inode *inode = dentry->inode;

    hash_remove(tree, dentry);
    tree->dentry_count--;
    if (dentry->previous)
        dentry->previous->next = dentry->next;
    else
        directory->children = dentry->next;
    if (dentry->next)
        dentry->next->previous = dentry->previous;
    else
        directory->last_child = dentry->previous;
    directory->child_count--;
    romsim_tree_count_memory(tree, -(int64_t)(DENTRY_COST + dentry->name_size), NULL);
    free(dentry);
    if (--inode->links == 0) {
        inode->dentry = NULL;
        release_inode(inode);
        tree->alive--;
    }
}

void romsim_tree_remove_children(struct romsim_tree *tree, struct romsim_inode *directory)
{
    struct romsim_inode *at = directory;

    while (at != directory || at->children) {
        struct romsim_dentry *child = at->children;

        if (!child) { /* emptied: up, and remove it from there */
            child = at->dentry;
            at = child->parent;
            unlink_dentry(tree, child);
        } else if (child->inode->children) {
            at = child->inode;
        } else {
            unlink_dentry(tree, child);
        }
    }
}

void romsim_tree_remove(struct romsim_tree *tree, struct romsim_dentry *dentry)
{
    romsim_tree_remove_children(tree, dentry->inode);
    unlink_dentry(tree, dentry);
}

/* ---- order ------------------------------------------------------------------------------ */

static int compare_names(const void *a_pointer, const void *b_pointer)
{
    const struct romsim_dentry *a = *(struct romsim_dentry *const *)a_pointer;
    const struct romsim_dentry *b = *(struct romsim_dentry *const *)b_pointer;
    size_t shorter = a->name_size < b->name_size ? a->name_size : b->name_size;
    int order = memcmp(a->name, b->name, shorter);

    return order != 0 ? order : (int)a->name_size - (int)b->name_size;
}

static void relink(struct romsim_inode *directory, struct romsim_dentry **children)
{
    size_t count = directory->child_count;

    for (size_t i = 0; i < count; i++) {
        children[i]->previous = i > 0 ? children[i - 1] : NULL;
        children[i]->next = i + 1 < count ? children[i + 1] : NULL;
    }
    directory->children = children[0];
    directory->last_child = children[count - 1];
}

static int sort_directory(struct romsim_inode *directory, struct romsim_error *err)
{
    CLEANUP_FREE struct romsim_dentry **children = NULL;
    size_t i = 0;

    if (directory->child_count < 2)
        return 0;
    children = calloc(directory->child_count, sizeof(struct romsim_dentry *));
    if (!children)
        return romsim_error_nomem(err);
    for (struct romsim_dentry *child = directory->children; child; child = child->next)
        children[i++] = child;
    qsort(children, directory->child_count, sizeof(struct romsim_dentry *), compare_names);
    relink(directory, children);
    return 0;
}

int romsim_tree_sort(struct romsim_tree *tree, struct romsim_error *err)
{
    struct romsim_inode *inode = NULL;

    while ((inode = romsim_tree_next_inode(tree, inode)))
        if (sort_directory(inode, err) < 0)
            return -1;
    return 0;
}

const struct romsim_dentry *romsim_dentry_next(const struct romsim_dentry *dentry)
{
    if (S_ISDIR(dentry->inode->mode) && dentry->inode->children)
        return dentry->inode->children;
    while (dentry && !dentry->next)
        dentry = dentry->parent->dentry;
    return dentry ? dentry->next : NULL;
}

char *romsim_dentry_path(const struct romsim_dentry *dentry)
{
    size_t size = 1;
    char *path, *at;

    for (const struct romsim_dentry *d = dentry; d; d = d->parent->dentry)
        size += d->name_size + 1;
    path = malloc(size);
    if (!path)
        return NULL;
    at = path + size - 1;
    *at = '\0';
    for (const struct romsim_dentry *d = dentry; d; d = d->parent->dentry) {
        at -= d->name_size;
        memcpy(at, d->name, d->name_size);
        *--at = '/';
    }
    return path;
}
