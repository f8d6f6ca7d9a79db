/* SPDX-License-Identifier: BSD-3-Clause */
/* oci_write.c: from blobs and a configuration to manifests (the cloud's form). */
#include "sim/image/oci_write.h"

#include "sim/image/newfile.h"
#include "sim/image/tar_write.h"

#include <romsim/text.h>

#include <errno.h>
#include <string.h>

#define MEDIA_CONFIG   "application/vnd.oci.image.config.v1+json"
#define MEDIA_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_INDEX    "application/vnd.oci.image.index.v1+json"
#define MEDIA_LAYER    "application/vnd.oci.image.layer.v1.tar"
#define MEDIA_ROM      "application/vnd.unikraft.rom.v1"

/* The path in the annotation begins with '/', the tar's does not: as the cloud's packer does. */
#define KERNEL_PATH       "/unikraft/bin/kernel"
#define KERNEL_ANNOTATION "org.unikraft.kernel.image"
#define ROOT_PATH         "/unikraft/bin/initrd"
#define ROOT_ANNOTATION   "org.unikraft.kernel.initrd"

void oci_bundle_release(struct oci_bundle *bundle)
{
    for (size_t i = 0; i < bundle->blobs.count; i++)
        romsim_blob_unref(bundle->blobs.items[i]);
    oci_blobs_reset(&bundle->blobs);
    json_decref(bundle->top);
    bundle->top = NULL;
}

const char *oci_bundle_digest(const struct oci_bundle *bundle)
{
    return json_string_value(json_object_get(bundle->top, "digest"));
}

/* Adds a reference to a blob, unless the same bytes are there already. */
static int add_blob(struct oci_bundle *bundle, struct romsim_blob *blob, struct romsim_error *err)
{
    for (size_t i = 0; i < bundle->blobs.count; i++)
        if (strcmp(romsim_blob_sha256_hex(bundle->blobs.items[i]), romsim_blob_sha256_hex(blob)) ==
            0)
            return 0;
    if (oci_blobs_append(&bundle->blobs, blob) < 0)
        return romsim_error_nomem(err);
    romsim_blob_ref(blob);
    return 0;
}

/* Adds a blob and returns its descriptor. */
static json_t *describe(struct oci_bundle *bundle, const char *media_type, struct romsim_blob *blob,
                        struct romsim_error *err)
{
    char digest[8 + ROMSIM_SHA256_HEX_SIZE];
    json_t *descriptor;

    if (add_blob(bundle, blob, err) < 0)
        return NULL;
    snprintf(digest, sizeof(digest), "sha256:%s", romsim_blob_sha256_hex(blob));
    descriptor = json_pack("{s:s, s:s, s:I}", "mediaType", media_type, "digest", digest, "size",
                           (json_int_t)romsim_blob_size(blob));
    if (!descriptor)
        romsim_error_nomem(err);
    return descriptor;
}

/* Adds a JSON value as a blob and returns its descriptor.  Takes the value (NULL: no memory). */
static json_t *describe_json(struct oci_bundle *bundle, const char *media_type, json_t *value,
                             struct romsim_error *err)
{
    CLEANUP_FREE char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;
    CLEANUP_BLOB struct romsim_blob *blob = NULL;

    json_decref(value);
    if (!text) {
        romsim_error_nomem(err);
        return NULL;
    }
    blob = romsim_blob_from_bytes(text, strlen(text), err);
    return blob ? describe(bundle, media_type, blob, err) : NULL;
}

/* ---- layers ----------------------------------------------------------------------------- */

/* A tar with one file in it, `path` without its leading '/'. */
static struct romsim_blob *tar_of(struct romsim_blob *content, const char *path,
                                  struct romsim_error *err)
{
    static const uint8_t end[TAR_BLOCK_SIZE + TAR_END_SIZE];
    CLEANUP_NEWFILE struct newfile file = NEWFILE_NONE;
    uint64_t size = romsim_blob_size(content);
    uint64_t padded = TAR_BLOCK_SIZE + tar_padded(size);
    uint8_t header[TAR_BLOCK_SIZE];

    file.fd = romsim_blob_scratch_file(err);
    if (file.fd < 0)
        return NULL;
    tar_header(path + 1, size, header);
    if (newfile_write(&file, header, sizeof(header), 0, err) < 0 ||
        newfile_write_blob(&file, content, TAR_BLOCK_SIZE, err) < 0 ||
        newfile_write(&file, end, (size_t)(padded - TAR_BLOCK_SIZE - size) + TAR_END_SIZE,
                      TAR_BLOCK_SIZE + size, err) < 0)
        return NULL;
    return romsim_blob_take_fd(steal_fd(&file.fd), err);
}

/* Adds a layer to the manifest's and the config's lists.  Takes the descriptor. */
static int add_layer(json_t *layers, json_t *diff_ids, json_t *descriptor, struct romsim_error *err)
{
    /* Not compressed, so the digest of the layer is also the one of its content. */
    json_t *digest = json_object_get(descriptor, "digest");

    if (!descriptor)
        return -1;
    if (json_array_append(diff_ids, digest) < 0 || json_array_append_new(layers, descriptor) < 0)
        return romsim_error_nomem(err);
    return 0;
}

static int add_tar_layer(struct oci_bundle *bundle, json_t *layers, json_t *diff_ids,
                         struct romsim_blob *content, const char *annotation, const char *path,
                         struct romsim_error *err)
{
    CLEANUP_BLOB struct romsim_blob *tar = NULL;
    json_t *descriptor, *annotations;

