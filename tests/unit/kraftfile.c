/* SPDX-License-Identifier: BSD-3-Clause */
/* kraftfile.c: Kraftfiles in every form, and what is wrong with others, with its place. */
#include "tests/unit/harness.h"

#include <romsim/kraftfile.h>

static struct romsim_kraftfile model;
static struct romsim_diagnostics found;

static int parse(const char *text)
{
    romsim_kraftfile_clear(&model);
    romsim_diagnostics_clear(&found);
    return romsim_kraftfile_parse(text, strlen(text), "Kraftfile", "/project", &model, &found);
}

static void accept(const char *text)
{
    ck_assert_msg(parse(text) == 0, "refused: %s\n%s",
                  found.count ? found.entries[0].error.message : "", text);
    ck_assert_uint_eq(found.errors, 0);
}

static void teardown(void)
{
    romsim_kraftfile_clear(&model);
    romsim_diagnostics_clear(&found);
}

START_TEST(the_smallest_rom)
{
    accept("spec: v0.7\ntargets: [kraftcloud/x86_64]\nroms: [./data]\n");
    ck_assert_uint_eq(model.rom_count, 1);
    ck_assert_str_eq(model.roms[0].path, "./data");
    ck_assert_int_eq(model.roms[0].type, ROMSIM_SOURCE_ANY);
    ck_assert_int_eq(model.roms[0].format, ROMSIM_FORMAT_ANY);
    ck_assert_uint_eq(model.roms[0].place.line, 3);
    ck_assert_uint_eq(model.roms[0].place.column, 8);
    ck_assert_str_eq(model.targets[0].platform, "kraftcloud");
    ck_assert_str_eq(model.targets[0].architecture, "x86_64");
    ck_assert_ptr_null(model.rootfs.path);
    ck_assert(!model.has_cmd);
    ck_assert_uint_eq(found.warnings, 0);
    ck_assert_str_eq(model.directory, "/project");
    teardown();
}
END_TEST

START_TEST(roms_in_every_form)
{
    accept("specification: 0.7.0\n"
           "roms:\n"
           "  - ./a\n"
           "  - source: ./b\n"
           "  - source: ./c.cpio\n"
           "    format: cpio\n"
           "  - source: {path: ./d.tar, type: tarball}\n"
           "    format: erofs\n"
           "  - {source: ./e, type: file}\n"
           "  - source:\n"
           "      path: ./f\n"
           "      dockerfile: docker/Dockerfile\n");
    ck_assert_uint_eq(model.rom_count, 6);
    ck_assert_int_eq(model.roms[2].format, ROMSIM_FORMAT_CPIO);
    ck_assert_int_eq(model.roms[3].type, ROMSIM_SOURCE_TARBALL);
    ck_assert_str_eq(model.roms[3].path, "./d.tar");
    ck_assert_int_eq(model.roms[3].format, ROMSIM_FORMAT_EROFS);
    ck_assert_int_eq(model.roms[4].type, ROMSIM_SOURCE_FILE);
    ck_assert_int_eq(model.roms[5].type, ROMSIM_SOURCE_DOCKERFILE);
    ck_assert_str_eq(model.roms[5].dockerfile, "docker/Dockerfile");
    teardown();
}
END_TEST

START_TEST(every_source_type_has_its_word)
{
    static const char *const words[] = {"dir",   "file", "tarball",   "cpio",
                                        "erofs", "oci",  "dockerfile"};
    char text[100];

    for (int i = 0; i < 7; i++) {
        snprintf(text, sizeof(text), "spec: v0.7\nrootfs: {source: x, type: %s}\n", words[i]);
        accept(text);
        ck_assert_int_eq(model.rootfs.type, ROMSIM_SOURCE_DIR + i);
        ck_assert_str_eq(romsim_source_type_name(model.rootfs.type), words[i]);
    }
    teardown();
}
END_TEST

START_TEST(rootfs_is_a_path_or_an_object)
{
    accept("spec: v0.7\nrootfs: ./Dockerfile\n");
    ck_assert_str_eq(model.rootfs.path, "./Dockerfile");
    accept("spec: v0.7\nrootfs:\n  source: ./root\n  format: erofs\n");
    ck_assert_str_eq(model.rootfs.path, "./root");
    ck_assert_int_eq(model.rootfs.format, ROMSIM_FORMAT_EROFS);
    teardown();
}
END_TEST

