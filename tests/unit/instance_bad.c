/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * instance_bad.c: texts that are no instance, each with the message, the place and the cloud's
 * code that it must give.  A row is one mistake; rows with several are in instance.c.
 */
#include "harness.h"
#include "texts.h"

#include <romsim/instance.h>

#define IMAGE        "image: base\n"
#define ROM(members) IMAGE "roms:\n  - {name: r, " members "}\n"
#define FILES(files) ROM("files: [" files "]")
#define LONG_64      "aaaaaaaabbbbbbbbccccccccddddddddeeeeeeeeffffffffgggggggghhhhhhhh"
#define LONG_256     LONG_64 LONG_64 LONG_64 LONG_64

struct bad {
    const char *text;
    unsigned line, column;
    int code;
    const char *message;
};

static const struct bad bad[] = {
    /* ---- no text that could be read ---- */
    {"", 1, 1, 16, "there is no instance in the file"},
    {"# nothing but a comment\n", 1, 1, 16, "there is no instance in the file"},
    {"---\n---\n", 1, 1, 16, "there is no instance in the file"},
    {"[]\n", 1, 1, 16, "there is no instance in the file"},
    {"image: \xff\n", 1, 8, 16, "the text is not valid UTF-8"},
    {"image: \xc0\x80\n", 1, 8, 16, "the text is not valid UTF-8"},
    {"image: \xed\xa0\x80\n", 1, 8, 16, "the text is not valid UTF-8"},
    {"\xff\xfei\0m\0", 1, 1, 16, "the text is not valid UTF-8"},

    /* ---- YAML that is no YAML ---- */
    {"image: base\nroms:\n\t- name: x\n", 3, 1, 16, "a tab cannot indent YAML"},
    {"image: base: too\n", 1, 12, 16, "a ':' that cannot stand here"},
    {"image: @base\n", 1, 8, 16, "a value cannot begin with '@'"},
    {"image: `base`\n", 1, 8, 16, "a value cannot begin with '`'"},
    {"image: \"base\n", 1, 8, 16, "the text ends inside a quoted string"},
    {IMAGE "args: [a, 'it's']\n", 2, 15, 16, "a ',' or ']' must stand here"},
    {IMAGE "args: [a, |\n  text]\n", 2, 11, 16, "a block of text cannot stand inside of [] or {}"},
    {IMAGE "env: {A: b} C\n", 2, 13, 16, "this does not fit what stands above it"},
    {IMAGE "roms:\n- name:x\n  at: /x\n", 4, 5, 16, "a ':' that cannot stand here"},
    {IMAGE "roms:\n- name: x\n  at:/x\n  image: y\n", 4, 3, 16, "a member's name without a ':'"},
    {"image: base\n  env: {}\n", 2, 6, 16, "a ':' that cannot stand here"},
    {"image: base\nroms:\n  - name: x\n - name: y\n", 4, 2, 16,
     "this does not fit what stands above it"},
    {"image: *base\n", 1, 8, 16, "no anchor with the name 'base' before this"},
    {"image: &base\n  url: *base\n", 2, 8, 16, "the alias stands inside what it refers to"},
    {"image: base\nenv: &e {A: *e}\n", 2, 13, 16, "the alias stands inside what it refers to"},
    {"image: !!binary YQ==\n", 1, 8, 16, "Unknown tag '!!binary'"},
    {"image: !include base.yaml\n", 1, 8, 16, "Unknown tag '!include'"},
    {"image: base\nmemory_mb: !!int many\n", 2, 12, 16,
     "the value is not what its tag '!!int' says"},
    {"image: base\nroms: !!map []\n", 2, 7, 16, "the value is not what its tag '!!map' says"},
    {"image: base\nimage: other\n", 2, 1, 16, "Duplicate member 'image'"},
    {"image: base\nenv: {A: 1, B: 2, A: 3}\n", 2, 19, 16, "Duplicate member 'A'"},
    {"image: base\n? [a, b]\n: c\n", 2, 3, 16, "a member's name must be a string"},
    {"image: base\n...\nmore: text\n---\nimage: x\nimage: y\n", 3, 1, 16,
     "text after the end of the value"},
    {"image: base\x07\n", 1, 12, 16, "a control character in the text"},
    {IMAGE "<<: {name: x}\n", 2, 1, 16, "Unknown member '<<'"},

    /* ---- JSON that is no JSON ---- */
    {"{\"image\": \"base\",\n \"env\": ]}\n", 2, 9, 16, "no JSON value"},
    {"{\"image\": \"base\" \"env\": {}}", 1, 18, 16, "a ',' or '}' must stand here"},
    {"[{\"image\": \"base\"}", 1, 19, 16, "the text ends too early"},
    {"{\"image\": \"base\"} {\"image\": \"b\"}", 1, 19, 16, "text after the end of the value"},
    {"{\"image\": \"\\ud83d\"}", 1, 12, 16, "half of a surrogate pair"},
    {"{\"image\": \"\\ude00\\ud83d\"}", 1, 12, 16, "half of a surrogate pair"},
    {"{\"image\": \"\\u12x4\"}", 1, 12, 16, "'\\u' without four hexadecimal digits"},
    {"{\"image\": \"a\\qb\"}", 1, 13, 16, "unknown escape in a string"},
    {"{\"image\": \"base\", \"image\": \"x\"}", 1, 19, 16, "Duplicate member 'image'"},
    {"{\"image\": \"a\\u0000b\"}", 1, 11, 7, "Invalid image: it has a NUL character in it"},
    {"{\"image\": \"base\", \"env\": {\"PORT\": 8080}}", 1, 35, 16,
     "Member 'env.PORT' must be a string, not a number"},

    /* ---- shape ---- */
    {"just words\n", 1, 1, 16, "An instance must be an object, not a string"},
    {"- - image: base\n", 1, 3, 16, "An instance must be an object, not a list"},
    {"name: x\n", 1, 1, 16, "Missing member image"},
    {"image: base\n---\nname: x\n", 3, 1, 16, "Missing member image"},
    {"image:\n", 1, 1, 16, "Missing member image"},
    {"image: ''\n", 1, 8, 7, "Invalid image ''"},
    {"image: [base]\n", 1, 8, 16, "Member 'image' must be a string, not a list"},
    {"image: {pull_policy: always}\n", 1, 8, 16, "Missing member url"},
    {"image: {url: base, tag: x}\n", 1, 20, 16, "Unknown member 'tag'"},
    {IMAGE "memory: 512\n", 2, 1, 16, "Unknown member 'memory'"},
    {IMAGE "rom: []\n", 2, 1, 16, "Unknown member 'rom'"},
    {IMAGE "roms:\n  name: x\n", 3, 3, 16, "Member 'roms' must be a list, not an object"},
    {IMAGE "roms: [x]\n", 2, 8, 16, "Member 'roms[0]' must be an object, not a string"},
    {IMAGE "args: /bin/sh\n", 2, 7, 16, "Member 'args' must be a list, not a string"},
    {IMAGE "args: [a, ~]\n", 2, 11, 16, "Member 'args[1]' must be a string, not null"},
    {IMAGE "env: [A=1]\n", 2, 6, 16, "Member 'env' must be an object, not a list"},
    {IMAGE "env: {A: }\n", 2, 10, 16, "Member 'env.A' must be a string, not null"},
    {IMAGE "env: {'A=B': c}\n", 1, 1, 7, "Invalid environment variable 'A=B'"},
    {IMAGE "autostart: yes\n", 2, 12, 16, "Member 'autostart' must be a boolean, not a string"},
    {IMAGE "memory_mb: '512'\n", 2, 12, 16, "Member 'memory_mb' must be a number, not a string"},
    {IMAGE "memory_mb: 512Mi\n", 2, 12, 16, "Member 'memory_mb' must be a number, not a string"},
    {IMAGE "memory_mb: 512.5\n", 2, 12, 7, "Invalid memory_mb 512.5"},
    {IMAGE "memory_mb: -1\n", 2, 12, 7, "Invalid memory_mb -1"},
    {IMAGE "memory_mb: 99999999999999999999\n", 2, 12, 7, "Invalid memory_mb 99999999999999999999"},
    {IMAGE "vcpus: 0\n", 2, 8, 7, "Invalid vcpus 0"},
    {IMAGE "timeout_s: 1.5\nautostart: true\n", 2, 12, 7, "Invalid timeout_s 1.5"},
    {IMAGE "timeout_s: -2\nautostart: true\n", 2, 12, 7, "Invalid timeout_s -2"},
    {IMAGE "timeout_s: 4294967296\nautostart: true\n", 2, 12, 7, "Invalid timeout_s 4294967296"},
    {IMAGE "timeout_s: '5'\n", 2, 12, 16, "Member 'timeout_s' must be a number, not a string"},
    {IMAGE "timeout_s: 5\n", 2, 12, 17, "Cannot specify 'timeout_s' when 'autostart' is not set"},
    {IMAGE "timeout_s: -1\nautostart: false\n", 2, 12, 17,
     "Cannot specify 'timeout_s' when 'autostart' is not set"},
    {IMAGE "wait_timeout_ms: 0\ntimeout_s: 0\n", 2, 18, 17,
     "Cannot specify 'wait_timeout_ms' when 'timeout_s' is set"},
    {IMAGE "restart_policy: sometimes\n", 2, 17, 7, "Invalid restart_policy 'sometimes'"},
    {IMAGE "type: huge\n", 2, 7, 7, "Invalid type 'huge'"},
    {IMAGE "features: [fly]\n", 2, 12, 7, "Invalid features 'fly'"},
    {IMAGE "scale_to_zero: {policy: always}\n", 2, 25, 7, "Invalid policy 'always'"},
    {IMAGE "volumes: [{name: data}]\n", 2, 11, 16, "Missing member at"},
    {IMAGE "volumes: {name: data}\n", 2, 10, 16, "Member 'volumes' must be a list, not an object"},
    {IMAGE "volumes: [{at: /d}]\n", 2, 11, 13, "Missing member name"},
    {IMAGE "volumes: [{name: 'a b', at: /d}]\n", 2, 18, 7, "Invalid volume name 'a b'"},
    {IMAGE "volumes: [{uuid: data, at: /d}]\n", 2, 18, 7, "Invalid uuid 'data'"},
    {IMAGE "volumes: [{uuid: 77d0316a-fbbe-488d-8618-5bf7a612477a, name: a, at: /d}]\n", 2, 62, 17,
     "Cannot specify 'name' when 'uuid' is set"},
    {IMAGE "volumes: [{uuid: 77d0316a-fbbe-488d-8618-5bf7a612477a, size_mb: 9, at: /d}]\n", 2, 18,
     17, "Cannot specify 'size_mb' when 'uuid' is set"},
    {IMAGE "volumes: [{size_mb: 7, at: /d}]\n", 2, 21, 7, "Invalid size_mb 7"},
    {IMAGE "volumes: [{size_mb: 1048577, at: /d}]\n", 2, 21, 19, "Invalid size_mb 1048577"},
    {IMAGE "volumes: [{name: a, at: d}]\n", 2, 25, 7, "Invalid mount point 'd'"},
    {IMAGE "volumes: [{name: a, at: /}]\n", 2, 25, 7, "Invalid mount point '/'"},
    {IMAGE "volumes: [{name: a, at: /a/../b}]\n", 2, 25, 7, "Invalid mount point '/a/../b'"},
    {IMAGE "volumes: [{name: a, at: '/a:b'}]\n", 2, 25, 7, "Invalid mount point '/a:b'"},
    {IMAGE "volumes: [{name: a, at: /proc/x}]\n", 2, 25, 7, "Invalid mount point '/proc/x'"},
    {IMAGE "volumes: [{name: a, at: /a}, {name: a, at: /b}]\n", 2, 37, 23, "Duplicate volume 'a'"},
    {IMAGE "volumes: [{name: a, at: /a}, {name: b, at: /a/}]\n", 2, 44, 23,
     "Duplicate mount point '/a'"},
    {IMAGE "roms: [{image: y, at: /a}]\nvolumes: [{name: b, at: /a}]\n", 3, 25, 23,
     "Duplicate mount point '/a'"},
    {IMAGE "volumes: [{name: a, at: /a}, {name: b, at: /b}, {name: c, at: /c}, {name: d, at: /d}, "
           "{name: e, at: /e}]\n",
     2, 10, 5, "Too many volumes: 5, at most 4"},
    {IMAGE "network_interfaces: [1, 2, 3, 4, 5]\n", 2, 21, 7,
     "Invalid number of network_interfaces: 5"},
    {IMAGE "annotations: {a: 99999999999999999999}\n", 2, 18, 7, "Invalid a 99999999999999999999"},
    {IMAGE "branch_from: {name: x}\n", 1, 8, 17,
     "Cannot specify 'image' when 'branch_from' is set"},
    {"branch_from: {name: x}\nargs: [a]\n", 2, 7, 17,
     "Cannot specify 'args' when branching from an existing instance"},
    {"branch_from: {name: x}\nmemory_mb: 64\n", 2, 12, 17,
     "Cannot specify 'memory_mb' when branching from an existing instance"},
    {"checkpoint: {name: x}\nvcpus: 2\n", 1, 13, 17,
     "Cannot specify 'vcpus' when creating an instance from a checkpoint"},
    {"template: {name: x}\nbranch_from: {name: y}\n", 2, 14, 17,
     "Cannot specify 'branch_from' when creating an instance from a template"},
    {"template: {name: x}\ncheckpoint: {name: y}\n", 2, 13, 17,
     "Cannot specify 'checkpoint' when creating an instance from a template"},
    {"checkpoint: {name: x}\nbranch_from: {name: y}\n", 2, 14, 17,
     "Cannot specify 'branch_from' when 'checkpoint' is set"},
    {"checkpoint: {uuid: x}\n", 1, 13, 7, "Invalid uuid 'x'"},
    {"branch_from: {name: ../x}\n", 1, 14, 7, "Invalid instance name '../x'"},

    /* ---- names, memory, services ---- */
    {IMAGE "name: 'a b'\n", 2, 7, 7, "Invalid name 'a b'"},
    {IMAGE "name: ../../etc\n", 2, 7, 7, "Invalid name '../../etc'"},
    {IMAGE "name: \"a\\e[31m\"\n", 2, 7, 7, "Invalid name 'a\\x1b[31m'"},
    {IMAGE "name: -x\n", 2, 7, 7, "Invalid name '-x'"},
    {IMAGE "hostname: -x\n", 2, 11, 7, "Invalid hostname '-x'"},
    {"- {name: a, image: b}\n- {name: a, image: b}\n", 2, 10, 23, "Duplicate instance name 'a'"},
    {IMAGE "memory_mb: 15\n", 2, 12, 7, "Invalid memory_mb 15"},
    {IMAGE "memory_mb: 8193\n", 2, 12, 19, "Invalid memory_mb 8193"},
    {IMAGE "service_group: {services: [{destination_port: 80}]}\n", 2, 28, 16,
     "Missing member port"},
    {IMAGE "service_group: {services: [{port: 0}]}\n", 2, 35, 7, "Invalid port 0"},
    {IMAGE "service_group: {services: [{port: 65536}]}\n", 2, 35, 7, "Invalid port 65536"},
    {IMAGE "service_group: {services: [{port: 80, handlers: [https]}]}\n", 2, 50, 7,
     "Invalid handlers 'https'"},
    {IMAGE "service_group: {services: [{port: 80}, {port: 80}]}\n", 2, 40, 23,
     "Duplicate service port 80"},
    {IMAGE "service_group: {services: [{port: 80, handlers: [http, tls]}]}\n", 2, 28, 7,
     "Invalid handlers for port 80"},
    {IMAGE "service_group: {services: [{port: 443, handlers: [http]}]}\n", 2, 28, 7,
     "Invalid handlers for port 443"},
    {IMAGE "service_group: {services: [{port: 443, handlers: [http, tls, redirect]}]}\n", 2, 28, 7,
     "Invalid handlers for port 443"},
    {IMAGE "service_group: {services: [{port: 22, handlers: [http, tls]}]}\n", 2, 28, 7,
     "Invalid handlers for port 22"},
    {IMAGE "service_group: {services: [{port: 22, protocol: udp}]}\n", 2, 49, 7,
     "Invalid protocol 'udp'"},
    {IMAGE "service_group: {soft_limit: 65536}\n", 2, 29, 7, "Invalid soft_limit 65536"},

    /* ---- ROMs ---- */
    {IMAGE "roms:\n  - name: r\n", 3, 5, 16, "Missing member image"},
    {ROM("image: x, files: [{path: a, data: b}]"), 3, 22, 17,
     "Cannot specify 'files' when 'image' is set"},
    {ROM("image: x, dir: /nowhere/at/all"), 3, 22, 17, "Cannot specify 'dir' when 'image' is set"},
    {ROM("dir: x, files: [{path: a, data: b}]"), 3, 20, 17,
     "Cannot specify 'dir' when 'files' is set"},
    {ROM("image: ''"), 3, 22, 7, "Invalid image ''"},
    {ROM("image: x, mount: /x"), 3, 25, 16, "Unknown member 'mount'"},
    {IMAGE "roms: [{name: '', image: x}]\n", 2, 15, 7, "Invalid ROM name ''"},
    {IMAGE "roms: [{name: ., image: x}]\n", 2, 15, 7, "Invalid ROM name '.'"},
    {IMAGE "roms: [{name: .., image: x}]\n", 2, 15, 7, "Invalid ROM name '..'"},
    {IMAGE "roms: [{name: a/b, image: x}]\n", 2, 15, 7, "Invalid ROM name 'a/b'"},
    {IMAGE "roms: [{name: caf\xc3\xa9, image: x}]\n", 2, 15, 7, "Invalid ROM name 'caf\xc3\xa9'"},
    {IMAGE "roms: [{name: " LONG_64 ", image: x}]\n", 2, 15, 7, "Invalid ROM name '" LONG_64 "'"},
    {IMAGE "roms: [{name: a, image: x}, {name: a, image: y}]\n", 2, 36, 23,
     "Duplicate ROM name 'a'"},
    {IMAGE "roms: [{image: a}, {image: a}, {image: a}, {image: a}, {image: a}, {image: a}, "
           "{image: a}, {image: a}, {image: a}]\n",
     2, 7, 5, "Too many ROMs: 9, at most 8"},
    {ROM("image: x, at: rom"), 3, 29, 7, "Invalid mount point 'rom'"},
    {ROM("image: x, at: ''"), 3, 29, 7, "Invalid mount point ''"},
    {ROM("image: x, at: /"), 3, 29, 7, "Invalid mount point '/'"},
    {ROM("image: x, at: //"), 3, 29, 7, "Invalid mount point '/'"},
    {ROM("image: x, at: /a/../b"), 3, 29, 7, "Invalid mount point '/a/../b'"},
    {ROM("image: x, at: /a/./b"), 3, 29, 7, "Invalid mount point '/a/./b'"},
    {ROM("image: x, at: /dev"), 3, 29, 7, "Invalid mount point '/dev'"},
    {ROM("image: x, at: /proc/self"), 3, 29, 7, "Invalid mount point '/proc/self'"},
    {ROM("image: x, at: //sys/"), 3, 29, 7, "Invalid mount point '/sys'"},
    {ROM("image: x, at: \"/a\\nb\""), 3, 29, 7, "Invalid mount point '/a\\x0ab'"},
    {IMAGE "roms: [{image: x, at: /a}, {image: y, at: /a/}]\n", 2, 43, 23,
     "Duplicate mount point '/a'"},

    /* ---- inline files ---- */
    {ROM("files: []"), 3, 22, 7, "ROM 'r' has no files"},
    {IMAGE "roms: [{files: []}]\n", 2, 16, 7, "ROM 1 has no files"},
    {ROM("files: {a.txt: x}"), 3, 22, 16, "Member 'roms[0].files' must be a list, not an object"},
    {FILES("x"), 3, 23, 16, "Member 'roms[0].files[0]' must be an object, not a string"},
    {FILES("{data: x}"), 3, 23, 16, "Missing member path"},
    {FILES("{path: x}"), 3, 23, 16, "Missing member data"},
    {FILES("{path: x, data: y, mode: 0755}"), 3, 42, 16, "Unknown member 'mode'"},
    {FILES("{path: x, data: y, encoding: hex}"), 3, 52, 7, "Invalid encoding 'hex'"},
    {FILES("{path: x, data: [y]}"), 3, 39, 16,
     "Member 'roms[0].files[0].data' must be a string, not a list"},
    {FILES("{path: '', data: y}"), 3, 30, 7, "Invalid file path ''"},
    {FILES("{path: /, data: y}"), 3, 30, 7, "Invalid file path ''"},
    {FILES("{path: //x, data: y}"), 3, 30, 7, "Invalid file path '/x'"},
    {FILES("{path: a//b, data: y}"), 3, 30, 7, "Invalid file path 'a//b'"},
    {FILES("{path: a/, data: y}"), 3, 30, 7, "Invalid file path 'a/'"},
    {FILES("{path: ../x, data: y}"), 3, 30, 7, "Invalid file path '../x'"},
    {FILES("{path: a/./x, data: y}"), 3, 30, 7, "Invalid file path 'a/./x'"},
    {FILES("{path: " LONG_256 ", data: y}"), 3, 30, 7, NULL},
    {FILES("{path: x, data: 1}, {path: /x, data: 2}"), 3, 50, 23, "Duplicate file path 'x'"},
    {FILES("{path: x/y, data: 1}, {path: x, data: 2}, {path: x-y, data: 3}"), 3, 30, 7,
     "Invalid file path 'x/y'"},
    {FILES("{path: x, encoding: base64, data: YQ}"), 3, 57, 7,
     "Invalid base64 data: wrong at its end"},
    {FILES("{path: x, encoding: base64, data: 'Y Q='}"), 3, 57, 7,
     "Invalid base64 data: ' ' at character 2"},
    {FILES("{path: x, encoding: base64, data: YQ==YQ==}"), 3, 57, 7,
     "Invalid base64 data: wrong at its end"},
};

