/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * write_xattr.c: extended attributes.
 *
 * What two or more inodes have, name and value, stands once in the shared area, and the inodes name
 * it by its place; what only one has stands behind its inode.  A name outside of EROFS's namespaces
 * (macOS's com.apple.*, what a file system of the host has of its own) is dropped from the tree.
 */
#include "sim/erofs/write.h"

#include <errno.h>
#include <romsim/text.h>
#include <romsim/vector.h>
#include <string.h>

enum {
    SHARED_PER_INODE_MAX = UINT8_MAX,
    VALUE_MAX = UINT16_MAX,
    AREA_MAX = sizeof(struct erofs_xattr_ibody_header) + (UINT16_MAX - 1) * EROFS_XATTR_ALIGNMENT
};

/* ---- names ------------------------------------------------------------------------------ */

static const struct prefix {
    const char *name;
    uint8_t index;
    bool whole; /* nothing follows */
} prefixes[] = {
    {"user.", EROFS_XATTR_INDEX_USER, false},
    {"system.posix_acl_access", EROFS_XATTR_INDEX_POSIX_ACL_ACCESS, true},
    {"system.posix_acl_default", EROFS_XATTR_INDEX_POSIX_ACL_DEFAULT, true},
    {"trusted.", EROFS_XATTR_INDEX_TRUSTED, false},
    {"security.", EROFS_XATTR_INDEX_SECURITY, false},
};

/* The number of a name's prefix, and what follows it in *ret_rest; 0 for a name that EROFS has no
 * place for. */
static uint8_t split_name(const char *name, const char **ret_rest)
{
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        size_t size = strlen(prefixes[i].name);

        if (strncmp(name, prefixes[i].name, size) != 0 || (name[size] == '\0') != prefixes[i].whole)
            continue;
        *ret_rest = name + size;
        return prefixes[i].index;
    }
    return 0;
}

static int check(const struct romsim_xattr *xattr, struct romsim_error *err)
{
    const char *rest = "";

    split_name(xattr->name, &rest);
    if (strlen(rest) > EROFS_NAME_LEN || xattr->value_size > VALUE_MAX)
        return romsim_error_set(err, E2BIG,
                                "the xattr '%s' has %zu bytes, more than EROFS can store",
                                QUOTE(xattr->name), xattr->value_size);
    return 0;
}

/* ---- one entry -------------------------------------------------------------------------- */

static uint32_t entry_size(const struct romsim_xattr *xattr)
{
    const char *rest = "";
    size_t size;

    split_name(xattr->name, &rest);
    size = sizeof(struct erofs_xattr_entry) + strlen(rest) + xattr->value_size;
    return (uint32_t)((size + EROFS_XATTR_ALIGNMENT - 1) & ~(size_t)(EROFS_XATTR_ALIGNMENT - 1));
}

static int put_entry(struct erofs_sink *sink, const struct romsim_xattr *xattr,
                     struct romsim_error *err)
{
    uint64_t end = erofs_sink_offset(sink) + entry_size(xattr);
    const char *rest = "";
    uint8_t index = split_name(xattr->name, &rest);
    const struct erofs_xattr_entry entry = {
        .e_name_len = (uint8_t)strlen(rest),
        .e_name_index = index,
        .e_value_size = le16_make((uint16_t)xattr->value_size),
    };

    if (erofs_sink_append(sink, &entry, sizeof(entry), err) < 0 ||
        erofs_sink_append(sink, rest, strlen(rest), err) < 0 ||
        erofs_sink_append(sink, xattr->value, xattr->value_size, err) < 0)
        return -1;
    return erofs_sink_pad_to(sink, end, err);
}

/* ---- sharing ---------------------------------------------------------------------------- */

static int compare(const struct romsim_xattr *a, const struct romsim_xattr *b)
{
    int order = strcmp(a->name, b->name);

    if (order == 0 && a->value_size != b->value_size)
        order = a->value_size < b->value_size ? -1 : 1;
    if (order == 0 && a->value_size > 0)
        order = memcmp(a->value, b->value, a->value_size);
    return order;
}

static int compare_shared(const void *a, const void *b)
{
    return compare(((const struct erofs_shared_xattr *)a)->xattr,
                   ((const struct erofs_shared_xattr *)b)->xattr);
}

DEFINE_VECTOR(shared_xattrs, struct erofs_shared_xattr);

static void drop_homeless(struct romsim_inode *inode)
{
    const char *rest;

    for (size_t i = 0; i < inode->xattr_count;)
        if (split_name(inode->xattrs[i].name, &rest) == 0)
            romsim_inode_drop_xattr(inode, i);
        else
            i++;
}

