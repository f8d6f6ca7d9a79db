/* SPDX-License-Identifier: BSD-3-Clause */
/* edit.c: an instance's edits carried out, in a thread. */
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

int edit_check(const struct romsim_instance *instance, const json_t *edits,
               const struct romsim_limits *limits, struct romsim_error *err)
{
    CLEANUP_INSTANCE struct romsim_instance *edited = NULL;
    struct romsim_diagnostics diagnostics = {0};
    int status =
        romsim_instance_edit(instance, edits, ROMSIM_ORIGIN_FLAGS, limits, &edited, &diagnostics);

    if (status < 0)
        first_error(&diagnostics, err);
    romsim_diagnostics_clear(&diagnostics);
    return status;
}

static void *work(void *argument)
{
    struct edit *edit = argument;

    if (romsim_instance_edit(edit->old, edit->edits, ROMSIM_ORIGIN_FLAGS, &edit->limits,
                             &edit->instance, &edit->diagnostics) == 0) {
        free(edit->instance->name);
        edit->instance->name = STEAL_POINTER(&edit->name);
        edit->layout =
            edit->instance->name ? romsim_layout_new(edit->instance, &edit->diagnostics) : NULL;
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

struct edit *edit_start(const struct romsim_instance *instance, const char *name,
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
    edit->limits = *limits;
    edit->name = strdup(name);
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
