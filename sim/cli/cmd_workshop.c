/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_workshop.c: `romsim workshop`: the lesson of docs/workshop.md, with its exercises' files and
 * a checker (workshop.h).
 *
 * The page is in the program: its "## N. TITLE" are the exercises.  Its comments are for the test
 * that walks it, and are not shown.
 */
#include "sim/cli/output.h"
#include "sim/cli/workshop.h"

#include <romsim/embed.h>
#include <romsim/paths.h>
#include <romsim/text.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

ROMSIM_EMBED(workshop_page, "docs/workshop.md");

/* ---- the page ----------------------------------------------------------------------------- */

/* The line behind the one at `at`, or the page's end. */
static const char *next_line(const char *at)
{
    const char *end = memchr(at, '\n', (size_t)(workshop_page_end - at));

    return end ? end + 1 : workshop_page_end;
}

static bool begins(const char *at, const char *text)
{
    size_t size = strlen(text);

    return (size_t)(workshop_page_end - at) >= size && memcmp(at, text, size) == 0;
}

/* The exercise's section, from its heading on; NULL: there is none. */
static const char *find_section(unsigned number)
{
    char heading[32];
    const char *at = workshop_page;

    snprintf(heading, sizeof(heading), "## %u. ", number);
    while (at != workshop_page_end && !begins(at, heading))
        at = next_line(at);
    return at != workshop_page_end ? at : NULL;
}

/* Prints a section's text, without marks for the test and more than one empty line between. */
static void print_section(const char *section)
{
    bool was_empty = false;

    for (const char *at = section; at != workshop_page_end; at = next_line(at)) {
        const char *end = next_line(at);
        bool is_empty = *at == '\n';

        if (at != section && begins(at, "## "))
            break;
        if (begins(at, "<!--") || (begins(at, "```") && (is_empty = true)))
            continue;
        if (!is_empty || !was_empty)
            fwrite(at, 1, (size_t)(end - at), stdout);
        was_empty = is_empty;
    }
}

/* ---- list, show --------------------------------------------------------------------------- */

static int run_list(const struct cli_args *args)
{
    (void)args;
    for (unsigned i = 1; i <= WORKSHOP_EXERCISES; i++) {
        const char *section = find_section(i);

        if (section)
            printf("%.*s\n", (int)(next_line(section) - section - 4), section + 3);
    }
    return CLI_OK;
}

/* The exercise that the first operand names, from 1; 0 after a report. */
static unsigned read_number(const struct cli_args *args)
{
    char *end;
    unsigned long number = strtoul(args->operands[0], &end, 10);

    if (*end == '\0' && number >= 1 && number <= WORKSHOP_EXERCISES &&
        find_section((unsigned)number))
        return (unsigned)number;
    cli_usage(args, "there is no exercise '%s', they are numbered from 1 to %d",
              QUOTE(args->operands[0]), WORKSHOP_EXERCISES);
    return 0;
}

static int run_show(const struct cli_args *args)
{
    unsigned number = read_number(args);

    if (!number)
        return CLI_USAGE;
    print_section(find_section(number));
    return CLI_OK;
}

/* ---- start -------------------------------------------------------------------------------- */

/* The folder of the exercise: the second operand, or "workshop-N"; malloc'ed, NULL after a report.
 */
static char *name_folder(const struct cli_args *args, unsigned number)
{
    char name[32];
    char *ret;

    snprintf(name, sizeof(name), "workshop-%u", number);
    ret = strdup(args->operand_count > 1 ? args->operands[1] : name);
    if (!ret) {
        struct romsim_error error;

        romsim_error_nomem(&error);
        cli_report(&error);
    }
    return ret;
}

static int write_file(const char *folder, const struct workshop_file *file,
                      struct romsim_error *err)
{
    CLEANUP_FREE char *path = romsim_path_join(folder, file->path);
    CLEANUP_FREE char *parent = path ? strndup(path, (size_t)(strrchr(path, '/') - path)) : NULL;
    struct stat status;

    if (!parent)
        return romsim_error_nomem(err);
    if (romsim_path_make(parent, 0777, err) < 0 ||
        output_save(path, file->text, (size_t)(file->end - file->text), err) < 0)
        return -1;
    /* Who may read it may run it. */
    if (file->is_program &&
        (stat(path, &status) < 0 || chmod(path, status.st_mode | (status.st_mode & 0444) >> 2) < 0))
        return romsim_error_system(err, errno, "cannot make '%s' a program", QUOTE(path));
    return 0;
}

