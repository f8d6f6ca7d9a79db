/* SPDX-License-Identifier: BSD-3-Clause */
/* record.c: reading and writing state.json (record.h has its form). */
#include "record.h"

#include <romsim/buffer.h>
#include <romsim/cleanup.h>
#include <romsim/file.h>
#include <romsim/paths.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#define PROCESS_FORMAT "{\"pid\": %d, \"start\": %" PRIu64 "}"

enum {
    PROCESSES_MAX = 64,
    RECORD_SIZE_MAX = 6 * PATH_MAX + PROCESSES_MAX * 64, /* a byte of a path takes up to 6 */
    STAT_FIELD_START = 22
};

void state_record_clear(struct state_record *record)
{
    free(record->mount_point);
    state_processes_reset(&record->processes);
    *record = (struct state_record){0};
}

bool state_process_start(pid_t pid, uint64_t *ret)
{
    CLEANUP_BUFFER struct romsim_buffer stat = ROMSIM_BUFFER_INIT(4096);
    CLEANUP_FD int fd = -1;
    char path[64];
    char *field;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || romsim_buffer_read_fd(&stat, fd) < 0)
        return false;
    /* The second field, the name in parentheses, may hold spaces and parentheses itself. */
    field = stat.data ? strrchr(stat.data, ')') : NULL;
    for (int i = 2; field && i < STAT_FIELD_START; i++)
        field = strchr(field + 1, ' ');
    if (!field) {
        errno = EPROTO;
        return false;
    }
    *ret = strtoull(field, NULL, 10);
    return true;
}

bool state_record_set_owner(struct state_record *record, pid_t pid)
{
    struct state_process owner = {.pid = pid};

    if (!state_process_start(pid, &owner.start))
        return false;
    record->owner = owner;
    return true;
}

bool state_record_add_process(struct state_record *record, pid_t pid)
{
    struct state_process process = {.pid = pid};

    if (record->processes.count == PROCESSES_MAX) {
        errno = ENOSPC;
        return false;
    }
    return state_process_start(pid, &process.start) &&
           state_processes_append(&record->processes, process) == 0;
}

/* ---- writing ---------------------------------------------------------------------------- */

/* Adds a path as a JSON string.  Bytes that are no UTF-8 go in as they are: that is no JSON any
 * more, but there is no other way to write them down and get them back. */
static void put_string(struct romsim_buffer *out, const char *text)
{
    romsim_buffer_puts(out, "\"");
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;

        if (byte == '"' || byte == '\\')
            romsim_buffer_printf(out, "\\%c", byte);
        else if (byte < 0x20 || byte == 0x7f)
            romsim_buffer_printf(out, "\\u%04x", byte);
        else
            romsim_buffer_append(out, text, 1);
    }
    romsim_buffer_puts(out, "\"");
}

static void put_process(struct romsim_buffer *out, const struct state_process *process)
{
    romsim_buffer_printf(out, PROCESS_FORMAT, (int)process->pid, process->start);
}

static void put_record(struct romsim_buffer *out, const struct state_record *record)
{
    romsim_buffer_puts(out, "{\n\"owner\": ");
    put_process(out, &record->owner);
    if (record->mount_point) {
        romsim_buffer_puts(out, ",\n\"mount_point\": ");
        put_string(out, record->mount_point);
    }
    romsim_buffer_puts(out, ",\n\"processes\": [");
    for (size_t i = 0; i < record->processes.count; i++) {
        romsim_buffer_puts(out, i == 0 ? "\n" : ",\n");
        put_process(out, &record->processes.items[i]);
    }
    romsim_buffer_puts(out, "\n]\n}\n");
}

int state_record_save(const struct state_record *record, const char *directory,
                      struct romsim_error *err)
{
    CLEANUP_FREE char *path = romsim_path_join(directory, "state.json");
    CLEANUP_BUFFER struct romsim_buffer content = ROMSIM_BUFFER_INIT(RECORD_SIZE_MAX);

    if (!path)
        return romsim_error_nomem(err);
    put_record(&content, record);
    if (content.failed)
        return romsim_error_system(err, content.failed, "cannot write '%s'", QUOTE(path));
    return romsim_file_replace(path, content.data, content.size, err);
}

/* ---- reading ---------------------------------------------------------------------------- */

/* Undoes put_string() from behind the opening quote.  malloc'ed, or NULL. */
static char *get_string(const char *text)
{
    CLEANUP_FREE char *string = malloc(strlen(text) + 1);
    size_t size = 0;

    if (!string)
        return NULL;
    for (; *text && *text != '"'; text++) {
        unsigned code = (unsigned char)*text;

        if (*text == '\\') {
            code = (unsigned char)*++text;
            if (code == 'u' && strlen(text) > 4 && sscanf(text + 1, "%4x", &code) == 1)
                text += 4;
        }
        if (code == 0)
            return NULL;
        string[size++] = (char)code;
    }
    string[size] = '\0';
    return *text == '"' ? STEAL_POINTER(&string) : NULL;
}

static bool get_process(const char *text, struct state_process *ret)
{
    int pid;
    uint64_t start;

    if (sscanf(text, PROCESS_FORMAT, &pid, &start) != 2 || pid <= 0)
        return false;
    *ret = (struct state_process){.pid = pid, .start = start};
    return true;
}

/* If `line` begins with `prefix`, what is behind it. */
static const char *after(const char *line, const char *prefix)
{
    size_t size = strlen(prefix);

    return strncmp(line, prefix, size) == 0 ? line + size : NULL;
}

static void load_line(struct state_record *record, const char *line)
{
    struct state_process process;
    const char *value;

    if ((value = after(line, "\"owner\": "))) {
        get_process(value, &record->owner);
    } else if ((value = after(line, "\"mount_point\": \""))) {
        free(record->mount_point);
        record->mount_point = get_string(value);
    } else if (get_process(line, &process) && record->processes.count < PROCESSES_MAX) {
        state_processes_append(&record->processes, process);
    }
}

int state_record_load(struct state_record *record, const char *directory, struct romsim_error *err)
{
    CLEANUP_FREE char *path = romsim_path_join(directory, "state.json");
    CLEANUP_BUFFER struct romsim_buffer content = ROMSIM_BUFFER_INIT(RECORD_SIZE_MAX);
    CLEANUP_FD int fd = -1;
    char *rest = NULL;

    if (!path)
        return romsim_error_nomem(err);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return romsim_error_system(err, errno, "cannot read '%s'", QUOTE(path));
    if (romsim_buffer_read_fd(&content, fd) < 0)
        return romsim_error_system(err, content.failed, "cannot read '%s'", QUOTE(path));
    for (char *line = content.data ? strtok_r(content.data, "\n", &rest) : NULL; line;
         line = strtok_r(NULL, "\n", &rest))
        load_line(record, line);
    return 0;
}
