/* SPDX-License-Identifier: BSD-3-Clause */
/* fault.c: faults as texts, and those that give a device other bytes. */
#include "fault.h"

#include <romsim/text.h>

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TIME_MAX_US = 10000000, SUPERBLOCK_AT = 1024, SECTOR = 512 };

/* ---- texts -------------------------------------------------------------------------------- */

/* A number with one of the units behind it (the first one is none); UINT64_MAX if it is none. */
struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit times[] = {{"ms", 1000}, {"us", 1}, {"s", 1000000}, {NULL, 0}};
static const struct unit sizes[] = {
    {"", 1}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {NULL, 0}};

static int read_number(const char *text, const struct unit *units, uint64_t most, uint64_t *ret)
{
    char *end;
    uint64_t value;

    if (*text < '0' || *text > '9')
        return -1;
    errno = 0;
    value = strtoull(text, &end, 0);
    for (; errno == 0 && units->name; units++)
        if (strcmp(end, units->name) == 0) {
            if (value > most / units->factor)
                return -1;
            *ret = value * units->factor;
            return 0;
        }
    return -1;
}

static int take_text(const char *value, const char **ret)
{
    *ret = value;
    return *value ? 0 : -1;
}

static int take_word(const char *value, const char *word, bool *ret)
{
    *ret = true;
    return strcmp(value, word) == 0 ? 0 : -1;
}

static int take_corrupt(struct fault *fault, char *value)
{
    char *mask = strchr(value, ':');

    fault->has_corrupt = true;
    fault->mask = UINT8_MAX;
    if (mask)
        *mask++ = '\0';
    if (mask && (read_number(mask, sizes, UINT8_MAX, &fault->mask) < 0 || fault->mask == 0))
        return -1;
    return read_number(value, sizes, INT64_MAX, &fault->corrupt);
}

/* The members that are numbers. */
static const struct member {
    const char *name;
    const struct unit *units;
    uint64_t most;
    size_t place;
} members[] = {
    {"offset", sizes, INT64_MAX, offsetof(struct fault, offset)},
    {"after", sizes, INT64_MAX, offsetof(struct fault, after)},
    {"count", sizes, INT64_MAX, offsetof(struct fault, count)},
    {"latency", times, TIME_MAX_US, offsetof(struct fault, latency)},
    {"jitter", times, TIME_MAX_US, offsetof(struct fault, jitter)},
    {"slow-attach", times, TIME_MAX_US, offsetof(struct fault, attach)},
    {"bandwidth", sizes, INT64_MAX, offsetof(struct fault, bandwidth)},
    {"truncate", sizes, INT64_MAX, offsetof(struct fault, truncate)},
    {"seed", sizes, INT64_MAX, offsetof(struct fault, seed)},
};

/* Takes NAME=VALUE.  1, 0 for no such name, -1 for a value that cannot be. */
static int take_member(struct fault *fault, const char *name, char *value)
{
    int status = 0;

    fault->has_offset |= strcmp(name, "offset") == 0;
    fault->has_truncate |= strcmp(name, "truncate") == 0;
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        if (strcmp(name, members[i].name) == 0)
            return read_number(value, members[i].units, members[i].most,
                               (uint64_t *)(void *)((char *)fault + members[i].place)) < 0
                       ? -1
                       : 1;
    if (strcmp(name, "rom") == 0)
        status = take_text(value, &fault->rom);
    else if (strcmp(name, "path") == 0)
        status = take_text(value, &fault->path);
    else if (strcmp(name, "swap") == 0)
        status = take_text(value, &fault->swap);
    else if (strcmp(name, "read") == 0)
        status = take_word(value, "eio", &fault->is_eio);
    else if (strcmp(name, "mount") == 0)
        status = take_word(value, "fail", &fault->has_no_superblock);
    else if (strcmp(name, "unaligned") == 0)
        status = take_word(value, "", &fault->is_unaligned);
    else if (strcmp(name, "missing") == 0)
        status = take_word(value, "", &fault->is_missing);
    else if (strcmp(name, "corrupt") == 0)
        status = take_corrupt(fault, value);
    else
        return 0;
    return status < 0 ? -1 : 1;
}

