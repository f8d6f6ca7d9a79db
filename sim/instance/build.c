/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * build.c: from a node to struct romsim_instance.
 *
 * The node has been compared with its shape before, and every misfit is already reported; here a
 * misfit is passed over in silence.  Only a want of memory is remembered, once for all.
 */
#include "model.h"

#include <romsim/text.h>

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct build {
    const struct romsim_document *document;
    const struct romsim_limits *limits;
    struct romsim_diagnostics *diagnostics;
    struct romsim_instance *instance;
    bool no_memory;
};

/* Stands for an image reference, or files, that were there but of another kind: the rules must not
 * miss them. */
static const char unreadable[] = "(unreadable)";

/* The text of a member, malloc'ed; NULL if it is absent or no text. */
static char *take_text(struct build *build, const struct romsim_node *object, const char *name)
{
    const struct romsim_node *value = romsim_node_present(object, name);
    char *copy;

    if (!romsim_node_text(value))
        return NULL;
    copy = strdup(value->text);
    build->no_memory |= !copy;
    return copy;
}

static void take_place(struct build *build, const struct romsim_node *object, const char *name,
                       struct romsim_place *ret)
{
    const struct romsim_node *value = romsim_node_present(object, name);

    if (value)
        romsim_document_place(build->document, value->offset, ret);
}

/* A whole number that fits; true if it is there. */
static bool take_number(const struct romsim_node *object, const char *name, uint64_t maximum,
                        uint64_t *ret)
{
    const struct romsim_node *value = romsim_node_present(object, name);
    bool negative = false;
    uint64_t magnitude = 0;

    if (!value || romsim_node_integer(value, &negative, &magnitude) <= 0 || negative ||
        magnitude > maximum)
        return false;
    *ret = magnitude;
    return true;
}

/* The same of one that may be -1, too. */
static bool take_patience(const struct romsim_node *object, const char *name, int64_t *ret)
{
    const struct romsim_node *value = romsim_node_present(object, name);
    bool negative = false;
    uint64_t magnitude = 0;

    if (!value || romsim_node_integer(value, &negative, &magnitude) <= 0 ||
        magnitude > (negative ? 1 : UINT32_MAX))
        return false;
    *ret = negative ? -(int64_t)magnitude : (int64_t)magnitude;
    return true;
}

static void report(struct build *build, const struct romsim_node *node, enum romsim_cloud_code code,
                   struct romsim_error *error)
{
    error->cloud = code;
    romsim_document_complain(build->document, node->offset, error, build->diagnostics);
}

/* A value as text, which is released.  What alone is more than a request can hold is reported and
 * left out: its text would only take memory. */
static char *take_dump(struct build *build, const struct romsim_node *node, json_t *value)
{
    size_t size = value ? json_dumpb(value, NULL, 0, JSON_COMPACT) : 0;
    char *text = NULL;
    struct romsim_error error;

    if (size > build->limits->body_bytes) {
        romsim_error_set(&error, EINVAL, "The request is too large: at most %llu bytes",
                         (unsigned long long)build->limits->body_bytes);
        error.rule = ROMSIM_RULE_BODY_BYTES;
        report(build, node, ROMSIM_CLOUD_TOO_LONG, &error);
    } else if (size > 0) {
        text = malloc(size + 1);
    }
    build->no_memory |= !value || (size <= build->limits->body_bytes && !text);
    if (text)
        text[json_dumpb(value, text, size, JSON_COMPACT)] = '\0';
    json_decref(value);
    return text;
}

static char *dump_node(struct build *build, const struct romsim_node *node,
                       const struct romsim_shape *shape)
{
    return take_dump(build, node, romsim_schema_json(node, shape));
}

/* An image is a string or {url: ...}. */
static void build_image(struct build *build, const struct romsim_node *object,
                        const struct romsim_shape *shape, char **ret_image, char **ret_json)
{
    const struct romsim_node *value = romsim_node_present(object, "image");

    if (!value)
        return;
    if (value->kind == ROMSIM_NODE_OBJECT) {
        *ret_image = take_text(build, value, "url");
        *ret_json = dump_node(build, value, romsim_shape_member(shape, "image")->shape);
    } else {
        *ret_image = take_text(build, object, "image");
    }
    if (!*ret_image)
        build->no_memory |= string_set(ret_image, unreadable) < 0;
}

