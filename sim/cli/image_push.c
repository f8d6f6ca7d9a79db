/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * image_push.c: `romsim image push`: images of the store into that of a server.
 *
 * By the registry's protocol (OCI distribution-spec 1.1, "Push"): what a manifest leads to goes
 * before it, and what the server has already is not sent.
 */
#include "sim/cli/image.h"
#include "sim/cli/remote.h"
#include "sim/cli/target.h"

#include <romsim/bounds.h>
#include <romsim/text.h>

#include <errno.h>
#include <string.h>

enum { DEPTH_MAX = 4 }; /* of indexes in each other */

/* Where an image goes. */
struct push {
    const struct remote *remote;
    const struct romsim_stores *stores;
    const char *repository; /* "my-org/app" */
};

/* "/v2/REPOSITORY/WHAT/OF", malloc'ed. */
static char *path_of(const struct push *push, const char *what, const char *of)
{
    char *path = NULL;

    return asprintf(&path, "/v2/%s/%s/%s", push->repository, what, of) < 0 ? NULL : path;
}

/* Opens a blob that has to be there. */
static int open_blob(const struct push *push, const char *digest, struct romsim_error *err)
{
    int fd = -1, found;
    uint64_t size;

    if (!romsim_digest_is_valid(digest))
        return romsim_error_set(err, EUCLEAN, "'%s' is no digest", QUOTE(digest));
    found = romsim_stores_open_blob(push->stores, digest, &fd, &size, err);
    if (found == 0)
        romsim_error_set(err, ENOENT, "the store has not all of the image: %s is not there",
                         digest);
    return found > 0 ? fd : -1;
}

/* Where the server wants a blob, malloc'ed: it names a path of its own. */
static char *ask_for_place(const struct push *push, const char *digest, struct romsim_error *err)
{
    CLEANUP_FREE char *uploads = path_of(push, "blobs", "uploads/");
    CLEANUP_FREE char *location = NULL;
    size_t size = strlen(push->remote->url);
    const char *path;
    char *place = NULL;

    if (!uploads) {
        romsim_error_nomem(err);
        return NULL;
    }
    if (remote_upload(push->remote, &(struct remote_upload){"POST", uploads, NULL, -1}, &location,
                      err) < 0)
        return NULL;
    path = location;
    if (strncmp(path, push->remote->url, size) == 0)
        path += size;
    if (*path != '/') {
        romsim_error_set(err, EPROTO, "'%s' does not say where it wants the image",
                         QUOTE(push->remote->url));
        return NULL;
    }
    if (asprintf(&place, "%s%cdigest=%s", path, strchr(path, '?') ? '&' : '?', digest) < 0) {
        romsim_error_nomem(err);
        return NULL;
    }
    return place;
}

static int push_blob(const struct push *push, const json_t *descriptor, struct romsim_error *err)
{
    const char *digest = json_string_value(json_object_get(descriptor, "digest")) ?: "";
    CLEANUP_FREE char *path = path_of(push, "blobs", digest), *place = NULL;
    CLEANUP_FD int fd = open_blob(push, digest, err);
    int http;

    if (fd < 0)
        return -1;
    if (!path)
        return romsim_error_nomem(err);
    http = remote_upload(push->remote, &(struct remote_upload){"HEAD", path, NULL, -1}, NULL, err);
    if (http != 404)
        return http < 0 ? -1 : 0;
    place = ask_for_place(push, digest, err);
    if (!place)
        return -1;
    http = remote_upload(push->remote,
                         &(struct remote_upload){"PUT", place, "application/octet-stream", fd},
                         NULL, err);
    return http < 0 ? -1 : 0;
}

static int push_list(const struct push *push, const json_t *list, struct romsim_error *err)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (push_blob(push, json_array_get(list, i), err) < 0)
            return -1;
    return 0;
}

/* The text of a manifest; the descriptor stays where it is. */
static json_t *read_manifest(int fd, struct romsim_error *err)
{
    CLEANUP_BUFFER struct romsim_buffer text =
        ROMSIM_BUFFER_INIT(romsim_bound(ROMSIM_BOUND_IMAGE_JSON));
    json_t *manifest = NULL;

    if (romsim_buffer_read_fd(&text, fd) == 0)
        manifest = json_loadb(text.data ?: "", text.size, 0, NULL);
    if (!manifest)
        romsim_error_set(err, EUCLEAN, "the image's manifest cannot be read");
    return manifest;
}

