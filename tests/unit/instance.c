/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * instance.c: instance texts as the cloud takes them: what they become, and what must be accepted
 * (bad texts are in instance_bad.c, hostile ones in instance_hostile.c).  Over 600 lines, because
 * docs/parity.md pins its choices here, one short test each.
 */
#include "harness.h"
#include "texts.h"

#include <romsim/instance.h>

#include <jansson.h>

static const struct romsim_input source = {.name = "x.yaml"};
static struct romsim_diagnostics diagnostics;
static struct romsim_instances instances;

static int parse(const char *text)
{
    romsim_diagnostics_clear(&diagnostics);
    romsim_instances_clear(&instances);
    unit_text(&unit_instance, text, strlen(text));
    return romsim_instances_parse(text, strlen(text), &source, NULL, &instances, &diagnostics);
}

static void print_diagnostics(void)
{
    for (size_t i = 0; i < diagnostics.count; i++)
        printf("# %u:%u: %s\n", diagnostics.entries[i].error.place.line,
               diagnostics.entries[i].error.place.column, diagnostics.entries[i].error.message);
    fflush(stdout);
}

/* Parses a text with one instance in it. */
static struct romsim_instance *accept(const char *text)
{
    if (parse(text) < 0)
        print_diagnostics();
    ck_assert_uint_eq(diagnostics.errors, 0);
    ck_assert_uint_ge(instances.count, 1);
    return instances.items[0];
}

/* Parses a text that is refused; returns its first error. */
static const struct romsim_error *refuse(const char *text)
{
    ck_assert_int_eq(parse(text), -1);
    ck_assert_uint_eq(instances.count, 0);
    ck_assert_uint_ge(diagnostics.count, 1);
    return &diagnostics.entries[0].error;
}

/* The request for a text, parsed again. */
static json_t *request(const char *text)
{
    struct romsim_error error;
    char *body;
    json_t *value;

    accept(text);
    body = romsim_instances_request(&instances, &error);
    ck_assert_ptr_nonnull(body);
    value = json_loads(body, 0, NULL);
    ck_assert_ptr_nonnull(value);
    free(body);
    return value;
}

static void assert_request(const char *text, const char *wanted)
{
    json_t *got = request(text);
    json_t *want = json_loads(wanted, 0, NULL);

    ck_assert_ptr_nonnull(want);
    if (!json_equal(got, want)) {
        char *dump = json_dumps(got, JSON_INDENT(2));

        printf("# got %s\n", dump);
        free(dump);
        fflush(stdout);
    }
    ck_assert(json_equal(got, want));
    json_decref(got);
    json_decref(want);
}

/* ---- what a text becomes ------------------------------------------------------------------ */

START_TEST(all_members_reach_the_model)
{
    const struct romsim_instance *i = accept("name: fn-1\n"
                                             "image: org/base:latest\n"
                                             "args: [/bin/sh, -c, 'exit 3']\n"
                                             "env: {A: b, C: ''}\n"
                                             "memory_mb: 512\n"
                                             "vcpus: 2\n"
                                             "hostname: host.example\n"
                                             "autostart: true\n"
                                             "restart_policy: on_failure\n"
                                             "service_group:\n"
                                             "  services:\n"
                                             "  - {port: 443, destination_port: 8080, "
                                             "handlers: [tls, http]}\n"
                                             "  - port: 22\n"
                                             "roms:\n"
                                             "- name: code\n"
                                             "  image: {url: org/rom}\n"
                                             "  at: /rom//x/\n"
                                             "- files:\n"
                                             "  - {path: /a/b, data: hello}\n"
                                             "  - {path: c, encoding: base64, data: AP8=}\n");

    ck_assert_str_eq(i->name, "fn-1");
    ck_assert_str_eq(i->image, "org/base:latest");
    ck_assert_uint_eq(i->args.count, 3);
    ck_assert_str_eq(i->args.items[2], "exit 3");
    ck_assert_str_eq(i->env[1].name, "C");
    ck_assert_str_eq(i->env[1].value, "");
    ck_assert_uint_eq(i->memory_mb, 512);
    ck_assert_uint_eq(i->vcpus, 2);
    ck_assert_str_eq(i->hostname, "host.example");
    ck_assert(i->autostart);
    ck_assert_int_eq(i->restart, ROMSIM_RESTART_ON_FAILURE);
    ck_assert_uint_eq(i->services[0].destination_port, 8080);
    ck_assert_uint_eq(i->services[0].handlers, ROMSIM_HANDLER_TLS | ROMSIM_HANDLER_HTTP);
    ck_assert_uint_eq(i->services[1].destination_port, 22);
    ck_assert_str_eq(i->roms[0].image, "org/rom");
    ck_assert_str_eq(i->roms[0].at, "/rom/x");
    ck_assert(!i->roms[0].is_inline);
    ck_assert(i->roms[1].is_inline);
    ck_assert_ptr_null(i->roms[1].name);
    ck_assert_str_eq(i->roms[1].files[0].path, "a/b");
    ck_assert_mem_eq(i->roms[1].files[0].data, "hello", 5);
    ck_assert_uint_eq(i->roms[1].files[1].size, 2);
    ck_assert_mem_eq(i->roms[1].files[1].data, "\x00\xff", 2);
}
END_TEST

