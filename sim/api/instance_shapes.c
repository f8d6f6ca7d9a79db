/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * instance_shapes.c: what the instance endpoints take and give (cloud-api §1.3 to §1.6).
 *
 * Requests are compared with these shapes; those of answers are for the OpenAPI document, and a
 * test holds the answers against that.
 */
#include "instance.h"

#include <romsim/instance.h>

enum { LOG_MOST = 16383 }; /* cloud-api §1.5 */

static const struct romsim_shape any = {.kind = ROMSIM_SHAPE_ANY};
static const struct romsim_shape string = {.kind = ROMSIM_SHAPE_STRING};
static const struct romsim_shape strings = {.kind = ROMSIM_SHAPE_LIST, .item = &string};
static const struct romsim_shape string_map = {.kind = ROMSIM_SHAPE_MAP, .item = &string};
static const struct romsim_shape boolean = {.kind = ROMSIM_SHAPE_BOOLEAN};
static const struct romsim_shape count = {.kind = ROMSIM_SHAPE_INTEGER, .maximum = UINT32_MAX};
static const struct romsim_shape size = {.kind = ROMSIM_SHAPE_INTEGER, .maximum = INT64_MAX};
static const struct romsim_shape port = {
    .kind = ROMSIM_SHAPE_INTEGER, .minimum = 1, .maximum = 65535};
static const struct romsim_shape patience = {
    .kind = ROMSIM_SHAPE_INTEGER, .maximum = UINT32_MAX, .or_forever = true};
static const struct romsim_shape state = {
    .kind = ROMSIM_SHAPE_WORD,
    .words = ROMSIM_WORDS("stopped", "starting", "running", "draining", "stopping", "standby")};
/* What an answer may say of one that is gone, too. */
static const struct romsim_shape shown_state = {
    .kind = ROMSIM_SHAPE_WORD,
    .words = ROMSIM_WORDS("stopped", "starting", "running", "draining", "stopping", "standby",
                          "deleted")};

/* ---- bodies ------------------------------------------------------------------------------------
 */

#define REFERENCE                                                                                  \
    {"uuid", &string, 0, NULL},                                                                    \
    {                                                                                              \
        "name", &string, 0, NULL                                                                   \
    }

/* NAME_one_shape has these members, NAME_shape those of a reference as well. */
#define BODY(name, ...)                                                                            \
    static const struct romsim_member name##_members[] = {REFERENCE, __VA_ARGS__, ROMSIM_END};     \
    static const struct romsim_member name##_one_members[] = {__VA_ARGS__, ROMSIM_END};            \
    const struct romsim_shape name##_shape = {.kind = ROMSIM_SHAPE_OBJECT,                         \
                                              .members = name##_members};                          \
    const struct romsim_shape name##_one_shape = {.kind = ROMSIM_SHAPE_OBJECT,                     \
                                                  .members = name##_one_members}

static const struct romsim_member reference_members[] = {REFERENCE, ROMSIM_END};
const struct romsim_shape instance_reference_shape = {.kind = ROMSIM_SHAPE_OBJECT,
                                                      .members = reference_members};

static const struct romsim_shape op = {.kind = ROMSIM_SHAPE_WORD,
                                       .words = ROMSIM_WORDS("set", "add", "del")};
BODY(instance_patch, {"id", &string, 0, NULL}, {"prop", &string, ROMSIM_MEMBER_REQUIRED, NULL},
     {"op", &op, ROMSIM_MEMBER_REQUIRED, NULL}, {"value", &any, 0, NULL});

BODY(instance_delete, {"timeout_s", &patience, 0, NULL}, {"dont_retain", &boolean, 0, NULL});

BODY(instance_start, {"timeout_s", &patience, 0, NULL}, {"wait_timeout_ms", &patience, 0, NULL});

BODY(instance_stop, {"force", &boolean, 0, NULL}, {"drain_timeout_ms", &patience, 0, NULL},
     {"ifstate", &state, 0, NULL}, {"quick", &boolean, ROMSIM_MEMBER_IDLE, "false"},
     {"dump", &boolean, ROMSIM_MEMBER_IDLE, "false"});

BODY(instance_suspend, {"drain_timeout_ms", &patience, 0, NULL});

static const struct romsim_member template_create_members[] = {
    REFERENCE,
    {"timeout_s", &patience, 0, NULL},
    {"autokill", &any, ROMSIM_MEMBER_IDLE, NULL},
    ROMSIM_END,
};
const struct romsim_shape instance_template_shape = {.kind = ROMSIM_SHAPE_OBJECT,
                                                     .members = template_create_members};

/* `name` is the checkpoint's; which instance is saved stands in `from`. */
static const struct romsim_shape source = {.kind = ROMSIM_SHAPE_OBJECT,
                                           .members = reference_members};
