/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * restore.c: from a case back to an instance and its layout.
 *
 * The request in it goes the way of any request that comes over the network: paths of this machine
 * are out of bounds.  The images are those of the case, whatever the request names.
 */
#include "restore.h"

#include <romsim/reference.h>
#include <romsim/store.h>
#include <romsim/text.h>

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct restoring {
    const struct romsim_case *opened;
    const struct romsim_case_choice *choice; /* NULL: it is only compared with */
};

static int complain(struct romsim_diagnostics *diagnostics, const struct romsim_error *error)
{
    romsim_diagnostics_add(diagnostics, error, 0);
    return -1;
}

static int complain_no_memory(struct romsim_diagnostics *diagnostics)
{
    struct romsim_error error;

    romsim_error_nomem(&error);
    return complain(diagnostics, &error);
}

/* ---- faults ------------------------------------------------------------------------------- */

static bool is_rom(const struct romsim_case_rom *rom, const char *name)
{
    static const char prefix[] = "ukp_rom_";

    if (strcmp(rom->device, name) == 0 || (rom->name && strcmp(rom->name, name) == 0))
        return true;
    return rom->name && strncmp(name, prefix, strlen(prefix)) == 0 &&
           strcmp(name + strlen(prefix), rom->name) == 0;
}

int romsim_case_faults(const struct romsim_strings *texts, const struct romsim_case_rom *roms,
                       size_t rom_count, struct romsim_faults *ret, struct romsim_error *err)
{
    for (size_t i = 0; i < texts->count; i++) {
        const char *swap;
        bool is_known = false;

        if (romsim_faults_add(ret, texts->items[i], err) < 0)
            return -1;
        swap = romsim_faults_swap(ret, romsim_faults_count(ret) - 1);
        for (size_t j = 0; swap && j < rom_count; j++)
            is_known |= is_rom(&roms[j], swap);
        if (!swap || is_known)
            continue;
        romsim_error_set(err, ENOTSUP, "'%s': a case has no images beside the instance's own",
                         QUOTE(texts->items[i]));
        return romsim_error_hint(err, "swap=NAME with another ROM of the instance can be kept");
    }
    return 0;
}

/* ---- the request -------------------------------------------------------------------------- */

/* Its files are not in the case: a flag has to bring them, as those of a GET's answer. */
static void empty_rom(struct romsim_rom *rom)
{
    for (size_t i = 0; i < rom->file_count; i++) {
        free(rom->files[i].path);
        free(rom->files[i].data);
    }
    free(rom->files);
    rom->files = NULL;
    rom->file_count = 0;
    rom->from_answer = true;
}

static int amend_roms(const struct restoring *restoring, struct romsim_instance *instance,
                      struct romsim_error *err)
{
    const struct romsim_case *opened = restoring->opened;

    if (instance->rom_count != opened->rom_count)
        return romsim_error_set(err, EUCLEAN,
                                "it is no case: its request has %zu ROMs, and its "
                                "case.json %zu",
                                instance->rom_count, opened->rom_count);
    for (size_t i = 0; i < instance->rom_count; i++) {
        struct romsim_rom *rom = &instance->roms[i];

        if (rom->dir)
            return romsim_error_set(err, EUCLEAN, "it is no case: a ROM has a 'dir'");
        if (opened->roms[i].blob)
            rom->origin = ROMSIM_ORIGIN_FLAGS; /* its image is looked for nowhere */
        else if (rom->is_inline && restoring->choice)
            empty_rom(rom);
    }
    return 0;
}

static int add_flags(const struct restoring *restoring, struct romsim_instance *instance,
                     struct romsim_error *err)
{
    const struct romsim_case_choice *choice = restoring->choice;

    for (size_t i = 0; i < choice->roms->count; i++) {
        if (romsim_instance_add_rom(instance, choice->roms->items[i], err) < 0)
            return romsim_error_context(err, "--rom");
        if (instance->rom_count == restoring->opened->rom_count)
            continue;
        romsim_error_set(err, EINVAL, "--rom '%s': it is none of those whose contents are missing",
                         QUOTE(choice->roms->items[i]));
        return romsim_error_hint(err, "a case is replayed with its own ROMs");
    }
    for (size_t i = 0; i < choice->env->count; i++)
        if (romsim_instance_add_env(instance, choice->env->items[i], err) < 0)
            return romsim_error_context(err, "--env");
    return 0;
}

static int amend_name(struct romsim_instance *instance, bool keeps_name, struct romsim_error *err)
{
    if (keeps_name || !instance->name)
        return 0;
    if (!instance->hostname && !(instance->hostname = strdup(instance->name)))
        return romsim_error_nomem(err);
    free(instance->name);
    instance->name = NULL;
    return 0;
}

