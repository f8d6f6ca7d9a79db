/* SPDX-License-Identifier: BSD-3-Clause */
/* check_range.c: which parts of an image are used twice. */
#include "check.h"

enum { RANGES_MAX = 1 << 20 };

/* Adjacent ranges of one use and file become one: a file's chunks or blocks mostly are. */
static bool extend_last(struct check *check, const struct range *range)
{
    struct range *last;

    if (!check->ranges.count || range->use == RANGE_PCLUSTER)
        return false;
    last = &check->ranges.items[check->ranges.count - 1];
    if (last->use != range->use || last->nid != range->nid || last->end != range->start)
        return false;
    last->end = range->end;
    return true;
}

int check_range_add(struct check *check, enum range_use use, uint64_t nid, uint64_t start,
                    uint64_t length, struct romsim_error *err)
{
    struct range range = {.start = start, .end = start + length, .nid = nid, .use = use};

    if (!length || extend_last(check, &range))
        return 0;
    if (check->ranges.count == RANGES_MAX) {
        check->ranges_full = true;
        return 0;
    }
    if (ranges_append(&check->ranges, range) < 0)
        return romsim_error_nomem(err);
    return 0;
}

static int compare_ranges(const void *a_, const void *b_)
{
    const struct range *a = a_, *b = b_;

    if (a->start != b->start)
        return a->start < b->start ? -1 : 1;
    return (a->end > b->end) - (a->end < b->end);
}

static const struct {
    const char *name, *overlaps;
} words[] = {
    [RANGE_SUPER] = {"the superblock", "overlaps"},
    [RANGE_INODE] = {"an inode", "overlaps"},
    [RANGE_FLAT] = {"a file's blocks", "overlap"},
    [RANGE_SHARED] = {"a file's chunks or plain data", "overlap"},
    [RANGE_PCLUSTER] = {"compressed clusters", "overlap"},
};

static bool is_metadata(enum range_use use)
{
    return use == RANGE_SUPER || use == RANGE_INODE;
}

static bool may_share(const struct range *a, const struct range *b)
{
    if (a->use == RANGE_SHARED && b->use == RANGE_SHARED)
        return true;
    return a->use == RANGE_PCLUSTER && b->use == RANGE_PCLUSTER && a->start == b->start;
}

/* Names what must not be there first: data over metadata, a file over the superblock. */
static void report_overlap(struct check *check, const struct range *a, const struct range *b)
{
    bool serious = is_metadata(a->use) || is_metadata(b->use) ||
                   (a->use == RANGE_PCLUSTER) != (b->use == RANGE_PCLUSTER);
    const struct range *over = a->use > b->use ? a : b, *under = over == a ? b : a;

    romsim_buffer_reset(&check->path);
    check_finding(check, serious ? ROMSIM_EROFS_ERROR : ROMSIM_EROFS_WARNING, NULL, b->start,
                  "%s (nid %llu) %s %s (nid %llu) by %llu bytes", words[over->use].name,
                  (unsigned long long)over->nid, words[over->use].overlaps, words[under->use].name,
                  (unsigned long long)under->nid,
                  (unsigned long long)(min_u64(a->end, b->end) - b->start));
}

void check_overlaps(struct check *check)
{
    struct range *ranges = check->ranges.items;
    const struct range *widest = ranges; /* of those before, the one that ends last */
    const struct range *reported = NULL; /* one finding is enough for what lies over many */

    if (check->ranges_full)
        check_finding(check, ROMSIM_EROFS_WARNING, NULL, 0,
                      "more than %d extents: not all are checked for overlaps", RANGES_MAX);
    if (!check->ranges.count)
        return;
    qsort(ranges, check->ranges.count, sizeof(*ranges), compare_ranges);
    for (size_t i = 1; i < check->ranges.count; i++) {
        if (ranges[i].start < widest->end && !may_share(widest, &ranges[i]) && reported != widest) {
            report_overlap(check, widest, &ranges[i]);
            reported = widest;
        }
        if (ranges[i].end > widest->end)
            widest = &ranges[i];
    }
}
