/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vm.c: making instances, and following those that were made together.
 *
 * Each gets a keeper (keeper.h), a process that is a session of its own, so that a terminal's
 * ctrl-C reaches the client only, which hands it on as a wish.  The first socket between them is
 * made before the fork: when the client of bound instances dies, their keepers see its end and take
 * them down; when a keeper does not do what it was asked in time, because somebody stopped it, or
 * it hangs in a system call, the client kills it and clears up after it.  Instances that are not
 * bound are left alone once they are what was wanted.
 */
#include <romsim/vm.h>

#include "channel.h"
#include "debugger.h"
#include "keeper.h"
#include "kernel_file.h"
#include "template.h"

#include <romsim/bounds.h>
#include <romsim/cleanup.h>
#include <romsim/clock.h>
#include <romsim/cpu.h>
#include <romsim/daemon.h>
#include <romsim/needs.h>
#include <romsim/paths.h>
#include <romsim/state.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    STATUS_ROMSIM_FAILED = 125,
    STATUS_KILLED = 128 + SIGKILL,
    /* How long a keeper may take, beyond the app's time, to do what it was asked: */
    STOP_PATIENCE_MS = ROMSIM_VM_STOP_SECONDS * 1000 + 3000,
    KILL_PATIENCE_MS = 1000,
    RESTART_PATIENCE_MS = 2000, /* for an app to make room for its successor */
    REAP_PATIENCE_MS = 400,     /* for a killed one to be gone, and */
    SWEEP_PATIENCE_MS = 400     /* for what it left behind */
};

struct instance {
    pid_t pid;       /* of the keeper */
    int pidfd;       /* the same; -1 when it has ended */
    int channel;     /* -1 when it has ended */
    bool ended;      /* its last event has come, */
    bool is_settled; /* or, of one that is not bound, it is what was wanted */
    bool is_created;
    bool is_overdue;             /* it was to run by now, and is waited for no more */
    char uuid[ROMSIM_UUID_SIZE]; /* "": it was not begun */
    char *kernel;                /* of its own, from the image; or NULL */
    struct forward *forwards;
};

enum shell_end { SHELL_OURS, SHELL_THEIRS, SHELL_ENDS };

struct romsim_vm {
    struct instance *instances;
    size_t count, running;
    const struct romsim_layout *const *layouts;
    const struct romsim_instance *const *sources;
    enum romsim_vm_fate fate;
    struct romsim_limits limits;
    bool stays, becomes_template;
    const char *ports_at;
    const json_t *source;
    struct vm_plan plan;
    struct romsim_bundle bundle;
    char *kernel; /* the user's, unpacked; or NULL */
    romsim_vm_observer *observer;
    void *context;
    int epoll;             /* of the channels, each under its instance's number, and of the timer */
    int timer;             /* when patience with the keepers ends; its number is `count` */
    int alarm;             /* when an instance is overdue; its number is the next one */
    int shell[SHELL_ENDS]; /* a line to a shell; the keeper has both, so that it ends with the VMs
                            */
    uint64_t started;
    int status; /* the first that was not 0 */
    char last_note[1024];
};

static void tell(struct romsim_vm *vm, size_t index, const struct romsim_vm_event *event)
{
    /* What several instances say alike is said once. */
    if (event->kind == ROMSIM_VM_NOTE) {
        if (strcmp(vm->last_note, event->text) == 0)
            return;
        snprintf(vm->last_note, sizeof(vm->last_note), "%s", event->text);
    }
    vm->observer(vm->context, index, event);
}

static void tell_text(struct romsim_vm *vm, size_t index, enum romsim_vm_event_kind kind,
                      const char *text)
{
    struct romsim_vm_event event = {.kind = kind, .text = text, .size = strlen(text)};

    tell(vm, index, &event);
}

static void tell_error(struct romsim_vm *vm, size_t index, const struct romsim_error *err)
{
    CLEANUP_FREE char *made = romsim_error_text(err);
    const char *text = made ? made : err->message;

    tell(vm, index,
         &(struct romsim_vm_event){.kind = ROMSIM_VM_FAILED,
                                   .text = text,
                                   .size = strlen(text),
                                   .status = (int)err->cloud});
}

/* ---- before the start ----------------------------------------------------------------------- */

