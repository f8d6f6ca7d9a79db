/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * archive.c: archives and container layers into a tree.
 *
 * Theory of operation: the archive lies in one blob, decompressed beforehand if need be, and
 * libarchive reads it from memory in one piece.  So the data blocks that it hands out lie inside
 * the blob, and a file's data is recorded as ranges of the blob instead of being copied.
 *
 * Names are resolved component by component in the tree: symbolic links of the tree are followed
 * inside the tree, ".." stops at its root, and no path of the host is ever made from them.
 *
 * A container layer is read twice: its whiteouts first, then its entries, because a whiteout hides
 * what the layers below have, wherever in the archive it stands (OCI image-spec, layer.md).
 */
#include "sim/image/decompress.h"
#include "sim/image/probe.h"

#include <romsim/bounds.h>
#include <romsim/checked.h>
#include <romsim/image.h>
#include <romsim/text.h>
#include <romsim/vector.h>

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <string.h>
#include <sys/stat.h>

/* Bytes of the archive after which the pages that were looked at are let go. */
enum { FORGET_STEP = 32 << 20, TAR_BLOCK = 512 };

/* What the files of an archive may have together, holes included, which cost nothing to ship but
 * have to be hashed and read back as zeros: this much, and so many times the archive's size. */
enum { HOLES_RATIO = 64 };

DEFINE_VECTOR(extents, struct romsim_extent)

struct import {
    struct romsim_tree *tree;
    struct romsim_blob *blob; /* the plain archive */
    const char *name;
    bool layer;
    struct archive *archive;
    int blocks_read;        /* by libarchive: the blob, then its padding */
    uint64_t forgotten;     /* the archive's bytes up to here have been let go */
    uint64_t data_bytes;    /* of all files so far */
    struct extents extents; /* of the file at hand, kept to be used again */
};

static void import_close(struct import *import)
{
    archive_read_free(import->archive);
    import->archive = NULL;
    import->blocks_read = 0;
    import->forgotten = 0;
}

static void import_release(struct import *import)
{
    import_close(import);
    extents_reset(&import->extents);
    romsim_blob_unref(import->blob);
}
#define CLEANUP_IMPORT CLEANUP(import_release)

static int archive_failed(const struct import *import, struct romsim_error *err)
{
    const char *why = archive_error_string(import->archive);

    return romsim_error_set(err, archive_errno(import->archive) == ENOMEM ? ENOMEM : EUCLEAN,
                            "'%s' cannot be read: %s", QUOTE(import->name),
                            QUOTE(why ? why : "damaged archive"));
}

/* The blob in one piece and, because some writers (umoci 0.4) leave the last block of a tar short,
 * the zeros that are missing. */
static la_ssize_t read_block(struct archive *archive, void *context, const void **ret)
{
    static const uint8_t zeros[TAR_BLOCK];
    struct import *import = context;
    uint64_t size = romsim_blob_size(import->blob);

    (void)archive;
    switch (import->blocks_read++) {
    case 0:
        *ret = romsim_blob_bytes(import->blob);
        return (la_ssize_t)size;
    case 1:
        *ret = zeros;
        return (la_ssize_t)((TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK);
    default:
        return 0;
    }
}

static int import_open(struct import *import, struct romsim_error *err)
{
    struct archive *archive = archive_read_new();

    if (!archive)
        return romsim_error_nomem(err);
    import->archive = archive;
    if (archive_read_support_format_tar(archive) != ARCHIVE_OK ||
        archive_read_support_format_cpio(archive) != ARCHIVE_OK ||
        archive_read_open(archive, import, NULL, read_block, NULL) != ARCHIVE_OK)
        return archive_failed(import, err);
    return 0;
}

/* What was read of a large archive need not count as our memory. */
static void forget(struct import *import)
{
    uint64_t here = (uint64_t)archive_filter_bytes(import->archive, 0);

    if (here < import->forgotten + FORGET_STEP)
        return;
    romsim_blob_forget(import->blob, import->forgotten, here - import->forgotten);
    import->forgotten = here;
}

/* ---- an entry's metadata and data ----------------------------------------------------- */

static void clear_xattrs(struct romsim_inode *inode)
{
    for (size_t i = 0; i < inode->xattr_count; i++) {
        free(inode->xattrs[i].name);
        free(inode->xattrs[i].value);
    }
    inode->xattr_count = 0;
}

/* An entry's xattrs are all that the inode has: what a layer below had given is gone. */
static int set_xattrs(struct romsim_inode *inode, struct archive_entry *entry,
                      struct romsim_error *err)
{
    const char *name;
    const void *value;
    size_t size;

    clear_xattrs(inode);
    archive_entry_xattr_reset(entry);
    while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
        if (name && romsim_inode_set_xattr(inode, name, value, size, err) < 0)
            return -1;
    }
    return 0;
}

