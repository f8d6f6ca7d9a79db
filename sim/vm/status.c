/* SPDX-License-Identifier: BSD-3-Clause */
/* status.c: what can be told of an instance, as the cloud tells it. */
#include "status.h"

#include "address.h"
#include "dns.h"
#include "scaling.h"

#include <romsim/cleanup.h>
#include <romsim/text.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const state_names[] = {
    [STATE_STOPPED] = "stopped",   [STATE_STARTING] = "starting", [STATE_RUNNING] = "running",
    [STATE_DRAINING] = "draining", [STATE_STOPPING] = "stopping", [STATE_STANDBY] = "standby",
    [STATE_TEMPLATE] = "template", [STATE_DELETED] = "deleted",
};

enum { STATES = sizeof(state_names) / sizeof(state_names[0]) };

const char *instance_state_name(enum instance_state state)
{
    return state_names[state];
}

int instance_state_find(const char *name)
{
    for (int i = 0; i < STATES; i++)
        if (strcmp(state_names[i], name) == 0)
            return i;
    return -1;
}

/* ---- why it stopped (cloud-rules §1, stop_reason and stop_code) ------------------------------ */

enum { BY_KERNEL = 1, BY_APP = 2, BY_PLATFORM = 4, BY_USER = 8, FORCED = 16, BY_SCALING = 32 };

/* errno << 16 | shut down << 15 | init level << 8 | reason */
enum {
    CODE_CLEAN = 0x8100,
    CODE_OUT_OF_MEMORY = 0x0c7f04, /* ENOMEM, in the app, a page fault */
    CODE_CRASHED = 0x7f01,         /* in the app, an exception */
    CODE_BOOT_FAILED = 0x0101      /* before it */
};

static unsigned wish_bits(enum stop_wish wish)
{
    if (wish == STOP_BY_USER)
        return BY_USER | BY_PLATFORM;
    if (wish == STOP_BY_SCALING) /* whether it was saved or stopped, 39 */
        return BY_SCALING | BY_PLATFORM | BY_APP | BY_KERNEL;
    return wish == STOP_BY_PLATFORM ? BY_PLATFORM : 0;
}

static unsigned end_bits(enum run_end end)
{
    switch (end) {
    case RUN_END_APP:
        return BY_APP | BY_KERNEL;
    case RUN_END_KILLED:
    case RUN_END_MEMORY:
    case RUN_END_CRASHED:
    case RUN_END_BOOT:
        return BY_KERNEL;
    case RUN_END_SAVED:
    case RUN_END_STOPPED:
    case RUN_END_FORCED:
        return 0;
    case RUN_END_BROKEN:
        return BY_PLATFORM;
    }
    return 0;
}

static unsigned end_code(enum run_end end)
{
    switch (end) {
    case RUN_END_MEMORY:
        return CODE_OUT_OF_MEMORY;
    case RUN_END_CRASHED:
        return CODE_CRASHED;
    case RUN_END_BOOT:
        return CODE_BOOT_FAILED;
    case RUN_END_APP:
        return CODE_CLEAN;
    default:
        return 0;
    }
}

void instance_status_end(struct instance_status *status, const struct run_result *result,
                         enum stop_wish wish, bool forced)
{
    status->has_ended = true;
    status->stop_reason = end_bits(result->end) | wish_bits(wish) | (forced ? FORCED : 0);
    status->stop_code = end_code(result->end);
    status->exit_code = result->kind == ROMSIM_VM_EXIT ? result->status : 0;
}

void instance_status_end_standby(struct instance_status *status)
{
    status->stop_reason = BY_USER | BY_PLATFORM;
    status->stop_code = 0;
    status->stopped_at = time(NULL);
}

bool instance_status_is_stopped(const struct instance_status *status)
{
    return status->state == STATE_STOPPED || status->state == STATE_STANDBY;
}

/* ---- as JSON --------------------------------------------------------------------------------- */

static void set(json_t *object, const char *key, json_t *value)
{
    json_object_set_new(object, key, value);
}

/* 0: not yet. */
static void set_time(json_t *object, const char *key, time_t time)
{
    char text[ROMSIM_TIME_SIZE];

    if (time)
        set(object, key, json_string(romsim_text_time(time, text)));
}

static void set_parsed(json_t *object, const char *key, const char *text)
{
    json_t *value = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;

    if (value)
        set(object, key, value);
}

static json_t *env_json(const struct romsim_instance *instance)
{
    json_t *env = json_object();

    for (size_t i = 0; i < instance->env_count; i++)
        set(env, instance->env[i].name, json_string(instance->env[i].value));
    return env;
}

static json_t *strings_json(const struct romsim_strings *strings)
{
    json_t *list = json_array();

    for (size_t i = 0; i < strings->count; i++)
        json_array_append_new(list, json_string(strings->items[i]));
    return list;
}

static json_t *rom_json(const struct romsim_rom *rom, const char *uuid)
{
    CLEANUP_FREE char *derived = rom->name || !rom->at ? NULL : romsim_rom_name_from_at(rom->at);
    const char *name = rom->name ?: derived;

    return json_pack("{s:s*, s:s*, s:s*}", "name", name && *name ? name : NULL, "image",
                     rom->is_inline ? uuid : rom->image, "at", rom->at);
}

static json_t *kept_rom_json(const struct romsim_device *device)
{
    const char *name = device->named_name;

    if (*name)
        name += strlen("ukp_rom_");
    return json_pack("{s:s*, s:s*, s:s*}", "name", *name ? name : NULL, "image",
                     device->is_inline ? NULL : device->source, "at", device->at);
}

