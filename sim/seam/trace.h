/* SPDX-License-Identifier: BSD-3-Clause */
/* trace.h: the writer of a trace, and the layer that uses it (romsim/trace.h has the format). */
#ifndef ROMSIM_SEAM_TRACE_H
#define ROMSIM_SEAM_TRACE_H

#include "layer.h"
#include "map.h"

#include <romsim/trace.h>

#include <jansson.h>

/* One for a seam; its layers share it.  It must stay as long as they do. */
struct trace {
    struct romsim_trace to;
    uint64_t start; /* microseconds of the monotonic clock */
    char *instance; /* owned; or NULL */
};

void trace_begin(struct trace *trace, const struct romsim_trace *to, const char *instance);
void trace_end(struct trace *trace);

/* Writes a line of JSON with the instance's name in it; takes the reference. */
void trace_json(const struct trace *trace, json_t *line);

/* Writes a line of text, with the time in front. */
void trace_text(const struct trace *trace, uint64_t time, const char *text);

/* Writes down what the start of the instance has come to. */
void trace_phase(const struct trace *trace, const char *name);

/* Writes down what was opened in the guest. */
void trace_open(const struct trace *trace, const struct romsim_trace_open *opened);

/* Writes down what is made to go wrong with a device ("ukp_rom1"). */
void trace_fault(const struct trace *trace, const char *device, const char *text);

/* Writes down a device that is not there.  `at`: where it would be mounted, or NULL. */
void trace_missing(const struct trace *trace, const struct romsim_device *device, const char *at);

/* A string that JSON can have: what is no UTF-8 is quoted as for a terminal. */
json_t *trace_string(const char *text);

/* A layer that writes down what passes it.  `at`: where the device is mounted, or NULL.  NULL on
 * failure. */
struct layer *trace_layer(struct trace *trace, const struct romsim_device *device, const char *at,
                          struct romsim_error *err);

#endif
