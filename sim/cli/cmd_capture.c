/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_capture.c: `romsim capture NAME|FILE -o CASE`: an instance with all that it takes to have the
 * same happen again, as one file (docs/cases.md).
 */
#include "case_run.h"
#include "output.h"
#include "signals.h"
#include "sim/cli/capture_live.h"
#include "sim/cli/make.h"

#include <romsim/state.h>
#include <romsim/store.h>
#include <romsim/text.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- writing ------------------------------------------------------------------------------ */

int capture_write(const struct cli_args *args, struct romsim_case_draft *draft)
{
    const char *path = cli_value(args, "output");
    CLEANUP_OUTPUT struct output output = {.fd = -1};
    struct romsim_diagnostics diagnostics = {0};
    struct romsim_error error = {0};
    struct stat st = {0};
    int status;

    draft->with_root = cli_has(args, "with-root");
    draft->with_env = cli_has(args, "with-env");
    draft->without_inline = cli_has(args, "without-inline");
    if (output_open(&output, path, &error) < 0)
        return cli_report(&error);
    status = romsim_case_write(draft, output.fd, &diagnostics, &error);
    cli_report_for(args, &diagnostics);
    romsim_diagnostics_clear(&diagnostics);
    if (status < 0 || fstat(output.fd, &st) < 0 || output_commit(&output, &error) < 0)
        return cli_report(&error);
    if (!cli_has(args, "quiet"))
        cli_note("'%s', %s: 'romsim replay' has it happen again", QUOTE(path),
                 SIZE_TEXT((uint64_t)st.st_size));
    return CLI_OK;
}

/* ---- of a file ---------------------------------------------------------------------------- */

static int write_run(const struct cli_args *args, const struct romsim_layout *layout,
                     const struct romsim_instance *instance,
                     const struct romsim_vm_options *options, const struct romsim_strings *faults,
                     const struct romsim_outcome *outcome, struct romsim_blob *record)
{
    CLEANUP_FREE char *body = romsim_instance_request(instance, NULL);
    const struct romsim_device *root = romsim_layout_root(layout);
    bool is_kvm = options->processor.accel == ROMSIM_ACCEL_KVM;
    char manifest[ROMSIM_DIGEST_SIZE];
    struct romsim_case_draft draft = {.request = body ? json_loads(body, 0, NULL) : NULL,
                                      .image = instance->image,
                                      .root = root->blob,
                                      .args = &layout->argv,
                                      .env = &layout->env,
                                      .working_dir = layout->working_dir,
                                      .limits = &options->limits,
                                      .faults = faults,
                                      .random_name = layout->name_is_random ? layout->name : NULL,
                                      .outcome = outcome,
                                      .record = record};
    CLEANUP_FREE struct romsim_case_rom *roms = case_roms(layout, instance, &draft.rom_count);
    struct romsim_error error;
    int status = CLI_FAILED;

    romsim_stores_digest(instance->image, manifest);
    draft.manifest = *manifest ? manifest : NULL;
    draft.roms = roms;
    draft.versions =
        case_versions(options->kernel, is_kvm ? "kvm" : "tcg", options->processor.model, record);
    if (!draft.request || !roms)
        cli_report((romsim_error_nomem(&error), &error));
    else if (draft.versions)
        status = capture_write(args, &draft);
    json_decref(draft.request);
    json_decref(draft.versions);
    return status;
}

/* What reaches the VM is in the log, and so is all that init is told. */
static int begin_record(const struct cli_args *args, const struct romsim_instance *instance,
                        struct romsim_vm_options *options, struct romsim_vm_record *ret)
{
    struct romsim_error error;

    if (instance->env_count && !cli_has(args, "with-env"))
        romsim_error_set(&error, EINVAL,
                         "--deterministic writes down all that the VM is told, and so the values "
                         "of variables: it needs --with-env");
    else if (case_check_record(instance, options, &error) == 0 &&
             (ret->fd = romsim_blob_scratch_file(&error)) >= 0) {
        options->record = ret;
        return CLI_OK;
    }
    return cli_report(&error);
}

/* QEMU ends its log with the guest. */
static int end_record(struct romsim_vm_record *record, const struct romsim_outcome *outcome,
                      struct romsim_blob **ret)
{
    struct romsim_error error;

    if (outcome->end != ROMSIM_OUTCOME_EXIT) {
        romsim_error_set(&error, ENOTSUP,
                         "--deterministic is for an app that ends by itself: QEMU's log is "
                         "complete with the guest's end only");
        return cli_report(&error);
    }
    *ret = romsim_blob_take_fd(steal_fd(&record->fd), &error);
    return *ret ? CLI_OK : cli_report(&error);
}

static int run_and_write(const struct cli_args *args, const struct romsim_making *making,
                         struct romsim_vm_options *options, const struct case_end *end)
{
    const struct romsim_layout *layout = making->layouts[0];
    const struct romsim_instance *instance = making->instances[0];
    struct romsim_faults *faults = romsim_faults_new();
    CLEANUP_FREE struct romsim_case_rom *roms = NULL;
    struct romsim_strings texts = {0};
    struct romsim_vm_record record = {.fd = -1};
    CLEANUP_BLOB struct romsim_blob *log = NULL;
    struct romsim_outcome outcome = {0};
    struct romsim_error error;
    size_t rom_count;
    int status = CLI_FAILED;

