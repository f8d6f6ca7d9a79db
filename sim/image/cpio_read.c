/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cpio_read.c: cpio archives.
 *
 * libarchive looks for the other names of a hard link in a list, from its start, for each member:
 * an archive of 12 MB keeps it busy for minutes.  The form is simple enough to be read here, and
 * then archives behind each other are read as Linux reads its initramfs.
 *
 * Names of a hard link share device, inode and type; the data comes with the last of them, as a
 * rule.  The names met so far stand in a hash table, by where they are in the archive.
 */
#include "sim/image/cpio_read.h"

#include "sim/image/probe.h"

#include <romsim/checked.h>
#include <romsim/text.h>

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum { FORGET_STEP = 4 << 20, FIRST_SLOTS = 64 };

/* ---- headers ---------------------------------------------------------------------------- */

/* A form of header with digits: where each field stands, and how many digits it has. */
struct form {
    const char *magic;
    unsigned base, header, alignment; /* of the data's begin and end */
    struct field {
        uint8_t offset, width;
    } ino, mode, uid, gid, links, mtime, size, device, device_minor, rdev, rdev_minor, name_size;
};

#define NEWC(magic_)                                                                               \
    {                                                                                              \
        .magic = (magic_), .base = 16, .header = 110, .alignment = 4, .ino = {6, 8},               \
        .mode = {14, 8}, .uid = {22, 8}, .gid = {30, 8}, .links = {38, 8}, .mtime = {46, 8},       \
        .size = {54, 8}, .device = {62, 8}, .device_minor = {70, 8}, .rdev = {78, 8},              \
        .rdev_minor = {86, 8}, .name_size = {94, 8},                                               \
    }

static const struct form forms[] = {
    NEWC("070701"),
    NEWC("070702"),
    {
        .magic = "070707",
        .base = 8,
        .header = 76,
        .alignment = 1,
        .device = {6, 6},
        .ino = {12, 6},
        .mode = {18, 6},
        .uid = {24, 6},
        .gid = {30, 6},
        .links = {36, 6},
        .rdev = {42, 6},
        .mtime = {48, 11},
        .name_size = {59, 6},
        .size = {65, 11},
    },
};

/* Digits of the form's base.  What is none makes the whole header wrong. */
static uint64_t number(const uint8_t *header, const struct form *form, struct field field,
                       bool *bad)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    uint64_t value = 0;

    for (unsigned i = 0; i < field.width; i++) {
        const char *digit = memchr(digits, header[field.offset + i], sizeof(digits) - 1);
        unsigned index = digit ? (unsigned)(digit - digits) : form->base;

        index -= index > 15 && form->base == 16 ? 6 : 0;
        *bad |= !digit || index >= form->base;
        value = value * form->base + index;
    }
    return value;
}

/* Device numbers of 16 bits are 8 and 8. */
static void split_device(uint64_t device, uint64_t *ret_major, uint64_t *ret_minor)
{
    *ret_major = device >> 8;
    *ret_minor = device & 0xff;
}

static bool parse_digits(const struct form *form, const uint8_t *header, struct cpio_member *ret,
                         uint64_t *ret_name_size)
{
    bool bad = false;

    *ret = (struct cpio_member){
        .ino = number(header, form, form->ino, &bad),
        .mode = number(header, form, form->mode, &bad),
        .uid = number(header, form, form->uid, &bad),
        .gid = number(header, form, form->gid, &bad),
        .links = number(header, form, form->links, &bad),
        .mtime = number(header, form, form->mtime, &bad),
        .size = number(header, form, form->size, &bad),
        .dev_major = number(header, form, form->device, &bad),
        .dev_minor = number(header, form, form->device_minor, &bad),
        .rdev_major = number(header, form, form->rdev, &bad),
        .rdev_minor = number(header, form, form->rdev_minor, &bad),
    };
    *ret_name_size = number(header, form, form->name_size, &bad);
    if (form->rdev_minor.width == 0)
        split_device(ret->rdev_major, &ret->rdev_major, &ret->rdev_minor);
    return !bad;
}

/* The binary form: thirteen numbers of 16 bits; of the two that make one of 32 bits the more
 * significant comes first in both byte orders. */
enum { BINARY_HEADER = 26, BINARY_MAGIC = 070707, BINARY_ALIGNMENT = 2 };

