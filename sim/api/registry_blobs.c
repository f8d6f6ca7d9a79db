/* SPDX-License-Identifier: BSD-3-Clause */
/* registry_blobs.c: blobs, and the steps of an upload: POST, PATCH as often as needed, PUT. */
#include "registry.h"

#include <romsim/cleanup.h>
#include <romsim/file.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

/* ---- blobs -------------------------------------------------------------------------------------
 */

/* Opens a blob of any store.  False: after a reply. */
static bool open_blob(struct api_request *request, const char *digest, int *ret_fd,
                      uint64_t *ret_size)
{
    CLEANUP_STORES struct romsim_stores stores = {0};
    struct romsim_error err;
    int found = -1;

    if (romsim_stores_open(&stores, &err) == 0)
        found = romsim_stores_open_blob(&stores, digest, ret_fd, ret_size, &err);
    if (found < 0)
        registry_error(request, "UNKNOWN", &err);
    else if (found == 0)
        registry_fail(request, 404, "BLOB_UNKNOWN", "there is no blob '%s'", digest);
    return found > 0;
}

static bool check_digest(struct api_request *request, const char *digest)
{
    if (romsim_digest_is_valid(digest))
        return true;
    registry_fail(request, 400, "DIGEST_INVALID",
                  "'%s' is no digest: 'sha256:' and 64 hexadecimal digits, or 'sha512:' and 128",
                  QUOTE(digest));
    return false;
}

/* Who asks whether a blob is there is about to push a manifest that needs it: it must not go in
 * between.  Returns 1, 0 if it is not there, or -1. */
static int keep_what_is_there(struct registry *registry, const char *name, const char *digest,
                              struct romsim_error *err)
{
    CLEANUP_STORE struct romsim_store *store = NULL;
    CLEANUP_STORES struct romsim_stores stores = {0};
    CLEANUP_FD int fd = -1;
    uint64_t size;
    int found;

    if (romsim_stores_open(&stores, err) < 0)
        return -1;
    found = romsim_stores_open_blob(&stores, digest, &fd, &size, err);
    if (found <= 0)
        return found;
    /* Only with its lock can it be kept, and it may have gone until that was had. */
    store = romsim_store_open(false, err);
    if (!store)
        return -1;
    cleanup_close_fd(&fd);
    fd = -1;
    found = romsim_stores_open_blob(&stores, digest, &fd, &size, err);
    if (found > 0 && registry_hold(registry, name, digest, "", &store, err) < 0)
        return -1;
    return found;
}

static void reply_range(struct api_request *request, int fd, uint64_t size)
{
    const char *range = api_request_header(request, "Range");
    uint64_t offset = 0, length = size;
    int kind = 0;

    /* There is no validator that If-Range could name, and no part of what is not sent. */
    if (range && !request->is_head && !api_request_header(request, "If-Range"))
        kind = registry_parse_range(range, size, &offset, &length);
    if (kind < 0) {
        close(fd);
        registry_header(request, "Content-Range", "bytes */%" PRIu64, size);
        registry_fail(request, 416, "RANGE_INVALID", "the blob has %" PRIu64 " bytes", size);
        return;
    }
    if (kind > 0)
        registry_header(request, "Content-Range", "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, offset,
                        offset + length - 1, size);
    api_reply_file(request, kind > 0 ? 206 : 200, "application/octet-stream", fd, offset, length);
}

void registry_get_blob(struct api_request *request, const struct registry_path *path)
{
    struct romsim_error err;
    uint64_t size;
    int fd;

    if (!check_digest(request, path->reference))
        return;
    if (request->is_head &&
        keep_what_is_there(api_registry(request->api), path->name, path->reference, &err) < 0) {
        registry_error(request, "UNKNOWN", &err);
        return;
    }
    if (!open_blob(request, path->reference, &fd, &size))
        return;
    registry_header(request, "Docker-Content-Digest", "%s", path->reference);
    registry_header(request, "Accept-Ranges", "bytes");
    reply_range(request, fd, size);
}

