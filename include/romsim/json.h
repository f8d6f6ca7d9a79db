/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * json.h: JSON out, value by value: into a buffer, or only counted.
 *
 * What is rendered is never held as a tree, and what is counted not even as a text, so that the
 * size of a request with megabytes of data costs no memory.  The text is indented by two spaces.
 * Controls, and what changes the direction of a text, stand as \uNNNN: it may be on a terminal, and
 * is the same to whoever parses it.  Bytes that are no UTF-8 become U+FFFD.
 *
 *     struct romsim_json out = {.text = &buffer};
 *     romsim_json_open(&out, NULL, '{');
 *     romsim_json_string(&out, "name", name);
 *     romsim_json_close(&out, '}');
 *
 * In all functions `name` is the member's in an object, NULL in a list and for the root.  A want of
 * memory is seen in the buffer (buffer.h).
 */
#ifndef ROMSIM_JSON_H
#define ROMSIM_JSON_H

#include <romsim/buffer.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_t; /* jansson's */

/* Zero-initialised it only counts. */
struct romsim_json {
    struct romsim_buffer *text; /* or NULL */
    uint64_t size;              /* bytes written so far */
    unsigned depth;
    bool is_filled; /* something stands in the innermost list or object */
};

/* A list, '[' and ']', or an object, '{' and '}'. */
void romsim_json_open(struct romsim_json *json, const char *name, char bracket);
void romsim_json_close(struct romsim_json *json, char bracket);

void romsim_json_string(struct romsim_json *json, const char *name, const char *text);
void romsim_json_bytes(struct romsim_json *json, const char *name, const void *bytes, size_t size);
void romsim_json_integer(struct romsim_json *json, const char *name, int64_t value);
void romsim_json_boolean(struct romsim_json *json, const char *name, bool value);

/* A string of the bytes in base64. */
void romsim_json_base64(struct romsim_json *json, const char *name, const void *bytes, size_t size);

/* Any value of jansson's; nothing for NULL. */
void romsim_json_value(struct romsim_json *json, const char *name, const struct json_t *value);

/* The newline at the end of a text. */
void romsim_json_end(struct romsim_json *json);

#endif
