/* SPDX-License-Identifier: BSD-3-Clause */
/* make.c: instances from a file and flags, ready to be started. */
#include "make.h"

#include "input.h"
#include "outcomes.h"
#include "run_follow.h"
#include "shell.h"
#include "signals.h"
#include "watch.h"

#include <romsim/bounds.h>
#include <romsim/cpu.h>
#include <romsim/link.h>
#include <romsim/paths.h>
#include <romsim/text.h>

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TIMEOUT_MOST_S = 86400 };

/* ---- the instance from the flags --------------------------------------------------------------
 */

struct flag {
    const char *name;
    int (*apply)(struct romsim_instance *instance, const char *value, struct romsim_error *err);
};

static const struct flag flags[] = {
    {"image", romsim_instance_set_image},
    {"template", romsim_instance_set_template},
    {"checkpoint", romsim_instance_set_checkpoint},
    {"branch", romsim_instance_set_branch},
    {"rom", romsim_instance_add_rom},
    {"volume", romsim_instance_add_volume},
    {"publish", romsim_instance_add_port},
    {"env", romsim_instance_add_env},
    {"args", romsim_instance_set_args},
    {"memory", romsim_instance_set_memory},
    {"name", romsim_instance_set_name},
    {"vcpus", romsim_instance_set_vcpus},
    {"restart", romsim_instance_set_restart},
    {"scale-to-zero", romsim_instance_set_scale_to_zero},
};

static bool has_flags(const struct cli_args *args)
{
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
        if (cli_has(args, flags[i].name))
            return true;
    return cli_has(args, "env-file");
}

/* The flags on their way into an instance. */
struct amendment {
    const struct cli_args *args;
    bool is_refused; /* they cannot be applied: the command line is wrong, not the file */
};

/* Applies every use of one flag.  An error names the flag. */
static int apply_flag(const struct cli_args *args, const struct flag *flag,
                      struct romsim_instance *instance, struct romsim_diagnostics *diagnostics)
{
    const char *value;
    size_t index = 0;
    int status = 0;

    while ((value = cli_each(args, flag->name, &index))) {
        struct romsim_error err = {0};

        if (flag->apply(instance, value, &err) == 0)
            continue;
        romsim_error_context(&err, "--%s", flag->name);
        romsim_diagnostics_add(diagnostics, &err, 0);
        status = -1;
    }
    return status;
}

/* Before --env, which is the last word on a variable. */
static int apply_env_files(const struct cli_args *args, struct romsim_instance *instance,
                           struct romsim_diagnostics *diagnostics)
{
    const char *path;
    size_t index = 0;
    int status = 0;

    while ((path = cli_each(args, "env-file", &index)))
        status |= romsim_instance_add_env_file(instance, path, diagnostics);
    return status;
}

static int amend(struct romsim_instances *instances, void *context,
                 struct romsim_diagnostics *diagnostics)
{
    struct amendment *amendment = context;
    struct romsim_error err;
    int status;

    if (!has_flags(amendment->args))
        return 0;
    if (instances->count != 1) {
        romsim_error_set(&err, EINVAL, "the file has %zu instances, and flags change one",
                         instances->count);
        romsim_diagnostics_add(diagnostics, &err, 0);
        amendment->is_refused = true;
        return -1;
    }
    status = apply_env_files(amendment->args, instances->items[0], diagnostics);
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
        status |= apply_flag(amendment->args, &flags[i], instances->items[0], diagnostics);
    amendment->is_refused = status < 0;
    return status;
}

/* As in `docker run IMAGE`: what is no file, or a folder, may be meant as an image. */
static bool is_meant_as_image(const char *file)
{
    static const char *const endings[] = {".yaml", ".yml", ".json"};
    size_t size = strlen(file);
    struct stat st;

    if (stat(file, &st) == 0)
        return S_ISDIR(st.st_mode);
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
        if (size > strlen(endings[i]) && strcmp(file + size - strlen(endings[i]), endings[i]) == 0)
            return false;
    return strcmp(file, "-") != 0;
}

