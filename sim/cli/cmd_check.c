/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_check.c: `romsim check FILE...`: would the cloud take these instances, and would they start?
 *
 * An image is looked at if it is to be had here; a name that is not in the local store may well be
 * in the cloud's registry, so that is nothing to complain about without --local.
 */
#include "sim/cli/cli.h"

#include <romsim/erofs_check.h>
#include <romsim/image.h>
#include <romsim/text.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What is being looked at, for the callbacks of the image's checker. */
struct look {
    const struct romsim_rom *rom;
    struct romsim_diagnostics *diagnostics;
    char first[512]; /* the first thing that is damaged */
};

static void warn(struct look *look, const struct romsim_place *place, const char *message)
{
    struct romsim_error warning;

    romsim_error_set(&warning, EINVAL, "ROM image '%s': %s", QUOTE(look->rom->image), message);
    warning.place = *place;
    romsim_diagnostics_add(look->diagnostics, &warning, 1);
}

static void warn_of_image(void *context, const char *message)
{
    struct look *look = context;

    warn(look, &look->rom->image_place, message);
}

static void note_finding(void *context, const struct romsim_erofs_finding *finding)
{
    struct look *look = context;

    if (finding->severity != ROMSIM_EROFS_ERROR || look->first[0])
        return;
    snprintf(look->first, sizeof(look->first), "%s%s%s",
             finding->path[0] ? QUOTE(finding->path) : "", finding->path[0] ? ": " : "",
             finding->message);
}

static void complain(struct look *look, struct romsim_error *error)
{
    if (error->place.line == 0)
        error->place = look->rom->image_place;
    romsim_diagnostics_add(look->diagnostics, error, 0);
}

/* An EROFS image: is all of it in order, and as the cloud's packer would have made it? */
static void look_at_erofs(struct look *look, struct romsim_blob *blob)
{
    struct romsim_erofs_census census = {0};
    struct romsim_error error;
    int result = romsim_erofs_check(blob, note_finding, look, &census, &error);

    if (result > 0) {
        romsim_error_set(&error, EUCLEAN, "ROM image '%s' is damaged in %llu place%s: %s",
                         QUOTE(look->rom->image), (unsigned long long)census.errors,
                         census.errors == 1 ? "" : "s", look->first);
        romsim_error_hint(&error, "'romsim rom check' lists all of it");
    }
    if (result < 0)
        romsim_error_context(&error, "ROM image '%s'", QUOTE(look->rom->image));
    if (result == 0)
        result = romsim_erofs_cloud_warnings(blob, warn_of_image, look, &error) < 0 ? -1 : 0;
    if (result != 0)
        complain(look, &error);
}

static void look_at_rom(const struct romsim_rom *rom, const struct romsim_device *device,
                        struct romsim_diagnostics *diagnostics)
{
    struct look look = {.rom = rom, .diagnostics = diagnostics};
    size_t errors = diagnostics->errors;

    if (!device->blob || !rom->image)
        return;
    if (device->kind == ROMSIM_IMAGE_EROFS)
        look_at_erofs(&look, device->blob);
    if (device->warning && diagnostics->errors == errors) /* else it has been said, as an error */
        warn(&look, &rom->image_place, device->warning);
}

static void check_instance(const struct romsim_instance *instance, bool local,
                           struct romsim_diagnostics *diagnostics)
{
    CLEANUP_LAYOUT struct romsim_layout *layout = romsim_layout_here(instance, local, diagnostics);

    if (!layout)
        return;
    for (size_t i = 0; i < instance->rom_count; i++)
        look_at_rom(&instance->roms[i], romsim_layout_device(layout, ROMSIM_DEVICE_ROM, i),
                    diagnostics);
    romsim_layout_foresee(layout, instance, false, diagnostics);
}

static int check_instances(const struct romsim_instances *instances, bool local)
{
    struct romsim_diagnostics diagnostics = {0};
    int status;

    for (size_t i = 0; i < instances->count; i++)
        check_instance(instances->items[i], local, &diagnostics);
    status = diagnostics.errors ? CLI_FAILED : CLI_OK;
    cli_report_all(&diagnostics);
    romsim_diagnostics_clear(&diagnostics);
    return status;
}

static int check_file(const struct cli_args *args, const char *file)
{
    struct romsim_instances instances;
    int status = cli_load(args, file, &instances);

    if (status != CLI_OK)
        return status;
    status = check_instances(&instances, cli_has(args, "local"));
    romsim_instances_clear(&instances);
    return status;
}

static int run_check(const struct cli_args *args)
{
    int worst = CLI_OK;

    for (size_t i = 0; i < args->operand_count; i++) {
        int status = check_file(args, args->operands[i]);

        if (status == CLI_USAGE)
            return status;
        worst = status > worst ? status : worst;
    }
    return worst;
}

static const struct cli_option options[] = {
    {"local", 0, NULL, "names that are not in the local store are errors"},
    CLI_OPTION_LIMIT,
    CLI_OPTION_END};

const struct cli_command cli_command_check = {
    .name = "check",
    .operands = "FILE...",
    .operands_min = 1,
    .operands_max = CLI_OPERANDS_ANY,
    .summary = "say whether the cloud would take and start instances",
    .description =
        "Silent when all is well.  Else every error of every file is printed, with its\n"
        "place, and the exit status is 1.  Warnings do not count.  Images that are to\n"
        "be had here are looked at, too: damage, mount points that cannot be, a command\n"
        "that is not there, not executable or without its interpreter.\n",
    .options = options,
    .run = run_check,
};