/* ---- what an upload is told --------------------------------------------------------------------
 */

static void put_place(struct api_request *request, const struct registry_upload *upload)
{
    registry_header(request, "Location", "/v2/%s/blobs/uploads/%s", upload->name, upload->id);
    registry_header(request, "Docker-Upload-UUID", "%s", upload->id);
    /* There is no way to say that nothing is there: distribution says the same. */
    registry_header(request, "Range", "0-%" PRIu64, upload->size ? upload->size - 1 : 0);
}

static void reply_created(struct api_request *request, const char *name, const char *digest)
{
    registry_header(request, "Location", "/v2/%s/blobs/%s", name, digest);
    registry_header(request, "Docker-Content-Digest", "%s", digest);
    registry_done(request, 201);
}

static struct registry_upload *get_upload(struct api_request *request,
                                          const struct registry_path *path)
{
    struct romsim_error err;
    struct registry_upload *upload =
        registry_get(api_registry(request->api), path->name, path->reference, &err);

    if (upload)
        return upload;
    if (err.errnum == EBUSY)
        registry_fail(request, 409, "BLOB_UPLOAD_INVALID", "%s", err.message);
    else
        registry_fail(request, 404, "BLOB_UPLOAD_UNKNOWN", "%s", err.message);
    return NULL;
}

void registry_look_at_upload(struct api_request *request, const struct registry_path *path)
{
    struct registry_upload *upload = get_upload(request, path);

    if (!upload)
        return;
    put_place(request, upload);
    registry_give_back(api_registry(request->api), upload);
    registry_done(request, 204);
}

void registry_cancel_upload(struct api_request *request, const struct registry_path *path)
{
    struct registry_upload *upload = get_upload(request, path);

    if (!upload)
        return;
    registry_end(api_registry(request->api), upload);
    registry_done(request, 204);
}

/* ---- its bytes ---------------------------------------------------------------------------------
 */

/* The first body becomes the upload's file, later ones are copied to its end. */
static int append(struct registry_upload *upload, int fd, uint64_t offset, uint64_t size,
                  struct romsim_error *err)
{
    int errnum;

    if (size == 0)
        return 0;
    if (upload->fd < 0) {
        upload->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return upload->fd >= 0 ? 0 : romsim_error_system(err, errno, "cannot keep the upload");
    }
    errnum = romsim_copy_data(fd, 0, upload->fd, offset, size);
    /* The end may be a hole, which is not written; and nothing is left of what failed. */
    if (ftruncate(upload->fd, (off_t)(errnum ? offset : offset + size)) < 0 && errnum == 0)
        errnum = errno;
    return errnum == 0 ? 0 : romsim_error_write(err, errnum, upload->fd, "keep the upload");
}

/* Is the chunk the one that comes next (else ERANGE), and as large as it says (else EMSGSIZE)? */
static int check_chunk(struct api_request *request, const struct registry_upload *upload,
                       struct romsim_error *err)
{
    const char *range = api_request_header(request, "Content-Range");
    uint64_t first, last;

    if (!range)
        return 0;
    if (!registry_parse_chunk(range, &first, &last))
        return romsim_error_set(err, EINVAL, "'%s' is no Content-Range of a chunk", QUOTE(range));
    if (first != upload->size) {
        put_place(request, upload);
        return romsim_error_set(err, ERANGE,
                                "the next chunk begins at %" PRIu64 ", not at %" PRIu64,
                                upload->size, first);
    }
    if (last - first + 1 != request->body_size)
        return romsim_error_set(err, EMSGSIZE, "the chunk has %zu bytes, not %" PRIu64,
                                request->body_size, last - first + 1);
    return 0;
}

/* Adds the request's body to an upload.  What is wrong is replied when the upload has been given
 * back: whoever has the reply may go on with it at once. */
static int take_chunk(struct api_request *request, struct registry_upload *upload,
                      struct romsim_error *err)
{
    struct registry *registry = api_registry(request->api);
    uint64_t size = upload->size;

