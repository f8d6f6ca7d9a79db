/* SPDX-License-Identifier: BSD-3-Clause */
/* get_request.h: the request that makes an instance like one that there is. */
#ifndef ROMSIM_CLI_GET_REQUEST_H
#define ROMSIM_CLI_GET_REQUEST_H

#include <jansson.h>

/* A body for POST /v1/instances of an item of GET's, this machine's or the cloud's: a new
 * reference, or NULL after a report.  What the item does not tell (the files of an inline ROM, the
 * ports of a service) is warned of. */
json_t *get_request(const json_t *item);

#endif