int make_instances(const struct cli_args *args, struct romsim_instances *ret)
{
    const char *file = args->operand_count > 0 ? args->operands[0] : NULL;
    struct amendment amendment = {.args = args};
    const struct romsim_input source = {.origin = file ? ROMSIM_ORIGIN_FILE : ROMSIM_ORIGIN_FLAGS,
                                        .amend = amend,
                                        .context = &amendment};
    int status;

    if (!file && !cli_has(args, "image") && !cli_has(args, "template") &&
        !cli_has(args, "checkpoint") && !cli_has(args, "branch"))
        return cli_usage(args, "give an instance file, or --image");
    if (file && (cli_has(args, "stdin") || cli_has(args, "shell")) &&
        (strcmp(file, "-") == 0 || romsim_path_descriptor(file) == STDIN_FILENO))
        return cli_usage(args, "standard input is the file, and cannot be the %s as well",
                         cli_has(args, "stdin") ? "app's" : "shell's");
    if (!file && cli_has(args, "from-get"))
        return cli_usage(args, "--from-get says what the file is, and there is none");
    status = cli_load_from(args, file, &source, ret);
    if (file && status == CLI_FAILED && is_meant_as_image(file))
        cli_note("an image is given by an option: 'romsim %s --image %s'", args->name, QUOTE(file));
    return amendment.is_refused ? CLI_USAGE : status;
}

/* ---- how to run them ----------------------------------------------------------------------- */

static const char *const accel_names[] = {
    [ROMSIM_ACCEL_AUTO] = "auto", [ROMSIM_ACCEL_KVM] = "kvm", [ROMSIM_ACCEL_TCG] = "tcg"};

int make_vm_options(const struct cli_args *args, struct romsim_vm_options *ret)
{
    const char *accel = cli_value(args, "accel");
    uint64_t timeout = 0;

    *ret = (struct romsim_vm_options){
        .kernel = cli_value(args, "kernel"),
        .use_image_kernel = cli_has(args, "image-kernel"),
        .allow_host = cli_has(args, "allow-host"),
        .ports_at = cli_value(args, "ports-at"),
        .isolated = cli_has(args, "isolated"),
        .no_fuse = cli_has(args, "no-fuse"),
        .input = {.is_open = cli_has(args, "stdin"), .is_terminal = cli_has(args, "tty")}};

    input_terminal_size(&ret->input.rows, &ret->input.columns);
    if (ret->ports_at && inet_pton(AF_INET, ret->ports_at, &(struct in_addr){0}) != 1) {
        cli_usage(args, "--ports-at is '%s', but has to be an IPv4 address of this machine",
                  QUOTE(ret->ports_at));
        return -1;
    }
    if (cli_number(args, "boot-timeout", 1, TIMEOUT_MOST_S, 0, &timeout) < 0)
        return -1;
    ret->boot_timeout_s = (unsigned)timeout;
    if (cli_limits(args, &ret->limits) < 0)
        return -1;
    for (size_t i = 0; accel && i < sizeof(accel_names) / sizeof(accel_names[0]); i++)
        if (strcmp(accel, accel_names[i]) == 0) {
            ret->processor.accel = (enum romsim_accel)i;
            return 0;
        }
    if (accel) {
        cli_usage(args, "--accel takes auto, kvm or tcg");
        return -1;
    }
    return 0;
}

int make_choose_processor(const struct cli_args *args, const struct romsim_vm_options *options,
                          struct romsim_processor *ret)
{
    struct romsim_error error;

    if (cli_arch(args) != CLI_OK)
        return CLI_USAGE;
    if (romsim_processor_choose(options->processor.accel, cli_value(args, "cpu"), ret, &error) < 0)
        return cli_refuse_cpu(&error, CLI_RUN_FAILED);
    romsim_cpu_set_level(ret->level);
    return CLI_OK;
}

/* ---- layouts ------------------------------------------------------------------------------- */

