/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * docker_archive.c: what `docker save` writes: manifest.json, a list of images, each with the path
 * of its config and of its layers' tars, and the tags that it has.
 */
#include "sim/image/oci.h"

#include <romsim/bounds.h>
#include <romsim/buffer.h>
#include <romsim/text.h>

#include <errno.h>
#include <string.h>

static bool is_tagged(const json_t *image, const char *tag, bool exactly)
{
    const json_t *tags = json_object_get(image, "RepoTags"), *item;
    size_t i;

    json_array_foreach(tags, i, item)
    {
        const char *name = json_string_value(item);

        if (name && (exactly ? strcmp(name, tag) == 0 : oci_name_fits(name, tag)))
            return true;
    }
    return false;
}

static int not_one(const json_t *images, const char *tag, struct romsim_error *err)
{
    struct romsim_buffer names = ROMSIM_BUFFER_INIT(300);
    const json_t *image, *name;
    size_t i, j;

    json_array_foreach(images, i, image)
    {
        json_array_foreach(json_object_get(image, "RepoTags"), j, name)
        {
            if (json_is_string(name))
                romsim_buffer_printf(&names, "%s%s", names.size ? ", " : "",
                                     QUOTE(json_string_value(name)));
        }
    }
    if (tag)
        romsim_error_set(err, ENOENT, "no image is tagged '%s'", QUOTE(tag));
    else
        romsim_error_set(err, EINVAL, "there are %zu images, and the reference names none",
                         json_array_size(images));
    if (names.size)
        romsim_error_hint(err, "the tags are: %.300s", names.data);
    romsim_buffer_reset(&names);
    return -1;
}

static const json_t *find_image(const json_t *images, const char *tag, struct romsim_error *err)
{
    const json_t *image;
    size_t i;

    if (!json_is_array(images) || json_array_size(images) == 0) {
        romsim_error_set(err, EUCLEAN, "manifest.json lists no image");
        return NULL;
    }
    if (!tag && json_array_size(images) == 1)
        return json_array_get(images, 0);
    for (int exactly = 1; tag && exactly >= 0; exactly--) {
        json_array_foreach(images, i, image)
        {
            if (is_tagged(image, tag, exactly))
                return image;
        }
    }
    not_one(images, tag, err);
    return NULL;
}

static int read_layers(struct oci_image *image, const json_t *layers, struct romsim_error *err)
{
    size_t count = json_array_size(layers);

    if (!json_is_array(layers))
        return romsim_error_set(err, EUCLEAN, "manifest.json has no valid list of layers");
    if (count > romsim_bound(ROMSIM_BOUND_LAYERS))
        return romsim_bound_refuse(err, ROMSIM_BOUND_LAYERS, "the image has %zu layers", count);
    image->layers = calloc(count + 1, sizeof(*image->layers));
    if (!image->layers)
        return romsim_error_nomem(err);
    image->layer_count = count;
    for (size_t i = 0; i < count; i++) {
        const char *path = json_string_value(json_array_get(layers, i));

        if (!path)
            return romsim_error_set(err, EUCLEAN, "manifest.json has no valid list of layers");
        image->layers[i].role = OCI_ROLE_LAYER;
        image->layers[i].path = strdup(path);
        if (!image->layers[i].path)
            return romsim_error_nomem(err);
    }
    return 0;
}

/* The config is named by its digest: "<hex>.json" or "blobs/sha256/<hex>". */
static const char *digest_in_name(const char *path, char ret[ROMSIM_DIGEST_SIZE])
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;

    if (strspn(name, "0123456789abcdef") != ROMSIM_SHA256_HEX_SIZE - 1)
        return NULL;
    snprintf(ret, ROMSIM_DIGEST_SIZE, "sha256:%.64s", name);
    return ret;
}

static json_t *read_config(struct oci_source *source, const json_t *image,
                           struct oci_descriptor *ret, struct romsim_error *err)
{
    const char *path = json_string_value(json_object_get(image, "Config"));
    CLEANUP_BLOB struct romsim_blob *blob = NULL;
    char digest[ROMSIM_DIGEST_SIZE];
    const char *expected;

    if (!path) {
        romsim_error_set(err, EUCLEAN, "manifest.json names no config");
        return NULL;
    }
    expected = digest_in_name(path, digest);
    blob = oci_source_file(source, path, UINT64_MAX, expected, err);
    if (!blob)
        return NULL;
    ret->size = romsim_blob_size(blob);
    romsim_blob_digest(blob, OCI_SHA256, ret->digest);
    snprintf(ret->media_type, sizeof(ret->media_type), "%s", OCI_MEDIA_CONFIG);
    return oci_source_json(source, path, UINT64_MAX, NULL, err);
}

int docker_archive_load(struct oci_source *source, const char *tag, struct oci_image *ret,
                        struct romsim_error *err)
{
    CLEANUP_OCI_IMAGE struct oci_image image = {0};
    CLEANUP_JSON json_t *images = NULL;
    CLEANUP_JSON json_t *config = NULL;
    const json_t *found;

    if (!oci_source_has(source, "manifest.json"))
        return romsim_error_set(err, ENOENT,
                                "it is nothing that `docker save` wrote: the file "
                                "'manifest.json' is missing");
    images = oci_source_json(source, "manifest.json", UINT64_MAX, NULL, err);
    found = images ? find_image(images, tag, err) : NULL;
    if (!found || read_layers(&image, json_object_get(found, "Layers"), err) < 0)
        return -1;
    config = read_config(source, found, &image.config, err);
    if (!config || oci_image_read_config(&image, config, err) < 0)
        return -1;
    image.config_path = strdup(json_string_value(json_object_get(found, "Config")));
    if (!image.config_path)
        return romsim_error_nomem(err);
    image.manifest = image.config;
    *ret = image;
    image = (struct oci_image){0};
    return 0;
}
