/* SPDX-License-Identifier: BSD-3-Clause */
/* tree_data.c: what the files of a tree contain: data, link targets, xattrs. */
#include <romsim/bounds.h>
#include <romsim/checked.h>
#include <romsim/file.h>
#include <romsim/text.h>
#include <romsim/tree.h>
#include <romsim/vector.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    HOLES_WORTH_ASKING = 1 << 20, /* asking costs as much as reading a small file */
    PIECES_MAX = 1 << 16
};

DEFINE_VECTOR(pieces, struct romsim_extent)

enum { PIECE_COST = 16, XATTR_COST = 48 }; /* malloc's part; and the place in what sorts them */

static int64_t data_cost(const struct romsim_data *data)
{
    if (data->extent_count == 0)
        return 0;
    return (int64_t)(PIECE_COST + data->extent_count * sizeof(*data->extents));
}

static void release_data(struct romsim_data *data)
{
    romsim_blob_unref(data->blob);
    free(data->extents);
    if (data->host) {
        romsim_hostdir_unref(data->host->directory);
        free(data->host);
    }
    *data = (struct romsim_data){.kind = ROMSIM_DATA_ZERO};
}

void romsim_inode_clear_data(struct romsim_inode *inode)
{
    if (S_ISREG(inode->mode)) /* a symlink's size is its target's */
        romsim_tree_count_data(inode->tree, inode->size, 0);
    romsim_tree_count_memory(inode->tree, -data_cost(&inode->data), NULL);
    release_data(&inode->data);
    inode->size = 0;
}

/* Replaces a file's data, if the tree's limits allow for it.  Takes what `data` owns in either
 * case. */
static int replace_data(struct romsim_inode *inode, struct romsim_data data, uint64_t size,
                        struct romsim_error *err)
{
    romsim_inode_clear_data(inode);
    if (romsim_tree_count_memory(inode->tree, data_cost(&data), err) < 0) {
        release_data(&data);
        return -1;
    }
    inode->data = data;
    if (romsim_tree_count_data(inode->tree, 0, size) < 0) {
        romsim_inode_clear_data(inode);
        return romsim_bound_refuse(err, ROMSIM_BOUND_DATA_BYTES,
                                   "the files have more than %s of data together",
                                   SIZE_TEXT(romsim_tree_data_limit(inode->tree)));
    }
    inode->size = size;
    return 0;
}

int romsim_inode_set_bytes(struct romsim_inode *inode, const void *bytes, uint64_t size,
                           struct romsim_error *err)
{
    CLEANUP_BLOB struct romsim_blob *blob = NULL;

    if (size == 0)
        return replace_data(inode, (struct romsim_data){0}, 0, err);
    blob = romsim_blob_from_bytes(bytes, size, err);
    return blob ? romsim_inode_set_blob(inode, blob, err) : -1;
}

/* The pieces of a blob between its holes; of very many the last one goes to the end. */
static int list_pieces(struct romsim_blob *blob, struct pieces *pieces)
{
    uint64_t start, end;

    for (uint64_t at = 0; romsim_blob_next_data(blob, at, &start, &end); at = end) {
        if (pieces->count + 1 == PIECES_MAX)
            end = romsim_blob_size(blob);
        if (pieces_append(pieces, (struct romsim_extent){start, start, end - start}) < 0)
            return -1;
    }
    return 0;
}

int romsim_inode_set_blob(struct romsim_inode *inode, struct romsim_blob *blob,
                          struct romsim_error *err)
{
    struct romsim_extent whole = {.length = romsim_blob_size(blob)};
    struct pieces pieces = {0};
    int status;

    if (whole.length < HOLES_WORTH_ASKING)
        return romsim_inode_set_extents(inode, whole.length, blob, &whole, whole.length > 0, err);
    if (list_pieces(blob, &pieces) < 0)
        status = romsim_error_nomem(err);
    else
        status =
            romsim_inode_set_extents(inode, whole.length, blob, pieces.items, pieces.count, err);
    pieces_reset(&pieces);
    return status;
}

