/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * edit.c: changing properties of an instance, as PATCH /v1/instances does.
 *
 * An edit is made on the body of a request: the instance is written as one, the body changed, and
 * read again, so that what comes of it is checked as any other instance.
 */
#include "model.h"

#include <romsim/text.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What "add" and "del" mean for a property. */
enum form {
    FORM_VALUE,  /* nothing: it has one value */
    FORM_LIST,   /* to append; to remove what is equal, or has that name or UUID */
    FORM_OBJECT, /* to set members; to remove some by their names */
};

/* What the cloud lets one change (cloud-rules §1), and no more; behind that what it has other
 * requests for. */
static const struct {
    const char *name;
    enum form form;
} properties[] = {
    {"image", FORM_VALUE},        {"args", FORM_VALUE},           {"env", FORM_OBJECT},
    {"memory_mb", FORM_VALUE},    {"vcpus", FORM_VALUE},          {"scale_to_zero", FORM_VALUE},
    {"tags", FORM_LIST},          {"delete_lock", FORM_VALUE},    {"schedules", FORM_VALUE},
    {"autokill", FORM_VALUE},     {"hostname", FORM_VALUE},       {"roms", FORM_LIST},
    {"dependencies", FORM_LIST},  {"sched_priority", FORM_VALUE}, {"plugins", FORM_LIST},
    {"annotations", FORM_OBJECT}, {"vsock", FORM_VALUE},          {"volumes", FORM_LIST},
};

enum { ALL = sizeof(properties) / sizeof(properties[0]), PROPERTIES = ALL - 1 };

bool romsim_instance_property(size_t index, const char **ret_name, const char **ret_absent)
{
    static const char *const absent[] = {
        [FORM_VALUE] = NULL, [FORM_LIST] = "[]", [FORM_OBJECT] = "{}"};

    if (index >= PROPERTIES)
        return false;
    *ret_name = properties[index].name;
    *ret_absent = absent[properties[index].form];
    return true;
}

static int complain(struct romsim_diagnostics *diagnostics, struct romsim_error *err)
{
    err->cloud = ROMSIM_CLOUD_INVALID;
    romsim_diagnostics_add(diagnostics, err, 0);
    return -1;
}

static int complain_of_property(const char *name, struct romsim_diagnostics *diagnostics)
{
    const char *names[PROPERTIES + 1] = {0};
    const char *nearest;
    struct romsim_error err;

    for (size_t i = 0; i < PROPERTIES; i++)
        names[i] = properties[i].name;
    nearest = romsim_text_nearest(name, names);
    romsim_error_set(&err, EINVAL, "'%s' is not a property that can be changed", QUOTE(name));
    if (nearest)
        romsim_error_hint(&err, "did you mean '%s'?", nearest);
    return complain(diagnostics, &err);
}

/* ---- one edit ----------------------------------------------------------------------------------
 */

/* Is a list's item what a value of "del" means? */
static bool is_meant(const json_t *item, const json_t *value)
{
    const json_t *name = json_object_get(item, "name"), *uuid = json_object_get(item, "uuid");

    return json_equal(item, value) || (name && json_equal(name, value)) ||
           (uuid && json_equal(uuid, value));
}

static bool remove_item(json_t *list, const json_t *value)
{
    bool found = false;

    for (size_t i = json_array_size(list); i-- > 0;)
        if (is_meant(json_array_get(list, i), value)) {
            json_array_remove(list, i);
            found = true;
        }
    return found;
}

static bool remove_one(json_t *target, const json_t *value)
{
    if (json_is_object(target))
        return json_is_string(value) && json_object_del(target, json_string_value(value)) == 0;
    return remove_item(target, value);
}

/* A list, or the one value. */
static int del(json_t *body, const char *property, const json_t *value,
               struct romsim_diagnostics *diagnostics)
{
    json_t *target = json_object_get(body, property);
    bool is_list = json_is_array(value);
    struct romsim_error err;

    for (size_t i = 0; i < (is_list ? json_array_size(value) : 1); i++) {
        const json_t *one = is_list ? json_array_get(value, i) : value;
        CLEANUP_FREE char *text = NULL;

        if (target && remove_one(target, one))
            continue;
        text = json_is_string(one) ? strdup(json_string_value(one))
                                   : json_dumps(one, JSON_ENCODE_ANY | JSON_COMPACT);
        romsim_error_set(&err, ENOENT, "'%s' has no '%s' that could be removed", property,
                         QUOTE(text ? text : "?"));
        return complain(diagnostics, &err);
    }
    return 0;
}

static int add(json_t *body, const char *property, enum form form, json_t *value,
               struct romsim_diagnostics *diagnostics)
{
    json_t *target = json_object_get(body, property);
    struct romsim_error err;
    int failed;

    if (!target) {
        target = form == FORM_LIST ? json_array() : json_object();
        json_object_set_new(body, property, target);
    }
    if (form == FORM_LIST)
        failed = json_is_array(value) ? json_array_extend(target, value)
                                      : json_array_append(target, value);
    else
        failed = json_object_update(target, value);
    if (!failed)
        return 0;
    romsim_error_set(&err, EINVAL, "what is added to '%s' has to be %s", property,
                     form == FORM_LIST ? "a list" : "an object");
    return complain(diagnostics, &err);
}

