/* SPDX-License-Identifier: BSD-3-Clause */
/* image_build.c: `romsim image build`: an image from a Kraftfile. */
#include "sim/cli/image.h"

#include <romsim/arch.h>
#include <romsim/build.h>
#include <romsim/kraftfile.h>
#include <romsim/text.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { TAG_MAX = 128 };

static const struct cli_option options[] = {
    {"tag", 't', "REF", "the image's name: [registry/]org/name[:tag]"},
    {"arch", 0, "x86_64|arm64", "only the targets of this one"},
    {"output", 'o', "WHERE", "oci:DIR[:TAG], or a tar FILE, not the local store"},
    IMAGE_OPTION_SHARED,
    CLI_OPTION_JSON,
    CLI_OPTION_END,
};

/* Where the image goes. */
struct destination {
    char *name;    /* in the store; NULL: not there */
    char *layout;  /* a folder, or NULL */
    char *archive; /* a file, or NULL */
    char *tag;     /* in the layout or archive */
};

static void destination_release(struct destination *destination)
{
    free(destination->name);
    free(destination->layout);
    free(destination->archive);
    free(destination->tag);
}

/* ---- the command line ------------------------------------------------------------------- */

/* The tag of a name that has one (all do after romsim_store_normalize()). */
static const char *tag_of(const char *name)
{
    const char *colon = name ? strrchr(name, ':') : NULL;

    return colon && !strchr(colon, '/') ? colon + 1 : "latest";
}

/* oci:DIR[:TAG]; the colon of a tag comes after the last '/'. */
static void read_layout(const char *text, struct destination *ret)
{
    const char *colon = strrchr(text, ':');

    if (!colon || colon == text || strchr(colon, '/')) {
        ret->layout = strdup(text);
        return;
    }
    ret->layout = strndup(text, (size_t)(colon - text));
    free(ret->tag);
    ret->tag = strdup(colon + 1);
}

/* The tags that a registry takes (OCI distribution-spec, "Pulling manifests"). */
static bool is_tag(const char *text)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    size_t size = strlen(text);

    return size > 0 && size <= TAG_MAX && text[0] != '.' && text[0] != '-' &&
           strspn(text, allowed) == size;
}

static int read_output(const struct cli_args *args, const char *output, struct destination *ret)
{
    static const char prefix[] = "oci:";
    bool is_layout = strncmp(output, prefix, strlen(prefix)) == 0;

    if (is_layout)
        read_layout(output + strlen(prefix), ret);
    else
        ret->archive = strdup(output);
    if (!*output || (is_layout && (!ret->layout || !*ret->layout)))
        return cli_usage(args, "'%s' names no %s", QUOTE(output), is_layout ? "folder" : "file");
    if (!ret->tag || !is_tag(ret->tag))
        return cli_usage(args, "'%s' cannot be a tag: letters, digits, '_', '.' and '-'",
                         QUOTE(ret->tag ? ret->tag : ""));
    return CLI_OK;
}

static int read_destination(const struct cli_args *args, struct destination *ret)
{
    const char *name = cli_value(args, "tag"), *output = cli_value(args, "output");
    struct romsim_error error;

    if (!name && cli_has(args, "shared"))
        return cli_usage(args, "--shared wants --tag REF, the image's name there");
    if (output && cli_has(args, "shared"))
        return cli_usage(args, "--shared is one place for it, --output another");
    if (!name && !output)
        return cli_usage(args, "where to? --tag REF or --output WHERE is missing");
    if (name && strchr(name, '@'))
        return cli_usage(args, "'%s' has a digest, which only the build can tell", QUOTE(name));
    if (name) {
        ret->name = romsim_store_normalize(name, &error);
        if (!ret->name)
            return cli_report(&error);
    }
    ret->tag = strdup(tag_of(ret->name));
    return output ? read_output(args, output, ret) : CLI_OK;
}

static int read_options(const struct cli_args *args, struct romsim_build_options *ret)
{
    const char *architecture = cli_value(args, "arch");

    ret->log_fd = isatty(STDERR_FILENO) ? STDERR_FILENO : -1;
    ret->architecture = architecture ? romsim_architecture(architecture) : NULL;
    if (architecture && !ret->architecture)
        return cli_usage(args, "unknown architecture '%s': x86_64 or arm64", QUOTE(architecture));
    if (architecture)
        romsim_arch_set(romsim_arch_find(architecture)); /* images are its sources, too */
    return CLI_OK;
}

/* ---- the result ------------------------------------------------------------------------- */

