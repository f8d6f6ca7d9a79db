/* SPDX-License-Identifier: BSD-3-Clause */
/* format.h: the names in a case's file, which its writer and its reader share. */
#ifndef ROMSIM_CASE_FORMAT_H
#define ROMSIM_CASE_FORMAT_H

#define CASE_HEAD    "case.json"
#define CASE_REQUEST "request.json"
#define CASE_CONSOLE "console.log"
#define CASE_TRACE   "trace.jsonl"
#define CASE_ROOT    "root.erofs"
#define CASE_RECORD  "record.rr"

enum {
    CASE_VERSION = 1,
    CASE_HEAD_MAX = 1 << 20,     /* bytes of case.json, */
    CASE_REQUEST_MAX = 64 << 20, /* request.json, */
    CASE_TRACE_MAX = 16 << 20,   /* and of what is kept of a trace, */
    CASE_LINE_MAX = 4 << 20      /* in lines of this size at most */
};

#endif
