/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * autoscale.c: the scaling of service groups (cloud-api §1.3), which is kept with the group and
 * shown; nothing is scaled.
 */
#include "group.h"
#include "said.h"
#include "shapes.h"

#include <romsim/cleanup.h>
#include <romsim/text.h>

#include <errno.h>
#include <string.h>

/* The cloud's sample account: 0 to 16 instances (cloud-api §1.3, "Quotas"). */
enum { SIZE_MOST = 16, POLICIES_MOST = 16, STEPS_MOST = 4 };

/* ---- what is taken and given -------------------------------------------------------------------
 */

static const struct romsim_shape group_size = {.kind = ROMSIM_SHAPE_INTEGER, .maximum = UINT32_MAX};
static const struct romsim_shape number = {
    .kind = ROMSIM_SHAPE_INTEGER, .maximum = INT32_MAX, .is_signed = true};
static const struct romsim_shape adjustment_type = {
    .kind = ROMSIM_SHAPE_WORD, .words = ROMSIM_WORDS("change", "exact", "percent", "percentage")};
static const struct romsim_shape metric = {
    .kind = ROMSIM_SHAPE_WORD, .words = ROMSIM_WORDS("cpu", "inflight_reqs", "reqs_per_sec")};

OBJECT(step, HAS("adjustment", &number), MAY("lower_bound", &count_shape),
       MAY("upper_bound", &count_shape));
static const struct romsim_shape steps = {
    .kind = ROMSIM_SHAPE_LIST, .item = &step_shape, .maximum = STEPS_MOST};
/* `type` is a word in the cloud's documents and an object in its clients. */
OBJECT(policy, HAS("name", &string_shape), MAY("type", &any_shape), MAY("enabled", &boolean_shape),
       MAY("metric", &metric), MAY("adjustment_type", &adjustment_type), MAY("steps", &steps),
       MAY("replace", &boolean_shape), MAY("num_requests", &count_shape),
       MAY("idle_time_ms", &count_shape));
static const struct romsim_shape policies = {
    .kind = ROMSIM_SHAPE_LIST, .item = &policy_shape, .maximum = POLICIES_MOST};

/* `high_watermark` is a fraction, which no other number of the API is. */
#define CONFIGURATION                                                                              \
    MAY("min_size", &group_size), MAY("max_size", &group_size),                                    \
        MAY("warmup_time_ms", &count_shape), MAY("cooldown_time_ms", &count_shape),                \
        MAY("high_watermark", &any_shape), MAY("template", &reference_shape),                      \
        MAY("create_args", &any_shape), MAY("policies", &policies)
OBJECT(configuration, MAY("uuid", &string_shape), MAY("name", &string_shape), CONFIGURATION);
OBJECT(shown, HAS("uuid", &string_shape), HAS("name", &string_shape),
       HAS("enabled", &boolean_shape), CONFIGURATION);
OBJECT(policy_name, HAS("name", &string_shape));
OBJECT(shown_policy, MAY("name", &string_shape), HAS("policy", &policy_shape));

/* ---- configurations ----------------------------------------------------------------------------
 */

static void warn(struct api_request *request)
{
    api_warn(request, "not_simulated", "autoscale: accepted, but not simulated");
}

static int complain(struct romsim_error *err, enum romsim_cloud_code code, const char *message)
{
    romsim_error_set(err, EINVAL, "%s", message);
    err->cloud = code;
    return -1;
}

static int check_sizes(const json_t *said, struct romsim_error *err)
{
    json_int_t least = json_integer_value(json_object_get(said, "min_size"));
    const json_t *value = json_object_get(said, "max_size");
    json_int_t most = value ? json_integer_value(value) : least;

    if (least <= most && most <= SIZE_MOST)
        return 0;
    romsim_error_set(err, EINVAL, "Invalid size of an autoscale group: %lld to %lld",
                     (long long)least, (long long)most);
    err->cloud = ROMSIM_CLOUD_AUTOSCALE_SIZE;
    return romsim_error_hint(err, "from 0 to %d", SIZE_MOST);
}

static size_t find_policy(const json_t *list, const char *name)
{
    size_t i = 0;

    while (i < json_array_size(list) &&
           strcmp(said_text(json_array_get(list, i), "name"), name) != 0)
        i++;
    return i;
}

static int refuse_twice(const char *name, struct romsim_error *err)
{
    romsim_error_set(err, EEXIST, "A policy with the name '%s' already exists", QUOTE(name));
    err->cloud = ROMSIM_CLOUD_ALREADY_EXISTS;
    return -1;
}

/* Each name once. */
static int check_policies(const json_t *list, struct romsim_error *err)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = said_text(json_array_get(list, i), "name");

        if (find_policy(list, name) < i)
            return refuse_twice(name, err);
    }
    return 0;
}

/* A policy as it is shown: it is enabled unless it says otherwise. */
static json_t *make_policy(const json_t *said)
{
    json_t *policy = json_deep_copy(said);

    json_object_del(policy, "uuid"); /* of the group, by the path */
    if (!json_object_get(policy, "enabled"))
        json_object_set_new(policy, "enabled", json_true());
    return policy;
}

