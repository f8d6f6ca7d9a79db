/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * import.c: images from elsewhere into the store.
 *
 * An OCI image is copied blob by blob, its manifest last but for the name, so that the store never
 * has a manifest whose layers are missing.  A docker-archive has no manifest of its own: one is
 * made, of its config and of its layers as they are.
 */
#include "sim/image/oci.h"
#include "sim/image/probe.h"

#include <romsim/store.h>
#include <romsim/text.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

struct import {
    struct romsim_store *store;
    struct oci_source *source;
    struct oci_image image;
    romsim_progress *progress;
    void *context;
    uint64_t done, total;
    json_t *layers;           /* of the manifest that is made for a docker-archive */
    struct oci_growth growth; /* of a docker-archive's layers */
    bool is_docker;           /* the image is read from docker's manifest.json */
    struct romsim_store_names names;
};

static void import_release(struct import *import)
{
    oci_source_free(import->source);
    oci_image_release(&import->image);
    json_decref(import->layers);
    romsim_store_names_release(&import->names);
}
#define CLEANUP_IMPORT CLEANUP(import_release)

static void report(struct import *import, uint64_t more)
{
    import->done += more;
    if (import->progress)
        import->progress(import->context, import->done, import->total);
}

static void piece_copied(void *context, uint64_t bytes)
{
    report(context, bytes);
}

static int copy_blob(struct import *import, const struct oci_descriptor *descriptor,
                     struct romsim_error *err)
{
    CLEANUP_FD int fd = -1;
    uint64_t offset;
    char path[OCI_BLOB_PATH_SIZE];

    oci_blob_path(descriptor, path);
    if (oci_source_open(import->source, path, descriptor->size, &fd, &offset, err) < 0)
        return -1;
    return romsim_store_add_file(import->store, fd, offset, descriptor->size, descriptor->digest,
                                 piece_copied, import, err);
}

static int import_oci(struct import *import, struct romsim_error *err)
{
    struct oci_image *image = &import->image;

    for (size_t i = 0; i < image->layer_count; i++)
        import->total += image->layers[i].descriptor.size;
    for (size_t i = 0; i < image->layer_count; i++) {
        if (copy_blob(import, &image->layers[i].descriptor, err) < 0)
            return romsim_error_context(err, "layer %zu", i + 1);
    }
    return copy_blob(import, &image->config, err) < 0 ||
                   copy_blob(import, &image->manifest, err) < 0
               ? -1
               : 0;
}

/* ---- docker-archive --------------------------------------------------------------------- */

static json_t *make_descriptor(const char *media_type, struct romsim_blob *blob)
{
    char digest[ROMSIM_DIGEST_SIZE];

    romsim_blob_digest(blob, OCI_SHA256, digest);
    return json_pack("{s:s, s:s, s:I}", "mediaType", media_type, "digest", digest, "size",
                     (json_int_t)romsim_blob_size(blob));
}

/* Old archives have plain layers, new ones may have them compressed. */
static const char *layer_media_type(const struct romsim_blob *blob)
{
    switch (image_form_probe(romsim_blob_bytes(blob), romsim_blob_size(blob))) {
    case FORM_GZIP:
        return OCI_MEDIA_TAR "+gzip";
    case FORM_ZSTD:
        return OCI_MEDIA_TAR "+zstd";
    default:
        return OCI_MEDIA_TAR;
    }
}

/* The plain layer is verified against the config; what is kept is the layer as it is stored. */
static int import_docker_layer(struct import *import, size_t index, struct romsim_error *err)
{
    const struct oci_layer *layer = &import->image.layers[index];
    CLEANUP_BLOB struct romsim_blob *plain = oci_layer_blob(import->source, layer, err);
    CLEANUP_BLOB struct romsim_blob *blob =
        plain ? oci_source_file(import->source, layer->path, UINT64_MAX, NULL, err) : NULL;

    if (!blob ||
        oci_growth_count(&import->growth, import->source, &import->image, index,
                         romsim_blob_size(plain), err) < 0 ||
        romsim_store_add(import->store, blob, err) < 0)
        return -1;
    if (json_array_append_new(import->layers, make_descriptor(layer_media_type(blob), blob)) < 0)
        return romsim_error_nomem(err);
    report(import, romsim_blob_size(blob));
    return 0;
}

