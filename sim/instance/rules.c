/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rules.c: the cloud's rules and limits on a finished instance, wherever it came from.
 *
 * The wording is the cloud's where it is known ("Missing member image"), and in its tone
 * elsewhere; the codes of ROM violations are our choice (docs/parity.md).
 */
#include "model.h"

#include <romsim/name.h>
#include <romsim/reference.h>
#include <romsim/text.h>
#include <romsim/uuid.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    COMPONENT_MAX = 255,  /* NAME_MAX of Linux */
    PATH_MAX_SIZE = 4095, /* PATH_MAX of Linux, less the NUL */
    SIZE_MIN_MB = 8,      /* of a volume: as volume.h has it */
    SIZE_MAX_MB = 1 << 20
};

struct check {
    const struct romsim_instance *instance;
    const struct romsim_limits *limits;
    struct romsim_diagnostics *diagnostics;
};

static void report(struct check *check, const struct romsim_place *place,
                   enum romsim_cloud_code code, struct romsim_error *error)
{
    complain_at(check->diagnostics, place, code, error);
}

/* ---- names ------------------------------------------------------------------------------- */

static void check_name(struct check *check, const char *what, const char *name,
                       const struct romsim_place *place)
{
    struct romsim_error error;

    if (name && romsim_name_check(what, name, &error) < 0)
        report(check, place, ROMSIM_CLOUD_INVALID, &error);
}

static void check_own_name(struct check *check)
{
    const struct romsim_instance *instance = check->instance;
    struct romsim_error error;

    if (instance->name && romsim_name_check_new("name", instance->name, &error) < 0)
        report(check, &instance->name_place, ROMSIM_CLOUD_INVALID, &error);
}

static void check_hostname(struct check *check)
{
    const char *name = check->instance->hostname;
    struct romsim_error error;

    if (!name ||
        (romsim_name_is_valid(name) && !strchr(name, '_') && name[0] != '-' && name[0] != '.'))
        return;
    romsim_error_set(&error, EINVAL, "Invalid hostname '%s'", QUOTE(name));
    error.rule = ROMSIM_RULE_HOSTNAME;
    romsim_error_hint(&error, "1 to %d of the characters A-Z a-z 0-9 . -", ROMSIM_NAME_SIZE_MAX);
    report(check, &check->instance->hostname_place, ROMSIM_CLOUD_INVALID, &error);
}

/* ---- image, memory, environment ---------------------------------------------------------- */

static void check_image(struct check *check)
{
    const struct romsim_instance *instance = check->instance;
    struct romsim_error error;

    if (instance->image && instance->image[0])
        return;
    if (instance->image) {
        romsim_error_set(&error, EINVAL, "Invalid image ''");
        error.rule = ROMSIM_RULE_IMAGE;
        report(check, &instance->image_place, ROMSIM_CLOUD_INVALID, &error);
    } else if (!instance->image_optional) {
        romsim_error_set(&error, EINVAL, "Missing member image");
        error.rule = ROMSIM_RULE_MISSING_MEMBER;
        report(check, &instance->place, ROMSIM_CLOUD_MALFORMED_REQUEST, &error);
    }
}

/* What the saved VM has already, nobody can choose any more (cloud-rules §4). */
static void check_template(struct check *check)
{
    const struct romsim_instance *instance = check->instance;
    const struct {
        const char *name;
        bool is_given;
        const struct romsim_place *place;
    } locked[] = {
        {"image", instance->image, &instance->image_place},
        {"args", instance->has_args, &instance->args_place},
        {"env", instance->env_count > 0, &instance->template_place},
        {"memory_mb", instance->given & ROMSIM_GIVEN_MEMORY, &instance->memory_place},
        {"vcpus", instance->given & ROMSIM_GIVEN_VCPUS, &instance->template_place},
    };
    /* As far as they are known, the cloud's words (cloud-api §1.2). */
    static const struct {
        const char *noun, *when, *when_image;
    } words[] = {
        [ROMSIM_CLONE_OF_TEMPLATE] = {"template name", "when creating an instance from a template",
                                      NULL},
        [ROMSIM_CLONE_OF_CHECKPOINT] = {"checkpoint name",
                                        "when creating an instance from a checkpoint", NULL},
        [ROMSIM_CLONE_OF_INSTANCE] = {"instance name", "when branching from an existing instance",
                                      "when 'branch_from' is set"},
    };
    struct romsim_error error;

    if (!romsim_instance_is_clone(instance))
        return;
    check_name(check, words[instance->clone_of].noun, instance->template_name,
               &instance->template_place);
    if (instance->template_uuid && !romsim_uuid_is_valid(instance->template_uuid)) {
        romsim_error_set(&error, EINVAL, "Invalid uuid '%s'", QUOTE(instance->template_uuid));
        error.rule = ROMSIM_RULE_UUID;
        report(check, &instance->template_place, ROMSIM_CLOUD_INVALID, &error);
    }
    for (size_t i = 0; i < sizeof(locked) / sizeof(locked[0]); i++)
        if (locked[i].is_given) {
            const char *when = words[instance->clone_of].when;

            if (i == 0 && words[instance->clone_of].when_image)
                when = words[instance->clone_of].when_image;
            romsim_error_set(&error, EINVAL, "Cannot specify '%s' %s", locked[i].name, when);
            error.rule = ROMSIM_RULE_CLONE;
            romsim_error_hint(&error, "what it goes on from has its own, saved with it");
            report(check, locked[i].place, ROMSIM_CLOUD_NOT_BOTH, &error);
        }
}

