/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_volume.c: `romsim volume`: the volumes of this machine. */
#include "sim/cli/cli.h"

#include <romsim/link.h>
#include <romsim/text.h>
#include <romsim/uuid.h>
#include <romsim/volume.h>

#include <errno.h>
#include <stdio.h>

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
    if (romsim_volume_create(args->operands[0], size_mb, NULL, &error) < 0)
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
    json_t *instances = list ? romsim_link_list() : NULL;
    struct romsim_error error;
    int status = CLI_OK;

    if (romsim_volume_list(&infos, complain, &status, &error) < 0) {
        json_decref(list);
        json_decref(instances);
        return cli_report(&error);
    }
    for (size_t i = 0; i < infos.count; i++) {
        const struct romsim_volume_info *info = &infos.items[i];
        char created[ROMSIM_TIME_SIZE];
        const char *cells[] = {info->name, SIZE_TEXT(info->size), SIZE_TEXT(info->used),
                               romsim_text_time(info->created_at, created),
                               info->holder && *info->holder ? info->holder : "-"};

        if (list)
            json_array_append_new(list, romsim_volume_json(info, instances));
        else
            cli_table_row(table, cells);
    }
    json_decref(instances);
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

/* ---- attach, detach, grow --------------------------------------------------------------- */

/* The volume of that name or UUID.  0, or -1 after a report. */
static int find(const char *name, struct romsim_volume_info *ret)
{
    bool is_uuid = romsim_uuid_is_valid(name);
    struct romsim_error error;
    int found = romsim_volume_find(name, NULL, ret, &error);

    if (found == 0 && is_uuid)
        found = romsim_volume_find(NULL, name, ret, &error);
    if (found == 0) {
        romsim_error_set(&error, ENOENT, "No volume with %s '%s'", is_uuid ? "uuid" : "name",
                         QUOTE(name));
        romsim_error_hint(&error, "'romsim volume ls' lists what there is");
    }
    return found > 0 ? 0 : (cli_report(&error), -1);
}

static void note_queued(const struct romsim_link *link, bool is_queued)
{
    if (is_queued)
        cli_note("'%s' runs: it is done when it stops", QUOTE(romsim_link_name(link)));
}

static int run_attach(const struct cli_args *args)
{
    const char *to = cli_value(args, "to"), *at = cli_value(args, "at");
    CLEANUP_VOLUME struct romsim_volume_info info = {0};
    CLEANUP_LINK struct romsim_link *link = NULL;
    struct romsim_error error;
    bool is_queued;

    if (!to || !at)
        return cli_usage(args, "say --to which instance, and --at which place");
    if (find(args->operands[0], &info) < 0)
        return CLI_FAILED;
    link = romsim_link_open(to, &error);
    if (!link || romsim_link_attach_volume(link, &info, at, cli_has(args, "read-only"), -1,
                                           &is_queued, &error) < 0)
        return cli_report(&error);
    note_queued(link, is_queued);
    return CLI_OK;
}

static const struct cli_option attach_options[] = {
    {"to", 0, "INSTANCE", "which instance gets it"},
    {"at", 0, "PATH", "where it is mounted"},
    {"read-only", 'r', NULL, "for reading only"},
    CLI_OPTION_END,
};

static const struct cli_command attach = {
    .name = "attach",
    .operands = "VOLUME",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "give a volume to an instance",
    .description = "At once if the instance is stopped, else when it stops.\n",
    .options = attach_options,
    .run = run_attach,
};

/* 0, or -1 after a report. */
static int detach_from(const char *instance, const struct romsim_volume_info *info)
{
    struct romsim_error error;
    CLEANUP_LINK struct romsim_link *link = romsim_link_open(instance, &error);
    bool is_queued;

    if (!link || romsim_link_detach_volume(link, info, -1, &is_queued, &error) < 0)
        return cli_report(&error), -1;
    note_queued(link, is_queued);
    return 0;
}

static int detach_from_all(const struct romsim_volume_info *info)
{
    json_t *instances = romsim_link_list(), *item = romsim_volume_json(info, instances);
    const json_t *attached = json_object_get(item, "attached_to");
    int status = CLI_OK;

    for (size_t i = 0; i < json_array_size(attached); i++) {
        const char *name = json_string_value(json_object_get(json_array_get(attached, i), "name"));

        if (name && detach_from(name, info) < 0)
            status = CLI_FAILED;
    }
    if (json_array_size(attached) == 0) {
        struct romsim_error error;

        romsim_error_set(&error, EINVAL, "the volume '%s' is not attached", QUOTE(info->name));
        status = cli_report(&error);
    }
    json_decref(item);
    json_decref(instances);
    return status;
}

static int run_detach(const struct cli_args *args)
{
    CLEANUP_VOLUME struct romsim_volume_info info = {0};

    if (find(args->operands[0], &info) < 0)
        return CLI_FAILED;
    if (!cli_has(args, "from"))
        return detach_from_all(&info);
    return detach_from(cli_value(args, "from"), &info) < 0 ? CLI_FAILED : CLI_OK;
}

static const struct cli_option detach_options[] = {
    {"from", 0, "INSTANCE", "take it from that one only"},
    CLI_OPTION_END,
};

static const struct cli_command detach = {
    .name = "detach",
    .operands = "VOLUME",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "take a volume from instances",
    .description =
        "At once if an instance is stopped, else when it stops.  What was made with the\n"
        "instance stays, too.\n",
    .options = detach_options,
    .run = run_detach,
};

static int run_grow(const struct cli_args *args)
{
    CLEANUP_VOLUME struct romsim_volume_info info = {0};
    struct romsim_error error;
    uint64_t size_mb;

    if (!cli_has(args, "size"))
        return cli_usage(args, "give the volume's new --size");
    if (size_of(args, 0, &size_mb) < 0)
        return CLI_USAGE;
    if (find(args->operands[0], &info) < 0)
        return CLI_FAILED;
    return romsim_volume_grow(info.name, size_mb, &error) < 0 ? cli_report(&error) : CLI_OK;
}

static const struct cli_command grow = {
    .name = "grow",
    .operands = "VOLUME",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "make a volume larger that no instance has",
    .options = size_option,
    .run = run_grow,
};

/* ---- all -------------------------------------------------------------------------------- */

static const struct cli_command *const subcommands[] = {&create, &ls,   &import, &attach,
                                                        &detach, &grow, &rm,     NULL};

const struct cli_command cli_command_volume = {
    .name = "volume",
    .summary = "disks that outlive instances",
    .subcommands = subcommands,
};
