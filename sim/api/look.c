/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * look.c: looking into what an instance is made of: its layout, its images, their files.
 *
 * The keeper hands out the file in which an image stands, and this process reads it, a directory's
 * piece or a file's at a time, so that no request takes long or much, whatever is in the image.  A
 * path is looked up inside of the image only.
 *
 * Names are bytes.  In a reply each is there twice: as it can be shown, and as a part of a path,
 * with all but the plainest bytes as %NN; so a path goes to and fro unharmed as it is in JSON, and
 * is escaped once more in a URL.
 */
#include "page.h"

#include <romsim/cleanup.h>
#include <romsim/rom.h>
#include <romsim/text.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    KEEPER_MS = 5000,
    LIST_MAX = 500,          /* names in a reply */
    PATH_MAX_RAW = 64 << 10, /* of a path, escaped */
    PIECE_DEFAULT = 64 << 10,
    PIECE_MAX = 1 << 20,
    DIGEST_UNASKED = 256 << 20, /* a larger image's takes a second or more */
};

static void refuse(struct api_request *request, const struct romsim_error *err)
{
    api_reply_error(request, api_http_status(err), err);
}

/* ---- the plan ----------------------------------------------------------------------------- */

void page_plan(struct api_request *request)
{
    CLEANUP_LINK struct romsim_link *link = page_link(request);
    struct romsim_error err = {0};
    json_t *plan;

    if (!link)
        return;
    plan = romsim_link_call(link, json_pack("{s:s}", "do", "plan"), KEEPER_MS, NULL, NULL, &err);
    if (plan)
        api_reply_data(request, plan);
    else
        refuse(request, &err);
}

/* ---- images --------------------------------------------------------------------------------- */

struct image {
    struct romsim_blob *blob;
    struct romsim_erofs *erofs; /* NULL if it is none */
    json_t *about;              /* what the keeper says of it */
};

static void image_release(struct image *image)
{
    romsim_erofs_close(image->erofs);
    romsim_blob_unref(image->blob);
    json_decref(image->about);
}

#define CLEANUP_IMAGE CLEANUP(image_release)

static uint64_t number_of(const json_t *object, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(object, key));
}

/* The image's bytes: its part of the file that came with the answer. */
static int take_image(struct romsim_link *link, struct image *ret, struct romsim_error *err)
{
    CLEANUP_FD int fd = romsim_link_take_fd(link);
    CLEANUP_BLOB struct romsim_blob *whole = NULL;

    if (fd < 0)
        return romsim_error_set(err, EMFILE, "the image's file did not come");
    whole = romsim_blob_take_fd(steal_fd(&fd), err);
    if (!whole)
        return -1;
    ret->blob = romsim_blob_slice(whole, number_of(ret->about, "offset"),
                                  number_of(ret->about, "size"), err);
    return ret->blob ? 0 : -1;
}

/* The image of the request's device.  False: after a reply. */
static bool image_get(struct api_request *request, struct image *ret)
{
    CLEANUP_LINK struct romsim_link *link = page_link(request);
    struct romsim_error err = {0};

    if (!link)
        return false;
    ret->about = romsim_link_call(
        link, json_pack("{s:s, s:s}", "do", "image", "device", request->captures[1] ?: ""),
        KEEPER_MS, NULL, NULL, &err);
    if (ret->about && take_image(link, ret, &err) == 0)
        return true;
    refuse(request, &err);
    return false;
}

/* The same of one that has files. */
static bool image_open(struct api_request *request, struct image *ret)
{
    struct romsim_error err = {0};

    if (!image_get(request, ret))
        return false;
    ret->erofs = romsim_erofs_open(ret->blob, &err);
    if (ret->erofs)
        return true;
    err.cloud = ROMSIM_CLOUD_NOT_SUPPORTED;
    refuse(request, &err);
    return false;
}

static json_t *erofs_json(const struct romsim_erofs *erofs)
{
    struct romsim_erofs_super super;
    char time[ROMSIM_TIME_SIZE];

    romsim_erofs_super(erofs, &super);
    return json_pack("{s:I, s:I, s:s*}", "block_size", (json_int_t)1 << super.block_bits, "inodes",
                     (json_int_t)super.inodes, "built_at",
                     super.build_time ? romsim_text_time(super.build_time, time) : NULL);
}

void page_image(struct api_request *request)
{
    CLEANUP_IMAGE struct image image = {0};
    const char *wish = api_request_parameter(request, "digest");
    struct romsim_error err = {0};
    bool is_asked = wish && strcmp(wish, "always") == 0;
    json_t *reply;

    if (!image_get(request, &image))
        return;
    reply = json_copy(image.about);
    json_object_del(reply, "offset"); /* is the keeper's and ours */
    if (is_asked || romsim_blob_size(image.blob) <= DIGEST_UNASKED)
        json_object_set_new(reply, "sha256",
                            json_string(romsim_blob_sha256_shown(image.blob) ?: ""));
    if (romsim_erofs_probe(romsim_blob_bytes(image.blob), romsim_blob_size(image.blob))) {
        image.erofs = romsim_erofs_open(image.blob, &err);
        if (image.erofs)
            json_object_set_new(reply, "erofs", erofs_json(image.erofs));
        else
            json_object_set_new(reply, "problem", json_string(err.message));
    }
    api_reply_data(request, reply);
}

