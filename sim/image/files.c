/* SPDX-License-Identifier: BSD-3-Clause */
/* files.c: an inline ROM's files as a tree: root:root, files 0644, directories 0755, time 0
 * (cloud-rules §4 [U]). */
#include <romsim/image.h>
#include <romsim/text.h>

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static int add_file(struct romsim_tree *tree, const struct romsim_file *file,
                    struct romsim_error *err)
{
    struct romsim_inode *directory;
    struct romsim_dentry *dentry;
    const char *name;
    size_t name_size;

    if (romsim_tree_walk(tree, file->path, ROMSIM_WALK_MAKE, &directory, &name, &name_size, err) <
        0)
        return -1;
    if (name_size == 0)
        return romsim_error_set(err, EINVAL, "the path names no file");
    dentry = romsim_tree_add(tree, directory, name, name_size, S_IFREG | 0644, err);
    if (!dentry)
        return -1;
    return romsim_inode_set_bytes(dentry->inode, file->data, file->size, err);
}

struct romsim_tree *romsim_tree_from_files(const struct romsim_file *files, size_t count,
                                           struct romsim_error *err)
{
    CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(NULL);

    if (!tree) {
        romsim_error_nomem(err);
        return NULL;
    }
    for (size_t i = 0; i < count; i++)
        romsim_tree_count_source(tree, strlen(files[i].path) + files[i].size);
    for (size_t i = 0; i < count; i++) {
        if (add_file(tree, &files[i], err) < 0) {
            romsim_error_context(err, "file '%s'", QUOTE(files[i].path));
            if (err && err->place.line == 0)
                err->place = files[i].place;
            return NULL;
        }
    }
    return STEAL_POINTER(&tree);
}
