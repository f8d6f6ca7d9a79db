/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * get_request.c: the request that makes an instance like one that there is: to have here what runs
 * there.
 *
 * The item of a GET has more than a request may, and other forms of some things (cloud-api §1.4).
 */
#include "get_request.h"

#include "sim/cli/cli.h"

#include <romsim/text.h>
#include <romsim/uuid.h>

#include <string.h>

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key)) ?: "";
}

/* Copies the members that there are. */
static void copy(const json_t *from, json_t *to, const char *const *keys)
{
    for (; *keys; keys++) {
        json_t *value = json_object_get(from, *keys);

        if (value && !json_is_null(value))
            json_object_set(to, *keys, value);
    }
}

/* For an inline ROM the image is a UUID, and its files are nowhere to be had (cloud-rules §1). */
static json_t *rom_of(const json_t *rom)
{
    static const char *const keys[] = {"name", "image", "files", "at", NULL};
    json_t *copied = json_object();

    copy(rom, copied, keys);
    if (romsim_uuid_is_valid(text_of(rom, "image")))
        cli_warn("the ROM '%s' is inline, and its files are not told: put 'files' or 'dir' in the "
                 "place of its 'image'",
                 QUOTE(*text_of(rom, "name") ? text_of(rom, "name") : text_of(rom, "at")));
    return copied;
}

static json_t *volume_of(const json_t *volume)
{
    static const char *const keys[] = {"name", "at", "readonly", NULL};
    json_t *copied = json_object();

    copy(volume, copied, keys);
    return copied;
}

/* Without "enabled", which only a GET has. */
static void copy_scale(const json_t *from, json_t *to)
{
    static const char *const keys[] = {"policy", "stateful", "cooldown_time_ms", "notify_time_ms",
                                       NULL};
    const json_t *scale = json_object_get(from, "scale_to_zero");
    json_t *copied = json_object();

    copy(scale, copied, keys);
    if (json_object_size(copied))
        json_object_set(to, "scale_to_zero", copied);
    json_decref(copied);
}

/* A list, each of whose objects is made by `each`; nothing if it is empty. */
static void copy_list(const json_t *from, json_t *to, const char *key,
                      json_t *(*each)(const json_t *object))
{
    const json_t *list = json_object_get(from, key);
    json_t *copied = json_array();

    for (size_t i = 0; i < json_array_size(list); i++)
        json_array_append_new(copied, each(json_array_get(list, i)));
    if (json_array_size(copied))
        json_object_set(to, key, copied);
    json_decref(copied);
}

/* The group is there, and may not be here: its services make one. */
static void copy_services(const json_t *from, json_t *to)
{
    const json_t *group = json_object_get(from, "service_group");
    json_t *services = json_object_get(group, "services");

    if (json_array_size(services))
        json_object_set_new(to, "service_group", json_pack("{s:O}", "services", services));
    else if (group && !json_is_null(group))
        cli_warn("the ports of the service '%s' are not told: give 'service_group' its 'services', "
                 "or -p [HOST:]GUEST",
                 QUOTE(text_of(group, "name")));
}

json_t *get_request(const json_t *item)
{
    static const char *const keys[] = {"name",      "image",     "args",           "env",
                                       "memory_mb", "vcpus",     "restart_policy", "scale_to_zero",
                                       "tags",      "features",  "type",           "hostname",
                                       "autokill",  "schedules", "annotations",    NULL};
    json_t *request = json_object();

    copy(item, request, keys);
    if (strcmp(text_of(request, "hostname"), text_of(request, "name")) == 0)
        json_object_del(request, "hostname");
    if (json_object_size(json_object_get(request, "env")) == 0)
        json_object_del(request, "env");
    copy_scale(item, request);
    copy_services(item, request);
    copy_list(item, request, "roms", rom_of);
    copy_list(item, request, "volumes", volume_of);
    return request;
}
