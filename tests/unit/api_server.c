/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * api_server.c: the server of the API with routes of this test's own: what reaches a handler, what
 * is refused before, what comes back, and that nothing is left whenever a request or the server
 * ends.
 */
#include "harness.h"

#include "sim/api/roll.h"
#include "sim/api/server.h"

#include <romsim/cleanup.h>

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define TOKEN "b3JnOnNlY3JldA==" /* org:secret */
#define AUTH  "Authorization: Bearer " TOKEN "\r\n"

/* ---- the routes --------------------------------------------------------------------------------
 */

static const struct romsim_shape string = {.kind = ROMSIM_SHAPE_STRING};
static const struct romsim_shape flag = {.kind = ROMSIM_SHAPE_BOOLEAN};
static const struct romsim_shape count = {.kind = ROMSIM_SHAPE_INTEGER, .maximum = 100};
static const struct romsim_member thing_members[] = {
    {"name", &string, ROMSIM_MEMBER_REQUIRED, NULL},
    {"count", &count, 0, NULL},
    {"idle", &string, ROMSIM_MEMBER_IDLE, NULL},
    ROMSIM_END,
};
static const struct romsim_shape thing = {.kind = ROMSIM_SHAPE_OBJECT, .members = thing_members};
static const struct api_query things_query[] = {
    {"details", &flag, "whether", false},
    {"count", &count, "how many", false},
    {"tags", &string, "of which", true},
    {0},
};

static atomic_int freed, handled;
static _Atomic(struct api_stream *) kept_stream;
static _Atomic(struct api_request *) kept_request;

/* Answers with what was sent. */
static void echo(struct api_request *request)
{
    json_t *items = api_request_items(request);

    if (!items)
        return;
    for (size_t i = 0; i < json_array_size(items); i++)
        api_item_success(json_array_get(items, i));
    api_reply_items(request, items);
}

static void show(struct api_request *request)
{
    json_t *data = json_object(), *list = json_array();

    for (size_t i = 0; i < request->parameter_count; i++)
        json_array_append_new(list,
                              json_pack("[s, s, s]", request->parameters[i].name,
                                        request->parameters[i].value, request->parameters[i].raw));
    json_object_set_new(data, "parameters", list);
    json_object_set_new(data, "path", json_string(request->path));
    json_object_set_new(data, "capture", json_string(request->captures[0] ?: "none"));
    json_object_set_new(data, "header", json_string(api_request_header(request, "x-test") ?: ""));
    api_reply_data(request, data);
}

static void mixed(struct api_request *request)
{
    struct romsim_error err = {0};

    romsim_error_set(&err, ENOENT, "No thing with name 'x'");
    err.cloud = ROMSIM_CLOUD_NOT_FOUND;
    api_reply_items(
        request, json_pack("[{s:s}, o]", "status", "success", api_item_error("name", "x", &err)));
}

static void begin_stream(struct api_request *request)
{
    atomic_store(&kept_stream, api_reply_stream(request, "text/event-stream"));
}

static void keep(struct api_request *request)
{
    atomic_store(&kept_request, request);
}

static void count_freed(void *context)
{
    free(context);
    atomic_fetch_add(&freed, 1);
}

static int open_upload(struct api_request *request)
{
    request->context = strdup("upload");
    request->free_context = count_freed;
    return memfd_create("upload", MFD_CLOEXEC);
}

static int refuse_upload(struct api_request *request)
{
    api_reply_fail(request, 400, ROMSIM_CLOUD_INVALID, "not this one");
    return -1;
}

static void take_upload(struct api_request *request)
{
    char bytes[32] = "";

    atomic_fetch_add(&handled, 1);
    ck_assert_str_eq(request->context, "upload");
    ck_assert_int_ge(pread(request->body_fd, bytes, sizeof(bytes) - 1, 0), 0);
    api_reply_data(request,
                   json_pack("{s:I, s:s}", "size", (json_int_t)request->body_size, "first", bytes));
}

static void send_file(struct api_request *request)
{
    int fd = memfd_create("file", MFD_CLOEXEC);

    ck_assert_int_eq(write(fd, "0123456789", 10), 10);
    api_reply_header(request, "Cache-Control", "max-age=60");
    api_reply_file(request, 200, "text/plain", fd, 2, 5);
}

