/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * console_log.h: what an instance's console has said, over all its runs.
 *
 * Every byte has an offset, counted from the instance's creation (cloud-rules §1, the log's
 * `available` and `range`).  The last 16 MiB are kept, in memory: an app may print what an inline
 * ROM holds, and nothing of that may reach a disk.  Pages that were never written cost nothing.
 */
#ifndef ROMSIM_VM_CONSOLE_LOG_H
#define ROMSIM_VM_CONSOLE_LOG_H

#include <romsim/error.h>

#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum { CONSOLE_LOG_BYTES = 16 << 20 };

/* When what stands from an offset on was said, at the earliest. */
struct console_mark {
    uint64_t offset;
    time_t time;
};

enum { CONSOLE_LOG_MARKS = 4096 }; /* one a second at most; the oldest go */

struct console_log {
    uint8_t *bytes;             /* a ring */
    uint64_t start, end;        /* offsets of what is kept; end is exclusive */
    struct console_mark *marks; /* a ring, too */
    uint64_t mark_count;        /* of all that were ever made */
};

int console_log_open(struct console_log *log, struct romsim_error *err);
void console_log_close(struct console_log *log);

/* Adds bytes that are said at a time. */
void console_log_add(struct console_log *log, const void *bytes, size_t size, time_t time);

/* The offset of the first byte that is kept and was said at that time or later. */
uint64_t console_log_since(const struct console_log *log, time_t time);

/* Copies what stands at `offset`, which has to be inside of what is kept or its end.  Returns how
 * much, at most `size`. */
size_t console_log_read(const struct console_log *log, uint64_t offset, void *ret, size_t size);

#endif
