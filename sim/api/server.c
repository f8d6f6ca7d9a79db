/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * server.c: listening, and a request's way from its first header to its reply.
 *
 * libmicrohttpd's thread calls on_request(): with the headers, then with the body's pieces, then
 * when all is there, and once more when a suspended connection is resumed with its reply.  What
 * refuses a request early has its body read all the same, up to a bound: who is still sending would
 * not see a reply before a reset.
 */
#include "server.h"

#include "maker.h"
#include "page.h"
#include "registry.h"
#include "roll.h"

#include <romsim/cleanup.h>
#include <romsim/clock.h>
#include <romsim/file.h>
#include <romsim/text.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum {
    CONNECTION_MEMORY = 32 << 10, /* the most that a request's headers take */
    IDLE_S = 30,                  /* nothing sent or received */
    HEADERS_S = 40,               /* from the end of the request before, or the beginning */
    BODY_S = 60,
    DISCARD_MAX = 64 << 20, /* of the body of who is refused */
    SPARE_FILES = 200,      /* beside connections */
};

struct romsim_api {
    struct api core;
};

/* ---- exchanges ---------------------------------------------------------------------------------
 */

struct exchange *exchange_of(const struct api_request *request)
{
    return (struct exchange *)request;
}

struct exchange *exchange_new(struct api *api, struct MHD_Connection *connection)
{
    struct exchange *exchange = calloc(1, sizeof(*exchange));

    if (!exchange)
        return NULL;
    atomic_store(&exchange->references, 2);
    pthread_mutex_init(&exchange->lock, NULL);
    exchange->request = (struct api_request){.api = api, .path = "", .body = "", .body_fd = -1};
    exchange->body = ROMSIM_BUFFER_INIT(api->options->vm.limits.body_bytes);
    exchange->connection = connection;
    exchange->start_us = romsim_clock_us();
    return exchange;
}

void exchange_unref(struct exchange *exchange)
{
    struct api_request *request = &exchange->request;

    if (atomic_fetch_sub(&exchange->references, 1) > 1)
        return;
    if (request->free_context)
        request->free_context(request->context);
    cleanup_close_fd(&request->body_fd);
    for (size_t i = 0; i < API_CAPTURES_MAX; i++)
        free((char *)request->captures[i]);
    for (size_t i = 0; i < exchange->extra.count; i++) {
        free(exchange->extra.items[i].name);
        free(exchange->extra.items[i].value);
    }
    reply_headers_reset(&exchange->extra);
    json_decref(exchange->warnings);
    atomic_fetch_sub(&request->api->body_bytes, exchange->body_counted);
    romsim_buffer_reset(&exchange->body);
    free(exchange->texts);
    free(exchange->parameters);
    free(exchange->headers);
    if (exchange->response)
        MHD_destroy_response(exchange->response);
    pthread_mutex_destroy(&exchange->lock);
    free(exchange);
}

void exchange_reply(struct exchange *exchange, unsigned http, struct MHD_Response *response)
{
    pthread_mutex_lock(&exchange->lock);
    exchange->response = response;
    exchange->http = http;
    exchange->is_replied = true;
    if (exchange->is_suspended) {
        exchange->is_suspended = false;
        MHD_resume_connection(exchange->connection);
    }
    pthread_mutex_unlock(&exchange->lock);
    exchange_unref(exchange);
}

/* ---- the beginning of a request ----------------------------------------------------------------
 */

static const struct {
    const char *name;
    enum api_method method;
} methods[] = {
    {"GET", API_GET}, {"HEAD", API_GET},    {"POST", API_POST},
    {"PUT", API_PUT}, {"PATCH", API_PATCH}, {"DELETE", API_DELETE},
};

static void find_method(struct api_request *request, const char *name)
{
    request->is_head = strcmp(name, "HEAD") == 0;
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        if (strcmp(methods[i].name, name) == 0)
            request->method = methods[i].method;
}