    roms = case_roms(layout, instance, &rom_count);
    if (!faults || !roms)
        cli_report((romsim_error_nomem(&error), &error));
    else if (case_fault_texts(args, &texts, &error) < 0 ||
             romsim_case_faults(&texts, roms, rom_count, faults, &error) < 0)
        cli_report((romsim_error_context(&error, "--fault"), &error));
    else
        status = CLI_OK;
    options->seam = (struct romsim_seam_options){.faults = faults, .stop = -1};
    if (status == CLI_OK && cli_has(args, "deterministic"))
        status = begin_record(args, instance, options, &record);
    if (status == CLI_OK)
        status = case_run(layout, instance, options, end, cli_has(args, "quiet"), &outcome);
    if (status == CLI_OK && options->record)
        status = end_record(&record, &outcome, &log);
    if (status == CLI_OK)
        status = write_run(args, layout, instance, options, &texts, &outcome, log);
    cleanup_close_fd(&record.fd);
    romsim_outcome_clear(&outcome);
    romsim_strings_clear(&texts);
    romsim_faults_free(faults);
    return status == CLI_RUN_FAILED ? CLI_FAILED : status;
}

/* What no case can have. */
static int check(const struct romsim_instances *instances)
{
    struct romsim_error error;

    if (instances->count != 1)
        romsim_error_set(&error, ENOTSUP, "a case has one instance, and these are %zu",
                         instances->count);
    else if (romsim_instance_is_clone(instances->items[0]))
        romsim_error_set(&error, ENOTSUP,
                         "the instance is a clone of a template, whose memory no case can have");
    else if (instances->items[0]->replicas)
        romsim_error_set(&error, ENOTSUP, "a case has one instance, without replicas");
    else
        return CLI_OK;
    return cli_report(&error);
}

static int capture_file(const struct cli_args *args)
{
    struct romsim_instances instances = {0};
    struct romsim_vm_options options;
    struct romsim_making making = {0};
    struct case_end end = {0};
    int status;

    if (make_vm_options(args, &options) < 0 || case_seconds(args, "for", 0, &end.seconds) < 0)
        return CLI_USAGE;
    signals_catch();
    romsim_state_sweep();
    status = make_instances(args, &instances);
    if (status != CLI_OK)
        return status;
    status = check(&instances);
    if (status == CLI_OK)
        status = make_ready(args, &instances, &options, NULL, &making);
    if (status == CLI_OK)
        status = run_and_write(args, &making, &options, &end);
    make_clear(&making);
    romsim_instances_clear(&instances);
    return status == CLI_RUN_FAILED ? CLI_FAILED : status;
}

/* ---- all ---------------------------------------------------------------------------------- */

/* A name has no slash and no ending, and there is rarely a file of that name. */
static bool is_file(const struct cli_args *args)
{
    const char *operand = args->operand_count ? args->operands[0] : NULL;
    struct stat st;

    if (!operand || strcmp(operand, "-") == 0 || strpbrk(operand, "/."))
        return true;
    return stat(operand, &st) == 0 && !S_ISDIR(st.st_mode);
}

static int run_capture(const struct cli_args *args)
{
    static const char *const of_runs[] = {"fault", "seed", "for", "deterministic"};
    const char *path = cli_value(args, "output");

    if (!path)
        return cli_usage(args, "where to? --output FILE is missing");
    if (strcmp(path, "-") == 0)
        return cli_usage(args, "standard output is the app's: --output has to be a file");
    if (is_file(args))
        return capture_file(args);
    for (size_t i = 0; i < sizeof(of_runs) / sizeof(of_runs[0]); i++)
        if (cli_has(args, of_runs[i]))
            return cli_usage(args, "--%s is for a FILE, which is run: '%s' has run, or runs",
                             of_runs[i], QUOTE(args->operands[0]));
    return capture_live(args);
}

static const struct cli_option options[] = {
    {"output", 'o', "CASE", "the file to write"},
    {"with-root", 0, NULL, "with the root's bytes, too"},
    {"with-env", 0, NULL, "with the values of its variables"},
    {"without-inline", 0, NULL, "without the contents of inline ROMs"},
    {"for", 0, "TIME", "end it after that time (30s, 5m)"},
    {"deterministic", 0, NULL, "with QEMU's log of all that reached the VM"},
    {"fault", 0, "SPEC", NULL},
    {"seed", 0, "N", NULL},
    MAKE_OPTIONS,
    {"limit", 0, "NAME=VALUE", NULL},
    {"quiet", 'q', NULL, "nothing but errors"},
    CLI_OPTION_END,
};

const struct cli_command cli_command_capture = {
    .name = "capture",
    .help_beside = "keep an instance as one file; have the same happen again",
    .operands = "[NAME|FILE]",
    .operands_min = 0,
    .operands_max = 1,
    .summary = "write an instance and what happened to one file",
    .is_of_this_machine = true,
    .options = options,
    .run = run_capture,
};
