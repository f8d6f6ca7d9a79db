/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * layout.c: from a checked instance and its images to the one source of truth.
 *
 * Theory of operation: the root, every ROM and every volume become a device, in request order, and
 * every `at` a mount.  All
 * that can be found wrong is found in one pass: an image that fails does not keep the next one
 * from being looked at.
 */
#include "clone.h"
#include "judge.h"
#include "targets.h"

#include <romsim/checked.h>
#include <romsim/layout.h>
#include <romsim/name.h>
#include <romsim/reference.h>
#include <romsim/text.h>
#include <romsim/uuid.h>
#include <romsim/volume.h>

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Adds an error; returns false, so that `good &= ...` reads well. */
static bool complain(struct romsim_diagnostics *diagnostics, const struct romsim_error *error)
{
    romsim_diagnostics_add(diagnostics, error, 0);
    return false;
}

static bool out_of_memory(struct romsim_diagnostics *diagnostics)
{
    struct romsim_error error;

    romsim_error_nomem(&error);
    return complain(diagnostics, &error);
}

/* ---- the app ---------------------------------------------------------------------------- */

/* The image's variables, then the instance's over them. */
/* What the app finds in its environment where neither the image nor the instance says it. */
static const char *const default_env[] = {
    "PATH=" ROMSIM_DEFAULT_PATH,
    "HOME=/root",
};

/* Debian's kernel takes 35 MB for itself, does not start in 64, and leaves an app 60 here. */
enum { GUEST_MEMORY_MIN_MB = 96 };

/* Does the list have a "NAME=..." of the same name? */
static bool has_variable(const struct romsim_strings *env, const char *assignment)
{
    size_t size = strcspn(assignment, "=") + 1;

    for (size_t i = 0; i < env->count; i++)
        if (strncmp(env->items[i], assignment, size) == 0)
            return true;
    return false;
}

static int add_defaults(struct romsim_strings *env)
{
    for (size_t i = 0; i < sizeof(default_env) / sizeof(default_env[0]); i++)
        if (!has_variable(env, default_env[i]) && romsim_strings_append(env, default_env[i]) < 0)
            return -1;
    return 0;
}

static int merge_env(struct romsim_strings *env, const struct romsim_strings *image,
                     const struct romsim_instance *instance)
{
    if (romsim_strings_append_all(env, image) < 0)
        return -1;
    for (size_t i = 0; i < instance->env_count; i++) {
        char *entry;

        if (asprintf(&entry, "%s=%s", instance->env[i].name, instance->env[i].value) < 0 ||
            romsim_strings_take(env, entry) < 0)
            return -1;
    }
    return romsim_strings_last_of_each(env) < 0 ? -1 : add_defaults(env);
}

static bool set_command(struct romsim_layout *layout, const struct romsim_instance *instance,
                        const struct romsim_base_image *base,
                        struct romsim_diagnostics *diagnostics)
{
    struct romsim_error error;

    if (romsim_strings_append_all(&layout->argv, &base->entrypoint) < 0 ||
        romsim_strings_append_all(&layout->argv,
                                  instance->has_args ? &instance->args : &base->cmd) < 0)
        return out_of_memory(diagnostics);
    if (layout->argv.count > 0)
        return true;
    romsim_error_set(&error, EINVAL, "there is no command to run: image '%s' has none",
                     QUOTE(instance->image));
    error.rule = ROMSIM_RULE_NO_COMMAND;
    romsim_error_hint(&error, "give one with 'args', e.g. args: [\"/bin/sh\", \"-c\", \"ls /\"]");
    error.cloud = ROMSIM_CLOUD_INVALID;
    error.place = instance->image_place;
    return complain(diagnostics, &error);
}

static bool add_app(struct romsim_layout *layout, const struct romsim_instance *instance,
                    const struct romsim_base_image *base, struct romsim_diagnostics *diagnostics)
{
    const char *directory = base->working_dir;

    if (merge_env(&layout->env, &base->env, instance) < 0)
        return out_of_memory(diagnostics);
    layout->working_dir = strdup(directory && directory[0] ? directory : "/");
    if (!layout->working_dir)
        return out_of_memory(diagnostics);
    return set_command(layout, instance, base, diagnostics);
}