static char *users_kernel(const char *path, struct romsim_error *err)
{
    CLEANUP_BLOB struct romsim_blob *blob =
        romsim_blob_snapshot_within(path, ROMSIM_BOUND_KERNEL_BYTES, err);
    char *file = blob ? kernel_file(blob, err) : NULL;

    if (blob && !file)
        romsim_error_context(err, "%s", QUOTE(path));
    if (!file)
        romsim_error_context(err, "--kernel");
    return file;
}

/* A clone is the machine that was saved, and its app has begun. */
static int check_input(const struct romsim_layout *layout, const struct romsim_vm_input *input,
                       struct romsim_error *err)
{
    if (!layout->template || (!input->is_open && !input->is_terminal))
        return 0;
    return romsim_error_set(err, ENOTSUP, "what is made of a template has no %s",
                            input->is_open ? "--stdin" : "--tty");
}

/* The line to a shell in the one instance. */
static int open_shell(struct romsim_vm *vm, struct romsim_error *err)
{
    if (access(vm->bundle.shell_initrd, R_OK) < 0) {
        romsim_error_set(err, ENOENT, "the guest bundle has no shell: %s is missing",
                         QUOTE(vm->bundle.shell_initrd));
        return romsim_error_hint(err, "'make guest' takes it from a static busybox (Debian: "
                                      "busybox-static)");
    }
    if (vm->layouts[0]->template)
        return romsim_error_set(err, ENOTSUP,
                                "what is made of a template, a checkpoint or an instance has no "
                                "--shell: it is the machine that was saved");
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, vm->shell) < 0)
        return romsim_error_system(err, errno, "cannot make a socket");
    vm->plan.initrd = vm->bundle.shell_initrd;
    vm->plan.shell = &vm->shell[SHELL_THEIRS];
    return 0;
}

int romsim_vm_shell_fd(const struct romsim_vm *vm)
{
    return vm->shell[SHELL_OURS];
}

/* The image's own kernel, if it is wanted and there. */
static int choose_image_kernel(struct romsim_vm *vm, const struct romsim_layout *layout,
                               bool wanted, struct instance *instance, struct romsim_error *err)
{
    if (!layout->image_kernel)
        return 0;
    if (!wanted) {
        tell_text(vm, 0, ROMSIM_VM_NOTE,
                  "the image has a kernel of its own, romsim's is used (--image-kernel)");
        return 0;
    }
    instance->kernel = kernel_file(layout->image_kernel, err);
    return instance->kernel ? 0 : romsim_error_context(err, "the image's kernel");
}

/* Is it to be started when it is made? */
static bool starts(const struct romsim_vm *vm, size_t index)
{
    return vm->fate != ROMSIM_VM_CREATE || vm->sources[index]->autostart;
}

/* Could a clone go on here? */
static int check_processor(const struct romsim_vm *vm, const struct romsim_layout *layout,
                           struct romsim_error *err)
{
    struct romsim_processor processor = vm->plan.processor;

    return layout->template ? template_processor(layout->template, &processor, err) : 0;
}

/* Is there room for those that are started at once? */
static int check_room(const struct romsim_vm *vm, struct romsim_error *err)
{
    CLEANUP_FREE const struct romsim_layout **layouts =
        calloc(vm->count + 1, sizeof(struct romsim_layout *));
    size_t count = 0;

    if (!layouts)
        return romsim_error_nomem(err);
    for (size_t i = 0; i < vm->count; i++)
        if (starts(vm, i))
            layouts[count++] = vm->layouts[i];
    return romsim_room_check(layouts, count, vm->plan.processor.accel, vm->plan.no_fuse,
                             romsim_bound(ROMSIM_BOUND_OVERCOMMIT), err);
}

static int choose(struct romsim_vm *vm, const struct romsim_vm_options *options,
                  struct romsim_error *err)
{
    if (romsim_bundle_find(&vm->bundle, err) < 0)
        return -1;
    if (options->kernel && !(vm->kernel = users_kernel(options->kernel, err)))
        return -1;
    vm->plan.kernel = vm->kernel ? vm->kernel : vm->bundle.kernel;
    vm->plan.initrd = vm->bundle.initrd;
    vm->plan.no_fuse = options->no_fuse;
    vm->plan.seam = options->seam;
    vm->plan.record = options->record;
    vm->plan.allow_host = options->allow_host;
    vm->ports_at = options->ports_at;
    vm->plan.kernel_log = options->kernel_log;
    vm->plan.isolated = options->isolated;
    vm->plan.boot_timeout_s = options->boot_timeout_s;
    vm->plan.saving = options->saving;
    vm->plan.input = options->input;
    vm->plan.gdb = options->gdb;
    vm->plan.processor = options->processor;
    if (options->has_shell && open_shell(vm, err) < 0)
        return -1;
    if (*options->processor.note)
        tell_text(vm, 0, ROMSIM_VM_NOTE, options->processor.note);
    if (options->processor.arch == ROMSIM_ARCH_ARM64)
        tell_text(vm, 0, ROMSIM_VM_NOTE,
                  "the guest is an arm64, and the cloud runs x86_64 only: --arch amd64 is what it "
                  "does");
    return 0;
}

