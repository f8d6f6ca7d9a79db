/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keeper_snapshot.c: an instance that is saved and goes on: checkpoints, and branches of it
 * (cloud-api §4).
 *
 *     it runs          its app is held, the VM is saved, and both go on: run_snapshot()
 *     it was saved     (suspended, in standby) a copy of that
 *     it was not       what it would boot with
 *
 * The images of its drives are copied by a thread, which has a reference of each; until it is done
 * the draft of the checkpoint is held by its lock (template.h).  A branch's draft becomes no
 * checkpoint: it is there for the client that has asked for it, as long as he is, who opens its
 * files and needs it no more.
 */
#include "keeper_parts.h"
#include "template.h"

#include <romsim/cleanup.h>
#include <romsim/name.h>
#include <romsim/text.h>
#include <romsim/uuid.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SUFFIX_SIZE = 5, NAME_MOST = 57 };

/* ---- may it be saved? -------------------------------------------------------------------------
 */

bool keeper_is_saving(const struct keeper *keeper)
{
    return keeper->snapshot.draft;
}

/* Why not, or NULL. */
static json_t *refuse(const struct keeper *keeper)
{
    enum instance_state state = keeper->status.state;
    const struct vm_plan *plan = keeper->config->plan;

    if (keeper->is_deleted)
        return keeper_refuse_deleted(keeper);
    if (keeper_is_saving(keeper))
        return keeper_refuse(ROMSIM_CLOUD_WRONG_VM_STATE,
                             "Cannot branch from VM with pending snapshot");
    if (plan->input.is_open || plan->input.is_terminal)
        return keeper_refuse(ROMSIM_CLOUD_NOT_ALLOWED,
                             "the instance '%s' has an input (--stdin, --tty), which cannot be "
                             "saved with it",
                             keeper->layout->name);
    if (plan->shell)
        return keeper_refuse_shell(keeper);
    if (romsim_faults_count(plan->seam.faults) > 0)
        return keeper_refuse(ROMSIM_CLOUD_NOT_ALLOWED,
                             "the instance '%s' is made to go wrong (--fault), and is not saved",
                             keeper->layout->name);
    if (state == STATE_RUNNING && keeper->becomes_template)
        return keeper_refuse(ROMSIM_CLOUD_WRONG_VM_STATE,
                             "the instance '%s' is to become a template", keeper->layout->name);
    if (state == STATE_RUNNING && !run_has_ended(keeper->run))
        return NULL;
    if (!keeper->run && instance_status_is_stopped(&keeper->status) &&
        (keeper->saved >= 0 || !keeper->layout->template))
        return NULL;
    if (!keeper->run && instance_status_is_stopped(&keeper->status))
        return keeper_refuse(
            ROMSIM_CLOUD_WRONG_VM_STATE,
            "Cannot branch from VM in state '%s': it is a clone, and was not saved "
            "itself: start it",
            instance_state_name(state));
    return keeper_refuse(ROMSIM_CLOUD_WRONG_VM_STATE, "Cannot branch from VM in state '%s'",
                         instance_state_name(state));
}

/* ---- the thread -------------------------------------------------------------------------------
 */

/* What is written of the file, and not the holes of a memory. */
static int copy_file(int from, int to, struct romsim_error *err)
{
    static const size_t piece = 1 << 20;
    CLEANUP_FREE char *bytes = malloc(piece);
    struct stat status;
    off_t at = 0;

    if (!bytes)
        return romsim_error_nomem(err);
    if (fstat(from, &status) < 0 || ftruncate(to, status.st_size) < 0)
        return romsim_error_system(err, errno, "cannot keep the saved VM");
    while ((at = lseek(from, at, SEEK_DATA)) >= 0) {
        off_t end = lseek(from, at, SEEK_HOLE);
        size_t wanted = end - at < (off_t)piece ? (size_t)(end - at) : piece;
        ssize_t got = pread(from, bytes, wanted, at);

        if (got <= 0 || pwrite(to, bytes, (size_t)got, at) != got)
            return romsim_error_system(err, got < 0 ? errno : EIO, "cannot keep the saved VM");
        at += got;
    }
    return errno == ENXIO ? 0 : romsim_error_system(err, errno, "cannot read the saved VM");
}

