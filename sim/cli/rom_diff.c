/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rom_diff.c: `romsim rom diff`: what differs between two images' trees.
 *
 * Both listings are sorted the same way (by name, directory by directory), so one pass over both
 * finds what is only in one of them.
 */
#include "sim/cli/rom_diff.h"
#include "sim/cli/rom_limit.h"

#include <romsim/text.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Of all texts whose lines are compared together: more than anybody reads, some seconds at most. */
enum { TEXTS_MAX = 128 << 20 };

struct diff {
    struct diff_side sides[2];
    bool content;  /* show text differences */
    bool no_limit; /* compare however much there is */
    json_t *json;  /* or NULL */
    size_t count;  /* of differences */
    struct diff_data data;
    uint64_t text_budget; /* of --content, bytes */
};

/* A file that is in both. */
struct pair {
    char *path;
    struct romsim_erofs_inode inodes[2];
};

/* ---- saying it ---------------------------------------------------------------------------- */

/* An entry for an inode that is only on one side: what it is stands at hand, all else below. */
static json_t *json_one_sided(struct diff *diff, int side, size_t index, const char *path)
{
    struct rom_listing *listing = &diff->sides[side].listing;
    struct romsim_erofs_inode inode;
    json_t *entry = json_pack("{s:s, s:o}", "change", side ? "added" : "removed", "path",
                              rom_json_text(path, strlen(path)));

    if (rom_inode(listing, index, &inode, NULL) < 0)
        return entry;
    json_object_set_new(entry, "type", json_string(rom_type_name(inode.mode)));
    json_object_set_new(entry, "size", json_integer((json_int_t)inode.size));
    json_object_set_new(entry, side ? "new" : "old", rom_json_inode(listing->erofs, path, &inode));
    return entry;
}

static void say_one_sided(struct diff *diff, int side, size_t index)
{
    CLEANUP_FREE char *path = rom_path(&diff->sides[side].listing, index, false);
    CLEANUP_FREE char *quoted = path ? rom_quote(path) : NULL;

    diff->count++;
    if (!quoted)
        return;
    if (diff->json)
        json_array_append_new(diff->json, json_one_sided(diff, side, index, path));
    else
        printf("%-8s %s\n", side ? "added" : "removed", quoted);
}

/* The lines in which a pair differs, to `out`; *ret_reason if they are not shown. */
static int print_lines(struct diff *diff, const struct pair *pair, FILE *out,
                       const char **ret_reason, struct romsim_error *error)
{
    struct text_side sides[2];

    for (int i = 0; i < 2; i++)
        sides[i] = (struct text_side){
            .erofs = diff->sides[i].erofs,
            .inode = &pair->inodes[i],
            .label = diff->sides[i].file,
        };
    return rom_text_diff(out, pair->path, &sides[0], &sides[1], &diff->text_budget, ret_reason,
                         error);
}

/* "diff" with the lines, or null and in "no_diff" why. */
static int add_lines(struct diff *diff, const struct pair *pair, json_t *entry,
                     struct romsim_error *error)
{
    CLEANUP_FREE char *lines = NULL;
    const char *reason = NULL;
    size_t size;
    FILE *out = open_memstream(&lines, &size);
    int result = out ? print_lines(diff, pair, out, &reason, error) : romsim_error_nomem(error);

    if (out && fclose(out) != 0 && result == 0)
        result = romsim_error_nomem(error);
    if (result < 0)
        return -1;
    json_object_set_new(entry, "diff", reason ? json_null() : json_stringn(lines, size));
    if (reason)
        json_object_set_new(entry, "no_diff", json_string(reason));
    return 0;
}