/* ---- devices ---------------------------------------------------------------------------- */

/* What a branch is made of is known when it is made. */
static bool refuse_branch(const struct romsim_instance *instance,
                          struct romsim_diagnostics *diagnostics)
{
    struct romsim_error error;

    romsim_error_set(&error, EINVAL,
                     "a branch is made of what the other instance is at that moment");
    error.rule = ROMSIM_RULE_CLONE;
    romsim_error_hint(&error, "'romsim run' and 'romsim create' make it, and show it then");
    error.cloud = ROMSIM_CLOUD_INVALID;
    error.place = instance->template_place;
    return complain(diagnostics, &error);
}

/* What of an instance a layout is of. */
enum parts {
    ROMS,        /* its ROMs */
    DEVICES,     /* and its root */
    ALL,         /* and where its mounts are */
    HERE,        /* what is to be had here of all */
    HERE_LOCALLY /* the same, and a name that is not in the store is an error */
};

static bool is_partial(enum parts parts)
{
    return parts == HERE || parts == HERE_LOCALLY;
}

/* An image that failed: is that an error?  Returns false if so. */
static bool excuse(enum parts parts, const char *reference, const struct romsim_error *error,
                   struct romsim_diagnostics *diagnostics)
{
    struct romsim_error own = *error;

    if (parts == HERE && error->errnum == ENOENT && reference &&
        !romsim_reference_is_local(reference))
        return true;
    if (own.rule == ROMSIM_RULE_NONE && own.errnum != ENOMEM)
        own.rule = ROMSIM_RULE_NO_IMAGE;
    return complain(diagnostics, &own);
}

/* A clone's root, its app and its size are its template's. */
static bool add_saved_root(struct romsim_layout *layout, struct romsim_device *device,
                           const struct romsim_instance *instance, enum parts parts,
                           struct romsim_template *known, struct romsim_diagnostics *diagnostics)
{
    struct romsim_template *template;
    struct romsim_error error;

    if (!known && instance->clone_of == ROMSIM_CLONE_OF_INSTANCE && !instance->snapshot)
        return is_partial(parts) || refuse_branch(instance, diagnostics);
    template = known ? romsim_template_ref(known) : clone_open(instance, &error);
    if (!template) {
        if (parts == HERE && error.errnum == ENOENT)
            return true;
        error.rule = ROMSIM_RULE_NO_IMAGE;
        error.place = instance->template_place;
        return complain(diagnostics, &error);
    }
    return clone_take(layout, device, template) == 0 || out_of_memory(diagnostics);
}

static bool add_root(struct romsim_layout *layout, const struct romsim_instance *instance,
                     enum parts parts, struct romsim_template *known,
                     struct romsim_diagnostics *diagnostics)
{
    struct romsim_device *device = &layout->devices[layout->device_count++];
    struct romsim_base_image base = {0};
    struct romsim_error error;
    bool good;

    device->role = ROMSIM_DEVICE_ROOT;
    snprintf(device->indexed_name, sizeof(device->indexed_name), "ukp_rom0");
    if (romsim_instance_is_clone(instance))
        return add_saved_root(layout, device, instance, parts, known, diagnostics);
    if (!instance->image)
        return is_partial(parts);
    if (romsim_image_base(instance, &base, &error) < 0)
        return excuse(parts, instance->image, &error, diagnostics);
    device->blob = romsim_blob_ref(base.root);
    device->kind = ROMSIM_IMAGE_EROFS;
    device->source = strdup(instance->image);
    device->warning = STEAL_POINTER(&base.warning);
    layout->image_kernel = base.kernel ? romsim_blob_ref(base.kernel) : NULL;
    good =
        device->source ? add_app(layout, instance, &base, diagnostics) : out_of_memory(diagnostics);
    romsim_base_image_release(&base);
    return good;
}

