/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * oci_source.c: the files of an image layout, in a directory or in an archive.
 *
 * A directory's files are opened beneath it, whatever links it has, and copied before use, because
 * whoever owns them may change them.  An archive becomes a tree in memory (archive.c), whose files
 * are parts of one blob.
 */
#include "sim/image/oci.h"

#include <romsim/bounds.h>
#include <romsim/file.h>
#include <romsim/paths.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { LINKS_MAX = 40 };

struct oci_source {
    int folder; /* -1: an archive */
    bool is_own;
    int lock; /* of the store, or -1 */
    struct romsim_tree *tree;
};

static struct oci_source *new_source(struct romsim_error *err)
{
    struct oci_source *source = calloc(1, sizeof(*source));

    if (!source) {
        romsim_error_nomem(err);
        return NULL;
    }
    source->folder = source->lock = -1;
    return source;
}

struct oci_source *oci_source_directory(const char *path, struct romsim_error *err)
{
    CLEANUP_OCI_SOURCE struct oci_source *source = new_source(err);

    if (!source)
        return NULL;
    source->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (source->folder < 0) {
        romsim_error_system(err, errno, "cannot open the image layout '%s'", QUOTE(path));
        return NULL;
    }
    return STEAL_POINTER(&source);
}

struct oci_source *oci_source_store(const struct romsim_store *store, struct romsim_error *err)
{
    CLEANUP_OCI_SOURCE struct oci_source *source = new_source(err);

    if (!source)
        return NULL;
    if (romsim_store_share(store, &source->folder, &source->lock, &source->is_own, err) < 0)
        return NULL;
    return STEAL_POINTER(&source);
}

struct oci_source *oci_source_tree(struct romsim_tree *tree, struct romsim_error *err)
{
    struct oci_source *source = new_source(err);

    if (source)
        source->tree = tree;
    else
        romsim_tree_free(tree);
    return source;
}

struct romsim_tree *oci_source_take_tree(struct oci_source *source)
{
    return STEAL_POINTER(&source->tree);
}

struct oci_source *oci_source_blob(struct romsim_blob *blob, const char *name,
                                   struct romsim_error *err)
{
    CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(NULL);

    if (!tree) {
        romsim_error_nomem(err);
        return NULL;
    }
    if (romsim_tree_add_archive(tree, blob, false, name, err) < 0)
        return NULL;
    return oci_source_tree(STEAL_POINTER(&tree), err);
}

struct oci_source *oci_source_archive(const char *path, struct romsim_error *err)
{
    CLEANUP_BLOB struct romsim_blob *blob =
        romsim_blob_snapshot_within(path, ROMSIM_BOUND_FILE_BYTES, err);

    return blob ? oci_source_blob(blob, path, err) : NULL;
}

void oci_source_free(struct oci_source *source)
{
    if (!source)
        return;
    if (source->folder >= 0)
        close(source->folder);
    if (source->lock >= 0)
        close(source->lock);
    romsim_tree_free(source->tree);
    free(source);
}

/* ---- a directory's files ---------------------------------------------------------------- */

static int open_file(const struct oci_source *source, const char *path)
{
    struct open_how how = {
        .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
        .resolve = RESOLVE_BENEATH,
    };
    int fd = (int)syscall(SYS_openat2, source->folder, path, &how, sizeof(how));

    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        fd = openat(source->folder, path, (int)how.flags | O_NOFOLLOW);
    return fd;
}

static int wrong_size(const char *path, uint64_t size, uint64_t expected, struct romsim_error *err)
{
    return romsim_error_set(err, EUCLEAN,
                            "'%s' has %llu bytes, not the %llu that its descriptor "
                            "says",
                            QUOTE(path), (unsigned long long)size, (unsigned long long)expected);
}

/* A regular file of the size that it should have. */
static int open_checked(const struct oci_source *source, const char *path, uint64_t size,
                        struct romsim_error *err)
{
    CLEANUP_FD int fd = open_file(source, path);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return romsim_error_system(err, errno, "cannot open '%s' in the image layout", QUOTE(path));
    if (!S_ISREG(st.st_mode))
        return romsim_error_set(err, EUCLEAN, "'%s' in the image layout is no regular file",
                                QUOTE(path));
    if (size != UINT64_MAX && (uint64_t)st.st_size != size)
        return wrong_size(path, (uint64_t)st.st_size, size, err);
    return steal_fd(&fd);
}

