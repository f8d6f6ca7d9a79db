/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * store_manifest.c: manifests that come on their own, behind the blobs that they lead to.
 *
 * What is taken here has to be what the readers of this room and the gc can read: so all that a
 * manifest leads to is looked at, down to the last layer, before it is in the store.
 */
#include "sim/image/newfile.h"
#include "sim/image/reach.h"
#include "sim/image/store.h"

#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

bool romsim_store_is_manifest_type(const char *media_type)
{
    return oci_type_is_index(media_type) || oci_type_is_manifest(media_type);
}

/* ---- what it says -------------------------------------------------------------------------- */

/* The type: as it was announced, as the text says, or by what the text has.  NULL: none. */
static const char *find_type(const json_t *json, const char *announced, struct romsim_error *err)
{
    const char *own = json_string_value(json_object_get(json, "mediaType"));
    const char *type = *announced ? announced : own;

    if (!type)
        type = json_object_get(json, "manifests") ? OCI_MEDIA_INDEX : OCI_MEDIA_MANIFEST;
    if (own && strcmp(own, type) != 0) {
        romsim_error_set(err, EUCLEAN, "the manifest says that it is '%s', not '%s'", QUOTE(own),
                         QUOTE(type));
        return NULL;
    }
    if (!romsim_store_is_manifest_type(type)) {
        romsim_error_set(err, EOPNOTSUPP, "'%s' is no type of a manifest that is known here",
                         QUOTE(type));
        return NULL;
    }
    return type;
}

/* A list that is there and no longer than what the readers take. */
static int check_list(const json_t *json, const char *name, enum romsim_bound bound,
                      struct romsim_error *err)
{
    const json_t *list = json_object_get(json, name);

    if (!json_is_array(list))
        return romsim_error_set(err, EUCLEAN, "the manifest has no list '%s'", name);
    if (json_array_size(list) > romsim_bound(bound))
        return romsim_bound_refuse(err, bound, "the manifest has %zu %s", json_array_size(list),
                                   name);
    return 0;
}

/* One that could be read as an index and as a manifest would be two images under one digest. */
static int check_shape(const json_t *json, const char *type, struct romsim_error *err)
{
    bool is_index = oci_type_is_index(type);

    if (!json_is_object(json) || json_integer_value(json_object_get(json, "schemaVersion")) != 2)
        return romsim_error_set(err, EUCLEAN, "the manifest is not of schema version 2");
    if (is_index && (json_object_get(json, "layers") || json_object_get(json, "config")))
        return romsim_error_set(err, EUCLEAN, "the index is a manifest in disguise");
    if (!is_index && json_object_get(json, "manifests"))
        return romsim_error_set(err, EUCLEAN, "the manifest is an index in disguise");
    if (!is_index && !json_object_get(json, "config"))
        return romsim_error_set(err, EUCLEAN, "the manifest has no config");
    return is_index ? check_list(json, "manifests", ROMSIM_BOUND_MANIFESTS, err)
                    : check_list(json, "layers", ROMSIM_BOUND_LAYERS, err);
}

/* What it is about; "" if it does not say. */
static int find_subject(const json_t *json, char ret[ROMSIM_DIGEST_SIZE], struct romsim_error *err)
{
    const json_t *subject = json_object_get(json, "subject");
    struct oci_descriptor descriptor = {{0}, {0}, 0};

    if (subject && oci_descriptor_parse(subject, "the subject", &descriptor, err) < 0)
        return -1;
    memcpy(ret, descriptor.digest, sizeof(descriptor.digest));
    return 0;
}

/* ---- what it leads to ---------------------------------------------------------------------- */

struct check {
    struct romsim_store *store;
    const struct romsim_stores *others;
};

static void ignore_progress(void *context, uint64_t bytes)
{
    (void)context;
    (void)bytes;
}

