/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * supervisor.c: the process that owns an instance, from its state folder to its exit status.
 *
 * One loop over descriptors: the client, QEMU's end, the console, the line to init, the kernel's
 * log, QEMU's errors and protocol, and signals.  The first thing that decides how the instance
 * ends (the app's exit, a failed boot, the user) fills `verdict`; then everything is taken down,
 * and the client is told last, so that when it knows, nothing is left.
 *
 * Nobody can hold it up: it waits for nothing but in that loop, where the user's wishes are heard.
 * The guest is foreign, its root may write on every line to here what it wants, and a forged report
 * must do no more than the app could do by ending itself.
 */
#include "supervisor.h"

#include "channel.h"
#include "forward.h"
#include "outline.h"
#include "sim/guest/manifest.h"
#include "tail.h"

#include <romsim/buffer.h>
#include <romsim/checked.h>
#include <romsim/cleanup.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    BOOT_TIMEOUT_S = 60,
    /* What of the console is still to come when the app has ended: */
    DRAIN_IDLE_S = 2, /* without a byte of it */
    DRAIN_S = 5,      /* all of it */
    DRAIN_BYTES_MAX = 8 << 20,
    TAIL_LINES = 15,
    READ_MAX = 16 << 10,
    KEPT_ENOUGH = 256 << 10, /* of the console for a client that is slow */
    STATUS_STOPPED = 128 + SIGTERM,
    STATUS_KILLED = 128 + SIGKILL
};

/* What init reports of the boot, in this order. */
static const char *const phases[] = {"hello", "devices", "root", "mounts", "app"};

enum { PHASES = sizeof(phases) / sizeof(phases[0]) };

/* How the instance ended. */
struct verdict {
    bool given;
    enum romsim_vm_event_kind kind; /* EXIT or FAILED */
    int status;
    struct romsim_buffer text;
};

struct supervisor {
    struct machine machine;
    const struct forward *forwards;
    struct channel client;
    int signals;
    uint64_t start;        /* microseconds of the monotonic clock */
    uint64_t deadline;     /* the same; 0: none */
    uint64_t boot_timeout; /* microseconds */
    bool stopping, saw_output, saw_error;
    unsigned phase;      /* how many of `phases` are reached */
    bool *announced;     /* for each port of the layout */
    bool *loopback;      /* the same: it was said that nobody reaches it */
    char complaint[256]; /* init's last words after the app's start, if it had any */
    bool exited;         /* the guest reported how the app ended: */
    int exit_status;
    uint64_t exit_bytes, exit_most, console_bytes;
    uint64_t drain_end;
    struct tail console, log, errors;
    struct romsim_buffer line;     /* of the control port, not complete yet */
    struct romsim_buffer outgoing; /* for the control port */
    size_t sent;
    struct verdict verdict;
};

static uint64_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

/* ---- telling the client ------------------------------------------------------------------- */

static void send_event(struct supervisor *self, enum romsim_vm_event_kind kind, const char *text,
                       size_t size, int status)
{
    struct romsim_vm_event event = {
        .kind = kind, .text = text, .size = size, .micros = now() - self->start, .status = status};

    channel_send(&self->client, &event);
}

static void send_text(struct supervisor *self, enum romsim_vm_event_kind kind, const char *text)
{
    send_event(self, kind, text, strlen(text), 0);
}

__attribute__((format(printf, 4, 5))) static void
decide(struct supervisor *self, enum romsim_vm_event_kind kind, int status, const char *format, ...)
{
    char text[2 * MANIFEST_LINE_MAX];
    va_list arguments;

    if (self->verdict.given)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    self->verdict.given = true;
    self->verdict.kind = kind;
    self->verdict.status = status;
    romsim_buffer_puts(&self->verdict.text, text);
}

static void decide_failed(struct supervisor *self, const struct romsim_error *err)
{
    decide(self, ROMSIM_VM_FAILED, 0, "%s%s%s%s", err->message, *err->hint ? " (" : "", err->hint,
           *err->hint ? ")" : "");
}

/* The end by force: an app that has ended before keeps its status. */
static void decide_killed(struct supervisor *self)
{
    decide(self, ROMSIM_VM_EXIT, self->exited ? self->exit_status : STATUS_KILLED, "%s", "");
}