START_TEST(defaults_are_the_clouds)
{
    const struct romsim_instance *i = accept("image: x\n");

    ck_assert_uint_eq(i->memory_mb, 128);
    ck_assert_uint_eq(i->vcpus, 1);
    ck_assert(!i->has_args && !i->autostart);
    ck_assert_int_eq(i->restart, ROMSIM_RESTART_NEVER);
    ck_assert_ptr_null(i->name);
}
END_TEST

START_TEST(an_empty_list_of_args_is_not_an_absent_one)
{
    ck_assert(accept("{image: x, args: []}")->has_args);
    ck_assert(!accept("{image: x, args: }")->has_args);
}
END_TEST

START_TEST(objects_arrays_and_documents_hold_instances)
{
    accept("image: x");
    ck_assert_uint_eq(instances.count, 1);
    accept("- image: x\n- image: y\n");
    ck_assert_uint_eq(instances.count, 2);
    accept("---\nimage: x\n---\n- image: y\n- image: z\n---\n# nothing\n");
    ck_assert_uint_eq(instances.count, 3);
    ck_assert_str_eq(instances.items[2]->image, "z");
    accept("[{\"image\": \"x\"}, {\"image\": \"y\"}]");
    ck_assert_uint_eq(instances.count, 2);
}
END_TEST

START_TEST(anchors_and_aliases_work)
{
    accept("- image: &i base\n"
           "  env: &e {A: b}\n"
           "- image: *i\n"
           "  env: *e\n"
           "---\n"
           "image: &i other\n"
           "hostname: *i\n");
    ck_assert_str_eq(instances.items[1]->image, "base");
    ck_assert_str_eq(instances.items[1]->env[0].value, "b");
    ck_assert_str_eq(instances.items[2]->hostname, "other");
    refuse("image: &i base\n---\nimage: *i\n"); /* anchors are a document's own */
}
END_TEST

START_TEST(a_null_member_is_an_absent_one)
{
    const struct romsim_instance *i =
        accept("image: x\nenv:\nroms: ~\nname: null\nmemory_mb:\nvolumes:\n");

    ck_assert_uint_eq(i->env_count + i->rom_count, 0);
    ck_assert_uint_eq(i->memory_mb, 128);
    ck_assert_ptr_null(i->name);
    ck_assert_uint_eq(diagnostics.warnings, 0);
}
END_TEST

/* ---- scalars ------------------------------------------------------------------------------ */

START_TEST(plain_scalars_of_yaml_are_the_text_that_was_written)
{
    const struct romsim_instance *i = accept("image: 2024.10\n"
                                             "args: [8080, true, 1.10, 0x1F, 1e3, no]\n"
                                             "env: {PORT: 8080, DEBUG: true, V: 1.10, N: off}\n");

    ck_assert_str_eq(i->image, "2024.10");
    ck_assert_str_eq(i->args.items[2], "1.10");
    ck_assert_str_eq(i->args.items[3], "0x1F");
    ck_assert_str_eq(i->env[0].value, "8080");
    ck_assert_str_eq(i->env[1].value, "true");
    ck_assert_str_eq(i->env[3].value, "off");
    /* JSON has types of its own: there a number is a number, as for the API. */
    ck_assert_str_eq(refuse("{\"image\": \"x\", \"args\": [8080]}")->message,
                     "Member 'args[0]' must be a string, not a number");
}
END_TEST

START_TEST(explicit_tags_say_what_a_scalar_is)
{
    ck_assert_uint_eq(accept("{image: x, memory_mb: !!int '512'}")->memory_mb, 512);
    ck_assert_str_eq(accept("image: !!str 12\n")->image, "12");
    refuse("{image: x, memory_mb: !!str 512}");
}
END_TEST

START_TEST(numbers_may_have_yamls_other_radixes)
{
    ck_assert_uint_eq(accept("{image: x, memory_mb: 0x200}")->memory_mb, 512);
    ck_assert_uint_eq(accept("{image: x, memory_mb: 0o1000}")->memory_mb, 512);
    ck_assert_uint_eq(accept("{image: x, memory_mb: 0512}")->memory_mb, 512);
}
END_TEST

START_TEST(json_surrogate_pairs_are_one_character)
{
    const struct romsim_instance *i =
        accept("{\"image\": \"x\", \"env\": {\"A\": \"\\ud83d\\ude00\\u00e9\\u20ac/\\/\\\"\\n\"}}");

    ck_assert_str_eq(i->env[0].value, "\xf0\x9f\x98\x80\xc3\xa9\xe2\x82\xac//\"\n");
}
END_TEST

