/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keeper_edit.c: changes of an instance, and restarts with them.
 *
 * An edit makes a new instance and a new layout in a thread (edit.h), of what will run next.  While
 * the VM runs they wait in keeper->next for its end; the keeper's `updates` are requests that wait
 * for the stop before they are even begun.
 */
#include "keeper_parts.h"

#include <romsim/clock.h>

#include <stdlib.h>
#include <string.h>

static bool is_pending(const json_t *update)
{
    const char *status = json_string_value(json_object_get(update, "status"));

    return status && strcmp(status, "pending") == 0;
}

/* The edits that wait, without those that failed before: a new array. */
static json_t *queued_edits(const struct keeper *keeper)
{
    json_t *edits = json_array();

    for (size_t i = 0; i < json_array_size(keeper->updates); i++)
        if (is_pending(json_array_get(keeper->updates, i)))
            json_array_append(edits, json_array_get(keeper->updates, i));
    return edits;
}

static void forget_failed(struct keeper *keeper)
{
    json_t *queued = queued_edits(keeper);

    json_decref(keeper->updates);
    keeper->updates = queued;
}

int keeper_check_edits(struct keeper *keeper, const json_t *edits, struct romsim_error *err)
{
    json_t *all;
    int status;

    forget_failed(keeper);
    all = queued_edits(keeper);
    json_array_extend(all, (json_t *)edits);
    status = edit_check(keeper->instance, all, &keeper->config->limits, err);
    json_decref(all);
    return status;
}

void keeper_queue_edits(struct keeper *keeper, const json_t *edits)
{
    for (size_t i = 0; i < json_array_size(edits); i++) {
        json_t *update = json_deep_copy(json_array_get(edits, i));

        json_object_set_new(update, "status", json_string("pending"));
        json_array_append_new(keeper->updates, update);
    }
}

int keeper_begin_edit(struct keeper *keeper, const json_t *edits, struct romsim_error *err)
{
    keeper->edit = edit_start(keeper->next ? keeper->next : keeper->instance, keeper->layout, edits,
                              &keeper->config->limits, err);
    return keeper->edit ? 0 : -1;
}

static void fail_queued(struct keeper *keeper, const struct romsim_error *err)
{
    char text[sizeof(err->message) + 64];

    for (size_t i = 0; i < json_array_size(keeper->updates); i++) {
        json_t *update = json_array_get(keeper->updates, i);

        json_object_set_new(update, "status", json_string("failed"));
        json_object_set_new(update, "error", json_string(err->message));
    }
    snprintf(text, sizeof(text), "an edit failed, all stays as it was: %s", err->message);
    keeper_tell_text(keeper, ROMSIM_VM_NOTE, text);
}

void keeper_begin_queued_edits(struct keeper *keeper)
{
    json_t *edits = keeper->is_deleted || keeper->edit ? NULL : queued_edits(keeper);
    struct romsim_error err = {0};

    if (json_array_size(edits) && keeper_begin_edit(keeper, edits, &err) < 0)
        fail_queued(keeper, &err);
    json_decref(edits);
}

char (*keeper_new_uuids(const struct keeper *keeper, const struct romsim_instance *instance,
                        const struct romsim_layout *layout))[ROMSIM_UUID_SIZE]
{
    char(*uuids)[ROMSIM_UUID_SIZE] = calloc(instance->rom_count + 1, sizeof(*uuids));

    for (size_t i = 0; uuids && i < instance->rom_count; i++) {
        const struct romsim_device *device = romsim_layout_device(layout, ROMSIM_DEVICE_ROM, i);

        romsim_uuid_new(uuids[i]);
        for (size_t j = 0; keeper->rom_uuids && j < keeper->instance->rom_count; j++) {
            const struct romsim_device *old =
                romsim_layout_device(keeper->layout, ROMSIM_DEVICE_ROM, j);

            if (device && old &&
                strcmp(romsim_blob_sha256_hex(device->blob), romsim_blob_sha256_hex(old->blob)) ==
                    0)
                memcpy(uuids[i], keeper->rom_uuids[j], sizeof(uuids[i]));
        }
    }
    return uuids;
}

void keeper_replace(struct keeper *keeper, struct romsim_instance *instance,
                    struct romsim_layout *layout)
{
    char(*uuids)[ROMSIM_UUID_SIZE] = keeper_new_uuids(keeper, instance, layout);

    /* A VM that was suspended has the old devices. */
    keeper_forget_saved(keeper);
    free(keeper->rom_uuids);
    keeper->rom_uuids = uuids;
    romsim_layout_free(keeper->layout);
    romsim_instance_free(keeper->instance);
    keeper->layout = layout;
    keeper->instance = instance;
}

void keeper_begin_restart(struct keeper *keeper)
{
    keeper->restarts_at_once = true;
    if (keeper->run && keeper->status.state == STATE_STOPPING)
        return; /* it does already */
    if (keeper->run) {
        run_stop(keeper->run, keeper->stop_ms);
        keeper_change_state(keeper, STATE_STOPPING);
    } else if (keeper->status.state == STATE_STANDBY && keeper->saved >= 0) {
        keeper_wake_to_stop(keeper);
    } else {
        keeper->restarts = true;
        keeper->restart_time = romsim_clock_us();
    }
}

/* The answers to whoever wanted the edit; true if it was to be followed by a restart. */
static bool answer_edit(struct keeper *keeper, const struct romsim_error *err)
{
    bool restarts = false;

    for (size_t i = 0; i < keeper->clients.count; i++) {
        struct keeper_client *client = keeper->clients.items[i];

        if (client->awaits_edit)
            channel_answer(&client->channel,
                           err ? keeper_error_answer(err) : json_pack("{s:b}", "queued", 0));
        if (client->awaits_restart)
            channel_answer(&client->channel,
                           err ? keeper_error_answer(err) : keeper_state_answer(keeper));
        restarts |= client->awaits_restart;
        client->awaits_edit = client->awaits_restart = false;
    }
    return restarts;
}

void keeper_end_edit(struct keeper *keeper)
{
    struct romsim_instance *instance = NULL;
    struct romsim_layout *layout = NULL;
    struct romsim_error err = {0};
    bool good = edit_finish(keeper->edit, &instance, &layout, &err) == 0, restarts;

    keeper->edit = NULL;
    keeper->is_changed = true;
    /* While it runs, its volumes are what they are: what changes them waits for the stop. */
    if (good && !keeper->run &&
        volumes_change(&keeper->volumes, keeper->layout, layout, &err) < 0) {
        romsim_layout_free(layout);
        romsim_instance_free(instance);
        good = false;
    }
    restarts = answer_edit(keeper, good ? NULL : &err);
    if (good && keeper->run) {
        romsim_layout_free(keeper->next_layout);
        romsim_instance_free(keeper->next);
        keeper->next = instance;
        keeper->next_layout = layout;
    } else if (good) {
        keeper_replace(keeper, instance, layout);
        json_array_clear(keeper->updates);
    } else if (!restarts) {
        fail_queued(keeper, &err);
    }
    if (good && restarts && !keeper->is_deleted)
        keeper_begin_restart(keeper);
    if (keeper->run)
        return;
    if (keeper->status.state == STATE_STOPPING)
        keeper_conclude(keeper);
    else if (keeper->is_deleted)
        keeper_remove_all(keeper);
    else
        romsim_state_set_summary(keeper->folder, keeper_describe(keeper), NULL);
}