static bool app_runs(const struct supervisor *self)
{
    return self->phase == PHASES;
}

/* ---- why a boot failed ---------------------------------------------------------------------- */

/* What a kernel says when its memory is too small: none of it says so plainly. */
static const char *const memory_words[] = {
    "Initramfs unpacking failed",     "Out of memory",          "out of memory",
    "System is deadlocked on memory", "Cannot allocate memory", "not enough memory",
    "page allocation failure",
};

static bool lacks_memory(const struct supervisor *self)
{
    for (size_t i = 0; i < sizeof(memory_words) / sizeof(memory_words[0]); i++)
        if (tail_contains(&self->log, memory_words[i]) ||
            tail_contains(&self->console, memory_words[i]))
            return true;
    return false;
}

static void add_tail(struct supervisor *self, const char *title, const struct tail *tail)
{
    CLEANUP_BUFFER struct romsim_buffer lines = ROMSIM_BUFFER_INIT(CHANNEL_TEXT_MAX / 3);

    tail_print(tail, TAIL_LINES, &lines);
    if (lines.size && !lines.failed)
        romsim_buffer_printf(&self->verdict.text, "\n%s:%s", title, lines.data);
}

/* Adds to a failure what the guest and QEMU said at last, and what it means. */
static void explain(struct supervisor *self)
{
    if (lacks_memory(self))
        romsim_buffer_printf(&self->verdict.text,
                             "\nthe guest ran out of memory, it has %llu MB: give it more (-m, or "
                             "memory_mb in the instance)",
                             (unsigned long long)self->machine.memory_mb);
    add_tail(self, "the guest's kernel said at last", &self->log);
    add_tail(self, "the console's last lines", &self->console);
    add_tail(self, "QEMU's last words", &self->errors);
}

/* ---- what init reports ---------------------------------------------------------------------- */

static void on_phase(struct supervisor *self, const char *name)
{
    if (self->phase == PHASES || strcmp(name, phases[self->phase]) != 0)
        return;
    self->phase++;
    send_text(self, ROMSIM_VM_PHASE, name);
    if (app_runs(self) && !self->stopping)
        self->deadline = 0;
}

static void on_error(struct supervisor *self, const char *text)
{
    if (!self->saw_error)
        send_text(self, ROMSIM_VM_ERROR, text);
    self->saw_error = true;
}

static void on_port(struct supervisor *self, const char *text)
{
    const struct romsim_layout *layout = self->machine.layout;
    char url[64];

    for (size_t i = 0; i < layout->port_count; i++)
        if (layout->ports[i].destination_port == manifest_number(text, UINT16_MAX) &&
            self->forwards[i].host_port && !self->announced[i]) {
            self->announced[i] = true;
            forward_url(&layout->ports[i], self->forwards[i].host_port, url);
            send_text(self, ROMSIM_VM_PORT, url);
        }
}

static void on_loopback(struct supervisor *self, const char *text)
{
    const struct romsim_layout *layout = self->machine.layout;
    size_t i = 0;
    char note[256];

    while (i < layout->port_count &&
           layout->ports[i].destination_port != manifest_number(text, UINT16_MAX))
        i++;
    if (i == layout->port_count || self->loopback[i])
        return;
    self->loopback[i] = true;
    snprintf(note, sizeof(note),
             "the app listens on port %u of 127.0.0.1 in the guest only, where no request arrives: "
             "let it listen on 0.0.0.0",
             layout->ports[i].destination_port);
    send_text(self, ROMSIM_VM_NOTE, note);
}

/* The status stands until all of the console that the guest counted has arrived, or more than can
 * be true. */
static void take_exit(struct supervisor *self)
{
    if (!self->exited)
        return;
    self->deadline = min_u64(now() + DRAIN_IDLE_S * 1000000ULL, self->drain_end);
    if (self->console_bytes >= min_u64(self->exit_bytes, self->exit_most))
        decide(self, ROMSIM_VM_EXIT, self->exit_status, "%s", "");
}

