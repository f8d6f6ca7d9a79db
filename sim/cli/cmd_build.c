/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_build.c: `romsim build FILE -o DIR`: the ROMs of an instance as files. */
#include "sim/cli/output.h"

#include "sim/cli/cli.h"

#include <romsim/paths.h>
#include <romsim/text.h>

#include <errno.h>
#include <string.h>

static const struct cli_option options[] = {
    {"output", 'o', "DIR", "where to write; made if missing"},
    {"no-verify", 0, NULL, "do not read the images back"},
    CLI_OPTION_INSTANCE,
    CLI_OPTION_PROCESSOR,
    CLI_OPTION_LIMIT,
    CLI_OPTION_JSON,
    CLI_OPTION_END,
};

/* ---- the result, as a table or as JSON -------------------------------------------------- */

struct report {
    struct cli_table *table; /* or */
    json_t *list;
};

static int report_add(struct report *report, const struct romsim_device *device, const char *name,
                      const char *path)
{
    const char *digest = romsim_blob_sha256_shown(device->blob);
    char files[24];

    if (report->list)
        return json_array_append_new(report->list,
                                     json_pack("{s:s, s:i, s:s, s:s, s:I, s:I, s:s?}", "name", name,
                                               "index", (int)device->index, "path", path, "kind",
                                               romsim_image_kind_name(device->kind), "size",
                                               (json_int_t)romsim_blob_size(device->blob), "files",
                                               (json_int_t)device->files, "sha256", digest));
    snprintf(files, sizeof(files), "%llu", (unsigned long long)device->files);
    cli_table_row(report->table, (const char *[]){name, romsim_image_kind_name(device->kind),
                                                  SIZE_TEXT(romsim_blob_size(device->blob)),
                                                  device->kind == ROMSIM_IMAGE_EROFS ? files : "-",
                                                  digest ? digest : "-", path});
    return 0;
}

static void report_open(struct report *report, bool as_json)
{
    if (as_json)
        report->list = json_array();
    else
        report->table = cli_table_new(
            (const char *[]){"ROM", "KIND", ">SIZE", ">FILES", "SHA-256", "FILE", NULL});
}

static int report_close(struct report *report, int status)
{
    if (status == CLI_OK && report->list) {
        status = cli_print_json(json_incref(report->list));
    } else if (status == CLI_OK) {
        cli_table_print(report->table);
    }
    json_decref(report->list);
    cli_table_free(report->table);
    return status;
}

/* ---- one ROM, one instance -------------------------------------------------------------- */

static const char *suffix_of(enum romsim_image_kind kind)
{
    static const char *const suffixes[] = {
        [ROMSIM_IMAGE_EROFS] = ".erofs",
        [ROMSIM_IMAGE_CPIO] = ".cpio",
        [ROMSIM_IMAGE_RAW] = ".rom",
    };

    return suffixes[kind];
}

static int write_rom(const struct romsim_device *device, const char *path, struct romsim_error *err)
{
    CLEANUP_OUTPUT struct output output = {.fd = -1};

    if (output_open(&output, path, err) < 0 || output_write_blob(&output, device->blob, err) < 0)
        return -1;
    return output_commit(&output, err);
}

/* The name of a ROM's file, less its suffix; NULL, reported, if a ROM without a name would be
 * written over one whose name is that of a device. */
static const char *file_name(const struct romsim_instance *instance, const struct romsim_rom *rom,
                             const struct romsim_device *device)
{
    struct romsim_error err;

    if (rom->name)
        return rom->name;
    for (size_t i = 0; i < instance->rom_count; i++) {
        const char *name = instance->roms[i].name;

        if (!name || strcmp(name, device->indexed_name) != 0)
            continue;
        romsim_error_set(&err, EEXIST, "two ROMs would be the file '%s'", QUOTE(name));
        cli_report(&err);
        return NULL;
    }
    return device->indexed_name;
}

