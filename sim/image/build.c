/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * build.c: from a Kraftfile to an image.
 *
 * Theory of operation: for each target every source is packed (packed.c); what does not depend on
 * the platform is packed once.  Then all becomes one bundle of blobs (oci_write.c), which can be
 * written to several places.
 */
#include <romsim/bounds.h>
#include <romsim/build.h>

#include "sim/image/image.h"
#include "sim/image/oci_write.h"
#include "sim/image/packed.h"

#include <romsim/buffer.h>
#include <romsim/store.h>
#include <romsim/text.h>
#include <romsim/vector.h>

#include <errno.h>
#include <string.h>

/* A platform that is built for. */
struct platform {
    const char *os, *architecture;
    struct romsim_strings features; /* borrowed */
    const struct romsim_place *place;
};
DEFINE_VECTOR(platforms, struct platform)

/* One source, packed for one platform. */
struct part {
    const struct romsim_source *source;
    const struct platform *platform;
    bool is_rom;
    struct packed packed;
};

struct romsim_build {
    const struct romsim_kraftfile *kraftfile; /* borrowed */
    struct platforms platforms;
    struct part *parts; /* by platform, the root first */
    size_t part_count, parts_each;
    struct oci_bundle bundle;
};

void romsim_build_free(struct romsim_build *build)
{
    if (!build)
        return;
    for (size_t i = 0; i < build->part_count; i++)
        packed_release(&build->parts[i].packed);
    free(build->parts);
    platforms_reset(&build->platforms);
    oci_bundle_release(&build->bundle);
    free(build);
}

/* ---- platforms -------------------------------------------------------------------------- */

static int no_target(const struct romsim_kraftfile *kraftfile, struct romsim_error *err)
{
    romsim_error_set(err, EINVAL, "no platform targets specified");
    romsim_error_hint(err, "add 'targets: [kraftcloud/x86_64]', or use --arch x86_64");
    return image_error_at(err, &kraftfile->place);
}

/* The targets do not have the one architecture that is wanted. */
static int no_such_target(const struct romsim_kraftfile *kraftfile, const char *architecture,
                          struct romsim_error *err)
{
    CLEANUP_BUFFER struct romsim_buffer list = ROMSIM_BUFFER_INIT(400);

    for (size_t i = 0; i < kraftfile->target_count; i++)
        romsim_buffer_printf(&list, "%s%s/%s", i ? ", " : "", QUOTE(kraftfile->targets[i].platform),
                             kraftfile->targets[i].architecture);
    romsim_error_set(err, EINVAL, "no target with architecture %s: targets are %s", architecture,
                     list.data ? list.data : "");
    return image_error_at(err, &kraftfile->targets[0].place);
}

static bool same_strings(const struct romsim_strings *one, const struct romsim_strings *other)
{
    if (one->count != other->count)
        return false;
    for (size_t i = 0; i < one->count; i++)
        if (strcmp(one->items[i], other->items[i]) != 0)
            return false;
    return true;
}

/* Targets of one platform that differ in their kconfig are two. */
static bool has_target(const struct romsim_build *build, const struct romsim_target *target)
{
    for (size_t i = 0; i < build->platforms.count; i++)
        if (strcmp(build->platforms.items[i].os, target->platform) == 0 &&
            strcmp(build->platforms.items[i].architecture, target->architecture) == 0 &&
            same_strings(&build->platforms.items[i].features, &target->features))
            return true;
    return false;
}

static int add_target(struct romsim_build *build, const struct romsim_target *target,
                      struct romsim_diagnostics *diagnostics, struct romsim_error *err)
{
    struct romsim_error warning;
    struct platform platform = {.os = target->platform,
                                .architecture = target->architecture,
                                .features = target->features,
                                .place = &target->place};

    if (has_target(build, target)) {
        romsim_error_set(&warning, EEXIST, "Duplicate target %s/%s is built once",
                         QUOTE(target->platform), target->architecture);
        warning.place = target->place;
        romsim_diagnostics_add(diagnostics, &warning, 1);
        return 0;
    }
    if (build->platforms.count >= romsim_bound(ROMSIM_BOUND_TARGETS))
        return romsim_bound_refuse(err, ROMSIM_BOUND_TARGETS, "more than %zu targets",
                                   build->platforms.count);
    return platforms_append(&build->platforms, platform) < 0 ? romsim_error_nomem(err) : 0;
}

