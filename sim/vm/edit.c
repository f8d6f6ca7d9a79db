/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * edit.c: an instance's edits carried out, in a thread.
 *
 * Edits that wait together may have come from the user and from the network, who may name different
 * things.  So each knows where it came from, and those in a row that came from the same place are
 * made together.
 */
#include "edit.h"

#include <romsim/cleanup.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

struct edit {
    pthread_t thread;
    int done; /* an eventfd */
    const struct romsim_instance *old;
    const struct romsim_layout *old_layout;
    char *name;
    json_t *edits; /* a copy: references are not counted for two threads */
    struct romsim_limits limits;
    struct romsim_instance *instance;
    struct romsim_layout *layout;
    struct romsim_diagnostics diagnostics;
};

/* The first error of several stands for all of them. */
static int first_error(const struct romsim_diagnostics *diagnostics, struct romsim_error *err)
{
    for (size_t i = 0; i < diagnostics->count; i++)
        if (!diagnostics->entries[i].is_warning) {
            *err = diagnostics->entries[i].error;
            return -1;
        }
    return romsim_error_nomem(err);
}

static enum romsim_origin origin_of(const json_t *edit)
{
    return json_object_get(edit, EDIT_ORIGIN) ? ROMSIM_ORIGIN_NETWORK : ROMSIM_ORIGIN_FLAGS;
}

/* The edits from `first` on that have one origin; a new array.  *first becomes the next one's. */
static json_t *take_row(const json_t *edits, size_t *first)
{
    enum romsim_origin origin = origin_of(json_array_get(edits, *first));
    json_t *row = json_array();

    do
        json_array_append(row, json_array_get(edits, *first));
    while (++*first < json_array_size(edits) && origin_of(json_array_get(edits, *first)) == origin);
    return row;
}

static int make(const struct romsim_instance *instance, const json_t *edits,
                const struct romsim_limits *limits, struct romsim_instance **ret,
                struct romsim_diagnostics *diagnostics)
{
    CLEANUP_INSTANCE struct romsim_instance *made = NULL;

    for (size_t i = 0; i < json_array_size(edits);) {
        enum romsim_origin origin = origin_of(json_array_get(edits, i));
        struct romsim_instance *next = NULL;
        json_t *row = take_row(edits, &i);
        int status =
            romsim_instance_edit(made ? made : instance, row, origin, limits, &next, diagnostics);

        json_decref(row);
        if (status < 0)
            return -1;
        romsim_instance_free(made);
        made = next;
    }
    *ret = STEAL_POINTER(&made);
    return *ret ? 0 : -1;
}

int edit_check(const struct romsim_instance *instance, const json_t *edits,
               const struct romsim_limits *limits, struct romsim_error *err)
{
    CLEANUP_INSTANCE struct romsim_instance *edited = NULL;
    struct romsim_diagnostics diagnostics = {0};
    int status = make(instance, edits, limits, &edited, &diagnostics);

    if (status < 0)
        first_error(&diagnostics, err);
    romsim_diagnostics_clear(&diagnostics);
    return status;
}

static void *work(void *argument)
{
    struct edit *edit = argument;

    if (make(edit->old, edit->edits, &edit->limits, &edit->instance, &edit->diagnostics) == 0) {
        free(edit->instance->name);
        edit->instance->name = STEAL_POINTER(&edit->name);
        edit->layout = edit->instance->name ? romsim_layout_anew(edit->instance, edit->old_layout,
                                                                 &edit->diagnostics)
                                            : NULL;
    }
    eventfd_write(edit->done, 1);
    return NULL;
}

static void edit_free(struct edit *edit)
{
    if (!edit)
        return;
    cleanup_close_fd(&edit->done);
    json_decref(edit->edits);
    romsim_layout_free(edit->layout);
    romsim_instance_free(edit->instance);
    romsim_diagnostics_clear(&edit->diagnostics);
    free(edit->name);
    free(edit);
}

struct edit *edit_start(const struct romsim_instance *instance, const struct romsim_layout *layout,
                        const json_t *edits, const struct romsim_limits *limits,
                        struct romsim_error *err)
{
    struct edit *edit = calloc(1, sizeof(*edit));
    int problem;

    if (!edit) {
        romsim_error_nomem(err);
        return NULL;
    }
    edit->old = instance;
    edit->old_layout = layout;
    edit->limits = *limits;
    edit->name = strdup(layout->name);
    edit->edits = json_deep_copy(edits);
    edit->done = eventfd(0, EFD_CLOEXEC);
    problem = edit->done < 0              ? errno
              : edit->name && edit->edits ? pthread_create(&edit->thread, NULL, work, edit)
                                          : ENOMEM;
    if (!problem)
        return edit;
    romsim_error_system(err, problem, "cannot carry out an edit");
    edit_free(edit);
    return NULL;
}

int edit_fd(const struct edit *edit)
{
    return edit ? edit->done : -1;
}

int edit_finish(struct edit *edit, struct romsim_instance **ret_instance,
                struct romsim_layout **ret_layout, struct romsim_error *err)
{
    int status = 0;

    pthread_join(edit->thread, NULL);
    if (edit->layout) {
        *ret_layout = STEAL_POINTER(&edit->layout);
        *ret_instance = STEAL_POINTER(&edit->instance);
    } else {
        status = first_error(&edit->diagnostics, err);
    }
    edit_free(edit);
    return status;
}