static struct romsim_blob *folder_file(const struct oci_source *source, const char *path,
                                       uint64_t size, struct romsim_error *err)
{
    CLEANUP_FD int fd = open_checked(source, path, size, err);

    if (fd < 0)
        return NULL;
    return source->is_own ? romsim_blob_take_fd(steal_fd(&fd), err)
                          : romsim_blob_snapshot_fd(fd, path, err);
}

/* ---- an archive's files ----------------------------------------------------------------- */

/* The path of a link's target; a relative one starts where the link stands. */
static char *link_target(const char *path, const char *target)
{
    const char *slash = strrchr(path, '/');
    char *result;

    if (target[0] == '/' || !slash)
        return strdup(target);
    return asprintf(&result, "%.*s/%s", (int)(slash - path), path, target) < 0 ? NULL : result;
}

/* Old `docker save` has links where two images share a layer. */
static struct romsim_inode *find_file(const struct oci_source *source, const char *path)
{
    struct romsim_inode *inode = romsim_tree_lookup(source->tree, path);
    CLEANUP_FREE char *at = strdup(path);

    for (int links = 0; at && inode && S_ISLNK(inode->mode) && links < LINKS_MAX; links++) {
        char *next = link_target(at, inode->target);

        free(at);
        at = next;
        inode = at ? romsim_tree_lookup(source->tree, at) : NULL;
    }
    return inode && S_ISREG(inode->mode) ? inode : NULL;
}

/* A file of one piece is a part of the archive's blob; one with holes is put together. */
static struct romsim_blob *inode_blob(const struct romsim_inode *inode, struct romsim_error *err)
{
    CLEANUP_FD int fd = -1;

    if (inode->size == 0)
        return romsim_blob_from_bytes("", 0, err);
    if (inode->data.kind == ROMSIM_DATA_BLOB && inode->data.extent_count == 1 &&
        inode->data.extents[0].length == inode->size)
        return romsim_blob_slice(inode->data.blob, inode->data.extents[0].source_offset,
                                 inode->size, err);
    fd = romsim_blob_scratch_file(err);
    if (fd < 0)
        return NULL;
    if (ftruncate(fd, (off_t)inode->size) < 0) {
        romsim_error_write(err, errno, fd, "copy a sparse file");
        return NULL;
    }
    if (romsim_inode_copy(inode, fd, 0, err) < 0)
        return NULL;
    return romsim_blob_take_fd(steal_fd(&fd), err);
}

static struct romsim_blob *archive_file(const struct oci_source *source, const char *path,
                                        uint64_t size, struct romsim_error *err)
{
    const struct romsim_inode *inode = find_file(source, path);

    if (!inode) {
        romsim_error_set(err, ENOENT, "there is no file '%s' in the archive", QUOTE(path));
        return NULL;
    }
    if (size != UINT64_MAX && inode->size != size) {
        wrong_size(path, inode->size, size, err);
        return NULL;
    }
    return inode_blob(inode, err);
}

/* ---- both ------------------------------------------------------------------------------- */

bool oci_source_has(struct oci_source *source, const char *path)
{
    CLEANUP_FD int fd = -1;

    if (source->tree)
        return find_file(source, path) != NULL;
    fd = open_file(source, path);
    return fd >= 0;
}

int oci_source_open(struct oci_source *source, const char *path, uint64_t size, int *ret_fd,
                    uint64_t *ret_offset, struct romsim_error *err)
{
    CLEANUP_BLOB struct romsim_blob *blob = NULL;
    uint64_t offset = 0;
    int fd;

    if (source->tree) {
        blob = archive_file(source, path, size, err);
        if (!blob)
            return -1;
        fd = fcntl(romsim_blob_fd(blob, &offset), F_DUPFD_CLOEXEC, 3);
    } else {
        fd = open_checked(source, path, size, err);
        if (fd < 0)
            return -1;
    }
    if (fd < 0)
        return romsim_error_system(err, errno, "cannot open '%s' in the archive", QUOTE(path));
    *ret_fd = fd;
    *ret_offset = offset;
    return 0;
}

