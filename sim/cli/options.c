/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * options.c: from argv to a command with its options and operands, and the help.
 *
 * Theory of operation: the first words name a command (and a subcommand), the rest is read by
 * getopt_long() with tables made from the command's own.  What --help prints comes from the same
 * tables.
 */
#include "sim/cli/cli.h"
#include "sim/cli/habits.h"
#include "sim/cli/manual.h"

#include <romsim/api.h>
#include <romsim/bounds.h>
#include <romsim/checked.h>
#include <romsim/state.h>
#include <romsim/text.h>

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { OPTIONS_MAX = 80, WORDS_MAX = 80 };

/* ---- help ------------------------------------------------------------------------------- */

/* May its argument be left out? */
static bool is_optional(const struct cli_option *option)
{
    return option && option->argument && option->argument[0] == '[';
}

static void print_option(const struct cli_option *option)
{
    char left[80];
    char letter[] = {'-', option->letter, ',', '\0'};

    snprintf(left, sizeof(left), "%3s --%s%s%s", option->letter ? letter : "", option->name,
             option->argument && !is_optional(option) ? " " : "", option->argument ?: "");
    printf("  %-28s %s\n", left, option->help);
}

/* Those that few people need stand in as few lines as they take. */
static void print_more_options(const struct cli_option *options)
{
    enum { WIDTH = 79 };
    size_t column = 0;
    char item[80];

    for (const struct cli_option *option = options; option && option->name; option++) {
        if (option->help)
            continue;
        snprintf(item, sizeof(item), "--%s%s%s", option->name,
                 option->argument && !is_optional(option) ? " " : "", option->argument ?: "");
        if (column == 0)
            column = (size_t)printf("\nand, see romsim(1):\n  %s", item) -
                     strlen("\nand, see romsim(1):\n");
        else if (column + 2 + strlen(item) > WIDTH - 1)
            column = (size_t)printf(",\n  %s", item) - 2;
        else
            column += (size_t)printf(", %s", item);
    }
    if (column)
        printf("\n");
}

static void print_commands(const struct cli_command *const *commands)
{
    char names[32] = "";
    const char *text = NULL;

    for (; *commands; commands++) {
        size_t used = strlen(names);
        bool is_last = !(*commands)->help_beside;

        if ((*commands)->is_hidden)
            continue;

        snprintf(names + used, sizeof(names) - used, "%s%s", (*commands)->name,
                 is_last ? "" : ", ");
        if (!is_last) {
            text = (*commands)->help_beside;
            continue;
        }
        printf("  %-15s  %s\n", names, text ? text : (*commands)->summary);
        names[0] = '\0';
        text = NULL;
    }
}

static int print_program_help(void)
{
    printf("romsim - run Unikraft Cloud instances with their ROMs on this machine\n\n"
           "usage: romsim COMMAND [OPTIONS] [OPERANDS]\n\n");
    print_commands(cli_commands);
    printf("\n'romsim COMMAND --help' says more, and 'romsim help COMMAND|TOPIC' has it all.\n");
    return CLI_OK;
}

static int print_command_help(const char *name, const struct cli_command *command)
{
    printf("romsim %s - %s\n\nusage: romsim %s%s%s%s\n", name, command->summary, name,
           command->subcommands ? " COMMAND"
           : command->options   ? " [OPTIONS]"
                                : "",
           command->operands && command->operands[0] ? " " : "", command->operands ?: "");
    if (command->description)
        printf("\n%s", command->description);
    printf("\n");
    if (command->subcommands)
        print_commands(command->subcommands);
    for (const struct cli_option *option = command->options; option && option->name; option++)
        if (option->help)
            print_option(option);
    if (!command->subcommands)
        print_option(&(struct cli_option){"help", 'h', NULL, "print this help"});
    print_more_options(command->options);
    return CLI_OK;
}

/* ---- parsing ---------------------------------------------------------------------------- */

/* getopt's own tables for a command: 'x' + index for long ones, so that letters stay apart. */
struct tables {
    struct option longs[OPTIONS_MAX + 3];
    char letters[2 * OPTIONS_MAX + 4];
};

enum { LONG_BASE = 1000, VALUE_BOUND = 999 };

static void make_tables(const struct cli_command *command, struct tables *ret)
{
    size_t count = 0;
    char *letter = ret->letters;

    memset(ret, 0, sizeof(*ret));
    *letter++ = ':'; /* a missing argument is ':' and not '?' */
    *letter++ = 'h';
    for (const struct cli_option *option = command->options;
         option && option->name && count < OPTIONS_MAX; option++, count++) {
        ret->longs[count] = (struct option){.name = option->name,
                                            .has_arg = is_optional(option) ? optional_argument
                                                       : option->argument  ? required_argument
                                                                           : no_argument,
                                            .val = LONG_BASE + (int)count};
        if (!option->letter)
            continue;
        *letter++ = option->letter;
        if (option->argument)
            *letter++ = ':';
    }
    ret->longs[count++] = (struct option){.name = "help", .val = 'h'};
    ret->longs[count] =
        (struct option){.name = "bound", .has_arg = required_argument, .val = VALUE_BOUND};
}

