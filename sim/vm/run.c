/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * run.c: one run of an instance's VM, from QEMU's start to the end of all that belongs to it.
 *
 * The descriptors are QEMU's end, the console, the line to init, the kernel's log, QEMU's errors
 * and protocol, and the gate.  The first thing that decides how the run ends (the app's exit, a
 * failed boot, the user) fills `verdict`; then everything is taken down.
 *
 * QEMU is asked to open the ports by a thread of its own, since it may be mute for long, and others
 * want to be heard meanwhile; all else is done by the one thread that dispatches.
 *
 * The guest is foreign, its root may write on every line to here what it wants, and a forged report
 * must do no more than the app could do by ending itself.
 */
#include "run.h"

#include "channel.h"
#include "forward.h"
#include "kernel_log.h"
#include "outline.h"
#include "sim/guest/manifest.h"
#include "tail.h"

#include <romsim/buffer.h>
#include <romsim/checked.h>
#include <romsim/cleanup.h>
#include <romsim/clock.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BOOT_TIMEOUT_S = 60,
    /* What of the console is still to come when the app has ended: */
    DRAIN_IDLE_S = 2, /* without a byte of it */
    DRAIN_S = 5,      /* all of it */
    DRAIN_BYTES_MAX = 8 << 20,
    DRAIN_ANSWER_MS = 500, /* for QEMU to say whether connections are left */
    TAIL_LINES = 15,
    READ_MAX = 16 << 10,
    INPUT_PIECE = 16 << 10,
    SAVE_PATIENCE_S = 1, /* for an app that accepts connections to say that it may be saved */
    LISTEN_TIMES = 8,    /* it may never be silent */
    ANSWERS_MAX = 1024,  /* bytes that wait to be read by the guest */
    STATUS_STOPPED = 128 + SIGTERM,
    STATUS_KILLED = 128 + SIGKILL
};

/* What init reports of the boot, in this order. */
static const char *const phases[] = {"hello", "devices", "root", "mounts", "app"};

enum { PHASES = sizeof(phases) / sizeof(phases[0]), CLONE_PHASE = 3, APP_PHASE = 4 };

/* How the run ended. */
struct verdict {
    bool given;
    enum run_end end;
    enum romsim_vm_event_kind kind; /* EXIT or FAILED */
    int status;
    struct romsim_buffer text;
};

/* The thread that asks QEMU for the ports, or to save the VM. */
struct conversation {
    pthread_t thread;
    bool is_running, saves;
    int done; /* an eventfd; -1 when it is over */
    int status;
    struct romsim_error err;
};

struct run {
    struct machine machine;
    const struct vm_plan *plan;
    run_teller *tell;
    void *context;
    struct conversation conversation;
    uint64_t start;        /* microseconds of the monotonic clock */
    uint64_t qemu_start;   /* the same */
    uint64_t guest_start;  /* the same, of the guest's clock; 0: not known */
    uint64_t deadline;     /* the same; 0: none */
    uint64_t boot_timeout; /* microseconds */
    bool stopping, saw_output, saw_error;
    bool is_mute;        /* QEMU did not answer while connections were waited for */
    unsigned phase;      /* how many of `phases` are reached */
    bool *announced;     /* for each port of the layout */
    bool *loopback;      /* the same: it was said that nobody reaches it */
    bool wants_save;     /* the VM is where a template can be made of it */
    bool is_saved;       /* or about to be */
    int suspended;       /* the file for that, if it is no template; -1 */
    uint64_t save_time;  /* when that is so if nothing is heard of the guest; 0: not by the clock */
    char complaint[256]; /* init's last words after the app's start, if it had any */
    bool exited;         /* the guest reported how the app ended: */
    bool out_of_memory;
    int exit_status;
    uint64_t exit_bytes, exit_most, console_bytes;
    uint64_t drain_end;
    struct tail console, log, errors;
    struct kernel_log kernel;      /* what of `log` the user is told */
    struct romsim_buffer line;     /* of the control port, not complete yet */
    struct romsim_buffer outgoing; /* for the control port */
    size_t sent;
    char input[INPUT_PIECE]; /* for the input's port */
    size_t input_from, input_to;
    uint64_t input_bytes;   /* all that was taken */
    unsigned rows, columns; /* of the terminal, still to be told; or 0 */
    struct run_traffic traffic;
    unsigned awake;
    struct verdict verdict;
    struct run_result result;
};