static const struct api_route test_routes[] = {
    {.method = API_GET,
     .path = "/v1/things",
     .handle = show,
     .flags = API_QUICK,
     .query = things_query},
    {.method = API_POST,
     .path = "/v1/things",
     .handle = echo,
     .body_kind = API_OBJECT_OR_LIST,
     .body = &thing,
     .list = "things"},
    {.method = API_PUT,
     .path = "/v1/things",
     .handle = echo,
     .body_kind = API_LIST,
     .body = &thing,
     .list = "things"},
    {.method = API_PUT,
     .path = "/v1/things/{name}",
     .handle = echo,
     .body_kind = API_OBJECT,
     .body = &thing,
     .list = "things"},
    {.method = API_GET, .path = "/v1/things/{name}", .handle = show},
    {.method = API_GET, .path = "/v1/things/log", .handle = show},
    {.method = API_GET, .path = "/v1/numbered/{uuid}", .handle = show},
    {.method = API_GET, .path = "/v1/mixed", .handle = mixed, .list = "things"},
    {.method = API_GET, .path = "/v1/open", .handle = show, .flags = API_OPEN},
    {.method = API_GET, .path = "/v1/stream", .handle = begin_stream},
    {.method = API_GET, .path = "/v1/keep", .handle = keep, .flags = API_QUICK},
    {.method = API_PUT, .path = "/v1/upload", .handle = take_upload, .open_body = open_upload},
    {.method = API_PUT, .path = "/v1/refused", .handle = take_upload, .open_body = refuse_upload},
    {.method = API_GET, .path = "/v1/file", .handle = send_file},
    {.method = API_GET, .path = "/v2/{name...}", .handle = show, .flags = API_HIDDEN},
    {.method = API_GET, .path = "/", .handle = show, .flags = API_OPEN | API_HIDDEN},
    {0},
};

/* In place of routes.c. */
const struct api_route *const api_routes[] = {test_routes, NULL};

/* ---- a server and a client ---------------------------------------------------------------------
 */

static struct romsim_api_options options = {
    .listen = "127.0.0.1:0", .token = TOKEN, .organization = "org", .metro = "local"};
static struct romsim_api *server;
static char folder[32];

