/* SPDX-License-Identifier: BSD-3-Clause */
/* rom_cat.c: `romsim rom cat` and `romsim rom stat`: one file of an image. */
#include "sim/cli/rom.h"

#include <romsim/bounds.h>
#include <romsim/erofs_check.h>
#include <romsim/text.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { PIECE = 1 << 20 };

/* What a command does with its paths, one after the other: 0, or -1 with *error. */
struct looking {
    struct rom_image image;
    bool as_json;
    struct cli_list list;
    bool output_failed; /* nothing more can be written */
    bool begun;
};

typedef int look_at(struct looking *looking, const char *path,
                    const struct romsim_erofs_inode *inode, struct romsim_error *error);

/* Looks at a file.  CLI_OK, or CLI_FAILED after a report. */
static int look_at_file(struct looking *looking, const char *path,
                        const struct romsim_erofs_inode *inode, look_at *look)
{
    struct romsim_error error = {0};

    if (look(looking, path, inode, &error) == 0)
        return CLI_OK;
    if (!looking->output_failed)
        romsim_error_context(&error, "%s", QUOTE(path));
    if (looking->as_json)
        cli_list_add(&looking->list, rom_json_failed("path", path, &error));
    return rom_report(looking->image.file, &error);
}

static int look_at_path(struct looking *looking, const char *path, enum romsim_rom_last_link last,
                        look_at *look)
{
    struct romsim_erofs_inode inode;
    struct romsim_error error = {0};

    if (romsim_rom_lookup(looking->image.look.erofs, path, last, &inode, &error) == 0)
        return look_at_file(looking, path, &inode, look);
    if (looking->as_json)
        cli_list_add(&looking->list, rom_json_failed("path", path, &error));
    return rom_report(looking->image.file, &error);
}

/* ---- by nid ----------------------------------------------------------------------------- */

static const char *name_of_special(const struct romsim_erofs *erofs, uint64_t nid)
{
    struct romsim_erofs_super super;

    romsim_erofs_super(erofs, &super);
    if (nid && nid == super.packed_nid)
        return ": it is the packed inode, of the ends of many files";
    if (nid && nid == super.metabox_nid)
        return ": it is the metabox, of inodes and directories";
    return "";
}

/* Looks at every name of one inode, also of one that cannot be read.  *ret_found says whether there
 * is one.  0, or -1 with *error. */
static int search_nid(struct looking *looking, uint64_t nid, look_at *look, bool *ret_found,
                      struct romsim_error *error)
{
    struct rom_image *image = &looking->image;
    CLEANUP_ROM_WALK struct romsim_rom_walk walk = {0};
    struct romsim_erofs_step step;
    int found;

    *ret_found = false;
    if (romsim_rom_walk_open(&image->look, NULL, &walk, error) < 0)
        return -1;
    while ((found = romsim_erofs_walker_next(walk.walker, &step, error)) > 0) {
        bool is_wanted = step.is_name && step.inode.nid == nid;

        *ret_found |= is_wanted;
        if (found == ROMSIM_EROFS_DAMAGED) {
            if (looking->as_json)
                cli_list_add(&looking->list, rom_json_failed("path", step.path, error));
            romsim_rom_damaged(&image->look, step.path, error);
        } else if (is_wanted && look(looking, step.path, &step.inode, error) < 0) {
            return -1;
        }
    }
    return found;
}

/* Kernel messages have nids where people want paths. */
static int look_at_nids(struct looking *looking, uint64_t nid, look_at *look)
{
    struct romsim_error error = {0};
    bool is_found;
    int result = search_nid(looking, nid, look, &is_found, &error);

    if (result == 0 && is_found)
        return CLI_OK;
    if (result == 0)
        romsim_error_set(&error, ENOENT, "no name leads to nid %llu%s", (unsigned long long)nid,
                         name_of_special(looking->image.look.erofs, nid));
    if (looking->as_json)
        cli_list_add(&looking->list, rom_json_failed("path", "", &error));
    return rom_report(looking->image.file, &error);
}

