/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * instance_source.c: where instances come from: texts, flags, the network; what amends them, in
 * which order they are looked at, and what each of them may name of this machine.
 */
#include "harness.h"
#include "texts.h"

#include <romsim/image.h>
#include <romsim/instance.h>
#include <romsim/paths.h>

#include <sys/stat.h>
#include <unistd.h>

static struct romsim_diagnostics diagnostics;
static struct romsim_instances instances;

/* A folder of this test's own, and where we are. */
static char home[] = "/tmp/romsim-test.XXXXXX";

static void enter_home(void)
{
    ck_assert_ptr_nonnull(mkdtemp(home));
    ck_assert_int_eq(chdir(home), 0);
}

static void leave_home(void)
{
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(romsim_path_remove_tree(home, NULL), 0);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    ck_assert_int_eq(fclose(file), 0);
}

/* A flag is a function and its value; the list ends with NULL. */
struct flag {
    int (*apply)(struct romsim_instance *instance, const char *value, struct romsim_error *err);
    const char *value;
};

static int apply_flags(struct romsim_instances *list, void *context,
                       struct romsim_diagnostics *found)
{
    ck_assert_uint_eq(list->count, 1);
    for (const struct flag *flag = context; flag->apply; flag++) {
        struct romsim_error err;

        if (flag->apply(list->items[0], flag->value, &err) < 0) {
            romsim_diagnostics_add(found, &err, 0);
            return -1;
        }
    }
    return 0;
}

/* An instance from a text (or NULL) and flags. */
static int make(const char *text, const char *directory, const struct flag *flags)
{
    const struct romsim_input source = {.origin = text ? ROMSIM_ORIGIN_FILE : ROMSIM_ORIGIN_FLAGS,
                                        .name = "x.yaml",
                                        .directory = directory,
                                        .amend = apply_flags,
                                        .context = (void *)flags};

    romsim_diagnostics_clear(&diagnostics);
    romsim_instances_clear(&instances);
    unit_text(&unit_instance, text, text ? strlen(text) : 0);
    return romsim_instances_parse(text, text ? strlen(text) : 0, &source, NULL, &instances,
                                  &diagnostics);
}

/* A text from the network. */
static int receive(const char *text, bool allow_local)
{
    const struct romsim_input source = {.origin = ROMSIM_ORIGIN_NETWORK,
                                        .name = "request",
                                        .directory = home,
                                        .allow_local = allow_local};

    romsim_diagnostics_clear(&diagnostics);
    romsim_instances_clear(&instances);
    unit_text(&unit_request, text, strlen(text));
    return romsim_instances_parse(text, strlen(text), &source, NULL, &instances, &diagnostics);
}

static const char *message(size_t index)
{
    ck_assert_uint_lt(index, diagnostics.count);
    return diagnostics.entries[index].error.message;
}

/* ---- flags -------------------------------------------------------------------------------- */

START_TEST(flags_make_an_instance)
{
    static const struct flag flags[] = {
        {romsim_instance_set_image, "org/base"},
        {romsim_instance_add_rom, "name=a,image=oci:x:y,at=/rom"},
        {romsim_instance_add_port, "8443:8080/tls+http"},
        {romsim_instance_add_port, "8443:81"},
        {romsim_instance_add_env, "A=b=c"},
        {romsim_instance_add_env, "A="},
        {romsim_instance_set_args, " a 'b  c' \"d \\\" $x\" e\\ f'g' '' "},
        {0},
    };
    const struct romsim_instance *i;

    ck_assert_int_eq(make(NULL, NULL, flags), 0);
    i = instances.items[0];
    ck_assert_str_eq(i->roms[0].image, "oci:x:y");
    ck_assert_int_eq(i->roms[0].origin, ROMSIM_ORIGIN_FLAGS);
    ck_assert_uint_eq(i->service_count, 1);
    ck_assert_uint_eq(i->services[0].host_port, 8443);
    ck_assert_uint_eq(i->services[0].destination_port, 81);
    ck_assert_uint_eq(i->env_count, 1);
    ck_assert_str_eq(i->env[0].value, "");
    ck_assert_uint_eq(i->args.count, 5);
    ck_assert_str_eq(i->args.items[1], "b  c");
    ck_assert_str_eq(i->args.items[2], "d \" $x");
    ck_assert_str_eq(i->args.items[3], "e fg");
    ck_assert_str_eq(i->args.items[4], "");
}
END_TEST