/* libarchive gives "-12.25" of a PAX header as -12 seconds and 250,000,000 nanoseconds. */
static void set_time(struct romsim_inode *inode, int64_t seconds, long nsec)
{
    if (nsec < 0 || nsec > 999999999)
        nsec = 0;
    if (seconds < 0 && seconds > INT64_MIN && nsec > 0) {
        seconds--;
        nsec = 1000000000 - nsec;
    }
    inode->mtime = seconds;
    inode->mtime_nsec = (uint32_t)nsec;
}

static int set_metadata(struct romsim_inode *inode, struct archive_entry *entry,
                        struct romsim_error *err)
{
    int64_t uid = archive_entry_uid(entry), gid = archive_entry_gid(entry);

    if (uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX)
        return romsim_error_set(err, EUCLEAN, "the owner %lld:%lld is out of range", (long long)uid,
                                (long long)gid);
    inode->mode = (inode->mode & S_IFMT) | (archive_entry_perm(entry) & 07777);
    inode->uid = (uint32_t)uid;
    inode->gid = (uint32_t)gid;
    set_time(inode, archive_entry_mtime(entry), archive_entry_mtime_nsec(entry));
    inode->implied = false;
    return set_xattrs(inode, entry, err);
}

/* Where in the blob a block that libarchive handed out stands.  At the end of an archive it may
 * be a copy; then the position of the reader tells. */
static int block_offset(const struct import *import, const void *bytes, size_t size,
                        uint64_t *ret_offset, struct romsim_error *err)
{
    const uint8_t *start = romsim_blob_bytes(import->blob);
    uint64_t length = romsim_blob_size(import->blob);
    uint64_t offset = (uint64_t)((uintptr_t)bytes - (uintptr_t)start);

    if (!range_is_inside(offset, size, length)) {
        offset = (uint64_t)archive_filter_bytes(import->archive, 0);
        if (!range_is_inside(offset, size, length) || memcmp(start + offset, bytes, size) != 0)
            return romsim_error_set(err, EUCLEAN, "its data cannot be located in the archive");
    }
    *ret_offset = offset;
    return 0;
}

static int add_extent(struct import *import, struct romsim_extent extent, struct romsim_error *err)
{
    struct romsim_extent *last =
        import->extents.count ? &import->extents.items[import->extents.count - 1] : NULL;

    if (last && last->file_offset + last->length == extent.file_offset &&
        last->source_offset + last->length == extent.source_offset) {
        last->length += extent.length;
        return 0;
    }
    if (last && extent.file_offset < last->file_offset + last->length)
        return romsim_error_set(err, EUCLEAN, "the pieces of a sparse file overlap");
    return extents_append(&import->extents, extent) < 0 ? romsim_error_nomem(err) : 0;
}

static int count_data(struct import *import, uint64_t size, struct romsim_error *err)
{
    uint64_t plain = romsim_blob_size(import->blob);
    uint64_t limit = plain > UINT64_MAX / HOLES_RATIO ? UINT64_MAX : plain * HOLES_RATIO;

    limit = max_u64(limit, romsim_bound(ROMSIM_BOUND_HOLE_BYTES));
    if (checked_add(import->data_bytes, size, &import->data_bytes) && import->data_bytes <= limit)
        return 0;
    return romsim_bound_refuse(err, ROMSIM_BOUND_HOLE_BYTES,
                               "the files have more than %s in an archive of %s", SIZE_TEXT(limit),
                               SIZE_TEXT(plain));
}

static int set_data(struct import *import, struct romsim_inode *inode, struct archive_entry *entry,
                    struct romsim_error *err)
{
    int64_t size = archive_entry_size_is_set(entry) ? archive_entry_size(entry) : 0;
    struct romsim_extent extent;
    const void *bytes;
    size_t length;
    la_int64_t offset;
    int status;

    if (size < 0)
        return romsim_error_set(err, EUCLEAN, "its size is negative");
    if (count_data(import, (uint64_t)size, err) < 0)
        return -1;
    import->extents.count = 0;
    while ((status = archive_read_data_block(import->archive, &bytes, &length, &offset)) ==
           ARCHIVE_OK) {
        length = (size_t)min_u64(length, offset < size ? (uint64_t)(size - offset) : 0);
        if (length == 0)
            continue;
        extent = (struct romsim_extent){.file_offset = (uint64_t)offset, .length = length};
        if (block_offset(import, bytes, length, &extent.source_offset, err) < 0 ||
            add_extent(import, extent, err) < 0)
            return -1;
    }
    if (status != ARCHIVE_EOF)
        return archive_failed(import, err);
    return romsim_inode_set_extents(inode, (uint64_t)size, import->blob, import->extents.items,
                                    import->extents.count, err);
}

