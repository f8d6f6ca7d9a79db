/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * run.c: one run of an instance's VM, from QEMU's start to the end of all that belongs to it.
 *
 * The descriptors are QEMU's end, the console, the line to init, the kernel's log, QEMU's errors
 * and protocol, and the gate.  The first thing that decides how the run ends (the app's exit, a
 * failed boot, the user) is the verdict; then everything is taken down.
 *
 * QEMU is asked to open the ports by a thread of its own, since it may be mute for long, and others
 * want to be heard meanwhile; all else is done by the one thread that dispatches.
 */
#include "run_parts.h"

#include "channel.h"
#include "forward.h"
#include "outline.h"
#include "sim/guest/manifest.h"

#include <romsim/checked.h>
#include <romsim/cleanup.h>
#include <romsim/clock.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BOOT_TIMEOUT_S = 60,
    DEBUGGER_TIMEOUT_S = 1000000,
    DRAIN_ANSWER_MS = 500, /* for QEMU to say whether connections are left */
    READ_MAX = 16 << 10,
    LISTEN_TIMES = 8 /* it may never be silent */
};

/* ---- telling --------------------------------------------------------------------------------- */

static void send_event(struct run *run, enum romsim_vm_event_kind kind, const char *text,
                       size_t size, int status)
{
    struct romsim_vm_event event = {.kind = kind,
                                    .text = text,
                                    .size = size,
                                    .micros = romsim_clock_us() - run->start,
                                    .status = status};

    run->tell(run->context, &event);
}

void run_say(struct run *run, enum romsim_vm_event_kind kind, const char *text)
{
    send_event(run, kind, text, strlen(text), 0);
}

void run_say_timing(struct run *run, const char *step, uint64_t micros)
{
    run->tell(run->context,
              &(struct romsim_vm_event){
                  .kind = ROMSIM_VM_TIMING, .text = step, .size = strlen(step), .micros = micros});
}

/* In the trace of its ROMs, too, where there is one. */
void run_say_phase(struct run *run, const char *name)
{
    drives_note_phase(&run->machine.drives, name);
    run_say(run, ROMSIM_VM_PHASE, name);
}

/* A kernel_log_teller. */
static void send_note(void *context, const char *note)
{
    run_say(context, ROMSIM_VM_NOTE, note);
}

/* ---- the network ---------------------------------------------------------------------------- */

/* The guest wanted something of this machine. */
static void on_gate(struct run *run)
{
    struct gate_target target;
    char text[256];
    int status;

    while ((status = gate_next_refused(run->machine.gate, &target)) > 0) {
        char port[16] = "";

        if (target.port)
            snprintf(port, sizeof(port), ":%u", target.port);
        snprintf(text, sizeof(text),
                 "the guest wants %u.%u.%u.%u%s, which is this machine: refused (--allow-host lets "
                 "it)",
                 target.address >> 24, target.address >> 16 & 0xff, target.address >> 8 & 0xff,
                 target.address & 0xff, port);
        run_say(run, ROMSIM_VM_NOTE, text);
    }
    /* QEMU has ended, or has to: without the gate all would pass. */
    if (status < 0 && run->machine.qemu.pid > 0)
        kill(run->machine.qemu.pid, SIGKILL);
}

/* ---- the lines ------------------------------------------------------------------------------ */

void run_saw_progress(struct run *run)
{
    if (!run_app_runs(run) && !run->stopping && !run->verdict.given)
        run->deadline = romsim_clock_us() + run->boot_timeout;
}

static void take_control(struct run *run, const char *bytes, size_t size)
{
    const char *newline;

    run_saw_progress(run);
    while ((newline = memchr(bytes, '\n', size))) {
        size_t part = (size_t)(newline - bytes);

        if (romsim_buffer_append(&run->line, bytes, part) == 0)
            run_take_report(run, run->line.data ? run->line.data : "", run->line.size);
        romsim_buffer_reset(&run->line);
        run->line.failed = 0;
        bytes += part + 1;
        size -= part + 1;
    }
    romsim_buffer_append(&run->line, bytes, size);
}

