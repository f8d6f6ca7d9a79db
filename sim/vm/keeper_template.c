/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keeper_template.c: an instance that becomes a template.
 *
 * A VM is saved as a template only if it was started as one: its memory is a file that clones map,
 * and it has drives for their ROMs.  So what runs already is stopped, and boots anew, and what is
 * suspended boots, too.  When its app has said that it may be saved, the instance is the template,
 * of the same name and UUID, and there is no instance any more; if its app ends before, all is as
 * it was.
 */
#include "keeper_parts.h"

#include <string.h>

int keeper_become_template(struct keeper *keeper, const json_t *autokill, struct romsim_error *err)
{
    if (romsim_vm_template_check(keeper->layout->name, keeper->layout, err) < 0)
        return -1;
    keeper->becomes_template = true;
    json_decref(keeper->autokill);
    keeper->autokill = json_deep_copy(autokill);
    keeper_forget_saved(keeper);
    keeper_abort_restart(keeper);
    if (!keeper->run) {
        keeper_start(keeper);
        return 0;
    }
    keeper->suspends = false;
    keeper_begin_restart(keeper);
    return 0;
}

const struct vm_plan *keeper_plan_run(struct keeper *keeper, struct romsim_error *err)
{
    keeper->plan = *keeper->config->plan;
    keeper->plan.door = keeper->door;
    keeper->plan.memory = keeper->memory >= 0 ? &keeper->memory : NULL;
    if (!keeper->becomes_template)
        return &keeper->plan;
    keeper->draft = romsim_vm_template_begin(keeper->layout->name, keeper->status.uuid,
                                             keeper->layout, &keeper->saving, err);
    if (!keeper->draft)
        return NULL;
    keeper->plan.saving = &keeper->saving;
    return &keeper->plan;
}

static void set_autokill(const struct keeper *keeper)
{
    CLEANUP_TEMPLATE struct romsim_template *template =
        romsim_template_open(ROMSIM_SAVED_TEMPLATE, keeper->layout->name, NULL, NULL);
    json_t *properties;

    if (!template || !keeper->autokill)
        return;
    properties = json_deep_copy(json_object_get(template->record, "properties"));
    json_object_set(properties, "autokill", keeper->autokill);
    romsim_template_set_properties(ROMSIM_SAVED_TEMPLATE, keeper->layout->name, properties, NULL);
}

bool keeper_end_template(struct keeper *keeper, bool is_saved)
{
    struct romsim_error err = {0};

    if (!keeper->draft)
        return false;
    if (romsim_vm_template_end(keeper->draft, &keeper->saving, keeper->layout, keeper->instance,
                               &keeper->plan.processor, is_saved, &err) < 0)
        keeper_tell_text(keeper, ROMSIM_VM_ERROR, err.message);
    else
        keeper->is_template = is_saved;
    keeper->draft = NULL;
    if (keeper->is_template) {
        set_autokill(keeper);
        keeper->before_deletion = keeper->status.state;
    }
    return keeper->is_template;
}

void keeper_forget_template(struct keeper *keeper)
{
    if (!keeper->becomes_template || keeper->is_template)
        return;
    keeper->becomes_template = false;
    for (size_t i = 0; i < keeper->clients.count; i++) {
        struct keeper_client *client = keeper->clients.items[i];

        if (client->awaited != STATE_TEMPLATE)
            continue;
        client->awaited = -1;
        channel_answer(&client->channel,
                       keeper_refuse(ROMSIM_CLOUD_FAILED_OPERATION,
                                     "the instance '%s' ended before it could be saved",
                                     keeper->layout->name));
    }
    if (keeper->config->becomes_template && keeper->folder)
        keeper_remove_all(keeper);
}