/* ---- placing an entry in the tree ----------------------------------------------------- */

/* Where an entry goes. */
struct slot {
    struct romsim_inode *directory; /* NULL: the entry is the root itself */
    const char *name;
    size_t name_size;
    struct romsim_dentry *existing; /* what has the name now, or NULL */
};

static int find_slot(struct import *import, const char *path, unsigned flags, struct slot *ret,
                     struct romsim_error *err)
{
    struct slot slot = {0};

    if (romsim_tree_walk(import->tree, path, flags, &slot.directory, &slot.name, &slot.name_size,
                         err) < 0)
        return -1;
    if (slot.name_size == 0)
        slot.directory = NULL;
    else
        slot.existing = romsim_tree_child(import->tree, slot.directory, slot.name, slot.name_size);
    *ret = slot;
    return 0;
}

/* A directory over a directory takes the new metadata and keeps what is in it. */
static int place_directory(struct import *import, const struct slot *slot,
                           struct archive_entry *entry, struct romsim_error *err)
{
    struct romsim_inode *inode = slot->directory ? NULL : romsim_tree_root(import->tree);
    struct romsim_dentry *dentry = slot->existing;

    if (dentry && !S_ISDIR(dentry->inode->mode)) {
        romsim_tree_remove(import->tree, dentry);
        dentry = NULL;
    }
    if (!inode && !dentry)
        dentry = romsim_tree_add(import->tree, slot->directory, slot->name, slot->name_size,
                                 S_IFDIR | 0755, err);
    if (!inode && !dentry)
        return -1;
    inode = inode ? inode : dentry->inode;
    return set_metadata(inode, entry, err);
}

/* The target is another entry's name, resolved from the root of the archive. */
static int place_link(struct import *import, const struct slot *slot, struct archive_entry *entry,
                      const char *target, struct romsim_error *err)
{
    struct slot source;
    struct romsim_inode *inode;

    if (find_slot(import, target, 0, &source, err) < 0 || !source.existing) {
        romsim_error_set(err, EUCLEAN, "a hard link to '%s', which is not there", QUOTE(target));
        return romsim_error_hint(err, "a link's target has to come before it, in this archive or "
                                      "in a layer below");
    }
    inode = source.existing->inode;
    if (S_ISDIR(inode->mode))
        return romsim_error_set(err, EUCLEAN, "a hard link to the directory '%s'", QUOTE(target));
    if (!slot->existing || slot->existing->inode != inode) {
        if (slot->existing)
            romsim_tree_remove(import->tree, slot->existing);
        /* The removal may have taken the target's own folder with it. */
        inode = romsim_tree_lookup(import->tree, target);
        if (!inode)
            return romsim_error_set(err, EUCLEAN, "a hard link in place of its own target '%s'",
                                    QUOTE(target));
        if (!romsim_tree_link(import->tree, slot->directory, slot->name, slot->name_size, inode,
                              err))
            return -1;
    }
    /* Some archives (cpio's newc) keep the data with the last of the names. */
    if (S_ISREG(inode->mode) && archive_entry_size_is_set(entry) && archive_entry_size(entry) > 0)
        return set_data(import, inode, entry, err);
    return 0;
}

static int place_inode(struct import *import, const struct slot *slot, struct archive_entry *entry,
                       struct romsim_error *err)
{
    const char *target = archive_entry_symlink(entry);
    struct romsim_dentry *dentry;
    struct romsim_inode *inode;

