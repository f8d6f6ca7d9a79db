/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * request.c: a request's parts.
 *
 * They are copied, since a handler may look at them longer than the connection lives.
 */
#include "server.h"

#include <romsim/cleanup.h>
#include <romsim/document.h>
#include <romsim/json.h>
#include <romsim/text.h>
#include <romsim/uuid.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- what was sent -----------------------------------------------------------------------------
 */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

ssize_t api_unescape(char *text)
{
    char *to = text;
    size_t size;

    for (const char *from = text; *from; from++) {
        int high = from[0] == '%' ? hex_digit(from[1]) : -1;
        int low = high < 0 ? -1 : hex_digit(from[2]);

        *to = low < 0 ? *from : (char)(high << 4 | low);
        if (!*to)
            return -1;
        to++;
        if (low >= 0)
            from += 2;
    }
    *to = '\0';
    size = (size_t)(to - text);
    return romsim_utf8_is_valid(text, size) ? (ssize_t)size : -1;
}

/* Counts first, then copies. */
struct copy {
    struct exchange *exchange;
    size_t size, parameters, headers;
    char *to; /* NULL: only counted */
};

static char *copy_text(struct copy *copy, const char *text)
{
    char *start = copy->to;
    size_t size = strlen(text) + 1;

    copy->size += size;
    if (!start)
        return NULL;
    memcpy(start, text, size);
    copy->to += size;
    return start;
}

static enum MHD_Result copy_parameter(void *context, enum MHD_ValueKind kind, const char *name,
                                      const char *value)
{
    struct copy *copy = context;
    struct api_parameter parameter;

    (void)kind;
    parameter.name = copy_text(copy, name ?: "");
    parameter.raw = copy_text(copy, value ?: "");
    parameter.value = copy_text(copy, value ?: "");
    if (copy->to)
        copy->exchange->parameters[copy->parameters] = parameter;
    copy->parameters++;
    return MHD_YES;
}

static enum MHD_Result copy_header(void *context, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    struct copy *copy = context;
    struct header header;

    (void)kind;
    header.name = copy_text(copy, name ?: "");
    header.value = copy_text(copy, value ?: "");
    if (copy->to)
        copy->exchange->headers[copy->headers] = header;
    copy->headers++;
    return MHD_YES;
}

static void copy_all(struct copy *copy, const char *url)
{
    struct exchange *exchange = copy->exchange;
    struct api_request *request = &exchange->request;

    copy->size = copy->parameters = copy->headers = 0;
    request->path = copy_text(copy, url);
    MHD_get_connection_values(exchange->connection, MHD_GET_ARGUMENT_KIND, copy_parameter, copy);
    MHD_get_connection_values(exchange->connection, MHD_HEADER_KIND, copy_header, copy);
}

static bool unescape_parameters(struct exchange *exchange)
{
    struct api_request *request = &exchange->request;

    for (size_t i = 0; i < request->parameter_count; i++)
        if (api_unescape(exchange->parameters[i].name) < 0 ||
            api_unescape(exchange->parameters[i].value) < 0 ||
            !romsim_utf8_is_valid(exchange->parameters[i].raw, strlen(exchange->parameters[i].raw)))
            return false;
    return true;
}

bool request_fill(struct exchange *exchange, const char *url)
{
    struct api_request *request = &exchange->request;
    struct copy copy = {.exchange = exchange};

    copy_all(&copy, url);
    exchange->texts = malloc(copy.size);
    exchange->parameters = calloc(copy.parameters + 1, sizeof(*exchange->parameters));
    exchange->headers = calloc(copy.headers + 1, sizeof(*exchange->headers));
    if (!exchange->texts || !exchange->parameters || !exchange->headers) {
        request->path = "";
        api_reply_fail(request, 503, ROMSIM_CLOUD_FAILED_OPERATION, "out of memory");
        return false;
    }
    copy.to = exchange->texts;
    copy_all(&copy, url);
    request->parameters = exchange->parameters;
    request->parameter_count = copy.parameters;
    exchange->header_count = copy.headers;
    return request_unescape_all(exchange);
}

bool request_unescape_all(struct exchange *exchange)
{
    struct api_request *request = &exchange->request;

    if (romsim_utf8_is_valid(request->path, strlen(request->path)) && unescape_parameters(exchange))
        return true;
    api_reply_fail(request, 400, ROMSIM_CLOUD_MALFORMED_REQUEST,
                   "The request's target is no text in UTF-8");
    return false;
}

