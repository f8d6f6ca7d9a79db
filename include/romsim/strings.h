/* SPDX-License-Identifier: BSD-3-Clause */
/* strings.h: a list of strings that it owns: a command, variables, options. */
#ifndef ROMSIM_STRINGS_H
#define ROMSIM_STRINGS_H

#include <romsim/error.h>

#include <stddef.h>

/* Zero-initialised it is empty and ready. */
struct romsim_strings {
    char **items;
    size_t count;
};

/* Appends a copy of `string`, or of every one of `more`.  Returns 0, or -1 without memory. */
int romsim_strings_append(struct romsim_strings *strings, const char *string);
int romsim_strings_append_all(struct romsim_strings *strings, const struct romsim_strings *more);

/* Appends a string made by malloc(), which it takes, on failure too.  NULL fails.  Returns as
 * romsim_strings_append(). */
int romsim_strings_take(struct romsim_strings *strings, char *string);

/* Cuts a text into words as a POSIX shell would, without any expansion, and appends them; what was
 * appended before a mistake (a quote that is not closed) stays.  Returns 0 or -1. */
int romsim_strings_append_words(struct romsim_strings *strings, const char *text,
                                struct romsim_error *err);

/*
 * For a list of variables, "NAME=VALUE" or a NAME alone: of several with one name the last one
 * stays, in the place of the first.  Returns 0, or -1 without memory, and nothing is changed.
 */
int romsim_strings_last_of_each(struct romsim_strings *variables);

/* Frees the strings; the list is empty again. */
void romsim_strings_clear(struct romsim_strings *strings);

#endif
