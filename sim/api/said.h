/* SPDX-License-Identifier: BSD-3-Clause */
/* said.h: which things a request means and what it says of them, by path, query or body. */
#ifndef ROMSIM_API_SAID_H
#define ROMSIM_API_SAID_H

#include "api.h"

/*
 * What a request says of which things, as new objects with a `uuid` or a `name`: the UUID of its
 * path, or the body's objects and those that the query's `uuid` and `name` name, in that order;
 * what else the query says holds for all that do not say otherwise.  NULL after a reply: nothing
 * is asked for (unless `may_be_none`), too much is, or a UUID is none.
 */
json_t *said_read(struct api_request *request, bool may_be_none);

/* A member's text, or NULL. */
const char *said_text(const json_t *said, const char *member);

/* The answer's item of something that failed, by what it was asked by. */
json_t *said_error(const json_t *said, const struct romsim_error *err);

/* Has a value the shape that something else in the request asks for?  `name` is what it is called
 * in messages.  Returns 0 or -1. */
int said_check(const json_t *value, const char *name, const struct romsim_shape *shape,
               struct romsim_error *err);

#endif