START_TEST(flow_yaml_that_is_no_json_is_read_as_yaml)
{
    ck_assert_str_eq(accept("{image: x, args: [a, b,],}")->image, "x");
    ck_assert_str_eq(accept("[{image: x}] # a comment\n")->image, "x");
}
END_TEST

START_TEST(yaml_that_begins_as_json_is_warned_of)
{
    static const struct {
        const char *text;
        unsigned line, column; /* 0: no warning */
    } texts[] = {
        {"{image: x}", 1, 2},
        {"{\"image\": \"x\",}", 1, 15},
        {"{'image': x}", 1, 2},
        {" \n[{\"image\": \"x\",\n\"args\": [a]}]", 3, 10},
        {"{\"image\": \"x\"} # comment", 1, 16},
        {"{\"image\": \"x\"}\n---\n{\"image\": \"y\"}", 2, 1},
        {"{\"image\": \"x\"}", 0, 0},
        {"[{\"image\": \"x\"}]\n", 0, 0},
        {"image: x\nenv: {A: b}", 0, 0},
        {"- {image: x}", 0, 0},
        {"# {\nimage: x", 0, 0},
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        accept(texts[i].text);
        ck_assert_msg(diagnostics.warnings == (texts[i].line > 0), "%s", texts[i].text);
        if (texts[i].line == 0)
            continue;
        ck_assert_ptr_nonnull(
            strstr(diagnostics.entries[0].error.message, "the API would refuse it"));
        ck_assert_uint_eq(diagnostics.entries[0].error.place.line, texts[i].line);
        ck_assert_uint_eq(diagnostics.entries[0].error.place.column, texts[i].column);
    }
}
END_TEST

START_TEST(text_data_may_have_any_character_of_json)
{
    const struct romsim_instance *i = accept(
        "{\"image\":\"x\",\"roms\":[{\"files\":[{\"path\":\"a\",\"data\":\"a\\u0000b\"}]}]}");

    ck_assert_uint_eq(i->roms[0].files[0].size, 3);
    ck_assert_mem_eq(i->roms[0].files[0].data, "a\0b", 3);
}
END_TEST

START_TEST(base64_in_a_block_scalar_may_have_line_breaks)
{
    const struct romsim_instance *i = accept("image: x\n"
                                             "roms:\n"
                                             "- files:\n"
                                             "  - path: a\n"
                                             "    encoding: base64\n"
                                             "    data: |\n"
                                             "      aGVs\n"
                                             "      bG8=\n");

    ck_assert_uint_eq(i->roms[0].files[0].size, 5);
    ck_assert_mem_eq(i->roms[0].files[0].data, "hello", 5);
    refuse("{\"image\":\"x\",\"roms\":[{\"files\":[{\"path\":\"a\",\"encoding\":\"base64\","
           "\"data\":\"aGVs\\nbG8=\"}]}]}");
}
END_TEST

START_TEST(an_empty_file_is_a_file)
{
    ck_assert_uint_eq(
        accept("image: x\nroms: [{files: [{path: a, data: ''}]}]\n")->roms[0].files[0].size, 0);
}
END_TEST

/* ---- limits ------------------------------------------------------------------------------- */

static void assert_bytes(size_t size, int wanted)
{
    char *text =
        unit_repeat("{\"image\":\"x\",\"roms\":[{\"name\":\"r\",\"files\":[{\"path\":\"a\","
                    "\"data\":\"",
                    "x", size, "\"}]}]}");

    ck_assert_int_eq(parse(text), wanted);
    free(text);
}

START_TEST(an_inline_rom_holds_one_mebibyte)
{
    assert_bytes(1 << 20, 0);
    assert_bytes((1 << 20) + 1, -1);
    ck_assert_str_eq(diagnostics.entries[0].error.message,
                     "ROM 'r' is too large: 1048577 bytes, at most 1048576");
    ck_assert_int_eq(diagnostics.entries[0].error.cloud, ROMSIM_CLOUD_TOO_LONG);
}
END_TEST

START_TEST(the_limit_of_an_inline_rom_counts_decoded_bytes)
{
    /* 1 MiB less one byte is divisible by 3: its base64 is longer by a third. */
    char *text = unit_repeat("image: x\nroms: [{files: [{path: a, encoding: base64, data: ", "AAAA",
                             (1 << 20) / 3, "}]}]\n");

    ck_assert_uint_eq(accept(text)->roms[0].files[0].size, (1 << 20) - 1);
    free(text);
}
END_TEST

