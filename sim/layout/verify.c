/* SPDX-License-Identifier: BSD-3-Clause */
/* verify.c: the points in which an instance agrees with another, or with a folder of images. */
#include <romsim/verify.h>

#include <romsim/buffer.h>
#include <romsim/paths.h>
#include <romsim/reference.h>
#include <romsim/store.h>
#include <romsim/text.h>

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const result_names[] = {[ROMSIM_POINT_SAME] = "same",
                                           [ROMSIM_POINT_DIFFERS] = "differs",
                                           [ROMSIM_POINT_ONLY_HERE] = "only here",
                                           [ROMSIM_POINT_ONLY_THERE] = "only there",
                                           [ROMSIM_POINT_UNTOLD] = "not told"};

const char *romsim_point_result_name(enum romsim_point_result result)
{
    return result_names[result];
}

void romsim_points_clear(struct romsim_points *points)
{
    for (size_t i = 0; i < points->count; i++) {
        free(points->items[i].subject);
        free(points->items[i].here);
        free(points->items[i].there);
        free(points->items[i].file);
        romsim_blob_unref(points->items[i].blob);
    }
    free(points->items);
    *points = (struct romsim_points){0};
}

bool romsim_points_agree(const struct romsim_points *points)
{
    for (size_t i = 0; i < points->count; i++)
        if (points->items[i].result != ROMSIM_POINT_SAME &&
            points->items[i].result != ROMSIM_POINT_UNTOLD)
            return false;
    return true;
}

/* ---- collecting points -------------------------------------------------------------------- */

/* A comparison; a want of memory is remembered, once for all. */
struct verify {
    const struct romsim_layout *layout;
    struct romsim_points *points;
    bool no_memory;
};

struct romsim_point *romsim_points_add(struct romsim_points *points,
                                       enum romsim_point_result result, const char *subject,
                                       const char *here, const char *there)
{
    struct romsim_point *items =
        reallocarray(points->items, points->count + 1, sizeof(*points->items));
    struct romsim_point point = {.result = result, .subject = strdup(subject)};

    if (items)
        points->items = items;
    point.here = here ? strdup(here) : NULL;
    point.there = there ? strdup(there) : NULL;
    if (!items || !point.subject || (here && !point.here) || (there && !point.there)) {
        free(point.subject);
        free(point.here);
        free(point.there);
        return NULL;
    }
    items[points->count] = point;
    return &items[points->count++];
}

/* The point is NULL without memory. */
static struct romsim_point *add(struct verify *verify, enum romsim_point_result result,
                                const char *subject, const char *here, const char *there)
{
    struct romsim_point *point = romsim_points_add(verify->points, result, subject, here, there);

    verify->no_memory |= !point;
    return point;
}

/* Two texts, each of which may be missing. */
static struct romsim_point *compare(struct verify *verify, const char *subject, const char *here,
                                    const char *there)
{
    enum romsim_point_result result = ROMSIM_POINT_DIFFERS;

    if (!here && !there)
        return NULL;
    if (!here)
        result = ROMSIM_POINT_ONLY_THERE;
    else if (!there)
        result = ROMSIM_POINT_ONLY_HERE;
    else if (strcmp(here, there) == 0)
        result = ROMSIM_POINT_SAME;
    return add(verify, result, subject, here, there);
}

static void compare_numbers(struct verify *verify, const char *subject, uint64_t here,
                            uint64_t there)
{
    char texts[2][24];

    snprintf(texts[0], sizeof(texts[0]), "%llu", (unsigned long long)here);
    snprintf(texts[1], sizeof(texts[1]), "%llu", (unsigned long long)there);
    compare(verify, subject, texts[0], texts[1]);
}

enum { SUBJECT_SIZE = 200 };

/* "ROM 'code': at", "ROM 2: name". */
static const char *subject_of(const char *noun, const char *name, size_t index, const char *what,
                              char ret[SUBJECT_SIZE])
{
    if (name)
        snprintf(ret, SUBJECT_SIZE, "%s '%.100s': %s", noun, QUOTE(name), what);
    else
        snprintf(ret, SUBJECT_SIZE, "%s %zu: %s", noun, index + 1, what);
    return ret;
}

static int finish(const struct verify *verify, struct romsim_error *err)
{
    return verify->no_memory ? romsim_error_nomem(err) : 0;
}

/* ---- a folder ----------------------------------------------------------------------------- */

static const char *const endings[] = {"", ".erofs", ".cpio", ".rom"};
enum { ENDING_COUNT = sizeof(endings) / sizeof(endings[0]) };

