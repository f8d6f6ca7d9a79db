/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shell.h: a root shell in the guest, beside the app (run --shell).
 *
 * It has our standard input, as the app has it with --stdin (input.h), and our standard output.
 * Sitting at a terminal one has a terminal there, with job control.
 */
#ifndef ROMSIM_CLI_SHELL_H
#define ROMSIM_CLI_SHELL_H

#include "input.h"
#include "stream.h"

#include <romsim/error.h>

#include <jansson.h>
#include <poll.h>
#include <stdbool.h>

struct shell;

/* The end of a line to the guest (romsim_vm_shell_fd()), borrowed.  NULL after a report. */
struct shell *shell_new(int line);
void shell_free(struct shell *shell); /* accepts NULL */

/* An input_asker, whose context is the shell. */
int shell_ask(void *context, json_t *request, int passed, struct romsim_error *err);

/* The app has begun: now it is started, and reads what the input gives. */
void shell_begin(struct shell *shell, bool has_terminal);

/* Nobody sits there any more: it is hung up. */
void shell_leave(struct shell *shell);

/* It has ended with the VM; what it wrote before goes to `out`.  Accepts NULL. */
void shell_end(struct shell *shell, struct stream *out);

/* What to poll for, all -1 for NULL, and what to do then: what it writes goes to `out`, which is
 * not added to while it `is_full`. */
enum { SHELL_POLLS = 2 };
void shell_polls(const struct shell *shell, bool is_full, struct pollfd ret[SHELL_POLLS]);
void shell_dispatch(struct shell *shell, const struct pollfd polls[SHELL_POLLS],
                    struct stream *out);

/* Has it ended, or was its line broken?  True for NULL.  With its status, or -1 if that is not
 * known. */
bool shell_has_ended(const struct shell *shell, int *ret_status);

#endif