START_TEST(sixteen_files_and_no_more)
{
    char text[2048] = "image: x\nroms:\n- name: r\n  files:\n";

    for (int i = 0; i < 17; i++) {
        size_t size = strlen(text);

        snprintf(text + size, sizeof(text) - size, "  - {path: f%d, data: x}\n", i);
        ck_assert_int_eq(parse(text), i < 16 ? 0 : -1);
    }
    ck_assert_str_eq(diagnostics.entries[0].error.message,
                     "Too many files in ROM 'r': 17, at most 16");
    ck_assert_int_eq(diagnostics.entries[0].error.cloud, ROMSIM_CLOUD_TOO_MANY);
}
END_TEST

START_TEST(a_request_is_counted_to_the_byte)
{
    static const char text[] =
        "image: {url: x, credentials: {a: [1, 2.5, null, {}, []]}}\nenv: {A: \"\\e[1m\\u202e\"}\n"
        "service_group: {services: [{port: 22, handlers: [tls]}], soft_limit: 3}\nreplicas: 2\n"
        "roms: [{at: /a, files: [{path: a, data: \"x\\0\\n\"}, {path: b, encoding: base64, data: "
        "AA==},\n"
        "  {path: c, encoding: base64, data: AAA=}, {path: d, data: \"\"}]}]\n---\nimage: y\n";
    struct romsim_limits limits = romsim_limits_default;
    struct romsim_error error;
    char *body, expected[64];
    bool is_said = false;

    ck_assert_int_eq(parse(text), 0);
    body = romsim_instances_request(&instances, &error);
    ck_assert_ptr_nonnull(body);
    for (int less = 0; less < 2; less++) {
        limits.body_bytes = strlen(body) - (size_t)less;
        romsim_instances_clear(&instances);
        romsim_diagnostics_clear(&diagnostics);
        ck_assert_int_eq(
            romsim_instances_parse(text, strlen(text), &source, &limits, &instances, &diagnostics),
            less ? -1 : 0);
    }
    ck_assert_uint_eq(diagnostics.errors, 1);
    snprintf(expected, sizeof(expected), "The request is too large: %zu bytes", strlen(body));
    for (size_t i = 0; i < diagnostics.count; i++)
        is_said |= strstr(diagnostics.entries[i].error.message, expected) != NULL;
    ck_assert(is_said);
    free(body);
}
END_TEST

START_TEST(a_request_has_eight_mebibytes)
{
    char *file =
        unit_repeat("  - {files: [{path: a, encoding: base64, data: ", "AAAA", 349525, "}]}\n");
    char *one = unit_repeat("- image: x\n  roms:\n", file, 4, "");
    char *two = unit_repeat("", one, 2, "");

    ck_assert_int_eq(parse(one), 0);
    ck_assert_int_eq(parse(two), -1);
    ck_assert_uint_eq(diagnostics.errors, 1);
    ck_assert_ptr_nonnull(strstr(diagnostics.entries[0].error.message, "The request is too large"));
    ck_assert_int_eq(diagnostics.entries[0].error.cloud, ROMSIM_CLOUD_TOO_LONG);
    free(two);
    free(one);
    free(file);
}
END_TEST

START_TEST(nine_plugins_are_too_many_beside_eight_roms)
{
    static const char roms[] = "image: x\nroms: [{image: a}, {image: b}, {image: c}, {image: d}, "
                               "{image: e}, {image: f}, {image: g}, {image: h}]\n";
    char text[1024];

    snprintf(text, sizeof(text), "%splugins: [{}, {}, {}, {}, {}, {}, {}, {}]\n", roms);
    accept(text);
    snprintf(text, sizeof(text), "%splugins: [{}, {}, {}, {}, {}, {}, {}, {}, {}]\n", roms);
    ck_assert_str_eq(refuse(text)->message, "Too many plugins: 9, at most 8");
}
END_TEST

START_TEST(each_limit_can_be_changed)
{
    struct romsim_limits limits = romsim_limits_default;
    struct romsim_error error;
    static const char text[] = "image: x\nmemory_mb: 8193\nroms: [{image: a}, {image: b}]\n";

    ck_assert_int_eq(romsim_limits_set(&limits, "memory-max=9000", &error), 0);
    ck_assert_int_eq(romsim_limits_set(&limits, "roms=1", &error), 0);
    ck_assert_int_eq(romsim_limits_set(&limits, "rom-bytes=2M", &error), 0);
    ck_assert_uint_eq(limits.rom_bytes, 2 << 20);
    ck_assert_int_eq(
        romsim_instances_parse(text, strlen(text), &source, &limits, &instances, &diagnostics), -1);
    ck_assert_uint_eq(diagnostics.errors, 1);
    ck_assert_str_eq(diagnostics.entries[0].error.message, "Too many ROMs: 2, at most 1");
    ck_assert_int_eq(romsim_limits_set(&limits, "ram=1", &error), -1);
    ck_assert_ptr_nonnull(strstr(error.hint, "body-bytes"));
    ck_assert_int_eq(romsim_limits_set(&limits, "roms=", &error), -1);
    ck_assert_int_eq(romsim_limits_set(&limits, "roms=1T", &error), -1);
    ck_assert_int_eq(romsim_limits_set(&limits, "roms=99999999999999999999", &error), -1);
    ck_assert_int_eq(romsim_limits_set(&limits, "body-bytes=99999999999G", &error), -1);
}
END_TEST

