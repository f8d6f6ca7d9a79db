/* SPDX-License-Identifier: BSD-3-Clause */
/* rom_info.c: `romsim rom info`: what a ROM is, the superblock field by field, what is inside. */
#include "sim/cli/rom.h"

#include <romsim/erofs_check.h>
#include <romsim/image.h>
#include <romsim/text.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The same lines as text or as members of an object. */
struct info {
    json_t *json; /* or NULL */
};

static void say(const struct info *info, const char *key, json_t *value, const char *meaning,
                const char *format, ...) __attribute__((format(printf, 5, 6)));

static void say(const struct info *info, const char *key, json_t *value, const char *meaning,
                const char *format, ...)
{
    va_list arguments;

    if (info->json) {
        json_object_set_new(info->json, key, value);
        return;
    }
    json_decref(value);
    printf("%14s: ", key);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("%s%s%s\n", *meaning ? "  (" : "", meaning, *meaning ? ")" : "");
}

static void say_number(const struct info *info, const char *key, uint64_t value,
                       const char *meaning)
{
    say(info, key, json_integer((json_int_t)value), meaning, "%llu", (unsigned long long)value);
}

static void say_text(const struct info *info, const char *key, const char *value,
                     const char *meaning)
{
    say(info, key, rom_json_text(value, strlen(value)), meaning, "%s", QUOTE(value));
}

/* ---- the superblock ----------------------------------------------------------------------- */

static void say_features(const struct info *info, const struct romsim_erofs_super *super)
{
    json_t *list = info->json ? json_array() : NULL;
    const char *name, *meaning;
    bool incompatible;

    for (size_t i = 0; (name = romsim_erofs_feature(super, i, &meaning, &incompatible)); i++) {
        if (list)
            json_array_append_new(list, json_pack("{s:s, s:s, s:b}", "name", name, "meaning",
                                                  meaning, "required", incompatible));
        else
            printf("%14s: %s  (%s%s)\n", "feature", name, meaning,
                   incompatible ? "; required" : "");
    }
    if (list)
        json_object_set_new(info->json, "features", list);
}

static void say_uuid(const struct info *info, const uint8_t uuid[16])
{
    char hex[33], text[37];

    romsim_text_hex(uuid, 16, hex);
    snprintf(text, sizeof(text), "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
             hex + 20);
    say_text(info, "uuid", text, "");
}

static void say_super(const struct info *info, const struct romsim_erofs_super *super)
{
    const struct romsim_erofs_inode build = {.mtime = super->build_time,
                                             .mtime_nsec = super->build_time_nsec};
    char time[ROM_TIME_SIZE], checksum[16];

    snprintf(checksum, sizeof(checksum), "0x%08x", super->checksum);
    say_text(info, "checksum", checksum, "of the superblock's block, CRC-32C");
    say_number(info, "block size", UINT64_C(1) << super->block_bits, "bytes");
    say_number(info, "blocks", super->blocks, "as the image says; for statfs");
    say_number(info, "inodes", super->inodes, "as the image says; for statfs");
    say_number(info, "root nid", super->root_nid, "nid * 32 is an inode's place");
    say_number(info, "meta block", super->meta_block, "from where nids count");
    say_number(info, "xattr block", super->xattr_block, "where shared xattrs are");
    say_text(info, "build time", rom_time_text(&build, true, time),
             "UTC; compact inodes have this time");
    say_uuid(info, super->uuid);
    say_text(info, "volume name", super->volume_name, "");
    if (super->packed_nid)
        say_number(info, "packed nid", super->packed_nid, "the inode of fragments");
    if (super->metabox_nid)
        say_number(info, "metabox nid", super->metabox_nid, "the inode of metadata");
    say_features(info, super);
}

/* ---- what is inside ----------------------------------------------------------------------- */

static void say_layouts(const struct info *info, const struct romsim_erofs_census *census)
{
    json_t *object = info->json ? json_object() : NULL;

    for (unsigned i = 0; i < ROMSIM_EROFS_LAYOUTS; i++) {
        const char *name = romsim_erofs_layout_name(i);

        if (!census->layouts[i])
            continue;
        if (object)
            json_object_set_new(object, name, json_integer((json_int_t)census->layouts[i]));
        else
            printf("%14s: %s, %llu inodes\n", "layout", name,
                   (unsigned long long)census->layouts[i]);
    }
    if (object)
        json_object_set_new(info->json, "layouts", object);
}

