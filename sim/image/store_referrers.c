/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * store_referrers.c: manifests that are about others: signatures, bills of materials.
 *
 * They have no name.  Their entry in index.json has the digest of what they are about as an
 * annotation, so that nobody has to read them to know; the gc takes those whose subject is gone.
 */
#include "sim/image/oci.h"
#include "sim/image/store.h"

#include <errno.h>
#include <string.h>

#define ANNOTATION_SUBJECT "romsim.subject"

const char *store_entry_subject(const json_t *entry)
{
    return oci_annotation(entry, OCI_ANNOTATION_NAME) ? NULL
                                                      : oci_annotation(entry, ANNOTATION_SUBJECT);
}

static bool has_digest(const json_t *entry, const char *digest)
{
    const char *own = json_string_value(json_object_get(entry, "digest"));

    return own && strcmp(own, digest) == 0;
}

/* Takes the entries of the digest out that have no name.  How many there were. */
static int strike_out(json_t *manifests, const char *digest)
{
    int count = 0;

    for (size_t i = json_array_size(manifests); i-- > 0;) {
        const json_t *entry = json_array_get(manifests, i);

        if (!store_entry_subject(entry) || !has_digest(entry, digest))
            continue;
        json_array_remove(manifests, i);
        count++;
    }
    return count;
}

int romsim_store_refer(struct romsim_store *store, const struct romsim_store_name *manifest,
                       const char *subject, struct romsim_error *err)
{
    CLEANUP_FD int lock = store_lock_index(store, err);
    CLEANUP_JSON json_t *index = lock < 0 ? NULL : store_read_index(store, err);
    json_t *manifests = json_object_get(index, "manifests"), *entry;

    if (!index)
        return -1;
    strike_out(manifests, manifest->digest);
    entry = json_pack("{s:s, s:s, s:I, s:{s:s}}", "mediaType", manifest->media_type, "digest",
                      manifest->digest, "size", (json_int_t)manifest->size, "annotations",
                      ANNOTATION_SUBJECT, subject);
    if (!entry || json_array_append_new(manifests, entry) < 0)
        return romsim_error_nomem(err);
    return store_write_index(store, index, err);
}

int romsim_store_unrefer(struct romsim_store *store, const char *digest, struct romsim_error *err)
{
    CLEANUP_FD int lock = store_lock_index(store, err);
    CLEANUP_JSON json_t *index = lock < 0 ? NULL : store_read_index(store, err);

    if (!index)
        return -1;
    if (strike_out(json_object_get(index, "manifests"), digest) == 0)
        return 0;
    return store_write_index(store, index, err) < 0 ? -1 : 1;
}

/* ---- looking -----------------------------------------------------------------------------------
 */

/* An entry as others are told of it: what the manifest says of itself goes along. */
static json_t *describe(const struct romsim_store *store, const json_t *entry,
                        struct romsim_error *err)
{
    CLEANUP_OCI_SOURCE struct oci_source *source = oci_source_store(store, err);
    CLEANUP_JSON json_t *manifest = NULL;
    struct oci_descriptor descriptor;
    const json_t *type;

    if (!source || oci_descriptor_parse(entry, "an entry of the image store", &descriptor, err) < 0)
        return NULL;
    manifest = oci_json(source, &descriptor, err);
    if (!manifest)
        return NULL;
    type = json_object_get(manifest, "artifactType");
    if (!json_is_string(type))
        type = json_object_get(json_object_get(manifest, "config"), "mediaType");
    return json_pack("{s:s, s:s, s:I, s:O*, s:O*}", "mediaType", descriptor.media_type, "digest",
                     descriptor.digest, "size", (json_int_t)descriptor.size, "artifactType", type,
                     "annotations", json_object_get(manifest, "annotations"));
}

/* One that cannot be read is none. */
static int add_referrers(const struct romsim_store *store, const char *subject, json_t *list,
                         struct romsim_error *err)
{
    CLEANUP_JSON json_t *index = store_read_index(store, err);
    const json_t *entry;
    size_t i;

    if (!index)
        return -1;
    json_array_foreach(json_object_get(index, "manifests"), i, entry)
    {
        const char *own = store_entry_subject(entry);
        json_t *found = own && strcmp(own, subject) == 0 ? describe(store, entry, NULL) : NULL;

        if (found && json_array_append_new(list, found) < 0)
            return romsim_error_nomem(err);
    }
    return 0;
}

json_t *romsim_stores_referrers(const struct romsim_stores *stores, const char *subject,
                                struct romsim_error *err)
{
    CLEANUP_JSON json_t *list = json_array();

    if (!list)
        romsim_error_nomem(err);
    for (size_t i = 0; list && i < stores->count; i++)
        if (!stores->items[i]->failure.errnum &&
            add_referrers(stores->items[i], subject, list, err) < 0)
            return NULL;
    return STEAL_POINTER(&list);
}

int store_find_referrer(const struct romsim_store *store, const char *digest,
                        struct oci_descriptor *ret, struct romsim_error *err)
{
    CLEANUP_JSON json_t *index = store_read_index(store, err);
    const json_t *entry;
    size_t i;

    if (!index)
        return -1;
    json_array_foreach(json_object_get(index, "manifests"), i, entry)
    {
        if (store_entry_subject(entry) && has_digest(entry, digest))
            return oci_descriptor_parse(entry, "an entry of the image store", ret, err) < 0 ? -1
                                                                                            : 1;
    }
    return 0;
}
