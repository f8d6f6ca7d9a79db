/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vm.c: runs instances in the foreground, as the client of one supervisor process each.
 *
 * A supervisor is a session of its own, so that a terminal's ctrl-C reaches the client only, which
 * hands it on as a wish.  The socket between them is all they share: when the client dies, the
 * supervisor sees its end and takes the instance down.
 */
#include <romsim/vm.h>

#include "channel.h"
#include "kernel_file.h"
#include "supervisor.h"

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
#include <sys/wait.h>
#include <unistd.h>

enum { STATUS_ROMSIM_FAILED = 125 };

struct instance {
    pid_t pid;    /* of the supervisor */
    int channel;  /* -1 when it has ended */
    bool ended;   /* its last event has come */
    char *kernel; /* of its own, from the image; or NULL */
    struct forward *forwards;
};

struct client {
    struct instance *instances;
    size_t count;
    const struct romsim_layout *const *layouts;
    struct vm_plan plan;
    struct romsim_bundle bundle;
    char *kernel; /* the user's, unpacked; or NULL */
    romsim_vm_observer *observer;
    void *context;
    int signals;
    unsigned interrupts;
    int status; /* the first that was not 0 */
    char last_note[1024];
};

static void tell(struct client *client, size_t index, const struct romsim_vm_event *event)
{
    /* What several instances say alike is said once. */
    if (event->kind == ROMSIM_VM_NOTE) {
        if (strcmp(client->last_note, event->text) == 0)
            return;
        snprintf(client->last_note, sizeof(client->last_note), "%s", event->text);
    }
    client->observer(client->context, index, event);
}

static void tell_text(struct client *client, size_t index, enum romsim_vm_event_kind kind,
                      const char *text)
{
    struct romsim_vm_event event = {.kind = kind, .text = text, .size = strlen(text)};

    tell(client, index, &event);
}

static void tell_error(struct client *client, size_t index, const struct romsim_error *err)
{
    char text[sizeof(err->message) + sizeof(err->hint) + 8];

    snprintf(text, sizeof(text), "%s%s%s%s", err->message, *err->hint ? " (" : "", err->hint,
             *err->hint ? ")" : "");
    tell_text(client, index, ROMSIM_VM_FAILED, text);
}

/* ---- before the start ----------------------------------------------------------------------- */

static void choose_accelerator(struct client *client, enum romsim_accel wanted)
{
    CLEANUP_FREE char *reason = NULL;
    bool remembered = true;

    client->plan.accel = wanted;
    if (wanted != ROMSIM_ACCEL_AUTO)
        return;
    client->plan.accel = romsim_accel_probe(true, &reason, &remembered);
    if (client->plan.accel == ROMSIM_ACCEL_TCG && !remembered && reason)
        tell_text(client, 0, ROMSIM_VM_NOTE, reason);
}

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

/* The image's own kernel, if it is wanted and there. */
static int choose_image_kernel(struct client *client, const struct romsim_layout *layout,
                               bool wanted, struct instance *instance, struct romsim_error *err)
{
    if (!layout->image_kernel)
        return 0;
    if (!wanted) {
        tell_text(client, 0, ROMSIM_VM_NOTE,
                  "the image has a kernel of its own, romsim's is used (--image-kernel)");
        return 0;
    }
    instance->kernel = kernel_file(layout->image_kernel, err);
    return instance->kernel ? 0 : romsim_error_context(err, "the image's kernel");
}

static int choose(struct client *client, const struct romsim_vm_options *options,
                  struct romsim_error *err)
{
    if (romsim_bundle_find(&client->bundle, err) < 0)
        return -1;
    if (options->kernel && !(client->kernel = users_kernel(options->kernel, err)))
        return -1;
    client->plan.kernel = client->kernel ? client->kernel : client->bundle.kernel;
    client->plan.initrd = client->bundle.initrd;
    client->plan.no_fuse = options->no_fuse;
    client->plan.boot_timeout_s = options->boot_timeout_s;
    choose_accelerator(client, options->accel);
    return 0;
}

/* All ports of all instances, in their order, before the first one starts. */
static int claim_ports(struct client *client, size_t *ret_index, struct romsim_error *err)
{
    for (size_t i = 0; i < client->count; i++) {
        client->instances[i].forwards = forward_claim(client->layouts[i], err);
        if (!client->instances[i].forwards) {
            *ret_index = i;
            return -1;
        }
    }
    return 0;
}

/* ---- supervisors ---------------------------------------------------------------------------- */

static void release_ports(const struct client *client, size_t index)
{
    struct instance *instance = &client->instances[index];

    forward_release(instance->forwards, client->layouts[index]->port_count);
    instance->forwards = NULL;
}

static _Noreturn void become_supervisor(const struct client *client, size_t index, int channel)
{
    const struct instance *instance = &client->instances[index];
    struct vm_plan plan = client->plan;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    setsid();
    /* The others' sockets must not stay open here, or a client's end would not be seen; standard
     * output neither, or who reads it would wait for us. */
    for (size_t i = 0; i < client->count; i++) {
        cleanup_close_fd(&client->instances[i].channel);
        if (i != index)
            release_ports(client, i);
    }
    if (null >= 0) {
        dup2(null, 0);
        dup2(null, 1);
    }
    if (instance->kernel)
        plan.kernel = instance->kernel;
    plan.forwards = instance->forwards;
    supervisor_run(client->layouts[index], &plan, channel);
    _exit(0);
}

