/* SPDX-License-Identifier: BSD-3-Clause */
/* base64.c: the standard alphabet, strictly (RFC 4648 §4). */
#include <romsim/cleanup.h>
#include <romsim/text.h>

#include <stdlib.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The six bits of a character, or -1. */
static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

/* How many '=' end the text: 0 to 2. */
static size_t count_padding(const char *text, size_t size)
{
    size_t padding = 0;

    while (padding < 2 && padding < size && text[size - 1 - padding] == '=')
        padding++;
    return padding;
}

/* The offset of the first character that cannot stand where it does, or `size`. */
static size_t find_wrong(const char *text, size_t size)
{
    size_t padding = count_padding(text, size);
    size_t digits = size - padding;

    for (size_t i = 0; i < digits; i++)
        if (value_of(text[i]) < 0)
            return i;
    if (size % 4 != 0)
        return size == 0 ? 0 : size - 1;
    /* Bits that no byte takes must be zero, else two texts would mean the same bytes. */
    if (padding == 1 && (value_of(text[digits - 1]) & 3) != 0)
        return digits - 1;
    if (padding == 2 && (value_of(text[digits - 1]) & 15) != 0)
        return digits - 1;
    return size;
}

uint8_t *romsim_base64_decode(const char *text, size_t size, size_t *ret_size)
{
    size_t wrong = find_wrong(text, size);
    size_t digits = size - count_padding(text, size);
    size_t count = 0;
    uint32_t bits = 0;
    uint8_t *bytes;

    if (wrong != size) {
        *ret_size = wrong;
        return NULL;
    }
    bytes = malloc(size / 4 * 3 + 1);
    if (!bytes) {
        *ret_size = SIZE_MAX;
        return NULL;
    }
    for (size_t i = 0; i < digits; i++) {
        bits = bits << 6 | (uint32_t)value_of(text[i]);
        if (i % 4 != 0)
            bytes[count++] = (uint8_t)(bits >> (6 - i % 4 * 2));
    }
    *ret_size = count;
    return bytes;
}

char *romsim_base64_encode(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    char *text, *out;

    if (size > SIZE_MAX / 4)
        return NULL;
    text = out = malloc((size + 2) / 3 * 4 + 1);
    if (!text)
        return NULL;
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t bits = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                        (left > 2 ? bytes[i + 2] : 0);

        *out++ = alphabet[bits >> 18];
        *out++ = alphabet[bits >> 12 & 63];
        *out++ = left > 1 ? alphabet[bits >> 6 & 63] : '=';
        *out++ = left > 2 ? alphabet[bits & 63] : '=';
    }
    *out = '\0';
    return text;
}
