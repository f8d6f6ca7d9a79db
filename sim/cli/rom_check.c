/* SPDX-License-Identifier: BSD-3-Clause */
/* rom_check.c: `romsim rom check`: is every structure of an image as it should be? */
#include "sim/cli/rom.h"

#include <romsim/erofs_check.h>
#include <romsim/text.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* One damage can have a thousand findings: as lines the first ones are enough. */
enum { LINES_MAX = 100, PATHS_MAX = 4 << 20 };

struct reporting {
    const char *file;
    json_t *findings; /* or NULL: print lines */
    unsigned lines;
    size_t paths_left; /* bytes; a path may be long, and is escaped in JSON */
};

static const char *severity_name(enum romsim_erofs_severity severity)
{
    return severity == ROMSIM_EROFS_ERROR ? "error" : "warning";
}

static void report_line(const struct reporting *reporting,
                        const struct romsim_erofs_finding *finding)
{
    CLEANUP_FREE char *path = rom_quote(finding->path);

    printf("%s: %s: %s%s%s (at offset 0x%llx%s)\n", QUOTE(reporting->file),
           severity_name(finding->severity), path ? path : "", finding->path[0] ? ": " : "",
           finding->message, (unsigned long long)finding->offset,
           finding->in_metabox ? " of the metabox" : "");
}

static json_t *json_finding(const struct romsim_erofs_finding *finding)
{
    json_t *object = json_pack("{s:s}", "severity", severity_name(finding->severity));
    json_t *message = rom_json_text(finding->message, strlen(finding->message));

    if (!object || rom_json_set(object, "path", finding->path, strlen(finding->path)) < 0 ||
        json_object_set_new(object, "offset", json_integer((json_int_t)finding->offset)) < 0 ||
        json_object_set_new(object, "in_metabox", json_boolean(finding->in_metabox)) < 0) {
        json_decref(message);
        json_decref(object);
        return NULL;
    }
    json_object_set_new(object, "message", message);
    return object;
}

static void report(void *context, const struct romsim_erofs_finding *finding)
{
    struct reporting *reporting = context;

    size_t size = strlen(finding->path);

    if (!reporting->findings && reporting->lines++ < LINES_MAX)
        report_line(reporting, finding);
    if (!reporting->findings || size > reporting->paths_left)
        return;
    reporting->paths_left -= size;
    json_array_append_new(reporting->findings, json_finding(finding));
}

static void print_summary(const char *file, const struct romsim_erofs_census *census)
{
    uint64_t all = census->errors + census->warnings;
    uint64_t inodes = census->directories + census->files + census->symlinks + census->specials;

    if (all > LINES_MAX)
        printf("%s: and %s; --json has the first %d\n", QUOTE(file),
               COUNT_TEXT(all - LINES_MAX, "more finding", "more findings"),
               ROMSIM_EROFS_FINDINGS_MAX);
    printf("%s: %s: %s, %s in %s\n", QUOTE(file), census->errors ? "damaged" : "clean",
           COUNT_TEXT(census->errors, "error", "errors"),
           COUNT_TEXT(census->warnings, "warning", "warnings"),
           COUNT_TEXT(inodes, "inode", "inodes"));
}

static json_t *json_checked(const char *file, const struct romsim_erofs_census *census,
                            json_t *findings)
{
    json_t *object = rom_json_path("file", file);

    if (object) {
        json_object_set_new(object, "clean", json_boolean(!census->errors));
        json_object_set_new(object, "errors", json_integer((json_int_t)census->errors));
        json_object_set_new(object, "warnings", json_integer((json_int_t)census->warnings));
    }
    json_object_set_new(object, "findings", findings);
    return object;
}

/* What could not be checked is not clean.  Returns CLI_FAILED. */
static int not_checked(const char *file, struct romsim_error *error, struct cli_list *list)
{
    json_t *object = list ? rom_json_failed("file", file, error) : NULL;

    if (object)
        json_object_set_new(object, "clean", json_false());
    if (list)
        cli_list_add(list, object);
    if (error->errnum == EINVAL)
        romsim_error_hint(error, ROM_HINT_INFO);
    return rom_report(file, error);
}

/* Checks one file; adds its result to `list`, or prints it. */
static int check_file(const char *file, struct cli_list *list)
{
    struct reporting reporting = {
        .file = file, .findings = list ? json_array() : NULL, .paths_left = PATHS_MAX};
    struct romsim_erofs_census census = {0};
    struct romsim_error error = {0};
    CLEANUP_BLOB struct romsim_blob *blob = romsim_blob_snapshot(cli_input(file), &error);
    int result = blob ? romsim_erofs_check(blob, report, &reporting, &census, &error) : -1;

    if (result < 0) {
        json_decref(reporting.findings);
        return not_checked(file, &error, list);
    }
    if (list)
        cli_list_add(list, json_checked(file, &census, reporting.findings));
    else
        print_summary(file, &census);
    return result ? CLI_FAILED : CLI_OK;
}

static int run_check(const struct cli_args *args)
{
    bool as_json = cli_has(args, "json");
    struct cli_list list;
    int status = CLI_OK;

    if (as_json)
        cli_list_begin(&list);
    for (size_t i = 0; i < args->operand_count; i++)
        if (check_file(args->operands[i], as_json ? &list : NULL) != CLI_OK)
            status = CLI_FAILED;
    if (as_json && cli_list_end(&list) != CLI_OK)
        return CLI_FAILED;
    return status;
}

static const struct cli_option options[] = {CLI_OPTION_JSON, CLI_OPTION_END};

const struct cli_command cli_rom_check = {
    .name = "check",
    .operands = "FILE...",
    .operands_min = 1,
    .operands_max = CLI_OPERANDS_ANY,
    .summary = "check every structure of EROFS images",
    .description = "Superblock, inodes, directories, link counts, xattrs, indexes, overlaps; all\n"
                   "compressed data is decoded.  Exit status 1 if anything is damaged.\n",
    .options = options,
    .run = run_check,
};
