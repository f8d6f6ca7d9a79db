/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_init.c: `romsim init [FILE]`: a first instance file, with comments, which `check` passes.
 *
 * The files are in sim/cli/init.  The first line names the schema for the editor, where there is an
 * installed one, or that of the build folder, beside the program.
 */
#include "sim/cli/cli.h"
#include "sim/cli/output.h"

#include <romsim/buffer.h>
#include <romsim/embed.h>
#include <romsim/paths.h>
#include <romsim/text.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

ROMSIM_EMBED(init_static, "sim/cli/init/static.yaml");
ROMSIM_EMBED(init_python, "sim/cli/init/python.yaml");
ROMSIM_EMBED(init_node, "sim/cli/init/node.yaml");
ROMSIM_EMBED(init_config, "sim/cli/init/config.yaml");

static const struct {
    const char *name, *text, *end;
} starters[] = {
    {"static", init_static, init_static_end},
    {"python", init_python, init_python_end},
    {"node", init_node, init_node_end},
    {"config", init_config, init_config_end},
};

enum { STARTERS = sizeof(starters) / sizeof(starters[0]), TEXT_MAX = 64 << 10 };

/* The schema's path, malloc'ed, or NULL. */
static char *find_schema(void)
{
    static const char *const places[] = {"../share/romsim/instance.schema.json",
                                         "instance.schema.json"};
    CLEANUP_FREE char *folder = romsim_path_program_folder();

    for (size_t i = 0; folder && i < sizeof(places) / sizeof(places[0]); i++) {
        CLEANUP_FREE char *path = romsim_path_join(folder, places[i]);
        char *found = path ? realpath(path, NULL) : NULL;

        if (found)
            return found;
    }
    return NULL;
}

static void make_text(size_t starter, struct romsim_buffer *ret)
{
    CLEANUP_FREE char *schema = find_schema();

    if (schema && !strpbrk(schema, "\r\n"))
        romsim_buffer_printf(ret, "# yaml-language-server: $schema=%s\n#\n", schema);
    romsim_buffer_append(ret, starters[starter].text,
                         (size_t)(starters[starter].end - starters[starter].text));
}

static int write_file(const char *path, const struct romsim_buffer *text)
{
    struct romsim_error error = {0};
    struct stat status;

    if (lstat(path, &status) == 0) {
        romsim_error_set(&error, EEXIST, "'%s' is there already", QUOTE(path));
        romsim_error_hint(&error, "another name behind 'romsim init', or '-' for standard output");
        return cli_report(&error);
    }
    return output_save(path, text->data, text->size, &error) < 0 ? cli_report(&error) : CLI_OK;
}

static int run_init(const struct cli_args *args)
{
    const char *name = cli_value(args, "template") ?: starters[0].name;
    const char *path = args->operand_count ? args->operands[0] : "instance.yaml";
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(TEXT_MAX);
    size_t starter = 0;
    int status;

    while (starter < STARTERS && strcmp(starters[starter].name, name) != 0)
        starter++;
    if (starter == STARTERS)
        return cli_usage(args, "there is no '%s' to begin with, only static, python, node, config",
                         QUOTE(name));
    make_text(starter, &text);
    if (text.failed) {
        struct romsim_error error;

        romsim_error_nomem(&error);
        return cli_report(&error);
    }
    if (strcmp(path, "-") == 0)
        return fputs(text.data, stdout) < 0 || fflush(stdout) < 0 ? CLI_FAILED : CLI_OK;
    status = write_file(path, &text);
    if (status == CLI_OK)
        cli_note("wrote '%s': name your base image in it, then 'romsim run %s'", QUOTE(path),
                 QUOTE(path));
    return status;
}

static const struct cli_option options[] = {
    {"template", 't', "static|python|node|config", "what it is of; else static"},
    CLI_OPTION_END,
};

const struct cli_command cli_command_init = {
    .name = "init",
    .operands = "[FILE]",
    .operands_min = 0,
    .operands_max = 1,
    .summary = "write a first instance file, with comments",
    .help_beside = "a first instance file; the JSON body for POST /v1/instances",
    .description = "Writes instance.yaml, or FILE ('-': standard output), which 'romsim check'\n"
                   "passes.  A file that is there is left alone.\n",
    .options = options,
    .run = run_init,
};