START_TEST(cmd_is_a_list_or_a_text_cut_as_a_shell_does)
{
    accept("spec: v0.7\ncmd: [\"-c\", \"/nginx/nginx.conf\"]\n");
    ck_assert_uint_eq(model.cmd.count, 2);
    ck_assert_str_eq(model.cmd.items[1], "/nginx/nginx.conf");
    accept("spec: v0.7\ncmd: python3 -c 'print( 1 )' \"a b\"c\n");
    ck_assert_uint_eq(model.cmd.count, 4);
    ck_assert_str_eq(model.cmd.items[2], "print( 1 )");
    ck_assert_str_eq(model.cmd.items[3], "a bc");
    accept("spec: v0.7\ncmd: []\n");
    ck_assert(model.has_cmd);
    ck_assert_uint_eq(model.cmd.count, 0);
    teardown();
}
END_TEST

START_TEST(env_keeps_a_list_and_sorts_a_map)
{
    accept("spec: v0.7\nenv:\n  - ZETA=z=1\n  - ALPHA=\n  - BARE\n  - ZETA=2\n");
    ck_assert_uint_eq(model.env_count, 3);
    ck_assert_str_eq(model.env[0].name, "ZETA");
    ck_assert_str_eq(model.env[0].value, "2");
    ck_assert_str_eq(model.env[1].value, "");
    ck_assert_str_eq(model.env[2].name, "BARE");
    accept("spec: v0.7\nenv:\n  ZETA: z\n  ALPHA: 8080\n  NONE:\n");
    ck_assert_uint_eq(model.env_count, 3);
    ck_assert_str_eq(model.env[0].name, "ALPHA");
    ck_assert_str_eq(model.env[0].value, "8080");
    ck_assert_str_eq(model.env[1].value, "");
    teardown();
}
END_TEST

START_TEST(targets_in_both_forms)
{
    accept("spec: v0.7\ntargets:\n  - kraftcloud/amd64\n  - plat: kraftcloud\n    arch: arm64\n"
           "    name: mine\n    kconfig:\n      CONFIG_EROFS_FS: \"y\"\n"
           "  - {platform: qemu, architecture: aarch64, kconfig: [CONFIG_A=1, CONFIG_B=2]}\n");
    ck_assert_uint_eq(model.target_count, 3);
    ck_assert_str_eq(model.targets[0].architecture, "x86_64");
    ck_assert_str_eq(model.targets[1].features.items[0], "CONFIG_EROFS_FS=y");
    ck_assert_str_eq(model.targets[2].platform, "qemu");
    ck_assert_str_eq(model.targets[2].architecture, "arm64");
    ck_assert_uint_eq(model.targets[2].features.count, 2);
    teardown();
}
END_TEST

START_TEST(what_is_not_used_is_named_in_one_warning)
{
    accept("spec: v0.7\nname: x\nlabels: {a.b/c: d}\nruntime: base-compat:latest\n"
           "unikraft: stable\nlibraries: {musl: stable}\nvolumes: ./src:/dest\n"
           "template: {source: x}\nrootfs: ./root\n");
    ck_assert_uint_eq(found.warnings, 1);
    ck_assert_ptr_nonnull(
        strstr(found.entries[0].error.message, "runtime, unikraft, libraries, volumes, template"));
    ck_assert_uint_eq(found.entries[0].error.place.line, 4);
    ck_assert(model.has_runtime);
    ck_assert_str_eq(model.labels[0].name, "a.b/c");
    teardown();
}
END_TEST