static void parse_binary(const uint8_t *header, struct cpio_member *ret, uint64_t *ret_name_size)
{
    bool is_little = header[0] == (BINARY_MAGIC & 0xff);
    uint32_t words[BINARY_HEADER / 2];

    for (size_t i = 0; i < BINARY_HEADER / 2; i++)
        words[i] = (uint32_t)header[2 * i + !is_little] | (uint32_t)header[2 * i + is_little] << 8;
    *ret = (struct cpio_member){.dev_major = words[1],
                                .ino = words[2],
                                .mode = words[3],
                                .uid = words[4],
                                .gid = words[5],
                                .links = words[6],
                                .mtime = words[8] << 16 | words[9],
                                .size = words[11] << 16 | words[12]};
    split_device(words[7], &ret->rdev_major, &ret->rdev_minor);
    *ret_name_size = words[10];
}

static const struct form *find_form(const uint8_t *header)
{
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
        if (memcmp(header, forms[i].magic, 6) == 0)
            return &forms[i];
    return NULL;
}

/* ---- members ---------------------------------------------------------------------------- */

static int damaged(const struct cpio_cursor *cursor, const char *what, struct romsim_error *err)
{
    return romsim_error_set(err, EUCLEAN, "the cpio archive is damaged: %s at byte %llu", what,
                            (unsigned long long)cursor->offset);
}

/* The offset behind `length` more bytes and the padding; false if the bytes end before. */
static bool pass(const struct cpio_cursor *cursor, uint64_t *offset, uint64_t length,
                 uint64_t alignment)
{
    uint64_t end;

    if (!range_is_inside(*offset, length, cursor->size))
        return false;
    /* The last member's padding may be cut off. */
    end = (*offset + length + alignment - 1) & ~(alignment - 1);
    *offset = min_u64(end, cursor->size);
    return true;
}

static int read_member(const struct cpio_cursor *cursor, uint64_t *offset, struct cpio_member *ret,
                       struct romsim_error *err)
{
    const uint8_t *header = cursor->bytes + cursor->offset;
    bool has_room = range_is_inside(cursor->offset, BINARY_HEADER, cursor->size);
    const struct form *form = has_room ? find_form(header) : NULL;
    uint64_t alignment = form ? form->alignment : BINARY_ALIGNMENT, name_size;
    uint64_t header_size = form ? form->header : BINARY_HEADER;

    if (!has_room || !range_is_inside(cursor->offset, header_size, cursor->size))
        return damaged(cursor, "it ends in the header", err);
    if (form && cursor->offset % alignment != 0)
        return damaged(cursor, "a header without its alignment", err);
    if (!form)
        parse_binary(header, ret, &name_size);
    else if (!parse_digits(form, header, ret, &name_size))
        return damaged(cursor, "no numbers in the header", err);
    *offset = cursor->offset + header_size;
    ret->name = (const char *)cursor->bytes + *offset;
    if (name_size == 0 || !pass(cursor, offset, name_size, alignment) ||
        ret->name[name_size - 1] != '\0')
        return damaged(cursor, "no whole name behind the header", err);
    ret->data = *offset;
    if (!pass(cursor, offset, ret->size, alignment))
        return damaged(cursor, "it ends in the data of the member", err);
    ret->is_trailer = strcmp(ret->name, "TRAILER!!!") == 0;
    return 1;
}

int cpio_next(struct cpio_cursor *cursor, struct cpio_member *ret, struct romsim_error *err)
{
    uint64_t offset = 0;
    int status;

    while (cursor->offset < cursor->size && cursor->bytes[cursor->offset] == 0)
        cursor->offset++;
    if (image_form_probe(cursor->bytes + cursor->offset,
                         min_u64(cursor->size - cursor->offset, CPIO_HEADER_MAX)) != FORM_CPIO)
        return 0;
    status = read_member(cursor, &offset, ret, err);
    if (status > 0)
        cursor->offset = offset;
    return status;
}

/* ---- hard links ------------------------------------------------------------------------- */

struct linked {
    uint64_t ino, dev_major, dev_minor;
    const char *name; /* NULL: the slot is free */
    uint32_t type;
};

/* An open hash table. */
struct links {
    struct linked *slots;
    size_t count, slot_count; /* a power of two, at least twice the count */
};

static void links_reset(struct links *links)
{
    free(links->slots);
    *links = (struct links){0};
}

static struct linked *find_linked(const struct links *links, const struct linked *key)
{
    uint64_t hash = (key->ino ^ key->dev_major << 40 ^ key->dev_minor << 20 ^ key->type) *
                    UINT64_C(0x9e3779b97f4a7c15);
    size_t at = (size_t)(hash >> 20) & (links->slot_count - 1);