static void check_memory(struct check *check)
{
    const struct romsim_limits *limits = check->limits;
    uint64_t memory = check->instance->memory_mb;
    struct romsim_error error;

    if (memory >= limits->memory_min_mb && memory <= limits->memory_max_mb)
        return;
    romsim_error_set(&error, EINVAL, "Invalid memory_mb %llu", (unsigned long long)memory);
    error.rule = ROMSIM_RULE_MEMORY;
    romsim_error_hint(&error, "from %llu to %llu", (unsigned long long)limits->memory_min_mb,
                      (unsigned long long)limits->memory_max_mb);
    report(check, &check->instance->memory_place,
           memory < limits->memory_min_mb ? ROMSIM_CLOUD_INVALID : ROMSIM_CLOUD_QUOTA, &error);
}

/* There is nothing to wait for if it is not started. */
static void check_timeout(struct check *check)
{
    const struct romsim_instance *instance = check->instance;
    struct romsim_error error;

    if (instance->timeout_s == 0 || instance->autostart)
        return;
    romsim_error_set(&error, EINVAL, "Cannot specify 'timeout_s' when 'autostart' is not set");
    error.rule = ROMSIM_RULE_EXCLUSIVE;
    romsim_error_hint(&error, "autostart: true, or no timeout");
    report(check, &instance->timeout_place, ROMSIM_CLOUD_NOT_BOTH, &error);
}

static void check_env(struct check *check)
{
    for (size_t i = 0; i < check->instance->env_count; i++) {
        const char *name = check->instance->env[i].name;
        struct romsim_error error;

        if (name[0] && !strchr(name, '='))
            continue;
        romsim_error_set(&error, EINVAL, "Invalid environment variable '%s'", QUOTE(name));
        error.rule = ROMSIM_RULE_VARIABLE;
        romsim_error_hint(&error, "a name is not empty and has no '='");
        report(check, &check->instance->place, ROMSIM_CLOUD_INVALID, &error);
    }
}

static void check_services(struct check *check)
{
    CLEANUP_FREE uint8_t *seen = calloc(1, UINT16_MAX + 1);
    struct romsim_error error;

    for (size_t i = 0; seen && i < check->instance->service_count; i++) {
        const struct romsim_service *service = &check->instance->services[i];

        if (service_check(service, seen, &error) < 0)
            report(check, &service->place, error.cloud, &error);
    }
}

/* ---- paths ------------------------------------------------------------------------------- */

/* What is wrong with the components of a relative path ("a/b"), or NULL. */
static const char *wrong_component(const char *path)
{
    if (strlen(path) > PATH_MAX_SIZE)
        return "it is longer than 4095 bytes";
    for (;;) {
        size_t size = strcspn(path, "/");

        if (size == 0)
            return "a part of it between slashes is empty";
        if (strncmp(path, "..", size) == 0 && size <= 2)
            return "'.' and '..' cannot be parts of it";
        if (size > COMPONENT_MAX)
            return "a part of it is longer than 255 bytes";
        if (path[size] == '\0')
            return NULL;
        path += size + 1;
    }
}

static bool has_control_character(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return true;
    return false;
}

/* Where a mount would hide what the guest itself lives on. */
static bool is_system_path(const char *at)
{
    static const char *const paths[] = {"/dev", "/proc", "/sys", NULL};

    for (size_t i = 0; paths[i]; i++) {
        size_t size = strlen(paths[i]);

        if (strncmp(at, paths[i], size) == 0 && (at[size] == '\0' || at[size] == '/'))
            return true;
    }
    return false;
}

