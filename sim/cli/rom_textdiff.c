/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rom_textdiff.c: the lines in which two texts differ, in unified form.
 *
 * What the texts begin and end with in common is put aside; of the rest each line gets a number,
 * equal lines the same, and Myers' greedy algorithm goes over the numbers: the shortest script of
 * insertions and deletions is found by trying 0, 1, 2, ... of them and keeping, for each diagonal,
 * how far it reaches.  The reaches of all rounds are kept to walk back, so memory goes with the
 * square of the number of changes; beyond CHANGES_MAX, or STEPS_MAX lines compared, the rest is
 * shown as replaced as a whole.
 */
#include "sim/cli/rom_diff.h"

#include <romsim/checked.h>
#include <romsim/text.h>

#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 4 << 20, LINES_MAX = 500000, CONTEXT = 3 };
enum { CHANGES_MAX = 1500, STEPS_MAX = 40000000, STEPS_A_BYTE = 8 };

struct line {
    const char *text;
    uint32_t size; /* with the newline */
    uint32_t id;   /* of its text, among the lines that are compared */
};

DEFINE_VECTOR(lines, struct line);

struct text {
    char *bytes;
    size_t size;
    struct lines lines;
};

/* ---- texts -------------------------------------------------------------------------------- */

/* A text has no controls but those of lines.  What changes the direction of letters is part of
 * some; print_line() keeps it from a terminal. */
static bool is_text(const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)bytes[i] < ' ' && !strchr("\t\n\r\f", bytes[i]))
            return false;
    for (size_t i = 0; i + 1 < size; i++) /* C1 */
        if (bytes[i] == '\xc2' && (unsigned char)bytes[i + 1] < 0xa0)
            return false;
    return !memchr(bytes, 0, size) && !memchr(bytes, 0x7f, size) &&
           romsim_utf8_is_valid(bytes, size);
}

static int split(struct text *text)
{
    const char *at = text->bytes, *end = text->bytes + text->size;

    while (at < end) {
        const char *newline = memchr(at, '\n', end - at);
        struct line line = {at, newline ? newline + 1 - at : end - at, 0};

        if (lines_append(&text->lines, line) < 0)
            return -1;
        at += line.size;
    }
    return 0;
}

/* Loads a file's lines, or says in *ret_reason why not.  0 or -1. */
static int load(const struct text_side *side, uint64_t *budget, struct text *ret,
                const char **ret_reason, struct romsim_error *error)
{
    if (side->inode->size > TEXT_MAX) {
        *ret_reason = "over 4 MiB";
        return 0;
    }
    if (side->inode->size > *budget) {
        *ret_reason = "too many texts differ; --no-limit goes on";
        return 0;
    }
    *budget -= side->inode->size;
    ret->bytes = malloc(side->inode->size + 1);
    if (!ret->bytes)
        return romsim_error_nomem(error);
    if (romsim_erofs_read(side->erofs, side->inode, 0, ret->bytes, side->inode->size, &ret->size,
                          error) < 0)
        return -1;
    if (!is_text(ret->bytes, ret->size)) {
        *ret_reason = "not text";
        return 0;
    }
    if (split(ret) < 0)
        return romsim_error_nomem(error);
    if (ret->lines.count > LINES_MAX)
        *ret_reason = "over 500000 lines";
    return 0;
}

static void release(struct text *text)
{
    free(text->bytes);
    lines_reset(&text->lines);
}

static int compare_lines(const struct line *a, const struct line *b)
{
    int order = memcmp(a->text, b->text, a->size < b->size ? a->size : b->size);

    return order ? order : (a->size > b->size) - (a->size < b->size);
}

static int compare_places(const void *a, const void *b)
{
    struct line *const *x = a, *const *y = b;

    return compare_lines(*x, *y);
}

/* Gives equal lines of both arrays equal numbers.  Sorted and not hashed: nobody can make a text
 * that takes long. */
