/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_get.c: `romsim get NAME`: what an instance is, as the cloud's GET /v1/instances shows it. */
#include "sim/cli/ask.h"
#include "sim/cli/get_request.h"

#include <romsim/text.h>

#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

/* ---- JSON as YAML ------------------------------------------------------------------------------
 */

/* NOLINTNEXTLINE(misc-no-recursion): as deep as jansson reads: 2048 levels */
static int add_node(yaml_document_t *document, const json_t *value);

static int add_scalar(yaml_document_t *document, const char *text, bool is_text)
{
    return yaml_document_add_scalar(document, NULL, (const yaml_char_t *)text, (int)strlen(text),
                                    is_text ? YAML_DOUBLE_QUOTED_SCALAR_STYLE
                                            : YAML_PLAIN_SCALAR_STYLE);
}

/* Would the text be taken for something else without quotes? */
static bool needs_quotes(const char *text)
{
    static const char *const words[] = {"true", "false", "null", "yes", "no",
                                        "on",   "off",   "y",    "n"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcasecmp(text, words[i]) == 0)
            return true;
    /* Numbers, times and what has a meaning of its own begin otherwise. */
    return *text != '/' && !isalpha((unsigned char)*text);
}

static int add_number(yaml_document_t *document, const json_t *value)
{
    char text[64];

    snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(value));
    return add_scalar(document, text, false);
}

static int add_list(yaml_document_t *document, const json_t *value)
{
    int list = yaml_document_add_sequence(document, NULL,
                                          json_array_size(value) ? YAML_BLOCK_SEQUENCE_STYLE
                                                                 : YAML_FLOW_SEQUENCE_STYLE);

    for (size_t i = 0; list && i < json_array_size(value); i++)
        yaml_document_append_sequence_item(document, list,
                                           add_node(document, json_array_get(value, i)));
    return list;
}

static int add_object(yaml_document_t *document, const json_t *value)
{
    int map = yaml_document_add_mapping(document, NULL,
                                        json_object_size(value) ? YAML_BLOCK_MAPPING_STYLE
                                                                : YAML_FLOW_MAPPING_STYLE);
    const char *key;
    json_t *member;

    json_object_foreach((json_t *)value, key, member)
    {
        if (map)
            yaml_document_append_mapping_pair(document, map,
                                              add_scalar(document, key, needs_quotes(key)),
                                              add_node(document, member));
    }
    return map;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as jansson reads: 2048 levels */
static int add_node(yaml_document_t *document, const json_t *value)
{
    if (json_is_object(value))
        return add_object(document, value);
    if (json_is_array(value))
        return add_list(document, value);
    if (json_is_string(value))
        return add_scalar(document, json_string_value(value),
                          needs_quotes(json_string_value(value)));
    if (json_is_integer(value))
        return add_number(document, value);
    return add_scalar(document,
                      json_is_true(value)   ? "true"
                      : json_is_null(value) ? "null"
                                            : "false",
                      false);
}

/* Takes the reference. */
static int print_yaml(json_t *value)
{
    yaml_document_t document;
    yaml_emitter_t emitter;
    int done = 0;

    if (!yaml_document_initialize(&document, NULL, NULL, NULL, 1, 1))
        return cli_print_json(value);
    add_node(&document, value);
    json_decref(value);
    if (yaml_emitter_initialize(&emitter)) {
        yaml_emitter_set_output_file(&emitter, stdout);
        yaml_emitter_set_unicode(&emitter, 0);
        done = yaml_emitter_open(&emitter) && yaml_emitter_dump(&emitter, &document) &&
               yaml_emitter_close(&emitter);
    }
    yaml_emitter_delete(&emitter);
    return done ? CLI_OK : CLI_FAILED;
}

/* ---- the command -------------------------------------------------------------------------------
 */

static int run_get(const struct cli_args *args)
{
    CLEANUP_TARGET struct target *target = NULL;
    const char *form = cli_value(args, "output") ?: "yaml";
    json_t *item, *request;

    if (strcmp(form, "yaml") != 0 && strcmp(form, "json") != 0 && strcmp(form, "request") != 0)
        return cli_usage(args, "--output takes yaml, json or request");
    target = ask_open(args, args->operands[0]);
    item = target ? ask(target, json_pack("{s:s}", "do", "get"), ASK_TIMEOUT_MS) : NULL;
    if (!item)
        return CLI_FAILED;
    if (strcmp(form, "request") != 0)
        return strcmp(form, "json") == 0 ? cli_print_json(item) : print_yaml(item);
    request = get_request(item);
    json_decref(item);
    return request ? cli_print_json(request) : CLI_FAILED;
}

static const struct cli_option options[] = {
    {"output", 'o', "yaml|json|request", "without this yaml"},
    CLI_OPTION_HOST,
    CLI_OPTION_END,
};

const struct cli_command cli_command_get = {
    .name = "get",
    .operands = "NAME",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "show all about an instance",
    .options = options,
    .run = run_get,
};
