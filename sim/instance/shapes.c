/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shapes.c: what POST /v1/instances takes, as tables (cloud-rules §1), and romsim's own `dir`.
 *
 * MEMBER_IDLE marks what romsim checks and does not simulate; a warning names such members.
 * Objects that are known by some of their members only are `open`.
 */
#include "schema.h"

static const struct shape any = {.kind = SHAPE_ANY};
static const struct shape string = {.kind = SHAPE_STRING};
static const struct shape binary_string = {.kind = SHAPE_STRING, .binary = true};
static const struct shape boolean = {.kind = SHAPE_BOOLEAN};
static const struct shape count = {.kind = SHAPE_INTEGER, .maximum = UINT32_MAX};
static const struct shape positive = {.kind = SHAPE_INTEGER, .minimum = 1, .maximum = UINT32_MAX};
static const struct shape number16 = {.kind = SHAPE_INTEGER, .minimum = 1, .maximum = 65535};
static const struct shape anything_list = {.kind = SHAPE_LIST, .item = &any};
static const struct shape strings = {
    .kind = SHAPE_LIST, .item = &string, .hint = "one item for each: [\"first\", \"second\"]"};
static const struct shape string_map = {
    .kind = SHAPE_MAP, .item = &string, .hint = "each member is NAME: VALUE"};

/* ---- image ------------------------------------------------------------------------------- */

static const struct member image_members[] = {
    {"url", &string, MEMBER_REQUIRED, NULL},
    {"credentials", &any, MEMBER_IDLE, NULL},
    {"headers", &any, MEMBER_IDLE, NULL},
    {"pull_policy", &string, MEMBER_IDLE, NULL},
    END,
};
static const struct shape image = {
    .kind = SHAPE_EITHER, .members = image_members, .hint = "an image reference, or {url: ...}"};

/* ---- roms -------------------------------------------------------------------------------- */

static const struct shape encoding = {.kind = SHAPE_WORD, .words = WORDS("text", "base64")};
static const struct member file_members[] = {
    {"path", &string, MEMBER_REQUIRED, NULL},
    {"encoding", &encoding, 0, NULL},
    {"data", &binary_string, MEMBER_REQUIRED, NULL},
    END,
};
static const struct shape file = {
    .kind = SHAPE_OBJECT, .members = file_members, .hint = "a file has path, encoding and data"};
static const struct shape files = {
    .kind = SHAPE_LIST, .item = &file, .hint = "each item has path, encoding and data"};
static const struct member rom_members[] = {
    {"name", &string, 0, NULL}, {"image", &image, 0, NULL}, {"files", &files, 0, NULL},
    {"at", &string, 0, NULL},   {"dir", &string, 0, NULL},  END,
};
static const struct shape rom = {
    .kind = SHAPE_OBJECT, .members = rom_members, .hint = "a ROM has name, at, and image or files"};
static const struct shape roms = {
    .kind = SHAPE_LIST, .item = &rom, .hint = "each item has name, at, and image or files"};

/* ---- service_group ----------------------------------------------------------------------- */

static const struct shape handler = {.kind = SHAPE_WORD, .words = WORDS("tls", "http", "redirect")};
static const struct shape handlers = {.kind = SHAPE_LIST, .item = &handler, .hint = "[tls, http]"};
static const struct member service_members[] = {
    {"port", &number16, MEMBER_REQUIRED, NULL},
    {"destination_port", &number16, 0, NULL},
    {"handlers", &handlers, 0, NULL},
    END,
};
static const struct shape service = {.kind = SHAPE_OBJECT, .members = service_members};
static const struct shape services = {
    .kind = SHAPE_LIST, .item = &service, .hint = "each item has port, destination_port, handlers"};
static const struct member service_group_members[] = {
    {"uuid", &string, MEMBER_IDLE, NULL},
    {"name", &string, MEMBER_IDLE, NULL},
    {"services", &services, 0, NULL},
    {"domains", &anything_list, MEMBER_IDLE, NULL},
    {"soft_limit", &number16, MEMBER_IDLE, NULL},
    {"hard_limit", &number16, MEMBER_IDLE, NULL},
    END,
};
static const struct shape service_group = {
    .kind = SHAPE_OBJECT, .members = service_group_members, .hint = "it has services: [...]"};

