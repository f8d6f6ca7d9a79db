/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * template.c: templates and checkpoints over HTTP (cloud-api §4): those that are there, whoever
 * made them.
 */
#include "instance.h"
#include "said.h"

#include <romsim/template.h>
#include <romsim/text.h>

#include <errno.h>
#include <string.h>

/* ---- what is answered ---------------------------------------------------------------------- */

static const struct romsim_shape string = {.kind = ROMSIM_SHAPE_STRING};
static const struct romsim_shape count = {.kind = ROMSIM_SHAPE_INTEGER, .maximum = UINT32_MAX};
static const struct romsim_shape strings = {.kind = ROMSIM_SHAPE_LIST, .item = &string};
static const struct romsim_shape boolean = {.kind = ROMSIM_SHAPE_BOOLEAN};
static const struct romsim_shape any = {.kind = ROMSIM_SHAPE_ANY};
static const struct romsim_shape map = {.kind = ROMSIM_SHAPE_MAP, .item = &string};
static const struct romsim_member members[] = {
    {"uuid", &string, ROMSIM_MEMBER_REQUIRED, NULL},
    {"name", &string, ROMSIM_MEMBER_REQUIRED, NULL},
    {"created_at", &string, ROMSIM_MEMBER_REQUIRED, NULL},
    {"state", &string, ROMSIM_MEMBER_REQUIRED, NULL},
    {"image", &string, ROMSIM_MEMBER_REQUIRED, NULL},
    {"memory_mb", &count, ROMSIM_MEMBER_REQUIRED, NULL},
    {"vcpus", &count, ROMSIM_MEMBER_REQUIRED, NULL},
    {"args", &strings, ROMSIM_MEMBER_REQUIRED, NULL},
    {"env", &map, ROMSIM_MEMBER_REQUIRED, NULL},
    {"tags", &strings, 0, NULL},
    {"delete_lock", &boolean, 0, NULL},
    {"autokill", &any, 0, NULL},
    {"annotations", &any, 0, NULL},
    ROMSIM_END,
};
const struct romsim_shape template_item_shape = {.kind = ROMSIM_SHAPE_OBJECT, .members = members};

static const struct romsim_member deleted_members[] = {
    {"uuid", &string, ROMSIM_MEMBER_REQUIRED, NULL},
    {"name", &string, ROMSIM_MEMBER_REQUIRED, NULL},
    {"previous_state", &string, ROMSIM_MEMBER_REQUIRED, NULL},
    ROMSIM_END,
};
const struct romsim_shape template_deleted_shape = {.kind = ROMSIM_SHAPE_OBJECT,
                                                    .members = deleted_members};

/* "K=V" of each, as an object. */
static json_t *env_of(const json_t *saved)
{
    const json_t *list = json_object_get(saved, "env");
    json_t *env = json_object();

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *entry = json_string_value(json_array_get(list, i));
        size_t size = entry ? strcspn(entry, "=") : 0;

        if (entry && entry[size])
            json_object_setn_new(env, entry, size, json_string(entry + size + 1));
    }
    return env;
}

/* A template's, or a checkpoint's, as it is made of a struct romsim_template. */
typedef json_t *item_maker(const struct romsim_template *template);

static json_t *item_of(const struct romsim_template *template)
{
    const json_t *saved = json_object_get(template->record, "layout");
    const char *image = json_string_value(json_object_get(saved, "image"));
    const json_t *args = json_object_get(saved, "args");
    char created[ROMSIM_TIME_SIZE];

    json_t *item = api_item_success(json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:o, s:o}", "uuid", template->uuid, "name",
        template->name, "created_at", romsim_text_time(template->created_at, created), "state",
        template->is_ready ? romsim_saved_name(template->kind) : "starting", "image",
        image ? image : "", "memory_mb", json_integer_value(json_object_get(saved, "memory_mb")),
        "vcpus", json_integer_value(json_object_get(saved, "vcpus")), "args",
        json_is_array(args) ? json_deep_copy(args) : json_array(), "env", env_of(saved)));

    json_object_update_missing(item, json_object_get(template->record, "properties"));
    return item;
}

