/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * oci_names.c: the names that a layout or an archive gives its images.
 *
 * `docker save` has them as RepoTags in manifest.json, "busybox:1.36"; Docker since its version 25,
 * BuildKit and containerd as an annotation in index.json, "docker.io/library/busybox:1.36"; podman
 * puts the whole name where others have the tag alone.
 */
#include "sim/image/oci.h"

#include <romsim/bounds.h>
#include <romsim/text.h>

#include <errno.h>
#include <string.h>

const char *oci_name_familiar(const char *name)
{
    static const char *const prefixes[] = {"index.docker.io/", "docker.io/"};

    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        size_t size = strlen(prefixes[i]);

        if (strncmp(name, prefixes[i], size) != 0)
            continue;
        name += size;
        return strncmp(name, "library/", 8) == 0 ? name + 8 : name;
    }
    return name;
}

bool oci_name_fits(const char *name, const char *wanted)
{
    size_t size = strlen(name), tail = strlen(wanted);

    if (size < tail || strcmp(name + size - tail, wanted) != 0)
        return false;
    return size == tail || (tail > 0 && name[size - tail - 1] == '/');
}

/* A tag alone, "latest", is no name. */
static bool is_whole(const char *name)
{
    return strpbrk(name, "/:") != NULL;
}

static int add_name(struct romsim_strings *names, const char *name, struct romsim_error *err)
{
    if (!name || !is_whole(name))
        return 0;
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->items[i], name) == 0)
            return 0;
    if (names->count >= romsim_bound(ROMSIM_BOUND_IMAGE_NAMES))
        return romsim_bound_refuse(
            err, ROMSIM_BOUND_IMAGE_NAMES,
            "the images have more than %zu names; FILE:TAG takes one of them", names->count);
    return romsim_strings_append(names, name) < 0 ? romsim_error_nomem(err) : 0;
}

int oci_names(struct oci_source *source, struct romsim_strings *ret, struct romsim_error *err)
{
    CLEANUP_JSON json_t *index = oci_source_json(source, "index.json", UINT64_MAX, NULL, err);
    const json_t *entry;
    size_t i;

    if (!index)
        return -1;
    json_array_foreach(json_object_get(index, "manifests"), i, entry)
    {
        const char *full = oci_annotation(entry, OCI_ANNOTATION_FULL_NAME);

        if (add_name(ret, full ? full : oci_annotation(entry, OCI_ANNOTATION_NAME), err) < 0)
            return -1;
    }
    return 0;
}

int docker_archive_names(struct oci_source *source, struct romsim_strings *ret,
                         struct romsim_error *err)
{
    CLEANUP_JSON json_t *images = oci_source_json(source, "manifest.json", UINT64_MAX, NULL, err);
    const json_t *image, *name;
    size_t i, j;

    if (!images)
        return -1;
    json_array_foreach(images, i, image)
    {
        json_array_foreach(json_object_get(image, "RepoTags"), j, name)
        {
            if (add_name(ret, json_string_value(name), err) < 0)
                return -1;
        }
    }
    return 0;
}