const char *api_request_header(const struct api_request *request, const char *name)
{
    const struct exchange *exchange = exchange_of(request);

    for (size_t i = 0; i < exchange->header_count; i++)
        if (strcasecmp(exchange->headers[i].name, name) == 0)
            return exchange->headers[i].value;
    return NULL;
}

const char *api_request_parameter(const struct api_request *request, const char *name)
{
    for (size_t i = 0; i < request->parameter_count; i++)
        if (strcmp(request->parameters[i].name, name) == 0)
            return request->parameters[i].value;
    return NULL;
}

void api_request_forget_body(struct api_request *request)
{
    struct exchange *exchange = exchange_of(request);

    request->body = "";
    request->body_size = 0;
    atomic_fetch_sub(&request->api->body_bytes, exchange->body_counted);
    exchange->body_counted = 0;
    romsim_buffer_reset(&exchange->body);
}

/* ---- comparing with the route ------------------------------------------------------------------
 */

/* All that is wrong, each in a sentence. */
static void reply_diagnostics(struct api_request *request,
                              const struct romsim_diagnostics *diagnostics)
{
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(64 << 10);
    enum romsim_cloud_code code = ROMSIM_CLOUD_MALFORMED_REQUEST;
    bool is_first = true;

    for (size_t i = 0; i < diagnostics->count; i++) {
        const struct romsim_error *error = &diagnostics->entries[i].error;
        CLEANUP_FREE char *one = romsim_error_text(error);

        if (diagnostics->entries[i].is_warning)
            continue;
        if (is_first && error->cloud != ROMSIM_CLOUD_UNKNOWN_ERROR)
            code = error->cloud;
        romsim_buffer_printf(&text, "%s%s", is_first ? "" : "; ", one ? one : error->message);
        is_first = false;
    }
    reply_failure(request, 400, code, text.data ? text.data : "out of memory");
}

/* What was sent and has no effect here is said, as `romsim check` says it. */
static void warn_idle(struct api_request *request, const struct romsim_schema *schema)
{
    if (schema->idle.size)
        api_warn(request, "not_simulated", "accepted, but not simulated: %s%s", schema->idle.data,
                 schema->idle.failed ? ", and more" : "");
}

static json_t *checked_item(struct api_request *request, const struct romsim_document *document,
                            const struct romsim_node *node, struct romsim_diagnostics *diagnostics)
{
    struct romsim_schema schema = {
        .document = document, .diagnostics = diagnostics, .subject = "An item", .is_request = true};
    json_t *item = NULL;

    romsim_schema_check(&schema, node, request->route->body);
    if (diagnostics->errors == 0) {
        warn_idle(request, &schema);
        item = romsim_schema_json(node, request->route->body);
    }
    romsim_buffer_reset(&schema.idle);
    return item;
}

static void complain_kind(const struct romsim_document *document, const struct romsim_node *node,
                          const char *wanted, struct romsim_diagnostics *diagnostics)
{
    struct romsim_error error;

    romsim_error_set(&error, EINVAL, "The body must be %s, not %s", wanted,
                     romsim_node_kind_name(node));
    error.cloud = ROMSIM_CLOUD_MALFORMED_REQUEST;
    romsim_document_complain(document, node->offset, &error, diagnostics);
}

/* NULL with a diagnostic, or for want of memory. */
static json_t *read_items(struct api_request *request, const struct romsim_document *document,
                          const struct romsim_node *root, struct romsim_diagnostics *diagnostics)
{
    enum api_body kind = request->route->body_kind;
    json_t *items = json_array();

    if (root->kind == ROMSIM_NODE_NULL)
        return items;
    if (root->kind == ROMSIM_NODE_LIST && kind != API_OBJECT) {
        for (size_t i = 0; i < root->count; i++)
            json_array_append_new(
                items, checked_item(request, document, root->items[i].value, diagnostics));
    } else if (root->kind == ROMSIM_NODE_OBJECT && kind != API_LIST) {
        json_array_append_new(items, checked_item(request, document, root, diagnostics));
    } else {
        complain_kind(document, root,
                      kind == API_OBJECT ? "an object"
                      : kind == API_LIST ? "a list"
                                         : "an object or a list of objects",
                      diagnostics);
    }
    if (diagnostics->errors == 0)
        return items;
    json_decref(items);
    return NULL;
}

