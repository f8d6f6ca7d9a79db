/* SPDX-License-Identifier: BSD-3-Clause */
/* case_run.c: running an instance while what happens is written down. */
#include "case_run.h"

#include "run_console.h"
#include "run_follow.h"
#include "signals.h"

#include <romsim/clock.h>
#include <romsim/fs.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SECONDS_MOST = 86400 };

/* ---- what happens ------------------------------------------------------------------------- */

struct recording {
    struct romsim_outcome *outcome;
    struct run_console *console;
    size_t enough; /* 0: there is no such number */
    bool is_over;  /* what follows is not written down */
};

/* The first of them is the user's or ours, the second ends what does not want to end. */
static void end_it(unsigned signals)
{
    for (unsigned i = 0; i < signals; i++)
        raise(SIGTERM);
}

static void cut(struct recording *recording, unsigned signals)
{
    recording->outcome->end = ROMSIM_OUTCOME_CUT;
    recording->is_over = true;
    end_it(signals);
}

static void take_console(struct recording *recording, const struct romsim_vm_event *event)
{
    struct romsim_buffer *console = &recording->outcome->console;
    size_t room = ROMSIM_CASE_CONSOLE_MAX - console->size;
    size_t size = event->size < room ? event->size : room;

    romsim_buffer_append(console, event->text, size);
    if (size < event->size)
        cli_warn("the console has %d MiB: what follows is not in the case",
                 ROMSIM_CASE_CONSOLE_MAX >> 20);
    if (size < event->size || (recording->enough && console->size >= recording->enough))
        cut(recording, 2);
}

static void record(struct recording *recording, const struct romsim_vm_event *event)
{
    struct romsim_outcome *outcome = recording->outcome;

    switch (event->kind) {
    case ROMSIM_VM_CONSOLE:
        take_console(recording, event);
        break;
    case ROMSIM_VM_STATE:
        if (strcmp(event->text, "stopping") == 0)
            cut(recording, 1);
        break;
    case ROMSIM_VM_EXIT:
        outcome->end = ROMSIM_OUTCOME_EXIT;
        outcome->status = event->status;
        recording->is_over = true;
        break;
    case ROMSIM_VM_FAILED:
        outcome->end = ROMSIM_OUTCOME_FAILED;
        outcome->reason = strdup(event->text);
        recording->is_over = true;
        break;
    default:
        break;
    }
}

/* A romsim_vm_observer. */
static void on_event(void *context, size_t instance, const struct romsim_vm_event *event)
{
    struct recording *recording = context;

    if (!recording->is_over)
        record(recording, event);
    run_console_event(recording->console, instance, event);
}

/* ---- its end ------------------------------------------------------------------------------ */

/* After so many seconds this process gets a signal, as if by the user. */
static bool set_timer(uint64_t seconds, timer_t *ret)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGTERM};
    const struct itimerspec time = {.it_value.tv_sec = (time_t)seconds};

    if (seconds == 0 || timer_create(CLOCK_MONOTONIC, &event, ret) < 0)
        return false;
    timer_settime(*ret, 0, &time, NULL);
    return true;
}

static int follow(struct recording *recording, const struct romsim_layout *layout,
                  const struct romsim_instance *instance, const struct romsim_vm_options *options,
                  uint64_t seconds)
{
    struct romsim_vm *vm = romsim_vm_new(&layout, &instance, 1, options, on_event, recording);
    int signals = signals_count();
    timer_t timer;
    bool has_timer;
    int status;

    if (vm)
        romsim_vm_start(vm);
    has_timer = set_timer(seconds, &timer);
    signal(SIGPIPE, SIG_IGN);
    status = run_follow(vm, recording->console, NULL, NULL, signals);
    if (has_timer)
        timer_delete(timer);
    romsim_vm_free(vm);
    alarm(0);
    /* Whatever the app's status is: it is written down. */
    return vm && (status != CLI_RUN_FAILED || recording->is_over) ? CLI_OK : CLI_RUN_FAILED;
}

/* ---- the trace ---------------------------------------------------------------------------- */

static int open_trace(struct romsim_trace *ret, struct romsim_error *err)
{
    *ret = (struct romsim_trace){.json = romsim_blob_scratch_file(err), .text = -1};
    if (ret->json < 0)
        return -1;
    if (fcntl(ret->json, F_SETFL, O_APPEND) < 0)
        return romsim_error_system(err, errno, "cannot write a trace");
    return 0;
}

/* Takes the trace's file. */
static int read_trace(int fd, const char *name, struct romsim_outcome *outcome,
                      struct romsim_error *err)
{
    CLEANUP_BLOB struct romsim_blob *blob = romsim_blob_take_fd(fd, err);

    if (!blob)
        return -1;
    outcome->reads = romsim_reads_parse((const char *)romsim_blob_bytes(blob),
                                        romsim_blob_size(blob), SIZE_MAX, name, err);
    if (outcome->reads || !err || err->errnum != EFBIG)
        return outcome->reads ? 0 : -1;
    cli_warn("there is no trace: %s", err->message);
    return 0;
}

/* Without FUSE nobody sees what is read, and nothing can be made to go wrong. */
static int choose_trace(struct romsim_vm_options *options, struct romsim_trace *trace,
                        bool is_silent, struct romsim_error *err)
{
    struct romsim_error why = {0};

    if (!options->no_fuse && romsim_fs_probe(&why) == 0) {
        options->seam.trace = trace;
        return open_trace(trace, err);
    }
    if (romsim_faults_count(options->seam.faults)) {
        romsim_error_set(err, ENODEV, "faults are made through FUSE, which is not to be had: %s",
                         options->no_fuse ? "--no-fuse" : why.message);
        return romsim_error_hint(err, "'romsim doctor' says how it can be");
    }
    if (!is_silent)
        cli_note("without FUSE it is not seen what is read of ROMs: %s",
                 options->no_fuse ? "--no-fuse" : why.message);
    options->no_fuse = true;
    return 0;
}

