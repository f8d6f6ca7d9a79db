/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * page.h: what the page asks for.  Its routes are no part of the cloud's API, nor of what is
 * promised to others:
 *
 *     GET /                                                the page, /page/... its files
 *     GET /romsim/events                                   all instances, as they change
 *     GET /romsim/instances/{uuid}/console?offset=         its console, as it goes on
 *     GET /romsim/instances/{uuid}/plan                    its layout
 *     GET /romsim/instances/{uuid}/images/{device}         an image: its digest, what it is
 *     GET /romsim/instances/{uuid}/images/{device}/list?path=&cursor=
 *     GET /romsim/instances/{uuid}/images/{device}/file?path=&offset=&size=
 *
 *     page.c       the files, and the table of routes
 *     events.c     streams of events
 *     look.c       plans and images
 */
#ifndef ROMSIM_API_PAGE_H
#define ROMSIM_API_PAGE_H

#include "api.h"

#include <romsim/link.h>

/* A link to the instance whose UUID is the request's first capture.  NULL after a reply. */
struct romsim_link *page_link(struct api_request *request);

/* A number of the query, up to `most`; `absent` if it is not there.  False: after a reply. */
bool page_number(struct api_request *request, const char *name, int64_t least, int64_t most,
                 int64_t absent, int64_t *ret);

api_handler page_events, page_console, page_plan, page_image, page_list, page_file;

/* ---- events.c ----------------------------------------------------------------------------------
 *
 * The consoles that are followed: one thread reads from all their keepers.
 */

struct consoles;
struct consoles *consoles_new(struct romsim_error *err);
void consoles_free(struct consoles *consoles); /* ends all of them; accepts NULL */

#endif
