/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flags.c: the flags of the cloud's CLI (cloud-rules §2), applied to an instance.
 *
 * A path in a flag is relative to the working directory, one in the file to the file's directory.
 * Where the two differ, the flag's path is made absolute.
 */
#include "model.h"

#include <romsim/buffer.h>
#include <romsim/paths.h>
#include <romsim/text.h>
#include <romsim/uuid.h>

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Sets *ret to a path of the working directory, as the instance has to name it. */
static int set_path(const struct romsim_instance *instance, const char *path, char **ret,
                    struct romsim_error *err)
{
    CLEANUP_FREE char *here = NULL;
    char *whole;

    if (instance->directory[0] == '\0' || path[0] == '/')
        return string_set(ret, path) < 0 ? romsim_error_nomem(err) : 0;
    here = getcwd(NULL, 0);
    if (!here)
        return romsim_error_system(err, errno, "the working directory is unknown");
    whole = romsim_path_join(here, path);
    if (!whole)
        return romsim_error_nomem(err);
    free(*ret);
    *ret = whole;
    return 0;
}

/* The same for an image, which is a path only if there is such a file, or it looks like one. */
static int set_reference(const struct romsim_instance *instance, const char *image, char **ret,
                         struct romsim_error *err)
{
    if (image[0] == '.' || access(image, F_OK) == 0)
        return set_path(instance, image, ret, err);
    return string_set(ret, image) < 0 ? romsim_error_nomem(err) : 0;
}

/* The place of what came from a flag: messages name the flag, not the file. */
static struct romsim_place flag_place(const char *flag)
{
    struct romsim_place place = {0};

    snprintf(place.file, sizeof(place.file), "%s", flag);
    return place;
}

int romsim_instance_set_image(struct romsim_instance *instance, const char *spec,
                              struct romsim_error *err)
{
    if (spec[0] == '\0')
        return romsim_error_set(err, EINVAL, "the image is empty");
    instance->image_place = flag_place("--image");
    instance->image_origin = ROMSIM_ORIGIN_FLAGS;
    free(instance->image_json);
    instance->image_json = NULL;
    return set_reference(instance, spec, &instance->image, err);
}

/* ---- --rom ------------------------------------------------------------------------------- */

/* The value of KEY in "KEY=VALUE,KEY=VALUE", malloc'ed into *ret; the key must be new. */
struct rom_key {
    const char *name;
    char *value;
};

enum { KEY_NAME, KEY_IMAGE, KEY_DIR, KEY_AT, KEY_COUNT };

static int read_pair(struct rom_key *keys, const char *pair, size_t size, struct romsim_error *err)
{
    const char *equals = memchr(pair, '=', size);
    size_t name_size = equals ? (size_t)(equals - pair) : size;

    for (int i = 0; equals && i < KEY_COUNT; i++) {
        if (strlen(keys[i].name) != name_size || memcmp(keys[i].name, pair, name_size) != 0)
            continue;
        if (keys[i].value)
            return romsim_error_set(err, EINVAL, "it has '%s' twice", keys[i].name);
        keys[i].value = strndup(equals + 1, size - name_size - 1);
        return keys[i].value ? 0 : romsim_error_nomem(err);
    }
    romsim_error_set(err, EINVAL, "unknown part '%s'",
                     romsim_text_quote(pair, name_size, (char[128]){0}, 128));
    return romsim_error_hint(err, "name=NAME,image=REFERENCE|dir=PATH,at=PATH");
}

static int read_pairs(struct rom_key *keys, const char *spec, struct romsim_error *err)
{
    for (;;) {
        size_t size = strcspn(spec, ",");

        if (read_pair(keys, spec, size, err) < 0)
            return -1;
        if (spec[size] == '\0')
            return 0;
        spec += size + 1;
    }
}

static int set_content(const struct romsim_instance *instance, struct romsim_rom *rom,
                       const struct rom_key *keys, struct romsim_error *err)
{
    free(rom->image);
    free(rom->image_json);
    rom->image = rom->image_json = NULL;
    rom->origin = ROMSIM_ORIGIN_FLAGS;
    rom->image_place = flag_place("--rom");
    rom->is_inline = keys[KEY_DIR].value;
    if (rom->is_inline)
        return set_path(instance, keys[KEY_DIR].value, &rom->dir, err);
    return set_reference(instance, keys[KEY_IMAGE].value, &rom->image, err);
}