/* The Kraftfile's targets, of one architecture if it is given.  Without any, the cloud's packer
 * asks the runtime, which romsim takes for one of x86_64. */
static int choose_platforms(struct romsim_build *build, const char *architecture,
                            struct romsim_diagnostics *diagnostics, struct romsim_error *err)
{
    const struct romsim_kraftfile *kraftfile = build->kraftfile;
    struct platform platform = {.os = "kraftcloud",
                                .architecture = architecture ? architecture : "x86_64",
                                .place = &kraftfile->place};

    for (size_t i = 0; i < kraftfile->target_count; i++)
        if ((!architecture || strcmp(architecture, kraftfile->targets[i].architecture) == 0) &&
            add_target(build, &kraftfile->targets[i], diagnostics, err) < 0)
            return -1;
    if (build->platforms.count > 0)
        return 0;
    if (kraftfile->target_count > 0)
        return no_such_target(kraftfile, architecture, err);
    if (!architecture && !kraftfile->has_runtime)
        return no_target(kraftfile, err);
    return platforms_append(&build->platforms, platform) < 0 ? romsim_error_nomem(err) : 0;
}

static void warn_platforms(const struct romsim_build *build, struct romsim_diagnostics *diagnostics)
{
    struct romsim_error warning;

    for (size_t i = 0; i < build->platforms.count; i++) {
        const struct platform *platform = &build->platforms.items[i];

        if (strcmp(platform->os, "kraftcloud") == 0)
            continue;
        romsim_error_set(&warning, EINVAL, "the cloud does not run images for '%s'",
                         QUOTE(platform->os));
        romsim_error_hint(&warning, "kraftcloud/%s", platform->architecture);
        warning.place = *platform->place;
        romsim_diagnostics_add(diagnostics, &warning, 1);
    }
}

/* ---- parts ------------------------------------------------------------------------------ */

static int make_parts(struct romsim_build *build, struct romsim_error *err)
{
    const struct romsim_kraftfile *kraftfile = build->kraftfile;
    size_t roots = kraftfile->rootfs.path != NULL;

    build->parts_each = roots + kraftfile->rom_count;
    if (build->parts_each == 0) {
        romsim_error_set(err, EINVAL, "neither 'rootfs' nor 'roms': nothing to build");
        if (kraftfile->has_runtime)
            romsim_error_hint(err, "what a runtime has in it is in the cloud's registry only");
        return image_error_at(err, &kraftfile->place);
    }
    build->parts = calloc(build->parts_each * build->platforms.count, sizeof(*build->parts));
    if (!build->parts)
        return romsim_error_nomem(err);
    for (size_t i = 0; i < build->parts_each * build->platforms.count; i++) {
        size_t own = i % build->parts_each;
        struct part *part = &build->parts[build->part_count++];

        part->platform = &build->platforms.items[i / build->parts_each];
        part->is_rom = own >= roots;
        part->source = part->is_rom ? &kraftfile->roms[own - roots] : &kraftfile->rootfs;
    }
    return 0;
}

/* The packer runs the Kraftfile's command alone, where docker would append it to the ENTRYPOINT of
 * the root's own image: who knows docker has to be told. */
static void warn_entrypoint(const struct romsim_kraftfile *kraftfile, const struct part *part,
                            struct romsim_diagnostics *diagnostics)
{
    CLEANUP_BUFFER struct romsim_buffer words = ROMSIM_BUFFER_INIT(300);
    const struct romsim_strings *entrypoint = &part->packed.entrypoint;
    struct romsim_error warning;

    if (part->is_rom || kraftfile->cmd.count == 0 || entrypoint->count == 0)
        return;
    for (size_t i = 0; i < entrypoint->count; i++)
        romsim_buffer_printf(&words, "%s%s", i ? " " : "", QUOTE(entrypoint->items[i]));
    romsim_error_set(&warning, EINVAL, "'cmd' runs alone, without the ENTRYPOINT of '%s': %s%s",
                     QUOTE(part->source->path), words.data ? words.data : "",
                     words.failed ? "..." : "");
    romsim_error_hint(&warning, "begin 'cmd' with it, if it has to run");
    warning.place = kraftfile->cmd_place;
    romsim_diagnostics_add(diagnostics, &warning, 1);
}

