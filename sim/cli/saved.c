/* SPDX-License-Identifier: BSD-3-Clause */
/* saved.c: what `romsim template` and `romsim checkpoint` do alike with VMs that were saved. */
#include "sim/cli/saved.h"

#include <romsim/text.h>

#include <jansson.h>

static const char *state_of(const struct romsim_template *template)
{
    if (template->kind == ROMSIM_SAVED_TEMPLATE)
        return "template";
    return template->is_ready ? "checkpoint" : "starting";
}

static json_t *item_of(const struct romsim_template *template)
{
    const json_t *saved = json_object_get(template->record, "layout");
    char created[ROMSIM_TIME_SIZE];

    return json_pack("{s:s, s:s, s:s, s:s, s:O?, s:O?, s:O?, s:O?, s:O?, s:I}", "uuid",
                     template->uuid, "name", template->name, "created_at",
                     romsim_text_time(template->created_at, created), "state", state_of(template),
                     "image", json_object_get(saved, "image"), "args",
                     json_object_get(saved, "args"), "env", json_object_get(saved, "env"),
                     "memory_mb", json_object_get(saved, "memory_mb"), "vcpus",
                     json_object_get(saved, "vcpus"), "used_bytes", (json_int_t) template->size);
}

static void complain(void *context, const struct romsim_error *error)
{
    int *status = context;

    *status = cli_report(error);
}

int saved_ls(const struct cli_args *args, enum romsim_saved kind)
{
    static const char *const headings[] = {"NAME", "IMAGE", ">MEMORY", ">ON DISK", "CREATED", NULL};
    CLEANUP_TABLE struct cli_table *table = cli_table_new(headings);
    CLEANUP_TEMPLATES struct romsim_templates templates = {0};
    json_t *list = cli_has(args, "json") ? json_array() : NULL;
    struct romsim_error error;
    int status = CLI_OK;

    if (romsim_template_list(kind, &templates, complain, &status, &error) < 0) {
        json_decref(list);
        return cli_report(&error);
    }
    for (size_t i = 0; i < templates.count; i++) {
        const struct romsim_template *template = templates.items[i];
        const json_t *saved = json_object_get(template->record, "layout");
        const char *image = json_string_value(json_object_get(saved, "image"));
        json_int_t memory_mb = json_integer_value(json_object_get(saved, "memory_mb"));
        char created[ROMSIM_TIME_SIZE];
        const char *cells[] = {template->name, image ? QUOTE(image) : "-",
                               SIZE_TEXT((uint64_t)memory_mb << 20), SIZE_TEXT(template->size),
                               romsim_text_time(template->created_at, created)};

        if (list)
            json_array_append_new(list, item_of(template));
        else
            cli_table_row(table, cells);
    }
    if (!list)
        cli_table_print(table);
    else if (cli_print_json(list) != CLI_OK)
        status = CLI_FAILED;
    return status;
}

int saved_get(const struct cli_args *args, enum romsim_saved kind)
{
    struct romsim_error error;
    CLEANUP_TEMPLATE struct romsim_template *template =
        romsim_template_open(kind, args->operands[0], NULL, &error);

    return template ? cli_print_json(item_of(template)) : cli_report(&error);
}

int saved_rm(const struct cli_args *args, enum romsim_saved kind)
{
    struct romsim_error error;
    int status = CLI_OK;

    for (size_t i = 0; i < args->operand_count; i++)
        if (romsim_template_remove(kind, args->operands[i], &error) < 0)
            status = cli_report(&error);
    return status;
}
