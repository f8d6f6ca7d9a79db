/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * trace.c: writing lines of a trace.
 *
 * A line is one write(2) to a file that is open for appending, so that lines of several threads and
 * of several instances do not mix.  What cannot be written is lost: who reads must not be held up.
 */
#include "trace.h"

#include <romsim/buffer.h>
#include <romsim/clock.h>
#include <romsim/text.h>

#include <string.h>
#include <time.h>
#include <unistd.h>

enum { TEXT_MAX = 4096 };

static void write_line(int fd, const char *line, size_t size)
{
    ssize_t ignored = write(fd, line, size);

    (void)ignored;
}

json_t *trace_string(const char *text)
{
    char quoted[4096];

    return json_string(text)
               ?: json_string(romsim_text_quote(text, strlen(text), quoted, sizeof(quoted)));
}

void trace_json(const struct trace *trace, json_t *line)
{
    char *text;

    if (line && trace->instance)
        json_object_set_new(line, "instance", trace_string(trace->instance));
    text = line && trace->to.json >= 0 ? json_dumps(line, JSON_COMPACT) : NULL;
    json_decref(line);
    if (text) {
        size_t size = strlen(text);

        text[size] = '\n'; /* in place of its end */
        write_line(trace->to.json, text, size + 1);
    }
    free(text);
}

void trace_text(const struct trace *trace, uint64_t time, const char *text)
{
    char line[TEXT_MAX];
    int size;

    if (trace->to.text < 0)
        return;
    size = snprintf(line, sizeof(line), "trace | %4llu.%03llu %s\n",
                    (unsigned long long)(time / 1000000), (unsigned long long)(time / 1000 % 1000),
                    text);
    if (size >= (int)sizeof(line))
        line[(size = sizeof(line)) - 1] = '\n';
    write_line(trace->to.text, line, (size_t)size);
}

void trace_phase(const struct trace *trace, const char *name)
{
    uint64_t time = romsim_clock_us() - trace->start;

    trace_json(trace, json_pack("{s:s, s:I, s:s}", "kind", "phase", "time_us", (json_int_t)time,
                                "phase", name));
}

void trace_open(const struct trace *trace, const struct romsim_trace_open *opened)
{
    uint64_t time = romsim_clock_us() - trace->start;
    const char *error = opened->errnum ? strerrorname_np(opened->errnum) ?: "EIO" : NULL;
    char text[TEXT_MAX];
    json_t *line;

    if (!opened->device) {
        snprintf(text, sizeof(text), "the guest tells of no opens: %s", QUOTE(opened->path));
        trace_text(trace, time, text);
        trace_json(trace, json_pack("{s:s, s:I, s:o}", "kind", "note", "time_us", (json_int_t)time,
                                    "text", trace_string(opened->path)));
        return;
    }
    snprintf(text, sizeof(text), "%s open %s by %s (%ld)%s%s", QUOTE(opened->device),
             QUOTE(opened->path), QUOTE(opened->process), opened->pid, error ? " -> " : "",
             error ?: "");
    trace_text(trace, time, text);
    line = json_pack("{s:s, s:I, s:o, s:o, s:o, s:I}", "kind", "open", "time_us", (json_int_t)time,
                     "device", trace_string(opened->device), "path", trace_string(opened->path),
                     "process", trace_string(opened->process), "pid", (json_int_t)opened->pid);
    if (line && error)
        json_object_set_new(line, "error", json_string(error));
    trace_json(trace, line);
}

void trace_fault(const struct trace *trace, const char *device, const char *text)
{
    char line[TEXT_MAX];

    snprintf(line, sizeof(line), "fault: %s", QUOTE(text));
    trace_text(trace, 0, line);
    trace_json(trace, json_pack("{s:s, s:s, s:o}", "kind", "fault", "device", device, "text",
                                trace_string(text)));
}

void trace_missing(const struct trace *trace, const struct romsim_device *device, const char *at)
{
    trace_json(trace, json_pack("{s:s, s:s, s:s, s:s?, s:i, s:[]}", "kind", "device", "device",
                                device->indexed_name, "name", device->named_name, "at", at, "size",
                                0, "files"));
}

void trace_begin(struct trace *trace, const struct romsim_trace *to, const char *instance)
{
    *trace = (struct trace){.to = *to, .start = romsim_clock_us()};
    trace->instance = instance ? strdup(instance) : NULL;
    trace_json(trace, json_pack("{s:s, s:i, s:I}", "kind", "trace", "version", 1, "started",
                                (json_int_t)time(NULL)));
}

void trace_end(struct trace *trace)
{
    free(trace->instance);
    trace->instance = NULL;
}