/* ---- roms --------------------------------------------------------------------------------- */

/* Copies base64 text without the line breaks that YAML's block scalars bring along. */
static char *without_line_breaks(const struct romsim_node *node, size_t *ret_size)
{
    char *copy = malloc(node->size + 1);
    size_t size = 0;

    if (!copy)
        return NULL;
    for (size_t i = 0; i < node->size; i++)
        if (!node->block || (node->text[i] != '\n' && node->text[i] != ' '))
            copy[size++] = node->text[i];
    *ret_size = size;
    return copy;
}

static void report_base64(struct build *build, const struct romsim_node *node, const char *text,
                          size_t size)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                   "0123456789+/=";
    struct romsim_error error;
    size_t wrong = 0;

    while (wrong < size && text[wrong] && strchr(alphabet, text[wrong]))
        wrong++;
    if (wrong < size)
        romsim_error_set(&error, EINVAL, "Invalid base64 data: '%s' at character %zu",
                         romsim_text_quote(text + wrong, 1, (char[16]){0}, 16), wrong + 1);
    else
        romsim_error_set(&error, EINVAL, "Invalid base64 data: wrong at its end");
    romsim_error_hint(&error, "the standard alphabet, and '=' up to a multiple of four characters");
    error.rule = ROMSIM_RULE_BASE64;
    report(build, node, ROMSIM_CLOUD_INVALID, &error);
}

static void build_base64(struct build *build, const struct romsim_node *node,
                         struct romsim_file *file)
{
    size_t size = 0;
    CLEANUP_FREE char *text = without_line_breaks(node, &size);

    file->encoding = ROMSIM_ENCODING_BASE64;
    if (text)
        file->data = romsim_base64_decode(text, size, &file->size);
    if (file->data)
        return;
    if (!text || file->size == SIZE_MAX)
        build->no_memory = true;
    else
        report_base64(build, node, text, size);
    file->size = 0;
}

static void build_file(struct build *build, const struct romsim_node *node,
                       struct romsim_file *file)
{
    const struct romsim_node *encoding = romsim_node_present(node, "encoding");
    const struct romsim_node *data = romsim_node_present(node, "data");
    CLEANUP_FREE char *path = take_text(build, node, "path");

    romsim_document_place(build->document, node->offset, &file->place);
    take_place(build, node, "path", &file->place);
    if (path)
        build->no_memory |= string_set(&file->path, path + (path[0] == '/')) < 0;
    if (!data || !romsim_node_is_text(data))
        return;
    if (romsim_node_text(encoding) && strcmp(encoding->text, "base64") == 0) {
        build_base64(build, data, file);
        return;
    }
    file->data = malloc(data->size + 1);
    build->no_memory |= !file->data;
    if (file->data) {
        memcpy(file->data, data->text, data->size + 1);
        file->size = data->size;
    }
}

static void build_files(struct build *build, const struct romsim_node *node, struct romsim_rom *rom)
{
    if (node->kind != ROMSIM_NODE_LIST) {
        if (!rom->image)
            build->no_memory |= string_set(&rom->image, unreadable) < 0;
        return;
    }
    rom->is_inline = true;
    if (node->count == 0)
        return;
    rom->files = calloc(node->count, sizeof(*rom->files));
    build->no_memory |= !rom->files;
    if (!rom->files)
        return;
    rom->file_count = node->count;
    for (size_t i = 0; i < node->count; i++)
        build_file(build, node->items[i].value, &rom->files[i]);
}

/* The directory and files of a ROM; both at once cannot be told apart later. */
static void build_content(struct build *build, const struct romsim_node *node,
                          struct romsim_rom *rom)
{
    const struct romsim_node *files = romsim_node_present(node, "files");
    const struct romsim_node *dir = romsim_node_present(node, "dir");
    struct romsim_error error;

    if (dir && files) {
        romsim_error_set(&error, EINVAL, "Cannot specify 'dir' when 'files' is set");
        error.rule = ROMSIM_RULE_EXCLUSIVE;
        report(build, dir, ROMSIM_CLOUD_NOT_BOTH, &error);
    } else if (dir) {
        rom->dir = take_text(build, node, "dir");
        rom->is_inline = true;
    }
    if (files)
        build_files(build, files, rom);
}

