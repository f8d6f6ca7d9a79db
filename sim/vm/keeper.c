/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keeper.c: the process that owns an instance, from its creation to its deletion.
 *
 * One loop over descriptors: the socket, its clients, signals, and what the run of the VM polls
 * for.  It waits for nothing but in that loop, so nobody can hold it up: not a client (channel.h),
 * not the guest (run.h).  The state changes in keeper_change_state() and nowhere else; whoever
 * waits for a state is answered there, and the folder's record tells it to who does not ask.
 *
 *     stopped -> starting -> running [-> draining] -> stopping -> stopped      [-> deleted]
 *                   ^                                   |      -> template
 *                   `------------ standby <-------------'
 *
 * A bound instance is the one of a client in the foreground: when the client goes it is killed, and
 * when its app has ended it is deleted, before the client is told, so that when it knows, nothing
 * is left.
 */
#include "keeper.h"

#include "keeper_parts.h"
#include "meeting.h"

#include <romsim/checked.h>
#include <romsim/cleanup.h>
#include <romsim/clock.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>

enum {
    KEPT_ENOUGH = 256 << 10, /* of the console for a client that is slow, before the app waits */
    DELIVER_MS = 2000        /* for the last words to clients that nobody has bound */
};

/* ---- clients -----------------------------------------------------------------------------------
 */

static struct keeper_client *add_client(struct keeper *keeper, int fd)
{
    struct keeper_client *client = calloc(1, sizeof(*client));

    if (!client || keeper_clients_append(&keeper->clients, client) < 0) {
        close(fd);
        free(client);
        return NULL;
    }
    client->awaited = client->passed = -1;
    channel_open(&client->channel, fd);
    return client;
}

/* One more than there can be is told so. */
static void turn_away(const struct keeper *keeper, int fd)
{
    struct channel channel;

    channel_open(&channel, fd);
    channel_answer(&channel,
                   keeper_refuse(ROMSIM_CLOUD_TOO_MANY, "%d ask the instance '%s' already",
                                 KEEPER_CLIENTS_MAX, keeper->layout->name));
    channel_flush(&channel);
    channel_close(&channel);
}

static void on_listener(struct keeper *keeper)
{
    /* cppcheck-suppress nullPointer; who asks needs no address */
    int fd = accept4(keeper->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0)
        keeper->is_full = errno == EMFILE || errno == ENFILE || errno == ENOMEM;
    else if (keeper->clients.count >= KEEPER_CLIENTS_MAX)
        turn_away(keeper, fd);
    else
        add_client(keeper, fd);
}

static void on_client(struct keeper *keeper, struct keeper_client *client)
{
    json_t *request = NULL;
    int taken = channel_take_request(&client->channel, &request, &client->passed);

    if (taken > 0)
        keeper_take_request(keeper, client, request);
    else if (taken == 0)
        channel_close(&client->channel);
    json_decref(request);
    cleanup_close_fd(&client->passed);
    client->passed = -1;
}

/* Whoever bound the instance to itself has gone. */
static void on_parent_gone(struct keeper *keeper)
{
    keeper->parent = NULL;
    if (!keeper->is_bound || keeper->is_deleted)
        return;
    keeper->wish = STOP_BY_USER;
    keeper_delete(keeper);
}

static void drop_closed(struct keeper *keeper)
{
    for (size_t i = 0; i < keeper->clients.count; i++) {
        struct keeper_client *client = keeper->clients.items[i];

        if (client->channel.fd >= 0)
            continue;
        keeper->clients.items[i--] = keeper->clients.items[--keeper->clients.count];
        keeper_lose_input(keeper, client);
        keeper_lose_draft(keeper, client);
        if (client == keeper->parent)
            on_parent_gone(keeper);
        channel_close(&client->channel);
        free(client);
        keeper_cool_down(keeper);
        keeper->is_full = false;
    }
}

/* Somebody signals the keeper itself: the machine shuts down, say. */
static void on_signal(struct keeper *keeper)
{
    struct signalfd_siginfo info;
    bool is_second = keeper->wish == STOP_BY_PLATFORM;

    if (read(keeper->signals, &info, sizeof(info)) != sizeof(info))
        return;
    keeper->wish = STOP_BY_PLATFORM;
    if (!keeper->run || is_second) {
        keeper_delete(keeper);
        return;
    }
    keeper->before_deletion = keeper->status.state;
    keeper->is_deleted = true;
    keeper_abort_restart(keeper);
    keeper->stop_ms = ROMSIM_VM_STOP_SECONDS * 1000;
    keeper_stop(keeper);
}

/* ---- the loop ----------------------------------------------------------------------------------
 */

enum {
    POLL_LISTENER,
    POLL_SIGNALS,
    POLL_EDIT,
    POLL_INPUT,
    POLL_DOOR,
    POLL_SNAPSHOT,
    POLL_RUN,
    POLL_CLIENTS = POLL_RUN + RUN_POLLS
};

static int sooner(int one, int other)
{
    return one < 0 || (other >= 0 && other < one) ? other : one;
}

static int until(uint64_t time)
{
    uint64_t current = romsim_clock_us();

    if (!time)
        return -1;
    return time <= current ? 0 : (int)((time - current) / 1000 + 1);
}

static int time_left(const struct keeper *keeper)
{
    int left = keeper->run ? run_time_left(keeper->run) : -1;

    if (keeper->run && run_has_ended(keeper->run))
        return 0;
    if (!keeper->edit)
        left = sooner(left, until(keeper->restart_time));
    left = sooner(left, until(keeper->metrics_time));
    left = sooner(left, until(keeper_idle_end(keeper)));
    if (keeper->door)
        left = sooner(left, until(door_due_us(keeper->door)));
    return keeper->drain_time ? sooner(left, until(min_u64(keeper->drain_time, keeper->drain_look)))
                              : left;
}

static size_t fill_polls(const struct keeper *keeper, struct pollfd *polls)
{
    /* While who has bound the instance is slow, the app waits as it would for a slow terminal. */
    bool is_slow =
        keeper->is_bound && keeper->parent && channel_kept(&keeper->parent->channel) > KEPT_ENOUGH;
    size_t count = POLL_CLIENTS;

    polls[POLL_LISTENER] = (struct pollfd){keeper->is_full ? -1 : keeper->listener, POLLIN, 0};
    polls[POLL_SIGNALS] = (struct pollfd){keeper->signals, POLLIN, 0};
    polls[POLL_EDIT] = (struct pollfd){edit_fd(keeper->edit), POLLIN, 0};
    polls[POLL_DOOR] = (struct pollfd){door_fd(keeper->door), POLLIN, 0};
    polls[POLL_SNAPSHOT] = (struct pollfd){keeper_snapshot_fd(keeper), POLLIN, 0};
    polls[POLL_INPUT] = (struct pollfd){keeper_input_fd(keeper), POLLIN, 0};
    for (int i = 0; i < RUN_POLLS; i++)
        polls[POLL_RUN + i] = (struct pollfd){.fd = -1};
    if (keeper->run)
        run_polls(keeper->run, is_slow, polls + POLL_RUN);
    for (size_t i = 0; i < keeper->clients.count; i++) {
        const struct channel *channel = &keeper->clients.items[i]->channel;

        polls[count++] =
            (struct pollfd){channel->fd, POLLIN | (channel_kept(channel) ? POLLOUT : 0), 0};
    }
    return count;
}

static void dispatch_clients(struct keeper *keeper, const struct pollfd *polls, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (polls[i].revents & ~POLLOUT)
            on_client(keeper, keeper->clients.items[i]);
}

static void dispatch_times(struct keeper *keeper)
{
    if (keeper->run && run_time_left(keeper->run) == 0)
        run_time_out(keeper->run);
    if (keeper->restart_time && !keeper->edit && until(keeper->restart_time) == 0) {
        keeper->status.restart_count++;
        keeper_start(keeper);
    }
    if (keeper->drain_time && until(min_u64(keeper->drain_time, keeper->drain_look)) == 0)
        keeper_look_at_drain(keeper);
}

static void loop(struct keeper *keeper)
{
    struct pollfd polls[POLL_CLIENTS + KEEPER_CLIENTS_MAX + 1];

    while (keeper->folder) {
        size_t clients = keeper->clients.count;
        size_t count = fill_polls(keeper, polls);
        int ready = poll(polls, count, time_left(keeper));

        if (ready > 0) {
            if (polls[POLL_SIGNALS].revents)
                on_signal(keeper);
            dispatch_clients(keeper, polls + POLL_CLIENTS, clients);
            if (polls[POLL_LISTENER].revents)
                on_listener(keeper);
            if (keeper->run)
                run_dispatch(keeper->run, polls + POLL_RUN);
            if (polls[POLL_INPUT].revents)
                keeper_pass_input(keeper);
            if (keeper->edit && polls[POLL_EDIT].revents)
                keeper_end_edit(keeper);
            if (keeper->door && polls[POLL_DOOR].revents)
                door_dispatch(keeper->door);
        }
        if (ready >= 0 || errno == EINTR)
            dispatch_times(keeper);
        keeper_look_at_snapshot(keeper);
        if (keeper->run && run_has_ended(keeper->run))
            keeper_end_run(keeper);
        if (keeper->folder)
            keeper_look_at_door(keeper);
        keeper_answer_metrics(keeper);
        keeper_tell_watchers(keeper);
        for (size_t i = 0; i < keeper->clients.count; i++)
            channel_flush(&keeper->clients.items[i]->channel);
        drop_closed(keeper);
    }
}

/* Nothing of the instance is left: what is still here is for the clients, however slow they are who
 * bound it to themselves. */
static void deliver(struct keeper *keeper)
{
    uint64_t end =
        keeper->is_bound && keeper->parent ? 0 : romsim_clock_us() + DELIVER_MS * 1000ULL;
    struct pollfd polls[KEEPER_CLIENTS_MAX + 2];

    for (;;) {
        size_t count = 1;

        polls[0] = (struct pollfd){keeper->signals, POLLIN, 0};
        for (size_t i = 0; i < keeper->clients.count; i++) {
            struct channel *channel = &keeper->clients.items[i]->channel;

            channel_flush(channel);
            if (channel->fd >= 0 && channel_kept(channel) > 0)
                polls[count++] = (struct pollfd){channel->fd, POLLOUT, 0};
        }
        /* One that has gone is closed by the next channel_flush(). */
        if (count == 1 || (end && romsim_clock_us() >= end) ||
            (poll(polls, count, end ? until(end) : -1) < 0 && errno != EINTR) || polls[0].revents)
            return;
    }
}

/* ---- from beginning to end ---------------------------------------------------------------------
 */

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

static int open_keeper(struct keeper *keeper, struct romsim_error *err)
{
    struct instance_status *status = &keeper->status;

    keeper->rom_uuids = keeper_new_uuids(keeper, keeper->instance, keeper->layout);
    keeper->updates = json_array();
    keeper->history = keeper->layout->history ? json_incref(keeper->layout->history) : json_array();
    if (!keeper->rom_uuids || !keeper->updates || !keeper->history)
        return romsim_error_nomem(err);
    snprintf(status->uuid, sizeof(status->uuid), "%s", keeper->config->uuid);
    if (!romsim_uuid_new(status->interface_uuid))
        return romsim_error_system(err, errno, "the kernel has no random bytes");
    if (console_log_open(&keeper->log, err) < 0)
        return -1;
    keeper->folder = romsim_state_new(ROMSIM_STATE_INSTANCE, keeper->layout->name, err);
    if (!keeper->folder)
        return -1;
    if (volumes_attach(keeper->layout, keeper->instance, &keeper->volumes, err) < 0)
        return -1;
    status->number = romsim_state_number(keeper->folder);
    status->created_at = keeper->config->made.tv_sec;
    status->created_us = (uint64_t)keeper->config->made.tv_sec * 1000000 +
                         (uint64_t)keeper->config->made.tv_nsec / 1000;
    keeper->listener = meeting_listen(romsim_state_directory(keeper->folder), KEEPER_SOCKET);
    if (keeper->listener < 0)
        return romsim_error_system(err, errno, "cannot listen for who asks for the instance");
    return romsim_state_set_summary(keeper->folder, keeper_describe(keeper), err);
}

static void tell_error(struct keeper *keeper, const struct romsim_error *err)
{
    CLEANUP_FREE char *made = romsim_error_text(err);
    const char *text = made ? made : err->message;

    keeper_tell(keeper, &(struct romsim_vm_event){.kind = ROMSIM_VM_FAILED,
                                                  .text = text,
                                                  .size = strlen(text),
                                                  .status = (int)err->cloud});
}

/* The last words to who is waiting for them. */
static void answer_last(struct keeper *keeper)
{
    for (size_t i = 0; i < keeper->clients.count; i++) {
        struct keeper_client *client = keeper->clients.items[i];

        if (client->awaits_edit || client->awaits_restart)
            channel_answer(&client->channel, keeper_refuse_deleted(keeper));
        else if (client->awaits_end)
            channel_answer(&client->channel, keeper_change_answer(keeper, keeper->before_deletion));
        else if (client->awaited >= 0)
            channel_answer(&client->channel, keeper_refuse_deleted(keeper));
    }
}

static void close_keeper(struct keeper *keeper)
{
    for (size_t i = 0; i < keeper->clients.count; i++) {
        keeper_lose_draft(keeper, keeper->clients.items[i]);
        channel_close(&keeper->clients.items[i]->channel);
        free(keeper->clients.items[i]);
    }
    keeper_clients_reset(&keeper->clients);
    cleanup_close_fd(&keeper->input.fd);
    console_log_close(&keeper->log);
    cleanup_close_fd(&keeper->signals);
    json_decref(keeper->updates);
    json_decref(keeper->history);
    free(keeper->rom_uuids);
    keeper_forget_saved(keeper);
    keeper_end_template(keeper, false);
    keeper_forget_warm(keeper);
    json_decref(keeper->autokill);
    romsim_layout_free(keeper->layout);
    romsim_instance_free(keeper->instance);
    romsim_layout_free(keeper->next_layout);
    romsim_instance_free(keeper->next);
}

void keeper_run(const struct keeper_config *config)
{
    struct keeper keeper = {.config = config,
                            .instance = config->instance,
                            .layout = config->layout,
                            .listener = -1,
                            .saved = -1,
                            .memory = -1,
                            .snapshot = KEEPER_SNAPSHOT_NONE,
                            .is_bound = config->is_bound,
                            .becomes_template = config->becomes_template,
                            .input = {.fd = -1},
                            .signals = watch_signals()};
    struct romsim_error err = {0};

    keeper.parent = add_client(&keeper, config->parent);
    if (!keeper.parent)
        return;
    if (open_keeper(&keeper, &err) < 0) {
        if (keeper.folder)
            keeper_remove_all(&keeper);
        keeper.parent->is_attached = true;
        tell_error(&keeper, &err);
    } else {
        json_t *answer = keeper_attach(&keeper, keeper.parent, NULL);

        json_decref(answer);
        keeper_tell_text(&keeper, ROMSIM_VM_CREATED, keeper.layout->name);
        if (config->autostart)
            keeper_start(&keeper);
        loop(&keeper);
        keeper_end_snapshot(&keeper);
        keeper_change_state(&keeper, STATE_DELETED);
    }
    answer_last(&keeper);
    deliver(&keeper);
    close_keeper(&keeper);
}
