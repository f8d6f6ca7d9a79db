/* SPDX-License-Identifier: BSD-3-Clause */
/* image_ls.c: `romsim image ls` and `romsim image inspect`. */
#include "sim/cli/image.h"
#include "sim/cli/remote.h"
#include "sim/cli/target.h"

#include <romsim/cpu.h>
#include <romsim/text.h>

#include <stdio.h>
#include <string.h>

static json_t *strings_json(const struct romsim_strings *strings)
{
    json_t *list = json_array();

    for (size_t i = 0; i < strings->count; i++)
        json_array_append_new(list, json_string(strings->items[i]));
    return list;
}

static const char *kind_of(const struct romsim_image_info *info)
{
    return info->is_rom ? "rom" : "base";
}

static json_t *summary_json(const char *name, const struct romsim_image_info *info)
{
    return json_pack("{s:s, s:s, s:s, s:I, s:s, s:s, s:s*}", "name", name, "kind", kind_of(info),
                     "digest", info->digest, "size", (json_int_t)info->size, "os", info->os,
                     "architecture", info->architecture, "variant",
                     *info->variant ? info->variant : NULL);
}

/* "linux/amd64/v3" */
static void platform_text(const struct romsim_image_info *info, char ret[96])
{
    snprintf(ret, 96, "%s/%s%s%s", info->os, info->architecture, *info->variant ? "/" : "",
             info->variant);
}

/* ---- ls --------------------------------------------------------------------------------- */

struct listing {
    bool as_json;
    struct cli_table *table;
    json_t *json;
};

static void list_image(struct listing *listing, const struct romsim_store_name *name,
                       const struct romsim_image_info *info)
{
    const char *store = romsim_store_path(name->store);
    char platform[96], digest[13];
    const char *cells[] = {name->name, kind_of(info), SIZE_TEXT(info->size),
                           platform,   digest,        store};
    json_t *json;

    if (listing->as_json) {
        json = summary_json(name->name, info);
        json_object_set_new(json, "store", json_string(store));
        json_array_append_new(listing->json, json);
        return;
    }
    platform_text(info, platform);
    snprintf(digest, sizeof(digest), "%.12s", romsim_digest_hex(info->digest));
    cli_table_row(listing->table, cells);
}

/* An image that cannot be read does not hide the others. */
static int list_store(const struct romsim_store *store, struct listing *listing)
{
    CLEANUP_STORE_NAMES struct romsim_store_names names = {0};
    struct romsim_error error;
    int status = CLI_OK;

    if (romsim_store_list(store, &names, &error) < 0)
        return cli_report(&error);
    for (size_t i = 0; i < names.count; i++) {
        CLEANUP_IMAGE_INFO struct romsim_image_info info = {0};

        if (romsim_store_info(&names.items[i], &info, &error) < 0)
            status = cli_report(&error);
        else
            list_image(listing, &names.items[i], &info);
    }
    return status;
}

/* ---- ls of a server ----------------------------------------------------------------------------
 */

/* "sha256:..." of "unikraft.io/org/app@sha256:...". */
static const char *digest_of(const json_t *image)
{
    const char *url = json_string_value(json_object_get(image, "url")) ?: "";
    const char *mark = strrchr(url, '@');

    return mark && romsim_digest_is_valid(mark + 1) ? romsim_digest_hex(mark + 1) : "";
}

static void list_names(struct cli_table *table, const json_t *image)
{
    json_int_t size = json_integer_value(json_object_get(image, "size_in_bytes"));
    const json_t *tags = json_object_get(image, "tags");
    char digest[13];

    snprintf(digest, sizeof(digest), "%.12s", digest_of(image));
    for (size_t i = 0; i < json_array_size(tags); i++) {
        const char *name = json_string_value(json_array_get(tags, i)) ?: "";
        const char *cells[] = {name, SIZE_TEXT(size < 0 ? 0 : (uint64_t)size), digest};

        cli_table_row(table, cells);
    }
}

/* As the cloud's API tells of them: with neither kind nor platform. */
static int list_remote(const struct cli_args *args, const char *host)
{
    static const char *const headings[] = {"NAME", ">SIZE", "DIGEST", NULL};
    CLEANUP_TABLE struct cli_table *table = cli_table_new(headings);
    struct romsim_error error;
    CLEANUP_REMOTE struct remote *remote = remote_new(host, &error);
    json_t *images =
        remote ? remote_items(remote, "GET", "/v1/images", NULL, REMOTE_PATIENCE_S, &error) : NULL;

    if (!images)
        return cli_report(&error);
    if (cli_has(args, "json"))
        return cli_print_json(images);
    for (size_t i = 0; i < json_array_size(images); i++)
        list_names(table, json_array_get(images, i));
    json_decref(images);
    cli_table_print(table);
    return CLI_OK;
}

