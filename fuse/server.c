/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * server.c: the process that answers a mount's requests, and who waits for it (server.h).
 *
 * Threads of the server: serving threads each read a request and answer it; the kernel wakes one at
 * a time.  The first one waits for the eventfd that says that it is time to end: written by
 * romsim_fs_stop(), or by a serving thread that found the file system unmounted.  A thread that
 * still waits for a request is cancelled there and only there, as libfuse's own loop does it.  Our
 * own loop, because libfuse 3.14's cannot be woken from another thread, and makes and ends threads
 * with the load, which costs more than it saves.
 */
#include "server.h"

#include <romsim/cleanup.h>
#include <romsim/sandbox.h>
#include <romsim/text.h>

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* More threads than processors, since one that waits for the disk (a page of an image that is not
 * in memory) serves nobody meanwhile. */
enum { THREADS_MIN = 4, THREADS_MAX = 16 };

/* How long a server that was told to end may take before it is killed; and one that begins, which
 * is then started again. */
enum { END_TIMEOUT_MS = 5000, START_TIMEOUT_MS = 4000, START_TRIES = 10 };

enum message_kind {
    MESSAGE_READY = 1, /* requests are answered */
    MESSAGE_MET,       /* a user of the mount got an error for which an image is to blame */
    MESSAGE_ENDED,
    MESSAGE_UNMOUNTED /* ended, because the mount is gone */
};

/* One a packet.  It comes from a process that may have been taken over. */
struct server_message {
    int32_t kind;
    int32_t errnum; /* of the end; 0: all went well */
    char text[1024];
};

struct server {
    const struct server_task *task;
    int channel;
    pthread_mutex_t gate;  /* held until requests may be answered */
    atomic_size_t serving; /* threads that answer */
};

struct server_thread {
    pthread_t thread;
    struct server *server;
    struct fuse_buf request;
    int error; /* what ended it, an errno, or 0 */
};

/* ---- the server --------------------------------------------------------------------------- */

static void send_message(int channel, enum message_kind kind, int errnum, const char *text)
{
    struct server_message message = {.kind = kind, .errnum = errnum};
    ssize_t ignored;

    snprintf(message.text, sizeof(message.text), "%s", text);
    ignored = write(channel, &message, sizeof(message));
    (void)ignored; /* then there is nobody who waits, and the server ends */
}

static void report_met(void *context, const char *text)
{
    const struct server *server = context;

    send_message(server->channel, MESSAGE_MET, 0, text);
}

void server_raise(int event)
{
    const uint64_t one = 1;
    int saved = errno;
    ssize_t ignored = write(event, &one, sizeof(one)); /* cannot fail before 2^64 of them */

    (void)ignored;
    errno = saved;
}

static void *serve_requests(void *argument)
{
    struct server_thread *self = argument;
    struct server *server = self->server;
    struct fuse_session *session = server->task->session;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    pthread_mutex_lock(&server->gate);
    pthread_mutex_unlock(&server->gate);
    while (!fuse_session_exited(session)) {
        int received;

        pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
        received = fuse_session_receive_buf(session, &self->request);
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
        if (received > 0)
            fuse_session_process_buf(session, &self->request);
        else if (received < 0 && received != -EINTR && received != -EAGAIN) {
            self->error = -received;
            break;
        }
    }
    /* One that has no memory for a request leaves it to the others. */
    if (atomic_fetch_sub(&server->serving, 1) == 1 || self->error != ENOMEM)
        server_raise(server->task->stop);
    return NULL;
}

static size_t count_threads(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    if (processors < THREADS_MIN)
        return THREADS_MIN;
    return processors > THREADS_MAX ? THREADS_MAX : (size_t)processors;
}

/* Returns how many run; *ret_problem is the errno of one that does not. */
static size_t start_threads(struct server *server, struct server_thread *threads, size_t count,
                            int *ret_problem)
{
    size_t started = 0;

    atomic_store(&server->serving, count);
    while (started < count) {
        threads[started].server = server;
        *ret_problem =
            pthread_create(&threads[started].thread, NULL, serve_requests, &threads[started]);
        if (*ret_problem != 0)
            break;
        started++;
    }
    if (started < count && atomic_fetch_sub(&server->serving, count - started) == count - started)
        server_raise(server->task->stop); /* the last of them has failed already */
    return started;
}