/* Says how a debugger gets into the one instance. */
static void note_debugger(struct romsim_vm *vm, const struct romsim_vm_gdb *gdb)
{
    const char *own = vm->instances[0].kernel ?: vm->kernel;
    CLEANUP_FREE char *note = NULL;

    if (!gdb->port)
        return;
    note = debugger_note(gdb, own ?: vm->bundle.kernel, own ? NULL : vm->bundle.kernel_release);
    if (note)
        tell_text(vm, 0, ROMSIM_VM_NOTE, note);
}

/* All ports of all instances, in their order, before the first one starts. */
static int claim_ports(struct romsim_vm *vm, size_t *ret_index, struct romsim_error *err)
{
    for (size_t i = 0; i < vm->count; i++) {
        vm->instances[i].forwards = forward_claim(vm->layouts[i], vm->ports_at, err);
        if (!vm->instances[i].forwards) {
            *ret_index = i;
            return -1;
        }
    }
    return 0;
}

/* ---- keepers -------------------------------------------------------------------------------- */

static void release_ports(struct romsim_vm *vm, size_t index)
{
    struct instance *instance = &vm->instances[index];

    forward_release(instance->forwards, vm->layouts[index]->port_count);
    instance->forwards = NULL;
}

/* The others' sockets must not stay open here, or a client's end would not be seen. */
static void leave(struct romsim_vm *vm, size_t index)
{
    for (size_t i = 0; i < vm->count; i++) {
        cleanup_close_fd(&vm->instances[i].channel);
        cleanup_close_fd(&vm->instances[i].pidfd);
        if (i == index)
            continue;
        release_ports(vm, i);
        /* An inline ROM dies with the last instance that has it, and not with the last that was
         * made together with it: this process has its own copy of all. */
        romsim_layout_free((struct romsim_layout *)vm->layouts[i]);
        romsim_instance_free((struct romsim_instance *)vm->sources[i]);
    }
    cleanup_close_fd(&vm->epoll);
    cleanup_close_fd(&vm->timer);
    cleanup_close_fd(&vm->alarm);
    romsim_daemon_separate();
    romsim_daemon_let_go(vm->fate != ROMSIM_VM_BOUND);
}

/* How many seconds is it waited for until it runs?  -1: for ever. */
static int64_t patience_with(const struct romsim_vm *vm, size_t index)
{
    const struct romsim_instance *source = vm->sources[index];

    return vm->fate != ROMSIM_VM_BOUND && source->given & ROMSIM_GIVEN_TIMEOUT ? source->timeout_s
                                                                               : -1;
}

/* The keeper has another working directory, and edits may still read what is beside the file. */
static void anchor(struct romsim_instance *instance)
{
    char *absolute = romsim_path_absolute(
        instance->directory && *instance->directory ? instance->directory : ".");

    if (!absolute)
        return;
    free(instance->directory);
    instance->directory = absolute;
}

static _Noreturn void become_keeper(struct romsim_vm *vm, size_t index, int parent,
                                    const struct timespec *made)
{
    const struct instance *instance = &vm->instances[index];
    struct vm_plan plan = vm->plan;
    struct romsim_instance *source = (struct romsim_instance *)vm->sources[index];
    struct keeper_config config = {.instance = source,
                                   .layout = (struct romsim_layout *)vm->layouts[index],
                                   .limits = vm->limits,
                                   .stays = vm->stays,
                                   .plan = &plan,
                                   .source = vm->source,
                                   .position = index,
                                   .uuid = instance->uuid,
                                   .made = *made,
                                   .parent = parent,
                                   .is_bound = vm->fate == ROMSIM_VM_BOUND,
                                   .autostart = starts(vm, index),
                                   .becomes_template = vm->becomes_template};

    anchor(source);
    leave(vm, index);
    if (instance->kernel)
        plan.kernel = instance->kernel;
    /* It was looked at before. */
    if (vm->layouts[index]->template)
        template_processor(vm->layouts[index]->template, &plan.processor, NULL);
    plan.forwards = instance->forwards;
    keeper_run(&config);
    _exit(0);
}

