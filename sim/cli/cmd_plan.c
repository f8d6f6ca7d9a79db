/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_plan.c: `romsim plan FILE [--json]`: what the cloud would make of an instance, and with
 * --resources what it takes of this machine. */
#include "sim/cli/cli.h"
#include "sim/cli/plan_render.h"
#include "sim/cli/plan_resources.h"

#include <romsim/needs.h>

#include <stdio.h>
#include <stdlib.h>

enum { TIMES_MOST = 100000 };

/* The layout of one instance; its errors and warnings are reported.  NULL after an error. */
static struct romsim_layout *make_layout(struct romsim_instance *instance)
{
    struct romsim_diagnostics diagnostics = {0};
    struct romsim_layout *layout = NULL;
    struct romsim_error error;

    if (romsim_layout_find_group(instance, &error) < 0)
        romsim_diagnostics_add(&diagnostics, &error, 0);
    else
        layout = romsim_layout_new(instance, &diagnostics);
    if (layout)
        romsim_layout_foresee(layout, instance, true, &diagnostics);
    cli_report_all(&diagnostics);
    romsim_diagnostics_clear(&diagnostics);
    return layout;
}

static int print_text(struct romsim_instance *instance, bool is_first)
{
    CLEANUP_LAYOUT struct romsim_layout *layout = make_layout(instance);
    struct romsim_error error;
    CLEANUP_FREE char *text = layout ? plan_text(layout, &error) : NULL;

    if (!layout)
        return CLI_FAILED;
    if (!text)
        return cli_report(&error);
    printf("%s%s", is_first ? "" : "\n", text);
    return CLI_OK;
}

/* The layout as a JSON value, NULL after a report. */
static json_t *plan_value(struct romsim_instance *instance)
{
    CLEANUP_LAYOUT struct romsim_layout *layout = make_layout(instance);
    struct romsim_error error;
    CLEANUP_FREE char *text = layout ? plan_json(layout, &error) : NULL;

    if (layout && !text)
        cli_report(&error);
    return text ? json_loads(text, 0, NULL) : NULL;
}

static int print_texts(const struct romsim_instances *instances)
{
    int worst = CLI_OK;

    for (size_t i = 0; i < instances->count; i++)
        if (print_text(instances->items[i], i == 0) != CLI_OK)
            worst = CLI_FAILED;
    return worst;
}

/* One object, or an array if the file has several instances. */
static int print_json(const struct romsim_instances *instances)
{
    json_t *list;

    if (instances->count == 1) {
        json_t *plan = plan_value(instances->items[0]);

        return plan ? cli_print_json(plan) : CLI_FAILED;
    }
    list = json_array();
    for (size_t i = 0; i < instances->count; i++)
        if (json_array_append_new(list, plan_value(instances->items[i])) < 0) {
            json_decref(list);
            return CLI_FAILED;
        }
    return cli_print_json(list);
}

/* What all instances of the file take, each so many times. */
static int print_resources(const struct cli_args *args, const struct romsim_instances *instances,
                           uint64_t times)
{
    CLEANUP_FREE struct plan_item *items = calloc(instances->count + 1, sizeof(*items));
    CLEANUP_FREE char *reason = NULL;
    enum romsim_accel accel = romsim_accel_probe(true, &reason, NULL);

    if (!items)
        return CLI_FAILED;
    for (size_t i = 0; i < instances->count; i++) {
        CLEANUP_LAYOUT struct romsim_layout *layout = make_layout(instances->items[i]);

        if (!layout)
            return CLI_FAILED;
        snprintf(items[i].name, sizeof(items[i].name), "%s",
                 layout->name_is_random ? "" : layout->name);
        items[i].memory_mb = layout->guest_memory_mb;
        items[i].count = times * (1 + (uint64_t)instances->items[i]->replicas);
        romsim_needs_of(layout, accel, false, &items[i].needs);
    }
    return plan_resources(items, instances->count, accel, cli_has(args, "json"));
}

static int print(const struct cli_args *args, const struct romsim_instances *instances,
                 uint64_t times)
{
    if (cli_has(args, "resources"))
        return print_resources(args, instances, times);
    return cli_has(args, "json") ? print_json(instances) : print_texts(instances);
}

static int run_plan(const struct cli_args *args)
{
    struct romsim_instances instances;
    uint64_t times;
    int status = cli_processor(args);

    if (cli_number(args, "times", 1, TIMES_MOST, 1, &times) < 0)
        return CLI_USAGE;
    if (cli_has(args, "times") && !cli_has(args, "resources"))
        return cli_usage(args, "--times is for --resources: what so many of them take");
    if (status == CLI_OK)
        status = cli_load(args, args->operands[0], &instances);
    if (status != CLI_OK)
        return status;
    cli_note_cache(args);
    status = print(args, &instances, times);
    romsim_instances_clear(&instances);
    return status;
}

static const struct cli_option options[] = {
    CLI_OPTION_JSON,
    CLI_OPTION_FROM_GET,
    CLI_OPTION_PROCESSOR,
    CLI_OPTION_LIMIT,
    {"resources", 0, NULL, "the memory that it takes, and is there room"},
    {"times", 0, "N", "with --resources: of so many of them"},
    CLI_OPTION_END,
};

const struct cli_command cli_command_plan = {
    .name = "plan",
    .help_beside = "show what an instance would be; say what is wrong with it",
    .operands = "FILE",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "show the devices, mounts, command and ports of an instance",
    .description = "Builds or finds every image, and starts nothing.\n",
    .options = options,
    .run = run_plan,
};
