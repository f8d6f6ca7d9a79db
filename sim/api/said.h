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

/*
 * The same of a body whose objects are about something new, and say with the member `from` what it
 * is made of: each comes with the `uuid` or `name` that stood there, and with its own `name` as
 * `new_name`.
 */
json_t *said_read_sources(struct api_request *request);

/* The UUID of the request's path, where nothing else is said; NULL after a reply: it is none. */
const char *said_path(struct api_request *request);

/* A member's text, or NULL. */
const char *said_text(const json_t *said, const char *member);

/* The answer's item of something that failed, by what it was asked by. */
json_t *said_error(const json_t *said, const struct romsim_error *err);

/* Does something to each that a request means, and replies with what comes of it: an item with its
 * "status", or NULL and why. */
typedef json_t *said_actor(struct api_request *request, const json_t *said,
                           struct romsim_error *err);
void said_each(struct api_request *request, said_actor *act);

/* The same for what has been read: said_read()'s list, which stays the caller's. */
void said_reply(struct api_request *request, const json_t *said, said_actor *act);

/* An object to be made has neither `uuid` nor a path: the body's objects as they are. */
void said_make(struct api_request *request, said_actor *make);

/* Has a value the shape that something else in the request asks for?  `name` is what it is called
 * in messages.  Returns 0 or -1. */
int said_check(const json_t *value, const char *name, const struct romsim_shape *shape,
               struct romsim_error *err);

#endif