    for (; links->slots[at].name; at = (at + 1) & (links->slot_count - 1)) {
        const struct linked *slot = &links->slots[at];

        if (slot->ino == key->ino && slot->dev_major == key->dev_major &&
            slot->dev_minor == key->dev_minor && slot->type == key->type)
            break;
    }
    return &links->slots[at];
}

static int grow_links(struct links *links, struct romsim_error *err)
{
    struct links larger = {.slot_count = links->slots ? 2 * links->slot_count : FIRST_SLOTS,
                           .count = links->count};

    larger.slots = calloc(larger.slot_count, sizeof(*larger.slots));
    if (!larger.slots)
        return romsim_error_nomem(err);
    for (size_t i = 0; i < links->slot_count; i++)
        if (links->slots[i].name)
            *find_linked(&larger, &links->slots[i]) = links->slots[i];
    links_reset(links);
    *links = larger;
    return 0;
}

/* The name that has this member's inode already, or NULL, and this one is remembered. */
static int find_link(struct links *links, const struct cpio_member *member, const char **ret,
                     struct romsim_error *err)
{
    struct linked key = {.ino = member->ino,
                         .dev_major = member->dev_major,
                         .dev_minor = member->dev_minor,
                         .name = member->name,
                         .type = (uint32_t)member->mode & S_IFMT};
    struct linked *slot;

    *ret = NULL;
    if (member->links < 2 || S_ISDIR(member->mode))
        return 0;
    if (2 * (links->count + 1) > links->slot_count && grow_links(links, err) < 0)
        return -1;
    slot = find_linked(links, &key);
    *ret = slot->name;
    if (!slot->name) {
        *slot = key;
        links->count++;
    }
    return 0;
}

/* ---- entries ---------------------------------------------------------------------------- */

struct reader {
    struct romsim_blob *blob;
    struct links links;
    char target[ROMSIM_TARGET_MAX + 2]; /* one byte more than a target may have */
};

static void reader_release(struct reader *reader)
{
    links_reset(&reader->links);
}

static int show_member(struct reader *reader, const struct cpio_member *member,
                       entry_visitor *visit, void *context, struct romsim_error *err)
{
    const char *data = (const char *)romsim_blob_bytes(reader->blob) + member->data;
    const struct romsim_extent whole = {.source_offset = member->data, .length = member->size};
    struct entry entry = {.path = member->name,
                          .mode = (uint32_t)member->mode,
                          .uid = (int64_t)member->uid,
                          .gid = (int64_t)member->gid,
                          .mtime = (int64_t)member->mtime,
                          .rdev_major = (uint32_t)member->rdev_major,
                          .rdev_minor = (uint32_t)member->rdev_minor};

    if (!*member->name)
        return romsim_error_set(err, EUCLEAN, "an entry without a usable name");
    if (find_link(&reader->links, member, &entry.link, err) < 0)
        return -1;
    if (S_ISLNK(member->mode)) {
        size_t size = strnlen(data, min_u64(member->size, ROMSIM_TARGET_MAX + 1));

        memcpy(reader->target, data, size);
        reader->target[size] = '\0';
        entry.target = reader->target;
    } else if (S_ISREG(member->mode) && member->size > 0) {
        entry.size = member->size;
        entry.blob = reader->blob;
        entry.extents = &whole;
        entry.extent_count = 1;
    }
    return visit(context, &entry, err);
}

static int read_all(struct reader *reader, const char *name, entry_visitor *visit, void *context,
                    struct romsim_error *err)
{
    struct cpio_cursor cursor = {.bytes = romsim_blob_bytes(reader->blob),
                                 .size = romsim_blob_size(reader->blob)};
    uint64_t forgotten = 0;
    struct cpio_member member;
    int status;

    while ((status = cpio_next(&cursor, &member, err)) > 0) {
        if (member.is_trailer)
            links_reset(&reader->links);
        else if (show_member(reader, &member, visit, context, err) < 0)
            return romsim_error_context(err, "'%s': entry '%s'", QUOTE(name), QUOTE(member.name));
        if (cursor.offset - forgotten >= FORGET_STEP) {
            romsim_blob_forget(reader->blob, forgotten, cursor.offset - forgotten);
            forgotten = cursor.offset;
        }
    }
    if (status == 0 && cursor.offset < cursor.size)
        status = damaged(&cursor, "something that is no member", err);
    return status < 0 ? romsim_error_context(err, "'%s'", QUOTE(name)) : 0;
}

int cpio_read(struct romsim_blob *blob, const char *name, entry_visitor *visit, void *context,
              struct romsim_error *err)
{
    CLEANUP(reader_release) struct reader reader = {.blob = blob};

    return read_all(&reader, name, visit, context, err);
}