static void say_algorithms(const struct info *info, const struct romsim_erofs_census *census)
{
    json_t *object = info->json ? json_object() : NULL;

    for (unsigned i = 0; i < ROMSIM_EROFS_ALGORITHMS; i++) {
        const char *name = romsim_erofs_algorithm_name(i);
        uint64_t encoded = census->encoded_bytes[i], decoded = census->decoded_bytes[i];

        if (!census->pclusters[i])
            continue;
        if (object)
            json_object_set_new(object, name,
                                json_pack("{s:I, s:I, s:I}", "extents",
                                          (json_int_t)census->pclusters[i], "encoded",
                                          (json_int_t)encoded, "decoded", (json_int_t)decoded));
        else
            printf("%14s: %s, %llu extents, %s to %s (%.0f %%)\n", "compression", name,
                   (unsigned long long)census->pclusters[i], SIZE_TEXT(decoded), SIZE_TEXT(encoded),
                   decoded ? 100.0 * encoded / decoded : 0);
    }
    if (object)
        json_object_set_new(info->json, "algorithms", object);
}

static void say_census(const struct info *info, const struct romsim_erofs_census *census)
{
    say_number(info, "directories", census->directories, "");
    say_number(info, "files", census->files, "regular ones");
    say_number(info, "symlinks", census->symlinks, "");
    say_number(info, "specials", census->specials, "devices, fifos, sockets");
    say_number(info, "names", census->names, "with hard links");
    say_number(info, "extended", census->extended, "inodes of 64 bytes, the others have 32");
    say_number(info, "with xattrs", census->with_xattrs, "inodes");
    say_number(info, "data", census->data_bytes, "bytes of regular files");
    if (census->hole_bytes)
        say_number(info, "holes", census->hole_bytes, "bytes of them");
    if (census->inline_bytes)
        say_number(info, "inline", census->inline_bytes, "bytes behind inodes");
    if (census->fragments)
        say_number(info, "fragments", census->fragments, "files that end in the packed inode");
    say_layouts(info, census);
    say_algorithms(info, census);
}

/* ---- the command -------------------------------------------------------------------------- */

static const char *automount_text(enum romsim_image_kind kind)
{
    switch (kind) {
    case ROMSIM_IMAGE_EROFS:
        return "yes";
    case ROMSIM_IMAGE_CPIO:
        return "no: `at` mounts EROFS only; read it with 'cpio -id < /dev/ukp_rom_NAME'";
    case ROMSIM_IMAGE_RAW:
        return "no: `at` mounts EROFS only; the app reads the device itself";
    }
    return "no";
}

static void say_warning(void *context, const char *message)
{
    const struct info *info = context;

    if (info->json)
        json_array_append_new(json_object_get(info->json, "warnings"), json_string(message));
    else
        printf("%14s: %s\n", "warning", message);
}

static int say_erofs(const struct info *info, const char *file, struct romsim_blob *blob)
{
    struct romsim_error error = {0};
    CLEANUP_EROFS struct romsim_erofs *erofs = romsim_erofs_open(blob, &error);
    struct romsim_erofs_census census;
    struct romsim_erofs_super super;

    if (!erofs || romsim_erofs_census(erofs, &census, &error) < 0)
        return rom_report(file, &error);
    romsim_erofs_super(erofs, &super);
    say_super(info, &super);
    say_census(info, &census);
    if (census.errors) {
        say_number(info, "damage", census.errors, "findings; 'romsim rom check' tells them");
    }
    romsim_erofs_cloud_warnings(blob, say_warning, (void *)info, NULL);
    return CLI_OK;
}

static int run_info(const struct cli_args *args)
{
    const char *file = args->operands[0];
    CLEANUP_BLOB struct romsim_blob *blob = rom_blob(file);
    struct info info = {.json = cli_has(args, "json") ? json_object() : NULL};
    enum romsim_image_kind kind;
    int status = CLI_OK;

    if (!blob) {
        json_decref(info.json);
        return CLI_FAILED;
    }
    if (info.json)
        json_object_set_new(info.json, "warnings", json_array());
    kind = romsim_image_probe(blob);
    say_text(&info, "file", file, "");
    say_text(&info, "kind", romsim_image_kind_name(kind), "");
    say_number(&info, "size", romsim_blob_size(blob),
               romsim_blob_size(blob) % 4096 ? "not a multiple of 4096: the cloud rejects it"
                                             : "bytes");
    say_text(&info, "sha256", romsim_blob_sha256_hex(blob), "");
    say_text(&info, "automount", automount_text(kind), "");
    if (kind == ROMSIM_IMAGE_EROFS)
        status = say_erofs(&info, file, blob);
    if (info.json && status == CLI_OK)
        return cli_print_json(info.json);
    json_decref(info.json);
    return status;
}

static const struct cli_option options[] = {CLI_OPTION_JSON, CLI_OPTION_END};

const struct cli_command cli_rom_info = {
    .name = "info",
    .operands = "FILE",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "tell what a ROM is, and what is in its superblock",
    .description =
        "For EROFS images every field of the superblock with its meaning, the features,\n"
        "what the image is made of, and what the cloud would trip on.\n",
    .options = options,
    .run = run_info,
};