static void take_console(struct run *run, const char *bytes, size_t size)
{
    run_saw_progress(run);
    if (run_app_runs(run) && !run->saw_output)
        run_say_phase(run, "output");
    run->saw_output |= run_app_runs(run);
    tail_add(&run->console, bytes, size);
    send_event(run, ROMSIM_VM_CONSOLE, bytes, size, 0);
    run->console_bytes += size;
    run_take_exit(run);
}

static void take_log(struct run *run, const char *bytes, size_t size)
{
    run_saw_progress(run);
    tail_add(&run->log, bytes, size);
    if (run->plan->kernel_log)
        send_event(run, ROMSIM_VM_KERNEL_LOG, bytes, size, 0);
    kernel_log_take(&run->kernel, bytes, size);
    /* `halt`: the processor stands still for good, and QEMU goes on. */
    if (tail_contains(&run->log, "reboot: System halted"))
        run_decide_ended(run, "the guest was halted");
}

static void take_errors(struct run *run, const char *bytes, size_t size)
{
    tail_add(&run->errors, bytes, size);
}

/* Reads once from a line.  Returns false when there is nothing now; a line that has ended is
 * closed. */
static bool read_line(struct run *run, int *fd,
                      void (*take)(struct run *run, const char *bytes, size_t size))
{
    char bytes[READ_MAX];
    struct pollfd ready = {.fd = *fd, .events = POLLIN};
    ssize_t size;

    if (*fd < 0 || poll(&ready, 1, 0) <= 0)
        return false;
    size = read(*fd, bytes, sizeof(bytes));
    if (size > 0) {
        take(run, bytes, (size_t)size);
        return true;
    }
    if (size == 0 || (errno != EINTR && errno != EAGAIN))
        cleanup_close_fd(fd), *fd = -1;
    return false;
}

/* Reads what QEMU, which has ended, left on its lines. */
static void read_rest(struct run *run)
{
    int *lines = run->machine.lines;

    while (read_line(run, &lines[LINE_LOG], take_log))
        ;
    while (read_line(run, &lines[LINE_CONSOLE], take_console))
        ;
    while (read_line(run, &lines[LINE_CONTROL], take_control))
        ;
    while (read_line(run, &run->machine.qemu.errors, take_errors))
        ;
}

/* Of many sizes the last one will do: none waits behind another for a guest that is slow. */
static void say_size(struct run *run)
{
    if (run->rows)
        romsim_buffer_printf(&run->outgoing, "size %u %u\n", run->rows, run->columns);
    run->rows = 0;
}