static int copy_all(struct keeper_snapshot *snapshot)
{
    struct romsim_error *err = &snapshot->err;

    if (snapshot->copied >= 0 && copy_file(snapshot->copied, snapshot->state, err) < 0)
        return -1;
    for (size_t i = 0; i < snapshot->drive_count; i++)
        if (romsim_template_draft_drive(snapshot->draft, snapshot->drives[i], err) < 0)
            return -1;
    snapshot->version = template_qemu_version(err);
    return snapshot->version ? 0 : -1;
}

static void *work(void *argument)
{
    struct keeper_snapshot *snapshot = argument;

    snapshot->status = copy_all(snapshot);
    eventfd_write(snapshot->done, 1);
    return NULL;
}

static int begin_work(struct keeper_snapshot *snapshot, struct romsim_error *err)
{
    int problem = pthread_create(&snapshot->thread, NULL, work, snapshot);

    if (problem)
        return romsim_error_system(err, problem, "cannot start a thread");
    snapshot->is_working = true;
    return 0;
}

/* ---- its end ----------------------------------------------------------------------------------
 */

static void answer(struct keeper *keeper, json_t *reply)
{
    if (keeper->snapshot.client)
        channel_answer(&keeper->snapshot.client->channel, reply);
    else
        json_decref(reply);
    keeper->snapshot.client = NULL;
}

/* Forgets it; what is not finished is removed. */
static void forget(struct keeper *keeper)
{
    struct keeper_snapshot *snapshot = &keeper->snapshot;

    for (size_t i = 0; i < snapshot->drive_count; i++)
        romsim_blob_unref(snapshot->drives[i]);
    cleanup_close_fd(&snapshot->state);
    cleanup_close_fd(&snapshot->copied);
    cleanup_close_fd(&snapshot->memory);
    cleanup_close_fd(&snapshot->done);
    json_decref(snapshot->record);
    free(snapshot->version);
    romsim_template_draft_free(snapshot->draft);
    *snapshot = KEEPER_SNAPSHOT_NONE;
    keeper->is_changed = true;
}

static void fail(struct keeper *keeper, const struct romsim_error *err)
{
    bool has_client = keeper->snapshot.client;

    answer(keeper, keeper_error_answer(err));
    if (!has_client && !keeper->snapshot.is_branch)
        keeper_tell_text(keeper, ROMSIM_VM_NOTE, err->message);
    forget(keeper);
}

/* Those that the instance comes from, with this one before them. */
static json_t *history_with(const struct keeper *keeper)
{
    const struct keeper_snapshot *snapshot = &keeper->snapshot;
    char created[ROMSIM_TIME_SIZE];
    json_t *history = json_deep_copy(keeper->history);

    json_array_insert_new(
        history, 0,
        json_pack("{s:s, s:s, s:s}", "uuid", romsim_template_draft_uuid(snapshot->draft), "name",
                  snapshot->name, "created_at", romsim_text_time(time(NULL), created)));
    return history;
}

/* A branch's draft is its client's from now on. */
static int finish_branch(struct keeper *keeper, json_t *record, struct romsim_error *err)
{
    struct keeper_snapshot *snapshot = &keeper->snapshot;

    json_object_set(record, "history", keeper->history);
    if (romsim_template_draft_announce(snapshot->draft, record, err) < 0)
        return -1;
    if (snapshot->client) {
        json_t *reply = json_pack("{s:s}", "draft", romsim_template_draft_uuid(snapshot->draft));

        snapshot->client->draft = STEAL_POINTER(&snapshot->draft);
        answer(keeper, reply);
    }
    return 0;
}

