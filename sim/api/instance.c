/* SPDX-License-Identifier: BSD-3-Clause */
/* instance.c: the routes of instances (cloud-api §1.3). */
#include "instance.h"

#include <romsim/instance.h>
#include <romsim/template.h>

static void refuse_plugins(struct api_request *request)
{
    api_reply_fail(request, 501, ROMSIM_CLOUD_NOT_SUPPORTED, "Plugins are not simulated");
}

#define BULK(route_method, route_path, handler, name, text, ...)                                   \
    {                                                                                              \
        .method = (route_method), .path = (route_path), .handle = (handler), .id = (name),         \
        .summary = (text), .list = "instances", __VA_ARGS__                                        \
    }

/* A change of many, and of one. */
#define CHANGE(route_method, what, handler, name, text, shape, item_shape, ...)                    \
    BULK(route_method, "/v1/instances" what, handler, name "Instances", text " instances",         \
         .query = instance_reference_query, .body_kind = API_OBJECT_OR_LIST,                       \
         .body = &shape##_shape, .item = &item_shape),                                             \
        BULK(route_method, "/v1/instances/{uuid}" what, handler, name "Instance",                  \
             text " an instance", .body_kind = API_OBJECT, .body = &shape##_one_shape,             \
             .item = &item_shape, __VA_ARGS__)

/* A look at many, and at one, with what it is about in the query, too. */
#define LOOK(route_method, what, handler, name, text, shape, item_shape)                           \
    BULK(route_method, "/v1/instances" what, handler, name "s", text " instances",                 \
         .query = shape##_query, .body_kind = API_OBJECT_OR_LIST, .body = &shape##_shape,          \
         .item = &item_shape),                                                                     \
        BULK(route_method, "/v1/instances/{uuid}" what, handler, name, text " an instance",        \
             .query = shape##_one_query, .body_kind = API_OBJECT, .body = &shape##_one_shape,      \
             .item = &item_shape)

/* What is not simulated, and therefore not in the document of what is served. */
#define REFUSED(route_method, route_path, handler, name, text)                                     \
    {                                                                                              \
        .method = (route_method), .path = (route_path), .handle = (handler),                       \
        .flags = API_QUICK | API_HIDDEN, .id = (name), .summary = (text)                           \
    }

/* What is saved of instances, of a kind (enum romsim_saved): many, and one. */
#define SAVED(route_method, kind, what, handler, name, text, more, body_shape, item_shape, ...)    \
    BULK(route_method, "/v1/instances/" what, handler, name "s", text "s" more,                    \
         .query = instance_reference_query, .body_kind = API_OBJECT_OR_LIST, .body = &body_shape,  \
         .item = &item_shape, .variant = (kind)),                                                  \
        BULK(route_method, "/v1/instances/" what "/{uuid}", handler, name, text,                   \
             .item = &item_shape, .variant = (kind), __VA_ARGS__)
#define SAVED_KIND(kind, what, name, noun)                                                         \
    SAVED(API_GET, kind, what, templates_get, "getInstance" name, "Show " noun,                    \
          "; without any named, all", instance_reference_shape, template_item_shape),              \
        SAVED(API_DELETE, kind, what, templates_delete, "deleteInstance" name, "Delete " noun,     \
              "; what was made of them goes on", instance_reference_shape,                         \
              template_deleted_shape),                                                             \
        SAVED(API_PATCH, kind, what, templates_edit, "updateInstance" name,                        \
              "Change tags, delete_lock and autokill of " noun, "", instance_patch_shape,          \
              instance_edited_shape, .body_kind = API_OBJECT, .body = &instance_patch_one_shape)

#define PLUGIN  "/v1/instances/{uuid}/plugins/{plugin}/{path...}"
#define PLUGINS "Plugins: not simulated"

const struct api_route api_instance_routes[] = {
    BULK(API_POST, "/v1/instances", instances_create, "createInstance",
         "Make instances, and start those that say autostart", .body_kind = API_OBJECT_OR_LIST,
         .body = &romsim_instance_shape, .item = &instance_created_shape),
    BULK(API_GET, "/v1/instances", instances_get, "getInstances", "Show instances",
         .query = instance_list_query, .body_kind = API_OBJECT_OR_LIST,
         .body = &instance_reference_shape, .item = &instance_item_shape),
    BULK(API_GET, "/v1/instances/{uuid}", instances_get, "getInstance", "Show an instance",
         .query = instance_get_query, .item = &instance_item_shape),
    CHANGE(API_PATCH, "", instances_edit, "update", "Change properties of", instance_patch,
           instance_edited_shape),
    CHANGE(API_DELETE, "", instances_delete, "delete", "Delete", instance_delete,
           instance_deleted_shape),
    CHANGE(API_PUT, "/start", instances_start, "start", "Start", instance_start,
           instance_changed_shape, .query = instance_start_one_query),
    CHANGE(API_PUT, "/stop", instances_stop, "stop", "Stop", instance_stop, instance_changed_shape,
           .query = instance_stop_one_query),
    CHANGE(API_PUT, "/suspend", instances_suspend, "suspend", "Suspend", instance_suspend,
           instance_changed_shape),
    LOOK(API_GET, "/wait", instances_wait, "waitInstance", "Wait for a state of", instance_wait,
         instance_state_shape),
    LOOK(API_PUT, "/wait", instances_wait, "waitInstanceByPut", "Wait for a state of",
         instance_wait, instance_state_shape),
    LOOK(API_GET, "/log", instances_log, "getInstanceLog", "Show the console's log of",
         instance_log, instance_logged_shape),
    LOOK(API_GET, "/logs", instances_log, "getInstanceConsoleLog", "Show the console's log of",
         instance_log, instance_logged_shape),
    BULK(API_GET, "/v1/instances/metrics", instances_metrics, "getInstancesMetrics",
         "Show what instances use; without any named, all", .query = instance_reference_query,
         .body_kind = API_OBJECT_OR_LIST, .body = &instance_reference_shape,
         .item = &instance_metrics_shape),
    BULK(API_GET, "/v1/instances/{uuid}/metrics", instances_metrics, "getInstanceMetrics",
         "Show what an instance uses", .item = &instance_metrics_shape),

    BULK(API_GET, "/v1/instances/history", instances_history, "getInstancesHistory",
         "Show the checkpoints that instances come from, and theirs; without any named, of all",
         .query = instance_reference_query, .body_kind = API_OBJECT_OR_LIST,
         .body = &instance_reference_shape, .item = &instance_history_shape),
    BULK(API_GET, "/v1/instances/{uuid}/history", instances_history, "getInstanceHistory",
         "Show the checkpoints that an instance comes from, and its own",
         .item = &instance_history_shape),
    SAVED_KIND(ROMSIM_SAVED_TEMPLATE, "templates", "Template", "template"),
    BULK(API_POST, "/v1/instances/templates", instances_make_templates, "createInstanceTemplates",
         "Make templates of instances, which boot for it", .body_kind = API_OBJECT_OR_LIST,
         .body = &instance_template_shape, .item = &instance_state_shape),
    SAVED_KIND(ROMSIM_SAVED_CHECKPOINT, "checkpoints", "Checkpoint", "checkpoint"),
    BULK(API_POST, "/v1/instances/checkpoints", instances_make_checkpoints,
         "createInstanceCheckpoints", "Save instances, which go on",
         .body_kind = API_OBJECT_OR_LIST, .body = &instance_checkpoint_shape,
         .item = &instance_state_shape),
    BULK(API_GET, "/v1/instances/checkpoints/history", templates_history,
         "getInstanceCheckpointsHistory",
         "Show the checkpoints that checkpoints come from; without any named, of all",
         .query = instance_reference_query, .body_kind = API_OBJECT_OR_LIST,
         .body = &instance_reference_shape, .item = &instance_history_shape,
         .variant = ROMSIM_SAVED_CHECKPOINT),
    BULK(API_GET, "/v1/instances/checkpoints/{uuid}/history", templates_history,
         "getInstanceCheckpointHistory", "Show the checkpoints that a checkpoint comes from",
         .item = &instance_history_shape, .variant = ROMSIM_SAVED_CHECKPOINT),
    REFUSED(API_GET, PLUGIN, refuse_plugins, "getPlugin", PLUGINS),
    REFUSED(API_POST, PLUGIN, refuse_plugins, "postPlugin", PLUGINS),
    REFUSED(API_PUT, PLUGIN, refuse_plugins, "putPlugin", PLUGINS),
    REFUSED(API_PATCH, PLUGIN, refuse_plugins, "patchPlugin", PLUGINS),
    REFUSED(API_DELETE, PLUGIN, refuse_plugins, "deletePlugin", PLUGINS),
    {0},
};
