/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tree_walk.c: resolving paths inside a tree, and nowhere else.
 *
 * Theory of operation: the part of the path before its last component is kept as text that is
 * still to do, and taken apart component by component from the root.  A symlink on the way puts
 * its target before what is left.  Links are limited in number and targets in size, so the text
 * cannot grow without end.
 */
#include <romsim/bounds.h>
#include <romsim/text.h>
#include <romsim/tree.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* As many as in Linux, and what their targets have together: without that, a long target that 40
 * links share would make each of many names cost a hundred thousand steps. */
enum { LINKS_MAX = 40 };

struct walk {
    struct romsim_tree *tree;
    struct romsim_inode *directory; /* reached so far */
    char *text;                     /* owned: what `rest` points into */
    const char *rest;               /* still to do */
    unsigned flags;
    unsigned links; /* followed so far */
    size_t targets; /* bytes of their targets */
};

static bool is_dot(const char *name, size_t size)
{
    return size == 1 && name[0] == '.';
}

static bool is_dot_dot(const char *name, size_t size)
{
    return size == 2 && name[0] == '.' && name[1] == '.';
}

static int not_a_directory(const struct romsim_dentry *dentry, struct romsim_error *err)
{
    CLEANUP_FREE char *path = romsim_dentry_path(dentry);

    return romsim_error_set(err, ENOTDIR, "'%s' is not a directory", QUOTE(path ?: dentry->name));
}

static int follow(struct walk *walk, const struct romsim_dentry *dentry, struct romsim_error *err)
{
    const char *target = dentry->inode->target ?: "";
    char *text;

    if (walk->flags & ROMSIM_WALK_NO_FOLLOW)
        return not_a_directory(dentry, err);
    walk->targets += strlen(target);
    if (++walk->links > LINKS_MAX)
        return romsim_error_set(err, ELOOP, "more than %d symbolic links on the way", LINKS_MAX);
    if (walk->targets > romsim_bound(ROMSIM_BOUND_LINK_BYTES))
        return romsim_bound_refuse(err, ROMSIM_BOUND_LINK_BYTES,
                                   "symbolic links of more than %llu bytes on the way",
                                   (unsigned long long)romsim_bound(ROMSIM_BOUND_LINK_BYTES));
    if (asprintf(&text, "%s/%s", target, walk->rest) < 0)
        return romsim_error_nomem(err);
    if (target[0] == '/')
        walk->directory = romsim_tree_root(walk->tree);
    free(walk->text);
    walk->text = text;
    walk->rest = text;
    return 0;
}

static struct romsim_dentry *make_implied(struct walk *walk, const char *name, size_t size,
                                          struct romsim_error *err)
{
    struct romsim_dentry *dentry;

    if (!(walk->flags & ROMSIM_WALK_MAKE)) {
        char quoted[ROMSIM_NAME_MAX + 1];

        romsim_error_set(err, ENOENT, "there is no directory '%s'",
                         romsim_text_quote(name, size, quoted, sizeof(quoted)));
        return NULL;
    }
    dentry = romsim_tree_add(walk->tree, walk->directory, name, size, S_IFDIR | 0755, err);
    if (dentry)
        dentry->inode->implied = true;
    return dentry;
}

static int step(struct walk *walk, const char *name, size_t size, struct romsim_error *err)
{
    struct romsim_dentry *dentry;

    if (size == 0 || is_dot(name, size))
        return 0;
    if (is_dot_dot(name, size)) {
        if (walk->directory->dentry)
            walk->directory = walk->directory->dentry->parent;
        return 0;
    }
    dentry = romsim_tree_child(walk->tree, walk->directory, name, size)
                 ?: make_implied(walk, name, size, err);
    if (!dentry)
        return -1;
    if (S_ISLNK(dentry->inode->mode))
        return follow(walk, dentry, err);
    if (!S_ISDIR(dentry->inode->mode) && (walk->flags & ROMSIM_WALK_REPLACE) &&
        dentry->inode->layer != romsim_tree_layer(walk->tree)) {
        romsim_tree_remove(walk->tree, dentry);
        dentry = make_implied(walk, name, size, err);
        if (!dentry)
            return -1;
    }
    if (!S_ISDIR(dentry->inode->mode))
        return not_a_directory(dentry, err);
    walk->directory = dentry->inode;
    return 0;
}

static int run(struct walk *walk, struct romsim_error *err)
{
    while (*walk->rest) {
        const char *name = walk->rest;
        size_t size = strcspn(name, "/");

        walk->rest += size;
        while (*walk->rest == '/')
            walk->rest++;
        if (step(walk, name, size, err) < 0)
            return -1;
    }
    return 0;
}

/* The last component that is neither empty nor ".": its start, and its size in *ret_size (0 if
 * there is none). */
static const char *last_component(const char *path, size_t *ret_size)
{
    const char *end = path + strlen(path);

    while (end > path) {
        const char *start = end;

        while (start > path && start[-1] != '/')
            start--;
        if (end > start && !is_dot(start, (size_t)(end - start))) {
            *ret_size = (size_t)(end - start);
            return start;
        }
        end = start > path ? start - 1 : start;
    }
    *ret_size = 0;
    return path;
}

int romsim_tree_walk(struct romsim_tree *tree, const char *path, unsigned flags,
                     struct romsim_inode **ret_directory, const char **ret_name,
                     size_t *ret_name_size, struct romsim_error *err)
{
    struct walk walk = {.tree = tree, .directory = romsim_tree_root(tree), .flags = flags};
    size_t name_size;
    const char *name = last_component(path, &name_size);
    int result;

    if (is_dot_dot(name, name_size))
        return romsim_error_set(err, EINVAL, "a path that ends in '..'");
    walk.text = strndup(path, (size_t)(name - path));
    if (!walk.text)
        return romsim_error_nomem(err);
    walk.rest = walk.text;
    result = run(&walk, err);
    free(walk.text);
    if (result < 0)
        return -1;
    *ret_directory = walk.directory;
    *ret_name = name;
    *ret_name_size = name_size;
    return 0;
}

struct romsim_inode *romsim_tree_lookup(struct romsim_tree *tree, const char *path)
{
    struct romsim_inode *directory;
    const struct romsim_dentry *dentry;
    const char *name;
    size_t name_size;

    if (romsim_tree_walk(tree, path, 0, &directory, &name, &name_size, NULL) < 0)
        return NULL;
    if (name_size == 0)
        return directory;
    dentry = romsim_tree_child(tree, directory, name, name_size);
    return dentry ? dentry->inode : NULL;
}