static int start(struct client *client, size_t index, struct romsim_error *err)
{
    struct instance *instance = &client->instances[index];
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return romsim_error_system(err, errno, "cannot make a socket");
    instance->channel = pair[0];
    instance->pid = fork();
    if (instance->pid == 0)
        become_supervisor(client, index, pair[1]);
    close(pair[1]);
    release_ports(client, index);
    if (instance->pid < 0)
        return romsim_error_system(err, errno, "cannot start a process");
    return 0;
}

/* ---- following ------------------------------------------------------------------------------ */

static void send_wish(struct client *client, char wish)
{
    for (size_t i = 0; i < client->count; i++)
        if (client->instances[i].channel >= 0)
            send(client->instances[i].channel, &wish, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void note_status(struct client *client, int status)
{
    if (client->status == 0)
        client->status = status;
}

static void on_event(struct client *client, size_t index, const struct romsim_vm_event *event)
{
    if (event->kind == ROMSIM_VM_EXIT)
        note_status(client, event->status);
    else if (event->kind == ROMSIM_VM_FAILED)
        note_status(client, STATUS_ROMSIM_FAILED);
    client->instances[index].ended |=
        event->kind == ROMSIM_VM_EXIT || event->kind == ROMSIM_VM_FAILED;
    tell(client, index, event);
}

static void on_channel(struct client *client, size_t index)
{
    struct instance *instance = &client->instances[index];
    char text[CHANNEL_TEXT_MAX + 1];
    struct romsim_vm_event event;
    int status = channel_receive(instance->channel, text, &event);

    if (status > 0)
        on_event(client, index, &event);
    if (status != 0)
        return;
    if (!instance->ended) {
        note_status(client, STATUS_ROMSIM_FAILED);
        tell_text(client, index, ROMSIM_VM_FAILED, "the instance's supervisor was killed");
    }
    cleanup_close_fd(&instance->channel);
    instance->channel = -1;
    waitpid(instance->pid, NULL, 0);
    if (!instance->ended)
        romsim_state_sweep();
}

static void on_signal(struct client *client)
{
    struct signalfd_siginfo info;

    if (read(client->signals, &info, sizeof(info)) == sizeof(info))
        send_wish(client, client->interrupts++ == 0 ? CHANNEL_STOP : CHANNEL_KILL);
}

static size_t running(const struct client *client)
{
    size_t count = 0;

    for (size_t i = 0; i < client->count; i++)
        count += client->instances[i].channel >= 0;
    return count;
}

static void follow(struct client *client)
{
    CLEANUP_FREE struct pollfd *polls = calloc(client->count + 1, sizeof(*polls));

    while (polls && running(client) > 0) {
        for (size_t i = 0; i < client->count; i++)
            polls[i] = (struct pollfd){client->instances[i].channel, POLLIN, 0};
        polls[client->count] = (struct pollfd){client->signals, POLLIN, 0};
        if (poll(polls, client->count + 1, -1) < 0)
            continue;
        if (polls[client->count].revents)
            on_signal(client);
        for (size_t i = 0; i < client->count; i++)
            if (polls[i].revents)
                on_channel(client, i);
    }
}

/* ---- all of it ------------------------------------------------------------------------------ */

static int start_all(struct client *client, const struct romsim_layout *const *layouts,
                     const struct romsim_vm_options *options)
{
    struct romsim_error err = {0};
    size_t index = 0;

    client->layouts = layouts;
    if (choose(client, options, &err) < 0 || claim_ports(client, &index, &err) < 0) {
        tell_error(client, index, &err);
        return -1;
    }
    if (options->no_fuse)
        tell_text(client, 0, ROMSIM_VM_NOTE,
                  "the VM reads the built ROM files directly (--no-fuse)");
    for (size_t i = 0; i < client->count; i++)
        if (choose_image_kernel(client, layouts[i], options->use_image_kernel,
                                &client->instances[i], &err) < 0 ||
            start(client, i, &err) < 0) {
            tell_error(client, i, &err);
            send_wish(client, CHANNEL_KILL);
            return -1;
        }
    return 0;
}

static void release(struct client *client)
{
    for (size_t i = 0; i < client->count; i++) {
        free(client->instances[i].kernel);
        release_ports(client, i);
    }
    free(client->instances);
    free(client->kernel);
    romsim_bundle_release(&client->bundle);
    cleanup_close_fd(&client->signals);
}

int romsim_vm_run(const struct romsim_layout *const *layouts, size_t count,
                  const struct romsim_vm_options *options, romsim_vm_observer *observer,
                  void *context)
{
    struct client client = {.count = count, .observer = observer, .context = context};
    sigset_t set, before;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, &before);
    client.signals = signalfd(-1, &set, SFD_CLOEXEC);
    client.instances = calloc(count ? count : 1, sizeof(*client.instances));
    if (client.instances && client.signals >= 0) {
        for (size_t i = 0; i < count; i++)
            client.instances[i].channel = -1;
        if (start_all(&client, layouts, options) < 0)
            note_status(&client, STATUS_ROMSIM_FAILED);
        follow(&client);
    } else {
        client.count = 0;
        client.status = STATUS_ROMSIM_FAILED;
    }
    release(&client);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return client.status;
}
