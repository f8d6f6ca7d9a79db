/* SPDX-License-Identifier: BSD-3-Clause */
/* vm_status.c: what is told of an instance: how its runs ended, and its description. */
#include "harness.h"

#include "sim/vm/status.h"

#include <romsim/cleanup.h>

#include <netinet/in.h>

START_TEST(every_end_has_its_reason)
{
    static const struct {
        enum run_end end;
        enum romsim_vm_event_kind kind;
        int status;
        enum stop_wish wish;
        bool forced;
        unsigned reason, code;
        int exit_code;
    } ends[] = {
        /* The app, by itself. */
        {RUN_END_APP, ROMSIM_VM_EXIT, 0, STOP_BY_NOBODY, false, 3, 33024, 0},
        {RUN_END_APP, ROMSIM_VM_EXIT, 7, STOP_BY_NOBODY, false, 3, 33024, 7},
        /* The user: it ended, it did not, it had not begun, it was not asked. */
        {RUN_END_APP, ROMSIM_VM_EXIT, 143, STOP_BY_USER, false, 15, 33024, 143},
        {RUN_END_KILLED, ROMSIM_VM_EXIT, 137, STOP_BY_USER, false, 13, 0, 137},
        {RUN_END_STOPPED, ROMSIM_VM_EXIT, 143, STOP_BY_USER, false, 12, 0, 143},
        {RUN_END_FORCED, ROMSIM_VM_EXIT, 137, STOP_BY_USER, true, 28, 0, 137},
        /* Forced, but it had ended just before. */
        {RUN_END_APP, ROMSIM_VM_EXIT, 0, STOP_BY_USER, true, 31, 33024, 0},
        /* The platform. */
        {RUN_END_STOPPED, ROMSIM_VM_EXIT, 143, STOP_BY_PLATFORM, false, 4, 0, 143},
        {RUN_END_APP, ROMSIM_VM_EXIT, 143, STOP_BY_PLATFORM, false, 7, 33024, 143},
        {RUN_END_BROKEN, ROMSIM_VM_FAILED, 0, STOP_BY_NOBODY, false, 4, 0, 0},
        /* Nobody wanted anything of it: it was saved, or stopped. */
        {RUN_END_SAVED, ROMSIM_VM_EXIT, 0, STOP_BY_SCALING, false, 39, 0, 0},
        {RUN_END_APP, ROMSIM_VM_EXIT, 143, STOP_BY_SCALING, false, 39, 33024, 143},
        {RUN_END_SAVED, ROMSIM_VM_EXIT, 0, STOP_BY_USER, false, 12, 0, 0},
        /* The guest. */
        {RUN_END_MEMORY, ROMSIM_VM_EXIT, 137, STOP_BY_NOBODY, false, 1, 818948, 137},
        {RUN_END_CRASHED, ROMSIM_VM_FAILED, 0, STOP_BY_NOBODY, false, 1, 32513, 0},
        {RUN_END_BOOT, ROMSIM_VM_FAILED, 0, STOP_BY_NOBODY, false, 1, 257, 0},
    };

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        const struct run_result result = {
            .end = ends[i].end, .kind = ends[i].kind, .status = ends[i].status};
        struct instance_status status = {0};

        instance_status_end(&status, &result, ends[i].wish, ends[i].forced);
        ck_assert_msg(status.has_ended && status.stop_reason == ends[i].reason &&
                          status.stop_code == ends[i].code && status.exit_code == ends[i].exit_code,
                      "end %zu: reason %u, code %u, exit code %d", i, status.stop_reason,
                      status.stop_code, status.exit_code);
    }
}
END_TEST

START_TEST(states_have_the_clouds_names)
{
    static const char *const names[] = {"stopped",  "starting", "running",
                                        "draining", "stopping", "deleted"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        int state = instance_state_find(names[i]);

        ck_assert_int_ge(state, 0);
        ck_assert_str_eq(instance_state_name((enum instance_state)state), names[i]);
    }
    ck_assert_int_eq(instance_state_find("asleep"), -1);
    ck_assert_int_eq(instance_state_find(""), -1);
}
END_TEST

/* ---- the description ------------------------------------------------------------------------ */

static const char uuid[ROMSIM_UUID_SIZE] = "11111111-2222-4333-8444-555555555555";

/* What is told of the instance of a text that is in some state, as the layout has ports. */
static json_t *describe(const char *text, struct instance_status *status)
{
    static const char rom_uuids[][ROMSIM_UUID_SIZE] = {"aaaaaaaa-0000-4000-8000-000000000000",
                                                       "bbbbbbbb-0000-4000-8000-000000000000"};
    struct romsim_diagnostics diagnostics = {0};
    struct romsim_instances instances = {0};
    const struct romsim_input source = {.name = "test"};
    struct romsim_port ports[] = {{.port = 443, .destination_port = 8080},
                                  {.port = 80, .destination_port = 8080}};
    struct forward forwards[] = {{.address = INADDR_LOOPBACK, .host_port = 18080, .holder = -1},
                                 {.holder = -1}};
    struct romsim_layout layout = {.name = (char[]){"web"},
                                   .hostname = (char[]){"web"},
                                   .memory_mb = 256,
                                   .vcpus = 1,
                                   .ports = ports,
                                   .port_count = 2};
    const struct vm_plan plan = {.forwards = forwards};
    json_t *item;

    ck_assert_int_eq(
        romsim_instances_parse(text, strlen(text), &source, NULL, &instances, &diagnostics), 0);
    memcpy(status->uuid, uuid, sizeof(uuid));
    memcpy(status->interface_uuid, uuid, sizeof(uuid));
    status->number = 36;
    status->created_at = 1;
    status->created_us = 1000002;
    item = instance_describe(instances.items[0], &layout, NULL, rom_uuids, status, &plan);
    ck_assert_ptr_nonnull(item);
    romsim_diagnostics_clear(&diagnostics);
    romsim_instances_clear(&instances);
    return item;
}

