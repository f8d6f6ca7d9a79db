/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kraftfile.h: a Kraftfile (spec v0.7 or older): what an image is built from (cloud-rules §3).
 *
 * Only what romsim builds from is in the model; what it accepts and does nothing with (runtime,
 * template, unikraft, libraries, volumes) is named in one warning.
 */
#ifndef ROMSIM_KRAFTFILE_H
#define ROMSIM_KRAFTFILE_H

#include <romsim/error.h>
#include <romsim/instance.h>

#include <stdbool.h>
#include <stddef.h>

/* What a source is; ANY: told by its magic. */
enum romsim_source_type {
    ROMSIM_SOURCE_ANY,
    ROMSIM_SOURCE_DIR,
    ROMSIM_SOURCE_FILE,
    ROMSIM_SOURCE_TARBALL,
    ROMSIM_SOURCE_CPIO,
    ROMSIM_SOURCE_EROFS,
    ROMSIM_SOURCE_OCI,
    ROMSIM_SOURCE_DOCKERFILE
};
const char *romsim_source_type_name(enum romsim_source_type type); /* "dir", ...; "" for ANY */

/* What is made of a source; ANY: the source's own form, or the default of its use. */
enum romsim_source_format { ROMSIM_FORMAT_ANY, ROMSIM_FORMAT_EROFS, ROMSIM_FORMAT_CPIO };
const char *romsim_source_format_name(enum romsim_source_format format); /* "erofs", "cpio", "" */

/* An entry of `roms`, or `rootfs`. */
struct romsim_source {
    char *path;       /* as written; NULL: there is no such entry */
    char *dockerfile; /* its name inside the folder `path`, or NULL */
    enum romsim_source_type type;
    enum romsim_source_format format;
    struct romsim_place place, format_place;
};

/* A platform to build for. */
struct romsim_target {
    char *platform;                 /* "kraftcloud" */
    char *architecture;             /* "x86_64" or "arm64" */
    struct romsim_strings features; /* its kconfig, "CONFIG_X=y" */
    struct romsim_place place;
};

struct romsim_kraftfile {
    char *path;      /* of the file itself */
    char *directory; /* that relative sources are relative to */
    char *name;      /* NULL without */
    struct romsim_strings cmd;
    bool has_cmd; /* an empty list replaces the image's Cmd, too; any other one stands
                     for its Entrypoint as well */
    struct romsim_place cmd_place;
    struct romsim_env *env; /* in the packer's order: a map's names sorted, a list's as they are */
    size_t env_count;
    struct romsim_env *labels;
    size_t label_count;
    struct romsim_source rootfs;
    struct romsim_source *roms;
    size_t rom_count;
    struct romsim_target *targets;
    size_t target_count;
    bool has_runtime; /* the cloud's packer takes the platform from it */
    struct romsim_place place;
};

/*
 * Reads the Kraftfile of a project: `path` is its folder (Kraftfile, kraft.yaml or kraft.yml in
 * it, Kraftfile.yaml or Kraftfile.yml), or the file itself.  All errors and warnings go to
 * `diagnostics`, with their places. Returns 0 if there was no error, else -1, and *ret is then
 * empty.
 */
int romsim_kraftfile_load(const char *path, struct romsim_kraftfile *ret,
                          struct romsim_diagnostics *diagnostics);

/* The same for `size` bytes of text; `name` stands for the file in messages. */
int romsim_kraftfile_parse(const char *text, size_t size, const char *name, const char *directory,
                           struct romsim_kraftfile *ret, struct romsim_diagnostics *diagnostics);

void romsim_kraftfile_clear(struct romsim_kraftfile *kraftfile);

/* What one looks like; other members are warned of, those named x-... passed over. */
extern const struct romsim_shape romsim_kraftfile_shape;

#define CLEANUP_KRAFTFILE __attribute__((cleanup(romsim_kraftfile_clear)))

/* The cloud's word for an architecture ("amd64" is x86_64), or NULL if there is none. */
const char *romsim_architecture(const char *name);

#endif
