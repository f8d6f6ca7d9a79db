/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * answer.c: an instance from what GET /v1/instances tells of it (cloud-api §1.6).
 *
 * An answer has the members of a request and more: what the cloud has chosen (addresses), what has
 * happened (states, times).  Those are dropped.  And it has less: an inline ROM is shown with the
 * UUID of its image ([U], as romsim does it) or with no content at all, a service group with its
 * names and without its ports, a volume with a UUID of that cloud.  Inline ROMs are marked, and
 * have to be completed by a flag before the rules see them; of the rest a warning says what is
 * missing and where it is to be had.
 */
#include "model.h"

#include <romsim/text.h>
#include <romsim/uuid.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What of those members that romsim does not read was configured, and not found out. */
static const char *const configured[] = {"restart_policy", "scale_to_zero", "features",
                                         "plugins",        "tags",          "type",
                                         "autokill",       "schedules",     "annotations"};

const struct romsim_node *answer_instances(const struct romsim_node *root)
{
    const struct romsim_node *list =
        romsim_node_present(romsim_node_present(root, "data"), "instances");

    return list ? list : root;
}

/* An answer may have an item that says why there is no instance. */
static void check_status(const struct romsim_document *document, const struct romsim_node *node,
                         struct romsim_diagnostics *diagnostics)
{
    const char *status = romsim_node_text(romsim_node_present(node, "status"));
    const char *message = romsim_node_text(romsim_node_present(node, "message"));
    struct romsim_error error;

    if (!status || strcmp(status, "error") != 0)
        return;
    romsim_error_set(&error, EINVAL, "the answer has an error in place of an instance: %s",
                     message ? QUOTE(message) : "it does not say which");
    romsim_document_complain(document, node->offset, &error, diagnostics);
}

static void settle_roms(struct romsim_instance *instance)
{
    for (size_t i = 0; i < instance->rom_count; i++) {
        struct romsim_rom *rom = &instance->roms[i];

        rom->from_answer = true;
        if (rom->image && romsim_uuid_is_valid(rom->image)) {
            free(rom->image);
            rom->image = NULL;
        }
        rom->is_inline |= !rom->image;
    }
}

/* The volumes of that name here, and not those with the UUIDs of there. */
static void settle_volumes(struct romsim_instance *instance)
{
    for (size_t i = 0; i < instance->volume_count; i++) {
        struct romsim_volume *volume = &instance->volumes[i];

        if (!volume->name)
            continue;
        free(volume->uuid);
        free(volume->json);
        volume->uuid = volume->json = NULL;
        volume->size_mb = 0;
    }
}

/* Which is the name unless somebody chose another. */
static void settle_hostname(struct romsim_instance *instance)
{
    if (!instance->name || !instance->hostname || strcmp(instance->name, instance->hostname) != 0)
        return;
    free(instance->hostname);
    instance->hostname = NULL;
}

/* A group that is there is not here; services that were made with the instance are. */
static int settle_group(const struct romsim_document *document, const struct romsim_node *node,
                        struct romsim_instance *instance, struct romsim_diagnostics *diagnostics)
{
    const struct romsim_node *group = romsim_node_present(node, "service_group");
    const char *name = romsim_node_text(romsim_node_present(group, "name"));
    json_t *services;
    struct romsim_error warning;

    if (!instance->service_group_json)
        return 0;
    free(instance->service_group_json);
    instance->service_group_json = NULL;
    if (instance->service_count == 0) {
        romsim_error_set(&warning, EINVAL,
                         "the answer does not tell the ports of service group %s%s%s",
                         name ? "'" : "", name ? QUOTE(name) : "", name ? "'" : "");
        romsim_error_hint(&warning, "GET /v1/services does; -p HOST:GUEST publishes them here");
        romsim_document_warn(document, group->offset, &warning, diagnostics);
        return 0;
    }
    services = romsim_schema_json(romsim_node_present(group, "services"), &romsim_services_shape);
    services = json_pack("{s:o}", "services", services);
    instance->service_group_json = services ? json_dumps(services, JSON_COMPACT) : NULL;
    json_decref(services);
    return instance->service_group_json ? 0 : -1;
}

/* Members of `scale_to_zero` that are answers. */
static void settle_scale(json_t *other)
{
    const struct romsim_shape *shape =
        romsim_shape_member(&romsim_instance_file_shape, "scale_to_zero")->shape;
    json_t *scale = json_object_get(other, "scale_to_zero"), *value;
    const char *name;
    void *next;

    json_object_foreach_safe(scale, next, name, value) if (!romsim_shape_member(shape, name))
        json_object_del(scale, name);
}

static int settle_other(struct romsim_instance *instance)
{
    json_t *other, *kept = json_object();

    if (!instance->other_json) {
        json_decref(kept);
        return 0;
    }
    other = json_loads(instance->other_json, 0, NULL);
    settle_scale(other);
    for (size_t i = 0; i < sizeof(configured) / sizeof(configured[0]); i++)
        if (json_object_get(other, configured[i]))
            json_object_set(kept, configured[i], json_object_get(other, configured[i]));
    free(instance->other_json);
    instance->other_json = json_dumps(kept, JSON_COMPACT);
    json_decref(other);
    json_decref(kept);
    return instance->other_json ? 0 : -1;
}

/* Without `details` an answer has a name and a state, and little more. */
static void warn_of_brevity(const struct romsim_document *document, const struct romsim_node *node,
                            struct romsim_diagnostics *diagnostics)
{
    struct romsim_error warning;

    if (romsim_node_member(node, "roms") || romsim_node_member(node, "env") ||
        romsim_node_member(node, "memory_mb"))
        return;
    romsim_error_set(&warning, EINVAL, "the answer is a short one: it has neither roms nor env");
    romsim_error_hint(&warning, "GET /v1/instances?name=...&details=true tells all");
    romsim_document_warn(document, node->offset, &warning, diagnostics);
}

int answer_settle(const struct romsim_document *document, const struct romsim_node *node,
                  struct romsim_instance *instance, struct romsim_diagnostics *diagnostics)
{
    check_status(document, node, diagnostics);
    warn_of_brevity(document, node, diagnostics);
    settle_roms(instance);
    settle_volumes(instance);
    settle_hostname(instance);
    return settle_group(document, node, instance, diagnostics) | settle_other(instance);
}
