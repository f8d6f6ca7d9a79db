/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shapes.c: what POST /v1/instances takes, as tables (cloud-rules §1), and romsim's own `dir`.
 *
 * A request's form is described without `dir`, but read with it: who sends one is told why not.
 *
 * ROMSIM_MEMBER_IDLE marks what romsim checks and does not simulate; a warning names such members.
 * They, and those that are ROMSIM_MEMBER_AS_IS, go through to the request as they are written.
 * Objects that are known by some of their members only are `open`.
 */
#include "model.h"

static const struct romsim_shape any = {.kind = ROMSIM_SHAPE_ANY};
static const struct romsim_shape string = {.kind = ROMSIM_SHAPE_STRING};
static const struct romsim_shape binary_string = {.kind = ROMSIM_SHAPE_STRING, .binary = true};
static const struct romsim_shape boolean = {.kind = ROMSIM_SHAPE_BOOLEAN};
static const struct romsim_shape count = {.kind = ROMSIM_SHAPE_INTEGER, .maximum = UINT32_MAX};
static const struct romsim_shape patience = {
    .kind = ROMSIM_SHAPE_INTEGER, .maximum = UINT32_MAX, .or_forever = true};
static const struct romsim_shape positive = {
    .kind = ROMSIM_SHAPE_INTEGER, .minimum = 1, .maximum = UINT32_MAX};
static const struct romsim_shape number16 = {
    .kind = ROMSIM_SHAPE_INTEGER, .minimum = 1, .maximum = 65535};
static const struct romsim_shape anything_list = {.kind = ROMSIM_SHAPE_LIST, .item = &any};
static const struct romsim_shape strings = {.kind = ROMSIM_SHAPE_LIST,
                                            .item = &string,
                                            .hint = "one item for each: [\"first\", \"second\"]"};
static const struct romsim_shape string_map = {
    .kind = ROMSIM_SHAPE_MAP, .item = &string, .hint = "each member is NAME: VALUE"};

/* ---- image ------------------------------------------------------------------------------- */

static const struct romsim_member image_members[] = {
    {"url", &string, ROMSIM_MEMBER_REQUIRED, NULL},
    {"credentials", &any, ROMSIM_MEMBER_IDLE, NULL},
    {"headers", &any, ROMSIM_MEMBER_IDLE, NULL},
    {"pull_policy", &string, ROMSIM_MEMBER_IDLE, NULL},
    ROMSIM_END,
};
static const struct romsim_shape image = {.kind = ROMSIM_SHAPE_EITHER,
                                          .members = image_members,
                                          .hint = "an image reference, or {url: ...}"};

/* ---- roms -------------------------------------------------------------------------------- */

static const struct romsim_shape encoding = {.kind = ROMSIM_SHAPE_WORD,
                                             .words = ROMSIM_WORDS("text", "base64")};
static const struct romsim_member file_members[] = {
    {"path", &string, ROMSIM_MEMBER_REQUIRED, NULL},
    {"encoding", &encoding, 0, NULL},
    {"data", &binary_string, ROMSIM_MEMBER_REQUIRED, NULL},
    ROMSIM_END,
};
static const struct romsim_shape file = {.kind = ROMSIM_SHAPE_OBJECT,
                                         .members = file_members,
                                         .hint = "a file has path, encoding and data"};
static const struct romsim_shape files = {
    .kind = ROMSIM_SHAPE_LIST, .item = &file, .hint = "each item has path, encoding and data"};
#define ROM_MEMBERS                                                                                \
    {"name", &string, 0, NULL}, {"image", &image, 0, NULL}, {"files", &files, 0, NULL},            \
    {                                                                                              \
        "at", &string, 0, NULL                                                                     \
    }