static void write_control(struct run *run)
{
    ssize_t sent = send(run->machine.lines[LINE_CONTROL], run->outgoing.data + run->sent,
                        run->outgoing.size - run->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (sent > 0)
        run->sent += (size_t)sent;
    if (run->sent == run->outgoing.size) {
        romsim_buffer_reset(&run->outgoing);
        run->sent = 0;
        say_size(run);
    }
}

/* What QEMU takes; if it takes nothing any more, it will not. */
static void write_input(struct run *run)
{
    int *line = &run->machine.lines[LINE_INPUT];
    ssize_t sent = send(*line, run->input + run->input_from, run->input_to - run->input_from,
                        MSG_NOSIGNAL | MSG_DONTWAIT);

    if (sent > 0)
        run->input_from += (size_t)sent;
    else if (errno != EAGAIN && errno != EINTR)
        cleanup_close_fd(line), *line = -1;
}

/* ---- wishes ---------------------------------------------------------------------------------- */

void run_stop(struct run *run, unsigned timeout_ms)
{
    if (run->exited) {
        run_decide_exited(run);
    } else if (!run_app_runs(run)) {
        run_decide(run, RUN_END_STOPPED, RUN_STATUS_STOPPED, "%s", "");
    } else if (!run->stopping) {
        romsim_buffer_puts(&run->outgoing, "stop\n");
        run->stopping = true;
        run->deadline = romsim_clock_us() + timeout_ms * 1000ULL;
        /* Somebody may have stopped it. */
        kill(run->machine.qemu.pid, SIGCONT);
    }
}

/* An app that has ended before keeps its status. */
void run_kill(struct run *run)
{
    if (run->exited)
        run_decide_exited(run);
    else
        run_decide(run, RUN_END_FORCED, RUN_STATUS_KILLED, "%s", "");
}

size_t run_input_room(const struct run *run)
{
    bool is_empty = run->input_from == run->input_to;

    return is_empty && run->machine.lines[LINE_INPUT] >= 0 ? sizeof(run->input) : 0;
}

void run_input(struct run *run, const char *bytes, size_t size)
{
    memcpy(run->input, bytes, size);
    run->input_from = 0;
    run->input_to = size;
    run->input_bytes += size;
}

void run_end_input(struct run *run)
{
    romsim_buffer_printf(&run->outgoing, "end %llu\n", (unsigned long long)run->input_bytes);
}

void run_resize(struct run *run, unsigned rows, unsigned columns)
{
    run->rows = rows;
    run->columns = columns;
    if (!run->outgoing.size)
        say_size(run);
}

static void on_qemu_ended(struct run *run)
{
    char panic[256];

    read_rest(run);
    if (tail_find(&run->log, "Kernel panic", panic, sizeof(panic)))
        run_decide(run, RUN_END_CRASHED, 0, "the guest's kernel crashed: %s", panic);
    else if (run->errors.size)
        run_decide(run, RUN_END_BROKEN, 0, "QEMU failed");
    else
        run_decide_ended(run, "the VM ended by itself");
}

/* ---- asking QEMU ---------------------------------------------------------------------------- */

static void *converse(void *argument)
{
    struct run *run = argument;
    struct run_conversation *conversation = &run->conversation;

    switch (conversation->topic) {
    case TOPIC_START:
        conversation->status = machine_converse(
            &run->machine, run->plan, (int)(run->boot_timeout / 1000), &conversation->err);
        if (conversation->status < 0)
            break;
        atomic_store(&conversation->runs, true);
        eventfd_write(conversation->news, 1);
        conversation->status = machine_open_ports(&run->machine, run->plan, &conversation->err);
        break;
    case TOPIC_SAVE:
        conversation->status = machine_save(
            &run->machine, run->suspended >= 0 ? run->suspended : run->plan->saving->state,
            !machine_is_shared(&run->machine, run->plan), &conversation->err);
        break;
    case TOPIC_SNAPSHOT:
        conversation->status = machine_save(&run->machine, run->snapshot, true, &conversation->err);
        conversation->goes_on = machine_go_on(&run->machine, NULL) == 0;
        break;
    case TOPIC_REPLAY:
        conversation->status = machine_count_instructions(
            &run->machine, &conversation->instructions, &conversation->err);
        break;
    }
    atomic_store(&conversation->is_over, true);
    eventfd_write(conversation->news, 1);
    return NULL;
}

int run_begin_conversation(struct run *run, struct romsim_error *err)
{
    struct run_conversation *conversation = &run->conversation;
    int problem;

    atomic_store(&conversation->is_over, false);
    conversation->news = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (conversation->news < 0)
        return romsim_error_system(err, errno, "cannot make an eventfd");
    problem = pthread_create(&conversation->thread, NULL, converse, run);
    if (problem)
        return romsim_error_system(err, problem, "cannot start a thread");
    conversation->is_running = true;
    return 0;
}

/* Waits for its end; who cannot wait has shut the line down. */
static void end_conversation(struct run *run)
{
    struct run_conversation *conversation = &run->conversation;

    if (conversation->is_running)
        pthread_join(conversation->thread, NULL);
    conversation->is_running = false;
    cleanup_close_fd(&conversation->news);
    conversation->news = -1;
}

/* What was saved goes on, or the kernel has begun. */
static void on_qemu_runs(struct run *run)
{
    if (!atomic_exchange(&run->conversation.runs, false))
        return;
    run->waits_for_qemu = false;
    run_say_phase(run, "qemu");
    if (run->machine.saved >= 0)
        run_reach_phase(run, "app");
    run_saw_progress(run);
    run_watch_replay(run);
}

/* The ports are bound, or not. */
static void on_started(struct run *run)
{
    struct romsim_error err = {0};

    if (run->conversation.status == 0) {
        run_announce_ports(run);
        return;
    }
    machine_explain(&run->machine, &run->conversation.err, &err);
    run_decide_failed(run, &err);
}

/* QEMU runs, or has answered. */
static void on_conversation(struct run *run)
{
    eventfd_t news;

    eventfd_read(run->conversation.news, &news);
    on_qemu_runs(run);
    if (!atomic_load(&run->conversation.is_over))
        return;
    end_conversation(run);
    switch (run->conversation.topic) {
    case TOPIC_START:
        on_started(run);
        break;
    case TOPIC_SAVE:
        run_on_saved(run);
        break;
    case TOPIC_SNAPSHOT:
        run_on_snapshot(run);
        break;
    case TOPIC_REPLAY:
        run_on_replay(run);
        break;
    }
}

void run_close_ports(struct run *run)
{
    const struct romsim_layout *layout = run->machine.layout;

    /* Who cannot wait long asks: the first command that is not answered is the last. */
    run->machine.qmp.timeout_ms = DRAIN_ANSWER_MS;
    run->is_mute = run->conversation.is_running;
    for (size_t i = 0; !run->is_mute && i < layout->port_count; i++)
        if (run->plan->forwards[i].host_port)
            run->is_mute = forward_close(&run->machine.qmp, &run->plan->forwards[i]) < 0;
    forward_reclaim(run->plan->forwards, layout->port_count);
}

int run_connections(struct run *run)
{
    int connections = run->is_mute ? -1
                                   : forward_connections(&run->machine.qmp, run->plan->forwards,
                                                         run->machine.layout->port_count);

    run->is_mute = connections < 0;
    return connections;
}

/* ---- polling --------------------------------------------------------------------------------- */

enum {
    WATCH_QEMU,
    WATCH_QMP,
    WATCH_ERRORS,
    WATCH_LOG,
    WATCH_CONSOLE,
    WATCH_CONTROL,
    WATCH_INPUT,
    WATCH_GATE,
    WATCH_CONVERSATION,
    WATCHES
};

_Static_assert((int)WATCHES == (int)RUN_POLLS, "run.h says how many there are");

int run_time_left(const struct run *run)
{
    const uint64_t others[] = {run->save_time, run->look_time};
    uint64_t time = romsim_clock_us(), next = run->deadline;

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (others[i] && (!next || others[i] < next))
            next = others[i];
    if (!next)
        return -1;
    return next <= time ? 0 : (int)((next - time) / 1000 + 1);
}

void run_polls(const struct run *run, bool console_waits, struct pollfd ret[RUN_POLLS])
{
    const int *lines = run->machine.lines;
    bool asks = run->conversation.is_running;
    /* One that is being saved hears nothing before it goes on. */
    bool is_deaf = run->waits_for_qemu || (asks && (run->conversation.topic == TOPIC_SAVE ||
                                                    run->conversation.topic == TOPIC_SNAPSHOT));
    bool pending = run->sent < run->outgoing.size && !is_deaf;
    bool waits = console_waits && !run->exited && !run->awaits_console;
    const struct pollfd polls[WATCHES] = {
        /* QEMU's end is seen in the conversation, too, and explained there. */
        [WATCH_QEMU] = {asks ? -1 : run->machine.qemu.pidfd, POLLIN, 0},
        [WATCH_QMP] = {asks ? -1 : lines[LINE_QMP], POLLIN, 0},
        [WATCH_ERRORS] = {asks ? -1 : run->machine.qemu.errors, POLLIN, 0},
        [WATCH_LOG] = {waits && run->plan->kernel_log ? -1 : lines[LINE_LOG], POLLIN, 0},
        [WATCH_CONSOLE] = {waits ? -1 : lines[LINE_CONSOLE], POLLIN, 0},
        [WATCH_CONTROL] = {lines[LINE_CONTROL], POLLIN | (pending ? POLLOUT : 0), 0},
        [WATCH_INPUT] = {run->input_from < run->input_to ? lines[LINE_INPUT] : -1, POLLOUT, 0},
        [WATCH_GATE] = {gate_fd(run->machine.gate), POLLIN, 0},
        [WATCH_CONVERSATION] = {run->conversation.news, POLLIN, 0},
    };

    memcpy(ret, polls, sizeof(polls));
}

void run_dispatch(struct run *run, const struct pollfd *polls)
{
    int *lines = run->machine.lines;

    if (polls[WATCH_CONVERSATION].revents)
        on_conversation(run);
    if (polls[WATCH_LOG].revents)
        read_line(run, &lines[LINE_LOG], take_log);
    if (polls[WATCH_ERRORS].revents)
        read_line(run, &run->machine.qemu.errors, take_errors);
    /* The console before the report of the exit, whose output it holds. */
    if (polls[WATCH_CONSOLE].revents)
        read_line(run, &lines[LINE_CONSOLE], take_console);
    if (polls[WATCH_CONTROL].revents & POLLOUT)
        write_control(run);
    if (polls[WATCH_CONTROL].revents & ~POLLOUT)
        read_line(run, &lines[LINE_CONTROL], take_control);
    if (polls[WATCH_INPUT].revents)
        write_input(run);
    if (polls[WATCH_GATE].revents)
        on_gate(run);
    if (polls[WATCH_QMP].revents && qmp_drain(&run->machine.qmp) < 0)
        cleanup_close_fd(&lines[LINE_QMP]), lines[LINE_QMP] = -1;
    if (polls[WATCH_QEMU].revents)
        on_qemu_ended(run);
    run_save_if_wanted(run);
}

void run_time_out(struct run *run)
{
    if (run->save_time && run->save_time <= romsim_clock_us()) {
        if (run->is_holding)
            run_give_up_holding(run, "its app does not stand still");
        else
            run_hold(run);
        run_save_if_wanted(run);
        return;
    }
    if (run->look_time && run->look_time <= romsim_clock_us()) {
        run_look_at_replay(run);
        return;
    }
    if (run->exited) {
        run_decide_exited(run);
        return;
    }
    if (run->stopping) {
        run_say(run, ROMSIM_VM_NOTE, "the app did not obey SIGTERM: it was killed");
        run_decide(run, RUN_END_KILLED, RUN_STATUS_KILLED, "%s", "");
        return;
    }
    run_decide_stuck(run);
}

const struct run_traffic *run_traffic(const struct run *run)
{
    return &run->traffic;
}

bool run_ask_traffic(struct run *run)
{
    if (!run_app_runs(run) || run->exited || run->outgoing.size - run->sent >= RUN_ANSWERS_MAX)
        return false;
    romsim_buffer_puts(&run->outgoing, "traffic\n");
    return true;
}

bool run_accepts(const struct run *run, size_t port)
{
    return run->announced && run->announced[port] && !run->conversation.is_running;
}

void run_let_in(struct run *run, size_t port)
{
    if (run->machine.gate)
        gate_let_in(run->machine.gate, port);
}

unsigned run_neighbours(const struct run *run)
{
    return gate_neighbours(run->machine.gate);
}

unsigned run_awake(const struct run *run)
{
    return run->awake;
}

void run_listen(struct run *run)
{
    for (int i = 0; i < LISTEN_TIMES; i++)
        if (!read_line(run, &run->machine.lines[LINE_CONTROL], take_control))
            return;
}

pid_t run_qemu(const struct run *run)
{
    return run->machine.qemu.pid;
}

bool run_app_runs(const struct run *run)
{
    return run->phase == RUN_PHASES;
}

bool run_has_ended(const struct run *run)
{
    return run->verdict.given && !run->awaits_console;
}

/* ---- from beginning to end ------------------------------------------------------------------- */

/* The guest's manifest; one that was suspended has it, and only its clock stood still. */
static int say_first(struct run *run, struct romsim_error *err)
{
    if (run->machine.saved >= 0)
        return outline_wake(&run->outgoing, err);
    return outline_write(run->machine.layout, run->plan->seam.faults, run->machine.address,
                         run->plan->saving && run->plan->saving->at_init, run->plan->seam.trace,
                         &run->plan->input, &run->outgoing, err);
}

static void send_fault(struct run *run, const char *fault)
{
    char text[512];

    snprintf(text, sizeof(text), "made to go wrong, by --fault: %s", QUOTE(fault));
    run_say(run, ROMSIM_VM_NOTE, text);
}

static int begin(struct run *run, struct romsim_error *err)
{
    size_t ports = run->machine.layout->port_count + 1;
    CLEANUP_FREE char *note = NULL;

    run_say_timing(run, "begin", run->start);
    run->heard = calloc(ports, sizeof(bool));
    run->announced = calloc(ports, sizeof(bool));
    run->loopback = calloc(ports, sizeof(bool));
    if (!run->heard || !run->announced || !run->loopback)
        return romsim_error_nomem(err);
    if (machine_prepare(&run->machine, run->plan, &note, err) < 0 || say_first(run, err) < 0)
        return -1;
    if (note)
        run_say(run, ROMSIM_VM_NOTE, note);
    if (run->machine.layout->guest_memory_mb != run->machine.layout->memory_mb) {
        char text[128];

        snprintf(text, sizeof(text), "the guest gets %llu MB: its kernel needs more than %llu",
                 (unsigned long long)run->machine.layout->guest_memory_mb,
                 (unsigned long long)run->machine.layout->memory_mb);
        run_say(run, ROMSIM_VM_NOTE, text);
    }
    for (size_t i = 0; i < romsim_faults_count(run->plan->seam.faults); i++)
        send_fault(run, romsim_faults_text(run->plan->seam.faults, i));
    run_say_phase(run, "drives");
    run->qemu_start = romsim_clock_us();
    if (machine_launch(&run->machine, run->plan, err) < 0)
        return -1;
    return run_begin_conversation(run, err);
}

struct run *run_start(const struct romsim_layout *layout, const struct volumes *volumes,
                      const struct vm_plan *plan, struct romsim_state *state, int saved,
                      run_teller *tell, void *context)
{
    struct run *run = calloc(1, sizeof(*run));
    struct romsim_error err = {0};

    if (!run)
        return NULL;
    run->start = romsim_clock_us();
    run->plan = plan;
    run->tell = tell;
    run->context = context;
    run->conversation.news = -1;
    run->boot_timeout = (plan->boot_timeout_s ? plan->boot_timeout_s : BOOT_TIMEOUT_S) * 1000000ULL;
    if (plan->gdb.port) /* who looks at a guest that stands still takes the time that it takes */
        run->boot_timeout = DEBUGGER_TIMEOUT_S * 1000000ULL;
    run->line = ROMSIM_BUFFER_INIT(MANIFEST_LINE_MAX);
    run->outgoing = ROMSIM_BUFFER_INIT(MANIFEST_MAX + 1024);
    run->verdict.text = ROMSIM_BUFFER_INIT(CHANNEL_TEXT_MAX);
    kernel_log_init(&run->kernel, send_note, run);
    /* A clone's init is past the first of them. */
    run->phase = saved >= 0 ? RUN_APP_PHASE : layout->template ? RUN_CLONE_PHASE : 0;
    run->suspended = run->snapshot = -1;
    machine_init(&run->machine, layout, volumes, state, saved);
    run->waits_for_qemu = machine_is_resumed(&run->machine);
    if (begin(run, &err) < 0)
        run_decide_failed(run, &err);
    return run;
}

/* The kernel said more than the user was told. */
static void tell_of_more(struct run *run)
{
    char text[128];

    if (run->kernel.more == 0 || run->plan->kernel_log)
        return;
    snprintf(text, sizeof(text), "the guest's kernel said %lu more such %s: --kernel-log shows all",
             run->kernel.more, run->kernel.more == 1 ? "line" : "lines");
    run_say(run, ROMSIM_VM_NOTE, text);
}

const struct run_result *run_finish(struct run *run)
{
    bool began = run->machine.qemu.pid > 0 && !run->conversation.is_running;

    if (run->conversation.is_running)
        shutdown(run->machine.lines[LINE_QMP], SHUT_RDWR);
    end_conversation(run);
    machine_stop(&run->machine);
    forward_reclaim(run->plan->forwards, run->machine.layout->port_count);
    read_rest(run);
    if (began && run->verdict.kind == ROMSIM_VM_FAILED && run->conversation.status == 0)
        run_explain(run);
    if (run->verdict.kind == ROMSIM_VM_EXIT)
        tell_of_more(run);
    machine_close(&run->machine);
    run->result = (struct run_result){.end = run->verdict.end,
                                      .kind = run->verdict.kind,
                                      .status = run->verdict.status,
                                      .text = run->verdict.text.data ?: "",
                                      .size = run->verdict.text.size};
    return &run->result;
}

void run_free(struct run *run)
{
    if (!run)
        return;
    romsim_buffer_reset(&run->line);
    romsim_buffer_reset(&run->outgoing);
    romsim_buffer_reset(&run->verdict.text);
    kernel_log_free(&run->kernel);
    free(run->heard);
    free(run->announced);
    free(run->loopback);
    free(run);
}
