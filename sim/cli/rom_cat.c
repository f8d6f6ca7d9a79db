/* SPDX-License-Identifier: BSD-3-Clause */
/* rom_cat.c: `romsim rom cat` and `romsim rom stat`: one file of an image. */
#include "sim/cli/rom.h"

#include <romsim/erofs_check.h>
#include <romsim/text.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { PIECE = 1 << 20 };

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
                            rom_type_name(inode->mode));
}

static int cat_file(struct romsim_erofs *erofs, const struct romsim_erofs_inode *inode,
                    struct romsim_error *error)
{
    CLEANUP_FREE uint8_t *buffer = malloc(PIECE);
    size_t got;

    if (!buffer)
        return romsim_error_nomem(error);
    if (!S_ISREG(inode->mode))
        return not_a_file(inode, error);
    for (uint64_t offset = 0; offset < inode->size; offset += got)
        if (romsim_erofs_read(erofs, inode, offset, buffer, PIECE, &got, error) < 0 ||
            write_all(buffer, got, error) < 0)
            return -1;
    return 0;
}

/* ---- cat --json: as the files of an inline ROM are written ---------------------------------- */

enum { JSON_FILE_MAX = 64 << 20 };

static json_t *json_content(const char *path, const uint8_t *bytes, size_t size)
{
    const char *text = (const char *)bytes;
    bool is_text = romsim_utf8_is_valid(text, size) && !memchr(text, '\0', size);
    CLEANUP_FREE char *encoded = is_text ? NULL : romsim_base64_encode(bytes, size);

    if (is_text)
        return json_pack("{s:o, s:s, s:s%}", "path", rom_json_text(path, strlen(path)), "encoding",
                         "text", "data", text, size);
    return json_pack("{s:o, s:s, s:s}", "path", rom_json_text(path, strlen(path)), "encoding",
                     "base64", "data", encoded);
}

static int json_file(struct romsim_erofs *erofs, const char *path,
                     const struct romsim_erofs_inode *inode, json_t *list,
                     struct romsim_error *error)
{
    CLEANUP_FREE uint8_t *bytes = NULL;
    size_t got;

    if (!S_ISREG(inode->mode))
        return not_a_file(inode, error);
    if (inode->size > JSON_FILE_MAX)
        return romsim_error_set(error, EFBIG, "its %s are too much for JSON",
                                SIZE_TEXT(inode->size));
    bytes = malloc(inode->size + 1);
    if (!bytes)
        return romsim_error_nomem(error);
    if (romsim_erofs_read(erofs, inode, 0, bytes, inode->size, &got, error) < 0)
        return -1;
    if (json_array_append_new(list, json_content(path, bytes, got)) < 0)
        return romsim_error_nomem(error);
    return 0;
}

static int run_cat(const struct cli_args *args)
{
    const char *file = args->operands[0];
    CLEANUP_EROFS struct romsim_erofs *erofs = rom_open(file);
    json_t *list = NULL;
    int status = CLI_OK;

    if (!erofs)
        return CLI_FAILED;
    if (cli_has(args, "json"))
        list = json_array();
    for (size_t i = 1; i < args->operand_count; i++) {
        struct romsim_erofs_inode inode;
        struct romsim_error error = {0};

        if (rom_find(erofs, file, args->operands[i], &inode) != CLI_OK) {
            status = CLI_FAILED;
        } else if ((list ? json_file(erofs, args->operands[i], &inode, list, &error)
                         : cat_file(erofs, &inode, &error)) < 0) {
            romsim_error_context(&error, "%s", QUOTE(args->operands[i]));
            status = rom_report(file, &error);
        }
    }
    if (list && cli_print_json(list) != CLI_OK)
        return CLI_FAILED;
    return status;
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

static void print_xattrs(struct romsim_erofs *erofs, const struct romsim_erofs_inode *inode)
{
    struct romsim_xattr xattr;
    struct romsim_error error = {0};
    uint64_t cursor = 0;
    int found;

    while ((found = romsim_erofs_xattr(erofs, inode, &cursor, &xattr, &error)) > 0) {
        printf("  xattr: %s = %s (%zu bytes)\n", QUOTE(xattr.name),
               romsim_text_quote(xattr.value, xattr.value_size, (char[256]){0}, 256),
               xattr.value_size);
        romsim_xattr_release(&xattr);
    }
    if (found < 0)
        printf("  xattr: damaged: %s\n", error.message);
}

static void print_content(struct romsim_erofs *erofs, const struct romsim_erofs_inode *inode)
{
    char *target;

    if (S_ISCHR(inode->mode) || S_ISBLK(inode->mode)) {
        printf(" device: %u,%u\n", rom_major(inode->rdev), rom_minor(inode->rdev));
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

static void print_stat(struct romsim_erofs *erofs, const char *path,
                       const struct romsim_erofs_inode *inode)
{
    char mode[ROM_MODE_SIZE], time[ROM_TIME_SIZE];

    printf("   path: %s\n", QUOTE(path));
    printf("   type: %s\n", rom_type_name(inode->mode));
    printf("   mode: %04o (%s)\n", inode->mode & 07777, rom_mode_text(inode->mode, mode));
    printf("  owner: %u:%u\n", inode->uid, inode->gid);
    printf("  links: %u\n", inode->links);
    printf("  mtime: %s UTC\n", rom_time_text(inode, true, time));
    print_content(erofs, inode);
    printf("  inode: nid %llu, %s, at offset %llu%s\n",
           (unsigned long long)(inode->nid & INT64_MAX),
           inode->extended ? "extended (64 bytes)" : "compact (32 bytes)",
           (unsigned long long)inode->offset, inode->nid >> 63 ? " of the metabox" : "");
    print_xattrs(erofs, inode);
}

static int run_stat(const struct cli_args *args)
{
    const char *file = args->operands[0];
    CLEANUP_EROFS struct romsim_erofs *erofs = rom_open(file);
    json_t *list = NULL;

    if (!erofs)
        return CLI_FAILED;
    if (cli_has(args, "json"))
        list = json_array();
    for (size_t i = 1; i < args->operand_count; i++) {
        struct romsim_erofs_inode inode;

        if (rom_find(erofs, file, args->operands[i], &inode) != CLI_OK) {
            json_decref(list);
            return CLI_FAILED;
        }
        if (list) {
            json_array_append_new(list, rom_json_inode(erofs, args->operands[i], &inode));
            continue;
        }
        if (i > 1)
            putchar('\n');
        print_stat(erofs, args->operands[i], &inode);
    }
    return list ? cli_print_json(list) : CLI_OK;
}

static const struct cli_option stat_options[] = {CLI_OPTION_JSON, CLI_OPTION_END};

const struct cli_command cli_rom_stat = {
    .name = "stat",
    .operands = "FILE PATH...",
    .operands_min = 2,
    .operands_max = CLI_OPERANDS_ANY,
    .summary = "show all that an image says of a file",
    .options = stat_options,
    .run = run_stat,
};
