/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * instance_create.c: POST: instances made of a request by a maker (maker.h), and waited for.
 *
 * If one instance was asked for and cannot be made, the request fails as a whole; of several those
 * that failed are items beside the others (cloud-api §1.2).
 */
#include "instance.h"
#include "maker.h"

#include <romsim/cleanup.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const created_members[] = {"uuid",          "name",       "state",
                                              "private_fqdn",  "private_ip", "network_interfaces",
                                              "service_group", "created_at", NULL};

/* What is known only once it is waited for. */
static const char *const awaited_members[] = {"state", "boot_time_us", NULL};

/* ---- errors ------------------------------------------------------------------------------------
 */

/* What the maker says of an error; its text may be longer than an error's. */
static const char *take_error(const json_t *error, struct romsim_error *ret)
{
    const char *message = json_string_value(json_object_get(error, "message"));

    romsim_error_set(ret, (int)json_integer_value(json_object_get(error, "errno")), "%s",
                     message ? message : "it was not made");
    ret->cloud = (enum romsim_cloud_code)json_integer_value(json_object_get(error, "code"));
    return message ? message : ret->message;
}

/* What is wrong with a request is the client's mistake, whatever the code. */
static unsigned http_of(const struct romsim_error *err)
{
    unsigned http = api_http_status(err);

    return http == 500 && (err->errnum == EINVAL || err->errnum == EFBIG) ? 400 : http;
}

static void reply_error(struct api_request *request, const json_t *error)
{
    struct romsim_error err;
    const char *message = take_error(error, &err);

    api_reply_fail(request, http_of(&err), err.cloud, "%s", message);
}

/* ---- what was made -----------------------------------------------------------------------------
 */

static json_t *error_item(const json_t *made)
{
    struct romsim_error err;
    const char *name = json_string_value(json_object_get(made, "name"));

    take_error(json_object_get(made, "error"), &err);
    return api_item_error("name", name, &err);
}

/* Who has named a time-out waits until it runs. */
static void await_made(struct awaited *ret, const char *name, const struct roll_entry *entry)
{
    ret->name = strdup(name);
    if (!ret->name)
        return;
    ret->goal = GOAL_RUN;
    ret->starts = 1;
    ret->members = awaited_members;
    if (entry)
        ret->last = json_incref(entry->item);
    else
        ret->is_gone = true;
}

static void take_made(struct api_request *request, const json_t *made, struct awaited *ret)
{
    const char *name = json_string_value(json_object_get(made, "name"));
    struct roll_entry *entry;

    if (json_object_get(made, "error") || !name) {
        ret->item = error_item(made);
        return;
    }
    roll_refresh(api_roll(request->api), name);
    entry = roll_find(api_roll(request->api), NULL,
                      json_string_value(json_object_get(made, "uuid")) ?: "");
    /* One that is gone by now was made all the same. */
    ret->item =
        entry
            ? instance_part(entry->item, created_members)
            : api_item_success(json_pack("{s:O*, s:s, s:s}", "uuid", json_object_get(made, "uuid"),
                                         "name", name, "state", "deleted"));
    if (json_integer_value(json_object_get(made, "timeout_s")) != 0)
        await_made(ret, name, entry);
    roll_entry_free(entry);
}

/* The longest of all, which counts for all. */
static int64_t patience_of(const json_t *instances)
{
    json_int_t longest = 0;

    for (size_t i = 0; i < json_array_size(instances); i++) {
        const json_t *timeout = json_object_get(json_array_get(instances, i), "timeout_s");
        json_int_t seconds = json_integer_value(timeout);

        if (seconds < 0)
            return -1;
        longest = seconds > longest ? seconds : longest;
    }
    return longest * 1000;
}

static void reply_made(struct api_request *request, const json_t *instances)
{
    size_t count = json_array_size(instances);
    struct awaited *list = calloc(count + 1, sizeof(*list));

    if (!list) {
        api_reply_fail(request, 503, ROMSIM_CLOUD_FAILED_OPERATION, "out of memory");
        return;
    }
    for (size_t i = 0; i < count; i++)
        take_made(request, json_array_get(instances, i), &list[i]);
    instances_await(request, list, count, patience_of(instances), false);
}

/* ---- warnings ----------------------------------------------------------------------------------
 */

/* Clients know the type of what is deprecated (cloud-api §1.2). */
static const char *warning_type(const char *text)
{
    if (strstr(text, "is deprecated"))
        return "deprecated";
    return strncmp(text, "accepted, but not simulated", 27) == 0 ? "not_simulated" : "note";
}

static void add_warnings(struct api_request *request, const json_t *warnings)
{
    for (size_t i = 0; i < json_array_size(warnings); i++) {
        const char *text = json_string_value(json_array_get(warnings, i));

        if (text)
            api_warn(request, warning_type(text), "%s", text);
    }
}

/* ---- the request -------------------------------------------------------------------------------
 */

/* A maker_told. */
static void on_made(void *context, const json_t *answer, const struct romsim_error *err)
{
    struct api_request *request = context;
    const json_t *instances = json_object_get(answer, "instances");
    const json_t *error = json_object_get(answer, "error");

    api_request_forget_body(request);
    if (!answer) {
        api_reply_error(request, http_of(err), err);
        return;
    }
    add_warnings(request, json_object_get(answer, "warnings"));
    if (!error && json_array_size(instances) == 1)
        error = json_object_get(json_array_get(instances, 0), "error");
    if (error)
        reply_error(request, error);
    else if (json_array_size(instances) == 0)
        api_reply_fail(request, 500, ROMSIM_CLOUD_FAILED_OPERATION, "nothing was made");
    else
        reply_made(request, instances);
}

void instances_create(struct api_request *request)
{
    makers_make(api_makers(request->api), request->body, request->body_size, on_made, request);
}