static const struct romsim_member rom_members[] = {
    ROM_MEMBERS,
    {"dir", &string, 0, NULL},
    ROMSIM_END,
};
static const struct romsim_member request_rom_members[] = {ROM_MEMBERS, ROMSIM_END};
static const struct romsim_shape rom = {.kind = ROMSIM_SHAPE_OBJECT,
                                        .members = rom_members,
                                        .hint = "a ROM has name, at, and image or files"};
static const struct romsim_shape request_rom = {.kind = ROMSIM_SHAPE_OBJECT,
                                                .members = request_rom_members};
static const struct romsim_shape roms = {
    .kind = ROMSIM_SHAPE_LIST, .item = &rom, .hint = "each item has name, at, and image or files"};
static const struct romsim_shape request_roms = {.kind = ROMSIM_SHAPE_LIST, .item = &request_rom};

/* ---- service_group ----------------------------------------------------------------------- */

static const struct romsim_shape handler = {.kind = ROMSIM_SHAPE_WORD,
                                            .words = ROMSIM_WORDS("tls", "http", "redirect")};
static const struct romsim_shape handlers = {
    .kind = ROMSIM_SHAPE_LIST, .item = &handler, .hint = "[tls, http]"};
/* UDP, and with it `ip`, is for those alone who run the cloud themselves. */
static const struct romsim_shape protocol = {.kind = ROMSIM_SHAPE_WORD,
                                             .words = ROMSIM_WORDS("tcp")};
static const struct romsim_member service_members[] = {
    {"port", &number16, ROMSIM_MEMBER_REQUIRED, NULL},
    {"destination_port", &number16, 0, NULL},
    {"handlers", &handlers, 0, NULL},
    {"protocol", &protocol, 0, NULL},
    ROMSIM_END,
};
static const struct romsim_shape service = {.kind = ROMSIM_SHAPE_OBJECT,
                                            .members = service_members};
const struct romsim_shape romsim_services_shape = {
    .kind = ROMSIM_SHAPE_LIST,
    .item = &service,
    .hint = "each item has port, destination_port, handlers"};
static const struct romsim_member service_group_members[] = {
    {"uuid", &string, 0, NULL},
    {"name", &string, 0, NULL},
    {"services", &romsim_services_shape, 0, NULL},
    {"domains", &anything_list, ROMSIM_MEMBER_IDLE, NULL},
    {"soft_limit", &number16, ROMSIM_MEMBER_IDLE, NULL},
    {"hard_limit", &number16, ROMSIM_MEMBER_IDLE, NULL},
    ROMSIM_END,
};
static const struct romsim_shape service_group = {.kind = ROMSIM_SHAPE_OBJECT,
                                                  .members = service_group_members,
                                                  .hint = "it has services: [...]"};

/* ---- volumes ----------------------------------------------------------------------------- */

static const struct romsim_member volume_members[] = {
    {"uuid", &string, 0, NULL},
    {"name", &string, 0, NULL},
    {"at", &string, ROMSIM_MEMBER_REQUIRED, NULL},
    {"size_mb", &positive, 0, NULL},
    {"readonly", &boolean, 0, NULL},
    {"filesystem", &any, ROMSIM_MEMBER_IDLE, "ext4"},
    {"host_path", &any, ROMSIM_MEMBER_IDLE, NULL},
    {"quota_policy", &any, ROMSIM_MEMBER_IDLE, NULL},
    {"tags", &any, ROMSIM_MEMBER_IDLE, NULL},
    {"uid", &any, ROMSIM_MEMBER_IDLE, NULL},
    {"gid", &any, ROMSIM_MEMBER_IDLE, NULL},
    {"access_mode", &any, ROMSIM_MEMBER_IDLE, NULL},
    {"args", &any, ROMSIM_MEMBER_IDLE, NULL},
    ROMSIM_END,
};
static const struct romsim_shape volume = {.kind = ROMSIM_SHAPE_OBJECT,
                                           .members = volume_members,
                                           .open = true,
                                           .hint = "a volume has at, and name, uuid or size_mb"};
