/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * json.c: JSON (RFC 8259) into the builder.
 *
 * JSON is nearly a subset of YAML, but libyaml refuses the surrogate pairs that JSON has for
 * characters beyond U+FFFF ("\ud83d\ude00"), and jansson does not say where a value stood.  So
 * JSON has a reader of its own: a loop over tokens, the builder's stack tells where it is.
 */
#include "builder.h"

#include <romsim/buffer.h>
#include <romsim/text.h>

#include <errno.h>
#include <string.h>

struct json {
    struct builder *builder;
    const char *text;
    size_t size, base;
    size_t at;
    struct romsim_buffer scratch; /* a string with its escapes resolved */
    uint64_t objects;             /* a bit a level: is it an object? */
    struct mistake *mistake;
};

/* What may come next. */
enum state {
    STATE_VALUE,       /* a value must */
    STATE_FIRST_VALUE, /* a value, or ']' */
    STATE_KEY,         /* a key must */
    STATE_FIRST_KEY,   /* a key, or '}' */
    STATE_AFTER_VALUE, /* ',' or the closing bracket; at level 0 the end */
};

static enum reading json_mistake(struct json *json, size_t at, const char *message,
                                 const char *hint)
{
    romsim_error_set(&json->mistake->error, EINVAL, "%s", message);
    if (hint)
        romsim_error_hint(&json->mistake->error, "%s", hint);
    json->mistake->error.rule = ROMSIM_RULE_SYNTAX;
    json->mistake->error.cloud = ROMSIM_CLOUD_MALFORMED_REQUEST;
    json->mistake->offset = json->base + at;
    json->mistake->reached = json->base + json->at;
    return READING_MISTAKE;
}

static char json_peek(const struct json *json)
{
    return json->at < json->size ? json->text[json->at] : '\0';
}

static void json_skip_space(struct json *json)
{
    while (json->at < json->size && strchr(" \t\n\r", json->text[json->at]))
        json->at++;
}

/* ---- strings ----------------------------------------------------------------------------- */

/* Four hexadecimal digits at `at`, or -1. */
static long hex_digits(const struct json *json, size_t at)
{
    long value = 0;

    if (json->size - json->at < 4 || at > json->size - 4)
        return -1;
    for (size_t i = at; i < at + 4; i++) {
        char c = json->text[i];

        if (c >= '0' && c <= '9')
            value = value * 16 + (c - '0');
        else if (c >= 'a' && c <= 'f')
            value = value * 16 + (c - 'a' + 10);
        else if (c >= 'A' && c <= 'F')
            value = value * 16 + (c - 'A' + 10);
        else
            return -1;
    }
    return value;
}

static void append_utf8(struct romsim_buffer *buffer, unsigned long c)
{
    char bytes[4];
    size_t size = 0;

    if (c < 0x80) {
        bytes[size++] = (char)c;
    } else if (c < 0x800) {
        bytes[size++] = (char)(0xc0 | c >> 6);
        bytes[size++] = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        bytes[size++] = (char)(0xe0 | c >> 12);
        bytes[size++] = (char)(0x80 | (c >> 6 & 0x3f));
        bytes[size++] = (char)(0x80 | (c & 0x3f));
    } else {
        bytes[size++] = (char)(0xf0 | c >> 18);
        bytes[size++] = (char)(0x80 | (c >> 12 & 0x3f));
        bytes[size++] = (char)(0x80 | (c >> 6 & 0x3f));
        bytes[size++] = (char)(0x80 | (c & 0x3f));
    }
    romsim_buffer_append(buffer, bytes, size);
}

/* A \uXXXX, or two of them that are a surrogate pair; json->at stands behind the 'u'. */
static enum reading read_unicode(struct json *json)
{
    size_t start = json->at - 2;
    long high = hex_digits(json, json->at);
    long low;

