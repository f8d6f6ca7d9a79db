/* SPDX-License-Identifier: BSD-3-Clause */
/* habits.h: what people write who come from docker, kraft or the cloud's command line. */
#ifndef ROMSIM_CLI_HABITS_H
#define ROMSIM_CLI_HABITS_H

#include <stddef.h>

/* What to write in place of these words, of which the first is no command; NULL if nothing is known
 * of them. */
const char *habits_command(const char *const *words, size_t count);

/* What to write in place of an option ("--rm", "-P") of a command ("run", "image ls") that the
 * command does not have; NULL likewise. */
const char *habits_option(const char *command, const char *option);

#endif
