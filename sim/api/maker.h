/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * maker.h: making instances from requests, in processes of their own.
 *
 * Theory of operation: the body of a POST is foreign from its first byte to the last inline file,
 * and making an instance forks, which a process with threads and a heap of state had better not.
 * So the server starts its own program again, hands it the body, and gets a JSON text with what has
 * become of it.  At most some makers run at a time, the others' requests wait; each is awaited by
 * one of as many threads.  The instances are their keepers' from the moment that they are there,
 * and live on whether or not the maker, the client or the server does.
 */
#ifndef ROMSIM_API_MAKER_H
#define ROMSIM_API_MAKER_H

#include <romsim/api.h>

#include <jansson.h>

struct makers;

/* The options are borrowed until makers_free(), which kills those that still run. */
struct makers *makers_new(const struct romsim_api_options *options, struct romsim_error *err);
void makers_free(struct makers *makers); /* accepts NULL */

/*
 * What a maker has made of a body; called in one of the makers' threads.  Of the answer (borrowed)
 * these are there:
 *
 *     instances  for each instance, in order: {name, uuid, timeout_s}, or {name, error} if it is
 *                none
 *     warnings   texts
 *     error      of the whole: {code, errno, message, hint}; then there is no instance
 *
 * NULL: the server ends before it was made, or the maker died; why is in *err.
 */
typedef void maker_told(void *context, const json_t *answer, const struct romsim_error *err);

/* Has the instances of a body made, when it is its turn.  The body is borrowed until `told` is
 * called, which it is once in any case. */
void makers_make(struct makers *makers, const char *body, size_t size, maker_told *told,
                 void *context);

#endif
