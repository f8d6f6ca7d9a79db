/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * signals.h: SIGINT, SIGTERM and SIGHUP for a command that ends in its own way.
 *
 * They are caught by a handler, and neither blocked nor restarted: a system call that waits, a
 * write to a reader that stands still, say, is interrupted, now and each second from then on.  A
 * SIGHUP that was ignored when the program began (nohup) stays ignored.
 */
#ifndef ROMSIM_CLI_SIGNALS_H
#define ROMSIM_CLI_SIGNALS_H

/* From here on one ends the program at once with 143, the status of an app that was asked to end:
 * for the time before there is anything to end in order. */
void signals_catch(void);

/* From here on they are counted instead.  Returns a descriptor that is readable when one came, or
 * -1 (then all is as before). */
int signals_count(void);

/* How many came since the last call. */
unsigned signals_take(void);

#endif