static json_t *volumes_json(const struct romsim_layout *layout, const struct volumes *volumes)
{
    json_t *list = json_array();

    for (size_t i = 0; i < layout->device_count; i++) {
        const struct romsim_device *device = &layout->devices[i];
        const struct romsim_volume_hold *hold = volumes_hold(volumes, device);

        if (hold)
            json_array_append_new(list,
                                  json_pack("{s:s, s:s, s:s, s:b}", "uuid", hold->uuid, "name",
                                            hold->name, "at", romsim_layout_at(layout, device),
                                            "readonly", device->access == ROMSIM_READ_ONLY));
    }
    return list;
}

static json_t *interfaces_json(const struct instance_status *status)
{
    char address[ADDRESS_TEXT], mac[ADDRESS_MAC_TEXT];

    address_print(address_of(status->number), address);
    address_print_mac(address_of(status->number), mac);
    return json_pack("[{s:s, s:s, s:s}]", "uuid", status->interface_uuid, "private_ip", address,
                     "mac", mac);
}

static void add_history(json_t *item, const struct instance_status *status)
{
    set(item, "start_count", json_integer(status->start_count));
    set(item, "restart_count", json_integer(status->restart_count));
    if (status->restart_attempt) {
        json_t *restart = json_pack("{s:i}", "attempt", (int)status->restart_attempt);

        set_time(restart, "next_at", status->restart_at);
        set(item, "restart", restart);
    }
    set_time(item, "started_at", status->started_at);
    if (instance_status_is_stopped(status))
        set_time(item, "stopped_at", status->stopped_at);
    if (status->has_ended && instance_status_is_stopped(status)) {
        set(item, "stop_reason", json_integer(status->stop_reason));
        set(item, "stop_code", json_integer(status->stop_code));
        set(item, "exit_code", json_integer(status->exit_code));
    }
    set(item, "uptime_ms", json_integer((json_int_t)status->uptime_ms));
    set(item, "boot_time_us", json_integer((json_int_t)status->boot_time_us));
    set(item, "net_time_us", json_integer((json_int_t)status->net_time_us));
}

/* What the cloud has not: where the ports are on this machine, who keeps the instance, since when
 * to the microsecond, whether it is isolated, and what its app reads. */
static json_t *own_json(const struct romsim_layout *layout, const struct instance_status *status,
                        const struct vm_plan *plan)
{
    const struct forward *forwards = plan->forwards;
    json_t *ports = json_array();
    char url[64];

    for (size_t i = 0; i < layout->port_count; i++) {
        if (!forwards[i].host_port)
            continue;
        forward_url(&layout->ports[i], &forwards[i], url);
        json_array_append_new(ports, json_pack("{s:i, s:i, s:s}", "port",
                                               (int)layout->ports[i].port, "destination_port",
                                               (int)layout->ports[i].destination_port, "url", url));
    }
    return json_pack("{s:i, s:I, s:o, s:o*, s:o*, s:o*}", "keeper_pid", (int)getpid(), "created_us",
                     (json_int_t)status->created_us, "ports", ports, "isolated",
                     plan->isolated ? json_true() : NULL, "stdin",
                     plan->input.is_open ? json_true() : NULL, "tty",
                     plan->input.is_terminal ? json_true() : NULL);
}

json_t *instance_describe(const struct romsim_instance *instance,
                          const struct romsim_layout *layout, const struct volumes *volumes,
                          const char (*rom_uuids)[ROMSIM_UUID_SIZE],
                          const struct instance_status *status, const struct vm_plan *plan)
{
    json_t *item = json_object(), *roms = json_array(), *other;
    char address[ADDRESS_TEXT], fqdn[300];

    snprintf(fqdn, sizeof(fqdn), "%s." DNS_DOMAIN, layout->name);
    address_print(address_of(status->number), address);
    set(item, "status", json_string("success"));
    set(item, "uuid", json_string(status->uuid));
    set(item, "name", json_string(layout->name));
    set_time(item, "created_at", status->created_at);
    set(item, "state", json_string(instance_state_name(status->state)));
    if (instance->image)
        set(item, "image", json_string(instance->image));
    else if (romsim_layout_root(layout)) /* a clone's is its template's */
        set(item, "image", json_string(romsim_layout_root(layout)->source));
    set(item, "memory_mb", json_integer((json_int_t)layout->memory_mb));
    set(item, "vcpus", json_integer(layout->vcpus));
    if (instance->has_args)
        set(item, "args", strings_json(&instance->args));
    else if (romsim_instance_is_clone(instance))
        set(item, "args", strings_json(&layout->argv));
    set(item, "env", env_json(instance));
    set(item, "restart_policy", json_string(romsim_restart_name(instance->restart)));
    for (size_t i = 0; i < instance->rom_count; i++)
        json_array_append_new(roms, rom_json(&instance->roms[i], rom_uuids[i]));
    for (size_t i = 0; i < layout->device_count; i++)
        if (layout->devices[i].is_kept)
            json_array_append_new(roms, kept_rom_json(&layout->devices[i]));
    set(item, "roms", roms);
    set(item, "volumes", volumes_json(layout, volumes));
    set(item, "hostname", json_string(layout->hostname));
    set(item, "private_fqdn", json_string(fqdn));
    set(item, "private_ip", json_string(address));
    set(item, "network_interfaces", interfaces_json(status));
    set_parsed(item, "service_group", instance->group_json ?: instance->service_group_json);
    other = instance->other_json ? json_loads(instance->other_json, 0, NULL) : NULL;
    json_object_del(other, "timeout_s"); /* of the request, not of the instance */
    json_object_del(other, "wait_timeout_ms");
    if (json_object_get(other, "scale_to_zero"))
        scaling_complete(json_object_get(other, "scale_to_zero"));
    if (other)
        json_object_update_missing(item, other);
    json_decref(other);
    add_history(item, status);
    set(item, "romsim", own_json(layout, status, plan));
    return item;
}
