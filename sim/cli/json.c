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

/* jansson gives a value in pieces of a few bytes: they are put together before stdout has them. */
struct dump {
    bool nested; /* in a list: two columns to the right */
    size_t size;
    char bytes[8192];
};

static int flush_bytes(struct dump *dump)
{
    size_t size = dump->size;

    dump->size = 0;
    return fwrite(dump->bytes, 1, size, stdout) == size ? 0 : -1;
}

static int put_bytes(struct dump *dump, const char *bytes, size_t size)
{
    if (size > sizeof(dump->bytes) - dump->size && flush_bytes(dump) < 0)
        return -1;
    if (size > sizeof(dump->bytes))
        return fwrite(bytes, 1, size, stdout) == size ? 0 : -1;
    memcpy(dump->bytes + dump->size, bytes, size);
    dump->size += size;
    return 0;
}

/* jansson leaves DEL as it is.  Neither newlines nor DEL can be part of anything but the layout and
 * a string's text. */
static int write_piece(const char *bytes, size_t size, void *context)
{
    struct dump *dump = context;

    while (size) {
        size_t plain = 0;

        while (plain < size && bytes[plain] != '\n' && bytes[plain] != '\177')
            plain++;
        if (put_bytes(dump, bytes, plain) < 0)
            return -1;
        if (plain == size)
            return 0;
        if (bytes[plain] == '\177' && put_bytes(dump, "\\u007f", 6) < 0)
            return -1;
        if (bytes[plain] == '\n' && put_bytes(dump, "\n  ", dump->nested ? 3 : 1) < 0)
            return -1;
        bytes += plain + 1;
        size -= plain + 1;
    }
    return 0;
}

/* Takes the reference. */
static int print(json_t *value, bool nested)
{
    struct dump dump;
    int dumped;

    if (!value) {
        struct romsim_error error;

        romsim_error_nomem(&error);
        return cli_report(&error);
    }
    dump.nested = nested;
    dump.size = 0;
    dumped = json_dump_callback(value, write_piece, &dump, JSON_INDENT(2) | JSON_ENSURE_ASCII);
    json_decref(value);
    return dumped == 0 && flush_bytes(&dump) == 0 ? CLI_OK : CLI_FAILED;
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