static void build_rom(struct build *build, const struct romsim_node *node)
{
    const struct romsim_shape *shape =
        romsim_shape_member(&romsim_instance_file_shape, "roms")->shape->item;
    struct romsim_rom *rom = instance_append_rom(build->instance);
    CLEANUP_FREE char *at = take_text(build, node, "at");

    build->no_memory |= !rom;
    if (!rom)
        return;
    romsim_document_place(build->document, node->offset, &rom->place);
    rom->name_place = rom->image_place = rom->at_place = rom->place;
    take_place(build, node, "name", &rom->name_place);
    take_place(build, node, "at", &rom->at_place);
    take_place(build, node, "files", &rom->image_place);
    take_place(build, node, "dir", &rom->image_place);
    take_place(build, node, "image", &rom->image_place);
    rom->name = take_text(build, node, "name");
    build_image(build, node, shape, &rom->image, &rom->image_json);
    build_content(build, node, rom);
    if (at)
        rom->at = normalise_at(at);
    build->no_memory |= at && !rom->at;
}

/* A ROM takes some memory, with its places; so only as many are made as may be. */
static void build_roms(struct build *build, const struct romsim_node *roms)
{
    struct romsim_place place;

    if (roms->count > build->limits->roms) {
        romsim_document_place(build->document, roms->offset, &place);
        check_rom_count(roms->count, build->limits, &place, build->diagnostics);
    }
    for (size_t i = 0; i < roms->count && i < build->limits->roms; i++)
        if (roms->items[i].value->kind == ROMSIM_NODE_OBJECT)
            build_rom(build, roms->items[i].value);
}

/* ---- volumes ------------------------------------------------------------------------------ */

static void build_volume(struct build *build, const struct romsim_node *node)
{
    const struct romsim_shape *shape =
        romsim_shape_member(&romsim_instance_file_shape, "volumes")->shape->item;
    const struct romsim_node *readonly = romsim_node_present(node, "readonly");
    struct romsim_volume *volume = instance_append_volume(build->instance);
    CLEANUP_FREE char *at = take_text(build, node, "at");

    build->no_memory |= !volume;
    if (!volume)
        return;
    romsim_document_place(build->document, node->offset, &volume->place);
    volume->name_place = volume->at_place = volume->place;
    take_place(build, node, "size_mb", &volume->name_place);
    take_place(build, node, "uuid", &volume->name_place);
    take_place(build, node, "name", &volume->name_place);
    take_place(build, node, "at", &volume->at_place);
    volume->name = take_text(build, node, "name");
    volume->uuid = take_text(build, node, "uuid");
    take_number(node, "size_mb", UINT32_MAX, &volume->size_mb);
    volume->readonly = readonly && romsim_node_is_true(readonly);
    volume->json = dump_node(build, node, shape);
    if (at)
        volume->at = normalise_at(at);
    build->no_memory |= at && !volume->at;
}

/* As of ROMs, only as many are made as may be. */
static void build_volumes(struct build *build, const struct romsim_node *volumes)
{
    struct romsim_place place;

    if (volumes->count > build->limits->volumes) {
        romsim_document_place(build->document, volumes->offset, &place);
        check_volume_count(volumes->count, build->limits, &place, build->diagnostics);
    }
    for (size_t i = 0; i < volumes->count && i < build->limits->volumes; i++)
        if (volumes->items[i].value->kind == ROMSIM_NODE_OBJECT)
            build_volume(build, volumes->items[i].value);
}

/* ---- the rest ---------------------------------------------------------------------------- */

static unsigned handler_bits(const struct romsim_node *handlers)
{
    unsigned bits = 0;

    for (size_t i = 0; handlers && i < handlers->count; i++)
        for (unsigned bit = 0; bit < ROMSIM_HANDLER_COUNT; bit++)
            if (romsim_node_text(handlers->items[i].value) &&
                strcmp(handlers->items[i].value->text, romsim_handler_name(bit)) == 0)
                bits |= 1U << bit;
    return bits;
}

static void build_service(struct build *build, const struct romsim_node *node)
{
    struct romsim_service *service;
    uint64_t port;
    uint64_t destination;

    if (!take_number(node, "port", UINT16_MAX, &port))
        return;
    service = instance_append_service(build->instance);
    build->no_memory |= !service;
    if (!service)
        return;
    destination = port;
    service->destination_given = take_number(node, "destination_port", UINT16_MAX, &destination);
    service->port = (uint16_t)port;
    service->destination_port = (uint16_t)destination;
    service->handlers = handler_bits(romsim_node_present(node, "handlers"));
    romsim_document_place(build->document, node->offset, &service->place);
}

