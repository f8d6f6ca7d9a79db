/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * xattr.c: extended attributes: those behind an inode, and those that inodes share.
 *
 * As the kernel lists them: the inline ones first; one whose name's prefix is not known is passed
 * over.
 */
#include "reader.h"

#include <romsim/text.h>

#include <errno.h>

/* Above every position in an area, which is of 256 KiB at most. */
#define CURSOR_SHARED (UINT64_C(1) << 32)

/* ---- names ------------------------------------------------------------------------------ */

static const char *const base_prefixes[] = {
    [EROFS_XATTR_INDEX_USER] = "user.",
    [EROFS_XATTR_INDEX_POSIX_ACL_ACCESS] = "system.posix_acl_access",
    [EROFS_XATTR_INDEX_POSIX_ACL_DEFAULT] = "system.posix_acl_default",
    [EROFS_XATTR_INDEX_TRUSTED] = "trusted.",
    [EROFS_XATTR_INDEX_SECURITY] = "security.",
};

/* What stands before the name in an entry. */
struct prefix {
    const char *base;
    const char *infix;
    size_t infix_size;
};

static const char *base_prefix(unsigned index)
{
    return index < sizeof(base_prefixes) / sizeof(base_prefixes[0]) ? base_prefixes[index] : NULL;
}

static bool find_prefix(const struct romsim_erofs *erofs, uint8_t index, struct prefix *ret)
{
    const struct erofs_prefix *prefix;

    if (!(index & EROFS_XATTR_LONG_PREFIX)) {
        *ret = (struct prefix){base_prefix(index), "", 0};
        return ret->base;
    }
    index &= EROFS_XATTR_LONG_PREFIX_MASK;
    if (index >= erofs->prefix_count)
        return false;
    prefix = &erofs->prefixes[index];
    *ret = (struct prefix){base_prefix(prefix->base), prefix->infix, prefix->size};
    return ret->base;
}

/* Where the table of long prefixes is: in the metabox, the packed inode or the image itself. */
static int prefix_read(struct romsim_erofs *erofs, uint64_t offset, void *buffer, size_t size,
                       struct romsim_error *err)
{
    bool plain = erofs->super.feature_compat & EROFS_FEATURE_COMPAT_PLAIN_XATTR_PFX;
    size_t got;

    if (plain || (!erofs->has_metabox && !erofs->packed.nid))
        return erofs_meta_read(erofs, false, offset, buffer, size, "xattr prefixes", err);
    if (erofs->has_metabox)
        return erofs_meta_read(erofs, true, offset, buffer, size, "xattr prefixes", err);
    if (romsim_erofs_read(erofs, &erofs->packed, offset, buffer, size, &got, err) < 0)
        return -1;
    if (got == size)
        return 0;
    return romsim_error_set(err, EUCLEAN, "xattr prefixes at %llu are beyond the packed inode",
                            (unsigned long long)offset);
}

static int load_prefix(struct romsim_erofs *erofs, uint64_t *offset, struct erofs_prefix *prefix,
                       struct romsim_error *err)
{
    uint64_t position = (*offset + 3) & ~UINT64_C(3);
    struct erofs_xattr_long_prefix head;
    le16 size;

    if (prefix_read(erofs, position, &size, sizeof(size), err) < 0)
        return -1;
    if (le16_get(size) < sizeof(head) || le16_get(size) > sizeof(head) + EROFS_NAME_LEN)
        return romsim_error_set(err, EUCLEAN, "a long xattr prefix of %u bytes", le16_get(size));
    position += sizeof(size);
    prefix->size = le16_get(size) - sizeof(head);
    if (prefix_read(erofs, position, &head, sizeof(head), err) < 0 ||
        prefix_read(erofs, position + sizeof(head), prefix->infix, prefix->size, err) < 0)
        return -1;
    prefix->base = head.base_index;
    if (memchr(prefix->infix, 0, prefix->size))
        return romsim_error_set(err, EUCLEAN, "a long xattr prefix with a NUL in it");
    *offset = position + le16_get(size);
    return 0;
}

int erofs_xattr_load_prefixes(struct romsim_erofs *erofs, const struct erofs_super_block *disk,
                              struct romsim_error *err)
{
    uint64_t offset = (uint64_t)le32_get(disk->xattr_prefix_start) << 2;
    unsigned count = disk->xattr_prefix_count;