static int watch(const struct romsim_vm *vm, int fd, size_t number)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = number};

    return epoll_ctl(vm->epoll, EPOLL_CTL_ADD, fd, &event);
}

static int start(struct romsim_vm *vm, size_t index, struct romsim_error *err)
{
    struct instance *instance = &vm->instances[index];
    struct timespec now;
    int pair[2];

    if (!romsim_uuid_new(instance->uuid))
        return romsim_error_system(err, errno, "the kernel has no random bytes");
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return romsim_error_system(err, errno, "cannot make a socket");
    clock_gettime(CLOCK_REALTIME, &now);
    instance->channel = pair[0];
    instance->pid = watch(vm, pair[0], index) < 0 ? -1 : romsim_daemon_fork();
    if (instance->pid == 0)
        become_keeper(vm, index, pair[1], &now);
    close(pair[1]);
    release_ports(vm, index);
    if (instance->pid < 0) {
        close(instance->channel);
        instance->channel = -1;
        return romsim_error_system(err, errno, "cannot start a process");
    }
    instance->pidfd = pidfd_open(instance->pid, 0);
    vm->running++;
    return 0;
}

static bool ends_within(int pidfd, int milliseconds)
{
    struct pollfd end = {.fd = pidfd, .events = POLLIN};
    int ready;

    do
        ready = poll(&end, 1, milliseconds);
    while (ready < 0 && errno == EINTR);
    return ready > 0;
}

/* What a killed keeper left is removed, by a process of its own: whatever holds that up, the
 * next command goes on with it. */
static void sweep(void)
{
    CLEANUP_FD int pidfd = -1;
    pid_t pid = romsim_daemon_fork();

    if (pid == 0) {
        romsim_state_sweep();
        _exit(0);
    }
    pidfd = pid > 0 ? pidfd_open(pid, 0) : -1;
    if (pidfd >= 0 && ends_within(pidfd, SWEEP_PATIENCE_MS))
        waitpid(pid, NULL, 0);
}

/* A keeper that has said its last word, or is given up. */
static void end_keeper(struct romsim_vm *vm, size_t index)
{
    struct instance *instance = &vm->instances[index];

    epoll_ctl(vm->epoll, EPOLL_CTL_DEL, instance->channel, NULL);
    close(instance->channel);
    instance->channel = -1;
    if (!instance->is_settled)
        vm->running--;
    /* Our own child, not reaped yet: the pid is still its. */
    kill(instance->pid, SIGKILL);
    if (instance->pidfd < 0 || ends_within(instance->pidfd, REAP_PATIENCE_MS))
        waitpid(instance->pid, NULL, instance->pidfd < 0 ? WNOHANG : 0);
    cleanup_close_fd(&instance->pidfd);
    instance->pidfd = -1;
}

/* ---- following ------------------------------------------------------------------------------ */

static void note_status(struct romsim_vm *vm, int status)
{
    if (vm->status == 0)
        vm->status = status;
}

/* An app that was built for a newer processor ends without a word of its own. */
static void explain_exit(struct romsim_vm *vm, size_t index, int status)
{
    const struct romsim_processor *processor = &vm->plan.processor;
    bool is_emulated = processor->accel == ROMSIM_ACCEL_TCG;
    char text[512];

    if (status != 128 + SIGILL || processor->is_hosts)
        return;
    if (processor->arch == ROMSIM_ARCH_ARM64)
        snprintf(text, sizeof(text),
                 "the app ended by an illegal instruction (SIGILL): the emulated processor is a "
                 "%s, and what was built for a later one needs another --cpu",
                 processor->model);
    else
        snprintf(text, sizeof(text),
                 "the app ended by an illegal instruction (SIGILL): the %s processor has the level "
                 "x86-64-v%d, and what was built for a later one needs %s",
                 is_emulated ? "emulated" : "instance's", processor->level,
                 is_emulated && processor->level >= ROMSIM_CPU_LEVEL_DEFAULT ? "KVM"
                                                                             : "another --cpu");
    tell_text(vm, index, ROMSIM_VM_NOTE, text);
}