static const struct cli_option *option_of(const struct cli_command *command, int value)
{
    if (value >= LONG_BASE)
        return &command->options[value - LONG_BASE];
    for (const struct cli_option *option = command->options; option && option->name; option++)
        if (option->letter == value)
            return option;
    return NULL;
}

/* What to write in place of an option ("--jsno", "-P") that the command does not have. */
static void hint_option(const struct cli_args *args, const char *word)
{
    const char *names[OPTIONS_MAX + 1] = {0};
    const char *habit = habits_option(args->name, word);
    const char *nearest;
    size_t count = 0;

    if (habit)
        fprintf(stderr, "  hint: %s\n", habit);
    if (habit || word[1] != '-')
        return;
    for (const struct cli_option *option = args->command->options;
         option && option->name && count < OPTIONS_MAX; option++)
        names[count++] = option->name;
    nearest = romsim_text_nearest(word + 2, names);
    if (nearest)
        fprintf(stderr, "  hint: did you mean '--%s'?\n", nearest);
}

static int unknown_option(const struct cli_args *args, char **argv)
{
    const char *word = optopt && optopt < LONG_BASE ? NULL : argv[optind - 1];
    char name[64];

    if (optopt >= LONG_BASE)
        return cli_usage(args, "the option '%s' takes no argument", QUOTE(word));
    if (word)
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(word, "="), word);
    else
        snprintf(name, sizeof(name), "-%c", optopt);
    cli_usage(args, "unknown option '%s'", QUOTE(word ?: name));
    hint_option(args, name);
    return CLI_USAGE;
}

static int missing_argument(const struct cli_args *args, char **argv)
{
    const struct cli_option *option = option_of(args->command, optopt);

    return cli_usage(args, "the option '%s' needs a %s", QUOTE(argv[optind - 1]),
                     option ? option->argument : "value");
}

static int check_operands(const struct cli_args *args)
{
    const struct cli_command *command = args->command;

    if (args->operand_count < command->operands_min)
        return cli_usage(args, "it needs %s", command->operands);
    if (args->operand_count > command->operands_max)
        return cli_usage(args, "there is one operand too many: '%s'",
                         QUOTE(args->operands[command->operands_max]));
    return CLI_OK;
}

static int set_bounds(const char *assignments, const char *origin)
{
    struct romsim_error error;

    if (romsim_bounds_set(assignments, &error) == 0)
        return 0;
    romsim_error_context(&error, "%s", origin);
    cli_report(&error);
    return -1;
}

/* Reads options and operands.  Returns CLI_OK, CLI_USAGE, or -1 after --help. */
static int parse(struct cli_args *args, int argc, char **argv)
{
    struct tables tables;
    int value;

    make_tables(args->command, &tables);
    opterr = 0;
    optind = 0; /* resets getopt's own state (glibc) */
    while ((value = getopt_long(argc, argv, tables.letters, tables.longs, NULL)) != -1) {
        if (value == 'h' && !option_of(args->command, 'h')) {
            print_command_help(args->name, args->command);
            return -1;
        }
        if (value == VALUE_BOUND) {
            if (set_bounds(optarg, "--bound") < 0)
                return CLI_USAGE;
            continue;
        }
        if (value == ':')
            return missing_argument(args, argv);
        if (value == '?')
            return unknown_option(args, argv);
        if (optarg && !*optarg && is_optional(option_of(args->command, value)))
            return cli_usage(args, "the option '%s' has nothing behind its '='",
                             QUOTE(argv[optind - 1]));
        args->matches[args->match_count++] =
            (struct cli_match){.option = option_of(args->command, value), .value = optarg};
    }
    args->words = argv;
    args->word_count = (size_t)argc;
    args->operands = argv + optind;
    args->operand_count = (size_t)(argc - optind);
    return check_operands(args);
}

static void note_machine(const struct cli_args *args)
{
    const char *host = getenv("ROMSIM_HOST");

    if (args->command->is_of_this_machine && host && *host && !cli_has(args, "quiet"))
        cli_note("'romsim %s' is about this machine, and not about ROMSIM_HOST", args->name);
}

static int run_command(struct cli_args *args, int argc, char **argv)
{
    CLEANUP_FREE struct cli_match *matches = calloc((size_t)argc, sizeof(*matches));
    const char *environment = getenv("ROMSIM_BOUNDS");
    int status;

    if (!matches) {
        struct romsim_error error;

        romsim_error_nomem(&error);
        return cli_report(&error);
    }
    args->matches = matches;
    if (environment && set_bounds(environment, "ROMSIM_BOUNDS") < 0)
        return CLI_USAGE;
    status = parse(args, argc, argv);
    if (status != CLI_OK)
        return status < 0 ? CLI_OK : status;
    note_machine(args);
    if (!args->command->sweeps_itself)
        romsim_state_sweep();
    return args->command->run(args);
}

/* ---- dispatch --------------------------------------------------------------------------- */