    if (!count)
        return 0;
    erofs->prefixes = calloc(count, sizeof(erofs->prefixes[0]));
    if (!erofs->prefixes)
        return romsim_error_nomem(err);
    for (; erofs->prefix_count < count; erofs->prefix_count++)
        if (load_prefix(erofs, &offset, &erofs->prefixes[erofs->prefix_count], err) < 0)
            return -1;
    return 0;
}

/* ---- entries ---------------------------------------------------------------------------- */

/* The xattrs of an inode, while one is looked for. */
struct xattr_area {
    struct romsim_erofs *erofs;
    const struct romsim_erofs_inode *inode;
    bool in_metabox;
    uint64_t start;        /* of the area, in its address space */
    uint32_t inline_start; /* behind the header and the shared ids */
    uint32_t shared_count;
};

/* Where an entry is, and what its head says. */
struct xattr_place {
    bool in_metabox;
    uint64_t offset;
    struct erofs_xattr_entry entry;
};

static int open_area(struct romsim_erofs *erofs, const struct romsim_erofs_inode *inode,
                     struct xattr_area *ret, struct romsim_error *err)
{
    struct erofs_xattr_ibody_header header;

    *ret = (struct xattr_area){
        .erofs = erofs,
        .inode = inode,
        .in_metabox = erofs_nid_in_metabox(inode->nid),
        .start = inode->data_start - inode->xattr_size,
    };
    if (erofs_meta_read(erofs, ret->in_metabox, ret->start, &header, sizeof(header), "xattrs",
                        err) < 0)
        return -1;
    ret->shared_count = header.h_shared_count;
    ret->inline_start = sizeof(header) + ret->shared_count * (uint32_t)sizeof(le32);
    if (ret->inline_start > inode->xattr_size)
        return romsim_error_set(
            err, EUCLEAN, "nid %llu: %u shared xattrs in an xattr area of %u bytes",
            (unsigned long long)inode->nid, ret->shared_count, inode->xattr_size);
    return 0;
}

/* The whole entry's size, to the next one. */
static uint32_t entry_size(const struct erofs_xattr_entry *entry)
{
    uint32_t size = sizeof(*entry) + entry->e_name_len + le16_get(entry->e_value_size);

    return (size + EROFS_XATTR_ALIGNMENT - 1) & ~(EROFS_XATTR_ALIGNMENT - 1);
}

/* The inline entry at *position of the area; moves *position behind it.  1, 0 at the end, -1. */
static int next_inline(const struct xattr_area *area, uint32_t *position, struct xattr_place *ret,
                       struct romsim_error *err)
{
    uint32_t rest = area->inode->xattr_size - *position;

    if (rest < sizeof(ret->entry))
        return 0;
    ret->in_metabox = area->in_metabox;
    ret->offset = area->start + *position;
    if (erofs_meta_read(area->erofs, ret->in_metabox, ret->offset, &ret->entry, sizeof(ret->entry),
                        "xattr", err) < 0)
        return -1;
    if (entry_size(&ret->entry) > rest)
        return romsim_error_set(
            err, EUCLEAN, "nid %llu: an xattr of %u bytes where the area has %u left",
            (unsigned long long)area->inode->nid, entry_size(&ret->entry), rest);
    *position += entry_size(&ret->entry);
    return 1;
}

static int shared_place(const struct xattr_area *area, uint32_t index, struct xattr_place *ret,
                        struct romsim_error *err)
{
    const struct romsim_erofs *erofs = area->erofs;
    uint64_t table = area->start + sizeof(struct erofs_xattr_ibody_header);
    le32 id;

    if (erofs_meta_read(area->erofs, area->in_metabox, table + index * sizeof(id), &id, sizeof(id),
                        "shared xattr's id", err) < 0)
        return -1;
    ret->in_metabox = erofs->has_metabox &&
                      (erofs->super.feature_compat & EROFS_FEATURE_COMPAT_SHARED_EA_IN_METABOX);
    ret->offset = ((uint64_t)erofs->super.xattr_block << erofs->super.block_bits) +
                  (uint64_t)le32_get(id) * sizeof(le32);
    return erofs_meta_read(area->erofs, ret->in_metabox, ret->offset, &ret->entry,
                           sizeof(ret->entry), "shared xattr", err);
}

static int load_xattr(struct romsim_erofs *erofs, const struct xattr_place *place,
                      const struct prefix *prefix, struct romsim_xattr *ret,
                      struct romsim_error *err)
{
    size_t base = strlen(prefix->base), head = base + prefix->infix_size;
    size_t name_size = place->entry.e_name_len, value_size = le16_get(place->entry.e_value_size);
    uint64_t offset = place->offset + sizeof(place->entry);
    CLEANUP_FREE char *name = calloc(1, head + name_size + 1);
    CLEANUP_FREE void *value = malloc(value_size + 1);

