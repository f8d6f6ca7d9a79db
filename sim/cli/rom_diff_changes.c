/* SPDX-License-Identifier: BSD-3-Clause */
/* rom_diff_changes.c: what differs between two inodes, for programs and, made from that, for
 * people. */
#include "sim/cli/rom_diff.h"

#include <romsim/text.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Two symlinks' targets, quoted. */
enum { TEXT_MAX = 1 << 17 };

struct comparison {
    struct rom_image *const *images;
    const struct romsim_erofs_inode *inodes;
    json_t *changes;
    bool failed; /* no memory */
    int culprit; /* after an error */
};

/* Takes both values; no change if they are equal. */
static void add_change(struct comparison *comparison, const char *name, json_t *old_value,
                       json_t *new_value)
{
    if (!old_value || !new_value) {
        comparison->failed = true;
    } else if (!json_equal(old_value, new_value)) {
        json_t *change =
            json_pack("{s:s, s:O, s:O}", "change", name, "old", old_value, "new", new_value);

        if (!change || json_array_append_new(comparison->changes, change) < 0)
            comparison->failed = true;
    }
    json_decref(old_value);
    json_decref(new_value);
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
    return json_sprintf("%u:%u", rom_major(inode->rdev), rom_minor(inode->rdev));
}

/* Do they have the same xattrs in the same order?  A damaged list is the same as none. */
static int same_xattrs(struct comparison *comparison, bool *ret_same, struct romsim_error *error)
{
    uint64_t cursors[2] = {0, 0};
    int found[2];

    do {
        struct romsim_xattr xattrs[2] = {0};
        int paid = 0;

        for (int i = 0; i < 2; i++) {
            found[i] = romsim_erofs_xattr(comparison->images[i]->erofs, &comparison->inodes[i],
                                          &cursors[i], &xattrs[i], NULL);
            if (found[i] > 0 && paid == 0)
                paid =
                    romsim_erofs_budget_pay(comparison->images[i]->budget,
                                            strlen(xattrs[i].name) + xattrs[i].value_size, error);
        }
        *ret_same =
            found[0] >= 0 && found[0] == found[1] &&
            (!found[0] || (strcmp(xattrs[0].name, xattrs[1].name) == 0 &&
                           xattrs[0].value_size == xattrs[1].value_size &&
                           memcmp(xattrs[0].value, xattrs[1].value, xattrs[0].value_size) == 0));
        romsim_xattr_release(&xattrs[0]);
        romsim_xattr_release(&xattrs[1]);
        if (paid < 0)
            return -1;
    } while (*ret_same && found[0]);
    return 0;
}

static int compare_xattrs(struct comparison *comparison, struct romsim_error *error)
{
    json_t *values[2] = {NULL, NULL};
    bool same = true;
    int result = same_xattrs(comparison, &same, error);

    if (result < 0 || same)
        return result;
    for (int i = 0; i < 2 && result == 0; i++) {
        struct romsim_error damage = {0};

        comparison->culprit = i;
        values[i] =
            comparison->inodes[i].xattr_size
                ? rom_json_xattrs(comparison->images[i], &comparison->inodes[i], &damage, error)
                : json_object();
        if (!values[i])
            result = error->errnum ? -1 : romsim_error_nomem(error);
        else if (damage.errnum)
            result = romsim_error_set(error, damage.errnum, "xattrs: %s", damage.message);
    }
    if (result == 0) {
        add_change(comparison, "xattrs", values[0], values[1]);
        return 0;
    }
    json_decref(values[0]);
    json_decref(values[1]);
    return -1;
}

static int compare_metadata(struct comparison *comparison, struct romsim_error *error)
{
    const struct romsim_erofs_inode *a = &comparison->inodes[0], *b = &comparison->inodes[1];

    /* Most files are equal: no values are made for them. */
    if ((a->mode & S_IFMT) != (b->mode & S_IFMT))
        add_change(comparison, "type", json_string(rom_type_name(a->mode)),
                   json_string(rom_type_name(b->mode)));
    if ((a->mode ^ b->mode) & 07777)
        add_change(comparison, "mode", mode_value(a), mode_value(b));
    if (a->uid != b->uid || a->gid != b->gid)
        add_change(comparison, "owner", owner_value(a), owner_value(b));
    if (a->mtime != b->mtime || a->mtime_nsec != b->mtime_nsec)
        add_change(comparison, "time", time_value(a), time_value(b));
    if (!S_ISDIR(a->mode) && !S_ISDIR(b->mode) && a->links != b->links)
        add_change(comparison, "links", json_integer(a->links), json_integer(b->links));
    return a->xattr_size || b->xattr_size ? compare_xattrs(comparison, error) : 0;
}

static int compare_targets(struct comparison *comparison, struct romsim_error *error)
{
    const struct romsim_erofs_inode *inodes = comparison->inodes;
    CLEANUP_FREE char *a = romsim_erofs_readlink(comparison->images[0]->erofs, &inodes[0], error);
    CLEANUP_FREE char *b =
        a ? romsim_erofs_readlink(comparison->images[1]->erofs, &inodes[1], error) : NULL;

    comparison->culprit = a != NULL;
    if (!b)
        return -1;
    if (strcmp(a, b) != 0)
        add_change(comparison, "target", rom_json_text(a, strlen(a)), rom_json_text(b, strlen(b)));
    return 0;
}

/* The sizes may be equal, so it is no change as the others. */
static void add_content(struct comparison *comparison)
{
    json_t *change = json_pack("{s:s, s:I, s:I}", "change", "content", "old",
                               (json_int_t)comparison->inodes[0].size, "new",
                               (json_int_t)comparison->inodes[1].size);

    if (!change || json_array_append_new(comparison->changes, change) < 0)
        comparison->failed = true;
}

json_t *diff_changes(struct rom_image *const images[2], const struct romsim_erofs_inode inodes[2],
                     bool content, int *ret_culprit, struct romsim_error *error)
{
    struct comparison comparison = {images, inodes, json_array(), false, 0};
    uint32_t mode = inodes[0].mode;
    bool same_type = ((mode ^ inodes[1].mode) & S_IFMT) == 0;
    int result = compare_metadata(&comparison, error);

    if (result == 0 && same_type && S_ISLNK(mode))
        result = compare_targets(&comparison, error);
    if (same_type && (S_ISCHR(mode) || S_ISBLK(mode)) && inodes[0].rdev != inodes[1].rdev)
        add_change(&comparison, "device", device_value(&inodes[0]), device_value(&inodes[1]));
    if (content)
        add_content(&comparison);
    if (result == 0 && (comparison.failed || !comparison.changes))
        result = romsim_error_nomem(error);
    if (result == 0)
        return comparison.changes;
    json_decref(comparison.changes);
    *ret_culprit = comparison.culprit;
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