START_TEST(a_port_alone_is_the_guest_s)
{
    static const struct flag flags[] = {{romsim_instance_add_port, "8080"},
                                        {romsim_instance_add_port, "443:8080"},
                                        {romsim_instance_add_port, "80/http"},
                                        {0}};
    const struct romsim_instance *i;

    ck_assert_int_eq(make("image: x\n", NULL, flags), 0);
    i = instances.items[0];
    ck_assert_uint_eq(i->service_count, 3);
    ck_assert_uint_eq(i->services[0].port, 8080);
    ck_assert_uint_eq(i->services[0].destination_port, 8080);
    ck_assert_uint_eq(i->services[0].host_port, 0);
    ck_assert_uint_eq(i->services[1].host_port, 443);
    ck_assert_uint_eq(i->services[2].destination_port, 80);
    ck_assert_uint_eq(i->services[2].handlers, 2);
}
END_TEST

START_TEST(no_flags_make_no_instance)
{
    static const struct flag none[] = {{0}};

    ck_assert_int_eq(make(NULL, NULL, none), -1);
    ck_assert_uint_eq(diagnostics.errors, 1);
    ck_assert_str_eq(message(0), "Missing member image");
    ck_assert_uint_eq(instances.count, 0);
}
END_TEST

START_TEST(paths_in_flags_are_of_the_working_directory)
{
    static const char text[] = "image: base\nroms: [{image: ./here}]\n";
    static const struct flag flags[] = {{romsim_instance_add_rom, "dir=fn,at=/a"},
                                        {romsim_instance_add_rom, "image=fn,at=/b"},
                                        {romsim_instance_add_rom, "image=org/name:1,at=/c"},
                                        {0}};
    const struct romsim_instance *i;
    char wanted[64];

    enter_home();
    ck_assert_int_eq(mkdir("fn", 0700), 0);
    write_file("fn/a", "hello");
    ck_assert_int_eq(make(text, "/elsewhere", flags), 0);
    i = instances.items[0];
    ck_assert_str_eq(i->directory, "/elsewhere");
    snprintf(wanted, sizeof(wanted), "%s/fn", home);
    ck_assert_str_eq(i->roms[0].image, "./here");
    ck_assert_int_eq(i->roms[0].origin, ROMSIM_ORIGIN_FILE);
    ck_assert_str_eq(i->roms[1].dir, wanted);
    ck_assert_str_eq(i->roms[1].name, "a");
    ck_assert_uint_eq(i->roms[1].file_count, 1);
    ck_assert_mem_eq(i->roms[1].files[0].data, "hello", 5);
    ck_assert_str_eq(i->roms[2].image, wanted);
    ck_assert_str_eq(i->roms[3].image, "org/name:1");
    leave_home();
}
END_TEST