static int finish_checkpoint(struct keeper *keeper, json_t *record, struct romsim_error *err)
{
    struct keeper_snapshot *snapshot = &keeper->snapshot;
    json_t *history = history_with(keeper);

    json_object_set(record, "history", history);
    json_object_set_new(record, "state", json_string("checkpoint"));
    if (romsim_template_draft_finish(snapshot->draft, record, err) < 0) {
        json_decref(history);
        return -1;
    }
    json_decref(keeper->history);
    keeper->history = history;
    answer(keeper, json_pack("{s:s, s:s, s:s}", "uuid", romsim_template_draft_uuid(snapshot->draft),
                             "name", snapshot->name, "state", "checkpoint"));
    return 0;
}

static void conclude(struct keeper *keeper)
{
    struct keeper_snapshot *snapshot = &keeper->snapshot;
    struct romsim_error err = {0};
    json_t *record;

    pthread_join(snapshot->thread, NULL);
    snapshot->is_working = false;
    if (snapshot->status < 0) {
        err = snapshot->err;
        fail(keeper, &err);
        return;
    }
    record = STEAL_POINTER(&snapshot->record);
    json_object_set_new(record, "qemu", json_string(snapshot->version));
    if ((snapshot->is_branch ? finish_branch : finish_checkpoint)(keeper, record, &err) < 0) {
        fail(keeper, &err);
        return;
    }
    forget(keeper);
    if (keeper->folder)
        romsim_state_set_summary(keeper->folder, keeper_describe(keeper), NULL);
}

int keeper_snapshot_fd(const struct keeper *keeper)
{
    return keeper->snapshot.is_working ? keeper->snapshot.done : -1;
}

void keeper_look_at_snapshot(struct keeper *keeper)
{
    struct keeper_snapshot *snapshot = &keeper->snapshot;
    struct romsim_error err = {0};
    eventfd_t ignored;

    if (snapshot->is_working && eventfd_read(snapshot->done, &ignored) == 0) {
        conclude(keeper);
        return;
    }
    if (!snapshot->is_of_run || !keeper->run || run_is_snapshot_pending(keeper->run))
        return;
    snapshot->is_of_run = false;
    if (run_take_snapshot(keeper->run, &err) < 0 || begin_work(snapshot, &err) < 0)
        fail(keeper, &err);
}

void keeper_lose_snapshot(struct keeper *keeper)
{
    struct romsim_error err = {0};

    if (!keeper->snapshot.is_of_run)
        return;
    romsim_error_set(&err, EINVAL, "the instance '%s' ended before it was saved",
                     keeper->layout->name);
    err.cloud = ROMSIM_CLOUD_FAILED_OPERATION;
    fail(keeper, &err);
}

void keeper_end_snapshot(struct keeper *keeper)
{
    keeper_lose_snapshot(keeper);
    if (keeper->snapshot.is_working)
        conclude(keeper);
}

/* ---- its beginning ----------------------------------------------------------------------------
 */

static int choose_name(const struct keeper *keeper, const char *wanted, char ret[64],
                       struct romsim_error *err)
{
    char suffix[SUFFIX_SIZE + 1];

    if (wanted && strlen(wanted) < 64) {
        snprintf(ret, 64, "%s", wanted);
        return 0;
    }
    if (wanted) /* one that is too long is refused by those who know why */
        return romsim_name_check_new("checkpoint name", wanted, err);
    if (!romsim_random_suffix(suffix, SUFFIX_SIZE))
        return romsim_error_system(err, errno, "the kernel has no random bytes");
    snprintf(ret, 64, "%.*s-%s", NAME_MOST, keeper->layout->name, suffix);
    return 0;
}

/* What is known of it by now. */
static json_t *record_of(const struct keeper *keeper, const struct romsim_layout *layout,
                         const json_t *request)
{
    const struct keeper_snapshot *snapshot = &keeper->snapshot;
    json_t *record = template_record(layout, NULL, &keeper->config->plan->processor, "");
    json_t *properties = json_pack("{s:O*, s:O*}", "tags", json_object_get(request, "tags"),
                                   "autokill", json_object_get(request, "autokill"));

    json_object_set_new(record, "properties", properties);
    json_object_set_new(record, "roms", romsim_layout_roms_saved(layout));
    json_object_set_new(record, "cold", json_boolean(snapshot->is_cold));
    json_object_set_new(record, "memory", json_boolean(snapshot->memory >= 0));
    json_object_set_new(record, "state", json_string("starting"));
    if (snapshot->is_branch)
        json_object_set_new(record, "branch", json_true());
    return record;
}

