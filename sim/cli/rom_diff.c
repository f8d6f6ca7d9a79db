/* SPDX-License-Identifier: BSD-3-Clause */
/* rom_diff.c: `romsim rom diff`: what differs between two images' trees, said when it is found. */
#include "sim/cli/rom_diff.h"

#include <romsim/text.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Of all texts whose lines are compared together: more than anybody reads, some seconds at most. */
enum { TEXTS_MAX = 128 << 20 };

struct diff {
    struct rom_image images[2];
    bool content;    /* show text differences */
    bool no_limit;   /* compare however much there is */
    bool keep_going; /* past what is damaged */
    bool as_json;
    struct cli_list list;
    size_t count;         /* of differences */
    uint64_t text_budget; /* of --content, bytes */
    int culprit;          /* after an error: the image that it is about, or -1 */
};

/* ---- what one image has ------------------------------------------------------------------- */

/* An entry for an inode that is only on one side: what it is stands at hand, all else below. */
static json_t *json_one_sided(struct rom_image *image,
                              const struct romsim_rom_difference *difference, const char *change,
                              struct romsim_error *error)
{
    const struct romsim_erofs_inode *inode = &difference->inodes[difference->side];
    const char *path = difference->path;
    json_t *entry =
        json_pack("{s:s, s:o}", "change", change, "path", rom_json_text(path, strlen(path)));
    json_t *whole;

    if (!entry)
        romsim_error_nomem(error);
    if (!entry || difference->is_damaged)
        return entry;
    whole = rom_json_inode(&image->look, path, inode, error);
    if (!whole) {
        json_decref(entry);
        return NULL;
    }
    json_object_set_new(entry, "type", json_string(romsim_rom_type_name(inode->mode)));
    json_object_set_new(entry, "size", json_integer((json_int_t)inode->size));
    json_object_set_new(entry, difference->side ? "new" : "old", whole);
    return entry;
}

static int say_one_sided(struct diff *diff, const struct romsim_rom_difference *difference,
                         struct romsim_error *error)
{
    static const char *const words[] = {[ROMSIM_ROM_REMOVED] = "removed",
                                        [ROMSIM_ROM_ADDED] = "added",
                                        [ROMSIM_ROM_UNKNOWN] = "unknown"};
    const char *change = words[difference->kind];
    CLEANUP_FREE char *quoted = NULL;
    json_t *entry;

    diff->culprit = difference->side;
    if (diff->as_json) {
        entry = json_one_sided(&diff->images[difference->side], difference, change, error);
        if (!entry)
            return -1;
        cli_list_add(&diff->list, entry);
        return 0;
    }
    quoted = rom_quote(difference->path);
    if (!quoted)
        return romsim_error_nomem(error);
    printf("%-8s %s\n", change, quoted);
    return 0;
}

/* ---- what both have ----------------------------------------------------------------------- */

/* The lines in which a pair differs, to `out`; *ret_reason if they are not shown. */
static int print_lines(struct diff *diff, const struct romsim_rom_difference *difference, FILE *out,
                       const char **ret_reason, struct romsim_error *error)
{
    struct rom_image *const images[2] = {&diff->images[0], &diff->images[1]};

    return diff_lines(out, images, difference, &diff->text_budget, ret_reason, &diff->culprit,
                      error);
}

/* "diff" with the lines, or null and in "no_diff" why. */
static int add_lines(struct diff *diff, const struct romsim_rom_difference *difference,
                     json_t *entry, struct romsim_error *error)
{
    CLEANUP_FREE char *lines = NULL;
    const char *reason = NULL;
    size_t size;
    FILE *out = open_memstream(&lines, &size);
    int result =
        out ? print_lines(diff, difference, out, &reason, error) : romsim_error_nomem(error);

    if (out && fclose(out) != 0 && result == 0)
        result = romsim_error_nomem(error);
    if (result < 0)
        return -1;
    json_object_set_new(entry, "diff", reason ? json_null() : json_stringn(lines, size));
    if (reason)
        json_object_set_new(entry, "no_diff", json_string(reason));
    return 0;
}

static int json_changed(struct diff *diff, const struct romsim_rom_difference *difference,
                        json_t *changes, const char *what, bool lines, struct romsim_error *error)
{
    const char *path = difference->path;
    json_t *entry = NULL, *inodes[2] = {NULL, NULL};

    for (int i = 0; i < 2; i++) {
        inodes[i] = rom_json_inode(&diff->images[i].look, path, &difference->inodes[i], error);
        if (!inodes[i]) {
            json_decref(inodes[0]);
            return -1;
        }
    }
    entry = json_pack("{s:s, s:o, s:s, s:O, s:o, s:o}", "change", "changed", "path",
                      rom_json_text(path, strlen(path)), "what", what, "changes", changes, "old",
                      inodes[0], "new", inodes[1]);
    if (!entry)
        return romsim_error_nomem(error);
    if (lines && add_lines(diff, difference, entry, error) < 0) {
        json_decref(entry);
        return -1;
    }
    cli_list_add(&diff->list, entry);
    return 0;
}