/* Is an instance that is not bound what it was to be?  Then it goes on without us. */
static bool is_settled(const struct romsim_vm *vm, size_t index,
                       const struct romsim_vm_event *event)
{
    if (vm->fate == ROMSIM_VM_BOUND)
        return false;
    if (!starts(vm, index) || patience_with(vm, index) == 0 || vm->instances[index].is_overdue)
        return event->kind == ROMSIM_VM_CREATED;
    return event->kind == ROMSIM_VM_STATE && strcmp(event->text, "running") == 0;
}

/* To a wish: what comes of it is told by events, but why nothing does. */
static void on_answer(struct romsim_vm *vm, size_t index, const struct romsim_vm_event *event)
{
    json_t *answer = json_loadb(event->text, event->size, 0, NULL);
    const json_t *error = json_object_get(answer, "error");
    const char *message = json_string_value(json_object_get(error, "message"));

    if (message)
        tell_text(vm, index, ROMSIM_VM_ERROR, message);
    json_decref(answer);
}

static void on_event(struct romsim_vm *vm, size_t index, const struct romsim_vm_event *event)
{
    struct instance *instance = &vm->instances[index];
    bool is_last = event->kind == ROMSIM_VM_EXIT || event->kind == ROMSIM_VM_FAILED;

    if ((int)event->kind >= CHANNEL_ANSWER) {
        on_answer(vm, index, event);
        return;
    }
    instance->is_created |= event->kind == ROMSIM_VM_CREATED;
    if (event->kind == ROMSIM_VM_EXIT)
        explain_exit(vm, index, event->status);
    /* Of one that is what it was to be, what comes later is its own affair. */
    if (is_last && !instance->is_settled)
        note_status(vm, event->kind == ROMSIM_VM_EXIT ? event->status : STATUS_ROMSIM_FAILED);
    instance->ended |= is_last;
    tell(vm, index, event);
    if (!instance->is_settled &&
        (is_settled(vm, index, event) || (is_last && vm->fate != ROMSIM_VM_BOUND))) {
        instance->is_settled = true;
        vm->running--;
    }
}

static void on_channel(struct romsim_vm *vm, size_t index)
{
    static const char killed[] = "the instance's keeper was killed";
    struct instance *instance = &vm->instances[index];
    char text[CHANNEL_TEXT_MAX + 1];
    struct romsim_vm_event event;
    int status = channel_receive(instance->channel, text, &event, NULL);

    if (status > 0)
        on_event(vm, index, &event);
    if (status != 0)
        return;
    end_keeper(vm, index);
    if (!instance->ended && !instance->is_settled) {
        event = (struct romsim_vm_event){
            .kind = ROMSIM_VM_FAILED, .text = killed, .size = strlen(killed)};
        on_event(vm, index, &event);
        sweep();
    }
}

/* Somebody stopped the keepers, or they hang. */
static void on_timer(struct romsim_vm *vm)
{
    const struct romsim_vm_event event = {
        .kind = ROMSIM_VM_EXIT, .text = "", .status = STATUS_KILLED};
    bool is_left = false;

    for (size_t i = 0; i < vm->count; i++)
        if (vm->instances[i].channel >= 0)
            kill(vm->instances[i].pid, SIGKILL);
    for (size_t i = 0; i < vm->count; i++)
        if (vm->instances[i].channel >= 0) {
            end_keeper(vm, i);
            if (vm->instances[i].ended)
                continue;
            on_event(vm, i, &event);
            is_left = true;
        }
    if (is_left)
        sweep();
}

/* Looks for instances that should run by now, and sets the alarm for the next. */
static void on_alarm(struct romsim_vm *vm)
{
    uint64_t now = romsim_clock_us(), next = 0;

    for (size_t i = 0; i < vm->count; i++) {
        struct instance *instance = &vm->instances[i];
        int64_t patience = patience_with(vm, i);
        uint64_t due = vm->started + (uint64_t)patience * 1000000;
        char text[256];

        if (patience <= 0 || !starts(vm, i) || instance->is_settled || instance->is_overdue)
            continue;
        if (due > now) {
            next = next && next < due ? next : due;
            continue;
        }
        instance->is_overdue = true;
        snprintf(text, sizeof(text), "timed out: '%s' is not running yet after %lld s, and goes on",
                 vm->layouts[i]->name, (long long)patience);
        tell_text(vm, i, ROMSIM_VM_ERROR, text);
        note_status(vm, ROMSIM_VM_TIMED_OUT);
        /* Else it is when it can be found, so that it is not taken for one that cannot be made. */
        if (instance->is_created) {
            instance->is_settled = true;
            vm->running--;
        }
    }
    timerfd_settime(
        vm->alarm, TFD_TIMER_ABSTIME,
        &(struct itimerspec){.it_value = {(time_t)(next / 1000000), (long)(next % 1000000) * 1000}},
        NULL);
}

