/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_complete.c: `romsim complete -- WORD...`: what could stand in place of the last word of a
 * command line, for the completions of the shells (docs/romsim.bash, .zsh, .fish), which all ask
 * it.
 *
 * The answer comes from the commands' own tables: commands, options, and where an option's argument
 * or an operand is written as a choice ("yaml|json|request") its words; names of instances, images,
 * templates and volumes are those of this machine.  A line is a candidate, or that, a tab and what
 * it is.  Nothing is printed where any file could stand, and nothing is ever said of an error: who
 * presses Tab wants none.
 */
#include "sim/cli/cli.h"
#include "sim/cli/manual.h"

#include <romsim/link.h>
#include <romsim/store.h>
#include <romsim/template.h>
#include <romsim/text.h>
#include <romsim/volume.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

struct completion {
    const struct cli_command *group; /* "rom" of "rom ls", or NULL */
    const struct cli_command *command;
    const char *current; /* the last word, as far as it is written */
};

static void offer(const struct completion *completion, const char *word, const char *about)
{
    if (strncmp(word, completion->current, strlen(completion->current)) != 0)
        return;
    printf("%s%s%s\n", QUOTE(word), about ? "\t" : "", about ?: "");
}

/* ---- names ------------------------------------------------------------------------------ */

static void offer_instances(const struct completion *completion)
{
    json_t *list = romsim_link_list();

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        const char *name = json_string_value(json_object_get(item, "name"));

        if (name)
            offer(completion, name, json_string_value(json_object_get(item, "state")));
    }
    json_decref(list);
}

static void offer_images(const struct completion *completion)
{
    CLEANUP_STORES struct romsim_stores stores = {0};
    CLEANUP_STORE_NAMES struct romsim_store_names names = {0};
    struct romsim_error error;

    if (romsim_stores_open(&stores, &error) < 0 || romsim_stores_list(&stores, &names, &error) < 0)
        return;
    for (size_t i = 0; i < names.count; i++)
        offer(completion, names.items[i].name, NULL);
}

static void ignore(void *context, const struct romsim_error *error)
{
    (void)context, (void)error;
}

static void offer_saved(const struct completion *completion, enum romsim_saved kind)
{
    CLEANUP_TEMPLATES struct romsim_templates templates = {0};
    struct romsim_error error;

    if (romsim_template_list(kind, &templates, ignore, NULL, &error) < 0)
        return;
    for (size_t i = 0; i < templates.count; i++)
        offer(completion, templates.items[i]->name, NULL);
}

static void offer_volumes(const struct completion *completion)
{
    CLEANUP_VOLUMES struct romsim_volume_infos infos = {0};
    struct romsim_error error;

    if (romsim_volume_list(&infos, ignore, NULL, &error) < 0)
        return;
    for (size_t i = 0; i < infos.count; i++)
        offer(completion, infos.items[i].name, NULL);
}

/* ---- words ------------------------------------------------------------------------------ */

/* Of "[yaml|json|FILE]" the words that stand for themselves.  Was there one? */
static bool offer_choice(const struct completion *completion, const char *choice)
{
    bool is_choice = false;

    for (const char *at = choice; strchr(choice, '|') && *at;) {
        size_t length = strcspn(at, "|]");
        char word[32];

        at += *at == '[';
        length = strcspn(at, "|]");
        if (length < sizeof(word) && islower((unsigned char)at[0])) {
            snprintf(word, sizeof(word), "%.*s", (int)length, at);
            offer(completion, word, NULL);
            is_choice = true;
        }
        at += length + (at[length] != '\0');
    }
    return is_choice;
}

static bool is_word(const char *text, const char *word)
{
    size_t length = strlen(word);

    return strncmp(text, word, length) == 0 && !isalnum((unsigned char)text[length]) &&
           text[length] != ':';
}