static const struct romsim_shape volumes = {.kind = ROMSIM_SHAPE_LIST,
                                            .item = &volume,
                                            .hint = "each item has at, and name, uuid or size_mb"};

/* ---- what romsim does not simulate ------------------------------------------------------- */

static const struct romsim_shape scale_policy = {.kind = ROMSIM_SHAPE_WORD,
                                                 .words = ROMSIM_WORDS("on", "off", "idle")};
static const struct romsim_member scale_members[] = {
    {"policy", &scale_policy, 0, NULL},
    {"stateful", &boolean, 0, NULL},
    {"cooldown_time_ms", &count, 0, NULL},
    {"notify_time_ms", &count, ROMSIM_MEMBER_IDLE, "0"},
    ROMSIM_END,
};
static const struct romsim_shape scale_to_zero = {.kind = ROMSIM_SHAPE_OBJECT,
                                                  .members = scale_members};

static const struct romsim_shape create_args = {.kind = ROMSIM_SHAPE_MAP, .item = &any};
static const struct romsim_member template_members[] = {
    {"uuid", &string, 0, NULL},
    {"name", &string, 0, NULL},
    {"prepare", &boolean, 0, NULL},
    {"create_args", &create_args, 0, NULL},
    {"prepare_timeout_s", &patience, 0, NULL},
    {"autokill", &any, ROMSIM_MEMBER_IDLE, NULL},
    ROMSIM_END,
};
static const struct romsim_shape template = {.kind = ROMSIM_SHAPE_OBJECT,
                                             .members = template_members};

static const struct romsim_member reference_members[] = {
    {"uuid", &string, 0, NULL}, {"name", &string, 0, NULL}, ROMSIM_END};
static const struct romsim_shape reference = {.kind = ROMSIM_SHAPE_OBJECT,
                                              .members = reference_members};

static const struct romsim_shape feature = {.kind = ROMSIM_SHAPE_WORD,
                                            .words = ROMSIM_WORDS("delete-on-stop", "nested-virt")};
static const struct romsim_shape features = {.kind = ROMSIM_SHAPE_LIST, .item = &feature};
static const struct romsim_shape restart = {
    .kind = ROMSIM_SHAPE_WORD,
    .words = ROMSIM_WORDS("never", "always", "on-failure", "on_failure")};
static const struct romsim_shape type = {.kind = ROMSIM_SHAPE_WORD,
                                         .words = ROMSIM_WORDS("micro", "full")};
static const struct romsim_shape interfaces = {
    .kind = ROMSIM_SHAPE_LIST, .item = &any, .minimum = 1, .maximum = 4};

/* ---- an instance ------------------------------------------------------------------------- */

