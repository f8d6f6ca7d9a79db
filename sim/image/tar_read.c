/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tar_read.c: tar archives, by libarchive.
 *
 * Theory of operation: libarchive reads the blob from memory in one piece.  So the data blocks that
 * it hands out lie inside the blob, and a file's data is told as ranges of the blob.
 */
#include "sim/image/tar_read.h"
#include "sim/image/tar_acl.h"

#include <romsim/bounds.h>
#include <romsim/checked.h>
#include <romsim/text.h>
#include <romsim/vector.h>

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

/* Bytes of the archive after which the pages that were looked at are let go. */
enum { FORGET_STEP = 4 << 20, TAR_BLOCK = 512 };

DEFINE_VECTOR(extents, struct romsim_extent)
DEFINE_VECTOR(xattrs, struct entry_xattr)

struct tar {
    struct romsim_blob *blob;
    const char *name;
    struct archive *archive;
    int blocks_read;              /* by libarchive: the blob, then its padding */
    uint64_t forgotten;           /* the archive's bytes up to here have been let go */
    uint64_t data_bytes;          /* of all files so far */
    struct extents extents;       /* of the file at hand, kept to be used again */
    struct xattrs xattrs;         /* likewise */
    struct romsim_buffer acls[2]; /* likewise: the values of its ACLs */
    uint64_t acl_steps;           /* of all ACLs so far */
    bool is_begun;
};

static void tar_release(struct tar *tar)
{
    archive_read_free(tar->archive);
    extents_reset(&tar->extents);
    xattrs_reset(&tar->xattrs);
    for (size_t i = 0; i < 2; i++)
        romsim_buffer_reset(&tar->acls[i]);
}

static int tar_failed(const struct tar *tar, struct romsim_error *err)
{
    const char *why = archive_error_string(tar->archive);

    return romsim_error_set(err, archive_errno(tar->archive) == ENOMEM ? ENOMEM : EUCLEAN,
                            "'%s' cannot be read: %s", QUOTE(tar->name),
                            QUOTE(why ? why : "damaged archive"));
}

/* The blob in one piece and, because some writers (umoci 0.4) leave the last block of a tar short,
 * the zeros that are missing. */