static int json_changed(struct diff *diff, const struct pair *pair, json_t *changes,
                        const char *what, bool lines, struct romsim_error *error)
{
    json_t *entry =
        json_pack("{s:s, s:o, s:s, s:O, s:o, s:o}", "change", "changed", "path",
                  rom_json_text(pair->path, strlen(pair->path)), "what", what, "changes", changes,
                  "old", rom_json_inode(diff->sides[0].erofs, pair->path, &pair->inodes[0]), "new",
                  rom_json_inode(diff->sides[1].erofs, pair->path, &pair->inodes[1]));

    if (!entry || json_array_append_new(diff->json, entry) < 0)
        return romsim_error_nomem(error);
    return lines ? add_lines(diff, pair, entry, error) : 0;
}

static int print_changed(struct diff *diff, const struct pair *pair, const char *what, bool lines,
                         struct romsim_error *error)
{
    CLEANUP_FREE char *quoted = rom_quote(pair->path);
    const char *reason = NULL;

    printf("%-8s %s: %s\n", "changed", quoted ? quoted : "?", what);
    if (lines && print_lines(diff, pair, stdout, &reason, error) < 0)
        return -1;
    if (reason)
        printf("         (%s)\n", reason);
    return 0;
}

/* ---- comparing one file ------------------------------------------------------------------- */

static int say_changes(struct diff *diff, const struct pair *pair, json_t *changes, bool content,
                       struct romsim_error *error)
{
    CLEANUP_FREE char *what = diff_changes_text(changes);
    bool lines = diff->content && content;

    diff->count++;
    if (!what)
        return romsim_error_nomem(error);
    if (diff->json)
        return json_changed(diff, pair, changes, what, lines, error);
    return print_changed(diff, pair, what, lines, error);
}

static int compare_pair(struct diff *diff, const struct pair *pair, struct romsim_error *error)
{
    struct romsim_erofs *images[2] = {diff->sides[0].erofs, diff->sides[1].erofs};
    bool same = true;
    json_t *changes;
    int result = 0;

    if (S_ISREG(pair->inodes[0].mode) && S_ISREG(pair->inodes[1].mode) &&
        diff_data_same(&diff->data, pair->inodes, &same, error) < 0)
        return -1;
    changes = diff_changes(images, pair->inodes, !same, error);
    if (!changes)
        return -1;
    if (json_array_size(changes))
        result = say_changes(diff, pair, changes, !same, error);
    json_decref(changes);
    return result;
}

/* ---- both trees --------------------------------------------------------------------------- */

static size_t skip_subtree(const struct rom_listing *listing, size_t index)
{
    uint16_t depth = listing->entries.items[index].depth;

    do
        index++;
    while (index < listing->entries.count && listing->entries.items[index].depth > depth);
    return index;
}

/* Which comes first in a walk?  Entries of smaller depth come later than deeper ones before them.
 */
static int compare_entries(const struct diff *diff, const size_t at[2])
{
    const struct rom_listing *a = &diff->sides[0].listing, *b = &diff->sides[1].listing;
    bool a_ends = at[0] == a->entries.count, b_ends = at[1] == b->entries.count;
    uint16_t a_depth, b_depth;

    if (a_ends || b_ends)
        return (int)a_ends - (int)b_ends;
    a_depth = a->entries.items[at[0]].depth;
    b_depth = b->entries.items[at[1]].depth;
    if (a_depth != b_depth)
        return a_depth > b_depth ? -1 : 1;
    return strcmp(rom_name(a, at[0]), rom_name(b, at[1]));
}

/* Everything below a name that only one image has is only there, too. */
static void one_sided(struct diff *diff, int side, size_t *at)
{
    size_t end = skip_subtree(&diff->sides[side].listing, *at);

    for (; *at < end; (*at)++)
        say_one_sided(diff, side, *at);
}

