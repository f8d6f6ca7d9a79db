/* SPDX-License-Identifier: BSD-3-Clause */
/* outline.c: a layout as the manifest that the guest's init reads (sim/guest/manifest.h). */
#include "outline.h"

#include "address.h"
#include "sim/guest/manifest.h"

#include <romsim/cleanup.h>

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static void record(struct romsim_buffer *out, const char *key, const char *value)
{
    romsim_buffer_printf(out, "%s %zu\n%s\n", key, strlen(value), value);
}

__attribute__((format(printf, 3, 4))) static void
record_format(struct romsim_buffer *out, const char *key, const char *format, ...)
{
    CLEANUP_FREE char *value = NULL;
    va_list arguments;
    int size;

    va_start(arguments, format);
    size = vasprintf(&value, format, arguments);
    va_end(arguments);
    if (size < 0) {
        value = NULL;
        out->failed = ENOMEM;
    } else {
        record(out, key, value);
    }
}

static const char *access_word(enum romsim_access access)
{
    return access == ROMSIM_READ_WRITE ? "rw" : "ro";
}

static void add_app(const struct romsim_layout *layout, struct romsim_buffer *out)
{
    record(out, "cwd", layout->working_dir ? layout->working_dir : "/");
    for (size_t i = 0; i < layout->argv.count; i++)
        record(out, "arg", layout->argv.items[i]);
    for (size_t i = 0; i < layout->env.count; i++)
        record(out, "env", layout->env.items[i]);
}

static void add_devices(const struct romsim_layout *layout, const struct romsim_faults *faults,
                        struct romsim_buffer *out)
{
    const struct romsim_device *root = romsim_layout_root(layout);

    if (root && !layout->template)
        record(out, "root", root->indexed_name);
    if (layout->template && layout->keeps_roms)
        record(out, "keep", "");
    for (size_t i = 0; i < layout->device_count; i++) {
        const struct romsim_device *device = &layout->devices[i];

        /* A clone has its root already, and what it keeps. */
        if (layout->template && (device->role == ROMSIM_DEVICE_ROOT || device->saved))
            continue;
        record_format(out, "device", "%s %s %s", device->indexed_name,
                      romsim_faults_miss(faults, device) ? "missing" : access_word(device->access),
                      device->named_name);
    }
    for (size_t i = 0; i < layout->mount_count; i++) {
        const struct romsim_mount *mount = &layout->mounts[i];

        if (layout->devices[mount->device].saved)
            continue;
        record_format(out, "mount", "%s %s %s %s", layout->devices[mount->device].indexed_name,
                      mount->type, access_word(mount->access), mount->target ?: mount->path);
    }
    for (size_t i = 0; i < layout->port_count; i++)
        record_format(out, "port", "%u", layout->ports[i].destination_port);
}

static void add_network(uint32_t address, struct romsim_buffer *out)
{
    char own[ADDRESS_TEXT], gateway[ADDRESS_TEXT], resolver[ADDRESS_TEXT];

    address_print(address, own);
    address_print(ADDRESS_GATEWAY, gateway);
    address_print(ADDRESS_RESOLVER, resolver);
    record_format(out, "address", "%s/%u", own, address_prefix(address));
    record(out, "gateway", gateway);
    record(out, "nameserver", resolver);
}

/* SECONDS.NANOSECONDS since 1970. */
enum { TIME_SIZE = 48 };

static const char *print_time(char ret[TIME_SIZE])
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(ret, TIME_SIZE, "%lld.%09ld", (long long)now.tv_sec, now.tv_nsec);
    return ret;
}

int outline_wake(struct romsim_buffer *ret, struct romsim_error *err)
{
    char text[TIME_SIZE];

    return romsim_buffer_printf(ret, MANIFEST_WAKE "%s\n", print_time(text)) < 0
               ? romsim_error_nomem(err)
               : 0;
}

void outline_release(struct romsim_buffer *ret)
{
    char text[TIME_SIZE];

    romsim_buffer_printf(ret, "release %s\n", print_time(text));
}

/* What no two clones may have alike. */
static int add_clone(struct romsim_buffer *out, struct romsim_error *err)
{
    uint8_t seed[32];
    char text[2 * sizeof(seed) + 1], now[TIME_SIZE];

    if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
        return romsim_error_system(err, errno, "the kernel has no random bytes");
    for (size_t i = 0; i < sizeof(seed); i++)
        snprintf(text + 2 * i, 3, "%02x", seed[i]);
    record(out, "clone", print_time(now));
    record(out, "seed", text);
    return 0;
}

/* An app that has a terminal looks for its kind; one that everybody knows will do. */
static void add_terminal(const struct romsim_layout *layout, const struct romsim_vm_input *input,
                         struct romsim_buffer *out)
{
    bool has_kind = false;

    for (size_t i = 0; i < layout->env.count; i++)
        has_kind |= strncmp(layout->env.items[i], "TERM=", 5) == 0;
    if (!has_kind)
        record(out, "env", "TERM=xterm");
    record_format(out, "terminal", "%u %u", input->rows, input->columns);
}

int outline_write(const struct romsim_layout *layout, const struct romsim_faults *faults,
                  uint32_t address, bool holds, bool traces, const struct romsim_vm_input *input,
                  struct romsim_buffer *ret, struct romsim_error *err)
{
    CLEANUP_BUFFER struct romsim_buffer body = ROMSIM_BUFFER_INIT(MANIFEST_MAX);

    record(&body, "hostname", layout->hostname ? layout->hostname : layout->name);
    add_network(address, &body);
    add_devices(layout, faults, &body);
    if (!layout->template)
        add_app(layout, &body);
    else if (add_clone(&body, err) < 0)
        return -1;
    if (holds)
        record(&body, "hold", "");
    if (traces)
        record(&body, "trace", "");
    if (input->is_terminal)
        add_terminal(layout, input, &body);
    if (input->is_open)
        record(&body, "input", "");
    if (body.failed == EFBIG)
        return romsim_error_set(err, E2BIG, "args and env take more than %d MiB together",
                                MANIFEST_MAX >> 20);
    if (body.failed || romsim_buffer_printf(ret, MANIFEST_GREETING "%zu\n", body.size) < 0 ||
        romsim_buffer_append(ret, body.data, body.size) < 0)
        return romsim_error_nomem(err);
    return 0;
}