/* The file FOLDER/NAME with one of the endings; NULL if there is none. */
static char *find_file(const char *folder, const char *name)
{
    struct stat st;

    for (size_t i = 0; *name && i < ENDING_COUNT; i++) {
        char *path = NULL;

        if (asprintf(&path, "%s/%s%s", folder, name, endings[i]) < 0)
            return NULL;
        if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
            return path;
        free(path);
    }
    return NULL;
}

/* What `romsim build` calls it, what the guest does by name, and by number. */
enum { BY_NAME, BY_NODE, BY_NUMBER, WAYS };

static const char *name_of(const struct romsim_device *device, int way)
{
    static const char prefix[] = "ukp_rom_";

    if (way == BY_NUMBER)
        return device->indexed_name;
    if (way == BY_NODE || strncmp(device->named_name, prefix, sizeof(prefix) - 1) != 0)
        return device->named_name;
    return device->named_name + sizeof(prefix) - 1;
}

/* Size and digest; the digests are not compared if the sizes differ. */
static void compare_file(struct verify *verify, const struct romsim_device *device,
                         const char *path, struct romsim_blob *blob, const char *label)
{
    char subject[SUBJECT_SIZE];
    size_t index = device->index - 1;
    struct romsim_point *point;

    compare_numbers(verify, subject_of("ROM", label, index, "size", subject),
                    romsim_blob_size(device->blob), romsim_blob_size(blob));
    point = compare(verify, subject_of("ROM", label, index, "digest", subject),
                    romsim_blob_sha256_hex(device->blob), romsim_blob_sha256_hex(blob));
    if (point && point->result == ROMSIM_POINT_DIFFERS) {
        point->device = device;
        point->blob = romsim_blob_ref(blob);
        point->file = strdup(path);
        verify->no_memory |= !point->file;
    }
}

/* A folder with numbers and names says in which order the ROMs were. */
static int compare_order(struct verify *verify, const struct romsim_device *device,
                         const char *folder, const char *path, struct romsim_blob *by_name,
                         struct romsim_error *err)
{
    CLEANUP_FREE char *numbered = find_file(folder, device->indexed_name);
    CLEANUP_BLOB struct romsim_blob *by_number = NULL;
    char subject[SUBJECT_SIZE];
    bool is_same;

    if (!numbered || strcmp(numbered, path) == 0)
        return 0;
    by_number = romsim_blob_snapshot(numbered, err);
    if (!by_number)
        return -1;
    is_same = strcmp(romsim_blob_sha256_hex(by_name), romsim_blob_sha256_hex(by_number)) == 0;
    add(verify, is_same ? ROMSIM_POINT_SAME : ROMSIM_POINT_DIFFERS,
        subject_of("ROM", name_of(device, BY_NAME), device->index - 1, "device number", subject),
        device->indexed_name, is_same ? device->indexed_name : "another one");
    return 0;
}

static int compare_rom(struct verify *verify, const struct romsim_device *device,
                       const char *folder, struct romsim_error *err)
{
    const char *label = device->named_name[0] ? name_of(device, BY_NAME) : NULL;
    CLEANUP_BLOB struct romsim_blob *blob = NULL;
    CLEANUP_FREE char *path = NULL;
    char subject[SUBJECT_SIZE];

    for (int way = 0; !path && way < WAYS; way++)
        path = find_file(folder, name_of(device, way));
    if (!path) {
        add(verify, ROMSIM_POINT_ONLY_HERE,
            subject_of("ROM", label, device->index - 1, "image", subject), device->source, NULL);
        return 0;
    }
    blob = romsim_blob_snapshot(path, err);
    if (!blob)
        return -1;
    compare_file(verify, device, path, blob, label);
    return compare_order(verify, device, folder, path, blob, err);
}

/* Is it the name, without its ending, of a ROM that is here? */
static bool is_here(const struct romsim_layout *layout, const char *name)
{
    for (size_t i = 0; i < layout->device_count; i++)
        for (int way = 0; way < WAYS; way++)
            if (layout->devices[i].role == ROMSIM_DEVICE_ROM &&
                strcmp(name, name_of(&layout->devices[i], way)) == 0)
                return true;
    return false;
}

/* The name that a file gives to a ROM, malloc'ed; NULL if it is none of one. */
static char *rom_name(const char *file)
{
    static const char root[] = "ukp_rom0";

    for (size_t i = 1; i < ENDING_COUNT; i++) {
        size_t size = strlen(file), ending = strlen(endings[i]);

        if (size > ending && strcmp(file + size - ending, endings[i]) == 0)
            return strndup(file, size - ending);
    }
    return strncmp(file, root, sizeof(root) - 2) == 0 && strcmp(file, root) != 0 ? strdup(file)
                                                                                 : NULL;
}

