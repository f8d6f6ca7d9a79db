/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rom_textdiff.c: the lines in which two texts differ, in unified form.
 *
 * Myers' greedy algorithm: the shortest script of insertions and deletions is found by trying 0, 1,
 * 2, ... of them and keeping, for each diagonal, how far it reaches.  The reaches of all rounds are
 * kept to walk back, so memory goes with the square of the number of changes; beyond
 * CHANGES_MAX the rest is shown as replaced as a whole.
 */
#include "sim/cli/rom_diff.h"

#include <romsim/text.h>

#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 1 << 20, CHANGES_MAX = 1500, CONTEXT = 3 };

struct line {
    const char *text;
    uint32_t size; /* with the newline */
};

DEFINE_VECTOR(lines, struct line);

struct text {
    char *bytes;
    size_t size;
    struct lines lines;
};

/* ---- texts -------------------------------------------------------------------------------- */

static bool is_text(const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)bytes[i] < ' ' && !strchr("\t\n\r\f", bytes[i]))
            return false;
    return !memchr(bytes, 0, size) && !memchr(bytes, 0x7f, size) &&
           romsim_utf8_is_valid(bytes, size);
}

static int split(struct text *text)
{
    const char *at = text->bytes, *end = text->bytes + text->size;

    while (at < end) {
        const char *newline = memchr(at, '\n', end - at);
        struct line line = {at, newline ? newline + 1 - at : end - at};

        if (lines_append(&text->lines, line) < 0)
            return -1;
        at += line.size;
    }
    return 0;
}

/* 1 if it is text, 0 if not, -1. */
static int load(const struct text_side *side, struct text *ret, struct romsim_error *error)
{
    if (side->inode->size > TEXT_MAX)
        return 0;
    ret->bytes = malloc(side->inode->size + 1);
    if (!ret->bytes)
        return romsim_error_nomem(error);
    if (romsim_erofs_read(side->erofs, side->inode, 0, ret->bytes, side->inode->size, &ret->size,
                          error) < 0)
        return -1;
    if (!is_text(ret->bytes, ret->size))
        return 0;
    return split(ret) < 0 ? romsim_error_nomem(error) : 1;
}

static void release(struct text *text)
{
    free(text->bytes);
    lines_reset(&text->lines);
}

/* ---- the shortest script ------------------------------------------------------------------ */

/* Which lines go and which come: one flag a line. */
struct script {
    const struct lines *old, *new;
    bool *deleted, *inserted;
};

static bool same_line(const struct script *script, long x, long y)
{
    const struct line *a = &script->old->items[x], *b = &script->new->items[y];

    return a->size == b->size && memcmp(a->text, b->text, a->size) == 0;
}

/* Round d has the reaches of the diagonals -d, -d + 2, ..., d: d + 1 of them, from d(d + 1)/2. */
static size_t reach_index(long d, long k)
{
    return (size_t)d * (size_t)(d + 1) / 2 + (size_t)((k + d) / 2);
}

/* Was diagonal k in round d reached from above (an insertion), not from the left? */
static bool came_down(const int32_t *reaches, long d, long k)
{
    if (k == -d)
        return true;
    if (k == d)
        return false;
    return reaches[reach_index(d - 1, k - 1)] < reaches[reach_index(d - 1, k + 1)];
}

/* Tries with d changes; returns true when the end is reached. */
static bool try_round(const struct script *script, int32_t *reaches, long d, long *ret_k)
{
    long n = (long)script->old->count, m = (long)script->new->count;

    for (long k = -d; k <= d; k += 2) {
        long x = 0, y;

        if (d)
            x = came_down(reaches, d, k) ? reaches[reach_index(d - 1, k + 1)]
                                         : reaches[reach_index(d - 1, k - 1)] + 1;
        for (y = x - k; x < n && y < m && y >= 0 && x >= 0 && same_line(script, x, y); x++)
            y++;
        reaches[reach_index(d, k)] = (int32_t)x;
        *ret_k = k;
        if (k == n - m && x >= n)
            return true;
    }
    return false;
}

/* Goes back from the end of round d to the beginning and marks what each step did. */
static void walk_back(const struct script *script, const int32_t *reaches, long d, long k)
{
    for (; d > 0; d--) {
        bool down = came_down(reaches, d, k);
        long before_k = down ? k + 1 : k - 1;
        long x = reaches[reach_index(d - 1, before_k)], y = x - before_k;

        if (down && y >= 0 && y < (long)script->new->count)
            script->inserted[y] = true;
        if (!down && x >= 0 && x < (long)script->old->count)
            script->deleted[x] = true;
        k = before_k;
    }
}

