/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * link.h: asking instances for what they are, and for what they should do.
 *
 * Each instance has a keeper, a process that lives from its creation to its deletion (vm.h makes
 * both).  A link is a connection to one.  The words and their answers are those of the cloud's API
 * where it has them; sim/vm/keeper.h lists them.
 *
 * A link is for one thread at a time.
 */
#ifndef ROMSIM_LINK_H
#define ROMSIM_LINK_H

#include <romsim/cleanup.h>
#include <romsim/error.h>
#include <romsim/vm.h>
#include <romsim/volume.h>

#include <jansson.h>

struct romsim_link;

/* Finds an instance by its name, or by its UUID or the beginning of it (four digits or more, and of
 * one instance only), and connects to it.  NULL: ENOENT with ROMSIM_CLOUD_NOT_FOUND, EINVAL if
 * several are meant. */
struct romsim_link *romsim_link_open(const char *name, struct romsim_error *err);

/* The same for a whole name, without a look at all the others. */
struct romsim_link *romsim_link_open_name(const char *name, struct romsim_error *err);
void romsim_link_free(struct romsim_link *link); /* accepts NULL */

DEFINE_CLEANUP(struct romsim_link, romsim_link_free)
#define CLEANUP_LINK CLEANUP(cleanup_romsim_link_free)

/* The instance's name. */
const char *romsim_link_name(const struct romsim_link *link);

/* Readable when romsim_link_take() has something. */
int romsim_link_fd(const struct romsim_link *link);

/* Sends a request, and takes the reference (NULL: ENOMEM).  Returns 0 or -1. */
int romsim_link_send(struct romsim_link *link, json_t *request, struct romsim_error *err);

/* The same, with a descriptor that belongs to the request, and stays the caller's. */
int romsim_link_send_with(struct romsim_link *link, json_t *request, int passed,
                          struct romsim_error *err);

enum romsim_link_news {
    ROMSIM_LINK_NOTHING,
    ROMSIM_LINK_EVENT,
    ROMSIM_LINK_ANSWER,
    ROMSIM_LINK_END /* the keeper is gone */
};

/* Takes what has come, without waiting.  An event's text is valid until the next call; *ret_answer
 * is a new reference. */
enum romsim_link_news romsim_link_take(struct romsim_link *link, struct romsim_vm_event *ret_event,
                                       json_t **ret_answer);

/* The descriptor that came with the last answer, which is the caller's; -1 if none did. */
int romsim_link_take_fd(struct romsim_link *link);

/*
 * Sends a request and waits for its answer, at most `timeout_ms` (-1: for ever); events that come
 * meanwhile go to `observer` (or NULL), as of instance 0.  NULL: what the instance answered was an
 * error, which is in *err; ETIMEDOUT; or EPIPE, its keeper ended.  After ETIMEDOUT the link can
 * only be freed, or its keeper killed: the answer may still come, and be taken for the next one's.
 */
json_t *romsim_link_call(struct romsim_link *link, json_t *request, int timeout_ms,
                         romsim_vm_observer *observer, void *context, struct romsim_error *err);

/* The second half of it, for who has sent requests to several before. */
json_t *romsim_link_await(struct romsim_link *link, int timeout_ms, romsim_vm_observer *observer,
                          void *context, struct romsim_error *err);

/*
 * Attaches a volume to the instance, or detaches it: at once if the instance is stopped, or else,
 * which *ret_is_queued says, when it stops.  Return 0 or -1.
 */
int romsim_link_attach_volume(struct romsim_link *link, const struct romsim_volume_info *volume,
                              const char *at, bool readonly, int timeout_ms, bool *ret_is_queued,
                              struct romsim_error *err);
int romsim_link_detach_volume(struct romsim_link *link, const struct romsim_volume_info *volume,
                              int timeout_ms, bool *ret_is_queued, struct romsim_error *err);

/* Kills the keeper, who did not answer, and with it its VM; romsim_state_sweep() removes what is
 * left.  Returns 0, also if it has ended by itself, or -1. */
int romsim_link_kill(struct romsim_link *link, struct romsim_error *err);

/* All instances, by name: an array of what each says to "get".  One that does not answer in time is
 * there with what it last wrote down, whose "romsim" has a member "silent": true.  NULL without
 * memory. */
json_t *romsim_link_list(void);

#endif
