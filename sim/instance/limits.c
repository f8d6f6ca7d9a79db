/* SPDX-License-Identifier: BSD-3-Clause */
/* limits.c: the cloud's limits (cloud-rules §1), and --limit NAME=VALUE. */
#include <romsim/buffer.h>
#include <romsim/checked.h>
#include <romsim/instance.h>
#include <romsim/text.h>

#include <errno.h>
#include <jansson.h>
#include <stddef.h>
#include <string.h>

const struct romsim_limits romsim_limits_default = {
    .roms = 8,
    .files = 16,
    .rom_bytes = 1 << 20,
    .body_bytes = 8 << 20,
    .plugins = 8,
    .volumes = 4,
    .memory_min_mb = 16,
    .memory_max_mb = 8192,
};

struct limit {
    const char *name;
    size_t offset;
    uint64_t maximum; /* what romsim itself can take */
};

/* A ROM's number is part of its device's 20-byte serial and a drive takes a PCI slot; the bodies
 * are read into memory. */
static const struct limit limits[] = {
    {"roms", offsetof(struct romsim_limits, roms), 24},
    {"files", offsetof(struct romsim_limits, files), 20000},
    {"rom-bytes", offsetof(struct romsim_limits, rom_bytes), 256 << 20},
    {"body-bytes", offsetof(struct romsim_limits, body_bytes), 512 << 20},
    {"plugins", offsetof(struct romsim_limits, plugins), 1000},
    {"volumes", offsetof(struct romsim_limits, volumes), 24},
    {"memory-min", offsetof(struct romsim_limits, memory_min_mb), 1 << 20},
    {"memory-max", offsetof(struct romsim_limits, memory_max_mb), 1 << 20},
};

enum { LIMIT_COUNT = sizeof(limits) / sizeof(limits[0]) };

static const struct limit *limit_find(const char *name, size_t size)
{
    for (size_t i = 0; i < LIMIT_COUNT; i++)
        if (strlen(limits[i].name) == size && memcmp(limits[i].name, name, size) == 0)
            return &limits[i];
    return NULL;
}

static int unknown_limit(const char *assignment, struct romsim_error *err)
{
    CLEANUP_BUFFER struct romsim_buffer names = ROMSIM_BUFFER_INIT(200);

    for (size_t i = 0; i < LIMIT_COUNT; i++)
        romsim_buffer_printf(&names, "%s%s", i ? ", " : "", limits[i].name);
    romsim_error_set(err, EINVAL, "no limit in '%s'", QUOTE(assignment));
    return romsim_error_hint(err, "NAME=VALUE with one of: %s", names.data);
}

int romsim_limits_set(struct romsim_limits *ret, const char *assignment, struct romsim_error *err)
{
    const char *equals = strchr(assignment, '=');
    const struct limit *limit =
        equals ? limit_find(assignment, (size_t)(equals - assignment)) : NULL;
    uint64_t value;

    if (!limit)
        return unknown_limit(assignment, err);
    if (romsim_parse_size(equals + 1, &value) < 0) {
        romsim_error_set(err, EINVAL, "no value for the limit '%s' in '%s'", limit->name,
                         QUOTE(assignment));
        return romsim_error_hint(err, "a number, with K, M or G for powers of 1024");
    }
    if (value > limit->maximum)
        return romsim_error_set(err, EINVAL, "the limit '%s' can be %llu at most", limit->name,
                                (unsigned long long)limit->maximum);
    memcpy((char *)ret + limit->offset, &value, sizeof(value));
    return 0;
}

json_t *romsim_limits_json(const struct romsim_limits *from)
{
    json_t *object = json_object();

    for (size_t i = 0; i < LIMIT_COUNT; i++) {
        uint64_t value;

        memcpy(&value, (const char *)from + limits[i].offset, sizeof(value));
        json_object_set_new(object, limits[i].name, json_integer((json_int_t)value));
    }
    return object;
}