static const struct cli_command *find_command(const struct cli_command *const *commands,
                                              const char *name)
{
    for (; *commands; commands++)
        if (strcmp((*commands)->name, name) == 0)
            return *commands;
    return NULL;
}

/* `words` begin with those of the prefix. */
static int unknown_command(const char *prefix, const struct cli_command *const *commands,
                           char **words, size_t count)
{
    const char *word = words[*prefix ? 1 : 0];
    const char *names[WORDS_MAX + 1] = {0};
    const char *habit = habits_command((const char *const *)words, count);
    const char *nearest;

    for (size_t i = 0; i < WORDS_MAX && commands[i]; i++)
        names[i] = commands[i]->name;
    fprintf(stderr, "romsim: there is no command '%s%s'\n", prefix, QUOTE(word));
    nearest = romsim_text_nearest(word, names);
    if (habit)
        fprintf(stderr, "  hint: %s\n", habit);
    else if (nearest)
        fprintf(stderr, "  hint: did you mean '%s%s'?\n", prefix, nearest);
    else
        fprintf(stderr, "  hint: 'romsim %s--help' lists them\n", prefix);
    return CLI_USAGE;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

static int run_subcommand(const struct cli_command *group, int argc, char **argv)
{
    struct cli_args args = {0};
    char prefix[32];

    if (argc < 2 || is_help(argv[1])) {
        print_command_help(group->name, group);
        return argc < 2 ? CLI_USAGE : CLI_OK;
    }
    snprintf(prefix, sizeof(prefix), "%s ", group->name);
    args.command = find_command(group->subcommands, argv[1]);
    if (!args.command)
        return unknown_command(prefix, group->subcommands, argv, (size_t)argc);
    snprintf(args.name, sizeof(args.name), "%s%s", prefix, args.command->name);
    return run_command(&args, argc - 1, argv + 1);
}

int cli_parse(int argc, char **argv, struct cli_args *ret)
{
    *ret = (struct cli_args){.command = argc ? find_command(cli_commands, argv[0]) : NULL,
                             .matches = calloc((size_t)argc + 1, sizeof(*ret->matches))};
    if (!ret->command || !ret->matches)
        return CLI_FAILED;
    snprintf(ret->name, sizeof(ret->name), "%s", ret->command->name);
    return parse(ret, argc, argv) == CLI_OK ? CLI_OK : CLI_FAILED;
}

int cli_main(int argc, char **argv)
{
    struct cli_args args = {0};

    if (argc < 2) {
        print_program_help();
        return CLI_USAGE;
    }
    if (argc == 2 && strcmp(argv[1], ROMSIM_API_MAKER) == 0)
        return romsim_api_maker();
    if (strcmp(argv[1], "help") == 0)
        return manual_help((const char *const *)argv + 2, (size_t)argc - 2);
    if (is_help(argv[1]))
        return print_program_help();
    if (strcmp(argv[1], "--version") == 0) {
        printf("romsim %s\n", ROMSIM_VERSION);
        return CLI_OK;
    }
    args.command = find_command(cli_commands, argv[1]);
    if (!args.command)
        return unknown_command("", cli_commands, argv + 1, (size_t)argc - 1);
    if (args.command->subcommands)
        return run_subcommand(args.command, argc - 1, argv + 1);
    snprintf(args.name, sizeof(args.name), "%s", args.command->name);
    return run_command(&args, argc - 1, argv + 1);
}

/* ---- for the commands ------------------------------------------------------------------- */

int cli_usage(const struct cli_args *args, const char *format, ...)
{
    va_list arguments;

    fprintf(stderr, "romsim %s: ", args->name);
    va_start(arguments, format);
    cli_put(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, " (see 'romsim %s --help')\n", args->name);
    return CLI_USAGE;
}

const char *cli_each(const struct cli_args *args, const char *name, size_t *index)
{
    while (*index < args->match_count) {
        const struct cli_match *match = &args->matches[(*index)++];

        if (strcmp(match->option->name, name) == 0)
            return match->value ?: "";
    }
    return NULL;
}

bool cli_has(const struct cli_args *args, const char *name)
{
    size_t index = 0;

    return cli_each(args, name, &index) != NULL;
}

const char *cli_value(const struct cli_args *args, const char *name)
{
    const char *value = NULL, *next;
    size_t index = 0;

    while ((next = cli_each(args, name, &index)))
        value = next;
    return value;
}

int cli_number(const struct cli_args *args, const char *name, uint64_t least, uint64_t most,
               uint64_t absent, uint64_t *ret)
{
    const char *value = cli_value(args, name);
    unsigned long long number;
    char *end;

    if (!value) {
        *ret = absent;
        return 0;
    }
    errno = 0;
    number = strtoull(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end || errno || number < least || number > most) {
        cli_usage(args, "--%s is '%s', but has to be a number from %llu to %llu", name,
                  QUOTE(value), (unsigned long long)least, (unsigned long long)most);
        return -1;
    }
    *ret = number;
    return 0;
}
