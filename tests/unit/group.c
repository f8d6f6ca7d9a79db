/* SPDX-License-Identifier: BSD-3-Clause */
/* group.c: ledgers, the service groups in them, and instances that join one. */
#include "harness.h"

#include <romsim/group.h>
#include <romsim/layout.h>
#include <romsim/name.h>
#include <romsim/paths.h>
#include <romsim/uuid.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char data[] = "/tmp/romsim-unit-group.XXXXXX";
static struct romsim_error err;

static void set_up(void)
{
    ck_assert_ptr_nonnull(mkdtemp(data));
    ck_assert_int_eq(setenv("XDG_DATA_HOME", data, 1), 0);
    err = (struct romsim_error){0};
}

static void tear_down(void)
{
    ck_assert_int_eq(romsim_path_remove_tree(data, NULL), 0);
}

/* ---- helpers ----------------------------------------------------------------------------------
 */

static json_t *json(const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);

    ck_assert_msg(value != NULL, "%s", text);
    return value;
}

static json_t *new_group(const char *request, bool is_persistent, int *ret_use)
{
    json_t *wanted = json(request);
    json_t *group = romsim_group_new(wanted, "test", is_persistent, ret_use, &err);

    json_decref(wanted);
    return group;
}

static void make(const char *request)
{
    json_t *group = new_group(request, true, NULL);

    ck_assert_msg(group != NULL, "%s", err.message);
    json_decref(group);
}

/* The text of a member, or "", until the next call. */
static const char *get(json_t *taken, const char *key)
{
    static char text[4096];
    char *dump = json_dumps(json_object_get(taken, key), JSON_ENCODE_ANY | JSON_COMPACT);

    snprintf(text, sizeof(text), "%s", dump ? dump : "");
    free(dump);
    json_decref(taken);
    return text;
}

static json_t *group_of(const char *name)
{
    json_t *group = romsim_ledger_find(ROMSIM_LEDGER_GROUPS, name, NULL, &err);

    ck_assert_msg(group != NULL, "%s", err.message);
    return group;
}

static size_t count_groups(void)
{
    json_t *list = romsim_ledger_list(ROMSIM_LEDGER_GROUPS, &err);
    size_t count = json_array_size(list);

    ck_assert_msg(list != NULL, "%s", err.message);
    json_decref(list);
    return count;
}

static void refuse(const char *request, int cloud, const char *message)
{
    err = (struct romsim_error){0};
    ck_assert_ptr_null(new_group(request, true, NULL));
    ck_assert_str_eq(err.message, message);
    ck_assert_int_eq(err.cloud, cloud);
}

/* ---- groups -----------------------------------------------------------------------------------
 */

START_TEST(a_group_has_what_was_asked_for_and_the_cloud_s_defaults)
{
    json_t *group;

    make("{\"name\": \"web\", \"services\": [{\"port\": 443, \"destination_port\": 8080,"
         "\"handlers\": [\"tls\", \"http\"]}, {\"port\": 22}]}");
    ck_assert_str_eq(get(group_of("web"), "services"),
                     "[{\"port\":443,\"destination_port\":8080,\"handlers\":[\"tls\",\"http\"]},"
                     "{\"port\":22,\"destination_port\":22}]");
    ck_assert_str_eq(get(group_of("web"), "soft_limit"), "1");
    ck_assert_str_eq(get(group_of("web"), "hard_limit"), "65535");
    ck_assert_str_eq(get(group_of("web"), "persistent"), "true");
    group = group_of("web");
    ck_assert(romsim_uuid_is_valid(json_string_value(json_object_get(group, "uuid"))));
    ck_assert_int_gt(json_integer_value(json_object_get(group, "created_at")), 0);
    json_decref(group);
}
END_TEST

START_TEST(a_group_without_a_name_gets_one_and_its_domain_is_that)
{
    json_t *group = new_group("{\"services\": [{\"port\": 22}]}", true, NULL);
    const char *name = json_string_value(json_object_get(group, "name"));
    char expected[128];

    ck_assert_ptr_nonnull(name);
    snprintf(expected, sizeof(expected), "[{\"fqdn\":\"%s.test.unikraft.app\"}]", name);
    ck_assert_str_eq(get(json_incref(group), "domains"), expected);
    ck_assert_uint_eq(strlen(strrchr(name, '-')), 9);
    json_decref(group);
}
END_TEST