    if (!name || !value)
        return romsim_error_nomem(err);
    memcpy(name, prefix->base, base);
    memcpy(name + base, prefix->infix, prefix->infix_size);
    if (erofs_meta_read(erofs, place->in_metabox, offset, name + head, name_size, "xattr's name",
                        err) < 0 ||
        erofs_meta_read(erofs, place->in_metabox, offset + name_size, value, value_size,
                        "xattr's value", err) < 0)
        return -1;
    if (memchr(name, 0, head + name_size))
        return romsim_error_set(err, EUCLEAN, "an xattr's name with a NUL in it");
    ret->name = STEAL_POINTER(&name);
    ret->value = STEAL_POINTER(&value);
    ret->value_size = value_size;
    return 1;
}

/*
 * Moves to the next xattr whose prefix is known.  A cursor is a position in the area while it is
 * over the inline ones, which 0 is not; then CURSOR_SHARED plus the number of the next shared one.
 */
static int next_place(const struct xattr_area *area, uint64_t *cursor, struct xattr_place *ret,
                      struct prefix *ret_prefix, struct romsim_error *err)
{
    uint32_t position = max_u64(min_u64(*cursor, area->inode->xattr_size), area->inline_start);
    uint64_t shared = *cursor < CURSOR_SHARED ? 0 : *cursor - CURSOR_SHARED;
    int found;

    while (*cursor < CURSOR_SHARED) {
        found = next_inline(area, &position, ret, err);
        if (found < 0)
            return -1;
        *cursor = found ? position : CURSOR_SHARED;
        if (found && find_prefix(area->erofs, ret->entry.e_name_index, ret_prefix))
            return 1;
    }
    while (shared < area->shared_count) {
        if (shared_place(area, shared, ret, err) < 0)
            return -1;
        *cursor = CURSOR_SHARED + ++shared;
        if (find_prefix(area->erofs, ret->entry.e_name_index, ret_prefix))
            return 1;
    }
    return 0;
}

int romsim_erofs_xattr(struct romsim_erofs *erofs, const struct romsim_erofs_inode *inode,
                       uint64_t *cursor, struct romsim_xattr *ret, struct romsim_error *err)
{
    struct xattr_area area;
    struct xattr_place place = {0};
    struct prefix prefix;
    int found;

    if (!inode->xattr_size)
        return 0;
    if (open_area(erofs, inode, &area, err) < 0)
        return -1;
    found = next_place(&area, cursor, &place, &prefix, err);
    return found == 1 ? load_xattr(erofs, &place, &prefix, ret, err) : found;
}

/* Is the entry there to its end?  Names are read, values are not. */
static int check_entry(struct romsim_erofs *erofs, const struct xattr_place *place,
                       struct romsim_error *err)
{
    uint64_t offset = place->offset + sizeof(place->entry);
    size_t value_size = le16_get(place->entry.e_value_size);
    char name[UINT8_MAX + 1];
    uint8_t last;

    if (erofs_meta_read(erofs, place->in_metabox, offset, name, place->entry.e_name_len,
                        "xattr's name", err) < 0)
        return -1;
    if (memchr(name, 0, place->entry.e_name_len))
        return romsim_error_set(err, EUCLEAN, "an xattr's name with a NUL in it");
    if (!value_size)
        return 0;
    return erofs_meta_read(erofs, place->in_metabox,
                           offset + place->entry.e_name_len + value_size - 1, &last, 1,
                           "xattr's value", err);
}

int erofs_xattr_check(struct romsim_erofs *erofs, const struct romsim_erofs_inode *inode,
                      struct romsim_error *err)
{
    struct xattr_area area;
    struct xattr_place place = {0};
    uint32_t position;
    int found;

    if (open_area(erofs, inode, &area, err) < 0)
        return -1;
    position = area.inline_start;
    while ((found = next_inline(&area, &position, &place, err)) > 0)
        if (check_entry(erofs, &place, err) < 0)
            return -1;
    for (uint32_t i = 0; i < area.shared_count && found == 0; i++)
        if (shared_place(&area, i, &place, err) < 0 || check_entry(erofs, &place, err) < 0)
            return -1;
    return found;
}

void romsim_xattr_release(struct romsim_xattr *xattr)
{
    free(xattr->name);
    free(xattr->value);
    *xattr = (struct romsim_xattr){0};
}
