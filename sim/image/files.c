/* SPDX-License-Identifier: BSD-3-Clause */
/* files.c: an inline ROM's files as a tree: root:root, files 0644, directories 0755, time 0
 * (cloud-rules §4 [U]). */
#include <romsim/file.h>
#include <romsim/image.h>
#include <romsim/text.h>

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* All files' bytes one after the other, in one blob: a blob of its own for each would take a
 * descriptor and a mapping, of which there are few.  NULL with *err. */
static struct romsim_blob *join_bytes(const struct romsim_file *files, size_t count,
                                      struct romsim_error *err)
{
    CLEANUP_FD int fd = romsim_blob_scratch_memfd(err);
    uint64_t offset = 0;

    if (fd < 0)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        int errnum = romsim_write_fully(fd, files[i].data, files[i].size, offset);

        if (errnum != 0) {
            romsim_error_system(err, errnum, "cannot keep %s in memory",
                                SIZE_TEXT(offset + files[i].size));
            return NULL;
        }
        offset += files[i].size;
    }
    return romsim_blob_take_fd(steal_fd(&fd), err);
}

/* Adds a file whose data is at `offset` of the blob. */
static int add_file(struct romsim_tree *tree, const struct romsim_file *file,
                    struct romsim_blob *blob, uint64_t offset, struct romsim_error *err)
{
    const struct romsim_extent extent = {.source_offset = offset, .length = file->size};
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
    return romsim_inode_set_extents(dentry->inode, file->size, blob, &extent, file->size > 0, err);
}

struct romsim_tree *romsim_tree_from_files(const struct romsim_file *files, size_t count,
                                           struct romsim_error *err)
{
    CLEANUP_BLOB struct romsim_blob *blob = join_bytes(files, count, err);
    CLEANUP_TREE struct romsim_tree *tree = blob ? romsim_tree_new(NULL) : NULL;
    uint64_t offset = 0;

    if (!tree) {
        if (blob)
            romsim_error_nomem(err);
        return NULL;
    }
    for (size_t i = 0; i < count; i++)
        romsim_tree_count_source(tree, strlen(files[i].path) + files[i].size);
    for (size_t i = 0; i < count; i++) {
        if (add_file(tree, &files[i], blob, offset, err) < 0) {
            romsim_error_context(err, "file '%s'", QUOTE(files[i].path));
            if (err && err->place.line == 0)
                err->place = files[i].place;
            return NULL;
        }
        offset += files[i].size;
    }
    return STEAL_POINTER(&tree);
}