static const char *wrong_at(const char *at)
{
    if (at[0] != '/')
        return "an absolute path is needed";
    if (at[1] == '\0')
        return "the root file system cannot be replaced by a ROM";
    if (is_system_path(at))
        return "/dev, /proc and /sys belong to the guest";
    if (has_control_character(at))
        return "it has a control character in it";
    return wrong_component(at + 1);
}

/* `wrong` is what is wrong with it, or NULL. */
static void check_at(struct check *check, const char *at, const struct romsim_place *place,
                     const char *wrong)
{
    struct romsim_error error;

    if (!wrong)
        return;
    romsim_error_set(&error, EINVAL, "Invalid mount point '%s'", QUOTE(at));
    error.rule = ROMSIM_RULE_MOUNT_POINT;
    romsim_error_hint(&error, "%s", wrong);
    report(check, place, ROMSIM_CLOUD_INVALID, &error);
}

static void check_file_path(struct check *check, const struct romsim_file *file)
{
    const char *wrong = !file->path             ? NULL
                        : file->path[0] == '\0' ? "it is empty"
                                                : wrong_component(file->path);
    struct romsim_error error;

    if (!wrong)
        return;
    romsim_error_set(&error, EINVAL, "Invalid file path '%s'", QUOTE(file->path));
    error.rule = ROMSIM_RULE_FILE_PATH;
    romsim_error_hint(&error, "%s", wrong);
    report(check, &file->place, ROMSIM_CLOUD_INVALID, &error);
}

/* ---- what must be unique ----------------------------------------------------------------- */

/* A name or path and where it stood; paths sort '/' before all else, so that what is beneath a
 * directory follows it at once. */
struct entry {
    const char *text;
    const struct romsim_place *place;
    size_t index;
};

static int path_rank(char c)
{
    return c == '\0' ? 0 : c == '/' ? 1 : (unsigned char)c + 2;
}

static int compare_entries(const void *left, const void *right)
{
    const struct entry *a = left;
    const struct entry *b = right;
    size_t i = 0;

    while (a->text[i] && a->text[i] == b->text[i])
        i++;
    if (a->text[i] != b->text[i])
        return path_rank(a->text[i]) - path_rank(b->text[i]);
    return a->index < b->index ? -1 : a->index > b->index;
}

static void complain_duplicate(struct check *check, const char *what, const struct entry *first,
                               const struct entry *second)
{
    struct romsim_error error;

    romsim_error_set(&error, EINVAL, "Duplicate %s '%s'", what, QUOTE(second->text));
    error.rule = ROMSIM_RULE_DUPLICATE;
    if (first->place->line > 0)
        romsim_error_hint(&error, "the first one is in line %u", first->place->line);
    report(check, second->place, ROMSIM_CLOUD_ALREADY_EXISTS, &error);
}

static void complain_nested(struct check *check, const struct entry *file,
                            const struct entry *inner)
{
    struct romsim_error error;

    romsim_error_set(&error, EINVAL, "Invalid file path '%s'", QUOTE(inner->text));
    error.rule = ROMSIM_RULE_FILE_PATH;
    romsim_error_hint(&error, "'%s' is a file, it cannot be a directory too", QUOTE(file->text));
    report(check, inner->place, ROMSIM_CLOUD_INVALID, &error);
}

/* Complains about entries with the same text, and with `nesting` about one that is a directory of
 * another. */
static void check_unique(struct check *check, const char *what, struct entry *entries, size_t count,
                         bool nesting)
{
    qsort(entries, count, sizeof(*entries), compare_entries);
    for (size_t i = 1; i < count; i++) {
        const struct entry *previous = &entries[i - 1];
        size_t size = strlen(previous->text);

        if (strcmp(previous->text, entries[i].text) == 0)
            complain_duplicate(check, what, previous, &entries[i]);
        else if (nesting && strncmp(previous->text, entries[i].text, size) == 0 &&
                 entries[i].text[size] == '/')
            complain_nested(check, previous, &entries[i]);
    }
}