static int two_sided(struct diff *diff, size_t at[2], struct romsim_error *error)
{
    struct pair pair = {.path = rom_path(&diff->sides[0].listing, at[0], false)};
    int result = pair.path ? 0 : romsim_error_nomem(error);
    bool directories[2];

    for (int i = 0; i < 2 && result == 0; i++)
        result = rom_inode(&diff->sides[i].listing, at[i], &pair.inodes[i], error);
    if (result == 0)
        result = compare_pair(diff, &pair, error);
    if (result < 0)
        romsim_error_context(error, "%s", pair.path ? QUOTE(pair.path) : "?");
    for (int i = 0; i < 2; i++)
        directories[i] = result == 0 && S_ISDIR(pair.inodes[i].mode);
    free(pair.path);
    at[0]++;
    at[1]++;
    /* What was in a directory that is none any more. */
    for (int i = 0; i < 2; i++)
        if (directories[i] && !directories[!i])
            while (at[i] < diff->sides[i].listing.entries.count &&
                   diff->sides[i].listing.entries.items[at[i]].depth >
                       diff->sides[i].listing.entries.items[at[i] - 1].depth)
                one_sided(diff, i, &at[i]);
    return result;
}

static int compare_trees(struct diff *diff, struct romsim_error *error)
{
    size_t at[2] = {0, 0};

    if (two_sided(diff, at, error) < 0)
        return -1;
    while (at[0] < diff->sides[0].listing.entries.count ||
           at[1] < diff->sides[1].listing.entries.count) {
        int order = compare_entries(diff, at);

        if (order)
            one_sided(diff, order > 0, &at[order > 0]);
        else if (two_sided(diff, at, error) < 0)
            return -1;
    }
    return 0;
}

/* ---- the command -------------------------------------------------------------------------- */

static bool same_bytes(const struct diff *diff)
{
    const struct romsim_blob *a = romsim_erofs_blob(diff->sides[0].erofs);
    const struct romsim_blob *b = romsim_erofs_blob(diff->sides[1].erofs);

    return romsim_blob_size(a) == romsim_blob_size(b) &&
           memcmp(romsim_blob_bytes(a), romsim_blob_bytes(b), romsim_blob_size(a)) == 0;
}

static uint64_t both_sizes(const struct diff *diff)
{
    return romsim_blob_size(romsim_erofs_blob(diff->sides[0].erofs)) +
           romsim_blob_size(romsim_erofs_blob(diff->sides[1].erofs));
}

static int run_loaded(struct diff *diff)
{
    uint64_t most = diff->no_limit ? UINT64_MAX : rom_limit(both_sizes(diff));
    struct romsim_error error = {0};
    int result;

    if (diff_data_init(&diff->data, diff->sides[0].erofs, diff->sides[1].erofs, most) < 0)
        result = romsim_error_nomem(&error);
    else
        result = compare_trees(diff, &error);
    diff_data_release(&diff->data);
    if (result < 0)
        return cli_report(&error);
    return diff->count ? CLI_FAILED : CLI_OK;
}

static int run_opened(struct diff *diff)
{
    int status = CLI_OK;

    if (same_bytes(diff)) /* no need to look into it */
        return CLI_OK;
    for (int i = 0; i < 2 && status == CLI_OK; i++)
        status = rom_listing_load(diff->sides[i].erofs, diff->sides[i].file, NULL, true,
                                  &diff->sides[i].listing);
    return status == CLI_OK ? run_loaded(diff) : status;
}

static int run_diff(const struct cli_args *args)
{
    struct diff diff = {
        .content = cli_has(args, "content"),
        .no_limit = cli_has(args, "no-limit"),
        .json = cli_has(args, "json") ? json_array() : NULL,
    };
    int status = CLI_OK;

    diff.text_budget = diff.no_limit ? UINT64_MAX : TEXTS_MAX;
    for (int i = 0; i < 2 && status == CLI_OK; i++)
        status = diff_open(args->operands[i], &diff.sides[i]);
    if (status == CLI_OK) {
        status = run_opened(&diff);
        if (diff.json)
            cli_print_json(json_incref(diff.json));
    }
    json_decref(diff.json);
    diff_close(&diff.sides[0]);
    diff_close(&diff.sides[1]);
    return status;
}

static const struct cli_option options[] = {
    {"content", 'c', NULL, "show the lines that differ in text files"},
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