/* ---- telling ------------------------------------------------------------------- */

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

static void send_text(struct run *run, enum romsim_vm_event_kind kind, const char *text)
{
    send_event(run, kind, text, strlen(text), 0);
}

static void send_timing(struct run *run, const char *step, uint64_t micros)
{
    run->tell(run->context,
              &(struct romsim_vm_event){
                  .kind = ROMSIM_VM_TIMING, .text = step, .size = strlen(step), .micros = micros});
}

/* A kernel_log_teller. */
static void send_note(void *context, const char *note)
{
    send_text(context, ROMSIM_VM_NOTE, note);
}

/* Without a text the app's status says it all. */
__attribute__((format(printf, 4, 5))) static void decide(struct run *run, enum run_end end,
                                                         int status, const char *format, ...)
{
    char text[2 * MANIFEST_LINE_MAX];
    va_list arguments;

    if (run->verdict.given)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    run->verdict.given = true;
    run->verdict.end = end;
    run->verdict.kind = *text ? ROMSIM_VM_FAILED : ROMSIM_VM_EXIT;
    run->verdict.status = status;
    romsim_buffer_puts(&run->verdict.text, text);
}

static void decide_failed(struct run *run, const struct romsim_error *err)
{
    CLEANUP_FREE char *text = romsim_error_text(err);

    decide(run, RUN_END_BROKEN, 0, "%s", text ? text : err->message);
}

/* The app has ended, and said how. */
static void decide_exited(struct run *run)
{
    decide(run, run->out_of_memory ? RUN_END_MEMORY : RUN_END_APP, run->exit_status, "%s", "");
}

static bool app_runs(const struct run *run)
{
    return run->phase == PHASES;
}

/* ---- why a boot failed ---------------------------------------------------------------------- */

/* What a kernel says when its memory is too small: none of it says so plainly. */
static const char *const memory_words[] = {
    "Initramfs unpacking failed",     "Out of memory",          "out of memory",
    "System is deadlocked on memory", "Cannot allocate memory", "not enough memory",
    "page allocation failure",
};

static bool lacks_memory(const struct run *run)
{
    for (size_t i = 0; i < sizeof(memory_words) / sizeof(memory_words[0]); i++)
        if (tail_contains(&run->log, memory_words[i]) ||
            tail_contains(&run->console, memory_words[i]))
            return true;
    return false;
}

/* What is said of disks is said by the ROMs' names. */
static void add_tail(struct run *run, const char *title, const struct tail *tail)
{
    CLEANUP_BUFFER struct romsim_buffer lines = ROMSIM_BUFFER_INIT(CHANNEL_TEXT_MAX / 3);
    CLEANUP_BUFFER struct romsim_buffer named = ROMSIM_BUFFER_INIT(CHANNEL_TEXT_MAX / 3);

    tail_print(tail, TAIL_LINES, &lines);
    if (!lines.size || lines.failed)
        return;
    kernel_log_rename(&run->kernel, lines.data, lines.size, &named);
    romsim_buffer_printf(&run->verdict.text, "\n%s:%s", title,
                         named.failed ? lines.data : named.data);
}

/* Adds to a failure what the guest and QEMU said at last, and what it means. */
static void explain(struct run *run)
{
    if (lacks_memory(run))
        romsim_buffer_printf(&run->verdict.text,
                             "\nthe guest ran out of memory, it has %llu MB: give it more (-m, or "
                             "memory_mb in the instance)",
                             (unsigned long long)run->machine.layout->guest_memory_mb);
    add_tail(run, "the guest's kernel said at last", &run->log);
    add_tail(run, "the console's last lines", &run->console);
    add_tail(run, "QEMU's last words", &run->errors);
}

/* ---- what init reports ---------------------------------------------------------------------- */

