/* SPDX-License-Identifier: BSD-3-Clause */
/* plan_resources.h: what instances take of this machine, beforehand. */
#ifndef ROMSIM_CLI_PLAN_RESOURCES_H
#define ROMSIM_CLI_PLAN_RESOURCES_H

#include <romsim/needs.h>

#include <stdbool.h>

/* An instance of the file. */
struct plan_item {
    char name[128]; /* "": each run makes one up */
    uint64_t memory_mb;
    uint64_t count; /* how many of it */
    struct romsim_needs needs;
};

/* Prints a table, or JSON.  Returns the exit status: CLI_OK even if there is no room. */
int plan_resources(const struct plan_item *items, size_t count, enum romsim_accel accel,
                   bool is_json);

#endif
