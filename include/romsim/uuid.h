/* SPDX-License-Identifier: BSD-3-Clause */
/* uuid.h: names for what a user may name twice. */
#ifndef ROMSIM_UUID_H
#define ROMSIM_UUID_H

#include <stdbool.h>

enum { ROMSIM_UUID_SIZE = 37 };

/* A random one (RFC 9562, version 4), in lower case.  False if the kernel has no random bytes. */
bool romsim_uuid_new(char ret[ROMSIM_UUID_SIZE]);

/* Is this the text of a UUID, of any version and case? */
bool romsim_uuid_is_valid(const char *text);

/* `count` random characters of [a-z0-9] and a NUL into `ret`: how the cloud makes names unique
 * ("httpserver-taud8": cloud-rules §1). */
bool romsim_random_suffix(char *ret, unsigned count);

#endif
