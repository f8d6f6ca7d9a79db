/* SPDX-License-Identifier: BSD-3-Clause */
/* instance_answer.c: instances from what GET /v1/instances told of them. */
#include "harness.h"

#include <romsim/instance.h>

#define UUID "86d74a24-2b06-4f1e-9f4d-1c6f7f0f3c11"

static struct romsim_diagnostics diagnostics;
static struct romsim_instances instances;

static int complete(struct romsim_instances *list, void *context, struct romsim_diagnostics *found)
{
    struct romsim_error err;

    if (romsim_instance_add_rom(list->items[0], context, &err) == 0)
        return 0;
    romsim_diagnostics_add(found, &err, 0);
    return -1;
}

/* What is made of an answer, with a --rom or NULL. */
static int take(const char *text, const char *rom)
{
    const struct romsim_input source = {.origin = ROMSIM_ORIGIN_FILE,
                                        .name = "get.json",
                                        .is_answer = true,
                                        .amend = rom ? complete : NULL,
                                        .context = (void *)(uintptr_t)rom};

    romsim_diagnostics_clear(&diagnostics);
    romsim_instances_clear(&instances);
    return romsim_instances_parse(text, strlen(text), &source, NULL, &instances, &diagnostics);
}

static const char *request(void)
{
    static char *text;
    struct romsim_error err;

    free(text);
    text = romsim_instance_request(instances.items[0], &err);
    ck_assert_ptr_nonnull(text);
    return text;
}

static void lacks(const char *text, const char *part)
{
    ck_assert_msg(!strstr(text, part), "'%s' in: %s", part, text);
}

static void has(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part), "no '%s' in: %s", part, text);
}

#define ITEM                                                                                       \
    "{\"status\":\"success\",\"uuid\":\"" UUID "\",\"name\":\"prod\",\"state\":\"stopped\","       \
    "\"created_at\":\"2026-05-28T13:53:40Z\",\"image\":\"oci://unikraft.io/acme/base:latest\","    \
    "\"memory_mb\":256,\"vcpus\":1,\"args\":[\"/app\"],\"env\":{\"A\":\"1\"},\"exit_code\":0,"     \
    "\"restart_policy\":\"always\",\"scale_to_zero\":{\"enabled\":true,\"policy\":\"on\","         \
    "\"cooldown_time_ms\":1000,\"next_at\":1},\"delete_lock\":true,"                               \
    "\"network_interfaces\":[{\"uuid\":\"" UUID "\",\"private_ip\":\"10.0.0.5\"}],"                \
    "\"service_group\":{\"uuid\":\"" UUID "\",\"name\":\"web\",\"domains\":[{\"fqdn\":\"x\"}]%s}," \
    "\"roms\":[%s],\"volumes\":[{\"uuid\":\"" UUID "\",\"name\":\"data\",\"at\":\"/data\"}]}"

static const char *item(const char *services, const char *roms)
{
    static char text[4096];

    snprintf(text, sizeof(text), ITEM, services, roms);
    return text;
}

START_TEST(what_is_only_in_an_answer_is_dropped)
{
    const struct romsim_instance *instance;
    struct romsim_instances again;
    const char *body;

    ck_assert_int_eq(take(item("", "{\"name\":\"lib\",\"image\":\"acme/lib:1\",\"at\":\"/lib\","
                                   "\"size\":7}"),
                          NULL),
                     0);
    instance = instances.items[0];
    ck_assert_str_eq(instance->name, "prod");
    ck_assert_str_eq(instance->image, "oci://unikraft.io/acme/base:latest");
    ck_assert_uint_eq(instance->memory_mb, 256);
    ck_assert_int_eq(instance->restart, ROMSIM_RESTART_ALWAYS);
    ck_assert_str_eq(instance->roms[0].image, "acme/lib:1");
    ck_assert_str_eq(instance->volumes[0].name, "data");
    ck_assert_ptr_null(instance->volumes[0].uuid);
    body = request();
    has(body, "\"cooldown_time_ms\": 1000");
    for (size_t i = 0; i < 6; i++)
        lacks(body, (const char *[]){"enabled", "next_at", UUID, "delete_lock", "10.0.0.5",
                                     "service_group"}[i]);
    /* It is a request now: it can be read as one. */
    romsim_diagnostics_clear(&diagnostics);
    ck_assert_int_eq(romsim_instances_parse(body, strlen(body),
                                            &(struct romsim_input){.name = "again"}, NULL, &again,
                                            &diagnostics),
                     0);
    romsim_instances_clear(&again);
}
END_TEST