/* ---- names and paths ------------------------------------------------------------------------ */

static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";

/* A name as a part of a path. */
static json_t *raw_json(const char *name, size_t size)
{
    char raw[3 * ROMSIM_NAME_MAX + 1], *to = raw;

    for (size_t i = 0; i < size && i < ROMSIM_NAME_MAX; i++) {
        if (strchr(plain, name[i]) && name[i]) {
            *to++ = name[i];
        } else {
            *to++ = '%';
            romsim_text_hex((const uint8_t *)&name[i], 1, to);
            to += 2;
        }
    }
    return json_stringn(raw, (size_t)(to - raw));
}

static int hex_value(char digit)
{
    const char *digits = "0123456789abcdef", *found;
    char lower = digit >= 'A' && digit <= 'F' ? (char)(digit + ('a' - 'A')) : digit;

    found = digit ? strchr(digits, lower) : NULL;
    return found ? (int)(found - digits) : -1;
}

/* The bytes of an escaped path, malloc'ed; NULL after a reply. */
static char *path_get(struct api_request *request)
{
    const char *raw = api_request_parameter(request, "path") ?: "";
    size_t size = strlen(raw), used = 0;
    char *path = size <= PATH_MAX_RAW ? malloc(size + 1) : NULL;
    bool is_good = path;

    for (const char *from = raw; is_good && *from; from++) {
        int high = *from == '%' ? hex_value(from[1]) : 0;
        int low = *from == '%' && high >= 0 ? hex_value(from[2]) : 0;
        int byte = *from == '%' ? 16 * high + low : (unsigned char)*from;

        is_good = high >= 0 && low >= 0 && byte != 0;
        if (*from == '%' && is_good)
            from += 2;
        path[used++] = (char)byte;
    }
    if (is_good) {
        path[used] = '\0';
        return path;
    }
    free(path);
    api_reply_fail(request, 400, ROMSIM_CLOUD_INVALID, "The path is none that can be");
    return NULL;
}

/* Where the request's path leads to inside of the image.  False: after a reply. */
static bool look_up(struct api_request *request, const struct image *image,
                    struct romsim_erofs_inode *ret)
{
    CLEANUP_FREE char *path = path_get(request);
    struct romsim_error err = {0};

    if (!path)
        return false;
    if (romsim_rom_lookup(image->erofs, path, ROMSIM_ROM_FOLLOW, ret, &err) == 0)
        return true;
    err.cloud = err.errnum == ENOENT ? ROMSIM_CLOUD_NOT_FOUND : ROMSIM_CLOUD_CANNOT_BE_USED;
    refuse(request, &err);
    return false;
}

/* ---- directories ---------------------------------------------------------------------------- */

static void add_inode(json_t *entry, struct romsim_erofs *erofs,
                      const struct romsim_erofs_inode *inode)
{
    CLEANUP_FREE char *target = NULL;
    struct romsim_error err = {0};
    char time[ROMSIM_TIME_SIZE];

    json_object_set_new(entry, "type", json_string(romsim_rom_type_name(inode->mode)));
    json_object_set_new(entry, "mode", json_integer(inode->mode & 07777));
    json_object_set_new(entry, "uid", json_integer(inode->uid));
    json_object_set_new(entry, "gid", json_integer(inode->gid));
    json_object_set_new(entry, "size", json_integer((json_int_t)inode->size));
    if (inode->mtime)
        json_object_set_new(entry, "mtime", json_string(romsim_text_time(inode->mtime, time)));
    if (!S_ISLNK(inode->mode))
        return;
    target = romsim_erofs_readlink(erofs, inode, &err);
    if (target)
        json_object_set_new(entry, "target", json_string(QUOTE(target)));
    else
        json_object_set_new(entry, "problem", json_string(err.message));
}

static json_t *entry_json(struct romsim_erofs *erofs, const struct romsim_erofs_dirent *dirent)
{
    char name[4 * ROMSIM_NAME_MAX + 16];
    struct romsim_erofs_inode inode;
    struct romsim_error err = {0};
    json_t *entry;

    romsim_text_quote(dirent->name, dirent->name_size, name, sizeof(name));
    entry = json_pack("{s:s, s:o}", "name", name, "raw", raw_json(dirent->name, dirent->name_size));
    if (romsim_erofs_inode(erofs, dirent->nid, &inode, &err) == 0)
        add_inode(entry, erofs, &inode);
    else
        json_object_update_new(entry,
                               json_pack("{s:s, s:s}", "type", "damaged", "problem", err.message));
    return entry;
}

