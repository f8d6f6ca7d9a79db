/* SPDX-License-Identifier: BSD-3-Clause */
/* json_file.h: JSON values as files of romsim's own folders. */
#ifndef ROMSIM_STATE_JSON_FILE_H
#define ROMSIM_STATE_JSON_FILE_H

#include <romsim/error.h>

#include <jansson.h>
#include <stddef.h>

/* The value in `directory`/`name`, a new reference; NULL if there is none, it cannot be read, is
 * larger than `maximum` bytes, or is no JSON (EUCLEAN). */
json_t *json_file_load(const char *directory, const char *name, size_t maximum,
                       struct romsim_error *err);

/* Writes a value there, by renaming a whole file into place.  Takes the reference (NULL: ENOMEM).
 * Returns 0 or -1. */
int json_file_save(const char *directory, const char *name, json_t *value,
                   struct romsim_error *err);

#endif
