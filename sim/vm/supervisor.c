/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * supervisor.c: the process that owns an instance, from its state folder to its exit status.
 *
 * One loop over descriptors: the client, QEMU's end, the console, the line to init, the kernel's
 * log, QEMU's errors and protocol, and signals.  The first thing that decides how the instance
 * ends (the app's exit, a failed boot, the user) fills `verdict`; then everything is taken down,
 * and the client is told last, so that when it knows, nothing is left.
 */
#include "supervisor.h"

#include "channel.h"
#include "forward.h"
#include "outline.h"
#include "sim/guest/manifest.h"
#include "tail.h"

#include <romsim/buffer.h>
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
    DRAIN_TIMEOUT_S = 5, /* without a byte of the console that is still to come */
    STOP_TIMEOUT_S = 10, /* for the app to obey SIGTERM, as docker stop has it */
    TAIL_LINES = 15,
    READ_MAX = 16 << 10,
    STATUS_INTERRUPTED = 128 + SIGINT,
    STATUS_KILLED = 128 + SIGKILL
};

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
    int channel; /* -1: the client is gone */
    int signals;
    uint64_t start;        /* microseconds of the monotonic clock */
    uint64_t deadline;     /* the same; 0: none */
    uint64_t boot_timeout; /* microseconds */
    bool app_runs, stopping, saw_output;
    bool exited; /* the guest reported how the app ended: */
    int exit_status;
    uint64_t exit_bytes, console_bytes;
    char phase[32]; /* the last one that init reported */
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

    if (self->channel >= 0 && channel_send(self->channel, &event) < 0)
        cleanup_close_fd(&self->channel), self->channel = -1;
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
    snprintf(self->phase, sizeof(self->phase), "%s", name);
    send_text(self, ROMSIM_VM_PHASE, name);
    self->app_runs |= strcmp(name, "app") == 0;
    if (self->app_runs && !self->stopping)
        self->deadline = 0;
}

static void on_note(struct supervisor *self, const char *text)
{
    send_text(self, ROMSIM_VM_NOTE, text);
}

static void on_port(struct supervisor *self, const char *text)
{
    const struct romsim_layout *layout = self->machine.layout;
    char url[64];

    for (size_t i = 0; i < layout->port_count; i++)
        if (layout->ports[i].destination_port == manifest_number(text, UINT16_MAX) &&
            self->forwards[i].host_port) {
            forward_url(&layout->ports[i], self->forwards[i].host_port, url);
            send_text(self, ROMSIM_VM_PORT, url);
        }
}

static void on_loopback(struct supervisor *self, const char *text)
{
    char note[256];

    snprintf(note, sizeof(note),
             "the app listens on port %s of 127.0.0.1 in the guest only, where no request arrives: "
             "let it listen on 0.0.0.0",
             text);
    send_text(self, ROMSIM_VM_NOTE, note);
}

/* The status stands until all of the console that the guest counted has arrived. */
static void take_exit(struct supervisor *self)
{
    if (self->exited && self->console_bytes >= self->exit_bytes)
        decide(self, ROMSIM_VM_EXIT, self->exit_status, "%s", "");
}

static void on_exit_status(struct supervisor *self, const char *text)
{
    unsigned status = 0;
    unsigned long long bytes = 0;

    if (sscanf(text, "%u %llu", &status, &bytes) != 2 || status > 255) {
        decide(self, ROMSIM_VM_FAILED, 0, "the guest reported a bad exit status");
        return;
    }
    if (status == STATUS_KILLED && !self->stopping && lacks_memory(self))
        send_text(self, ROMSIM_VM_NOTE,
                  "the guest ran out of memory and its kernel killed the app: give it more (-m, or "
                  "memory_mb in the instance)");
    self->exited = true;
    self->exit_status = (int)status;
    self->exit_bytes = bytes;
    self->deadline = now() + DRAIN_TIMEOUT_S * 1000000ULL;
    take_exit(self);
}

static void on_failed(struct supervisor *self, const char *text)
{
    decide(self, ROMSIM_VM_FAILED, 0, "the boot stopped: %s", text);
}

struct report {
    const char *word;
    void (*handle)(struct supervisor *self, const char *text);
};

