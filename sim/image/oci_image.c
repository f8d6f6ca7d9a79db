/* SPDX-License-Identifier: BSD-3-Clause */
/* oci_image.c: what an image's manifest and config say. */
#include "sim/image/oci.h"

#include "sim/image/decompress.h"

#include <romsim/bounds.h>
#include <romsim/text.h>

#include <errno.h>
#include <string.h>

void oci_image_release(struct oci_image *image)
{
    for (size_t i = 0; i < image->layer_count; i++)
        free(image->layers[i].path);
    free(image->layers);
    romsim_strings_clear(&image->entrypoint);
    romsim_strings_clear(&image->cmd);
    romsim_strings_clear(&image->env);
    free(image->working_dir);
    free(image->config_path);
    *image = (struct oci_image){0};
}

void oci_image_take_command(struct oci_image *image, struct romsim_strings *ret_entrypoint,
                            struct romsim_strings *ret_cmd, struct romsim_strings *ret_env,
                            char **ret_working_dir)
{
    *ret_entrypoint = image->entrypoint;
    *ret_cmd = image->cmd;
    *ret_env = image->env;
    *ret_working_dir = STEAL_POINTER(&image->working_dir);
    image->entrypoint = image->cmd = image->env = (struct romsim_strings){0};
}

size_t oci_image_count(const struct oci_image *image, enum oci_role role)
{
    size_t count = 0;

    for (size_t i = 0; i < image->layer_count; i++)
        count += image->layers[i].role == role;
    return count;
}

/* ---- the config ------------------------------------------------------------------------- */

static int read_strings(const json_t *config, const char *name, struct romsim_strings *ret,
                        struct romsim_error *err)
{
    const json_t *list = json_object_get(config, name);
    size_t count = json_array_size(list);

    if (!list || json_is_null(list))
        return 0;
    if (!json_is_array(list))
        return romsim_error_set(err, EUCLEAN, "the config's %s is no list of strings", name);
    if (count > romsim_bound(ROMSIM_BOUND_IMAGE_STRINGS))
        return romsim_bound_refuse(err, ROMSIM_BOUND_IMAGE_STRINGS, "the config's %s has %zu words",
                                   name, count);
    for (size_t i = 0; i < count; i++) {
        const char *item = json_string_value(json_array_get(list, i));

        if (!item)
            return romsim_error_set(err, EUCLEAN, "the config's %s is no list of strings", name);
        if (romsim_strings_append(ret, item) < 0)
            return romsim_error_nomem(err);
    }
    return 0;
}

static int read_diff_ids(struct oci_image *image, const json_t *config, struct romsim_error *err)
{
    const json_t *ids = json_object_get(json_object_get(config, "rootfs"), "diff_ids");
    size_t count = json_array_size(ids);

    /* What packs ROMs need not list them; container layers are always listed. */
    if (oci_image_count(image, OCI_ROLE_LAYER) == 0 && count != image->layer_count)
        return 0;
    if (count != image->layer_count)
        return romsim_error_set(err, EUCLEAN, "the config lists %zu layers, the manifest %zu",
                                count, image->layer_count);
    for (size_t i = 0; i < count; i++) {
        const char *id = json_string_value(json_array_get(ids, i));

        if (oci_digest_parse(id ? id : "", image->layers[i].diff_id, err) < 0)
            return romsim_error_context(err, "diff_id %zu of the config", i + 1);
    }
    return 0;
}

static int check_platform(const struct oci_image *image, struct romsim_error *err)
{
    char text[96];

    if (oci_platform_rank(&image->platform) != OCI_RANK_NONE)
        return 0;
    oci_platform_text(&image->platform, text);
    romsim_error_set(err, EINVAL, "the image is for %s", QUOTE(text));
    return oci_platform_hint(oci_platform_other(&image->platform), err);
}

int oci_image_read_config(struct oci_image *image, const json_t *config, struct romsim_error *err)
{
    const json_t *inner = json_object_get(config, "config");
    const char *working_dir = json_string_value(json_object_get(inner, "WorkingDir"));

    if (!json_is_object(config) || (inner && !json_is_object(inner) && !json_is_null(inner)))
        return romsim_error_set(err, EUCLEAN, "the config is no object");
    image->platform = oci_platform_parse(config);
    if (check_platform(image, err) < 0 || read_diff_ids(image, config, err) < 0 ||
        read_strings(inner, "Entrypoint", &image->entrypoint, err) < 0 ||
        read_strings(inner, "Cmd", &image->cmd, err) < 0 ||
        read_strings(inner, "Env", &image->env, err) < 0)
        return -1;
    if (working_dir && *working_dir) {
        image->working_dir = strdup(working_dir);
        if (!image->working_dir)
            return romsim_error_nomem(err);
    }
    return 0;
}

/* ---- the manifest ----------------------------------------------------------------------- */

static const char *const layer_types[] = {
    OCI_MEDIA_TAR,
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd",
    "application/vnd.docker.image.rootfs.foreign.diff.tar",
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    "application/vnd.docker.image.rootfs.foreign.diff.tar.zstd",
};

/* Foreign layers need not be with the image; one that is there is a layer like others. */
bool oci_type_is_foreign(const char *media_type)
{
    return strstr(media_type, ".nondistributable.") || strstr(media_type, ".foreign.");
}

