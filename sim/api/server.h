/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * server.h: what the files share that carry requests and replies; routes need only api.h.
 *
 *     server.c     listening, connections, the clock that ends slow ones
 *     request.c    a request's parts, copied; its query and body compared with the route's shapes
 *     guard.c      who may ask: token, Host, Origin
 *     dispatch.c   which route is meant
 *     workers.c    the threads that handle what may block
 *     reply.c      envelopes and other replies
 *     stream.c     replies that are written bit by bit
 *
 * An exchange is a request with its reply.  It is held by its connection, until that has sent the
 * reply or is lost, and by who handles it, until he has replied.  While it is handled elsewhere its
 * connection is suspended: libmicrohttpd does not look at it, so it cannot go away.
 */
#ifndef ROMSIM_API_SERVER_H
#define ROMSIM_API_SERVER_H

#include "api.h"

#include <romsim/vector.h>

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

enum {
    SERVER_CONNECTIONS = 1500,
    SERVER_WORKERS = 16,
    SERVER_BODIES_MAX = 256 << 20, /* of all requests that are being handled, in memory */
};

struct header {
    const char *name, *value;
};

struct reply_header {
    char *name, *value;
};

DEFINE_VECTOR(reply_headers, struct reply_header);

/* A connection, for the clock. */
struct visitor {
    struct visitor *previous, *next;
    int fd;
    uint64_t deadline_us; /* when it is cut off; 0: never */
    bool wants_more;      /* the client has to send it, */
    bool has_ended;       /* and at the last look did not go on */
};

struct exchange {
    struct api_request request; /* first: the routes know nothing else */
    struct MHD_Connection *connection;
    struct visitor *visitor;
    atomic_int references;
    uint64_t start_us;

    char *texts; /* where the request's strings are */
    struct api_parameter *parameters;
    struct header *headers;
    size_t header_count;
    struct romsim_buffer body;
    size_t body_counted; /* of SERVER_BODIES_MAX */
    uint64_t discarded;
    int write_problem; /* an errno, of a body that goes to a file */

    pthread_mutex_t lock; /* of what follows */
    bool is_dispatched, is_suspended, is_replied;
    struct MHD_Response *response; /* NULL though it is replied: no memory */
    unsigned http;

    struct reply_headers extra; /* for the reply that follows */
    json_t *warnings;           /* the same; or NULL */
    struct exchange *next;      /* in the workers' queue */
};

struct workers {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t threads[SERVER_WORKERS];
    unsigned count;
    struct exchange *first, **last;
    bool ends;
};

struct api {
    const struct romsim_api_options *options;
    char *url, *address; /* the address as a Host has it */
    bool is_loopback;
    atomic_bool is_ending;
    atomic_size_t body_bytes;
    struct MHD_Daemon *daemon;
    struct workers workers;
    struct roll *roll;
    struct registry *registry;
    struct makers *makers;
    struct consoles *consoles;

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t tick;
    pthread_t clock;
    bool has_clock, clock_ends;
    struct visitor *visitors;
    struct api_stream *streams;
};

/* ---- server.c ----------------------------------------------------------------------------------
 */

struct exchange *exchange_of(const struct api_request *request);

/* With two references: the connection's, and the one that the reply gives back. */
struct exchange *exchange_new(struct api *api, struct MHD_Connection *connection);
void exchange_unref(struct exchange *exchange);

/* Has the client closed its side of the connection, which is open?  It may still read. */
bool visitor_has_finished(const struct visitor *visitor);

/* Finds the route for the request's path, if this may be asked.  False: after a reply. */
bool exchange_find_route(struct exchange *exchange, const char *method);

/* Ends the handling of an exchange by its reply, which is taken (NULL: no memory). */
void exchange_reply(struct exchange *exchange, unsigned http, struct MHD_Response *response);

/* ---- request.c ---------------------------------------------------------------------------------
 */

/* Copies what the connection has of the request.  False: after a reply. */
bool request_fill(struct exchange *exchange, const char *url);

/* The second half of it: is all that was sent a text?  False: after a reply. */
bool request_unescape_all(struct exchange *exchange);

/* Are the query, and a UUID in the path, as the route has them?  False: after a reply. */
bool request_check_query(struct exchange *exchange);

/* ---- guard.c -----------------------------------------------------------------------------------
 */

/* May this be asked, by the sender's own account?  False: after a reply. */
bool guard_admits(struct exchange *exchange, bool is_open);

/* The parts of it: what `Host` says, without a port, is this machine or `address`; the text of an
 * `Authorization` has the token. */
bool guard_knows_host(const char *host, const char *address);
bool guard_is_authorized(const char *authorization, const char *token, bool takes_basic);

/* ---- dispatch.c --------------------------------------------------------------------------------
 */

/* The route with the most words of its own that a path (without the query, as it was sent) and a
 * method fit, and *ret_methods, of all routes with the same pattern; NULL if there is none, or
 * none with that method.  The captures are parts of `path`, to be freed. */
const struct api_route *dispatch_find(const struct api_route *const *tables, enum api_method method,
                                      const char *path, unsigned *ret_methods,
                                      char *ret_captures[API_CAPTURES_MAX]);

/* ---- reply.c -----------------------------------------------------------------------------------
 */

/* Takes the response (NULL: no memory) and adds the headers that all have. */
void reply_send(struct exchange *exchange, unsigned http, const char *type,
                struct MHD_Response *response);

/* The envelope of a request that fails as a whole. */
void reply_failure(struct api_request *request, unsigned http, enum romsim_cloud_code code,
                   const char *text);

/* ---- workers.c ---------------------------------------------------------------------------------
 */

int workers_start(struct workers *workers, struct romsim_error *err);
void workers_add(struct workers *workers, struct exchange *exchange);
void workers_stop(struct workers *workers); /* when all that was added is handled */

/* ---- stream.c ----------------------------------------------------------------------------------
 */

/* Shows the clients of quiet streams that the server is there; each second. */
void streams_tick(struct api *api);

/* Ends those that are left, and waits, two seconds at most, until what was written is sent. */
void streams_end(struct api *api);

#endif
