/* SPDX-License-Identifier: BSD-3-Clause */
/* lock.h: file locks that are not waited for without end. */
#ifndef ROMSIM_LOCK_H
#define ROMSIM_LOCK_H

#include <romsim/error.h>

/* How long a command waits for what another process holds, before it says who; and how long where
 * that process may be waiting for a disk to take what it has written. */
enum { ROMSIM_LOCK_TIMEOUT_MS = 5000, ROMSIM_LOCK_WRITER_TIMEOUT_MS = 60000 };

/*
 * flock() with `operation` (LOCK_EX or LOCK_SH) and a timeout.  Returns 0 or -1; EBUSY with a
 * message that names `path` and, where the kernel says it, the process that holds the lock.  One
 * that is stopped (control-Z) is not waited for longer than ROMSIM_LOCK_TIMEOUT_MS, and the hint
 * says how it goes on.  A file system without locks gives flock()'s own errno.
 */
int romsim_lock_take(int fd, int operation, int timeout_ms, const char *path,
                     struct romsim_error *err);

#endif
