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

/* Copies the rest of the line that has `text` in it, from there on and quoted, into `ret`.  False
 * if there is none. */
bool tail_find(const struct tail *tail, const char *text, char *ret, size_t ret_size);

/* Appends the last `lines` lines that are not empty, each quoted for a terminal and behind
 * "\n  | ". */
void tail_print(const struct tail *tail, unsigned lines, struct romsim_buffer *out);

#endif
