/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_verify.c: `romsim verify FILE --against WHERE`: is the instance here what it is elsewhere?
 *
 * WHERE is a folder of image files, what GET told of an instance, or a captured case.  Of a ROM
 * whose bytes differ the first paths that do are named, if both are EROFS images.
 */
#include "sim/cli/case_run.h"
#include "sim/cli/cli.h"
#include "sim/cli/rom.h"

#include <romsim/rom_diff.h>
#include <romsim/text.h>
#include <romsim/verify.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Enough to see what kind of difference it is; `romsim rom diff` shows all. */
enum { PATHS_SHOWN = 10 };

/* ---- what differs in a ROM ---------------------------------------------------------------- */

static const char *change_word(const struct romsim_rom_difference *difference)
{
    switch (difference->kind) {
    case ROMSIM_ROM_REMOVED:
        return "only here";
    case ROMSIM_ROM_ADDED:
        return "only there";
    case ROMSIM_ROM_UNKNOWN:
        return "damaged";
    case ROMSIM_ROM_CHANGED:
        break;
    }
    return difference->changes & ROMSIM_ROM_CONTENT ? "content differs" : "metadata differs";
}

/* The first paths that differ, as an array of {path, change}; empty where nobody can tell. */
static json_t *find_paths(const struct romsim_point *point)
{
    CLEANUP_EROFS struct romsim_erofs *own = romsim_erofs_open(point->device->blob, NULL);
    CLEANUP_EROFS struct romsim_erofs *other = romsim_erofs_open(point->blob, NULL);
    const struct romsim_rom_diff_options options = {.keep_going = true};
    CLEANUP_ROM_DIFF struct romsim_rom_diff *diff = NULL;
    struct rom_image looks[2];
    struct romsim_rom_difference difference;
    struct romsim_error error = {0};
    json_t *list = json_array();

    if (!own || !other)
        return list;
    rom_image_init(&looks[0], own, point->device->source);
    rom_image_init(&looks[1], other, point->file);
    diff = romsim_rom_diff_new(&looks[0].look, &looks[1].look, &options, &error);
    while (diff && json_array_size(list) < PATHS_SHOWN &&
           romsim_rom_diff_next(diff, &difference, &error) > 0)
        json_array_append_new(list,
                              json_pack("{s:o, s:s}", "path",
                                        rom_json_text(difference.path, strlen(difference.path)),
                                        "change", change_word(&difference)));
    return list;
}

static void print_paths(const struct romsim_point *point)
{
    json_t *paths = find_paths(point);

    for (size_t i = 0; i < json_array_size(paths); i++) {
        const json_t *path = json_array_get(paths, i);

        printf("  %s: %s\n", json_string_value(json_object_get(path, "path")),
               json_string_value(json_object_get(path, "change")));
    }
    if (json_array_size(paths) == PATHS_SHOWN)
        printf("  and maybe more: romsim rom diff shows all\n");
    json_decref(paths);
}

/* ---- all points --------------------------------------------------------------------------- */

static json_t *point_json(const struct romsim_point *point)
{
    json_t *object = json_pack("{s:s, s:s, s:s?, s:s?}", "point", point->subject, "result",
                               romsim_point_result_name(point->result), "here", point->here,
                               "there", point->there);

    if (object && point->file)
        json_object_set_new(object, "paths", find_paths(point));
    return object;
}

static int print_as_json(const struct romsim_points *points)
{
    json_t *list = json_array();

    for (size_t i = 0; i < points->count; i++)
        json_array_append_new(list, point_json(&points->items[i]));
    return cli_print_json(list);
}

static void print_text(const struct romsim_points *points)
{
    CLEANUP_TABLE struct cli_table *table =
        cli_table_new((const char *[]){"RESULT", "POINT", "HERE", "THERE", NULL});

    for (size_t i = 0; i < points->count; i++) {
        const struct romsim_point *point = &points->items[i];

        cli_table_row(table, (const char *[]){romsim_point_result_name(point->result),
                                              point->subject, point->here ? point->here : "-",
                                              point->there ? point->there : "-"});
    }
    cli_table_print(table);
    for (size_t i = 0; i < points->count; i++)
        if (points->items[i].file) {
            printf("\n%s\n", points->items[i].subject);
            print_paths(&points->items[i]);
        }
}

/* ---- comparing ---------------------------------------------------------------------------- */

/* The one instance of an answer: that of the same name, if it has several. */
static const struct romsim_instance *find_answer(const struct romsim_instances *answers,
                                                 const struct romsim_instance *instance)
{
    for (size_t i = 0; i < answers->count; i++)
        if (answers->count == 1 || (instance->name && answers->items[i]->name &&
                                    strcmp(instance->name, answers->items[i]->name) == 0))
            return answers->items[i];
    return NULL;
}