/* Is the derived name of a ROM without one already taken? */
static bool name_is_taken(const struct romsim_instance *instance,
                          const struct romsim_layout *layout, const char *named_name)
{
    const char *name = named_name + strlen("ukp_rom_");

    for (size_t i = 0; i < instance->rom_count; i++)
        if (instance->roms[i].name && strcmp(instance->roms[i].name, name) == 0)
            return true;
    for (size_t i = 0; i < layout->device_count; i++)
        if (strcmp(layout->devices[i].named_name, named_name) == 0)
            return true;
    return false;
}

/* Returns 0, or -1 without memory. */
static int name_device(const struct romsim_instance *instance, const struct romsim_layout *layout,
                       const struct romsim_rom *rom, struct romsim_device *device)
{
    CLEANUP_FREE char *derived = NULL;
    char name[ROMSIM_DEVICE_NAME_SIZE];

    snprintf(device->indexed_name, sizeof(device->indexed_name), "ukp_rom%u", device->index);
    if (!rom->name && !rom->at)
        return 0;
    if (!rom->name && !(derived = romsim_rom_name_from_at(rom->at)))
        return -1;
    if (derived && (!derived[0] || strlen(derived) > 63))
        return 0;
    snprintf(name, sizeof(name), "ukp_rom_%s", rom->name ?: derived);
    if (derived && name_is_taken(instance, layout, name))
        return 0;
    memcpy(device->named_name, name, sizeof(name));
    return 0;
}

static int set_source(const struct romsim_rom *rom, struct romsim_device *device)
{
    if (rom->dir)
        return asprintf(&device->source, "inline, from %s", rom->dir) < 0 ? -1 : 0;
    device->source = strdup(rom->image ?: "inline");
    return device->source ? 0 : -1;
}

static bool add_rom(struct romsim_layout *layout, const struct romsim_instance *instance,
                    size_t index, enum parts parts, struct romsim_diagnostics *diagnostics)
{
    const struct romsim_rom *rom = &instance->roms[index];
    struct romsim_device *device = &layout->devices[layout->device_count++];
    struct romsim_rom_image image = {0};
    struct romsim_error error;

    device->role = ROMSIM_DEVICE_ROM;
    device->origin = index;
    device->index = (unsigned)index + 1; /* the root is ukp_rom0 (cloud-rules §4) */
    device->is_inline = rom->is_inline;
    if (name_device(instance, layout, rom, device) < 0 || set_source(rom, device) < 0)
        return out_of_memory(diagnostics);
    if (romsim_image_rom(instance, rom, &image, &error) < 0)
        return excuse(parts, rom->image, &error, diagnostics);
    device->blob = romsim_blob_ref(image.blob);
    device->kind = image.kind;
    device->files = image.files;
    device->warning = STEAL_POINTER(&image.warning);
    romsim_rom_image_release(&image);
    return true;
}

/* For the ROMs that a clone keeps. */
static int make_room(struct romsim_layout *layout, const struct romsim_instance *instance)
{
    size_t kept = clone_kept_count(instance, layout->template);
    size_t had = 1 + instance->rom_count + instance->volume_count;
    struct romsim_device *devices =
        reallocarray(layout->devices, had + kept, sizeof(*layout->devices));

    if (!devices)
        return -1;
    memset(devices + had, 0, kept * sizeof(*devices));
    layout->devices = devices;
    return 0;
}

static bool add_roms(struct romsim_layout *layout, const struct romsim_instance *instance,
                     enum parts parts, struct romsim_diagnostics *diagnostics)
{
    struct romsim_error error;
    bool good = true;

    if (layout->template && make_room(layout, instance) < 0)
        return out_of_memory(diagnostics);
    if (layout->template && clone_keep_roms(layout, instance, layout->template, &error) < 0)
        return complain(diagnostics, &error);
    for (size_t i = 0; i < instance->rom_count; i++)
        good &= add_rom(layout, instance, i, parts, diagnostics);
    return good;
}

/* ---- volumes ---------------------------------------------------------------------------- */

/* malloc'ed. */
static char *random_volume_name(void)
{
    char name[ROMSIM_NAME_VOLUME_SIZE];

    return romsim_name_volume(name) ? strdup(name) : NULL;
}