static int list_all(const struct erofs_writer *writer, struct shared_xattrs *ret,
                    struct romsim_error *err)
{
    for (size_t i = 0; i < writer->count; i++) {
        struct romsim_inode *inode = writer->nodes[i].inode;

        drop_homeless(inode);
        for (size_t j = 0; j < inode->xattr_count; j++) {
            if (check(&inode->xattrs[j], err) < 0)
                return erofs_writer_blame(writer, &writer->nodes[i], err);
            if (shared_xattrs_append(ret, (struct erofs_shared_xattr){&inode->xattrs[j], 0}) < 0)
                return romsim_error_nomem(err);
        }
    }
    return 0;
}

/* Keeps one of each that is there twice or more, and gives it its place.  Ids have 32 bits. */
static void keep_repeated(struct erofs_writer *writer, struct shared_xattrs *all)
{
    size_t kept = 0, next;

    for (size_t i = 0; i < all->count; i = next) {
        for (next = i + 1; next < all->count; next++)
            if (compare(all->items[i].xattr, all->items[next].xattr) != 0)
                break;
        if (next == i + 1 || writer->shared_size / EROFS_XATTR_ALIGNMENT > UINT32_MAX)
            continue;
        all->items[kept].xattr = all->items[i].xattr;
        all->items[kept].id = (uint32_t)(writer->shared_size / EROFS_XATTR_ALIGNMENT);
        writer->shared_size += entry_size(all->items[i].xattr);
        kept++;
    }
    all->count = kept;
}

int erofs_xattrs_collect(struct erofs_writer *writer, struct romsim_error *err)
{
    struct shared_xattrs all = {0};

    if (list_all(writer, &all, err) < 0) {
        shared_xattrs_reset(&all);
        return -1;
    }
    if (all.count > 0)
        qsort(all.items, all.count, sizeof(all.items[0]), compare_shared);
    keep_repeated(writer, &all);
    writer->shared = all.items;
    writer->shared_count = all.count;
    return 0;
}

static const struct erofs_shared_xattr *find_shared(const struct erofs_writer *writer,
                                                    const struct romsim_xattr *xattr)
{
    const struct erofs_shared_xattr key = {xattr, 0};

    if (writer->shared_count == 0)
        return NULL;
    return bsearch(&key, writer->shared, writer->shared_count, sizeof(key), compare_shared);
}

/* ---- an inode's area -------------------------------------------------------------------- */

/* The ids of an inode's shared xattrs, at most SHARED_PER_INODE_MAX; *ret_inline has the size of
 * all others. */
static uint8_t list_shared(const struct erofs_writer *writer, const struct romsim_inode *inode,
                           le32 *ret_ids, uint64_t *ret_inline)
{
    uint8_t count = 0;

    *ret_inline = 0;
    for (size_t i = 0; i < inode->xattr_count; i++) {
        const struct erofs_shared_xattr *shared = find_shared(writer, &inode->xattrs[i]);

        if (shared && count < SHARED_PER_INODE_MAX)
            ret_ids[count++] = le32_make(shared->id);
        else
            *ret_inline += entry_size(&inode->xattrs[i]);
    }
    return count;
}

int erofs_xattrs_size(const struct erofs_writer *writer, const struct romsim_inode *inode,
                      uint32_t *ret, struct romsim_error *err)
{
    le32 ids[SHARED_PER_INODE_MAX];
    uint64_t size;

    if (inode->xattr_count == 0) {
        *ret = 0;
        return 0;
    }
    size_t count = list_shared(writer, inode, ids, &size);
    size += sizeof(struct erofs_xattr_ibody_header) + count * sizeof(ids[0]);
    if (size > AREA_MAX)
        return romsim_error_set(err, E2BIG, "its xattrs need %llu bytes, EROFS has place for %u",
                                (unsigned long long)size, (unsigned)AREA_MAX);
    *ret = (uint32_t)size;
    return 0;
}

int erofs_xattrs_put(struct erofs_writer *writer, const struct romsim_inode *inode,
                     struct romsim_error *err)
{
    struct erofs_xattr_ibody_header header = {0};
    le32 ids[SHARED_PER_INODE_MAX];
    uint64_t rest;
    size_t shared = 0;

    if (inode->xattr_count == 0)
        return 0;
    header.h_shared_count = list_shared(writer, inode, ids, &rest);
    if (erofs_sink_append(&writer->sink, &header, sizeof(header), err) < 0 ||
        erofs_sink_append(&writer->sink, ids, header.h_shared_count * sizeof(ids[0]), err) < 0)
        return -1;
    for (size_t i = 0; i < inode->xattr_count; i++) {
        if (find_shared(writer, &inode->xattrs[i]) && shared++ < SHARED_PER_INODE_MAX)
            continue;
        if (put_entry(&writer->sink, &inode->xattrs[i], err) < 0)
            return -1;
    }
    return 0;
}

int erofs_xattrs_put_shared(struct erofs_writer *writer, struct romsim_error *err)
{
    for (size_t i = 0; i < writer->shared_count; i++)
        if (put_entry(&writer->sink, writer->shared[i].xattr, err) < 0)
            return -1;
    return 0;
}
