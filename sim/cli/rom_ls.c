/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rom_ls.c: `romsim rom ls` and `romsim rom tree`: the names in an image.
 *
 * Each name is shown when it is met, since all of them may take far more memory than the image has
 * bytes.  What is damaged is reported, and has its line or its place in the JSON.
 */
#include "sim/cli/rom.h"

#include <romsim/text.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* What is listed, and a name of it that has just been met. */
struct listed {
    struct romsim_rom_walk *walk;
    bool recursive;
    struct romsim_erofs_step step;
    bool is_damaged; /* it has no inode */
};

/* Moves to the next name that a listing shows: a directory's entries, but not the directory; or the
 * file itself.  As romsim_rom_walk_next(). */
static int next_listed(struct listed *listed, struct romsim_error *error)
{
    int found;

    do {
        found = romsim_rom_walk_next(listed->walk, &listed->step, &listed->is_damaged, error);
        if (found > 0 && listed->step.depth && !listed->recursive)
            romsim_erofs_walker_skip(listed->walk->walker);
    } while (found > 0 && !listed->step.depth && S_ISDIR(listed->step.inode.mode));
    return found;
}

/* The name or path, and a symlink's target. */
static char *shown_name(const struct listed *listed, bool as_path)
{
    const struct romsim_erofs_step *step = &listed->step;
    CLEANUP_FREE char *target =
        !listed->is_damaged && S_ISLNK(step->inode.mode)
            ? romsim_erofs_readlink(listed->walk->look->erofs, &step->inode, NULL)
            : NULL;
    char *text = NULL;

    if (asprintf(&text, "%s%s%s", as_path || !step->depth ? step->path : step->name,
                 target ? " -> " : "", target ? target : "") < 0)
        return NULL;
    return text;
}

/* ---- ls ----------------------------------------------------------------------------------- */

/* A row of ls -l, to be measured or printed; what is not known is '?'. */
static void do_row(const struct listed *listed, const char *name, struct cli_columns *columns,
                   bool print)
{
    const struct romsim_erofs_inode *inode = &listed->step.inode;
    char mode[ROM_MODE_SIZE], time[ROM_TIME_SIZE], links[16], owner[32], size[32];
    const char *cells[] = {"?", "?", "?", "?", "?", name};

    if (!listed->is_damaged) {
        snprintf(links, sizeof(links), "%u", inode->links);
        snprintf(owner, sizeof(owner), "%u:%u", inode->uid, inode->gid);
        if (S_ISCHR(inode->mode) || S_ISBLK(inode->mode))
            snprintf(size, sizeof(size), "%u,%u", romsim_rom_major(inode->rdev),
                     romsim_rom_minor(inode->rdev));
        else
            snprintf(size, sizeof(size), "%llu", (unsigned long long)inode->size);
        cells[0] = rom_mode_text(inode->mode, mode);
        cells[1] = links;
        cells[2] = owner;
        cells[3] = size;
        cells[4] = rom_time_text(inode, false, time);
    }
    if (print)
        cli_columns_print(columns, cells);
    else
        cli_columns_measure(columns, cells);
}

/* A first walk, of an image of its own so that nothing is reported twice. */
static int measure(const struct listed *listed, struct cli_columns *columns,
                   struct romsim_error *error)
{
    const struct romsim_rom_walk *walk = listed->walk;
    struct romsim_erofs_budget budget;
    struct romsim_erofs_walker *walker;
    struct listed measured = {0};
    int found;

    romsim_erofs_budget_init(&budget, walk->look->erofs);
    walker = romsim_erofs_walker_new(walk->look->erofs, &walk->start, walk->base, &budget, error);
    if (!walker)
        return -1;
    while ((found = romsim_erofs_walker_next(walker, &measured.step, error)) > 0) {
        measured.is_damaged = found == ROMSIM_EROFS_DAMAGED;
        if (measured.step.depth && !listed->recursive)
            romsim_erofs_walker_skip(walker);
        if (measured.step.depth || !S_ISDIR(measured.step.inode.mode))
            do_row(&measured, "", columns, false);
    }
    romsim_erofs_walker_free(walker);
    return found;
}

static int print_long(struct listed *listed, struct romsim_error *error)
{
    static const char *const headings[] = {"MODE",     ">LINKS", "OWNER", ">SIZE",
                                           "MODIFIED", "NAME",   NULL};
    struct cli_columns columns = {.headings = headings};
    int found;

    if (measure(listed, &columns, error) < 0)
        return -1;
    cli_columns_headings(&columns);
    while ((found = next_listed(listed, error)) > 0) {
        CLEANUP_FREE char *name = shown_name(listed, listed->recursive);

        if (!name)
            return romsim_error_nomem(error);
        do_row(listed, name, &columns, true);
    }
    return found;
}

static int print_short(struct listed *listed, struct romsim_error *error)
{
    int found;

    while ((found = next_listed(listed, error)) > 0) {
        const struct romsim_erofs_step *step = &listed->step;
        CLEANUP_FREE char *quoted =
            rom_quote(listed->recursive || !step->depth ? step->path : step->name);

        if (!quoted)
            return romsim_error_nomem(error);
        puts(quoted);
    }
    return found;
}

