/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * request.c: the JSON body for POST /v1/instances that creates what ran here.
 *
 * What the input named is named, what it left out stays out.  A `dir` becomes base64 files, the
 * host's port of -p is left out, members that are idle here go through as they came.
 *
 * One function writes a request, into a text or to be counted only (json.h).
 */
#include "model.h"

#include <romsim/buffer.h>
#include <romsim/json.h>

#include <jansson.h>
#include <string.h>

struct request {
    struct romsim_json json;
    bool no_memory;
};

static void put_string(struct request *request, const char *name, const char *value)
{
    if (value)
        romsim_json_string(&request->json, name, value);
}

/* What came as it is, parsed; NULL without, and the caller releases it. */
static json_t *parse(struct request *request, const char *text)
{
    json_t *value = text ? json_loads(text, 0, NULL) : NULL;

    request->no_memory |= text && !value;
    return value;
}

/* The object that the image came in, unless a flag has put another image in its place. */
static void put_image(struct request *request, const char *image, const char *image_json)
{
    json_t *whole = parse(request, image_json);
    const char *url = json_string_value(json_object_get(whole, "url"));

    if (url && image && strcmp(url, image) == 0)
        romsim_json_value(&request->json, "image", whole);
    else
        put_string(request, "image", image);
    json_decref(whole);
}

static void put_file(struct request *request, const struct romsim_file *file)
{
    bool is_text = file->encoding == ROMSIM_ENCODING_TEXT;

    romsim_json_open(&request->json, NULL, '{');
    put_string(request, "path", file->path);
    put_string(request, "encoding", is_text ? "text" : "base64");
    (is_text ? romsim_json_bytes : romsim_json_base64)(&request->json, "data", file->data,
                                                       file->size);
    romsim_json_close(&request->json, '}');
}

static void put_rom(struct request *request, const struct romsim_rom *rom)
{
    romsim_json_open(&request->json, NULL, '{');
    put_string(request, "name", rom->name);
    put_image(request, rom->image, rom->image_json);
    if (rom->is_inline) {
        romsim_json_open(&request->json, "files", '[');
        for (size_t i = 0; i < rom->file_count; i++)
            put_file(request, &rom->files[i]);
        romsim_json_close(&request->json, ']');
    }
    put_string(request, "at", rom->at);
    romsim_json_close(&request->json, '}');
}

static void put_service(struct request *request, const struct romsim_service *service)
{
    romsim_json_open(&request->json, NULL, '{');
    romsim_json_integer(&request->json, "port", service->port);
    if (service->destination_given || service->destination_port != service->port)
        romsim_json_integer(&request->json, "destination_port", service->destination_port);
    if (service->handlers) {
        romsim_json_open(&request->json, "handlers", '[');
        for (unsigned bit = 0; bit < ROMSIM_HANDLER_COUNT; bit++)
            if (service->handlers & 1U << bit)
                put_string(request, NULL, romsim_handler_name(bit));
        romsim_json_close(&request->json, ']');
    }
    romsim_json_close(&request->json, '}');
}

static void put_services(struct request *request, const struct romsim_instance *instance)
{
    romsim_json_open(&request->json, "services", '[');
    for (size_t i = 0; i < instance->service_count; i++)
        put_service(request, &instance->services[i]);
    romsim_json_close(&request->json, ']');
}

/* The group as it came, with the services of the model, to which flags may have added some. */
static void put_service_group(struct request *request, const struct romsim_instance *instance)
{
    json_t *group = parse(request, instance->service_group_json), *value;
    bool has_services = instance->service_count > 0 && !instance->has_group_services;
    bool is_placed = false;
    const char *name;

    if (!group && !has_services)
        return;
    romsim_json_open(&request->json, "service_group", '{');
    json_object_foreach(group, name, value)
    {
        is_placed |= strcmp(name, "services") == 0;
        if (strcmp(name, "services") == 0 && has_services)
            put_services(request, instance);
        else
            romsim_json_value(&request->json, name, value);
    }
    if (has_services && !is_placed)
        put_services(request, instance);
    romsim_json_close(&request->json, '}');
    json_decref(group);
}

static void put_args(struct request *request, const struct romsim_instance *instance)
{
    if (!instance->has_args)
        return;
    romsim_json_open(&request->json, "args", '[');
    for (size_t i = 0; i < instance->args.count; i++)
        put_string(request, NULL, instance->args.items[i]);
    romsim_json_close(&request->json, ']');
}

static void put_env(struct request *request, const struct romsim_instance *instance)
{
    if (!instance->env_count)
        return;
    romsim_json_open(&request->json, "env", '{');
    for (size_t i = 0; i < instance->env_count; i++)
        put_string(request, instance->env[i].name, instance->env[i].value);
    romsim_json_close(&request->json, '}');
}

