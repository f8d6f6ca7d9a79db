/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keeper_warm.c: starts without a boot, of an instance that is started again and again: by the
 * `run --watch` that it belongs to, or as long as an `edit --watch` follows it.
 *
 * The first start is that of a VM with the root alone, which is saved before its app begins: a
 * template as others are (template.h), but in memory, of the keeper alone, and without ROMs and
 * volumes.  The instance itself, then and at each later start, is a clone of it, with the ROMs that
 * it has by then.  What the VM was saved with is compared before each start; if that has changed
 * the template is made anew.  Where none can be had the VM boots each time.  A clone that is
 * suspended goes on as one: the template is kept until then.
 */
#include "keeper_parts.h"
#include "template.h"

#include <romsim/cleanup.h>
#include <romsim/clock.h>

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

static bool is_same_file(const struct romsim_blob *one, const struct romsim_blob *other)
{
    uint64_t one_offset, other_offset;
    struct stat one_status, other_status;

    return fstat(romsim_blob_fd(one, &one_offset), &one_status) == 0 &&
           fstat(romsim_blob_fd(other, &other_offset), &other_status) == 0 &&
           one_status.st_dev == other_status.st_dev && one_status.st_ino == other_status.st_ino &&
           one_offset == other_offset;
}

/* By where they stand if that will do, since a root may be large. */
static bool is_same_blob(struct romsim_blob *one, struct romsim_blob *other)
{
    if (romsim_blob_size(one) != romsim_blob_size(other))
        return false;
    return one == other || is_same_file(one, other) ||
           strcmp(romsim_blob_sha256_hex(one), romsim_blob_sha256_hex(other)) == 0;
}

/* Would the VM be saved as it is? */
static bool fits(const struct romsim_template *warm, const struct romsim_layout *layout)
{
    json_t *wanted = romsim_layout_template(layout);
    bool same = json_equal(wanted, json_object_get(warm->record, "layout")) &&
                is_same_blob(warm->drives[0], romsim_layout_root(layout)->blob);

    json_decref(wanted);
    return same;
}

static bool starts_often(const struct keeper *keeper)
{
    bool often = keeper->config->stays;

    for (size_t i = 0; i < keeper->clients.count; i++)
        often |= keeper->clients.items[i]->starts_often;
    return often;
}

/* May the next start be a clone's?  What is suspended goes on as what it is. */
static bool can_be_warm(const struct keeper *keeper)
{
    const struct vm_plan *plan = keeper->config->plan;
    const struct romsim_layout *layout = keeper->layout;

    return starts_often(keeper) && keeper->saved < 0 && !keeper->is_cold && !plan->saving &&
           !plan->input.is_open && !plan->input.is_terminal && !plan->gdb.port && !plan->shell &&
           !layout->template && romsim_layout_root(layout);
}

void keeper_forget_warm(struct keeper *keeper)
{
    romsim_template_unref(keeper->warm);
    keeper->warm = NULL;
}

void keeper_cool_down(struct keeper *keeper)
{
    bool is_needed = keeper->is_clone || (keeper->saved >= 0 && keeper->saved_is_clone);

    if (!is_needed && !starts_often(keeper))
        keeper_forget_warm(keeper);
}

static void begin_clone(struct keeper *keeper)
{
    keeper->staged = *keeper->layout;
    keeper->staged.template = keeper->warm;
    keeper->is_clone = true;
    keeper->run = run_start(&keeper->staged, &keeper->volumes, &keeper->plan, keeper->folder,
                            keeper->saved, keeper_on_run_event, keeper);
}

/* The VM that is to be saved, with the root alone. */
static void begin_warming(struct keeper *keeper)
{
    static const struct volumes none;

    keeper->saving = (struct romsim_vm_saving){
        .memory = memfd_create("romsim-warm-memory", MFD_CLOEXEC),
        .state = memfd_create("romsim-warm-state", MFD_CLOEXEC),
        .at_init = true,
    };
    keeper->plan = *keeper->config->plan;
    keeper->plan.saving = &keeper->saving;
    keeper->staged = *keeper->layout;
    keeper->staged.device_count = 1;
    keeper->staged.mount_count = keeper->staged.port_count = 0;
    keeper->is_warming = true;
    keeper->run = run_start(&keeper->staged, &none, &keeper->plan, keeper->folder, -1,
                            keeper_on_run_event, keeper);
}

/* From now on it boots each time; that is said once. */
static void stay_cold(struct keeper *keeper, const char *why)
{
    char note[512];

    keeper->is_cold = true;
    keeper_forget_warm(keeper);
    snprintf(note, sizeof(note), "each start boots the VM, since it cannot be saved: %.400s", why);
    keeper_tell_text(keeper, ROMSIM_VM_NOTE, note);
}

bool keeper_begin_warm(struct keeper *keeper)
{
    if (keeper->saved >= 0 && keeper->saved_is_clone) {
        begin_clone(keeper);
        return true;
    }
    if (!can_be_warm(keeper)) {
        keeper_forget_warm(keeper);
        return false;
    }
    if (keeper->warm && !fits(keeper->warm, keeper->layout))
        keeper_forget_warm(keeper);
    if (keeper->warm)
        begin_clone(keeper);
    else
        begin_warming(keeper);
    return true;
}

/* Takes what was saved, if it was. */
static void take_saved(struct keeper *keeper, const struct run_result *result,
                       struct romsim_error *err)
{
    if (result->end == RUN_END_SAVED)
        keeper->warm =
            template_keep(&keeper->staged, &keeper->plan.processor, &keeper->saving, err);
    else
        cleanup_close_fd(&keeper->saving.memory), cleanup_close_fd(&keeper->saving.state);
    keeper->saving.memory = keeper->saving.state = -1;
}

bool keeper_end_warming(struct keeper *keeper, const struct run_result *result)
{
    struct romsim_error err = {0};
    bool was_warming = keeper->is_warming, was_clone = keeper->is_clone;
    bool goes_on = keeper->wish == STOP_BY_NOBODY && !keeper->is_deleted &&
                   !keeper->restarts_at_once && !keeper->next;

    keeper->is_warming = keeper->is_clone = false;
    if (was_warming)
        take_saved(keeper, result, &err);
    /* One that does not go on from there may still boot; not so one that was suspended. */
    else if (!was_clone || keeper->saved >= 0 || result->end != RUN_END_BROKEN ||
             run_app_runs(keeper->run))
        return false;
    if (!goes_on)
        return false;
    if (!was_warming || !keeper->warm)
        stay_cold(keeper, err.errnum ? err.message : result->text);
    run_free(keeper->run);
    keeper->run = NULL;
    keeper->warming_us = romsim_clock_us() - keeper->run_start;
    keeper_begin_run(keeper);
    return true;
}
