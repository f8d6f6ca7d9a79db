/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_template.c: `romsim template`: VMs that were saved where clones of them go on. */
#include "sim/cli/make.h"
#include "sim/cli/run_follow.h"
#include "sim/cli/saved.h"
#include "sim/cli/signals.h"

#include <romsim/state.h>
#include <romsim/template.h>
#include <romsim/text.h>
#include <romsim/vm.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>

/* ---- create ----------------------------------------------------------------------------- */

/* One template on its way. */
struct making {
    struct run_console console;
    bool is_saved;
};

/* A romsim_vm_observer. */
static void on_event(void *context, size_t instance, const struct romsim_vm_event *event)
{
    struct making *making = context;

    making->is_saved |= event->kind == ROMSIM_VM_PHASE && strcmp(event->text, "saved") == 0;
    run_console_event(&making->console, instance, event);
}

/* Runs the instance until it is saved.  Returns the exit status. */
static int save(const struct cli_args *args, const struct romsim_instance *instance,
                const struct romsim_layout *layout, const struct romsim_vm_options *options,
                bool *ret_is_saved)
{
    const char *names[] = {layout->name};
    struct making making = {
        .console = {.quiet = cli_has(args, "quiet"), .verbose = cli_has(args, "verbose")}};
    int signals = signals_count(), status = CLI_RUN_FAILED;
    struct romsim_vm *vm;

    if (run_console_open(&making.console, names, 1) < 0)
        return CLI_RUN_FAILED;
    vm = romsim_vm_new(&layout, &instance, 1, options, on_event, &making);
    if (vm)
        romsim_vm_start(vm);
    signal(SIGPIPE, SIG_IGN);
    status = run_follow(vm, &making.console, NULL, NULL, signals);
    romsim_vm_free(vm);
    run_console_close(&making.console);
    *ret_is_saved = making.is_saved;
    return status;
}

static int make_template(const struct cli_args *args, const struct romsim_instance *instance,
                         const struct romsim_vm_options *options)
{
    struct romsim_diagnostics diagnostics = {0};
    CLEANUP_LAYOUT struct romsim_layout *layout = romsim_layout_new(instance, &diagnostics);
    struct romsim_vm_saving saving = {.at_init = cli_has(args, "at-init")};
    struct romsim_vm_options chosen = *options;
    struct romsim_template_draft *draft;
    struct romsim_error error;
    bool is_saved = false;
    int status;

    cli_report_for(args, &diagnostics);
    romsim_diagnostics_clear(&diagnostics);
    if (!layout)
        return CLI_FAILED;
    draft = romsim_vm_template_begin(args->operands[0], NULL, layout, &saving, &error);
    if (!draft)
        return cli_report(&error);
    chosen.saving = &saving;
    status = save(args, instance, layout, &chosen, &is_saved);
    if (romsim_vm_template_end(draft, &saving, layout, instance, &options->processor, is_saved,
                               &error) < 0)
        return cli_report(&error);
    if (is_saved)
        return CLI_OK;
    if (status != CLI_RUN_FAILED)
        cli_note("the app ended, with status %d, before it could be saved", status);
    return CLI_FAILED;
}

static int run_create(const struct cli_args *args)
{
    struct cli_args rest = *args;
    struct romsim_instances instances = {0};
    struct romsim_vm_options options;
    int status;

    rest.operands++;
    rest.operand_count--;
    if (make_vm_options(args, &options) < 0)
        return CLI_USAGE;
    signals_catch();
    romsim_state_sweep();
    status = make_instances(&rest, &instances);
    if (status != CLI_OK)
        return status;
    if (instances.count != 1 || instances.items[0]->replicas)
        status = cli_usage(args, "a template is made of one instance");
    else
        status = make_choose_processor(args, &options, &options.processor);
    if (status == CLI_OK)
        status = make_template(args, instances.items[0], &options);
    romsim_instances_clear(&instances);
    return status;
}

static const struct cli_option create_options[] = {
    {"at-init", 0, NULL, "save it before its app starts"},
    MAKE_OPTIONS,
    {"quiet", 'q', NULL, "nothing on stderr but errors"},
    {"verbose", 0, NULL, "each phase of the start with its time"},
    {"limit", 0, "NAME=VALUE", NULL},
    CLI_OPTION_END,
};

static const struct cli_command create = {
    .name = "create",
    .operands = "NAME [FILE]",
    .operands_min = 1,
    .operands_max = 2,
    .summary = "start an instance and save it as a template",
    .is_of_this_machine = true,
    .description =
        "It is saved when its app writes 1 to /uk/libukp/template_instance, or a second\n"
        "after its first port accepts connections.  'romsim run --template NAME' goes on\n"
        "from there.\n",
    .options = create_options,
    .run = run_create,
};

/* ---- ls, get, rm ------------------------------------------------------------------------ */

static int run_ls(const struct cli_args *args)
{
    return saved_ls(args, ROMSIM_SAVED_TEMPLATE);
}

static const struct cli_option json_option[] = {CLI_OPTION_JSON, CLI_OPTION_END};

static const struct cli_command ls = {
    .name = "ls",
    .operands = "",
    .summary = "list the templates",
    .is_of_this_machine = true,
    .options = json_option,
    .run = run_ls,
};

static int run_get(const struct cli_args *args)
{
    return saved_get(args, ROMSIM_SAVED_TEMPLATE);
}

static const struct cli_command get = {
    .name = "get",
    .operands = "NAME",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "show a template as JSON",
    .is_of_this_machine = true,
    .run = run_get,
};

static int run_rm(const struct cli_args *args)
{
    return saved_rm(args, ROMSIM_SAVED_TEMPLATE);
}

static const struct cli_command rm = {
    .name = "rm",
    .operands = "NAME...",
    .operands_min = 1,
    .operands_max = CLI_OPERANDS_ANY,
    .summary = "remove templates; their clones go on",
    .is_of_this_machine = true,
    .run = run_rm,
};

/* ---- all -------------------------------------------------------------------------------- */

static const struct cli_command *const subcommands[] = {&create, &ls, &get, &rm, NULL};

const struct cli_command cli_command_template = {
    .name = "template",
    .summary = "saved VMs, of which clones start at once",
    .subcommands = subcommands,
};