START_TEST(bad_flags_say_what_is_wrong)
{
    struct romsim_instance *i = romsim_instance_new();
    struct romsim_error error;
    static const char *const roms[] = {
        "",         "name=a", "image=a,dir=b", "image=", "image=a,image=b", "image=a,foo=b",
        "image=a,", "a"};
    static const char *const ports[] = {
        "",           "0",    "65536",  "80/",      "80/tcp",       "80:",
        ":80",        "0:80", "80:0",   "80:65536", "80:80/",       "80:80/x",
        "80:80/tls+", "x:1",  "80:80x", "-1:80",    "99999999999:1"};

    for (size_t j = 0; j < sizeof(roms) / sizeof(roms[0]); j++) {
        const struct flag flags[] = {{romsim_instance_add_rom, roms[j]}, {0}};

        /* An empty reference is a rule's matter, not the flag's. */
        ck_assert_msg(make("image: x\n", NULL, flags) < 0, "%s", roms[j]);
        ck_assert_uint_eq(diagnostics.errors, 1);
    }
    for (size_t j = 0; j < sizeof(ports) / sizeof(ports[0]); j++)
        ck_assert_msg(romsim_instance_add_port(i, ports[j], &error) < 0, "%s", ports[j]);
    ck_assert_uint_eq(i->service_count, 0);
    ck_assert_int_eq(romsim_instance_add_env(i, "A", &error), -1);
    ck_assert_int_eq(romsim_instance_add_env(i, "=a", &error), -1);
    ck_assert_int_eq(romsim_instance_set_args(i, "a 'b", &error), -1);
    ck_assert_int_eq(romsim_instance_set_image(i, "", &error), -1);
    ck_assert(!i->has_args);
    romsim_instance_free(i);
}
END_TEST

START_TEST(flags_replace_what_passes_through)
{
    static const char text[] = "image: x\nrestart_policy: never\ntags: [a]\n"
                               "scale_to_zero: {policy: off, stateful: true}\n";
    static const struct flag flags[] = {{romsim_instance_set_restart, "on-failure"},
                                        {romsim_instance_set_scale_to_zero, "idle"},
                                        {romsim_instance_set_vcpus, "1"},
                                        {0}};
    struct romsim_error error;
    json_t *body, *wanted = json_pack("{s:s, s:i, s:s, s:[s], s:{s:s, s:b}}", "image", "x", "vcpus",
                                      1, "restart_policy", "on-failure", "tags", "a",
                                      "scale_to_zero", "policy", "idle", "stateful", 1);
    char *request;

    ck_assert_int_eq(make(text, NULL, flags), 0);
    ck_assert_int_eq(instances.items[0]->restart, ROMSIM_RESTART_ON_FAILURE);
    request = romsim_instances_request(&instances, &error);
    ck_assert_ptr_nonnull(request);
    body = json_loads(request, 0, NULL);
    ck_assert_msg(json_equal(body, wanted), "%s", request);
    json_decref(body);
    json_decref(wanted);
    free(request);
}
END_TEST

static const char *value_of(const struct romsim_instance *instance, const char *name)
{
    for (size_t i = 0; i < instance->env_count; i++)
        if (strcmp(instance->env[i].name, name) == 0)
            return instance->env[i].value;
    return NULL;
}

START_TEST(variables_come_from_files_as_docker_reads_them)
{
    struct romsim_instance *i = romsim_instance_new();

    enter_home();
    write_file("env", "\xef\xbb\xbfMARKED=1\n# A=0\n\n \t#\n  LED=a=b \nQUOTED=\"x y\" # z\r\n"
                      "HERE\nNOWHERE\nEMPTY=\nTWICE=1\nTWICE=2\nLAST=end");
    ck_assert(setenv("HERE", "of this process", 1) == 0 && unsetenv("NOWHERE") == 0);
    romsim_diagnostics_clear(&diagnostics);
    ck_assert_int_eq(romsim_instance_add_env_file(i, "env", &diagnostics), 0);
    ck_assert_str_eq(value_of(i, "MARKED"), "1");
    ck_assert_str_eq(value_of(i, "LED"), "a=b ");
    ck_assert_str_eq(value_of(i, "QUOTED"), "\"x y\" # z");
    ck_assert_str_eq(value_of(i, "HERE"), "of this process");
    ck_assert_ptr_null(value_of(i, "NOWHERE"));
    ck_assert_str_eq(value_of(i, "EMPTY"), "");
    ck_assert_str_eq(value_of(i, "TWICE"), "2");
    ck_assert_str_eq(value_of(i, "LAST"), "end");
    ck_assert_uint_eq(i->env_count, 7);
    romsim_instance_free(i);
    leave_home();
}
END_TEST