static void warn_lost(const struct part *part, struct romsim_diagnostics *diagnostics)
{
    struct romsim_error warning;

    if (part->packed.lost_xattrs > 0) {
        romsim_error_set(
            &warning, EINVAL,
            "cpio has no place for extended attributes: %llu files of '%s' lost theirs",
            (unsigned long long)part->packed.lost_xattrs, QUOTE(part->source->path));
        warning.place = part->source->place;
        romsim_diagnostics_add(diagnostics, &warning, 1);
    }
    if (part->packed.warning) {
        romsim_error_set(&warning, EINVAL, "%s", part->packed.warning);
        warning.place = part->source->place;
        romsim_diagnostics_add(diagnostics, &warning, 1);
    }
}

/* The same part as it was packed for an earlier platform, if it fits this one, too. */
static const struct packed *packed_before(const struct romsim_build *build, size_t index)
{
    const struct part *part = &build->parts[index];

    for (size_t i = index % build->parts_each; i < index; i += build->parts_each) {
        const struct part *before = &build->parts[i];

        if (before->packed.blob &&
            (!before->packed.is_by_platform ||
             strcmp(before->platform->architecture, part->platform->architecture) == 0))
            return &before->packed;
    }
    return NULL;
}

static int pack_part(struct romsim_build *build, size_t index, int log_fd,
                     struct romsim_diagnostics *diagnostics)
{
    struct part *part = &build->parts[index];
    const struct packed *before = packed_before(build, index);
    struct packing packing = {.directory = build->kraftfile->directory,
                              .architecture = part->platform->architecture,
                              .log_fd = log_fd};
    struct romsim_error error = {0};

    if (before && packed_copy(before, &part->packed) == 0)
        return 0;
    if (before) {
        romsim_error_nomem(&error);
    } else if (packed_make(&packing, part->source, part->is_rom, &part->packed, &error) == 0) {
        warn_lost(part, diagnostics);
        warn_entrypoint(build->kraftfile, part, diagnostics);
        return 0;
    }
    romsim_diagnostics_add(diagnostics, &error, 0);
    return -1;
}

static int pack_parts(struct romsim_build *build, int log_fd,
                      struct romsim_diagnostics *diagnostics)
{
    int status = 0;

    for (size_t i = 0; i < build->part_count; i++) {
        /* What is wrong for the first platform is not tried again for the others. */
        if (i == build->parts_each && status < 0)
            return -1;
        if (pack_part(build, i, log_fd, diagnostics) < 0)
            status = -1;
    }
    return status;
}

/* ---- the image -------------------------------------------------------------------------- */

/* What a platform's recipe borrows from. */
struct ingredients {
    struct romsim_strings env; /* owned */
    struct romsim_blob **roms; /* owned array of borrowed blobs */
};

static bool is_set(const struct romsim_kraftfile *kraftfile, const char *pair)
{
    size_t size = strcspn(pair, "=");

    for (size_t i = 0; i < kraftfile->env_count; i++)
        if (strlen(kraftfile->env[i].name) == size &&
            memcmp(kraftfile->env[i].name, pair, size) == 0)
            return true;
    return false;
}

/* The Kraftfile's variables, then those of the root's own image that it does not set anew. */
static int merge_env(const struct romsim_kraftfile *kraftfile, struct romsim_strings *own,
                     struct romsim_strings *ret)
{
    if (romsim_strings_last_of_each(own) < 0)
        return -1;
    for (size_t i = 0; i < kraftfile->env_count; i++) {
        char *pair;

        if (asprintf(&pair, "%s=%s", kraftfile->env[i].name, kraftfile->env[i].value) < 0 ||
            romsim_strings_take(ret, pair) < 0)
            return -1;
    }
    for (size_t i = 0; i < own->count; i++)
        if (!is_set(kraftfile, own->items[i]) && romsim_strings_append(ret, own->items[i]) < 0)
            return -1;
    return 0;
}

static int make_recipe(struct romsim_build *build, size_t index, struct oci_recipe *ret,
                       struct ingredients *ingredients)
{
    const struct romsim_kraftfile *kraftfile = build->kraftfile;
    const struct platform *platform = &build->platforms.items[index];
    struct packed nothing = {0};
    struct packed *root = &nothing;

