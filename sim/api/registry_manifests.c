/* SPDX-License-Identifier: BSD-3-Clause */
/* registry_manifests.c: manifests, their tags, and what is about them. */
#include "registry.h"

#include <romsim/bounds.h>
#include <romsim/cleanup.h>
#include <romsim/file.h>
#include <romsim/text.h>

#include <errno.h>
#include <string.h>

#define INDEX_TYPE "application/vnd.oci.image.index.v1+json"

/* "org/app:tag" or "org/app@sha256:...": what the store calls it. */
static char *full_name(const struct registry_path *path)
{
    char *name = NULL;
    char divider = strchr(path->reference, ':') ? '@' : ':';

    return asprintf(&name, "%s%c%s", path->name, divider, path->reference) < 0 ? NULL : name;
}

static bool is_digest(const char *reference)
{
    return strchr(reference, ':');
}

static void fail_unknown(struct api_request *request, const struct registry_path *path)
{
    registry_fail(request, 404, "MANIFEST_UNKNOWN", "there is no manifest '%s' in '%s'",
                  QUOTE(path->reference), path->name);
}

/* ---- reading -----------------------------------------------------------------------------------
 */

/* One that was pushed by its digest, and that no name leads to yet. */
static int find_held(struct api_request *request, const struct registry_path *path,
                     struct romsim_store_name *ret)
{
    char type[128] = "";

    if (!registry_holds(api_registry(request->api), path->name, path->reference, type,
                        sizeof(type)) ||
        !*type)
        return 0;
    *ret = (struct romsim_store_name){.media_type = strdup(type)};
    memcpy(ret->digest, path->reference, strlen(path->reference) + 1);
    return ret->media_type ? 1 : -1;
}

/* Returns 1, 0 or -1. */
static int find_manifest(struct api_request *request, const struct registry_path *path,
                         const struct romsim_stores *stores, struct romsim_store_name *ret,
                         struct romsim_error *err)
{
    CLEANUP_FREE char *full = NULL;
    int found;

    if (is_digest(path->reference)) {
        if (!romsim_digest_is_valid(path->reference))
            return 0;
        found = find_held(request, path, ret);
        return found ? found
                     : romsim_stores_find_manifest(stores, path->name, path->reference, ret, err);
    }
    if (!registry_tag_is_valid(path->reference))
        return 0;
    full = full_name(path);
    return full ? romsim_stores_find(stores, full, ret, err) : romsim_error_nomem(err);
}

/* An index may call what it has anything, a page, say. */
static const char *type_of(const struct romsim_store_name *manifest)
{
    return romsim_store_is_manifest_type(manifest->media_type) ? manifest->media_type
                                                               : "application/octet-stream";
}

void registry_get_manifest(struct api_request *request, const struct registry_path *path)
{
    CLEANUP_STORES struct romsim_stores stores = {0};
    struct romsim_store_name name = {0};
    struct romsim_error err = {0};
    uint64_t size;
    int fd = -1, found = -1;

    if (romsim_stores_open(&stores, &err) == 0)
        found = find_manifest(request, path, &stores, &name, &err);
    if (found > 0)
        found = romsim_stores_open_blob(&stores, name.digest, &fd, &size, &err);
    if (found > 0) {
        registry_header(request, "Docker-Content-Digest", "%s", name.digest);
        api_reply_file(request, 200, type_of(&name), fd, 0, size);
    } else if (found == 0) {
        fail_unknown(request, path);
    } else {
        registry_error(request, "UNKNOWN", &err);
    }
    romsim_store_name_release(&name);
}

/* ---- what is about a manifest ------------------------------------------------------------------
 */

static void keep_type(json_t *list, const char *type)
{
    for (size_t i = json_array_size(list); i-- > 0;) {
        const char *own =
            json_string_value(json_object_get(json_array_get(list, i), "artifactType"));

        if (!own || strcmp(own, type) != 0)
            json_array_remove(list, i);
    }
}

