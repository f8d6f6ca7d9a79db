/* SPDX-License-Identifier: BSD-3-Clause */
/* rom_common.c: opening images, and how inodes look as text and JSON. */
#include "sim/cli/rom.h"

#include <romsim/erofs_check.h>
#include <romsim/text.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

int rom_report(const char *file, struct romsim_error *error)
{
    if (!error->place.file[0])
        snprintf(error->place.file, sizeof(error->place.file), "%s", file);
    return cli_report(error);
}

struct romsim_blob *rom_blob(const char *file)
{
    struct romsim_error error = {0};
    struct romsim_blob *blob = romsim_blob_snapshot(file, &error);

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
            romsim_error_hint(&error, "'romsim rom info' tells what it is");
        if (error.errnum == EUCLEAN)
            romsim_error_hint(&error, "'romsim rom check' says more");
        rom_report(file, &error);
    }
    return erofs;
}

int rom_find(struct romsim_erofs *erofs, const char *file, const char *path,
             struct romsim_erofs_inode *ret)
{
    struct romsim_error error = {0};
    int found = romsim_erofs_lookup_path(erofs, path ? path : "", ret, &error);

    if (found > 0)
        return CLI_OK;
    if (!found || error.errnum == ENOTDIR)
        romsim_error_set(&error, ENOENT, "there is no '%s' in it%s", QUOTE(path),
                         found ? ": it leads through a file" : "");
    return rom_report(file, &error);
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

static const struct {
    uint32_t type;
    char letter;
    const char *name;
} types[] = {
    {S_IFREG, '-', "file"},        {S_IFDIR, 'd', "directory"},    {S_IFLNK, 'l', "symlink"},
    {S_IFCHR, 'c', "char device"}, {S_IFBLK, 'b', "block device"}, {S_IFIFO, 'p', "fifo"},
    {S_IFSOCK, 's', "socket"},
};

const char *rom_type_name(uint32_t mode)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if ((mode & S_IFMT) == types[i].type)
            return types[i].name;
    return "unknown";
}

/* The special bits take the place of x; capital where x is not set. */
static void put_special(char *place, bool special, char letter)
{
    if (special)
        *place = *place == 'x' ? letter : letter - 'a' + 'A';
}

const char *rom_mode_text(uint32_t mode, char ret[ROM_MODE_SIZE])
{
    static const char letters[] = "rwxrwxrwx";

    ret[0] = '?';
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if ((mode & S_IFMT) == types[i].type)
            ret[0] = types[i].letter;
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

unsigned rom_major(uint32_t rdev)
{
    return rdev >> 8 & 0xfff;
}

unsigned rom_minor(uint32_t rdev)
{
    return (rdev & 0xff) | (rdev >> 12 & 0xfff00);
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

static json_t *json_xattrs(struct romsim_erofs *erofs, const struct romsim_erofs_inode *inode)
{
    json_t *object = json_object();
    struct romsim_xattr xattr;
    uint64_t cursor = 0;

    while (romsim_erofs_xattr(erofs, inode, &cursor, &xattr, NULL) > 0) {
        json_object_set_new(object, QUOTE(xattr.name),
                            rom_json_text(xattr.value, xattr.value_size));
        romsim_xattr_release(&xattr);
    }
    return object;
}

static void add_type_fields(json_t *object, struct romsim_erofs *erofs,
                            const struct romsim_erofs_inode *inode)
{
    char *target;

    switch (inode->mode & S_IFMT) {
    case S_IFCHR:
    case S_IFBLK:
        json_object_set_new(object, "major", json_integer(rom_major(inode->rdev)));
        json_object_set_new(object, "minor", json_integer(rom_minor(inode->rdev)));
        break;
    case S_IFLNK:
        target = romsim_erofs_readlink(erofs, inode, NULL);
        json_object_set_new(object, "target",
                            target ? rom_json_text(target, strlen(target)) : json_null());
        free(target);
        break;
    default:
        break;
    }
}

json_t *rom_json_inode(struct romsim_erofs *erofs, const char *path,
                       const struct romsim_erofs_inode *inode)
{
    char mode[8], time[ROM_TIME_SIZE];
    json_t *object;

    snprintf(mode, sizeof(mode), "%04o", inode->mode & 07777);
    object = json_pack("{s:o, s:s, s:s, s:I, s:I, s:I, s:I, s:s, s:I, s:s, s:b}", "path",
                       rom_json_text(path, strlen(path)), "type", rom_type_name(inode->mode),
                       "mode", mode, "uid", (json_int_t)inode->uid, "gid", (json_int_t)inode->gid,
                       "links", (json_int_t)inode->links, "size", (json_int_t)inode->size, "mtime",
                       rom_time_text(inode, true, time), "nid", (json_int_t)inode->nid, "layout",
                       romsim_erofs_layout_name(inode->layout), "extended", inode->extended);
    if (!object)
        return NULL;
    add_type_fields(object, erofs, inode);
    if (inode->xattr_size)
        json_object_set_new(object, "xattrs", json_xattrs(erofs, inode));
    return object;
}