int romsim_vm_fd(const struct romsim_vm *vm)
{
    return vm->epoll;
}

void romsim_vm_dispatch(struct romsim_vm *vm)
{
    struct epoll_event events[16];
    int count = epoll_wait(vm->epoll, events, sizeof(events) / sizeof(events[0]), 0);

    for (int i = 0; i < count; i++) {
        if (events[i].data.u64 == vm->count)
            on_timer(vm);
        else if (events[i].data.u64 == vm->count + 1)
            on_alarm(vm);
        else if (vm->instances[events[i].data.u64].channel >= 0)
            on_channel(vm, events[i].data.u64);
    }
}

bool romsim_vm_is_running(const struct romsim_vm *vm)
{
    return vm->running > 0;
}

void romsim_vm_restart(struct romsim_vm *vm, size_t index, json_t *edits)
{
    json_t *request = json_pack("{s:s, s:i, s:o}", "do", "restart", "timeout_ms",
                                RESTART_PATIENCE_MS, "edits", edits);
    struct romsim_error err = {0};

    if (vm->instances[index].channel < 0) {
        json_decref(request);
        return;
    }
    vm->instances[index].ended = false;
    if (channel_request(vm->instances[index].channel, request, -1, &err) < 0)
        tell_text(vm, index, ROMSIM_VM_ERROR, err.message);
}

const char *romsim_vm_uuid(const struct romsim_vm *vm, size_t index)
{
    return vm->instances[index].uuid;
}

int romsim_vm_ask(struct romsim_vm *vm, size_t index, json_t *request, int passed,
                  struct romsim_error *err)
{
    if (vm->instances[index].channel >= 0)
        return channel_request(vm->instances[index].channel, request, passed, err);
    json_decref(request);
    return romsim_error_set(err, EPIPE, "the instance '%s' has ended", vm->layouts[index]->name);
}

void romsim_vm_release(struct romsim_vm *vm)
{
    for (size_t i = 0; i < vm->count; i++)
        if (vm->instances[i].channel >= 0)
            channel_request(vm->instances[i].channel, json_pack("{s:s}", "do", "release"), -1,
                            NULL);
    vm->fate = ROMSIM_VM_DETACH;
}

bool romsim_vm_are_created(const struct romsim_vm *vm)
{
    for (size_t i = 0; i < vm->count; i++)
        if (!vm->instances[i].is_created)
            return false;
    return true;
}

int romsim_vm_status(const struct romsim_vm *vm)
{
    return vm->status;
}

/* ---- wishes --------------------------------------------------------------------------------- */

/* Takes the reference. */
static void send_wish(struct romsim_vm *vm, json_t *wish, int patience_ms)
{
    const struct itimerspec patience = {
        .it_value = {patience_ms / 1000, patience_ms % 1000 * 1000000L}};

    for (size_t i = 0; i < vm->count; i++)
        if (vm->instances[i].channel >= 0) {
            channel_request(vm->instances[i].channel, json_incref(wish), -1, NULL);
            /* One that was stopped goes on, and obeys. */
            kill(vm->instances[i].pid, SIGCONT);
        }
    json_decref(wish);
    timerfd_settime(vm->timer, 0, &patience, NULL);
}

void romsim_vm_stop(struct romsim_vm *vm)
{
    send_wish(vm, json_pack("{s:s}", "do", "stop"), STOP_PATIENCE_MS);
}

void romsim_vm_kill(struct romsim_vm *vm)
{
    send_wish(vm, json_pack("{s:s, s:b}", "do", "stop", "force", 1), KILL_PATIENCE_MS);
}

void romsim_vm_undo(struct romsim_vm *vm)
{
    send_wish(vm, json_pack("{s:s}", "do", "delete"), KILL_PATIENCE_MS);
    timerfd_settime(vm->alarm, 0, &(struct itimerspec){0}, NULL);
    for (size_t i = 0; i < vm->count; i++)
        if (vm->instances[i].channel >= 0 && vm->instances[i].is_settled) {
            vm->instances[i].is_settled = false;
            vm->running++;
        }
}

