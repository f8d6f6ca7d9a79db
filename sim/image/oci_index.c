/* SPDX-License-Identifier: BSD-3-Clause */
/* oci_index.c: from index.json to the manifest that fits: by name, then by platform. */
#include "sim/image/oci.h"

#include <romsim/bounds.h>
#include <romsim/buffer.h>
#include <romsim/text.h>

#include <errno.h>
#include <string.h>

static struct oci_platform platform_of(const json_t *entry)
{
    return oci_platform_parse(json_object_get(entry, "platform"));
}

/* BuildKit's attestations stand among the manifests, as images for an unknown platform. */
static bool is_attestation(const json_t *entry)
{
    return strcmp(platform_of(entry).os, "unknown") == 0 ||
           oci_annotation(entry, "vnd.docker.reference.type") != NULL;
}

bool oci_type_is_index(const char *media_type)
{
    return strcmp(media_type, OCI_MEDIA_INDEX) == 0 ||
           strcmp(media_type, "application/vnd.docker.distribution.manifest.list.v2+json") == 0;
}

bool oci_type_is_manifest(const char *media_type)
{
    return strcmp(media_type, OCI_MEDIA_MANIFEST) == 0 ||
           strcmp(media_type, "application/vnd.docker.distribution.manifest.v2+json") == 0;
}

/* May it be an image, or lead to one?  What has an unknown type is to be passed over (image-spec,
 * image-index.md). */
static bool is_image(const json_t *entry)
{
    const char *media_type = json_string_value(json_object_get(entry, "mediaType"));

    return !is_attestation(entry) &&
           (!media_type || !*media_type || oci_type_is_index(media_type) ||
            oci_type_is_manifest(media_type));
}

/* Signatures, SBOMs and the like, which stand beside what they are about. */
static bool is_artifact(const json_t *entry)
{
    const char *type = json_string_value(json_object_get(entry, "artifactType"));

    return type && *type && strcmp(type, OCI_MEDIA_CONFIG) != 0 &&
           strcmp(type, "application/vnd.docker.container.image.v1+json") != 0;
}

/* An artifact is taken where there is nothing else. */
static int rank_of(const json_t *entry)
{
    struct oci_platform platform = platform_of(entry);
    int rank = oci_platform_rank(&platform);

    return rank > OCI_RANK_ARTIFACT && is_artifact(entry) ? OCI_RANK_ARTIFACT : rank;
}

static const json_t *manifests_of(const json_t *index, struct romsim_error *err)
{
    const json_t *manifests = json_object_get(index, "manifests");

    if (!json_is_array(manifests)) {
        romsim_error_set(err, EUCLEAN, "the image index has no list of manifests");
        return NULL;
    }
    if (json_array_size(manifests) > romsim_bound(ROMSIM_BOUND_MANIFESTS)) {
        romsim_bound_refuse(err, ROMSIM_BOUND_MANIFESTS, "the image index has %zu manifests",
                            json_array_size(manifests));
        return NULL;
    }
    return manifests;
}

/* ---- by name ---------------------------------------------------------------------------- */

/* What tells an entry's image from the others: the whole name, which Docker and containerd put into
 * an annotation of their own, else the tag. */
static const char *own_name(const json_t *entry)
{
    const char *full = oci_annotation(entry, OCI_ANNOTATION_FULL_NAME);

    return full ? full : oci_annotation(entry, OCI_ANNOTATION_NAME);
}

/* Does the entry have exactly this name, or tag? */
static bool has_name(const json_t *entry, const char *name)
{
    const char *own = own_name(entry), *tag = oci_annotation(entry, OCI_ANNOTATION_NAME);

    return (own && strcmp(own, name) == 0) || (tag && strcmp(tag, name) == 0);
}

static bool may_have_name(const json_t *entry, const char *name)
{
    const char *own = own_name(entry);

    return own && oci_name_fits(own, name);
}

static int no_such_name(const json_t *manifests, const char *tag, bool several,
                        struct romsim_error *err)
{
    struct romsim_buffer names = ROMSIM_BUFFER_INIT(300);
    const json_t *entry;
    size_t i;

    json_array_foreach(manifests, i, entry)
    {
        if (own_name(entry))
            romsim_buffer_printf(&names, "%s%s", names.size ? ", " : "", QUOTE(own_name(entry)));
    }
    if (!tag)
        romsim_error_set(err, EINVAL, "there are several images, and the reference names none");
    else if (several)
        romsim_error_set(err, EINVAL, "several images are tagged '%s'", QUOTE(tag));
    else
        romsim_error_set(err, ENOENT, "no image is tagged '%s'", QUOTE(tag));
    if (names.size)
        romsim_error_hint(err, "the tags are: %.300s", names.data);
    romsim_buffer_reset(&names);
    return -1;
}

typedef bool entry_test(const json_t *entry, const char *name);

/* The one name of those entries that pass the test (NULL: of all; those without a name do not
 * count then).  NULL if there is none, or several: then *ret_several. */