static void on_phase(struct run *run, const char *name)
{
    if (run->phase == PHASES || strcmp(name, phases[run->phase]) != 0)
        return;
    run->phase++;
    send_text(run, ROMSIM_VM_PHASE, name);
    if (app_runs(run) && !run->stopping)
        run->deadline = 0;
    if (app_runs(run))
        kernel_log_release(&run->kernel);
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

    if (app_runs(run) || sscanf(text, "%llu%n", &micros, &size) != 1)
        return;
    if (!run->guest_start) {
        run->guest_start = micros < now - run->qemu_start ? now - micros : run->qemu_start;
        send_timing(run, "firmware", run->guest_start);
    }
    for (text += size; sscanf(text, "%15s %llu%n", step, &micros, &size) == 2; text += size)
        send_timing(run, step, run->guest_start + min_u64(micros, now - run->guest_start));
}

/* "vdb ukp_rom1": how the kernel calls the disk of a device. */
static void on_disk(struct run *run, const char *text)
{
    const struct romsim_layout *layout = run->machine.layout;
    char disk[KERNEL_LOG_DISK_SIZE], name[ROMSIM_DEVICE_NAME_SIZE];

    if (app_runs(run) || sscanf(text, "%7s %79s", disk, name) != 2)
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
        send_text(run, ROMSIM_VM_ERROR, text);
    run->saw_error = true;
}

static bool is_to_be_saved(const struct run *run)
{
    return run->plan->saving && !run->is_saved;
}

/* The app, or init, waits to become a template; one that is not made for it goes on. */
static void on_template(struct run *run, const char *text)
{
    (void)text;
    run->wants_save |= is_to_be_saved(run);
    if (is_to_be_saved(run))
        return;
    /* It may say so as often as it likes, and read nothing. */
    if (run->outgoing.size - run->sent < ANSWERS_MAX)
        romsim_buffer_puts(&run->outgoing, "go on\n");
}

static void on_port(struct run *run, const char *text)
{
    const struct romsim_layout *layout = run->machine.layout;
    char url[64];

    for (size_t i = 0; i < layout->port_count; i++)
        if (layout->ports[i].destination_port == manifest_number(text, UINT16_MAX) &&
            run->plan->forwards[i].host_port && !run->announced[i]) {
            run->announced[i] = true;
            forward_url(&layout->ports[i], &run->plan->forwards[i], url);
            send_text(run, ROMSIM_VM_PORT, url);
        }
    /* One that says nothing more is ready. */
    if (is_to_be_saved(run))
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
    send_text(run, ROMSIM_VM_NOTE, note);
}

/* The status stands until all of the console that the guest counted has arrived, or more than can
 * be true. */
static void take_exit(struct run *run)
{
    if (!run->exited)
        return;
    run->deadline = min_u64(romsim_clock_us() + DRAIN_IDLE_S * 1000000ULL, run->drain_end);
    if (run->console_bytes >= min_u64(run->exit_bytes, run->exit_most))
        decide_exited(run);
}

static void on_exit_status(struct run *run, const char *text)
{
    unsigned status = 0;
    unsigned long long bytes = 0;

    if (!app_runs(run) || run->exited || sscanf(text, "%u %llu", &status, &bytes) != 2 ||
        status > 255)
        return;
    run->out_of_memory = status == STATUS_KILLED && !run->stopping && lacks_memory(run);
    if (run->out_of_memory && !run->kernel.told_of_memory)
        send_text(run, ROMSIM_VM_NOTE,
                  "the guest ran out of memory and its kernel killed the app: give it more (-m, or "
                  "memory_mb in the instance)");
    run->exited = true;
    run->exit_status = (int)status;
    run->exit_bytes = bytes;
    run->exit_most = run->console_bytes + DRAIN_BYTES_MAX;
    run->drain_end = romsim_clock_us() + DRAIN_S * 1000000ULL;
    take_exit(run);
}

/* init says this and waits for its end.  Once the app runs it may as well be the app that says it:
 * then it is believed when the VM ends. */