static int add_manifest(struct import *import, struct romsim_error *err)
{
    CLEANUP_JSON json_t *manifest = NULL;
    CLEANUP_FREE char *text = NULL;
    CLEANUP_BLOB struct romsim_blob *blob = NULL;

    manifest = json_pack("{s:i, s:s, s:{s:s, s:s, s:I}, s:O}", "schemaVersion", 2, "mediaType",
                         OCI_MEDIA_MANIFEST, "config", "mediaType", OCI_MEDIA_CONFIG, "digest",
                         import->image.config.digest, "size", (json_int_t)import->image.config.size,
                         "layers", import->layers);
    text = manifest ? json_dumps(manifest, JSON_COMPACT) : NULL;
    if (!text)
        return romsim_error_nomem(err);
    blob = romsim_blob_from_bytes(text, strlen(text), err);
    if (!blob || romsim_store_add(import->store, blob, err) < 0)
        return -1;
    romsim_blob_digest(blob, OCI_SHA256, import->image.manifest.digest);
    import->image.manifest.size = romsim_blob_size(blob);
    return 0;
}

static int import_docker(struct import *import, struct romsim_error *err)
{
    struct oci_image *image = &import->image;
    CLEANUP_BLOB struct romsim_blob *config = oci_source_file(
        import->source, image->config_path, image->config.size, image->config.digest, err);

    import->layers = json_array();
    if (!config || !import->layers)
        return config ? romsim_error_nomem(err) : -1;
    for (size_t i = 0; i < image->layer_count; i++)
        import->total += oci_source_size(import->source, image->layers[i].path);
    for (size_t i = 0; i < image->layer_count; i++) {
        if (import_docker_layer(import, i, err) < 0)
            return romsim_error_context(err, "layer %zu", i + 1);
    }
    if (romsim_store_add(import->store, config, err) < 0)
        return -1;
    return add_manifest(import, err);
}

/* ---- both ------------------------------------------------------------------------------- */

static int load(struct import *import, const char *tag, struct romsim_error *err)
{
    oci_image_release(&import->image);
    return import->is_docker ? docker_archive_load(import->source, tag, &import->image, err)
                             : oci_load(import->source, tag, &import->image, err);
}

/* Copies the image at hand; its manifest, which is made for a docker-archive, is in the store. */
static int copy_image(struct import *import, struct romsim_error *err)
{
    json_decref(STEAL_POINTER(&import->layers));
    import->growth = (struct oci_growth){0};
    return import->is_docker ? import_docker(import, err) : import_oci(import, err);
}

/* Gives a manifest a name in the store, and tells the caller. */
static int name_image(struct import *import, const struct oci_descriptor *manifest,
                      const char *name, struct romsim_error *err)
{
    CLEANUP_FREE char *full = romsim_store_normalize(name, err);

    if (!full ||
        romsim_store_tag(import->store, full, OCI_MEDIA_MANIFEST, manifest->digest, manifest->size,
                         err) < 0 ||
        romsim_store_find(import->store, full, &import->names.items[import->names.count], err) <= 0)
        return -1;
    import->names.count++;
    return 0;
}

/* An image that has been copied, by its manifest (or config) in the source. */
struct copied {
    char digest[ROMSIM_DIGEST_SIZE];
    struct oci_descriptor manifest;
};

/* Copies the image of one of the names, unless it has been, and names it. */
static int import_name(struct import *import, const char *name, struct copied *copied,
                       size_t *copied_count, struct romsim_error *err)
{
    struct copied *this = copied;

    if (load(import, name, err) < 0)
        return -1;
    while (this < copied + *copied_count &&
           strcmp(this->digest, import->image.manifest.digest) != 0)
        this ++;
    if (this == copied + *copied_count) {
        memcpy(this->digest, import->image.manifest.digest, sizeof(this->digest));
        if (copy_image(import, err) < 0)
            return romsim_error_context(err, "'%s'", QUOTE(name));
        this->manifest = import->image.manifest;
        ++*copied_count;
    }
    return name_image(import, &this->manifest, oci_name_familiar(name), err);
}

/* Is the image of a tag the one that has the name? */
static int is_same(struct import *import, const char *tag, const char *name,
                   struct romsim_error *err)
{
    char digest[ROMSIM_DIGEST_SIZE];

    if (load(import, tag, err) < 0)
        return -1;
    memcpy(digest, import->image.manifest.digest, sizeof(digest));
    if (load(import, name, err) < 0)
        return -1;
    return strcmp(digest, import->image.manifest.digest) == 0;
}

/* All images of the source that have names under these.  With a tag: the names that it fits or, if
 * it is none of them, all names of its image. */