static void check_unique_devices(struct check *check)
{
    const struct romsim_instance *instance = check->instance;
    size_t most = instance->rom_count + instance->volume_count + 1;
    CLEANUP_FREE struct entry *names = calloc(most, sizeof(*names));
    CLEANUP_FREE struct entry *volumes = calloc(most, sizeof(*volumes));
    CLEANUP_FREE struct entry *ats = calloc(most, sizeof(*ats));
    size_t name_count = 0, volume_count = 0, at_count = 0;

    if (!names || !volumes || !ats)
        return;
    for (size_t i = 0; i < instance->rom_count; i++) {
        const struct romsim_rom *rom = &instance->roms[i];

        if (rom->name)
            names[name_count++] = (struct entry){rom->name, &rom->name_place, i};
        if (rom->at)
            ats[at_count++] = (struct entry){rom->at, &rom->at_place, i};
    }
    for (size_t i = 0; i < instance->volume_count; i++) {
        const struct romsim_volume *volume = &instance->volumes[i];
        const char *name = volume->name ?: volume->uuid;

        if (name)
            volumes[volume_count++] = (struct entry){name, &volume->name_place, i};
        if (volume->at)
            ats[at_count++] =
                (struct entry){volume->at, &volume->at_place, instance->rom_count + i};
    }
    check_unique(check, "ROM name", names, name_count, false);
    check_unique(check, "volume", volumes, volume_count, false);
    check_unique(check, "mount point", ats, at_count, false);
}

static void check_unique_files(struct check *check, const struct romsim_rom *rom)
{
    CLEANUP_FREE struct entry *entries = calloc(rom->file_count + 1, sizeof(*entries));
    size_t count = 0;

    for (size_t i = 0; entries && i < rom->file_count; i++)
        if (rom->files[i].path)
            entries[count++] = (struct entry){rom->files[i].path, &rom->files[i].place, i};
    if (entries)
        check_unique(check, "file path", entries, count, true);
}

/* ---- what is of this machine ------------------------------------------------------------- */

bool romsim_instance_is_foreign(const struct romsim_instance *instance, enum romsim_origin origin)
{
    return origin == ROMSIM_ORIGIN_NETWORK && !instance->allow_local;
}

/* Whoever sends a request is not to read files of this machine by way of an image. */
static void check_reference(struct check *check, const char *image, enum romsim_origin origin,
                            const struct romsim_place *place)
{
    struct romsim_error error;

    if (!image || !romsim_instance_is_foreign(check->instance, origin) ||
        !romsim_reference_is_local(image))
        return;
    romsim_error_set(&error, EPERM, "Invalid image '%s': a request cannot name files of the host",
                     QUOTE(image));
    romsim_error_hint(&error, "an image of the store by its name: 'romsim image import' makes one");
    report(check, place, ROMSIM_CLOUD_NOT_ALLOWED, &error);
}

static void check_origin(struct check *check, const struct romsim_rom *rom)
{
    struct romsim_error error;

    check_reference(check, rom->image, rom->origin, &rom->image_place);
    if (!rom->dir || !romsim_instance_is_foreign(check->instance, rom->origin))
        return;
    romsim_error_set(&error, EPERM, "Invalid dir '%s': a request cannot name files of the host",
                     QUOTE(rom->dir));
    romsim_error_hint(&error, "'romsim request' makes files of it");
    report(check, &rom->image_place, ROMSIM_CLOUD_NOT_ALLOWED, &error);
}

/* ---- ROMs -------------------------------------------------------------------------------- */

static void check_content(struct check *check, const struct romsim_rom *rom)
{
    char label[ROM_LABEL_SIZE];
    struct romsim_error error;

    if (rom->image && rom->is_inline) {
        romsim_error_set(&error, EINVAL, "Cannot specify '%s' when 'image' is set",
                         rom->dir ? "dir" : "files");
        error.rule = ROMSIM_RULE_EXCLUSIVE;
        report(check, &rom->image_place, ROMSIM_CLOUD_NOT_BOTH, &error);
    } else if (!rom->image && !rom->is_inline) {
        romsim_error_set(&error, EINVAL, "Missing member image");
        error.rule = ROMSIM_RULE_MISSING_MEMBER;
        romsim_error_hint(&error, "a ROM has one of image, files and dir");
        report(check, &rom->place, ROMSIM_CLOUD_MALFORMED_REQUEST, &error);
    } else if (rom->image && !rom->image[0]) {
        romsim_error_set(&error, EINVAL, "Invalid image ''");
        error.rule = ROMSIM_RULE_IMAGE;
        report(check, &rom->image_place, ROMSIM_CLOUD_INVALID, &error);
    } else if (rom->is_inline && !rom->dir && rom->file_count == 0 && rom->from_answer) {
        romsim_error_set(&error, EINVAL, "%s is inline, and an answer has no files of it",
                         rom_label(check->instance, rom, label));
        error.rule = ROMSIM_RULE_EMPTY_ROM;
        romsim_error_hint(&error, "--rom %s%s,dir=DIRECTORY brings those of the request",
                          rom->name ? "name=" : "at=", rom->name ?: rom->at ?: "PATH");
        report(check, &rom->image_place, ROMSIM_CLOUD_INVALID, &error);
    } else if (rom->is_inline && !rom->dir && rom->file_count == 0) {
        romsim_error_set(&error, EINVAL, "%s has no files", rom_label(check->instance, rom, label));
        error.rule = ROMSIM_RULE_EMPTY_ROM;
        report(check, &rom->image_place, ROMSIM_CLOUD_INVALID, &error);
    }
}