static void build_service_group(struct build *build, const struct romsim_node *node)
{
    const struct romsim_node *services = romsim_node_present(node, "services");

    build->instance->service_group_json = dump_node(
        build, node, romsim_shape_member(&romsim_instance_file_shape, "service_group")->shape);
    for (size_t i = 0; services && services->kind == ROMSIM_NODE_LIST && i < services->count; i++)
        build_service(build, services->items[i].value);
}

static void build_env(struct build *build, const struct romsim_node *node)
{
    struct romsim_instance *instance = build->instance;

    if (node->kind != ROMSIM_NODE_OBJECT || node->count == 0)
        return;
    instance->env = calloc(node->count, sizeof(*instance->env));
    build->no_memory |= !instance->env;
    for (size_t i = 0; instance->env && i < node->count; i++) {
        const struct romsim_item *item = &node->items[i];
        struct romsim_env *env = &instance->env[instance->env_count];

        if (!romsim_node_text(item->value))
            continue;
        env->name = strdup(item->key->text);
        env->value = strdup(item->value->text);
        build->no_memory |= !env->name || !env->value;
        instance->env_count++;
    }
}

static void build_args(struct build *build, const struct romsim_node *node)
{
    build->instance->has_args = true;
    for (size_t i = 0; node->kind == ROMSIM_NODE_LIST && i < node->count; i++)
        if (romsim_node_text(node->items[i].value))
            build->no_memory |=
                romsim_strings_append(&build->instance->args, node->items[i].value->text) < 0;
}

static void build_numbers(struct build *build, const struct romsim_node *node)
{
    struct romsim_instance *instance = build->instance;
    const struct romsim_node *restart = romsim_node_present(node, "restart_policy");
    const struct romsim_node *autostart = romsim_node_present(node, "autostart");
    uint64_t value;

    if (take_number(node, "memory_mb", UINT32_MAX, &instance->memory_mb))
        instance->given |= ROMSIM_GIVEN_MEMORY;
    if (take_number(node, "vcpus", UINT32_MAX, &value)) {
        instance->vcpus = (uint32_t)value;
        instance->given |= ROMSIM_GIVEN_VCPUS;
    }
    if (take_number(node, "replicas", UINT32_MAX, &value))
        instance->replicas = (uint32_t)value;
    if (autostart) {
        instance->autostart = romsim_node_is_true(autostart);
        instance->given |= ROMSIM_GIVEN_AUTOSTART;
    }
    if (romsim_node_text(restart))
        romsim_restart_find(restart->text, &instance->restart); /* the shape has looked at it */
}

/* `timeout_s`, or its older form, whose milliseconds become whole seconds, and more rather than
 * less. */
static void build_timeout(struct build *build, const struct romsim_node *node)
{
    const struct romsim_node *seconds = romsim_node_present(node, "timeout_s");
    const struct romsim_node *older = romsim_node_present(node, "wait_timeout_ms");
    struct romsim_instance *instance = build->instance;
    struct romsim_error error;
    int64_t ms;

    take_place(build, node, "wait_timeout_ms", &instance->timeout_place);
    take_place(build, node, "timeout_s", &instance->timeout_place);
    if (seconds && older) {
        romsim_error_set(&error, EINVAL,
                         "Cannot specify 'wait_timeout_ms' when 'timeout_s' is set");
        error.rule = ROMSIM_RULE_EXCLUSIVE;
        report(build, older, ROMSIM_CLOUD_NOT_BOTH, &error);
    } else if (take_patience(node, "timeout_s", &instance->timeout_s)) {
        instance->given |= ROMSIM_GIVEN_TIMEOUT;
    } else if (take_patience(node, "wait_timeout_ms", &ms)) {
        instance->given |= ROMSIM_GIVEN_TIMEOUT;
        instance->timeout_s = ms < 0 ? ms : (ms + 999) / 1000;
        romsim_error_set(&error, EINVAL, "'wait_timeout_ms' is deprecated: write timeout_s: %lld",
                         (long long)instance->timeout_s);
        error.rule = ROMSIM_RULE_DEPRECATED;
        romsim_document_place(build->document, older->offset, &error.place);
        romsim_diagnostics_add(build->diagnostics, &error, 1);
    }
}