static int build_rom(const struct romsim_instance *instance, size_t index,
                     const struct romsim_device *device, const char *folder, struct report *report)
{
    const char *name = file_name(instance, &instance->roms[index], device);
    CLEANUP_FREE char *path = NULL;
    struct romsim_error err = {0};

    if (!name)
        return CLI_FAILED;
    if (asprintf(&path, "%s/%s%s", folder, name, suffix_of(device->kind)) < 0) {
        path = NULL;
        romsim_error_nomem(&err);
        return cli_report(&err);
    }
    if (write_rom(device, path, &err) < 0)
        return cli_report(&err);
    if (report_add(report, device, name, path) < 0)
        return cli_report((romsim_error_nomem(&err), &err));
    return CLI_OK;
}

static int build_instance(const struct romsim_instance *instance, const char *folder,
                          struct report *report)
{
    CLEANUP_LAYOUT struct romsim_layout *layout = NULL;
    struct romsim_diagnostics diagnostics = {0};
    struct romsim_error err = {0};

    layout = romsim_layout_roms(instance, &diagnostics);
    cli_report_all(&diagnostics);
    romsim_diagnostics_clear(&diagnostics);
    if (!layout)
        return CLI_FAILED;
    if (romsim_path_make(folder, 0777, &err) < 0)
        return cli_report(&err);
    for (size_t i = 0; i < instance->rom_count; i++)
        if (build_rom(instance, i, romsim_layout_device(layout, ROMSIM_DEVICE_ROM, i), folder,
                      report) != CLI_OK)
            return CLI_FAILED;
    if (instance->rom_count == 0)
        cli_note("the instance has no ROMs");
    return CLI_OK;
}

/* ---- all of a file ---------------------------------------------------------------------- */

/* Several instances have a folder each, by name or number: their ROMs may have the same names. */
static char *folder_of(const struct romsim_instance *instance, size_t number, const char *output)
{
    const char *name = instance->name;
    char *folder = NULL;
    int size;

    if (name && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
        size = asprintf(&folder, "%s/%s", output, name);
    else
        size = asprintf(&folder, "%s/%zu", output, number);
    return size < 0 ? NULL : folder;
}

static int build_all(const struct romsim_instances *instances, const char *output,
                     struct report *report)
{
    for (size_t i = 0; i < instances->count; i++) {
        CLEANUP_FREE char *folder = folder_of(instances->items[i], i + 1, output);
        struct romsim_error err = {0};

        if (!folder)
            return cli_report((romsim_error_nomem(&err), &err));
        if (build_instance(instances->items[i], folder, report) != CLI_OK)
            return CLI_FAILED;
    }
    return CLI_OK;
}

static int build(const struct cli_args *args, const struct romsim_instances *instances)
{
    const char *output = cli_value(args, "output");
    const struct romsim_instance *instance;
    struct report report = {0};
    int status;

    for (size_t i = 0; i < instances->count; i++)
        instances->items[i]->no_verify = cli_has(args, "no-verify");
    report_open(&report, cli_has(args, "json"));
    if (instances->count > 1 && !cli_has(args, "instance")) {
        status = build_all(instances, output, &report);
    } else {
        instance = cli_pick(args, instances);
        status = instance ? build_instance(instance, output, &report) : CLI_FAILED;
    }
    return report_close(&report, status);
}

static int run(const struct cli_args *args)
{
    struct romsim_instances instances;
    int status;

    if (!cli_value(args, "output"))
        return cli_usage(args, "where to? --output DIR is missing");
    status = cli_processor(args);
    if (status == CLI_OK)
        status = cli_load(args, args->operands[0], &instances);
    if (status != CLI_OK)
        return status;
    status = build(args, &instances);
    romsim_instances_clear(&instances);
    return status;
}

const struct cli_command cli_command_build = {
    .name = "build",
    .help_beside = "write an instance's ROMs to files; compare with another one",
    .operands = "FILE",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "write the ROMs of an instance as files",
    .description = "Each ROM becomes DIR/NAME.erofs, or DIR/ukp_romN.erofs without a name; .cpio\n"
                   "and .rom for what is no EROFS image.  Several instances get a folder each.\n",
    .options = options,
    .run = run,
};