/* Ends the threads.  Returns the errno of one whose failure ended the service, or 0. */
static int end_threads(struct server_thread *threads, size_t count)
{
    size_t without_memory = 0;
    int error = 0;

    for (size_t i = 0; i < count; i++)
        pthread_cancel(threads[i].thread);
    for (size_t i = 0; i < count; i++) {
        pthread_join(threads[i].thread, NULL);
        free(threads[i].request.mem);
        if (threads[i].error == ENOMEM)
            without_memory++;
        else if (threads[i].error != 0)
            error = threads[i].error;
    }
    return error == 0 && without_memory == count ? ENOMEM : error;
}

/* Until it is time to end: somebody says so, or who started the server is gone. */
static void await_end(int stop, int starter)
{
    struct pollfd ends[] = {{.fd = stop, .events = POLLIN}, {.fd = starter, .events = POLLIN}};

    while (poll(ends, 2, -1) < 0 && errno == EINTR)
        ;
}

/* Keeps what it answers with and to, no more. */
static void enter_sandbox(const struct server *server, int starter)
{
    const struct server_task *task = server->task;
    int keep[16] = {fuse_session_fd(task->session), task->stop, task->hurry, server->channel,
                    starter};
    size_t count = 5;

    for (size_t i = 0; i < task->output_count && count < sizeof(keep) / sizeof(keep[0]); i++)
        keep[count++] = task->outputs[i];
    /* pthread_cancel() loads it, which it cannot any more when no file can be opened. */
    static void *unwinder;

    unwinder = dlopen("libgcc_s.so.1", RTLD_NOW);
    (void)unwinder; /* it works without, where pthread_cancel() does */
    (void)romsim_sandbox_enter(keep, count);
}

#if defined(__SANITIZE_ADDRESS__)
/*
 * The fork of a process with threads has whatever locks these held, and nobody to release them. The
 * C library sees to its own; the allocator of AddressSanitizer does not, before GCC 14.  A thread
 * of its own, which has nothing cached, meets such a lock, and the server is never ready.
 */
static void *meet_locks(void *unused)
{
    for (size_t size = 16; size <= (size_t)4 << 20; size += size / 4) {
        void *volatile bytes = malloc(size);

        free(bytes);
    }
    return unused;
}

static void look_for_locks(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, meet_locks, NULL) == 0)
        pthread_join(thread, NULL);
}
#else
static void look_for_locks(void)
{
}
#endif

static _Noreturn void be_server(const struct server_task *task, int channel, pid_t starter)
{
    struct server server = {
        .task = task, .channel = channel, .gate = PTHREAD_MUTEX_INITIALIZER, .serving = 0};
    struct server_thread threads[THREADS_MAX] = {0};
    int watched = pidfd_open(starter, 0), problem = 0, error;
    size_t count;

    if (getppid() != starter)
        _exit(1);
    look_for_locks();
    enter_sandbox(&server, watched);
    if (task->ll->report) {
        task->ll->report = report_met;
        task->ll->context = &server;
    }
    pthread_mutex_lock(&server.gate);
    count = start_threads(&server, threads, count_threads(), &problem);
    (void)romsim_sandbox_seal();
    pthread_mutex_unlock(&server.gate);
    if (count == 0) {
        send_message(channel, MESSAGE_ENDED, problem, "cannot start a thread");
        _exit(1);
    }
    send_message(channel, MESSAGE_READY, 0, "");
    await_end(task->stop, watched);
    server_raise(task->hurry);
    error = end_threads(threads, count);
    send_message(channel, fuse_session_exited(task->session) ? MESSAGE_UNMOUNTED : MESSAGE_ENDED,
                 error, "");
    _exit(0);
}

/* ---- who waits for it --------------------------------------------------------------------- */

int server_channel_open(struct server_channel *ret, struct romsim_error *err)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return romsim_error_system(err, errno, "cannot make a socket");
    *ret = (struct server_channel){ends[0], ends[1]};
    return 0;
}

void server_channel_close(struct server_channel *channel)
{
    cleanup_close_fd(&channel->ours);
    cleanup_close_fd(&channel->theirs);
}