static void refuse_method(struct api_request *request, const char *name, unsigned allowed)
{
    char list[64] = "";

    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        if (allowed & methods[i].method) {
            size_t used = strlen(list);

            snprintf(list + used, sizeof(list) - used, "%s%s", used ? ", " : "", methods[i].name);
        }
    api_reply_header(request, MHD_HTTP_HEADER_ALLOW, list);
    api_reply_fail(request, 405, ROMSIM_CLOUD_WRONG_METHOD, "'%s' does not take %s, but %s",
                   QUOTE(request->path), QUOTE(name), list);
}

bool exchange_find_route(struct exchange *exchange, const char *method)
{
    struct api_request *request = &exchange->request;
    char *captures[API_CAPTURES_MAX];
    unsigned allowed;
    bool is_open, is_text = true;

    find_method(request, method);
    request->route = dispatch_find(api_routes, request->method, request->path, &allowed, captures);
    for (size_t i = 0; i < API_CAPTURES_MAX; i++) {
        is_text = is_text && (!captures[i] || api_unescape(captures[i]) >= 0);
        request->captures[i] = captures[i];
    }
    is_open = request->route && (request->route->flags & API_OPEN);
    if (!guard_admits(exchange, is_open))
        return false;
    if (request->route && is_text)
        return true;
    if (!allowed || !is_text)
        api_reply_fail(request, 404, ROMSIM_CLOUD_NO_API_ENDPOINT, "There is nothing at '%s'",
                       QUOTE(request->path));
    else
        refuse_method(request, method, allowed);
    return false;
}

static void refuse_size(struct exchange *exchange, uint64_t maximum)
{
    api_reply_fail(&exchange->request, 413, ROMSIM_CLOUD_TOO_LONG,
                   "The body is larger than %llu bytes", (unsigned long long)maximum);
}

/* What the headers say of the body's size; 0 if nothing. */
static uint64_t announced_size(const struct api_request *request)
{
    const char *text = api_request_header(request, MHD_HTTP_HEADER_CONTENT_LENGTH);

    return text ? strtoull(text, NULL, 10) : 0;
}

/* For the next phase of the connection; 0: it may take as long as it likes.  In some of them the
 * client has to send more. */
static void set_deadline(struct exchange *exchange, unsigned seconds, bool wants_more)
{
    struct api *api = exchange->request.api;

    if (!exchange->visitor)
        return;
    pthread_mutex_lock(&api->lock);
    exchange->visitor->wants_more = wants_more;
    exchange->visitor->has_ended = false;
    exchange->visitor->deadline_us = seconds ? romsim_clock_us() + seconds * 1000000ULL : 0;
    pthread_mutex_unlock(&api->lock);
}

/* Replies if the request is refused. */
static void begin(struct exchange *exchange, const char *url, const char *method)
{
    struct api_request *request = &exchange->request;

    if (!request_fill(exchange, url) || !exchange_find_route(exchange, method) ||
        !request_check_query(exchange))
        return;
    if (request->route->open_body) {
        /* As slow as it likes, if it is not idle. */
        set_deadline(exchange, 0, true);
        request->body_fd = request->route->open_body(request);
        if (request->body_fd >= 0 && request->body_maximum &&
            announced_size(request) > request->body_maximum)
            refuse_size(exchange, request->body_maximum);
    } else if (announced_size(request) > exchange->body.maximum) {
        refuse_size(exchange, exchange->body.maximum);
    }
}

/* Queues the reply that is there. */
static enum MHD_Result give(struct exchange *exchange)
{
    struct MHD_Response *response = STEAL_POINTER(&exchange->response);
    enum MHD_Result result = MHD_NO;

    set_deadline(exchange, 0, false);
    if (response) {
        result = MHD_queue_response(exchange->connection, exchange->http, response);
        MHD_destroy_response(response);
    }
    return result;
}

static bool waits_to_send(const struct api_request *request)
{
    const char *expect = api_request_header(request, MHD_HTTP_HEADER_EXPECT);

    return expect && strcasecmp(expect, "100-continue") == 0;
}

