/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * input.h: what is typed or piped here is what an app reads there (--stdin).
 *
 * With a terminal on both sides every key goes to the app's, ^C too, but ctrl-P ctrl-Q, which
 * detaches.  In any other case bytes pass as they are, and the end of ours is the end of the app's.
 */
#ifndef ROMSIM_CLI_INPUT_H
#define ROMSIM_CLI_INPUT_H

#include <romsim/error.h>

#include <jansson.h>
#include <poll.h>
#include <stdbool.h>

struct input;

/* Sends the app's keeper a request (sim/vm/keeper.h), and a descriptor with it (-1: none); takes
 * the reference. */
typedef int input_asker(void *context, json_t *request, int passed, struct romsim_error *err);

/* NULL after a report.  To be made when all processes that are to live without us are started: some
 * signals are blocked from here on. */
struct input *input_new(input_asker *ask, void *context);

/* Gives the terminal its modes back.  Accepts NULL. */
void input_free(struct input *input);

/* Offers the input to the app.  Returns 0, or -1 after a report. */
int input_offer(struct input *input);

/* The app has begun: from here on we read, and its terminal, if it has one, is ours. */
void input_begin(struct input *input, bool has_terminal);

/* The app reads no more, and we neither: the terminal gets its modes back.  Accepts NULL. */
void input_finish(struct input *input);

/* What to poll for, all -1 for NULL, and what to do then. */
enum { INPUT_POLLS = 3 };
void input_polls(const struct input *input, struct pollfd ret[INPUT_POLLS]);
void input_dispatch(struct input *input, const struct pollfd polls[INPUT_POLLS]);

/* Has the user left by ctrl-P ctrl-Q? */
bool input_is_detached(const struct input *input);

/* Does our terminal need carriage returns now?  False for NULL. */
bool input_is_raw(const struct input *input);

/* The size of our terminal, or the usual one if there is none. */
void input_terminal_size(unsigned *ret_rows, unsigned *ret_columns);

#endif
