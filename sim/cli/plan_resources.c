/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * plan_resources.c: `romsim plan --resources`: memory, stated in advance.
 *
 * Two columns: what is taken when the apps run, and what may be taken at most, by guests that use
 * all of theirs.  What all instances have together is counted once.
 */
#include "sim/cli/plan_resources.h"

#include "sim/cli/cli.h"

#include <romsim/text.h>

#include <stdio.h>

struct sum {
    uint64_t start, most, images, count;
};

static void add(struct sum *sum, const struct plan_item *item)
{
    sum->start += item->count * romsim_needs_start(&item->needs);
    sum->most += item->count * romsim_needs_most(&item->needs);
    sum->images += item->needs.images;
    sum->count += item->count;
}

static struct sum sum_of(const struct plan_item *items, size_t count)
{
    struct sum sum = {.start = ROMSIM_NEEDS_SHARED, .most = ROMSIM_NEEDS_SHARED};

    for (size_t i = 0; i < count; i++)
        add(&sum, &items[i]);
    return sum;
}

/* How many instances of a file of one there is room for now; of several it takes all or none. */
static uint64_t fitting(const struct plan_item *items, size_t count, const struct sum *sum,
                        uint64_t is_free)
{
    if (count == 1)
        return romsim_needs_fit(&items[0].needs, is_free, items[0].count);
    return is_free >= sum->most ? sum->count : 0;
}

/* ---- for programs ----------------------------------------------------------------------- */

static json_t *pair(uint64_t start, uint64_t most)
{
    return json_pack("{s:I, s:I}", "start", (json_int_t)start, "most", (json_int_t)most);
}

static json_t *item_json(const struct plan_item *item)
{
    const struct romsim_needs *needs = &item->needs;

    return json_pack("{s:s?, s:I, s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:o}", "name",
                     *item->name ? item->name : NULL, "count", (json_int_t)item->count, "memory_mb",
                     (json_int_t)item->memory_mb, "guest", pair(needs->guest_start, needs->guest),
                     "qemu", (json_int_t)needs->qemu, "keeper", (json_int_t)needs->keeper, "fuse",
                     (json_int_t)needs->server, "inline_roms", (json_int_t)needs->inlined, "images",
                     (json_int_t)needs->images, "each",
                     pair(romsim_needs_start(needs), romsim_needs_most(needs)));
}

/* null: not known, or no limit. */
static json_t *known(uint64_t bytes)
{
    return bytes == ROMSIM_CAPACITY_ANY ? json_null() : json_integer((json_int_t)bytes);
}

static int print_json(const struct plan_item *items, size_t count, const struct sum *sum,
                      enum romsim_accel accel, const struct romsim_capacity *capacity)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, item_json(&items[i]));
    return cli_print_json(
        json_pack("{s:s, s:o, s:I, s:I, s:o, s:{s:o, s:o, s:s?}, s:I}", "accelerator",
                  accel == ROMSIM_ACCEL_KVM ? "kvm" : "tcg", "instances", list, "shared",
                  (json_int_t)ROMSIM_NEEDS_SHARED, "images", (json_int_t)sum->images, "total",
                  pair(sum->start, sum->most), "machine", "memory", known(capacity->memory_total),
                  "free", known(capacity->memory_free), "control_group",
                  *capacity->memory_limit ? capacity->memory_limit : NULL, "fit",
                  (json_int_t)fitting(items, count, sum, capacity->memory_free)));
}

/* ---- for people ------------------------------------------------------------------------- */

static void line(const char *what, uint64_t start, uint64_t most)
{
    printf("  %-34s %10s %10s\n", what, SIZE_TEXT(start), SIZE_TEXT(most));
}

static void print_item(const struct plan_item *item)
{
    const struct romsim_needs *needs = &item->needs;
    char text[64];

    printf("\n%s\n", *item->name ? QUOTE(item->name) : "An instance without a name");
    line("the guest's memory", needs->guest_start, needs->guest);
    line("QEMU", needs->qemu, needs->qemu);
    line("its keeper", needs->keeper, needs->keeper);
    line("the server of its images (FUSE)", needs->server, needs->server);
    if (needs->inlined)
        line("inline ROMs", needs->inlined, needs->inlined);
    line("each", romsim_needs_start(needs), romsim_needs_most(needs));
    if (item->count == 1)
        return;
    snprintf(text, sizeof(text), "%llu of them", (unsigned long long)item->count);
    line(text, item->count * romsim_needs_start(needs), item->count * romsim_needs_most(needs));
}

static void print_machine(const struct plan_item *items, size_t count, const struct sum *sum,
                          const struct romsim_capacity *capacity)
{
    uint64_t fit = fitting(items, count, sum, capacity->memory_free);

    if (capacity->memory_free == ROMSIM_CAPACITY_ANY) {
        printf("How much memory this machine has free is not known.\n");
        return;
    }
    printf("This machine has %s free%s%s%s: ", SIZE_TEXT(capacity->memory_free),
           *capacity->memory_limit ? ", by the limit of the control group '" : "",
           capacity->memory_limit, *capacity->memory_limit ? "'" : "");
    if (fit >= sum->count && capacity->memory_free >= sum->most)
        printf("enough, whatever they use.\n");
    else if (fit >= sum->count)
        printf("enough, unless all use all of theirs.\n");
    else if (fit == 0)
        printf("not enough.\n");
    else
        printf("room for %llu of %llu.\n", (unsigned long long)fit, (unsigned long long)sum->count);
}

static void print_text(const struct plan_item *items, size_t count, const struct sum *sum,
                       enum romsim_accel accel, const struct romsim_capacity *capacity)
{
    printf("Memory, with %-23s %10s %10s\n", accel == ROMSIM_ACCEL_KVM ? "KVM" : "emulation (TCG)",
           "START", "AT MOST");
    for (size_t i = 0; i < count; i++)
        print_item(&items[i]);
    printf("\nAll together\n");
    line("QEMU's program, the guest's kernel", ROMSIM_NEEDS_SHARED, ROMSIM_NEEDS_SHARED);
    line("in all", sum->start, sum->most);
    printf("\nThe page cache has the images' %s once for all, and gives them back when memory is\n"
           "wanted.\n",
           SIZE_TEXT(sum->images));
    print_machine(items, count, sum, capacity);
}

int plan_resources(const struct plan_item *items, size_t count, enum romsim_accel accel,
                   bool is_json)
{
    struct sum sum = sum_of(items, count);
    struct romsim_capacity capacity;

    romsim_capacity_look(&capacity);
    if (is_json)
        return print_json(items, count, &sum, accel, &capacity);
    print_text(items, count, &sum, accel, &capacity);
    return CLI_OK;
}