/* Pushes a manifest, or an index with its manifests, as `reference`: a tag or its digest. */
/* NOLINTNEXTLINE(misc-no-recursion): DEPTH_MAX */
static int push_manifest(const struct push *push, const char *digest, const char *media_type,
                         const char *reference, unsigned depth, struct romsim_error *err)
{
    CLEANUP_FREE char *path = path_of(push, "manifests", reference);
    CLEANUP_FD int fd = open_blob(push, digest, err);
    json_t *manifest = fd < 0 ? NULL : read_manifest(fd, err);
    const json_t *inner = json_object_get(manifest, "manifests");
    int status = manifest ? 0 : -1;

    if (json_array_size(inner) && depth >= DEPTH_MAX)
        status = romsim_error_set(err, EUCLEAN, "the image's indexes lie too deep in each other");
    for (size_t i = 0; i < json_array_size(inner) && status == 0; i++) {
        const json_t *entry = json_array_get(inner, i);
        const char *own = json_string_value(json_object_get(entry, "digest")) ?: "";
        const char *type = json_string_value(json_object_get(entry, "mediaType")) ?: "";

        status = push_manifest(push, own, type, own, depth + 1, err);
    }
    if (status == 0 && json_object_get(manifest, "config"))
        status = push_blob(push, json_object_get(manifest, "config"), err);
    if (status == 0)
        status = push_list(push, json_object_get(manifest, "layers"), err);
    json_decref(manifest);
    if (status == 0 && !path)
        status = romsim_error_nomem(err);
    if (status == 0 &&
        remote_upload(push->remote, &(struct remote_upload){"PUT", path, media_type, fd}, NULL,
                      err) < 0)
        status = -1;
    return status;
}

/* Pushes what a name of the store leads to, under that name without its registry. */
static int push_found(struct push *push, const struct romsim_store_name *name,
                      struct romsim_error *err)
{
    const char *bare = romsim_store_without_registry(name->name);
    size_t size = strcspn(bare, "@");
    const char *tag = bare[size] ? name->digest : romsim_store_name_tag(name);
    CLEANUP_FREE char *repository = strndup(bare, bare[size] ? size : (size_t)(tag - bare) - 1);

    push->repository = repository;
    if (!repository)
        return romsim_error_nomem(err);
    if (push_manifest(push, name->digest, name->media_type, tag, 0, err) < 0)
        return romsim_error_context(err, "'%s'", QUOTE(name->name));
    printf("%s %s\n", QUOTE(bare), name->digest);
    return 0;
}

static int push_name(struct push *push, const char *wanted)
{
    struct romsim_store_name name = {0};
    struct romsim_error error;
    int status = romsim_stores_find(push->stores, wanted, &name, &error);

    if (status > 0) {
        status = push_found(push, &name, &error);
        romsim_store_name_release(&name);
    } else if (status == 0) {
        romsim_error_set(&error, ENOENT, "No image with name '%s'", QUOTE(wanted));
        status =
            romsim_error_hint(&error, "'romsim image ls --host \"\"' lists those that there are");
    }
    return status < 0 ? cli_report(&error) : CLI_OK;
}

static int run_push(const struct cli_args *args)
{
    CLEANUP_STORES struct romsim_stores stores = {0};
    CLEANUP_REMOTE struct remote *remote = NULL;
    const char *host = remote_host(args);
    struct romsim_error error;
    struct push push;
    int status = CLI_OK;

    if (!host)
        return cli_usage(args, "give --host, or set ROMSIM_HOST");
    remote = remote_new(host, &error);
    if (!remote || romsim_stores_open(&stores, &error) < 0)
        return cli_report(&error);
    push = (struct push){.remote = remote, .stores = &stores};
    for (size_t i = 0; i < args->operand_count; i++)
        if (push_name(&push, args->operands[i]) != CLI_OK)
            status = CLI_FAILED;
    return status;
}

static const struct cli_option options[] = {
    {"host", 'H', "URL", "the romsim serve that gets them (ROMSIM_HOST)"},
    CLI_OPTION_END,
};

const struct cli_command cli_image_push = {
    .name = "push",
    .operands = "NAME...",
    .operands_min = 1,
    .operands_max = CLI_OPERANDS_ANY,
    .summary = "send images of the store to a server",
    .options = options,
    .run = run_push,
};