static int edit_one(json_t *body, const json_t *edit, struct romsim_diagnostics *diagnostics)
{
    const char *property = json_string_value(json_object_get(edit, "prop"));
    const char *op = json_string_value(json_object_get(edit, "op"));
    json_t *value = json_object_get(edit, "value");
    struct romsim_error err;
    size_t i = 0;

    if (!property || !op) {
        romsim_error_set(&err, EINVAL, "an edit has 'prop', 'op' and 'value'");
        return complain(diagnostics, &err);
    }
    while (i < ALL && strcmp(properties[i].name, property) != 0)
        i++;
    if (i == ALL)
        return complain_of_property(property, diagnostics);
    if (strcmp(op, "set") == 0 && value)
        return json_object_set(body, property, value);
    if (strcmp(op, "del") == 0 && !value && properties[i].form == FORM_VALUE)
        return json_object_del(body, property), 0;
    if (properties[i].form != FORM_VALUE && value && strcmp(op, "add") == 0)
        return add(body, property, properties[i].form, value, diagnostics);
    if (properties[i].form != FORM_VALUE && value && strcmp(op, "del") == 0)
        return del(body, property, value, diagnostics);
    romsim_error_set(&err, EINVAL, "'%s' cannot be changed by '%s'%s", property, QUOTE(op),
                     value ? "" : " without a value");
    romsim_error_hint(&err, "%s",
                      properties[i].form == FORM_VALUE ? "it takes set" : "it takes set, add, del");
    return complain(diagnostics, &err);
}

/* ---- all of them -------------------------------------------------------------------------------
 */

/* Whoever was allowed to name files of this machine is as good as the user. */
static enum romsim_origin kept(const struct romsim_instance *from, enum romsim_origin origin)
{
    return from->allow_local && origin == ROMSIM_ORIGIN_NETWORK ? ROMSIM_ORIGIN_FLAGS : origin;
}

/* What the instance named before, it may go on to name, whoever edits it. */
static void keep_origins(const struct romsim_instance *from, struct romsim_instance *to)
{
    if (from->image && to->image && strcmp(from->image, to->image) == 0)
        to->image_origin = kept(from, from->image_origin);
    for (size_t i = 0; i < to->rom_count; i++)
        for (size_t j = 0; j < from->rom_count; j++)
            if (to->roms[i].image && from->roms[j].image &&
                strcmp(to->roms[i].image, from->roms[j].image) == 0)
                to->roms[i].origin = kept(from, from->roms[j].origin);
}

/* What the body has no place for. */
static int keep_own(struct romsim_instances *instances, void *context,
                    struct romsim_diagnostics *diagnostics)
{
    const struct romsim_instance *from = context;
    struct romsim_instance *to = instances->items[0];
    struct romsim_error err;

    keep_origins(from, to);
    to->no_verify = from->no_verify;
    for (size_t i = 0; i < to->service_count && i < from->service_count; i++)
        to->services[i].host_port = from->services[i].host_port;
    if (instance_keep_group(from, to) == 0)
        return 0;
    romsim_error_nomem(&err);
    return complain(diagnostics, &err);
}

/* The places are of a text that nobody has seen. */
static void forget_places(struct romsim_diagnostics *diagnostics, size_t from)
{
    for (size_t i = from; i < diagnostics->count; i++) {
        struct romsim_error *error = &diagnostics->entries[i].error;

        error->place = (struct romsim_place){0};
        if (strstr(error->hint, " in line "))
            error->hint[0] = '\0';
    }
}

static int read_again(const struct romsim_instance *instance, const json_t *body,
                      enum romsim_origin origin, const struct romsim_limits *limits,
                      struct romsim_instance **ret, struct romsim_diagnostics *diagnostics)
{
    CLEANUP_FREE char *text = json_dumps(body, JSON_COMPACT);
    struct romsim_input source = {.origin = origin,
                                  .name = "edit",
                                  .directory = instance->directory,
                                  .is_request = origin == ROMSIM_ORIGIN_NETWORK,
                                  .amend = keep_own,
                                  .context = (void *)instance};
    struct romsim_instances instances = {0};
    size_t before = diagnostics->count;
    int status = -1;

    if (text)
        status =
            romsim_instances_parse(text, strlen(text), &source, limits, &instances, diagnostics);
    forget_places(diagnostics, before);
    if (status == 0 && instances.count == 1) {
        *ret = STEAL_POINTER(&instances.items[0]);
    } else {
        status = -1;
    }
    romsim_instances_clear(&instances);
    return status;
}

int romsim_instance_edit(const struct romsim_instance *instance, const json_t *edits,
                         enum romsim_origin origin, const struct romsim_limits *limits,
                         struct romsim_instance **ret, struct romsim_diagnostics *diagnostics)
{
    json_t *body = instance_json(instance);
    int status = body ? 0 : -1;

    for (size_t i = 0; status == 0 && i < json_array_size(edits); i++)
        status = edit_one(body, json_array_get(edits, i), diagnostics);
    if (status == 0)
        status = read_again(instance, body, origin, limits, ret, diagnostics);
    json_decref(body);
    return status;
}
