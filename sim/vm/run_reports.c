/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * run_reports.c: what the guest's init reports, a line each: the boot's phases, ports, the app's
 * end.
 *
 * The guest is foreign, its root may write on this line what it wants, and a forged report must do
 * no more than the app could do by ending itself.
 */
#include "run_parts.h"

#include "forward.h"
#include "outline.h"
#include "sim/guest/manifest.h"

#include <romsim/checked.h>
#include <romsim/clock.h>
#include <romsim/text.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* What of the console is still to come when the app has ended, or the boot has failed: */
    DRAIN_IDLE_S = 2, /* without a byte of it */
    DRAIN_S = 5,      /* all of it */
    DRAIN_SHELL_S = 60,
    DRAIN_BYTES_MAX = 8 << 20,
    SAVE_PATIENCE_S = 1 /* for an app that accepts connections to say that it may be saved */
};

/* What init reports of the boot, in this order. */
static const char *const phases[RUN_PHASES] = {"hello", "devices", "root", "mounts", "app"};

void run_reach_phase(struct run *run, const char *name)
{
    if (run->phase == RUN_PHASES || strcmp(name, phases[run->phase]) != 0)
        return;
    run->phase++;
    run_say_phase(run, name);
    if (run_app_runs(run) && !run->stopping)
        run->deadline = 0;
    if (run_app_runs(run))
        kernel_log_release(&run->kernel);
}

const char *run_phase_name(const struct run *run)
{
    return run->phase ? phases[run->phase - 1] : "start";
}

/* "960004 kernel 903112 modules 950031": the guest's clock now, and when steps were done.  It began
 * at the same time for all; one that runs ahead (TCG on a busy machine) did not begin before QEMU,
 * and nothing of what it says is still to come. */
static void on_times(struct run *run, const char *text)
{
    unsigned long long micros;
    uint64_t now = romsim_clock_us();
    char step[16];
    int size;

    if (run_app_runs(run) || sscanf(text, "%llu%n", &micros, &size) != 1)
        return;
    if (!run->guest_start) {
        run->guest_start = micros < now - run->qemu_start ? now - micros : run->qemu_start;
        run_say_timing(run, "firmware", run->guest_start);
    }
    for (text += size; sscanf(text, "%15s %llu%n", step, &micros, &size) == 2; text += size)
        run_say_timing(run, step, run->guest_start + min_u64(micros, now - run->guest_start));
}

/* "vdb ukp_rom1": how the kernel calls the disk of a device. */
static void on_disk(struct run *run, const char *text)
{
    const struct romsim_layout *layout = run->machine.layout;
    char disk[KERNEL_LOG_DISK_SIZE], name[ROMSIM_DEVICE_NAME_SIZE];

    if (run_app_runs(run) || sscanf(text, "%7s %79s", disk, name) != 2)
        return;
    for (size_t i = 0; i < layout->device_count; i++) {
        const struct romsim_device *device = &layout->devices[i];

        if (strcmp(device->indexed_name, name) == 0)
            kernel_log_name(&run->kernel, disk,
                            device->role == ROMSIM_DEVICE_ROOT ? "root image"
                            : *device->named_name              ? device->named_name
                                                               : device->indexed_name);
    }
}

static void on_error(struct run *run, const char *text)
{
    if (!run->saw_error)
        run_say(run, ROMSIM_VM_ERROR, text);
    run->saw_error = true;
}

void run_announce_ports(struct run *run)
{
    const struct romsim_layout *layout = run->machine.layout;
    char url[64];

    for (size_t i = 0; !run->conversation.is_running && i < layout->port_count; i++)
        if (run->heard[i] && !run->announced[i]) {
            run->announced[i] = true;
            forward_url(&layout->ports[i], &run->plan->forwards[i], url);
            run_say(run, ROMSIM_VM_PORT, url);
        }
}

static void on_port(struct run *run, const char *text)
{
    const struct romsim_layout *layout = run->machine.layout;

    for (size_t i = 0; i < layout->port_count; i++)
        if (layout->ports[i].destination_port == manifest_number(text, UINT16_MAX) &&
            run->plan->forwards[i].host_port)
            run->heard[i] = true;
    run_announce_ports(run);
    /* One that says nothing more is ready. */
    if (run_is_to_be_saved(run))
        run->save_time = romsim_clock_us() + SAVE_PATIENCE_S * 1000000ULL;
}

static void on_loopback(struct run *run, const char *text)
{
    const struct romsim_layout *layout = run->machine.layout;
    size_t i = 0;
    char note[256];

    while (i < layout->port_count &&
           layout->ports[i].destination_port != manifest_number(text, UINT16_MAX))
        i++;
    if (i == layout->port_count || run->loopback[i])
        return;
    run->loopback[i] = true;
    snprintf(note, sizeof(note),
             "the app listens on port %u of 127.0.0.1 in the guest only, where no request arrives: "
             "let it listen on 0.0.0.0",
             layout->ports[i].destination_port);
    run_say(run, ROMSIM_VM_NOTE, note);
}

/* So many bytes has the console in all, or, from a guest that is foreign, fewer. */
static void expect_console(struct run *run, uint64_t bytes)
{
    run->exit_bytes = bytes;
    run->exit_most = run->console_bytes + DRAIN_BYTES_MAX;
}

