/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * report.c: errors, warnings and notes as the user sees them.
 *
 *     app.yaml:12:7: error: Unknown member 'att'
 *        12 |     att: /rom
 *           |     ^
 *       hint: did you mean 'at'?
 */
#include "sim/cli/cli.h"

#include <romsim/text.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

static size_t count_characters(const char *text)
{
    size_t count = 0;

    for (; *text; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

static void print_excerpt(const struct romsim_place *place)
{
    /* The excerpt is shown quoted; the caret's column counts the characters before it as they
     * are shown: all of them without those from the caret on. */
    char quoted[4 * sizeof(place->excerpt)], rest[sizeof(quoted)];
    size_t at = 0;

    romsim_text_quote(place->excerpt, strlen(place->excerpt), quoted, sizeof(quoted));
    fprintf(stderr, "%5u | %s\n      | ", place->line, quoted);
    for (unsigned i = 1; i < place->caret && place->excerpt[at]; i++) {
        size_t length = romsim_utf8_length(place->excerpt + at, strlen(place->excerpt + at));

        at += length ? length : 1;
    }
    romsim_text_quote(place->excerpt + at, strlen(place->excerpt + at), rest, sizeof(rest));
    fprintf(stderr, "%*s^\n", (int)(count_characters(quoted) - count_characters(rest)), "");
}

static void report_one(const struct romsim_error *error, bool is_warning)
{
    const struct romsim_place *place = &error->place;
    struct colors colors = colors_of_stderr();

    fprintf(stderr, "%s", colors.strong);
    if (place->line > 0)
        fprintf(stderr, "%s:%u:%u: ", QUOTE(place->file), place->line, place->column);
    else if (place->file[0])
        fprintf(stderr, "%s: ", QUOTE(place->file));
    else
        fprintf(stderr, "romsim: ");
    fprintf(stderr, "%s%s:%s %s\n", is_warning ? colors.warning : colors.error,
            is_warning ? "warning" : "error", colors.off, error->message);
    if (place->line > 0 && place->caret > 0)
        print_excerpt(place);
    if (error->hint[0])
        fprintf(stderr, "  hint: %s\n", error->hint);
}

int cli_report(const struct romsim_error *error)
{
    fflush(stdout);
    report_one(error, false);
    return CLI_FAILED;
}

void cli_report_all(const struct romsim_diagnostics *diagnostics)
{
    size_t all = diagnostics->errors + diagnostics->warnings;

    fflush(stdout);
    for (size_t i = 0; i < diagnostics->count; i++)
        report_one(&diagnostics->entries[i].error, diagnostics->entries[i].is_warning);
    if (all > diagnostics->count)
        fprintf(stderr, "romsim: and %zu more\n", all - diagnostics->count);
}

void cli_note(const char *format, ...)
{
    va_list arguments;

    fflush(stdout);
    fprintf(stderr, "romsim: ");
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
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
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n");
}