static int prepare(struct keeper *keeper, const json_t *request, struct romsim_error *err)
{
    struct keeper_snapshot *snapshot = &keeper->snapshot;
    /* With --watch what runs is a clone of the instance as it was before it began. */
    bool is_clone = keeper->run ? keeper->is_clone : keeper->saved >= 0 && keeper->saved_is_clone;
    const struct romsim_layout *layout = is_clone ? &keeper->staged : keeper->layout;
    const char *wanted = json_string_value(json_object_get(request, "name"));

    snapshot->is_cold = !keeper->run && keeper->saved < 0;
    if (choose_name(keeper, wanted, snapshot->name, err) < 0 ||
        template_drives(layout, snapshot->drives, &snapshot->drive_count, err) < 0)
        return -1;
    snapshot->done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (snapshot->done < 0)
        return romsim_error_system(err, errno, "cannot make an eventfd");
    snapshot->draft = romsim_template_draft(ROMSIM_SAVED_CHECKPOINT, snapshot->name, NULL, err);
    if (!snapshot->draft)
        return -1;
    if (!snapshot->is_cold &&
        (snapshot->state = romsim_template_draft_file(snapshot->draft, "state", err)) < 0)
        return -1;
    if (!keeper->run && keeper->saved >= 0 &&
        (snapshot->copied = fcntl(keeper->saved, F_DUPFD_CLOEXEC, 0)) < 0)
        return romsim_error_system(err, errno, "cannot keep the saved VM");
    /* One that scales to zero has it apart, and writes to it as soon as it is woken: it is copied
     * before that can be. */
    if (!keeper->run && keeper->saved >= 0 && keeper->memory >= 0 &&
        ((snapshot->memory = romsim_template_draft_file(snapshot->draft, "memory", err)) < 0 ||
         copy_file(keeper->memory, snapshot->memory, err) < 0))
        return -1;
    snapshot->record = record_of(keeper, layout, request);
    if (!snapshot->record)
        return romsim_error_nomem(err);
    if (!snapshot->is_branch &&
        romsim_template_draft_announce(snapshot->draft, json_deep_copy(snapshot->record), err) < 0)
        return -1;
    return 0;
}

/* Returns the answer, or NULL: it comes later. */
static json_t *begin(struct keeper *keeper, struct keeper_client *client, const json_t *request,
                     bool is_branch)
{
    struct keeper_snapshot *snapshot = &keeper->snapshot;
    json_t *refusal = refuse(keeper);
    struct romsim_error err = {0};
    bool waits = is_branch || json_is_true(json_object_get(request, "wait"));

    if (refusal)
        return refusal;
    snapshot->is_branch = is_branch;
    if (prepare(keeper, request, &err) < 0) {
        forget(keeper);
        return keeper_error_answer(&err);
    }
    if (keeper->run) {
        snapshot->is_of_run = true;
        run_snapshot(keeper->run, snapshot->state);
    } else if (begin_work(snapshot, &err) < 0) {
        forget(keeper);
        return keeper_error_answer(&err);
    }
    snapshot->client = waits ? client : NULL;
    return waits ? NULL
                 : json_pack("{s:s, s:s, s:s}", "uuid", romsim_template_draft_uuid(snapshot->draft),
                             "name", snapshot->name, "state", "starting");
}

json_t *keeper_take_checkpoint(struct keeper *keeper, struct keeper_client *client,
                               const json_t *request)
{
    return begin(keeper, client, request, false);
}

json_t *keeper_take_branch(struct keeper *keeper, struct keeper_client *client,
                           const json_t *request)
{
    (void)request;
    return begin(keeper, client, NULL, true);
}

void keeper_lose_draft(struct keeper *keeper, struct keeper_client *client)
{
    if (keeper->snapshot.client == client)
        keeper->snapshot.client = NULL;
    romsim_template_draft_free(client->draft);
    client->draft = NULL;
}
