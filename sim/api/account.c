/* SPDX-License-Identifier: BSD-3-Clause */
/* account.c: the user's quotas, and whether the server is well (cloud-api §1.3). */
#include "roll.h"
#include "said.h"
#include "shapes.h"

#include <romsim/digest.h>
#include <romsim/group.h>
#include <romsim/text.h>
#include <romsim/uuid.h>
#include <romsim/volume.h>

#include <errno.h>
#include <string.h>
#include <strings.h>

/* Where nothing but the machine sets a limit; and how many processors QEMU's machine has. */
enum { NO_LIMIT = INT32_MAX, VCPUS_MOST = 255, AUTOSCALE_MOST = 16 };

/* ---- what is given -----------------------------------------------------------------------------
 */

OBJECT(stats, HAS("instances", &count_shape), HAS("live_instances", &count_shape),
       HAS("live_vcpus", &count_shape), HAS("live_memory_mb", &size_shape),
       HAS("service_groups", &count_shape), HAS("services", &count_shape),
       HAS("volumes", &count_shape), HAS("total_volume_mb", &size_shape));
OBJECT(limits, HAS("min_memory_mb", &count_shape), HAS("max_memory_mb", &count_shape),
       HAS("min_volume_mb", &count_shape), HAS("max_volume_mb", &count_shape),
       HAS("min_autoscale_size", &count_shape), HAS("max_autoscale_size", &count_shape),
       HAS("min_vcpus", &count_shape), HAS("max_vcpus", &count_shape));
OBJECT(quotas, HAS("uuid", &string_shape), HAS("used", &stats_shape), HAS("hard", &stats_shape),
       HAS("limits", &limits_shape));

OBJECT(checks, HAS("images", &string_shape));
OBJECT(health, HAS("checks", &checks_shape));

/* ---- quotas ------------------------------------------------------------------------------------
 */

/* The user's UUID, the same for one name everywhere (RFC 9562, version 8). */
static void user_uuid(const char *name, char ret[ROMSIM_UUID_SIZE])
{
    uint8_t digest[ROMSIM_SHA256_SIZE];
    char hex[33];

    romsim_sha256(name, strlen(name), digest);
    digest[6] = (uint8_t)(0x80 | (digest[6] & 0x0f));
    digest[8] = (uint8_t)(0x80 | (digest[8] & 0x3f));
    romsim_text_hex(digest, 16, hex);
    snprintf(ret, ROMSIM_UUID_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
             hex + 20);
}

struct used {
    json_int_t instances, live, vcpus, memory_mb, groups, services, volumes, volume_mb;
};

static json_t *stats_json(const struct used *used)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "instances", used->instances,
                     "live_instances", used->live, "live_vcpus", used->vcpus, "live_memory_mb",
                     used->memory_mb, "service_groups", used->groups, "services", used->services,
                     "volumes", used->volumes, "total_volume_mb", used->volume_mb);
}

static void count_instances(struct api_request *request, struct used *used)
{
    json_t *items = roll_items(api_roll(request->api));

    used->instances = (json_int_t)json_array_size(items);
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i);
        const char *state = said_text(item, "state");

        if (!state || strcmp(state, "stopped") == 0 || strcmp(state, "standby") == 0)
            continue;
        used->live++;
        used->vcpus += json_integer_value(json_object_get(item, "vcpus"));
        used->memory_mb += json_integer_value(json_object_get(item, "memory_mb"));
    }
    json_decref(items);
}

static int count_others(struct used *used, struct romsim_error *err)
{
    CLEANUP_VOLUMES struct romsim_volume_infos infos = {0};
    json_t *groups = romsim_ledger_list(ROMSIM_LEDGER_GROUPS, err);

    if (!groups)
        return -1;
    used->groups = (json_int_t)json_array_size(groups);
    for (size_t i = 0; i < json_array_size(groups); i++)
        used->services +=
            (json_int_t)json_array_size(json_object_get(json_array_get(groups, i), "services"));
    json_decref(groups);
    if (romsim_volume_list(&infos, NULL, NULL, err) < 0)
        return -1;
    used->volumes = (json_int_t)infos.count;
    for (size_t i = 0; i < infos.count; i++)
        used->volume_mb += (json_int_t)(infos.items[i].size >> 20);
    return 0;
}

static json_t *limits_json(const struct romsim_limits *limits)
{
    return json_pack("{s:I, s:I, s:i, s:i, s:i, s:i, s:i, s:i}", "min_memory_mb",
                     (json_int_t)limits->memory_min_mb, "max_memory_mb",
                     (json_int_t)limits->memory_max_mb, "min_volume_mb", ROMSIM_VOLUME_MIN_MB,
                     "max_volume_mb", ROMSIM_VOLUME_MAX_MB, "min_autoscale_size", 0,
                     "max_autoscale_size", AUTOSCALE_MOST, "min_vcpus", 1, "max_vcpus", VCPUS_MOST);
}

static json_t *quotas_json(struct api_request *request, const char *uuid, struct romsim_error *err)
{
    static const struct used hard = {.instances = NO_LIMIT,
                                     .live = NO_LIMIT,
                                     .vcpus = NO_LIMIT,
                                     .memory_mb = NO_LIMIT,
                                     .groups = ROMSIM_LEDGER_MAX,
                                     .services = NO_LIMIT,
                                     .volumes = NO_LIMIT,
                                     .volume_mb = NO_LIMIT};
    struct used used = {0};

    count_instances(request, &used);
    if (count_others(&used, err) < 0)
        return NULL;
    return api_item_success(json_pack("{s:s, s:o, s:o, s:o}", "uuid", uuid, "used",
                                      stats_json(&used), "hard", stats_json(&hard), "limits",
                                      limits_json(&api_options(request->api)->vm.limits)));
}

static void quotas_get(struct api_request *request)
{
    const char *wanted = request->captures[0] ? said_path(request) : NULL;
    char uuid[ROMSIM_UUID_SIZE];
    struct romsim_error err = {0};
    json_t *items, *item = NULL;

    if (request->captures[0] && !wanted)
        return;
    user_uuid(api_options(request->api)->organization, uuid);
    if (wanted && strcasecmp(wanted, uuid) != 0) {
        romsim_error_set(&err, ENOENT, "No user with uuid '%s'", QUOTE(wanted));
        err.cloud = ROMSIM_CLOUD_NOT_FOUND;
    } else {
        item = quotas_json(request, uuid, &err);
    }
    items = json_array();
    json_array_append_new(items, item ? item : api_item_error("uuid", wanted ?: uuid, &err));
    api_reply_items(request, items);
}

/* ---- health ------------------------------------------------------------------------------------
 */

static void healthz_get(struct api_request *request)
{
    api_reply_data(request, json_pack("{s:{s:s}}", "checks", "images", "healthy"));
}

const struct api_route api_account_routes[] = {
    {.method = API_GET,
     .path = "/v1/users/quotas",
     .handle = quotas_get,
     .id = "getQuotas",
     .summary = "Show what is used and what can be",
     .list = "quotas",
     .item = &quotas_shape},
    {.method = API_GET,
     .path = "/v1/users/{uuid}/quotas",
     .handle = quotas_get,
     .id = "getUserQuotas",
     .summary = "Show what a user uses and can use",
     .list = "quotas",
     .item = &quotas_shape},
    {.method = API_GET,
     .path = "/v1/healthz",
     .handle = healthz_get,
     .flags = API_OPEN | API_QUICK,
     .id = "healthz",
     .summary = "Say that the server is there",
     .item = &health_shape},
    {0},
};
