/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_replay.c: `romsim replay CASE...`: has cases happen again, and says whether it was the same.
 */
#include "case_run.h"
#include "replays.h"
#include "signals.h"
#include "sim/cli/make.h"

#include <romsim/link.h>
#include <romsim/state.h>
#include <romsim/text.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* How long one is run that was cut, unless its console is there before. */
enum { CUT_SECONDS = 120 };

/* How often a log is replayed that QEMU does not get through. */
enum { REPLAYS_MOST = 3 };

struct replay {
    const struct cli_args *args;
    struct replays_result *result; /* of one of several; or NULL: what comes of it is printed */
    struct romsim_case *opened;
    struct romsim_vm_options options;
    struct case_end end;
    bool is_silent, is_like_there; /* the versions that matter for what is read are the same */
    json_t *others;                /* versions that are not */
    struct romsim_strings roms, env;
    struct romsim_faults *faults;
    struct romsim_instance *instance;
    struct romsim_layout *layout;
    struct romsim_outcome outcome;
    struct romsim_vm_record record; /* with --deterministic */
    int log;                        /* its file, or -1 */
};

static void replay_release(struct replay *replay)
{
    romsim_case_free(replay->opened);
    json_decref(replay->others);
    romsim_strings_clear(&replay->roms);
    romsim_strings_clear(&replay->env);
    romsim_faults_free(replay->faults);
    romsim_layout_free(replay->layout);
    romsim_instance_free(replay->instance);
    romsim_outcome_clear(&replay->outcome);
    cleanup_close_fd(&replay->log);
}

/* A failure of ours, which is no difference. */
static int fail(const struct romsim_error *error)
{
    cli_report(error);
    return CLI_RUN_FAILED;
}

/* ---- before the start --------------------------------------------------------------------- */

static const char *version_of(const struct replay *replay, const char *name)
{
    const json_t *versions = json_object_get(replay->opened->head, "versions");

    return json_string_value(json_object_get(versions, name));
}

/* What is read ahead of an app's wishes is a matter of kernel and machine. */
static bool matters(const char *name)
{
    return strcmp(name, "kernel digest") == 0 || strcmp(name, "accelerator") == 0 ||
           strcmp(name, "machine") == 0;
}

static int compare_versions(struct replay *replay)
{
    bool is_kvm = replay->options.processor.accel == ROMSIM_ACCEL_KVM;
    json_t *here = case_versions(replay->options.kernel, is_kvm ? "kvm" : "tcg",
                                 replay->options.processor.model, replay->opened->record),
           *value;
    const char *name;

    if (!here)
        return -1;
    replay->is_like_there = true;
    replay->others = json_object();
    json_object_foreach(here, name, value)
    {
        const char *there = version_of(replay, name), *own = json_string_value(value);

        if (there && strcmp(there, own) == 0)
            continue;
        replay->is_like_there &= !matters(name);
        json_object_set_new(replay->others, name,
                            json_pack("{s:s?, s:s}", "there", there, "here", own));
        if (!cli_has(replay->args, "quiet"))
            cli_note("another %s: '%s' there, '%s' here", name, QUOTE(there ?: "unknown"),
                     QUOTE(own));
    }
    json_decref(here);
    return 0;
}

/* Limits are rules of the cloud, and hold as they did; bounds are what this machine is willing to
 * spend, and no case has a say in that. */
static void tell_of_bounds(const struct replay *replay)
{
    json_t *bounds = json_object_get(replay->opened->head, "bounds"), *value;
    const char *name;

    if (cli_has(replay->args, "quiet"))
        return;
    json_object_foreach(bounds, name, value)
    {
        if (json_is_integer(value))
            cli_note("it was captured with --bound %s=%lld, which is not taken over", QUOTE(name),
                     (long long)json_integer_value(value));
    }
}