/* It comes from these checkpoints, itself the first of them. */
static json_t *history_of(const struct romsim_template *template)
{
    json_t *history = json_object_get(template->record, "history");

    return api_item_success(json_pack("{s:s, s:s, s:o}", "uuid", template->uuid, "name",
                                      template->name, "history",
                                      history ? json_incref(history) : json_array()));
}

/* ---- which -------------------------------------------------------------------------------- */

static enum romsim_saved kind_of(const struct api_request *request)
{
    return (enum romsim_saved)request->route->variant;
}

static struct romsim_template *open_said(const struct api_request *request, const json_t *said,
                                         struct romsim_error *err)
{
    return romsim_template_open(kind_of(request), said_text(said, "name"), said_text(said, "uuid"),
                                err);
}

static bool is_said(const struct romsim_template *template, const json_t *said)
{
    const char *name = said_text(said, "name");

    return name ? strcmp(name, template->name) == 0
                : strcmp(said_text(said, "uuid"), template->uuid) == 0;
}

/* One that is being made can be looked at, too. */
static struct romsim_template *look_up(const struct api_request *request, const json_t *said,
                                       struct romsim_error *err)
{
    struct romsim_template *template = open_said(request, said, err);
    CLEANUP_TEMPLATES struct romsim_templates all = {0};

    if (template || err->errnum != EBUSY ||
        romsim_template_list(kind_of(request), &all, NULL, NULL, err) < 0)
        return template;
    for (size_t i = 0; i < all.count; i++)
        if (is_said(all.items[i], said))
            return romsim_template_ref(all.items[i]);
    return open_said(request, said, err);
}

static json_t *list_all(enum romsim_saved kind, item_maker *make, struct romsim_error *err)
{
    CLEANUP_TEMPLATES struct romsim_templates all = {0};
    json_t *items = json_array();

    if (romsim_template_list(kind, &all, NULL, NULL, err) < 0) {
        json_decref(items);
        return NULL;
    }
    for (size_t i = 0; i < all.count; i++)
        json_array_append_new(items, make(all.items[i]));
    return items;
}

/* A said_actor. */
static json_t *show_one(struct api_request *request, const json_t *said, struct romsim_error *err)
{
    CLEANUP_TEMPLATE struct romsim_template *template = look_up(request, said, err);

    return template ? item_of(template) : NULL;
}

/* A said_actor. */
static json_t *show_history(struct api_request *request, const json_t *said,
                            struct romsim_error *err)
{
    CLEANUP_TEMPLATE struct romsim_template *template = look_up(request, said, err);

    return template ? history_of(template) : NULL;
}

/* ---- handlers ------------------------------------------------------------------------------ */

/* Those that are named, or all. */
static void show(struct api_request *request, item_maker *make, said_actor *act)
{
    json_t *said = said_read(request, true), *items;
    struct romsim_error err = {0};

    if (!said)
        return;
    if (json_array_size(said) == 0) {
        items = list_all(kind_of(request), make, &err);
        json_decref(said);
        if (items)
            api_reply_items(request, items);
        else
            api_reply_error(request, api_http_status(&err), &err);
        return;
    }
    said_reply(request, said, act);
    json_decref(said);
}

void templates_get(struct api_request *request)
{
    show(request, item_of, show_one);
}

void templates_history(struct api_request *request)
{
    show(request, history_of, show_history);
}

/* One that is protected by a PATCH of `delete_lock`. */
static bool is_locked(const struct romsim_template *template)
{
    const json_t *all = json_object_get(template->record, "properties");

    return json_is_true(json_object_get(all, "delete_lock"));
}

