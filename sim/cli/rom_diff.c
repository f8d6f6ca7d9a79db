/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rom_diff.c: `romsim rom diff`: what differs between two images' trees.
 *
 * Both walks go the same way (by name, directory by directory), so one pass over both finds what is
 * only in one of them, and what differs is said when it is met: nothing is collected.
 *
 * What is damaged cannot be compared.  Unless the comparison is to be kept going, the first damage
 * ends it.  Else a name of one image whose directory is damaged in the other, at that place, is
 * neither added nor removed but unknown.
 */
#include "sim/cli/rom_diff.h"
#include "sim/cli/rom_limit.h"

#include <romsim/checked.h>
#include <romsim/text.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Of all texts whose lines are compared together: more than anybody reads, some seconds at most. */
enum { TEXTS_MAX = 128 << 20 };

struct diff {
    struct diff_side sides[2];
    bool content;    /* show text differences */
    bool no_limit;   /* compare however much there is */
    bool keep_going; /* past what is damaged */
    bool as_json;
    struct cli_list list;
    size_t count; /* of differences */
    struct diff_data data;
    uint64_t text_budget; /* of --content, bytes */
};

/* A file that is in both; the path is the walk's own. */
struct pair {
    const char *path;
    struct romsim_erofs_inode inodes[2];
};

/* ---- saying it ---------------------------------------------------------------------------- */

/* An entry for an inode that is only on one side: what it is stands at hand, all else below. */
static json_t *json_one_sided(const struct diff_side *side, const char *change, const char *key,
                              struct romsim_error *error)
{
    const char *path = side->step.path;
    json_t *entry =
        json_pack("{s:s, s:o}", "change", change, "path", rom_json_text(path, strlen(path)));
    json_t *inode;

    if (!entry)
        romsim_error_nomem(error);
    if (!entry || side->is_damaged)
        return entry;
    inode = rom_json_inode((struct rom_image *)&side->image, path, &side->step.inode, error);
    if (!inode) {
        json_decref(entry);
        return NULL;
    }
    json_object_set_new(entry, "type", json_string(rom_type_name(side->step.inode.mode)));
    json_object_set_new(entry, "size", json_integer((json_int_t)side->step.inode.size));
    json_object_set_new(entry, key, inode);
    return entry;
}

static int say_one_sided(struct diff *diff, int index, bool is_unknown, struct romsim_error *error)
{
    struct diff_side *side = &diff->sides[index];
    const char *change = is_unknown ? "unknown" : index ? "added" : "removed";
    CLEANUP_FREE char *quoted = NULL;
    json_t *entry;

    diff->count++;
    if (diff->as_json) {
        entry = json_one_sided(side, change, index ? "new" : "old", error);
        if (!entry)
            return -1;
        cli_list_add(&diff->list, entry);
        return 0;
    }
    quoted = rom_quote(side->step.path);
    if (!quoted)
        return romsim_error_nomem(error);
    printf("%-8s %s\n", change, quoted);
    return 0;
}