/* ---- what romsim does not simulate ------------------------------------------------------- */

static const struct member volume_members[] = {
    {"uuid", &string, 0, NULL},
    {"name", &string, 0, NULL},
    {"at", &string, MEMBER_REQUIRED, NULL},
    {"size_mb", &positive, 0, NULL},
    {"readonly", &boolean, 0, NULL},
    END,
};
static const struct shape volume = {.kind = SHAPE_OBJECT, .members = volume_members, .open = true};
static const struct shape volumes = {.kind = SHAPE_LIST, .item = &volume};

static const struct shape scale_policy = {.kind = SHAPE_WORD, .words = WORDS("on", "off", "idle")};
static const struct member scale_members[] = {
    {"policy", &scale_policy, 0, NULL},
    {"stateful", &boolean, 0, NULL},
    {"cooldown_time_ms", &count, 0, NULL},
    {"notify_time_ms", &count, 0, NULL},
    END,
};
static const struct shape scale_to_zero = {.kind = SHAPE_OBJECT, .members = scale_members};

static const struct member template_members[] = {
    {"uuid", &string, 0, NULL},     {"name", &string, 0, NULL},  {"prepare", &any, 0, NULL},
    {"create_args", &any, 0, NULL}, {"autokill", &any, 0, NULL}, END,
};
static const struct shape template = {.kind = SHAPE_OBJECT, .members = template_members};

static const struct shape feature = {.kind = SHAPE_WORD,
                                     .words = WORDS("delete-on-stop", "nested-virt")};
static const struct shape features = {.kind = SHAPE_LIST, .item = &feature};
static const struct shape restart = {.kind = SHAPE_WORD,
                                     .words = WORDS("never", "always", "on-failure", "on_failure")};
static const struct shape type = {.kind = SHAPE_WORD, .words = WORDS("micro", "full")};
static const struct shape interfaces = {
    .kind = SHAPE_LIST, .item = &any, .minimum = 1, .maximum = 4};

/* ---- an instance ------------------------------------------------------------------------- */

static const struct member instance_members[] = {
    {"name", &string, 0, NULL},
    {"image", &image, 0, NULL},
    {"args", &strings, 0, NULL},
    {"env", &string_map, 0, NULL},
    {"memory_mb", &count, 0, NULL},
    {"vcpus", &positive, 0, NULL},
    {"service_group", &service_group, 0, NULL},
    {"roms", &roms, 0, NULL},
    {"hostname", &string, 0, NULL},
    {"autostart", &boolean, 0, NULL},
    {"replicas", &count, MEMBER_IDLE, "0"},
    {"restart_policy", &restart, MEMBER_IDLE, "never"},
    {"volumes", &volumes, MEMBER_IDLE, NULL},
    {"scale_to_zero", &scale_to_zero, MEMBER_IDLE, NULL},
    {"wait_timeout_ms", &any, MEMBER_IDLE, NULL},
    {"timeout_s", &any, MEMBER_IDLE, NULL},
    {"features", &features, MEMBER_IDLE, NULL},
    {"plugins", &anything_list, MEMBER_IDLE, NULL},
    {"tags", &strings, MEMBER_IDLE, NULL},
    {"template", &template, MEMBER_IDLE, NULL},
    {"branch_from", &any, MEMBER_IDLE, NULL},
    {"checkpoint", &any, MEMBER_IDLE, NULL},
    {"sched_priority", &any, MEMBER_IDLE, NULL},
    {"schedules", &any, MEMBER_IDLE, NULL},
    {"autokill", &any, MEMBER_IDLE, NULL},
    {"dependencies", &any, MEMBER_IDLE, NULL},
    {"gateway", &any, MEMBER_IDLE, NULL},
    {"nameserver", &any, MEMBER_IDLE, NULL},
    {"network_interfaces", &interfaces, MEMBER_IDLE, NULL},
    {"type", &type, MEMBER_IDLE, "micro"},
    {"gpus", &any, MEMBER_IDLE, NULL},
    {"annotations", &any, MEMBER_IDLE, NULL},
    {"vsock", &any, MEMBER_IDLE, NULL},
    END,
};
const struct shape schema_instance = {
    .kind = SHAPE_OBJECT, .members = instance_members, .hint = "it has at least image: REFERENCE"};
