/* SPDX-License-Identifier: BSD-3-Clause */
/* reply.c: replies: the cloud's envelope (cloud-api §1.2), bytes, files. */
#include "server.h"

#include <romsim/cleanup.h>
#include <romsim/clock.h>
#include <romsim/text.h>

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- headers and bytes -------------------------------------------------------------------------
 */

void api_reply_header(struct api_request *request, const char *name, const char *value)
{
    struct exchange *exchange = exchange_of(request);
    struct reply_header header = {strdup(name), strdup(value)};

    if (header.name && header.value && reply_headers_append(&exchange->extra, header) == 0)
        return;
    free(header.name);
    free(header.value);
}

static bool has_extra(const struct exchange *exchange, const char *name)
{
    for (size_t i = 0; i < exchange->extra.count; i++)
        if (strcasecmp(exchange->extra.items[i].name, name) == 0)
            return true;
    return false;
}

void reply_send(struct exchange *exchange, unsigned http, const char *type,
                struct MHD_Response *response)
{
    if (response) {
        for (size_t i = 0; i < exchange->extra.count; i++)
            MHD_add_response_header(response, exchange->extra.items[i].name,
                                    exchange->extra.items[i].value);
        if (type)
            MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
        if (!has_extra(exchange, MHD_HTTP_HEADER_CACHE_CONTROL))
            MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
        MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    }
    exchange_reply(exchange, http, response);
}

void api_reply_bytes(struct api_request *request, unsigned http, const char *type,
                     const void *bytes, size_t size)
{
    reply_send(exchange_of(request), http, type,
               MHD_create_response_from_buffer(size, (void *)bytes, MHD_RESPMEM_MUST_COPY));
}

void api_reply_file(struct api_request *request, unsigned http, const char *type, int fd,
                    uint64_t offset, uint64_t size)
{
    struct MHD_Response *response = MHD_create_response_from_fd_at_offset64(size, fd, offset);

    if (!response)
        close(fd);
    reply_send(exchange_of(request), http, type, response);
}

/* Takes the text. */
static void send_json(struct api_request *request, unsigned http, char *text)
{
    struct MHD_Response *response =
        text ? MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE) : NULL;

    if (!response)
        free(text);
    reply_send(exchange_of(request), http, "application/json", response);
}

/* ---- the envelope ------------------------------------------------------------------------------
 */

json_t *api_text_json(const char *text)
{
    size_t size = strlen(text), valid = 0, length;

    while ((length = romsim_utf8_length(text + valid, size - valid)))
        valid += length;
    return json_stringn(text, valid);
}

void api_warn(struct api_request *request, const char *type, const char *format, ...)
{
    struct exchange *exchange = exchange_of(request);
    char text[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (!exchange->warnings)
        exchange->warnings = json_array();
    json_array_append_new(exchange->warnings,
                          json_pack("{s:s, s:o}", "type", type, "message", api_text_json(text)));
}

/* Renders and takes both. */
static char *render(struct api_request *request, const char *status, const char *message,
                    json_t *data, json_t *errors)
{
    const struct exchange *exchange = exchange_of(request);
    json_t *envelope = json_pack("{s:s, s:o*, s:o*, s:o*, s:O*}", "status", status, "message",
                                 message ? api_text_json(message) : NULL, "data", data, "errors",
                                 errors, "warnings", exchange->warnings);
    char *text;

    json_object_set_new(envelope, "op_time_us",
                        json_integer((json_int_t)(romsim_clock_us() - exchange->start_us)));
    text = envelope ? json_dumps(envelope, JSON_COMPACT) : NULL;
    json_decref(envelope);
    return text;
}

static bool has_status(const json_t *item, const char *status)
{
    const char *has = json_string_value(json_object_get(item, "status"));

    return has && strcmp(has, status) == 0;
}

char *api_envelope(struct api_request *request, json_t *items, const char *message)
{
    size_t count = json_array_size(items), good = 0;
    const char *first = NULL;

    if (!items)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(items, i);

        if (has_status(item, "success"))
            good++;
        else if (!first)
            first = json_string_value(json_object_get(item, "message"));
    }
    return render(request,
                  message         ? "error"
                  : good == count ? "success"
                  : good          ? "partial_success"
                                  : "error",
                  message ?: first, json_pack("{s:o}", request->route->list, items), NULL);
}