START_TEST(domains_are_whole_or_in_the_metro)
{
    json_t *group;
    const char *fqdn;

    make("{\"name\": \"a\", \"services\": [{\"port\": 22}], \"domains\": [{\"name\": \"www\"},"
         "{\"name\": \"example.com.\"}, {\"name\": \"*.example.com.\"}]}");
    ck_assert_str_eq(get(group_of("a"), "domains"),
                     "[{\"fqdn\":\"www.test.unikraft.app\"},{\"fqdn\":\"example.com\"},"
                     "{\"fqdn\":\"*.example.com\"}]");
    make("{\"name\": \"_b.c\", \"services\": [{\"port\": 22}]}");
    group = group_of("_b.c");
    fqdn = json_string_value(
        json_object_get(json_array_get(json_object_get(group, "domains"), 0), "fqdn"));
    ck_assert_uint_eq(strlen(fqdn), strlen("xb-c-12345678.test.unikraft.app"));
    ck_assert_mem_eq(fqdn, "xb-c-", 5);
    json_decref(group);
    refuse("{\"name\": \"x\", \"services\": [], \"domains\": [{\"name\": \"a..b\"}]}", 7,
           "Invalid domain 'a..b'");
    refuse("{\"name\": \"x\", \"services\": [], \"domains\": [{\"name\": \"\"}]}", 7,
           "Invalid domain ''");
    refuse("{\"name\": \"x\", \"services\": [], \"domains\": [{\"name\": \"a/b\"}]}", 7,
           "Invalid domain 'a/b'");
    refuse("{\"name\": \"x\", \"services\": [], \"domains\": [{\"name\": \"a\","
           "\"certificate\": {\"name\": \"c\"}}]}",
           8, "No certificate with name 'c'");
}
END_TEST

START_TEST(a_certificate_is_for_its_domain)
{
    static const struct {
        const char *common_name, *fqdn;
        bool matches;
    } cases[] = {
        {"a.example.com", "a.example.com", true},
        {"a.example.com", "A.Example.com", true},
        {"*.example.com", "a.example.com", true},
        {"*.example.com", "a.b.example.com", false},
        {"*.example.com", "example.com", false},
        {"example.com", "a.example.com", false},
        {"*.example.com", "*.example.com", true},
        {"", "", true},
        {"*", "a", false},
    };
    json_t *entry =
        romsim_ledger_add(ROMSIM_LEDGER_CERTIFICATES, "cert",
                          json_pack("{s:s}", "common_name", "*.example.com"), true, NULL, &err);

    ck_assert_msg(entry != NULL, "%s", err.message);
    json_decref(entry);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        ck_assert_msg(romsim_group_domain_matches(cases[i].common_name, cases[i].fqdn) ==
                          cases[i].matches,
                      "%s, %s", cases[i].common_name, cases[i].fqdn);
    make("{\"name\": \"a\", \"services\": [{\"port\": 22}], \"domains\": [{\"name\":"
         "\"www.example.com.\", \"certificate\": {\"name\": \"cert\"}}]}");
    ck_assert_ptr_nonnull(strstr(get(group_of("a"), "domains"), "\"name\":\"cert\""));
    refuse("{\"name\": \"b\", \"services\": [], \"domains\": [{\"name\": \"www.example.org.\","
           "\"certificate\": {\"name\": \"cert\"}}]}",
           30, "The certificate is not for 'www.example.org'");
}
END_TEST

START_TEST(what_cannot_be_is_refused_and_leaves_nothing)
{
    make("{\"name\": \"a\", \"services\": [{\"port\": 22}]}");
    refuse("{\"name\": \"a\", \"services\": [{\"port\": 22}]}", 23,
           "A service group with the name 'a' already exists");
    refuse("{\"name\": \"../a\", \"services\": [{\"port\": 22}]}", 7,
           "Invalid service group name '../a'");
    refuse("{\"name\": \"b\", \"services\": [], \"soft_limit\": 9, \"hard_limit\": 8}", 7,
           "Invalid soft_limit 9");
    ck_assert_uint_eq(count_groups(), 1);
    ck_assert_ptr_null(romsim_ledger_find(ROMSIM_LEDGER_GROUPS, "b", NULL, &err));
    ck_assert_str_eq(err.message, "No service group with name 'b'");
    ck_assert_int_eq(err.cloud, 8);
    ck_assert_ptr_null(romsim_ledger_find(ROMSIM_LEDGER_GROUPS, "../entries/a", NULL, &err));
    ck_assert_ptr_null(romsim_ledger_find(ROMSIM_LEDGER_GROUPS, NULL, "x", &err));
    ck_assert_str_eq(err.message, "No service group with uuid 'x'");
}
END_TEST