/* ---- rules of ROMs ------------------------------------------------------------------------ */

START_TEST(names_have_1_to_63_of_their_characters)
{
    char text[256];

    accept("image: x\nroms: [{name: Az09._-, image: a}, {name: a.py, image: b}]\n");
    snprintf(text, sizeof(text), "image: x\nroms: [{name: %063d, image: a}]\n", 0);
    accept(text);
}
END_TEST

START_TEST(an_at_may_lie_in_another_and_over_directories)
{
    accept("image: x\nroms: [{image: a, at: /rom/inner}, {image: b, at: /rom}, "
           "{image: c, at: /etc/prometheus}, {image: d, at: /devices}, {image: e, at: /a..b}]\n");
}
END_TEST

START_TEST(file_paths_that_only_look_bad_are_accepted)
{
    accept("image: x\nroms: [{files: [{path: ..., data: x}, {path: .hidden, data: x}, "
           "{path: a b/c, data: x}, {path: 'a\\b', data: x}, {path: /a.b/..c, data: x}]}]\n");
}
END_TEST

START_TEST(a_name_is_derived_from_at_for_the_flag_only)
{
    struct romsim_error error;
    struct romsim_instance *i = accept("image: x\nroms: [{image: a, at: /rom/base}]\n");
    static const char *const names[][2] = {
        {"/rom/base", "rom-base"}, {"/a.b/c_d", "ab-cd"}, {"/", ""}, {"/___", ""}, {"/x/", "x-"}};

    ck_assert_ptr_null(i->roms[0].name);
    ck_assert_int_eq(romsim_instance_add_rom(i, "image=b,at=/rom/base", &error), 0);
    ck_assert_str_eq(i->roms[1].name, "rom-base");
    for (size_t j = 0; j < sizeof(names) / sizeof(names[0]); j++) {
        char *name = romsim_rom_name_from_at(names[j][0]);

        ck_assert_str_eq(name, names[j][1]);
        free(name);
    }
}
END_TEST

/* ---- several errors, warnings ------------------------------------------------------------- */

START_TEST(all_errors_of_a_file_come_in_one_pass_from_top_to_bottom)
{
    static const struct {
        unsigned line;
        const char *message;
    } wanted[] = {
        {1, "Invalid name 'a b'"},     {2, "Unknown member 'imgae'"},
        {4, "Invalid ROM name 'x/y'"}, {4, "Invalid mount point 'z'"},
        {6, "Missing member image"},
    };

    refuse("name: a b\nimgae: x\nimage: x\nroms: [{name: x/y, image: q, at: z}]\n---\nname: b\n");
    ck_assert_uint_eq(diagnostics.count, 5);
    for (size_t i = 0; i < 5; i++) {
        ck_assert_uint_eq(diagnostics.entries[i].error.place.line, wanted[i].line);
        ck_assert_str_eq(diagnostics.entries[i].error.message, wanted[i].message);
    }
    ck_assert_str_eq(diagnostics.entries[1].error.hint, "did you mean 'image'?");
}
END_TEST

START_TEST(what_other_tools_call_it_is_understood)
{
    static const char *const words[][2] = {
        {"image: x\nports: [80]\n", "did you mean 'service_group'?"},
        {"image: x\ncommand: [a]\n", "did you mean 'args'?"},
        {"image: x\nroms: [{image: x, mountPath: /x}]\n", "did you mean 'at'?"},
        {"image: x\ntarget: /x\n", ""}, /* an instance has no `at` */
    };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        ck_assert_str_eq(refuse(words[i][0])->hint, words[i][1]);
}
END_TEST

START_TEST(documents_before_a_mistake_of_syntax_are_checked_too)
{
    refuse("name: a\n---\nimage: x: y\n");
    ck_assert_uint_eq(diagnostics.count, 2);
    ck_assert_str_eq(diagnostics.entries[0].error.message, "Missing member image");
    ck_assert_uint_eq(diagnostics.entries[1].error.place.line, 3);
}
END_TEST

START_TEST(one_warning_names_what_is_not_simulated)
{
    accept("image: {url: x, pull_policy: always, credentials: {user: a}}\n"
           "volumes: [{name: v, at: /data, size_mb: 10, filesystem: ext4, uid: 7}]\n"
           "scale_to_zero: {policy: on, stateful: true, notify_time_ms: 5}\n"
           "service_group: {domains: [{name: a}], services: []}\n"
           "restart_policy: always\n"
           "features: [delete-on-stop]\n"
           "type: micro\n"
           "replicas: 0\n"
           "annotations: {a: b}\n"
           "tags: [a]\n");
    ck_assert_uint_eq(diagnostics.warnings, 1);
    ck_assert_str_eq(
        diagnostics.entries[0].error.message,
        "accepted, but not simulated: image.pull_policy, image.credentials, "
        "volumes[0].uid, scale_to_zero.notify_time_ms, service_group.domains, annotations");
    accept("image: x\nfeatures: [delete-on-stop, nested-virt]\n");
    ck_assert_str_eq(diagnostics.entries[0].error.message, "accepted, but not simulated: features");
}
END_TEST