    if (slot->existing)
        romsim_tree_remove(import->tree, slot->existing);
    dentry = romsim_tree_add(import->tree, slot->directory, slot->name, slot->name_size,
                             archive_entry_mode(entry), err);
    if (!dentry)
        return -1;
    inode = dentry->inode;
    if (set_metadata(inode, entry, err) < 0)
        return -1;
    switch (inode->mode & S_IFMT) {
    case S_IFREG:
        return set_data(import, inode, entry, err);
    case S_IFLNK:
        target = target ? target : "";
        return romsim_inode_set_target(inode, target, strlen(target), err);
    case S_IFBLK:
    case S_IFCHR:
        inode->rdev_major = (uint32_t)archive_entry_rdevmajor(entry);
        inode->rdev_minor = (uint32_t)archive_entry_rdevminor(entry);
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

static int place_entry(struct import *import, const char *path, struct archive_entry *entry,
                       struct romsim_error *err)
{
    const char *target = archive_entry_hardlink(entry);
    struct slot slot;

    if (find_slot(import, path, ROMSIM_WALK_MAKE, &slot, err) < 0)
        return -1;
    if (!target && S_ISDIR(archive_entry_mode(entry)))
        return place_directory(import, &slot, entry, err);
    if (!slot.directory)
        return romsim_error_set(err, EUCLEAN, "the root of the archive is no directory");
    if (target)
        return place_link(import, &slot, entry, target, err);
    if (!type_is_known(archive_entry_mode(entry)))
        return romsim_error_set(err, EUCLEAN, "an unknown type of file (mode %o)",
                                (unsigned)archive_entry_mode(entry));
    return place_inode(import, &slot, entry, err);
}

/* ---- whiteouts ------------------------------------------------------------------------ */

static const char whiteout_prefix[] = ".wh.";
static const char opaque_name[] = ".wh..wh..opq";
static const char aufs_prefix[] = ".wh..wh."; /* AUFS's own files, which mean nothing to others */

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
static int apply_whiteout(struct import *import, const char *path, struct archive_entry *entry,
                          struct romsim_error *err)
{
    enum whiteout kind = whiteout_of(path);
    struct romsim_dentry *dentry;
    struct slot slot;

    (void)entry;
    if (kind == WHITEOUT_WRONG)
        return romsim_error_set(err, EUCLEAN, "a whiteout that names nothing");
    if (kind != WHITEOUT_NAME && kind != WHITEOUT_OPAQUE)
        return 0;
    if (find_slot(import, path, ROMSIM_WALK_NO_FOLLOW, &slot, NULL) < 0 || !slot.directory)
        return 0;
    if (kind == WHITEOUT_OPAQUE) {
        romsim_tree_remove_children(import->tree, slot.directory);
        return 0;
    }
    slot.name += strlen(whiteout_prefix);
    slot.name_size -= strlen(whiteout_prefix);
    dentry = romsim_tree_child(import->tree, slot.directory, slot.name, slot.name_size);
    if (dentry)
        romsim_tree_remove(import->tree, dentry);
    return 0;
}

static int place_layer_entry(struct import *import, const char *path, struct archive_entry *entry,
                             struct romsim_error *err)
{
    return whiteout_of(path) == WHITEOUT_NONE ? place_entry(import, path, entry, err) : 0;
}

/* ---- all entries ---------------------------------------------------------------------- */

typedef int entry_function(struct import *import, const char *path, struct archive_entry *entry,
                           struct romsim_error *err);

static int each_entry(struct import *import, entry_function *function, struct romsim_error *err)
{
    struct archive_entry *entry;
    const char *path;
    int status;

    if (import_open(import, err) < 0)
        return -1;
    while ((status = archive_read_next_header(import->archive, &entry)) == ARCHIVE_OK ||
           status == ARCHIVE_WARN) {
        path = archive_entry_pathname(entry);
        if (!path || !*path)
            return romsim_error_set(err, EUCLEAN, "'%s' has an entry without a usable name",
                                    QUOTE(import->name));
        if (function(import, path, entry, err) < 0)
            return romsim_error_context(err, "'%s': entry '%s'", QUOTE(import->name), QUOTE(path));
        forget(import);
    }
    if (status != ARCHIVE_EOF)
        return archive_failed(import, err);
    import_close(import);
    return 0;
}

static void free_locale(locale_t *locale)
{
    if (*locale)
        freelocale(*locale);
}

/* libarchive turns the UTF-8 of PAX headers into the locale's own encoding: for that to be none
 * at all, this thread gets a UTF-8 locale meanwhile. */
static int import_all(struct import *import, struct romsim_error *err)
{
    CLEANUP(free_locale) locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    locale_t before = utf8 ? uselocale(utf8) : (locale_t)0;
    int status = import->layer ? each_entry(import, apply_whiteout, err) : 0;

    if (status == 0)
        status = each_entry(import, import->layer ? place_layer_entry : place_entry, err);
    if (utf8)
        uselocale(before);
    return status;
}

int romsim_tree_add_archive(struct romsim_tree *tree, struct romsim_blob *archive, bool layer,
                            const char *name, struct romsim_error *err)
{
    CLEANUP_IMPORT struct import import = {.tree = tree, .name = name, .layer = layer};
    enum image_form form;

    import.blob = image_decompress(archive, name, err);
    if (!import.blob)
        return -1;
    form = image_form_probe(romsim_blob_bytes(import.blob), romsim_blob_size(import.blob));
    if (layer && form == FORM_EMPTY)
        return 0; /* some tools write a layer without entries as no bytes at all */
    if (form != FORM_TAR && form != FORM_CPIO) {
        romsim_error_set(err, EINVAL, "'%s' is %s, not an archive", QUOTE(name),
                         image_form_name(form));
        return romsim_error_hint(err, "tar and cpio archives are read, plain or compressed with "
                                      "gzip, xz, zstd or lz4");
    }
    return import_all(&import, err);
}