/* ---- its body ----------------------------------------------------------------------------------
 */

static void keep_body(struct exchange *exchange, const char *bytes, size_t size)
{
    struct api_request *request = &exchange->request;

    if (atomic_fetch_add(&request->api->body_bytes, size) + size > SERVER_BODIES_MAX) {
        atomic_fetch_sub(&request->api->body_bytes, size);
        api_reply_fail(request, 503, ROMSIM_CLOUD_TOO_MANY, "Too many large requests at once");
        return;
    }
    exchange->body_counted += size;
    if (romsim_buffer_append(&exchange->body, bytes, size) == 0)
        return;
    if (exchange->body.failed == EFBIG)
        refuse_size(exchange, exchange->body.maximum);
    else
        api_reply_fail(request, 503, ROMSIM_CLOUD_FAILED_OPERATION, "out of memory");
    romsim_buffer_reset(&exchange->body);
}

static void write_body(struct exchange *exchange, const char *bytes, size_t size)
{
    struct api_request *request = &exchange->request;
    struct romsim_error err = {0};
    int problem;

    if (request->body_maximum && size > request->body_maximum - request->body_size) {
        refuse_size(exchange, request->body_maximum);
        return;
    }
    problem = romsim_write_fully(request->body_fd, bytes, size, request->body_size);
    request->body_size += size;
    if (!problem)
        return;
    romsim_error_write(&err, problem, request->body_fd, "keep the body");
    err.cloud = ROMSIM_CLOUD_FAILED_OPERATION;
    api_reply_error(request, problem == ENOSPC || problem == EDQUOT ? 507 : 500, &err);
}

static enum MHD_Result take_body(struct exchange *exchange, const char *bytes, size_t size)
{
    if (!exchange->is_replied && exchange->request.body_fd >= 0)
        write_body(exchange, bytes, size);
    else if (!exchange->is_replied)
        keep_body(exchange, bytes, size);
    else
        exchange->discarded += size;
    return exchange->discarded > DISCARD_MAX ? MHD_NO : MHD_YES;
}

/* ---- its handling ------------------------------------------------------------------------------
 */

/* Has the request handled, and its connection wait for the reply if it is not there at once. */
static enum MHD_Result dispatch(struct exchange *exchange)
{
    struct api_request *request = &exchange->request;
    bool is_quick = request->route->flags & API_QUICK, is_replied;

    exchange->is_dispatched = true;
    set_deadline(exchange, 0, false);
    if (request->body_fd < 0) {
        request->body = exchange->body.data ? exchange->body.data : "";
        request->body_size = exchange->body.size;
    }
    if (is_quick)
        request->route->handle(request);
    pthread_mutex_lock(&exchange->lock);
    is_replied = exchange->is_replied;
    if (!is_replied) {
        exchange->is_suspended = true;
        MHD_suspend_connection(exchange->connection);
    }
    pthread_mutex_unlock(&exchange->lock);
    if (!is_quick)
        workers_add(&request->api->workers, exchange);
    return is_replied ? give(exchange) : MHD_YES;
}

static struct visitor *visitor_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info ? info->socket_context : NULL;
}

/* An MHD_AccessHandlerCallback. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *bytes,
                                  size_t *size, void **place)
{
    struct api *api = context;
    struct exchange *exchange = *place;

    (void)version;
    if (!exchange) {
        exchange = exchange_new(api, connection);
        if (!exchange)
            return MHD_NO;
        *place = exchange;
        exchange->visitor = visitor_of(connection);
        set_deadline(exchange, BODY_S, true);
        begin(exchange, url, method);
        return exchange->is_replied && waits_to_send(&exchange->request) ? give(exchange) : MHD_YES;
    }
    if (*size) {
        enum MHD_Result result = take_body(exchange, bytes, *size);

        *size = 0;
        return result;
    }
    return exchange->is_replied ? give(exchange) : dispatch(exchange);
}

/* An MHD_RequestCompletedCallback. */
static void on_completed(void *context, struct MHD_Connection *connection, void **place,
                         enum MHD_RequestTerminationCode code)
{
    struct exchange *exchange = *place;
    bool is_handled;

