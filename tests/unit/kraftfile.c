/* SPDX-License-Identifier: BSD-3-Clause */
/* kraftfile.c: Kraftfiles in every form, and what is wrong with others, with its place. */
#include "tests/unit/harness.h"
#include "tests/unit/texts.h"

#include <romsim/kraftfile.h>

static const struct unit_text_kind kraftfile = {"kraftfile", &romsim_kraftfile_shape, false, true};
static struct romsim_kraftfile model;
static struct romsim_diagnostics found;

static int parse(const char *text)
{
    romsim_kraftfile_clear(&model);
    romsim_diagnostics_clear(&found);
    unit_text(&kraftfile, text, strlen(text));
    return romsim_kraftfile_parse(text, strlen(text), "Kraftfile", "/project", &model, &found);
}

static void accept(const char *text)
{
    ck_assert_msg(parse(text) == 0, "refused: %s\n%s",
                  found.count ? found.entries[0].error.message : "", text);
    ck_assert_uint_eq(found.errors, 0);
}

/* Accepts a text with one warning, which has these words and stands there. */
static void accept_with(const char *text, unsigned line, unsigned column, const char *words)
{
    accept(text);
    ck_assert_msg(found.warnings == 1, "%zu warnings: %s", found.warnings, text);
    ck_assert_msg(strstr(found.entries[0].error.message, words), "%s\nsays: %s", text,
                  found.entries[0].error.message);
    ck_assert_uint_eq(found.entries[0].error.place.line, line);
    ck_assert_uint_eq(found.entries[0].error.place.column, column);
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

START_TEST(every_spec_up_to_v0_7_is_read_without_a_word)
{
    static const char *const specs[] = {"v0.7",  "0.7",   "'0.7'", "v0.7.0",  "v0.7.3-rc1",
                                        "v0.6",  "0.6",   "0.5",   "\"0.4\"", "v0.0.1",
                                        "0.6+x", "v0.06", "v0"};
    char text[100];

    for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
        snprintf(text, sizeof(text), "spec: %s\r\nrootfs: ./root\r\n", specs[i]);
        accept(text);
        ck_assert_uint_eq(found.warnings, 0);
        ck_assert_str_eq(model.rootfs.path, "./root");
    }
    teardown();
}
END_TEST

START_TEST(a_newer_spec_is_read_with_a_warning)
{
    accept_with("spec: v0.8\nrootfs: ./root\n", 1, 7, "spec 'v0.8' is newer than what romsim");
    accept_with("spec: 1\n", 1, 7, "newer");
    accept_with("specification: v0.10\n", 1, 16, "newer");
    accept_with("spec: v99999999999999999999.0\n", 1, 7, "newer");
    teardown();
}
END_TEST

START_TEST(until_v0_6_the_type_of_a_root_is_its_format)
{
    accept("spec: v0.6\nrootfs:\n  source: ./Dockerfile\n  type: erofs\n");
    ck_assert_int_eq(model.rootfs.format, ROMSIM_FORMAT_EROFS);
    ck_assert_int_eq(model.rootfs.type, ROMSIM_SOURCE_ANY);
    ck_assert_uint_eq(model.rootfs.format_place.line, 4);
    accept("spec: 0.6\nroms: [{source: ./x, type: cpio}]\n");
    ck_assert_int_eq(model.roms[0].format, ROMSIM_FORMAT_CPIO);
    ck_assert_int_eq(model.roms[0].type, ROMSIM_SOURCE_ANY);
    accept("spec: v0.7\nrootfs: {source: ./x, type: erofs}\n");
    ck_assert_int_eq(model.rootfs.format, ROMSIM_FORMAT_ANY);
    ck_assert_int_eq(model.rootfs.type, ROMSIM_SOURCE_EROFS);
    /* The packer takes what is of v0.7 in older ones, too. */
    accept("spec: v0.6\nrootfs: {source: ./x, type: dockerfile, format: cpio}\n");
    ck_assert_int_eq(model.rootfs.format, ROMSIM_FORMAT_CPIO);
    ck_assert_int_eq(model.rootfs.type, ROMSIM_SOURCE_DOCKERFILE);
    accept("spec: v0.6\nrootfs: {source: ./x, type: tarball}\n");
    ck_assert_int_eq(model.rootfs.type, ROMSIM_SOURCE_TARBALL);
    teardown();
}
END_TEST

START_TEST(until_v0_6_a_runtime_may_be_spelt_out)
{
    accept("spec: v0.6\nruntime: {source: org/base, version: 1.0, kconfig: {A: 'y'}}\n");
    ck_assert(model.has_runtime);
    ck_assert_int_lt(parse("spec: v0.7\nruntime: {source: org/base}\n"), 0);
    ck_assert_ptr_nonnull(strstr(found.entries[0].error.message, "must be a string"));
    ck_assert_uint_eq(found.entries[0].error.place.line, 2);
    teardown();
}
END_TEST

