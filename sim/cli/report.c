/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * report.c: errors, warnings and notes as the user sees them.
 *
 *     app.yaml:12:7: error: Unknown member 'att' [R010]
 *        12 |     att: /rom
 *           |     ^
 *       hint: did you mean 'at'?
 */
#include "sim/cli/cli.h"

#include <romsim/checked.h>
#include <romsim/text.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

/* SGR sequences, empty where stderr is no terminal or the user wants none (no-color.org). */
struct colors {
    const char *error, *warning, *strong, *off;
};

static struct colors colors_of_stderr(void)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");

    if (!isatty(STDERR_FILENO) || (no_color && no_color[0]) || !term || strcmp(term, "dumb") == 0)
        return (struct colors){"", "", "", ""};
    return (struct colors){"\033[1;31m", "\033[1;33m", "\033[1m", "\033[0m"};
}

void cli_put(FILE *out, const char *format, va_list arguments)
{
    CLEANUP_FREE char *text = NULL;
    CLEANUP_FREE char *safe = NULL;
    size_t room;

    if (vasprintf(&text, format, arguments) < 0) {
        text = NULL;
        return;
    }
    room = 4 * strlen(text) + 16;
    safe = malloc(room);
    if (safe)
        fputs(romsim_text_disarm(text, strlen(text), safe, room), out);
}

__attribute__((format(printf, 1, 2))) static void put(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    cli_put(stderr, format, arguments);
    va_end(arguments);
}

/* ---- the line with the caret -------------------------------------------------------------- */

/* Columns of the terminal, by COLUMNS or by itself; SIZE_MAX if there is none. */
static size_t terminal_columns(void)
{
    const char *text = getenv("COLUMNS");
    struct winsize size;
    uint64_t columns;

    if (text && romsim_parse_size(text, &columns) == 0 && columns > 0)
        return columns;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return SIZE_MAX;
}

/* A character of the excerpt as it is shown. */
struct cell {
    char text[17];
    size_t columns;
};

/* Returns how many there are. */
static size_t fill_cells(const char *excerpt, struct cell *ret)
{
    size_t size = strlen(excerpt), count = 0;

    for (size_t at = 0; at < size; count++) {
        size_t length = romsim_utf8_length(excerpt + at, size - at);

        length += !length;
        romsim_text_quote(excerpt + at, length, ret[count].text, sizeof(ret[count].text));
        ret[count].columns = romsim_text_columns(ret[count].text, strlen(ret[count].text));
        at += length;
    }
    return count;
}

static size_t sum_columns(const struct cell *cells, size_t start, size_t end)
{
    size_t sum = 0;

    for (size_t i = start; i < end; i++)
        sum += cells[i].columns;
    return sum;
}

/* The part of the cells that is shown in `width` columns, of which dots take three where something
 * is left out: the caret and, if there is so much, a third of the width behind it. */
static void find_window(const struct cell *cells, size_t count, size_t caret, size_t width,
                        size_t *ret_start, size_t *ret_end)
{
    enum { DOTS = 3 };
    size_t start = 0, end = count, behind = sum_columns(cells, caret, count);
    size_t room = behind > width / 3 ? width - width / 3 - DOTS : width - behind;

    if (sum_columns(cells, 0, count) > width) {
        while (start < caret && (start ? DOTS : 0) + sum_columns(cells, start, caret) > room)
            start++;
        room = width - (start ? DOTS : 0);
        if (sum_columns(cells, start, count) > room)
            while (sum_columns(cells, start, end) + DOTS > room)
                end--;
    }
    *ret_start = start;
    *ret_end = end;
}