int romsim_inode_set_host_file(struct romsim_inode *inode, struct romsim_hostdir *directory,
                               const char *path, const struct stat *st, struct romsim_error *err)
{
    size_t size = strlen(path) + 1;
    struct romsim_host_file *host = malloc(sizeof(*host) + size);

    if (!host)
        return romsim_error_nomem(err);
    host->directory = romsim_hostdir_ref(directory);
    romsim_identity_of(st, &host->identity);
    memcpy(host->path, path, size);
    return replace_data(inode, (struct romsim_data){.kind = ROMSIM_DATA_HOST, .host = host},
                        (uint64_t)st->st_size, err);
}

static bool extents_are_valid(uint64_t size, const struct romsim_blob *blob,
                              const struct romsim_extent *extents, size_t count)
{
    uint64_t end = 0;

    for (size_t i = 0; i < count; i++) {
        const struct romsim_extent *extent = &extents[i];

        if (extent->file_offset < end || extent->length == 0 ||
            !range_is_inside(extent->file_offset, extent->length, size) ||
            !range_is_inside(extent->source_offset, extent->length, romsim_blob_size(blob)))
            return false;
        end = extent->file_offset + extent->length;
    }
    return true;
}

int romsim_inode_set_extents(struct romsim_inode *inode, uint64_t size, struct romsim_blob *blob,
                             const struct romsim_extent *extents, size_t count,
                             struct romsim_error *err)
{
    struct romsim_data data = {.kind = ROMSIM_DATA_BLOB, .extent_count = count};

    if (count == 0)
        return replace_data(inode, (struct romsim_data){0}, size, err);
    if (!extents_are_valid(size, blob, extents, count))
        return romsim_error_set(err, EINVAL, "a file's pieces overlap or lie outside");
    data.extents = calloc(count, sizeof(*extents));
    if (!data.extents)
        return romsim_error_nomem(err);
    memcpy(data.extents, extents, count * sizeof(*extents));
    data.blob = romsim_blob_ref(blob);
    return replace_data(inode, data, size, err);
}

int romsim_inode_set_target(struct romsim_inode *inode, const char *target, size_t size,
                            struct romsim_error *err)
{
    char *copy;

    if (size == 0 || size > ROMSIM_TARGET_MAX || memchr(target, '\0', size))
        return romsim_error_set(err, EINVAL, "a symbolic link's target %s",
                                size == 0                  ? "is empty"
                                : size > ROMSIM_TARGET_MAX ? "is longer than 4095 bytes"
                                                           : "contains a NUL byte");
    romsim_inode_clear_target(inode);
    if (romsim_tree_count_memory(inode->tree, (int64_t)size + PIECE_COST, err) < 0)
        return -1;
    copy = strndup(target, size);
    if (!copy)
        return romsim_error_nomem(err);
    inode->target = copy;
    inode->size = size;
    return 0;
}

void romsim_inode_clear_target(struct romsim_inode *inode)
{
    if (inode->target)
        romsim_tree_count_memory(inode->tree, -(int64_t)strlen(inode->target) - PIECE_COST, NULL);
    free(inode->target);
    inode->target = NULL;
}

/* ---- xattrs ----------------------------------------------------------------------------- */

static int64_t xattr_cost(const char *name, size_t value_size)
{
    return (int64_t)(sizeof(struct romsim_xattr) + XATTR_COST + strlen(name) + value_size);
}