static la_ssize_t read_block(struct archive *archive, void *context, const void **ret)
{
    static const uint8_t zeros[TAR_BLOCK];
    struct tar *tar = context;
    uint64_t size = romsim_blob_size(tar->blob);

    (void)archive;
    switch (tar->blocks_read++) {
    case 0:
        *ret = romsim_blob_bytes(tar->blob);
        return (la_ssize_t)size;
    case 1:
        *ret = zeros;
        return (la_ssize_t)((TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK);
    default:
        return 0;
    }
}

static int tar_open(struct tar *tar, struct romsim_error *err)
{
    tar->archive = archive_read_new();
    if (!tar->archive)
        return romsim_error_nomem(err);
    if (archive_read_support_format_tar(tar->archive) != ARCHIVE_OK ||
        archive_read_open(tar->archive, tar, NULL, read_block, NULL) != ARCHIVE_OK)
        return tar_failed(tar, err);
    return 0;
}

/* What was read of a large archive need not count as our memory. */
static void forget(struct tar *tar)
{
    uint64_t here = (uint64_t)archive_filter_bytes(tar->archive, 0);

    if (here < tar->forgotten + FORGET_STEP)
        return;
    romsim_blob_forget(tar->blob, tar->forgotten, here - tar->forgotten);
    tar->forgotten = here;
}

/* ---- a file's data ---------------------------------------------------------------------- */

/* Where in the blob a block that libarchive handed out stands.  At the end of an archive it may
 * be a copy; then the position of the reader tells. */
static int block_offset(const struct tar *tar, const void *bytes, size_t size, uint64_t *ret_offset,
                        struct romsim_error *err)
{
    const uint8_t *start = romsim_blob_bytes(tar->blob);
    uint64_t length = romsim_blob_size(tar->blob);
    uint64_t offset = (uint64_t)((uintptr_t)bytes - (uintptr_t)start);

    if (!range_is_inside(offset, size, length)) {
        offset = (uint64_t)archive_filter_bytes(tar->archive, 0);
        if (!range_is_inside(offset, size, length) || memcmp(start + offset, bytes, size) != 0)
            return romsim_error_set(err, EUCLEAN, "its data cannot be located in the archive");
    }
    *ret_offset = offset;
    return 0;
}

static int add_extent(struct tar *tar, struct romsim_extent extent, struct romsim_error *err)
{
    struct romsim_extent *last =
        tar->extents.count ? &tar->extents.items[tar->extents.count - 1] : NULL;

    if (last && last->file_offset + last->length == extent.file_offset &&
        last->source_offset + last->length == extent.source_offset) {
        last->length += extent.length;
        return 0;
    }
    if (last && extent.file_offset < last->file_offset + last->length)
        return romsim_error_set(err, EUCLEAN, "the pieces of a sparse file overlap");
    return extents_append(&tar->extents, extent) < 0 ? romsim_error_nomem(err) : 0;
}

/* Holes cost nothing to ship, but have to be hashed and read back as zeros. */
static int count_data(struct tar *tar, uint64_t size, struct romsim_error *err)
{
    uint64_t source = romsim_blob_source_size(tar->blob);
    uint64_t limit = romsim_bound_for(ROMSIM_BOUND_HOLE_BYTES, source);

    if (checked_add(tar->data_bytes, size, &tar->data_bytes) && tar->data_bytes <= limit)
        return 0;
    return romsim_bound_refuse(err, ROMSIM_BOUND_HOLE_BYTES,
                               "the files have more than %s in an archive of %s", SIZE_TEXT(limit),
                               SIZE_TEXT(source));
}

/* A piece of a file's data; what would lie outside of the file is damaged, not cut off. */
static int read_piece(struct tar *tar, const void *bytes, size_t length, int64_t offset,
                      uint64_t size, struct romsim_error *err)
{
    struct romsim_extent extent = {.file_offset = (uint64_t)offset, .length = length};

    if (length == 0)
        return 0;
    if (offset < 0 || !range_is_inside((uint64_t)offset, length, size))
        return romsim_error_set(err, EUCLEAN,
                                "a piece of a sparse file, %zu bytes at %lld, lies outside of its "
                                "%llu bytes",
                                length, (long long)offset, (unsigned long long)size);
    if (block_offset(tar, bytes, length, &extent.source_offset, err) < 0)
        return -1;
    return add_extent(tar, extent, err);
}

static int read_data(struct tar *tar, struct archive_entry *from, struct entry *ret,
                     struct romsim_error *err)
{
    int64_t size = archive_entry_size_is_set(from) ? archive_entry_size(from) : 0;
    uint64_t pieces = 0;
    const void *bytes;
    size_t length;
    la_int64_t offset;
    int status;

    if (size < 0)
        return romsim_error_set(err, EUCLEAN, "its size is negative");
    if (count_data(tar, (uint64_t)size, err) < 0)
        return -1;
    tar->extents.count = 0;
    while ((status = archive_read_data_block(tar->archive, &bytes, &length, &offset)) ==
           ARCHIVE_OK) {
        if (read_piece(tar, bytes, length, offset, (uint64_t)size, err) < 0)
            return -1;
        pieces += length;
    }
    if (status != ARCHIVE_EOF)
        return tar_failed(tar, err);
    /* libarchive reads a sparse file whose map it does not understand as one without holes. */
    if (pieces < (uint64_t)size && archive_entry_sparse_count(from) == 0)
        return romsim_error_set(err, EUCLEAN,
                                "it has %llu bytes of %lld, and no valid map of a sparse file",
                                (unsigned long long)pieces, (long long)size);
    ret->size = (uint64_t)size;
    ret->blob = tar->blob;
    ret->extents = tar->extents.items;
    ret->extent_count = tar->extents.count;
    return 0;
}

/* ---- entries ---------------------------------------------------------------------------- */

/* libarchive gives "-12.25" of a PAX header as -12 seconds and 250,000,000 nanoseconds. */
static void set_time(struct entry *entry, int64_t seconds, long nsec)
{
    if (nsec < 0 || nsec > 999999999)
        nsec = 0;
    if (seconds < 0 && seconds > INT64_MIN && nsec > 0) {
        seconds--;
        nsec = 1000000000 - nsec;
    }
    entry->mtime = seconds;
    entry->mtime_nsec = (uint32_t)nsec;
}

/* Does libarchive warn that it could not read an ACL of the entry, or not all of it? */
static bool acl_is_damaged(const struct tar *tar)
{
    const char *why = archive_error_string(tar->archive);

    return why && strstr(why, "SCHILY.acl");
}

/* The lists of NFSv4 have no place in EROFS; a link has none, and only a directory has a default.
 */
static int read_acls(struct tar *tar, struct archive_entry *from, struct entry *ret,
                     struct romsim_error *err)
{
    static const int types[] = {ARCHIVE_ENTRY_ACL_TYPE_ACCESS, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT};
    bool is_damaged = acl_is_damaged(tar);

    ret->lost_acl = is_damaged || (archive_entry_acl_types(from) & ARCHIVE_ENTRY_ACL_TYPE_NFS4);
    for (size_t i = 0; i < 2; i++) {
        bool has_place = !is_damaged && !S_ISLNK(ret->mode) && (i == 0 || S_ISDIR(ret->mode));
        struct entry_xattr xattr;
        bool is_lost;
        int found = tar_acl_read(from, types[i], &tar->acls[i], &ret->mode, &xattr, &is_lost, err);

        if (found < 0)
            return -1;
        ret->lost_acl = ret->lost_acl || is_lost || (found > 0 && !has_place);
        if (found > 0 && has_place && xattrs_append(&tar->xattrs, xattr) < 0)
            return romsim_error_nomem(err);
    }
    return 0;
}

static int read_xattrs(struct tar *tar, struct archive_entry *from, struct entry *ret,
                       struct romsim_error *err)
{
    struct entry_xattr xattr;

    tar->xattrs.count = 0;
    archive_entry_xattr_reset(from);
    while (archive_entry_xattr_next(from, &xattr.name, &xattr.value, &xattr.size) == ARCHIVE_OK)
        if (xattr.name && xattrs_append(&tar->xattrs, xattr) < 0)
            return romsim_error_nomem(err);
    return read_acls(tar, from, ret, err);
}

/* The entry as libarchive has it, up to its data. */
static int read_entry(struct tar *tar, struct archive_entry *from, struct entry *ret,
                      struct romsim_error *err)
{
    *ret = (struct entry){
        .path = archive_entry_pathname(from),
        .link = archive_entry_hardlink(from),
        .target = archive_entry_symlink(from),
        .mode = archive_entry_mode(from),
        .uid = archive_entry_uid(from),
        .gid = archive_entry_gid(from),
        .rdev_major = (uint32_t)archive_entry_rdevmajor(from),
        .rdev_minor = (uint32_t)archive_entry_rdevminor(from),
    };
    if (!ret->path || !*ret->path)
        return romsim_error_set(err, EUCLEAN, "'%s' has an entry without a usable name",
                                QUOTE(tar->name));
    set_time(ret, archive_entry_mtime(from), archive_entry_mtime_nsec(from));
    if (read_xattrs(tar, from, ret, err) < 0)
        return -1;
    ret->xattrs = tar->xattrs.items;
    ret->xattr_count = tar->xattrs.count;
    return 0;
}

static int show_entry(struct tar *tar, struct archive_entry *from, struct entry *entry,
                      entry_visitor *visit, void *context, struct romsim_error *err)
{
    if ((entry->link || S_ISREG(entry->mode)) && read_data(tar, from, entry, err) < 0)
        return -1;
    return visit(context, entry, err);
}

/* libarchive's time for ACLs is out of proportion to their size. */
static int count_acls(struct tar *tar, struct romsim_error *err)
{
    uint64_t limit = romsim_bound_for(ROMSIM_BOUND_ACL_STEPS, romsim_blob_source_size(tar->blob));
    uint64_t offset = (uint64_t)archive_filter_bytes(tar->archive, 0);
    uint64_t steps =
        tar_acl_steps(romsim_blob_bytes(tar->blob), romsim_blob_size(tar->blob), offset);

    if (checked_add(tar->acl_steps, steps, &tar->acl_steps) && tar->acl_steps <= limit)
        return 0;
    return romsim_bound_refuse(err, ROMSIM_BOUND_ACL_STEPS,
                               "'%s' has access control lists of too many entries",
                               QUOTE(tar->name));
}

/* Goes on to the next entry.  Returns libarchive's status, or ARCHIVE_FATAL with the error set. */
static int next_entry(struct tar *tar, struct archive_entry **ret, struct romsim_error *err)
{
    int status;

    if (tar->is_begun && archive_read_data_skip(tar->archive) != ARCHIVE_OK) {
        tar_failed(tar, err);
        return ARCHIVE_FATAL;
    }
    tar->is_begun = true;
    if (count_acls(tar, err) < 0)
        return ARCHIVE_FATAL;
    status = archive_read_next_header(tar->archive, ret);
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN && status != ARCHIVE_EOF)
        tar_failed(tar, err);
    return status;
}