/* A romsim_ledger_changer. */
static int configure(void *context, json_t *entry, struct romsim_error *err)
{
    const json_t *said = context, *wanted = json_object_get(said, "policies");
    json_t *configuration, *list = json_array();

    if (json_object_get(entry, "autoscale")) {
        json_decref(list);
        return complain(err, ROMSIM_CLOUD_AUTOSCALE_CONFIGURED, "Autoscale is configured already");
    }
    configuration = json_deep_copy(said);
    json_object_del(configuration, "uuid");
    json_object_del(configuration, "name");
    for (size_t i = 0; i < json_array_size(wanted); i++)
        json_array_append_new(list, make_policy(json_array_get(wanted, i)));
    json_object_set_new(configuration, "policies", list);
    return json_object_set_new(entry, "autoscale", configuration) < 0 ? romsim_error_nomem(err) : 0;
}

static json_t *change(const json_t *said, romsim_ledger_changer *changer, void *context,
                      struct romsim_error *err)
{
    const char *uuid = said_text(said, "uuid");

    return romsim_ledger_change(ROMSIM_LEDGER_GROUPS, uuid ? NULL : said_text(said, "name"), uuid,
                                changer, context, err);
}

/* The item of an entry that was changed, which is taken. */
static json_t *changed(json_t *entry)
{
    json_t *item = entry ? group_reference(entry) : NULL;

    json_decref(entry);
    return item;
}

static json_t *create_one(struct api_request *request, const json_t *said, struct romsim_error *err)
{
    (void)request;
    if (check_sizes(said, err) < 0 || check_policies(json_object_get(said, "policies"), err) < 0)
        return NULL;
    return changed(change(said, configure, (void *)said, err));
}

static void autoscale_create(struct api_request *request)
{
    warn(request);
    said_each(request, create_one);
}

static json_t *show(const json_t *entry, const json_t *context, bool has_details)
{
    json_t *item = group_reference(entry), *configuration = json_object_get(entry, "autoscale");

    (void)context, (void)has_details;
    json_object_set_new(item, "enabled", json_boolean(configuration));
    if (configuration)
        json_object_update(item, configuration);
    return item;
}

static void autoscale_get(struct api_request *request)
{
    group_reply(request, ROMSIM_LEDGER_GROUPS, show, NULL);
}

static int refuse_absent(struct romsim_error *err)
{
    return complain(err, ROMSIM_CLOUD_AUTOSCALE_NOT_CONFIGURED, "Autoscale is not configured");
}

/* A romsim_ledger_changer. */
static int unconfigure(void *context, json_t *entry, struct romsim_error *err)
{
    (void)context;
    return json_object_del(entry, "autoscale") < 0 ? refuse_absent(err) : 0;
}

static json_t *delete_one(struct api_request *request, const json_t *said, struct romsim_error *err)
{
    (void)request;
    return changed(change(said, unconfigure, NULL, err));
}

static void autoscale_delete(struct api_request *request)
{
    said_each(request, delete_one);
}

/* ---- policies ----------------------------------------------------------------------------------
 */

/* A romsim_ledger_changer. */
static int add_policy(void *context, json_t *entry, struct romsim_error *err)
{
    const json_t *said = context;
    json_t *list = json_object_get(json_object_get(entry, "autoscale"), "policies");

    if (!list)
        return refuse_absent(err);
    if (find_policy(list, said_text(said, "name")) < json_array_size(list))
        return refuse_twice(said_text(said, "name"), err);
    if (json_array_size(list) == POLICIES_MOST)
        return complain(err, ROMSIM_CLOUD_TOO_MANY, "Too many policies: at most 16");
    return json_array_append_new(list, make_policy(said)) < 0 ? romsim_error_nomem(err) : 0;
}

static int refuse_unknown(const char *name, struct romsim_error *err)
{
    romsim_error_set(err, ENOENT, "No policy with name '%s'", QUOTE(name));
    err->cloud = ROMSIM_CLOUD_NOT_FOUND;
    return -1;
}

/* A romsim_ledger_changer. */
static int delete_policy(void *context, json_t *entry, struct romsim_error *err)
{
    const char *name = context;
    json_t *list = json_object_get(json_object_get(entry, "autoscale"), "policies");

    if (!list)
        return refuse_absent(err);
    return json_array_remove(list, find_policy(list, name)) < 0 ? refuse_unknown(name, err) : 0;
}

/* The group of the path, for change() and group_find(). */
static json_t *path_group(const struct api_request *request)
{
    return json_pack("{s:s}", "uuid", request->captures[0]);
}

static void reply_policy(struct api_request *request, json_t *item, const char *name,
                         const struct romsim_error *err)
{
    json_t *items = json_array();

    json_array_append_new(items, item ? item : api_item_error("name", name, err));
    api_reply_items(request, items);
}