int case_run(const struct romsim_layout *layout, const struct romsim_instance *instance,
             const struct romsim_vm_options *options, const struct case_end *end, bool is_silent,
             struct romsim_outcome *ret)
{
    struct romsim_trace trace = {.json = -1, .text = -1};
    struct romsim_vm_options chosen = *options;
    const char *names[] = {layout->name};
    struct run_console console = {.is_silent = is_silent, .quiet = is_silent};
    struct recording recording = {.outcome = ret, .console = &console, .enough = end->enough};
    struct romsim_error error = {0};
    int status = CLI_RUN_FAILED;

    *ret = (struct romsim_outcome){.end = ROMSIM_OUTCOME_FAILED,
                                   .console = ROMSIM_BUFFER_INIT(ROMSIM_CASE_CONSOLE_MAX)};
    if (choose_trace(&chosen, &trace, is_silent, &error) < 0) {
        cleanup_close_fd(&trace.json);
        cli_report(&error);
        return CLI_RUN_FAILED;
    }
    if (run_console_open(&console, names, 1) == 0)
        status = follow(&recording, layout, instance, &chosen, end->seconds);
    run_console_close(&console);
    if (trace.json >= 0 && read_trace(trace.json, layout->name, ret, &error) < 0) {
        cli_report(&error);
        return CLI_RUN_FAILED;
    }
    return status;
}

/* ---- options ------------------------------------------------------------------------------ */

int case_seconds(const struct cli_args *args, const char *option, uint64_t absent, uint64_t *ret)
{
    const char *text = cli_value(args, option);
    unsigned long long value;
    char *end;

    *ret = absent;
    if (!text)
        return 0;
    errno = 0;
    value = strtoull(text, &end, 10);
    if (strcmp(end, "m") == 0 && value <= SECONDS_MOST)
        value *= 60;
    else if (*end && strcmp(end, "s") != 0)
        value = 0;
    if (*text >= '0' && *text <= '9' && errno == 0 && value >= 1 && value <= SECONDS_MOST) {
        *ret = value;
        return 0;
    }
    cli_usage(args, "--%s is '%s', but has to be a time: 30s, 5m", option, QUOTE(text));
    return -1;
}

/* Has a fault a seed of its own? */
static bool has_seed(const char *fault)
{
    return strncmp(fault, "seed=", 5) == 0 || strstr(fault, ",seed=");
}

int case_fault_texts(const struct cli_args *args, struct romsim_strings *ret,
                     struct romsim_error *err)
{
    const char *seed = cli_value(args, "seed"), *text;
    size_t index = 0;

    while ((text = cli_each(args, "fault", &index))) {
        bool is_seeded = seed && !has_seed(text);
        char *fault;

        if (asprintf(&fault, "%s%s%s", text, is_seeded ? ",seed=" : "", is_seeded ? seed : "") <
                0 ||
            romsim_strings_take(ret, fault) < 0)
            return romsim_error_nomem(err);
    }
    return 0;
}

/* ---- what a case is made of ---------------------------------------------------------------- */

struct romsim_case_rom *case_roms(const struct romsim_layout *layout,
                                  const struct romsim_instance *instance, size_t *ret_count)
{
    struct romsim_case_rom *roms = calloc(layout->device_count + 1, sizeof(*roms));
    size_t count = 0;

    for (size_t i = 0; roms && i < layout->device_count; i++) {
        const struct romsim_device *device = &layout->devices[i];

        if (device->role == ROMSIM_DEVICE_ROM && device->blob)
            roms[count++] =
                (struct romsim_case_rom){.device = device->indexed_name,
                                         .name = instance->roms[device->origin].name,
                                         .at = romsim_layout_at(layout, device),
                                         .source = device->is_inline ? "inline" : device->source,
                                         .is_inline = device->is_inline,
                                         .blob = device->blob};
    }
    *ret_count = count;
    return roms;
}

int case_check_record(const struct romsim_instance *instance,
                      const struct romsim_vm_options *options, struct romsim_error *err)
{
    if (options->processor.accel == ROMSIM_ACCEL_KVM) {
        romsim_error_set(err, ENOTSUP, "only an emulated processor counts its instructions");
        return romsim_error_hint(err, "--accel tcg emulates it");
    }
    if (instance->vcpus > 1)
        return romsim_error_set(err, ENOTSUP,
                                "instructions are counted of one processor, and these are %u",
                                instance->vcpus);
    if (instance->service_count)
        return romsim_error_set(err, ENOTSUP,
                                "what is replayed cannot be called: it has no network, and the "
                                "instance has ports");
    if (instance->volume_count)
        return romsim_error_set(err, ENOTSUP,
                                "what is replayed writes to no volumes, and the instance has some");
    return 0;
}

struct romsim_case *case_open(const char *file)
{
    struct romsim_error error = {0};
    CLEANUP_BLOB struct romsim_blob *archive =
        romsim_blob_snapshot_within(cli_input(file), ROMSIM_BOUND_FILE_BYTES, &error);
    struct romsim_case *opened = archive ? romsim_case_read(archive, file, &error) : NULL;

    if (!opened)
        cli_report(&error);
    return opened;
}