static void on_failed(struct run *run, const char *text)
{
    if (app_runs(run))
        snprintf(run->complaint, sizeof(run->complaint), ": %s", text);
    else
        decide(run, RUN_END_BOOT, 0, "the boot stopped: %s", text);
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

struct report {
    const char *word;
    void (*handle)(struct run *run, const char *text);
};

static const struct report reports[] = {
    {"phase ", on_phase},   {"disk ", on_disk},         {"error ", on_error},
    {"port ", on_port},     {"loopback ", on_loopback}, {"exit ", on_exit_status},
    {"failed ", on_failed}, {"template", on_template},  {"traffic ", on_traffic},
    {"times ", on_times},   {"awake ", on_awake},
};

/* The guest is foreign: its text is made safe for a terminal, an unknown line is passed over. */
static void take_report(struct run *run, const char *line, size_t size)
{
    char text[2 * MANIFEST_LINE_MAX];

    romsim_text_quote(line, size, text, sizeof(text));
    for (size_t i = 0; i < sizeof(reports) / sizeof(reports[0]); i++)
        if (strncmp(text, reports[i].word, strlen(reports[i].word)) == 0) {
            reports[i].handle(run, text + strlen(reports[i].word));
            return;
        }
}

/* The VM has come to an end that init did not report. */
static void decide_ended(struct run *run, const char *how)
{
    if (run->exited)
        decide_exited(run);
    else if (run->stopping)
        decide(run, RUN_END_STOPPED, STATUS_STOPPED, "%s", "");
    else
        decide(run, app_runs(run) ? RUN_END_CRASHED : RUN_END_BOOT, 0, "%s%s", how, run->complaint);
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
        send_text(run, ROMSIM_VM_NOTE, text);
    }
    /* QEMU has ended, or has to: without the gate all would pass. */
    if (status < 0 && run->machine.qemu.pid > 0)
        kill(run->machine.qemu.pid, SIGKILL);
}

/* ---- the lines ------------------------------------------------------------------------------ */

/* Any sign of life moves the boot's deadline. */
static void saw_progress(struct run *run)
{
    if (!app_runs(run) && !run->stopping)
        run->deadline = romsim_clock_us() + run->boot_timeout;
}

static void take_control(struct run *run, const char *bytes, size_t size)
{
    const char *newline;

    saw_progress(run);
    while ((newline = memchr(bytes, '\n', size))) {
        size_t part = (size_t)(newline - bytes);

        if (romsim_buffer_append(&run->line, bytes, part) == 0)
            take_report(run, run->line.data ? run->line.data : "", run->line.size);
        romsim_buffer_reset(&run->line);
        run->line.failed = 0;
        bytes += part + 1;
        size -= part + 1;
    }
    romsim_buffer_append(&run->line, bytes, size);
}

static void take_console(struct run *run, const char *bytes, size_t size)
{
    saw_progress(run);
    if (app_runs(run) && !run->saw_output)
        send_text(run, ROMSIM_VM_PHASE, "output");
    run->saw_output |= app_runs(run);
    tail_add(&run->console, bytes, size);
    send_event(run, ROMSIM_VM_CONSOLE, bytes, size, 0);
    run->console_bytes += size;
    take_exit(run);
}

