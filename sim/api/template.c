/* SPDX-License-Identifier: BSD-3-Clause */
/* template.c: templates over HTTP (cloud-api §4): those that `romsim template create` made. */
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
    ROMSIM_END,
};
const struct romsim_shape template_item_shape = {.kind = ROMSIM_SHAPE_OBJECT, .members = members};

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

static json_t *item_of(const struct romsim_template *template)
{
    const json_t *saved = json_object_get(template->record, "layout");
    const char *image = json_string_value(json_object_get(saved, "image"));
    const json_t *args = json_object_get(saved, "args");
    char created[ROMSIM_TIME_SIZE];

    return api_item_success(
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:o, s:o}", "uuid", template->uuid, "name",
                  template->name, "created_at", romsim_text_time(template->created_at, created),
                  "state", "template", "image", image ? image : "", "memory_mb",
                  json_integer_value(json_object_get(saved, "memory_mb")), "vcpus",
                  json_integer_value(json_object_get(saved, "vcpus")), "args",
                  json_is_array(args) ? json_deep_copy(args) : json_array(), "env", env_of(saved)));
}

/* ---- which -------------------------------------------------------------------------------- */

/* In the cloud's words alone: a command of romsim's own is no hint there. */
static json_t *failed(const json_t *said, struct romsim_error *err)
{
    const char *uuid = json_string_value(json_object_get(said, "uuid"));
    const char *name = json_string_value(json_object_get(said, "name"));

    err->hint[0] = '\0';
    return api_item_error(uuid ? "uuid" : "name", uuid ? uuid : name, err);
}

static struct romsim_template *open_said(const json_t *said, struct romsim_error *err)
{
    return romsim_template_open(json_string_value(json_object_get(said, "name")),
                                json_string_value(json_object_get(said, "uuid")), err);
}

static json_t *list_all(struct romsim_error *err)
{
    CLEANUP_TEMPLATES struct romsim_templates all = {0};
    json_t *items = json_array();

    if (romsim_template_list(&all, NULL, NULL, err) < 0) {
        json_decref(items);
        return NULL;
    }
    for (size_t i = 0; i < all.count; i++)
        json_array_append_new(items, item_of(all.items[i]));
    return items;
}

/* ---- handlers ------------------------------------------------------------------------------ */

void templates_get(struct api_request *request)
{
    json_t *said = said_read(request, true), *items;
    struct romsim_error err = {0};

    if (!said)
        return;
    if (json_array_size(said) == 0) {
        items = list_all(&err);
        json_decref(said);
        if (items)
            api_reply_items(request, items);
        else
            api_reply_error(request, api_http_status(&err), &err);
        return;
    }
    items = json_array();
    for (size_t i = 0; i < json_array_size(said); i++) {
        const json_t *one = json_array_get(said, i);
        CLEANUP_TEMPLATE struct romsim_template *template = open_said(one, &err);

        json_array_append_new(items, template ? item_of(template) : failed(one, &err));
    }
    json_decref(said);
    api_reply_items(request, items);
}

static json_t *delete_one(const json_t *said)
{
    struct romsim_error err = {0};
    CLEANUP_TEMPLATE struct romsim_template *template = open_said(said, &err);

    if (!template || romsim_template_remove(template->name, &err) < 0)
        return failed(said, &err);
    return api_item_success(json_pack("{s:s, s:s, s:s}", "uuid", template->uuid, "name",
                                      template->name, "previous_state", "template"));
}

void templates_delete(struct api_request *request)
{
    json_t *said = said_read(request, false), *items;

    if (!said)
        return;
    items = json_array();
    for (size_t i = 0; i < json_array_size(said); i++)
        json_array_append_new(items, delete_one(json_array_get(said, i)));
    json_decref(said);
    api_reply_items(request, items);
}

void templates_refuse(struct api_request *request)
{
    api_reply_fail(request, 501, ROMSIM_CLOUD_NOT_SUPPORTED,
                   "Templates are made where the server runs ('romsim template create'), and are "
                   "not changed");
}
