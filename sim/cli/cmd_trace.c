/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_trace.c: `romsim trace summary|ls|report FILE`: what a trace (run --trace=FILE) says. */
#include "sim/cli/cli.h"
#include "sim/cli/output.h"
#include "trace_report.h"
#include "trace_sum.h"

#include <romsim/buffer.h>
#include <romsim/cleanup.h>
#include <romsim/text.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    SHOWN = 8,      /* paths, of a list */
    SLOW_US = 50000 /* a read that takes so long is told: from memory it takes none of it */
};

/* ---- reading ------------------------------------------------------------------------------ */

typedef int line_taker(void *context, const json_t *line, struct romsim_error *err);

/* The line of a trace, or NULL: it is none. */
static json_t *parse(const char *line, size_t size)
{
    json_t *value = json_loadb(line, size, 0, NULL);

    if (json_is_string(json_object_get(value, "kind")))
        return value;
    json_decref(value);
    return NULL;
}

/* Hands each line on.  A last one without its end was being written.  CLI_OK, or another exit
 * status after a report. */
static int for_each_line(const char *path, line_taker *take, void *context)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    CLEANUP_FREE char *line = NULL;
    struct romsim_error error = {0};
    size_t room = 0, number = 0;
    ssize_t size;
    int status = 0;

    if (!file)
        romsim_error_system(&error, errno, "cannot read '%s'", QUOTE(path));
    while (file && status == 0 && (size = getline(&line, &room, file)) > 0 &&
           line[size - 1] == '\n') {
        json_t *value = parse(line, (size_t)size);

        number++;
        status = value ? take(context, value, &error)
                       : romsim_error_set(&error, EINVAL,
                                          "'%s': line %zu is no line of a trace, which 'romsim run "
                                          "--trace=FILE' writes",
                                          QUOTE(path), number);
        json_decref(value);
    }
    if (file && number == 0)
        status = romsim_error_set(&error, EINVAL, "'%s' is no trace: it has no lines", QUOTE(path));
    if (file && file != stdin)
        fclose(file);
    return !file || status < 0 ? cli_report(&error) : CLI_OK;
}

static const char *text_of(const json_t *line, const char *name)
{
    return json_string_value(json_object_get(line, name)) ?: "";
}

static int64_t number_of(const json_t *line, const char *name)
{
    return json_integer_value(json_object_get(line, name));
}

/* ---- summary ------------------------------------------------------------------------------ */

static int take_sum(void *context, const json_t *line, struct romsim_error *err)
{
    return trace_sum_add(context, line, err);
}

/* The path of a file that was probably meant, or NULL. */
static const char *find_near(const struct trace_rom *rom, const char *path)
{
    const json_t *files = json_object_get(rom->line, "files"), *file;
    CLEANUP_FREE const char **known = calloc(json_array_size(files) + 1, sizeof(char *));
    size_t i;

    if (!known)
        return NULL;
    json_array_foreach(files, i, file)
    {
        known[i] = text_of(file, "path");
        if (strcasecmp(known[i], path) == 0)
            return known[i];
    }
    return romsim_text_nearest(path, known);
}

/* "  LABEL  a, b and 3 more"; nothing for none. */
static void print_paths(const char *label, const struct trace_rom *rom, const json_t *paths,
                        bool with_near)
{
    json_t *object = (json_t *)(uintptr_t)paths; /* jansson's iterator wants no const */
    size_t shown = 0;

    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
        const char *path = json_object_iter_key(at);
        const char *near = with_near ? find_near(rom, path) : NULL;

        if (shown++ >= SHOWN)
            continue;
        printf("%s%s", shown == 1 ? label : ", ", QUOTE(path));
        if (near)
            printf(" (there is %s)", QUOTE(near));
    }
    if (shown > SHOWN)
        printf(" and %zu more", shown - SHOWN);
    if (shown)
        printf("\n");
}

/* The files that were not read, as an object like the others. */
static json_t *find_unread(const struct trace_rom *rom)
{
    json_t *unread = json_object();
    const json_t *file;
    size_t i;

    json_array_foreach(json_object_get(rom->line, "files"), i, file)
    {
        if (!json_object_get(rom->read, text_of(file, "path")) && number_of(file, "size") > 0)
            json_object_set_new(unread, text_of(file, "path"), json_true());
    }
    return unread;
}