/* The value at a path such as "roms.0.name", as JSON text; "none" if there is none. */
static const char *value(const json_t *item, const char *path)
{
    static char text[512];
    char words[64], *word, *rest = NULL;
    char *dump;

    snprintf(words, sizeof(words), "%s", path);
    for (word = strtok_r(words, ".", &rest); word; word = strtok_r(NULL, ".", &rest))
        item = json_is_array(item) ? json_array_get(item, (size_t)atoi(word))
                                   : json_object_get(item, word);
    dump = item ? json_dumps(item, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    snprintf(text, sizeof(text), "%s", dump ? dump : "none");
    free(dump);
    return text;
}

#define IS(PATH, WANTED) ck_assert_str_eq(value(item, PATH), WANTED)

START_TEST(an_instance_is_told_as_the_cloud_tells_it)
{
    struct instance_status status = {.state = STATE_STOPPED};
    json_t *item = describe("name: web\n"
                            "image: org/base:1\n"
                            "args: [/bin/sh, -c, true]\n"
                            "env: {A: b}\n"
                            "restart_policy: on_failure\n"
                            "service_group: {services: [{port: 443, destination_port: 8080}]}\n"
                            "roms:\n"
                            "- {name: code, files: [{path: f, data: SECRET}], at: /code}\n"
                            "- {image: org/rom:2, at: /rom/base}\n",
                            &status);
    char *text = json_dumps(item, 0);

    IS("status", "\"success\"");
    IS("uuid", "\"11111111-2222-4333-8444-555555555555\"");
    IS("name", "\"web\"");
    IS("created_at", "\"1970-01-01T00:00:01Z\"");
    IS("romsim.created_us", "1000002");
    IS("state", "\"stopped\"");
    IS("image", "\"org/base:1\"");
    IS("memory_mb", "256");
    IS("args", "[\"/bin/sh\",\"-c\",\"true\"]");
    IS("env", "{\"A\":\"b\"}");
    IS("restart_policy", "\"on-failure\"");
    IS("private_fqdn", "\"web.internal\"");
    IS("private_ip", "\"10.0.0.37\"");
    IS("network_interfaces.0.mac", "\"12:b0:0a:00:00:25\"");
    IS("service_group.services.0.destination_port", "8080");
    /* An inline ROM is told by a UUID, and nothing of it is; a name is made from the place. */
    IS("roms.0.image", "\"aaaaaaaa-0000-4000-8000-000000000000\"");
    IS("roms.1.image", "\"org/rom:2\"");
    IS("roms.1.name", "\"rom-base\"");
    ck_assert_ptr_null(strstr(text, "SECRET"));
    /* A port that two services share is there once. */
    IS("romsim.ports.0.url", "\"http://127.0.0.1:18080\"");
    IS("romsim.ports.1", "none");
    /* It was never started. */
    IS("start_count", "0");
    IS("started_at", "none");
    IS("stopped_at", "none");
    IS("stop_reason", "none");
    IS("exit_code", "none");
    IS("restart", "none");
    free(text);
    json_decref(item);
}
END_TEST

START_TEST(how_it_ended_is_told_while_it_is_stopped)
{
    struct instance_status status = {.state = STATE_STOPPED,
                                     .started_at = 2,
                                     .stopped_at = 3,
                                     .has_ended = true,
                                     .stop_reason = 3,
                                     .stop_code = 33024,
                                     .exit_code = 4,
                                     .start_count = 2,
                                     .restart_count = 1,
                                     .restart_attempt = 2,
                                     .restart_at = 8};
    json_t *item = describe("image: x\n", &status);

    IS("stopped_at", "\"1970-01-01T00:00:03Z\"");
    IS("stop_reason", "3");
    IS("stop_code", "33024");
    IS("exit_code", "4");
    IS("start_count", "2");
    IS("restart_count", "1");
    IS("restart", "{\"attempt\":2,\"next_at\":\"1970-01-01T00:00:08Z\"}");
    json_decref(item);

    status.state = STATE_RUNNING;
    status.restart_at = 0;
    item = describe("image: x\n", &status);
    IS("started_at", "\"1970-01-01T00:00:02Z\"");
    IS("stopped_at", "none");
    IS("stop_reason", "none");
    IS("exit_code", "none");
    IS("restart", "{\"attempt\":2}");
    json_decref(item);
}
END_TEST

UNIT_MAIN("vm_status", every_end_has_its_reason, states_have_the_clouds_names,
          an_instance_is_told_as_the_cloud_tells_it, how_it_ended_is_told_while_it_is_stopped)