#define INSTANCE_MEMBERS(roms_shape, group_shape, scale_shape)                                     \
    {"name", &string, 0, NULL}, {"image", &image, 0, NULL}, {"args", &strings, 0, NULL},           \
        {"env", &string_map, 0, NULL}, {"memory_mb", &count, 0, NULL},                             \
        {"vcpus", &positive, 0, NULL}, {"service_group", &(group_shape), 0, NULL},                 \
        {"roms", &(roms_shape), 0, NULL}, {"hostname", &string, 0, NULL},                          \
        {"autostart", &boolean, 0, NULL}, {"replicas", &count, 0, NULL},                           \
        {"restart_policy", &restart, ROMSIM_MEMBER_AS_IS, NULL}, {"volumes", &volumes, 0, NULL},   \
        {"scale_to_zero", &(scale_shape), ROMSIM_MEMBER_AS_IS, NULL},                              \
        {"wait_timeout_ms", &patience, ROMSIM_MEMBER_AS_IS, NULL},                                 \
        {"timeout_s", &patience, ROMSIM_MEMBER_AS_IS, NULL},                                       \
        {"features", &features, ROMSIM_MEMBER_IDLE, "delete-on-stop"},                             \
        {"plugins", &anything_list, ROMSIM_MEMBER_IDLE, NULL},                                     \
        {"tags", &strings, ROMSIM_MEMBER_AS_IS, NULL},                                             \
        {"template", &template, ROMSIM_MEMBER_AS_IS, NULL},                                        \
        {"branch_from", &reference, ROMSIM_MEMBER_AS_IS, NULL},                                    \
        {"checkpoint", &reference, ROMSIM_MEMBER_AS_IS, NULL},                                     \
        {"sched_priority", &any, ROMSIM_MEMBER_IDLE, NULL},                                        \
        {"schedules", &any, ROMSIM_MEMBER_IDLE, NULL},                                             \
        {"autokill", &any, ROMSIM_MEMBER_IDLE, NULL},                                              \
        {"dependencies", &any, ROMSIM_MEMBER_IDLE, NULL},                                          \
        {"gateway", &any, ROMSIM_MEMBER_IDLE, NULL},                                               \
        {"nameserver", &any, ROMSIM_MEMBER_IDLE, NULL},                                            \
        {"network_interfaces", &interfaces, ROMSIM_MEMBER_IDLE, NULL},                             \
        {"type", &type, ROMSIM_MEMBER_IDLE, "micro"}, {"gpus", &any, ROMSIM_MEMBER_IDLE, NULL},    \
        {"annotations", &any, ROMSIM_MEMBER_IDLE, NULL},                                           \
        {"delete_lock", &boolean, ROMSIM_MEMBER_AS_IS, NULL},                                      \
    {                                                                                              \
        "vsock", &any, ROMSIM_MEMBER_IDLE, NULL                                                    \
    }
static const struct romsim_member instance_members[] = {
    INSTANCE_MEMBERS(roms, service_group, scale_to_zero), ROMSIM_END};
static const struct romsim_member request_members[] = {
    INSTANCE_MEMBERS(request_roms, service_group, scale_to_zero), ROMSIM_END};
const struct romsim_shape romsim_instance_file_shape = {.kind = ROMSIM_SHAPE_OBJECT,
                                                        .members = instance_members,
                                                        .hint = "it has at least image: REFERENCE"};
const struct romsim_shape romsim_instance_shape = {.kind = ROMSIM_SHAPE_OBJECT,
                                                   .members = request_members};

/* GET tells more of an instance than POST takes, and the next version of it more than this one. */
static const struct romsim_shape answer_rom = {
    .kind = ROMSIM_SHAPE_OBJECT, .members = request_rom_members, .open = true};
static const struct romsim_shape answer_roms = {.kind = ROMSIM_SHAPE_LIST, .item = &answer_rom};
static const struct romsim_shape answer_group = {
    .kind = ROMSIM_SHAPE_OBJECT, .members = service_group_members, .open = true};
static const struct romsim_shape answer_scale = {
    .kind = ROMSIM_SHAPE_OBJECT, .members = scale_members, .open = true};
static const struct romsim_member answer_members[] = {
    INSTANCE_MEMBERS(answer_roms, answer_group, answer_scale), ROMSIM_END};
const struct romsim_shape answer_shape = {
    .kind = ROMSIM_SHAPE_OBJECT, .members = answer_members, .open = true};

const struct romsim_synonym instance_synonyms[] = {
    {"ports", "service_group"},
    {"services", "service_group"},
    {"expose", "service_group"},
    {"command", "args"},
    {"cmd", "args"},
    {"entrypoint", "args"},
    {"environment", "env"},
    {"memory", "memory_mb"},
    {"mem", "memory_mb"},
    {"cpus", "vcpus"},
    {"cpu", "vcpus"},
    {"restart", "restart_policy"},
    {"mount", "at"},
    {"mountPath", "at"},
    {"mount_path", "at"},
    {"target", "at"},
    {"content", "data"},
    {"contents", "data"},
    {"source", "image"},
    {"directory", "dir"},
    {"container_port", "destination_port"},
    {"target_port", "destination_port"},
    {NULL, NULL},
};
