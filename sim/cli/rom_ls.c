/* SPDX-License-Identifier: BSD-3-Clause */
/* rom_ls.c: `romsim rom ls` and `romsim rom tree`: the names in an image. */
#include "sim/cli/rom.h"

#include <romsim/text.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* The name or path, and a symlink's target. */
static char *shown_name(const struct rom_listing *listing, size_t index, bool recursive,
                        const struct romsim_erofs_inode *inode)
{
    CLEANUP_FREE char *path =
        recursive || !index ? rom_path(listing, index, false) : strdup(rom_name(listing, index));
    CLEANUP_FREE char *target =
        S_ISLNK(inode->mode) ? romsim_erofs_readlink(listing->erofs, inode, NULL) : NULL;
    char *text = NULL;

    if (path && asprintf(&text, "%s%s%s", path, target ? " -> " : "", target ? target : "") < 0)
        return NULL;
    return text;
}

static int add_long_row(struct cli_table *table, const struct rom_listing *listing, size_t index,
                        bool recursive, struct romsim_error *error)
{
    struct romsim_erofs_inode inode;
    char mode[ROM_MODE_SIZE], time[ROM_TIME_SIZE], links[16], owner[32], size[32];
    CLEANUP_FREE char *name = NULL;

    if (rom_inode(listing, index, &inode, error) < 0)
        return -1;
    name = shown_name(listing, index, recursive, &inode);
    if (!name)
        return romsim_error_nomem(error);
    snprintf(links, sizeof(links), "%u", inode.links);
    snprintf(owner, sizeof(owner), "%u:%u", inode.uid, inode.gid);
    if (S_ISCHR(inode.mode) || S_ISBLK(inode.mode))
        snprintf(size, sizeof(size), "%u,%u", rom_major(inode.rdev), rom_minor(inode.rdev));
    else
        snprintf(size, sizeof(size), "%llu", (unsigned long long)inode.size);
    cli_table_row(table, (const char *const[]){rom_mode_text(inode.mode, mode), links, owner, size,
                                               rom_time_text(&inode, false, time), name});
    return 0;
}

/* What a listing shows: a directory's entries, but not the directory; or the file itself. */
static size_t first_shown(const struct rom_listing *listing)
{
    struct romsim_erofs_inode inode;

    return listing->entries.count && rom_inode(listing, 0, &inode, NULL) == 0 && S_ISDIR(inode.mode)
               ? 1
               : 0;
}

static int print_long(const struct rom_listing *listing, bool recursive, struct romsim_error *error)
{
    CLEANUP_TABLE struct cli_table *table = cli_table_new(
        (const char *const[]){"MODE", ">LINKS", "OWNER", ">SIZE", "MODIFIED", "NAME", NULL});

    if (!table)
        return romsim_error_nomem(error);
    for (size_t i = first_shown(listing); i < listing->entries.count; i++)
        if (add_long_row(table, listing, i, recursive, error) < 0)
            return -1;
    cli_table_print(table);
    return 0;
}

static int print_short(const struct rom_listing *listing, bool recursive,
                       struct romsim_error *error)
{
    for (size_t i = first_shown(listing); i < listing->entries.count; i++) {
        CLEANUP_FREE char *path = rom_path(listing, i, false);
        const char *name = recursive || !i ? path : rom_name(listing, i);
        CLEANUP_FREE char *quoted = path ? rom_quote(name) : NULL;

        if (!quoted)
            return romsim_error_nomem(error);
        puts(quoted);
    }
    return 0;
}

static json_t *json_entry(const struct rom_listing *listing, size_t index, const char *file,
                          int *status)
{
    CLEANUP_FREE char *path = rom_path(listing, index, false);
    struct romsim_error error = {0};
    struct romsim_erofs_inode inode;

    if (!path)
        return NULL;
    if (rom_inode(listing, index, &inode, &error) == 0)
        return rom_json_inode(listing->erofs, path, &inode);
    *status = rom_report(file, &error);
    return rom_json_failed("path", path, &error);
}

/* One value at a time: all of them are far larger than the image.  What cannot be told, and why the
 * listing is not complete (*failure), has a place in the list, and the list an end. */
static int print_json(const struct rom_listing *listing, const char *file, const char *path,
                      struct romsim_error *failure)
{
    struct cli_list list;
    int status = CLI_OK;