static void offer_operands(const struct completion *completion)
{
    const char *operands = completion->command->operands ?: "";
    const char *group = completion->group ? completion->group->name : "";

    if (offer_choice(completion, operands))
        return;
    if (is_word(operands, "VOLUME") || (is_word(operands, "NAME") && strcmp(group, "volume") == 0))
        offer_volumes(completion);
    else if (is_word(operands, "IMAGE") ||
             (is_word(operands, "NAME") && strcmp(group, "image") == 0))
        offer_images(completion);
    else if (is_word(operands, "NAME") && strcmp(group, "template") == 0)
        offer_saved(completion, ROMSIM_SAVED_TEMPLATE);
    else if (is_word(operands, "NAME") && strcmp(group, "checkpoint") == 0)
        offer_saved(completion, ROMSIM_SAVED_CHECKPOINT);
    else if (is_word(operands, "NAME") && !completion->group)
        offer_instances(completion);
}

static void offer_argument(const struct completion *completion, const struct cli_option *option)
{
    if (offer_choice(completion, option->argument))
        return;
    if (strcmp(option->argument, "REF") == 0)
        offer_images(completion);
    else if (strcmp(option->argument, "INSTANCE") == 0)
        offer_instances(completion);
    else if (strcmp(option->name, "template") == 0)
        offer_saved(completion, ROMSIM_SAVED_TEMPLATE);
    else if (strcmp(option->name, "checkpoint") == 0)
        offer_saved(completion, ROMSIM_SAVED_CHECKPOINT);
}

static void offer_options(const struct completion *completion)
{
    char name[64];

    for (const struct cli_option *option = completion->command->options; option && option->name;
         option++) {
        snprintf(name, sizeof(name), "--%s", option->name);
        offer(completion, name, option->help);
    }
    offer(completion, "--help", "print this help");
}

static void offer_topic(void *context, const char *topic)
{
    offer(context, topic, NULL);
}

static void offer_commands(const struct completion *completion,
                           const struct cli_command *const *commands)
{
    for (; *commands; commands++)
        if (!(*commands)->is_hidden)
            offer(completion, (*commands)->name, (*commands)->summary);
}

/* ---- a line ----------------------------------------------------------------------------- */

static const struct cli_command *command_of(const struct cli_command *const *commands,
                                            const char *name)
{
    for (; *commands; commands++)
        if (strcmp((*commands)->name, name) == 0)
            return *commands;
    return NULL;
}

/* The option that takes the next word as its argument, or NULL. */
static const struct cli_option *option_before(const struct cli_command *command, const char *word)
{
    for (const struct cli_option *option = command->options; option && option->name; option++) {
        bool is_it = word[0] == '-' &&
                     (word[1] == '-' ? strcmp(word + 2, option->name) == 0
                                     : option->letter && word[1] == option->letter && !word[2]);

        if (is_it && option->argument && option->argument[0] != '[')
            return option;
    }
    return NULL;
}

static int run_complete(const struct cli_args *args)
{
    const struct cli_command *const *commands = cli_commands;
    struct completion completion = {.current = args->operands[args->operand_count - 1]};
    const struct cli_option *option;
    size_t at = 0, last = args->operand_count - 1;
    bool is_help = last > 0 && strcmp(args->operands[0], "help") == 0;

    for (at = is_help; commands && at < last; at++) {
        completion.group = completion.command;
        completion.command = command_of(commands, args->operands[at]);
        if (!completion.command)
            return CLI_OK;
        commands = completion.command->subcommands;
    }
    if (commands) {
        offer_commands(&completion, commands);
        if (!completion.command && is_help)
            manual_topics(offer_topic, &completion);
        if (!completion.command && !is_help) {
            offer(&completion, "help", "what the manual has on a command or a topic");
            offer(&completion, "--help", NULL);
            offer(&completion, "--version", NULL);
        }
        return CLI_OK;
    }
    option = is_help ? NULL : option_before(completion.command, args->operands[last - 1]);
    if (option)
        offer_argument(&completion, option);
    else if (completion.current[0] == '-')
        offer_options(&completion);
    else if (!is_help)
        offer_operands(&completion);
    return CLI_OK;
}

const struct cli_command cli_command_complete = {
    .name = "complete",
    .operands = "WORD...",
    .operands_min = 1,
    .operands_max = CLI_OPERANDS_ANY,
    .summary = "print what the last word of a command line could be, for shells",
    .description =
        "romsim complete -- run --acc    prints what 'romsim run --acc' could go on as.\n",
    .is_hidden = true,
    .sweeps_itself = true,
    .run = run_complete,
};
