/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * target.h: an instance that a command asks: its keeper, or, with --host, a server that has it.
 *
 * The functions are those of romsim/link.h, which says what they do; a command need not know which
 * of both it asks.
 */
#ifndef ROMSIM_CLI_TARGET_H
#define ROMSIM_CLI_TARGET_H

#include "sim/cli/cli.h"

#include <romsim/link.h>

#define CLI_OPTION_HOST                                                                            \
    {                                                                                              \
        "host", 'H', "URL", "those of a romsim serve elsewhere (ROMSIM_HOST)"                      \
    }

struct target;

struct target *target_open(const struct cli_args *args, const char *name, struct romsim_error *err);
void target_free(struct target *target); /* accepts NULL */

DEFINE_CLEANUP(struct target, target_free)
#define CLEANUP_TARGET CLEANUP(cleanup_target_free)

const char *target_name(const struct target *target);

/* Has it no keeper on this machine? */
bool target_is_remote(const struct target *target);

json_t *target_call(struct target *target, json_t *request, int timeout_ms,
                    romsim_vm_observer *observer, void *context, struct romsim_error *err);
int target_fd(const struct target *target);
enum romsim_link_news target_take(struct target *target, struct romsim_vm_event *ret_event,
                                  json_t **ret_answer);

/* Only of one on this machine. */
int target_send_with(struct target *target, json_t *request, int passed, struct romsim_error *err);
int target_kill(struct target *target, struct romsim_error *err);

/* All instances; NULL after an error. */
json_t *target_list(const struct cli_args *args, struct romsim_error *err);

#endif
