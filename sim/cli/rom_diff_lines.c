/* SPDX-License-Identifier: BSD-3-Clause */
/* rom_diff_lines.c: the lines in which two texts differ, in unified form. */
#include "sim/cli/rom_diff.h"

#include <romsim/text.h>

/* For a terminal the controls that are left are escaped, but tabs. */
static void print_safely(FILE *out, const char *text, size_t size)
{
    for (size_t i = 0, length; i < size; i += length) {
        uint32_t control;
        char shown[32];

        length = romsim_text_control(text + i, size - i, &control);
        if (length && control != '\t') {
            fputs(romsim_text_quote(text + i, length, shown, sizeof(shown)), out);
            continue;
        }
        length = romsim_utf8_length(text + i, size - i);
        fwrite(text + i, 1, length, out);
    }
}

static void print_line(FILE *out, char mark, const char *text, size_t size)
{
    bool whole = size && text[size - 1] == '\n';

    fputc(mark, out);
    if (out == stdout && isatty(STDOUT_FILENO))
        print_safely(out, text, size - whole);
    else
        fwrite(text, 1, size - whole, out);
    fputc('\n', out);
    if (!whole)
        fputs("\\ No newline at end of file\n", out);
}

/* Empty ranges name the line before them, as diff does. */
static void print_range(FILE *out, char mark, size_t start, size_t count)
{
    fprintf(out, " %c%zu,%zu", mark, start + (count > 0), count);
}

static void print_hunk(FILE *out, struct romsim_rom_text_diff *diff,
                       const struct romsim_rom_hunk *hunk)
{
    const char *text;
    size_t size;
    char mark;

    fprintf(out, "@@");
    print_range(out, '-', hunk->old_start, hunk->old_count);
    print_range(out, '+', hunk->new_start, hunk->new_count);
    fprintf(out, " @@\n");
    while ((mark = romsim_rom_text_diff_line(diff, &text, &size)))
        print_line(out, mark, text, size);
}

int diff_lines(FILE *out, struct rom_image *const images[2],
               const struct romsim_rom_difference *difference, uint64_t *budget,
               const char **ret_reason, int *ret_culprit, struct romsim_error *error)
{
    static const char *const reasons[] = {
        [ROMSIM_ROM_TEXT] = NULL,
        [ROMSIM_ROM_NO_TEXT] = "not text",
        [ROMSIM_ROM_TEXT_TOO_LARGE] = "over 4 MiB",
        [ROMSIM_ROM_TEXT_TOO_LONG] = "over 500000 lines",
        [ROMSIM_ROM_TEXT_BUDGET] = "too many texts differ; --no-limit goes on",
    };
    struct romsim_erofs *const erofs[2] = {images[0]->look.erofs, images[1]->look.erofs};
    CLEANUP_ROM_TEXT_DIFF struct romsim_rom_text_diff *diff = NULL;
    enum romsim_rom_text_verdict verdict;
    struct romsim_rom_hunk hunk;

    if (romsim_rom_text_diff_new(erofs, difference->inodes, budget, &diff, &verdict, ret_culprit,
                                 error) < 0)
        return -1;
    *ret_reason = reasons[verdict];
    if (!diff)
        return 0;
    for (int i = 0; i < 2; i++)
        fprintf(out, "%s %s:%s\n", i ? "+++" : "---", QUOTE(images[i]->file),
                QUOTE(difference->path));
    while (romsim_rom_text_diff_hunk(diff, &hunk))
        print_hunk(out, diff, &hunk);
    return 0;
}
