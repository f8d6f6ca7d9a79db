/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_volume.c: `romsim volume`: the volumes of this machine. */
#include "sim/cli/cli.h"

#include <romsim/text.h>
#include <romsim/volume.h>

#include <stdio.h>
#include <time.h>

/* The value of --size in megabytes; `absent` without it.  Returns 0, or -1 (reported). */
static int size_of(const struct cli_args *args, uint64_t absent, uint64_t *ret)
{
    const char *text = cli_value(args, "size");

    *ret = absent;
    if (!text || romsim_parse_megabytes(text, ret) == 0)
        return 0;
    cli_usage(args, "--size takes megabytes, or a size of whole ones: 512, 512M, 1G");
    return -1;
}

/* ---- create, import, rm ----------------------------------------------------------------- */

static int run_create(const struct cli_args *args)
{
    struct romsim_error error;
    uint64_t size_mb;

    if (!cli_has(args, "size"))
        return cli_usage(args, "give the volume's --size");
    if (size_of(args, 0, &size_mb) < 0)
        return CLI_USAGE;
    if (romsim_volume_create(args->operands[0], size_mb, &error) < 0)
        return cli_report(&error);
    return CLI_OK;
}

static const struct cli_option size_option[] = {
    {"size", 's', "SIZE", "how large it is: megabytes, or 512M, 1G"},
    CLI_OPTION_END,
};

static const struct cli_command create = {
    .name = "create",
    .operands = "NAME",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "make an empty volume",
    .is_of_this_machine = true,
    .options = size_option,
    .run = run_create,
};

static int run_import(const struct cli_args *args)
{
    struct romsim_error error;
    uint64_t size_mb;

    if (size_of(args, 0, &size_mb) < 0)
        return CLI_USAGE;
    if (romsim_volume_import(args->operands[0], args->operands[1], size_mb, &error) < 0)
        return cli_report(&error);
    return CLI_OK;
}

static const struct cli_command import = {
    .name = "import",
    .operands = "FILE|DIR NAME",
    .operands_min = 2,
    .operands_max = 2,
    .summary = "make a volume of an ext4 image or of a directory",
    .is_of_this_machine = true,
    .description =
        "Without --size a directory's volume has room for what is in it, and 32 MB more.\n"
        "An image is copied as it is.\n",
    .options = size_option,
    .run = run_import,
};

static int run_rm(const struct cli_args *args)
{
    struct romsim_error error;
    int status = CLI_OK;

    for (size_t i = 0; i < args->operand_count; i++)
        if (romsim_volume_remove(args->operands[i], &error) < 0)
            status = cli_report(&error);
    return status;
}

static const struct cli_command rm = {
    .name = "rm",
    .operands = "NAME...",
    .operands_min = 1,
    .operands_max = CLI_OPERANDS_ANY,
    .summary = "remove volumes and what is in them",
    .is_of_this_machine = true,
    .run = run_rm,
};

/* ---- ls --------------------------------------------------------------------------------- */

/* As the cloud's GET /v1/volumes has it, and what it takes here. */
static json_t *volume_json(const struct romsim_volume_info *info)
{
    char created[ROMSIM_TIME_SIZE];
    json_t *holders = info->holder ? json_pack("[{s:s}]", "name", info->holder) : json_array();

    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:b, s:o}", "name", info->name, "uuid",
                     info->uuid, "created_at", romsim_text_time(info->created_at, created), "state",
                     info->holder ? "mounted" : "available", "size_mb",
                     (json_int_t)(info->size >> 20), "used_bytes", (json_int_t)info->used,
                     "persistent", info->is_persistent, "attached_to", holders);
}

static void complain(void *context, const struct romsim_error *error)
{
    int *status = context;

    *status = cli_report(error);
}

static int run_ls(const struct cli_args *args)
{
    static const char *const headings[] = {"NAME",    ">SIZE",       ">ON DISK",
                                           "CREATED", "ATTACHED TO", NULL};
    CLEANUP_TABLE struct cli_table *table = cli_table_new(headings);
    CLEANUP_VOLUMES struct romsim_volume_infos infos = {0};
    json_t *list = cli_has(args, "json") ? json_array() : NULL;
    struct romsim_error error;
    int status = CLI_OK;

    if (romsim_volume_list(&infos, complain, &status, &error) < 0) {
        json_decref(list);
        return cli_report(&error);
    }
    for (size_t i = 0; i < infos.count; i++) {
        const struct romsim_volume_info *info = &infos.items[i];
        char created[ROMSIM_TIME_SIZE];
        const char *cells[] = {info->name, SIZE_TEXT(info->size), SIZE_TEXT(info->used),
                               romsim_text_time(info->created_at, created),
                               info->holder ? info->holder : "-"};

        if (list)
            json_array_append_new(list, volume_json(info));
        else
            cli_table_row(table, cells);
    }
    if (!list)
        cli_table_print(table);
    else if (cli_print_json(list) != CLI_OK)
        status = CLI_FAILED;
    return status;
}

static const struct cli_option json_option[] = {CLI_OPTION_JSON, CLI_OPTION_END};

static const struct cli_command ls = {
    .name = "ls",
    .operands = "",
    .summary = "list the volumes, and which instances have them",
    .is_of_this_machine = true,
    .options = json_option,
    .run = run_ls,
};

/* ---- all -------------------------------------------------------------------------------- */

static const struct cli_command *const subcommands[] = {&create, &ls, &import, &rm, NULL};

const struct cli_command cli_command_volume = {
    .name = "volume",
    .summary = "disks that outlive instances",
    .subcommands = subcommands,
};
