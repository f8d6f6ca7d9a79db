/* SPDX-License-Identifier: BSD-3-Clause */
/* kraftfile_shapes.c: what a Kraftfile may have in it, as tables (cloud-rules §3), and its words.
 */
#include "sim/image/kraftfile.h"

#include <romsim/arch.h>

#include <string.h>

static const struct romsim_shape any = {.kind = ROMSIM_SHAPE_ANY};
static const struct romsim_shape string = {.kind = ROMSIM_SHAPE_STRING};

/* In the order of enum romsim_source_type and enum romsim_source_format, from 1. */
const char *const kraft_type_words[] = {"dir",   "file", "tarball",    "cpio",
                                        "erofs", "oci",  "dockerfile", NULL};
const char *const kraft_format_words[] = {"erofs", "cpio", NULL};
static const struct romsim_shape type = {.kind = ROMSIM_SHAPE_WORD, .words = kraft_type_words};
static const struct romsim_shape format = {.kind = ROMSIM_SHAPE_WORD, .words = kraft_format_words};

static const struct romsim_member path_members[] = {
    {"path", &string, ROMSIM_MEMBER_REQUIRED, NULL},
    {"type", &type, 0, NULL},
    {"dockerfile", &string, 0, NULL},
    ROMSIM_END,
};
static const struct romsim_shape source = {.kind = ROMSIM_SHAPE_EITHER,
                                           .members = path_members,
                                           .hint = "a path, or {path: ..., type: ...}"};
static const struct romsim_member fs_members[] = {
    {"source", &source, ROMSIM_MEMBER_REQUIRED, NULL},
    {"format", &format, 0, NULL},
    {"type", &type, 0, NULL},
    ROMSIM_END,
};
static const struct romsim_shape fs = {.kind = ROMSIM_SHAPE_EITHER,
                                       .members = fs_members,
                                       .hint = "a path, or {source: ..., format: ...}"};
static const struct romsim_shape roms = {.kind = ROMSIM_SHAPE_LIST,
                                         .item = &fs,
                                         .hint = "one item for each ROM: a path, or {source: ...}"};

static const struct romsim_member target_members[] = {
    {"plat", &string, 0, NULL},
    {"arch", &string, 0, NULL},
    {"platform", &string, 0, NULL},
    {"architecture", &string, 0, NULL},
    {"kconfig", &any, 0, NULL},
    {"name", &string, 0, NULL},
    ROMSIM_END,
};
static const struct romsim_shape target = {.kind = ROMSIM_SHAPE_EITHER,
                                           .members = target_members,
                                           .hint = "kraftcloud/x86_64, or {plat: ..., arch: ...}"};
static const struct romsim_shape targets = {
    .kind = ROMSIM_SHAPE_LIST, .item = &target, .hint = "one item for each: - kraftcloud/x86_64"};

/* Until v0.6 a runtime could be spelt out as what a kernel is built from. */
static const struct romsim_member runtime_members[] = {
    {"source", &string, 0, NULL},
    {"version", &string, 0, NULL},
    {"kconfig", &any, 0, NULL},
    ROMSIM_END,
};
static const struct romsim_shape runtime = {
    .kind = ROMSIM_SHAPE_EITHER, .members = runtime_members, .hint = "the name of an image"};

static const struct romsim_member kraftfile_members[] = {
    {"spec", &string, 0, NULL},
    {"specification", &string, 0, NULL},
    {"name", &string, 0, NULL},
    {"cmd", &any, 0, NULL},
    {"env", &any, 0, NULL},
    {"labels", &any, 0, NULL},
    {"rootfs", &fs, 0, NULL},
    {"roms", &roms, 0, NULL},
    {"targets", &targets, 0, NULL},
    {"runtime", &runtime, ROMSIM_MEMBER_IDLE, NULL},
    {"template", &any, ROMSIM_MEMBER_IDLE, NULL},
    {"unikraft", &any, ROMSIM_MEMBER_IDLE, NULL},
    {"libraries", &any, ROMSIM_MEMBER_IDLE, NULL},
    {"volumes", &any, ROMSIM_MEMBER_IDLE, NULL},
    {"outdir", &any, ROMSIM_MEMBER_IDLE, NULL},
    ROMSIM_END,
};
const struct romsim_shape romsim_kraftfile_shape = {.kind = ROMSIM_SHAPE_OBJECT,
                                                    .members = kraftfile_members};

const struct romsim_synonym kraft_synonyms[] = {
    {"environment", "env"},
    {NULL, NULL},
};

const char *romsim_source_type_name(enum romsim_source_type value)
{
    return value == ROMSIM_SOURCE_ANY ? "" : kraft_type_words[value - 1];
}

const char *romsim_source_format_name(enum romsim_source_format value)
{
    return value == ROMSIM_FORMAT_ANY ? "" : kraft_format_words[value - 1];
}

const char *romsim_architecture(const char *name)
{
    enum romsim_arch arch = romsim_arch_find(name);

    return arch < ROMSIM_ARCH_COUNT ? romsim_arch_facts_of(arch)->cloud : NULL;
}