static int add_strangers(struct verify *verify, const char *folder, struct romsim_error *err)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, NULL, alphasort);

    if (count < 0)
        return romsim_error_system(err, errno, "cannot read '%s'", QUOTE(folder));
    for (int i = 0; i < count; i++) {
        CLEANUP_FREE char *name = rom_name(entries[i]->d_name);

        if (name && !is_here(verify->layout, name))
            add(verify, ROMSIM_POINT_ONLY_THERE, QUOTE(name), NULL, QUOTE(entries[i]->d_name));
        free(entries[i]);
    }
    free(entries);
    return 0;
}

int romsim_verify_folder(const struct romsim_layout *layout, const char *folder,
                         struct romsim_points *ret, struct romsim_error *err)
{
    struct verify verify = {.layout = layout, .points = ret};

    for (size_t i = 0; i < layout->device_count; i++)
        if (layout->devices[i].role == ROMSIM_DEVICE_ROM &&
            compare_rom(&verify, &layout->devices[i], folder, err) < 0)
            return -1;
    if (add_strangers(&verify, folder, err) < 0)
        return -1;
    return finish(&verify, err);
}

/* ---- an answer ---------------------------------------------------------------------------- */

/* A list as one text, "a b c"; malloc'ed. */
static char *join(struct verify *verify, const struct romsim_strings *list, size_t first)
{
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(SIZE_MAX);

    romsim_buffer_append(&text, "", 0);
    for (size_t i = first; i < list->count; i++)
        romsim_buffer_printf(&text, "%s%s", i > first ? " " : "", QUOTE(list->items[i]));
    verify->no_memory |= text.failed;
    return text.failed ? NULL : strdup(text.data ? text.data : "");
}

static bool is_tail(const struct romsim_strings *all, const struct romsim_strings *tail)
{
    for (size_t i = 0; i < tail->count; i++)
        if (tail->count > all->count ||
            strcmp(all->items[all->count - tail->count + i], tail->items[i]) != 0)
            return false;
    return true;
}

/* [U] whether GET shows the image's entrypoint among the args: the end of the command will do. */
static void compare_args(struct verify *verify, const struct romsim_instance *answer)
{
    const struct romsim_strings *argv = &verify->layout->argv;
    bool agrees = is_tail(argv, &answer->args);
    size_t first = agrees ? argv->count - answer->args.count : 0;
    CLEANUP_FREE char *here = join(verify, argv, first);
    CLEANUP_FREE char *there = join(verify, &answer->args, 0);

    if (!answer->has_args)
        add(verify, ROMSIM_POINT_UNTOLD, "args", here, NULL);
    else
        add(verify, agrees ? ROMSIM_POINT_SAME : ROMSIM_POINT_DIFFERS, "args", here, there);
}

static const char *find_env(const struct romsim_env *env, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(env[i].name, name) == 0)
            return env[i].value;
    return NULL;
}

/* The value of a variable of "NAME=VALUE"s; NULL if it is not set. */
static const char *find_variable(const struct romsim_strings *env, const char *name)
{
    size_t size = strlen(name);

    for (size_t i = 0; i < env->count; i++)
        if (strncmp(env->items[i], name, size) == 0 && env->items[i][size] == '=')
            return env->items[i] + size + 1;
    return NULL;
}

/* What the image sets is in no answer; what the instance sets is. */
static void compare_env(struct verify *verify, const struct romsim_instance *instance,
                        const struct romsim_instance *answer)
{
    char subject[SUBJECT_SIZE];

    for (size_t i = 0; i < answer->env_count; i++) {
        const struct romsim_env *env = &answer->env[i];

        snprintf(subject, sizeof(subject), "env %.150s", QUOTE(env->name));
        compare(verify, subject, find_variable(&verify->layout->env, env->name), env->value);
    }
    for (size_t i = 0; i < instance->env_count; i++) {
        const struct romsim_env *env = &instance->env[i];

        if (find_env(answer->env, answer->env_count, env->name))
            continue;
        snprintf(subject, sizeof(subject), "env %.150s", QUOTE(env->name));
        compare(verify, subject, env->value, NULL);
    }
}

/* Are these one name, but for the registry and a digest?  malloc'ed, NULL without memory. */
static char *bare_name(const char *reference)
{
    CLEANUP_FREE char *name = strdup(romsim_reference_name(reference));

    if (!name)
        return NULL;
    *strchrnul(name, '@') = '\0';
    return romsim_store_normalize(romsim_store_without_registry(name), NULL);
}

