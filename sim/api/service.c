/* SPDX-License-Identifier: BSD-3-Clause */
/* service.c: service groups over HTTP (cloud-api §1.3). */
#include "group.h"
#include "roll.h"
#include "said.h"
#include "shapes.h"

#include <romsim/buffer.h>
#include <romsim/cleanup.h>
#include <romsim/instance.h>
#include <romsim/text.h>

#include <errno.h>
#include <string.h>

/* ---- what is taken and given -------------------------------------------------------------------
 */

static const struct romsim_shape limit = {
    .kind = ROMSIM_SHAPE_INTEGER, .minimum = 1, .maximum = ROMSIM_GROUP_LIMIT_MAX};
OBJECT(domain_wish, HAS("name", &string_shape), MAY("certificate", &reference_shape));
OBJECT(autokill, MAY("time_ms", &count_shape));
OBJECT(create, MAY("name", &string_shape), HAS("services", &romsim_services_shape),
       IDLE("domains", &domain_wish_list_shape, NULL), IDLE("soft_limit", &limit, NULL),
       IDLE("hard_limit", &limit, NULL), IDLE("autokill", &autokill_shape, NULL));

OBJECT(certificate, HAS("uuid", &string_shape), HAS("name", &string_shape),
       MAY("state", &string_shape));
OBJECT(domain, HAS("fqdn", &string_shape), MAY("certificate", &certificate_shape));
OBJECT(group, HAS("uuid", &string_shape), HAS("name", &string_shape),
       HAS("created_at", &string_shape), HAS("persistent", &boolean_shape),
       HAS("autoscale", &boolean_shape), HAS("soft_limit", &limit), HAS("hard_limit", &limit),
       HAS("services", &romsim_services_shape), HAS("domains", &domain_list_shape),
       HAS("instances", &changed_list_shape), MAY("autokill", &autokill_shape));

/* ---- items -------------------------------------------------------------------------------------
 */

/* What items are made of beside the entries: {instances, certificates}. */
static json_t *new_context(struct api_request *request)
{
    return json_pack("{s:o, s:o*}", "instances", roll_items(api_roll(request->api)), "certificates",
                     romsim_ledger_list(ROMSIM_LEDGER_CERTIFICATES, NULL));
}

/* The certificate that a domain asks for, or one that fits. */
static const json_t *certificate_of(const json_t *domain, const json_t *certificates)
{
    const json_t *wanted = json_object_get(json_object_get(domain, "certificate"), "uuid");
    const char *fqdn = said_text(domain, "fqdn") ?: "";

    for (size_t i = 0; i < json_array_size(certificates); i++) {
        const json_t *one = json_array_get(certificates, i);

        if (wanted ? json_equal(wanted, json_object_get(one, "uuid"))
                   : romsim_group_domain_matches(said_text(one, "common_name") ?: "", fqdn))
            return one;
    }
    return NULL;
}

static json_t *domains_json(const json_t *entry, const json_t *certificates)
{
    const json_t *domains = json_object_get(entry, "domains");
    json_t *list = json_array();

    for (size_t i = 0; i < json_array_size(domains); i++) {
        const json_t *domain = json_array_get(domains, i);
        const json_t *one = certificate_of(domain, certificates);

        json_array_append_new(
            list,
            json_pack("{s:O, s:o*}", "fqdn", json_object_get(domain, "fqdn"), "certificate",
                      one ? json_pack("{s:O, s:O, s:O*}", "uuid", json_object_get(one, "uuid"),
                                      "name", json_object_get(one, "name"), "state",
                                      json_object_get(one, "state"))
                          : NULL));
    }
    return list;
}

static json_t *instances_json(const json_t *entry, const json_t *instances)
{
    json_t *list = json_array();

    for (size_t i = 0; i < json_array_size(instances); i++) {
        const json_t *instance = json_array_get(instances, i);
        const json_t *group = json_object_get(instance, "service_group");

        if (json_equal(json_object_get(group, "uuid"), json_object_get(entry, "uuid")))
            json_array_append_new(list, json_pack("{s:O*, s:O*}", "uuid",
                                                  json_object_get(instance, "uuid"), "name",
                                                  json_object_get(instance, "name")));
    }
    return list;
}

static json_t *show(const json_t *entry, const json_t *context, bool has_details)
{
    static const char *const members[] = {"persistent", "soft_limit", "hard_limit", "services",
                                          "autokill"};
    json_t *item = group_reference(entry);

    if (!has_details)
        return item;
    json_object_set_new(item, "created_at", group_time(entry));
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        if (json_object_get(entry, members[i]))
            json_object_set(item, members[i], json_object_get(entry, members[i]));
    json_object_set_new(item, "autoscale", json_boolean(json_object_get(entry, "autoscale")));
    json_object_set_new(item, "domains",
                        domains_json(entry, json_object_get(context, "certificates")));
    json_object_set_new(item, "instances",
                        instances_json(entry, json_object_get(context, "instances")));
    return item;
}

/* ---- handlers ----------------------------------------------------------------------------------
 */

static json_t *create_one(struct api_request *request, const json_t *said, struct romsim_error *err)
{
    json_t *entry, *context, *item;

    if (romsim_services_check(json_object_get(said, "services"), err) < 0)
        return NULL;
    entry = romsim_group_new(said, api_options(request->api)->metro, true, NULL, err);
    if (!entry)
        return NULL;
    context = new_context(request);
    item = show(entry, context, true);
    json_decref(context);
    json_decref(entry);
    return item;
}

static void services_create(struct api_request *request)
{
    said_make(request, create_one);
}

static void services_get(struct api_request *request)
{
    group_reply(request, ROMSIM_LEDGER_GROUPS, show, new_context(request));
}

/* ---- PATCH -------------------------------------------------------------------------------------
 */

