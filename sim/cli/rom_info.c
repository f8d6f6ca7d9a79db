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
#include <sys/stat.h>

/* The same lines as text or as members of an object. */
struct info {
    json_t *json; /* or NULL */
};

/* A text's key as JSON's: "block size" is "block_size". */
static void set_member(json_t *object, const char *key, json_t *value)
{
    char name[32];
    size_t size = 0;

    for (; key[size] && size + 1 < sizeof(name); size++)
        name[size] = key[size] == ' ' ? '_' : key[size];
    name[size] = '\0';
    json_object_set_new(object, name, value);
}

static void say(const struct info *info, const char *key, json_t *value, const char *meaning,
                const char *format, ...) __attribute__((format(printf, 5, 6)));

static void say(const struct info *info, const char *key, json_t *value, const char *meaning,
                const char *format, ...)
{
    va_list arguments;

    if (info->json) {
        set_member(info->json, key, value);
        return;
    }
    json_decref(value);
    printf("%18s: ", key);
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

static void say_hex(const struct info *info, const char *key, uint32_t value, const char *meaning)
{
    char hex[16];

    snprintf(hex, sizeof(hex), "0x%08x", value);
    say_text(info, key, hex, meaning);
}

/* ---- the superblock ----------------------------------------------------------------------- */

/* "compr_cfgs, big_pcluster": some bits have two names. */
static json_t *json_names(const char *names)
{
    json_t *list = json_array();

    while (*names) {
        size_t size = strcspn(names, ",");

        json_array_append_new(list, json_stringn(names, size));
        names += size;
        names += strspn(names, ", ");
    }
    return list;
}

static void say_unknown(json_t *list, uint32_t bits, bool incompatible)
{
    const char *meaning = incompatible ? "unknown; required" : "unknown";

    for (unsigned i = 0; i < 32; i++) {
        char hex[16];

        if (!(bits >> i & 1))
            continue;
        snprintf(hex, sizeof(hex), "0x%08x", UINT32_C(1) << i);
        if (list)
            json_array_append_new(list, json_pack("{s:[s], s:s, s:b}", "names", hex, "meaning",
                                                  "unknown", "required", incompatible));
        else
            printf("%18s: %s  (%s)\n", "feature", hex, meaning);
    }
}

static void say_features(const struct info *info, const struct romsim_erofs_super *super)
{
    json_t *list = info->json ? json_array() : NULL;
    const char *name, *meaning;
    uint32_t compat, incompat;
    bool incompatible;

    say_hex(info, "feature compat", super->feature_compat, "what readers may ignore");
    say_hex(info, "feature incompat", super->feature_incompat, "what readers must know");
    for (size_t i = 0; (name = romsim_erofs_feature(super, i, &meaning, &incompatible)); i++) {
        if (list)
            json_array_append_new(list, json_pack("{s:o, s:s, s:b}", "names", json_names(name),
                                                  "meaning", meaning, "required", incompatible));
        else
            printf("%18s: %s  (%s%s)\n", "feature", name, meaning,
                   incompatible ? "; required" : "");
    }
    romsim_erofs_unknown_features(super, &compat, &incompat);
    say_unknown(list, compat, false);
    say_unknown(list, incompat, true);
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

static void say_checksum(const struct info *info, const struct romsim_erofs_super *super,
                         struct romsim_blob *blob)
{
    uint32_t computed;
    bool known = romsim_erofs_checksum(blob, &computed);

    say_hex(info, "checksum", super->checksum,
            known ? "of the superblock's block, CRC-32C" : "not one that can be computed");
    if (known && computed != super->checksum)
        say_hex(info, "computed checksum", computed, "what it should be by the block's bytes");
}

static void say_block_size(const struct info *info, const struct romsim_erofs_super *super)
{
    if (super->block_bits < 32)
        say_number(info, "block size", UINT64_C(1) << super->block_bits, "bytes");
    else
        say(info, "block size", json_null(), "", "2^%u", super->block_bits);
    if (super->directory_block_bits)
        say_number(info, "dir block bits", super->directory_block_bits,
                   "directories have larger blocks");
}

static void say_nid(const struct info *info, const char *key, uint64_t nid, const char *meaning)
{
    bool in_metabox = romsim_rom_in_metabox(nid);
    char in_metabox_key[48];

    snprintf(in_metabox_key, sizeof(in_metabox_key), "%s in metabox", key);
    say_number(info, key, romsim_rom_nid(nid), in_metabox ? "in the metabox" : meaning);
    if (info->json && in_metabox)
        set_member(info->json, in_metabox_key, json_true());
}

static void say_lz4(const struct info *info, const struct romsim_erofs_super *super)
{
    uint64_t distance = super->lz4_max_distance ? super->lz4_max_distance : 65536;
    uint64_t blocks = super->lz4_max_pcluster_blocks ? super->lz4_max_pcluster_blocks : 1;

    say_number(info, "lz4 max distance", distance, "bytes; how far a match may reach back");
    if (super->block_bits < 32)
        say_number(info, "lz4 max pcluster", blocks << super->block_bits, "bytes");
}

static void say_compression(const struct info *info, const struct romsim_erofs_super *super)
{
    enum { ZERO_PADDING = 1, COMPR_CFGS = 2, LZ4 = 1 };

    if (super->feature_incompat & COMPR_CFGS)
        say_hex(info, "available algs", super->available_algorithms,
                "bits: 1 lz4, 2 lzma, 4 deflate, 8 zstd");
    if (super->feature_incompat & COMPR_CFGS ? super->available_algorithms & LZ4
                                             : super->feature_incompat & ZERO_PADDING)
        say_lz4(info, super);
}

static void say_build_time(const struct info *info, const struct romsim_erofs_super *super)
{
    const struct romsim_erofs_inode build = {.mtime = super->build_time,
                                             .mtime_nsec = super->build_time_nsec};
    char time[ROM_TIME_SIZE];

    say_text(info, "build time",
             info->json ? rom_time_iso(&build, time) : rom_time_text(&build, true, time),
             "UTC; compact inodes have this time");
}

static void say_super(const struct info *info, const struct romsim_erofs_super *super,
                      struct romsim_blob *blob)
{
    say_checksum(info, super, blob);
    say_block_size(info, super);
    say_number(info, "blocks", super->blocks, "as the image says; for statfs");
    say_number(info, "inodes", super->inodes, "as the image says; for statfs");
    say_nid(info, "root nid", super->root_nid, "nid * 32 from the meta block on is an inode");
    say_number(info, "meta block", super->meta_block, "from where nids count");
    say_number(info, "xattr block", super->xattr_block, "where shared xattrs are");
    say_build_time(info, super);
    say_uuid(info, super->uuid);
    say_text(info, "volume name", super->volume_name, "");
    if (super->extra_devices)
        say_number(info, "extra devices", super->extra_devices, "that have data of this image");
    if (super->packed_nid)
        say_nid(info, "packed nid", super->packed_nid, "the inode of fragments");
    if (super->metabox_nid)
        say_nid(info, "metabox nid", super->metabox_nid, "the inode of metadata");
    if (super->xattr_prefixes)
        say_number(info, "xattr prefixes", super->xattr_prefixes, "long ones");
    say_compression(info, super);
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
            printf("%18s: %s, %s\n", "layout", name,
                   COUNT_TEXT(census->layouts[i], "inode", "inodes"));
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
            printf("%18s: %s, %s, %s to %s (%.0f %%)\n", "compression", name,
                   COUNT_TEXT(census->pclusters[i], "extent", "extents"), SIZE_TEXT(decoded),
                   SIZE_TEXT(encoded), decoded ? 100.0 * encoded / decoded : 0);
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

static void say_warning(void *context, const char *message)
{
    const struct info *info = context;

    if (info->json)
        json_array_append_new(json_object_get(info->json, "warnings"), json_string(message));
    else
        printf("%18s: %s\n", "warning", message);
}

/* Of anything but an EROFS image that can be opened, which has more to be warned of. */
static void warn_of_size(const struct info *info, uint64_t size)
{
    if (!size)
        say_warning((void *)info, "it is empty: the cloud rejects such a ROM");
    if (size % 4096)
        say_warning((void *)info,
                    "its size is no multiple of 4096 bytes: the cloud rejects such a ROM");
}

static void say_automount(const struct info *info, const char *reason)
{
    say(info, "automount", json_boolean(!reason), "", "%s%s", reason ? "no: " : "yes",
        reason ? reason : "");
    if (info->json && reason)
        json_object_set_new(info->json, "reason", json_string(reason));
}

static void say_file(const struct info *info, const char *file, struct romsim_blob *blob,
                     enum romsim_image_kind kind)
{
    const char *digest = romsim_blob_sha256_shown(blob);
    uint64_t size = romsim_blob_size(blob);

    if (info->json)
        rom_json_set(info->json, "file", file, strlen(file));
    else
        say_text(info, "file", file, "");
    say_text(info, "kind", romsim_image_kind_name(kind), "");
    say_number(info, "size", size, "bytes");
    if (digest)
        say_text(info, "sha256", digest, "");
    else
        say(info, "sha256", json_null(), "", "not computed: %s, most of it a hole",
            SIZE_TEXT(size));
}

/* What can be said of an image that cannot be opened: all but what is inside. */
static int say_unopened(const struct info *info, const char *file, struct romsim_blob *blob,
                        const struct romsim_erofs_super *super, struct romsim_error *error)
{
    if (info->json)
        json_object_set_new(info->json, "error", json_string(error->message));
    say_automount(info, error->message);
    say_super(info, super, blob);
    warn_of_size(info, romsim_blob_size(blob));
    if (error->errnum == EUCLEAN)
        romsim_error_hint(error, ROM_HINT_CHECK);
    return rom_report(file, error);
}

static int say_erofs(const struct info *info, const char *file, struct romsim_blob *blob)
{
    struct romsim_error error = {0};
    CLEANUP_EROFS struct romsim_erofs *erofs = romsim_erofs_open(blob, &error);
    struct romsim_erofs_census census;
    struct romsim_erofs_super super;
    const char *problem;
    char reason[128];

    if (romsim_erofs_peek(blob, &super, &error) < 0)
        return rom_report(file, &error);
    if (!erofs || romsim_erofs_census(erofs, &census, &error) < 0)
        return say_unopened(info, file, blob, &super, &error);
    problem = romsim_image_mount_problem(blob, ROMSIM_IMAGE_EROFS);
    if (problem)
        snprintf(reason, sizeof(reason), "it %s", problem);
    say_automount(info, problem ? reason : NULL);
    say_super(info, &super, blob);
    say_census(info, &census);
    if (census.errors)
        say_number(info, "damage", census.errors, "'romsim rom check' tells what it is");
    romsim_erofs_cloud_warnings(blob, say_warning, (void *)info, NULL);
    return CLI_OK;
}

static void say_other(const struct info *info, struct romsim_blob *blob, bool is_cpio)
{
    say_automount(info, is_cpio ? "`at` mounts EROFS only; read it with "
                                  "'cpio -id < /dev/ukp_rom_NAME'"
                                : "`at` mounts EROFS only; the app reads the device itself");
    warn_of_size(info, romsim_blob_size(blob));
}

static int run_info(const struct cli_args *args)
{
    const char *file = args->operands[0];
    CLEANUP_BLOB struct romsim_blob *blob = rom_blob(file);
    struct info info = {.json = blob && cli_has(args, "json") ? json_object() : NULL};
    enum romsim_image_kind kind;
    int status = CLI_OK;

    if (!blob)
        return CLI_FAILED;
    if (info.json)
        json_object_set_new(info.json, "warnings", json_array());
    kind = romsim_image_probe(blob);
    say_file(&info, file, blob, kind);
    if (kind == ROMSIM_IMAGE_EROFS)
        status = say_erofs(&info, file, blob);
    else
        say_other(&info, blob, kind == ROMSIM_IMAGE_CPIO);
    if (info.json && cli_print_json(info.json) != CLI_OK)
        return CLI_FAILED;
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
        "what the image is made of, and what the cloud would trip on.  Of an image that\n"
        "cannot be opened its superblock all the same, the reason, and exit status 1.\n",
    .options = options,
    .run = run_info,
};
