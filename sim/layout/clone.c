/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clone.c: layouts of clones, and what has to be remembered of a layout for them.
 *
 * A clone of a template has the ROMs that it asks for, and none of the template's.  One of a
 * checkpoint, or a branch, that says nothing of ROMs is what its source was, and has the ROMs that
 * this had; they are drives of the saved VM already, unless it boots, since its source was stopped.
 */
#include "clone.h"

#include <romsim/cleanup.h>
#include <romsim/text.h>

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is remembered ------------------------------------------------------------------ */

static json_t *put_list(const struct romsim_strings *strings)
{
    json_t *list = json_array();

    for (size_t i = 0; i < strings->count; i++)
        json_array_append_new(list, json_string(strings->items[i]));
    return list;
}

json_t *romsim_layout_template(const struct romsim_layout *layout)
{
    const struct romsim_device *root = romsim_layout_root(layout);

    return json_pack("{s:s, s:s, s:I, s:I, s:i, s:o, s:o}", "image", root ? root->source : "",
                     "working_dir", layout->working_dir, "memory_mb", (json_int_t)layout->memory_mb,
                     "guest_memory_mb", (json_int_t)layout->guest_memory_mb, "vcpus",
                     (int)layout->vcpus, "args", put_list(&layout->argv), "env",
                     put_list(&layout->env));
}

size_t romsim_layout_drives(const struct romsim_layout *layout, struct romsim_layout_drive *ret)
{
    size_t saved = layout->template ? layout->template->drive_count : 0, count = 0;

    for (size_t i = 1; i < saved; i++) {
        ret[count] = (struct romsim_layout_drive){.place = i};
        for (size_t j = 1; j < layout->device_count; j++)
            if (layout->devices[j].saved == i)
                ret[count] = (struct romsim_layout_drive){.is_device = true, .place = j};
        count++;
    }
    for (size_t j = 1; j < layout->device_count; j++)
        if (!layout->devices[j].saved)
            ret[count++] = (struct romsim_layout_drive){.is_device = true, .place = j};
    return count;
}

static json_t *rom_json(const struct romsim_layout *layout, size_t place, size_t drive)
{
    const struct romsim_device *device = &layout->devices[place];
    const char *at = device->at;

    for (size_t i = 0; i < layout->mount_count; i++)
        if (layout->mounts[i].device == place)
            at = layout->mounts[i].path;
    return json_pack("{s:I, s:i, s:s, s:s*, s:i, s:s, s:b, s:I}", "drive", (json_int_t)drive,
                     "index", (int)device->index, "device", device->named_name, "at", at, "kind",
                     (int)device->kind, "source", device->source, "inline", device->is_inline,
                     "files", (json_int_t)device->files);
}

json_t *romsim_layout_roms_saved(const struct romsim_layout *layout)
{
    CLEANUP_FREE struct romsim_layout_drive *drives =
        calloc(layout->device_count + ROMSIM_TEMPLATE_DRIVES_MAX, sizeof(*drives));
    size_t count = drives ? romsim_layout_drives(layout, drives) : 0;
    json_t *roms = json_array();

    for (size_t i = 0; i < count; i++)
        if (drives[i].is_device && layout->devices[drives[i].place].role == ROMSIM_DEVICE_ROM)
            json_array_append_new(roms, rom_json(layout, drives[i].place, i + 1));
    if (drives)
        return roms;
    json_decref(roms);
    return NULL;
}

/* ---- what is taken from there ------------------------------------------------------------ */

struct romsim_template *clone_open(const struct romsim_instance *instance, struct romsim_error *err)
{
    enum romsim_saved kind = ROMSIM_SAVED_CHECKPOINT;
    struct romsim_template *template;

    if (instance->clone_of == ROMSIM_CLONE_OF_INSTANCE)
        return romsim_template_open_draft(kind, instance->snapshot, err);
    if (instance->clone_of == ROMSIM_CLONE_OF_TEMPLATE)
        kind = ROMSIM_SAVED_TEMPLATE;
    template = romsim_template_open(kind, instance->template_name, instance->template_uuid, err);
    /* In the cloud's words (cloud-api §1.2). */
    if (!template && err->errnum == EBUSY)
        romsim_error_context(err, "Failed to create instance from checkpoint");
    return template;
}