    if (high < 0)
        return json_mistake(json, start, "'\\u' without four hexadecimal digits", NULL);
    json->at += 4;
    if (high < 0xd800 || high > 0xdfff) {
        append_utf8(&json->scratch, (unsigned long)high);
        return READING_DONE;
    }
    low = json->size - json->at >= 6 && memcmp(json->text + json->at, "\\u", 2) == 0
              ? hex_digits(json, json->at + 2)
              : -1;
    if (high > 0xdbff || low < 0xdc00 || low > 0xdfff)
        return json_mistake(json, start, "half of a surrogate pair",
                            "a character beyond U+FFFF takes both, as in \\ud83d\\ude00");
    json->at += 6;
    append_utf8(&json->scratch,
                0x10000 + (((unsigned long)high - 0xd800) << 10) + ((unsigned long)low - 0xdc00));
    return READING_DONE;
}

static enum reading read_escape(struct json *json)
{
    static const char escapes[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    char c;
    const char *found;

    json->at++;
    c = json_peek(json);
    json->at++;
    if (c == 'u')
        return read_unicode(json);
    found = c ? strchr(escapes, c) : NULL;
    if (!found)
        return json_mistake(json, json->at - 2, "unknown escape in a string",
                            "JSON has \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\uXXXX");
    romsim_buffer_append(&json->scratch, &meanings[found - escapes], 1);
    return READING_DONE;
}

/* Reads a string into json->scratch. */
static enum reading read_string(struct json *json)
{
    size_t start = json->at++;

    json->scratch.size = 0;
    while (json->at < json->size) {
        unsigned char c = (unsigned char)json->text[json->at];
        size_t run = json->at;
        enum reading result;

        if (c == '"') {
            json->at++;
            return READING_DONE;
        }
        if (c < 0x20)
            return json_mistake(json, json->at, "a control character in a string",
                                "write it as an escape, \\n for a new line");
        if (c == '\\') {
            result = read_escape(json);
            if (result != READING_DONE)
                return result;
            continue;
        }
        while (run < json->size && (unsigned char)json->text[run] >= 0x20 &&
               json->text[run] != '"' && json->text[run] != '\\')
            run++;
        romsim_buffer_append(&json->scratch, json->text + json->at, run - json->at);
        json->at = run;
    }
    return json_mistake(json, start, "a string without its closing quote", NULL);
}

/* ---- the other scalars ------------------------------------------------------------------- */

/* The length of the number (RFC 8259 §6) at `text`, 0 if there is none. */
static size_t number_length(const char *text)
{
    const char *c = text + (*text == '-');
    size_t digits = strspn(c, "0123456789");

    if (digits == 0 || (*c == '0' && digits > 1))
        return 0;
    c += digits;
    if (*c == '.') {
        digits = strspn(++c, "0123456789");
        if (digits == 0)
            return 0;
        c += digits;
    }
    if (*c == 'e' || *c == 'E') {
        c++;
        c += *c == '-' || *c == '+';
        digits = strspn(c, "0123456789");
        if (digits == 0)
            return 0;
        c += digits;
    }
    return (size_t)(c - text);
}

/* A word or number of letters, digits and signs that is as short as JSON's all are. */
static enum reading read_word(struct json *json)
{
    enum { WORD_MAX = 1024 };
    static const char *const words[] = {"null", "true", "false", NULL};
    static const enum romsim_node_kind kinds[] = {ROMSIM_NODE_NULL, ROMSIM_NODE_BOOLEAN,
                                                  ROMSIM_NODE_BOOLEAN};
    char word[WORD_MAX + 1];
    size_t start = json->at;
    size_t size = 0;

    while (size < WORD_MAX && start + size < json->size &&
           !strchr(" \t\n\r,:[]{}\"", json->text[start + size])) {
        word[size] = json->text[start + size];
        size++;
    }
    word[size] = '\0';
    json->at += size;
    for (size_t i = 0; words[i]; i++)
        if (strcmp(word, words[i]) == 0)
            return builder_scalar(json->builder, kinds[i], word, size, json->base + start)
                       ? READING_DONE
                       : READING_REFUSED;
    if (size > 0 && number_length(word) == size)
        return builder_scalar(json->builder, ROMSIM_NODE_NUMBER, word, size, json->base + start)
                   ? READING_DONE
                   : READING_REFUSED;
    return json_mistake(json, start, "no JSON value", "strings stand in double quotes");
}

static enum reading read_string_node(struct json *json)
{
    size_t start = json->at;
    enum reading result = read_string(json);

