/* SPDX-License-Identifier: BSD-3-Clause */
/* text.c: quoting foreign names for a terminal, sizes, UTF-8, hexadecimal, nearest words. */
#include <romsim/checked.h>
#include <romsim/text.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

/* The code point of a sequence that romsim_utf8_length() found to be valid. */
static uint32_t code_point(const char *text, size_t length)
{
    static const uint8_t first_mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t value = (uint8_t)text[0] & first_mask[length];

    for (size_t i = 1; i < length; i++)
        value = value << 6 | ((uint8_t)text[i] & 0x3f);
    return value;
}

size_t romsim_utf8_length(const char *text, size_t size)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t first;
    size_t length;
    uint32_t value;

    if (size == 0)
        return 0;
    first = (uint8_t)text[0];
    if (first < 0x80)
        return 1;
    length = first >= 0xc2 && first < 0xe0   ? 2
             : first >= 0xe0 && first < 0xf0 ? 3
             : first >= 0xf0 && first < 0xf5 ? 4
                                             : 0;
    if (length == 0 || length > size)
        return 0;
    for (size_t i = 1; i < length; i++)
        if (((uint8_t)text[i] & 0xc0) != 0x80)
            return 0;
    value = code_point(text, length);
    if (value < smallest[length] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
        return 0;
    return length;
}

bool romsim_utf8_is_valid(const char *text, size_t size)
{
    for (size_t i = 0; i < size;) {
        size_t length = romsim_utf8_length(text + i, size - i);

        if (length == 0)
            return false;
        i += length;
    }
    return true;
}

/* Controls (C0, DEL, C1), line separators, and what changes the direction of text: a name with
 * these could rewrite the line in which it is shown. */
static bool is_dangerous(uint32_t value)
{
    return value < 0x20 || (value >= 0x7f && value < 0xa0) || value == 0x061c ||
           (value >= 0x200b && value <= 0x200f) || (value >= 0x2028 && value <= 0x202e) ||
           (value >= 0x2066 && value <= 0x2069) || value == 0xfeff ||
           (value >= 0xfff9 && value <= 0xfffb);
}

size_t romsim_text_control(const char *text, size_t size, uint32_t *ret)
{
    size_t length = romsim_utf8_length(text, size);

    if (length == 0)
        return 0;
    *ret = code_point(text, length);
    return is_dangerous(*ret) ? length : 0;
}

/* What takes no column of its own, and what takes two: the blocks of Unicode that are all or mostly
 * so.  The C library's wcwidth() goes by the locale, of which there is none here. */
static const struct {
    uint32_t first, last;
    unsigned columns;
} widths[] = {
    {0x0300, 0x036f, 0},   {0x0483, 0x0489, 0},   {0x0591, 0x05bd, 0},   {0x064b, 0x065f, 0},
    {0x1100, 0x115f, 2},   {0x1ab0, 0x1aff, 0},   {0x1dc0, 0x1dff, 0},   {0x20d0, 0x20ff, 0},
    {0x231a, 0x231b, 2},   {0x23e9, 0x23ec, 2},   {0x25fd, 0x25fe, 2},   {0x2614, 0x2615, 2},
    {0x2648, 0x2653, 2},   {0x26aa, 0x26ab, 2},   {0x26bd, 0x26be, 2},   {0x26c4, 0x26c5, 2},
    {0x2705, 0x2705, 2},   {0x270a, 0x270b, 2},   {0x2728, 0x2728, 2},   {0x274c, 0x274c, 2},
    {0x274e, 0x274e, 2},   {0x2753, 0x2755, 2},   {0x2757, 0x2757, 2},   {0x2795, 0x2797, 2},
    {0x2b1b, 0x2b1c, 2},   {0x2b50, 0x2b50, 2},   {0x2b55, 0x2b55, 2},   {0x2e80, 0x303e, 2},
    {0x3041, 0x3098, 2},   {0x3099, 0x309a, 0},   {0x309b, 0xa4cf, 2},   {0xa960, 0xa97f, 2},
    {0xac00, 0xd7a3, 2},   {0xf900, 0xfaff, 2},   {0xfe00, 0xfe0f, 0},   {0xfe10, 0xfe19, 2},
    {0xfe20, 0xfe2f, 0},   {0xfe30, 0xfe6f, 2},   {0xff00, 0xff60, 2},   {0xffe0, 0xffe6, 2},
    {0x16fe0, 0x18aff, 2}, {0x1aff0, 0x1b2ff, 2}, {0x1f191, 0x1f19a, 2}, {0x1f200, 0x1f320, 2},
    {0x1f32d, 0x1f64f, 2}, {0x1f680, 0x1f6ff, 2}, {0x1f7e0, 0x1f7eb, 2}, {0x1f90c, 0x1f9ff, 2},
    {0x1fa70, 0x1faff, 2}, {0x20000, 0x3fffd, 2}, {0xe0100, 0xe01ef, 0},
};

size_t romsim_text_columns(const char *text, size_t size)
{
    size_t columns = 0;

    for (size_t i = 0, length; i < size; i += length) {
        uint32_t value;
        unsigned own = 1;

        length = romsim_utf8_length(text + i, size - i);
        value = length > 1 ? code_point(text + i, length) : 0;
        length += !length;
        for (size_t j = 0; value >= widths[0].first && j < sizeof(widths) / sizeof(widths[0]); j++)
            if (value >= widths[j].first && value <= widths[j].last)
                own = widths[j].columns;
        columns += own;
    }
    return columns;
}