START_TEST(a_timeout_is_in_seconds_and_the_older_form_rounds_up_to_them)
{
    static const struct {
        const char *member;
        int64_t seconds;
    } rows[] = {{"timeout_s: 0", 0},          {"timeout_s: 90", 90},
                {"timeout_s: -1", -1},        {"wait_timeout_ms: 0", 0},
                {"wait_timeout_ms: 1", 1},    {"wait_timeout_ms: -1", -1},
                {"wait_timeout_ms: 1000", 1}, {"wait_timeout_ms: 1001", 2}};

    for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
        bool is_older = rows[row].member[0] == 'w';
        char text[128], request[128];
        const struct romsim_instance *i;

        snprintf(text, sizeof(text), "image: x\nautostart: true\n%s\n", rows[row].member);
        i = accept(text);
        ck_assert_int_eq(i->timeout_s, rows[row].seconds);
        ck_assert(i->given & ROMSIM_GIVEN_TIMEOUT);
        ck_assert_uint_eq(diagnostics.warnings, is_older);
        if (is_older)
            ck_assert_ptr_nonnull(strstr(diagnostics.entries[0].error.message, "is deprecated"));
        snprintf(request, sizeof(request), "{\"image\": \"x\", \"autostart\": true, \"%.*s\": %s}",
                 (int)strcspn(rows[row].member, ":"), rows[row].member,
                 strchr(rows[row].member, ' ') + 1);
        assert_request(text, request);
    }
    ck_assert(!(accept("image: x\nautostart: true\n")->given & ROMSIM_GIVEN_TIMEOUT));
    /* No wait needs no start. */
    ck_assert_int_eq(accept("image: x\ntimeout_s: 0\n")->timeout_s, 0);
}
END_TEST

START_TEST(volumes_are_read_and_passed_on_as_they_came)
{
    static const char uuid[] = "77d0316a-fbbe-488d-8618-5bf7a612477a";
    const struct romsim_instance *i =
        accept("image: x\n"
               "volumes:\n"
               "  - {name: data, at: //mnt/data/}\n"
               "  - {uuid: 77d0316a-fbbe-488d-8618-5bf7a612477a, at: /r, readonly: true}\n"
               "  - {size_mb: 64, at: /scratch, other: [1]}\n"
               "  - {name: made, size_mb: 8, at: /made, readonly: false}\n");
    CLEANUP_FREE char *request = romsim_instance_request(i, NULL);
    json_t *body = json_loads(request, 0, NULL);
    const json_t *volumes = json_object_get(body, "volumes");

    ck_assert_uint_eq(diagnostics.count, 0);
    ck_assert_uint_eq(i->volume_count, 4);
    ck_assert_str_eq(i->volumes[0].name, "data");
    ck_assert_str_eq(i->volumes[0].at, "/mnt/data");
    ck_assert(!i->volumes[0].readonly && i->volumes[0].size_mb == 0);
    ck_assert_str_eq(i->volumes[1].uuid, uuid);
    ck_assert(i->volumes[1].readonly);
    ck_assert_ptr_null(i->volumes[2].name);
    ck_assert_uint_eq(i->volumes[2].size_mb, 64);
    ck_assert_str_eq(i->volumes[3].name, "made");
    ck_assert_uint_eq(i->volumes[3].at_place.line, 6);
    ck_assert_uint_eq(json_array_size(volumes), 4);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(volumes, 1), "uuid")), uuid);
    ck_assert(json_is_true(json_object_get(json_array_get(volumes, 1), "readonly")));
    ck_assert_ptr_null(json_object_get(json_array_get(volumes, 0), "readonly"));
    ck_assert(json_is_false(json_object_get(json_array_get(volumes, 3), "readonly")));
    ck_assert_uint_eq(json_array_size(json_object_get(json_array_get(volumes, 2), "other")), 1);
    json_decref(body);
}
END_TEST