/* ---- the order ---------------------------------------------------------------------------- */

START_TEST(what_a_flag_replaces_is_not_judged)
{
    static const struct flag flags[] = {{romsim_instance_set_image, "org/base"},
                                        {romsim_instance_set_name, "good"},
                                        {romsim_instance_set_memory, "512"},
                                        {0}};
    static const char *const texts[] = {"name: a\n", "image: ''\n", "image: x\nname: 'no name'\n",
                                        "image: x\nmemory_mb: 9000000\n"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        static const struct flag none[] = {{0}};

        ck_assert_msg(make(texts[i], NULL, none) < 0, "%s", texts[i]);
        ck_assert_msg(make(texts[i], NULL, flags) == 0, "%s", texts[i]);
        ck_assert_str_eq(instances.items[0]->name, "good");
        ck_assert_uint_eq(instances.items[0]->memory_mb, 512);
    }
}
END_TEST

START_TEST(an_error_is_told_once_and_the_flags_by_its_name)
{
    static const char text[] = "image: x\nroms: [{name: '/', image: r}, {dir: nowhere}]\n";
    static const struct flag flags[] = {
        {romsim_instance_set_memory, "1"}, {romsim_instance_add_rom, "name=?,dir=nowhere"}, {0}};

    ck_assert_int_eq(make(text, "/nonexistent", flags), -1);
    ck_assert_uint_eq(diagnostics.errors, 5); /* two names, two dirs, the memory */
    for (size_t i = 0; i < diagnostics.count; i++)
        if (strcmp(message(i), "Invalid memory_mb 1") == 0)
            ck_assert_str_eq(diagnostics.entries[i].error.place.file, "--memory");
}
END_TEST

START_TEST(without_its_amendments_an_instance_is_not_judged)
{
    static const struct flag flags[] = {{romsim_instance_set_image, ""}, {0}};

    ck_assert_int_eq(make("name: 'no name'\n", NULL, flags), -1);
    ck_assert_uint_eq(diagnostics.errors, 1);
    ck_assert_str_eq(message(0), "the image is empty");
}
END_TEST

START_TEST(an_image_of_a_flag_has_nothing_of_the_files_object)
{
    static const char text[] = "image: {url: old, pull_policy: always}\n";
    static const struct flag flags[] = {
        {romsim_instance_set_image, "new"}, {romsim_instance_set_memory, "128"}, {0}};
    struct romsim_error error;
    json_t *body, *wanted = json_pack("{s:s, s:i}", "image", "new", "memory_mb", 128);
    char *request;

    ck_assert_int_eq(make(text, NULL, flags), 0);
    request = romsim_instances_request(&instances, &error);
    ck_assert_ptr_nonnull(request);
    body = json_loads(request, 0, NULL);
    ck_assert(json_equal(body, wanted));
    json_decref(body);
    json_decref(wanted);
    free(request);
}
END_TEST

/* ---- the network -------------------------------------------------------------------------- */

START_TEST(a_request_names_nothing_of_this_machine)
{
    static const char *const texts[] = {
        "{\"image\": \"/etc\"}",
        "{\"image\": \"./x\"}",
        "{\"image\": \"..\"}",
        "{\"image\": {\"url\": \"files:/etc\"}}",
        "{\"image\": \"oci:x\"}",
        "{\"image\": \"oci-archive:x\"}",
        "{\"image\": \"docker-archive:x\"}",
        "{\"image\": \"a\", \"roms\": [{\"image\": \"/etc/passwd\"}]}",
        "{\"image\": \"a\", \"roms\": [{\"dir\": \"/etc\"}]}",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        ck_assert_msg(receive(texts[i], false) < 0, "%s", texts[i]);
        ck_assert_uint_eq(diagnostics.errors, 1);
        ck_assert_int_eq(diagnostics.entries[0].error.cloud, ROMSIM_CLOUD_NOT_ALLOWED);
        ck_assert_ptr_nonnull(strstr(message(0), "a request cannot name files of the host"));
    }
    ck_assert_int_eq(receive("{\"image\": \"oci://index.example/a:b\", \"roms\": [{\"image\": "
                             "\"org/rom\"}, {\"files\": [{\"path\": \"a\", \"data\": \"b\"}]}]}",
                             false),
                     0);
}
END_TEST

