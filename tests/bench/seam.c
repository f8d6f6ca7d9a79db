/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * seam.c: what a seam without layers costs: small reads and lookups of a ROM through it, and the
 * same of the view, interleaved; the best of many rounds each.  Prints the two ratios.
 */
#include "tests/unit/seamed.h"

#include <romsim/clock.h>

enum { ROUNDS = 60, TIMES = 20000 };

static double read_through(struct romsim_seam *seam, struct romsim_view *view, uint64_t node)
{
    uint64_t start = romsim_clock_us();
    struct romsim_view_data data;

    for (int i = 0; i < TIMES; i++) {
        if (seam)
            romsim_seam_read(seam, node, (uint64_t)(i % 4) * 4096, 4096, &data, NULL);
        else
            romsim_view_read(view, node, (uint64_t)(i % 4) * 4096, 4096, &data, NULL);
        romsim_view_data_release(&data);
    }
    return (double)(romsim_clock_us() - start);
}

static double look_through(struct romsim_seam *seam, struct romsim_view *view, uint64_t node)
{
    uint64_t start = romsim_clock_us(), found;

    for (int i = 0; i < TIMES; i++)
        if (seam)
            romsim_seam_lookup(seam, node, "config", &found, NULL);
        else
            romsim_view_lookup(view, node, "config", &found, NULL);
    return (double)(romsim_clock_us() - start);
}

static void compare(const char *what, struct romsim_seam *seam, uint64_t node,
                    double (*take)(struct romsim_seam *, struct romsim_view *, uint64_t))
{
    struct romsim_view *view = romsim_seam_view(seam);
    double best_seam = take(seam, view, node), best_view = take(NULL, view, node);

    for (int i = 0; i < ROUNDS; i++) {
        double with = take(seam, view, node), without = take(NULL, view, node);

        best_seam = with < best_seam ? with : best_seam;
        best_view = without < best_view ? without : best_view;
    }
    printf("ratio: %s through a seam without layers, time by that of the view: %.3f (wanted: at "
           "most 1.03)\n",
           what, best_seam / best_view);
}

START_TEST(a_seam_without_layers_costs_nothing)
{
    struct seamed seamed;
    struct romsim_seam *seam;

    seamed_make(&seamed);
    seam = romsim_seam_new(&seamed.layout, false, NULL, NULL);
    ck_assert_ptr_nonnull(seam);
    compare("reads of 4 KiB", seam, seamed_find(seam, "/rom/folder/big"), read_through);
    compare("lookups", seam, seamed_find(seam, "/rom"), look_through);
    romsim_seam_free(seam);
    seamed_clear(&seamed);
    fflush(stdout);
}
END_TEST

UNIT_MAIN("seam", a_seam_without_layers_costs_nothing)