    (void)context, (void)connection, (void)code;
    if (!exchange)
        return;
    *place = NULL;
    set_deadline(exchange, HEADERS_S, true);
    pthread_mutex_lock(&exchange->lock);
    is_handled = exchange->is_replied || exchange->is_dispatched;
    pthread_mutex_unlock(&exchange->lock);
    if (!is_handled)
        exchange_unref(exchange); /* nobody will: it was cut */
    exchange_unref(exchange);
}

/* ---- connections, and the clock ----------------------------------------------------------------
 */

/* An MHD_NotifyConnectionCallback. */
static void on_connection(void *context, struct MHD_Connection *connection, void **place,
                          enum MHD_ConnectionNotificationCode code)
{
    struct api *api = context;
    struct visitor *visitor = *place;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

        visitor = info ? calloc(1, sizeof(*visitor)) : NULL;
        if (!visitor)
            return;
        visitor->fd = info->connect_fd;
        visitor->wants_more = true;
        visitor->deadline_us = romsim_clock_us() + HEADERS_S * 1000000ULL;
        *place = visitor;
        pthread_mutex_lock(&api->lock);
        visitor->next = api->visitors;
        if (visitor->next)
            visitor->next->previous = visitor;
        api->visitors = visitor;
        pthread_mutex_unlock(&api->lock);
    } else if (visitor) {
        pthread_mutex_lock(&api->lock);
        if (visitor->previous)
            visitor->previous->next = visitor->next;
        else
            api->visitors = visitor->next;
        if (visitor->next)
            visitor->next->previous = visitor->previous;
        pthread_mutex_unlock(&api->lock);
        free(visitor);
        *place = NULL;
    }
}

bool visitor_has_finished(const struct visitor *visitor)
{
    struct pollfd poll_fd = {.fd = visitor->fd, .events = POLLRDHUP};

    return poll(&poll_fd, 1, 0) > 0;
}

/* Has the client ended what it sends?  libmicrohttpd does not notice it if the end comes with the
 * last bytes.  It may be about to take the next request from what it has read, so that this has to
 * be so for a while. */
static bool has_ended(struct visitor *visitor)
{
    bool had_ended = visitor->has_ended;
    int unread = 0;

    visitor->has_ended = visitor->wants_more && visitor_has_finished(visitor) &&
                         ioctl(visitor->fd, FIONREAD, &unread) == 0 && unread == 0;
    return had_ended && visitor->has_ended;
}

/* The descriptor is open as long as the visitor is in the list. */
static void cut_off_late(struct api *api)
{
    uint64_t now = romsim_clock_us();

    pthread_mutex_lock(&api->lock);
    for (struct visitor *visitor = api->visitors; visitor; visitor = visitor->next)
        if ((visitor->deadline_us && now > visitor->deadline_us) || has_ended(visitor))
            shutdown(visitor->fd, SHUT_RDWR);
    pthread_mutex_unlock(&api->lock);
}

static void *run_clock(void *context)
{
    struct api *api = context;
    struct timespec time;

    pthread_mutex_lock(&api->lock);
    while (!api->clock_ends) {
        clock_gettime(CLOCK_MONOTONIC, &time);
        time.tv_sec++;
        pthread_cond_timedwait(&api->tick, &api->lock, &time);
        pthread_mutex_unlock(&api->lock);
        cut_off_late(api);
        streams_tick(api);
        registry_tick(api->registry, romsim_clock_us());
        pthread_mutex_lock(&api->lock);
    }
    pthread_mutex_unlock(&api->lock);
    return NULL;
}

static int start_clock(struct api *api, struct romsim_error *err)
{
    int problem = pthread_create(&api->clock, NULL, run_clock, api);

    if (problem)
        return romsim_error_system(err, problem, "cannot start a thread");
    api->has_clock = true;
    return 0;
}

