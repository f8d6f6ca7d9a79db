/* SPDX-License-Identifier: BSD-3-Clause */
/* rom_common.c: opening images, their damage, and how inodes look as text and JSON. */
#include "sim/cli/rom.h"

#include <romsim/erofs_check.h>
#include <romsim/text.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { DAMAGE_MAX = 20 };

int rom_report(const char *file, struct romsim_error *error)
{
    if (!error->place.file[0])
        snprintf(error->place.file, sizeof(error->place.file), "%s", file);
    return cli_report(error);
}

struct romsim_blob *rom_blob(const char *file)
{
    struct romsim_error error = {0};
    struct romsim_blob *blob = romsim_blob_snapshot(cli_input(file), &error);

    if (!blob)
        cli_report(&error);
    return blob;
}

struct romsim_erofs *rom_open(const char *file)
{
    CLEANUP_BLOB struct romsim_blob *blob = rom_blob(file);
    struct romsim_error error = {0};
    struct romsim_erofs *erofs = blob ? romsim_erofs_open(blob, &error) : NULL;

    if (blob && !erofs) {
        if (error.errnum == EINVAL)
            romsim_error_hint(&error, ROM_HINT_INFO);
        if (error.errnum == EUCLEAN)
            romsim_error_hint(&error, ROM_HINT_CHECK);
        rom_report(file, &error);
    }
    return erofs;
}

/* ---- damage ------------------------------------------------------------------------------- */

static void report_damage(void *context, const char *path, struct romsim_error *error)
{
    const struct rom_image *image = context;

    if (image->look.damage > DAMAGE_MAX)
        return;
    romsim_error_context(error, "%s", QUOTE(path));
    rom_report(image->file, error);
}

void rom_image_init(struct rom_image *image, struct romsim_erofs *erofs, const char *file)
{
    image->file = file;
    romsim_rom_look_init(&image->look, erofs, report_damage, image);
}

int rom_image_end(const struct rom_image *image)
{
    size_t damage = image->look.damage;

    if (!damage)
        return CLI_OK;
    if (damage > DAMAGE_MAX)
        cli_note("and %zu more errors", damage - DAMAGE_MAX);
    cli_note("%s is damaged, this is not all of it: " ROM_HINT_CHECK, QUOTE(image->file));
    return CLI_FAILED;
}

/* ---- texts -------------------------------------------------------------------------------- */

char *rom_quote(const char *text)
{
    size_t size = strlen(text), room = 4 * size + 16;
    char *quoted = malloc(room);

    if (quoted)
        romsim_text_quote(text, size, quoted, room);
    return quoted;
}

/* The special bits take the place of x; capital where x is not set. */
static void put_special(char *place, bool special, char letter)
{
    if (special)
        *place = *place == 'x' ? letter : letter - 'a' + 'A';
}

const char *rom_mode_text(uint32_t mode, char ret[ROM_MODE_SIZE])
{
    static const char types[] = "?pc?d?b?-?l?s???"; /* by the number of S_IFMT's four bits */
    static const char letters[] = "rwxrwxrwx";

    ret[0] = types[mode >> 12 & 15];
    for (int i = 0; i < 9; i++)
        ret[1 + i] = mode & 0400 >> i ? letters[i] : '-';
    put_special(&ret[3], mode & S_ISUID, 's');
    put_special(&ret[6], mode & S_ISGID, 's');
    put_special(&ret[9], mode & S_ISVTX, 't');
    ret[10] = '\0';
    return ret;
}

static bool split_time(int64_t seconds, struct tm *ret)
{
    time_t time = seconds;

    return gmtime_r(&time, ret);
}

const char *rom_time_text(const struct romsim_erofs_inode *inode, bool full,
                          char ret[ROM_TIME_SIZE])
{
    struct tm tm;
    size_t size;

    if (!split_time(inode->mtime, &tm)) {
        snprintf(ret, ROM_TIME_SIZE, "@%lld", (long long)inode->mtime);
        return ret;
    }
    size = strftime(ret, ROM_TIME_SIZE, "%Y-%m-%d %H:%M:%S", &tm);
    if (full)
        snprintf(ret + size, ROM_TIME_SIZE - size, ".%09u", inode->mtime_nsec);
    return ret;
}

const char *rom_time_iso(const struct romsim_erofs_inode *inode, char ret[ROM_TIME_SIZE])
{
    char *space, *end;

    rom_time_text(inode, true, ret);
    space = strchr(ret, ' ');
    end = ret + strlen(ret);
    if (space && end + 1 < ret + ROM_TIME_SIZE) { /* else "@SECONDS", beyond the calendar */
        *space = 'T';
        memcpy(end, "Z", 2);
    }
    return ret;
}

/* ---- JSON --------------------------------------------------------------------------------- */

json_t *rom_json_text(const char *bytes, size_t size)
{
    CLEANUP_FREE char *quoted = NULL;

    if (romsim_utf8_is_valid(bytes, size))
        return json_stringn(bytes, size);
    quoted = malloc(4 * size + 16);
    return quoted ? json_string(romsim_text_quote(bytes, size, quoted, 4 * size + 16)) : NULL;
}

static int set_base64(json_t *object, const char *key, const void *bytes, size_t size)
{
    CLEANUP_FREE char *encoded = romsim_base64_encode(bytes, size);
    CLEANUP_FREE char *name = NULL;

    if (!encoded || asprintf(&name, "%s_base64", key) < 0)
        return -1;
    return json_object_set_new(object, name, json_string(encoded));
}

int rom_json_set(json_t *object, const char *key, const char *bytes, size_t size)
{
    if (json_object_set_new(object, key, rom_json_text(bytes, size)) < 0)
        return -1;
    return romsim_utf8_is_valid(bytes, size) ? 0 : set_base64(object, key, bytes, size);
}