static int compare_answer(const struct romsim_layout *layout,
                          const struct romsim_instance *instance, const char *file,
                          struct romsim_points *points)
{
    const struct romsim_input source = {.is_answer = true, .is_only_compared = true};
    struct romsim_diagnostics diagnostics = {0};
    struct romsim_instances answers;
    const struct romsim_instance *answer;
    struct romsim_error error;
    int status = romsim_instances_load(file, &source, NULL, &answers, &diagnostics);

    cli_report_all(&diagnostics);
    romsim_diagnostics_clear(&diagnostics);
    if (status < 0)
        return CLI_FAILED;
    answer = find_answer(&answers, instance);
    if (!answer)
        status = romsim_error_set(&error, ENOENT, "none of the %zu instances in '%s' has the name",
                                  answers.count, QUOTE(file));
    else
        status = romsim_verify_answer(layout, instance, answer, points, &error);
    romsim_instances_clear(&answers);
    return status < 0 ? cli_report(&error) : CLI_OK;
}

static int compare_case(const struct romsim_layout *layout, const struct romsim_instance *instance,
                        const char *file, struct romsim_points *points)
{
    CLEANUP_CASE struct romsim_case *opened = case_open(file);
    struct romsim_error error = {0};

    if (!opened)
        return CLI_FAILED;
    if (romsim_verify_case(layout, instance, opened, points, &error) == 0)
        return CLI_OK;
    romsim_error_context(&error, "'%s'", QUOTE(file));
    return cli_report(&error);
}

static int compare(const struct romsim_layout *layout, const struct romsim_instance *instance,
                   const char *against, struct romsim_points *points)
{
    struct romsim_error error;
    struct stat st;

    if (romsim_case_is_one(against))
        return compare_case(layout, instance, against, points);
    if (strcmp(against, "-") == 0)
        return compare_answer(layout, instance, against, points);
    if (stat(against, &st) < 0) {
        romsim_error_system(&error, errno, "'%s' cannot be read", QUOTE(against));
        return cli_report(&error);
    }
    if (!S_ISDIR(st.st_mode))
        return compare_answer(layout, instance, against, points);
    return romsim_verify_folder(layout, against, points, &error) < 0 ? cli_report(&error) : CLI_OK;
}

/* The points name devices of the layout, which stays until they are printed. */
static int verify(const struct cli_args *args, const struct romsim_instance *instance)
{
    struct romsim_diagnostics diagnostics = {0};
    CLEANUP_LAYOUT struct romsim_layout *layout = romsim_layout_new(instance, &diagnostics);
    CLEANUP_POINTS struct romsim_points points = {0};
    int status;

    cli_report_for(args, &diagnostics);
    romsim_diagnostics_clear(&diagnostics);
    status = layout ? compare(layout, instance, cli_value(args, "against"), &points) : CLI_FAILED;
    if (status != CLI_OK)
        return status;
    if (cli_has(args, "json"))
        status = print_as_json(&points);
    else
        print_text(&points);
    return status == CLI_OK && !romsim_points_agree(&points) ? CLI_FAILED : status;
}

static int run_verify(const struct cli_args *args)
{
    struct romsim_instances instances;
    const struct romsim_instance *instance;
    int status = cli_processor(args);

    if (!cli_value(args, "against"))
        return cli_usage(args, "against what? --against FOLDER|GET.json|CASE is missing");
    if (status == CLI_OK)
        status = cli_load(args, args->operands[0], &instances);
    if (status != CLI_OK)
        return status;
    instance = cli_pick(args, &instances);
    status = instance ? verify(args, instance) : CLI_FAILED;
    romsim_instances_clear(&instances);
    return status;
}

static const struct cli_option options[] = {
    {"against", 0, "WHERE", "a folder of images, GET's answer, or a case"},
    CLI_OPTION_INSTANCE,
    CLI_OPTION_JSON,
    CLI_OPTION_PROCESSOR,
    CLI_OPTION_LIMIT,
    {"quiet", 'q', NULL, "no warnings"},
    CLI_OPTION_END};

const struct cli_command cli_command_verify = {
    .name = "verify",
    .operands = "FILE",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "compare an instance with one elsewhere, point by point",
    .description =
        "The exit status is 1 if a point differs.  A folder has copies of the guest's\n"
        "/dev/ukp_rom_NAME, or what 'romsim build' writes: sizes, digests and, with\n"
        "/dev/ukp_romN, the order are compared, and of ROMs that differ the first paths\n"
        "are named.  An answer of GET /v1/instances tells the image, args, env, memory,\n"
        "ports, ROMs and volumes; a case (romsim capture) has all of this.\n",
    .options = options,
    .run = run_verify,
};