/* Reads the next message.  False when there is none any more: the server has ended, or does not
 * although it was told to. */
static bool receive(const struct server_task *task, int channel, struct server_message *ret)
{
    struct pollfd polled[] = {{.fd = channel, .events = POLLIN},
                              {.fd = task->stop, .events = POLLIN}};
    ssize_t size;
    int ready;

    do
        ready = poll(polled, 2, -1);
    while (ready < 0 && errno == EINTR);
    if (polled[0].revents == 0)
        ready = TEMP_FAILURE_RETRY(poll(polled, 1, END_TIMEOUT_MS));
    if (ready <= 0)
        return false;
    size = TEMP_FAILURE_RETRY(recv(channel, ret, sizeof(*ret), 0));
    if (size != sizeof(*ret))
        return false;
    ret->text[sizeof(ret->text) - 1] = '\0';
    return true;
}

static int tell_end(const struct server_message *end, struct romsim_error *err)
{
    if (end->errnum == 0)
        return 0;
    if (end->text[0] == '\0')
        return romsim_error_system(err, end->errnum, "cannot answer the kernel");
    romsim_error_system(err, end->errnum, "%s", QUOTE(end->text));
    return romsim_error_hint(err, "the limit of memory (ulimit -v) or of processes (ulimit -u) is "
                                  "too low");
}

static int tell_crash(int status, struct romsim_error *err)
{
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS)
        return romsim_error_set(err, EIO,
                                "a file cannot be read on: the disk is full or damaged, or it was "
                                "cut short");
    if (WIFSIGNALED(status))
        return romsim_error_set(err, EIO, "the process that reads the images was ended by %s",
                                strsignal(WTERMSIG(status)) ?: "a signal");
    return romsim_error_set(err, EIO, "the process that reads the images ended");
}

/* Until the server says that it has ended; what it says otherwise is handed on. */
static int listen_to(const struct server_task *task, int channel, pid_t pid,
                     struct romsim_error *err)
{
    struct server_message message;
    bool has_ended = false;
    int status = 0;

    while (!has_ended && receive(task, channel, &message)) {
        has_ended = message.kind == MESSAGE_ENDED || message.kind == MESSAGE_UNMOUNTED;
        if (message.kind == MESSAGE_MET && task->ll->report)
            task->ll->report(task->ll->context, message.text);
    }
    if (has_ended && message.kind == MESSAGE_UNMOUNTED)
        fuse_session_exit(task->session);
    /* It has nothing left to do, or hangs. */
    kill(pid, SIGKILL);
    if (TEMP_FAILURE_RETRY(waitpid(pid, &status, 0)) < 0)
        status = 0;
    return has_ended ? tell_end(&message, err) : tell_crash(status, err);
}

/* Starts a server.  Its process, or -1. */
static pid_t start(const struct server_task *task, int channel, struct romsim_error *err)
{
    const pid_t starter = getpid();
    sigset_t all, before;
    pid_t pid;
    int error;

    /* Signals are for the starter: all threads of the server have them blocked. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid = fork();
    error = errno;
    if (pid == 0)
        be_server(task, channel, starter);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pid > 0)
        return pid;
    romsim_error_system(err, error, "cannot start a process");
    return romsim_error_hint(err, "the limit of processes (ulimit -u) is too low");
}

/* Has it said anything, in time? */
static bool has_begun(int channel)
{
    struct pollfd polled = {.fd = channel, .events = POLLIN};

    return TEMP_FAILURE_RETRY(poll(&polled, 1, START_TIMEOUT_MS)) > 0;
}

int server_run(const struct server_task *task, struct server_channel *channel,
               struct romsim_error *err)
{
    for (int tries = 0; tries < START_TRIES; tries++) {
        pid_t pid = start(task, channel->theirs, err);
        int status;

        if (pid < 0)
            return -1;
        if (has_begun(channel->ours)) {
            cleanup_close_fd(&channel->theirs);
            return listen_to(task, channel->ours, pid, err);
        }
        kill(pid, SIGKILL);
        if (TEMP_FAILURE_RETRY(waitpid(pid, &status, 0)) == pid &&
            !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL))
            return tell_crash(status, err);
    }
    return romsim_error_set(err, ETIMEDOUT, "the process that reads the images does not begin");
}