static int print_changed(struct diff *diff, const struct romsim_rom_difference *difference,
                         const char *what, bool lines, struct romsim_error *error)
{
    CLEANUP_FREE char *quoted = rom_quote(difference->path);
    const char *reason = NULL;

    printf("%-8s %s: %s\n", "changed", quoted ? quoted : "?", what);
    if (lines && print_lines(diff, difference, stdout, &reason, error) < 0)
        return -1;
    if (reason)
        printf("         (%s)\n", reason);
    return 0;
}

static int say_changed(struct diff *diff, const struct romsim_rom_difference *difference,
                       struct romsim_error *error)
{
    json_t *changes = diff_changes(&diff->images[0].look, difference, error);
    CLEANUP_FREE char *what = changes ? diff_changes_text(changes) : NULL;
    bool lines = diff->content && difference->changes & ROMSIM_ROM_CONTENT;
    int result;

    diff->culprit = -1;
    if (!changes)
        return -1;
    if (!what)
        result = romsim_error_nomem(error);
    else if (diff->as_json)
        result = json_changed(diff, difference, changes, what, lines, error);
    else
        result = print_changed(diff, difference, what, lines, error);
    json_decref(changes);
    if (result == 0)
        return 0;
    if (romsim_rom_is_damage(error) && diff->keep_going && diff->culprit >= 0) {
        romsim_rom_damaged(&diff->images[diff->culprit].look, difference->path, error);
        return 0;
    }
    if (!romsim_rom_is_damage(error))
        diff->culprit = -1;
    return romsim_error_context(error, "%s", QUOTE(difference->path));
}

/* ---- the command -------------------------------------------------------------------------- */

static int say_all(struct diff *diff, struct romsim_error *error)
{
    const struct romsim_rom_diff_options options = {.keep_going = diff->keep_going,
                                                    .no_limit = diff->no_limit};
    CLEANUP_ROM_DIFF struct romsim_rom_diff *trees =
        romsim_rom_diff_new(&diff->images[0].look, &diff->images[1].look, &options, error);
    struct romsim_rom_difference difference;
    int found;

    if (!trees)
        return -1;
    while ((found = romsim_rom_diff_next(trees, &difference, error)) > 0) {
        diff->count++;
        if ((difference.kind == ROMSIM_ROM_CHANGED ? say_changed : say_one_sided)(diff, &difference,
                                                                                  error) < 0)
            return -1;
    }
    if (found < 0)
        diff->culprit = romsim_rom_diff_culprit(trees);
    return found;
}

static int report_failure(const struct diff *diff, struct romsim_error *error)
{
    if (diff->culprit >= 0)
        romsim_error_context(error, "%s", QUOTE(diff->images[diff->culprit].file));
    if (romsim_rom_is_damage(error) && !error->hint[0])
        romsim_error_hint(error, "--keep-going compares what is sound; " ROM_HINT_CHECK);
    if (error->errnum == EDQUOT)
        romsim_error_hint(error, "--no-limit goes on");
    return cli_report(error);
}

static int run_opened(struct diff *diff)
{
    struct romsim_error error = {0};
    int result = say_all(diff, &error), status = CLI_OK;

    if (result < 0)
        report_failure(diff, &error);
    for (int i = 0; i < 2; i++)
        if (rom_image_end(&diff->images[i]) != CLI_OK)
            status = CLI_FAILED;
    return result < 0 || diff->count ? CLI_FAILED : status;
}

static int run_diff(const struct cli_args *args)
{
    struct diff diff = {
        .content = cli_has(args, "content"),
        .no_limit = cli_has(args, "no-limit"),
        .keep_going = cli_has(args, "keep-going"),
        .as_json = cli_has(args, "json"),
        .culprit = -1,
    };
    CLEANUP_EROFS struct romsim_erofs *old_image = diff_open(args->operands[0]);
    CLEANUP_EROFS struct romsim_erofs *new_image = old_image ? diff_open(args->operands[1]) : NULL;
    int status;

    if (!new_image)
        return CLI_FAILED;
    diff.text_budget = diff.no_limit ? UINT64_MAX : TEXTS_MAX;
    rom_image_init(&diff.images[0], old_image, args->operands[0]);
    rom_image_init(&diff.images[1], new_image, args->operands[1]);
    if (diff.as_json)
        cli_list_begin(&diff.list);
    status = run_opened(&diff);
    if (diff.as_json && cli_list_end(&diff.list) != CLI_OK)
        return CLI_FAILED;
    return status;
}

static const struct cli_option options[] = {
    {"content", 'c', NULL, "show the lines that differ in text files"},
    {"keep-going", 'k', NULL, "compare what is sound of damaged images"},
    ROM_OPTION_NO_LIMIT,
    CLI_OPTION_JSON,
    CLI_OPTION_END,
};

const struct cli_command cli_rom_diff = {
    .name = "diff",
    .operands = "OLD NEW",
    .operands_min = 2,
    .operands_max = 2,
    .summary = "compare the trees of two EROFS images",
    .description = "Names, types, modes, owners, times, xattrs and content.  Exit status 1 if\n"
                   "anything differs.  A directory or an archive is compared as the ROM that\n"
                   "'romsim rom pack' would make of it.\n",
    .options = options,
    .run = run_diff,
};