/* What each property's value looks like where it is not "del"'s. */
static const struct {
    const char *name;
    const struct romsim_shape *shape;
    bool is_list;
} properties[] = {
    {"services", &romsim_services_shape, true},
    {"domains", &domain_wish_list_shape, true},
    {"soft_limit", &limit, false},
    {"hard_limit", &limit, false},
    {"autokill", &autokill_shape, false},
};

static int check_value(const json_t *said, struct romsim_error *err)
{
    const char *property = said_text(said, "prop");
    json_t *value = json_object_get(said, "value"), *list;
    int status = 0;

    if (strcmp(said_text(said, "op"), "del") == 0)
        return 0;
    for (size_t i = 0; i < sizeof(properties) / sizeof(properties[0]); i++) {
        if (strcmp(properties[i].name, property) != 0)
            continue;
        list = value && properties[i].is_list && !json_is_array(value) ? json_pack("[O]", value)
                                                                       : json_incref(value);
        status = said_check(list, property, properties[i].shape, err);
        json_decref(list);
    }
    return status;
}

struct edit {
    const json_t *said;
    const char *metro;
};

/* A romsim_ledger_changer. */
static int change(void *context, json_t *entry, struct romsim_error *err)
{
    const struct edit *edit = context;

    if (romsim_group_edit(entry, edit->said, edit->metro, err) < 0)
        return -1;
    return strcmp(said_text(edit->said, "prop"), "services") == 0
               ? romsim_services_check(json_object_get(entry, "services"), err)
               : 0;
}

static json_t *edit_one(struct api_request *request, const json_t *said, struct romsim_error *err)
{
    struct edit edit = {said, api_options(request->api)->metro};
    const char *uuid = said_text(said, "uuid");
    json_t *entry, *item;

    if (check_value(said, err) < 0)
        return NULL;
    entry = romsim_ledger_change(ROMSIM_LEDGER_GROUPS, uuid ? NULL : said_text(said, "name"), uuid,
                                 change, &edit, err);
    if (!entry)
        return NULL;
    if (strcmp(said_text(said, "prop"), "services") == 0)
        api_warn(request, "not_simulated",
                 "instances that are in '%s' keep the ports that they have",
                 QUOTE(said_text(entry, "name")));
    item = group_reference(entry);
    if (json_object_get(said, "id"))
        json_object_set(item, "id", json_object_get(said, "id"));
    json_decref(entry);
    return item;
}

static void services_edit(struct api_request *request)
{
    said_each(request, edit_one);
}

/* ---- DELETE ------------------------------------------------------------------------------------
 */

/* Who uses it, as far as one knows. */
static void name_users(struct api_request *request, const json_t *said, struct romsim_error *err)
{
    json_t *entry = group_find(ROMSIM_LEDGER_GROUPS, said, NULL);
    json_t *instances = roll_items(api_roll(request->api)), *users;
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(sizeof(err->hint));

    users = instances_json(entry, instances);
    for (size_t i = 0; i < json_array_size(users); i++)
        romsim_buffer_printf(&text, "%s'%s'", i ? ", " : "by ",
                             QUOTE(said_text(json_array_get(users, i), "name")));
    if (text.data)
        romsim_error_hint(err, "%s", text.data);
    json_decref(users);
    json_decref(instances);
    json_decref(entry);
}

static json_t *delete_one(struct api_request *request, const json_t *said, struct romsim_error *err)
{
    const char *uuid = said_text(said, "uuid");
    json_t *entry = romsim_ledger_remove(ROMSIM_LEDGER_GROUPS,
                                         uuid ? NULL : said_text(said, "name"), uuid, err);
    json_t *item = entry ? group_reference(entry) : NULL;

    if (!entry && err->cloud == ROMSIM_CLOUD_ATTACHED)
        name_users(request, said, err);
    json_decref(entry);
    return item;
}

static void services_delete(struct api_request *request)
{
    said_each(request, delete_one);
}

/* ---- routes ------------------------------------------------------------------------------------
 */

#define ROUTE(route_method, route_path, handler, name, text, ...)                                  \
    {                                                                                              \
        .method = (route_method), .path = (route_path), .handle = (handler), .id = (name),         \
        .summary = (text), .list = "service_groups", __VA_ARGS__                                   \
    }

const struct api_route api_service_routes[] = {
    ROUTE(API_POST, "/v1/services", services_create, "createServiceGroup", "Make service groups",
          .body_kind = API_OBJECT_OR_LIST, .body = &create_shape, .item = &group_shape),
    ROUTE(API_GET, "/v1/services", services_get, "getServiceGroups", "Show service groups",
          .query = list_query, .body_kind = API_OBJECT_OR_LIST, .body = &reference_shape,
          .item = &group_shape),
    ROUTE(API_GET, "/v1/services/{uuid}", services_get, "getServiceGroup", "Show a service group",
          .query = one_query, .item = &group_shape),
    ROUTE(API_PATCH, "/v1/services", services_edit, "updateServiceGroups", "Change service groups",
          .body_kind = API_OBJECT_OR_LIST, .body = &patch_shape, .item = &patched_shape),
    ROUTE(API_PATCH, "/v1/services/{uuid}", services_edit, "updateServiceGroup",
          "Change a service group", .body_kind = API_OBJECT, .body = &patch_one_shape,
          .item = &patched_shape),
    ROUTE(API_DELETE, "/v1/services", services_delete, "deleteServiceGroups",
          "Remove service groups", .body_kind = API_OBJECT_OR_LIST, .body = &reference_shape,
          .item = &changed_shape),
    ROUTE(API_DELETE, "/v1/services/{uuid}", services_delete, "deleteServiceGroup",
          "Remove a service group", .item = &changed_shape),
    {0},
};
