/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_checkpoint.c: `romsim checkpoint`: what instances were at some moment, to go on from. */
#include "sim/cli/cli.h"
#include "sim/cli/saved.h"

#include <romsim/cleanup.h>
#include <romsim/link.h>
#include <romsim/text.h>

#include <errno.h>
#include <jansson.h>
#include <stdio.h>

/* ---- create ------------------------------------------------------------------------------- */

static int run_create(const struct cli_args *args)
{
    struct romsim_error error;
    CLEANUP_LINK struct romsim_link *link = romsim_link_open(args->operands[0], &error);
    json_t *answer;

    if (!link)
        return cli_report(&error);
    answer = romsim_link_call(link,
                              json_pack("{s:s, s:b, s:s*}", "do", "checkpoint", "wait", 1, "name",
                                        cli_value(args, "name")),
                              -1, NULL, NULL, &error);
    if (!answer)
        return cli_report(&error);
    printf("%s\n", QUOTE(json_string_value(json_object_get(answer, "name")) ?: ""));
    json_decref(answer);
    return CLI_OK;
}

static const struct cli_option create_options[] = {
    {"name", 'n', "NAME", "its name, in place of the instance's and a suffix"},
    CLI_OPTION_END,
};

static const struct cli_command create = {
    .name = "create",
    .operands = "INSTANCE",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "save an instance, which goes on",
    .is_of_this_machine = true,
    .description = "'romsim run --checkpoint NAME' goes on from there, with the ROMs that the\n"
                   "instance had, or with those that it is given; any number of times, and\n"
                   "whatever becomes of the instance.  Prints the name.\n",
    .options = create_options,
    .run = run_create,
};

/* ---- history ------------------------------------------------------------------------------ */

/* What an instance says, or a checkpoint: a new array, or NULL. */
static json_t *history_of(const char *name, struct romsim_error *err)
{
    struct romsim_error absent = {0};
    CLEANUP_LINK struct romsim_link *link = romsim_link_open(name, &absent);
    json_t *item =
        link ? romsim_link_call(link, json_pack("{s:s}", "do", "get"), -1, NULL, NULL, &absent)
             : NULL;
    json_t *history;

    if (item) {
        const json_t *own = json_object_get(item, "romsim");

        history = json_deep_copy(json_object_get(own, "history"));
    } else {
        CLEANUP_TEMPLATE struct romsim_template *checkpoint =
            romsim_template_open(ROMSIM_SAVED_CHECKPOINT, name, NULL, err);

        if (!checkpoint) {
            if (err->cloud == ROMSIM_CLOUD_NOT_FOUND)
                romsim_error_set(err, ENOENT, "No instance and no checkpoint with name '%s'",
                                 QUOTE(name));
            return NULL;
        }
        history = json_deep_copy(json_object_get(checkpoint->record, "history"));
    }
    json_decref(item);
    return history ? history : json_array();
}

static int run_history(const struct cli_args *args)
{
    static const char *const headings[] = {"NAME", "UUID", "CREATED", NULL};
    CLEANUP_TABLE struct cli_table *table = cli_table_new(headings);
    struct romsim_error error;
    json_t *history = history_of(args->operands[0], &error);

    if (!history)
        return cli_report(&error);
    if (cli_has(args, "json"))
        return cli_print_json(history);
    for (size_t i = 0; i < json_array_size(history); i++) {
        static const char *const members[] = {"name", "uuid", "created_at"};
        const char *cells[3];

        for (size_t j = 0; j < 3; j++)
            cells[j] =
                json_string_value(json_object_get(json_array_get(history, i), members[j])) ?: "-";
        cli_table_row(table, cells);
    }
    json_decref(history);
    cli_table_print(table);
    return CLI_OK;
}

static const struct cli_option json_option[] = {CLI_OPTION_JSON, CLI_OPTION_END};

static const struct cli_command history = {
    .name = "history",
    .operands = "NAME",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "the checkpoints of an instance, the newest first",
    .is_of_this_machine = true,
    .description =
        "Those that were made of it, and those that it was made of itself.  NAME may be\n"
        "a checkpoint's, too.\n",
    .options = json_option,
    .run = run_history,
};

/* ---- ls, get, rm -------------------------------------------------------------------------- */

static int run_ls(const struct cli_args *args)
{
    return saved_ls(args, ROMSIM_SAVED_CHECKPOINT);
}

static const struct cli_command ls = {
    .name = "ls",
    .operands = "",
    .summary = "list the checkpoints",
    .is_of_this_machine = true,
    .options = json_option,
    .run = run_ls,
};

static int run_get(const struct cli_args *args)
{
    return saved_get(args, ROMSIM_SAVED_CHECKPOINT);
}

static const struct cli_command get = {
    .name = "get",
    .operands = "NAME",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "show a checkpoint as JSON",
    .is_of_this_machine = true,
    .run = run_get,
};

static int run_rm(const struct cli_args *args)
{
    return saved_rm(args, ROMSIM_SAVED_CHECKPOINT);
}

static const struct cli_command rm = {
    .name = "rm",
    .operands = "NAME...",
    .operands_min = 1,
    .operands_max = CLI_OPERANDS_ANY,
    .summary = "remove checkpoints; what was made of them goes on",
    .is_of_this_machine = true,
    .run = run_rm,
};

/* ---- all ---------------------------------------------------------------------------------- */

static const struct cli_command *const subcommands[] = {&create, &ls, &get, &history, &rm, NULL};

const struct cli_command cli_command_checkpoint = {
    .name = "checkpoint",
    .summary = "what instances were at some moment, to go on from",
    .subcommands = subcommands,
};