static void check_amount(struct check *check, const struct romsim_rom *rom)
{
    char label[ROM_LABEL_SIZE];
    struct romsim_error error;
    uint64_t bytes = 0;

    rom_label(check->instance, rom, label);
    for (size_t i = 0; i < rom->file_count; i++)
        bytes += rom->files[i].size;
    if (rom->file_count > check->limits->files) {
        romsim_error_set(&error, EINVAL, "Too many files in %s: %zu, at most %llu", label,
                         rom->file_count, (unsigned long long)check->limits->files);
        error.rule = ROMSIM_RULE_TOO_MANY_FILES;
        romsim_error_hint(&error, "an image ROM may have any number");
        report(check, &rom->image_place, ROMSIM_CLOUD_TOO_MANY, &error);
    }
    if (bytes > check->limits->rom_bytes) {
        romsim_error_set(&error, EINVAL, "%s is too large: %llu bytes, at most %llu", label,
                         (unsigned long long)bytes, (unsigned long long)check->limits->rom_bytes);
        error.rule = ROMSIM_RULE_ROM_BYTES;
        romsim_error_hint(&error, "an image ROM may be larger");
        report(check, &rom->image_place, ROMSIM_CLOUD_TOO_LONG, &error);
    }
}

static void check_rom(struct check *check, const struct romsim_rom *rom)
{
    check_name(check, "ROM name", rom->name, &rom->name_place);
    check_content(check, rom);
    check_origin(check, rom);
    check_at(check, rom->at, &rom->at_place, rom->at ? wrong_at(rom->at) : NULL);
    check_amount(check, rom);
    for (size_t i = 0; i < rom->file_count; i++)
        check_file_path(check, &rom->files[i]);
    check_unique_files(check, rom);
}

void check_rom_count(size_t count, const struct romsim_limits *limits,
                     const struct romsim_place *place, struct romsim_diagnostics *diagnostics)
{
    struct romsim_error error;

    if (count <= limits->roms)
        return;
    romsim_error_set(&error, EINVAL, "Too many ROMs: %zu, at most %llu", count,
                     (unsigned long long)limits->roms);
    error.rule = ROMSIM_RULE_TOO_MANY_ROMS;
    complain_at(diagnostics, place, ROMSIM_CLOUD_TOO_MANY, &error);
}

int check_body(const struct romsim_instances *instances, const struct romsim_limits *limits,
               struct romsim_diagnostics *diagnostics)
{
    const struct romsim_place *place = instances->count ? &instances->items[0]->place : NULL;
    struct romsim_error error;
    uint64_t size;

    if (request_size(instances, &size) < 0) {
        romsim_error_nomem(&error);
        complain_at(diagnostics, place, ROMSIM_CLOUD_UNKNOWN_ERROR, &error);
        return -1;
    }
    if (size <= limits->body_bytes)
        return 0;
    romsim_error_set(&error, EINVAL, "The request is too large: %llu bytes, at most %llu",
                     (unsigned long long)size, (unsigned long long)limits->body_bytes);
    error.rule = ROMSIM_RULE_BODY_BYTES;
    complain_at(diagnostics, place, ROMSIM_CLOUD_TOO_LONG, &error);
    return -1;
}

/* Of too many: the flag's that added the last one, if one did. */
static const struct romsim_place *place_of_roms(const struct romsim_instance *instance)
{
    const struct romsim_rom *last =
        instance->rom_count ? &instance->roms[instance->rom_count - 1] : NULL;

    return last && last->origin == ROMSIM_ORIGIN_FLAGS ? &last->place : &instance->place;
}