static void on_exit_status(struct supervisor *self, const char *text)
{
    unsigned status = 0;
    unsigned long long bytes = 0;

    if (!app_runs(self) || self->exited || sscanf(text, "%u %llu", &status, &bytes) != 2 ||
        status > 255)
        return;
    if (status == STATUS_KILLED && !self->stopping && lacks_memory(self))
        send_text(self, ROMSIM_VM_NOTE,
                  "the guest ran out of memory and its kernel killed the app: give it more (-m, or "
                  "memory_mb in the instance)");
    self->exited = true;
    self->exit_status = (int)status;
    self->exit_bytes = bytes;
    self->exit_most = self->console_bytes + DRAIN_BYTES_MAX;
    self->drain_end = now() + DRAIN_S * 1000000ULL;
    take_exit(self);
}

/* init says this and waits for its end.  Once the app runs it may as well be the app that says it:
 * then it is believed when the VM ends. */
static void on_failed(struct supervisor *self, const char *text)
{
    if (app_runs(self))
        snprintf(self->complaint, sizeof(self->complaint), ": %s", text);
    else
        decide(self, ROMSIM_VM_FAILED, 0, "the boot stopped: %s", text);
}

struct report {
    const char *word;
    void (*handle)(struct supervisor *self, const char *text);
};

static const struct report reports[] = {
    {"phase ", on_phase},       {"error ", on_error},      {"port ", on_port},
    {"loopback ", on_loopback}, {"exit ", on_exit_status}, {"failed ", on_failed},
};

/* The guest is foreign: its text is made safe for a terminal, an unknown line is passed over. */
static void take_report(struct supervisor *self, const char *line, size_t size)
{
    char text[2 * MANIFEST_LINE_MAX];

    romsim_text_quote(line, size, text, sizeof(text));
    for (size_t i = 0; i < sizeof(reports) / sizeof(reports[0]); i++)
        if (strncmp(text, reports[i].word, strlen(reports[i].word)) == 0) {
            reports[i].handle(self, text + strlen(reports[i].word));
            return;
        }
}

/* The VM has come to an end that init did not report. */
static void decide_ended(struct supervisor *self, const char *how)
{
    if (self->exited)
        decide(self, ROMSIM_VM_EXIT, self->exit_status, "%s", "");
    else if (self->stopping)
        decide(self, ROMSIM_VM_EXIT, STATUS_STOPPED, "%s", "");
    else
        decide(self, ROMSIM_VM_FAILED, 0, "%s%s", how, self->complaint);
}

/* ---- the network ---------------------------------------------------------------------------- */

/* The guest wanted something of this machine. */
static void on_gate(struct supervisor *self)
{
    struct gate_target target;
    char text[256];
    int status;

    while ((status = gate_next_refused(self->machine.gate, &target)) > 0) {
        char port[16] = "";

        if (target.port)
            snprintf(port, sizeof(port), ":%u", target.port);
        snprintf(text, sizeof(text),
                 "the guest wants %u.%u.%u.%u%s, which is this machine: refused (--allow-host lets "
                 "it)",
                 target.address >> 24, target.address >> 16 & 0xff, target.address >> 8 & 0xff,
                 target.address & 0xff, port);
        send_text(self, ROMSIM_VM_NOTE, text);
    }
    /* QEMU has ended, or has to: without the gate all would pass. */
    if (status < 0 && self->machine.qemu.pid > 0)
        kill(self->machine.qemu.pid, SIGKILL);
}

/* ---- the lines ------------------------------------------------------------------------------ */

/* Any sign of life moves the boot's deadline. */
static void saw_progress(struct supervisor *self)
{
    if (!app_runs(self) && !self->stopping)
        self->deadline = now() + self->boot_timeout;
}

static void take_control(struct supervisor *self, const char *bytes, size_t size)
{
    const char *newline;

    saw_progress(self);
    while ((newline = memchr(bytes, '\n', size))) {
        size_t part = (size_t)(newline - bytes);

        if (romsim_buffer_append(&self->line, bytes, part) == 0)
            take_report(self, self->line.data ? self->line.data : "", self->line.size);
        romsim_buffer_reset(&self->line);
        self->line.failed = 0;
        bytes += part + 1;
        size -= part + 1;
    }
    romsim_buffer_append(&self->line, bytes, size);
}

