/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * instance.h: what the files of the instance endpoints share.
 *
 *     instance.c         the routes
 *     instance_shapes.c  what they take and give
 *     instance_wish.c    which instances a request means, by path, query or body
 *     instance_list.c    GET, and the histories: from the roll alone
 *     instance_create.c  POST: by a maker
 *     instance_change.c  start, stop, suspend, delete, wait, making templates and checkpoints of
 *                        instances
 *     instance_edit.c    PATCH
 *     instance_look.c    log and metrics, which only the keepers know
 *     instance_ask.c     asking many keepers at once
 *     instance_await.c   waiting for states without a thread
 *     template.c         templates and checkpoints that are there
 */
#ifndef ROMSIM_API_INSTANCE_H
#define ROMSIM_API_INSTANCE_H

#include "api.h"
#include "roll.h"

#include <romsim/link.h>

/* ---- instance_shapes.c -------------------------------------------------------------------------
 */

/* Bodies: with `uuid` and `name` in a list, without where the path has the UUID. */
extern const struct romsim_shape instance_reference_shape, instance_patch_shape,
    instance_patch_one_shape, instance_delete_shape, instance_delete_one_shape,
    instance_start_shape, instance_start_one_shape, instance_stop_shape, instance_stop_one_shape,
    instance_suspend_shape, instance_suspend_one_shape, instance_template_shape,
    instance_checkpoint_shape, instance_wait_shape, instance_wait_one_shape, instance_log_shape,
    instance_log_one_shape;

extern const struct api_query instance_list_query[], instance_get_query[],
    instance_reference_query[], instance_wait_query[], instance_wait_one_query[],
    instance_start_one_query[], instance_stop_one_query[], instance_log_query[],
    instance_log_one_query[];

/* Items of answers. */
extern const struct romsim_shape instance_item_shape, instance_created_shape, instance_edited_shape,
    instance_deleted_shape, instance_changed_shape, instance_state_shape, instance_logged_shape,
    instance_metrics_shape, instance_history_shape;

/* ---- instance_wish.c ---------------------------------------------------------------------------
 */

/* One of the instances that a request means, and what is said of it. */
struct wish {
    json_t *said;             /* the body's object, with the query's members; a reference */
    struct roll_entry *entry; /* a reference; NULL: `item` is why there is none */
    json_t *item;             /* of the answer; a reference, or NULL */
    size_t first;             /* the first wish with the same instance */
};

struct wishes {
    struct wish *items;
    size_t count;
};

/*
 * What a request wants of which instances: the UUID of its path, or the body's objects and those
 * that the query's `uuid` and `name` name, in that order; what else the query says holds for all
 * that do not say otherwise.  Returns 0, or -1 after a reply: nothing is asked for (unless
 * `may_be_none`), too much is, or a UUID is none.
 */
int wishes_read(struct api_request *request, bool may_be_none, struct wishes *ret);

/* The same by the members `from` of the body's objects (said_read_sources()). */
int wishes_read_sources(struct api_request *request, struct wishes *ret);
void wishes_clear(struct wishes *wishes);

#define CLEANUP_WISHES CLEANUP(wishes_clear)

/* All items, in order, as a new reference; a wish without one is a mistake of ours. */
json_t *wishes_items(const struct wishes *wishes);

/* What a wish says, if it does. */
int64_t wish_number(const struct wish *wish, const char *member, int64_t absent);
bool wish_has(const struct wish *wish, const char *member);

/* How long it is to be waited for it, in milliseconds, by `timeout_s` or by `older`, which is in
 * milliseconds already; -1: for ever, 0: not at all. */
int64_t wish_patience(const struct wish *wish, const char *older);

/* The answer's item of a wish that failed, by what its instance was asked by. */
json_t *wish_error(const struct wish *wish, const struct romsim_error *err);

/* ---- instance_list.c ---------------------------------------------------------------------------
 */

/* An instance as GET shows it: a new reference. */
json_t *instance_show(const struct roll_entry *entry, bool details);

/* The members `names` (up to a NULL) of an item that it has, with status "success". */
json_t *instance_part(const json_t *item, const char *const *names);

/* ---- instance_ask.c ----------------------------------------------------------------------------
 */

/* What an instance should answer within when it need not do anything for it. */
enum { ASK_MS = 10000 };

struct question {
    const char *name;          /* of an instance; NULL: not asked */
    json_t *request;           /* taken */
    struct romsim_buffer *log; /* for bytes of the console; or NULL */
    json_t *answer;            /* a reference; NULL: why is in *err */
    struct romsim_error err;
    struct romsim_link *link; /* while it is asked */
};

/* Asks all, and waits so long for all of them together (-1: for ever). */
void questions_ask(struct question *questions, size_t count, int timeout_ms);

/* The same for a request of each wish that has an instance; `ask` makes it (NULL: none), `take` is
 * handed each answer.  The roll has it when this returns. */
typedef json_t *wish_asker(struct api_request *request, const struct wish *wish);
typedef json_t *wish_taker(const struct wish *wish, json_t *answer);
void wishes_ask(struct api_request *request, struct wishes *wishes, wish_asker *ask,
                wish_taker *take, int timeout_ms);

/* ---- instance_await.c --------------------------------------------------------------------------
 */

enum goal {
    GOAL_NONE,      /* what is answered of it is known */
    GOAL_STATE,     /* it is in a state */
    GOAL_RUN,       /* its app runs, or has run, or will not */
    GOAL_END,       /* it is gone */
    GOAL_TEMPLATE,  /* it is a template */
    GOAL_CHECKPOINT /* the checkpoint that `item` is of was made of it */
};

/* What is waited for of an instance.  Zero-initialised it is nothing. */
struct awaited {
    enum goal goal;
    char *name;                 /* owned; NULL with GOAL_NONE */
    char state[16];             /* of GOAL_STATE */
    json_int_t starts;          /* of GOAL_RUN, GOAL_TEMPLATE: how often it was started then */
    json_t *item;               /* of the answer, but for */
    const char *const *members; /* these of what is seen at the end, up to a NULL; or NULL */
    json_t *last;               /* what was last seen; a reference; NULL: nothing */
    bool is_gone;
};

/*
 * Replies when all goals are reached, or the time is over (-1: never): an envelope of the items, in
 * order.  If `is_lenient`, time that is over is no error.  Takes the list (malloc'ed) and what is
 * in it; the request is not to be touched afterwards.
 */
void instances_await(struct api_request *request, struct awaited *list, size_t count,
                     int64_t timeout_ms, bool is_lenient);
void awaited_free(struct awaited *list, size_t count);

/* ---- template.c --------------------------------------------------------------------------------
 */

/* Of a route whose `variant` is an enum romsim_saved. */
extern const struct romsim_shape template_item_shape, template_deleted_shape;
api_handler templates_get, templates_edit, templates_delete, templates_history;

/* ---- handlers ----------------------------------------------------------------------------------
 */

api_handler instances_get, instances_create, instances_edit, instances_delete, instances_start,
    instances_stop, instances_suspend, instances_wait, instances_log, instances_metrics,
    instances_make_templates, instances_make_checkpoints, instances_history;

#endif
