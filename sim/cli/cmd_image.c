/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_image.c: `romsim image`: the local image store, and changing what is in it. */
#include "sim/cli/image.h"

#include <romsim/image.h>
#include <romsim/text.h>

#include <errno.h>
#include <stdio.h>

struct romsim_store *image_store(const struct cli_args *args, bool alone,
                                 struct romsim_error *error)
{
    return cli_has(args, "shared") ? romsim_store_open_shared(alone, error)
                                   : romsim_store_open(alone, error);
}

/* ---- tag, rm, gc ------------------------------------------------------------------------ */

/* What is in a store that is only read is copied. */
static int tag(struct romsim_store *store, const struct romsim_store_name *image, const char *name,
               struct romsim_error *err)
{
    CLEANUP_STORE_NAMES struct romsim_store_names names = {0};
    CLEANUP_FREE char *reference = NULL;

    if (romsim_store_is_own(image->store))
        return romsim_store_tag(store, name, image->media_type, image->digest, image->size, err);
    if (asprintf(&reference, "oci:%s:%s", romsim_store_path(image->store), image->name) < 0) {
        reference = NULL;
        return romsim_error_nomem(err);
    }
    return romsim_store_import(store, reference, NULL, name, NULL, NULL, &names, err);
}

static int run_tag(const struct cli_args *args)
{
    struct romsim_error error;
    CLEANUP_STORE struct romsim_store *store = romsim_store_open(false, &error);
    CLEANUP_STORES struct romsim_stores stores = {0};
    struct romsim_store_name name;
    int found, status;

    if (!store || romsim_stores_open(&stores, &error) < 0)
        return cli_report(&error);
    found = romsim_stores_find(&stores, args->operands[0], &name, &error);
    if (found == 0)
        romsim_error_set(&error, ENOENT, "No image with name '%s'", QUOTE(args->operands[0]));
    if (found <= 0)
        return cli_report(&error);
    status = tag(store, &name, args->operands[1], &error);
    romsim_store_name_release(&name);
    return status < 0 ? cli_report(&error) : CLI_OK;
}

const struct cli_command cli_image_tag = {
    .name = "tag",
    .operands = "NAME NEW-NAME",
    .operands_min = 2,
    .operands_max = 2,
    .summary = "give an image of the store another name",
    .run = run_tag,
};

/* Why a name could not be taken away: another store may have it. */
static void hint_other_store(const char *name, struct romsim_error *error)
{
    CLEANUP_STORES struct romsim_stores stores = {0};
    struct romsim_store_name found;

    if (error->errnum != ENOENT || romsim_stores_open(&stores, NULL) < 0 ||
        romsim_stores_find(&stores, name, &found, NULL) <= 0)
        return;
    if (!romsim_store_is_own(found.store))
        romsim_error_hint(error, "it is in the image store '%s', which is only read",
                          QUOTE(romsim_store_path(found.store)));
    romsim_store_name_release(&found);
}

static int run_rm(const struct cli_args *args)
{
    struct romsim_error error;
    CLEANUP_STORE struct romsim_store *store = image_store(args, false, &error);
    int status = CLI_OK;

    if (!store)
        return cli_report(&error);
    for (size_t i = 0; i < args->operand_count; i++)
        if (romsim_store_untag(store, args->operands[i], &error) < 0) {
            hint_other_store(args->operands[i], &error);
            status = cli_report(&error);
        }
    return status;
}

static const struct cli_option rm_options[] = {IMAGE_OPTION_SHARED, CLI_OPTION_END};

const struct cli_command cli_image_rm = {
    .name = "rm",
    .operands = "NAME...",
    .operands_min = 1,
    .operands_max = CLI_OPERANDS_ANY,
    .summary = "take names away (gc then frees the space)",
    .options = rm_options,
    .run = run_rm,
};

static int run_gc(const struct cli_args *args)
{
    struct romsim_error error;
    CLEANUP_STORE struct romsim_store *store = image_store(args, true, &error);
    uint64_t blobs, bytes, cached;
    int64_t age = cli_has(args, "all") ? 0 : -1;

    if (!store || romsim_store_gc(store, &blobs, &bytes, &error) < 0 ||
        romsim_image_cache_sweep(age, &cached, &error) < 0 ||
        (cli_has(args, "shared") && romsim_store_sweep_roots(store, &cached, &error) < 0))
        return cli_report(&error);
    printf("%s removed, %s free; roots built from images: %s free\n",
           COUNT_TEXT(blobs, "blob", "blobs"), SIZE_TEXT(bytes), SIZE_TEXT(cached));
    return CLI_OK;
}

static const struct cli_option gc_options[] = {
    {"all", 'a', NULL, "all cached roots, not only the old (30 days)"},
    IMAGE_OPTION_SHARED,
    CLI_OPTION_END,
};

const struct cli_command cli_image_gc = {
    .name = "gc",
    .operands = "",
    .summary = "remove what no name leads to, and old cached roots",
    .options = gc_options,
    .run = run_gc,
};

/* ---- all -------------------------------------------------------------------------------- */

static const struct cli_command *const subcommands[] = {
    &cli_image_build,  &cli_image_ls,   &cli_image_inspect,
    &cli_image_import, &cli_image_push, &cli_image_tag,
    &cli_image_rm,     &cli_image_gc,   NULL,
};

const struct cli_command cli_command_image = {
    .name = "image",
    .help_beside = "the local image store; disks that outlive instances",
    .summary = "the local image store",
    .subcommands = subcommands,
};
