/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * outcome.c: what happened to an instance, and whether it was the same.
 *
 * What differs from run to run although nothing is the matter is masked before: names that were
 * made up, and the values of variables where these are not to be told (romsim/case.h).
 */
#include <romsim/case.h>

#include <romsim/checked.h>
#include <romsim/cleanup.h>
#include <romsim/text.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const end_names[] = {[ROMSIM_OUTCOME_EXIT] = "exit",
                                        [ROMSIM_OUTCOME_FAILED] = "failed",
                                        [ROMSIM_OUTCOME_CUT] = "cut"};

const char *romsim_outcome_end_name(enum romsim_outcome_end end)
{
    return end_names[end];
}

void romsim_outcome_clear(struct romsim_outcome *outcome)
{
    free(outcome->reason);
    romsim_buffer_reset(&outcome->console);
    romsim_reads_free(outcome->reads);
    outcome->reason = NULL;
    outcome->reads = NULL;
}

void romsim_comparison_clear(struct romsim_comparison *comparison)
{
    free(comparison->difference);
    free(comparison->untold);
    *comparison = (struct romsim_comparison){0};
}

/* ---- masks -------------------------------------------------------------------------------- */

int romsim_masks_add(struct romsim_masks *masks, const char *text, const char *shown)
{
    struct romsim_mask *items;
    struct romsim_mask mask;

    if (strlen(text) < ROMSIM_MASK_MIN)
        return 0;
    items = reallocarray(masks->items, masks->count + 1, sizeof(*items));
    if (!items)
        return -1;
    masks->items = items;
    mask = (struct romsim_mask){strdup(text), strdup(shown)};
    if (!mask.text || !mask.shown) {
        free(mask.text);
        free(mask.shown);
        return -1;
    }
    items[masks->count++] = mask;
    return 0;
}

int romsim_masks_add_variable(struct romsim_masks *masks, const char *name, const char *value)
{
    CLEANUP_FREE char *shown = NULL;

    if (asprintf(&shown, "[redacted %s]", name) < 0) {
        shown = NULL;
        return -1;
    }
    return romsim_masks_add(masks, value, shown);
}

void romsim_masks_clear(struct romsim_masks *masks)
{
    for (size_t i = 0; i < masks->count; i++) {
        free(masks->items[i].text);
        free(masks->items[i].shown);
    }
    free(masks->items);
    *masks = (struct romsim_masks){0};
}

/* The longest that stands at the beginning of the bytes, the first of several; or NULL. */
static const struct romsim_mask *find_mask(const struct romsim_masks *masks, const char *bytes,
                                           size_t size)
{
    const struct romsim_mask *found = NULL;

    for (size_t i = 0; i < masks->count; i++) {
        const struct romsim_mask *mask = &masks->items[i];
        size_t length = strlen(mask->text);

        if (length <= size && memcmp(mask->text, bytes, length) == 0 &&
            (!found || length > strlen(found->text)))
            found = mask;
    }
    return found;
}

int romsim_masks_apply(const struct romsim_masks *masks, const char *bytes, size_t size,
                       struct romsim_buffer *ret)
{
    bool begins[256] = {false};
    size_t from = 0, at = 0;

    for (size_t i = 0; i < masks->count; i++)
        begins[(unsigned char)masks->items[i].text[0]] = true;
    while (at < size) {
        const struct romsim_mask *mask =
            begins[(unsigned char)bytes[at]] ? find_mask(masks, bytes + at, size - at) : NULL;

        if (!mask) {
            at++;
            continue;
        }
        romsim_buffer_append(ret, bytes + from, at - from);
        romsim_buffer_puts(ret, mask->shown);
        from = at += strlen(mask->text);
    }
    return romsim_buffer_append(ret, bytes + from, size - from);
}

/* ---- comparing ---------------------------------------------------------------------------- */

/* "exit status 3", "no start: REASON". */
static char *end_text(const struct romsim_outcome *outcome)
{
    char *text = NULL;
    int size = 0;

    if (outcome->end == ROMSIM_OUTCOME_EXIT)
        size = asprintf(&text, "exit status %d", outcome->status);
    else if (outcome->end == ROMSIM_OUTCOME_CUT)
        size = asprintf(&text, "it ran on");
    else
        size = asprintf(&text, "it failed: %.*s", (int)strcspn(outcome->reason ?: "", "\n"),
                        outcome->reason ?: "");
    return size < 0 ? NULL : text;
}

static int differ(struct romsim_comparison *ret, const char *subject, char *text,
                  struct romsim_error *err)
{
    if (!text)
        return romsim_error_nomem(err);
    ret->subject = subject;
    ret->difference = text;
    return 0;
}