/* Looks at each of the paths FILE PATH...; what is missing does not keep it from the others. */
static int look_at_paths(const struct cli_args *args, enum romsim_rom_last_link last, look_at *look)
{
    struct looking looking = {.as_json = cli_has(args, "json")};
    CLEANUP_EROFS struct romsim_erofs *erofs = NULL;
    int status = CLI_OK;
    uint64_t nid;

    if (cli_number(args, "nid", 0, UINT64_MAX - 1, UINT64_MAX, &nid) < 0)
        return CLI_USAGE;
    erofs = rom_open(args->operands[0]);
    if (!erofs)
        return CLI_FAILED;
    rom_image_init(&looking.image, erofs, args->operands[0]);
    if (looking.as_json)
        cli_list_begin(&looking.list);
    for (size_t i = 1; i < args->operand_count && !looking.output_failed; i++)
        if (look_at_path(&looking, args->operands[i], last, look) != CLI_OK)
            status = CLI_FAILED;
    if (nid != UINT64_MAX && look_at_nids(&looking, nid, look) != CLI_OK)
        status = CLI_FAILED;
    if (looking.as_json && cli_list_end(&looking.list) != CLI_OK)
        status = CLI_FAILED;
    return rom_image_end(&looking.image) == CLI_OK ? status : CLI_FAILED;
}

/* ---- cat ---------------------------------------------------------------------------------- */

static int write_all(const uint8_t *bytes, size_t size, struct romsim_error *error)
{
    while (size) {
        ssize_t written = write(STDOUT_FILENO, bytes, size);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return romsim_error_system(error, errno, "cannot write");
        bytes += written;
        size -= written;
    }
    return 0;
}

static int not_a_file(const struct romsim_erofs_inode *inode, struct romsim_error *error)
{
    return romsim_error_set(error, EINVAL, "it is a %s, not a regular file",
                            romsim_rom_type_name(inode->mode));
}

static int cat_file(struct looking *looking, const struct romsim_erofs_inode *inode,
                    struct romsim_error *error)
{
    CLEANUP_FREE uint8_t *buffer = malloc(PIECE);
    size_t got;

    if (!buffer)
        return romsim_error_nomem(error);
    for (uint64_t offset = 0; offset < inode->size; offset += got) {
        if (romsim_erofs_read(looking->image.look.erofs, inode, offset, buffer, PIECE, &got,
                              error) < 0)
            return -1;
        if (write_all(buffer, got, error) < 0) {
            looking->output_failed = true;
            return -1;
        }
    }
    return 0;
}

/* ---- cat --json: as the files of an inline ROM are written ---------------------------------- */

static json_t *json_content(const char *path, const uint8_t *bytes, size_t size)
{
    const char *text = (const char *)bytes;
    bool is_text = romsim_utf8_is_valid(text, size) && !memchr(text, '\0', size);
    CLEANUP_FREE char *encoded = is_text ? NULL : romsim_base64_encode(bytes, size);
    json_t *object = rom_json_path("path", path);
    json_t *data = is_text ? json_stringn(text, size) : json_string(encoded);

    if (object && data &&
        json_object_set_new(object, "encoding", json_string(is_text ? "text" : "base64")) == 0 &&
        json_object_set(object, "data", data) == 0) {
        json_decref(data);
        return object;
    }
    json_decref(data);
    json_decref(object);
    return NULL;
}

static int json_file(struct looking *looking, const char *path,
                     const struct romsim_erofs_inode *inode, struct romsim_error *error)
{
    CLEANUP_FREE uint8_t *bytes = NULL;
    size_t got;

    if (inode->size > romsim_bound(ROMSIM_BOUND_JSON_FILE))
        return romsim_bound_refuse(error, ROMSIM_BOUND_JSON_FILE, "its %s are too much for JSON",
                                   SIZE_TEXT(inode->size));
    bytes = malloc(inode->size + 1);
    if (!bytes)
        return romsim_error_nomem(error);
    if (romsim_erofs_read(looking->image.look.erofs, inode, 0, bytes, inode->size, &got, error) < 0)
        return -1;
    cli_list_add(&looking->list, json_content(path, bytes, got));
    return 0;
}

static int look_into(struct looking *looking, const char *path,
                     const struct romsim_erofs_inode *inode, struct romsim_error *error)
{
    if (!S_ISREG(inode->mode))
        return not_a_file(inode, error);
    return looking->as_json ? json_file(looking, path, inode, error)
                            : cat_file(looking, inode, error);
}

static int run_cat(const struct cli_args *args)
{
    return look_at_paths(args, ROMSIM_ROM_FOLLOW, look_into);
}

static const struct cli_option cat_options[] = {
    {"json", 0, NULL, "print JSON, as the files of an inline ROM"}, CLI_OPTION_END};

const struct cli_command cli_rom_cat = {
    .name = "cat",
    .operands = "FILE PATH...",
    .operands_min = 2,
    .operands_max = CLI_OPERANDS_ANY,
    .summary = "write files of an EROFS image to standard output",
    .options = cat_options,
    .run = run_cat,
};