uint64_t oci_source_size(struct oci_source *source, const char *path)
{
    CLEANUP_FD int fd = source->tree ? -1 : open_file(source, path);
    const struct romsim_inode *inode = source->tree ? find_file(source, path) : NULL;
    struct stat st;

    if (inode)
        return inode->size;
    return fd >= 0 && fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

struct romsim_blob *oci_source_file(struct oci_source *source, const char *path, uint64_t size,
                                    const char *digest, struct romsim_error *err)
{
    char found[ROMSIM_DIGEST_SIZE];
    CLEANUP_BLOB struct romsim_blob *blob =
        source->tree ? archive_file(source, path, size, err) : folder_file(source, path, size, err);

    if (!blob)
        return NULL;
    if (digest)
        romsim_blob_digest(blob, digest, found);
    if (digest && strcmp(found, digest) != 0) {
        romsim_error_set(err, EUCLEAN, "'%s' is damaged: its digest is %s", QUOTE(path), found);
        return NULL;
    }
    return STEAL_POINTER(&blob);
}

static int check_json_size(const char *path, uint64_t size, struct romsim_error *err)
{
    uint64_t limit = romsim_bound(ROMSIM_BOUND_IMAGE_JSON);

    if (size <= limit)
        return 0;
    return romsim_bound_refuse(err, ROMSIM_BOUND_IMAGE_JSON, "'%s' has %s, more than %s of JSON",
                               QUOTE(path), SIZE_TEXT(size), SIZE_TEXT(limit));
}

/* How many values a JSON text may have: one more than it has of what stands before a value.  It is
 * known before a parser makes a hundred bytes of each. */
static uint64_t count_values(const char *text, size_t size)
{
    uint64_t count = 1;
    bool is_inside = false; /* a string */

    for (size_t i = 0; i < size; i++) {
        if (is_inside && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            is_inside = !is_inside;
        else if (!is_inside)
            count += text[i] == ',' || text[i] == ':' || text[i] == '[' || text[i] == '{';
    }
    return count;
}

json_t *oci_json_parse(const void *text, size_t size, const char *name, struct romsim_error *err)
{
    uint64_t limit = romsim_bound(ROMSIM_BOUND_IMAGE_VALUES);
    json_error_t error;
    json_t *json;

    if (check_json_size(name, size, err) < 0)
        return NULL;
    if (count_values(text, size) > limit) {
        romsim_bound_refuse(err, ROMSIM_BOUND_IMAGE_VALUES, "'%s' has more than %llu values",
                            QUOTE(name), (unsigned long long)limit);
        return NULL;
    }
    json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    if (!json)
        romsim_error_set(err, EUCLEAN, "'%s' is no valid JSON: line %d, column %d: %s", QUOTE(name),
                         error.line, error.column, QUOTE(error.text));
    return json;
}

json_t *oci_source_json(struct oci_source *source, const char *path, uint64_t size,
                        const char *digest, struct romsim_error *err)
{
    uint64_t announced = size == UINT64_MAX ? oci_source_size(source, path) : size;
    CLEANUP_BLOB struct romsim_blob *blob = NULL;

    /* Before the file is copied: it may be a sparse one of any size. */
    if (check_json_size(path, announced, err) < 0)
        return NULL;
    blob = oci_source_file(source, path, size, digest, err);
    return blob ? oci_json_parse(romsim_blob_bytes(blob), romsim_blob_size(blob), path, err) : NULL;
}

/* ---- what it is ------------------------------------------------------------------------- */

bool oci_source_is_image(struct oci_source *source)
{
    CLEANUP_JSON json_t *mark = NULL;
    CLEANUP_JSON json_t *images = NULL;
    const json_t *first;

    if (oci_source_has(source, "oci-layout") && oci_source_has(source, "index.json"))
        mark = oci_source_json(source, "oci-layout", UINT64_MAX, NULL, NULL);
    if (json_is_string(json_object_get(mark, "imageLayoutVersion")))
        return true;
    if (oci_source_has(source, "manifest.json"))
        images = oci_source_json(source, "manifest.json", UINT64_MAX, NULL, NULL);
    first = json_array_get(images, 0);
    return json_is_string(json_object_get(first, "Config")) &&
           json_is_array(json_object_get(first, "Layers"));
}
