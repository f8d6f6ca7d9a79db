/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_edit.c: `romsim edit NAME --set PROP=VALUE`: changes an instance.
 *
 * A value is written as the flags of `run` have it where there is one for the property, else as
 * JSON or as plain text.
 */
#include "sim/cli/ask.h"
#include "sim/cli/edit_watch.h"

#include <romsim/instance.h>
#include <romsim/text.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Properties that are written as a flag of `run`: what the flag makes of an empty instance is the
 * value. */
static const struct {
    const char *name, *property;
    int (*apply)(struct romsim_instance *instance, const char *value, struct romsim_error *err);
} flags[] = {
    {"image", "image", romsim_instance_set_image},
    {"args", "args", romsim_instance_set_args},
    {"env", "env", romsim_instance_add_env},
    {"rom", "roms", romsim_instance_add_rom},
    {"roms", "roms", romsim_instance_add_rom},
    {"memory", "memory_mb", romsim_instance_set_memory},
    {"memory_mb", "memory_mb", romsim_instance_set_memory},
};

enum { FLAGS = sizeof(flags) / sizeof(flags[0]) };

/* What a flag makes of its value, a new reference; NULL after a report. */
static json_t *flag_value(const struct cli_args *args, size_t flag, const char *value)
{
    CLEANUP_INSTANCE struct romsim_instance *instance = romsim_instance_new();
    struct romsim_diagnostics diagnostics = {0};
    CLEANUP_FREE char *text = NULL;
    struct romsim_limits limits;
    struct romsim_error error;
    json_t *body, *made;
    int status;

    if (!instance || cli_limits(args, &limits) < 0)
        return NULL;
    /* The instance may be of another folder than this: paths of ours have to be whole. */
    free(instance->directory);
    instance->directory = strdup("/");
    if (!instance->directory)
        return NULL;
    if (flags[flag].apply(instance, value, &error) < 0) {
        romsim_error_context(&error, "%s", flags[flag].name);
        cli_report(&error);
        return NULL;
    }
    status = romsim_instance_load_dirs(instance, &limits, &diagnostics);
    cli_report_all(&diagnostics);
    romsim_diagnostics_clear(&diagnostics);
    text = status < 0 ? NULL : romsim_instance_request(instance, &error);
    body = text ? json_loads(text, 0, NULL) : NULL;
    made = json_incref(json_object_get(body, flags[flag].property));
    json_decref(body);
    return made;
}

/* A JSON value, or the text itself. */
static json_t *plain_value(const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);

    return value ? value : json_string(text);
}

/* Adds the edit of one --set, --add or --del.  0, or -1 after a report. */
static int add_edit(const struct cli_args *args, const char *op, const char *assignment,
                    json_t *edits)
{
    size_t size = strcspn(assignment, "="), flag = 0;
    CLEANUP_FREE char *property = strndup(assignment, size);
    const char *text = assignment[size] ? assignment + size + 1 : NULL;
    json_t *value = NULL;

    if (!property)
        return -1;
    while (flag < FLAGS && strcmp(flags[flag].name, property) != 0)
        flag++;
    if (!text && strcmp(op, "del") != 0) {
        cli_usage(args, "--%s needs PROP=VALUE, not '%s'", op, QUOTE(assignment));
        return -1;
    }
    if (text && (flag == FLAGS || strcmp(op, "del") == 0 || *text == '[' || *text == '{'))
        value = plain_value(text);
    else if (text && !(value = flag_value(args, flag, text)))
        return -1;
    return json_array_append_new(edits, json_pack("{s:s, s:s, s:o*}", "prop",
                                                  flag < FLAGS ? flags[flag].property : property,
                                                  "op", op, "value", value));
}

static json_t *read_edits(const struct cli_args *args)
{
    static const char *const ops[] = {"set", "del", "add"};
    json_t *edits = json_array();

    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        const char *assignment;
        size_t index = 0;

        while ((assignment = cli_each(args, ops[i], &index)))
            if (add_edit(args, ops[i], assignment, edits) < 0) {
                json_decref(edits);
                return NULL;
            }
    }
    return edits;
}

static int run_edit(const struct cli_args *args)
{
    CLEANUP_TARGET struct target *target = NULL;
    json_t *edits = read_edits(args), *answer;
    bool is_queued;

    if (!edits)
        return CLI_USAGE;
    if (cli_has(args, "watch")) {
        size_t count = json_array_size(edits);

        json_decref(edits);
        return count ? cli_usage(args, "--watch takes its edits from the files") : edit_watch(args);
    }
    if (!json_array_size(edits)) {
        json_decref(edits);
        return cli_usage(args, "give --set, --add, --del or --watch");
    }
    target = ask_open(args, args->operands[0]);
    if (!target) {
        json_decref(edits);
        return CLI_FAILED;
    }
    answer = ask(target, json_pack("{s:s, s:o}", "do", "edit", "edits", edits), -1);
    if (!answer)
        return CLI_FAILED;
    is_queued = json_is_true(json_object_get(answer, "queued"));
    json_decref(answer);
    printf("%s\n", target_name(target));
    if (is_queued && !cli_has(args, "quiet"))
        cli_note("'%s' is not stopped: this takes effect when it next stops ('romsim restart %s')",
                 QUOTE(target_name(target)), QUOTE(target_name(target)));
    return CLI_OK;
}

static const struct cli_option options[] = {
    {"set", 0, "PROP=VALUE", "put a value in place of the property's"},
    {"add", 0, "PROP=VALUE", "add to env, roms, tags"},
    {"del", 0, "PROP=NAME", "take away from env, roms, tags"},
    {"watch", 'w', NULL, "start it again with what changes on disk"},
    {"quiet", 'q', NULL, "nothing on stderr but errors"},
    CLI_OPTION_LIMIT,
    CLI_OPTION_HOST,
    CLI_OPTION_END,
};

const struct cli_command cli_command_edit = {
    .name = "edit",
    .help_beside = "change an instance: ROMs, args, memory; stop and start it",
    .operands = "NAME",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "change an instance: its ROMs, environment, command, memory",
    .description = "At once if it is stopped, else when it next stops.  Values are as for 'run':\n"
                   "  --set image=REF --set args='TEXT' --set memory=512M --add env=NAME=VALUE\n"
                   "  --add rom=name=N,image=REF|dir=DIR,at=PATH --del rom=N --add tags=TEXT\n"
                   "or JSON.  'romsim get' shows what waits, under 'updates'.\n",
    .options = options,
    .run = run_edit,
};