START_TEST(it_may_where_that_is_allowed)
{
    enter_home();
    ck_assert_int_eq(mkdir("fn", 0700), 0);
    write_file("fn/a", "hello");
    ck_assert_int_eq(receive("{\"image\": \"./x\", \"roms\": [{\"dir\": \"fn\"}]}", true), 0);
    ck_assert_uint_eq(instances.items[0]->roms[0].file_count, 1);
    leave_home();
}
END_TEST

/* A name that is not in the store is a path elsewhere, if there is such a file. */
START_TEST(a_name_from_the_network_is_not_tried_as_a_path)
{
    char *page;
    static const char text[] = "{\"image\": \"a/b\", \"roms\": [{\"image\": \"a/b\"}]}";

    enter_home();
    ck_assert_int_eq(setenv("XDG_DATA_HOME", home, 1), 0);
    ck_assert_int_eq(setenv("XDG_CACHE_HOME", home, 1), 0);
    ck_assert_int_eq(mkdir("a", 0700), 0);
    page = unit_repeat("", "raw data", 512, "");
    write_file("a/b", page);
    free(page);
    for (int allow = 0; allow < 2; allow++) {
        struct romsim_base_image base = {0};
        struct romsim_rom_image rom = {0};
        struct romsim_error error;

        ck_assert_int_eq(receive(text, allow), 0);
        ck_assert_int_eq(romsim_image_base(instances.items[0], &base, &error), -1);
        ck_assert_int_eq(!strncmp(error.message, "No image with name", 18), !allow);
        ck_assert_int_eq(
            romsim_image_rom(instances.items[0], &instances.items[0]->roms[0], &rom, &error),
            allow ? 0 : -1);
        romsim_rom_image_release(&rom);
    }
    leave_home();
}
END_TEST

/* ---- edits -------------------------------------------------------------------------------- */

/* Edits instances.items[0]; returns the number of errors. */
static size_t edit(const char *edits, enum romsim_origin origin, struct romsim_instance **ret)
{
    json_t *list = json_loads(edits, 0, NULL);
    int status;

    ck_assert_ptr_nonnull(list);
    romsim_diagnostics_clear(&diagnostics);
    status = romsim_instance_edit(instances.items[0], list, origin, NULL, ret, &diagnostics);
    ck_assert_int_eq(status, diagnostics.errors ? -1 : 0);
    json_decref(list);
    return diagnostics.errors;
}

START_TEST(an_edit_from_the_network_leaves_the_files_paths_and_brings_none)
{
    static const char text[] = "image: ./base\nmemory_mb: 64\nroms: [{name: a, image: ./a}]\n";
    static const struct flag flags[] = {{romsim_instance_add_port, "8080:80"}, {0}};
    struct romsim_instance *edited = NULL;

    ck_assert_int_eq(make(text, "/here", flags), 0);
    ck_assert_uint_eq(edit("[{\"prop\": \"memory_mb\", \"op\": \"set\", \"value\": 99}]",
                           ROMSIM_ORIGIN_NETWORK, &edited),
                      0);
    ck_assert_uint_eq(edited->memory_mb, 99);
    ck_assert_str_eq(edited->image, "./base");
    ck_assert_int_eq(edited->image_origin, ROMSIM_ORIGIN_FILE);
    ck_assert_int_eq(edited->roms[0].origin, ROMSIM_ORIGIN_FILE);
    ck_assert_uint_eq(edited->services[0].host_port, 8080);
    romsim_instance_free(edited);
    ck_assert_uint_eq(edit("[{\"prop\": \"roms\", \"op\": \"add\", \"value\": [{\"dir\": "
                           "\"/etc\"}, {\"image\": \"./b\"}, {\"image\": \"./a\"}]},"
                           " {\"prop\": \"image\", \"op\": \"set\", \"value\": \"./a\"}]",
                           ROMSIM_ORIGIN_NETWORK, &edited),
                      3);
    ck_assert_uint_eq(edit("[{\"prop\": \"image\", \"op\": \"set\", \"value\": \"./b\"}]",
                           ROMSIM_ORIGIN_FLAGS, &edited),
                      0);
    romsim_instance_free(edited);
}
END_TEST

