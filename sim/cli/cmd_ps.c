/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_ps.c: `romsim ps`: the instances of this machine, or of a server. */
#include "sim/cli/ask.h"
#include "sim/cli/remote.h"

#include <romsim/buffer.h>
#include <romsim/state.h>
#include <romsim/text.h>

#include <stdio.h>
#include <string.h>

static const char *text_of(const json_t *item, const char *key)
{
    return json_string_value(json_object_get(item, key)) ?: "";
}

static json_int_t number_of(const json_t *item, const char *key)
{
    return json_integer_value(json_object_get(item, key));
}

/* "running 5m", "stopped (3)", "starting ?" if nobody answered. */
static void describe_state(const json_t *item, char *ret, size_t size)
{
    const char *state = text_of(item, "state");
    json_int_t seconds = number_of(item, "uptime_ms") / 1000;

    if (json_is_true(json_object_get(json_object_get(item, "romsim"), "silent")))
        snprintf(ret, size, "%s ?", state);
    else if (json_object_get(item, "restart") && strcmp(state, "stopped") == 0)
        snprintf(ret, size, "restarting (%d)", (int)number_of(item, "exit_code"));
    else if (strcmp(state, "stopped") == 0 && json_object_get(item, "exit_code"))
        snprintf(ret, size, "stopped (%d)", (int)number_of(item, "exit_code"));
    else if (strcmp(state, "running") != 0)
        snprintf(ret, size, "%s", state);
    else if (seconds < 120)
        snprintf(ret, size, "running %ds", (int)seconds);
    else if (seconds < 7200)
        snprintf(ret, size, "running %dm", (int)(seconds / 60));
    else
        snprintf(ret, size, "running %dh", (int)(seconds / 3600));
}

static void list_ports(const json_t *item, struct romsim_buffer *ret)
{
    const json_t *ports = json_object_get(json_object_get(item, "romsim"), "ports");

    for (size_t i = 0; i < json_array_size(ports); i++) {
        const json_t *port = json_array_get(ports, i);
        const char *url = text_of(port, "url");
        const char *number = strrchr(url, ':');

        romsim_buffer_printf(ret, "%s%s->%d", i ? " " : "", number ? number + 1 : "?",
                             (int)number_of(port, "destination_port"));
    }
}

static void add_row(struct cli_table *table, const json_t *item)
{
    CLEANUP_BUFFER struct romsim_buffer ports = ROMSIM_BUFFER_INIT(1 << 20);
    char state[64], memory[32];
    const char *cells[] = {text_of(item, "name"),       state, text_of(item, "image"), memory,
                           text_of(item, "private_ip"), ""};

    describe_state(item, state, sizeof(state));
    snprintf(memory, sizeof(memory), "%lld", (long long)number_of(item, "memory_mb"));
    list_ports(item, &ports);
    cells[5] = ports.data ?: "";
    cli_table_row(table, cells);
}

/* Takes those that are stopped off the list. */
static void keep_running(json_t *list)
{
    for (size_t i = 0; i < json_array_size(list);) {
        const json_t *item = json_array_get(list, i);

        if (strcmp(text_of(item, "state"), "stopped") == 0 && !json_object_get(item, "restart"))
            json_array_remove(list, i);
        else
            i++;
    }
}

/* A romsim_state_visitor. */
static void note_damage(void *context, const struct romsim_state_entry *entry)
{
    (void)context;
    if (entry->mount_point && json_array_size(json_object_get(entry->summary, "damage")))
        cli_note("the mount at '%s' shows a damaged image ('romsim doctor' says more)",
                 QUOTE(entry->mount_point));
}

static int run_ps(const struct cli_args *args)
{
    static const char *const headings[] = {"NAME",       "STATE", "IMAGE", ">MB",
                                           "PRIVATE IP", "PORTS", NULL};
    CLEANUP_TABLE struct cli_table *table = NULL;
    struct romsim_error error;
    json_t *list = target_list(args, &error);

    if (!list)
        return cli_report(&error);
    if (!cli_has(args, "all"))
        keep_running(list);
    if (cli_has(args, "json"))
        return cli_print_json(list);
    if (cli_has(args, "quiet")) {
        for (size_t i = 0; i < json_array_size(list); i++)
            printf("%s\n", QUOTE(text_of(json_array_get(list, i), "name")));
    } else {
        table = cli_table_new(headings);
        for (size_t i = 0; table && i < json_array_size(list); i++)
            add_row(table, json_array_get(list, i));
        if (table)
            cli_table_print(table);
    }
    json_decref(list);
    if (!cli_has(args, "quiet") && !remote_host(args))
        romsim_state_each(ROMSIM_STATE_MOUNT, note_damage, NULL);
    return CLI_OK;
}

static const struct cli_option options[] = {
    {"all", 'a', NULL, "those that are stopped, too"},
    {"quiet", 'q', NULL, "names only"},
    CLI_OPTION_JSON,
    CLI_OPTION_HOST,
    CLI_OPTION_END,
};

const struct cli_command cli_command_ps = {
    .name = "ps",
    .help_beside = "list the instances of this machine; show all about one",
    .operands = "",
    .operands_min = 0,
    .operands_max = 0,
    .summary = "list the instances of this machine",
    .options = options,
    .run = run_ps,
};
