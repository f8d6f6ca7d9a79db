/* SPDX-License-Identifier: BSD-3-Clause */
/* daemon.h: processes of romsim's own that go on beside or after the command that started them.
 * They are forks of it, with all that it has read by then; other programs are program.h's. */
#ifndef ROMSIM_DAEMON_H
#define ROMSIM_DAEMON_H

#include <stdbool.h>
#include <sys/types.h>

/* Notes what of the user's is open, beyond the standard streams: for romsim_daemon_separate().  To
 * be called when the program begins. */
void romsim_daemon_remember(void);

/* fork(), during which no signal finds the new process with this one's handlers: they are all
 * blocked in it. */
pid_t romsim_daemon_fork(void);

/* Makes a new process one of its own: a session, no handlers, no blocked signals, and nothing of
 * the user's open but the standard streams: who waits for the end of a pipe, say, would wait for
 * it. */
void romsim_daemon_separate(void);

/* Standard input and output are /dev/null; with `all` standard error as well, and the working
 * directory is "/": nothing ties the process to where it was started any more. */
void romsim_daemon_let_go(bool all);

#endif