static bool take_list(const json_t *list, struct romsim_strings *ret)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (romsim_strings_append(ret, json_string_value(json_array_get(list, i)) ?: "") < 0)
            return false;
    return true;
}

static char *take_text(const json_t *record, const char *key)
{
    return strdup(json_string_value(json_object_get(record, key)) ?: "");
}

int clone_take(struct romsim_layout *layout, struct romsim_device *root,
               struct romsim_template *template)
{
    const json_t *saved = json_object_get(template->record, "layout");

    layout->template = template;
    layout->origin = romsim_template_ref(template);
    root->blob = romsim_blob_ref(template->drives[0]);
    root->kind = ROMSIM_IMAGE_EROFS;
    root->source = take_text(saved, "image");
    layout->working_dir = take_text(saved, "working_dir");
    layout->memory_mb = (uint64_t)json_integer_value(json_object_get(saved, "memory_mb"));
    layout->guest_memory_mb =
        (uint64_t)json_integer_value(json_object_get(saved, "guest_memory_mb"));
    layout->vcpus = (uint32_t)json_integer_value(json_object_get(saved, "vcpus"));
    layout->history = json_deep_copy(json_object_get(template->record, "history"));
    return take_list(json_object_get(saved, "args"), &layout->argv) &&
                   take_list(json_object_get(saved, "env"), &layout->env) && root->source &&
                   layout->working_dir
               ? 0
               : -1;
}

static bool is_cold(const struct romsim_template *template)
{
    return json_is_true(json_object_get(template->record, "cold"));
}

size_t clone_kept_count(const struct romsim_instance *instance,
                        const struct romsim_template *template)
{
    if (!template || instance->given & ROMSIM_GIVEN_ROMS || instance->rom_count > 0)
        return 0;
    return json_array_size(json_object_get(template->record, "roms"));
}

static int keep(const json_t *record, struct romsim_template *template,
                struct romsim_device *device, struct romsim_error *err)
{
    json_int_t drive = json_integer_value(json_object_get(record, "drive"));
    const char *at = json_string_value(json_object_get(record, "at"));
    const char *name = json_string_value(json_object_get(record, "device"));

    if (drive < 1 || (size_t)drive >= template->drive_count)
        return romsim_error_set(err, EUCLEAN, "the %s '%s' is damaged",
                                romsim_saved_name(template->kind), QUOTE(template->name));
    device->role = ROMSIM_DEVICE_ROM;
    device->is_kept = true;
    device->saved = is_cold(template) ? 0 : (size_t)drive;
    device->index = (unsigned)json_integer_value(json_object_get(record, "index"));
    snprintf(device->indexed_name, sizeof(device->indexed_name), "ukp_rom%u", device->index);
    snprintf(device->named_name, sizeof(device->named_name), "%s", name ?: "");
    device->kind = (enum romsim_image_kind)json_integer_value(json_object_get(record, "kind"));
    device->is_inline = json_is_true(json_object_get(record, "inline"));
    device->files = (uint64_t)json_integer_value(json_object_get(record, "files"));
    device->source = take_text(record, "source");
    device->at = at ? strdup(at) : NULL;
    device->blob = romsim_blob_ref(template->drives[drive]);
    return device->source && (device->at || !at) ? 0 : romsim_error_nomem(err);
}

int clone_keep_roms(struct romsim_layout *layout, const struct romsim_instance *instance,
                    struct romsim_template *template, struct romsim_error *err)
{
    const json_t *roms = json_object_get(template->record, "roms");
    size_t count = clone_kept_count(instance, template);

    layout->keeps_roms = count > 0;
    for (size_t i = 0; i < count; i++) {
        struct romsim_device *device = &layout->devices[layout->device_count++];

        device->origin = i;
        if (keep(json_array_get(roms, i), template, device, err) < 0)
            return -1;
    }
    /* It boots, and is as any other instance. */
    if (is_cold(template)) {
        layout->template = NULL;
        romsim_template_unref(template);
    }
    return 0;
}
