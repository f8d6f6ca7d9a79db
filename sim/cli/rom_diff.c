/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rom_diff.c: `romsim rom diff`: what differs between two images' trees.
 *
 * Both listings are sorted the same way (by name, directory by directory), so one pass over both
 * finds what is only in one of them.
 */
#include "sim/cli/rom_diff.h"

#include <romsim/text.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { PIECE = 1 << 18 };

struct diff {
    const char *files[2];
    struct rom_listing listings[2];
    bool content; /* show text differences */
    json_t *json; /* or NULL */
    size_t count; /* of differences */
    uint8_t *buffers[2];
};

/* A file that is in both. */
struct pair {
    char *path;
    struct romsim_erofs_inode inodes[2];
};

/* ---- comparing one file ------------------------------------------------------------------- */

static int same_data(struct diff *diff, const struct pair *pair, bool *ret_same,
                     struct romsim_error *error)
{
    const struct romsim_erofs_inode *inodes = pair->inodes;
    size_t got[2];

    *ret_same = inodes[0].size == inodes[1].size;
    for (uint64_t offset = 0; *ret_same && offset < inodes[0].size; offset += got[0]) {
        uint64_t holes[2];
        bool both = true;

        for (int i = 0; i < 2; i++)
            both = both && romsim_erofs_hole(diff->listings[i].erofs, &inodes[i], offset, &holes[i],
                                             NULL) > 0;
        if (both) { /* however large they claim to be */
            got[0] = holes[0] < holes[1] ? holes[0] : holes[1];
            continue;
        }
        for (int i = 0; i < 2; i++)
            if (romsim_erofs_read(diff->listings[i].erofs, &inodes[i], offset, diff->buffers[i],
                                  PIECE, &got[i], error) < 0)
                return -1;
        *ret_same = got[0] == got[1] && memcmp(diff->buffers[0], diff->buffers[1], got[0]) == 0;
    }
    return 0;
}

static int same_link(struct diff *diff, const struct pair *pair, bool *ret_same,
                     struct romsim_error *error)
{
    CLEANUP_FREE char *a = romsim_erofs_readlink(diff->listings[0].erofs, &pair->inodes[0], error);
    CLEANUP_FREE char *b = romsim_erofs_readlink(diff->listings[1].erofs, &pair->inodes[1], error);

    if (!a || !b)
        return -1;
    *ret_same = strcmp(a, b) == 0;
    return 0;
}

static int same_content(struct diff *diff, const struct pair *pair, bool *ret_same,
                        struct romsim_error *error)
{
    uint32_t mode = pair->inodes[0].mode;

    *ret_same = true;
    if (S_ISREG(mode))
        return same_data(diff, pair, ret_same, error);
    if (S_ISLNK(mode))
        return same_link(diff, pair, ret_same, error);
    if (S_ISCHR(mode) || S_ISBLK(mode))
        *ret_same = pair->inodes[0].rdev == pair->inodes[1].rdev;
    return 0;
}

/* The xattrs of a file as one JSON object: equal if they are, in any order. */
static bool same_xattrs(struct diff *diff, const struct pair *pair)
{
    json_t *objects[2];
    bool same;

    if (!pair->inodes[0].xattr_size && !pair->inodes[1].xattr_size)
        return true;
    for (int i = 0; i < 2; i++)
        objects[i] = rom_json_inode(diff->listings[i].erofs, "", &pair->inodes[i]);
    same = json_equal(json_object_get(objects[0], "xattrs"), json_object_get(objects[1], "xattrs"));
    json_decref(objects[0]);
    json_decref(objects[1]);
    return same;
}

/* ---- saying it ---------------------------------------------------------------------------- */

static void say_one_sided(struct diff *diff, int side, size_t index)
{
    CLEANUP_FREE char *path = rom_path(&diff->listings[side], index, false);
    CLEANUP_FREE char *quoted = path ? rom_quote(path) : NULL;
    const char *change = side ? "added" : "removed";

    diff->count++;
    if (!quoted)
        return;
    if (diff->json)
        json_array_append_new(diff->json, json_pack("{s:s, s:o}", "change", change, "path",
                                                    rom_json_text(path, strlen(path))));
    else
        printf("%-8s %s\n", change, quoted);
}

/* The fields that differ, each as "mode 0644 -> 0755". */
static void describe(struct diff *diff, const struct pair *pair, bool content, bool xattrs,
                     struct romsim_buffer *ret)
{
    const struct romsim_erofs_inode *a = &pair->inodes[0], *b = &pair->inodes[1];
    char times[2][ROM_TIME_SIZE];

    (void)diff;
    if ((a->mode & S_IFMT) != (b->mode & S_IFMT))
        romsim_buffer_printf(ret, ", type %s -> %s", rom_type_name(a->mode),
                             rom_type_name(b->mode));
    if ((a->mode ^ b->mode) & 07777)
        romsim_buffer_printf(ret, ", mode %04o -> %04o", a->mode & 07777, b->mode & 07777);
    if (a->uid != b->uid || a->gid != b->gid)
        romsim_buffer_printf(ret, ", owner %u:%u -> %u:%u", a->uid, a->gid, b->uid, b->gid);
    if (a->mtime != b->mtime || a->mtime_nsec != b->mtime_nsec)
        romsim_buffer_printf(ret, ", time %s -> %s", rom_time_text(a, true, times[0]),
                             rom_time_text(b, true, times[1]));
    if (!S_ISDIR(a->mode) && !S_ISDIR(b->mode) && a->links != b->links)
        romsim_buffer_printf(ret, ", links %u -> %u", a->links, b->links);
    if (xattrs)
        romsim_buffer_puts(ret, ", xattrs");
    if (content && S_ISREG(a->mode) && a->size != b->size)
        romsim_buffer_printf(ret, ", content (%llu -> %llu bytes)", (unsigned long long)a->size,
                             (unsigned long long)b->size);
    else if (content)
        romsim_buffer_puts(ret, ", content");
}