static bool complain_of_volume(const struct romsim_volume *volume, struct romsim_error *error,
                               struct romsim_diagnostics *diagnostics)
{
    error->place = volume->name_place;
    return complain(diagnostics, error);
}

/* One that is to be made with the instance. */
static bool add_new_volume(const struct romsim_volume *volume, struct romsim_device *device,
                           struct romsim_diagnostics *diagnostics)
{
    CLEANUP_VOLUME struct romsim_volume_info info = {0};
    struct romsim_error error;
    int found = romsim_volume_find(device->volume, NULL, &info, &error);

    device->is_new = true;
    device->size = volume->size_mb << 20;
    if (found == 0)
        return true;
    if (found > 0) {
        romsim_error_set(&error, EEXIST, "A volume with the name '%s' already exists",
                         QUOTE(device->volume));
        romsim_error_hint(&error, "without size_mb it is attached as it is");
        error.cloud = ROMSIM_CLOUD_ALREADY_EXISTS;
    }
    return complain_of_volume(volume, &error, diagnostics);
}

/* One that is there.  In the cloud there may be others. */
static bool find_volume(const struct romsim_volume *volume, struct romsim_device *device,
                        enum parts parts, struct romsim_diagnostics *diagnostics)
{
    CLEANUP_VOLUME struct romsim_volume_info info = {0};
    const char *name = volume->name ?: volume->uuid;
    struct romsim_error error;
    int found = romsim_volume_find(volume->name, volume->uuid, &info, &error);

    if (found == 0 && parts == HERE) {
        device->volume = strdup(name);
        return device->volume || out_of_memory(diagnostics);
    }
    if (found == 0) {
        romsim_error_set(&error, ENOENT, "No volume with %s '%s'", volume->name ? "name" : "uuid",
                         QUOTE(name));
        error.cloud = ROMSIM_CLOUD_NOT_FOUND;
        if (volume->name)
            romsim_error_hint(&error, "'romsim volume create %s --size 1G' makes one", QUOTE(name));
    }
    if (found <= 0)
        return complain_of_volume(volume, &error, diagnostics);
    device->volume = STEAL_POINTER(&info.name);
    device->size = info.size;
    memcpy(device->uuid, info.uuid, sizeof(device->uuid));
    return true;
}

static bool add_volume(struct romsim_layout *layout, const struct romsim_instance *instance,
                       size_t index, enum parts parts, struct romsim_diagnostics *diagnostics)
{
    const struct romsim_volume *volume = &instance->volumes[index];
    struct romsim_device *device = &layout->devices[layout->device_count++];

    device->role = ROMSIM_DEVICE_VOLUME;
    device->access = volume->readonly ? ROMSIM_READ_ONLY : ROMSIM_READ_WRITE;
    device->origin = index;
    device->index = (unsigned)index;
    snprintf(device->indexed_name, sizeof(device->indexed_name), "ukp_vol%u", device->index);
    if (volume->size_mb == 0)
        return find_volume(volume, device, parts, diagnostics);
    device->name_is_random = !volume->name;
    device->volume = volume->name ? strdup(volume->name) : random_volume_name();
    if (!device->volume)
        return out_of_memory(diagnostics);
    return add_new_volume(volume, device, diagnostics);
}

static bool add_volumes(struct romsim_layout *layout, const struct romsim_instance *instance,
                        enum parts parts, struct romsim_diagnostics *diagnostics)
{
    bool good = true;

    for (size_t i = 0; i < instance->volume_count; i++)
        good &= add_volume(layout, instance, i, parts, diagnostics);
    return good;
}

/* ---- mounts ----------------------------------------------------------------------------- */

static const char *at_of(const struct romsim_instance *instance, const struct romsim_device *device)
{
    switch (device->role) {
    case ROMSIM_DEVICE_ROM:
        return device->is_kept ? device->at : instance->roms[device->origin].at;
    case ROMSIM_DEVICE_VOLUME:
        return instance->volumes[device->origin].at;
    case ROMSIM_DEVICE_ROOT:
        break;
    }
    return NULL;
}

