/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * registry.h: what the registry's files share: images over the wire (OCI distribution-spec 1.1),
 * into and out of the image store.
 *
 *     registry.c            the routes, lists of names, the form of errors
 *     registry_parse.c      paths, ranges and pages of requests
 *     registry_blobs.c      blobs, and the steps of an upload
 *     registry_manifests.c  manifests, tags, and what is about a manifest
 *     registry_uploads.c    what is under way
 *
 * Theory of operation: there is one store for all repositories, so a blob that is in it is in each
 * of them; a repository is the names that begin with its own (romsim/store.h).  What is being
 * uploaded is in a file without a name, of which the end of the server, whichever way, leaves
 * nothing.  A blob is in the store once it is whole, and a gc would take it before a manifest has
 * a name that leads to it; so the store's lock is held, shared, as long as anything is under way:
 * uploads, and blobs and manifests that came (or were found to be there) a while ago.
 */
#ifndef ROMSIM_API_REGISTRY_H
#define ROMSIM_API_REGISTRY_H

#include "api.h"

#include <romsim/digest.h>
#include <romsim/store.h>
#include <romsim/uuid.h>

/* ---- requests (registry_parse.c) ---------------------------------------------------------------
 */

enum {
    REGISTRY_NAME_SIZE = 256, /* of a repository */
    REGISTRY_TAG_SIZE = 129,
    REGISTRY_REFERENCE_SIZE = ROMSIM_DIGEST_SIZE, /* a tag, a digest or a UUID */
    REGISTRY_MANIFEST_MAX = 4 << 20, /* of what is looked at; the bound image-json may be less */
};

enum registry_kind {
    REGISTRY_NOTHING,
    REGISTRY_BASE,      /* "" */
    REGISTRY_CATALOG,   /* "_catalog" */
    REGISTRY_TAGS,      /* "NAME/tags/list" */
    REGISTRY_MANIFEST,  /* "NAME/manifests/REFERENCE" */
    REGISTRY_BLOB,      /* "NAME/blobs/REFERENCE" */
    REGISTRY_UPLOADS,   /* "NAME/blobs/uploads/" */
    REGISTRY_UPLOAD,    /* "NAME/blobs/uploads/REFERENCE" */
    REGISTRY_REFERRERS, /* "NAME/referrers/REFERENCE" */
};

struct registry_path {
    enum registry_kind kind;
    bool is_name_valid; /* else the name is "" */
    char name[REGISTRY_NAME_SIZE];
    char reference[REGISTRY_REFERENCE_SIZE]; /* "" where it has none, or one that is too long */
};

/* What is behind "/v2/", unescaped.  REGISTRY_NOTHING: it is none of these. */
void registry_path_parse(const char *text, struct registry_path *ret);

bool registry_name_is_valid(const char *name);
bool registry_tag_is_valid(const char *tag);

/* A decimal number and nothing else. */
bool registry_parse_number(const char *text, uint64_t *ret);

/* Content-Range of a chunk: "FIRST-LAST", or as HTTP has it, "bytes FIRST-LAST/SIZE". */
bool registry_parse_chunk(const char *text, uint64_t *ret_first, uint64_t *ret_last);

/* Range of a request for `size` bytes.  Returns 1 and what is asked for, 0 if all of it is to be
 * sent (other units, several ranges), -1 if there is nothing of that. */
int registry_parse_range(const char *text, uint64_t size, uint64_t *ret_offset,
                         uint64_t *ret_length);

/* A media type without its parameters, in lower case; "" if it is too long. */
void registry_parse_type(const char *text, char *ret, size_t ret_size);

/* ---- what is under way (registry_uploads.c) ----------------------------------------------------
 */

struct registry;

struct registry *registry_new(struct romsim_error *err);
void registry_free(struct registry *registry); /* accepts NULL; when no request is handled */

/* Forgets what nobody has gone on with for a while.  To be called now and then. */
enum { REGISTRY_IDLE_S = 300 };
void registry_tick(struct registry *registry, uint64_t now_us);

struct registry_upload {
    struct registry_upload *next;
    char id[ROMSIM_UUID_SIZE];
    char name[REGISTRY_NAME_SIZE];
    int fd; /* a scratch file, or -1: nothing has come */
    uint64_t size;
    uint64_t touched_us;
    bool is_busy; /* somebody has got it */
};

/* Begins an upload; NULL with EBUSY if there are too many.  The caller has it.  Here and below
 * *store is taken, and becomes NULL, if nothing was under way: its lock is the one that is held. */
struct registry_upload *registry_begin(struct registry *registry, const char *name,
                                       struct romsim_store **store, struct romsim_error *err);

/* Gets the upload of a repository with that name, so that nobody else has it: NULL with ENOENT, or
 * EBUSY. */
struct registry_upload *registry_get(struct registry *registry, const char *name, const char *id,
                                     struct romsim_error *err);

/* Gives it back, to go on with or for good. */
void registry_give_back(struct registry *registry, struct registry_upload *upload);
void registry_end(struct registry *registry, struct registry_upload *upload);

/* Counts the bytes that have come to it; EFBIG if they are too many, with those of the others. */
int registry_resize(struct registry *registry, struct registry_upload *upload, uint64_t size,
                    struct romsim_error *err);

/* A body that is on its way, from the request's headers to its end; EBUSY if there are too many. */
struct registry_body;
struct registry_body *registry_body_begin(struct registry *registry, const char *name,
                                          struct romsim_error *err);
void registry_body_end(void *body);

/* A blob, or a manifest (of a media type; else ""), that is in the store and has no name yet. */
int registry_hold(struct registry *registry, const char *name, const char *digest,
                  const char *media_type, struct romsim_store **store, struct romsim_error *err);

/* Is it held?  *ret_type is the manifest's media type. */
bool registry_holds(struct registry *registry, const char *name, const char *digest, char *ret_type,
                    size_t ret_size);

/* A name leads to it now, or it was deleted: it is held no longer. */
void registry_let_go(struct registry *registry, const char *name, const char *digest);

/* How much there is, for the tests. */
void registry_count(struct registry *registry, size_t *ret_uploads, size_t *ret_held,
                    bool *ret_is_locked);

/* ---- replies (registry.c) ----------------------------------------------------------------------
 */

struct registry *api_registry(const struct api *api);

/* The errors of the specification: {"errors":[{code, message}]}. */
void registry_fail(struct api_request *request, unsigned http, const char *code, const char *format,
                   ...) __attribute__((format(printf, 4, 5)));

/* What is the machine's fault, or a bound's, has its own status; so has a range that does not fit
 * (ERANGE, 416); a wrong size is SIZE_INVALID (EMSGSIZE).  All else is 400 and `code`. */
void registry_error(struct api_request *request, const char *code, const struct romsim_error *err);

/* Takes the reference. */
void registry_json(struct api_request *request, const char *type, struct json_t *json);

/* An empty reply with these headers before it. */
void registry_done(struct api_request *request, unsigned http);
void registry_header(struct api_request *request, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

typedef void registry_handler(struct api_request *request, const struct registry_path *path);

registry_handler registry_get_blob, registry_start_upload, registry_look_at_upload,
    registry_append_chunk, registry_finish_upload, registry_cancel_upload;
registry_handler registry_get_manifest, registry_put_manifest, registry_delete_manifest,
    registry_get_referrers;

#endif
