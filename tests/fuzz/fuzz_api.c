/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_api.c: any bytes as a request to `romsim serve`, up to its handler:
 *
 *     METHOD PATH?QUERY
 *     Header: value
 *
 *     body
 *
 * It gets a reply, or a handler gets it, and then only if it has the token.  What its body becomes
 * can be shown in the envelope, which is JSON.
 */
#include "fuzz.h"

#include "sim/api/listing.h"
#include "sim/api/server.h"

#include <strings.h>

#define TOKEN "dTpz" /* u:s */

enum { PARTS_MAX = 100 };

/* Divides at the first character: what is before it is left in `text`; what is behind it, or NULL.
 */
static char *divide(char *text, char at)
{
    char *place = strchr(text, at);

    if (place)
        *place++ = '\0';
    return place;
}

static void add_parameters(struct exchange *exchange, char *query)
{
    struct api_request *request = &exchange->request;

    exchange->parameters = calloc(PARTS_MAX, sizeof(*exchange->parameters));
    request->parameters = exchange->parameters;
    for (char *next; query && request->parameter_count < PARTS_MAX; query = next) {
        struct api_parameter *parameter = &exchange->parameters[request->parameter_count++];

        next = divide(query, '&');
        parameter->raw = divide(query, '=');
        parameter->raw = parameter->raw ? parameter->raw : query + strlen(query);
        parameter->name = query;
        /* Its own copy, as request_fill() makes it; it is freed with the exchange's texts. */
        parameter->value = strdup(parameter->raw);
    }
}

static void add_headers(struct exchange *exchange, char *line)
{
    exchange->headers = calloc(PARTS_MAX, sizeof(*exchange->headers));
    for (char *next; line && exchange->header_count < PARTS_MAX; line = next) {
        struct header *header = &exchange->headers[exchange->header_count++];

        next = divide(line, '\n');
        header->value = divide(line, ':');
        header->value = header->value ? header->value + strspn(header->value, " ") : "";
        header->name = line;
    }
}

static void check_token(const struct api_request *request)
{
    const char *authorization = api_request_header(request, "Authorization");

    if (request->route->flags & API_OPEN)
        return;
    FUZZ_CHECK(authorization != NULL, "%s", "it is let in without a token");
    if (strncmp(request->path, "/v2", 3) != 0)
        FUZZ_CHECK(strncasecmp(authorization, "Bearer ", 7) == 0 &&
                       strcmp(strrchr(authorization, ' ') + 1, TOKEN) == 0,
                   "it is let in with '%s'", authorization);
}

static void check_items(struct api_request *request)
{
    json_t *items = api_request_items(request), *again;
    char *text;

    if (!items)
        return;
    for (size_t i = 0; i < json_array_size(items); i++)
        api_item_success(json_array_get(items, i));
    text = api_envelope(request, items, NULL);
    FUZZ_CHECK(text != NULL, "%s", "no envelope");
    again = json_loads(text, 0, NULL);
    FUZZ_CHECK(again != NULL, "no JSON: %s", text);
    FUZZ_CHECK(strcmp(json_string_value(json_object_get(again, "status")), "success") == 0, "%s",
               text);
    json_decref(again);
    free(text);
    api_reply_data(request, json_object());
}

/* What a handler would do first. */
static void handle(struct exchange *exchange, char *body)
{
    struct api_request *request = &exchange->request;
    struct listing listing;

    check_token(request);
    if (!request_check_query(exchange))
        return;
    if (strcmp(request->route->path, "/v1/instances") == 0 && request->method == API_GET &&
        listing_read(request, &listing) < 0)
        return;
    if (request->route->open_body) {
        api_reply_data(request, json_object());
        return;
    }
    request->body = body;
    request->body_size = strlen(body);
    check_items(request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct romsim_api_options options = {
        .token = TOKEN,
        .organization = "org",
        .metro = "local",
        .vm.limits = {.body_bytes = 8 << 20, .roms = 8, .files = 16, .rom_bytes = 1 << 20}};
    static struct api api = {.options = &options, .is_loopback = true};
    char *text = strndup((const char *)data, size), *headers, *body, *path, *query;
    struct exchange *exchange = exchange_new(&api, NULL);

    if (!text || !exchange)
        return -1;
    api.address = text + strlen(text); /* none */
    body = strstr(text, "\n\n");
    if (body) {
        *body = '\0';
        body += 2;
    } else {
        body = text + strlen(text);
    }
    headers = divide(text, '\n');
    path = divide(text, ' ');
    path = path ? path : text + strlen(text);
    query = divide(path, '?');
    exchange->request.path = path;
    add_parameters(exchange, query);
    add_headers(exchange, headers);
    if (request_unescape_all(exchange) && exchange_find_route(exchange, text))
        handle(exchange, body);
    FUZZ_CHECK(exchange->is_replied && exchange->response, "%s", "there is no reply");
    for (size_t i = 0; i < exchange->request.parameter_count; i++)
        free(exchange->parameters[i].value);
    exchange_unref(exchange);
    free(text);
    return 0;
}