static const struct romsim_member checkpoint_create_members[] = {
    {"from", &source, ROMSIM_MEMBER_REQUIRED, NULL},
    {"name", &string, 0, NULL},
    {"timeout_s", &patience, 0, NULL},
    {"tags", &strings, 0, NULL},
    {"autokill", &any, ROMSIM_MEMBER_IDLE, NULL},
    ROMSIM_END,
};
const struct romsim_shape instance_checkpoint_shape = {.kind = ROMSIM_SHAPE_OBJECT,
                                                       .members = checkpoint_create_members};

BODY(instance_wait, {"state", &state, 0, NULL}, {"timeout_s", &patience, 0, NULL},
     {"timeout_ms", &patience, 0, NULL});

/* An offset may be negative: from the end. */
static const struct romsim_shape offset = {
    .kind = ROMSIM_SHAPE_INTEGER, .maximum = INT64_MAX, .is_signed = true};
static const struct romsim_shape limit = {.kind = ROMSIM_SHAPE_INTEGER, .maximum = LOG_MOST};
BODY(instance_log, {"offset", &offset, 0, NULL}, {"limit", &limit, 0, NULL});

/* ---- queries -----------------------------------------------------------------------------------
 */

#define QUERY_END                                                                                  \
    {                                                                                              \
        0                                                                                          \
    }
#define QUERY_REFERENCE                                                                            \
    {"uuid", &string, "of the instances that are meant", true},                                    \
    {                                                                                              \
        "name", &string, "of the instances that are meant", true                                   \
    }

static const struct romsim_shape order = {.kind = ROMSIM_SHAPE_WORD,
                                          .words = ROMSIM_WORDS("asc", "desc")};
static const struct romsim_shape sortby = {.kind = ROMSIM_SHAPE_WORD,
                                           .words = ROMSIM_WORDS("create_time")};

#define QUERY_DETAILS                                                                              \
    {                                                                                              \
        "details", &boolean, "false: the names and UUIDs alone", false                             \
    }

const struct api_query instance_list_query[] = {
    QUERY_REFERENCE,
    QUERY_DETAILS,
    {"count", &count, "how many at most; 0: all", false},
    {"from", &string, "the first one: its UUID, or a time of creation", false},
    {"tags", &string, "tags that all have; several are divided by commas", true},
    {"order", &order, "by creation: asc, desc", false},
    {"sortby", &sortby, "what the order is by", false},
    QUERY_END,
};
const struct api_query instance_get_query[] = {QUERY_DETAILS, QUERY_END};
const struct api_query instance_reference_query[] = {QUERY_REFERENCE, QUERY_END};

/* An older specification has these there (cloud-api §1.3). */
const struct api_query instance_start_one_query[] = {
    {"timeout_s", &patience, "how long it is waited for; -1: for ever", false},
    {"wait_timeout_ms", &patience, "the older form of timeout_s", false},
    QUERY_END,
};
const struct api_query instance_stop_one_query[] = {
    {"force", &boolean, "true: at once", false},
    {"drain_timeout_ms", &patience, "for connections to end; -1: as long as may be", false},
    QUERY_END,
};

#define QUERY_WAIT                                                                                 \
    {"state", &state, "what is waited for; running", false},                                       \
        {"timeout_s", &patience, "0: not at all, -1: for ever", false},                            \
    {                                                                                              \
        "timeout_ms", &patience, "the older form of timeout_s", false                              \
    }
const struct api_query instance_wait_query[] = {QUERY_REFERENCE, QUERY_WAIT, QUERY_END};
const struct api_query instance_wait_one_query[] = {QUERY_WAIT, QUERY_END};

#define QUERY_LOG                                                                                  \
    {"offset", &offset, "the first byte; negative: from the end; -4096", false},                   \
    {                                                                                              \
        "limit", &limit, "bytes at most; 4096", false                                              \
    }
const struct api_query instance_log_query[] = {QUERY_REFERENCE, QUERY_LOG, QUERY_END};
const struct api_query instance_log_one_query[] = {QUERY_LOG, QUERY_END};

/* ---- answers -----------------------------------------------------------------------------------
 */