static bool is_dots(const struct romsim_erofs_dirent *dirent)
{
    return dirent->name[0] == '.' &&
           (dirent->name_size == 1 || (dirent->name_size == 2 && dirent->name[1] == '.'));
}

/* {entries, next, problem}: `next` is the cursor if there may be more.  Behind damage nothing is
 * looked for: `romsim rom ls` does that. */
static json_t *list_json(struct romsim_erofs *erofs, const struct romsim_erofs_inode *directory,
                         uint64_t cursor)
{
    CLEANUP_FREE void *scratch = malloc(ROMSIM_EROFS_BLOCK_MAX);
    json_t *entries = json_array(), *list = json_pack("{s:o}", "entries", entries);
    struct romsim_erofs_dirent dirent;
    struct romsim_error err = {0};
    int found = scratch ? 1 : romsim_error_nomem(&err);

    for (size_t i = 0; found == 1 && i < LIST_MAX; i++) {
        found = romsim_erofs_readdir(erofs, directory, cursor, &cursor, &dirent, scratch, &err);
        if (found == 1 && !is_dots(&dirent))
            json_array_append_new(entries, entry_json(erofs, &dirent));
    }
    if (found == 1)
        json_object_set_new(list, "next", json_integer((json_int_t)cursor));
    if (found < 0)
        json_object_set_new(list, "problem", json_string(err.message));
    return list;
}

void page_list(struct api_request *request)
{
    CLEANUP_IMAGE struct image image = {0};
    struct romsim_erofs_inode inode;
    int64_t cursor;

    if (!page_number(request, "cursor", 0, INT64_MAX, 0, &cursor) || !image_open(request, &image) ||
        !look_up(request, &image, &inode))
        return;
    if (S_ISDIR(inode.mode))
        api_reply_data(request, list_json(image.erofs, &inode, (uint64_t)cursor));
    else
        api_reply_fail(request, 400, ROMSIM_CLOUD_CANNOT_BE_USED, "This is a %s, not a directory",
                       romsim_rom_type_name(inode.mode));
}

/* ---- bytes ---------------------------------------------------------------------------------- */

/* Bytes that a browser does not take for a page, whatever they are. */
static void give_bytes(struct api_request *request, const void *bytes, size_t size, uint64_t total)
{
    char text[32];

    snprintf(text, sizeof(text), "%llu", (unsigned long long)total);
    api_reply_header(request, "Romsim-Size", text);
    api_reply_header(request, "Content-Disposition", "attachment");
    api_reply_header(request, "Content-Security-Policy", "sandbox; default-src 'none'");
    api_reply_bytes(request, 200, "application/octet-stream", bytes, size);
}

static void give_raw(struct api_request *request, uint64_t offset, size_t size)
{
    CLEANUP_IMAGE struct image image = {0};
    uint64_t total, left;

    if (!image_get(request, &image))
        return;
    total = romsim_blob_size(image.blob);
    left = offset < total ? total - offset : 0;
    give_bytes(request, romsim_blob_bytes(image.blob) + (left ? offset : 0),
               left < size ? (size_t)left : size, total);
}

static void give_file(struct api_request *request, uint64_t offset, size_t size)
{
    CLEANUP_IMAGE struct image image = {0};
    CLEANUP_FREE void *bytes = malloc(size);
    struct romsim_erofs_inode inode;
    struct romsim_error err = {0};
    size_t done = 0;

    if (!image_open(request, &image) || !look_up(request, &image, &inode))
        return;
    if (!S_ISREG(inode.mode)) {
        api_reply_fail(request, 400, ROMSIM_CLOUD_CANNOT_BE_USED, "This is a %s, not a file",
                       romsim_rom_type_name(inode.mode));
    } else if (!bytes) {
        romsim_error_nomem(&err);
        refuse(request, &err);
    } else if (offset < inode.size &&
               romsim_erofs_read(image.erofs, &inode, offset, bytes, size, &done, &err) < 0) {
        err.cloud = ROMSIM_CLOUD_CANNOT_BE_USED;
        refuse(request, &err);
    } else {
        give_bytes(request, bytes, done, inode.size);
    }
}

/* Of a file, or without a path of the image itself. */
void page_file(struct api_request *request)
{
    int64_t offset, size;

    if (!page_number(request, "offset", 0, INT64_MAX, 0, &offset) ||
        !page_number(request, "size", 1, PIECE_MAX, PIECE_DEFAULT, &size))
        return;
    if (api_request_parameter(request, "path"))
        give_file(request, (uint64_t)offset, (size_t)size);
    else
        give_raw(request, (uint64_t)offset, (size_t)size);
}
