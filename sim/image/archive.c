/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * archive.c: archives and container layers into a tree.
 *
 * Theory of operation: the archive lies in one blob, decompressed beforehand if need be
 * (decompress.c), and a reader of its form (tar_read.c, cpio_read.c) shows its entries one by one
 * with their data as ranges of that blob; nothing is copied.  Each is placed in the tree (entry.c).
 *
 * A container layer is read twice: its whiteouts first, then its entries, because a whiteout hides
 * what the layers below have, wherever in the archive it stands (OCI image-spec, layer.md).  An
 * entry below what an earlier layer had as a file puts a directory in its place, as containerd and
 * umoci have it; below a file of its own layer it is an error.
 */
#include "sim/image/cpio_read.h"
#include "sim/image/decompress.h"
#include "sim/image/probe.h"
#include "sim/image/tar_read.h"

#include <romsim/image.h>
#include <romsim/text.h>

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* ---- whiteouts ------------------------------------------------------------------------ */

static const char whiteout_prefix[] = ".wh.";
static const char opaque_name[] = ".wh..wh..opq";
static const char aufs_prefix[] = ".wh..wh."; /* AUFS's own files, which mean nothing to others */
static const char plink_folder[] = ".wh..wh.plnk"; /* but for the targets of hard links in here */

enum whiteout { WHITEOUT_NONE, WHITEOUT_NAME, WHITEOUT_OPAQUE, WHITEOUT_AUFS, WHITEOUT_WRONG };

static bool starts_with(const char *text, size_t size, const char *prefix)
{
    size_t prefix_size = strlen(prefix);

    return size >= prefix_size && memcmp(text, prefix, prefix_size) == 0;
}

/* "", "." or ".." */
static bool is_dots(const char *name, size_t size)
{
    return size <= 2 && memcmp(name, "..", size) == 0;
}

/* What a path is by its components: the last one decides, but AUFS's folders hide all below. */
static enum whiteout whiteout_of(const char *path)
{
    const size_t prefix = strlen(whiteout_prefix);
    enum whiteout kind = WHITEOUT_NONE;

    while (*path) {
        size_t size = strcspn(path, "/");

        if (kind == WHITEOUT_NAME && size > 0)
            return WHITEOUT_WRONG; /* something inside of a whiteout */
        if (size == strlen(opaque_name) && memcmp(path, opaque_name, size) == 0)
            kind = WHITEOUT_OPAQUE;
        else if (starts_with(path, size, aufs_prefix))
            return WHITEOUT_AUFS;
        else if (starts_with(path, size, whiteout_prefix))
            kind = is_dots(path + prefix, size - prefix) ? WHITEOUT_WRONG : WHITEOUT_NAME;
        if (kind == WHITEOUT_WRONG)
            return kind;
        path += size + (path[size] == '/');
    }
    return kind;
}

/* What a whiteout is meant to hide may not be there; that is no error. */
static int apply_whiteout(void *context, const struct entry *entry, struct romsim_error *err)
{
    enum whiteout kind = whiteout_of(entry->path);
    struct romsim_tree *tree = context;
    struct romsim_inode *directory;
    struct romsim_dentry *dentry;
    const char *name;
    size_t size;

    if (kind == WHITEOUT_WRONG)
        return romsim_error_set(err, EUCLEAN, "a whiteout that names nothing");
    if (kind != WHITEOUT_NAME && kind != WHITEOUT_OPAQUE)
        return 0;
    if (romsim_tree_walk(tree, entry->path, ROMSIM_WALK_NO_FOLLOW, &directory, &name, &size, NULL) <
            0 ||
        size == 0)
        return 0;
    if (kind == WHITEOUT_OPAQUE) {
        romsim_tree_remove_children(tree, directory);
        return 0;
    }
    name += strlen(whiteout_prefix);
    dentry = romsim_tree_child(tree, directory, name, size - strlen(whiteout_prefix));
    if (dentry)
        romsim_tree_remove(tree, dentry);
    return 0;
}

static int place(void *context, const struct entry *entry, struct romsim_error *err)
{
    return entry_place(context, entry, err);
}

/* Is it a file of AUFS's folder of pseudo-links, whose names are the targets of hard links? */
static bool is_plink(const struct entry *entry)
{
    const char *path = entry->path;

    while (*path == '/' || strncmp(path, "./", 2) == 0)
        path++;
    return starts_with(path, strcspn(path, "/"), plink_folder) &&
           path[strlen(plink_folder)] == '/' && !entry->link && S_ISREG(entry->mode);
}

/* A pseudo-link is there until the layer's end, for the links to it. */
static int place_of_layer(void *context, const struct entry *entry, struct romsim_error *err)
{
    enum whiteout kind = whiteout_of(entry->path);

    return kind == WHITEOUT_NONE || (kind == WHITEOUT_AUFS && is_plink(entry))
               ? entry_place(context, entry, err)
               : 0;
}

static int add_layer(struct romsim_tree *tree, struct romsim_blob *blob, const char *name,
                     typeof(tar_read) *read_entries, struct romsim_error *err)
{
    struct romsim_dentry *plinks;
    int status = read_entries(blob, name, apply_whiteout, tree, err);

    romsim_tree_begin_layer(tree);
    if (status == 0)
        status = read_entries(blob, name, place_of_layer, tree, err);
    plinks = romsim_tree_child(tree, romsim_tree_root(tree), plink_folder, strlen(plink_folder));
    if (plinks)
        romsim_tree_remove(tree, plinks);
    return status;
}

/* ---- all of it -------------------------------------------------------------------------- */

int romsim_tree_add_archive(struct romsim_tree *tree, struct romsim_blob *archive, bool layer,
                            const char *name, struct romsim_error *err)
{
    CLEANUP_BLOB struct romsim_blob *blob = image_decompress_archive(archive, name, err);
    typeof(tar_read) *read_entries;
    enum image_form form;

    if (!blob)
        return -1;
    form = image_form_probe(romsim_blob_bytes(blob), romsim_blob_size(blob));
    if (layer && form == FORM_EMPTY)
        return 0; /* some tools write a layer without entries as no bytes at all */
    if (form != FORM_TAR && form != FORM_CPIO) {
        romsim_error_set(err, EINVAL, "'%s' is %s, not an archive", QUOTE(name),
                         image_form_name(form));
        return romsim_error_hint(err, "tar and cpio archives are read, plain or compressed with "
                                      "gzip, xz, zstd or lz4");
    }
    romsim_tree_count_source(tree, romsim_blob_source_size(archive));
    read_entries = form == FORM_CPIO ? cpio_read : tar_read;
    if ((layer ? add_layer(tree, blob, name, read_entries, err)
               : read_entries(blob, name, place, tree, err)) < 0)
        return -1;
    romsim_tree_sweep(tree);
    return 0;
}
