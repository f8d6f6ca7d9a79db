/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keeper_case.c: the request "case": what it takes to have the same happen again.
 *
 *     name, random_name    the instance's name, and whether it was made up
 *     request              the body that makes it as it is now
 *     image                of its root; not there for a clone of a template
 *     app                  args, env ("K=V"), working_dir, by the image and the instance
 *     roms                 [{device, name, at, source, inline}], whose bytes "image" gives
 *     limits, faults       those in force
 *     accelerator, cpu, kernel
 *     starts               how often it was started
 *     end                  "none", "running", "stopped" (by somebody), "failed", "exit", with
 *     exit_code            the app's
 */
#include "keeper_parts.h"

#include <romsim/cleanup.h>

static json_t *strings_json(const struct romsim_strings *strings)
{
    json_t *list = json_array();

    for (size_t i = 0; i < strings->count; i++)
        json_array_append_new(list, json_string(strings->items[i]));
    return list;
}

static json_t *roms_json(const struct keeper *keeper)
{
    const struct romsim_layout *layout = keeper->layout;
    json_t *list = json_array();

    for (size_t i = 0; i < layout->device_count; i++) {
        const struct romsim_device *device = &layout->devices[i];

        if (device->role == ROMSIM_DEVICE_ROM)
            json_array_append_new(list, json_pack("{s:s, s:s*, s:s*, s:s, s:b}", "device",
                                                  device->indexed_name, "name",
                                                  keeper->instance->roms[device->origin].name, "at",
                                                  romsim_layout_at(layout, device), "source",
                                                  device->source, "inline", device->is_inline));
    }
    return list;
}

static json_t *faults_json(const struct romsim_faults *faults)
{
    json_t *list = json_array();

    for (size_t i = 0; i < romsim_faults_count(faults); i++)
        json_array_append_new(list, json_string(romsim_faults_text(faults, i)));
    return list;
}

/* The bits and codes are those of the cloud (status.c). */
static const char *end_of(const struct instance_status *status)
{
    enum { BY_USER = 8, FORCED = 16, BY_SCALING = 32, BOOT_FAILED = 0x0101 };

    if (!instance_status_is_stopped(status))
        return status->start_count ? "running" : "none";
    if (!status->has_ended)
        return "none";
    if (status->stop_reason & (BY_USER | FORCED | BY_SCALING))
        return "stopped";
    return status->stop_code == BOOT_FAILED || status->stop_reason == 0 ? "failed" : "exit";
}

json_t *keeper_tell_case(struct keeper *keeper, struct keeper_client *client, const json_t *request)
{
    CLEANUP_FREE char *body = romsim_instance_request(keeper->instance, NULL);
    const struct romsim_layout *layout = keeper->layout;
    const struct vm_plan *plan = keeper->config->plan;
    const struct romsim_trace *trace = plan->seam.trace;
    json_t *answer;

    (void)request;
    answer = json_pack(
        "{s:s, s:b, s:o*, s:s*, s:{s:o, s:o, s:s}, s:o, s:o, s:o, s:s, s:s, s:s, s:i, s:s, s:i}",
        "name", layout->name, "random_name", layout->name_is_random, "request",
        body ? json_loads(body, 0, NULL) : NULL, "image",
        layout->template ? NULL : keeper->instance->image, "app", "args",
        strings_json(&layout->argv), "env", strings_json(&layout->env), "working_dir",
        layout->working_dir ?: "/", "roms", roms_json(keeper), "limits",
        romsim_limits_json(&keeper->config->limits), "faults", faults_json(plan->seam.faults),
        "accelerator", plan->processor.accel == ROMSIM_ACCEL_KVM ? "kvm" : "tcg", "cpu",
        plan->processor.model, "kernel", plan->kernel, "starts", (int)keeper->status.start_count,
        "end", end_of(&keeper->status), "exit_code", keeper->status.exit_code);
    if (!answer || !trace || trace->json < 0)
        return answer;
    channel_answer_fd(&client->channel, answer, trace->json);
    return NULL;
}
