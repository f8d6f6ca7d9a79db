/* SPDX-License-Identifier: BSD-3-Clause */
/* tail.h: the last lines of a stream, for the error that may come. */
#ifndef ROMSIM_VM_TAIL_H
#define ROMSIM_VM_TAIL_H

#include <romsim/buffer.h>

#include <stdbool.h>
#include <stddef.h>

enum { TAIL_BYTES = 8192 };

/* Zero-initialised it is empty. */
struct tail {
    char bytes[TAIL_BYTES];
    size_t size;
};

void tail_add(struct tail *tail, const char *bytes, size_t size);

/* Does the text kept contain this? */
bool tail_contains(const struct tail *tail, const char *text);

/* Appends the last `lines` lines that are not empty, each quoted for a terminal and behind
 * "\n  | ". */
void tail_print(const struct tail *tail, unsigned lines, struct romsim_buffer *out);

#endif