    if (!content)
        return 0;
    tar = tar_of(content, path, err);
    descriptor = tar ? describe(bundle, MEDIA_LAYER, tar, err) : NULL;
    if (!descriptor)
        return -1;
    annotations = json_pack("{s:s}", annotation, path);
    if (json_object_set_new(descriptor, "annotations", annotations) < 0) {
        json_decref(descriptor);
        return romsim_error_nomem(err);
    }
    return add_layer(layers, diff_ids, descriptor, err);
}

static int add_layers(struct oci_bundle *bundle, const struct oci_recipe *image, json_t *layers,
                      json_t *diff_ids, struct romsim_error *err)
{
    if (add_tar_layer(bundle, layers, diff_ids, image->kernel, KERNEL_ANNOTATION, KERNEL_PATH,
                      err) < 0 ||
        add_tar_layer(bundle, layers, diff_ids, image->root, ROOT_ANNOTATION, ROOT_PATH, err) < 0)
        return -1;
    for (size_t i = 0; i < image->rom_count; i++)
        if (add_layer(layers, diff_ids, describe(bundle, MEDIA_ROM, image->roms[i], err), err) < 0)
            return -1;
    return 0;
}

/* ---- config and manifest ---------------------------------------------------------------- */

static int set_strings(json_t *object, const char *name, const struct romsim_strings *strings)
{
    json_t *list;

    if (strings->count == 0)
        return 0;
    list = json_array();
    for (size_t i = 0; i < strings->count; i++)
        if (json_array_append_new(list, json_string(strings->items[i])) < 0) {
            json_decref(list);
            return -1;
        }
    return json_object_set_new(object, name, list);
}

static int set_labels(json_t *object, const struct romsim_env *labels, size_t count)
{
    json_t *map;

    if (count == 0)
        return 0;
    map = json_object();
    for (size_t i = 0; i < count; i++)
        if (json_object_set_new(map, labels[i].name, json_string(labels[i].value)) < 0) {
            json_decref(map);
            return -1;
        }
    return json_object_set_new(object, "Labels", map);
}

static json_t *platform_json(const struct oci_recipe *image)
{
    json_t *platform =
        json_pack("{s:s, s:s}", "architecture", image->architecture, "os", image->os);

    if (!platform || set_strings(platform, "os.features", &image->features) < 0) {
        json_decref(platform);
        return NULL;
    }
    return platform;
}

static json_t *process_json(const struct oci_recipe *image)
{
    json_t *config = json_object();

    if (!config || set_strings(config, "Env", &image->env) < 0 ||
        set_strings(config, "Entrypoint", &image->entrypoint) < 0 ||
        set_strings(config, "Cmd", &image->cmd) < 0 ||
        (image->working_dir &&
         json_object_set_new(config, "WorkingDir", json_string(image->working_dir)) < 0) ||
        set_labels(config, image->labels, image->label_count) < 0) {
        json_decref(config);
        return NULL;
    }
    return config;
}

/* Takes diff_ids. */
static json_t *config_json(const struct oci_recipe *image, json_t *diff_ids)
{
    json_t *config = platform_json(image);
    json_t *rootfs = json_pack("{s:s, s:o}", "type", "layers", "diff_ids", diff_ids);

    if (json_object_set_new(config, "config", process_json(image)) < 0 ||
        json_object_set(config, "rootfs", rootfs) < 0) {
        json_decref(config);
        config = NULL;
    }
    json_decref(rootfs);
    return config;
}

/* Adds an image and returns its manifest's descriptor. */
static json_t *describe_image(struct oci_bundle *bundle, const struct oci_recipe *image,
                              struct romsim_error *err)
{
    json_t *layers = json_array(), *diff_ids = json_array();
    json_t *config, *manifest;

    if (!layers || !diff_ids || add_layers(bundle, image, layers, diff_ids, err) < 0) {
        if (!layers || !diff_ids)
            romsim_error_nomem(err);
        json_decref(layers);
        json_decref(diff_ids);
        return NULL;
    }
    config = describe_json(bundle, MEDIA_CONFIG, config_json(image, diff_ids), err);
    if (!config) {
        json_decref(layers);
        return NULL;
    }
    manifest = describe_json(bundle, MEDIA_MANIFEST,
                             json_pack("{s:i, s:s, s:o, s:o}", "schemaVersion", 2, "mediaType",
                                       MEDIA_MANIFEST, "config", config, "layers", layers),
                             err);
    if (manifest && json_object_set_new(manifest, "platform", platform_json(image)) < 0) {
        json_decref(manifest);
        romsim_error_nomem(err);
        return NULL;
    }
    return manifest;
}

/* An index over the manifests of several platforms.  Takes the list. */
static json_t *describe_index(struct oci_bundle *bundle, json_t *manifests,
                              struct romsim_error *err)
{
    return describe_json(bundle, MEDIA_INDEX,
                         json_pack("{s:i, s:s, s:o}", "schemaVersion", 2, "mediaType", MEDIA_INDEX,
                                   "manifests", manifests),
                         err);
}

int oci_bundle_make(const struct oci_recipe *images, size_t count, struct oci_bundle *ret,
                    struct romsim_error *err)
{
    CLEANUP_BUNDLE struct oci_bundle bundle = {0};
    json_t *manifests = json_array();

    for (size_t i = 0; i < count; i++) {
        json_t *manifest = describe_image(&bundle, &images[i], err);

        if (!manifest || json_array_append_new(manifests, manifest) < 0) {
            json_decref(manifests);
            return manifest ? romsim_error_nomem(err) : -1;
        }
    }
    if (count == 1) {
        bundle.top = json_incref(json_array_get(manifests, 0));
        json_decref(manifests);
    } else {
        bundle.top = describe_index(&bundle, manifests, err);
    }
    if (!bundle.top)
        return -1;
    *ret = bundle;
    bundle = (struct oci_bundle){0};
    return 0;
}