bool fault_delays(const struct fault *fault)
{
    return fault->latency || fault->jitter || fault->attach || fault->bandwidth;
}

static bool changes_bytes(const struct fault *fault)
{
    return fault->has_corrupt || fault->has_truncate || fault->is_unaligned ||
           fault->has_no_superblock || fault->swap;
}

static int parse(struct fault *fault, struct romsim_error *err)
{
    char *rest = fault->words, *word;

    while ((word = strsep(&rest, ","))) {
        char *value = strchr(word, '=');
        int taken;

        if (value)
            *value++ = '\0';
        taken = take_member(fault, word, value ? value : word + strlen(word));
        if (taken == 0) {
            romsim_error_set(err, EINVAL, "'%s': there is no '%s'", QUOTE(fault->text),
                             QUOTE(word));
            return romsim_error_hint(err, "romsim(1) has what there is: rom, read, latency, ...");
        }
        if (taken < 0)
            return romsim_error_set(err, EINVAL, "'%s': '%s' cannot be the value of '%s'",
                                    QUOTE(fault->text), QUOTE(value ? value : ""), QUOTE(word));
    }
    if (!fault->rom)
        return romsim_error_set(err, EINVAL, "'%s' does not say of which ROM: rom=NAME",
                                QUOTE(fault->text));
    if ((fault->has_offset || fault->path || fault->after || fault->count) && !fault->is_eio)
        return romsim_error_set(err, EINVAL, "'%s': offset, path, after and count are of read=eio",
                                QUOTE(fault->text));
    if (fault->is_missing && (fault->is_eio || fault_delays(fault) || changes_bytes(fault)))
        return romsim_error_set(err, EINVAL, "'%s': of a ROM that is missing nothing can be read",
                                QUOTE(fault->text));
    if (!fault->is_missing && !fault->is_eio && !fault_delays(fault) && !changes_bytes(fault))
        return romsim_error_set(err, EINVAL, "'%s' does not say what goes wrong",
                                QUOTE(fault->text));
    return 0;
}

static void clear(struct fault *fault)
{
    free(fault->text);
    free(fault->words);
}

struct romsim_faults *romsim_faults_new(void)
{
    return calloc(1, sizeof(struct romsim_faults));
}

void romsim_faults_free(struct romsim_faults *faults)
{
    if (!faults)
        return;
    for (size_t i = 0; i < faults->list.count; i++)
        clear(&faults->list.items[i]);
    fault_list_reset(&faults->list);
    free(faults);
}

int romsim_faults_add(struct romsim_faults *faults, const char *text, struct romsim_error *err)
{
    struct fault fault = {.text = strdup(text), .words = strdup(text), .seed = 1};

    if (!fault.text || !fault.words)
        romsim_error_nomem(err);
    else if (parse(&fault, err) == 0) {
        if (fault_list_append(&faults->list, fault) == 0)
            return 0;
        romsim_error_nomem(err);
    }
    clear(&fault);
    return -1;
}

size_t romsim_faults_count(const struct romsim_faults *faults)
{
    return faults ? faults->list.count : 0;
}

const char *romsim_faults_text(const struct romsim_faults *faults, size_t index)
{
    return faults->list.items[index].text;
}

const char *romsim_faults_swap(const struct romsim_faults *faults, size_t index)
{
    return faults->list.items[index].swap;
}

/* ---- other bytes -------------------------------------------------------------------------- */

static const char prefix[] = "ukp_rom_";

/* "config" or "ukp_rom_config" or "ukp_rom1". */
static bool is_called(const struct romsim_device *device, const char *name)
{
    const char *named = device->named_name;

    return device->role == ROMSIM_DEVICE_ROM &&
           (strcmp(device->indexed_name, name) == 0 || strcmp(named, name) == 0 ||
            (strncmp(named, prefix, strlen(prefix)) == 0 &&
             strcmp(named + strlen(prefix), name) == 0));
}

bool fault_is_of(const struct fault *fault, const struct romsim_device *device)
{
    return is_called(device, fault->rom);
}