    if (check_chunk(request, upload, err) < 0 ||
        registry_resize(registry, upload, size + request->body_size, err) < 0)
        return -1;
    if (append(upload, request->body_fd, size, request->body_size, err) == 0)
        return 0;
    registry_resize(registry, upload, size, NULL);
    return -1;
}

void registry_append_chunk(struct api_request *request, const struct registry_path *path)
{
    struct registry *registry = api_registry(request->api);
    struct registry_upload *upload = get_upload(request, path);
    struct romsim_error err;
    bool is_taken;

    if (!upload)
        return;
    is_taken = take_chunk(request, upload, &err) == 0;
    if (is_taken)
        put_place(request, upload);
    registry_give_back(registry, upload);
    if (is_taken)
        registry_done(request, 202);
    else
        registry_error(request, "BLOB_UPLOAD_INVALID", &err);
}

/* ---- its end -----------------------------------------------------------------------------------
 */

/* Makes a file the blob that it has to be. */
static int keep_blob(struct api_request *request, const char *name, int fd, const char *digest,
                     struct romsim_error *err)
{
    CLEANUP_STORE struct romsim_store *store = romsim_store_open(false, err);

    if (!store || romsim_store_add_scratch(store, fd, digest, err) < 0)
        return -1;
    return registry_hold(api_registry(request->api), name, digest, "", &store, err);
}

/* The reply to who has sent the last of a blob. */
static void reply_kept(struct api_request *request, int result, const char *name,
                       const char *digest, const struct romsim_error *err)
{
    if (result < 0)
        registry_error(request, "DIGEST_INVALID", err);
    else
        reply_created(request, name, digest);
}

/* Without a single byte there is no file yet. */
static int file_of(struct api_request *request, const struct registry_upload *upload)
{
    return upload->fd < 0 ? request->body_fd : upload->fd;
}

void registry_finish_upload(struct api_request *request, const struct registry_path *path)
{
    struct registry *registry = api_registry(request->api);
    const char *digest = api_request_parameter(request, "digest");
    struct registry_upload *upload;
    struct romsim_error err;
    int result;

    if (!check_digest(request, digest ? digest : ""))
        return;
    upload = get_upload(request, path);
    if (!upload)
        return;
    if (take_chunk(request, upload, &err) < 0) {
        registry_give_back(registry, upload);
        registry_error(request, "BLOB_UPLOAD_INVALID", &err);
        return;
    }
    result = keep_blob(request, path->name, file_of(request, upload), digest, &err);
    registry_end(registry, upload);
    reply_kept(request, result, path->name, digest, &err);
}

/* ---- its beginning -----------------------------------------------------------------------------
 */

/* A blob that another repository has is in this one, too. */
static bool mount(struct api_request *request, const char *name, const char *digest)
{
    struct romsim_error err;
    int found = romsim_digest_is_valid(digest)
                    ? keep_what_is_there(api_registry(request->api), name, digest, &err)
                    : 0;

    if (found > 0)
        reply_created(request, name, digest);
    else if (found < 0)
        registry_error(request, "UNKNOWN", &err);
    return found != 0;
}

void registry_start_upload(struct api_request *request, const struct registry_path *path)
{
    const char *digest = api_request_parameter(request, "digest");
    const char *wanted = api_request_parameter(request, "mount");
    struct registry *registry = api_registry(request->api);
    CLEANUP_STORE struct romsim_store *store = NULL;
    struct registry_upload *upload = NULL;
    struct romsim_error err;

    if (digest) {
        if (check_digest(request, digest))
            reply_kept(request, keep_blob(request, path->name, request->body_fd, digest, &err),
                       path->name, digest, &err);
        return;
    }
    if (wanted && mount(request, path->name, wanted))
        return;
    store = romsim_store_open(false, &err);
    if (store)
        upload = registry_begin(registry, path->name, &store, &err);
    if (!upload) {
        registry_error(request, "TOOMANYREQUESTS", &err);
        return;
    }
    put_place(request, upload);
    registry_give_back(registry, upload);
    registry_done(request, 202);
}