static void start(void)
{
    struct romsim_error err = {0};

    snprintf(folder, sizeof(folder), "/tmp/romsim-unit-api.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    setenv("XDG_RUNTIME_DIR", folder, 1);
    setenv("XDG_DATA_HOME", folder, 1);
    setenv("XDG_CACHE_HOME", folder, 1);
    signal(SIGPIPE, SIG_IGN);
    options.vm.limits = romsim_limits_default;
    server = romsim_api_new(&options, &err);
    ck_assert_msg(server != NULL, "%s", err.message);
}

static void end(void)
{
    romsim_api_free(server);
    server = NULL;
}

static void stop(void)
{
    char command[64];

    end();
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

static int dial(void)
{
    const char *port = strrchr(romsim_api_url(server), ':') + 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* All up to the end, in a buffer of this program's. */
static const char *hear(int fd)
{
    static char text[1 << 20];
    size_t size = 0;
    ssize_t got;

    while (size < sizeof(text) - 1 && (got = recv(fd, text + size, sizeof(text) - 1 - size, 0)) > 0)
        size += (size_t)got;
    text[size] = '\0';
    close(fd);
    return text;
}

/* Up to a piece of text, which has to come. */
static void hear_until(int fd, const char *piece)
{
    static char text[1 << 16];
    size_t size = 0;
    ssize_t got = 1;

    text[0] = '\0';
    while (!strstr(text, piece)) {
        got = recv(fd, text + size, sizeof(text) - 1 - size, 0);
        ck_assert_msg(got > 0, "no '%s' in '%s'", piece, text);
        size += (size_t)got;
        text[size] = '\0';
    }
}

/* One request on a connection of its own: `head` is "METHOD TARGET", `headers` end in \r\n. */
static const char *ask(const char *head, const char *headers, const char *body)
{
    int fd = dial();
    char *text;

    ck_assert_int_gt(asprintf(&text,
                              "%s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n%s"
                              "Content-Length: %zu\r\n\r\n%s",
                              head, headers, strlen(body), body),
                     0);
    say(fd, text);
    free(text);
    return hear(fd);
}

static void like(const char *text, const char *piece)
{
    ck_assert_msg(strstr(text, piece) != NULL, "no '%s' in: %s", piece, text);
}

static void unlike(const char *text, const char *piece)
{
    ck_assert_msg(strstr(text, piece) == NULL, "'%s' is in: %s", piece, text);
}

static void is_status(const char *reply, int status)
{
    char wanted[32];

    snprintf(wanted, sizeof(wanted), "HTTP/1.1 %d ", status);
    ck_assert_msg(strncmp(reply, wanted, strlen(wanted)) == 0, "no %d: %s", status, reply);
}

static void wait_for(atomic_int *value, int wanted)
{
    for (int tries = 0; atomic_load(value) != wanted && tries < 6000; tries++)
        poll(NULL, 0, 10);
    ck_assert_int_eq(atomic_load(value), wanted);
}

/* ---- parts -------------------------------------------------------------------------------------
 */

START_TEST(a_target_is_unescaped_if_it_is_a_text)
{
    static const struct {
        const char *raw, *text; /* NULL: none */
    } cases[] = {
        {"", ""},
        {"abc", "abc"},
        {"a%20b", "a b"},
        {"%e2%82%AC", "\xe2\x82\xac"},
        {"%", "%"},
        {"%4", "%4"},
        {"%zz", "%zz"},
        {"%2525", "%25"},
        {"a%00b", NULL},
        {"%ff", NULL},
        {"\xff", NULL},
        {"%c0%af", NULL},
        {"%ed%a0%80", NULL},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[32];
        ssize_t size;

        snprintf(text, sizeof(text), "%s", cases[i].raw);
        size = api_unescape(text);
        if (!cases[i].text)
            ck_assert_int_eq(size, -1);
        else
            ck_assert_str_eq(text, cases[i].text);
        if (cases[i].text)
            ck_assert_int_eq(size, (ssize_t)strlen(cases[i].text));
    }
}
END_TEST

START_TEST(a_route_with_more_words_of_its_own_is_nearer)
{
    static const struct {
        enum api_method method;
        const char *path, *found; /* NULL: none */
        unsigned methods;
        const char *capture;
    } cases[] = {
        {API_GET, "/v1/things", "/v1/things", API_GET | API_POST | API_PUT, NULL},
        {API_DELETE, "/v1/things", NULL, API_GET | API_POST | API_PUT, NULL},
        {API_GET, "/v1/things/log", "/v1/things/log", API_GET, NULL},
        {API_PUT, "/v1/things/log", NULL, API_GET, NULL},
        {API_GET, "/v1/things/a%2Fb", "/v1/things/{name}", API_GET | API_PUT, "a%2Fb"},
        {API_GET, "/v1/things/", NULL, 0, NULL},
        {API_GET, "/v1/things/a/b", NULL, 0, NULL},
        {API_GET, "/v1//things", NULL, 0, NULL},
        {API_GET, "/v2/a/b/c", "/v2/{name...}", API_GET, "a/b/c"},
        {API_GET, "/v2/", "/v2/{name...}", API_GET, ""},
        {API_GET, "/v2", NULL, 0, NULL},
        {API_GET, "/", "/", API_GET, NULL},
        {API_GET, "", NULL, 0, NULL},
        {API_GET, "*", NULL, 0, NULL},
        {API_GET, "http://127.0.0.1/", NULL, 0, NULL},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *captures[API_CAPTURES_MAX];
        unsigned methods;
        const struct api_route *route =
            dispatch_find(api_routes, cases[i].method, cases[i].path, &methods, captures);

        ck_assert_msg((route != NULL) == (cases[i].found != NULL), "%s", cases[i].path);
        if (route)
            ck_assert_str_eq(route->path, cases[i].found);
        ck_assert_uint_eq(methods, cases[i].methods);
        ck_assert_int_eq(captures[0] != NULL, cases[i].capture != NULL);
        if (captures[0])
            ck_assert_str_eq(captures[0], cases[i].capture);
        free(captures[0]);
    }
}
END_TEST

START_TEST(only_names_of_this_machine_are_hosts)
{
    static const char *const known[] = {
        "localhost",   "localhost:80",           "LOCALHOST",  "127.0.0.1:1", "[::1]", "[::1]:8080",
        "a.localhost", "api.romsim.localhost:9", "10.0.0.1:80"};
    static const char *const unknown[] = {"",
                                          "evil.example",
                                          "localhost.evil.example",
                                          "127.0.0.10",
                                          "127.0.0.1.evil.example:8080",
                                          "[::1",
                                          "[::1]evil",
                                          ".localhost",
                                          "evillocalhost",
                                          "[::2]"};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        ck_assert_msg(guard_knows_host(known[i], "10.0.0.1"), "%s", known[i]);
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
        ck_assert_msg(!guard_knows_host(unknown[i], "10.0.0.1"), "%s", unknown[i]);
}
END_TEST

START_TEST(the_token_is_taken_in_each_form_that_clients_send)
{
    static const struct {
        const char *text;
        bool basic, is_right;
    } cases[] = {
        {"Bearer " TOKEN, false, true},
        {"bearer  " TOKEN, false, true},
        {"Bearer", false, false},
        {"Bearer ", false, false},
        {"Bearer x", false, false},
        {"Bearer " TOKEN "x", false, false},
        {"Bearer b3JnOnNlY3JldA=", false, false},
        {TOKEN, false, false},
        {"Basic " TOKEN, false, false},
        {"Basic " TOKEN, true, true},                   /* org:secret */
        {"Basic dTpzZWNyZXQ=", true, true},             /* u:secret */
        {"Basic dTpiM0puT25ObFkzSmxkQT09", true, true}, /* u:TOKEN */
        {"Basic dTp3cm9uZw==", true, false},            /* u:wrong */
        {"Basic dTo=", true, false},                    /* u: */
        {"Basic dQ==", true, false},                    /* u */
        {"Basic !", true, false},
        {"", true, false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        ck_assert_msg(guard_is_authorized(cases[i].text, TOKEN, cases[i].basic) ==
                          cases[i].is_right,
                      "%s", cases[i].text);
    ck_assert(!guard_is_authorized("Basic dTo=", "plain", true));
}
END_TEST

START_TEST(an_error_has_the_status_of_its_code)
{
    struct romsim_error err = {.cloud = ROMSIM_CLOUD_NOT_FOUND};

    ck_assert_uint_eq(api_http_status(&err), 404);
    err.cloud = ROMSIM_CLOUD_ALREADY_EXISTS;
    ck_assert_uint_eq(api_http_status(&err), 409);
    err.cloud = ROMSIM_CLOUD_MALFORMED_REQUEST;
    ck_assert_uint_eq(api_http_status(&err), 400);
    err.cloud = ROMSIM_CLOUD_UNKNOWN_ERROR;
    ck_assert_uint_eq(api_http_status(&err), 500);
    err.errnum = ENOMEM;
    ck_assert_uint_eq(api_http_status(&err), 503);
}
END_TEST

START_TEST(addresses_that_are_none_are_refused)
{
    static const char *const bad[] = {"",       "127.0.0.1", "127.0.0.1:",      "127.0.0.1:x",
                                      ":80",    "a.b:80",    "127.0.0.1:65536", "[::1:80",
                                      "::1:80", "[]:80",     "127.0.0.1:-1",    "127.0.0.1:+1"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct romsim_api_options wrong = {.listen = bad[i], .token = "x"};
        struct romsim_error err = {0};

        ck_assert_msg(romsim_api_new(&wrong, &err) == NULL, "%s", bad[i]);
        ck_assert_msg(err.errnum == EINVAL, "%s: %s", bad[i], err.message);
    }
}
END_TEST

START_TEST(others_than_this_machine_need_a_token)
{
    struct romsim_api_options open = {.listen = "0.0.0.0:0"};
    struct romsim_error err = {0};

    ck_assert_ptr_null(romsim_api_new(&open, &err));
    ck_assert_int_eq(err.errnum, EPERM);
}
END_TEST

/* ---- requests ----------------------------------------------------------------------------------
 */

START_TEST(who_may_not_ask_is_refused)
{
    const char *reply = ask("GET /v1/things", "", "");

    is_status(reply, 401);
    like(reply, "WWW-Authenticate: Bearer");
    like(reply, "\"status\":\"error\"");
    like(reply, "Content-Type: application/json");
    like(reply, "Cache-Control: no-store");
    is_status(ask("GET /v1/nosuch", "", ""), 401);
    like(ask("GET /v2/x", "", ""), "WWW-Authenticate: Basic realm=\"romsim\"");
    is_status(ask("GET /v1/open", "", ""), 200);
    is_status(ask("GET /v1/things", AUTH, ""), 200);
    is_status(ask("GET /v1/things", "Authorization: Basic " TOKEN "\r\n", ""), 401);
    is_status(ask("GET /v2/x", "Authorization: Basic " TOKEN "\r\n", ""), 200);
    is_status(ask("GET /", "", ""), 401);
    is_status(ask("GET /", "Accept: */*\r\n", ""), 401);
    is_status(ask("GET /", "Accept: text/html,*/*\r\n", ""), 200);
    is_status(ask("GET /", AUTH, ""), 200);
}
END_TEST

START_TEST(a_page_of_another_site_is_refused)
{
    is_status(ask("GET /v1/things", AUTH "Origin: http://evil.example\r\n", ""), 403);
    is_status(ask("GET /v1/things", AUTH "Origin: null\r\n", ""), 403);
    is_status(ask("GET /v1/things", AUTH "Origin: http://127.0.0.1:3000\r\n", ""), 403);
    is_status(ask("GET /v1/things", AUTH "Origin: http://127.0.0.1\r\n", ""), 200);
    is_status(ask("GET /v1/things", AUTH "Sec-Fetch-Site: cross-site\r\n", ""), 403);
    is_status(ask("GET /v1/things", AUTH "Sec-Fetch-Site: same-origin\r\n", ""), 200);
    is_status(ask("GET /",
                  "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n"
                  "Accept: text/html\r\n",
                  ""),
              200);
    is_status(ask("POST /v1/things",
                  AUTH "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n", "{}"),
              403);
}
END_TEST

START_TEST(a_host_that_is_not_ours_is_refused)
{
    int fd = dial();

    say(fd, "GET /v1/things HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n" AUTH "\r\n");
    is_status(hear(fd), 403);
    fd = dial();
    say(fd, "GET /v1/things HTTP/1.0\r\n" AUTH "\r\n");
    like(hear(fd), " 200 OK");
}
END_TEST

START_TEST(what_is_not_there_is_refused_in_the_envelope)
{
    const char *reply = ask("GET /v1/nosuch", AUTH, "");

    is_status(reply, 404);
    like(reply, "\"error\":3");
    reply = ask("DELETE /v1/things", AUTH, "");
    is_status(reply, 405);
    like(reply, "\"error\":2");
    like(reply, "Allow: GET, HEAD, POST, PUT");
    is_status(ask("BREW /v1/things", AUTH, ""), 405);
    is_status(ask("GET /v1/things/%00", AUTH, ""), 404);
    is_status(ask("GET /v1/things?x=%00", AUTH, ""), 400);
    is_status(ask("GET /v1/things?%ff=1", AUTH, ""), 400);
}
END_TEST

START_TEST(a_query_reaches_the_handler_as_it_was_meant)
{
    const char *reply =
        ask("GET /v1/things?tags=a%2Cb,c+d&details=true&count=7&x", AUTH "X-Test: yes\r\n", "");

    is_status(reply, 200);
    like(reply, "[\"tags\",\"a,b,c d\",\"a%2Cb,c d\"]");
    like(reply, "[\"details\",\"true\",\"true\"]");
    like(reply, "[\"x\",\"\",\"\"]");
    like(reply, "\"header\":\"yes\"");
    like(reply, "\"warnings\":[{\"type\":\"unknown_parameter\"");
    like(ask("GET /v1/things/a%20b", AUTH, ""), "\"capture\":\"a b\"");
    like(ask("GET /v1/things/log", AUTH, ""), "\"capture\":\"none\"");
}
END_TEST

START_TEST(what_stands_for_a_uuid_is_one)
{
    const char *reply = ask("GET /v1/numbered/a%20b", AUTH, "");

    is_status(reply, 400);
    like(reply, "Invalid uuid 'a b'");
    reply = ask("GET /v1/numbered/86d74a24-2b06-4f1e-9f4d-1c6f7f0f3c11", AUTH, "");
    is_status(reply, 200);
    like(reply, "\"capture\":\"86d74a24-2b06-4f1e-9f4d-1c6f7f0f3c11\"");
}
END_TEST

/* As it stands, without a request of ours around it. */
static const char *send_raw(const char *text)
{
    int fd = dial();

    say(fd, text);
    return hear(fd);
}

/* libmicrohttpd refuses these before anybody is asked, with words of its own that it has no option
 * for: pages in HTML, and no envelope. */
START_TEST(what_is_no_http_is_refused_by_the_library)
{
    static char long_line[64 << 10], long_header[64 << 10];
    static const struct {
        const char *text;
        int status;
    } cases[] = {
        {long_line, 414},
        {long_header, 431},
        {"GET /v1/things HTTP/1.1\r\nHost: 127.0.0.1\r\nno colon\r\n\r\n", 400},
        {"POST /v1/things HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: many\r\n\r\n", 400},
    };

    snprintf(long_line, sizeof(long_line),
             "GET /v1/things?tags=%040000d HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 0);
    snprintf(long_header, sizeof(long_header),
             "GET /v1/things HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: %040000d\r\n\r\n", 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *reply = send_raw(cases[i].text);

        is_status(reply, cases[i].status);
        like(reply, "<html>");
        unlike(reply, "op_time_us");
    }
    is_status(ask("GET /v1/things", AUTH, ""), 200); /* and goes on */
}
END_TEST

START_TEST(a_query_is_compared_with_the_route)
{
    const char *reply = ask("GET /v1/things?details=True&count=101", AUTH, "");

    is_status(reply, 400);
    like(reply, "Member 'details' must be a boolean");
    like(reply, "Invalid count 101");
    is_status(ask("GET /v1/things?count=-1", AUTH, ""), 400);
    is_status(ask("GET /v1/things?count=1,%22x%22:2", AUTH, ""), 400);
    reply = ask("GET /v1/things?count=99999999999999999999", AUTH, "");
    is_status(reply, 400);
    like(reply, "Invalid count 99999999999999999999 (a whole number from");
    like(ask("GET /v1/things?count=-99999999999999999999", AUTH, ""),
         "Invalid count -99999999999999999999 (a whole number from");
    like(ask("GET /v1/things?count=12x", AUTH, ""),
         "Member 'count' must be a number, not a string");
    is_status(ask("GET /v1/things?tags=%22%5C", AUTH, ""), 200);
}
END_TEST

START_TEST(a_body_is_compared_with_the_route)
{
    const char *reply = ask("POST /v1/things", AUTH, "{\"name\":\"a\",\"count\":3}");

    is_status(reply, 200);
    like(reply, "{\"status\":\"success\",\"data\":{\"things\":[{\"name\":\"a\",\"count\":3,");
    like(ask("POST /v1/things", AUTH, "[{\"name\":\"a\"},{\"name\":\"b\"}]"), "\"b\"");
    like(ask("POST /v1/things", AUTH, ""), "\"things\":[]");
    like(ask("POST /v1/things", AUTH, " \r\n"), "\"things\":[]");
    like(ask("POST /v1/things", AUTH, "null"), "\"things\":[]");
    reply = ask("POST /v1/things", AUTH, "[{\"nam\":\"a\"},{\"name\":1,\"count\":-1}]");
    is_status(reply, 400);
    like(reply, "\"error\":16");
    like(reply, "Unknown member 'nam': it is not a valid member (did you mean 'name'?)");
    like(reply, "Missing member name");
    like(reply, "Member 'name' must be a string");
    like(reply, "Invalid count -1");
    like(ask("PUT /v1/things", AUTH, "{\"name\":\"a\"}"), "The body must be a list, not an object");
    like(ask("PUT /v1/things/x", AUTH, "[]"), "The body must be an object, not a list");
    is_status(ask("PUT /v1/things/x", AUTH, "{\"name\":\"a\"}"), 200);
    like(ask("POST /v1/things", AUTH, "{\"name\":\"a\",\"idle\":\"x\"}"),
         "accepted, but not simulated: idle");
}
END_TEST

START_TEST(a_body_that_is_no_json_is_refused)
{
    static const char *const bodies[] = {"{",
                                         "name: a",
                                         "\"a\"",
                                         "7",
                                         "{}{}",
                                         "[1,]",
                                         "{\"name\":\"a\",\"name\":\"b\"}",
                                         "\xff",
                                         "[[[[",
                                         "{\"name\": a}",
                                         "[null]",
                                         "[[]]"};

    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        const char *reply = ask("POST /v1/things", AUTH, bodies[i]);

        is_status(reply, 400);
        like(reply, "\"status\":\"error\"");
    }
}
END_TEST

START_TEST(a_get_may_have_a_body)
{
    is_status(ask("GET /v1/things", AUTH "Content-Type: application/json\r\n", "[]"), 200);
    is_status(ask("DELETE /v1/nosuch", AUTH, "[{\"name\":\"x\"}]"), 404);
}
END_TEST

START_TEST(the_envelope_follows_from_its_items)
{
    const char *reply = ask("GET /v1/mixed", AUTH, "");

    is_status(reply, 200);
    like(reply, "{\"status\":\"partial_success\",\"message\":\"No thing with name 'x'\"");
    like(reply, "{\"status\":\"error\",\"name\":\"x\",\"message\":\"No thing with name 'x'\","
                "\"error\":8}");
    like(reply, "\"op_time_us\":");
}
END_TEST

START_TEST(a_head_has_no_body)
{
    const char *reply = ask("HEAD /v1/things", AUTH, "");

    is_status(reply, 200);
    like(reply, "Content-Length: ");
    unlike(reply, "status");
    is_status(ask("HEAD /v1/mixed", AUTH, ""), 200);
    is_status(ask("HEAD /v1/nosuch", AUTH, ""), 404);
}
END_TEST

START_TEST(a_part_of_a_file_is_sent)
{
    const char *reply = ask("GET /v1/file", AUTH, "");

    is_status(reply, 200);
    like(reply, "\r\n\r\n23456");
    like(reply, "Content-Length: 5\r\n");
    like(reply, "Cache-Control: max-age=60");
    unlike(reply, "no-store");
}
END_TEST

START_TEST(requests_that_come_together_are_answered_in_order)
{
    int fd = dial();
    const char *reply, *second;

    say(fd, "GET /v1/things/1 HTTP/1.1\r\nHost: localhost\r\n" AUTH "\r\n"
            "POST /v1/things HTTP/1.1\r\nHost: localhost\r\n" AUTH "Content-Length: 12\r\n\r\n"
            "{\"name\":\"2\"}"
            "GET /v1/things/3 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" AUTH "\r\n");
    reply = hear(fd);
    like(reply, "\"capture\":\"1\"");
    second = strstr(reply, "{\"name\":\"2\"");
    ck_assert_ptr_nonnull(second);
    like(second, "\"capture\":\"3\"");
}
END_TEST

/* ---- large ones --------------------------------------------------------------------------------
 */

static const char *post_large(const char *headers, size_t size, bool is_chunked)
{
    int fd = dial();
    char piece[1 << 16], line[32];
    struct timeval patience = {.tv_sec = 100};

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    memset(piece, ' ', sizeof(piece));
    say(fd, "POST /v1/things HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" AUTH);
    say(fd, headers);
    say(fd, "\r\n");
    for (size_t sent = 0; sent < size; sent += sizeof(piece)) {
        snprintf(line, sizeof(line), "%zx\r\n", sizeof(piece));
        if (is_chunked)
            say(fd, line);
        ck_assert_int_eq(send(fd, piece, sizeof(piece), MSG_NOSIGNAL), sizeof(piece));
        if (is_chunked)
            say(fd, "\r\n");
    }
    if (is_chunked)
        say(fd, "0\r\n\r\n");
    return hear(fd);
}

START_TEST(a_body_has_a_bound)
{
    const char *reply = post_large("Content-Length: 8388608\r\n", 8 << 20, false);

    is_status(reply, 200);
    reply = post_large("Transfer-Encoding: chunked\r\n", 8 << 20, true);
    is_status(reply, 200);
    reply = post_large("Content-Length: 8454144\r\n", (8 << 20) + (1 << 16), false);
    is_status(reply, 413);
    like(reply, "\"error\":22");
    reply = post_large("Transfer-Encoding: chunked\r\n", (8 << 20) + (1 << 16), true);
    is_status(reply, 413);
    reply = post_large("Content-Length: 99999999999\r\nExpect: 100-continue\r\n", 0, false);
    is_status(reply, 413);
}
END_TEST

START_TEST(who_waits_to_send_is_refused_before)
{
    int fd = dial();

    say(fd, "POST /v1/things HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
            "Content-Length: 2\r\nConnection: close\r\n\r\n");
    is_status(hear(fd), 401);
    fd = dial();
    say(fd, "POST /v1/things HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n" AUTH
            "Content-Length: 12\r\nConnection: close\r\n\r\n");
    hear_until(fd, "100 Continue\r\n\r\n");
    say(fd, "{\"name\":\"2\"}");
    is_status(hear(fd), 200);
}
END_TEST

START_TEST(a_body_may_go_to_a_file)
{
    const char *reply = ask("PUT /v1/upload", AUTH, "hello");

    is_status(reply, 200);
    like(reply, "{\"size\":5,\"first\":\"hello\"}");
    wait_for(&freed, 1);
    like(ask("PUT /v1/refused", AUTH, "hello"), "not this one");
    ck_assert_int_eq(atomic_load(&handled), 1);
}
END_TEST

START_TEST(a_body_that_is_cut_leaves_nothing)
{
    int fd = dial();

    say(fd, "PUT /v1/upload HTTP/1.1\r\nHost: localhost\r\n" AUTH "Content-Length: 100\r\n\r\nabc");
    shutdown(fd, SHUT_WR);
    hear(fd);
    wait_for(&freed, 1);
    ck_assert_int_eq(atomic_load(&handled), 0);
    fd = dial();
    say(fd, "PUT /v1/upload HTTP/1.1\r\nHost: localhost\r\n" AUTH
            "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    shutdown(fd, SHUT_WR);
    ck_assert_str_eq(hear(fd), "");
    wait_for(&freed, 2);
    ck_assert_int_eq(atomic_load(&handled), 0);
    fd = dial();
    say(fd, "POST /v1/things HTTP/1.1\r\nHost: localhost\r\n" AUTH "Content-Length: 9\r\n\r\n{");
    shutdown(fd, SHUT_WR);
    hear(fd);
}
END_TEST

/* ---- streams, and replies that come later ------------------------------------------------------
 */

static struct api_stream *await_stream(void)
{
    struct api_stream *stream;

    for (int tries = 0; !(stream = atomic_exchange(&kept_stream, NULL)) && tries < 6000; tries++)
        poll(NULL, 0, 10);
    ck_assert_ptr_nonnull(stream);
    return stream;
}

static int open_stream(void)
{
    int fd = dial();

    say(fd, "GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" AUTH "\r\n");
    return fd;
}

START_TEST(a_stream_is_written_bit_by_bit)
{
    int fd = open_stream();
    struct api_stream *stream = await_stream();

    hear_until(fd, "\r\n\r\n"); /* the headers are there before anything is written */
    ck_assert_int_eq(api_stream_write(stream, "one\n", 4), 0);
    hear_until(fd, "one\n");
    ck_assert_int_eq(api_stream_write(stream, "two\n", 4), 0);
    hear_until(fd, "two\n");
    api_stream_end(stream);
    like(hear(fd), "0\r\n\r\n");
}
END_TEST

START_TEST(a_stream_whose_client_is_gone_takes_no_more)
{
    int fd = open_stream(), status = 0;
    struct api_stream *stream = await_stream();

    hear_until(fd, "\r\n\r\n");
    close(fd);
    for (int tries = 0; status == 0 && tries < 6000; tries++) {
        status = api_stream_write(stream, "x", 1);
        poll(NULL, 0, 10);
    }
    ck_assert_int_eq(status, -1);
    api_stream_end(stream);
}
END_TEST

START_TEST(a_stream_whose_client_reads_nothing_is_bounded)
{
    static char piece[1 << 16];
    int fd = open_stream(), pieces = 0;
    struct api_stream *stream = await_stream();

    hear_until(fd, "\r\n\r\n");
    while (api_stream_write(stream, piece, sizeof(piece)) == 0 && pieces < 1000)
        pieces++;
    ck_assert_int_lt(pieces, 1000); /* what the sockets take, and 1 MiB */
    api_stream_end(stream);
    close(fd);
}
END_TEST

/* A client that takes little would wait long for its turn, and be taken for gone. */
START_TEST(the_kernel_keeps_little_of_a_stream)
{
    static char piece[1 << 16];
    int fd = open_stream();
    struct api_stream *stream = await_stream();
    size_t written = 0;

    hear_until(fd, "\r\n\r\n");
    for (int tries = 0; tries < 100; poll(NULL, 0, 10), tries++)
        while (api_stream_write(stream, piece, sizeof(piece)) == 0)
            written += sizeof(piece);
    ck_assert_uint_lt(written, 5 << 19); /* 1 MiB of them is ours, and the client has some */
    api_stream_end(stream);
    close(fd);
}
END_TEST

START_TEST(a_quiet_stream_shows_that_it_lives)
{
    int fd = open_stream();
    struct api_stream *stream = await_stream();

    hear_until(fd, "\r\n\r\n");
    hear_until(fd, ":\n\n");
    api_stream_end(stream);
    close(fd);
}
END_TEST

START_TEST(a_head_of_a_stream_ends_it)
{
    const char *reply = ask("HEAD /v1/stream", AUTH, "");
    struct api_stream *stream = await_stream();

    is_status(reply, 200);
    for (int tries = 0; api_stream_write(stream, "x", 1) == 0 && tries < 6000; tries++)
        poll(NULL, 0, 10);
    ck_assert_int_eq(api_stream_write(stream, "x", 1), -1);
    api_stream_end(stream);
}
END_TEST

static struct api_request *await_request(void)
{
    struct api_request *request;

    for (int tries = 0; !(request = atomic_exchange(&kept_request, NULL)) && tries < 6000; tries++)
        poll(NULL, 0, 10);
    ck_assert_ptr_nonnull(request);
    return request;
}

START_TEST(a_reply_may_come_later_from_another_thread)
{
    int fd = dial();

    say(fd, "GET /v1/keep HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" AUTH "\r\n");
    api_reply_data(await_request(), json_pack("{s:s}", "late", "yes"));
    like(hear(fd), "\"late\":\"yes\"");
}
END_TEST

START_TEST(a_reply_to_who_is_gone_is_no_harm)
{
    struct api_request *request;
    int fd = dial();

    say(fd, "GET /v1/keep HTTP/1.1\r\nHost: localhost\r\n" AUTH "\r\n");
    request = await_request();
    close(fd);
    api_reply_data(request, json_pack("{s:s}", "late", "yes"));
    is_status(ask("GET /v1/things", AUTH, ""), 200);
}
END_TEST

START_TEST(a_server_ends_in_the_middle_of_everything)
{
    int fds[5];
    struct api_stream *stream;

    for (size_t i = 0; i < 5; i++)
        fds[i] = dial();
    say(fds[1], "GET /v1/things HTTP/1.1\r\nHo");
    say(fds[2], "POST /v1/things HTTP/1.1\r\nHost: localhost\r\n" AUTH
                "Content-Length: 100\r\n\r\n{\"name\"");
    say(fds[3],
        "PUT /v1/upload HTTP/1.1\r\nHost: localhost\r\n" AUTH "Content-Length: 100\r\n\r\nabc");
    say(fds[4], "GET /v1/stream HTTP/1.1\r\nHost: localhost\r\n" AUTH "\r\n");
    stream = await_stream();
    hear_until(fds[4], "\r\n\r\n");
    api_stream_write(stream, "x", 1);
    api_stream_end(stream);
    is_status(ask("GET /v1/things", AUTH, ""), 200);
    end();
    for (size_t i = 0; i < 5; i++)
        close(fds[i]);
    ck_assert_int_eq(atomic_load(&freed), 1);
}
END_TEST

static void *hear_slowly(void *fd)
{
    const struct timespec pause = {.tv_nsec = 300 * 1000000};

    nanosleep(&pause, NULL);
    return (void *)(uintptr_t)hear(*(int *)fd);
}

/* What was written before the end is sent, however far behind the client is. */
START_TEST(a_server_that_ends_sends_what_was_written)
{
    static char bytes[900 << 10];
    int fd = open_stream();
    struct api_stream *stream = await_stream();
    pthread_t reader;
    void *heard;

    memset(bytes, 'x', sizeof(bytes));
    hear_until(fd, "\r\n\r\n");
    ck_assert_int_eq(pthread_create(&reader, NULL, hear_slowly, &fd), 0);
    ck_assert_int_eq(api_stream_write(stream, bytes, sizeof(bytes)), 0);
    api_stream_end(stream);
    end();
    ck_assert_int_eq(pthread_join(reader, &heard), 0);
    ck_assert_ptr_nonnull(strstr(heard, "\r\n0\r\n\r\n"));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_target_is_unescaped_if_it_is_a_text,
        a_route_with_more_words_of_its_own_is_nearer,
        only_names_of_this_machine_are_hosts,
        the_token_is_taken_in_each_form_that_clients_send,
        an_error_has_the_status_of_its_code,
        addresses_that_are_none_are_refused,
        others_than_this_machine_need_a_token,
        who_may_not_ask_is_refused,
        a_page_of_another_site_is_refused,
        a_host_that_is_not_ours_is_refused,
        what_is_not_there_is_refused_in_the_envelope,
        a_query_reaches_the_handler_as_it_was_meant,
        what_stands_for_a_uuid_is_one,
        what_is_no_http_is_refused_by_the_library,
        a_query_is_compared_with_the_route,
        a_body_is_compared_with_the_route,
        a_body_that_is_no_json_is_refused,
        a_get_may_have_a_body,
        the_envelope_follows_from_its_items,
        a_head_has_no_body,
        a_part_of_a_file_is_sent,
        requests_that_come_together_are_answered_in_order,
        a_body_has_a_bound,
        who_waits_to_send_is_refused_before,
        a_body_may_go_to_a_file,
        a_body_that_is_cut_leaves_nothing,
        a_stream_is_written_bit_by_bit,
        a_stream_whose_client_is_gone_takes_no_more,
        a_stream_whose_client_reads_nothing_is_bounded,
        the_kernel_keeps_little_of_a_stream,
        a_quiet_stream_shows_that_it_lives,
        a_head_of_a_stream_ends_it,
        a_reply_may_come_later_from_another_thread,
        a_reply_to_who_is_gone_is_no_harm,
        a_server_ends_in_the_middle_of_everything,
        a_server_that_ends_sends_what_was_written,
    };
    TCase *tcase = tcase_create("api_server");

    tcase_set_timeout(tcase, 300);
    tcase_add_checked_fixture(tcase, start, stop);
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
        tcase_add_test(tcase, tests[i]);
    return unit_run_case("api_server", tcase);
}