static bool has_whole_console(const struct run *run)
{
    return run->console_bytes >= min_u64(run->exit_bytes, run->exit_most);
}

void run_take_exit(struct run *run)
{
    run->awaits_console = run->awaits_console && !has_whole_console(run);
    if (!run->exited)
        return;
    run->deadline = min_u64(romsim_clock_us() + DRAIN_IDLE_S * 1000000ULL, run->drain_end);
    /* What its shell wrote goes to whoever asked for it, who may be slow. */
    if (run->plan->shell && !run->is_finished)
        run->deadline = run->drain_end;
    else if (has_whole_console(run))
        run_decide_exited(run);
}

static void on_exit_status(struct run *run, const char *text)
{
    unsigned status = 0;
    unsigned long long bytes = 0;

    if (!run_app_runs(run) || run->exited || sscanf(text, "%u %llu", &status, &bytes) != 2 ||
        status > 255)
        return;
    run->out_of_memory = status == RUN_STATUS_KILLED && !run->stopping && run_lacks_memory(run);
    if (run->out_of_memory && !run->kernel.told_of_memory)
        run_say(run, ROMSIM_VM_NOTE,
                "the guest ran out of memory and its kernel killed the app: give it more (-m, or "
                "memory_mb in the instance)");
    run->exited = true;
    run->exit_status = (int)status;
    expect_console(run, bytes);
    run->drain_end = romsim_clock_us() + (run->plan->shell ? DRAIN_SHELL_S : DRAIN_S) * 1000000ULL;
    run_take_exit(run);
}

/* With a shell init says this when all that it wrote has been taken. */
static void on_finished(struct run *run, const char *text)
{
    (void)text;
    run->is_finished = run->exited;
    run_take_exit(run);
}

/* What the next line speaks of is on the console, too. */
static void on_said(struct run *run, const char *text)
{
    if (!run_app_runs(run))
        expect_console(run, strtoull(text, NULL, 10));
}

/* init says this and waits for its end.  Once the app runs it may as well be the app that says it:
 * then it is believed when the VM ends. */
static void on_failed(struct run *run, const char *text)
{
    if (run_app_runs(run)) {
        snprintf(run->complaint, sizeof(run->complaint), ": %s", text);
        return;
    }
    if (run->verdict.given)
        return;
    run_decide(run, RUN_END_BOOT, 0, "the boot stopped: %s", text);
    /* Its last lines are soon here: two seconds are for them all. */
    run->deadline = romsim_clock_us() + DRAIN_IDLE_S * 1000000ULL;
    run->awaits_console = !has_whole_console(run);
}

static void on_traffic(struct run *run, const char *text)
{
    unsigned long long rx_bytes, rx_packets, tx_bytes, tx_packets;

    if (sscanf(text, "%llu %llu %llu %llu", &rx_bytes, &rx_packets, &tx_bytes, &tx_packets) == 4)
        run->traffic = (struct run_traffic){rx_bytes, rx_packets, tx_bytes, tx_packets,
                                            run->traffic.answers + 1};
}

static void on_awake(struct run *run, const char *text)
{
    long count = manifest_number(text, INT32_MAX);

    run->awake = count > 0 ? (unsigned)count : 0;
}

/* "PID ERROR DEVICE PROCESS PATH", for the trace of the ROMs. */
static void on_open(struct run *run, const char *text)
{
    struct romsim_trace_open opened = {0};
    char device[32], process[64];
    int path = 0;

    if (sscanf(text, "%ld %d %31s %63s %n", &opened.pid, &opened.errnum, device, process, &path) <
            4 ||
        !path)
        return;
    opened.device = device;
    opened.process = process;
    opened.path = text + path;
    drives_note_open(&run->machine.drives, &opened);
}

/* Why the guest tells of no more of these. */
static void on_opens(struct run *run, const char *text)
{
    const struct romsim_trace_open none = {.path = text};

    drives_note_open(&run->machine.drives, &none);
}

struct report {
    const char *word;
    void (*handle)(struct run *run, const char *text);
};

static const struct report reports[] = {
    {"phase ", run_reach_phase}, {"disk ", on_disk},
    {"error ", on_error},        {"port ", on_port},
    {"loopback ", on_loopback},  {"exit ", on_exit_status},
    {"failed ", on_failed},      {"template", run_on_template},
    {"traffic ", on_traffic},    {"times ", on_times},
    {"awake ", on_awake},        {"held", run_on_held},
    {"unheld ", run_on_unheld},  {"open ", on_open},
    {"opens ", on_opens},        {"finished", on_finished},
    {"said ", on_said},
};

/* The guest is foreign: its text is made safe for a terminal, an unknown line is passed over. */
void run_take_report(struct run *run, const char *line, size_t size)
{
    char text[2 * MANIFEST_LINE_MAX];

    romsim_text_quote(line, size, text, sizeof(text));
    for (size_t i = 0; i < sizeof(reports) / sizeof(reports[0]); i++)
        if (strncmp(text, reports[i].word, strlen(reports[i].word)) == 0) {
            reports[i].handle(run, text + strlen(reports[i].word));
            return;
        }
}
