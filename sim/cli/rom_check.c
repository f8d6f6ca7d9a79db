/* SPDX-License-Identifier: BSD-3-Clause */
/* rom_check.c: `romsim rom check`: is every structure of an image as it should be? */
#include "sim/cli/rom.h"

#include <romsim/erofs_check.h>
#include <romsim/text.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct reporting {
    const char *file;
    json_t *findings; /* or NULL: print lines */
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

static void report(void *context, const struct romsim_erofs_finding *finding)
{
    const struct reporting *reporting = context;

    if (!reporting->findings) {
        report_line(reporting, finding);
        return;
    }
    json_array_append_new(reporting->findings,
                          json_pack("{s:s, s:o, s:I, s:b, s:s}", "severity",
                                    severity_name(finding->severity), "path",
                                    rom_json_text(finding->path, strlen(finding->path)), "offset",
                                    (json_int_t)finding->offset, "in_metabox", finding->in_metabox,
                                    "message", finding->message));
}

static void print_summary(const char *file, const struct romsim_erofs_census *census)
{
    uint64_t all = census->errors + census->warnings;

    if (all > ROMSIM_EROFS_FINDINGS_MAX)
        printf("%s: and %llu more findings\n", QUOTE(file),
               (unsigned long long)(all - ROMSIM_EROFS_FINDINGS_MAX));
    printf("%s: %s: %llu errors, %llu warnings in %llu inodes\n", QUOTE(file),
           census->errors ? "damaged" : "clean", (unsigned long long)census->errors,
           (unsigned long long)census->warnings,
           (unsigned long long)(census->directories + census->files + census->symlinks +
                                census->specials));
}

/* Checks one file; adds its result to `list`, or prints it. */
static int check_file(const char *file, json_t *list)
{
    CLEANUP_BLOB struct romsim_blob *blob = rom_blob(file);
    struct reporting reporting = {.file = file, .findings = list ? json_array() : NULL};
    struct romsim_erofs_census census = {0};
    struct romsim_error error = {0};
    int result = blob ? romsim_erofs_check(blob, report, &reporting, &census, &error) : -1;

    if (result < 0) {
        json_decref(reporting.findings);
        return blob ? rom_report(file, &error) : CLI_FAILED;
    }
    if (list)
        json_array_append_new(list, json_pack("{s:o, s:b, s:I, s:I, s:o}", "file",
                                              rom_json_text(file, strlen(file)), "clean",
                                              !census.errors, "errors", (json_int_t)census.errors,
                                              "warnings", (json_int_t)census.warnings, "findings",
                                              reporting.findings));
    else
        print_summary(file, &census);
    return result ? CLI_FAILED : CLI_OK;
}

static int run_check(const struct cli_args *args)
{
    json_t *list = cli_has(args, "json") ? json_array() : NULL;
    int status = CLI_OK;

    for (size_t i = 0; i < args->operand_count; i++)
        if (check_file(args->operands[i], list) != CLI_OK)
            status = CLI_FAILED;
    if (list && cli_print_json(list) != CLI_OK)
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
