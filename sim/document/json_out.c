/* SPDX-License-Identifier: BSD-3-Clause */
/* json_out.c: JSON, value by value; the layout is that of jansson's JSON_INDENT(2). */
#include <romsim/json.h>
#include <romsim/text.h>

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INDENT = 2 };

static void put(struct romsim_json *json, const void *bytes, size_t size)
{
    json->size += size;
    if (json->text)
        romsim_buffer_append(json->text, bytes, size);
}

static void put_text(struct romsim_json *json, const char *text)
{
    put(json, text, strlen(text));
}

static void put_line(struct romsim_json *json)
{
    put(json, "\n", 1);
    for (unsigned i = 0; i < json->depth; i++)
        put(json, "  ", INDENT);
}

/* What stands for a character that cannot stand in a string as it is; false for all others. */
static bool escape_of(const char *bytes, size_t size, size_t *ret_length, char ret[16])
{
    static const char escapes[] = "\"\\bfnrt", meanings[] = "\"\\\b\f\n\r\t";
    const char *found = bytes[0] ? strchr(meanings, bytes[0]) : NULL;
    uint32_t control;
    size_t length;

    *ret_length = 1;
    if (found) {
        snprintf(ret, 16, "\\%c", escapes[found - meanings]);
        return true;
    }
    if ((uint8_t)bytes[0] >= 0x20 && (uint8_t)bytes[0] < 0x7f)
        return false;
    length = romsim_utf8_length(bytes, size);
    if (length == 0) {
        snprintf(ret, 16, "\\ufffd");
        return true;
    }
    *ret_length = length;
    if (!romsim_text_control(bytes, size, &control))
        return false;
    snprintf(ret, 16, "\\u%04" PRIx32, control);
    return true;
}

static void put_string(struct romsim_json *json, const char *bytes, size_t size)
{
    size_t plain = 0, length;

    put(json, "\"", 1);
    for (size_t i = 0; i < size; i += length) {
        char escape[16];

        if (!escape_of(bytes + i, size - i, &length, escape))
            continue;
        put(json, bytes + plain, i - plain);
        put_text(json, escape);
        plain = i + length;
    }
    put(json, bytes + plain, size - plain);
    put(json, "\"", 1);
}

/* What stands before a value: the comma behind the last one, the line, the name. */
static void begin_value(struct romsim_json *json, const char *name)
{
    if (json->is_filled)
        put(json, ",", 1);
    if (json->depth)
        put_line(json);
    json->is_filled = true;
    if (!name)
        return;
    put_string(json, name, strlen(name));
    put(json, ": ", 2);
}

void romsim_json_open(struct romsim_json *json, const char *name, char bracket)
{
    begin_value(json, name);
    put(json, &bracket, 1);
    json->depth++;
    json->is_filled = false;
}

void romsim_json_close(struct romsim_json *json, char bracket)
{
    json->depth--;
    if (json->is_filled)
        put_line(json);
    put(json, &bracket, 1);
    json->is_filled = true;
}

void romsim_json_bytes(struct romsim_json *json, const char *name, const void *bytes, size_t size)
{
    begin_value(json, name);
    put_string(json, bytes, size);
}

void romsim_json_string(struct romsim_json *json, const char *name, const char *text)
{
    romsim_json_bytes(json, name, text, strlen(text));
}

void romsim_json_integer(struct romsim_json *json, const char *name, int64_t value)
{
    char text[24];

    begin_value(json, name);
    snprintf(text, sizeof(text), "%" PRId64, value);
    put_text(json, text);
}

void romsim_json_boolean(struct romsim_json *json, const char *name, bool value)
{
    begin_value(json, name);
    put_text(json, value ? "true" : "false");
}

void romsim_json_base64(struct romsim_json *json, const char *name, const void *bytes, size_t size)
{
    size_t encoded_size = (size + 2) / 3 * 4;
    char *encoded;

    begin_value(json, name);
    put(json, "\"", 1);
    if (json->text) {
        encoded = romsim_base64_encode(bytes, size);
        if (encoded)
            romsim_buffer_append(json->text, encoded, encoded_size);
        else
            json->text->failed = ENOMEM;
        free(encoded);
    }
    json->size += encoded_size;
    put(json, "\"", 1);
}

/* A value that has nothing in it. */
static void put_scalar(struct romsim_json *json, const char *name, const json_t *value)
{
    char text[64];
    size_t size;

    if (json_is_string(value)) {
        romsim_json_bytes(json, name, json_string_value(value), json_string_length(value));
        return;
    }
    begin_value(json, name);
    size = json_dumpb(value, text, sizeof(text), JSON_ENCODE_ANY);
    put(json, text, size < sizeof(text) ? size : sizeof(text));
}

void romsim_json_value(struct romsim_json *json, const char *name, const json_t *value)
{
    json_t *whole = (json_t *)value, *item; /* jansson's iterators are not const */
    const char *key;

    if (json_is_object(value)) {
        romsim_json_open(json, name, '{');
        json_object_foreach(whole, key, item)
        {
            romsim_json_value(json, key, item);
        }
        romsim_json_close(json, '}');
    } else if (json_is_array(value)) {
        romsim_json_open(json, name, '[');
        for (size_t i = 0; i < json_array_size(value); i++)
            romsim_json_value(json, NULL, json_array_get(value, i));
        romsim_json_close(json, ']');
    } else if (value) {
        put_scalar(json, name, value);
    }
}

void romsim_json_end(struct romsim_json *json)
{
    put(json, "\n", 1);
}