static int number_lines(struct line *old, size_t old_count, struct line *new, size_t new_count,
                        struct romsim_error *error)
{
    size_t count = old_count + new_count;
    CLEANUP_FREE struct line **places = malloc((count + 1) * sizeof(struct line *));

    if (!places)
        return romsim_error_nomem(error);
    for (size_t i = 0; i < count; i++)
        places[i] = i < old_count ? &old[i] : &new[i - old_count];
    qsort(places, count, sizeof(struct line *), compare_places);
    for (size_t i = 1; i < count; i++)
        places[i]->id = places[i - 1]->id + (compare_lines(places[i - 1], places[i]) != 0);
    return 0;
}

/* ---- the shortest script ------------------------------------------------------------------ */

/* Which lines go and which come: one flag a line. */
struct script {
    const struct lines *old, *new;
    bool *deleted, *inserted;
    uint64_t *budget; /* in bytes */
};

/* What is between the equal lines at the beginning and at the end. */
struct middle {
    struct line *old, *new;
    long old_count, new_count;
    bool *deleted, *inserted;
    long steps_left;
};

static bool same_line(struct middle *middle, long x, long y)
{
    middle->steps_left--;
    return middle->old[x].id == middle->new[y].id;
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
static bool try_round(struct middle *middle, int32_t *reaches, long d, long *ret_k)
{
    long n = middle->old_count, m = middle->new_count;

    for (long k = -d; k <= d && middle->steps_left > 0; k += 2) {
        long x = 0, y;

        if (d)
            x = came_down(reaches, d, k) ? reaches[reach_index(d - 1, k + 1)]
                                         : reaches[reach_index(d - 1, k - 1)] + 1;
        for (y = x - k; x < n && y < m && y >= 0 && x >= 0 && same_line(middle, x, y); x++)
            y++;
        reaches[reach_index(d, k)] = (int32_t)x;
        *ret_k = k;
        if (k == n - m && x >= n)
            return true;
    }
    return false;
}

/* Goes back from the end of round d to the beginning and marks what each step did. */
static void walk_back(const struct middle *middle, const int32_t *reaches, long d, long k)
{
    for (; d > 0; d--) {
        bool down = came_down(reaches, d, k);
        long before_k = down ? k + 1 : k - 1;
        long x = reaches[reach_index(d - 1, before_k)], y = x - before_k;

        if (down && y >= 0 && y < middle->new_count)
            middle->inserted[y] = true;
        if (!down && x >= 0 && x < middle->old_count)
            middle->deleted[x] = true;
        k = before_k;
    }
}

static int find_middle_script(struct middle *middle, struct romsim_error *error)
{
    long most = middle->old_count + middle->new_count, k = 0;
    CLEANUP_FREE int32_t *reaches = NULL;

    if (most > CHANGES_MAX)
        most = CHANGES_MAX;
    reaches = malloc(reach_index(most + 1, most + 1) * sizeof(*reaches));
    if (!reaches)
        return romsim_error_nomem(error);
    for (long d = 0; d <= most && middle->steps_left > 0; d++) {
        middle->steps_left -= d;
        if (try_round(middle, reaches, d, &k)) {
            walk_back(middle, reaches, d, k);
            return 0;
        }
    }
    memset(middle->deleted, true, (size_t)middle->old_count);
    memset(middle->inserted, true, (size_t)middle->new_count);
    return 0;
}

static int find_script(const struct script *script, struct romsim_error *error)
{
    const struct lines *old = script->old, *new = script->new;
    size_t least = old->count < new->count ? old->count : new->count, start = 0, end = 0;
    struct middle middle;

    while (start < least && compare_lines(&old->items[start], &new->items[start]) == 0)
        start++;
    while (end < least - start &&
           compare_lines(&old->items[old->count - 1 - end], &new->items[new->count - 1 - end]) == 0)
        end++;
    if (start == old->count && start == new->count)
        return 0;
    middle = (struct middle){
        .old = old->items + start,
        .new = new->items + start,
        .old_count = (long)(old->count - start - end),
        .new_count = (long)(new->count - start - end),
        .deleted = script->deleted + start,
        .inserted = script->inserted + start,
        .steps_left = STEPS_MAX,
    };
    if (number_lines(middle.old, (size_t)middle.old_count, middle.new, (size_t)middle.new_count,
                     error) < 0)
        return -1;
    if (find_middle_script(&middle, error) < 0)
        return -1;
    *script->budget -=
        min_u64(*script->budget, (uint64_t)(STEPS_MAX - middle.steps_left) / STEPS_A_BYTE);
    return 0;
}

/* ---- printing ----------------------------------------------------------------------------- */

/* For a terminal the controls that are left are escaped, but tabs. */
static void print_safely(FILE *out, const char *text, size_t size)
{
    for (size_t i = 0, length; i < size; i += length) {
        uint32_t control;
        char shown[32];

        length = romsim_text_control(text + i, size - i, &control);
        if (length && control != '\t') {
            fputs(romsim_text_quote(text + i, length, shown, sizeof(shown)), out);
            continue;
        }
        length = romsim_utf8_length(text + i, size - i);
        fwrite(text + i, 1, length, out);
    }
}

static void print_line(FILE *out, char mark, const struct line *line)
{
    bool whole = line->size && line->text[line->size - 1] == '\n';

    fputc(mark, out);
    if (out == stdout && isatty(STDOUT_FILENO))
        print_safely(out, line->text, line->size - whole);
    else
        fwrite(line->text, 1, line->size - whole, out);
    fputc('\n', out);
    if (!whole)
        fputs("\\ No newline at end of file\n", out);
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
static void print_range(FILE *out, char mark, size_t start, size_t end)
{
    fprintf(out, " %c%zu,%zu", mark, start + (end > start), end - start);
}

static struct position print_hunk(FILE *out, const struct script *script, struct position change)
{
    size_t before = change.x < CONTEXT ? change.x : CONTEXT;
    struct position at, end = hunk_end(script, change);

    if (change.y < before)
        before = change.y;
    at = (struct position){change.x - before, change.y - before};
    fprintf(out, "@@");
    print_range(out, '-', at.x, end.x);
    print_range(out, '+', at.y, end.y);
    fprintf(out, " @@\n");
    while (at.x < end.x || at.y < end.y) {
        struct position was = at;
        char mark = step(script, &at);

        print_line(out, mark,
                   mark == '+' ? &script->new->items[was.y] : &script->old->items[was.x]);
    }
    return end;
}

static int print_script(FILE *out, const struct lines *old, const struct lines *new,
                        uint64_t *budget, struct romsim_error *error)
{
    CLEANUP_FREE bool *deleted = calloc(old->count + 1, sizeof(bool));
    CLEANUP_FREE bool *inserted = calloc(new->count + 1, sizeof(bool));
    struct script script = {old, new, deleted, inserted, budget};
    struct position at = {0, 0};

    if (!deleted || !inserted)
        return romsim_error_nomem(error);
    if (find_script(&script, error) < 0)
        return -1;
    while (!is_end(&script, at)) {
        if (is_change(&script, at))
            at = print_hunk(out, &script, at);
        else
            step(&script, &at);
    }
    return 0;
}

int rom_text_diff(FILE *out, const char *path, const struct text_side *old_side,
                  const struct text_side *new_side, uint64_t *budget, const char **ret_reason,
                  struct romsim_error *error)
{
    struct text old = {0}, new = {0};
    const char *reason = NULL;
    int result = load(old_side, budget, &old, &reason, error);

    if (result == 0 && !reason)
        result = load(new_side, budget, &new, &reason, error);
    if (result == 0 && !reason) {
        fprintf(out, "--- %s:%s\n", QUOTE(old_side->label), QUOTE(path));
        fprintf(out, "+++ %s:%s\n", QUOTE(new_side->label), QUOTE(path));
        result = print_script(out, &old.lines, &new.lines, budget, error);
    }
    release(&old);
    release(&new);
    if (result == 0)
        *ret_reason = reason;
    return result;
}