static int take_options(struct replay *replay)
{
    static const char *const lists[] = {"rom", "env"};
    struct romsim_strings *const into[] = {&replay->roms, &replay->env};
    struct romsim_error error;

    if (make_vm_options(replay->args, &replay->options) < 0 ||
        case_seconds(replay->args, "for", 0, &replay->end.seconds) < 0)
        return CLI_USAGE;
    replay->is_silent = cli_has(replay->args, "quiet") || cli_has(replay->args, "json");
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        const char *value;
        size_t index = 0;

        while ((value = cli_each(replay->args, lists[i], &index)))
            if (romsim_strings_append(into[i], value) < 0)
                return fail((romsim_error_nomem(&error), &error));
    }
    return CLI_OK;
}

/* The accelerator is the case's, if it was emulation, which is to be had everywhere; and so is the
 * architecture, which older cases do not say, unless --arch is another. */
static int choose_processor(struct replay *replay)
{
    const char *accelerator = version_of(replay, "accelerator");
    enum romsim_arch arch = romsim_arch_find(version_of(replay, "architecture") ?: "amd64");

    if (arch < ROMSIM_ARCH_COUNT)
        romsim_arch_set(arch);
    if (replay->options.processor.accel == ROMSIM_ACCEL_AUTO && accelerator &&
        strcmp(accelerator, "tcg") == 0)
        replay->options.processor.accel = ROMSIM_ACCEL_TCG;
    return make_choose_processor(replay->args, &replay->options, &replay->options.processor);
}

static bool is_free(const struct romsim_case *opened)
{
    json_t *request = json_loadb((const char *)romsim_blob_bytes(opened->request),
                                 romsim_blob_size(opened->request), 0, NULL);
    const char *name = json_string_value(json_object_get(request, "name"));
    CLEANUP_LINK struct romsim_link *link = name ? romsim_link_open_name(name, NULL) : NULL;

    json_decref(request);
    return !link;
}

static int restore(struct replay *replay)
{
    const struct romsim_case_choice choice = {.root = cli_value(replay->args, "root"),
                                              .roms = &replay->roms,
                                              .env = &replay->env,
                                              .keeps_name = is_free(replay->opened)};
    CLEANUP_FREE struct romsim_case_rom *roms = NULL;
    struct romsim_diagnostics diagnostics = {0};
    struct romsim_error error;
    size_t rom_count;

    replay->layout = romsim_case_restore(replay->opened, &choice, &replay->instance, &diagnostics);
    cli_report_for(replay->args, &diagnostics);
    romsim_diagnostics_clear(&diagnostics);
    if (!replay->layout)
        return CLI_RUN_FAILED;
    replay->faults = romsim_faults_new();
    roms = case_roms(replay->layout, replay->instance, &rom_count);
    if (!replay->faults || !roms)
        return fail((romsim_error_nomem(&error), &error));
    if (romsim_case_faults(&replay->opened->faults, roms, rom_count, replay->faults, &error) < 0)
        return fail((romsim_error_context(&error, "the case's faults"), &error));
    replay->options.limits = replay->opened->limits;
    replay->options.seam = (struct romsim_seam_options){.faults = replay->faults, .stop = -1};
    return CLI_OK;
}

/* ---- what came of it ---------------------------------------------------------------------- */

/* Names that were made up for this run, and values that the case does not have, stand in both for
 * what they are. */
static int mask(struct replay *replay, struct romsim_error *err)
{
    CLEANUP_MASKS struct romsim_masks masks = {0};
    struct romsim_buffer masked = ROMSIM_BUFFER_INIT(4 * ROMSIM_CASE_CONSOLE_MAX);
    struct romsim_outcome *outcome = &replay->outcome;
    CLEANUP_BUFFER struct romsim_buffer reason = ROMSIM_BUFFER_INIT(1 << 20);
    int status = 0;

    for (size_t i = 0; i < replay->instance->env_count; i++) {
        const struct romsim_env *env = &replay->instance->env[i];

        for (size_t j = 0; j < replay->opened->redacted.count; j++)
            if (strcmp(env->name, replay->opened->redacted.items[j]) == 0)
                status |= romsim_masks_add_variable(&masks, env->name, env->value);
    }
    if (replay->layout->name_is_random)
        status |= romsim_masks_add(&masks, replay->layout->name, "{name}");
    if (outcome->console.data)
        status |= romsim_masks_apply(&masks, outcome->console.data, outcome->console.size, &masked);
    romsim_buffer_reset(&outcome->console);
    outcome->console = masked;
    if (outcome->reason) {
        romsim_masks_apply(&masks, outcome->reason, strlen(outcome->reason), &reason);
        free(outcome->reason);
        outcome->reason = strdup(QUOTE(reason.data ?: "")); /* as it stands in a case */
    }
    return status < 0 ? romsim_error_nomem(err) : 0;
}

