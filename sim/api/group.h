/* SPDX-License-Identifier: BSD-3-Clause */
/* group.h: what the files of service groups, their scaling and their certificates share. */
#ifndef ROMSIM_API_GROUP_H
#define ROMSIM_API_GROUP_H

#include "api.h"

#include <romsim/group.h>

/* An entry of a ledger by what a request says, for its name or UUID. */
json_t *group_find(enum romsim_ledger ledger, const json_t *said, struct romsim_error *err);

/* "uuid" and "name" of an entry, with status "success". */
json_t *group_reference(const json_t *entry);

/* Its `created_at` as the cloud writes it: a new reference. */
json_t *group_time(const json_t *entry);

/* Replies with the entries of a ledger: those that are meant, or all, as a list.  `show` makes an
 * item of one; the context is `begin`'s, once for all (NULL: none). */
typedef json_t *group_shower(const json_t *entry, const json_t *context, bool has_details);
void group_reply(struct api_request *request, enum romsim_ledger ledger, group_shower *show,
                 json_t *context);

#endif
