/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * group.h: service groups: ports that instances publish, under a name of its own (cloud-api §1.3).
 *
 * A group is an entry of the ledger, an object with `name`, `uuid`, `created_at`, `persistent`,
 * `services` (port, destination_port, handlers), `domains` (fqdn, certificate), `soft_limit`,
 * `hard_limit` and, if it has them, `autokill` and `autoscale`.  One that was made with an instance
 * is not persistent: it goes with the last instance that is in it.
 *
 * Ports are forwarded for each instance by itself; what else a group does in the cloud (balancing,
 * limits, domains, scaling) is kept and shown, not simulated.
 */
#ifndef ROMSIM_GROUP_H
#define ROMSIM_GROUP_H

#include <romsim/ledger.h>

#define ROMSIM_METRO_DEFAULT "local"

enum { ROMSIM_GROUP_DOMAINS_MAX = 32, ROMSIM_GROUP_LIMIT_MAX = 65535 };

/*
 * Makes a group of what POST /v1/services takes; its shape and its services have been checked.
 * Without a `name` it gets a random one, without `domains` one in the metro.  `ret_use` as in
 * romsim_ledger_add().  A new reference, or NULL.
 */
json_t *romsim_group_new(const json_t *request, const char *metro, bool is_persistent, int *ret_use,
                         struct romsim_error *err);

/*
 * Changes one property of a group as PATCH /v1/services does: `services`, `domains`, `soft_limit`,
 * `hard_limit` or `autokill` by "set", "add" or "del".  The shape of a value is checked by the
 * caller before, and the services that come of it afterwards.  Returns 0 or -1.
 */
int romsim_group_edit(json_t *group, const json_t *edit, const char *metro,
                      struct romsim_error *err);

/* Is this domain that of a certificate, or one of those that its "*." stands for? */
bool romsim_group_domain_matches(const char *common_name, const char *fqdn);

#endif