    ingredients->roms = calloc(build->parts_each, sizeof(struct romsim_blob *));
    if (!ingredients->roms)
        return -1;
    *ret = (struct oci_recipe){.os = platform->os,
                               .architecture = platform->architecture,
                               .features = platform->features,
                               .roms = ingredients->roms};
    for (size_t i = 0; i < build->parts_each; i++) {
        struct part *part = &build->parts[index * build->parts_each + i];

        if (part->is_rom)
            ingredients->roms[ret->rom_count++] = part->packed.blob;
        else
            root = &part->packed;
    }
    if (merge_env(kraftfile, &root->env, &ingredients->env) < 0)
        return -1;
    ret->root = root->blob;
    if (kraftfile->cmd.count == 0)
        ret->entrypoint = root->entrypoint;
    ret->cmd = kraftfile->has_cmd ? kraftfile->cmd : root->cmd;
    ret->env = ingredients->env;
    ret->working_dir = root->working_dir;
    ret->labels = kraftfile->labels;
    ret->label_count = kraftfile->label_count;
    return 0;
}

static int make_bundle(struct romsim_build *build, struct romsim_error *err)
{
    size_t count = build->platforms.count;
    CLEANUP_FREE struct oci_recipe *recipes = calloc(count, sizeof(*recipes));
    CLEANUP_FREE struct ingredients *ingredients = calloc(count, sizeof(*ingredients));
    int status = recipes && ingredients ? 0 : romsim_error_nomem(err);

    for (size_t i = 0; status == 0 && i < count; i++)
        if (make_recipe(build, i, &recipes[i], &ingredients[i]) < 0)
            status = romsim_error_nomem(err);
    if (status == 0)
        status = oci_bundle_make(recipes, count, &build->bundle, err);
    for (size_t i = 0; ingredients && i < count; i++) {
        romsim_strings_clear(&ingredients[i].env);
        free(ingredients[i].roms);
    }
    return status;
}

struct romsim_build *romsim_build_run(const struct romsim_kraftfile *kraftfile,
                                      const struct romsim_build_options *options,
                                      struct romsim_diagnostics *diagnostics)
{
    CLEANUP_BUILD struct romsim_build *build = calloc(1, sizeof(*build));
    struct romsim_error error = {0};
    int status = build ? 0 : romsim_error_nomem(&error);

    if (status == 0) {
        build->kraftfile = kraftfile;
        status = choose_platforms(build, options->architecture, diagnostics, &error);
    }
    if (status == 0) {
        warn_platforms(build, diagnostics);
        status = make_parts(build, &error);
    }
    if (status == 0 && pack_parts(build, options->log_fd, diagnostics) < 0)
        return NULL;
    if (status == 0)
        status = make_bundle(build, &error);
    if (status < 0) {
        romsim_diagnostics_add(diagnostics, &error, 0);
        return NULL;
    }
    return STEAL_POINTER(&build);
}

/* ---- what came of it -------------------------------------------------------------------- */

const char *romsim_build_digest(const struct romsim_build *build)
{
    return oci_bundle_digest(&build->bundle);
}

size_t romsim_build_part_count(const struct romsim_build *build)
{
    return build->part_count;
}

void romsim_build_part(const struct romsim_build *build, size_t index,
                       struct romsim_build_part *ret)
{
    const struct part *part = &build->parts[index];

    *ret = (struct romsim_build_part){.source = part->source->path,
                                      .is_rom = part->is_rom,
                                      .kind = part->packed.kind,
                                      .architecture = part->platform->architecture,
                                      .files = part->packed.files,
                                      .size = romsim_blob_size(part->packed.blob),
                                      .sha256 = romsim_blob_sha256_hex(part->packed.blob)};
}

int romsim_build_to_store(const struct romsim_build *build, struct romsim_store *store,
                          const char *name, struct romsim_error *err)
{
    const json_t *top = build->bundle.top;

    for (size_t i = 0; i < build->bundle.blobs.count; i++)
        if (romsim_store_add(store, build->bundle.blobs.items[i], err) < 0)
            return -1;
    return romsim_store_tag(store, name, json_string_value(json_object_get(top, "mediaType")),
                            oci_bundle_digest(&build->bundle),
                            (uint64_t)json_integer_value(json_object_get(top, "size")), err);
}

int romsim_build_to_layout(const struct romsim_build *build, const char *path, const char *tag,
                           struct romsim_error *err)
{
    return oci_bundle_write_layout(&build->bundle, path, tag, err);
}

int romsim_build_to_archive(const struct romsim_build *build, const char *path, const char *tag,
                            struct romsim_error *err)
{
    return oci_bundle_write_archive(&build->bundle, path, tag, err);
}
