/* SPDX-License-Identifier: BSD-3-Clause */
/* record.c: reading and writing state.json (record.h has its form). */
#include "record.h"

#include "json_file.h"

#include <romsim/buffer.h>
#include <romsim/cleanup.h>
#include <romsim/process.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define RECORD "state.json"

enum { PROCESSES_MAX = 64, RECORD_SIZE_MAX = 16 << 20 };

void state_record_clear(struct state_record *record)
{
    free(record->mount_point);
    state_processes_reset(&record->processes);
    json_decref(record->summary);
    *record = (struct state_record){0};
}

/* Describes a process; false, with errno, if there is none. */
static bool describe(pid_t pid, struct state_process *ret)
{
    struct romsim_process process;

    if (!romsim_process_look(pid, &process))
        return false;
    *ret = (struct state_process){.pid = pid, .start = process.start};
    return true;
}

bool state_record_set_owner(struct state_record *record, pid_t pid)
{
    return describe(pid, &record->owner);
}

bool state_record_add_process(struct state_record *record, pid_t pid)
{
    struct state_process process;

    if (record->processes.count == PROCESSES_MAX) {
        errno = ENOSPC;
        return false;
    }
    return describe(pid, &process) && state_processes_append(&record->processes, process) == 0;
}

void state_record_drop_process(struct state_record *record, pid_t pid)
{
    struct state_processes *processes = &record->processes;

    for (size_t i = 0; i < processes->count; i++)
        if (processes->items[i].pid == pid)
            processes->items[i--] = processes->items[--processes->count];
}

/* ---- writing ---------------------------------------------------------------------------- */

static json_t *process_json(const struct state_process *process)
{
    return json_pack("{s:i, s:I}", "pid", (int)process->pid, "start", (json_int_t)process->start);
}

/* A path may hold bytes that are no text. */
static int set_path(json_t *object, const char *path)
{
    CLEANUP_FREE char *encoded = NULL;

    if (romsim_utf8_is_valid(path, strlen(path)))
        return json_object_set_new(object, "mount_point", json_string(path));
    encoded = romsim_base64_encode(path, strlen(path));
    return json_object_set_new(object, "mount_point_base64", json_string(encoded ? encoded : ""));
}

static json_t *record_json(const struct state_record *record)
{
    json_t *object = json_object(), *processes = json_array();
    int status = json_object_set_new(object, "owner", process_json(&record->owner));

    for (size_t i = 0; i < record->processes.count; i++)
        status |= json_array_append_new(processes, process_json(&record->processes.items[i]));
    if (record->number)
        status |= json_object_set_new(object, "number", json_integer(record->number));
    if (record->mount_point)
        status |= set_path(object, record->mount_point);
    if (record->summary)
        status |= json_object_set(object, "summary", record->summary);
    status |= json_object_set_new(object, "processes", processes);
    if (status == 0)
        return object;
    json_decref(object);
    return NULL;
}

int state_record_save(const struct state_record *record, const char *directory,
                      struct romsim_error *err)
{
    return json_file_save(directory, RECORD, record_json(record), err);
}

/* ---- reading ---------------------------------------------------------------------------- */

static bool get_process(const json_t *object, struct state_process *ret)
{
    json_int_t pid = json_integer_value(json_object_get(object, "pid"));
    json_int_t start = json_integer_value(json_object_get(object, "start"));

    if (pid <= 0 || pid > INT_MAX || start < 0)
        return false;
    *ret = (struct state_process){.pid = (pid_t)pid, .start = (uint64_t)start};
    return true;
}

/* malloc'ed, or NULL. */
static char *get_path(const json_t *object)
{
    const char *plain = json_string_value(json_object_get(object, "mount_point"));
    const char *encoded = json_string_value(json_object_get(object, "mount_point_base64"));
    size_t size = 0;
    uint8_t *bytes;
    char *path;

    if (plain)
        return strdup(plain);
    bytes = encoded ? romsim_base64_decode(encoded, strlen(encoded), &size) : NULL;
    path = bytes ? strndup((const char *)bytes, size) : NULL;
    free(bytes);
    return path;
}

static void get_record(const json_t *object, struct state_record *ret)
{
    const json_t *processes = json_object_get(object, "processes");
    json_int_t number = json_integer_value(json_object_get(object, "number"));
    struct state_process process;

    get_process(json_object_get(object, "owner"), &ret->owner);
    for (size_t i = 0; i < json_array_size(processes) && i < PROCESSES_MAX; i++)
        if (get_process(json_array_get(processes, i), &process))
            state_processes_append(&ret->processes, process);
    if (number > 0 && number <= UINT_MAX)
        ret->number = (unsigned)number;
    ret->mount_point = get_path(object);
    ret->summary = json_incref(json_object_get(object, "summary"));
}

int state_record_load(struct state_record *record, const char *directory, struct romsim_error *err)
{
    json_t *object = json_file_load(directory, RECORD, RECORD_SIZE_MAX, err);

    if (!object)
        return -1;
    get_record(object, record);
    json_decref(object);
    return 0;
}
