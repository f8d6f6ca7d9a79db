/* SPDX-License-Identifier: BSD-3-Clause */
/* base.c: the base image of an instance: a directory, an archive, an EROFS image, or a reference;
 * what had to be built is found in the cache the next time. */
#include "sim/image/cache.h"
#include "sim/image/directory.h"
#include "sim/image/image.h"
#include "sim/image/oci.h"
#include "sim/image/probe.h"

#include <romsim/image.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* ---- a directory ---------------------------------------------------------------------- */

static struct romsim_tree *read_directory(const char *path, struct cache_key *ret_key,
                                          int64_t *ret_newest, struct romsim_error *err)
{
    struct directory_identity identity = {.sha256 = romsim_sha256_new(), .newest = INT64_MIN};
    CLEANUP_TREE struct romsim_tree *tree = NULL;
    uint8_t digest[ROMSIM_SHA256_SIZE];

    if (!identity.sha256) {
        romsim_error_nomem(err);
        return NULL;
    }
    tree = directory_tree(path, ROMSIM_OWNERS_ROOT, &identity, err);
    romsim_sha256_final(identity.sha256, digest);
    romsim_sha256_free(identity.sha256);
    if (!tree || cache_key_make("directory", digest, sizeof(digest), ret_key, err) < 0)
        return NULL;
    *ret_newest = identity.newest;
    return STEAL_POINTER(&tree);
}

static int base_from_directory(const char *path, struct romsim_base_image *ret,
                               struct romsim_error *err)
{
    struct cache_key key;
    int64_t newest;
    CLEANUP_TREE struct romsim_tree *tree = read_directory(path, &key, &newest, err);
    int found;

    if (!tree)
        return -1;
    found = cache_find(&key, &ret->root, err);
    if (found != 0) {
        ret->from_cache = true;
        return found < 0 ? -1 : 0;
    }
    /* Nothing has changed since the key was made, or it fails. */
    ret->root = cache_build(cache_time_is_safe(newest) ? &key : NULL, tree, err);
    ret->warning = image_tree_warning(tree, path);
    return ret->root ? 0 : -1;
}

/* ---- a file --------------------------------------------------------------------------- */

/* An archive, found in the cache or unpacked into a tree: that is the root, unless it holds images
 * and `reference` (or NULL) says that they are meant. */
static int base_from_archive(struct romsim_blob *blob, const char *name,
                             const struct reference *reference, const struct cache_key *key,
                             struct romsim_base_image *ret, struct romsim_error *err)
{
    CLEANUP_TREE struct romsim_tree *tree = NULL;
    CLEANUP_OCI_SOURCE struct oci_source *source = NULL;
    CLEANUP_OCI_IMAGE struct oci_image image = {0};
    int found = reference && reference->tag ? 0 : cache_find(key, &ret->root, err);

    if (found != 0) {
        ret->from_cache = true;
        return found < 0 ? -1 : 0;
    }
    tree = romsim_tree_new(NULL);
    if (!tree)
        return romsim_error_nomem(err);
    if (romsim_tree_add_archive(tree, blob, false, name, err) < 0)
        return -1;
    if (reference && reference->kind != ROMSIM_REFERENCE_FILES)
        found = oci_open_tree(&tree, reference->tag, name, &source, &image, err);
    if (found < 0)
        return -1;
    if (found > 0) /* the image's root has a key of its own */
        return oci_base(source, &image, ret, err) < 0 ? oci_failed(reference, err) : 0;
    ret->root = cache_build(key, tree, err);
    ret->warning = image_tree_warning(tree, name);
    return ret->root ? 0 : -1;
}

static int base_from_image(struct romsim_blob *blob, const char *name,
                           struct romsim_base_image *ret, struct romsim_error *err)
{
    CLEANUP_EROFS struct romsim_erofs *erofs = romsim_erofs_open(blob, err);
    struct romsim_erofs_inode root;

    if (!erofs || romsim_erofs_inode(erofs, romsim_erofs_root(erofs), &root, err) < 0)
        return romsim_error_context(err, "base image '%s'", QUOTE(name));
    if (image_check_alignment(blob, name, err) < 0)
        return -1;
    ret->root = romsim_blob_ref(blob);
    return 0;
}

static int unusable_base(enum image_form form, const char *name, struct romsim_error *err)
{
    romsim_error_set(err, EINVAL, "'%s' is %s, which cannot be a base image", QUOTE(name),
                     image_form_name(form));
    return romsim_error_hint(err, "a base image is a directory, an EROFS image, a tar or cpio "
                                  "archive (plain, gzip, xz, zstd, lz4) or an OCI image");
}

/* The root of the files in an archive of images is another one than that of its image. */
static int key_of_files(const struct reference *reference, struct cache_key *key,
                        struct romsim_error *err)
{
    if (reference && reference->kind != ROMSIM_REFERENCE_FILES)
        return 0;
    return cache_key_make("files", key->hex, sizeof(key->hex), key, err);
}