static int fill_rom(struct romsim_instance *instance, struct romsim_rom *rom, struct rom_key *keys,
                    struct romsim_error *err)
{
    const char *at = keys[KEY_AT].value;

    rom->place = rom->name_place = rom->at_place = flag_place("--rom");
    rom->name = STEAL_POINTER(&keys[KEY_NAME].value);
    if (at) {
        rom->at = normalise_at(at);
        if (!rom->at)
            return romsim_error_nomem(err);
        if (!rom->name)
            rom->name = romsim_rom_name_from_at(at);
        if (!rom->name)
            return romsim_error_nomem(err);
        if (!rom->name[0]) { /* nothing of the path is left: unnamed */
            free(rom->name);
            rom->name = NULL;
        }
    }
    return set_content(instance, rom, keys, err);
}

/* The ROM of a GET's answer that the flag means; NULL if there is none. */
static struct romsim_rom *find_answered(struct romsim_instance *instance,
                                        const struct rom_key *keys)
{
    const char *name = keys[KEY_NAME].value, *at = keys[KEY_AT].value;

    for (size_t i = 0; i < instance->rom_count; i++) {
        struct romsim_rom *rom = &instance->roms[i];
        const char *own = rom->name && name ? rom->name : rom->at;
        const char *wanted = rom->name && name ? name : at;

        if (rom->from_answer && own && wanted && strcmp(own, wanted) == 0)
            return rom;
    }
    return NULL;
}

static int add_rom(struct romsim_instance *instance, const char *spec, struct rom_key *keys,
                   struct romsim_error *err)
{
    struct romsim_rom *rom;

    if (read_pairs(keys, spec, err) < 0)
        return -1;
    if (!keys[KEY_IMAGE].value == !keys[KEY_DIR].value) {
        romsim_error_set(err, EINVAL, "it needs %s of image and dir",
                         keys[KEY_IMAGE].value ? "only one" : "one");
        return romsim_error_hint(err, "name=NAME,image=REFERENCE|dir=PATH,at=PATH");
    }
    rom = find_answered(instance, keys);
    if (rom)
        return set_content(instance, rom, keys, err);
    rom = instance_append_rom(instance);
    if (!rom)
        return romsim_error_nomem(err);
    if (fill_rom(instance, rom, keys, err) == 0)
        return 0;
    free(rom->name);
    free(rom->at);
    instance->rom_count--;
    return -1;
}

int romsim_instance_add_rom(struct romsim_instance *instance, const char *spec,
                            struct romsim_error *err)
{
    struct rom_key keys[KEY_COUNT] = {
        [KEY_NAME] = {"name", NULL},
        [KEY_IMAGE] = {"image", NULL},
        [KEY_DIR] = {"dir", NULL},
        [KEY_AT] = {"at", NULL},
    };
    int status = add_rom(instance, spec, keys, err);

    for (int i = 0; i < KEY_COUNT; i++)
        free(keys[i].value);
    return status;
}

/* ---- -p, -e ------------------------------------------------------------------------------ */

/* A port at *text, which is moved behind it; 0 if there is none. */
static uint16_t read_port(const char **text)
{
    uint32_t value = 0;

    while (**text >= '0' && **text <= '9' && value <= UINT16_MAX)
        value = value * 10 + (uint32_t)(*(*text)++ - '0');
    return value <= UINT16_MAX ? (uint16_t)value : 0;
}

/* "tls+http" as bits; 0 if a word is unknown. */
static unsigned read_handlers(const char *text)
{
    static const char *const names[] = {"tls", "http", "redirect"};
    unsigned bits = 0;

    for (;;) {
        size_t size = strcspn(text, "+");
        unsigned bit = 0;

        while (bit < 3 && (strlen(names[bit]) != size || memcmp(names[bit], text, size) != 0))
            bit++;
        if (bit == 3)
            return 0;
        bits |= 1U << bit;
        if (text[size] == '\0')
            return bits;
        text += size + 1;
    }
}

/* The service of a public port; a new one if there is none. */
static struct romsim_service *service_of(struct romsim_instance *instance, uint16_t port)
{
    for (size_t i = 0; i < instance->service_count; i++)
        if (instance->services[i].port == port)
            return &instance->services[i];
    return instance_append_service(instance);
}

int romsim_instance_add_port(struct romsim_instance *instance, const char *spec,
                             struct romsim_error *err)
{
    const char *text = spec;
    uint16_t port = read_port(&text);
    bool has_host = *text == ':';
    uint16_t guest = has_host && text++ ? read_port(&text) : port;
    unsigned handlers = *text == '/' ? read_handlers(text + 1) : 0;
    struct romsim_service *service;