static int read_all(struct tar *tar, entry_visitor *visit, void *context, struct romsim_error *err)
{
    struct archive_entry *from;
    struct entry entry;
    int status;

    if (tar_open(tar, err) < 0)
        return -1;
    while ((status = next_entry(tar, &from, err)) == ARCHIVE_OK || status == ARCHIVE_WARN) {
        if (read_entry(tar, from, &entry, err) < 0)
            return -1;
        if (show_entry(tar, from, &entry, visit, context, err) < 0)
            return romsim_error_context(err, "'%s': entry '%s'", QUOTE(tar->name),
                                        QUOTE(entry.path));
        forget(tar);
    }
    return status == ARCHIVE_EOF ? 0 : -1;
}

static void free_locale(locale_t *locale)
{
    if (*locale)
        freelocale(*locale);
}

/* libarchive turns the UTF-8 of PAX headers into the locale's own encoding: for that to be none
 * at all, this thread gets a UTF-8 locale meanwhile. */
int tar_read(struct romsim_blob *blob, const char *name, entry_visitor *visit, void *context,
             struct romsim_error *err)
{
    CLEANUP(tar_release)
    struct tar tar = {
        .blob = blob,
        .name = name,
        .acls = {ROMSIM_BUFFER_INIT(TAR_ACL_SIZE_MAX), ROMSIM_BUFFER_INIT(TAR_ACL_SIZE_MAX)},
    };
    CLEANUP(free_locale) locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    locale_t before = utf8 ? uselocale(utf8) : (locale_t)0;
    int status = read_all(&tar, visit, context, err);

    if (utf8)
        uselocale(before);
    return status;
}
