/* SPDX-License-Identifier: BSD-3-Clause */
/* oci_open.c: from a reference to an image: the transports, and the names of the store. */
#include "sim/image/decompress.h"
#include "sim/image/oci.h"

#include <romsim/text.h>

#include <errno.h>
#include <string.h>

struct oci_source *oci_open_source(const struct reference *reference, struct romsim_error *err)
{
    struct stat st;

    if (reference->kind == ROMSIM_REFERENCE_OCI ||
        (reference->kind == ROMSIM_REFERENCE_PATH && stat(reference->path, &st) == 0 &&
         S_ISDIR(st.st_mode)))
        return oci_source_directory(reference->path, err);
    return oci_source_archive(reference->path, err);
}

static int load_layout(struct oci_source *source, const char *tag, struct oci_image *ret,
                       struct romsim_error *err)
{
    struct oci_descriptor manifest;

    if (oci_index_find(source, tag, &manifest, err) < 0)
        return -1;
    return oci_image_load(source, &manifest, ret, err);
}

/* What `docker save` writes nowadays is a layout as well, and is taken for that first. */
int oci_load(struct oci_source *source, const char *tag, struct oci_image *ret,
             struct romsim_error *err)
{
    if (!oci_source_has(source, "oci-layout") && oci_source_has(source, "manifest.json"))
        return docker_archive_load(source, tag, ret, err);
    return load_layout(source, tag, ret, err);
}

static int load(struct oci_source *source, const struct reference *reference, struct oci_image *ret,
                struct romsim_error *err)
{
    if (reference->kind == ROMSIM_REFERENCE_DOCKER_ARCHIVE)
        return docker_archive_load(source, reference->tag, ret, err);
    if (reference->kind == ROMSIM_REFERENCE_PATH)
        return oci_load(source, reference->tag, ret, err);
    return load_layout(source, reference->tag, ret, err);
}

/* ---- told by content -------------------------------------------------------------------- */

/* Only an image has a tag. */
static int no_images(const char *tag, const char *name, struct romsim_error *err)
{
    if (!tag)
        return 0;
    return romsim_error_set(err, EINVAL, "'%s' is no archive of images, and has no tag '%s'",
                            QUOTE(name), QUOTE(tag));
}

int oci_open_tree(struct romsim_tree **tree, const char *tag, const char *name,
                  struct oci_source **ret_source, struct oci_image *ret, struct romsim_error *err)
{
    CLEANUP_OCI_SOURCE struct oci_source *source = oci_source_tree(STEAL_POINTER(tree), err);

    if (!source)
        return -1;
    if (!oci_source_is_image(source)) {
        *tree = oci_source_take_tree(source);
        return no_images(tag, name, err);
    }
    if (oci_load(source, tag, ret, err) < 0) {
        if (err && !err->hint[0])
            romsim_error_hint(err, "it looks like an archive of images; files:PATH takes the files "
                                   "in it as they are");
        return romsim_error_context(err, "'%s'", QUOTE(name));
    }
    *ret_source = STEAL_POINTER(&source);
    return 1;
}

/* An archive that cannot be read is none of images: it may be fine for whoever takes its bytes. */
int oci_open_blob(struct romsim_blob *blob, const char *tag, const char *name,
                  struct oci_source **ret_source, struct oci_image *ret, struct romsim_error *err)
{
    CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(NULL);

    if (!tree)
        return romsim_error_nomem(err);
    if (image_form_inside(blob) != FORM_TAR ||
        romsim_tree_add_archive(tree, blob, false, name, NULL) < 0)
        return no_images(tag, name, err);
    return oci_open_tree(&tree, tag, name, ret_source, ret, err);
}

/* ---- references ------------------------------------------------------------------------- */

int oci_open_stored(const struct romsim_store_name *name, struct oci_source **ret_source,
                    struct oci_image *ret, struct romsim_error *err)
{
    CLEANUP_OCI_SOURCE struct oci_source *source = oci_source_store(name->store, err);
    struct oci_descriptor start = {{0}, {0}, 0}, manifest;

    snprintf(start.media_type, sizeof(start.media_type), "%s", name->media_type);
    memcpy(start.digest, name->digest, sizeof(start.digest));
    start.size = name->size;
    if (!source || oci_index_resolve(source, &start, &manifest, err) < 0 ||
        oci_image_load(source, &manifest, ret, err) < 0)
        return -1;
    *ret_source = STEAL_POINTER(&source);
    return 0;
}

static int open_name(const struct reference *reference, struct oci_source **ret_source,
                     struct oci_image *ret, struct romsim_error *err)
{
    CLEANUP_STORES struct romsim_stores stores = {0};
    struct romsim_store_name name = {0};
    int found;

    if (romsim_stores_open(&stores, err) < 0)
        return -1;
    found = romsim_stores_find(&stores, romsim_reference_name(reference->text), &name, err);
    if (found > 0 && oci_open_stored(&name, ret_source, ret, err) < 0)
        found = -1;
    romsim_store_name_release(&name);
    return found;
}

int oci_failed(const struct reference *reference, struct romsim_error *err)
{
    if (reference->kind == ROMSIM_REFERENCE_NAME && err && err->errnum == EUCLEAN && !err->hint[0])
        romsim_error_hint(err, "import the image again, which repairs what the store has of it");
    return romsim_error_context(err, "image '%s'", QUOTE(reference->text));
}

int oci_open(const struct reference *reference, struct oci_source **ret_source,
             struct oci_image *ret, struct romsim_error *err)
{
    CLEANUP_OCI_SOURCE struct oci_source *source = NULL;
    int found;

    if (reference->kind == ROMSIM_REFERENCE_NAME) {
        found = open_name(reference, ret_source, ret, err);
        return found < 0 ? oci_failed(reference, err) : found;
    }
    source = oci_open_source(reference, err);
    if (!source || load(source, reference, ret, err) < 0)
        return oci_failed(reference, err);
    *ret_source = STEAL_POINTER(&source);
    return 1;
}

int oci_find(struct reference *reference, const char *what, struct oci_source **ret_source,
             struct oci_image *ret, struct stat *ret_st, struct romsim_error *err)
{
    int found = 0;

    if (reference->kind != ROMSIM_REFERENCE_PATH && reference->kind != ROMSIM_REFERENCE_FILES)
        found = oci_open(reference, ret_source, ret, err);
    if (found == 0 && reference->is_name_only)
        return oci_not_found(reference, false, err);
    if (found == 0 && reference_becomes_layout(reference))
        found = oci_open(reference, ret_source, ret, err);
    if (found == 0 && reference_cut_tag(reference, err) < 0)
        found = -1;
    if (found != 0 || stat(reference->path, ret_st) == 0)
        return found;
    if (reference->kind == ROMSIM_REFERENCE_NAME && errno == ENOENT)
        return oci_not_found(reference, true, err);
    romsim_error_system(err, errno, "no %s '%s'", what, QUOTE(reference->text));
    return reference_hint_path(reference, err);
}