static int change(void *context, json_t *entry, struct romsim_error *error)
{
    json_t *edit = json(context);
    int status = romsim_group_edit(entry, edit, "test", error);

    json_decref(edit);
    return status;
}

static const char *edit(const char *text, const char *key)
{
    json_t *group =
        romsim_ledger_change(ROMSIM_LEDGER_GROUPS, "a", NULL, change, (void *)text, &err);

    if (!group)
        return err.message;
    json_decref(group);
    return get(group_of("a"), key);
}

START_TEST(properties_are_changed_one_by_one)
{
    make("{\"name\": \"a\", \"services\": [{\"port\": 22}], \"domains\": [{\"name\": \"x\"}]}");
    ck_assert_str_eq(
        edit("{\"prop\": \"services\", \"op\": \"add\", \"value\": [{\"port\": 23}]}", "services"),
        "[{\"port\":22,\"destination_port\":22},{\"port\":23,"
        "\"destination_port\":23}]");
    ck_assert_str_eq(edit("{\"prop\": \"services\", \"op\": \"del\", \"value\": [22]}", "services"),
                     "[{\"port\":23,\"destination_port\":23}]");
    ck_assert_str_eq(
        edit("{\"prop\": \"services\", \"op\": \"del\", \"value\": {\"port\": 24}}", "services"),
        "'services' has no '24' that could be removed");
    ck_assert_str_eq(edit("{\"prop\": \"services\", \"op\": \"set\", \"value\": [{\"port\": 80,"
                          "\"destination_port\": 8080}]}",
                          "services"),
                     "[{\"port\":80,\"destination_port\":8080}]");
    ck_assert_str_eq(
        edit("{\"prop\": \"domains\", \"op\": \"add\", \"value\": {\"name\": \"y.\"}}", "domains"),
        "[{\"fqdn\":\"x.test.unikraft.app\"},{\"fqdn\":\"y\"}]");
    ck_assert_str_eq(
        edit("{\"prop\": \"domains\", \"op\": \"del\", \"value\": [\"x\"]}", "domains"),
        "[{\"fqdn\":\"y\"}]");
    ck_assert_str_eq(
        edit("{\"prop\": \"soft_limit\", \"op\": \"set\", \"value\": 7}", "soft_limit"), "7");
    ck_assert_str_eq(
        edit("{\"prop\": \"hard_limit\", \"op\": \"set\", \"value\": 6}", "hard_limit"),
        "Invalid soft_limit 7");
    ck_assert_str_eq(get(group_of("a"), "hard_limit"), "65535");
    ck_assert_str_eq(
        edit("{\"prop\": \"autokill\", \"op\": \"set\", \"value\": {\"time_ms\": 5}}", "autokill"),
        "{\"time_ms\":5}");
    ck_assert_str_eq(edit("{\"prop\": \"autokill\", \"op\": \"del\"}", "autokill"), "");
    ck_assert_str_eq(edit("{\"prop\": \"name\", \"op\": \"set\", \"value\": \"b\"}", "name"),
                     "'name' cannot be changed by 'set'");
    ck_assert_str_eq(edit("{\"prop\": \"soft_limit\", \"op\": \"add\", \"value\": 1}", "name"),
                     "'soft_limit' cannot be changed by 'add'");
}
END_TEST

/* ---- the ledger -------------------------------------------------------------------------------
 */

static void *make_same(void *won)
{
    json_t *wanted = json("{\"name\": \"same\", \"services\": [{\"port\": 22}]}");
    struct romsim_error error = {0};
    json_t *group = romsim_group_new(wanted, "test", true, NULL, &error);

    if (group)
        __atomic_add_fetch((int *)won, 1, __ATOMIC_SEQ_CST);
    else if (error.cloud != ROMSIM_CLOUD_ALREADY_EXISTS)
        __atomic_add_fetch((int *)won, 100, __ATOMIC_SEQ_CST);
    json_decref(group);
    json_decref(wanted);
    return NULL;
}

START_TEST(of_many_who_make_one_name_one_wins)
{
    pthread_t threads[16];
    int won = 0;

    for (size_t i = 0; i < 16; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, make_same, &won), 0);
    for (size_t i = 0; i < 16; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(won, 1);
    ck_assert_uint_eq(count_groups(), 1);
}
END_TEST

