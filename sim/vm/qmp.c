/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * qmp.c: QEMU's machine protocol: one JSON object a line, each command answered in order, events
 * in between.
 */
#include "qmp.h"

#include <romsim/cleanup.h>
#include <romsim/text.h>
#include <romsim/vm.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { QMP_LINE_MAX = 1 << 20 };

/* Waits for bytes and appends them. */
static int receive(struct qmp *qmp, struct romsim_error *err)
{
    struct pollfd waiting = {qmp->fd, POLLIN, 0};
    char bytes[4096];
    ssize_t size;
    int ready;

    do
        ready = poll(&waiting, 1, qmp->timeout_ms);
    while (ready < 0 && errno == EINTR);
    if (ready == 0)
        return romsim_error_set(err, ETIMEDOUT, ROMSIM_VM_NO_ANSWER " for %d s",
                                qmp->timeout_ms / 1000);
    size = ready < 0 ? -1 : read(qmp->fd, bytes, sizeof(bytes));
    if (size <= 0)
        return romsim_error_set(err, EPIPE, "QEMU has ended");
    if (romsim_buffer_append(&qmp->in, bytes, (size_t)size) < 0)
        return romsim_error_set(err, EMSGSIZE, "QEMU sent too long a line");
    return 0;
}

/* Takes one line off the buffer as JSON. */
static json_t *take_line(struct qmp *qmp, const char *newline, struct romsim_error *err)
{
    size_t size = (size_t)(newline + 1 - qmp->in.data);
    json_error_t problem;
    json_t *message = json_loadb(qmp->in.data, size, 0, &problem);

    memmove(qmp->in.data, newline + 1, qmp->in.size - size + 1);
    qmp->in.size -= size;
    if (!message)
        romsim_error_set(err, EPROTO, "QEMU sent no JSON: %s", problem.text);
    return message;
}

static json_t *read_message(struct qmp *qmp, struct romsim_error *err)
{
    const char *newline;

    while (!qmp->in.size || !(newline = memchr(qmp->in.data, '\n', qmp->in.size)))
        if (receive(qmp, err) < 0)
            return NULL;
    return take_line(qmp, newline, err);
}

/* With a descriptor (or -1) that goes along with the first byte. */
static ssize_t send_some(int fd, const char *text, size_t size, int passed)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct iovec part = {(void *)(uintptr_t)text, size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

    if (passed >= 0) {
        struct cmsghdr *header;

        message.msg_control = control.bytes;
        message.msg_controllen = sizeof(control.bytes);
        header = CMSG_FIRSTHDR(&message);
        *header = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(header), &passed, sizeof(passed));
    }
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

static int send_all(int fd, const char *text, int passed, struct romsim_error *err)
{
    size_t left = strlen(text);

    while (left > 0) {
        ssize_t sent = send_some(fd, text, left, passed);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return romsim_error_set(err, EPIPE, "QEMU has ended");
        passed = -1;
        text += sent;
        left -= (size_t)sent;
    }
    return 0;
}

/* The answer to the last command, past all events.  1 if it is an answer, 0 an event, -1. */
static int take_answer(json_t *message, json_t **ret, struct romsim_error *err)
{
    json_t *answer = json_object_get(message, "return");
    json_t *problem = json_object_get(message, "error");
    const char *text = json_string_value(json_object_get(problem, "desc"));

    if (problem)
        return romsim_error_set(err, EINVAL, "QEMU: %s", text ? QUOTE(text) : "error");
    if (!answer)
        return 0;
    if (ret)
        *ret = json_incref(answer);
    return 1;
}

static int execute(struct qmp *qmp, const char *command, json_t *arguments, int passed,
                   json_t **ret, struct romsim_error *err)
{
    json_t *request = json_pack("{s:s, s:o*}", "execute", command, "arguments", arguments);
    CLEANUP_FREE char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
    int status = 0;

    json_decref(request);
    if (!text)
        return romsim_error_nomem(err);
    if (send_all(qmp->fd, text, passed, err) < 0)
        return -1;
    while (status == 0) {
        json_t *message = read_message(qmp, err);

        if (!message)
            return -1;
        status = take_answer(message, ret, err);
        json_decref(message);
    }
    return status < 0 ? -1 : 0;
}

int qmp_execute(struct qmp *qmp, const char *command, json_t *arguments, json_t **ret,
                struct romsim_error *err)
{
    return execute(qmp, command, arguments, -1, ret, err);
}

int qmp_pass_fd(struct qmp *qmp, int fd, const char *name, struct romsim_error *err)
{
    return execute(qmp, "getfd", json_pack("{s:s}", "fdname", name), fd, NULL, err);
}

/* What the greeting says of the version, {"qemu": {"major", "minor", "micro"}, "package"}. */
static void read_version(const json_t *version, char ret[QMP_VERSION_SIZE])
{
    const json_t *numbers = json_object_get(version, "qemu");
    const char *package = json_string_value(json_object_get(version, "package")) ?: "";

    snprintf(ret, QMP_VERSION_SIZE, "%lld.%lld.%lld%s%s%s",
             json_integer_value(json_object_get(numbers, "major")),
             json_integer_value(json_object_get(numbers, "minor")),
             json_integer_value(json_object_get(numbers, "micro")), *package ? " (" : "", package,
             *package ? ")" : "");
}

int qmp_open(struct qmp *qmp, int fd, int timeout_ms, struct romsim_error *err)
{
    json_t *greeting;

    *qmp = (struct qmp){.fd = fd, .timeout_ms = timeout_ms, .in = ROMSIM_BUFFER_INIT(QMP_LINE_MAX)};
    greeting = read_message(qmp, err);
    if (!greeting)
        return -1;
    read_version(json_object_get(json_object_get(greeting, "QMP"), "version"), qmp->version);
    json_decref(greeting);
    return qmp_execute(qmp, "qmp_capabilities", NULL, NULL, err);
}

void qmp_pause(const struct qmp *qmp, int milliseconds)
{
    struct pollfd waiting = {qmp->fd, POLLIN, 0};

    poll(&waiting, 1, milliseconds);
}

int qmp_drain(struct qmp *qmp)
{
    char bytes[4096];
    ssize_t size = recv(qmp->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

    return size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR) ? -1 : 0;
}

void qmp_close(struct qmp *qmp)
{
    romsim_buffer_reset(&qmp->in);
}
