/* SPDX-License-Identifier: BSD-3-Clause */
/* oci_open.c: from a reference to an image: the transports, and the names of the store. */
#include "sim/image/oci.h"

#include <romsim/text.h>

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static struct oci_source *open_source(const struct reference *reference, struct romsim_error *err)
{
    struct stat st;

    if (reference->kind == REFERENCE_OCI ||
        (reference->kind == REFERENCE_PATH && stat(reference->path, &st) == 0 &&
         S_ISDIR(st.st_mode)))
        return oci_source_directory(reference->path, err);
    return oci_source_archive(reference->path, err);
}

/* What `docker save` writes nowadays is a layout as well; a path is taken for that first. */
static bool is_docker_archive(struct oci_source *source, const struct reference *reference)
{
    return reference->kind == REFERENCE_DOCKER_ARCHIVE ||
           (reference->kind == REFERENCE_PATH && !oci_source_has(source, "oci-layout") &&
            oci_source_has(source, "manifest.json"));
}

static int load(struct oci_source *source, const struct reference *reference, struct oci_image *ret,
                struct romsim_error *err)
{
    struct oci_descriptor manifest;

    if (is_docker_archive(source, reference))
        return docker_archive_load(source, reference->tag, ret, err);
    if (oci_index_find(source, reference->tag, &manifest, err) < 0)
        return -1;
    return oci_image_load(source, &manifest, ret, err);
}

/* A store that cannot be opened (a user without a home) has no names. */
static int open_name(const struct reference *reference, struct oci_source **ret_source,
                     struct oci_image *ret, struct romsim_error *err)
{
    CLEANUP_STORE struct romsim_store *store = romsim_store_open(0, NULL);
    CLEANUP_OCI_SOURCE struct oci_source *source = NULL;
    struct oci_descriptor start = {{0}, {0}, 0}, manifest;
    struct romsim_store_name name;
    int found =
        store ? romsim_store_find(store, reference_without_scheme(reference->text), &name, err) : 0;

    if (found <= 0)
        return found;
    snprintf(start.media_type, sizeof(start.media_type), "%s", name.media_type);
    memcpy(start.digest, name.digest, sizeof(start.digest));
    start.size = name.size;
    romsim_store_name_release(&name);
    source = oci_source_store(store, err);
    if (!source || oci_index_resolve(source, &start, &manifest, err) < 0 ||
        oci_image_load(source, &manifest, ret, err) < 0)
        return -1;
    *ret_source = STEAL_POINTER(&source);
    return 1;
}

int oci_failed(const struct reference *reference, struct romsim_error *err)
{
    if (reference->kind == REFERENCE_NAME && err && err->errnum == EUCLEAN && !err->hint[0])
        romsim_error_hint(err, "import the image again, which repairs what the store has of it");
    return romsim_error_context(err, "image '%s'", QUOTE(reference->text));
}

int oci_open(const struct reference *reference, struct oci_source **ret_source,
             struct oci_image *ret, struct romsim_error *err)
{
    CLEANUP_OCI_SOURCE struct oci_source *source = NULL;
    int found;

    if (reference->kind == REFERENCE_NAME) {
        found = open_name(reference, ret_source, ret, err);
        return found < 0 ? oci_failed(reference, err) : found;
    }
    source = open_source(reference, err);
    if (!source || load(source, reference, ret, err) < 0)
        return oci_failed(reference, err);
    *ret_source = STEAL_POINTER(&source);
    return 1;
}