static void take_console(struct supervisor *self, const char *bytes, size_t size)
{
    saw_progress(self);
    if (app_runs(self) && !self->saw_output)
        send_text(self, ROMSIM_VM_PHASE, "output");
    self->saw_output |= app_runs(self);
    tail_add(&self->console, bytes, size);
    send_event(self, ROMSIM_VM_CONSOLE, bytes, size, 0);
    self->console_bytes += size;
    take_exit(self);
}

static void take_log(struct supervisor *self, const char *bytes, size_t size)
{
    saw_progress(self);
    tail_add(&self->log, bytes, size);
    /* `halt`: the processor stands still for good, and QEMU goes on. */
    if (tail_contains(&self->log, "reboot: System halted"))
        decide_ended(self, "the guest was halted");
}

static void take_errors(struct supervisor *self, const char *bytes, size_t size)
{
    tail_add(&self->errors, bytes, size);
}

/* Reads once from a line.  Returns false when there is nothing now; a line that has ended is
 * closed. */
static bool read_line(struct supervisor *self, int *fd,
                      void (*take)(struct supervisor *self, const char *bytes, size_t size))
{
    char bytes[READ_MAX];
    struct pollfd ready = {.fd = *fd, .events = POLLIN};
    ssize_t size;

    if (*fd < 0 || poll(&ready, 1, 0) <= 0)
        return false;
    size = read(*fd, bytes, sizeof(bytes));
    if (size > 0) {
        take(self, bytes, (size_t)size);
        return true;
    }
    if (size == 0 || (errno != EINTR && errno != EAGAIN))
        cleanup_close_fd(fd), *fd = -1;
    return false;
}

/* Reads what QEMU, which has ended, left on its lines. */
static void read_rest(struct supervisor *self)
{
    int *lines = self->machine.lines;

    while (read_line(self, &lines[LINE_LOG], take_log))
        ;
    while (read_line(self, &lines[LINE_CONSOLE], take_console))
        ;
    while (read_line(self, &lines[LINE_CONTROL], take_control))
        ;
    while (read_line(self, &self->machine.qemu.errors, take_errors))
        ;
}

static void write_control(struct supervisor *self)
{
    ssize_t sent = send(self->machine.lines[LINE_CONTROL], self->outgoing.data + self->sent,
                        self->outgoing.size - self->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (sent > 0)
        self->sent += (size_t)sent;
}

/* ---- the user's wishes ------------------------------------------------------------------------
 */

static void request_stop(struct supervisor *self)
{
    if (self->exited) {
        decide(self, ROMSIM_VM_EXIT, self->exit_status, "%s", "");
    } else if (!app_runs(self)) {
        decide(self, ROMSIM_VM_EXIT, STATUS_STOPPED, "%s", "");
    } else if (!self->stopping) {
        romsim_buffer_puts(&self->outgoing, "stop\n");
        self->stopping = true;
        self->deadline = now() + ROMSIM_VM_STOP_SECONDS * 1000000ULL;
        /* Somebody may have stopped it. */
        kill(self->machine.qemu.pid, SIGCONT);
    }
}

static void on_client(struct supervisor *self)
{
    char wish;
    ssize_t size = recv(self->client.fd, &wish, 1, MSG_DONTWAIT);

    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size <= 0)
        channel_close(&self->client);
    if (size <= 0 || wish == CHANNEL_KILL)
        decide_killed(self);
    else if (wish == CHANNEL_STOP)
        request_stop(self);
}

/* Somebody signals the supervisor itself: the machine shuts down, say. */
static void on_signal(struct supervisor *self)
{
    struct signalfd_siginfo info;

    if (read(self->signals, &info, sizeof(info)) != sizeof(info))
        return;
    if (self->stopping)
        decide_killed(self);
    else
        request_stop(self);
}

static void on_deadline(struct supervisor *self)
{
    if (self->exited) {
        decide(self, ROMSIM_VM_EXIT, self->exit_status, "%s", "");
        return;
    }
    if (self->stopping) {
        send_text(self, ROMSIM_VM_NOTE, "the app did not obey SIGTERM: it was killed");
        decide(self, ROMSIM_VM_EXIT, STATUS_KILLED, "%s", "");
        return;
    }
    decide(self, ROMSIM_VM_FAILED, 0, "the guest made no progress for %llu s, after the phase '%s'",
           (unsigned long long)(self->boot_timeout / 1000000),
           self->phase ? phases[self->phase - 1] : "start");
}