#define OBJECT(name, ...)                                                                          \
    static const struct romsim_member name##_members[] = {__VA_ARGS__, ROMSIM_END};                \
    static const struct romsim_shape name = {.kind = ROMSIM_SHAPE_OBJECT,                          \
                                             .members = name##_members};                           \
    static const struct romsim_shape name##_list                                                   \
        __attribute__((unused)) = {.kind = ROMSIM_SHAPE_LIST, .item = &name}

/* An answer's member that is always there, and one that may be. */
#define HAS(name, shape)                                                                           \
    {                                                                                              \
        name, shape, ROMSIM_MEMBER_REQUIRED, NULL                                                  \
    }
#define MAY(name, shape)                                                                           \
    {                                                                                              \
        name, shape, 0, NULL                                                                       \
    }

#define ITEM(name, ...)                                                                            \
    static const struct romsim_member name##_members[] = {__VA_ARGS__, ROMSIM_END};                \
    const struct romsim_shape name##_shape = {.kind = ROMSIM_SHAPE_OBJECT,                         \
                                              .members = name##_members}

OBJECT(shown_rom, MAY("name", &string), MAY("image", &string), MAY("at", &string));
OBJECT(shown_volume, HAS("uuid", &string), HAS("name", &string), HAS("at", &string),
       HAS("readonly", &boolean));
OBJECT(interface, HAS("uuid", &string), HAS("private_ip", &string), HAS("mac", &string));
OBJECT(restart, HAS("attempt", &count), MAY("next_at", &string));
OBJECT(update, HAS("prop", &string), HAS("op", &string), MAY("value", &any), HAS("status", &string),
       MAY("error", &string));
OBJECT(domain, HAS("fqdn", &string), MAY("certificate", &any));
OBJECT(service, HAS("port", &port), MAY("destination_port", &port), MAY("handlers", &strings));
OBJECT(group, MAY("uuid", &string), MAY("name", &string), MAY("domains", &domain_list),
       MAY("services", &service_list));

/* What the cloud has not. */
OBJECT(own_port, HAS("port", &port), HAS("destination_port", &port), HAS("url", &string));
OBJECT(ancestor, HAS("uuid", &string), HAS("name", &string), HAS("created_at", &string));
OBJECT(own, MAY("keeper_pid", &count), MAY("created_us", &size), MAY("ports", &own_port_list),
       MAY("isolated", &boolean), MAY("silent", &boolean), MAY("history", &ancestor_list),
       MAY("saving", &boolean));

ITEM(instance_item, HAS("uuid", &string), HAS("name", &string), HAS("created_at", &string),
     HAS("state", &shown_state), MAY("image", &string), HAS("memory_mb", &count),
     HAS("vcpus", &count), MAY("args", &strings), HAS("env", &string_map),
     HAS("restart_policy", &string), HAS("roms", &shown_rom_list),
     HAS("volumes", &shown_volume_list), HAS("hostname", &string), HAS("private_fqdn", &string),
     HAS("private_ip", &string), HAS("network_interfaces", &interface_list),
     MAY("service_group", &group), HAS("start_count", &count), HAS("restart_count", &count),
     MAY("restart", &restart), MAY("started_at", &string), MAY("stopped_at", &string),
     MAY("stop_reason", &count), MAY("stop_code", &count), MAY("exit_code", &count),
     HAS("uptime_ms", &size), HAS("boot_time_us", &size), HAS("net_time_us", &size),
     MAY("updates", &update_list),
     /* As they were asked for, and without effect here. */
     MAY("scale_to_zero", &any), MAY("features", &strings), MAY("plugins", &any),
     MAY("tags", &strings), MAY("template", &any), MAY("branch_from", &any),
     MAY("checkpoint", &any), MAY("sched_priority", &any), MAY("schedules", &any),
     MAY("autokill", &any), MAY("dependencies", &any), MAY("gateway", &any),
     MAY("nameserver", &any), MAY("type", &string), MAY("gpus", &any), MAY("annotations", &any),
     MAY("vsock", &any), MAY("delete_lock", &any), MAY("romsim", &own));

ITEM(instance_created, HAS("uuid", &string), HAS("name", &string), HAS("state", &string),
     MAY("created_at", &string), MAY("private_fqdn", &string), MAY("private_ip", &string),
     MAY("network_interfaces", &interface_list), MAY("service_group", &group),
     MAY("boot_time_us", &size));
ITEM(instance_edited, HAS("uuid", &string), HAS("name", &string), MAY("id", &string));
ITEM(instance_deleted, HAS("uuid", &string), HAS("name", &string),
     HAS("previous_state", &shown_state));
ITEM(instance_changed, HAS("uuid", &string), HAS("name", &string), HAS("state", &string),
     HAS("previous_state", &shown_state));
ITEM(instance_state, HAS("uuid", &string), HAS("name", &string), HAS("state", &string));

ITEM(instance_history, HAS("uuid", &string), HAS("name", &string), HAS("history", &ancestor_list));

OBJECT(range, HAS("start", &size), HAS("end", &size));
ITEM(instance_logged, HAS("uuid", &string), HAS("name", &string), HAS("state", &string),
     HAS("output", &string), HAS("available", &range), HAS("range", &range));

ITEM(instance_metrics, HAS("uuid", &string), HAS("name", &string), HAS("state", &string),
     HAS("start_count", &count), HAS("restart_count", &count), MAY("started_at", &string),
     MAY("stopped_at", &string), HAS("uptime_ms", &size), HAS("boot_time_us", &size),
     HAS("net_time_us", &size), HAS("rss_bytes", &size), HAS("cpu_time_ms", &size),
     HAS("rx_bytes", &size), HAS("rx_packets", &size), HAS("tx_bytes", &size),
     HAS("tx_packets", &size), HAS("nconns", &count));
