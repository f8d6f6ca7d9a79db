/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ledger.h: what users have named and romsim keeps for them in its data folder, in words alone:
 * service groups and certificates.
 *
 *     $XDG_DATA_HOME/romsim/service-groups/       (or certificates/)
 *         lock               held while something below is read or written
 *         entries/<name>/    record.json; users, whose lock who uses the entry holds
 *
 * Theory of operation: an entry is a JSON object with a `uuid` and a `created_at` (seconds since
 * 1970) of the ledger's and whatever else its owner has put in; its `name` is its folder's.  Who
 * uses an entry holds a shared lock (flock) on its file `users`, which goes with the last process
 * that has the descriptor, however it dies.  An entry that is used cannot be removed; one that is
 * not persistent goes with its last user: it is swept when somebody looks at the ledger next.
 */
#ifndef ROMSIM_LEDGER_H
#define ROMSIM_LEDGER_H

#include <romsim/error.h>

#include <jansson.h>

#include <stdbool.h>

enum romsim_ledger { ROMSIM_LEDGER_GROUPS, ROMSIM_LEDGER_CERTIFICATES };

/* How many entries there can be, persistent ones and others. */
enum { ROMSIM_LEDGER_MAX = 1000 };

/* All entries, by creation, then by UUID: a new array.  Damaged ones are passed over.  NULL on
 * failure. */
json_t *romsim_ledger_list(enum romsim_ledger ledger, struct romsim_error *err);

/* The entry of that name or, with `name` NULL, that UUID: a new reference.  NULL: ENOENT and
 * ROMSIM_CLOUD_NOT_FOUND, in the cloud's words, if there is none. */
json_t *romsim_ledger_find(enum romsim_ledger ledger, const char *name, const char *uuid,
                           struct romsim_error *err);

/*
 * Makes an entry, and takes the reference (NULL: ENOMEM); "persistent" is set in it.  With
 * `ret_use` it is used from its beginning, as by romsim_ledger_use().  EEXIST and
 * ROMSIM_CLOUD_ALREADY_EXISTS if there is one of that name; ROMSIM_CLOUD_QUOTA if there are too
 * many.  Returns a new reference to the entry as it is kept, or NULL.
 */
json_t *romsim_ledger_add(enum romsim_ledger ledger, const char *name, json_t *entry,
                          bool is_persistent, int *ret_use, struct romsim_error *err);

/* Finds an entry, and has it used until the descriptor *ret_use is closed in all processes that
 * have it. */
json_t *romsim_ledger_use(enum romsim_ledger ledger, const char *name, const char *uuid,
                          int *ret_use, struct romsim_error *err);

/* Finds an entry and has `change` change it, while nobody else does; nothing is written if that
 * returns -1.  A new reference to what it is then, or NULL. */
typedef int romsim_ledger_changer(void *context, json_t *entry, struct romsim_error *err);
json_t *romsim_ledger_change(enum romsim_ledger ledger, const char *name, const char *uuid,
                             romsim_ledger_changer *change, void *context,
                             struct romsim_error *err);

/* Removes an entry and returns what it was, a new reference.  EBUSY and ROMSIM_CLOUD_ATTACHED if
 * it is used. */
json_t *romsim_ledger_remove(enum romsim_ledger ledger, const char *name, const char *uuid,
                             struct romsim_error *err);

/* Removes what was used and is not any more, as every look at the ledger does. */
void romsim_ledger_sweep(enum romsim_ledger ledger);

#endif
