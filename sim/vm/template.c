/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * template.c: templates, from the layout that one is made of to what its clones have to know.
 *
 * A saved VM goes on only where the same machine is put around it: QEMU of the same version, with
 * the same processor by the same accelerator.  The record has all of that.  The kernel and init are
 * in the memory, whatever this romsim has.
 */
#include "template.h"

#include <romsim/arch.h>
#include <romsim/cleanup.h>
#include <romsim/program.h>
#include <romsim/text.h>
#include <romsim/vm.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int refuse(enum romsim_cloud_code code, const char *why, struct romsim_error *err)
{
    romsim_error_set(err, EINVAL, "%s", why);
    if (err)
        err->cloud = code;
    return -1;
}

/* What cannot be saved with the VM. */
static int check(const struct romsim_layout *layout, struct romsim_error *err)
{
    size_t roms = 0;

    if (layout->template)
        return refuse(ROMSIM_CLOUD_NOT_SUPPORTED,
                      "a template of a template's clone is not simulated", err);
    if (!romsim_layout_root(layout))
        return refuse(ROMSIM_CLOUD_INVALID, "a template needs an image", err);
    for (size_t i = 0; i < layout->device_count; i++) {
        if (layout->devices[i].role == ROMSIM_DEVICE_VOLUME)
            return refuse(ROMSIM_CLOUD_NOT_ALLOWED,
                          "a template has no volumes: its clones may have some", err);
        roms += layout->devices[i].role == ROMSIM_DEVICE_ROM;
    }
    return roms < ROMSIM_TEMPLATE_DRIVES_MAX
               ? 0
               : refuse(ROMSIM_CLOUD_TOO_MANY, "a template has room for 31 ROMs", err);
}

int romsim_vm_template_check(const char *name, const struct romsim_layout *layout,
                             struct romsim_error *err)
{
    struct romsim_error absent = {0};
    CLEANUP_TEMPLATE struct romsim_template *same = NULL;

    if (check(layout, err) < 0)
        return -1;
    same = romsim_template_open(ROMSIM_SAVED_TEMPLATE, name, NULL, &absent);
    if (!same && absent.cloud == ROMSIM_CLOUD_NOT_FOUND)
        return 0;
    romsim_error_set(err, EEXIST, "A template instance with the name '%s' already exists",
                     QUOTE(name));
    if (err)
        err->cloud = ROMSIM_CLOUD_ALREADY_EXISTS;
    return -1;
}

static int copy_drives(struct romsim_template_draft *draft, const struct romsim_layout *layout,
                       struct romsim_error *err)
{
    for (size_t i = 0; i < layout->device_count; i++)
        if (romsim_template_draft_drive(draft, layout->devices[i].blob, err) < 0)
            return -1;
    return 0;
}

struct romsim_template_draft *romsim_vm_template_begin(const char *name, const char *uuid,
                                                       const struct romsim_layout *layout,
                                                       struct romsim_vm_saving *ret,
                                                       struct romsim_error *err)
{
    struct romsim_template_draft *draft =
        check(layout, err) < 0 ? NULL
                               : romsim_template_draft(ROMSIM_SAVED_TEMPLATE, name, uuid, err);

    if (!draft)
        return NULL;
    ret->memory = ret->state = -1;
    if (copy_drives(draft, layout, err) == 0 &&
        (ret->memory = romsim_template_draft_file(draft, "memory", err)) >= 0 &&
        (ret->state = romsim_template_draft_file(draft, "state", err)) >= 0)
        return draft;
    romsim_vm_template_end(draft, ret, layout, NULL, NULL, false, NULL);
    return NULL;
}

/* "7.2.22 (Debian 1:7.2+dfsg-7)", as QEMU says it in its greeting, too (qmp.h); malloc'ed. */
char *template_qemu_version(struct romsim_error *err)
{
    static const char before[] = "version ";
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(4096);
    const char *const argv[] = {romsim_arch_facts()->qemu, "--version", NULL};
    const struct romsim_program program = {.argv = argv, .printed = &text};
    const char *version;
    int status;

    if (romsim_program_run(&program, &status, err) < 0)
        return NULL;
    version = text.data ? strstr(text.data, before) : NULL;
    if (status != 0 || !version) {
        romsim_error_set(err, EPROTO, "%s does not say its version", argv[0]);
        return NULL;
    }
    version += strlen(before);
    return strndup(version, strcspn(version, "\n"));
}

static const char *accel_name(enum romsim_accel accel)
{
    return accel == ROMSIM_ACCEL_KVM ? "kvm" : "tcg";
}

/* Of what an instance says without effect on its VM, what a template may say, too. */
static json_t *properties_of(const struct romsim_instance *instance)
{
    static const char *const kept[] = {"tags", "delete_lock", "autokill", "annotations"};
    const char *text = instance ? instance->other_json : NULL;
    json_t *other = text ? json_loads(text, 0, NULL) : NULL;
    json_t *properties = json_object();

    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        if (json_object_get(other, kept[i]))
            json_object_set(properties, kept[i], json_object_get(other, kept[i]));
    json_decref(other);
    return properties;
}

/* Which devices are where in the machine that is saved. */
enum { MACHINE = 3 };