    cli_list_begin(&list);
    for (size_t i = first_shown(listing); i < listing->entries.count; i++)
        cli_list_add(&list, json_entry(listing, i, file, &status));
    if (failure->errnum) {
        cli_list_add(&list, rom_json_failed("path", path ? path : "/", failure));
        status = rom_report(file, failure);
    }
    return cli_list_end(&list) == CLI_OK ? status : CLI_FAILED;
}

static const char *asked_path(const struct cli_args *args)
{
    return args->operand_count > 1 ? args->operands[1] : NULL;
}

static int run_ls(const struct cli_args *args)
{
    const char *file = args->operands[0];
    CLEANUP_EROFS struct romsim_erofs *erofs = rom_open(file);
    CLEANUP_LISTING struct rom_listing listing = {0};
    bool recursive = cli_has(args, "recursive");
    struct romsim_error error = {0};
    int result;

    if (!erofs)
        return CLI_FAILED;
    result = rom_listing_try(erofs, asked_path(args), recursive, &listing, &error);
    if (cli_has(args, "json"))
        return print_json(&listing, file, asked_path(args), &error);
    if (result == 0 && cli_has(args, "long"))
        result = print_long(&listing, recursive, &error);
    else if (result == 0)
        result = print_short(&listing, recursive, &error);
    return result < 0 ? rom_report(file, &error) : CLI_OK;
}

/* ---- tree --------------------------------------------------------------------------------- */

/* Has the entry a younger sibling? */
static void find_last_siblings(const struct rom_listing *listing, bool *has_next)
{
    CLEANUP_FREE uint32_t *last = calloc(listing->entries.count, sizeof(*last));

    for (size_t i = 1; last && i < listing->entries.count; i++) {
        uint32_t parent = listing->entries.items[i].parent;

        if (last[parent])
            has_next[last[parent]] = true;
        last[parent] = i;
    }
}

/* The bars of the ancestors, outermost first. */
static void print_bars(const struct rom_listing *listing, size_t index, const bool *has_next)
{
    const struct rom_entry *entries = listing->entries.items;
    uint32_t chain[ROM_DEPTH_MAX];
    size_t count = 0;

    for (size_t i = entries[index].parent; i; i = entries[i].parent)
        chain[count++] = i;
    while (count)
        fputs(has_next[chain[--count]] ? "│   " : "    ", stdout);
    fputs(has_next[index] ? "├── " : "└── ", stdout);
}

static int print_tree(const struct rom_listing *listing, struct romsim_error *error)
{
    CLEANUP_FREE bool *has_next = calloc(listing->entries.count, sizeof(*has_next));
    size_t directories = 0, others = 0;

    if (!has_next)
        return romsim_error_nomem(error);
    find_last_siblings(listing, has_next);
    for (size_t i = 0; i < listing->entries.count; i++) {
        struct romsim_erofs_inode inode;
        CLEANUP_FREE char *name = NULL;
        CLEANUP_FREE char *quoted = NULL;

        if (rom_inode(listing, i, &inode, error) < 0)
            return -1;
        name = shown_name(listing, i, false, &inode);
        quoted = name ? rom_quote(name) : NULL;
        if (!quoted)
            return romsim_error_nomem(error);
        if (i)
            print_bars(listing, i, has_next);
        printf("%s%s\n", quoted, i && S_ISDIR(inode.mode) ? "/" : "");
        *(S_ISDIR(inode.mode) ? &directories : &others) += i != 0;
    }
    printf("\n%s, %s\n", COUNT_TEXT(directories, "directory", "directories"),
           COUNT_TEXT(others, "file", "files"));
    return 0;
}

static int run_tree(const struct cli_args *args)
{
    const char *file = args->operands[0];
    CLEANUP_EROFS struct romsim_erofs *erofs = rom_open(file);
    CLEANUP_LISTING struct rom_listing listing = {0};
    struct romsim_error error = {0};
    int result;

    if (!erofs)
        return CLI_FAILED;
    result = rom_listing_try(erofs, asked_path(args), true, &listing, &error);
    if (cli_has(args, "json"))
        return print_json(&listing, file, asked_path(args), &error);
    if (result == 0)
        result = print_tree(&listing, &error);
    return result < 0 ? rom_report(file, &error) : CLI_OK;
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