/* Is it in the store, or could it be brought there from another one? */
static int check_blob(void *context, const struct oci_descriptor *descriptor, bool is_manifest,
                      struct romsim_error *err)
{
    const struct check *check = context;
    char path[OCI_BLOB_PATH_SIZE];
    CLEANUP_FD int fd = -1;
    uint64_t size;
    struct stat st;
    int found;

    oci_blob_path(descriptor, path);
    if (fstatat(check->store->folder, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode)) {
        if ((uint64_t)st.st_size == descriptor->size)
            return 0;
        return romsim_error_set(err, EUCLEAN, "the blob '%s' has %llu bytes, not %llu",
                                descriptor->digest, (unsigned long long)st.st_size,
                                (unsigned long long)descriptor->size);
    }
    found = romsim_stores_open_blob(check->others, descriptor->digest, &fd, &size, err);
    if (found > 0 && size == descriptor->size)
        return romsim_store_add_file(check->store, fd, 0, size, descriptor->digest, ignore_progress,
                                     NULL, err);
    if (found < 0 || (!is_manifest && oci_type_is_foreign(descriptor->media_type)))
        return found < 0 ? -1 : 0;
    return romsim_error_set(err, ENOENT, "the %s '%s' is not there",
                            is_manifest ? "manifest" : "blob", descriptor->digest);
}

static int check_content(struct romsim_store *store, const struct romsim_stores *others,
                         const json_t *json, struct romsim_error *err)
{
    struct check check = {store, others};
    CLEANUP_REACH struct reach reach = {.found = check_blob, .context = &check};
    CLEANUP_OCI_SOURCE struct oci_source *source = oci_source_store(store, err);

    if (!source || reach_add_content(&reach, json, err) < 0)
        return -1;
    return reach_walk(&reach, source, err);
}

/* ---- putting it there ---------------------------------------------------------------------- */

static int keep(struct romsim_store *store, const void *bytes, size_t size, const char *digest,
                struct romsim_error *err)
{
    CLEANUP_NEWFILE struct newfile file = NEWFILE_NONE;
    CLEANUP_FD int folder = store_open_blobs(store, digest, true, err);

    if (folder < 0)
        return -1;
    if (newfile_is_there(folder, romsim_digest_hex(digest), size, digest))
        return 0;
    if (newfile_open(folder, store->path, &file, err) < 0 ||
        newfile_write(&file, bytes, size, 0, err) < 0)
        return -1;
    return newfile_keep(&file, romsim_digest_hex(digest), err);
}

static int digest_of(const void *bytes, size_t size, const char *expected,
                     char ret[ROMSIM_DIGEST_SIZE], struct romsim_error *err)
{
    struct romsim_digest *running = romsim_digest_new(expected ? expected : OCI_SHA256);

    if (!running)
        return romsim_error_nomem(err);
    romsim_digest_update(running, bytes, size);
    romsim_digest_final(running, ret);
    romsim_digest_free(running);
    if (expected && strcmp(ret, expected) != 0)
        return romsim_error_set(err, EUCLEAN, "the manifest's digest is %s, not %s", ret, expected);
    return 0;
}

int romsim_store_add_manifest(struct romsim_store *store, const struct romsim_stores *stores,
                              const char *media_type, const void *bytes, size_t size,
                              const char *digest, struct romsim_store_name *ret,
                              char ret_subject[ROMSIM_DIGEST_SIZE], struct romsim_error *err)
{
    CLEANUP_JSON json_t *json = oci_json_parse(bytes, size, "manifest", err);
    const char *type = json ? find_type(json, media_type, err) : NULL;
    char found[ROMSIM_DIGEST_SIZE];

    if (!type || digest_of(bytes, size, digest, found, err) < 0 ||
        check_shape(json, type, err) < 0 || find_subject(json, ret_subject, err) < 0 ||
        check_content(store, stores, json, err) < 0 || keep(store, bytes, size, found, err) < 0)
        return -1;
    *ret = (struct romsim_store_name){.media_type = strdup(type), .size = size, .store = store};
    memcpy(ret->digest, found, sizeof(ret->digest));
    return ret->media_type ? 0 : romsim_error_nomem(err);
}