json_t *template_record(const struct romsim_layout *layout, const struct romsim_instance *instance,
                        const struct romsim_processor *processor, const char *version)
{
    return json_pack("{s:i, s:s, s:s, s:s, s:s, s:i, s:o, s:o}", "machine", MACHINE, "arch",
                     romsim_arch_facts()->name, "qemu", version, "accel",
                     accel_name(processor->accel), "cpu", processor->model, "level",
                     processor->level, "layout", romsim_layout_template(layout), "properties",
                     properties_of(instance));
}

int romsim_vm_template_end(struct romsim_template_draft *draft, struct romsim_vm_saving *saving,
                           const struct romsim_layout *layout,
                           const struct romsim_instance *instance,
                           const struct romsim_processor *processor, bool is_saved,
                           struct romsim_error *err)
{
    CLEANUP_FREE char *version = is_saved ? template_qemu_version(err) : NULL;
    int status = 0;

    cleanup_close_fd(&saving->memory);
    cleanup_close_fd(&saving->state);
    saving->memory = saving->state = -1;
    if (is_saved)
        status = version ? romsim_template_draft_finish(
                               draft, template_record(layout, instance, processor, version), err)
                         : -1;
    romsim_template_draft_free(draft);
    return status;
}

struct romsim_template *template_keep(const struct romsim_layout *layout,
                                      const struct romsim_processor *processor,
                                      struct romsim_vm_saving *saving, struct romsim_error *err)
{
    CLEANUP_TEMPLATE struct romsim_template *template = calloc(1, sizeof(*template));
    CLEANUP_FREE char *version = template_qemu_version(err);

    if (!template) {
        cleanup_close_fd(&saving->memory);
        cleanup_close_fd(&saving->state);
        romsim_error_nomem(err);
        return NULL;
    }
    template->references = 1;
    template->memory = saving->memory;
    template->state = saving->state;
    template->drives[template->drive_count++] = romsim_blob_ref(romsim_layout_root(layout)->blob);
    template->name = strdup(layout->name);
    template->record = version ? template_record(layout, NULL, processor, version) : NULL;
    if (!template->name || !template->record)
        return NULL;
    return STEAL_POINTER(&template);
}

int template_drives(const struct romsim_layout *layout, struct romsim_blob **ret, size_t *ret_count,
                    struct romsim_error *err)
{
    CLEANUP_FREE struct romsim_layout_drive *order =
        calloc(layout->device_count + ROMSIM_TEMPLATE_DRIVES_MAX, sizeof(*order));
    size_t count = order ? romsim_layout_drives(layout, order) : 0;

    if (!order)
        return romsim_error_nomem(err);
    if (!romsim_layout_root(layout))
        return refuse(ROMSIM_CLOUD_INVALID, "a checkpoint needs an image", err);
    for (size_t i = 0; i < layout->device_count; i++)
        if (layout->devices[i].role == ROMSIM_DEVICE_VOLUME)
            return refuse(ROMSIM_CLOUD_NOT_SUPPORTED,
                          "an instance with volumes cannot be saved: what is in them is not "
                          "saved with it",
                          err);
    if (1 + count > ROMSIM_TEMPLATE_DRIVES_MAX)
        return refuse(ROMSIM_CLOUD_TOO_MANY, "a saved VM has room for 31 ROMs", err);
    ret[0] = romsim_layout_root(layout)->blob;
    for (size_t i = 0; i < count; i++)
        ret[1 + i] = order[i].is_device ? layout->devices[order[i].place].blob
                                        : layout->template->drives[order[i].place];
    for (size_t i = 0; i <= count; i++)
        romsim_blob_ref(ret[i]);
    *ret_count = 1 + count;
    return 0;
}

int template_processor(const struct romsim_template *template, struct romsim_processor *processor,
                       struct romsim_error *err)
{
    const char *accel = json_string_value(json_object_get(template->record, "accel"));
    const char *model = json_string_value(json_object_get(template->record, "cpu"));
    const char *arch = json_string_value(json_object_get(template->record, "arch")) ?: "amd64";

    if (!accel || !model)
        return romsim_error_set(err, EUCLEAN, "the %s '%s' is damaged",
                                romsim_saved_name(template->kind), QUOTE(template->name));
    if (json_integer_value(json_object_get(template->record, "machine")) != MACHINE) {
        romsim_error_set(err, EINVAL, "the %s '%s' was saved by another version of romsim",
                         romsim_saved_name(template->kind), QUOTE(template->name));
        return romsim_error_hint(err, "make it anew: 'romsim %s rm %s', and create it",
                                 romsim_saved_name(template->kind), template->name);
    }
    if (romsim_arch_find(arch) != romsim_arch()) {
        romsim_error_set(err, EINVAL, "the %s '%s' was saved with --arch %s, and this is %s",
                         romsim_saved_name(template->kind), QUOTE(template->name), QUOTE(arch),
                         romsim_arch_facts()->name);
        return romsim_error_hint(err, "start its clones with --arch %s, or make it anew",
                                 QUOTE(arch));
    }
    if (strcmp(accel, accel_name(processor->accel)) != 0) {
        romsim_error_set(err, EINVAL, "the %s '%s' was saved with --accel %s, and this is %s",
                         romsim_saved_name(template->kind), QUOTE(template->name), accel,
                         accel_name(processor->accel));
        return romsim_error_hint(err, "start its clones with --accel %s, or make it anew", accel);
    }
    snprintf(processor->model, sizeof(processor->model), "%s", model);
    processor->level = (int)json_integer_value(json_object_get(template->record, "level"));
    return 0;
}