int romsim_inode_set_xattr(struct romsim_inode *inode, const char *name, const void *value,
                           size_t value_size, struct romsim_error *err)
{
    CLEANUP_FREE char *name_copy = strdup(name);
    CLEANUP_FREE void *value_copy = value_size > 0 ? malloc(value_size) : NULL;
    struct romsim_xattr *xattrs;
    size_t at = 0;

    if (!name_copy || (value_size > 0 && !value_copy))
        return romsim_error_nomem(err);
    if (value_size > 0)
        memcpy(value_copy, value, value_size);
    while (at < inode->xattr_count && strcmp(inode->xattrs[at].name, name) < 0)
        at++;
    if (at < inode->xattr_count && strcmp(inode->xattrs[at].name, name) == 0) {
        romsim_tree_count_memory(inode->tree, -xattr_cost(name, inode->xattrs[at].value_size),
                                 NULL);
        if (romsim_tree_count_memory(inode->tree, xattr_cost(name, value_size), err) < 0)
            return -1;
        free(inode->xattrs[at].value);
        inode->xattrs[at].value = STEAL_POINTER(&value_copy);
        inode->xattrs[at].value_size = value_size;
        return 0;
    }
    if (inode->xattr_count >= romsim_bound(ROMSIM_BOUND_XATTRS))
        return romsim_bound_refuse(err, ROMSIM_BOUND_XATTRS, "more than %zu extended attributes",
                                   inode->xattr_count);
    xattrs = reallocarray(inode->xattrs, inode->xattr_count + 1, sizeof(*xattrs));
    if (!xattrs)
        return romsim_error_nomem(err);
    inode->xattrs = xattrs;
    if (romsim_tree_count_memory(inode->tree, xattr_cost(name, value_size), err) < 0)
        return -1;
    memmove(xattrs + at + 1, xattrs + at, (inode->xattr_count - at) * sizeof(*xattrs));
    xattrs[at] = (struct romsim_xattr){.name = STEAL_POINTER(&name_copy),
                                       .value = STEAL_POINTER(&value_copy),
                                       .value_size = value_size};
    inode->xattr_count++;
    return 0;
}

void romsim_inode_clear_xattrs(struct romsim_inode *inode)
{
    for (size_t i = 0; i < inode->xattr_count; i++) {
        romsim_tree_count_memory(
            inode->tree, -xattr_cost(inode->xattrs[i].name, inode->xattrs[i].value_size), NULL);
        free(inode->xattrs[i].name);
        free(inode->xattrs[i].value);
    }
    free(inode->xattrs);
    inode->xattrs = NULL;
    inode->xattr_count = 0;
}

void romsim_inode_drop_xattr(struct romsim_inode *inode, size_t index)
{
    struct romsim_tree_notes *notes = romsim_tree_notes(inode->tree);
    struct romsim_xattr *xattr = &inode->xattrs[index];

    if (notes->dropped_xattrs++ == 0)
        snprintf(notes->dropped_xattr, sizeof(notes->dropped_xattr), "%s", xattr->name);
    romsim_tree_count_memory(inode->tree, -xattr_cost(xattr->name, xattr->value_size), NULL);
    free(xattr->name);
    free(xattr->value);
    inode->xattr_count--;
    memmove(xattr, xattr + 1, (inode->xattr_count - index) * sizeof(*xattr));
}

/* ---- reading ---------------------------------------------------------------------------- */

static int open_host_file(const struct romsim_host_file *host, struct romsim_error *err)
{
    return romsim_hostdir_open_file(host->directory, host->path, &host->identity, err);
}

/* What reading a host's file came to: it must not have changed until then. */
static int end_host_file(const struct romsim_host_file *host, int fd, int errnum,
                         struct romsim_error *err)
{
    if (errnum == ENODATA)
        return romsim_hostdir_changed(host->directory, host->path, err);
    if (errnum != 0)
        return romsim_error_system(err, errnum, "cannot copy '%s'", QUOTE(host->path));
    return romsim_hostdir_check_file(host->directory, host->path, &host->identity, fd, err);
}

static int read_host_file(const struct romsim_host_file *host, uint64_t offset, void *buffer,
                          size_t size, struct romsim_error *err)
{
    CLEANUP_FD int fd = open_host_file(host, err);

    return fd < 0 ? -1 : end_host_file(host, fd, romsim_read_fully(fd, buffer, size, offset), err);
}