static void on_qemu_ended(struct supervisor *self)
{
    char panic[256];

    read_rest(self);
    if (tail_find(&self->log, "Kernel panic", panic, sizeof(panic)))
        decide(self, ROMSIM_VM_FAILED, 0, "the guest's kernel crashed: %s", panic);
    else if (self->errors.size)
        decide(self, ROMSIM_VM_FAILED, 0, "QEMU failed");
    else
        decide_ended(self, "the VM ended by itself");
}

/* ---- the loop ---------------------------------------------------------------------------------
 */

enum {
    WATCH_CLIENT,
    WATCH_SIGNALS,
    WATCH_QEMU,
    WATCH_QMP,
    WATCH_ERRORS,
    WATCH_LOG,
    WATCH_CONSOLE,
    WATCH_CONTROL,
    WATCH_GATE,
    WATCHES
};

static int time_left(const struct supervisor *self)
{
    uint64_t time = now();

    if (!self->deadline)
        return -1;
    return self->deadline <= time ? 0 : (int)((self->deadline - time) / 1000 + 1);
}

static void dispatch(struct supervisor *self, const struct pollfd *polls)
{
    int *lines = self->machine.lines;

    if (polls[WATCH_CLIENT].revents & POLLOUT)
        channel_flush(&self->client);
    if (polls[WATCH_CLIENT].revents & ~POLLOUT)
        on_client(self);
    if (polls[WATCH_SIGNALS].revents)
        on_signal(self);
    if (polls[WATCH_LOG].revents)
        read_line(self, &lines[LINE_LOG], take_log);
    if (polls[WATCH_ERRORS].revents)
        read_line(self, &self->machine.qemu.errors, take_errors);
    /* The console before the report of the exit, whose output it holds. */
    if (polls[WATCH_CONSOLE].revents)
        read_line(self, &lines[LINE_CONSOLE], take_console);
    if (polls[WATCH_CONTROL].revents & POLLOUT)
        write_control(self);
    if (polls[WATCH_CONTROL].revents & ~POLLOUT)
        read_line(self, &lines[LINE_CONTROL], take_control);
    if (polls[WATCH_GATE].revents)
        on_gate(self);
    if (polls[WATCH_QMP].revents && qmp_drain(&self->machine.qmp) < 0)
        cleanup_close_fd(&lines[LINE_QMP]), lines[LINE_QMP] = -1;
    if (polls[WATCH_QEMU].revents)
        on_qemu_ended(self);
}

static void loop(struct supervisor *self)
{
    const int *lines = self->machine.lines;

    while (!self->verdict.given) {
        bool pending = self->sent < self->outgoing.size;
        size_t kept = channel_kept(&self->client);
        /* While the client is slow, the app waits as it would for a slow terminal. */
        bool is_slow = kept > KEPT_ENOUGH && !self->exited;
        struct pollfd polls[WATCHES] = {
            [WATCH_CLIENT] = {self->client.fd, POLLIN | (kept ? POLLOUT : 0), 0},
            [WATCH_SIGNALS] = {self->signals, POLLIN, 0},
            [WATCH_QEMU] = {self->machine.qemu.pidfd, POLLIN, 0},
            [WATCH_QMP] = {lines[LINE_QMP], POLLIN, 0},
            [WATCH_ERRORS] = {self->machine.qemu.errors, POLLIN, 0},
            [WATCH_LOG] = {lines[LINE_LOG], POLLIN, 0},
            [WATCH_CONSOLE] = {is_slow ? -1 : lines[LINE_CONSOLE], POLLIN, 0},
            [WATCH_CONTROL] = {lines[LINE_CONTROL], POLLIN | (pending ? POLLOUT : 0), 0},
            [WATCH_GATE] = {gate_fd(self->machine.gate), POLLIN, 0},
        };
        int ready = poll(polls, WATCHES, time_left(self));

        if (ready > 0)
            dispatch(self, polls);
        else if (ready == 0 && time_left(self) == 0)
            on_deadline(self);
        if (self->client.fd < 0)
            decide_killed(self);
    }
}

