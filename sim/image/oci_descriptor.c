/* SPDX-License-Identifier: BSD-3-Clause */
/* oci_descriptor.c: descriptors, the pointers of OCI images: media type, digest, size. */
#include "sim/image/oci.h"

#include <romsim/text.h>

#include <errno.h>
#include <string.h>

int oci_digest_parse(const char *text, char ret[ROMSIM_DIGEST_SIZE], struct romsim_error *err)
{
    if (!romsim_digest_is_valid(text)) {
        romsim_error_set(err, EUCLEAN, "'%s' is no digest that can be verified", QUOTE(text));
        return romsim_error_hint(err, "a digest is 'sha256:' and 64 lower-case hexadecimal digits, "
                                      "or 'sha512:' and 128");
    }
    memcpy(ret, text, strlen(text) + 1);
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
    if (oci_digest_parse(digest, descriptor.digest, err) < 0)
        return romsim_error_context(err, "%s", what);
    memcpy(descriptor.media_type, media_type ? media_type : "",
           media_type ? strlen(media_type) : 0);
    descriptor.size = (uint64_t)json_integer_value(size);
    *ret = descriptor;
    return 0;
}

void oci_blob_path(const struct oci_descriptor *descriptor, char ret[OCI_BLOB_PATH_SIZE])
{
    snprintf(ret, OCI_BLOB_PATH_SIZE, "blobs/%s", descriptor->digest);
    *strchr(ret, ':') = '/';
}

struct romsim_blob *oci_blob(struct oci_source *source, const struct oci_descriptor *descriptor,
                             struct romsim_error *err)
{
    char path[OCI_BLOB_PATH_SIZE];

    oci_blob_path(descriptor, path);
    return oci_source_file(source, path, descriptor->size, descriptor->digest, err);
}

json_t *oci_json(struct oci_source *source, const struct oci_descriptor *descriptor,
                 struct romsim_error *err)
{
    char path[OCI_BLOB_PATH_SIZE];

    oci_blob_path(descriptor, path);
    return oci_source_json(source, path, descriptor->size, descriptor->digest, err);
}

const char *oci_annotation(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(json_object_get(object, "annotations"), name));
}
