/* SPDX-License-Identifier: BSD-3-Clause */
/* tail.c: the last lines of a stream. */
#include "tail.h"

#include <romsim/text.h>

#include <string.h>

void tail_add(struct tail *tail, const char *bytes, size_t size)
{
    size_t kept;

    if (size > TAIL_BYTES) {
        bytes += size - TAIL_BYTES;
        size = TAIL_BYTES;
    }
    kept = tail->size + size > TAIL_BYTES ? TAIL_BYTES - size : tail->size;
    memmove(tail->bytes, tail->bytes + tail->size - kept, kept);
    memcpy(tail->bytes + kept, bytes, size);
    tail->size = kept + size;
}

bool tail_contains(const struct tail *tail, const char *text)
{
    return memmem(tail->bytes, tail->size, text, strlen(text)) != NULL;
}

bool tail_find(const struct tail *tail, const char *text, char *ret, size_t ret_size)
{
    const char *found = memmem(tail->bytes, tail->size, text, strlen(text));
    size_t left, size = 0;

    if (!found)
        return false;
    left = tail->size - (size_t)(found - tail->bytes);
    while (size < left && found[size] != '\n' && found[size] != '\r')
        size++;
    romsim_text_quote(found, size, ret, ret_size);
    return true;
}

/* The start of the line that ends before `end`. */
static size_t line_start(const struct tail *tail, size_t end)
{
    while (end > 0 && tail->bytes[end - 1] != '\n')
        end--;
    return end;
}

static void print_line(const char *line, size_t size, struct romsim_buffer *out)
{
    char quoted[512];

    while (size > 0 && (line[size - 1] == '\r' || line[size - 1] == ' '))
        size--;
    if (size > 0)
        romsim_buffer_printf(out, "\n  | %s",
                             romsim_text_quote(line, size, quoted, sizeof(quoted)));
}

static bool is_blank(const char *line, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (line[i] != '\r' && line[i] != ' ')
            return false;
    return true;
}

void tail_print(const struct tail *tail, unsigned lines, struct romsim_buffer *out)
{
    size_t first = tail->size;

    while (lines > 0 && first > 0) {
        size_t start = line_start(tail, first - 1);

        lines -= !is_blank(tail->bytes + start, first - 1 - start);
        first = start;
    }
    while (first < tail->size) {
        const char *line = tail->bytes + first;
        const char *newline = memchr(line, '\n', tail->size - first);
        size_t size = newline ? (size_t)(newline - line) : tail->size - first;

        print_line(line, size, out);
        first += size + 1;
    }
}
