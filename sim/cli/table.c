/* SPDX-License-Identifier: BSD-3-Clause */
/* table.c: tables for people, on stdout. */
#include "sim/cli/cli.h"

#include <romsim/text.h>
#include <romsim/vector.h>

#include <stdio.h>
#include <string.h>

DEFINE_VECTOR(cells, char *);

struct cli_table {
    size_t columns;
    bool failed;        /* out of memory on the way */
    struct cells cells; /* row by row, the headings first; quoted */
};

struct cli_table *cli_table_new(const char *const *headings)
{
    struct cli_table *table = calloc(1, sizeof(*table));

    if (!table)
        return NULL;
    while (headings[table->columns])
        table->columns++;
    cli_table_row(table, headings);
    return table;
}

void cli_table_row(struct cli_table *table, const char *const *cells)
{
    for (size_t i = 0; table && i < table->columns; i++) {
        size_t size = 4 * strlen(cells[i]) + 16;
        char *quoted = malloc(size);

        if (!quoted ||
            cells_append(&table->cells,
                         (char *)romsim_text_quote(cells[i], strlen(cells[i]), quoted, size)) < 0) {
            free(quoted);
            table->failed = true;
            return;
        }
    }
}

static size_t width_of(const char *text)
{
    return romsim_text_columns(text, strlen(text));
}

static size_t column_width(const struct cli_table *table, size_t column)
{
    size_t width = 0;

    for (size_t i = column; i < table->cells.count; i += table->columns) {
        size_t own =
            width_of(table->cells.items[i]) - (i == column && table->cells.items[i][0] == '>');

        width = own > width ? own : width;
    }
    return width;
}

/* Prints a quoted cell, and what divides it from the next. */
static void print_cell(const char *quoted, size_t width, bool right, bool last)
{
    size_t own = width_of(quoted);
    int padding = width > own ? (int)(width - own) : 0;

    printf("%*s%s%*s%s", right ? padding : 0, "", quoted, right || last ? 0 : padding, "",
           last ? "\n" : "  ");
}

static void print_table_cell(const struct cli_table *table, size_t index, size_t width)
{
    size_t column = index % table->columns;
    bool right = table->cells.items[column][0] == '>';

    print_cell(table->cells.items[index] + (right && index == column), width, right,
               column + 1 == table->columns);
}

void cli_table_print(struct cli_table *table)
{
    CLEANUP_FREE size_t *widths = table ? calloc(table->columns + 1, sizeof(*widths)) : NULL;

    if (!widths || table->failed) {
        cli_warn("out of memory: a table is not shown");
        return;
    }
    for (size_t i = 0; i < table->columns; i++)
        widths[i] = column_width(table, i);
    for (size_t i = 0; i < table->cells.count; i++)
        print_table_cell(table, i, widths[i % table->columns]);
}

void cli_table_free(struct cli_table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < table->cells.count; i++)
        free(table->cells.items[i]);
    cells_reset(&table->cells);
    free(table);
}

/* ---- rows that are not kept --------------------------------------------------------------- */

static bool is_right(const char *heading)
{
    return heading[0] == '>';
}

void cli_columns_measure(struct cli_columns *columns, const char *const *cells)
{
    for (size_t i = 0; columns->headings[i] && columns->headings[i + 1]; i++) {
        size_t width = width_of(cells[i]);

        if (width > columns->widths[i])
            columns->widths[i] = width;
    }
}

void cli_columns_headings(struct cli_columns *columns)
{
    const char *plain[CLI_COLUMNS_MAX];

    for (size_t i = 0; columns->headings[i]; i++)
        plain[i] = columns->headings[i] + is_right(columns->headings[i]);
    cli_columns_measure(columns, plain);
    cli_columns_print(columns, plain);
}

void cli_columns_print(const struct cli_columns *columns, const char *const *cells)
{
    for (size_t i = 0; columns->headings[i]; i++) {
        size_t room = 4 * strlen(cells[i]) + 16;
        CLEANUP_FREE char *quoted = malloc(room);

        print_cell(quoted ? romsim_text_quote(cells[i], strlen(cells[i]), quoted, room) : "?",
                   columns->widths[i], is_right(columns->headings[i]), !columns->headings[i + 1]);
    }
}
