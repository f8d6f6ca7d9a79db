/* SPDX-License-Identifier: BSD-3-Clause */
/* rom_pack.c: `romsim rom pack`: a ROM file from a directory, an archive or any file. */
#include "sim/cli/output.h"
#include "sim/cli/rom.h"

#include <romsim/image.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static const struct cli_option options[] = {
    {"output", 'o', "FILE", "the ROM to write; '-' is standard output"},
    {"format", 0, "erofs|cpio|raw", "else what fits the source"},
    {"compress", 0, "HOW", "EROFS only: lz4 or lz4hc[:1-12]"},
    {"inline", 0, NULL, "EROFS only: small data beside the inodes"},
    {"no-verify", 0, NULL, "do not read the ROM back, also not for its digest"},
    CLI_OPTION_JSON,
    CLI_OPTION_END,
};

static const struct {
    const char *name;
    enum romsim_pack_format format;
} formats[] = {
    {"erofs", ROMSIM_PACK_EROFS},
    {"cpio", ROMSIM_PACK_CPIO},
    {"raw", ROMSIM_PACK_RAW},
};

static int parse_format(const struct cli_args *args, enum romsim_pack_format *ret)
{
    const char *value = cli_value(args, "format");

    if (!value)
        return 0;
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        if (strcmp(value, formats[i].name) == 0) {
            *ret = formats[i].format;
            return 0;
        }
    cli_usage(args, "unknown format '%s': erofs, cpio or raw", QUOTE(value));
    return -1;
}

static bool is_compression(const char *how)
{
    if (strcmp(how, "lz4") == 0 || strcmp(how, "lz4hc") == 0)
        return true;
    if (strncmp(how, "lz4hc:", 6) != 0)
        return false;
    how += 6;
    /* 1 to 12, and nothing that is not written so */
    return (how[0] >= '1' && how[0] <= '9' && !how[1]) ||
           (how[0] == '1' && how[1] >= '0' && how[1] <= '2' && !how[2]);
}

/* What can be told without a look at the source. */
static int check_options(const struct cli_args *args,
                         const struct romsim_pack_options *pack_options)
{
    bool is_tuned = pack_options->erofs.compress || pack_options->erofs.inline_data;

    if (pack_options->erofs.compress && !is_compression(pack_options->erofs.compress))
        return cli_usage(args, "unknown compression '%s': lz4, lz4hc or lz4hc:LEVEL, from 1 to 12",
                         QUOTE(pack_options->erofs.compress));
    if (is_tuned && pack_options->format != ROMSIM_PACK_AUTO &&
        pack_options->format != ROMSIM_PACK_EROFS)
        return cli_usage(args, "--%s is for EROFS, not for --format %s",
                         pack_options->erofs.compress ? "compress" : "inline",
                         QUOTE(cli_value(args, "format")));
    if (strcmp(cli_value(args, "output"), "-") == 0 && cli_has(args, "json"))
        return cli_usage(args, "--json and --output - both want standard output");
    if (strcmp(cli_value(args, "output"), "-") == 0 && isatty(STDOUT_FILENO))
        return cli_usage(args, "a ROM is not for a terminal: --output FILE, or redirect it");
    return CLI_OK;
}

static void print_ratio(const struct romsim_pack_result *result)
{
    if (result->stored_bytes > 0)
        cli_note("%s of data in %s, ratio %.2f", SIZE_TEXT(result->data_bytes),
                 SIZE_TEXT(result->stored_bytes),
                 (double)result->data_bytes / (double)result->stored_bytes);
}

/* It is over all that was written: to compute it is to read that back.  NULL: not known. */
static const char *digest_of(const struct cli_args *args, struct romsim_blob *blob)
{
    return cli_has(args, "no-verify") ? NULL : romsim_blob_sha256_shown(blob);
}

static int print_json(const char *path, struct romsim_blob *blob,
                      const struct romsim_pack_result *result, const char *digest)
{
    double ratio =
        result->stored_bytes ? (double)result->data_bytes / (double)result->stored_bytes : 1;

    return cli_print_json(json_pack(
        "{s:o, s:s, s:I, s:I, s:I, s:I, s:f, s:s?}", "path", rom_json_text(path, strlen(path)),
        "format", romsim_image_kind_name(result->kind), "size", (json_int_t)romsim_blob_size(blob),
        "files", (json_int_t)result->files, "data_bytes", (json_int_t)result->data_bytes,
        "stored_bytes", (json_int_t)result->stored_bytes, "ratio", ratio, "sha256", digest));
}