void api_reply_items(struct api_request *request, json_t *items)
{
    send_json(request, 200, api_envelope(request, items, NULL));
}

void api_reply_rendered(struct api_request *request, const struct romsim_buffer *items)
{
    const struct exchange *exchange = exchange_of(request);
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(SIZE_MAX);
    CLEANUP_FREE char *warnings =
        exchange->warnings ? json_dumps(exchange->warnings, JSON_COMPACT) : NULL;

    romsim_buffer_printf(&text, "{\"status\":\"success\",\"data\":{\"%s\":[", request->route->list);
    if (items->size)
        romsim_buffer_append(&text, items->data, items->size);
    romsim_buffer_printf(&text, "]}%s%s,\"op_time_us\":%llu}", warnings ? ",\"warnings\":" : "",
                         warnings ? warnings : "",
                         (unsigned long long)(romsim_clock_us() - exchange->start_us));
    send_json(request, 200, items->failed ? NULL : romsim_buffer_steal(&text));
}

void api_reply_data(struct api_request *request, json_t *data)
{
    send_json(request, 200, data ? render(request, "success", NULL, data, NULL) : NULL);
}

/* ---- errors ------------------------------------------------------------------------------------
 */

unsigned api_http_status(const struct romsim_error *err)
{
    switch (err->cloud) {
    case ROMSIM_CLOUD_NOT_FOUND:
    case ROMSIM_CLOUD_NO_API_ENDPOINT:
        return 404;
    case ROMSIM_CLOUD_WRONG_METHOD:
        return 405;
    case ROMSIM_CLOUD_NOT_ALLOWED:
        return 403;
    case ROMSIM_CLOUD_ALREADY_EXISTS:
    case ROMSIM_CLOUD_ATTACHED:
    case ROMSIM_CLOUD_NOT_ATTACHED:
    case ROMSIM_CLOUD_WRONG_VM_STATE:
        return 409;
    case ROMSIM_CLOUD_TIMED_OUT:
        return 504;
    case ROMSIM_CLOUD_NOT_SUPPORTED:
        return 501;
    case ROMSIM_CLOUD_UNKNOWN_ERROR:
    case ROMSIM_CLOUD_FAILED_OPERATION:
        return err->errnum == ENOMEM ? 503 : 500;
    default:
        return 400;
    }
}

/* Under /v2/ clients of registries ask, who know other codes (OCI distribution-spec 1.1). */
static const char *registry_code(const struct api_request *request, unsigned http)
{
    const char *path = request->path ?: "";

    if (strncmp(path, "/v2", 3) != 0 || (path[3] && path[3] != '/'))
        return NULL;
    return http == 401   ? "UNAUTHORIZED"
           : http == 403 ? "DENIED"
           : http == 404 ? "NAME_UNKNOWN"
           : http == 405 ? "UNSUPPORTED"
           : http == 413 ? "SIZE_INVALID"
                         : "UNKNOWN";
}

void reply_failure(struct api_request *request, unsigned http, enum romsim_cloud_code code,
                   const char *text)
{
    const char *word = registry_code(request, http);
    json_t *errors = word ? json_pack("[{s:s, s:o}]", "code", word, "message", api_text_json(text))
                          : json_pack("[{s:i, s:i}]", "status", (int)http, "error", (int)code);

    send_json(request, http, render(request, "error", text, NULL, errors));
}

void api_reply_error(struct api_request *request, unsigned http, const struct romsim_error *err)
{
    CLEANUP_FREE char *text = romsim_error_text(err);

    reply_failure(request, http, err->cloud, text ? text : err->message);
}

void api_reply_fail(struct api_request *request, unsigned http, enum romsim_cloud_code code,
                    const char *format, ...)
{
    CLEANUP_FREE char *text = NULL;
    va_list arguments;
    int size;

    va_start(arguments, format);
    size = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (size < 0)
        text = NULL;
    reply_failure(request, http, code, text ? text : "out of memory");
}

/* ---- items -------------------------------------------------------------------------------------
 */

json_t *api_item_error(const char *key, const char *value, const struct romsim_error *err)
{
    CLEANUP_FREE char *text = romsim_error_text(err);

    return json_pack("{s:s, s:s*, s:o, s:i}", "status", "error", key, value, "message",
                     api_text_json(text ? text : err->message), "error", (int)err->cloud);
}

json_t *api_item_success(json_t *item)
{
    json_object_set_new(item, "status", json_string("success"));
    return item;
}