static void take_log(struct run *run, const char *bytes, size_t size)
{
    saw_progress(run);
    tail_add(&run->log, bytes, size);
    if (run->plan->kernel_log)
        send_event(run, ROMSIM_VM_KERNEL_LOG, bytes, size, 0);
    kernel_log_take(&run->kernel, bytes, size);
    /* `halt`: the processor stands still for good, and QEMU goes on. */
    if (tail_contains(&run->log, "reboot: System halted"))
        decide_ended(run, "the guest was halted");
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

/* ---- wishes -----------------------------------------------------------------------------------
 */

void run_stop(struct run *run, unsigned timeout_ms)
{
    if (run->exited) {
        decide_exited(run);
    } else if (!app_runs(run)) {
        decide(run, RUN_END_STOPPED, STATUS_STOPPED, "%s", "");
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
        decide_exited(run);
    else
        decide(run, RUN_END_FORCED, STATUS_KILLED, "%s", "");
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
        decide(run, RUN_END_CRASHED, 0, "the guest's kernel crashed: %s", panic);
    else if (run->errors.size)
        decide(run, RUN_END_BROKEN, 0, "QEMU failed");
    else
        decide_ended(run, "the VM ended by itself");
}

/* ---- asking QEMU ---------------------------------------------------------------------------- */

static void *converse(void *argument)
{
    struct run *run = argument;
    struct conversation *conversation = &run->conversation;

    conversation->status =
        conversation->saves
            ? machine_save(&run->machine,
                           run->suspended >= 0 ? run->suspended : run->plan->saving->state,
                           run->suspended >= 0, &conversation->err)
            : machine_converse(&run->machine, run->plan, (int)(run->boot_timeout / 1000),
                               &conversation->err);
    eventfd_write(conversation->done, 1);
    return NULL;
}

static int begin_conversation(struct run *run, struct romsim_error *err)
{
    struct conversation *conversation = &run->conversation;
    int problem;

    conversation->done = eventfd(0, EFD_CLOEXEC);
    if (conversation->done < 0)
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
    struct conversation *conversation = &run->conversation;

    if (conversation->is_running)
        pthread_join(conversation->thread, NULL);
    conversation->is_running = false;
    cleanup_close_fd(&conversation->done);
    conversation->done = -1;
}

/* The VM has become a template, or not. */
static void on_saved(struct run *run)
{
    if (run->conversation.status < 0) {
        decide_failed(run, &run->conversation.err);
        return;
    }
    send_text(run, ROMSIM_VM_PHASE, "saved");
    decide(run, RUN_END_SAVED, 0, "%s", "");
}

static void save_if_wanted(struct run *run)
{
    struct romsim_error err = {0};

    if (!run->wants_save || run->is_saved || run->conversation.is_running || run->verdict.given)
        return;
    run->is_saved = true;
    run->save_time = run->deadline = 0;
    run->conversation.saves = true;
    if (begin_conversation(run, &err) < 0)
        decide_failed(run, &err);
}

void run_suspend(struct run *run, int state)
{
    if (run->exited) {
        decide_exited(run);
        return;
    }
    run->suspended = state;
    run->wants_save = true;
    save_if_wanted(run);
}

/* QEMU runs and its ports are bound, or not. */
static void on_conversation(struct run *run)
{
    struct romsim_error err = {0};

    end_conversation(run);
    if (run->conversation.saves) {
        on_saved(run);
        return;
    }
    if (run->conversation.status == 0) {
        send_text(run, ROMSIM_VM_PHASE, "qemu");
        if (run->machine.saved >= 0)
            on_phase(run, "app");
        saw_progress(run);
        return;
    }
    machine_explain(&run->machine, &run->conversation.err, &err);
    decide_failed(run, &err);
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

/* ---- polling -----------------------------------------------------------------------------------
 */

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
    uint64_t time = romsim_clock_us(), next = run->deadline;

    if (run->save_time && (!next || run->save_time < next))
        next = run->save_time;
    if (!next)
        return -1;
    return next <= time ? 0 : (int)((next - time) / 1000 + 1);
}

void run_polls(const struct run *run, bool console_waits, struct pollfd ret[RUN_POLLS])
{
    const int *lines = run->machine.lines;
    bool asks = run->conversation.is_running;
    /* One that was saved hears nothing before it goes on. */
    bool waits_for_qemu = asks && (run->machine.layout->template || run->machine.saved >= 0);
    bool pending = run->sent < run->outgoing.size && !waits_for_qemu;
    bool waits = console_waits && !run->exited;
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
        [WATCH_CONVERSATION] = {run->conversation.done, POLLIN, 0},
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
    save_if_wanted(run);
}

void run_time_out(struct run *run)
{
    if (run->save_time && run->save_time <= romsim_clock_us()) {
        run->wants_save = true;
        save_if_wanted(run);
        return;
    }
    if (run->exited) {
        decide_exited(run);
        return;
    }
    if (run->stopping) {
        send_text(run, ROMSIM_VM_NOTE, "the app did not obey SIGTERM: it was killed");
        decide(run, RUN_END_KILLED, STATUS_KILLED, "%s", "");
        return;
    }
    decide(run, RUN_END_BOOT, 0, "the guest made no progress for %llu s, after the phase '%s'",
           (unsigned long long)(run->boot_timeout / 1000000),
           run->phase ? phases[run->phase - 1] : "start");
}

const struct run_traffic *run_traffic(const struct run *run)
{
    return &run->traffic;
}

bool run_ask_traffic(struct run *run)
{
    if (!app_runs(run) || run->exited || run->outgoing.size - run->sent >= ANSWERS_MAX)
        return false;
    romsim_buffer_puts(&run->outgoing, "traffic\n");
    return true;
}

bool run_accepts(const struct run *run, size_t port)
{
    return run->announced && run->announced[port] && !run->conversation.is_running;
}

void run_let_in(struct run *run)
{
    if (run->machine.gate)
        gate_let_in(run->machine.gate);
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
    return app_runs(run);
}

bool run_has_ended(const struct run *run)
{
    return run->verdict.given;
}

/* ---- from beginning to end --------------------------------------------------------------------
 */

/* The guest's manifest; one that was suspended has it, and only its clock stood still. */
static int say_first(struct run *run, struct romsim_error *err)
{
    if (run->machine.saved >= 0)
        return outline_wake(&run->outgoing, err);
    return outline_write(run->machine.layout, run->machine.address,
                         run->plan->saving && run->plan->saving->at_init, &run->plan->input,
                         &run->outgoing, err);
}

static void send_fault(struct run *run, const char *fault)
{
    char text[512];

    snprintf(text, sizeof(text), "made to go wrong, by --fault: %s", QUOTE(fault));
    send_text(run, ROMSIM_VM_NOTE, text);
}

static int begin(struct run *run, struct romsim_error *err)
{
    size_t ports = run->machine.layout->port_count + 1;
    CLEANUP_FREE char *note = NULL;

    send_timing(run, "begin", run->start);
    run->announced = calloc(ports, sizeof(bool));
    run->loopback = calloc(ports, sizeof(bool));
    if (!run->announced || !run->loopback)
        return romsim_error_nomem(err);
    if (machine_prepare(&run->machine, run->plan, &note, err) < 0 || say_first(run, err) < 0)
        return -1;
    if (note)
        send_text(run, ROMSIM_VM_NOTE, note);
    if (run->machine.layout->guest_memory_mb != run->machine.layout->memory_mb) {
        char text[128];

        snprintf(text, sizeof(text), "the guest gets %llu MB: its kernel needs more than %llu",
                 (unsigned long long)run->machine.layout->guest_memory_mb,
                 (unsigned long long)run->machine.layout->memory_mb);
        send_text(run, ROMSIM_VM_NOTE, text);
    }
    for (size_t i = 0; i < romsim_faults_count(run->plan->seam.faults); i++)
        send_fault(run, romsim_faults_text(run->plan->seam.faults, i));
    send_text(run, ROMSIM_VM_PHASE, "drives");
    run->qemu_start = romsim_clock_us();
    if (machine_launch(&run->machine, run->plan, err) < 0)
        return -1;
    return begin_conversation(run, err);
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
    run->conversation.done = -1;
    run->boot_timeout = (plan->boot_timeout_s ? plan->boot_timeout_s : BOOT_TIMEOUT_S) * 1000000ULL;
    run->line = ROMSIM_BUFFER_INIT(MANIFEST_LINE_MAX);
    run->outgoing = ROMSIM_BUFFER_INIT(MANIFEST_MAX + 1024);
    run->verdict.text = ROMSIM_BUFFER_INIT(CHANNEL_TEXT_MAX);
    kernel_log_init(&run->kernel, send_note, run);
    /* A clone's init is past the first of them. */
    run->phase = saved >= 0 ? APP_PHASE : layout->template ? CLONE_PHASE : 0;
    run->suspended = -1;
    machine_init(&run->machine, layout, volumes, state, saved);
    if (begin(run, &err) < 0)
        decide_failed(run, &err);
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
    send_text(run, ROMSIM_VM_NOTE, text);
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
        explain(run);
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
    free(run->announced);
    free(run->loopback);
    free(run);
}
