/* SPDX-License-Identifier: BSD-3-Clause */
/* token.h: what who asks `romsim serve` has to know. */
#ifndef ROMSIM_CLI_TOKEN_H
#define ROMSIM_CLI_TOKEN_H

#include <romsim/error.h>

/* The token of this account's servers, malloc'ed: base64 of "ORGANIZATION:SECRET", as the cloud's
 * is (cloud-api §1.1).  The secret is made once and kept in the data folder, for the user alone.
 * NULL: it can be neither read nor made. */
char *token_of(const char *organization, struct romsim_error *err);

/* The same, but a secret that is not there yet is ENOENT. */
char *token_kept(const char *organization, struct romsim_error *err);

/* The organization where nobody names one. */
#define TOKEN_ORGANIZATION "romsim"

#endif
