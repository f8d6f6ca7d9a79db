/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tar_acl.c: POSIX ACLs of tar archives become the xattrs in which Linux has them.
 *
 * Theory of operation: GNU tar, star and bsdtar write the text of an ACL into a PAX header, by the
 * keys SCHILY.acl.access and SCHILY.acl.default, Solaris into an extended header 'A'; libarchive
 * reads all of these.  It puts the owner's, the group's and the others' entries of a file's list
 * into its mode and gives them back from there.  It compares each entry with all before it: hence
 * the count of the entries before it sees them.
 *
 * The xattr (linux/posix_acl_xattr.h): a version, then entries, ascending by tag and number.
 */
#include "sim/image/tar_acl.h"

#include <romsim/checked.h>
#include <romsim/vector.h>

#include <archive.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCK = 512,
    SIZE_AT = 124,
    SIZE_LENGTH = 12,
    TYPE_AT = 156,
};

/* ---- what it costs ---------------------------------------------------------------------- */

/* The size in a header: octal digits behind blanks, or big-endian behind a byte with its first bit
 * set.  What is no number is none here; libarchive refuses it. */
static uint64_t header_size(const uint8_t *header)
{
    const uint8_t *field = header + SIZE_AT, *end = field + SIZE_LENGTH;
    uint64_t size = 0;

    if (*field & 0x80) {
        for (field = end - sizeof(size); field < end; field++)
            size = size << 8 | *field;
        return size;
    }
    while (field < end && (*field == ' ' || *field == '\t'))
        field++;
    for (; field < end && *field >= '0' && *field <= '7'; field++)
        size = size << 3 | (uint64_t)(*field - '0');
    return size;
}

static uint64_t count_entries(const uint8_t *text, uint64_t size)
{
    uint64_t count = 1;

    for (uint64_t i = 0; i < size; i++)
        count += text[i] == ',' || text[i] == '\n';
    return count;
}

/* The entries of the lists among a PAX header's records: "LENGTH KEY=VALUE\n". */
static uint64_t count_records(const uint8_t *body, uint64_t size)
{
    static const char key[] = "SCHILY.acl."; /* access, default, ace */
    uint64_t count = 0;

    while (size > 0) {
        uint64_t length = 0, digits = 0;

        while (digits < size && digits < 9 && body[digits] >= '0' && body[digits] <= '9')
            length = length * 10 + (uint64_t)(body[digits++] - '0');
        if (length <= digits || length > size)
            return count;
        if (length - digits > sizeof(key) && memcmp(body + digits + 1, key, sizeof(key) - 1) == 0)
            count += count_entries(body + digits, length - digits);
        body += length;
        size -= length;
    }
    return count;
}

uint64_t tar_acl_steps(const uint8_t *bytes, uint64_t size, uint64_t offset)
{
    uint64_t count = 0, length, steps;

    while (range_is_inside(offset, BLOCK, size)) {
        const uint8_t *header = bytes + offset;
        char type = (char)header[TYPE_AT];

        if (!type || !strchr("AKLVXgx", type))
            break;
        offset += BLOCK;
        length = min_u64(header_size(header), size - offset);
        if (type == 'A')
            count += count_entries(bytes + offset, length);
        else if (type == 'x' || type == 'X')
            count += count_records(bytes + offset, length);
        if (!checked_align_up(offset + length, BLOCK, &offset))
            break;
    }
    return checked_multiply(count, count, &steps) ? steps : UINT64_MAX;
}

/* ---- what it says ----------------------------------------------------------------------- */

enum { VERSION = 2, NOBODY = -1 };
enum { USER_OBJ = 1, USER = 2, GROUP_OBJ = 4, GROUP = 8, MASK = 16, OTHER = 32 };

struct item {
    unsigned tag, permissions;
    uint32_t id;
};

DEFINE_VECTOR(items, struct item)

static unsigned tag_of(int tag)
{
    switch (tag) {
    case ARCHIVE_ENTRY_ACL_USER_OBJ:
        return USER_OBJ;
    case ARCHIVE_ENTRY_ACL_USER:
        return USER;
    case ARCHIVE_ENTRY_ACL_GROUP_OBJ:
        return GROUP_OBJ;
    case ARCHIVE_ENTRY_ACL_GROUP:
        return GROUP;
    case ARCHIVE_ENTRY_ACL_MASK:
        return MASK;
    case ARCHIVE_ENTRY_ACL_OTHER:
        return OTHER;
    default:
        return 0;
    }
}