static const struct romsim_place *place_of_volumes(const struct romsim_instance *instance)
{
    const struct romsim_volume *last =
        instance->volume_count ? &instance->volumes[instance->volume_count - 1] : NULL;

    return last && last->origin == ROMSIM_ORIGIN_FLAGS ? &last->place : &instance->place;
}

/* ---- volumes ----------------------------------------------------------------------------- */

/* For a volume the cloud forbids one character more. */
static const char *wrong_volume_at(const char *at)
{
    return strchr(at, ':') ? "it cannot have a colon" : wrong_at(at);
}

static void check_identity(struct check *check, const struct romsim_volume *volume)
{
    struct romsim_error error;

    if (volume->uuid && (volume->name || volume->size_mb)) {
        romsim_error_set(&error, EINVAL, "Cannot specify '%s' when 'uuid' is set",
                         volume->name ? "name" : "size_mb");
        error.rule = ROMSIM_RULE_EXCLUSIVE;
        report(check, &volume->name_place, ROMSIM_CLOUD_NOT_BOTH, &error);
    } else if (volume->uuid && !romsim_uuid_is_valid(volume->uuid)) {
        romsim_error_set(&error, EINVAL, "Invalid uuid '%s'", QUOTE(volume->uuid));
        error.rule = ROMSIM_RULE_UUID;
        report(check, &volume->name_place, ROMSIM_CLOUD_INVALID, &error);
    } else if (!volume->uuid && !volume->name && !volume->size_mb) {
        romsim_error_set(&error, EINVAL, "Missing member name");
        error.rule = ROMSIM_RULE_MISSING_MEMBER;
        romsim_error_hint(&error, "a volume has its name or uuid, or a size_mb to be made with");
        report(check, &volume->place, ROMSIM_CLOUD_MISSING_ID, &error);
    }
}

static void check_volume(struct check *check, const struct romsim_volume *volume)
{
    struct romsim_error error;

    check_identity(check, volume);
    check_name(check, "volume name", volume->name, &volume->name_place);
    check_at(check, volume->at, &volume->at_place, volume->at ? wrong_volume_at(volume->at) : NULL);
    if (volume->size_mb == 0 || (volume->size_mb >= SIZE_MIN_MB && volume->size_mb <= SIZE_MAX_MB))
        return;
    romsim_error_set(&error, EINVAL, "Invalid size_mb %llu", (unsigned long long)volume->size_mb);
    error.rule = ROMSIM_RULE_VOLUME_SIZE;
    romsim_error_hint(&error, "from %d to %d", SIZE_MIN_MB, SIZE_MAX_MB);
    report(check, &volume->name_place,
           volume->size_mb < SIZE_MIN_MB ? ROMSIM_CLOUD_INVALID : ROMSIM_CLOUD_QUOTA, &error);
}

void check_volume_count(size_t count, const struct romsim_limits *limits,
                        const struct romsim_place *place, struct romsim_diagnostics *diagnostics)
{
    struct romsim_error error;

    if (count <= limits->volumes)
        return;
    romsim_error_set(&error, EINVAL, "Too many volumes: %zu, at most %llu", count,
                     (unsigned long long)limits->volumes);
    error.rule = ROMSIM_RULE_TOO_MANY_VOLUMES;
    complain_at(diagnostics, place, ROMSIM_CLOUD_TOO_MANY, &error);
}

static void check_volumes(struct check *check)
{
    const struct romsim_instance *instance = check->instance;
    size_t count = instance->volume_count;

    check_volume_count(count, check->limits, place_of_volumes(instance), check->diagnostics);
    for (size_t i = 0; i < count; i++)
        check_volume(check, &instance->volumes[i]);
}

/* ---- all of it --------------------------------------------------------------------------- */

void check_rules(const struct romsim_instance *instance, const struct romsim_limits *limits,
                 struct romsim_diagnostics *diagnostics)
{
    struct check check = {instance, limits, diagnostics};

    check_own_name(&check);
    check_hostname(&check);
    check_image(&check);
    check_reference(&check, instance->image, instance->image_origin, &instance->image_place);
    check_template(&check);
    check_memory(&check);
    check_timeout(&check);
    check_env(&check);
    check_services(&check);
    check_rom_count(instance->rom_count, limits, place_of_roms(instance), diagnostics);
    for (size_t i = 0; i < instance->rom_count; i++)
        check_rom(&check, &instance->roms[i]);
    check_volumes(&check);
    check_unique_devices(&check);
}
