/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_run.c: `romsim run [FILE]`: starts instances and stays until their apps have ended. */
#include "sim/cli/cli.h"
#include "sim/cli/run_follow.h"
#include "sim/cli/signals.h"

#include <romsim/state.h>
#include <romsim/vm.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { RUN_FAILED = CLI_RUN_FAILED, TIMEOUT_MOST_S = 86400 };

static const struct cli_option options[] = {
    {"image", 0, "REF", "the base image, in place of the file's"},
    {"rom", 0, "KEY=VALUE,...", "add a ROM: name=N,image=REF|dir=DIR,at=PATH"},
    {"publish", 'p', "HOST:GUEST", "forward a port of 127.0.0.1"},
    {"env", 'e', "NAME=VALUE", "set an environment variable"},
    {"memory", 'm', "SIZE", "the guest's memory: megabytes, or 512M, 1G"},
    {"args", 0, "TEXT", "what to run, in place of the image's command"},
    {"name", 0, "NAME", "the instance's name"},
    {"accel", 0, "auto|kvm|tcg", "how the processor is virtualised"},
    {"kernel", 0, "FILE", "boot this kernel (bzImage or ELF)"},
    {"image-kernel", 0, NULL, "boot the kernel that the image brings"},
    {"allow-host", 0, NULL, "let the guest reach services of this machine"},
    {"no-fuse", 0, NULL, "read the ROMs directly, not through FUSE"},
    {"boot-timeout", 0, "SECONDS", "how long a boot may stand still (60)"},
    {"quiet", 'q', NULL, "nothing on stderr but errors"},
    {"verbose", 'v', NULL, "each phase of the start with its time"},
    CLI_OPTION_LIMIT,
    CLI_OPTION_END,
};

/* ---- the instance from the flags --------------------------------------------------------------
 */

struct flag {
    const char *name;
    int (*apply)(struct romsim_instance *instance, const char *value, struct romsim_error *err);
};

static const struct flag flags[] = {
    {"image", romsim_instance_set_image},  {"rom", romsim_instance_add_rom},
    {"publish", romsim_instance_add_port}, {"env", romsim_instance_add_env},
    {"args", romsim_instance_set_args},    {"memory", romsim_instance_set_memory},
    {"name", romsim_instance_set_name},
};

static bool has_flags(const struct cli_args *args)
{
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
        if (cli_has(args, flags[i].name))
            return true;
    return false;
}

/* Applies every use of one flag.  An error names the flag. */
static int apply_flag(const struct cli_args *args, const struct flag *flag,
                      struct romsim_instance *instance)
{
    const char *value;
    size_t index = 0;

    while ((value = cli_each(args, flag->name, &index))) {
        struct romsim_error err = {0};

        if (flag->apply(instance, value, &err) < 0) {
            romsim_error_context(&err, "--%s", flag->name);
            cli_report(&err);
            return -1;
        }
    }
    return 0;
}

/* Puts the flags into an instance and has the rules look at the result.  CLI_OK, CLI_FAILED or
 * CLI_USAGE. */
static int apply_flags(const struct cli_args *args, struct romsim_instance *instance)
{
    struct romsim_diagnostics diagnostics = {0};
    struct romsim_limits limits;
    int status;

    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
        if (apply_flag(args, &flags[i], instance) < 0)
            return CLI_USAGE;
    if (cli_limits(args, &limits) < 0)
        return CLI_USAGE;
    status = romsim_instance_load_dirs(instance, &limits, &diagnostics);
    if (romsim_instance_check(instance, &limits, &diagnostics) < 0)
        status = -1;
    cli_report_for(args, &diagnostics);
    romsim_diagnostics_clear(&diagnostics);
    return status < 0 ? CLI_FAILED : CLI_OK;
}

/* The instances of the file, or the one that the flags alone make. */
static int load(const struct cli_args *args, struct romsim_instances *ret)
{
    struct romsim_instances made = {0};
    int status;

    if (args->operand_count > 0) {
        status = cli_load(args, args->operands[0], ret);
        if (status == CLI_OK && has_flags(args) && ret->count != 1) {
            romsim_instances_clear(ret);
            return cli_usage(args, "flags that change an instance need a file with one instance");
        }
    } else {
        if (!cli_has(args, "image"))
            return cli_usage(args, "give an instance file, or --image");
        made.items = calloc(1, sizeof(*made.items));
        if (!made.items || !(made.items[0] = romsim_instance_new())) {
            free(made.items);
            return CLI_FAILED;
        }
        made.count = 1;
        *ret = made;
        status = CLI_OK;
    }
    if (status == CLI_OK && has_flags(args))
        status = apply_flags(args, ret->items[0]);
    if (status != CLI_OK)
        romsim_instances_clear(ret);
    return status;
}