    if (result != READING_DONE)
        return result;
    if (json->scratch.failed)
        return json_mistake(json, start, "out of memory", NULL);
    return builder_scalar(json->builder, ROMSIM_NODE_STRING,
                          json->scratch.data ? json->scratch.data : "", json->scratch.size,
                          json->base + start)
               ? READING_DONE
               : READING_REFUSED;
}

/* ---- structure --------------------------------------------------------------------------- */

static enum reading open_node(struct json *json, enum romsim_node_kind kind, enum state *state)
{
    uint64_t level = (uint64_t)1 << (builder_depth(json->builder) % 64);

    if (!builder_open(json->builder, kind, json->base + json->at))
        return READING_REFUSED;
    json->at++;
    json->objects = kind == ROMSIM_NODE_OBJECT ? json->objects | level : json->objects & ~level;
    *state = kind == ROMSIM_NODE_OBJECT ? STATE_FIRST_KEY : STATE_FIRST_VALUE;
    return READING_DONE;
}

static enum reading read_value(struct json *json, enum state *state)
{
    char c = json_peek(json);

    if (c == '{')
        return open_node(json, ROMSIM_NODE_OBJECT, state);
    if (c == '[')
        return open_node(json, ROMSIM_NODE_LIST, state);
    *state = STATE_AFTER_VALUE;
    if (c == '"')
        return read_string_node(json);
    return read_word(json);
}

static enum reading read_key(struct json *json, enum state *state)
{
    enum reading result;

    if (json_peek(json) != '"')
        return json_mistake(json, json->at, "a member's name must stand here, in double quotes",
                            json_peek(json) == '}' ? "there is a ',' too much before it" : NULL);
    result = read_string_node(json);
    if (result != READING_DONE)
        return result;
    json_skip_space(json);
    if (json_peek(json) != ':')
        return json_mistake(json, json->at, "a ':' must follow the member's name", NULL);
    json->at++;
    *state = STATE_VALUE;
    return READING_DONE;
}

static bool in_object(const struct json *json)
{
    return json->objects >> ((builder_depth(json->builder) - 1) % 64) & 1;
}

static enum reading close_node(struct json *json, enum state *state)
{
    json->at++;
    *state = STATE_AFTER_VALUE;
    return builder_close(json->builder) < 0 ? READING_REFUSED : READING_DONE;
}

static enum reading after_value(struct json *json, enum state *state)
{
    bool is_object;
    char c = json_peek(json);

    if (builder_depth(json->builder) == 0)
        return json_mistake(json, json->at, "text after the end of the value",
                            "several instances stand in one list, [...]");
    is_object = in_object(json);
    if (c == (is_object ? '}' : ']'))
        return close_node(json, state);
    if (c != ',')
        return json_mistake(
            json, json->at,
            is_object ? "a ',' or '}' must stand here" : "a ',' or ']' must stand here", NULL);
    json->at++;
    *state = is_object ? STATE_KEY : STATE_VALUE;
    return READING_DONE;
}

static enum reading read_token(struct json *json, enum state *state)
{
    switch (*state) {
    case STATE_FIRST_KEY:
        return json_peek(json) == '}' ? close_node(json, state) : read_key(json, state);
    case STATE_KEY:
        return read_key(json, state);
    case STATE_FIRST_VALUE:
        return json_peek(json) == ']' ? close_node(json, state) : read_value(json, state);
    case STATE_VALUE:
        return read_value(json, state);
    case STATE_AFTER_VALUE:
        break;
    }
    return after_value(json, state);
}

enum reading json_read(struct builder *builder, const char *text, size_t size, size_t base,
                       struct mistake *ret_mistake)
{
    struct json json = {.builder = builder,
                        .text = text,
                        .size = size,
                        .base = base,
                        .scratch = ROMSIM_BUFFER_INIT(size + 4),
                        .mistake = ret_mistake};
    enum state state = STATE_VALUE;
    enum reading result = READING_DONE;

    while (result == READING_DONE) {
        json_skip_space(&json);
        if (json.at == json.size && state == STATE_AFTER_VALUE && builder_depth(builder) == 0)
            break;
        if (json.at == json.size)
            result = json_mistake(&json, json.at, "the text ends too early",
                                  "a closing bracket is missing");
        else
            result = read_token(&json, &state);
    }
    romsim_buffer_reset(&json.scratch);
    return result;
}