/* The lines in which a pair differs, to `out`; *ret_reason if they are not shown. */
static int print_lines(struct diff *diff, const struct pair *pair, FILE *out,
                       const char **ret_reason, struct romsim_error *error)
{
    struct text_side sides[2];

    for (int i = 0; i < 2; i++)
        sides[i] = (struct text_side){
            .erofs = diff->sides[i].image.erofs,
            .inode = &pair->inodes[i],
            .label = diff->sides[i].image.file,
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
    json_t *entry = NULL, *inodes[2] = {NULL, NULL};

    for (int i = 0; i < 2; i++) {
        inodes[i] = rom_json_inode(&diff->sides[i].image, pair->path, &pair->inodes[i], error);
        if (!inodes[i]) {
            json_decref(inodes[0]);
            return -1;
        }
    }
    entry = json_pack("{s:s, s:o, s:s, s:O, s:o, s:o}", "change", "changed", "path",
                      rom_json_text(pair->path, strlen(pair->path)), "what", what, "changes",
                      changes, "old", inodes[0], "new", inodes[1]);
    if (!entry)
        return romsim_error_nomem(error);
    if (lines && add_lines(diff, pair, entry, error) < 0) {
        json_decref(entry);
        return -1;
    }
    cli_list_add(&diff->list, entry);
    return 0;
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
    if (diff->as_json)
        return json_changed(diff, pair, changes, what, lines, error);
    return print_changed(diff, pair, what, lines, error);
}

/* 0, or -1 with *error and in *ret_culprit which image it is about. */
static int compare_pair(struct diff *diff, const struct pair *pair, int *ret_culprit,
                        struct romsim_error *error)
{
    struct rom_image *images[2] = {&diff->sides[0].image, &diff->sides[1].image};
    bool same = true;
    json_t *changes;
    int result = 0;

    if (S_ISREG(pair->inodes[0].mode) && S_ISREG(pair->inodes[1].mode) &&
        diff_data_same(&diff->data, pair->inodes, &same, error) < 0) {
        *ret_culprit = diff->data.culprit;
        return -1;
    }
    changes = diff_changes(images, pair->inodes, !same, ret_culprit, error);
    if (!changes)
        return -1;
    if (json_array_size(changes))
        result = say_changes(diff, pair, changes, !same, error);
    json_decref(changes);
    return result;
}

/* ---- both trees --------------------------------------------------------------------------- */

/* Damage at `path` of one image: 0 if the comparison is to be kept going, else -1 with *error. */
static int meet_damage(struct diff *diff, struct rom_image *image, const char *path,
                       struct romsim_error *error)
{
    if (diff->keep_going) {
        rom_image_damaged(image, path, error);
        return 0;
    }
    romsim_error_context(error, "%s: %s", QUOTE(image->file), QUOTE(path));
    if (!error->hint[0])
        romsim_error_hint(error, "--keep-going compares what is sound; " ROM_HINT_CHECK);
    return -1;
}

/* Moves one side to its next name. */
static int advance(struct diff *diff, struct diff_side *side, struct romsim_error *error)
{
    int found;

    side->gap = DIFF_NO_GAP;
    for (;;) {
        struct romsim_error local = {0};

        found = romsim_erofs_walker_next(side->walk.walker, &side->step, &local);
        side->has_step = found > 0;
        side->is_damaged = found == ROMSIM_EROFS_DAMAGED;
        if (found < 0) {
            *error = local;
            return romsim_error_context(error, "%s", QUOTE(side->image.file));
        }
        if (!side->is_damaged)
            return 0;
        if (meet_damage(diff, &side->image, side->step.path, &local) < 0) {
            *error = local;
            return -1;
        }
        if (side->step.is_name)
            return 0;
        side->gap = min_u64(side->gap, side->step.depth);
    }
}

/* Which comes first in a walk?  What lies deeper than where the other one is. */
static int compare_steps(const struct diff_side sides[2])
{
    const struct romsim_erofs_step *a = &sides[0].step, *b = &sides[1].step;

    if (!sides[0].has_step || !sides[1].has_step)
        return (int)!sides[0].has_step - (int)!sides[1].has_step;
    if (a->depth != b->depth)
        return a->depth > b->depth ? -1 : 1;
    return strcmp(a->name, b->name);
}

static int one_sided(struct diff *diff, int index, struct romsim_error *error)
{
    struct diff_side *side = &diff->sides[index], *other = &diff->sides[!index];
    bool is_unknown = other->gap != DIFF_NO_GAP && side->step.depth > other->gap;

    if (!is_unknown) /* the walk has left what is damaged */
        other->gap = DIFF_NO_GAP;
    if (say_one_sided(diff, index, is_unknown, error) < 0)
        return romsim_error_context(error, "%s", QUOTE(side->image.file));
    return advance(diff, side, error);
}

static int two_sided(struct diff *diff, struct romsim_error *error)
{
    struct diff_side *sides = diff->sides;
    struct pair pair = {.path = sides[0].step.path,
                        .inodes = {sides[0].step.inode, sides[1].step.inode}};
    bool damaged[2] = {sides[0].is_damaged, sides[1].is_damaged};
    unsigned depth = sides[0].step.depth;
    int culprit = 0;

    if (!damaged[0] && !damaged[1] && compare_pair(diff, &pair, &culprit, error) < 0) {
        if (!rom_is_damage(error))
            return romsim_error_context(error, "%s", QUOTE(pair.path));
        if (meet_damage(diff, &sides[culprit].image, pair.path, error) < 0)
            return -1;
    }
    for (int i = 0; i < 2; i++) {
        if (advance(diff, &sides[i], error) < 0)
            return -1;
        if (damaged[i])
            sides[i].gap = min_u64(sides[i].gap, depth);
    }
    return 0;
}

static int compare_trees(struct diff *diff, struct romsim_error *error)
{
    struct diff_side *sides = diff->sides;

    for (int i = 0; i < 2; i++)
        if (rom_walk_open(&sides[i].image, NULL, &sides[i].walk, error) < 0 ||
            advance(diff, &sides[i], error) < 0)
            return -1;
    if (two_sided(diff, error) < 0) /* the roots, whatever they are */
        return -1;
    while (sides[0].has_step || sides[1].has_step) {
        int order = compare_steps(sides);

        if ((order ? one_sided(diff, order > 0, error) : two_sided(diff, error)) < 0)
            return -1;
    }
    return 0;
}

/* ---- the command -------------------------------------------------------------------------- */

static bool same_bytes(const struct diff *diff)
{
    const struct romsim_blob *a = romsim_erofs_blob(diff->sides[0].image.erofs);
    const struct romsim_blob *b = romsim_erofs_blob(diff->sides[1].image.erofs);

    return romsim_blob_size(a) == romsim_blob_size(b) &&
           memcmp(romsim_blob_bytes(a), romsim_blob_bytes(b), romsim_blob_size(a)) == 0;
}

static uint64_t both_sizes(const struct diff *diff)
{
    return romsim_blob_size(romsim_erofs_blob(diff->sides[0].image.erofs)) +
           romsim_blob_size(romsim_erofs_blob(diff->sides[1].image.erofs));
}

static int run_opened(struct diff *diff)
{
    struct rom_image *images[2] = {&diff->sides[0].image, &diff->sides[1].image};
    uint64_t most = diff->no_limit ? UINT64_MAX : rom_limit(both_sizes(diff));
    struct romsim_error error = {0};
    int result, status = CLI_OK;

    if (same_bytes(diff)) /* no need to look into it */
        return CLI_OK;
    /* One budget, since both are looked at together. */
    if (!checked_add(images[0]->budget->left, images[1]->budget->left, &images[0]->budget->left) ||
        diff->no_limit)
        images[0]->budget->left = UINT64_MAX;
    images[1]->budget = images[0]->budget;
    if (diff_data_init(&diff->data, images[0]->erofs, images[1]->erofs, most) < 0)
        result = romsim_error_nomem(&error);
    else
        result = compare_trees(diff, &error);
    diff_data_release(&diff->data);
    if (result < 0)
        cli_report(&error);
    for (int i = 0; i < 2; i++)
        if (rom_image_end(images[i]) != CLI_OK)
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
    };
    int status = CLI_OK;

    diff.text_budget = diff.no_limit ? UINT64_MAX : TEXTS_MAX;
    for (int i = 0; i < 2 && status == CLI_OK; i++)
        status = diff_open(args->operands[i], &diff.sides[i]);
    if (status == CLI_OK) {
        if (diff.as_json)
            cli_list_begin(&diff.list);
        status = run_opened(&diff);
        if (diff.as_json && cli_list_end(&diff.list) != CLI_OK)
            status = CLI_FAILED;
    }
    diff_close(&diff.sides[0]);
    diff_close(&diff.sides[1]);
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