/* ---- looking at what is there -------------------------------------------------------------- */

struct search {
    const char *digest;
    struct oci_descriptor *found;
    bool is_found;
};

static int compare_found(void *context, const struct oci_descriptor *descriptor, bool is_manifest,
                         struct romsim_error *err)
{
    struct search *search = context;

    (void)err;
    if (is_manifest && strcmp(descriptor->digest, search->digest) == 0) {
        *search->found = *descriptor;
        search->is_found = true;
        return -1; /* the walk has no more to do */
    }
    return 0;
}

static int walk(const struct romsim_store_name *name, reach_found *found, void *context,
                struct romsim_error *err)
{
    CLEANUP_REACH struct reach reach = {.found = found, .context = context};
    CLEANUP_OCI_SOURCE struct oci_source *source = oci_source_store(name->store, err);
    struct oci_descriptor start = {{0}, {0}, 0};

    memcpy(start.digest, name->digest, sizeof(start.digest));
    start.size = name->size;
    return !source || reach_add(&reach, &start, err) < 0 ? -1 : reach_walk(&reach, source, err);
}

struct telling {
    romsim_store_told *told;
    void *context;
};

static int tell(void *context, const struct oci_descriptor *descriptor, bool is_manifest,
                struct romsim_error *err)
{
    const struct telling *telling = context;

    (void)is_manifest, (void)err;
    telling->told(telling->context, descriptor->digest);
    return 0;
}

int romsim_store_walk(const struct romsim_store_name *name, romsim_store_told *told, void *context,
                      struct romsim_error *err)
{
    return walk(name, tell, &(struct telling){told, context}, err);
}

/* Is the manifest in the index that a name leads to?  One that cannot be read has it not. */
static bool find_inside(const struct romsim_store_name *name, const char *digest,
                        struct oci_descriptor *ret)
{
    struct search search = {digest, ret, false};

    if (oci_type_is_index(name->media_type))
        walk(name, compare_found, &search, NULL);
    return search.is_found;
}

static int take_name(struct romsim_store_name *name, const struct oci_descriptor *manifest,
                     struct romsim_store_name *ret, struct romsim_error *err)
{
    if (manifest) {
        char *media_type = strdup(manifest->media_type);

        if (!media_type)
            return romsim_error_nomem(err);
        free(name->media_type);
        name->media_type = media_type;
        memcpy(name->digest, manifest->digest, sizeof(name->digest));
        name->size = manifest->size;
    }
    *ret = *name;
    *name = (struct romsim_store_name){0};
    return 1;
}

int romsim_stores_find_manifest(const struct romsim_stores *stores, const char *repository,
                                const char *digest, struct romsim_store_name *ret,
                                struct romsim_error *err)
{
    CLEANUP_STORE_NAMES struct romsim_store_names names = {0};
    struct oci_descriptor manifest;

    if (romsim_stores_list(stores, &names, err) < 0)
        return -1;
    for (size_t i = 0; i < names.count; i++)
        if (strcmp(names.items[i].digest, digest) == 0 &&
            romsim_store_name_is_of(&names.items[i], repository))
            return take_name(&names.items[i], NULL, ret, err);
    for (size_t i = 0; i < names.count; i++)
        if (romsim_store_name_is_of(&names.items[i], repository) &&
            find_inside(&names.items[i], digest, &manifest))
            return take_name(&names.items[i], &manifest, ret, err);
    for (size_t i = 0; i < stores->count; i++)
        if (!stores->items[i]->failure.errnum &&
            store_find_referrer(stores->items[i], digest, &manifest, NULL) > 0)
            return take_name(&(struct romsim_store_name){.store = stores->items[i]}, &manifest, ret,
                             err);
    return 0;
}