static void say_changed(struct diff *diff, const struct pair *pair, const char *what)
{
    CLEANUP_FREE char *quoted = rom_quote(pair->path);

    diff->count++;
    if (diff->json)
        json_array_append_new(
            diff->json,
            json_pack("{s:s, s:o, s:s, s:o, s:o}", "change", "changed", "path",
                      rom_json_text(pair->path, strlen(pair->path)), "what", what, "old",
                      rom_json_inode(diff->listings[0].erofs, pair->path, &pair->inodes[0]), "new",
                      rom_json_inode(diff->listings[1].erofs, pair->path, &pair->inodes[1])));
    else
        printf("%-8s %s: %s\n", "changed", quoted ? quoted : "?", what);
}

static int show_text(struct diff *diff, const struct pair *pair, struct romsim_error *error)
{
    struct text_side sides[2];

    for (int i = 0; i < 2; i++)
        sides[i] = (struct text_side){
            .erofs = diff->listings[i].erofs,
            .inode = &pair->inodes[i],
            .label = diff->files[i],
        };
    return rom_text_diff(pair->path, &sides[0], &sides[1], error);
}

static int compare_pair(struct diff *diff, const struct pair *pair, struct romsim_error *error)
{
    CLEANUP_BUFFER struct romsim_buffer what = ROMSIM_BUFFER_INIT(4096);
    bool same = true, xattrs = !same_xattrs(diff, pair);
    bool both_files = S_ISREG(pair->inodes[0].mode) && S_ISREG(pair->inodes[1].mode);

    if (((pair->inodes[0].mode ^ pair->inodes[1].mode) & S_IFMT) == 0 &&
        same_content(diff, pair, &same, error) < 0)
        return -1;
    describe(diff, pair, !same, xattrs, &what);
    if (!what.size)
        return 0;
    say_changed(diff, pair, what.data + 2);
    return diff->content && !diff->json && !same && both_files ? show_text(diff, pair, error) : 0;
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
    const struct rom_listing *a = &diff->listings[0], *b = &diff->listings[1];
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
    size_t end = skip_subtree(&diff->listings[side], *at);

    for (; *at < end; (*at)++)
        say_one_sided(diff, side, *at);
}

static int two_sided(struct diff *diff, size_t at[2], struct romsim_error *error)
{
    struct pair pair = {.path = rom_path(&diff->listings[0], at[0], false)};
    int result = pair.path ? 0 : romsim_error_nomem(error);
    bool directories[2];

    for (int i = 0; i < 2 && result == 0; i++)
        result = rom_inode(&diff->listings[i], at[i], &pair.inodes[i], error);
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
            while (at[i] < diff->listings[i].entries.count &&
                   diff->listings[i].entries.items[at[i]].depth >
                       diff->listings[i].entries.items[at[i] - 1].depth)
                one_sided(diff, i, &at[i]);
    return result;
}

static int compare_trees(struct diff *diff, struct romsim_error *error)
{
    size_t at[2] = {0, 0};

    if (two_sided(diff, at, error) < 0)
        return -1;
    while (at[0] < diff->listings[0].entries.count || at[1] < diff->listings[1].entries.count) {
        int order = compare_entries(diff, at);

        if (order)
            one_sided(diff, order > 0, &at[order > 0]);
        else if (two_sided(diff, at, error) < 0)
            return -1;
    }
    return 0;
}

/* ---- the command -------------------------------------------------------------------------- */

static int run_loaded(struct diff *diff)
{
    struct romsim_error error = {0};

    for (int i = 0; i < 2; i++)
        diff->buffers[i] = malloc(PIECE);
    if (!diff->buffers[0] || !diff->buffers[1])
        romsim_error_nomem(&error);
    else if (compare_trees(diff, &error) == 0)
        return diff->count ? CLI_FAILED : CLI_OK;
    return cli_report(&error);
}

static int run_diff(const struct cli_args *args)
{
    struct romsim_erofs *images[2] = {0};
    struct diff diff = {
        .files = {args->operands[0], args->operands[1]},
        .content = cli_has(args, "content"),
        .json = cli_has(args, "json") ? json_array() : NULL,
    };
    int status = CLI_OK;

    for (int i = 0; i < 2 && status == CLI_OK; i++) {
        images[i] = rom_open(diff.files[i]);
        status = images[i]
                     ? rom_listing_load(images[i], diff.files[i], NULL, true, &diff.listings[i])
                     : CLI_FAILED;
    }
    if (status == CLI_OK) {
        status = run_loaded(&diff);
        if (diff.json)
            cli_print_json(json_incref(diff.json));
    }
    json_decref(diff.json);
    for (int i = 0; i < 2; i++) {
        rom_listing_release(&diff.listings[i]);
        romsim_erofs_close(images[i]);
        free(diff.buffers[i]);
    }
    return status;
}

static const struct cli_option options[] = {
    {"content", 'c', NULL, "show the lines that differ in text files"},
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
                   "anything differs.\n",
    .options = options,
    .run = run_diff,
};