void registry_get_referrers(struct api_request *request, const struct registry_path *path)
{
    const char *type = api_request_parameter(request, "artifactType");
    CLEANUP_STORES struct romsim_stores stores = {0};
    struct romsim_error err;
    json_t *list = NULL;

    if (!romsim_digest_is_valid(path->reference)) {
        registry_fail(request, 400, "DIGEST_INVALID", "'%s' is no digest", QUOTE(path->reference));
        return;
    }
    if (romsim_stores_open(&stores, &err) == 0)
        list = romsim_stores_referrers(&stores, path->reference, &err);
    if (!list) {
        registry_error(request, "UNKNOWN", &err);
        return;
    }
    if (type) {
        keep_type(list, type);
        registry_header(request, "OCI-Filters-Applied", "artifactType");
    }
    registry_json(request, INDEX_TYPE,
                  json_pack("{s:i, s:s, s:o}", "schemaVersion", 2, "mediaType", INDEX_TYPE,
                            "manifests", list));
}

/* ---- writing -----------------------------------------------------------------------------------
 */

/* The manifest's bytes, malloc'ed.  NULL: after a reply. */
static char *read_body(struct api_request *request)
{
    size_t size = request->body_size;
    char *bytes = malloc(size + 1);
    struct romsim_error err;
    int errnum = bytes ? romsim_read_fully(request->body_fd, bytes, size, 0) : ENOMEM;

    if (errnum == 0)
        return bytes;
    free(bytes);
    romsim_error_system(&err, errnum, "cannot read the manifest");
    registry_error(request, "UNKNOWN", &err);
    return NULL;
}

struct named {
    struct registry *registry;
    const char *repository;
};

/* A name leads to it now, so that no gc takes it. */
static void let_go(void *context, const char *digest)
{
    const struct named *named = context;

    registry_let_go(named->registry, named->repository, digest);
}

static bool has_subject(const struct romsim_stores *stores, const struct registry_path *path,
                        const char *subject)
{
    struct romsim_store_name name = {0};
    int found = romsim_stores_find_manifest(stores, path->name, subject, &name, NULL);

    romsim_store_name_release(&name);
    return found > 0;
}

/* Names what has come by its tag.  By its digest it is held until something leads to it, if it is
 * not about something that stays. */
static int name_manifest(struct api_request *request, const struct registry_path *path,
                         const struct romsim_stores *stores, struct romsim_store **store,
                         struct romsim_store_name *manifest, const char *subject,
                         struct romsim_error *err)
{
    struct registry *registry = api_registry(request->api);
    CLEANUP_FREE char *full = full_name(path);

    if (!full)
        return romsim_error_nomem(err);
    if (*subject && romsim_store_refer(*store, manifest, subject, err) < 0)
        return -1;
    if (!is_digest(path->reference)) {
        if (romsim_store_tag(*store, full, manifest->media_type, manifest->digest, manifest->size,
                             err) < 0)
            return -1;
    } else if (!*subject || !has_subject(stores, path, subject)) {
        return registry_hold(registry, path->name, manifest->digest, manifest->media_type, store,
                             err);
    }
    return romsim_store_walk(manifest, let_go, &(struct named){registry, path->name}, err);
}

static int put(struct api_request *request, const struct registry_path *path, const char *bytes,
               struct romsim_store_name *ret, char ret_subject[ROMSIM_DIGEST_SIZE],
               struct romsim_error *err)
{
    const char *type = api_request_header(request, "Content-Type");
    const char *digest = is_digest(path->reference) ? path->reference : NULL;
    CLEANUP_STORES struct romsim_stores stores = {0};
    CLEANUP_STORE struct romsim_store *store = romsim_store_open(false, err);
    char media_type[128] = "";

    if (!store || romsim_stores_open(&stores, err) < 0)
        return -1;
    registry_parse_type(type ? type : "", media_type, sizeof(media_type));
    if (romsim_store_add_manifest(store, &stores, media_type, bytes, request->body_size, digest,
                                  ret, ret_subject, err) < 0)
        return -1;
    return name_manifest(request, path, &stores, &store, ret, ret_subject, err);
}