static void print_rom(const struct trace_rom *rom)
{
    const char *device = text_of(rom->line, "device"), *name = text_of(rom->line, "name");
    const char *at = text_of(rom->line, "at"), *instance = text_of(rom->line, "instance");
    json_t *unread = find_unread(rom);
    const json_t *fault;
    size_t i;

    printf("%s%s%s", QUOTE(instance), *instance ? ": " : "", QUOTE(*name ? name : device));
    if (*name)
        printf(" (%s)", QUOTE(device));
    if (*at)
        printf(" at %s", QUOTE(at));
    printf(", %s\n", SIZE_TEXT((uint64_t)number_of(rom->line, "size")));
    json_array_foreach(rom->faults, i, fault)
    {
        printf("  made wrong by  --fault %s\n", QUOTE(json_string_value(fault)));
    }
    if (json_object_get(rom->line, "image_size"))
        printf(
            "  cut short      its image has %s: what is behind the device's end cannot be read\n",
            SIZE_TEXT((uint64_t)number_of(rom->line, "image_size")));
    printf("  of the device  %" PRIu64 " reads, %" PRIu64 " bytes, %" PRIu64 " of them again\n",
           rom->reads, rom->bytes, rom->bytes - rom->distinct);
    if (rom->file_reads)
        printf("  on the host    %" PRIu64 " reads of files, %" PRIu64 " bytes\n", rom->file_reads,
               rom->file_bytes);
    if (rom->longest_us >= SLOW_US)
        printf("  slow           %.1f s for a read of %s, %.1f s for all reads\n",
               (double)rom->longest_us / 1e6, QUOTE(rom->longest_of ? rom->longest_of : "?"),
               (double)rom->waited_us / 1e6);
    if (rom->failures)
        printf("  failed         %" PRIu64 " reads\n", rom->failures);
    print_paths("  failed of      ", rom, rom->failed, false);
    print_paths("  read           ", rom, rom->read, false);
    print_paths("  opened         ", rom, rom->opened, false);
    print_paths("  never read     ", rom, unread, false);
    print_paths("  missing        ", rom, rom->missing, true);
    json_decref(unread);
}

static json_t *rom_json(const struct trace_rom *rom)
{
    json_t *unread = find_unread(rom);

    return json_pack(
        "{s:O?, s:O, s:O?, s:O, s:O*, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:O, s:O, s:O, s:o, "
        "s:O}",
        "instance", json_object_get(rom->line, "instance"), "device",
        json_object_get(rom->line, "device"), "name", json_object_get(rom->line, "name"), "faults",
        rom->faults, "image_size", json_object_get(rom->line, "image_size"), "longest_us",
        (json_int_t)rom->longest_us, "waited_us", (json_int_t)rom->waited_us, "reads",
        (json_int_t)rom->reads, "bytes", (json_int_t)rom->bytes, "bytes_again",
        (json_int_t)(rom->bytes - rom->distinct), "file_reads", (json_int_t)rom->file_reads,
        "file_bytes", (json_int_t)rom->file_bytes, "failures", (json_int_t)rom->failures, "failed",
        rom->failed, "read", rom->read, "opened", rom->opened, "never_read", unread, "missing",
        rom->missing);
}

static int run_summary(const struct cli_args *args)
{
    struct trace_roms roms = {0};
    int status = for_each_line(args->operands[0], take_sum, &roms);

    trace_sum_finish(&roms);
    if (status == CLI_OK && cli_has(args, "json")) {
        json_t *list = json_array();

        for (size_t i = 0; i < roms.count; i++)
            json_array_append_new(list, rom_json(&roms.items[i]));
        status = cli_print_json(list);
    } else if (status == CLI_OK) {
        for (size_t i = 0; i < roms.count; i++)
            print_rom(&roms.items[i]);
    }
    trace_sum_clear(&roms);
    return status;
}

static const struct cli_option summary_options[] = {
    {"json", 0, NULL, "as JSON, with all paths and how often"}, CLI_OPTION_END};

static const struct cli_command summary = {
    .name = "summary",
    .operands = "FILE",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "sum up what was read of each ROM, and what never",
    .options = summary_options,
    .run = run_summary,
};

/* ---- ls ----------------------------------------------------------------------------------- */

