/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_explain.c: `romsim explain WORD|CODE`: what it means; `romsim explain --console LOG FILE`:
 * what a guest's console says of its ROMs.
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
#include <stdlib.h>
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
    int status = cli_processor(args);

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

/* "R017". */
enum { CODE_SIZE = 8 };

static const char *print_code(enum romsim_rule rule, char ret[CODE_SIZE])
{
    snprintf(ret, CODE_SIZE, "R%03u", (unsigned)rule);
    return ret;
}

static bool is_rule(unsigned number)
{
    return number > ROMSIM_RULE_NONE && number < ROMSIM_RULE_END && explain_rules[number].summary;
}

/* Is the text a code, as it is printed or as one writes it ("R017", "[R017]", "r17")?  Sets
 * *ret_rule to ROMSIM_RULE_NONE for one that there is not. */
static bool read_code(const char *text, enum romsim_rule *ret_rule)
{
    char *end;
    unsigned long number;

    text += text[0] == '[';
    if ((text[0] != 'R' && text[0] != 'r') || text[1] < '0' || text[1] > '9')
        return false;
    number = strtoul(text + 1, &end, 10);
    if (strcmp(end, "") != 0 && strcmp(end, "]") != 0)
        return false;
    *ret_rule = number < ROMSIM_RULE_END && is_rule((unsigned)number) ? (enum romsim_rule)number
                                                                      : ROMSIM_RULE_NONE;
    return true;
}

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

static json_t *page_json(const char *name, const struct explain_word *page)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b}", "word", name, "summary", page->summary,
                     "text", page->text, "fails", page->fails, "works", page->works, "source",
                     page->source, "is_warning", page->is_warning);
}

static int print_page(const struct cli_args *args, const char *name,
                      const struct explain_word *page)
{
    if (cli_has(args, "json"))
        return cli_print_json(page_json(name, page));
    printf("%s: %s\n\n%s", name, page->summary, page->text);
    print_example(page->is_warning ? "This is warned of:" : "This is refused:", page->fails);
    print_example("This is taken:", page->works);
    printf("\nThe rule is from %s.\n", page->source);
    return CLI_OK;
}

static int explain_word(const struct cli_args *args, const char *text)
{
    const char *names[WORDS_MAX + 1] = {0};
    enum romsim_rule rule = ROMSIM_RULE_NONE;
    struct romsim_error error;
    const char *nearest;
    bool is_code = read_code(text, &rule);
    size_t count = 0;

    if (rule != ROMSIM_RULE_NONE)
        return print_page(args, print_code(rule, (char[CODE_SIZE]){0}), &explain_rules[rule]);
    for (const struct explain_word *word = explain_words; word->name && count < WORDS_MAX; word++) {
        if (means(word, text))
            return print_page(args, word->name, word);
        names[count++] = word->name;
    }
    romsim_error_set(&error, ENOENT, "there is no %s '%s'", is_code ? "code" : "page on",
                     QUOTE(text));
    nearest = is_code ? NULL : romsim_text_nearest(text, names);
    if (nearest)
        romsim_error_hint(&error, "there is one on '%s'", nearest);
    else
        romsim_error_hint(&error, "'romsim explain' lists them");
    return cli_report(&error);
}

static void list_page(struct cli_table *table, json_t *list, const char *name,
                      const struct explain_word *page)
{
    json_array_append_new(list, page_json(name, page));
    cli_table_row(table, (const char *[]){name, page->summary});
}

static int list_pages(const struct cli_args *args)
{
    CLEANUP_TABLE struct cli_table *table =
        cli_table_new((const char *[]){"WORD", "WHAT IT IS", NULL});
    json_t *list = json_array();

    for (const struct explain_word *word = explain_words; word->name; word++)
        list_page(table, list, word->name, word);
    for (unsigned i = 0; i < ROMSIM_RULE_END; i++)
        if (is_rule(i))
            list_page(table, list, print_code(i, (char[CODE_SIZE]){0}), &explain_rules[i]);
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
    return args->operand_count > 0 ? explain_word(args, args->operands[0]) : list_pages(args);
}

static const struct cli_option options[] = {
    {"console", 0, "LOG", "what the guest wrote, '-' for standard input"},
    CLI_OPTION_INSTANCE,
    CLI_OPTION_JSON,
    CLI_OPTION_PROCESSOR,
    CLI_OPTION_LIMIT,
    CLI_OPTION_END};

const struct cli_command cli_command_explain = {
    .name = "explain",
    .help_beside = "what words and guests' consoles mean; what this machine has",
    .operands = "[WORD|CODE|FILE]",
    .operands_min = 0,
    .operands_max = 1,
    .summary = "what a word means; what a guest's console says of its ROMs",
    .description =
        "A word of instance files, or the code of an error or a warning (\"R017\"), is\n"
        "explained with the rule, an example that is refused and one that is taken;\n"
        "without one they are listed.  With --console lines of\n"
        "the kernel (\"erofs: (device vdb): ... nid 46\") and of programs that miss a file\n"
        "are explained: which ROM and path, the likely cause, what to try.  FILE is the\n"
        "instance that wrote them, here or in the cloud.\n",
    .options = options,
    .run = run_explain,
};