static int print_text(const struct romsim_build *build, const char *where)
{
    static const char *const headings[] = {"PART",   "SOURCE", "ARCH",   "FORMAT",
                                           ">FILES", ">SIZE",  "SHA256", NULL};
    CLEANUP_TABLE struct cli_table *table = cli_table_new(headings);
    struct romsim_build_part part;
    char files[24];

    for (size_t i = 0; i < romsim_build_part_count(build); i++) {
        romsim_build_part(build, i, &part);
        snprintf(files, sizeof(files), "%llu", (unsigned long long)part.files);
        cli_table_row(table, (const char *[]){part.is_rom ? "rom" : "rootfs", part.source,
                                              part.architecture, romsim_image_kind_name(part.kind),
                                              part.files ? files : "-", SIZE_TEXT(part.size),
                                              part.sha256, NULL});
    }
    cli_table_print(table);
    printf("%s %s\n", QUOTE(where), romsim_build_digest(build));
    return CLI_OK;
}

static int print_json(const struct romsim_build *build, const char *where)
{
    json_t *parts = json_array();
    struct romsim_build_part part;

    for (size_t i = 0; i < romsim_build_part_count(build); i++) {
        romsim_build_part(build, i, &part);
        json_array_append_new(parts, json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:s}", "part",
                                               part.is_rom ? "rom" : "rootfs", "source",
                                               part.source, "architecture", part.architecture,
                                               "format", romsim_image_kind_name(part.kind), "files",
                                               (json_int_t)part.files, "size",
                                               (json_int_t)part.size, "sha256", part.sha256));
    }
    return cli_print_json(json_pack("{s:s, s:s, s:o}", "image", where, "digest",
                                    romsim_build_digest(build), "parts", parts));
}

static int write_to_store(const struct cli_args *args, const struct romsim_build *build,
                          const char *name, struct romsim_error *err)
{
    CLEANUP_STORE struct romsim_store *store = image_store(args, false, err);

    return store ? romsim_build_to_store(build, store, name, err) : -1;
}

static int write_to(const struct cli_args *args, const struct romsim_build *build,
                    const struct destination *destination, struct romsim_error *err)
{
    if (destination->layout)
        return romsim_build_to_layout(build, destination->layout, destination->tag, err);
    if (destination->archive)
        return romsim_build_to_archive(build, destination->archive, destination->tag, err);
    return write_to_store(args, build, destination->name, err);
}

/* ---- the command ------------------------------------------------------------------------ */

static struct romsim_build *build_project(const char *path, struct romsim_kraftfile *kraftfile,
                                          const struct romsim_build_options *build_options)
{
    struct romsim_diagnostics diagnostics = {0};
    struct romsim_build *build = NULL;

    if (romsim_kraftfile_load(path, kraftfile, &diagnostics) == 0)
        build = romsim_build_run(kraftfile, build_options, &diagnostics);
    cli_report_all(&diagnostics);
    romsim_diagnostics_clear(&diagnostics);
    return build;
}

static int run(const struct cli_args *args)
{
    CLEANUP(destination_release) struct destination destination = {0};
    CLEANUP_KRAFTFILE struct romsim_kraftfile kraftfile = {0};
    CLEANUP_BUILD struct romsim_build *build = NULL;
    struct romsim_build_options build_options;
    struct romsim_error error;
    const char *where;
    int status = read_options(args, &build_options);

    if (status == CLI_OK)
        status = read_destination(args, &destination);
    if (status != CLI_OK)
        return status;
    build =
        build_project(args->operand_count ? args->operands[0] : ".", &kraftfile, &build_options);
    if (!build)
        return CLI_FAILED;
    if (write_to(args, build, &destination, &error) < 0)
        return cli_report(&error);
    where = destination.layout    ? destination.layout
            : destination.archive ? destination.archive
                                  : destination.name;
    return cli_has(args, "json") ? print_json(build, where) : print_text(build, where);
}

const struct cli_command cli_image_build = {
    .name = "build",
    .operands = "[DIR]",
    .operands_max = 1,
    .summary = "build an image from a Kraftfile",
    .description = "DIR has a Kraftfile (or kraft.yaml, kraft.yml), or is one.  Its rootfs and\n"
                   "roms become EROFS (or cpio) images, root:root and padded, in an OCI image as\n"
                   "the cloud's packer makes it, in the local store or where --output says.  A\n"
                   "Dockerfile is built by buildah, podman or docker.\n",
    .options = options,
    .run = run,
};