static const struct romsim_input source = {.name = "x.yaml"};

static struct romsim_diagnostics parse(const char *text, size_t size)
{
    struct romsim_diagnostics diagnostics = {0};
    struct romsim_instances instances = {0};

    unit_text(&unit_instance, text, size);
    if (romsim_instances_parse(text, size, &source, NULL, &instances, &diagnostics) == 0) {
        ck_assert_msg(diagnostics.errors == 0, "success with errors");
        romsim_instances_clear(&instances);
    }
    ck_assert_uint_eq(instances.count, 0);
    return diagnostics;
}

static const struct romsim_error *first_error(const struct romsim_diagnostics *diagnostics)
{
    for (size_t i = 0; i < diagnostics->count; i++)
        if (!diagnostics->entries[i].is_warning)
            return &diagnostics->entries[i].error;
    return NULL;
}

START_TEST(each_bad_text_gives_its_one_error_at_its_place)
{
    size_t wrong = 0;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct romsim_diagnostics diagnostics = parse(bad[i].text, strlen(bad[i].text));
        const struct romsim_error *error = first_error(&diagnostics);

        if (!error || diagnostics.errors != 1 || error->place.line != bad[i].line ||
            error->place.column != bad[i].column || (int)error->cloud != bad[i].code ||
            error->rule == ROMSIM_RULE_NONE ||
            (bad[i].message && strcmp(error->message, bad[i].message) != 0)) {
            printf("# row %zu: %s\n#   wanted %u:%u code %d: %s\n", i, bad[i].text, bad[i].line,
                   bad[i].column, bad[i].code, bad[i].message ? bad[i].message : "(any)");
            for (size_t j = 0; j < diagnostics.count; j++)
                printf("#   got %u:%u code %d: %s\n", diagnostics.entries[j].error.place.line,
                       diagnostics.entries[j].error.place.column,
                       (int)diagnostics.entries[j].error.cloud,
                       diagnostics.entries[j].error.message);
            wrong++;
        }
        romsim_diagnostics_clear(&diagnostics);
    }
    fflush(stdout);
    ck_assert_uint_eq(wrong, 0);
}
END_TEST

UNIT_MAIN("instance_bad", each_bad_text_gives_its_one_error_at_its_place)