/* What is wrong, where, and what is said about it. */
static const struct wrong {
    const char *text;
    unsigned line, column;
    const char *message, *hint; /* pieces; NULL: no matter */
} wrongs[] = {
    {"", 1, 1, "the Kraftfile is empty", "spec: v0.7"},
    {"- a\n", 1, 1, "must be an object, not a list", NULL},
    {"name: x\n", 1, 1, "Missing member spec", "v0.7"},
    {"spec: v0.8\n", 1, 7, "Unsupported spec version 'v0.8'", "v0.7"},
    {"spec: v0.7\nspecification: v0.7\n", 2, 16, "Cannot specify 'specification'", NULL},
    {"spec: v0.7\n---\nspec: v0.7\n", 3, 1, "one document, and here are 2", NULL},
    {"spec: v0.7\nrom:\n  - ./a\n", 2, 1, "Unknown member 'rom'", "did you mean 'roms'?"},
    {"spec: v0.7\nroms: ./a\n", 2, 7, "Member 'roms' must be a list, not a string", "one item"},
    {"spec: v0.7\nroms: [[a]]\n", 2, 8, "Member 'roms[0]' must be a string", NULL},
    {"spec: v0.7\nroms: [{format: cpio}]\n", 2, 8, "Missing member source", NULL},
    {"spec: v0.7\nroms: [\"\"]\n", 2, 8, "the path is empty", NULL},
    {"spec: v0.7\nroms: [{source: x, format: squashfs}]\n", 2, 28, "Invalid format 'squashfs'",
     "erofs or cpio"},
    {"spec: v0.7\nroms: [{source: x, type: direct}]\n", 2, 26, "Invalid type 'direct'", "dir"},
    {"spec: v0.7\nroms: [{source: {path: x, type: dir}, type: dir}]\n", 2, 45,
     "Cannot specify 'type'", NULL},
    {"spec: v0.7\nroms: [{source: {path: x, type: dir, dockerfile: y}}]\n", 2, 50,
     "Cannot specify 'dockerfile' when 'type' is 'dir'", NULL},
    {"spec: v0.7\nroms: [{source: x, at: /rom}]\n", 2, 20, "Unknown member 'at'", NULL},
    {"spec: v0.7\ncmd: [1, 2]\n", 2, 7, "must be a list of strings", "double quotes"},
    {"spec: v0.7\ncmd: {a: b}\n", 2, 6, "must be a list of strings, not an object", NULL},
    {"spec: v0.7\ncmd: echo $HOME\n", 2, 6, "would be expanded", "as a list"},
    {"spec: v0.7\ncmd: echo 'x\n", 2, 6, "a quote in the arguments is not closed", NULL},
    {"spec: v0.7\nenv: HOME=/\n", 2, 6, "must be a map or a list", NULL},
    {"spec: v0.7\nenv: [=x]\n", 2, 7, "a list of NAME=VALUE", NULL},
    {"spec: v0.7\nenv: {A: [x]}\n", 2, 10, "a map of names to values", NULL},
    {"spec: v0.7\nenv: {A: x, A: y}\n", 2, 13, "Duplicate member 'A'", NULL},
    {"spec: v0.7\nlabels: {\"a b\": c}\n", 2, 9, "Invalid label 'a b'", "letters"},
    {"spec: v0.7\ntargets: [x86_64]\n", 2, 11, "Invalid target 'x86_64'", "kraftcloud/x86_64"},
    {"spec: v0.7\ntargets: [kraftcloud/riscv64]\n", 2, 11, "Unsupported architecture 'riscv64'",
     "x86_64 or arm64"},
    {"spec: v0.7\ntargets: [{plat: kraftcloud}]\n", 2, 11, "needs 'plat' and 'arch'", NULL},
    {"spec: v0.7\nroms: [\n", 3, 1, "", NULL},
};

START_TEST(a_wrong_kraftfile_is_refused_with_the_place)
{
    for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
        const struct wrong *wrong = &wrongs[i];
        const struct romsim_error *error;

        ck_assert_msg(parse(wrong->text) < 0, "accepted: %s", wrong->text);
        ck_assert_uint_ge(found.count, 1);
        ck_assert_ptr_null(model.path);
        error = &found.entries[0].error;
        ck_assert_msg(strstr(error->message, wrong->message), "%s\nsays: %s", wrong->text,
                      error->message);
        ck_assert_msg(!wrong->hint || strstr(error->hint, wrong->hint), "%s\nhints: %s",
                      wrong->text, error->hint);
        ck_assert_msg(error->place.line == wrong->line && error->place.column == wrong->column,
                      "%s\nis said to be at %u:%u", wrong->text, error->place.line,
                      error->place.column);
    }
    teardown();
}
END_TEST

START_TEST(all_errors_of_a_file_are_reported_in_its_order)
{
    ck_assert_int_lt(parse("spec: v0.7\nbogus: 1\ntargets: [x]\nroms: [{source: x, format: y}]\n"),
                     0);
    ck_assert_uint_eq(found.errors, 3);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_uint_eq(found.entries[i].error.place.line, i + 2);
    teardown();
}
END_TEST

UNIT_MAIN("kraftfile", the_smallest_rom, roms_in_every_form, every_source_type_has_its_word,
          rootfs_is_a_path_or_an_object, cmd_is_a_list_or_a_text_cut_as_a_shell_does,
          env_keeps_a_list_and_sorts_a_map, targets_in_both_forms,
          what_is_not_used_is_named_in_one_warning, a_wrong_kraftfile_is_refused_with_the_place,
          all_errors_of_a_file_are_reported_in_its_order)
