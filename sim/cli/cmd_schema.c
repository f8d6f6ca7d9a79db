/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_schema.c: `romsim schema [WHAT]`: what files must look like, as JSON Schema for editors.
 *
 * It is made of the tables by which the files are read, and says no more than they: a limit, a
 * name that is taken, two members that exclude each other are for `romsim check`.
 */
#include "sim/cli/cli.h"

#include <romsim/kraftfile.h>
#include <romsim/schema_describe.h>
#include <romsim/text.h>

#include <stdio.h>
#include <string.h>

static const struct {
    const char *word;
    struct romsim_described described;
} kinds[] = {
    {"instance",
     {.shape = &romsim_instance_file_shape,
      .role = ROMSIM_SHAPE_WRITTEN,
      .name = "Instance",
      .title = "Instances of Unikraft Cloud, as romsim reads them",
      .is_list = true}},
    {"kraftfile",
     {.shape = &romsim_kraftfile_shape,
      .role = ROMSIM_SHAPE_WRITTEN,
      .name = "Kraftfile",
      .title = "A Kraftfile, as far as romsim builds from it",
      .is_forgiving = true}},
    {"request",
     {.shape = &romsim_instance_shape,
      .role = ROMSIM_SHAPE_SENT,
      .name = "Instance",
      .title = "The body of POST /v1/instances",
      .is_list = true}},
};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static int refuse(const struct cli_args *args, const char *word)
{
    const char *words[KINDS + 1] = {0};
    const char *nearest;
    int status = cli_usage(
        args, "there is no schema of '%s', only of: instance, kraftfile, request", QUOTE(word));

    for (size_t i = 0; i < KINDS; i++)
        words[i] = kinds[i].word;
    nearest = romsim_text_nearest(word, words);
    if (nearest)
        fprintf(stderr, "  hint: did you mean '%s'?\n", nearest);
    return status;
}

static int run_schema(const struct cli_args *args)
{
    const char *word = args->operand_count ? args->operands[0] : kinds[0].word;
    struct romsim_error error;

    for (size_t i = 0; i < KINDS; i++) {
        if (strcmp(word, kinds[i].word) == 0) {
            CLEANUP_FREE char *text = romsim_schema_document(&kinds[i].described, &error);

            if (!text)
                return cli_report(&error);
            return fputs(text, stdout) < 0 || fflush(stdout) < 0 ? CLI_FAILED : CLI_OK;
        }
    }
    return refuse(args, word);
}

const struct cli_command cli_command_schema = {
    .name = "schema",
    .operands = "[instance|kraftfile|request]",
    .operands_min = 0,
    .operands_max = 1,
    .summary = "print a JSON Schema, by which editors complete and check",
    .help_beside = "a JSON Schema for editors; the cloud's API on this machine",
    .description = "An editor with yaml-language-server reads it where a file's first line is\n"
                   "    # yaml-language-server: $schema=PATH\n"
                   "with the path of what this printed, or of the copy that 'make install' puts\n"
                   "into share/romsim.  'romsim check' knows the rules beyond it.\n",
    .run = run_schema,
};