START_TEST(a_volume_of_a_flag_is_one_of_the_file)
{
    static const struct {
        const char *spec, *name, *uuid, *at;
        bool readonly;
    } good[] = {
        {"data:/data", "data", NULL, "/data", false},
        {"data:/data/:ro", "data", NULL, "/data", true},
        {"data:/data:rw", "data", NULL, "/data", false},
        {"77d0316a-fbbe-488d-8618-5bf7a612477a:/a", NULL, "77d0316a-fbbe-488d-8618-5bf7a612477a",
         "/a", false},
    };
    static const char *const bad[] = {"data",   "data:",        ":/data",       "data:/data:",
                                      "data::", "data:/a:b:ro", "data:/data:x", "./dir:/data"};

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        CLEANUP_INSTANCE struct romsim_instance *instance = romsim_instance_new();
        CLEANUP_FREE char *request = NULL;
        const struct romsim_volume *volume;

        ck_assert_int_eq(romsim_instance_add_volume(instance, good[i].spec, NULL), 0);
        volume = &instance->volumes[0];
        ck_assert_pstr_eq(volume->name, good[i].name);
        ck_assert_pstr_eq(volume->uuid, good[i].uuid);
        ck_assert_str_eq(volume->at, good[i].at);
        ck_assert(volume->readonly == good[i].readonly);
        request = romsim_instance_request(instance, NULL);
        ck_assert_ptr_nonnull(strstr(request, "\"volumes\""));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CLEANUP_INSTANCE struct romsim_instance *instance = romsim_instance_new();
        struct romsim_error err = {0};

        ck_assert_int_eq(romsim_instance_add_volume(instance, bad[i], &err), -1);
        ck_assert(err.hint[0]);
        ck_assert_uint_eq(instance->volume_count, 0);
    }
}
END_TEST

START_TEST(a_template_or_a_branch_needs_no_image)
{
    ck_assert(
        accept("template: {name: t}\nroms: [{name: s, image: x, at: /mnt}]\n")->image_optional);
    ck_assert(accept("branch_from: {name: other}\n")->clone_of == ROMSIM_CLONE_OF_INSTANCE);
    ck_assert(accept("checkpoint: {name: other}\n")->clone_of == ROMSIM_CLONE_OF_CHECKPOINT);
    refuse("checkpoint: other\n");
    refuse("branch_from: {}\n");
}
END_TEST

/* Both are a request, and differ in what the clone has. */
START_TEST(a_clone_without_roms_is_not_one_that_says_nothing_of_them)
{
    struct romsim_error error;
    const struct romsim_instance *instance = accept("checkpoint: {name: c}\n");
    char *text = romsim_instance_request(instance, &error);

    ck_assert_ptr_null(strstr(text, "roms"));
    free(text);
    text = romsim_instance_request(accept("checkpoint: {name: c}\nroms: []\n"), &error);
    ck_assert_ptr_nonnull(strstr(text, "\"roms\": []"));
    free(text);
}
END_TEST

START_TEST(places_count_characters_and_show_the_line)
{
    const struct romsim_error *e =
        refuse("\xef\xbb\xbfimage: x\r\n# \xf0\x9f\x98\x80\r\nenv: {\"\xc3\xa4\xf0\x9f\x98\x80\": "
               "[\t1]}\r\n");

    ck_assert_uint_eq(e->place.line, 3);
    ck_assert_uint_eq(e->place.column, 13);
    ck_assert_str_eq(e->place.file, "x.yaml");
    ck_assert_str_eq(e->place.excerpt, "env: {\"\xc3\xa4\xf0\x9f\x98\x80\": [ 1]}");
    ck_assert_uint_eq(e->place.caret, 13);
}
END_TEST

START_TEST(the_excerpt_of_a_long_line_is_a_window_on_it)
{
    char *text = unit_repeat("{\"image\": \"x\", \"args\": [", "\"\xc3\xa9\", ", 5000, "7]}");
    const struct romsim_error *e = refuse(text);

    ck_assert_uint_eq(e->place.column, 24 + 5000 * 5 + 1);
    ck_assert_uint_eq(e->place.caret, 61);
    ck_assert_uint_eq((unsigned char)e->place.excerpt[strlen(e->place.excerpt) - 3], '7');
    free(text);
}
END_TEST

START_TEST(a_long_file_name_is_shortened_from_the_left)
{
    char *name = unit_repeat("/", "0123456789", 40, "/x.yaml");
    const struct romsim_input long_one = {.name = name};

    romsim_diagnostics_clear(&diagnostics);
    ck_assert_int_eq(romsim_instances_parse("a", 1, &long_one, NULL, &instances, &diagnostics), -1);
    ck_assert_uint_eq(strlen(diagnostics.entries[0].error.place.file), 255);
    ck_assert_int_eq(strncmp(diagnostics.entries[0].error.place.file, "...", 3), 0);
    ck_assert_str_eq(diagnostics.entries[0].error.place.file + 248, "/x.yaml");
    free(name);
}
END_TEST

/* ---- the request -------------------------------------------------------------------------- */

