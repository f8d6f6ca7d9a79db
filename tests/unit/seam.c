/* SPDX-License-Identifier: BSD-3-Clause */
/* seam.c: chains of layers over a view. */
#include "seamed.h"

#include "sim/seam/layer.h"

#include <errno.h>

/* ---- layers for the tests ----------------------------------------------------------------- */

/* What passed them, each a letter: "l" a lookup, "r" a read; in upper case of the second layer. */
static char passed[64];

static void note(char letter)
{
    size_t length = strlen(passed);

    ck_assert_uint_lt(length + 1, sizeof(passed));
    passed[length] = letter;
}

static int first_lookup(struct layer *layer, uint64_t directory, const char *name,
                        uint64_t *ret_node, struct romsim_error *err)
{
    note('l');
    return next_lookup(layer, directory, name, ret_node, err);
}

static int first_read(struct layer *layer, uint64_t node, uint64_t offset, size_t size,
                      struct romsim_view_data *ret, struct romsim_error *err)
{
    note('r');
    return next_read(layer, node, offset, size, ret, err);
}

static int second_read(struct layer *layer, uint64_t node, uint64_t offset, size_t size,
                       struct romsim_view_data *ret, struct romsim_error *err)
{
    note('R');
    if (offset == 4096)
        return romsim_error_set(err, EIO, "no");
    return next_read(layer, node, offset, size, ret, err);
}

static void second_free(struct layer *layer)
{
    note('F');
    free(layer);
}

static const struct layer_ops first_ops = {
    .name = "first", .lookup = first_lookup, .read = first_read};
static const struct layer_ops second_ops = {
    .name = "second", .read = second_read, .free = second_free};

static struct layer *new_layer(const struct layer_ops *ops)
{
    struct layer *layer = calloc(1, sizeof(*layer));

    layer->ops = ops;
    return layer;
}

static struct romsim_seam *new_seam(struct seamed *seamed)
{
    struct romsim_error err;
    struct romsim_seam *seam;

    seamed_make(seamed);
    seam = romsim_seam_new(&seamed->layout, false, NULL, &err);
    ck_assert_msg(seam != NULL, "%s", seam ? "" : err.message);
    memset(passed, 0, sizeof(passed));
    return seam;
}

/* ---- tests -------------------------------------------------------------------------------- */

START_TEST(without_layers_a_seam_is_its_view)
{
    struct seamed seamed;
    struct romsim_seam *seam = new_seam(&seamed);

    ck_assert(romsim_seam_is_bare(seam));
    ck_assert(!romsim_seam_watches(seam, seamed_find(seam, "/rom/config")));
    ck_assert_int_eq(seamed_read(seam, "/rom/config", 0, 100), 5);
    ck_assert_int_eq(seamed_read(seam, "/folder/big", SEAMED_BIG - 1, 100), 1);
    ck_assert_int_eq(seamed_read(seam, "/folder", 0, 100), -EISDIR);
    romsim_seam_free(seam);
    seamed_clear(&seamed);
}
END_TEST

START_TEST(a_chain_sees_its_device_and_no_other)
{
    struct seamed seamed;
    struct romsim_seam *seam = new_seam(&seamed);

    ck_assert_int_eq(seam_push(seam, 1, new_layer(&first_ops)), 0);
    ck_assert(!romsim_seam_is_bare(seam));
    ck_assert_int_eq(seamed_read(seam, "/folder/big", 0, 100), 100);
    ck_assert_int_eq(seamed_read(seam, "/dev/ukp_rom0", 0, 100), 100);
    ck_assert_str_eq(passed, "");
    /* The name "rom" is the root's; what it leads to is the ROM's. */
    ck_assert_int_eq(seamed_read(seam, "/rom/config", 0, 100), 5);
    ck_assert_str_eq(passed, "lr");
    ck_assert_int_eq(seamed_read(seam, "/dev/ukp_rom_config", 0, 100), 100);
    ck_assert_str_eq(passed, "lrr");
    ck_assert(romsim_seam_watches(seam, seamed_find(seam, "/rom")));
    ck_assert(romsim_seam_watches(seam, seamed_find(seam, "/dev/ukp_rom1")));
    ck_assert(!romsim_seam_watches(seam, seamed_find(seam, "/dev/ukp_rom0")));
    ck_assert(!romsim_seam_watches(seam, ROMSIM_VIEW_ROOT));
    romsim_seam_free(seam);
    seamed_clear(&seamed);
}
END_TEST

START_TEST(layers_are_asked_from_the_last_one_that_was_put_on)
{
    struct seamed seamed;
    struct romsim_seam *seam = new_seam(&seamed);

    ck_assert_int_eq(seam_push(seam, 1, new_layer(&second_ops)), 0);
    ck_assert_int_eq(seam_push(seam, 1, new_layer(&first_ops)), 0);
    ck_assert_int_eq(seamed_read(seam, "/rom/folder/big", 0, 10), 10);
    ck_assert_str_eq(passed, "llrR");
    /* Its error is the answer. */
    ck_assert_int_eq(seamed_read(seam, "/rom/folder/big", 4096, 10), -EIO);
    romsim_seam_free(seam);
    ck_assert_int_eq(passed[strlen(passed) - 1], 'F');
    seamed_clear(&seamed);
}
END_TEST

UNIT_MAIN("seam", without_layers_a_seam_is_its_view, a_chain_sees_its_device_and_no_other,
          layers_are_asked_from_the_last_one_that_was_put_on)
