/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cli.h: what the commands share: a table of options, the report of errors, tables, JSON.
 *
 * A command is one file, cmd_NAME.c, with one `const struct cli_command cli_command_NAME`, which is
 * entered in commands.c.  Its options stand in a table from which the parser and --help are made,
 * so the two cannot differ.  Only this room prints; errors and notes go to stderr, results to
 * stdout.
 */
#ifndef ROMSIM_CLI_H
#define ROMSIM_CLI_H

#include <romsim/error.h>
#include <romsim/instance.h>
#include <romsim/layout.h>

#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Exit statuses (romsim(1)). */
enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_RUN_FAILED = 125 };

/* --name, and -letter where it is not 0; takes an argument if `argument` (its name in the help)
 * is not NULL.  One that may be left out is "[=FILE]", for an option without a letter.  An option
 * may be given several times.  A table ends with a NULL name. */
struct cli_option {
    const char *name;
    char letter;
    const char *argument;
    const char *help; /* half a line, lower case; NULL: romsim(1) says it */
};

#define CLI_OPTION_JSON                                                                            \
    {                                                                                              \
        "json", 0, NULL, "print JSON"                                                              \
    }
#define CLI_OPTION_LIMIT                                                                           \
    {                                                                                              \
        "limit", 0, "NAME=VALUE", "change a limit of the cloud, e.g. roms=16"                      \
    }
#define CLI_OPTION_FROM_GET                                                                        \
    {                                                                                              \
        "from-get", 0, NULL, "the file is what GET /v1/instances answered"                         \
    }
#define CLI_OPTION_PROCESSOR                                                                       \
    {"arch", 0, "amd64|arm64", "the guest's architecture (this machine's)"},                       \
    {                                                                                              \
        "cpu", 0, "v1|v2|v3|v4|MODEL", "the processor: its level, or a QEMU model"                 \
    }
#define CLI_OPTION_END                                                                             \
    {                                                                                              \
        0                                                                                          \
    }

struct cli_args;

struct cli_command {
    const char *name;
    const char *operands; /* as in the usage line: "FILE...", "" for none */
    unsigned operands_min, operands_max;
    const char *summary;              /* one line, lower case */
    const char *description;          /* more of it for --help, or NULL; lines end in \n */
    const struct cli_option *options; /* or NULL */
    const struct cli_command *const *subcommands; /* NULL-terminated, instead of run; or NULL */
    const char *help_beside; /* in the list of commands it shares the line of the next one, whose
                              * text this is; or NULL */
    bool is_hidden;          /* for programs: no word of it in the help */
    bool sweeps_itself;      /* else romsim_state_sweep() comes before run */
    bool
        is_of_this_machine; /* it could be taken to be of ROMSIM_HOST's, and is not: that is said */
    int (*run)(const struct cli_args *args); /* returns the exit status */
};

enum { CLI_OPERANDS_ANY = 100000 };

/* The program's commands, NULL-terminated (commands.c). */
extern const struct cli_command *const cli_commands[];

/* ---- a parsed command line -------------------------------------------------------------- */

struct cli_match {
    const struct cli_option *option;
    const char *value; /* NULL for an option without an argument, or where it is left out */
};

struct cli_args {
    const struct cli_command *command;
    char name[64]; /* "rom ls" */
    struct cli_match *matches;
    size_t match_count;
    char **operands;
    size_t operand_count;
    char **words; /* all of it, from the command's name on */
    size_t word_count;
};

/* Parses the words of a command line of before, which are reordered, and have a NULL behind them.
 * CLI_OK, or another status after a report; in any case the caller frees ret->matches. */
int cli_parse(int argc, char **argv, struct cli_args *ret);

/* Was --NAME given? */
bool cli_has(const struct cli_args *args, const char *name);

/* The value of the last --NAME, or NULL. */
const char *cli_value(const struct cli_args *args, const char *name);

/* The values of all --NAME in order: start with *index = 0; NULL ends. */
const char *cli_each(const struct cli_args *args, const char *name, size_t *index);

/* The value of --NAME as a decimal number between `least` and `most`, or `absent` without it.
 * Reports what is wrong; returns 0, or -1 (then return CLI_USAGE). */
int cli_number(const struct cli_args *args, const char *name, uint64_t least, uint64_t most,
               uint64_t absent, uint64_t *ret);

