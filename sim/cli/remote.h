/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * remote.h: instances of another romsim, or of the cloud, by the cloud's API (cloud-api).
 *
 * Theory of operation: what a command asks a keeper for (sim/vm/keeper.h) is translated: a request
 * in the keeper's words becomes a few requests to the server, and what the server answers becomes a
 * keeper's answer and its events.  So the commands have one code for both (target.h).  Only what
 * the cloud's API has is used, so that any server of it will do; events, which it has not, come of
 * asking again (cloud-api §1.5).
 *
 * HTTP is curl's, the program's: it knows proxies, certificates, and the versions of both.
 */
#ifndef ROMSIM_CLI_REMOTE_H
#define ROMSIM_CLI_REMOTE_H

#include "sim/cli/cli.h"

#include <romsim/link.h>

/* ---- a server (remote.c) ----------------------------------------------------------------------
 */

struct remote {
    char *url;            /* "http://127.0.0.1:8080": no '/' at its end, and no "/v1" */
    char *token;          /* or NULL */
    const char *token_of; /* where that came from: "ROMSIM_TOKEN" */
    bool is_loopback;     /* this machine: proxies are not for it */
};

/* Where a command's instances are: --host, or ROMSIM_HOST; NULL: on this machine. */
const char *remote_host(const struct cli_args *args);

/* EINVAL for what is no address of a server. */
struct remote *remote_new(const char *host, struct romsim_error *err);
void remote_free(struct remote *remote); /* accepts NULL */

DEFINE_CLEANUP(struct remote, remote_free)
#define CLEANUP_REMOTE CLEANUP(cleanup_remote_free)

/* ---- requests (remote_http.c) -----------------------------------------------------------------
 */

struct remote_request {
    const char *method, *path; /* "GET", "/v1/instances?details=true" */
    const char *body;          /* JSON; or NULL */
};

enum { REMOTE_REQUESTS_MAX = 64, REMOTE_PATIENCE_S = 60 };

/*
 * Makes requests one after the other, over one connection.  Each has `patience_s` (0: for ever).
 * ret[i] is the envelope of the i-th, a new reference; on failure there are none.  An answer that
 * is an error as a whole fails with the server's words; errors of items are in the envelopes.
 */
int remote_exchange(const struct remote *remote, const struct remote_request *requests,
                    size_t count, unsigned patience_s, json_t **ret, struct romsim_error *err);

/* One request, whose body is a JSON value (takes the reference; NULL: none), and its answer's
 * items, or the only one: a new reference. */
json_t *remote_items(const struct remote *remote, const char *method, const char *path,
                     json_t *body, unsigned patience_s, struct romsim_error *err);
json_t *remote_item(const struct remote *remote, const char *method, const char *path, json_t *body,
                    unsigned patience_s, struct romsim_error *err);

/* A request of the registry's: its answer is no envelope. */
struct remote_upload {
    const char *method, *path; /* HEAD, POST, PUT; with a body no '/' ends the path */
    const char *type;          /* of the body */
    int body;                  /* a file that is sent from its beginning; -1 */
};

/* Makes it, however long that takes as long as it goes on; a refusal (but 404 to a HEAD) fails with
 * the server's words.  Returns the HTTP status, or -1; *ret_location, if it is not NULL, is
 * malloc'ed, and "" if the server names none. */
int remote_upload(const struct remote *remote, const struct remote_upload *upload,
                  char **ret_location, struct romsim_error *err);

/* The list in an envelope's data, borrowed: an empty one without.  An item that is an error. */
const json_t *remote_list_of(const json_t *envelope);
bool remote_item_failed(const json_t *item, struct romsim_error *err);

/* ---- instances (remote_instance.c) --------------------------------------------------------------
 */

struct remote_instance;

/* As romsim_link_open(). */
struct remote_instance *remote_instance_open(const char *host, const char *name,
                                             struct romsim_error *err);
void remote_instance_free(struct remote_instance *instance); /* accepts NULL */

const char *remote_instance_name(const struct remote_instance *instance);
int remote_instance_fd(const struct remote_instance *instance);

/* As romsim_link_call(), with the words that there are for it: all but "restart". */
json_t *remote_instance_call(struct remote_instance *instance, json_t *request, int timeout_ms,
                             romsim_vm_observer *observer, void *context, struct romsim_error *err);

/* As romsim_link_take(). */
enum romsim_link_news remote_instance_take(struct remote_instance *instance,
                                           struct romsim_vm_event *ret_event, json_t **ret_answer);

/* As romsim_link_list(); NULL after an error. */
json_t *remote_list(const char *host, struct romsim_error *err);

/* ---- `romsim create` (remote_create.c) ----------------------------------------------------------
 */

/* Makes the instances of a command line there; the exit status. */
int remote_create(const struct cli_args *args, const char *host);

#endif
