/* SPDX-License-Identifier: BSD-3-Clause */
/* listing.c: which of all there are a GET shows (cloud-api §1.3). */
#include "listing.h"

#include <romsim/cleanup.h>
#include <romsim/text.h>
#include <romsim/uuid.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* ---- tags --------------------------------------------------------------------------------------
 */

static bool has_tag(const json_t *item, const char *tag)
{
    const json_t *tags = json_object_get(item, "tags");

    for (size_t i = 0; i < json_array_size(tags); i++)
        if (strcmp(json_string_value(json_array_get(tags, i)) ?: "", tag) == 0)
            return true;
    return false;
}

/* A tag as it was sent, up to a comma: one in it would be escaped. */
static bool has_raw_tag(const json_t *item, const char *raw, size_t size)
{
    CLEANUP_FREE char *tag = strndup(raw, size);

    return !tag || api_unescape(tag) <= 0 || has_tag(item, tag);
}

static bool has_tags(const struct api_request *request, const json_t *item)
{
    for (size_t i = 0; i < request->parameter_count; i++) {
        const char *raw = request->parameters[i].raw;

        if (strcmp(request->parameters[i].name, "tags") != 0)
            continue;
        for (size_t size;; raw += size + 1) {
            size = strcspn(raw, ",");
            if (!has_raw_tag(item, raw, size))
                return false;
            if (!raw[size])
                break;
        }
    }
    return true;
}

/* "2026-05-28T13:53:40Z", with parts of a second or an offset.  False if it is no such time. */
static bool parse_time(const char *text, int64_t *ret)
{
    struct tm time = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &time);
    unsigned hours, minutes;
    char sign;
    int used = 0;

    if (rest && *rest == '.')
        rest += 1 + strspn(rest + 1, "0123456789");
    if (!rest)
        return false;
    *ret = timegm(&time);
    if (strcasecmp(rest, "Z") == 0 || !*rest)
        return true;
    if (sscanf(rest, "%c%2u:%2u%n", &sign, &hours, &minutes, &used) != 3 || rest[used] ||
        (sign != '+' && sign != '-'))
        return false;
    *ret -= (sign == '+' ? 60 : -60) * (int64_t)(hours * 60 + minutes);
    return true;
}

/* ---- the list ----------------------------------------------------------------------------------
 */

bool listing_has_details(const struct api_request *request)
{
    const char *text = api_request_parameter(request, "details");

    return !text || strcmp(text, "false") != 0;
}

/* False: after a reply. */
static bool read_from(struct api_request *request, struct listing *ret)
{
    const char *text = api_request_parameter(request, "from");

    ret->has_begun = !text || !*text;
    if (ret->has_begun)
        return true;
    if (romsim_uuid_is_valid(text)) {
        ret->from_uuid = text;
        return true;
    }
    if (parse_time(text, &ret->from_time))
        return true;
    api_reply_fail(request, 400, ROMSIM_CLOUD_INVALID,
                   "Invalid from '%s' (a UUID, or a time such as 2026-05-28T13:53:40Z)",
                   QUOTE(text));
    return false;
}

int listing_read(struct api_request *request, struct listing *ret)
{
    const char *order = api_request_parameter(request, "order");
    const char *count = api_request_parameter(request, "count");
    struct listing listing = {.request = request,
                              .is_descending = order && strcmp(order, "desc") == 0,
                              .most = count ? strtoul(count, NULL, 10) : 0,
                              .has_details = listing_has_details(request)};

    if (!read_from(request, &listing))
        return -1;
    *ret = listing;
    return 0;
}

size_t listing_index(const struct listing *listing, size_t number, size_t count)
{
    return listing->is_descending ? count - 1 - number : number;
}

static bool is_beginning(const struct listing *listing, const char *uuid, int64_t created_at)
{
    if (listing->from_uuid)
        return strcasecmp(uuid, listing->from_uuid) == 0;
    return listing->is_descending ? created_at <= listing->from_time
                                  : created_at >= listing->from_time;
}

bool listing_takes(struct listing *listing, const char *uuid, int64_t created_at,
                   const json_t *item)
{
    if (listing->most && listing->taken == listing->most)
        return false;
    listing->has_begun = listing->has_begun || is_beginning(listing, uuid, created_at);
    if (!listing->has_begun || !has_tags(listing->request, item))
        return false;
    listing->taken++;
    return true;
}