START_TEST(the_request_has_what_the_input_named_and_nothing_more)
{
    assert_request("image: x\n", "{\"image\": \"x\"}");
    assert_request(
        "name: n\nimage: {url: x, pull_policy: always}\nargs: []\nenv: {PORT: 80}\n"
        "memory_mb: 128\nautostart: false\nhostname: h\nrestart_policy: on_failure\nreplicas: 2\n"
        "service_group: {name: g, services: [{port: 443}, {port: 80, destination_port: 80, "
        "handlers: [http, redirect]}], soft_limit: 3}\n"
        "roms: [{name: a, image: {url: r, headers: {X: y}}, at: /a/}, "
        "{files: [{path: /t, data: 1}, {path: b, encoding: base64, data: AA==}]}]\n"
        "annotations: {n: 1, f: 1.5, t: true, z: ~, l: [a, 2]}\nvcpus: 1\ntags: [1]\n",
        "{\"name\": \"n\", \"image\": {\"url\": \"x\", \"pull_policy\": \"always\"}, \"args\": [],"
        "\"env\": {\"PORT\": \"80\"}, \"memory_mb\": 128, \"vcpus\": 1, \"autostart\": false,"
        "\"hostname\": \"h\", \"restart_policy\": \"on_failure\", \"replicas\": 2,"
        "\"service_group\": {\"name\": \"g\", \"services\": [{\"port\": 443}, {\"port\": 80,"
        "\"destination_port\": 80, \"handlers\": [\"http\", \"redirect\"]}], \"soft_limit\": 3},"
        "\"roms\": [{\"name\": \"a\", \"image\": {\"url\": \"r\", \"headers\": {\"X\": \"y\"}},"
        "\"at\": \"/a\"}, {\"files\": [{\"path\": \"t\", \"encoding\": \"text\", \"data\": \"1\"},"
        "{\"path\": \"b\", \"encoding\": \"base64\", \"data\": \"AA==\"}]}],"
        "\"annotations\": {\"n\": 1, \"f\": 1.5, \"t\": true, \"z\": null, \"l\": [\"a\", 2]},"
        "\"tags\": [\"1\"]}");
}
END_TEST

START_TEST(several_instances_are_one_array)
{
    assert_request("image: x\n---\nimage: y\n", "[{\"image\": \"x\"}, {\"image\": \"y\"}]");
}
END_TEST

START_TEST(a_request_read_again_gives_the_same_request)
{
    static const char text[] =
        "{\"image\":\"x\",\"env\":{\"A\":\"\\ud83d\\ude00\\u0007\"},"
        "\"roms\":[{\"files\":[{\"path\":\"a\",\"data\":\"\\u0000\\\"\"}]}]}";
    struct romsim_error error;
    char *first;
    char *second;

    accept(text);
    first = romsim_instances_request(&instances, &error);
    accept(first);
    second = romsim_instances_request(&instances, &error);
    ck_assert_str_eq(first, second);
    free(first);
    free(second);
}
END_TEST

UNIT_MAIN("instance", all_members_reach_the_model, defaults_are_the_clouds,
          an_empty_list_of_args_is_not_an_absent_one, objects_arrays_and_documents_hold_instances,
          anchors_and_aliases_work, a_null_member_is_an_absent_one,
          plain_scalars_of_yaml_are_the_text_that_was_written, explicit_tags_say_what_a_scalar_is,
          numbers_may_have_yamls_other_radixes, json_surrogate_pairs_are_one_character,
          flow_yaml_that_is_no_json_is_read_as_yaml, yaml_that_begins_as_json_is_warned_of,
          text_data_may_have_any_character_of_json, base64_in_a_block_scalar_may_have_line_breaks,
          an_empty_file_is_a_file, an_inline_rom_holds_one_mebibyte,
          the_limit_of_an_inline_rom_counts_decoded_bytes, sixteen_files_and_no_more,
          a_request_is_counted_to_the_byte, a_request_has_eight_mebibytes,
          nine_plugins_are_too_many_beside_eight_roms, each_limit_can_be_changed,
          names_have_1_to_63_of_their_characters, an_at_may_lie_in_another_and_over_directories,
          file_paths_that_only_look_bad_are_accepted, a_name_is_derived_from_at_for_the_flag_only,
          all_errors_of_a_file_come_in_one_pass_from_top_to_bottom,
          what_other_tools_call_it_is_understood,
          documents_before_a_mistake_of_syntax_are_checked_too,
          one_warning_names_what_is_not_simulated,
          a_timeout_is_in_seconds_and_the_older_form_rounds_up_to_them,
          volumes_are_read_and_passed_on_as_they_came, a_volume_of_a_flag_is_one_of_the_file,
          a_template_or_a_branch_needs_no_image,
          a_clone_without_roms_is_not_one_that_says_nothing_of_them,
          places_count_characters_and_show_the_line, the_excerpt_of_a_long_line_is_a_window_on_it,
          a_long_file_name_is_shortened_from_the_left,
          the_request_has_what_the_input_named_and_nothing_more, several_instances_are_one_array,
          a_request_read_again_gives_the_same_request)