static json_t *verdict_json(const struct replay *replay, const struct romsim_comparison *comparison)
{
    return json_pack("{s:b, s:s?, s:s?, s:s?, s:O}", "same", comparison->difference == NULL,
                     "subject", comparison->subject, "difference", comparison->difference,
                     "not_compared", comparison->untold, "versions", replay->others);
}

/* One of several leaves it to who asked. */
static int tell(struct replay *replay, const struct romsim_comparison *comparison)
{
    if (replay->result) {
        replay->result->verdict = verdict_json(replay, comparison);
        return replay->result->verdict ? CLI_OK : CLI_RUN_FAILED;
    }
    if (cli_has(replay->args, "json"))
        return cli_print_json(verdict_json(replay, comparison));
    if (comparison->difference)
        printf("differs: %s: %s\n", comparison->subject, comparison->difference);
    else
        printf("same\n");
    return CLI_OK;
}

static int conclude(struct replay *replay)
{
    CLEANUP_COMPARISON struct romsim_comparison comparison = {0};
    struct romsim_error error;

    if (mask(replay, &error) < 0 ||
        romsim_outcome_compare(&replay->opened->outcome, &replay->outcome, replay->is_like_there,
                               &comparison, &error) < 0)
        return fail(&error);
    if (tell(replay, &comparison) != CLI_OK)
        return CLI_RUN_FAILED;
    if (comparison.untold && !replay->is_silent)
        cli_note("%s", comparison.untold);
    return comparison.difference ? CLI_FAILED : CLI_OK;
}

/* ---- all of it ---------------------------------------------------------------------------- */

static void set_end(struct replay *replay)
{
    const struct romsim_outcome *there = &replay->opened->outcome;

    if (there->end != ROMSIM_OUTCOME_CUT)
        return;
    replay->end.enough = there->console.size;
    if (replay->end.seconds == 0)
        replay->end.seconds = CUT_SECONDS;
}

/* The log is of one machine, one kernel, one init, and the same bytes in the same places. */
static int choose_record(struct replay *replay)
{
    static const char *const needed[] = {"kernel digest", "init digest", "QEMU",
                                         "processor",     "machine",     "clock"};
    struct romsim_error error;

    if (!replay->opened->record) {
        romsim_error_set(&error, ENOENT, "the case has no log of QEMU's");
        romsim_error_hint(&error, "'romsim capture --deterministic' puts one in");
        return fail(&error);
    }
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
        if (json_object_get(replay->others, needed[i]))
            return fail((romsim_error_set(&error, ENOTSUP,
                                          "--deterministic needs the same %s as there", needed[i]),
                         &error));
    if (case_check_record(replay->instance, &replay->options, &error) < 0)
        return fail(&error);
    replay->log = romsim_blob_scratch_file(&error);
    if (replay->log < 0)
        return fail(&error);
    if (romsim_blob_copy(replay->opened->record, replay->log, 0) != 0)
        return fail((romsim_error_set(&error, EIO, "cannot write the log"), &error));
    replay->record = (struct romsim_vm_record){.fd = replay->log, .replays = true};
    replay->options.record = &replay->record;
    return CLI_OK;
}

/* QEMU's replay comes to a standstill now and then on a busy machine (docs/cases.md),
 * which is no difference of the case.  Nothing has reached the VM from without, so it is begun
 * again. */
