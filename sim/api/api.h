/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * api.h: what the files of this room share: requests, replies, routes.
 *
 * Theory of operation: one thread (server.c) has all connections, by libmicrohttpd.  A request that
 * is whole is looked up in the routes' tables and handled by one of a few workers, who may ask
 * keepers and files and so may block for a while; those marked API_QUICK are handled by the loop
 * itself and may not.  What takes as long as somebody likes (waiting for a state, following a
 * console) holds no thread: its reply is a stream, that others write to later.
 *
 * The routes are tables, which say all that the OpenAPI document needs: what a route takes and
 * gives is checked and described from the same shape (romsim/schema.h).  There is no rule of the
 * cloud's here that another room could know.
 */
#ifndef ROMSIM_API_API_H
#define ROMSIM_API_API_H

#include <romsim/api.h>
#include <romsim/buffer.h>
#include <romsim/error.h>
#include <romsim/schema.h>

#include <jansson.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct api; /* the server */

enum api_method {
    API_GET = 1, /* HEAD, too */
    API_POST = 2,
    API_PUT = 4,
    API_PATCH = 8,
    API_DELETE = 16
};

struct api_parameter {
    char *name;
    char *value; /* unescaped */
    char *raw;   /* as it was sent: `tags` is divided by commas before it is unescaped */
};

enum { API_CAPTURES_MAX = 4 };

struct api_request {
    struct api *api;
    const struct api_route *route;
    enum api_method method;
    bool is_head;
    const char *path;                       /* as it was sent, without the query */
    const char *captures[API_CAPTURES_MAX]; /* what stands for the route's {...}, unescaped */
    const struct api_parameter *parameters; /* of the query, in order */
    size_t parameter_count;
    const char *body; /* NUL-terminated; "" without one, and where the route has `open_body` */
    size_t body_size; /* with `open_body`: how much was written there */
    int body_fd;      /* what `open_body` returned; -1 */
    void *context;    /* of a route with `open_body`, for its handler */
    /* Called with it when the request has ended, whichever way: it may be cut before the handler
     * is called.  Or NULL. */
    void (*free_context)(void *context);
    uint64_t body_maximum; /* the most that may be written there, if `open_body` has set it */
};

/* A header that was sent, any case; NULL. */
const char *api_request_header(const struct api_request *request, const char *name);

/* The first parameter of that name; NULL. */
const char *api_request_parameter(const struct api_request *request, const char *name);

/* In place; the text's size, or -1 for what is no text: a NUL, or no UTF-8. */
ssize_t api_unescape(char *text);

/* Gives the one reply (below) that every request has to get, before or after it returns. */
typedef void api_handler(struct api_request *request);

enum api_flags {
    API_OPEN = 1,  /* needs no token */
    API_QUICK = 2, /* never blocks: handled by the loop */
    API_HIDDEN = 4 /* not in the OpenAPI document: the page's files, the registry */
};

/* What a request's body may be: values of the route's shape. */
enum api_body { API_NO_BODY, API_OBJECT, API_LIST, API_OBJECT_OR_LIST };

struct api_query {
    const char *name; /* NULL ends a list */
    const struct romsim_shape *shape;
    const char *about;
    bool is_list; /* may be repeated */
};

struct api_route {
    enum api_method method;
    const char *path; /* "/v1/instances/{uuid}/log"; a last "{name...}" takes slashes, too */
    api_handler *handle;
    unsigned flags; /* of enum api_flags */
    /* The body goes to the descriptor that this returns, which is closed after the reply; -1 if
     * it has replied.  NULL: to memory, 8 MiB at most. */
    int (*open_body)(struct api_request *request);
    const char *id;      /* the operation's name in the OpenAPI document: "getInstances" */
    const char *summary; /* a sentence about it */
    const struct api_query *query;
    enum api_body body_kind;
    const struct romsim_shape *body; /* of one value */
    const char *list;                /* what the answer's `data` has: "instances" */
    const struct romsim_shape *item; /* of which each has this shape, beside the item's envelope */
    int variant;                     /* for a handler of several kinds of things: which one */
};

