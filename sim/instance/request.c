/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * request.c: the JSON body for POST /v1/instances that creates what ran here.
 *
 * What the input named is named, what it left out stays out.  A `dir` becomes base64 files, the
 * host's port of -p is left out, members that are idle here go through as they came.
 */
#include "model.h"

#include <romsim/buffer.h>
#include <romsim/text.h>

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Sets a member, if there is something to set; -1 without memory. */
static int set(json_t *object, const char *name, json_t *value)
{
    return json_object_set_new(object, name, value);
}

static int set_string(json_t *object, const char *name, const char *value)
{
    return value ? set(object, name, json_string(value)) : 0;
}

/* The object that the image came in, unless a flag has put another image in its place. */
static int set_image(json_t *object, const char *image, const char *image_json)
{
    json_t *whole = image_json ? json_loads(image_json, 0, NULL) : NULL;
    const char *url = json_string_value(json_object_get(whole, "url"));

    if (url && image && strcmp(url, image) == 0)
        return set(object, "image", whole);
    json_decref(whole);
    return set_string(object, "image", image);
}

static json_t *file_json(const struct romsim_file *file)
{
    bool is_text = file->encoding == ROMSIM_ENCODING_TEXT;
    CLEANUP_FREE char *base64 = is_text ? NULL : romsim_base64_encode(file->data, file->size);
    json_t *object = json_object();

    if (set_string(object, "path", file->path) < 0 ||
        set_string(object, "encoding", is_text ? "text" : "base64") < 0 ||
        set(object, "data",
            is_text ? json_stringn((const char *)file->data, file->size) : json_string(base64)) <
            0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static json_t *rom_json(const struct romsim_rom *rom)
{
    json_t *object = json_object();
    json_t *files = rom->is_inline ? json_array() : NULL;
    int failed = set_string(object, "name", rom->name);

    failed |= set_image(object, rom->image, rom->image_json);
    for (size_t i = 0; i < rom->file_count; i++)
        failed |= json_array_append_new(files, file_json(&rom->files[i]));
    if (rom->is_inline)
        failed |= set(object, "files", files);
    failed |= set_string(object, "at", rom->at);
    if (failed) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static json_t *service_json(const struct romsim_service *service)
{
    static const char *const names[] = {"tls", "http", "redirect"};
    json_t *object = json_object();
    json_t *handlers = service->handlers ? json_array() : NULL;
    int failed = set(object, "port", json_integer(service->port));

    if (service->destination_given || service->destination_port != service->port)
        failed |= set(object, "destination_port", json_integer(service->destination_port));
    for (unsigned bit = 0; bit < 3; bit++)
        if (service->handlers & 1U << bit)
            failed |= json_array_append_new(handlers, json_string(names[bit]));
    if (handlers)
        failed |= set(object, "handlers", handlers);
    if (failed) {
        json_decref(object);
        return NULL;
    }
    return object;
}

/* The group as it came, with the services of the model, to which flags may have added some. */
static int set_service_group(json_t *object, const struct romsim_instance *instance)
{
    json_t *group = instance->service_group_json ? json_loads(instance->service_group_json, 0, NULL)
                                                 : json_object();
    json_t *services = json_array();
    int failed = 0;

    for (size_t i = 0; i < instance->service_count; i++)
        failed |= json_array_append_new(services, service_json(&instance->services[i]));
    if (instance->service_count > 0)
        failed |= set(group, "services", services);
    else
        json_decref(services);
    if (instance->service_count == 0 && !instance->service_group_json)
        json_decref(group);
    else
        failed |= set(object, "service_group", group);
    return failed;
}

static int set_args(json_t *object, const struct romsim_instance *instance)
{
    json_t *args = instance->has_args ? json_array() : NULL;
    int failed = 0;

    for (size_t i = 0; i < instance->args.count; i++)
        failed |= json_array_append_new(args, json_string(instance->args.items[i]));
    return instance->has_args ? failed | set(object, "args", args) : 0;
}

static int set_env(json_t *object, const struct romsim_instance *instance)
{
    json_t *env = instance->env_count ? json_object() : NULL;
    int failed = 0;

    for (size_t i = 0; i < instance->env_count; i++)
        failed |= set_string(env, instance->env[i].name, instance->env[i].value);
    return env ? failed | set(object, "env", env) : failed;
}

static int set_numbers(json_t *object, const struct romsim_instance *instance)
{
    static const struct romsim_instance defaults = {.memory_mb = 128, .vcpus = 1};
    int failed = 0;

    if (instance->memory_mb != defaults.memory_mb || (instance->given & ROMSIM_GIVEN_MEMORY))
        failed |= set(object, "memory_mb", json_integer((json_int_t)instance->memory_mb));
    if (instance->vcpus != defaults.vcpus || (instance->given & ROMSIM_GIVEN_VCPUS))
        failed |= set(object, "vcpus", json_integer(instance->vcpus));
    if (instance->autostart || (instance->given & ROMSIM_GIVEN_AUTOSTART))
        failed |= set(object, "autostart", json_boolean(instance->autostart));
    return failed;
}

static int set_roms(json_t *object, const struct romsim_instance *instance)
{
    json_t *roms = instance->rom_count ? json_array() : NULL;
    int failed = 0;

    for (size_t i = 0; i < instance->rom_count; i++)
        failed |= json_array_append_new(roms, rom_json(&instance->roms[i]));
    return roms ? failed | set(object, "roms", roms) : failed;
}

static int set_other(json_t *object, const struct romsim_instance *instance)
{
    json_t *other = instance->other_json ? json_loads(instance->other_json, 0, NULL) : NULL;
    int failed = other ? json_object_update_missing(object, other) : 0;

    if (instance->other_json && !other)
        failed = -1;
    json_decref(other);
    return failed;
}

json_t *instance_json(const struct romsim_instance *instance)
{
    json_t *object = json_object();
    int failed = set_string(object, "name", instance->name);

    failed |= set_image(object, instance->image, instance->image_json);
    failed |= set_args(object, instance);
    failed |= set_env(object, instance);
    failed |= set_numbers(object, instance);
    failed |= set_service_group(object, instance);
    failed |= set_roms(object, instance);
    failed |= set_string(object, "hostname", instance->hostname);
    failed |= set_other(object, instance);
    if (!failed)
        return object;
    json_decref(object);
    return NULL;
}

/* ---- text -------------------------------------------------------------------------------- */

/* The request's bytes, or only their number. */
struct dump {
    struct romsim_buffer *text; /* or NULL */
    size_t size;
};

static int dump_bytes(struct dump *dump, const char *bytes, size_t size)
{
    dump->size += size;
    return dump->text ? romsim_buffer_append(dump->text, bytes, size) : 0;
}

/* jansson escapes the controls of ASCII, but DEL.  The others stand as \uNNNN, too: the text may be
 * on a terminal, and is the same to whoever parses it. */
static int dump_piece(const char *bytes, size_t size, void *context)
{
    struct dump *dump = context;
    size_t plain = 0, length;
    uint32_t control;

    for (size_t i = 0; i < size; i += length ? length : 1) {
        char escape[16];

        length = (uint8_t)bytes[i] < 0x7f ? 0 : romsim_text_control(bytes + i, size - i, &control);
        if (!length)
            continue;
        snprintf(escape, sizeof(escape), "\\u%04x", control);
        if (dump_bytes(dump, bytes + plain, i - plain) < 0 ||
            dump_bytes(dump, escape, strlen(escape)) < 0)
            return -1;
        plain = i + length;
    }
    return dump_bytes(dump, bytes + plain, size - plain);
}

/* Releases the value. */
static int dump_value(json_t *value, struct dump *dump)
{
    int status = value ? json_dump_callback(value, dump_piece, dump, JSON_INDENT(2)) : -1;

    json_decref(value);
    return status == 0 ? dump_bytes(dump, "\n", 1) : -1;
}

/* The text of a value, which is released. */
static char *take_dump(json_t *value, struct romsim_error *err)
{
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(SIZE_MAX);
    struct dump dump = {.text = &text};

    if (dump_value(value, &dump) == 0)
        return romsim_buffer_steal(&text);
    romsim_error_nomem(err);
    return NULL;
}

char *romsim_instance_request(const struct romsim_instance *instance, struct romsim_error *err)
{
    return take_dump(instance_json(instance), err);
}

/* The request's value: one object, or an array of them.  NULL without memory. */
static json_t *instances_json(const struct romsim_instances *instances)
{
    json_t *list;

    if (instances->count == 1)
        return instance_json(instances->items[0]);
    list = json_array();
    for (size_t i = 0; i < instances->count; i++)
        if (json_array_append_new(list, instance_json(instances->items[i])) < 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

char *romsim_instances_request(const struct romsim_instances *instances, struct romsim_error *err)
{
    return take_dump(instances_json(instances), err);
}

int request_size(const struct romsim_instances *instances, size_t *ret_size)
{
    struct dump dump = {0};

    if (dump_value(instances_json(instances), &dump) < 0)
        return -1;
    *ret_size = dump.size;
    return 0;
}