/* What is damaged has a place in the list, and the list an end, whatever happens. */
static int print_entries(struct listed *listed, struct cli_list *list, struct romsim_error *error)
{
    struct romsim_rom_look *look = listed->walk->look;
    int found;

    for (;;) {
        struct romsim_error damage = {0};
        json_t *entry;

        found = romsim_erofs_walker_next(listed->walk->walker, &listed->step, error);
        if (found <= 0)
            return found;
        if (listed->step.depth && !listed->recursive)
            romsim_erofs_walker_skip(listed->walk->walker);
        if (found == ROMSIM_EROFS_DAMAGED) {
            damage = *error;
            cli_list_add(list, rom_json_failed("path", listed->step.path, &damage));
            romsim_rom_damaged(look, listed->step.path, &damage);
            continue;
        }
        if (!listed->step.depth && S_ISDIR(listed->step.inode.mode))
            continue;
        entry = rom_json_inode(look, listed->step.path, &listed->step.inode, error);
        if (!entry)
            return -1;
        cli_list_add(list, entry);
    }
}

static int print_json(struct listed *listed, const char *path, int opened,
                      struct romsim_error *error)
{
    struct cli_list list;
    int result = opened;

    cli_list_begin(&list);
    if (result == 0)
        result = print_entries(listed, &list, error);
    if (result < 0)
        cli_list_add(&list, rom_json_failed("path", path ? path : "/", error));
    if (cli_list_end(&list) != CLI_OK && result == 0)
        return romsim_error_nomem(error);
    return result;
}

/* Opens FILE [PATH], and has `print` (NULL: JSON) list it. */
static int list(const struct cli_args *args, bool recursive,
                int (*print)(struct listed *listed, struct romsim_error *error))
{
    const char *path = args->operand_count > 1 ? args->operands[1] : NULL;
    CLEANUP_EROFS struct romsim_erofs *erofs = rom_open(args->operands[0]);
    CLEANUP_ROM_WALK struct romsim_rom_walk walk = {0};
    struct listed listed = {.walk = &walk, .recursive = recursive};
    struct romsim_error error = {0};
    struct rom_image image;
    int result, status;

    if (!erofs)
        return CLI_FAILED;
    rom_image_init(&image, erofs, args->operands[0]);
    result = romsim_rom_walk_open(&image.look, path, &walk, &error);
    if (!print)
        result = print_json(&listed, path, result, &error);
    else if (result == 0)
        result = print(&listed, &error);
    status = rom_image_end(&image);
    return result < 0 ? rom_report(image.file, &error) : status;
}

static int run_ls(const struct cli_args *args)
{
    return list(args, cli_has(args, "recursive"),
                cli_has(args, "json")   ? NULL
                : cli_has(args, "long") ? print_long
                                        : print_short);
}

/* ---- tree --------------------------------------------------------------------------------- */

/* Has the last name of each depth a younger sibling? */
struct bars {
    bool has_next[ROMSIM_ROM_DEPTH_MAX];
};

static void print_bars(struct bars *bars, unsigned depth, bool is_last)
{
    for (unsigned i = 1; i < depth; i++)
        fputs(bars->has_next[i] ? "│   " : "    ", stdout);
    fputs(is_last ? "└── " : "├── ", stdout);
    bars->has_next[depth] = !is_last;
}

static int print_tree(struct listed *listed, struct romsim_error *error)
{
    CLEANUP_FREE struct bars *bars = calloc(1, sizeof(*bars));
    struct romsim_rom_look *look = listed->walk->look;
    const struct romsim_erofs_step *step = &listed->step;
    size_t directories = 0, others = 0;
    int found;

    if (!bars)
        return romsim_error_nomem(error);
    while ((found = romsim_rom_walk_next(listed->walk, &listed->step, &listed->is_damaged, error)) >
           0) {
        CLEANUP_FREE char *name = shown_name(listed, false);
        CLEANUP_FREE char *quoted = name ? rom_quote(name) : NULL;
        bool is_directory = S_ISDIR(step->inode.mode);

        if (!quoted)
            return romsim_error_nomem(error);
        if (romsim_erofs_budget_pay(look->budget, 4 * (uint64_t)step->depth, error) < 0)
            return -1;
        if (step->depth)
            print_bars(bars, step->depth, romsim_erofs_walker_is_last(listed->walk->walker));
        printf("%s%s%s\n", quoted, step->depth && is_directory ? "/" : "",
               listed->is_damaged ? " [damaged]" : "");
        *(is_directory ? &directories : &others) += step->depth != 0;
    }
    if (found < 0)
        return -1;
    printf("\n%s, %s", COUNT_TEXT(directories, "directory", "directories"),
           COUNT_TEXT(others, "file", "files"));
    if (look->damage)
        printf(", %s", COUNT_TEXT(look->damage, "error", "errors"));
    putchar('\n');
    return 0;
}

static int run_tree(const struct cli_args *args)
{
    return list(args, true, cli_has(args, "json") ? NULL : print_tree);
}

static const struct cli_option ls_options[] = {
    {"long", 'l', NULL, "modes, owners, sizes and times"},
    {"recursive", 'R', NULL, "everything below, by path"},
    CLI_OPTION_JSON,
    CLI_OPTION_END,
};

const struct cli_command cli_rom_ls = {
    .name = "ls",
    .operands = "FILE [PATH]",
    .operands_min = 1,
    .operands_max = 2,
    .summary = "list the files in an EROFS image",
    .options = ls_options,
    .run = run_ls,
};

static const struct cli_option tree_options[] = {CLI_OPTION_JSON, CLI_OPTION_END};

const struct cli_command cli_rom_tree = {
    .name = "tree",
    .operands = "FILE [PATH]",
    .operands_min = 1,
    .operands_max = 2,
    .summary = "draw the tree of files in an EROFS image",
    .options = tree_options,
    .run = run_tree,
};