static struct romsim_device *find_device(struct romsim_device *devices, size_t count,
                                         const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (devices[i].blob && is_called(&devices[i], name))
            return &devices[i];
    return NULL;
}

/* Takes the new blob in place of the device's. */
static int replace(struct romsim_device *device, struct romsim_blob *blob)
{
    if (!blob)
        return -1;
    romsim_blob_unref(device->blob);
    device->blob = blob;
    return 0;
}

static int flip(struct romsim_device *device, const struct fault *fault, uint64_t offset,
                uint64_t mask, struct romsim_error *err)
{
    CLEANUP_FD int fd = -1;
    uint8_t byte;
    int error;

    if (offset >= romsim_blob_size(device->blob))
        return romsim_error_set(err, EINVAL, "--fault '%s': the ROM has %" PRIu64 " bytes",
                                QUOTE(fault->text), romsim_blob_size(device->blob));
    byte = (uint8_t)(romsim_blob_bytes(device->blob)[offset] ^ mask);
    fd = romsim_blob_scratch_file(err);
    if (fd < 0)
        return -1;
    error = romsim_blob_copy(device->blob, fd, 0);
    if (error == 0 && pwrite(fd, &byte, 1, (off_t)offset) != 1)
        error = errno;
    if (error)
        return romsim_error_system(err, error, "cannot copy the ROM");
    return replace(device, romsim_blob_take_fd(steal_fd(&fd), err));
}

static int cut(struct romsim_device *device, const struct fault *fault, uint64_t size,
               struct romsim_error *err)
{
    if (size < SECTOR || size > romsim_blob_size(device->blob))
        return romsim_error_set(err, EINVAL,
                                "--fault '%s': the ROM has %" PRIu64
                                " bytes, and a device has 512 at least",
                                QUOTE(fault->text), romsim_blob_size(device->blob));
    return replace(device, romsim_blob_slice(device->blob, 0, size, err));
}

static int swap(struct romsim_device *device, const struct fault *fault,
                struct romsim_device *devices, size_t count, struct romsim_error *err)
{
    const struct romsim_device *other = find_device(devices, count, fault->swap);

    if (replace(device,
                other ? romsim_blob_ref(other->blob) : romsim_blob_snapshot(fault->swap, err)) == 0)
        return 0;
    return romsim_error_context(err, "--fault '%s'", QUOTE(fault->text));
}

static int change(const struct fault *fault, struct romsim_device *devices, size_t count,
                  struct romsim_error *err)
{
    struct romsim_device *device = find_device(devices, count, fault->rom);

    if (!device)
        return romsim_error_set(err, ENOENT, "--fault '%s': the instance has no ROM '%s'",
                                QUOTE(fault->text), QUOTE(fault->rom));
    if (fault->swap && swap(device, fault, devices, count, err) < 0)
        return -1;
    if (fault->has_corrupt && flip(device, fault, fault->corrupt, fault->mask, err) < 0)
        return -1;
    if (fault->has_no_superblock && flip(device, fault, SUPERBLOCK_AT, UINT8_MAX, err) < 0)
        return -1;
    if (fault->has_truncate && cut(device, fault, fault->truncate, err) < 0)
        return -1;
    return fault->is_unaligned ? cut(device, fault, romsim_blob_size(device->blob) - 1, err) : 0;
}

bool romsim_faults_miss(const struct romsim_faults *faults, const struct romsim_device *device)
{
    for (size_t i = 0; i < romsim_faults_count(faults); i++)
        if (faults->list.items[i].is_missing && is_called(device, faults->list.items[i].rom))
            return true;
    return false;
}

int faults_change_devices(const struct romsim_faults *faults, struct romsim_device *devices,
                          size_t count, struct romsim_error *err)
{
    for (size_t i = 0; i < romsim_faults_count(faults); i++)
        if (change(&faults->list.items[i], devices, count, err) < 0)
            return -1;
    /* At last: another device may have been given its bytes. */
    for (size_t i = 0; i < count; i++)
        if (romsim_faults_miss(faults, &devices[i])) {
            romsim_blob_unref(devices[i].blob);
            devices[i].blob = NULL;
        }
    return 0;
}