static void stop_clock(struct api *api)
{
    if (!api->has_clock)
        return;
    pthread_mutex_lock(&api->lock);
    api->clock_ends = true;
    pthread_cond_signal(&api->tick);
    pthread_mutex_unlock(&api->lock);
    pthread_join(api->clock, NULL);
}

/* ---- listening ---------------------------------------------------------------------------------
 */

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static int refuse_address(const char *text, struct romsim_error *err)
{
    romsim_error_set(err, EINVAL, "'%s' is no address to listen at", QUOTE(text));
    return romsim_error_hint(err, "an address of this machine and a port: 127.0.0.1:8080, [::1]:0");
}

/* Reads ADDRESS:PORT; *ret_host (malloc'ed) is the address as it is in a URL. */
static int parse_address(const char *text, union address *ret, char **ret_host,
                         struct romsim_error *err)
{
    const char *colon = strrchr(text, ':');
    CLEANUP_FREE char *host = colon ? strndup(text, (size_t)(colon - text)) : NULL;
    size_t size = host ? strlen(host) : 0;
    char *end;
    unsigned long port;

    if (!host || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1))
        return refuse_address(text, err);
    errno = 0;
    port = strtoul(colon + 1, &end, 10);
    if (errno || port > UINT16_MAX)
        return refuse_address(text, err);
    memset(ret, 0, sizeof(*ret));
    if (size > 2 && host[0] == '[' && host[size - 1] == ']') {
        CLEANUP_FREE char *inner = strndup(host + 1, size - 2);

        ret->v6.sin6_family = AF_INET6;
        ret->v6.sin6_port = htons((uint16_t)port);
        if (!inner || inet_pton(AF_INET6, inner, &ret->v6.sin6_addr) != 1)
            return refuse_address(text, err);
    } else {
        ret->v4.sin_family = AF_INET;
        ret->v4.sin_port = htons((uint16_t)port);
        if (inet_pton(AF_INET, strcasecmp(host, "localhost") == 0 ? "127.0.0.1" : host,
                      &ret->v4.sin_addr) != 1)
            return refuse_address(text, err);
    }
    *ret_host = STEAL_POINTER(&host);
    return 0;
}

static bool is_loopback(const union address *address)
{
    if (address->any.sa_family == AF_INET)
        return ntohl(address->v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    return IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
}

static int listen_at(const union address *address, const char *text, struct romsim_error *err)
{
    const int on = 1;
    CLEANUP_FD int fd =
        socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return romsim_error_system(err, errno, "cannot make a socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (address->any.sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (bind(fd, &address->any, sizeof(*address)) < 0 || listen(fd, SOMAXCONN) < 0) {
        romsim_error_system(err, errno, "cannot listen at %s", QUOTE(text));
        if (err && errno == EADDRINUSE)
            romsim_error_hint(err, "is another 'romsim serve' running? --listen chooses another "
                                   "port; with port 0 a free one");
        return -1;
    }
    return steal_fd(&fd);
}

static int make_url(struct api *api, int fd, struct romsim_error *err)
{
    union address address;
    socklen_t size = sizeof(address);

    if (getsockname(fd, &address.any, &size) < 0)
        return romsim_error_system(err, errno, "cannot tell the port");
    if (asprintf(&api->url, "http://%s:%u", api->address,
                 ntohs(address.any.sa_family == AF_INET ? address.v4.sin_port
                                                        : address.v6.sin6_port)) < 0) {
        api->url = NULL;
        return romsim_error_nomem(err);
    }
    return 0;
}

/* Each connection takes a descriptor. */
static void raise_files(void)
{
    struct rlimit limit;
    const rlim_t wanted = SERVER_CONNECTIONS + SPARE_FILES;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* How many connections there can be with so many descriptors. */
static unsigned connections(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= SERVER_CONNECTIONS + SPARE_FILES)
        return SERVER_CONNECTIONS;
    return limit.rlim_cur > 2 * SPARE_FILES ? (unsigned)limit.rlim_cur - SPARE_FILES
                                            : (unsigned)limit.rlim_cur / 2;
}

/* The target stays as it was sent: request.c unescapes it. */
static size_t keep_escapes(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context, (void)connection;
    return strlen(text);
}

/* Takes the descriptor. */
static int start_daemon(struct api *api, int fd, struct romsim_error *err)
{
    api->daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC, 0,
        NULL, NULL, on_request, api, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
        connections(), MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_NOTIFY_COMPLETED,
        on_completed, NULL, MHD_OPTION_NOTIFY_CONNECTION, on_connection, api,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_END);
    if (api->daemon)
        return 0;
    close(fd);
    return romsim_error_set(err, errno ? errno : EIO, "cannot start the server");
}