static int print_text(const char *path, struct romsim_blob *blob,
                      const struct romsim_pack_result *result, const char *digest)
{
    printf("%s: %s, %s", QUOTE(path), romsim_image_kind_name(result->kind),
           SIZE_TEXT(romsim_blob_size(blob)));
    if (result->files > 0)
        printf(", %llu file%s", (unsigned long long)result->files, result->files == 1 ? "" : "s");
    if (digest)
        printf(", sha256:%s", digest);
    if (romsim_blob_is_mostly_hole(blob))
        printf(", most of it a hole");
    putchar('\n');
    return CLI_OK;
}

static void print_notes(const struct romsim_pack_options *pack_options,
                        const struct romsim_pack_result *result)
{
    if (result->lost_xattrs > 0)
        cli_warn(
            "cpio has no place for extended attributes: %llu files and directories lost theirs",
            (unsigned long long)result->lost_xattrs);
    if (result->warning[0])
        cli_warn("%s", result->warning);
    if (pack_options->erofs.compress)
        print_ratio(result);
}

/* Standard output has the ROM alone. */
static int pack_to_stdout(const struct cli_args *args,
                          const struct romsim_pack_options *pack_options)
{
    struct romsim_pack_result result;
    struct romsim_error err = {0};
    CLEANUP_BLOB struct romsim_blob *blob =
        romsim_image_pack(cli_input(args->operands[0]), pack_options, -1, &result, &err);
    uint64_t size = blob ? romsim_blob_size(blob) : 0;

    if (!blob)
        return cli_report(&err);
    if (fwrite(romsim_blob_bytes(blob), 1, size, stdout) != size || fflush(stdout) != 0) {
        romsim_error_system(&err, errno, "cannot write the ROM");
        cli_report(&err);
        clearerr(stdout); /* main() need not say it again */
        return CLI_FAILED;
    }
    print_notes(pack_options, &result);
    return CLI_OK;
}

static int pack(const struct cli_args *args, const struct romsim_pack_options *pack_options)
{
    const char *path = cli_value(args, "output");
    CLEANUP_OUTPUT struct output output = {.fd = -1};
    CLEANUP_BLOB struct romsim_blob *blob = NULL;
    struct romsim_pack_result result;
    struct romsim_error err = {0};
    const char *digest;

    if (output_open(&output, path, &err) < 0)
        return cli_report(&err);
    blob = romsim_image_pack(cli_input(args->operands[0]), pack_options,
                             fcntl(output.fd, F_DUPFD_CLOEXEC, 3), &result, &err);
    if (!blob || output_commit(&output, &err) < 0)
        return cli_report(&err);
    print_notes(pack_options, &result);
    digest = digest_of(args, blob);
    return cli_has(args, "json") ? print_json(path, blob, &result, digest)
                                 : print_text(path, blob, &result, digest);
}

static int run(const struct cli_args *args)
{
    struct romsim_pack_options pack_options = {
        .erofs = {.inline_data = cli_has(args, "inline"),
                  .compress = cli_value(args, "compress"),
                  .no_verify = cli_has(args, "no-verify")},
    };

    if (!cli_value(args, "output"))
        return cli_usage(args, "where to? --output FILE is missing");
    if (parse_format(args, &pack_options.format) < 0 ||
        check_options(args, &pack_options) != CLI_OK)
        return CLI_USAGE;
    if (strcmp(cli_value(args, "output"), "-") == 0)
        return pack_to_stdout(args, &pack_options);
    return pack(args, &pack_options);
}

const struct cli_command cli_rom_pack = {
    .name = "pack",
    .operands = "DIR|FILE|-",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "make a ROM file from a directory, an archive or a file",
    .description = "The ROM is what the cloud's packer makes: root:root, modes and times kept,\n"
                   "padded to 4096 bytes.  Without --format a directory or tar archive becomes\n"
                   "EROFS, anything else stays what it is.  Compressed and inline images are for\n"
                   "your own use: the cloud packs plain ones.\n",
    .options = options,
    .run = run,
};