static int import_all(struct import *import, const char *tag, const struct romsim_strings *names,
                      struct romsim_error *err)
{
    CLEANUP_FREE struct copied *copied = calloc(names->count + 1, sizeof(*copied));
    size_t copied_count = 0, fitting = 0;

    import->names.items = calloc(names->count + 1, sizeof(*import->names.items));
    if (!copied || !import->names.items)
        return romsim_error_nomem(err);
    for (size_t i = 0; tag && i < names->count; i++)
        fitting += oci_name_fits(names->items[i], tag);
    for (size_t i = 0; i < names->count; i++) {
        int wanted = !tag || oci_name_fits(names->items[i], tag);

        if (tag && fitting == 0)
            wanted = is_same(import, tag, names->items[i], err);
        if (wanted < 0 ||
            (wanted && import_name(import, names->items[i], copied, &copied_count, err) < 0))
            return -1;
    }
    if (import->names.count > 0)
        return 0;
    if (load(import, tag, err) < 0) /* what is wrong with the tag is said before the name */
        return -1;
    romsim_error_set(err, EINVAL, "the image has no name of its own");
    return romsim_error_hint(err, "name it with -t org/name:tag");
}

static int import_one(struct import *import, const char *tag, const char *name,
                      struct romsim_error *err)
{
    import->names.items = calloc(1, sizeof(*import->names.items));
    if (!import->names.items)
        return romsim_error_nomem(err);
    if (load(import, tag, err) < 0 || copy_image(import, err) < 0)
        return -1;
    return name_image(import, &import->image.manifest, name, err);
}

/*
 * What Docker writes nowadays is a layout and a docker-archive in one; a path is taken for a layout
 * then, unless only the other half has names.
 */
static int read_names(struct import *import, const struct reference *reference,
                      struct romsim_strings *ret, struct romsim_error *err)
{
    bool is_path = reference->kind == ROMSIM_REFERENCE_PATH;
    bool has_docker = oci_source_has(import->source, "manifest.json");

    import->is_docker = reference->kind == ROMSIM_REFERENCE_DOCKER_ARCHIVE ||
                        (is_path && has_docker && !oci_source_has(import->source, "oci-layout"));
    if (!import->is_docker && oci_source_has(import->source, "index.json") &&
        oci_names(import->source, ret, err) < 0)
        return -1;
    if (is_path && has_docker && ret->count == 0)
        import->is_docker = true;
    return import->is_docker && has_docker ? docker_archive_names(import->source, ret, err) : 0;
}

/* A name that the store does not have may be a path, and a path is told by what is there.  Of what
 * is not there and could be in a registry the command is said that brings it. */
static int open_any(struct reference *reference, struct import *import, struct romsim_error *err)
{
    bool is_name = reference->kind == ROMSIM_REFERENCE_NAME;

    if (is_name)
        reference->kind = ROMSIM_REFERENCE_PATH;
    if (reference->kind == ROMSIM_REFERENCE_PATH && !reference_becomes_layout(reference) &&
        reference_split_tag(reference, err) < 0)
        return -1;
    if (is_name && access(reference->path, F_OK) < 0 && errno == ENOENT)
        return oci_not_found(reference, true, err);
    import->source = oci_open_source(reference, err);
    return import->source ? 0 : -1;
}

static int import_source(struct import *import, const struct reference *reference, const char *name,
                         struct romsim_error *err)
{
    CLEANUP(romsim_strings_clear) struct romsim_strings names = {0};

    if (read_names(import, reference, &names, err) < 0)
        return -1;
    return name ? import_one(import, reference->tag, name, err)
                : import_all(import, reference->tag, &names, err);
}

int romsim_store_import(struct romsim_store *store, const char *reference_text,
                        const char *directory, const char *name, romsim_progress *progress,
                        void *context, struct romsim_store_names *ret, struct romsim_error *err)
{
    CLEANUP_REFERENCE struct reference reference = {0};
    CLEANUP_IMPORT struct import import = {
        .store = store, .progress = progress, .context = context};

    if (reference_parse(reference_text, directory, &reference, err) < 0)
        return -1;
    if (reference.kind == ROMSIM_REFERENCE_FILES)
        return romsim_error_set(err, EINVAL, "'%s' names files, not an image",
                                QUOTE(reference_text));
    if (open_any(&reference, &import, err) < 0)
        return -1;
    if (import_source(&import, &reference, name, err) < 0)
        return romsim_error_context(err, "image '%s'", QUOTE(reference_text));
    *ret = import.names;
    import.names = (struct romsim_store_names){0};
    return 0;
}