/* ---- running ----------------------------------------------------------------------------------
 */

static const char *const accel_names[] = {
    [ROMSIM_ACCEL_AUTO] = "auto", [ROMSIM_ACCEL_KVM] = "kvm", [ROMSIM_ACCEL_TCG] = "tcg"};

static int vm_options(const struct cli_args *args, struct romsim_vm_options *ret)
{
    const char *accel = cli_value(args, "accel");
    uint64_t timeout = 0;

    *ret = (struct romsim_vm_options){.kernel = cli_value(args, "kernel"),
                                      .use_image_kernel = cli_has(args, "image-kernel"),
                                      .allow_host = cli_has(args, "allow-host"),
                                      .no_fuse = cli_has(args, "no-fuse")};
    if (cli_number(args, "boot-timeout", 1, TIMEOUT_MOST_S, 0, &timeout) < 0)
        return -1;
    ret->boot_timeout_s = (unsigned)timeout;
    for (size_t i = 0; accel && i < sizeof(accel_names) / sizeof(accel_names[0]); i++)
        if (strcmp(accel, accel_names[i]) == 0) {
            ret->accel = (enum romsim_accel)i;
            return 0;
        }
    if (accel) {
        cli_usage(args, "--accel takes auto, kvm or tcg");
        return -1;
    }
    return 0;
}

/* The layouts of all instances; every one is tried, so that all errors are seen at once. */
static int make_layouts(const struct cli_args *args, const struct romsim_instances *instances,
                        struct romsim_layout **ret)
{
    int status = 0;

    for (size_t i = 0; i < instances->count; i++) {
        struct romsim_diagnostics diagnostics = {0};

        ret[i] = romsim_layout_new(instances->items[i], &diagnostics);
        if (!ret[i])
            status = -1;
        cli_report_for(args, &diagnostics);
        romsim_diagnostics_clear(&diagnostics);
    }
    return status;
}

static int run_layouts(const struct cli_args *args, const struct romsim_layout *const *layouts,
                       size_t count, const struct romsim_vm_options *options_of_vm)
{
    struct run_console console = {.quiet = cli_has(args, "quiet"),
                                  .verbose = cli_has(args, "verbose")};
    int status = RUN_FAILED;

    if (run_console_open(&console, layouts, count) == 0) {
        struct romsim_vm *vm =
            romsim_vm_new(layouts, count, options_of_vm, run_console_event, &console);
        int signals = signals_count();

        if (vm)
            romsim_vm_start(vm);
        /* The supervisors and what they start have got the default. */
        signal(SIGPIPE, SIG_IGN);
        status = run_follow(vm, &console, signals);
        romsim_vm_free(vm);
    }
    run_console_close(&console);
    return status;
}

static int run_instances(const struct cli_args *args, const struct romsim_instances *instances,
                         const struct romsim_vm_options *vm)
{
    struct romsim_layout **layouts = calloc(instances->count, sizeof(struct romsim_layout *));
    int status = RUN_FAILED;

    cli_note_cache(args);
    if (layouts && make_layouts(args, instances, layouts) == 0)
        status =
            run_layouts(args, (const struct romsim_layout *const *)layouts, instances->count, vm);
    for (size_t i = 0; layouts && i < instances->count; i++)
        romsim_layout_free(layouts[i]);
    free(layouts);
    return status;
}

/* An app may end with any status, so a bad instance is 125 here, and not 1 as elsewhere. */
static int run_run(const struct cli_args *args)
{
    struct romsim_instances instances = {0};
    struct romsim_vm_options vm;
    int status;

    if (vm_options(args, &vm) < 0)
        return CLI_USAGE;
    signals_catch();
    romsim_state_sweep();
    status = load(args, &instances);
    if (status != CLI_OK)
        return status == CLI_USAGE ? CLI_USAGE : RUN_FAILED;
    status = instances.count ? run_instances(args, &instances, &vm) : CLI_OK;
    romsim_instances_clear(&instances);
    return status;
}

const struct cli_command cli_command_run = {
    .name = "run",
    .operands = "[FILE]",
    .operands_min = 0,
    .operands_max = 1,
    .summary = "start instances and stay until their apps have ended",
    .options = options,
    .run = run_run,
};