/* The first extent that ends after `offset`. */
static size_t find_extent(const struct romsim_data *data, uint64_t offset)
{
    size_t low = 0, high = data->extent_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (data->extents[middle].file_offset + data->extents[middle].length <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Read through the file, not through the mapping: the pages of a large archive would all come to
 * count as this process's memory.  What no extent covers is zeros. */
static int read_extents(const struct romsim_data *data, uint64_t offset, char *buffer, size_t size)
{
    uint64_t base, at = offset, end = offset + size;
    int fd = romsim_blob_fd(data->blob, &base), errnum;

    for (size_t i = find_extent(data, offset); i < data->extent_count && at < end; i++) {
        const struct romsim_extent *extent = &data->extents[i];
        uint64_t start = max_u64(extent->file_offset, at);
        uint64_t stop = min_u64(extent->file_offset + extent->length, end);

        if (start >= end)
            break;
        memset(buffer + (at - offset), 0, start - at);
        errnum = romsim_read_fully(fd, buffer + (start - offset), stop - start,
                                   base + extent->source_offset + (start - extent->file_offset));
        if (errnum != 0)
            return errnum;
        at = stop;
    }
    memset(buffer + (at - offset), 0, end - at);
    return 0;
}

int romsim_inode_read(const struct romsim_inode *inode, uint64_t offset, void *buffer, size_t size,
                      struct romsim_error *err)
{
    int errnum;

    if (!range_is_inside(offset, size, inode->size))
        return romsim_error_set(err, EINVAL, "a read outside of a file");
    switch (inode->data.kind) {
    case ROMSIM_DATA_ZERO:
        memset(buffer, 0, size);
        return 0;
    case ROMSIM_DATA_BLOB:
        errnum = read_extents(&inode->data, offset, buffer, size);
        return errnum ? romsim_error_system(err, errnum, "cannot read a file's data") : 0;
    case ROMSIM_DATA_HOST:
        return read_host_file(inode->data.host, offset, buffer, size, err);
    }
    return romsim_error_set(err, EINVAL, "unknown kind of data");
}

/* What cannot be asked is no hole; a file that changed is found out by whoever reads it. */
static uint64_t host_hole(const struct romsim_inode *inode, uint64_t offset)
{
    CLEANUP_FD int fd = -1;
    uint64_t start, end;

    if (inode->size - offset < HOLES_WORTH_ASKING ||
        (fd = open_host_file(inode->data.host, NULL)) < 0)
        return 0;
    return romsim_next_data(fd, offset, inode->size, &start, &end) ? start - offset
                                                                   : inode->size - offset;
}

uint64_t romsim_inode_hole(const struct romsim_inode *inode, uint64_t offset)
{
    const struct romsim_data *data = &inode->data;
    size_t next;

    if (offset >= inode->size || data->kind == ROMSIM_DATA_ZERO)
        return inode->size - min_u64(offset, inode->size);
    if (data->kind == ROMSIM_DATA_HOST)
        return host_hole(inode, offset);
    next = find_extent(data, offset);
    if (next == data->extent_count)
        return inode->size - offset;
    return max_u64(data->extents[next].file_offset, offset) - offset;
}

/* Copies what is not a hole. */
static int copy_host_file(const struct romsim_inode *inode, int to, uint64_t to_offset,
                          struct romsim_error *err)
{
    const struct romsim_host_file *host = inode->data.host;
    CLEANUP_FD int fd = open_host_file(host, err);

    if (fd < 0)
        return -1;
    return end_host_file(host, fd, romsim_copy_data(fd, 0, to, to_offset, inode->size), err);
}

static int copy_extents(const struct romsim_data *data, int to, uint64_t to_offset,
                        struct romsim_error *err)
{
    const uint8_t *bytes = romsim_blob_bytes(data->blob);

    for (size_t i = 0; i < data->extent_count; i++) {
        const struct romsim_extent *extent = &data->extents[i];
        int errnum = romsim_write_fully(to, bytes + extent->source_offset, extent->length,
                                        to_offset + extent->file_offset);

        if (errnum != 0)
            return romsim_error_write(err, errnum, to, "write a file's data");
    }
    return 0;
}

int romsim_inode_copy(const struct romsim_inode *inode, int fd, uint64_t offset,
                      struct romsim_error *err)
{
    switch (inode->data.kind) {
    case ROMSIM_DATA_ZERO:
        return 0;
    case ROMSIM_DATA_BLOB:
        return copy_extents(&inode->data, fd, offset, err);
    case ROMSIM_DATA_HOST:
        return copy_host_file(inode, fd, offset, err);
    }
    return romsim_error_set(err, EINVAL, "unknown kind of data");
}