/* A server that was started again without --allow-paths has the instances of the other. */
START_TEST(who_may_name_paths_once_may_not_for_ever)
{
    struct romsim_instance *edited = NULL;

    ck_assert_int_eq(receive("{\"image\": \"./base\"}", true), 0);
    ck_assert_uint_eq(edit("[{\"prop\": \"memory_mb\", \"op\": \"set\", \"value\": 99}]",
                           ROMSIM_ORIGIN_NETWORK, &edited),
                      0);
    ck_assert_str_eq(edited->image, "./base");
    romsim_instance_free(edited);
    ck_assert_uint_eq(edit("[{\"prop\": \"image\", \"op\": \"set\", \"value\": \"./b\"}]",
                           ROMSIM_ORIGIN_NETWORK, &edited),
                      1);
}
END_TEST

/* The text of a request's body, as it is. */
static int receive_body(const char *text)
{
    const struct romsim_input source = {
        .origin = ROMSIM_ORIGIN_NETWORK, .name = "request", .is_request = true};

    romsim_diagnostics_clear(&diagnostics);
    romsim_instances_clear(&instances);
    unit_text(&unit_request, text, strlen(text));
    return romsim_instances_parse(text, strlen(text), &source, NULL, &instances, &diagnostics);
}

START_TEST(a_request_is_json)
{
    static const char *const bad[] = {
        "image: x", "{image: x}", "{\"image\": \"x\"} {}", "", "{\"image\": \"x\",}",
    };

    ck_assert_int_eq(receive_body("{\"image\": \"x\"}"), 0);
    ck_assert_int_eq(receive_body("[{\"image\": \"x\"}, {\"image\": \"y\"}]"), 0);
    ck_assert_uint_eq(instances.count, 2);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_int_eq(receive_body(bad[i]), -1);
        ck_assert_int_eq(diagnostics.entries[0].error.cloud, ROMSIM_CLOUD_MALFORMED_REQUEST);
    }
}
END_TEST

/* The cloud has been seen to say it in two ways, and clients look for either. */
START_TEST(a_request_is_told_of_an_unknown_member_in_both_wordings)
{
    ck_assert_int_eq(receive_body("{\"image\": \"x\", \"timeouts\": 3}"), -1);
    ck_assert_str_eq(message(0), "Unknown member 'timeouts': it is not a valid member");
}
END_TEST

UNIT_MAIN("instance_source", flags_make_an_instance, a_port_alone_is_the_guest_s,
          no_flags_make_no_instance, paths_in_flags_are_of_the_working_directory,
          bad_flags_say_what_is_wrong, flags_replace_what_passes_through,
          variables_come_from_files_as_docker_reads_them, what_a_flag_replaces_is_not_judged,
          an_error_is_told_once_and_the_flags_by_its_name,
          without_its_amendments_an_instance_is_not_judged,
          an_image_of_a_flag_has_nothing_of_the_files_object,
          a_request_names_nothing_of_this_machine, it_may_where_that_is_allowed,
          a_name_from_the_network_is_not_tried_as_a_path,
          an_edit_from_the_network_leaves_the_files_paths_and_brings_none,
          who_may_name_paths_once_may_not_for_ever, a_request_is_json,
          a_request_is_told_of_an_unknown_member_in_both_wordings)