static void print_excerpt(const struct romsim_place *place)
{
    enum { MARGIN = 8, WIDTH_MIN = 12 };
    struct cell cells[sizeof(place->excerpt)];
    size_t count = fill_cells(place->excerpt, cells), caret = min_u64(place->caret - 1, count);
    size_t width = terminal_columns(), start, end;

    /* The caret may stand behind the last character. */
    width = width > MARGIN + WIDTH_MIN ? width - MARGIN : WIDTH_MIN;
    find_window(cells, count, caret, width - (caret == count), &start, &end);
    fprintf(stderr, "%5u | %s", place->line, start ? "..." : "");
    for (size_t i = start; i < end; i++)
        fputs(cells[i].text, stderr);
    fprintf(stderr, "%s\n      | %*s^\n", end < count ? "..." : "",
            (int)((start ? 3 : 0) + sum_columns(cells, start, caret)), "");
}

/* ---- reports ------------------------------------------------------------------------------ */

enum { PLACE_MAX = 256 + 32 }; /* what QUOTE() makes, and two numbers */

static char first_error[PLACE_MAX + sizeof(((struct romsim_error *)NULL)->message)];

const char *cli_first_error(void)
{
    return first_error;
}

/* "FILE:LINE:COLUMN: ", or as much of it as is known. */
static void put_place(const struct romsim_place *place, char *ret, size_t size)
{
    if (place->line > 0)
        snprintf(ret, size, "%s:%u:%u: ", QUOTE(place->file), place->line, place->column);
    else if (place->file[0])
        snprintf(ret, size, "%s: ", QUOTE(place->file));
    else
        *ret = '\0';
}

static void report_one(const struct romsim_error *error, bool is_warning)
{
    const struct romsim_place *place = &error->place;
    struct colors colors = colors_of_stderr();
    char where[PLACE_MAX];
    bool is_flag = place->line == 0 && strncmp(place->file, "--", 2) == 0;

    put_place(place, where, sizeof(where));
    if (!is_warning && !first_error[0])
        snprintf(first_error, sizeof(first_error), "%s%s", where, error->message);
    fprintf(stderr, "%s%s%s%s:%s ", colors.strong,
            *where && !is_flag ? where : "romsim: ", is_warning ? colors.warning : colors.error,
            is_warning ? "warning" : "error", colors.off);
    put("%s%s", is_flag ? where : "", error->message);
    if (error->rule != ROMSIM_RULE_NONE)
        fprintf(stderr, " [R%03d]", (int)error->rule);
    fputc('\n', stderr);
    if (place->line > 0 && place->caret > 0)
        print_excerpt(place);
    if (!error->hint[0])
        return;
    put("  hint: %s", error->hint);
    fputc('\n', stderr);
}

int cli_report(const struct romsim_error *error)
{
    fflush(stdout);
    report_one(error, false);
    return CLI_FAILED;
}

static void report_list(const struct romsim_diagnostics *diagnostics, bool with_warnings)
{
    size_t left = diagnostics->errors + (with_warnings ? diagnostics->warnings : 0);

    fflush(stdout);
    for (size_t i = 0; i < diagnostics->count; i++) {
        const struct romsim_diagnostic *entry = &diagnostics->entries[i];

        if (entry->is_warning && !with_warnings)
            continue;
        report_one(&entry->error, entry->is_warning);
        left--;
    }
    if (left > 0)
        fprintf(stderr, "romsim: and %zu more\n", left);
}

void cli_report_all(const struct romsim_diagnostics *diagnostics)
{
    report_list(diagnostics, true);
}

void cli_report_for(const struct cli_args *args, const struct romsim_diagnostics *diagnostics)
{
    report_list(diagnostics, !cli_has(args, "quiet"));
}

void cli_note(const char *format, ...)
{
    va_list arguments;

    fflush(stdout);
    fprintf(stderr, "romsim: ");
    va_start(arguments, format);
    cli_put(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n");
}

void cli_warn(const char *format, ...)
{
    struct colors colors = colors_of_stderr();
    va_list arguments;

    fflush(stdout);
    fprintf(stderr, "romsim: %swarning:%s ", colors.warning, colors.off);
    va_start(arguments, format);
    cli_put(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n");
}