static int compare_end(const struct romsim_outcome *there, const struct romsim_outcome *here,
                       struct romsim_comparison *ret, struct romsim_error *err)
{
    CLEANUP_FREE char *was = end_text(there), *is = end_text(here);
    char *text;

    if (!was || !is)
        return romsim_error_nomem(err);
    if (there->end == ROMSIM_OUTCOME_CUT && here->end == ROMSIM_OUTCOME_CUT)
        return 0;
    if (strcmp(was, is) == 0)
        return 0;
    if (there->end == ROMSIM_OUTCOME_FAILED && here->end == there->end &&
        (!there->reason || !here->reason))
        return 0;
    if (asprintf(&text, "%s there, %s here", was, is) < 0)
        text = NULL;
    return differ(ret, "exit", text, err);
}

struct line {
    const char *text;
    size_t size;
};

/* The line at *at, without its end, and *at behind it; false at the end of all. */
static bool next_line(const struct romsim_buffer *console, size_t *at, struct line *ret)
{
    const char *newline;

    if (*at >= console->size)
        return false;
    ret->text = console->data + *at;
    newline = memchr(ret->text, '\n', console->size - *at);
    ret->size = newline ? (size_t)(newline - ret->text) : console->size - *at;
    *at += ret->size + (newline ? 1 : 0);
    while (ret->size > 0 && ret->text[ret->size - 1] == '\r')
        ret->size--;
    return true;
}

static char *console_text(size_t number, const struct line *there, const struct line *here)
{
    char quoted[2][200], *text;

    if (there)
        romsim_text_quote(there->text, there->size, quoted[0], sizeof(quoted[0]));
    if (here)
        romsim_text_quote(here->text, here->size, quoted[1], sizeof(quoted[1]));
    if (there && here
            ? asprintf(&text, "line %zu is '%s' there, '%s' here", number, quoted[0], quoted[1]) < 0
        : there ? asprintf(&text, "line %zu, '%s', is only there", number, quoted[0]) < 0
                : asprintf(&text, "line %zu, '%s', is only here", number, quoted[1]) < 0)
        return NULL;
    return text;
}

/* Of a console whose beginning was not kept there is the end, and with that the other's is
 * compared. */
static size_t find_begin(const struct romsim_outcome *there, const struct romsim_outcome *here)
{
    if (!there->is_tail || here->console.size <= there->console.size)
        return 0;
    return here->console.size - there->console.size;
}

/* Of a case that was cut, and its last line is not complete, as much as there is. */
static bool is_same_line(const struct line *there, const struct line *here, bool is_last)
{
    if (is_last && there->size < here->size)
        return memcmp(there->text, here->text, there->size) == 0;
    return there->size == here->size && memcmp(there->text, here->text, there->size) == 0;
}

static int compare_console(const struct romsim_outcome *there, const struct romsim_outcome *here,
                           struct romsim_comparison *ret, struct romsim_error *err)
{
    size_t at = 0, other = find_begin(there, here);
    bool is_cut = there->end == ROMSIM_OUTCOME_CUT;
    bool is_open =
        is_cut && there->console.size > 0 && there->console.data[there->console.size - 1] != '\n';
    struct line was, is;

    for (size_t number = 1;; number++) {
        bool has = next_line(&there->console, &at, &was);
        bool has_here = next_line(&here->console, &other, &is);

        if (!has && (!has_here || is_cut))
            return 0;
        if (has && has_here && is_same_line(&was, &is, is_open && at >= there->console.size))
            continue;
        return differ(ret, "console",
                      console_text(number, has ? &was : NULL, has_here ? &is : NULL), err);
    }
}

static int say_untold(struct romsim_comparison *ret, const char *text, struct romsim_error *err)
{
    ret->untold = strdup(text);
    return ret->untold ? 0 : romsim_error_nomem(err);
}

int romsim_outcome_compare(const struct romsim_outcome *there, const struct romsim_outcome *here,
                           bool ranges, struct romsim_comparison *ret, struct romsim_error *err)
{
    char *text;

    *ret = (struct romsim_comparison){0};
    if (compare_end(there, here, ret, err) < 0)
        return -1;
    if (!ret->difference && compare_console(there, here, ret, err) < 0)
        return -1;
    if (ret->difference)
        return 0;
    if (there->end == ROMSIM_OUTCOME_CUT)
        return say_untold(ret,
                          "it still ran when it was captured: what followed, and the reads of "
                          "ROMs, are not compared",
                          err);
    if (!there->reads)
        return say_untold(ret, "the case has no trace: reads of ROMs are not compared", err);
    if (!here->reads)
        return say_untold(ret, "without FUSE here reads of ROMs are not compared", err);
    text = romsim_reads_difference(there->reads, here->reads, ranges);
    return text ? differ(ret, "reads", text, err) : 0;
}
