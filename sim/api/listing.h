/* SPDX-License-Identifier: BSD-3-Clause */
/* listing.h: which of all there are a GET shows: `from`, `count`, `order`, `tags`, `details`. */
#ifndef ROMSIM_API_LISTING_H
#define ROMSIM_API_LISTING_H

#include "api.h"

struct listing {
    const struct api_request *request;
    bool has_details, is_descending;
    size_t most, taken; /* most 0: all */
    bool has_begun;
    const char *from_uuid; /* or, if it has not begun, */
    int64_t from_time;
};

bool listing_has_details(const struct api_request *request);

/* Returns 0, or -1 after a reply. */
int listing_read(struct api_request *request, struct listing *ret);

/* The place, among `count` by their creation, of the one that is the list's `number`th. */
size_t listing_index(const struct listing *listing, size_t number, size_t count);

/* Called with each in the list's order: is it shown?  `item` has its `tags`, if it has any. */
bool listing_takes(struct listing *listing, const char *uuid, int64_t created_at,
                   const json_t *item);

#endif
