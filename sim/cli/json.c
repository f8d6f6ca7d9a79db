/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * json.c: JSON for stdout.
 *
 * It is all ASCII: names in it are foreign, and what a terminal would take as a control (C1) or as
 * a change of direction stands as \uNNNN, which is the same text to whoever parses it.
 */
#include "sim/cli/cli.h"

#include <stdio.h>
#include <string.h>

struct dump {
    bool nested; /* in a list: two columns to the right */
};

/* jansson leaves DEL as it is.  Neither newlines nor DEL can be part of anything but the layout and
 * a string's text. */
static int write_piece(const char *bytes, size_t size, void *context)
{
    const struct dump *dump = context;

    while (size) {
        size_t plain = 0;

        while (plain < size && bytes[plain] != '\n' && bytes[plain] != '\177')
            plain++;
        if (fwrite(bytes, 1, plain, stdout) != plain)
            return -1;
        if (plain < size && fputs(bytes[plain] == '\n' ? "\n" : "\\u007f", stdout) < 0)
            return -1;
        if (plain < size && bytes[plain] == '\n' && dump->nested && fputs("  ", stdout) < 0)
            return -1;
        plain += plain < size;
        bytes += plain;
        size -= plain;
    }
    return 0;
}

/* Takes the reference. */
static int print(json_t *value, bool nested)
{
    struct dump dump = {.nested = nested};
    int dumped;

    if (!value) {
        struct romsim_error error;

        romsim_error_nomem(&error);
        return cli_report(&error);
    }
    dumped = json_dump_callback(value, write_piece, &dump, JSON_INDENT(2) | JSON_ENSURE_ASCII);
    json_decref(value);
    return dumped < 0 ? CLI_FAILED : CLI_OK;
}

int cli_print_json(json_t *value)
{
    int status = print(value, false);

    if (value)
        putchar('\n');
    return status;
}

void cli_list_begin(struct cli_list *list)
{
    *list = (struct cli_list){.status = CLI_OK};
    putchar('[');
}

void cli_list_add(struct cli_list *list, json_t *value)
{
    if (!value) {
        list->status = print(value, true);
        return;
    }
    fputs(list->count++ ? ",\n  " : "\n  ", stdout);
    if (print(value, true) != CLI_OK)
        list->status = CLI_FAILED;
}

int cli_list_end(struct cli_list *list)
{
    fputs(list->count ? "\n]\n" : "]\n", stdout);
    return list->status;
}