/* A name of the store that leads to the manifest, malloc'ed; NULL: there is none. */
static char *find_manifest(const char *digest)
{
    CLEANUP_STORE_NAMES struct romsim_store_names names = {0};
    CLEANUP_STORES struct romsim_stores stores = {0};

    if (!*digest || romsim_stores_open(&stores, NULL) < 0 ||
        romsim_stores_list(&stores, &names, NULL) < 0)
        return NULL;
    for (size_t i = 0; i < names.count; i++)
        if (strcmp(names.items[i].digest, digest) == 0)
            return strdup(names.items[i].name);
    return NULL;
}

/* By the user's word, by its digest, by its name; a path is one of another machine. */
static int amend_image(const struct restoring *restoring, struct romsim_instance *instance,
                       struct romsim_error *err)
{
    const struct romsim_case *opened = restoring->opened;
    char found[ROMSIM_DIGEST_SIZE];
    CLEANUP_FREE char *name = NULL;

    if (opened->root.blob || !restoring->choice) {
        instance->image_origin = ROMSIM_ORIGIN_FLAGS;
        return 0;
    }
    if (restoring->choice->root)
        return romsim_instance_set_image(instance, restoring->choice->root, err) < 0
                   ? romsim_error_context(err, "--root")
                   : 0;
    if (!instance->image || romsim_reference_is_local(instance->image)) {
        romsim_error_set(err, ENOENT,
                         "the case has no root: it was '%s' of the machine where it was captured "
                         "(%.19s...)",
                         QUOTE(opened->root.source), opened->root.digest);
        return romsim_error_hint(
            err,
            "--root IMAGE gives it; or capture it with --with-root, which puts it in the case");
    }
    romsim_stores_digest(instance->image, found);
    if (*opened->manifest && strcmp(found, opened->manifest) != 0)
        name = find_manifest(opened->manifest);
    if (name && romsim_instance_set_image(instance, name, err) < 0)
        return -1;
    if (name)
        instance->image_origin = ROMSIM_ORIGIN_NETWORK;
    return 0;
}

static int amend_one(const struct restoring *restoring, struct romsim_instance *instance,
                     struct romsim_error *err)
{
    if (romsim_instance_is_clone(instance))
        return romsim_error_set(err, ENOTSUP,
                                "it is the clone of a template, which no case can have");
    if (amend_roms(restoring, instance, err) < 0 || amend_image(restoring, instance, err) < 0)
        return -1;
    if (!restoring->choice)
        return 0;
    if (amend_name(instance, restoring->choice->keeps_name, err) < 0)
        return -1;
    return add_flags(restoring, instance, err);
}

static int amend(struct romsim_instances *instances, void *context,
                 struct romsim_diagnostics *diagnostics)
{
    struct romsim_error error;

    if (instances->count != 1)
        romsim_error_set(&error, EUCLEAN, "it is no case: its request is of %zu instances",
                         instances->count);
    else if (amend_one(context, instances->items[0], &error) == 0)
        return 0;
    return complain(diagnostics, &error);
}

struct romsim_instance *case_request(const struct romsim_case *opened,
                                     const struct romsim_case_choice *choice,
                                     struct romsim_diagnostics *diagnostics)
{
    struct restoring restoring = {opened, choice};
    const struct romsim_input source = {.origin = ROMSIM_ORIGIN_NETWORK,
                                        .name = "request.json",
                                        .is_request = true,
                                        .is_only_compared = !choice,
                                        .amend = amend,
                                        .context = &restoring};
    struct romsim_instances instances = {0};
    struct romsim_instance *instance;

    if (romsim_instances_parse((const char *)romsim_blob_bytes(opened->request),
                               romsim_blob_size(opened->request), &source, &opened->limits,
                               &instances, diagnostics) < 0)
        return NULL;
    instance = STEAL_POINTER(&instances.items[0]);
    romsim_instances_clear(&instances);
    return instance;
}

/* ---- the root ----------------------------------------------------------------------------- */

static int miss_root(const struct romsim_case *opened, const struct romsim_error *why,
                     struct romsim_diagnostics *diagnostics)
{
    struct romsim_error error = *why;

    error.place = (struct romsim_place){0};
    romsim_error_context(&error, "the case's root, '%s'", QUOTE(opened->root.source));
    romsim_error_hint(&error,
                      "pull or import it, or --root IMAGE gives it; or capture with --with-root");
    return complain(diagnostics, &error);
}

/* The image that was found here is the case's, or the user wants another one. */
static int judge_root(struct romsim_case *opened, const struct romsim_case_choice *choice,
                      struct romsim_blob *root, struct romsim_diagnostics *diagnostics)
{
    char digest[ROMSIM_DIGEST_SIZE];
    struct romsim_error error;

    romsim_blob_digest(root, opened->root.digest, digest);
    if (strcmp(digest, opened->root.digest) == 0) {
        opened->root.blob = romsim_blob_ref(root);
        return 0;
    }
    romsim_error_set(&error, ESTALE, "the root '%s' is another one here: %.19s..., not %.19s...",
                     QUOTE(choice->root ?: opened->root.source), digest, opened->root.digest);
    if (!choice->root) {
        romsim_error_hint(&error, "--root IMAGE takes one all the same; or capture with "
                                  "--with-root");
        return complain(diagnostics, &error);
    }
    romsim_diagnostics_add(diagnostics, &error, 1);
    return 0;
}

