/* SPDX-License-Identifier: BSD-3-Clause */
/* plan.c: a layout as data: what `romsim plan --json` prints, and the page draws. */
#include <romsim/layout.h>
#include <romsim/text.h>

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const char *const role_names[] = {
    [ROMSIM_DEVICE_ROOT] = "root", [ROMSIM_DEVICE_ROM] = "rom", [ROMSIM_DEVICE_VOLUME] = "volume"};

bool romsim_device_counts_files(const struct romsim_device *device)
{
    return device->role == ROMSIM_DEVICE_ROM && device->kind == ROMSIM_IMAGE_EROFS;
}

const char *romsim_device_format(const struct romsim_device *device)
{
    return device->role == ROMSIM_DEVICE_VOLUME ? "ext4" : romsim_image_kind_name(device->kind);
}

uint64_t romsim_device_size(const struct romsim_device *device)
{
    return device->blob ? romsim_blob_size(device->blob) : device->size;
}

static int set(json_t *object, const char *name, json_t *value)
{
    return json_object_set_new(object, name, value);
}

/* Text that may be foreign and no UTF-8: then as it is quoted for people. */
static json_t *text_json(const char *text)
{
    return romsim_utf8_is_valid(text, strlen(text)) ? json_string(text) : json_string(QUOTE(text));
}

static int set_text(json_t *object, const char *name, const char *text)
{
    return set(object, name, text ? text_json(text) : json_null());
}

static int set_device_node(json_t *object, const char *name, const char *node)
{
    char path[ROMSIM_DEVICE_NAME_SIZE + 8];

    snprintf(path, sizeof(path), "/dev/%s", node);
    return set(object, name, node[0] ? json_string(path) : json_null());
}

static json_t *device_json(const struct romsim_layout *layout, const struct romsim_device *device,
                           bool digests)
{
    json_t *object = json_object();
    int failed = set_device_node(object, "device", device->indexed_name);

    failed |= set_device_node(object, "named_device", device->named_name);
    failed |= set_text(object, "role", role_names[device->role]);
    failed |= set(object, "read_only", json_boolean(device->access == ROMSIM_READ_ONLY));
    failed |= set_text(object, "at", romsim_layout_at(layout, device));
    failed |= set_text(object, "format", romsim_device_format(device));
    if (device->role != ROMSIM_DEVICE_VOLUME)
        failed |= set_text(object, "source", device->source);
    failed |= set(object, "inline", json_boolean(device->is_inline));
    failed |= set(object, "size", json_integer((json_int_t)romsim_device_size(device)));
    if (device->role == ROMSIM_DEVICE_VOLUME) {
        failed |= set_text(object, "volume", device->name_is_random ? NULL : device->volume);
        failed |= set_text(object, "uuid", device->is_new ? NULL : device->uuid);
        failed |= set(object, "new", json_boolean(device->is_new));
    } else if (digests) {
        failed |= set_text(object, "sha256", romsim_blob_sha256_shown(device->blob));
    }
    if (romsim_device_counts_files(device))
        failed |= set(object, "files", json_integer((json_int_t)device->files));
    if (!failed)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *devices_json(const struct romsim_layout *layout, enum romsim_device_role role,
                            bool digests)
{
    json_t *list = json_array();

    for (size_t i = 0; i < layout->device_count; i++)
        if (layout->devices[i].role == role &&
            json_array_append_new(list, device_json(layout, &layout->devices[i], digests)) < 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *mounts_json(const struct romsim_layout *layout)
{
    json_t *list = json_array();
    int failed = 0;

    for (size_t i = 0; i < layout->mount_count; i++) {
        const struct romsim_mount *mount = &layout->mounts[i];
        json_t *object = json_object();

        failed |= set_device_node(object, "device", layout->devices[mount->device].indexed_name);
        failed |= set_text(object, "at", mount->path);
        failed |= set_text(object, "target", mount->target);
        failed |= set_text(object, "type", mount->type);
        failed |= set(object, "read_only", json_boolean(mount->access == ROMSIM_READ_ONLY));
        failed |= json_array_append_new(list, object);
    }
    if (!failed)
        return list;
    json_decref(list);
    return NULL;
}

static json_t *strings_json(const struct romsim_strings *strings)
{
    json_t *list = json_array();

    for (size_t i = 0; i < strings->count; i++)
        if (json_array_append_new(list, text_json(strings->items[i])) < 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

/* "K=V" entries as an object. */
static json_t *env_json(const struct romsim_strings *env)
{
    json_t *object = json_object();

    for (size_t i = 0; i < env->count; i++) {
        const char *equals = strchrnul(env->items[i], '=');
        CLEANUP_FREE char *name = strndup(env->items[i], (size_t)(equals - env->items[i]));
        const char *key = name && romsim_utf8_is_valid(name, strlen(name)) ? name : NULL;

        if (!name || set_text(object, key ? key : QUOTE(name), *equals ? equals + 1 : "") < 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static json_t *port_json(const struct romsim_port *port)
{
    json_t *object = json_object();
    json_t *handlers = json_array();
    int failed = set(object, "port", json_integer(port->port));

    failed |= set(object, "destination_port", json_integer(port->destination_port));
    if (port->host_port)
        failed |= set(object, "host_port", json_integer(port->host_port));
    for (unsigned bit = 0; bit < ROMSIM_HANDLER_COUNT; bit++)
        if (port->handlers & 1U << bit)
            failed |= json_array_append_new(handlers, json_string(romsim_handler_name(bit)));
    failed |= set(object, "handlers", handlers);
    if (!failed)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *ports_json(const struct romsim_layout *layout)
{
    json_t *list = json_array();

    for (size_t i = 0; i < layout->port_count; i++)
        if (json_array_append_new(list, port_json(&layout->ports[i])) < 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

json_t *romsim_layout_json(const struct romsim_layout *layout, bool digests)
{
    json_t *object = json_object();
    int failed =
        set(object, "name", layout->name_is_random ? json_null() : text_json(layout->name));

    failed |= set(object, "hostname",
                  layout->name_is_random && strcmp(layout->name, layout->hostname) == 0
                      ? json_null()
                      : text_json(layout->hostname));
    failed |= set(object, "memory_mb", json_integer((json_int_t)layout->memory_mb));
    failed |= set(object, "guest_memory_mb", json_integer((json_int_t)layout->guest_memory_mb));
    failed |= set(object, "vcpus", json_integer(layout->vcpus));
    failed |= set_text(object, "restart_policy", romsim_restart_name(layout->restart));
    failed |= set(object, "root", device_json(layout, romsim_layout_root(layout), digests));
    failed |= set(object, "roms", devices_json(layout, ROMSIM_DEVICE_ROM, digests));
    failed |= set(object, "volumes", devices_json(layout, ROMSIM_DEVICE_VOLUME, digests));
    failed |= set(object, "mounts", mounts_json(layout));
    failed |= set(object, "command", strings_json(&layout->argv));
    failed |= set(object, "env", env_json(&layout->env));
    failed |= set_text(object, "working_dir", layout->working_dir);
    failed |= set(object, "working_dir_is_made", json_boolean(layout->working_dir_is_made));
    failed |= set(object, "ports", ports_json(layout));
    failed |= set(object, "image_kernel", json_boolean(layout->image_kernel));
    if (!failed)
        return object;
    json_decref(object);
    return NULL;
}
