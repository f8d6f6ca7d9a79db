/* SPDX-License-Identifier: BSD-3-Clause */
/* volume_json.c: a volume as the cloud's GET /v1/volumes has it (cloud-api §1.3). */
#include <romsim/text.h>
#include <romsim/volume.h>

#include <jansson.h>
#include <string.h>

/* An instance's own word on this volume, or NULL. */
static const json_t *find_volume(const json_t *instance, const char *uuid)
{
    const json_t *volumes = json_object_get(instance, "volumes");

    for (size_t i = 0; i < json_array_size(volumes); i++) {
        const json_t *volume = json_array_get(volumes, i);
        const char *has = json_string_value(json_object_get(volume, "uuid"));

        if (has && strcmp(has, uuid) == 0)
            return volume;
    }
    return NULL;
}

/* In the cloud a volume is mounted while its instance is not stopped. */
static bool is_stopped(const json_t *instance)
{
    const char *state = json_string_value(json_object_get(instance, "state"));

    return !state || strcmp(state, "stopped") == 0;
}

static void add_holders(const char *uuid, const json_t *instances, json_t *attached,
                        json_t *mounted)
{
    for (size_t i = 0; i < json_array_size(instances); i++) {
        const json_t *instance = json_array_get(instances, i);
        const json_t *volume = find_volume(instance, uuid);
        json_t *id = json_object_get(instance, "uuid"), *name = json_object_get(instance, "name");

        if (!volume)
            continue;
        json_array_append_new(attached, json_pack("{s:O*, s:O*}", "uuid", id, "name", name));
        if (!is_stopped(instance))
            json_array_append_new(
                mounted, json_pack("{s:O*, s:O*, s:b}", "uuid", id, "name", name, "readonly",
                                   json_is_true(json_object_get(volume, "readonly"))));
    }
}

static const char *state_of(const struct romsim_volume_info *info, const json_t *attached,
                            const json_t *mounted)
{
    if (json_array_size(mounted))
        return "mounted";
    if (json_array_size(attached))
        return "idle";
    return info->holder ? "busy" : "available";
}

json_t *romsim_volume_json(const struct romsim_volume_info *info, const json_t *instances)
{
    const struct romsim_volume_traits *traits = &info->traits;
    json_t *attached = json_array(), *mounted = json_array(), *tags = json_array();
    char created[ROMSIM_TIME_SIZE];

    add_holders(info->uuid, instances, attached, mounted);
    /* An instance that is just being made or deleted. */
    if (info->holder && *info->holder && !json_array_size(attached))
        json_array_append_new(attached, json_pack("{s:s}", "name", info->holder));
    for (size_t i = 0; i < traits->tags.count; i++)
        json_array_append_new(tags, json_string(traits->tags.items[i]));
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:I, s:I, s:b, s:s, s:s, s:s, s:b, s:o, s:o, s:o}", "uuid",
        info->uuid, "name", info->name, "created_at", romsim_text_time(info->created_at, created),
        "state", state_of(info, attached, mounted), "size_mb", (json_int_t)(info->size >> 20),
        "used_bytes", (json_int_t)info->used, "persistent", info->is_persistent, "filesystem",
        "ext4", "access_mode", traits->is_for_reading ? "rox" : "rwo", "quota_policy",
        traits->is_dynamic ? "dynamic" : "static", "delete_lock", traits->has_delete_lock, "tags",
        tags, "attached_to", attached, "mounted_by", mounted);
}