/* The members that are idle here, and some more, go through to the request as they are. */
static void build_other(struct build *build, const struct romsim_node *node)
{
    json_t *other = json_object();

    for (size_t i = 0; other && i < node->count; i++) {
        const struct romsim_item *item = &node->items[i];
        const struct romsim_member *member =
            romsim_shape_member(&romsim_instance_file_shape, item->key->text);

        if (member && (member->flags & (ROMSIM_MEMBER_IDLE | ROMSIM_MEMBER_AS_IS)) &&
            item->value->kind != ROMSIM_NODE_NULL)
            build->no_memory |=
                json_object_set_new(other, member->name,
                                    romsim_schema_json(item->value, member->shape)) < 0;
    }
    if (other && json_object_size(other) == 0)
        json_decref(other);
    else
        build->instance->other_json = take_dump(build, node, other);
}

/* What an instance may be a clone of, by the member that says so. */
static const struct {
    const char *member, *hint;
    enum romsim_clone_of kind;
} origins[] = {
    {"template", "a template has its name or its uuid", ROMSIM_CLONE_OF_TEMPLATE},
    {"checkpoint", "a checkpoint has its name or its uuid", ROMSIM_CLONE_OF_CHECKPOINT},
    {"branch_from", "an instance has its name or its uuid", ROMSIM_CLONE_OF_INSTANCE},
};

enum { ORIGINS = sizeof(origins) / sizeof(origins[0]) };

/* {uuid|name}; the rest is idle. */
static void build_origin(struct build *build, const struct romsim_node *parent, size_t index)
{
    const struct romsim_node *node = romsim_node_present(parent, origins[index].member);
    struct romsim_instance *instance = build->instance;
    struct romsim_error error;

    if (!node || romsim_instance_is_clone(instance))
        return;
    take_place(build, parent, origins[index].member, &instance->template_place);
    instance->clone_of = origins[index].kind;
    instance->template_name = take_text(build, node, "name");
    instance->template_uuid = take_text(build, node, "uuid");
    if (instance->template_name && instance->template_uuid) {
        romsim_error_set(&error, EINVAL, "Cannot specify 'name' when 'uuid' is set");
        error.rule = ROMSIM_RULE_EXCLUSIVE;
        report(build, node, ROMSIM_CLOUD_NOT_BOTH, &error);
    } else if (instance->template_uuid && romsim_node_present(node, "create_args")) {
        romsim_error_set(&error, EINVAL, "Cannot specify 'create_args' when 'uuid' is set");
        error.rule = ROMSIM_RULE_EXCLUSIVE;
        romsim_error_hint(&error, "a template that is made on demand has a name");
        report(build, node, ROMSIM_CLOUD_NOT_BOTH, &error);
    } else if (!romsim_instance_is_clone(instance) && node->kind == ROMSIM_NODE_OBJECT) {
        romsim_error_set(&error, EINVAL, "Missing member name");
        error.rule = ROMSIM_RULE_MISSING_MEMBER;
        romsim_error_hint(&error, "%s", origins[index].hint);
        report(build, node, ROMSIM_CLOUD_MISSING_ID, &error);
    }
}

/* It is a clone of one thing. */
static void check_origins(struct build *build, const struct romsim_node *parent)
{
    const struct romsim_node *first = NULL;
    struct romsim_error error;

    for (size_t i = 0; i < ORIGINS; i++) {
        const struct romsim_node *node = romsim_node_present(parent, origins[i].member);

        if (node && first) {
            if (romsim_node_present(parent, "template"))
                romsim_error_set(&error, EINVAL,
                                 "Cannot specify '%s' when creating an instance from a template",
                                 origins[i].member);
            else
                romsim_error_set(&error, EINVAL, "Cannot specify '%s' when 'checkpoint' is set",
                                 origins[i].member);
            error.rule = ROMSIM_RULE_EXCLUSIVE;
            report(build, node, ROMSIM_CLOUD_NOT_BOTH, &error);
        }
        first = first ? first : node;
    }
}