/* A table of routes, up to one without a path; routes.c lists all. */
extern const struct api_route api_instance_routes[], api_image_routes[], api_registry_routes[],
    api_volume_routes[], api_service_routes[], api_autoscale_routes[], api_certificate_routes[],
    api_account_routes[], api_page_routes[], api_openapi_routes[];

/* The tables, up to a NULL. */
extern const struct api_route *const api_routes[];

/*
 * The request's body as a new list of its values, each compared with the route's shape by the same
 * code and in the same words as a file is.  A body that is not there is an empty list.  NULL after
 * a reply (400, with all that is wrong).
 */
json_t *api_request_items(struct api_request *request);

/* The body is not needed any more, however long the reply takes: there is room for others'. */
void api_request_forget_body(struct api_request *request);

/* ---- replies, of which a request gets one ------------------------------------------------------
 *
 * All of them may be called in any thread.  The request must not be touched any more afterwards,
 * but for a stream's, which lives as long as the stream.
 */

/* A header of the reply that follows. */
void api_reply_header(struct api_request *request, const char *name, const char *value);

/* An entry of `warnings` in the envelope that follows: what romsim accepts and does not simulate.
 */
void api_warn(struct api_request *request, const char *type, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* 200, and the envelope with `data: {LIST: items}`; takes the reference (NULL: no memory).  Each
 * item has a "status", and its envelope's follows from them: cloud-api §1.2. */
void api_reply_items(struct api_request *request, json_t *items);

/* The same of good items that are rendered already, divided by commas. */
void api_reply_rendered(struct api_request *request, const struct romsim_buffer *items);

/* 200, and the envelope with this as `data`; takes the reference. */
void api_reply_data(struct api_request *request, json_t *data);

/* A request that fails as a whole, with an HTTP status, in the envelope.  api_http_status() is the
 * one that fits the error. */
void api_reply_error(struct api_request *request, unsigned http, const struct romsim_error *err);
void api_reply_fail(struct api_request *request, unsigned http, enum romsim_cloud_code code,
                    const char *format, ...) __attribute__((format(printf, 4, 5)));
unsigned api_http_status(const struct romsim_error *err);

/* Bytes, copied; with a NULL type no Content-Type. */
void api_reply_bytes(struct api_request *request, unsigned http, const char *type,
                     const void *bytes, size_t size);

/* A part of a file, whose descriptor is closed afterwards. */
void api_reply_file(struct api_request *request, unsigned http, const char *type, int fd,
                    uint64_t offset, uint64_t size);

/* 200, and a reply that is written bit by bit, by one thread at a time.  NULL after a reply. */
struct api_stream;
struct api_stream *api_reply_stream(struct api_request *request, const char *type);

/* Returns 0, or -1 if the client is gone or takes too little: the stream is still to be ended. */
int api_stream_write(struct api_stream *stream, const void *bytes, size_t size);
void api_stream_end(struct api_stream *stream);

/* How many bytes wait for the client; SIZE_MAX if it is gone. */
size_t api_stream_waiting(struct api_stream *stream);

/* ---- items -------------------------------------------------------------------------------------
 */

/* {status: "error", name|uuid: as it was asked for, message, error: code}: cloud-api §1.2. */
json_t *api_item_error(const char *key, const char *value, const struct romsim_error *err);

/* A string, also of a text that was cut within a character. */
json_t *api_text_json(const char *text);

/* Adds status "success" to an item, and returns it. */
json_t *api_item_success(json_t *item);

/* The envelope of items as a text, malloc'ed, for a stream; takes the reference.  With a message
 * its status is "error", whatever theirs are: a wait has lapsed. */
char *api_envelope(struct api_request *request, json_t *items, const char *message);

/* ---- what the server was started with ----------------------------------------------------------
 */

const struct romsim_api_options *api_options(const struct api *api);
struct roll *api_roll(const struct api *api);         /* roll.h */
struct consoles *api_consoles(const struct api *api); /* page.h */
struct makers *api_makers(const struct api *api);     /* maker.h: the server has made them */

/* Has the server begun to end?  Streams end then. */
bool api_is_ending(const struct api *api);

#endif