/* ---- stat --------------------------------------------------------------------------------- */

static int print_xattrs(struct romsim_rom_look *look, const char *path,
                        const struct romsim_erofs_inode *inode, struct romsim_error *error)
{
    struct romsim_xattr xattr;
    struct romsim_error damage = {0};
    uint64_t cursor = 0;
    int found;

    while ((found = romsim_erofs_xattr(look->erofs, inode, &cursor, &xattr, &damage)) > 0) {
        uint64_t size = strlen(xattr.name) + xattr.value_size;

        if (romsim_erofs_budget_pay(look->budget, size, error) < 0) {
            romsim_xattr_release(&xattr);
            return -1;
        }
        printf("  xattr: %s = %s (%zu bytes)\n", QUOTE(xattr.name),
               romsim_text_quote(xattr.value, xattr.value_size, (char[256]){0}, 256),
               xattr.value_size);
        romsim_xattr_release(&xattr);
    }
    if (found == 0)
        return 0;
    printf("  xattr: damaged: %s\n", damage.message);
    romsim_rom_damaged(look, path, &damage);
    return 0;
}

static void print_content(struct romsim_erofs *erofs, const struct romsim_erofs_inode *inode)
{
    char *target;

    if (S_ISCHR(inode->mode) || S_ISBLK(inode->mode)) {
        printf(" device: %u,%u\n", romsim_rom_major(inode->rdev), romsim_rom_minor(inode->rdev));
        return;
    }
    if (S_ISFIFO(inode->mode) || S_ISSOCK(inode->mode))
        return;
    printf("   size: %llu\n", (unsigned long long)inode->size);
    printf(" layout: %s", romsim_erofs_layout_name(inode->layout));
    if (inode->layout == ROMSIM_EROFS_FLAT_PLAIN && inode->size && inode->start != UINT64_MAX)
        printf(", from block %llu", (unsigned long long)inode->start);
    putchar('\n');
    target = S_ISLNK(inode->mode) ? romsim_erofs_readlink(erofs, inode, NULL) : NULL;
    if (target)
        printf(" target: %s\n", QUOTE(target));
    free(target);
}

static int print_stat(struct romsim_rom_look *look, const char *path,
                      const struct romsim_erofs_inode *inode, struct romsim_error *error)
{
    char mode[ROM_MODE_SIZE], time[ROM_TIME_SIZE];

    printf("   path: %s\n", QUOTE(path));
    printf("   type: %s\n", romsim_rom_type_name(inode->mode));
    printf("   mode: %04o (%s)\n", inode->mode & 07777, rom_mode_text(inode->mode, mode));
    printf("  owner: %u:%u\n", inode->uid, inode->gid);
    printf("  links: %u\n", inode->links);
    printf("  mtime: %s UTC\n", rom_time_text(inode, true, time));
    print_content(look->erofs, inode);
    printf("  inode: nid %llu, %s, at offset %llu%s\n",
           (unsigned long long)(romsim_rom_nid(inode->nid)),
           inode->extended ? "extended (64 bytes)" : "compact (32 bytes)",
           (unsigned long long)inode->offset,
           romsim_rom_in_metabox(inode->nid) ? " of the metabox" : "");
    return print_xattrs(look, path, inode, error);
}

static int show(struct looking *looking, const char *path, const struct romsim_erofs_inode *inode,
                struct romsim_error *error)
{
    if (looking->as_json) {
        json_t *object = rom_json_inode(&looking->image.look, path, inode, error);

        if (!object)
            return -1;
        cli_list_add(&looking->list, object);
        return 0;
    }
    if (looking->begun)
        putchar('\n');
    looking->begun = true;
    return print_stat(&looking->image.look, path, inode, error);
}

static int run_stat(const struct cli_args *args)
{
    if (args->operand_count < 2 && !cli_has(args, "nid"))
        return cli_usage(args, "give a PATH, or a --nid");
    return look_at_paths(args, ROMSIM_ROM_NO_FOLLOW, show);
}

static const struct cli_option stat_options[] = {
    {"nid", 'n', "NUMBER", "find the names of the inode NUMBER"},
    CLI_OPTION_JSON,
    CLI_OPTION_END,
};

const struct cli_command cli_rom_stat = {
    .name = "stat",
    .operands = "FILE [PATH...]",
    .operands_min = 1,
    .operands_max = CLI_OPERANDS_ANY,
    .summary = "show all that an image says of a file",
    .options = stat_options,
    .run = run_stat,
};