static void mark_all(const struct script *script)
{
    memset(script->deleted, true, script->old->count);
    memset(script->inserted, true, script->new->count);
}

static int find_script(const struct script *script, struct romsim_error *error)
{
    long most = (long)(script->old->count + script->new->count), k = 0;
    CLEANUP_FREE int32_t *reaches = NULL;

    if (most > CHANGES_MAX)
        most = CHANGES_MAX;
    reaches = malloc(reach_index(most + 1, most + 1) * sizeof(*reaches));
    if (!reaches)
        return romsim_error_nomem(error);
    for (long d = 0; d <= most; d++)
        if (try_round(script, reaches, d, &k)) {
            walk_back(script, reaches, d, k);
            return 0;
        }
    mark_all(script);
    return 0;
}

/* ---- printing ----------------------------------------------------------------------------- */

static void print_line(char mark, const struct line *line)
{
    bool whole = line->size && line->text[line->size - 1] == '\n';

    printf("%c%.*s\n", mark, (int)(line->size - whole), line->text);
    if (!whole)
        puts("\\ No newline at end of file");
}

/* Where a script stands in both texts. */
struct position {
    size_t x, y;
};

static bool is_change(const struct script *script, struct position at)
{
    return (at.x < script->old->count && script->deleted[at.x]) ||
           (at.y < script->new->count && script->inserted[at.y]);
}

static bool is_end(const struct script *script, struct position at)
{
    return at.x >= script->old->count && at.y >= script->new->count;
}

/* One line on, deletions first. */
static char step(const struct script *script, struct position *at)
{
    if (at->x < script->old->count && script->deleted[at->x]) {
        at->x++;
        return '-';
    }
    if (at->y < script->new->count && script->inserted[at->y]) {
        at->y++;
        return '+';
    }
    at->x++;
    at->y++;
    return ' ';
}

/* The end of a hunk: behind it are more than twice CONTEXT equal lines, or nothing. */
static struct position hunk_end(const struct script *script, struct position at)
{
    struct position end = at;

    for (size_t equal = 0; !is_end(script, at) && equal <= 2 * CONTEXT;) {
        if (step(script, &at) == ' ') {
            equal++;
            continue;
        }
        equal = 0;
        end = at;
    }
    for (size_t i = 0; i < CONTEXT && !is_end(script, end); i++)
        step(script, &end);
    return end;
}

/* Empty ranges name the line before them, as diff does. */
static void print_range(char mark, size_t start, size_t end)
{
    printf(" %c%zu,%zu", mark, start + (end > start), end - start);
}

static struct position print_hunk(const struct script *script, struct position change)
{
    size_t before = change.x < CONTEXT ? change.x : CONTEXT;
    struct position at, end = hunk_end(script, change);

    if (change.y < before)
        before = change.y;
    at = (struct position){change.x - before, change.y - before};
    printf("@@");
    print_range('-', at.x, end.x);
    print_range('+', at.y, end.y);
    printf(" @@\n");
    while (at.x < end.x || at.y < end.y) {
        struct position was = at;
        char mark = step(script, &at);

        print_line(mark, mark == '+' ? &script->new->items[was.y] : &script->old->items[was.x]);
    }
    return end;
}

static int print_script(const struct lines *old, const struct lines *new,
                        struct romsim_error *error)
{
    CLEANUP_FREE bool *deleted = calloc(old->count + 1, sizeof(bool));
    CLEANUP_FREE bool *inserted = calloc(new->count + 1, sizeof(bool));
    struct script script = {old, new, deleted, inserted};
    struct position at = {0, 0};

    if (!deleted || !inserted)
        return romsim_error_nomem(error);
    if (find_script(&script, error) < 0)
        return -1;
    while (!is_end(&script, at)) {
        if (is_change(&script, at))
            at = print_hunk(&script, at);
        else
            step(&script, &at);
    }
    return 0;
}

int rom_text_diff(const char *path, const struct text_side *old_side,
                  const struct text_side *new_side, struct romsim_error *error)
{
    struct text old = {0}, new = {0};
    int result = load(old_side, &old, error);

    if (result > 0)
        result = load(new_side, &new, error);
    if (result == 0) {
        printf("         (not text, or over 1 MiB)\n");
    } else if (result > 0) {
        printf("--- %s:%s\n", QUOTE(old_side->label), QUOTE(path));
        printf("+++ %s:%s\n", QUOTE(new_side->label), QUOTE(path));
        result = print_script(&old.lines, &new.lines, error);
    }
    release(&old);
    release(&new);
    return result < 0 ? -1 : 0;
}