/* `key` identifies the archive if it is one; NULL: its content does. */
static int base_from_blob(struct romsim_blob *blob, const char *name,
                          const struct reference *reference, const struct cache_key *key,
                          struct romsim_base_image *ret, struct romsim_error *err)
{
    enum image_form form = image_form_probe(romsim_blob_bytes(blob), romsim_blob_size(blob));
    struct cache_key content;

    if (form == FORM_EROFS)
        return base_from_image(blob, name, ret, err);
    if (form != FORM_TAR && form != FORM_CPIO && !image_form_is_compressed(form))
        return unusable_base(form, name, err);
    if (!key && (cache_key_make("archive", romsim_blob_sha256_hex(blob), ROMSIM_SHA256_HEX_SIZE,
                                &content, err) < 0 ||
                 key_of_files(reference, &content, err) < 0))
        return -1;
    return base_from_archive(blob, name, reference, key ? key : &content, ret, err);
}

int image_base_from_blob(struct romsim_blob *blob, const char *name, struct romsim_base_image *ret,
                         struct romsim_error *err)
{
    return base_from_blob(blob, name, NULL, NULL, ret, err);
}

/*
 * What stat() says of a file leads to its root without reading the file.  A file that has just
 * changed is identified by its content instead, which takes longer: a hash of all of it.
 */
static int base_from_file(const struct reference *reference, struct romsim_base_image *ret,
                          struct romsim_error *err)
{
    const char *path = reference->path;
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    CLEANUP_BLOB struct romsim_blob *blob = NULL;
    struct cache_key key, after;
    struct stat st;
    bool safe;
    int found;

    if (fd < 0 || fstat(fd, &st) < 0)
        return romsim_error_system(err, errno, "cannot open '%s'", QUOTE(path));
    if (!S_ISREG(st.st_mode)) { /* a pipe says nothing of what is in it */
        blob = romsim_blob_snapshot_within(path, ROMSIM_BOUND_FILE_BYTES, err);
        return blob ? base_from_blob(blob, path, reference, NULL, ret, err) : -1;
    }
    if (cache_key_of_file(&st, &key, err) < 0 || key_of_files(reference, &key, err) < 0)
        return -1;
    safe = cache_time_is_safe(st.st_ctim.tv_sec) && !reference->tag;
    found = safe ? cache_find(&key, &ret->root, err) : 0;
    if (found != 0) {
        ret->from_cache = true;
        return found < 0 ? -1 : 0;
    }
    blob = romsim_blob_snapshot_fd(fd, path, err);
    if (!blob)
        return -1;
    /* The copy is of the state that the key is of, or it is identified by its content. */
    if (fstat(fd, &st) < 0 || cache_key_of_file(&st, &after, err) < 0 ||
        key_of_files(reference, &after, err) < 0 || strcmp(key.hex, after.hex) != 0)
        safe = false;
    return base_from_blob(blob, path, reference, safe ? &key : NULL, ret, err);
}

/* ---- all of them ---------------------------------------------------------------------- */

static int base_from_reference(struct reference *reference, struct romsim_base_image *ret,
                               struct romsim_error *err)
{
    CLEANUP_OCI_SOURCE struct oci_source *source = NULL;
    CLEANUP_OCI_IMAGE struct oci_image image = {0};
    struct stat st;
    int found = oci_find(reference, "base image", &source, &image, &st, err);

    if (found < 0)
        return -1;
    if (found > 0)
        return oci_base(source, &image, ret, err) < 0 ? oci_failed(reference, err) : 0;
    if (S_ISDIR(st.st_mode))
        return base_from_directory(reference->path, ret, err);
    return base_from_file(reference, ret, err);
}

/* Of its command the instance's args are all. */
static int base_from_supply(const struct romsim_supply *supply, struct romsim_base_image *ret,
                            struct romsim_error *err)
{
    struct romsim_base_image base = {.root = romsim_blob_ref(supply->root),
                                     .working_dir = strdup(supply->working_dir)};

    if (!base.working_dir || romsim_strings_append_all(&base.env, supply->env) < 0) {
        romsim_base_image_release(&base);
        return romsim_error_nomem(err);
    }
    *ret = base;
    return 0;
}

int romsim_image_base(const struct romsim_instance *instance, struct romsim_base_image *ret,
                      struct romsim_error *err)
{
    CLEANUP_REFERENCE struct reference reference = {0};
    struct romsim_base_image base = {0};

    if (instance->supply && instance->supply->root)
        return base_from_supply(instance->supply, ret, err);
    if (reference_parse(instance->image, instance->directory, &reference, err) < 0)
        return image_error_at(err, &instance->image_place);
    reference.is_name_only = romsim_instance_is_foreign(instance, instance->image_origin);
    if (base_from_reference(&reference, &base, err) < 0) {
        romsim_base_image_release(&base);
        return image_error_at(err, &instance->image_place);
    }
    *ret = base;
    return 0;
}

void romsim_base_image_release(struct romsim_base_image *base)
{
    romsim_blob_unref(base->root);
    romsim_blob_unref(base->kernel);
    romsim_strings_clear(&base->entrypoint);
    romsim_strings_clear(&base->cmd);
    romsim_strings_clear(&base->env);
    free(base->working_dir);
    free(base->warning);
    *base = (struct romsim_base_image){0};
}
