/* SPDX-License-Identifier: BSD-3-Clause */
/* timings.h: how long each step of a start took (`romsim run --timings`). */
#ifndef ROMSIM_CLI_TIMINGS_H
#define ROMSIM_CLI_TIMINGS_H

#include <romsim/buffer.h>
#include <romsim/layout.h>
#include <romsim/vm.h>

struct timings;

/* The time runs from now on.  NULL without memory; all functions accept NULL, and do nothing. */
struct timings *timings_new(void);
void timings_free(struct timings *timings);

/* A step of ours is done, before the instances are there. */
void timings_done(struct timings *timings, const char *step);

/* These are the instances, borrowed. */
void timings_expect(struct timings *timings, struct romsim_layout *const *layouts, size_t count);

/* Takes what happens to an instance.  True, once a start, when that is over: its first port accepts
 * connections, or without ports its app has written something, or it has ended before. */
bool timings_take(struct timings *timings, size_t instance, const struct romsim_vm_event *event);

/* Is there a start that is not over yet, and of which something is known? */
bool timings_has_more(const struct timings *timings, size_t instance);

/* The table, several lines, or one line of JSON with its newline, of the instance of this name. */
void timings_print(const struct timings *timings, size_t instance, struct romsim_buffer *out);
void timings_print_json(const struct timings *timings, size_t instance, const char *name,
                        struct romsim_buffer *out);

#endif
