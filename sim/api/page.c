/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * page.c: the page at `/`: its files, which are in the program as they are in sim/api/page/, and
 * the routes of all that it asks for (page.h).
 *
 * What the page shows comes from guests, images and requests.  It makes text of it and never
 * markup; if it did, the policy here would have the browser run nothing of it and send nothing
 * anywhere.
 */
#include "page.h"

#include "roll.h"

#include <romsim/embed.h>
#include <romsim/text.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

ROMSIM_EMBED(page_index, "sim/api/page/index.html");
ROMSIM_EMBED(page_style, "sim/api/page/style.css");
ROMSIM_EMBED(page_script, "sim/api/page/script.js");
ROMSIM_EMBED(page_icon, "sim/api/page/icon.svg");

static const struct {
    const char *path, *type, *bytes, *end;
} files[] = {
    {"/", "text/html; charset=utf-8", page_index, page_index_end},
    {"/page/style.css", "text/css; charset=utf-8", page_style, page_style_end},
    {"/page/script.js", "text/javascript; charset=utf-8", page_script, page_script_end},
    {"/page/icon.svg", "image/svg+xml", page_icon, page_icon_end},
};

static const char policy[] = "default-src 'none'; script-src 'self'; style-src 'self'; "
                             "connect-src 'self'; img-src 'self' data:; base-uri 'none'; "
                             "form-action 'none'; frame-ancestors 'none'; "
                             "require-trusted-types-for 'script'";

static void give_file(struct api_request *request)
{
    size_t i = 0;

    while (strcmp(files[i].path, request->route->path) != 0)
        i++;
    api_reply_header(request, "Content-Security-Policy", policy);
    api_reply_header(request, "Referrer-Policy", "no-referrer");
    api_reply_header(request, "Cross-Origin-Opener-Policy", "same-origin");
    api_reply_header(request, "Cross-Origin-Resource-Policy", "same-origin");
    /* The next program that listens here may have another page. */
    api_reply_header(request, "Cache-Control", "no-cache");
    api_reply_bytes(request, 200, files[i].type, files[i].bytes,
                    (size_t)(files[i].end - files[i].bytes));
}

/* ---- what its other routes share ---------------------------------------------------------------
 */

struct romsim_link *page_link(struct api_request *request)
{
    const char *uuid = request->captures[0] ?: "";
    struct roll_entry *entry = roll_find(api_roll(request->api), NULL, uuid);
    struct romsim_error err = {0};
    struct romsim_link *link;

    if (!entry) {
        api_reply_fail(request, 404, ROMSIM_CLOUD_NOT_FOUND, "No instance with uuid '%s'",
                       QUOTE(uuid));
        return NULL;
    }
    link = romsim_link_open_name(entry->name, &err);
    roll_entry_free(entry);
    if (!link)
        api_reply_error(request, api_http_status(&err), &err);
    return link;
}

bool page_number(struct api_request *request, const char *name, int64_t least, int64_t most,
                 int64_t absent, int64_t *ret)
{
    const char *text = api_request_parameter(request, name);
    long long value;
    char *end;

    *ret = absent;
    if (!text)
        return true;
    errno = 0;
    value = strtoll(text, &end, 10);
    if (end == text || *end || errno || value < least || value > most) {
        api_reply_fail(request, 400, ROMSIM_CLOUD_INVALID, "'%s' is '%s', which is none", name,
                       QUOTE(text));
        return false;
    }
    *ret = value;
    return true;
}

#define FILE_ROUTE(path_)                                                                          \
    {                                                                                              \
        .method = API_GET, .path = (path_), .handle = give_file,                                   \
        .flags = API_OPEN | API_QUICK | API_HIDDEN                                                 \
    }

#define INSTANCE "/romsim/instances/{uuid}"

const struct api_route api_page_routes[] = {
    FILE_ROUTE("/"),
    FILE_ROUTE("/page/style.css"),
    FILE_ROUTE("/page/script.js"),
    FILE_ROUTE("/page/icon.svg"),
    {API_GET, "/romsim/events", page_events, .flags = API_HIDDEN},
    {API_GET, INSTANCE "/console", page_console, .flags = API_HIDDEN},
    {API_GET, INSTANCE "/plan", page_plan, .flags = API_HIDDEN},
    {API_GET, INSTANCE "/images/{device}", page_image, .flags = API_HIDDEN},
    {API_GET, INSTANCE "/images/{device}/list", page_list, .flags = API_HIDDEN},
    {API_GET, INSTANCE "/images/{device}/file", page_file, .flags = API_HIDDEN},
    {.path = NULL},
};
