/* SPDX-License-Identifier: BSD-3-Clause */
/* registry.c: the registry's routes, its lists of names, and the form of its errors. */
#include "registry.h"

#include <romsim/bounds.h>
#include <romsim/buffer.h>
#include <romsim/checked.h>
#include <romsim/cleanup.h>
#include <romsim/strings.h>
#include <romsim/text.h>

#include <errno.h>
#include <stdarg.h>
#include <string.h>

/* ---- replies -----------------------------------------------------------------------------------
 */

void registry_header(struct api_request *request, const char *name, const char *format, ...)
{
    char value[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(value, sizeof(value), format, arguments);
    va_end(arguments);
    api_reply_header(request, name, value);
}

static void reply_json(struct api_request *request, unsigned http, const char *type, json_t *json)
{
    CLEANUP_FREE char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

    json_decref(json);
    if (!text)
        http = 503;
    api_reply_bytes(request, http, type, text ? text : "", text ? strlen(text) : 0);
}

void registry_json(struct api_request *request, const char *type, json_t *json)
{
    reply_json(request, 200, type, json);
}

void registry_fail(struct api_request *request, unsigned http, const char *code, const char *format,
                   ...)
{
    char text[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (http == 429 || http == 503)
        registry_header(request, "Retry-After", "5");
    reply_json(request, http, "application/json",
               json_pack("{s:[{s:s, s:s}]}", "errors", "code", code, "message", text));
}

void registry_error(struct api_request *request, const char *code, const struct romsim_error *err)
{
    CLEANUP_FREE char *text = romsim_error_text(err);
    const char *message = text ? text : err->message;

    switch (err->errnum) {
    case EFBIG:
        registry_fail(request, 413, "SIZE_INVALID", "%s", message);
        break;
    case EMSGSIZE:
        registry_fail(request, 400, "SIZE_INVALID", "%s", message);
        break;
    case ERANGE:
        registry_fail(request, 416, code, "%s", message);
        break;
    case EBUSY: /* a gc has the store, or there is too much at once */
        registry_fail(request, 429, "TOOMANYREQUESTS", "%s", message);
        break;
    case ENOMEM:
        registry_fail(request, 503, "UNKNOWN", "%s", message);
        break;
    case ENOSPC:
    case EDQUOT:
        registry_fail(request, 507, "UNKNOWN", "%s", message);
        break;
    case EUCLEAN:
    case EINVAL:
    case ENOENT:
    case EOPNOTSUPP:
        registry_fail(request, strcmp(code, "UNKNOWN") == 0 ? 500 : 400, code, "%s", message);
        break;
    default:
        registry_fail(request, 500, "UNKNOWN", "%s", message);
    }
}

void registry_done(struct api_request *request, unsigned http)
{
    api_reply_bytes(request, http, NULL, "", 0);
}

/* ---- lists of names ----------------------------------------------------------------------------
 */

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted, each once. */
static void sort_names(struct romsim_strings *names)
{
    size_t count = 0;

    if (names->count > 1)
        qsort(names->items, names->count, sizeof(*names->items), compare_names);
    for (size_t i = 0; i < names->count; i++)
        if (count > 0 && strcmp(names->items[count - 1], names->items[i]) == 0)
            free(names->items[i]);
        else
            names->items[count++] = names->items[i];
    names->count = count;
}

/* The repository of a name of the store, as the registry can be asked for it: as it is, or without
 * a registry that has a port.  NULL: it cannot, or there is no memory. */
static char *repository_of(const struct romsim_store_name *name)
{
    const char *tag = romsim_store_name_tag(name);
    char *whole = strndup(name->name, *tag ? (size_t)(tag - 1 - name->name) : strlen(name->name));
    char *bare = NULL;

    if (whole && registry_name_is_valid(whole))
        return whole;
    if (whole && registry_name_is_valid(romsim_store_without_registry(whole)))
        bare = strdup(romsim_store_without_registry(whole));
    free(whole);
    return bare;
}

/* What a list's page begins after and how many it has.  False: after a reply. */
static bool read_page(struct api_request *request, const char **ret_last, uint64_t *ret_count)
{
    const char *count = api_request_parameter(request, "n");
    const char *last = api_request_parameter(request, "last");

    *ret_count = UINT64_MAX;
    *ret_last = last ? last : "";
    if (!count || registry_parse_number(count, ret_count))
        return true;
    registry_fail(request, 400, "PAGINATION_NUMBER_INVALID", "'%s' is no number", QUOTE(count));
    return false;
}

/* A page of the names as the member `member` of a new object; the next one is a header. */
static json_t *page_json(struct api_request *request, const struct romsim_strings *names,
                         const char *member, const char *last, uint64_t count)
{
    json_t *page = json_array();
    size_t i = 0;

    while (i < names->count && *last && strcmp(names->items[i], last) <= 0)
        i++;
    for (; i < names->count && json_array_size(page) < count; i++)
        json_array_append_new(page, json_string(names->items[i]));
    /* The characters of names need no escaping. */
    if (i < names->count && json_array_size(page) > 0)
        registry_header(request, "Link", "</v2/%s?n=%zu&last=%s>; rel=\"next\"",
                        request->captures[0], json_array_size(page), names->items[i - 1]);
    return json_pack("{s:o}", member, page);
}

static void get_catalog(struct api_request *request, const struct registry_path *path)
{
    CLEANUP(romsim_strings_clear) struct romsim_strings repositories = {0};
    CLEANUP_STORES struct romsim_stores stores = {0};
    CLEANUP_STORE_NAMES struct romsim_store_names names = {0};
    struct romsim_error err;
    const char *last;
    uint64_t count;

    (void)path;
    if (!read_page(request, &last, &count))
        return;
    if (romsim_stores_open(&stores, &err) < 0 || romsim_stores_list(&stores, &names, &err) < 0) {
        registry_error(request, "UNKNOWN", &err);
        return;
    }
    for (size_t i = 0; i < names.count; i++) {
        char *repository = repository_of(&names.items[i]);

        if (repository)
            romsim_strings_take(&repositories, repository);
    }
    sort_names(&repositories);
    registry_json(request, "application/json",
                  page_json(request, &repositories, "repositories", last, count));
}

static void get_tags(struct api_request *request, const struct registry_path *path)
{
    CLEANUP(romsim_strings_clear) struct romsim_strings tags = {0};
    CLEANUP_STORES struct romsim_stores stores = {0};
    CLEANUP_STORE_NAMES struct romsim_store_names names = {0};
    struct romsim_error err;
    const char *last;
    uint64_t count;
    json_t *object;

    if (!read_page(request, &last, &count))
        return;
    if (romsim_stores_open(&stores, &err) < 0 || romsim_stores_list(&stores, &names, &err) < 0) {
        registry_error(request, "UNKNOWN", &err);
        return;
    }
    for (size_t i = 0; i < names.count; i++)
        if (romsim_store_name_is_of(&names.items[i], path->name) &&
            registry_tag_is_valid(romsim_store_name_tag(&names.items[i])))
            romsim_strings_append(&tags, romsim_store_name_tag(&names.items[i]));
    if (tags.count == 0) {
        registry_fail(request, 404, "NAME_UNKNOWN", "there is no repository '%s'", path->name);
        return;
    }
    sort_names(&tags);
    object = page_json(request, &tags, "tags", last, count);
    json_object_set_new(object, "name", json_string(path->name));
    registry_json(request, "application/json", object);
}

static void get_base(struct api_request *request, const struct registry_path *path)
{
    (void)path;
    registry_json(request, "application/json", json_object());
}

static void refuse_deleting(struct api_request *request, const struct registry_path *path)
{
    (void)path;
    registry_fail(request, 405, "UNSUPPORTED",
                  "blobs go when nothing leads to them any more: romsim image gc");
}

/* ---- which one ---------------------------------------------------------------------------------
 */

static const struct {
    enum registry_kind kind;
    enum api_method method;
    registry_handler *handle;
} operations[] = {
    {REGISTRY_BASE, API_GET, get_base},
    {REGISTRY_CATALOG, API_GET, get_catalog},
    {REGISTRY_TAGS, API_GET, get_tags},
    {REGISTRY_MANIFEST, API_GET, registry_get_manifest},
    {REGISTRY_MANIFEST, API_PUT, registry_put_manifest},
    {REGISTRY_MANIFEST, API_DELETE, registry_delete_manifest},
    {REGISTRY_BLOB, API_GET, registry_get_blob},
    {REGISTRY_BLOB, API_DELETE, refuse_deleting},
    {REGISTRY_REFERRERS, API_GET, registry_get_referrers},
    {REGISTRY_UPLOADS, API_POST, registry_start_upload},
    {REGISTRY_UPLOAD, API_GET, registry_look_at_upload},
    {REGISTRY_UPLOAD, API_PATCH, registry_append_chunk},
    {REGISTRY_UPLOAD, API_PUT, registry_finish_upload},
    {REGISTRY_UPLOAD, API_DELETE, registry_cancel_upload},
};

/* The handler of a request.  NULL: after a reply. */
static registry_handler *find_operation(struct api_request *request,
                                        const struct registry_path *path)
{
    registry_handler *handle = NULL;
    bool is_known = false;

    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        if (operations[i].kind != path->kind)
            continue;
        is_known = true;
        if (operations[i].method == request->method)
            handle = operations[i].handle;
    }
    if (!is_known)
        registry_fail(request, 404, "UNSUPPORTED", "there is nothing at '%s'",
                      QUOTE(request->path));
    else if (!handle)
        registry_fail(request, 405, "UNSUPPORTED", "'%s' does not take this method",
                      QUOTE(request->path));
    if (!handle || path->kind == REGISTRY_BASE || path->kind == REGISTRY_CATALOG ||
        path->is_name_valid)
        return handle;
    registry_fail(request, request->method == API_GET ? 404 : 400, "NAME_INVALID",
                  "'%s' has no valid name: words of a-z and 0-9 with one of . _ __ - between them",
                  QUOTE(request->path));
    return NULL;
}

static registry_handler *begin(struct api_request *request, struct registry_path *path)
{
    api_reply_header(request, "Docker-Distribution-API-Version", "registry/2.0");
    registry_path_parse(request->captures[0] ? request->captures[0] : "", path);
    return find_operation(request, path);
}

static void handle(struct api_request *request)
{
    struct registry_path path;
    registry_handler *handler = begin(request, &path);

    if (handler)
        handler(request, &path);
}

/* A body goes to a file: a manifest's to memory, the others to where it becomes a blob. */
static int open_body(struct api_request *request)
{
    struct registry *registry = api_registry(request->api);
    struct registry_body *body;
    struct registry_path path;
    struct romsim_error err;
    int fd = -1;

    if (!begin(request, &path))
        return -1;
    body = registry_body_begin(registry, path.name, &err);
    if (body)
        fd = path.kind == REGISTRY_MANIFEST ? romsim_blob_scratch_memfd(&err)
                                            : romsim_store_scratch(&err);
    if (fd < 0) {
        registry_body_end(body);
        registry_error(request, "UNKNOWN", &err);
        return -1;
    }
    request->context = body;
    request->free_context = registry_body_end;
    request->body_maximum =
        path.kind == REGISTRY_MANIFEST
            ? max_u64(REGISTRY_MANIFEST_MAX, romsim_bound(ROMSIM_BOUND_IMAGE_JSON))
            : romsim_bound(ROMSIM_BOUND_FILE_BYTES);
    return fd;
}

static void handle_body(struct api_request *request)
{
    struct registry_path path;
    registry_handler *handler;

    registry_path_parse(request->captures[0] ? request->captures[0] : "", &path);
    handler = find_operation(request, &path);
    if (handler)
        handler(request, &path);
}

const struct api_route api_registry_routes[] = {
    {.method = API_GET, .path = "/v2", .handle = handle, .flags = API_HIDDEN},
    {.method = API_GET, .path = "/v2/{rest...}", .handle = handle, .flags = API_HIDDEN},
    {.method = API_DELETE, .path = "/v2/{rest...}", .handle = handle, .flags = API_HIDDEN},
    {.method = API_POST,
     .path = "/v2/{rest...}",
     .handle = handle_body,
     .flags = API_HIDDEN,
     .open_body = open_body},
    {.method = API_PATCH,
     .path = "/v2/{rest...}",
     .handle = handle_body,
     .flags = API_HIDDEN,
     .open_body = open_body},
    {.method = API_PUT,
     .path = "/v2/{rest...}",
     .handle = handle_body,
     .flags = API_HIDDEN,
     .open_body = open_body},
    {0},
};
