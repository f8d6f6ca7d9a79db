/* SPDX-License-Identifier: BSD-3-Clause */
/* reach.c: what a manifest leads to. */
#include "sim/image/reach.h"

#include <search.h>
#include <string.h>

static int compare_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

void reach_release(struct reach *reach)
{
    tdestroy(reach->blobs, free);
    tdestroy(reach->manifests, free);
    descriptors_reset(&reach->todo);
    *reach = (struct reach){0};
}

bool reach_has(const struct reach *reach, const char *digest)
{
    return tfind(digest, &reach->blobs, compare_text) ||
           tfind(digest, &reach->manifests, compare_text);
}

/* Notes a blob in one of the trees, and tells of it.  Returns 1 if it was not there yet. */
static int note(struct reach *reach, void **tree, const struct oci_descriptor *descriptor,
                struct romsim_error *err)
{
    char *copy;

    if (tfind(descriptor->digest, tree, compare_text))
        return 0;
    if (++reach->count > romsim_bound(ROMSIM_BOUND_STORE_BLOBS))
        return romsim_bound_refuse(err, ROMSIM_BOUND_STORE_BLOBS, "there are more than %llu blobs",
                                   (unsigned long long)romsim_bound(ROMSIM_BOUND_STORE_BLOBS));
    copy = strdup(descriptor->digest);
    if (!copy || !tsearch(copy, tree, compare_text)) {
        free(copy);
        return romsim_error_nomem(err);
    }
    if (reach->found &&
        reach->found(reach->context, descriptor, tree == &reach->manifests, err) < 0)
        return -1;
    return 1;
}

int reach_add(struct reach *reach, const struct oci_descriptor *manifest, struct romsim_error *err)
{
    int fresh = note(reach, &reach->manifests, manifest, err);

    if (fresh > 0 && descriptors_append(&reach->todo, *manifest) < 0)
        return romsim_error_nomem(err);
    return fresh < 0 ? -1 : 0;
}

static int add_blob(struct reach *reach, const json_t *json, const char *what,
                    struct romsim_error *err)
{
    struct oci_descriptor descriptor;

    if (oci_descriptor_parse(json, what, &descriptor, err) < 0)
        return -1;
    return note(reach, &reach->blobs, &descriptor, err) < 0 ? -1 : 0;
}

int reach_add_content(struct reach *reach, const json_t *json, struct romsim_error *err)
{
    const json_t *config = json_object_get(json, "config"), *entry;
    struct oci_descriptor descriptor;
    char what[32];
    size_t i;

    json_array_foreach(json_object_get(json, "manifests"), i, entry)
    {
        snprintf(what, sizeof(what), "manifest %zu", i + 1);
        if (oci_descriptor_parse(entry, what, &descriptor, err) < 0 ||
            reach_add(reach, &descriptor, err) < 0)
            return -1;
    }
    json_array_foreach(json_object_get(json, "layers"), i, entry)
    {
        snprintf(what, sizeof(what), "layer %zu", i + 1);
        if (add_blob(reach, entry, what, err) < 0)
            return -1;
    }
    return config ? add_blob(reach, config, "the config", err) : 0;
}

int reach_walk(struct reach *reach, struct oci_source *source, struct romsim_error *err)
{
    while (reach->todo.count > 0) {
        struct oci_descriptor next = reach->todo.items[--reach->todo.count];
        CLEANUP_JSON json_t *json = oci_json(source, &next, err);

        if (!json || reach_add_content(reach, json, err) < 0)
            return -1;
    }
    return 0;
}