/* Says what is wrong with the command line, and where the help is.  Returns CLI_USAGE. */
int cli_usage(const struct cli_args *args, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Runs the command line (options.c); returns the exit status. */
int cli_main(int argc, char **argv);

/* ---- what is said to the user ----------------------------------------------------------- */

/* Prints an error: its place, message, the line with a caret, the hint.  Returns CLI_FAILED. */
int cli_report(const struct romsim_error *error);

/* The first error of all that were reported, in a line with its place; "" if there was none. */
const char *cli_first_error(void);

/* Prints a list of errors and warnings, and how many were not kept. */
void cli_report_all(const struct romsim_diagnostics *diagnostics);

/* The same, but the errors only where --quiet was given. */
void cli_report_for(const struct cli_args *args, const struct romsim_diagnostics *diagnostics);

/* Prints a message, whose foreign parts should have been quoted, without what a terminal would take
 * as a control: the last line of defence. */
void cli_put(FILE *out, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

/* One line on stderr: "romsim: ...", or "romsim: warning: ...". */
void cli_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
void cli_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Prints a JSON value, indented, in ASCII, with a newline, to stdout; takes the reference.  Returns
 * CLI_OK, or CLI_FAILED for NULL (out of memory). */
int cli_print_json(json_t *value);

/*
 * The same for a list that is too long to be built first: begin, add each value (takes the
 * reference; NULL is reported), end.  Once begun it must be ended, after an error too: what is
 * printed is then still JSON.  The end's return value is CLI_OK, or CLI_FAILED if a value was not
 * printed.
 */
struct cli_list {
    size_t count;
    int status;
};

void cli_list_begin(struct cli_list *list);
void cli_list_add(struct cli_list *list, json_t *value);
int cli_list_end(struct cli_list *list);

/*
 * A table for people: columns as wide as their widest cell, two spaces between; a column whose
 * heading starts with '>' is set right (the '>' is not printed).  Cells are quoted for the
 * terminal.
 */
struct cli_table;
struct cli_table *cli_table_new(const char *const *headings);          /* NULL-terminated */
void cli_table_row(struct cli_table *table, const char *const *cells); /* as many as headings */
void cli_table_print(struct cli_table *table);                         /* to stdout */
void cli_table_free(struct cli_table *table);

/* The same for more rows than are to be in memory: every row is measured, then every row printed.
 */
enum { CLI_COLUMNS_MAX = 8 };
struct cli_columns {
    const char *const *headings; /* as of a table */
    size_t widths[CLI_COLUMNS_MAX];
};
void cli_columns_measure(struct cli_columns *columns, const char *const *cells);
void cli_columns_headings(struct cli_columns *columns); /* measures and prints them */
void cli_columns_print(const struct cli_columns *columns, const char *const *cells);

DEFINE_CLEANUP(struct cli_table, cli_table_free)
#define CLEANUP_TABLE CLEANUP(cleanup_cli_table_free)

/* ---- instances -------------------------------------------------------------------------- */

/* The limits after all --limit options.  Returns 0 or -1 (reported; return CLI_USAGE). */
int cli_limits(const struct cli_args *args, struct romsim_limits *ret);

/* Loads a file with the command's --limit options, and reports its errors and warnings.  Returns
 * CLI_OK, CLI_FAILED or CLI_USAGE; only with CLI_OK the caller clears *ret. */
int cli_load(const struct cli_args *args, const char *file, struct romsim_instances *ret);

/* Would an instance that was loaded start here, as far as can be told without starting it?  An
 * image is looked at if it is to be had here; a name that is not in the local store may well be in
 * the cloud's registry, so that is an error with `local` only. */
void cli_judge(const struct romsim_instance *instance, bool local,
               struct romsim_diagnostics *diagnostics);

/* Sets the guest's architecture (romsim/arch.h) from --arch.  CLI_OK, or CLI_USAGE after a report.
 */
int cli_arch(const struct cli_args *args);

/* The same, and the level of the processor (romsim/cpu.h) from --cpu: what images are chosen for.
 * It may be one that only other machines have.  Returns CLI_OK, or CLI_FAILED or CLI_USAGE after a
 * report. */
int cli_processor(const struct cli_args *args);

/* What is to become of a --cpu that romsim_processor_choose() refused: reports it and returns
 * CLI_USAGE where the command line is wrong, else `failed`. */
int cli_refuse_cpu(const struct romsim_error *error, int failed);

/* The same with a source of the caller's, who amends; without a file there is one empty instance.
 */
int cli_load_from(const struct cli_args *args, const char *file, const struct romsim_input *source,
                  struct romsim_instances *ret);

/* The path of an operand that is an image or a file to pack: "-" is standard input. */
const char *cli_input(const char *operand);

/* Notes, unless --quiet is given, that there is no folder to keep built images in: the next command
 * has to build them again. */
void cli_note_cache(const struct cli_args *args);

/* Is this (or NULL) an image reference that only this machine can follow, and no name? */
bool cli_is_local(const char *image);

/* The only instance of the list, or the one that --instance (a name, or a number from 1) picks.
 * NULL after a report. */
const struct romsim_instance *cli_pick(const struct cli_args *args,
                                       const struct romsim_instances *instances);
#define CLI_OPTION_INSTANCE                                                                        \
    {                                                                                              \
        "instance", 'i', "NAME|N", "which one, if the file has several (from 1)"                   \
    }

#endif