void registry_put_manifest(struct api_request *request, const struct registry_path *path)
{
    CLEANUP_FREE char *bytes = NULL;
    struct romsim_store_name name = {0};
    char subject[ROMSIM_DIGEST_SIZE];
    struct romsim_error err;

    if (is_digest(path->reference) ? !romsim_digest_is_valid(path->reference)
                                   : !registry_tag_is_valid(path->reference)) {
        registry_fail(request, 400, is_digest(path->reference) ? "DIGEST_INVALID" : "TAG_INVALID",
                      "'%s' is neither a tag nor a digest", QUOTE(path->reference));
        return;
    }
    bytes = read_body(request);
    if (!bytes)
        return;
    if (put(request, path, bytes, &name, subject, &err) == 0) {
        if (*subject)
            registry_header(request, "OCI-Subject", "%s", subject);
        registry_header(request, "Location", "/v2/%s/manifests/%s", path->name, name.digest);
        registry_header(request, "Docker-Content-Digest", "%s", name.digest);
        registry_done(request, 201);
    } else {
        registry_error(request, err.errnum == ENOENT ? "MANIFEST_BLOB_UNKNOWN" : "MANIFEST_INVALID",
                       &err);
    }
    romsim_store_name_release(&name);
}

/* ---- deleting ----------------------------------------------------------------------------------
 */

/* Takes the names away that lead to a digest, and its being about something.  Returns how many
 * there were, or -1. */
static int forget(struct romsim_store *store, const struct registry_path *path,
                  struct romsim_error *err)
{
    CLEANUP_STORE_NAMES struct romsim_store_names names = {0};
    int count = romsim_digest_is_valid(path->reference)
                    ? romsim_store_unrefer(store, path->reference, err)
                    : 0;

    if (count < 0 || romsim_store_list(store, &names, err) < 0)
        return -1;
    for (size_t i = 0; i < names.count; i++) {
        if (strcmp(names.items[i].digest, path->reference) != 0 ||
            !romsim_store_name_is_of(&names.items[i], path->name))
            continue;
        if (romsim_store_untag(store, names.items[i].name, err) < 0)
            return -1;
        count++;
    }
    return count;
}

/* The same of one tag, by the name that it is found by. */
static int untag(struct romsim_store *store, const struct registry_path *path,
                 struct romsim_error *err)
{
    CLEANUP_FREE char *full = full_name(path);
    struct romsim_store_name name = {0};
    int found = full ? romsim_store_find(store, full, &name, err) : romsim_error_nomem(err);

    if (found > 0 && romsim_store_untag(store, name.name, err) < 0)
        found = -1;
    romsim_store_name_release(&name);
    return found;
}

/* Is it to be had all the same, from a store that is only read? */
static bool is_elsewhere(struct api_request *request, const struct registry_path *path)
{
    CLEANUP_STORES struct romsim_stores stores = {0};
    struct romsim_store_name name = {0};
    int found = romsim_stores_open(&stores, NULL) == 0
                    ? find_manifest(request, path, &stores, &name, NULL)
                    : 0;

    romsim_store_name_release(&name);
    return found > 0;
}

void registry_delete_manifest(struct api_request *request, const struct registry_path *path)
{
    struct registry *registry = api_registry(request->api);
    struct romsim_error err;
    CLEANUP_STORE struct romsim_store *store = romsim_store_open(false, &err);
    char type[128] = "";
    int count = -1;

    if (store && is_digest(path->reference)) {
        count = forget(store, path, &err);
        if (count == 0)
            count =
                registry_holds(registry, path->name, path->reference, type, sizeof(type)) && *type;
        registry_let_go(registry, path->name, path->reference);
    } else if (store) {
        count = untag(store, path, &err);
    }
    if (count > 0)
        registry_done(request, 202);
    else if (count == 0 && is_elsewhere(request, path))
        registry_fail(request, 405, "UNSUPPORTED", "it is in an image store that is only read");
    else if (count == 0)
        fail_unknown(request, path);
    else
        registry_error(request, "UNKNOWN", &err);
}