    if (!port || !guest || (*text && !handlers)) {
        romsim_error_set(err, EINVAL, "no port in '%s'", QUOTE(spec));
        return romsim_error_hint(err, "[HOST:]GUEST[/HANDLER[+HANDLER]], e.g. 8080:80, 8080 or "
                                      "443:8080/tls+http");
    }
    service = service_of(instance, port);
    if (!service)
        return romsim_error_nomem(err);
    service->place = flag_place("--publish");
    service->port = port;
    service->host_port = has_host ? port : 0; /* 0: as that of a file's service is chosen */
    service->destination_port = guest;
    service->destination_given = true;
    service->handlers = handlers;
    return 0;
}

int romsim_instance_add_env(struct romsim_instance *instance, const char *spec,
                            struct romsim_error *err)
{
    size_t size = strcspn(spec, "=");
    CLEANUP_FREE char *name = strndup(spec, size);
    const char *given = spec[size] ? spec + size + 1 : name ? getenv(name) : NULL;
    CLEANUP_FREE char *value = given ? strdup(given) : NULL;
    struct romsim_env *env;

    if (size == 0) {
        romsim_error_set(err, EINVAL, "no variable in '%s'", QUOTE(spec));
        return romsim_error_hint(err, "NAME=VALUE, or NAME alone with the value that it has here");
    }
    if (name && !given) {
        romsim_error_set(err, EINVAL, "the variable '%s' is not set here", QUOTE(spec));
        return romsim_error_hint(err, "NAME=VALUE, or NAME alone with the value that it has here");
    }
    if (!name || !value)
        return romsim_error_nomem(err);
    for (size_t i = 0; i < instance->env_count; i++)
        if (strcmp(instance->env[i].name, name) == 0)
            return string_set(&instance->env[i].value, value) < 0 ? romsim_error_nomem(err) : 0;
    env = reallocarray(instance->env, instance->env_count + 1, sizeof(*env));
    if (!env)
        return romsim_error_nomem(err);
    instance->env = env;
    env += instance->env_count++;
    *env = (struct romsim_env){STEAL_POINTER(&name), STEAL_POINTER(&value)};
    return 0;
}

int romsim_instance_set_name(struct romsim_instance *instance, const char *spec,
                             struct romsim_error *err)
{
    instance->name_place = flag_place("--name");
    return string_set(&instance->name, spec) < 0 ? romsim_error_nomem(err) : 0;
}

int romsim_instance_set_memory(struct romsim_instance *instance, const char *spec,
                               struct romsim_error *err)
{
    if (romsim_parse_megabytes(spec, &instance->memory_mb) < 0) {
        romsim_error_set(err, EINVAL, "no amount of memory in '%s'", QUOTE(spec));
        return romsim_error_hint(err, "megabytes, or a size of whole ones: 512, 512M, 1G, 256Mi");
    }
    instance->memory_place = flag_place("--memory");
    instance->given |= ROMSIM_GIVEN_MEMORY;
    return 0;
}

int romsim_instance_set_vcpus(struct romsim_instance *instance, const char *spec,
                              struct romsim_error *err)
{
    uint64_t count = 0;

    if (romsim_parse_size(spec, &count) < 0 || spec[strspn(spec, "0123456789")] || count == 0 ||
        count > UINT32_MAX) {
        romsim_error_set(err, EINVAL, "no number of processors in '%s'", QUOTE(spec));
        return romsim_error_hint(err, "a whole number from 1: the cloud has no parts of them");
    }
    instance->vcpus = (uint32_t)count;
    instance->given |= ROMSIM_GIVEN_VCPUS;
    return 0;
}

/* ---- --volume ---------------------------------------------------------------------------- */

/* "NAME:PATH", "NAME:PATH:ro" or ":rw" in its parts, malloc'ed; false if it is none of these. */
static bool read_volume(const char *spec, char **ret_name, char **ret_path, bool *ret_readonly)
{
    const char *colon = strchr(spec, ':'), *path = colon ? colon + 1 : "";
    size_t size = strcspn(path, ":");
    const char *access = path[size] ? path + size + 1 : "rw";

    *ret_readonly = strcmp(access, "ro") == 0;
    if (!colon || colon == spec || size == 0 || (!*ret_readonly && strcmp(access, "rw") != 0))
        return false;
    *ret_name = strndup(spec, (size_t)(colon - spec));
    *ret_path = strndup(path, size);
    return true;
}

