/* SPDX-License-Identifier: BSD-3-Clause */
/* name.h: what instances, ROMs, volumes, service groups and certificates may be called. */
#ifndef ROMSIM_NAME_H
#define ROMSIM_NAME_H

#include <romsim/error.h>

#include <stdbool.h>

enum { ROMSIM_NAME_SIZE_MAX = 63 };

/* 1 to 63 of [A-Za-z0-9._-], not "." or ".." (cloud-rules §4, [U]): every name is a file name. */
bool romsim_name_is_valid(const char *name);

/* The same; else "Invalid WHAT 'NAME'", code 7, with what would be one.  Returns 0 or -1. */
int romsim_name_check(const char *what, const char *name, struct romsim_error *err);

/* The same for what a thing is to be called that commands are given by name: one that begins with a
 * dash would be an option there, and no host name. */
int romsim_name_check_new(const char *what, const char *name, struct romsim_error *err);

/* "floral-sun-54ixkmi6", as the cloud names service groups (cloud-api §5).  False if the kernel has
 * no random bytes. */
enum { ROMSIM_NAME_POEM_SIZE = 40 };
bool romsim_name_poem(char ret[ROMSIM_NAME_POEM_SIZE]);

/* "vol-k3x8a", as it names volumes. */
enum { ROMSIM_NAME_VOLUME_SIZE = 10 };
bool romsim_name_volume(char ret[ROMSIM_NAME_VOLUME_SIZE]);

#endif