static bool is_hex_digit(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* A text that has the form of an escape by itself: if its backslash stayed, nobody could tell it
 * from the byte. */
static bool looks_escaped(const char *text, size_t size)
{
    return size >= 4 && text[0] == '\\' && text[1] == 'x' && is_hex_digit(text[2]) &&
           is_hex_digit(text[3]);
}

/* Puts the quoted form of what stands at `text` into `ret` (17 bytes), and returns how many bytes
 * of the text it stands for. */
static size_t quote_one(const char *text, size_t size, bool backslashes, char ret[17])
{
    size_t length = romsim_utf8_length(text, size);
    size_t count = length == 0 ? 1 : length;

    if (length > 0 && !is_dangerous(code_point(text, length)) &&
        !(backslashes && looks_escaped(text, size))) {
        memcpy(ret, text, length);
        ret[length] = '\0';
        return length;
    }
    for (size_t i = 0; i < count; i++)
        snprintf(ret + 4 * i, 5, "\\x%02x", (uint8_t)text[i]);
    return count;
}

static const char *quote(const char *text, size_t size, bool backslashes, char *ret,
                         size_t ret_size)
{
    size_t used = 0;
    size_t cut = 0; /* where "..." still fits */
    char piece[17];

    for (size_t i = 0; i < size;) {
        size_t taken = quote_one(text + i, size - i, backslashes, piece);
        size_t length = strlen(piece);

        if (used + length >= ret_size) {
            memcpy(ret + cut, "...", 4);
            return ret;
        }
        memcpy(ret + used, piece, length);
        used += length;
        if (used + 4 <= ret_size)
            cut = used;
        i += taken;
    }
    ret[used] = '\0';
    return ret;
}

const char *romsim_text_quote(const char *text, size_t size, char *ret, size_t ret_size)
{
    return quote(text, size, true, ret, ret_size);
}

const char *romsim_text_disarm(const char *text, size_t size, char *ret, size_t ret_size)
{
    return quote(text, size, false, ret, ret_size);
}

const char *romsim_text_size(uint64_t bytes, char *ret, size_t ret_size)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes / 1024;
    size_t unit = 0;

    if (bytes < 1024) {
        snprintf(ret, ret_size, "%u B", (unsigned)bytes);
        return ret;
    }
    while (value >= 1023.95 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        value /= 1024;
        unit++;
    }
    snprintf(ret, ret_size, "%.1f %s", value, units[unit]);
    return ret;
}

int romsim_parse_size(const char *text, uint64_t *ret)
{
    static const char suffixes[] = "KMGT";
    uint64_t value = 0;

    if (*text < '0' || *text > '9')
        return -1;
    for (; *text >= '0' && *text <= '9'; text++)
        if (!checked_multiply(value, 10, &value) ||
            !checked_add(value, (uint64_t)(*text - '0'), &value))
            return -1;
    if (*text) {
        const char *suffix = strchr(suffixes, *text);

        if (!suffix || strcmp(text + 1 + (text[1] == 'i'), "") != 0 ||
            !checked_shift_left(value, 10 * (unsigned)(suffix - suffixes + 1), &value))
            return -1;
    }
    *ret = value;
    return 0;
}

int romsim_parse_megabytes(const char *text, uint64_t *ret_mb)
{
    const uint64_t mebibyte = 1 << 20;
    size_t length = strlen(text);
    bool is_plain = length && text[length - 1] >= '0' && text[length - 1] <= '9';
    uint64_t size;

    if (romsim_parse_size(text, &size) < 0 || size == 0 ||
        (is_plain ? size > UINT64_MAX / mebibyte : size % mebibyte != 0))
        return -1;
    *ret_mb = is_plain ? size : size / mebibyte;
    return 0;
}

const char *romsim_text_count(uint64_t count, const char *one, const char *many, char *ret,
                              size_t ret_size)
{
    snprintf(ret, ret_size, "%llu %s", (unsigned long long)count, count == 1 ? one : many);
    return ret;
}

void romsim_text_hex(const uint8_t *bytes, size_t size, char *ret)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < size; i++) {
        ret[2 * i] = digits[bytes[i] >> 4];
        ret[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret[2 * size] = '\0';
}

enum { NEAREST_MAX = 64 }; /* longer words have no near ones */

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned least = a < b ? a : b;

    return least < c ? least : c;
}

/* The Damerau-Levenshtein distance (with neighbours swapped once) of two words up to NEAREST_MAX.
 */
static unsigned distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
    unsigned rows[3][NEAREST_MAX + 1];
    unsigned *before = rows[0], *above = rows[1], *row = rows[2];

    for (size_t j = 0; j <= b_size; j++)
        above[j] = (unsigned)j;
    for (size_t i = 1; i <= a_size; i++) {
        unsigned *spare = before;

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_size; j++) {
            unsigned replaced = above[j - 1] + (a[i - 1] != b[j - 1]);

            row[j] = min3(above[j] + 1, row[j - 1] + 1, replaced);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = min3(row[j], before[j - 2] + 1, row[j]);
        }
        before = above;
        above = row;
        row = spare;
    }
    return above[b_size];
}

const char *romsim_text_nearest(const char *word, const char *const *known)
{
    size_t word_size = strlen(word);
    unsigned best = 3;
    const char *nearest = NULL;

    if (word_size > NEAREST_MAX)
        return NULL;
    for (; *known; known++) {
        size_t known_size = strlen(*known);
        unsigned apart;

        if (known_size > NEAREST_MAX)
            continue;
        apart = distance(word, word_size, *known, known_size);
        if (apart < best && apart < word_size) {
            best = apart;
            nearest = *known;
        }
    }
    return nearest;
}

const char *romsim_text_time(int64_t seconds, char ret[ROMSIM_TIME_SIZE])
{
    time_t time = (time_t)seconds;
    struct tm parts;

    if (!gmtime_r(&time, &parts) ||
        strftime(ret, ROMSIM_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        snprintf(ret, ROMSIM_TIME_SIZE, "?");
    return ret;
}