static bool is_below(const char *path, const char *parent)
{
    size_t size = strlen(parent);

    return strncmp(path, parent, size) == 0 && path[size] == '/';
}

/* The first device, in request order, whose `at` is not mounted yet and below no other such `at`.
 * Nesting has no cycles, so there is one as long as one is left. */
static size_t next_mount(const struct romsim_layout *layout, const char *const *ats)
{
    for (size_t i = 0; i < layout->device_count; i++) {
        bool is_next = ats[i];

        for (size_t j = 0; is_next && j < layout->device_count; j++)
            is_next = !ats[j] || !is_below(ats[i], ats[j]);
        if (is_next)
            return i;
    }
    return layout->device_count;
}

static const char *file_system(const struct romsim_device *device)
{
    return device->role == ROMSIM_DEVICE_VOLUME ? "ext4" : "erofs";
}

static int add_mounts(struct romsim_layout *layout, const struct romsim_instance *instance)
{
    CLEANUP_FREE const char **ats = calloc(layout->device_count + 1, sizeof(*ats));
    size_t i;

    layout->mounts = calloc(layout->device_count + 1, sizeof(*layout->mounts));
    if (!ats || !layout->mounts)
        return -1;
    for (i = 0; i < layout->device_count; i++)
        ats[i] = at_of(instance, &layout->devices[i]);
    while ((i = next_mount(layout, ats)) < layout->device_count) {
        struct romsim_mount *mount = &layout->mounts[layout->mount_count++];

        *mount = (struct romsim_mount){.device = i,
                                       .type = file_system(&layout->devices[i]),
                                       .access = layout->devices[i].access,
                                       .path = strdup(ats[i])};
        if (!mount->path)
            return -1;
        ats[i] = NULL;
    }
    return 0;
}

/* ---- the rest --------------------------------------------------------------------------- */

static int add_ports(struct romsim_layout *layout, const struct romsim_instance *instance)
{
    layout->ports = calloc(instance->service_count + 1, sizeof(*layout->ports));
    if (!layout->ports)
        return -1;
    for (size_t i = 0; i < instance->service_count; i++) {
        const struct romsim_service *service = &instance->services[i];

        layout->ports[i] = (struct romsim_port){.port = service->port,
                                                .destination_port = service->destination_port,
                                                .host_port = service->host_port,
                                                .handlers = service->handlers};
    }
    layout->port_count = instance->service_count;
    return 0;
}

/* The app's name, as far as an image's reference tells it: "python" of "docker.io/x/python:3.12",
 * "base" of "images/base.tar.gz". */
static size_t app_name(const char *reference, const char **ret)
{
    const char *slash = reference ? strrchr(reference, '/') : NULL, *name;
    size_t size = 0;

    name = slash ? slash + 1 : reference;
    while (name && (isalnum((unsigned char)name[size]) || name[size] == '-' || name[size] == '_'))
        size++;
    *ret = size ? name : "app";
    return size ? size : strlen(*ret);
}

enum { SUFFIX_SIZE = 5, APP_NAME_MAX = 40 };

/* "<app>-X" (cloud-rules §1). */
static char *random_name(const char *image)
{
    char suffix[SUFFIX_SIZE + 1];
    const char *app;
    size_t size = app_name(image, &app);
    char *name;

    if (size > APP_NAME_MAX)
        size = APP_NAME_MAX;
    if (!romsim_random_suffix(suffix, SUFFIX_SIZE) ||
        asprintf(&name, "%.*s-%s", (int)size, app, suffix) < 0)
        return NULL;
    for (char *letter = name; *letter; letter++)
        *letter = *letter == '_' ? '-' : (char)tolower((unsigned char)*letter);
    return name;
}

/* A layout with everything that needs no look at images, and room for the devices. */
static struct romsim_layout *start_layout(const struct romsim_instance *instance)
{
    CLEANUP_LAYOUT struct romsim_layout *layout = calloc(1, sizeof(*layout));