static void compare_images(struct verify *verify, const char *subject, const char *here,
                           const char *there)
{
    char digests[2][ROMSIM_DIGEST_SIZE];
    CLEANUP_FREE char *own = NULL, *other = NULL;
    enum romsim_point_result result = ROMSIM_POINT_UNTOLD;

    if (!here || !there) {
        compare(verify, subject, here, there);
        return;
    }
    romsim_stores_digest(here, digests[0]);
    romsim_stores_digest(there, digests[1]);
    own = bare_name(here);
    other = bare_name(there);
    if (digests[0][0] && digests[1][0])
        result = strcmp(digests[0], digests[1]) == 0 ? ROMSIM_POINT_SAME : ROMSIM_POINT_DIFFERS;
    else if (!romsim_reference_is_local(here) && own && other && strcmp(own, other) != 0)
        result = ROMSIM_POINT_DIFFERS;
    add(verify, result, subject, here, there);
}

static void compare_roms(struct verify *verify, const struct romsim_instance *instance,
                         const struct romsim_instance *answer)
{
    size_t most = instance->rom_count > answer->rom_count ? instance->rom_count : answer->rom_count;
    char subject[SUBJECT_SIZE];

    compare_numbers(verify, "number of ROMs", instance->rom_count, answer->rom_count);
    for (size_t i = 0; i < most; i++) {
        const struct romsim_rom *here = i < instance->rom_count ? &instance->roms[i] : NULL;
        const struct romsim_rom *there = i < answer->rom_count ? &answer->roms[i] : NULL;

        compare(verify, subject_of("ROM", NULL, i, "name", subject), here ? here->name : NULL,
                there ? there->name : NULL);
        compare(verify, subject_of("ROM", NULL, i, "at", subject), here ? here->at : NULL,
                there ? there->at : NULL);
        if (!here || !there)
            continue;
        subject_of("ROM", NULL, i, "image", subject);
        if (here->is_inline && there->is_inline)
            add(verify, ROMSIM_POINT_UNTOLD, subject, "inline", "inline");
        else
            compare_images(verify, subject, here->is_inline ? "inline" : here->image,
                           there->is_inline ? "inline" : there->image);
    }
}

static void compare_volumes(struct verify *verify, const struct romsim_instance *instance,
                            const struct romsim_instance *answer)
{
    char subject[SUBJECT_SIZE];

    compare_numbers(verify, "number of volumes", instance->volume_count, answer->volume_count);
    for (size_t i = 0; i < instance->volume_count && i < answer->volume_count; i++) {
        const struct romsim_volume *here = &instance->volumes[i], *there = &answer->volumes[i];

        compare(verify, subject_of("volume", NULL, i, "at", subject), here->at, there->at);
        compare(verify, subject_of("volume", NULL, i, "access", subject),
                here->readonly ? "read-only" : "read-write",
                there->readonly ? "read-only" : "read-write");
    }
}

/* The ports as "443:8080 80:80". */
static char *ports_text(struct verify *verify, const struct romsim_instance *instance)
{
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(SIZE_MAX);

    for (size_t i = 0; i < instance->service_count; i++)
        romsim_buffer_printf(&text, "%s%u:%u", i ? " " : "", instance->services[i].port,
                             instance->services[i].destination_port);
    verify->no_memory |= text.failed;
    return text.failed ? NULL : strdup(text.data ? text.data : "none");
}

static void compare_ports(struct verify *verify, const struct romsim_instance *instance,
                          const struct romsim_instance *answer)
{
    CLEANUP_FREE char *here = ports_text(verify, instance);
    CLEANUP_FREE char *there = ports_text(verify, answer);

    if (answer->service_count == 0)
        add(verify, ROMSIM_POINT_UNTOLD, "ports", here, NULL);
    else
        compare(verify, "ports", here, there);
}

int romsim_verify_answer(const struct romsim_layout *layout, const struct romsim_instance *instance,
                         const struct romsim_instance *answer, struct romsim_points *ret,
                         struct romsim_error *err)
{
    struct verify verify = {.layout = layout, .points = ret};

    compare_images(&verify, "image", instance->image, answer->image);
    compare_args(&verify, answer);
    compare_env(&verify, instance, answer);
    if (answer->given & ROMSIM_GIVEN_MEMORY)
        compare_numbers(&verify, "memory_mb", instance->memory_mb, answer->memory_mb);
    if (answer->given & ROMSIM_GIVEN_VCPUS)
        compare_numbers(&verify, "vcpus", instance->vcpus, answer->vcpus);
    compare(&verify, "restart_policy", romsim_restart_name(instance->restart),
            romsim_restart_name(answer->restart));
    compare_ports(&verify, instance, answer);
    compare_roms(&verify, instance, answer);
    compare_volumes(&verify, instance, answer);
    return finish(&verify, err);
}
