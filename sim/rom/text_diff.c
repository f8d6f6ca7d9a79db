/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * text_diff.c: the lines in which two texts differ.
 *
 * What the texts begin and end with in common is put aside; of the rest each line gets a number,
 * equal lines the same, and Myers' greedy algorithm goes over the numbers: the shortest script of
 * insertions and deletions is found by trying 0, 1, 2, ... of them and keeping, for each diagonal,
 * how far it reaches.  The reaches of all rounds are kept to walk back, so memory goes with the
 * square of the number of changes; beyond CHANGES_MAX, or STEPS_MAX lines compared, the rest is
 * taken as replaced as a whole.
 */
#include <romsim/checked.h>
#include <romsim/rom_diff.h>
#include <romsim/text.h>

#include <string.h>

enum { CONTEXT = 3 };
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

/* Where one is in both texts. */
struct position {
    size_t x, y;
};

struct romsim_rom_text_diff {
    struct text old, new;
    bool *deleted, *inserted; /* one flag a line */
    struct position at, end;  /* in the hunk, and where that ends */
};

/* ---- texts -------------------------------------------------------------------------------- */

/* A text has no controls but those of lines.  What changes the direction of letters is part of
 * some: who shows a text keeps it from a terminal. */
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

/* Loads a file's lines, if it has some that can be compared.  Returns 0 or -1. */
static int load(struct romsim_erofs *erofs, const struct romsim_erofs_inode *inode,
                uint64_t *budget, struct text *ret, enum romsim_rom_text_verdict *ret_verdict,
                struct romsim_error *err)
{
    if (inode->size > ROMSIM_ROM_TEXT_MAX) {
        *ret_verdict = ROMSIM_ROM_TEXT_TOO_LARGE;
        return 0;
    }
    if (inode->size > *budget) {
        *ret_verdict = ROMSIM_ROM_TEXT_BUDGET;
        return 0;
    }
    *budget -= inode->size;
    ret->bytes = malloc(inode->size + 1);
    if (!ret->bytes)
        return romsim_error_nomem(err);
    if (romsim_erofs_read(erofs, inode, 0, ret->bytes, inode->size, &ret->size, err) < 0)
        return -1;
    if (!is_text(ret->bytes, ret->size)) {
        *ret_verdict = ROMSIM_ROM_NO_TEXT;
        return 0;
    }
    if (split(ret) < 0)
        return romsim_error_nomem(err);
    if (ret->lines.count > ROMSIM_ROM_LINES_MAX)
        *ret_verdict = ROMSIM_ROM_TEXT_TOO_LONG;
    return 0;
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
                        struct romsim_error *err)
{
    size_t count = old_count + new_count;
    CLEANUP_FREE struct line **places = malloc((count + 1) * sizeof(struct line *));

    if (!places)
        return romsim_error_nomem(err);
    for (size_t i = 0; i < count; i++)
        places[i] = i < old_count ? &old[i] : &new[i - old_count];
    qsort(places, count, sizeof(struct line *), compare_places);
    for (size_t i = 1; i < count; i++)
        places[i]->id = places[i - 1]->id + (compare_lines(places[i - 1], places[i]) != 0);
    return 0;
}

/* ---- the shortest script ------------------------------------------------------------------ */

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

static int find_middle_script(struct middle *middle, struct romsim_error *err)
{
    long most = middle->old_count + middle->new_count, k = 0;
    CLEANUP_FREE int32_t *reaches = NULL;

    if (most > CHANGES_MAX)
        most = CHANGES_MAX;
    reaches = malloc(reach_index(most + 1, most + 1) * sizeof(*reaches));
    if (!reaches)
        return romsim_error_nomem(err);
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

/* Marks which lines go and which come. */
static int find_script(struct romsim_rom_text_diff *diff, uint64_t *budget,
                       struct romsim_error *err)
{
    struct lines *old = &diff->old.lines, *new = &diff->new.lines;
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
        .old = old->count ? old->items + start : NULL,
        .new = new->count ? new->items + start : NULL,
        .old_count = (long)(old->count - start - end),
        .new_count = (long)(new->count - start - end),
        .deleted = diff->deleted + start,
        .inserted = diff->inserted + start,
        .steps_left = STEPS_MAX,
    };
    if (number_lines(middle.old, (size_t)middle.old_count, middle.new, (size_t)middle.new_count,
                     err) < 0)
        return -1;
    if (find_middle_script(&middle, err) < 0)
        return -1;
    *budget -= min_u64(*budget, (uint64_t)(STEPS_MAX - middle.steps_left) / STEPS_A_BYTE);
    return 0;
}