/* The annotations mark the tar layers of one file that a Unikraft image boots from. */
static int read_role(const json_t *json, struct oci_layer *layer, struct romsim_error *err)
{
    const char *type = layer->descriptor.media_type;

    if (strcmp(type, OCI_MEDIA_ROM) == 0) {
        layer->role = OCI_ROLE_ROM;
        return 0;
    }
    layer->role = oci_annotation(json, OCI_ANNOTATION_KERNEL)   ? OCI_ROLE_KERNEL
                  : oci_annotation(json, OCI_ANNOTATION_INITRD) ? OCI_ROLE_INITRD
                                                                : OCI_ROLE_LAYER;
    for (size_t i = 0; i < sizeof(layer_types) / sizeof(layer_types[0]); i++) {
        if (strcmp(type, layer_types[i]) == 0)
            return 0;
    }
    return romsim_error_set(err, EOPNOTSUPP, "a layer of the media type '%s'", QUOTE(type));
}

static int read_layers(struct oci_image *image, const json_t *manifest, struct romsim_error *err)
{
    const json_t *layers = json_object_get(manifest, "layers");
    size_t count = json_array_size(layers);
    char what[32];

    if (!json_is_array(layers))
        return romsim_error_set(err, EUCLEAN, "the manifest has no list of layers");
    if (count > romsim_bound(ROMSIM_BOUND_LAYERS))
        return romsim_bound_refuse(err, ROMSIM_BOUND_LAYERS, "the image has %zu layers", count);
    image->layers = calloc(count + 1, sizeof(*image->layers));
    if (!image->layers)
        return romsim_error_nomem(err);
    image->layer_count = count;
    for (size_t i = 0; i < count; i++) {
        snprintf(what, sizeof(what), "layer %zu", i + 1);
        if (oci_descriptor_parse(json_array_get(layers, i), what, &image->layers[i].descriptor,
                                 err) < 0 ||
            read_role(json_array_get(layers, i), &image->layers[i], err) < 0)
            return -1;
    }
    return 0;
}

static int check_manifest(const json_t *manifest, struct romsim_error *err)
{
    const json_t *version = json_object_get(manifest, "schemaVersion");

    if (json_object_get(manifest, "manifests"))
        return romsim_error_set(err, EUCLEAN, "the manifest is an index in disguise");
    if (!json_is_object(manifest) || json_integer_value(version) != 2)
        return romsim_error_set(err, EUCLEAN, "the manifest is not of schema version 2");
    return 0;
}

int oci_image_load(struct oci_source *source, const struct oci_descriptor *manifest,
                   struct oci_image *ret, struct romsim_error *err)
{
    CLEANUP_OCI_IMAGE struct oci_image image = {.manifest = *manifest};
    CLEANUP_JSON json_t *json = oci_json(source, manifest, err);
    CLEANUP_JSON json_t *config = NULL;

    if (!json || check_manifest(json, err) < 0 ||
        oci_descriptor_parse(json_object_get(json, "config"), "the config", &image.config, err) <
            0 ||
        read_layers(&image, json, err) < 0)
        return -1;
    config = oci_json(source, &image.config, err);
    if (!config || oci_image_read_config(&image, config, err) < 0)
        return -1;
    *ret = image;
    image = (struct oci_image){0};
    return 0;
}

/* ---- layers ----------------------------------------------------------------------------- */

int oci_layer_look(struct oci_source *source, const struct oci_layer *layer,
                   struct romsim_error *err)
{
    CLEANUP_FD int fd = -1;
    char path[OCI_BLOB_PATH_SIZE];
    uint64_t offset;

    if (layer->path)
        return oci_source_open(source, layer->path, UINT64_MAX, &fd, &offset, err);
    oci_blob_path(&layer->descriptor, path);
    if (oci_source_open(source, path, layer->descriptor.size, &fd, &offset, err) == 0)
        return 0;
    if (oci_type_is_foreign(layer->descriptor.media_type) && !oci_source_has(source, path))
        return romsim_error_hint(err, "it is a foreign layer, which need not be part of an image: "
                                      "its blob has to be put there first");
    return -1;
}

struct romsim_blob *oci_layer_blob(struct oci_source *source, const struct oci_layer *layer,
                                   struct romsim_error *err)
{
    CLEANUP_BLOB struct romsim_blob *stored =
        layer->path ? oci_source_file(source, layer->path, UINT64_MAX, NULL, err)
                    : oci_blob(source, &layer->descriptor, err);
    CLEANUP_BLOB struct romsim_blob *plain = NULL;
    char found[ROMSIM_DIGEST_SIZE];

    if (!stored || layer->role == OCI_ROLE_ROM)
        return STEAL_POINTER(&stored);
    plain = image_decompress(stored, layer->path ? layer->path : layer->descriptor.digest, err);
    if (!plain)
        return NULL;
    if (*layer->diff_id)
        romsim_blob_digest(plain, layer->diff_id, found);
    if (*layer->diff_id && strcmp(found, layer->diff_id) != 0) {
        romsim_error_set(err, EUCLEAN,
                         "a layer's content is not what the config says: its digest is %s, not %s",
                         found, layer->diff_id);
        return NULL;
    }
    return STEAL_POINTER(&plain);
}
