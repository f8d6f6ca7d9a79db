/* SPDX-License-Identifier: BSD-3-Clause */
/* instance.c: the model's memory, and the small things that its makers share. */
#include "model.h"

#include <romsim/text.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMORY_MB_DEFAULT = 128 };

struct romsim_instance *romsim_instance_new(void)
{
    struct romsim_instance *instance = calloc(1, sizeof(*instance));

    if (!instance)
        return NULL;
    instance->memory_mb = MEMORY_MB_DEFAULT;
    instance->vcpus = 1;
    instance->group_use = -1;
    instance->directory = strdup("");
    if (!instance->directory) {
        free(instance);
        return NULL;
    }
    return instance;
}

static void rom_clear(struct romsim_rom *rom)
{
    for (size_t i = 0; i < rom->file_count; i++) {
        free(rom->files[i].path);
        free(rom->files[i].data);
    }
    free(rom->files);
    free(rom->name);
    free(rom->image);
    free(rom->image_json);
    free(rom->dir);
    free(rom->at);
}

static void volume_clear(struct romsim_volume *volume)
{
    free(volume->name);
    free(volume->uuid);
    free(volume->at);
    free(volume->json);
}

void romsim_instance_free(struct romsim_instance *instance)
{
    if (!instance)
        return;
    for (size_t i = 0; i < instance->rom_count; i++)
        rom_clear(&instance->roms[i]);
    for (size_t i = 0; i < instance->env_count; i++) {
        free(instance->env[i].name);
        free(instance->env[i].value);
    }
    romsim_strings_clear(&instance->args);
    for (size_t i = 0; i < instance->volume_count; i++)
        volume_clear(&instance->volumes[i]);
    free(instance->roms);
    free(instance->volumes);
    free(instance->env);
    free(instance->services);
    free(instance->name);
    free(instance->hostname);
    free(instance->template_name);
    free(instance->template_uuid);
    free(instance->snapshot);
    free(instance->image);
    free(instance->image_json);
    free(instance->other_json);
    free(instance->service_group_json);
    free(instance->group_json);
    cleanup_close_fd(&instance->group_use);
    free(instance->directory);
    free(instance);
}

void romsim_instances_clear(struct romsim_instances *instances)
{
    for (size_t i = 0; i < instances->count; i++)
        romsim_instance_free(instances->items[i]);
    free(instances->items);
    *instances = (struct romsim_instances){0};
}

int string_set(char **string, const char *value)
{
    char *copy = strdup(value);

    if (!copy)
        return -1;
    free(*string);
    *string = copy;
    return 0;
}

/* Room for one more item; the array has room for the next power of two of items, so that a long
 * list is not copied for each of them.  NULL without memory. */
static void *grow(void *items, size_t count, size_t size)
{
    if (items && (count & (count - 1)) != 0)
        return items;
    return reallocarray(items, count ? 2 * count : 1, size);
}

struct romsim_rom *instance_append_rom(struct romsim_instance *instance)
{
    struct romsim_rom *roms = grow(instance->roms, instance->rom_count, sizeof(*roms));

    if (!roms)
        return NULL;
    instance->roms = roms;
    roms[instance->rom_count] = (struct romsim_rom){0};
    return &roms[instance->rom_count++];
}

struct romsim_volume *instance_append_volume(struct romsim_instance *instance)
{
    struct romsim_volume *volumes =
        grow(instance->volumes, instance->volume_count, sizeof(*volumes));

    if (!volumes)
        return NULL;
    instance->volumes = volumes;
    volumes[instance->volume_count] = (struct romsim_volume){0};
    return &volumes[instance->volume_count++];
}

int romsim_volume_settle(struct romsim_volume *volume, const char *name, struct romsim_error *err)
{
    json_t *object = volume->json ? json_loads(volume->json, 0, NULL) : NULL;
    char *text = NULL;

    if (object && json_object_set_new(object, "name", json_string(name)) == 0) {
        json_object_del(object, "size_mb");
        text = json_dumps(object, JSON_COMPACT);
    }
    json_decref(object);
    if ((volume->json && !text) || string_set(&volume->name, name) < 0) {
        free(text);
        return romsim_error_nomem(err);
    }
    free(volume->json);
    volume->json = text;
    volume->size_mb = 0;
    return 0;
}

struct romsim_service *instance_append_service(struct romsim_instance *instance)
{
    struct romsim_service *services =
        grow(instance->services, instance->service_count, sizeof(*services));

    if (!services)
        return NULL;
    instance->services = services;
    services[instance->service_count] = (struct romsim_service){0};
    return &services[instance->service_count++];
}

char *normalise_at(const char *at)
{
    char *normal = malloc(strlen(at) + 1);
    size_t size = 0;

    if (!normal)
        return NULL;
    for (; *at; at++)
        if (*at != '/' || size == 0 || normal[size - 1] != '/')
            normal[size++] = *at;
    if (size > 1 && normal[size - 1] == '/')
        size--;
    normal[size] = '\0';
    return normal;
}

char *romsim_rom_name_from_at(const char *at)
{
    char *name = malloc(strlen(at) + 1);
    size_t size = 0;

    if (!name)
        return NULL;
    for (at += *at == '/'; *at; at++) {
        bool is_letter = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z');

        if (*at == '/')
            name[size++] = '-';
        else if (is_letter || (*at >= '0' && *at <= '9') || *at == '-')
            name[size++] = *at;
    }
    name[size] = '\0';
    return name;
}

void complain_at(struct romsim_diagnostics *diagnostics, const struct romsim_place *place,
                 enum romsim_cloud_code code, struct romsim_error *error)
{
    error->cloud = code;
    if (place)
        error->place = *place;
    romsim_diagnostics_add(diagnostics, error, 0);
}

const char *rom_label(const struct romsim_instance *instance, const struct romsim_rom *rom,
                      char ret[ROM_LABEL_SIZE])
{
    if (rom->name)
        snprintf(ret, ROM_LABEL_SIZE, "ROM '%s'", QUOTE(rom->name));
    else
        snprintf(ret, ROM_LABEL_SIZE, "ROM %zu", (size_t)(rom - instance->roms) + 1);
    return ret;
}

/* The first word of each is its name. */
static const struct {
    const char *word;
    enum romsim_restart restart;
} restarts[] = {{"never", ROMSIM_RESTART_NEVER},
                {"always", ROMSIM_RESTART_ALWAYS},
                {"on-failure", ROMSIM_RESTART_ON_FAILURE},
                {"on_failure", ROMSIM_RESTART_ON_FAILURE}};

enum { RESTARTS = sizeof(restarts) / sizeof(restarts[0]) };

const char *romsim_handler_name(unsigned bit)
{
    static const char *const names[ROMSIM_HANDLER_COUNT] = {"tls", "http", "redirect"};

    return names[bit];
}

const char *romsim_restart_name(enum romsim_restart restart)
{
    size_t i = 0;

    while (restarts[i].restart != restart)
        i++;
    return restarts[i].word;
}

bool romsim_restart_find(const char *word, enum romsim_restart *ret)
{
    for (size_t i = 0; i < RESTARTS; i++)
        if (strcmp(restarts[i].word, word) == 0) {
            *ret = restarts[i].restart;
            return true;
        }
    return false;
}

bool romsim_instance_is_clone(const struct romsim_instance *instance)
{
    return instance->template_name || instance->template_uuid;
}