/* Returns 1, 0 if an entry is none for the kernel, or -1 without memory. */
static int collect(struct archive_entry *from, int wanted, struct items *ret)
{
    int type, permissions, tag, id;
    const char *name;
    bool is_fit = true;

    while (archive_entry_acl_next(from, wanted, &type, &permissions, &tag, &id, &name) ==
           ARCHIVE_OK) {
        struct item item = {tag_of(tag), (unsigned)permissions & 7, (uint32_t)NOBODY};

        if (item.tag == USER || item.tag == GROUP) {
            is_fit = is_fit && id >= 0; /* else it has a name only */
            item.id = (uint32_t)id;
        }
        is_fit = is_fit && item.tag != 0;
        if (items_append(ret, item) < 0)
            return -1;
    }
    return is_fit;
}

static int compare_items(const void *left, const void *right)
{
    const struct item *a = left, *b = right;

    if (a->tag != b->tag)
        return a->tag < b->tag ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

static const struct item *find_tag(const struct items *items, unsigned tag)
{
    for (size_t i = 0; i < items->count; i++)
        if (items->items[i].tag == tag)
            return &items->items[i];
    return NULL;
}

/* A list with other users or groups has a mask; where it is missing, it is what they may, as
 * setfacl has it. */
static int complete(struct items *items)
{
    struct item mask = {MASK, 0, (uint32_t)NOBODY};
    bool has_others = false;

    for (size_t i = 0; i < items->count; i++) {
        const struct item *item = &items->items[i];

        has_others = has_others || item->tag == USER || item->tag == GROUP;
        if (item->tag == USER || item->tag == GROUP || item->tag == GROUP_OBJ)
            mask.permissions |= item->permissions;
    }
    return has_others && !find_tag(items, MASK) ? items_append(items, mask) : 0;
}

/* Sorted: each tag once, but for those that have a number, and each number once. */
static bool is_valid(const struct items *items)
{
    for (size_t i = 1; i < items->count; i++)
        if (compare_items(&items->items[i - 1], &items->items[i]) == 0)
            return false;
    return items->count <= TAR_ACL_ENTRIES_MAX && find_tag(items, USER_OBJ) &&
           find_tag(items, GROUP_OBJ) && find_tag(items, OTHER);
}

static int encode(const struct items *items, struct romsim_buffer *buffer)
{
    buffer->size = 0;
    if (romsim_buffer_append(buffer, (uint8_t[]){VERSION, 0, 0, 0}, 4) < 0)
        return -1;
    for (size_t i = 0; i < items->count; i++) {
        const struct item *item = &items->items[i];
        const uint8_t bytes[] = {(uint8_t)item->tag,         0,
                                 (uint8_t)item->permissions, 0,
                                 (uint8_t)item->id,          (uint8_t)(item->id >> 8),
                                 (uint8_t)(item->id >> 16),  (uint8_t)(item->id >> 24)};

        if (romsim_buffer_append(buffer, bytes, sizeof(bytes)) < 0)
            return -1;
    }
    return 0;
}

/* The group's bits of a mode: those of the mask, or of a list that is not there not more. */
static uint32_t masked(uint32_t mode, const struct items *items, bool is_lost)
{
    const struct item *mask = find_tag(items, MASK);

    if (!mask)
        return mode;
    return is_lost ? mode & (~070U | mask->permissions << 3)
                   : (mode & ~070U) | mask->permissions << 3;
}

int tar_acl_read(struct archive_entry *from, int type, struct romsim_buffer *buffer, uint32_t *mode,
                 struct entry_xattr *ret, bool *ret_is_lost, struct romsim_error *err)
{
    CLEANUP(items_reset) struct items items = {0};
    bool is_access = type == ARCHIVE_ENTRY_ACL_TYPE_ACCESS;
    int fits;

    *ret_is_lost = false;
    /* The three entries of the mode are counted always, and alone are no list. */
    if (archive_entry_acl_reset(from, type) <= (is_access ? 3 : 0))
        return 0;
    fits = collect(from, type, &items);
    if (fits < 0 || complete(&items) < 0)
        return romsim_error_nomem(err);
    if (items.count > 0)
        qsort(items.items, items.count, sizeof(items.items[0]), compare_items);
    *ret_is_lost = !fits || !is_valid(&items);
    if (is_access)
        *mode = masked(*mode, &items, *ret_is_lost);
    if (*ret_is_lost)
        return 0;
    if (encode(&items, buffer) < 0)
        return romsim_error_nomem(err);
    *ret = (struct entry_xattr){
        .name = is_access ? "system.posix_acl_access" : "system.posix_acl_default",
        .value = buffer->data,
        .size = buffer->size,
    };
    return 1;
}
