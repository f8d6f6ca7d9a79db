/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * place.c: from a byte of the text to line, column and an excerpt with a caret.
 *
 * Columns count characters (code points).  A line may be the whole text, with 30,000 things in it
 * that have a place, so the characters are counted once and the count kept every PLACE_STEP bytes.
 * A byte order mark is no part of the first line: editors do not show it.
 */
#include "builder.h"

#include <romsim/checked.h>
#include <romsim/text.h>
#include <romsim/vector.h>

#include <stdlib.h>
#include <string.h>

enum {
    PLACE_STEP = 4096,
    EXCERPT_BEFORE = 60,    /* characters shown before the column, at most */
    EXCERPT_CHARACTERS = 78 /* and in all */
};

static bool begins_character(char byte)
{
    return ((unsigned char)byte & 0xc0) != 0x80;
}

static int lines_append(struct romsim_document *document, size_t offset)
{
    void *lines = document->lines;

    if (document->line_count == document->line_capacity &&
        romsim_vector_grow(&lines, document->line_count, &document->line_capacity,
                           sizeof(*document->lines)) < 0)
        return -1;
    document->lines = lines;
    document->lines[document->line_count++] = (uint32_t)offset;
    return 0;
}

int document_index_lines(struct romsim_document *document)
{
    const char *text = document->text;
    uint32_t characters = 0;
    size_t mark = document->size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

    document->characters = calloc(document->size / PLACE_STEP + 1, sizeof(uint32_t));
    if (!document->characters || lines_append(document, mark) < 0)
        return -1;
    for (size_t i = 0; i < document->size; i++) {
        bool ends = text[i] == '\n' ||
                    (text[i] == '\r' && !(i + 1 < document->size && text[i + 1] == '\n'));

        if (i % PLACE_STEP == 0)
            document->characters[i / PLACE_STEP] = characters;
        characters += begins_character(text[i]);
        if (ends && lines_append(document, i + 1) < 0)
            return -1;
    }
    return 0;
}

/* The number of characters before `offset`. */
static uint32_t characters_before(const struct romsim_document *document, size_t offset)
{
    size_t step = offset < document->size ? offset / PLACE_STEP : 0;
    uint32_t count;

    if (document->size == 0)
        return 0;
    if (offset >= document->size)
        step = (document->size - 1) / PLACE_STEP;
    count = document->characters[step];
    for (size_t i = step * PLACE_STEP; i < offset && i < document->size; i++)
        count += begins_character(document->text[i]);
    return count;
}

/* The index of the line in which `offset` stands. */
static size_t line_of(const struct romsim_document *document, size_t offset)
{
    size_t low = 0;
    size_t high = document->line_count;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (document->lines[middle] <= offset)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static size_t line_end(const struct romsim_document *document, size_t line)
{
    size_t end = line + 1 < document->line_count ? document->lines[line + 1] : document->size;

    while (end > document->lines[line] &&
           (document->text[end - 1] == '\n' || document->text[end - 1] == '\r'))
        end--;
    return end;
}

/* One character as it may stand on a terminal, one column wide where we can help it. */
static size_t excerpt_character(const char *text, size_t size, char ret[8])
{
    char quoted[16];
    size_t length = romsim_utf8_length(text, size);

    ret[0] = *text == '\t' ? ' ' : '?';
    if (length == 0)
        return 1;
    romsim_text_quote(text, length, quoted, sizeof(quoted));
    if (strlen(quoted) != length || memcmp(quoted, text, length) != 0)
        return 1;
    memcpy(ret, text, length);
    return length;
}

static void place_excerpt(const struct romsim_document *document, size_t start, size_t end,
                          size_t offset, struct romsim_place *ret)
{
    size_t used = 0;
    size_t shown = 0;
    size_t begin = offset < end ? offset : end;

    for (size_t before = 0; begin > start && before < EXCERPT_BEFORE; before++)
        do
            begin--;
        while (begin > start && !begins_character(document->text[begin]));
    ret->caret = 1;
    for (size_t i = begin; i < end && shown < EXCERPT_CHARACTERS; shown++) {
        char character[8];
        size_t length = romsim_utf8_length(document->text + i, end - i);
        size_t size = excerpt_character(document->text + i, end - i, character);

        if (used + size >= sizeof(ret->excerpt))
            break;
        memcpy(ret->excerpt + used, character, size);
        used += size;
        i += length ? length : 1;
        if (i <= offset)
            ret->caret++;
    }
    ret->excerpt[used] = '\0';
    if (used == 0)
        ret->caret = 0;
}

static void place_file(const char *name, struct romsim_place *ret)
{
    size_t size = strlen(name);

    if (size < sizeof(ret->file)) {
        memcpy(ret->file, name, size + 1);
        return;
    }
    memcpy(ret->file, "...", 3);
    memcpy(ret->file + 3, name + size - (sizeof(ret->file) - 4), sizeof(ret->file) - 3);
}

void romsim_document_place(const struct romsim_document *document, size_t offset,
                           struct romsim_place *ret)
{
    size_t line;

    *ret = (struct romsim_place){0};
    offset = max_u64(min_u64(offset, document->size), document->lines[0]);
    line = line_of(document, offset);
    place_file(document->name, ret);
    ret->line = (unsigned)line + 1;
    ret->column = characters_before(document, offset) -
                  characters_before(document, document->lines[line]) + 1;
    place_excerpt(document, document->lines[line], line_end(document, line), offset, ret);
}

void romsim_document_complain(const struct romsim_document *document, size_t offset,
                              struct romsim_error *error, struct romsim_diagnostics *diagnostics)
{
    romsim_document_place(document, offset, &error->place);
    romsim_diagnostics_add(diagnostics, error, 0);
}

void romsim_document_warn(const struct romsim_document *document, size_t offset,
                          struct romsim_error *warning, struct romsim_diagnostics *diagnostics)
{
    romsim_document_place(document, offset, &warning->place);
    romsim_diagnostics_add(diagnostics, warning, 1);
}