static bool stands_still(const struct replay *replay)
{
    const char *reason = replay->outcome.reason;

    return replay->options.record && replay->outcome.end == ROMSIM_OUTCOME_FAILED &&
           replay->opened->outcome.end != ROMSIM_OUTCOME_FAILED && reason &&
           (strstr(reason, ROMSIM_VM_NO_PROGRESS) || strstr(reason, ROMSIM_VM_NO_ANSWER));
}

static int run_case(struct replay *replay)
{
    int status = CLI_OK;

    for (int i = 0; i < REPLAYS_MOST; i++) {
        status = case_run(replay->layout, replay->instance, &replay->options, &replay->end,
                          replay->is_silent, &replay->outcome);
        if (status != CLI_OK || !stands_still(replay) || i == REPLAYS_MOST - 1)
            break;
        if (!replay->is_silent)
            cli_note("QEMU's replay has come to a standstill: once more, from the beginning");
        romsim_outcome_clear(&replay->outcome);
    }
    return status;
}

static int replay_case(struct replay *replay, const char *file)
{
    int status;

    replay->opened = case_open(file);
    if (!replay->opened)
        return CLI_RUN_FAILED;
    status = choose_processor(replay);
    if (status == CLI_OK)
        status = restore(replay);
    if (status != CLI_OK)
        return status;
    if (compare_versions(replay) < 0)
        return CLI_RUN_FAILED;
    tell_of_bounds(replay);
    set_end(replay);
    if (cli_has(replay->args, "deterministic") && (status = choose_record(replay)) != CLI_OK)
        return status;
    status = run_case(replay);
    return status == CLI_OK ? conclude(replay) : CLI_RUN_FAILED;
}

/* A replays_one, in a process of its own, whose copy of the replay it is. */
static int replay_one(void *context, const char *file, struct replays_result *ret)
{
    struct replay *replay = context;
    int status;

    replay->result = ret;
    replay->is_silent = true;
    status = replay_case(replay, file);
    if (ret->verdict)
        ret->console = &replay->outcome.console;
    return status;
}

static int run_replay(const struct cli_args *args)
{
    CLEANUP(replay_release) struct replay replay = {.args = args, .log = -1};
    int status = take_options(&replay);

    if (status != CLI_OK)
        return status;
    signals_catch();
    romsim_state_sweep();
    return replays_are_wanted(args) ? replays_run(args, replay_one, &replay)
                                    : replay_case(&replay, args->operands[0]);
}

static const struct cli_option options[] = {
    {"root", 0, "IMAGE", "the root, if the case does not have it"},
    {"rom", 0, "KEY=VALUE,...", "contents that it does not have: name=N,dir=DIR"},
    {"env", 'e', "NAME[=VALUE]", "a variable whose value it does not have"},
    {"for", 0, "TIME", "end it after that time (30s, 5m)"},
    {"accel", 0, "auto|kvm|tcg", NULL},
    {"arch", 0, "amd64|arm64", NULL},
    {"cpu", 0, "v1-v4|MODEL", NULL},
    {"kernel", 0, "FILE", NULL},
    {"isolated", 0, NULL, NULL},
    {"no-fuse", 0, NULL, "do not look at what is read of ROMs"},
    {"boot-timeout", 0, "SECONDS", NULL},
    {"deterministic", 0, NULL, "the same instructions again, by QEMU's log"},
    {"junit", 0, "FILE", "write a report of all cases, as JUnit's XML"},
    {"tap", 0, "FILE", "the same as TAP"},
    CLI_OPTION_JSON,
    {"quiet", 'q', NULL, "nothing but the verdict"},
    CLI_OPTION_END,
};

const struct cli_command cli_command_replay = {
    .name = "replay",
    .operands = "CASE|DIR...",
    .operands_min = 1,
    .operands_max = CLI_OPERANDS_ANY,
    .summary = "run captured cases, and say whether the same happened",
    .description =
        "Ends with 'same', or with the first difference in how the app ended, what it\n"
        "wrote and what it read, and status 1; 125: it cannot be run.  Of several cases,\n"
        "or all of a DIR, there is a line each, and the worst status.  Nothing in a case\n"
        "is believed: it may be anybody's.\n",
    .is_of_this_machine = true,
    .options = options,
    .run = run_replay,
};