START_TEST(of_members_with_one_name_the_last_counts)
{
    accept_with("spec: v0.7\nenv:\n  A: x\n  B: b\n  A: y\n", 5, 3,
                "Duplicate member 'A': this one counts, not that in line 3");
    ck_assert_uint_eq(model.env_count, 2);
    ck_assert_str_eq(model.env[0].value, "y");
    accept("spec: v0.6\ncmd: [a]\ncmd: [b]\ncmd: [c]\nlabels: {l: 1, l: 2.50}\n"
           "targets: [{plat: fc, arch: arm64, kconfig: {K: n, K: 'y'}}]\n");
    ck_assert_uint_eq(found.warnings, 4);
    ck_assert_uint_eq(model.cmd.count, 1);
    ck_assert_str_eq(model.cmd.items[0], "c");
    ck_assert_uint_eq(model.label_count, 1);
    ck_assert_str_eq(model.labels[0].value, "2.50");
    ck_assert_uint_eq(model.targets[0].features.count, 1);
    ck_assert_str_eq(model.targets[0].features.items[0], "K=y");
    accept("spec: v0.6\nunikraft:\n  kconfig:\n    CONFIG_X: 'y'\n    CONFIG_X: 'y'\n"
           "libraries: {lwip: {kconfig: {CONFIG_Y: 64, CONFIG_Y: 32}}}\n");
    ck_assert_uint_eq(found.warnings, 3);
    teardown();
}
END_TEST

START_TEST(more_warnings_than_are_kept_are_no_errors)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);

    fputs("spec: v0.7\nenv:\n", stream);
    for (int i = 0; i < 3 * ROMSIM_DIAGNOSTICS_MAX; i++)
        fprintf(stream, "  A: %d\n", i);
    fclose(stream);
    accept(text);
    ck_assert_uint_eq(found.warnings, 3 * ROMSIM_DIAGNOSTICS_MAX - 1);
    ck_assert_uint_eq(found.count, ROMSIM_DIAGNOSTICS_MAX);
    ck_assert_uint_eq(model.env_count, 1);
    ck_assert_str_eq(model.env[0].value, "599");
    free(text);
    teardown();
}
END_TEST

START_TEST(unknown_members_are_passed_over_with_a_warning)
{
    accept_with("spec: v0.7\nrom:\n  - ./a\n", 2, 1, "Unknown member 'rom' is ignored");
    ck_assert_ptr_nonnull(strstr(found.entries[0].error.hint, "did you mean 'roms'?"));
    ck_assert_uint_eq(model.rom_count, 0);
    accept_with("spec: v0.7\nroms: [{source: x, at: /rom}]\n", 2, 20, "Unknown member 'at'");
    accept("spec: v0.7\nx-mine: {a: [b]}\n");
    ck_assert_uint_eq(found.warnings, 0);
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
    accept("spec: v0.7\ncmd: \"\"\n");
    ck_assert(!model.has_cmd);
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
    {"spec: latest\n", 1, 7, "Invalid spec version 'latest'", "v0.7"},
    {"spec: v\n", 1, 7, "Invalid spec version 'v'", NULL},
    {"spec: \"\"\n", 1, 7, "Invalid spec version ''", NULL},
    {"spec: 0.7x\n", 1, 7, "Invalid spec version '0.7x'", NULL},
    {"spec: v0..7\n", 1, 7, "Invalid spec version 'v0..7'", NULL},
    {"spec: 0.7.0.1\n", 1, 7, "Invalid spec version '0.7.0.1'", NULL},
    {"spec: [0.7]\n", 1, 7, "Member 'spec' must be a string, not a list", NULL},
    {"spec: v0.7\nspecification: v0.7\n", 2, 16, "Cannot specify 'specification'", NULL},
    {"spec: v0.7\n---\nspec: v0.7\n", 3, 1, "one document, and here are 2", NULL},
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
    {"spec: v0.7\ncmd: [1, 2]\n", 2, 7, "must be a list of strings", "double quotes"},
    {"spec: v0.7\ncmd: {a: b}\n", 2, 6, "must be a list of strings, not an object", NULL},
    {"spec: v0.7\ncmd: echo $HOME\n", 2, 6, "would be expanded", "as a list"},
    {"spec: v0.7\ncmd: echo 'x\n", 2, 6, "a quote in the arguments is not closed", NULL},
    {"spec: v0.7\nenv: HOME=/\n", 2, 6, "must be a map or a list", NULL},
    {"spec: v0.7\nenv: [=x]\n", 2, 7, "a list of NAME=VALUE", NULL},
    {"spec: v0.7\nenv: {A: [x]}\n", 2, 10, "a map of names to values", NULL},
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
    ck_assert_int_lt(parse("spec: v0.7\ncmd: {}\ntargets: [x]\nroms: [{source: x, format: y}]\n"),
                     0);
    ck_assert_uint_eq(found.errors, 3);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_uint_eq(found.entries[i].error.place.line, i + 2);
    teardown();
}
END_TEST

UNIT_MAIN("kraftfile", the_smallest_rom, roms_in_every_form, every_source_type_has_its_word,
          rootfs_is_a_path_or_an_object, every_spec_up_to_v0_7_is_read_without_a_word,
          a_newer_spec_is_read_with_a_warning, until_v0_6_the_type_of_a_root_is_its_format,
          until_v0_6_a_runtime_may_be_spelt_out, of_members_with_one_name_the_last_counts,
          more_warnings_than_are_kept_are_no_errors, unknown_members_are_passed_over_with_a_warning,
          cmd_is_a_list_or_a_text_cut_as_a_shell_does, env_keeps_a_list_and_sorts_a_map,
          targets_in_both_forms, what_is_not_used_is_named_in_one_warning,
          a_wrong_kraftfile_is_refused_with_the_place,
          all_errors_of_a_file_are_reported_in_its_order)
