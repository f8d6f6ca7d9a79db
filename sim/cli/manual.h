/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * manual.h: `romsim help COMMAND|TOPIC`: what the man pages have on it, which are in the program.
 *
 * There is one source of truth, docs/romsim.1 and docs/romsim-instance.5, in mdoc; a page is
 * printed as plain text without man(1), which a container or a small system may not have.
 */
#ifndef ROMSIM_CLI_MANUAL_H
#define ROMSIM_CLI_MANUAL_H

#include <stddef.h>

/* Prints the commands and sections that the words mean: "template", "template create",
 * "networking", "exit-status"; without words the topics that there are.  The exit status, after a
 * report. */
int manual_help(const char *const *words, size_t count);

/* Calls `one` with each topic, a section's title as one writes it: "another-machine". */
void manual_topics(void (*one)(void *context, const char *topic), void *context);

/* Prints mdoc lines from `text` to `end` as plain text (manual_render.c): a section, or an item of
 * a list; `indent` is where paragraphs begin. */
void manual_render(const char *text, const char *end, unsigned indent);

#endif
