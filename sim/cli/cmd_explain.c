/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_explain.c: `romsim explain WORD`: what it means; `romsim explain --console LOG FILE`: what a
 * guest's console says of its ROMs.
 */
#include "sim/cli/cli.h"
#include "sim/cli/explain_words.h"

#include <romsim/bounds.h>
#include <romsim/buffer.h>
#include <romsim/explain.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- printing ----------------------------------------------------------------------------- */

struct printer {
    const char *file;
    json_t *list; /* or NULL: text */
};

static void print_text(const struct printer *printer, const struct romsim_explanation *explanation)
{
    printf("%s:%zu: %s\n  ", QUOTE(printer->file), explanation->line, explanation->text);
    if (explanation->device)
        printf("%s%s", explanation->device, explanation->path ? ", " : ": ");
    if (explanation->path)
        printf("'%s': ", explanation->path);
    printf("%s\n", explanation->cause);
    if (explanation->advice)
        printf("  hint: %s\n", explanation->advice);
}

/* A romsim_explained. */
static void print(void *context, const struct romsim_explanation *explanation)
{
    const struct printer *printer = context;

    if (!printer->list)
        print_text(printer, explanation);
    else
        json_array_append_new(
            printer->list, json_pack("{s:I, s:s, s:s?, s:s?, s:s, s:s?}", "line",
                                     (json_int_t)explanation->line, "text", explanation->text,
                                     "device", explanation->device, "path", explanation->path,
                                     "cause", explanation->cause, "advice", explanation->advice));
}

/* ---- the console -------------------------------------------------------------------------- */

static int read_console(const char *file, struct romsim_buffer *ret)
{
    CLEANUP_FD int fd = open(cli_input(file), O_RDONLY | O_CLOEXEC);
    struct romsim_error error;

    if (fd < 0)
        romsim_error_system(&error, errno, "'%s' cannot be read", QUOTE(file));
    else if (romsim_buffer_read_fd(ret, fd) == 0)
        return CLI_OK;
    else if (ret->failed == EFBIG)
        romsim_bound_refuse(&error, ROMSIM_BOUND_FILE_BYTES, "'%s' is too large", QUOTE(file));
    else
        romsim_error_system(&error, ret->failed, "'%s' cannot be read", QUOTE(file));
    return cli_report(&error);
}

/* Of the instance what is here: the console may tell of what cannot be started. */
static int explain(const struct cli_args *args, const struct romsim_instance *instance)
{
    CLEANUP_BUFFER struct romsim_buffer console =
        ROMSIM_BUFFER_INIT(romsim_bound(ROMSIM_BOUND_FILE_BYTES));
    struct printer printer = {.file = cli_value(args, "console"),
                              .list = cli_has(args, "json") ? json_array() : NULL};
    struct romsim_diagnostics diagnostics = {0};
    CLEANUP_LAYOUT struct romsim_layout *layout = NULL;
    struct romsim_error error;
    long count;

    if (read_console(printer.file, &console) != CLI_OK)
        return CLI_FAILED;
    layout = romsim_layout_here(instance, false, &diagnostics);
    romsim_diagnostics_clear(&diagnostics);
    if (!layout)
        return cli_report((romsim_error_nomem(&error), &error));
    count = romsim_explain_console(layout, console.data ? console.data : "", console.size, print,
                                   &printer);
    if (printer.list)
        return cli_print_json(printer.list);
    if (count == 0)
        cli_note("no line of '%s' concerns ROMs, as far as romsim knows", QUOTE(printer.file));
    return CLI_OK;
}

static int explain_console(const struct cli_args *args)
{
    struct romsim_instances instances;
    const struct romsim_instance *instance;
    int status = cli_cpu(args);

    if (args->operand_count == 0)
        return cli_usage(args, "whose console is it? The instance's file is missing");
    if (status == CLI_OK)
        status = cli_load(args, args->operands[0], &instances);
    if (status != CLI_OK)
        return status;
    instance = cli_pick(args, &instances);
    status = instance ? explain(args, instance) : CLI_FAILED;
    romsim_instances_clear(&instances);
    return status;
}

/* ---- words -------------------------------------------------------------------------------- */

enum { WORDS_MAX = 64 };

static bool means(const struct explain_word *word, const char *text)
{
    for (const char *const *other = word->others; *other; other++)
        if (strcasecmp(*other, text) == 0)
            return true;
    return strcasecmp(word->name, text) == 0;
}

/* An example, which begins in the first column, so that it can be copied. */
static void print_example(const char *title, const char *text)
{
    printf("\n%s\n\n%s", title, text);
}

static json_t *word_json(const struct explain_word *word)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "word", word->name, "summary", word->summary,
                     "text", word->text, "fails", word->fails, "works", word->works, "source",
                     word->source);
}

static int explain_word(const struct cli_args *args, const char *text)
{
    const char *names[WORDS_MAX + 1] = {0};
    struct romsim_error error;
    const char *nearest;
    size_t count = 0;

    for (const struct explain_word *word = explain_words; word->name && count < WORDS_MAX; word++) {
        if (means(word, text)) {
            if (cli_has(args, "json"))
                return cli_print_json(word_json(word));
            printf("%s: %s\n\n%s", word->name, word->summary, word->text);
            print_example("This is refused:", word->fails);
            print_example("This is taken:", word->works);
            printf("\nThe rule is from %s.\n", word->source);
            return CLI_OK;
        }
        names[count++] = word->name;
    }
    romsim_error_set(&error, ENOENT, "there is no page on '%s'", QUOTE(text));
    nearest = romsim_text_nearest(text, names);
    if (nearest)
        romsim_error_hint(&error, "there is one on '%s'", nearest);
    else
        romsim_error_hint(&error, "'romsim explain' lists them");
    return cli_report(&error);
}

static int list_words(const struct cli_args *args)
{
    CLEANUP_TABLE struct cli_table *table =
        cli_table_new((const char *[]){"WORD", "WHAT IT IS", NULL});
    json_t *list = json_array();

    for (const struct explain_word *word = explain_words; word->name; word++) {
        json_array_append_new(list, word_json(word));
        cli_table_row(table, (const char *[]){word->name, word->summary});
    }
    if (cli_has(args, "json"))
        return cli_print_json(list);
    json_decref(list);
    cli_table_print(table);
    return CLI_OK;
}

static int run_explain(const struct cli_args *args)
{
    if (cli_value(args, "console"))
        return explain_console(args);
    return args->operand_count > 0 ? explain_word(args, args->operands[0]) : list_words(args);
}

static const struct cli_option options[] = {
    {"console", 0, "LOG", "what the guest wrote, '-' for standard input"},
    CLI_OPTION_INSTANCE,
    CLI_OPTION_JSON,
    CLI_OPTION_CPU,
    CLI_OPTION_LIMIT,
    CLI_OPTION_END};

const struct cli_command cli_command_explain = {
    .name = "explain",
    .operands = "[WORD|FILE]",
    .operands_min = 0,
    .operands_max = 1,
    .summary = "what a word means; what a guest's console says of its ROMs",
    .description =
        "A word of instance files is explained with the rule, an example that is refused\n"
        "and one that is taken; without a word they are listed.  With --console lines of\n"
        "the kernel (\"erofs: (device vdb): ... nid 46\") and of programs that miss a file\n"
        "are explained: which ROM and path, the likely cause, what to try.  FILE is the\n"
        "instance that wrote them, here or in the cloud.\n",
    .options = options,
    .run = run_explain,
};