/* ---- from beginning to end ------------------------------------------------------------------ */

static struct romsim_vm *vm_new(const struct romsim_layout *const *layouts, size_t count)
{
    struct romsim_vm *vm = calloc(1, sizeof(*vm));

    if (!vm)
        return NULL;
    vm->layouts = layouts;
    vm->shell[SHELL_OURS] = vm->shell[SHELL_THEIRS] = -1;
    vm->epoll = epoll_create1(EPOLL_CLOEXEC);
    vm->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    vm->alarm = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    vm->instances = calloc(count ? count : 1, sizeof(*vm->instances));
    if (vm->instances)
        vm->count = count;
    for (size_t i = 0; i < vm->count; i++)
        vm->instances[i].channel = vm->instances[i].pidfd = -1;
    return vm;
}

struct romsim_vm *romsim_vm_new(const struct romsim_layout *const *layouts,
                                const struct romsim_instance *const *instances, size_t count,
                                const struct romsim_vm_options *options,
                                romsim_vm_observer *observer, void *context)
{
    struct romsim_vm *vm = vm_new(layouts, count);
    struct romsim_error err = {0};
    size_t index = 0;
    int status = -1;

    if (!vm)
        return NULL;
    vm->sources = instances;
    vm->fate = options->fate;
    vm->limits = options->limits;
    vm->stays = options->stays;
    vm->becomes_template = options->becomes_template;
    vm->source = options->source;
    vm->observer = observer;
    vm->context = context;
    if (!vm->instances)
        romsim_error_nomem(&err);
    else if (vm->epoll < 0 || vm->timer < 0 || vm->alarm < 0 || watch(vm, vm->timer, count) < 0 ||
             watch(vm, vm->alarm, count + 1) < 0)
        romsim_error_system(&err, errno, "cannot watch instances");
    else if (choose(vm, options, &err) == 0 && claim_ports(vm, &index, &err) == 0)
        status = 0;
    if (status == 0 && options->no_fuse)
        tell_text(vm, 0, ROMSIM_VM_NOTE, "the VM reads the built ROM files directly (--no-fuse)");
    for (size_t i = 0; status == 0 && i < count; i++)
        if (check_input(layouts[i], &options->input, &err) < 0 ||
            choose_image_kernel(vm, layouts[i], options->use_image_kernel, &vm->instances[i],
                                &err) < 0 ||
            check_processor(vm, layouts[i], &err) < 0) {
            index = i;
            status = -1;
        }
    if (status == 0) {
        index = 0;
        status = check_room(vm, &err);
    }
    if (status == 0)
        status = debugger_check(&options->gdb, layouts, count, &err);
    if (status == 0) {
        note_debugger(vm, &options->gdb);
        return vm;
    }
    tell_error(vm, index, &err);
    romsim_vm_free(vm);
    return NULL;
}

void romsim_vm_start(struct romsim_vm *vm)
{
    vm->started = romsim_clock_us();
    for (size_t i = 0; i < vm->count; i++) {
        struct romsim_error err = {0};

        if (start(vm, i, &err) < 0) {
            note_status(vm, STATUS_ROMSIM_FAILED);
            tell_error(vm, i, &err);
            romsim_vm_kill(vm);
            return;
        }
    }
    on_alarm(vm);
}

void romsim_vm_free(struct romsim_vm *vm)
{
    if (!vm)
        return;
    if (vm->running && vm->fate == ROMSIM_VM_BOUND)
        on_timer(vm);
    for (size_t i = 0; i < vm->count; i++) {
        cleanup_close_fd(&vm->instances[i].channel);
        cleanup_close_fd(&vm->instances[i].pidfd);
        free(vm->instances[i].kernel);
        release_ports(vm, i);
    }
    free(vm->instances);
    free(vm->kernel);
    romsim_bundle_release(&vm->bundle);
    cleanup_close_fd(&vm->epoll);
    cleanup_close_fd(&vm->timer);
    cleanup_close_fd(&vm->alarm);
    cleanup_close_fd(&vm->shell[SHELL_OURS]);
    cleanup_close_fd(&vm->shell[SHELL_THEIRS]);
    free(vm);
}