/* A said_actor. */
static json_t *delete_one(struct api_request *request, const json_t *said, struct romsim_error *err)
{
    CLEANUP_TEMPLATE struct romsim_template *template = open_said(request, said, err);

    if (!template)
        return NULL;
    if (is_locked(template)) {
        romsim_error_set(err, EPERM, "Deletion protection enabled");
        err->cloud = ROMSIM_CLOUD_NOT_ALLOWED;
        return NULL;
    }
    if (romsim_template_remove(template->kind, template->name, err) < 0)
        return NULL;
    return api_item_success(json_pack("{s:s, s:s, s:s}", "uuid", template->uuid, "name",
                                      template->name, "previous_state",
                                      romsim_saved_name(template->kind)));
}

void templates_delete(struct api_request *request)
{
    said_each(request, delete_one);
}

/* ---- changes ------------------------------------------------------------------------------ */

/* What can be changed (cloud-api §4). */
static const struct {
    const char *name;
    const struct romsim_shape *shape;
    bool is_list;
} properties[] = {
    {"tags", &strings, true}, {"delete_lock", &boolean, false}, {"autokill", &any, false}};

static int refuse(const char *name, const char *why, struct romsim_error *err)
{
    romsim_error_set(err, EINVAL, "'%s' %s", QUOTE(name), why);
    err->cloud = ROMSIM_CLOUD_INVALID;
    return -1;
}

/* Without those that `value` has. */
static void remove_all(json_t *list, const json_t *value)
{
    for (size_t i = json_array_size(list); i-- > 0;)
        for (size_t j = 0; j < json_array_size(value); j++)
            if (json_equal(json_array_get(list, i), json_array_get(value, j))) {
                json_array_remove(list, i);
                break;
            }
}

static void change_list(json_t *all, const char *name, const char *op, json_t *value)
{
    json_t *list = json_deep_copy(json_object_get(all, name)) ?: json_array();

    if (strcmp(op, "set") == 0)
        json_array_clear(list);
    remove_all(list, value);
    if (strcmp(op, "del") != 0)
        json_array_extend(list, value);
    json_object_set_new(all, name, list);
}

static int change(enum romsim_saved kind, json_t *all, const json_t *said, struct romsim_error *err)
{
    const char *name = said_text(said, "prop"), *op = said_text(said, "op");
    json_t *value = json_object_get(said, "value");
    size_t i = 0;

    while (i < sizeof(properties) / sizeof(properties[0]) && strcmp(properties[i].name, name) != 0)
        i++;
    if (i == sizeof(properties) / sizeof(properties[0]))
        return refuse(name,
                      kind == ROMSIM_SAVED_TEMPLATE
                          ? "is not a property of a template that can be changed"
                          : "is not a property of a checkpoint that can be changed",
                      err);
    if (strcmp(op, "del") == 0 && !properties[i].is_list) {
        json_object_del(all, name);
        return 0;
    }
    if (strcmp(op, "add") == 0 && !properties[i].is_list)
        return refuse(name, "is one value: its op is set or del", err);
    if (said_check(value, "value", properties[i].shape, err) < 0)
        return -1;
    if (properties[i].is_list)
        change_list(all, name, op, value);
    else
        json_object_set(all, name, value);
    return 0;
}

/* A said_actor. */
static json_t *edit_one(struct api_request *request, const json_t *said, struct romsim_error *err)
{
    CLEANUP_TEMPLATE struct romsim_template *template = open_said(request, said, err);
    json_t *all;

    if (!template)
        return NULL;
    all = json_deep_copy(json_object_get(template->record, "properties")) ?: json_object();
    if (change(template->kind, all, said, err) < 0) {
        json_decref(all);
        return NULL;
    }
    if (romsim_template_set_properties(template->kind, template->name, all, err) < 0)
        return NULL;
    return api_item_success(json_pack("{s:s, s:s, s:O*}", "uuid", template->uuid, "name",
                                      template->name, "id", json_object_get(said, "id")));
}

void templates_edit(struct api_request *request)
{
    said_each(request, edit_one);
}