json_t *api_request_items(struct api_request *request)
{
    CLEANUP_DOCUMENT struct romsim_document *document = NULL;
    struct romsim_diagnostics diagnostics = {0};
    json_t *items = NULL;

    if (request->route->body_kind == API_NO_BODY ||
        strspn(request->body, " \t\r\n") == request->body_size) {
        items = json_array();
    } else {
        document = romsim_document_new("body", request->body, request->body_size);
        if (document) {
            romsim_document_demand_json(document);
            romsim_document_read(document, &diagnostics);
        }
        if (document && diagnostics.errors == 0)
            items = read_items(request, document, romsim_document_root(document, 0), &diagnostics);
    }
    if (diagnostics.errors)
        reply_diagnostics(request, &diagnostics);
    else if (!items)
        api_reply_fail(request, 503, ROMSIM_CLOUD_FAILED_OPERATION, "out of memory");
    romsim_diagnostics_clear(&diagnostics);
    return items;
}

/* ---- the query ---------------------------------------------------------------------------------
 */

static bool is_bare(const char *value)
{
    enum { DIGITS_MAX = 1000 }; /* as JSON's reader has it: what is too large is said as a number */
    size_t digits = strspn(value + (*value == '-'), "0123456789");

    return strcmp(value, "true") == 0 || strcmp(value, "false") == 0 ||
           (digits > 0 && digits <= DIGITS_MAX && !value[(*value == '-') + digits]);
}

/* A parameter as a member of an object: the same code compares it that compares bodies. */
static void check_parameter(const struct api_query *query, const struct api_parameter *parameter,
                            struct romsim_diagnostics *diagnostics)
{
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(1 << 20);
    CLEANUP_DOCUMENT struct romsim_document *document = NULL;
    const struct romsim_member members[] = {{query->name, query->shape, 0, NULL}, ROMSIM_END};
    const struct romsim_shape shape = {.kind = ROMSIM_SHAPE_OBJECT, .members = members};
    struct romsim_schema schema = {
        .diagnostics = diagnostics, .subject = "The query", .is_request = true};
    struct romsim_json out = {.text = &text};
    bool is_text =
        query->shape->kind == ROMSIM_SHAPE_STRING || query->shape->kind == ROMSIM_SHAPE_WORD;

    if (!is_text && is_bare(parameter->value)) {
        romsim_buffer_printf(&text, "{\"%s\": %s}", query->name, parameter->value);
    } else {
        romsim_json_open(&out, NULL, '{');
        romsim_json_string(&out, query->name, parameter->value);
        romsim_json_close(&out, '}');
    }
    if (text.failed || !(document = romsim_document_new("query", text.data, text.size)))
        return;
    romsim_document_demand_json(document);
    romsim_document_read(document, diagnostics);
    if (romsim_document_root_count(document) == 0)
        return;
    schema.document = document;
    romsim_schema_check(&schema, romsim_document_root(document, 0), &shape);
    romsim_buffer_reset(&schema.idle);
}

static const struct api_query *find_query(const struct api_route *route, const char *name)
{
    for (const struct api_query *query = route->query; query && query->name; query++)
        if (strcmp(query->name, name) == 0)
            return query;
    return NULL;
}

/* What stands for "{uuid}" has to be one. */
static bool check_uuid(struct api_request *request)
{
    const char *capture = strchr(request->route->path, '{');

    if (!capture || strncmp(capture, "{uuid}", 6) != 0 ||
        romsim_uuid_is_valid(request->captures[0]))
        return true;
    api_reply_fail(request, 400, ROMSIM_CLOUD_INVALID, "Invalid uuid '%s'",
                   QUOTE(request->captures[0]));
    return false;
}

bool request_check_query(struct exchange *exchange)
{
    struct api_request *request = &exchange->request;
    struct romsim_diagnostics diagnostics = {0};
    bool is_right;

    if (request->route->flags & API_HIDDEN)
        return true;
    if (!check_uuid(request))
        return false;
    for (size_t i = 0; i < request->parameter_count; i++) {
        const struct api_parameter *parameter = &request->parameters[i];
        const struct api_query *query = find_query(request->route, parameter->name);

        if (query)
            check_parameter(query, parameter, &diagnostics);
        else
            api_warn(request, "unknown_parameter",
                     "the query's '%s' is not known here, and ignored", QUOTE(parameter->name));
    }
    is_right = diagnostics.errors == 0;
    if (!is_right)
        reply_diagnostics(request, &diagnostics);
    romsim_diagnostics_clear(&diagnostics);
    return is_right;
}