/* Where there are several stores it is said which one has an image. */
static int run_ls(const struct cli_args *args)
{
    static const char *const several[] = {"NAME",   "KIND",  ">SIZE", "PLATFORM",
                                          "DIGEST", "STORE", NULL};
    static const char *const one[] = {"NAME", "KIND", ">SIZE", "PLATFORM", "DIGEST", NULL};
    CLEANUP_STORES struct romsim_stores stores = {0};
    struct romsim_error error;
    CLEANUP_TABLE struct cli_table *table = NULL;
    struct listing listing = {.as_json = cli_has(args, "json")};
    int status = CLI_OK;

    if (remote_host(args))
        return list_remote(args, remote_host(args));
    /* To list is not to run: those for later processors too. */
    romsim_cpu_set_level(ROMSIM_CPU_LEVEL_MAX);
    if (romsim_stores_open(&stores, &error) < 0)
        return cli_report(&error);
    listing.table = table = cli_table_new(stores.count > 1 ? several : one);
    listing.json = json_array();
    for (size_t i = 0; i < stores.count; i++)
        if (list_store(stores.items[i], &listing) != CLI_OK)
            status = CLI_FAILED;
    if (listing.as_json)
        return cli_print_json(listing.json) == CLI_OK ? status : CLI_FAILED;
    json_decref(listing.json);
    cli_table_print(table);
    return status;
}

static const struct cli_option ls_options[] = {CLI_OPTION_JSON, CLI_OPTION_HOST, CLI_OPTION_END};

const struct cli_command cli_image_ls = {
    .name = "ls",
    .operands = "",
    .summary = "list the images of the store",
    .options = ls_options,
    .run = run_ls,
};

/* ---- inspect ---------------------------------------------------------------------------- */

static json_t *inspect_json(const struct romsim_image_info *info)
{
    json_t *json = summary_json(info->name, info), *layers = json_array();

    for (size_t i = 0; i < info->layer_count; i++) {
        const struct romsim_image_layer *layer = &info->layers[i];

        json_array_append_new(layers, json_pack("{s:s, s:s, s:s, s:I}", "role", layer->role,
                                                "mediaType", layer->media_type, "digest",
                                                layer->digest, "size", (json_int_t)layer->size));
    }
    json_object_set_new(json, "layers", layers);
    json_object_set_new(json, "entrypoint", strings_json(&info->entrypoint));
    json_object_set_new(json, "cmd", strings_json(&info->cmd));
    json_object_set_new(json, "env", strings_json(&info->env));
    json_object_set_new(json, "working_dir",
                        info->working_dir ? json_string(info->working_dir) : json_null());
    return json;
}

static void print_strings(const char *title, const struct romsim_strings *strings)
{
    for (size_t i = 0; i < strings->count; i++)
        printf("%-12s%s\n", i == 0 ? title : "", QUOTE(strings->items[i]));
}

static void print_info(const struct romsim_image_info *info)
{
    static const char *const headings[] = {"LAYER", ">SIZE", "DIGEST", "MEDIA TYPE", NULL};
    CLEANUP_TABLE struct cli_table *table = cli_table_new(headings);
    char platform[96];

    platform_text(info, platform);
    printf("%-12s%s\n%-12s%s\n%-12s%s\n%-12s%s\n%-12s%s\n", "image", QUOTE(info->name), "kind",
           kind_of(info), "platform", QUOTE(platform), "digest", info->digest, "size",
           SIZE_TEXT(info->size));
    print_strings("entrypoint", &info->entrypoint);
    print_strings("cmd", &info->cmd);
    print_strings("env", &info->env);
    if (info->working_dir)
        printf("%-12s%s\n", "directory", QUOTE(info->working_dir));
    putchar('\n');
    for (size_t i = 0; i < info->layer_count; i++) {
        const struct romsim_image_layer *layer = &info->layers[i];
        char digest[13];
        const char *cells[] = {layer->role, SIZE_TEXT(layer->size), digest, layer->media_type};

        snprintf(digest, sizeof(digest), "%.12s", romsim_digest_hex(layer->digest));
        cli_table_row(table, cells);
    }
    cli_table_print(table);
}

static int run_inspect(const struct cli_args *args)
{
    CLEANUP_IMAGE_INFO struct romsim_image_info info = {0};
    struct romsim_error error;
    int status = cli_processor(args);

    if (status != CLI_OK)
        return status;
    if (romsim_image_info(args->operands[0], NULL, &info, &error) < 0)
        return cli_report(&error);
    if (cli_has(args, "json"))
        return cli_print_json(inspect_json(&info));
    print_info(&info);
    return CLI_OK;
}

static const struct cli_option inspect_options[] = {CLI_OPTION_JSON, CLI_OPTION_PROCESSOR,
                                                    CLI_OPTION_END};

const struct cli_command cli_image_inspect = {
    .name = "inspect",
    .operands = "IMAGE",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "show what an image's manifest and config say",
    .description = "IMAGE is a name of the store, oci:DIR[:TAG], oci-archive:FILE[:TAG],\n"
                   "docker-archive:FILE[:TAG] or the path of one of these.\n",
    .options = inspect_options,
    .run = run_inspect,
};