static const char *shared_name(const json_t *manifests, entry_test *test, const char *wanted,
                               bool *ret_several)
{
    const char *name = NULL;
    const json_t *entry;
    size_t i;

    *ret_several = false;
    json_array_foreach(manifests, i, entry)
    {
        const char *own = own_name(entry);

        if (!own || !is_image(entry) || (test && !test(entry, wanted)))
            continue;
        *ret_several |= name && strcmp(name, own) != 0;
        name = own;
    }
    return *ret_several ? NULL : name;
}

/*
 * Which entries are meant by a tag: the name that they have.  Without a tag it is the only name
 * there is, or the only one whose tag is "latest"; *ret is NULL where no entry has a name.
 */
static int find_name(const json_t *manifests, const char *tag, const char **ret,
                     struct romsim_error *err)
{
    const char *name;
    bool several, many;

    name = shared_name(manifests, tag ? has_name : NULL, tag, &several);
    if (!name && tag && !several)
        name = shared_name(manifests, may_have_name, tag, &several);
    else if (!name && !tag && several)
        name = shared_name(manifests, has_name, "latest", &many);
    if (!name && (tag || several))
        return no_such_name(manifests, tag, several, err);
    *ret = name;
    return 0;
}

/* ---- by platform ------------------------------------------------------------------------ */

static int no_platform(const json_t *manifests, struct romsim_error *err)
{
    struct romsim_buffer platforms = ROMSIM_BUFFER_INIT(300);
    enum romsim_arch other = ROMSIM_ARCH_COUNT;
    const json_t *entry;
    size_t i;

    json_array_foreach(manifests, i, entry)
    {
        struct oci_platform platform = platform_of(entry);
        char text[96];

        if (is_image(entry) && oci_platform_other(&platform) < ROMSIM_ARCH_COUNT)
            other = oci_platform_other(&platform);
        oci_platform_text(&platform, text);
        if (is_image(entry))
            romsim_buffer_printf(&platforms, "%s%s", platforms.size ? ", " : "", QUOTE(text));
    }
    romsim_error_set(err, EINVAL, "the image is for %s only",
                     platforms.size ? platforms.data : "no platform");
    romsim_buffer_reset(&platforms);
    return oci_platform_hint(other, err);
}

/* The best entry among those with the name (NULL: any); the first of equals. */
static const json_t *best_entry(const json_t *manifests, const char *name, bool *ret_any)
{
    const json_t *entry, *best = NULL;
    int best_rank = 0;
    size_t i;

    *ret_any = false;
    json_array_foreach(manifests, i, entry)
    {
        int rank = rank_of(entry);

        if (!is_image(entry) || (name && (!own_name(entry) || strcmp(own_name(entry), name) != 0)))
            continue;
        *ret_any = true;
        if (rank > best_rank) {
            best_rank = rank;
            best = entry;
        }
    }
    return best;
}

static int choose(const json_t *manifests, const char *name, struct oci_descriptor *ret,
                  struct romsim_error *err)
{
    bool any;
    const json_t *best = best_entry(manifests, name, &any);

    if (!any)
        return romsim_error_set(err, EUCLEAN, "there is no image in it");
    if (!best)
        return no_platform(manifests, err);
    return oci_descriptor_parse(best, "the image's manifest", ret, err);
}

int oci_index_resolve(struct oci_source *source, const struct oci_descriptor *start,
                      struct oci_descriptor *ret, struct romsim_error *err)
{
    struct oci_descriptor at = *start;

    for (uint64_t depth = 0; oci_type_is_index(at.media_type); depth++) {
        CLEANUP_JSON json_t *index = NULL;
        const json_t *manifests;

        if (depth == romsim_bound(ROMSIM_BOUND_INDEX_DEPTH))
            return romsim_bound_refuse(err, ROMSIM_BOUND_INDEX_DEPTH,
                                       "image indexes are nested more than %llu deep",
                                       (unsigned long long)depth);
        index = oci_json(source, &at, err);
        manifests = index ? manifests_of(index, err) : NULL;
        if (!manifests || choose(manifests, NULL, &at, err) < 0)
            return -1;
    }
    *ret = at;
    return 0;
}

int oci_index_find(struct oci_source *source, const char *tag, struct oci_descriptor *ret,
                   struct romsim_error *err)
{
    CLEANUP_JSON json_t *index = NULL;
    const json_t *manifests;
    struct oci_descriptor start;
    const char *name;

    if (!oci_source_has(source, "oci-layout")) {
        romsim_error_set(err, ENOENT,
                         "it is no OCI image layout: the file 'oci-layout' is missing");
        return -1;
    }
    index = oci_source_json(source, "index.json", UINT64_MAX, NULL, err);
    manifests = index ? manifests_of(index, err) : NULL;
    if (!manifests || find_name(manifests, tag, &name, err) < 0)
        return -1;
    if (choose(manifests, name, &start, err) < 0)
        return -1;
    return oci_index_resolve(source, &start, ret, err);
}