    if (!layout)
        return NULL;
    layout->devices =
        calloc(1 + instance->rom_count + instance->volume_count, sizeof(*layout->devices));
    layout->name_is_random = !instance->name;
    layout->name = instance->name ? strdup(instance->name)
                                  : random_name(instance->image ?: instance->template_name);
    if (!layout->devices || !layout->name)
        return NULL;
    layout->hostname = strdup(instance->hostname ?: layout->name);
    if (!layout->hostname || add_ports(layout, instance) < 0)
        return NULL;
    layout->memory_mb = instance->memory_mb;
    layout->guest_memory_mb = max_u64(instance->memory_mb, GUEST_MEMORY_MIN_MB);
    layout->vcpus = instance->vcpus;
    layout->restart = instance->restart;
    return STEAL_POINTER(&layout);
}

static struct romsim_layout *make_layout(const struct romsim_instance *instance, enum parts parts,
                                         struct romsim_template *known,
                                         struct romsim_diagnostics *diagnostics)
{
    CLEANUP_LAYOUT struct romsim_layout *layout = start_layout(instance);
    bool good;

    if (!layout) {
        out_of_memory(diagnostics);
        return NULL;
    }
    good = parts == ROMS || add_root(layout, instance, parts, known, diagnostics);
    good &= add_roms(layout, instance, parts, diagnostics);
    if (parts != ROMS && parts != DEVICES)
        good &= add_volumes(layout, instance, parts, diagnostics);
    if (add_mounts(layout, instance) < 0) {
        out_of_memory(diagnostics);
        return NULL;
    }
    judge_images(layout, instance, is_partial(parts), diagnostics);
    if (parts != ROMS && parts != DEVICES && romsim_layout_root(layout))
        good &= targets_find(layout, instance, is_partial(parts), diagnostics);
    return good || is_partial(parts) ? STEAL_POINTER(&layout) : NULL;
}

struct romsim_layout *romsim_layout_new(const struct romsim_instance *instance,
                                        struct romsim_diagnostics *diagnostics)
{
    return make_layout(instance, ALL, NULL, diagnostics);
}

struct romsim_layout *romsim_layout_anew(const struct romsim_instance *instance,
                                         const struct romsim_layout *old,
                                         struct romsim_diagnostics *diagnostics)
{
    return make_layout(instance, ALL, romsim_instance_is_clone(instance) ? old->origin : NULL,
                       diagnostics);
}

struct romsim_layout *romsim_layout_here(const struct romsim_instance *instance, bool local,
                                         struct romsim_diagnostics *diagnostics)
{
    return make_layout(instance, local ? HERE_LOCALLY : HERE, NULL, diagnostics);
}

struct romsim_layout *romsim_layout_devices(const struct romsim_instance *instance,
                                            struct romsim_diagnostics *diagnostics)
{
    return make_layout(instance, DEVICES, NULL, diagnostics);
}

struct romsim_layout *romsim_layout_roms(const struct romsim_instance *instance,
                                         struct romsim_diagnostics *diagnostics)
{
    return make_layout(instance, ROMS, NULL, diagnostics);
}

const struct romsim_device *romsim_layout_device(const struct romsim_layout *layout,
                                                 enum romsim_device_role role, size_t origin)
{
    for (size_t i = 0; i < layout->device_count; i++)
        if (layout->devices[i].role == role && layout->devices[i].origin == origin)
            return &layout->devices[i];
    return NULL;
}

const char *romsim_device_noun(const struct romsim_device *device)
{
    return device->role == ROMSIM_DEVICE_VOLUME ? "volume" : "ROM";
}

const struct romsim_device *romsim_layout_root(const struct romsim_layout *layout)
{
    const struct romsim_device *root = romsim_layout_device(layout, ROMSIM_DEVICE_ROOT, 0);

    return root && root->blob ? root : NULL;
}

const char *romsim_layout_at(const struct romsim_layout *layout, const struct romsim_device *device)
{
    if (device->role == ROMSIM_DEVICE_ROOT)
        return "/";
    for (size_t i = 0; i < layout->mount_count; i++)
        if (&layout->devices[layout->mounts[i].device] == device)
            return layout->mounts[i].path;
    return NULL;
}