static int find_root(struct romsim_case *opened, const struct romsim_case_choice *choice,
                     const struct romsim_instance *instance, struct romsim_diagnostics *diagnostics)
{
    struct romsim_base_image base = {0};
    struct romsim_error error = {0};
    int status;

    if (opened->root.blob)
        return 0;
    if (romsim_image_base(instance, &base, &error) < 0)
        return choice->root ? complain(diagnostics, &error)
                            : miss_root(opened, &error, diagnostics);
    status = judge_root(opened, choice, base.root, diagnostics);
    romsim_base_image_release(&base);
    return status;
}

/* What is run in it are all of the case's words. */
static int set_args(struct romsim_instance *instance, const struct romsim_strings *args)
{
    romsim_strings_clear(&instance->args);
    instance->has_args = true;
    return romsim_strings_append_all(&instance->args, args);
}

static int supply(struct romsim_case *opened, struct romsim_instance *instance)
{
    opened->supplied = calloc(opened->rom_count + 1, sizeof(struct romsim_blob *));
    if (!opened->supplied)
        return -1;
    for (size_t i = 0; i < opened->rom_count; i++)
        opened->supplied[i] = opened->roms[i].blob;
    opened->supply = (struct romsim_supply){.root = opened->root.blob,
                                            .env = &opened->env,
                                            .working_dir = opened->working_dir,
                                            .roms = opened->supplied,
                                            .rom_count = opened->rom_count};
    instance->supply = &opened->supply;
    return opened->root.blob ? set_args(instance, &opened->args) : 0;
}

/* ---- what is not as it was ---------------------------------------------------------------- */

static bool is_given(const struct romsim_strings *env, const char *name)
{
    size_t size = strlen(name);

    for (size_t i = 0; i < env->count; i++)
        if (strncmp(env->items[i], name, size) == 0 &&
            (env->items[i][size] == '=' || !env->items[i][size]))
            return true;
    return false;
}

static void warn_of_env(const struct romsim_case *opened, const struct romsim_case_choice *choice,
                        struct romsim_diagnostics *diagnostics)
{
    CLEANUP_BUFFER struct romsim_buffer names = ROMSIM_BUFFER_INIT(600);
    struct romsim_error error;

    for (size_t i = 0; i < opened->redacted.count; i++)
        if (!is_given(choice->env, opened->redacted.items[i]))
            romsim_buffer_printf(&names, "%s%s", names.size ? ", " : "",
                                 QUOTE(opened->redacted.items[i]));
    if (!names.size)
        return;
    romsim_error_set(&error, EINVAL, "the case does not have the values of %s", names.data);
    romsim_error_hint(&error, "-e NAME=VALUE gives one; else it is '[redacted NAME]'");
    romsim_diagnostics_add(diagnostics, &error, 1);
}

static void warn_of_roms(const struct romsim_case *opened, const struct romsim_layout *layout,
                         struct romsim_diagnostics *diagnostics)
{
    for (size_t i = 0; i < opened->rom_count; i++) {
        const struct romsim_device *device = romsim_layout_device(layout, ROMSIM_DEVICE_ROM, i);
        char digest[ROMSIM_DIGEST_SIZE];
        struct romsim_error error;

        if (opened->roms[i].blob || !device || !device->blob)
            continue;
        romsim_blob_digest(device->blob, opened->roms[i].digest, digest);
        if (strcmp(digest, opened->roms[i].digest) == 0)
            continue;
        romsim_error_set(&error, ESTALE, "the ROM '%s' is another one than was captured",
                         QUOTE(opened->roms[i].name ?: opened->roms[i].device));
        romsim_diagnostics_add(diagnostics, &error, 1);
    }
}

struct romsim_layout *romsim_case_restore(struct romsim_case *opened,
                                          const struct romsim_case_choice *choice,
                                          struct romsim_instance **ret_instance,
                                          struct romsim_diagnostics *diagnostics)
{
    CLEANUP_INSTANCE struct romsim_instance *instance = case_request(opened, choice, diagnostics);
    CLEANUP_LAYOUT struct romsim_layout *layout = NULL;

    if (!instance || find_root(opened, choice, instance, diagnostics) < 0)
        return NULL;
    if (supply(opened, instance) < 0) {
        complain_no_memory(diagnostics);
        return NULL;
    }
    layout = romsim_layout_new(instance, diagnostics);
    if (!layout)
        return NULL;
    warn_of_env(opened, choice, diagnostics);
    warn_of_roms(opened, layout, diagnostics);
    *ret_instance = STEAL_POINTER(&instance);
    return STEAL_POINTER(&layout);
}
