/* SPDX-License-Identifier: BSD-3-Clause */
/* rom_diff_changes.c: what differs between two inodes, for programs and, made from that, for
 * people. */
#include "sim/cli/rom_diff.h"

#include <romsim/text.h>

#include <string.h>

/* Two symlinks' targets, quoted. */
enum { TEXT_MAX = 1 << 17 };

/* Takes both values.  0, or -1 without memory. */
static int add_change(json_t *changes, const char *name, json_t *old_value, json_t *new_value)
{
    json_t *change = old_value && new_value ? json_pack("{s:s, s:O, s:O}", "change", name, "old",
                                                        old_value, "new", new_value)
                                            : NULL;

    json_decref(old_value);
    json_decref(new_value);
    return json_array_append_new(changes, change);
}

/* ---- inodes ------------------------------------------------------------------------------- */

static json_t *mode_value(const struct romsim_erofs_inode *inode)
{
    return json_sprintf("%04o", inode->mode & 07777);
}

static json_t *owner_value(const struct romsim_erofs_inode *inode)
{
    return json_sprintf("%u:%u", inode->uid, inode->gid);
}

static json_t *time_value(const struct romsim_erofs_inode *inode)
{
    char text[ROM_TIME_SIZE];

    return json_string(rom_time_text(inode, true, text));
}

static json_t *device_value(const struct romsim_erofs_inode *inode)
{
    return json_sprintf("%u:%u", romsim_rom_major(inode->rdev), romsim_rom_minor(inode->rdev));
}

static json_t *type_value(const struct romsim_erofs_inode *inode)
{
    return json_string(romsim_rom_type_name(inode->mode));
}

static json_t *links_value(const struct romsim_erofs_inode *inode)
{
    return json_integer(inode->links);
}

static json_t *size_value(const struct romsim_erofs_inode *inode)
{
    return json_integer((json_int_t)inode->size);
}

/* The bytes are paid for: what they take as JSON beyond that is not. */
static json_t *xattrs_value(struct romsim_rom_look *look, const struct romsim_rom_xattrs *xattrs,
                            struct romsim_error *error)
{
    json_t *object = json_object();

    if (!object)
        romsim_error_nomem(error);
    for (size_t i = 0; object && i < xattrs->count; i++) {
        const struct romsim_xattr *xattr = &xattrs->items[i];
        uint64_t size = strlen(xattr->name) + xattr->value_size;

        if (romsim_erofs_budget_pay(look->budget, rom_json_xattr_cost(xattr) - size, error) < 0) {
            json_decref(object);
            return NULL;
        }
        rom_json_add_xattr(object, xattr);
    }
    return object;
}

static int add_xattrs(json_t *changes, struct romsim_rom_look *look,
                      const struct romsim_rom_difference *difference, struct romsim_error *error)
{
    json_t *old_value = xattrs_value(look, &difference->xattrs[0], error);
    json_t *new_value = old_value ? xattrs_value(look, &difference->xattrs[1], error) : NULL;

    if (!new_value) {
        json_decref(old_value);
        return -1;
    }
    return add_change(changes, "xattrs", old_value, new_value) < 0 ? romsim_error_nomem(error) : 0;
}

static json_t *target_value(const char *target)
{
    return rom_json_text(target, strlen(target));
}

/* Adds those of the inodes themselves that are among the first or the last. */
static int add_values(json_t *changes, const struct romsim_rom_difference *difference,
                      unsigned wanted)
{
    static const struct {
        enum romsim_rom_change change;
        const char *name;
        json_t *(*value)(const struct romsim_erofs_inode *inode);
    } values[] = {
        {ROMSIM_ROM_TYPE, "type", type_value},       {ROMSIM_ROM_MODE, "mode", mode_value},
        {ROMSIM_ROM_OWNER, "owner", owner_value},    {ROMSIM_ROM_TIME, "time", time_value},
        {ROMSIM_ROM_LINKS, "links", links_value},    {ROMSIM_ROM_DEVICE, "device", device_value},
        {ROMSIM_ROM_CONTENT, "content", size_value},
    };
    int failed = 0;

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        if (difference->changes & wanted & values[i].change)
            failed |= add_change(changes, values[i].name, values[i].value(&difference->inodes[0]),
                                 values[i].value(&difference->inodes[1]));
    return failed;
}

json_t *diff_changes(struct romsim_rom_look *look, const struct romsim_rom_difference *difference,
                     struct romsim_error *error)
{
    const unsigned last = ROMSIM_ROM_DEVICE | ROMSIM_ROM_CONTENT;
    json_t *changes = json_array();
    int failed = add_values(changes, difference, ~last), result = 0;

    if (difference->changes & ROMSIM_ROM_XATTRS)
        result = add_xattrs(changes, look, difference, error);
    if (difference->changes & ROMSIM_ROM_TARGET)
        failed |= add_change(changes, "target", target_value(difference->targets[0]),
                             target_value(difference->targets[1]));
    failed |= add_values(changes, difference, last);
    if (result == 0 && (failed || !changes))
        result = romsim_error_nomem(error);
    if (result == 0)
        return changes;
    json_decref(changes);
    return NULL;
}

/* ---- texts -------------------------------------------------------------------------------- */

static void put_value(struct romsim_buffer *text, const json_t *value)
{
    CLEANUP_FREE char *quoted = NULL;

    if (json_is_integer(value)) {
        romsim_buffer_printf(text, "%llu", (unsigned long long)json_integer_value(value));
        return;
    }
    quoted = rom_quote(json_string_value(value));
    romsim_buffer_puts(text, quoted ? quoted : "?");
}

static void put_values(struct romsim_buffer *text, const json_t *change)
{
    put_value(text, json_object_get(change, "old"));
    romsim_buffer_puts(text, " -> ");
    put_value(text, json_object_get(change, "new"));
}

static void put_change(struct romsim_buffer *text, const json_t *change)
{
    const char *name = json_string_value(json_object_get(change, "change"));
    const json_t *old_value = json_object_get(change, "old");

    romsim_buffer_printf(text, "%s%s", text->size ? ", " : "", name);
    if (json_is_object(old_value)) /* xattrs: too long for a line */
        return;
    if (strcmp(name, "content") != 0) {
        romsim_buffer_puts(text, " ");
        put_values(text, change);
    } else if (!json_equal(old_value, json_object_get(change, "new"))) {
        romsim_buffer_puts(text, " (");
        put_values(text, change);
        romsim_buffer_puts(text, " bytes)");
    }
}

char *diff_changes_text(json_t *changes)
{
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(TEXT_MAX);

    for (size_t i = 0; i < json_array_size(changes); i++)
        put_change(&text, json_array_get(changes, i));
    return text.failed ? NULL : romsim_buffer_steal(&text);
}