static int start(struct api *api, int fd, struct romsim_error *err)
{
    sigset_t all, before;
    int status;

    /* Signals are for the program's own thread. */
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    status = workers_start(&api->workers, err);
    if (status == 0 && !(api->makers = makers_new(api->options, err)))
        status = -1;
    if (status == 0 && !(api->consoles = consoles_new(err)))
        status = -1;
    if (status == 0)
        status = start_clock(api, err);
    if (status == 0 && !(api->roll = roll_new(err)))
        status = -1;
    if (status == 0)
        status = start_daemon(api, fd, err);
    else
        close(fd);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}

struct romsim_api *romsim_api_new(const struct romsim_api_options *options,
                                  struct romsim_error *err)
{
    struct romsim_api *ret = calloc(1, sizeof(*ret));
    struct api *api = &ret->core;
    pthread_condattr_t monotonic;
    union address address;
    CLEANUP_FD int fd = -1;

    if (!ret) {
        romsim_error_nomem(err);
        return NULL;
    }
    api->options = options;
    pthread_mutex_init(&api->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&api->tick, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (parse_address(options->listen, &address, &api->address, err) < 0) {
        romsim_api_free(ret);
        return NULL;
    }
    api->is_loopback = is_loopback(&address);
    if (!api->is_loopback && !options->token) {
        romsim_error_set(err, EPERM, "others than this machine's users reach %s: a token is needed",
                         QUOTE(options->listen));
        romsim_api_free(ret);
        return NULL;
    }
    raise_files();
    api->registry = registry_new(err);
    if (!api->registry) {
        romsim_api_free(ret);
        return NULL;
    }
    fd = listen_at(&address, options->listen, err);
    if (fd < 0 || make_url(api, fd, err) < 0 || start(api, steal_fd(&fd), err) < 0) {
        romsim_api_free(ret);
        return NULL;
    }
    return ret;
}

const char *romsim_api_url(const struct romsim_api *api)
{
    return api->core.url;
}

void romsim_api_free(struct romsim_api *ret)
{
    struct api *api = ret ? &ret->core : NULL;

    if (!api)
        return;
    atomic_store(&api->is_ending, true);
    roll_end(api->roll);
    workers_stop(&api->workers);
    makers_free(api->makers);
    consoles_free(api->consoles);
    streams_end(api);
    stop_clock(api);
    if (api->daemon)
        MHD_stop_daemon(api->daemon);
    roll_free(api->roll);
    registry_free(api->registry);
    pthread_cond_destroy(&api->tick);
    pthread_mutex_destroy(&api->lock);
    free(api->url);
    free(api->address);
    free(ret);
}

/* ---- for the routes ----------------------------------------------------------------------------
 */

const struct romsim_api_options *api_options(const struct api *api)
{
    return api->options;
}

struct roll *api_roll(const struct api *api)
{
    return api->roll;
}

struct registry *api_registry(const struct api *api)
{
    return api->registry;
}

struct consoles *api_consoles(const struct api *api)
{
    return api->consoles;
}

struct makers *api_makers(const struct api *api)
{
    return api->makers;
}

bool api_is_ending(const struct api *api)
{
    return atomic_load(&api->is_ending);
}