int romsim_instance_add_volume(struct romsim_instance *instance, const char *spec,
                               struct romsim_error *err)
{
    CLEANUP_FREE char *name = NULL, *path = NULL, *at = NULL;
    struct romsim_volume *volume;
    bool is_read_only;

    if (!read_volume(spec, &name, &path, &is_read_only)) {
        romsim_error_set(err, EINVAL, "no volume in '%s'", QUOTE(spec));
        return romsim_error_hint(err, "NAME:PATH, or NAME:PATH:ro for reading only");
    }
    if (name && strchr(name, '/')) {
        romsim_error_set(err, EINVAL, "'%s' is a path, not the name of a volume", QUOTE(name));
        return romsim_error_hint(err, "'romsim volume import PATH NAME' makes a volume of it, "
                                      "--rom dir=PATH,at=PATH shows it for reading");
    }
    at = path ? normalise_at(path) : NULL;
    if (!name || !at || !(volume = instance_append_volume(instance)))
        return romsim_error_nomem(err);
    if (romsim_uuid_is_valid(name))
        volume->uuid = STEAL_POINTER(&name);
    else
        volume->name = STEAL_POINTER(&name);
    volume->at = STEAL_POINTER(&at);
    volume->readonly = is_read_only;
    volume->origin = ROMSIM_ORIGIN_FLAGS;
    volume->place = volume->name_place = volume->at_place = flag_place("--volume");
    return 0;
}

/* ---- --restart, --scale-to-zero ------------------------------------------------------------ */

/* Sets a member that goes through to the request as it is; takes the value, NULL: without it. */
static int set_member(struct romsim_instance *instance, const char *name, json_t *value,
                      struct romsim_error *err)
{
    json_t *other =
        instance->other_json ? json_loads(instance->other_json, 0, NULL) : json_object();
    char *text = NULL;

    if (!value)
        json_object_del(other, name);
    if (!value || json_object_set_new(other, name, value) == 0)
        text = json_dumps(other, JSON_COMPACT);
    json_decref(other);
    if (!text)
        return romsim_error_nomem(err);
    free(instance->other_json);
    instance->other_json = text;
    return 0;
}

/* The last flag of the three is the one. */
static int set_clone_of(struct romsim_instance *instance, enum romsim_clone_of kind,
                        const char *name, const char *uuid, struct romsim_error *err)
{
    static const char *const members[] = {[ROMSIM_CLONE_OF_TEMPLATE] = "template",
                                          [ROMSIM_CLONE_OF_CHECKPOINT] = "checkpoint",
                                          [ROMSIM_CLONE_OF_INSTANCE] = "branch_from"};

    free(instance->template_uuid);
    free(instance->template_name);
    instance->template_name = name ? strdup(name) : NULL;
    instance->template_uuid = uuid ? strdup(uuid) : NULL;
    if (!instance->template_name && !instance->template_uuid)
        return romsim_error_nomem(err);
    instance->clone_of = kind;
    instance->image_optional = true;
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        if (set_member(instance, members[i], NULL, err) < 0)
            return -1;
    return set_member(instance, members[kind],
                      json_pack("{s:s}", name ? "name" : "uuid", name ?: uuid), err);
}

int romsim_instance_set_template(struct romsim_instance *instance, const char *spec,
                                 struct romsim_error *err)
{
    return set_clone_of(instance, ROMSIM_CLONE_OF_TEMPLATE, spec, NULL, err);
}

int romsim_instance_set_checkpoint(struct romsim_instance *instance, const char *spec,
                                   struct romsim_error *err)
{
    bool is_uuid = romsim_uuid_is_valid(spec);

    return set_clone_of(instance, ROMSIM_CLONE_OF_CHECKPOINT, is_uuid ? NULL : spec,
                        is_uuid ? spec : NULL, err);
}

int romsim_instance_set_branch(struct romsim_instance *instance, const char *spec,
                               struct romsim_error *err)
{
    bool is_uuid = romsim_uuid_is_valid(spec);

    return set_clone_of(instance, ROMSIM_CLONE_OF_INSTANCE, is_uuid ? NULL : spec,
                        is_uuid ? spec : NULL, err);
}

