/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * edit.h: an instance's edits carried out: what comes of them is checked, and its images are built,
 * in a thread, since that may take its time and the keeper has others to answer.
 */
#ifndef ROMSIM_VM_EDIT_H
#define ROMSIM_VM_EDIT_H

#include <romsim/instance.h>
#include <romsim/layout.h>

#include <jansson.h>

struct edit;

/* The member of an edit that came over the network; others are the user's. */
#define EDIT_ORIGIN "network"

/* Starts; `instance` and its `layout`, whose name the result has, are borrowed until edit_finish(),
 * `edits` is a reference of the caller's. */
struct edit *edit_start(const struct romsim_instance *instance, const struct romsim_layout *layout,
                        const json_t *edits, const struct romsim_limits *limits,
                        struct romsim_error *err);

/* Readable when it is done; -1 for NULL. */
int edit_fd(const struct edit *edit);

/* Ends it, waiting if need be: 0 with the new instance and its layout, or -1 with why. */
int edit_finish(struct edit *edit, struct romsim_instance **ret_instance,
                struct romsim_layout **ret_layout, struct romsim_error *err);

/* Would these edits be good ones, as far as that can be said without a look at images? */
int edit_check(const struct romsim_instance *instance, const json_t *edits,
               const struct romsim_limits *limits, struct romsim_error *err);

#endif