json_t *rom_json_path(const char *key, const char *path)
{
    json_t *object = json_object();

    if (object && rom_json_set(object, key, path, strlen(path)) == 0)
        return object;
    json_decref(object);
    return NULL;
}

json_t *rom_json_failed(const char *key, const char *path, const struct romsim_error *error)
{
    json_t *object = rom_json_path(key, path);

    if (object)
        json_object_set_new(object, "error", json_string(error->message));
    return object;
}

/* The value as text, or as an object with the bytes.  The key is always quoted, since two keys
 * must not become one; where it differs from the name, the object has the name, too. */
void rom_json_add_xattr(json_t *object, const struct romsim_xattr *xattr)
{
    size_t name_size = strlen(xattr->name);
    CLEANUP_FREE char *key = rom_quote(xattr->name);
    json_t *value;

    if (!key)
        return;
    if (strcmp(key, xattr->name) == 0 && romsim_utf8_is_valid(xattr->value, xattr->value_size)) {
        json_object_set_new(object, key, json_stringn(xattr->value, xattr->value_size));
        return;
    }
    value = json_object();
    if (value && strcmp(key, xattr->name) != 0)
        set_base64(value, "name", xattr->name, name_size);
    if (value)
        rom_json_set(value, "value", xattr->value, xattr->value_size);
    json_object_set_new(object, key, value);
}

uint64_t rom_json_xattr_cost(const struct romsim_xattr *xattr)
{
    uint64_t size = strlen(xattr->name) + xattr->value_size;

    return romsim_utf8_is_valid(xattr->value, xattr->value_size) ? size : 6 * size;
}

/* An object with the xattrs of an inode; as far as they are not damaged, which *ret_damage says.
 * NULL with *error. */
static json_t *json_xattrs(struct romsim_rom_look *look, const struct romsim_erofs_inode *inode,
                           struct romsim_error *ret_damage, struct romsim_error *error)
{
    json_t *object = json_object();
    struct romsim_xattr xattr;
    uint64_t cursor = 0;
    int found = 1, paid = 0;

    if (!object)
        romsim_error_nomem(error);
    while (object && paid == 0 &&
           (found = romsim_erofs_xattr(look->erofs, inode, &cursor, &xattr, ret_damage)) > 0) {
        paid = romsim_erofs_budget_pay(look->budget, rom_json_xattr_cost(&xattr), error);
        if (paid == 0)
            rom_json_add_xattr(object, &xattr);
        romsim_xattr_release(&xattr);
    }
    if (paid == 0 && found == 0)
        return object;
    if (paid == 0 && found < 0 && romsim_rom_is_damage(ret_damage))
        return object;
    if (found < 0 && object)
        romsim_error_nomem(error);
    json_decref(object);
    return NULL;
}

static int add_xattrs(json_t *object, struct romsim_rom_look *look, const char *path,
                      const struct romsim_erofs_inode *inode, struct romsim_error *error)
{
    struct romsim_error damage = {0};
    json_t *xattrs = json_xattrs(look, inode, &damage, error);

    if (!xattrs)
        return -1;
    json_object_set_new(object, "xattrs", xattrs);
    if (!damage.errnum)
        return 0;
    json_object_set_new(object, "xattrs_error", json_string(damage.message));
    romsim_rom_damaged(look, path, &damage);
    return 0;
}

static void add_type_fields(json_t *object, struct romsim_erofs *erofs,
                            const struct romsim_erofs_inode *inode)
{
    CLEANUP_FREE char *target = NULL;

    switch (inode->mode & S_IFMT) {
    case S_IFCHR:
    case S_IFBLK:
        json_object_set_new(object, "major", json_integer(romsim_rom_major(inode->rdev)));
        json_object_set_new(object, "minor", json_integer(romsim_rom_minor(inode->rdev)));
        break;
    case S_IFLNK:
        target = romsim_erofs_readlink(erofs, inode, NULL);
        if (target)
            rom_json_set(object, "target", target, strlen(target));
        else
            json_object_set_new(object, "target", json_null());
        break;
    default:
        break;
    }
}

json_t *rom_json_inode(struct romsim_rom_look *look, const char *path,
                       const struct romsim_erofs_inode *inode, struct romsim_error *error)
{
    char mode[8], time[ROM_TIME_SIZE];
    size_t size = strlen(path);
    json_t *object;

    snprintf(mode, sizeof(mode), "%04o", inode->mode & 07777);
    object = json_pack("{s:o, s:s, s:s, s:I, s:I, s:I, s:I, s:s, s:I, s:b, s:s, s:b}", "path",
                       rom_json_text(path, size), "type", romsim_rom_type_name(inode->mode), "mode",
                       mode, "uid", (json_int_t)inode->uid, "gid", (json_int_t)inode->gid, "links",
                       (json_int_t)inode->links, "size", (json_int_t)inode->size, "mtime",
                       rom_time_iso(inode, time), "nid", (json_int_t)romsim_rom_nid(inode->nid),
                       "metabox", romsim_rom_in_metabox(inode->nid), "layout",
                       romsim_erofs_layout_name(inode->layout), "extended", inode->extended);
    if (!object ||
        (!romsim_utf8_is_valid(path, size) && set_base64(object, "path", path, size) < 0)) {
        json_decref(object);
        romsim_error_nomem(error);
        return NULL;
    }
    add_type_fields(object, look->erofs, inode);
    if (!inode->xattr_size || add_xattrs(object, look, path, inode, error) == 0)
        return object;
    json_decref(object);
    return NULL;
}