START_TEST(what_is_used_is_not_removed)
{
    json_t *group;
    int use = -1;

    make("{\"name\": \"a\", \"services\": [{\"port\": 22}]}");
    group = romsim_ledger_use(ROMSIM_LEDGER_GROUPS, "a", NULL, &use, &err);
    ck_assert_msg(group != NULL, "%s", err.message);
    ck_assert_int_eq(fcntl(use, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    json_decref(group);
    ck_assert_ptr_null(romsim_ledger_remove(ROMSIM_LEDGER_GROUPS, "a", NULL, &err));
    ck_assert_int_eq(err.cloud, ROMSIM_CLOUD_ATTACHED);
    ck_assert_str_eq(err.message, "The service group 'a' is in use");
    close(use);
    group = romsim_ledger_remove(ROMSIM_LEDGER_GROUPS, "a", NULL, &err);
    ck_assert_msg(group != NULL, "%s", err.message);
    ck_assert_str_eq(get(group, "name"), "\"a\"");
    ck_assert_uint_eq(count_groups(), 0);
}
END_TEST

START_TEST(one_that_is_not_persistent_goes_with_its_last_user_however_that_ends)
{
    int use = -1, both[2], status;
    json_t *group = new_group("{\"name\": \"a\", \"services\": [{\"port\": 22}]}", false, &use);
    char byte;
    pid_t pid;

    ck_assert_msg(group != NULL, "%s", err.message);
    json_decref(group);
    ck_assert_int_eq(pipe(both), 0);
    pid = fork();
    if (pid == 0) {
        close(both[0]);
        pause();
        _exit(0);
    }
    close(both[1]);
    close(use);
    ck_assert_uint_eq(count_groups(), 1);
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(read(both[0], &byte, 1), 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_uint_eq(count_groups(), 0);
    close(both[0]);
}
END_TEST

START_TEST(what_a_killed_process_had_begun_is_swept_and_what_is_damaged_is_not)
{
    CLEANUP_FREE char *folder = romsim_path_data("service-groups/entries/half", &err);
    CLEANUP_FREE char *other = romsim_path_data("service-groups/entries/bad", &err);
    CLEANUP_FREE char *record = romsim_path_join(other, "record.json");
    FILE *file = fopen(record, "w");

    ck_assert_ptr_nonnull(file);
    fputs("{\"uuid\": 7}", file);
    fclose(file);
    make("{\"name\": \"a\", \"services\": [{\"port\": 22}]}");
    ck_assert_uint_eq(count_groups(), 1);
    ck_assert_int_eq(access(folder, F_OK), -1);
    ck_assert_int_eq(access(record, F_OK), 0);
    ck_assert_ptr_null(romsim_ledger_find(ROMSIM_LEDGER_GROUPS, "bad", NULL, &err));
    ck_assert_int_eq(err.errnum, EUCLEAN);
}
END_TEST

START_TEST(they_are_listed_by_creation_and_found_by_both_names)
{
    json_t *list, *found;
    struct stat st;
    char path[128];

    make("{\"name\": \"b\", \"services\": [{\"port\": 22}]}");
    make("{\"name\": \"a\", \"services\": [{\"port\": 22}]}");
    list = romsim_ledger_list(ROMSIM_LEDGER_GROUPS, &err);
    ck_assert_uint_eq(json_array_size(list), 2);
    for (size_t i = 0; i < 2; i++) {
        const json_t *group = json_array_get(list, i);

        found = romsim_ledger_find(ROMSIM_LEDGER_GROUPS, NULL,
                                   json_string_value(json_object_get(group, "uuid")), &err);
        ck_assert(json_equal(found, group));
        json_decref(found);
    }
    json_decref(list);
    snprintf(path, sizeof(path), "%s/romsim/service-groups/entries/a/record.json", data);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
}
END_TEST

/* ---- joining ----------------------------------------------------------------------------------
 */

static struct romsim_instance *parse(const char *text)
{
    const struct romsim_input input = {.origin = ROMSIM_ORIGIN_NETWORK, .name = "test"};
    struct romsim_diagnostics diagnostics = {0};
    struct romsim_instances instances = {0};
    struct romsim_instance *instance = NULL;

    ck_assert_int_eq(
        romsim_instances_parse(text, strlen(text), &input, NULL, &instances, &diagnostics), 0);
    instance = STEAL_POINTER(&instances.items[0]);
    romsim_instances_clear(&instances);
    romsim_diagnostics_clear(&diagnostics);
    return instance;
}

static struct romsim_instance *join(const char *text)
{
    struct romsim_instance *instance = parse(text);

    ck_assert_msg(romsim_layout_join_group(instance, "test", &err) == 0, "%s", err.message);
    return instance;
}

static void refuse_join(const char *text, int cloud, const char *message)
{
    struct romsim_instance *instance = parse(text);

    err = (struct romsim_error){0};
    ck_assert_int_eq(romsim_layout_join_group(instance, "test", &err), -1);
    ck_assert_str_eq(err.message, message);
    ck_assert_int_eq(err.cloud, cloud);
    romsim_instance_free(instance);
}

START_TEST(an_instance_gets_the_ports_of_the_group_that_it_names)
{
    struct romsim_instance *instance;
    struct romsim_diagnostics diagnostics = {0};
    struct romsim_instance *copy = NULL;
    CLEANUP_FREE char *uuid = NULL, *text = NULL;
    json_t *shown, *edits = json("[]");

    make("{\"name\": \"web\", \"domains\": [{\"name\": \"x\"}], \"services\": [{\"port\": 443,"
         "\"destination_port\": 8080, \"handlers\": [\"tls\", \"http\"]}, {\"port\": 22}]}");
    instance = join("image: x\nservice_group: {name: web}\n");
    ck_assert_uint_eq(instance->service_count, 2);
    ck_assert_uint_eq(instance->services[0].port, 443);
    ck_assert_uint_eq(instance->services[0].destination_port, 8080);
    ck_assert_uint_eq(instance->services[0].handlers, ROMSIM_HANDLER_TLS | ROMSIM_HANDLER_HTTP);
    ck_assert_uint_eq(instance->services[1].destination_port, 22);
    shown = json(instance->group_json);
    ck_assert_str_eq(get(json_incref(shown), "name"), "\"web\"");
    ck_assert_str_eq(get(json_incref(shown), "domains"), "[{\"fqdn\":\"x.test.unikraft.app\"}]");
    uuid = strdup(get(shown, "uuid"));
    ck_assert_str_eq(uuid, get(group_of("web"), "uuid"));
    ck_assert_ptr_null(romsim_ledger_remove(ROMSIM_LEDGER_GROUPS, "web", NULL, &err));
    text = romsim_instance_request(instance, &err);
    ck_assert_ptr_null(strstr(text, "443"));
    ck_assert_int_eq(
        romsim_instance_edit(instance, edits, ROMSIM_ORIGIN_NETWORK, NULL, &copy, &diagnostics), 0);
    romsim_diagnostics_clear(&diagnostics);
    json_decref(edits);
    ck_assert_uint_eq(copy->service_count, 2);
    ck_assert_str_eq(copy->group_json, instance->group_json);
    romsim_instance_free(instance);
    ck_assert_ptr_null(romsim_ledger_remove(ROMSIM_LEDGER_GROUPS, "web", NULL, &err));
    romsim_instance_free(copy);
    json_decref(romsim_ledger_remove(ROMSIM_LEDGER_GROUPS, "web", NULL, &err));
    ck_assert_uint_eq(count_groups(), 0);
}
END_TEST

START_TEST(ports_of_its_own_make_a_group_that_goes_with_it)
{
    struct romsim_instance *instance =
        join("image: x\nservice_group: {services: [{port: 443, destination_port: 8080}]}\n");
    struct romsim_instance *copy = NULL;
    struct romsim_diagnostics diagnostics = {0};
    json_t *shown = json(instance->group_json), *edits = json("[]");
    char folder[128];

    ck_assert_str_eq(get(group_of(json_string_value(json_object_get(shown, "name"))), "persistent"),
                     "false");
    json_decref(shown);
    ck_assert_int_eq(
        romsim_instance_edit(instance, edits, ROMSIM_ORIGIN_NETWORK, NULL, &copy, &diagnostics), 0);
    romsim_diagnostics_clear(&diagnostics);
    json_decref(edits);
    romsim_instance_free(instance);
    ck_assert_uint_eq(count_groups(), 1);
    ck_assert_uint_eq(copy->services[0].destination_port, 8080);
    snprintf(folder, sizeof(folder), "%s/romsim/service-groups/entries", data);
    ck_assert_int_eq(rmdir(folder), -1);
    romsim_layout_leave_group(copy);
    romsim_layout_leave_group(copy);
    ck_assert_int_eq(rmdir(folder), 0);
    romsim_instance_free(copy);
    ck_assert_uint_eq(count_groups(), 0);
}
END_TEST

START_TEST(a_new_group_may_have_a_name_and_the_name_is_given_once)
{
    struct romsim_instance *instance =
        join("image: x\nservice_group: {name: web, services: [{port: 443}], soft_limit: 4}\n");

    ck_assert_str_eq(get(group_of("web"), "soft_limit"), "4");
    refuse_join("image: x\nservice_group: {name: web, services: [{port: 22}]}\n", 23,
                "A service group with the name 'web' already exists");
    romsim_instance_free(join("image: x\nservice_group: {name: web}\n"));
    ck_assert_uint_eq(count_groups(), 1);
    romsim_instance_free(instance);
    ck_assert_uint_eq(count_groups(), 0);
}
END_TEST

START_TEST(a_group_that_is_not_there_is_refused_and_none_is_no_group)
{
    struct romsim_instance *instance = join("image: x\n");

    ck_assert_int_eq(instance->group_use, -1);
    romsim_instance_free(instance);
    instance = join("image: x\nservice_group: {domains: [{name: a}]}\n");
    ck_assert_int_eq(instance->group_use, -1);
    romsim_instance_free(instance);
    refuse_join("image: x\nservice_group: {name: web}\n", 8, "No service group with name 'web'");
    refuse_join("image: x\nservice_group: {uuid: 77d0316a-fbbe-488d-8618-5bf7a612477a}\n", 8,
                "No service group with uuid '77d0316a-fbbe-488d-8618-5bf7a612477a'");
    refuse_join("image: x\nservice_group: {uuid: 77d0316a-fbbe-488d-8618-5bf7a612477a, name: a}\n",
                17, "Cannot specify 'name' when 'uuid' is set");
    refuse_join("image: x\nservice_group: {uuid: 77d0316a-fbbe-488d-8618-5bf7a612477a, services:"
                " [{port: 1}]}\n",
                17, "Cannot specify 'services' when 'uuid' is set");
    ck_assert_uint_eq(count_groups(), 0);
}
END_TEST

START_TEST(without_a_place_for_it_an_instance_has_no_group_of_its_own)
{
    struct romsim_instance *instance;

    ck_assert_int_eq(setenv("XDG_DATA_HOME", "/proc/nothing", 1), 0);
    instance = join("image: x\nservice_group: {services: [{port: 443}]}\n");
    ck_assert_int_eq(instance->group_use, -1);
    ck_assert_uint_eq(instance->service_count, 1);
    romsim_instance_free(instance);
    instance = parse("image: x\nservice_group: {name: web, services: [{port: 443}]}\n");
    ck_assert_int_eq(romsim_layout_join_group(instance, "test", &err), -1);
    romsim_instance_free(instance);
}
END_TEST

START_TEST(poems_are_names_and_differ)
{
    char one[ROMSIM_NAME_POEM_SIZE], other[ROMSIM_NAME_POEM_SIZE];

    ck_assert(romsim_name_poem(one) && romsim_name_poem(other));
    ck_assert(romsim_name_is_valid(one));
    ck_assert_str_ne(one, other);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_group_has_what_was_asked_for_and_the_cloud_s_defaults,
        a_group_without_a_name_gets_one_and_its_domain_is_that,
        domains_are_whole_or_in_the_metro,
        a_certificate_is_for_its_domain,
        what_cannot_be_is_refused_and_leaves_nothing,
        properties_are_changed_one_by_one,
        of_many_who_make_one_name_one_wins,
        what_is_used_is_not_removed,
        one_that_is_not_persistent_goes_with_its_last_user_however_that_ends,
        what_a_killed_process_had_begun_is_swept_and_what_is_damaged_is_not,
        they_are_listed_by_creation_and_found_by_both_names,
        an_instance_gets_the_ports_of_the_group_that_it_names,
        ports_of_its_own_make_a_group_that_goes_with_it,
        a_new_group_may_have_a_name_and_the_name_is_given_once,
        a_group_that_is_not_there_is_refused_and_none_is_no_group,
        without_a_place_for_it_an_instance_has_no_group_of_its_own,
        poems_are_names_and_differ,
    };
    TCase *tcase = tcase_create("group");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 300);
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
        tcase_add_test(tcase, tests[i]);
    return unit_run_case("group", tcase);
}