/* What has become of a policy, of the path or of a body with its name. */
static void change_policy(struct api_request *request, romsim_ledger_changer *changer, bool is_new)
{
    json_t *items, *group, *entry;
    struct romsim_error err = {0};
    const json_t *said;
    const char *name;

    if (!said_path(request))
        return;
    items = request->captures[1] ? json_pack("[{s:s}]", "name", request->captures[1])
                                 : api_request_items(request);
    said = json_array_get(items, 0);
    if (items && !said)
        api_reply_fail(request, 400, ROMSIM_CLOUD_MALFORMED_REQUEST, "Missing member name");
    if (!said) {
        json_decref(items);
        return;
    }
    name = said_text(said, "name");
    group = path_group(request);
    entry = change(group, changer, is_new ? (void *)said : (void *)name, &err);
    reply_policy(request,
                 entry ? api_item_success(json_pack("{s:O, s:s}", "uuid",
                                                    json_object_get(entry, "uuid"), "name", name))
                       : NULL,
                 name, &err);
    json_decref(entry);
    json_decref(group);
    json_decref(items);
}

static void policy_create(struct api_request *request)
{
    warn(request);
    change_policy(request, add_policy, true);
}

static void policy_delete(struct api_request *request)
{
    change_policy(request, delete_policy, false);
}

static json_t *show_policy(json_t *policy)
{
    return api_item_success(
        json_pack("{s:O, s:O}", "name", json_object_get(policy, "name"), "policy", policy));
}

static void policies_get(struct api_request *request)
{
    const char *name = request->captures[1];
    json_t *group, *items, *entry, *list;
    struct romsim_error err = {0};

    if (!said_path(request))
        return;
    group = path_group(request);
    items = json_array();
    entry = group_find(ROMSIM_LEDGER_GROUPS, group, &err);
    list = json_object_get(json_object_get(entry, "autoscale"), "policies");
    if (entry && !list)
        refuse_absent(&err);
    else if (list && name && find_policy(list, name) == json_array_size(list))
        refuse_unknown(name, &err);
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!name || i == find_policy(list, name))
            json_array_append_new(items, show_policy(json_array_get(list, i)));
    if (err.errnum)
        json_array_append_new(items,
                              api_item_error(name && list ? "name" : "uuid",
                                             name && list ? name : request->captures[0], &err));
    api_reply_items(request, items);
    json_decref(entry);
    json_decref(group);
}

/* ---- routes ------------------------------------------------------------------------------------
 */

#define ROUTE(route_method, route_path, handler, name, text, in, ...)                              \
    {                                                                                              \
        .method = (route_method), .path = "/v1/services/" route_path, .handle = (handler),         \
        .id = (name), .summary = (text), .list = (in), __VA_ARGS__                                 \
    }
#define GROUP    "{uuid}/autoscale"
#define POLICIES GROUP "/policies"

const struct api_route api_autoscale_routes[] = {
    ROUTE(API_POST, "autoscale", autoscale_create, "createAutoscaleConfigurations",
          "Say how service groups are to be scaled, which they are not", "service_groups",
          .body_kind = API_OBJECT_OR_LIST, .body = &configuration_shape, .item = &changed_shape),
    ROUTE(API_GET, "autoscale", autoscale_get, "getAutoscaleConfigurations",
          "Show how service groups are to be scaled", "service_groups", .query = reference_query,
          .body_kind = API_OBJECT_OR_LIST, .body = &reference_shape, .item = &shown_shape),
    ROUTE(API_DELETE, "autoscale", autoscale_delete, "deleteAutoscaleConfigurations",
          "Forget how service groups are to be scaled", "service_groups",
          .body_kind = API_OBJECT_OR_LIST, .body = &reference_shape, .item = &changed_shape),
    ROUTE(API_POST, GROUP, autoscale_create, "createAutoscaleConfiguration",
          "Say how a service group is to be scaled, which it is not", "service_groups",
          .body_kind = API_OBJECT, .body = &configuration_shape, .item = &changed_shape),
    ROUTE(API_GET, GROUP, autoscale_get, "getAutoscaleConfiguration",
          "Show how a service group is to be scaled", "service_groups", .item = &shown_shape),
    ROUTE(API_DELETE, GROUP, autoscale_delete, "deleteAutoscaleConfiguration",
          "Forget how a service group is to be scaled", "service_groups", .item = &changed_shape),
    ROUTE(API_POST, POLICIES, policy_create, "createAutoscaleConfigurationPolicy",
          "Add a policy to it", "policies", .body_kind = API_OBJECT, .body = &policy_shape,
          .item = &changed_shape),
    ROUTE(API_GET, POLICIES, policies_get, "getAutoscaleConfigurationPolicies", "Show its policies",
          "policies", .item = &shown_policy_shape),
    ROUTE(API_DELETE, POLICIES, policy_delete, "deleteAutoscaleConfigurationPolicies",
          "Take a policy away", "policies", .body_kind = API_OBJECT, .body = &policy_name_shape,
          .item = &changed_shape),
    ROUTE(API_GET, POLICIES "/{name}", policies_get, "getAutoscaleConfigurationPolicy",
          "Show a policy", "policies", .item = &shown_policy_shape),
    ROUTE(API_DELETE, POLICIES "/{name}", policy_delete, "deleteAutoscaleConfigurationPolicy",
          "Take a policy away", "policies", .item = &changed_shape),
    {0},
};
