/* SPDX-License-Identifier: BSD-3-Clause */
/* channel.c: what a supervisor and its client say to each other. */
#include "channel.h"

#include <romsim/checked.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

struct header {
    uint32_t kind;
    int32_t status;
    uint64_t micros;
};

static int send_piece(int fd, const struct romsim_vm_event *event, const char *text, size_t size)
{
    struct header header = {event->kind, event->status, event->micros};
    struct iovec parts[] = {{&header, sizeof(header)}, {(char *)text, size}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t sent;

    do
        sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -1 : 0;
}

int channel_send(int fd, const struct romsim_vm_event *event)
{
    const char *text = event->text ? event->text : "";
    size_t left = event->text ? event->size : 0;

    do {
        size_t size = min_u64(left, CHANNEL_TEXT_MAX);

        if (send_piece(fd, event, text, size) < 0)
            return -1;
        text += size;
        left -= size;
    } while (left > 0 && event->kind == ROMSIM_VM_CONSOLE);
    return 0;
}

int channel_receive(int fd, char text[CHANNEL_TEXT_MAX + 1], struct romsim_vm_event *ret)
{
    struct header header;
    struct iovec parts[] = {{&header, sizeof(header)}, {text, CHANNEL_TEXT_MAX}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t size;

    do
        size = recvmsg(fd, &message, MSG_DONTWAIT);
    while (size < 0 && errno == EINTR);
    if (size < 0 && errno == EAGAIN)
        return -1;
    if (size < (ssize_t)sizeof(header))
        return 0;
    size -= (ssize_t)sizeof(header);
    text[size] = '\0';
    *ret = (struct romsim_vm_event){.kind = header.kind,
                                    .text = text,
                                    .size = (size_t)size,
                                    .micros = header.micros,
                                    .status = header.status};
    return 1;
}