static const struct report reports[] = {
    {"phase ", on_phase},       {"note ", on_note},        {"port ", on_port},
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

/* ---- the lines ------------------------------------------------------------------------------ */

/* Any sign of life moves the boot's deadline. */
static void saw_progress(struct supervisor *self)
{
    if (!self->app_runs && !self->stopping)
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
    if (self->app_runs && !self->saw_output)
        send_text(self, ROMSIM_VM_PHASE, "output");
    self->saw_output |= self->app_runs;
    tail_add(&self->console, bytes, size);
    send_event(self, ROMSIM_VM_CONSOLE, bytes, size, 0);
    self->console_bytes += size;
    if (self->exited)
        self->deadline = now() + DRAIN_TIMEOUT_S * 1000000ULL;
    take_exit(self);
}

static void take_log(struct supervisor *self, const char *bytes, size_t size)
{
    saw_progress(self);
    tail_add(&self->log, bytes, size);
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

/* Reads all that is there.  A console that never stops is no reason to stay here for ever. */
static void read_rest(struct supervisor *self)
{
    int *lines = self->machine.lines;

    for (int i = 0; i < 4096 && read_line(self, &lines[LINE_LOG], take_log); i++)
        ;
    for (int i = 0; i < 4096 && read_line(self, &lines[LINE_CONSOLE], take_console); i++)
        ;
    for (int i = 0; i < 4096 && read_line(self, &lines[LINE_CONTROL], take_control); i++)
        ;
    for (int i = 0; i < 64 && read_line(self, &self->machine.qemu.errors, take_errors); i++)
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
    if (!self->app_runs) {
        decide(self, ROMSIM_VM_EXIT, STATUS_INTERRUPTED, "%s", "");
        return;
    }
    if (!self->stopping)
        romsim_buffer_puts(&self->outgoing, "stop\n");
    self->stopping = true;
    self->deadline = now() + STOP_TIMEOUT_S * 1000000ULL;
}

static void on_client(struct supervisor *self)
{
    char wish;
    ssize_t size = recv(self->channel, &wish, 1, MSG_DONTWAIT);

    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size <= 0 || wish == CHANNEL_KILL)
        decide(self, ROMSIM_VM_EXIT, STATUS_KILLED, "%s", "");
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
        decide(self, ROMSIM_VM_EXIT, STATUS_KILLED, "%s", "");
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
           (unsigned long long)(self->boot_timeout / 1000000), self->phase);
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
        decide(self, ROMSIM_VM_FAILED, 0, "the VM ended by itself");
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

    if (polls[WATCH_CLIENT].revents)
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
        struct pollfd polls[WATCHES] = {
            [WATCH_CLIENT] = {self->channel, POLLIN, 0},
            [WATCH_SIGNALS] = {self->signals, POLLIN, 0},
            [WATCH_QEMU] = {self->machine.qemu.pidfd, POLLIN, 0},
            [WATCH_QMP] = {lines[LINE_QMP], POLLIN, 0},
            [WATCH_ERRORS] = {self->machine.qemu.errors, POLLIN, 0},
            [WATCH_LOG] = {lines[LINE_LOG], POLLIN, 0},
            [WATCH_CONSOLE] = {lines[LINE_CONSOLE], POLLIN, 0},
            [WATCH_CONTROL] = {lines[LINE_CONTROL], POLLIN | (pending ? POLLOUT : 0), 0},
        };
        int ready = poll(polls, WATCHES, time_left(self));

        if (ready > 0)
            dispatch(self, polls);
        else if (ready == 0 && time_left(self) == 0)
            on_deadline(self);
        if (self->channel < 0)
            decide(self, ROMSIM_VM_EXIT, STATUS_KILLED, "%s", "");
    }
}

/* ---- from beginning to end --------------------------------------------------------------------
 */

static int begin(struct supervisor *self, const struct vm_plan *plan, struct romsim_error *err)
{
    CLEANUP_FREE char *note = NULL;

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
    if (machine_start(&self->machine, plan, err) < 0)
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
    return signalfd(-1, &set, SFD_CLOEXEC);
}

void supervisor_run(const struct romsim_layout *layout, const struct vm_plan *plan, int channel)
{
    struct supervisor *self = calloc(1, sizeof(*self));
    struct romsim_error err = {0};
    bool began;

    if (!self)
        return;
    self->start = now();
    self->channel = channel;
    self->signals = watch_signals();
    self->boot_timeout =
        (plan->boot_timeout_s ? plan->boot_timeout_s : BOOT_TIMEOUT_S) * 1000000ULL;
    snprintf(self->phase, sizeof(self->phase), "start");
    self->line = ROMSIM_BUFFER_INIT(MANIFEST_LINE_MAX);
    self->outgoing = ROMSIM_BUFFER_INIT(MANIFEST_MAX + 1024);
    self->verdict.text = ROMSIM_BUFFER_INIT(CHANNEL_TEXT_MAX);
    self->forwards = plan->forwards;
    machine_init(&self->machine, layout);

    began = begin(self, plan, &err) == 0;
    if (began)
        loop(self);
    else
        decide_failed(self, &err);
    read_rest(self);
    machine_stop(&self->machine);
    read_rest(self);
    if (began && self->verdict.kind == ROMSIM_VM_FAILED)
        explain(self);
    machine_close(&self->machine);
    send_event(self, self->verdict.kind, self->verdict.text.data, self->verdict.text.size,
               self->verdict.status);
    romsim_buffer_reset(&self->line);
    romsim_buffer_reset(&self->outgoing);
    romsim_buffer_reset(&self->verdict.text);
    cleanup_close_fd(&self->channel);
    cleanup_close_fd(&self->signals);
    free(self);
}