/* The layouts of all instances; every one is tried, so that all errors are seen at once. */
static int try_layouts(const struct cli_args *args, const struct romsim_instances *instances,
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

static void free_layouts(struct romsim_layout **layouts, size_t count)
{
    for (size_t i = 0; layouts && i < count; i++)
        romsim_layout_free(layouts[i]);
    free(layouts);
}

/* Others read a .env that is there.  The cloud would not see it, so here it has to be named; who
 * looks for its variables in vain is told. */
static void note_dot_env(const struct cli_args *args)
{
    const char *file = args->operand_count > 0 ? args->operands[0] : "-";
    const char *slash = strrchr(file, '/');
    CLEANUP_FREE char *path = NULL;

    if (cli_has(args, "quiet") || cli_has(args, "env-file") || strcmp(file, "-") == 0 ||
        romsim_path_descriptor(file) >= 0 ||
        asprintf(&path, "%.*s.env", slash ? (int)(slash + 1 - file) : 0, file) < 0 ||
        access(path, R_OK) != 0)
        return;
    cli_note("'%s' is not read, as the cloud does not see it: --env-file '%s' reads it",
             QUOTE(path), QUOTE(path));
}

/* NULL after a report. */
static struct romsim_layout **make_layouts(const struct cli_args *args,
                                           const struct romsim_instances *instances)
{
    struct romsim_layout **layouts = calloc(instances->count + 1, sizeof(struct romsim_layout *));

    note_dot_env(args);
    cli_note_cache(args);
    if (layouts && try_layouts(args, instances, layouts) == 0)
        return layouts;
    free_layouts(layouts, instances->count);
    return NULL;
}

/* ---- from the first to the last ------------------------------------------------------------- */

/* Who is told what happens. */
struct following {
    romsim_vm_observer *show;
    void *context;
    struct input *input;       /* or NULL */
    struct outcomes *outcomes; /* the same */
    struct shell *shell;       /* who has the input, if it is not the app; or NULL */
    struct stream *out;        /* where its output goes */
    bool has_terminal;         /* who has the input */
};

/* A romsim_vm_observer. */
static void on_event(void *context, size_t instance, const struct romsim_vm_event *event)
{
    struct following *following = context;

    if (following->input && event->kind == ROMSIM_VM_PHASE && strcmp(event->text, "app") == 0) {
        if (following->shell)
            shell_begin(following->shell, following->has_terminal);
        input_begin(following->input, following->has_terminal);
    }
    if (event->kind == ROMSIM_VM_EXIT || event->kind == ROMSIM_VM_FAILED)
        shell_end(following->shell, following->out);
    outcomes_take(following->outcomes, instance, event);
    following->show(following->context, instance, event);
}

/* An input_asker. */
static int ask_vm(void *context, json_t *request, int passed, struct romsim_error *err)
{
    return romsim_vm_ask(context, 0, request, passed, err);
}

/* What goes to the app that is stayed with: what is piped or typed, or the terminal's size. */
static void open_input(struct romsim_vm *vm, const struct romsim_vm_options *options,
                       struct following *following)
{
    if (options->fate != ROMSIM_VM_BOUND ||
        (!options->input.is_open && !options->input.is_terminal))
        return;
    following->has_terminal = options->input.is_terminal;
    following->input = input_new(ask_vm, vm);
    if (following->input && options->input.is_open)
        input_offer(following->input);
}

/* A shell beside the app has it. */
static void open_shell(struct romsim_vm *vm, struct following *following)
{
    following->shell = shell_new(romsim_vm_shell_fd(vm));
    following->has_terminal = isatty(STDIN_FILENO);
    following->input = following->shell ? input_new(shell_ask, following->shell) : NULL;
    if (following->input)
        input_offer(following->input);
}

static int follow(const struct romsim_making *making, const struct romsim_vm_options *options,
                  struct run_console *console, struct watch *watch, struct outcomes *outcomes)
{
    struct following following = {.show = watch ? watch_event : run_console_event,
                                  .context = watch ? (void *)watch : console,
                                  .outcomes = outcomes,
                                  .out = console->out};
    struct romsim_vm *vm = romsim_vm_new((const struct romsim_layout *const *)making->layouts,
                                         (const struct romsim_instance *const *)making->instances,
                                         making->count, options, on_event, &following);
    int signals = signals_count(), status;

    if (vm)
        romsim_vm_start(vm);
    /* The keepers and what they start have got the default. */
    signal(SIGPIPE, SIG_IGN);
    if (vm && options->has_shell)
        open_shell(vm, &following);
    else if (vm)
        open_input(vm, options, &following);
    console->input = following.input;
    console->shell = following.shell;
    status = run_follow(vm, console, watch, following.input, signals);
    /* If one could not be made, none is. */
    if (vm && options->fate != ROMSIM_VM_BOUND && !romsim_vm_are_created(vm)) {
        romsim_vm_undo(vm);
        run_follow(vm, console, watch, NULL, signals);
    }
    console->input = NULL;
    console->shell = NULL;
    input_free(following.input);
    shell_free(following.shell);
    romsim_vm_free(vm);
    return status;
}

/* Is one of them not waited for until it runs, or not for ever? */
static bool has_patience(const struct romsim_making *making)
{
    for (size_t i = 0; i < making->count; i++)
        if (making->instances[i]->given & ROMSIM_GIVEN_TIMEOUT)
            return true;
    return false;
}

static const char **list_names(const struct romsim_making *making)
{
    const char **names = calloc(making->count + 1, sizeof(char *));

    for (size_t i = 0; names && i < making->count; i++)
        names[i] = making->layouts[i]->name;
    return names;
}

/* The file that an option names, if it does.  0, or -1 after a report. */
static int open_file(const struct cli_args *args, const char *option, struct stream *stream)
{
    const char *path = cli_value(args, option);
    struct romsim_error err = {0};

    if (!path || !*path || run_console_open_file(stream, path, &err) == 0)
        return 0;
    romsim_error_context(&err, "--%s", option);
    cli_report(&err);
    return -1;
}

static int make(const struct cli_args *args, struct romsim_making *making,
                const struct romsim_vm_options *options, struct timings *timings)
{
    struct run_console console = {.quiet = cli_has(args, "quiet"),
                                  .verbose = cli_has(args, "verbose"),
                                  .timings = timings,
                                  .is_silent =
                                      options->fate != ROMSIM_VM_BOUND || options->has_shell};
    CLEANUP_FREE const char **names = list_names(making);
    const char *file = args->operand_count ? args->operands[0] : "";
    CLEANUP_OUTCOMES struct outcomes *outcomes = NULL;
    struct watch *watch = NULL;
    int status = CLI_RUN_FAILED;

    if (options->fate != ROMSIM_VM_BOUND)
        console.lists =
            options->fate == ROMSIM_VM_CREATE || has_patience(making) ? "created" : "running";
    if (!names)
        return CLI_RUN_FAILED;
    timings_done(timings, "images");
    timings_expect(timings, making->layouts, making->count);
    if (outcomes_are_wanted(args))
        outcomes = outcomes_new(file, names, making->count);
    if (run_console_open(&console, names, making->count) == 0 &&
        open_file(args, "kernel-log", console.log) == 0 &&
        open_file(args, "timings", console.times) == 0 &&
        (!options->stays || (watch = watch_new(args, making, 0, making->count, &console))))
        status = follow(making, options, &console, watch, outcomes);
    watch_free(watch);
    run_console_close(&console);
    if (outcomes_write(args, outcomes) < 0)
        status = CLI_RUN_FAILED;
    return status;
}

/* Before the layouts, whose ports are those of the service groups. */
static int join_groups(const struct romsim_instances *instances)
{
    struct romsim_error error;

    for (size_t i = 0; i < instances->count; i++)
        if (romsim_layout_join_group(instances->items[i], NULL, &error) < 0) {
            cli_report(&error);
            return CLI_RUN_FAILED;
        }
    return CLI_OK;
}

/* Layouts with their replicas.  CLI_OK, or CLI_RUN_FAILED after a report. */
static int fill(const struct cli_args *args, struct romsim_instances *instances,
                const struct romsim_limits *limits, struct romsim_making *ret)
{
    struct romsim_layout **layouts = make_layouts(args, instances);
    size_t count = instances->count;
    struct romsim_error error;
    int status = CLI_RUN_FAILED;

    if (layouts && romsim_making_fill(ret, instances, layouts, limits, &error) == 0)
        status = CLI_OK;
    else if (layouts)
        cli_report(&error);
    free_layouts(layouts, count);
    return status;
}

int make_set(const struct cli_args *args, const struct romsim_limits *limits,
             struct romsim_making *ret)
{
    struct romsim_instances instances = {0};
    int status = make_instances(args, &instances);

    if (status != CLI_OK)
        return status;
    status = fill(args, &instances, limits, ret);
    romsim_instances_clear(&instances);
    return status;
}

/* What instances are made from, so that it can be followed once more (edit --watch): the command
 * line, and where it is given.  NULL if what was read cannot be read again. */
static json_t *source_of(const struct cli_args *args)
{
    const char *file = args->operand_count > 0 ? args->operands[0] : NULL;
    CLEANUP_FREE char *directory = romsim_path_absolute(".");
    json_t *words = json_array();

    if (!directory || (file && (strcmp(file, "-") == 0 || romsim_path_descriptor(file) >= 0))) {
        json_decref(words);
        return NULL;
    }
    for (size_t i = 0; i < args->word_count; i++)
        json_array_append_new(words, json_string(args->words[i]));
    /* NULL as well if one of them is no UTF-8. */
    if (json_array_size(words) < args->word_count) {
        json_decref(words);
        return NULL;
    }
    return json_pack("{s:s, s:o}", "directory", directory, "words", words);
}

/* Those that are to be made on demand. */
static int prepare_templates(const struct romsim_instances *instances,
                             const struct romsim_vm_options *options)
{
    struct romsim_error error;

    for (size_t i = 0; i < instances->count; i++)
        if (romsim_vm_template_prepare(instances->items[i], ROMSIM_ORIGIN_FILE, true, options,
                                       &error) < 0) {
            cli_report(&error);
            return CLI_RUN_FAILED;
        }
    return CLI_OK;
}

/* Those that others are branches of are saved; then the layouts. */
static int branch_and_fill(const struct cli_args *args, struct romsim_instances *instances,
                           const struct romsim_limits *limits, struct romsim_making *ret)
{
    struct romsim_link **links = calloc(instances->count + 1, sizeof(struct romsim_link *));
    size_t count = instances->count;
    struct romsim_error error;
    int status = links ? CLI_OK : CLI_RUN_FAILED;

    for (size_t i = 0; status == CLI_OK && i < count; i++)
        if (romsim_vm_branch(instances->items[i], &links[i], &error) < 0) {
            cli_report(&error);
            status = CLI_RUN_FAILED;
        }
    if (status == CLI_OK)
        status = fill(args, instances, limits, ret);
    for (size_t i = 0; links && i < count; i++)
        romsim_link_free(links[i]);
    free(links);
    return status;
}

int make_ready(const struct cli_args *args, struct romsim_instances *instances,
               struct romsim_vm_options *options, struct timings *timings,
               struct romsim_making *ret)
{
    int status = make_choose_processor(args, options, &options->processor);

    timings_done(timings, "processor");
    if (status == CLI_OK)
        status = join_groups(instances);
    if (status == CLI_OK)
        status = prepare_templates(instances, options);
    if (status == CLI_OK)
        status = branch_and_fill(args, instances, &options->limits, ret);
    return status;
}

void make_clear(struct romsim_making *making)
{
    for (size_t i = 0; i < making->count; i++)
        romsim_layout_leave_group(making->instances[i]);
    romsim_making_clear(making);
}

int make_and_follow(const struct cli_args *args, struct romsim_instances *instances,
                    const struct romsim_vm_options *options, struct timings *timings)
{
    struct romsim_vm_options chosen = *options;
    struct romsim_making making = {0};
    json_t *source = source_of(args);
    int status;

    chosen.source = source;
    status = make_ready(args, instances, &chosen, timings, &making);
    if (status != CLI_OK && status != CLI_USAGE)
        outcomes_write_refusal(args);
    if (status == CLI_OK && options->input.is_open && making.count != 1)
        status =
            cli_usage(args, "--stdin is one instance's input, and these are %zu", making.count);
    if (status == CLI_OK && options->has_shell && making.count != 1)
        status = cli_usage(args, "--shell is beside one instance's app, and these are %zu",
                           making.count);
    if (status == CLI_OK)
        status = make(args, &making, &chosen, timings);
    make_clear(&making);
    json_decref(source);
    return status;
}