/* Nothing of the instance is left: what is still here is for the client, however slow. */
static void deliver(struct supervisor *self)
{
    while (self->client.fd >= 0 && channel_kept(&self->client) > 0) {
        struct pollfd polls[] = {{self->client.fd, POLLOUT, 0}, {self->signals, POLLIN, 0}};

        if (poll(polls, 2, -1) < 0 && errno != EINTR)
            return;
        if (polls[1].revents || (polls[0].revents & (POLLHUP | POLLERR)))
            return;
        channel_flush(&self->client);
    }
}

/* ---- from beginning to end --------------------------------------------------------------------
 */

static int begin(struct supervisor *self, const struct vm_plan *plan, struct romsim_error *err)
{
    const struct qmp_patience patience = {(int)(self->boot_timeout / 1000),
                                          {self->client.fd, self->signals}};
    size_t ports = self->machine.layout->port_count + 1;
    CLEANUP_FREE char *note = NULL;

    self->announced = calloc(ports, sizeof(bool));
    self->loopback = calloc(ports, sizeof(bool));
    if (!self->announced || !self->loopback)
        return romsim_error_nomem(err);
    if (outline_write(self->machine.layout, &self->outgoing, err) < 0 ||
        machine_prepare(&self->machine, plan, &note, err) < 0)
        return -1;
    if (note)
        send_text(self, ROMSIM_VM_NOTE, note);
    if (self->machine.memory_mb != self->machine.layout->memory_mb) {
        char text[128];

        snprintf(text, sizeof(text), "the guest gets %llu MB: its kernel needs more than %llu",
                 (unsigned long long)self->machine.memory_mb,
                 (unsigned long long)self->machine.layout->memory_mb);
        send_text(self, ROMSIM_VM_NOTE, text);
    }
    send_text(self, ROMSIM_VM_PHASE, "drives");
    if (machine_start(&self->machine, plan, &patience, err) < 0)
        return -1;
    send_text(self, ROMSIM_VM_PHASE, "qemu");
    saw_progress(self);
    return 0;
}

static int watch_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* The user's wish, or a signal, came before QEMU was ready. */
static void on_canceled(struct supervisor *self)
{
    on_signal(self);
    if (self->client.fd >= 0)
        on_client(self);
    decide_killed(self);
}

void supervisor_run(const struct romsim_layout *layout, const struct vm_plan *plan, int channel)
{
    struct supervisor *self = calloc(1, sizeof(*self));
    struct romsim_error err = {0};
    bool began;

    if (!self)
        return;
    self->start = now();
    channel_open(&self->client, channel);
    self->signals = watch_signals();
    self->boot_timeout =
        (plan->boot_timeout_s ? plan->boot_timeout_s : BOOT_TIMEOUT_S) * 1000000ULL;
    self->line = ROMSIM_BUFFER_INIT(MANIFEST_LINE_MAX);
    self->outgoing = ROMSIM_BUFFER_INIT(MANIFEST_MAX + 1024);
    self->verdict.text = ROMSIM_BUFFER_INIT(CHANNEL_TEXT_MAX);
    self->forwards = plan->forwards;
    machine_init(&self->machine, layout);

    began = begin(self, plan, &err) == 0;
    if (began)
        loop(self);
    else if (err.errnum == ECANCELED)
        on_canceled(self);
    else
        decide_failed(self, &err);
    machine_stop(&self->machine);
    read_rest(self);
    if (began && self->verdict.kind == ROMSIM_VM_FAILED)
        explain(self);
    machine_close(&self->machine);
    forward_release(plan->forwards, layout->port_count);
    send_event(self, self->verdict.kind, self->verdict.text.data, self->verdict.text.size,
               self->verdict.status);
    deliver(self);
    romsim_buffer_reset(&self->line);
    romsim_buffer_reset(&self->outgoing);
    romsim_buffer_reset(&self->verdict.text);
    free(self->announced);
    free(self->loopback);
    channel_close(&self->client);
    cleanup_close_fd(&self->signals);
    free(self);
}