/* ---- replicas --------------------------------------------------------------------------- */

static char *copy(const char *text, bool *ok)
{
    char *copied = text ? strdup(text) : NULL;

    *ok &= copied || !text;
    return copied;
}

static void copy_devices(const struct romsim_layout *from, struct romsim_layout *to, bool *ok)
{
    for (size_t i = 0; i < from->device_count; i++) {
        struct romsim_device *device = &to->devices[i];

        *device = from->devices[i];
        if (device->blob)
            romsim_blob_ref(device->blob);
        device->source = copy(from->devices[i].source, ok);
        device->warning = copy(from->devices[i].warning, ok);
        device->at = copy(from->devices[i].at, ok);
        device->volume =
            device->name_is_random ? random_volume_name() : copy(from->devices[i].volume, ok);
        *ok &= device->volume || device->role != ROMSIM_DEVICE_VOLUME;
    }
    to->device_count = from->device_count;
}

static void copy_mounts(const struct romsim_layout *from, struct romsim_layout *to, bool *ok)
{
    for (size_t i = 0; i < from->mount_count; i++) {
        to->mounts[i] = from->mounts[i];
        to->mounts[i].path = copy(from->mounts[i].path, ok);
        to->mounts[i].target = copy(from->mounts[i].target, ok);
    }
    to->mount_count = from->mount_count;
}

struct romsim_layout *romsim_layout_replica(const struct romsim_layout *layout,
                                            const struct romsim_instance *instance)
{
    CLEANUP_LAYOUT struct romsim_layout *replica = calloc(1, sizeof(*replica));
    bool ok = true;

    if (!replica)
        return NULL;
    replica->devices = calloc(layout->device_count + 1, sizeof(*replica->devices));
    replica->mounts = calloc(layout->mount_count + 1, sizeof(*replica->mounts));
    if (!replica->devices || !replica->mounts || add_ports(replica, instance) < 0)
        return NULL;
    copy_devices(layout, replica, &ok);
    copy_mounts(layout, replica, &ok);
    replica->name_is_random = true;
    replica->name = random_name(instance->image ?: instance->template_name);
    replica->hostname = copy(instance->hostname ?: replica->name, &ok);
    replica->working_dir = copy(layout->working_dir, &ok);
    replica->working_dir_is_made = layout->working_dir_is_made;
    replica->memory_mb = layout->memory_mb;
    replica->guest_memory_mb = layout->guest_memory_mb;
    replica->vcpus = layout->vcpus;
    replica->restart = layout->restart;
    if (layout->image_kernel)
        replica->image_kernel = romsim_blob_ref(layout->image_kernel);
    if (layout->template)
        replica->template = romsim_template_ref(layout->template);
    if (layout->origin)
        replica->origin = romsim_template_ref(layout->origin);
    replica->keeps_roms = layout->keeps_roms;
    replica->history = json_incref(layout->history);
    ok &= romsim_strings_append_all(&replica->argv, &layout->argv) == 0;
    ok &= romsim_strings_append_all(&replica->env, &layout->env) == 0;
    return ok && replica->name ? STEAL_POINTER(&replica) : NULL;
}

void romsim_layout_free(struct romsim_layout *layout)
{
    if (!layout)
        return;
    for (size_t i = 0; i < layout->device_count; i++) {
        romsim_blob_unref(layout->devices[i].blob);
        free(layout->devices[i].source);
        free(layout->devices[i].warning);
        free(layout->devices[i].at);
        free(layout->devices[i].volume);
    }
    for (size_t i = 0; i < layout->mount_count; i++) {
        free(layout->mounts[i].path);
        free(layout->mounts[i].target);
    }
    free(layout->devices);
    free(layout->mounts);
    free(layout->ports);
    romsim_strings_clear(&layout->argv);
    romsim_strings_clear(&layout->env);
    romsim_blob_unref(layout->image_kernel);
    romsim_template_unref(layout->template);
    romsim_template_unref(layout->origin);
    json_decref(layout->history);
    free(layout->working_dir);
    free(layout->hostname);
    free(layout->name);
    free(layout);
}
