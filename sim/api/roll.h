/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * roll.h: the instances of this machine, as each last said of itself.
 *
 * Theory of operation: a thread of its own has a link to each keeper, which tells it of every
 * change (request "watch"), and looks at the folder of the instances for those that come and go.
 * So a GET asks nobody, and who waits for a state is told.  An entry never changes: the next one
 * takes its place.  Items are shared by threads, and so must not be changed: json_copy() first.
 */
#ifndef ROMSIM_API_ROLL_H
#define ROMSIM_API_ROLL_H

#include <romsim/error.h>
#include <romsim/uuid.h>

#include <jansson.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct roll;

struct roll_entry {
    char *name;
    char uuid[ROMSIM_UUID_SIZE];
    int64_t created_at;
    int64_t created_us; /* to tell those of one second; 0 if its keeper does not say */
    json_t *item;       /* of GET /v1/instances, with status "success"; not to be changed */
    char *text;         /* of the item, but without its "uptime_ms" and its last brace */
    uint64_t seen_us;   /* when: uptime_ms goes on since, while it runs */
};

struct roll *roll_new(struct romsim_error *err);

/* Ends its threads; from then on it is as it was. */
void roll_end(struct roll *roll);
void roll_free(struct roll *roll); /* after that; accepts NULL, as the one before */

/* A reference to the entry of that name or, with `name` NULL, that (whole) UUID; NULL. */
struct roll_entry *roll_find(struct roll *roll, const char *name, const char *uuid);
void roll_entry_free(struct roll_entry *entry); /* gives the reference back; accepts NULL */

/* References to all, by creation, then by UUID. */
struct roll_entries {
    struct roll_entry **items;
    size_t count;
};
int roll_list(struct roll *roll, struct roll_entries *ret);
void roll_entries_clear(struct roll_entries *entries);

/* What all say of themselves, by creation: a new array of their items, which are not to be changed.
 */
json_t *roll_items(struct roll *roll);

/* Asks the keeper of that name now, so that what was just done to it is seen by whoever looks next;
 * one that is not there is struck out.  It is needed only for what its keeper has not answered, as
 * where it was killed: what a keeper has answered has been told to the roll before. */
void roll_refresh(struct roll *roll, const char *name);

/*
 * Has `told` called in the roll's thread: at once for each instance that there is, and then with
 * the name "" (so that who waits for one that is not there knows), from then on whenever one has
 * changed (`item`) or gone (NULL), until it returns false, and with `name` NULL when timeout_ms
 * (-1: never) has passed or the roll ends, which is the last call.  It must not block, nor call the
 * roll.  -1 without memory, and no call.
 */
typedef bool roll_told(void *context, const char *name, const json_t *item);
int roll_watch(struct roll *roll, roll_told *told, void *context, int64_t timeout_ms);

#endif