int romsim_instance_set_restart(struct romsim_instance *instance, const char *spec,
                                struct romsim_error *err)
{
    if (romsim_restart_find(spec, &instance->restart))
        return set_member(instance, "restart_policy", json_string(spec), err);
    romsim_error_set(err, EINVAL, "there is no policy '%s'", QUOTE(spec));
    /* Docker's words for the same. */
    if (strcmp(spec, "no") == 0)
        return romsim_error_hint(err, "the cloud calls that never");
    if (strcmp(spec, "unless-stopped") == 0)
        return romsim_error_hint(err, "always: what was stopped by hand stays stopped");
    if (strncmp(spec, "on-failure:", strlen("on-failure:")) == 0)
        return romsim_error_hint(err, "on-failure: the cloud does not count");
    return romsim_error_hint(err, "never, always or on-failure");
}

/* A new reference, or NULL. */
static json_t *scale_policy(const char *text, struct romsim_error *err)
{
    if (strcmp(text, "on") == 0 || strcmp(text, "off") == 0 || strcmp(text, "idle") == 0)
        return json_string(text);
    romsim_error_set(err, EINVAL, "there is no policy '%s'", QUOTE(text));
    romsim_error_hint(err, "on, off or idle");
    return NULL;
}

static json_t *scale_flag(const char *text, struct romsim_error *err)
{
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        return json_boolean(*text == 't');
    romsim_error_set(err, EINVAL, "stateful takes true or false, not '%s'", QUOTE(text));
    return NULL;
}

static json_t *scale_time(const char *text, struct romsim_error *err)
{
    char *end;
    long number = strtol(text, &end, 10);

    if (*text >= '0' && *text <= '9' && *end == '\0' && number < INT32_MAX)
        return json_integer(number);
    romsim_error_set(err, EINVAL, "cooldown-time takes a number of milliseconds, not '%s'",
                     QUOTE(text));
    return NULL;
}

/* "policy=on", as the cloud's CLI has it, into the member. */
static int set_scale_part(json_t *scale, const char *pair, struct romsim_error *err)
{
    static const struct {
        const char *key, *member;
        json_t *(*read)(const char *text, struct romsim_error *err);
    } parts[] = {{"policy=", "policy", scale_policy},
                 {"stateful=", "stateful", scale_flag},
                 {"cooldown-time=", "cooldown_time_ms", scale_time}};

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (strncmp(pair, parts[i].key, strlen(parts[i].key)) == 0) {
            json_t *value = parts[i].read(pair + strlen(parts[i].key), err);

            return value ? json_object_set_new(scale, parts[i].member, value) : -1;
        }
    romsim_error_set(err, EINVAL, "unknown part '%.*s'", (int)strcspn(pair, "="), QUOTE(pair));
    return romsim_error_hint(err, "policy=on|off|idle,stateful=true|false,cooldown-time=MS");
}

static int set_scale(json_t *scale, const char *spec, struct romsim_error *err)
{
    json_t *policy;

    if (!strchr(spec, '=')) {
        policy = scale_policy(spec, err);
        return policy ? json_object_set_new(scale, "policy", policy) : -1;
    }
    for (const char *from = spec; *from; from += strcspn(from, ","), from += *from == ',') {
        CLEANUP_FREE char *pair = strndup(from, strcspn(from, ","));

        if (!pair)
            return romsim_error_nomem(err);
        if (set_scale_part(scale, pair, err) < 0)
            return -1;
    }
    return 0;
}

int romsim_instance_set_scale_to_zero(struct romsim_instance *instance, const char *spec,
                                      struct romsim_error *err)
{
    json_t *other, *scale;

    other = instance->other_json ? json_loads(instance->other_json, 0, NULL) : NULL;
    scale = json_object_get(other, "scale_to_zero");
    scale = scale ? json_deep_copy(scale) : json_object();
    json_decref(other);
    if (set_scale(scale, spec, err) == 0)
        return set_member(instance, "scale_to_zero", scale, err);
    json_decref(scale);
    return -1;
}

/* ---- --args ------------------------------------------------------------------------------ */

int romsim_instance_set_args(struct romsim_instance *instance, const char *spec,
                             struct romsim_error *err)
{
    struct romsim_strings args = {0};

    if (romsim_strings_append_words(&args, spec, err) < 0) {
        romsim_strings_clear(&args);
        return -1;
    }
    romsim_strings_clear(&instance->args);
    instance->args = args;
    instance->has_args = true;
    instance->args_place = (struct romsim_place){.line = 0};
    return 0;
}