void romsim_rom_text_diff_free(struct romsim_rom_text_diff *diff)
{
    if (!diff)
        return;
    free(diff->old.bytes);
    free(diff->new.bytes);
    lines_reset(&diff->old.lines);
    lines_reset(&diff->new.lines);
    free(diff->deleted);
    free(diff->inserted);
    free(diff);
}

int romsim_rom_text_diff_new(struct romsim_erofs *const images[2],
                             const struct romsim_erofs_inode inodes[2], uint64_t *budget,
                             struct romsim_rom_text_diff **ret,
                             enum romsim_rom_text_verdict *ret_verdict, int *ret_culprit,
                             struct romsim_error *err)
{
    CLEANUP_ROM_TEXT_DIFF struct romsim_rom_text_diff *diff = calloc(1, sizeof(*diff));
    enum romsim_rom_text_verdict verdict = ROMSIM_ROM_TEXT;

    *ret_culprit = 0;
    if (!diff)
        return romsim_error_nomem(err);
    for (int i = 0; i < 2 && verdict == ROMSIM_ROM_TEXT; i++) {
        *ret_culprit = i;
        if (load(images[i], &inodes[i], budget, i ? &diff->new : &diff->old, &verdict, err) < 0)
            return -1;
    }
    *ret = NULL;
    *ret_verdict = verdict;
    if (verdict != ROMSIM_ROM_TEXT)
        return 0;
    diff->deleted = calloc(diff->old.lines.count + 1, sizeof(bool));
    diff->inserted = calloc(diff->new.lines.count + 1, sizeof(bool));
    if (!diff->deleted || !diff->inserted)
        return romsim_error_nomem(err);
    if (find_script(diff, budget, err) < 0)
        return -1;
    *ret = STEAL_POINTER(&diff);
    return 0;
}

/* ---- going over it ------------------------------------------------------------------------ */

static bool is_deleted(const struct romsim_rom_text_diff *diff, struct position at)
{
    return at.x < diff->old.lines.count && diff->deleted[at.x];
}

static bool is_inserted(const struct romsim_rom_text_diff *diff, struct position at)
{
    return at.y < diff->new.lines.count && diff->inserted[at.y];
}

static bool is_end(const struct romsim_rom_text_diff *diff, struct position at)
{
    return at.x >= diff->old.lines.count && at.y >= diff->new.lines.count;
}

/* One line on, deletions first. */
static char step(const struct romsim_rom_text_diff *diff, struct position *at)
{
    if (is_deleted(diff, *at)) {
        at->x++;
        return '-';
    }
    if (is_inserted(diff, *at)) {
        at->y++;
        return '+';
    }
    at->x++;
    at->y++;
    return ' ';
}

/* The end of a hunk: behind it are more than twice CONTEXT equal lines, or nothing. */
static struct position hunk_end(const struct romsim_rom_text_diff *diff, struct position at)
{
    struct position end = at;

    for (size_t equal = 0; !is_end(diff, at) && equal <= 2 * CONTEXT;) {
        if (step(diff, &at) == ' ') {
            equal++;
            continue;
        }
        equal = 0;
        end = at;
    }
    for (size_t i = 0; i < CONTEXT && !is_end(diff, end); i++)
        step(diff, &end);
    return end;
}

bool romsim_rom_text_diff_hunk(struct romsim_rom_text_diff *diff, struct romsim_rom_hunk *ret)
{
    struct position at = diff->end;
    size_t before;

    while (!is_end(diff, at) && !is_deleted(diff, at) && !is_inserted(diff, at))
        step(diff, &at);
    if (is_end(diff, at))
        return false;
    diff->end = hunk_end(diff, at);
    before = min_u64(CONTEXT, min_u64(at.x, at.y));
    diff->at = (struct position){at.x - before, at.y - before};
    *ret = (struct romsim_rom_hunk){diff->at.x, diff->end.x - diff->at.x, diff->at.y,
                                    diff->end.y - diff->at.y};
    return true;
}

char romsim_rom_text_diff_line(struct romsim_rom_text_diff *diff, const char **ret_text,
                               size_t *ret_size)
{
    struct position was = diff->at;
    const struct line *line;
    char mark;

    if (was.x >= diff->end.x && was.y >= diff->end.y)
        return '\0';
    mark = step(diff, &diff->at);
    line = mark == '+' ? &diff->new.lines.items[was.y] : &diff->old.lines.items[was.x];
    *ret_text = line->text;
    *ret_size = line->size;
    return mark;
}
