/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * oci_output.c: a bundle as an OCI layout in a folder, or as a tar of one.
 *
 * Theory of operation: blobs are named by their digest, so whoever writes the same blob writes the
 * same bytes, and a blob that is there need not be written again.  A tag is an entry of index.json,
 * which is read, changed and replaced under a lock on the folder, when the blobs are there.
 */
#include "sim/image/newfile.h"
#include "sim/image/oci.h"
#include "sim/image/oci_write.h"
#include "sim/image/tar_write.h"

#include <romsim/bounds.h>
#include <romsim/buffer.h>
#include <romsim/lock.h>
#include <romsim/paths.h>
#include <romsim/text.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

static const char layout_name[] = "oci-layout";
static const char layout_text[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
static const char index_name[] = "index.json";
static const char tag_annotation[] = "org.opencontainers.image.ref.name";

/* ---- the index -------------------------------------------------------------------------- */

static json_t *new_index(void)
{
    return json_pack("{s:i, s:s, s:[]}", "schemaVersion", 2, "mediaType",
                     "application/vnd.oci.image.index.v1+json", "manifests");
}

static bool has_tag(const json_t *manifest, const char *tag)
{
    const char *own = json_string_value(
        json_object_get(json_object_get(manifest, "annotations"), tag_annotation));

    return own && strcmp(own, tag) == 0;
}

/* Gives the bundle its tag in an index, and takes the tag from whatever has it. */
static int tag_in_index(json_t *index, const struct oci_bundle *bundle, const char *tag,
                        struct romsim_error *err)
{
    json_t *manifests = json_object_get(index, "manifests");
    json_t *entry = json_copy(bundle->top);
    json_t *annotations = json_pack("{s:s}", tag_annotation, tag);

    for (size_t i = json_array_size(manifests); i > 0; i--)
        if (has_tag(json_array_get(manifests, i - 1), tag))
            json_array_remove(manifests, i - 1);
    if (json_object_set_new(entry, "annotations", annotations) < 0) {
        json_decref(entry);
        return romsim_error_nomem(err);
    }
    return json_array_append_new(manifests, entry) < 0 ? romsim_error_nomem(err) : 0;
}

/* The text of an index with the bundle in it. */
static char *index_text(json_t *index, const struct oci_bundle *bundle, const char *tag,
                        struct romsim_error *err)
{
    char *text;

    if (!index) {
        romsim_error_nomem(err);
        return NULL;
    }
    if (tag_in_index(index, bundle, tag, err) < 0)
        return NULL;
    text = json_dumps(index, JSON_COMPACT);
    if (!text)
        romsim_error_nomem(err);
    return text;
}

/* ---- a folder --------------------------------------------------------------------------- */

static int write_text(int folder, const char *folder_name, const char *name, const char *text,
                      struct romsim_error *err)
{
    CLEANUP_NEWFILE struct newfile file = NEWFILE_NONE;

    if (newfile_open(folder, folder_name, &file, err) < 0 ||
        newfile_write(&file, text, strlen(text), 0, err) < 0)
        return -1;
    return newfile_keep(&file, name, err);
}

static int write_blob(int folder, const char *folder_name, struct romsim_blob *blob,
                      struct romsim_error *err)
{
    CLEANUP_NEWFILE struct newfile file = NEWFILE_NONE;
    char digest[ROMSIM_DIGEST_SIZE];

    romsim_blob_digest(blob, "sha256:", digest);
    if (newfile_is_there(folder, romsim_digest_hex(digest), romsim_blob_size(blob), digest))
        return 0;
    if (newfile_open(folder, folder_name, &file, err) < 0 ||
        newfile_write_blob(&file, blob, 0, err) < 0)
        return -1;
    return newfile_keep(&file, romsim_blob_sha256_hex(blob), err);
}

static int write_blobs(const struct oci_bundle *bundle, int layout, const char *path,
                       struct romsim_error *err)
{
    CLEANUP_FD int folder = -1;

    if ((mkdirat(layout, "blobs", 0777) < 0 && errno != EEXIST) ||
        (mkdirat(layout, "blobs/sha256", 0777) < 0 && errno != EEXIST))
        return romsim_error_system(err, errno, "cannot make '%s/blobs/sha256'", QUOTE(path));
    folder = openat(layout, "blobs/sha256", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return romsim_error_system(err, errno, "cannot open '%s/blobs/sha256'", QUOTE(path));
    for (size_t i = 0; i < bundle->blobs.count; i++)
        if (write_blob(folder, path, bundle->blobs.items[i], err) < 0)
            return -1;
    return 0;
}

static bool folder_is_empty(int folder)
{
    int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = copy < 0 ? NULL : fdopendir(copy);
    const struct dirent *entry;
    bool empty = true;

    if (!stream) {
        if (copy >= 0)
            close(copy);
        return false;
    }
    while (empty && (entry = readdir(stream)))
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    closedir(stream);
    return empty;
}

/* The index that a layout has, or a new one.  NULL with the error set. */
static json_t *read_index(int layout, const char *path, struct romsim_error *err)
{
    CLEANUP_BUFFER struct romsim_buffer buffer =
        ROMSIM_BUFFER_INIT(romsim_bound(ROMSIM_BOUND_IMAGE_JSON));
    CLEANUP_FD int fd = openat(layout, index_name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    json_t *index;

    if (fd < 0 && errno == ENOENT) {
        index = new_index();
        if (!index)
            romsim_error_nomem(err);
        return index;
    }
    if (fd >= 0 && romsim_buffer_read_fd(&buffer, fd) < 0 && buffer.failed == EFBIG) {
        romsim_bound_refuse(err, ROMSIM_BOUND_IMAGE_JSON, "'%s/%s' has more than %s of JSON",
                            QUOTE(path), index_name, SIZE_TEXT(buffer.maximum));
        return NULL;
    }
    if (fd < 0 || buffer.failed) {
        romsim_error_system(err, fd < 0 ? errno : buffer.failed, "cannot read '%s/%s'", QUOTE(path),
                            index_name);
        return NULL;
    }
    index = json_loadb(buffer.data ? buffer.data : "", buffer.size, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_array(json_object_get(index, "manifests"))) {
        json_decref(index);
        romsim_error_set(err, EUCLEAN, "'%s/%s' is damaged: no index of an OCI layout", QUOTE(path),
                         index_name);
        return NULL;
    }
    return index;
}

/* Not every file system has locks: then there is none. */
static int lock_layout(int folder, const char *path, struct romsim_error *err)
{
    struct romsim_error error;

    if (romsim_lock_take(folder, LOCK_EX, ROMSIM_LOCK_WRITER_TIMEOUT_MS, path, &error) == 0 ||
        error.errnum != EBUSY)
        return 0;
    if (err)
        *err = error;
    return -1;
}

/* Makes a folder a layout, if it is none.  Under the lock. */
static int make_layout(int folder, const char *path, struct romsim_error *err)
{
    if (faccessat(folder, layout_name, F_OK, 0) == 0)
        return 0;
    if (folder_is_empty(folder))
        return write_text(folder, path, layout_name, layout_text, err);
    romsim_error_set(err, EEXIST, "'%s' is there and is no OCI image layout", QUOTE(path));
    return romsim_error_hint(err, "name a new or empty folder");
}

/* Opens the folder, and sees to it that it is a layout to which a tag can be added. */
static int open_layout(const char *path, struct romsim_error *err)
{
    CLEANUP_FD int fd = -1;
    CLEANUP_JSON json_t *index = NULL;

    if (romsim_path_make(path, 0777, err) < 0)
        return -1;
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return romsim_error_system(err, errno, "cannot open '%s'", QUOTE(path));
    if (lock_layout(fd, path, err) < 0 || make_layout(fd, path, err) < 0)
        return -1;
    index = read_index(fd, path, err);
    if (!index)
        return -1;
    flock(fd, LOCK_UN);
    return steal_fd(&fd);
}

static int write_tag(const struct oci_bundle *bundle, int layout, const char *path, const char *tag,
                     struct romsim_error *err)
{
    CLEANUP_FREE char *text = NULL;
    CLEANUP_JSON json_t *index = NULL;

    if (lock_layout(layout, path, err) < 0)
        return -1;
    index = read_index(layout, path, err);
    text = index ? index_text(index, bundle, tag, err) : NULL;
    return text ? write_text(layout, path, index_name, text, err) : -1;
}

int oci_bundle_write_layout(const struct oci_bundle *bundle, const char *path, const char *tag,
                            struct romsim_error *err)
{
    CLEANUP_FD int layout = open_layout(path, err);

    if (layout < 0 || write_blobs(bundle, layout, path, err) < 0)
        return -1;
    return write_tag(bundle, layout, path, tag, err);
}

/* ---- a tar ------------------------------------------------------------------------------ */

struct tar {
    struct newfile file;
    uint64_t offset;
};

static int tar_begin(struct tar *tar, const char *name, uint64_t size, struct romsim_error *err)
{
    uint8_t header[TAR_BLOCK_SIZE];

    tar_header(name, size, header);
    if (newfile_write(&tar->file, header, sizeof(header), tar->offset, err) < 0)
        return -1;
    tar->offset += TAR_BLOCK_SIZE;
    return 0;
}

static int tar_add_text(struct tar *tar, const char *name, const char *text,
                        struct romsim_error *err)
{
    if (tar_begin(tar, name, strlen(text), err) < 0 ||
        newfile_write(&tar->file, text, strlen(text), tar->offset, err) < 0)
        return -1;
    tar->offset += tar_padded(strlen(text));
    return 0;
}

/* Some tools (skopeo 1.9, as an ordinary user) do not get along without the folders' entries. */
static int tar_add_folder(struct tar *tar, const char *name, struct romsim_error *err)
{
    uint8_t header[TAR_BLOCK_SIZE];

    tar_folder_header(name, header);
    if (newfile_write(&tar->file, header, sizeof(header), tar->offset, err) < 0)
        return -1;
    tar->offset += TAR_BLOCK_SIZE;
    return 0;
}

static int tar_add_blob(struct tar *tar, struct romsim_blob *blob, struct romsim_error *err)
{
    char name[TAR_NAME_MAX];

    snprintf(name, sizeof(name), "blobs/sha256/%s", romsim_blob_sha256_hex(blob));
    if (tar_begin(tar, name, romsim_blob_size(blob), err) < 0 ||
        newfile_write_blob(&tar->file, blob, tar->offset, err) < 0)
        return -1;
    tar->offset += tar_padded(romsim_blob_size(blob));
    return 0;
}

/* What stands between the pieces was never written, and reads as zeros: as tar wants it. */
static int tar_end(struct tar *tar, struct romsim_error *err)
{
    if (ftruncate(tar->file.fd, (off_t)(tar->offset + TAR_END_SIZE)) < 0)
        return romsim_error_system(err, errno, "cannot write to '%s'",
                                   QUOTE(tar->file.folder_name));
    return 0;
}

static int tar_fill(struct tar *tar, const struct oci_bundle *bundle, const char *tag,
                    struct romsim_error *err)
{
    json_t *index = new_index();
    CLEANUP_FREE char *text = index_text(index, bundle, tag, err);

    json_decref(index);
    if (!text || tar_add_text(tar, layout_name, layout_text, err) < 0 ||
        tar_add_text(tar, index_name, text, err) < 0 || tar_add_folder(tar, "blobs/", err) < 0 ||
        tar_add_folder(tar, "blobs/sha256/", err) < 0)
        return -1;
    for (size_t i = 0; i < bundle->blobs.count; i++)
        if (tar_add_blob(tar, bundle->blobs.items[i], err) < 0)
            return -1;
    return tar_end(tar, err);
}

/* The folder that a file stands in, and its name there. */
static int open_folder_of(const char *path, const char **ret_name, struct romsim_error *err)
{
    const char *slash = strrchr(path, '/');
    CLEANUP_FREE char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    const char *name = slash ? slash + 1 : path;
    int fd;

    if (!folder)
        return romsim_error_nomem(err);
    if (!*name)
        return romsim_error_set(err, EINVAL, "'%s' names no file", QUOTE(path));
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return romsim_error_system(err, errno, "cannot open the folder '%s'", QUOTE(folder));
    *ret_name = name;
    return fd;
}

int oci_bundle_write_archive(const struct oci_bundle *bundle, const char *path, const char *tag,
                             struct romsim_error *err)
{
    const char *name = NULL;
    CLEANUP_FD int folder = open_folder_of(path, &name, err);
    CLEANUP_NEWFILE struct newfile file = NEWFILE_NONE;
    struct tar tar = {0};
    struct stat st;

    if (folder < 0)
        return -1;
    if (fstatat(folder, name, &st, 0) == 0 && !S_ISREG(st.st_mode)) {
        romsim_error_set(err, EEXIST, "'%s' is there and is no regular file", QUOTE(path));
        return romsim_error_hint(err, "an OCI layout goes into a folder with -o oci:%s",
                                 QUOTE(path));
    }
    if (newfile_open(folder, path, &file, err) < 0)
        return -1;
    tar.file = file;
    if (tar_fill(&tar, bundle, tag, err) < 0)
        return -1;
    return newfile_keep(&file, name, err);
}
