/* SPDX-License-Identifier: BSD-3-Clause */
/* instance.c: the routes of instances (cloud-api §1.3). */
#include "instance.h"

#include <romsim/instance.h>

static void refuse_checkpoints(struct api_request *request)
{
    api_reply_fail(request, 501, ROMSIM_CLOUD_NOT_SUPPORTED,
                   "Checkpoints and branches are not simulated yet");
}

static void refuse_history(struct api_request *request)
{
    api_reply_fail(request, 501, ROMSIM_CLOUD_NOT_SUPPORTED,
                   "Instances have no history without checkpoints, which are not simulated yet");
}

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

/* Checkpoints, all of them and one. */
#define KIND_AT(where, what, name)                                                                 \
    REFUSED(API_GET, "/v1/instances/" where, refuse_checkpoints, "get" name, what),                \
        REFUSED(API_POST, "/v1/instances/" where, refuse_checkpoints, "create" name, what),        \
        REFUSED(API_PATCH, "/v1/instances/" where, refuse_checkpoints, "update" name, what),       \
        REFUSED(API_DELETE, "/v1/instances/" where, refuse_checkpoints, "delete" name, what)
#define KIND(where, name)                                                                          \
    KIND_AT(where, name "s: not simulated yet", name "s"),                                         \
        KIND_AT(where "/{rest...}", name "s: not simulated yet", name)

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

    REFUSED(API_GET, "/v1/instances/history", refuse_history, "getInstancesHistory",
            "Checkpoints that instances come from: not simulated yet"),
    REFUSED(API_GET, "/v1/instances/{uuid}/history", refuse_history, "getInstanceHistory",
            "Checkpoints that an instance comes from: not simulated yet"),
    BULK(API_GET, "/v1/instances/templates", templates_get, "getInstanceTemplates",
         "Show templates; without any named, all", .query = instance_reference_query,
         .body_kind = API_OBJECT_OR_LIST, .body = &instance_reference_shape,
         .item = &template_item_shape),
    BULK(API_GET, "/v1/instances/templates/{uuid}", templates_get, "getInstanceTemplate",
         "Show a template", .item = &template_item_shape),
    BULK(API_DELETE, "/v1/instances/templates", templates_delete, "deleteInstanceTemplates",
         "Delete templates; their clones go on", .query = instance_reference_query,
         .body_kind = API_OBJECT_OR_LIST, .body = &instance_reference_shape,
         .item = &instance_deleted_shape),
    BULK(API_DELETE, "/v1/instances/templates/{uuid}", templates_delete, "deleteInstanceTemplate",
         "Delete a template; its clones go on", .item = &instance_deleted_shape),
    BULK(API_POST, "/v1/instances/templates", instances_make_templates, "createInstanceTemplates",
         "Make templates of instances, which boot for it", .body_kind = API_OBJECT_OR_LIST,
         .body = &instance_template_shape, .item = &instance_state_shape),
    BULK(API_PATCH, "/v1/instances/templates", templates_edit, "updateInstanceTemplates",
         "Change tags, delete_lock and autokill of templates", .query = instance_reference_query,
         .body_kind = API_OBJECT_OR_LIST, .body = &instance_patch_shape,
         .item = &instance_edited_shape),
    BULK(API_PATCH, "/v1/instances/templates/{uuid}", templates_edit, "updateInstanceTemplate",
         "Change tags, delete_lock or autokill of a template", .body_kind = API_OBJECT,
         .body = &instance_patch_one_shape, .item = &instance_edited_shape),
    KIND("checkpoints", "Checkpoint"),
    REFUSED(API_GET, PLUGIN, refuse_plugins, "getPlugin", PLUGINS),
    REFUSED(API_POST, PLUGIN, refuse_plugins, "postPlugin", PLUGINS),
    REFUSED(API_PUT, PLUGIN, refuse_plugins, "putPlugin", PLUGINS),
    REFUSED(API_PATCH, PLUGIN, refuse_plugins, "patchPlugin", PLUGINS),
    REFUSED(API_DELETE, PLUGIN, refuse_plugins, "deletePlugin", PLUGINS),
    {0},
};