/* Makes the folder with all its files, or nothing. */
static int write_files(const char *folder, const struct workshop_exercise *exercise,
                       struct romsim_error *err)
{
    if (mkdir(folder, 0777) < 0) {
        romsim_error_system(err, errno, "cannot make the folder '%s'", QUOTE(folder));
        if (errno == EEXIST)
            romsim_error_hint(err, "to begin again remove it, or name another folder");
        return -1;
    }
    for (const struct workshop_file *file = exercise->files; file->path; file++)
        if (write_file(folder, file, err) < 0) {
            romsim_path_remove_tree(folder, NULL);
            return -1;
        }
    return 0;
}

static int run_start(const struct cli_args *args)
{
    unsigned number = read_number(args);
    CLEANUP_FREE char *folder = number ? name_folder(args, number) : NULL;
    struct romsim_error error = {0};

    if (!number)
        return CLI_USAGE;
    if (!folder)
        return CLI_FAILED;
    if (write_files(folder, &workshop_exercises[number - 1], &error) < 0)
        return cli_report(&error);
    cli_note("wrote the folder '%s'; 'romsim workshop show %u' is the task", QUOTE(folder), number);
    return CLI_OK;
}

/* ---- check -------------------------------------------------------------------------------- */

/* Goes through the steps up to the first that is not done.  CLI_OK: all are. */
static int check_steps(struct workshop_look *look, const struct workshop_step *steps)
{
    for (const struct workshop_step *step = steps; step->look; step++) {
        bool is_done = step->look(look, step);

        printf("[%c] %s\n", is_done ? 'x' : ' ', QUOTE(look->subject));
        if (is_done)
            continue;
        printf("    %s\n    hint: %s\n", QUOTE(look->reason), step->hint);
        return CLI_FAILED;
    }
    return CLI_OK;
}

static int run_check(const struct cli_args *args)
{
    unsigned number = read_number(args);
    CLEANUP_FREE char *folder = number ? name_folder(args, number) : NULL;
    struct workshop_look look = {.folder = folder};
    struct stat info;
    int status;

    if (!number)
        return CLI_USAGE;
    if (!folder)
        return CLI_FAILED;
    if (stat(folder, &info) < 0 || !S_ISDIR(info.st_mode)) {
        struct romsim_error error;

        romsim_error_set(&error, ENOENT, "there is no folder '%s'", QUOTE(folder));
        romsim_error_hint(&error, "'romsim workshop start %u' makes it", number);
        return cli_report(&error);
    }
    status = check_steps(&look, workshop_exercises[number - 1].steps);
    romsim_instances_clear(&look.instances);
    if (status == CLI_OK && number < WORKSHOP_EXERCISES)
        printf("exercise %u is done; next: romsim workshop start %u\n", number, number + 1);
    else if (status == CLI_OK)
        printf("exercise %u is done, and that was the last one\n", number);
    return status;
}

/* ---- the commands ------------------------------------------------------------------------- */

static const struct cli_command list = {
    .name = "list",
    .operands = "",
    .summary = "name the exercises",
    .run = run_list,
};

static const struct cli_command show = {
    .name = "show",
    .operands = "N",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "print the task of an exercise",
    .run = run_show,
};

static const struct cli_command start = {
    .name = "start",
    .operands = "N [DIR]",
    .operands_min = 1,
    .operands_max = 2,
    .summary = "write the folder that an exercise begins with",
    .description =
        "DIR is 'workshop-N' if it is not given.  A folder that is there is left alone.\n",
    .run = run_start,
};

static const struct cli_command check = {
    .name = "check",
    .operands = "N [DIR]",
    .operands_min = 1,
    .operands_max = 2,
    .summary = "say what of an exercise is done, and what comes next",
    .is_of_this_machine = true,
    .description = "Looks at the folder's file by the cloud's rules, at the instances that there\n"
                   "are, and at what they answer.  The exit status is 0 when all is done.\n",
    .run = run_check,
};

static const struct cli_command *const subcommands[] = {&list, &show, &start, &check, NULL};

const struct cli_command cli_command_workshop = {
    .name = "workshop",
    .operands = "",
    .summary = "eight exercises with ROMs, and a checker",
    .subcommands = subcommands,
};
