/* SPDX-License-Identifier: BSD-3-Clause */
/* oci_descriptor.c: descriptors, the pointers of OCI images: media type, digest, size. */
#include "sim/image/oci.h"

#include <romsim/text.h>

#include <errno.h>
#include <string.h>

int oci_digest_parse(const char *text, char ret[ROMSIM_SHA256_HEX_SIZE], struct romsim_error *err)
{
    static const char algorithm[] = "sha256:";
    const char *hex = text + strlen(algorithm);

    if (strncmp(text, algorithm, strlen(algorithm)) != 0 ||
        strlen(hex) != ROMSIM_SHA256_HEX_SIZE - 1 ||
        strspn(hex, "0123456789abcdef") != ROMSIM_SHA256_HEX_SIZE - 1) {
        romsim_error_set(err, EUCLEAN, "'%s' is no digest that can be verified", QUOTE(text));
        return romsim_error_hint(err, "a digest is 'sha256:' and 64 hexadecimal digits");
    }
    memcpy(ret, hex, ROMSIM_SHA256_HEX_SIZE);
    return 0;
}

int oci_descriptor_parse(const json_t *json, const char *what, struct oci_descriptor *ret,
                         struct romsim_error *err)
{
    struct oci_descriptor descriptor = {{0}, {0}, 0};
    const char *media_type = json_string_value(json_object_get(json, "mediaType"));
    const char *digest = json_string_value(json_object_get(json, "digest"));
    const json_t *size = json_object_get(json, "size");

    if (!json_is_object(json))
        return romsim_error_set(err, EUCLEAN, "%s is no descriptor", what);
    if (!digest)
        return romsim_error_set(err, EUCLEAN, "%s has no digest", what);
    if (!json_is_integer(size) || json_integer_value(size) < 0)
        return romsim_error_set(err, EUCLEAN, "%s has no valid size", what);
    if (media_type && strlen(media_type) >= sizeof(descriptor.media_type))
        return romsim_error_set(err, EUCLEAN, "%s has a media type of %zu characters", what,
                                strlen(media_type));
    if (oci_digest_parse(digest, descriptor.sha256, err) < 0)
        return romsim_error_context(err, "%s", what);
    memcpy(descriptor.media_type, media_type ? media_type : "",
           media_type ? strlen(media_type) : 0);
    descriptor.size = (uint64_t)json_integer_value(size);
    *ret = descriptor;
    return 0;
}

void oci_blob_path(const struct oci_descriptor *descriptor, char ret[96])
{
    snprintf(ret, 96, "blobs/sha256/%s", descriptor->sha256);
}

struct romsim_blob *oci_blob(struct oci_source *source, const struct oci_descriptor *descriptor,
                             struct romsim_error *err)
{
    char path[96];

    oci_blob_path(descriptor, path);
    return oci_source_file(source, path, descriptor->size, descriptor->sha256, err);
}

json_t *oci_json(struct oci_source *source, const struct oci_descriptor *descriptor,
                 struct romsim_error *err)
{
    char path[96];

    oci_blob_path(descriptor, path);
    return oci_source_json(source, path, descriptor->size, descriptor->sha256, err);
}

const char *oci_annotation(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(json_object_get(object, "annotations"), name));
}