/* The first thing that a read of the device had, and how many more. */
static void print_what(const json_t *line)
{
    const json_t *what = json_object_get(line, "what"), *first = json_array_get(what, 0);

    if (first && strcmp(text_of(first, "is"), "file") == 0)
        printf("  %s %lld-%lld", QUOTE(text_of(first, "path")),
               (long long)number_of(first, "start"),
               (long long)(number_of(first, "start") + number_of(first, "length") - 1));
    else if (first)
        printf("  %s %s", QUOTE(text_of(first, "is")), QUOTE(text_of(first, "path")));
    if (json_array_size(what) > 1)
        printf(" and %zu more", json_array_size(what) - 1);
}

static int take_line(void *context, const json_t *line, struct romsim_error *err)
{
    const char *kind = text_of(line, "kind");
    int64_t time = number_of(line, "time_us");
    bool is_lookup = strcmp(kind, "lookup") == 0, is_open = strcmp(kind, "open") == 0;

    (void)context;
    (void)err;
    if (!is_lookup && !is_open && strcmp(kind, "read") != 0 && strcmp(kind, "file") != 0)
        return 0;
    printf("%4lld.%06lld  %s  %s", (long long)(time / 1000000), (long long)(time % 1000000),
           QUOTE(text_of(line, "device")), kind[0] == 'r' ? "read" : QUOTE(kind));
    if (!is_lookup && !is_open)
        printf("  %lld at %lld", (long long)number_of(line, "size"),
               (long long)number_of(line, "offset"));
    if (*text_of(line, "path"))
        printf("  %s", QUOTE(text_of(line, "path")));
    if (is_open)
        printf("  by %s (%lld)", QUOTE(text_of(line, "process")),
               (long long)number_of(line, "pid"));
    print_what(line);
    if (json_object_get(line, "error"))
        printf("  %s", QUOTE(text_of(line, "error")));
    else if (is_lookup && json_is_false(json_object_get(line, "found")))
        printf("  there is none");
    printf("\n");
    return 0;
}

static int run_ls(const struct cli_args *args)
{
    return for_each_line(args->operands[0], take_line, NULL);
}

static const struct cli_command ls = {
    .name = "ls",
    .operands = "FILE",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "list each access with its time",
    .run = run_ls,
};

/* ---- report ------------------------------------------------------------------------------- */

enum { PAGE_MAX = 1 << 30 };

static int take_report(void *context, const json_t *line, struct romsim_error *err)
{
    return trace_report_add(context, line, err);
}

static int write_page(const struct trace_report *report, const char *path)
{
    CLEANUP_BUFFER struct romsim_buffer page = ROMSIM_BUFFER_INIT(PAGE_MAX);
    struct romsim_error error;

    if (trace_report_finish(report, &page, &error) < 0)
        return cli_report(&error);
    if (strcmp(path, "-") == 0) {
        fwrite(page.data, 1, page.size, stdout);
        return CLI_OK;
    }
    return output_save(path, page.data, page.size, &error) < 0 ? cli_report(&error) : CLI_OK;
}

static int run_report(const struct cli_args *args)
{
    const char *output = cli_value(args, "output");
    struct trace_report report;
    int status;

    if (!output)
        return cli_usage(args, "give the page's name: -o report.html");
    trace_report_begin(&report);
    status = for_each_line(args->operands[0], take_report, &report);
    if (status == CLI_OK)
        status = write_page(&report, output);
    trace_report_clear(&report);
    return status;
}

static const struct cli_option report_options[] = {
    {"output", 'o', "HTML", "where to write the page; - is standard output"}, CLI_OPTION_END};

static const struct cli_command report = {
    .name = "report",
    .operands = "FILE",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "make a page with maps of the ROMs and a timeline",
    .description =
        "The page is one file, which any browser shows without a network: each ROM's\n"
        "blocks by their files and reads, the phases of the start and the reads in time,\n"
        "and a table of the files, also of those that were looked for in vain.\n",
    .options = report_options,
    .run = run_report,
};

/* ---- all ---------------------------------------------------------------------------------- */

static const struct cli_command *const subcommands[] = {&summary, &ls, &report, NULL};

const struct cli_command cli_command_trace = {
    .name = "trace",
    .help_beside = "what was read of ROMs; look into images; pack, unpack",
    .summary = "what was read of ROMs (run --trace=FILE)",
    .subcommands = subcommands,
};
