/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rom_extract.c: `romsim rom extract`: the files of an image as files of the host.
 *
 * What is left out is said once, what is refused file by file, up to a number.  A signal that asks
 * for the end is looked for between files and pieces of them, so that no part of a file is left,
 * and what is there is said.
 */
#include "sim/cli/rom.h"

#include <romsim/rom_extract.h>
#include <romsim/text.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { REPORTS_MAX = 20 };

struct extraction {
    const char *directory;
    struct rom_image image;
    struct romsim_rom_extract_result result;
    size_t reported;
    bool is_holding; /* signals wait */
    sigset_t ending; /* for these */
    int ended_by;    /* the one that came, or 0 */
};

/* ---- signals ------------------------------------------------------------------------------ */

/* From here on they wait until is_ended() looks.  One that the caller ignores stays ignored. */
static void hold_signals(struct extraction *extraction)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action;

    sigemptyset(&extraction->ending);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        if (sigaction(signals[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
            sigaddset(&extraction->ending, signals[i]);
    sigprocmask(SIG_BLOCK, &extraction->ending, NULL);
    extraction->is_holding = true;
}

static bool is_ended(void *context)
{
    struct extraction *extraction = context;
    const struct timespec now = {0};
    int number = 0;

    if (!extraction->is_holding) /* files are about to be made: until here a signal just ends it */
        hold_signals(extraction);
    if (!extraction->ended_by)
        number = sigtimedwait(&extraction->ending, NULL, &now);
    if (number > 0)
        extraction->ended_by = number;
    return extraction->ended_by != 0;
}

/* ---- what is said ------------------------------------------------------------------------- */

static void report_refused(void *context, const char *path, struct romsim_error *error)
{
    struct extraction *extraction = context;

    if (extraction->reported++ >= REPORTS_MAX)
        return;
    romsim_error_context(error, "%s", QUOTE(path));
    rom_report(extraction->image.file, error);
}

static json_t *json_result(const struct romsim_rom_extract_result *result)
{
    return json_pack("{s:I, s:I, s:{s:I, s:I, s:I, s:I}}", "made", (json_int_t)result->made,
                     "refused", (json_int_t)result->refused, "left out", "owners",
                     (json_int_t)result->owners, "setid", (json_int_t)result->setids, "devices",
                     (json_int_t)result->devices, "xattrs", (json_int_t)result->xattrs);
}

static void say_skipped(const struct romsim_rom_extract_result *result)
{
    const char *why = geteuid() == 0 ? "--no-owner" : "you are not root";

    if (result->owners)
        cli_note("%zu files belong to you instead of their owners in the image (%s)",
                 result->owners, why);
    if (result->setids)
        cli_note("%zu files lost their set-user-id and set-group-id bits (%s)", result->setids,
                 why);
    if (result->devices)
        cli_note("%zu devices were left out (%s)", result->devices, why);
    if (result->xattrs)
        cli_note("%zu xattrs could not be set", result->xattrs);
    if (result->damaged_xattrs)
        cli_note("%zu files have damaged xattrs, which were left out", result->damaged_xattrs);
}

/* What the reports of single files leave open. */
static void say_refused(const struct extraction *extraction)
{
    const struct romsim_rom_extract_result *result = &extraction->result;

    if (result->refused > REPORTS_MAX)
        cli_note("and %zu more files were not made", result->refused - REPORTS_MAX);
    if (result->existing)
        cli_note("%zu of the files are in '%s' already and were left as they are: use another "
                 "directory",
                 result->existing, QUOTE(extraction->directory));
    if (result->refused_links)
        cli_note("--all-links makes symlinks that may lead out of the target, too");
    if (extraction->ended_by)
        cli_note("stopped: %zu files are in '%s'", result->made, QUOTE(extraction->directory));
}

/* ---- the command -------------------------------------------------------------------------- */

/* Nothing was made. */
static int report_failure(const struct extraction *extraction, struct romsim_error *error)
{
    if (error->errnum == EDQUOT && !extraction->result.is_target)
        romsim_error_hint(error, "--no-limit unpacks it nevertheless");
    if (error->errnum == ENOSPC && !extraction->result.is_target)
        romsim_error_hint(error, "--no-limit tries it nevertheless");
    return extraction->result.is_target ? cli_report(error)
                                        : rom_report(extraction->image.file, error);
}

static int report_result(struct extraction *extraction, bool as_json)
{
    struct romsim_rom_extract_result *result = &extraction->result;
    int status;

    if (as_json)
        cli_print_json(json_result(result));
    else
        say_skipped(result);
    say_refused(extraction);
    if (result->xattrs_error.errnum)
        rom_report(extraction->image.file, &result->xattrs_error);
    status = rom_image_end(&extraction->image);
    if (extraction->ended_by)
        return 128 + extraction->ended_by;
    if (result->refused || result->damaged_xattrs || result->xattrs_error.errnum)
        return CLI_FAILED;
    return status;
}

static int run_extract(const struct cli_args *args)
{
    const char *path = args->operand_count > 1 ? args->operands[1] : NULL;
    CLEANUP_EROFS struct romsim_erofs *erofs = NULL;
    struct extraction extraction = {.directory = cli_value(args, "output")};
    struct romsim_rom_extract_options options = {
        .keep_owners = geteuid() == 0 && !cli_has(args, "no-owner"),
        .all_links = cli_has(args, "all-links"),
        .no_limit = cli_has(args, "no-limit"),
        .is_ended = is_ended,
        .refused = report_refused,
        .context = &extraction,
    };
    struct romsim_error error = {0};

    if (!extraction.directory)
        return cli_usage(args, "it needs --output DIR");
    erofs = rom_open(args->operands[0]);
    if (!erofs)
        return CLI_FAILED;
    rom_image_init(&extraction.image, erofs, args->operands[0]);
    if (romsim_rom_extract(&extraction.image.look, path, extraction.directory, &options,
                           &extraction.result, &error) < 0)
        return report_failure(&extraction, &error);
    return report_result(&extraction, cli_has(args, "json"));
}

static const struct cli_option options[] = {
    {"output", 'o', "DIR", "where to; made if it is not there"},
    {"all-links", 0, NULL, "also make symlinks that lead out of DIR"},
    {"no-owner", 0, NULL, "let everything belong to you, as root too"},
    ROM_OPTION_NO_LIMIT,
    CLI_OPTION_JSON,
    CLI_OPTION_END,
};

const struct cli_command cli_rom_extract = {
    .name = "extract",
    .operands = "FILE [PATH]",
    .operands_min = 1,
    .operands_max = 2,
    .summary = "unpack an EROFS image, or a part of it, into a directory",
    .description =
        "Nothing is written outside DIR, nothing that exists is replaced or changed, and\n"
        "symlinks that lead out of DIR are refused.  Owners are kept for root only; where\n"
        "they are not, devices are left out and set-user-id and set-group-id bits are\n"
        "dropped.\n",
    .options = options,
    .run = run_extract,
};