/* What excludes, replaces or counts other members than those of the model. */
static void check_members(struct build *build, const struct romsim_node *node)
{
    const struct romsim_node *plugins = romsim_node_present(node, "plugins");
    struct romsim_error error;

    for (size_t i = 0; i < ORIGINS; i++)
        build->instance->image_optional |= romsim_node_present(node, origins[i].member) != NULL;
    check_origins(build, node);
    if (plugins && plugins->kind == ROMSIM_NODE_LIST && plugins->count > build->limits->plugins) {
        romsim_error_set(&error, EINVAL, "Too many plugins: %zu, at most %llu", plugins->count,
                         (unsigned long long)build->limits->plugins);
        error.rule = ROMSIM_RULE_TOO_MANY_PLUGINS;
        report(build, plugins, ROMSIM_CLOUD_TOO_MANY, &error);
    }
}

static void build_members(struct build *build, const struct romsim_node *node)
{
    struct romsim_instance *instance = build->instance;
    const struct romsim_node *group = romsim_node_present(node, "service_group");
    const struct romsim_node *roms = romsim_node_present(node, "roms");
    const struct romsim_node *volumes = romsim_node_present(node, "volumes");
    const struct romsim_node *args = romsim_node_present(node, "args");
    const struct romsim_node *env = romsim_node_present(node, "env");

    instance->template_place = instance->name_place = instance->hostname_place =
        instance->memory_place = instance->image_place = instance->timeout_place = instance->place;
    take_place(build, node, "name", &instance->name_place);
    take_place(build, node, "hostname", &instance->hostname_place);
    take_place(build, node, "image", &instance->image_place);
    take_place(build, node, "memory_mb", &instance->memory_place);
    take_place(build, node, "args", &instance->args_place);
    instance->name = take_text(build, node, "name");
    instance->hostname = take_text(build, node, "hostname");
    build_image(build, node, &romsim_instance_file_shape, &instance->image, &instance->image_json);
    build_numbers(build, node);
    build_timeout(build, node);
    if (args)
        build_args(build, args);
    if (env)
        build_env(build, env);
    if (group && group->kind == ROMSIM_NODE_OBJECT)
        build_service_group(build, group);
    if (roms)
        instance->given |= ROMSIM_GIVEN_ROMS;
    if (roms && roms->kind == ROMSIM_NODE_LIST)
        build_roms(build, roms);
    if (volumes && volumes->kind == ROMSIM_NODE_LIST)
        build_volumes(build, volumes);
    for (size_t i = 0; i < ORIGINS; i++)
        build_origin(build, node, i);
    build_other(build, node);
    check_members(build, node);
}

static void warn_idle(struct build *build, struct romsim_schema *schema)
{
    struct romsim_error warning;

    if (schema->idle.size == 0 && !schema->idle.failed)
        return;
    romsim_error_set(&warning, EINVAL, "accepted, but not simulated: %s%s",
                     schema->idle.data ? schema->idle.data : "",
                     schema->idle.failed ? ", and more" : "");
    warning.rule = ROMSIM_RULE_NOT_SIMULATED;
    romsim_document_place(build->document, schema->idle_offset, &warning.place);
    romsim_diagnostics_add(build->diagnostics, &warning, 1);
}

struct romsim_instance *instance_build(const struct romsim_document *document,
                                       const struct romsim_node *node,
                                       const struct romsim_input *source,
                                       const struct romsim_limits *limits,
                                       struct romsim_diagnostics *diagnostics)
{
    struct build build = {.document = document, .limits = limits, .diagnostics = diagnostics};
    struct romsim_schema schema = {.document = document,
                                   .diagnostics = diagnostics,
                                   .subject = "An instance",
                                   .synonyms = instance_synonyms,
                                   .is_request = source->is_request};
    CLEANUP_INSTANCE struct romsim_instance *instance = romsim_instance_new();

    if (!instance || string_set(&instance->directory, source->directory ?: "") < 0)
        return NULL;
    build.instance = instance;
    romsim_document_place(document, node->offset, &instance->place);
    romsim_schema_check(&schema, node,
                        source->is_answer ? &answer_shape : &romsim_instance_file_shape);
    build_members(&build, node);
    if (source->is_answer)
        build.no_memory |= answer_settle(document, node, instance, diagnostics) < 0;
    else
        warn_idle(&build, &schema);
    romsim_buffer_reset(&schema.idle);
    return build.no_memory ? NULL : STEAL_POINTER(&instance);
}