START_TEST(ports_that_are_not_told_are_warned_of)
{
    ck_assert_int_eq(take(item("", ""), NULL), 0);
    ck_assert_uint_eq(diagnostics.warnings, 1);
    has(diagnostics.entries[0].error.message, "does not tell the ports of service group 'web'");
    ck_assert_int_eq(take(item(",\"services\":[{\"port\":443,\"destination_port\":8080,"
                               "\"handlers\":[\"tls\",\"http\"],\"protocol\":\"tcp\"}]",
                               ""),
                          NULL),
                     0);
    ck_assert_uint_eq(diagnostics.warnings, 0);
    ck_assert_uint_eq(instances.items[0]->services[0].destination_port, 8080);
    lacks(request(), "\"web\"");
}
END_TEST

START_TEST(inline_roms_are_completed_by_flags)
{
    static const struct {
        const char *rom, *flag, *hint;
    } cases[] = {
        {"{\"name\":\"app\",\"image\":\"" UUID "\",\"at\":\"/app\"}", "name=app,image=acme/app:2",
         "--rom name=app,dir=DIRECTORY"},
        {"{\"name\":\"app\",\"at\":\"/app\"}", "name=app,image=acme/app:2",
         "--rom name=app,dir=DIRECTORY"},
        {"{\"image\":\"" UUID "\",\"at\":\"/app\"}", "at=/app,image=acme/app:2",
         "--rom at=/app,dir=DIRECTORY"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *text = item(",\"services\":[{\"port\":80}]", cases[i].rom);

        ck_assert_int_eq(take(text, NULL), -1);
        ck_assert_uint_eq(diagnostics.errors, 1);
        has(diagnostics.entries[0].error.message, "is inline, and an answer has no files of it");
        has(diagnostics.entries[0].error.hint, cases[i].hint);
        ck_assert_int_eq(take(text, cases[i].flag), 0);
        ck_assert_uint_eq(instances.items[0]->rom_count, 1);
        ck_assert_str_eq(instances.items[0]->roms[0].image, "acme/app:2");
        ck_assert_str_eq(instances.items[0]->roms[0].at, "/app");
        ck_assert(!instances.items[0]->roms[0].is_inline);
    }
    /* A ROM that the answer does not have is one more. */
    ck_assert_int_eq(take(item("", "{\"name\":\"a\",\"image\":\"x:1\"}"), "name=b,image=x:2"), 0);
    ck_assert_uint_eq(instances.items[0]->rom_count, 2);
}
END_TEST

START_TEST(an_envelope_has_several)
{
    char text[8192];
    char one[4096];

    snprintf(one, sizeof(one), "%s", item("", ""));
    snprintf(text, sizeof(text),
             "{\"status\":\"success\",\"data\":{\"instances\":[%s,"
             "{\"status\":\"success\",\"name\":\"b\",\"image\":\"x\",\"state\":\"running\"}]}}",
             one);
    ck_assert_int_eq(take(text, NULL), 0);
    ck_assert_uint_eq(instances.count, 2);
    has(diagnostics.entries[diagnostics.count - 1].error.message, "the answer is a short one");
    ck_assert_int_eq(take("{\"status\":\"error\",\"data\":{\"instances\":[{\"status\":\"error\","
                          "\"name\":\"x\",\"message\":\"No instance with name 'x'\"}]}}",
                          NULL),
                     -1);
    has(diagnostics.entries[0].error.message, "No instance with name 'x'");
    ck_assert_int_eq(take("{\"status\":\"success\",\"data\":{\"instances\":[]}}", NULL), -1);
    has(diagnostics.entries[0].error.message, "there is no instance in the file");
}
END_TEST

START_TEST(wrong_types_are_refused_as_ever)
{
    ck_assert_int_eq(
        take("{\"name\":\"a\",\"image\":\"x\",\"memory_mb\":\"much\",\"roms\":{}}", NULL), -1);
    ck_assert_uint_eq(diagnostics.errors, 2);
    ck_assert_int_eq(take("{\"data\":7}", NULL), -1);
    ck_assert_int_eq(take("[[]]", NULL), -1);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        what_is_only_in_an_answer_is_dropped, ports_that_are_not_told_are_warned_of,
        inline_roms_are_completed_by_flags,   an_envelope_has_several,
        wrong_types_are_refused_as_ever,
    };
    TCase *tcase = tcase_create("instance_answer");

    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
        tcase_add_test(tcase, tests[i]);
    return unit_run_case("instance_answer", tcase);
}