static void put_numbers(struct request *request, const struct romsim_instance *instance)
{
    static const struct romsim_instance defaults = {.memory_mb = 128, .vcpus = 1};
    struct romsim_json *json = &request->json;

    if (instance->memory_mb != defaults.memory_mb || (instance->given & ROMSIM_GIVEN_MEMORY))
        romsim_json_integer(json, "memory_mb", (int64_t)instance->memory_mb);
    if (instance->vcpus != defaults.vcpus || (instance->given & ROMSIM_GIVEN_VCPUS))
        romsim_json_integer(json, "vcpus", instance->vcpus);
    if (instance->replicas)
        romsim_json_integer(json, "replicas", instance->replicas);
    if (instance->autostart || (instance->given & ROMSIM_GIVEN_AUTOSTART))
        romsim_json_boolean(json, "autostart", instance->autostart);
}

static void put_roms(struct request *request, const struct romsim_instance *instance)
{
    /* A clone that says so has none of those that its source had. */
    bool is_empty = romsim_instance_is_clone(instance) && instance->given & ROMSIM_GIVEN_ROMS;

    if (!instance->rom_count && !is_empty)
        return;
    romsim_json_open(&request->json, "roms", '[');
    for (size_t i = 0; i < instance->rom_count; i++)
        put_rom(request, &instance->roms[i]);
    romsim_json_close(&request->json, ']');
}

static void put_volume(struct request *request, const struct romsim_volume *volume)
{
    json_t *whole = parse(request, volume->json);

    if (whole) {
        romsim_json_value(&request->json, NULL, whole);
        json_decref(whole);
        return;
    }
    romsim_json_open(&request->json, NULL, '{');
    put_string(request, "name", volume->name);
    put_string(request, "uuid", volume->uuid);
    put_string(request, "at", volume->at);
    if (volume->readonly)
        romsim_json_boolean(&request->json, "readonly", true);
    romsim_json_close(&request->json, '}');
}

static void put_volumes(struct request *request, const struct romsim_instance *instance)
{
    if (!instance->volume_count)
        return;
    romsim_json_open(&request->json, "volumes", '[');
    for (size_t i = 0; i < instance->volume_count; i++)
        put_volume(request, &instance->volumes[i]);
    romsim_json_close(&request->json, ']');
}

static void put_other(struct request *request, const struct romsim_instance *instance)
{
    json_t *other = parse(request, instance->other_json), *value;
    const char *name;

    json_object_foreach(other, name, value)
    {
        romsim_json_value(&request->json, name, value);
    }
    json_decref(other);
}

static void put_instance(struct request *request, const struct romsim_instance *instance)
{
    romsim_json_open(&request->json, NULL, '{');
    put_string(request, "name", instance->name);
    put_image(request, instance->image, instance->image_json);
    put_args(request, instance);
    put_env(request, instance);
    put_numbers(request, instance);
    put_service_group(request, instance);
    put_roms(request, instance);
    put_volumes(request, instance);
    put_string(request, "hostname", instance->hostname);
    put_other(request, instance);
    romsim_json_close(&request->json, '}');
}

/* One object, or an array of them. */
static void put_instances(struct request *request, const struct romsim_instances *instances)
{
    if (instances->count == 1) {
        put_instance(request, instances->items[0]);
    } else {
        romsim_json_open(&request->json, NULL, '[');
        for (size_t i = 0; i < instances->count; i++)
            put_instance(request, instances->items[i]);
        romsim_json_close(&request->json, ']');
    }
    romsim_json_end(&request->json);
}

char *romsim_instances_request(const struct romsim_instances *instances, struct romsim_error *err)
{
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(SIZE_MAX);
    struct request request = {.json.text = &text};

    put_instances(&request, instances);
    if (!request.no_memory && !text.failed)
        return romsim_buffer_steal(&text);
    romsim_error_nomem(err);
    return NULL;
}

char *romsim_instance_request(const struct romsim_instance *instance, struct romsim_error *err)
{
    struct romsim_instance *only[] = {(struct romsim_instance *)instance};

    return romsim_instances_request(&(struct romsim_instances){only, 1}, err);
}

json_t *instance_json(const struct romsim_instance *instance)
{
    CLEANUP_FREE char *text = romsim_instance_request(instance, NULL);

    return text ? json_loads(text, JSON_ALLOW_NUL, NULL) : NULL;
}

json_t *romsim_instance_service_group(const struct romsim_instance *instance)
{
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(SIZE_MAX);
    struct request request = {.json.text = &text};
    json_t *body, *group;

    romsim_json_open(&request.json, NULL, '{');
    put_service_group(&request, instance);
    romsim_json_close(&request.json, '}');
    if (request.no_memory || text.failed)
        return NULL;
    body = json_loadb(text.data, text.size, 0, NULL);
    group = json_incref(json_object_get(body, "service_group"));
    json_decref(body);
    return group;
}

int request_size(const struct romsim_instances *instances, uint64_t *ret_size)
{
    struct request request = {0};

    put_instances(&request, instances);
    *ret_size = request.json.size;
    return request.no_memory ? -1 : 0;
}
