/* SPDX-License-Identifier: BSD-3-Clause */
/* trace_report.h: a trace as a page for a browser. */
#ifndef ROMSIM_CLI_TRACE_REPORT_H
#define ROMSIM_CLI_TRACE_REPORT_H

#include <romsim/buffer.h>
#include <romsim/error.h>

#include <jansson.h>

/* The page in the making. */
struct trace_report {
    struct romsim_buffer data; /* the lines, as the page's script reads them */
    size_t lines, accesses;
    size_t left_out; /* accesses beyond what a page can show */
};

void trace_report_begin(struct trace_report *report);

/* Takes a line of the trace into it. */
int trace_report_add(struct trace_report *report, const json_t *line, struct romsim_error *err);

/* The whole page in `ret`.  Returns 0 or -1. */
int trace_report_finish(const struct trace_report *report, struct romsim_buffer *ret,
                        struct romsim_error *err);
void trace_report_clear(struct trace_report *report);

#endif
